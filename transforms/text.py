"""Bytes of a client's file to rows of text cells. No format, no number, no date belongs here."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from itertools import islice

MAX_COLUMNS = 2_000
MAX_CELL = 100_000
QUOTE_LENGTH = 60
"""How much of a client's text a reason may quote."""

_DELIMITERS = (",", ";", "\t")
_SAMPLE = 100
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PAR1", "a Parquet file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+")
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1f]")


class UnreadableError(Exception):
    """A file that is no table of text; `reason` is a sentence without any of the client's cells."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Sheet:
    """A delimited text file: its rows, the line (from 1) where each starts, how it was encoded and divided.

    Empty lines are no rows.
    """

    rows: list[list[str]]
    line_nos: list[int]
    encoding: str
    delimiter: str


def read_sheet(data: bytes) -> Sheet:
    """The rows of a delimited text file.

    Raises:
        UnreadableError: the bytes are no text, or a row or cell is larger than any export makes it.
    """
    text, encoding = _decode(data)
    delimiter, width = _shape(text)
    rows, line_nos = [], []
    for line_no, row in _read(text, delimiter):
        cells = _unwrap(row, delimiter, width)
        if len(cells) > MAX_COLUMNS:
            raise UnreadableError(f"line {line_no} has {len(cells)} columns, more than {MAX_COLUMNS}")
        if sum(map(len, cells)) > MAX_CELL and any(len(cell) > MAX_CELL for cell in cells):
            raise UnreadableError(f"line {line_no} has a cell of more than {MAX_CELL} characters")
        rows.append(cells)
        line_nos.append(line_no)
    return Sheet(rows, line_nos, encoding, delimiter)


def sanitised(text: str, length: int = QUOTE_LENGTH) -> str:
    """Client text as a reason may quote it: without control and direction characters, cut to 60 characters."""
    return _UNPRINTABLE.sub(" ", text[: 10 * length]).strip()[:length]


def _decode(data: bytes) -> tuple[str, str]:
    for signature, what in _SIGNATURES:
        if data.startswith(signature):
            raise UnreadableError(f"this is {what}: export it as CSV")
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise UnreadableError("the bytes are neither UTF-8 nor UTF-16 with a mark: export it as CSV in UTF-8") from None
    if len(_BINARY.findall(text)) * 10 > len(text):
        raise UnreadableError("the bytes are binary, not text: export it as CSV")
    return text.replace("\x00", ""), encoding.removesuffix("-sig")


def _shape(text: str) -> tuple[str, int]:
    """The delimiter by which most of the first rows have one and the same width, and that width."""
    start = text[:MAX_CELL]

    def evidence(delimiter: str) -> tuple[int, int]:
        widths = Counter[int]()
        for _, row in islice(_read(start, delimiter), _SAMPLE):
            widths[len(_inner(row, delimiter) or row)] += 1
        return max(((count, width) for width, count in widths.items() if width > 1), default=(0, 1))

    evidences = {delimiter: evidence(delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=evidences.__getitem__)  # the first of equals, so a comma where nothing tells
    return best, evidences[best][1]


def _read(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    start = 1
    try:
        for row in reader:
            if row:
                yield start, row
            start = reader.line_num + 1
    except csv.Error:
        raise UnreadableError(f"the quotes do not match after line {start}, or a cell is too large") from None


def _unwrap(row: list[str], delimiter: str, width: int) -> list[str]:
    """A row that was wrapped in quotes once more as a whole, opened where that gives it the others' width."""
    inner = _inner(row, delimiter)
    return inner if inner is not None and len(inner) == width else row


def _inner(row: list[str], delimiter: str) -> list[str] | None:
    if len(row) != 1 or delimiter not in row[0]:
        return None
    return next((cells for _, cells in _read(row[0], delimiter)), None)
