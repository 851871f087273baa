"""Strike's account history, in both of its layouts. Its tax forms do not belong here."""

from __future__ import annotations

import re

import polars as pl

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
    worth,
)

_NEW = {"Transaction ID", "Time (UTC)", "Status", "Transaction Type", "Amount BTC", "Fee BTC"}
_OLD = {"Reference", "Date & Time (UTC)", "Transaction Type", "Amount BTC", "Fee BTC"}
_TYPES = {
    "purchase": "buy", "sale": "sell", "sell": "sell", "deposit": "in", "receive": "in", "withdrawal": "out",
    "send": "out", "loan": "loan",
}  # fmt: skip
_DONE, _NOT_DONE = ("completed",), ("pending", "failed", "reversed", "cancelled", "canceled", "expired")
_CENT = pl.lit("0.01").cast(pl.Decimal(38, 6))


def _money(names: list[str]) -> str | None:
    """The currency of the amounts, which only the columns' names tell."""
    found = [match[1] for name in names if (match := re.fullmatch(r"Amount ([A-Z]{3})", name)) and match[1] != "BTC"]
    return found[0] if len(found) == 1 and f"Fee {found[0]}" in names else None


def identify(head: list[list[str]]) -> int | None:
    """The row with the names of either layout, for any one currency."""

    def fits(names: list[str]) -> bool:
        return len(names) <= 20 and (set(names) >= _NEW or set(names) >= _OLD) and _money(names) is not None

    return find_header(head, fits)


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Strike's rows: money and bitcoin of a purchase or sale may stand in one row or in two of one reference.

    Whether a trade's amount holds its fee the rate tells; where the row has none, it does.
    """
    money = _money(rows.columns) or ""
    new = set(rows.columns) >= _NEW
    time, ref = ("Time (UTC)", "Transaction ID") if new else ("Date & Time (UTC)", "Reference")
    rate = next((name for name in ("Exchange Rate", "BTC Price") if name in rows.columns), "")
    optional = ("Status", "Description", "Transaction Hash")
    frame = rows.with_columns(pl.lit("").alias(name) for name in optional if name not in rows.columns)
    frame = with_numbers(
        frame, cash=f"Amount {money}", fee=f"Fee {money}", coins="Amount BTC", chain_fee="Fee BTC", rate=rate
    ).with_columns(
        what=pl.col("Transaction Type").str.strip_chars().str.to_lowercase(),
        status=pl.col("Status").str.strip_chars().str.to_lowercase(),
        ref=filled(ref),
        time_text=pl.col(time),
        time_expected=pl.lit("as Jun 01 2026 13:00:35"),
        occurred_at=utc_time(pl.col(time).str.strip_chars(), "%b %d %Y %H:%M:%S", "%Y-%m-%d %H:%M:%S"),
        row_key=pl.format("id:{}:{}:{}", filled(ref), _text("cash"), _text("coins")),
        tx_id=filled("Transaction Hash"),
        note=filled("Description"),
    )
    frame = frame.with_columns(action=pl.col("what").replace_strict(_TYPES, default=None, return_dtype=pl.String))
    return finish(_sides(_gross(frame), money, new=new), context, SOURCE.family)


def _text(amount: str) -> pl.Expr:
    """An amount in a key: the two rows of one reference are told apart by it."""
    return pl.col(amount).fill_null(0).cast(pl.String)


def _gross(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `gross`: what a trade's bitcoin cost or brought before the fee."""
    amount, fee = pl.col("cash").abs(), pl.col("fee").fill_null(0)
    at_rate = worth(pl.col("coins").abs(), pl.col("rate"))
    beside = ((at_rate - amount.cast(pl.Decimal(38, 6), strict=False)).abs() <= _CENT).fill_null(value=False)
    inside = pl.when(pl.col("action") == "buy").then(amount - fee).otherwise(amount + fee)
    return frame.with_columns(gross=pl.when(beside | (fee == 0)).then(amount).otherwise(inside))


def _sides(frame: pl.DataFrame, money: str, *, new: bool) -> pl.DataFrame:
    action, coins, cash = pl.col("action"), pl.col("coins").abs(), pl.col("cash").abs()
    trade, has_coins = action.is_in(["buy", "sell"]), pl.col("coins").fill_null(0) != 0
    has_cash = pl.col("cash").fill_null(0) != 0
    moved, unit = (
        pl.when(has_coins).then(coins).otherwise(cash),
        pl.when(has_coins).then(pl.lit("BTC")).otherwise(pl.lit(money)),
    )
    signed = pl.when(has_coins).then("coins").otherwise("cash")
    loan = action == "loan"
    out, into = (action == "out") | (loan & (signed < 0)), (action == "in") | (loan & (signed > 0))
    value = pl.when(trade & has_cash).then(usd(pl.col("gross"))) if money == "USD" else pl.lit(None, pl.Decimal(18, 6))
    both = loan & has_coins & has_cash
    # a positive amount of what leaves is the way the older layout writes it
    wrong = (action == "in") & (signed < 0)
    wrong |= (action == "buy") & ((pl.col("coins") < 0) | ((pl.col("cash") > 0) & pl.lit(new)))
    wrong |= (action == "sell") & (((pl.col("coins") > 0) & pl.lit(new)) | (pl.col("cash") < 0))
    wrong |= (action == "out") & (signed > 0) & pl.lit(new)
    return frame.with_columns(
        sent_quantity=pl.when(action == "buy").then("gross").when(action == "sell").then(coins).when(out).then(moved),
        sent_asset=pl.when(action == "buy").then(pl.lit(money)).when(action == "sell").then(pl.lit("BTC")).otherwise(unit),
        received_quantity=pl.when(action == "buy").then(coins).when(action == "sell").then("gross").when(into).then(moved),
        received_asset=pl.when(action == "buy").then(pl.lit("BTC")).when(action == "sell").then(pl.lit(money)).otherwise(unit),
        fee_quantity=pl.when(trade | ~has_coins).then("fee").otherwise("chain_fee"),
        fee_asset=pl.when(trade | ~has_coins).then(pl.lit(money)).otherwise(pl.lit("BTC")),
        sent_usd=value,
        received_usd=value,
        group_key=pl.when(trade).then("ref"),
        fact=pl.when(trade).then("ref"),
        kind=pl.when(loan & has_coins).then(pl.when(signed < 0).then(pl.lit("collateral_out")).otherwise(pl.lit("collateral_in")))
        .when(loan).then(pl.when(signed < 0).then(pl.lit("repay")).otherwise(pl.lit("borrow")))
        .when(action == "in").then(pl.lit("deposit")).when(action == "out").then(pl.lit("withdrawal")),
        ignore=pl.when(pl.col("status").is_in(list(_NOT_DONE))).then(pl.lit("a transaction that did not take place, or not yet"))
        .when(pl.col("ref").is_null() & pl.col("action").is_not_null() & pl.lit(not new)).then(pl.lit("a transaction without a reference: it failed")),
        reject=pl.coalesce(
            reason(action.is_null(), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("Transaction Type")),
            reason(pl.lit(new) & ~pl.col("status").is_in(list(_DONE)), "Status: found {}, expected Completed, Pending, Failed or Reversed", pl.col("Status")),
            *(f"{name}_fault" for name in ("cash", "fee", "coins", "chain_fee", "rate")),
            pl.when(~has_coins & ~has_cash).then(pl.lit("found neither an amount of money nor of bitcoin")),
            pl.when(both).then(pl.lit("a loan of both money and bitcoin: enter its parts in the universal format")),
            pl.when((pl.col("fee") < 0) | (pl.col("chain_fee") < 0)).then(pl.lit("found a negative fee")),
            reason(wrong.fill_null(value=False), "found an amount of the other direction than {} says", pl.col("what")),
            pl.when(pl.col("ref").is_null()).then(pl.lit("Transaction ID: found none")),
        ),
    )  # fmt: skip


SOURCE = Source(name="strike", version="1", identify=identify, parse=parse, family="strike")
