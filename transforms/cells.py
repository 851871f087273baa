"""Cells: where the benefit of a sale, a function of the net short- and long-term loss, is linear, and its maximum.

The benefit is piecewise linear and neither convex nor concave, so its cells are found and the maximum of each is taken.
A cell is a triangle (a segment where only one kind of loss can be had). Read over it (`law.readings`), the law says how
far the benefit can be off the plane through its corners, and along which line it bends most: there the cell is cut, until
each piece is linear or cannot hold anything better than what is known; the most promising cell of a return comes first.
What a benefit is lies in `valuation`, lots elsewhere. All is compiled, one return at a time, with the law in it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from schemas.inputs import FirmSettings
from transforms.law.parameters import Ints
from transforms.law.planes import NEAR, through
from transforms.law.readings import KEPT
from transforms.law.tax import AMOUNT_LIMIT, Returns
from transforms.valuation import Outlook, Sales, evaluate, later_year, outlook, terms_of
from transforms.valuation_kernel import Sale, benefit_of, compiled, digest

Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

NOISE = 10
"""Cents: a dozen taxes, each rounded to cents, make a benefit; so much off a straight line is no bend."""
MOST_YEARS = 20
"""Later years at whose end the carryover may be used up."""
MOST_CELLS, MOST_TOLD = 20_000, 1_000
"""Cells looked at for one problem, and where they are told; what is then left open counts in the gap."""
SMALLEST = 2
"""Cents: a cell that is not cut any more."""
THIN, STEEP = 2, 2.5
"""Cents: a triangle no higher than that is its longest edge, where a cent of loss costs no more than so many cents."""
BESIDE, A_FEW = 100, 5
"""Cents: how near a bend a point is put on it, and how much it may cost (less than the rounding of the taxes)."""
A_FEW_DOLLARS = 500
"""Cents: so far about the best point of proved cells a better one is looked for, cents that their planes leave out."""
_FURTHER_IN = (2 * NEAR, 20 * NEAR)
"""Cents: how far inside a cell a point is tried where the best one is on the other side of a threshold."""
_STEPS = tuple(10**power * digit for power in (6, 5, 4, 3, 2, 1, 0) for digit in (5, 2, 1))
_STRIDES = 8
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1), (1, 1), (-1, -1))
_HALVINGS = 80
"""Of an edge, in search of its highest point: down to a cent of the longest that amounts can make."""
PROBLEMS_A_TASK = 16

listed = njit(nogil=True, error_model="numpy")
"""As `compiled`, for what keeps lists."""


class Costs(NamedTuple):
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


class Domain(NamedTuple):
    """The net losses that each problem can have, cents (a gain is negative), and where the law is likely to bend."""

    short: Ints
    """(problem, coordinate), each row ascending: its ends, zero, and bends."""
    long: Ints
    total: Ints
    """(problem, coordinate): sums of both where the law bends: a point within a dollar of one is put on it."""


class Problems(NamedTuple):
    """What is sold in any case, of each problem: the return it is of, and sums in cents (see `valuation.Sales`)."""

    row: Ints
    short_loss: Ints
    long_loss: Ints
    collectible_loss: Ints
    basis_given_up: Ints
    collectible_given_up: Ints


class Cells(NamedTuple):
    """Cells of one problem: three corners each, with the benefit there, cents."""

    short: Ints
    long: Ints
    benefit: Ints


class Found(NamedTuple):
    """The best net losses of each problem, what they bring after trading cost, and what nothing can exceed; cents.

    `cells`: of a problem whose points cannot all be had, those that could hold something better than was known.
    """

    short: Ints
    long: Ints
    value: Floats
    bound: Floats
    cells: list[Cells]


class _Case(NamedTuple):
    """One problem, as compiled code takes it."""

    scene: Any
    terms: Any
    costs: Any
    problems: Any
    problem: Any
    saved: Any
    kept: Any


class _Corner(NamedTuple):
    """A point of whole cents and the benefit there, before the trading cost."""

    short: Any
    long: Any
    benefit: Any


class _Best(NamedTuple):
    short: Any
    long: Any
    value: Any


class _Slope(NamedTuple):
    """The plane through a cell's corners: what it rises by a cent of short and of long loss; none over a flat cell."""

    short: Any
    long: Any
    flat: Any


def maximise(
    problems: Problems, costs: Costs, view: Outlook, known: Floats | None = None, *, told: bool = False
) -> Found:
    """The best net losses of each problem.

    Args:
        problems: what is sold beside them.
        costs: the trading cost of net losses.
        view: the returns and the years after. The benefit of a sale never falls where more loss of either term is had
            for the same basis given up, which is what a cell is left out by.
        known: values that are had already: only what is better is looked for, and nothing else is found.
        told: the points of a cell cannot all be had: the cells that could beat `known` are told, and no point is tried.

    Raises:
        OverflowError: an amount is beyond `AMOUNT_LIMIT`.
    """
    size = problems.row.size
    known = np.full(size, -np.inf) if known is None else known
    domain = _domain(costs, problems, view)
    _refuse_huge(problems, domain)
    out = np.zeros((size, 2), np.int64), np.zeros((size, 2))
    tasks = [(start, min(start + PROBLEMS_A_TASK, size)) for start in range(0, size, PROBLEMS_A_TASK)]
    columns = map(_plain, (costs, domain, problems))
    given = view.scene, terms_of(view.settings, whole=False), *columns, known, told
    if len(tasks) > 1:
        with ThreadPoolExecutor() as pool:
            made = list(pool.map(_search, repeat(given), tasks, repeat(out)))
    else:
        made = [_search(given, task, out) for task in tasks]
    cells = [Cells(*(corner.reshape(-1, 3) for corner in part.T)) for of in made for part in of] if told else []
    return Found(out[0][:, 0], out[0][:, 1], out[1][:, 0], out[1][:, 1], cells)


def _domain(costs: Costs, problems: Problems, view: Outlook) -> Domain:
    """From all gains to all losses; the law bends where a line of Schedule D is zero, and at the yearly limit."""
    before, rows = view.before, problems.row
    limit = view.scene.laws["capital_loss_limit"][rows]
    line_7, line_15 = before.line_7[rows] - problems.short_loss, before.line_15[rows] - problems.long_loss
    line_16 = line_7 + line_15

    def coordinates(term: int, line: Ints) -> Ints:
        low, high = -costs.total(2 * term + 1), costs.total(2 * term)
        bends = [np.zeros_like(low), line, line + limit, line_16, line_16 + limit]
        return np.sort(np.stack([low, *(np.clip(at, low, high) for at in bends), high], axis=1), axis=1)

    yearly = limit + np.maximum(0, view.later.long_term[rows])
    years = range(min(view.settings.horizon_years, MOST_YEARS) + 1)
    totals = [line_16, *(line_16 + limit + count * yearly for count in years)]
    return Domain(coordinates(0, line_7), coordinates(1, line_15), np.stack(totals, axis=1))


def _refuse_huge(problems: Problems, domain: Domain) -> None:
    ends = (domain.short[:, [0, -1]].T + problems.short_loss, domain.long[:, [0, -1]].T + problems.long_loss)
    if any(np.any(np.abs(amounts) > AMOUNT_LIMIT) for amounts in (*ends, *problems[3:])):
        raise OverflowError(f"sales that move an amount beyond {AMOUNT_LIMIT} cents")


def _plain(columns: Any) -> Any:
    """Arrays as the compiled form takes them, in one piece and writable: for others another would be compiled."""
    return type(columns)(*(np.require(column, None, ["C", "W"]) for column in columns))


def warm_up() -> None:
    """Compile the valuation and the search, where numba's cache beside them does not hold them yet (half a minute)."""
    one, nothing = np.zeros(1, np.int64), np.zeros(0)
    returns = Returns(*(one for _ in Returns._fields))._replace(tax_year=one + 2025)
    view = outlook(returns, later_year(returns, one, one), FirmSettings("", "UTC"))
    evaluate(view, Sales(*(one for _ in Sales._fields)))
    costs = Costs(nothing, nothing, nothing, np.zeros((1, 4), np.int64), np.zeros((1, 4), np.int64))
    maximise(Problems(*(one for _ in Problems._fields)), costs, view)


def _search(given: tuple[Any, ...], task: tuple[int, int], out: tuple[Ints, Floats]) -> list[Ints]:
    """The problems of a task one after the other; of those whose cells are told their corners: (corner, 3)."""
    return [search(*given, problem, *out) for problem in range(*task)]


# --- the cost of net losses ------------------------------------------------------------------------------------------


@compiled
def _first(values: Floats, start: Any, stop: Any, wanted: Any) -> Any:
    """In an ascending segment the first place whose value is not below what is wanted; its stop where there is none."""
    while start < stop:
        middle = (start + stop) // 2
        if values[middle] < wanted:
            start = middle + 1
        else:
            stop = middle
    return start


@compiled
def _cost(case: Any, net: Any, term: Any) -> Any:
    """The least cost of a net loss (negative: gain) of a term (0 short, 1 long)."""
    costs, side = case.costs, 2 * term + (1 if net < 0 else 0)
    start, stop = costs.start[case.problem, side], costs.stop[case.problem, side]
    if start == stop:
        return 0.0
    loss = float(abs(net))
    at = min(_first(costs.amount, start, stop, loss), stop - 1)
    if at == start:
        return loss * costs.rate[at]
    return costs.cost[at - 1] + (loss - costs.amount[at - 1]) * costs.rate[at]


@compiled
def _rate(case: Any, net: Any, term: Any) -> Any:
    """What the last cent of a net loss costs."""
    costs, side = case.costs, 2 * term + (1 if net < 0 else 0)
    start, stop = costs.start[case.problem, side], costs.stop[case.problem, side]
    if start == stop or net == 0:
        return 0.0
    return costs.rate[min(_first(costs.amount, start, stop, float(abs(net))), stop - 1)]


@compiled
def _worth_selling(case: Any, slope: Any, term: Any) -> Any:
    """The net loss (negative: gain) whose every lot costs less a cent than `slope` brings."""
    costs, side = case.costs, 2 * term + (1 if slope < 0 else 0)
    start, stop = costs.start[case.problem, side], costs.stop[case.problem, side]
    at = _first(costs.rate, start, stop, abs(slope))
    amount = costs.amount[at - 1] if at > start else 0.0
    return -amount if slope < 0 else amount


# --- points ----------------------------------------------------------------------------------------------------------


@compiled
def _benefit(case: Any, short: Any, long: Any, given_up: Any) -> Any:
    """What net losses that give up this basis bring before the trading cost."""
    of, problem = case.problems, case.problem
    sale = Sale(
        of.row[problem],
        short + of.short_loss[problem],
        long + of.long_loss[problem],
        of.collectible_loss[problem],
        given_up + of.basis_given_up[problem],
        of.collectible_given_up[problem],
    )
    return benefit_of(case.scene, sale, case.terms, case.saved)


@compiled
def _at(case: Any, short: Any, long: Any) -> Any:
    """A corner there."""
    return _Corner(short, long, _benefit(case, short, long, short + long))


@compiled
def _tried(case: Any, best: Any, corner: Any) -> Any:
    """The best so far, or the corner where it is better; of equals (to a cent) the smaller sale."""
    value = corner.benefit - _cost(case, corner.short, 0) - _cost(case, corner.long, 1)
    smaller = abs(corner.short) + abs(corner.long) < abs(best.short) + abs(best.long)
    if value > best.value + 1 or (value >= best.value - 0.5 and smaller):
        return _Best(corner.short, corner.long, value)
    return best


@compiled
def _between(case: Any, one: Any, other: Any, part: Any) -> Any:
    """A corner on the way from one to another."""
    short = one.short + round((other.short - one.short) * part)
    return _at(case, short, one.long + round((other.long - one.long) * part))


# --- cells -----------------------------------------------------------------------------------------------------------


@compiled
def _longest(a: Any, b: Any, c: Any) -> Any:
    short = max(a.short, b.short, c.short) - min(a.short, b.short, c.short)
    return max(short, max(a.long, b.long, c.long) - min(a.long, b.long, c.long))


@compiled
def _is_thin(a: Any, b: Any, c: Any) -> Any:
    twice_area = float(b.short - a.short) * (c.long - a.long) - float(c.short - a.short) * (b.long - a.long)
    return abs(twice_area) <= THIN * _longest(a, b, c)


@compiled
def _is_steep(case: Any, a: Any, b: Any, c: Any) -> Any:
    """Whether a cent more or less can cost much: a stablecoin that lost two cents costs as much to sell as any other."""
    short = max(_rate(case, min(a.short, b.short, c.short), 0), _rate(case, max(a.short, b.short, c.short), 0))
    return max(short, _rate(case, min(a.long, b.long, c.long), 1), _rate(case, max(a.long, b.long, c.long), 1)) > STEEP


@compiled
def _lined_up(case: Any, a: Any, b: Any, c: Any) -> Any:
    """The corners, of a cell without height its two ends, the second one twice: else its parts would overlap for ever."""
    flat = float(b.short - a.short) * (c.long - a.long) == float(c.short - a.short) * (b.long - a.long)
    if not flat and (not _is_thin(a, b, c) or _is_steep(case, a, b, c)):
        return a, b, c
    if _span(a, b) >= _span(b, c) and _span(a, b) >= _span(c, a):
        return a, b, b
    return (b, c, c) if _span(b, c) >= _span(c, a) else (c, a, a)


@compiled
def _least_cost(case: Any, a: Any, b: Any, c: Any) -> Any:
    short = min(max(0, min(a.short, b.short, c.short)), max(a.short, b.short, c.short))
    long = min(max(0, min(a.long, b.long, c.long)), max(a.long, b.long, c.long))
    return _cost(case, short, 0) + _cost(case, long, 1)


@compiled
def _most(case: Any, a: Any, b: Any, c: Any) -> Any:
    """What no point of a cell can exceed: all its loss for the least basis given up and the least cost."""
    given_up = min(a.short + a.long, b.short + b.long, c.short + c.long)
    most = _benefit(case, max(a.short, b.short, c.short), max(a.long, b.long, c.long), given_up)
    return most - _least_cost(case, a, b, c)


@compiled
def _over(case: Any, a: Any, b: Any, c: Any) -> Any:
    """The benefit over a cell: the plane through its corners, seen from inside it, and how far it can be off that."""
    of, problem = case.problems, case.problem
    short, long = through(a.short, b.short, c.short), through(a.long, b.long, c.long)
    sale = Sale(
        of.row[problem],
        short + of.short_loss[problem],
        long + of.long_loss[problem],
        of.collectible_loss[problem],
        through(a.short + a.long, b.short + b.long, c.short + c.long) + of.basis_given_up[problem],
        of.collectible_given_up[problem],
    )
    return benefit_of(case.scene, sale, case.terms, case.kept)


@compiled
def _slope(a: Any, b: Any, c: Any) -> Any:
    s1, s2 = float(b.short - a.short), float(c.short - a.short)
    l1, l2 = float(b.long - a.long), float(c.long - a.long)
    f1, f2 = float(b.benefit - a.benefit), float(c.benefit - a.benefit)
    area = s1 * l2 - s2 * l1
    if area == 0:
        return _Slope(0.0, 0.0, True)
    return _Slope((f1 * l2 - f2 * l1) / area, (s1 * f2 - s2 * f1) / area, False)


@compiled
def _span(one: Any, other: Any) -> Any:
    return abs(one.short - other.short) + abs(one.long - other.long)


# --- the best of a linear cell ---------------------------------------------------------------------------------------


@compiled
def _best_of_linear(case: Any, a: Any, b: Any, c: Any, best: Any) -> Any:
    """The best so far, or where the plane less the convex cost is highest, inside or on an edge; and how high it is there.

    A point beside a threshold may be on its other side: then one a few cents further in stands for it. Of whole cents are
    tried the nearest, and those nearer to nothing sold: the cent above may be of a lot that costs much to sell.
    """
    reach, short, long, slope = -np.inf, float(a.short), float(a.long), _slope(a, b, c)
    within = False
    if not slope.flat:
        inner_short, inner_long = _worth_selling(case, slope.short, 0), _worth_selling(case, slope.long, 1)
        within = _holds(a, b, c, inner_short, inner_long)
        if within:
            short, long = inner_short, inner_long
            on = a.benefit + slope.short * (short - a.short) + slope.long * (long - a.long)
            reach = on - _cost(case, short, 0) - _cost(case, long, 1)
    for one, other in ((a, b), (b, c), (c, a)):
        part = 0.0 if within else _best_part(case, one, other)
        x, y = one.short + (other.short - one.short) * part, one.long + (other.long - one.long) * part
        value = one.benefit + part * (other.benefit - one.benefit) - _cost(case, x, 0) - _cost(case, y, 1)
        if value > reach:
            reach, short, long = value, x, y
    best = _tried(case, best, _at(case, round(short), round(long)))
    if round(short) != int(short) or round(long) != int(long):
        best = _tried(case, best, _at(case, int(short), int(long)))
    x, y = (a.short + b.short + c.short) / 3 - short, (a.long + b.long + c.long) / 3 - long
    far = max(abs(x), abs(y), 1.0)
    for step in _FURTHER_IN:
        if reach > best.value + NOISE:
            part = min(1.0, step / far)
            best = _tried(case, best, _at(case, round(short + part * x), round(long + part * y)))
    return best, reach


@compiled
def _best_part(case: Any, one: Any, other: Any) -> Any:
    """Where on an edge a concave function is highest: by halves, towards the higher side."""
    low, high = 0.0, 1.0
    wide, tall, up = float(other.short - one.short), float(other.long - one.long), float(other.benefit - one.benefit)
    for _ in range(_HALVINGS):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        at_left = up * left - _cost(case, one.short + left * wide, 0) - _cost(case, one.long + left * tall, 1)
        at_right = up * right - _cost(case, one.short + right * wide, 0) - _cost(case, one.long + right * tall, 1)
        if at_left < at_right:
            low = left
        else:
            high = right
    return (low + high) / 2


@compiled
def _holds(a: Any, b: Any, c: Any, short: Any, long: Any) -> Any:
    """Whether a point lies in a cell, by the signs of the areas with each edge."""
    left, right = True, True
    for one, other in ((a, b), (b, c), (c, a)):
        area = float(other.short - one.short) * (long - one.long) - float(other.long - one.long) * (short - one.short)
        left, right = left and area >= -1e-6, right and area <= 1e-6
    return left or right


# --- the search ------------------------------------------------------------------------------------------------------


@compiled
def _climbed(case: Any, best: Any, ends: Any, most: Any) -> Any:
    """From the best point uphill by ever smaller steps in eight directions, the first no larger than `most`."""
    for step in _STEPS:
        if step > most:
            continue
        for _ in range(_STRIDES):
            before = best.value
            start_short, start_long = best.short, best.long
            for across, along in _DIRECTIONS:
                short = min(max(start_short + step * across, ends[0]), ends[1])
                long = min(max(start_long + step * along, ends[2]), ends[3])
                best = _tried(case, best, _at(case, short, long))
            if best.value <= before:
                break
    return best


@compiled
def _tidied(case: Any, best: Any, ends: Any, domain: Any) -> Any:
    """A best point on the bend of the law that it stands beside: roundings of taxes push it off by cents."""
    least = best.value - A_FEW
    for kind, bends in enumerate((domain.short, domain.long, domain.total)):
        for place in range(bends.shape[1]):
            for term in (0, 1):
                stands = (best.short, best.long, best.short + best.long)[kind]
                off = bends[case.problem, place] - stands
                if off == 0 or abs(off) > BESIDE or kind == 1 - term:
                    continue
                short, long = best.short + (off if term == 0 else 0), best.long + (off if term == 1 else 0)
                if not (ends[0] <= short <= ends[1] and ends[2] <= long <= ends[3]):
                    continue
                value = _at(case, short, long).benefit - _cost(case, short, 0) - _cost(case, long, 1)
                if value >= least:
                    best = _Best(short, long, value)
    return best


@listed
def _add(case: Any, told: Any, best: Any, known: Any, a: Any, b: Any, c: Any, cells: Any, heap: Any) -> Any:
    """Try the corners of a new cell, and keep it if it could hold something better."""
    a, b, c = _lined_up(case, a, b, c)
    if _longest(a, b, c) == 0:
        return best
    if not told:
        best = _tried(case, _tried(case, _tried(case, best, a), b), c)
    most = min(known, _most(case, a, b, c))
    if most > best.value + 1:
        heapq.heappush(heap, (-most, len(cells)))
        cells.append((a, b, c))
    return best


@listed
def _first_cells(case: Any, told: Any, best: Any, domain: Any, cells: Any, heap: Any) -> Any:
    """The rectangles between the coordinates, each in two along the line of equal total loss."""
    shorts, longs = domain.short[case.problem], domain.long[case.problem]
    for i in range(shorts.size - 1):
        for j in range(longs.size - 1):
            # of a problem with one kind of loss the rectangles are segments, and those of the first column count
            wide = shorts[i + 1] > shorts[i] or (shorts[0] == shorts[-1] and i == 0)
            high = longs[j + 1] > longs[j] or (longs[0] == longs[-1] and j == 0)
            if not (wide and high):
                continue
            low, right = _at(case, shorts[i], longs[j]), _at(case, shorts[i + 1], longs[j])
            up = _at(case, shorts[i], longs[j + 1])
            best = _add(case, told, best, np.inf, low, right, up, cells, heap)
            if shorts[i + 1] > shorts[i] and longs[j + 1] > longs[j]:
                corner = _at(case, shorts[i + 1], longs[j + 1])
                best = _add(case, told, best, np.inf, corner, right, up, cells, heap)
    return best


@compiled
def _is(one: Any, other: Any) -> Any:
    return one.short == other.short and one.long == other.long


@listed
def _halved(case: Any, told: Any, best: Any, most: Any, cell: Any, cells: Any, heap: Any) -> Any:
    """A cell cut at the middle of its longest edge."""
    one, other, apex = cell
    if _span(cell[1], cell[2]) > _span(one, other):
        one, other, apex = cell[1], cell[2], cell[0]
    if _span(cell[2], cell[0]) > _span(one, other):
        one, other, apex = cell[2], cell[0], cell[1]
    point = _between(case, one, other, 0.5)
    if _is(apex, one) or _is(apex, other):  # no triangle: else what is added would line up to the whole again
        apex = point
    best = _add(case, told, best, most, one, point, apex, cells, heap)
    return _add(case, told, best, most, point, other, apex, cells, heap)


@listed
def _cut(case: Any, told: Any, best: Any, most: Any, cell: Any, over: Any, cells: Any, heap: Any) -> Any:
    """A cell cut along the line that its mark is zero on: the corner alone on its side, and the four-sided rest in two.

    Where whole cents put that line on the cell's own edge it is halved instead.
    """
    marks = over.p, over.q, over.r
    for k in range(3):
        apex, right, left = cell[k], cell[(k + 1) % 3], cell[(k + 2) % 3]
        at, of_right, of_left = marks[k], marks[(k + 1) % 3], marks[(k + 2) % 3]
        if at == 0 or of_right * at > 0 or of_left * at > 0 or (of_right == 0 and of_left == 0):
            continue
        p, q = _between(case, apex, right, at / (at - of_right)), _between(case, apex, left, at / (at - of_left))
        if _is(p, apex) or _is(q, apex) or (_is(p, right) and _is(q, left)):
            break
        best = _add(case, told, best, most, apex, p, q, cells, heap)
        if not _is(p, right):
            best = _add(case, told, best, most, p, right, left, cells, heap)
        if not (_is(q, left) or _is(p, q)):
            best = _add(case, told, best, most, p, left, q, cells, heap)
        return best
    return _halved(case, told, best, most, cell, cells, heap)


@listed
def _looked_into(
    case: Any, told: Any, best: Any, bound: Any, most: Any, cell: Any, cells: Any, heap: Any, left: Any
) -> Any:
    """The best so far after a cell that could hold `most`, and what is left open: it is linear, or is cut.

    Of linear cells those that hold something better are `left` to who asks (`told`).
    """
    a, b, c = cell
    over = _over(case, a, b, c)
    most = min(most, max(over.a, over.b, over.c) + over.high - _least_cost(case, a, b, c))
    if most <= best.value + 1:
        return best, bound
    linear = over.high - over.low <= NOISE
    if not linear and _longest(a, b, c) > SMALLEST:
        if _is_thin(a, b, c):
            return _halved(case, told, best, most, cell, cells, heap), bound
        return _cut(case, told, best, most, cell, over, cells, heap), bound
    a, b, c = _Corner(a.short, a.long, over.a), _Corner(b.short, b.long, over.b), _Corner(c.short, c.long, over.c)
    if told:
        left.append((a, b, c))
        return best, bound
    best, reach = _best_of_linear(case, a, b, c, best)
    most = min(most, reach + over.high)
    return best, max(bound, most) if most > best.value + NOISE else bound


@listed
def _explored(case: Any, told: Any, best: Any, domain: Any, left: Any) -> Any:
    """The most promising cell first, until none could hold something better; and what those never looked into could."""
    cells, heap = [left.pop()], [(0.0, 0)]  # so that numba knows what they hold
    cells.clear()
    heap.clear()
    best, bound = _first_cells(case, told, best, domain, cells, heap), -np.inf
    looked_at = 0
    while heap:
        minus, place = heapq.heappop(heap)
        most = -minus
        if most <= best.value + 1:
            break
        if looked_at < (MOST_TOLD if told else MOST_CELLS):
            looked_at += 1
            best, bound = _looked_into(case, told, best, bound, most, cells[place], cells, heap, left)
            continue
        bound = max(bound, most)
        if not told:
            break
        left.append(cells[place])  # told as if it were linear: what it promises is checked by who asks
    return best, bound


def _entry(sources: str) -> Callable[..., Ints]:
    """The search of one problem. Numba keeps what it compiled by this file and by what a function encloses."""

    @njit(cache=True, nogil=True, error_model="numpy")
    def search(
        scene: Any, terms: Any, costs: Any, domain: Any, problems: Any, known: Any, told: Any, problem: Any, points: Any,
        values: Any,
    ) -> Ints:  # fmt: skip
        years = scene.tax.shape[0] if len(sources) else 0
        saved, kept = np.zeros((years, 1), np.int64), np.zeros((years, KEPT))
        case = _Case(scene, terms, costs, problems, problem, saved, kept)
        start = _at(case, 0, 0)
        best = _Best(0, 0, known[problem] if told else max(known[problem], float(start.benefit)))
        left = [(start, start, start)]  # emptied there
        best, bound = _explored(case, told, best, domain, left)
        if not told:
            ends = (
                domain.short[problem, 0],
                domain.short[problem, -1],
                domain.long[problem, 0],
                domain.long[problem, -1],
            )
            best = _climbed(case, best, ends, _STEPS[0] if bound > best.value + NOISE else A_FEW_DOLLARS)
            bound = max(bound, best.value)  # what is then given up for a tidy point is in the gap
            best = _tidied(case, best, ends, domain)
        points[problem, 0], points[problem, 1] = best.short, best.long
        values[problem, 0], values[problem, 1] = best.value, max(bound, best.value)
        corners = np.zeros((3 * len(left), 3), np.int64)
        for place, cell in enumerate(left):
            for k in range(3):
                corners[3 * place + k] = cell[k]
        return corners

    return search


search = _entry(digest("cells.py"))
