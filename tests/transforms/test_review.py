from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.review import ReviewItems
from tests.transforms.frames import frame
from transforms import review

ROWS = pl.DataFrame({"taxpayer_id": ["t", "u"], "event_id": ["e1", "e2"], "usd": ["-10.005", "300"]})


def build(rows: pl.DataFrame = ROWS) -> pl.DataFrame:
    return review.items(
        rows,
        "price_missing",
        "warning",
        pl.format("no price for {}", "event_id"),
        "add a price",
        pl.col("usd").cast(pl.Decimal(18, 6)),
    )


def test_an_item_s_id_survives_a_new_message_and_a_new_order() -> None:
    one = build()
    other = build(ROWS.reverse().with_columns(usd=pl.lit("7")))
    assert sorted(one["item_id"]) == sorted(other["item_id"])
    assert one["item_id"].n_unique() == 2


def test_an_item_counts_once_and_is_open() -> None:
    box = review.gathered([build(), build()])
    assert box["item_id"].to_list() == build()["item_id"].to_list()
    assert box["state"].unique().to_list() == ["open"]


def ranked_items() -> pl.DataFrame:
    rows: list[dict[str, Any]] = [
        {"item_id": "a", "severity": "info", "stake_basis": "tax", "dollars_at_stake": 900},
        {"item_id": "b", "severity": "blocking", "stake_basis": "unknown"},
        {"item_id": "c", "severity": "blocking", "stake_basis": "value", "dollars_at_stake": 50_000},
        {"item_id": "d", "severity": "blocking", "stake_basis": "tax", "dollars_at_stake": 0},
        {"item_id": "e", "severity": "blocking", "stake_basis": "tax", "dollars_at_stake": 20},
        {"item_id": "f", "severity": "blocking", "stake_basis": "tax", "dollars_at_stake": 700},
        {"item_id": "g", "severity": "warning", "stake_basis": "tax", "dollars_at_stake": 800},
    ]
    cells = [
        {**row, "dollars_at_stake": Decimal(row.get("dollars_at_stake", 0)) if "dollars_at_stake" in row else None}
        for row in rows
    ]
    return frame(ReviewItems, *cells, question="q", message="m", suggested_action="s", state="open")


@settings(deadline=None)
@given(st.permutations(range(7)))
def test_severity_first_then_tax_then_value_then_what_is_unknown_then_what_moves_no_tax(order: list[int]) -> None:
    ranked = review.ranked(ranked_items()[order])
    assert "".join(ranked["item_id"]) == "fecbdga"
