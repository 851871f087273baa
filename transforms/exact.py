"""Exact numbers: decimals to integers and back, and every rounding of the project. No tax rule belongs here."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext

import polars as pl

from schemas.fields import CENTS, MONEY, QUANTITY

_SCALE = {QUANTITY: 18, MONEY: 6, CENTS: 2}


def to_ints(series: pl.Series) -> list[int | None]:
    """The mantissas of a decimal column: quantities in 10^-18 units, money in micro-dollars, cents in cents."""
    return series.to_physical().to_list()


def from_ints(name: str, values: Iterable[int | None], dtype: pl.Decimal) -> pl.Series:
    """The decimal column whose mantissas are `values`; raises polars' error where one does not fit."""
    whole = pl.Series(name, values, dtype=pl.Int128).cast(pl.Decimal(38, 0))
    unit = Decimal(1).scaleb(-_SCALE[dtype])
    return (whole * pl.Series([unit], dtype=pl.Decimal(38, _SCALE[dtype]))).cast(dtype)


def divide_half_up(numerator: int, denominator: int) -> int:
    """Numerator / denominator to the nearest integer, halves away from zero; the denominator is positive."""
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def share(total: int, part: int, whole: int) -> int:
    """The part of `total` that falls on the first `part` of `whole` units.

    Cumulative rounding: successive differences are pieces that sum to `total` exactly.
    """
    return divide_half_up(total * part, whole)


def to_cents(expr: pl.Expr) -> pl.Expr:
    """Money in cents, halves away from zero (Instructions Form 8949: 50 cents and over rounds up)."""
    return expr.round(2, mode="half_away_from_zero").cast(CENTS)


def to_money(expr: pl.Expr) -> pl.Expr:
    """A decimal as money in micro-dollars, halves away from zero."""
    return expr.round(6, mode="half_away_from_zero").cast(MONEY)


def part_of(total: pl.Expr, part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """The money that falls on `part` of `whole` units (part <= whole), halves away from zero; null where whole is 0.

    Multiplied before it is divided and by way of integers: neither a tiny nor a huge quantity can overflow.
    """
    return pl.struct(total.alias("total"), part.alias("part"), whole.alias("whole")).map_batches(
        _parts, return_dtype=MONEY
    )


def _parts(cells: pl.Series) -> pl.Series:
    totals, parts, wholes = (to_ints(cells.struct.field(name)) for name in ("total", "part", "whole"))
    values = [
        share(total, part, whole) if total is not None and part is not None and whole else None
        for total, part, whole in zip(totals, parts, wholes, strict=True)
    ]
    return from_ints(cells.name, values, MONEY)


def units_text(quantity: pl.Expr) -> pl.Expr:
    """A quantity as exact text, without trailing zeros."""
    return quantity.cast(pl.String).str.strip_chars_end("0").str.strip_suffix(".")


def decimal_text(expr: pl.Expr) -> pl.Expr:
    """Decimal text as quantity: optional sign, digits, point, exponent; null where the text is no such number.

    Digits past the 18th are rounded half up here and nowhere else (see `digits_past_18`).
    """
    text = expr.str.strip_chars()
    plain = text.str.contains(r"^[+-]?(\d{1,20}(\.\d*)?|\.\d+)$")
    shifted = text.str.contains(r"^[+-]?(\d+(\.\d*)?|\.\d+)[eE][+-]?\d+$")
    short = plain & ~digits_past_18(expr)
    rare = pl.when((plain | shifted) & ~short).then(text)  # the Python path sees only what needs it
    return (
        pl.when(short)
        .then(text.str.strip_prefix("+").cast(QUANTITY, strict=False))
        .otherwise(rare.map_elements(_quantity, return_dtype=QUANTITY, skip_nulls=True))
    )


def digits_past_18(expr: pl.Expr) -> pl.Expr:
    """Whether decimal text carries a digit other than zero past the 18th decimal place."""
    text = expr.str.strip_chars()
    plain = text.str.contains(r"\.\d{18}\d*[1-9]\d*$")
    exponent = text.str.contains(r"[eE]-\d+$")
    rare = pl.when(exponent).then(text)  # the Python path sees only what needs it
    return pl.when(exponent).then(rare.map_elements(_loses_digits, return_dtype=pl.Boolean)).otherwise(plain)


def _quantity(text: str) -> Decimal | None:
    with localcontext() as context:
        context.prec = 100
        try:
            value = Decimal(text)
        except ArithmeticError:  # an exponent beyond what Python's decimals take
            return None
        if value.adjusted() >= 20:
            return None
        return value.quantize(Decimal(1).scaleb(-18), rounding="ROUND_HALF_UP")


def _loses_digits(text: str) -> bool:
    try:
        value = Decimal(text).normalize()
    except ArithmeticError:
        return False
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent < -18
