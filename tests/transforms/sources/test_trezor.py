"""Trezor's traps: a batch with one fee, NFT numbers as amounts, and the web wallet's local times without a zone."""

from __future__ import annotations

from golden import DATA, events, read, read_text, reasons, sides

from transforms.sources.base import ZONE_ASKED

SUITE = "Timestamp;Date;Time;Type;Transaction ID;Fee;Fee unit;Address;Label;Amount;Amount unit;Fiat (USD);Other"
WEB = "Date & Time;Type;Transaction ID;Addresses;Fee;Total"


def test_a_batch_is_one_event_with_one_fee() -> None:
    first = "1738226396;30.01.2025;09:39:56 GMT+1;SENT;t;0.00002;BTC;bc1qone;;0.1;BTC;;"
    second = "1738226396;30.01.2025;09:39:56 GMT+1;SENT;t;;;bc1qtwo;;0.05;BTC;;"
    assert events(read_text(f"{SUITE}\n{first}\n{second}")) == [("withdrawal", "0.15 BTC", None, "0.00002 BTC")]


def test_the_time_is_that_of_the_timestamp_not_of_the_local_columns() -> None:
    reading = read_text(f"{SUITE}\n1738139996;29.01.2025;09:39:56 GMT+1;RECV;t;;;a;;0.5;BTC;;\n")
    assert str(reading.legs["occurred_at"].item()) == "2025-01-29 08:39:56+00:00"


def test_a_receipts_fee_is_the_senders_and_a_move_to_itself_or_a_failure_costs_only_the_fee() -> None:
    assert sides(read(DATA / "trezor" / "suite.csv"))[0] == (2, "received", "BTC", "0.5")
    assert [side for side in sides(read(DATA / "trezor" / "suite.csv")) if side[0] in (5, 6)] == [
        (5, "fee", "BTC", "0.000004"),
        (6, "fee", "ETH", "0.0007"),
    ]


def test_an_nfts_number_is_no_amount() -> None:
    reading = read_text(f"{SUITE}\n1738139996;;;RECV;t;;;a;;ID 1234;COOLCAT;;\n")
    assert sides(reading) == []
    assert "an NFT" in reasons(reading, "rejected")[2]


def test_a_comma_divides_the_suites_file_as_well() -> None:
    row = "1738139996,29.01.2025,09:39:56 GMT+1,RECV,t,,,a,,0.5,BTC,,"
    assert sides(read_text(f"{SUITE.replace(';', ',')}\n{row}\n")) == [(2, "received", "BTC", "0.5")]


def test_the_web_wallets_total_is_without_the_fee_and_its_coin_stands_in_the_files_name() -> None:
    row = "1/25/2022, 2:03:40 AM;SENT;t;a;0.0003;0.05"
    reading = read_text(f"{WEB}\n{row}\n", "trezor_ltc.csv", time_zone="America/New_York")
    assert sides(reading) == [(2, "sent", "LTC", "0.05"), (2, "fee", "LTC", "0.0003")]
    # 2:03:40 in New York in January is 7:03:40 UTC
    assert str(reading.legs["occurred_at"][0]) == "2022-01-25 07:03:40+00:00"


def test_the_web_wallets_zone_coin_and_order_of_day_and_month_are_asked_where_nothing_tells_them() -> None:
    row = "1/25/2022, 2:03:40 AM;SENT;t;a;0.0003;0.05"
    torn = "1/5/2022, 2:03:40 AM;SENT;t;a;0.0003;0.05"
    zone = read_text(f"{WEB}\n{row}\n", "trezor_btc.csv")
    coin = read_text(f"{WEB}\n{row}\n", "export.csv", time_zone="UTC")
    order = read_text(f"{WEB}\n{torn}\n", "trezor_btc.csv", time_zone="UTC")
    assert ZONE_ASKED in reasons(zone, "rejected")[2]
    assert "names no coin" in reasons(coin, "rejected")[2]
    assert "tells the day from the month" in reasons(order, "rejected")[2]


def test_one_day_above_12_settles_the_order_for_the_whole_file() -> None:
    rows = ["5/1/2022, 2:03:40 AM;SENT;t1;a;0;0.05", "25/1/2022, 2:03:40 AM;SENT;t2;a;0;0.05"]
    reading = read_text("\n".join([WEB, *rows]), "trezor_btc.csv", time_zone="UTC")
    assert [str(at)[:10] for at in reading.legs["occurred_at"]] == ["2022-01-05", "2022-01-25"]
