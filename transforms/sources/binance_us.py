"""Binance.US's transaction history: one row a whole event. It is this exchange's ledger."""

from __future__ import annotations

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
)
from transforms.sources.exchange import columns, fee_faults

_SIDES = ("primary", "base", "quote", "fee")
_NEEDED = {"time", "category", "operation", "transaction id", "primary asset", "base asset", "quote asset", "fee asset"}
_TRADES = ("spot trading", "buy", "sell", "quick buy", "quick sell", "convert")
_INCOME = {"staking rewards": "staking", "referral commission": "reward", "others": "airdrop"}
_CATEGORIES = (*_TRADES, "deposit", "withdrawal", "distribution")


def identify(head: list[list[str]]) -> int | None:
    """The row with the four assets' columns, their names with underscores or (older) with blanks."""
    return find_header(head, lambda names: set(_plain(names)) >= _NEEDED)


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of whole events; times are UTC.

    Of a spot trade the operation says whether the base asset was bought or sold. Of a purchase, sale or conversion the
    base asset is what was given and the quote asset what was acquired.
    """
    names = [name for name in rows.columns if name not in {"row_no", "unfit"}]
    rows = rows.rename(dict(zip(names, _plain(names), strict=True)))
    for side in _SIDES:
        amount = f"realized amount for {side} asset"
        rows = columns(rows, amount, f"{amount} in usd value")
        rows = with_numbers(rows, **{side: amount, f"{side}_worth": f"{amount} in usd value"})
        rows = rows.with_columns(filled(f"{side} asset").str.to_uppercase().alias(f"{side}_coin"))
    frame = columns(rows, "order id", "additional note").with_columns(
        what=pl.col("category").str.strip_chars().str.to_lowercase(),
        how=pl.col("operation").str.strip_chars().str.to_lowercase(),
        row_key=pl.format("id:{}:{}", filled("order id").fill_null(""), filled("transaction id")),
        time_text=pl.col("time"),
        occurred_at=utc_time(pl.col("time").str.strip_chars(), "%Y-%m-%d %H:%M:%S%.f"),
        note=pl.coalesce(filled("additional note"), filled("operation")),
    )
    return finish(_sided(frame), context, SOURCE.family)


def _sided(frame: pl.DataFrame) -> pl.DataFrame:
    what, how = pl.col("what"), pl.col("how")
    trade, buys = what.is_in(_TRADES), (what == "spot trading") & (how == "buy")
    out, into = what == "withdrawal", what.is_in(["deposit", "distribution"])

    def gives(part: str) -> pl.Expr:
        return (
            pl.when(trade & buys).then(f"quote{part}").when(trade).then(f"base{part}").when(out).then(f"primary{part}")
        )

    def takes(part: str) -> pl.Expr:
        return (
            pl.when(trade & buys).then(f"base{part}").when(trade).then(f"quote{part}").when(into).then(f"primary{part}")
        )

    return frame.with_columns(
        sent_quantity=gives(""), sent_asset=gives("_coin"), sent_usd=usd(gives("_worth")), sent_rounded=gives("_rounded"),
        received_quantity=takes(""), received_asset=takes("_coin"), received_usd=usd(takes("_worth")),
        received_rounded=takes("_rounded"),
        fee_quantity=pl.col("fee"), fee_asset=pl.col("fee_coin"), fee_usd=usd(pl.col("fee_worth")),
        kind=pl.when(what == "distribution").then(how.replace_strict(_INCOME, default=None)).when(~trade).then("what"),
        reject=_fault(trade),
    )  # fmt: skip


def _fault(trade: pl.Expr) -> pl.Expr:
    what, how = pl.col("what"), pl.col("how")
    incomplete = trade & ((pl.col("base").fill_null(0) <= 0) | (pl.col("quote").fill_null(0) <= 0))
    plain = ~trade & (pl.col("primary").fill_null(0) == 0)
    return pl.coalesce(
        reason(~what.is_in(_CATEGORIES).fill_null(value=False), f"unknown category {{}}: expected one of {one_of(_CATEGORIES)}", pl.col("category")),
        reason((what == "distribution") & ~how.is_in(list(_INCOME)).fill_null(value=False), f"unknown distribution {{}}: expected one of {one_of(_INCOME)}", pl.col("operation")),
        reason((what == "spot trading") & ~how.is_in(["buy", "sell"]).fill_null(value=False), "unknown operation {}: expected Buy or Sell", pl.col("operation")),
        *(f"{side}_fault" for side in _SIDES),
        pl.when(filled("transaction id").is_null()).then(pl.lit("Transaction_Id: found none")),
        pl.when((what == "distribution") & (pl.col("primary") < 0)).then(pl.lit("a correction of rewards takes units away: enter what it was in the universal format")),
        pl.when(incomplete).then(pl.lit("a trade without a base and a quote amount above zero")),
        pl.when(plain).then(pl.lit("Realized_Amount_For_Primary_Asset: found none")),
        *fee_faults("fee", "fee_coin")[1:],
    )  # fmt: skip


def _plain(names: list[str]) -> list[str]:
    return [name.strip().lower().replace("_", " ") for name in names]


SOURCE = Source(name="binance_us", version="1", identify=identify, parse=parse, family="binance_us")
