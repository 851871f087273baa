from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from schemas.inputs import Assets
from tests.transforms.frames import frame
from transforms import asset_master, tickers

PLATFORMS = pl.DataFrame({"account_id": ["fi", "kr", "none"], "platform": ["Bitfinex (old)", "kraken", None]})


def named(
    asset: str,
    account: str = "none",
    source: str = "universal",
    on: str = "2025-03-01",
    firm: pl.DataFrame | None = None,
) -> str:
    at = [dt.datetime.fromisoformat(on).replace(tzinfo=dt.UTC)]
    legs = pl.DataFrame({"account_id": [account], "source": [source], "occurred_at": at, "asset": [asset]})
    known = tickers.common(legs, PLATFORMS, frame(Assets) if firm is None else firm)
    assert known.columns == legs.columns
    return known["asset"][0]


@pytest.mark.parametrize(
    ("asset", "account", "source", "on", "common"),
    [
        ("UST", "fi", "universal", "2021-03-01", "USDT"),  # Bitfinex's code for Tether
        ("UST", "none", "universal", "2021-03-01", "USTC"),  # TerraUSD, until its chain was renamed
        ("UST", "none", "universal", "2023-03-01", "UST"),  # nobody knows: asked
        ("LUNA", "none", "universal", "2022-05-27", "LUNC"),
        ("LUNA", "none", "universal", "2022-05-28", "LUNA"),
        ("LUNA", "kr", "universal", "2023-01-01", "LUNC"),  # Kraken kept the old coin's ticker
        ("LUNA2", "none", "kraken_ledgers", "2023-01-01", "LUNA"),
        ("bcc", "none", "binance_statement", "2017-12-01", "BCH"),
        ("BCC", "none", "universal", "2017-12-01", "BCC"),  # BitConnect's ticker too: asked
        ("STR", "none", "poloniex_trades", "2017-12-01", "XLM"),
        ("XBT", "none", "universal", "2025-03-01", "BTC"),
        ("MATIC", "none", "universal", "2025-03-01", "MATIC"),  # exchanged for POL, not renamed
        ("BTC", "kr", "universal", "2025-03-01", "BTC"),
    ],
)
def test_a_ticker_is_what_its_platform_and_its_day_make_it(
    asset: str, account: str, source: str, on: str, common: str
) -> None:
    assert named(asset, account, source, on) == common


def test_the_firm_s_own_name_stays() -> None:
    firm = frame(Assets, {"asset": "ust", "class": "coin"})
    assert named("UST", "fi", firm=firm) == "UST"


def test_every_common_ticker_is_an_asset_of_the_master() -> None:
    known = set(asset_master.shipped()["asset"])
    every = {asset for names in tickers._BY_PLATFORM.values() for asset in names.values()}
    every |= set(tickers._EVERYWHERE.values()) | {asset for _, asset, _ in tickers._RENAMED}
    assert every - known == set()


@pytest.mark.parametrize(
    ("asset", "unknown"),
    [
        ("BTC", False), ("USD", False), ("NOSUCHCOIN", True), ("ETH2.S", True), ("?", True),
        ("eip155:1/erc20:0x00000000000000000000000000000000000000ee", False),
        ("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/token:EPjF", False),
    ],
)  # fmt: skip
def test_a_ticker_that_nobody_knows_is_told(asset: str, unknown: bool) -> None:
    found = pl.DataFrame({"a": [asset]}).select(asset_master.unknown(asset_master.shipped(), pl.col("a")))
    assert found["a"].to_list() == [unknown]


def test_tokens_of_the_public_list_are_known_by_contract() -> None:
    master = asset_master.shipped()
    listed = pl.DataFrame({"asset": [
        "eip155:1/erc20:0x04fa0d235c4abf4bcf4787af4cf447de572ef828",  # UMA: one contract, one ticker
        "eip155:10/erc20:0x9bcef72be871e61ed4fbbc7630889bee758eb81d",  # rETH over the bridge: its own asset
        "eip155:1/erc20:0x9559aaa82d9649c7a7b220e7c461d2e74c9a3593",  # StaFi's rETH: the symbol is not Rocket Pool's
    ]})  # fmt: skip
    assert listed.select(asset_master.resolve(master, pl.col("asset")))["asset"].to_list() == [
        "UMA", listed["asset"][1], listed["asset"][2],
    ]  # fmt: skip
    facts = {row["asset"]: row for row in asset_master.facts(master).iter_rows(named=True)}
    assert (facts[listed["asset"][1]]["class"], facts[listed["asset"][1]]["represents"]) == ("bridged", "rETH")
    assert facts["rETH"]["represents"] == "ETH"


def test_no_contract_is_two_assets_and_no_ticker_is_two_assets() -> None:
    placed = asset_master.shipped().filter(pl.col("contract").is_not_null())
    assert placed.select("chain", "contract").is_unique().all()
    names = asset_master.shipped()["asset"].unique()
    assert names.str.to_lowercase().is_unique().all()
