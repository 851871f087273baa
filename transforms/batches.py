"""Batches: withdrawals and deposits of which several together are one move, and how its units are laid over its ends.

Which single withdrawal is which single deposit is decided in `transfers.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from schemas.fields import QUANTITY
from transforms.exact import from_ints, to_ints
from transforms.ids import content_id

TOLERANCE_PER_MILLE = 10
"""What arrives may fall short of what left, beyond a stated fee, by a fee inside the amount of at most 1 %."""
_ENDS = ("out_event_id", "in_event_id")


def makes_up(left: pl.Expr, arrived: pl.Expr, stated: pl.Expr) -> pl.Expr:
    """No more arrives than left, and the rest is the stated fee, a small fee inside the amount, or both."""
    gap = left - arrived
    beyond = pl.when(gap >= stated).then(gap - stated).otherwise(gap)
    return (gap >= 0) & (beyond * 1000 <= left * TOLERANCE_PER_MILLE)


def stars(pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs of which one end has several others and none of these another: the candidates of a batch, with totals.

    Adds `batch` (the single end), `total_out`, `total_in`, `total_stated` and `near` (the longest lag).

    Args:
        pairs: out_event_id, in_event_id, out_quantity, in_quantity, out_fee, in_fee, lag, one row a pair.
    """
    # in two steps: a window inside a window would count within the outer one's rows alone
    counted = pairs.with_columns(outs=pl.len().over("in_event_id"), ins=pl.len().over("out_event_id"))
    split = (pl.col("ins") > 1) & (pl.col("outs").max().over("out_event_id") == 1)
    joined = (pl.col("outs") > 1) & (pl.col("ins").max().over("in_event_id") == 1)
    marked = counted.with_columns(split=split, joined=joined).filter(pl.col("split") | pl.col("joined"))
    return marked.drop("outs", "ins").with_columns(
        batch=pl.when("split").then("out_event_id").otherwise("in_event_id")
    ).with_columns(
        total_out=_total("out_quantity", pl.col("split")),
        total_in=_total("in_quantity", pl.col("joined")),
        total_stated=pl.when("split").then(pl.coalesce("out_fee", _sum("in_fee"))).otherwise(
            pl.coalesce(pl.when(pl.col("out_fee").is_not_null().any().over("batch")).then(_sum("out_fee")), "in_fee")
        ).fill_null(0).cast(QUANTITY),
        near=pl.col("lag").max().over("batch"),
    ).drop("split", "joined")  # fmt: skip


def _total(column: str, single: pl.Expr) -> pl.Expr:
    return pl.when(single).then(column).otherwise(_sum(column)).cast(QUANTITY)


def _sum(column: str) -> pl.Expr:
    return pl.col(column).sum().over("batch").cast(QUANTITY)


def components(said: pl.DataFrame) -> pl.DataFrame:
    """event_id, batch: events that staff's words tie together, directly or over others.

    Args:
        said: one, other: two events that are ends of one move.
    """
    root: dict[str, str] = {}

    def find(event: str) -> str:
        while root.setdefault(event, event) != event:
            event = root[event]
        return event

    for one, other in said.select("one", "other").iter_rows():
        low, high = sorted((find(one), find(other)))
        root[high] = low
    rows = [(event, find(event)) for event in sorted(root)]
    return pl.DataFrame(rows, schema={"event_id": pl.String, "batch": pl.String}, orient="row")


class _End(NamedTuple):
    event_id: str
    quantity: int
    stated: int


def laid_out(pairs: pl.DataFrame) -> pl.DataFrame:
    """The parts of each batch: how much of which withdrawal is in which deposit.

    What did not arrive is each withdrawal's stated fee, where these are within it, and else the largest's. The rest is laid over the deposits in the order of time: the first units that left are the first
    that arrived. A batch of which a withdrawal or a deposit gets no part is none.

    Args:
        pairs: the columns of the matcher's pairs and `batch`; every withdrawal with every deposit of its batch.

    Returns:
        The pairs that are parts, with `quantity` (what arrived of it), `fee_quantity`, `move_id`, `outs` and `ins` (how
        many ends the batch has).
    """
    ordered = pairs.sort("batch", "out_at", "out_event_id", "in_at", "in_event_id")
    quantities = [to_ints(ordered[name]) for name in ("out_quantity", "in_quantity", "out_fee", "in_fee")]
    members: defaultdict[str, tuple[dict[str, _End], dict[str, _End]]] = defaultdict(lambda: ({}, {}))
    for batch, out, into, left, came, fee, fee_in in zip(
        *(ordered[name].to_list() for name in ("batch", *_ENDS)), *quantities, strict=True
    ):
        members[batch][0][out] = _End(out, left or 0, fee or 0)
        members[batch][1][into] = _End(into, came or 0, fee_in or 0)
    in_time = {e: n for n, e in enumerate(ordered.sort("in_at", "in_event_id")["in_event_id"].to_list())}
    rows: list[tuple[str, str, str, int, int]] = []
    for batch, (outs, ins) in members.items():
        deposits = sorted(ins.values(), key=lambda end: in_time[end.event_id])
        rows += [(batch, *part) for part in _laid_over([*outs.values()], deposits)]
    parts = pl.DataFrame(
        {name: [row[n] for row in rows] for n, name in enumerate(("batch", *_ENDS))},
        schema=dict.fromkeys(("batch", *_ENDS), pl.String),
    ).with_columns(
        from_ints("quantity", [row[3] for row in rows], QUANTITY), from_ints("fee_quantity", [row[4] for row in rows], QUANTITY)
    )  # fmt: skip
    whole = ordered.drop("quantity", strict=False).join(parts, on=["batch", *_ENDS], maintain_order="left")
    counted = whole.with_columns(
        outs=pl.col("out_event_id").n_unique().over("batch"), ins=pl.col("in_event_id").n_unique().over("batch")
    )
    ends = counted.group_by("batch").agg(
        ends=pl.concat_str(
            pl.col("out_event_id").unique().sort().str.join(","), pl.col("in_event_id").unique().sort().str.join(","),
            separator=">",
        )
    )  # fmt: skip
    named = ends.with_columns(move_id=content_id("mv-", "ends")).select("batch", "move_id")
    return counted.join(named, on="batch", maintain_order="left")


def _laid_over(outs: list[_End], ins: list[_End]) -> Iterable[tuple[str, str, int, int]]:
    """(out, in, quantity, fee) of each part; nothing where an end would get none."""
    nets = _nets(outs, sum(end.quantity for end in outs) - sum(end.quantity for end in ins))
    if nets is None:
        return []
    parts, waiting, place = [], [end.quantity for end in ins], 0
    for end, net in zip(outs, nets, strict=True):
        left, fee = net, end.quantity - net
        while left:
            units = min(left, waiting[place])
            parts.append((end.event_id, ins[place].event_id, units, fee))
            left, fee, waiting[place] = left - units, 0, waiting[place] - units
            place += not waiting[place]
    return parts


def _nets(outs: list[_End], gap: int) -> list[int] | None:
    """What of each withdrawal arrived; None where more arrived than left, or nothing of one of them."""
    if gap < 0:
        return None
    stated = [end.stated for end in outs]
    fees = stated if sum(stated) <= gap and all(end.stated < end.quantity for end in outs) else [0] * len(outs)
    rest = gap - sum(fees)
    largest = max(range(len(outs)), key=lambda n: (outs[n].quantity, -n))
    fees = [fee + (rest if n == largest else 0) for n, fee in enumerate(fees)]
    nets = [end.quantity - fee for end, fee in zip(outs, fees, strict=True)]
    return nets if min(nets) > 0 else None
