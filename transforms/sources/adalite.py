"""AdaLite's transaction history (Cardano). Other wallets do not belong here."""

from __future__ import annotations

import re

import polars as pl

from transforms.sources.base import Context, Parsed, Source, filled, find_header, finish, utc_time
from transforms.sources.sides import has, judged, noted, with_sides

_NEEDED = ("date", "transaction id", "type", "received amount", "received currency", "sent amount", "sent currency",
           "fee amount", "fee currency")  # fmt: skip
_KINDS = {"sent": "withdrawal", "received": "deposit", "reward awarded": "staking"}


def _plain(name: str) -> str:
    """Names in small letters; a copy that went through R has points for spaces."""
    return re.sub(r"[.\s]+", " ", name).strip().lower()


def identify(head: list[list[str]]) -> int | None:
    """The row with the names of the export."""
    return find_header(head, lambda names: has([_plain(name) for name in names], _NEEDED))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of AdaLite's rows: what was sent without the fee, what came, rewards of a stake pool."""
    names = {name: _plain(name) for name in rows.columns if _plain(name) in _NEEDED}
    frame = with_sides(
        rows.rename(names), sent=("sent amount", "sent currency"), received=("received amount", "received currency"),
        fee=("fee amount", "fee currency"),
    )  # fmt: skip
    frame = frame.with_columns(
        label=filled("type").str.to_lowercase(),
        tx_id=filled("transaction id"),
        time_text=pl.col("date"),
        time_expected=pl.lit("MM/DD/YYYY HH:MM AM UTC"),
        occurred_at=utc_time(filled("date"), "%m/%d/%Y %I:%M %p UTC"),
        note=noted("type"),
    )
    return finish(judged(frame, _KINDS), context, SOURCE.family)


SOURCE = Source(name="adalite", version="1", identify=identify, parse=parse, family="adalite")
