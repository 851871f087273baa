"""Federal income tax of many returns at once: regular tax, AMT, NIIT, what a capital loss does. Frames stay outside.

Planning figures: tax by the rate schedules, not the Tax Table (`lines` has the figures ready for a return); before
credits; without self-employment tax, QBI, excess Social Security and other additional taxes. Every amount that stands on a line of the return is whole cents; the rates
are applied in exact integers (a quarter cent times a thousandth) and each tax is rounded once, halves up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from schemas.fields import STATUSES
from transforms.law.parameters import Ints, Parameters, lookup
from transforms.law.rates import QUARTERS, half_up, minimum_rates, preferential, rate_schedule, to_cents
from transforms.law.readings import begun, either, where
from transforms.law.worksheets import ScheduleDLines, capital_loss_carryover, schedule_d

STANDARD = -1
"""A deduction of -1 cents means the standard deduction."""
AMOUNT_LIMIT = 10**14
"""Largest amount taken in, in cents (a trillion dollars): below it no product leaves 64 bits."""

_MFS = STATUSES.index("mfs")


class Returns(NamedTuple):
    """What the tax of each return depends on: int64 arrays of one length, money in cents.

    `status` is an index of `schemas.fields.STATUSES`. `ordinary` is all other income that is not capital gain,
    qualified dividends or Social Security; `nii` is the part of `ordinary` that is net investment income (qualified
    dividends and the capital gain or loss are added here). `short_term` and `long_term` are the year's net of all
    transactions before carryovers, `gain_28` (net collectibles gain or loss) and `unrecaptured_1250` parts of
    `long_term`; the carry-ins are positive losses. `adjustments` reduce income to AGI. `deduction` is `STANDARD` (age
    additions are added) or the itemised amount as Form 1040 takes it (to 2017: after the limitation of section 68), in
    both cases without the senior deduction of 2025-2028. `aged` counts the people on the return who are 65 at year-end
    (born on 1 January: the day before), `exemptions` everybody on it (section 151; counts to 2017). `social_security`
    is gross.
    """

    tax_year: Ints
    status: Ints
    ordinary: Ints
    nii: Ints
    qualified_dividends: Ints
    short_term: Ints
    long_term: Ints
    gain_28: Ints
    unrecaptured_1250: Ints
    short_term_carry_in: Ints
    long_term_carry_in: Ints
    adjustments: Ints
    deduction: Ints
    aged: Ints
    exemptions: Ints
    social_security: Ints


class Assessment(NamedTuple):
    """What comes out for each return: int64 arrays, cents.

    `line_6` to `line_21` are of Schedule D (see `ScheduleDLines`: `line_21` is the amount on Form 1040, a loss
    negative). `deduction_taken` is Form 1040 line 12 without the senior deduction, `exemption_deduction` what
    the personal exemptions take to 2017. `taxable_income_signed` is Form 1040 line 15 with negatives, `taxable_income`
    the line itself.
    `deduction_used` is the part of the allowed loss that uses up loss (worksheet line 4); the carryovers out are
    positive. `amt` is what is due above the regular tax, `federal_tax` the sum of the three taxes.
    """

    line_6: Ints
    line_7: Ints
    line_14: Ints
    line_15: Ints
    line_16: Ints
    line_18: Ints
    line_19: Ints
    line_21: Ints
    taxable_social_security: Ints
    agi: Ints
    deduction_taken: Ints
    exemption_deduction: Ints
    senior_deduction: Ints
    taxable_income_signed: Ints
    taxable_income: Ints
    net_investment_income: Ints
    niit_threshold: Ints
    amt_income: Ints
    amt_exemption: Ints
    tentative_minimum_tax: Ints
    regular_tax: Ints
    amt: Ints
    niit: Ints
    federal_tax: Ints
    deduction_used: Ints
    short_term_out: Ints
    long_term_out: Ints


class GainTax(NamedTuple):
    """Lines of the Schedule D Tax Worksheet (2018 and later): income in quarter cents, the tax of lines 44-47 in units."""

    line_9: Ints
    line_10: Ints
    line_13: Ints
    line_14: Ints
    line_17: Ints
    line_18: Ints
    line_20: Ints
    line_21: Ints
    line_22: Ints
    line_23: Ints
    line_29: Ints
    line_30: Ints
    line_33: Ints
    line_35: Ints
    line_39: Ints
    line_42: Ints
    line_44: Ints
    line_45: Ints
    line_46: Ints
    line_47: Ints


class MinimumTax(NamedTuple):
    """Lines of Form 6251 (2018 and later): income in quarter cents, tax in units."""

    line_4: Ints
    line_5: Ints
    line_6: Ints
    line_7: Ints
    line_15: Ints
    line_16: Ints
    line_17: Ints
    line_21: Ints
    line_22: Ints
    line_23: Ints
    line_29: Ints
    line_30: Ints
    line_33: Ints
    line_36: Ints
    line_18: Ints
    line_38: Ints
    line_39: Ints


def assess(returns: Returns) -> Assessment:
    """The tax and the carryovers of each return.

    Raises:
        YearMissingError: a tax year has no figures.
        OverflowError: an amount is beyond `AMOUNT_LIMIT`.
    """
    _refuse_huge(returns)
    return assessed(returns, lookup(returns.tax_year, returns.status))


@either
def assessed(returns: Returns, law: Parameters) -> Assessment:
    """`assess` with the figures of each return, whose amounts are within `AMOUNT_LIMIT`."""
    lines = schedule_d(
        returns.short_term,
        returns.long_term,
        returns.short_term_carry_in,
        returns.long_term_carry_in,
        returns.gain_28,
        returns.unrecaptured_1250,
        law.capital_loss_limit,
    )
    other = returns.ordinary + returns.qualified_dividends + lines.line_21 - returns.adjustments
    benefits = taxable_social_security(returns.social_security, other, law)
    agi = other + benefits
    standard = returns.deduction == STANDARD
    deduction = where(standard, law.standard_deduction + returns.aged * law.aged_addition, returns.deduction)
    senior = senior_deduction(agi, returns.aged, law)
    exempt = exemption_deduction(agi, returns.exemptions, law)
    signed = agi - deduction - exempt - senior
    taxable = np.maximum(0, signed)
    gains = gain_tax(taxable, returns.qualified_dividends, lines, law)
    before = signed + exempt + senior + where(standard, deduction, 0)
    minimum = minimum_tax(before, returns.status, lines.line_19, gains, law)
    investment = np.maximum(0, returns.nii + returns.qualified_dividends + lines.line_21)
    over = np.minimum(np.maximum(0, agi - law.niit_threshold), investment)
    niit = to_cents(QUARTERS * law.niit_rate * over)
    regular_tax = to_cents(gains.line_47)
    amt = to_cents(np.maximum(0, minimum.line_7 - gains.line_47))
    carry = capital_loss_carryover(signed + exempt + senior, lines.line_7, lines.line_15, lines.line_21)
    return Assessment(
        line_6=lines.line_6,
        line_7=lines.line_7,
        line_14=lines.line_14,
        line_15=lines.line_15,
        line_16=lines.line_16,
        line_18=lines.line_18,
        line_19=lines.line_19,
        line_21=lines.line_21,
        taxable_social_security=benefits,
        agi=agi,
        deduction_taken=deduction,
        exemption_deduction=exempt,
        senior_deduction=senior,
        taxable_income_signed=signed,
        taxable_income=taxable,
        net_investment_income=investment,
        niit_threshold=law.niit_threshold,
        amt_income=half_up(minimum.line_4, QUARTERS),
        amt_exemption=half_up(minimum.line_5, QUARTERS),
        tentative_minimum_tax=to_cents(minimum.line_7),
        regular_tax=regular_tax,
        amt=amt,
        niit=niit,
        federal_tax=regular_tax + amt + niit,
        deduction_used=carry.line_4,
        short_term_out=carry.line_8,
        long_term_out=carry.line_13,
    )


@either
def taxable_social_security(benefits: Ints, other_income: Ints, law: Parameters) -> Ints:
    """The benefits that are income, in cents (IRC 86; Social Security Benefits Worksheet, Form 1040 line 6b).

    `other_income` is AGI without benefits. Tax-exempt interest is not known here. Half and 85 percent are exact in
    thousandths of a cent until the last line.
    """
    half = 500 * benefits
    over = np.maximum(0, 1000 * other_income + half - 1000 * law.social_security_base)
    band = 1000 * (law.social_security_adjusted_base - law.social_security_base)
    upper = np.maximum(0, over - band)
    lower = np.minimum(half, np.minimum(over, band) // 2)
    return half_up(np.minimum(lower + upper // 100 * 85, 850 * benefits), 1000)


@either
def senior_deduction(agi: Ints, aged: Ints, law: Parameters) -> Ints:
    """The deduction of 2025-2028 for people of 65 and over, in cents (IRC 151(d)(5)(C); Schedule 1-A, lines 31-37).

    Each person's amount falls by 6 percent of the income over the threshold; none on a separate return.
    """
    over = np.maximum(0, agi - law.senior_deduction_phase_out_start)
    each: Ints = np.maximum(0, law.senior_deduction - half_up(law.senior_deduction_phase_out_rate * over, 1000))
    return aged * each


@either
def exemption_deduction(agi: Ints, exemptions: Ints, law: Parameters) -> Ints:
    """What the personal exemptions of 2013-2017 take, in cents (IRC 151(d); Deduction for Exemptions Worksheet).

    They fall by 2 percent for each 2,500 (1,250 on a separate return) of AGI begun above the threshold. From 2018 the
    exemption is zero.
    """
    over = np.maximum(0, agi - law.exemption_phase_out_start)
    steps = begun(over, np.maximum(1, law.exemption_phase_out_step))
    left: Ints = 1000 - np.minimum(1000, law.exemption_phase_out_rate * steps)
    return exemptions * law.personal_exemption * left // 1000


def _refuse_huge(returns: Returns) -> None:
    for name, amounts in returns._asdict().items():
        if np.any((amounts > AMOUNT_LIMIT) | (amounts < -AMOUNT_LIMIT)):
            raise OverflowError(f"{name}: an amount beyond {AMOUNT_LIMIT} cents")


@either
def gain_tax(taxable: Ints, dividends: Ints, lines: ScheduleDLines, law: Parameters) -> GainTax:
    """Regular tax by the Schedule D Tax Worksheet, in its own line numbers (Instructions Schedule D; IRC 1(h)).

    Where lines 18 and 19 of Schedule D are zero it is the Qualified Dividends and Capital Gain Tax Worksheet. The tax on
    lines 21 and 1 is by the rate schedule.
    """
    l1 = QUARTERS * taxable
    l9 = QUARTERS * np.maximum(0, np.minimum(lines.line_15, lines.line_16))
    l10 = QUARTERS * dividends + l9
    l12 = np.minimum(l9, QUARTERS * (lines.line_18 + lines.line_19))
    l13 = l10 - l12
    l14 = np.maximum(0, l1 - l13)
    l16 = np.minimum(l1, QUARTERS * law.zero_rate_top)
    l17 = np.minimum(l14, l16)
    l18 = np.maximum(0, l1 - l10)
    l20 = np.minimum(l14, np.minimum(l1, QUARTERS * law.below_25_top))
    l21 = np.maximum(l18, l20)
    l22 = l16 - l17
    l23 = np.minimum(l1, l13)
    l29 = np.maximum(0, np.minimum(l1, QUARTERS * law.fifteen_rate_top) - l21 - l22)
    l30 = np.minimum(l23 - l22, l29)
    l33 = l23 - l22 - l30
    l35 = np.minimum(l9, QUARTERS * lines.line_19)
    l39 = np.maximum(0, l35 - np.maximum(0, l10 + l21 - l1))
    l42 = l1 - (l21 + l22 + l30 + l33 + l39)
    l44 = rate_schedule(l21, law)
    groups = preferential(law.gain_rates, l22, l30, l33)
    l45 = groups + law.unrecaptured_1250_rate * l39 + law.collectibles_rate * l42 + l44
    l46 = rate_schedule(l1, law)
    l47 = np.minimum(l45, l46)
    return GainTax(
        l9, l10, l13, l14, l17, l18, l20, l21, l22, l23, l29, l30, l33, l35, l39, l42, l44, l45, l46, l47
    )  # fmt: skip


@either
def minimum_tax(income: Ints, status: Ints, line_19: Ints, gains: GainTax, law: Parameters) -> MinimumTax:
    """The tentative minimum tax (Form 6251, its own line numbers; IRC 55).

    `income` is taxable income, negatives counted, with the standard deduction (line 2a; IRC 56(b)(1)), the personal
    exemptions and the senior deduction (2025 line 1a: treated as one) added back, in cents. An itemised deduction stays
    deducted whole: what of it is state tax is not known here. On a separate return the income grows by the lesser of
    the exemption and the phase-out rate on what exceeds the point where the exemption ends (IRC 55(d)(2)).
    """
    rate = law.amt_exemption_phase_out_rate
    gone = law.amt_exemption_phase_out_start + law.amt_exemption * 1000 // rate
    added = np.minimum(QUARTERS * law.amt_exemption, np.maximum(0, income - gone) * (QUARTERS * rate // 1000))
    line_4 = QUARTERS * income + where(status == _MFS, added, 0)
    excess = np.maximum(0, line_4 - QUARTERS * law.amt_exemption_phase_out_start)
    line_5 = np.maximum(0, QUARTERS * law.amt_exemption - excess * rate // 1000)
    line_6 = np.maximum(0, line_4 - line_5)
    return _minimum_gain_tax(line_4, line_5, line_6, line_19, gains, law)


@either
def _minimum_gain_tax(
    line_4: Ints, line_5: Ints, l12: Ints, schedule_d_19: Ints, gains: GainTax, law: Parameters
) -> MinimumTax:
    """Form 6251 Part III in its own line numbers: the 0, 15, 20 and 25 percent groups keep their rates."""
    l13 = gains.line_13
    l15 = np.minimum(l13 + QUARTERS * schedule_d_19, gains.line_10)
    l16 = np.minimum(l12, l15)
    l17 = l12 - l16
    l18 = minimum_rates(l17, law)
    l21 = np.maximum(0, QUARTERS * law.zero_rate_top - gains.line_14)
    l22 = np.minimum(l12, l13)
    l23 = np.minimum(l21, l22)
    l29 = np.maximum(0, QUARTERS * law.fifteen_rate_top - l21 - gains.line_21)
    l30 = np.minimum(l22 - l23, l29)
    l33 = l22 - l23 - l30
    l36 = l16 - l22
    l38 = l18 + preferential(law.gain_rates, l23, l30, l33) + law.unrecaptured_1250_rate * l36
    l39 = minimum_rates(l12, law)
    l7 = np.minimum(l38, l39)
    return MinimumTax(line_4, line_5, l12, l7, l15, l16, l17, l21, l22, l23, l29, l30, l33, l36, l18, l38, l39)
