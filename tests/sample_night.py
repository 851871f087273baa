"""Nights of the sample firm for the tests, each run once a session on a copy of the folder. No assertion belongs here."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.launch import run_night

SAMPLE = Path(__file__).parents[1] / "sample_firm"

_marts: dict[date | None, Path] = {}


def mart(factory: pytest.TempPathFactory, as_of: date | None = None) -> Path:
    """The published file of the sample firm's night as of a date (None: the one that firm.toml pins)."""
    if as_of not in _marts:
        folder = factory.mktemp(f"firm-{as_of or 'tonight'}") / "firm"
        shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("state", "published", "filed", "advice_history"))
        _marts[as_of] = run_night(folder, as_of)
    return _marts[as_of]


class Mart:
    """A published file, opened read-only as staff open it."""

    def __init__(self, path: Path) -> None:
        self._connection = duckdb.connect(str(path), read_only=True)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._connection.execute(sql, list(values)).fetchall()

    def row(self, sql: str, *values: Any) -> tuple[Any, ...]:
        """The one row of a query that must have exactly one."""
        found = self.rows(sql, *values)
        assert len(found) == 1, f"{len(found)} rows: {sql} {values}"
        return found[0]

    def one(self, sql: str, *values: Any) -> Any:
        """The one cell of a query that must have exactly one row."""
        (cell,) = self.row(sql, *values)
        return cell

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()


def usd(text: str) -> Decimal:
    """Dollars written as people write them."""
    return Decimal(text.replace(",", ""))
