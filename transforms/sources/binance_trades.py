"""Binance's trade, order and interest histories. The statement, which has every movement, is the ledger: these check it.

An account without a statement has its trades from here; deposits, rewards and conversions are in none of them.
"""

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
    with_numbers,
)
from transforms.sources.exchange import (
    amount_faults,
    clocked,
    european,
    fee_faults,
    side_fault,
    ticker,
    traded,
    with_pair,
)

_DATES = {"Date(UTC)", "Date"}
_GLUED = ["Pair", "Side", "Price", "Executed", "Amount", "Fee"]
_TABLED = ["Market", "Type", "Price", "Amount", "Total", "Fee", "Fee Coin"]
_ORDER = ["Order Price", "Order Amount", "AvgTrading Price", "Filled", "Total", "status"]
_NUMBER = r"^([+-]?[0-9][0-9,]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?)"
_FILLS = ("date", "price", "filled", "total", "fee")


def identify(head: list[list[str]]) -> int | None:
    """The row with the columns of a trade history, with units glued to the numbers or in a column."""
    return find_header(head, lambda names: names[:1] != [] and names[0] in _DATES and names[1:] in (_GLUED, _TABLED))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row a fill; `Date(UTC)` is UTC, a bare `Date` on the account's clock. Fees may be in a third coin."""
    date = rows.columns[1]
    frame = clocked(rows, date, "" if date == "Date(UTC)" else None, context)
    frame = frame.with_columns(time_expected=pl.lit(ZONE_ASKED if date == "Date" and not context.time_zone else None))
    frame = _unglued(frame) if "Executed" in rows.columns else _tabled(frame)
    return _finished(frame, context, TRADES.family)


def _tabled(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(fee_asset=ticker("Fee Coin"), side=filled("Type"))
    return with_numbers(
        with_pair(frame, "Market", "fee_asset"), amount="Amount", total="Total", fees="Fee", price="Price"
    )


def _unglued(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers and units of `0.0416BTC`: a unit may begin with a digit (1INCH), so it is read off the market's sides."""
    total, done, fee = (pl.col(name).str.strip_chars() for name in ("Amount", "Executed", "Fee"))
    pair = ticker("Pair")
    quote = total.str.replace(_NUMBER, "").str.to_uppercase()
    base = pair.str.strip_suffix(quote)
    fits = (quote != "") & (base != "") & (base != pair) & done.str.to_uppercase().str.ends_with(base)
    fee_asset = _unit(fee, base, quote)
    frame = frame.with_columns(base=base, quote=quote, fee_asset=fee_asset, side=filled("Side")).with_columns(
        pair_fault=pl.when(~fits.fill_null(value=False)).then(
            pl.lit("found units that are not the two assets of the market")
        ),
        done=done.str.to_uppercase().str.strip_suffix(pl.col("base")),
        total_text=total.str.to_uppercase().str.strip_suffix(pl.col("quote")),
        fee_text=fee.str.to_uppercase().str.strip_suffix(pl.col("fee_asset")),
    )
    return with_numbers(frame, amount="done", total="total_text", fees="fee_text", price="Price").with_columns(
        fee_asset=pl.when(pl.col("fee_asset") != "").then("fee_asset")
    )


def _unit(fee: pl.Expr, base: pl.Expr, quote: pl.Expr) -> pl.Expr:
    """The unit of a fee such as `0.01051INCH`: a side of the market where the text ends with it, else its letters."""
    text = fee.str.to_uppercase()
    return (
        pl.when(text.str.ends_with(base)).then(base)
        .when(text.str.ends_with(quote)).then(quote)
        .otherwise(text.str.replace(_NUMBER, ""))
    )  # fmt: skip


def _finished(frame: pl.DataFrame, context: Context, family: str, *faults: pl.Expr) -> Parsed:
    side = pl.col("side").str.to_lowercase()
    frame = frame.with_columns(
        row_key=content_id("", "occurred_at", "base", "quote", "side", "amount", "total", "fees", "fee_asset"),
        reject=pl.coalesce(
            *faults, "date_fault", side_fault(pl.col("side"), "side"), "pair_fault", *amount_faults("amount", "total"),
            *fee_faults("fees", "fee_asset"),
        ),
        **traded(side == "buy"),
    )  # fmt: skip
    return finish(frame, context, family)


def identify_interest(head: list[list[str]]) -> int | None:
    """The row with the four columns of the interest of savings and Simple Earn."""
    return find_header(head, lambda names: names[:4] == ["Date(UTC)", "Product Name", "Coin", "Amount"])


def parse_interest(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row a payment of interest."""
    frame = with_numbers(clocked(rows, "Date(UTC)", "", context), amount="Amount").with_columns(
        received_asset=ticker("Coin"), product=filled("Product Name"), kind=pl.lit("interest")
    )
    frame = frame.with_columns(
        row_key=content_id("", "occurred_at", "product", "received_asset", "amount"),
        received_quantity="amount", received_rounded="amount_rounded", note="product",
        reject=pl.coalesce("date_fault", *amount_faults("amount")),
    )  # fmt: skip
    return finish(frame, context, INTEREST.family)


def identify_orders(head: list[list[str]]) -> int | None:
    """The row with the columns of an order; a blank cell, then `Date(UTC)` begins the header of its fills."""
    return find_header(
        head, lambda names: names[:1] == ["Date(UTC)"] and set(names) >= {"Pair", "Type", *_ORDER} and len(names) >= 9
    )


def parse_orders(rows: pl.DataFrame, context: Context) -> Parsed:
    """The indented fills under each order; the order gives the market and the side.

    An order's fills are read only where they sum to what the order says was filled: a lost line must not give its fills
    to the order above.
    """
    cells = [name for name in rows.columns if name not in {"row_no", "unfit"}]
    first = pl.col(cells[0]).str.strip_chars() != ""
    under = pl.col(cells[1]).str.strip_chars() == "Date(UTC)"
    frame = rows.with_columns(
        is_order=first, is_names=~first & under, order=first.cum_sum(),
        **{name: pl.when(~first).then(european(pl.col(cell))) for name, cell in zip(_FILLS, cells[1:], strict=False)},
        pair=pl.when(first).then("Pair"), side=pl.when(first).then(filled("Type")),
        ordered=pl.when(first).then(european(pl.col("Filled"))),
    )  # fmt: skip
    frame = with_pair(frame.with_columns(pl.col("pair", "side").forward_fill()), "pair")
    unit = _unit(filled("fee"), pl.col("base"), pl.col("quote"))
    frame = frame.with_columns(fee_text=filled("fee").str.to_uppercase().str.strip_suffix(unit), fee_asset=unit)
    frame = with_pair(frame, "pair", "fee_asset")
    frame = with_numbers(frame, amount="filled", total="total", fees="fee_text", ordered="ordered")
    frame = clocked(frame, "date", "", context).with_columns(_order_fault().over("order").alias("order_fault"))
    status = pl.col("status").str.strip_chars().str.to_lowercase()
    nothing = (
        pl.col("is_order") & (pl.col("ordered").fill_null(0) == 0) & status.str.contains("cancel|expire|reject|new")
    )
    frame = frame.with_columns(
        fee_asset=pl.when(pl.col("fee_asset") != "").then("fee_asset"),
        ignore=pl.when(nothing).then(pl.lit("an order of which nothing was filled"))
        .when(pl.col("is_order") & pl.col("order_fault").is_null()).then(pl.lit("the order: its fills are the rows below"))
        .when(pl.col("is_names")).then(pl.lit("the header of the fills")),
    )  # fmt: skip
    return _finished(frame, context, ORDERS.family, pl.col("order_fault"))


def _order_fault() -> pl.Expr:
    filled_units = pl.when(~pl.col("is_order") & ~pl.col("is_names")).then("amount").sum()
    wanted = pl.col("ordered").sum()
    broken = (pl.col("unfit").is_not_null() & ~pl.col("is_names")).any()
    return (
        pl.when((pl.col("order") == 0).any())
        .then(pl.lit("a fill without an order above it"))
        .when(broken | (filled_units != wanted))
        .then(pl.lit("the fills under this order do not sum to what it says was filled"))
    )


TRADES = Source(
    name="binance_trades",
    version="1",
    identify=identify,
    parse=parse,
    family="binance_trades",
    depends=of_zone,
    checks="binance_statement",
)
ORDERS = Source(
    name="binance_orders",
    version="1",
    identify=identify_orders,
    parse=parse_orders,
    family="binance_orders",
    checks="binance_statement",
)
INTEREST = Source(
    name="binance_interest",
    version="1",
    identify=identify_interest,
    parse=parse_interest,
    family="binance_interest",
    checks="binance_statement",
)
