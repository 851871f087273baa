"""Valuation: what selling given lots tonight is worth to a return, now and in later years. Lots are not known here."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

import numpy as np

from schemas.inputs import FirmSettings
from transforms.law.parameters import Ints
from transforms.law.states import NOWHERE, state_tax
from transforms.law.tax import Assessment, Returns, assess

CHUNK = 20_000
"""Candidates assessed at a time: the arrays of one call stay in the processor's cache."""
_MILLS = 1000  # present values are carried in thousandths of a cent
_BASIS_POINTS = 10_000


@dataclass(frozen=True)
class Sales:
    """Sets of lots that could be sold tonight: int64 arrays of one length, cents; losses positive, gains negative.

    `row` is the return (its place in tonight's `Returns`). `collectible_loss` is a part of `long_loss`.
    `basis_given_up` is the basis for gain less the value: what a later sale at the old price would gain more; where lots
    at a gain outweigh it is negative, what a later sale at tonight's price would have gained without the sale.
    `collectible_given_up` is the part of it that the 28 % rate would take; the two parts do not cancel each other.
    """

    row: Ints
    short_loss: Ints
    long_loss: Ints
    collectible_loss: Ints
    basis_given_up: Ints
    trading_cost: Ints
    collectible_given_up: Ints


@dataclass(frozen=True)
class Worth:
    """What each set of sales is worth: int64 arrays, cents; savings positive, costs positive.

    net_benefit = regular_saved + amt_saved + niit_saved + state_saved + carryforward_value - later_tax_cost
    - restarted_clock_cost - trading_cost. The taxes before and after are federal; `state_saved` is an estimate, 0 where
    the state's tax is not covered.
    """

    tax_before: Ints
    tax_after: Ints
    regular_saved: Ints
    amt_saved: Ints
    niit_saved: Ints
    state_saved: Ints
    short_term_out_before: Ints
    short_term_out_after: Ints
    long_term_out_before: Ints
    long_term_out_after: Ints
    carryforward_value: Ints
    later_tax_cost: Ints
    restarted_clock_cost: Ints
    trading_cost: Ints
    net_benefit: Ints


class Year(NamedTuple):
    """A later year of each return: its federal and state tax, and the carryovers out of it."""

    tax: Ints
    short_out: Ints
    long_out: Ints


def later_year(tonight: Returns, ordinary: Ints, gains: Ints) -> Returns:
    """A year after tonight's: the law of tonight's year, the income expected, no carryover yet.

    Args:
        tonight: this year's returns.
        ordinary: the ordinary income expected in each later year, cents.
        gains: the long-term gains expected in each later year, cents.
    """
    nothing = np.zeros_like(ordinary)
    return replace(
        tonight,
        ordinary=ordinary,
        nii=np.minimum(tonight.nii, np.maximum(0, ordinary)),
        short_term=nothing,
        long_term=gains,
        gain_28=nothing,
        unrecaptured_1250=nothing,
        short_term_carry_in=nothing,
        long_term_carry_in=nothing,
    )


@dataclass(frozen=True)
class Outlook:
    """The returns of tonight, a later year of each, and what happens without any sale.

    `home` is each return's state as `law.states` numbers it, `before` tonight's federal tax and `state_before` the
    state's. `without` are the later years while tonight's carryover is used up.
    """

    tonight: Returns
    later: Returns
    settings: FirmSettings
    home: Ints
    before: Assessment
    state_before: Ints
    without: tuple[Year, ...]


def outlook(tonight: Returns, later: Returns, settings: FirmSettings, home: Ints | None = None) -> Outlook:
    """The world without a sale: `horizon_years` years like `later`, the carryovers used in them as the law says.

    Args:
        tonight: this year's returns.
        later: a later year of each (`later_year`).
        settings: the firm's assumptions.
        home: index of the state of each (`law.states.BOOK`); none: no state's tax counts.
    """
    home = np.full(tonight.status.size, NOWHERE) if home is None else home
    before = assess(tonight)
    without: list[Year] = []
    last = Year(before.federal_tax, before.short_term_out, before.long_term_out)
    for _ in range(settings.horizon_years):
        last = _assessed(_carried(later, last), home)
        without.append(last)
    return Outlook(tonight, later, settings, home, before, _state(tonight, before, home), tuple(without))


def evaluate(view: Outlook, sales: Sales) -> Worth:
    """The worth of each set of sales, with the exact tax of every year with and without it.

    With the sale there is more carryover to use (`carryforward_value`), and in year `holding_years` the units bought
    back are sold at the old price, with a long-term gain of `basis_given_up` beside the carryover then left
    (`later_tax_cost`: the difference to never selling them, in that year and after it). Units sold at a gain tonight would
    without it be sold at tonight's price in that year: the gain is then that of the world without the sale. A `holding_years` beyond the
    horizon means that they are never sold (IRC 1014). `restarted_clock_cost`: with the chance `early_sale_chance` they
    are sold within a year of the purchase instead, in the first later year at short-term rates (IRC 1222). Carryover
    left at the horizon counts nothing.
    """
    starts = range(0, max(1, sales.row.size), CHUNK)
    parts = [_evaluate(view, _slice(sales, start)) for start in starts]
    return Worth(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Worth)})


def _evaluate(view: Outlook, sales: Sales) -> Worth:
    row, before, rate = sales.row, view.before, view.settings.discount_rate
    sold = _sold(view, sales)
    after = assess(sold)
    state_saved = view.state_before[row] - _state(sold, after, view.home[row])
    carryforward_value = present_value(_savings(view, sales, after, sale_year=None), rate)
    # rounded once, so that sets with the same taxes tie to the cent: the cost is the difference
    later_value = present_value(_savings(view, sales, after, max(1, view.settings.holding_years)), rate)
    restarted = _restarted(view, sales, after, later_value)
    saved = before.federal_tax[row] - after.federal_tax + state_saved
    return Worth(
        tax_before=before.federal_tax[row],
        tax_after=after.federal_tax,
        regular_saved=before.regular_tax[row] - after.regular_tax,
        amt_saved=before.amt[row] - after.amt,
        niit_saved=before.niit[row] - after.niit,
        state_saved=state_saved,
        short_term_out_before=before.short_term_out[row],
        short_term_out_after=after.short_term_out,
        long_term_out_before=before.long_term_out[row],
        long_term_out_after=after.long_term_out,
        carryforward_value=carryforward_value,
        later_tax_cost=carryforward_value - later_value,
        restarted_clock_cost=restarted,
        trading_cost=sales.trading_cost,
        net_benefit=saved + later_value - restarted - sales.trading_cost,
    )


def benefit(view: Outlook, sales: Sales) -> Ints:
    """`Worth.net_benefit` before the trading cost, alone and so in half the time."""
    parts = [_benefit(view, _slice(sales, start)) for start in range(0, max(1, sales.row.size), CHUNK)]
    return np.concatenate(parts)


def _benefit(view: Outlook, sales: Sales) -> Ints:
    row, rate = sales.row, view.settings.discount_rate
    sold = _sold(view, sales)
    after = assess(sold)
    saved = (
        view.before.federal_tax[row] - after.federal_tax + view.state_before[row] - _state(sold, after, view.home[row])
    )
    later = present_value(_savings(view, sales, after, max(1, view.settings.holding_years)), rate)
    return saved + later - _restarted(view, sales, after, later)


def _sold(view: Outlook, sales: Sales) -> Returns:
    """Tonight's returns with the sales."""
    start = _take(view.tonight, sales.row)
    return replace(
        start,
        short_term=start.short_term - sales.short_loss,
        long_term=start.long_term - sales.long_loss,
        gain_28=start.gain_28 - sales.collectible_loss,
    )


def _restarted(view: Outlook, sales: Sales, after: Assessment, later: Ints) -> Ints:
    points = _points(view.settings.early_sale_chance)
    if not points:
        return np.zeros_like(sales.row)
    early = present_value(_savings(view, sales, after, 1, short=True), view.settings.discount_rate)
    return _half_up((later - early) * points, _BASIS_POINTS)


def _savings(
    view: Outlook, sales: Sales, after: Assessment, sale_year: int | None, *, short: bool = False
) -> list[Ints]:
    """What each later year's tax is less than without the sales, the units sold for good in `sale_year`.

    Then the gain is more by the basis given up; where the sales raised the basis, it is the world without them that has
    the gain.
    """
    row, of_28 = sales.row, sales.collectible_given_up
    lost_28, raised_28 = np.maximum(0, of_28), np.maximum(0, -of_28)
    lost, raised = (
        np.maximum(0, sign * (sales.basis_given_up - of_28)) + part for sign, part in ((1, lost_28), (-1, raised_28))
    )
    start = Year(after.federal_tax, after.short_term_out, after.long_term_out)
    sold = _path(view, row, start, _Sale(sale_year, lost, lost_28, short))
    base = [Year(*(field[row] for field in without)) for without in view.without]
    up = np.flatnonzero(raised > 0) if sale_year is not None else np.zeros(0, np.int64)
    if up.size:
        before = Year(*(field[row[up]] for field in _before(view)))
        kept = _path(view, row[up], before, _Sale(sale_year, raised[up], raised_28[up], short=False))
        for year, without in zip(kept, base, strict=True):
            without.tax[up] = year.tax
    saved = [without.tax - year.tax for without, year in zip(base, sold, strict=True)]
    return saved or [np.zeros_like(row)]  # a horizon of no years


class _Sale(NamedTuple):
    """A later sale of each set: its year, the long-term gain (of `short`: short-term), the part taxed at 28 %."""

    year: int | None
    gain: Ints
    gain_28: Ints
    short: bool


def _path(view: Outlook, row: Ints, start: Year, sale: _Sale) -> list[Year]:
    """The later years of each set, from the carryovers of `start` on.

    A year is computed only for the sets whose carryover differs from that without a sale, or that sell in it.
    """
    last, base, years = start, _before(view), []
    for year, without in enumerate(view.without, 1):
        differs = (last.short_out != base.short_out[row]) | (last.long_out != base.long_out[row])
        some = np.flatnonzero(differs | ((sale.gain != 0) & (year == sale.year)))
        if not some.size:
            last, base = Year(*(field[row] for field in without)), without
            years.append(last)
            continue
        of = row[some]
        one = _carried(_take(view.later, of), Year(*(field[some] for field in last)))
        if year == sale.year:
            one = _with_later_sale(one, sale.gain[some], sale.gain_28[some], short=sale.short)
        found = _assessed(one, view.home[of])
        last = Year(*(field[row] for field in without))
        for field, value in zip(last, found, strict=True):
            field[some] = value
        years.append(last)
        base = without
    return years


def _before(view: Outlook) -> Year:
    return Year(view.before.federal_tax, view.before.short_term_out, view.before.long_term_out)


def _with_later_sale(year: Returns, gain: Ints, collectible: Ints, *, short: bool) -> Returns:
    if short:
        return replace(year, short_term=year.short_term + gain)
    return replace(year, long_term=year.long_term + gain, gain_28=year.gain_28 + collectible)


def _carried(later: Returns, last: Year) -> Returns:
    return replace(later, short_term_carry_in=last.short_out, long_term_carry_in=last.long_out)


def _assessed(returns: Returns, home: Ints) -> Year:
    found = assess(returns)
    return Year(found.federal_tax + _state(returns, found, home), found.short_term_out, found.long_term_out)


def _state(returns: Returns, assessment: Assessment, home: Ints) -> Ints:
    if not np.any(home != NOWHERE):
        return np.zeros_like(assessment.federal_tax)
    return state_tax(returns, assessment, home).tax


def present_value(amounts: list[Ints], rate: Decimal) -> Ints:
    """Tonight's value, in cents, of `amounts[t - 1]` cents in t years; the rate is taken in whole basis points.

    Discounted one year at a time from the last, kept to a thousandth of a cent, rounded to cents once at the end, in
    integers throughout, halves away from zero.
    """
    points = _points(rate)
    value = np.zeros_like(amounts[0])
    for amount in reversed(amounts):
        value = value + amount * _MILLS
        value = value - _half_up(value * points, _BASIS_POINTS + points)
    return _half_up(value, _MILLS)


def _points(rate: Decimal) -> int:
    return int((rate * _BASIS_POINTS).to_integral_value(ROUND_HALF_UP))


def _half_up(numerator: Ints, denominator: int) -> Ints:
    rounded: Ints = np.sign(numerator) * ((2 * np.abs(numerator) + denominator) // (2 * denominator))
    return rounded


def _take(returns: Returns, row: Ints) -> Returns:
    return Returns(**{field.name: getattr(returns, field.name)[row] for field in fields(Returns)})


def _slice(sales: Sales, start: int) -> Sales:
    return Sales(**{field.name: getattr(sales, field.name)[start : start + CHUNK] for field in fields(Sales)})
