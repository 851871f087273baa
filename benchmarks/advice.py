"""The advice to a whole firm, beside the mixed-integer program and beside what tools do (the largest loss first).

    .venv/bin/python -m benchmarks.advice [--clients 5000] [--lots 2000000] [--sample 20] [--fee 0] [--orders]

Made-up returns of every status and income, lots at losses and gains on three platforms. The clock is on
`advice.recommend`: holdings and returns in, both tables out. On a sample of clients without a minimum tax (the program does
not know it) the program chooses from the same lots; `greedy` sells whole loss lots, the largest first, while the next one
helps. `--fee` is a fixed cost in dollars of each trade, which makes the choice one by branches. `--orders` takes every
platform for a broker that sells the oldest first, as if 2027 had come; the program is not asked then. Quote the ratios; docs/benchmarks.md has those of the last run.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from schemas import gate
from schemas.fields import MONEY, QUANTITY
from schemas.harvest import Holdings
from schemas.review import ReviewItems
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import accounts, facts, zones
from tests.transforms.harvest_milp import Lot, Rules, solve
from tests.transforms.harvest_problems import (
    PLATFORMS,
    RATES,
    Problem,
    expected,
    firm,
    minimum_tax,
    name_of,
    random_client,
    tax_rows,
    worth,
)
from transforms import harvest
from transforms.advice import Advice, recommend

YEAR = 2025
RULES = Rules(rate=0.05)
WALLETS = [f"{platform}-0" for platform in PLATFORMS]


def made_up(clients: int, lots: int) -> tuple[list[Problem], pl.DataFrame]:
    """Clients (their lots left out) and the table `holdings`."""
    rng = np.random.default_rng(20251215)
    chance = random.Random("advice")
    people = [Problem(random_client(chance, YEAR), ()) for _ in range(clients)]
    names = pl.Series([name_of(number) for number in range(clients)])
    who = rng.integers(0, clients, lots)
    quantity, price = rng.integers(1, 200, lots), rng.integers(1, 400, lots)
    value = quantity * price
    gain = np.rint(value * rng.choice([-0.6, -0.3, -0.1, -0.02, 0.3], lots)).astype(np.int64)
    short = rng.random(lots) < 0.5
    table = pl.DataFrame({
        "return_id": names.gather(who),
        "wallet": pl.Series(WALLETS).gather(rng.integers(0, len(WALLETS), lots)),
        "lot_id": np.arange(lots),
        "quantity": quantity,
        "price": price,
        "value": value,
        "basis": value - gain,
        "unrealized_gain": gain,
        "is_short": short,
        "age": rng.integers(1, 300, lots),
    })  # fmt: skip
    acquired = pl.when("is_short").then(pl.lit(dt.date(YEAR, 12, 15))).otherwise(pl.lit(dt.date(YEAR - 2, 12, 15)))
    full = table.with_columns(
        pl.col("lot_id").cast(pl.String),
        pl.col("quantity", "price").cast(QUANTITY),
        pl.col("value", "basis", "unrealized_gain").cast(MONEY),
        taxpayer_id=pl.col("return_id"),
        account_id=pl.col("return_id") + "-" + pl.col("wallet"),
        asset=pl.lit("BTC"),
        priced_at=pl.lit(dt.datetime(YEAR, 12, 15, tzinfo=dt.UTC)),
        term=pl.when("is_short").then(pl.lit("short")).otherwise(pl.lit("long")),
        date_acquired=acquired - pl.duration(days="age"),
        long_term_from=(acquired - pl.duration(days="age")).dt.offset_by("1y1d"),
        basis_status=pl.lit("known"),
        why_not=pl.lit(None, pl.String),
    )
    return people, gate.conform(full, Holdings)


def ask(
    people: Sequence[Problem], lots: pl.DataFrame, rules: Rules = RULES, *, orders: bool = False
) -> tuple[Advice, float]:
    names = [name_of(number) for number in range(len(people))]
    where = lots["account_id"].unique().sort().to_list()
    kept = accounts(*((place, place.split("-")[1], "us_broker" if orders else "self") for place in where))
    if orders:
        harvest.BROKER_YEAR = YEAR
        kept = kept.with_columns(wallet="account_id", only_method=pl.lit("fifo"))
    given = (
        lots,
        tax_rows(people),
        expected(people),
        pl.DataFrame({"return_id": names, "taxpayer_id": names, "role": "primary", "tax_year": YEAR}),
        kept,
        facts(("NFT", "nft", False, True)),
        zones(*((name, dt.date(1, 1, 1), "America/New_York") for name in names)),
        frame(ReviewItems),
        firm(rules),
        dt.date(YEAR, 12, 15),
    )
    start = time.perf_counter()
    advice = recommend(*given)
    return advice, time.perf_counter() - start


def with_lots(people: Sequence[Problem], lots: pl.DataFrame, numbers: Sequence[int]) -> list[Problem]:
    """Some clients with their lots, as the oracle reads them."""
    found = []
    for number in numbers:
        rows = lots.filter(pl.col("return_id") == name_of(number)).iter_rows(named=True)
        own = []
        for row in rows:
            wallet = row["account_id"].split("-", 1)[1]
            loss = -float(row["unrealized_gain"])
            rate = RATES[wallet.split("-")[0]]
            own.append(Lot(row["term"] == "short", loss, float(row["value"]), wallet, cost_rate=rate))
        found.append(Problem(people[number].client, tuple(own)))
    return found


def greedy(problems: Sequence[Problem], rules: Rules) -> list[float]:
    """Net benefit of whole loss lots, the largest first, while the next one helps."""
    sets = []
    for problem in problems:
        order = sorted((n for n, lot in enumerate(problem.lots) if lot.loss > 0), key=lambda n: -problem.lots[n].loss)
        prefixes = np.zeros((len(order) + 1, len(problem.lots)))
        for count, number in enumerate(order, 1):
            prefixes[count:, number] = 1.0
        sets.append(prefixes.tolist())
    reached = []
    for problem, tried, values in zip(problems, sets, worth(problems, sets, rules), strict=True):
        best = 0.0
        for parts, value in zip(tried[1:], values[1:], strict=True):
            trades = {lot.wallet for lot, part in zip(problem.lots, parts, strict=True) if part}
            if value - rules.fixed_fee * len(trades) <= best:
                break
            best = value - rules.fixed_fee * len(trades)
        reached.append(best)
    return reached


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=5_000)
    parser.add_argument("--lots", type=int, default=2_000_000)
    parser.add_argument("--sample", type=int, default=20)
    parser.add_argument("--fee", type=float, default=0.0)
    parser.add_argument("--orders", action="store_true")
    asked = parser.parse_args()
    rules = replace(RULES, fixed_fee=asked.fee)
    ask(*made_up(20, 200), rules, orders=asked.orders)  # once before the clock starts
    people, lots = made_up(asked.clients, asked.lots)
    advice, seconds = ask(people, lots, rules, orders=asked.orders)
    each = seconds / asked.clients
    print(f"{asked.clients:,} clients, {lots.height:,} lots: advice in {seconds:.2f} s, {each * 1e3:.2f} ms a client")
    best = advice.summary.filter(pl.col("scenario") == "best").sort("return_id")
    said = dict(zip(best["return_id"], best["net_benefit"].cast(pl.Float64), strict=True))
    gap = best["gap"].cast(pl.Float64)
    print(f"gap {gap.mean():,.2f} a client, none for {(gap < 1).mean():.0%}")
    print(f"net benefit of all {sum(said.values()):,.2f}; verdicts {best['verdict'].value_counts(sort=True).rows()}")
    if not asked.orders:  # what is greedy keeps no order
        tools = float(best["greedy_net_benefit"].sum() or 0)
        print(f"greedy by loss, all clients: {tools:,.2f}; left on the table {sum(said.values()) - tools:,.2f}, "
              f"{(sum(said.values()) - tools) / asked.clients:,.2f} a client")  # fmt: skip

    if asked.sample == 0 or asked.orders:
        return
    numbers = []
    for number in random.Random("sample").sample(range(asked.clients), asked.clients):
        if len(numbers) == asked.sample:
            break
        if not minimum_tax(with_lots(people, lots, [number])[0]):
            numbers.append(number)
    chosen = with_lots(people, lots, numbers)
    start = time.perf_counter()
    optima = [solve(problem.client, problem.lots, rules).net_benefit for problem in chosen]
    slow = (time.perf_counter() - start) / len(chosen)
    ours = [said[name_of(number)] for number in numbers]
    tools = greedy(chosen, rules)
    below = [optimum - own for optimum, own in zip(optima, ours, strict=True)]
    print(f"{len(chosen)} of them by the mixed-integer program: {slow * 1e3:.0f} ms a client, {slow / each:,.0f} times as long; "
          f"advice below it by {sum(below):,.2f} in all, {max(below):,.2f} at most, {min(below):,.2f} at least")  # fmt: skip
    print(f"greedy by loss, the sample: {sum(tools):,.2f} of {sum(optima):,.2f}; left on the table "
          f"{(sum(optima) - sum(tools)) / len(chosen):,.2f} a client")  # fmt: skip


if __name__ == "__main__":
    main()
