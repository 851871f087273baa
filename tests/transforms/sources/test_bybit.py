"""Bybit: spot trades are two rows, contracts one; moves between its accounts stand in both files."""

from __future__ import annotations

import polars as pl
from golden import DATA, events, read, read_text, reasons

from transforms.balances import balance_breaks

UNIFIED = read(DATA / "bybit" / "unified.csv")


def test_a_spot_trade_is_two_rows_of_two_assets_and_a_contract_is_kept_apart() -> None:
    kinds = dict(UNIFIED.legs.select("row_no", "kind").rows())
    assert [kinds[row] for row in (4, 5, 11, 12)] == [None] * 4
    assert [kinds[row] for row in (6, 7, 8, 13)] == ["derivative_loss", "funding", "derivative_gain", "margin_interest"]
    grouped = UNIFIED.legs.drop_nulls("group_key")
    assert grouped.group_by("group_key", maintain_order=True).agg("asset")["asset"].to_list() == [
        ["BTC", "BTC", "USDT"], ["BTC", "USDC", "USDC"],
    ]  # fmt: skip


def test_half_of_a_spot_trade_is_no_loss_on_a_contract() -> None:
    # 2 SOL at 150 are 300 USDT
    assert reasons(UNIFIED, "rejected")[9] == "half of a spot trade: the row of its other asset is missing"


def test_balances_chain_without_the_moves_inside_the_account_up_to_a_row_that_was_not_read() -> None:
    assert balance_breaks(UNIFIED.legs).rows() == []
    fund = read(DATA / "bybit" / "fund.csv")
    assert fund.legs.filter(pl.col("asset") == "EUR")["balance"].cast(pl.String).to_list() == ["17.430000000000000000"]


def test_a_contracts_result_of_the_first_years_is_no_deposit() -> None:
    legs = read(DATA / "bybit" / "assets.csv").legs
    assert legs["kind"].to_list() == ["derivative_gain", "derivative_loss", "deposit"]


def test_a_price_that_no_contract_has_rejects_no_other_row() -> None:
    names = "Uid,Currency,Contract,Type,Direction,Quantity,Position,Filled Price,Funding,Fee Paid,Cash Flow,Change,Wallet Balance,Action,Time(UTC)"
    row = "1,BTC,BTCUSD,TRADE,BUY,{},0,{},0,0.0001,{},{},1,--,2024-01-05 10:00:0{}"
    absurd = row.format("99999999", "-999999999999999999", "0.5", "0.4999", 1)
    text = "\n".join(
        ["UID: 1,Company Name: ,Country: ", names, row.format("10000", "50000", "0", "-0.0001", 0), absurd]
    )
    legs = read_text(text + "\n").legs
    assert legs.filter(row_no=3).select("role", "kind").rows() == [("fee", "derivative_loss")]


def test_a_contracts_fee_alone_stays_with_the_contract() -> None:
    names = "Uid,Currency,Contract,Type,Direction,Quantity,Position,Filled Price,Funding,Fee Paid,Cash Flow,Change,Wallet Balance,Action,Time(UTC)"
    row = "1,BTC,BTCUSD,TRADE,BUY,10000,10000,50000,0,0.0001,0,-0.0001,0.9999,--,2024-01-05 10:00:00"
    text = f"UID: 1,Company Name: ,Country: \n{names}\n{row}\n"
    assert events(read_text(text)) == [("derivative_loss", None, None, "0.0001 BTC")]
