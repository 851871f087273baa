"""The smaller formats, a fact by hand for each of their traps: rotki, BittyTax, Bitcoin.tax, AdaLite, Wallet of Satoshi."""

from __future__ import annotations

from golden import DATA, read, reasons, sides


def test_rotkis_ids_are_the_contracts_and_its_times_milliseconds() -> None:
    trades = read(DATA / "rotki" / "trades.csv")
    assert sides(trades)[0] == (2, "sent", "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "1875.64")
    assert str(trades.legs["occurred_at"][0]) == "2022-07-29 09:00:00+00:00"
    assert "a trade has a sent and a received side" in reasons(trades, "rejected")[4]


def test_rotkis_events_have_the_side_that_their_type_tells() -> None:
    reading = read(DATA / "rotki" / "events.csv")
    assert sides(reading)[:3] == [(2, "received", "EUR", "1000"), (3, "sent", "ETH", "99"), (3, "fee", "ETH", "1")]
    assert "unknown type 'mystery'" in reasons(reading, "rejected")[8]
    assert reading.legs["platform"].to_list()[:2] == ["kucoin", "binance"]


def test_bittytaxs_staking_moves_nothing_but_the_fee_and_its_values_count_in_dollars() -> None:
    reading = read(DATA / "bittytax" / "generic.csv")
    assert [side for side in sides(reading) if side[0] in (9, 10)] == [(9, "fee", "ETH", "0.001")]
    assert [str(value) for value in reading.legs.filter(row_no=5)["usd_value"]] == ["0.800000"]
    # a stated UTC is not the account's clock, and CET is no clock that the format has
    assert str(reading.legs.filter(row_no=4)["occurred_at"][0]) == "2014-07-23 10:58:00+00:00"
    assert "CET" in reasons(reading, "rejected")[13]


def test_bitcoin_taxs_costs_and_proceeds_have_the_fee_inside() -> None:
    reading = read(DATA / "bitcoin_tax" / "trades.csv")
    # 2 BCH at 500 EUR and 3 EUR fee cost 1,003; 700 USDT at 0.0002 BTC bring 0.14 less 0.0002
    assert sides(reading)[:6] == [
        (2, "sent", "EUR", "1000"), (2, "received", "BCH", "2"), (2, "fee", "EUR", "3"),
        (3, "sent", "USDT", "700"), (3, "received", "BTC", "0.14"), (3, "fee", "BTC", "0.0002"),
    ]  # fmt: skip
    assert "a SWAP" in reasons(reading, "rejected")[5]


def test_adalites_rewards_are_staking_and_its_fee_is_beside_the_amount() -> None:
    reading = read(DATA / "adalite" / "history.csv")
    assert sides(reading)[:2] == [(2, "sent", "ADA", "2"), (2, "fee", "ADA", "0.19123")]
    assert reading.legs.filter(row_no=3)["kind"].to_list() == ["staking"]


def test_the_wallet_of_satoshi_is_bitcoin_over_lightning_and_on_chain() -> None:
    assert sides(read(DATA / "wallet_of_satoshi" / "history.csv"))[:3] == [
        (2, "received", "BTC", "0.00317936"), (3, "sent", "BTC", "0.0001"), (3, "fee", "BTC", "0.00000001"),
    ]  # fmt: skip
