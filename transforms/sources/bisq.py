"""Bisq's trade history. Bisq's wallet transactions do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.sources.base import (
    SIDES,
    ZONE_ASKED,
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    local_time,
    of_zone,
    reason,
    with_numbers,
)
from transforms.sources.sides import asset, has, noted

_NEEDED = ("Trade ID", "Date/Time", "Market", "Amount in BTC", "Amount", "Currency", "Transaction Fee", "Trade Fee BTC",
           "Trade Fee BSQ", "Offer type", "Status")  # fmt: skip
_MEDIATED = "the trade ended as {}: what was paid out is not in the file, enter it in the universal format"


def identify(head: list[list[str]]) -> int | None:
    """The row with the names of the history."""
    return find_header(head, lambda names: has(names, _NEEDED))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Bisq's trades: bitcoin against the currency, the trade fee in BSQ or BTC, the miners' fee in BTC.

    The offer says which coin the owner bought or sold. Deposits come back and are no fact; times are the computer's.
    """
    frame = with_numbers(
        rows,
        btc="Amount in BTC",
        other="Amount",
        miners="Transaction Fee",
        fee_btc="Trade Fee BTC",
        fee_bsq="Trade Fee BSQ",
    )
    offer = pl.col("Offer type").str.strip_chars().str.extract_groups(r"^(?<side>Buy|Sell) (?<coin>\S+)$")
    frame = frame.with_columns(offer.alias("offer")).unnest("offer")
    # buying the other coin is selling bitcoin
    gives = (pl.col("side") == "Sell") == (pl.col("coin").str.to_uppercase() == "BTC")
    in_bsq = pl.col("fee_bsq").fill_null(0) > 0
    currency = asset(filled("Currency"))
    status = pl.col("Status").str.strip_chars()
    frame = frame.with_columns(
        sent_quantity=pl.when(gives).then("btc").otherwise("other"),
        sent_asset=pl.when(gives).then(pl.lit("BTC")).otherwise(currency),
        received_quantity=pl.when(gives).then("other").otherwise("btc"),
        received_asset=pl.when(gives).then(currency).otherwise(pl.lit("BTC")),
        fee_quantity=pl.when(in_bsq).then("fee_bsq").otherwise("fee_btc"),
        fee_asset=pl.when(in_bsq).then(pl.lit("BSQ")).otherwise(pl.lit("BTC")),
        row_key=pl.format("id:{}", filled("Trade ID")),
        group_key=filled("Trade ID"),
        fact=filled("Trade ID"),
        kind=pl.lit("trade"),
        tx_id=pl.lit(None, pl.String),
        note=noted("Offer type", "Trade ID"),
        time_text=pl.col("Date/Time"),
        time_expected=pl.lit(ZONE_ASKED if context.time_zone is None else "10 Mar 2021 10:40:20"),
        occurred_at=local_time(filled("Date/Time"), context.time_zone, "%d %b %Y %H:%M:%S"),
        ignore=pl.when(status == "Canceled").then(pl.lit("cancelled")),
        reject=_fault(status),
    )
    return finish(pl.concat([frame, _miners(frame)], how="diagonal"), context, SOURCE.family)


def _fault(status: pl.Expr) -> pl.Expr:
    amounts = ("btc", "other", "miners", "fee_btc", "fee_bsq")
    half = ~((pl.col("btc") > 0) & (pl.col("other") > 0)).fill_null(value=False)
    two_fees = (pl.col("fee_btc") > 0) & (pl.col("fee_bsq") > 0)
    return pl.coalesce(
        pl.when(filled("Trade ID").is_null()).then(pl.lit("Trade ID: found none")),
        reason(status != "Completed", _MEDIATED, status),
        reason(
            pl.col("side").is_null(), "Offer type: found {}, expected 'Buy BTC' or 'Sell BTC'", pl.col("Offer type")
        ),
        *(f"{name}_fault" for name in amounts),
        pl.when(half).then(pl.lit("a trade has two sides: found only one or none")),
        pl.when(two_fees).then(pl.lit("found a trade fee in BTC and one in BSQ, expected one of them")),
    )


def _miners(frame: pl.DataFrame) -> pl.DataFrame:
    """The miners' fee of each trade, as a second fee."""
    empty = {f"{side}_quantity": pl.lit(None, frame.schema["miners"]) for side in SIDES if side != "fee"}
    own = frame.filter((pl.col("miners") > 0) & pl.col("unfit").is_null())
    return own.with_columns(**empty, fee_quantity="miners", fee_asset=pl.lit("BTC"))


SOURCE = Source(name="bisq", version="1", identify=identify, parse=parse, family="bisq", depends=of_zone)
