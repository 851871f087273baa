"""KuCoin's fills, orders, deposits and withdrawals, and account history, from 2018 to the bundle of today.

Fills are the ledger of trades: orders state them again as sums. The account history is the ledger of everything else
(deposits, withdrawals, rewards, conversions), which deposit and withdrawal files state again with their hashes; its
rows of trades have neither order nor counter side and are asked for as fills.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
    with_numbers,
)
from transforms.sources.exchange import (
    amount_faults,
    clocked,
    columns,
    european,
    fee_faults,
    side_fault,
    ticker,
    traded,
    with_pair,
)

_ZONED = re.compile(r"(?P<name>(?:Filled |Order )?Time|tradeCreatedAt)(?:\(UTC(?P<offset>[+-]\d{1,2}(?::\d{2})?)?\))?")
_SINGAPORE = "+08:00"
"""The clock of the layouts whose header names no zone."""
# by the column that tells a layout: time, symbol, side, amount, total, fee, fee asset ("" is the market's quote)
_LAYOUTS: dict[str, tuple[str, str, str, str, str, str, str]] = {
    "Filled Volume": ("Filled Time", "Symbol", "Side", "Filled Amount", "Filled Volume", "Fee", "Fee Currency"),
    "tradeCreatedAt": ("tradeCreatedAt", "symbol", "side", "size", "funds", "fee", "feeCurrency"),
    "dealValue": ("createdDate", "symbol", "direction", "amount", "dealValue", "fee", ""),
    "amount_coin": ("created_at", "symbol", "direction", "amount_coin", "funds", "fee", ""),
    "deal_value": ("created_at", "symbol", "direction", "amount", "deal_value", "fee", ""),
}
_MOVES = {"Coin", "Amount", "Fee", "Status", "Remarks", "Transfer Network"}
_HISTORY = {"Currency", "Side", "Amount", "Fee", "Remark"}
_INSIDE = r"^(?:transfer|main account transfer|trading account transfer|inner transfer|sub-account transfer|staking|unstaking|redemption|earn subscription|earn redemption|pool-x lock|pool-x unlock)$"
_TRADES = r"^(?:spot|exchange|trade|spot trade|deal|trading)$"
_CONVERTS = r"^(?:convert|convert market|fast trade|convert dust to kcs|convert to kcs|small assets)"
_INCOME = {
    "rewards": "reward", "kucoin event": "reward", "kucoin bonus": "reward", "referral bonus": "reward",
    "kcs bonus": "reward", "distribution": "airdrop", "airdrop": "airdrop", "fork": "fork",
    "staking profits": "staking", "earn profit": "interest", "soft staking profits": "staking",
    "lending profits": "interest", "interest": "interest",
}  # fmt: skip
_LOANS = {"borrowings": "borrow", "margin borrow": "borrow", "repayment": "repay", "margin repay": "repay", "interest paid": "margin_interest"}  # fmt: skip


def _zones(names: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """By plain name of a time column its name in the file and its offset (None: the header names none)."""
    found = [(name, match) for name in names if (match := _ZONED.fullmatch(name.strip().lstrip(",")))]
    return {match["name"]: (name, (match["offset"] or "") if "(" in match[0] else None) for name, match in found}


def _layout(names: list[str]) -> str | None:
    plain = {*names, *_zones(names)}
    return next((key for key, needed in _LAYOUTS.items() if key in plain and {*needed[:5]} <= plain), None)


def _are_orders(names: list[str]) -> bool:
    return "Order Time" in _zones(names) or "oid" in names


def identify(head: list[list[str]]) -> int | None:
    """The row with the columns of fills, of any year."""
    return find_header(head, lambda names: _layout(names) is not None and not _are_orders(names))


def identify_orders(head: list[list[str]]) -> int | None:
    """The row with the columns of orders: the time of the order beside that of its filling."""
    return find_header(head, lambda names: _layout(names) is not None and _are_orders(names))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row a fill; numbers may have decimal commas; times are at the offset in the header's name."""
    return finish(_trades(rows, context), context, FILLS.family)


def parse_orders(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row an order, with the sums of its fills; an order that was not filled is ignored."""
    frame = _trades(columns(rows, "Status"), context)
    nothing = (pl.col("amount").fill_null(1) == 0) & (pl.col("total").fill_null(1) == 0)
    return finish(frame.with_columns(ignore=pl.when(nothing).then(pl.lit("an order of which nothing was filled"))), context, ORDERS.family)  # fmt: skip


def _trades(rows: pl.DataFrame, context: Context) -> pl.DataFrame:
    layout = _layout(rows.columns) or ""
    time, symbol, side, amount, total, fee, fee_asset = _LAYOUTS[layout]
    frame = _timed(columns(rows, fee), time, context)
    frame = with_pair(frame, symbol).with_columns(
        side=filled(side).str.to_lowercase(),
        **{name: european(pl.col(cell)) for name, cell in (("a", amount), ("t", total), ("f", fee))},
    )
    frame = with_numbers(frame, amount="a", total="t", fees="f")
    frame = frame.with_columns(fee_asset=ticker(fee_asset) if fee_asset else pl.col("quote"))
    order = next((name for name in ("Order ID", "orderId", "oid") if name in rows.columns), None)
    return frame.with_columns(
        order=filled(order) if order else pl.lit(None, pl.String),
        reject=pl.coalesce(
            "date_fault", side_fault(pl.col("side"), side), "pair_fault", *amount_faults("amount", "total"),
            *fee_faults("fees", "fee_asset"),
        ),
        **traded(pl.col("side") == "buy"),
    ).with_columns(
        row_key=content_id("", "occurred_at", "order", "base", "quote", "side", "amount", "total", "fees", "fee_asset")
    )  # fmt: skip


def _timed(rows: pl.DataFrame, plain: str, context: Context) -> pl.DataFrame:
    name, offset = _zones(rows.columns).get(plain, (plain, None))
    return clocked(rows, name, _SINGAPORE if offset is None else offset, context)


def identify_moves(head: list[list[str]]) -> int | None:
    """The row with the columns of a deposit or withdrawal file of the bundle."""
    return find_header(head, lambda names: set(names) >= _MOVES and "Time" in _zones(names))


def parse_moves(rows: pl.DataFrame, context: Context) -> Parsed:
    """Deposits and withdrawals; a withdrawal's fee is beside its amount.

    A withdrawal file has the address it went to, a deposit file the address or the remark "Deposit"; where one file has
    both kinds the remark tells. A deposit with a fee is not read: whether the amount is before or after it is not said.
    """
    frame = with_numbers(_timed(rows, "Time", context), amount="Amount", fees="Fee").with_columns(
        asset=ticker("Coin"), remark=filled("Remarks"), state=filled("Status").str.to_uppercase()
    )  # fmt: skip
    leaves = "Withdrawal Address/Account" in rows.columns
    arrives = "Deposit Address" in rows.columns
    word = pl.col("remark").str.to_lowercase()
    out = pl.lit(leaves) | (pl.lit(not arrives) & word.str.starts_with("withdraw").fill_null(value=False))
    into = pl.lit(arrives) | (pl.lit(not leaves) & word.str.starts_with("deposit").fill_null(value=False))
    frame = columns(frame, "Hash").with_columns(
        kind=pl.when(out).then(pl.lit("withdrawal")).when(into).then(pl.lit("deposit")),
        tx_id=filled("Hash"), note=pl.col("remark"),
        row_key=content_id("", "occurred_at", "asset", "amount", "fees", "Hash", "remark"),
        ignore=pl.when(pl.col("state").is_in(["FAILURE", "FAILED", "CANCELED", "CANCELLED", "PROCESSING", "WALLET_PROCESSING", "REVIEW"])).then(pl.lit("a move that did not happen, or not yet")),
    )  # fmt: skip
    return finish(_moved(frame, out), context, MOVES.family)


def _moved(frame: pl.DataFrame, out: pl.Expr) -> pl.DataFrame:
    into = ~out
    return frame.with_columns(
        sent_quantity=pl.when(out).then("amount"), received_quantity=pl.when(into).then("amount"),
        fee_quantity=pl.when(out).then("fees"),
        **{f"{side}_asset": pl.col("asset") for side in ("sent", "received", "fee")},
        **{f"{side}_rounded": pl.col("amount_rounded") for side in ("sent", "received")},
        fee_rounded=pl.col("fees_rounded"),
        reject=pl.coalesce(
            reason(pl.col("state") != "SUCCESS", "unknown status {}: expected SUCCESS", pl.col("Status")),
            reason(pl.col("state").is_null(), "unknown status {}: expected SUCCESS", pl.col("Status")),
            "date_fault",
            reason(pl.col("kind").is_null(), "remark {}: expected Deposit or Withdrawal, for the columns do not tell", pl.col("Remarks")),
            *amount_faults("amount"), *fee_faults("fees", "asset"),
            pl.when(into & (pl.col("fees") > 0)).then(pl.lit("a deposit with a fee: whether the amount is before or after it is not said, enter it in the universal format")),
        ),
    )  # fmt: skip


def identify_history(head: list[list[str]]) -> int | None:
    """The row with the columns of an account history."""
    return find_header(head, lambda names: set(names) >= _HISTORY and "Time" in _zones(names))


def parse_history(rows: pl.DataFrame, context: Context) -> Parsed:
    """Everything but trades; an amount includes its fee. Rows of a conversion share their second and their type."""
    frame = with_numbers(_timed(columns(rows, "Type"), "Time", context), amount="Amount", fees="Fee").with_columns(
        asset=ticker("Currency"), side=filled("Side").str.to_lowercase(), remark=filled("Remark"),
        what=pl.coalesce(filled("Remark"), filled("Type"), filled("Side")).str.to_lowercase(),
        type=filled("Type").str.to_lowercase(),
    )  # fmt: skip
    out, into = pl.col("side") == "withdrawal", pl.col("side") == "deposit"
    what = pl.col("what")
    converts = what.str.contains(_CONVERTS) | pl.col("type").str.contains(_CONVERTS).fill_null(value=False)
    distribution = what.str.contains("distribution")
    income = pl.when(distribution).then(pl.lit("airdrop")).otherwise(what.replace_strict(_INCOME, default=None))
    plain = what.str.contains(r"^(?:deposit|withdraw|withdrawal)$")
    loan = what.replace_strict(_LOANS, default=None)
    small = (pl.col("amount").abs() < 10**15) & (pl.col("fees").abs() < 10**15)
    net = pl.when(small & out).then(pl.col("amount") - pl.col("fees").fill_null(0)).otherwise("amount")
    group = pl.format("convert:{}:{}", pl.coalesce("type", "what"), pl.col("occurred_at").dt.epoch("s"))
    unknown = ~(converts | income.is_not_null() | plain | loan.is_not_null() | what.str.contains(_TRADES))
    frame = frame.with_columns(
        row_key=content_id("", "occurred_at", "asset", "side", "amount", "fees", "what"),
        note=pl.coalesce("remark", filled("Type")),
        group_key=pl.when(converts).then(group), fact=pl.when(converts).then(group),
        kind=pl.when(converts).then(None).when(plain).then(pl.when(out).then(pl.lit("withdrawal")).otherwise(pl.lit("deposit"))).otherwise(pl.coalesce(income, loan)),
        ignore=pl.when(what.str.contains(_INSIDE)).then(pl.lit("a move inside the account")),
        sent_quantity=pl.when(out).then(net), received_quantity=pl.when(into).then("amount"), fee_quantity=pl.when(out).then("fees"),
        **{f"{side}_asset": pl.col("asset") for side in ("sent", "received", "fee")},
        **{f"{side}_rounded": pl.col("amount_rounded") for side in ("sent", "received")},
        fee_rounded=pl.col("fees_rounded"),
        reject=pl.coalesce(
            reason(~pl.col("side").is_in(["deposit", "withdrawal"]).fill_null(value=False), "unknown side {}: expected Deposit or Withdrawal", pl.col("Side")),
            pl.when(what.str.contains(_TRADES)).then(pl.lit("half of a trade, without its order: hand in the fills (Order Splitting) export")),
            reason(unknown.fill_null(value=True), f"unknown remark {{}}: expected Deposit, Withdrawal, Transfer, a conversion or one of {one_of(_INCOME)}", pl.col("Remark")),
            "date_fault", *amount_faults("amount"), *fee_faults("fees", "asset"),
            reason(out & income.is_not_null(), "{} takes units away: expected the side Deposit", pl.col("Remark")),
            pl.when(into & (pl.col("fees") > 0)).then(pl.lit("a receipt with a fee: whether the amount is before or after it is not said, enter it in the universal format")),
        ),
    )  # fmt: skip
    return finish(frame, context, HISTORY.family)


FILLS = Source(name="kucoin_fills", version="1", identify=identify, parse=parse, family="kucoin_fills")
ORDERS = Source(
    name="kucoin_orders",
    version="1",
    identify=identify_orders,
    parse=parse_orders,
    family="kucoin_orders",
    checks="kucoin_fills",
)
MOVES = Source(
    name="kucoin_moves",
    version="1",
    identify=identify_moves,
    parse=parse_moves,
    family="kucoin_moves",
    checks="kucoin_account",
)
HISTORY = Source(
    name="kucoin_account", version="1", identify=identify_history, parse=parse_history, family="kucoin_account"
)
