"""Kraken's traps: pending rows, asset codes, staking moves, and the balance that checks the reading."""

from __future__ import annotations

import polars as pl
import pytest
from golden import DATA, read, read_text, reasons, sides

from transforms.balances import balance_breaks
from transforms.sources.kraken import _asset
from transforms.sources.registry import CHECKS, Reading

HEADER = "txid,refid,time,type,subtype,aclass,asset,amount,fee,balance"


def kraken(*rows: str) -> Reading:
    return read_text("\n".join([HEADER, *rows]))


@pytest.mark.parametrize(
    ("code", "ticker"),
    [
        ("XXBT", "BTC"), ("XBT.M", "BTC"), ("XBT", "BTC"), ("XXDG", "DOGE"), ("ZUSD", "USD"), ("USD.HOLD", "USD"),
        ("EUR.M", "EUR"), ("DOT.S", "DOT"), ("DOT28.S", "DOT"), ("SOL03.S", "SOL"), ("ETH2", "ETH"), ("ETH2.S", "ETH"),
        ("LUNA2", "LUNA2"), ("XTZ", "XTZ"), ("ZRX", "ZRX"), ("1INCH", "1INCH"), ("KSM07.S", "KSM"), ("SOL.F", "SOL"),
    ],
)  # fmt: skip
def test_asset_codes(code: str, ticker: str) -> None:
    assert pl.select(_asset(pl.lit(code))).item() == ticker


def test_a_fee_is_beside_the_amount_and_of_the_same_asset() -> None:
    # balance = previous + amount - fee: 10 received, 0.15 of them paid as the fee
    reading = kraken("L1,T1,2022-01-03 10:00:00,receive,,currency,SOL,10,0.15,9.85")
    assert sides(reading) == [(2, "received", "SOL", "10"), (2, "fee", "SOL", "0.15")]


def test_a_pending_row_is_no_fact() -> None:
    reading = kraken(
        ",Q1,2022-01-01 09:00:00,deposit,,currency,XXBT,1,0,",
        "L1,Q1,2022-01-01 09:05:00,deposit,,currency,XXBT,1,0,1",
    )
    assert sides(reading) == [(3, "received", "BTC", "1")]


@pytest.mark.parametrize("order", [1, -1])
def test_two_transfers_of_one_refid_that_cancel_out_are_a_move_inside(order: int) -> None:
    rows = ["L1,Z1,2022-01-17 10:00:00,transfer,,currency,XETH,-1,0,0",
            "L2,Z1,2022-01-17 10:00:00,transfer,,currency,ETH2.S,1,0,1"][::order]  # fmt: skip
    assert sides(kraken(*rows)) == []
    assert sides(kraken("L3,F1,2022-01-14 10:00:00,transfer,,currency,FLR,15,0,15")) == [(2, "received", "FLR", "15")]


def test_margin_never_looks_like_a_sale() -> None:
    reading = kraken(
        "L1,M1,2022-01-18 10:00:00,margin,,currency,ZUSD,-25,0.5,100",
        "L2,M2,2022-01-18 11:00:00,settled,,currency,XXBT,0.1,0,1",
        "L3,M3,2022-01-18 12:00:00,rollover,,currency,ZUSD,0,0.2,99.8",
    )
    assert reading.legs["kind"].unique().sort().to_list() == ["derivative_gain", "derivative_loss", "margin_interest"]


def test_the_balances_of_a_ledger_chain_over_staking_moves() -> None:
    legs = read(DATA / "kraken" / "ledgers.csv").legs
    assert balance_breaks(legs).is_empty()
    assert legs["balance"].is_not_null().sum() > 10


def test_a_row_taken_out_of_a_ledger_breaks_its_chain() -> None:
    # 500 DOGE and 10 received are 510, not 600
    found = balance_breaks(read(DATA / "kraken" / "oldest.csv").legs)
    assert found.select("raw_asset", "row_no", "expected", "found").cast(pl.String).rows() == [
        ("XXDG", "4", "510.000000000000000000", "600.000000000000000000")
    ]


def test_a_ledger_with_wallets_has_a_chain_for_each() -> None:
    rows = ["L1,D1,2024-01-01 10:00:00,deposit,,currency,ETH,spot / main,1,0,1",
            "L2,E1,2024-01-02 10:00:00,earn,reward,currency,ETH,earn / flexible,0.1,0,0.1"]  # fmt: skip
    reading = read_text("\n".join([HEADER.replace("asset,", "asset,wallet,"), *rows]))
    assert balance_breaks(reading.legs).is_empty()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("L2,T1,2022-01-02 10:00:00,trade,,currency,XXBT,oops,0,0.1", "amount: found 'oops'"),
        ("L2,T1,2022-01-02 10:00:00,trade,,currency,XXBT,0.1,0", "the row has 9 cells, the header 10"),
        (f"L2,T1,2022-01-02 10:00:00,trade,,currency,XXBT,0.1,{'9' * 20},0.1", "fee: found '999"),
        ('"L2","T1","2022-01-02 10:00:00,trade,,currency,XXBT,0.1,0,0.1', "a quote in this line does not close"),
    ],
    ids=["number", "truncated", "twenty digits", "quote"],
)
def test_half_a_trade_is_no_withdrawal(broken: str, why: str) -> None:
    reading = kraken(
        "L1,T1,2022-01-02 10:00:00,trade,,currency,ZUSD,-4000,10,5990",
        "L3,T2,2022-01-03 10:00:00,deposit,,currency,ZUSD,10,0,6000",
        broken,
    )
    assert sides(reading) == [(3, "received", "USD", "10")]
    found = reasons(reading, "rejected")
    assert found[2] == "row 4 of the same trade could not be read"
    assert found[4].startswith(why)


def test_half_a_move_between_wallets_is_no_airdrop() -> None:
    reading = kraken(
        "L1,Z1,2022-01-17 10:00:00,transfer,,currency,XETH,oops,0,0",
        "L2,Z1,2022-01-17 10:00:00,transfer,,currency,ETH2.S,1,0,1",
    )
    assert sides(reading) == []
    assert list(reasons(reading, "rejected")) == [2, 3]


def test_the_rows_of_a_margin_position_share_a_refid_and_stand_alone() -> None:
    reading = kraken(
        "L1,M1,2022-01-18 10:00:00,rollover,,currency,ZUSD,0,oops,100",
        "L2,M1,2022-01-18 14:00:00,rollover,,currency,ZUSD,0,0.2,99.8",
    )
    assert sides(reading) == [(3, "fee", "USD", "0.2")]


@pytest.mark.parametrize(
    ("stated", "value"),
    [("99999999999.99", "99999999999.990000"), ("-100000000000", None), ("1" * 20, None), ("1" * 16, None)],
)
def test_an_amountusd_out_of_range_is_no_value_and_loses_no_row(stated: str, value: str | None) -> None:
    reading = read_text(f"{HEADER},amountusd\nL1,D1,2024-01-01 10:00:00,deposit,,currency,ETH,1,0,1,{stated}")
    assert reading.legs["usd_value"].cast(pl.String).to_list() == [value]


def test_trades_csv_is_another_format() -> None:
    header = "txid,ordertxid,pair,time,type,ordertype,price,cost,fee,vol,margin,misc,ledgers"
    reading = read_text(f"{header}\nT1,O1,XXBTZUSD,2019-07-29 17:04:41,buy,limit,1,1,0,1,0,,L\n")
    assert reading.file["source"].item() == "kraken_trades"


def test_a_reason_says_what_was_found_and_expected() -> None:
    reading = kraken("L1,X1,2022-01-20 10:00:00,lottery,,currency,ZUSD,1,0,1")
    assert reasons(reading, "rejected")[2].startswith("unknown type 'lottery': expected one of conversion, ")


@pytest.mark.parametrize(
    ("pair", "base", "quote"),
    [
        ("XXBTZEUR", "BTC", "EUR"), ("XETHXXBT", "ETH", "BTC"), ("XTZEUR", "XTZ", "EUR"), ("XBTUSDT", "BTC", "USDT"),
        ("USDTZUSD", "USDT", "USD"), ("TUSDUSD", "TUSD", "USD"), ("XBTPYUSD", "BTC", "PYUSD"), ("SUSD", "S", "USD"),
        ("SOL/USD", "SOL", "USD"), ("XXDGZUSD", "DOGE", "USD"), ("EOSXBT", "EOS", "BTC"), ("XBTUSD.d", "BTC", "USD"),
    ],
)  # fmt: skip
def test_a_pair_without_a_separator(pair: str, base: str, quote: str) -> None:
    row = f"T1,O1,{pair},2019-07-29 17:04:41.5,buy,limit,10,20,0.05,2,0,,L1"
    reading = read_text(f"txid,ordertxid,pair,time,type,ordertype,price,cost,fee,vol,margin,misc,ledgers\n{row}\n")
    assert sides(reading) == [(2, "sent", quote, "20"), (2, "received", base, "2"), (2, "fee", quote, "0.05")]
    assert reading.legs["group_key"].unique().to_list() == ["T1"]  # the refid of the ledger's two rows


def test_trades_state_the_ledgers_facts_again_and_margin_is_no_trade_of_coins() -> None:
    assert CHECKS["kraken_trades"] == "kraken_ledgers"
    rejected = reasons(read(DATA / "kraken" / "trades.csv"), "rejected")
    assert rejected[6] == "a trade on margin: what it gained or lost stands in ledgers.csv"


def test_the_newest_ledger_chains_through_moves_and_margin() -> None:
    reading = read(DATA / "kraken" / "newest.csv")
    assert balance_breaks(reading.legs).is_empty()
    assert reasons(reading, "ignored")[5] == "fee credits (KFEE) are no asset"
    forced = reading.legs.filter(pl.col("group_key") == "D1").select("role", "asset").rows()
    assert forced == [("sent", "XMR"), ("received", "USD")]
