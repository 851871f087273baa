"""The firm's private store, one DuckDB file behind four verbs. What the tables mean belongs to `schemas`."""

from __future__ import annotations

import fcntl
import inspect
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pandera.polars as pa
import polars as pl

from pipelines.errors import NightError, NightRunningError
from pipelines.households import ID_COLUMNS, Members
from pipelines.partitions import FIRST_YEAR
from pipelines.quarantine import QUARANTINE, Quarantine
from schemas.gate import dtypes, empty

Model: TypeAlias = type[pa.DataFrameModel]

STORAGE_VERSION = "v1.4.0"
"""The oldest DuckDB whose clients open our files."""
BUCKET = "bucket"
MEMBERS = "members"


def connect(spill: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB session in UTC that fetches nothing from a network and spills nowhere but into `spill`."""
    con = duckdb.connect(":memory:")
    con.execute("SET TimeZone='UTC'")
    con.execute("SET autoinstall_known_extensions=false")
    con.execute("SET autoload_known_extensions=false")
    con.execute(f"SET temp_directory={_literal(str(spill))}")
    return con


class Warehouse:
    """One DuckDB file, held for writing by one process from the first use to `close`.

    Every table carries `bucket` beside the columns of its model: the household's, 0 where a row names no client.
    """

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        """Open `path`; `fresh` empties it first (a scratch warehouse).

        Raises:
            NightRunningError: another night holds the file.
        """
        os.umask(0o077)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fresh = fresh
        self._lock = _lock(path)
        self._members: pl.DataFrame | None = None
        self._columns: dict[str, dict[str, str]] | None = None
        self._writing = False
        if fresh:
            _unlink(path)
        self.con = connect(path.parent / "spill")
        try:
            self.con.execute(f"ATTACH {_literal(str(path))} AS warehouse (STORAGE_VERSION '{STORAGE_VERSION}')")
        except duckdb.IOException as error:
            self.close()
            if "lock" in str(error):  # somebody opened the file with a client of their own
                pid = re.search(r"PID (\d+)", str(error))
                raise NightRunningError(_held(path, pid[1] if pid else "unknown")) from None
            raise NightError(
                f"{path} cannot be opened: it is damaged or no DuckDB file; remove it and run again"
            ) from None
        self.con.execute("USE warehouse")

    def begin(self) -> None:
        """Start a night: nobody is in quarantine yet."""
        self.replace(QUARANTINE, empty(Quarantine), Quarantine)

    def close(self) -> None:
        """Write the file out, give the lock back; a scratch warehouse goes."""
        self.con.close()
        if self._fresh:
            _unlink(self.path)
        os.close(self._lock)

    def read(self, table: str, model: Model, years: Iterable[int] | None = None) -> pl.DataFrame:
        """The rows of `table` in the columns of `model`; with `years` only those tax years; none where it is not yet."""
        held = self.columns(table)
        if not held:
            return empty(model)
        # a column that a newer model adds is null until the table is written again
        wanted = [
            _name(column) if column in held else f"NULL::{duck_type(kind)} AS {_name(column)}"
            for column, kind in dtypes(model).items()
        ]
        frame: pl.DataFrame = self.con.sql(f"SELECT {', '.join(wanted)} FROM {_name(table)}{_where(years)}").pl()
        return frame.cast(pl.Schema(dtypes(model)))

    def replace(
        self,
        table: str,
        frame: pl.DataFrame,
        model: Model,
        years: Iterable[int] | None = None,
        only: pl.DataFrame | None = None,
    ) -> None:
        """Put `frame` in the place of the whole table, of some `years`, or of the rows whose keys stand in `only`.

        All in one transaction: a reader of this file sees the old rows or the new ones. `only` names columns of the
        table; its table is kept over a change of the model (columns are added), the others are made anew.

        Raises:
            NightError: a table changed its columns and only some of its years were computed.
        """
        with self._transaction():
            if only is not None:
                self._migrate(table, model)
                self._delete_matching(table, only)
            elif years is not None and self._usable(table, model, years := list(years)):
                self.con.execute(f"DELETE FROM {_name(table)}{_where(years)}")
            else:
                self._create(table, model)
            self._insert(table, frame, model)
        if table == MEMBERS:
            self._members = None

    def append(self, table: str, frame: pl.DataFrame, model: Model) -> None:
        """Add `frame` to a table that is never rewritten."""
        with self._transaction():
            self._migrate(table, model)
            self._insert(table, frame, model)

    def publish(self, tables: Mapping[str, Model], path: Path, checks: Mapping[str, str]) -> dict[str, int]:
        """Write `tables` into a new DuckDB file at `path` (to be swapped in by `pipelines.publish`).

        Args:
            tables: what to publish; a table that no stage wrote comes typed and empty.
            path: the file aside.
            checks: queries that count faults (`mart.x` is the new file, `x` the warehouse).

        Returns:
            The number of faults each check counted.
        """
        _unlink(path)
        self.con.execute(f"ATTACH {_literal(str(path))} AS mart (STORAGE_VERSION '{STORAGE_VERSION}')")
        try:
            for table, model in tables.items():
                self._copy(table, model)
            return {name: _one(self.con.execute(query).fetchall()) for name, query in checks.items()}
        finally:
            self.con.execute("DETACH mart")  # writes the file out and leaves no .wal

    def columns(self, table: str) -> dict[str, str]:
        """Column names and DuckDB types as they lie in the file; nothing where the table is not."""
        if self._columns is None:  # nobody else writes the file: the catalogue is read once after a change
            self._columns = {}
            rows = self.con.execute(
                "SELECT table_name, column_name, data_type FROM duckdb_columns() "
                "WHERE database_name = 'warehouse' ORDER BY table_name, column_index"
            ).fetchall()
            for name, column, kind in rows:
                self._columns.setdefault(name, {})[column] = kind
        return self._columns.get(table, {})

    def count(self, table: str) -> int:
        """The number of rows of a table."""
        return _one(self.con.execute(f"SELECT count(*) FROM {_name(table)}").fetchall()) if self.columns(table) else 0

    @property
    def members(self) -> pl.DataFrame:
        """The firm's `Members` as last written."""
        if self._members is None:
            self._members = self.read(MEMBERS, Members)
        return self._members

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is written inside becomes visible at once, or not at all if the process dies: a step's tables."""
        with self._transaction():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._writing:  # part of a larger one
            yield
            return
        self.con.execute("BEGIN")
        self._writing = True
        try:
            yield
        except BaseException:
            self.con.execute("ROLLBACK")
            self._columns = self._members = None
            raise
        finally:
            self._writing = False
        self.con.execute("COMMIT")

    def _usable(self, table: str, model: Model, years: list[int]) -> bool:
        """Whether some years of the table can be replaced where it lies."""
        held = self.columns(table)
        if held == ddl(model):
            return True
        if years and min(years) > FIRST_YEAR:
            reason = "has other columns than before" if held else "has no earlier years yet"
            raise NightError(f"table {table} {reason}: run the whole night (make nightly) before a part of it")
        return False

    def _create(self, table: str, model: Model) -> None:
        columns = ", ".join(f"{_name(column)} {kind}" for column, kind in ddl(model).items())
        same = self.columns(table) == ddl(model)
        self.con.execute(f"CREATE OR REPLACE TABLE {_name(table)} ({columns})")
        if not same:
            self._columns = None

    def _migrate(self, table: str, model: Model) -> None:
        """Make the table or add the columns it lacks; rows that cannot be computed again stay."""
        held = self.columns(table)
        if not held:
            self._create(table, model)
            return
        for column, kind in ddl(model).items():
            if column not in held:
                self.con.execute(f"ALTER TABLE {_name(table)} ADD COLUMN {_name(column)} {kind}")
                self._columns = None
            elif held[column] != kind:
                raise NightError(f"table {table}: column {column} is {held[column]}, the model says {kind}")

    def _insert(self, table: str, frame: pl.DataFrame, model: Model) -> None:
        columns = ", ".join(map(_name, ddl(model)))
        with self._scan(self._with_bucket(frame, model)):
            self.con.execute(f"INSERT INTO {_name(table)} ({columns}) SELECT {columns} FROM incoming")

    def _delete_matching(self, table: str, only: pl.DataFrame) -> None:
        if only.is_empty():
            return
        match = " AND ".join(f"t.{_name(c)} IS NOT DISTINCT FROM incoming.{_name(c)}" for c in only.columns)
        with self._scan(only.unique()):
            self.con.execute(f"DELETE FROM {_name(table)} AS t USING incoming WHERE {match}")

    @contextmanager
    def _scan(self, frame: pl.DataFrame) -> Iterator[None]:
        self.con.register("incoming", frame)
        try:
            yield
        finally:
            self.con.unregister("incoming")

    def _with_bucket(self, frame: pl.DataFrame, model: Model) -> pl.DataFrame:
        """The model's columns and the household's bucket."""
        frame = frame.select(list(dtypes(model)))
        if BUCKET in frame.columns:
            return frame
        column = next((name for name in ID_COLUMNS if name in frame.columns), None)
        if column is None:
            return frame.with_columns(pl.lit(0, pl.UInt8).alias(BUCKET))
        own = self.members.filter(pl.col("kind") == ID_COLUMNS[column]).unique("id").select("id", BUCKET)
        joined = frame.join(own, left_on=column, right_on="id", how="left", maintain_order="left")
        return joined.with_columns(pl.col(BUCKET).fill_null(0))

    def _copy(self, table: str, model: Model) -> None:
        """One table into the attached mart, with its docstring as the comment."""
        target = f"mart.{_name(table)}"
        columns = ", ".join(f"{_name(column)} {kind}" for column, kind in ddl(model).items())
        self.con.execute(f"CREATE TABLE {target} ({columns})")
        if self.columns(table):
            names = ", ".join(map(_name, ddl(model)))
            self.con.execute(f"INSERT INTO {target} ({names}) SELECT {names} FROM {_name(table)}")
        comment = inspect.cleandoc(model.__doc__ or "")
        self.con.execute(f"COMMENT ON TABLE {target} IS {_literal(comment)}")


def ddl(model: Model) -> dict[str, str]:
    """Column names and DuckDB types of a table: the model's, and the bucket."""
    columns = {name: duck_type(dtype) for name, dtype in dtypes(model).items()}
    return columns | {BUCKET: "UTINYINT"}


def duck_type(dtype: Any) -> str:
    """The DuckDB type of a polars type; KeyError for one that has no place in a table."""
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision},{dtype.scale})"
    if isinstance(dtype, pl.List):
        return f"{duck_type(dtype.inner)}[]"
    if isinstance(dtype, pl.Datetime):
        return {"UTC": "TIMESTAMP WITH TIME ZONE", None: "TIMESTAMP"}[dtype.time_zone]
    kinds: dict[Any, str] = {pl.String: "VARCHAR", pl.Int64: "BIGINT", pl.Int32: "INTEGER", pl.UInt8: "UTINYINT"}
    kinds |= {pl.Date: "DATE", pl.Boolean: "BOOLEAN"}
    return kinds[dtype if isinstance(dtype, type) else type(dtype)]


def is_held(path: Path) -> bool:
    """Whether a night holds the warehouse at `path`; looks at the lock beside it, never at the file."""
    lock = path.with_name(path.name + ".lock")
    if not lock.exists():
        return False
    with lock.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock(path: Path) -> int:
    """Take the lock beside the warehouse and write our pid into it. The kernel gives it back however we end.

    DuckDB locks its file too; this one also tells the pid, and the sensor can look at it without opening the file.
    """
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    for patience in (0.05, 0.2, 0):  # the sensor's look takes the lock for an instant
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(patience)
        else:
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
            return handle
    pid = os.read(handle, 32).decode().strip() or "unknown"
    os.close(handle)
    raise NightRunningError(_held(path, pid))


def _held(path: Path, pid: str) -> str:
    return f"a night is running (pid {pid}) on {path.parent.parent.name}: wait until it ends, then start again"


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".wal").unlink(missing_ok=True)


def _where(years: Iterable[int] | None) -> str:
    if years is None:
        return ""
    return f" WHERE tax_year IN ({', '.join(map(str, sorted(years))) or 'NULL'})"


def _one(rows: list[tuple[Any, ...]]) -> int:
    return int(rows[0][0])


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
