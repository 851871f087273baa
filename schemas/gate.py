"""The validation gate: a frame and its model in, the rows that hold and those that do not (with the reason) out."""

from __future__ import annotations

from typing import NamedTuple

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors


class Checked(NamedTuple):
    """What the gate let through and what it stopped."""

    valid: pl.DataFrame
    rejected: pl.DataFrame
    """The rows that failed, with one more column `why`: `column: check` joined by '; '."""


class SchemaMismatchError(Exception):
    """A frame whose columns or types are not the model's: a defect of the code, never of a client's row."""


def empty(model: type[pa.DataFrameModel]) -> pl.DataFrame:
    """A frame of no rows with the columns and types of `model`."""
    return pl.DataFrame(schema=dtypes(model))


def dtypes(model: type[pa.DataFrameModel]) -> dict[str, pl.DataType]:
    """Column names and polars types of `model`, in its order."""
    return {name: column.dtype.type for name, column in model.to_schema().columns.items()}


def conform(frame: pl.DataFrame, model: type[pa.DataFrameModel]) -> pl.DataFrame:
    """`frame` with exactly the columns of `model` in its order; a column it lacks comes as null of its type."""
    wanted = dtypes(model)
    missing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in wanted.items() if name not in frame.columns]
    return frame.with_columns(missing).select(wanted.keys())


def check(frame: pl.DataFrame, model: type[pa.DataFrameModel]) -> Checked:
    """Validate every row of `frame` against `model`.

    Raises:
        SchemaMismatchError: columns or types differ from the model (the message names columns, never cells).
    """
    try:
        return Checked(model.validate(frame, lazy=True), frame.clear().with_columns(why=pl.lit("", pl.String)))
    except SchemaErrors as errors:
        cases = errors.failure_cases
    if cases["index"].null_count() > 0:
        faults = cases.filter(pl.col("index").is_null()).select("column", "check").unique().sort("column", "check")
        raise SchemaMismatchError(
            f"{model.__name__}: " + "; ".join(f"{c}: {k}" for c, k in faults.iter_rows())
        ) from None
    reasons = (
        cases.select(pl.col("index").cast(pl.UInt32), why=pl.format("{}: {}", "column", "check"))
        .unique()
        .sort("index", "why")
        .group_by("index")
        .agg(pl.col("why").str.join("; "))
    )
    # the frame may have an `index` or a `why` of its own
    marked = (
        frame.with_row_index("#row")
        .join(reasons.rename({"index": "#row", "why": "#why"}), on="#row", how="left", maintain_order="left")
        .drop("#row")
    )
    bad = pl.col("#why").is_not_null()
    rejected = marked.filter(bad).with_columns(why=pl.col("#why")).drop("#why")
    return Checked(marked.filter(~bad).drop("#why"), rejected)
