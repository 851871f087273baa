"""The Tax Table against rows that the IRS prints, and the rate schedule at its corners."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.fields import STATUSES
from transforms.law.parameters import lookup
from transforms.law.rates import QUARTERS, UNIT, rate_schedule, tax_table


def taxed(of, year, status, dollars):
    cents = round(dollars * 100)
    law = lookup(np.array([year]), np.array([STATUSES.index(status)]))
    return of(np.array([QUARTERS * cents]), law).item() / UNIT / 100


@pytest.mark.parametrize(
    ("income", "tax"),
    [(0, 0), (4.99, 0), (5, 1), (14.99, 1), (15, 2), (24.99, 2), (25, 4), (49.99, 4), (50, 6), (75, 9), (2_975, 299),
     (2_999.99, 299), (3_000, 303), (3_049.99, 303), (3_050, 308)],
)  # fmt: skip
def test_the_first_rows_of_the_tax_table(income, tax):
    """2024 Tax Table, any status: 0-5, 5-15, 15-25, then 25 wide to 3,000, then 50 wide; the middle, halves up."""
    assert taxed(tax_table, 2024, "single", income) == tax


@pytest.mark.parametrize(
    ("year", "status", "income", "tax"),
    [
        (2023, "single", 75_150, 11_846),  # 5,147 + 22 % of (75,175 - 44,725)
        (2024, "single", 25_300, 2_807),  # the sample row of the instructions: 25,300-25,350, single 2,807
        (2024, "mfj", 25_300, 2_575),  # the same row, married filing jointly 2,575
        (2024, "mfs", 25_300, 2_807),
        (2024, "hoh", 25_300, 2_708),
        (2025, "single", 99_999.99, 16_909),  # the last row
    ],
)
def test_rows_of_the_tax_table(year, status, income, tax):
    """Worked by hand from the brackets: the schedule at the middle of the row, to the dollar, halves up."""
    assert taxed(tax_table, year, status, income) == tax


def test_from_100000_on_there_is_no_table():
    for dollars in (100_000, 100_000.01, 523_411.17):
        assert taxed(tax_table, 2025, "single", dollars) == taxed(rate_schedule, 2025, "single", dollars)


@pytest.mark.parametrize("status", STATUSES)
def test_table_and_schedule_differ_by_no_more_than_half_a_row_and_half_a_dollar(status):
    """At most 24 % of 25 dollars, and 50 cents of rounding: tax rules 3.4 says about 6 dollars."""
    incomes = np.arange(0, 100_000_00, 12_37)
    law = lookup(np.full(len(incomes), 2025), np.full(len(incomes), STATUSES.index(status)))
    gap = np.abs(tax_table(QUARTERS * incomes, law) - rate_schedule(QUARTERS * incomes, law)) / UNIT / 100
    assert gap.max() <= 6.5
    assert gap.max() > 1
