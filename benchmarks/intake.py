"""Intake: rows a second of each format beside `polars.read_csv` of the same bytes, and many files of all formats in turn.

    .venv/bin/python benchmarks/intake.py [--rows 100000] [--mixed 1000000]

The files are the golden fixtures' rows that are facts, repeated with other ids and times. `read_file` is the whole
reading (encoding, delimiter, every row kept as text, numbers, times, legs); `polars` only parses the same bytes to
text columns. `mixed` reads as many rows in files of 100,000, one after the other, as a night does, and joins the legs
of each file into events; nothing is kept but counts, so that the peak is that of one file. Each format runs in the one
process; times are the lesser of two.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import io
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from transforms.ledger import assemble
from transforms.sources.base import Context
from transforms.sources.registry import NETTED, REGROUP, Reading, read_file
from transforms.text import read_sheet

DATA = Path(__file__).resolve().parent.parent / "tests/transforms/sources/data"
OWN = "0x00000000000000000000000000000000000000aa"
ZONE = "America/New_York"
A_FILE = 100_000
_IDS = re.compile(r"(?i)^(id|txid|refid|txhash|transaction ?(id|hash)|hash|order ?id|trade ?id|reference|uuid|#)$")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d")


def context(path: Path, file_id: str = "file") -> Context:
    return Context("account", file_id, OWN, path.name, ZONE)


def fixtures() -> Iterator[Path]:
    """The golden fixtures that are delimited text and read as some format."""
    for path in sorted(DATA.glob("*/*.csv")):
        if not path.name.endswith((".legs.csv", ".rows.csv")):
            found = read_file(path.read_bytes(), context(path))
            if found.file["status"][0] == "parsed" and found.legs.height:
                yield path


def repeated(path: Path, count: int) -> bytes:
    """`count` rows and more under the fixture's header, each round of its facts a day later and with ids of its own."""
    sheet, found = read_sheet(path.read_bytes()), read_file(path.read_bytes(), context(path))
    lines = set(found.raw_rows.filter(status="used")["row_no"])
    first = min(lines)
    above = [row for row, line in zip(sheet.rows, sheet.line_nos, strict=True) if line < first]
    header = max(above, key=len)
    above = above[: above.index(header) + 1]
    facts = [row for row, line in zip(sheet.rows, sheet.line_nos, strict=True) if line in lines]
    named = [place for place, name in enumerate(header) if _IDS.match(name.strip())]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=sheet.delimiter, lineterminator="\n")
    writer.writerows(above)
    start = dt.datetime(2015, 1, 1)
    for turn in range(-(-count // len(facts))):
        at = start + dt.timedelta(minutes=17 * turn)
        for number, row in enumerate(facts):
            cells = [_TIME.sub(lambda found, at=at, number=number: f"{at + dt.timedelta(seconds=number):%Y-%m-%d}{found[1]}{at + dt.timedelta(seconds=number):%H:%M:%S}", cell) for cell in row]  # fmt: skip
            for place in named:
                if place < len(cells) and cells[place]:
                    cells[place] = renamed(cells[place], f"{turn:x}")
            writer.writerow(cells)
    return out.getvalue().encode()


def renamed(key: str, mark: str) -> str:
    """Another id of the same form: a hash keeps its length."""
    return key[: -len(mark)] + mark if key.startswith("0x") else key + mark


def timed(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(2):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def plain(data: bytes) -> pl.DataFrame:
    """What polars alone makes of the bytes."""
    return pl.read_csv(
        data,
        has_header=False,
        infer_schema=False,
        truncate_ragged_lines=True,
        ignore_errors=True,
        encoding="utf8-lossy",
    )


def by_format(rows: int) -> None:
    print(f"{'format':<42} {'rows':>9} {'rows/s':>10} {'polars rows/s':>14} {'ratio':>7}")
    for path in fixtures():
        data = repeated(path, rows)
        read: list[Reading] = []
        seconds = timed(lambda data=data, path=path, read=read: read.append(read_file(data, context(path))))  # type: ignore[misc]
        floor = timed(lambda data=data: plain(data))  # type: ignore[misc]
        count = read[-1].raw_rows.height
        faults = read[-1].file["rows_rejected"][0]
        name = f"{path.parent.name}/{path.stem}" + (f" ({faults} rejected)" if faults else "")
        print(f"{name:<42.42} {count:>9,} {count / seconds:>10,.0f} {count / floor:>14,.0f} {seconds / floor:>7.1f}")


def mixed(rows: int) -> None:
    made = [(path, repeated(path, min(A_FILE, rows))) for path in fixtures()]
    read = events = files = 0
    reading = joining = 0.0
    while read < rows:
        path, data = made[files % len(made)]
        started = time.perf_counter()
        found = read_file(data, context(path, f"file-{files}"))
        middle = time.perf_counter()
        events += assemble(found.legs, NETTED, REGROUP).events.height
        reading, joining = reading + middle - started, joining + time.perf_counter() - middle
        read, files = read + found.raw_rows.height, files + 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"mixed: {files} files, {read:,} rows read in {reading:.1f} s ({read / reading:,.0f} a second), "
        f"{events:,} events of them in {joining:.1f} s, peak {peak:.1f} GiB"
    )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=A_FILE)
    options.add_argument("--mixed", type=int, default=10 * A_FILE)
    given = options.parse_args()
    if given.rows:
        by_format(given.rows)
    if given.mixed:
        mixed(given.mixed)


if __name__ == "__main__":
    main()
