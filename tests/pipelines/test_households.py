"""Who belongs together, and the bucket that follows from it."""

from __future__ import annotations

import hashlib

import polars as pl

from pipelines.households import Members, household_members
from schemas.gate import check


def members(returns: list[tuple[str, str]]) -> pl.DataFrame:
    return household_members(
        pl.DataFrame({"taxpayer_id": ["ann", "bob", "cat", "dan"]}),
        pl.DataFrame(
            returns,
            schema=["return_id", "taxpayer_id"],
            orient="row",
            schema_overrides={"return_id": pl.String, "taxpayer_id": pl.String},
        ),
        pl.DataFrame({"account_id": ["bob-kraken"], "taxpayer_id": ["bob"]}),
    )


def household(frame: pl.DataFrame, kind: str, key: str) -> set[str]:
    return set(frame.filter((pl.col("kind") == kind) & (pl.col("id") == key))["household"])


def test_spouses_stay_one_household_over_the_years():
    # ann + bob filed j23 together; bob then files with cat: all three are bound by carryovers
    frame = members([("j23", "bob"), ("j23", "ann"), ("j25", "cat"), ("j25", "bob")])
    assert household(frame, "taxpayer", "cat") == {"ann"}
    assert household(frame, "return", "j25") == {"ann"}
    assert household(frame, "account", "bob-kraken") == {"ann"}
    assert household(frame, "taxpayer", "dan") == {"dan"}


def test_a_joint_return_has_a_row_for_each_spouse():
    frame = members([("j23", "ann"), ("j23", "bob")])
    assert frame.filter(pl.col("id") == "j23")["taxpayer_id"].to_list() == ["ann", "bob"]


def test_the_order_of_the_rows_changes_nothing():
    rows = [("x", "dan"), ("x", "cat"), ("y", "cat"), ("y", "bob"), ("z", "bob"), ("z", "ann")]
    assert members(rows).equals(members(rows[::-1]))
    assert set(members(rows)["household"]) == {"ann"}


def test_the_bucket_is_the_first_byte_of_the_households_hash():
    frame = members([("j23", "ann"), ("j23", "bob")])
    assert household(frame, "taxpayer", "bob") == {"ann"}
    assert frame.filter(pl.col("id") == "bob-kraken")["bucket"].to_list() == [hashlib.sha256(b"ann").digest()[0]]
    assert check(frame, Members).rejected.is_empty()
