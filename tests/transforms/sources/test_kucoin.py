"""KuCoin: the offset in the header's name, older layouts on Singapore's clock, what is ledger and what check."""

from __future__ import annotations

import pytest
from golden import DATA, plain, read, read_text, reasons, sides

from transforms.sources.registry import CHECKS

FILLS = "UID,Account Type,Order ID,Symbol,Side,Order Type,Avg. Filled Price,Filled Amount,Filled Volume,Filled Volume (USDT),{},Fee,Tax,Maker/Taker,Fee Currency\n7,mainAccount,o1,DOGE-USDT,SELL,MARKET,0.09,100,9,9,2024-01-01 01:00:00,0.009,,Taker,USDT\n"


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("Filled Time(UTC+02:00)", "2023-12-31 23:00:00+00:00"),
        ("Filled Time(UTC-05:30)", "2024-01-01 06:30:00+00:00"),
        ("Filled Time(UTC)", "2024-01-01 01:00:00+00:00"),
        ("Filled Time", "2023-12-31 17:00:00+00:00"),
    ],
)
def test_a_fills_time_is_at_the_offset_in_the_headers_name(name: str, at: str) -> None:
    assert str(read_text(FILLS.format(name)).legs["occurred_at"][0]) == at


def test_a_decimal_comma_is_no_thousands_comma() -> None:
    assert sides(read(DATA / "kucoin" / "older.csv"))[:3] == [
        (2, "sent", "USDT", "5503.1079316"), (2, "received", "AVAX", "57.7348"), (2, "fee", "USDT", "5.5031079316"),
    ]  # fmt: skip


def test_orders_check_fills_and_deposit_files_the_account_history() -> None:
    assert CHECKS["kucoin_orders"] == "kucoin_fills"
    assert CHECKS["kucoin_moves"] == "kucoin_account"


def test_an_amount_of_the_account_history_includes_its_fee() -> None:
    legs = read(DATA / "kucoin" / "history.csv").legs
    withdrawal = legs.filter(legs["row_no"] == 3).select("role", plain("quantity")).rows()
    assert withdrawal == [("sent", "0.03"), ("fee", "0.000015")]


def test_dust_of_one_second_is_one_conversion_and_half_a_trade_is_asked() -> None:
    reading = read(DATA / "kucoin" / "history.csv")
    dust = reading.legs.drop_nulls("group_key")
    assert dust.select("asset", "role").rows() == [("DUST", "sent"), ("ODD", "sent"), ("KCS", "received")]
    assert dust["group_key"].n_unique() == 1
    assert reasons(reading, "rejected")[10].startswith("half of a trade")
