"""A house of four small tables built by the factory: what the tests of the pipelines run. The real list stands elsewhere."""

from __future__ import annotations

import csv
from pathlib import Path

import dagster as dg
import pandera.polars as pa
import polars as pl

from pipelines.definitions import build_defs
from pipelines.factory import Read, table_asset, table_assets
from pipelines.households import Members, household_members
from pipelines.resources import Night
from schemas.base import Table
from schemas.fields import QUANTITY, Quantity
from schemas.gate import empty
from schemas.review import Runs
from schemas.tax import LossAtRisk


class Deeds(Table):
    """A line of deeds.csv."""

    taxpayer_id: str
    tax_year: int
    quantity: Quantity = pa.Field(gt=0)
    note: str


class Balances(Table):
    """What a taxpayer holds at the end of a year."""

    taxpayer_id: str
    tax_year: int
    quantity: Quantity


def read_folder(night: Night) -> dict[str, pl.DataFrame]:
    """deeds.csv and who is in it; an empty quantity is zero, which the schema refuses."""
    with (night.folder / "deeds.csv").open() as file:
        rows = list(csv.DictReader(file))
    text = pl.DataFrame(rows, schema=dict.fromkeys(("taxpayer_id", "tax_year", "quantity", "note"), pl.String))
    deeds = text.with_columns(
        pl.col("tax_year").cast(pl.Int64), pl.col("quantity").replace("", "0").cast(QUANTITY, strict=True)
    ).filter(pl.col("tax_year") <= night.as_of.year)
    people = text.select("taxpayer_id").unique()
    nobody = pl.DataFrame(schema={"return_id": pl.String, "account_id": pl.String, "taxpayer_id": pl.String})
    joint = text.filter(pl.col("note").str.starts_with("files ")).select(
        return_id=pl.col("note").str.strip_prefix("files "), taxpayer_id="taxpayer_id"
    )
    return {"members": household_members(people, joint, nobody), "deeds": deeds}


def roll(night: Night, deeds: pl.DataFrame, opening: pl.DataFrame) -> pl.DataFrame:
    """Year-end balances from the opening ones on."""
    years = pl.DataFrame({"tax_year": list(night.years)}, schema={"tax_year": pl.Int64})
    flows = pl.concat([deeds.select(list(Balances.to_schema().columns)), opening.with_columns(pl.col("tax_year") + 1)])
    return (
        flows.select("taxpayer_id")
        .unique()
        .join(years, how="cross")
        .join(
            flows.group_by("taxpayer_id", "tax_year").agg(pl.col("quantity").sum()),
            on=["taxpayer_id", "tax_year"],
            how="left",
        )
        .sort("taxpayer_id", "tax_year")
        .with_columns(pl.col("quantity").fill_null(0).cum_sum().over("taxpayer_id").cast(QUANTITY))
        .select("taxpayer_id", "tax_year", "quantity")
    )


def losses(night: Night, balances: pl.DataFrame) -> pl.DataFrame:
    """A published table, so that the mart holds something that changes with the input."""
    return balances.select(
        pl.lit("test").alias("rule"),
        pl.lit("shadow").alias("status"),
        "taxpayer_id",
        pl.col("taxpayer_id").alias("return_id"),
        "tax_year",
        account_id=pl.lit("a"),
        asset=pl.lit("BTC"),
        disposal_id=pl.format("{}-{}", "taxpayer_id", "tax_year"),
        date_sold=pl.date("tax_year", 1, 2),
        loss=pl.col("quantity").cast(pl.Decimal(18, 6)),
        disallowed=pl.lit(0).cast(pl.Decimal(18, 6)),
    )


def runs(night: Night, deeds: pl.DataFrame) -> pl.DataFrame:
    """The night itself."""
    row = {"run_id": night.run_id, "as_of": night.as_of, "code_version": "0", "law_version": "0", "input_hash": "0"}
    at = pl.lit("2026-01-01").str.to_datetime(time_unit="us", time_zone="UTC").alias("published_at")
    return pl.DataFrame([row]).with_columns(at).select(empty(Runs).columns)


TABLES = [
    table_assets("firm", {"members": Members, "deeds": Deeds}, {}, read_folder),
    table_asset(
        "balances",
        Balances,
        {"deeds": Read(Deeds, "run"), "opening": Read(Balances, "before", "balances")},
        roll,
        by_year=True,
    ),
    table_asset("loss_at_risk", LossAtRisk, {"balances": Read(Balances, "run")}, losses, by_year=True),
    table_asset("runs", Runs, {"deeds": Deeds}, runs, keeps_stopped=True),
]
GUARDS = {"losses_published": "SELECT (SELECT count(*) FROM loss_at_risk) - (SELECT count(*) FROM mart.loss_at_risk)"}


def house(tables: list[dg.AssetsDefinition] = TABLES, guards: dict[str, str] = GUARDS) -> dg.Definitions:
    """Definitions of the small house."""
    return build_defs(tables=tables, guards=guards)


def make_firm(folder: Path, deeds: str, toml: str = 'name = "Test"\ntime_zone = "America/New_York"\n') -> Path:
    """A firm's folder with these deeds (lines of taxpayer_id,tax_year,quantity,note)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "firm.toml").write_text(toml)
    (folder / "deeds.csv").write_text("taxpayer_id,tax_year,quantity,note\n" + deeds)
    return folder
