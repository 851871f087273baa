"""Whom to call first and why, and the report of each client as a page that no name can break."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas import gate
from schemas.advice_loop import CallList, PriceMoves
from schemas.harvest import HarvestRecommendations, HarvestSummary
from schemas.review import ReviewItems
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import members
from transforms.advice_followed import with_covered
from transforms.call_list import call_list, in_season
from transforms.reports import INDEX, file_name, pages

AS_OF = dt.date(2025, 12, 1)
WHO = members(("r", "ann", "primary"), ("r", "bob", "spouse"), ("s", "sue", "primary"))


def plan(return_id: str, net_benefit: int | None, **more: Any) -> dict[str, Any]:
    cells = {"return_id": return_id, "scenario": "best", "net_benefit": net_benefit, "verdict": "harvest"}
    cells |= {
        "as_of": AS_OF,
        "tax_year": 2025,
        "deadline": "2026-01-01T04:59:59",
        "explanation": "Sell the lots listed.",
    }
    return cells | more


def lot(return_id: str, lot_id: str = "l1", **more: Any) -> dict[str, Any]:
    cells = {"return_id": return_id, "scenario": "best", "lot_id": lot_id, "account_id": "a", "asset": "BTC"}
    cells |= {
        "quantity": 10,
        "net_benefit": 500,
        "confidence": "high",
        "rank": 1,
        "term": "long",
        "unrealized_gain": -900,
    }
    cells |= {
        "reason": "Why.",
        "lot_identification": "Which.",
        "record_before": "Before.",
        "rebuy_not_before": "Later.",
    }
    return cells | more


def item(taxpayer_id: str, stake: int | None, item_id: str = "i1", **more: Any) -> dict[str, Any]:
    cells = {"taxpayer_id": taxpayer_id, "item_id": item_id, "dollars_at_stake": stake, "severity": "blocking"}
    return cells | {"state": "open", "question": "q", "message": "Unknown basis.", "suggested_action": "Ask."} | more


def covering(*units: tuple[str, int | Decimal]) -> pl.DataFrame:
    schema = {"account_id": pl.String, "lot_id": pl.String, "covered": pl.Decimal(38, 18)}
    return pl.DataFrame([("a", name, quantity) for name, quantity in units], schema=schema, orient="row")


def calls(
    *plans: dict[str, Any],
    lots: tuple[dict[str, Any], ...] = (),
    covered: pl.DataFrame | None = None,
    items: tuple[dict[str, Any], ...] = (),
    as_of: dt.date = AS_OF,
) -> list[dict[str, Any]]:
    advised = with_covered(frame(HarvestRecommendations, *lots), covering() if covered is None else covered)
    found = call_list(advised, frame(HarvestSummary, *plans), WHO, frame(ReviewItems, *items), as_of)
    assert gate.check(found, CallList).rejected.is_empty()
    return found.to_dicts()


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (dt.date(2025, 8, 31), False),
        (dt.date(2025, 9, 1), True),
        (dt.date(2025, 12, 31), True),
        (dt.date(2026, 1, 1), False),
    ],
)
def test_the_list_is_of_the_autumn(day, due):
    assert in_season(day) == due
    assert bool(calls(plan("r", 500), lots=(lot("r"),), as_of=day)) == due


def test_the_most_dollars_still_to_be_saved_are_called_first():
    rows = calls(plan("r", 300), plan("s", 500), lots=(lot("r", net_benefit=300), lot("s", account_id="b")))
    assert [(row["rank"], row["return_id"], row["to_save"]) for row in rows] == [(1, "s", 500), (2, "r", 300)]
    assert rows[0]["days_left"] == 30
    assert rows[0]["why"] == "$500.00 still to be saved by selling 1 lot in 30 days."


def test_what_is_recorded_is_no_longer_to_be_saved():
    """l1 is covered whole, of l2's 400 a quarter: 900 - 500 - 100 = 300 are left, in one lot."""
    lots = (lot("r"), lot("r", "l2", net_benefit=400))
    (row,) = calls(plan("r", 900), lots=lots, covered=covering(("l1", 10), ("l2", Decimal("2.5"))))
    assert (row["net_benefit"], row["covered"], row["to_save"], row["lots"]) == (900, 600, 300, 1)
    assert calls(plan("r", 500), lots=(lot("r"),), covered=covering(("l1", 10))) == []


def test_dollars_that_questions_block_stand_beside_and_rank_second():
    """Of both spouses, open and blocking ones only, an item counted once."""
    items = (
        item("ann", 700), item("bob", 300, "i2"), item("ann", 9_000, "i3", severity="warning"),
        item("bob", 9_000, "i4", state="answered"), item("sue", None, "i5"),
    )  # fmt: skip
    rows = calls(plan("s", 0, verdict="nothing_to_harvest"), plan("r", None, verdict="no_profile"), items=items)
    assert [(row["return_id"], row["to_save"], row["blocked"], row["blocking_questions"]) for row in rows] == [
        ("r", 0, 1_000, 2),
        ("s", 0, 0, 1),
    ]
    assert rows[0]["why"] == "2 blocking questions open, $1,000.00 at stake."


def test_the_worst_confidence_of_its_lots_is_the_plan_s():
    lots = (lot("r"), lot("r", "l2", confidence="low"), lot("r", "l3", confidence="medium"))
    assert calls(plan("r", 1_500), lots=lots)[0]["confidence"] == "low"


# --- the pages -------------------------------------------------------------------------------------------------------

EVIL = "<script>alert(1)</script>/../x\u202e"


def made(return_id: str = "r", asset: str = "BTC") -> dict[str, str]:
    people = members((return_id, "ann", "primary"))
    told = frame(HarvestRecommendations, lot(return_id, asset=asset, reason=f"Sell {asset}."))
    summary = frame(HarvestSummary, plan(return_id, 500, tax_before=1_000, tax_after=400))
    asked = frame(ReviewItems, item("ann", 700, message=f"What is {asset}?"))
    listed = call_list(with_covered(told, covering()), summary, people, asked, AS_OF)
    moves = [{"return_id": return_id, "move_percent": n, "net_benefit": 1, "cost_of_waiting": n} for n in (10, -10)]
    return pages(listed, summary, told, frame(PriceMoves, *moves), asked, people, "Firm & Co", AS_OF)


def test_a_report_says_what_how_by_when_and_what_is_open():
    page = made()[file_name("r")]
    for said in (
        "$500.00 still to be saved", "Federal tax without a sale", "$1,000.00", "10 BTC", "Which.", "Before.", "Later.",
        "2026-01-01 04:59:59 UTC", "What is BTC?", "$700.00", "-10 %", "+10 %", "Preliminary", "Firm &amp; Co",
    ):  # fmt: skip
        assert said in page
    assert page.index("-10 %") < page.index("+10 %")


def test_the_index_leads_to_every_report():
    made_pages = made()
    assert set(made_pages) == {INDEX, file_name("r")}
    assert f'href="{file_name("r")}"' in made_pages[INDEX]


def test_no_name_can_break_a_page_or_leave_its_folder():
    for name, page in made(EVIL, EVIL).items():
        assert "<script" not in page
        assert "\u202e" not in page
        assert "/" not in name
        assert name.isascii()
    assert file_name("a/b") != file_name("a_b"), "two returns never share a page"


def test_a_page_loads_nothing():
    assert "default-src 'none'" in made()[file_name("r")]
