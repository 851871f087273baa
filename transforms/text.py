"""Bytes of a client's file to rows of text cells. No format, no number, no date belongs here."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from itertools import chain, islice
from typing import NamedTuple

MAX_COLUMNS = 2_000
MAX_CELL = 100_000
QUOTE_LENGTH = 60
"""How much of a client's text a reason may quote."""

_DELIMITERS = (",", ";", "\t")
_SAMPLE = 100
_MOST_BROKEN = 100
_END = "\x00"
"""A last line that no text holds: what swallows it has a quote that never closes."""
_OPEN = "a quote in this line does not close: the line could not be read"
_SWALLOWED = "a quote does not close: lines {} to {} run into one another, and none of them could be read"
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PAR1", "a Parquet file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_GUESSES = ("cp1252", "utf-8 broken")
_NO_LETTER = "a byte in this row is no letter of the file's encoding: export it anew in UTF-8"
_START = 2_000
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+")
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1f]")


UNSEEN = (
    r"[\x{00ad}\x{034f}\x{061c}\x{115f}\x{1160}\x{17b4}\x{17b5}\x{180b}-\x{180e}\x{200b}-\x{200f}\x{202a}-\x{202e}"
    r"\x{2060}-\x{2064}\x{206a}-\x{206f}\x{feff}]"
)
"""Characters that take no place or turn the text around them: what a copied name hides with."""
UNSEEN_MARK = "\u25a1"
"""What stands for such a character where a name is kept."""


class UnreadableError(Exception):
    """A file that is no table of text; `reason` is a sentence without any of the client's cells."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Sheet:
    """A table of text: its rows, the line (from 1) where each starts, how it was encoded and divided.

    Empty lines are no rows. `faults` says by line number which rows are not to be trusted as they are divided. A
    workbook's sheet has its `name`; its line numbers are the row numbers that a spreadsheet program shows.
    """

    rows: list[list[str]]
    line_nos: list[int]
    encoding: str
    delimiter: str
    faults: dict[int, str] = field(default_factory=dict)
    name: str = ""


class _Row(NamedTuple):
    """`lines` are the physical lines of a row that spans several, else empty."""

    line_no: int
    cells: list[str]
    lines: list[str]
    fault: str | None


def read_sheet(data: bytes, any_encoding: bool = False) -> Sheet:
    """The rows of a delimited text file.

    With `any_encoding` bytes that are neither UTF-8 nor UTF-16 are read as Windows-1252 (`encoding` is cp1252), or as
    UTF-8 where other letters of the file are that ("utf-8 broken"); a row with a byte that is no letter has a fault.

    A line whose quote never closes is a row with a fault, and the lines after it are read as if it were not there.
    Where a quoted cell swallowed lines that look like rows, each of these lines is a row with a fault.

    Raises:
        UnreadableError: the bytes are no text, or a row or cell is larger than any export makes it, or a hundred lines
            have quotes that do not close.
    """
    text, encoding = _decode(data, any_encoding)
    delimiter, width = _shape(text)
    rows, line_nos, faults = [], [], {}
    for line_no, row, _, fault in chain.from_iterable(  # a row of several lines is looked at once more
        _parted(row, delimiter, width) if row.lines else (row,) for row in _read(text, delimiter)
    ):
        cells = _unwrap(row, delimiter, width)
        if len(cells) > MAX_COLUMNS:
            raise UnreadableError(f"line {line_no} has {len(cells)} columns, more than {MAX_COLUMNS}")
        if sum(map(len, cells)) > MAX_CELL and any(len(cell) > MAX_CELL for cell in cells):
            raise UnreadableError(f"line {line_no} has a cell of more than {MAX_CELL} characters")
        unread = encoding in _GUESSES and any("\ufffd" in cell for cell in cells)
        if fault or unread:
            faults[line_no] = fault or _NO_LETTER
        rows.append(cells)
        line_nos.append(line_no)
    return Sheet(rows, line_nos, encoding, delimiter, faults)


def sanitised(text: str, length: int = QUOTE_LENGTH) -> str:
    """Client text as a reason may quote it: without control and direction characters, cut to 60 characters."""
    return _UNPRINTABLE.sub(" ", text[: 10 * length]).strip()[:length]


def _decode(data: bytes, any_encoding: bool) -> tuple[str, str]:
    for signature, what in _SIGNATURES:
        if data.startswith(signature):
            raise UnreadableError(f"this is {what}: export it as CSV")
    encoding = _wide(data) or "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if not any_encoding or encoding != "utf-8-sig":
            raise UnreadableError("the bytes are neither UTF-8 nor UTF-16: export it as CSV in UTF-8") from None
        text, encoding = _guessed(data)
    if len(_BINARY.findall(text)) * 10 > len(text):
        raise UnreadableError("the bytes are binary, not text: export it as CSV")
    return text.replace("\x00", ""), encoding.removesuffix("-sig")


def _wide(data: bytes) -> str | None:
    """UTF-16, by its mark or because every other byte of the start is zero as that of a Latin letter is."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    start = data[:_START]
    high, low = start[::2].count(0), start[1::2].count(0)
    if len(start) < 4 or 10 * max(high, low) < 4 * len(start) or min(high, low) * 20 > len(start):
        return None
    return "utf-16-be" if high > low else "utf-16-le"


def _guessed(data: bytes) -> tuple[str, str]:
    text = data.decode("utf-8-sig", errors="replace")
    # a letter beyond ASCII that is sound UTF-8 hardly ever arises by chance: then single bytes are broken
    if any(ord(letter) > 127 for letter in text.replace("\ufffd", "")):
        return text, "utf-8 broken"
    return data.decode("cp1252", errors="replace"), "cp1252"


def _shape(text: str) -> tuple[str, int]:
    """The delimiter by which most of the first rows have one and the same width, and that width."""
    start = text[:MAX_CELL]

    def evidence(delimiter: str) -> tuple[int, int]:
        widths = Counter[int]()
        for row in islice(_read(start, delimiter), _SAMPLE):
            widths[len(_inner(row.cells, delimiter) or row.cells)] += 1
        return max(((count, width) for width, count in widths.items() if width > 1), default=(0, 1))

    evidences = {delimiter: evidence(delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=evidences.__getitem__)  # the first of equals, so a comma where nothing tells
    return best, evidences[best][1]


def _read(text: str, delimiter: str) -> Iterator[_Row]:
    lines: Iterator[str] = chain(StringIO(text, newline=""), [_END])
    before = 0
    for _ in range(_MOST_BROKEN + 1):
        record: list[str] = []
        for row in _closed(lines, record, delimiter, before):
            if row.cells:
                yield row
            before += len(row.lines) or 1
        if record == [_END]:
            return
        before += 1
        yield _Row(before, _alone(record[0], delimiter), [], _OPEN)
        lines = chain(record[1:], lines)
    raise UnreadableError(f"more than {_MOST_BROKEN} lines have a quote that does not close, the last is line {before}")


def _closed(lines: Iterator[str], record: list[str], delimiter: str, before: int) -> Iterator[_Row]:
    """Rows until one that does not close before the end; `record` is then left with the lines that it took."""
    reader = csv.reader(_noted(lines, record), delimiter=delimiter)
    try:
        for cells in reader:
            if cells and cells[-1].endswith(_END):
                return
            yield _Row(before + 1, cells, record[:] if len(record) > 1 else [], None)
            before += len(record)
            record.clear()
    except csv.Error:  # a cell beyond the limit of the csv module
        return


def _noted(lines: Iterator[str], record: list[str]) -> Iterator[str]:
    for line in lines:
        record.append(line)
        yield line


def _alone(line: str, delimiter: str) -> list[str]:
    """The cells of one line, whatever its quotes leave open."""
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        return [line]


def _parted(row: _Row, delimiter: str, width: int) -> Iterator[_Row]:
    """A row of several lines; its lines one by one, with a fault, where they look like rows that a quote swallowed."""
    last = row.line_no + len(row.lines) - 1
    if _strictly_quoted(row.lines, delimiter) and not _holds_rows(row.cells, delimiter, width):
        yield row
        return
    for line_no, line in enumerate(row.lines, row.line_no):
        if cells := _alone(line, delimiter):
            yield _Row(line_no, cells, [], _SWALLOWED.format(row.line_no, last))


def _strictly_quoted(lines: list[str], delimiter: str) -> bool:
    """Whether every closing quote ends its cell: one that was to open another cell is followed by that cell's text."""
    try:
        list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return True


def _holds_rows(cells: list[str], delimiter: str, width: int) -> bool:
    """Whether a line inside a cell, after its first, has as many delimiters as a row."""
    inside = chain.from_iterable(cell.splitlines()[1:] for cell in cells)
    return width > 1 and any(line.count(delimiter) >= width - 1 for line in inside)


def _unwrap(row: list[str], delimiter: str, width: int) -> list[str]:
    """A row that was wrapped in quotes once more as a whole, opened where that gives it the others' width."""
    inner = _inner(row, delimiter)
    return inner if inner is not None and len(inner) == width else row


def _inner(row: list[str], delimiter: str) -> list[str] | None:
    if len(row) != 1 or delimiter not in row[0]:
        return None
    inner = next(_read(row[0], delimiter), None)
    return inner.cells if inner is not None and inner.fault is None else None
