"""Lots: the kernel, the Python reference, RP2, an interval FIFO in DuckDB SQL and the floor, on the same events.

    .venv/bin/python benchmarks/lots.py [--events 1000000] [--peers 20000] [--one-asset]

Made-up histories: purchases, sales and moves between three wallets of many clients (or of one asset of one client), in
a DuckDB table. `kernel`: the compiled matching alone, from arrays to arrays, for each method. `whole`: the same table in,
the lot book's tables out (lots, pieces, moves, closing lots of the last year), streamed by ranges of clients. `floor`:
the same table read and as many rows written, without any matching. Every engine gets FIFO without moves for the ratios.
Times are seconds by the wall clock, the lesser of two; they depend on the machine, the ratios hardly.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from schemas.fields import METHODS
from schemas.gate import empty
from schemas.inputs import Allocations2025
from schemas.ledger import Movements
from transforms import lots
from transforms.lots import kernel, reference

WALLETS = ("cold", "exchange", "hot")
ROWS_A_CLIENT = 1_000
NEEDS = {"fifo": 0, "lifo": 0, "hifo": kernel.NEED_COST, "lofo": kernel.NEED_LEAST_COST,
         "taxmin": kernel.NEED_TERMS | kernel.NEED_COST}  # fmt: skip
NO_WALLETS = pl.DataFrame(schema={"account_id": pl.String, "wallet": pl.String, "treatment": pl.String})


# --- histories --------------------------------------------------------------------------------------------------------


def events(count: int, clients: int, moves: bool, seed: int = 1) -> dict[str, Any]:
    """Columns of a made-up history, by client and time: op, place (of three), target, quantity, amount, day.

    Half buys 0.01 to 1 unit at a walking price, the rest sells about as much, or moves a little. A move takes two rows.
    """
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, count, p=[0.5, 0.42, 0.08] if moves else [0.5, 0.5, 0.0])
    client = np.sort(rng.integers(0, clients, count))
    quantity = rng.integers(10**16, 10**18, count)
    quantity = np.where(kind == 2, quantity // 7 + 1, np.where(kind == 1, quantity * 9 // 10, quantity))
    price = np.exp(np.cumsum(rng.normal(0, 0.002, count)) % 1.5) * 20_000
    day = 18_262 + (np.arange(count) % max(1, count // clients)) * 2_500 // max(1, count // clients)
    amount = (quantity / 10**18 * price * 10**6).astype(np.int64)
    place = rng.integers(0, 3, count)
    return {"kind": kind, "client": client, "quantity": quantity, "amount": amount, "place": place,
            "target": (place + 1 + rng.integers(0, 2, count)) % 3, "day": np.sort(day) if clients == 1 else day}  # fmt: skip


def program(made: dict[str, Any], clients: int, method: str) -> kernel.Program:
    """The events as the kernel's arrays: a group a client, a pool and a place a wallet, a link a move."""
    n = made["kind"].size
    order = np.lexsort((made["day"], made["client"]))
    made = {name: column[order] for name, column in made.items()}
    doubled = np.repeat(np.arange(n), np.where(made["kind"] == 2, 2, 1))
    second = np.append(False, doubled[1:] == doubled[:-1])
    kind, client = made["kind"][doubled], made["client"][doubled]
    rows = np.zeros(doubled.size, kernel.ROW)
    rows["op"] = np.select(
        [kind == 0, kind == 1, second], [kernel.ACQUIRE, kernel.DISPOSE, kernel.ARRIVE], kernel.DEPART
    )
    rows["date"] = made["day"][doubled]
    rows["year"] = 2020 + (rows["date"] - 18_262) // 366
    rows["lo"], rows["amount"] = made["quantity"][doubled], made["amount"][doubled]
    rows["method"] = METHODS.index(method)
    rows["pool"] = rows["place"] = 3 * client + np.where(second, made["target"][doubled], made["place"][doubled])
    moves = rows["op"] >= kernel.DEPART
    rows["link"] = np.where(moves, np.cumsum(rows["op"] == kernel.DEPART) - 1, -1)
    opens = (rows["op"] == kernel.ACQUIRE) | (rows["op"] == kernel.ARRIVE)
    rows["lot"], rows["transit"] = np.where(opens, np.cumsum(opens) - 1, -1), -1
    bought = rows[opens]
    lots_ = np.zeros(bought.size, kernel.LOT)
    lots_["lo"], lots_["long_from"] = bought["lo"], bought["date"] + 366
    lots_["basis"] = lots_["loss"] = np.where(bought["op"] == kernel.ACQUIRE, bought["amount"], kernel.NONE)
    lots_["status"] = np.where(bought["op"] == kernel.ACQUIRE, kernel.KNOWN, kernel.UNKNOWN)
    groups = np.zeros(clients + 1, kernel.GROUP)
    ends = np.arange(clients + 1)
    groups["row_off"] = np.searchsorted(client, ends)
    groups["lot_off"] = np.append(0, np.cumsum(opens))[groups["row_off"]]
    groups["link_off"] = np.append(0, np.cumsum(rows["op"] == kernel.DEPART))[groups["row_off"]]
    groups["pool_off"], groups["first_year"], groups["last_year"] = 3 * ends, 2026, 2026
    groups["need"], groups["move_cap"] = NEEDS[method], 10**12
    rows["year"] = 2026  # one closing, at the end
    return kernel.Program(
        groups, rows, lots_, np.arange(3 * clients + 1), np.zeros(3 * clients, kernel.PLACE),
        np.zeros(0, kernel.SLOT), np.zeros(0, kernel.PART), np.zeros(0, kernel.PICK),
    )  # fmt: skip


# --- what is timed ----------------------------------------------------------------------------------------------------


def best(work: Callable[[], Any], times: int = 2) -> float:
    """The lesser of some runs, in seconds."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def by_reference(given: kernel.Program) -> reference.Answer:
    keys = [(i, "", "") for i in range(given.lots.size)]
    return reference.run(
        given, range(given.groups.size - 1), reference.Names(keys, given.lots["long_from"].tolist(), {}, {}, [])
    )


SQL_FIFO = """
    CREATE OR REPLACE TABLE matched AS
    WITH bought AS (SELECT client, day, quantity, amount, seq,
                        sum(quantity) OVER w - quantity AS start_, sum(quantity) OVER w AS end_
                    FROM flat WHERE kind = 0 WINDOW w AS (PARTITION BY client ORDER BY day, seq)),
         sold AS (SELECT client, day, quantity, amount, seq,
                        sum(quantity) OVER w - quantity AS start_, sum(quantity) OVER w AS end_
                  FROM flat WHERE kind = 1 WINDOW w AS (PARTITION BY client ORDER BY day, seq))
    SELECT sold.client, sold.seq AS sale, bought.seq AS lot,
           least(sold.end_, bought.end_) - greatest(sold.start_, bought.start_) AS quantity
    FROM sold JOIN bought ON sold.client = bought.client AND bought.start_ < sold.end_ AND bought.end_ > sold.start_
"""


def sql_fifo(made: dict[str, Any]) -> float:
    """Cumulative quantities and an interval join, quantities only: units are short-sold where a client sells too early."""
    con = duckdb.connect()
    names = ("client", "kind", "day", "quantity", "amount")
    flat = pl.DataFrame({name: made[name] for name in names}).with_row_index("seq")
    con.execute("CREATE TABLE flat AS SELECT * REPLACE (CAST(quantity AS HUGEINT) AS quantity) FROM flat")
    del flat
    return best(lambda: con.execute(SQL_FIFO), 1)


# --- the lot book, table in to tables out -----------------------------------------------------------------------------


def stored(made: dict[str, Any], path: Path) -> int:
    """The events as a DuckDB table of movements, as the night has it; returns its rows."""
    n = made["kind"].size
    moved = pl.DataFrame({name: made[name] for name in made}).with_row_index("e")
    ends = {"acquire": 0, "dispose": 1, "depart": 2, "arrive": 2}
    parts = [moved.filter(pl.col("kind") == kind).with_columns(movement=pl.lit(name)) for name, kind in ends.items()]
    wallet = pl.when(pl.col("movement") == "arrive").then("target").otherwise("place")
    named = pl.Series(WALLETS)
    every = pl.concat(parts).with_columns(at=pl.from_epoch(pl.col("day"), "d"))
    enters = pl.col("movement").is_in(["acquire", "arrive"])
    table = every.select(
        taxpayer_id=pl.format("client-{}", pl.col("client").cast(pl.String).str.zfill(6)),
        asset=pl.lit("BTC"),
        account_id=pl.format("{}-{}", wallet.replace_strict(range(3), named, return_dtype=pl.String), "client"),
        movement_id=pl.format("evt-{}:{}", "e", "movement"), event_id=pl.format("evt-{}", "e"),
        leg=pl.when(enters).then(pl.lit("received")).otherwise(pl.lit("sent")),
        occurred_at=(pl.col("at").cast(pl.Datetime("us", "UTC")) + pl.duration(microseconds=pl.col("e"))),
        tax_date=pl.col("at").cast(pl.Date), tax_year=pl.col("at").dt.year().cast(pl.Int64), movement="movement",
        quantity=(pl.col("quantity").cast(pl.Decimal(38, 0)) * pl.lit("0.000000000000000001").cast(pl.Decimal(38, 18))),
        amount=pl.when(pl.col("movement") != "arrive").then(
            pl.col("amount").cast(pl.Decimal(38, 0)) * pl.lit("0.000001").cast(pl.Decimal(38, 6))),
        disposal_kind=pl.when(pl.col("movement") == "dispose").then(pl.lit("sell")),
        lot_method=pl.when(~enters).then(pl.lit("hifo")),
        link=pl.when(pl.col("kind") == 2).then(pl.format("move-{}", "e")),
    ).with_columns(wallet="account_id").sort("taxpayer_id", "occurred_at", pl.col("movement") == "arrive")  # fmt: skip
    model = empty(Movements)
    movements_ = table.with_row_index("sequence").with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in model.schema.items() if name not in (*table.columns, "sequence")
    ).select(pl.col(name).cast(dtype) for name, dtype in model.schema.items())  # fmt: skip
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE movements AS SELECT * FROM movements_")
    assert n
    return movements_.height


def whole(path: Path, clients: int, *, by_book: bool) -> None:
    """The movements in, tables out, by ranges of clients; without the book its rows are only copied."""
    ranges = max(1, clients // 500)
    model = empty(Movements)
    years = (2020, 2026)
    with duckdb.connect(str(path)) as con:
        con.execute("SET TimeZone = 'UTC'")
        for part in range(ranges):
            low, high = (f"client-{clients * k // ranges:06d}" for k in (part, part + 1))
            sql = f"SELECT * FROM movements WHERE taxpayer_id >= '{low}' AND taxpayer_id < '{high}'"
            moved = con.sql(sql).pl().cast(dict(model.schema))
            tables = {"copied": moved}
            if by_book:
                book = lots.run(moved, lots.no_opening(), (), empty(Allocations2025), NO_WALLETS, years)
                last = book.closing_lots.filter(pl.col("tax_year") == years[1])
                tables = {"lots": book.lots, "gains": book.gains, "lot_moves": book.lot_moves, "closing_lots": last}
            for name, frame in tables.items():
                how = f"CREATE OR REPLACE TABLE {name} AS" if part == 0 else f"INSERT INTO {name}"
                con.register("frame", frame)
                con.execute(f"{how} SELECT * FROM frame")


def rp2_seconds(made: dict[str, Any], count: int) -> float:
    """RP2's compute_tax on the first events of one client, HIFO."""
    from tests.transforms import rp2_peer  # noqa: PLC0415 - a dev dependency

    at = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    rows, held = [], 0
    for n in range(count):
        units, buys = int(made["quantity"][n]), made["kind"][n] == 0
        held += units if buys else -units
        if held < 0:  # RP2 gives no answer to a sale of more than there is
            held, buys = held + 2 * units, True
        dollars = Decimal(int(made["amount"][n])) / 10**6
        kind = "acquire" if buys else "dispose"
        rows.append(rp2_peer.Row(f"e{n}", kind, at + dt.timedelta(minutes=n), Decimal(units) / 10**18, dollars))
    history = rp2_peer.history(rows)
    return best(lambda: rp2_peer.match(history, "hifo"), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--peers", type=int, default=20_000, help="events for RP2, which takes minutes for a million")
    parser.add_argument("--one-asset", action="store_true", help="one asset of one client instead of many")
    given = parser.parse_args()
    clients = 1 if given.one_asset else max(1, given.events // ROWS_A_CLIENT)
    made = events(given.events, clients, moves=True)
    print(f"{given.events:,} events, {clients:,} clients; seconds, events a second")

    def line(name: str, seconds: float, count: int = given.events) -> float:
        print(f"{name:<34}{seconds:>9.3f}{count / seconds:>14,.0f}")
        return count / seconds

    started = time.perf_counter()
    lots.warm_up()
    line("start-up of the cached kernel", time.perf_counter() - started, 1)
    rates = {}
    for method in METHODS:
        coded = program(made, clients, method)
        rates[method] = line(f"kernel, {method}, with moves", best(lambda coded=coded: kernel.run(coded)))
    few = min(given.events, 200_000)
    plain = events(few, max(1, clients * few // given.events), moves=False)
    coded = program(plain, max(1, clients * few // given.events), "hifo")
    python = line(f"reference, hifo ({few:,})", best(lambda: by_reference(coded), 1), few)
    sql = line(f"DuckDB SQL, fifo, units ({few:,})", sql_fifo(plain), few)
    rp2 = line(
        f"RP2, hifo ({given.peers:,})", rp2_seconds(events(given.peers, 1, moves=False), given.peers), given.peers
    )
    kernel_rate = rates["hifo"]
    print(
        f"kernel / reference {kernel_rate / python:,.0f}, / SQL {rates['fifo'] / sql:,.0f}, / RP2 {kernel_rate / rp2:,.0f}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lots.duckdb"
        stored(made, path)
        floor = line("floor: table in, table out", best(lambda: whole(path, clients, by_book=False), 1))
        full = line("whole: table in, lot book out", best(lambda: whole(path, clients, by_book=True), 1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"floor / whole {floor / full:.1f}; peak memory, histories included, {peak:.2f} GiB")


if __name__ == "__main__":
    main()
