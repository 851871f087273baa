"""A slow, obvious wash sale matcher, the oracle of the overlay: every unit is an object. Whole units only.

Written from the rules (IRC 1091; Reg. 1.1091-1), not from the engine: no chunks, no shares, no pointers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction


@dataclass
class Unit:
    """One unit of a lot."""

    lot: str
    owner: str
    bought: datetime
    cost: Fraction
    purchased: bool
    in_ira: bool
    deductible: bool
    replaces: int = 0
    """0: nothing; else when it became a replacement (units that replaced leave first, in that order)."""
    gone: bool = False
    extra_days: int = 0


@dataclass
class Result:
    """What the naive matcher finds."""

    disallowed: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    """By disposal."""
    added: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    """By replacement lot."""
    lost: Fraction = Fraction(0)
    turns: int = 0
    gains: dict[tuple[str, date], Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    """Proceeds less adjusted basis, by disposal and the day from which the holding period counts."""


def naive(units: list[Unit], sales: list[tuple[datetime, str, dict[str, int], Fraction]], wed: set[str]) -> Result:
    """Walk the sales.

    Args:
        units: all units ever bought, in the order of acquisition (instant, lot).
        sales: instant, disposal, units by lot, proceeds a unit; in order.
        wed: owners who are married to each other throughout.
    """
    found = Result()
    for instant in sorted({sale[0] for sale in sales}):
        for disposal, unit, price in _leaving(units, [sale for sale in sales if sale[0] == instant]):
            if not unit.deductible:
                continue
            since = date.fromordinal(unit.bought.date().toordinal() - unit.extra_days)
            found.gains[disposal, since] += price - unit.cost
            loss = unit.cost - price
            other = next((other for other in units if loss > 0 and _replaces(unit, other, instant, wed)), None)
            if other is not None:
                _move(found, disposal, loss, other, (instant.date() - since).days)
    return found


def _leaving(
    units: list[Unit], sales: list[tuple[datetime, str, dict[str, int], Fraction]]
) -> list[tuple[str, Unit, Fraction]]:
    """The units sold at one instant: disposal, unit, price; one lot after the other as they were bought."""
    leaving: list[tuple[str, Unit, Fraction]] = []
    for _, disposal, of, price in sales:
        for lot, wanted in of.items():
            there = [unit for unit in units if unit.lot == lot and not unit.gone]
            there.sort(key=lambda unit: (unit.replaces == 0, unit.replaces))
            for unit in there[:wanted]:
                unit.gone = True
                leaving.append((disposal, unit, price))
    order = {lot: n for n, lot in enumerate(dict.fromkeys(unit.lot for unit in units))}
    return sorted(leaving, key=lambda item: (order[item[1].lot], item[0]))


def _replaces(unit: Unit, other: Unit, instant: datetime, wed: set[str]) -> bool:
    if other.gone or other.replaces or other.lot == unit.lot or not other.purchased:
        return False
    related = other.owner == unit.owner or {other.owner, unit.owner} <= wed
    return related and abs((other.bought.date() - instant.date()).days) <= 30


def _move(found: Result, disposal: str, loss: Fraction, other: Unit, days: int) -> None:
    """The loss goes where the replacement lies."""
    found.turns += 1
    found.disallowed[disposal] += loss
    other.replaces = found.turns
    if other.in_ira:
        found.lost += loss
    else:
        other.cost += loss
        other.extra_days = days
        found.added[other.lot] += loss
