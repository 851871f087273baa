"""The choice of lots as a mixed-integer program, from the text of the law: the slow oracle of the advice.

It shares the law's figures with the project and nothing else: no tax, no netting and no search of ours is called here.
The tax of a year is written as the worksheets say it, every maximum and minimum with a binary of its own, every rate
schedule as a chain of segments; the years hang together by the two carryovers. A solver then maximises

    tax without a sale - tax with it, this year and (discounted) in each later year - what trading costs

over the part of each lot that is sold. Left out, so that clients must be chosen for whom they are nothing: the AMT, Social
Security benefits, the senior deduction, state taxes, the 28 and 25 percent groups.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import highspy
import numpy as np

UNIT = 1000.0
"""Dollars in one unit of the program: the solver's tolerances are absolute, and big figures would drown in them."""
FEASIBLE = 1e-7
"""How far a row or a binary may be off, in units. At 1e-9 HiGHS 1.16 cuts off optima and calls what is left optimal
(4 of 400 problems); at 1e-7 and 1e-8 it found the best known of each."""


@dataclass(frozen=True)
class Lot:
    """What could be sold of one lot, in dollars: a loss is positive, a gain negative.

    `basis_given_up` is what a later sale at the old price gains more (None: the loss). `wallet` names the place in which
    an order of sale is forced and a trade is one trade; lots of a wallet come in the order of their purchase.
    `cost_rate` is what selling and buying back cost, as a part of the proceeds.
    """

    short: bool
    loss: float
    proceeds: float
    wallet: str = "w"
    basis_given_up: float | None = None
    cost_rate: float = 0.0
    indivisible: bool = False


@dataclass(frozen=True)
class Client:
    """A return in dollars. `ordinary` is all income that is no capital gain or qualified dividend; `nii` a part of it."""

    status: str = "single"
    year: int = 2025
    ordinary: float = 0
    nii: float = 0
    qualified_dividends: float = 0
    short_term: float = 0
    long_term: float = 0
    short_carry: float = 0
    long_carry: float = 0
    later_ordinary: float = 0
    later_gains: float = 0


@dataclass(frozen=True)
class Rules:
    """The firm's assumptions, and what limits the choice.

    `forced`: no specific identification, each wallet sells its oldest lots first (Reg. 1.1012-1(j)(1), (3)(i)).
    `fixed_fee` dollars are paid for each wallet that sells anything (and again to buy back: give the sum of both).
    `minimum_trade`: dollars of proceeds that a wallet sells at least if it sells anything.
    """

    rate: float = 0.04
    horizon: int = 10
    holding: int = 5
    early_sale_chance: float = 0.0
    forced: bool = False
    fixed_fee: float = 0.0
    minimum_trade: float = 0.0


@dataclass(frozen=True)
class Optimum:
    """`net_benefit` of the best sale found, `bound` on what any sale is worth, `fractions` of the lots sold; dollars."""

    net_benefit: float
    bound: float
    fractions: tuple[float, ...]


@cache
def law(year: int, status: str) -> dict[str, list[float] | float]:
    """The figures of a year as its file has them."""
    text = resources.files("transforms.law").joinpath("years", f"{year}.json").read_text(encoding="utf-8")
    whole = json.loads(text)
    return {**whole, **whole[status]}


# --- the program: linear expressions with known bounds, and what a worksheet does to them ---------------------------


@dataclass(frozen=True)
class Expr:
    """A constant and a sum of columns, with the least and the greatest value that it can have."""

    terms: dict[int, float] = field(default_factory=dict)
    constant: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Expr | float) -> Expr:
        if not isinstance(other, Expr):
            return Expr(self.terms, self.constant + other, self.low + other, self.high + other)
        terms = dict(self.terms)
        for column, factor in other.terms.items():
            terms[column] = terms.get(column, 0.0) + factor
        return Expr(terms, self.constant + other.constant, self.low + other.low, self.high + other.high)

    __radd__ = __add__

    def __mul__(self, factor: float) -> Expr:
        ends = sorted((self.low * factor, self.high * factor))
        return Expr({c: v * factor for c, v in self.terms.items()}, self.constant * factor, *ends)

    __rmul__ = __mul__

    def __neg__(self) -> Expr:
        return self * -1.0

    def __sub__(self, other: Expr | float) -> Expr:
        return self + (-other)

    def __rsub__(self, other: float) -> Expr:
        return -self + other


def constant(value: float) -> Expr:
    return Expr({}, value, value, value)


class Program:
    """Columns and rows in the making."""

    def __init__(self) -> None:
        self.low: list[float] = []
        self.high: list[float] = []
        self.whole: list[bool] = []
        self.rows: list[tuple[Expr, float, float]] = []

    def column(self, low: float, high: float, *, whole: bool = False) -> Expr:
        self.low.append(low)
        self.high.append(high)
        self.whole.append(whole)
        return Expr({len(self.low) - 1: 1.0}, 0.0, low, high)

    def between(self, expr: Expr, low: float = -np.inf, high: float = np.inf) -> None:
        self.rows.append((expr, low, high))

    def greater(self, one: Expr | float, two: Expr | float) -> Expr:
        """max(one, two): it is one of them (a binary), and not below either."""
        one, two = (side if isinstance(side, Expr) else constant(side) for side in (one, two))
        if one.low >= two.high:
            return one
        if two.low >= one.high:
            return two
        found = self.column(max(one.low, two.low), max(one.high, two.high))
        first = self.column(0, 1, whole=True)
        self.between(found - one, low=0)
        self.between(found - two, low=0)
        self.between(found - one - (1 - first) * (two.high - one.low), high=0)
        self.between(found - two - first * (one.high - two.low), high=0)
        return found

    def lesser(self, one: Expr | float, two: Expr | float) -> Expr:
        return -self.greater(-one, -two)

    def curve(self, at: Expr, value: Callable[[float], float], kinks: Sequence[float]) -> Expr:
        """A function that is linear between its kinks: a segment is entered only when those before it are full."""
        low, high = at.low, at.high
        if high - low < 1e-12:
            return constant(value(low))
        ends = [low, *(kink for kink in sorted(kinks) if low < kink < high), high]
        widths = np.diff(ends)
        parts = [self.column(0, width) for width in widths]
        for part, width, after, next_width in zip(parts, widths, parts[1:], widths[1:], strict=False):
            full = self.column(0, 1, whole=True)
            self.between(part - full * width, low=0)
            self.between(after - full * next_width, high=0)
        self.between(sum(parts, constant(low)) - at, low=0, high=0)
        slopes = [(value(b) - value(a)) / (b - a) for a, b in itertools.pairwise(ends)]
        found = sum((part * slope for part, slope in zip(parts, slopes, strict=True)), constant(value(low)))
        values = [value(end) for end in ends]
        return Expr(found.terms, found.constant, min(values), max(values))


# --- the law ----------------------------------------------------------------------------------------------------------


def _amount(value: object) -> float:
    return float(value) / UNIT  # type: ignore[arg-type]


def ladder(rates: Sequence[float], tops: Sequence[float]) -> Callable[[float], float]:
    """Tax on an amount by rates, the first from nothing, the others from the tops on."""

    def tax(amount: float) -> float:
        starts = [0.0, *tops]
        steps = [rate - before for rate, before in zip(rates, [0.0, *rates], strict=False)]
        return sum(step * max(0.0, amount - start) for step, start in zip(steps, starts, strict=True))

    return tax


@dataclass(frozen=True)
class TaxYear:
    """What a year ends with: its tax, and the losses carried out of it."""

    tax: Expr
    short_out: Expr
    long_out: Expr


def tax_year(
    program: Program,
    client: Client,
    ordinary: float,
    nii: float,
    short_term: Expr,
    long_term: Expr,
    short_carry: Expr,
    long_carry: Expr,
) -> TaxYear:
    """One return; in units.

    Schedule D: lines 7 and 15 with the carryovers, 16 their sum, 21 the loss allowed (IRC 1211(b)); the Capital Loss
    Carryover Worksheet (IRC 1212(b)); the Qualified Dividends and Capital Gain Tax Worksheet (IRC 1(h)); Form 8960.
    """
    figures = law(client.year, client.status)
    limit = _amount(figures["capital_loss_limit"])
    dividends = client.qualified_dividends / UNIT
    line_7, line_15 = short_term - short_carry, long_term - long_carry
    gain_7, gain_15 = program.greater(line_7, 0.0), program.greater(line_15, 0.0)
    loss_7, loss_15 = gain_7 - line_7, gain_15 - line_15  # line = gain - loss, one of the two nothing
    loss_7, loss_15 = _bounded(loss_7, line_7), _bounded(loss_15, line_15)
    line_16 = line_7 + line_15
    gain_16 = program.greater(line_16, 0.0)
    loss_16 = _bounded(gain_16 - line_16, line_16)
    allowed = program.lesser(loss_16, limit)

    # Form 1040: income, the standard deduction, taxable income
    before_gains = ordinary + dividends - _amount(figures["standard_deduction"])
    signed = gain_16 - allowed + before_gains
    taxable = program.greater(signed, 0.0)
    tax = _income_tax(program, figures, taxable, dividends, program.greater(line_15 - loss_7, 0.0))

    # Form 8960: 3.8 percent of the lesser of net investment income and income above the threshold
    over = gain_16 - allowed + (ordinary + dividends - _amount(figures["niit_threshold"]))
    investment = gain_16 - allowed + (nii + dividends)
    niit = float(figures["niit_rate"]) * program.greater(program.lesser(over, investment), 0.0)  # type: ignore[arg-type]

    # Capital Loss Carryover Worksheet: line 1 + line 2 is taxable income with the allowed loss added back
    line_4 = program.lesser(allowed, program.greater(gain_16 + before_gains, 0.0))
    short_out = program.greater(loss_7 - line_4 - gain_15, 0.0)
    line_11 = program.greater(line_4 - loss_7, 0.0)
    long_out = program.greater(loss_15 - gain_7 - line_11, 0.0)
    return TaxYear(tax + niit, short_out, long_out)


def _bounded(loss: Expr, line: Expr) -> Expr:
    """The negative part of a line, which is max(0, line) - line, with the bounds that follow."""
    return Expr(loss.terms, loss.constant, max(0.0, -line.high), max(0.0, -line.low))


def _income_tax(program: Program, figures: dict, taxable: Expr, dividends: float, net_gain: Expr) -> Expr:
    """The worksheet of section 1(h): the gain lies on top of the rest, 0, 15 and 20 percent; never above the schedule.

    With R the rate schedule, F the same ladder at 0, 15 and 20 percent and O the ordinary part the worksheet's tax is
    R(O) + F(taxable) - F(O), and the tax is the lesser of it and R(taxable).
    """
    rates, tops = figures["rates"], [_amount(top) for top in figures["ordinary_bracket_tops"]]
    gain_tops = [_amount(figures["zero_rate_top"]), _amount(figures["fifteen_rate_top"])]
    schedule, flat = ladder(rates, tops), ladder(figures["gain_rates"], gain_tops)
    ordinary = program.greater(taxable - net_gain - dividends, 0.0)
    kinks = [*tops, *gain_tops]

    def more(amount: float) -> float:
        return schedule(amount) - flat(amount)

    above = program.lesser(program.curve(ordinary, more, kinks), program.curve(taxable, more, kinks))
    return above + program.curve(taxable, flat, gain_tops)


# --- the choice -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Built:
    """A program with its objective (units, to be maximised) and the columns of the parts sold."""

    program: Program
    objective: Expr
    parts: list[Expr]


def build(client: Client, lots: Sequence[Lot], rules: Rules) -> Built:
    """The whole problem: parts of lots, this year, the later years with the carryovers, costs."""
    program = Program()
    parts = [program.column(0, 1, whole=lot.indivisible) for lot in lots]
    short = _sum(parts, [lot.loss if lot.short else 0.0 for lot in lots])
    long = _sum(parts, [0.0 if lot.short else lot.loss for lot in lots])
    over = [lot.loss if lot.basis_given_up is None else lot.basis_given_up for lot in lots]
    net = _sum(parts, over)
    given_up = program.greater(net, 0.0) if min(over, default=0.0) < 0 else net
    raised = given_up - net
    cost = _sum(parts, [lot.proceeds * lot.cost_rate for lot in lots]) + _limits(program, parts, lots, rules)
    first = tax_year(
        program,
        client,
        client.ordinary / UNIT,
        client.nii / UNIT,
        client.short_term / UNIT - short,
        client.long_term / UNIT - long,
        constant(client.short_carry / UNIT),
        constant(client.long_carry / UNIT),
    )
    objective = -first.tax - cost
    chances = [(1 - rules.early_sale_chance, max(1, rules.holding), False), (rules.early_sale_chance, 1, True)]
    for chance, sale_year, as_short in chances:
        if chance:
            objective -= chance * _later(program, client, rules, first, given_up, sale_year, as_short=as_short)
            if min(over, default=0.0) < 0:  # units sold at a gain would without it be sold at that gain in that year
                alone = _unsold(program, client)
                kept = _later(program, client, rules, alone, raised, sale_year, as_short=False)
                objective += chance * (kept - _later(program, client, rules, alone, constant(0.0), 0, as_short=False))
    return Built(program, objective, parts)


def _unsold(program: Program, client: Client) -> TaxYear:
    """This year without a sale: constants."""
    amounts = (client.ordinary, client.nii)
    results = (client.short_term, client.long_term, client.short_carry, client.long_carry)
    return tax_year(program, client, *(a / UNIT for a in amounts), *(constant(a / UNIT) for a in results))


def _later(
    program: Program, client: Client, rules: Rules, first: TaxYear, given_up: Expr, sale_year: int, *, as_short: bool
) -> Expr:
    """The discounted taxes of the later years: the same law, the income expected, the units sold in `sale_year`."""
    total, last = constant(0.0), first
    for year in range(1, rules.horizon + 1):
        more = given_up if year == sale_year else constant(0.0)
        gains = constant(client.later_gains / UNIT)
        last = tax_year(
            program,
            client,
            client.later_ordinary / UNIT,
            min(client.nii, max(0, client.later_ordinary)) / UNIT,
            more if as_short else constant(0.0),
            gains if as_short else gains + more,
            last.short_out,
            last.long_out,
        )
        total += last.tax * (1 + rules.rate) ** -year
    return total


def _sum(parts: list[Expr], dollars: list[float]) -> Expr:
    return sum((part * (amount / UNIT) for part, amount in zip(parts, dollars, strict=True)), constant(0.0))


def _limits(program: Program, parts: list[Expr], lots: Sequence[Lot], rules: Rules) -> Expr:
    """What binds the parts of a wallet to each other; returns what its trades cost besides their volume."""
    fees = constant(0.0)
    for wallet in sorted({lot.wallet for lot in lots}):
        inside = [number for number, lot in enumerate(lots) if lot.wallet == wallet]
        if rules.forced:
            for older, newer in itertools.pairwise(inside):
                gone = program.column(0, 1, whole=True)
                program.between(parts[older] - gone, low=0)
                program.between(parts[newer] - gone, high=0)
        if rules.fixed_fee or rules.minimum_trade:
            trades = program.column(0, 1, whole=True)
            for number in inside:
                program.between(parts[number] - trades, high=0)
            proceeds = _sum([parts[n] for n in inside], [lots[n].proceeds for n in inside])
            program.between(proceeds - trades * (rules.minimum_trade / UNIT), low=0)
            fees += trades * (rules.fixed_fee / UNIT)
    return fees


def _passed(built: Built, low: list[float], high: list[float]) -> highspy.Highs:
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    for option in ("mip_feasibility_tolerance", "primal_feasibility_tolerance", "dual_feasibility_tolerance"):
        solver.setOptionValue(option, FEASIBLE)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", 1e-6)
    program, rows = built.program, built.program.rows
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(program.low), len(rows)
    model.sense_ = highspy.ObjSense.kMaximize
    cost = np.zeros(len(program.low))
    for column, factor in built.objective.terms.items():
        cost[column] = factor
    model.col_cost_, model.offset_ = cost, built.objective.constant
    model.col_lower_, model.col_upper_ = np.array(low), np.array(high)
    model.row_lower_ = np.array([least - expr.constant for expr, least, _ in rows])
    model.row_upper_ = np.array([most - expr.constant for expr, _, most in rows])
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.cumsum([0, *(len(expr.terms) for expr, _, _ in rows)])
    model.a_matrix_.index_ = np.array([column for expr, _, _ in rows for column in expr.terms], np.int32)
    model.a_matrix_.value_ = np.array([factor for expr, _, _ in rows for factor in expr.terms.values()], np.float64)
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    model.integrality_ = [kinds[whole] for whole in program.whole]
    solver.passModel(model)
    return solver


def _run(solver: highspy.Highs) -> np.ndarray:
    solver.run()
    status = solver.getModelStatus()
    assert status == highspy.HighsModelStatus.kOptimal, status
    return np.array(solver.getSolution().col_value)


def without_sale(client: Client, lots: Sequence[Lot], rules: Rules) -> float:
    """The objective, in units, where nothing is sold: every bound closes, and the program is only arithmetic."""
    nothing = [Lot(lot.short, 0.0, 0.0, basis_given_up=0.0) for lot in lots]
    found = build(client, nothing, Rules(rules.rate, rules.horizon, rules.holding, rules.early_sale_chance)).objective
    assert not any(found.terms.values())
    return found.constant


def solve(client: Client, lots: Sequence[Lot], rules: Rules, fixed: Sequence[float] | None = None) -> Optimum:
    """The best parts to sell; with `fixed` parts the worth of these.

    A binary that is off by what the solver allows, times the span of an income, is worth cents: so the binaries found
    are rounded and the program is solved again with them fixed.
    """
    built = build(client, lots, rules)
    program = built.program
    low, high = list(program.low), list(program.high)
    for number, part in enumerate(fixed or ()):
        low[number] = high[number] = part
    solver = _passed(built, low, high)
    values = _run(solver)
    bound = solver.getInfo().mip_dual_bound if any(program.whole) else solver.getInfo().objective_function_value
    for number, whole in enumerate(program.whole):
        if whole:
            low[number] = high[number] = float(round(values[number]))
    exact = _passed(built, low, high)
    exact.setOptionValue("solve_relaxation", True)
    values = _run(exact)
    base = without_sale(client, lots, rules)
    worth = exact.getInfo().objective_function_value - base
    parts = tuple(float(value) for value in values[: len(lots)])
    return Optimum(worth * UNIT, (bound - base) * UNIT, parts)
