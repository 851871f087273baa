"""Proofs over a whole night: the same rows whatever the order, the history or a kill; one client's fault is that client's.

Nights are compared by a content hash of every published table except `runs` (run id, time of publication).
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import sqlite3
import time
import zlib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines.errors import NightError
from schemas.gate import empty
from schemas.intake import Legs
from tests.nights import RANKS, copy_of, edit, fresh, hashes, night, nothing_of, process, published, shuffle_rows
from tests.sample_night import Mart, mart
from transforms.ledger import assemble
from transforms.sources.base import Context
from transforms.sources.registry import NETTED, REGROUP, read_file

PINNED = "2026-11-20"
"""The as-of date of the sample firm."""
FROM_2024 = (
    "ana-coinbase/transactions.csv",
    "hal-notes/my trades.csv",
    "hana-coinbase/coinbase year 2025.csv",
    "mick-coinbase/coinbase export.csv",
    "sten-kraken/ledgers.csv",
)
"""Files of the sample firm without an event before 2024."""
OLDER = ("brian-kraken/ledgers.csv", "hana-coinbase/coinbase year 2025.csv", "jane-coinbase/coinbase 2023.csv")


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file of the sample firm's first night."""
    return mart(tmp_path_factory)


@pytest.fixture(scope="module")
def expected(calm: Path) -> dict[str, str]:
    return hashes(published(calm))


@pytest.fixture(scope="module")
def first_half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first of two nights: some files of recent years are not in the folder yet."""
    folder = fresh(tmp_path_factory.mktemp("half") / "firm")
    for name in FROM_2024:
        (folder / "intake" / name).unlink()
    return night(folder)


def hand_in(folder: Path, names: tuple[str, ...], calm: Path) -> None:
    for name in names:
        shutil.copy(calm.parents[1] / "intake" / name, folder / "intake" / name)


# --- the same inputs give the same rows ------------------------------------------------------------------------------


def test_a_second_night_changes_nothing(calm: Path, expected: dict[str, str], tmp_path: Path) -> None:
    folder = copy_of(calm, tmp_path / "firm")
    assert hashes(published(night(folder))) == expected


SHUFFLED = (
    ("ana-coinbase/transactions.csv", 4),
    ("carla-gemini/gemini as universal.csv", 1),
    ("faye-exchange/exchange 2022-2026.csv", 1),
    ("hal-coinbase/coinbase.csv", 4),
    ("hal-notes/my trades.csv", 1),
    ("hana-coinbase/coinbase to 2025-06 (1).csv", 4),
    ("hana-coinbase/coinbase to 2025-06.csv", 4),
    ("hana-coinbase/coinbase year 2025.csv", 4),
    ("ida-coinbase/coinbase.csv", 4),
    ("ivan-ira/ira custodian.csv", 1),
    ("jane-coinbase/coinbase 2023.csv", 4),
    ("mick-coinbase/coinbase export.csv", 4),
    ("milo-wallet/hardware wallet.csv", 1),
    ("nadia-wallet/nft wallet.csv", 1),
    ("rosa-coinbase/Coinbase_all_time.csv", 4),
    ("uma-coinbase/coinbase.csv", 4),
)
"""Files whose rows may stand in any order, with the lines of their header (Kraken's running balance binds its rows)."""
OF_THE_FILE = {
    # the bytes are others, so their hash is; the names are others
    "files": {"file_id", "path"},
    # which row of which bytes
    "event_sources": {"file_id", "row_no"},
    # a question about a file: its id is made of the file's, its message names the line, what settles it the file
    "review_items": {"item_id", "file_id", "row_no", "message", "settled_by"},
    # a cause names the files
    "amendments": {"cause"},
}


def test_names_of_files_and_the_order_of_rows_change_nothing(calm: Path, tmp_path: Path) -> None:
    """Every row of the firm's tables and prices, of Coinbase and of the universal format stands elsewhere."""
    folder = fresh(tmp_path / "firm")
    for name, header in SHUFFLED:
        shuffle_rows(folder / "intake" / name, header)
    for table in [*folder.glob("*.csv"), *folder.glob("prices/*.csv")]:
        shuffle_rows(table, 1)
    for number, file in enumerate(sorted((folder / "intake").glob("*/*"), reverse=True)):
        file.rename(file.with_name(f"{number:02} renamed{file.suffix}"))
    other = night(folder)
    assert hashes(published(other, OF_THE_FILE)) == hashes(published(calm, OF_THE_FILE))

    def of_no_file(table: str, _: list[str]) -> str:
        return "file_id IS NULL" if table == "review_items" else "false"

    # and what is not about a file is asked in the same words under the same id
    assert hashes(published(other, keep=of_no_file)) == hashes(published(calm, keep=of_no_file))


TWINS = (
    "time,kind,sent_quantity,sent_asset,received_quantity,received_asset,fee_quantity,fee_asset,usd_value,tx_id,note\n",
    "2025-03-01T12:00:00Z,reward,,,1,SOL,,,150,,\n",
    "2025-03-01T12:00:00Z,reward,,,1,SOL,,,160,,\n",
)


def test_rows_that_differ_only_in_their_value_may_stand_in_any_order() -> None:
    head, one, other = TWINS
    found = []
    for text in (head + one + other, head + other + one):
        legs = read_file(text.encode(), Context("account", "file", None, "rewards.csv")).legs
        found.append(assemble(pl.concat([empty(Legs), legs]), NETTED, REGROUP).events.rows())
    assert found[0] == found[1]


def test_files_handed_in_over_two_nights_are_as_all_at_once(
    calm: Path, first_half: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    assert hashes(published(first_half)) != expected
    folder = copy_of(first_half, tmp_path / "firm")
    hand_in(folder, FROM_2024, calm)
    assert hashes(published(night(folder))) == expected


# --- a part of the years ---------------------------------------------------------------------------------------------


def test_a_backfill_from_2024_takes_in_what_is_new_since_and_is_as_a_whole_night(
    calm: Path, first_half: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    folder = copy_of(first_half, tmp_path / "firm")
    hand_in(folder, FROM_2024, calm)
    assert hashes(published(night(folder, from_year=2024))) == expected


def test_a_backfill_behind_a_change_is_refused_and_the_old_mart_stays(
    calm: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    """Jane's purchase of March 2023 is corrected from 5 to 6 BTC: the books of 2023 are no longer what 2024 opens from."""
    folder = copy_of(calm, tmp_path / "firm")
    edit(folder / "intake/jane-coinbase/coinbase 2023.csv", 'Buy,BTC,5,USD,"$64,000.00"', 'Buy,BTC,6,USD,"$64,000.00"')
    with pytest.raises(NightError, match=r"2023 .*changed since the last whole night: run `make nightly`, or"):
        night(folder, from_year=2024)
    assert hashes(published(folder / "published/lotbook.duckdb")) == expected


# --- the past --------------------------------------------------------------------------------------------------------


def test_a_night_as_of_an_earlier_date_is_as_if_it_had_run_then(
    calm: Path, expected: dict[str, str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    then = date(2023, 12, 15)
    folder = copy_of(calm, tmp_path / "firm")
    tonight, books = folder / "published/lotbook.duckdb", folder / "state/warehouse.duckdb"
    before = [(file.stat().st_ino, file.stat().st_mtime_ns, file.read_bytes()) for file in (tonight, books)]
    past = night(folder, then)
    assert past == folder / "published/as-of/2023-12-15.duckdb"
    assert [(file.stat().st_ino, file.stat().st_mtime_ns, file.read_bytes()) for file in (tonight, books)] == before
    assert hashes(published(tonight)) == expected
    assert hashes(published(past)) == hashes(published(mart(tmp_path_factory, then)))


# --- files that go, folders that are wrong ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def without_three(calm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The night after three files were taken out of the folder."""
    folder = copy_of(calm, tmp_path_factory.mktemp("without") / "firm")
    for name in OLDER:
        (folder / "intake" / name).unlink()
    return night(folder)


def test_a_file_taken_out_is_withdrawn_and_its_events_leave_the_ledger(calm: Path, without_three: Path) -> None:
    """Brian and Jane keep no event; of Hana's the purchase of January 2025 stands in another file, the sale does not."""
    was, now = Mart(calm), Mart(without_three)
    assert dict(now.rows("SELECT path, status FROM files WHERE status = 'withdrawn'")) == {
        f"intake/{name}": "withdrawn" for name in OLDER
    }
    count = "SELECT count(*) FROM events WHERE account_id = ?"
    assert [now.one(count, account) for account in ("brian-kraken", "jane-coinbase")] == [0, 0]
    assert now.one("SELECT count(*) FROM gains WHERE taxpayer_id IN ('brian', 'jane')") == 0
    hana = "SELECT kind, received_asset, tax_date FROM events WHERE account_id = 'hana-coinbase' ORDER BY occurred_at"
    bought = [("buy", "BTC", date(2023, 3, 6)), ("buy", "BTC", date(2024, 3, 11)), ("buy", "BTC", date(2025, 1, 20))]
    assert now.rows(hana) == bought
    assert was.rows(hana) == [*bought, ("sell", "USD", date(2025, 11, 3))]
    gone = now.one(
        "SELECT count(*) FROM event_sources JOIN files USING (account_id, file_id) WHERE status = 'withdrawn'"
    )
    assert gone == 0
    was.close()
    now.close()


def test_an_unknown_column_refuses_the_night_in_a_sentence_and_the_old_mart_stays(
    calm: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    folder = copy_of(calm, tmp_path / "firm")
    edit(folder / "taxpayers.csv", "taxpayer_id,entity,birth_year", "taxpayer_id,entity,birthday")
    with pytest.raises(NightError) as refused:
        night(folder)
    assert "taxpayers.csv, column birthday: found unknown column 'birthday'" in str(refused.value)
    assert "expected one of: taxpayer_id, entity, birth_year" in str(refused.value)
    assert hashes(published(folder / "published/lotbook.duckdb")) == expected


# --- kills -----------------------------------------------------------------------------------------------------------

KILL = """
import os, signal, sys, threading, time
import dagster
from pipelines.warehouse import Warehouse

dagster.DagsterInstance.from_config = staticmethod(lambda *_: dagster.DagsterInstance.ephemeral())
where, instant = sys.argv[2], float(sys.argv[3])
writes = 0

def kill():
    time.sleep(instant)
    os.kill(os.getpid(), signal.SIGKILL)

def watched(method):
    def call(store, table, *arguments, **named):
        global writes
        writes += 1
        if table == where:
            kill()
        if where.isdecimal() and writes >= int(where):
            threading.Thread(target=kill, daemon=True).start()
        return method(store, table, *arguments, **named)
    return call

Warehouse.replace, Warehouse.publish = watched(Warehouse.replace), watched(Warehouse.publish)
"""
"""Kills the night as a table's write begins, or an instant after the n-th write has begun.

A moment on the clock would find the night anywhere, or ended.
"""


@pytest.fixture
def halfway(calm: Path, without_three: Path, tmp_path: Path) -> Path:
    """A folder on its way from one state to another: three files were handed in since its last night."""
    folder = copy_of(without_three, tmp_path / "firm")
    hand_in(folder, OLDER, calm)
    return folder


def test_a_night_killed_anywhere_leaves_the_old_mart_and_the_next_gives_the_same_rows(
    halfway: Path, without_three: Path, expected: dict[str, str]
) -> None:
    """Three kills in a row, then a night that is left alone."""
    tonight, old = halfway / "published/lotbook.duckdb", hashes(published(without_three))
    with duckdb.connect(str(halfway / "state/warehouse.duckdb"), read_only=True) as con:
        ((writes,),) = con.execute("SELECT count(*) FROM duckdb_tables() WHERE database_name = 'warehouse'").fetchall()
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    early, late = chance.randint(1, writes // 2), chance.randint(writes // 2, writes)
    for step in (early, late, writes + 1):  # the last one while the mart is written
        killed = process(halfway, KILL, str(step), str(chance.uniform(0, 0.05)))
        while killed.poll() is None:
            with duckdb.connect(str(tonight), read_only=True) as con:
                withdrawn = con.execute("SELECT count(*) FROM files WHERE status = 'withdrawn'").fetchall()
            assert withdrawn == [(len(OLDER),)], f"seed {seed}"
            time.sleep(0.1)
        _, said = killed.communicate()
        assert killed.returncode == -9, f"seed {seed}: ended with {killed.returncode}: {said}"
        assert hashes(published(tonight)) == old, f"seed {seed}"
    assert hashes(published(night(halfway))) == expected, f"seed {seed}"


def test_a_night_killed_between_the_tables_of_the_intake_reads_its_files_again(
    halfway: Path, expected: dict[str, str]
) -> None:
    """When `files` is written and the legs are not, the next night must not take the files for read."""
    killed = process(halfway, KILL, "raw_rows", "0")
    killed.communicate()
    assert killed.returncode == -9
    assert hashes(published(night(halfway))) == expected


# --- one client's fault ----------------------------------------------------------------------------------------------

CANARY = "Zq7canary"
"""Stands in a token's name, a note, the name of a file and in broken cells: in the mart it may be, in no log."""
ERC20 = (
    '"Txhash","Blockno","UnixTimestamp","DateTime (UTC)","From","To","TokenValue","USDValueDayOfTx","ContractAddress",'
    '"TokenName","TokenSymbol"\n'
    '"0x5b7c14e1a1f0f3a62bbd5d2a0c2f6a9e0d1c3b4a5968778695a4b3c2d1e0f123","19100000","1738771200",'
    '"2025-02-05 16:00:00","0xc6d598b62cfec877b497982dcc730638a09b4b1f","0x8350ae0ce89d395a4e3164fe2cbb3dea7c6ddf56",'
    f'"7","N/A","0x2b591e99afe9f32eaa6214f7b7629768c40eeb39","{CANARY} token","{CANARY}"\n'
)
NOTES = (
    "time,kind,sent_quantity,sent_asset,received_quantity,received_asset,fee_quantity,fee_asset,usd_value,tx_id,note\n"
    f"2025-03-20T15:00:00Z,buy,90,USD,1,LTC,,,,,{CANARY} said the client\n"
    f"2025-03-21T15:00:00Z,{CANARY},90,USD,1,LTC,,,,,\n"
    f"2025-03-22T15:00:00Z,buy,{CANARY},USD,1,LTC,,,,,\n"
)
STOPPED = {"ana", "ben", "milo", "sten"}
"""Ben's profile is broken and Ana filed with him in 2024; an account of Milo's; an event of Sten's."""


class Broken:
    """The night of a folder with three broken clients and the canary, in a process of its own; and what it said."""

    def __init__(self, folder: Path, event_id: str) -> None:
        self.folder = folder
        edit(folder / "profiles.csv", "ben,2025,mfs,70000", f"ben,2025,{CANARY},70000")
        edit(folder / "accounts.csv", "milo-wallet,milo,hardware,self", f"milo-wallet,milo,hardware,{CANARY}")
        # a quantity that no parser lets through: the events' schema wants more than nothing
        row = f"{event_id},fee_quantity,0,{CANARY},2026-01-05T10:00:00-05:00,{CANARY}\n"
        (folder / "overrides.csv").write_text("event_id,field,value,by,at,why\n" + row)
        (folder / "intake/hal-notes" / f"{CANARY}.csv").write_text(NOTES)
        (folder / "intake/hal-wallet" / f"{CANARY} tokens.csv").write_text(ERC20)
        run = process(folder)
        self.said = "".join(run.communicate(timeout=300))
        self.ended = run.returncode
        self.mart = folder / "published/lotbook.duckdb"


@pytest.fixture(scope="module")
def broken(calm: Path, tmp_path_factory: pytest.TempPathFactory) -> Broken:
    was = Mart(calm)
    event_id = was.one("SELECT max(event_id) FROM events WHERE taxpayer_id = 'sten' AND sent_asset = 'DOT'")
    was.close()
    return Broken(copy_of(calm, tmp_path_factory.mktemp("broken") / "firm"), event_id)


def test_a_broken_row_stops_its_client_and_spouse_and_changes_nobody_else(calm: Path, broken: Broken) -> None:
    """Hal is left out of the comparison too: his files are new."""
    assert broken.ended == 0, broken.said
    was = Mart(calm)
    left_out = ", ".join(f"'{name}'" for name in [*STOPPED, "hal"])
    accounts = [
        name
        for (name,) in was.rows(
            f"SELECT DISTINCT account_id FROM files WHERE split_part(account_id, '-', 1) IN ({left_out})"
        )
    ]
    returns = [
        name for (name,) in was.rows(f"SELECT DISTINCT return_id FROM carryforwards WHERE taxpayer_id IN ({left_out})")
    ]
    was.close()

    def of_others(_: str, columns: list[str]) -> str:
        return nothing_of(columns, [*STOPPED, "hal"], accounts, returns)

    before, after = published(calm, RANKS, of_others), published(broken.mart, RANKS, of_others)
    assert all(before[table] for table in ("events", "gains", "open_lots", "schedule_d", "harvest_summary"))
    assert hashes(after) == hashes(before)


def test_a_stopped_client_has_a_blocking_question_and_nothing_else(broken: Broken) -> None:
    opened = Mart(broken.mart)
    asked = "SELECT taxpayer_id, question FROM review_items WHERE severity = 'blocking' AND question = 'client_stopped'"
    assert {client for client, _ in opened.rows(asked)} == STOPPED
    names = {"ben": "profiles.csv", "milo": "accounts.csv"}
    for client, file in names.items():
        (message,) = opened.row(
            "SELECT message FROM review_items WHERE taxpayer_id = ? AND question = 'firm_folder_error'", client
        )
        assert message.startswith(f"{file} row ")
    sten = "SELECT message FROM review_items WHERE taxpayer_id = 'sten' AND question = 'client_stopped'"
    assert opened.one(sten) == "stopped tonight at events: fee_quantity: greater_than(0)"
    for table in ("gains", "open_lots", "carryforwards", "harvest_recommendations"):
        found = {client for (client,) in opened.rows(f"SELECT DISTINCT taxpayer_id FROM {table}")}
        assert not found & STOPPED, table
    opened.close()


def test_an_override_with_an_absurd_value_changes_nothing_and_is_asked(
    calm: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    folder = copy_of(calm, tmp_path / "firm")
    was = Mart(calm)
    event_id = was.one("SELECT min(event_id) FROM events WHERE taxpayer_id = 'sten'")
    was.close()
    row = f"{event_id},usd_value,100000000000000,pat,2026-01-05T10:00:00-05:00,a slip of the finger\n"
    (folder / "overrides.csv").write_text("event_id,field,value,by,at,why\n" + row)
    after = night(folder)
    opened = Mart(after)
    asked = "SELECT severity FROM review_items WHERE question = 'override_without_event' AND event_id = ?"
    assert opened.one(asked, event_id) == "blocking"
    opened.close()
    review = {"review_items", "client_status", "blockers"}
    assert {t: h for t, h in hashes(published(after)).items() if t not in review} == {
        t: h for t, h in expected.items() if t not in review
    }


# --- privacy ---------------------------------------------------------------------------------------------------------

STAGE_THAT_QUOTES = """
import polars as pl
from transforms import transfers
transfers.match = lambda events, *_: events.filter(pl.col("note").str.contains("Zq7")).select(pl.col("note").cast(pl.Int64))
"""
"""A stage with a defect on which polars prints the client's notes into its error."""


def told(folder: Path) -> Iterator[bytes]:
    """All that Dagster and the alerts keep: every cell of their databases (unpacked where it is packed), every file."""
    for base in (folder / "state/dagster", folder / "state/alerts"):
        for file in base.rglob("*"):
            if file.is_file():
                yield file.name.encode()
                yield file.read_bytes()
            if file.suffix == ".db":
                yield from _cells(file)


def _cells(file: Path) -> Iterator[bytes]:
    con = sqlite3.connect(file)
    for (table,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in con.execute(f'SELECT * FROM "{table}"'):
            for cell in row:
                raw = cell if isinstance(cell, bytes) else str(cell).encode()
                try:
                    yield zlib.decompress(raw)
                except zlib.error:
                    yield raw
    con.close()


def test_no_cell_of_a_client_reaches_a_log(broken: Broken) -> None:
    """Neither in a night that goes through nor in one that fails on an error whose text shows the client's cells."""
    opened = Mart(broken.mart)
    held = {
        "note": "SELECT count(*) FROM events WHERE contains(note, ?)",
        "file": "SELECT count(*) FROM files WHERE contains(path, ?)",
        "cell": "SELECT count(*) FROM review_items WHERE contains(message, ?)",
    }
    assert all(opened.one(query, CANARY) > 0 for query in held.values()), "the canary came in"
    notes = opened.rows("SELECT note FROM events WHERE contains(note, ?)", CANARY)
    with pytest.raises(pl.exceptions.InvalidOperationError, match=CANARY):  # what polars would print
        pl.DataFrame(notes, schema=["note"], orient="row").select(pl.col("note").cast(pl.Int64))
    opened.close()
    failing = process(broken.folder, STAGE_THAT_QUOTES)
    said = "".join(failing.communicate(timeout=300))
    assert failing.returncode == 1
    assert "The night failed. moves: InvalidOperationError" in said
    kept = list(told(broken.folder))
    assert any(b"moves failed, StageError" in text for text in kept), "the alert was found"
    assert any(b"ASSET_MATERIALIZATION" in text for text in kept), "the events were found"
    assert CANARY not in broken.said + said
    assert not any(CANARY.encode() in text for text in kept)


# --- genuine exports -------------------------------------------------------------------------------------------------

GENUINE = os.environ.get("LOTBOOK_SAMPLE_DATA")
ETHERSCAN = "onchain/etherscan_csv"
WALLETS = {
    "0x003dc": "0x003dc32fe920a4aaeed12dc87e145f030aa753f3",
    "0xf98": "0xf98c96b5d10faafc2324847c82305bd5fd7e5ad3",
}
BINANCE = "exchanges/binance/rotki__binance_history.csv"


def genuine_firm(folder: Path, data: Path) -> Path:
    """One taxpayer with two addresses and one on Binance; a price of 100 for every coin on every day (made up)."""
    for account, source in [*((name, f"{ETHERSCAN}/{name}") for name in WALLETS), ("binance", BINANCE)]:
        target = folder / "intake" / account
        target.mkdir(parents=True)
        files = sorted((data / source).iterdir()) if (data / source).is_dir() else [data / source]
        for file in files:
            shutil.copy(file, target)
    (folder / "firm.toml").write_text('name = "Genuine"\ntime_zone = "America/New_York"\nas_of = 2026-11-20\n')
    (folder / "taxpayers.csv").write_text("taxpayer_id,entity,birth_year\nada,individual,1980\nbob,individual,1980\n")
    wallets = "".join(f"{name},ada,ethereum,self,{address}\n" for name, address in WALLETS.items())
    (folder / "accounts.csv").write_text(
        f"account_id,taxpayer_id,platform,custody,address\n{wallets}binance,bob,binance,foreign_custodian,\n"
    )
    years = [f"{who},{year},single,90000\n" for who in ("ada", "bob") for year in range(2018, 2027)]
    (folder / "profiles.csv").write_text("return_id,tax_year,filing_status,wages\n" + "".join(years))
    days = pl.date_range(date(2017, 9, 1), date(2026, 11, 20), "1d", eager=True)
    coins = pl.DataFrame({"asset": ["ETH", "BTC", "BNB", "USDT"], "usd": ["300", "9000", "30", "1"]})
    (folder / "prices").mkdir()
    coins.join(pl.DataFrame({"date": days}), how="cross").write_csv(folder / "prices/made up.csv")
    return folder


@pytest.fixture(scope="module")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mart]:
    if not GENUINE:
        pytest.skip("LOTBOOK_SAMPLE_DATA names no folder")
    opened = Mart(night(genuine_firm(tmp_path_factory.mktemp("genuine") / "firm", Path(GENUINE))))
    yield opened
    opened.close()


def hashes_of_the_exports() -> set[tuple[str, str]]:
    """Account and transaction hash of every row of the genuine Etherscan exports, read without the project's parsers."""
    found = set()
    for account in WALLETS:
        for file in Path(GENUINE or ".", ETHERSCAN, account).iterdir():
            with file.open(encoding="utf-8-sig", newline="") as lines:
                found |= {(account, row["Txhash"]) for row in csv.DictReader(lines)}
    return found


def test_every_genuine_event_is_traced_to_a_row_of_a_file(genuine: Mart) -> None:
    in_files = hashes_of_the_exports()
    assert len(in_files) == 180
    assert set(genuine.rows("SELECT account_id, tx_id FROM events WHERE taxpayer_id = 'ada'")) == in_files
    assert genuine.rows("SELECT event_id FROM events ANTI JOIN event_sources USING (event_id)") == []
    assert genuine.rows("SELECT * FROM event_sources ANTI JOIN files USING (account_id, file_id)") == []
    # three rows of the statement are broken (no time, no coin, an invented operation), none of Etherscan's
    assert dict(genuine.rows("SELECT account_id, sum(rows_rejected) FROM files GROUP BY ALL")) == {
        "0x003dc": 0,
        "0xf98": 0,
        "binance": 3,
    }


def test_the_genuine_transfer_between_the_two_addresses_is_found(genuine: Mart) -> None:
    """0.5 ETH of 2017-10-07 stand in both exports; what was sent in 2020 lies behind the end of the other export."""
    found = genuine.rows("SELECT asset, quantity, score FROM transfers WHERE out_taxpayer_id = 'ada'")
    assert found == [("ETH", Decimal("0.5"), 99)]
    late = "SELECT count(*) FROM review_items JOIN events USING (event_id) WHERE question = 'unmatched_withdrawal' AND sent_quantity = 0.468064038"
    assert genuine.one(late) == 1


def test_the_genuine_address_is_empty_at_the_end(genuine: Mart) -> None:
    """Received 0.09 + 5.061643; sent 0.1 + 0.25 + 2.801 + 0.5 + 1 + 0.03 + 0.468064038; fees 0.002578962: nothing is left."""
    held = "SELECT coalesce(sum(quantity), 0) FROM open_lots WHERE account_id = '0xf98' AND asset = 'ETH' AND location = 'account'"
    assert genuine.one(held) == 0


def test_no_genuine_address_ever_holds_less_than_no_ether(genuine: Mart) -> None:
    rows = genuine.rows(
        """SELECT account_id, occurred_at,
               CASE WHEN received_asset = 'ETH' THEN received_quantity ELSE 0 END
               - CASE WHEN sent_asset = 'ETH' THEN sent_quantity ELSE 0 END
               - CASE WHEN fee_asset = 'ETH' THEN fee_quantity ELSE 0 END AS moved
           FROM events WHERE taxpayer_id = 'ada' ORDER BY occurred_at"""
    )
    for account in WALLETS:
        held = Decimal(0)
        for _, _, moved in (row for row in rows if row[0] == account):
            held += moved
            assert held >= 0, account
    short = "SELECT count(*) FROM review_items WHERE taxpayer_id = 'ada' AND asset = 'ETH' AND question IN ('shortfall', 'move_without_lots')"
    assert genuine.one(short) == 0


def test_what_genuine_files_leave_open_is_asked(genuine: Mart) -> None:
    asked = set(genuine.rows("SELECT DISTINCT taxpayer_id, question FROM review_items"))
    assert {("ada", "unmatched_deposit"), ("ada", "unmatched_withdrawal"), ("bob", "row_rejected")} <= asked
    # nothing prices the tokens: no gain of theirs is invented
    assert genuine.one("SELECT count(*) FROM gains WHERE basis IS NULL AND gain IS NOT NULL") == 0
    assert genuine.one("SELECT count(*) FROM gains WHERE basis_status = 'unknown' AND gain IS NOT NULL") == 0
