"""Electrum's traps: fees inside net amounts, channels, local time, forks of the wallet."""

from __future__ import annotations

import polars as pl
from golden import DATA, events, read, read_text, reasons, sides

from transforms.sources.base import ZONE_ASKED

NEW = (
    "oc_transaction_hash,ln_payment_hash,label,confirmations,amount_chain_bc,amount_lightning_bc,fiat_value,"
    "network_fee_bc,fiat_fee,timestamp"
)
OLD = "transaction_hash,label,confirmations,value,fiat_value,fee,fiat_fee,timestamp"


def one(
    row: str, zone: str | None = "America/New_York", name: str = "electrum-history.csv"
) -> list[tuple[object, ...]]:
    return sides(read_text(f"{NEW}\n{row}\n", name, time_zone=zone))


def test_the_fee_lies_inside_the_net_amount() -> None:
    # 0.00201 left: 0.002 was paid, 0.00001 was the fee
    assert one("e,,,9,-0.00201,0.,-10.68,0.00001,0.05,2018-06-29 15:52:26") == [
        (2, "sent", "BTC", "0.002"),
        (2, "fee", "BTC", "0.00001"),
    ]


def test_a_payment_to_itself_costs_the_fee() -> None:
    assert one("e,,,9,-0.00000141,0.,-0.00,0.00000141,0.00,2019-02-02 18:37:00") == [(2, "fee", "BTC", "0.00000141")]


def test_opening_and_closing_a_channel_moves_coins_inside_the_wallet() -> None:
    # -0.003027 + 0.00302547 = -0.00000153, the fee; 0.00302364 - 0.00302547 = -0.00000183
    assert one("e,,,9,-0.003027,0.00302547,,0.00000153,,2023-03-19 20:01:43") == [(2, "fee", "BTC", "0.00000153")]
    assert one("e,,,9,0.00302364,-0.00302547,,0.00000183,,2023-10-03 17:15:38") == [(2, "fee", "BTC", "0.00000183")]


def test_a_receipt_with_a_fee_of_the_wallets_own_was_larger_by_it() -> None:
    # 0.00404573 came in net of 0.00000138
    assert one("e,,,9,0.00404573,0.,,0.00000138,,2023-01-08 11:32:47") == [
        (2, "received", "BTC", "0.00404711"),
        (2, "fee", "BTC", "0.00000138"),
    ]


def test_lightning_payments_have_their_own_hash_and_fee() -> None:
    assert one(",l,,,0.,-0.00001003,,0.00000003,,2024-02-26 18:59:55") == [
        (2, "sent", "BTC", "0.00001"),
        (2, "fee", "BTC", "0.00000003"),
    ]


def test_the_time_is_the_computers_and_asked_where_nobody_named_its_zone() -> None:
    row = "e,,,9,0.1,0.,,0.,,2023-07-01 12:00:00"
    summer = read_text(f"{NEW}\n{row}\n", time_zone="America/New_York")
    assert str(summer.legs["occurred_at"].item()) == "2023-07-01 16:00:00+00:00"
    assert ZONE_ASKED in reasons(read_text(f"{NEW}\n{row}\n"), "rejected")[2]


def test_what_is_not_confirmed_has_no_time_and_waits() -> None:
    reading = read_text(f"{NEW}\ne,,,0,-0.01,0.,,0.00001,,\n", time_zone="UTC")
    assert reasons(reading, "ignored")[2] == "not confirmed yet"


def test_both_layouts_state_one_fact_once() -> None:
    new, old = (read(DATA / "electrum" / f"{name}.csv") for name in ("history", "older"))
    assert set(old.legs["row_key"]) <= set(new.legs["row_key"])
    both = new._replace(legs=pl.concat([new.legs, old.legs.with_columns(file_id=pl.lit("older"))]))
    assert len(events(both)) == len(events(new))


def test_a_wallet_made_of_electrum_holds_another_coin() -> None:
    text = f"{OLD}\nh,,9,0.5,,,,2021-01-01 10:00\n"
    found = [
        sides(read_text(text, name, time_zone="UTC"))[0][2]
        for name in ("electron-cash-history.csv", "electrum-ltc-history.csv", "electrum-history.csv")
    ]
    assert found == ["BCH", "LTC", "BTC"]
