"""Bitstamp's transactions: the old layout with units in the cells, and the one of 2024 and later. Nothing else."""

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
    usd,
    utc_time,
    with_numbers,
)

_OLD = ("Type", "Datetime", "Account", "Amount", "Value", "Rate", "Fee", "Sub Type")
_RFC = (
    "ID", "Account", "Type", "Subtype", "Datetime", "Amount", "Amount currency", "Value", "Value currency", "Rate",
    "Rate currency", "Fee", "Fee currency", "Order ID",
)  # fmt: skip
_TYPES = {
    "market": None, "deposit": "deposit", "ripple deposit": "deposit", "withdrawal": "withdrawal",
    "ripple payment": "withdrawal", "staking reward": "staking",
}  # fmt: skip
_MONTHS = {"March": "Mar", "April": "Apr", "June": "Jun", "July": "Jul", "Sept": "Sep"}
_ALIASES = {"ETH2R": "ETH", "ETH2": "ETH"}
"""Ether staked there and what it earned: Bitstamp gives them back one for one."""
_WITH_UNIT = r"^\s*(?<number>\S+)\s+(?<unit>\S+)\s*$"


def parse_old(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of the old layout: `2.00000000 ETH` in one cell, times as `Jan. 28, 2022, 12:13 AM`, in UTC, to the minute."""
    frame = rows
    for name in ("Amount", "Value", "Fee"):
        parts = frame[name].str.extract_groups(_WITH_UNIT).struct.unnest()
        unlike = (parts["number"].is_null() & (frame[name].str.strip_chars() != "")).alias(f"{name} unlike")
        frame = frame.with_columns(
            unlike, parts["number"].alias(f"{name} number"), parts["unit"].alias(f"{name} currency")
        )
    day = pl.col("Datetime").str.strip_chars().str.replace(r"^([A-Za-z]+)\.", "${1}")
    frame = with_numbers(frame, amount="Amount number", value="Value number", fee="Fee number").with_columns(
        occurred_at=utc_time(day.str.replace_many(_MONTHS), "%b %d, %Y, %I:%M %p"),
        time_expected=pl.lit("as Jan. 28, 2022, 12:13 AM"),
        way=pl.col("Sub Type"),
        row_key=content_id("", "Type", "Datetime", "Account", "amount", "Amount currency", "value", "Value currency", "fee", "Sub Type"),
        unlike=pl.coalesce(
            *(reason(pl.col(f"{name} unlike"), f"{name}: found {{}}, expected a number and its unit", pl.col(name)) for name in ("Amount", "Value", "Fee"))
        ),
    )  # fmt: skip
    return _finished(frame, context)


def parse_rfc(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of the newer layout: a unit beside each number, times in ISO, Z."""
    frame = with_numbers(rows, amount="Amount", value="Value", fee="Fee").with_columns(
        occurred_at=utc_time(pl.col("Datetime").str.strip_chars().str.replace(r"[zZ]$", ""), "%Y-%m-%dT%H:%M:%S%.f"),
        time_expected=pl.lit("YYYY-MM-DDTHH:MM:SSZ"),
        way=pl.col("Subtype"),
        row_key=pl.coalesce(
            pl.format("id:{}", filled("ID")),
            content_id("", "Type", "Datetime", "Account", "Amount", "Value", "Fee", "Subtype"),
        ),
        unlike=pl.lit(None, pl.String),
    )
    return _finished(frame, context)


def _finished(frame: pl.DataFrame, context: Context) -> Parsed:
    """Value and fee of a trade are in the unit of its price; a fee is on top of what it was taken for."""
    frame = frame.with_columns(
        what=pl.col("Type").str.strip_chars().str.to_lowercase(),
        way=pl.col("way").str.strip_chars().str.to_lowercase(),
        **{f"{name}_asset": _asset(f"{name.capitalize()} currency") for name in ("amount", "value", "fee")},
        time_text=pl.col("Datetime"),
    )
    trade, sells = pl.col("what") == "market", pl.col("way") == "sell"
    out = (pl.col("what").replace_strict(_TYPES, default=None) == "withdrawal").fill_null(value=False)
    worth = pl.when(pl.col("value_asset") == "USD").then(usd(pl.col("value")))
    frame = frame.with_columns(
        sent_quantity=pl.when(trade & ~sells).then("value").when((trade & sells) | out).then("amount"),
        sent_asset=pl.when(trade & ~sells).then("value_asset").otherwise("amount_asset"),
        received_quantity=pl.when(trade & sells).then("value").when(~out).then("amount"),
        received_asset=pl.when(trade & sells).then("value_asset").otherwise("amount_asset"),
        fee_quantity="fee",
        sent_usd=worth,
        received_usd=worth,
        fee_rounded="fee_rounded",
        sent_rounded="amount_rounded",
        received_rounded="amount_rounded",
        kind=pl.col("what").replace_strict(_TYPES, default=None, return_dtype=pl.String),
        reject=pl.coalesce(
            reason(~pl.col("what").is_in(list(_TYPES)), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("Type")),
            reason(trade & ~pl.col("way").is_in(["buy", "sell"]), "Subtype: found {}, expected Buy or Sell", pl.col("way")),
            "unlike", "amount_fault", "value_fault", "fee_fault",
            pl.when(pl.col("amount").fill_null(0) == 0).then(pl.lit("Amount: found none")),
            pl.when(trade & (pl.col("value").fill_null(0) == 0)).then(pl.lit("Value: found none on a trade")),
            pl.when(pl.col("fee") < 0).then(pl.lit("Fee: found a negative one, expected none or a positive one")),
        ),
    )  # fmt: skip
    return finish(frame, context, RFC_4180.family)


def _asset(column: str) -> pl.Expr:
    return filled(column).str.to_uppercase().replace(_ALIASES)


OLD = Source(
    name="bitstamp_old", version="1", identify=lambda head: find_header(head, lambda names: tuple(names) == _OLD),
    parse=parse_old, family="bitstamp",
)  # fmt: skip
RFC_4180 = Source(
    name="bitstamp", version="1", identify=lambda head: find_header(head, lambda names: tuple(names) == _RFC),
    parse=parse_rfc, family="bitstamp",
)  # fmt: skip
