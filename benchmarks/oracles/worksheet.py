"""10,000 random returns a year by the kernel and by the scalar worksheet of the tests, to the cent; half a minute or more.

    .venv/bin/python -m benchmarks.oracles.worksheet [returns a year]

Last run: 14 years x 10,000 returns, 0 differ.
"""

from __future__ import annotations

import sys

from tests.transforms.law.random_returns import differing, random_rows
from transforms.law.parameters import YEARS


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    wrong = 0
    for year in YEARS:
        cases = differing(random_rows(year, count))
        wrong += len(cases)
        print(year, count, "returns,", len(cases), "differ", *cases[:3], sep=" ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
