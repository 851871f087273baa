"""Random returns in whole dollars for the oracles: plain Python, for it runs in environments that lack the project.

Both oracle scripts write a row a return: the inputs of `COLUMNS`, then what their engine says. Whole dollars, because
the engines compute in floats; what they say is compared to the cent or, where an engine counts in 32 bits, to a dime.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "tests" / "transforms" / "law" / "fixtures"
STATUSES = ("single", "mfj", "mfs", "hoh", "qss")
COLUMNS = (
    "tax_year", "status", "wages", "interest", "qualified_dividends", "short_term", "long_term", "gain_28",
    "unrecaptured_1250", "aged", "itemized",
)  # fmt: skip


def returns(year: int, count: int, seed: str) -> list[dict[str, int | str]]:
    """`count` returns of a year: around the kinks, some near zero, some rich; a part with the rarer kinds of gain."""
    rng = random.Random(f"{seed}{year}")

    def amount(scale: float, low: float = 0.0, often: float = 0.6) -> int:
        size = rng.choice([0.03, 0.3, 1, 4]) * scale
        return round(rng.uniform(low, 1) * size) if rng.random() < often else 0

    rows = []
    for number in range(count):
        status = STATUSES[number % len(STATUSES)]
        long_term = amount(300_000, -0.6, 0.8)
        mixed = long_term > 0 and rng.random() < 0.25
        rows.append({
            "tax_year": year,
            "status": status,
            "wages": amount(250_000, often=0.9),
            "interest": amount(60_000, often=0.5),
            "qualified_dividends": amount(40_000, often=0.4),
            "short_term": amount(150_000, -0.8, 0.8),
            "long_term": long_term,
            "gain_28": round(long_term * rng.uniform(0, 1)) if mixed else 0,
            "unrecaptured_1250": round(long_term * rng.uniform(0, 0.5)) if mixed and rng.random() < 0.4 else 0,
            "aged": rng.choice([0, 0, 0, 1]),
            "itemized": amount(60_000) if rng.random() < 0.2 else 0,
        })  # fmt: skip
    return rows


def write(name: str, rows: list[dict[str, object]]) -> None:
    FIXTURES.mkdir(exist_ok=True)
    with (FIXTURES / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
