"""Whatever a client hands in: the night ends, nobody else's rows change, and each bad file or row is told with a reason."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines import stages
from tests.nights import RANKS, Rows, night, nothing_of, published
from tests.sample_night import Mart

UNIVERSAL = (
    "time,kind,sent_quantity,sent_asset,received_quantity,received_asset,fee_quantity,fee_asset,usd_value,tx_id,note\n"
)
LEDGER = '"txid","refid","time","type","subtype","aclass","asset","amount","fee","balance"\n'
KRAKEN = (
    LEDGER + '"L1","R1","2025-01-02 10:00:00","deposit","","currency","ZUSD",5000.0000,0,5000.0000\n'
    '"L2","T1","2025-01-03 10:00:00","trade","","currency","ZUSD",-2000.0000,5.0000,2995.0000\n'
    '"L3","T1","2025-01-03 10:00:00","trade","","currency","XXBT",0.0200000000,0,0.0200000000\n'
    '"L4","T2","2025-02-03 10:00:00","trade","","currency","XXBT",-0.0100000000,0,0.0100000000\n'
    '"L5","T2","2025-02-03 10:00:00","trade","","currency","ZUSD",900.0000,2.0000,3893.0000\n'
)


def universal(*rows: str) -> bytes:
    return (UNIVERSAL + "".join(row + "\n" for row in rows)).encode()


def wide(columns: int) -> bytes:
    return (",".join(f"c{n}" for n in range(columns)) + "\n" + ",".join("1" * columns) + "\n").encode()


NO_TABLE = {
    "empty.csv": b"",
    "only blank lines.csv": b"\r\n\r\n  \r\n",
    "binary.csv": random.Random(1).randbytes(20_000),
    "header in another alphabet.csv": KRAKEN.encode("cp037"),
    "header of 10,000 columns.csv": wide(10_000),
    "web page.csv": b"<!DOCTYPE html><html><body><script>alert(1)</script>Please log in</body></html>",
    "formulas.csv": b'=cmd|\' /C calc\'!A0,"=HYPERLINK(""http://x"")",+1\n@SUM(A1),-2+3,\x00\x1b[31m\n',
    "a quote that never closes.csv": b'a,b\n"' + b"x" * 300_000,
    "\u202egnp.exe\x1b[2J.csv": b"nothing,known\n1,2\n",
}
"""Files of no known table: name to bytes. Nothing is taken from them."""

BAD_ROWS = {
    "truncated.csv": (KRAKEN.encode()[:-40], {6}, "a quote in this line does not close"),
    "1970.csv": (universal("1970-01-01T00:00:00Z,staking,,,1,ADA,,,,,"), {2}, "time: found '1970-01-01T00:00:00Z'"),
    "2999.csv": (universal("2999-01-01T00:00:00Z,staking,,,1,ADA,,,,,"), {2}, "time: found '2999-01-01T00:00:00Z'"),
    "1e60.csv": (universal("2025-01-05T00:00:00Z,buy,1,USD,1e60,ADA,,,,,"), {2}, "expected a number below 10^15"),
    "1e999999999.csv": (universal("2025-01-05T00:00:00Z,buy,1,USD,1e999999999,ADA,,,,,"), {2}, "expected a number"),
    "negative fee.csv": (universal("2025-01-05T00:00:00Z,buy,1,USD,1,ADA,-5,USD,,,"), {2}, "negative amount"),
    "name of an asset.csv": (universal(f"2025-01-05T00:00:00Z,staking,,,1,{'A' * 5_000},,,,,"), {2}, "A"),
    "kind is a formula.csv": (universal("2025-01-05T00:00:00Z,=1+1,,,1,ADA,,,,,"), {2}, "unknown kind '=1+1'"),
    "kind is a page.csv": (universal("2025-01-05T00:00:00Z,<b>\x1b[31m</b>,,,1,ADA,,,,,"), {2}, "unknown kind '<b> [31m</b>'"),
    "surplus cells.csv": (universal("2025-01-05T00:00:00Z,staking,,,1,ADA,,,,,,,,9"), {2}, "cells"),
}  # fmt: skip
"""Files of a known format: name to bytes, the lines that are no facts, and what the reason says."""

HOSTILE_NAMES = universal(
    '2025-01-05T00:00:00Z,staking,,,1,"=HYPERLINK(""http://x"",""SOL"")",,,20,,"=1+1"',
    '2025-01-06T00:00:00Z,staking,,,1,<img src=x onerror=alert(1)>,,,20,,"<script>"',
    "2025-01-07T00:00:00Z,staking,,,1,B\u202eTC\x07,,,20,,",
    "2025-01-08T00:00:00Z,staking,,,1,ADA,,,20,,fine",
)
ACCOUNTS = ("good-kraken", "good-twice", "bad-files", "bad-names")


def firm(folder: Path, *, hostile: bool) -> Path:
    """A firm with two good accounts, one of which hands in the same trades twice, and a client who hands in anything."""
    for account in ACCOUNTS:
        (folder / "intake" / account).mkdir(parents=True)
    (folder / "firm.toml").write_text('name = "Hostile"\ntime_zone = "America/New_York"\nas_of = 2025-06-30\n')
    (folder / "taxpayers.csv").write_text("taxpayer_id,entity,birth_year\ngood,individual,1980\nbad,individual,1980\n")
    custody = "".join(f"{account},{account.split('-')[0]},kraken,us_broker\n" for account in ACCOUNTS)
    (folder / "accounts.csv").write_text("account_id,taxpayer_id,platform,custody\n" + custody)
    (folder / "profiles.csv").write_text(
        "return_id,tax_year,filing_status,wages\n"
        + "".join(f"{who},{year},single,90000\n" for who in ("good", "bad") for year in (2024, 2025))
    )
    days = pl.date_range(date(2024, 12, 20), date(2025, 6, 30), "1d", eager=True)
    coins = pl.DataFrame({"asset": ["BTC", "ADA"], "usd": ["90000", "1"]})
    (folder / "prices").mkdir()
    coins.join(pl.DataFrame({"date": days}), how="cross").write_csv(folder / "prices/made up.csv")
    (folder / "intake/good-kraken/ledgers.csv").write_text(KRAKEN)
    (folder / "intake/good-twice/ledgers.csv").write_text(KRAKEN.replace('"L', '"M').replace('"T', '"U'))
    (folder / "intake/good-twice/again.csv").write_bytes(
        universal(
            "2025-01-03T10:00:00Z,buy,2000,USD,0.02,BTC,5,USD,,,",
            "2025-01-20T10:00:00Z,buy,300,USD,0.003,BTC,,,,,",  # the ledger's file covers the day and lacks it
            "2025-02-03T10:00:00Z,sell,0.01,BTC,901,USD,2,USD,,,",
            "2025-03-01T10:00:00Z,sell,0.004,BTC,400,USD,,,,,",  # after the ledger's file
        )
    )
    if hostile:
        for name, data in NO_TABLE.items():
            (folder / "intake/bad-files" / name).write_bytes(data)
        for name, (data, *_) in BAD_ROWS.items():
            (folder / "intake/bad-files" / name).write_bytes(data)
        (folder / "intake/bad-names/names.csv").write_bytes(HOSTILE_NAMES)
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The night with everything in it; the universal format stands for a second report of Kraken's ledger."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "CHECKS", {"universal": "kraken_ledgers"})
        yield night(firm(tmp_path_factory.mktemp("hostile") / "firm", hostile=True))


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "CHECKS", {"universal": "kraken_ledgers"})
        return night(firm(tmp_path_factory.mktemp("calm") / "firm", hostile=False))


@pytest.fixture(scope="module")
def mart(hostile: Path) -> Iterator[Mart]:
    opened = Mart(hostile)
    yield opened
    opened.close()


def test_nobody_elses_rows_change(hostile: Path, calm: Path) -> None:
    def of_good(mart: Path) -> Rows:
        return published(
            mart, RANKS, lambda _, columns: nothing_of(columns, ["bad"], ["bad-files", "bad-names"], ["bad"])
        )

    with_hostile, without = of_good(hostile), of_good(calm)
    assert {table for table, rows in with_hostile.items() if rows} >= {"events", "gains", "schedule_d", "source_checks"}
    for table, rows in without.items():
        assert with_hostile[table] == rows, table


def shown(name: str) -> str:
    """A file's name as the mart shows it: `\u202e` and `\x1b` are gone."""
    return name.replace("\u202e", "").replace("\x1b", " ").strip()


@pytest.mark.parametrize("name", NO_TABLE)
def test_a_file_that_is_no_table_has_a_status_a_reason_and_a_question(mart: Mart, name: str) -> None:
    path = "%" + shown(name)
    status, message, file_id = mart.row(
        "SELECT status, message, file_id FROM files WHERE account_id = 'bad-files' AND path LIKE ?", path
    )
    assert status in {"empty", "unreadable", "unknown_format"}
    assert message
    asked = mart.rows(
        "SELECT question, message FROM review_items WHERE account_id = 'bad-files' AND file_id = ?", file_id
    )
    assert asked == [("file_unknown_format" if status == "unknown_format" else "file_unreadable", message)]
    assert mart.one("SELECT count(*) FROM event_sources WHERE file_id = ?", file_id) == 0


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_row_that_is_no_fact_is_rejected_with_a_reason_and_asked(mart: Mart, name: str) -> None:
    _, lines, reason = BAD_ROWS[name]
    file_id, rejected = mart.row(
        "SELECT file_id, rows_rejected FROM files WHERE account_id = 'bad-files' AND path LIKE ? AND status = 'parsed'", f"%{name}"
    )  # fmt: skip
    asked = mart.rows(
        "SELECT row_no, message FROM review_items WHERE file_id = ? AND question = 'row_rejected'", file_id
    )
    told = [message for row_no, message in asked if row_no in lines and reason in message]
    assert len(told) == 1
    assert rejected >= len(lines)
    used = mart.rows("SELECT row_no FROM event_sources WHERE file_id = ?", file_id)
    assert not lines & {row_no for (row_no,) in used}


def test_names_that_are_code_stay_text_and_the_row_beside_them_counts(mart: Mart) -> None:
    held = mart.rows("SELECT received_asset, usd_value FROM events WHERE account_id = 'bad-names' ORDER BY occurred_at")
    assert held[-1][0] == "ADA"
    # no control or direction character of the file reaches a table that staff open
    tables = {"review_items": "message", "files": "path || coalesce(message, '')", "harvest_recommendations": "reason"}
    for table, text in tables.items():
        assert mart.one(f"SELECT count(*) FROM {table} WHERE regexp_matches({text}, '[\\x00-\\x1f\u202e]')") == 0, table


def test_the_same_trades_in_two_reports_are_booked_once_in_a_night(mart: Mart) -> None:
    """Of the second report one trade agrees, one differs by a dollar, one the ledger lacks, one lies after its file."""
    booked = "SELECT kind, count(*) FROM events WHERE account_id = 'good-twice' GROUP BY ALL ORDER BY ALL"
    assert mart.rows(booked) == [("buy", 1), ("deposit", 1), ("sell", 2)]
    told = (
        "SELECT row_no, status, field, ours, theirs FROM source_checks WHERE account_id = 'good-twice' ORDER BY row_no"
    )
    assert mart.rows(told) == [
        (2, "same", None, None, None),
        (3, "not_in_ledger", None, None, None),
        (4, "differs", "received", "900", "901"),
        (5, "booked", None, None, None),
    ]
    behind = """SELECT row_no, kind FROM event_sources JOIN events USING (event_id)
                WHERE role = 'check' AND events.account_id = 'good-twice' ORDER BY row_no"""
    assert mart.rows(behind) == [(2, "buy"), (4, "sell")]
    asked = """SELECT question, severity, dollars_at_stake FROM review_items
               WHERE account_id = 'good-twice' AND question LIKE 'second_report%' ORDER BY question"""
    assert [(*row[:2], int(row[2])) for row in mart.rows(asked)] == [
        ("second_report_booked", "info", 400),
        ("second_report_differs", "warning", 1),
        ("second_report_missing", "blocking", 300),
    ]


def test_an_override_of_a_fact_that_only_the_second_report_tells_is_asked(
    mart: Mart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staff corrected the second report's event while it was alone; then the ledger came."""
    monkeypatch.setattr(stages, "CHECKS", {"universal": "kraken_ledgers"})
    folder = firm(tmp_path / "firm", hostile=False)
    fact = mart.one("SELECT fact_id FROM source_checks WHERE account_id = 'good-twice' AND row_no = 4")
    (folder / "overrides.csv").write_text(
        f"event_id,field,value,by,at,why\n{fact},usd_value,900,ann,2025-06-01T00:00:00Z,statement\n"
    )
    opened = Mart(night(folder))
    asked = opened.rows("SELECT severity, message FROM review_items WHERE question = 'override_without_event'")
    opened.close()
    assert asked == [("blocking", "the override of usd_value was not applied: a second report states its fact")]
