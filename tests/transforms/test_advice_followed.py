"""What became of earlier advice: taken up, missed, neither; what it saved by the law's arithmetic; what is to be recorded."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas import gate
from schemas.advice_loop import AdviceFollowed, AdviceMade, InstructionsToRecord
from schemas.harvest import HarvestRecommendations, Instructions
from schemas.inputs import InstructionsGiven
from schemas.ledger import InstructionMatches
from schemas.tax import Form8949, Pieces
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import holding, holdings, returns
from transforms.advice_followed import followed, open_units, to_record, with_covered

AS_OF = dt.date(2025, 12, 20)


def made(lot_id: str = "l1", quantity: int = 10, **more: Any) -> dict[str, Any]:
    """Advised from 1 to 10 December 2025 on the whole of a lot of ten, worth 500."""
    cells = {"recommendation_id": f"rec-{lot_id}", "tax_year": 2025, "return_id": "r", "taxpayer_id": "r"}
    cells |= {"account_id": "a", "asset": "BTC", "lot_id": lot_id, "action": "sell", "withdrawn": False}
    cells |= {"first_advised": dt.date(2025, 12, 1), "first_quantity": quantity, "first_net_benefit": 500}
    return cells | {
        "last_advised": dt.date(2025, 12, 10), "last_quantity": quantity, "last_net_benefit": 500, "last_held": 10,
    } | more  # fmt: skip


def line(lot_id: str = "l1", quantity: int = 10, gain: int = -5_000, **more: Any) -> dict[str, Any]:
    cells = {"return_id": "r", "taxpayer_id": "r", "tax_year": 2025, "part": "I", "box": "I", "account_id": "a"}
    cells |= {"asset": "BTC", "lot_id": lot_id, "quantity": quantity, "gain": gain, "date_sold": dt.date(2025, 12, 12)}
    return cells | {"disposal_id": f"sale-{lot_id}"} | more


def given(lot_id: str = "l1", quantity: int = 10, **more: Any) -> dict[str, Any]:
    cells = {"instruction_id": f"ins-{lot_id}", "recommendation_id": f"rec-{lot_id}", "account_id": "a", "asset": "BTC"}
    cells |= {"lot_id": lot_id, "quantity": quantity, "recorded_at": "2025-12-11T15:00:00", "status": "open"}
    return cells | more


def outcome(
    *advice: dict[str, Any],
    lines: tuple[dict[str, Any], ...] = (),
    recorded: tuple[dict[str, Any], ...] = (),
    done: tuple[dict[str, Any], ...] = (),
    kinds: dict[str, str] | None = None,
    held: pl.DataFrame | None = None,
    as_of: dt.date = AS_OF,
    **profile: int,
) -> dict[str, dict[str, Any]]:
    rows = frame(Form8949, *lines)
    pieces = frame(Pieces, *({"disposal_id": key, "disposal_kind": kind} for key, kind in (kinds or {}).items()))
    found = followed(
        frame(AdviceMade, *advice), frame(InstructionsGiven, *recorded), frame(Instructions, *done), rows, pieces,
        holdings() if held is None else held, returns(**({"ordinary": 700_000} | profile)), as_of,
    )  # fmt: skip
    assert gate.check(found, AdviceFollowed).rejected.is_empty()
    return {row["recommendation_id"]: row for row in found.to_dicts()}


def test_jane_sells_as_advised_and_reads_what_it_saved():
    """Gain 10,000 and a loss of 23,000, short-term, wages 700,000: 10,000 x 40.8 % + 3,000 x 37 % = 5,190; 10,000 carried."""
    row = outcome(
        made(),
        lines=(line(gain=-23_000),),
        recorded=(given(),),
        done=({"instruction_id": "ins-l1", "disposal_id": "sale-l1", "executed_quantity": 10},),
        short_term=-13_000,
    )["rec-l1"]
    assert row["status"] == "executed"
    assert (row["instruction_ids"], row["instructed_quantity"]) == ("ins-l1", 10)
    assert (row["executed_quantity"], row["executed_by_instruction"], row["realized_gain"]) == (10, 10, -23_000)
    assert (row["tax_saved"], row["carryover_added"]) == (5_190, 10_000)
    assert (row["missed_quantity"], row["missed_net_benefit"]) == (0, 0)


def test_what_each_sale_saved_adds_up_in_the_order_of_sale():
    """Two losses against 10,000: the first 8,000 saves 3,264 (40.8 %), the second 816 + 3,000 x 37 % = 1,926; 3,000 carried."""
    late = dt.date(2025, 12, 15)
    rows = outcome(
        made("l1"),
        made("l2"),
        lines=(line("l2", gain=-8_000), line("l1", gain=-8_000, date_sold=late)),
        short_term=-6_000,
    )
    assert [(rows[key]["tax_saved"], rows[key]["carryover_added"]) for key in ("rec-l2", "rec-l1")] == [
        (3_264, 0),
        (1_926, 3_000),
    ]


def test_a_collectible_s_loss_is_of_the_28_percent_group():
    """Collectible gain 10,000 and loss 4,000 for wages of 300,000: 4,000 x (28 % + 3.8 %) = 1,272 (IRC 1(h)(5))."""
    row = outcome(
        made(), lines=(line(gain=-4_000, part="II", code="C"),), ordinary=300_000, long_term=6_000, gain_28=6_000
    )["rec-l1"]
    assert row["tax_saved"] == 1_272


def test_without_a_return_nothing_is_said_of_the_tax():
    row = outcome(made(return_id="s"), lines=(line(return_id="s"),))["rec-l1"]
    assert row["status"] == "executed"
    assert row["tax_saved"] is None


@pytest.mark.parametrize(
    "other",
    [
        {"date_sold": dt.date(2025, 11, 30)},  # before it was advised
        {"account_id": "b"},
        {"tax_year": 2026},
        {"lot_id": "l9"},
    ],
)
def test_a_sale_that_the_advice_was_not_for_is_no_execution(other):
    assert outcome(made(), lines=(line(**other),), held=holdings(holding("l1", 5_000))) == {}


def test_a_fee_paid_in_coins_is_no_sale_that_was_advised():
    held = holdings(holding("l1", 5_000, quantity=9))
    assert outcome(made(), lines=(line(quantity=1),), kinds={"sale-l1": "fee"}, held=held) == {}


def test_washed_units_of_a_lot_are_the_lot_s():
    parts = (line("l1~washed-1", 4, -1_000), line("l1", 6, -2_000, disposal_id="sale-l1"))
    row = outcome(made(), lines=parts)["rec-l1"]
    assert (row["status"], row["executed_quantity"], row["realized_gain"]) == ("executed", 10, -3_000)


def test_a_recorded_instruction_that_waits_is_told():
    row = outcome(made(), recorded=(given(),), held=holdings(holding("l1", 5_000)))["rec-l1"]
    assert (row["status"], row["executed_quantity"], row["missed_quantity"]) == ("instructed", 0, 0)


def test_an_instruction_without_a_recommendation_is_for_its_lot_and_a_cancelled_one_for_none():
    held = holdings(holding("l1", 5_000), holding("l2", 5_000))
    recorded = (given("l1", 4, recommendation_id=None), given("l2", status="cancelled"))
    rows = outcome(made("l1"), made("l2"), recorded=recorded, held=held)
    assert {key: row["instructed_quantity"] for key, row in rows.items()} == {"rec-l1": 4}


def test_advice_that_still_stands_and_advice_taken_back_are_no_rows():
    held = holdings(holding("l1", 5_000))
    assert outcome(made(), held=held) == {}
    assert outcome(made(withdrawn=True), held=held) == {}
    assert outcome(made(withdrawn=True), as_of=dt.date(2026, 1, 2), held=held) == {}


def test_a_year_that_is_over_is_missed_with_the_dollars_last_told():
    held = holdings(holding("l1", 5_000))
    row = outcome(made(last_net_benefit=320), as_of=dt.date(2026, 1, 1), held=held)["rec-l1"]
    assert (row["status"], row["missed_quantity"], row["missed_net_benefit"]) == ("missed", 10, 320)


def test_a_lot_that_is_gone_without_a_sale_is_missed():
    """Given away, or sold by another order: Form 8949 shows nothing of it under this account and lot."""
    row = outcome(made())["rec-l1"]
    assert (row["status"], row["missed_net_benefit"]) == ("missed", 500)


def test_a_part_sold_and_the_rest_missed_at_the_year_s_end():
    """Four of ten sold after the last advice: six are missed, 6/10 of 500."""
    held = holdings(holding("l1", 5_000, quantity=6))
    row = outcome(made(), lines=(line(quantity=4, gain=-2_000),), held=held, as_of=dt.date(2026, 1, 1))["rec-l1"]
    assert row["status"] == "partly_executed"
    assert (row["executed_quantity"], row["missed_quantity"], row["missed_net_benefit"]) == (4, 6, 300)


def test_what_the_last_night_knew_to_be_sold_is_not_taken_off_again():
    """Four sold and known; then six advised on the six left, worth 300, and never sold: six are missed, not two."""
    held = holdings(holding("l1", 5_000, quantity=6))
    advice = made(last_quantity=6, last_net_benefit=300, last_held=6)
    row = outcome(advice, lines=(line(quantity=4),), held=held, as_of=dt.date(2026, 1, 1))["rec-l1"]
    assert (row["missed_quantity"], row["missed_net_benefit"]) == (6, 300)


def test_part_of_the_lot_was_advised_and_sold():
    """Two and a half of ten advised (Jane), sold: nothing is missed though units are left."""
    held = holdings(holding("l1", 5_000, quantity=Decimal("7.5")))
    advice = made(quantity=Decimal("2.5"))
    row = outcome(advice, lines=(line(quantity=Decimal("2.5")),), held=held, as_of=dt.date(2026, 1, 1))["rec-l1"]
    assert (row["status"], row["missed_quantity"]) == ("executed", 0)


# --- what is to be recorded ------------------------------------------------------------------------------------------


def advised(lot_id: str = "l1", quantity: int = 10, **more: Any) -> dict[str, Any]:
    cells = {"recommendation_id": f"rec-{lot_id}", "scenario": "best", "return_id": "r", "taxpayer_id": "r"}
    return (
        cells | {"account_id": "a", "asset": "BTC", "lot_id": lot_id, "quantity": quantity, "net_benefit": 500} | more
    )


def covered(*recorded: dict[str, Any], used: tuple[dict[str, Any], ...] = ()) -> pl.DataFrame:
    return open_units(frame(InstructionsGiven, *recorded), frame(InstructionMatches, *used), AS_OF)


def test_a_row_for_each_recommendation_is_ready_to_paste():
    rows = to_record(frame(HarvestRecommendations, advised(), advised("l2", scenario="wash_safe")), covered(), AS_OF)
    assert gate.check(rows, InstructionsToRecord).rejected.is_empty()
    row = rows.row(0, named=True)
    assert rows.height == 1
    assert (row["recommendation_id"], row["lot_id"], row["quantity"]) == ("rec-l1", "l1", 10)
    assert row["recorded_at"] is row["communicated_to_broker_at"] is row["status"] is None
    assert row["valid_until"] == dt.date(2025, 12, 31)


def test_what_is_recorded_already_is_not_asked_again():
    """Four of ten stand open: six are left to record, and 4/10 of the 500 are covered."""
    told, stand = frame(HarvestRecommendations, advised()), covered(given(quantity=4))
    assert to_record(told, stand, AS_OF)["quantity"].to_list() == [6]
    assert with_covered(told, stand)["covered_benefit"].to_list() == [200]
    assert to_record(told, covered(given()), AS_OF).is_empty()


@pytest.mark.parametrize(
    ("recorded", "used"),
    [
        (given(status="cancelled"), ()),
        (given(status="executed"), ()),
        (given(valid_until=dt.date(2025, 12, 19)), ()),
        (given(), ({"instruction_id": "ins-l1", "movement_id": "m", "quantity": 10},)),
    ],
)
def test_an_instruction_that_is_over_covers_nothing(recorded, used):
    assert covered(recorded, used=used).is_empty()


def test_the_id_is_the_night_s_own():
    told = frame(HarvestRecommendations, advised())
    ids = [to_record(told, covered(), day)["instruction_id"].item() for day in (AS_OF, AS_OF, dt.date(2025, 12, 21))]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@x", "a\tb", "a\u202eb", "a\nb"])
def test_a_hostile_name_stays_out_of_the_file_and_is_told(name):
    row = to_record(frame(HarvestRecommendations, advised(asset=name)), covered(), AS_OF).row(0, named=True)
    assert row["left_out"].startswith("asset could act as a formula")
