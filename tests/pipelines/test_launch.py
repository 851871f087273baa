"""A night from its launch to its end: dates and years, refusal, kills, the past, the backfill, the summary."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from pipelines import launch
from pipelines.errors import NightError
from pipelines.launch import main, run_night, summary
from pipelines.plan import plan
from pipelines.resources import Books, FirmFolder, record_published
from pipelines.warehouse import Warehouse
from tests.pipelines.small_house import house, make_firm

ROOT = Path(__file__).resolve().parents[2]
NEW_YORK = ZoneInfo("America/New_York")
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
DEEDS = "ann,2021,1.5,files j\nbob,2022,2,files j\ndan,2009,7,\n"
NIGHT = """
import sys, pathlib, datetime
from pipelines.launch import run_night
from tests.pipelines.small_house import house
try:
    run_night(pathlib.Path(sys.argv[1]), datetime.date(2026, 11, 20), definitions=house())
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
PUBLISH_FOR_EVER = """
import sys, pathlib, polars as pl
from pipelines.publish import swap_in
from pipelines.warehouse import Warehouse
from schemas.tax import LossAtRisk
folder = pathlib.Path(sys.argv[1])
store = Warehouse(folder / "state" / "warehouse.duckdb")
for night in range(1000):
    rows = pl.select(taxpayer_id=pl.int_range(50_000).cast(pl.String)).with_columns(
        rule=pl.lit("r"), status=pl.lit("shadow"), return_id=pl.lit("r"), tax_year=2009 + pl.int_range(50_000) % 17,
        account_id=pl.lit("a"), asset=pl.lit("BTC"), disposal_id=pl.lit("d"), date_sold=pl.date(2026, 1, 2),
        loss=pl.lit(night).cast(pl.Decimal(18, 6)), disallowed=pl.lit(0).cast(pl.Decimal(18, 6)))
    store.replace("loss_at_risk", rows, LossAtRisk, range(2009, 2026))
    aside = folder / "published" / ".lotbook.tmp.duckdb"
    aside.parent.mkdir(exist_ok=True)
    store.publish({"loss_at_risk": LossAtRisk}, aside, {})
    swap_in(aside, folder / "published" / "lotbook.duckdb")
    print(night, flush=True)
"""


def rows(mart: Path, table: str = "loss_at_risk") -> list[tuple]:
    with duckdb.connect(str(mart), read_only=True) as con:
        return con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()


def start(code: str, firm: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, firm], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def planned(folder: Path, *now: int, as_of: str = "", from_year: int | None = None):
    return plan(FirmFolder(folder=str(folder), as_of=as_of), datetime(*now, tzinfo=NEW_YORK), from_year)


# --- the plan --------------------------------------------------------------------------------------------------------


def test_the_years_are_made_at_launch_over_new_year(tmp_path):
    firm = make_firm(tmp_path, DEEDS)
    old, new = planned(firm, 2026, 12, 31, 23, 59), planned(firm, 2027, 1, 1, 0, 1)
    assert (old.as_of, old.tags) == (date(2026, 12, 31), {START: "2009", END: "2026"})
    assert (new.as_of, new.tags) == (date(2027, 1, 1), {START: "2009", END: "2027"})


def test_the_day_is_the_firms_not_the_servers(tmp_path):
    # 02:00 UTC on 1 January is still 31 December in New York
    firm = FirmFolder(folder=str(make_firm(tmp_path, DEEDS)))
    assert plan(firm, datetime(2027, 1, 1, 2, 0, tzinfo=ZoneInfo("UTC"))).as_of == date(2026, 12, 31)


def test_a_given_date_wins_over_the_pinned_one_and_that_over_today(tmp_path):
    firm = make_firm(tmp_path, DEEDS, "as_of = 2026-11-20\n")
    assert planned(firm, 2027, 3, 1).as_of == date(2026, 11, 20)
    assert planned(firm, 2027, 3, 1, as_of="2023-12-15").as_of == date(2023, 12, 15)


def test_the_config_carries_folder_and_date_so_that_no_step_asks_the_clock(tmp_path):
    firm = make_firm(tmp_path, DEEDS)
    given = planned(firm, 2026, 11, 20).config["resources"]["firm"]["config"]
    assert given == {"folder": str(firm), "as_of": "2026-11-20"}


def test_a_backfill_rolls_on_to_the_present_and_needs_a_night_to_open_from(tmp_path):
    firm = make_firm(tmp_path, DEEDS)
    assert planned(firm, 2026, 11, 20, from_year=2019).tags == {START: "2009", END: "2026"}
    Warehouse(firm / "state" / "warehouse.duckdb").close()
    assert planned(firm, 2026, 11, 20, from_year=2019).tags == {START: "2019", END: "2026"}


@pytest.mark.parametrize(
    ("as_of", "from_year", "sentence"),
    [
        ("2026-02-30", None, "as_of '2026-02-30' is not a date"),
        ("2008-12-31", None, "as-of date 2008-12-31: nights are computed for 2009 to 2027"),
        ("2031-01-01", None, "as-of date 2031-01-01"),
        ("2026-11-20", 2027, "first year 2027: it lies between 2009 and the year of the night, 2026"),
        ("2026-11-20", 2008, "first year 2008"),
    ],
)
def test_what_cannot_be_planned_is_a_sentence(tmp_path, as_of, from_year, sentence):
    with pytest.raises(NightError, match=sentence):
        planned(make_firm(tmp_path, DEEDS), 2026, 11, 20, as_of=as_of, from_year=from_year)


# --- nights ----------------------------------------------------------------------------------------------------------


def test_a_second_night_and_a_backfill_give_the_same_rows(tmp_path):
    firm = make_firm(tmp_path, DEEDS)
    mart = run_night(firm, date(2026, 11, 20), definitions=house())
    first = rows(mart)
    # dan's 7 of 2009 stand in every year: by hand 18 years of 7, ann 1.5 from 2021 (6 years), bob 2 from 2022 (5 years)
    assert sum(row[4] for row in first) == 18 * 7 + 6 * 1.5 + 5 * 2
    run_night(firm, date(2026, 11, 20), definitions=house())
    assert rows(mart) == first
    run_night(firm, date(2026, 11, 20), 2023, definitions=house())
    assert rows(mart) == first


def test_a_night_in_the_past_leaves_tonights_alone(tmp_path):
    firm = make_firm(tmp_path, DEEDS)
    mart = run_night(firm, date(2026, 11, 20), definitions=house())
    before, books = mart.stat(), (firm / "state" / "warehouse.duckdb").read_bytes()
    past = run_night(firm, date(2021, 12, 30), definitions=house())
    assert past == firm / "published" / "as-of" / "2021-12-30.duckdb"
    assert {row[2] for row in rows(past)} == set(range(2009, 2022))
    assert (mart.stat().st_ino, mart.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (firm / "state" / "warehouse.duckdb").read_bytes() == books
    assert list((firm / "state" / "as-of").glob("*.duckdb")) == []


def test_a_session_that_locks_the_mart_does_not_make_the_past_tonight(tmp_path):
    firm = make_firm(tmp_path, DEEDS)
    mart = run_night(firm, date(2026, 11, 20), definitions=house())
    mart.chmod(0o600)
    code = "import sys, duckdb; con = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, mart], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as session:
        assert session.stdout is not None
        assert session.stdout.readline() == "open\n"
        past = planned_books(firm, date(2021, 12, 30))
        (firm / "state" / "published.json").unlink()
        with pytest.raises(NightError, match=r"is published and cannot be read.*close the session"):
            planned_books(firm, date(2021, 12, 30))
        session.communicate()
    assert past.mart == firm / "published" / "as-of" / "2021-12-30.duckdb"
    # without the record the file itself tells
    assert planned_books(firm, date(2021, 12, 30)).mart == past.mart


def planned_books(firm: Path, as_of: date) -> Books:
    return Books(FirmFolder(folder=str(firm)), as_of, datetime(2026, 11, 22, 12, tzinfo=NEW_YORK))


def test_a_day_that_has_not_come_is_never_tonight_unless_the_firm_pins_it(tmp_path):
    firm = make_firm(tmp_path, DEEDS)
    assert planned_books(firm, date(2026, 11, 22)).mart == firm / "published" / "lotbook.duckdb"
    ahead = planned_books(firm, date(2026, 12, 31))
    assert ahead.mart == firm / "published" / "as-of" / "2026-12-31.duckdb"
    assert ahead.warehouse == firm / "state" / "as-of" / "2026-12-31.duckdb"
    (firm / "firm.toml").write_text("as_of = 2026-12-31\n")
    assert planned_books(firm, date(2026, 12, 31)).mart == firm / "published" / "lotbook.duckdb"


def test_tonight_is_tonight_after_a_night_pinned_ahead(tmp_path):
    firm = make_firm(tmp_path, DEEDS)
    (firm / "published").mkdir()
    (firm / "published" / "lotbook.duckdb").touch()
    record_published(FirmFolder(folder=str(firm)), date(2026, 12, 31))
    assert planned_books(firm, date(2026, 11, 22)).mart == firm / "published" / "lotbook.duckdb"
    assert planned_books(firm, date(2026, 11, 21)).mart == firm / "published" / "as-of" / "2026-11-21.duckdb"


def test_a_second_run_is_refused_in_a_sentence_and_alerts(tmp_path):
    firm = make_firm(tmp_path, DEEDS)
    held = Warehouse(firm / "state" / "warehouse.duckdb")
    try:
        second = start(NIGHT, firm)
        _, said = second.communicate(timeout=60)
    finally:
        held.close()
    assert second.returncode == 1
    assert f"NightError: firm: a night is running (pid {os.getpid()})" in said
    (alert,) = (firm / "state" / "alerts").iterdir()
    assert "firm failed, StageError: firm: a night is running" in alert.read_text()


def test_a_kill_at_any_moment_leaves_whole_tables_and_a_whole_mart(tmp_path):
    chance = random.Random(7)
    mart = tmp_path / "published" / "lotbook.duckdb"
    for _ in range(4):
        night = start(PUBLISH_FOR_EVER, tmp_path)
        assert night.stdout is not None
        assert night.stdout.readline() == "0\n"
        time.sleep(chance.uniform(0, 0.4))
        night.send_signal(signal.SIGKILL)
        night.communicate()
        with duckdb.connect(str(mart), read_only=True) as con:
            assert con.execute("SELECT count(*), count(DISTINCT loss) FROM loss_at_risk").fetchall() == [(50_000, 1)]
        store = Warehouse(tmp_path / "state" / "warehouse.duckdb")
        assert store.con.execute("SELECT count(*), count(DISTINCT loss) FROM loss_at_risk").fetchall() == [(50_000, 1)]
        store.close()


def test_the_night_after_a_killed_one_gives_the_same_rows(tmp_path):
    firm, calm = make_firm(tmp_path / "killed", DEEDS), make_firm(tmp_path / "calm", DEEDS)
    expected = rows(run_night(calm, date(2026, 11, 20), definitions=house()))
    mart = run_night(firm, date(2026, 11, 20), definitions=house())
    lock = firm / "state" / "warehouse.duckdb.lock"
    night = start(NIGHT, firm)
    while lock.read_text() != f"{night.pid}\n" and night.poll() is None:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.5))
    night.send_signal(signal.SIGKILL)
    night.communicate()
    assert night.returncode == -signal.SIGKILL  # it had not ended by itself
    assert rows(mart) == expected
    run_night(firm, date(2026, 11, 20), definitions=house())
    assert rows(mart) == expected


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["night", "--firm", "no/such/folder"], "The night failed. there is no folder"),
        (["backfill", "--firm", "."], "a backfill needs its first tax year, as in FROM=2019"),
        (["night", "--firm", ".", "--as-of", "tomorrow"], "as_of 'tomorrow' is not a date such as 2026-11-20"),
    ],
)
def test_the_command_line_fails_in_a_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert sentence in capsys.readouterr().err


def test_the_command_line_says_what_came_of_the_night(tmp_path, capsys, monkeypatch):
    firm = make_firm(tmp_path, DEEDS)
    monkeypatch.setattr(launch, "run_night", lambda folder, as_of, first: run_night(folder, as_of, first, house()))
    assert main(["night", "--firm", str(firm), "--as-of", "2026-11-20"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Test: the night as of 2026-11-20 ...\n  0 files, 0 events, 0 lots, 0 gains")
    assert "open questions: 0 blocking, 0 warning, 0 info" in said
    assert f"published: {firm}/published/lotbook.duckdb" in said


def test_the_home_keeps_to_itself(tmp_path, capsys):
    firm = make_firm(tmp_path, DEEDS)
    assert main(["home", "--firm", str(firm)]) == 0
    home = Path(capsys.readouterr().out.strip())
    assert home == firm / "state" / "dagster"
    assert "telemetry:\n  enabled: false" in (home / "dagster.yaml").read_text()


def test_the_summary_counts_questions_by_severity(tmp_path):
    mart = tmp_path / "m.duckdb"
    with duckdb.connect(str(mart)) as con:
        for table in ("files", "events", "lots", "gains", "harvest_recommendations"):
            con.execute(f"CREATE TABLE {table} AS SELECT 'best' AS scenario FROM range(1234)")
        con.execute(
            "CREATE TABLE review_items AS SELECT unnest(['info','blocking','info','warning']) severity, unnest(['open','open','open','resolved']) state"
        )
    said = summary(mart, tmp_path)
    assert "1,234 events" in said
    assert "open questions: 1 blocking, 0 warning, 2 info" in said
