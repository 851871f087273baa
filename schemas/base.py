"""What every table model shares: strict columns, exact types. No table belongs here."""

from __future__ import annotations

import pandera.polars as pa


class Table(pa.DataFrameModel):
    """A table of the warehouse: no unknown column, no coercion."""

    class Config:
        """Strict: a column that the model does not name is an error."""

        strict = True
        coerce = False
