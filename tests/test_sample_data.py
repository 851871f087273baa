"""The parsers over a folder of genuine exports, named by LOTBOOK_SAMPLE_DATA; skipped without it."""

from __future__ import annotations

import csv
import hashlib
import os
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from schemas import gate
from schemas.inputs import Assets
from transforms import asset_master, transfers
from transforms.balances import balance_breaks
from transforms.ledger import assemble
from transforms.sources.base import Context
from transforms.sources.registry import NETTED, REGROUP, Reading, read_file

FOLDER = os.environ.get("LOTBOOK_SAMPLE_DATA")
pytestmark = pytest.mark.skipif(not FOLDER, reason="LOTBOOK_SAMPLE_DATA names no folder")
ROOT = Path(FOLDER or ".")

OWN = {
    "0x003dc": "0x003dc32fe920a4aaeed12dc87e145f030aa753f3",
    "0xf98": "0xf98c96b5d10faafc2324847c82305bd5fd7e5ad3",
    "blockscout_csv": "0xd8da6bf26964af9d7eed9e03e53415d37aa96045",
}
"""The exporter's address by folder."""
# path: source, rows, ignored, rejected
COUNTS = {
    "exchanges/coinbase/coinbase_2024plus_usd_d.csv": ("coinbase", 2, 0, 0),
    "exchanges/coinbase/dickwolff__coinbase-export.csv": ("coinbase", 8, 0, 0),
    "exchanges/coinbase/everytrade__CoinbaseBeanV1_d3.csv": ("coinbase", 6, 0, 0),
    "exchanges/kraken/ScaleneZA__kraken.csv": ("kraken_ledgers", 14, 5, 0),
    "exchanges/kraken/cryptoTaxes__ledgers.csv": ("kraken_ledgers", 8, 0, 0),
    "exchanges/kraken/everytrade__KrakenBeanV2_d1.csv": ("kraken_ledgers", 4, 0, 0),
    # pending rows, moves into staking; one row ends in a stray backslash
    "exchanges/kraken/everytrade__KrakenBeanV2_d2.csv": ("kraken_ledgers", 19, 8, 1),
    "portfolios/js1499_samples/js1499__sample-kraken.csv": ("kraken_ledgers", 10, 0, 0),
    # a negative "Savings distribution"
    "exchanges/binance/everytrade__BinanceBeanV4_d1.csv": ("binance_statement", 83, 5, 1),
    "exchanges/binance/everytrade__BinanceBeanV4_d2.csv": ("binance_statement", 1, 0, 0),
    # a row without a time, one without coin and amount, one of an invented operation
    "exchanges/binance/rotki__binance_history.csv": ("binance_statement", 230, 15, 3),
    "onchain/blockscout_csv/chapati23__test__fixtures__mantle__native.csv": ("etherscan_normal", 4, 3, 0),
    "onchain/blockscout_csv/chapati23__test__fixtures__mantle__tokens.csv": ("etherscan_erc20", 1, 0, 0),
    "onchain/etherscan_csv/0x003dc/kernelwhisperer__etherscan_to_2019-06-30.csv": ("etherscan_normal", 109, 0, 0),
    "onchain/etherscan_csv/0x003dc/kernelwhisperer__etherscan-internal_to_2019-06-30.csv": ("etherscan_internal", 12, 0, 0),
    "onchain/etherscan_csv/0x003dc/kernelwhisperer__etherscan-erc20_to_2019-06-30.csv": ("etherscan_erc20", 76, 0, 0),
    "onchain/etherscan_csv/0xf98/kernelwhisperer__etherscan.csv": ("etherscan_normal", 9, 0, 0),
    "onchain/etherscan_csv/0xf98/kernelwhisperer__etherscan-internal.csv": ("etherscan_internal", 0, 0, 0),
    "onchain/etherscan_csv/0xf98/kernelwhisperer__etherscan-erc20.csv": ("etherscan_erc20", 8, 0, 0),
    # a bare Date is on the account's clock; days that equal their month read either way
    "exchanges/binance/cryptoTaxes__TradeHistory.xlsx": ("binance_trades", 11, 0, 0),
    "exchanges/binance/robertkarl__binance-yabc-sample.xlsx": ("binance_trades", 4, 0, 0),
    "exchanges/binance/everytrade__BinanceBeanV1_d1.csv": ("binance_trades", 3, 0, 0),
    # two rows whose inner quotes are doubled without outer ones: a thousands comma parts a cell
    "exchanges/binance/everytrade__BinanceBeanV3_d1.csv": ("binance_trades", 10, 0, 2),
    # orders and headers of fills are ignored
    "exchanges/binance/everytrade-io__binance_v002.csv": ("binance_orders", 7, 4, 0),
    # one order with two fills that are each the whole of it: joined from two tests
    "exchanges/binance/everytrade__BinanceBeanV2_d1.csv": ("binance_orders", 6, 2, 3),
    "exchanges/binance/everytrade__BinanceBeanV2_d2.csv": ("binance_orders", 3, 2, 0),
    "exchanges/binance/everytrade__BinanceBeanV5_d1.csv": ("binance_interest", 3, 0, 0),
    "exchanges/binance_us/Gadersd__binance_example_firsthalf.csv": ("binance_us", 3, 0, 0),
    # the row of totals; in the CSV a fee of a withdrawal whose sign was lost when it was made anonymous
    "exchanges/gemini/robertkarl__sample_gemini.xlsx": ("gemini", 22, 1, 0),
    "exchanges/gemini/cran_cryptoTax__data_gemini.csv": ("gemini", 14, 1, 1),
    "exchanges/kucoin/everytrade__KuCoinBuySell_d1.csv": ("kucoin_fills", 1, 0, 0),
    "exchanges/kucoin/everytrade__KuCoinBuySell_d2.csv": ("kucoin_orders", 1, 0, 0),
    # a deposit with a fee
    "exchanges/kucoin/everytrade__KuCoinBuySell_d3.csv": ("kucoin_moves", 1, 0, 1),
    "exchanges/kucoin/everytrade__KuCoinBuySell_d4.csv": ("kucoin_moves", 1, 0, 0),
    "exchanges/kucoin/everytrade__KuCoinWithdrawalDeposit_d1.csv": ("kucoin_moves", 2, 0, 0),
    "exchanges/kucoin/everytrade__KuCoinWithdrawalDeposit_d2.csv": ("kucoin_account", 2, 0, 0),
    "exchanges/kucoin/rotki__kucoin_order_history.csv": ("kucoin_fills", 2, 0, 0),
    # a move to the unified account
    "exchanges/bybit/everytrade-io__bybiteu_fund_v001.csv": ("bybit_fund", 4, 1, 0),
    "exchanges/bybit/everytrade__BybitEuFundBeanV1_d1.csv": ("bybit_fund", 2, 0, 0),
    "exchanges/bybit/robertkarl__assets_history_account.xlsx": ("bybit_assets", 3, 0, 0),
    "exchanges/okx/everytrade-io__okex_v001_M.csv": ("okx_fills", 2, 0, 0),
    "exchanges/okx/everytrade__OkxBeanV1_d1.csv": ("okx_fills", 1, 0, 0),
    "exchanges/okx/everytrade__OkxBeanV2_2_d1.csv": ("okx_trading", 14, 0, 0),
    "exchanges/okx/everytrade__OkxBeanV2_d1.csv": ("okx_trading", 2, 0, 0),
    "exchanges/bitfinex/cryptoTaxes__2014-ledger-BTC.csv": ("bitfinex_ledger", 2, 0, 0),
    # two margin trades
    "exchanges/bitfinex/cryptoTaxes__2014-trades.csv": ("bitfinex_trades", 2, 0, 2),
    # invented decorations ("$", a blank in a number), a fee in XXX
    "exchanges/bitfinex/everytrade__BitfinexBeanV1_d1.csv": ("bitfinex_trades", 6, 0, 2),
    # Coinbase before 2024, its reports, Coinbase Pro, Kraken's trades, and the smaller American platforms
    "exchanges/bitstamp/everytrade-io__bitstamp_v001.csv": ("bitstamp_old", 2, 0, 0),
    "exchanges/bitstamp/everytrade__BitstampBeanV1_d1.csv": ("bitstamp_old", 1, 0, 0),
    "exchanges/bitstamp/everytrade__BitstampBeanV2_d1.csv": ("bitstamp", 3, 0, 0),
    "exchanges/bitstamp/rotki__bitstamp.csv": ("bitstamp_old", 3, 0, 0),
    "exchanges/cash_app/wisehodl__cashapp.csv": ("cash_app", 7, 0, 0),
    "exchanges/coinbase/coinbase_gainloss_report_d.csv": ("coinbase_gain_loss", 2, 0, 0),
    "exchanges/coinbase/everytrade-io__coinbase_v001_M.csv": ("coinbase", 3, 0, 0),
    "exchanges/coinbase/everytrade__CoinbaseBeanV1_d1.csv": ("coinbase", 1, 0, 0),
    "exchanges/coinbase/everytrade__CoinbaseBeanV1_d2.csv": ("coinbase", 3, 0, 0),
    "exchanges/coinbase/everytrade__CoinbaseBeanV1_d4.csv": ("coinbase", 1, 0, 0),
    "exchanges/coinbase/robertkarl__UsTaxTransactionsReport.csv": ("coinbase_us_report", 16, 0, 0),
    # its owner moved every date to 2007 and 2008, before the first block
    "exchanges/coinbase/robertkarl__sample_coinbase.csv": ("coinbase_wallet", 28, 0, 28),
    "exchanges/coinbase_pro/everytrade-io__coinbasepro_v001.csv": ("coinbase_pro_fills", 2, 0, 0),
    "exchanges/coinbase_pro/everytrade__CoinbaseProBeanV1_d1.csv": ("coinbase_pro_fills", 1, 0, 0),
    "exchanges/coinbase_pro/robertkarl__fills.csv": ("coinbase_pro_fills", 3, 0, 0),
    "exchanges/coinbase_pro/rotki__coinbasepro.csv": ("coinbase_pro_statement", 21, 0, 0),
    # a stake
    "exchanges/crypto_com/cran_cryptoTax__data_CDC.csv": ("crypto_com_app", 19, 1, 0),
    "exchanges/crypto_com/cran_cryptoTax__data_CDC_exchange_trades.csv": ("crypto_com_exchange", 7, 0, 0),
    # ignored: two rows of an overall swap that its parts stand beside, a stake, two moves of Crypto Earn, six locks
    # and unlocks of limit orders; rejected: a bonus paid into the Exchange
    "exchanges/crypto_com/rotki__cryptocom_trades_list.csv": ("crypto_com_app", 48, 11, 1),
    "exchanges/kraken/cryptoTaxes__trades.csv": ("kraken_trades", 3, 0, 0),
    "exchanges/kraken/everytrade__KrakenBeanV1_d1.csv": ("kraken_trades", 2, 0, 0),
    # money alone
    "exchanges/paypal/egh__paypal.csv": ("paypal_activity", 2, 2, 0),
    "exchanges/river/river_income_h_head.csv": ("river", 1, 0, 0),
    # two sales of shares
    "exchanges/robinhood/robinhood_1099b_d.csv": ("robinhood_1099", 2, 2, 0),
    "exchanges/strike/strike_2026_d.csv": ("strike", 2, 0, 0),
    "exchanges/swan/wisehodl__swan.csv": ("swan", 5, 0, 0),
    # invented: no currency is named (6 trades), types that Coinbase has not (Swap, Staking)
    "portfolios/js1499_samples/js1499__sample-coinbase.csv": ("coinbase", 10, 0, 8),
    # invented: no currency is named (7), a quantity of 0, a negative one, types that Coinbase has not (Swap, Unknown)
    "portfolios/js1499_samples/js1499__sample-edge-cases.csv": ("coinbase", 12, 0, 11),
    # --- wallets
    "wallets/adalite/cran_cryptoTax__data_adalite_firsthalf.csv": ("adalite", 5, 0, 0),
    "wallets/electrum/spesmilo__history_with_fx_client_4_5_2_9dk_with_ln.csv": ("electrum", 36, 0, 0),
    # 0.72 SOL back from staking beside 0.7 that went in: the reward is not told apart
    "wallets/exodus/exodus_d.csv": ("exodus", 5, 0, 1),
    "wallets/ledger_live/ledgerlive_d.csv": ("ledger_live", 3, 0, 0),
    "wallets/trezor/eprbell__test_trezor_alice_btc.csv": ("trezor_web", 2, 0, 0),
    "wallets/trezor/eprbell__test_trezor_bob_btc.csv": ("trezor_web", 3, 0, 0),
    "wallets/trezor/everytrade__TrezorSuiteBeanV1_d1.csv": ("trezor_suite", 1, 0, 0),
    "wallets/trezor/everytrade__TrezorSuiteBeanV1_d2.csv": ("trezor_suite", 2, 0, 0),
    "wallets/wallet_of_satoshi/everytrade__WalletOfSatoshiBeanV1_d1.csv": ("wallet_of_satoshi", 1, 0, 0),
    # --- aggregators
    # a SWAP of BTC for BCH, by which Bitcoin.tax means the fork: it is no trade
    "aggregators/bitcoin_tax/rotki__bitcoin_tax_trades.csv": ("bitcoin_tax", 3, 0, 1),
    "aggregators/bittytax/BittyTax__example.csv": ("bittytax", 60, 0, 0),
    "aggregators/bittytax/BittyTax__example.xlsx": ("bittytax", 60, 0, 0),
    "aggregators/blockpit/rotki__blockpit_transactions_firsthalf.csv": ("blockpit", 8, 0, 0),
    # the ids were changed by hand: two buys without what was bought, a trade whose debit has another id than its
    # credit and fee, a trade cut off by the slice
    "aggregators/coinledger/rotki__coinledger_export_firsthalf.csv": ("coinledger", 13, 0, 6),
    # a trade of 10.99 ADS for 0 BTC
    "aggregators/cointracking/rotki__cointracking_trades_list.csv": ("cointracking", 12, 0, 1),
    # a margin trade, a futures trade, a swap without tax, a liquidation
    "aggregators/cointracking/tomvodi__CoinTracking_trades_default_en.csv": ("cointracking", 46, 0, 4),
    "aggregators/koinly/Gadersd__koinly_example.csv": ("koinly", 6, 0, 0),
    "aggregators/rotki/rotki__rotki_generic_events_firsthalf.csv": ("rotki_events", 3, 0, 0),
    "aggregators/rotki/rotki__rotki_generic_trades_firsthalf.csv": ("rotki_trades", 3, 0, 0),
    # two trades that ended in mediation: what was paid out is not in the file
    "exchanges/bisq/rotki__bisq_trades_firsthalf.csv": ("bisq", 5, 0, 2),
    "exchanges/pionex/eprbell__test_pionex_trades.csv": ("cointracker", 2, 0, 0),
}  # fmt: skip

# The clocks of files whose times name none, as accounts.csv would give them, by file or folder.
ZONES = {
    **dict.fromkeys(
        (
            "exchanges/binance",
            "exchanges/okx",
            "exchanges/bitfinex",
            "wallets/electrum",
            "wallets/trezor",
            "aggregators/cointracking",
            "aggregators/cointracker",
            "aggregators/bittytax",
            "aggregators/blockpit",
            "exchanges/bisq",
            "exchanges/pionex",
        ),
        "UTC",
    ),
    "exchanges/coinbase/robertkarl__sample_coinbase.csv": "America/Los_Angeles",
    "exchanges/river/river_income_h_head.csv": "America/Los_Angeles",
}

# Files that are joined from unrelated rows or invented: the check finds exactly their seams.
SEAMS = {
    "exchanges/kraken/everytrade__KrakenBeanV2_d2.csv": [("ZUSD", 15)],
    "portfolios/js1499_samples/js1499__sample-kraken.csv": [("USD", 4), ("XXBT", 7)],
}


def reading(name: str) -> Reading:
    path = ROOT / name
    data = path.read_bytes()
    own = next((address for folder, address in OWN.items() if folder in path.parts), None)
    zone = ZONES.get(name) or ZONES.get(path.parent.relative_to(ROOT).as_posix())
    return read_file(data, Context("account", hashlib.sha256(data).hexdigest(), own, path.name, zone))


@pytest.mark.parametrize("name", COUNTS)
def test_every_row_of_a_known_format_is_accounted_for(name: str) -> None:
    source, rows, ignored, rejected = COUNTS[name]
    read = reading(name)
    under_header = read.raw_rows.filter(pl.col("reason").fill_null("") != "the header or a line above it")
    found = dict(under_header.group_by("status").len().rows())
    assert read.file.select("source", "rows", "rows_rejected").row(0) == (source, rows, rejected)
    assert (found.get("ignored", 0), found.get("rejected", 0)) == (ignored, rejected)
    assert found.get("used", 0) == rows - ignored - rejected == read.legs["row_no"].n_unique()


@pytest.mark.parametrize("name", [name for name, counts in COUNTS.items() if counts[0] == "kraken_ledgers"])
def test_krakens_running_balance_follows_from_the_legs(name: str) -> None:
    assert balance_breaks(reading(name).legs).select("raw_asset", "row_no").rows() == SEAMS.get(name, [])


def test_coinbase_pros_running_balance_follows_from_the_legs() -> None:
    assert balance_breaks(reading("exchanges/coinbase_pro/rotki__coinbasepro.csv").legs).is_empty()


@pytest.mark.parametrize("name", [name for name, counts in COUNTS.items() if counts[0] == "coinbase_pro_fills"])
def test_coinbase_pros_totals_hold_to_the_last_digit_shown(name: str) -> None:
    with (ROOT / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    legs = reading(name).legs
    assert legs["row_no"].n_unique() == len(rows)
    for line, row in enumerate(rows, 2):
        size, price, fee, total = (Decimal(row[column]) for column in ("size", "price", "fee", "total"))
        exact = -(size * price + fee) if row["side"] == "BUY" else size * price - fee
        assert exact.quantize(total) == total
        own = legs.filter((pl.col("row_no") == line) & (pl.col("asset") == row["price/fee/total unit"]))
        moved = sum(-leg if role != "received" else leg for role, leg in own.select("role", "quantity").rows())
        assert moved == exact


@pytest.mark.parametrize("folder", ["0x003dc", "0xf98"])
def test_an_address_never_holds_less_than_no_ether(folder: str) -> None:
    files = [name for name in COUNTS if f"/{folder}/" in name]
    legs = pl.concat(reading(name).legs for name in files).filter(pl.col("asset") == "ETH")
    moved = pl.when(pl.col("role") == "received").then("quantity").otherwise(-pl.col("quantity"))
    # within a transaction (internal rows are its parts) only the end counts
    held = legs.group_by("occurred_at").agg(moved.sum().alias("moved")).sort("occurred_at")["moved"].cum_sum()
    assert held.min() >= 0


def test_electrums_legs_add_up_to_the_files_net_amounts() -> None:
    name = "wallets/electrum/spesmilo__history_with_fx_client_4_5_2_9dk_with_ln.csv"
    with (ROOT / name).open(newline="") as file:
        net = sum(Decimal(row["amount_chain_bc"]) + Decimal(row["amount_lightning_bc"]) for row in csv.DictReader(file))
    moved = pl.when(pl.col("role") == "received").then("quantity").otherwise(-pl.col("quantity"))
    assert reading(name).legs.select(moved.sum()).item() == net


def test_every_other_file_has_a_status_and_is_no_crash() -> None:
    files = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.rglob("*")) if path.is_file()]
    others = [name for name in files if name not in COUNTS]
    assert len(others) > 400
    found = {name: reading(name).file.select("status", "source").row(0) for name in others}
    assert {
        name: result for name, result in found.items() if result[0] not in {"unknown_format", "unreadable", "empty"}
    } == {}
    assert {source for _, source in found.values()} == {None}


# --- moves between a genuine address and an exchange -----------------------------------------------------------------

FROM_BINANCE = """User_ID,UTC_Time,Account,Operation,Coin,Change,Remark
7,2018-01-07 12:40:00,Spot,Withdraw,DNT,-939,
7,2018-01-07 12:41:00,Spot,Withdraw,MANA,-3090,Withdraw fee is included
7,2018-01-07 12:55:00,Spot,Withdraw,ETH,-0.59921229,Withdraw fee is included
7,2018-01-07 12:56:00,Spot,Withdraw,ETH,-0.7,
7,2018-01-10 12:00:00,Spot,Withdraw,DNT,-971,
"""
"""What Binance's statement would say of what its wallet 0x3f5ce... sent to the address on 2018-01-07: no genuine statement
of this owner is among the samples. The fees inside are 22.329 MANA (0.72 %) and 0.005 ETH (0.83 %); nothing on the chain
answers the last two rows (0.7 ETH; the 971 DNT of 2018-01-13 came three days later, and from another exchange)."""
TOKENS = {"DNT": "0x0abdace70d3790235af448c88547603b945604ea", "MANA": "0x0f5d2fb29fb7d3cfee444a200298f468908cc942"}


def test_what_left_binance_is_found_on_the_genuine_address() -> None:
    firm = pl.DataFrame(
        [
            {"asset": name, "chain": "eip155:1", "contract": contract, "symbol": name}
            for name, contract in TOKENS.items()
        ]
    )
    master = asset_master.master(gate.conform(firm, Assets))
    statement = read_file(FROM_BINANCE.encode(), Context("binance", "statement", file_name="statement.csv")).legs
    chain = [reading(name).legs.with_columns(account_id=pl.lit("0x003dc")) for name in COUNTS if "/0x003dc/" in name]
    legs = pl.concat([statement, *chain]).with_columns(asset=asset_master.resolve(master, pl.col("asset")))
    events = assemble(legs, NETTED, REGROUP).events.with_columns(
        taxpayer_id=pl.lit("ada"), tax_year=pl.col("occurred_at").dt.year().cast(pl.Int64)
    )
    accounts = pl.DataFrame({"account_id": ["binance", "0x003dc"], "treatment": ["taxable", "taxable"]})
    nobody = pl.DataFrame(schema={"out_event_id": pl.String, "in_event_id": pl.String})
    found = transfers.match(events, nobody, accounts).transfers
    arrived = events.select(in_event_id="event_id", tx_id="tx_id")
    rows = found.join(arrived, on="in_event_id").sort("asset")
    assert rows.select("asset", "quantity", "fee_quantity", pl.col("tx_id").str.slice(0, 10)).rows() == [
        ("DNT", Decimal(939), Decimal(0), "0xb84caf5c"),
        ("ETH", Decimal("0.59421229"), Decimal("0.005"), "0x2447c9bf"),
        ("MANA", Decimal("3067.671"), Decimal("22.329"), "0x35b1d2ef"),
    ]
