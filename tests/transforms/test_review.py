from __future__ import annotations

import polars as pl

from transforms import review

ROWS = pl.DataFrame({"taxpayer_id": ["t", "u"], "event_id": ["e1", "e2"], "usd": ["-10.005", "300"]})
ANSWERS = {"item_id": pl.String, "state": pl.String, "at": pl.Datetime("us", "UTC")}


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


def test_the_inbox_ranks_blocking_first_then_dollars_and_keeps_staff_s_answers() -> None:
    blocking = review.items(ROWS.head(1), "shortfall", "blocking", pl.lit("short"), "ask the client")
    answered = build()["item_id"][0]
    answers = pl.DataFrame(
        [
            {"item_id": answered, "state": "dismissed", "at": "2026-01-02"},
            {"item_id": answered, "state": "open", "at": "2026-01-01"},
        ],
        schema_overrides={"at": pl.String},
    ).with_columns(pl.col("at").str.to_datetime(time_unit="us", time_zone="UTC"))
    box = review.inbox([build(), blocking, build()], answers)
    assert box["question"].to_list() == ["shortfall", "price_missing", "price_missing"]
    assert [str(v) for v in box["dollars_at_stake"]] == ["None", "300.00", "10.01"]
    assert box.filter(item_id=answered)["state"].to_list() == ["dismissed"]


def test_without_answers_everything_is_open() -> None:
    assert review.inbox([build()], pl.DataFrame(schema=ANSWERS))["state"].unique().to_list() == ["open"]
