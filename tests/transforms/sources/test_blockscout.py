"""Blockscout's traps: wei, a chain that the file does not name, decimals of tokens, the facts that Etherscan has too."""

from __future__ import annotations

import polars as pl
from golden import CHAINS, DATA, OWN, read, read_text, reasons, sides

TEXT = (DATA / "blockscout" / "normal.csv").read_text()


def test_wei_become_coins_of_the_chain_that_the_address_names() -> None:
    # 1500000000000000000 wei
    assert sides(read(DATA / "blockscout" / "normal.csv"))[0] == (2, "received", "XDAI", "1.5")
    celo = read_text(TEXT, address=f"eip155:42220:{OWN}")
    assert sides(celo)[0] == (2, "received", "CELO", "1.5")


def test_without_a_chain_the_coin_is_asked() -> None:
    assert "eip155:<chain>" in reasons(read_text(TEXT), "rejected")[2]


def test_a_failed_transaction_and_an_approval_cost_their_fee() -> None:
    assert [side for side in sides(read(DATA / "blockscout" / "normal.csv")) if side[0] in (4, 5)] == [
        (4, "fee", "XDAI", "0.000033"),
        (5, "fee", "XDAI", "0.000044"),
    ]


def test_a_point_is_no_number_of_wei() -> None:
    assert "base units" in reasons(read(DATA / "blockscout" / "normal.csv"), "rejected")[6]


def test_a_tokens_amount_needs_its_decimals() -> None:
    reading = read(DATA / "blockscout" / "tokens.csv")
    assert [side[3] for side in sides(reading)] == ["1250.4", "3"]
    assert "how many decimals" in reasons(reading, "rejected")[4]


def test_the_files_of_one_swap_share_a_group() -> None:
    legs = pl.concat(read(DATA / "blockscout" / f"{name}.csv").legs for name in ("normal", "internal", "tokens"))
    swap = legs.filter(pl.col("group_key").str.ends_with("32"))
    assert set(swap["role"]) == {"sent", "received", "fee"}
    assert set(swap["source"]) == {"etherscan"}


def test_etherscans_copy_of_a_transaction_is_the_same_fact() -> None:
    hash_ = "0x" + "0" * 62 + "32"
    header = "Txhash,UnixTimestamp,From,To,ContractAddress,Value_IN(XDAI),Value_OUT(XDAI),TxnFee(XDAI),Status,ErrCode"
    row = f"{hash_},1700086400,{OWN},0x00000000000000000000000000000000000000bb,,0,0.25,0.000021,,"
    scan = read_text(f"{header}\n{row}\n", address=CHAINS["blockscout"])
    own = read(DATA / "blockscout" / "normal.csv").legs.filter(row_no=3)
    assert (
        scan.legs.select("row_key", "role", "asset", "quantity").rows()
        == own.select("row_key", "role", "asset", "quantity").rows()
    )


def test_a_transactions_own_call_among_its_internal_ones_moves_nothing_again() -> None:
    reading = read(DATA / "blockscout" / "internal.csv")
    assert sides(reading) == [(3, "received", "XDAI", "0.001")]
    assert reasons(reading, "ignored")[2] == "no value moved"
