"""Balances: a file's running balance against the legs read from it; an account's computed one against what is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import gate
from schemas.intake import Legs
from tests.transforms.test_lots import row, run
from transforms.balances import balance_breaks

START = datetime(2024, 1, 1, tzinfo=UTC)


def legs(*rows: tuple[int, str, str, str | None]) -> pl.DataFrame:
    """Legs of (row, role, quantity, balance), one a day."""
    frame = pl.DataFrame(rows, ["row_no", "role", "quantity", "balance"], orient="row").with_columns(
        pl.col("quantity", "balance").cast(pl.Decimal(38, 18)),
        pl.col("row_no").cast(pl.Int64),
        occurred_at=pl.lit(START) + pl.col("row_no") * timedelta(days=1),
        account_id=pl.lit("a"),
        file_id=pl.lit("f"),
        source=pl.lit("kraken_ledgers"),
        raw_asset=pl.lit("XXBT"),
    )
    return gate.conform(frame, Legs)


SOUND = [(2, "received", "1", "1"), (3, "sent", "0.4", "0.59"), (3, "fee", "0.01", None), (4, "received", "2", "2.59")]


def test_a_chain_that_holds_has_no_break() -> None:
    assert balance_breaks(legs(*SOUND)).is_empty()


def test_a_missing_row_is_a_break_at_the_row_after_it() -> None:
    found = balance_breaks(legs(SOUND[0], SOUND[3], (5, "received", "1", "9")))
    assert found.select("row_no", pl.col("expected", "found").cast(pl.Float64)).rows() == [(4, 3.0, 2.59)]


def test_a_file_with_the_newest_row_first_is_read_from_its_end() -> None:
    # rows 4, 3, 2 by age: 1 received, then 0.4 and a fee of 0.01 out, then 2 received
    turned = legs(*((6 - row, role, quantity, balance) for row, role, quantity, balance in SOUND))
    turned = turned.with_columns(occurred_at=pl.lit(START) - pl.col("row_no") * timedelta(days=1))
    assert balance_breaks(turned).is_empty()


def test_legs_without_balances_are_not_judged() -> None:
    assert balance_breaks(legs((2, "received", "1", None), (3, "sent", "5", None))).is_empty()


# --- computed balances: the first event that cannot be right ----------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["acquire", "dispose", "outside"]), st.integers(1, 5)),
    min_size=1,
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, universal=st.booleans())
def test_the_first_event_that_takes_an_account_below_zero_is_the_first_that_is_asked(
    steps: list[tuple[str, str, int]], universal: bool
) -> None:
    """By hand: the units of each account, row after row. A universal pool (to 2024) may cover what the account lacks."""
    balances, first = {"a": 0, "b": 0}, None
    rows = []
    for number, (account, movement, quantity) in enumerate(steps):
        at = f"{2023 if universal else 2025}-01-{number + 1:02d}"
        amount = 10 * quantity if movement != "outside" else None
        rows.append(row(movement, at, quantity, amount, account_id=account))
        balances[account] += quantity if movement == "acquire" else -quantity
        if balances[account] < 0 and first is None:
            first = (f"e{number:03d}", account, -balances[account])
    faults = run(rows, last=2023 if universal else 2025, universal=universal).faults
    short = faults.filter(pl.col("fault").is_in(["shortfall", "account_overdrawn"])).sort("event_id")
    named = short.group_by("event_id", "account_id", maintain_order=True).agg(pl.col("quantity").sum()).rows()
    assert (named[0] if named else None) == first
