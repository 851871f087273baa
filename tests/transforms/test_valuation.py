"""What selling is worth: the worked examples of the law, by hand.

Single, 2023: 37 % above 578,125, gains 20 % above 492,300; NIIT 3.8 % above an income of 200,000 (never indexed).
Single, 2025: standard deduction 15,750, gains 0 % up to 48,350, 15 % up to 533,400, then 20 %.
"""

from __future__ import annotations

from dataclasses import fields
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import polars as pl
import pytest

from tests.transforms.harvest_cases import expectations, returns, settings, tonight
from transforms import harvest, valuation
from transforms.law.states import BOOK
from transforms.valuation import Sales, Worth, present_value


def sell(
    night: harvest.Tonight,
    *,
    short: int = 0,
    long: int = 0,
    collectible: int = 0,
    given_up: int | None = None,
    cost: int = 0,
) -> dict[str, Decimal]:
    """The worth, in dollars, of selling these losses (dollars) for the only return of `night`."""
    lower = short + long if given_up is None else given_up
    later_28 = lower if collectible else 0
    amounts = [np.array([dollars * 100]) for dollars in (short, long, collectible, lower, cost, later_28)]
    found = valuation.evaluate(night.outlook, Sales(np.array([0]), *amounts))
    worth = {field.name: Decimal(int(getattr(found, field.name)[0])) / 100 for field in fields(Worth)}
    return worth | {"saved": worth["regular_saved"] + worth["amt_saved"] + worth["niit_saved"]}


@pytest.mark.parametrize(
    ("gain", "loss", "interest", "before", "after", "carryover"),
    [
        ("short", "short", 0, "218287.50", "213097.50", (274_000, 0)),
        ("long", "long", 0, "216587.50", "213097.50", (0, 274_000)),
        ("long", "short", 0, "216587.50", "213097.50", (274_000, 0)),
        ("short", "long", 0, "218287.50", "213097.50", (0, 274_000)),
        ("short", "short", 20_000, "226447.50", "221143.50", (274_000, 0)),
    ],
)
def test_jane_sells_everything(gain, loss, interest, before, after, carryover):
    """2023, single, wages 700,000, gain 10,000, losses 287,000: 10,000 x 40.8 % (long: 23.8 %) + 3,000 x 37 %.

    With 20,000 of interest the 3,000 lower net investment income too: x 40.8 %. The rest, 274,000, is carried.
    """
    night = tonight(tax_year=2023, ordinary=700_000 + interest, nii=interest, **{f"{gain}_term": 10_000})
    worth = sell(night, **{loss: 287_000})
    assert (worth["tax_before"], worth["tax_after"]) == (Decimal(before), Decimal(after))
    assert worth["saved"] == Decimal(before) - Decimal(after)
    assert (worth["short_term_out_after"], worth["long_term_out_after"]) == carryover
    assert (worth["short_term_out_before"], worth["long_term_out_before"]) == (0, 0)


def test_jane_needs_only_13_000_of_loss_this_year():
    night = tonight(tax_year=2023, ordinary=700_000, short_term=10_000)
    worth = sell(night, short=13_000)
    assert worth["saved"] == 5_190
    assert worth["short_term_out_after"] == 0


@pytest.mark.parametrize(
    ("gain", "tax_saved", "carryover"),
    [
        ({"long_term": 600_000}, 142_800, 0),  # 600,000 x 23.8 %
        ({"short_term": 600_000}, 244_800, 0),  # 600,000 x 40.8 %
        ({"long_term": 100_000}, 24_910, 497_000),  # 100,000 x 23.8 % + 3,000 x 37 %
        ({}, 1_110, 597_000),  # 3,000 x 37 %: there is no net investment income to lower
    ],
)
def test_brian_sells_before_new_year(gain, tax_saved, carryover):
    """2023, single, wages 700,000, long-term losses of 600,000: what they save depends on the year's gains."""
    worth = sell(tonight(tax_year=2023, ordinary=700_000, **gain), long=600_000)
    assert worth["saved"] == tax_saved
    assert worth["long_term_out_after"] == carryover


def test_brian_sells_after_new_year():
    """A loss of 2 January 2024 does not reach the gains of 2023 (no carryback): 3,000 x 37 % = 1,110 of 2024 tax."""
    worth = sell(tonight(tax_year=2024, ordinary=700_000), long=600_000)
    assert worth["saved"] == 1_110
    assert worth["long_term_out_after"] == 597_000


def test_wages_of_100_000_with_600_000_of_gain_in_2026():
    """The saving of 128,750 holds 12,830 of AMT: the gains had burned the exemption."""
    worth = sell(tonight(tax_year=2026, ordinary=100_000, long_term=600_000), long=600_000)
    assert worth["saved"] == 128_750
    assert worth["amt_saved"] == 12_830


def test_in_the_0_percent_bracket_a_loss_does_harm():
    """2025, wages 30,000, gain 20,000: no tax on it either way; 8,000 of basis less costs 15 % five years on.

    Later wages of 80,000 (64,250 taxable, above 48,350): 8,000 x 15 % / 1.04^5 = 1,200 / 1.2166529 = 986.31.
    """
    worth = sell(tonight(expectations(ordinary=80_000), ordinary=30_000, long_term=20_000), long=8_000)
    assert worth["saved"] == 0
    assert worth["carryforward_value"] == 0
    assert worth["later_tax_cost"] == Decimal("986.31")
    assert worth["net_benefit"] == Decimal("-986.31")


def test_loss_over_a_loss_that_outlasts_the_horizon_is_worth_nothing():
    """Carry-in of 100,000, 3,000 used a year: ten years on the old carryover is not yet gone. Nothing saved or lost."""
    worth = sell(tonight(ordinary=80_000, short_term_carry_in=100_000), long=10_000)
    assert worth["saved"] == worth["carryforward_value"] == worth["later_tax_cost"] == 0
    assert worth["long_term_out_after"] == 10_000


def test_higher_rate_later_makes_the_same_loss_harmful():
    """15 % now on 20,000 = 3,000; 23.8 % in the fifth year (income 700,000) = 4,760 / 1.2166529 = 3,912.37."""
    worth = sell(tonight(expectations(ordinary=700_000), ordinary=100_000, long_term=20_000), long=20_000)
    assert worth["saved"] == 3_000
    assert worth["net_benefit"] == Decimal("-912.37")


def test_carryover_is_worth_its_yearly_use_discounted():
    """Wages 80,000 (22 %): of 9,000, 3,000 now = 660; 3,000 in each of two years = 660/1.04 + 660/1.04^2 = 1,244.82.

    Never sold again (a sale beyond the horizon: the basis steps up at death, IRC 1014), nothing is given back.
    """
    night = tonight(firm=settings(holding_years=11), ordinary=80_000)
    worth = sell(night, short=9_000, cost=50)
    assert worth["saved"] == 660
    assert worth["carryforward_value"] == Decimal("1244.82")
    assert worth["later_tax_cost"] == 0
    assert worth["net_benefit"] == Decimal("1854.82")


def test_carryover_and_lower_basis_meet_in_the_year_of_the_later_sale():
    """Wages 80,000, loss 30,000, sold again in year 2 with 30,000 more gain; 10 years, no interest.

    Now 3,000, years 1-9 3,000 each (22 %: 660), all used: 27,000 carried, worth 9 x 660 = 5,940. With the later sale
    year 2 opens with 24,000 of carryover: 6,000 of the gain is taxed at 15 % = 900, the 660 of that year and of the
    seven after it are gone: later tax 900 + 8 x 660 = 6,180. In all 660 + 5,940 - 6,180 = 420: 6,000 at 22 less 15 %.
    """
    night = tonight(firm=settings(discount_rate=Decimal(0), holding_years=2), ordinary=80_000)
    worth = sell(night, short=30_000)
    assert worth["saved"] == 660
    assert worth["carryforward_value"] == 5_940
    assert worth["later_tax_cost"] == 6_180
    assert worth["net_benefit"] == 420


def test_gift_gives_up_more_basis_than_it_loses():
    """Donor's basis 10,000, worth 6,000 when given, 5,000 now (IRC 1015(a)): loss 1,000 now, 5,000 more gain later.

    Wages 700,000 with gain enough: 1,000 x 23.8 % = 238 now; 5,000 x 23.8 % / 1.04^5 = 1,190 / 1.2166529 = 978.09.
    """
    worth = sell(tonight(ordinary=700_000, long_term=10_000), long=1_000, given_up=5_000)
    assert worth["saved"] == 238
    assert worth["net_benefit"] == Decimal(238) - Decimal("978.09")


@pytest.mark.parametrize(("collectible", "tax_saved"), [(20_000, 6_360), (0, 3_760)])
def test_long_term_loss_meets_the_gain_of_its_own_kind_first(collectible, tax_saved):
    """2026, wages 300,000, gains of 20,000 on an NFT (28 %) and 20,000 on coins (15 %), NIIT 3.8 % on both.

    A loss of 20,000 on an NFT saves 31.8 % of it, on a coin 18.8 %.
    """
    night = tonight(tax_year=2026, ordinary=300_000, long_term=40_000, gain_28=20_000)
    assert sell(night, long=20_000, collectible=collectible)["saved"] == tax_saved


def test_present_value_is_exact_to_the_cent():
    """100.00 in 30 years at 4.25 %: 100 / 1.0425^30 = 28.6873...; rounding a year at a time does not show."""
    amounts = [np.array([0])] * 29 + [np.array([10_000])]
    exact = Decimal(10_000) / Decimal("1.0425") ** 30
    assert present_value(amounts, Decimal("0.0425"))[0] == round(exact)
    assert present_value([-amount for amount in amounts], Decimal("0.0425"))[0] == -round(exact)


@pytest.mark.parametrize("rate", ["0.05", "0.3", "1"])
def test_present_value_of_a_trillion_dollars_is_exact(rate):
    """The largest amounts a return may hold: no product on the way leaves 64 bits."""
    for cents in (10**14, 10**14 - 1, -(10**14) + 7, 10**12 + 1):
        amounts = [np.array([cents])] * 10
        exact = sum((cents / (1 + Decimal(rate)) ** year for year in range(1, 11)), Decimal(0))
        assert present_value(amounts, Decimal(rate))[0] == exact.quantize(Decimal(1), ROUND_HALF_UP)


def test_horizon_of_no_years_counts_this_year_alone():
    """10,000 x 40.8 % + 3,000 x 37 % = 5,190."""
    worth = sell(tonight(firm=settings(horizon_years=0), ordinary=700_000, short_term=10_000), short=287_000)
    assert worth["net_benefit"] == worth["saved"] == 5_190
    assert worth["carryforward_value"] == worth["later_tax_cost"] == 0


def test_many_sales_are_valued_as_one_by_one(monkeypatch):
    """Candidates are assessed in chunks: their borders change nothing."""
    night = tonight(ordinary=700_000, short_term=10_000)
    losses = np.arange(0, 500_000, 50_000) * 100
    nothing = np.zeros_like(losses)
    sales = Sales(nothing, losses, nothing, nothing, losses, nothing, nothing)
    whole = valuation.evaluate(night.outlook, sales)
    monkeypatch.setattr(valuation, "CHUNK", 3)
    parts = valuation.evaluate(night.outlook, sales)
    assert all(np.array_equal(getattr(whole, field.name), getattr(parts, field.name)) for field in fields(Worth))
    assert whole.net_benefit.size == 10


def test_a_collectible_bought_back_is_later_taxed_at_28_percent():
    """Wages 300,000 and an NFT gain of 20,000: 31.8 cents a dollar now (table 6.2) and again in five years at 5 %."""
    firm = settings(discount_rate=Decimal("0.05"), holding_years=5)
    night = tonight(firm=firm, ordinary=300_000, long_term=20_000, gain_28=20_000)
    worth = sell(night, long=4_000, collectible=4_000)
    assert worth["saved"] == 1_272  # 4,000 x (28 % + 3.8 %)
    assert worth["later_tax_cost"] == Decimal("996.65")  # 1,272 / 1.05^5 = 996.645
    assert worth["net_benefit"] == Decimal("275.35")


def test_units_sold_within_a_year_of_the_purchase_are_short_term():
    """The clock starts again (IRC 1222): 10,000 of lower basis taxed at 22 % next year instead of 15 % in the fifth.

    10,000 x 22 % / 1.04 = 2,115.38 against 10,000 x 15 % / 1.04^5 = 1,232.89; at a chance of one half, half of 882.49.
    """
    for chance, cost in ((Decimal(0), "0"), (Decimal(1), "882.49"), (Decimal("0.5"), "441.25")):
        night = tonight(
            expectations(ordinary=80_000), settings(early_sale_chance=chance), ordinary=80_000, short_term=10_000
        )
        worth = sell(night, short=10_000)
        assert worth["later_tax_cost"] == Decimal("1232.89")
        assert worth["restarted_clock_cost"] == Decimal(cost)


def test_the_tax_of_the_state_is_saved_too():
    """New York, 2023, single, income of 700,000: 6.85 % of 13,000 of loss used this year = 890.50."""
    people = returns(tax_year=2023, ordinary=700_000, short_term=10_000)
    home = pl.DataFrame({"return_id": ["r"], "state_index": [BOOK.states.index("NY")]})
    night = harvest.tonight_of(people, expectations(), settings(holding_years=11), home)
    worth = sell(night, short=13_000)
    assert (worth["state_saved"], worth["saved"]) == (Decimal("890.50"), 5_190)
    assert worth["net_benefit"] == Decimal("6080.50")


def test_a_gain_realized_tonight_is_not_realized_later():
    """Wages 30,000 tonight, 80,000 later: 20,000 at 0 % tonight instead of 15 % in year five, 3,000 / 1.04^5."""
    night = tonight(expectations(ordinary=80_000), ordinary=30_000)
    worth = sell(night, long=-20_000)
    assert (worth["saved"], worth["later_tax_cost"], worth["net_benefit"]) == (
        0,
        Decimal("-2465.78"),
        Decimal("2465.78"),
    )
