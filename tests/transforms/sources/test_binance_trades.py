"""Binance's trade and order histories: glued units, markets without separator, fills under their orders."""

from __future__ import annotations

import pytest
from golden import DATA, read, read_text, reasons, sides

from transforms.sources.registry import CHECKS, Reading

ORDERS = (DATA / "binance_trades" / "orders.csv").read_text().splitlines()
TABLED = "Date(UTC),Market,Type,Price,Amount,Total,Fee,Fee Coin\n2021-01-25 22:35:29,{},BUY,1,2,3,0.1,{}\n"


def test_the_statement_is_the_ledger() -> None:
    assert {CHECKS[f"binance_{name}"] for name in ("trades", "orders", "interest")} == {"binance_statement"}


def test_a_unit_that_begins_with_a_digit_is_not_part_of_the_number() -> None:
    reading = read(DATA / "binance_trades" / "glued.csv")
    # 10.5 1INCH at 1.5 USDT are 15.75 USDT; the fee is a thousandth
    assert [side[1:] for side in sides(reading) if side[0] == 4] == [
        ("sent", "USDT", "15.75"), ("received", "1INCH", "10.5"), ("fee", "1INCH", "0.0105"),
    ]  # fmt: skip


def test_two_fills_of_one_second_are_two_facts_with_one_key() -> None:
    legs = read(DATA / "binance_trades" / "glued.csv").legs
    keys = [legs.filter(legs["row_no"] == row)["row_key"][0] for row in (5, 6)]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("market", "fee", "assets"),
    [
        ("BNBBTC", "BNB", ("BTC", "BNB")),
        ("INSBTC", "BNB", ("BTC", "INS")),
        ("BTCBUSD", "BNB", ("BUSD", "BTC")),
        ("LINKETH", "ETH", ("ETH", "LINK")),
        ("SHIBUSD", "SHIB", ("USD", "SHIB")),
        ("ARBUSD", "USD", ("USD", "ARB")),
        ("ARBUSD", "BUSD", ("BUSD", "AR")),
        ("SHIB-USD", "BNB", ("USD", "SHIB")),
    ],
)
def test_a_market_without_separator_is_split_by_the_quote_assets(
    market: str, fee: str, assets: tuple[str, str]
) -> None:
    assert tuple(side[2] for side in sides(read_text(TABLED.format(market, fee)))[:2]) == assets


@pytest.mark.parametrize("market", ["SHIBUSD", "ARBUSD", "BNBUSD", "DOTUSD"])
def test_a_market_with_two_readings_is_asked(market: str) -> None:
    assert "has two readings" in reasons(read_text(TABLED.format(market, "XRP")), "rejected")[2]


def test_a_bare_date_is_on_the_accounts_clock() -> None:
    text = TABLED.format("BNBBTC", "BNB").replace("Date(UTC)", "Date")
    assert "set time_zone" in reasons(read_text(text), "rejected")[2]
    at = read_text(text, time_zone="America/New_York").legs["occurred_at"][0]
    assert str(at) == "2021-01-26 03:35:29+00:00"


def without(*numbers: int) -> Reading:
    return read_text("\n".join(line for number, line in enumerate(ORDERS, 1) if number not in numbers))


def test_fills_take_market_and_side_of_the_order_above() -> None:
    assert sides(without())[3:6] == [
        (7, "sent", "BTC", "0.092957"), (7, "received", "USDT", "548.88133876"), (7, "fee", "BNB", "0.03640176"),
    ]  # fmt: skip


def test_fills_whose_order_is_lost_are_not_given_to_the_order_above() -> None:
    # without the line of the second order its two fills stand under the first
    reading = without(5)
    assert reading.legs["row_no"].to_list() == [14, 14, 14]
    assert set(reasons(reading, "rejected")) == {2, 4, 6, 7, 9, 11}
