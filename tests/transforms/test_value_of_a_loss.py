"""What one more dollar of loss is worth, and when nothing should be sold: the tables of tax rules 6.2, 6.4 and 6.5.

Each row of a table is a client to whom the advice is given. Table 6.2 is about this year alone (`horizon_years` 0).
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.transforms.harvest_cases import expectations, holding, returns, settings, tonight
from tests.transforms.test_advice import advise
from tests.transforms.test_valuation import sell
from transforms import valuation
from transforms.law.states import BOOK
from transforms.valuation import Sales

THIS_YEAR = settings(horizon_years=0)
STALE = {"why_not": "price_stale"}


def thousands(**amounts: float) -> dict[str, int]:
    return {name: round(amount * 1_000) for name, amount in amounts.items()}


SITUATIONS = [
    # the client, 2026, single, thousands of dollars; cents that a dollar of short- and of long-term loss saves
    ("ST gain 20k, wages 80k", thousands(ordinary=80, short_term=20), "22", "22"),
    ("LT gain 20k, wages 80k", thousands(ordinary=80, long_term=20), "15", "15"),
    ("ST 20k and LT 20k, wages 80k", thousands(ordinary=80, short_term=20, long_term=20), "22", "15"),
    ("ST gain 20k, wages 700k", thousands(ordinary=700, short_term=20), "40.8", "40.8"),
    ("LT gain 20k, wages 700k", thousands(ordinary=700, long_term=20), "23.8", "23.8"),
    ("LT gain 20k, wages 300k", thousands(ordinary=300, long_term=20), "18.8", "18.8"),
    ("ST loss already nets against LT 50k", thousands(ordinary=300, short_term=-10, long_term=50), "18.8", "18.8"),
    ("LT loss 10k against ST 50k, wages 300k", thousands(ordinary=300, short_term=50, long_term=-10), "38.8", "38.8"),
    ("Net 0, wages 80k", thousands(ordinary=80), "22", "22"),
    ("Net 0, wages 700k", thousands(ordinary=700), "37", "37"),
    ("Net 0, wages 700k, 20k interest", thousands(ordinary=720, nii=20), "40.8", "40.8"),
    ("Net loss already 3,000", thousands(ordinary=80, short_term=-3), "0", "0"),
    ("LT gain wholly in the 0% band, wages 40k", thousands(ordinary=40, long_term=20), "0", "0"),
    ("0/15 straddle, wages 50k, LT 30k", thousands(ordinary=50, long_term=30), "15", "15"),
    ("Bump zone: wages 40k, ST 10k, LT 40k", thousands(ordinary=40, short_term=10, long_term=40), "27", "15"),
    ("ST gain 20k, wages 40k", thousands(ordinary=40, short_term=20), "12", "12"),
    ("Taxable income below zero", thousands(ordinary=10), "0", "0"),
    ("AMT phase-out: wages 100k, LT 550k", thousands(ordinary=100, long_term=550), "36.8", "36.8"),
    ("NIIT not reached: wages 190k, LT 9k", thousands(ordinary=190, long_term=9), "15", "15"),
    ("NIIT reached: wages 195k, LT 30k", thousands(ordinary=195, long_term=30), "18.8", "18.8"),
    ("NFT (28%) gain 20k, wages 300k", thousands(ordinary=300, long_term=20, gain_28=20), "31.8", "31.8"),
]


@pytest.mark.parametrize("term", ["short", "long"])
@pytest.mark.parametrize(("situation", "client", "short", "long"), SITUATIONS, ids=[row[0] for row in SITUATIONS])
def test_one_more_dollar_of_loss_this_year(situation, client, short, long, term):
    """Table 6.2, measured on 1,000 dollars: the advice saves so much by selling it, or says that it is worth nothing."""
    saved = Decimal(short if term == "short" else long) * 10
    lot = holding("l", 1_000, term=term, priced_at="2026-12-15T00:00:00")
    advice = advise(
        lot,
        profiles=returns(tax_year=2026, **client),
        firm=THIS_YEAR,
        as_of=_december(2026),
        expected=expectations(0, 0),
    )
    row = advice.summary.row(0, named=True)
    assert row["tax_saved_now"] == row["net_benefit"] == saved
    assert row["verdict"] == ("harvest" if saved else "worth_nothing")
    assert row["loss_harvested"] == (1_000 if saved else 0)


@pytest.mark.parametrize(
    ("client", "loss", "carried"),
    [
        (thousands(ordinary=80, short_term=-3), "short", (1_000, 0)),  # "+1 ST carry"
        (thousands(ordinary=80, short_term=-3), "long", (0, 1_000)),  # "+1 LT carry"
        (thousands(ordinary=40, long_term=20), "short", (0, 0)),  # "the loss is consumed"
        (thousands(ordinary=40, long_term=20), "long", (0, 0)),
        (thousands(ordinary=10), "short", (1_000, 0)),  # "carried in full"
        (thousands(ordinary=10), "long", (0, 1_000)),
    ],
)
def test_what_becomes_of_a_loss_that_saves_nothing_now(client, loss, carried):
    """Table 6.2: over the limit it is carried by character, in the 0 percent band it is gone."""
    worth = sell(tonight(firm=THIS_YEAR, tax_year=2026, **client), **{loss: 1_000})
    assert (worth["short_term_out_after"], worth["long_term_out_after"]) == carried


def test_with_both_kinds_of_gain_the_short_term_lot_goes_first():
    """ "A same-dollar LT loss is preferred when only ST gains remain, an ST loss when both gains exist": 22 beside 15."""
    lots = [holding("s", 1_000, term="short"), holding("l", 1_000, term="long")]
    client = returns(tax_year=2026, **thousands(ordinary=80, short_term=1, long_term=20))
    advice = advise(*lots, profiles=client, firm=THIS_YEAR, as_of=_december(2026))
    assert sum(advice.recommendations["tax_saved_now"]) == 370  # 1,000 x 22 % + 1,000 x 15 %
    assert advice.recommendations["lot_id"].to_list() == ["s", "l"]


# --- 6.5: the article --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["short", "long"])
@pytest.mark.parametrize(
    ("gain", "interest", "before", "after", "saved"),
    [
        ("short", 0, "218287.50", "213097.50", "5190"),
        ("long", 0, "216587.50", "213097.50", "3490"),
        ("short", 20_000, "226447.50", "221143.50", "5304"),
    ],
)
def test_jane_needs_only_13_000_of_her_losses_this_year(gain, interest, before, after, saved, loss):
    """Table 6.5, 2023, wages 700,000, gain 10,000, losses 287,000: for this year alone 13,000 do what all of them do."""
    profiles = returns(tax_year=2023, ordinary=700_000 + interest, nii=interest, **{f"{gain}_term": 10_000})
    lots = [holding("btc", 170_000, term=loss), holding("sol", 117_000, term=loss)]
    row = advise(*lots, profiles=profiles, firm=THIS_YEAR, as_of=_december(2023)).summary.row(0, named=True)
    assert (row["tax_before"], row["tax_after"]) == (Decimal(before), Decimal(after))
    assert row["tax_saved_now"] == row["net_benefit"] == Decimal(saved)
    assert row["loss_available"] == 287_000
    assert row["loss_harvested"] == 13_000
    assert (row["short_term_out_after"], row["long_term_out_after"]) == (0, 0)


BRIAN = [
    ({"long_term": 600_000}, {2023: "142800", 2025: "142800", 2026: "142800"}, 600_000),  # 600,000 x 23.8 %
    ({"short_term": 600_000}, {2023: "244800", 2025: "244800", 2026: "244800"}, 600_000),  # 600,000 x 40.8 %
    ({"long_term": 100_000}, {2023: "24910", 2025: "24910", 2026: "24910"}, 103_000),  # 23.8 %, then 3,000 x 37 %
    ({}, {2023: "1110", 2025: "1110", 2026: "1110"}, 3_000),  # 3,000 x 37 %
    (
        {"long_term": 600_000, "ordinary": 100_000},
        {2023: "118692.50", 2025: "116542.50", 2026: "128750"},  # 2026: with 12,830 of AMT
        600_000,
    ),
]


@pytest.mark.parametrize("year", [2023, 2025, 2026])
@pytest.mark.parametrize(("gains", "saved", "needed"), BRIAN)
def test_brian_before_new_year(gains, saved, needed, year):
    """Table 6.5, losses of 600,000, wages 700,000: the 120,000 of the article come out in no row."""
    profiles = returns(tax_year=year, **{"ordinary": 700_000} | gains)
    row = advise(holding("l", 600_000, 400_000), profiles=profiles, firm=THIS_YEAR, as_of=_december(year)).summary.row(
        0, named=True
    )
    assert row["tax_saved_now"] == row["net_benefit"] == Decimal(saved[year])
    assert row["loss_harvested"] == needed
    everything = sell(tonight(firm=THIS_YEAR, tax_year=year, **{"ordinary": 700_000} | gains), long=600_000)
    assert everything["saved"] == Decimal(saved[year])
    assert everything["long_term_out_after"] == 600_000 - needed


# --- 6.4: no value or negative value -------------------------------------------------------------------------------------

DO_NOTHING: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    # why, the client, what differs, the verdict, words of the explanation
    (
        "0 % bracket (E6.1)",
        {"ordinary": 30_000, "long_term": 20_000},
        {"expected": expectations(80_000, 0)},
        "worth_nothing",
        "0 % bracket",
    ),
    (
        "gains already offset, 3,000 used, no gains expected",
        {"ordinary": 80_000, "long_term": 20_000, "long_term_carry_in": 100_000},
        {},
        "worth_nothing",
        "losses already cover the gains",
    ),
    (
        "dies soon: the carryover dies too, and 3,000 are used",
        {"ordinary": 80_000, "short_term": -3_000},
        {"firm": settings(horizon_years=0)},
        "worth_nothing",
        "no tax",
    ),
    (
        "a higher rate later than today: 15 % now, 23.8 % in five years",
        {"ordinary": 100_000, "long_term": 20_000},
        {"expected": expectations(700_000, 0)},
        "harmful",
        "lower basis brings later",
    ),
    (
        "a gift whose basis for loss is the value when given",
        {"ordinary": 700_000, "long_term": 10_000},
        {"lot": {"basis": 60_000}},
        "harmful",
        "lower basis brings later",
    ),
    (
        "fees above the benefit",
        {"ordinary": 80_000, "long_term": 20_000},
        {"lot": {"value": 1_000_000, "price": Decimal(100_000), "basis": 1_008_000}, "firm": settings(60, 20)},
        "harmful",
        "cost of trading",
    ),
    ("no taxable income, now or later", {"ordinary": 10_000}, {}, "worth_nothing", "no tax"),
    (
        "an open straddle",
        {"ordinary": 700_000, "short_term": 10_000},
        {"lot": {"why_not": "kept_apart"}},
        "nothing_to_harvest",
        "kept_apart",
    ),
    (
        "an IRA",
        {"ordinary": 700_000, "short_term": 10_000},
        {"lot": {"why_not": "account_ira"}},
        "entity_or_excluded",
        "retirement",
    ),
    (
        "basis not known",
        {"ordinary": 700_000, "short_term": 10_000},
        {"lot": {"why_not": "basis_unknown", "basis_status": "unknown"}},
        "blocked_unknown_basis",
        "basis of others is not known",
    ),
]


@pytest.mark.parametrize(("why", "client", "more", "expected", "words"), DO_NOTHING, ids=[row[0] for row in DO_NOTHING])
def test_do_nothing_and_say_why(why, client, more, expected, words):
    """Table 6.4: a lot with a loss of 8,000, and the right advice is to leave it."""
    given = dict(more)
    lot = holding("l", 8_000, **given.pop("lot", {}))
    given.setdefault("expected", expectations(client["ordinary"], 0))
    given.setdefault("firm", settings())
    advice = advise(lot, profiles=returns(**client), **given)
    row = advice.summary.row(0, named=True)
    assert advice.recommendations.filter(pl.col("scenario") == "best").is_empty()
    assert row["verdict"] == expected
    assert row["loss_harvested"] == 0
    assert words in row["explanation"]


def test_surplus_loss_is_worth_nothing_to_pennsylvania():
    """No carryforward there (72 P.S. 7303): 10,000 against this year's gain at 3.07 % = 307, a surplus of 10,000 nothing."""
    view = tonight(ordinary=90_000, long_term=10_000).outlook
    home = np.array([BOOK.states.index("PA")])
    found = valuation.evaluate(
        valuation.outlook(view.tonight, view.later, view.settings, home),
        Sales(*(np.array(cells) * 100 for cells in ([0, 0], [0, 0], [10_000, 20_000], [0, 0], [0, 0], [0, 0], [0, 0]))),
    )
    assert found.state_saved.tolist() == [30_700, 30_700]


def test_a_loss_that_is_never_given_back_is_worth_more_than_one_that_is():
    """Held to death the basis steps up (IRC 1014): of 10,000 x 23.8 % now nothing is lost later."""
    client = returns(ordinary=700_000, long_term=10_000)
    lot = holding("l", 10_000)
    expected = expectations(700_000, 0)
    rows = {
        years: advise(lot, profiles=client, expected=expected, firm=settings(holding_years=years)).summary.row(
            0, named=True
        )
        for years in (5, 11)
    }
    assert rows[11]["net_benefit"] == rows[11]["tax_saved_now"] == 2_380
    assert rows[11]["later_tax_cost"] == 0
    assert rows[5]["later_tax_cost"] == Decimal("1956.19")  # 2,380 / 1.04^5 = 1,956.1866


# --- gains --------------------------------------------------------------------------------------------------------------


def test_gains_in_the_0_percent_bracket_are_harvested_instead():
    """2025, wages 30,000: taxable 14,250, so 34,100 of long-term gain fit under 48,350 free of tax.

    Later wages of 80,000: each dollar of basis saves 15 % in five years: 34,100 x 15 % / 1.04^5 = 4,204.16.
    """
    advice = advise(
        holding("g", -60_000, 90_000),
        profiles=returns(ordinary=30_000),
        expected=expectations(80_000, 0).with_columns(social_security=pl.lit(0), aca_credit=pl.lit(0)),
        firm=settings(),
    )
    best = advice.recommendations.filter(pl.col("scenario") == "best")
    assert best["action"].to_list() == ["sell_gain"]
    assert best["unrealized_gain"].to_list() == [pytest.approx(Decimal(34_100), abs=Decimal(1))]
    row = advice.summary.filter(pl.col("scenario") == "best").row(0, named=True)
    assert row["tax_saved_now"] == 0
    assert row["net_benefit"] == pytest.approx(Decimal("4204.16"), abs=Decimal("0.02"))


def test_no_gain_is_harvested_where_more_income_costs_benefits_or_premium_credits():
    """Social Security of 20,000: the gain makes benefits taxable, up to 0.85 x 12 % = 10.2 cents a dollar (6.4)."""
    advice = advise(
        holding("g", -60_000, 90_000),
        profiles=returns(ordinary=30_000, social_security=20_000),
        expected=expectations(30_000, 0),
        firm=settings(),
    )
    assert advice.recommendations.filter(pl.col("scenario") == "best").is_empty()


def test_room_that_expires_makes_gains_free():
    """A carryover of 100,000 of a client whose horizon ends this year: the gain of 60,000 is free, the basis is raised.

    With one later year, in which the raised basis saves 60,000 x 23.8 % where no carryover is left to meet it: but
    40,000 of it is. 60,000 of gain tonight and none next year, or the same gain next year: the same 100,000 covers both,
    less the 3,000 of a year: nothing is gained by selling early, and so nothing is advised.
    """
    advice = advise(
        holding("g", -60_000, 90_000),
        profiles=returns(ordinary=700_000, long_term_carry_in=100_000),
        expected=expectations(700_000, 0),
        firm=settings(horizon_years=1, holding_years=1),
    )
    assert advice.recommendations.filter(pl.col("scenario") == "best").is_empty()


def _december(year: int) -> dt.date:
    return dt.date(year, 12, 15)
