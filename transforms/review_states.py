"""The states of review items over the nights: what staff answered, what came back, what is gone. No question arises here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from schemas.gate import conform
from schemas.review import SEVERITIES, ReviewItems, ReviewMemory
from transforms.review import items

MATERIAL_DOLLARS = 100
"""Dollars by which what is at stake must have grown before an answered or dismissed question is opened again."""
MATERIAL_PERCENT = 10
"""And the part of what was at stake when it was judged."""

_NEW = [name for name in ReviewMemory.to_schema().columns if name not in ReviewItems.to_schema().columns]
_LATEST = ("answer_state", "answer", "answered_by", "answered_at")
_NO_DAY = pl.lit(None, pl.Date)


class Judged(NamedTuple):
    """`items`: what is published tonight; `memory`: what the next night has to know (schemas.review.ReviewMemory)."""

    items: pl.DataFrame
    memory: pl.DataFrame


def legal(answers: pl.DataFrame, memory: pl.DataFrame) -> pl.DataFrame:
    """`answers` in the order in which they were given, with `applies`: whether the row may follow the ones before it.

    A dismissed question is closed: it is answered or resolved only after it was opened again, by staff (state open) or
    by a night that set the dismissal aside (`overruled_at`). Every other word may follow any other.

    Args:
        answers: item_id, state, answer, by, at.
        memory: schemas.review.ReviewMemory.
    """
    known = answers.join(memory.select("item_id", "overruled_at"), on="item_id", how="left").sort("item_id", "at")
    overruled = (pl.col("at") <= pl.col("overruled_at")).fill_null(value=False)
    dismissed = (pl.col("state") == "dismissed") & ~overruled
    opened = (pl.col("state") == "open").cum_sum().over("item_id")
    before = pl.col("dismissed").cast(pl.Int64).cum_sum().over("item_id", "opened") - pl.col("dismissed").cast(pl.Int64)
    closed = (before > 0) & pl.col("state").is_in(["answered", "resolved"])
    return known.with_columns(dismissed=dismissed, opened=opened).select(answers.columns, applies=~closed)


def answer_items(given: pl.DataFrame, asked: pl.DataFrame, memory: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows of review_answers.csv that change nothing: one that may not follow the row before it, one of no question.

    Args:
        given: what `legal` gives.
        asked: item_id of tonight's questions.
        memory: item_id of all that were ever asked.
    """
    when = pl.col("at").dt.to_string("%Y-%m-%dT%H:%M:%SZ")
    named = given.with_columns(file_id=pl.col("item_id").str.slice(0, 64), when=when)
    known = pl.concat([asked.select("item_id"), memory.select("item_id")])
    strange = named.join(known, on="item_id", how="anti").unique("item_id", keep="first", maintain_order=True)
    late = named.filter(~pl.col("applies")).with_columns(file_id=pl.format("{}:{}", "file_id", "when"))
    shown = pl.col("item_id").str.replace_all(r"[^ -~]", "").str.slice(0, 64)
    return [
        items(
            late.drop("answer", "state").with_columns(said=late["state"]),
            "answer_not_applied",
            "warning",
            pl.format("review_answers.csv: the row of {} for {} says {} of a question that is dismissed: it stays so", "when", shown, "said"),
            "Open it again first: a row with state open, before this one.",
        ),
        items(
            strange.drop("answer", "state"),
            "answer_without_item",
            "info",
            pl.format("review_answers.csv: {} is no question of tonight, and none that these books remember", shown),
            "Correct the item_id, or take the row out if the question is settled.",
        ),
    ]  # fmt: skip


def judge(
    asked: pl.DataFrame, memory: pl.DataFrame, given: pl.DataFrame, stopped: Sequence[str], as_of: date
) -> Judged:
    """Tonight's questions with their states, and what is gone since the last night as resolved.

    - answered and dismissed stay while the question is the same, and are opened again when it grew: a graver severity,
      other words (numbers and names in it aside), or more dollars (`MATERIAL_DOLLARS` and `MATERIAL_PERCENT` more).
      It is held against the question as the last night before the answer showed it.
    - a question that staff call resolved and that is still there is open, and says so.
    - a question that is gone is resolved on the night on which it vanishes, and in no table after it; if it comes back
      it is open again (unless dismissed) and says so. Of clients who were stopped tonight nothing is gone.

    Args:
        asked: ReviewItems of tonight, complete but for the columns of states.
        memory: ReviewMemory as the last night left it.
        given: what `legal` gives.
        stopped: taxpayers whose books tonight has not looked at.
        as_of: the night.
    """
    latest = given.filter("applies").unique("item_id", keep="last", maintain_order=True)
    latest = latest.select("item_id", *_renamed(latest))
    now = _now(asked, memory, latest, as_of)
    gone = _gone(memory.join(asked, on="item_id", how="anti"), latest, stopped, as_of)
    kept = pl.concat([conform(now, ReviewMemory), conform(gone, ReviewMemory)])
    shown = pl.concat([now.select("item_id"), gone.filter(gone_on=as_of).select("item_id")])
    published = kept.join(shown, on="item_id", how="semi", maintain_order="left")
    return Judged(conform(published, ReviewItems), kept.sort("item_id"))


def _renamed(latest: pl.DataFrame) -> list[pl.Expr]:
    names = {"state": "answer_state", "answer": "answer", "by": "answered_by", "at": "answered_at"}
    return [pl.col(old).alias(new) for old, new in names.items() if old in latest.columns]


def _now(asked: pl.DataFrame, memory: pl.DataFrame, latest: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Tonight's questions beside what is remembered of them and what was answered."""
    before = memory.select(
        "item_id", *_NEW, was_seen="first_seen", was_severity="severity", was_dollars="dollars_at_stake", was_message="message"
    )  # fmt: skip
    bare = asked.drop("first_seen", "state_note", *_LATEST[1:], *_NEW, strict=False)
    known = bare.join(before, on="item_id", how="left", maintain_order="left").join(
        latest, on="item_id", how="left", maintain_order="left"
    )
    seen = pl.col("was_seen").is_not_null()
    same = pl.col("judged_at").eq_missing(pl.col("answered_at"))
    judged = {
        f"judged_{name}": pl.when(pl.col("answered_at").is_null())
        .then(None)
        .when(same)
        .then(f"judged_{name}")
        .when(seen)
        .then(f"was_{name}")
        .otherwise(current)
        for name, current in (("severity", "severity"), ("dollars", "dollars_at_stake"), ("message", "message"))
    }
    returned = pl.col("gone_on").is_not_null() & pl.col("back_on").is_null()
    dated = known.with_columns(
        first_seen=pl.col("was_seen").fill_null(pl.lit(as_of)),
        back_on=pl.when(returned).then(pl.lit(as_of)).otherwise("back_on"),
        judged_at="answered_at",
        **judged,
    )
    return _stated(dated)


def _stated(known: pl.DataFrame) -> pl.DataFrame:
    """State and note of each question that is there tonight."""
    held = pl.col("answer_state").is_in(["answered", "dismissed"])
    changes = [
        pl.when(_graver()).then(pl.format("severity {} to {}", "judged_severity", "severity")),
        pl.when(_dearer()).then(
            pl.format("dollars {} to {}", pl.col("judged_dollars").cast(pl.String).fill_null("unknown"), "dollars_at_stake")
        ),
        pl.when(_other_words()).then(pl.lit("what was found")),
    ]  # fmt: skip
    changed = pl.concat_str(changes, separator=", ", ignore_nulls=True)
    grown = held & pl.any_horizontal(_graver(), _dearer(), _other_words())
    said = pl.format("{} by {} on {}", "answer_state", "answered_by", pl.col("answered_at").dt.date())
    notes = [
        pl.when(grown).then(pl.format("{}; open again, for since then it changed: {}", said, changed)),
        pl.when(pl.col("answer_state") == "resolved").then(pl.format("{}; open, for the cause is still there", said)),
        pl.when(pl.col("gone_on").is_not_null()).then(pl.format("gone on {}, back since {}", "gone_on", "back_on")),
    ]
    note = pl.concat_str(notes, separator="; ", ignore_nulls=True)
    return known.with_columns(
        state=pl.when(held & ~grown).then("answer_state").otherwise(pl.lit("open")),
        state_note=pl.when(note != "").then(note),
        overruled_at=pl.when(grown).then("answered_at").otherwise("overruled_at"),
    )


def _graver() -> pl.Expr:
    rank = [
        pl.col(name).replace_strict(list(SEVERITIES), range(len(SEVERITIES)), return_dtype=pl.Int64)
        for name in ("severity", "judged_severity")
    ]
    return (rank[0] < rank[1]).fill_null(value=False)


def _dearer() -> pl.Expr:
    was = pl.col("judged_dollars").fill_null(0)
    more = pl.col("dollars_at_stake") - was
    material = (more >= MATERIAL_DOLLARS) & (
        more.cast(pl.Decimal(38, 2)) * 100 >= was.cast(pl.Decimal(38, 2)) * MATERIAL_PERCENT
    )
    return material.fill_null(value=False)


def _other_words() -> pl.Expr:
    """Numbers, dates and ids move from night to night; the words do not."""
    words = [pl.col(name).str.replace_all(r"\S*\d\S*", "#") for name in ("message", "judged_message")]
    return (words[0] != words[1]).fill_null(value=False)


def _gone(absent: pl.DataFrame, latest: pl.DataFrame, stopped: Sequence[str], as_of: date) -> pl.DataFrame:
    """Remembered questions that tonight does not ask: resolved since tonight, or long since, or not looked at."""
    unseen = pl.col("taxpayer_id").is_in(list(stopped)).fill_null(value=False)
    there = pl.col("gone_on").is_null() | pl.col("back_on").is_not_null()
    fresh = there & ~unseen
    known = absent.drop(_LATEST[1:]).join(latest, on="item_id", how="left", maintain_order="left")
    return known.with_columns(
        state=pl.when(fresh).then(pl.lit("resolved")).otherwise("state"),
        state_note=pl.when(fresh).then(pl.lit("the cause is gone")).otherwise("state_note"),
        gone_on=pl.when(fresh).then(pl.lit(as_of)).otherwise("gone_on"),
        back_on=pl.when(fresh).then(_NO_DAY).otherwise("back_on"),
    )
