"""What a night is given: the firm's folder with its date, and the warehouse. No table is computed here."""

from __future__ import annotations

import json
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
"""Where there is no firm.toml."""


class Night(NamedTuple):
    """What a transform may need to know of the night beside its tables."""

    folder: Path
    as_of: date
    years: tuple[int, ...]
    """The tax years of the run, up to the year of `as_of`."""
    run_id: str
    scratch: bool = False
    """Whether it is a night as of another day than tonight: nothing of it is kept."""


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
        """`firm.toml` as it stands, numbers with a point as Decimal; without one the folder's name and a zone.

        Raises:
            NightError: the file is no TOML or cannot be read.
        """
        file = self.path / "firm.toml"
        try:
            return tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
        except FileNotFoundError:
            name = self.path.name.encode(errors="replace").decode() or "the firm"
            return {"name": name, "time_zone": DEFAULT_ZONE}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise NightError(f"{file} is not TOML: {error}") from None
        except OSError as error:
            raise NightError(f"{file} cannot be read: {error.strerror}") from None

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
        return _date(self.as_of) if self.as_of else self.pinned or now.astimezone(self.zone).date()

    @property
    def pinned(self) -> date | None:
        """The as-of date that firm.toml pins."""
        given = self.settings.get("as_of")
        return _date(given) if given else None

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


def _date(given: object) -> date:
    try:
        return date.fromisoformat(str(given)[:10])
    except ValueError:
        raise NightError(f"as_of {given!r} is not a date such as 2026-11-20") from None


class Books:
    """Which files a night of this date writes: tonight's, or a scratch pair for another day than tonight.

    Another day is one before the last published night, and one that has not come yet (unless firm.toml pins it).
    """

    def __init__(self, firm: FirmFolder, as_of: date, now: datetime) -> None:
        """Look at what is published once.

        Raises:
            NightError: something is published and nothing tells of which night it is.
        """
        last, today = last_published(firm), now.astimezone(firm.zone).date()
        past = last is not None and as_of < min(last, today)
        future = as_of > today and as_of != firm.pinned
        self.as_of = as_of
        self.scratch = past or future
        self.warehouse = firm.state / (f"as-of/{as_of}.duckdb" if self.scratch else "warehouse.duckdb")
        self.mart = firm.published / f"as-of/{as_of}.duckdb" if self.scratch else firm.mart


def last_published(firm: FirmFolder) -> date | None:
    """The as-of date of the published file; None where there is none.

    Raises:
        NightError: there is one, no record of its date, and it cannot be read.
    """
    if not firm.mart.exists():
        return None
    try:
        return date.fromisoformat(json.loads(_record(firm).read_text("utf-8"))["as_of"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no record, or none of ours: the file itself tells
    try:
        with connect(firm.state / "spill") as con:
            con.execute(f"ATTACH '{str(firm.mart).replace(chr(39), chr(39) * 2)}' AS mart (READ_ONLY)")
            found = con.execute("SELECT max(as_of) FROM mart.runs").fetchall()[0][0]
    except duckdb.Error:
        found = None
    if isinstance(found, date):
        return found
    raise NightError(
        f"{firm.mart} is published and cannot be read, so nothing tells of which night it is: "
        "close the session that holds it open, or remove the file if it is damaged, then start again"
    )


def record_published(firm: FirmFolder, as_of: date) -> None:
    """Note of which night the published file is: a session that holds the file locked cannot hide it.

    Written before the swap: a crash between the two leaves the later date, and an earlier night then stays aside.
    """
    record = _record(firm)
    aside = record.with_suffix(".tmp")
    aside.write_text(json.dumps({"as_of": as_of.isoformat()}) + "\n", "utf-8")
    aside.replace(record)


def _record(firm: FirmFolder) -> Path:
    return firm.state / "published.json"


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The one write connection of the run: opened by its first step, closed when the run ends."""

    _warehouse: Warehouse | None = PrivateAttr(default=None)
    _books: Books | None = PrivateAttr(default=None)

    def books(self, firm: FirmFolder) -> Books:
        """The files of this run."""
        if self._books is None:
            now = datetime.now(firm.zone)
            self._books = Books(firm, firm.date_at(now), now)
        return self._books

    def of(self, firm: FirmFolder) -> Warehouse:
        """The open warehouse.

        Raises:
            NightRunningError: another night holds it.
        """
        if self._warehouse is None:
            books = self.books(firm)
            self._warehouse = Warehouse(books.warehouse, fresh=books.scratch)
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
