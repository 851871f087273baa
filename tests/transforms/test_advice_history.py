"""The record of the advice: what a night writes down, and what the nights before it say."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas import gate
from schemas.advice_loop import AdviceHistory, AdviceMade
from schemas.harvest import HarvestRecommendations, HarvestSummary
from schemas.inputs import PlatformCost
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import holding, holdings, returns, settings
from transforms import advice_history

FIRST, SECOND, THIRD = dt.date(2025, 12, 1), dt.date(2025, 12, 2), dt.date(2025, 12, 3)


def advice(lot_id: str, quantity: int = 10, net_benefit: int = 500, **more: Any) -> dict[str, Any]:
    cells = {"recommendation_id": f"rec-{lot_id}", "scenario": "best", "return_id": "r", "taxpayer_id": "r"}
    cells |= {"account_id": "a", "asset": "BTC", "lot_id": lot_id, "action": "sell", "rank": 1, "quantity": quantity}
    return cells | {"proceeds": 1_000, "unrealized_gain": -5_000, "net_benefit": net_benefit} | more


def whole(
    as_of: dt.date,
    *advised: dict[str, Any],
    lots: pl.DataFrame | None = None,
    law: str = "law-1",
    firm: Any = None,
    **profile: int,
) -> pl.DataFrame:
    """What stands on a night: these recommendations, lots l1 and l2 at a loss unless others are given."""
    given = holdings(holding("l1", 5_000), holding("l2", 3_000)) if lots is None else lots
    summary = frame(HarvestSummary, {"return_id": "r", "scenario": "best", "verdict": "harvest", "net_benefit": 500})
    told = frame(HarvestRecommendations, *advised)
    inputs = returns(tax_year=as_of.year, **({"ordinary": 700_000} | profile))
    return advice_history.tonight(told, summary, given, inputs, firm or settings(), law, "1.0", as_of)


def nights(*given: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    """The records of nights, each made beside what the ones before it left: (what stands, holdings)."""
    records = gate.empty(AdviceHistory)
    for now, held in given:
        before = advice_history.past(records).before
        record = advice_history.changed(now, before, held)
        assert gate.check(record, AdviceHistory).rejected.is_empty()
        records = pl.concat([records, record])
    return records


TWO = holdings(holding("l1", 5_000), holding("l2", 3_000))


def test_a_night_tells_what_was_advised_and_on_what():
    now = whole(FIRST, advice("l1"), short_term=10_000)
    assert gate.check(now, AdviceHistory).rejected.is_empty()
    assert now["kind"].value_counts().sort("kind").rows() == [("lot", 2), ("night", 1), ("price", 1), ("return", 1)]
    lot = now.filter(kind="lot", lot_id="l1").row(0, named=True)
    assert (lot["advised"], lot["held"], lot["basis"], lot["net_benefit"]) == (10, 10, 15_000, 500)
    assert now.filter(kind="lot", lot_id="l2")["advised"].item() is None
    assert now.filter(kind="price")["price"].item() == 1_000
    assert now.filter(kind="return")["realized_short"].item() == 10_000
    assert now.filter(kind="night")["law_version"].item() == "law-1"


def test_what_may_not_be_sold_or_stands_at_a_gain_is_no_candidate():
    lots = holdings(holding("gain", -5), holding("blocked", 5_000, why_not="basis_unknown"), holding("loss", 1))
    assert whole(FIRST, lots=lots).filter(kind="lot")["lot_id"].to_list() == ["loss"]


def test_the_second_record_holds_what_changed_and_no_more():
    """Nothing changed: the night's own row. The advice on l1 went up by a dollar: that lot."""
    one, same = whole(FIRST, advice("l1")), whole(SECOND, advice("l1"))
    record = advice_history.changed(same, advice_history.past(one).before, TWO)
    assert record.select("kind", "as_of").rows() == [("night", SECOND)]
    other = whole(SECOND, advice("l1", net_benefit=501))
    record = advice_history.changed(other, advice_history.past(one).before, TWO)
    assert record.filter(pl.col("kind") != "night").select("lot_id", "net_benefit").rows() == [("l1", 501)]


def test_the_state_is_the_same_whether_kept_whole_or_by_what_changed():
    steps = [
        (whole(FIRST, advice("l1")), TWO),
        (whole(SECOND, advice("l1", 4), advice("l2")), TWO),
        (whole(THIRD, advice("l2"), lots=TWO.filter(lot_id="l2")), TWO.filter(lot_id="l2")),
    ]
    for count in (1, 2, 3):
        state = advice_history.past(nights(*steps[:count])).before
        assert state.drop("as_of").equals(steps[count - 1][0].drop("as_of"), null_equal=True)


def test_the_first_record_of_a_month_is_whole():
    one, next_month = whole(dt.date(2025, 11, 30), advice("l1")), whole(FIRST, advice("l1"))
    record = advice_history.changed(next_month, advice_history.past(one).before, TWO)
    assert record.equals(next_month, null_equal=True)


def test_a_night_that_cannot_be_read_is_told_by_the_next():
    """Without the second record the third one holds what both changed."""
    one = whole(FIRST, advice("l1"))
    three = whole(THIRD, advice("l1", 4))
    record = advice_history.changed(three, advice_history.past(one).before, TWO)
    assert record.filter(kind="lot").select("lot_id", "advised").rows() == [("l1", 4)]


def made(records: pl.DataFrame) -> dict[str, Any]:
    found = advice_history.past(records).made
    assert gate.check(found, AdviceMade).rejected.is_empty()
    return {row["recommendation_id"]: row for row in found.to_dicts()}


def test_first_and_last_advice_are_told():
    found = made(
        nights(
            (whole(FIRST, advice("l1", 10, 500)), TWO),
            (whole(SECOND, advice("l1", 6, 300)), TWO),
            (whole(THIRD, advice("l1", 6, 300)), TWO),  # nothing new: no row, and yet the last night that said it
        )
    )["rec-l1"]
    assert (found["first_advised"], found["first_quantity"], found["first_net_benefit"]) == (FIRST, 10, 500)
    assert (found["last_advised"], found["last_quantity"], found["last_net_benefit"]) == (THIRD, 6, 300)
    assert found["last_held"] == 10
    assert not found["withdrawn"]


@pytest.mark.parametrize(
    ("lots", "withdrawn"),
    [
        (TWO, True),  # a candidate still, not advised
        (holdings(holding("l1", -1), holding("l2", 3_000)), True),  # at a gain now
        (holdings(holding("l1", 5_000, account_id="b"), holding("l2", 3_000)), True),  # moved to another account
        (holdings(holding("l2", 3_000)), False),  # gone
    ],
)
def test_advice_taken_back_is_not_a_lot_that_is_gone(lots, withdrawn):
    steps = [(whole(FIRST, advice("l1")), TWO), (whole(SECOND, advice("l1")), TWO), (whole(THIRD, lots=lots), lots)]
    found = made(nights(*steps))["rec-l1"]
    assert found["withdrawn"] == withdrawn
    assert found["last_advised"] == SECOND
    assert found["last_quantity"] == 10


def test_a_lot_that_goes_after_its_advice_was_taken_back_is_withdrawn():
    gone = holdings(holding("l2", 3_000))
    steps = [(whole(FIRST, advice("l1")), TWO), (whole(SECOND), TWO), (whole(THIRD, lots=gone), gone)]
    found = made(nights(*steps))["rec-l1"]
    assert (found["withdrawn"], found["last_advised"]) == (True, FIRST)


def test_thinned_months_tell_the_same_of_every_recommendation():
    """Random nights over four months: lots come, go, are advised and taken back; thinned month by month or not."""
    for seed in range(40):
        chance = random.Random(seed)
        steps = []
        for day in range(0, 110, 5):
            there = [name for name in ("l1", "l2", "l3") if chance.random() < 0.8]
            lots = holdings(*(holding(name, 5_000) for name in there))
            told = [advice(name, net_benefit=chance.randint(1, 3)) for name in there if chance.random() < 0.6]
            steps.append((whole(dt.date(2025, 5, 1) + dt.timedelta(days=day), *told, lots=lots), lots))
        records = nights(*steps)
        months = [
            records.filter(pl.col("as_of").dt.month() == month)
            for month in sorted(records["as_of"].dt.month().unique())
        ]
        older = pl.concat([advice_history.thinned(part) for part in months[:-2]])
        recent = pl.concat(months[-2:])
        assert older.height < sum(part.height for part in months[:-2])
        whole_past, thin_past = advice_history.past(records), advice_history.past(recent, older)
        assert thin_past.made.equals(whole_past.made), f"seed {seed}"
        assert thin_past.before.drop("as_of").equals(whole_past.before.drop("as_of"), null_equal=True), f"seed {seed}"


def test_a_new_year_leaves_the_old_one_as_it_stood():
    january = dt.date(2026, 1, 1)
    records = nights((whole(FIRST, advice("l1")), TWO), (whole(january, advice("l2")), TWO))
    found = made(records)
    assert not found["rec-l1"]["withdrawn"]
    assert found["rec-l1"]["last_advised"] == FIRST
    assert found["rec-l2"]["tax_year"] == 2026


def test_the_digests_move_with_what_they_stand_for_and_with_nothing_else():
    def income(**profile: int) -> str:
        return str(whole(FIRST, **profile).filter(kind="return")["income"].item())

    assert income() == income(short_term=10_000, short_term_carry_in=5_000)
    assert len({income(), income(ordinary=1), income(qualified_dividends=1), income(adjustments=1)}) == 4
    same, other = settings(alerts={"to": "x"}), settings(discount_rate=Decimal("0.05"))
    dearer = settings(platforms={"default": PlatformCost(Decimal(1), Decimal(0))})
    digests = [advice_history.assumptions(firm) for firm in (settings(), same, other, dearer)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_no_record_is_no_past():
    past = advice_history.past(gate.empty(AdviceHistory))
    assert past.before.is_empty()
    assert past.made.is_empty()
