"""Planes: the law over a cell beside the law at points inside it, and each operation by hand."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from numba import njit

from tests.transforms.harvest_cases import settings
from tests.transforms.law.random_returns import random_rows
from transforms import cells, valuation
from transforms.law.planes import through
from transforms.law.readings import KEPT, begun, by, got, part, put, surely, where
from transforms.law.states import BOOK
from transforms.valuation import Sales, later_year, outlook, terms_of

RETURNS, INSIDE = 150, 40


@njit
def told(plane):
    """The corners, how far it is off, and the mark."""
    return (plane.a, plane.b, plane.c), (plane.low, plane.high), (plane.p, plane.q, plane.r)


@njit
def operations(x, y, saved):
    put(saved, 0, np.minimum(x, y))
    return (
        told(x + y), told(3 * x - 1), told(np.minimum(x, y)), told(np.maximum(x, 100)), told(x * y), told(x // 2),
        told(part(x, 1, 3)), told(begun(x, 250)), told(got(saved, 0, x)), surely(x >= 0), surely(x > 0), surely(x == y),
    )  # fmt: skip


def test_what_crosses_is_off_by_what_it_can_be_and_the_mark_is_zero_where_it_crosses():
    """x runs from 0 to 1,000 along the first edge, y is 200: at 200 the minimum is 160 above the line from 0 to 200."""
    saved = np.zeros((1, KEPT))

    @njit
    def asked(saved):
        return operations(through(0, 1_000, 0), through(200, 200, 200), saved)

    found = asked(saved)
    total, scaled, least, most, product, half, third, steps, kept, everywhere, above, same = found
    assert total == ((200, 1_200, 200), (0, 0), (0, 0, 0))
    assert scaled == ((-1, 2_999, -1), (0, 0), (0, 0, 0))
    assert least[0] == (0, 200, 0)
    assert least[1][0] == 0
    assert 160 <= least[1][1] <= 200
    assert least[2] == (-200, 800, -200)  # zero a fifth of the way: at 200
    assert kept == least
    assert most[0] == (100, 1_000, 100)
    assert most[1][1] == 0
    assert most[1][0] <= -90  # at 100 the line from 100 to 1,000 is at 190
    assert product == ((0, 200_000, 0), (0, 0), (0, 0, 0))
    assert half == ((0, 500, 0), (0, 0), (0, 0, 0))
    assert third[0] == (0, 333, 0)
    assert steps[0] == (0, 4, 0)
    assert steps[1] == (-1, 1)
    assert steps[2] in {(-250, 750, -250), (-500, 500, -500), (-750, 250, -750)}
    assert (everywhere, above, same) == (True, True, False)  # zero lies on the edge, not inside


@njit
def choice(x, threshold):
    return (
        told(where(x >= threshold, x + 50, 0 * x)),
        told(by(2 > 1, abs_, through_, x)),
        told(where((x > 0) & (x < 1_000), x, 0)),
    )


@njit
def abs_(x):
    return np.maximum(x, -x)


@njit
def through_(x):
    return x


@pytest.mark.parametrize(("threshold", "corners", "off"), [
    (500, (0, 1_050, 0), (-525, 25)),  # a cliff inside: at 500 the line is at 525, the choice 550, and below it 0
    (1_000, (0, 0, 0), (0, 0)),  # on the edge: the cell is below
    (0, (50, 1_050, 50), (0, 0)),
])  # fmt: skip
def test_a_cliff_inside_a_cell_is_told_and_one_on_its_edge_is_not_inside(threshold, corners, off):
    @njit
    def asked(threshold):
        return choice(through(0, 1_000, 0), threshold)

    chosen, size, both = asked(threshold)
    assert chosen[0] == corners
    assert chosen[1][0] <= off[0]
    assert chosen[1][1] >= off[1]
    assert (chosen[1] == (0, 0)) == (off == (0, 0))
    assert size == both == ((0, 1_000, 0), (0, 0), (0, 0, 0))


@njit
def either_side(x):
    return told(where(x >= 1_000, 50, 0 * x)), told(where(x > 1_000, 50, 0 * x))


@pytest.mark.parametrize(("amount", "chosen"), [(996, (0, 0)), (1_000, (50, 0)), (1_004, (50, 50))])
def test_an_amount_that_is_near_a_threshold_all_over_a_cell_is_on_its_own_side(amount, chosen):
    """As an income is that the yearly limit of losses holds in place: no edge of the cell, so nothing is seen from inside."""

    @njit
    def asked(amount):
        return either_side(through(amount, amount, amount))

    assert tuple(at for at, _, _ in asked(amount)) == tuple((one, one, one) for one in chosen)


@njit
def benefit_over(scene, problems, terms, problem, a, b, c, kept):
    one = cells._Corner(a[0], a[1], 0), cells._Corner(b[0], b[1], 0), cells._Corner(c[0], c[1], 0)
    case = cells._Case(scene, terms, problems, problems, problem, kept, kept)
    return told(cells._over(case, *one))


@pytest.mark.parametrize("year", [2013, 2017, 2018, 2021, 2024, 2025, 2026])
def test_the_law_at_points_inside_a_cell_is_within_what_its_plane_says(year):
    """Random returns in every state, cells of a dollar to a million; most small ones are proved to be linear."""
    firm = settings(horizon_years=6, holding_years=3, early_sale_chance=Decimal("0.3"), discount_rate=Decimal("0.05"))
    rng = np.random.default_rng(year)
    now, home = random_rows(year, RETURNS), np.arange(RETURNS) % (len(BOOK.states) + 1) - 1
    view = outlook(now, later_year(now, now.ordinary, np.abs(now.long_term) // 4), firm, home)
    terms, kept = terms_of(firm, whole=False), np.zeros((firm.horizon_years, KEPT))
    sold = (rng.uniform(-1, 1, (4, RETURNS)) * rng.choice([0, 1e4, 1e6], RETURNS)).astype(np.int64)
    nothing = np.zeros(RETURNS, np.int64)
    problems = cells.Problems(np.arange(RETURNS), sold[0], sold[1], nothing, sold[2], nothing)
    proved = []
    for row in range(RETURNS):
        size = 10 ** rng.uniform(2, 8)
        corners = (rng.uniform(-1, 1, 2) * 10 ** rng.uniform(3, 7.5) + rng.uniform(-1, 1, (3, 2)) * size).astype(
            np.int64
        )
        at, (low, high), _ = benefit_over(view.scene, problems, terms, row, *corners, kept)
        weights = rng.dirichlet([1, 1, 1], INSIDE)
        points = np.vstack([corners, np.rint(weights @ corners).astype(np.int64)])
        of, zero = np.full(len(points), row), np.zeros(len(points), np.int64)
        short, long = points.T
        given_up = short + long + sold[2, row]
        sales = Sales(of, short + sold[0, row], long + sold[1, row], zero, given_up, zero, zero)
        benefit = valuation.evaluate(view, sales).net_benefit
        assert np.abs(benefit[:3] - at).max() <= cells.NOISE
        off = benefit[3:] - weights @ np.array(at)
        assert low - cells.NOISE <= off.min(), (year, row)
        assert off.max() <= high + cells.NOISE, (year, row)
        proved += [high - low <= cells.NOISE] if size < 1e5 else []
    assert np.mean(proved) > 0.6
