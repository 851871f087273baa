"""Reading a fixture and writing what came of it as text: shared by the tests of the sources."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from transforms.ledger import assemble
from transforms.sources.base import Context
from transforms.sources.registry import NETTED, REGROUP, Reading, read_file

DATA = Path(__file__).parent / "data"
OWN = "0x00000000000000000000000000000000000000aa"
"""The client's address in the Etherscan fixtures."""
CLOCKS = dict.fromkeys(
    ("okx", "bitfinex", "trezor", "electrum", "cointracking", "cointracker", "bittytax", "blockpit", "bisq"),
    "America/New_York",
)
"""The account's clock, by the folder of fixtures whose files name none."""
CHAINS = {"blockscout": f"eip155:100:{OWN}"}
"""The account's address, by the folder of fixtures whose files do not name their chain."""


def context(path: Path, file_id: str = "file", file_name: str | None = None) -> Context:
    """What a reader of this fixture's rows is told: its folder's address and clock."""
    folder = path.parent.name
    return Context("account", file_id, CHAINS.get(folder, OWN), file_name or path.name, CLOCKS.get(folder))


def read(path: Path, data: bytes | None = None) -> Reading:
    return read_file(path.read_bytes() if data is None else data, context(path))


def read_text(
    text: str, file_name: str = "export.csv", address: str | None = OWN, time_zone: str | None = None
) -> Reading:
    return read_file(text.encode(), Context("account", "file", address, file_name, time_zone))


def plain(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String)
    return text.str.strip_chars_end("0").str.strip_chars_end(".").alias(column)


def regrouped(legs: pl.DataFrame) -> pl.DataFrame:
    for family, regroup in REGROUP.items():
        own = pl.col("source") == family
        legs = pl.concat([legs.filter(~own), regroup(legs.filter(own))])
    return legs.sort("row_no", pl.col("role") == "fee", pl.col("role") == "received")


def legs_text(reading: Reading) -> str:
    columns = ["row_no", "row_key", "group_key", "occurred_at", "kind", "role", "asset", "raw_asset", "quantity",
               "usd_value", "tx_id", "balance", "note", "rounded"]  # fmt: skip
    legs = regrouped(reading.legs).with_columns(plain("quantity"), plain("usd_value"), plain("balance"))
    return legs.select(columns).write_csv()


def rows_text(reading: Reading) -> str:
    return reading.raw_rows.filter(pl.col("status") != "used").select("row_no", "status", "reason").write_csv()


def sides(reading: Reading) -> list[tuple[object, ...]]:
    """What moved, as (row, role, asset, quantity)."""
    legs = regrouped(reading.legs).with_columns(plain("quantity"))
    return legs.select("row_no", "role", "asset", "quantity").rows()


def reasons(reading: Reading, status: str) -> dict[int, str]:
    return dict(reading.raw_rows.filter(pl.col("status") == status).select("row_no", "reason").rows())


def kinds(reading: Reading) -> list[tuple[object, ...]]:
    """What each row is, as (row, kind); null where the sides tell."""
    return reading.legs.select("row_no", "kind").unique().sort("row_no").rows()


def events(reading: Reading) -> list[tuple[object, ...]]:
    """What the ledger makes of the legs, as (kind, sent, received, fee), each side as `quantity asset`."""
    side = ("sent", "received", "fee")
    built = assemble(reading.legs, NETTED, REGROUP).events.sort("occurred_at", "event_id")
    shown = built.with_columns(plain(f"{name}_quantity") for name in side)
    texts = [pl.concat_str(f"{name}_quantity", pl.lit(" "), f"{name}_asset").alias(name) for name in side]
    return shown.select("kind", *texts).rows()
