"""Trezor Suite's transactions and those of the old web wallet. Other wallets do not belong here."""

from __future__ import annotations

import re

import polars as pl

from transforms.ids import content_id
from transforms.sources.base import (
    ZONE_ASKED,
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    local_time,
    one_of,
    reason,
    with_numbers,
)
from transforms.sources.sides import asset, day_first, has, noted, unsettled

_SUITE = ("Timestamp", "Type", "Transaction ID", "Fee", "Fee unit", "Address", "Amount", "Amount unit")
_WEB = ("Date & Time", "Type", "Transaction ID", "Addresses", "Fee", "Total")
_TYPES = ("SENT", "RECV", "SELF", "FAILED", "JOINT")
_NFT = r"^\s*ID\s+\d+\s*$"
_COIN = re.compile(r"[_-]([a-z]{2,5})\.\w+$", re.IGNORECASE)
_NO_COIN = "the file names no coin: let its name end in it, as in trezor_btc.csv"


def identify_suite(head: list[list[str]]) -> int | None:
    """The row with Trezor Suite's names."""
    return find_header(head, lambda names: has(names, _SUITE))


def identify_web(head: list[list[str]]) -> int | None:
    """The row with exactly the names of the web wallet's export."""
    return find_header(head, lambda names: tuple(names) == _WEB)


def parse_suite(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Trezor Suite's rows: one row an output, the fee on the first of a transaction and beside the amount."""
    seconds = filled("Timestamp")
    whole = pl.when(seconds.str.contains(r"^[0-9]{1,11}$")).then(seconds).cast(pl.Int64)
    frame = rows.with_columns(
        cell=pl.when(pl.col("Amount").str.contains(_NFT)).then(pl.lit("")).otherwise("Amount"),
        nft=pl.col("Amount").str.contains(_NFT),
        coin=filled("Amount unit"),
        fee_coin=filled("Fee unit"),
        address=filled("Address"),
        time_text=pl.col("Timestamp"),
        time_expected=pl.lit("seconds since 1970"),
        occurred_at=pl.from_epoch(whole, time_unit="s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        note=noted("Label") if "Label" in rows.columns else None,
    )
    return _legs(with_numbers(frame, amount="cell", fee="Fee"), context)


def parse_web(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of the web wallet's rows: local time without a zone, the total without the fee, the coin in the file's name."""
    found = _COIN.search(context.file_name)
    first = day_first(rows["Date & Time"])
    clock = "%d/%m/%Y, %I:%M:%S %p" if first else "%m/%d/%Y, %I:%M:%S %p"
    text = filled("Date & Time")
    at = local_time(text, context.time_zone, clock, clock.replace("%I:%M:%S %p", "%H:%M:%S"))
    frame = rows.with_columns(
        nft=pl.lit(value=False),
        coin=pl.lit(found[1].upper() if found else None, pl.String),
        fee_coin=pl.lit(found[1].upper() if found else None, pl.String),
        address=filled("Addresses"),
        time_text=pl.col("Date & Time"),
        time_expected=pl.lit(ZONE_ASKED if context.time_zone is None else "1/25/2022, 2:03:40 AM"),
        occurred_at=at,
        unfit=pl.coalesce("unfit", unsettled(pl.lit(first is None), text), pl.lit(None if found else _NO_COIN, pl.String)),
    )  # fmt: skip
    return _legs(with_numbers(frame, amount="Total", fee="Fee"), context)


def _legs(frame: pl.DataFrame, context: Context) -> Parsed:
    kind = pl.col("Type").str.strip_chars().str.to_uppercase()
    sends, receives, costs = kind == "SENT", kind == "RECV", kind.is_in(["SENT", "SELF", "FAILED"])
    joint = pl.lit("a coinjoin: its amounts are those of several owners; enter what it cost in the universal format")
    nft = pl.lit("an NFT, and the file names neither its contract nor its kind: give the chain explorer's list")
    frame = frame.with_columns(
        type=kind,
        tx_id=filled("Transaction ID"),
        sent_quantity=pl.when(sends).then("amount"),
        received_quantity=pl.when(receives).then("amount"),
        fee_quantity=pl.when(costs).then("fee"),  # a receipt's is the sender's
        sent_asset=asset(pl.col("coin")),
        received_asset=asset(pl.col("coin")),
        fee_asset=asset(pl.col("fee_coin")),
        sent_raw="coin",
        received_raw="coin",
        fee_raw="fee_coin",
        sent_rounded="amount_rounded",
        received_rounded="amount_rounded",
        fee_rounded="fee_rounded",
        reject=pl.coalesce(
            reason(~kind.is_in(_TYPES), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("Type")),
            pl.when(kind == "JOINT").then(joint),
            pl.when(pl.col("nft")).then(nft),
            "amount_fault",
            "fee_fault",
            pl.when((sends | receives) & pl.col("amount").is_null()).then(pl.lit("found no amount")),
        ),
        ignore=pl.when(kind.is_in(["SELF", "FAILED"]) & (pl.col("fee").fill_null(0) == 0)).then(
            pl.lit("a transaction to itself, or one that failed: nothing moved")
        ),
    )
    frame = frame.with_columns(
        group_key="tx_id",
        fact=pl.when(~pl.col("nft")).then("tx_id"),
        row_key=content_id("", "tx_id", "type", "address", "coin", "amount", "fee"),
    )
    return finish(frame, context, SUITE.family)


def _of_name(context: Context) -> str:
    """The coin and the clock that a reading of the web wallet's file hangs on."""
    found = _COIN.search(context.file_name)
    return f"{context.time_zone or ''}:{found[1].upper() if found else ''}"


SUITE = Source(name="trezor_suite", version="1", identify=identify_suite, parse=parse_suite, family="trezor", nets=True)
WEB = Source(
    name="trezor_web", version="1", identify=identify_web, parse=parse_web, family="trezor", nets=True, depends=_of_name
)
