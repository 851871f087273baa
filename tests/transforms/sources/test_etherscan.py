"""Etherscan's traps: whose fee, failed transactions, four files of one hash, prices of the wrong day."""

from __future__ import annotations

import polars as pl
from golden import DATA, OWN, events, read, read_text, reasons, sides

from transforms.sources.registry import NETTED, Reading

PEER = "0x00000000000000000000000000000000000000bb"
TOKEN = "0x00000000000000000000000000000000000000ee"
HASH = "0x" + "0" * 63 + "1"
NORMAL = "Txhash,Blockno,UnixTimestamp,DateTime (UTC),From,To,ContractAddress,Value_IN({0}),Value_OUT({0}),CurrentValue @ $2000/{0},TxnFee({0}),TxnFee(USD),Historical $Price/{0},Status,ErrCode,Method"
INTERNAL = "Txhash,Blockno,UnixTimestamp,DateTime (UTC),ParentTxFrom,ParentTxTo,ParentTxETH_Value,From,TxTo,ContractAddress,Value_IN(ETH),Value_OUT(ETH),CurrentValue @ $2000/Eth,Historical $Price/Eth,Status,ErrCode,Type"
ERC20 = "Txhash,Blockno,UnixTimestamp,DateTime (UTC),From,To,TokenValue,USDValueDayOfTx,ContractAddress,TokenName,TokenSymbol"


def normal(
    sender: str,
    receiver: str,
    value_in: str,
    value_out: str,
    status: str = "",
    symbol: str = "ETH",
    address: str | None = OWN,
) -> Reading:
    row = f"{HASH},1,1700000000,2023-11-14 22:13:20,{sender},{receiver},,{value_in},{value_out},9,0.002,4,1800,{status},,Transfer"
    return read_text(f"{NORMAL.format(symbol)}\n{row}\n", address=address)


def test_the_fee_is_the_clients_only_where_the_client_sent() -> None:
    assert sides(normal(OWN, PEER, "0", "1")) == [(2, "sent", "ETH", "1"), (2, "fee", "ETH", "0.002")]
    assert sides(normal(PEER, OWN, "1", "0")) == [(2, "received", "ETH", "1")]


def test_a_failed_transaction_moved_nothing_but_its_fee() -> None:
    assert sides(normal(OWN, PEER, "0", "1", status="Error(0)")) == [(2, "fee", "ETH", "0.002")]
    assert sides(normal(PEER, OWN, "1", "0", status="Error(0)")) == []


def test_a_fee_is_valued_at_the_price_of_the_day_not_of_the_download() -> None:
    # 0.002 ETH x 1,800 = 3.60; TxnFee(USD) says 4 at the price of the download day
    fee = normal(OWN, PEER, "0", "1").legs.filter(pl.col("role") == "fee")
    assert str(fee["usd_value"].item()) == "3.600000"


def test_another_chains_coin_is_named_by_the_header() -> None:
    assert sides(normal(PEER, OWN, "1", "0", symbol="MATIC")) == [(2, "received", "MATIC", "1")]


def test_rows_of_another_address_and_of_none_are_asked_not_guessed() -> None:
    assert "neither side" in reasons(normal(PEER, TOKEN, "1", "0"), "rejected")[2]
    assert "give the account's address" in reasons(normal(OWN, PEER, "0", "1", address=None), "rejected")[2]


def test_an_address_in_capitals_is_the_same_address() -> None:
    assert sides(normal(OWN.replace("aa", "AA"), PEER, "0", "1"))[0] == (2, "sent", "ETH", "1")


def test_an_internal_row_with_one_value_more_than_the_header_has_names() -> None:
    row = f'{HASH},1,1700000000,2023-11-14 22:13:20,{OWN},{PEER},0,{PEER},{OWN},,0.25,0,500,1800,0,,call,""'
    reading = read_text(f"{INTERNAL}\n{row}\n")
    assert sides(reading) == [(2, "received", "ETH", "0.25")]
    assert reading.raw_rows["cells"].list.len().to_list() == [17, 18]


def test_an_internal_row_never_has_a_fee() -> None:
    row = f"{HASH},1,1700000000,2023-11-14 22:13:20,{OWN},{PEER},0,{OWN},{PEER},,0,0.25,500,1800,0,,call"
    assert sides(read_text(f"{INTERNAL}\n{row}\n")) == [(2, "sent", "ETH", "0.25")]


def token(address: str = OWN) -> Reading:
    row = f'{HASH},1,1700000000,2023-11-14 22:13:20,{OWN},{PEER},"1,250.5","$1,250.40",{TOKEN.upper().replace("X", "x")},Name,USDC'
    return read_text(f"{ERC20}\n{row}\n", address=address)


def test_a_token_is_its_contract_never_its_symbol() -> None:
    assert sides(token()) == [(2, "sent", f"eip155:1/erc20:{TOKEN}", "1250.5")]
    assert str(token().legs["usd_value"].item()) == "1250.400000"


def test_a_tokens_value_of_a_hundred_billion_is_no_value_and_loses_no_row() -> None:
    row = f"{HASH},1,1700000000,2023-11-14 22:13:20,{OWN},{PEER},{{}},{{}},{TOKEN},Name,SPAM"
    reading = read_text("\n".join([ERC20, row.format("1000000", "100000000000"), row.format("2", "9" * 25)]))
    assert reading.legs["usd_value"].to_list() == [None, None]
    assert sides(reading)[0] == (2, "sent", f"eip155:1/erc20:{TOKEN}", "1000000")


def test_a_token_quantity_of_ten_to_the_fifteenth_is_asked() -> None:
    row = f"{HASH},1,1700000000,2023-11-14 22:13:20,{OWN},{PEER},{{}},N/A,{TOKEN},Name,SPAM"
    reading = read_text("\n".join([ERC20, row.format(10**15), row.format("9" * 30)]))
    assert list(reasons(reading, "rejected")) == [2, 3]


def test_the_chain_of_a_token_may_stand_in_the_accounts_address() -> None:
    assert token(f"eip155:137:{OWN}").legs["asset"].item() == f"eip155:137/erc20:{TOKEN}"


def test_the_three_files_of_one_swap_share_a_group() -> None:
    swap = "0x" + "0" * 63 + "5"
    legs = pl.concat(read(DATA / "etherscan" / f"{name}.csv").legs for name in ("normal", "internal", "erc20"))
    one = legs.filter(pl.col("group_key") == swap)
    assert one.select("source", "role").unique().sort("role").rows() == [
        ("etherscan", "fee"), ("etherscan", "received"), ("etherscan", "sent"),
    ]  # fmt: skip
    assert one["row_key"].n_unique() == 3
    assert "etherscan" in NETTED


def test_a_list_of_nfts_is_another_format() -> None:
    reading = read_text(f"{ERC20.replace('TokenValue', 'Token ID,TokenValue')}\n{HASH},1\n")
    assert reading.file["status"].item() == "unknown_format"


NFT = "Txhash,Blockno,UnixTimestamp,DateTime (UTC),From,To,ContractAddress,TokenName,TokenSymbol,Token ID,Type,Quantity"


def nft(token_id: str, standard: str = "ERC-721", quantity: str = "1", address: str = OWN) -> Reading:
    row = (
        f"{HASH},1,1700000000,2023-11-14 22:13:20,{PEER},{OWN},{TOKEN},Cool Cats,COOL,{token_id},{standard},{quantity}"
    )
    return read_text(f"{NFT}\n{row}\n", address=address)


def test_an_nft_is_an_asset_by_contract_and_number() -> None:
    assert sides(nft("1234")) == [(2, "received", f"eip155:1/erc721:{TOKEN}/1234", "1")]
    assert sides(nft("7", "ERC-1155", "5")) == [(2, "received", f"eip155:1/erc1155:{TOKEN}/7", "5")]
    assert sides(nft("7", address=f"eip155:137:{OWN}"))[0][2] == f"eip155:137/erc721:{TOKEN}/7"


def test_the_number_of_a_name_service_is_78_digits_long_and_kept() -> None:
    number = "9" * 78
    assert sides(nft(number))[0][2] == f"eip155:1/erc721:{TOKEN}/{number}"
    assert "expected a number" in reasons(nft("9" * 79), "rejected")[2]


def test_an_nft_bought_for_ether_is_one_event_with_its_gas() -> None:
    paid = normal(OWN, PEER, "0", "1")
    both = paid._replace(legs=pl.concat([paid.legs, nft("1234").legs.with_columns(file_id=pl.lit("other"))]))
    assert events(both) == [("trade", "1 ETH", f"1 eip155:1/erc721:{TOKEN}/1234", "0.002 ETH")]


def test_the_oldest_lists_of_tokens_and_nfts_are_read() -> None:
    assert sides(read(DATA / "etherscan" / "erc20_oldest.csv"))[0][3] == "1250.5"
    new, old = (read(DATA / "etherscan" / f"{name}.csv").legs["row_key"] for name in ("nft", "nft_oldest"))
    assert old[0] == new[0]


def test_an_export_without_methods_has_the_column_types_of_every_other() -> None:
    row = f"{HASH},1,1700000000,2023-11-14 22:13:20,{PEER},{OWN},,1,0,9,0.002,4,1800,,"
    old = read_text(f"{NORMAL.format('ETH').removesuffix(',Method')}\n{row}\n")
    assert old.legs.schema == normal(PEER, OWN, "1", "0").legs.schema
