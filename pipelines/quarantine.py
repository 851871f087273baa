"""Clients whose rows broke tonight, and the keeping of them out of later tables. No rule on a row's content belongs here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandera.polars as pa
import polars as pl

from pipelines.errors import NightError
from pipelines.households import ID_COLUMNS
from schemas.base import Table

if TYPE_CHECKING:
    from pipelines.warehouse import Warehouse

QUARANTINE = "quarantine"


class Quarantine(Table):
    """A client stopped tonight: at which table, why (columns and checks, never cells), and over how many rows.

    With the client stops its whole household: a joint return without one spouse's rows would be wrong, and so would
    every carryover that leaves it.
    """

    taxpayer_id: str
    table_name: str
    reason: str
    rows: int = pa.Field(ge=0)


def stop(warehouse: Warehouse, table: str, rejected: pl.DataFrame) -> int:
    """Quarantine the clients of the rows that the gate rejected (the table's columns and `why`); returns the rows.

    Raises:
        NightError: a rejected row names no client, so nobody can be left out for it.
    """
    if rejected.is_empty():
        return 0
    marked = rejected.select(taxpayer_id=_client(rejected, warehouse.members), why="why")
    strays = marked.filter(pl.col("taxpayer_id").is_null())
    if not strays.is_empty():
        reasons = "; ".join(strays["why"].unique().sort())
        raise NightError(f"table {table}: {strays.height} rows without a client break the schema ({reasons})")
    stopped = marked.group_by("taxpayer_id").agg(
        table_name=pl.lit(table), reason=pl.col("why").unique().sort().str.join("; "), rows=pl.len().cast(pl.Int64)
    )
    warehouse.append(QUARANTINE, stopped.sort("taxpayer_id"), Quarantine)
    return rejected.height


def leave_out(warehouse: Warehouse, frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` without the rows of households that are in quarantine."""
    stopped = warehouse.read(QUARANTINE, Quarantine)["taxpayer_id"].unique()
    columns = [name for name in ID_COLUMNS if name in frame.columns]
    if stopped.is_empty() or not columns:
        return frame
    members = warehouse.members
    households = members.filter(pl.col("taxpayer_id").is_in(stopped.implode()))["household"].unique()
    ids = members.filter(pl.col("household").is_in(households.implode())).select("kind", "id")
    out = pl.concat([ids, pl.DataFrame({"kind": "taxpayer", "id": stopped}, schema=ids.schema)])
    for name in columns:
        own = out.filter(pl.col("kind") == ID_COLUMNS[name]).select("id").unique()
        frame = frame.join(own, left_on=name, right_on="id", how="anti", maintain_order="left")
    return frame


def _client(rejected: pl.DataFrame, members: pl.DataFrame) -> pl.Series:
    """The taxpayer behind each row: named by it, or the owner of its account, or one who files its return."""
    owner = members.unique(["kind", "id"], keep="first", maintain_order=True)
    client = pl.Series("taxpayer_id", [None] * rejected.height, dtype=pl.String)
    for name, kind in ID_COLUMNS.items():
        if name not in rejected.columns:
            continue
        if kind == "taxpayer":
            found = rejected[name]
        else:
            ids = owner.filter(pl.col("kind") == kind)
            found = rejected[name].replace_strict(ids["id"], ids["taxpayer_id"], default=None, return_dtype=pl.String)
        client = client.zip_with(client.is_not_null(), found.alias("taxpayer_id"))
    return client
