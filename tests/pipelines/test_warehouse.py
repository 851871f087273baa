"""The store: four verbs, one writer, exact types, nothing half written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pandera.polars as pa
import polars as pl
import pytest

from pipelines.errors import NightError, NightRunningError
from pipelines.households import Members
from pipelines.warehouse import Warehouse, ddl, is_held
from schemas.base import Table
from schemas.fields import Instant, Money, Quantity
from schemas.gate import conform, dtypes, empty
from schemas.intake import RawRows
from schemas.tax import Gains

ROOT = Path(__file__).resolve().parents[2]


class Things(Table):
    """Rows by year."""

    taxpayer_id: str
    tax_year: int
    quantity: Quantity
    usd: Money = pa.Field(nullable=True)
    at: Instant
    day: pl.Date
    open: bool


class MoreThings(Things):
    """The same with one more column."""

    note: str = pa.Field(nullable=True)


def things(*rows: tuple[str, int, str]) -> pl.DataFrame:
    whole = [(t, y, Decimal(q), None, datetime(y, 1, 1, tzinfo=UTC), date(y, 1, 1), True) for t, y, q in rows]
    return pl.DataFrame(whole, schema=dtypes(Things), orient="row")


@pytest.fixture
def store(tmp_path):
    warehouse = Warehouse(tmp_path / "firm" / "state" / "warehouse.duckdb")
    yield warehouse
    warehouse.close()


def test_the_last_wei_and_every_type_survive(store):
    frame = things(("ann", 2024, "99999999999999999999.999999999999999999"), ("bob", 2025, "-0.000000000000000001"))
    store.replace("things", frame, Things)
    assert store.read("things", Things).equals(frame)
    cells = pl.DataFrame([("a", "f", 1, ["x", "", None], "used", None)], schema=dtypes(RawRows), orient="row")
    store.append("raw_rows", cells, RawRows)
    assert store.read("raw_rows", RawRows).equals(cells)


def test_a_table_not_yet_written_reads_empty_and_typed(store):
    assert store.read("gains", Gains).equals(empty(Gains))


def test_some_years_are_replaced_and_the_others_stay(store):
    store.replace("things", things(("ann", 2023, "1"), ("ann", 2024, "2"), ("ann", 2025, "3")), Things)
    store.replace("things", things(("ann", 2024, "20")), Things, years=[2024, 2025])
    assert store.read("things", Things).sort("tax_year").equals(things(("ann", 2023, "1"), ("ann", 2024, "20")))
    assert store.read("things", Things, years=[2023]).equals(things(("ann", 2023, "1")))
    assert store.read("things", Things, years=[]).is_empty()


def test_rows_of_some_keys_are_replaced_even_where_none_follow(store):
    store.append("things", things(("ann", 2023, "1"), ("ann", 2024, "2"), ("bob", 2024, "3")), Things)
    keys = pl.DataFrame({"taxpayer_id": ["ann", "bob"], "tax_year": [2024, 2024]})
    store.replace("things", things(("bob", 2024, "30")), Things, only=keys)
    assert store.read("things", Things).sort("tax_year").equals(things(("ann", 2023, "1"), ("bob", 2024, "30")))


def test_a_failed_write_leaves_the_old_rows(store):
    old = things(("ann", 2023, "1"))
    store.replace("things", old, Things)
    wrong = old.with_columns(quantity=pl.lit("no number"))
    with pytest.raises(duckdb.Error):
        store.replace("things", wrong, Things)
    with pytest.raises(duckdb.Error):
        store.replace("things", wrong, Things, years=[2023])
    assert store.read("things", Things).equals(old)


def test_a_model_with_a_new_column_makes_a_computed_table_anew(store):
    store.replace("things", things(("ann", 2023, "1")), Things)
    with pytest.raises(NightError, match=r"things has other columns than before: run the whole night"):
        store.replace("things", conform(things(("ann", 2024, "1")), MoreThings), MoreThings, years=[2024])
    store.replace("things", conform(things(("ann", 2024, "1")), MoreThings), MoreThings, years=range(2009, 2027))
    assert store.columns("things") == ddl(MoreThings)
    assert store.read("things", MoreThings)["tax_year"].to_list() == [2024]


def test_a_model_with_a_new_column_keeps_rows_that_cannot_be_computed_again(store):
    store.append("things", things(("ann", 2023, "1")), Things)
    assert store.read("things", MoreThings)["note"].to_list() == [None]
    store.append("things", conform(things(("bob", 2023, "2")), MoreThings), MoreThings)
    assert store.read("things", MoreThings)["taxpayer_id"].to_list() == ["ann", "bob"]


def test_a_part_of_the_years_needs_the_years_before(store):
    with pytest.raises(NightError, match="things has no earlier years yet"):
        store.replace("things", things(("ann", 2024, "1")), Things, years=[2024])


def test_every_row_carries_its_households_bucket(store):
    rows = [("taxpayer", "ann", "ann", "ann", 7), ("account", "ann-x", "ann", "ann", 7)]
    store.replace("members", pl.DataFrame(rows, schema=dtypes(Members), orient="row"), Members)
    store.replace("things", things(("ann", 2024, "1"), ("stranger", 2024, "1")), Things)
    assert store.con.execute("SELECT taxpayer_id, bucket FROM things ORDER BY 1").fetchall() == [
        ("ann", 7),
        ("stranger", 0),
    ]
    cells = pl.DataFrame([("ann-x", "f", 1, ["x"], "used", None)], schema=dtypes(RawRows), orient="row")
    store.append("raw_rows", cells, RawRows)
    assert store.con.execute("SELECT bucket FROM raw_rows").fetchall() == [(7,)]


def test_names_and_texts_from_outside_are_no_sql(store):
    frame = things(("x'); DROP TABLE things; --", 2024, "1"))
    store.replace("things", frame, Things)
    store.replace("things", frame, Things, only=frame.select("taxpayer_id"))
    assert store.read("things", Things).equals(frame)


def test_the_files_are_their_owners_alone(store):
    folder = store.path.parent
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.is_file()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_no_key_index_or_sequence_stands_in_the_file(store):
    store.replace("things", things(("ann", 2024, "1")), Things)
    for what in ("duckdb_constraints()", "duckdb_indexes()", "duckdb_sequences()"):
        assert store.con.execute(f"SELECT count(*) FROM {what} WHERE database_name = 'warehouse'").fetchall() == [(0,)]


def test_a_second_writer_is_told_who_holds_it(store):
    assert is_held(store.path)
    code = (
        "import sys, pathlib; from pipelines.warehouse import Warehouse\n"
        "try: Warehouse(pathlib.Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    run = subprocess.run([sys.executable, "-c", code, store.path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"NightRunningError a night is running (pid {os.getpid()})")


def test_a_file_that_a_client_tool_holds_is_told_too(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    Warehouse(path).close()
    code = "import sys, duckdb; con = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(NightRunningError, match=rf"pid {other.pid}\b"):
            Warehouse(path)
        other.communicate("")


def test_a_damaged_file_is_a_sentence(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(NightError, match="damaged or no DuckDB file"):
        Warehouse(path)
    assert not is_held(path)


def test_a_closed_warehouse_is_free_and_a_scratch_one_is_gone(tmp_path):
    path = tmp_path / "as-of" / "2023-12-15.duckdb"
    scratch = Warehouse(path, fresh=True)
    scratch.replace("things", things(("ann", 2024, "1")), Things)
    scratch.close()
    assert not is_held(path)
    assert not path.exists()
    again = Warehouse(path)
    assert again.read("things", Things).is_empty()
    again.close()
