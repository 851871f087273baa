"""Thousands of random clients by the advice and by its oracle, a mixed-integer program; about five a second.

    .venv/bin/python -m benchmarks.oracles.harvest_milp [clients a line]

A line is a year, a regime, and gains among the lots or not. `differ`: the net benefit of the advice is not the optimum to
three cents (see tests/transforms/test_harvest_exact.py), nor within the gap that the advice reports.
"""

from __future__ import annotations

import random
import sys
import time

from tests.transforms.harvest_milp import Rules
from tests.transforms.harvest_problems import random_problem
from tests.transforms.test_harvest_exact import compare

RULES = (
    (2023, Rules(horizon=4, holding=2)),
    (2025, Rules(horizon=6, holding=3)),
    (2026, Rules(rate=0.07, horizon=10, holding=5)),
    (2025, Rules(horizon=4, holding=2, fixed_fee=150.0)),
    (2025, Rules(horizon=4, holding=2, minimum_trade=5_000.0)),
)


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    wrong = 0
    for year, rules in RULES:
        for gains, indivisible in ((False, False), (True, False), (True, True)):
            rng = random.Random(f"{year}{rules}{gains}{indivisible}")
            problems = [random_problem(rng, year, gains=gains, indivisible=indivisible) for _ in range(count)]
            start = time.perf_counter()
            found = compare(problems, rules)
            wrong += len(found)
            below = sum(max(0.0, optimum.net_benefit - said) for _, said, optimum in found)
            above = sum(said > optimum.bound + 0.03 for _, said, optimum in found)
            kind = f"{'gains too' if gains else 'losses'}{', some indivisible' if indivisible else ''}"
            limits = f"fee {rules.fixed_fee:.0f}, minimum {rules.minimum_trade:.0f}, horizon {rules.horizon}"
            seconds = time.perf_counter() - start
            print(f"{year} {kind}; {limits}: {count} clients, {len(found)} differ "
                  f"({below:.2f} dollars below in all, {above} above), {seconds:.0f} s", flush=True)  # fmt: skip
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
