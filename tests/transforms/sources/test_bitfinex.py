"""Bitfinex: the order of day and month, what a description means, margin."""

from __future__ import annotations

import pytest
from golden import DATA, read, read_text, reasons, sides

TRADES = "#,PAIR,AMOUNT,PRICE,FEE,FEE CURRENCY,DATE,ORDER ID\n"
ROW = "{},BTC/USD,0.01,9000,-0.00002,BTC,{} 16:52:06,1\n"


def days(*dates: str) -> list[str]:
    text = TRADES + "".join(ROW.format(number, date) for number, date in enumerate(dates))
    legs = read_text(text, time_zone="UTC").legs
    return [str(at)[:10] for at in legs.unique("row_no", maintain_order=True)["occurred_at"]]


@pytest.mark.parametrize(
    ("dates", "read"),
    [
        (("04-02-20", "13-02-20"), ["2020-02-04", "2020-02-13"]),
        (("04-02-20", "02-13-20"), ["2020-04-02", "2020-02-13"]),
        (("04-02-20", "05-02-20"), []),
        (("04-02-20", "05-05-20"), ["2020-05-05"]),
        (("04-02-20", "13-02-20", "02-13-20"), []),
        (("2020-02-04", "2020-02-13"), ["2020-02-04", "2020-02-13"]),
    ],
    ids=["day first", "month first", "not told", "one day tells itself", "both", "iso"],
)
def test_the_files_order_of_day_and_month_is_that_of_a_number_above_twelve(
    dates: tuple[str, ...], read: list[str]
) -> None:
    assert days(*dates) == read


def test_an_order_that_no_row_tells_is_asked_and_so_is_the_clock() -> None:
    text = TRADES + ROW.format(1, "04-02-20")
    assert "may be day-month or month-day" in reasons(read_text(text, time_zone="UTC"), "rejected")[2]
    iso = TRADES + ROW.format(1, "2020-02-04")
    assert "set time_zone" in reasons(read_text(iso), "rejected")[2]


def test_what_was_paid_is_amount_times_price_and_the_sign_is_the_side() -> None:
    moved = sides(read(DATA / "bitfinex" / "trades.csv"))
    # 0.0095 x 9214.7
    assert [side[1:] for side in moved if side[0] == 3] == [
        ("sent", "BTC", "0.0095"), ("received", "USD", "87.53965"), ("fee", "USD", "0.175"),
    ]  # fmt: skip


def test_the_rows_of_an_exchange_and_its_fee_are_one_group_and_margin_is_kept_apart() -> None:
    reading = read(DATA / "bitfinex" / "ledger.csv")
    group = reading.legs.drop_nulls("group_key")
    assert group.select("row_no", "role", "asset").rows() == [
        (3, "sent", "BTC"),
        (4, "received", "USD"),
        (5, "fee", "USD"),
    ]
    assert group["group_key"].n_unique() == 1
    kinds = dict(reading.legs.select("row_no", "kind").rows())
    assert [kinds[row] for row in (6, 8, 11, 15)] == [
        "interest",
        "derivative_loss",
        "margin_interest",
        "derivative_loss",
    ]


def test_half_an_exchange_and_a_margin_trade_are_asked() -> None:
    assert reasons(read(DATA / "bitfinex" / "ledger.csv"), "rejected")[12].startswith("half of an exchange")
    assert reasons(read(DATA / "bitfinex" / "margin.csv"), "rejected")[2].startswith("a margin trade")


def test_a_price_that_no_market_has_rejects_its_row_alone() -> None:
    absurd = "2,BTC/USD,999999999,-999999999999999,-60,USD,2023-01-06 10:00:00,12\n"
    reading = read_text(TRADES + ROW.format(1, "2023-01-05") + absurd, time_zone="UTC")
    assert set(reasons(reading, "rejected")) == {3}
    assert set(reading.legs["row_no"]) == {2}
