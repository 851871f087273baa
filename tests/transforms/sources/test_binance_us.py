"""Binance.US: one row a whole event, and on which side of it the acquired asset stands."""

from __future__ import annotations

from golden import DATA, read, reasons, sides

READING = read(DATA / "binance_us" / "history.csv")


def moved(row: int) -> list[tuple[object, ...]]:
    return [side[1:] for side in sides(READING) if side[0] == row]


def test_a_spot_trade_acquires_the_base_asset_a_purchase_and_a_conversion_the_quote_asset() -> None:
    assert moved(8) == [("sent", "USDT", "430.5"), ("received", "BTC", "0.01"), ("fee", "BNB", "0.001")]
    assert moved(9) == [("sent", "BTC", "0.01"), ("received", "USDT", "430.5"), ("fee", "USDT", "0.43")]
    assert moved(10) == [("sent", "USD", "50"), ("received", "ETH", "0.015"), ("fee", "USD", "0.25")]
    assert moved(11) == [("sent", "ADA", "10"), ("received", "SOL", "0.08")]


def test_a_negative_reward_is_a_correction_and_asked() -> None:
    assert reasons(READING, "rejected")[3].startswith("a correction of rewards takes units away")


def test_names_with_blanks_are_the_older_layout() -> None:
    assert sides(read(DATA / "binance_us" / "older.csv")) == [(2, "received", "BTC", "0.5")]
