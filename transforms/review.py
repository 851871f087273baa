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


def gathered(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """All items once.

    Args:
        parts: frames of ReviewItems.
    """
    return pl.concat([empty(ReviewItems), *parts]).unique("item_id", keep="first", maintain_order=True)


def ranked(asked: pl.DataFrame) -> pl.DataFrame:
    """Items by severity, then by the tax at stake, then by the value, then those of which no dollars are known.

    What is known to change no tax comes last.

    Args:
        asked: ReviewItems with `stake_basis`.
    """
    order = pl.col("severity").replace_strict({"blocking": 0, "warning": 1, "info": 2}, return_dtype=pl.Int64)
    basis = (
        pl.when((pl.col("stake_basis") == "tax") & (pl.col("dollars_at_stake") == 0))
        .then(3)
        .otherwise(pl.col("stake_basis").replace_strict({"tax": 0, "value": 1, "unknown": 2}, return_dtype=pl.Int64))
    )
    keyed = asked.with_columns(order=order, basis=basis).sort(
        "order", "basis", "dollars_at_stake", "item_id", descending=[False, False, True, False], nulls_last=True
    )
    return conform(keyed, ReviewItems)
