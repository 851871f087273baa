"""CoinTracking's traps: three columns of one name, dashes, fees inside amounts, the user's clock and date order, German."""

from __future__ import annotations

from golden import DATA, read, read_text, reasons, sides

from transforms.sources.base import ZONE_ASKED

TRADES = read(DATA / "cointracking" / "trades.csv")
HEADER = '"Type","Buy","Cur.","Sell","Cur.","Fee","Cur.","Exchange","Group","Comment","Date"'


def row(number: int) -> list[tuple[object, ...]]:
    return [side[1:] for side in sides(TRADES) if side[0] == number]


def test_a_fee_in_the_coin_that_was_sold_lies_inside_it() -> None:
    # 400.80 dollars left, 0.80 of them the fee
    assert row(2) == [("sent", "USD", "400"), ("received", "BTC", "1.5"), ("fee", "USD", "0.8")]


def test_a_fee_in_the_coin_that_was_bought_was_taken_off_it() -> None:
    # 495 dollars came, 5 were kept: the sale was for 500
    assert row(3) == [("sent", "BTC", "1"), ("received", "USD", "500"), ("fee", "USD", "5")]


def test_a_fee_in_a_third_coin_is_the_row_that_took_it() -> None:
    assert row(4) == [("sent", "BTC", "0.1"), ("received", "ETH", "2")]
    assert (row(5), TRADES.legs.filter(row_no=5)["kind"].item()) == ([("sent", "BNB", "0.01")], "fee")


def test_a_withdrawal_has_its_fee_inside() -> None:
    assert row(8) == [("sent", "ETH", "1"), ("fee", "ETH", "0.001")]


def test_a_trade_for_nothing_is_no_withdrawal() -> None:
    assert "a trade has a sent and a received side" in reasons(TRADES, "rejected")[6]


def test_margin_loans_and_collateral_have_their_own_kinds() -> None:
    kinds = dict(TRADES.legs.select("row_no", "kind").rows())
    assert [kinds[number] for number in (15, 16, 17, 18, 19)] == [
        "derivative_gain", "derivative_loss", "margin_interest", "borrow", "collateral_out",
    ]  # fmt: skip
    assert "margin or futures trade" in reasons(TRADES, "rejected")[14]


def test_what_the_type_does_not_tell_arrives_as_a_deposit_and_is_asked() -> None:
    kinds = dict(TRADES.legs.select("row_no", "kind").rows())
    assert (kinds[10], kinds[13], kinds[9]) == ("deposit", "airdrop", "reward")


def test_two_identical_rows_are_two_facts() -> None:
    same = TRADES.legs.filter(TRADES.legs["row_no"].is_in([11, 12]))
    assert (same.height, same["row_key"].n_unique()) == (2, 1)


def test_german_headers_types_and_a_hash_are_read() -> None:
    reading = read(DATA / "cointracking" / "deutsch.csv")
    assert reading.legs.select("row_no", "kind", "tx_id").unique().sort("row_no").rows() == [
        (2, "trade", "z1"), (3, "deposit", "z2"), (4, "withdrawal", "z3"),
    ]  # fmt: skip


def deposit(*dates: str, zone: str | None = "UTC") -> list[str]:
    rows = [f'"Deposit","1","BTC","-","","","","Kraken","","","{date}"' for date in dates]
    reading = read_text("\n".join([HEADER, *rows]), time_zone=zone)
    return [str(at)[:10] for at in reading.legs["occurred_at"]] or list(reasons(reading, "rejected").values())


def test_dates_are_in_the_order_that_all_of_them_settle() -> None:
    assert deposit("02.03.2021 10:00:00") == ["2021-03-02"]
    assert deposit("02/03/2021 10:00:00", "13/03/2021 10:00:00") == ["2021-03-02", "2021-03-13"]
    assert deposit("02/03/2021 10:00:00", "03/13/2021 10:00:00") == ["2021-02-03", "2021-03-13"]
    assert "tells the day from the month" in deposit("02/03/2021 10:00:00")[0]
    assert len(deposit("02/13/2021 10:00:00", "13/02/2021 10:00:00")) == 2
    assert "tells the day" in deposit("02/13/2021 10:00:00", "13/02/2021 10:00:00")[0]


def test_the_users_clock_is_asked() -> None:
    assert ZONE_ASKED in deposit("02.03.2021 10:00:00", zone=None)[0]


def test_the_table_of_the_page_with_values_beside_the_amounts_is_read() -> None:
    header = "Type,Buy,Cur.,Value in BTC,Value in USD,Sell,Cur.,Value in BTC,Value in USD,Spread,Exchange,Group,Date"
    row = "Trade,1.5,ETH,0.1,4000,0.1,BTC,0.1,4000,0%,Kraken,,30.01.2018 15:20"
    assert sides(read_text(f"{header}\n{row}\n", time_zone="UTC")) == [
        (2, "sent", "BTC", "0.1"),
        (2, "received", "ETH", "1.5"),
    ]
