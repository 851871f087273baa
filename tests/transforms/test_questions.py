from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from schemas.clients import Stands
from schemas.intake import Files, RawRows
from schemas.ledger import Events
from schemas.review import ReviewItems
from schemas.tax import Gains
from tests.transforms.frames import frame
from transforms import questions
from transforms.sources.base import Context
from transforms.sources.registry import read_file
from transforms.stands import kept_apart

EVENT = {"taxpayer_id": "t", "account_id": "a", "occurred_at": "2025-03-01T10:00:00", "tax_date": "2025-03-01", "tax_year": 2025,
         "source": "x", "fact_id": "e", "event_id": "e", "received_asset": "SOL", "received_quantity": "1"}  # fmt: skip

GONE = {"taxpayer_id": "t", "return_id": "t", "tax_year": 2025, "account_id": "a", "asset": "ETH", "disposal_id": "d", "event_id": "d",
        "quantity": "1", "disposed_at": "2025-03-01T00:00:00", "date_sold": "2025-03-01", "basis_status": "known", "lot_method": "fifo",
        "collectible": False, "on_return": False, "disallowed": "0"}  # fmt: skip


def asked(*events: dict[str, Any]) -> list[tuple[str, str]]:
    valued = frame(Events, *events, **EVENT)
    found = pl.concat(questions.events(valued, kept_apart(valued, frame(Stands))))
    assert found.columns == list(frame(ReviewItems).columns)
    return found.select("question", "severity").rows()


def test_a_reward_without_a_price_blocks_and_a_deposit_needs_none() -> None:
    assert asked({"kind": "reward"}) == [("price_missing", "blocking")]
    assert asked({"kind": "deposit"}) == []
    assert asked({"kind": "reward", "usd_value": "3"}) == []


def test_a_fee_without_a_price_is_asked_for_its_own_coin() -> None:
    fee = {"kind": "reward", "usd_value": "3", "fee_asset": "ETH", "fee_quantity": "1"}
    assert asked(fee) == [("fee_price_missing", "warning")]
    assert asked({**fee, "fee_usd_value": "2"}) == []


def test_derivatives_are_kept_apart_and_asked() -> None:
    assert asked({"kind": "derivative_gain", "usd_value": "5"}) == [("kept_apart", "blocking")]


def test_a_sale_whose_year_depends_on_the_clock_is_flagged() -> None:
    # 1.3: 2026-12-31 20:30 New York is 2027 in UTC: tax year 2026 in the taxpayer's zone
    late = {
        "kind": "sell",
        "usd_value": "5",
        "occurred_at": "2027-01-01T01:30:00",
        "tax_date": "2026-12-31",
        "tax_year": 2026,
    }
    assert asked(late) == [("year_boundary", "info")]


def test_a_sale_within_14_hours_of_new_year_is_flagged() -> None:
    # 1.3: noon of New Year's Eve in New York is 7 hours from the year's end in UTC
    noon = {
        "kind": "sell",
        "usd_value": "5",
        "occurred_at": "2026-12-31T17:00:00",
        "tax_date": "2026-12-31",
        "tax_year": 2026,
    }
    assert asked(noon) == [("year_boundary", "info")]
    assert asked({**noon, "occurred_at": "2026-12-31T09:00:00"}) == []


def test_rejected_rows_are_one_item_a_file_and_reason_with_the_first_line() -> None:
    row = {"account_id": "a", "file_id": "f", "cells": ["x"], "status": "rejected", "reason": "amount is no number"}
    raw = frame(RawRows, {**row, "row_no": 7}, {**row, "row_no": 5}, {**row, "row_no": 6, "status": "ignored"})
    found = questions.rows(raw.with_columns(taxpayer_id=pl.lit("t")))[0]
    assert found.select("row_no", "message").rows() == [(5, "2 rows, the first in line 5: amount is no number")]


def test_unknown_and_unreadable_files_are_told_apart() -> None:
    file = {"file_id": "f", "account_id": "a", "path": "x.csv", "rows": 0, "rows_rejected": 0, "message": "what it is"}
    taken = frame(Files, {**file, "status": "unknown_format"}, {**file, "file_id": "g", "status": "unreadable"})
    found = pl.concat(questions.files(taken.with_columns(taxpayer_id=pl.lit("t"))))
    assert found["question"].to_list() == ["file_unknown_format", "file_unreadable"]


def test_a_shortfall_blocks_with_the_proceeds_at_stake() -> None:
    piece = {"taxpayer_id": "t", "return_id": "t", "tax_year": 2025, "account_id": "a", "asset": "BTC", "disposal_id": "d", "event_id": "d",
             "quantity": "1", "disposed_at": "2025-03-01T00:00:00", "date_sold": "2025-03-01", "proceeds": "60000", "disposal_kind": "sell",
             "basis_status": "unknown", "lot_method": "fifo", "collectible": False, "on_return": False}  # fmt: skip
    found = pl.concat(
        questions.shortfalls(frame(Gains, piece, {**piece, "event_id": "e", "disposal_id": "e", "lot_id": "l"}))
    )
    assert [(q, s, str(d)) for q, s, d in found.select("question", "severity", "dollars_at_stake").rows()] == [
        ("shortfall", "blocking", "60000.00"),
        ("basis_unknown", "blocking", "60000.00"),
    ]


def test_a_theft_is_asked_and_no_loss_is_booked() -> None:
    # tax rules 4.5: excluded and flagged, with the basis that leaves at stake (what it was worth that day is no loss)
    piece = {**GONE, "basis": "900", "gain": "0", "lot_id": "l"}
    theft, second, loss = (
        {**piece, "disposal_kind": "theft"},
        {**piece, "disposal_kind": "theft", "lot_id": "m", "basis": "100"},
        {**piece, "disposal_kind": "loss", "event_id": "f", "disposal_id": "f"},
    )
    found = pl.concat(questions.losses(frame(Gains, theft, second, loss)))
    assert [str(stake) for stake in found["dollars_at_stake"]] == ["1000.00", "900.00"]
    assert set(found["question"]) == {"loss_not_booked"}
    stolen, lost = found["suggested_action"]
    assert "165(c)(2)" in stolen
    assert "$0.01, to an unrelated buyer" in lost
    assert "frozen or bankrupt exchange wait" in lost


def test_a_loss_of_unknown_basis_says_so() -> None:
    piece = {**GONE, "disposal_kind": "loss", "lot_id": "l", "gain": "0", "basis_status": "unknown"}
    (row,) = pl.concat(questions.losses(frame(Gains, piece))).select("message", "dollars_at_stake").rows()
    assert "unknown amount" in row[0]
    assert row[1] is None


def test_copies_that_disagree_are_asked() -> None:
    clash = pl.DataFrame(
        {"account_id": ["a"], "file_id": ["f"], "row_no": [4], "event_id": ["e"], "taxpayer_id": ["t"]}
    )
    found = questions.conflicts(clash.with_columns(pl.col("row_no").cast(pl.Int64)))[0]
    assert found.select("question", "taxpayer_id", "row_no").rows() == [("copies_differ", "t", 4)]


@pytest.mark.parametrize(
    ("sold", "term", "asked"),
    [
        ("2025-12-31", "short", False),
        ("2026-01-01", "short", True),  # one day more would have made it long-term
        ("2026-01-02", "long", True),  # the first long-term day: another clock may say short
        ("2026-01-03", "long", True),  # still within a day of it
        ("2026-01-04", "long", False),
    ],
)
def test_a_sale_within_a_day_of_the_first_long_term_day_is_flagged(sold: str, term: str, asked: bool) -> None:
    # tax rules 1.3: acquired 2025-01-01, long-term from 2026-01-02 (1.2)
    piece = {"taxpayer_id": "t", "event_id": "e", "date_acquired": "2025-01-01", "date_sold": sold, "term": term,
             "gain": -700, "on_return": True, "origin": "buy"}  # fmt: skip
    found = questions.near_long_term(frame(Gains, piece, piece | {"gain": 40}))[0]
    assert found.select("question", "severity", "event_id").rows() == (
        [("near_long_term", "info", "e")] if asked else []
    )
    if asked:
        assert str(found["dollars_at_stake"].item()) == "740.00"
        assert f"sold on {sold} as {term}-term; the lot is long-term from 2026-01-02" in found["message"].item()
    # what is inherited is long-term on any day, and an IRA's term is of no return
    for cells in ({"origin": "inheritance"}, {"on_return": False}):
        assert questions.near_long_term(frame(Gains, piece | cells))[0].is_empty()


def test_a_leap_day_sale_is_near_the_first_of_march() -> None:
    # 1.2: acquired 2023-02-28, long-term from 2024-03-01; 29 February 2024 is day 366 and still short-term
    piece = {"event_id": "e", "date_acquired": "2023-02-28", "date_sold": "2024-02-29", "term": "short", "gain": 1,
             "on_return": True, "origin": "trade"}  # fmt: skip
    assert questions.near_long_term(frame(Gains, piece))[0].height == 1


def test_a_coin_fee_of_a_move_at_new_year_is_a_disposal_whose_year_depends_on_the_clock() -> None:
    # 1.3: every event within 14 hours of a year's end; a move alone has no year, its fee has (tax rules 2.5)
    move = {"kind": "withdrawal", "occurred_at": "2027-01-01T01:30:00", "tax_date": "2026-12-31", "tax_year": 2026,
            "sent_asset": "SOL", "sent_quantity": "1", "received_asset": None, "received_quantity": None}  # fmt: skip
    assert asked(move) == []
    fee = {"fee_asset": "SOL", "fee_quantity": "0.1", "fee_usd_value": "2"}
    assert asked(move | fee) == [("year_boundary", "info")]
    assert asked(move | fee | {"fee_asset": "USD"}) == []


def test_a_year_without_law_says_what_to_do() -> None:
    missing = pl.DataFrame(
        [("r", 2031, "t", "law_year_missing", None)],
        schema={"return_id": pl.String, "tax_year": pl.Int64, "taxpayer_id": pl.String, "reason": pl.String, "column": pl.String},
        orient="row",
    )  # fmt: skip
    conflicts = pl.DataFrame(
        schema={"return_id": pl.String, "tax_year": pl.Int64, "taxpayer_id": pl.String, "character": pl.String, "recorded": pl.Decimal(18, 2), "computed": pl.Decimal(18, 2)}
    )  # fmt: skip
    members = pl.DataFrame(
        [("r", 2031, "t", "primary")], schema=["return_id", "tax_year", "taxpayer_id", "role"], orient="row"
    )
    item = pl.concat(questions.returns(missing, conflicts, members)).row(0, named=True)
    assert (item["question"], item["severity"]) == ("law_year_missing", "blocking")
    assert item["message"] == "the law of 2031 is not in this version: no tax and no carryover"
    assert "docs/adding-a-tax-year.md" in item["suggested_action"]
    assert "carry_ins.csv" in item["suggested_action"]


def test_an_aggregators_file_of_several_places_in_one_account_blocks_and_names_them() -> None:
    header = (
        "Location,Spend Currency,Receive Currency,Receive Amount,Spend Amount,Fee,Fee Currency,Description,Timestamp"
    )
    trade = "{},USD,BTC,1,50000,,,,1659085200000"

    def asked(*places: str) -> list[tuple[object, ...]]:
        text = "\n".join([header, *(trade.format(place) for place in places)])
        legs = read_file(text.encode(), Context("rotki-file", "f")).legs.with_columns(taxpayer_id=pl.lit("jane"))
        (found,) = questions.platforms(legs)
        return found.select("question", "severity", "taxpayer_id", "account_id", "message").rows()

    message = "its files hold rows of 2 places in one account: binance, kraken"
    assert asked("kraken", "binance", "kraken") == [
        ("several_platforms_in_one_account", "blocking", "jane", "rotki-file", message)
    ]
    assert asked("kraken", "kraken") == []


def test_tokens_of_an_account_whose_coin_is_another_chains_are_asked() -> None:
    own, peer, token = "0x" + "a" * 40, "0x" + "b" * 40, "0x" + "c" * 40
    normal = (
        "Txhash,UnixTimestamp,From,To,ContractAddress,Value_IN({0}),Value_OUT({0}),TxnFee({0}),Status,ErrCode\n"
        f"0x{'1' * 64},1700000000,{peer},{own},,1,0,0.1,,\n"
    )
    tokens = (
        "Txhash,UnixTimestamp,From,To,TokenValue,ContractAddress,TokenName,TokenSymbol\n"
        f"0x{'2' * 64},1700000000,{peer},{own},5,{token},USD,USD\n"
    )

    def asked(coin: str, address: str) -> list[str]:
        files = (normal.format(coin), tokens)
        legs = pl.concat(read_file(text.encode(), Context("a", coin, address)).legs for text in files)
        (found,) = questions.chains(legs.with_columns(taxpayer_id=pl.lit("jane")))
        return found["message"].to_list()

    assert asked("MATIC", own) == ["1 token rows were taken for Ethereum's, but the account's coin is MATIC"]
    assert asked("MATIC", f"eip155:137:{own}") == []
    assert asked("ETH", own) == []


def test_one_transaction_in_a_wallets_and_an_explorers_file_is_asked() -> None:
    own, peer, tx = "0x" + "a" * 40, "0x" + "b" * 40, "0x" + "1" * 64
    normal = (
        "Txhash,UnixTimestamp,From,To,ContractAddress,Value_IN(ETH),Value_OUT(ETH),TxnFee(ETH),Status,ErrCode\n"
        f"{tx},1700000000,{peer},{own},,1,0,0.1,,\n"
    )
    ledger = (
        "Operation Date,Status,Currency Ticker,Operation Type,Operation Amount,Operation Fees,Operation Hash\n"
        "2023-11-14T22:13:20.000Z,Confirmed,ETH,IN,1,0.1,{}\n"
    )

    def asked(hash_: str, checking: set[str]) -> list[str]:
        files = (normal, ledger.format(hash_))
        legs = pl.concat(read_file(text.encode(), Context("a", text[:9], own)).legs for text in files)
        (found,) = questions.doubled(legs.with_columns(taxpayer_id=pl.lit("jane")), checking)
        return found["message"].to_list()

    twice = "1 transactions stand in the files of two sources (etherscan and ledger_live): they are counted twice"
    assert asked(tx.upper().replace("X", "x"), set()) == [twice]
    assert asked(tx, {"ledger_live"}) == []
    assert asked(tx.removeprefix("0x"), set()) == [twice]
    assert asked("0x" + "2" * 64, set()) == []
    assert asked("", set()) == [twice]  # without a hash: the same units in the same second


def test_one_trade_in_an_exchanges_and_an_aggregators_file_is_asked_without_a_hash() -> None:
    coinbase = (
        "Timestamp,Transaction Type,Asset,Quantity Transacted,USD Spot Price at Transaction,USD Subtotal,"
        "USD Total (inclusive of fees),USD Fees,Notes\n"
        "2019-03-01T15:00:00Z,Buy,BTC,0.1,4000,400.00,405.96,5.96,Bought 0.1 BTC for $405.96 USD\n"
    )
    koinly = (
        "Date,Sent Amount,Sent Currency,Received Amount,Received Currency,Fee Amount,Fee Currency,Net Worth Amount,"
        "Net Worth Currency,Label,Description,TxHash\n2019-03-01 15:00:{},400,USD,{},BTC,5.96,USD,,,,,\n"
    )

    def asked(second: str, bought: str) -> list[str]:
        files = (coinbase, koinly.format(second, bought))
        legs = pl.concat(read_file(text.encode(), Context("a", text[:9], None)).legs for text in files)
        coins = legs.with_columns(taxpayer_id=pl.lit("jane")).filter(pl.col("asset") == "BTC")
        (found,) = questions.doubled(coins, set())
        return found.select("severity", "message").rows()

    twice = "1 transactions stand in the files of two sources (coinbase and koinly): they are counted twice"
    assert asked("00", "0.1") == [("blocking", twice)]
    assert asked("01", "0.1") == asked("00", "0.2") == []
