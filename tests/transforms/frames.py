"""Small frames for tests: a table model and a few cells in, a typed frame out. No expectation belongs here."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pandera.polars as pa
import polars as pl

from schemas import gate


def frame(model: type[pa.DataFrameModel], *rows: dict[str, Any], **defaults: Any) -> pl.DataFrame:
    """Rows with the model's columns and types; text stands for decimals and UTC instants; absent cells are null."""
    types = gate.dtypes(model)
    columns = {
        name: pl.Series(name, [_cell(row.get(name, defaults.get(name)), dtype) for row in rows], dtype=dtype)
        for name, dtype in types.items()
    }
    return pl.DataFrame(columns)


def _cell(value: Any, dtype: pl.DataType) -> Any:
    if isinstance(value, str) and isinstance(dtype, pl.Datetime):
        return dt.datetime.fromisoformat(value).replace(tzinfo=dt.UTC)
    if isinstance(value, str) and dtype == pl.Date:
        return dt.date.fromisoformat(value)
    if isinstance(value, str | int) and isinstance(dtype, pl.Decimal):
        return Decimal(value)
    return value
