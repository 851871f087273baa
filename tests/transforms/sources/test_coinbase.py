"""Coinbase's traps, one by one, as rows of its 2024 layout."""

from __future__ import annotations

import polars as pl
import pytest
from golden import read_text, reasons, sides

from transforms.sources.coinbase import HEADER
from transforms.sources.registry import CHECKS, Reading


def coinbase(*rows: str) -> Reading:
    return read_text("\n".join([",".join(HEADER), *rows]))


def test_a_market_against_a_stablecoin_has_its_other_side_only_in_the_notes() -> None:
    # 2 SOL at 100 USDC are 200 USDC; 198 came in, so the fee was 2 USDC
    reading = coinbase(
        "1,2024-02-03 10:00:00 UTC,Advanced Trade Sell,SOL,-2,USD,100,200,198,2,Sold 2 SOL for 198 USDC on SOL-USDC at 100 USDC/SOL"
    )
    assert sides(reading) == [(2, "sent", "SOL", "2"), (2, "received", "USDC", "200"), (2, "fee", "USDC", "2")]
    assert reading.legs["usd_value"].cast(pl.String).to_list() == ["200.000000", "200.000000", None]


def test_what_was_paid_in_all_stays_exact_where_the_price_in_the_notes_is_rounded() -> None:
    # 3 x 33.33 is 99.99, more than the 90 received could come from by a fee: the 90 stand as they are
    reading = coinbase(
        "1,2024-02-03 10:00:00 UTC,Advanced Trade Sell,SOL,-3,USD,33.33,100,90,10,Sold 3 SOL for 90 USDC on SOL-USDC at 33.33 USDC/SOL"
    )
    assert sides(reading) == [(2, "sent", "SOL", "3"), (2, "received", "USDC", "90")]


@pytest.mark.parametrize("quantity", ["0.5", "-0.5"])
def test_a_conversion_of_one_row_and_of_two_rows_is_one_trade(quantity: str) -> None:
    first = f"1,2026-02-05 10:00:00 UTC,Convert,ETH,{quantity},USD,3000,1490,1500,,Converted 0.5 ETH to 14.9 SOL"
    echo = "2,2026-02-05 10:00:01 UTC,Convert,SOL,14.9,USD,100,1490,1500,,Converted 0.5 ETH to 14.9 SOL"
    assert sides(coinbase(first)) == sides(coinbase(first, echo)) == [
        (2, "sent", "ETH", "0.5"), (2, "received", "SOL", "14.9"),
    ]  # fmt: skip
    assert 3 in reasons(coinbase(first, echo), "ignored")


def test_eth_to_eth2_is_no_disposal() -> None:
    reading = coinbase("1,2023-05-28 06:23:38 UTC,Convert,ETH,0.25,USD,3000,750,750,,Converted 0.25 ETH to 0.25 ETH2")
    assert reading.legs["kind"].to_list() == ["migration", "migration"]


def test_the_end_of_eth2_is_one_migration_of_two_rows() -> None:
    reading = coinbase(
        "1,2024-02-07 10:00:00 UTC,Send,ETH2,-0.25,USD,3000,-750,-750,0,Sent 0.25 ETH2s",
        "2,2024-02-07 10:00:00 UTC,Receive,ETH,0.25,USD,3000,750,750,0,Received 0.25 ETHs",
    )
    assert reading.legs["group_key"].n_unique() == 1
    assert reading.legs["kind"].drop_nulls().to_list() == ["migration"]


def test_a_receipt_from_coinbase_earn_is_income_and_one_from_outside_is_not() -> None:
    reading = coinbase(
        "1,2024-02-10 10:00:00 UTC,Receive,GRT,5,USD,0.2,1,1,0,Received 5 GRT from Coinbase Earn",
        "2,2024-02-10 10:00:00 UTC,Receive,GRT,5,USD,0.2,1,1,0,Received 5 GRT from an external account",
    )
    assert reading.legs["kind"].to_list() == ["reward", "deposit"]


def test_the_total_may_be_off_by_a_cent_of_rounding_and_no_more() -> None:
    row = "{},2024-02-01 10:00:00 UTC,Buy,BTC,0.1,USD,40000,4000.00,{},60.00,"
    reading = coinbase(row.format(1, "4060.01"), row.format(2, "4061.00"))
    assert reasons(reading, "rejected") == {3: "found a total that is not the subtotal and the fees"}


@pytest.mark.parametrize("place", [7, 8, 9], ids=["subtotal", "total", "fees"])
@pytest.mark.parametrize("number", ["9" * 20, "-" + "9" * 20, "$99999999999999999999.99", "1" * 16])
def test_an_amount_of_twenty_digits_costs_its_row_and_not_the_file(place: int, number: str) -> None:
    cells = ["1", "2024-02-01 10:00:00 UTC", "Buy", "BTC", "0.1", "USD", "40000", "4000.00", "4060.00", "60.00", ""]
    good = ",".join(["2", *cells[1:]])
    reading = coinbase(",".join([*cells[:place], number, *cells[place + 1 :]]), good)
    assert reading.file["status"].item() == "parsed"
    assert reasons(reading, "rejected")[2].startswith(f"{HEADER[place]}: found '")
    assert reading.legs["row_no"].unique().to_list() == [3]


def test_half_a_migration_is_no_receipt() -> None:
    reading = coinbase(
        "1,2024-10-18 10:00:00 UTC,Asset Migration,MATIC,oops,USD,0.37,-37,-37,0,Migrated 100 MATIC",
        "2,2024-10-18 10:00:00 UTC,Asset Migration,POL,100,USD,0.37,37,37,0,Received 100 POL",
    )
    assert sides(reading) == []
    assert reasons(reading, "rejected")[3] == "row 2 of the same trade could not be read"


def test_the_second_row_of_a_conversion_is_never_a_fact_of_its_own() -> None:
    reading = coinbase(
        "1,2026-02-05 10:00:00 UTC,Convert,ETH,oops,USD,3000,1490,1500,,Converted 0.5 ETH to 14.9 SOL",
        "2,2026-02-05 10:00:01 UTC,Convert,SOL,14.9,USD,100,1490,1500,,Converted 0.5 ETH to 14.9 SOL",
    )
    assert sides(reading) == []
    assert list(reasons(reading, "rejected")) == [2]


def test_two_rows_of_one_id_and_two_assets_are_two_rows() -> None:
    reading = coinbase(
        "1,2024-10-18 10:00:00 UTC,Asset Migration,MATIC,-100,USD,0.37,-37,-37,0,Migrated 100 MATIC",
        "1,2024-10-18 10:00:00 UTC,Asset Migration,POL,100,USD,0.37,37,37,0,Received 100 POL",
    )
    assert reading.legs["row_key"].to_list() == ["id:1:MATIC", "id:1:POL"]


V1 = "Timestamp,Transaction Type,Asset,Quantity Transacted,USD Spot Price at Transaction,USD Subtotal,USD Total (inclusive of fees),USD Fees,Notes"
V3 = "Timestamp,Transaction Type,Asset,Quantity Transacted,Spot Price Currency,Spot Price at Transaction,Subtotal,Total (inclusive of fees and/or spread),Fees and/or Spread,Notes"
BARE = ",".join(HEADER[1:])


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (V1, "2021-05-21T22:27:28Z,Sell,BTC,0.1,9000.00,900.00,886.50,13.50,"),
        (V3.replace(" and/or spread", "").replace(" and/or Spread", ""), "2021-05-21T22:27:28Z,Sell,BTC,0.1,USD,9000,900,886.50,13.50,"),
        (V3, "2021-05-21T22:27:28Z,Sell,BTC,0.1,USD,9000,900,886.50,13.50,"),
        (BARE, "2021-05-21 22:27:28 UTC,Sell,BTC,-0.1,USD,$9000,$900,$886.50,$13.50,"),
        (",".join(HEADER), "1,2021-05-21 22:27:28 UTC,Sell,BTC,-0.1,USD,$9000,$900,$886.50,$13.50,"),
    ],
    ids=["V1", "V2", "V3", "V4 without ID", "V4"],
)  # fmt: skip
def test_a_sale_is_the_same_in_every_layout(header: str, row: str) -> None:
    # 900 before a fee of 13.50; the instant is UTC
    reading = read_text(f"{header}\n{row}\n")
    assert sides(reading) == [(2, "sent", "BTC", "0.1"), (2, "received", "USD", "900"), (2, "fee", "USD", "13.5")]
    assert reading.legs["occurred_at"].dt.to_string("%Y-%m-%dT%H:%M:%S").unique().to_list() == ["2021-05-21T22:27:28"]
    assert reading.file["source"].item() == "coinbase"


def test_rows_without_an_id_have_one_key_in_all_older_layouts() -> None:
    first = read_text(f"{V1}\n2021-05-21T22:27:28Z,Send,BTC,0.1,9000,900,900,0,Sent 0.1 BTC to $x\n")
    later = read_text(f"{V3}\n2021-05-21T22:27:28Z,Send,BTC,0.10,USD,9000,900,900,0,Sent 0.1 BTC to x\n")
    assert first.legs["row_key"].to_list() == later.legs["row_key"].to_list()
    assert not first.legs["row_key"][0].startswith("id:")


def test_the_disclaimer_may_stand_in_the_first_cell_of_the_header() -> None:
    header = V1.replace("Timestamp", '"You can use this report, likely"')
    reading = read_text(f"{header}\n2019-05-21T22:27:28Z,Send,BTC,0.1,8000,800,800,0,\n")
    assert sides(reading) == [(2, "sent", "BTC", "0.1")]


def test_the_currency_in_the_names_counts() -> None:
    reading = read_text(f"{V1.replace('USD', 'EUR')}\n2019-05-21T22:27:28Z,Buy,BTC,0.5,8000,4000,4060,60,\n")
    assert sides(reading) == [(2, "sent", "EUR", "4000"), (2, "received", "BTC", "0.5"), (2, "fee", "EUR", "60")]
    assert reading.legs["usd_value"].to_list() == [None, None, None]


def test_without_a_named_currency_no_trade_is_guessed_to_be_in_dollars() -> None:
    header = V3.replace("Spot Price Currency,", "").replace(" and/or spread", "").replace(" and/or Spread", "")
    reading = read_text(f"{header}\n2022-03-01T10:00:00Z,Buy,BTC,0.5,42000,21000,21050,50,\n2022-03-02T10:00:00Z,Send,BTC,0.1,4,4,4,0,\n")  # fmt: skip
    assert sides(reading) == [(3, "sent", "BTC", "0.1")]
    assert reasons(reading, "rejected")[2].startswith("the export names no currency")


def test_a_send_and_a_receive_of_one_second_are_a_move_between_own_wallets() -> None:
    row = "2019-09-02T10:00:0{}Z,{},ETH,{},180,180,180,0,"
    assert sides(read_text("\n".join([V1, row.format(0, "Send", 1), row.format(0, "Receive", 1)]))) == []
    apart = read_text("\n".join([V1, row.format(0, "Send", 1), row.format(1, "Receive", 1)]))
    unlike = read_text("\n".join([V1, row.format(0, "Send", 1), row.format(0, "Receive", 2)]))
    assert len(sides(apart)) == len(sides(unlike)) == 2


def test_the_report_of_dates_alone_states_totals_with_the_fee_inside() -> None:
    # 249.73 was paid in all; 0 USD is a placeholder; noon in UTC is the 6th of October on every American clock
    header = "Timestamp,Transaction Type,Asset,Quantity Transacted,USD Spot Price at Transaction,Subtotal,Total (inclusive of fees),Notes"
    reading = read_text(f"{header}\n10/06/2015,Buy,BTC,1,247.26,0 USD,249.73 USD,\n")
    assert sides(reading) == [(2, "sent", "USD", "249.73"), (2, "received", "BTC", "1")]
    assert str(reading.legs["occurred_at"][0]) == "2015-10-06 12:00:00+00:00"
    assert CHECKS["coinbase_us_report"] == "coinbase"
