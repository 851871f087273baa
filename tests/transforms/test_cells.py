"""The search over cells beside dense grids of sales: nothing on them is better than what is found and its bound.

The grids are the oracle: a few thousand net losses of a problem, and finer ones about the best of them, each valued by the
law of arrays.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pytest

from tests.transforms.harvest_cases import settings
from tests.transforms.law.random_returns import random_rows
from transforms import cells, valuation
from transforms.cells import Costs, Problems, maximise
from transforms.law.states import BOOK, NOWHERE
from transforms.law.tax import AMOUNT_LIMIT, STANDARD, Returns
from transforms.valuation import Outlook, Sales, later_year, outlook

SHORT_LOSS, SHORT_GAIN, LONG_LOSS, LONG_GAIN = range(4)
CASES = 24


class Case(NamedTuple):
    """Problems, one a return: what can be had and what it costs."""

    problems: Problems
    costs: Costs
    view: Outlook


def return_of(year, **amounts):
    """One return in cents."""
    return Returns(
        *(
            np.array([{"tax_year": year, "deduction": STANDARD, **amounts}.get(name, 0)], np.int64)
            for name in Returns._fields
        )
    )


def costs_of(sides):
    """Curves of the lots of each problem and side: [(amount in cents, cost a cent)], cheapest first."""
    amount, cost, rate = [], [], []
    start, stop = np.zeros((len(sides), 4), np.int64), np.zeros((len(sides), 4), np.int64)
    for problem, of in enumerate(sides):
        for side, lots in of.items():
            start[problem, side] = len(amount)
            amount += np.cumsum([size for size, _ in lots]).tolist()
            cost += np.cumsum([size * price for size, price in lots]).tolist()
            rate += [price for _, price in lots]
            stop[problem, side] = len(amount)
    return Costs(*(np.array(column, np.float64) for column in (amount, cost, rate)), start, stop)


def nothing_else(count):
    zero = np.zeros(count, np.int64)
    return Problems(np.arange(count), zero, zero, zero, zero, zero)


def random_lots(rng, scale):
    sizes = np.maximum(1, rng.uniform(0, scale, rng.integers(1, 5))).astype(int).tolist()
    return list(zip(sizes, sorted(rng.choice([0, 0.001, 0.003, 0.01, 0.1], len(sizes)).tolist()), strict=True))


def random_case(seed, *, kinds):
    """A year's returns in any state, lots of all sizes, some losses and gains sold in any case."""
    rng = np.random.default_rng([seed, kinds])
    year = int(rng.choice([2013, 2017, 2022, 2023, 2024, 2025, 2026]))
    firm = settings(
        horizon_years=int(rng.choice([0, 1, 3, 10])), holding_years=int(rng.integers(1, 8)),
        discount_rate=Decimal(str(rng.choice([0, 0.05, 0.4]))), early_sale_chance=Decimal(str(rng.choice([0, 0.3, 1]))),
    )  # fmt: skip
    now = Returns(*(column[seed * CASES : (seed + 1) * CASES] for column in random_rows(year, 2_000)))
    home = rng.integers(NOWHERE, len(BOOK.states), CASES)
    view = outlook(now, later_year(now, now.ordinary, np.abs(now.long_term) // 4), firm, home)
    scale = float(rng.choice([3e5, 3e6, 3e7]))
    sides = (
        [SHORT_LOSS, SHORT_GAIN, LONG_LOSS, LONG_GAIN]
        if kinds == 2
        else [[SHORT_LOSS, SHORT_GAIN], [LONG_LOSS, LONG_GAIN]][seed % 2]
    )
    costs = costs_of([{side: random_lots(rng, scale) for side in sides if rng.random() < 0.8} for _ in range(CASES)])
    short, long = (rng.uniform(-1, 1, (2, CASES)) * rng.choice([0, 0, scale])).astype(np.int64)
    sums = nothing_else(CASES)._replace(short_loss=short, long_loss=long, basis_given_up=short + long)
    return Case(sums, costs, view)


def cost_of(costs, problem, net, term):
    """The least cost of net losses, between the lots by the line."""
    found = np.zeros(net.size)
    for side, here in ((2 * term, net > 0), (2 * term + 1, net < 0)):
        lots = slice(costs.start[problem, side], costs.stop[problem, side])
        if lots.stop > lots.start:
            found[here] = np.interp(np.abs(net[here]), np.r_[0, costs.amount[lots]], np.r_[0, costs.cost[lots]])
    return found


def brought(case, problem, short, long):
    """What net losses bring after their cost, cents."""
    sums, zero = case.problems, np.zeros(short.size, np.int64)
    sales = Sales(
        zero + sums.row[problem], short + sums.short_loss[problem], long + sums.long_loss[problem], zero,
        short + long + sums.basis_given_up[problem], zero, zero,
    )  # fmt: skip
    benefit = valuation.evaluate(case.view, sales).net_benefit
    return benefit - cost_of(case.costs, problem, short, 0) - cost_of(case.costs, problem, long, 1)


def best_on_grids(case, problem):
    """The most that any point of a grid brings, and of ever finer ones about the best three."""
    ends = [(-case.costs.total(side + 1)[problem], case.costs.total(side)[problem]) for side in (SHORT_LOSS, LONG_LOSS)]
    lines = [
        np.unique(np.linspace(*of, 60 if min(high - low for low, high in ends) else 4_000).astype(np.int64))
        for of in ends
    ]
    short, long = (axis.ravel() for axis in np.meshgrid(*lines))
    value = brought(case, problem, short, long)
    best = value.max()
    for start in np.argsort(-value)[:3]:
        at, width = np.array([short[start], long[start]]), max(high - low for low, high in ends) / 40 + 1
        most = value[start]
        while width > 1:
            steps = np.unique(np.rint(np.linspace(-width, width, 11)).astype(np.int64))
            near = [np.unique(np.clip(middle + steps, *of)) for middle, of in zip(at, ends, strict=True)]
            x, y = (axis.ravel() for axis in np.meshgrid(*near))
            there = brought(case, problem, x, y)
            if there.max() > most:
                most, at = there.max(), np.array([x[there.argmax()], y[there.argmax()]])
            width /= 4
        best = max(best, most)
    return best


@pytest.mark.parametrize("kinds", [1, 2])
@pytest.mark.parametrize("seed", range(8))
def test_no_point_of_a_dense_grid_is_better_than_what_is_found(seed, kinds):
    case = random_case(seed, kinds=kinds)
    found = maximise(*case)
    best = np.array([best_on_grids(case, problem) for problem in range(CASES)])
    assert (best - found.bound).max() <= cells.NOISE
    proved = found.bound - found.value <= cells.NOISE
    assert (best - found.value)[proved].max() <= cells.NOISE
    assert proved.mean() > 0.9
    said = [brought(case, problem, found.short[[problem]], found.long[[problem]])[0] for problem in range(CASES)]
    assert np.abs(np.array(said) - found.value).max() < 1


@pytest.mark.parametrize(("year", "amounts", "later", "state", "firm", "lots", "peak"), [
    # exemptions that fall by steps of AGI, and Social Security
    (2016, {"status": 1, "ordinary": 1_793_580, "nii": 495_362, "short_term": -162_796, "long_term": -4_539_783,
            "gain_28": -2_482_456, "aged": 2, "exemptions": 3, "social_security": 5_423_323}, (1_793_580, 0), None,
     {"horizon_years": 10, "holding_years": 3, "early_sale_chance": Decimal(1)},
     {LONG_LOSS: [(18_426_791, 0), (14_159_558, 0.0033)],
      LONG_GAIN: [(11_052_886, 0), (12_034_701, 0.00367), (13_024_655, 0.02318)]}, (0, -8_903_658)),
    # the cliff of Colorado's cap on the federal deduction
    (2024, {"status": 4, "ordinary": 37_102_337, "short_term": 330_517, "long_term": 7_041_977, "aged": 1}, (18_551_168, 1_760_494),
     "CO", {"horizon_years": 3, "holding_years": 2, "early_sale_chance": Decimal("0.3"), "discount_rate": Decimal("0.4")},
     {SHORT_LOSS: [(15_634_829, 0.00112), (17_207_192, 0.00989), (13_028_034, 0.04346)]}, (9_688_322, 0)),
    # many small bends of three taxes at the end of a long edge
    (2023, {"status": 1, "ordinary": 79_431_314, "nii": 25_302, "short_term": -43_651_922, "long_term": 74_147_779, "aged": 1},
     (39_715_657, 18_536_944), "IA", {"horizon_years": 10, "holding_years": 11, "discount_rate": Decimal("0.4")},
     {LONG_LOSS: [(32_786_369, 0), (11_724_155, 0.06613), (17_992_708, 0.1244)]}, (0, 49_632_804)),
])  # fmt: skip
def test_a_peak_that_no_probe_of_its_cell_sees_is_found(year, amounts, later, state, firm, lots, peak):
    """Found by a dense search after another way to look for bends had missed each by hundreds of dollars."""
    now = return_of(year, **amounts)
    home = np.array([NOWHERE if state is None else BOOK.states.index(state)])
    years = later_year(now, *(np.array([amount]) for amount in later))
    case = Case(nothing_else(1), costs_of([lots]), outlook(now, years, settings(**firm), home))
    found = maximise(*case)
    best = max(best_on_grids(case, 0), brought(case, 0, *(np.array([net]) for net in peak))[0])
    assert found.value[0] >= best - cells.NOISE
    assert found.bound[0] <= found.value[0] + cells.NOISE


def test_what_is_sold_in_any_case_moves_where_the_law_bends():
    """The same sale, with a part of its losses as sums sold in any case: as much is brought, and as much is the bound."""
    case = random_case(3, kinds=2)
    some = np.minimum(case.costs.total(LONG_LOSS), 1_000_00)
    moved = case.problems._replace(
        long_loss=case.problems.long_loss - some, basis_given_up=case.problems.basis_given_up - some
    )
    found, again = maximise(*case), maximise(moved, case.costs, case.view)
    for problem in range(CASES):
        free = Case(moved, case.costs, case.view)
        assert (
            again.bound[problem]
            >= brought(free, problem, found.short[[problem]], found.long[[problem]])[0] - cells.NOISE
        )
        back = brought(case, problem, again.short[[problem]], again.long[[problem]])[0]
        assert found.bound[problem] >= back - cells.NOISE


def test_one_kind_of_loss_is_cut_until_it_is_proved():
    """A segment is halved into two: once the first half was the whole again, and the cells ran out with 139 dollars open."""
    found = maximise(*random_case(39, kinds=1))
    assert (found.bound - found.value).max() <= cells.NOISE


@pytest.mark.parametrize("cents", [1, 2, 3, 50, 900])
@pytest.mark.parametrize("side", [SHORT_LOSS, SHORT_GAIN])
def test_a_lot_that_lost_next_to_nothing_hides_no_other_sale(cents, side):
    """Of a stablecoin with a loss (or gain) of a cent or two the sale costs 600 dollars: as much is brought as without it."""
    now = return_of(2025, status=2, ordinary=2_000_000, short_term=6_000_000)
    view = outlook(
        now, later_year(now, np.array([8_000_000]), np.array([0])), settings(horizon_years=9, holding_years=1)
    )
    big = {LONG_LOSS: [(2_590_000, 0.0001)]}
    alone = maximise(nothing_else(1), costs_of([big]), view)
    beside = Case(nothing_else(1), costs_of([{**big, side: [(cents, 60_000 / cents)]}]), view)
    found = maximise(*beside)
    assert alone.value[0] > 100_00
    assert found.value[0] >= alone.value[0] - cells.NOISE
    assert found.bound[0] - found.value[0] <= cells.NOISE


def test_of_what_cannot_be_better_than_what_is_known_nothing_is_found():
    case = random_case(5, kinds=2)
    found = maximise(*case)
    again = maximise(*case, found.bound + 1)
    assert (again.value == found.bound + 1).all()
    assert (again.bound == again.value).all()


def test_amounts_beyond_the_limit_are_refused():
    case = random_case(0, kinds=2)
    huge = case.problems._replace(long_loss=np.full(CASES, AMOUNT_LIMIT + 1))
    with pytest.raises(OverflowError, match=str(AMOUNT_LIMIT)):
        maximise(huge, case.costs, case.view)
