from __future__ import annotations

import sys
import types
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest

from pipelines import exchange_prices
from pipelines.exchange_prices import fetch, main, merged, missing, write

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)


class Fake:
    """An exchange that answers from a table of closes, at most two candles at once, from `since` on."""

    id = "fake"

    def __init__(self, **closes: dict[str, float | None]) -> None:
        self.closes = {symbol.replace("_", "/"): days for symbol, days in closes.items()}
        self.asked: list[tuple[str, str]] = []

    def load_markets(self) -> dict[str, object]:
        return dict.fromkeys(self.closes)

    def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> list[list[float | None]]:
        assert timeframe == "1d"
        self.asked.append((symbol, datetime.fromtimestamp(since / 1000, UTC).date().isoformat()))
        rows = []
        for day, close in sorted(self.closes[symbol].items()):
            opened = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
            if opened >= since:
                rows.append([opened, 1.0, 1.0, 1.0, close, 5.0])
        return rows[: min(limit, 2)]


def test_the_close_of_the_utc_day_of_a_dollar_market() -> None:
    found = fetch(Fake(SOL_USD={"2025-03-01": 143.21, "2025-03-02": 150.0}), {"SOL": [date(2025, 3, 1)]}, NOW)
    assert found.rows == [("2025-03-01", "SOL", "143.21", "fake SOL/USD daily close")]
    assert found.gaps == []


def test_a_tether_market_counts_by_the_dollar_price_of_tether() -> None:
    # 2.00 x 0.9985 = 1.99700: a Tether is not a dollar
    both = Fake(NEW_USDT={"2025-03-01": 2.0}, USDT_USD={"2025-03-01": 0.9985})
    (row,) = fetch(both, {"NEW": [date(2025, 3, 1)]}, NOW).rows
    assert (Decimal(row[2]), row[3]) == (Decimal("1.997"), "fake NEW/USDT x USDT/USD daily closes")
    alone = fetch(Fake(NEW_USDT={"2025-03-01": 2.0}), {"NEW": [date(2025, 3, 1)]}, NOW)
    assert alone.rows == []
    assert alone.gaps == ["NEW: fake has no close of 1 of 1 days, as of 2025-03-01"]


def test_a_day_that_is_not_over_takes_the_close_of_the_day_before() -> None:
    fake = Fake(SOL_USD={"2026-11-19": 120.0, "2026-11-20": 999.0})
    found = fetch(fake, {"SOL": [date(2026, 11, 20)]}, NOW)
    assert [row[:3] for row in found.rows] == [("2026-11-19", "SOL", "120.0")]


def test_pages_are_asked_for_until_the_last_day_and_gaps_are_told() -> None:
    days = {f"2025-03-{n:02}": float(n) for n in (1, 2, 3, 20)} | {"2025-03-04": None}
    fake = Fake(SOL_USD=days)
    wanted = [date(2025, 3, n) for n in (1, 2, 3, 4, 20)]
    found = fetch(fake, {"SOL": wanted}, NOW)
    assert [row[0] for row in found.rows] == ["2025-03-01", "2025-03-02", "2025-03-03", "2025-03-20"]
    assert fake.asked == [("SOL/USD", "2025-03-01"), ("SOL/USD", "2025-03-03"), ("SOL/USD", "2025-03-20")]
    assert found.gaps == ["SOL: fake has no close of 1 of 5 days, as of 2025-03-04"]


def test_an_exchange_that_fails_for_one_asset_goes_on_with_the_next() -> None:
    fake = Fake(SOL_USD={"2025-03-01": 1.0}, BAD_USD={})
    fake.closes["BAD/USD"] = None  # type: ignore[assignment]
    found = fetch(fake, {"BAD": [date(2025, 3, 1)], "SOL": [date(2025, 3, 1)]}, NOW)
    assert [row[1] for row in found.rows] == ["SOL"]
    assert found.gaps == ["BAD: fake did not answer (AttributeError)"]


def test_the_last_night_says_what_is_missing(tmp_path) -> None:
    mart = tmp_path / "it's.duckdb"
    with duckdb.connect(str(mart)) as con:
        con.execute("CREATE TABLE review_items (question VARCHAR, asset VARCHAR, event_id VARCHAR)")
        con.execute(
            "CREATE TABLE events (event_id VARCHAR, occurred_at TIMESTAMP, received_asset VARCHAR, sent_asset VARCHAR)"
        )
        con.execute("CREATE TABLE runs (as_of DATE)")
        con.execute("INSERT INTO runs VALUES ('2026-11-20')")
        con.execute(
            "INSERT INTO events VALUES ('e', '2025-03-01 23:00', 'SOL', NULL), ('f', '2025-03-02 01:00', 'EUR', NULL)"
        )
        con.execute(
            "INSERT INTO review_items VALUES ('price_missing', 'SOL', 'e'), ('price_missing', 'EUR', 'f'), "
            "('holding_price_missing', 'NEW', NULL), ('shortfall', 'BTC', 'e')"
        )
    assert missing(mart, tmp_path / "spill") == {"NEW": [date(2026, 11, 20)], "SOL": [date(2025, 3, 1)]}


def test_prices_fetched_before_stay_and_those_fetched_now_win(tmp_path) -> None:
    file = tmp_path / "prices" / "fake daily closes.csv"
    write(file, [("2025-03-02", "SOL", "2", "a"), ("2025-03-01", "SOL", "1", "a")])
    write(file, [("2025-03-02", "SOL", "3", "b")])
    assert file.read_text() == "date,asset,usd,source\n2025-03-01,SOL,1,a\n2025-03-02,SOL,3,b\n"
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert merged([], []) == []


def test_without_the_library_it_says_what_to_install(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "ccxt", None)  # as if it could not be found
    (tmp_path / "published").mkdir()
    assert main(["--firm", str(tmp_path)]) == 1
    assert "run `make nightly` first" in capsys.readouterr().err
    (tmp_path / "published/lotbook.duckdb").touch()
    assert main(["--firm", str(tmp_path)]) == 1
    assert "pip install ccxt" in capsys.readouterr().err


def test_an_exchange_that_the_library_does_not_know_is_refused(monkeypatch) -> None:
    fake = types.SimpleNamespace(exchanges=["kraken"], kraken=lambda settings: Fake())
    monkeypatch.setitem(sys.modules, "ccxt", fake)
    assert exchange_prices.open_exchange("kraken").id == "fake"
    with pytest.raises(exchange_prices.NightError, match="no exchange 'os'"):
        exchange_prices.open_exchange("os")
