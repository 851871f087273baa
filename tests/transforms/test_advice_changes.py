"""Why tonight's advice differs from the last night's: one hand-made pair of nights a cause."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas import gate
from schemas.advice_loop import CAUSES, AdviceChanges, AdviceHistory
from schemas.harvest import Holdings, Instructions
from schemas.tax import Form8949
from tests.transforms.frames import frame
from transforms.advice_changes import changes

BEFORE, AS_OF = dt.date(2025, 12, 1), dt.date(2025, 12, 2)


def lot(lot_id: str = "l1", advised: int | None = 10, net: int | None = 500, **more: Any) -> dict[str, Any]:
    """Ten units bought for 15,000, advised whole."""
    cells = {"kind": "lot", "return_id": "r", "taxpayer_id": "r", "account_id": "a", "asset": "BTC", "lot_id": lot_id}
    cells |= {"held": 10, "basis": 15_000, "term": "short", "advised": advised, "net_benefit": net}
    return cells | more


def night(
    as_of: dt.date,
    *lots: dict[str, Any],
    price: int | None = 1_000,
    law: str = "law",
    code: str = "1.0",
    firm: str = "firm",
    income: str = "income",
    realized: int = 0,
) -> pl.DataFrame:
    prices = [{"kind": "price", "asset": "BTC", "price": price}] if price is not None else []
    rows = [
        {"kind": "night", "law_version": law, "code_version": code, "assumptions": firm},
        {"kind": "return", "return_id": "r", "income": income, "realized_short": realized, "realized_long": 0},
        *prices,
        *lots,
    ]
    return frame(AdviceHistory, *rows, as_of=as_of, tax_year=as_of.year, stands=True)


def held(lot_id: str = "l1", quantity: int = 10, **more: Any) -> dict[str, Any]:
    cells = {"return_id": "r", "account_id": "a", "asset": "BTC", "lot_id": lot_id, "quantity": quantity}
    return cells | {"basis": 15_000, "price": 1_000} | more


def sale(lot_id: str = "l1") -> dict[str, Any]:
    return {"account_id": "a", "lot_id": lot_id, "tax_year": 2025}


def told(
    before: pl.DataFrame,
    now: pl.DataFrame,
    *holdings: dict[str, Any],
    sold: tuple[dict[str, Any], ...] = (),
    executed: tuple[dict[str, Any], ...] = (),
) -> dict[str, dict[str, Any]]:
    done = frame(Instructions, *({**row, "executed_quantity": 10} for row in executed))
    found = changes(before, now, frame(Holdings, *holdings), frame(Form8949, *sold), done)
    assert gate.check(found, AdviceChanges).rejected.is_empty()
    return {row["lot_id"]: row for row in found.to_dicts()}


ONE = night(BEFORE, lot())


def test_the_same_advice_is_no_row():
    assert told(ONE, night(AS_OF, lot(), price=900, law="other"), held()) == {}


def test_the_first_night_has_nothing_to_compare():
    assert told(gate.empty(AdviceHistory), night(AS_OF, lot()), held()) == {}


@pytest.mark.parametrize(
    ("cause", "now", "of_lot"),
    [
        ("price", {"price": 900}, {}),
        ("law", {"law": "law-2"}, {}),
        ("program", {"code": "1.1"}, {}),
        ("assumptions", {"firm": "other"}, {}),
        ("income", {"income": "other"}, {}),
        ("realized", {"realized": -3_000}, {}),
        ("long_term", {}, {"term": "long"}),
        ("new_data", {}, {"basis": 14_000}),
        ("new_data", {}, {"held": 12}),
        ("calendar", {}, {}),
    ],
)
def test_each_cause_by_itself(cause, now, of_lot):
    tonight = night(AS_OF, lot(net=620, **of_lot), **now)
    row = told(ONE, tonight, held(quantity=of_lot.get("held", 10), basis=of_lot.get("basis", 15_000)))["l1"]
    assert (row["cause"], row["causes"]) == (cause, cause)
    assert (row["net_benefit_before"], row["net_benefit"], row["change"]) == (500, 620, 120)
    assert (row["before_as_of"], row["as_of"]) == (BEFORE, AS_OF)


def test_a_sale_by_instruction_is_executed_and_what_it_moves_is_told_too():
    """All ten sold: the lot is gone, the 500 too, and the return's gains moved."""
    row = told(ONE, night(AS_OF, realized=-5_000), sold=(sale(),), executed=({"account_id": "a", "lot_id": "l1"},))[
        "l1"
    ]
    assert (row["cause"], row["causes"]) == ("executed", "executed, realized")
    assert (row["quantity_before"], row["quantity"], row["change"]) == (10, 0, -500)


def test_a_sale_without_an_instruction_is_sold():
    four = night(AS_OF, lot(advised=6, net=300, held=6, basis=9_000))
    row = told(ONE, four, held(quantity=6, basis=9_000), sold=(sale(),))["l1"]
    assert (row["cause"], row["quantity"]) == ("sold", 6)


def test_an_earlier_sale_of_the_lot_is_no_cause_where_as_much_is_held():
    assert told(ONE, night(AS_OF, lot(net=620)), held(), sold=(sale(),))["l1"]["cause"] == "calendar"


def test_units_that_went_without_a_sale_are_new_data():
    assert told(ONE, night(AS_OF))["l1"]["cause"] == "new_data"


def test_a_lot_that_a_price_brought_under_water_is_priced():
    """At 2,000 its ten were worth 20,000 for a basis of 15,000: no loss; at 1,000 one."""
    row = told(night(BEFORE, price=2_000), night(AS_OF, lot()), held())["l1"]
    assert (row["cause"], row["causes"], row["price_before"], row["price"]) == ("price", "price", 2_000, 1_000)


def test_a_lot_that_a_price_lifted_to_a_gain_is_priced():
    row = told(ONE, night(AS_OF, price=2_000), held(price=2_000))["l1"]
    assert (row["causes"], row["quantity"], row["net_benefit"]) == ("price", 0, 0)


@pytest.mark.parametrize("before", [night(BEFORE), night(BEFORE, price=None)])
def test_a_lot_at_a_loss_that_was_not_known_or_barred_is_new_data(before):
    """Its basis was unknown, its file not handed in, or its coin had no price."""
    assert told(before, night(AS_OF, lot()), held())["l1"]["causes"] == "new_data"


def test_a_lot_that_is_barred_tonight_is_new_data():
    assert told(ONE, night(AS_OF), held(why_not="basis_unknown"))["l1"]["causes"] == "new_data"


def test_a_lot_moved_by_another_one_of_its_return():
    """l2's basis was corrected: l1's marginal value moves with it."""
    before = night(BEFORE, lot("l1"), lot("l2"))
    now = night(AS_OF, lot("l1", net=480), lot("l2", net=520, basis=16_000))
    rows = told(before, now, held("l1"), held("l2", basis=16_000))
    assert {key: row["causes"] for key, row in rows.items()} == {"l1": "other_lots", "l2": "new_data"}
    assert sum(row["change"] for row in rows.values()) == 0


def test_another_return_s_lots_move_nothing():
    stranger = lot("l2") | {"return_id": "s", "account_id": "b"}
    now = night(AS_OF, lot("l1", net=480), stranger | {"basis": 16_000})
    rows = told(night(BEFORE, lot("l1"), stranger), now, held("l1"))
    assert rows["l1"]["cause"] == "calendar"


def test_over_new_year_the_law_s_year_is_another():
    assert told(ONE, night(dt.date(2026, 1, 1), lot(net=620)), held())["l1"]["cause"] == "law"


def test_several_causes_are_told_in_their_order():
    row = told(ONE, night(AS_OF, lot(net=620, term="long"), price=900, income="other"), held())["l1"]
    assert (row["cause"], row["causes"]) == ("income", "income, long_term, price")
    assert list(CAUSES).index("income") < list(CAUSES).index("long_term") < list(CAUSES).index("price")


def test_a_quantity_that_changes_at_the_same_value_is_told():
    row = told(ONE, night(AS_OF, lot(advised=9), price=900), held())["l1"]
    assert (row["quantity_before"], row["quantity"], row["change"]) == (Decimal(10), Decimal(9), 0)
