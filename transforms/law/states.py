"""An estimate of the income tax of a state, from rules kept as data in `state_rules/`. The federal tax is in `tax`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from schemas.fields import STATUSES
from transforms.law.parameters import Ints, LawFileError, brackets_first, texts
from transforms.law.readings import begun, by, either, where
from transforms.law.tax import STANDARD, Assessment, Returns

Bools: TypeAlias = npt.NDArray[np.bool_]

NOWHERE = -1
"""The index of no state: nothing is known of where the taxpayer lives."""
RATE = 100_000
"""Rates are whole hundred-thousandths (4.95 percent is 4950)."""
MODELS = ("none", "ordinary", "no_carryforward", "massachusetts")
BASES = ("agi", "federal_taxable_income", "income_by_class", "long_term_gain")
"""What is taxed: federal AGI; federal taxable income; income with this year's gains net of this year's losses only, no
class below zero (Pennsylvania, New Jersey); net long-term gain (Washington)."""
MOST_BRACKETS, MOST_RECAPTURES = 10, 6
FAR = 10**15
"""Cents that no return reaches: where a bracket or a limit that a state does not have would begin."""

TEXTS = ("sources", "not_in_it")
_DOLLARS_OF_STATUS = (
    "deduction", "exemption", "exemption_limit", "no_tax_to", "surtax_start", "credit_phase_out_start",
    "credit_phase_out_step", "top_recaptured_above", "federal_deduction_cap",
)  # fmt: skip
_LISTS_OF_STATUS = ("tops", "rates", "recapture")
_DOLLARS = (
    "aged_exemption", "credit_each", "credit_phase_out_amount", "recapture_start", "recapture_length",
    "loss_against_interest", "federal_deduction_cap_above",
)  # fmt: skip
_RATES = (
    "social_security_exempt", "long_term_exclusion", "dividend_exclusion", "surtax_rate", "short_term_rate",
    "long_term_rate",
)  # fmt: skip
_UNLIMITED = (
    "exemption_limit",
    "surtax_start",
    "credit_phase_out_start",
    "top_recaptured_above",
    "recapture_start",
    "federal_deduction_cap_above",
)
_FLAGS = {"itemized": False, "credit_counts_aged": False}
"""What holds of a state that says nothing."""
_OF_A_STATE = ("model", "base", "carryforward", "figures_of", *TEXTS)
_MAY_HOLD = (*_OF_A_STATE, *_FLAGS, *_DOLLARS, *_RATES, *STATUSES)
_MASSACHUSETTS = MODELS.index("massachusetts")
_FEDERAL, _BY_CLASS, _LONG_TERM = (BASES.index(base) for base in BASES[1:])


class Rules(NamedTuple):
    """The rules of states: int64 arrays over (year, state, status), money in cents, rates in hundred-thousandths.

    `covered` is 0 where a state has no rules in a year, `figures_of` the year whose figures they are: one before the
    tax year where the state had not published its own. `tops` and `steps` (the rise of the rate at each) have one more
    axis; `recapture` has two: from a taxable income on, what is recaptured whole and what is phased in (New York).
    `rules_of` puts these axes first.
    """

    covered: Ints
    model: Ints
    base: Ints
    figures_of: Ints
    itemized: Ints
    credit_counts_aged: Ints
    first_rate: Ints
    tops: Ints
    steps: Ints
    deduction: Ints
    exemption: Ints
    exemption_limit: Ints
    no_tax_to: Ints
    surtax_start: Ints
    credit_persons: Ints
    credit_phase_out_start: Ints
    credit_phase_out_step: Ints
    top_recaptured_above: Ints
    federal_deduction_cap: Ints
    recapture: Ints
    aged_exemption: Ints
    credit_each: Ints
    credit_phase_out_amount: Ints
    recapture_start: Ints
    recapture_length: Ints
    loss_against_interest: Ints
    federal_deduction_cap_above: Ints
    social_security_exempt: Ints
    long_term_exclusion: Ints
    dividend_exclusion: Ints
    surtax_rate: Ints
    short_term_rate: Ints
    long_term_rate: Ints


class Book(NamedTuple):
    """The rules of all years: their years and states, the figures, and the texts by (year, state)."""

    years: range
    states: tuple[str, ...]
    rules: Rules
    notes: dict[tuple[int, str], dict[str, str]]


class StateTax(NamedTuple):
    """An estimate of the state's tax in cents, 0 where it is not `covered`; `provisional`: by an earlier year's figures."""

    tax: Ints
    covered: Bools
    provisional: Bools


def state_tax(returns: Returns, assessment: Assessment, state: Ints, book: Book | None = None) -> StateTax:
    """The income tax of each return's state, estimated; for what-if arrays as for the year itself.

    A state that starts from federal income takes the federal loss limit and carryovers with it. A net loss of the year
    is worth nothing more in Pennsylvania and New Jersey. Not in it: local taxes, most credits, part-year residence.

    Args:
        returns: as assessed.
        assessment: what `tax.assess` made of `returns`.
        state: index of `BOOK.states`, or `NOWHERE`.
        book: the rules (the shipped ones).
    """
    rules = rules_of(returns, state, book)
    covered: Bools = rules.covered == 1
    return StateTax(estimate(returns, assessment, rules), covered, covered & (rules.figures_of < returns.tax_year))


def rules_of(returns: Returns, state: Ints, book: Book | None = None) -> Rules:
    """The rules of each return's year, state and status, none `covered` where they are not known; see `state_tax`."""
    book = book or BOOK
    year = np.clip(returns.tax_year - book.years[0], 0, len(book.years) - 1)
    known = (returns.tax_year >= book.years[0]) & (returns.tax_year <= book.years[-1]) & (state != NOWHERE)
    place = year, np.maximum(0, state), returns.status
    found = Rules(*(brackets_first(figures[place]) for figures in book.rules))
    return found._replace(covered=where(known, found.covered, 0))


@either
def estimate(returns: Returns, assessment: Assessment, rules: Rules) -> Ints:
    """The state's tax in cents by its rules, 0 where it is not covered."""
    split = rules.model == _MASSACHUSETTS
    tax = by(split, _massachusetts, _ordinary, returns, assessment, rules)
    found: Ints = where(rules.covered == 1, tax, 0)
    return found


@either
def _ordinary(returns: Returns, a: Assessment, rules: Rules) -> Ints:
    """Brackets on what the state taxes, less deduction, exemption and exclusions; surtax, recapture, credit."""
    agi = a.agi - a.taxable_social_security * rules.social_security_exempt // RATE
    federal = np.maximum(0, a.taxable_income_signed - (a.agi - agi) + _added_back(a, rules))
    gains = np.maximum(0, returns.short_term + returns.long_term)
    by_class = np.maximum(0, returns.ordinary) + returns.qualified_dividends + gains
    base = where(rules.base == _FEDERAL, federal, where(rules.base == _BY_CLASS, by_class, agi))
    base = where(rules.base == _LONG_TERM, np.maximum(0, a.line_15), base)
    deduction = where(
        (rules.itemized == 1) & (returns.deduction != STANDARD),
        np.maximum(rules.deduction, returns.deduction),
        rules.deduction,
    )
    taxable = np.maximum(0, base - deduction - _exemption(returns, agi, rules) - _excluded(returns, a, rules))
    units = _brackets(taxable, rules) + _recapture(taxable, agi, rules)
    after_credit = np.maximum(0, units - RATE * _credit(returns, a.agi, rules))
    surtax = rules.surtax_rate * np.maximum(0, taxable - rules.surtax_start)
    tax: Ints = where(base <= rules.no_tax_to, 0, _cents(after_credit + surtax))
    return tax


@either
def _added_back(a: Assessment, rules: Rules) -> Ints:
    """What the federal deduction is over a cap, for AGI above a limit (Colo. Rev. Stat. 39-22-104(3)(p.5), (p.7))."""
    over = np.maximum(0, a.deduction_taken - rules.federal_deduction_cap)
    added: Ints = where(a.agi >= rules.federal_deduction_cap_above, over, 0)
    return added


@either
def _exemption(returns: Returns, agi: Ints, rules: Rules) -> Ints:
    exemption: Ints = where(agi <= rules.exemption_limit, rules.exemption + returns.aged * rules.aged_exemption, 0)
    return exemption


@either
def _excluded(returns: Returns, a: Assessment, rules: Rules) -> Ints:
    """The part of net capital gain (IRC 1222(11): what federal income includes) and qualified dividends not taxed."""
    gain = np.maximum(0, np.minimum(a.line_15, a.line_16))
    excluded: Ints = (
        gain * rules.long_term_exclusion // RATE + returns.qualified_dividends * rules.dividend_exclusion // RATE
    )
    return excluded


@either
def _brackets(taxable: Ints, rules: Rules) -> Ints:
    """Cents times hundred-thousandths."""
    tax = rules.first_rate * taxable
    for bracket in range(MOST_BRACKETS):
        tax = tax + rules.steps[bracket] * np.maximum(0, taxable - rules.tops[bracket])
    return tax


@either
def _recapture(taxable: Ints, agi: Ints, rules: Rules) -> Ints:
    """The benefit of the lower brackets, taken back (N.Y. Tax Law 601(d)-(d-4)): above 25 million the top rate on all.

    Between, what lower brackets gave is taken back whole and what the last one gave by the part of 50,000 that AGI is
    over the start of the bracket (at least 107,650).
    """
    start = whole = phased = 0 * taxable
    for step in range(MOST_RECAPTURES):
        here = taxable >= rules.recapture[step, 0]
        start = where(here, rules.recapture[step, 0], start)
        whole = where(here, rules.recapture[step, 1], whole)
        phased = where(here, rules.recapture[step, 2], phased)
    over = np.maximum(0, agi - np.maximum(start, rules.recapture_start))
    length = np.maximum(1, rules.recapture_length)
    part = phased * np.minimum(over, length) * RATE // length
    general = where(over > 0, RATE * whole + part, 0)
    top_rate = rules.first_rate
    for bracket in range(MOST_BRACKETS):
        top_rate = top_rate + rules.steps[bracket]
    flat = top_rate * taxable - _brackets(taxable, rules)
    taken: Ints = where(agi > rules.top_recaptured_above, flat, general)
    return taken


@either
def _credit(returns: Returns, federal_agi: Ints, rules: Rules) -> Ints:
    """Exemption credits, each lowered for every step of federal AGI begun above the start (Cal. R&TC 17054, 17054.1)."""
    over = np.maximum(0, federal_agi - rules.credit_phase_out_start)
    steps = begun(over, np.maximum(1, rules.credit_phase_out_step))
    each = np.maximum(0, rules.credit_each - steps * rules.credit_phase_out_amount)
    credit: Ints = (rules.credit_persons + returns.aged * rules.credit_counts_aged) * each
    return credit


@either
def _massachusetts(returns: Returns, a: Assessment, rules: Rules) -> Ints:
    """Form 1 with Schedules B and D (M.G.L. c. 62 ss. 2, 3, 4): short-term gains, long-term gains, the rest.

    Short-term losses go against up to 2,000 of interest and dividends, then against long-term gains; long-term losses
    against short-term gains, then against what is left of the 2,000. Half of a long-term gain on collectibles is taxed
    as a short-term gain. Exemptions that other income does not use go to interest and dividends, then to gains.
    """
    interest = np.maximum(0, returns.nii) + returns.qualified_dividends
    rest = np.maximum(0, returns.ordinary - np.maximum(0, returns.nii) - returns.adjustments)
    short_loss, short_gain = np.maximum(0, -a.line_7), np.maximum(0, a.line_7)
    long_loss, long_gain = np.maximum(0, -a.line_15), np.maximum(0, a.line_15)
    room = np.minimum(rules.loss_against_interest, interest)
    short_used = np.minimum(short_loss, room)
    crossed = np.minimum(long_loss, short_gain)
    long_used = np.minimum(long_loss - crossed, room - short_used)
    long_net = np.maximum(0, long_gain - (short_loss - short_used))
    collectible = np.minimum(np.maximum(0, returns.gain_28), long_net)
    interest, short_gain = interest - short_used - long_used, short_gain - crossed + collectible // 2
    long_gain = long_net - collectible
    left = rules.exemption + returns.aged * rules.aged_exemption
    taxed_rest = np.maximum(0, rest - left)
    left = np.maximum(0, left - rest)
    taxed_interest = np.maximum(0, interest - left)
    left = np.maximum(0, left - interest)
    taxed_short = np.maximum(0, short_gain - left)
    left = np.maximum(0, left - short_gain)
    taxed_long = np.maximum(0, long_gain - left)
    total = taxed_rest + taxed_interest + taxed_short + taxed_long
    gross = rest + interest + short_gain + long_gain
    units = rules.first_rate * (taxed_rest + taxed_interest)
    units = units + rules.short_term_rate * taxed_short + rules.long_term_rate * taxed_long
    units = units + rules.surtax_rate * np.maximum(0, total - rules.surtax_start)
    tax: Ints = where(gross <= rules.no_tax_to, 0, _cents(units))
    return tax


@either
def _cents(units: Ints) -> Ints:
    cents: Ints = (units + RATE // 2) // RATE
    return cents


def read_book(files: Mapping[str, str]) -> Book:
    """The rules of the files of one year each (file name: JSON text), checked.

    Raises:
        LawFileError: a line for each fault with file, state, figure, what was found and expected.
    """
    years = {name: json.loads(text, parse_float=Decimal) for name, text in files.items()}
    found = [f"{name}: {fault}" for name, year in years.items() for fault in _faults(name, year)]
    numbers = sorted(year.get("tax_year", 0) for year in years.values())
    found += [f"no file between the years {a} and {b}" for a, b in pairwise(numbers) if b - a != 1]
    if found or not numbers:
        raise LawFileError("\n".join(found) or "no file of state rules")
    by_year = {year["tax_year"]: year["states"] for year in years.values()}
    states = tuple(sorted({state for year in by_year.values() for state in year}))
    table = [[[_cell(by_year[y].get(s, {}), status) for status in STATUSES] for s in states] for y in sorted(by_year)]
    rules = {
        name: np.array([[[cell[name] for cell in row] for row in of] for of in table], dtype=np.int64)
        for name in Rules._fields
    }
    notes = {(y, s): {name: of[name] for name in TEXTS} for y, year in by_year.items() for s, of in year.items()}
    return Book(range(numbers[0], numbers[-1] + 1), states, Rules(**rules), notes)


def _faults(name: str, year: Mapping[str, Any]) -> Iterator[str]:
    if name != f"{year.get('tax_year')}.json":
        yield f"tax_year is {year.get('tax_year')}, expected the year of the file's name"
    for state, rule in year.get("states", {}).items():
        yield from (f"{state}: {fault}" for fault in _state_faults(rule, year.get("tax_year", 0)))


def _state_faults(rule: Mapping[str, Any], tax_year: int) -> Iterator[str]:
    yield from (f"lacks {name}" for name in _OF_A_STATE if name not in rule)
    yield from (f"holds {name}, which nothing reads" for name in rule if name not in _MAY_HOLD)
    yield from (f"{name} says nothing" for name in TEXTS if not str(rule.get(name, "")).strip())
    if rule.get("model") not in MODELS or rule.get("base") not in BASES:
        yield f"model is {rule.get('model')} and base {rule.get('base')}, expected one of {MODELS} and {BASES}"
    if rule.get("figures_of", tax_year) > tax_year:
        yield f"figures_of is {rule['figures_of']}, after the tax year"
    yield from (f"{name} is {rule[name]}, expected 0 to 1" for name in _RATES if not 0 <= rule.get(name, 0) <= 1)
    yield from (f"{name} is {rule[name]}, expected no debt" for name in _DOLLARS if rule.get(name, 0) < 0)
    for status in STATUSES if rule.get("model") != "none" else ():
        yield from (f"{status}: {fault}" for fault in _bracket_faults(rule.get(status, {})))


def _bracket_faults(own: Mapping[str, Any]) -> Iterator[str]:
    may = (*_DOLLARS_OF_STATUS, *_LISTS_OF_STATUS, "credit_persons")
    yield from (f"holds {name}, which nothing reads" for name in own if name not in may)
    tops, rates, recapture = (own.get(name, []) for name in _LISTS_OF_STATUS)
    if len(rates) != len(tops) + 1 or len(tops) > MOST_BRACKETS or len(recapture) > MOST_RECAPTURES:
        yield f"{len(tops)} tops and {len(rates)} rates, expected one rate more than tops, {MOST_BRACKETS} tops at most"
    yield from (f"tops fall or stand from {a} to {b}, expected to rise" for a, b in pairwise(tops) if b <= a)
    yield from (f"rates fall or stand from {a} to {b}, expected to rise" for a, b in pairwise(rates) if b <= a)
    yield from (f"rate {rate}, expected a fraction below 0.2" for rate in rates if not 0 <= rate < Decimal("0.2"))


def _hundred_thousandths(rate: Decimal | int) -> int:
    scaled = Decimal(rate) * RATE
    if scaled != int(scaled):
        raise LawFileError(f"rate {rate} is finer than a hundred-thousandth")
    return int(scaled)


def _dollars(amount: Decimal | int | None, name: str) -> int:
    return (FAR if name in _UNLIMITED else 0) if amount is None else int(Decimal(amount) * 100)


def _cell(rule: Mapping[str, Any], status: str) -> dict[str, Any]:
    """Every figure of one year, state and status; a state without rules gets zeros."""
    own = rule.get(status, {})
    rates = [_hundred_thousandths(rate) for rate in own.get("rates", [0])]
    rises = [high - low for low, high in pairwise(rates)]
    tops = [int(Decimal(top) * 100) for top in own.get("tops", [])]
    gap = MOST_BRACKETS - len(tops)
    recapture = [[int(Decimal(cell) * 100) for cell in row] for row in own.get("recapture", [])]
    return {
        "covered": int(bool(rule)),
        "model": MODELS.index(rule.get("model", "none")),
        "base": BASES.index(rule.get("base", "agi")),
        "figures_of": rule.get("figures_of", 0),
        **{name: int(rule.get(name, default)) for name, default in _FLAGS.items()},
        "credit_persons": own.get("credit_persons", 0),
        "first_rate": rates[0],
        "tops": tops + [FAR] * gap,
        "steps": rises + [0] * gap,
        "recapture": recapture + [[FAR, 0, 0]] * (MOST_RECAPTURES - len(recapture)),
        **{name: _dollars(own.get(name), name) for name in _DOLLARS_OF_STATUS},
        **{name: _dollars(rule.get(name), name) for name in _DOLLARS},
        **{name: _hundred_thousandths(rule.get(name, 0)) for name in _RATES},
    }


BOOK: Book = read_book(texts("state_rules"))
