"""The advice over the nights at size: what-ifs beside the night's own choice, and what a year of records takes on disk.

    python benchmarks/advice_loop.py [returns] [lots a return]

Ratios are to one choice of the plan (`Engine.plan`); the year of records is 365 nights on which every price moves.
"""

from __future__ import annotations

import datetime as dt
import io
import random
import sys
import time
from decimal import Decimal
from typing import Any

import polars as pl

from schemas.advice_loop import AdviceHistory
from schemas.gate import conform, empty
from schemas.harvest import HarvestRecommendations, HarvestSummary
from schemas.inputs import FirmSettings
from schemas.tax import OpenLots
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import accounts, facts, holding, holdings
from transforms import advice_history, what_if
from transforms.law.tax import Returns

AS_OF = dt.date(2025, 12, 15)


def firm(count: int, each: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Holdings, open lots and returns: short gains of 0 to 60,000, half the lots at a loss."""
    chance = random.Random(1)
    lots, stock = [], []
    for client in range(count):
        name = f"r{client}"
        for number in range(each):
            loss, value = chance.randint(-8_000, 8_000), chance.randint(9_000, 20_000)
            since = dt.date(2025, 1, 1) + dt.timedelta(days=chance.randint(0, 720))
            term = "long" if since <= AS_OF else "short"
            more = {"return_id": name, "taxpayer_id": name, "account_id": f"a{client}", "asset": f"C{number % 7}"}
            lots.append(holding(f"l{client}-{number}", loss, value, term, **more))
            both = {"taxpayer_id": name, "account_id": f"a{client}", "location": "account", "quantity": 10}
            both |= {"lot_id": f"l{client}-{number}", "basis": value + loss, "loss_basis": value + loss}
            stock.append(both | {"long_term_from": since, "loss_long_term_from": since})
    base: dict[str, Any] = dict.fromkeys(Returns.__dataclass_fields__, 0) | {"tax_year": 2025, "deduction": -1}
    rows = [
        {
            "return_id": f"r{n}",
            **base,
            "ordinary": chance.randint(3, 90) * 10**6,
            "short_term": chance.randint(0, 60) * 10**5,
        }
        for n in range(count)
    ]
    return holdings(*lots), frame(OpenLots, *stock), pl.DataFrame(rows)


def timed(work: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    answer = work()
    return time.perf_counter() - started, answer


def main() -> None:
    count, each = (int(text) for text in (*sys.argv[1:], "5000", "20")[:2])
    held, stock, returns = firm(count, each)
    nothing = pl.DataFrame(
        schema={
            "return_id": pl.String,
            "expected_ordinary_income": pl.Decimal(18, 2),
            "expected_annual_gains": pl.Decimal(18, 2),
        }
    )
    engine = what_if.Engine(returns, nothing, accounts(), facts(), FirmSettings("Firm", "UTC"))
    one, plan = timed(lambda: engine.plan(held, engine.tonight()))
    print(f"{count} returns, {held.height} lots; the plan alone: {one:.1f} s, {plan.height} recommendations")
    for name, work in (
        ("harvest_curve", lambda: what_if.curve(held, engine, AS_OF)),
        ("price_moves", lambda: what_if.price_moves(held, stock, engine, AS_OF)),
    ):
        seconds, rows = timed(work)
        print(f"{name}: {seconds:.1f} s = {seconds / one:.1f} plans, {rows.height} rows")
    records(held, returns, plan)


def records(held: pl.DataFrame, returns: pl.DataFrame, plan: pl.DataFrame) -> None:
    """A whole record, one of a night on which each price and so each value moves, and reading a year of them."""
    cents = [
        (pl.col(name).cast(pl.Decimal(38, 2)) / 100).cast(pl.Decimal(18, 2)).alias(name) for name in ("net_benefit",)
    ]
    told = conform(
        plan.with_columns(
            *cents, recommendation_id=pl.lit("rec_") + pl.col("lot_id"), scenario=pl.lit("best"), action=pl.lit("sell"),
            quantity="sold", rank=pl.col("position").cast(pl.Int64), tax_saved_now=pl.lit(Decimal(1)).cast(pl.Decimal(18, 2)),
        ).drop("proceeds", "basis", "unrealized_gain", "carryforward_value", "later_tax_cost", "trading_cost"),
        HarvestRecommendations,
    )  # fmt: skip
    summary = conform(returns.select("return_id", scenario=pl.lit("best"), verdict=pl.lit("harvest")), HarvestSummary)
    settings = FirmSettings("Firm", "UTC")
    first, now = timed(lambda: advice_history.tonight(told, summary, held, returns, settings, "law", "1", AS_OF))
    other = told.with_columns((pl.col("net_benefit") + 1).cast(pl.Decimal(18, 2)))
    later = advice_history.tonight(other, summary, held, returns, settings, "law", "1", AS_OF + dt.timedelta(days=1))
    second, change = timed(lambda: advice_history.changed(later, advice_history.past(now).before, held))
    sizes = []
    for rows in (now, change):
        out = io.BytesIO()
        rows.write_parquet(out, compression="zstd")
        sizes.append(out.tell())
    year = (12 * sizes[0] + 353 * sizes[1]) / 1e6
    print(
        f"a whole record: {now.height} rows, {sizes[0] / 1e6:.2f} MB, made in {first:.1f} s; a night of changes:",
        end=" ",
    )
    print(f"{change.height} rows, {sizes[1] / 1e6:.2f} MB, {second:.1f} s; a year at most {year:.0f} MB")
    nights = [change.with_columns(as_of=pl.lit(AS_OF - dt.timedelta(days=n))) for n in range(1, 61)]
    every = pl.concat([empty(AdviceHistory), now, *nights])
    seconds, _ = timed(lambda: advice_history.past(every))
    print(f"reading back 60 such nights ({every.height} rows): {seconds:.1f} s")


if __name__ == "__main__":
    main()
