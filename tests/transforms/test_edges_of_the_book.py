"""Edges of lots, movements and ledger: each test stands for a change of the code that no other test noticed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from schemas.clients import Stands
from schemas.inputs import Acquisitions, Overrides
from tests.transforms import test_lots as TL
from tests.transforms.frames import frame
from tests.transforms.test_holding import TABLE
from tests.transforms.test_ledger import events
from tests.transforms.test_lots import allocation, held, pieces, row, run
from tests.transforms.test_movements import CORE, DAY, IN, OUT, PAIR, event, gains, given, move, table
from tests.transforms.test_movements import asked as asked_mv
from transforms import ledger, lots
from transforms.lots import kernel, reference


@pytest.mark.parametrize(("acquired", "sold", "term"), TABLE)
def test_the_book_gives_the_term_of_the_law_s_table(acquired, sold, term):
    assert pieces(run([row("acquire", acquired, 1, 10), row("dispose", sold, 1, 20)]), "term") == [(term,)]


@pytest.mark.parametrize(("sold", "term"), [("2026-03-01", "short"), ("2026-03-02", "long")])
def test_a_gift_s_loss_turns_long_on_its_own_first_day(sold, term):
    gift = row(
        "acquire",
        "2025-03-01",
        1,
        10000,
        loss_amount=6000,
        origin="gift",
        long_term_from="2021-01-02",
        loss_long_term_from="2026-03-02",
    )
    assert pieces(run([gift, row("dispose", sold, 1, 5000)]), "gain", "term") == [("-1000", term)]


def test_lots_conserved_sees_a_lost_unit_and_a_lost_dollar():
    moved = TL.movements([row("acquire", "2025-01-01", 2, 10), row("dispose", "2025-02-01", 1, 8)])
    book = run(moved)
    for broken in (
        book._replace(gains=book.gains.clear()),
        book._replace(closing_lots=book.closing_lots.with_columns(basis=pl.col("basis") + Decimal("0.000001"))),
    ):
        assert lots.conservation(moved, lots.no_opening(), broken, 2026)["holds"].to_list() == [False]


def test_taxmin_gift_loss_period():
    gift = row(
        "acquire",
        "2025-03-01",
        1,
        100,
        loss_amount=60,
        origin="gift",
        e="gift",
        long_term_from="2021-01-02",
        loss_long_term_from="2026-03-02",
    )
    old = row("acquire", "2020-01-01", 1, 120, e="old")
    book = run([old, gift, row("dispose", "2025-09-01", 1, 50, lot_method="taxmin")])
    assert pieces(book, "lot_id", "term") == [("gift:received", "short")]


def test_taxmin_unknown_last():
    rows = [
        row("acquire", "2025-01-01", 1, None, e="unknown"),
        row("acquire", "2025-01-02", 1, 10, e="gain"),
        row("dispose", "2025-06-01", 1, 50, lot_method="taxmin"),
    ]
    assert pieces(run(rows), "lot_id") == [("gain:received",)]


def test_a_slot_takes_the_worse_status_when_more_of_its_lot_arrives():
    slot = reference._Slot(reference._Lot(0, (0, "e", "l"), 2, 10, 10, (0, 0), 0))
    slot.put(1, 5, 5, kernel.UNALLOCATED, 2025)
    slot.put(1, 5, 5, kernel.KNOWN, 2025)
    assert (slot.status, slot.basis) == (kernel.UNALLOCATED, 10)


def test_a_move_of_a_universal_pool_beyond_what_it_holds_is_a_shortfall():
    book = run([row("acquire", "2020-01-01", 1, 10), row("depart", "2021-01-01", 3, link="t")], universal=True)
    assert book.faults.select("fault", "quantity").row(0) == ("shortfall", Decimal(2))


def test_unknown_basis_stays_unknown_at_the_split():
    rows = [row("acquire", "2019-01-01", 1, None), row("acquire", "2020-01-01", 1, 10, account_id="b")]
    assert held(run(rows, universal=True), 2025, "basis_status") == [("unallocated",), ("unknown",)]


def test_an_allocation_gives_no_basis_to_units_without_one():
    rows = [row("acquire", "2019-01-01", 1, None), row("acquire", "2020-01-01", 1, 10, account_id="b")]
    given_ = allocation(("a", "2019-01-01", 1, 7), ("b", "2020-01-01", 1, 10))
    assert [q for (q,) in run(rows, universal=True, allocations=given_).faults.select("fault").rows()] == [
        "universal_unallocated"
    ]


def test_an_allocated_gift_keeps_its_loss_basis():
    rows = [
        row("acquire", "2019-01-01", 1, 10, loss_amount=6, origin="gift"),
        row("acquire", "2020-01-01", 1, 10, account_id="b"),
    ]
    g = allocation(("a", "2019-01-01", 1, 10), ("b", "2020-01-01", 1, 10))
    assert held(run(rows, universal=True, allocations=g), 2025, "pool", "basis", "loss_basis") == [
        ("a", "10", "6"),
        ("b", "10", "10"),
    ]


def test_a_conversion_keeps_the_status():
    rows = [
        row("acquire", "2020-01-01", 1, 10, basis_status="assumed", asset="OLD"),
        row("convert_out", "2025-02-01", 1, asset="OLD", e="s", link="s"),
        row("convert_in", "2025-02-01", 1, asset="NEW", e="s", link="s"),
    ]
    assert held(run(rows), 2025, "basis_status") == [("assumed",)]


def test_a_lot_in_two_accounts_of_a_wallet_converts_into_one():
    rows = [
        row("acquire", "2025-01-01", 10, 1000, account_id="x", wallet="w"),
        row("depart", "2025-01-02", 3, account_id="x", wallet="w", link="t"),
        row("arrive", "2025-01-02", 3, account_id="y", wallet="w", link="t"),
        row("convert_out", "2025-02-01", 10, account_id="x", wallet="w", e="s", link="s"),
        row("convert_in", "2025-02-01", 10, account_id="x", wallet="w", asset="NEW", e="s", link="s"),
    ]
    b = run(rows)
    assert held(b, 2025, "lot_id", "quantity", "basis") == [("s:received<e000:received", "10", "1000")]
    assert b.lots["lot_id"].is_unique().all()


def test_what_left_a_universal_pool_for_outside_stays_outside_over_the_year():
    rows = [row("acquire", "2020-01-01", 2, 10), row("outside", "2020-02-01", 1), row("dispose", "2022-01-01", 2, 8)]
    whole = run(rows, universal=True, last=2022)
    op = lots.opening_slots(whole.closing_lots, whole.lots, 2020)
    later = run(rows, universal=True, first=2021, last=2022, opening=op)
    assert pieces(later, "lot_id", "quantity") == [("e000:received", "1"), (None, "1")]


# movements
def test_a_fee_withheld_from_a_reward_costs_nothing():
    older = event("old", "buy", "2024-01-10", sent="1 USD", received="5 SOL", value=1)
    moved = move(older, event("r", "staking", received="2 SOL", fee="0.1 SOL", value=200, fee_value=10))
    assert gains(moved) == {"r:fee": ("10", "0")}


def test_a_purchase_that_its_fee_eats_whole_still_enters():
    moved = move(event("b", "buy", sent="5 USD", received="1 A", fee="1 A", value=5, fee_value=5))
    assert [c[:4] for c in table(moved, *CORE)] == [("b:received", "acquire", "A", "1"), ("b:fee", "dispose", "A", "1")]


def test_of_two_records_the_one_by_event_id_counts():
    g = event("gift", "gift_in", "2025-03-01", received="1 A", value=6000, tx_id="0xgift")
    recs = pl.concat([given(donor_basis=1), given(donor_basis=2, event_id=None, tx_id="0xgift")])
    assert table(move(g, acquisitions=recs), "amount") == [("1",)]


def test_an_inheritance_is_dated_by_its_receipt_whatever_the_donor_s_date():
    rec = frame(
        Acquisitions,
        {
            "event_id": "in",
            "origin": "inheritance",
            "value_at_transfer": 900,
            "donor_acquired_at": "2020-01-01T00:00:00",
        },
    )
    moved = move(event("in", "inheritance", received="1 A", value=1000), acquisitions=rec)
    assert table(moved, "date_acquired", "long_term_from") == [(DAY(2025, 3, 1), DAY(2025, 3, 1))]


def test_moves_ask_for_no_filed_method():
    b = event("b", "buy", "2021-01-01", sent="1 USD", received="9 A", value=1)
    out = OUT | event("out", "withdrawal", "2021-06-01", sent="9 A", value=1)
    inn = IN | event("in", "deposit", "2021-06-02", received="9 A", account_id="b")
    assert asked_mv(move(b, out, inn, transfers=[PAIR])) == []


def test_one_wallet_asks_for_no_pool_nor_do_two_without_a_sale():
    b = event("b", "buy", "2021-01-01", sent="1 USD", received="9 A", value=1)
    s = event("s", "sell", "2021-05-01", sent="1 A", received="3 USD", value=3)
    assert [q for q, _ in asked_mv(move(b, s))] == ["filed_method_missing"]
    assert (
        asked_mv(move(b, event("c", "buy", "2021-01-01", sent="1 USD", received="9 A", value=1, account_id="b"))) == []
    )


FIRM_CARRIES = frame(Stands, {"from_year": 2009, "topic": "wrapping", "choice": "carry"})


def test_the_firm_s_stand_fills_the_blank():
    wrap = event("wrap", "wrap", sent="1 ETH", received="1 WETH", value=2000)
    assert [c[1] for c in table(move(wrap, positions=FIRM_CARRIES), *CORE)] == ["convert_out", "convert_in"]


def test_half_a_wrap_under_carry_goes_outside():
    moved = move(event("w", "wrap", sent="1 ETH", value=2), positions=FIRM_CARRIES)
    assert table(moved, "movement") == [("outside",)]
    assert asked_mv(moved) == [("stand_not_applied", "w")]


def test_half_an_unwrap_under_carry_has_no_basis_of_its_own():
    # the basis that would carry over left with the other half: the value on the day would be a second one
    moved = move(event("w", "unwrap", received="1 ETH", value=2), positions=FIRM_CARRIES)
    assert table(moved, "movement", "amount", "basis_status") == [("acquire", None, "unknown")]
    assert asked_mv(moved) == [("stand_not_applied", "w")]


# ledger
def test_two_accounts_with_one_reference_are_two_events():
    r = {"row_key": "k", "group_key": "T", "asset": "ADA", "quantity": "3"}
    assert events({**r, "role": "sent", "account_id": "a"}, {**r, "role": "received", "account_id": "b"})[
        "kind"
    ].sort().to_list() == ["deposit", "withdrawal"]


def test_a_second_fee_is_an_event_of_its_own():
    rows = [
        {"row_no": n, "row_key": str(n), "group_key": "g", "role": ro, "asset": a, "quantity": "1"}
        for n, (ro, a) in enumerate([("sent", "BTC"), ("received", "ETH"), ("fee", "BNB"), ("fee", "USD")], 1)
    ]
    got = events(*rows)
    assert got.sort("fee_asset").select("kind", "fee_asset").rows() == [("trade", "BNB"), ("fee", "USD")]


def test_a_kind_of_a_fee_row_does_not_name_the_fact():
    rows = [
        {
            "row_no": 1,
            "row_key": "1",
            "group_key": "g",
            "role": "received",
            "asset": "ADA",
            "quantity": "1",
            "kind": "staking",
        },
        {"row_no": 2, "row_key": "2", "group_key": "g", "role": "fee", "asset": "ADA", "quantity": "1", "kind": "fee"},
    ]
    assert events(*rows)["kind"].to_list() == ["staking"]


def test_a_netted_leg_keeps_its_stated_price():
    rows = [
        {
            "row_no": 1,
            "row_key": "1",
            "group_key": "h",
            "role": "sent",
            "asset": "ETH",
            "quantity": "1",
            "usd_value": "2000",
            "source": "etherscan",
        },
        {
            "row_no": 2,
            "row_key": "2",
            "group_key": "h",
            "role": "received",
            "asset": "ETH",
            "quantity": "0.25",
            "usd_value": "500",
            "source": "etherscan",
        },
    ]
    assert str(events(*rows)["usd_value"][0]) == "1500.000000"


def test_a_part_stated_value_is_no_value():
    rows = [
        {
            "row_no": 1,
            "row_key": "1",
            "group_key": "h",
            "role": "sent",
            "asset": "ETH",
            "quantity": "1",
            "usd_value": "2000",
        },
        {"row_no": 2, "row_key": "2", "group_key": "h", "role": "sent", "asset": "ETH", "quantity": "1"},
    ]
    assert events(*rows)["usd_value"].to_list() == [None]


def test_a_fact_is_dated_by_its_first_leg():
    rows = [
        {"row_no": 1, "row_key": "1", "group_key": "h", "role": "sent", "asset": "ETH", "quantity": "1"},
        {
            "row_no": 2,
            "row_key": "2",
            "group_key": "h",
            "role": "received",
            "asset": "BTC",
            "quantity": "1",
            "occurred_at": "2025-03-02T10:00:00",
        },
    ]
    assert events(*rows)["occurred_at"][0] == dt.datetime(2025, 3, 1, 10, tzinfo=dt.UTC)


def test_a_stated_buy_of_coin_for_coin_is_a_trade():
    rows = [
        {"row_no": 1, "row_key": "1", "group_key": "h", "role": "sent", "asset": "ETH", "quantity": "1", "kind": "buy"},
        {
            "row_no": 2,
            "row_key": "2",
            "group_key": "h",
            "role": "received",
            "asset": "BTC",
            "quantity": "1",
            "kind": "buy",
        },
    ]
    assert events(*rows)["kind"].to_list() == ["trade"]


def test_overrides_of_time_bad_kind_negative_amount():
    before = events({"row_key": "x", "role": "received", "asset": "ADA", "quantity": "3"})
    e = before["event_id"][0]

    def o(f, v):
        return {"event_id": e, "field": f, "value": v, "at": "2026-01-01T00:00:00"}

    after, refused = ledger.apply_overrides(
        before,
        frame(
            Overrides,
            o("occurred_at", "2024-12-31T23:59:00-05:00"),
            o("kind", "stakin"),
            o("usd_value", "-1"),
            o("price_source", "x"),
        ),
    )
    assert after["occurred_at"][0] == dt.datetime(2025, 1, 1, 4, 59, tzinfo=dt.UTC)
    assert dict(refused.select("field", "why").iter_rows()) == {
        "kind": "the value cannot be read",
        "usd_value": "the value cannot be read",
        "price_source": "the field cannot be overridden",
    }
