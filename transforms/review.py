"""Review items: what a person must look at, in one shape, with stable ids and states. Where they arise lies elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from schemas.fields import CENTS
from schemas.gate import conform, empty
from schemas.review import ReviewItems
from transforms.exact import to_cents
from transforms.ids import content_id

_KEY = ("question", "taxpayer_id", "account_id", "asset", "tax_year", "event_id", "file_id", "row_no")


def items(
    rows: pl.DataFrame,
    question: str,
    severity: str,
    message: pl.Expr,
    action: str,
    stake: pl.Expr | None = None,
) -> pl.DataFrame:
    """Review items of one question.

    Args:
        rows: any of taxpayer_id, account_id, asset, tax_year, event_id, file_id, row_no: what the question is about.
        question: its code in snake_case.
        severity: blocking, warning or info.
        message: a sentence that says what was found.
        action: what to do about it.
        stake: the dollars at stake, where they are known.
    """
    dollars = pl.lit(None, CENTS) if stake is None else to_cents(stake.abs())
    filled = rows.with_columns(
        question=pl.lit(question),
        severity=pl.lit(severity),
        dollars_at_stake=dollars,
        message=message,
        suggested_action=pl.lit(action),
        state=pl.lit("open"),
    )
    shaped = conform(filled.with_columns(item_id=pl.lit("")), ReviewItems)
    return shaped.with_columns(item_id=content_id("rv-", *_KEY)).unique("item_id", keep="first", maintain_order=True)


def inbox(parts: Iterable[pl.DataFrame], answers: pl.DataFrame) -> pl.DataFrame:
    """All items, ranked by dollars at stake, with the state that staff gave them (`review_answers.csv`).

    Args:
        parts: frames of ReviewItems.
        answers: item_id, state, at; the latest answer counts.
    """
    every = pl.concat([empty(ReviewItems), *parts]).unique("item_id", keep="first", maintain_order=True)
    latest = answers.sort("at").unique("item_id", keep="last").select("item_id", answer="state")
    joined = every.join(latest, on="item_id", how="left").with_columns(state=pl.coalesce("answer", "state"))
    order = pl.col("severity").replace_strict({"blocking": 0, "warning": 1, "info": 2}, return_dtype=pl.Int64)
    ranked = joined.with_columns(order=order).sort(
        "order", "dollars_at_stake", "item_id", descending=[False, True, False], nulls_last=True
    )
    return conform(ranked, ReviewItems)
