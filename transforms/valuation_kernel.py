"""The tax of sets of sales, this year's and the later years', compiled: one set at a time. What it is worth: `valuation`.

The law is that of `transforms.law`, whose functions numba compiles for single numbers (`parameters.either`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import resources
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from transforms.law.parameters import Ints
from transforms.law.readings import either, got, part, put, surely, where
from transforms.law.states import estimate
from transforms.law.tax import Returns, assessed

Records: TypeAlias = npt.NDArray[Any]
"""An array of records of int64: one field a column."""

compiled = njit(nogil=True, error_model="numpy", _nrt=False)
"""Nothing here allocates: numba's counting of who holds which array is left out."""

BASIS_POINTS = 10_000
_MILLS = 1000  # present values are carried in thousandths of a cent


class Scene(NamedTuple):
    """The returns before a sale, one place each, and the years after it.

    `now`, `later`: `tax.Returns`; `laws`, `rules`: `parameters.Parameters`, `states.Rules`, of both; `before`: `Year`, this
    year's tax; `tax`, `short_out`, `long_out`: (year, return) of the later years.
    """

    now: Records
    later: Records
    laws: Records
    rules: Records
    before: Records
    tax: Ints
    short_out: Ints
    long_out: Ints


class Terms(NamedTuple):
    """The firm's assumptions in whole numbers.

    `holding`: the later year in which what was bought back is sold; `early`: the chance, in basis points, that it is the
    first, at short-term rates; `discount`: basis points a year; `whole`: 1 to tell the carryover alone too.
    """

    holding: int
    early: int
    discount: int
    whole: int


class Year(NamedTuple):
    """A year of one return in cents: its taxes, the state's included, and the carryovers out of it."""

    regular: Any
    amt: Any
    niit: Any
    state: Any
    short_out: Any
    long_out: Any


class Sale(NamedTuple):
    """One of `valuation.Sales`, without its trading cost."""

    row: Any
    short_loss: Any
    long_loss: Any
    collectible_loss: Any
    basis_given_up: Any
    collectible_given_up: Any


class Found(NamedTuple):
    """Of a set of sales: this year with it (`sold`), and the present value in cents of what the later years' taxes are less.

    `carryover`: without a later sale (0 unless `Terms.whole`); `later`: with it; `early`: with it in the first year (0
    where it has no chance).
    """

    sold: Any
    carryover: Any
    later: Any
    early: Any


FOUND = np.dtype([(name, np.int64) for name in (*Year._fields, *Found._fields[1:])])
"""A `Found` as a record, its year's fields first."""


def records(columns: Any) -> Records:
    """A named tuple of arrays, the last axis one place a return, as an array of records."""
    fields = columns._asdict()
    kinds = [(name, np.int64, column.shape[:-1]) for name, column in fields.items()]
    found = np.zeros(columns[0].shape[-1], np.dtype(kinds))
    for name, column in fields.items():
        found[name] = np.moveaxis(column, -1, 0)
    return found


@either
def a_year_earlier(value: Any, amount: Any, points: Any) -> Any:
    """The value a year earlier of what has `value` at a year's end and of `amount` cents then, in thousandths of a cent."""
    value = value + amount * _MILLS
    return value - part(value, points, BASIS_POINTS + points)


@either
def in_cents(value: Any) -> Any:
    """Thousandths of a cent in cents, halves away from zero."""
    return part(value, 1, _MILLS)


@either
def restarted(later: Any, early: Any, chance: Any) -> Any:
    """The cost of a holding period that begins anew, cents: what an early sale loses, times its chance."""
    return part(later - early, chance, BASIS_POINTS)


@compiled
def _taxed(returns: Any, law: Any, rules: Any) -> Any:
    a = assessed(returns, law)
    state = estimate(returns, a, rules) if rules.covered == 1 else 0
    return Year(a.regular_tax, a.amt, a.niit, state, a.short_term_out, a.long_term_out)


@compiled
def _total(year: Any) -> Any:
    return year.regular + year.amt + year.niit + year.state


@compiled
def _with(base: Any, short_term: Any, long_term: Any, gain_28: Any, short_in: Any, long_in: Any) -> Any:
    """The return with other gains and carryovers in."""
    return Returns(
        base.tax_year,
        base.status,
        base.ordinary,
        base.nii,
        base.qualified_dividends,
        short_term,
        long_term,
        gain_28,
        base.unrecaptured_1250,
        short_in,
        long_in,
        base.adjustments,
        base.deduction,
        base.aged,
        base.exemptions,
        base.social_security,
    )


@compiled
def _later(scene: Any, row: Any, year: Any, short_in: Any, long_in: Any, gain: Any, gain_28: Any, short: Any) -> Any:
    """The tax and carryovers of a later year with these carryovers in and a sale: computed only where it differs."""
    was_short = scene.short_out[year - 1, row] if year else scene.before[row].short_out
    was_long = scene.long_out[year - 1, row] if year else scene.before[row].long_out
    if surely(short_in == was_short) and surely(long_in == was_long) and surely(gain == 0):
        return scene.tax[year, row], scene.short_out[year, row], scene.long_out[year, row]
    base = scene.later[row]
    returns = _with(
        base,
        base.short_term + where(short, gain, 0),
        base.long_term + where(short, 0, gain),
        base.gain_28 + (0 if short else gain_28),
        short_in,
        long_in,
    )
    found = _taxed(returns, scene.laws[row], scene.rules[row])
    return _total(found), found.short_out, found.long_out


@compiled
def _saved(scene: Any, sale: Any, sold: Any, sale_year: Any, short: Any, discount: Any, saved: Ints) -> Any:
    """The present value of what each later year's tax is less than without the sales, the units sold in `sale_year`.

    Then the gain is more by the basis given up; where the sales raised the basis, it is the world without them that has
    the gain. A `sale_year` of -1: never.
    """
    row, of_28 = sale.row, sale.collectible_given_up
    lost_28, raised_28 = max(0, of_28), max(0, -of_28)
    lost = np.maximum(0, sale.basis_given_up - of_28) + lost_28
    raised = np.maximum(0, of_28 - sale.basis_given_up) + raised_28
    before = scene.before[row]
    short_in, long_in, kept_short, kept_long = sold.short_out, sold.long_out, before.short_out, before.long_out
    for year in range(len(saved)):
        here = year == sale_year
        tax, short_in, long_in = _later(
            scene, row, year, short_in, long_in, where(here, lost, 0), lost_28 if here else 0, short
        )
        kept, kept_short, kept_long = _later(
            scene, row, year, kept_short, kept_long, where(here, raised, 0), raised_28 if here else 0, False
        )
        put(saved, year, kept - tax)
    value = 0 * lost
    for year in range(len(saved) - 1, -1, -1):
        value = a_year_earlier(value, got(saved, year, lost), discount)
    return in_cents(value)


@compiled
def _found(scene: Any, sale: Any, terms: Any, saved: Ints) -> Any:
    row = sale.row
    base = scene.now[row]
    returns = _with(
        base,
        base.short_term - sale.short_loss,
        base.long_term - sale.long_loss,
        base.gain_28 - sale.collectible_loss,
        base.short_term_carry_in,
        base.long_term_carry_in,
    )
    sold = _taxed(returns, scene.laws[row], scene.rules[row])
    carryover = _saved(scene, sale, sold, -1, False, terms.discount, saved) if terms.whole else 0
    later = _saved(scene, sale, sold, terms.holding - 1, False, terms.discount, saved)
    early = _saved(scene, sale, sold, 0, True, terms.discount, saved) if terms.early else 0
    return Found(sold, carryover, later, early)


@compiled
def benefit_of(scene: Any, sale: Any, terms: Any, saved: Ints) -> Any:
    """`valuation.Worth.net_benefit` of one set of sales before the trading cost."""
    found = _found(scene, sale, terms, saved)
    before = _total(scene.before[sale.row])
    return before - _total(found.sold) + found.later - restarted(found.later, found.early, terms.early)


def _entry(sources: str) -> Callable[[Scene, Records, Terms, Records], None]:
    """The way in. Numba keeps what it compiled by this file and by what a function encloses: so by all `sources`.

    They must be read in the function to be enclosed.
    """

    @njit(cache=True, nogil=True, error_model="numpy")
    def value(scene: Any, sales: Records, terms: Any, out: Records) -> None:
        saved = np.zeros((scene.tax.shape[0] if len(sources) else 0, 1), np.int64)
        for place in range(sales.size):
            found = _found(scene, sales[place], terms, saved)
            sold = found.sold
            out[place].regular, out[place].amt, out[place].niit = sold.regular, sold.amt, sold.niit
            out[place].state, out[place].short_out, out[place].long_out = sold.state, sold.short_out, sold.long_out
            out[place].carryover, out[place].later, out[place].early = found.carryover, found.later, found.early

    return value


def digest(*more: str) -> str:
    """Of the files that are compiled here, the order of the filing statuses included, and more of this package's."""
    folder = resources.files("transforms")
    law = sorted(file.name for file in folder.joinpath("law").iterdir() if file.name.endswith(".py"))
    files = ["valuation_kernel.py", *more, *(f"law/{name}" for name in law)]
    sources = [resources.files("schemas").joinpath("fields.py"), *(folder.joinpath(name) for name in files)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()


value = _entry(digest())
"""(scene, sales, terms, out): for each record of `valuation.Sales` its `FOUND`."""
