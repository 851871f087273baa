"""Valuation: what selling given lots tonight is worth to a return, now and in later years. Lots are not known here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

import numpy as np

from schemas.inputs import FirmSettings
from transforms import valuation_kernel as kernel
from transforms.law.parameters import Ints, lookup
from transforms.law.states import NOWHERE, rules_of, state_tax
from transforms.law.tax import AMOUNT_LIMIT, Assessment, Returns, assess
from transforms.valuation_kernel import BASIS_POINTS, FOUND, Records, Scene, Terms, a_year_earlier, in_cents

CHUNK = 5_000
"""Sets that a thread takes at a time."""


class Sales(NamedTuple):
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
    return tonight._replace(
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

    `before` is tonight's federal tax and `state_before` the state's. `scene` has them for compiled code, with the later
    years in which tonight's carryover is used up.
    """

    tonight: Returns
    later: Returns
    settings: FirmSettings
    before: Assessment
    state_before: Ints
    scene: Scene


def outlook(tonight: Returns, later: Returns, settings: FirmSettings, home: Ints | None = None) -> Outlook:
    """The world without a sale: `horizon_years` years like `later`, the carryovers used in them as the law says.

    Args:
        tonight: this year's returns.
        later: a later year of each (`later_year`), of the same tax year.
        settings: the firm's assumptions.
        home: index of the state of each (`law.states.BOOK`); none: no state's tax counts.
    """
    home = np.full(tonight.status.size, NOWHERE) if home is None else home
    before = assess(tonight)
    state_before = state_tax(tonight, before, home).tax
    without: list[Year] = []
    last = Year(before.federal_tax, before.short_term_out, before.long_term_out)
    for _ in range(settings.horizon_years):
        returns = later._replace(short_term_carry_in=last.short_out, long_term_carry_in=last.long_out)
        found = assess(returns)
        tax = found.federal_tax + state_tax(returns, found, home).tax
        last = Year(tax, found.short_term_out, found.long_term_out)
        without.append(last)
    scene = _scene(tonight, later, home, before, state_before, without)
    return Outlook(tonight, later, settings, before, state_before, scene)


def _scene(
    tonight: Returns, later: Returns, home: Ints, before: Assessment, state_before: Ints, without: list[Year]
) -> Scene:
    year = kernel.Year(
        before.regular_tax, before.amt, before.niit, state_before, before.short_term_out, before.long_term_out
    )  # fmt: skip
    columns = [[getattr(year, name) for year in without] for name in Year._fields]
    rows = [np.array(field, np.int64).reshape(len(without), tonight.status.size) for field in columns]
    laws, rules = lookup(tonight.tax_year, tonight.status), rules_of(tonight, home)
    return Scene(*(kernel.records(of) for of in (tonight, later, laws, rules, year)), *rows)


def evaluate(view: Outlook, sales: Sales) -> Worth:
    """The worth of each set of sales, with the exact tax of every year with and without it.

    With the sale there is more carryover to use (`carryforward_value`), and in year `holding_years` the units bought
    back are sold at the old price, with a long-term gain of `basis_given_up` beside the carryover then left
    (`later_tax_cost`: the difference to never selling them, in that year and after it). Units sold at a gain tonight
    would without it be sold at tonight's price in that year: the gain is then that of the world without the sale. A
    `holding_years` beyond the horizon means that they are never sold (IRC 1014). `restarted_clock_cost`: with the chance
    `early_sale_chance` they are sold within a year of the purchase instead, in the first later year at short-term rates
    (IRC 1222). Carryover left at the horizon counts nothing.

    Raises:
        OverflowError: an amount is beyond `AMOUNT_LIMIT`.
    """
    row, before = sales.row, view.before
    found = _found(view, sales)
    tax_after = found["regular"] + found["amt"] + found["niit"]
    state_saved = view.state_before[row] - found["state"]
    restarted: Ints = kernel.restarted(found["later"], found["early"], _points(view.settings.early_sale_chance))
    return Worth(
        tax_before=before.federal_tax[row],
        tax_after=tax_after,
        regular_saved=before.regular_tax[row] - found["regular"],
        amt_saved=before.amt[row] - found["amt"],
        niit_saved=before.niit[row] - found["niit"],
        state_saved=state_saved,
        short_term_out_before=before.short_term_out[row],
        short_term_out_after=found["short_out"],
        long_term_out_before=before.long_term_out[row],
        long_term_out_after=found["long_out"],
        carryforward_value=found["carryover"],
        # rounded once, so that sets with the same taxes tie to the cent: the cost is the difference
        later_tax_cost=found["carryover"] - found["later"],
        restarted_clock_cost=restarted,
        trading_cost=sales.trading_cost,
        net_benefit=before.federal_tax[row] - tax_after + state_saved + found["later"] - restarted - sales.trading_cost,
    )


def terms_of(settings: FirmSettings, *, whole: bool) -> Terms:
    """The firm's assumptions in whole numbers; see `Terms`."""
    return Terms(
        max(1, settings.holding_years), _points(settings.early_sale_chance), _points(settings.discount_rate), int(whole)
    )  # fmt: skip


def _found(view: Outlook, sales: Sales) -> Records:
    """What the kernel finds (`FOUND`), by as many threads as the machine has; the same on any number."""
    _refuse_huge(view, sales)
    terms = terms_of(view.settings, whole=True)
    given, out = kernel.records(sales), np.zeros(sales.row.size, FOUND)
    parts = [slice(start, start + CHUNK) for start in range(0, given.size, CHUNK)]
    if len(parts) < 2:
        kernel.value(view.scene, given, terms, out)
        return out
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda part: kernel.value(view.scene, given[part], terms, out[part]), parts))
    return out


def _refuse_huge(view: Outlook, sales: Sales) -> None:
    moved = (
        view.tonight.short_term[sales.row] - sales.short_loss,
        view.tonight.long_term[sales.row] - sales.long_loss,
        view.tonight.gain_28[sales.row] - sales.collectible_loss,
        sales.basis_given_up,
        sales.collectible_given_up,
    )
    if any(np.any(np.abs(amounts) > AMOUNT_LIMIT) for amounts in moved):
        raise OverflowError(f"sales that move an amount beyond {AMOUNT_LIMIT} cents")


def present_value(amounts: list[Ints], rate: Decimal) -> Ints:
    """Tonight's value, in cents, of `amounts[t - 1]` cents in t years; the rate is taken in whole basis points.

    Discounted one year at a time from the last, kept to a thousandth of a cent, rounded to cents once at the end, in
    integers throughout, halves away from zero.
    """
    value = np.zeros_like(amounts[0])
    for amount in reversed(amounts):
        value = a_year_earlier(value, amount, _points(rate))
    found: Ints = in_cents(value)
    return found


def _points(rate: Decimal) -> int:
    return int((rate * BASIS_POINTS).to_integral_value(ROUND_HALF_UP))
