"""Whole nights for the proofs: folders to run them on, cheap nights, published rows by content. No assertion belongs here."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias

import dagster as dg
import duckdb
import pytest

from pipelines.launch import run_night
from pipelines.publish import PUBLISHED
from tests.sample_night import SAMPLE

ROOT = Path(__file__).parents[1]
STATE = ("state", "published", "filed", "advice_history")
COMPARED = tuple(table for table in PUBLISHED if table != "runs")
"""The contract's tables but `runs`, whose row is the night itself (run id, time of publication)."""

Rows: TypeAlias = dict[str, list[tuple[Any, ...]]]


def fresh(target: Path) -> Path:
    """A copy of the sample firm on which no night has run."""
    shutil.copytree(SAMPLE, target, ignore=shutil.ignore_patterns(*STATE))
    return target


def copy_of(mart: Path, target: Path) -> Path:
    """A copy of the whole folder of a published file, with the state its nights left."""
    shutil.copytree(mart.parents[1], target, ignore=shutil.ignore_patterns("dagster"))
    return target


def night(folder: Path, as_of: date | None = None, from_year: int | None = None) -> Path:
    """`run_night` with Dagster's own records in memory: the same steps, half the seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dg.DagsterInstance, "from_config", lambda *_: dg.DagsterInstance.ephemeral())
        return run_night(folder, as_of, from_year)


def process(folder: Path, before: str = "", *arguments: str) -> subprocess.Popen[str]:
    """The night as `make nightly` starts it, in a process of its own; `before` is run there first."""
    code = f"import sys\n{before}\nfrom pipelines.launch import main\nsys.exit(main(['night', '--firm', sys.argv[1]]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


RANKS = {"blockers": {"rank"}, "call_list": {"rank"}}
"""Columns that place a client among all of the firm: another client's rows move them, and nothing else."""


def published(
    mart: Path,
    without: Mapping[str, Collection[str]] | None = None,
    keep: Callable[[str, list[str]], str] = lambda table, columns: "true",
) -> Rows:
    """The sorted rows of every compared table, without what review items tell of the nights before (resolved, notes).

    Nights are compared by what they make of a folder.

    Args:
        mart: a published file.
        without: columns to leave out, by table.
        keep: a condition on a table with these columns.
    """
    with duckdb.connect(str(mart), read_only=True) as con:
        rows = {}
        for table in COMPARED:
            every = [name for name, *_ in con.execute(f"DESCRIBE {table}").fetchall()]
            left_out = {*(without or {}).get(table, ()), *(["state_note"] if table == "review_items" else [])}
            columns = [name for name in every if name not in left_out]
            standing = "state <> 'resolved'" if table == "review_items" else "true"
            query = f"SELECT {', '.join(columns)} FROM {table} WHERE {standing} AND ({keep(table, every)}) ORDER BY ALL"
            rows[table] = con.execute(query).fetchall()
        return rows


def hashes(rows: Rows) -> dict[str, str]:
    """Table to the hash of its rows: what the nights are compared by (a difference names the table, not the rows)."""
    return {table: hashlib.sha256(repr(found).encode()).hexdigest()[:16] for table, found in rows.items()}


def nothing_of(
    con_columns: list[str], clients: Collection[str], accounts: Collection[str], returns: Collection[str]
) -> str:
    """A condition that leaves out the rows of some clients, their accounts and returns."""
    ids = {
        "taxpayer_id": clients, "out_taxpayer_id": clients, "in_taxpayer_id": clients,
        "return_id": [*clients, *returns], "account_id": accounts, "from_account_id": accounts, "to_account_id": accounts,
    }  # fmt: skip
    listed = {
        column: ", ".join(f"'{name}'" for name in names) for column, names in ids.items() if column in con_columns
    }
    return " AND ".join(f"coalesce({column} NOT IN ({names}), true)" for column, names in listed.items()) or "true"


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text that stands once in a file."""
    text = file.read_text("utf-8")
    assert text.count(old) == 1, f"{file.name}: {text.count(old)} times {old!r}"
    file.write_text(text.replace(old, new), "utf-8")


def shuffle_rows(file: Path, header: int) -> None:
    """Put the rows under the first `header` lines into another order (the same one for the same bytes)."""
    text = file.read_bytes().decode("utf-8")
    lines = list(csv.reader(io.StringIO(text)))
    body = lines[header:]
    chance = random.Random(hashlib.sha256(text.encode()).digest())
    while len(body) > 1 and body == lines[header:]:
        chance.shuffle(body)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([*lines[:header], *body])
    file.write_bytes(out.getvalue().encode())
