"""The universal intake format, one row an event, for what no other parser covers. No inference belongs here."""

from __future__ import annotations

import polars as pl

from schemas.fields import KINDS
from transforms.ids import content_id
from transforms.sources.base import (
    SIDES,
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    one_of,
    reason,
    usd,
    utc_time,
    with_numbers,
)
from transforms.sources.sides import sides_fault

HEADER = (
    "time", "kind", "sent_quantity", "sent_asset", "received_quantity", "received_asset",
    "fee_quantity", "fee_asset", "usd_value", "tx_id", "note",
)  # fmt: skip


def identify(head: list[list[str]]) -> int | None:
    """The row with exactly the format's names, in any order."""
    return find_header(head, lambda names: len(names) == len(HEADER) and set(names) == set(HEADER))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of universal rows: the sides as written, the event's fair value on both of them."""
    frame = with_numbers(
        rows, sent="sent_quantity", received="received_quantity", fee="fee_quantity", value="usd_value"
    ).with_columns(
        occurred_at=_instant(filled("time")),
        time_text=pl.col("time"),
        time_expected=pl.lit("ISO 8601 with an offset or Z, as 2025-03-01T12:00:00Z"),
        kind=filled("kind"),
        tx_id=filled("tx_id"),
        note=filled("note"),
        **{f"{side}_asset": _asset(f"{side}_asset") for side in SIDES},
    )
    frame = frame.with_columns(
        reject=pl.coalesce(_kind_fault(), *(f"{name}_fault" for name in (*SIDES, "value")), _sides_fault()),
        sent_usd=usd(pl.col("value")),
        received_usd=usd(pl.col("value")),
        fee_usd=pl.when(pl.col("sent").is_null() & pl.col("received").is_null()).then(usd(pl.col("value"))),
        row_key=content_id("", "occurred_at", "kind", "sent", "sent_asset", "received", "received_asset", "fee",
                           "fee_asset", "tx_id"),
    ).rename({side: f"{side}_quantity" for side in SIDES} | {f"{side}_quantity": f"{side}_cell" for side in SIDES})  # fmt: skip
    return finish(frame, context, SOURCE.family)


def _instant(text: pl.Expr) -> pl.Expr:
    iso = text.str.replace(r"[zZ]$", "+00:00").str.replace(" ", "T", literal=True)
    return utc_time(iso, "%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z")


def _asset(column: str) -> pl.Expr:
    """Tickers in capitals; a CAIP-19 id as it stands, its hex part in small letters."""
    text = filled(column)
    return (
        pl.when(text.str.contains("/", literal=True)).then(text.str.to_lowercase()).otherwise(text.str.to_uppercase())
    )


def _kind_fault() -> pl.Expr:
    unknown = pl.col("kind").is_not_null() & ~pl.col("kind").is_in(KINDS)
    return reason(unknown, f"unknown kind {{}}: expected one of {one_of(KINDS)}", pl.col("kind"))


def _sides_fault() -> pl.Expr:
    """A negative amount, or sides that are not those of the kind."""
    negative = pl.when(pl.any_horizontal(pl.col(*SIDES, "value") < 0))
    found = pl.lit("found a negative amount: amounts are positive, the column says the direction")
    return pl.coalesce(negative.then(found), sides_fault(*(pl.col(name) for name in ("kind", *SIDES))))


SOURCE = Source(name="universal", version="2", identify=identify, parse=parse, family="universal")
