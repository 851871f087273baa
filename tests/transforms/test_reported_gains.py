"""A broker's report of gains beside the books: what is the same, what differs, what only one side has."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas import gate
from schemas.gate import conform
from schemas.intake import Legs
from schemas.tax import GainChecks, Gains
from tests.transforms.frames import frame
from transforms import questions, reported_gains
from transforms.sources.base import Context
from transforms.sources.registry import read_file

HEADER = "Transaction Type,Transaction ID,Tax lot ID,Asset name,Amount,Date Acquired,Cost basis (USD),Date of Disposition,Proceeds (USD),Gains (Losses) (USD),Holding period (Days),Data source"
PIECE = {
    "taxpayer_id": "t", "return_id": "t", "tax_year": 2026, "account_id": "a", "asset": "ETH", "disposal_id": "d",
    "event_id": "ev-1", "lot_id": "l", "quantity": "2", "acquired_at": "2021-09-02T00:00:00",
    "disposed_at": "2026-06-25T18:00:00", "date_acquired": "2021-09-02", "date_sold": "2026-06-25",
    "proceeds": "4800", "basis": "7600", "gain": "-2800", "term": "long", "disposal_kind": "sell",
    "basis_status": "known", "lot_method": "fifo", "origin": "buy", "collectible": False, "on_return": True,
    "disallowed": "0",
}  # fmt: skip
OWNER = pl.DataFrame({"account_id": ["a"], "taxpayer_id": ["t"]})
FIRST = "Sell,tx-1,lot-1,ETH,2.0,09/02/2021,7600.00,06/25/2026,4800.00,-2800.00,1757,Coinbase"
SECOND = "Sell,tx-1,lot-2,ETH,1.0,03/01/2024,2000.00,06/25/2026,2400.00,400.00,846,Coinbase"


def report(*rows: str, file_id: str = "f") -> pl.DataFrame:
    return read_file("\n".join([HEADER, *rows]).encode(), Context("a", file_id)).legs


def compared(legs: pl.DataFrame, *pieces: dict[str, Any]) -> pl.DataFrame:
    gains = frame(Gains, *({**PIECE, **piece} for piece in pieces))
    found = reported_gains.compare(legs, gains, OWNER, Decimal("0.01"), dt.date(2026, 12, 31))
    assert gate.check(found, GainChecks).rejected.is_empty()
    return found


def test_the_same_disposal_in_both_is_no_question() -> None:
    found = compared(report(FIRST), {})
    assert found["status"].to_list() == ["same"]
    assert pl.concat(questions.reported_gains(found)).is_empty()


def test_the_lots_of_a_day_are_compared_as_sums() -> None:
    # the report: 2 + 1 ETH for 4,800 + 2,400 with a basis of 7,600 + 2,000; the books: one piece of 3 ETH
    found = compared(report(FIRST, SECOND), {"quantity": "3", "proceeds": "7200", "basis": "9600", "gain": "-2400"})
    assert found["status"].to_list() == ["same"]


def test_another_basis_is_asked_with_the_dollars_between_them() -> None:
    found = compared(report(FIRST), {"basis": "7000", "gain": "-2200"})
    item = pl.concat(questions.reported_gains(found)).row(0, named=True)
    assert (item["question"], item["dollars_at_stake"], item["event_id"]) == (
        "reported_gain_differs", Decimal("600.00"), "ev-1",
    )  # fmt: skip
    assert item["message"] == (
        "sold on 2026-06-25: the report of coinbase_gain_loss says 2 units, proceeds 4800.00, basis 7600.00; "
        "the books say 2 units, proceeds 4800.00, basis 7000.00"
    )


@pytest.mark.parametrize(("basis", "status"), [("7600.01", "same"), ("7600.02", "differs")])
def test_a_cent_a_row_is_rounding(basis: str, status: str) -> None:
    assert compared(report(FIRST), {"basis": basis})["status"].to_list() == [status]


def test_a_basis_that_the_books_do_not_know_is_at_stake_as_a_whole() -> None:
    found = compared(report(FIRST), {"basis": None, "gain": None, "lot_id": None})
    assert found.select("status", "dollars_at_stake").row(0) == ("differs", Decimal("7600.000000"))


def test_a_basis_that_the_report_does_not_state_is_not_compared() -> None:
    row = "Sell,tx-1,lot-1,ETH,2.0,,,06/25/2026,4800.00,,,Customer provided"
    assert compared(report(row), {})["status"].to_list() == ["same"]


def test_a_sale_that_no_file_told_of_is_asked() -> None:
    found = compared(report(FIRST))
    item = pl.concat(questions.reported_gains(found)).row(0, named=True)
    assert (item["question"], item["tax_year"], item["dollars_at_stake"]) == (
        "reported_sale_not_in_books", 2026, Decimal("2800.00"),
    )  # fmt: skip


def test_a_sale_of_the_books_that_the_report_lacks_is_asked_up_to_its_last_day() -> None:
    before = {"event_id": "ev-0", "date_sold": "2026-02-01", "quantity": "1"}
    after = {"event_id": "ev-2", "date_sold": "2026-07-01", "quantity": "1"}
    year_before = {"event_id": "ev-3", "date_sold": "2025-12-31", "tax_year": 2025, "quantity": "1"}
    found = compared(report(FIRST), {}, before, after, year_before)
    assert found.select("event_id", "status").rows() == [("ev-0", "not_in_report"), ("ev-1", "same")]


def test_a_sale_near_midnight_may_be_on_the_next_day_of_the_brokers_clock() -> None:
    found = compared(report(FIRST), {"date_sold": "2026-06-24"})
    assert found["status"].to_list() == ["same"]
    assert compared(report(FIRST), {"date_sold": "2026-06-23"})["status"].to_list() == ["not_in_report", "not_in_books"]


def test_a_report_that_was_downloaded_twice_counts_once() -> None:
    both = pl.concat([report(FIRST, file_id="f"), report(FIRST, SECOND, file_id="g")])
    found = compared(both, {"quantity": "3", "proceeds": "7200", "basis": "9600", "gain": "-2400"})
    assert found["status"].to_list() == ["same"]


def test_two_rows_of_a_lot_that_are_alike_are_two() -> None:
    found = compared(report(FIRST, FIRST), {"quantity": "4", "proceeds": "9600", "basis": "15200", "gain": "-5600"})
    assert found["status"].to_list() == ["same"]


def test_accounts_without_a_report_are_not_asked() -> None:
    empty = conform(pl.DataFrame(schema=report(FIRST).schema), Legs)
    assert compared(empty, {}).is_empty()


def test_a_donation_is_no_sale_that_the_report_lacks() -> None:
    given = {"event_id": "ev-9", "date_sold": "2026-03-01", "disposal_kind": "donation", "proceeds": None, "gain": None}
    assert compared(report(FIRST), {}, given)["status"].to_list() == ["same"]


def test_a_fee_in_coin_counts_where_the_report_has_it() -> None:
    fee = {
        "event_id": "ev-1f",
        "disposal_kind": "fee",
        "quantity": "1",
        "proceeds": "2400",
        "basis": "2000",
        "gain": "400",
    }
    assert compared(report(FIRST), {}, fee)["status"].to_list() == ["same"]
    assert compared(report(FIRST, SECOND), {}, fee)["status"].to_list() == ["same"]
    assert compared(report(FIRST), {}, {**fee, "date_sold": "2026-03-01"})["status"].to_list() == ["same"]
