from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas import gate
from schemas.inputs import (
    Accounts,
    Acquisitions,
    Allocations2025,
    BasisPools,
    FiledMethods,
    LotOrders,
    OpeningLots,
    Positions,
)
from schemas.ledger import Events, Movements, Transfers
from tests.transforms.frames import frame
from transforms import lots
from transforms.movements import Moved, movements, universal_taxpayers, wallets

ACCOUNTS = frame(
    Accounts,
    {"account_id": "a", "taxpayer_id": "jane", "custody": "us_broker"},
    {"account_id": "b", "taxpayer_id": "jane", "custody": "self", "wallet": "ledger"},
    {"account_id": "c", "taxpayer_id": "brian", "wallet": ""},
)
ZONES = pl.DataFrame({"taxpayer_id": ["jane"], "valid_from": [dt.date(2009, 1, 1)], "time_zone": ["America/New_York"]})


def event(name: str, kind: str, at: str = "2025-03-01", **cells: Any) -> dict[str, Any]:
    """An event; legs as `sent="10 A"`, value in dollars."""
    at = at if "T" in at else f"{at}T17:00:00"
    row = {"event_id": name, "kind": kind, "occurred_at": at, "tax_date": at[:10], "tax_year": int(at[:4])}
    row |= {"taxpayer_id": "jane", "account_id": "a", "source": "universal"}
    for leg in ("sent", "received", "fee"):
        if leg in cells:
            row[f"{leg}_quantity"], row[f"{leg}_asset"] = cells.pop(leg).split()
    names = {"value": "usd_value", "fee_value": "fee_usd_value"}
    return row | {names.get(name, name): cell for name, cell in cells.items()}


def move(*events: dict[str, Any], transfers: list[dict[str, Any]] | None = None, **tables: Any) -> Moved:
    links = [{"score": 100, "matched_by": "tx_id", "fee_quantity": 0, "asset": "A"} | t for t in transfers or []]
    firm = {
        "acquisitions": frame(Acquisitions), "opening_lots": frame(OpeningLots), "positions": frame(Positions),
        "lot_orders": frame(LotOrders), "filed_methods": frame(FiledMethods), "basis_pools": frame(BasisPools),
        "accounts": ACCOUNTS,
    } | tables  # fmt: skip
    events = [{"fact_id": e["event_id"]} | e for e in events]
    result = movements(
        frame(Events, *events),
        frame(Transfers, *links, out_taxpayer_id="jane", in_taxpayer_id="jane"),
        zones=ZONES,
        **firm,
    )
    assert gate.check(result.movements, Movements).rejected.is_empty()
    return result


def plain(value: Any) -> Any:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def table(moved: Moved, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(map(plain, cells)) for cells in moved.movements.select(columns).iter_rows()]


def asked(moved: Moved) -> list[tuple[str, str | None]]:
    return list(moved.questions.select("question", "event_id").iter_rows())


def book(moved: Moved) -> lots.LotBook:
    own = wallets(ACCOUNTS)
    none = frame(Allocations2025)
    return lots.run(moved.movements, lots.no_opening(), set(), none, own, (2009, 2026), picks=moved.picks)


def gains(moved: Moved) -> dict[str, tuple[str, str]]:
    """What the lot book makes of it: disposal -> basis and gain."""
    return {d: (plain(b), plain(g)) for d, b, g in book(moved).gains.select("disposal_id", "basis", "gain").iter_rows()}


BOUGHT = event("a0", "buy", "2025-01-10", sent="5 USD", received="10 A", value=5)
CORE = ("movement_id", "movement", "asset", "quantity", "amount")


# --- fees, proceeds and basis --------------------------------------------------------------------------------------


def test_e2_1_a_fee_in_cash_raises_the_basis_of_a_purchase_and_lowers_the_proceeds_of_a_sale() -> None:
    moved = move(
        event("buy", "buy", "2025-01-10", sent="60000 USD", received="1 BTC", fee="120 USD", value=60000, fee_value=120),
        event("sell", "sell", "2025-05-01", sent="0.4 BTC", received="26000 USD", fee="52 USD", value=26000, fee_value=52),
    )  # fmt: skip
    assert table(moved, *CORE, "disposal_kind") == [
        ("buy:received", "acquire", "BTC", "1", "60120", None),
        ("sell:sent", "dispose", "BTC", "0.4", "25948", "sell"),
    ]
    assert gains(moved) == {"sell:sent": ("24048", "1900")}


def test_e2_2_a_cash_fee_of_an_exchange_goes_to_the_units_given() -> None:
    moved = move(BOUGHT, event("swap", "trade", sent="10 A", received="20 B", fee="2 USD", value=20, fee_value=2))
    assert gains(moved) == {"swap:sent": ("5", "13")}
    assert ("swap:received", "acquire", "B", "20", "20") in table(moved, *CORE)


def test_e2_3_a_fee_in_a_third_coin_is_a_disposal_of_it() -> None:
    # A realises 20 - 2 = 18, gain 13; the 2 C are worth 2 and cost 1. (The cost of disposing of C, the example's
    # third C, is a second fee that one event has no room for.)
    third = event("c0", "buy", "2025-01-10", sent="1.5 USD", received="3 C", value="1.5")
    moved = move(BOUGHT, third, event("swap", "trade", sent="10 A", received="20 B", fee="2 C", value=20, fee_value=2))
    assert gains(moved) == {"swap:sent": ("5", "13"), "swap:fee": ("1", "1")}


def test_e2_3_in_full_a_fee_net_of_what_paying_it_cost() -> None:
    # 3 C left, one of them for disposing of C: C realises 3 - 1 = 2 on 1.50, and 2 is the cost of disposing of A
    third = event("c0", "buy", "2025-01-10", sent="1.5 USD", received="3 C", value="1.5")
    moved = move(BOUGHT, third, event("swap", "trade", sent="10 A", received="20 B", fee="3 C", value=20, fee_value=2))
    assert gains(moved) == {"swap:sent": ("5", "13"), "swap:fee": ("1.5", "0.5")}
    assert ("swap:received", "acquire", "B", "20", "20") in table(moved, *CORE)


def test_e2_4_units_withheld_from_those_given_are_given_too() -> None:
    # 9 A for 18 B and 1 A withheld: all 10 A realise 18 + 2 - 2 = 18, gain 13; B has basis 18.
    moved = move(BOUGHT, event("swap", "trade", sent="9 A", received="18 B", fee="1 A", value=18, fee_value=2))
    result = gains(moved)
    assert result == {"swap:sent": ("4.5", "11.5"), "swap:fee": ("0.5", "1.5")}
    assert ("swap:received", "acquire", "B", "18", "18") in table(moved, *CORE)


def test_e2_5_units_withheld_from_those_received_have_no_gain_and_lower_the_proceeds_of_those_given() -> None:
    # 10 CD for 10 AB worth 20, 1 AB withheld: CD realises 18; the AB fee comes from the AB just received.
    older = event("ab", "buy", "2024-01-10", sent="1 USD", received="5 AB", value=1)
    moved = move(
        BOUGHT, older, event("swap", "trade", sent="10 A", received="10 AB", fee="1 AB", value=20, fee_value=3)
    )
    assert gains(moved) == {"swap:sent": ("5", "13"), "swap:fee": ("2", "0")}
    assert moved.picks.select("movement_id", "lot_id", "quantity", "lot_method").rows() == [
        ("swap:fee", "swap:received", None, "deemed")
    ]


def test_a_purchase_with_the_fee_withheld_in_the_coin_enters_net_at_the_cash_paid() -> None:
    moved = move(event("buy", "buy", sent="100 USD", received="10 A", fee="1 A", value=100, fee_value=10))
    assert table(moved, *CORE) == [("buy:received", "acquire", "A", "9", "100")]


def test_costs_above_the_value_leave_negative_proceeds() -> None:
    # A $5 token sold with $20 of gas: the token realises -15 and the gas its own 20 (Reg. 1.1001-7(b)(1)).
    moved = move(event("swap", "trade", sent="1 A", received="2 B", fee="0.01 ETH", value=5, fee_value=20))
    assert [cells[-1] for cells in table(moved, *CORE)] == ["5", "-15", "20"]


def test_e2_6_a_reward_has_its_value_as_basis() -> None:
    moved = move(event("stake", "staking", "2025-05-01", received="2.0 SOL", value=200))
    assert table(moved, *CORE, "origin", "long_term_from") == [
        ("stake:received", "acquire", "SOL", "2", "200", "staking", dt.date(2026, 5, 2))
    ]


def test_legs_of_one_sided_trades_go_at_their_own_value() -> None:
    moved = move(event("t1", "trade", sent="1 A", value=7), event("t2", "trade", received="2 B", value=9))
    assert table(moved, *CORE) == [("t2:received", "acquire", "B", "2", "9"), ("t1:sent", "dispose", "A", "1", "7")]


def test_without_a_price_basis_is_unknown_and_never_zero() -> None:
    moved = move(event("swap", "trade", sent="1 A", received="2 B"))
    assert table(moved, "amount", "basis_status") == [(None, "unknown"), (None, None)]


@pytest.mark.parametrize(
    ("kind", "disposal_kind", "amount"),
    [("gift_out", "gift_out", None), ("donation", "donation", None), ("theft", "theft", None), ("loss", "loss", None),
     ("spend", "spend", "8"), ("fee", "fee", "8"), ("trade", "trade", "8")],
)  # fmt: skip
def test_what_leaves_is_named_by_its_kind(kind: str, disposal_kind: str, amount: str | None) -> None:
    assert table(move(event("e", kind, sent="1 A", value=8)), "disposal_kind", "amount") == [(disposal_kind, amount)]


def test_fiat_is_no_lot_and_derivatives_are_kept_apart_and_asked() -> None:
    moved = move(
        event("wire", "deposit", received="100 USD", value=100),
        event("eur", "withdrawal", sent="100 EUR", value=110),
        event("perp", "derivative_gain", received="1 A", fee="1 A", value=10),
    )
    assert moved.movements.is_empty()
    assert asked(moved) == [("kept_apart", "perp")]


# --- transfers -----------------------------------------------------------------------------------------------------

OUT = event("out", "withdrawal", "2025-06-01", sent="10 A", value=1500)
IN = event("in", "deposit", "2025-06-02", received="9 A", account_id="b")
PAIR = {"transfer_id": "t", "out_event_id": "out", "in_event_id": "in", "quantity": 9, "fee_quantity": 1}


def test_e2_8_units_that_do_not_arrive_are_a_fee_at_their_share_of_the_value() -> None:
    lot = event("buy", "buy", "2025-01-10", sent="1000 USD", received="10 A", value=1000)
    moved = move(lot, OUT, IN, transfers=[PAIR])
    assert table(moved, *CORE, "wallet", "link") == [
        ("buy:received", "acquire", "A", "10", "1000", "a", None),
        ("out:sent", "depart", "A", "9", None, "a", "t"),
        ("out:fee", "dispose", "A", "1", "150", "a", None),
        ("in:received", "arrive", "A", "9", None, "ledger", "t"),
    ]
    assert gains(moved) == {"out:fee": ("100", "50")}
    assert asked(moved) == []


def test_a_fee_beside_the_amount_is_one_disposal_and_everything_sent_arrives() -> None:
    out = OUT | event("out", "withdrawal", "2025-06-01", sent="9 A", fee="1 A", value=1350, fee_value=150)
    moved = move(out, IN, transfers=[PAIR])
    assert table(moved, *CORE)[:2] == [("out:sent", "depart", "A", "9", None), ("out:fee", "dispose", "A", "1", "150")]


def test_fees_inside_and_beside_the_amount_are_two_disposals() -> None:
    out = event("out", "withdrawal", "2025-06-01", sent="10 A", fee="2 G", value=1500, fee_value=4)
    moved = move(out, IN, transfers=[PAIR])
    assert table(moved, *CORE)[:3] == [
        ("out:sent", "depart", "A", "9", None),
        ("out:sent", "dispose", "A", "1", "150"),
        ("out:fee", "dispose", "G", "2", "4"),
    ]


TEN = event("buy", "buy", "2025-01-10", sent="1000 USD", received="10 A", value=1000)


@pytest.mark.parametrize(
    ("stated", "fee_value", "legs", "asks"),
    [
        ("1", 150, [("out:sent", "depart", "9", None), ("out:fee", "dispose", "1", "150")], []),  # it is that one fee
        ("0.4", 60, [("out:sent", "depart", "9", None), ("out:sent", "dispose", "0.6", "90"),
                 ("out:fee", "dispose", "0.4", "60")], []),  # it and the rest of what did not arrive
        ("2", 300, [("out:sent", "depart", "9", None), ("out:sent", "dispose", "1", "150"),
               ("out:fee", "dispose", "2", "300")], [("transfer_fee_doubtful", "out")]),  # more than did not arrive
    ],
)  # fmt: skip
def test_a_fee_stated_in_the_moved_coin_and_inside_the_amount_is_one_fee(
    stated: str, fee_value: int, legs: list[tuple[Any, ...]], asks: list[tuple[str, str]]
) -> None:
    # 10 A leave, 9 arrive, a price of 150 (E2.8: the units of the fee are disposed of once, at their value)
    out = event(
        "out",
        "withdrawal",
        "2025-06-01",
        sent="10 A",
        fee=f"{stated} A",
        value=1500,
        fee_value=fee_value,
    )
    moved = move(TEN, out, IN, transfers=[PAIR])
    assert table(moved, "movement_id", "movement", "quantity", "amount")[1:-1] == legs
    assert asked(moved) == asks
    if asks:
        assert moved.questions.select("account_id", "asset", "dollars_at_stake").row(0) == ("a", "A", Decimal(300))


def test_a_fee_that_only_the_deposit_states_is_the_part_that_did_not_arrive() -> None:
    came = IN | event("in", "deposit", "2025-06-02", received="9 A", fee="1 A", fee_value=150)
    moved = move(TEN, OUT, came | {"account_id": "b"}, transfers=[PAIR])
    assert gains(moved) == {"out:fee": ("100", "50")}
    assert asked(moved) == []


def test_a_deposit_dated_before_its_withdrawal_pulls_the_departure_to_its_instant() -> None:
    early = IN | event("in", "deposit", "2024-12-31T23:59:00", received="9 A")
    late = OUT | event("out", "withdrawal", "2025-01-01T00:01:00", sent="9 A", value=1350)
    moved = move(late, early, transfers=[PAIR])
    assert table(moved, "movement", "tax_year", "sequence") == [("depart", 2024, 0), ("arrive", 2024, 1)]


def test_what_nothing_matches_goes_outside_or_comes_with_unknown_basis_and_is_asked() -> None:
    moved = move(OUT, IN)
    assert table(moved, *CORE, "origin", "basis_status") == [
        ("out:sent", "outside", "A", "10", None, None, None),
        ("in:received", "acquire", "A", "9", None, "deposit", "unknown"),
    ]
    assert asked(moved) == [("unmatched_deposit", "in"), ("unmatched_withdrawal", "out")]


def test_units_that_went_to_the_spouse_leave_one_book_and_enter_the_other() -> None:
    # IRC 1041: the units are not disposed of; E2.8 holds for the unit that paid the network
    moved = move(OUT, IN | {"taxpayer_id": "brian", "account_id": "c"}, transfers=[PAIR | {"in_taxpayer_id": "brian"}])
    assert table(moved, "taxpayer_id", "movement", "quantity", "amount", "link") == [
        ("brian", "arrive", "9", None, "t"),
        ("jane", "depart", "9", None, "t"),
        ("jane", "dispose", "1", "150", None),
    ]
    order = moved.movements.sort("sequence")["movement"].to_list()
    assert order == ["depart", "dispose", "arrive"]
    assert asked(moved) == []


# --- how units came in ---------------------------------------------------------------------------------------------

GIFT = event("gift", "gift_in", "2025-03-01", received="1 A", value=6000, tx_id="0xgift")
LOT = ("amount", "loss_amount", "date_acquired", "long_term_from", "loss_long_term_from", "origin", "basis_status")
DAY = dt.date


def given(**record: Any) -> pl.DataFrame:
    return frame(
        Acquisitions, {"event_id": "gift", "origin": "gift", "donor_acquired_at": "2020-01-01T03:00:00"} | record
    )


@pytest.mark.parametrize(
    ("record", "basis", "loss_basis", "loss_from"),
    [
        ({"donor_basis": 10000}, "10000", "6000", DAY(2026, 3, 2)),  # E2.7: value at the gift below the donor's basis
        ({"donor_basis": 4000}, "4000", "4000", DAY(2021, 1, 1)),
        ({"donor_basis": 4000, "gift_tax_adjustment": 500}, "4500", "4500", DAY(2021, 1, 1)),  # IRC 1015(d)(6)
        ({"donor_basis": 4000, "gift_tax_adjustment": 5000}, "6000", "6000", DAY(2021, 1, 1)),  # capped at the value
        ({"donor_basis": 4000, "value_at_transfer": 3000}, "4000", "3000", DAY(2026, 3, 2)),  # the record beats the price
        ({"donor_basis": 4000, "event_id": None, "tx_id": "0xgift"}, "4000", "4000", DAY(2021, 1, 1)),
    ],
)  # fmt: skip
def test_a_gift_keeps_the_donor_s_basis_and_period(record: Any, basis: str, loss_basis: str, loss_from: DAY) -> None:
    # given on 2020-01-01 03:00 UTC, which is New Year's Eve in New York: long-term from 2021-01-01
    moved = move(GIFT, acquisitions=given(**record))
    assert table(moved, *LOT) == [(basis, loss_basis, DAY(2019, 12, 31), DAY(2021, 1, 1), loss_from, "gift", "known")]
    assert asked(moved) == []


@pytest.mark.parametrize("record", [{"donor_basis": None}, {"event_id": "another", "donor_basis": 5}])
def test_a_gift_without_the_donor_s_basis_is_unknown_and_asked(record: dict[str, Any]) -> None:
    moved = move(GIFT, acquisitions=given(**record))
    assert table(moved, "amount", "loss_amount", "basis_status") == [(None, None, "unknown")]
    assert [ask for ask in asked(moved) if ask[1] == "gift"] == [("basis_missing_gift", "gift")]


def test_a_gift_whose_value_when_given_is_not_known_has_no_basis_yet() -> None:
    # E2.7 would make the loss basis the lower value: without it a sale below 10,000 is no known loss
    moved = move(GIFT | {"usd_value": None}, acquisitions=given(donor_basis=10000))
    assert table(moved, "amount", "loss_amount", "basis_status") == [(None, None, "unknown")]
    assert asked(moved) == [("basis_missing_gift", "gift")]


@pytest.mark.parametrize(
    ("proceeds", "date_acquired", "acquired_at", "gain"),
    [
        (5000, DAY(2025, 3, 1), "2025-03-01T17:00:00", "-1000"),  # a loss runs from the gift
        (8000, DAY(2019, 12, 31), "2020-01-01T03:00:00", "0"),
        (12000, DAY(2019, 12, 31), "2020-01-01T03:00:00", "2000"),  # a gain has the donor's date
    ],
)
def test_e2_7_the_date_acquired_of_a_piece_goes_with_the_basis_used(
    proceeds: int, date_acquired: DAY, acquired_at: str, gain: str
) -> None:
    sale = event("s", "sell", "2025-09-01", sent="1 A", received=f"{proceeds} USD", value=proceeds)
    moved = move(GIFT, sale, acquisitions=given(donor_basis=10000))
    piece = book(moved).gains.row(0, named=True)
    assert (piece["date_acquired"], plain(piece["gain"])) == (date_acquired, gain)
    assert piece["acquired_at"] == dt.datetime.fromisoformat(acquired_at).replace(tzinfo=dt.UTC)


def test_a_gift_whose_donor_s_date_is_not_known_starts_today_and_says_so() -> None:
    moved = move(GIFT, acquisitions=given(donor_basis=4000, donor_acquired_at=None))
    assert table(moved, "date_acquired", "basis_status") == [(DAY(2025, 3, 1), "assumed")]


def test_an_inheritance_has_the_value_at_death_and_is_long_term_at_once() -> None:
    # IRC 1014, 1223(9); the value on the day of receipt is not the value at death
    record = frame(Acquisitions, {"event_id": "in", "origin": "inheritance", "value_at_transfer": 900})
    moved = move(event("in", "inheritance", received="1 A", value=1000), acquisitions=record)
    day = DAY(2025, 3, 1)
    assert table(moved, *LOT) == [("900", "900", day, day, day, "inheritance", "known")]


def test_a_deposit_that_staff_explained_takes_basis_and_date_from_the_record() -> None:
    # a spouse's coins: carryover both ways, no second basis (IRC 1041), though worth less than they cost
    record = given(event_id="in", origin="spouse", donor_basis=4000, value_at_transfer=1)
    moved = move(IN, acquisitions=record)
    assert table(moved, "amount", "loss_amount", "origin", "basis_status") == [("4000", "4000", "spouse", "known")]
    assert asked(moved) == []


def test_opening_lots_enter_at_their_own_date_with_ids_from_their_content() -> None:
    cells = {"taxpayer_id": "jane", "account_id": "b", "asset": "A", "quantity": 2, "origin": "buy"}
    rows = [
        cells | {"acquired_at": "2016-01-01T03:00:00", "basis": 30},
        cells | {"acquired_at": "2016-01-01T03:00:00", "basis": 30},
        cells | {"acquired_at": "2024-06-01T12:00:00", "basis": 9, "origin": "gift"},
        cells | {"acquired_at": "2024-06-01T12:00:00", "origin": "inheritance"},
    ]
    moved = move(BOUGHT, opening_lots=frame(OpeningLots, *rows))
    assert (
        table(moved, "tax_year", "wallet", *LOT)[:2]
        == [(2015, "ledger", "30", "30", DAY(2015, 12, 31), DAY(2017, 1, 1), DAY(2017, 1, 1), "buy", "known")] * 2
    )
    late = sorted(table(moved, "amount", "loss_amount", "long_term_from", "basis_status")[2:4], key=str)
    assert late == [("9", "9", DAY(2025, 6, 2), "known"), (None, None, DAY(2024, 6, 1), "unknown")]
    other = move(BOUGHT, opening_lots=frame(OpeningLots, *rows[::-1]))
    assert other.movements.equals(moved.movements)
    assert moved.movements["movement_id"].n_unique() == 5


OLD_GIFT = {
    "taxpayer_id": "jane", "account_id": "b", "asset": "A", "quantity": 1, "origin": "gift", "basis": 9, "loss_basis": 5,
    "acquired_at": "2020-01-01T12:00:00",
}  # fmt: skip


def test_an_opening_gift_worth_less_than_its_basis_counts_losses_from_the_day_it_was_made() -> None:
    # IRC 1015(a), 1223(2): given on 2024-06-02 03:00 UTC, which is 1 June in New York; a loss is long from 2025-06-02
    row = OLD_GIFT | {"loss_acquired_at": "2024-06-02T03:00:00"}
    moved = move(BOUGHT, opening_lots=frame(OpeningLots, row))
    expected = ("9", "5", DAY(2020, 1, 1), DAY(2021, 1, 2), DAY(2025, 6, 2), "gift", "known", DAY(2024, 6, 1))
    assert table(moved, *LOT, "loss_date_acquired")[0] == expected
    assert asked(moved) == []


def test_an_opening_gift_with_a_loss_basis_and_no_day_of_the_gift_is_unknown_and_asked() -> None:
    moved = move(BOUGHT, opening_lots=frame(OpeningLots, OLD_GIFT))
    assert table(moved, "amount", "loss_amount", "basis_status")[0] == (None, None, "unknown")
    asks = moved.questions.select("question", "taxpayer_id", "account_id", "asset", "tax_year", "dollars_at_stake")
    assert asks.rows() == [("basis_missing_gift", "jane", "b", "A", 2020, Decimal(9))]


def test_an_opening_loss_basis_that_is_not_below_the_basis_is_the_basis() -> None:
    # IRC 1015(a): the value at the gift counts for a loss only where the donor's basis is greater
    moved = move(BOUGHT, opening_lots=frame(OpeningLots, OLD_GIFT | {"loss_basis": 12}))
    assert table(moved, "amount", "loss_amount", "loss_date_acquired")[0] == ("9", "9", DAY(2020, 1, 1))


def test_a_migration_carries_basis_over_and_a_wrap_does_where_that_is_the_stand() -> None:
    swap = event("swap", "migration", sent="100 LEND", received="1 AAVE")
    assert [c[1] for c in table(move(swap), *CORE)] == ["convert_out", "convert_in"]
    wrap = event("wrap", "wrap", sent="1 ETH", received="1 WETH", value=2000)
    taxable = move(wrap)
    assert table(taxable, *CORE, "disposal_kind") == [
        ("wrap:received", "acquire", "WETH", "1", "2000", None),
        ("wrap:sent", "dispose", "ETH", "1", "2000", "wrap"),
    ]
    assert asked(taxable) == [("wrapping_taxable", "wrap")]
    stand = frame(Positions, {"taxpayer_id": "jane", "from_year": 2025, "topic": "wrapping", "choice": "carry"})
    assert [c[1] for c in table(move(wrap, positions=stand), *CORE)] == ["convert_out", "convert_in"]
    later = stand.with_columns(from_year=pl.lit(2026, pl.Int64))
    assert [c[1] for c in table(move(wrap, positions=later), *CORE)] == ["acquire", "dispose"]


# --- order, methods, questions -------------------------------------------------------------------------------------


def test_at_one_instant_units_come_in_before_they_leave() -> None:
    events = [
        event("e1", "sell", sent="1 A", received="5 USD", value=5),
        event("e2", "buy", sent="5 USD", received="1 A", value=5),
        event("out", "withdrawal", sent="9 A", value=9),
        event("in", "deposit", received="9 A", account_id="b"),
    ]
    expected = [("e2:received", 0), ("out:sent", 1), ("in:received", 2), ("e1:sent", 3)]
    for seed in range(5):
        random.Random(seed).shuffle(events)
        assert table(move(*events, transfers=[PAIR]), "movement_id", "sequence") == expected


def test_units_that_leave_carry_the_method_in_force_and_units_that_come_do_not() -> None:
    order = {"taxpayer_id": "jane", "method": "hifo", "recorded_at": "2025-02-01T00:00:00"}
    moved = move(BOUGHT, OUT, event("s", "spend", sent="1 A", value=1), lot_orders=frame(LotOrders, order))
    assert table(moved, "movement", "lot_method") == [("acquire", None), ("dispose", "hifo"), ("outside", "hifo")]


def test_early_disposals_ask_for_the_filed_method_and_several_wallets_for_the_pool() -> None:
    sale = event("s", "sell", "2021-05-01", sent="1 A", received="3 USD", value=3)
    second = event("b", "buy", "2020-05-01", sent="1 USD", received="1 A", value=1, account_id="b")
    unknown = move(sale, second)
    assert unknown.questions.select("question", "taxpayer_id", "tax_year").rows() == [
        ("basis_pool_unknown", "jane", None),
        ("filed_method_missing", "jane", 2021),
    ]
    pools = frame(BasisPools, {"taxpayer_id": "jane", "until_2025": "universal"})
    filed = frame(FiledMethods, {"taxpayer_id": "jane", "tax_year": 2021, "method": "fifo"})
    assert move(sale, second, basis_pools=pools, filed_methods=filed).questions.is_empty()
    assert universal_taxpayers(pools) == {"jane"}


def test_accounts_of_different_treatment_share_no_wallet() -> None:
    # what lies in an IRA is the trustee's (IRC 408(a)): naming one device for both does not mix the lots
    accounts = frame(
        Accounts,
        {"account_id": "own", "wallet": "ledger", "treatment": "taxable"},
        {"account_id": "also", "wallet": "ledger"},
        {"account_id": "ira", "wallet": "ledger", "treatment": "ira"},
        {"account_id": "hsa", "treatment": "hsa"},
    )
    assert wallets(accounts).rows() == [
        ("own", "ledger", "taxable"),
        ("also", "ledger", "taxable"),
        ("ira", "ledger/ira", "ira"),
        ("hsa", "hsa/hsa", "hsa"),
    ]


def test_an_ira_beside_one_own_wallet_raises_no_question_of_pools() -> None:
    accounts = ACCOUNTS.with_columns(treatment=pl.when(pl.col("account_id") == "b").then(pl.lit("ira")))
    sale = event("s", "sell", "2021-05-01", sent="1 A", received="3 USD", value=3)
    second = event("b", "buy", "2020-05-01", sent="1 USD", received="1 A", value=1, account_id="b")
    assert asked(move(sale, second, accounts=accounts)) == [("filed_method_missing", None)]


def test_no_events_no_movements() -> None:
    assert move().movements.is_empty()


def test_no_more_departs_than_was_sent() -> None:
    out = event("out", "withdrawal", "2025-06-01", sent="8 A", value=1)
    assert [c[:4] for c in table(move(out, IN, transfers=[PAIR]), *CORE)] == [
        ("out:sent", "depart", "A", "8"),
        ("in:received", "arrive", "A", "9"),
    ]


def test_a_fee_larger_than_what_came_in_is_an_ordinary_disposal_at_its_own_value() -> None:
    moved = move(event("swap", "trade", sent="1 A", received="1 B", fee="2 B", value=5, fee_value=11))
    assert table(moved, "movement_id", "amount") == [("swap:received", "5"), ("swap:sent", "-6"), ("swap:fee", "11")]
    assert moved.picks.is_empty()
