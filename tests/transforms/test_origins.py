"""Where units come from and where they go: spouses, tokens that stand for a coin, bridges; tax rules 1.4, 2.1-2.5."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.clients import AssetFacts, Stands
from schemas.fields import INSTANT, UNTAXED
from schemas.inputs import Acquisitions, LotOrders
from schemas.ledger import EventFacts, Events
from schemas.tax import Gains
from tests.transforms.frames import frame
from tests.transforms.test_movements import CORE, DAY, LOT, Moved, asked, book, event, gains, move, plain, table
from tests.transforms.test_transfers import NO_PAIRS
from transforms import movements as mv
from transforms import questions, transfers
from transforms.lots import FAULTS

ASSETS = frame(
    AssetFacts,
    {"asset": "ETH", "class": "coin"},
    {"asset": "WETH", "class": "wrapped", "represents": "ETH"},
    {"asset": "stETH", "class": "liquid_staking", "represents": "ETH"},
    {"asset": "rETH", "class": "liquid_staking", "represents": "ETH"},
    {"asset": "USDC.e", "class": "bridged", "represents": "USDC"},
    {"asset": "POOL", "class": "lp_token"},
)


def stand(topic: str, choice: str, taxpayer: str | None = "jane", year: int = 2009) -> dict[str, Any]:
    return {"taxpayer_id": taxpayer, "from_year": year, "topic": topic, "choice": choice}


def swap(*events: dict[str, Any], stands: tuple[dict[str, Any], ...] = (), **tables: Any) -> Moved:
    return move(*events, assets=ASSETS, positions=frame(Stands, *stands), **tables)


def steps(moved: Moved) -> list[tuple[Any, ...]]:
    return [cells[1:] for cells in table(moved, *CORE)]


# --- tokens that stand for a coin (tax rules 1.4: unsettled, a stand for each class of event) ---------------------------

BOUGHT = event("b", "buy", "2024-01-10", sent="2000 USD", received="1 ETH", value=2000)
STAKED = event("s", "trade", "2025-03-01", sent="1 ETH", received="0.98 stETH", value=3000)
POOLED = event("s", "trade", "2025-03-01", sent="1 ETH", received="7 POOL", value=3000)
BRIDGED = event("s", "trade", "2025-03-01", sent="100 USDC", received="100 USDC.e", value=100)
WRAPPED = event("s", "trade", "2025-03-01", sent="1 ETH", received="1 WETH", value=3000)


@pytest.mark.parametrize(
    ("what", "topic", "units"),
    [
        (STAKED, "liquid_staking", ("ETH", "1", "stETH", "0.98")),
        (POOLED, "liquidity_pool", ("ETH", "1", "POOL", "7")),
        (BRIDGED, "bridging", ("USDC", "100", "USDC.e", "100")),
        (WRAPPED, "wrapping", ("ETH", "1", "WETH", "1")),
        (WRAPPED | {"kind": "wrap"}, "wrapping", ("ETH", "1", "WETH", "1")),
        (STAKED | {"kind": "wrap"}, "liquid_staking", ("ETH", "1", "stETH", "0.98")),
    ],
)
def test_a_swap_of_a_coin_and_its_token_follows_the_stand_on_its_class(
    what: dict[str, Any], topic: str, units: tuple[str, ...]
) -> None:
    gave, out, got, into = units
    carried = swap(what, stands=(stand(topic, "carry"),))
    assert steps(carried) == [("convert_out", gave, out, None), ("convert_in", got, into, None)]
    assert asked(carried) == []
    for stands in ((), (stand(topic, "taxable"),), (stand("own_transfer", "fifo"),)):
        taxed = swap(what, stands=stands)
        value = plain(Decimal(what["usd_value"]))
        assert steps(taxed) == [("acquire", got, into, value), ("dispose", gave, out, value)]
        silent = bool(stands) and stands[0]["topic"] == topic
        assert asked(taxed) == ([] if silent else [(f"{topic}_taxable", "s")])


def test_liquid_staking_that_is_carried_keeps_basis_and_date() -> None:
    # 1 ETH of January 2024 at 2,000 becomes 0.98 stETH: sold for 4,000 in 2025 it is a long-term gain of 2,000
    sale = event("x", "sell", "2025-04-01", sent="0.98 stETH", received="4000 USD", value=4000)
    moved = swap(BOUGHT, STAKED, sale, stands=(stand("liquid_staking", "carry", None),))
    piece = book(moved).gains.row(0, named=True)
    assert (piece["date_acquired"], piece["term"], plain(piece["gain"])) == (DAY(2024, 1, 10), "long", "2000")


def test_a_client_s_stand_beats_the_firm_s_from_its_year_on() -> None:
    stands = (stand("liquid_staking", "carry", None), stand("liquid_staking", "taxable", "jane", 2025))
    assert [s[0] for s in steps(swap(STAKED, stands=stands))] == ["acquire", "dispose"]
    early = STAKED | {"tax_year": 2024}
    assert [s[0] for s in steps(swap(early, stands=stands))] == ["convert_out", "convert_in"]


def test_two_tokens_of_one_coin_on_a_market_are_a_trade() -> None:
    what = event("s", "trade", sent="1 stETH", received="0.9 rETH", value=3000)
    moved = swap(what, stands=(stand("liquid_staking", "carry"),))
    assert [s[0] for s in steps(moved)] == ["acquire", "dispose"]


def test_a_sale_named_so_is_a_sale_whatever_the_stand() -> None:
    moved = swap(STAKED | {"kind": "sell"}, stands=(stand("liquid_staking", "carry"),))
    assert [s[0] for s in steps(moved)] == ["acquire", "dispose"]


def test_a_pool_s_token_for_several_coins_cannot_carry_and_is_asked() -> None:
    parts = [
        event("s1", "trade", sent="1 ETH", value=3000, fact_id="f"),
        event("s2", "trade", received="7 POOL", value=6000, fact_id="f"),
    ]
    moved = swap(*parts, stands=(stand("liquidity_pool", "carry"),))
    assert ("acquire", "POOL", "7", "6000") in steps(moved)
    assert asked(moved) == [("stand_not_applied", "s2")]


def test_swaps_without_a_stand_are_one_question_a_year_with_the_first_and_the_sum() -> None:
    later = STAKED | {"event_id": "a", "occurred_at": "2025-06-01T12:00:00", "usd_value": 10}
    found = swap(later, STAKED).questions.row(0, named=True)
    assert (found["event_id"], found["events"], found["dollars_at_stake"]) == ("s", 2, Decimal(3010))


# --- bridges ------------------------------------------------------------------------------------------------------------

LEFT = event("out", "withdrawal", "2025-06-01T12:00:00", sent="100 USDC", value=100)
CAME = event("in", "deposit", "2025-06-01T12:20:00", received="99.5 USDC.e", value="99.4", account_id="b")
OVER = {"transfer_id": "t", "out_event_id": "out", "in_event_id": "in", "quantity": "99.5", "fee_quantity": "0.5",
        "asset": "USDC", "in_asset": "USDC.e"}  # fmt: skip
USDC = event("b", "buy", "2025-01-10", sent="90 USD", received="100 USDC", value=90)


def test_a_bridge_that_is_no_sale_carries_the_lots_and_its_fee_is_a_disposal() -> None:
    moved = swap(USDC, LEFT, CAME, transfers=[OVER], stands=(stand("bridging", "carry"),))
    assert steps(moved)[1:] == [
        ("depart", "USDC", "99.5", None),
        ("dispose", "USDC", "0.5", "0.5"),
        ("arrive", "USDC", "99.5", None),
        ("convert_out", "USDC", "99.5", None),
        ("convert_in", "USDC.e", "99.5", None),
    ]
    held = book(moved).closing_lots.filter(tax_year=2025).row(0, named=True)
    assert (held["asset"], held["account_id"], plain(held["basis"]), held["date_acquired"]) == (
        "USDC.e", "b", "89.55", DAY(2025, 1, 10),
    )  # fmt: skip
    assert asked(moved) == []


def test_a_bridge_that_is_a_sale_gives_all_that_left_for_what_arrived() -> None:
    # Reg. 1.1001-7(b)(4): 99.5 USDC.e worth 99.40 are received for 100 USDC that cost 90: gain 9.40, basis 99.40
    moved = swap(USDC, LEFT, CAME, transfers=[OVER])
    assert gains(moved) == {"out:sent": ("90", "9.4")}
    assert table(moved, *CORE, "origin", "basis_status")[-1] == (
        "in:received", "acquire", "USDC.e", "99.5", "99.4", "trade", "known",
    )  # fmt: skip
    assert asked(moved) == [("bridging_taxable", "out")]


# --- own moves ----------------------------------------------------------------------------------------------------------


def test_whether_the_order_governs_own_moves_is_a_stand() -> None:
    # Reg. 1.1012-1(j) "or transferred" against Rev. Proc. 2024-28 s. 3.11: tax rules 2.5
    order = frame(LotOrders, {"taxpayer_id": "jane", "method": "hifo", "recorded_at": "2025-02-01T00:00:00"})
    cheap = event("b1", "buy", "2025-01-10", sent="10 USD", received="1 A", value=10)
    dear = event("b2", "buy", "2025-01-11", sent="20 USD", received="1 A", value=20)
    out = event("out", "withdrawal", "2025-06-01", sent="1 A", value=30)
    came = event("in", "deposit", "2025-06-01T18:00:00", received="1 A", account_id="b")
    pair = {"transfer_id": "t", "out_event_id": "out", "in_event_id": "in", "quantity": 1}

    def moved_basis(*stands: dict[str, Any]) -> tuple[str, list[tuple[str, str | None]]]:
        moved = swap(cheap, dear, out, came, transfers=[pair], lot_orders=order, stands=stands)
        return plain(book(moved).lot_moves["basis"][0]), asked(moved)

    assert moved_basis() == ("20", [("own_transfer_order", "out")])
    assert moved_basis(stand("own_transfer", "order")) == ("20", [])
    assert moved_basis(stand("own_transfer", "fifo", None)) == ("10", [])


# --- spouses (IRC 1041; tax rules 2.4) -----------------------------------------------------------------------------------


HERS = event("b", "buy", "2020-05-01", sent="1000 USD", received="10 A", value=1000)
TO_HIM = event("out", "withdrawal", "2025-06-01", sent="4 A", value=50)
HIS = event("in", "deposit", "2025-06-02", received="4 A", taxpayer_id="brian", account_id="c")
WEDDED = {"transfer_id": "t", "out_event_id": "out", "in_event_id": "in", "quantity": 4, "in_taxpayer_id": "brian"}


def test_lots_basis_and_dates_go_to_the_spouse_and_back_without_a_gain() -> None:
    # bought by her in 2020 at 100 each; he sells one for 60 in 2025: a long-term loss of 40 on her basis, though the
    # coins were worth 12.50 each when they came (no second basis: IRC 1041(b)(2), 1015(e)); one goes back to her
    back = event("out2", "withdrawal", "2025-08-01", sent="1 A", value=9, taxpayer_id="brian", account_id="c")
    came = event("in2", "deposit", "2025-08-02", received="1 A", account_id="b")
    again = {
        "transfer_id": "u",
        "out_event_id": "out2",
        "in_event_id": "in2",
        "quantity": 1,
        "out_taxpayer_id": "brian",
    }
    sale = event(
        "s", "sell", "2025-07-01", sent="1 A", received="60 USD", value=60, taxpayer_id="brian", account_id="c"
    )
    made = book(move(HERS, TO_HIM, HIS, sale, back, came, transfers=[WEDDED, again]))
    piece = made.gains.row(0, named=True)
    assert (made.gains.height, piece["taxpayer_id"], plain(piece["basis"]), plain(piece["gain"]), piece["term"]) == (
        1, "brian", "100", "-40", "long",
    )  # fmt: skip
    held = made.closing_lots.filter(tax_year=2025).sort("account_id")
    assert held.select("taxpayer_id", "account_id", "location", "quantity", "basis", "date_acquired").rows() == [
        ("jane", "a", "account", Decimal(6), Decimal(600), DAY(2020, 5, 1)),
        ("jane", "b", "account", Decimal(1), Decimal(100), DAY(2020, 5, 1)),
        ("brian", "c", "account", Decimal(2), Decimal(200), DAY(2020, 5, 1)),
    ]
    assert made.faults.is_empty()


def test_a_gift_goes_to_the_spouse_with_both_of_its_bases() -> None:
    # E2.7 given on to the spouse: a sale for 5,000 is a loss of 1,000 from 6,000, one for 12,000 a gain of 2,000
    record = frame(
        Acquisitions,
        {"event_id": "g", "origin": "gift", "donor_basis": 10000, "donor_acquired_at": "2020-01-01T18:00:00"},
    )
    present = event("g", "gift_in", "2025-03-01", received="1 A", value=6000)
    out, came = TO_HIM | {"sent_quantity": "1"}, HIS | {"received_quantity": "1"}
    for proceeds, gain, term in ((5000, "-1000", "short"), (8000, "0", "long"), (12000, "2000", "long")):
        sale = event("s", "sell", "2025-09-01", sent="1 A", received=f"{proceeds} USD", value=proceeds,
                     taxpayer_id="brian", account_id="c")  # fmt: skip
        moved = move(present, out, came, sale, acquisitions=record, transfers=[WEDDED | {"quantity": 1}])
        piece = book(moved).gains.row(0, named=True)
        assert (plain(piece["gain"]), piece["term"], piece["origin"]) == (gain, term, "gift")


def test_a_departure_in_another_calendar_comes_before_its_arrival() -> None:
    # 00:10 on New Year's Day in New York is still the old year where the spouse lives: the units left before they came
    out = event("out", "withdrawal", "2025-01-01T05:10:00", sent="1 A", value=1)
    came = event("in", "deposit", "2025-01-01T05:20:00", received="1 A", taxpayer_id="brian", account_id="c")
    came |= {"tax_date": "2024-12-31", "tax_year": 2024}
    pair = {"transfer_id": "t", "out_event_id": "out", "in_event_id": "in", "quantity": 1, "in_taxpayer_id": "brian"}
    moved = move(out, came, transfers=[pair])
    assert moved.movements.sort("sequence").select("movement", "tax_year", "tax_date").rows() == [
        ("depart", 2024, DAY(2024, 12, 31)),
        ("arrive", 2024, DAY(2024, 12, 31)),
    ]


def test_an_arrival_whose_sender_was_stopped_is_named() -> None:
    out = event("out", "withdrawal", "2025-06-01", sent="1 A", value=1)
    came = event("in", "deposit", "2025-06-02", received="1 A", taxpayer_id="brian", account_id="c")
    pair = {"transfer_id": "t", "out_event_id": "out", "in_event_id": "in", "quantity": 1, "in_taxpayer_id": "brian"}
    every = move(out, came, transfers=[pair]).movements
    assert mv.widowed(every).is_empty()
    alone = mv.widowed(every.filter(taxpayer_id="brian"))
    assert alone["movement_id"].to_list() == ["in:received"]
    faults = pl.DataFrame(schema=FAULTS | {"at": INSTANT, "on": pl.Date})
    told = pl.concat(questions.lot_book(faults, alone))
    assert told.select("question", "severity", "event_id").rows() == [("arrival_without_lots", "blocking", "in")]


def test_a_move_that_the_books_cannot_cover_is_named_from_its_first_event() -> None:
    fault = {"taxpayer_id": "t", "fault": "shortfall", "tax_year": 2025, "account_id": "a", "asset": "BTC",
             "quantity": Decimal(2), "movement": "depart", "reason": "", "dollars_at_stake": Decimal(5)}  # fmt: skip
    every = move(*(event(f"e{n}", "withdrawal", f"2025-03-{n:02}", sent="2 BTC") for n in (1, 2))).movements
    faults = pl.DataFrame([fault | {"event_id": f"e{n}"} for n in (2, 1)], schema=FAULTS)
    told = pl.concat(questions.lot_book(mv.dated(faults, every), mv.widowed(every))).row(0, named=True)
    assert (told["event_id"], told["dollars_at_stake"]) == ("e1", Decimal(10))
    assert told["message"].endswith("of BTC on 2025-03-01 (event e1), the first of 2 such events")


def test_a_spouse_who_is_no_client_gives_basis_and_date_by_the_record() -> None:
    # carryover both ways, no second basis even where the coins are worth less (IRC 1041(b), 1223(2))
    record = frame(
        Acquisitions,
        {"event_id": "in", "origin": "spouse", "donor_basis": 4000, "donor_acquired_at": "2020-01-01T18:00:00",
         "value_at_transfer": 1},
    )  # fmt: skip
    moved = move(event("in", "gift_in", "2025-06-02", received="1 A", value=1), acquisitions=record)
    day = DAY(2021, 1, 2)
    assert table(moved, *LOT) == [("4000", "4000", DAY(2020, 1, 1), day, day, "spouse", "known")]


def test_a_record_by_transaction_is_of_one_receipt_however_the_hash_is_written() -> None:
    record = frame(
        Acquisitions,
        {"tx_id": "0xAB", "origin": "gift", "donor_basis": 40, "donor_acquired_at": "2020-01-01T18:00:00"},
        {"event_id": "gone", "origin": "gift", "donor_basis": 1},
    )
    one = event("g1", "gift_in", "2025-06-02", received="1 A", value=50, tx_id="ab")
    alone = move(one, acquisitions=record)
    assert table(alone, "amount") == [("40",)]
    assert asked(alone) == [("record_without_receipt", "gone")]
    # the basis of 40 is of the whole receipt: given to both of two it would be deducted twice
    two = event("g2", "gift_in", "2025-06-02", received="2 A", value=100, tx_id="0xab", account_id="b")
    both = move(one, two, acquisitions=record)
    assert table(both, "amount", "basis_status") == [(None, "unknown")] * 2
    assert [q for q, _ in asked(both)].count("record_doubtful") == 2


# --- purchases, exchanges, income: what E2.1-E2.6 leave to say -----------------------------------------------------------


def test_e2_2_the_value_received_stands_for_both_sides() -> None:
    # 10 A at $0.50 for 20 B worth $20 with a $2 fee in cash: B enters at its value, none of the fee in it
    bought = event("a", "buy", "2025-01-10", sent="5 USD", received="10 A", value=5)
    moved = move(bought, event("x", "trade", sent="10 A", received="20 B", fee="2 USD", value=20, fee_value=2))
    assert ("acquire", "B", "20", "20") in steps(moved)


def test_e2_6_the_period_of_a_reward_runs_from_dominion_and_control() -> None:
    # minted on 20 April, transferable on 1 May: long-term from 2 May of the next year, not a day earlier
    reward = event("r", "staking", "2025-05-01", received="2 SOL", value=200)
    for day, term in (("2026-05-01", "short"), ("2026-05-02", "long")):
        sale = event("s", "sell", day, sent="2 SOL", received="300 USD", value=300)
        piece = book(move(reward, sale)).gains.row(0, named=True)
        assert (piece["term"], plain(piece["gain"])) == (term, "100")


@pytest.mark.parametrize("kind", ["staking", "mining", "airdrop", "fork", "interest", "reward", "wages"])
def test_every_kind_of_income_has_its_value_as_basis(kind: str) -> None:
    # Notice 2014-21; Rev. Rul. 2019-24, 2023-14
    moved = move(event("r", kind, "2025-05-01", received="2 A", value=200))
    assert table(moved, "amount", "origin", "date_acquired") == [("200", kind, DAY(2025, 5, 1))]


@pytest.mark.parametrize("kind", UNTAXED)
def test_what_is_given_or_lost_is_no_gain(kind: str) -> None:
    bought = event("a", "buy", "2024-01-10", sent="5 USD", received="1 A", value=5)
    piece = book(move(bought, event("x", kind, "2025-03-01", sent="1 A", value=80))).gains.row(0, named=True)
    assert (piece["disposal_kind"], piece["proceeds"], plain(piece["gain"]), plain(piece["basis"]), piece["term"]) == (
        kind, None, "0", "5", "long",
    )  # fmt: skip


# --- donations (IRC 170(e); tax rules 2.4) -------------------------------------------------------------------------------

GIVEN = {
    "taxpayer_id": "t", "return_id": "t", "tax_year": 2025, "account_id": "a", "asset": "BTC", "disposal_id": "d:sent",
    "event_id": "d", "disposed_at": "2025-03-01T00:00:00", "date_sold": "2025-03-01", "disposal_kind": "donation",
    "basis_status": "known", "lot_method": "fifo", "collectible": False, "on_return": False, "gain": 0, "disallowed": 0,
}  # fmt: skip


def donated(*pieces: dict[str, Any], **values: Any) -> list[tuple[str, Decimal | None]]:
    worth = frame(EventFacts, *({"event_id": e, "usd_value": value} for e, value in values.items()))
    found = pl.concat(questions.donations(frame(Gains, *pieces, **GIVEN), worth))
    return found.sort("event_id").select("message", "dollars_at_stake").rows()


def test_a_donation_counts_at_value_after_a_year_and_else_at_the_lesser_of_basis_and_value() -> None:
    # 3 coins worth 900: one held long (value 300), one short at 100 (basis 100), one short at 500 (value 300): 700
    pieces = [
        {"lot_id": "l1", "quantity": 1, "basis": 10, "term": "long"},
        {"lot_id": "l2", "quantity": 1, "basis": 100, "term": "short"},
        {"lot_id": "l3", "quantity": 1, "basis": 500, "term": "short"},
    ]
    assert donated(*pieces, d=900) == [
        (
            (
                "3 of BTC donated on 2025-03-01: 1 of it held over a year; worth 900.00, basis 610.00, "
                "deduction at most 700.00"
            ),
            Decimal(700),
        )
    ]


def test_donations_of_one_coin_above_5000_in_a_year_need_an_appraisal() -> None:
    # IRC 170(f)(11)(C), (F): similar property of the year counts together; CCA 202302012: a coin is no listed security
    pieces = [
        {"lot_id": "l1", "quantity": 1, "basis": 10, "term": "long"},
        {"lot_id": "l2", "quantity": 1, "basis": 10, "term": "long", "event_id": "e", "disposal_id": "e:sent"},
    ]
    told = donated(*pieces, d=3000, e=2001)
    assert all("5001.00 in the year is above 5,000: a qualified appraisal" in message for message, _ in told)
    assert not any("appraisal" in message for message, _ in donated(*pieces, d=3000, e=2000))


def test_a_donation_whose_value_is_not_known_says_so() -> None:
    told = donated({"lot_id": "l1", "quantity": 1, "basis": 10, "term": "long"})
    assert [message.split("; ")[1] for message, _ in told] == ["value, basis or date is not known"]


# --- the first bad transaction -------------------------------------------------------------------------------------------


def test_what_the_books_lack_is_one_item_an_account_and_asset_with_the_first_and_the_sum() -> None:
    sold = {"disposal_kind": "sell", "basis_status": "unknown", "quantity": 1, "gain": None}
    pieces = [
        sold | {"event_id": f"e{n}", "disposal_id": f"e{n}", "disposed_at": f"2025-03-{n:02}T00:00:00",
                "date_sold": f"2025-03-{n:02}", "proceeds": 100 + n}
        for n in (3, 1, 2)
    ]  # fmt: skip
    gift = sold | {"event_id": "g", "disposal_id": "g", "account_id": "b", "disposal_kind": "gift_out"}
    found = pl.concat(questions.shortfalls(frame(Gains, *pieces, gift, **GIVEN)))
    assert found.sort("account_id").select("question", "account_id", "event_id", "dollars_at_stake").rows() == [
        ("shortfall", "a", "e1", Decimal(306)),
        ("shortfall", "b", "g", Decimal(0)),
    ]
    assert "on 2025-03-01 (event e1) for 101.00 dollars" in found.sort("account_id")["message"][0]
    assert "the first of 3" in found.sort("account_id")["message"][0]


# --- collateral (a stand; loans and derivatives stay apart whatever the stand) -------------------------------------------

LENT = event("b", "buy", "2024-01-10", sent="1000 USD", received="10 A", value=1000)
OUT6 = event("p1", "collateral_out", "2025-02-01", sent="6 A", value=900)
OUT3 = event("p2", "collateral_out", "2025-02-02", sent="3 A", value=450)
BACK = event("r1", "collateral_in", "2025-05-01", received="8 A", value=1600)
PLEDGED = (stand("collateral", "not_disposed"),)


def test_collateral_leaves_and_comes_back_with_its_lots() -> None:
    # 10 A at 100 each; 6 and 3 pledged, 8 returned: 9 here at the end, 1 outside; a sale of 9 finds its basis of 900
    sale = event("s", "sell", "2025-06-01", sent="9 A", received="1800 USD", value=1800)
    moved = swap(LENT, OUT6, OUT3, BACK, sale, stands=PLEDGED)
    assert table(moved, "movement_id", "movement", "quantity", "link")[1:-1] == [
        ("p1:sent", "depart", "6", "p1>r1"),
        ("p2:sent", "depart", "2", "p2>r1"),
        ("p2:sent.1", "outside", "1", None),
        ("r1:received", "arrive", "6", "p1>r1"),
        ("r1:received.1", "arrive", "2", "p2>r1"),
    ]
    assert gains(moved) == {"s:sent": ("900", "900")}
    held = book(moved).closing_lots.filter(tax_year=2025).select("location", "quantity", "basis").rows()
    assert held == [("outside", Decimal(1), Decimal(100))]
    assert asked(moved) == [("collateral_pledged", "p2")]


def test_collateral_that_was_never_seen_to_leave_has_no_known_basis() -> None:
    moved = swap(BACK, OUT6 | {"occurred_at": "2025-07-01T12:00:00"}, stands=PLEDGED)
    assert table(moved, "movement", "quantity", "amount", "basis_status") == [
        ("acquire", "8", None, "unknown"),
        ("outside", "6", None, None),
    ]
    assert asked(moved) == [("collateral_pledged", "p1"), ("collateral_unknown", "r1")]


def test_without_the_stand_collateral_is_kept_apart_and_loans_are_always() -> None:
    borrowed = event("l", "borrow", "2025-02-01", received="500 USDC", value=500)
    lost = event("d", "derivative_loss", "2025-02-01", sent="5 USDC", value=5)
    moved = swap(OUT6, BACK, borrowed, lost)
    assert moved.movements.is_empty()
    assert {question for question, _ in asked(moved)} == {"kept_apart"}
    booked = swap(OUT6, BACK, borrowed, lost, stands=PLEDGED)
    assert [event_id for question, event_id in asked(booked) if question == "kept_apart"] == ["d", "l"]
    assert {cells[0].split(":")[0] for cells in table(booked, "movement_id")} == {"p1", "r1"}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(1, 28)), max_size=10), st.randoms())
def test_pledged_units_are_moved_once_and_return_after_they_left(
    ends: list[tuple[bool, int, int]], shuffle: random.Random
) -> None:
    rows = [
        event(f"e{n}", "collateral_out" if out else "collateral_in", f"2025-02-{day:02}",
              **{"sent" if out else "received": f"{units} A"})
        for n, (out, units, day) in enumerate(ends)
    ]  # fmt: skip
    moved = swap(*rows, stands=PLEDGED).movements
    units = moved.group_by("event_id").agg(pl.col("quantity").sum()).rows()
    assert dict(units) == {f"e{n}": Decimal(units) for n, (_, units, _) in enumerate(ends)}
    linked = moved.filter(movement="depart").join(moved.filter(movement="arrive"), on="link", how="full")
    assert linked.filter(
        pl.col("link").is_null() | pl.col("link_right").is_null() | (pl.col("sequence") > pl.col("sequence_right"))
        | (pl.col("quantity") != pl.col("quantity_right"))
    ).is_empty()  # fmt: skip
    shuffle.shuffle(rows)
    assert swap(*rows, stands=PLEDGED).movements.equals(moved)


# --- properties ----------------------------------------------------------------------------------------------------------

COIN = st.sampled_from(["ETH", "WETH", "stETH", "POOL", "A"])
KIND = st.sampled_from(["trade", "wrap", "unwrap", "migration", "buy", "sell", "withdrawal", "deposit", "gift_in",
                        "gift_out", "donation", "staking", "spend", "fee", "collateral_out"])  # fmt: skip
LEGS = st.tuples(KIND, COIN, COIN, st.integers(1, 9), st.integers(1, 9), st.integers(0, 3), st.integers(1, 28))
CHOICES = st.lists(st.tuples(st.sampled_from(["wrapping", "liquid_staking", "liquidity_pool", "bridging"]),
                             st.sampled_from(["carry", "taxable"])), max_size=4, unique_by=lambda t: t[0])  # fmt: skip
GIVES = ("sell", "withdrawal", "gift_out", "donation", "spend", "fee", "collateral_out")
TAKES = ("buy", "deposit", "gift_in", "staking")


def rows_of(legs: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    rows = []
    for n, (kind, gave, got, out, into, fee, day) in enumerate(legs):
        cells = {"value": 10, "fee_value": fee}
        if kind not in TAKES:
            cells["sent"] = f"{out} {gave}"
        if kind not in GIVES:
            cells["received"] = f"{into} {got}"
        if fee:
            cells["fee"] = f"{fee} GAS"
        rows.append(event(f"e{n}", kind, f"2025-03-{day:02}", **cells))
    return rows


@settings(max_examples=80, deadline=None)
@given(st.lists(LEGS, max_size=8), CHOICES, st.randoms(use_true_random=False))
def test_each_unit_of_an_event_is_moved_once_in_one_order(
    legs: list[tuple[Any, ...]], choices: list[tuple[str, str]], shuffle: random.Random
) -> None:
    rows = rows_of(legs)
    stands = tuple(stand(topic, choice) for topic, choice in choices)
    moved = swap(*rows, stands=stands).movements
    into = ("acquire", "arrive", "convert_in")
    for row in rows:
        mine = moved.filter(event_id=row["event_id"])
        apart = row["kind"] == "collateral_out"
        for leg, entering in (("sent", False), ("received", True), ("fee", False)):
            units = Decimal(row.get(f"{leg}_quantity") or 0)
            found = mine.filter(pl.col("movement").is_in(into) == entering, leg=leg)
            assert sum(found["quantity"], Decimal(0)) == (0 if apart else units), (row["event_id"], leg)
    assert moved["sequence"].sort().to_list() == list(range(moved.height))
    shuffle.shuffle(rows)
    assert swap(*rows, stands=stands).movements.equals(moved)


ENDS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["a", "b", "c"]), st.integers(1, 4), st.integers(0, 1), st.integers(0, 300),
              st.sampled_from([None, "h1", "h2"])),
    max_size=9,
)  # fmt: skip
OWNER = {"a": "jane", "b": "jane", "c": "brian"}
WED = pl.DataFrame(
    [("j", year, who) for year in (2024, 2025) for who in ("jane", "brian")], schema=transfers.NO_COUPLES.schema,
    orient="row",
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(ENDS, st.randoms(use_true_random=False))
def test_moves_between_own_and_the_spouse_s_accounts_take_each_unit_once_and_in_order(
    ends: list[tuple[Any, ...]], shuffle: random.Random
) -> None:
    rows = []
    start = dt.datetime(2024, 12, 31, 22, 0)
    for n, (out, account, units, fee, minutes, tx) in enumerate(ends):
        at = (start + dt.timedelta(minutes=minutes)).isoformat()
        leg = {"sent": f"{units * 1000 + fee} A"} if out else {"received": f"{units * 1000} A"}
        who = {"taxpayer_id": OWNER[account], "account_id": account, "tx_id": tx, "value": 5}
        rows.append(event(f"e{n}", "withdrawal" if out else "deposit", at, fact_id=f"e{n}", **leg, **who))

    def book_of(events: list[dict[str, Any]]) -> Moved:
        known = frame(Events, *events)
        accounts = pl.DataFrame({"account_id": [*OWNER], "treatment": ["taxable"] * 3})
        found = transfers.match(known, NO_PAIRS, accounts, WED)
        return move(*events, transfers=found.transfers.to_dicts())

    moved = book_of(rows).movements
    units = dict(moved.group_by("event_id").agg(pl.col("quantity").sum()).rows())
    assert units == {e["event_id"]: Decimal(e.get("sent_quantity") or e["received_quantity"]) for e in rows}
    left, came = (moved.filter(movement=movement) for movement in ("depart", "arrive"))
    linked = left.join(came, on="link", validate="1:1")
    assert linked.height == left.height == came.height
    assert linked.filter(
        (pl.col("sequence") > pl.col("sequence_right")) | (pl.col("quantity") != pl.col("quantity_right"))
    ).is_empty()
    assert moved["sequence"].n_unique() == moved.height
    for _, own in moved.group_by("taxpayer_id"):  # the order over all is each one's own order
        assert own.sort("sequence").equals(own.sort("tax_year", "occurred_at", "sequence"))
    shuffle.shuffle(rows)
    assert book_of(rows).movements.equals(moved)
