from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import permutations
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.inputs import Accounts, Allocations2025, FiledMethods, LotOrders, Positions
from schemas.ledger import Movements
from tests.transforms.frames import frame
from transforms.methods import Methods, method_at, out_of_time

ACCOUNTS = frame(
    Accounts,
    {"account_id": "vault", "custody": "self"},
    {"account_id": "exchange", "custody": "us_broker"},
    {"account_id": "somewhere"},
    {"account_id": "abroad", "custody": "foreign_custodian"},
    {"account_id": "hifo-only", "custody": "us_broker", "only_method": "hifo"},
    {"account_id": "ledger-1", "custody": "self", "wallet": "ledger"},
    {"account_id": "ledger-2", "custody": "self", "wallet": "ledger"},
    taxpayer_id="jane",
)


def method(order: dict[str, Any] | list[dict[str, Any]], sale: dict[str, Any]) -> str:
    orders = order if isinstance(order, list) else [order]
    sold = {"taxpayer_id": "jane", "account_id": "vault", "asset": "BTC"} | sale
    exits = frame(Movements, sold | {"tax_year": int(sold["occurred_at"][:4])})
    result = method_at(exits, frame(LotOrders, *orders, taxpayer_id="jane"), frame(FiledMethods), ACCOUNTS)
    return str(result.exits["lot_method"].item())


HIFO = {"method": "hifo", "recorded_at": "2025-03-01T12:00:00", "effective_from": "2025-03-01T12:00:00"}


# --- the decision table of tax rules 2.7, row by row ---------------------------------------------------------------
# What is on record before (or after) a sale: HIFO in the books, LIFO where a second record says something else.

BEFORE, SALE, AFTER = "T09:00:00", "T12:00:00", "T15:00:00"
BOOKS = {"method": "hifo", "recorded": BEFORE}
TYPED_LATER = {"method": "hifo", "recorded": AFTER}
TYPED_AT_THE_SALE = {"method": "hifo", "recorded": SALE}
DATED_BACK = {"method": "hifo", "recorded": AFTER, "effective": BEFORE}
NOT_YET = {"method": "hifo", "recorded": BEFORE, "effective": AFTER}
FROM_THE_SALE_ON = {"method": "hifo", "recorded": BEFORE, "effective": SALE}
TOLD = {"method": "hifo", "recorded": BEFORE, "told": BEFORE}
TOLD_LATER = {"method": "hifo", "recorded": BEFORE, "told": AFTER}
TOLD_AT_THE_SALE = {"method": "hifo", "recorded": BEFORE, "told": SALE}
TOLD_LIFO = {"method": "lifo", "recorded": "T08:00:00", "told": "T08:00:00"}

ROWS_2_7 = [
    # Row 1. Self-custody, 2025+: recorded in the books no later than the sale (Reg. 1.1012-1(j)(2)); else FIFO
    ("vault", "2025-06-02", [BOOKS], "hifo"),
    ("vault", "2027-06-02", [BOOKS], "hifo"),
    ("vault", "2025-06-02", [], "fifo"),
    ("vault", "2025-06-02", [TYPED_LATER], "fifo"),
    ("vault", "2025-06-02", [TYPED_AT_THE_SALE], "fifo"),
    ("vault", "2025-06-02", [DATED_BACK], "fifo"),
    ("vault", "2025-06-02", [NOT_YET], "fifo"),
    ("vault", "2025-06-02", [FROM_THE_SALE_ON], "hifo"),
    # Row 1. A wallet hosted by a foreign exchange, which is no US broker (1.6045-1(a)(1)): the same, also from 2027
    ("abroad", "2025-06-02", [BOOKS], "hifo"),
    ("abroad", "2027-06-02", [BOOKS], "hifo"),
    ("abroad", "2027-06-02", [TYPED_LATER], "fifo"),
    ("abroad", "2026-06-02", [TOLD_LIFO, BOOKS], "hifo"),
    # Row 2. US broker, 2027+: told no later than the sale (Reg. 1.1012-1(j)(3)(ii)); else FIFO in the account
    ("exchange", "2027-06-02", [TOLD], "hifo"),
    ("exchange", "2027-06-02", [BOOKS], "fifo"),
    ("exchange", "2027-06-02", [TOLD_LATER], "fifo"),
    ("exchange", "2027-06-02", [TOLD_AT_THE_SALE], "fifo"),
    ("exchange", "2027-06-02", [TOLD_LIFO, BOOKS], "lifo"),
    # Row 2. A broker that offers one method only: it is a standing order where no other is in force
    ("hifo-only", "2027-06-02", [], "hifo"),
    ("hifo-only", "2027-06-02", [TOLD_LIFO], "lifo"),
    ("hifo-only", "2025-06-02", [], "hifo"),
    # Row 3. US broker, 2025 and 2026: the books suffice (Notice 2025-7 s. 4.02, Notice 2026-20), to the last day
    ("exchange", "2025-01-01", [BOOKS], "hifo"),
    ("exchange", "2026-12-31", [BOOKS], "hifo"),
    ("exchange", "2027-01-01", [BOOKS], "fifo"),
    ("exchange", "2026-06-02", [TYPED_LATER], "fifo"),
    ("exchange", "2026-06-02", [DATED_BACK], "fifo"),
    ("exchange", "2026-06-02", [TOLD], "hifo"),
    # Row 3. What the broker was told instead governs (s. 4.05); asked by the test below
    ("exchange", "2026-06-02", [TOLD_LIFO, BOOKS], "lifo"),
    ("exchange", "2026-06-02", [TOLD_LATER, TOLD_LIFO], "lifo"),
    # Row 3. A record in the books switches the broker's only method off (s. 4.03)
    ("hifo-only", "2026-06-02", [BOOKS | {"method": "lifo"}], "lifo"),
    # Custody unknown: held to the broker's rules
    ("somewhere", "2026-12-31", [BOOKS], "hifo"),
    ("somewhere", "2027-06-02", [BOOKS], "fifo"),
    ("somewhere", "2027-06-02", [TOLD], "hifo"),
    # Row 4. Before 2025: as filed, whatever an order of that time says (IRS FAQs 39-41); else FIFO
    ("vault", "2024-12-31", [BOOKS], "fifo"),
    ("exchange", "2024-12-31", [TOLD], "fifo"),
]


def ruled(account: str, day: str, records: list[dict[str, str]], **cells: Any) -> Methods:
    """A sale at noon of the day from the account, with these orders of the same day on record."""
    orders = [
        {
            "method": record["method"],
            "recorded_at": day + record["recorded"],
            "effective_from": day + record["effective"] if "effective" in record else None,
            "communicated_to_broker_at": day + record["told"] if "told" in record else None,
        }
        for record in records
    ]
    sale = {"account_id": account, "occurred_at": day + SALE, "tax_year": int(day[:4]), "amount": 500} | cells
    exits = frame(Movements, sale, taxpayer_id="jane", asset="BTC", movement="dispose")
    return method_at(exits, frame(LotOrders, *orders, taxpayer_id="jane"), frame(FiledMethods), ACCOUNTS)


@pytest.mark.parametrize(("account", "day", "records", "expected"), ROWS_2_7)
def test_the_decision_table_of_2_7(account: str, day: str, records: list[dict[str, str]], expected: str) -> None:
    for order in permutations(records):
        assert ruled(account, day, list(order)).exits["lot_method"].item() == expected


@pytest.mark.parametrize(("account", "day", "records", "asked"), [
    ("exchange", "2026-06-02", [TOLD_LIFO, BOOKS], True),  # never a silent choice
    ("exchange", "2026-06-02", [TOLD_LIFO, TYPED_LATER], False),  # nothing else was in force
    ("exchange", "2026-06-02", [TOLD_LIFO, BOOKS | {"method": "lifo"}], False),  # they say the same
    ("exchange", "2027-06-02", [TOLD_LIFO, BOOKS], False),  # the books no longer count
    ("abroad", "2026-06-02", [TOLD_LIFO, BOOKS], False),  # no broker
    ("somewhere", "2026-06-02", [TOLD_LIFO, BOOKS], True),
])  # fmt: skip
def test_a_broker_told_otherwise_is_asked(account: str, day: str, records: list[dict[str, str]], asked: bool) -> None:
    clash = [("jane", account, "BTC", 2026, Decimal(500))]
    assert ruled(account, day, records).clashes.rows() == (clash if asked else [])


@pytest.mark.parametrize(("account", "day", "records", "asked"), [
    ("somewhere", "2027-06-02", [BOOKS], True),  # FIFO at a broker, HIFO anywhere else
    ("somewhere", "2026-06-02", [TOLD_LIFO, BOOKS], True),  # LIFO at a broker, HIFO anywhere else
    ("somewhere", "2026-06-02", [BOOKS], False),  # HIFO either way
    ("somewhere", "2027-06-02", [], False),  # FIFO either way
    ("exchange", "2027-06-02", [BOOKS], False),  # known
])  # fmt: skip
def test_unknown_custody_is_asked_where_it_changes_the_choice(
    account: str, day: str, records: list[dict[str, str]], asked: bool
) -> None:
    found = ruled(account, day, records).custody_unknown.rows()
    assert found == ([("jane", account, "BTC", int(day[:4]), Decimal(500))] if asked else [])


def test_the_year_of_the_broker_s_rule_is_that_of_the_taxpayer_s_own_clock() -> None:
    # 2027-01-01 01:30 UTC is 31 December 2026 in New York: the relief of Notice 2026-20 still holds (tax rules 1.3)
    late = {"occurred_at": "2027-01-01T01:30:00", "tax_date": "2026-12-31", "tax_year": 2026}
    assert ruled("exchange", "2026-06-02", [BOOKS], **late).exits["lot_method"].item() == "hifo"


def test_an_order_for_an_account_is_one_for_its_wallet() -> None:
    # lots are kept wallet by wallet (Reg. 1.1012-1(j)(2)): accounts that the firm calls one wallet have one order
    order = HIFO | {"account_id": "ledger-1"}
    assert method(order, {"account_id": "ledger-2", "wallet": "ledger", "occurred_at": "2025-06-01T00:00:00"}) == "hifo"
    assert method(order, {"account_id": "vault", "occurred_at": "2025-06-01T00:00:00"}) == "fifo"


@pytest.mark.parametrize(("movement", "year", "stands", "expected"), [
    ("depart", 2025, [], "hifo"),  # the first choice: explicit selection, else the order, else FIFO (tax rules 2.5)
    ("depart", 2025, [("jane", 2025, "fifo")], "fifo"),
    ("outside", 2025, [("jane", 2025, "fifo")], "fifo"),
    ("dispose", 2025, [("jane", 2025, "fifo")], "hifo"),  # a stand on own transfers says nothing of sales
    ("depart", 2025, [("jane", 2026, "fifo")], "hifo"),  # not yet taken
    ("depart", 2025, [(None, 2009, "fifo")], "fifo"),  # the firm's default fills the blank
    ("depart", 2025, [(None, 2009, "fifo"), ("jane", 2025, "order")], "hifo"),
    ("depart", 2024, [(None, 2009, "fifo")], "lifo"),  # before 2025 units moved as filed
])  # fmt: skip
def test_own_transfers_follow_the_order_or_fifo_as_the_stand_says(
    movement: str, year: int, stands: list[tuple[str | None, int, str]], expected: str
) -> None:
    rows = [{"taxpayer_id": who, "from_year": since, "choice": choice} for who, since, choice in stands]
    cells = {"account_id": "vault", "asset": "BTC", "movement": movement, "occurred_at": f"{year}-06-01T00:00:00"}
    found = method_at(
        frame(Movements, cells, taxpayer_id="jane", tax_year=year),
        frame(LotOrders, HIFO, taxpayer_id="jane"),
        frame(FiledMethods, {"taxpayer_id": "jane", "tax_year": 2024, "method": "lifo"}),
        ACCOUNTS,
        frame(Positions, *rows, topic="own_transfer"),
    )
    assert found.exits["lot_method"].to_list() == [expected]


INSTANTS = [f"{year}-{month:02d}-01T00:00:00" for year in (2024, 2025, 2026, 2027) for month in (1, 6, 12)]
ORDERS = st.fixed_dictionaries({
    "account_id": st.sampled_from([None, "vault", "exchange", "somewhere"]),
    "asset": st.sampled_from([None, "BTC"]),
    "method": st.sampled_from(["fifo", "lifo", "hifo", "lofo"]),
    "recorded_at": st.sampled_from(INSTANTS),
    "effective_from": st.sampled_from([None, *INSTANTS]),
    "communicated_to_broker_at": st.sampled_from([None, *INSTANTS]),
})  # fmt: skip


@given(st.lists(ORDERS, max_size=5), ORDERS, st.sampled_from(INSTANTS), st.sampled_from(["vault", "exchange", "somewhere"]),
       st.randoms(use_true_random=False))  # fmt: skip
def test_an_order_recorded_at_or_after_a_sale_never_changes_it_nor_does_the_order_of_rows(
    orders: list[dict[str, Any]], late: dict[str, Any], sold_at: str, account: str, random: Any
) -> None:
    sale = {"account_id": account, "occurred_at": sold_at}
    late = late | {"recorded_at": max(late["recorded_at"], sold_at)}
    more = [*orders, late]
    random.shuffle(more)
    assert method(more, sale) == method(orders, sale)


# --- the rules one by one -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "sold_at", "expected"),
    [
        (HIFO, "2025-03-01T12:00:01", "hifo"),
        (HIFO, "2025-03-01T12:00:00", "fifo"),  # not before the sale
        (HIFO, "2025-02-01T00:00:00", "fifo"),  # an order typed later chooses nothing
        (HIFO | {"effective_from": "2025-01-01T00:00:00"}, "2025-02-01T00:00:00", "fifo"),  # ... nor one dated back
        (HIFO | {"effective_from": "2025-06-01T00:00:00"}, "2025-05-31T00:00:00", "fifo"),  # not yet in effect
        (HIFO | {"effective_from": None}, "2025-05-31T00:00:00", "hifo"),  # empty: from when it was recorded
    ],
)
def test_an_order_counts_only_when_recorded_before_the_sale(order: dict[str, Any], sold_at: str, expected: str) -> None:
    # Reg. 1.1012-1(j)(2): "no later than the date and time" of the sale
    assert method(order, {"occurred_at": sold_at}) == expected


@pytest.mark.parametrize(
    ("account", "told", "sold_at", "expected"),
    [
        ("exchange", None, "2026-12-31T00:00:00", "hifo"),  # Notices 2025-7 and 2026-20: own books suffice
        ("exchange", None, "2027-01-02T00:00:00", "fifo"),  # the relief has ended
        ("exchange", "2027-01-01T00:00:00", "2027-01-02T00:00:00", "hifo"),
        ("exchange", "2027-01-02T00:00:00", "2027-01-02T00:00:00", "fifo"),
        ("somewhere", None, "2027-01-02T00:00:00", "fifo"),  # custody unknown: the stricter rule
        ("vault", None, "2027-01-02T00:00:00", "hifo"),  # self-custody: own books suffice for good
    ],
)
def test_from_2027_a_us_broker_must_have_been_told(account: str, told: str | None, sold_at: str, expected: str) -> None:
    order = HIFO | {"communicated_to_broker_at": told}
    assert method(order, {"account_id": account, "occurred_at": sold_at}) == expected


def test_the_latest_order_that_matches_wins() -> None:
    general = HIFO | {"method": "lifo", "recorded_at": "2025-04-01T00:00:00", "effective_from": None}
    other_coin = general | {"method": "lofo", "asset": "ETH", "recorded_at": "2025-05-01T00:00:00"}
    other_account = general | {"method": "taxmin", "account_id": "exchange", "recorded_at": "2025-05-01T00:00:00"}
    orders = [HIFO | {"account_id": "vault", "asset": "BTC"}, general, other_coin, other_account]
    assert method(orders, {"occurred_at": "2025-03-15T00:00:00"}) == "hifo"
    assert method(orders, {"occurred_at": "2025-06-01T00:00:00"}) == "lifo"
    assert method(orders, {"occurred_at": "2025-06-01T00:00:00", "asset": "ETH"}) == "lofo"
    assert method(orders, {"occurred_at": "2025-06-01T00:00:00", "account_id": "exchange"}) == "taxmin"


def test_of_orders_recorded_at_one_moment_the_more_specific_wins() -> None:
    narrow, wide = HIFO | {"method": "lofo", "account_id": "vault"}, HIFO | {"method": "lifo", "asset": "BTC"}
    for orders in ([narrow, wide, HIFO], [HIFO, wide, narrow]):
        assert method(orders, {"occurred_at": "2025-06-01T00:00:00"}) == "lofo"


def test_before_2025_the_method_as_filed_else_fifo_and_asked() -> None:
    # FAQs 39-41: what was filed stands; a standing order of today says nothing about 2021.
    exits = frame(
        Movements,
        {"occurred_at": "2021-05-01T00:00:00", "tax_year": 2021},
        {"occurred_at": "2022-05-01T00:00:00", "tax_year": 2022},
        {"occurred_at": "2022-06-01T00:00:00", "tax_year": 2022},
        taxpayer_id="jane", account_id="vault", asset="BTC",
    )  # fmt: skip
    filed = frame(FiledMethods, {"taxpayer_id": "jane", "tax_year": 2021, "method": "lifo"})
    orders = frame(LotOrders, HIFO | {"recorded_at": "2020-01-01T00:00:00", "effective_from": None}, taxpayer_id="jane")
    result = method_at(exits, orders, filed, ACCOUNTS)
    assert result.exits["lot_method"].to_list() == ["lifo", "fifo", "fifo"]
    assert result.missing.rows() == [("jane", 2022, 2)]


def test_row_order_is_kept_and_no_exit_is_doubled() -> None:
    days = [f"2025-{month:02d}-01T00:00:00" for month in range(12, 0, -1)]
    exits = frame(Movements, *[{"occurred_at": day} for day in days], taxpayer_id="jane", account_id="vault",
                  asset="BTC", tax_year=2025)  # fmt: skip
    orders = frame(LotOrders, HIFO, HIFO | {"account_id": "vault"}, taxpayer_id="jane")
    result = method_at(exits, orders, frame(FiledMethods), ACCOUNTS).exits
    assert result.drop("lot_method").equals(exits.drop("lot_method"))
    assert result["lot_method"].to_list() == ["hifo"] * 9 + ["fifo"] * 3
    assert result.columns.count("lot_method") == 1
    assert isinstance(result, pl.DataFrame)


def late(zone: str | None, **stamps: str) -> list[str]:
    """Why an allocation of jane's does not count; her one sale is of 2025-06-02 16:00 UTC."""
    cells = {"taxpayer_id": "jane", "asset": "BTC", "completed_at": "2024-12-30T15:00:00", "kind": "specific"} | stamps
    sales = frame(
        Movements, {"taxpayer_id": "jane", "asset": "BTC", "occurred_at": "2025-06-02T16:00:00", "tax_year": 2025}
    )
    zones = pl.DataFrame({"taxpayer_id": ["jane"], "valid_from": [dt.date(2009, 1, 1)], "time_zone": [zone or "UTC"]})
    return out_of_time(frame(Allocations2025, cells), sales, zones)["reason"].to_list()


def test_an_allocation_s_days_are_those_of_the_taxpayer_s_own_clock() -> None:
    # Rev. Proc. 2024-28 s. 3.10: 2025-01-01 01:00 UTC is still 31 December 2024 in New York
    rule = {"kind": "global", "rule_recorded_at": "2025-01-01T01:00:00"}
    assert late("America/New_York", **rule) == []
    assert late(None, **rule) == ["the global rule was not recorded before 2025"]


def test_another_taxpayer_s_or_asset_s_sale_does_not_close_an_allocation() -> None:
    after = {"completed_at": "2025-07-01T00:00:00"}
    assert late(None, **after) == ["the allocation was completed after the first sale since 2025"]
    assert late(None, **after, asset="ETH") == []
    assert late(None, **after, taxpayer_id="brian") == []


def test_in_the_relief_period_what_the_broker_was_told_governs_over_the_books_and_is_asked():
    # Notice 2025-7 s. 4.05 (tax rules 2.7): never a silent choice
    books = {"method": "hifo", "recorded_at": "2025-02-01T00:00:00", "effective_from": "2025-02-01T00:00:00"}
    told = {
        "method": "lifo", "recorded_at": "2025-01-01T00:00:00", "effective_from": "2025-01-01T00:00:00",
        "communicated_to_broker_at": "2025-01-01T00:00:00",
    }  # fmt: skip
    sale = {
        "taxpayer_id": "jane",
        "account_id": "exchange",
        "asset": "BTC",
        "occurred_at": "2025-06-01T00:00:00",
        "tax_year": 2025,
        "amount": 900,
    }
    result = method_at(
        frame(Movements, sale), frame(LotOrders, books, told, taxpayer_id="jane"), frame(FiledMethods), ACCOUNTS
    )
    assert result.exits["lot_method"].to_list() == ["lifo"]
    assert result.clashes.rows() == [("jane", "exchange", "BTC", 2025, Decimal(900))]
    alone = method_at(
        frame(Movements, sale), frame(LotOrders, books, taxpayer_id="jane"), frame(FiledMethods), ACCOUNTS
    )
    assert (alone.exits["lot_method"].to_list(), alone.clashes.height) == (["hifo"], 0)
