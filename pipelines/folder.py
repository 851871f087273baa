"""Reads the firm's folder from disk: its tables, its price files, its clients' files. What they mean is in transforms."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipelines.factory import Part
from pipelines.households import household_members
from pipelines.resources import FirmFolder, Night
from schemas import gate, intake
from schemas.clients import AccountFacts, AssetFacts, ReturnMembers, Stands, TimeZones
from schemas.inputs import INPUTS, FirmSettings
from transforms import asset_master, firm, prices
from transforms.review import items
from transforms.sources.base import Context
from transforms.sources.registry import is_current, read_file
from transforms.text import UnreadableError, read_sheet, sanitised

FIRM = "firm_{}"
"""Name in the warehouse of a table of the folder."""
FILE_KEY = ["account_id", "file_id"]


def settings(night: Night) -> FirmSettings:
    """`firm.toml`, checked."""
    return firm.read_settings(FirmFolder(folder=str(night.folder)).settings)


def firm_tables(night: Night) -> dict[str, pl.DataFrame]:
    """The folder's tables as of the night, what follows from them, and the clients whom a broken row stops.

    Raises:
        FirmFolderError: the folder cannot be used as a whole; the text names files, columns and what is allowed.
    """
    sheets = {path.stem: read_sheet(path.read_bytes()) for path in sorted(night.folder.glob("*.csv"))}
    folders = [path.name for path in sorted((night.folder / "intake").glob("*")) if path.is_dir()]
    read = firm.read_folder(sheets, FirmFolder(folder=str(night.folder)).settings, folders)
    known = firm.as_of(read, night.as_of)
    accounts = firm.account_facts(known).with_columns(
        taxable=(pl.col("treatment") == "taxable") & (pl.col("entity") == "individual")
    )
    years = range(2009, night.as_of.year + 1)
    tables = {FIRM.format(name): known[name] for name in INPUTS}
    stopped = pl.DataFrame({"taxpayer_id": read.stopped}, schema={"taxpayer_id": pl.String})
    return {
        **tables,
        "members": household_members(read["taxpayers"], read["returns"], read["accounts"]),
        "return_members": gate.conform(firm.members(known, years), ReturnMembers),
        "account_facts": gate.conform(accounts, AccountFacts),
        "time_zones": gate.conform(firm.zones(known), TimeZones),
        "stands": gate.conform(firm.stands(known), Stands),
        "asset_facts": gate.conform(asset_master.facts(asset_master.master(known["assets"])), AssetFacts),
        "folder_questions": firm.problem_items(read.problems),
        "quarantine": stopped.with_columns(why=pl.lit("a row of the firm's folder is broken")),
    }


def take_in(night: Night, account_facts: pl.DataFrame, files: pl.DataFrame) -> dict[str, pl.DataFrame | Part]:
    """New and changed files of clients, read once; what was taken in before stays, what is gone is withdrawn.

    Args:
        night: tonight.
        account_facts: AccountFacts.
        files: Files as the last night left them.
    """
    held = {(row["account_id"], row["file_id"]): row for row in files.iter_rows(named=True)}
    seen: dict[tuple[str, str], str] = {}
    first_account: dict[str, str] = {}
    read, kept = [], []
    for account_id, address in account_facts.select("account_id", "address").sort("account_id").iter_rows():
        for path in _client_files(night.folder / "intake" / account_id):
            data = path.read_bytes()
            key = (account_id, hashlib.sha256(data).hexdigest())
            if key in seen:
                continue  # the same bytes under another name: taken once, under the first name
            shown = _shown(path.relative_to(night.folder))
            seen[key] = shown
            before = held.get(key)
            context = Context(account_id, key[1], address, path.name)
            other = first_account.setdefault(key[1], account_id)
            if other != account_id:
                read.append(_double(context, shown, other))
            elif before and before["status"] not in ("withdrawn", "duplicate") and _holds(before, context):
                kept.append({**before, "path": shown})
            else:
                reading = read_file(data, context)
                read.append((reading.file.with_columns(path=pl.lit(shown)), reading.raw_rows, reading.legs))
    gone = [{**row, "status": "withdrawn"} for key, row in held.items() if key not in seen]
    return _taken(read, kept, gone)


def _shown(path: Path) -> str:
    """A client's file name fit for a table: any bytes may stand in it."""
    return sanitised(path.as_posix().encode(errors="replace").decode(), 255)


def _holds(before: dict[str, object], context: Context) -> bool:
    version = before["parser_version"]
    return is_current(version if isinstance(version, str) else None, context)


def _double(context: Context, shown: str, other: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """A file whose bytes lie in another account too: counted there, asked about here."""
    row = {
        "file_id": context.file_id, "account_id": context.account_id, "path": shown, "rows": 0, "rows_rejected": 0,
        "status": "duplicate", "message": f"the same bytes lie in the folder of account {other} and count there",
    }  # fmt: skip
    file = gate.conform(pl.DataFrame([row]), intake.Files)
    return file, gate.empty(intake.RawRows), gate.empty(intake.Legs)


def _taken(
    read: list[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]],
    kept: list[dict[str, object]],
    gone: list[dict[str, object]],
) -> dict[str, pl.DataFrame | Part]:
    types = gate.dtypes(intake.Files)
    old = pl.DataFrame([*kept, *gone], schema=types, orient="row")
    files, raw_rows, legs = (
        pl.concat([gate.empty(model), *frames])
        for model, frames in zip(
            (intake.Files, intake.RawRows, intake.Legs), zip(*read, strict=True) if read else ((), (), ()), strict=True
        )
    )
    changed = pl.concat([files, pl.DataFrame(gone, schema=types, orient="row")]).select(FILE_KEY)
    return {
        "files": pl.concat([old, files]).sort(FILE_KEY),
        "raw_rows": Part(raw_rows, changed),
        "legs": Part(legs, changed),
    }


def _client_files(folder: Path) -> Iterator[Path]:
    """Files below an account's folder by name; links and hidden files stay out (a link may point anywhere)."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not any(part.startswith(".") for part in path.parts[-1:]):
            yield path


def price_table(night: Night) -> dict[str, pl.DataFrame]:
    """The firm's price files up to the night, and the rows of them that cannot be used."""
    parts, unreadable = [_PRICE_ROWS], []
    for path in sorted((night.folder / "prices").glob("*")):
        if path.suffix.lower() not in (".csv", ".parquet"):
            continue
        try:
            parts.append(_price_rows(path))
        except (UnreadableError, pl.exceptions.PolarsError, OSError) as error:
            unreadable.append((sanitised(path.name), getattr(error, "reason", "it is no table")))
    points, rejected = prices.price_points(pl.concat(parts))
    known = points.filter(pl.col("priced_at").dt.date() <= night.as_of)
    bad = rejected.group_by("file", "why").agg(row_no=pl.col("row_no").min(), rows=pl.len())
    broken = pl.DataFrame(unreadable, schema={"file": pl.String, "why": pl.String}, orient="row")
    message = pl.format("prices/{}: {} rows, the first in line {}: {}", "file", "rows", "row_no", "why")
    action = "Correct the price file."
    return {
        "prices": known,
        "price_questions": pl.concat(
            [
                items(bad.with_columns(file_id="file"), "price_row_rejected", "warning", message, action),
                items(
                    broken.with_columns(file_id="file"),
                    "price_file_unreadable",
                    "warning",
                    pl.format("prices/{} cannot be read: {}", "file", "why"),
                    action,
                ),
            ]
        ),
    }


_PRICE_COLUMNS = ("date", "time", "asset", "usd", "source")
_PRICE_ROWS = pl.DataFrame(schema={"file": pl.String, "row_no": pl.Int64, **dict.fromkeys(_PRICE_COLUMNS, pl.String)})


def _price_rows(path: Path) -> pl.DataFrame:
    """A price file as text rows; a column it lacks is null."""
    if path.suffix.lower() == ".csv":
        sheet = read_sheet(path.read_bytes())
        header = [cell.strip().lower() for cell in sheet.rows[0]] if sheet.rows else []
        body = [[*row, *[None] * len(header)][: len(header)] for row in sheet.rows[1:]]
        frame = pl.DataFrame(body, schema=dict.fromkeys(header, pl.String), orient="row")
        lines = pl.Series("row_no", sheet.line_nos[1:], dtype=pl.Int64)
    else:
        typed = pl.read_parquet(path)
        iso = [
            pl.col(c).dt.to_string("iso:strict") for c, kind in typed.schema.items() if isinstance(kind, pl.Datetime)
        ]
        frame = typed.with_columns(iso).cast(pl.String)
        lines = pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True).alias("row_no")
    missing = [pl.lit(None, pl.String).alias(name) for name in _PRICE_COLUMNS if name not in frame.columns]
    text = frame.with_columns(*missing, lines, file=pl.lit(path.name))
    blank = pl.col(_PRICE_COLUMNS).replace("", None)
    return text.with_columns(blank).select(_PRICE_ROWS.columns)


def input_hash(night: Night) -> str:
    """A hash of all that the night reads: the folder's tables, prices and clients' files."""
    total = hashlib.sha256()
    for top in ("*.csv", "firm.toml", "prices/*", "intake/**/*"):
        for path in sorted(night.folder.glob(top)):
            if path.is_file() and not path.is_symlink():
                total.update(os.fsencode(path.relative_to(night.folder)) + b"\0")
                total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
