"""Robinhood's coin orders, coin transfers, and the consolidated Form 1099 as CSV. Shares and cash do not belong here."""

from __future__ import annotations

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
    of_zone,
    reason,
    usd,
    utc_time,
    with_numbers,
    zoned_time,
)

_TRADES = (
    "UUID", "Time Entered", "Symbol", "Side", "Quantity", "State", "Order Type", "Leaves Quantity", "Entered Price",
    "Average Price", "Notional",
)  # fmt: skip
_TRANSFERS = {
    "id",
    "created_at",
    "currency_code",
    "transfer_type",
    "amount",
    "network_fee",
    "state",
    "blockchain_txn_id",
}
_STOPPED = ("cancelled", "canceled", "failed", "rejected", "voided", "reversed", "expired")
_WAITING = ("pending", "unconfirmed", "queued", "confirmed", "new", "submitted", "processing", "in_progress")
_DONE = ("succeeded", "completed", "complete", "settled")
_SOLD = {"DATE ACQUIRED", "SALE DATE", "DESCRIPTION", "SHARES", "COST BASIS", "SALES PRICE"}
_COINS = {
    "BITCOIN": "BTC", "ETHEREUM": "ETH", "DOGECOIN": "DOGE", "LITECOIN": "LTC", "BITCOIN CASH": "BCH",
    "BITCOIN SV": "BSV", "ETHEREUM CLASSIC": "ETC", "SHIBA INU": "SHIB", "SOLANA": "SOL", "CARDANO": "ADA",
    "AVALANCHE": "AVAX", "CHAINLINK": "LINK", "UNISWAP": "UNI", "COMPOUND": "COMP", "AAVE": "AAVE", "TEZOS": "XTZ",
    "STELLAR LUMENS": "XLM", "XRP": "XRP", "USD COIN": "USDC", "USDC": "USDC", "PEPE": "PEPE", "BONK": "BONK",
    "DOGWIFHAT": "WIF", "POLYGON": "MATIC", "ARBITRUM": "ARB", "OPTIMISM": "OP",
}  # fmt: skip
"""Coins as Form 1099-B describes them: a name, or `name (ticker)`; what is not here is taken for a security."""


def parse_trades(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of coin orders: the quantity against the notional in USD, without a fee (the spread is in the price)."""
    frame = with_numbers(rows, quantity="Quantity", left="Leaves Quantity", notional="Notional")
    state = pl.col("State").str.strip_chars().str.to_lowercase()
    frame = frame.with_columns(
        pl.col("notional").abs(),
        state=state,
        way=pl.col("Side").str.strip_chars().str.to_lowercase(),
        coin=filled("Symbol").str.to_uppercase().str.replace(r"[-/]?USD$", ""),
        row_key=pl.format("id:{}", filled("UUID")),
        time_text=pl.col("Time Entered"),
        time_expected=pl.lit("YYYY-MM-DD HH:MM:SS" if context.time_zone else ZONE_ASKED),
        occurred_at=zoned_time(
            pl.col("Time Entered"), context.time_zone,
            "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M",
        ),
    )  # fmt: skip
    buys = pl.col("way") == "buy"
    part = (pl.col("left") < pl.col("quantity")).fill_null(value=False) & (pl.col("notional").fill_null(0) > 0)
    frame = frame.with_columns(
        sent_quantity=pl.when(buys).then("notional").otherwise("quantity"),
        sent_asset=pl.when(buys).then(pl.lit("USD")).otherwise("coin"),
        received_quantity=pl.when(buys).then("quantity").otherwise("notional"),
        received_asset=pl.when(buys).then("coin").otherwise(pl.lit("USD")),
        sent_usd=usd(pl.col("notional")),
        received_usd=usd(pl.col("notional")),
        sent_rounded=pl.col("quantity_rounded") & ~buys,
        received_rounded=pl.col("quantity_rounded") & buys,
        ignore=pl.when(state.is_in([*_STOPPED, *_WAITING]) & ~part).then(pl.lit("an order that was not filled")),
        reject=pl.coalesce(
            reason(state.is_in(list(_STOPPED)) & part, "State: found {} of an order that was filled in part: ask for the amount that was filled", pl.col("State")),
            reason(state != "filled", "State: found {}, expected Filled, Canceled, Failed, Rejected or one that waits", pl.col("State")),
            reason(~pl.col("way").is_in(["buy", "sell"]), "Side: found {}, expected Buy or Sell", pl.col("Side")),
            "quantity_fault", "notional_fault", "left_fault",
            pl.when((pl.col("quantity").fill_null(0) == 0) | (pl.col("notional").fill_null(0) == 0)).then(pl.lit("Quantity or Notional: found none")),
            pl.when(pl.col("left") > 0).then(pl.lit("Leaves Quantity: found some left of a filled order")),
            pl.when(pl.col("row_key").is_null()).then(pl.lit("UUID: found none")),
        ),
    )  # fmt: skip
    return finish(frame, context, TRADES.family)


def parse_transfers(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of coins sent and received; the network's fee is in the coin, on top of the amount, and the sender's."""
    optional = [pl.lit("").alias(name) for name in ("usd_amount_at_request",) if name not in rows.columns]
    frame = with_numbers(rows.with_columns(optional), amount="amount", fee="network_fee", worth="usd_amount_at_request")
    kind, state = (pl.col(name).str.strip_chars().str.to_lowercase() for name in ("transfer_type", "state"))
    coin = filled("currency_code").str.to_uppercase()
    out = kind.is_in(["withdrawal", "withdraw", "send"])
    into = kind.is_in(["deposit", "receive"])
    frame = frame.with_columns(
        row_key=pl.format("id:{}", filled("id")),
        tx_id=filled("blockchain_txn_id"),
        time_text=pl.col("created_at"),
        time_expected=pl.lit("an ISO time with its offset" if context.time_zone else ZONE_ASKED),
        occurred_at=zoned_time(pl.col("created_at"), context.time_zone, "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"),
        kind=pl.when(out).then(pl.lit("withdrawal")).when(into).then(pl.lit("deposit")),
        sent_quantity=pl.when(out).then("amount"),
        received_quantity=pl.when(into).then("amount"),
        fee_quantity=pl.when(out).then("fee"),
        **{f"{side}_asset": coin for side in ("sent", "received", "fee")},
        **{f"{side}_usd": usd(pl.when(pl.col("worth") > 0).then("worth")) for side in ("sent", "received")},
        sent_rounded="amount_rounded",
        received_rounded="amount_rounded",
        ignore=pl.when(state.is_in([*_STOPPED, *_WAITING])).then(pl.lit("a transfer that did not take place, or not yet")),
        reject=pl.coalesce(
            reason(~(out | into), "transfer_type: found {}, expected deposit or withdrawal", pl.col("transfer_type")),
            reason(~state.is_in(list(_DONE)), "state: found {}, expected succeeded, failed, cancelled or pending", pl.col("state")),
            "amount_fault", "fee_fault", "worth_fault",
            pl.when(pl.col("amount").fill_null(0) == 0).then(pl.lit("amount: found none")),
            pl.when(pl.col("fee") < 0).then(pl.lit("network_fee: found a negative one")),
            pl.when(filled("id").is_null()).then(pl.lit("id: found none")),
        ),
    )  # fmt: skip
    return finish(frame, context, TRANSFERS.family)


def identify_1099(head: list[list[str]]) -> int | None:
    """The header of the section 1099-B, else the first section's: the first cell names the form, the next ACCOUNT NUMBER."""

    def is_header(names: list[str]) -> bool:
        return names[0].upper().startswith("1099-") and names[1:2] == ["ACCOUNT NUMBER"]

    sales = find_header(head, lambda names: is_header(names) and names[0].upper() == "1099-B" and set(names) >= _SOLD)
    return find_header(head, is_header) if sales is None else sales


def parse_1099(rows: pl.DataFrame, context: Context) -> Parsed:
    """What the form says of coins sold, a row a lot: only compared with the gains of the books.

    The sent leg is what was sold, its `usd_value` the basis (null where the form has none); the received leg is the
    sales price. A day without a clock is its noon in UTC; the day of acquisition is the note, as YYYY-MM-DD.
    """
    names = [name for name in rows.columns if name not in {"row_no", "unfit"}]
    form = pl.col(names[0]).str.strip_chars().str.to_uppercase()
    frame = rows.with_columns(pl.lit("").alias(name) for name in _SOLD if name not in rows.columns)
    sold = form == "1099-B" if set(names) >= _SOLD else pl.lit(value=False)
    frame = with_numbers(frame, quantity="SHARES", basis="COST BASIS", proceeds="SALES PRICE")
    words = pl.col("DESCRIPTION").str.strip_chars().str.to_uppercase()
    ticker = words.str.extract(r"\(([A-Z0-9]{2,10})\)$")
    known = pl.coalesce(words.str.replace(r"\s*\([A-Z0-9]+\)$", "").replace_strict(_COINS, default=None), words)
    coin = pl.when(known.is_in(list(_COINS.values()))).then(
        pl.coalesce(pl.when(ticker.is_in(list(_COINS.values()))).then(ticker), known)
    )
    digital = form == "1099-DA"
    other = form.str.starts_with("1099-") & ~sold & ~digital
    acquired = pl.col("DATE ACQUIRED").str.strip_chars().str.to_date("%Y%m%d", strict=False)
    frame = frame.with_columns(
        # the sections have headers and widths of their own
        unfit=pl.when(~(other | digital)).then("unfit"),
        occurred_at=utc_time(pl.col("SALE DATE").str.strip_chars() + " 12:00", "%Y%m%d %H:%M"),
        time_text=pl.col("SALE DATE"),
        time_expected=pl.lit("YYYYMMDD"),
        row_key=content_id("", "DESCRIPTION", "DATE ACQUIRED", "SALE DATE", "quantity", "basis", "proceeds"),
        kind=pl.lit("sell"),
        note=acquired.dt.to_string("%Y-%m-%d"),
        sent_quantity="quantity",
        sent_asset=coin,
        sent_usd=usd(pl.col("basis")),
        received_quantity="proceeds",
        received_asset=pl.lit("USD"),
        received_usd=usd(pl.col("proceeds")),
        ignore=pl.when(pl.col(names[1]).str.strip_chars() == names[1]).then(pl.lit("the header of a section"))
        .when(other).then(pl.lit("another section of the form: no sale of coins"))
        .when(sold & coin.is_null() & pl.col("quantity").is_not_null()).then(pl.lit("taken for a security: no coin that Robinhood is known to sell")),
        reject=pl.coalesce(
            pl.when(digital).then(pl.lit("Form 1099-DA: enter its rows in forms_1099da.csv of the firm's folder")),
            reason(~sold.fill_null(value=False), "the form's name: found {}, expected 1099-B or another", pl.col(names[0])),
            "quantity_fault", "basis_fault", "proceeds_fault",
            pl.when(pl.col("quantity").fill_null(0) == 0).then(pl.lit("SHARES: found none")),
            pl.when(pl.col("proceeds").is_null()).then(pl.lit("SALES PRICE: found none")),
        ),
    )  # fmt: skip
    return finish(frame, context, FORM_1099.family)


def _is_transfers(names: list[str]) -> bool:
    return len(names) <= 2 * len(_TRANSFERS) + 10 and set(names) >= _TRANSFERS


TRADES = Source(
    name="robinhood_trades", version="1", identify=lambda head: find_header(head, lambda names: tuple(names) == _TRADES),
    parse=parse_trades, family="robinhood", depends=of_zone,
)  # fmt: skip
TRANSFERS = Source(
    name="robinhood_transfers", version="1", identify=lambda head: find_header(head, _is_transfers),
    parse=parse_transfers, family="robinhood", depends=of_zone,
)  # fmt: skip
FORM_1099 = Source(
    name="robinhood_1099", version="1", identify=identify_1099, parse=parse_1099, family="robinhood_1099",
    only_checks=True,
)  # fmt: skip
