"""Whom to call: the returns ranked by dollars still to be saved, and the autumn report of each. No advice is made here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from schemas.advice_loop import CallList
from schemas.fields import CENTS
from schemas.gate import conform, empty
from schemas.harvest import CONFIDENCE
from transforms.advice_history import BEST
from transforms.advice_texts import dollars

SEASON = (9, 1)
"""Month and day from which the list and the reports are made: before it too much of the year is open."""


def in_season(as_of: date) -> bool:
    """Whether the autumn report is due: from 1 September to the year's end."""
    return (as_of.month, as_of.day) >= SEASON


def call_list(
    advised: pl.DataFrame,
    summary: pl.DataFrame,
    members: pl.DataFrame,
    review_items: pl.DataFrame,
    as_of: date,
) -> pl.DataFrame:
    """The table `call_list`; no rows before 1 September.

    Args:
        advised: `advice_followed.with_covered`: the recommendations of the scenario best with covered_benefit.
        summary: the table `harvest_summary`.
        members: return_id, tax_year, taxpayer_id, role.
        review_items: the table `review_items`.
        as_of: tonight.
    """
    if not in_season(as_of):
        return empty(CallList)
    worst = pl.col("confidence").replace_strict({name: n for n, name in enumerate(CONFIDENCE)}, return_dtype=pl.Int64)
    plans = advised.group_by("return_id").agg(
        covered=pl.col("covered_benefit").sum().cast(CENTS),
        lots=(pl.col("covered") < pl.col("quantity")).sum().cast(pl.Int64),
        confidence=pl.col("confidence").sort_by(worst).last(),
    )
    rows = (
        summary.filter(scenario=BEST)
        .join(plans, on="return_id", how="left")
        .join(blocked(members, review_items, as_of.year), on="return_id", how="left")
        .with_columns(
            pl.col("covered", "blocked", "net_benefit").fill_null(0).cast(CENTS),
            pl.col("lots", "blocking_questions").fill_null(0),
            days_left=pl.lit((date(as_of.year, 12, 31) - as_of).days, pl.Int64),
        )
        .with_columns(to_save=pl.max_horizontal(pl.col("net_benefit") - pl.col("covered"), pl.lit(0)).cast(CENTS))
        .filter((pl.col("to_save") > 0) | (pl.col("blocking_questions") > 0))
        .sort("to_save", "blocked", "return_id", descending=[True, True, False])
        .with_row_index("rank", offset=1)
        .with_columns(pl.col("rank").cast(pl.Int64))
    )
    texts = [why(row) for row in rows.iter_rows(named=True)]
    return conform(rows.with_columns(pl.Series("why", texts, pl.String)), CallList)


def blocked(members: pl.DataFrame, review_items: pl.DataFrame, year: int) -> pl.DataFrame:
    """return_id, blocked (Cents), blocking_questions: open blocking items of the people on each return of the year."""
    items = review_items.filter((pl.col("state") == "open") & (pl.col("severity") == "blocking"))
    return (
        members.filter(tax_year=year)
        .select("return_id", "taxpayer_id")
        .unique()
        .join(items, on="taxpayer_id")
        .unique(["return_id", "item_id"])
        .group_by("return_id")
        .agg(
            blocked=pl.col("dollars_at_stake").fill_null(0).sum().cast(CENTS),
            blocking_questions=pl.len().cast(pl.Int64),
        )
    )


def why(row: Mapping[str, Any]) -> str:
    """One sentence on what the call is for."""
    parts = []
    if row["to_save"] > 0:
        lots = f"{row['lots']} lot{'' if row['lots'] == 1 else 's'}"
        parts.append(f"{dollars(row['to_save'])} still to be saved by selling {lots} in {row['days_left']} days")
    if row["covered"] > 0:
        parts.append(f"{dollars(row['covered'])} are covered by instructions that wait for their sale")
    if row["blocking_questions"]:
        count = row["blocking_questions"]
        stake = f", {dollars(row['blocked'])} at stake" if row["blocked"] else ""
        parts.append(f"{count} blocking question{'' if count == 1 else 's'} open{stake}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."
