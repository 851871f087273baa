"""Transfers: pairs the withdrawal and the deposit that are one move between a client's own accounts. No lots here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from schemas.fields import FIAT, QUANTITY
from schemas.gate import conform
from schemas.ledger import Transfers
from transforms.ids import content_id

OUT_KINDS = ("withdrawal", "transfer_out")
IN_KINDS = ("deposit", "transfer_in")
WINDOW_AFTER = pl.duration(hours=48)
"""A deposit is booked at most so long after the withdrawal."""
WINDOW_BEFORE = pl.duration(hours=1)
"""And at most so long before it: exchanges book withdrawals when the block is confirmed."""
TOLERANCE_PER_MILLE = 10
"""Without a common hash, what arrives may fall short of what left by a fee inside the amount of at most 1 %."""


class Matched(NamedTuple):
    """The transfers, and the out and in events of which two pairings are equally good."""

    transfers: pl.DataFrame
    ambiguous: pl.DataFrame
    """event_id, asset, candidates."""


def match(events: pl.DataFrame, forced: pl.DataFrame) -> Matched:
    """Pair withdrawals and deposits of one taxpayer, one asset, two accounts.

    In this order, best score first: staff's override (100), the same transaction hash (99 with equal amounts or the
    fee beside it, 95 with a fee inside), equal amounts by time (90 within an hour, 80 within a day, 70 later), a fee
    inside the amount by time (65, 55, 45). Each event is used once; of two pairings that tie none is taken.

    Args:
        events: Events.
        forced: pairs that staff say belong together: out_event_id, in_event_id.
    """
    outs = _ends(events, OUT_KINDS, "sent")
    ins = _ends(events, IN_KINDS, "received")
    pairs = pl.concat([_forced(outs, ins, forced), _by_hash(outs, ins), _by_amount(outs, ins)])
    best = pairs.sort("score", descending=True).unique(["out_event_id", "in_event_id"], keep="first")
    chosen, ambiguous = _choose(best)
    transfers = chosen.with_columns(
        transfer_id=content_id("tr-", "out_event_id", "in_event_id"),
        fee_quantity=(pl.col("out_quantity") - pl.col("quantity")).cast(QUANTITY),
    )
    return Matched(conform(transfers, Transfers).sort("transfer_id"), ambiguous)


def _ends(events: pl.DataFrame, kinds: tuple[str, ...], side: str) -> pl.DataFrame:
    """The events that can be one end of a move."""
    end = "out" if side == "sent" else "in"
    crypto = pl.col(f"{side}_asset").is_not_null() & ~pl.col(f"{side}_asset").is_in(FIAT)
    return events.filter(pl.col("kind").is_in(kinds) & crypto).select(
        pl.col("event_id").alias(f"{end}_event_id"),
        pl.col("taxpayer_id").alias(f"{end}_taxpayer_id"),
        pl.col("account_id").alias(f"{end}_account_id"),
        pl.col(f"{side}_asset").alias("asset"),
        pl.col(f"{side}_quantity").alias(f"{end}_quantity"),
        pl.col("occurred_at").alias(f"{end}_at"),
        pl.col("tx_id").str.to_lowercase().str.strip_prefix("0x").alias("hash"),
    )


def _scored(pairs: pl.DataFrame, score: pl.Expr, matched_by: str) -> pl.DataFrame:
    """Candidate pairs between two accounts of one taxpayer in which no more arrives than left."""
    lag = (pl.col("in_at") - pl.col("out_at")).abs()
    return (
        pairs.filter(
            (pl.col("out_taxpayer_id") == pl.col("in_taxpayer_id"))
            & (pl.col("out_account_id") != pl.col("in_account_id"))
            & (pl.col("in_quantity") <= pl.col("out_quantity"))
        )
        .with_columns(
            score=score.cast(pl.Int64), matched_by=pl.lit(matched_by), lag=lag, quantity=pl.col("in_quantity")
        )
        .select(
            "out_event_id", "in_event_id", "out_taxpayer_id", "in_taxpayer_id", "asset",
            "quantity", "out_quantity", "score", "matched_by", "lag", "out_account_id", "in_account_id",
        )
    )  # fmt: skip


def _forced(outs: pl.DataFrame, ins: pl.DataFrame, forced: pl.DataFrame) -> pl.DataFrame:
    pairs = forced.join(outs.drop("hash"), on="out_event_id").join(ins.drop("hash"), on=["in_event_id", "asset"])
    return _scored(pairs, pl.lit(100), "override")


def _by_hash(outs: pl.DataFrame, ins: pl.DataFrame) -> pl.DataFrame:
    pairs = outs.filter(pl.col("hash").is_not_null()).join(ins, on=["hash", "asset"])
    equal = pl.col("in_quantity") == pl.col("out_quantity")
    return _scored(pairs, pl.when(equal).then(99).otherwise(95), "hash")


def _by_amount(outs: pl.DataFrame, ins: pl.DataFrame) -> pl.DataFrame:
    """Pairs by amount and time; two different hashes are two moves."""
    day = pl.col("out_at").dt.date()
    days = outs.with_columns(day=pl.concat_list(day.dt.offset_by(f"{n}d") for n in (-1, 0, 1, 2))).explode("day")
    near = days.join(
        ins.with_columns(day=pl.col("in_at").dt.date(), in_taxpayer=pl.col("in_taxpayer_id")),
        left_on=["out_taxpayer_id", "asset", "day"],
        right_on=["in_taxpayer", "asset", "day"],
    ).filter(
        (pl.col("in_at") >= pl.col("out_at") - WINDOW_BEFORE)
        & (pl.col("in_at") <= pl.col("out_at") + WINDOW_AFTER)
        & (pl.col("hash").is_null() | pl.col("hash_right").is_null() | (pl.col("hash") == pl.col("hash_right")))
    )
    equal = pl.col("in_quantity") == pl.col("out_quantity")
    close = (pl.col("out_quantity") - pl.col("in_quantity")) * 1000 <= pl.col("out_quantity") * TOLERANCE_PER_MILLE
    hours = (pl.col("in_at") - pl.col("out_at")).abs().dt.total_minutes() / 60
    by_time = pl.when(hours <= 1).then(90).when(hours <= 24).then(80).otherwise(70)
    score = pl.when(equal).then(by_time).otherwise(by_time - 25)
    return _scored(near.filter(equal | close), score, "amount")


class _Pair(NamedTuple):
    out_id: str
    in_id: str
    score: int
    lag: timedelta
    accounts: tuple[str, str]


def _choose(pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Take pairs best first, each event once; a tie for an event leaves all of its best pairs open.

    Two deposits of one amount into one account at one instant are no tie: either pairing is the same fact.
    """
    ordered = pairs.sort(["score", "lag", "out_event_id", "in_event_id"], descending=[True, False, False, False])
    columns = ["out_event_id", "in_event_id", "score", "lag", "out_account_id", "in_account_id"]
    rows = [_Pair(o, i, score, lag, (a, b)) for o, i, score, lag, a, b in ordered.select(columns).iter_rows()]
    used: set[str] = set()
    taken: list[int] = []
    tied: set[str] = set()
    for index, pair in enumerate(rows):
        ends = {pair.out_id, pair.in_id}
        if ends & (used | tied):
            continue
        rivals = [r for r in _as_good(rows, index) if len(ends & {r.out_id, r.in_id}) == 1]
        rivals = [r for r in rivals if r.accounts != pair.accounts and not {r.out_id, r.in_id} & used]
        if rivals:
            tied |= ends.union(*({r.out_id, r.in_id} for r in rivals))
        else:
            used |= ends
            taken.append(index)
    return ordered[taken] if taken else ordered.clear(), _open(ordered, tied)


def _as_good(rows: list[_Pair], index: int) -> Iterator[_Pair]:
    """The pairs right behind `index` that are exactly as good (the rows are sorted by score and lag)."""
    for row in rows[index + 1 :]:
        if (row.score, row.lag) != (rows[index].score, rows[index].lag):
            return
        yield row


def _open(pairs: pl.DataFrame, tied: set[str]) -> pl.DataFrame:
    ends = pl.concat(
        [
            pairs.select(event_id="out_event_id", asset="asset"),
            pairs.select(event_id="in_event_id", asset="asset"),
        ]
    )
    return (
        ends.filter(pl.col("event_id").is_in(sorted(tied)))
        .group_by("event_id", "asset")
        .agg(candidates=pl.len().cast(pl.Int64))
        .sort("event_id")
    )
