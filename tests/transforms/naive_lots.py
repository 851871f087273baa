"""A slow, obvious lot matcher, the oracle of the lot book: every unit is an object in one flat list. Whole units only.

Written from the rules, not from the engine: no slots, no heaps, no cumulative rounding; fractions for money.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass
class Unit:
    """One coin."""

    lot: str
    event: str
    acquired: Any
    cost: Fraction | None
    asset: str
    pool: str
    account: str


@dataclass
class Book:
    """What the naive matcher finds."""

    pieces: dict[tuple[str, str | None], tuple[int, Fraction | None]]
    """(disposal, lot) -> units and basis; the lot None: units that nobody held."""
    closing: dict[int, Counter[tuple[str, str, str]]]
    """year -> units by (lot, pool, account)."""


def rank(unit: Unit, method: str) -> tuple[Any, ...]:
    """Smallest goes first. Unknown cost goes last where cost decides."""
    age = (unit.acquired, unit.event, unit.lot, unit.account)
    if method in ("fifo", "lifo"):
        return age
    cost = unit.cost or Fraction(0)
    return (unit.cost is None, -cost if method == "hifo" else cost, *age)


def run(rows: list[dict[str, Any]], first: int, last: int, universal: bool = False) -> Book:  # noqa: C901 - one obvious pass
    """Rows are movements in order, as dicts; quantities whole units, amounts dollars."""
    units: list[Unit] = []
    gone: dict[tuple[str, str | None], list[Unit]] = defaultdict(list)
    lacking: Counter[str] = Counter()
    converting: dict[str, list[Unit]] = {}
    closing: dict[int, Counter[tuple[str, str, str]]] = {}
    todo = list(rows)
    for year in range(first, last + 1):
        while todo and todo[0]["tax_year"] == year:
            row = todo.pop(0)
            n, asset, account = row["quantity"], row["asset"], row["account_id"]
            pool = "universal" if universal else row["wallet"]
            here = [u for u in units if u.asset == asset and u.pool == pool]
            here.sort(key=lambda u: rank(u, row.get("lot_method") or "fifo"))
            if row.get("lot_method") == "lifo":
                here.reverse()
            chosen: list[Unit] = []
            for lot, most in row.get("picks", ()):
                of_lot = [u for u in here if u.lot == lot and not any(u is c for c in chosen)]
                chosen += of_lot[:most]
            here = chosen + [u for u in here if not any(u is c for c in chosen)]
            taken = here[:n]
            what = row["movement"]
            new = 0
            if what == "acquire":
                cost = None if row["amount"] is None else Fraction(row["amount"]) / n
                units += [Unit(row["movement_id"], row["event_id"], row["occurred_at"], cost, asset, pool, account)
                          for _ in range(n)]  # fmt: skip
            elif what == "dispose":
                for unit in taken:
                    units.remove(unit)
                    gone[row["movement_id"], unit.lot].append(unit)
                lacking[row["movement_id"]] += n - len(taken)
            elif what in ("depart", "outside"):
                name = f"transit:{row['link']}" if what == "depart" else f"outside:{row['movement_id']}"
                for unit in taken if not (universal and what == "depart") else []:
                    unit.pool, unit.account = name, account
            elif what == "arrive" and not universal:
                moved = [u for u in units if u.pool == f"transit:{row['link']}"]
                for unit in moved:
                    unit.pool, unit.account = pool, account
                new = n - len(moved)
            elif what == "convert_out":
                converting[row["link"]] = taken
                units = [u for u in units if not any(u is t for t in taken)]
            elif what == "convert_in":
                old = converting.pop(row["link"])
                for u in old:
                    lot = f"{row['movement_id']}<{u.lot}"
                    units.append(Unit(lot, row["event_id"], u.acquired, u.cost, asset, pool, account))
                new = n - len(old)
            units += [Unit(row["movement_id"], row["event_id"], row["occurred_at"], None, asset, pool, account)
                      for _ in range(new)]  # fmt: skip
        closing[year] = Counter((u.lot, u.pool, u.account) for u in units)
    pieces: dict[tuple[str, str | None], tuple[int, Fraction | None]] = {}
    for key, taken in gone.items():
        costs = [u.cost for u in taken]
        pieces[key] = (len(taken), None if None in costs else sum((c for c in costs if c is not None), Fraction(0)))
    for disposal, n in lacking.items():
        if n:
            pieces[disposal, None] = (n, None)
    return Book(pieces, closing)
