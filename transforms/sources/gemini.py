"""Gemini's transaction history (a workbook, or the same as CSV): every movement of the account. It is the ledger.

Gemini's Earn and staking histories are files of their own and do not belong here.
"""

from __future__ import annotations

import re

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
    utc_time,
    with_numbers,
)
from transforms.sources.exchange import columns

_NEEDED = {"Date", "Time (UTC)", "Type", "Symbol", "Specification"}
_AMOUNT = re.compile(r"(\S+) Amount \1")
_TYPES = ("Buy", "Credit", "Debit", "Sell")
_CREDITS = r"^(?:deposit|administrative credit)(?: \(.*\))?$"
_DEBITS = r"^(?:withdrawal|administrative debit)(?: \(.*\))?$"
_DOUBLE = 15
"""Digits that a workbook's number is sure to keep: a balance with as many may be a rounded one."""


def identify(head: list[list[str]]) -> int | None:
    """The row with the five leading names and three columns an asset."""
    return find_header(head, lambda names: set(names) >= _NEEDED and any(map(_AMOUNT.fullmatch, names)))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Signed amounts and negative fees, a set of columns for each asset; the last rows, without a date, are totals."""
    rows = columns(rows, "Trade ID", "Tx Hash")
    date, clock = pl.col("Date").str.strip_chars(), pl.col("Time (UTC)").str.strip_chars()
    stamp = pl.when(clock.str.contains("-")).then(clock).otherwise(pl.format("{} {}", date.str.slice(0, 10), clock))
    unmoved = pl.all_horizontal(filled(name).is_null() for name in ("Date", "Type", "Symbol", "Specification"))
    frame = rows.join(_moved(rows), on="row_no", how="left", maintain_order="left").with_columns(
        occurred_at=utc_time(stamp.str.replace("T", " "), "%Y-%m-%d %H:%M:%S%.f"),
        time_text=pl.col("Time (UTC)"),
        what=pl.col("Type").str.strip_chars(),
        note=filled("Specification"),
        tx_id=filled("Tx Hash"),
        ignore=pl.when(unmoved).then(pl.lit("the totals of the file")),
    )
    frame = frame.with_columns(
        row_key=pl.coalesce(
            pl.format("id:{}", filled("Trade ID")),
            content_id("", "occurred_at", "what", "note", "tx_id", "sent_asset", "sent_quantity", "received_asset", "received_quantity"),
        ),
        kind=pl.when(pl.col("what") == "Credit").then(pl.lit("deposit")).when(pl.col("what") == "Debit").then(pl.lit("withdrawal")),
        reject=_fault(),
    )  # fmt: skip
    parsed = finish(frame, context, SOURCE.family)
    return parsed._replace(legs=_balanced(parsed.legs, rows))


def _assets(rows: pl.DataFrame) -> dict[str, tuple[str, str | None, str | None]]:
    """By asset its columns of amount, fee and balance."""
    found = [match[1] for name in rows.columns if (match := _AMOUNT.fullmatch(name))]

    def present(*names: str) -> str | None:
        return next((name for name in names if name in rows.columns), None)

    return {
        asset: (f"{asset} Amount {asset}", present(f"Fee ({asset}) {asset}", f"Fee {asset}"), present(f"{asset} Balance {asset}"))
        for asset in found
    }  # fmt: skip


def _cells(rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each row and asset that has an amount or a fee: their numbers and its balance."""
    parts = []
    for asset, names in _assets(rows).items():
        amount, fee, balance = (_number(name, asset) for name in names)
        part = rows.select("row_no", asset=pl.lit(asset.upper()), amount=amount, fee=fee, after=balance)
        parts.append(part.filter(pl.any_horizontal(pl.col("amount", "fee").is_not_null())))
    cells = with_numbers(pl.concat(parts), moved="amount", paid="fee", held="after")
    zero = (pl.col("moved").fill_null(1) == 0) | (pl.col("amount").is_null() & (pl.col("paid").fill_null(1) == 0))
    return cells.filter(~(zero & pl.col("moved_fault").is_null() & (pl.col("paid").fill_null(0) == 0)))


def _number(name: str | None, asset: str) -> pl.Expr:
    return filled(name).str.strip_suffix(f" {asset}") if name else pl.lit(None, pl.String)


def _moved(rows: pl.DataFrame) -> pl.DataFrame:
    """By row what was sent, received and paid, and what is wrong with it."""
    moved, paid = pl.col("moved"), pl.col("paid")

    def side(name: str, condition: pl.Expr, value: pl.Expr, rounded: str) -> list[pl.Expr]:
        return [
            value.filter(condition).first().alias(f"{name}_quantity"),
            pl.col("asset").filter(condition).first().alias(f"{name}_asset"),
            pl.col(rounded).filter(condition).first().alias(f"{name}_rounded"),
            condition.sum().alias(f"{name}_count"),
        ]

    return _cells(rows).group_by("row_no").agg(
        *side("sent", (moved < 0).fill_null(value=False), -moved, "moved_rounded"),
        *side("received", (moved > 0).fill_null(value=False), moved, "moved_rounded"),
        *side("fee", (paid != 0).fill_null(value=False), -paid, "paid_rounded"),
        number_fault=pl.coalesce("moved_fault", "paid_fault").drop_nulls().first(),
    )  # fmt: skip


def _balanced(legs: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The balance of each asset of a row on its first leg; none where the workbook's doubles may have cut digits."""
    texts = [pl.col(name).str.replace_all(r"[^0-9]|[eE].*$", "").str.strip_chars_start("0").str.len_chars().fill_null(0) for name in ("amount", "fee", "after")]  # fmt: skip
    exact = pl.all_horizontal(digits < _DOUBLE for digits in texts)
    held = _cells(rows).filter(pl.col("held_fault").is_null() & exact).select("row_no", "asset", "held")
    first = pl.struct("row_no", "asset").is_first_distinct()
    joined = legs.join(held, on=["row_no", "asset"], how="left", maintain_order="left")
    return joined.with_columns(balance=pl.when(first).then("held")).select(legs.columns)


def _fault() -> pl.Expr:
    what, note = pl.col("what"), pl.col("note").fill_null("").str.to_lowercase()
    trades = what.is_in(["Buy", "Sell"])
    sent, received = pl.col("sent_count").fill_null(0), pl.col("received_count").fill_null(0)
    one_each = (sent == 1) & (received == 1)
    credited, debited = (sent == 0) & (received == 1), (sent == 1) & (received == 0)
    return pl.coalesce(
        reason(~what.is_in(_TYPES).fill_null(value=False), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("Type")),
        reason((what == "Credit") & ~note.str.contains(_CREDITS), "unknown credit {}: expected Deposit (...) or Administrative Credit", pl.col("note")),
        reason((what == "Debit") & ~note.str.contains(_DEBITS), "unknown debit {}: expected Withdrawal (...) or Administrative Debit", pl.col("note")),
        "number_fault",
        pl.when(trades & ~one_each).then(pl.lit("a trade: expected one amount below zero and one above")),
        pl.when((what == "Credit") & ~credited).then(pl.lit("a credit: expected one amount, above zero")),
        pl.when((what == "Debit") & ~debited).then(pl.lit("a debit: expected one amount, below zero")),
        pl.when(pl.col("fee_quantity") < 0).then(pl.lit("Fee: found a positive one, expected a negative one")),
        pl.when(pl.col("fee_count") > 1).then(pl.lit("Fee: found fees of several assets")),
    )  # fmt: skip


SOURCE = Source(name="gemini", version="1", identify=identify, parse=parse, family="gemini")
