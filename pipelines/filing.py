"""The records under `filed/`: what a night says was filed, written once and read ever after. What counts is in transforms.

One file a filing and part, named after return, year and version. Lines and lots have the columns of the firm's own
files. A record is never overwritten; one that cannot be read is asked about and does not count.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import polars as pl

from schemas import gate
from schemas.fields import INSTANT
from schemas.filed import FiledInputs
from schemas.inputs import INPUTS
from schemas.review import ReviewItems
from transforms.exact import units_text
from transforms.filed import Kept, latest, of_primary
from transforms.firm import Reading, read_table
from transforms.ids import digest
from transforms.review import items

FOLDER = "filed"
_VERSION = ["return_id", "tax_year", "version"]
_INPUTS = ["return_id", "tax_year", "what", "name", "digest"]
_HEADERS: Mapping[str, list[str]] = {
    "lines": list(gate.dtypes(INPUTS["filed_lines"].model)),
    "lots": list(gate.dtypes(INPUTS["filed_lots"].model)),
    "inputs": _INPUTS,
}
"""Columns of each part."""
_WHAT = ("night", "file", "table", "events")
Filing: TypeAlias = tuple[str, int, int]
"""return_id, tax_year, version."""


class Read(NamedTuple):
    """The records of tonight's filings."""

    kept: Kept
    inputs: pl.DataFrame
    """schemas.filed.FiledInputs."""
    questions: pl.DataFrame


def record_name(return_id: str, tax_year: int, version: int, part: str) -> str:
    """The name of a record's file: readable, and never anything but a plain name whatever the return is called."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", return_id)[:40].strip("_") or "return"
    return f"{plain}-{digest('', return_id)}-{tax_year}-v{version}-{part}.csv"


def read_records(folder: Path, filed_years: pl.DataFrame, members: pl.DataFrame) -> Read:
    """The records of the filings that count.

    Args:
        folder: the firm's.
        filed_years: filed_years.csv as of tonight: a record of a filing that is not in it stays where it is, unread.
        members: return_id, tax_year, taxpayer_id, role.
    """
    filings: list[Filing] = list(latest(filed_years).select(_VERSION).iter_rows())
    found: list[tuple[str, int, int, str]] = []
    rows: dict[str, list[list[str]]] = {}
    broken: list[tuple[str, int, str]] = []
    for part in _HEADERS:
        bodies, unread = _bodies(folder, filings, part)
        broken += [(*filing[:2], f"{FOLDER}/{record_name(*filing, part)}") for filing in unread]
        found += [(*filing, part) for filing in bodies]
        rows[part] = [row for body in bodies.values() for row in body]
    types = {"return_id": pl.String, "tax_year": pl.Int64, "version": pl.Int64, "part": pl.String}
    texts = pl.DataFrame(rows["inputs"], schema=dict.fromkeys(_INPUTS, pl.String), orient="row")
    kept = Kept(
        _typed("lines", rows["lines"]).frame,
        _typed("lots", rows["lots"]).frame,
        pl.DataFrame(found, schema=types, orient="row"),
    )
    inputs = gate.conform(texts.with_columns(pl.col("tax_year").cast(pl.Int64)), FiledInputs)
    message = pl.format("{} is not as a night wrote it: it does not count, and is not written again", "file_id")
    action = "Put the file back from a backup, or state the filing in filed_lines.csv and filed_lots.csv."
    return Read(kept, inputs, _asked(broken, "filed_record_unreadable", message, action, members))


def _bodies(folder: Path, filings: list[Filing], part: str) -> tuple[dict[Filing, list[list[str]]], list[Filing]]:
    """The rows of each filing's record that is there, and the filings whose record is not as a night writes it."""
    bodies: dict[Filing, list[list[str]]] = {}
    broken: list[Filing] = []
    for filing in filings:
        try:
            bodies[filing] = _body(folder / FOLDER / record_name(*filing, part), filing, part)
        except FileNotFoundError:
            continue
        except (ValueError, OSError, csv.Error):
            broken.append(filing)
    if part != "inputs" and _typed(part, [row for body in bodies.values() for row in body]).problems.height:
        wrong = [filing for filing, body in bodies.items() if _typed(part, body).problems.height]  # one by one is slow
        broken += wrong
        bodies = {filing: body for filing, body in bodies.items() if filing not in wrong}
    return bodies, broken


def _typed(part: str, body: list[list[str]]) -> Reading:
    return read_table(f"filed_{part}", [_HEADERS[part], *body], range(1, len(body) + 2))


def _body(path: Path, filing: Filing, part: str) -> list[list[str]]:
    """The rows of a record.

    Raises:
        ValueError: it is not as a night writes it, or of another filing.
    """
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8")), strict=True))
    header = _HEADERS[part]
    if not rows or rows[0] != header:
        raise ValueError
    return_id, tax_year, version = (str(value) for value in filing)
    for row in rows[1:]:
        cells = {"return_id": return_id, "version": version, "what": "night", **dict(zip(header, row, strict=True))}
        if (cells["return_id"], cells["tax_year"], cells["version"]) != (return_id, tax_year, version):
            raise ValueError
        if cells["what"] not in _WHAT:
            raise ValueError
    return rows[1:]


def _asked(
    rows: Iterable[tuple[str, int, str]], question: str, message: pl.Expr, action: str, members: pl.DataFrame
) -> pl.DataFrame:
    """Blocking ReviewItems on records: return_id, tax_year, file."""
    types = {"return_id": pl.String, "tax_year": pl.Int64, "file_id": pl.String}
    about = of_primary(pl.DataFrame(list(rows), schema=types, orient="row"), members)
    return gate.conform(items(about, question, "blocking", message, action), ReviewItems)


def write_records(
    folder: Path,
    returns: pl.DataFrame,
    lines: pl.DataFrame,
    lots: pl.DataFrame,
    inputs: pl.DataFrame,
    members: pl.DataFrame,
) -> pl.DataFrame:
    """Write what is not on record yet; returns review items on what could not be written.

    Args:
        folder: the firm's.
        returns: schemas.filed.FiledReturns of clients who are not stopped tonight.
        lines: schemas.filed.StandingLines that are pending.
        lots: schemas.filed.PendingLots.
        inputs: schemas.filed.FiledInputs of tonight.
        members: return_id, tax_year, taxpayer_id, role.
    """
    versions = returns.select(_VERSION)
    when = pl.col("acquired_at").cast(INSTANT).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")
    texts = {
        "lines": lines.drop("version", strict=False).join(versions, on=_VERSION[:2]),
        "lots": lots.join(versions, on=_VERSION, how="semi").with_columns(
            acquired_at=when, quantity=units_text(pl.col("quantity"))
        ),
        "inputs": inputs.join(returns.filter(~pl.col("has_inputs")).select(_VERSION), on=_VERSION[:2]),
    }
    failed: list[tuple[str, int, str]] = []
    for part, frame in texts.items():
        for key, rows in frame.partition_by(_VERSION, as_dict=True, maintain_order=True).items():
            body = rows.drop_nulls("account_id") if part == "lots" else rows
            cells = body.select(pl.col(_HEADERS[part]).cast(pl.String).fill_null("")).rows()
            return_id, tax_year, version = key
            name = record_name(str(return_id), int(tax_year), int(version), part)
            try:
                _write_once(folder / FOLDER / name, [tuple(_HEADERS[part]), *cells])
            except OSError:
                failed.append((str(return_id), int(tax_year), f"{FOLDER}/{name}"))
    message = pl.format("{} could not be written: nothing says yet what was filed, the year is as computed", "file_id")
    action = "Let the night write into filed/ in the firm's folder."
    return _asked(failed, "filed_record_not_written", message, action, members)


def _write_once(path: Path, rows: list[tuple[str, ...]]) -> None:
    """Write a record for its owner alone, whole or not at all; one that is there stays."""
    if os.path.lexists(path):
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    aside = path.with_name(f".{path.name}.tmp")
    aside.unlink(missing_ok=True)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text.getvalue())
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)  # the night's lock is ours: nobody else writes here
