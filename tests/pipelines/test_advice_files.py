"""The files of the advice: records that survive a broken one, instructions that can be pasted, reports; all to the owner."""

from __future__ import annotations

import csv
import datetime as dt
import stat
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.advice_files import (
    HISTORY,
    REPORTS,
    TO_RECORD,
    read_history,
    write_history,
    write_reports,
    write_to_record,
)
from pipelines.errors import NightError
from schemas import gate
from schemas.advice_loop import AdviceHistory, InstructionsToRecord
from schemas.inputs import INPUTS
from schemas.review import ReviewItems
from tests.transforms.frames import frame
from transforms.firm import read_table

FIRST, SECOND, TONIGHT = dt.date(2025, 12, 1), dt.date(2025, 12, 2), dt.date(2025, 12, 3)


def record(as_of: dt.date, law: str = "law", *more: dict[str, Any]) -> pl.DataFrame:
    rows = ({"kind": "night", "law_version": law, "assumptions": "firm"}, *more)
    return frame(AdviceHistory, *rows, as_of=as_of, tax_year=as_of.year, stands=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_record_is_read_back_as_written(tmp_path):
    lot = {"kind": "lot", "lot_id": "l1", "held": 10, "net_benefit": 5, "asset": "=evil\n\u202e", "priced_at": None}
    rows = record(FIRST, "law", lot)
    write_history(tmp_path, rows, FIRST)
    found = read_history(tmp_path, TONIGHT)
    assert found.rows.equals(rows, null_equal=True)
    assert found.questions.is_empty()


def test_a_record_is_its_owner_s(tmp_path):
    write_history(tmp_path, record(FIRST), FIRST)
    assert mode(tmp_path / HISTORY) == 0o700
    assert mode(tmp_path / HISTORY / "2025-12-01.parquet") == 0o600
    assert [path.name for path in (tmp_path / HISTORY).iterdir()] == ["2025-12-01.parquet"]


def test_a_second_run_of_a_day_replaces_its_record(tmp_path):
    write_history(tmp_path, record(FIRST, "one"), FIRST)
    write_history(tmp_path, record(FIRST, "two"), FIRST)
    assert read_history(tmp_path, TONIGHT).rows["law_version"].to_list() == ["two"]


def test_only_nights_before_tonight_are_the_past(tmp_path):
    for day in (FIRST, SECOND, TONIGHT):
        write_history(tmp_path, record(day), day)
    assert read_history(tmp_path, SECOND).rows["as_of"].to_list() == [FIRST]
    assert read_history(tmp_path, TONIGHT).rows["as_of"].to_list() == [FIRST, SECOND]


def broken(path: Path, how: str) -> None:
    good = record(FIRST)
    frames = {
        "of another day": record(SECOND),
        "no night": good.clear(),
        "two nights": pl.concat([good, good]),
        "a kind that no night writes": good.with_columns(kind=pl.lit("other")),
        "another column": good.with_columns(more=pl.lit(1)),
        "another type": good.with_columns(pl.col("held").cast(pl.String)),
    }
    if how in frames:
        frames[how].write_parquet(path)
    elif how == "cut off":
        path.write_bytes(path.read_bytes()[:-20])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize(
    "how",
    ["cut off", "empty", "a folder", "of another day", "no night", "two nights", "a kind that no night writes",
     "another column", "another type"],
)  # fmt: skip
def test_a_broken_record_is_asked_about_and_the_night_goes_on(tmp_path, how):
    write_history(tmp_path, record(FIRST), FIRST)
    write_history(tmp_path, record(SECOND), SECOND)
    broken(tmp_path / HISTORY / "2025-12-01.parquet", how)
    found = read_history(tmp_path, TONIGHT)
    assert found.rows["as_of"].to_list() == [SECOND]
    assert found.questions.select("question", "severity", "file_id").rows() == [
        ("advice_record_unreadable", "warning", "advice_history/2025-12-01.parquet")
    ]
    assert gate.check(found.questions, ReviewItems).rejected.is_empty()


def test_a_record_of_an_older_version_lacks_columns(tmp_path):
    write_history(tmp_path, record(FIRST).drop("trading_cost"), FIRST)
    assert read_history(tmp_path, TONIGHT).rows["trading_cost"].to_list() == [None]


def test_other_files_are_none_of_ours(tmp_path):
    write_history(tmp_path, record(FIRST), FIRST)
    for name in ("notes.txt", "2025-99-99.parquet", ".2025-12-02.parquet.tmp"):
        (tmp_path / HISTORY / name).write_text("x")
    found = read_history(tmp_path, TONIGHT)
    assert (found.rows.height, found.questions.height) == (1, 0)


def test_the_last_two_months_are_whole_and_years_long_over_are_not_read(tmp_path):
    days = [dt.date(2023, 12, 31), dt.date(2024, 3, 1), dt.date(2025, 9, 1), dt.date(2025, 11, 1), FIRST]
    for day in days:
        write_history(tmp_path, record(day, "law", {"kind": "price", "asset": "BTC", "price": 1}), day)
    found = read_history(tmp_path, TONIGHT)
    assert found.rows["as_of"].unique().sort().to_list() == days[3:]
    assert found.older.select("as_of", "kind").rows() == [(days[1], "night"), (days[2], "night")]


def test_a_folder_without_records_has_no_past(tmp_path):
    assert read_history(tmp_path, TONIGHT).rows.is_empty()


# --- what is published -----------------------------------------------------------------------------------------------


def to_record(**more: Any) -> pl.DataFrame:
    cells = {
        "instruction_id": "ins-1",
        "recommendation_id": "rec-1",
        "account_id": "a",
        "asset": 'B"T,C',
        "lot_id": "l1",
    }
    cells |= {
        "return_id": "r",
        "taxpayer_id": "r",
        "quantity": "0.100000000000000001",
        "valid_until": dt.date(2025, 12, 31),
    }
    return frame(InstructionsToRecord, cells | more)


def test_the_file_has_the_columns_of_instructions_csv_and_waits_for_the_moment(tmp_path):
    write_to_record(tmp_path, to_record())
    with (tmp_path / TO_RECORD).open(newline="") as file:
        head, row = csv.reader(file)
    assert head == list(gate.dtypes(INPUTS["instructions"].model))
    assert row == ["ins-1", "rec-1", "a", 'B"T,C', "l1", "0.100000000000000001", "", "", "2025-12-31", ""]
    assert mode(tmp_path / TO_RECORD) == 0o600


def test_pasted_as_it_is_a_row_is_refused_for_the_moment_that_it_lacks(tmp_path):
    write_to_record(tmp_path, to_record())
    with (tmp_path / TO_RECORD).open(newline="") as file:
        rows = list(csv.reader(file))
    read = read_table("instructions", rows, range(1, 3))
    assert read.frame.is_empty()
    assert read.problems.select("column", "row_no").rows() == [("recorded_at", 2)]
    rows[1][6] = "2025-12-15T09:00:00-05:00"
    read = read_table("instructions", rows, range(1, 3))
    assert read.problems.is_empty()
    assert read.frame.select("quantity", "status", "asset").rows() == [
        (to_record()["quantity"].item(), "open", 'B"T,C')
    ]


def test_a_row_left_out_is_in_the_table_only(tmp_path):
    write_to_record(tmp_path, to_record(left_out="by hand"))
    assert len((tmp_path / TO_RECORD).read_text().splitlines()) == 1


def test_reports_are_the_owner_s_and_those_of_the_gone_go(tmp_path):
    write_reports(tmp_path, {"a.html": "A", "b.html": "B"})
    write_reports(tmp_path, {"b.html": "new"})
    folder = tmp_path / REPORTS
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"b.html": "new"}
    assert (mode(folder), mode(folder / "b.html")) == (0o700, 0o600)


def test_an_unknown_group_is_a_sentence_and_the_old_file_stays(tmp_path):
    write_to_record(tmp_path, to_record())
    before = (tmp_path / TO_RECORD).read_bytes()
    with pytest.raises(NightError, match="no-such-group"):
        write_to_record(tmp_path, to_record(instruction_id="ins-2"), "no-such-group")
    assert (tmp_path / TO_RECORD).read_bytes() == before
