"""Every fixture against its golden files: `<case>.csv.legs.csv` and `<case>.csv.rows.csv` (rows not used, and why).

`make golden` writes them anew; read the difference before it is committed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from golden import DATA, legs_text, read, rows_text

from schemas import gate, intake

CASES = sorted(path for path in DATA.glob("*/*.csv") if not path.name.endswith((".legs.csv", ".rows.csv")))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_fixture_reads_as_its_golden_files_say(path: Path, regenerate_golden: bool) -> None:
    reading = read(path)
    for suffix, text in ((".legs.csv", legs_text(reading)), (".rows.csv", rows_text(reading))):
        golden = path.with_name(path.name + suffix)
        if regenerate_golden:
            golden.write_text(text)
        assert text == golden.read_text()


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_read_keeps_the_table_models(path: Path) -> None:
    reading = read(path)
    for frame, model in zip(reading, (intake.Files, intake.RawRows, intake.Legs), strict=True):
        assert gate.check(frame, model).rejected.is_empty()


def test_there_are_fixtures_of_every_source() -> None:
    assert {path.parent.name for path in CASES} == {
        "adalite",
        "binance",
        "binance_trades",
        "binance_us",
        "bisq",
        "bitcoin_tax",
        "bitfinex",
        "bitstamp",
        "bittytax",
        "blockpit",
        "blockscout",
        "bybit",
        "cash_app",
        "coinbase",
        "coinbase_pro",
        "coinledger",
        "cointracker",
        "cointracking",
        "crypto_com",
        "electrum",
        "etherscan",
        "exodus",
        "gemini",
        "koinly",
        "kraken",
        "kucoin",
        "ledger_live",
        "okx",
        "paypal",
        "river",
        "robinhood",
        "rotki",
        "strike",
        "swan",
        "trezor",
        "universal",
        "wallet_of_satoshi",
    }
