"""Ledger Live's traps: fees inside outgoing amounts, one hash for a token and its gas, both ends of a move in one file."""

from __future__ import annotations

import polars as pl
from golden import DATA, events, read, read_text, reasons, sides

from transforms.sources.registry import Reading

HEADER = (
    "Operation Date,Status,Currency Ticker,Operation Type,Operation Amount,Operation Fees,Operation Hash,Account Name,"
    "Account xpub,Countervalue Ticker,Countervalue at Operation Date,Countervalue at CSV Export"
)


def operations(*rows: str) -> Reading:
    """Rows of status,ticker,type,amount,fees,hash[,USD value]."""
    lines = []
    for number, row in enumerate(rows, 1):
        status, ticker, kind, amount, fees, of, *worth = row.split(",")
        value = worth[0] if worth else "0.00"
        lines.append(
            f"2025-03-0{number}T10:00:00.000Z,{status},{ticker},{kind},{amount},{fees},{of},A,x,USD,{value},{value}"
        )
    return read_text("\n".join([HEADER, *lines]))


def test_the_fee_lies_inside_what_went_out() -> None:
    # 0.10001 BTC left the account: 0.1 arrived, 0.00001 was the fee
    assert sides(operations("Confirmed,BTC,OUT,0.10001,0.00001,h")) == [
        (2, "sent", "BTC", "0.1"),
        (2, "fee", "BTC", "0.00001"),
    ]


def test_the_fee_of_a_receipt_is_the_senders() -> None:
    assert sides(operations("Confirmed,BTC,IN,0.5,0.00002,h")) == [(2, "received", "BTC", "0.5")]


def test_a_token_and_the_ether_that_its_transfer_cost_are_one_event() -> None:
    reading = operations("Confirmed,USDC,OUT,250,0,h", "Confirmed,ETH,FEES,0.0012,0.0012,h")
    assert events(reading) == [("withdrawal", "250 USDC", None, "0.0012 ETH")]


def test_a_move_between_two_accounts_of_the_device_leaves_only_its_fee() -> None:
    reading = operations("Confirmed,BTC,OUT,0.20002,0.00002,h", "Confirmed,BTC,IN,0.2,0.00002,h")
    assert events(reading) == [("fee", None, None, "0.00002 BTC")]


def test_a_failed_transaction_cost_its_gas_and_a_failed_receipt_nothing() -> None:
    reading = operations("Failed,ETH,OUT,0.0008,0.0008,h1", "Failed,ETH,IN,1,0.001,h2")
    assert sides(reading) == [(2, "fee", "ETH", "0.0008")]
    assert reasons(reading, "ignored")[3] == "failed: nothing moved"


def test_a_delegation_moves_nothing_but_its_fee_and_its_reward_is_staking_income() -> None:
    reading = operations("Confirmed,ATOM,DELEGATE,0.005,0.005,h1", "Confirmed,ATOM,REWARD,0.25,0.004,h2,1.25")
    assert sides(reading) == [(2, "fee", "ATOM", "0.005"), (3, "received", "ATOM", "0.25")]
    assert reading.legs["kind"].to_list() == [None, "staking"]
    assert str(reading.legs["usd_value"][1]) == "1.250000"


def test_a_countervalue_of_zero_or_in_another_currency_is_no_value() -> None:
    zero = operations("Confirmed,BTC,IN,0.5,0,h,0.00")
    euro = read_text(f"{HEADER}\n2025-03-01T10:00:00.000Z,Confirmed,BTC,IN,0.5,0,h,A,x,EUR,40000,40000\n")
    assert [zero.legs["usd_value"].item(), euro.legs["usd_value"].item()] == [None, None]


def test_an_nft_without_a_name_an_unknown_type_and_a_fee_beyond_the_amount_are_asked() -> None:
    reading = operations(
        "Confirmed,ETH,NFT_OUT,0,0.002,h1", "Confirmed,ETH,MIGRATE,1,0,h2", "Confirmed,ETH,OUT,0.1,0.2,h3"
    )
    found = reasons(reading, "rejected")
    assert [list(found), found[2][:6], found[3][:22], found[4][:16]] == [
        [2, 3, 4], "an NFT", "unknown type 'MIGRATE'", "Operation Amount",
    ]  # fmt: skip


def test_the_layout_without_status_and_values_is_read_and_has_the_keys_of_the_newer() -> None:
    reading = read(DATA / "ledger_live" / "oldest.csv")
    newer = read_text(
        f"{HEADER}\n2020-05-01T10:00:00.000Z,Confirmed,BTC,IN,0.5,0.0001,h21,Renamed,xpub,USD,4400,4400\n"
    )
    assert newer.legs["row_key"].to_list() == reading.legs.filter(pl.col("row_no") == 2)["row_key"].to_list()


def test_the_countervalue_is_shared_between_what_was_sent_and_the_fee() -> None:
    # 8,400 dollars for 0.10001 BTC: 0.1 of it is worth 8,399.16, the fee 0.84
    values = operations("Confirmed,BTC,OUT,0.10001,0.00001,h,8400.00").legs["usd_value"]
    assert [str(value) for value in values] == ["8399.160084", "0.839916"]
