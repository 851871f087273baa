"""The European Central Bank's file of reference rates: currencies a euro, as dollars a unit. No other price file."""

from __future__ import annotations

import polars as pl

from schemas.fields import FIAT, QUANTITY, QUANTITY_LIMIT
from transforms.exact import decimal_text, divide_half_up, from_ints, to_ints

SOURCE = "ECB euro reference rate"
_ONE = 10**18
_HOLES = ("", "N/A", "n/a", "-")


def is_rates(header: list[str]) -> bool:
    """Whether a file's first row is that of eurofxref-hist.csv: a date and currencies, and no column for an asset."""
    names = [cell.strip().upper() for cell in header]
    return names[:1] == ["DATE"] and {"USD", "GBP"} <= set(names) and "ASSET" not in names


def dollars(rows: pl.DataFrame) -> pl.DataFrame:
    """Units a euro to dollars a unit, as rows of a price file: file, row_no, date, time, asset, usd, source.

    A euro is worth the row's dollars, another currency these over its own units, rounded half up at the 18th decimal
    place. A hole (`N/A`) is no row; a cell that is no positive number, or gives no rate that can be, is one whose `usd` is that cell, so that it is
    rejected with its line. Weekends and holidays have no row: the last business day's rate is carried on by whoever
    looks a price up.

    Args:
        rows: file, row_no, date, and one text column a currency by its code in capitals.
    """
    codes = [name for name in rows.columns if name in FIAT]
    long = rows.unpivot(on=codes, index=["file", "row_no", "date"], variable_name="asset", value_name="cell")
    long = long.join(rows.select("file", "row_no", dollar="USD"), on=["file", "row_no"])
    told = long.with_columns(pl.col("cell", "dollar").str.strip_chars()).filter(
        pl.col("cell").is_not_null() & ~pl.col("cell").is_in(_HOLES) & ~pl.col("dollar").is_in(_HOLES)
    )
    euro = told.filter(asset="USD").with_columns(asset=pl.lit("EUR"), usd=pl.col("cell"))
    others = told.filter(pl.col("asset") != "USD")
    units, dollar = (to_ints(others.select(decimal_text(pl.col(name)))[name]) for name in ("cell", "dollar"))
    crossed = [_crossed(unit, usd) for unit, usd in zip(units, dollar, strict=True)]
    others = others.with_columns(from_ints("rate", crossed, QUANTITY)).with_columns(
        usd=pl.coalesce(pl.col("rate").cast(pl.String), pl.format("{}?", "cell"))
    )
    both = pl.concat([euro.select(*_COLUMNS), others.select(*_COLUMNS)])
    return both.with_columns(time=pl.lit(None, pl.String), source=pl.lit(SOURCE))


def _crossed(unit: int | None, usd: int | None) -> int | None:
    """Dollars a unit; None where a cell is no positive number or the rate is one that no price can be."""
    if not unit or not usd or unit < 0 or usd < 0:
        return None
    rate = divide_half_up(usd * _ONE, unit)
    return rate if rate < QUANTITY_LIMIT * _ONE else None


_COLUMNS = ("file", "row_no", "date", "asset", "usd")
