"""The tax kernel on cases computed by hand from the IRS worksheets, and against a slow scalar worksheet."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from schemas.fields import STATUSES
from tests.transforms.law.random_returns import COUNTS, differing, random_rows
from tests.transforms.law.scalar_worksheet import Case, carryover_statute, compute
from transforms.law.lines import return_ready
from transforms.law.parameters import YEARS, YearMissingError
from transforms.law.tax import AMOUNT_LIMIT, STANDARD, Returns, assess

ZERO = dict.fromkeys(Returns._fields, 0) | {"deduction": STANDARD, "exemptions": 1}


def returns(*rows):
    """Rows (year, status, dollars by name) as the kernel's arrays."""
    cells = [
        ZERO
        | {name: amount if name in COUNTS else round(amount * 100) for name, amount in amounts.items()}
        | {"tax_year": year, "status": STATUSES.index(status)}
        for year, status, amounts in rows
    ]
    return Returns(**{name: np.array([cell[name] for cell in cells], dtype=np.int64) for name in ZERO})


def assessed(year, status, **amounts):
    """One return; dollars in, dollars out."""
    assessment = assess(returns((year, status, amounts)))
    return {name: Fraction(int(values[0]), 100) for name, values in assessment._asdict().items()}


def total(year, status, **amounts):
    return assessed(year, status, **amounts)["federal_tax"]


TEN_CASES = [
    # year, status, amounts, regular tax, AMT, NIIT, short-term and long-term carryover
    (2023, "single", {"ordinary": 90_000, "short_term": -4_000, "long_term": 10_000}, 12_960.50, 0, 0, 0, 0),
    (2023, "single", {"ordinary": 90_000, "short_term": 10_000, "long_term": -4_000}, 13_380.50, 0, 0, 0, 0),
    (2024, "mfj", {"ordinary": 160_000, "short_term": -5_000, "long_term": -7_000}, 18_222, 0, 0, 2_000, 7_000),
    (2023, "mfs", {"ordinary": 500_000, "short_term": -10_000}, 144_277.50, 0, 0, 8_500, 0),
    (2025, "single", {"ordinary": 50_000, "long_term": 30_000}, 6_256.50, 0, 0, 0, 0),
    (2025, "single", {"ordinary": 500_000, "long_term": 100_000}, 156_577.25, 0, 3_800, 0, 0),
    (
        2025, "single", {"ordinary": 310_000, "nii": 10_000, "short_term": -50_000},
        71_484.75, 0, 266, 47_000, 0,
    ),
    (2026, "single", {"ordinary": 100_000, "long_term": 600_000}, 110_090, 12_830, 19_000, 0, 0),
    (2025, "mfs", {"ordinary": 150_000, "long_term": 900_000}, 196_779.50, 25_017.50, 34_200, 0, 0),
    (2025, "single", {"ordinary": 100_000, "long_term": 120_000, "gain_28": 60_000}, 36_467, 0, 760, 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("year", "status", "amounts", "regular", "amt", "niit", "short_out", "long_out"), TEN_CASES)
def test_ten_cases_by_the_irs_worksheets(year, status, amounts, regular, amt, niit, short_out, long_out):
    """0/15 and 15/20 straddles, the loss limit, NIIT with the allowed loss, the AMT phase-out, MFS, an NFT at 28 %."""
    result = assessed(year, status, **amounts)
    assert (result["regular_tax"], result["amt"], result["niit"]) == (regular, amt, niit)
    assert (result["short_term_out"], result["long_term_out"]) == (short_out, long_out)
    assert result["federal_tax"] == regular + amt + niit


@pytest.mark.parametrize(
    ("year", "status", "amounts", "carryovers"),
    [
        (2024, "mfj", {"ordinary": 160_000, "short_term": -1_000, "long_term": -7_000}, (0, 5_000)),
        (2024, "single", {"ordinary": 15_600, "short_term": -10_000}, (9_000, 0)),
        (2024, "single", {"ordinary": 5_000, "short_term": -10_000}, (10_000, 0)),
        (2024, "single", {"ordinary": 10_000, "long_term": -2_000}, (0, 2_000)),
    ],
)
def test_carryover_is_not_the_loss_minus_3000(year, status, amounts, carryovers):
    """IRC 1212(b)(2): only what taxable income could use is used up."""
    result = assessed(year, status, **amounts)
    assert (result["short_term_out"], result["long_term_out"]) == carryovers


def test_a_gain_in_the_amt_phase_out_costs_36_8_cents_a_dollar():
    """2026 single, wages 100,000: 20 % + 3.8 % + 0.50 x 26 % of AMT."""
    assert total(2026, "single", ordinary=100_000, long_term=550_000) == 126_094
    assert total(2026, "single", ordinary=100_000, long_term=540_000) == 122_414


WAGES_80, WAGES_300, WAGES_700 = {"ordinary": 80_000}, {"ordinary": 300_000}, {"ordinary": 700_000}
MARGINAL = [
    # situation, amounts, cents saved a dollar by a short-term and by a long-term loss of 1,000 (2026 single)
    ("short gain, wages 80k", WAGES_80 | {"short_term": 20_000}, 22, 22),
    ("long gain, wages 80k", WAGES_80 | {"long_term": 20_000}, 15, 15),
    ("both gains, wages 80k", WAGES_80 | {"short_term": 20_000, "long_term": 20_000}, 22, 15),
    ("short gain, wages 700k", WAGES_700 | {"short_term": 20_000}, 40.8, 40.8),
    ("long gain, wages 700k", WAGES_700 | {"long_term": 20_000}, 23.8, 23.8),
    ("long gain, wages 300k", WAGES_300 | {"long_term": 20_000}, 18.8, 18.8),
    ("short loss nets against long gain", WAGES_300 | {"short_term": -5_000, "long_term": 50_000}, 18.8, 18.8),
    ("long loss upgraded against short gain", WAGES_300 | {"short_term": 50_000, "long_term": -10_000}, 38.8, 38.8),
    ("net zero, first 3,000", WAGES_80, 22, 22),
    ("net zero, wages 700k, no other NII", WAGES_700, 37, 37),
    ("net zero, wages 700k, interest 20k", {"ordinary": 720_000, "nii": 20_000}, 40.8, 40.8),
    ("3,000 already used", WAGES_80 | {"short_term": -3_000}, 0, 0),
    ("0 % band: the loss is consumed for nothing", {"ordinary": 40_000, "long_term": 20_000}, 0, 0),
    ("0/15 straddle", {"ordinary": 50_000, "long_term": 30_000}, 15, 15),
    ("bump zone", {"ordinary": 40_000, "short_term": 10_000, "long_term": 40_000}, 27, 15),
    ("short gain, wages 40k", {"ordinary": 40_000, "short_term": 20_000}, 12, 12),
    ("taxable income below zero", {"ordinary": 5_000}, 0, 0),
    ("AMT phase-out", {"ordinary": 100_000, "long_term": 550_000}, 36.8, 36.8),
    ("below the NIIT threshold", {"ordinary": 190_000, "long_term": 9_000}, 15, 15),
    ("above the NIIT threshold", {"ordinary": 195_000, "long_term": 30_000}, 18.8, 18.8),
    ("NFT gain at 28 %", WAGES_300 | {"long_term": 20_000, "gain_28": 20_000}, 31.8, 31.8),
]


@pytest.mark.parametrize(("amounts", "short", "long"), [row[1:] for row in MARGINAL], ids=[row[0] for row in MARGINAL])
def test_value_of_one_more_thousand_of_loss(amounts, short, long):
    """2026 single; a short-term and a long-term loss of 1,000, cents a dollar."""
    before = total(2026, "single", **amounts)
    for character, cents in (("short_term", short), ("long_term", long)):
        after = total(2026, "single", **(amounts | {character: amounts.get(character, 0) - 1_000}))
        assert before - after == round(cents * 10)


def test_a_loss_in_the_zero_band_is_consumed_and_one_beyond_3000_is_carried():
    consumed = assessed(2026, "single", ordinary=40_000, long_term=19_000)
    carried = assessed(2026, "single", ordinary=80_000, short_term=-4_000)
    assert (consumed["short_term_out"], consumed["long_term_out"]) == (0, 0)
    assert carried["short_term_out"] == 1_000


@pytest.mark.parametrize(
    ("gain", "loss", "interest", "before", "after"),
    [
        ("short_term", "short_term", 0, 218_287.50, 213_097.50),
        ("long_term", "long_term", 0, 216_587.50, 213_097.50),
        ("long_term", "short_term", 0, 216_587.50, 213_097.50),
        ("short_term", "long_term", 0, 218_287.50, 213_097.50),
        ("short_term", "short_term", 20_000, 226_447.50, 221_143.50),
    ],
)
def test_jane(gain, loss, interest, before, after):
    """2023 single, wages 700,000, gain 10,000, loss 287,000: 13,000 of it is of use this year, 274,000 carries."""
    base = {"ordinary": 700_000 + interest, "nii": interest, gain: 10_000}
    harvested = base | {loss: base.get(loss, 0) - 287_000}
    result = assessed(2023, "single", **harvested)
    assert (total(2023, "single", **base), result["federal_tax"]) == (before, after)
    assert result[f"{loss}_out"] == 274_000


BRIAN = [
    # years, wages, gain, saved, carried
    ((2023, 2025, 2026), 700_000, {"long_term": 600_000}, 142_800, 0),
    ((2023, 2025, 2026), 700_000, {"short_term": 600_000}, 244_800, 0),
    ((2023, 2025, 2026), 700_000, {"long_term": 100_000}, 24_910, 497_000),
    ((2023, 2025, 2026), 700_000, {}, 1_110, 597_000),
    ((2023,), 100_000, {"long_term": 600_000}, 118_692.50, 0),
    ((2025,), 100_000, {"long_term": 600_000}, 116_542.50, 0),
    ((2026,), 100_000, {"long_term": 600_000}, 128_750, 0),
]


@pytest.mark.parametrize(("years", "wages", "gain", "saved", "carried"), BRIAN)
def test_brian(years, wages, gain, saved, carried):
    """600,000 of loss saves 120,000 only in a special case; by what else he gained, single."""
    for year in years:
        base = {"ordinary": wages} | gain
        character = next(iter(gain), "long_term")
        result = assessed(year, "single", **(base | {character: base.get(character, 0) - 600_000}))
        assert total(year, "single", **base) - result["federal_tax"] == saved
        assert result[f"{character}_out"] == carried


def test_married_separately_reaches_37_percent_at_346875_in_2023():
    """Taxable 400,000: 93,300.75 at the top of the 35 % bracket plus 37 % of 53,125 (Rev. Proc. 2022-38)."""
    assert assessed(2023, "mfs", ordinary=413_850)["taxable_income"] == 400_000
    assert assessed(2023, "mfs", ordinary=413_850)["regular_tax"] == Fraction("93300.75") + Fraction("19656.25")


def test_separate_returns_have_no_social_security_base():
    """IRC 86(c)(1)(C): 85 % of half the benefits plus other income, at most 85 % of the benefits."""
    assert assessed(2025, "mfs", ordinary=5_000, social_security=20_000)["taxable_social_security"] == 12_750
    assert assessed(2025, "mfs", ordinary=50_000, social_security=20_000)["taxable_social_security"] == 17_000


@pytest.mark.parametrize(
    ("status", "ordinary", "taxable"),
    [
        ("single", 15_000, 0),  # 15,000 + 10,000 = the base of 25,000
        ("single", 20_000, 2_500),  # half of the 5,000 above it
        ("single", 30_000, 9_600),  # 4,500 + 85 % of the 6,000 above 34,000
        ("single", 60_000, 17_000),  # 85 % of the benefits
        ("mfj", 30_000, 4_000),  # half of 8,000 above 32,000
        ("mfj", 40_000, 11_100),  # 6,000 + 85 % of the 6,000 above 44,000
    ],
)
def test_taxable_social_security(status, ordinary, taxable):
    """IRC 86, 20,000 of benefits."""
    assert assessed(2025, status, ordinary=ordinary, social_security=20_000)["taxable_social_security"] == taxable


def test_a_loss_also_lowers_the_taxable_benefits():
    """2026 single over 65, other income 30,000: 3,000 less income takes 2,550 of benefits along."""
    before = assessed(2026, "single", ordinary=30_000, social_security=20_000)
    after = assessed(2026, "single", ordinary=30_000, social_security=20_000, short_term=-3_000)
    assert before["agi"] - after["agi"] == 5_550


def test_age_additions_and_the_senior_deduction():
    """2025 joint, both 65: 31,500 + 2 x 1,600; 6,000 each less 6 % of what is over 150,000 (Schedule 1-A)."""
    result = assessed(2025, "mfj", ordinary=170_000, aged=2)
    assert result["deduction_taken"] == 34_700
    assert result["senior_deduction"] == 2 * (6_000 - 1_200)
    assert result["taxable_income"] == 170_000 - 34_700 - 9_600
    assert assessed(2024, "mfj", ordinary=170_000, aged=2)["senior_deduction"] == 0
    assert assessed(2025, "mfs", ordinary=60_000, aged=1)["senior_deduction"] == 0


def test_the_senior_deduction_does_not_use_up_a_loss():
    """2025 single of 65, income 20,000, loss 10,000: line 15 = 17,000 - 17,750 - 6,000 = -6,750.

    Section 151 is added back (1212(b)(2)(B)(ii)): -750 + 3,000 = 2,250 used, 7,750 carried.
    """
    result = assessed(2025, "single", ordinary=20_000, aged=1, short_term=-10_000)
    assert result["taxable_income_signed"] == -6_750
    assert (result["deduction_used"], result["short_term_out"]) == (2_250, 7_750)


def test_amt_adds_back_the_standard_and_the_senior_deduction_but_not_an_itemised_one():
    """Form 6251 lines 1a and 2a."""
    standard = assessed(2025, "single", ordinary=60_000, aged=1)
    itemised = assessed(2025, "single", ordinary=60_000, aged=1, deduction=20_000)
    assert standard["amt_income"] == 60_000
    assert itemised["taxable_income"] == 34_000
    assert itemised["amt_income"] == 40_000


def test_separate_amt_income_grows_above_the_end_of_the_exemption():
    """2025: 900,350 + 10,000 of AMT income grows by a quarter of 10,000 (IRC 55(d)(2), Instructions 6251)."""
    result = assessed(2025, "mfs", ordinary=910_350)
    assert (result["amt_income"], result["amt_exemption"]) == (912_850, 0)
    assert assessed(2025, "mfs", ordinary=900_350)["amt_income"] == 900_350


def test_niit_counts_dividends_and_the_allowed_loss_and_is_never_negative():
    """Form 8960 lines 2, 3 and 5a: 5,000 interest + 4,000 dividends - 3,000."""
    result = assessed(2025, "single", ordinary=300_000, nii=5_000, qualified_dividends=4_000, long_term=-9_000)
    assert (result["net_investment_income"], result["niit"]) == (6_000, 228)
    assert assessed(2025, "single", ordinary=300_000, long_term=-9_000)["niit"] == 0


def test_section_1250_gain_is_taxed_at_25_percent_at_most():
    """2025 single, ordinary taxable 300,000 (35 %), 10,000 of 25 % gain."""
    base = {"ordinary": 315_750}
    plain = assessed(2025, "single", **base)["regular_tax"]
    gained = assessed(2025, "single", **base, long_term=10_000, unrecaptured_1250=10_000)["regular_tax"]
    assert gained - plain == 2_500


def test_gains_never_cost_more_than_ordinary_income():
    """2026 single: from 49,450 to 50,400 wages pay 12 % and gains 15 %; the smaller tax counts (line 25): 12 %."""
    plain = assessed(2026, "single", ordinary=16_100 + 49_450)["regular_tax"]
    gained = assessed(2026, "single", ordinary=16_100 + 49_450, long_term=900)["regular_tax"]
    assert gained - plain == 108


def test_half_a_cent_rounds_up_once():
    """Taxable 0.05 at 10 % is half a cent: 0.01."""
    assert assessed(2025, "single", ordinary=15_750.05)["regular_tax"] == Fraction(1, 100)
    assert assessed(2025, "single", ordinary=15_750.04)["regular_tax"] == 0


def test_a_year_without_law_and_an_absurd_amount_are_refused():
    with pytest.raises(YearMissingError):
        assessed(2027, "single", ordinary=1)
    with pytest.raises(OverflowError, match="ordinary"):
        assess(returns((2025, "single", {}))._replace(ordinary=np.array([AMOUNT_LIMIT + 1])))


def test_the_largest_amounts_stay_exact():
    """A trillion dollars of ordinary income: 37 % of all but the brackets, no product leaves 64 bits."""
    huge = AMOUNT_LIMIT // 100
    step = (
        assessed(2025, "single", ordinary=huge)["regular_tax"]
        - assessed(2025, "single", ordinary=huge - 100)["regular_tax"]
    )
    assert step == 37
    gains = assessed(2025, "mfs", long_term=huge, ordinary=huge, nii=huge, qualified_dividends=huge)
    assert compute(
        Case(2025, "mfs", *(Fraction(huge),) * 3, Fraction(0), Fraction(huge))
    ).regular_tax == gains["regular_tax"]  # fmt: skip


@pytest.mark.parametrize("year", YEARS)
def test_1000_random_returns_equal_the_scalar_worksheet_to_the_cent(year):
    """By the rate schedule and by the Tax Table. `benchmarks/oracles/worksheet.py` does it for
    10,000 a year."""
    assert differing(random_rows(year, 1_000)) == []


def test_random_carryovers_follow_the_words_of_1212b():
    given = random_rows(2025, 2_000)
    assessment = assess(given)
    for row in range(2_000):
        limit = 150_000 if STATUSES[given.status[row]] == "mfs" else 300_000
        line_1 = int(assessment.taxable_income_signed[row] + assessment.senior_deduction[row])
        lines = (int(assessment.line_7[row]), int(assessment.line_15[row]))
        out = (assessment.short_term_out[row], assessment.long_term_out[row])
        assert out == carryover_statute(line_1, *lines, limit)


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("character", ["short_term", "long_term"])
def test_more_loss_never_raises_the_tax(year, character):
    """Nor does it cost a cent of carryover that is not used: losses are used up or carried.

    Nothing in the taxes computed here makes a tax rise with a loss, by the schedule or by the Tax Table. Where the law
    makes a loss cost money it does so later or elsewhere: a loss that the 0 % band consumes for nothing, the lower
    basis, and the credits and subsidies that are not in this computation.
    """
    given = random_rows(year, 1_000)
    lower = given._replace(**{character: getattr(given, character) - 777_77})
    before, after = assess(given), assess(lower)
    assert np.all(after.federal_tax <= before.federal_tax)
    table = return_ready(lower, after).federal_tax_table - return_ready(given, before).federal_tax_table
    assert np.all(table <= 0)
    used = -after.line_16 - after.short_term_out - after.long_term_out
    assert np.all(np.where(after.line_16 < 0, used == after.deduction_used, used == -after.line_16))
    assert np.all(after.deduction_used <= np.maximum(0, -after.line_21))


def test_e3_7_the_exemption_is_ignored_by_the_carryover_of_2017():
    """2017 single, income 11,000, short-term -8,000: line 41 = 11,000 - 3,000 - 6,350 = 1,650: 3,000 used, 5,000 carried.

    Taxable income is zero for the exemption of 4,050 (Instructions Schedule D 2018, worksheet line 1: line 41).
    """
    result = assessed(2017, "single", ordinary=11_000, short_term=-8_000)
    assert result["taxable_income_signed"] == 1_650 - 4_050
    assert (result["taxable_income"], result["deduction_used"], result["short_term_out"]) == (0, 3_000, 5_000)


@pytest.mark.parametrize(
    ("agi", "status", "people", "left"),
    [
        (261_500, "single", 1, 4_050),  # nothing over
        (261_501, "single", 1, 3_969),  # a dollar over begins a step: 98 %
        (264_000, "single", 1, 3_969),  # 2,500 over is still one step
        (264_001, "single", 1, 3_888),
        (384_000, "single", 1, 81),  # 122,500 over: 49 steps, 2 % left
        (384_001, "single", 1, 0),
        (313_800 + 25_000, "mfj", 4, 12_960),  # ten steps of four exemptions: 16,200 x 80 %
        (156_900 + 61_250, "mfs", 1, 81),  # steps of 1,250
        (156_900 + 61_251, "mfs", 1, 0),
    ],
)
def test_exemptions_of_2017_are_phased_out_in_steps(agi, status, people, left):
    """IRC 151(d)(3); Deduction for Exemptions Worksheet, Form 1040 (2017) line 42; Rev. Proc. 2016-55."""
    assert assessed(2017, status, ordinary=agi, exemptions=people)["exemption_deduction"] == left


def test_2017_by_hand():
    """Single, wages 500,000, long-term gain 100,000, AGI 600,000: no exemption, taxable 593,650.

    Ordinary part 493,650: 121,505.25 at 418,400 + 39.6 % of 75,250 = 151,304.25; gain at 20 %: 20,000. NIIT 3,800.
    """
    result = assessed(2017, "single", ordinary=500_000, long_term=100_000)
    assert (result["exemption_deduction"], result["taxable_income"]) == (0, 593_650)
    assert result["regular_tax"] == Fraction("121505.25") + Fraction("29799") + 20_000
    assert (result["amt"], result["niit"]) == (0, 3_800)


def test_amt_of_2017_takes_the_exemptions_back():
    """Form 6251 (2017) line 1: with the standard deduction it starts from AGI; 28 % above 187,800."""
    result = assessed(2017, "mfj", ordinary=120_000, exemptions=6)
    assert result["amt_income"] == 120_000
    assert result["exemption_deduction"] == 24_300


def test_table_figures_of_the_ten_cases():
    """Return-ready: 2023 single 90,000 -4,000 +10,000 is 12,966 by the Tax Table (12,960.50 by the schedule)."""
    for amounts, tax in (
        ({"short_term": -4_000, "long_term": 10_000}, 12_966),
        ({"short_term": 10_000, "long_term": -4_000}, 13_386),
    ):
        given = returns((2023, "single", {"ordinary": 90_000} | amounts))
        assert return_ready(given, assess(given)).regular_tax_table.tolist() == [tax * 100]


def test_from_100000_of_ordinary_income_on_table_and_schedule_are_one():
    given = random_rows(2024, 2_000)
    a = assess(given)
    ready = return_ready(given, a)
    ordinary = a.taxable_income - np.minimum(
        a.taxable_income, np.maximum(0, np.minimum(a.line_15, a.line_16)) + given.qualified_dividends
    )
    rich = ordinary >= 100_000_00
    assert rich.sum() > 500
    assert np.array_equal(ready.regular_tax_table[rich], a.regular_tax[rich])
    assert np.array_equal(ready.federal_tax_table[rich], a.federal_tax[rich])
