"""Reads the firm's folder from disk: its tables, its price files, its clients' files. What they mean is in transforms."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import polars as pl

from pipelines.errors import NightError
from pipelines.factory import Part
from pipelines.households import household_members
from pipelines.resources import DEFAULT_ZONE, FirmFolder, Night
from schemas import gate, intake
from schemas.clients import AccountFacts, AssetFacts, ReturnMembers, Stands, TimeZones
from schemas.inputs import INPUTS, FirmSettings
from schemas.review import ReviewItems
from transforms import asset_master, firm, prices, reference_rates
from transforms.containers import too_large
from transforms.review import items
from transforms.sources.base import Context
from transforms.sources.binance import utc_offset
from transforms.sources.registry import Reading, is_current, read_file
from transforms.text import Sheet, UnreadableError, read_sheet, sanitised

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
    sheets, unusable = _sheets(night.folder)
    folders = [_plain(path.name) for path in sorted((night.folder / "intake").glob("*")) if path.is_dir()]
    read = firm.read_folder(sheets, FirmFolder(folder=str(night.folder)).settings, folders, unusable)
    known = firm.as_of(read, night.as_of)
    accounts = firm.account_facts(known)
    years = range(2009, night.as_of.year + 1)
    tables = {FIRM.format(name): known[name] for name in INPUTS}
    stopped = pl.DataFrame({"taxpayer_id": read.stopped}, schema={"taxpayer_id": pl.String})
    return {
        **tables,
        "members": household_members(*firm.kin(read)),
        "return_members": gate.conform(firm.members(known, years), ReturnMembers),
        "account_facts": gate.conform(accounts, AccountFacts),
        "time_zones": gate.conform(firm.zones(known), TimeZones),
        "stands": gate.conform(firm.stands(known), Stands),
        "asset_facts": gate.conform(asset_master.facts(asset_master.master(known["assets"])), AssetFacts),
        "folder_questions": pl.concat(
            [
                firm.problem_items(read.problems),
                *_folder_items(night.folder, accounts.select("account_id", "taxpayer_id"), read["opening_lots"]),
            ]
        ),
        "quarantine": stopped.with_columns(why=pl.lit("a row of the firm's folder is broken")),
    }


def _sheets(folder: Path) -> tuple[dict[str, Sheet], dict[str, tuple[str, str]]]:
    """The CSVs of the folder by their table's name, and those that are none: what was found, what is expected.

    Upper and lower case are one in a file's name; hidden files (a Mac's `._profiles.csv`) are not the firm's.
    """
    sheets: dict[str, Sheet] = {}
    unusable: dict[str, tuple[str, str]] = {}
    for path in _firm_csvs(folder):
        name = sanitised(_plain(path.stem), 255)
        name = name.lower() if name.lower() in INPUTS else name
        if name in sheets or name in unusable:
            unusable[name] = ("two files whose names differ in upper and lower case", "one file of this name")
            continue
        try:
            sheets[name] = read_sheet(path.read_bytes())
        except (UnreadableError, OSError) as error:
            unusable[name] = (_reason(error), "a CSV in UTF-8 that the night may read")
    return {name: sheet for name, sheet in sheets.items() if name not in unusable}, unusable


def _firm_csvs(folder: Path) -> list[Path]:
    here = sorted(folder.iterdir())
    return [path for path in here if path.suffix.lower() == ".csv" and path.name[0] != "." and path.is_file()]


def _folder_items(folder: Path, accounts: pl.DataFrame, opening_lots: pl.DataFrame) -> list[pl.DataFrame]:
    """ReviewItems on what lies in the folder and is not read, and on what is not there.

    Args:
        folder: the firm's.
        accounts: account_id, taxpayer_id.
        opening_lots: account_id.
    """
    listed = {account: _listing(folder / "intake" / account) for account in accounts["account_id"]}
    left = [(account, _shown(path.relative_to(folder)), why) for account, of in listed.items() for path, why in of[1]]
    unread = _rows(left, "account_id", "file_id", "found").join(accounts, on="account_id", how="left")
    loose = [
        (_shown(path.relative_to(folder)),) for path in _intake(folder) if not path.is_dir() and not _junk(path.name)
    ]
    bare = accounts.filter(pl.col("account_id").is_in([account for account, of in listed.items() if not of[0]]))
    opened = pl.col("account_id").is_in(opening_lots["account_id"].drop_nulls().implode())
    none = pl.format("no file of account {} is in intake/{}", "account_id", "account_id")
    assumed = [] if (folder / "firm.toml").exists() else [("firm.toml",)]
    zone = f"there is no firm.toml: the firm's time zone is assumed to be {DEFAULT_ZONE}"
    return [
        items(unread, "file_not_read", "warning", pl.format("{}: {}; it is not read", "file_id", "found"), _HAND_IN),
        items(_rows(loose, "file_id"), "file_without_account", "blocking",
              pl.format("{} lies in no account's folder; it is not read", "file_id"), _MOVE),
        items(bare.filter(~opened), "account_without_files", "warning", none, _ASK),
        items(bare.filter(opened), "account_without_files", "info", none + pl.lit("; it has opening lots"), _ASK),
        items(_rows(assumed, "file_id"), "settings_assumed", "info", pl.lit(zone), "Write a firm.toml."),
    ]  # fmt: skip


_HAND_IN = "Put the file itself into the account's folder, under a name without a leading dot."
_MOVE = "Move the file into intake/<account_id>/ of the account that it is of."
_ASK = "Ask the client for the account's export; without it nothing of the account is known."


def _rows(rows: Iterable[tuple[str, ...]], *columns: str) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict.fromkeys(columns, pl.String), orient="row")


def _intake(folder: Path) -> list[Path]:
    """What lies directly in intake/.

    Raises:
        NightError: it cannot be listed (it would look like a night on which every file was withdrawn).
    """
    try:
        return sorted((folder / "intake").iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NightError(f"{folder / 'intake'} cannot be read: {error.strerror}") from None


def _listing(folder: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """The files below an account's folder by name, and what lies there and is not read, with the reason."""
    files, left, failed = [], [], list[OSError]()
    for base, folders, names in os.walk(folder, onerror=failed.append):
        for path in (Path(base, name) for name in [*folders, *names] if not _junk(name)):
            why = _not_read(path)
            if why:
                left.append((path, why))
            elif path.name in names:
                files.append(path)
        folders[:] = [name for name in folders if not name.startswith(".")]
    left += [(Path(e.filename), "a folder that cannot be read") for e in failed if not isinstance(e, FileNotFoundError)]
    return sorted(files), sorted(left)


def _not_read(path: Path) -> str | None:
    try:
        if path.is_symlink():  # it may point anywhere
            return "a link"
        if path.name.startswith("."):
            return "a hidden file or folder"
        return None if path.is_file() or path.is_dir() else "no regular file"
    except OSError:
        return "it cannot be looked at"


def _junk(name: str) -> bool:
    """What systems leave in folders by themselves."""
    return name in (".DS_Store", ".localized", ".gitkeep") or name.startswith("._")


class _Found(NamedTuple):
    """A file of an account; the same bytes under several names are one."""

    account_id: str
    taxpayer_id: str
    address: str | None
    time_zone: str | None
    path: Path
    file_id: str
    fault: str | None


def take_in(night: Night, account_facts: pl.DataFrame, files: pl.DataFrame) -> dict[str, pl.DataFrame | Part]:
    """New and changed files of clients, read once; what was taken in before stays, what is gone is withdrawn.

    Bytes that lie in several accounts count once, in the first, where all are one taxpayer's; else for nobody, for
    nothing tells whose they are (`file_questions`).

    Args:
        night: tonight.
        account_facts: AccountFacts.
        files: Files as the last night left them.
    """
    held = {(row["account_id"], row["file_id"]): row for row in files.iter_rows(named=True)}
    found = _found(night.folder, account_facts)
    doubles = _doubles(found)
    read, kept = [], []
    for one in found:
        key, shown = (one.account_id, one.file_id), _shown(one.path.relative_to(night.folder))
        context = Context(one.account_id, one.file_id, one.address, _plain(one.path.name), one.time_zone)
        before = held.get(key)
        if before and _holds(before, context) and (key not in doubles or before["status"] == "empty"):
            kept.append({**before, "path": shown})
            continue
        reading = _reading(one, context)
        if key in doubles and reading.file["status"].item() != "empty":
            reading = _nothing(context, "duplicate", doubles[key])
        read.append(reading._replace(file=reading.file.with_columns(path=pl.lit(shown))))
    seen = {(one.account_id, one.file_id) for one in found}
    # what no reading stands behind (a duplicate, a file that could not be opened) leaves no trace
    gone = [{**row, "status": "withdrawn"} for key, row in held.items() if key not in seen and row["parser_version"]]
    vanished = [key for key in held if key not in seen]
    return _taken(night, account_facts, read, kept, gone, vanished)


def _found(folder: Path, account_facts: pl.DataFrame) -> list[_Found]:
    """The files of all accounts; of several names of the same bytes the one that states a time zone, then the first."""
    found: dict[tuple[str, str], _Found] = {}
    for account, taxpayer, address, zone in (
        account_facts.select("account_id", "taxpayer_id", "address", "time_zone").sort("account_id").iter_rows()
    ):
        paths = _listing(folder / "intake" / account)[0]
        for path in sorted(paths, key=lambda path: utc_offset(path.name) is None):
            try:
                file_id, fault = _digest(path), None
            except OSError as error:
                # nobody knows its bytes: it goes under the hash of its name
                file_id, fault = hashlib.sha256(os.fsencode(path.relative_to(folder))).hexdigest(), _reason(error)
            found.setdefault((account, file_id), _Found(account, taxpayer, address, zone, path, file_id, fault))
    return list(found.values())


def _doubles(found: list[_Found]) -> dict[tuple[str, str], str]:
    """The copies of a file that do not count, and why."""
    copies: dict[str, list[_Found]] = {}
    for one in found:
        copies.setdefault(one.file_id, []).append(one)
    doubles = {}
    for file_id, same in copies.items():
        strangers = len({one.taxpayer_id for one in same}) > 1
        for one in same if strangers else same[1:]:
            others = ", ".join(other.account_id for other in same if other is not one)
            doubles[one.account_id, file_id] = (
                f"the same bytes lie in the folder of another client's account ({others}): they count for nobody"
                if strangers
                else f"the same bytes lie in the folder of account {same[0].account_id} and count there"
            )
    return doubles


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reading(one: _Found, context: Context) -> Reading:
    if one.fault is not None:
        return _nothing(context, "unreadable", one.fault)
    try:
        fault = too_large(one.path.stat().st_size)
        return _nothing(context, "unreadable", fault) if fault else read_file(one.path.read_bytes(), context)
    except OSError as error:
        return _nothing(context, "unreadable", _reason(error))


def _reason(error: Exception) -> str:
    """Why a file is no table, without its path or a cell."""
    if isinstance(error, UnreadableError):
        return error.reason
    return f"the file cannot be read ({error.strerror})" if isinstance(error, OSError) else "it is no table"


def _plain(name: str) -> str:
    """A file's name as text: any bytes may stand in it."""
    return name.encode(errors="replace").decode()


def _shown(path: Path) -> str:
    """A client's file name fit for a table."""
    return sanitised(_plain(path.as_posix()), 255)


def _holds(before: Mapping[str, object], context: Context) -> bool:
    """Whether what an earlier night read in a file still stands.

    Without a last event something in it may have been dated after that night, and is read again.
    """
    version, status = before["parser_version"], before["status"]
    if status in ("withdrawn", "duplicate") or (status == "parsed" and before["last_event_at"] is None):
        return False
    return is_current(version if isinstance(version, str) else None, context)


def _nothing(context: Context, status: str, message: str) -> Reading:
    """A file out of which nothing is taken."""
    row = {
        "file_id": context.file_id, "account_id": context.account_id, "path": context.file_name,
        "rows": 0, "rows_rejected": 0, "status": status, "message": message,
    }  # fmt: skip
    return Reading(gate.conform(pl.DataFrame([row]), intake.Files), gate.empty(intake.RawRows), gate.empty(intake.Legs))


def _taken(
    night: Night,
    account_facts: pl.DataFrame,
    read: list[Reading],
    kept: list[dict[str, object]],
    gone: list[dict[str, object]],
    vanished: list[tuple[str, str]],
) -> dict[str, pl.DataFrame | Part]:
    types = gate.dtypes(intake.Files)
    old = pl.DataFrame([*kept, *gone], schema=types, orient="row")
    new, raw_rows, legs = (
        pl.concat([gate.empty(model), *frames])
        for model, frames in zip(
            (intake.Files, intake.RawRows, intake.Legs), zip(*read, strict=True) if read else ((), (), ()), strict=True
        )
    )
    files = _until(pl.concat([old, new]), night).sort(FILE_KEY)
    changed = pl.concat([new.select(FILE_KEY), _rows(vanished, *FILE_KEY)])
    return {
        "files": files,
        "raw_rows": Part(raw_rows, changed),
        "legs": Part(legs, changed),
        "file_questions": _duplicate_items(files, account_facts),
    }


def _until(files: pl.DataFrame, night: Night) -> pl.DataFrame:
    """`files` without instants after the night's date (AS_OF hides what is dated later)."""
    zone = FirmFolder(folder=str(night.folder)).zone.key
    instants = (pl.col(name) for name in ("first_event_at", "last_event_at"))
    return files.with_columns(
        pl.when(at.dt.convert_time_zone(zone).dt.date() <= night.as_of).then(at).name.keep() for at in instants
    )


def _duplicate_items(files: pl.DataFrame, account_facts: pl.DataFrame) -> pl.DataFrame:
    """A blocking item for every account in which bytes lie that lie in another one too."""
    double = files.filter(pl.col("status") == "duplicate")["file_id"].unique()
    there = files.filter(pl.col("file_id").is_in(double.implode()) & (pl.col("status") != "withdrawn"))
    owned = there.join(account_facts.select("account_id", "taxpayer_id"), on="account_id", how="left")
    here = pl.lit("the same bytes lie in the folder of another account of this client too and count here")
    message = pl.when(pl.col("status") == "duplicate").then("message").otherwise(here)
    action = "Find out whose file it is and take it out of the other folder."
    return gate.conform(items(owned, "duplicate_file", "blocking", message, action), ReviewItems)


def price_table(night: Night) -> dict[str, pl.DataFrame]:
    """The firm's price files up to the night, and the rows of them that cannot be used."""
    parts, rates, unreadable = [_PRICE_ROWS], [_PRICE_ROWS], []
    for path in sorted((night.folder / "prices").glob("*")):
        if path.suffix.lower() not in (".csv", ".parquet", ".zip"):
            continue
        try:
            rows, is_rates = _price_rows(path)
            (rates if is_rates else parts).append(rows)
        except (UnreadableError, pl.exceptions.PolarsError, OSError, zipfile.BadZipFile) as error:
            unreadable.append((sanitised(_plain(path.name)), _reason(error)))
    own, rejected = prices.price_points(pl.concat(parts))
    reference, unusable = prices.price_points(pl.concat(rates))
    points, rejected = prices.with_rates(own, reference), pl.concat([rejected, unusable])
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


def _price_rows(path: Path) -> tuple[pl.DataFrame, bool]:
    """A price file as text rows, a column it lacks null; and whether it is the central bank's file of rates."""
    if path.suffix.lower() == ".parquet":
        with path.open("rb") as file:  # a path would be read as a pattern
            typed = pl.read_parquet(file)
        iso = [
            pl.col(c).dt.to_string("iso:strict") for c, kind in typed.schema.items() if isinstance(kind, pl.Datetime)
        ]
        frame = typed.with_columns(iso).cast(pl.String)
        lines = pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True).alias("row_no")
    else:
        sheet = read_sheet(_unzipped(path) if path.suffix.lower() == ".zip" else path.read_bytes())
        header = [cell.strip() for cell in sheet.rows[0]] if sheet.rows else []
        body = [[*row, *[None] * len(header)][: len(header)] for row in sheet.rows[1:]]
        lines = pl.Series("row_no", sheet.line_nos[1:], dtype=pl.Int64)
        if reference_rates.is_rates(header):
            return _rates(header, body, lines, path), True
        frame = pl.DataFrame(body, schema=dict.fromkeys([cell.lower() for cell in header], pl.String), orient="row")
    missing = [pl.lit(None, pl.String).alias(name) for name in _PRICE_COLUMNS if name not in frame.columns]
    text = frame.with_columns(*missing, lines, file=pl.lit(_plain(path.name)))
    blank = pl.col(_PRICE_COLUMNS).replace("", None)
    return text.with_columns(blank).select(_PRICE_ROWS.columns), False


def _rates(header: list[str], body: list[list[str | None]], lines: pl.Series, path: Path) -> pl.DataFrame:
    """The file of rates as price rows; the bank ends each line with a comma."""
    names = [name.upper() if name else f"blank {n}" for n, name in enumerate(header)]
    wide = pl.DataFrame(body, schema=dict.fromkeys(names, pl.String), orient="row")
    named = wide.rename({names[0]: "date"}).with_columns(lines, file=pl.lit(_plain(path.name)))
    return reference_rates.dollars(named).select(_PRICE_ROWS.columns)


_UNZIPPED_LIMIT = 2**26


def _unzipped(path: Path) -> bytes:
    """The one file in a zip.

    Raises:
        UnreadableError: it holds none or several, or one of more than 64 MB, or cannot be unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [member for member in archive.infolist() if not member.is_dir()]
            if len(inside) != 1 or inside[0].flag_bits & 1:
                raise UnreadableError("a zip that holds other than one file, not encrypted")
            with archive.open(inside[0]) as file:
                data = file.read(_UNZIPPED_LIMIT + 1)  # whatever size the archive claims
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UnreadableError("a zip that is damaged, or packed in a way that cannot be read: pack it anew") from error
    if len(data) > _UNZIPPED_LIMIT:
        raise UnreadableError("a zip whose file is larger than 64 MB")
    return data


def input_hash(night: Night) -> str:
    """A hash of all that the night reads: the folder's tables, prices, records of filings and clients' files."""
    total = hashlib.sha256()
    tops = [sorted(night.folder.glob(top)) for top in ("firm.toml", "prices/*", "filed/*", "intake/**/*")]
    for path in [*_firm_csvs(night.folder), *chain.from_iterable(tops)]:
        try:
            if path.is_file() and not path.is_symlink():
                total.update(os.fsencode(path.relative_to(night.folder)) + b"\0" + _digest(path).encode())
        except OSError:
            continue  # `files` tells that it cannot be read
    return total.hexdigest()
