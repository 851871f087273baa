"""The published tables of the advice: verdicts, marginal values that sum, confidence, deadlines."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas import gate
from schemas.harvest import HarvestRecommendations, HarvestSummary
from schemas.review import ReviewItems
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import (
    accounts,
    expectations,
    facts,
    holding,
    holdings,
    members,
    returns,
    settings,
    zones,
)
from transforms.advice import Advice, recommend

AS_OF = dt.date(2025, 12, 15)
STATED = expectations(ordinary=700_000, gains=0)
RICH = {"ordinary": 700_000, "short_term": 10_000}


def advise(
    *lots: dict[str, Any], profiles: pl.DataFrame | None = None, items: tuple[dict[str, Any], ...] = (), **more: Any
) -> Advice:
    """Advice for `r` (wages 700,000, short-term gain 10,000) unless other profiles are given."""
    as_of = more.get("as_of", AS_OF)
    advice = recommend(
        holdings(*lots),
        returns(tax_year=as_of.year, **RICH) if profiles is None else profiles,
        more.get("expected", STATED),
        more.get("members", members(tax_year=as_of.year)),
        more.get("accounts", accounts()),
        more.get("facts", facts()),
        more.get("zones", zones()),
        frame(ReviewItems, *items, item_id="i", message="", suggested_action="", state="open"),
        more.get("firm", settings(60, 20)),
        as_of,
    )
    assert gate.check(advice.recommendations, HarvestRecommendations).rejected.is_empty()
    assert gate.check(advice.summary, HarvestSummary).rejected.is_empty()
    return advice


def verdict(advice: Advice) -> str:
    return str(advice.summary["verdict"].item())


def test_jane_reads_what_to_sell_and_what_it_saves():
    """Gain 10,000 short-term, wages 700,000: 5,190 less tax, of which 10,000 x 3.8 % is net investment income tax."""
    advice = advise(holding("l1", 100_000, 50_000, "short"), holding("l2", 187_000, 120_000, "short"))
    row = advice.summary.row(0, named=True)
    assert row["verdict"] == "harvest"
    assert row["tax_saved_now"] == row["tax_before"] - row["tax_after"] == 5_190
    assert row["loss_available"] == 287_000
    assert row["loss_harvested"] == 25_000  # 13,000 now and 3,000 in each of the four years before the later sale
    assert row["short_term_out_after"] == 12_000
    assert row["net_benefit"] == row["tax_saved_now"] + row["carryforward_value"] - row["later_tax_cost"] - 175
    lot = advice.recommendations.row(0, named=True)
    assert (lot["lot_id"], lot["quantity"], lot["proceeds"], lot["basis"]) == ("l1", Decimal("2.5"), 12_500, 37_500)
    assert lot["trading_cost"] == 175  # 12,500 x (2 x 0.6 % + 0.2 %)
    assert lot["niit_saved"] == 380
    assert lot["state_saved"] is None
    assert "must be filled" in row["explanation"]
    assert "$5,190.00" in row["explanation"]


def test_marginal_values_sum_to_the_summary_to_the_cent():
    lots = [holding(f"l{place}", 1_111 * place + 1, 3_333 * place, "short") for place in range(1, 7)]
    advice = advise(*lots)
    summary = advice.summary.row(0, named=True)
    assert advice.recommendations.height > 1
    assert advice.recommendations["rank"].to_list() == list(range(1, advice.recommendations.height + 1))
    for column in ("tax_saved_now", "carryforward_value", "later_tax_cost", "trading_cost", "net_benefit"):
        assert advice.recommendations[column].sum() == summary[column]
    terms = advice.recommendations.select(
        pl.col("regular_saved") + pl.col("amt_saved") + pl.col("niit_saved") == pl.col("tax_saved_now"),
        net=pl.col("tax_saved_now") + pl.col("carryforward_value") - pl.col("later_tax_cost") - pl.col("trading_cost")
        == pl.col("net_benefit"),
    )
    assert terms.to_numpy().all()
    assert -advice.recommendations["unrealized_gain"].sum() == pytest.approx(summary["loss_harvested"])


def test_0_percent_bracket_is_told_to_do_nothing_and_why():
    """2025, wages 30,000, gain 20,000: harvesting 8,000 saves nothing and costs 986.31 of later tax and 140 to trade."""
    profiles = returns(ordinary=30_000, long_term=20_000)
    advice = advise(holding("l", 8_000), profiles=profiles, expected=expectations(ordinary=80_000, gains=0))
    row = advice.summary.row(0, named=True)
    assert row["verdict"] == "worth_nothing"
    assert row["net_benefit"] == row["tax_saved_now"] == row["loss_harvested"] == 0
    assert row["tax_before"] == row["tax_after"]
    assert "0 % bracket" in row["explanation"]
    assert "-$1,126.31 in all" in row["explanation"]
    assert advice.recommendations.is_empty()


def test_old_losses_that_outlast_the_horizon_make_new_ones_worth_nothing():
    profiles = returns(ordinary=80_000, short_term_carry_in=100_000)
    assert verdict(advise(holding("l", 8_000), profiles=profiles)) == "worth_nothing"


def test_higher_rates_later_are_harmful():
    profiles = returns(ordinary=100_000, long_term=20_000)
    assert verdict(advise(holding("l", 20_000), profiles=profiles)) == "harmful"


def test_gift_whose_lower_basis_is_given_up_is_harmful():
    """Donor's basis 60,000, worth 10,100 when given, 10,000 now: a loss of 100 for 50,000 of basis (IRC 1015(a)).

    100 x 40.8 % now against 50,000 x 23.8 % later; a lot bought for 10,100 is worth selling when trading is free.
    """
    assert verdict(advise(holding("l", 100, basis=60_000), firm=settings())) == "harmful"
    assert verdict(advise(holding("l", 100), firm=settings())) == "harvest"


@pytest.mark.parametrize(
    ("lots", "expected"),
    [
        ([], "nothing_to_harvest"),
        ([holding("l", -5_000)], "nothing_to_harvest"),
        ([holding("l", 5_000, why_not="price_stale")], "nothing_to_harvest"),
        ([holding("l", 5_000, why_not="entity"), holding("m", 1, why_not="account_ira")], "entity_or_excluded"),
        ([holding("l", 5_000, why_not="basis_unallocated")], "blocked_unknown_basis"),
        ([holding("l", 5_000, 10_000, basis=2 * 10**10)], "out_of_range"),
    ],
)
def test_verdicts_without_a_choice(lots, expected):
    assert verdict(advise(*lots)) == expected


def test_missing_profile_and_missing_law_give_no_advice():
    nobody = returns().clear()
    advice = advise(holding("l", 5_000), profiles=nobody)
    assert verdict(advice) == "no_profile"
    assert advice.summary["tax_before"].item() is None
    assert verdict(advise(holding("l", 5_000), as_of=dt.date(2099, 12, 15))) == "law_year_missing"


def test_one_return_out_of_range_does_not_stop_the_others():
    profiles = pl.concat([returns(**RICH), returns("s", **RICH)])
    lots = [holding("l", 5_000), holding("m", 5_000, basis=2 * 10**10, return_id="s", taxpayer_id="s")]
    people = members(("r", "r", "primary"), ("s", "s", "primary"))
    advice = advise(*lots, profiles=profiles, members=people, zones=zones(*(
        (name, dt.date(1, 1, 1), "America/New_York") for name in "rs"
    )))  # fmt: skip
    assert advice.summary["verdict"].to_list() == ["harvest", "out_of_range"]


@pytest.mark.parametrize("amount", [10**12, -(10**12)])
def test_absurd_profiles_and_expectations_are_for_a_person(amount):
    profiles = returns(**RICH | {"ordinary": amount})
    assert verdict(advise(holding("l", 5_000), profiles=profiles)) == "out_of_range"
    assert verdict(advise(holding("l", 5_000), expected=expectations(amount, 0))) == "out_of_range"
    assert verdict(advise(holding("l", 5_000), expected=expectations(0, amount))) == "out_of_range"


def test_billions_stay_exact():
    """Nine lots of 900 million of loss each, no gains: only the 3,000 is worth anything now, 3,000 x 37 % = 1,110."""
    lots = [holding(f"l{place}", 900_000_000, 90_000_000) for place in range(9)]
    row = advise(*lots, profiles=returns(ordinary=700_000)).summary.row(0, named=True)
    assert row["loss_available"] == 8_100_000_000
    assert row["tax_saved_now"] == 1_110


def test_spouses_share_one_plan_and_the_primarys_clock():
    """A joint return nets both spouses' lots under one limit; the deadline goes by the first spouse's zone."""
    people = members(("r", "a", "primary"), ("r", "b", "spouse"))
    where = zones(("a", dt.date(1, 1, 1), "America/New_York"), ("a", dt.date(2025, 6, 1), "America/Los_Angeles"),
                  ("b", dt.date(1, 1, 1), "Asia/Tokyo"))  # fmt: skip
    lots = [holding("l", 5_000, taxpayer_id="a"), holding("m", 5_000, taxpayer_id="b")]
    advice = advise(*lots, profiles=returns(status="mfj", **RICH), members=people, zones=where)
    assert set(advice.recommendations["taxpayer_id"]) == {"a", "b"}
    assert advice.summary["deadline"].item() == dt.datetime(2026, 1, 1, 7, 59, 59, 999999, dt.UTC)


ITEM = {"taxpayer_id": "r", "question": "shortfall", "severity": "blocking"}


@pytest.mark.parametrize(
    ("more", "confidence"),
    [
        ({}, "high"),
        ({"expected": expectations()}, "medium"),
        ({"expected": expectations(ordinary=700_000)}, "medium"),
        ({"firm": settings(60, 20, assumed=("discount_rate",))}, "medium"),
        ({"firm": settings(60, 20, assumed=("min_rebuy_hours",))}, "high"),
        ({"items": (ITEM,)}, "low"),
        ({"items": (ITEM | {"taxpayer_id": "other"},)}, "high"),
        ({"items": (ITEM | {"state": "resolved"},)}, "high"),
        ({"items": (ITEM | {"severity": "warning"},)}, "high"),
        ({"items": (ITEM | {"question": "unmatched_deposit", "severity": "warning", "asset": "BTC"},)}, "low"),
        ({"items": (ITEM | {"question": "unmatched_deposit", "severity": "warning", "asset": "ETH"},)}, "high"),
    ],
)
def test_confidence(more, confidence):
    assert advise(holding("l", 5_000), **more).recommendations["confidence"].to_list() == [confidence]


def test_confidence_falls_with_an_old_price_and_with_doubtful_lots_of_the_same_asset():
    old = holding("l", 5_000, priced_at="2025-12-13T00:00:00")
    assert advise(old).recommendations["confidence"].to_list() == ["medium"]
    doubtful = holding("m", 5_000, basis_status="unknown", why_not="basis_unknown")
    assert advise(holding("l", 5_000), doubtful).recommendations["confidence"].to_list() == ["low"]
    elsewhere = doubtful | {"asset": "ETH"}
    assert advise(holding("l", 5_000), elsewhere).recommendations["confidence"].to_list() == ["high"]


def test_recommendation_id_stays_over_nights_and_changes_with_the_year():
    lot = holding("l", 5_000, priced_at="2025-12-14T00:00:00")
    ids = {
        day: advise(lot, as_of=day).recommendations["recommendation_id"].item()
        for day in (dt.date(2025, 12, 14), dt.date(2025, 12, 15), dt.date(2026, 1, 2))
    }
    assert ids[dt.date(2025, 12, 14)] == ids[dt.date(2025, 12, 15)] != ids[dt.date(2026, 1, 2)]


def test_hostile_names_do_not_reach_a_text():
    bad = "=HYPERLINK(1)<script>"
    advice = advise(holding("l", 5_000, asset=bad, account_id="a"))
    texts = advice.recommendations.select("lot_identification", "record_before", "rebuy_not_before", "reason").row(0)
    assert advice.recommendations["asset"].item() == bad  # data stays data
    assert not any("HYPERLINK" in text for text in (*texts, advice.summary["explanation"].item()))


def test_explanation_counts_what_is_held_back():
    held = [
        holding(f"h{place}", 1, why_not=why) for place, why in enumerate(["price_stale", "kept_apart", "price_stale"])
    ]
    explanation = advise(holding("l", 5_000), *held).summary["explanation"].item()
    assert explanation.endswith("Not up for sale: kept_apart (1), price_stale (2).")
