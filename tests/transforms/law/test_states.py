"""State estimates on cases worked by hand from the states' own rules; dollars in, dollars out."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from tests.transforms.law.random_returns import random_rows
from tests.transforms.law.test_tax import returns
from transforms.law.parameters import LawFileError, texts
from transforms.law.states import BOOK, NOWHERE, RATE, read_book, state_tax
from transforms.law.tax import STANDARD, assess

SHIPPED = texts("state_rules")


def estimated(state, year, status="single", **amounts):
    given = returns((year, status, amounts))
    index = NOWHERE if state is None else BOOK.states.index(state)
    found = state_tax(given, assess(given), np.array([index]))
    return Fraction(int(found.tax[0]), 100) if found.covered[0] else None


def saved(state, year, loss, status="single", **amounts):
    """What a loss of `loss` more (by character) saves."""
    after = amounts | {name: amounts.get(name, 0) - more for name, more in loss.items()}
    return estimated(state, year, status, **amounts) - estimated(state, year, status, **after)


@pytest.mark.parametrize("state", ["AK", "FL", "NV", "SD", "TN", "TX", "WY", "NH"])
def test_states_without_an_income_tax(state):
    assert estimated(state, 2025, ordinary=500_000, short_term=100_000) == 0


def test_new_hampshire_taxed_interest_and_dividends_to_2024_and_is_not_covered_there():
    """RSA 77, repealed from 2025: gains were not taxed, but zero would be no estimate of the whole."""
    assert estimated("NH", 2024, ordinary=100_000) is None


def test_a_state_or_year_without_rules_gives_no_estimate():
    assert "OR" not in BOOK.states
    assert estimated(None, 2025, ordinary=100_000) is None
    assert estimated("CA", 2021, ordinary=100_000) is None
    assert estimated("LA", 2024, ordinary=100_000) is None


def test_illinois_taxes_agi_flat_less_an_exemption_that_ends_at_250000():
    """35 ILCS 5/201(b), 5/204: 4.95 % of 100,000 - 2,850 in 2025; of all at 300,000."""
    assert estimated("IL", 2025, ordinary=100_000) == Fraction("4808.93")  # 4,808.925, half up
    assert estimated("IL", 2025, ordinary=300_000) == 14_850


def test_california_has_no_preference_and_a_percent_more_above_a_million():
    """2025 single, wages 100,000, long-term 1,200,000: taxable 1,294,294.

    The 2025 Tax Rate Schedule X step by step; 1 % of 294,294 on top; the credit of 153 is gone at an AGI of 1,300,000.
    """
    tops = [0, 11_079, 26_264, 41_452, 57_542, 72_724, 371_479, 445_771, 742_953, 1_294_294]
    rates = ["0.01", "0.02", "0.04", "0.06", "0.08", "0.093", "0.103", "0.113", "0.123"]
    steps = [(high - low) * Fraction(rate) for low, high, rate in zip(tops[:-1], tops[1:], rates, strict=True)]
    expected = sum(steps) + Fraction(294_294, 100)
    found = estimated("CA", 2025, ordinary=100_000, long_term=1_200_000)
    assert abs(found - expected) <= Fraction(1, 200)
    assert saved("CA", 2025, {"long_term": 10_000}, ordinary=100_000, long_term=1_200_000) == 1_330  # 12.3 + 1 %


def test_california_takes_the_federal_loss_limit_and_carryover():
    """A loss of 10,000 lowers California income by 3,000; the carryover lowers the next year's."""
    assert saved("CA", 2025, {"short_term": 10_000}, ordinary=100_000) == 279  # 9.3 % of 3,000
    assert saved("CA", 2025, {"short_term": 0}, ordinary=100_000) == 0
    carried = estimated("CA", 2025, ordinary=100_000, short_term=20_000, short_term_carry_in=7_000)
    assert estimated("CA", 2025, ordinary=100_000, short_term=20_000) - carried == 651


@pytest.mark.parametrize(("state", "cents"), [("PA", Fraction("3.07")), ("NJ", Fraction("6.37"))])
def test_no_carryforward_in_pennsylvania_and_new_jersey(state, cents):
    """72 P.S. 7303(a)(3), N.J.S.A. 54A:5-1(c): this year's losses against this year's gains, and nothing else."""
    rich = {"ordinary": 200_000, "short_term": 20_000}
    assert saved(state, 2025, {"short_term": 10_000}, **rich) == 10_000 * cents / 100
    assert saved(state, 2025, {"long_term": 20_000}, **rich) == 20_000 * cents / 100  # either character
    assert saved(state, 2025, {"short_term": 50_000}, **rich) == 20_000 * cents / 100  # 30,000 are worth nothing
    with_carryover = estimated(state, 2025, **rich, short_term_carry_in=15_000)
    assert with_carryover == estimated(state, 2025, **rich)


def test_new_jersey_brackets():
    """N.J.S.A. 54A:2-1(b), single 2025: 2,651.25 to 75,000 and 6.37 % above; 1,000 exemption; nothing to 10,000."""
    expected = Fraction("280") + Fraction("262.50") + 175 + Fraction("1933.75") + 24_000 * Fraction("0.0637")
    assert estimated("NJ", 2025, ordinary=100_000) == expected
    assert estimated("NJ", 2025, ordinary=10_000) == 0


def test_washington_taxes_long_term_gains_alone():
    """RCW 82.87.040, .060: 2025 deduction 278,000; 7 %, and 9.9 % above 1,000,000 of taxable gain (ESSB 5813)."""
    assert estimated("WA", 2025, ordinary=900_000, short_term=500_000) == 0
    assert estimated("WA", 2025, long_term=378_000) == 7_000
    assert estimated("WA", 2025, long_term=1_378_000) == 70_000 + 9_900
    assert estimated("WA", 2024, long_term=1_370_000) == 77_000  # flat before 2025
    assert saved("WA", 2025, {"short_term": 50_000}, long_term=378_000) == 0
    assert saved("WA", 2025, {"long_term": 50_000}, long_term=378_000) == 3_500


def test_massachusetts_splits_short_and_long_term():
    """M.G.L. c. 62 s. 4: 2025 short-term 8.5 %, long-term 5 %; 12 % in 2022; 4,400 exempt against wages."""
    base = (50_000 - 4_400) * Fraction("0.05")
    assert estimated("MA", 2025, ordinary=50_000, short_term=10_000) == base + 850
    assert estimated("MA", 2022, ordinary=50_000, short_term=10_000) == base + 1_200
    assert estimated("MA", 2025, ordinary=50_000, long_term=10_000) == base + 500


def test_massachusetts_losses_never_lower_wages_and_interest_by_2000_at_most():
    """M.G.L. c. 62 s. 2(c)(2): no 3,000; 2,000 of interest and dividends; then gains of the other term."""
    assert saved("MA", 2025, {"short_term": 50_000}, ordinary=50_000) == 0
    assert saved("MA", 2025, {"short_term": 50_000}, ordinary=60_000, nii=10_000) == 100
    assert saved("MA", 2025, {"long_term": 10_000}, ordinary=50_000, short_term=10_000) == 850
    assert saved("MA", 2025, {"short_term": 10_000}, ordinary=50_000, long_term=10_000) == 500


def test_half_of_a_massachusetts_gain_on_collectibles_is_short_term_income():
    """M.G.L. c. 62 ss. 2(b)(1), 3(B)(a): 50 % deduction, 8.5 % in 2025."""
    gain = {"long_term": 10_000, "gain_28": 10_000}
    assert estimated("MA", 2025, ordinary=50_000, **gain) - estimated("MA", 2025, ordinary=50_000) == 425


def test_the_massachusetts_surtax():
    """Art. XLIV of the Articles of Amendment: 4 % above 1,083,150 in 2025."""
    assert saved("MA", 2025, {"long_term": 10_000}, ordinary=2_000_000, long_term=10_000) == 900


@pytest.mark.parametrize(
    ("state", "year", "cents"),
    [("AZ", 2025, Fraction("1.875")), ("SC", 2024, Fraction("3.472")), ("ND", 2025, Fraction("1.5"))],
)
def test_long_term_gains_that_are_taxed_in_part(state, year, cents):
    """A.R.S. 43-1022: 75 % at 2.5 %; S.C. 12-6-1150: 56 % at 6.2 %; N.D.C.C. 57-38-30.3: 60 % at 2.5 %."""
    rich = {"ordinary": 900_000, "long_term": 50_000}
    assert saved(state, year, {"long_term": 10_000}, **rich) == 10_000 * cents / 100


def test_new_york_takes_back_what_the_lower_brackets_gave():
    """Tax Law 601(d-4), 2025 single: at an AGI of 400,000 (taxable 392,000) every dollar of it at 6.85 %: 26,852."""
    assert abs(estimated("NY", 2025, ordinary=400_000) - 392_000 * Fraction("0.0685")) <= 1
    half = estimated("NY", 2025, ordinary=132_650)  # 25,000 of 50,000 over 107,650: half of 568
    plain = 340 + 144 + Fraction("115.5") + Fraction("3671.25") + (124_650 - 80_650) * Fraction("0.06")
    assert abs(half - plain - 284) <= 1


def test_a_provisional_estimate_says_so():
    given = returns((2026, "single", {"ordinary": 100_000}), (2025, "single", {"ordinary": 100_000}))
    index = np.array([BOOK.states.index("CA")] * 2)
    assert state_tax(given, assess(given), index).provisional.tolist() == [True, False]


@pytest.mark.parametrize("year", list(BOOK.years))
def test_more_loss_never_raises_a_state_tax(year):
    """In every state, for either character, over random returns."""
    given = random_rows(year, 300)

    for character in ("short_term", "long_term"):
        less = given._replace(**{character: getattr(given, character) - 777_77})
        before, after = assess(given), assess(less)
        for index in range(len(BOOK.states)):
            where = np.full(300, index)
            assert np.all(state_tax(less, after, where).tax <= state_tax(given, before, where).tax), BOOK.states[index]


def scalar(state, given, a, row):
    """The ordinary model one return at a time, from the file itself, in Fractions."""
    year, status = int(given.tax_year[row]), ("single", "mfj", "mfs", "hoh", "qss")[given.status[row]]
    rule = json.loads(SHIPPED[f"{year}.json"], parse_float=Fraction)["states"][state]
    own = rule[status]
    agi = Fraction(int(a.agi[row]), 100)
    benefits = Fraction(int(a.taxable_social_security[row]), 100)
    base = agi - benefits * Fraction(rule.get("social_security_exempt", 0))
    if base <= own.get("no_tax_to", 0):
        return Fraction(0)
    deduction = Fraction(own.get("deduction", 0))
    if rule.get("itemized") and given.deduction[row] != STANDARD:
        deduction = max(deduction, Fraction(int(given.deduction[row]), 100))
    exemption = Fraction(own.get("exemption", 0)) + int(given.aged[row]) * Fraction(rule.get("aged_exemption", 0))
    if "exemption_limit" in own and base > own["exemption_limit"]:
        exemption = Fraction(0)
    taxable = max(Fraction(0), base - deduction - exemption)
    tax, floor = Fraction(0), Fraction(0)
    for rate, top in zip(own["rates"], [*own["tops"], None], strict=True):
        high = taxable if top is None else min(taxable, Fraction(top))
        tax += max(Fraction(0), high - floor) * Fraction(rate)
        floor = taxable if top is None else Fraction(top)
    return tax


@pytest.mark.parametrize("state", ["IL", "MI", "NC", "VA", "KS", "OK", "ID", "WV", "LA", "GA"])
def test_the_vectorised_brackets_equal_a_scalar_walk_up_them(state):
    """Half a cent of rounding, and a cent where Social Security is exempt in part."""
    given = random_rows(2025, 400)
    a = assess(given)
    tax = state_tax(given, a, np.full(400, BOOK.states.index(state))).tax
    for row in range(400):
        assert abs(Fraction(int(tax[row]), 100) - scalar(state, given, a, row)) <= Fraction(1, 100), row


def changed(change, name="2025.json"):
    year = json.loads(SHIPPED[name])
    change(year["states"])
    return SHIPPED | {name: json.dumps(year)}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda states: states["CA"]["single"]["tops"].reverse(), "2025.json: CA: single: tops fall or stand"),
        (lambda states: states["CA"]["single"]["rates"].pop(), "CA: single: 8 tops and 8 rates"),
        (lambda states: states["IL"].update(sources=""), "IL: sources says nothing"),
        (lambda states: states["IL"].update(surcharge=1), "IL: holds surcharge, which nothing reads"),
        (lambda states: states["IL"].update(model="odd"), "IL: model is odd"),
        (lambda states: states["IL"].update(figures_of=2027), "IL: figures_of is 2027, after the tax year"),
        (lambda states: states["PA"].pop("carryforward"), "PA: lacks carryforward"),
        (lambda states: states["AZ"].update(long_term_exclusion=25), "AZ: long_term_exclusion is 25, expected 0 to 1"),
    ],
)
def test_faulty_rules_are_refused_and_the_fault_named(change, fault):
    with pytest.raises(LawFileError) as refused:
        read_book(changed(change))
    assert fault in str(refused.value)


def test_rates_are_exact():
    assert RATE == 100_000
    assert BOOK.rules.first_rate[BOOK.years.index(2025), BOOK.states.index("PA"), 0] == 3_070
