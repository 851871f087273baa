"""Overlapping exports: however a file is cut, in any order and under any names, it gives the events of the whole."""

from __future__ import annotations

import hashlib
import itertools
import re
from pathlib import Path

import polars as pl
import pytest
from golden import context
from hypothesis import given, settings
from hypothesis import strategies as st
from test_properties import FIXTURES, rows_of, written

from transforms.ledger import Ledger, assemble
from transforms.sources.registry import NETTED, REGROUP, read_file

OTHERS = pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
FACT = {"coinbase": "Timestamp", "kraken": "refid", "coinledger": "Internal Id", "crypto_com": "Timestamp (UTC)"}
"""The column whose value the rows of one fact share, where a row without legs belongs to it: a broken one, the other end of a move, a sum."""
NAMED = {"trezor"}
"""Whose files say in their name alone which coin they are of: a part keeps it."""
DAY = re.compile(r"(1[3-9]|2\d|3[01])-\d\d-\d\d |\d\d-(1[3-9]|2\d|3[01])-\d\d ")
"""A day that is no month, in a date of two-digit numbers."""
NAMES = st.sampled_from(["a.csv", "Z (1).csv", "export 2024.csv", "-", "ü.CSV"])


def legs_of(path: Path, rows: list[list[str]], above: list[list[str]], name: str) -> pl.DataFrame:
    data = written(above + rows)
    named = f"{path.stem} {name}" if path.parent.name in NAMED else name
    return read_file(data, context(path, hashlib.sha256(data).hexdigest(), named)).legs


def ends(path: Path, above: list[list[str]], rows: list[list[str]]) -> list[int]:
    """Between which rows an export may end: no time, group or id stands on both sides."""
    read = read_file(written(above + rows), context(path))
    lines = read.raw_rows["row_no"].to_list()[-len(rows) :]
    marks: dict[int, set[object]] = {line: set() for line in lines}
    for line, *found in read.legs.select("row_no", "occurred_at", "group_key").rows():
        marks[line] |= {*found} - {None}
    names = [name.strip() for name in above[-1]] if above else []
    if (column := FACT.get(path.parent.name)) in names:  # also of rows that could not be read
        place = names.index(column)
        for line, row in zip(lines, rows, strict=True):
            marks[line] |= {row[place]} if len(row) > place else set()
    keys = [marks[line] for line in lines]
    return [at for at in range(len(rows) + 1) if not set().union(*keys[:at]) & set().union(*keys[at:])]


def told(path: Path, rows: list[list[str]], part: list[list[str]]) -> list[list[str]]:
    """The part, with a row of the file that tells the order of day and month where none of its own does.

    A file that does not tell it is asked about and gives no events: test_bitfinex.py.
    """
    if path.parent.name != "bitfinex":
        return part
    telling = [row for row in rows if any(DAY.match(cell) for cell in row)]
    return part if any(row in telling for row in part) else [*telling[:1], *part]


def books(legs: list[pl.DataFrame]) -> Ledger:
    """The books of files as a night takes them in: the same bytes are one file."""
    distinct = {file["file_id"][0]: file for file in legs if file.height}
    return assemble(pl.concat([legs[0].clear(), *distinct.values()]), NETTED, REGROUP)


def said(events: pl.DataFrame) -> list[tuple[object, ...]]:
    return sorted(events.rows(), key=str)


@OTHERS
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_split_into_overlapping_parts_gives_the_events_of_the_whole(path: Path, data: st.DataObject) -> None:
    """Each part is a span of the rows; together they hold every row, and overlap by any number of them.

    A span ends where an export's period can: not between the rows of one fact, nor between rows of one second.
    """
    above, rows = rows_of(path)
    bounds = ends(path, above, rows)
    cuts = [0, *sorted(data.draw(st.lists(st.sampled_from(bounds), min_size=1, max_size=3))), len(rows)]
    parts = []
    for start, end in itertools.pairwise(cuts):
        first = data.draw(st.sampled_from([bound for bound in bounds if bound <= start]))
        last = data.draw(st.sampled_from([bound for bound in bounds if bound >= end]))
        parts.append(told(path, rows, rows[first:last]))
    files = [legs_of(path, part, above, data.draw(NAMES)) for part in data.draw(st.permutations(parts))]
    whole = books([legs_of(path, rows, above, "whole.csv")])
    found = books(files)
    assert said(found.events) == said(whole.events)
    assert found.conflicts.is_empty()
    # every row of the whole file stands behind an event in each part that has it
    assert found.sources["file_id"].n_unique() == len({file["file_id"][0] for file in files if file.height})


def test_a_cut_can_fall_between_the_rows_of_every_source() -> None:
    for path in FIXTURES:
        above, rows = rows_of(path)
        assert len(ends(path, above, rows)) >= 3, path  # both ends and one between


# --- layouts of one source -------------------------------------------------------------------------------------------

NEWER = "ID,Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,Price at Transaction,Subtotal,Total (inclusive of fees and/or spread),Fees and/or Spread,Notes"
TRADES = (
    "{},2024-02-01 10:00:00 UTC,Buy,BTC,0.1,USD,$40000.00,$4000.00,$4060.00,$60.00,Bought 0.1 BTC for 4060.00 USD",
    "{},2024-02-01 10:00:00 UTC,Buy,BTC,0.1,USD,$40000.00,$4000.00,$4060.00,$60.00,Bought 0.1 BTC for 4060.00 USD",
    "{},2024-02-02 10:00:00 UTC,Staking Income,ETH,0.001,USD,$3000.00,$3.00,$3.00,$0.00,",
)


def test_a_row_without_its_id_in_one_export_and_with_it_in_another_is_one_fact() -> None:
    """Coinbase's exports before 2024 have no ID; two equal purchases of one second are two in both."""
    path = FIXTURES[0].parents[1] / "coinbase/history.csv"
    made = []
    for ids in ([""] * 3, ["65a1", "65a2", "65a3"]):
        text = "\n".join([NEWER, *(row.format(key) for row, key in zip(TRADES, ids, strict=True))]) + "\n"
        made.append([row.split(",") for row in text.splitlines()])
    older, newer = (legs_of(path, rows[1:], rows[:1], f"{n}.csv") for n, rows in enumerate(made))
    alone = books([older]).events
    assert alone.height == 3
    assert said(books([newer, older]).events.select("event_id")) == said(alone.select("event_id"))
    assert books([newer]).events.height == 3
