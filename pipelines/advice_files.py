"""The files of the advice: the records under `advice_history/`, the instructions to paste, the reports. What they say is in transforms.

Everything is written for its owner alone (what is published: for the firm's group too), whole or not at all.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from pipelines.errors import NightError
from schemas import gate
from schemas.advice_loop import AdviceHistory
from schemas.inputs import INPUTS
from schemas.review import ReviewItems
from transforms.advice_history import thinned
from transforms.exact import units_text
from transforms.review import items

HISTORY = "advice_history"
TO_RECORD = "instructions_to_record.csv"
REPORTS = "reports"
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})\.parquet")


class Records(NamedTuple):
    """What the records before a night say."""

    rows: pl.DataFrame
    """schemas.advice_loop.AdviceHistory: of the last two months that have records, whole."""
    older: pl.DataFrame
    """The same of the months before, as `advice_history.thinned` keeps them."""
    questions: pl.DataFrame
    """ReviewItems on records that cannot be read."""


def read_history(folder: Path, as_of: date) -> Records:
    """The records of the nights before `as_of`; one that is not as a night wrote it is asked about and does not count.

    Those of the year and of the one before are read: what is older is over, and stays on disk.
    """
    months: dict[str, list[pl.DataFrame]] = {}
    broken = []
    for path, day in _records(folder):
        if day >= as_of or day.year < as_of.year - 1:
            continue
        try:
            months.setdefault(f"{day:%Y-%m}", []).append(_record(path, day))
        except (ValueError, OSError, pl.exceptions.PolarsError, gate.SchemaMismatchError):
            broken.append(f"{HISTORY}/{path.name}")
    whole = sorted(months)[-2:]
    none = gate.empty(AdviceHistory)
    older = [thinned(pl.concat(parts)) for month, parts in months.items() if month not in whole]
    recent = [part for month in whole for part in months[month]]
    asked = pl.DataFrame({"file_id": broken}, schema={"file_id": pl.String})
    message = pl.format(
        "{} is not as a night wrote it: what it says of the advice of that day does not count", "file_id"
    )
    action = "Put the file back from a backup, or remove it: the advice of that day is then not in advice_followed."
    found = items(asked, "advice_record_unreadable", "warning", message, action)
    return Records(pl.concat([none, *recent]), pl.concat([none, *older]), gate.conform(found, ReviewItems))


def _records(folder: Path) -> list[tuple[Path, date]]:
    found = []
    for path in sorted((folder / HISTORY).glob("*.parquet")):
        name = _NAME.fullmatch(path.name)
        if name:
            with suppress(ValueError):  # a file of another name is none of ours
                found.append((path, date.fromisoformat(name[1])))
    return found


def _record(path: Path, day: date) -> pl.DataFrame:
    """The rows of a record; a column that an older version did not write is null.

    Raises:
        ValueError: it is not of that day, or holds what no night writes.
    """
    with path.open("rb") as file:  # a path would be read as a pattern
        rows = pl.read_parquet(file)
    if not set(rows.columns) <= {*gate.dtypes(AdviceHistory)}:
        raise ValueError
    checked = gate.check(gate.conform(rows, AdviceHistory), AdviceHistory)
    if checked.rejected.height or checked.valid.filter(kind="night").height != 1 or (rows["as_of"] != day).any():
        raise ValueError
    return checked.valid


def write_history(folder: Path, rows: pl.DataFrame, as_of: date) -> None:
    """Write the record of a night; that of an earlier run of the same day goes."""
    target = folder / HISTORY
    target.mkdir(mode=0o700, exist_ok=True)
    out = io.BytesIO()
    rows.write_parquet(out, compression="zstd")
    _put(target / f"{as_of}.parquet", out.getvalue())


def write_to_record(published: Path, rows: pl.DataFrame, group: str = "") -> None:
    """Write `instructions_to_record.csv`: the columns of instructions.csv, `recorded_at` left to who enters it.

    Args:
        published: the folder of published files.
        rows: schemas.advice_loop.InstructionsToRecord.
        group: who may read it beside the owner.
    """
    columns = list(gate.dtypes(INPUTS["instructions"].model))
    kept = rows.filter(pl.col("left_out").is_null()).with_columns(quantity=units_text(pl.col("quantity")))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(kept.select(pl.col(columns).cast(pl.String).fill_null("")).rows())
    _put(published / TO_RECORD, text.getvalue().encode(), group)


def write_reports(published: Path, pages: dict[str, str], group: str = "") -> None:
    """Write the reports; those of clients who are no longer on the list go."""
    folder = published / REPORTS
    folder.mkdir(mode=0o700, exist_ok=True)
    _open_to(folder, group, 0o750 if group else 0o700)
    for name, page in pages.items():
        _put(folder / name, page.encode(), group)
    for path in folder.glob("*.html"):
        if path.name not in pages:
            path.unlink(missing_ok=True)


def _put(path: Path, data: bytes, group: str = "") -> None:
    """Put a file in its place at once; who has the old one open keeps it."""
    aside = path.with_name(f".{path.name}.tmp")
    aside.unlink(missing_ok=True)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    _open_to(aside, group, 0o640 if group else 0o600)
    aside.replace(path)


def _open_to(path: Path, group: str, mode: int) -> None:
    if group:
        try:
            shutil.chown(path, group=group)
        except (LookupError, PermissionError):
            raise NightError(f"firm.toml: group {group!r} is not one that the night may give files to") from None
    path.chmod(mode)
