"""What hangs on a question, worked out by hand from the brackets of 2025 (Rev. Proc. 2024-40; P.L. 119-21)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.clients import AccountFacts, AssetFacts, ReturnMembers
from schemas.gate import check
from schemas.ledger import EventFacts
from schemas.review import ReviewItems, StakeRanges
from schemas.tax import ClosingLots, Gains, Income
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import returns
from transforms import stakes
from transforms.law.tax import AMOUNT_LIMIT

# single, 2025: standard deduction 15,750; 12 % to 48,475, 22 % to 103,350, 24 % to 197,300, 32 % to 250,525;
# long-term 15 % from 48,350 to 533,400; NIIT 3.8 % above 200,000
WAGES = 100_000  # taxable 84,250: in the 22 % bracket
ASKED = {"item_id": "i", "taxpayer_id": "t", "account_id": "a", "asset": "BTC", "tax_year": 2025, "event_id": "e",
         "severity": "blocking", "message": "m", "suggested_action": "s", "state": "open"}  # fmt: skip
PIECE = {"taxpayer_id": "t", "return_id": "r", "tax_year": 2025, "account_id": "a", "asset": "BTC", "disposal_id": "e:sent",
         "event_id": "e", "disposal_kind": "sell", "basis_status": "unknown", "lot_method": "fifo", "collectible": False,
         "on_return": False, "quantity": 1, "disposed_at": "2025-03-01T00:00:00", "date_sold": "2025-03-01",
         "disallowed": 0}  # fmt: skip


def hangs_on(
    *asked: dict[str, Any],
    gains: Sequence[dict[str, Any]] = (),
    lots: Sequence[dict[str, Any]] = (),
    income: Sequence[dict[str, Any]] = (),
    value: str | None = None,
    taxable: bool = True,
    given: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The items with their stakes, and the ranges turned the dearer way up."""
    items = frame(ReviewItems, *({**ASKED, **row} for row in asked))
    ranges = stakes.ranges(
        items,
        frame(Gains, *gains, **PIECE),
        frame(ClosingLots, *lots),
        frame(Income, *income),
        frame(
            EventFacts, {"event_id": "e", "taxpayer_id": "t", "kind": "x", "tax_date": "2025-03-01", "usd_value": value}
        ),
        frame(ReturnMembers, {"return_id": "r", "tax_year": 2025, "taxpayer_id": "t", "role": "primary"}),
        frame(AccountFacts, {"account_id": "a", "taxable": taxable}),
        frame(AssetFacts, {"asset": "BTC", "collectible": False}, {"asset": "APE", "collectible": True}),
    )
    assert check(ranges, StakeRanges).rejected.is_empty()
    return stakes.priced(items, ranges, returns(ordinary=WAGES) if given is None else given)


def dollars(*args: Any, **more: Any) -> list[tuple[Any, str]]:
    told, _ = hangs_on(*args, **more)
    return [
        (row[0] if row[0] is None else str(row[0]), row[1])
        for row in told.select("dollars_at_stake", "stake_basis").rows()
    ]


def test_a_sale_of_10_000_without_basis_at_22_percent() -> None:
    """Basis 10,000: no gain. Basis 0: 10,000 short-term, taxable 94,250, all of it at 22 %: 2,200."""
    sold = {"question": "shortfall", "dollars_at_stake": "10000"}
    assert dollars(sold, gains=[{"proceeds": 10_000}]) == [("2200.00", "tax")]
    told, _ = hangs_on(sold, gains=[{"proceeds": 10_000}])
    assert told["value_at_stake"].to_list() == [Decimal(10_000)], "the value stays beside it"


def test_the_same_sale_over_the_edge_of_a_bracket() -> None:
    """Wages 115,000: taxable 99,250; 4,100 at 22 % and 5,900 at 24 %: 902 + 1,416."""
    sold = {"question": "shortfall", "dollars_at_stake": "10000"}
    assert dollars(sold, gains=[{"proceeds": 10_000}], given=returns(ordinary=115_000)) == [("2318.00", "tax")]


def test_a_carryover_that_would_be_used_up() -> None:
    """4,000 short-term brought in: 3,000 deducted without the gain (IRC 1211(b)), with it 6,000 net: 9,000 at 22 %."""
    sold = {"question": "shortfall", "dollars_at_stake": "10000"}
    given = returns(ordinary=WAGES, short_term_carry_in=4_000)
    assert dollars(sold, gains=[{"proceeds": 10_000}], given=given) == [("1980.00", "tax")]


def test_a_lot_whose_date_is_known_is_long_term() -> None:
    sold = {"question": "basis_unknown", "dollars_at_stake": "10000"}
    piece = {"proceeds": 10_000, "lot_id": "l", "term": "long"}
    assert dollars(sold, gains=[piece]) == [("1500.00", "tax")]
    # a collectible: at most 28 %, and 22 % is less (IRC 1(h)(4)); 10,000 x 22 % by the worksheet's lesser tax
    assert dollars(sold, gains=[{**piece, "collectible": True}]) == [("2200.00", "tax")]


def test_a_sale_in_an_ira_moves_no_tax_and_a_gift_has_no_proceeds() -> None:
    sold = {"question": "shortfall", "dollars_at_stake": "10000"}
    assert dollars(sold, gains=[{"proceeds": 10_000}], taxable=False) == [("10000.00", "value")]
    assert dollars(sold, gains=[{"proceeds": 10_000, "disposal_kind": "gift_out"}]) == [("10000.00", "value")]


def test_pieces_of_one_sale_are_summed_before_they_are_rounded() -> None:
    """Three thirds of 100.00 are 100.00: 22.00 of tax."""
    thirds = [{"proceeds": "33.333333", "disposal_id": "x"}, {"proceeds": "33.333333"}, {"proceeds": "33.333334"}]
    assert dollars({"question": "shortfall"}, gains=thirds) == [("22.00", "tax")]


def test_a_deposit_is_a_move_or_income() -> None:
    asked = {"question": "unmatched_deposit", "dollars_at_stake": "3000"}
    assert dollars(asked, value="3000") == [("660.00", "tax")]
    # wages 250,000: taxable 234,250 at 32 %: 960, and 3.8 % of 3,000 over the threshold: 114
    assert dollars(asked, value="3000", given=returns(ordinary=250_000)) == [("1074.00", "tax")]
    assert dollars({"question": "unmatched_deposit"}, value=None) == [(None, "unknown")]


def test_a_withdrawal_is_a_move_or_a_sale_of_the_lots_that_left() -> None:
    """20,000 for a lot of 5,000 held long and one of 9,000 held short: 5,000 at 15 % and 1,000 at 22 %."""
    lot = {"tax_year": 2025, "taxpayer_id": "t", "account_id": "a", "asset": "BTC", "location": "outside",
           "pool": "outside:e:sent", "quantity": 1}  # fmt: skip
    lots = [
        {
            **lot,
            "lot_id": "old",
            "basis": 5_000,
            "long_term_from": "2025-03-01",
        },  # the first long-term day is the sale's
        {**lot, "lot_id": "new", "basis": 9_000, "long_term_from": "2025-03-02"},
        {**lot, "lot_id": "other", "basis": 1, "long_term_from": "2025-03-01", "pool": "outside:f:sent"},
        {**lot, "lot_id": "later", "basis": 1, "long_term_from": "2025-03-01", "tax_year": 2026},
    ]
    asked = {"question": "unmatched_withdrawal", "dollars_at_stake": "20000", "severity": "warning"}
    assert dollars(asked, lots=lots, value="20000") == [("970.00", "tax")]
    assert dollars(asked, value="20000") == [("20000.00", "value")], "no lots left with it"


def test_a_withdrawal_at_a_loss_would_save_tax_and_that_is_at_stake_too() -> None:
    """Worth 1,000 of basis 3,000: 2,000 of loss saves 22 %; the dearer way is that it was a move."""
    lot = {"tax_year": 2025, "taxpayer_id": "t", "account_id": "a", "asset": "BTC", "location": "outside", "lot_id": "l",
           "pool": "outside:e:sent", "quantity": 1, "basis": 3_000, "long_term_from": "2025-01-01"}  # fmt: skip
    told, ranges = hangs_on({"question": "unmatched_withdrawal", "severity": "warning"}, lots=[lot], value="1000")
    assert told["dollars_at_stake"].to_list() == [Decimal("440.00")]
    assert ranges.select("long_term_low", "long_term_high").rows() == [(-200_000, 0)]


def test_a_sale_near_the_first_long_term_day() -> None:
    """1,000 short-term at 22 % or long-term at 15 %: 70."""
    piece = {"proceeds": 2_000, "basis": 1_000, "gain": 1_000, "lot_id": "l", "term": "short", "on_return": True,
             "origin": "buy", "date_acquired": "2024-02-29", "date_sold": "2025-03-01"}  # fmt: skip
    asked = {"question": "near_long_term", "severity": "info"}
    given = returns(ordinary=WAGES, short_term=1_000)
    assert dollars(asked, gains=[{**piece, "date_sold": "2025-02-28"}], given=given) == [("70.00", "tax")]


def test_wages_that_the_profile_lacks() -> None:
    asked = {"question": "wages_not_in_profile", "dollars_at_stake": "1000", "account_id": None}
    assert dollars(asked) == [("220.00", "tax")]


def test_a_stand_on_investment_income_moves_the_niit_alone() -> None:
    """Wages 250,000 and 2,000 of staking in it: out of net investment income it saves 3.8 %: 76."""
    received = {"event_id": "e", "taxpayer_id": "t", "return_id": "r", "tax_year": 2025, "account_id": "a", "income_kind": "staking",
                "usd_value": 2_000, "in_nii": True, "on_return": True}  # fmt: skip
    asked = {"question": "income_stand_assumed", "file_id": "positions:staking", "severity": "info", "account_id": None}
    assert dollars(asked, income=[received], given=returns(ordinary=250_000, nii=2_000)) == [("76.00", "tax")]
    assert dollars(asked, income=[received]) == [("0.00", "tax")], "below the threshold nothing hangs on it"


def test_several_questions_of_a_return_are_taxed_together() -> None:
    """Wages 115,000: 4,100 alone 902; 5,900 alone 902 + 432; both 2,318, more than the sum: the bracket is used once."""
    asked = [{"item_id": "i", "question": "shortfall"}, {"item_id": "j", "question": "shortfall", "asset": "ETH"}]
    gains = [{"proceeds": 4_100}, {"proceeds": 5_900, "asset": "ETH"}]
    given = returns(ordinary=115_000)
    told, ranges = hangs_on(*asked, gains=gains, given=given)
    assert [str(row) for row in told["dollars_at_stake"]] == ["902.00", "1334.00"]
    assert stakes.tax_differences(given, ranges, "return_id").rows() == [("r", 231_800)]


def test_a_year_that_cannot_be_taxed_keeps_the_value() -> None:
    """No profile for 2024: of a question over two years no tax is told."""
    pieces = [{"proceeds": 4_100}, {"proceeds": 900, "tax_year": 2024, "event_id": "f"}]
    asked = {"question": "shortfall", "dollars_at_stake": "5000"}
    assert dollars(asked, gains=pieces) == [("5000.00", "value")]


@pytest.mark.parametrize("cents", [AMOUNT_LIMIT + 1, -AMOUNT_LIMIT - 1, 2**63 - 1])
def test_an_amount_out_of_range_stops_no_night(cents: int) -> None:
    row = {"item_id": "i", "return_id": "r", "tax_year": 2025} | dict.fromkeys(stakes.ENDS, 0)
    ranges = frame(StakeRanges, {**row, "short_term_high": cents}, {**row, "item_id": "j", "short_term_high": 100})
    found = stakes.tax_differences(returns(ordinary=WAGES), ranges, "item_id")
    assert found.rows() == [("i", None), ("j", 22)]


def test_nothing_to_tax() -> None:
    assert stakes.tax_differences(returns(), frame(StakeRanges), "item_id").is_empty()
    told, ranges = hangs_on({"question": "price_missing"})
    assert told["stake_basis"].to_list() == ["unknown"]
    assert ranges.is_empty()
