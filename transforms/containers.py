"""A client's file to the sheets it holds: text, a workbook, one file in a zip or gzip. No format belongs here.

Nothing is opened before its size is known: a zip's directory is read first, and what it promises is what is unpacked.
Macros, links and formulas of a workbook are never run; a formula's cell is the value that was last saved.
"""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from itertools import chain
from typing import NamedTuple

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, XmlError, ZipError

from transforms.text import MAX_CELL, MAX_COLUMNS, Sheet, UnreadableError, read_sheet

MAX_BYTES = 100 * 10**6
"""Bytes of a file, and of what it unpacks to (a million rows have some 50 MB): reading takes twenty times as much."""
MAX_RATIO = 200
"""How many times its size a large member of an archive may unpack to; exports pack 5 to 30 times."""
MAX_CELLS = 5_000_000
"""Cells of a workbook's rectangle from A1 to its last row and column."""
MAX_TEXT = 2 * 10**9
"""Longest shared text of a workbook x its cells: each cell takes a copy."""

_SMALL = 10**7
_ZIP, _GZIP, _OLE = b"PK\x03\x04", b"\x1f\x8b", b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
"""The stream in which a locked .xlsx lies; its outer file is of the old kind."""
_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Z]{0,7})([0-9]{1,12})["']""")
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_WIDEST = 16_384
_TOO_LARGE = f"the file unpacks to more than {MAX_BYTES // 10**6} MB: export it in parts, as by year"
_SPANS = f"the workbook spans more than {MAX_CELLS:,} cells: export it as CSV, or in parts"
_BROKEN = "the archive is broken or cut off: download it again"
_LOCKED = "the file is locked with a password: save it without one"
_UNREADABLE = "the workbook cannot be read: save it anew as .xlsx, or export it as CSV"


class Contents(NamedTuple):
    """The sheets of a file that hold rows, and what is to be said of how it was opened."""

    sheets: list[Sheet]
    said: list[str]


def too_large(size: int) -> str | None:
    """Why a file of so many bytes is not opened."""
    if size <= MAX_BYTES:
        return None
    return f"the file has {size / 10**6:,.0f} MB, more than {MAX_BYTES // 10**6}: export it in parts, as by year"


def read_sheets(data: bytes) -> Contents:
    """The sheets of a text file, a workbook (.xlsx, .xlsm, .xls), or a zip or gzip that holds one such text file.

    A text that is not UTF-8 is read as UTF-16 where its bytes show it, else as Windows-1252; either is said.

    Raises:
        UnreadableError: there is no table in the file, or more than is opened; the reason says what to do.
    """
    fault = too_large(len(data))
    if fault is not None:
        raise UnreadableError(fault)
    if data.startswith(_ZIP):
        return _zipped(data)
    if data.startswith(_GZIP):
        return _text(_gunzipped(data), ["unpacked from gzip"])
    if data.startswith(_OLE):
        if _ENCRYPTED in data:
            raise UnreadableError(_LOCKED)
        return _workbook(data)
    return _text(data, [])


def _text(data: bytes, said: list[str]) -> Contents:
    sheet = read_sheet(data, any_encoding=True)
    return Contents([sheet], said if sheet.encoding == "utf-8" else [*said, _encoding_said(sheet.encoding)])


def _encoding_said(encoding: str) -> str:
    if encoding == "cp1252":
        return "the bytes are not UTF-8 and were read as Windows-1252: letters such as é in notes may be others"
    return (
        "some bytes are not UTF-8: their rows are rejected"
        if encoding == "utf-8 broken"
        else f"read as {encoding.upper()}"
    )


def _gunzipped(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as packed:
            text = packed.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise UnreadableError(_BROKEN) from None
    if len(text) > MAX_BYTES:
        raise UnreadableError(_TOO_LARGE)
    return text


def _zipped(data: bytes) -> Contents:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir() and "__MACOSX/" not in one.filename]
            _bounded(members)
            names = {member.filename for member in members}
            if "xl/workbook.xml" in names:
                return _workbook(_repacked(archive, members))
            _one_table(members, names)
            return _text(archive.read(members[0]), ["unpacked from zip"])
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError):
        raise UnreadableError(_BROKEN) from None
    except RuntimeError:  # what zipfile raises where a member wants a password
        raise UnreadableError(_LOCKED) from None


def _bounded(members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse by the directory alone; `ZipFile.read` unpacks no more of a member than the directory says."""
    if any(member.flag_bits & 1 for member in members):
        raise UnreadableError(_LOCKED)
    if sum(member.file_size for member in members) > MAX_BYTES:
        raise UnreadableError(_TOO_LARGE)
    if any(m.file_size > _SMALL and m.file_size > MAX_RATIO * max(m.compress_size, 1) for m in members):
        raise UnreadableError(f"a file in the archive unpacks to more than {MAX_RATIO} times its size: it is no export")


def _one_table(members: Sequence[zipfile.ZipInfo], names: set[str]) -> None:
    if "xl/workbook.bin" in names or "mimetype" in names or "META-INF/manifest.xml" in names:
        raise UnreadableError("this is a workbook of another kind (.xlsb, .ods): save it as .xlsx, or export it as CSV")
    if len(members) != 1:
        raise UnreadableError(f"the zip archive holds {len(members)} files: unpack it and hand in each of them")


def _repacked(archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]) -> bytes:
    """The workbook's tables alone, stored unpacked: what is opened is exactly what was bounded."""
    out, extent, texts, cells = BytesIO(), 0, 0, 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as plain:
        for member in members:
            if not member.filename.endswith((".xml", ".rels")) or "/media/" in member.filename:
                continue
            part = archive.read(member)
            if "sheet" in member.filename.lower():
                extent = max(extent, _extent(part))
                cells += len(_CELL.findall(part))
            if "sharedstrings" in member.filename.lower():
                texts = max(map(len, re.split(rb"<(?:\w+:)?si\b", part)))
            plain.writestr(member.filename, part)
    if extent > MAX_CELLS:
        raise UnreadableError(_SPANS)
    if texts > 4 * MAX_CELL or texts * cells > MAX_TEXT:
        raise UnreadableError("the workbook's cells hold more text than any export: export it as CSV")
    return out.getvalue()


def _extent(sheet: bytes) -> int:
    """Rows x columns from A1 to the last cell that the sheet's XML names: a reader lays out all of them.

    A row that is only formatted has no cell; but a cell that does not name its place takes its row's.
    """
    rows = last = columns = named = 0
    for place in _PLACE.finditer(sheet):
        last = max(last, int(place[2]))
        if place[1]:
            rows, columns, named = max(rows, int(place[2])), max(columns, _column(place[1])), named + 1
    nameless = len(_CELL.findall(sheet)) - named
    return rows * columns if nameless <= 0 else max(last, nameless) * max(columns, min(nameless, _WIDEST))


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def _workbook(data: bytes) -> Contents:
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(data))
        tables = _tables(book)
    except PasswordError:
        raise UnreadableError(_LOCKED) from None
    except (CalamineError, XmlError, ZipError, OSError, ValueError):
        raise UnreadableError(_UNREADABLE) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how the reader tells of a file that it did not foresee
            raise
        raise UnreadableError(_UNREADABLE) from None
    found = [_sheet(name, table) for name, table in tables]
    return Contents([sheet for sheet in found if sheet.rows], [])


def _tables(book: CalamineWorkbook) -> list[tuple[str, Sequence[Sequence[object]]]]:
    names = [sheet.name for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    sheets = [book.get_sheet_by_name(name) for name in names]
    if sum(sheet.total_height * sheet.total_width for sheet in sheets) > MAX_CELLS:
        raise UnreadableError(_SPANS)
    return [(sheet.name, sheet.to_python(skip_empty_area=False)) for sheet in sheets]


def _sheet(name: str, table: Sequence[Sequence[object]]) -> Sheet:
    """A sheet's rows as text, numbered as the workbook shows them; an empty row is no row."""
    rows, line_nos = [], []
    for row_no, cells in enumerate(table, 1):
        row = [_shown(cell) for cell in cells]
        if any(row):
            rows.append(row)
            line_nos.append(row_no)
    if rows and len(rows[0]) > MAX_COLUMNS:
        raise UnreadableError(f"a sheet has {len(rows[0])} columns, more than {MAX_COLUMNS}")
    if any(len(cell) > MAX_CELL for cell in chain.from_iterable(rows)):
        raise UnreadableError(f"a cell has more than {MAX_CELL} characters")
    return Sheet(rows, line_nos, "workbook", "", name=name)


def _shown(cell: object) -> str:
    """A cell as text: a number by the fewest decimal digits that name its double, a day with its midnight."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        text = format(Decimal(repr(cell)), "f")
        return text.removesuffix(".0")
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return f"{cell.isoformat()} 00:00:00" if isinstance(cell, date) else str(cell)
