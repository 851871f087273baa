"""Bitstamp's two layouts: units in the cells and names of months; fees on top."""

from __future__ import annotations

import pytest
from golden import DATA, read, read_text, reasons, sides

OLD = "Type,Datetime,Account,Amount,Value,Rate,Fee,Sub Type"


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("Jan. 28, 2022, 12:13 AM", "2022-01-28 00:13:00"), ("March 28, 2022, 12:31 PM", "2022-03-28 12:31:00"),
        ("May 01, 2022, 03:32 PM", "2022-05-01 15:32:00"), ("Sept. 30, 2022, 11:40 AM", "2022-09-30 11:40:00"),
        ("July 04, 2022, 11:40 PM", "2022-07-04 23:40:00"), ("Dec. 31, 2022, 11:59 PM", "2022-12-31 23:59:00"),
    ],
)  # fmt: skip
def test_a_month_is_written_in_many_ways_and_the_clock_is_utc(written: str, instant: str) -> None:
    reading = read_text(f'{OLD}\nDeposit,"{written}",Main Account,2.0 ETH,,,,\n')
    assert str(reading.legs["occurred_at"].item()) == f"{instant}+00:00"


def test_a_sale_a_purchase_and_a_withdrawal_bear_their_fees_on_top() -> None:
    assert sides(read(DATA / "bitstamp" / "old.csv"))[1:9] == [
        (3, "sent", "ETH", "1"), (3, "received", "USD", "2214.01"), (3, "fee", "USD", "10.87"),
        (4, "sent", "USD", "4000"), (4, "received", "BTC", "0.1"), (4, "fee", "USD", "20"),
        (5, "sent", "BTC", "0.05"), (5, "fee", "BTC", "0.0005"),
    ]  # fmt: skip


def test_the_newer_layout_says_the_same_with_units_beside_and_an_id() -> None:
    reading = read(DATA / "bitstamp" / "rfc_4180.csv")
    assert sides(reading)[:3] == [(2, "sent", "USD", "100"), (2, "received", "LTC", "2"), (2, "fee", "USD", "0.5")]
    assert reading.legs["row_key"][0] == "id:1"


def test_an_unknown_type_and_an_amount_without_its_unit_are_rejected() -> None:
    rejected = reasons(read(DATA / "bitstamp" / "old.csv"), "rejected")
    assert rejected[7].startswith("unknown type 'Crypto currency loan'")
    assert rejected[8] == "Amount: found '1.5', expected a number and its unit"
