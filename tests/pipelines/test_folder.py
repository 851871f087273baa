"""The firm's folder on disk: which files are read, under which name, and what is asked about the others."""

from __future__ import annotations

import hashlib
import os
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines import folder as reader
from pipelines.errors import NightError
from pipelines.resources import Night
from schemas.gate import check, empty
from schemas.intake import Files
from schemas.review import ReviewItems
from transforms.firm import FirmFolderError

HEADER = (
    "time,kind,sent_quantity,sent_asset,received_quantity,received_asset,fee_quantity,fee_asset,usd_value,tx_id,note\n"
)
BUY = HEADER + "2025-03-01T15:00:00Z,buy,100,USD,1,SOL,,,,,\n"
SELL = HEADER + "2025-04-01T15:00:00Z,sell,1,SOL,120,USD,,,,,\n"
BINANCE = (
    '"User_ID","Time","Account","Operation","Coin","Change","Remark"\n'
    '"1","2025-03-01 15:00:00","Spot","Deposit","SOL","1",""\n'
)
LATIN = b"caf\xe9"


@pytest.fixture
def firm(tmp_path: Path) -> Path:
    """Ann with two accounts and Bob with one, no file handed in yet."""
    folder = tmp_path / "firm"
    for account in ("ann-cb", "ann-wallet", "bob-kr"):
        (folder / "intake" / account).mkdir(parents=True)
    (folder / "firm.toml").write_text('name = "Hill Street Tax"\ntime_zone = "America/New_York"\n')
    (folder / "taxpayers.csv").write_text("taxpayer_id,entity,birth_year\nann,individual,1980\nbob,individual,1950\n")
    (folder / "accounts.csv").write_text(
        "account_id,taxpayer_id,platform,custody\nann-cb,ann,coinbase,us_broker\nann-wallet,ann,ledger,self\nbob-kr,bob,kraken,us_broker\n"
    )
    (folder / "profiles.csv").write_text("return_id,tax_year,filing_status\nann,2025,single\nbob,2025,single\n")
    return folder


def tonight(folder: Path, as_of: date = date(2026, 11, 20)) -> Night:
    return Night(folder, as_of, (as_of.year,), "run")


def asked(folder: Path, question: str) -> list[tuple[str | None, ...]]:
    """Severity, taxpayer, account and the file or account that a question of the folder names."""
    items = reader.firm_tables(tonight(folder))["folder_questions"]
    assert check(items, ReviewItems).rejected.is_empty()
    found = items.filter(pl.col("question") == question).sort("account_id", "file_id", nulls_last=True)
    return found.select("severity", "taxpayer_id", "account_id", "file_id").rows()


def taken(folder: Path, before: pl.DataFrame | None = None, as_of: date = date(2026, 11, 20)):
    night = tonight(folder, as_of)
    facts = reader.firm_tables(night)["account_facts"]
    answer = reader.take_in(night, facts, empty(Files) if before is None else before)
    assert check(answer["files"], Files).rejected.is_empty()
    assert check(answer["file_questions"], ReviewItems).rejected.is_empty()
    return answer


def statuses(answer) -> list[tuple[str, str, str]]:
    return answer["files"].sort("path").select("account_id", "path", "status").rows()


# --- the same bytes twice --------------------------------------------------------------------------------------------


def test_one_clients_bytes_in_two_accounts_count_in_the_first_and_block_both(firm):
    for account in ("ann-wallet", "ann-cb"):
        (firm / "intake" / account / "trades.csv").write_text(BUY)
    answer = taken(firm)
    assert statuses(answer) == [
        ("ann-cb", "intake/ann-cb/trades.csv", "parsed"),
        ("ann-wallet", "intake/ann-wallet/trades.csv", "duplicate"),
    ]
    assert set(answer["legs"].rows["account_id"]) == {"ann-cb"}
    items = answer["file_questions"].select("question", "severity", "taxpayer_id", "account_id").sort("account_id")
    assert items.rows() == [
        ("duplicate_file", "blocking", "ann", "ann-cb"),
        ("duplicate_file", "blocking", "ann", "ann-wallet"),
    ]


def test_the_same_bytes_of_two_clients_count_for_neither(firm):
    """Nothing in the bytes tells whose sale it is: booked for both it would be taxed twice."""
    (firm / "intake/ann-cb/trades.csv").write_text(SELL)
    alone = taken(firm)
    assert statuses(alone) == [("ann-cb", "intake/ann-cb/trades.csv", "parsed")]
    (firm / "intake/bob-kr/sales.csv").write_text(SELL)
    both = taken(firm, alone["files"])
    assert {status for *_, status in statuses(both)} == {"duplicate"}
    assert both["legs"].rows.is_empty()
    # and what the night before read for Ann goes
    assert ("ann-cb", hashlib.sha256(SELL.encode()).hexdigest()) in both["legs"].only.rows()
    assert set(both["file_questions"].select("severity", "taxpayer_id", "account_id").rows()) == {
        ("blocking", "ann", "ann-cb"),
        ("blocking", "bob", "bob-kr"),
    }
    # the copy is taken away: the file counts again, and the copy that never counted leaves no trace
    (firm / "intake/bob-kr/sales.csv").unlink()
    again = taken(firm, both["files"])
    assert statuses(again) == statuses(alone)
    assert again["legs"].rows.height == alone["legs"].rows.height == 2


def test_exports_without_a_row_are_alike_and_no_duplicates(firm):
    for account in ("ann-cb", "bob-kr"):
        (firm / "intake" / account / "nothing.csv").write_text(HEADER)
    answer = taken(firm)
    assert {status for *_, status in statuses(answer)} == {"empty"}
    assert answer["file_questions"].is_empty()
    assert statuses(taken(firm, answer["files"])) == statuses(answer)


def test_of_two_names_the_one_that_states_the_zone_is_read(firm):
    """Binance writes the clock of its statement into the file's name only."""
    for name in ("a copy.csv", "statement(UTC+2).csv"):
        (firm / "intake/bob-kr" / name).write_text(BINANCE)
    answer = taken(firm)
    assert statuses(answer) == [("bob-kr", "intake/bob-kr/statement(UTC+2).csv", "parsed")]
    assert answer["legs"].rows["occurred_at"].to_list() == [datetime(2025, 3, 1, 13, tzinfo=UTC)]


# --- what is not read ------------------------------------------------------------------------------------------------


def test_a_file_in_no_accounts_folder_is_asked_about(firm):
    (firm / "intake/trades.csv").write_text(BUY)
    (firm / "intake/.DS_Store").write_bytes(b"x")
    assert asked(firm, "file_without_account") == [("blocking", None, None, "intake/trades.csv")]


def test_links_and_hidden_files_are_named_and_not_read(firm):
    inside = firm / "intake/ann-cb"
    (inside / "link.csv").symlink_to(firm / "accounts.csv")
    (inside / ".hidden.csv").write_text(BUY)
    (inside / ".old").mkdir()
    (inside / ".old/last year.csv").write_text(SELL)
    (inside / ".DS_Store").write_bytes(b"x")
    (inside / "._trades.csv").write_bytes(b"x")
    assert asked(firm, "file_not_read") == [
        ("warning", "ann", "ann-cb", f"intake/ann-cb/{name}") for name in (".hidden.csv", ".old", "link.csv")
    ]
    assert statuses(taken(firm)) == []


def test_an_account_without_a_file_is_asked_about_less_so_with_opening_lots(firm):
    (firm / "intake/ann-cb/trades.csv").write_text(BUY)
    (firm / "intake/bob-kr").rmdir()
    (firm / "opening_lots.csv").write_text(
        "taxpayer_id,account_id,asset,acquired_at,quantity,basis\nann,ann-wallet,BTC,2019-01-01T00:00:00Z,1,3700\n"
    )
    assert asked(firm, "account_without_files") == [
        ("info", "ann", "ann-wallet", None),
        ("warning", "bob", "bob-kr", None),
    ]


def test_names_in_any_bytes_end_no_night(firm):
    os.mkdir(os.fsencode(firm / "intake") + b"/" + LATIN)  # noqa: PTH102 - bytes
    (firm / "prices").mkdir()
    for place, text in (("intake/ann-cb", BUY), ("prices", "date,asset,usd\n2025-03-01,SOL,100\n")):
        Path(os.fsdecode(os.fsencode(firm / place) + b"/" + LATIN + b".csv")).write_text(text)
    stray = reader.firm_tables(tonight(firm))["folder_questions"]["message"].to_list()
    assert any(message.startswith("intake/caf?: found a folder of no account") for message in stray)
    assert statuses(taken(firm)) == [("ann-cb", "intake/ann-cb/caf?.csv", "parsed")]
    assert reader.price_table(tonight(firm))["prices"].height == 1
    assert len(reader.input_hash(tonight(firm))) == 64


def test_a_file_that_cannot_be_opened_is_unreadable_and_ends_no_night(firm, monkeypatch):
    for account in ("ann-cb", "bob-kr"):
        (firm / "intake" / account / "trades.csv").write_text(BUY if account == "ann-cb" else SELL)
    locked, opened = firm / "intake/ann-cb/trades.csv", Path.open

    def refuse(path: Path, *arguments, **options):
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    shut = taken(firm)
    assert [status for *_, status in statuses(shut)] == ["unreadable", "parsed"]
    (message,) = shut["files"].filter(pl.col("status") == "unreadable")["message"]
    assert message == "the file cannot be read (Permission denied)"
    assert len(reader.input_hash(tonight(firm))) == 64
    monkeypatch.undo()
    assert [status for *_, status in statuses(taken(firm, shut["files"]))] == ["parsed", "parsed"]


def test_an_intake_that_cannot_be_listed_refuses_the_night(firm, monkeypatch):
    """It would look as if every client had taken every file back."""
    listed = Path.iterdir

    def refuse(path: Path):
        if path == firm / "intake":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(NightError, match="intake cannot be read: Permission denied"):
        reader.firm_tables(tonight(firm))


# --- the firm's own files --------------------------------------------------------------------------------------------

ORDERS = "taxpayer_id,account_id,asset,method,recorded_at\nann,ann-cb,,hifo,2025-01-01T00:00:00Z\n"


def test_upper_and_lower_case_are_one_in_the_names_of_the_firms_tables(firm):
    (firm / "Lot_Orders.CSV").write_text(ORDERS)
    before = reader.input_hash(tonight(firm))
    assert reader.firm_tables(tonight(firm))["firm_lot_orders"]["method"].to_list() == ["hifo"]
    (firm / "Lot_Orders.CSV").write_text(ORDERS.replace("hifo", "lifo"))
    assert reader.input_hash(tonight(firm)) != before
    (firm / "lot_orders.csv").write_text(ORDERS)
    with pytest.raises(
        FirmFolderError, match=r"lot_orders\.csv: found two files whose names differ in upper and lower"
    ):
        reader.firm_tables(tonight(firm))


def test_a_firms_table_that_is_no_text_is_named_and_hidden_ones_are_not_the_firms(firm):
    (firm / "._profiles.csv").write_bytes(b"\x00\x05\x16\x07\xff\xfe")
    reader.firm_tables(tonight(firm))
    (firm / "accounts.csv").write_bytes("account_id,taxpayer_id,platform\nann-cb,ann,caf\xe9\n".encode("latin-1"))
    with pytest.raises(FirmFolderError) as caught:
        reader.firm_tables(tonight(firm))
    (said,) = str(caught.value).splitlines()
    assert said.startswith("accounts.csv: found the bytes are neither UTF-8 nor UTF-16")
    assert said.endswith("expected a CSV in UTF-8 that the night may read")


def test_without_settings_the_zone_is_assumed_and_said(firm):
    assert asked(firm, "settings_assumed") == []
    (firm / "firm.toml").unlink()
    assert asked(firm, "settings_assumed") == [("info", None, None, "firm.toml")]
    settings = reader.settings(tonight(firm))
    assert (settings.name, settings.time_zone) == ("firm", "America/New_York")


def test_a_couple_stays_one_household_when_one_spouses_row_breaks(firm):
    """Else Ana's half of the joint return would be computed as the whole of it."""
    (firm / "returns.csv").write_text(
        "return_id,tax_year,taxpayer_id,role\nann-bob,2024,ann,primary\nann-bob,2024,bob,spouse\n"
    )
    people = firm / "taxpayers.csv"
    people.write_text(people.read_text().replace("1950", "nineteen50"))
    tables = reader.firm_tables(tonight(firm))
    assert set(tables["quarantine"]["taxpayer_id"]) == {"ann", "bob"}
    members = tables["members"]
    assert set(members.filter(pl.col("id") == "ann-bob")["household"]) == {"ann"}
    assert set(members.filter(pl.col("taxpayer_id") == "bob")["id"]) == {"bob", "ann-bob", "bob-kr"}


# --- prices ----------------------------------------------------------------------------------------------------------

RATES = "Date,USD,JPY,GBP,\n2026-09-30,1.1,150,0.88,\n2026-09-29,1.2,N/A,0.8,\n"


@pytest.mark.parametrize("zipped", [False, True])
def test_the_central_bank_s_file_of_rates_is_taken_as_it_was_downloaded(firm, zipped):
    (firm / "prices").mkdir()
    (firm / "prices/own.csv").write_text("date,asset,usd\n2026-09-30,EUR,1.11\n")
    if zipped:
        with zipfile.ZipFile(firm / "prices/eurofxref-hist.zip", "w") as archive:
            archive.writestr("eurofxref-hist.csv", RATES)
    else:
        (firm / "prices/eurofxref-hist.csv").write_text(RATES)
    found = reader.price_table(tonight(firm))
    assert found["price_questions"].is_empty()
    known = {(a, str(at.date())): f"{usd.normalize():f}" for a, at, usd, _ in found["prices"].iter_rows()}
    assert known == {
        ("EUR", "2026-09-29"): "1.2", ("EUR", "2026-09-30"): "1.11", ("GBP", "2026-09-29"): "1.5",
        ("GBP", "2026-09-30"): "1.25", ("JPY", "2026-09-30"): "0.007333333333333333",
    }  # fmt: skip


def test_a_zip_that_is_no_price_file_is_told_and_its_size_is_bounded(firm, monkeypatch):
    (firm / "prices").mkdir()
    monkeypatch.setattr(reader, "_UNZIPPED_LIMIT", 100)
    for name, members in (("bomb", ["x" * 101]), ("two", ["a", "b"]), ("none", [])):
        with zipfile.ZipFile(firm / f"prices/{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for n, text in enumerate(members):
                archive.writestr(f"{n}.csv", text)
    (firm / "prices/broken.zip").write_bytes(b"PK\x03\x04 no archive")
    asked = reader.price_table(tonight(firm))["price_questions"]
    assert asked.sort("file_id").select("file_id", "question").rows() == [
        (f"{name}.zip", "price_file_unreadable") for name in ("bomb", "broken", "none", "two")
    ]


@pytest.mark.parametrize("broken", ["method", "encrypted", "data"])
def test_a_zip_that_cannot_be_unpacked_is_told_beside_the_files_that_can(firm, broken):
    (firm / "prices").mkdir()
    (firm / "prices/own.csv").write_text("date,asset,usd\n2026-09-30,SOL,100\n")
    path = firm / "prices/rates.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rates.csv", RATES * 20)
    data = bytearray(path.read_bytes())
    directory = data.rfind(b"PK\x01\x02")
    if broken == "method":  # 99: none that the library unpacks
        data[8] = data[directory + 10] = 99
    elif broken == "encrypted":
        data[6] |= 1
        data[directory + 8] |= 1
    else:
        data[45:55] = bytes(byte ^ 0xFF for byte in data[45:55])
    path.write_bytes(data)
    found = reader.price_table(tonight(firm))
    assert found["price_questions"].select("file_id", "question").rows() == [("rates.zip", "price_file_unreadable")]
    assert found["prices"]["asset"].to_list() == ["SOL"]


# --- AS_OF -----------------------------------------------------------------------------------------------------------


def test_as_of_hides_when_a_files_later_events_were_until_their_day_comes(firm):
    later = BUY + "2026-10-01T15:00:00Z,sell,1,SOL,120,USD,,,,,\n"
    (firm / "intake/ann-cb/trades.csv").write_text(later)
    then = taken(firm, as_of=date(2025, 12, 31))["files"]
    assert then.select("first_event_at", "last_event_at").row(0) == (datetime(2025, 3, 1, 15, tzinfo=UTC), None)
    now = taken(firm, then)["files"]
    assert now["last_event_at"].to_list() == [datetime(2026, 10, 1, 15, tzinfo=UTC)]
    # nothing was hidden: it is not read a second time
    assert taken(firm, now)["legs"].only.is_empty()
