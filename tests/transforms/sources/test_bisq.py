"""Bisq's traps: which coin the offer is about, two fees in two coins, deposits that come back, mediated trades."""

from __future__ import annotations

from golden import DATA, read, reasons, sides

READING = read(DATA / "bisq" / "trades.csv")


def row(number: int) -> set[tuple[object, ...]]:
    return {side[1:] for side in sides(READING) if side[0] == number}


def test_a_sale_of_bitcoin_has_its_fee_in_bsq_and_the_miners_in_btc() -> None:
    assert row(2) == {
        ("sent", "BTC", "0.01"),
        ("received", "EUR", "505"),
        ("fee", "BSQ", "0.4"),
        ("fee", "BTC", "0.0001"),
    }


def test_buying_another_coin_is_paying_with_bitcoin() -> None:
    assert {side for side in row(3) if side[0] != "fee"} == {("sent", "BTC", "0.0099"), ("received", "BSQ", "116.65")}


def test_buying_bitcoin_is_paying_with_the_currency() -> None:
    assert {side for side in row(4) if side[0] != "fee"} == {("sent", "EUR", "67.86"), ("received", "BTC", "0.01")}
    fees = READING.legs.filter(row_no=4).filter(READING.legs.filter(row_no=4)["role"] == "fee")["quantity"].sum()
    # 0.0010914 for the trade and 0.0001 for the miners
    assert str(fees).rstrip("0") == "0.0011914"


def test_mediated_cancelled_unknown_and_broken_rows_are_each_judged_once() -> None:
    found = reasons(READING, "rejected")
    assert list(found) == [5, 7, 8]
    assert "Mediated" in found[5]
    assert "Swap BTC" in found[7]
    assert "Trade Fee BTC" in found[8]
    assert reasons(READING, "ignored")[6] == "cancelled"
    assert READING.raw_rows.height == 8
