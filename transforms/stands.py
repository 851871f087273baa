"""Stands on unsettled law: which one governs a row, and whether anybody took it. What a stand does lies where it is used."""

from __future__ import annotations

import polars as pl

from schemas.fields import KEPT_APART, PLEDGES
from schemas.inputs import POSITIONS


def stand(rows: pl.DataFrame, positions: pl.DataFrame) -> pl.DataFrame:
    """`rows` (taxpayer_id, tax_year, topic) with `choice`: the taxpayer's latest stand on the topic by that year.

    A position without a taxpayer is the firm's default and only fills the blanks. Null: nobody took one.
    """
    known = positions.select("taxpayer_id", "topic", "from_year", "choice").sort("from_year")
    own = known.filter(pl.col("taxpayer_id").is_not_null())
    firm = known.filter(pl.col("taxpayer_id").is_null()).drop("taxpayer_id").rename({"choice": "firm_choice"})
    ordered = rows.with_row_index("_order").with_columns(pl.col("tax_year").cast(pl.Int64)).sort("tax_year")
    joined = _latest(_latest(ordered, own, ["taxpayer_id", "topic"]), firm, ["topic"])
    return joined.with_columns(choice=pl.coalesce("choice", "firm_choice")).sort("_order").drop("_order", "firm_choice")


def _latest(rows: pl.DataFrame, stands: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    return rows.join_asof(
        stands, left_on="tax_year", right_on="from_year", by=by, strategy="backward", check_sortedness=False
    ).drop("from_year", strict=False)


def chosen(rows: pl.DataFrame, positions: pl.DataFrame) -> pl.DataFrame:
    """`rows` with `choice`, where nobody took a stand the shipped one, and `taken`: whether somebody did."""
    shipped = pl.col("topic").replace_strict(
        {topic: choices[0] for topic, choices in POSITIONS.items()}, default=None, return_dtype=pl.String
    )
    known = stand(rows, positions)
    return known.with_columns(choice=pl.coalesce("choice", shipped), taken=pl.col("choice").is_not_null())


def kept_apart(events: pl.DataFrame, positions: pl.DataFrame) -> pl.DataFrame:
    """event_id of what is in no lot and no gain: derivatives, loans, and collateral unless the stand books it."""
    apart = events.filter(pl.col("kind").is_in(KEPT_APART)).select("event_id", "taxpayer_id", "tax_year", "kind")
    known = chosen(apart.with_columns(topic=pl.lit("collateral")), positions)
    booked = pl.col("kind").is_in(PLEDGES) & (pl.col("choice") == "not_disposed")
    return known.filter(~booked).select("event_id")
