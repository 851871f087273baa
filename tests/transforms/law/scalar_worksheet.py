"""One return at a time, line by line from the forms, in Fractions: the independent reference of the tax kernel.

Written from the forms and their instructions (Schedule D, Qualified Dividends and Capital Gain Tax Worksheet, Schedule D
Tax Worksheet, Form 6251, Form 8960, Schedule 1-A, Social Security Benefits Worksheet), never from the kernel. It reads
the figures from the same files, by itself. Amounts are dollars.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources

LAW = {
    file.name.removesuffix(".json"): json.loads(file.read_text(), parse_float=Fraction)
    for file in resources.files("transforms.law").joinpath("years").iterdir()
}
HALF, CENT = Fraction(1, 2), Fraction(1, 100)


@dataclass(frozen=True)
class Case:
    tax_year: int
    status: str
    ordinary: Fraction = Fraction(0)
    nii: Fraction = Fraction(0)
    qualified_dividends: Fraction = Fraction(0)
    short_term: Fraction = Fraction(0)
    long_term: Fraction = Fraction(0)
    gain_28: Fraction = Fraction(0)
    unrecaptured_1250: Fraction = Fraction(0)
    short_term_carry_in: Fraction = Fraction(0)
    long_term_carry_in: Fraction = Fraction(0)
    adjustments: Fraction = Fraction(0)
    deduction: Fraction | None = None
    aged: int = 0
    exemptions: int = 1
    social_security: Fraction = Fraction(0)


@dataclass(frozen=True)
class Result:
    line_7: Fraction
    line_15: Fraction
    line_16: Fraction
    line_21: Fraction
    exemption_deduction: Fraction
    taxable_income_signed: Fraction
    regular_tax: Fraction
    amt: Fraction
    regular_tax_table: Fraction
    amt_table: Fraction
    niit: Fraction
    deduction_used: Fraction
    short_term_out: Fraction
    long_term_out: Fraction


def to_cent(amount):
    """Half up, as the instructions round."""
    return Fraction((amount / CENT + HALF).__floor__()) * CENT


def schedule(income, year, own):
    """Tax by the rate schedule: walk up the brackets."""
    tax, floor = Fraction(0), Fraction(0)
    tops = [Fraction(top) for top in own["ordinary_bracket_tops"]]
    for rate, top in zip(year["rates"], [*tops, None], strict=True):
        if top is None or income <= top:
            return tax + (income - floor) * Fraction(rate)
        tax += (top - floor) * Fraction(rate)
        floor = top
    raise AssertionError


def table(income, year, own):
    """The Tax Table, row by row as it is printed; from 100,000 on the Tax Computation Worksheet is the schedule."""
    if income >= 100_000:
        return schedule(income, year, own)
    if income < 5:
        low, high = 0, 5
    elif income < 15:
        low, high = 5, 15
    elif income < 25:
        low, high = 15, 25
    elif income < 3_000:
        low = int(income // 25) * 25
        high = low + 25
    else:
        low = int(income // 50) * 50
        high = low + 50
    return Fraction((schedule(Fraction(low + high, 2), year, own) + HALF).__floor__())


def exemptions(case, agi):
    """Deduction for Exemptions Worksheet (Form 1040 line 42, 2013 to 2017), its nine lines."""
    if case.tax_year > 2017:
        return Fraction(0)
    own = LAW[str(case.tax_year)][case.status]
    separate = case.status == "mfs"
    if agi <= own["exemption_phase_out_start"]:
        return Fraction(own["personal_exemption"] * case.exemptions)
    l2 = own["personal_exemption"] * case.exemptions
    l5 = agi - own["exemption_phase_out_start"]
    if l5 > (61_250 if separate else 122_500):
        return Fraction(0)
    l6 = -(-l5 // (1_250 if separate else 2_500))
    l7 = l6 * Fraction(2, 100)
    l8 = l2 * l7
    return l2 - l8


def social_security(benefits, other, status):
    """Social Security Benefits Worksheet (Form 1040 lines 6a and 6b); `other` is lines 3 to 6 combined."""
    if benefits == 0:
        return Fraction(0)
    line_1 = benefits
    line_2 = line_1 / 2
    line_7 = other + line_2
    if line_7 <= 0:
        return Fraction(0)
    if status == "mfs":  # lived with the spouse: skip to line 16
        line_16 = line_7 * Fraction(85, 100)
    else:
        line_8 = 32000 if status == "mfj" else 25000
        if line_7 <= line_8:
            return Fraction(0)
        line_9 = line_7 - line_8
        line_10 = 12000 if status == "mfj" else 9000
        line_11 = max(Fraction(0), line_9 - line_10)
        line_12 = min(line_9, Fraction(line_10))
        line_13 = line_12 / 2
        line_14 = min(line_2, line_13)
        line_15 = line_11 * Fraction(85, 100)
        line_16 = line_14 + line_15
    line_17 = line_1 * Fraction(85, 100)
    return to_cent(min(line_16, line_17))


def senior(case, agi):
    """Schedule 1-A Part V, lines 31 to 37."""
    if case.tax_year not in range(2025, 2029) or case.status == "mfs":
        return Fraction(0)
    over = max(Fraction(0), agi - (150000 if case.status == "mfj" else 75000))
    line_35 = to_cent(over * Fraction(6, 100))
    return case.aged * max(Fraction(0), 6000 - line_35)


def qualified_dividends_worksheet(taxable, dividends, gain, year, own, tax_on):
    """The 25 lines; gives the tax and lines 4 and 5 that Form 6251 needs."""
    l1, l2, l3 = taxable, dividends, gain
    l4 = l2 + l3
    l5 = max(Fraction(0), l1 - l4)
    l6 = Fraction(own["zero_rate_top"])
    l7 = min(l1, l6)
    l8 = min(l5, l7)
    l9 = l7 - l8
    l10 = min(l1, l4)
    l11 = l9
    l12 = l10 - l11
    l13 = Fraction(own["fifteen_rate_top"])
    l14 = min(l1, l13)
    l15 = l5 + l9
    l16 = max(Fraction(0), l14 - l15)
    l17 = min(l12, l16)
    l18 = l17 * Fraction(15, 100)
    l19 = l9 + l17
    l20 = l10 - l19
    l21 = l20 * Fraction(20, 100)
    l22 = tax_on(l5, year, own)
    l23 = l18 + l21 + l22
    l24 = tax_on(l1, year, own)
    return min(l23, l24), l4, l5


def schedule_d_tax_worksheet(taxable, dividends, line_15, line_16, line_18, line_19, year, own, tax_on):
    """The 47 lines with their skips; gives the tax and lines 10, 13, 14 and 21."""
    zero = Fraction(0)
    l1, l6 = taxable, dividends
    l9 = min(line_15, line_16)
    l10 = l6 + l9
    l11 = line_18 + line_19
    l12 = min(l9, l11)
    l13 = l10 - l12
    l14 = max(zero, l1 - l13)
    l15 = Fraction(own["zero_rate_top"])
    l16 = min(l1, l15)
    l17 = min(l14, l16)
    l18 = max(zero, l1 - l10)
    # where 24 percent ends; to 2017 the worksheet has no such line, and 15 percent is the last rate below 25
    top = own["ordinary_bracket_tops"][3 if year["tax_year"] >= 2018 else 1]
    l19 = min(l1, Fraction(top))
    l20 = min(l14, l19)
    l21 = max(l18, l20)
    l22 = l16 - l17
    tax_15 = tax_20 = tax_25 = tax_28 = zero
    if l1 != l16:
        l23 = min(l1, l13)
        l24 = l22
        l25 = max(zero, l23 - l24)
        l30 = l33 = l39 = zero
        if l25 > 0:
            l26 = Fraction(own["fifteen_rate_top"])
            l27 = min(l1, l26)
            l28 = l21 + l22
            l29 = max(zero, l27 - l28)
            l30 = min(l25, l29)
            tax_15 = l30 * Fraction(15, 100)
            l32 = l24 + l30
            if l23 != l32:
                l33 = l23 - l32
                tax_20 = l33 * Fraction(20, 100)
        if line_19 > 0:
            l35 = min(l9, line_19)
            l36 = l10 + l21
            l38 = max(zero, l36 - l1)
            l39 = max(zero, l35 - l38)
            tax_25 = l39 * Fraction(25, 100)
        if line_18 > 0:
            l41 = l21 + l22 + l30 + l33 + l39
            l42 = l1 - l41
            tax_28 = l42 * Fraction(28, 100)
    l45 = tax_15 + tax_20 + tax_25 + tax_28 + tax_on(l21, year, own)
    l46 = tax_on(l1, year, own)
    return min(l45, l46), l10, l13, l14, l21


def minimum_rates(income, case):
    """26 percent up to the break, 28 percent above (Form 6251 lines 18 and 39)."""
    own = LAW[str(case.tax_year)][case.status]
    line = Fraction(own["amt_rate_break"])
    if income <= line:
        return income * Fraction(26, 100)
    return income * Fraction(28, 100) - line * Fraction(2, 100)


def form_6251(case, year, own, income_before, worksheet_13, worksheet_14, part_3):
    """Parts I and II; Part III where there are gains or qualified dividends."""
    zero = Fraction(0)
    exemption, start = Fraction(own["amt_exemption"]), Fraction(own["amt_exemption_phase_out_start"])
    rate = Fraction(1, 2) if case.tax_year >= 2026 else Fraction(1, 4)
    l4 = income_before
    if case.status == "mfs":
        exhausted = start + exemption / rate
        if l4 > exhausted:
            l4 += min(exemption, rate * (l4 - exhausted))
    l5 = exemption if l4 <= start else max(zero, exemption - rate * (l4 - start))
    l6 = max(zero, l4 - l5)
    if part_3 is None:
        return minimum_rates(l6, case)
    line_14, line_10, line_20, line_27, uses_schedule_d = part_3
    l12, l13, l14 = l6, worksheet_13, line_14
    l15 = min(l13 + l14, line_10) if uses_schedule_d else l13
    l16 = min(l12, l15)
    l17 = l12 - l16
    l18 = minimum_rates(l17, case)
    l19 = Fraction(own["zero_rate_top"])
    l20 = line_20
    assert l20 == worksheet_14
    l21 = max(zero, l19 - l20)
    l22 = min(l12, l13)
    l23 = min(l21, l22)
    l24 = l22 - l23
    l25 = Fraction(own["fifteen_rate_top"])
    l28 = l21 + line_27
    l29 = max(zero, l25 - l28)
    l30 = min(l24, l29)
    l31 = l30 * Fraction(15, 100)
    l32 = l23 + l30
    l34 = l37 = zero
    if l32 != l12:
        l33 = l22 - l32
        l34 = l33 * Fraction(20, 100)
        if l14 > 0:
            l35 = l17 + l32 + l33
            l36 = l12 - l35
            l37 = l36 * Fraction(25, 100)
    l38 = l18 + l31 + l34 + l37
    return min(l38, minimum_rates(l12, case))


def carryover_worksheet(line_1, line_7, line_15, line_21):
    """The Capital Loss Carryover Worksheet: lines 4, 8 and 13."""
    zero = Fraction(0)
    l2 = -line_21 if line_21 < 0 else zero
    l3 = max(zero, line_1 + l2)
    l4 = min(l2, l3)
    l5 = l8 = l13 = zero
    if line_7 < 0:
        l5 = -line_7
        l6 = max(zero, line_15)
        l8 = max(zero, l5 - (l4 + l6))
    if line_15 < 0:
        l9 = -line_15
        l10 = max(zero, line_7)
        l11 = max(zero, l4 - l5)
        l13 = max(zero, l9 - (l10 + l11))
    return l4, l8, l13


def carryover_statute(line_1, line_7, line_15, limit):
    """IRC 1212(b)(1) and (2), read as text. Short- and long-term carryover."""
    zero = Fraction(0)
    net = line_7 + line_15
    if net >= 0:
        return zero, zero
    allowed = min(-net, Fraction(limit))  # 1211(b)
    adjusted = max(zero, line_1 + allowed)  # (b)(2)(B)
    treated = min(allowed, adjusted)  # (b)(2)(A): as a short-term gain of the year
    short = line_7 + treated
    net_long_gain, net_long_loss = max(zero, line_15), max(zero, -line_15)
    short_out = max(zero, -short - net_long_gain)  # (b)(1)(A)
    long_out = max(zero, net_long_loss - max(zero, short))  # (b)(1)(B)
    return short_out, long_out


def regular_and_minimum(case, taxable, gain, line_15, line_16, line_18, line_19, income_before, tax_on):
    """The regular tax by the worksheet that applies, and the tentative minimum tax."""
    year = LAW[str(case.tax_year)]
    own = year[case.status]
    zero = Fraction(0)
    part_3 = None
    worksheet_13 = worksheet_14 = zero
    if line_18 > 0 or line_19 > 0:
        tax, l10, worksheet_13, worksheet_14, l21 = schedule_d_tax_worksheet(
            taxable, case.qualified_dividends, line_15, line_16, line_18, line_19, year, own, tax_on
        )
        part_3 = (line_19, l10, worksheet_14, l21, True)
    elif gain > 0 or case.qualified_dividends > 0:
        tax, l4, l5 = qualified_dividends_worksheet(taxable, case.qualified_dividends, gain, year, own, tax_on)
        worksheet_13, worksheet_14 = l4, l5
        part_3 = (zero, l4, l5, l5, False)
    else:
        tax = tax_on(taxable, year, own)
    return tax, form_6251(case, year, own, income_before, worksheet_13, worksheet_14, part_3)


def compute(case):
    zero = Fraction(0)
    year = LAW[str(case.tax_year)]
    own = year[case.status]
    line_7 = case.short_term - case.short_term_carry_in
    line_15 = case.long_term - case.long_term_carry_in
    line_16 = line_7 + line_15
    limit = Fraction(1500 if case.status == "mfs" else 3000)
    line_21 = -min(-line_16, limit) if line_16 < 0 else line_16
    line_18 = line_19 = zero
    if line_15 > 0 and line_16 > 0:
        rate_gain_7 = case.gain_28 - case.long_term_carry_in + (min(0, line_7))
        line_18 = max(zero, rate_gain_7)
        line_19 = max(zero, case.unrecaptured_1250 - (-rate_gain_7 if rate_gain_7 < 0 else 0))
    other = case.ordinary + case.qualified_dividends + line_21 - case.adjustments
    agi = other + social_security(case.social_security, other, case.status)
    standard = own["standard_deduction"] + case.aged * own["aged_addition"]
    deduction = Fraction(standard) if case.deduction is None else case.deduction
    extra = senior(case, agi)
    exempt = exemptions(case, agi)
    signed = agi - deduction - exempt - extra
    taxable = max(zero, signed)
    gain = min(line_15, line_16) if line_15 > 0 and line_16 > 0 else zero
    income_before = agi - (zero if case.deduction is None else deduction)
    given = (case, taxable, gain, line_15, line_16, line_18, line_19, income_before)
    tax, tentative = regular_and_minimum(*given, schedule)
    tax_table, tentative_table = regular_and_minimum(*given, table)
    net_investment = max(zero, case.nii + case.qualified_dividends + line_21)
    threshold = {"mfj": 250000, "qss": 250000, "mfs": 125000}.get(case.status, 200000)
    niit = min(net_investment, max(zero, agi - threshold)) * Fraction(38, 1000)
    used, short_out, long_out = carryover_worksheet(signed + exempt + extra, line_7, line_15, line_21)
    return Result(
        line_7=line_7,
        line_15=line_15,
        line_16=line_16,
        line_21=line_21,
        exemption_deduction=exempt,
        taxable_income_signed=signed,
        regular_tax=to_cent(tax),
        amt=to_cent(max(zero, tentative - tax)),
        regular_tax_table=to_cent(tax_table),
        amt_table=to_cent(max(zero, tentative_table - tax_table)),
        niit=to_cent(niit),
        deduction_used=used,
        short_term_out=short_out,
        long_term_out=long_out,
    )
