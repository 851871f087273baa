"""Which names mean which asset, what an asset is, and that the firm's rows win."""

from __future__ import annotations

import polars as pl
import pytest

from schemas.fields import FIAT
from schemas.gate import check, conform, empty
from schemas.inputs import Assets
from transforms.asset_master import facts, master, resolve, shipped


def rows(*firm: dict[str, object]) -> pl.DataFrame:
    return master(pl.concat([empty(Assets), *(conform(pl.DataFrame([row]), Assets) for row in firm)]))


def named(name: str | None, *firm: dict[str, object]) -> str | None:
    frame = pl.DataFrame({"asset": [name]}, schema={"asset": pl.String})
    return frame.select(resolve(rows(*firm), pl.col("asset"))).item()


def fact(asset: str, *firm: dict[str, object]) -> tuple[object, ...]:
    return facts(rows(*firm)).filter(pl.col("asset") == asset).select("class", "collectible", "indivisible").row(0)


def test_the_shipped_list_is_a_table_of_assets_without_two_rows_for_one_contract():
    assert check(shipped(), Assets).rejected.is_empty()
    placed = shipped().filter(pl.col("contract").is_not_null())
    assert placed.select("chain", "contract").is_duplicated().sum() == 0
    assert placed["contract"].str.contains(r"^0x[0-9a-f]{40}$").all()
    assert set(FIAT) <= set(shipped().filter(pl.col("class") == "fiat")["asset"])


@pytest.mark.parametrize(
    ("name", "asset"),
    [
        ("eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USDC"),
        ("eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", "USDC"),
        ("eip155:1/erc20:0xdac17f958d2ee523a2206206994597c13d831ec7", "USDT"),
        ("BTC", "BTC"),
        (" btc ", "BTC"),
        ("CBETH", "cbETH"),
        ("NOBODYKNOWS", "NOBODYKNOWS"),
        ("nobodyKnows", "nobodyKnows"),
        ("eip155:1/erc20:0x00000000000000000000000000000000000000AA", "eip155:1/erc20:0x00000000000000000000000000000000000000aa"),
        (None, None),
    ],
)  # fmt: skip
def test_a_known_contract_or_ticker_gives_the_asset_and_all_else_stays(name, asset):
    assert named(name) == asset


def test_a_contract_on_another_chain_is_another_token():
    # the mainnet address of USDC proves nothing on Base
    name = "eip155:8453/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
    assert named(name) == name


def test_the_firm_s_row_wins_for_a_contract():
    row = {"asset": "USDC-old", "chain": "eip155:1", "contract": "0xA0B86991C6218B36C1D19D4A2E9EB0CE3606EB48", "class": "token"}  # fmt: skip
    assert named("eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", row) == "USDC-old"
    assert named("USDC", row) == "USDC"


PUNK = {"asset": "PUNK-7", "chain": "eip155:1", "contract": "0x00000000000000000000000000000000000000b2", "token_id": "7", "class": "nft"}  # fmt: skip


@pytest.mark.parametrize("standard", ["erc721", "erc1155"])
def test_a_token_of_a_collection_is_named_with_its_number(standard):
    assert named(f"eip155:1/{standard}:0x00000000000000000000000000000000000000B2/7", PUNK) == "PUNK-7"
    other = f"eip155:1/{standard}:0x00000000000000000000000000000000000000b2/8"
    assert named(other, PUNK) == other


def test_an_nft_is_a_collectible_unless_the_firm_says_otherwise():
    # Notice 2023-27: look-through; until the firm has looked, the 28 % rate
    assert fact("PUNK-7", PUNK) == ("nft", True, True)
    assert fact("PUNK-7", PUNK | {"collectible": False}) == ("nft", False, True)
    assert fact("BTC") == ("coin", False, False)


def test_the_firm_s_class_wins_and_an_asset_has_one_row():
    gold = {"asset": "USDT", "class": "token", "collectible": True}
    assert fact("USDT", gold) == ("token", True, False)
    assert facts(rows(gold))["asset"].is_duplicated().sum() == 0
