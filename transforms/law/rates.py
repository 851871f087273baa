"""The tax on one amount: rate schedule, Tax Table, AMT rates. What the amount is, and worksheets, stay outside."""

from __future__ import annotations

import numpy as np

from transforms.law.parameters import Ints, Parameters
from transforms.law.readings import either

QUARTERS = 4
"""Quarter cents in a cent: the AMT exemption phases out by quarters."""
UNIT = QUARTERS * 1000
"""Units of tax in a cent: a quarter cent of income times a rate in thousandths is one."""
TABLE_LIMIT = 100_000_00
"""Cents of taxable income from which the Tax Table ends."""

_DOLLAR = 100 * UNIT
_FIRST_ROWS = (5_00, 15_00, 25_00)
_NARROW, _NARROW_TOP, _WIDE = 25_00, 3_000_00, 50_00


@either
def rate_schedule(income: Ints, law: Parameters) -> Ints:
    """Tax by the rate schedule (IRC 1(i), 1(j)); income in quarter cents, tax in units."""
    tax: Ints = law.rates[0] * income
    for bracket in range(len(law.bracket_tops)):
        step = law.rates[bracket + 1] - law.rates[bracket]
        tax = tax + step * np.maximum(0, income - QUARTERS * law.bracket_tops[bracket])
    return tax


def tax_table(income: Ints, law: Parameters) -> Ints:
    """Tax by the Tax Table below 100,000 dollars, else by the rate schedule (IRC 3; Instructions Form 1040, line 16).

    A row of the table (at least, but less than) is 50 dollars wide, 25 below 3,000, and the first three end at 5, 15 and
    25; its tax is the schedule's at the middle of the row, to the whole dollar, halves up.

    Args:
        income: taxable income in quarter cents.
        law: the figures of each return.

    Returns:
        Tax in units.
    """
    low = income // QUARTERS
    width = np.where(low < _NARROW_TOP, _NARROW, _WIDE)
    middle = QUARTERS * (low // width * width) + QUARTERS * width // 2
    for floor, top in zip((0, *_FIRST_ROWS), _FIRST_ROWS, strict=False):
        middle = np.where((low >= floor) & (low < top), QUARTERS * (floor + top) // 2, middle)
    rounded = (rate_schedule(middle, law) + _DOLLAR // 2) // _DOLLAR * _DOLLAR
    table: Ints = np.where(low < TABLE_LIMIT, rounded, rate_schedule(income, law))
    return table


@either
def minimum_rates(income: Ints, law: Parameters) -> Ints:
    """26 percent, and 28 above the break (IRC 55(b)(1)); income in quarter cents, tax in units."""
    low, high = law.amt_rates[0], law.amt_rates[1]
    upper: Ints = np.maximum(0, income - QUARTERS * law.amt_rate_break)
    tax: Ints = low * income + (high - low) * upper
    return tax


@either
def preferential(rates: Ints, zero: Ints, fifteen: Ints, twenty: Ints) -> Ints:
    """The three groups of section 1(h), each at its rate; amounts in quarter cents, tax in units."""
    tax: Ints = rates[0] * zero + rates[1] * fifteen + rates[2] * twenty
    return tax


@either
def half_up(amount: Ints, divisor: int) -> Ints:
    """Amount / divisor, halves up; the divisor is even."""
    rounded: Ints = (amount + divisor // 2) // divisor
    return rounded


@either
def to_cents(units: Ints) -> Ints:
    """Units of tax in cents, halves up."""
    return half_up(units, UNIT)
