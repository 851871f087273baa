"""Filed years over whole nights: what was filed stands, is written once, and what came later is named.

Two households of one small firm. Faye filed 2023 alone (her story is also in sample_firm/README.md), Gus and Gail filed
2024 jointly. Nobody enters lines or lots: the night writes them.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from pipelines.errors import NightError
from pipelines.stages import _on_record
from schemas.filed import FiledPeople
from tests.nights import hashes, night, published
from tests.sample_night import Mart, usd
from tests.transforms.frames import frame

HEADER = (
    "time,kind,sent_quantity,sent_asset,received_quantity,received_asset,fee_quantity,fee_asset,usd_value,tx_id,note\n"
)
EXCHANGE = HEADER + (
    "2022-03-01T15:00:00Z,buy,3000,USD,1,ETH,,,,,\n"
    "2023-02-01T15:00:00Z,buy,1600,USD,1,ETH,,,,,\n"
    "2023-06-01T15:00:00Z,sell,1,ETH,1800,USD,,,,,\n"
    "2026-02-02T15:00:00Z,sell,1,ETH,2500,USD,,,,,\n"
)
LATE = HEADER + "2021-01-15T15:00:00Z,buy,1200,USD,1,ETH,,,,,\n"
GUS = HEADER + (
    "2023-02-01T15:00:00Z,buy,20000,USD,1,BTC,,,,,\n"
    "2024-03-01T15:00:00Z,sell,0.5,BTC,4000,USD,,,,,\n"
    "2025-03-01T15:00:00Z,sell,0.1,BTC,1000,USD,,,,,\n"
)
GAIL = HEADER + "2024-01-05T15:00:00Z,buy,5000,USD,1,LTC,,,,,\n2024-03-01T15:00:00Z,sell,1,LTC,2000,USD,,,,,\n"
TABLES = {
    "firm.toml": 'name = "Filed & Partners"\ntime_zone = "America/New_York"\nas_of = 2026-11-20\n',
    "taxpayers.csv": "taxpayer_id,entity,birth_year\nfaye,individual,1986\ngus,individual,1970\ngail,individual,1971\n",
    "accounts.csv": "account_id,taxpayer_id,platform,custody\nfaye-x,faye,other,self\ngus-x,gus,other,self\ngail-x,gail,other,self\n",
    "returns.csv": "return_id,tax_year,taxpayer_id,role\ngus & gail,2024,gus,primary\ngus & gail,2024,gail,spouse\n",
    "filed_methods.csv": "taxpayer_id,tax_year,method\nfaye,2023,fifo\ngus,2024,fifo\ngail,2024,fifo\n",
    "filed_years.csv": "return_id,tax_year,version,filed_at\nfaye,2023,1,2024-04-10T12:00:00-04:00\ngus & gail,2024,1,2025-04-10T12:00:00-04:00\n",
}
PROFILE = "{},{},{},{},0,0,0,0,0,0,0,0,0,standard,0,0,{}\n"
COLUMNS = (
    "return_id,tax_year,filing_status,wages,self_employment,investment_income,other_ordinary,qualified_dividends,"
    "other_short_term,other_long_term,other_28_rate,unrecaptured_1250,adjustments,deduction,social_security,aca_credit,"
    "short_term_carry_in,long_term_carry_in\n"
)
FAYES = "faye-2ebba2b55c6adb0a-2023-v1-{}.csv"


def firm(folder: Path) -> Path:
    """The folder before any night, without the file that comes late."""
    (folder / "prices").mkdir(parents=True)
    for name, text in TABLES.items():
        (folder / name).write_text(text)
    rows = [PROFILE.format("faye", y, "single", 100_000, "0,0" if y == 2023 else ",") for y in range(2023, 2027)]
    rows += [PROFILE.format("gus & gail", 2024, "mfj", 150_000, "0,0")]
    rows += [PROFILE.format(who, y, "single", 70_000, ",") for who in ("gus", "gail") for y in (2025, 2026)]
    (folder / "profiles.csv").write_text(COLUMNS + "".join(rows))
    for account, text in (("faye-x", EXCHANGE), ("gus-x", GUS), ("gail-x", GAIL)):
        (folder / "intake" / account).mkdir(parents=True)
        (folder / "intake" / account / "export.csv").write_text(text)
    return folder


def records(folder: Path) -> dict[str, tuple[bytes, int, int, int]]:
    """What lies in filed/: bytes, mode, inode and time of change."""
    found = {path.name: (path, path.stat()) for path in (folder / "filed").iterdir()}
    return {
        name: (path.read_bytes(), stat.S_IMODE(of.st_mode), of.st_ino, of.st_mtime_ns)
        for name, (path, of) in found.items()
    }


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder after its first night."""
    folder = firm(tmp_path_factory.mktemp("filed") / "firm")
    night(folder)
    return folder


@pytest.fixture(scope="module")
def second(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The night after Faye found a purchase of 2021."""
    folder = tmp_path_factory.mktemp("late") / "firm"
    shutil.copytree(first, folder)
    (folder / "intake/faye-x/old wallet.csv").write_text(LATE)
    night(folder)
    return folder


@pytest.fixture
def tonight(second: Path) -> Iterator[Mart]:
    opened = Mart(second / "published/lotbook.duckdb")
    yield opened
    opened.close()


def test_the_first_night_writes_what_was_filed_for_its_owner_alone(first: Path) -> None:
    """Filed: the lot of 2022 sold, 1,800 − 3,000 = −1,200 long; 1 ETH at 1,600 is left."""
    found = records(first)
    assert {mode for _, mode, *_ in found.values()} == {0o400}
    assert stat.S_IMODE((first / "filed").stat().st_mode) == 0o700
    assert len(found) == 6
    lines = found[FAYES.format("lines")][0].decode().splitlines()
    assert {
        "faye,2023,1,Schedule D,15,-1200.00",
        "faye,2023,1,Form 1040,16,14002.00",
        "faye,2023,1,Form 8949,F (h),-1200.00",
    } <= set(lines)
    assert found[FAYES.format("lots")][0].decode().splitlines() == [
        "taxpayer_id,tax_year,version,account_id,asset,acquired_at,quantity,basis",
        "faye,2023,1,faye-x,ETH,2023-02-01T15:00:00.000000Z,1,1600.000000",
    ]  # fmt: skip


def test_a_name_of_a_return_never_names_another_place(first: Path) -> None:
    names = {name for name in records(first) if "gus" in name}
    assert all(name.startswith("gus_gail-") and "-2024-v1-" in name for name in names)
    assert len(names) == 3


def test_the_second_night_changes_nothing_in_the_mart_or_the_record(first: Path, tmp_path: Path) -> None:
    folder = tmp_path / "firm"
    shutil.copytree(first, folder, copy_function=shutil.copy2)
    before, marts = records(folder), hashes(published(folder / "published/lotbook.duckdb"))
    assert hashes(published(night(folder))) == marts
    assert records(folder) == before


def test_what_was_filed_stands_and_the_next_year_opens_from_it(tonight: Mart) -> None:
    sql = "SELECT line_15, line_16, line_21, federal_tax, source FROM schedule_d WHERE return_id = 'faye' AND tax_year = 2023"
    assert tonight.row(sql) == (usd("-1200"), usd("-1200"), usd("-1200"), usd("14002"), "filed")
    # the lot of 2023 is sold in 2026, long-term: 2,500 − 1,600
    assert tonight.row("SELECT basis, gain, term FROM gains WHERE taxpayer_id = 'faye' AND tax_year = 2026") == (
        usd("1600"), usd("900"), "long",
    )  # fmt: skip
    assert tonight.rows("SELECT lot_id FROM gains ANTI JOIN lots USING (lot_id) WHERE taxpayer_id = 'faye'") == []


def test_the_amendments_name_the_lines_the_lots_the_tax_and_the_file(tonight: Mart) -> None:
    """From the events alone the lot of 2021 goes first: 1,800 − 1,200 = 600 long; the lot of 2022 is still there.

    Tax 2023 as filed, by the Tax Table (the middle of its row): 100,000 − 1,200 − 13,850 = 84,950: 5,147 + 22 % × 40,250 =
    14,002. Recomputed: ordinary 86,150: 5,147 + 22 % × 41,450 = 14,266, and 15 % × 600 = 90: 14,356. The change: 354.
    """
    sql = (
        "SELECT form, line, filed, recomputed, difference FROM amendments WHERE return_id = 'faye' AND tax_year = 2023"
    )
    found = {(form, line): tuple(map(str, amounts)) for form, line, *amounts in tonight.rows(sql)}
    assert found == {
        ("Form 8949", "F (e)"): ("3000.00", "1200.00", "-1800.00"),
        ("Form 8949", "F (h)"): ("-1200.00", "600.00", "1800.00"),
        ("Schedule D", "10(e)"): ("3000.00", "1200.00", "-1800.00"),
        ("Schedule D", "10(h)"): ("-1200.00", "600.00", "1800.00"),
        ("Schedule D", "15"): ("-1200.00", "600.00", "1800.00"),
        ("Schedule D", "16"): ("-1200.00", "600.00", "1800.00"),
        ("Schedule D", "21"): ("-1200.00", "0.00", "1200.00"),
        ("Form 1040", "7"): ("-1200.00", "600.00", "1800.00"),
        ("Form 1040", "11"): ("98800.00", "100600.00", "1800.00"),
        ("Form 1040", "15"): ("84950.00", "86750.00", "1800.00"),
        ("Form 1040", "16"): ("14002.00", "14356.00", "354.00"),
        ("Federal tax", "total"): ("14002.00", "14356.00", "354.00"),
        ("lots", "faye-x / ETH / 2022-03-01T15:00:00Z"): ("0.00", "3000.00", "3000.00"),
    }
    causes = tonight.rows("SELECT DISTINCT cause FROM amendments")
    (file_id,) = tonight.row("SELECT file_id FROM files WHERE path LIKE '%old wallet.csv'")
    assert causes == [
        (f"1 event(s) of 2023 or before from intake/faye-x/old wallet.csv (file {file_id[:12]}), not in the folder on 2026-11-20",)
    ]  # fmt: skip


def test_the_change_is_asked_with_its_dollars(tonight: Mart) -> None:
    asked = tonight.rows("SELECT question, severity, dollars_at_stake FROM review_items WHERE question LIKE 'filed%'")
    assert sorted(asked, key=str) == [
        ("filed_units_differ", "blocking", None),
        ("filed_year_differs", "warning", usd("354")),
    ]


def test_a_joint_return_stands_as_filed_and_each_spouse_takes_on_the_own_share(tonight: Mart) -> None:
    """Gus: 4,000 − 10,000 = −6,000 long; Gail: 2,000 − 5,000 = −3,000 short. 3,000 used, short-term first: 6,000 long.

    All of it is Gus's, whose loss it was. 2025: 1,000 − 2,000 = −1,000 more, 3,000 used: 4,000.
    """
    sql = "SELECT taxpayer_id, short_term_out, long_term_out, source FROM carryforwards WHERE tax_year = ? AND taxpayer_id IN ('gus', 'gail') ORDER BY 1"
    assert tonight.rows(sql, 2024) == [("gail", 0, 0, "filed"), ("gus", 0, usd("6000"), "filed")]
    assert tonight.rows(sql, 2025) == [("gail", 0, 0, "computed"), ("gus", 0, usd("4000"), "computed")]
    assert tonight.rows("SELECT * FROM amendments WHERE return_id = 'gus & gail'") == []


def test_a_rebuild_from_nothing_but_the_folder_gives_the_same_rows(second: Path, tmp_path: Path) -> None:
    folder = tmp_path / "firm"
    shutil.copytree(second, folder, ignore=shutil.ignore_patterns("state", "published"))
    before = records(folder)
    assert hashes(published(night(folder))) == hashes(published(second / "published/lotbook.duckdb"))
    assert records(folder) == before


@pytest.mark.parametrize("year", [2023, 2024, 2026])
def test_a_backfill_over_and_behind_the_filed_year_is_as_a_whole_night(second: Path, tmp_path: Path, year: int) -> None:
    folder = tmp_path / "firm"
    shutil.copytree(second, folder)
    assert hashes(published(night(folder, from_year=year))) == hashes(published(second / "published/lotbook.duckdb"))


def test_a_backfill_behind_a_new_filing_or_a_changed_one_is_refused(second: Path, tmp_path: Path) -> None:
    folder = tmp_path / "firm"
    shutil.copytree(second, folder)
    with (folder / "filed_years.csv").open("a") as file:
        file.write("gail,2025,1,2026-04-10T12:00:00-04:00\n")
    with pytest.raises(NightError, match="of 2025 are made of changed since"):
        night(folder, from_year=2026)
    (folder / "filed_years.csv").write_text(TABLES["filed_years.csv"])
    (folder / "filed_lots.csv").write_text(
        "taxpayer_id,tax_year,account_id,asset,acquired_at,quantity,basis\nfaye,2023,faye-x,ETH,2023-02-01T15:00:00Z,1,1700\n"
    )
    with pytest.raises(NightError, match="made of changed since the last whole night"):
        night(folder, from_year=2025)


def test_a_backfill_from_behind_a_filing_that_is_not_on_record_is_refused() -> None:
    filing = {"taxpayer_id": "gail", "return_id": "gail", "tax_year": 2024, "version": 1}
    _on_record(frame(FiledPeople, filing), 2024)
    _on_record(frame(FiledPeople, filing | {"lots_from": "record"}), 2025)
    with pytest.raises(
        NightError, match=r"2024 was filed and is not on record yet: run `make nightly`, or .*FROM=2024"
    ):
        _on_record(frame(FiledPeople, filing), 2025)


def test_an_amended_return_stands_in_the_place_of_the_first(second: Path, tmp_path: Path) -> None:
    """1040-X for 2023 as recomputed: version 2 is written, nothing is left to amend, and 2026 sells the lot of 2022."""
    folder = tmp_path / "firm"
    shutil.copytree(second, folder)
    with (folder / "filed_years.csv").open("a") as file:
        file.write("faye,2023,2,2026-11-01T12:00:00-04:00\n")
    opened = Mart(night(folder))
    assert opened.rows("SELECT * FROM amendments") == []
    assert opened.one("SELECT line_15 FROM schedule_d WHERE return_id = 'faye' AND tax_year = 2023") == usd("600")
    assert opened.row("SELECT basis, gain FROM gains WHERE taxpayer_id = 'faye' AND tax_year = 2026") == (
        usd("3000"), usd("-500"),
    )  # fmt: skip
    opened.close()
    assert len(records(folder)) == 9
    assert hashes(published(night(folder))) == hashes(published(folder / "published/lotbook.duckdb"))


def test_a_night_as_of_an_earlier_day_writes_no_record_and_knows_no_later_filing(first: Path, tmp_path: Path) -> None:
    folder = tmp_path / "firm"
    shutil.copytree(first, folder, ignore=shutil.ignore_patterns("filed"))
    opened = Mart(night(folder, date(2024, 5, 1)))
    sources = "SELECT DISTINCT return_id, tax_year FROM schedule_d WHERE source = 'filed'"
    assert opened.rows(sources) == [("faye", 2023)], "Gus and Gail file 2024 a year later"
    opened.close()
    opened = Mart(night(folder, date(2024, 4, 9)))
    assert opened.rows(sources) == []
    opened.close()
    assert not (folder / "filed").exists()


def test_a_record_that_was_tampered_with_does_not_count_and_is_not_written_again(first: Path, tmp_path: Path) -> None:
    folder = tmp_path / "firm"
    shutil.copytree(first, folder)
    record = folder / "filed" / FAYES.format("lots")
    record.chmod(0o600)
    record.write_text("account,what\n=cmd,1\n")
    opened = Mart(night(folder))
    (message,) = opened.row("SELECT message FROM review_items WHERE question = 'filed_record_unreadable'")
    assert f"filed/{record.name}" in message
    assert opened.one("SELECT gain FROM gains WHERE taxpayer_id = 'faye' AND tax_year = 2026") == usd("900")
    opened.close()
    assert record.read_text() == "account,what\n=cmd,1\n"


def test_a_folder_that_cannot_be_written_to_is_asked_and_the_night_goes_on(first: Path, tmp_path: Path) -> None:
    folder = tmp_path / "firm"
    shutil.copytree(first, folder, ignore=shutil.ignore_patterns("filed"))
    (folder / "filed").write_text("in the way")
    opened = Mart(night(folder))
    asked = "SELECT taxpayer_id, count(*) FROM review_items WHERE question = 'filed_record_not_written' GROUP BY ALL"
    assert dict(opened.rows(asked)) == {"faye": 3, "gus": 3}
    opened.close()
