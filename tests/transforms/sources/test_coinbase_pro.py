"""Coinbase Pro: the statement's trades and balances, and the fills' totals to the last digit."""

from __future__ import annotations

import pytest
from golden import DATA, read, read_text, reasons, sides

from transforms.balances import balance_breaks
from transforms.sources.registry import CHECKS, Reading

FILLS = "portfolio,trade id,product,side,created at,size,size unit,price,fee,total,price/fee/total unit"


def fill(side: str, size: str, price: str, fee: str, total: str) -> Reading:
    return read_text(
        f"{FILLS}\ndefault,1,LTC-EUR,{side},2020-05-18T20:08:39.184Z,{size},LTC,{price},{fee},{total},EUR\n"
    )


def test_a_trade_id_is_unique_within_its_product_alone() -> None:
    legs = read(DATA / "coinbase_pro" / "statement.csv").legs
    groups = dict(legs.select("row_no", "group_key").rows())
    assert groups[3] == groups[4] == groups[5]
    assert groups[6] == groups[7] != groups[3]  # the same trade id, of ETH-BTC
    keys = read(DATA / "coinbase_pro" / "fills.csv").legs["row_key"].unique().sort().to_list()
    assert keys[:2] == ["id:ETH-BTC:10201:SELL", "id:ETH-BTC:2:BUY"]
    assert "id:ETH-USD:10201:BUY" in keys


def test_the_statements_balances_follow_from_its_legs() -> None:
    assert balance_breaks(read(DATA / "coinbase_pro" / "statement.csv").legs).is_empty()


def test_dollars_into_usdc_are_one_purchase() -> None:
    legs = read(DATA / "coinbase_pro" / "statement.csv").legs
    rows = legs.filter(legs["row_no"].is_in([8, 9]))
    assert rows["group_key"].n_unique() == 1
    assert rows.select("role", "asset").rows() == [("sent", "USD"), ("received", "USDC")]


def test_half_of_a_trade_is_no_receipt() -> None:
    reading = read_text(
        "portfolio,type,time,amount,balance,amount/balance unit,transfer id,trade id,order id\n"
        "default,match,2020-01-15T10:55:12.843Z,10,10,ETH,,7,o\n"
        "default,match,2020-01-15T10:55:12.843Z,oops,1400,USD,,7,o\n"
    )
    assert sides(reading) == []


@pytest.mark.parametrize(
    ("side", "size", "price", "fee", "total", "holds"),
    [
        # 2.96875093 x 41.45 = 123.0547260485
        ("BUY", "2.96875093", "41.45", "0.6152736302425", "-123.6699996787425", True),
        ("BUY", "2.96875093", "41.45", "0.6152736302425", "-123.6699996787426", False),
        ("BUY", "2.96875093", "41.45", "0.6152736302425", "123.6699996787425", False),
        ("SELL", "2.86035000", "41.43", "0.5925215025", "117.9117789975", True),
        ("SELL", "2.86035000", "41.43", "0.5925215025", "119.0968220025", False),  # the fee added
        # cut to eight digits and more by a spreadsheet: the last one must be the rounded one
        ("BUY", "2.96875093", "41.45", "0.6152736302425", "-123.66999968", True),
        ("BUY", "2.96875093", "41.45", "0.6152736302425", "-123.66999967", False),
        ("BUY", "2.96875093", "41.45", "0.6152736302425", "-123.67", False),
    ],
)
def test_a_total_holds_to_the_last_digit(side: str, size: str, price: str, fee: str, total: str, holds: bool) -> None:
    reading = fill(side, size, price, fee, total)
    assert (len(sides(reading)) == 3) == holds
    assert (reasons(reading, "rejected") == {}) == holds


def test_fills_state_the_statements_trades_again() -> None:
    assert CHECKS["coinbase_pro_fills"] == "coinbase_pro"
