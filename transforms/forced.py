"""Forced choices: lots in an order that a broker forces, trades with a fixed cost or a least size, units not divisible.

One mixed-integer program a return, over the linear cells of its benefit (`cells`), with the proven bound of the solver:
for trades that must reach a least value, where `branches` leave a gap.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import highspy
import numpy as np

from transforms.cells import Bools, Cells, Floats
from transforms.law.parameters import Ints

SECONDS = 5.0
"""For one return; what is not proven by then stands in the gap."""
_WHOLE = 1e-7
_BESIDE = 3.0
"""Cents: cells have corners of whole cents and leave out what is thinner than two, so a sale may lie so far beside one."""


class Lots(NamedTuple):
    """The lots of one return that may be sold, arrays of one length; money in cents.

    `short` and `long` are the losses (gains negative), `collectible` is a part of `long`, `given_up` and
    `collectible_given_up` are the basis given up. `decided`: of the indivisible those decided first. `trade` numbers the order that a lot would be sold in (an asset of an
    account), `fixed` and `least` are the fixed cost of that trade and its least value. `chain` and `place`: lots of one chain are sold in the order of their places (-1: free).
    """

    short: Floats
    long: Floats
    collectible: Floats
    given_up: Floats
    collectible_given_up: Floats
    value: Floats
    cost: Floats
    indivisible: Bools
    decided: Bools
    trade: Ints
    fixed: Floats
    least: Floats
    chain: Ints
    place: Ints


class Solved(NamedTuple):
    """The part of each lot to sell, and what no choice exceeds; no parts where nothing better than known was found."""

    parts: Floats | None
    bound: float


class _Solver(highspy.Highs):
    """The solver without the banner that its constructor prints to the night's output."""

    def enableCallbacks(self) -> None:  # noqa: N802 - the library's name; the constructor calls it
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def solve(lots: Lots, cells: Cells, known: float, seconds: float = SECONDS) -> Solved:
    """The best parts of lots, over the cells that could hold something better than `known` (cents).

    The sums of short and long loss are a point of one cell (or `_BESIDE` it), written by its corners: sum of weight x corner, the weights
    summing to that cell's binary; so the benefit is the same mean of the corners' benefits. Parts of a chain: a lot
    may be begun only when the one before it is sold whole.
    """
    if not cells.short.size:
        return Solved(None, known)
    model = _Solver()  # type: ignore[no-untyped-call]
    for option, value in (("threads", 1), ("time_limit", seconds), ("mip_rel_gap", 0.0)):
        model.setOptionValue(option, value)
    model.setOptionValue("mip_abs_gap", 1.0)
    parts = [model.addBinary() if whole else model.addVariable(lb=0.0, ub=1.0) for whole in lots.indivisible.tolist()]
    spent = sum(cost * part for cost, part in zip(lots.cost.tolist(), parts, strict=True))
    spent = spent + _trades(model, lots, parts) if lots.fixed.any() or lots.least.any() else spent
    _orders(model, lots, parts)
    gained = _in_one_cell(model, lots, cells, parts)
    model.maximize(gained - spent)
    solution, info = model.getSolution(), model.getInfo()
    bound = info.mip_dual_bound if np.isfinite(info.mip_dual_bound) else float(cells.benefit.max())
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        infeasible = model.getModelStatus() == highspy.HighsModelStatus.kInfeasible
        return Solved(None, known if infeasible else max(known, bound))
    found = np.array(solution.col_value)[: len(parts)]
    found = np.where(found < _WHOLE, 0.0, np.where(found > 1 - _WHOLE, 1.0, found))
    return Solved(found, max(known, bound))


def _in_one_cell(model: highspy.Highs, lots: Lots, cells: Cells, parts: list[highspy.highs.highs_var]) -> object:
    corners = list(zip(*(field.ravel().tolist() for field in cells), strict=True))
    weights = [model.addVariable(lb=0.0, ub=1.0) for _ in corners]
    chosen = [model.addBinary() for _ in range(len(cells.short))]
    model.addConstr(sum(chosen) == 1)
    for cell, one in enumerate(chosen):
        model.addConstr(sum(weights[3 * cell : 3 * cell + 3]) == one)
    for index, losses in enumerate((lots.short, lots.long)):
        summed = sum(loss * part for loss, part in zip(losses.tolist(), parts, strict=True) if loss)
        beside = model.addVariable(lb=-_BESIDE, ub=_BESIDE)
        point = sum(corner[index] * weight for corner, weight in zip(corners, weights, strict=True))
        model.addConstr(summed - point + beside == 0)
    return sum(corner[2] * weight for corner, weight in zip(corners, weights, strict=True))


def _trades(model: highspy.Highs, lots: Lots, parts: list[highspy.highs.highs_var]) -> object:
    """The fixed costs of the trades made; no trade is made below its least value."""
    spent = 0
    for trade in np.unique(lots.trade).tolist():
        mine = np.flatnonzero(lots.trade == trade).tolist()
        fixed, least = float(lots.fixed[mine[0]]), float(lots.least[mine[0]])
        if not fixed and not least:
            continue
        made = model.addBinary()
        for lot in mine:
            model.addConstr(parts[lot] <= made)
        if least:
            model.addConstr(sum(float(lots.value[lot]) * parts[lot] for lot in mine) >= least * made)
        spent = spent + fixed * made
    return spent


def _orders(model: highspy.Highs, lots: Lots, parts: list[highspy.highs.highs_var]) -> None:
    for chain in np.unique(lots.chain[lots.chain >= 0]).tolist():
        mine = np.flatnonzero(lots.chain == chain)
        mine = mine[np.argsort(lots.place[mine])].tolist()
        for before, after in pairwise(mine):
            whole = model.addBinary()
            model.addConstr(parts[after] <= whole)
            model.addConstr(whole <= parts[before])
