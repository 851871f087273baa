"""The mart: all tables of the contract, swapped in at once, guarded, readable by whom it should be."""

from __future__ import annotations

import grp
import os
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines.errors import NightError
from pipelines.launch import run_night
from pipelines.publish import PUBLISHED, swap_in
from tests.pipelines.small_house import TABLES, house, make_firm

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = {
    "events", "event_sources", "transfers", "lots", "lot_moves", "gains", "open_lots", "income", "form_8949",
    "return_lines", "schedule_d", "carryforwards", "harvest_recommendations", "harvest_summary", "instructions",
    "review_items", "amendments", "loss_at_risk", "digital_asset_question", "reconciliation_1099da", "files", "runs",
}  # fmt: skip

BESIDE = {
    "wash_sales", "lot_conversions", "basis_splits", "source_checks", "harvest_waiting", "client_status", "blockers",
    "instructions_to_record", "advice_followed", "advice_changes", "call_list", "harvest_curve", "price_moves",
}  # fmt: skip
"""Published beside the contract's tables."""


def build(path: Path, value: int) -> Path:
    """A DuckDB file that holds one number."""
    with duckdb.connect(str(path)) as con:
        con.execute(f"CREATE TABLE t AS SELECT {value} AS x")
    return path


def value(con: duckdb.DuckDBPyConnection) -> int:
    return con.execute("SELECT x FROM t").fetchall()[0][0]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    firm = make_firm(tmp_path_factory.mktemp("firm"), "ann,2024,1.5,\n")
    return run_night(firm, date(2026, 11, 20), definitions=house())


def test_every_table_of_the_contract_is_there_typed_and_described(published):
    with duckdb.connect(str(published), read_only=True) as con:
        tables = dict(con.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall())
        kinds = dict(
            con.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'gains'").fetchall()
        )
        assert con.execute("SELECT count(*) FROM gains").fetchall() == [(0,)]
    assert set(tables) == set(PUBLISHED) == CONTRACT | BESIDE
    assert all(tables.values())
    assert kinds["quantity"] == "DECIMAL(38,18)"
    assert kinds["gain"] == "DECIMAL(18,6)"
    assert kinds["disposed_at"] == "TIMESTAMP WITH TIME ZONE"
    assert kinds["date_sold"] == "DATE"


def test_the_file_opens_with_older_clients(published):
    with duckdb.connect(":memory:") as con:
        con.execute(f"ATTACH '{published}' AS mart (READ_ONLY)")
        (tags,) = con.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'mart'").fetchall()[0]
    assert tags["storage_version"].startswith("v1.4.0")


def test_only_the_owner_reads_it_and_nobody_writes(published):
    assert mode(published) == 0o400
    assert mode(published.parent) == 0o750
    assert mode(published.parents[1] / "state") == 0o700
    assert [file.name for file in published.parent.iterdir()] == ["lotbook.duckdb"]


def test_the_firms_group_reads_it_where_one_is_named(tmp_path):
    group = grp.getgrgid(os.getgid()).gr_name
    mart = tmp_path / "lotbook.duckdb"
    swap_in(build(tmp_path / "new", 1), mart, group)
    assert mode(mart) == 0o440
    assert mart.group() == group


def test_an_unknown_group_is_a_sentence_and_the_old_mart_stays(tmp_path):
    mart = build(tmp_path / "lotbook.duckdb", 1)
    with pytest.raises(NightError, match="group 'no-such-group'"):
        swap_in(build(tmp_path / "new", 2), mart, "no-such-group")
    with duckdb.connect(str(mart), read_only=True) as con:
        assert value(con) == 1


def test_a_reader_keeps_its_snapshot_and_the_next_one_sees_the_new_night(tmp_path):
    mart = tmp_path / "lotbook.duckdb"
    swap_in(build(tmp_path / "new", 1), mart)
    code = (
        "import sys, duckdb; con = duckdb.connect(sys.argv[1], read_only=True)\n"
        "for line in sys.stdin: print(con.execute('SELECT x FROM t').fetchall()[0][0], flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, mart], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def ask() -> str:
            reader.stdin.write("?\n")
            reader.stdin.flush()
            return reader.stdout.readline().strip()

        assert ask() == "1"
        swap_in(build(tmp_path / "new", 2), mart)
        assert ask() == "1"
        fresh = subprocess.run(
            [sys.executable, "-c", code, mart], input="?\n", capture_output=True, text=True, check=True
        )
        assert fresh.stdout == "2\n"
        reader.stdin.close()


def test_a_wal_left_by_a_writing_session_does_not_spoil_the_new_mart(tmp_path):
    # staff open the mart for writing and are killed: their .wal belongs to the old file
    mart = build(tmp_path / "lotbook.duckdb", 1)
    code = "import sys, os, duckdb; con = duckdb.connect(sys.argv[1]); con.execute('INSERT INTO t VALUES (9)'); os._exit(1)"
    subprocess.run([sys.executable, "-c", code, mart], check=False)
    assert mart.with_name("lotbook.duckdb.wal").exists()
    swap_in(build(tmp_path / "new", 2), mart)
    with duckdb.connect(str(mart), read_only=True) as con:
        assert value(con) == 2


def test_a_failed_guard_stops_the_publication_and_names_itself(tmp_path):
    firm = make_firm(tmp_path, "ann,2024,1.5,\n")
    mart = run_night(firm, date(2026, 11, 19), definitions=house())
    before = mart.read_bytes()
    with pytest.raises(NightError, match="conserved"):
        run_night(firm, date(2026, 11, 20), definitions=house(TABLES, {"conserved": "SELECT 3"}))
    assert mart.read_bytes() == before
