"""The validation gate: which rows pass, what is said of the others, and that a wrong frame is a defect of the code."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pandera.polars as pa
import polars as pl
import pytest

from schemas.base import Table
from schemas.fields import CENTS, INSTANT, MONEY, QUANTITY, Instant, Quantity
from schemas.gate import SchemaMismatchError, check, conform, dtypes, empty
from schemas.harvest import Instructions
from schemas.tax import Gains


class Coins(Table):
    asset: str = pa.Field(isin=("BTC", "ETH"))
    account_id: str
    quantity: Quantity = pa.Field(gt=0)
    seen_at: Instant
    day: pl.Date = pa.Field(nullable=True)

    class Config:
        unique = ["asset", "account_id"]


NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


def coins(*rows: tuple[str, str, str | None]) -> pl.DataFrame:
    frame = pl.DataFrame(
        [(asset, account, None if q is None else Decimal(q), NOON, date(2025, 1, 1)) for asset, account, q in rows],
        schema=dtypes(Coins),
        orient="row",
    )
    assert frame.schema["quantity"] == QUANTITY
    return frame


def test_rows_that_hold_pass_unchanged_in_their_order():
    frame = coins(("ETH", "a", "2"), ("BTC", "a", "0.000000000000000001"))
    checked = check(frame, Coins)
    assert checked.valid.equals(frame)
    assert checked.rejected.is_empty()


def test_each_broken_row_is_rejected_with_every_reason_and_the_others_go_on():
    checked = check(coins(("BTC", "a", "1"), ("DOGE", "a", "-1"), ("ETH", "b", None), ("ETH", "a", "3")), Coins)
    assert checked.valid["account_id"].to_list() == ["a", "a"]
    assert checked.rejected["asset"].to_list() == ["DOGE", "ETH"]
    doge, null = checked.rejected["why"].to_list()
    assert "asset: isin(" in doge
    assert "quantity: greater_than(0)" in doge
    assert null == "quantity: not_nullable"


def test_a_key_given_twice_rejects_both_rows():
    checked = check(coins(("BTC", "a", "1"), ("ETH", "a", "1"), ("BTC", "a", "2")), Coins)
    assert checked.valid["asset"].to_list() == ["ETH"]
    assert checked.rejected["asset"].to_list() == ["BTC", "BTC"]


@pytest.mark.parametrize(
    "frame",
    [
        coins(("BTC", "a", "1")).drop("day"),
        coins(("BTC", "a", "1")).with_columns(extra=pl.lit(1)),
        coins(("BTC", "a", "1")).with_columns(pl.col("quantity").cast(pl.Float64)),
        coins(("BTC", "a", "1")).with_columns(pl.col("quantity").cast(pl.Decimal(38, 10))),
        coins(("BTC", "a", "1")).with_columns(pl.col("seen_at").dt.convert_time_zone("Etc/UTC")),
        coins(("BTC", "a", "1")).with_columns(pl.col("seen_at").dt.replace_time_zone(None)),
    ],
    ids=["column missing", "column too many", "float", "other scale", "other zone", "no zone"],
)
def test_a_frame_of_other_columns_or_types_is_a_defect_of_the_code(frame):
    with pytest.raises(SchemaMismatchError, match="Coins"):
        check(frame, Coins)


def test_the_error_of_a_wrong_frame_does_not_quote_cells():
    frame = coins(("BTC", "canary-cell", "1")).with_columns(pl.col("quantity").cast(pl.Float64))
    with pytest.raises(SchemaMismatchError) as caught:
        check(frame, Coins)
    assert "canary-cell" not in str(caught.value)


def test_an_empty_frame_of_a_model_has_its_types_and_passes():
    assert empty(Gains).schema["proceeds"] == MONEY
    assert empty(Coins).schema == {
        "asset": pl.String,
        "account_id": pl.String,
        "quantity": QUANTITY,
        "seen_at": INSTANT,
        "day": pl.Date,
    }
    assert check(empty(Coins), Coins).valid.is_empty()


def test_conform_orders_drops_and_fills_with_typed_nulls():
    frame = pl.DataFrame({"note": ["x"], "account_id": ["a"], "asset": ["BTC"]})
    shaped = conform(frame, Coins)
    assert shaped.schema == empty(Coins).schema
    assert shaped.row(0) == ("BTC", "a", None, None, None)


def test_cents_and_money_are_different_types():
    assert CENTS != MONEY


def test_a_table_with_a_column_named_why_keeps_its_good_rows():
    # `instructions` says in its own column `why` what became of an instruction
    row = {"instruction_id": "i1", "adequate": True, "why": "recorded before the sale"}
    frame = conform(pl.DataFrame([row]), Instructions)
    checked = check(pl.concat([frame, frame.with_columns(instruction_id=pl.lit(None, pl.String))]), Instructions)
    assert checked.valid["why"].to_list() == ["recorded before the sale"]
    assert checked.rejected.height == 1
