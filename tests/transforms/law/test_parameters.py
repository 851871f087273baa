"""The figures of the law: read exactly, complete, refused where they are missing."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pytest

from schemas.fields import STATUSES
from transforms.law.parameters import (
    AMOUNTS,
    FIGURES_OF_A_YEAR,
    TABLE,
    TOPS,
    YEARS,
    LawFileError,
    YearMissingError,
    cents,
    lookup,
    read_years,
    texts,
    thousandths,
    version,
)

SHIPPED = texts("years")


def of(year, status):
    return lookup(np.array([year]), np.array([STATUSES.index(status)]))


def test_the_tables_cover_2013_to_2026_for_five_statuses():
    assert list(YEARS) == list(range(2013, 2027))
    for figures in TABLE:
        assert figures.shape[:2] == (14, 5)
        assert figures.dtype == np.int64


def test_2026_single_as_in_revenue_procedure_2025_32():
    law = of(2026, "single")
    dollars = [12_400, 50_400, 105_700, 201_775, 256_225, 640_600]
    assert law.bracket_tops[:, 0].tolist() == [100 * top for top in dollars]
    assert law.rates[:, 0].tolist() == [100, 120, 220, 240, 320, 350, 370]
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
    assert of(2024, "hoh").bracket_tops[3, 0] == 191_950_00


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
    with pytest.raises(YearMissingError, match="2012"):
        of(2012, "single")


def test_a_status_out_of_range_is_refused():
    with pytest.raises(ValueError, match="filing status"):
        lookup(np.array([2025]), np.array([5]))


def test_a_rate_finer_than_a_thousandth_is_refused():
    assert thousandths(Decimal("0.396")) == 396
    with pytest.raises(ValueError, match="whole thousandth"):
        thousandths(Decimal("0.3965"))
    with pytest.raises(ValueError, match="whole cents"):
        cents(Decimal("0.001"))


def test_2017_single_as_in_revenue_procedure_2016_55():
    law = of(2017, "single")
    assert law.rates[:, 0].tolist() == [100, 150, 250, 280, 330, 350, 396]
    assert law.bracket_tops[:, 0].tolist() == [100 * top for top in (9_325, 37_950, 91_900, 191_650, 416_700, 418_400)]
    assert (law.standard_deduction.item(), law.personal_exemption.item()) == (6_350_00, 4_050_00)
    assert law.below_25_top.item() == law.zero_rate_top.item() == 37_950_00  # 25 percent begins where 0 percent ends


def test_2015_exemptions_of_a_head_of_household_fall_from_284050():
    """Rev. Proc. 2014-61: a multiple of 50; a program that says 284,040 has a typing error."""
    assert of(2015, "hoh").exemption_phase_out_start.item() == 284_050_00


@pytest.mark.parametrize("name", SHIPPED)
def test_every_figure_names_its_source(name):
    sources = json.loads(SHIPPED[name])["sources"]
    assert set(sources) == set(FIGURES_OF_A_YEAR)
    assert all(text.strip() for text in sources.values())


def altered(change, name="2026.json"):
    """The shipped files, one of them changed by `change`."""
    year = json.loads(SHIPPED[name], parse_float=Decimal)
    change(year)
    return SHIPPED | {name: json.dumps(year, default=float)}


def swap_brackets(year):
    year["mfs"][TOPS][1:3] = year["mfs"][TOPS][2:0:-1]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda year: year.pop("qss"), "figures lack qss"),
        (lambda year: year["hoh"].pop("niit_threshold"), "hoh: figures lack niit_threshold"),
        (lambda year: year["sources"].pop("rates"), "sources lack rates"),
        (lambda year: year["sources"].update(rates=" "), "rates: no source"),
        (lambda year: year["single"].update(surtax=1), "single: figures hold surtax, which nothing reads"),
        (swap_brackets, "mfs: ordinary_bracket_tops falls or stands from 105700 to 50400"),
        (lambda year: year["rates"].reverse(), "rates falls or stands from 0.37 to 0.35"),
        (lambda year: year["mfj"][TOPS].pop(), "mfj: ordinary_bracket_tops has 5 steps, expected 6"),
        (
            lambda year: year["mfj"].update(standard_deduction=32_201),
            "mfj: standard_deduction is 32201, expected a multiple",
        ),
        (
            lambda year: year["mfj"].update(zero_rate_top=900_000),
            "mfj: zero_rate_top is 900000, above fifteen_rate_top",
        ),
        (lambda year: year.update(niit_rate=3.8), "niit_rate is 3.8, expected a fraction"),
        (lambda year: year.update(amt_exemption_phase_out_rate=0.3), "expected quarters of a dollar"),
        (lambda year: year.update(tax_year=2025), "tax_year is 2025, expected the year of the file's name"),
    ],
)
def test_a_faulty_file_is_refused_and_the_fault_named(change, fault):
    with pytest.raises(LawFileError) as refused:
        read_years(altered(change))
    assert f"2026.json: {fault}" in str(refused.value) or fault in str(refused.value)


def test_a_year_missing_between_two_is_refused():
    without = {name: text for name, text in SHIPPED.items() if name != "2019.json"}
    with pytest.raises(LawFileError, match="no file between the years 2018 and 2020"):
        read_years(without)


def test_2027_is_one_more_file():
    """As docs/adding-a-tax-year.md says: copy the newest, change the figures, cite the source of each."""
    year = json.loads(SHIPPED["2026.json"], parse_float=Decimal)
    year["tax_year"] = 2027
    year["single"]["standard_deduction"] = 16_400
    figures = read_years(SHIPPED | {"2027.json": json.dumps(year, default=float)})
    assert figures.years == range(2013, 2028)
    law = lookup(np.array([2027, 2026]), np.array([0, 0]), figures)
    assert law.standard_deduction.tolist() == [16_400_00, 16_100_00]


def test_the_version_of_the_law_changes_with_any_figure():
    changed = altered(lambda year: year["single"].update(standard_deduction=16_125))
    assert version(SHIPPED) != version(changed)
    assert version(SHIPPED) == version(dict(reversed(SHIPPED.items())))


def test_a_separate_return_has_half_the_joint_brackets():
    """IRC 1(d), 1(j)(2)(D), 1211(b), 55(d)(1)(C): to the next lower 25 dollars."""
    joint, separate = STATUSES.index("mfj"), STATUSES.index("mfs")
    for name in ("bracket_tops", "standard_deduction", "capital_loss_limit", "amt_rate_break"):
        figure = getattr(TABLE, name)
        gap = figure[:, joint] - 2 * figure[:, separate]
        assert np.all((gap >= 0) & (gap <= 50_00)), name
    assert set(AMOUNTS) >= {"zero_rate_top", "capital_loss_limit"}
