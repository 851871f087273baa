"""What the parsers make of a folder of sample exports, counted: `make coverage` and docs/coverage.md. No parser belongs here."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from transforms.sources.base import Context
from transforms.sources.registry import SOURCES, Reading, read_file

VARIABLE = "LOTBOOK_SAMPLE_DATA"
TABLES = frozenset({".csv", ".tsv", ".txt", ".xlsx", ".xls"})
"""Kinds of file that a client downloads. Others (answers of an API, blocks, archives) are counted and not read."""
NO_EXPORTS = (
    "fx", "identity", "localchain", "prices", "onchain/dex_trades_dune", "onchain/ethereum_etl", "onchain/nft_trades_dune",
)  # fmt: skip
"""Folders of the samples whose tables are no export of an account: prices, lists of assets, a chain made for tests."""
_ADDRESS = re.compile(r"0x[0-9a-f]{40}(?![0-9a-f])")
_ABOVE = "the header or a line above it"
_EXPECTED = re.compile(r": expected one of .*$")
_PRICE = re.compile(r"\$[0-9.]+")
_SIZE = 16 * 2**20

_HEAD = """\
# What the parsers read

Written by `make coverage` from a folder of sample exports (`LOTBOOK_SAMPLE_DATA` names it); do not edit. A test holds
the page to the registry (a parser that changed makes it stale) and, where the samples are, to what is counted there.
Each file is read on its own, as if its account's clock were UTC and its address the one that most rows of its folder
name. A row is *used* (it has legs), *ignored* (known to be no fact: pending, a move inside the account) or *rejected*
(asked, with the reason below); no row is lost.
"""


class Read(NamedTuple):
    """A sample file by its place in the folder, and its reading."""

    name: str
    reading: Reading

    @property
    def source(self) -> str | None:
        """The source that recognised it."""
        return _text(self.reading.file["source"].item())

    @property
    def folder(self) -> str:
        """The two uppermost folders."""
        return "/".join(self.name.split("/")[:-1][:2]) or "."


def main(page: Path) -> str:
    """Count the folder that the environment names, write the page, return what is printed.

    Raises:
        SystemExit: the variable names no folder.
    """
    root = Path(os.environ.get(VARIABLE) or "")
    if not os.environ.get(VARIABLE) or not root.is_dir():
        raise SystemExit(f"{VARIABLE} names no folder: set it to a folder of sample exports")
    text = coverage(root)
    page.write_text(text, encoding="utf-8")
    return text.partition("\n## Rows that are asked")[0]


def coverage(root: Path) -> str:
    """The page: a table of sources, one of layouts, the reasons of rows not used, the files of no known format."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    tables = [path for path in files if path.suffix.lower() in TABLES and not _is_no_export(path, root)]
    read = list(_read(root, tables))
    parts = [
        _HEAD,
        "## Sources\n\n" + _sources(read),
        "## Layouts met\n\nA vintage is a header; prices in it are left out.\n\n" + _layouts(read),
        "## Rows that are asked\n\n" + _reasons(read, "rejected"),
        "## Rows that are no fact\n\n" + _reasons(read, "ignored"),
        "## Files of no known format\n\nExports, by folder: each is asked for in the inbox, and none is read by guess.\n\n"
        + _unknown(read),
        "## Files that are no exports\n\nNot read: answers of an API, blocks, prices, lists of assets, archives.\n\n"
        + _table(("folder", "kind", "files"), _others(root, set(files) - set(tables))),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def listed(page: str) -> dict[str, str]:
    """Source -> version, as the page's first table has them."""
    first = page.partition("## Sources")[2].partition("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in first.splitlines() if line.startswith("| `")
    ]
    return {row[0].strip("`"): row[1] for row in cells}


def _is_no_export(path: Path, root: Path) -> bool:
    return path.relative_to(root).as_posix().startswith(tuple(f"{folder}/" for folder in NO_EXPORTS))


def _read(root: Path, tables: Iterable[Path]) -> Iterable[Read]:
    by_folder = defaultdict(list)
    for path in tables:
        by_folder[path.parent].append(path)
    for paths in by_folder.values():
        bytes_of = {path: path.read_bytes()[:_SIZE] for path in paths}
        address = _address(bytes_of.values())
        for path, data in bytes_of.items():
            context = Context("sample", hashlib.sha256(data).hexdigest(), address, path.name, "UTC")
            yield Read(path.relative_to(root).as_posix(), read_file(data, context))


def _address(files: Iterable[bytes]) -> str | None:
    """The address that stands in most lines: in its own exports it is in every one."""
    lines = (line for data in files for line in data.decode(errors="replace").lower().splitlines())
    found = Counter(address for line in lines for address in set(_ADDRESS.findall(line)))
    return max(sorted(found), key=found.__getitem__) if found else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _counts(reading: Reading) -> Counter[str]:
    """Rows under the header by status."""
    rows = reading.raw_rows.filter(pl.col("reason").fill_null("") != _ABOVE)
    return Counter(rows["status"].to_list())


def _sources(read: list[Read]) -> str:
    rows: list[tuple[object, ...]] = []
    total = Counter[str]()
    for source in SOURCES:
        mine = [one for one in read if one.source == source.name]
        counts = sum((_counts(one.reading) for one in mine), Counter[str]())
        total += counts + Counter(files=len(mine))
        places = ", ".join(sorted({one.folder for one in mine}))
        rows.append((f"`{source.name}`", source.version, len(mine), counts.total(), *_statuses(counts), places))
    whole = total["used"] + total["ignored"] + total["rejected"]
    rows.append(("all", "", total["files"], whole, *_statuses(total), ""))
    return _table(("source", "version", "files", "rows", "used", "ignored", "rejected", "found in"), rows)


def _statuses(counts: Counter[str]) -> tuple[int, int, int]:
    return counts["used"], counts["ignored"], counts["rejected"]


def _layouts(read: list[Read]) -> str:
    met: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in read:
        if one.source is None:
            continue
        names = [cell.strip() for cell in _header(one.reading)]
        header = _PRICE.sub("$", ", ".join(name for name in names if name))
        met[one.source, header] += _counts(one.reading) + Counter(files=1)
    rows = [
        (f"`{source}`", header.count(", ") + 1, _cut(header), counts["files"], counts.total() - counts["files"])
        for (source, header), counts in sorted(met.items())
    ]
    return _table(("source", "columns", "header", "files", "rows"), rows)


def _header(reading: Reading) -> list[str]:
    """The header is the last line above the rows."""
    above = reading.raw_rows.filter(pl.col("reason") == _ABOVE)
    return list(above["cells"][-1]) if above.height else []


def _reasons(read: list[Read], status: str) -> str:
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in read:
        if one.source is not None:
            rows = one.reading.raw_rows.filter((pl.col("status") == status) & (pl.col("reason") != _ABOVE))
            for reason in rows["reason"]:
                found[one.source, _EXPECTED.sub("", reason)][one.name] += 1
    rows_ = [
        (f"`{source}`", _cut(reason, 400), where.total(), len(where))
        for (source, reason), where in sorted(found.items())
    ]
    return _table(("source", "why", "rows", "files"), rows_)


def _unknown(read: list[Read]) -> str:
    found = Counter(
        (
            one.folder,
            "unreadable" if one.reading.file["status"].item() == "unreadable" else "unknown",
            Path(one.name).suffix,
        )
        for one in read
        if one.source is None
    )
    return _table(("folder", "status", "kind", "files"), [(*key, count) for key, count in sorted(found.items())])


def _others(root: Path, files: set[Path]) -> list[tuple[object, ...]]:
    names = [path.relative_to(root) for path in files]
    found = Counter(("/".join(name.parts[:-1][:2]) or ".", name.suffix.lower() or name.name) for name in names)
    return [(folder, kind, count) for (folder, kind), count in sorted(found.items())]


def _cut(text: str, length: int = 160) -> str:
    """Text as a cell of a table."""
    plain = re.sub(r"\s+", " ", text).replace("|", "/").strip()
    return plain if len(plain) <= length else plain[: length - 3] + "..."


def _table(names: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(main(Path(sys.argv[1])))
