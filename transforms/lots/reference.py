"""The reference engine of the lot book: plain Python integers and heaps, slow and obvious. No frame, no law, no file.

It is the oracle of the kernel in the tests, and takes the groups that the kernel does not (see
`transforms.lots.program.outside_the_kernel`). Input and output are the kernel's: `Program` in, `Found` out, and what
conversions make, which only this engine knows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from schemas.fields import METHODS
from transforms.collector import no_garbage
from transforms.exact import share
from transforms.lots import kernel
from transforms.lots.kernel import Found, Program

Amount: TypeAlias = int | None
Key: TypeAlias = tuple[int, str, str]
"""The age of a lot: acquired_at, acquisition event, lot id (the law is silent on ties)."""


class Names(NamedTuple):
    """What orders lots by age beside the program's order, and names those that conversions make."""

    keys: list[Key]
    """By lot of the program."""
    loss_long: list[int]
    """By lot: the day from which it is long-term when sold at a loss."""
    movement_ids: dict[int, str]
    """By row that converts in."""
    event_ids: dict[int, str]
    """The same."""
    picked: list[str]
    """By pick the id of the lot that it names: a lot that a conversion makes has no number before."""


class Derived(NamedTuple):
    """A lot that a conversion made; its number follows those of the program's lots."""

    source: int
    """The lot of the program that its dates come from."""
    row: int
    lot_id: str
    quantity: int
    basis: Amount
    loss: Amount
    status: int


class Conversion(NamedTuple):
    """The part of a lot that became part of a derived one."""

    row: int
    from_lot: int
    from_place: int
    from_quantity: int
    to_lot: int
    to_quantity: int
    basis: Amount


class Answer(NamedTuple):
    """What the groups give."""

    found: Found
    derived: list[Derived]
    conversions: list[Conversion]
    failed: list[tuple[int, str]]
    """Groups whose book broke, with the type of the error."""


def run(program: Program, groups: Iterable[int], names: Names) -> Answer:
    """The books of some groups. A group whose book breaks gives nothing and is named in `failed`."""
    out = _Out(len(names.keys))
    rows = _Columns(program)
    failed = []
    with no_garbage():
        for group in groups:
            mark = out.mark()
            try:
                _Book(rows, out, names, group).run()
            except (ArithmeticError, LookupError, ValueError, TypeError, AssertionError) as error:
                out.back_to(mark)
                failed.append((group, type(error).__name__))
    return Answer(out.found(), out.derived, out.conversions, failed)


# --- lots, slots, pools -------------------------------------------------------------------------------------------


class _Lot:
    """An acquisition as the matching needs it."""

    __slots__ = ("basis", "index", "key", "long_from", "loss", "loss_long_from", "quantity", "source")

    def __init__(
        self, index: int, key: Key, quantity: int, basis: Amount, loss: Amount, dates: tuple[int, int], source: int
    ) -> None:
        self.index = index
        self.key = key
        self.quantity = quantity
        self.basis = basis
        self.loss = loss
        self.long_from, self.loss_long_from = dates
        self.source = source  # the program's lot that its dates come from

    @property
    def dual(self) -> bool:
        """A gift whose loss basis differs (IRC 1015(a))."""
        return self.loss != self.basis

    @property
    def unit_cost(self) -> int:
        """An integer that orders lots exactly by original basis a unit, fees included; -1 where unknown."""
        return -1 if self.basis is None else (self.basis << 250) // self.quantity


class _Slot:
    """The part of a lot in one pool, and the base over which its basis is rounded."""

    __slots__ = ("base_basis", "base_loss", "base_quantity", "basis", "loss", "lot", "quantity", "status", "year")

    def __init__(self, lot: _Lot) -> None:
        self.lot = lot
        self.status = kernel.KNOWN
        self.quantity = self.base_quantity = 0
        self.basis: Amount = 0
        self.loss: Amount = 0
        self.base_basis: Amount = 0
        self.base_loss: Amount = 0
        self.year = 0

    def rebase(self, year: int) -> None:
        self.base_quantity, self.base_basis, self.base_loss, self.year = self.quantity, self.basis, self.loss, year

    def put(self, quantity: int, basis: Amount, loss: Amount, status: int, year: int) -> None:
        """Units of the lot arrive."""
        self.quantity += quantity
        self.basis = _plus(self.basis, basis)
        self.loss = _plus(self.loss, loss)
        self.status = max(self.status, status)
        self.rebase(year)

    def take(self, quantity: int, year: int) -> tuple[Amount, Amount]:
        """Remove units; the basis and the loss basis that go with them."""
        if self.year != year:
            self.rebase(year)
        self.quantity -= quantity
        basis, loss = self.basis, self.loss if self.lot.dual else self.basis
        if not self.quantity:
            return basis, loss
        used = self.base_quantity - self.quantity
        self.basis = _rest(self.base_basis, used, self.base_quantity)
        self.loss = _rest(self.base_loss, used, self.base_quantity) if self.lot.dual else self.basis
        return _minus(basis, self.basis), _minus(loss, self.loss)


def _plus(one: Amount, other: Amount) -> Amount:
    return None if one is None or other is None else one + other


def _minus(one: Amount, other: Amount) -> Amount:
    return None if one is None or other is None else one - other


def _rest(total: Amount, used: int, whole: int) -> Amount:
    return None if total is None else total - share(total, used, whole)


class _Part(NamedTuple):
    """What an exit took from a slot."""

    lot: _Lot
    status: int
    quantity: int
    basis: Amount
    loss: Amount
    pick: int
    place: int


class _Reversed:
    """A sort key that turns its order round: LIFO is FIFO backwards, ties included."""

    __slots__ = ("key",)

    def __init__(self, key: Key) -> None:
        self.key = key

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.key < self.key)


def _order(method: str, lot: _Lot) -> tuple[Any, ...]:
    """Smallest goes first. FIFO: earliest acquired, whenever moved in (Reg. 1.1012-1(j)(3)(i))."""
    if method == "fifo":
        return lot.key
    if method == "lifo":
        return (_Reversed(lot.key),)
    if method == "lofo":
        return (lot.basis is None, lot.unit_cost, *lot.key)
    return (-lot.unit_cost, *lot.key)


class _Pool:
    """The slots of one pool, with a heap for each method that was ever asked for."""

    __slots__ = ("heaps", "serial", "slots")

    def __init__(self) -> None:
        self.slots: dict[int, _Slot] = {}
        self.heaps: dict[str, list[tuple[Any, ...]]] = {}
        self.serial = 0  # no two heap entries are equal, so slots are never compared

    def put(self, lot: _Lot, quantity: int, basis: Amount, loss: Amount, status: int, year: int) -> None:
        slot = self.slots.get(lot.index)
        if slot is None:
            slot = self.slots[lot.index] = _Slot(lot)
            for method, heap in self.heaps.items():
                self.serial += 1
                heappush(heap, (_order(method, lot), self.serial, slot))
        slot.put(quantity, basis, loss, status, year)

    def take(self, slot: _Slot, quantity: int, year: int, pick: int, place: int) -> _Part:
        taken = min(quantity, slot.quantity)
        part = _Part(slot.lot, slot.status, taken, *slot.take(taken, year), pick, place)
        if not slot.quantity:
            del self.slots[slot.lot.index]
        return part

    def head(self, method: str) -> _Slot | None:
        heap = self.heaps.get(method)
        if heap is None:
            heap = self.heaps[method] = [(_order(method, s.lot), -n, s) for n, s in enumerate(self.slots.values())]
            heapify(heap)
        while heap:
            slot: _Slot = heap[0][2]
            if slot.quantity:
                return slot
            heappop(heap)
        return None

    def by_age(self) -> list[_Slot]:
        return sorted(self.slots.values(), key=lambda slot: slot.lot.key)


def _taxmin(lot: _Lot, date: int, proceeds: int, quantity: int) -> tuple[Any, ...]:
    """Short-term loss, long-term loss, long-term gain, short-term gain; dearest first within; unknown basis last."""
    if lot.basis is None or lot.loss is None:
        return (4, 0, *lot.key)
    if lot.loss * quantity > proceeds * lot.quantity:
        return (1 if date >= lot.loss_long_from else 0, -((lot.loss << 250) // lot.quantity), *lot.key)
    neither = lot.basis * quantity > proceeds * lot.quantity  # a gift between its two bases: no gain to be taxed
    return (2 if neither or date >= lot.long_from else 3, -lot.unit_cost, *lot.key)


# --- one group's book ---------------------------------------------------------------------------------------------


class _Book:
    """The book of one group: takes its rows in order, writes to the shared output."""

    def __init__(self, rows: _Columns, out: _Out, names: Names, group: int) -> None:
        self.rows = rows
        self.out = out
        self.names = names
        self.group = group
        self.year = 0
        self.pools: dict[int, _Pool] = defaultdict(_Pool)
        self.links: dict[int, list[_Part]] = defaultdict(list)
        self.lots: dict[int, _Lot] = {}
        self.sent: dict[int, int] = {}
        self.made: dict[str, int] = {}
        self.units = {place: rows.units[place] for pool in rows.range_of("pool", group) for place in rows.places(pool)}

    def run(self) -> None:
        """Take what the group opens with, then its rows; close every year."""
        rows, group = self.rows, self.group
        first, last = (int(rows.program.groups[name][group]) for name in ("first_year", "last_year"))
        self.year = first - 1
        self._carry_in()
        self.year = first
        steps = (
            self._acquire, self._dispose, self._depart, self._arrive, self._depart, self._leave, self._return,
            self._convert_out, self._convert_in,
        )  # fmt: skip
        for row in rows.range_of("row", group):
            while self.year < rows.year[row]:
                self._close()
                self.year += 1
            steps[rows.op[row]](row)
        while self.year <= last:
            self._close()
            self.year += 1
        self.out.cap_moves(int(rows.program.groups["move_cap"][group]), rows.range_of("row", group))

    def _carry_in(self) -> None:
        p, rows = self.rows.program, self.rows
        for i in rows.range_of("slot", self.group):
            lot, quantity, basis, loss, status = _held(p.slots[i])
            self.pools[int(p.slots[i]["pool"])].put(self._lot(lot), quantity, basis, loss, status, self.year)
        for i in rows.range_of("part", self.group):
            lot, quantity, basis, loss, status = _held(p.parts[i])
            part = _Part(self._lot(lot), status, quantity, basis, loss, -1, int(p.parts[i]["place"]))
            self.links[int(p.parts[i]["link"])].append(part)

    def _lot(self, index: int) -> _Lot:
        lot = self.lots.get(index)
        if lot is None:
            facts = self.rows.program.lots[index]
            quantity = (int(facts["hi"]) << 64) + int(facts["lo"])
            dates = int(facts["long_from"]), self.names.loss_long[index]
            lot = self.lots[index] = _Lot(
                index, self.names.keys[index], quantity, _amount(facts["basis"]), _amount(facts["loss"]), dates, index
            )
        return lot

    def _shared(self, pool: int) -> bool:
        """Whether units of the pool lie in several places."""
        return len(self.rows.places(pool)) > 1

    def _enter(self, row: int, lot: _Lot, quantity: int, basis: Amount, loss: Amount, status: int) -> None:
        self.pools[self.rows.pool[row]].put(lot, quantity, basis, loss, status, self.year)

    def _settle(self, row: int, quantity: int) -> None:
        """Units more lie in the row's account."""
        self.units[self.rows.at[row]] += quantity

    def _acquire(self, row: int) -> None:
        rows, lot = self.rows, self._lot(self.rows.lot[row])
        status = int(rows.program.lots["status"][lot.index])
        self._enter(row, lot, rows.quantity[row], lot.basis, lot.loss, status)
        self._settle(row, rows.quantity[row])

    def _exits(self, row: int) -> list[_Part]:
        """Units leave their pool: picked lots first, then by method; what the pool lacks is a fault."""
        rows = self.rows
        pool, left, place = self.pools[rows.pool[row]], rows.quantity[row], rows.at[row]
        parts: list[_Part] = []
        for pick, index, most in rows.picks(row):
            wanted = left if most is None else min(left, most)
            slot = pool.slots.get(self.made.get(self.names.picked[pick], -1) if index < 0 else index)
            if slot is not None and wanted:
                parts.append(pool.take(slot, wanted, self.year, pick, place))
                wanted, left = wanted - parts[-1].quantity, left - parts[-1].quantity
            if most is not None and wanted:
                self.out.fault(kernel.PICK_UNMET, row, wanted)
        method = METHODS[rows.method[row]]
        if method == "taxmin" and rows.op[row] == kernel.DISPOSE and rows.amount[row] is not None:
            date, amount, quantity = rows.date[row], rows.amount[row] or 0, rows.quantity[row]
            ordered = sorted(pool.slots.values(), key=lambda slot: _taxmin(slot.lot, date, amount, quantity))
        else:
            ordered = []
        for slot in ordered:
            if left:
                parts.append(pool.take(slot, left, self.year, -1, place))
                left -= parts[-1].quantity
        while left and (slot := pool.head("hifo" if method == "taxmin" else method)) is not None:
            parts.append(pool.take(slot, left, self.year, -1, place))
            left -= parts[-1].quantity
        self._draw_down(row, rows.quantity[row] - left)
        if left:
            self.out.fault(kernel.SHORTFALL, row, left)
        return parts

    def _draw_down(self, row: int, quantity: int) -> None:
        """Units of a pool leave the account they lie in; the pool may give more than lies there."""
        if not self._shared(self.rows.pool[row]):
            return
        here = self.rows.at[row]
        lacking = quantity - max(0, min(quantity, self.units[here]))
        self.units[here] -= quantity
        if lacking:
            self.out.fault(kernel.OVERDRAWN, row, lacking)

    def _dispose(self, row: int) -> None:
        rows, out = self.rows, self.out
        quantity, amount = rows.quantity[row], rows.amount[row]
        out.named = any(True for _ in rows.picks(row))  # else every lot gives once
        done = paid = 0
        for part in self._exits(row):
            done += part.quantity
            proceeds = None if amount is None else share(amount, done, quantity) - paid
            paid += proceeds or 0
            out.piece(row, part.lot.index, part.pick, part.quantity, proceeds, part.basis, part.loss, part.status)
        if done < quantity:
            rest = None if amount is None else amount - paid
            out.piece(row, -1, -1, quantity - done, rest, None, None, kernel.UNKNOWN)

    def _depart(self, row: int) -> None:
        """Lots leave for what is no pool: a transfer, the outside, a conversion."""
        self.links[self.rows.link[row]] += self._exits(row)

    def _arrive(self, row: int) -> None:
        rows = self.rows
        found = 0
        for part in self.links.pop(rows.link[row], []):
            found += part.quantity
            self.out.move(row, part.lot.index, part.place, part.quantity, part.basis)
            self._enter(row, part.lot, part.quantity, part.basis, part.loss, part.status)
        self._settle(row, found)
        self._came_short(row, found)

    def _came_short(self, row: int, found: int) -> None:
        """Units came in beyond what had left: a lot of unknown basis, never zero."""
        rows = self.rows
        lacking = rows.quantity[row] - found
        if lacking > 0:
            self.out.fault(kernel.SHORTFALL, row, lacking)
            self.out.entered.append((rows.lot[row], lacking))
            self._enter(row, self._lot(rows.lot[row]), lacking, None, None, kernel.UNKNOWN)
            self._settle(row, lacking)

    def _leave(self, row: int) -> None:
        """Units set out for another account of their own pool: no lot moves."""
        rows, pool = self.rows, self.rows.pool[row]
        lying = sum(self.units[place] for place in rows.places(pool) if not rows.program.places["transit"][place])
        moved = min(rows.quantity[row], max(lying, 0))
        self._draw_down(row, moved)
        self.units[rows.transit[row]] += moved
        if moved < rows.quantity[row]:
            self.out.fault(kernel.SHORTFALL, row, rows.quantity[row] - moved)

    def _return(self, row: int) -> None:
        """Units arrive from another account of their own pool."""
        found, self.units[self.rows.transit[row]] = self.units[self.rows.transit[row]], 0
        self._settle(row, found)
        self._came_short(row, found)

    def _convert_out(self, row: int) -> None:
        self.sent[self.rows.link[row]] = self.rows.quantity[row]
        self._depart(row)

    def _convert_in(self, row: int) -> None:
        """Each lot that left becomes a lot of the new asset: basis and dates stay, units in proportion.

        A lot too small to become a unit of the 18th decimal gives its basis to the next larger one.
        """
        rows = self.rows
        received = rows.quantity[row]
        sent = self.sent.pop(rows.link[row], received)
        left = done = 0
        dust: list[_Part] = []
        for part in sorted(self.links.pop(rows.link[row], []), key=lambda part: part.quantity):
            left += part.quantity
            new = share(received, left, sent) - done
            done += new
            if new:
                self._converted(row, new, [*dust, part])
                dust = []
            else:
                dust.append(part)
        if dust and done < received:  # more came than these lots give: one unit of the 18th decimal carries them
            done += 1
            self._converted(row, 1, dust)
        elif dust:
            raise ArithmeticError  # nothing is large enough to carry their basis
        self._settle(row, done)
        self._came_short(row, done)

    def _converted(self, row: int, new: int, parts: list[_Part]) -> None:
        """One lot of the new asset, out of the last part with the dust before it."""
        old, status = parts[-1].lot, max(part.status for part in parts)
        known = all(part.basis is not None for part in parts)
        basis = sum(part.basis or 0 for part in parts) if known else None
        loss = sum(part.loss or 0 for part in parts) if known else None
        lot_id = f"{self.names.movement_ids[row]}<{old.key[2]}"
        index = self.out.derive(Derived(old.source, row, lot_id, new, basis, loss, status))
        self.made[lot_id] = index
        key, dates = (old.key[0], self.names.event_ids[row], lot_id), (old.long_from, old.loss_long_from)
        lot = self.lots[index] = _Lot(index, key, new, basis, loss, dates, old.source)
        for part in parts:
            of_new = new if part is parts[-1] else 0
            self.out.conversions.append(
                Conversion(row, part.lot.index, part.place, part.quantity, index, of_new, part.basis)
            )
        self._enter(row, lot, new, basis, loss, status)

    # --- year ends

    def _close(self) -> None:
        rows, out = self.rows, self.out
        for number, pool in self.pools.items():
            if self._shared(number):
                self._lay_out(number, pool)
                continue
            place = rows.places(number)[0]
            for slot in pool.slots.values():
                out.close(self.year, slot.lot.index, place, -1, slot.quantity, slot.basis, slot.loss, slot.status)
        for link, parts in self.links.items():
            for part in parts:
                out.close(
                    self.year, part.lot.index, part.place, link, part.quantity, part.basis, part.loss, part.status
                )

    def _lay_out(self, number: int, pool: _Pool) -> None:
        """The lots of a pool over the places that hold its units: places in their order, lots by age.

        A place that gave more than it had is empty, and the last ones hold less: from here on that is where the units
        are.
        """
        slots = _cut(pool.by_age())
        for place in self.rows.places(number):
            held = 0
            for slot, quantity, basis, loss in slots.take(max(self.units[place], 0)):
                held += quantity
                self.out.close(self.year, slot.lot.index, place, -1, quantity, basis, loss, slot.status)
            self.units[place] = held


class _cut:  # noqa: N801 - reads as the verb it is
    """Slots laid end to end, from which lengths are cut; the slots themselves stay as they are."""

    def __init__(self, slots: list[_Slot]) -> None:
        self.slots = slots
        self.at = self.used = 0

    def take(self, quantity: int) -> Iterator[tuple[_Slot, int, Amount, Amount]]:
        while quantity and self.at < len(self.slots):
            slot = self.slots[self.at]
            units = min(quantity, slot.quantity - self.used)
            ends = (self.used, self.used + units)
            loss = slot.loss if slot.lot.dual else slot.basis
            yield slot, units, between(slot.basis, *ends, slot.quantity), between(loss, *ends, slot.quantity)
            quantity -= units
            self.used += units
            if self.used == slot.quantity:
                self.at, self.used = self.at + 1, 0


def between(total: Amount, start: int, end: int, whole: int) -> Amount:
    """The share of `total` that falls on the units from `start` to `end` of `whole`."""
    return None if total is None else share(total, end, whole) - share(total, start, whole)


# --- arrays to integers and back ----------------------------------------------------------------------------------


def _integers(high: Any, low: Any) -> list[int]:
    return [(one << 64) + other for one, other in zip(high.tolist(), low.tolist(), strict=True)]


def _amount(value: Any) -> Amount:
    return None if value == kernel.NONE else int(value)


class _Columns:
    """A program as Python values, looked up by row, lot, place."""

    def __init__(self, program: Program) -> None:
        p = self.program = program
        columns = (p.rows[name].tolist() for name in ("op", "year", "date", "method", "pool", "transit", "link", "lot"))
        self.op, self.year, self.date, self.method, self.pool, self.transit, self.link, self.lot = columns
        self.at = p.rows["place"].tolist()
        self.quantity = _integers(p.rows["hi"], p.rows["lo"])
        self.amount = [_amount(value) for value in p.rows["amount"].tolist()]
        self.units = _signed(p.places["hi"], p.places["lo"])

    def range_of(self, what: str, group: int) -> range:
        off = self.program.groups[f"{what}_off"]
        return range(int(off[group]), int(off[group + 1]))

    def places(self, pool: int) -> range:
        return range(int(self.program.place_off[pool]), int(self.program.place_off[pool + 1]))

    def picks(self, row: int) -> Iterator[tuple[int, int, Amount]]:
        """The picks of a row: number, lot, and for how many units (None: as many as there are)."""
        at, picks = self.program.rows[row], self.program.picks
        for pick in range(int(at["pick_from"]), int(at["pick_to"])):
            yield pick, int(picks[pick]["lot"]), (int(picks[pick]["hi"]) << 64) + int(picks[pick]["lo"]) or None


def _held(record: Any) -> tuple[int, int, Amount, Amount, int]:
    """Lot, units, basis, loss basis and status of a record."""
    quantity = (int(record["hi"]) << 64) + int(record["lo"])
    return int(record["lot"]), quantity, _amount(record["basis"]), _amount(record["loss"]), int(record["status"])


def _signed(high: Any, low: Any) -> list[int]:
    return [value - (1 << 128) if value >> 127 else value for value in _integers(high, low)]


class _Out:
    """What the books of all groups write."""

    def __init__(self, lots: int) -> None:
        self.lots = lots
        self.pieces: list[tuple[Any, ...]] = []
        self.moves: list[tuple[Any, ...]] = []
        self.closing: list[tuple[Any, ...]] = []
        self.faults: list[tuple[Any, ...]] = []
        self.entered: list[tuple[Any, ...]] = []
        self.derived: list[Derived] = []
        self.conversions: list[Conversion] = []
        self.first_move = 0
        self.named = False

    def derive(self, lot: Derived) -> int:
        self.derived.append(lot)
        return self.lots + len(self.derived) - 1

    def piece(self, row: int, lot: int, pick: int, quantity: int, *amounts: Any) -> None:
        """A piece; a lot that was named gives more to the same disposal: it stays one piece."""
        for n in range(len(self.pieces) - 1, -1, -1):
            if self.pieces[n][0] != row or not self.named:
                break
            if self.pieces[n][1] == lot:
                _, _, pick, before, *sums, _ = self.pieces[n]
                *new, status = amounts
                sums = [_plus(one, other) for one, other in zip(sums, new, strict=True)]
                self.pieces[n] = (row, lot, pick, before + quantity, *sums, status)
                return
        self.pieces.append((row, lot, pick, quantity, *amounts))

    def move(self, *cells: Any) -> None:
        self.moves.append(cells)

    def close(self, *cells: Any) -> None:
        self.closing.append(cells)

    def fault(self, *cells: Any) -> None:
        self.faults.append(cells)

    def cap_moves(self, cap: int, rows: range) -> None:
        """Moves of lots beyond the cap are not listed, and that is a fault."""
        beyond = len(self.moves) - self.first_move - cap
        if beyond > 0:
            del self.moves[-beyond:]
            self.fault(kernel.MOVES_CAPPED, rows[-1], beyond)
        self.first_move = len(self.moves)

    def _lists(self) -> tuple[list[Any], ...]:
        return (
            self.pieces, self.moves, self.closing, self.faults, self.entered, self.derived, self.conversions,
        )  # fmt: skip

    def mark(self) -> list[int]:
        return [len(rows) for rows in self._lists()]

    def back_to(self, mark: list[int]) -> None:
        for rows, length in zip(self._lists(), mark, strict=True):
            del rows[length:]
        self.first_move = len(self.moves)

    def found(self) -> Found:
        """The kernel's records."""
        kinds = (
            (self.pieces, kernel.PIECE, "row lot pick # proceeds basis loss status"),
            (self.moves, kernel.MOVE, "row lot place # basis"),
            (self.closing, kernel.CLOSED, "year lot place link # basis loss status"),
            (self.faults, kernel.FAULT, "kind row #"),
            (self.entered, kernel.ENTERED, "lot #"),
        )
        return Found._make([*(_records(*of) for of in kinds), np.array([len(rows) for rows, *_ in kinds], np.int64)])


def _records(rows: list[tuple[Any, ...]], kind: Any, names: str) -> kernel.Records:
    """Tuples as records; # is a quantity."""
    records = np.empty(len(rows), kind)
    for name, values in zip(names.split(), zip(*rows, strict=True) if rows else (), strict=bool(rows)):
        if name == "#":
            records["hi"] = np.array([value >> 64 for value in values], np.uint64)
            records["lo"] = np.array([value & (1 << 64) - 1 for value in values], np.uint64)
        else:
            records[name] = [kernel.NONE if value is None else value for value in values]
    return records
