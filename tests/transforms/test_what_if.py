"""What if: the curve against hand-computed tax, the cost of waiting against the plan at the moved price."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas import gate
from schemas.advice_loop import HarvestCurve, PriceMoves
from schemas.tax import OpenLots
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import accounts, expectations, facts, holding, holdings, returns, settings
from transforms import what_if

AS_OF = dt.date(2025, 12, 15)
RICH = {"ordinary": 700_000, "short_term": 10_000}


def engine(given: pl.DataFrame | None = None, **more: Any) -> what_if.Engine:
    """Jane: wages 700,000, a short-term gain of 10,000; trading is free."""
    return what_if.Engine(
        returns(**RICH) if given is None else given,
        more.get("expected", expectations(ordinary=700_000, gains=0)),
        accounts(),
        more.get("facts", facts()),
        more.get("firm", settings()),
        AS_OF.year,
    )


def curve(*lots: dict[str, Any], by: what_if.Engine | None = None) -> pl.DataFrame:
    found = what_if.curve(holdings(*lots), by or engine(), AS_OF)
    assert gate.check(found, HarvestCurve).rejected.is_empty()
    return found


def saved(points: pl.DataFrame) -> dict[Decimal, Decimal]:
    return dict(points.select("loss_harvested", "tax_saved_now").rows())


def test_the_curve_is_the_tax_saved_by_amount():
    """40.8 % to 10,000 (line 16 is zero), 37 % to 13,000 (the limit), then nothing more this year."""
    found = saved(curve(holding("l1", 20_000, 50_000, "short")))
    assert found[Decimal(0)] == 0
    assert found[Decimal(5_000)] == 2_040
    assert found[Decimal(10_000)] == 4_080
    assert found[Decimal(12_000)] == 4_080 + 740
    assert found[Decimal(13_000)] == found[Decimal(20_000)] == 5_190


def test_a_bend_between_two_steps_is_found():
    """Of 40,000 a step is 2,000: the bend at 13,000 lies inside one, and is halved into view within 2,000 / 2^5 of it."""
    points = curve(holding("l1", 40_000, 50_000, "short"))
    near = points.filter((pl.col("loss_harvested") - 13_000).abs() <= Decimal(2_000) / 2)
    assert (near["point"] == "kink").any()
    first = points.filter(pl.col("tax_saved_now") == 5_190)["loss_harvested"].min()
    assert 0 <= first - 13_000 <= Decimal(2_000) / 2


def test_straight_lines_get_no_more_points():
    """Losses that a gain of 100,000 takes at one rate, and no later sale: the even steps and the lot's end."""
    by = engine(returns(ordinary=700_000, short_term=100_000), firm=settings(holding_years=11))
    assert set(curve(holding("l1", 20_000, 50_000, "short"), by=by)["point"]) == {"even", "plan"}


def test_the_plan_is_on_the_curve_at_its_own_worth():
    lots = [holding("l1", 100_000, 50_000, "short"), holding("l2", 187_000, 120_000, "short")]
    point = curve(*lots).filter(point="plan")
    by = engine()
    last = by.plan(holdings(*lots), by.tonight()).row(-1, named=True)
    assert point["net_benefit"].item() * 100 == last["net_benefit"]
    assert point["loss_harvested"].item() * 10**6 == last["short"] + last["long"]


def test_the_end_of_the_curve_is_everything():
    lots = [holding("l1", 7_001, 50_000, "short"), holding("l2", 5_003, 120_000), holding("l3", 311, 999)]
    by = engine()
    whole = by.worth(by.lots(holdings(*lots), by.tonight()), by.tonight()).row(-1, named=True)
    end = curve(*lots).row(-1, named=True)
    assert end["loss_harvested"] == 12_315
    assert end["net_benefit"] * 100 == whole["net_benefit"]


def test_a_lot_that_cannot_be_cut_has_points_at_its_ends_only():
    nft = holding("nft", 8_000, 2_000, "short", asset="PUNK")
    by = engine(facts=facts(("PUNK", "nft", False, True)))
    assert curve(nft, by=by)["loss_harvested"].to_list() == [0, 8_000]


def test_no_loss_is_no_curve():
    assert curve(holding("l1", -500)).is_empty()
    assert curve(holding("l1", 500, why_not="price_stale")).is_empty()


# --- waiting ---------------------------------------------------------------------------------------------------------


def held(lot_id: str = "l1", basis: int = 15_000, **more: Any) -> dict[str, Any]:
    cells = {"taxpayer_id": "r", "account_id": "a", "location": "account", "asset": "BTC", "lot_id": lot_id}
    cells |= {"quantity": 10, "basis": basis, "loss_basis": basis}
    return cells | {"long_term_from": "2025-01-02", "loss_long_term_from": "2025-01-02"} | more


def waiting(lot: dict[str, Any], stock: dict[str, Any], by: what_if.Engine | None = None) -> dict[int, dict[str, Any]]:
    found = what_if.price_moves(holdings(lot), frame(OpenLots, stock), by or engine(), AS_OF)
    assert gate.check(found, PriceMoves).rejected.is_empty()
    return {row["move_percent"]: row for row in found.to_dicts()}


FOREVER = settings(holding_years=11)
"""Units bought back are never sold, so that a loss is worth what it saves."""


def test_waiting_at_the_same_price_costs_nothing_where_no_term_turns():
    row = waiting(holding("l1", 5_000), held(), engine(firm=FOREVER))[0]
    assert row["cost_of_waiting"] == 0
    assert row["net_benefit"] == row["net_benefit_tonight"] == 5_000 * Decimal("0.408")


def test_a_price_that_rises_takes_the_loss_and_one_that_falls_adds_to_it():
    """Worth 10,000 for a basis of 15,000. +10 %: 4,000 of loss at 40.8 %; -10 %: 6,000."""
    rows = waiting(holding("l1", 5_000), held(), engine(firm=FOREVER))
    assert {move: row["loss_available"] for move, row in rows.items()} == {
        -30: 8_000, -20: 7_000, -10: 6_000, 0: 5_000, 10: 4_000, 20: 3_000, 30: 2_000,
    }  # fmt: skip
    assert rows[10]["net_benefit"] == rows[10]["tax_saved_now"] == 1_632
    assert rows[10]["cost_of_waiting"] == 2_040 - 1_632
    assert rows[-10]["cost_of_waiting"] == 2_040 - 2_448
    assert rows[0]["year_end"] == dt.date(2025, 12, 31)


def test_a_gain_tonight_that_a_fall_makes_a_loss_is_told():
    """Basis 9,500 at 10,000 tonight: at -10 % a loss of 500."""
    rows = waiting(holding("l1", -500, basis=9_500), held(basis=9_500), engine(firm=FOREVER))
    assert (rows[0]["loss_available"], rows[-10]["loss_available"]) == (0, 500)
    assert rows[-10]["cost_of_waiting"] == -204
    assert rows[30]["net_benefit"] == 0


@pytest.mark.parametrize(("since", "turned"), [("2025-12-31", 1), ("2026-01-01", 0)])
def test_a_lot_that_is_long_by_the_last_day_is_long(since, turned):
    stock = held(long_term_from=since, loss_long_term_from=since)
    assert waiting(holding("l1", 5_000, term="short"), stock)[0]["turned_long"] == turned


def test_a_term_that_turns_costs_what_the_law_says():
    """A short and a long gain of 5,000 each and 5,000 of loss: short it saves 40.8 %, long 23.8 % (IRC 1222, 1(h))."""
    by = engine(returns(ordinary=700_000, short_term=5_000, long_term=5_000), firm=FOREVER)
    stock = held(long_term_from="2025-12-20", loss_long_term_from="2025-12-20")
    row = waiting(holding("l1", 5_000, term="short"), stock, by)[0]
    assert (row["net_benefit_tonight"], row["net_benefit"], row["cost_of_waiting"]) == (2_040, 1_190, 850)


def test_a_gift_s_basis_for_loss_counts_once_the_price_falls():
    """Donor's basis 12,000, worth 9,800 when given (IRC 1015(a)): at 10,000 neither gain nor loss, at 9,000 800 of loss."""
    gift = held(basis=12_000, loss_basis=9_800)
    rows = waiting(holding("l1", 0, basis=12_000), gift, engine(firm=FOREVER))
    assert (rows[0]["loss_available"], rows[-10]["loss_available"], rows[30]["loss_available"]) == (0, 800, 0)


def test_what_may_not_be_sold_tonight_is_not_sold_then():
    assert waiting(holding("l1", 5_000, why_not="account_ira"), held()) == {}


def test_a_return_that_is_not_advised_has_no_row():
    assert waiting(holding("l1", 5_000, return_id="other"), held()) == {}
