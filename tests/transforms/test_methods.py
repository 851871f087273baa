from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from schemas.inputs import Accounts, Allocations2025, FiledMethods, LotOrders
from schemas.ledger import Movements
from tests.transforms.frames import frame
from transforms.methods import method_at, out_of_time

ACCOUNTS = frame(
    Accounts,
    {"account_id": "vault", "custody": "self"},
    {"account_id": "exchange", "custody": "us_broker"},
    {"account_id": "somewhere"},
    taxpayer_id="jane",
)


def method(order: dict[str, Any] | list[dict[str, Any]], sale: dict[str, Any]) -> str:
    orders = order if isinstance(order, list) else [order]
    sold = {"taxpayer_id": "jane", "account_id": "vault", "asset": "BTC"} | sale
    exits = frame(Movements, sold | {"tax_year": int(sold["occurred_at"][:4])})
    result = method_at(exits, frame(LotOrders, *orders, taxpayer_id="jane"), frame(FiledMethods), ACCOUNTS)
    return str(result.exits["lot_method"].item())


HIFO = {"method": "hifo", "recorded_at": "2025-03-01T12:00:00", "effective_from": "2025-03-01T12:00:00"}


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
    }
    result = method_at(
        frame(Movements, sale), frame(LotOrders, books, told, taxpayer_id="jane"), frame(FiledMethods), ACCOUNTS
    )
    assert result.exits["lot_method"].to_list() == ["lifo"]
    assert result.clashes.rows() == [("jane", "exchange", "BTC", 2025)]
    alone = method_at(
        frame(Movements, sale), frame(LotOrders, books, taxpayer_id="jane"), frame(FiledMethods), ACCOUNTS
    )
    assert (alone.exits["lot_method"].to_list(), alone.clashes.height) == (["hifo"], 0)
