"""The federal tax of 10,000 and 100,000 returns with and without a harvest, beside taxcalc and taxsim-py, in one run.

    python3.12 -m venv peers && peers/bin/pip install taxcalc==6.8.5 taxsim-py==0.4.1
    .venv/bin/python benchmarks/returns.py --peers peers/bin/python

The peers live in an environment of their own (they pin other libraries, and Python 3.12); without one, or without one
of them in it, the script says what is missing and measures the rest. Every engine gets the same returns of 2025, single,
joint and separate, and is called once on a few before the clock starts. The clock is on the computation: reading its
inputs from the columns of a frame or arrays, both taxes, and the carryovers where the engine has them (Lotbook alone).
Quote the ratios; docs/benchmarks.md has those of the last run.
"""

# ruff: noqa: PLC0415 - each engine is imported by the interpreter that has it
from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZES = (10_000, 100_000)
YEAR = 2025
STATUSES = ("single", "mfj", "mfs")
WARM = 50
REPEATS = 3


def returns(count: int) -> dict[str, list[float]]:
    """Columns in whole dollars; `loss` is what the harvest adds to the short-term result (negative)."""
    rng = random.Random(count)

    def column(scale: int, low: float = 0.0) -> list[float]:
        return [float(round(rng.uniform(low, 1) * rng.choice((0.1, 1, 4)) * scale)) for _ in range(count)]

    made = {"wages": column(200_000), "interest": column(10_000), "dividends": column(10_000)}
    made |= {"short": column(60_000, -0.8), "long": column(120_000, -0.6)}
    return made | {"loss": [-abs(x) for x in column(80_000)], "status": [float(n % 3) for n in range(count)]}


def lotbook(columns: dict[str, list[float]]) -> Callable[[], tuple[float, float]]:
    sys.path.insert(0, str(ROOT))
    import numpy as np

    from schemas.fields import STATUSES as ALL
    from transforms.law.tax import STANDARD, Returns, assess

    cents = {name: np.array([100 * round(x) for x in cells], dtype=np.int64) for name, cells in columns.items()}
    zero = np.zeros(len(columns["wages"]), dtype=np.int64)
    codes = np.array([ALL.index(status) for status in STATUSES])[np.array(columns["status"], dtype=np.int64)]

    def both() -> tuple[float, float]:
        taxes = []
        for short in (cents["short"], cents["short"] + cents["loss"]):
            given = Returns(
                zero + YEAR, codes, cents["wages"] + cents["interest"], cents["interest"], cents["dividends"], short,
                cents["long"], zero, zero, zero, zero, zero, zero + STANDARD, zero, zero + 1, zero,
            )  # fmt: skip
            taxes.append(float(assess(given).federal_tax.sum()) / 100)
        return taxes[0], taxes[1]

    return both


def taxcalc(columns: dict[str, list[float]]) -> Callable[[], tuple[float, float]]:
    import pandas as pd
    import taxcalc as engine

    count = len(columns["wages"])
    two = [status == 1 for status in columns["status"]]
    base = {
        "RECID": range(1, count + 1), "FLPDYR": YEAR, "MARS": [int(s) + 1 for s in columns["status"]],
        "XTOT": [1 + joint for joint in two], "EIC": 0, "n24": 0, "s006": 1.0, "age_head": 40,
        "age_spouse": [40 * joint for joint in two], "e00200": columns["wages"], "e00200p": columns["wages"],
        "e00200s": 0.0, "e00300": columns["interest"], "e00600": columns["dividends"],
        "e00650": columns["dividends"], "p23250": columns["long"],
    }  # fmt: skip

    def one(short: list[float]) -> float:
        table = pd.DataFrame(base | {"p22250": short})
        records = engine.Records(data=table, start_year=YEAR, gfactors=None, weights=None, adjust_ratios=None)
        calculator = engine.Calculator(policy=engine.Policy(), records=records)
        calculator.advance_to_year(YEAR)
        calculator.calc_all()
        return float((calculator.array("c05800") + calculator.array("niit")).sum())

    after = [x + y for x, y in zip(columns["short"], columns["loss"], strict=True)]
    return lambda: (one(columns["short"]), one(after))


def taxsim(columns: dict[str, list[float]]) -> Callable[[], tuple[float, float]]:
    import polars as pl
    from taxsim_py import calculate_taxes

    married = {0: 1, 1: 2, 2: 6}
    base = pl.DataFrame({
        "mstat": [married[int(s)] for s in columns["status"]], "page": 40, "sage": [40 * (s == 1) for s in columns["status"]],
        "pwages": columns["wages"], "dividends": columns["dividends"], "intrec": columns["interest"],
        "ltcg": columns["long"],
    }).with_columns(state=pl.lit(0), depx=pl.lit(0))  # fmt: skip

    def one(short: list[float]) -> float:
        given = base.with_columns(pl.Series("stcg", short))
        return float(calculate_taxes(given, year=YEAR)["fiitax"].sum())

    after = [x + y for x, y in zip(columns["short"], columns["loss"], strict=True)]
    return lambda: (one(columns["short"]), one(after))


ENGINES = {"lotbook": lotbook, "taxcalc": taxcalc, "taxsim-py": taxsim}


def measure(name: str, file: Path) -> dict[str, float]:
    columns = json.loads(file.read_text())
    ENGINES[name]({key: cells[:WARM] for key, cells in columns.items()})()
    run = ENGINES[name](columns)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        before, after = run()
        seconds.append(time.perf_counter() - start)
    return {"seconds": min(seconds), "before": before, "after": after}


def ask(python: str, name: str, file: Path) -> dict[str, float] | str:
    """What an engine measured in its own process, or why it could not."""
    done = subprocess.run(
        [python, __file__, "--engine", name, "--file", str(file)], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return dict(json.loads(done.stdout.splitlines()[-1]))
    return (done.stderr.strip().splitlines() or ["no answer"])[-1]


def compare(peers: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            file = Path(folder) / f"{count}.json"
            file.write_text(json.dumps(returns(count)))
            own = ask(sys.executable, "lotbook", file)
            assert isinstance(own, dict), own
            print(f"{count:,} returns, with and without harvest: lotbook {own['seconds'] * 1000:.0f} ms (1.0)")
            for name in ("taxcalc", "taxsim-py"):
                other = (
                    ask(peers, name, file) if peers else "skipped: no --peers PYTHON (see the first lines of this file)"
                )
                if isinstance(other, str):
                    print(f"  {name}: {other}")
                    continue
                far = other["before"] / own["before"] - 1
                print(
                    f"  {name}: {other['seconds'] / own['seconds']:.1f} times as long; its taxes sum to {far:+.4%} of ours"
                )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", help="a Python that has taxcalc and taxsim-py")
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--file", type=Path)
    asked = parser.parse_args()
    if asked.engine:
        print(json.dumps(measure(asked.engine, asked.file)))
    else:
        compare(asked.peers)


if __name__ == "__main__":
    main()
