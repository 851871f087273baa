"""The figures ready for a return: tax by the Tax Table, and the worksheets behind it line by line. Planning is in `tax`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from transforms.law.parameters import Ints, Parameters, lookup
from transforms.law.rates import QUARTERS, half_up, tax_table, to_cents
from transforms.law.tax import STANDARD, Assessment, GainTax, MinimumTax, Returns, gain_tax, minimum_tax
from transforms.law.worksheets import ScheduleDLines, capital_loss_carryover

Bools: TypeAlias = npt.NDArray[np.bool_]
Lines: TypeAlias = dict[str, Ints]
"""Line of a form: amounts in cents, one a return."""


class Form(NamedTuple):
    """A form of many returns: for whom it is made out, its lines, and which of them some of those leave blank."""

    name: str
    used: Bools
    lines: Lines
    blank: dict[str, Bools]


class ReturnReady(NamedTuple):
    """Taxes in cents as they stand on the return: below 100,000 of taxable income by the Tax Table (IRC 3)."""

    regular_tax_table: Ints
    amt_table: Ints
    federal_tax_table: Ints
    forms: list[Form]


QUALIFIED = "Qualified Dividends and Capital Gain Tax Worksheet"
SCHEDULE_D_TAX = "Schedule D Tax Worksheet"
RATE_28 = "28% Rate Gain Worksheet"
CARRYOVER = "Capital Loss Carryover Worksheet"


def return_ready(returns: Returns, assessment: Assessment) -> ReturnReady:
    """The taxes by the Tax Table and the lines of the worksheets and forms behind them.

    The lines bear the numbers of their year's form: those before 2018 and, for the Qualified Dividends and Capital Gain
    Tax Worksheet, before 2020 were numbered otherwise. A line that only repeats a figure of another form is there too.

    Args:
        returns: what was assessed.
        assessment: what `tax.assess` made of it.
    """
    law = lookup(returns.tax_year, returns.status)
    a = assessment
    lines = ScheduleDLines(*(getattr(a, name) for name in ScheduleDLines._fields))
    gains = _by_table(gain_tax(a.taxable_income, returns.qualified_dividends, lines, law), a, law)
    standard = np.where(returns.deduction == STANDARD, a.deduction_taken, 0)
    before = a.taxable_income_signed + a.exemption_deduction + a.senior_deduction + standard
    minimum = minimum_tax(before, returns.status, a.line_19, gains, law)
    regular = to_cents(gains.line_47)
    amt = to_cents(np.maximum(0, minimum.line_7 - gains.line_47))
    preferred = (a.taxable_income > 0) & (gains.line_10 > 0)
    by_schedule_d = preferred & (a.line_18 + a.line_19 > 0)
    forms = [
        *_by_year(returns, QUALIFIED, preferred & ~by_schedule_d, _qualified(returns, a, gains, law), {}, _QUALIFIED),
        *_by_year(
            returns, SCHEDULE_D_TAX, by_schedule_d, _schedule_d_tax(returns, a, gains, law),
            _blank_groups(a), _SCHEDULE_D_TAX,
        ),
        *_by_year(
            returns, "Form 6251", amt > 0, _form_6251(a, gains, minimum, law) | {"10": regular, "11": amt},
            _blank_minimum(a, gains), _FORM_6251,
        ),
        _rate_28(returns, a),
        _carryover(a),
        _form_8960(returns, a),
    ]  # fmt: skip
    return ReturnReady(regular, amt, regular + amt + a.niit, forms)


def _by_table(gains: GainTax, a: Assessment, law: Parameters) -> GainTax:
    """The worksheet with the tax on its lines 21 and 1 by the Tax Table."""
    line_44, line_46 = tax_table(gains.line_21, law), tax_table(QUARTERS * a.taxable_income, law)
    line_45 = gains.line_45 - gains.line_44 + line_44
    return gains._replace(line_44=line_44, line_45=line_45, line_46=line_46, line_47=np.minimum(line_45, line_46))


def _amount(quarters: Ints) -> Ints:
    return half_up(quarters, QUARTERS)


def _share(rate: Ints, quarters: Ints) -> Ints:
    return to_cents(rate * quarters)


def _qualified(returns: Returns, a: Assessment, g: GainTax, law: Parameters) -> Lines:
    """The 25 lines of 2020 and later (Instructions Form 1040, line 16)."""
    gain = np.maximum(0, np.minimum(a.line_15, a.line_16))
    fifteen = np.minimum(a.taxable_income, law.fifteen_rate_top)
    low, zero, at_15, at_20 = (_amount(line) for line in (g.line_18, g.line_22, g.line_30, g.line_33))
    both, below = _amount(g.line_23), np.minimum(a.taxable_income, law.zero_rate_top)
    tax_15, tax_20 = _share(law.gain_rates[1], g.line_30), _share(law.gain_rates[2], g.line_33)
    column = [
        a.taxable_income, returns.qualified_dividends, gain, returns.qualified_dividends + gain, low,
        law.zero_rate_top, below, below - zero, zero, both, zero, both - zero, law.fifteen_rate_top, fifteen, low + zero,
        _amount(g.line_29), at_15, tax_15, zero + at_15, at_20, tax_20, to_cents(g.line_44), to_cents(g.line_45),
        to_cents(g.line_46), to_cents(g.line_47),
    ]  # fmt: skip
    return {str(number): line for number, line in enumerate(column, start=1)}


def _schedule_d_tax(returns: Returns, a: Assessment, g: GainTax, law: Parameters) -> Lines:
    """The 47 lines of 2018 and later (Instructions Schedule D), without those of Form 4952 (3 to 5 and 8)."""
    own = {name.removeprefix("line_"): _amount(line) for name, line in g._asdict().items()}
    own |= {number: to_cents(getattr(g, f"line_{number}")) for number in ("44", "45", "46", "47")}
    taxable, fifteen = a.taxable_income, law.fifteen_rate_top
    at = {number: g_line for number, g_line in own.items() if int(number) < 44}
    return own | {
        "1": taxable,
        "2": returns.qualified_dividends,
        "6": returns.qualified_dividends,
        "7": at["9"],
        "11": a.line_18 + a.line_19,
        "12": np.minimum(at["9"], a.line_18 + a.line_19),
        "15": law.zero_rate_top,
        "16": np.minimum(taxable, law.zero_rate_top),
        "19": np.minimum(taxable, law.below_25_top),
        "24": at["22"],
        "25": at["23"] - at["22"],
        "26": fifteen,
        "27": np.minimum(taxable, fifteen),
        "28": at["21"] + at["22"],
        "31": _share(law.gain_rates[1], g.line_30),
        "32": at["22"] + at["30"],
        "34": _share(law.gain_rates[2], g.line_33),
        "36": at["10"] + at["21"],
        "37": taxable,
        "38": np.maximum(0, at["10"] + at["21"] - taxable),
        "40": _share(law.unrecaptured_1250_rate, g.line_39),
        "41": taxable - at["42"],
        "43": _share(law.collectibles_rate, g.line_42),
    }


def _blank_groups(a: Assessment) -> dict[str, Bools]:
    """Lines 35-40 are for a line 19 of Schedule D, 41-43 for a line 18."""
    no_25, no_28 = a.line_19 == 0, a.line_18 == 0
    return {str(line): no_25 for line in range(35, 41)} | {str(line): no_28 for line in range(41, 44)}


def _form_6251(a: Assessment, g: GainTax, m: MinimumTax, law: Parameters) -> Lines:
    """Form 6251 of 2018 and later. Lines 1 and 2a changed in 2025 and are left out: line 4 is what counts."""
    own = {name.removeprefix("line_"): _amount(line) for name, line in m._asdict().items()}
    return own | {
        "7": to_cents(m.line_7),
        "9": to_cents(m.line_7),
        "12": own["6"],
        "13": _amount(g.line_13),
        "14": a.line_19,
        "18": to_cents(m.line_18),
        "19": law.zero_rate_top,
        "20": _amount(g.line_14),
        "24": own["22"] - own["23"],
        "25": law.fifteen_rate_top,
        "26": own["21"],
        "27": _amount(g.line_21),
        "28": own["21"] + _amount(g.line_21),
        "31": _share(law.gain_rates[1], m.line_30),
        "32": own["23"] + own["30"],
        "34": _share(law.gain_rates[2], m.line_33),
        "35": own["17"] + own["23"] + own["30"] + own["33"],
        "37": _share(law.unrecaptured_1250_rate, m.line_36),
        "38": to_cents(m.line_38),
        "39": to_cents(m.line_39),
        "40": to_cents(m.line_7),
    }


def _blank_minimum(a: Assessment, g: GainTax) -> dict[str, Bools]:
    """Part III (lines 12-40) is for gains and qualified dividends; lines 35-37 for a line 19 of Schedule D."""
    plain: Bools = g.line_10 == 0
    part_3 = {str(line): plain for line in range(12, 41)}
    return part_3 | {str(line): plain | (a.line_19 == 0) for line in range(35, 38)}


def _rate_28(returns: Returns, a: Assessment) -> Form:
    """28% Rate Gain Worksheet, lines 5 to 7 (Instructions Schedule D, line 18)."""
    carry, short = a.line_14, np.minimum(0, a.line_7)
    total = returns.gain_28 + carry + short
    used = (returns.gain_28 != 0) & (a.line_15 > 0) & (a.line_16 > 0)
    return Form(RATE_28, used, {"5": carry, "6": short, "7": total}, {})


def _carryover(a: Assessment) -> Form:
    """The worksheet of the loss year, where it is to be filled in: line 21 leaves loss, or taxable income is negative."""
    before_exemptions = a.taxable_income_signed + a.exemption_deduction
    lines = capital_loss_carryover(before_exemptions + a.senior_deduction, a.line_7, a.line_15, a.line_21)
    used = (a.line_16 < 0) & ((a.line_21 > a.line_16) | (before_exemptions < 0))
    return Form(CARRYOVER, used, {str(number): line for number, line in enumerate(lines, start=1)}, {})


def _form_8960(returns: Returns, a: Assessment) -> Form:
    """Form 8960; lines 1 to 4 are one figure here and stay blank (IRC 1411; Instructions Form 8960)."""
    over = a.agi - a.niit_threshold
    total = returns.nii + returns.qualified_dividends + a.line_21
    lines = {
        "5a": a.line_21,
        "5d": a.line_21,
        "8": total,
        "12": a.net_investment_income,
        "13": a.agi,
        "14": a.niit_threshold,
        "15": over,
        "16": np.minimum(np.maximum(0, over), a.net_investment_income),
        "17": a.niit,
    }
    return Form("Form 8960", over > 0, lines, {})


def _by_year(
    returns: Returns,
    name: str,
    used: Bools,
    lines: Lines,
    blank: dict[str, Bools],
    older: tuple[int, Callable[[int], int | None]],
) -> list[Form]:
    """The form in today's numbers from a year on, in the older ones before; a line that the older form lacks is left out."""
    since, renumber = older
    numbers = {line: renumber(int(line)) for line in lines}
    before = {str(number): lines[line] for line, number in numbers.items() if number is not None}
    blank_before = {str(numbers[line]): cells for line, cells in blank.items() if numbers.get(line) is not None}
    old: Bools = returns.tax_year < since
    return [Form(name, used & ~old, lines, blank), Form(name, used & old, before, blank_before)]


def _qualified_before_2020(line: int) -> int:
    """Form 4952 had lines 5 and 6."""
    return line if line <= 4 else line + 2


def _schedule_d_tax_before_2018(line: int) -> int | None:
    """Rates below 25 percent ended where the zero rate did: 19 and 20 were not there, lines 17 and 18 gave what 21 is."""
    if line in {19, 20}:
        return None
    return line if line <= 18 else line - 2


def _form_6251_before_2018(line: int) -> int | None:
    """Part II was lines 28 to 35, Part III lines 36 to 64."""
    part_2 = {4: 28, 5: 29, 6: 30, 7: 31, 9: 33, 10: 34, 11: 35}
    return part_2.get(line, line + 24 if line >= 12 else None)


_QUALIFIED = (2020, _qualified_before_2020)
_SCHEDULE_D_TAX = (2018, _schedule_d_tax_before_2018)
_FORM_6251 = (2018, _form_6251_before_2018)
