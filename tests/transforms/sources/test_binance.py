"""Binance's statement: one row a leg, and which legs are one trade."""

from __future__ import annotations

import polars as pl
import pytest
from golden import read_text, regrouped, sides

from transforms.sources.binance import utc_offset
from transforms.sources.registry import Reading

HEADER = "User_ID,UTC_Time,Account,Operation,Coin,Change,Remark"


def binance(*legs: str, day: str = "2021-06-01") -> Reading:
    """Legs written `10:00:00 Buy BTC 0.1`."""
    rows = []
    for leg in legs:
        time, rest = leg.split(" ", 1)
        operation, coin, change = rest.rsplit(" ", 2)
        rows.append(f"7,{day} {time},Spot,{operation},{coin},{change},")
    return read_text("\n".join([HEADER, *rows]))


def groups(reading: Reading) -> list[set[str]]:
    """The assets of each group of legs, in order of time."""
    legs = regrouped(reading.legs).drop_nulls("group_key")
    grouped = legs.group_by("group_key", maintain_order=True).agg("asset")
    return [set(assets) for assets in grouped["asset"].to_list()]


@pytest.mark.parametrize(
    ("name", "minutes"),
    [
        ("Binance-Transaction-History-202406241540(UTC+1)-part1-of1.csv", 60),
        ("Binance-Transaction-History-202603230400(UTC--6).csv", -360),
        ("history(UTC-5).csv", -300),
        ("history(UTC+5:30).csv", 330),
        ("history(UTC+0).csv", 0),
        ("renamed-by-the-client.csv", None),
        ("history(UTC+99).csv", None),
    ],
)
def test_the_zone_is_the_one_in_the_file_name(name: str, minutes: int | None) -> None:
    assert utc_offset(name) == minutes


def test_a_time_of_the_2023_layout_is_in_the_zone_of_the_file_name() -> None:
    row = "User ID,Time,Account,Operation,Coin,Change,Remark\n7,23-12-31 20:00:00,Spot,Deposit,BTC,0.1,\n"
    # 20:00 on 31 December six hours west of Greenwich is 02:00 on 1 January in UTC
    assert str(read_text(row, "history(UTC--6).csv").legs["occurred_at"].item()) == "2024-01-01 02:00:00+00:00"
    assert read_text(row, "history.csv").legs.is_empty()


def test_the_same_row_has_one_key_in_both_layouts() -> None:
    newer = "User ID,Time,Account,Operation,Coin,Change,Remark\n7,21-06-01 12:00:00,Spot,Deposit,BTC,0.10,\n"
    key = read_text(newer, "history(UTC+2).csv").legs["row_key"]
    assert key.to_list() == binance("10:00:00 Deposit BTC 0.1").legs["row_key"].to_list()


def test_fills_of_one_second_are_one_trade_and_a_late_fee_belongs_to_it() -> None:
    reading = binance(
        "10:00:00 Transaction Buy BTC 0.05", "10:00:00 Transaction Spend USDT -1800",
        "10:00:00 Transaction Buy BTC 0.05", "10:00:00 Transaction Spend USDT -1801", "10:00:01 Transaction Fee BNB -0.1",
    )  # fmt: skip
    assert groups(reading) == [{"BTC", "USDT", "BNB"}]


def test_two_whole_trades_a_second_apart_stay_two() -> None:
    reading = binance(
        "10:00:00 Sell NEAR -4.6", "10:00:00 Sell BUSD 20.38", "10:00:01 Buy NEAR 4.6", "10:00:01 Buy BUSD -20.39"
    )
    assert len(groups(reading)) == 2


def test_a_trade_split_over_two_seconds_is_one() -> None:
    assert groups(binance("10:00:00 Binance Convert ADA -10", "10:00:01 Binance Convert USDT 15")) == [{"ADA", "USDT"}]


def test_two_seconds_apart_are_not_joined() -> None:
    assert len(groups(binance("10:00:00 Binance Convert ADA -10", "10:00:02 Binance Convert USDT 15"))) == 2


def test_a_buy_and_a_sell_of_one_second_are_told_apart_by_their_names() -> None:
    reading = binance(
        "10:00:00 Buy ETH 1", "10:00:00 Buy USDT -2500", "10:00:00 Sell BTC -0.01", "10:00:00 Sell EUR 300", "10:00:00 Fee EUR -0.3",
    )  # fmt: skip
    assert groups(reading) == [{"ETH", "USDT"}, {"BTC", "EUR"}]


def test_the_newer_names_buy_and_sell_for_the_two_sides_of_one_trade_are_not_torn_apart() -> None:
    assert groups(binance("10:00:00 Sell ETH -0.03", "10:00:00 Buy ZRX 30", "10:00:00 Fee ZRX -0.03")) == [
        {"ETH", "ZRX"}
    ]


def test_dust_of_many_coins_is_one_group() -> None:
    dust = "10:00:00 Small assets exchange BNB"
    assert groups(binance(f"{dust} ADA -0.5", f"{dust} XRP -0.4", f"{dust} BNB 0.003")) == [{"ADA", "XRP", "BNB"}]


def test_two_accounts_of_one_client_do_not_mix() -> None:
    legs = binance("10:00:00 Binance Convert ADA -10", "10:00:00 Binance Convert USDT 15").legs
    mixed = legs.with_columns(account_id=pl.when(pl.col("role") == "sent").then(pl.lit("one")).otherwise(pl.lit("two")))
    assert regrouped(mixed).n_unique(["account_id", "group_key"]) == 2


def test_a_distribution_alone_is_an_airdrop_and_with_a_coin_taken_a_swap() -> None:
    alone = regrouped(binance("10:00:00 Distribution SGB 3").legs)
    assert alone.select("kind", "group_key").rows() == [("airdrop", None)]
    swap = regrouped(binance("10:00:00 Distribution LEND -100", "10:00:00 Distribution AAVE 1").legs)
    assert swap["kind"].to_list() == [None, None]


def test_a_card_purchase_is_a_deposit_of_money_and_a_trade() -> None:
    reading = binance("10:00:00 Buy Crypto EUR 100", "10:00:01 Buy Crypto EUR -100", "10:00:02 Buy Crypto BUSD 118")
    assert groups(reading) == [{"EUR", "BUSD"}]
    assert sides(reading)[0] == (2, "received", "EUR", "100")


def test_eth_staking_of_2020_is_a_migration() -> None:
    legs = regrouped(binance("10:00:00 ETH 2.0 Staking ETH -0.5", "10:00:00 ETH 2.0 Staking BETH 0.5").legs)
    assert (legs["kind"].to_list(), legs["group_key"].n_unique()) == (["migration", "migration"], 1)


def test_loans_collateral_and_margin_are_apart_from_income_and_trades_whichever_account_books_them() -> None:
    rows = [
        ("Isolated Margin", "Isolated Margin Loan", "1000", "borrow"),
        ("Cross Margin", "Margin Loan", "5", "borrow"),
        ("Spot", "Margin Repayment", "-5", "repay"),
        ("Spot", "Isolated Margin Liquidation - Forced Repayment", "-6", "repay"),
        ("Spot", "Flexible Loan - Lending", "7", "borrow"),
        ("Spot", "Flexible Loan - Repayment", "-8", "repay"),
        ("Spot", "Flexible Loan - Collateral Transfer", "-9", "collateral_out"),
        ("Spot", "Flexible Loan - Collateral Transfer", "10", "collateral_in"),
        ("Cross Margin", "Cross Margin Liquidation - Small Assets Takeover", "-11", "derivative_loss"),
        ("Cross Margin", "Margin Fee", "-12", "margin_interest"),
        ("USD-MFutures", "Realized Profit and Loss", "13", "derivative_gain"),
        ("USD-MFutures", "Funding Fee", "-14", "funding"),
    ]
    text = [
        f"7,2021-06-01 10:00:{n:02},{account},{what},USDT,{change},"
        for n, (account, what, change, _) in enumerate(rows)
    ]
    legs = read_text("\n".join([HEADER, *text])).legs
    assert legs.sort("row_no")["kind"].to_list() == [kind for *_, kind in rows]
    assert legs["group_key"].is_null().all()


@pytest.mark.parametrize(
    ("account", "what", "change"),
    [
        ("Spot", "Margin Loan", "-5"),
        ("Spot", "Margin Repayment", "5"),
        ("Isolated Margin", "Transaction Revenue", "5"),  # a trade on margin is no spot trade, and no reward
        ("Isolated Margin", "Distribution", "5"),
        ("USD-MFutures", "Futures Referral Rebate", "5"),
        ("Spot", "Funding Fee", "5"),
    ],
)
def test_what_is_not_spot_and_not_understood_is_rejected(account: str, what: str, change: str) -> None:
    reading = read_text(f"{HEADER}\n7,2021-06-01 10:00:00,{account},{what},USDT,{change},")
    assert reading.legs.is_empty()
    assert reading.raw_rows["status"].to_list()[-1] == "rejected"
