"""Coinbase Pro, Exchange and Advanced: the account's statement and its fills. The retail history does not belong here."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from schemas.fields import QUANTITY
from transforms.ids import content_id
from transforms.sources.base import (
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    one_of,
    product,
    reason,
    usd,
    utc_time,
    with_numbers,
)
from transforms.sources.exchange import traded

_STATEMENT = ("type", "time", "amount", "balance", "amount/balance unit", "transfer id", "trade id", "order id")
_FILLS = (
    "trade id", "product", "side", "created at", "size", "size unit", "price", "fee", "total", "price/fee/total unit",
)  # fmt: skip
_TYPES = {
    "deposit": "deposit", "withdrawal": "withdrawal", "match": None, "fee": None, "conversion": None, "rebate": "reward",
}  # fmt: skip
_ISO = "%Y-%m-%dT%H:%M:%S%.f"
_SHOWN = {digits: Decimal(1).scaleb(-digits) for digits in range(8, 19)}
"""A unit of the last digit shown, of totals that show at least eight decimals."""


def _plain(names: list[str]) -> tuple[str, ...]:
    """Names in small letters, without the portfolio, which older exports lack; `timestamp` is a later name of time."""
    lower = [name.lower().replace("timestamp", "time") for name in names]
    return tuple(lower[1:] if lower[:1] == ["portfolio"] else lower)


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    names = {
        name: name.lower().replace("timestamp", "time") for name in rows.columns if name not in {"row_no", "unfit"}
    }
    frame = rows.rename(names)
    return frame if "portfolio" in frame.columns else frame.with_columns(portfolio=pl.lit(""))


def _time(column: str) -> dict[str, pl.Expr]:
    return {
        "occurred_at": utc_time(pl.col(column).str.strip_chars().str.replace(r"[zZ]$", ""), _ISO),
        "time_text": pl.col(column),
        "time_expected": pl.lit("YYYY-MM-DDTHH:MM:SS.sssZ"),
    }


def parse_statement(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of the statement, a row a leg: a trade is two matches and at most one fee of one order's trade.

    A trade id is unique within a product alone, and an order is of one product: the two together name a trade.
    """
    frame = with_numbers(_named(rows), amount="amount", balance="balance").with_columns(
        **_time("time"),
        what=pl.col("type").str.strip_chars().str.to_lowercase(),
        unit=filled("amount/balance unit").str.to_uppercase(),
        order=filled("order id"),
        trade=filled("trade id"),
        transfer=filled("transfer id"),
        place=pl.when(pl.col("portfolio").str.strip_chars() != "default").then(filled("portfolio")),
    )
    what, amount = pl.col("what"), pl.col("amount")
    traded = what.is_in(["match", "fee"])
    key = (
        "time", "portfolio", "what", "amount", "unit", "balance", "transfer", "trade", "order",
    )  # fmt: skip
    frame = frame.with_columns(
        row_key=content_id("", *key),
        group_key=pl.when(traded).then(pl.format("{}:{}", "order", "trade"))
        .when(what == "conversion").then(
            pl.format("conversion:{}:{}", pl.col("occurred_at").dt.epoch("us"), amount.abs())
        ),
        raw=pl.concat_str("unit", "place", separator=" ", ignore_nulls=True),
    ).with_columns(fact="group_key")  # fmt: skip
    fee = what == "fee"
    frame = frame.with_columns(
        sent_quantity=pl.when((amount < 0) & ~fee).then(-amount),
        received_quantity=pl.when(amount > 0).then(amount),
        fee_quantity=pl.when(fee & (amount < 0)).then(-amount),
        **{f"{side}_asset": pl.col("unit") for side in ("sent", "received", "fee")},
        **{f"{side}_raw": pl.col("raw") for side in ("sent", "received", "fee")},
        **{f"{side}_rounded": pl.col("amount_rounded") for side in ("sent", "received", "fee")},
        kind=what.replace_strict(_TYPES, default=None, return_dtype=pl.String),
        ignore=pl.when(what.is_in(list(_TYPES)) & (amount == 0)).then(pl.lit("nothing moved")),
        reject=_statement_fault(),
    )
    return finish(frame, context, STATEMENT.family)


def _statement_fault() -> pl.Expr:
    what, amount = pl.col("what"), pl.col("amount")
    wrong = {"deposit": amount < 0, "withdrawal": amount > 0, "fee": amount > 0, "rebate": amount < 0}
    signed = pl.any_horizontal((what == name) & bad for name, bad in wrong.items())
    unnamed = what.is_in(["match", "fee"]) & (pl.col("order").is_null() | pl.col("trade").is_null())
    return pl.coalesce(
        reason(~what.is_in(list(_TYPES)), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("type")),
        "amount_fault",
        "balance_fault",
        pl.when(amount.is_null()).then(pl.lit("amount: found none")),
        reason(signed, "amount: found one of the other direction than {} says", what),
        pl.when(unnamed).then(pl.lit("trade id or order id: found none on a trade")),
    )


def parse_fills(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of fills: the size, the size x price in the other unit, and the fee beside it.

    Total is -(size x price + fee) of a purchase and size x price - fee of a sale, to the last digit that it shows.
    """
    frame = _named(rows).with_columns(total_shown=pl.col("total").str.strip_chars())
    frame = with_numbers(frame, size="size", price="price", fee="fee", total="total")
    gross = product(pl.col("size"), pl.col("price"))
    side = pl.col("side").str.strip_chars().str.to_uppercase()
    frame = frame.with_columns(
        **_time("created at"),
        gross=gross.cast(QUANTITY),
        gross_rounded=pl.lit(value=False),
        way=side,
        base=filled("size unit").str.to_uppercase(),
        quote=filled("price/fee/total unit").str.to_uppercase(),
        row_key=pl.format("id:{}:{}:{}", filled("product").str.to_uppercase(), filled("trade id"), side),
    )
    value = pl.when(pl.col("quote") == "USD").then(usd(pl.col("gross")))
    frame = frame.with_columns(
        **traded(pl.col("way") == "BUY", "size", "gross", "fee"),
        fee_asset="quote",
        sent_usd=value,
        received_usd=value,
        reject=_fill_fault(),
    )
    return finish(frame, context, FILLS.family)


def _fill_fault() -> pl.Expr:
    signed = pl.when(pl.col("way") == "BUY").then(-(pl.col("gross") + pl.col("fee"))).otherwise(
        pl.col("gross") - pl.col("fee")
    )  # fmt: skip
    product = pl.format("{}-{}", "base", "quote")
    return pl.coalesce(
        reason(~pl.col("way").is_in(["BUY", "SELL"]), "side: found {}, expected BUY or SELL", pl.col("side")),
        *(f"{name}_fault" for name in ("size", "price", "fee", "total")),
        pl.when(pl.any_horizontal(pl.col("size", "price", "fee").is_null())).then(pl.lit("size, price or fee: found none")),
        pl.when(pl.any_horizontal(pl.col("size", "price", "fee") < 0)).then(pl.lit("size, price or fee: found a negative one")),
        pl.when(pl.col("row_key").is_null()).then(pl.lit("trade id or product: found none")),
        reason((product != filled("product").str.to_uppercase()).fill_null(value=True), "product: found {}, expected its size unit, a dash and its price unit", pl.col("product")),
        pl.when((_off(signed) > 0).fill_null(value=True)).then(pl.lit("total: found another one than size x price and the fee come to")),
    )  # fmt: skip


def _off(exact: pl.Expr) -> pl.Expr:
    """What the total differs by from the exact one, beyond what its last digit rounds where it shows eight and more."""
    decimals = pl.col("total_shown").str.extract(r"\.(\d+)$").str.len_chars()
    unit = decimals.cast(pl.Int64).replace_strict(_SHOWN, default=None, return_dtype=QUANTITY)
    away = (exact - pl.col("total")).abs()
    return pl.when(away * 2 <= unit).then(pl.lit(0).cast(QUANTITY)).otherwise(away)


STATEMENT = Source(
    name="coinbase_pro_statement", version="1",
    identify=lambda head: find_header(head, lambda names: _plain(names) == _STATEMENT),
    parse=parse_statement, family="coinbase_pro",
)  # fmt: skip
FILLS = Source(
    name="coinbase_pro_fills", version="1",
    identify=lambda head: find_header(head, lambda names: _plain(names) == _FILLS),
    parse=parse_fills, family="coinbase_pro_fills", checks="coinbase_pro",
)  # fmt: skip
