"""PayPal's (and Venmo's) crypto transactions, and its activity, which is money alone. Its tax forms do not belong here."""

from __future__ import annotations

import re

import polars as pl

from schemas.fields import FIAT
from transforms.ids import content_id
from transforms.sources.base import (
    ZONE_ASKED,
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    of_zone,
    one_of,
    reason,
    usd,
    utc_time,
    with_numbers,
    zoned_time,
)

_CRYPTO = (
    "DateTime", "Transaction Type", "Asset In (Quantity)", "Asset In (Currency)", "Asset Out (Quantity)",
    "Asset Out (Currency)", "Transaction Fee (Quantity)", "Transaction Fee (Currency)",
)  # fmt: skip
_ACTIVITY = {"Date", "Time", "Type", "Status", "Currency", "Gross", "Fee", "Net", "Transaction ID"}
_ZONE_NAMES = ("Time Zone", "TimeZone", "Timezone")
_TYPES = {
    "buy": None, "sell": None, "transfer in": "deposit", "transfer out": "withdrawal", "receive": "deposit",
    "send": "withdrawal",
}  # fmt: skip


def _is_crypto(names: list[str]) -> bool:
    known = tuple(names[:-1]) == _CRYPTO
    return known and re.fullmatch(r"Market Value \([A-Z]{3}\)", names[-1]) is not None


def parse_crypto(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of crypto rows: what came in, what went out, and the fee beside them."""
    market = next(name for name in rows.columns if name.startswith("Market Value ("))
    frame = with_numbers(
        rows,
        received="Asset In (Quantity)",
        sent="Asset Out (Quantity)",
        fee="Transaction Fee (Quantity)",
        value=market,
    )
    what = pl.col("Transaction Type").str.strip_chars().str.to_lowercase().str.replace_all(r"[-_\s]+", " ")
    value = (
        usd(pl.when(pl.col("value") > 0).then("value")) if market.endswith("(USD)") else pl.lit(None, pl.Decimal(18, 6))
    )
    stamp = pl.col("DateTime").str.strip_chars()
    sent, received = pl.col("sent").fill_null(0) != 0, pl.col("received").fill_null(0) != 0
    trade = what.is_in(["buy", "sell"]) & ~(sent & received)
    into = what.is_in(["transfer in", "receive"]) & (sent | ~received)
    out = what.is_in(["transfer out", "send"]) & (received | ~sent)
    frame = frame.with_columns(
        row_key=content_id("", "DateTime", "Transaction Type", "received", "Asset In (Currency)", "sent", "Asset Out (Currency)", "fee"),
        time_text=pl.col("DateTime"),
        time_expected=pl.lit("an ISO time, or as Thu, 13 Oct 2022 10:00:00 GMT" if context.time_zone else ZONE_ASKED),
        occurred_at=pl.coalesce(
            utc_time(stamp.str.replace(r" (?:GMT|UTC|Z)$", " +0000"), "%a, %d %b %Y %H:%M:%S %z"),
            zoned_time(stamp, context.time_zone, "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"),
        ),
        kind=what.replace_strict(_TYPES, default=None, return_dtype=pl.String),
        sent_quantity="sent",
        sent_asset=filled("Asset Out (Currency)").str.to_uppercase(),
        received_quantity="received",
        received_asset=filled("Asset In (Currency)").str.to_uppercase(),
        fee_quantity="fee",
        fee_asset=filled("Transaction Fee (Currency)").str.to_uppercase(),
        sent_usd=value,
        received_usd=value,
        reject=pl.coalesce(
            reason(~what.is_in(list(_TYPES)), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("Transaction Type")),
            *(f"{name}_fault" for name in ("received", "sent", "fee", "value")),
            reason(trade, "a {} has an asset in and an asset out: found only one or none", what),
            reason(into, "a {} has an asset in and none out", what),
            reason(out, "a {} has an asset out and none in", what),
        ),
    )  # fmt: skip
    return finish(frame, context, CRYPTO.family)


def _is_activity(names: list[str]) -> bool:
    return len(names) <= 100 and set(names) >= _ACTIVITY and any(name in names for name in _ZONE_NAMES)


def parse_activity(rows: pl.DataFrame, context: Context) -> Parsed:
    """No legs: the activity shows money alone, also of coins bought, which the crypto report has."""
    money = pl.col("Currency").str.strip_chars().str.to_uppercase()
    frame = rows.with_columns(
        row_key=pl.lit(None, pl.String),
        occurred_at=pl.lit(None, pl.Datetime("us", "UTC")),
        time_text=pl.lit(None, pl.String),
        ignore=pl.when(money.is_in(FIAT)).then(pl.lit("money alone: coins stand in PayPal's crypto report")),
        reject=reason(~money.is_in(FIAT), "Currency: found {}, expected money: ask for PayPal's crypto report", pl.col("Currency")),
    )  # fmt: skip
    return finish(frame, context, ACTIVITY.family)


CRYPTO = Source(
    name="paypal_crypto", version="1", identify=lambda head: find_header(head, _is_crypto), parse=parse_crypto,
    family="paypal_crypto", depends=of_zone,
)  # fmt: skip
ACTIVITY = Source(
    name="paypal_activity", version="1", identify=lambda head: find_header(head, _is_activity), parse=parse_activity,
    family="paypal_activity",
)  # fmt: skip
