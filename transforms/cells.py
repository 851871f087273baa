"""Cells: where the benefit of a sale, a function of the net short- and long-term loss, is linear, and its maximum.

The benefit is piecewise linear and neither convex nor concave, so its cells are found and the maximum of each is taken.
A cell is a triangle (a segment where only one kind of loss can be had) that is cut where two slopes meet, until each
piece is linear or cannot hold anything better than what is known. What a benefit is lies in `valuation`, lots elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from transforms.law.parameters import Ints

Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Benefit: TypeAlias = Callable[[Ints, Ints, Ints, Ints], Ints]
"""(problem, net short loss, net long loss, basis given up) -> benefit before trading cost; all in cents."""

NOISE = 10
"""Cents: a dozen taxes, each rounded to cents, make a benefit; so much off a straight line is no bend."""
AT_ONCE = 24
"""Cells of one problem looked at in a round, the most promising first."""
MOST_CELLS = 1_000
"""Cells looked at for one problem; what is then left open counts in the gap."""
SMALLEST = 50
"""Cents: an edge that is not cut any more."""
BESIDE, A_FEW = 100, 5
"""Cents: how near a bend a point is put on it, and how much it may cost (less than the rounding of the taxes)."""
BENT = 4
"""How far the benefit can be off a cell's plane, in times of what the probes are off it: a roof over an edge, seen at an eighth
of it from either end, is at most four times as high."""
_PROBE, _CLOSE = 1 / 8, 1 / 64
_STEPS = tuple(10**power * digit for power in (6, 5, 4, 3, 2, 1, 0) for digit in (5, 2, 1))
_STRIDES = 8
A_STEP = 1_000
_DIRECTIONS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1), (1, 1), (-1, -1)], dtype=np.float64)
_EDGES = ((0, 1), (1, 2), (2, 0))


@dataclass(frozen=True)
class Costs:
    """Of each problem the least trading cost of a net loss, a convex curve for each side.

    A segment of the arrays is one problem's lots on one side (`side`: 0 short-term losses, 1 short-term gains, 2
    long-term losses, 3 long-term gains), cheapest first: `amount` (cumulative loss or gain, cents), `cost` (cumulative,
    cents), `rate` (cost a cent). `start` and `stop`: (problem, side).
    """

    amount: Floats
    cost: Floats
    rate: Floats
    start: Ints
    stop: Ints

    def total(self, side: int) -> Ints:
        """All that each problem has on a side, whole cents."""
        some = self.stop[:, side] > self.start[:, side]
        last = np.where(some, self.stop[:, side] - 1, 0)
        amounts = self.amount[last] if self.amount.size else np.zeros(some.size)
        return np.where(some, np.floor(amounts + 1e-6), 0).astype(np.int64)

    def of(self, problem: Ints, net: Floats, term: int) -> Floats:
        """The least cost of a net loss (negative: gain) of a term (0 short, 1 long)."""
        loss, side = np.abs(net), 2 * term + (net < 0)
        start, stop = self.start[problem, side], self.stop[problem, side]
        at = np.minimum(_first(self.amount, start, stop, loss), np.maximum(start, stop - 1))
        has = stop > start
        first = at == start
        before = np.where(first, 0, at - 1)
        if not self.amount.size:
            return np.zeros_like(loss)
        at = np.minimum(at, self.amount.size - 1)
        from_amount = np.where(first, 0.0, self.amount[before])
        from_cost = np.where(first, 0.0, self.cost[before])
        return np.where(has, from_cost + (loss - from_amount) * self.rate[at], 0.0)

    def worth_selling(self, problem: Ints, slope: Floats, term: int) -> Floats:
        """The net loss (negative: gain) whose every lot costs less a cent than `slope` brings."""
        side = 2 * term + (slope < 0)
        start, stop = self.start[problem, side], self.stop[problem, side]
        at = _first(self.rate, start, stop, np.abs(slope))
        if not self.amount.size:
            return np.zeros_like(slope)
        amount = np.where(at > start, self.amount[np.maximum(at - 1, 0)], 0.0)
        return np.where(slope < 0, -amount, amount)


class Domain(NamedTuple):
    """The net losses that each problem can have, cents (a gain is negative), and where the law is likely to bend."""

    short: Ints
    """(problem, coordinate), each row ascending: its ends, zero, and bends."""
    long: Ints
    total: Ints
    """(problem, coordinate): sums of both where the law bends: a point within a dollar of one is put on it."""


class Cells(NamedTuple):
    """Cells: the problem of each, three corners with the benefit there, and what no point of it can exceed, cost paid."""

    problem: Ints
    short: Ints
    long: Ints
    benefit: Ints
    most: Floats

    @property
    def corners(self) -> tuple[Ints, Ints, Ints]:
        return self.short, self.long, self.benefit


class Found(NamedTuple):
    """The best net losses of each problem, what they bring after trading cost, and what nothing can exceed."""

    short: Ints
    long: Ints
    value: Floats
    bound: Floats


def maximise(domain: Domain, benefit: Benefit, costs: Costs, known: Found | None = None) -> tuple[Found, Cells]:
    """The best net losses of each problem, and the cells that could hold them.

    Args:
        domain: where to look.
        benefit: see `Benefit`; it never falls where more loss of either term is had for the same basis given up, which
            is what a part is left out by.
        costs: the trading cost of net losses.
        known: values that can be had, where the points of a cell cannot all be had (forced orders): the cells that could
            beat them are collected, and no point is tried.
    """
    search = _Search(domain, benefit, costs, known)
    search.add(_first_cells(domain, benefit))
    while search.round():
        pass
    search.climb()
    search.tidy(domain)
    return search.result()


class _Search:
    """The state of a search: the best of each problem so far, and the bound of what was left open."""

    def __init__(self, domain: Domain, benefit: Benefit, costs: Costs, known: Found | None) -> None:
        self.benefit, self.costs, self.forced = benefit, costs, known is not None
        problems = np.arange(domain.short.shape[0])
        zero = np.zeros_like(problems)
        start = Found(
            zero.copy(),
            zero.copy(),
            benefit(problems, zero, zero, zero).astype(np.float64),
            np.full(zero.size, -np.inf),
        )
        self.best = known or start
        self.ends = [(of[:, 0].astype(np.float64), of[:, -1].astype(np.float64)) for of in domain[:2]]
        self.queue = _none()
        self.looked_at = np.zeros(problems.size, np.int64)
        self.linear: list[Cells] = []

    def result(self) -> tuple[Found, Cells]:
        """The best, with its bound, and the linear cells."""
        # cells left open are told as if they were linear: what they promise is checked by who asks
        every = [*self.linear, self.queue]
        found = Cells(*(np.concatenate(part) for part in zip(*every, strict=True)))
        bound = self.best.value.copy()
        np.maximum.at(bound, self.queue.problem, self.queue.most)
        return self.best._replace(bound=bound), found

    def add(self, cells: Cells) -> None:
        """Try the corners of new cells, and keep those that could hold something better."""
        if not self.forced:
            self.try_points(cells.problem, cells.short.astype(np.float64), cells.long.astype(np.float64), cells.benefit)
        cells = cells._replace(most=np.minimum(cells.most, self.bound(cells)))
        self.queue = _both(self.queue, _pick(cells, self._hopeful(cells)))

    def _hopeful(self, cells: Cells) -> Bools:
        return np.asarray(cells.most > self.best.value[cells.problem] + 1)

    def round(self) -> bool:
        """Look into the most promising cells of each problem: linear or cut; whether any was left."""
        queue = _pick(self.queue, self._hopeful(self.queue))
        order = np.lexsort((-queue.most, queue.problem))
        of = queue.problem[order]
        first = np.searchsorted(of, of, side="left")
        chosen = np.zeros(of.size, np.bool_)
        chosen[order] = (np.arange(of.size) - first < AT_ONCE) & (self.looked_at[of] < MOST_CELLS)
        cells = _pick(queue, chosen)
        self.queue = _pick(queue, ~chosen)
        np.add.at(self.looked_at, cells.problem, 1)
        if not cells.problem.size:
            return False
        probes = _probes(cells, self.benefit)
        seen = cells.benefit.max(axis=1) - self._least_cost(cells) + BENT * probes.off + NOISE
        cells = cells._replace(most=np.minimum(cells.most, seen))
        straight = probes.straight | (_longest(cells) <= SMALLEST)
        self._linear(_pick(cells, straight))
        bent = ~straight & self._hopeful(cells)
        self.add(_cut(_pick(cells, bent), probes.take(bent), self.benefit))
        return True

    def climb(self) -> None:
        """From the best point uphill by ever smaller steps in eight directions; long ones where cells were left open."""
        if self.forced:
            return
        problems = np.flatnonzero((self.best.short != 0) | (self.best.long != 0))
        for step in _STEPS:
            left = problems if step <= A_STEP else np.unique(self.queue.problem)
            for _ in range(_STRIDES if left.size else 0):
                before = self.best.value[left].copy()
                short, long = (self.best[k][left, None] + step * _DIRECTIONS[None, :, k] for k in (0, 1))
                ends = zip((short, long), self.ends, strict=True)
                short, long = (np.clip(at, low[left, None], high[left, None]) for at, (low, high) in ends)
                self.try_points(left, short, long)
                if not np.any(self.best.value[left] > before):
                    break

    def tidy(self, domain: Domain) -> None:
        """Put a best point on the bend of the law that it stands beside: roundings of taxes push it off by cents."""
        if self.forced:
            return
        problems, nothing = np.arange(self.best.value.size), np.zeros_like(self.best.short)
        for bends, moves in ((domain.short, (0,)), (domain.long, (1,)), (domain.total, (0, 1))):
            for bend in bends.T:
                best: tuple[Ints, Ints] = self.best.short, self.best.long
                stands = best[0] + best[1] if len(moves) == 2 else best[moves[0]]
                off = np.where(np.abs(bend - stands) <= BESIDE, bend - stands, 0)
                if not np.any(off):
                    continue
                for move in moves:
                    to: list[Ints] = [best[k] + (off if k == move else nothing) for k in (0, 1)]
                    low, high = self.ends[move]
                    had = _at(self.benefit, problems, to[0], to[1])
                    value = had - sum(self.costs.of(problems, to[k].astype(np.float64), k) for k in (0, 1))
                    fine = (off != 0) & (to[move] >= low) & (to[move] <= high) & (value >= self.best.value - A_FEW)
                    for k in (0, 1):
                        best[k][fine] = to[k][fine]
                    self.best.value[fine] = value[fine]
                    off = np.where(fine, 0, off)

    def bound(self, cells: Cells) -> Floats:
        """What no point of a cell can exceed: all its loss for the least basis given up and the least cost."""
        short, long = cells.short.max(axis=1), cells.long.max(axis=1)
        given_up = (cells.short + cells.long).min(axis=1)
        most = self.benefit(cells.problem, short, long, given_up)
        return most + NOISE - self._least_cost(cells)

    def _least_cost(self, cells: Cells) -> Floats:
        cost = np.zeros(cells.problem.size)
        for term, amounts in enumerate((cells.short, cells.long)):
            nearest = np.clip(0, amounts.min(axis=1), amounts.max(axis=1))
            cost += self.costs.of(cells.problem, nearest.astype(np.float64), term)
        return cost

    def _linear(self, cells: Cells) -> None:
        most = cells.benefit.max(axis=1) - self._least_cost(cells)
        cells = _pick(cells, most + NOISE > self.best.value[cells.problem])
        if not cells.problem.size:
            return
        if self.forced:
            self.linear.append(cells)
            return
        short, long = _best_of_linear(cells, self.costs)
        self.try_points(cells.problem, short[:, None], long[:, None])

    def try_points(self, problem: Ints, short: Floats, long: Floats, benefit: Ints | None = None) -> None:
        """Take what is better than the best so far; of equals (to a cent) the smaller sale."""
        width = short.shape[1]
        of, shorts, longs = np.repeat(problem, width), np.rint(short.ravel()), np.rint(long.ravel())
        whole = shorts.astype(np.int64), longs.astype(np.int64)
        had = _at(self.benefit, of, *whole) if benefit is None else benefit.ravel()
        value = had - self.costs.of(of, shorts, 0) - self.costs.of(of, longs, 1)
        order = np.lexsort((np.abs(shorts) + np.abs(longs), -np.round(value), of))
        first = order[np.r_[True, of[order][1:] != of[order][:-1]]] if of.size else order
        size = np.abs(self.best.short) + np.abs(self.best.long)
        at, new = of[first], value[first]
        smaller = np.abs(shorts[first]) + np.abs(longs[first]) < size[at]
        better = (new > self.best.value[at] + 1) | ((new >= self.best.value[at] - 0.5) & smaller)
        take, at = first[better], at[better]
        for field, values in zip(self.best[:3], (whole[0], whole[1], value), strict=True):
            field[at] = values[take]


class _Probes(NamedTuple):
    """What a cell's benefit does along its edges and in its middle."""

    off: Floats
    """How far a probe is off the plane through the corners at most, cents."""
    bend: Floats
    """(cell, edge): how far the probes near its ends are off its chord."""
    place: Floats
    """(cell, edge): where the slopes at its ends meet, as a part of it."""

    def take(self, which: Bools) -> _Probes:
        return _Probes(self.off[which], self.bend[which], self.place[which])

    @property
    def straight(self) -> Bools:
        return np.asarray(self.off <= NOISE)


def _probes(cells: Cells, benefit: Benefit) -> _Probes:
    """Seven points a cell, asked together: near both ends of each edge, and the middle."""
    places = [_place(cells, one, other, part) for one, other in _EDGES for part in (_PROBE, 1 - _PROBE)]
    middle = tuple(np.rint(amounts.mean(axis=1)).astype(np.int64) for amounts in (cells.short, cells.long))
    short, long = (np.concatenate([*(place[k] for place in places), middle[k]]) for k in (0, 1))
    found = _at(benefit, np.tile(cells.problem, 7), short, long).astype(np.float64).reshape(7, -1)
    points = [_Point(*place[:2], values, place[2]) for place, values in zip(places, found, strict=False)]
    edges = [_edge(cells, ends, points[2 * k], points[2 * k + 1], benefit) for k, ends in enumerate(_EDGES)]
    bend, place = (np.stack(part, axis=1) for part in zip(*edges, strict=True))
    off = np.maximum(bend.max(axis=1), np.abs(found[6] - _plane(cells, *middle)))
    return _Probes(off, bend, place)


def _edge(cells: Cells, ends: tuple[int, int], near: _Point, far: _Point, benefit: Benefit) -> tuple[Floats, Floats]:
    """How far an edge is off its chord at the probes near its ends, and where the slopes at the ends meet.

    Where both probes lie on one line the bend is between the other end and its probe: that end's slope is then taken
    from closer by.
    """
    one, other = ends
    start, end = (cells.benefit[:, corner].astype(np.float64) for corner in ends)
    chord = end - start
    bend = np.maximum(np.abs(near.benefit - start - near.part * chord), np.abs(far.benefit - start - far.part * chord))
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = np.where(near.part > 0, (near.benefit - start) / near.part, chord)
        falling = np.where(far.part < 1, (end - far.benefit) / (1 - far.part), chord)
        on_far = (bend > NOISE) & (np.abs(end - falling * (1 - near.part) - near.benefit) <= NOISE / 2)
        on_near = (bend > NOISE) & ~on_far & (np.abs(start + rising * far.part - far.benefit) <= NOISE / 2)
        for which, part in ((on_far, _CLOSE), (on_near, 1 - _CLOSE)):
            some = np.flatnonzero(which)
            if some.size:
                close = _on(_pick(cells, some), one, other, part, benefit)
                if part == _CLOSE:
                    rising[some] = np.where(close.part > 0, (close.benefit - start[some]) / close.part, chord[some])
                else:
                    falling[some] = np.where(
                        close.part < 1, (end[some] - close.benefit) / (1 - close.part), chord[some]
                    )
        meet = (chord - falling) / (rising - falling)
    least = np.where(on_far | on_near, 1e-4, 0.02)
    return bend, np.where(np.isfinite(meet) & (meet > least) & (meet < 1 - least), meet, 0.5)


class _Point(NamedTuple):
    short: Ints
    long: Ints
    benefit: Floats
    part: Floats
    """Where the point, in whole cents, lies on its edge."""


def _place(cells: Cells, one: int, other: int, part: float | Floats) -> tuple[Ints, Ints, Floats]:
    """A point on each cell's edge, in whole cents, and where on it the whole cents are."""
    s0, s1, l0, l1 = cells.short[:, one], cells.short[:, other], cells.long[:, one], cells.long[:, other]
    short = s0 + np.rint((s1 - s0) * part).astype(np.int64)
    long = l0 + np.rint((l1 - l0) * part).astype(np.int64)
    longer = np.abs(s1 - s0) >= np.abs(l1 - l0)
    whole, gone = np.where(longer, s1 - s0, l1 - l0), np.where(longer, short - s0, long - l0)
    return short, long, np.where(whole != 0, gone / np.where(whole == 0, 1, whole), 0.0)


def _on(cells: Cells, one: int, other: int, part: float | Floats, benefit: Benefit) -> _Point:
    """A point on each cell's edge, with the benefit there."""
    short, long, true_part = _place(cells, one, other, part)
    return _Point(short, long, _at(benefit, cells.problem, short, long).astype(np.float64), true_part)


def _plane(cells: Cells, short: Ints, long: Ints) -> Floats:
    """The value at a point of the plane through a cell's corners (of a flat cell: of its longest edge)."""
    slope_s, slope_l, flat = _slopes(cells)
    steps = slope_s * (short - cells.short[:, 0]) + slope_l * (long - cells.long[:, 0])
    value: Floats = cells.benefit[:, 0].astype(np.float64) + steps
    return np.where(flat, _on_longest(cells, short, long), value) if flat.any() else value


def _slopes(cells: Cells) -> tuple[Floats, Floats, Bools]:
    """The slopes of the plane through a cell's corners by short and by long loss, and whether the cell is flat."""
    (ds1, ds2), (dl1, dl2), (df1, df2) = (
        (field[:, 1] - field[:, 0], field[:, 2] - field[:, 0])
        for field in (corners.astype(np.float64) for corners in cells.corners)
    )
    area = ds1 * dl2 - ds2 * dl1
    flat = area == 0
    safe = np.where(flat, 1.0, area)
    return (df1 * dl2 - df2 * dl1) / safe, (ds1 * df2 - ds2 * df1) / safe, flat


def _on_longest(cells: Cells, short: Ints, long: Ints) -> Floats:
    rows = np.arange(cells.problem.size)
    lengths = np.stack(
        [
            np.abs(cells.short[:, a] - cells.short[:, b]) + np.abs(cells.long[:, a] - cells.long[:, b])
            for a, b in _EDGES
        ],
        axis=1,
    )
    edge = lengths.argmax(axis=1)
    one, other = np.array([a for a, _ in _EDGES])[edge], np.array([b for _, b in _EDGES])[edge]
    s0, l0, f0 = cells.short[rows, one], cells.long[rows, one], cells.benefit[rows, one]
    s1, l1, f1 = cells.short[rows, other], cells.long[rows, other], cells.benefit[rows, other]
    longer = np.abs(s1 - s0) >= np.abs(l1 - l0)
    whole = np.where(longer, s1 - s0, l1 - l0)
    gone = np.where(longer, short - s0, long - l0)
    part: Floats = np.where(whole != 0, gone / np.where(whole == 0, 1, whole), 0.0)
    found: Floats = f0 + (f1 - f0) * part
    return found


def _cut(cells: Cells, probes: _Probes, benefit: Benefit) -> Cells:
    """Every cell cut where its edges bend: across two edges, from one to its opposite corner, or from its middle."""
    bent = (probes.bend > NOISE).sum(axis=1)
    across, once = bent >= 2, bent == 1
    parts = [
        _cut_across(_pick(cells, across), probes.take(across), benefit),
        _cut_once(_pick(cells, once), probes.take(once), benefit),
        _cut_middle(_pick(cells, bent == 0), benefit),
    ]
    every = Cells(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    return _pick(every, _longest(every) > 0)


def _cut_across(cells: Cells, probes: _Probes, benefit: Benefit) -> Cells:
    """Through the two edges that bend most: their common corner, and the four-sided rest in two."""
    order = np.argsort(-probes.bend, axis=1)
    # edges 0-1, 1-2, 2-0: two of them share the corner that the third lacks
    third = order[:, 2]
    apex = np.array([2, 0, 1])[third]
    turned = _turned(cells, apex)
    rows = np.arange(apex.size)
    # in the turned cell the apex is 0: its edges are 0-1 and 2-0
    first = _on(turned, 0, 1, probes.place[rows, apex], benefit)
    second = _on(turned, 2, 0, probes.place[rows, (apex + 2) % 3], benefit)
    corner = [_corner(turned, place) for place in range(3)]
    p, q = _bare(first), _bare(second)
    same = (first.short == second.short) & (first.long == second.long)
    return _join(
        (turned, corner[0], p, q),
        (turned, p, corner[1], corner[2]),
        (_pick(turned, ~same), *(tuple(part[~same] for part in point) for point in (p, corner[2], q))),
    )


def _cut_once(cells: Cells, probes: _Probes, benefit: Benefit) -> Cells:
    edge = probes.bend.argmax(axis=1)
    turned = _turned(cells, edge)
    point = _bare(_on(turned, 0, 1, probes.place[np.arange(edge.size), edge], benefit))
    corner = [_corner(turned, place) for place in range(3)]
    return _join((turned, corner[0], point, corner[2]), (turned, point, corner[1], corner[2]))


def _cut_middle(cells: Cells, benefit: Benefit) -> Cells:
    short, long = (np.rint(amounts.mean(axis=1)).astype(np.int64) for amounts in (cells.short, cells.long))
    middle = short, long, _at(benefit, cells.problem, short, long)
    corner = [_corner(cells, place) for place in range(3)]
    return _join(*((cells, corner[one], corner[other], middle) for one, other in _EDGES))


_Corner: TypeAlias = tuple[Ints, ...]


def _corner(cells: Cells, place: int) -> _Corner:
    return cells.short[:, place], cells.long[:, place], cells.benefit[:, place]


def _bare(point: _Point) -> _Corner:
    return point.short, point.long, point.benefit.astype(np.int64)


def _join(*triangles: tuple[Cells, _Corner, _Corner, _Corner]) -> Cells:
    """Triangles of other corners, each out of a cell of the first."""
    problem, most = (np.concatenate([of[field] for of, *_ in triangles]) for field in (0, 4))
    fields = [
        np.concatenate([np.stack([corner[field] for corner in corners], axis=1) for _, *corners in triangles])
        for field in range(3)
    ]
    return Cells(problem, *fields, most)


def _turned(cells: Cells, first: Ints) -> Cells:
    """The corners in the same round, beginning with `first`."""
    order = (first[:, None] + np.arange(3)) % 3
    turned = (np.take_along_axis(field, order, axis=1) for field in cells.corners)
    return Cells(cells.problem, *turned, cells.most)


def _pick(cells: Cells, which: Bools | Ints) -> Cells:
    return Cells(*(field[which] for field in cells))


def _both(one: Cells, other: Cells) -> Cells:
    return Cells(*(np.concatenate(part) for part in zip(one, other, strict=True)))


def _none() -> Cells:
    corners = np.zeros((0, 3), np.int64)
    return Cells(np.zeros(0, np.int64), corners, corners, corners, np.zeros(0))


def _longest(cells: Cells) -> Ints:
    short, long = (amounts.max(axis=1) - amounts.min(axis=1) for amounts in (cells.short, cells.long))
    longest: Ints = np.maximum(short, long)
    return longest


def _at(benefit: Benefit, problem: Ints, short: Ints, long: Ints) -> Ints:
    """The benefit of net losses that give up as much basis."""
    return benefit(problem, short, long, short + long)


def _first_cells(domain: Domain, benefit: Benefit) -> Cells:
    """The rectangles between the coordinates, each in two along the line of equal total loss."""
    problems = np.arange(domain.short.shape[0])
    parts = []
    for i in range(domain.short.shape[1] - 1):
        for j in range(domain.long.shape[1] - 1):
            s0, s1, l0, l1 = domain.short[:, i], domain.short[:, i + 1], domain.long[:, j], domain.long[:, j + 1]
            # of a problem with one kind of loss the rectangles are segments, and those of the first column count
            wide = (s1 > s0) | ((domain.short[:, 0] == domain.short[:, -1]) & (i == 0))
            high = (l1 > l0) | ((domain.long[:, 0] == domain.long[:, -1]) & (j == 0))
            both = (s1 > s0) & (l1 > l0)
            some = wide & high & ((s1 > s0) | (l1 > l0))
            lower = np.stack([s0, s1, s0], axis=1), np.stack([l0, l0, l1], axis=1)
            upper = np.stack([s1, s1, s0], axis=1), np.stack([l1, l0, l1], axis=1)
            parts += [(problems[some], *(f[some] for f in lower)), (problems[both], *(f[both] for f in upper))]
    problem, short, long = (np.concatenate(part) for part in zip(*parts, strict=True))
    had = [_at(benefit, problem, short[:, k], long[:, k]) for k in range(3)]
    return Cells(problem, short, long, np.stack(had, axis=1), np.full(problem.size, np.inf))


def _best_of_linear(cells: Cells, costs: Costs) -> tuple[Floats, Floats]:
    """In each linear cell the point where the plane less the convex cost is highest: inside, or on an edge."""
    slope_s, slope_l, flat = _slopes(cells)
    inner_s = costs.worth_selling(cells.problem, slope_s, 0)
    inner_l = costs.worth_selling(cells.problem, slope_l, 1)
    inside = ~flat & _holds(cells, inner_s, inner_l)
    best_s, best_l = np.where(inside, inner_s, 0.0), np.where(inside, inner_l, 0.0)
    best = np.where(inside, _net(cells, costs, best_s, best_l), -np.inf)
    for one, other in _EDGES:
        short, long, net = _best_on_edge(cells, costs, one, other)
        better = net > best
        best_s, best_l, best = (
            np.where(better, short, best_s),
            np.where(better, long, best_l),
            np.where(better, net, best),
        )
    return best_s, best_l


def _net(cells: Cells, costs: Costs, short: Floats, long: Floats) -> Floats:
    slope_s, slope_l, _ = _slopes(cells)
    plane = cells.benefit[:, 0] + slope_s * (short - cells.short[:, 0]) + slope_l * (long - cells.long[:, 0])
    return plane - costs.of(cells.problem, short, 0) - costs.of(cells.problem, long, 1)


def _best_on_edge(cells: Cells, costs: Costs, one: int, other: int) -> tuple[Floats, Floats, Floats]:
    """The highest point of a concave function along an edge, by thirds."""
    ends = [(field[:, one].astype(np.float64), field[:, other].astype(np.float64)) for field in cells.corners]

    def at(part: Floats) -> tuple[Floats, Floats, Floats]:
        short, long, benefit = (start + part * (end - start) for start, end in ends)
        return short, long, benefit - costs.of(cells.problem, short, 0) - costs.of(cells.problem, long, 1)

    low, high = np.zeros(cells.problem.size), np.ones(cells.problem.size)
    for _ in range(64):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        rises = at(left)[2] < at(right)[2]
        low, high = np.where(rises, left, low), np.where(rises, high, right)
    short, long, net = at((low + high) / 2)
    for part in (np.zeros_like(low), np.ones_like(low)):
        end = at(part)
        better = end[2] >= net
        short, long, net = (np.where(better, new, old) for new, old in zip(end, (short, long, net), strict=True))
    return short, long, net


def _holds(cells: Cells, short: Floats, long: Floats) -> Bools:
    """Whether a point lies in its cell, by the signs of the areas with each edge."""
    signs = []
    for one, other in _EDGES:
        s0, l0, s1, l1 = (field[:, k].astype(np.float64) for k in (one, other) for field in (cells.short, cells.long))
        signs.append((s1 - s0) * (long - l0) - (l1 - l0) * (short - s0))
    areas = np.stack(signs, axis=1)
    return np.asarray((areas >= -1e-6).all(axis=1) | (areas <= 1e-6).all(axis=1))


def _first(values: Floats, start: Ints, stop: Ints, wanted: Floats) -> Ints:
    """In each ascending segment the first place whose value is not below what is wanted; its stop where there is none."""
    low, high = start.copy(), stop.copy()
    if not values.size:
        return low
    for _ in range(int(np.max(stop - start, initial=1)).bit_length() + 1):
        open_ = low < high
        middle = np.minimum((low + high) // 2, values.size - 1)
        below = open_ & (values[middle] < wanted)
        low = np.where(below, middle + 1, low)
        high = np.where(open_ & ~below, middle, high)
    return low
