"""The lot kernel: matches exits of units with lots for millions of rows, compiled. No frame, no law, no file.

It does what `transforms.lots.reference` does, group by group (see `Program`), on arrays of integers. Everything that it
compiles stands in this one file: numba's cache sees a change here and nowhere else.

A quantity is two unsigned limbs of 64 bits, high and low, in units of 10^-18; a signed one is in two's complement. An
amount is a signed 64-bit integer of micro-dollars. Guards keep quantities below 2^110, a group's together below 2^119, and amounts below 2^52 (see
`transforms.lots.program`), so that no product here leaves 192 bits and no float is off by more than a few units.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros

U64: TypeAlias = npt.NDArray[np.uint64]
I64: TypeAlias = npt.NDArray[np.int64]
Records: TypeAlias = npt.NDArray[Any]
"""An array of records: one field a column."""

compiled = njit(cache=True, nogil=True, error_model="numpy")
hot = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
inlined = njit(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=True)
"""Into their callers, for a call hands over every array of a Program, a State and a Found.

What runs for each row allocates nothing and leaves out numba's counting of who holds which array (`_nrt`): that took
nine tenths of the time.
"""

ZERO, ONE = np.uint64(0), np.uint64(1)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
SIX, MASK = np.uint64(6), np.uint64(63)
TWO_64 = float(2**64)


@inlined
def less(ah: Any, al: Any, bh: Any, bl: Any) -> Any:
    """Whether the unsigned a is below b."""
    return ah < bh or (ah == bh and al < bl)


@inlined
def add(ah: Any, al: Any, bh: Any, bl: Any) -> Any:
    """The sum of a and b, modulo 2^128."""
    low = al + bl
    return ah + bh + (ONE if low < al else ZERO), low


@inlined
def subtract(ah: Any, al: Any, bh: Any, bl: Any) -> Any:
    """The difference of a and b, modulo 2^128."""
    return ah - bh - (ONE if al < bl else ZERO), al - bl


@inlined
def is_negative(high: Any) -> Any:
    """Whether the two's complement number with this high limb is below zero."""
    return high >> MASK == ONE


@inlined
def as_float(high: Any, low: Any) -> Any:
    """The nearest float to an unsigned number, within an ulp or two."""
    return float(high) * TWO_64 + float(low)


@inlined
def multiply_64(a: Any, b: Any) -> Any:
    """The 128-bit product of two limbs."""
    a1, a0, b1, b0 = a >> HALF, a & LOW, b >> HALF, b & LOW
    low = a0 * b0
    middle = a1 * b0 + (low >> HALF)
    other = a0 * b1 + (middle & LOW)
    return a1 * b1 + (middle >> HALF) + (other >> HALF), (other << HALF) | (low & LOW)


@inlined
def multiply(t: Any, high: Any, low: Any) -> Any:
    """The 192-bit product of a limb and a quantity, as three limbs from the highest."""
    c1, c0 = multiply_64(t, low)
    d1, d0 = multiply_64(t, high)
    middle = c1 + d0
    return d1 + (ONE if middle < c1 else ZERO), middle, c0


@inlined
def compare_costs(one: Any, oh: Any, ol: Any, two: Any, th: Any, tl: Any) -> Any:
    """-1, 0 or 1 as one / (oh, ol) is below, equal to or above two / (th, tl); amounts not negative."""
    a2, a1, a0 = multiply(np.uint64(one), th, tl)
    b2, b1, b0 = multiply(np.uint64(two), oh, ol)
    if a2 != b2:
        return 1 if a2 > b2 else -1
    if a1 != b1:
        return 1 if a1 > b1 else -1
    if a0 != b0:
        return 1 if a0 > b0 else -1
    return 0


@inlined
def share(total: Any, ph: Any, pl: Any, wh: Any, wl: Any) -> Any:
    """`transforms.exact.share`: the part of `total` that falls on the first p of w units, halves away from zero."""
    if total < 0:
        return -share_of(-total, ph, pl, wh, wl)
    return share_of(total, ph, pl, wh, wl)


@inlined
def share_of(total: Any, ph: Any, pl: Any, wh: Any, wl: Any) -> Any:
    """The same for an amount that is not negative: a float's estimate, corrected by its exact remainder."""
    if total == 0 or (ph == wh and pl == wl):
        return total
    found = np.int64(float(total) * (as_float(ph, pl) / as_float(wh, wl)))
    _, ah, al = multiply(np.uint64(total), ph, pl)
    _, bh, bl = multiply(np.uint64(found), wh, wl)
    rh, rl = subtract(ah, al, bh, bl)
    while is_negative(rh):
        found -= 1
        rh, rl = add(rh, rl, wh, wl)
    while not less(rh, rl, wh, wl):
        found += 1
        rh, rl = subtract(rh, rl, wh, wl)
    rh, rl = add(rh, rl, rh, rl)
    return found + 1 if not less(rh, rl, wh, wl) else found


# --- sets of small integers with a least and a greatest member: 64-ary trees of bits ---------------------------------


@compiled
def shape(members: Any, levels: I64) -> Any:
    """The words that a set of so many members takes; `levels` gets where each level begins, then their number."""
    count = words = 0
    width = members
    while True:
        width = (width + 63) >> 6
        levels[count] = words
        words += width
        count += 1
        if width <= 1:
            break
    levels[7] = count
    return words


@inlined
def insert(bits: U64, base: Any, levels: I64, member: Any) -> None:
    """Put a member in."""
    at = member
    for level in range(levels[7]):
        word = base + levels[level] + (at >> 6)
        before = bits[word]
        bits[word] = before | (ONE << np.uint64(at & 63))
        if before != ZERO:
            break
        at >>= 6


@inlined
def remove(bits: U64, base: Any, levels: I64, member: Any) -> None:
    """Take a member out."""
    at = member
    for level in range(levels[7]):
        word = base + levels[level] + (at >> 6)
        bits[word] &= ~(ONE << np.uint64(at & 63))
        if bits[word] != ZERO:
            break
        at >>= 6


@inlined
def least(bits: U64, base: Any, levels: I64) -> Any:
    """The smallest member, -1 where there is none."""
    at = 0
    for level in range(levels[7] - 1, -1, -1):
        word = bits[base + levels[level] + at]
        if word == ZERO:
            return -1
        at = (at << 6) + np.int64(trailing_zeros(word))
    return at


@inlined
def greatest(bits: U64, base: Any, levels: I64) -> Any:
    """The largest member, -1 where there is none."""
    at = 0
    for level in range(levels[7] - 1, -1, -1):
        word = bits[base + levels[level] + at]
        if word == ZERO:
            return -1
        at = (at << 6) + 63 - np.int64(leading_zeros(word))
    return at


# --- what the kernel is given, what it keeps, what it gives ----------------------------------------------------------

NONE = np.iinfo(np.int64).min
"""An amount that is not known."""
ACQUIRE, DISPOSE, DEPART, ARRIVE, OUTSIDE, LEAVE, RETURN, CONVERT_OUT, CONVERT_IN = range(9)
"""What a row does. LEAVE and RETURN are the ends of a move within one pool: its lots stay, its accounts' units change."""
FIFO, LIFO, HIFO, LOFO, TAXMIN = range(5)
"""Methods, in the order of `schemas.fields.METHODS`."""
SHORTFALL, OVERDRAWN, PICK_UNMET, MOVES_CAPPED = range(4)
"""Faults: units that the pool lacks, that the account lacks and its pool has, that a pick asked for in vain; moves of
lots that are not listed because the coins went to and fro too often."""
BY_AGE, BY_COST, BY_LEAST_COST, SHORT, LONG = range(5)
"""The orders in which a pool keeps its lots, as far as the methods of its group need them."""
NEED_COST, NEED_LEAST_COST, NEED_TERMS = 1, 2, 4
KNOWN, ASSUMED, UNALLOCATED, UNKNOWN = range(4)
"""How far a basis is known, from well to badly."""


class Program(NamedTuple):
    """Groups of rows, each a world of its own: pools, places, links and lots are counted through all groups.

    A group is a taxpayer's asset, with what transfers to a spouse or conversions tie to it; `*_off` give where it
    begins in the other arrays (one record more than groups, for the end). Lots stand in FIFO order, and their number
    within the group is their age. A *place* is an account of a pool, or (`transit`) units of it under way between two
    of its accounts. A *link* is a transfer between pools or an exit to the outside: what it carries is in no pool.
    `hi` and `lo` are limbs of quantities; `NONE` is an unknown amount; -1 is no index.
    """

    groups: Records
    """GROUP."""
    rows: Records
    """ROW."""
    lots: Records
    """LOT."""
    place_off: I64
    """Where each pool's places begin; one more than pools."""
    places: Records
    """PLACE: with the units with which it opens."""
    slots: Records
    """SLOT: what lies in pools at the start."""
    parts: Records
    """PART: what is under way or outside at the start."""
    picks: Records
    """PICK: lots (-1: none of the group) that a row takes first; no units: as many as there are."""


def _record(indices: str, *, units: bool = True, amounts: str = "") -> Any:
    """A record of indices and codes, limbs of a quantity, amounts."""
    fields = [(name, np.int64) for name in indices.split()]
    limbs = [("hi", np.uint64), ("lo", np.uint64)] if units else []
    return np.dtype([*fields, *limbs, *((name, np.int64) for name in amounts.split())])


GROUP = _record("row_off lot_off pool_off link_off slot_off part_off first_year last_year need move_cap", units=False)
ROW = _record("op year date method pool place transit link lot pick_from pick_to", amounts="amount")
LOT = _record("dual long_from status", amounts="basis loss")
PLACE = _record("transit")
SLOT = _record("lot pool status", amounts="basis loss")
PART = _record("lot link place status", amounts="basis loss")
PICK = _record("lot")
PIECE = _record("row lot pick status", amounts="proceeds basis loss")
MOVE = _record("row lot place", amounts="basis")
CLOSED = _record("year lot place link status", amounts="basis loss")
FAULT = _record("kind row")
ENTERED = _record("lot")
HELD = np.dtype([
    ("lot", np.int64), ("pool", np.int64), ("status", np.int64), ("year", np.int64), ("next", np.int64),
    ("is_live", np.int64), ("hi", np.uint64), ("lo", np.uint64), ("basis", np.int64), ("loss", np.int64),
    ("base_hi", np.uint64), ("base_lo", np.uint64), ("base_basis", np.int64), ("base_loss", np.int64),
])  # fmt: skip
SENT = _record("lot place status next", amounts="basis loss")
LINK = _record("head tail is_open", units=False)


class State(NamedTuple):
    """Scratch for a group: its slots (the part of a lot that sits in a pool) and what keeps them in order."""

    slots: Records
    live: I64
    """Slots that may hold something."""
    head: I64
    """By age of lot: its latest slot; `next` of a slot is the one before."""
    rank: I64
    at: I64
    """Lots by unit basis, dearest first: the rank of an age, the age of a rank."""
    rank_least: I64
    at_least: I64
    """The same, cheapest first."""
    by_long: I64
    """Ages by the day on which they turn long-term."""
    is_long: I64
    bits: U64
    """Sets of ages or ranks: for each order and pool the lots that it holds."""
    levels: I64
    set_base: I64
    places: Records
    parts: Records
    links: Records
    open_links: I64
    done: U64
    """Units that the disposal at hand has given, as limbs."""
    n: I64


SLOTS, LIVE, PARTS, OPEN_LINKS, MIGRATED, WORDS, FREE, FULL = range(8)
"""Counters of a State; FREE heads the list of parts to use again, FULL says that scratch ran out."""
PIECES, MOVES, CLOSING, FAULTS, ENTRIES = range(5)
"""Counters of a Found."""


class Found(NamedTuple):
    """What the groups give; a counter may pass the end of its array: then it is made larger and the group rerun."""

    pieces: Records
    """PIECE: a disposal and a lot (-1: units that nobody held), and the pick that chose it."""
    moves: Records
    """MOVE: a lot that came with a transfer, by the row of the arrival, from a place."""
    closing: Records
    """CLOSED: a part of a lot held at the end of a year, at a place or on a link."""
    faults: Records
    """FAULT."""
    entered: Records
    """ENTERED: lots of units that came in beyond what had left."""
    n: I64


# --- ranks -----------------------------------------------------------------------------------------------------------


@inlined
def dearer(p: Program, one: Any, two: Any) -> Any:
    """1, 0 or -1 as the unit basis of lot `one` is above, equal to or below that of `two`; both known."""
    return compare_costs(
        p.lots[one].basis, p.lots[one].hi, p.lots[one].lo, p.lots[two].basis, p.lots[two].hi, p.lots[two].lo
    )


@compiled
def merge_run(p: Program, first: Any, at: I64, start: Any, end: Any, other: I64, sign: Any) -> None:
    """Sort at[start:end] by exact unit basis (sign 1: dearest first), older first among equals: merges from below."""
    width = 1
    while width < end - start:
        for left in range(start, end, 2 * width):
            middle, right = min(left + width, end), min(left + 2 * width, end)
            i, j = left, middle
            for k in range(left, right):
                take_left = j >= right
                if i < middle and j < right:
                    order = dearer(p, first + at[i], first + at[j]) * sign
                    take_left = order > 0 or (order == 0 and at[i] < at[j])
                if take_left:
                    other[k] = at[i]
                    i += 1
                else:
                    other[k] = at[j]
                    j += 1
        at[start:end] = other[start:end]
        width *= 2


@compiled
def rank_by_cost(p: Program, first: Any, count: Any, sign: Any, at: I64, rank: I64) -> None:
    """Lots of a group by unit basis, exactly; unknown basis last, older first among equals.

    Floats order them first; where neighbours are closer than floats can tell, a merge sort by exact products follows.
    """
    key = np.empty(count, np.float64)
    for i in range(count):
        lot = first + i
        known = p.lots[lot].basis != NONE
        key[i] = -sign * float(p.lots[lot].basis) / as_float(p.lots[lot].hi, p.lots[lot].lo) if known else np.inf
    at[:count] = np.argsort(key, kind="mergesort")
    other = np.empty(count, np.int64)
    start = 0
    for i in range(1, count + 1):
        if i < count and key[at[i]] < np.inf and key[at[i]] - key[at[i - 1]] <= 4e-15 * abs(key[at[i]]):
            continue
        if i - start > 1 and key[at[start]] < np.inf and not in_order(p, first, at, start, i, sign):
            merge_run(p, first, at, start, i, other, sign)
        start = i
    for i in range(count):
        rank[at[i]] = i


@compiled
def in_order(p: Program, first: Any, at: I64, start: Any, end: Any, sign: Any) -> Any:
    """Whether a run of near equals needs no sorting, as the coins of a stable price."""
    for i in range(start + 1, end):
        order = dearer(p, first + at[i - 1], first + at[i]) * sign
        if order < 0 or (order == 0 and at[i - 1] > at[i]):
            return False
    return True


# --- slots -----------------------------------------------------------------------------------------------------------


@inlined
def in_sets(p: Program, s: State, g: Any, slot: Any, present: Any) -> None:
    """Put a slot into the orders of its pool, or take it out."""
    age = s.slots[slot].lot - p.groups[g].lot_off
    pool = s.slots[slot].pool - p.groups[g].pool_off
    words = s.n[WORDS]
    for order in range(5):
        first = s.set_base[order]
        if first < 0 or (order == SHORT and s.is_long[age]) or (order == LONG and not s.is_long[age]):
            continue
        member = age if order == BY_AGE else (s.rank_least[age] if order == BY_LEAST_COST else s.rank[age])
        if present:
            insert(s.bits, first + pool * words, s.levels, member)
        else:
            remove(s.bits, first + pool * words, s.levels, member)


@inlined
def find(p: Program, s: State, g: Any, lot: Any, pool: Any) -> Any:
    """The slot of a lot in a pool, -1 where there was never one."""
    slot = s.head[lot - p.groups[g].lot_off]
    while slot >= 0 and s.slots[slot].pool != pool:
        slot = s.slots[slot].next
    return slot


@inlined
def put(
    p: Program, s: State, g: Any, lot: Any, pool: Any, hi: Any, lo: Any, basis: Any, loss: Any, status: Any, year: Any
) -> None:
    """Units of a lot come to rest in a pool."""
    slot = find(p, s, g, lot, pool)
    if slot < 0:
        slot = s.n[SLOTS]
        if slot >= s.slots.size:
            s.n[FULL] = 1
            return
        s.n[SLOTS] += 1
        s.slots[slot].lot, s.slots[slot].pool = lot, pool
        s.slots[slot].next = s.head[lot - p.groups[g].lot_off]
        s.head[lot - p.groups[g].lot_off] = slot
        s.slots[slot].hi, s.slots[slot].lo, s.slots[slot].is_live = ZERO, ZERO, 0
    if s.slots[slot].hi == ZERO and s.slots[slot].lo == ZERO:
        s.slots[slot].basis, s.slots[slot].loss, s.slots[slot].status = 0, 0, 0
        s.slots[slot].hi, s.slots[slot].lo = hi, lo
        in_sets(p, s, g, slot, True)
    else:
        s.slots[slot].hi, s.slots[slot].lo = add(s.slots[slot].hi, s.slots[slot].lo, hi, lo)
    s.slots[slot].basis = plus(s.slots[slot].basis, basis)
    s.slots[slot].loss = plus(s.slots[slot].loss, loss)
    s.slots[slot].status = max(s.slots[slot].status, status)
    rebase(s, slot, year)
    if not s.slots[slot].is_live:
        s.slots[slot].is_live = 1
        s.live[s.n[LIVE]] = slot
        s.n[LIVE] += 1


@inlined
def rebase(s: State, slot: Any, year: Any) -> None:
    """The base over which a slot's basis is rounded is what it holds now."""
    s.slots[slot].base_hi, s.slots[slot].base_lo = s.slots[slot].hi, s.slots[slot].lo
    s.slots[slot].base_basis, s.slots[slot].base_loss, s.slots[slot].year = (
        s.slots[slot].basis,
        s.slots[slot].loss,
        year,
    )


@inlined
def left_over(total: Any, s: State, slot: Any) -> Any:
    """What of an amount of the base stays with the units that stay."""
    if total == NONE:
        return NONE
    uh, ul = subtract(s.slots[slot].base_hi, s.slots[slot].base_lo, s.slots[slot].hi, s.slots[slot].lo)
    return total - share(total, uh, ul, s.slots[slot].base_hi, s.slots[slot].base_lo)


@inlined
def take(p: Program, s: State, g: Any, slot: Any, hi: Any, lo: Any, year: Any) -> Any:
    """Remove units, no more than there are; the basis and the loss basis that go with them."""
    if s.slots[slot].year != year:
        rebase(s, slot, year)
    s.slots[slot].hi, s.slots[slot].lo = subtract(s.slots[slot].hi, s.slots[slot].lo, hi, lo)
    basis, loss, dual = s.slots[slot].basis, s.slots[slot].loss, p.lots[s.slots[slot].lot].dual
    if s.slots[slot].hi == ZERO and s.slots[slot].lo == ZERO:
        in_sets(p, s, g, slot, False)
        return basis, loss if dual else basis
    s.slots[slot].basis = left_over(s.slots[slot].base_basis, s, slot)
    basis = NONE if basis == NONE else basis - s.slots[slot].basis
    if not dual:
        s.slots[slot].loss = s.slots[slot].basis
        return basis, basis
    s.slots[slot].loss = left_over(s.slots[slot].base_loss, s, slot)
    return basis, NONE if loss == NONE else loss - s.slots[slot].loss


# --- which slot goes first -------------------------------------------------------------------------------------------


@inlined
def turn_long(p: Program, s: State, g: Any, date: Any) -> None:
    """Lots that are long-term by `date` change sides."""
    first, count = p.groups[g].lot_off, p.groups[g + 1].lot_off - p.groups[g].lot_off
    while s.n[MIGRATED] < count and p.lots[first + s.by_long[s.n[MIGRATED]]].long_from <= date:
        age = s.by_long[s.n[MIGRATED]]
        s.n[MIGRATED] += 1
        slot = s.head[age]
        while slot >= 0:
            if s.slots[slot].hi != ZERO or s.slots[slot].lo != ZERO:
                in_sets(p, s, g, slot, False)
                s.is_long[age] = 1
                in_sets(p, s, g, slot, True)
                s.is_long[age] = 0
            slot = s.slots[slot].next
        s.is_long[age] = 1


@inlined
def head_of(p: Program, s: State, g: Any, pool: Any, order: Any) -> Any:
    """The lot that goes first by an order, -1 where the pool is empty."""
    base = s.set_base[order] + (pool - p.groups[g].pool_off) * s.n[WORDS]
    member = least(s.bits, base, s.levels)
    if member < 0:
        return -1
    if order == BY_AGE:
        return p.groups[g].lot_off + member
    return p.groups[g].lot_off + (s.at_least[member] if order == BY_LEAST_COST else s.at[member])


@inlined
def at_loss(p: Program, lot: Any, row: Any) -> Any:
    """Whether units of the lot are sold below their original unit basis."""
    if p.rows[row].amount < 0:
        return True
    return (
        compare_costs(
            p.lots[lot].basis, p.lots[lot].hi, p.lots[lot].lo, p.rows[row].amount, p.rows[row].hi, p.rows[row].lo
        )
        > 0
    )


@inlined
def cheapest_tax(p: Program, s: State, g: Any, row: Any) -> Any:
    """Short-term losses, long-term losses, long-term gains, short-term gains; dearest first; unknown basis last."""
    short = head_of(p, s, g, p.rows[row].pool, SHORT)
    long = head_of(p, s, g, p.rows[row].pool, LONG)
    if short >= 0 and p.lots[short].basis != NONE and at_loss(p, short, row):
        return short
    if long >= 0 and p.lots[long].basis != NONE:
        return long
    if short >= 0 and p.lots[short].basis != NONE:
        return short
    if short < 0 or long < 0:
        return max(short, long)
    return min(short, long)  # both unknown: the older


@inlined
def next_lot(p: Program, s: State, g: Any, row: Any) -> Any:
    """The lot that the row's method takes next, -1 where its pool is empty."""
    pool, method = p.rows[row].pool, p.rows[row].method
    if method == LIFO:
        base = s.set_base[BY_AGE] + (pool - p.groups[g].pool_off) * s.n[WORDS]
        member = greatest(s.bits, base, s.levels)
        return -1 if member < 0 else p.groups[g].lot_off + member
    if method == LOFO:
        return head_of(p, s, g, pool, BY_LEAST_COST)
    if method == TAXMIN and p.rows[row].op == DISPOSE and p.rows[row].amount != NONE:
        return cheapest_tax(p, s, g, row)
    return head_of(p, s, g, pool, BY_AGE if method == FIFO else BY_COST)


# --- rows ------------------------------------------------------------------------------------------------------------


@inlined
def fault(f: Found, kind: Any, row: Any, hi: Any, lo: Any) -> None:
    """Note a fault."""
    n = f.n[FAULTS]
    f.n[FAULTS] += 1
    if n < f.faults.size:
        f.faults[n].kind, f.faults[n].row, f.faults[n].hi, f.faults[n].lo = kind, row, hi, lo


@inlined
def plus(one: Any, other: Any) -> Any:
    """The sum of two amounts."""
    return NONE if NONE in (one, other) else one + other


@inlined
def more(piece: Any, hi: Any, lo: Any, proceeds: Any, basis: Any, loss: Any) -> None:
    """A lot that was named gives more to the same disposal: it stays one piece."""
    piece.hi, piece.lo = add(piece.hi, piece.lo, hi, lo)
    piece.proceeds = plus(piece.proceeds, proceeds)
    piece.basis, piece.loss = plus(piece.basis, basis), plus(piece.loss, loss)


@inlined
def piece(
    p: Program, s: State, f: Found, row: Any, lot: Any, pick: Any, hi: Any, lo: Any, paid: Any, basis: Any, loss: Any,
    status: Any,
) -> Any:  # fmt: skip
    """Write a piece of a disposal; the proceeds given out so far, after it."""
    proceeds = NONE
    if p.rows[row].amount != NONE:
        s.done[0], s.done[1] = add(s.done[0], s.done[1], hi, lo)
        paid_now = share(p.rows[row].amount, s.done[0], s.done[1], p.rows[row].hi, p.rows[row].lo)
        proceeds = paid_now - paid
        paid = paid_now
    n = f.n[PIECES]
    before = n - 1
    while p.rows[row].pick_from < p.rows[row].pick_to and 0 <= before < f.pieces.size and f.pieces[before].row == row:
        if f.pieces[before].lot == lot:
            more(f.pieces[before], hi, lo, proceeds, basis, loss)
            return paid
        before -= 1
    f.n[PIECES] += 1
    if n < f.pieces.size:
        new = f.pieces[n]
        new.row, new.lot, new.pick, new.hi, new.lo = row, lot, pick, hi, lo
        new.proceeds, new.basis, new.loss, new.status = proceeds, basis, loss, status
    return paid


@inlined
def send(
    p: Program, s: State, g: Any, link: Any, place: Any, lot: Any, hi: Any, lo: Any, basis: Any, loss: Any, status: Any
) -> None:
    """Put a part of a lot on its way, or outside; parts keep the order in which they left."""
    part = s.n[FREE]
    if part >= 0:
        s.n[FREE] = s.parts[part].next
    else:
        part = s.n[PARTS]
        if part >= s.parts.size:
            s.n[FULL] = 1
            return
        s.n[PARTS] += 1
    s.parts[part].lot, s.parts[part].place, s.parts[part].hi, s.parts[part].lo = lot, place, hi, lo
    s.parts[part].basis, s.parts[part].loss, s.parts[part].status, s.parts[part].next = basis, loss, status, -1
    local = link - p.groups[g].link_off
    if s.links[local].head < 0:
        s.links[local].head = part
        if not s.links[local].is_open:
            s.links[local].is_open = 1
            s.open_links[s.n[OPEN_LINKS]] = link
            s.n[OPEN_LINKS] += 1
    else:
        s.parts[s.links[local].tail].next = part
    s.links[local].tail = part


@inlined
def draw_down(p: Program, s: State, f: Found, g: Any, row: Any, hi: Any, lo: Any) -> None:
    """Units of a pool leave the account they lie in; the pool may give more than lies there."""
    pool = p.rows[row].pool
    if p.place_off[pool + 1] - p.place_off[pool] < 2:
        return
    here = p.rows[row].place - p.place_off[p.groups[g].pool_off]
    uh, ul = s.places[here].hi, s.places[here].lo
    if is_negative(uh):
        uh, ul = ZERO, ZERO
    if less(uh, ul, hi, lo):
        lh, ll = subtract(hi, lo, uh, ul)
        fault(f, OVERDRAWN, row, lh, ll)
    s.places[here].hi, s.places[here].lo = subtract(s.places[here].hi, s.places[here].lo, hi, lo)


@inlined
def give(p: Program, s: State, f: Found, g: Any, row: Any, slot: Any, pick: Any, lh: Any, ll: Any, paid: Any) -> Any:
    """One slot gives what it can of what is wanted; what is still wanted, and the proceeds given out so far."""
    hi, lo, status, lot = lh, ll, s.slots[slot].status, s.slots[slot].lot
    if less(s.slots[slot].hi, s.slots[slot].lo, hi, lo):
        hi, lo = s.slots[slot].hi, s.slots[slot].lo
    basis, loss = take(p, s, g, slot, hi, lo, p.rows[row].year)
    if p.rows[row].op == DISPOSE:
        paid = piece(p, s, f, row, lot, pick, hi, lo, paid, basis, loss, status)
    else:
        send(p, s, g, p.rows[row].link, p.rows[row].place, lot, hi, lo, basis, loss, status)
    rh, rl = subtract(lh, ll, hi, lo)
    return rh, rl, paid


@inlined
def give_picked(p: Program, s: State, f: Found, g: Any, row: Any, lh: Any, ll: Any) -> Any:
    """The lots that are named go first, each up to the units that it is named for."""
    paid = 0
    for pick in range(p.rows[row].pick_from, p.rows[row].pick_to):
        wh, wl = p.picks[pick].hi, p.picks[pick].lo
        counted = wh != ZERO or wl != ZERO
        if not counted or less(lh, ll, wh, wl):
            wh, wl = lh, ll
        slot = find(p, s, g, p.picks[pick].lot, p.rows[row].pool) if p.picks[pick].lot >= 0 else -1
        if slot >= 0 and (s.slots[slot].hi != ZERO or s.slots[slot].lo != ZERO) and (wh != ZERO or wl != ZERO):
            kept_h, kept_l = subtract(lh, ll, wh, wl)
            wh, wl, paid = give(p, s, f, g, row, slot, pick, wh, wl, paid)
            lh, ll = add(kept_h, kept_l, wh, wl)
        if counted and (wh != ZERO or wl != ZERO):
            fault(f, PICK_UNMET, row, wh, wl)
    return lh, ll, paid


@inlined
def exits(p: Program, s: State, f: Found, g: Any, row: Any) -> None:
    """Units leave a pool: picked lots first, then by method; what the pool lacks is a fault, and a piece without lot."""
    s.done[0], s.done[1] = ZERO, ZERO
    lh, ll, paid = p.rows[row].hi, p.rows[row].lo, 0
    if p.rows[row].pick_from < p.rows[row].pick_to:
        lh, ll, paid = give_picked(p, s, f, g, row, lh, ll)
    if p.rows[row].method == TAXMIN:
        turn_long(p, s, g, p.rows[row].date)
    while (lh != ZERO or ll != ZERO) and not s.n[FULL]:
        lot = next_lot(p, s, g, row)
        if lot < 0:
            break
        lh, ll, paid = give(p, s, f, g, row, find(p, s, g, lot, p.rows[row].pool), -1, lh, ll, paid)
    gone_h, gone_l = subtract(p.rows[row].hi, p.rows[row].lo, lh, ll)
    draw_down(p, s, f, g, row, gone_h, gone_l)
    if lh != ZERO or ll != ZERO:
        fault(f, SHORTFALL, row, lh, ll)
        if p.rows[row].op == DISPOSE:
            piece(p, s, f, row, -1, -1, lh, ll, paid, NONE, NONE, UNKNOWN)


@inlined
def settle(p: Program, s: State, g: Any, row: Any, hi: Any, lo: Any) -> None:
    """Units more lie in the row's account; counted only where a pool has several."""
    pool = p.rows[row].pool
    if p.place_off[pool + 1] - p.place_off[pool] > 1:
        here = p.rows[row].place - p.place_off[p.groups[g].pool_off]
        s.places[here].hi, s.places[here].lo = add(s.places[here].hi, s.places[here].lo, hi, lo)


@inlined
def acquire(p: Program, s: State, g: Any, row: Any) -> None:
    """A lot is opened."""
    lot = p.rows[row].lot
    put(p, s, g, lot, p.rows[row].pool, p.rows[row].hi, p.rows[row].lo, p.lots[lot].basis, p.lots[lot].loss, p.lots[lot].status,
        p.rows[row].year)  # fmt: skip
    settle(p, s, g, row, p.rows[row].hi, p.rows[row].lo)


@inlined
def came_short(p: Program, s: State, f: Found, g: Any, row: Any, fh: Any, fl: Any) -> None:
    """Units came in beyond what had left: a lot of unknown basis, never zero."""
    if not less(fh, fl, p.rows[row].hi, p.rows[row].lo):
        return
    hi, lo = subtract(p.rows[row].hi, p.rows[row].lo, fh, fl)
    fault(f, SHORTFALL, row, hi, lo)
    n = f.n[ENTRIES]
    f.n[ENTRIES] += 1
    if n < f.entered.size:
        f.entered[n].lot, f.entered[n].hi, f.entered[n].lo = p.rows[row].lot, hi, lo
    put(p, s, g, p.rows[row].lot, p.rows[row].pool, hi, lo, NONE, NONE, UNKNOWN, p.rows[row].year)
    settle(p, s, g, row, hi, lo)


@inlined
def arrive(p: Program, s: State, f: Found, g: Any, row: Any) -> None:
    """What a transfer carries comes to rest: lots with their basis and date."""
    local = p.rows[row].link - p.groups[g].link_off
    part = s.links[local].head
    fh, fl = ZERO, ZERO
    while part >= 0:
        hi, lo = s.parts[part].hi, s.parts[part].lo
        fh, fl = add(fh, fl, hi, lo)
        n = f.n[MOVES]
        f.n[MOVES] += 1
        if n < f.moves.size:
            f.moves[n].row, f.moves[n].lot, f.moves[n].place = row, s.parts[part].lot, s.parts[part].place
            f.moves[n].hi, f.moves[n].lo, f.moves[n].basis = hi, lo, s.parts[part].basis
        put(p, s, g, s.parts[part].lot, p.rows[row].pool, hi, lo, s.parts[part].basis, s.parts[part].loss, s.parts[part].status,
            p.rows[row].year)  # fmt: skip
        following = s.parts[part].next
        s.parts[part].next = s.n[FREE]
        s.n[FREE] = part
        part = following
    s.links[local].head = -1
    settle(p, s, g, row, fh, fl)
    came_short(p, s, f, g, row, fh, fl)


@inlined
def leave(p: Program, s: State, f: Found, g: Any, row: Any) -> None:
    """Units set out for another account of their own pool: no lot moves."""
    first = p.place_off[p.groups[g].pool_off]
    pool = p.rows[row].pool
    th, tl = ZERO, ZERO
    for place in range(p.place_off[pool], p.place_off[pool + 1]):
        if not p.places[place].transit:
            th, tl = add(th, tl, s.places[place - first].hi, s.places[place - first].lo)
    hi, lo = p.rows[row].hi, p.rows[row].lo
    if is_negative(th):
        th, tl = ZERO, ZERO
    if less(th, tl, hi, lo):
        hi, lo = th, tl
    draw_down(p, s, f, g, row, hi, lo)
    under = p.rows[row].transit - first
    s.places[under].hi, s.places[under].lo = add(s.places[under].hi, s.places[under].lo, hi, lo)
    if less(hi, lo, p.rows[row].hi, p.rows[row].lo):
        lh, ll = subtract(p.rows[row].hi, p.rows[row].lo, hi, lo)
        fault(f, SHORTFALL, row, lh, ll)


@inlined
def come_back(p: Program, s: State, f: Found, g: Any, row: Any) -> None:
    """Units arrive from another account of their own pool."""
    under = p.rows[row].transit - p.place_off[p.groups[g].pool_off]
    hi, lo = s.places[under].hi, s.places[under].lo
    s.places[under].hi, s.places[under].lo = ZERO, ZERO
    settle(p, s, g, row, hi, lo)
    came_short(p, s, f, g, row, hi, lo)


# --- the end of a year -----------------------------------------------------------------------------------------------


@inlined
def closed(
    f: Found, year: Any, lot: Any, place: Any, link: Any, hi: Any, lo: Any, basis: Any, loss: Any, status: Any
) -> None:
    """Write a part of a lot that is held at the end of a year."""
    n = f.n[CLOSING]
    f.n[CLOSING] += 1
    if n < f.closing.size:
        f.closing[n].year, f.closing[n].lot, f.closing[n].place, f.closing[n].link = year, lot, place, link
        f.closing[n].hi, f.closing[n].lo, f.closing[n].basis = hi, lo, basis
        f.closing[n].loss, f.closing[n].status = loss, status


@inlined
def between(total: Any, ah: Any, al: Any, bh: Any, bl: Any, wh: Any, wl: Any) -> Any:
    """The share of `total` that falls on the units from a to b of w."""
    if total == NONE:
        return NONE
    return share(total, bh, bl, wh, wl) - share(total, ah, al, wh, wl)


@hot
def spread(
    p: Program, s: State, f: Found, slot: Any, year: Any, place: Any, ends: Any, wh: Any, wl: Any
) -> Any:  # fmt: skip
    """One slot over the places from `place` on, which still takes w; where it came to, and what that still takes."""
    first, end = ends
    here = s.slots[slot]
    th, tl = ZERO, ZERO
    while less(th, tl, here.hi, here.lo):
        while wh == ZERO and wl == ZERO and place + 1 < end:
            place += 1
            wh, wl = s.places[place - first].hi, s.places[place - first].lo
            if is_negative(wh):
                wh, wl = ZERO, ZERO
                s.places[place - first].hi, s.places[place - first].lo = ZERO, ZERO
        hi, lo = subtract(here.hi, here.lo, th, tl)
        if less(wh, wl, hi, lo):
            hi, lo = wh, wl
        if hi == ZERO and lo == ZERO:
            break
        eh, el = add(th, tl, hi, lo)
        basis = between(here.basis, th, tl, eh, el, here.hi, here.lo)
        loss = between(here.loss, th, tl, eh, el, here.hi, here.lo) if p.lots[here.lot].dual else basis
        closed(f, year, here.lot, place, -1, hi, lo, basis, loss, here.status)
        th, tl = eh, el
        wh, wl = subtract(wh, wl, hi, lo)
    return place, wh, wl


@hot
def lay_out(p: Program, s: State, f: Found, g: Any, pool: Any, year: Any) -> None:
    """The lots of a pool over the places that hold its units: places in their order, lots by age.

    A place that gave more than it had is empty, and the last ones hold less: from here on that is where the units are.
    """
    first = p.place_off[p.groups[g].pool_off]
    place, end = p.place_off[pool] - 1, p.place_off[pool + 1]
    wh, wl = ZERO, ZERO
    base = s.set_base[BY_AGE] + (pool - p.groups[g].pool_off) * s.n[WORDS]
    words = (p.groups[g + 1].lot_off - p.groups[g].lot_off + 63) >> 6
    for word in range(words):
        rest = s.bits[base + word]
        while rest != ZERO:
            age = (word << 6) + np.int64(trailing_zeros(rest))
            rest &= rest - ONE
            slot = find(p, s, g, p.groups[g].lot_off + age, pool)
            place, wh, wl = spread(p, s, f, slot, year, place, (first, end), wh, wl)
    if place >= p.place_off[pool]:
        last = s.places[place - first]
        last.hi, last.lo = subtract(last.hi, last.lo, wh, wl)
    for after in range(place + 1, end):
        s.places[after - first].hi, s.places[after - first].lo = ZERO, ZERO


@hot
def close(p: Program, s: State, f: Found, g: Any, year: Any) -> None:
    """Everything that is held at the end of a year."""
    kept = 0
    for i in range(s.n[LIVE]):
        slot = s.live[i]
        if s.slots[slot].hi == ZERO and s.slots[slot].lo == ZERO:
            s.slots[slot].is_live = 0
            continue
        s.live[kept] = slot
        kept += 1
        pool = s.slots[slot].pool
        if p.place_off[pool + 1] - p.place_off[pool] < 2:
            held = s.slots[slot]
            closed(f, year, held.lot, p.place_off[pool], -1, held.hi, held.lo, held.basis, held.loss, held.status)
    s.n[LIVE] = kept
    for pool in range(p.groups[g].pool_off, p.groups[g + 1].pool_off):
        if p.place_off[pool + 1] - p.place_off[pool] > 1:
            lay_out(p, s, f, g, pool, year)
    kept = 0
    for i in range(s.n[OPEN_LINKS]):
        link = s.open_links[i]
        part = s.links[link - p.groups[g].link_off].head
        if part < 0:
            s.links[link - p.groups[g].link_off].is_open = 0
            continue
        s.open_links[kept] = link
        kept += 1
        while part >= 0:
            sent = s.parts[part]
            closed(f, year, sent.lot, sent.place, link, sent.hi, sent.lo, sent.basis, sent.loss, sent.status)
            part = sent.next
    s.n[OPEN_LINKS] = kept


# --- groups ----------------------------------------------------------------------------------------------------------


@compiled
def prepare(p: Program, s: State, g: Any) -> None:
    """Set the scratch up for a group."""
    lots = p.groups[g + 1].lot_off - p.groups[g].lot_off
    pools = p.groups[g + 1].pool_off - p.groups[g].pool_off
    first = p.place_off[p.groups[g].pool_off]
    places = p.place_off[p.groups[g + 1].pool_off] - first
    words = shape(max(lots, 1), s.levels)
    s.n[:] = 0
    s.n[FREE], s.n[WORDS] = -1, words
    s.set_base[:] = -1
    sets = 0
    for order in range(5):
        needed = NEED_COST if order == BY_COST else (NEED_LEAST_COST if order == BY_LEAST_COST else NEED_TERMS)
        if order == BY_AGE or p.groups[g].need & needed:
            s.set_base[order] = sets * pools * words
            sets += 1
    s.bits[: sets * pools * words] = ZERO
    s.head[:lots] = -1
    s.is_long[:lots] = 0
    for link in range(p.groups[g + 1].link_off - p.groups[g].link_off):
        s.links[link].head, s.links[link].is_open = -1, 0
    for place in range(places):
        s.places[place].hi, s.places[place].lo = p.places[first + place].hi, p.places[first + place].lo
    if p.groups[g].need & (NEED_COST | NEED_TERMS):
        rank_by_cost(p, p.groups[g].lot_off, lots, 1, s.at, s.rank)
    if p.groups[g].need & NEED_LEAST_COST:
        rank_by_cost(p, p.groups[g].lot_off, lots, -1, s.at_least, s.rank_least)
    if p.groups[g].need & NEED_TERMS:
        s.by_long[:lots] = np.argsort(p.lots[p.groups[g].lot_off : p.groups[g + 1].lot_off].long_from, kind="mergesort")


@hot
def carry_in(p: Program, s: State, g: Any) -> None:
    """The slots and the parts under way with which the group opens."""
    year = p.groups[g].first_year - 1
    for i in range(p.groups[g].slot_off, p.groups[g + 1].slot_off):
        slot = p.slots[i]
        put(p, s, g, slot.lot, slot.pool, slot.hi, slot.lo, slot.basis, slot.loss, slot.status, year)
    for i in range(p.groups[g].part_off, p.groups[g + 1].part_off):
        part = p.parts[i]
        send(p, s, g, part.link, part.place, part.lot, part.hi, part.lo, part.basis, part.loss, part.status)


@inlined
def step(p: Program, s: State, f: Found, g: Any, row: Any) -> None:
    """One row of a group."""
    op = p.rows[row].op
    if op == ACQUIRE:
        acquire(p, s, g, row)
    elif op in (DISPOSE, DEPART, OUTSIDE):
        exits(p, s, f, g, row)
    elif op == ARRIVE:
        arrive(p, s, f, g, row)
    elif op == LEAVE:
        leave(p, s, f, g, row)
    else:
        come_back(p, s, f, g, row)


@hot
def group(p: Program, s: State, f: Found, g: Any) -> Any:
    """The book of one group that is prepared; False where the scratch ran out."""
    carry_in(p, s, g)
    if s.n[FULL]:
        return False
    year = p.groups[g].first_year
    moves = f.n[MOVES]
    for row in range(p.groups[g].row_off, p.groups[g + 1].row_off):
        while year < p.rows[row].year:
            close(p, s, f, g, year)
            year += 1
        step(p, s, f, g, row)
        if s.n[FULL]:
            return False
    while year <= p.groups[g].last_year:
        close(p, s, f, g, year)
        year += 1
    if f.n[MOVES] - moves > p.groups[g].move_cap:
        fault(f, MOVES_CAPPED, p.groups[g + 1].row_off - 1, ZERO, np.uint64(f.n[MOVES] - moves - p.groups[g].move_cap))
        f.n[MOVES] = moves + p.groups[g].move_cap
    return True


@compiled
def room(old: Any, least_size: Any) -> Any:
    """A larger array that begins as the old one, where that is too small."""
    if old.size >= least_size:
        return old
    new = np.empty(2 * least_size, old.dtype)
    new[: old.size] = old
    return new


@compiled
def scratch(p: Program, first: Any, last: Any, factor: Any) -> State:
    """Scratch for the largest of some groups; `factor` doubles until it is enough."""
    lots = slots = links = places = words = 1
    for g in range(first, last):
        here, after = p.groups[g], p.groups[g + 1]
        if here.need < 0:
            continue
        count = after.lot_off - here.lot_off
        lots = max(lots, count)
        slots = max(slots, count + after.slot_off - here.slot_off + after.part_off - here.part_off)
        links = max(links, after.link_off - here.link_off)
        places = max(places, p.place_off[after.pool_off] - p.place_off[here.pool_off])
        words = max(words, sets_of(here.need) * (after.pool_off - here.pool_off) * words_of(count))
    slots = (slots + 64) * factor
    i = np.int64
    return State(
        np.empty(slots, HELD), np.empty(slots, i), np.empty(lots, i), np.empty(lots, i), np.empty(lots, i),
        np.empty(lots, i), np.empty(lots, i), np.empty(lots, i), np.empty(lots, i), np.empty(words, np.uint64),
        np.empty(8, i), np.empty(5, i), np.empty(places, PLACE), np.empty(slots, SENT), np.empty(links, LINK),
        np.empty(links, i), np.empty(2, np.uint64), np.empty(8, i),
    )  # fmt: skip


@compiled
def sets_of(need: Any) -> Any:
    """How many orders a group keeps for each pool."""
    return 1 + (need & 1) + (need >> 1 & 1) + 2 * (need >> 2 & 1)


@compiled
def words_of(members: Any) -> Any:
    """The words of a set of so many members (see `shape`)."""
    return shape(max(members, 1), np.empty(8, np.int64))


@compiled
def nothing_found(rows: Any) -> Found:
    """Room for what so many rows usually give."""
    n, few = rows + 64, rows // 8 + 64
    return Found(
        np.empty(n, PIECE), np.empty(few, MOVE), np.empty(n, CLOSED), np.empty(few, FAULT), np.empty(few, ENTERED),
        np.zeros(5, np.int64),
    )  # fmt: skip


@compiled
def overflowed(f: Found) -> Any:
    """Whether a counter passed the end of its array."""
    return (
        f.n[PIECES] > f.pieces.size
        or f.n[MOVES] > f.moves.size
        or f.n[CLOSING] > f.closing.size
        or f.n[FAULTS] > f.faults.size
        or f.n[ENTRIES] > f.entered.size
    )


@compiled
def more_room(f: Found) -> Found:
    """The same with room for what was counted."""
    return Found(
        room(f.pieces, f.n[PIECES]), room(f.moves, f.n[MOVES]), room(f.closing, f.n[CLOSING]),
        room(f.faults, f.n[FAULTS]), room(f.entered, f.n[ENTRIES]), f.n,
    )  # fmt: skip


@compiled
def book(p: Program, s: State, f: Found, g: Any) -> Any:
    """The book of one group; False where the scratch ran out."""
    prepare(p, s, g)
    return group(p, s, f, g)


@compiled
def groups(p: Program, first: Any, last: Any) -> Found:
    """The books of a range of groups, one after the other."""
    f = nothing_found(p.groups[last].row_off - p.groups[first].row_off)
    factor = 1
    s = scratch(p, first, last, factor)
    before = np.zeros(5, np.int64)
    g = first
    while g < last:
        before[:] = f.n
        if p.groups[g].need < 0:
            g += 1
        elif not book(p, s, f, g):
            factor *= 2
            s = scratch(p, first, last, factor)
            f.n[:] = before
        elif overflowed(f):
            f = more_room(f)
            f.n[:] = before
        else:
            g += 1
    return f


ROWS_A_TASK = 250_000


def run(program: Program, threads: int | None = None) -> Found:
    """The books of all groups but those whose `need` is -1; the same on any number of threads.

    Args:
        program: see `Program`; every group within the guards of `transforms.lots.program`.
        threads: how many tasks run at once; None: as many as Python's pool of threads takes for the machine.
    """
    row_off = program.groups["row_off"]
    starts = np.searchsorted(row_off, np.arange(0, row_off[-1] + 1, ROWS_A_TASK))
    bounds = np.unique(np.append(starts, [0, row_off.size - 1])).tolist()
    tasks = sorted(pairwise(bounds), key=lambda task: int(row_off[task[0]] - row_off[task[1]]))
    with ThreadPoolExecutor(threads) as pool:
        done = dict(zip(tasks, pool.map(lambda task: _cut(groups(program, *task)), tasks), strict=True))
    return together([done[task] for task in sorted(tasks)] or [_cut(groups(program, 0, 0))])


def together(parts: list[Found]) -> Found:
    """Several findings as one."""
    arrays = [np.concatenate(of) for of in zip(*(part[:-1] for part in parts), strict=True)]
    return Found._make([*arrays, np.sum([part.n for part in parts], axis=0)])


def _cut(found: Found) -> Found:
    """The arrays as long as what they hold."""
    return Found._make([*(array[:length] for array, length in zip(found[:-1], found.n.tolist(), strict=True)), found.n])
