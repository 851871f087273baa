"""`make prices`: daily closes of an exchange for what the last night found no price of, into prices/. Not part of a night."""

from __future__ import annotations

import argparse
import csv
import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pipelines.errors import NightError
from pipelines.resources import FirmFolder
from pipelines.warehouse import connect
from schemas.fields import FIAT

_HEADER = ("date", "asset", "usd", "source")
_PAGE = 300
"""Candles asked for at once: no exchange gives fewer than 300 of a day each."""
_DAY = timedelta(days=1)
_MISSING = """
    SELECT coalesce(r.asset, e.received_asset, e.sent_asset) AS asset, e.occurred_at::DATE AS day
    FROM mart.review_items AS r JOIN mart.events AS e USING (event_id)
    WHERE r.question IN ('price_missing', 'fee_price_missing')
    UNION
    SELECT r.asset, u.as_of FROM mart.review_items AS r, mart.runs AS u
    WHERE r.question = 'holding_price_missing'
    ORDER BY ALL
"""


class Exchange(Protocol):
    """What is used of an exchange of the `ccxt` library."""

    id: str

    def load_markets(self) -> Mapping[str, Any]:
        """The markets by symbol, as `SOL/USD`."""

    def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> Sequence[Sequence[Any]]:
        """Candles (milliseconds of the opening, open, high, low, close, volume), oldest first."""


class Fetched(NamedTuple):
    """Price rows (date, asset, usd, source), and what could not be had, in sentences."""

    rows: list[tuple[str, str, str, str]]
    gaps: list[str]


def missing(mart: Path, spill: Path) -> dict[str, list[date]]:
    """Asset to the UTC days for which the published night asks for a price.

    Args:
        mart: the published file.
        spill: a folder for DuckDB.
    """
    with connect(spill) as con:
        con.execute(f"ATTACH '{str(mart).replace(chr(39), chr(39) * 2)}' AS mart (READ_ONLY)")
        asked = con.execute(_MISSING).fetchall()
    days: dict[str, list[date]] = {}
    for asset, day in asked:
        if asset is not None and day is not None and asset not in FIAT:
            days.setdefault(asset, []).append(day)
    return days


def fetch(exchange: Exchange, wanted: Mapping[str, Sequence[date]], now: datetime) -> Fetched:
    """The closes of the wanted days in dollars: of the dollar market, else of the Tether market times Tether's own.

    A Tether is not a dollar: without a close of USDT/USD on the same exchange and day a Tether price is none. A day
    that is not over by UTC has no close yet, and the close of the day before it is fetched for it.
    """
    markets = exchange.load_markets()
    rows, gaps = [], []
    for asset, days in sorted(wanted.items()):
        over = sorted({min(day, now.date() - _DAY) for day in days})
        try:
            closes, how = _closes(exchange, markets, asset, over)
        except Exception as error:  # noqa: BLE001 - whatever the library raises: the other assets go on
            gaps.append(f"{asset}: {exchange.id} did not answer ({type(error).__name__})")
            continue
        rows += [(day.isoformat(), asset, f"{closes[day]:f}", how) for day in over if day in closes]
        lacking = [day for day in over if day not in closes]
        if lacking:
            gaps.append(
                f"{asset}: {exchange.id} has no close of {len(lacking)} of {len(over)} days, as of {lacking[0]}"
            )
    return Fetched(rows, gaps)


def _closes(
    exchange: Exchange, markets: Mapping[str, Any], asset: str, days: Sequence[date]
) -> tuple[dict[date, Decimal], str]:
    direct, by_tether, tether = f"{asset}/USD", f"{asset}/USDT", "USDT/USD"
    if direct in markets:
        return _candles(exchange, direct, days), f"{exchange.id} {direct} daily close"
    if by_tether in markets and tether in markets:
        coin, usdt = _candles(exchange, by_tether, days), _candles(exchange, tether, days)
        with localcontext(prec=60):
            return (
                {day: coin[day] * usdt[day] for day in coin.keys() & usdt.keys()},
                f"{exchange.id} {by_tether} x {tether} daily closes",
            )
    return {}, ""


def _candles(exchange: Exchange, symbol: str, days: Sequence[date]) -> dict[date, Decimal]:
    """The closes of the days by the candles' own opening in UTC; a price that is not above zero is none."""
    wanted, closes = list(days), dict[date, Decimal]()
    while wanted:
        since = datetime(wanted[0].year, wanted[0].month, wanted[0].day, tzinfo=UTC)
        page = exchange.fetch_ohlcv(symbol, "1d", int(since.timestamp() * 1000), _PAGE)
        seen = {datetime.fromtimestamp(row[0] / 1000, UTC).date(): row[4] for row in page}
        for day in wanted:
            # a float's shortest text is the text that the exchange sent
            price = Decimal(str(seen[day])) if seen.get(day) is not None else Decimal(0)
            if price > 0:
                closes[day] = price
        last = max([*seen, wanted[0]])
        wanted = [day for day in wanted if day > last]
    return closes


def merged(old: Iterable[Sequence[str]], new: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """Rows of the price file by day and asset; what was fetched now wins."""
    by_key = {(row[0], row[1]): row for row in [*old, *new]}
    return [by_key[key] for key in sorted(by_key)]


def write(file: Path, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Put rows into a price file beside those that it has, in one swap."""
    old: list[list[str]] = []
    if file.exists():
        with file.open(newline="", encoding="utf-8") as there:
            old = [row for row in csv.reader(there) if len(row) == len(_HEADER)][1:]
    file.parent.mkdir(exist_ok=True)
    aside = file.with_name(f".{file.name}.new")
    with aside.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out, lineterminator="\n").writerows([_HEADER, *merged(old, rows)])
    aside.replace(file)


def open_exchange(name: str) -> Exchange:
    """The exchange of the `ccxt` library, which is no part of the installation.

    Raises:
        NightError: the library is not there, or it has no such exchange.
    """
    try:
        ccxt = importlib.import_module("ccxt")
    except ImportError:
        raise NightError(
            "prices of an exchange need the library ccxt, which is not installed: "
            "run `.venv/bin/python -m pip install ccxt` and try again, or put a price file into prices/"
        ) from None
    if name not in ccxt.exchanges:
        raise NightError(f"ccxt knows no exchange {name!r}: take one of its ids, as EXCHANGE=kraken or coinbase")
    found: Exchange = getattr(ccxt, name)({"enableRateLimit": True})
    return found


def _fetched(firm: FirmFolder, name: str) -> tuple[Fetched, Path]:
    """What the last night lacks, fetched and written; and the file.

    Raises:
        NightError: there is no night, or no such exchange.
    """
    if not firm.mart.exists():
        raise NightError("no night is published yet: run `make nightly` first, it says which prices are missing")
    exchange = open_exchange(name)
    found = fetch(exchange, missing(firm.mart, firm.state / "spill"), datetime.now(UTC))
    file = firm.path / "prices" / f"{exchange.id} daily closes.csv"
    if found.rows:
        write(file, found.rows)
    return found, file


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.exchange_prices", description="Fetch missing prices.")
    parser.add_argument("--firm", default="", help="the firm's folder (default: LOTBOOK_FIRM, else sample_firm)")
    parser.add_argument("--exchange", default="", help="an exchange's id in ccxt, as kraken")
    given = parser.parse_args(argv)
    os.umask(0o077)
    try:
        found, file = _fetched(FirmFolder(folder=given.firm, as_of=""), given.exchange or "kraken")
    except NightError as error:
        sys.stderr.write(f"No prices were fetched. {error}\n")
        return 1
    for gap in found.gaps:
        sys.stdout.write(f"  {gap}\n")
    sys.stdout.write(f"{len(found.rows)} prices fetched" + (f" into {file}\n" if found.rows else "\n"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
