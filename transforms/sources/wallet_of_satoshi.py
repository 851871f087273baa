"""Wallet of Satoshi's history (bitcoin over lightning and on chain). Other wallets do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.ids import content_id
from transforms.sources.base import (
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    one_of,
    reason,
    utc_time,
    with_numbers,
)
from transforms.sources.sides import has, noted

_NEEDED = ("utcDate", "type", "currency", "amount", "fees", "address", "description", "pointOfSale")
_TYPES = ("CREDIT", "DEBIT")
_CURRENCIES = ("LIGHTNING", "BTC", "BITCOIN")


def identify(head: list[list[str]]) -> int | None:
    """The row with the names of the export."""
    return find_header(head, lambda names: has(names, _NEEDED))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of the wallet's rows, in bitcoin whether it moved over lightning or on chain; fees beside the amount."""
    frame = with_numbers(rows, size="amount", cost="fees")
    kind, unit = (pl.col(name).str.strip_chars().str.to_uppercase() for name in ("type", "currency"))
    frame = frame.with_columns(
        sent_quantity=pl.when(kind == "DEBIT").then("size"),
        received_quantity=pl.when(kind == "CREDIT").then("size"),
        fee_quantity=pl.when(kind == "DEBIT").then("cost"),
        **{f"{side}_asset": pl.lit("BTC") for side in ("sent", "received", "fee")},
        **{f"{side}_raw": unit for side in ("sent", "received", "fee")},
        sent_rounded="size_rounded",
        received_rounded="size_rounded",
        fee_rounded="cost_rounded",
        tx_id=pl.lit(None, pl.String),
        time_text=pl.col("utcDate"),
        time_expected=pl.lit("2025-03-01T12:00:00.000Z"),
        occurred_at=utc_time(filled("utcDate"), "%Y-%m-%dT%H:%M:%S%.fZ"),
        note=noted("description"),
        row_key=content_id("", "utcDate", "type", "currency", "size", "address"),
        reject=pl.coalesce(
            reason(~kind.is_in(_TYPES), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("type")),
            reason(
                ~unit.is_in(_CURRENCIES),
                f"unknown currency {{}}: expected one of {one_of(_CURRENCIES)}",
                pl.col("currency"),
            ),
            "size_fault",
            "cost_fault",
            pl.when(pl.col("size").is_null()).then(pl.lit("amount: found none")),
        ),
    )
    return finish(frame, context, SOURCE.family)


SOURCE = Source(name="wallet_of_satoshi", version="1", identify=identify, parse=parse, family="wallet_of_satoshi")
