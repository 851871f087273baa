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
    closing: dict[int, Counter[tuple[str, str]]]
    """year -> units by (lot, pool)."""


class Places:
    """Where the units of a pool lie: a count by account, and by what is under way between two of its accounts.

    A key is (under way or not, account, link); no lot moves within a pool.
    """

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        wallets: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in rows:
            if row["movement"] in ("depart", "arrive"):
                wallets[row["link"]].append((row["asset"], row["wallet"]))
        self.within = {link for link, ends in wallets.items() if len(ends) == 2 and len(set(ends)) == 1}
        self.units: dict[tuple[str, str], Counter[tuple[bool, str, str]]] = defaultdict(Counter)

    def put(self, row: dict[str, Any], n: int) -> None:
        self.units[row["asset"], row["wallet"]][False, row["account_id"], ""] += n

    def leave(self, row: dict[str, Any]) -> None:
        here = self.units[row["asset"], row["wallet"]]
        lying = sum(n for (under_way, *_), n in here.items() if not under_way)
        n = min(row["quantity"], max(0, lying))
        self.put(row, -n)
        here[True, row["account_id"], row["link"]] += n

    def come(self, row: dict[str, Any]) -> int:
        here = self.units[row["asset"], row["wallet"]]
        found = sum(here.pop(key) for key in [key for key in here if key[2] == row["link"]])
        self.put(row, found)
        return found

    def close(self, units: list[Unit]) -> None:
        """A place holds no less than nothing, and all places together what the pool holds: the last ones give way."""
        for (asset, pool), here in self.units.items():
            left = sum(u.asset == asset and u.pool == pool for u in units)
            for key in sorted(here):
                here[key] = max(0, min(left, here[key]))
                left -= here[key]


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
    closing: dict[int, Counter[tuple[str, str]]] = {}
    todo = list(rows)
    places = Places(todo)
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
            within = row.get("link") in places.within and what in ("depart", "arrive") and not universal
            if what in ("dispose", "depart", "outside", "convert_out") and not within:
                places.put(row, -len(taken))
            if what == "acquire":
                places.put(row, n)
                cost = None if row["amount"] is None else Fraction(row["amount"]) / n
                units += [Unit(row["movement_id"], row["event_id"], row["occurred_at"], cost, asset, pool, account)
                          for _ in range(n)]  # fmt: skip
            elif what == "dispose":
                for unit in taken:
                    units.remove(unit)
                    gone[row["movement_id"], unit.lot].append(unit)
                lacking[row["movement_id"]] += n - len(taken)
            elif within and what == "depart":
                places.leave(row)
            elif within:
                new = n - places.come(row)
            elif what in ("depart", "outside"):
                name = f"transit:{row['link']}" if what == "depart" else f"outside:{row['movement_id']}"
                for unit in taken if not (universal and what == "depart") else []:
                    unit.pool, unit.account = name, account
            elif what == "arrive" and not universal:
                moved = [u for u in units if u.pool == f"transit:{row['link']}"]
                for unit in moved:
                    unit.pool, unit.account = pool, account
                places.put(row, len(moved))
                new = n - len(moved)
            elif what == "convert_out":
                converting[row["link"]] = taken
                units = [u for u in units if not any(u is t for t in taken)]
            elif what == "convert_in":
                old = converting.pop(row["link"])
                for u in old:
                    lot = f"{row['movement_id']}<{u.lot}"
                    units.append(Unit(lot, row["event_id"], u.acquired, u.cost, asset, pool, account))
                places.put(row, len(old))
                new = n - len(old)
            places.put(row, new)
            units += [Unit(row["movement_id"], row["event_id"], row["occurred_at"], None, asset, pool, account)
                      for _ in range(new)]  # fmt: skip
        places.close(units)
        closing[year] = Counter((u.lot, u.pool) for u in units)
    pieces: dict[tuple[str, str | None], tuple[int, Fraction | None]] = {}
    for key, taken in gone.items():
        costs = [u.cost for u in taken]
        pieces[key] = (len(taken), None if None in costs else sum((c for c in costs if c is not None), Fraction(0)))
    for disposal, n in lacking.items():
        if n:
            pieces[disposal, None] = (n, None)
    return Book(pieces, closing)
