"""What the wash sale overlay costs: seconds and pieces a second, beside the lot book that makes the pieces, in one run.

    python benchmarks/wash_sales.py [clients] [trades a client]

Every client trades one coin all year: half the clients rebuy within days (every loss of theirs is washed, the worst
case: each piece is walked in Python), the others wait more than 30 days (polars leaves them out before the walk). A
second coin is bought and sold at a gain only. The ratio is seconds of the overlay to seconds of the lot book.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl

from schemas import gate
from schemas.fields import MONEY, QUANTITY
from schemas.ledger import Movements
from schemas.tax import LotConversions, Pieces
from transforms import forms, lots, wash_sales
from transforms.law.wash_sale_rules import Rule

RULE = Rule("benchmark", ("coin",), "law", "none")
NOBODY = pl.DataFrame(schema={"taxpayer_id": pl.String, "spouse_id": pl.String, "tax_year": pl.Int64})


def movements(clients: int, trades: int) -> pl.DataFrame:
    """Purchases and sales by turns; prices fall and rise, so that about half the sales are losses."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    turn = pl.DataFrame({"turn": range(trades)})
    people = pl.DataFrame({"client": range(clients)})
    step = (
        pl.when(pl.col("client") % 2 == 0)
        .then(pl.lit(330 * 1440 // trades))
        .otherwise(pl.lit(330 * 1440 * 60 // trades))
    )
    price = 100 + (pl.col("turn") * 37 + pl.col("client")) % 41
    buys = pl.col("turn") % 2 == 0
    kind = pl.when(buys).then(pl.lit("acquire")).otherwise(pl.lit("dispose"))
    taxpayer = pl.format("c{}", "client")
    at = pl.lit(start) + pl.duration(minutes=pl.col("turn") * step)
    rows = people.join(turn, how="cross").with_columns(occurred_at=at.cast(pl.Datetime("us", "UTC"))).with_columns(
        taxpayer_id=taxpayer, asset=pl.lit("BTC"), account_id=taxpayer, wallet=taxpayer,
        event_id=pl.format("{}-{}", "client", "turn"), leg=pl.lit("sent"), movement=kind,
        tax_date=pl.col("occurred_at").dt.date(), tax_year=pl.lit(2026, pl.Int64),
        quantity=pl.lit(Decimal(1), QUANTITY), amount=price.cast(MONEY), loss_amount=pl.when(buys).then(price.cast(MONEY)),
        origin=pl.when(buys).then(pl.lit("buy")), disposal_kind=pl.when(~buys).then(pl.lit("sell")),
        lot_method=pl.when(~buys).then(pl.lit("fifo")), sequence=pl.col("turn"),
    )  # fmt: skip
    return gate.conform(rows.with_columns(movement_id="event_id"), Movements).sort("taxpayer_id", "sequence")


def timed(label: str, work: object, count: int) -> tuple[float, object]:
    """Run it once and say what it took."""
    started = time.perf_counter()
    done = work()  # type: ignore[operator]
    seconds = time.perf_counter() - started
    print(f"  {label:<44} {seconds:8.2f} s {count / seconds:12,.0f} pieces/s")
    return seconds, done


def main(clients: int = 2000, trades: int = 500) -> None:
    """The lot book, then the overlay: where nothing is reached, and where it is."""
    moved = movements(clients, trades)
    wallets = moved.select("account_id", wallet="account_id", treatment=pl.lit("taxable")).unique()
    none = pl.DataFrame(schema={"taxpayer_id": pl.String})
    given = {"asset": ["BTC"], "class": ["coin"], "collectible": [False], "indivisible": [False]}
    stands = pl.DataFrame(schema=dict.fromkeys(("taxpayer_id", "topic", "choice"), pl.String) | {"from_year": pl.Int64})
    from schemas.inputs import Allocations2025  # noqa: PLC0415

    count = moved.filter(movement="dispose").height
    print(f"{clients:,} clients, {count:,} pieces")
    base, book = timed(
        "lot book",
        lambda: lots.run(moved, lots.no_opening(), (), gate.empty(Allocations2025), wallets, (2026, 2026)),
        count,
    )
    facts = wallets.with_columns(taxable=pl.lit(value=True))
    members = none.with_columns(return_id=pl.lit(""), tax_year=pl.lit(0, pl.Int64))
    pieces = gate.conform(forms.complete_gains(book.gains, facts, members, pl.DataFrame(given)), Pieces)  # type: ignore[attr-defined]
    books = wash_sales.Books(book.lots, gate.empty(LotConversions), NOBODY, wallets)  # type: ignore[attr-defined]
    for label, rules in (("no asset is reached", ()), ("every coin is reached", (RULE,))):
        seconds, washed = timed(
            f"overlay, {label}",
            lambda rules=rules: wash_sales.under_law(pieces, books, pl.DataFrame(given), stands, rules),
            count,
        )
        matches = washed.matches.height  # type: ignore[attr-defined]
        print(f"  {'':<44} {seconds / base:8.2f} of the lot book, {matches:,} matches")


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:3]))
