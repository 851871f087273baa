"""Electrum's history, with and without lightning. Other wallets do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.sources.base import (
    ZONE_ASKED,
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    local_time,
    with_numbers,
)
from transforms.sources.sides import has, noted

_NEW = (
    "oc_transaction_hash",
    "ln_payment_hash",
    "amount_chain_bc",
    "amount_lightning_bc",
    "network_fee_bc",
    "timestamp",
)
_OLD = ("transaction_hash", "label", "value", "timestamp")
_OLD_ALL = {*_OLD, "confirmations", "fiat_value", "fee", "fiat_fee"}
_FORKS = {"electrum-ltc": "LTC", "electrum_ltc": "LTC", "electron-cash": "BCH", "electron_cash": "BCH"}
"""Wallets made of Electrum, by the names that they give their files; their layout is the same."""


def identify(head: list[list[str]]) -> int | None:
    """The row with the names of either layout."""
    return find_header(head, lambda names: has(names, _NEW) or (has(names, _OLD) and {*names} <= _OLD_ALL))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Electrum's rows: what the wallet lost or won by a transaction, the fee inside.

    The chain's and the lightning part of a row are one amount: opening a channel moves coins inside the wallet and
    costs the fee. A fee is stated only where the wallet paid it, of a receipt too (a channel that it closed). Times are
    the computer's, without a zone. Fiat values are in a currency that the file does not name and are not read.
    """
    frame = rows
    if "oc_transaction_hash" not in rows.columns:
        names = {"transaction_hash": "oc_transaction_hash", "value": "amount_chain_bc", "fee": "network_fee_bc"}
        frame = rows.rename({old: new for old, new in names.items() if old in rows.columns})
    absent = ("ln_payment_hash", "amount_lightning_bc", "network_fee_bc", "label", "confirmations")
    frame = frame.with_columns(pl.lit("").alias(name) for name in absent if name not in frame.columns)
    frame = with_numbers(frame, chain="amount_chain_bc", lightning="amount_lightning_bc", fee="network_fee_bc")
    coin = _coin(context)
    net = pl.col("chain").fill_null(0) + pl.col("lightning").fill_null(0)
    gross = net + pl.col("fee").fill_null(0)
    text = filled("timestamp")
    frame = frame.with_columns(
        sent_quantity=pl.when(gross < 0).then(-gross),
        received_quantity=pl.when(gross > 0).then(gross),
        fee_quantity=pl.col("fee"),
        **{f"{side}_asset": pl.lit(coin) for side in ("sent", "received", "fee")},
        sent_rounded=pl.col("chain_rounded") | pl.col("lightning_rounded"),
        received_rounded=pl.col("chain_rounded") | pl.col("lightning_rounded"),
        fee_rounded="fee_rounded",
        tx_id=pl.coalesce(filled("oc_transaction_hash"), filled("ln_payment_hash")),
        time_text=pl.col("timestamp"),
        time_expected=pl.lit(ZONE_ASKED if context.time_zone is None else "YYYY-MM-DD HH:MM:SS"),
        occurred_at=local_time(text, context.time_zone, "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"),
        note=noted("label"),
        ignore=_waiting(text),
    ).with_columns(row_key=pl.format("id:{}", "tx_id"))
    amounts = ("chain_fault", "lightning_fault", "fee_fault")
    none = pl.col("chain").is_null() & pl.col("lightning").is_null()
    frame = frame.with_columns(
        reject=pl.coalesce(
            pl.when(pl.col("tx_id").is_null()).then(pl.lit("found no transaction hash")),
            *amounts,
            pl.when(none).then(pl.lit("found no amount")),
            pl.when(pl.col("fee") < 0).then(pl.lit("network_fee_bc: found a negative fee, expected none")),
        )
    )
    nothing = (net == 0) & (pl.col("fee").fill_null(0) == 0) & pl.col("reject").is_null()
    moved = pl.when(nothing).then(pl.lit("no value moved"))
    return finish(frame.with_columns(ignore=pl.coalesce("ignore", moved)), context, SOURCE.family)


def _waiting(text: pl.Expr) -> pl.Expr:
    unconfirmed = text.is_null() | text.str.to_lowercase().is_in(["unconfirmed", "unknown", "------"])
    confirmations = filled("confirmations")
    return pl.when(unconfirmed | (confirmations == "0")).then(pl.lit("not confirmed yet"))


def _coin(context: Context) -> str:
    return next((coin for name, coin in _FORKS.items() if name in context.file_name.lower()), "BTC")


def _of_name(context: Context) -> str:
    """The coin and the clock that a reading hangs on."""
    return f"{context.time_zone or ''}:{_coin(context)}"


SOURCE = Source(
    name="electrum", version="1", identify=identify, parse=parse, family="electrum", depends=_of_name
)  # fmt: skip
