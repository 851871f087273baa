"""Swan Bitcoin's transfers: deposits, purchases and withdrawals. Its statements in PDF do not belong here."""

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
    reason,
    usd,
    with_numbers,
    zoned_time,
)

_HEADER = (
    "Event", "Date", "Timezone", "Status", "Transaction ID", "Total USD", "Transaction USD", "Fee USD", "Unit Count",
    "Asset Type", "BTC Price", "Address Label", "USD Cost Basis", "Acquisition Date",
)  # fmt: skip
_DONE, _NOT_DONE = ("settled", "completed"), ("pending", "canceled", "cancelled", "failed", "rejected", "initiated")
_EVENTS = ("asset_deposit", "deposit", "purchase", "withdrawal")


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Swan's rows: a purchase is what was paid for the units, with its fee beside it.

    A fee that was taken from a deposit of money stays with the deposit.
    """
    frame = with_numbers(
        rows, total="Total USD", paid="Transaction USD", fee="Fee USD", units="Unit Count", price="BTC Price"
    )
    event, status = (pl.col(name).str.strip_chars().str.to_lowercase() for name in ("Event", "Status"))
    asset, buys, coins = filled("Asset Type").str.to_uppercase(), event == "purchase", event == "asset_deposit"
    money = pl.coalesce("paid", pl.col("total") - pl.col("fee").fill_null(0))
    cash = (event == "deposit") | ((event == "withdrawal") & (asset == "USD").fill_null(value=False))
    amount = pl.when(cash).then(pl.coalesce("total", "paid", "units")).otherwise("units")
    plain = pl.col("Date").str.strip_chars()
    named = (pl.col("Timezone").str.strip_chars() == "UTC") & plain.str.contains(r":\d{2}$")  # else it has its offset
    stamp = pl.when(named & ~plain.str.contains(r"[+-]\d{2}:\d{2}$")).then(plain + "Z").otherwise(plain)
    frame = frame.with_columns(asset_of=asset).with_columns(
        row_key=content_id("", "Event", "Date", "Transaction ID", "total", "units", "Asset Type"),
        time_text=pl.col("Date"),
        time_expected=pl.lit("YYYY-MM-DD HH:MM:SS+00"),
        occurred_at=zoned_time(stamp, None, "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"),
        note=filled("Address Label"),
        sent_quantity=pl.when(buys).then(money).when(event == "withdrawal").then(amount),
        sent_asset=pl.when(buys).then(pl.lit("USD")).otherwise("asset_of"),
        received_quantity=pl.when(buys | coins).then("units").when(event == "deposit").then(amount),
        received_asset="asset_of",
        fee_quantity="fee",
        fee_asset=pl.lit("USD"),
        kind=pl.when(event.is_in(["deposit", "asset_deposit"])).then(pl.lit("deposit")).when(event == "withdrawal").then(pl.lit("withdrawal")),
        sent_usd=pl.when(buys).then(usd(money)),
        received_usd=pl.when(buys).then(usd(money)),
        ignore=pl.when(status.is_in(list(_NOT_DONE))).then(pl.lit("an event that is not settled")),
        reject=pl.coalesce(
            reason(~event.is_in(list(_EVENTS)), f"unknown Event {{}}: expected one of {', '.join(_EVENTS)}", pl.col("Event")),
            reason(~status.is_in(list(_DONE)), "Status: found {}, expected settled, pending or canceled", pl.col("Status")),
            *(f"{name}_fault" for name in ("total", "paid", "fee", "units", "price")),
            reason(asset.is_null() | ~asset.is_in(["BTC", "USD"]), "Asset Type: found {}, expected BTC or USD", pl.col("Asset Type")),
            pl.when((buys | coins) & (asset != "BTC")).then(pl.lit("Asset Type: found money, expected BTC")),
            pl.when(amount.fill_null(0) == 0).then(pl.lit("Unit Count or Total USD: found none")),
            pl.when(buys & (money.fill_null(0) == 0)).then(pl.lit("Transaction USD: found none on a purchase")),
        ),
    )  # fmt: skip
    return finish(frame, context, SOURCE.family)


SOURCE = Source(
    name="swan", version="1", identify=lambda head: find_header(head, lambda names: tuple(names) == _HEADER),
    parse=parse, family="swan",
)  # fmt: skip
