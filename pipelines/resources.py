"""What a night is given: the firm's folder with its date, and the warehouse. No table is computed here."""

from __future__ import annotations

import os
import tomllib
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
from pydantic import PrivateAttr

from pipelines.errors import NightError
from pipelines.warehouse import Warehouse, connect

FIRM_VARIABLE = "LOTBOOK_FIRM"
DEFAULT_FIRM = "sample_firm"
DEFAULT_ZONE = "America/New_York"
"""Where firm.toml is silent."""


class Night(NamedTuple):
    """What a transform may need to know of the night beside its tables."""

    folder: Path
    as_of: date
    years: tuple[int, ...]
    """The tax years of the run, up to the year of `as_of`."""
    run_id: str


class FirmFolder(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A firm's folder and the date as of which it is read."""

    folder: str = ""
    """Empty: the environment's LOTBOOK_FIRM, else the sample firm."""
    as_of: str = ""
    """A date; empty: the one that firm.toml pins, else today in the firm's time zone."""

    @property
    def path(self) -> Path:
        """The folder.

        Raises:
            NightError: there is no such folder.
        """
        path = Path(self.folder or os.environ.get(FIRM_VARIABLE) or DEFAULT_FIRM).resolve()
        if not path.is_dir():
            raise NightError(f"there is no folder {path}")
        return path

    @property
    def settings(self) -> dict[str, Any]:
        """`firm.toml` as it stands, numbers with a point as Decimal; empty where there is none."""
        file = self.path / "firm.toml"
        try:
            return tomllib.loads(file.read_text("utf-8"), parse_float=Decimal) if file.exists() else {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise NightError(f"{file} is not TOML: {error}") from None

    @property
    def zone(self) -> ZoneInfo:
        """The firm's time zone."""
        name = self.settings.get("time_zone", DEFAULT_ZONE)
        try:
            return ZoneInfo(name)
        except (ValueError, TypeError, OSError, KeyError):
            raise NightError(f"firm.toml: time_zone {name!r} is not a zone such as {DEFAULT_ZONE}") from None

    def date_at(self, now: datetime) -> date:
        """The as-of date of a night that starts at `now`."""
        pinned = self.as_of or self.settings.get("as_of") or now.astimezone(self.zone).date()
        try:
            return date.fromisoformat(str(pinned)[:10])
        except ValueError:
            raise NightError(f"as_of {pinned!r} is not a date such as 2026-11-20") from None

    @property
    def state(self) -> Path:
        """Where everything private lies; made on first use, for its owner alone."""
        state = self.path / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        state.chmod(0o700)
        return state

    @property
    def published(self) -> Path:
        """Where staff read."""
        return self.path / "published"

    @property
    def mart(self) -> Path:
        """The file of the last night."""
        return self.published / "lotbook.duckdb"


class Books:
    """Which files a night of this date writes: tonight's, or a scratch pair where a later night is published."""

    def __init__(self, firm: FirmFolder, as_of: date) -> None:
        """Look at the published file once."""
        last = last_published(firm)
        self.past = last is not None and as_of < last
        self.warehouse = firm.state / (f"as-of/{as_of}.duckdb" if self.past else "warehouse.duckdb")
        self.mart = firm.published / f"as-of/{as_of}.duckdb" if self.past else firm.mart


def last_published(firm: FirmFolder) -> date | None:
    """The as-of date of the published file; None where there is none or it cannot be read."""
    if not firm.mart.exists():
        return None
    try:
        with connect(firm.state / "spill") as con:
            con.execute(f"ATTACH '{str(firm.mart).replace(chr(39), chr(39) * 2)}' AS mart (READ_ONLY)")
            found = con.execute("SELECT max(as_of) FROM mart.runs").fetchall()[0][0]
    except duckdb.Error:
        return None
    return found if isinstance(found, date) else None


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The one write connection of the run: opened by its first step, closed when the run ends."""

    _warehouse: Warehouse | None = PrivateAttr(default=None)
    _books: Books | None = PrivateAttr(default=None)

    def books(self, firm: FirmFolder) -> Books:
        """The files of this run."""
        if self._books is None:
            self._books = Books(firm, firm.date_at(datetime.now(firm.zone)))
        return self._books

    def of(self, firm: FirmFolder) -> Warehouse:
        """The open warehouse.

        Raises:
            NightRunningError: another night holds it.
        """
        if self._warehouse is None:
            books = self.books(firm)
            self._warehouse = Warehouse(books.warehouse, fresh=books.past)
            self._warehouse.begin()
        return self._warehouse

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Nothing is opened before the first step asks, so that a refusal is that step's and raises the alert."""
        self._warehouse = self._books = None

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Close the file; the lock ends with it."""
        if self._warehouse is not None:
            self._warehouse.close()
            self._warehouse = None
