"""Coinbase's reports beside its history: wallets and transfers of 2013-18, gains and losses. The history does not belong here."""

from __future__ import annotations

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
    local_time,
    of_zone,
    reason,
    usd,
    utc_time,
    with_numbers,
)

_WALLET = (
    "Timestamp", "Balance", "Amount", "Currency", "To", "Notes", "Instantly Exchanged", "Transfer Total",
    "Transfer Total Currency", "Transfer Fee", "Transfer Fee Currency", "Transfer Payment Method", "Transfer ID",
)  # fmt: skip
_TRANSFERS = ("Subtotal", "Fees", "Total", "Currency", "Price Per Coin", "Payment Method", "ID", "Share")
_GAIN_LOSS = (
    "Transaction Type", "Transaction ID", "Tax lot ID", "Asset name", "Amount", "Date Acquired", "Cost basis (USD)",
    "Date of Disposition", "Proceeds (USD)", "Gains (Losses) (USD)", "Holding period (Days)", "Data source",
)  # fmt: skip
_CENTS = pl.lit("0.02").cast(pl.Decimal(38, 18))
"""Totals and parts are each rounded to cents."""


def _old_times(column: str, context: Context) -> dict[str, pl.Expr]:
    """Times of 2013-18: with an offset, or as 5/6/12 1:12 (month first) on the account's clock."""
    text = pl.col(column).str.strip_chars()
    stated = utc_time(text, "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%dT%H:%M:%S%z")
    naive = local_time(text, context.time_zone, "%m/%d/%y %H:%M", "%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M:%S")
    return {
        "occurred_at": pl.coalesce(stated, naive),
        "time_text": pl.col(column),
        "time_expected": pl.lit("M/D/YY H:MM, or YYYY-MM-DD HH:MM:SS -0800" if context.time_zone else ZONE_ASKED),
    }


def _is_wallet(names: list[str]) -> bool:
    return len(names) <= len(_WALLET) + 20 and tuple(names[: len(_WALLET)]) == _WALLET


def parse_wallet(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of a wallet's report, one file a wallet: the amount signed in its coin, a trade's other side as a transfer.

    The transfer total holds the fee: of a purchase it is what was paid, of a sale what came in.
    """
    names = {name: "identity" for name in rows.columns if name.startswith("Coinbase ID")}
    names |= {name: "hash" for name in rows.columns if name.endswith("Hash") or " Hash (" in name}
    frame = rows.rename(names)
    frame = frame.with_columns(pl.lit("").alias(name) for name in ("identity", "hash") if name not in frame.columns)
    frame = with_numbers(frame, balance="Balance", amount="Amount", total="Transfer Total", fee="Transfer Fee")
    frame = frame.with_columns(
        **_old_times("Timestamp", context),
        asset=filled("Currency").str.to_uppercase(),
        money=filled("Transfer Total Currency").str.to_uppercase(),
        note=filled("Notes"),
        tx_id=filled("hash"),
        row_key=pl.coalesce(
            pl.format("id:{}:{}", filled("identity"), filled("Currency")),
            content_id("", "Timestamp", "amount", "Currency", "balance", "Notes"),
        ),
    )
    buys, sells = (_traded() & (pl.col("amount") > 0), _traded() & (pl.col("amount") < 0))
    moves, fee_alone = ~_traded(), pl.col("amount").is_null() & (pl.col("fee") > 0)
    fee = pl.when(_traded() | fee_alone).then("fee")
    amount, paid = pl.col("amount").abs(), pl.col("total") - pl.col("fee").fill_null(0)
    got = pl.col("total") + pl.col("fee").fill_null(0)
    frame = frame.with_columns(
        sent_quantity=pl.when(buys).then(paid).when(pl.col("amount") < 0).then(amount),
        sent_asset=pl.when(buys).then("money").otherwise("asset"),
        received_quantity=pl.when(sells).then(got).when(pl.col("amount") > 0).then(amount),
        received_asset=pl.when(sells).then("money").otherwise("asset"),
        fee_quantity=fee,
        fee_asset=filled("Transfer Fee Currency").str.to_uppercase(),
        sent_rounded="amount_rounded",
        received_rounded="amount_rounded",
        kind=pl.when(fee_alone).then(pl.lit("fee"))
        .when(moves & (pl.col("amount") < 0)).then(pl.lit("withdrawal"))
        .when(moves).then(pl.lit("deposit")),
        balance_side=pl.when(pl.col("amount") < 0).then(pl.lit("sent")).otherwise(pl.lit("received")),
        ignore=pl.when(pl.col("asset").is_in(FIAT) & pl.col("Notes").str.contains(r"(?i)^\s*(bought|sold|paid for) ")).then(
            pl.lit("the money of a trade that stands in its coin's report")
        ),
        reject=_wallet_fault(fee_alone),
    )  # fmt: skip
    return finish(frame, context, WALLET.family)


def _traded() -> pl.Expr:
    """Whether money was paid or received for the amount."""
    priced = (pl.col("total").fill_null(0) != 0) & pl.col("money").is_not_null()
    return (priced & (pl.col("money") != pl.col("asset"))).fill_null(value=False)


def _wallet_fault(fee_alone: pl.Expr) -> pl.Expr:
    exchanged = pl.col("Instantly Exchanged").str.strip_chars().str.to_lowercase() == "true"
    return pl.coalesce(
        *(f"{name}_fault" for name in ("amount", "balance", "total", "fee")),
        pl.when(exchanged).then(
            pl.lit(
                "instantly exchanged: enter the receipt and its sale in the universal format, with what was paid out"
            )
        ),
        pl.when(pl.col("amount").is_null() & ~fee_alone).then(pl.lit("Amount: found none")),
        pl.when((pl.col("total") < 0) | (pl.col("fee") < 0)).then(
            pl.lit("Transfer Total or Transfer Fee: found a negative one, expected none or a positive one")
        ),
        pl.when(_traded() & (pl.col("amount") > 0) & (pl.col("fee").fill_null(0) > pl.col("total"))).then(
            pl.lit("Transfer Fee: found more than the Transfer Total, which holds it")
        ),
    )


def _is_transfers(names: list[str]) -> bool:
    return len(names) == len(_TRANSFERS) + 3 and names[:2] == ["Timestamp", "Type"] and tuple(names[3:]) == _TRANSFERS


def parse_transfers(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of the report of transfers: purchases, sales, and money moved; the third column is named by its coin."""
    names = [name for name in rows.columns if name not in {"row_no", "unfit"}]
    coin, kind = names[2], pl.col("Type").str.strip_chars().str.to_lowercase()
    frame = with_numbers(rows, quantity=coin, subtotal="Subtotal", fee="Fees", total="Total").with_columns(
        **_old_times("Timestamp", context),
        money=filled("Currency").str.to_uppercase(),
        row_key=pl.coalesce(
            pl.format("id:{}", filled("ID")), content_id("", "Timestamp", "Type", coin, "Total", "Currency")
        ),
    )
    buys, sells, into, out = (kind == name for name in ("buy", "sell", "deposit", "withdrawal"))
    signed = pl.when(buys).then(pl.col("fee")).otherwise(-pl.col("fee")).fill_null(0)
    off = (pl.col("total") - pl.col("subtotal") - signed).abs() > _CENTS
    frame = frame.with_columns(
        sent_quantity=pl.when(buys).then("subtotal").when(sells).then("quantity").when(out).then("total"),
        sent_asset=pl.when(sells).then(pl.lit(coin.upper())).otherwise("money"),
        received_quantity=pl.when(buys).then("quantity").when(sells).then("subtotal").when(into).then("total"),
        received_asset=pl.when(buys).then(pl.lit(coin.upper())).otherwise("money"),
        fee_quantity=pl.when(buys | sells).then("fee"),
        fee_asset="money",
        kind=pl.when(into).then(pl.lit("deposit")).when(out).then(pl.lit("withdrawal")),
        reject=pl.coalesce(
            reason(~(buys | sells | into | out), "unknown type {}: expected one of Buy, Deposit, Sell, Withdrawal", pl.col("Type")),
            *(f"{name}_fault" for name in ("quantity", "subtotal", "fee", "total")),
            pl.when((buys | sells) & (pl.col("quantity").is_null() | pl.col("subtotal").is_null())).then(pl.lit("found no quantity or no subtotal on a trade")),
            pl.when((buys | sells) & off).then(pl.lit("found a total that is not the subtotal and the fees")),
        ),
    )  # fmt: skip
    return finish(frame, context, TRANSFERS.family)


def parse_gain_loss(rows: pl.DataFrame, context: Context) -> Parsed:
    """What Coinbase computed, a row a disposal and lot: no facts, only compared with the gains of the books.

    The sent leg is what was disposed of, and its `usd_value` the basis that Coinbase states (null: none); the received
    leg is the proceeds in USD. The day of disposition, which has no clock, is its noon in UTC; the day of acquisition
    is the note, as YYYY-MM-DD.
    """
    frame = with_numbers(
        rows, quantity="Amount", basis="Cost basis (USD)", proceeds="Proceeds (USD)", gain="Gains (Losses) (USD)"
    )
    acquired = pl.col("Date Acquired").str.strip_chars().str.to_date("%m/%d/%Y", strict=False)
    off = (pl.col("proceeds") - pl.col("basis") - pl.col("gain")).abs() > _CENTS
    frame = frame.with_columns(
        occurred_at=utc_time(pl.col("Date of Disposition").str.strip_chars() + " 12:00", "%m/%d/%Y %H:%M"),
        time_text=pl.col("Date of Disposition"),
        time_expected=pl.lit("MM/DD/YYYY"),
        row_key=content_id("", "Transaction ID", "Tax lot ID", "Asset name", "quantity", "Date of Disposition"),
        kind=pl.lit("sell"),
        note=acquired.dt.to_string("%Y-%m-%d"),
        sent_quantity="quantity",
        sent_asset=filled("Asset name").str.to_uppercase(),
        sent_usd=usd(pl.col("basis")),
        sent_rounded="quantity_rounded",
        received_quantity="proceeds",
        received_asset=pl.lit("USD"),
        received_usd=usd(pl.col("proceeds")),
        reject=pl.coalesce(
            *(f"{name}_fault" for name in ("quantity", "basis", "proceeds", "gain")),
            pl.when(pl.col("quantity").fill_null(0) == 0).then(pl.lit("Amount: found none")),
            pl.when(pl.col("proceeds").is_null()).then(pl.lit("Proceeds (USD): found none")),
            pl.when(pl.col("basis") < 0).then(pl.lit("Cost basis (USD): found a negative one")),
            pl.when(off).then(pl.lit("found a gain that is not the proceeds less the basis")),
        ),
    )
    return finish(frame, context, GAIN_LOSS.family)


WALLET = Source(
    name="coinbase_wallet", version="1", identify=lambda head: find_header(head, _is_wallet), parse=parse_wallet,
    family="coinbase_wallet", depends=of_zone, checks="coinbase",
)  # fmt: skip
TRANSFERS = Source(
    name="coinbase_transfers", version="1", identify=lambda head: find_header(head, _is_transfers),
    parse=parse_transfers, family="coinbase_transfers", depends=of_zone, checks="coinbase_wallet",
)  # fmt: skip
GAIN_LOSS = Source(
    name="coinbase_gain_loss", version="1",
    identify=lambda head: find_header(head, lambda names: tuple(names) == _GAIN_LOSS),
    parse=parse_gain_loss, family="coinbase_gain_loss", only_checks=True,
)  # fmt: skip
