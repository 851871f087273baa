"""The figures of the law: read exactly, complete, refused where they are missing."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal

import numpy as np
import pytest

from schemas.fields import STATUSES
from transforms.law.parameters import SOURCES, TABLE, YEARS, YearMissingError, cents, lookup, thousandths


def of(year, status):
    return lookup(np.array([year]), np.array([STATUSES.index(status)]))


def test_the_tables_cover_2018_to_2026_for_five_statuses():
    assert list(YEARS) == list(range(2018, 2027))
    for field in fields(TABLE):
        assert getattr(TABLE, field.name).shape[:2] == (9, 5)
        assert getattr(TABLE, field.name).dtype == np.int64


def test_2026_single_as_in_revenue_procedure_2025_32():
    law = of(2026, "single")
    dollars = [12_400, 50_400, 105_700, 201_775, 256_225, 640_600]
    assert law.bracket_tops.tolist() == [[100 * top for top in dollars]]
    assert law.rates.tolist() == [[100, 120, 220, 240, 320, 350, 370]]
    assert (law.zero_rate_top.item(), law.fifteen_rate_top.item()) == (49_450_00, 545_500_00)
    assert law.standard_deduction.item() == 16_100_00
    assert law.below_25_top.item() == 201_775_00  # the 24 percent bracket is the last below 25
    assert law.amt_exemption_phase_out_rate.item() == 500


@pytest.mark.parametrize(
    ("year", "status", "name", "dollars"),
    [
        (2023, "mfs", "bracket_tops", 346_875),  # start of 37 percent, Rev. Proc. 2022-38
        (2023, "mfs", "fifteen_rate_top", 276_900),
        (2023, "hoh", "bracket_tops", 578_100),
        (2024, "mfj", "bracket_tops", 731_200),
        (2024, "qss", "bracket_tops", 731_200),
        (2025, "mfs", "fifteen_rate_top", 300_000),
    ],
)
def test_figures_that_tax_programs_get_wrong(year, status, name, dollars):
    figure = getattr(of(year, status), name)
    assert figure.flat[-1] == dollars * 100


def test_2024_head_of_household_enters_32_percent_at_191950():
    assert of(2024, "hoh").bracket_tops[0, 3] == 191_950_00


def test_the_loss_limit_and_the_niit_threshold_are_never_indexed():
    for year in YEARS:
        by_status = {status: of(year, status) for status in STATUSES}
        limits = [by_status[status].capital_loss_limit.item() // 100 for status in STATUSES]
        thresholds = [by_status[status].niit_threshold.item() // 100 for status in STATUSES]
        assert limits == [3000, 3000, 1500, 3000, 3000]  # IRC 1211(b)
        assert thresholds == [200_000, 250_000, 125_000, 200_000, 250_000]  # IRC 1411(b)


def test_brackets_and_rates_rise():
    assert np.all(np.diff(TABLE.bracket_tops, axis=2) > 0)
    assert np.all(np.diff(TABLE.rates, axis=2) > 0)
    assert np.all(TABLE.zero_rate_top < TABLE.fifteen_rate_top)


def test_the_senior_deduction_runs_2025_to_2028_and_never_on_a_separate_return():
    assert of(2024, "single").senior_deduction.item() == 0
    assert of(2025, "mfj").senior_deduction.item() == 6_000_00
    assert of(2025, "mfs").senior_deduction.item() == 0


def test_a_year_without_figures_is_refused():
    with pytest.raises(YearMissingError, match="2027"):
        of(2027, "single")
    with pytest.raises(YearMissingError, match="2017"):
        of(2017, "single")


def test_a_status_out_of_range_is_refused():
    with pytest.raises(ValueError, match="filing status"):
        lookup(np.array([2025]), np.array([5]))


def test_a_rate_finer_than_a_thousandth_is_refused():
    assert thousandths(Decimal("0.396")) == 396
    with pytest.raises(ValueError, match="whole thousandth"):
        thousandths(Decimal("0.3965"))
    with pytest.raises(ValueError, match="whole cents"):
        cents(Decimal("0.001"))


def test_every_figure_names_its_source():
    derived = {"below_25_top"}
    names = {"ordinary_bracket_tops" if field.name == "bracket_tops" else field.name for field in fields(TABLE)}
    part_of = {"senior_deduction_phase_out_start", "senior_deduction_phase_out_rate"}  # one source with the amount
    assert names - derived - part_of == set(SOURCES)
    assert all(SOURCES.values())
