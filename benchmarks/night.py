"""A whole night on a generated firm: raw files to published mart, seconds and peak memory by stage.

    .venv/bin/python benchmarks/night.py --clients 1000 --events 1000

Each client has a Coinbase account (buys, sells, sends), a Kraken account (trades, deposits, staking) and a wallet in
the universal format; coins move between them. Beside the night it times the floor: reading the same files with
`polars.read_csv` and writing the published tables as Parquet. Quote the ratio and the memory, not the seconds.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
COINS = {"BTC": 60_000, "ETH": 2_500, "SOL": 150, "ADA": 1, "DOT": 6}
START, END = datetime(2020, 1, 1), datetime(2026, 11, 1)
AS_OF = date(2026, 11, 20)


def price(coin: str, day: datetime) -> int:
    """A made-up price in cents: a saw tooth around the coin's level."""
    swing = (day.toordinal() * 7 + len(coin) * 131) % 100
    return COINS[coin] * (50 + swing)


class Client:
    """The rows of one client, in time order; no account sells or sends what it does not hold."""

    def __init__(self, name: str, events: int, rng: random.Random) -> None:
        self.name, self.rng = name, rng
        self.coinbase: list[str] = []
        self.kraken: list[str] = []
        self.wallet: list[str] = []
        self.held = {(place, coin): 0 for place in ("coinbase", "kraken", "wallet") for coin in COINS}
        self.kraken_usd = 10**12
        step = (END - START) / events
        for n in range(events):
            self.step(n, (START + step * n).replace(microsecond=0))

    def step(self, n: int, at: datetime) -> None:
        """One event: half of them buys, so that the books never run dry."""
        coin = self.rng.choice(list(COINS))
        units = self.rng.randrange(1, 50_000_000)  # in 10^-8 units
        place = "coinbase" if self.rng.random() < 0.6 else "kraken"
        kind = self.rng.random()
        if kind < 0.5:
            self.trade(n, at, place, coin, units, sign=1)
        elif kind < 0.8 and self.held[place, coin] > units:
            self.trade(n, at, place, coin, units, sign=-1)
        elif kind < 0.9 and self.held["coinbase", coin] > units:
            self.send(n, at, coin, units)
        else:
            self.stake(n, at, coin, units % 100_000 + 1)

    def trade(self, n: int, at: datetime, place: str, coin: str, units: int, sign: int) -> None:
        """A buy or a sale for dollars with a fee."""
        self.held[place, coin] += sign * units
        cents = max(units * price(coin, at) // 10**8, 1)
        fee = cents // 200
        if place == "kraken":
            self.kraken_usd -= sign * cents + fee
            ref = f"T{self.name}{n}"
            self.kraken_row(f"{ref}A", ref, at, "trade", coin, sign * units, self.held["kraken", coin])
            self.kraken.append(
                f'"L{ref}B","{ref}","{at}","trade","","currency","ZUSD",{money(-sign * cents)},{money(fee)},{money(self.kraken_usd)}'
            )
            return
        word, total = ("Buy", cents + fee) if sign > 0 else ("Sell", cents - fee)
        self.coinbase.append(
            f"{self.name}-{n},{at} UTC,{word},{coin},{decimal(units)},USD,${money(price(coin, at))},${money(cents)},"
            f"${money(total)},${money(fee)},{word} {coin}"
        )

    def kraken_row(self, txid: str, ref: str, at: datetime, kind: str, coin: str, units: int, balance: int) -> None:
        """One ledger row of a coin."""
        code = {"BTC": "XXBT", "ETH": "XETH"}.get(coin, coin)
        self.kraken.append(
            f'"L{txid}","{ref}","{at}","{kind}","","currency","{code}",{decimal(units)},0.00000000,{decimal(balance)}'
        )

    def send(self, n: int, at: datetime, coin: str, units: int) -> None:
        """Coinbase to the own wallet, an hour under way."""
        self.held["coinbase", coin] -= units
        self.held["wallet", coin] += units
        self.coinbase.append(
            f"{self.name}-{n},{at} UTC,Send,{coin},-{decimal(units)},USD,${money(price(coin, at))},$1.00,$1.00,$0.00,Sent {coin}"
        )
        self.wallet.append(
            f"{(at + timedelta(hours=1)).isoformat()}Z,deposit,,,{decimal(units)},{coin},,,,{self.name}{n},"
        )

    def stake(self, n: int, at: datetime, coin: str, units: int) -> None:
        """A staking reward on Kraken."""
        self.held["kraken", coin] += units
        self.kraken_row(f"S{self.name}{n}", f"S{self.name}{n}", at, "staking", coin, units, self.held["kraken", coin])


def decimal(units: int) -> str:
    """10^-8 units as text."""
    sign, units = ("-" if units < 0 else ""), abs(units)
    return f"{sign}{units // 10**8}.{units % 10**8:08}"


def money(cents: int) -> str:
    """Cents as text."""
    sign, cents = ("-" if cents < 0 else ""), abs(cents)
    return f"{sign}{cents // 100}.{cents % 100:02}"


COINBASE = (
    "\nTransactions\nUser,Bench,00000000-0000-0000-0000-000000000000\n"
    "ID,Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,Price at Transaction,Subtotal,"
    "Total (inclusive of fees and/or spread),Fees and/or Spread,Notes\n"
)
KRAKEN = '"txid","refid","time","type","subtype","aclass","asset","amount","fee","balance"\n'
UNIVERSAL = (
    "time,kind,sent_quantity,sent_asset,received_quantity,received_asset,fee_quantity,fee_asset,usd_value,tx_id,note\n"
)


PROFILE = (
    "return_id,tax_year,filing_status,wages,self_employment,investment_income,other_ordinary,qualified_dividends,"
    "other_short_term,other_long_term,other_28_rate,unrecaptured_1250,adjustments,deduction,social_security,aca_credit"
)


def make_firm(folder: Path, clients: int, events: int) -> int:
    """Write the firm's folder; the number of rows in its files."""
    rng = random.Random(7)
    rows = 0
    tables = {
        "taxpayers.csv": ["taxpayer_id,entity,birth_year"],
        "accounts.csv": ["account_id,taxpayer_id,platform,custody,treatment,wallet,address,time_zone"],
        "profiles.csv": [PROFILE],
    }
    for number in range(clients):
        name = f"c{number:05}"
        client = Client(name, events, rng)
        tables["taxpayers.csv"].append(f"{name},individual,1980")
        for place, custody in (("coinbase", "us_broker"), ("kraken", "us_broker"), ("wallet", "self")):
            tables["accounts.csv"].append(f"{name}-{place},{name},{place},{custody},taxable,,,")
        for year in range(2020, 2027):
            wages = 40_000 + number % 50 * 10_000
            tables["profiles.csv"].append(f"{name},{year},single,{wages},0,0,0,0,0,0,0,0,0,standard,0,0")
        for place, head, body in (
            ("coinbase", COINBASE, client.coinbase),
            ("kraken", KRAKEN, client.kraken),
            ("wallet", UNIVERSAL, client.wallet),
        ):
            target = folder / "intake" / f"{name}-{place}" / "export.csv"
            target.parent.mkdir(parents=True)
            target.write_text(head + "\n".join(body) + "\n")
            rows += len(body)
    for file, lines in tables.items():
        (folder / file).write_text("\n".join(lines) + "\n")
    (folder / "firm.toml").write_text(f'name = "Bench"\ntime_zone = "America/New_York"\nas_of = {AS_OF}\n')
    days = [START + timedelta(days=n) for n in range((datetime(2026, 11, 21) - START).days)]
    lines = [f"{day.date()},{coin},{money(price(coin, day))}" for day in days for coin in COINS]
    (folder / "prices").mkdir()
    (folder / "prices" / "made_up.csv").write_text("date,asset,usd\n" + "\n".join(lines) + "\n")
    return rows


def floor(folder: Path, mart: Path, scratch: Path) -> float:
    """Seconds to read the same files with polars and to write the published rows as Parquet."""
    began = time.perf_counter()
    for file in folder.glob("intake/*/*.csv"):
        skip = 4 if "coinbase" in file.parent.name else 0
        pl.read_csv(file, infer_schema=False, skip_rows=skip, truncate_ragged_lines=True)
    con = duckdb.connect(str(mart), read_only=True)
    for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
        con.execute(f"COPY \"{table}\" TO '{scratch / table}.parquet' (FORMAT parquet)")
    return time.perf_counter() - began


def stages(folder: Path) -> list[tuple[str, float, int]]:
    """Step, seconds and the process's peak MiB after it, from the metadata of the firm's last run."""
    with dg.DagsterInstance.from_config(str(folder / "state" / "dagster")) as instance:
        (run,) = instance.get_run_records(limit=1)
        logs = instance.all_logs(run.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    found: dict[str, tuple[float, int]] = {}
    for entry in logs:  # a step tells its figures once for every asset and year
        event = entry.get_dagster_event()
        told = event.step_materialization_data.materialization.metadata
        if "seconds" in told:
            found[str(event.step_key)] = (float(str(told["seconds"].value)), int(str(told["peak_mib"].value)))
    return [(step, seconds, peak) for step, (seconds, peak) in found.items()]


def main() -> None:
    """Generate, run twice, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="leave the firm's folder here")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="lotbook-bench-"))
    folder = options.keep or work / "firm"
    folder.mkdir(parents=True, exist_ok=True)
    rows = make_firm(folder, options.clients, options.events)
    print(f"{options.clients} clients, {rows} rows in {3 * options.clients} files")
    command = [sys.executable, "-m", "pipelines.launch", "night", "--firm", str(folder)]
    for label in ("first night", "second night (nothing new)"):
        began = time.perf_counter()
        subprocess.run(
            command, cwd=ROOT, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL
        )
        seconds = time.perf_counter() - began
        print(f"\n{label}: {seconds:.1f} s, {rows / seconds:,.0f} rows/s")
        for stage, spent, peak in stages(folder):
            print(f"  {stage:<28}{spent:>8.1f} s {peak:>8.0f} MiB peak so far")
    base = floor(folder, folder / "published" / "lotbook.duckdb", work)
    print(
        f"\nfloor (read the files, write the published rows): {base:.1f} s; the second night takes {seconds / base:.1f} x that"
    )
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
