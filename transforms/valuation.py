"""Valuation: what selling given losses tonight is worth to a return, now and in later years. Lots are not known here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from schemas.inputs import FirmSettings
from transforms.law.parameters import Ints
from transforms.law.tax import Assessment, Returns, assess

CHUNK = 20_000
"""Candidates assessed at a time: the arrays of one call stay in the processor's cache."""
_MILLS = 1000  # present values are carried in thousandths of a cent


@dataclass(frozen=True)
class Sales:
    """Sets of lots that could be sold tonight: int64 arrays of one length, cents, every amount positive.

    `row` is the return (its place in tonight's `Returns`). `collectible_loss` is a part of `long_loss`.
    `basis_given_up` is the basis for gain less the value: what a later sale at the old price would gain more;
    `collectible_given_up` is the part of it that the 28 % rate would take.
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

    net_benefit = regular_saved + amt_saved + niit_saved + carryforward_value - later_tax_cost - trading_cost.
    """

    tax_before: Ints
    tax_after: Ints
    regular_saved: Ints
    amt_saved: Ints
    niit_saved: Ints
    short_term_out_before: Ints
    short_term_out_after: Ints
    long_term_out_before: Ints
    long_term_out_after: Ints
    carryforward_value: Ints
    later_tax_cost: Ints
    trading_cost: Ints
    net_benefit: Ints


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

    `before` is tonight's tax, `without` the federal tax of each later year while tonight's carryover is used up.
    """

    tonight: Returns
    later: Returns
    settings: FirmSettings
    before: Assessment
    without: tuple[Ints, ...]


def outlook(tonight: Returns, later: Returns, settings: FirmSettings) -> Outlook:
    """The world without a sale: `horizon_years` years like `later`, the carryovers used in them as the law says."""
    before = assess(tonight)
    nothing = np.zeros_like(later.ordinary)
    years = _future(later, before, nothing, nothing, settings)
    return Outlook(tonight, later, settings, before, tuple(year.federal_tax for year, _ in years))


def evaluate(view: Outlook, sales: Sales) -> Worth:
    """The worth of each set of sales, with the exact tax of every year with and without it.

    With the sale there is more carryover to use (`carryforward_value`), and in year `holding_years` the units bought
    back are sold at the old price, with a long-term gain of `basis_given_up` beside the carryover then left
    (`later_tax_cost`: the difference to never selling them, in that year and after it). A `holding_years` beyond the
    horizon means that they are never sold (IRC 1014). Carryover left at the horizon counts nothing.
    """
    starts = range(0, max(1, sales.row.size), CHUNK)
    parts = [_evaluate(view, _slice(sales, start)) for start in starts]
    return Worth(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Worth)})


def _evaluate(view: Outlook, sales: Sales) -> Worth:
    row, before = sales.row, view.before
    start = _take(view.tonight, row)
    after = assess(
        replace(
            start,
            short_term=start.short_term - sales.short_loss,
            long_term=start.long_term - sales.long_loss,
            gain_28=start.gain_28 - sales.collectible_loss,
        )
    )
    years = list(
        _future(_take(view.later, row), after, sales.basis_given_up, sales.collectible_given_up, view.settings)
    )
    if_kept = [base[row] - kept.federal_tax for base, (kept, _) in zip(view.without, years, strict=True)]
    if_sold = [base[row] - sold.federal_tax for base, (_, sold) in zip(view.without, years, strict=True)]
    nothing = [np.zeros_like(row)]  # a horizon of no years
    carryforward_value = present_value(if_kept or nothing, view.settings.discount_rate)
    # rounded once, so that sets with the same taxes tie to the cent: the cost is the difference
    later_value = present_value(if_sold or nothing, view.settings.discount_rate)
    saved = before.federal_tax[row] - after.federal_tax
    return Worth(
        tax_before=before.federal_tax[row],
        tax_after=after.federal_tax,
        regular_saved=before.regular_tax[row] - after.regular_tax,
        amt_saved=before.amt[row] - after.amt,
        niit_saved=before.niit[row] - after.niit,
        short_term_out_before=before.short_term_out[row],
        short_term_out_after=after.short_term_out,
        long_term_out_before=before.long_term_out[row],
        long_term_out_after=after.long_term_out,
        carryforward_value=carryforward_value,
        later_tax_cost=carryforward_value - later_value,
        trading_cost=sales.trading_cost,
        net_benefit=saved + later_value - sales.trading_cost,
    )


def _future(
    later: Returns, first: Assessment, given_up: Ints, collectible: Ints, settings: FirmSettings
) -> Iterator[tuple[Assessment, Assessment]]:
    """Each later year twice: with the units bought back kept for good, and with them sold in year `holding_years`."""
    kept = sold = first
    sale_year = max(1, settings.holding_years)
    for year in range(1, settings.horizon_years + 1):
        kept = _next(later, kept)
        if year < sale_year or not given_up.any():
            sold = kept
        elif year == sale_year:
            sale = replace(later, long_term=later.long_term + given_up, gain_28=later.gain_28 + collectible)
            sold = _next(sale, sold)
        else:
            sold = _next(later, sold)
        yield kept, sold


def _next(later: Returns, last: Assessment) -> Assessment:
    return assess(replace(later, short_term_carry_in=last.short_term_out, long_term_carry_in=last.long_term_out))


def present_value(amounts: list[Ints], rate: Decimal) -> Ints:
    """Tonight's value, in cents, of `amounts[t - 1]` cents in t years; the rate is taken in whole basis points.

    Discounted one year at a time from the last, kept to a thousandth of a cent, rounded to cents once at the end, in
    integers throughout, halves away from zero.
    """
    points = int((rate * 10_000).to_integral_value(ROUND_HALF_UP))
    value = np.zeros_like(amounts[0])
    for amount in reversed(amounts):
        value = value + amount * _MILLS
        value = value - _half_up(value * points, 10_000 + points)
    return _half_up(value, _MILLS)


def _half_up(numerator: Ints, denominator: int) -> Ints:
    rounded: Ints = np.sign(numerator) * ((2 * np.abs(numerator) + denominator) // (2 * denominator))
    return rounded


def _take(returns: Returns, row: Ints) -> Returns:
    return Returns(**{field.name: getattr(returns, field.name)[row] for field in fields(Returns)})


def _slice(sales: Sales, start: int) -> Sales:
    return Sales(**{field.name: getattr(sales, field.name)[start : start + CHUNK] for field in fields(Sales)})
