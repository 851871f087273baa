"""Cash App's activity: its bitcoin rows. Payments, the card and shares are no coins."""

from __future__ import annotations

import polars as pl

from schemas.fields import INSTANT
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
    with_numbers,
)

_HEADER = (
    "Transaction ID", "Date", "Transaction Type", "Currency", "Amount", "Fee", "Net Amount", "Asset Type", "Asset Price",
    "Asset Amount", "Status", "Notes", "Name of sender/receiver", "Account",
)  # fmt: skip
_TYPES = {
    "bitcoin buy": "buy", "bitcoin sale": "sell", "bitcoin withdrawal": "out:withdrawal",
    "bitcoin lightning withdrawal": "out:withdrawal", "bitcoin deposit": "in:deposit",
    "bitcoin lightning deposit": "in:deposit", "bitcoin boost": "in:reward",
}  # fmt: skip
_DONE = ("completed", "complete")
_NOT_DONE = ("failed", "canceled", "cancelled", "declined", "pending", "refunded", "voided", "reversed")
_ZONES = {
    "E": ("America/New_York", -5), "C": ("America/Chicago", -6), "M": ("America/Denver", -7),
    "P": ("America/Los_Angeles", -8),
}  # fmt: skip
_STAMP = r"^(?<local>\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}) (?<label>[ECMP][SD]T|UTC|GMT)$"
_CENT = pl.lit("0.01").cast(pl.Decimal(38, 18))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of bitcoin rows; amount is before the fee, net amount after it.

    A label as EST names the zone: the clock is read as that of New York on the day, for the label may be wrong for the
    season; in the hour that a clock shows twice it tells which. What a withdrawal was worth is no proceeds.
    """
    frame = with_numbers(
        rows, amount="Amount", fee="Fee", net="Net Amount", quantity="Asset Amount", price="Asset Price"
    )
    charged = pl.col("Notes").str.extract(r"(?i)with fee BTC ([0-9.Ee+-]*[0-9])")
    frame = with_numbers(frame.with_columns(charged=charged), chain_fee="charged")
    frame = pl.concat(
        [frame, frame["Date"].str.strip_chars().str.extract_groups(_STAMP).struct.unnest()], how="horizontal"
    )
    status = pl.col("Status").str.strip_chars().str.to_lowercase()
    what = pl.col("Transaction Type").str.strip_chars().str.to_lowercase()
    action = what.replace_strict(_TYPES, default=None, return_dtype=pl.String)
    frame = frame.with_columns(
        action=action,
        occurred_at=_instant(),
        time_text=pl.col("Date"),
        time_expected=pl.lit("YYYY-MM-DD HH:MM:SS and EST, EDT, CST, CDT, MST, MDT, PST, PDT or UTC"),
        coin=filled("Asset Type").str.to_uppercase(),
        money=filled("Currency").str.to_uppercase(),
        row_key=pl.format("id:{}", filled("Transaction ID")),
        note=filled("Notes"),
    )
    buys, sells = pl.col("action") == "buy", pl.col("action") == "sell"
    out, into = pl.col("action").str.starts_with("out:"), pl.col("action").str.starts_with("in:")
    gross = pl.col("amount").abs()
    value = pl.when(pl.col("money") == "USD").then(usd(gross))
    off = (pl.col("amount") + pl.col("fee").fill_null(0) - pl.col("net")).abs() > _CENT
    trade = buys | sells
    frame = frame.with_columns(
        sent_quantity=pl.when(buys).then(gross).when(sells | out).then("quantity"),
        sent_asset=pl.when(buys).then("money").otherwise("coin"),
        received_quantity=pl.when(sells).then(gross).when(buys | into).then("quantity"),
        received_asset=pl.when(sells).then("money").otherwise("coin"),
        fee_quantity=pl.when(trade).then(pl.col("fee").abs()).when(out).then("chain_fee"),
        fee_asset=pl.when(trade).then("money").otherwise("coin"),
        sent_usd=value,
        received_usd=value,
        kind=pl.col("action").str.extract(r"^(?:in|out):(.+)$"),
        ignore=pl.when(~what.str.starts_with("bitcoin") & (what != "") & (pl.col("coin").fill_null("USD") != "BTC")).then(pl.lit("money or shares: no coin moved"))
        .when(status.is_in(list(_NOT_DONE)) & what.str.starts_with("bitcoin")).then(pl.lit("a transaction that did not take place, or not yet")),
        reject=pl.coalesce(
            reason(pl.col("action").is_null(), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("Transaction Type")),
            reason(~status.is_in(list(_DONE)), "Status: found {}, expected COMPLETED, FAILED, CANCELED or PENDING", pl.col("Status")),
            *(f"{name}_fault" for name in ("amount", "fee", "net", "quantity", "chain_fee")),
            pl.when(pl.col("quantity").fill_null(0) == 0).then(pl.lit("Asset Amount: found none")),
            pl.when(trade & (pl.col("amount").fill_null(0) == 0)).then(pl.lit("Amount: found none on a trade")),
            pl.when((buys & (pl.col("amount") > 0)) | (sells & (pl.col("amount") < 0))).then(pl.lit("Amount: found one of the other direction than the type says")),
            pl.when(trade & off).then(pl.lit("Net Amount: found another one than the amount and the fee come to")),
            pl.when(pl.col("row_key").is_null()).then(pl.lit("Transaction ID: found none")),
        ),
    )  # fmt: skip
    return finish(frame, context, SOURCE.family)


def _instant() -> pl.Expr:
    """The instant on the clock of the label's zone; in an hour that it skips, by the label's own offset."""
    local = pl.col("local").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    label, second = pl.col("label"), pl.col("label").str.slice(1, 1)
    ambiguous = pl.when(second == "S").then(pl.lit("latest")).otherwise(pl.lit("earliest"))
    readings = []
    for letter, (zone, offset) in _ZONES.items():
        own = label.str.starts_with(letter) & label.str.ends_with("T") & (label != "GMT")
        clock = local.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null").dt.convert_time_zone("UTC")
        summer = pl.when(second == "D").then(1).otherwise(0)
        by_label = (local - pl.duration(hours=offset + summer)).dt.replace_time_zone("UTC")
        readings.append(pl.when(own).then(pl.coalesce(clock, by_label)))
    readings.append(pl.when(label.is_in(["UTC", "GMT"])).then(local.dt.replace_time_zone("UTC")))
    return pl.coalesce(readings).cast(INSTANT)


SOURCE = Source(
    name="cash_app", version="1", identify=lambda head: find_header(head, lambda names: tuple(names) == _HEADER),
    parse=parse, family="cash_app",
)  # fmt: skip
