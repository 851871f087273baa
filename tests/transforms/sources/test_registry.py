"""A file's bytes to its tables: recognised by content, every row accounted for, nothing a client hands in raises."""

from __future__ import annotations

import polars as pl
import pytest
from golden import DATA, OWN, read, read_text, reasons

from transforms.sources import kraken
from transforms.sources.base import Context
from transforms.sources.registry import CHECKS, ONLY_CHECKS, SOURCES, is_current, parser_version, read_file, reading_key

CONTEXT = Context("account", "file", OWN, "x.csv")


@pytest.mark.parametrize(
    ("fixture", "source"),
    [
        ("universal/story", "universal"),
        ("coinbase/history", "coinbase"),
        ("coinbase/newest", "coinbase"),
        ("coinbase/v1", "coinbase"),
        ("coinbase/v2", "coinbase"),
        ("coinbase/v3", "coinbase"),
        ("coinbase/us_report", "coinbase_us_report"),
        ("coinbase/wallet", "coinbase_wallet"),
        ("coinbase/transfers", "coinbase_transfers"),
        ("coinbase/gain_loss", "coinbase_gain_loss"),
        ("coinbase_pro/statement", "coinbase_pro_statement"),
        ("coinbase_pro/later_names", "coinbase_pro_statement"),
        ("coinbase_pro/fills", "coinbase_pro_fills"),
        ("coinbase_pro/fills_without_portfolio", "coinbase_pro_fills"),
        ("kraken/newest", "kraken_ledgers"),
        ("kraken/trades", "kraken_trades"),
        ("crypto_com/app", "crypto_com_app"),
        ("crypto_com/exchange", "crypto_com_exchange"),
        ("bitstamp/old", "bitstamp_old"),
        ("bitstamp/rfc_4180", "bitstamp"),
        ("robinhood/trades", "robinhood_trades"),
        ("robinhood/transfers", "robinhood_transfers"),
        ("robinhood/form_1099", "robinhood_1099"),
        ("cash_app/activity", "cash_app"),
        ("swan/transfers", "swan"),
        ("strike/newest", "strike"),
        ("strike/older", "strike"),
        ("river/activity", "river"),
        ("paypal/crypto", "paypal_crypto"),
        ("paypal/activity", "paypal_activity"),
        ("kraken/ledgers", "kraken_ledgers"),
        ("kraken/oldest", "kraken_ledgers"),
        ("binance/statement", "binance_statement"),
        ("etherscan/normal", "etherscan_normal"),
        ("etherscan/internal", "etherscan_internal"),
        ("etherscan/erc20", "etherscan_erc20"),
        ("etherscan/nft", "etherscan_nft"),
        ("blockscout/normal", "blockscout_normal"),
        ("blockscout/internal", "blockscout_internal"),
        ("blockscout/tokens", "blockscout_tokens"),
        ("ledger_live/operations", "ledger_live"),
        ("ledger_live/oldest", "ledger_live"),
        ("exodus/transactions", "exodus"),
        ("electrum/history", "electrum"),
        ("electrum/older", "electrum"),
        ("wallet_of_satoshi/history", "wallet_of_satoshi"),
        ("koinly/universal", "koinly"),
        ("koinly/export", "koinly"),
        ("cointracking/trades", "cointracking"),
        ("coinledger/transactions", "coinledger"),
        ("cointracker/import", "cointracker"),
        ("cointracker/export", "cointracker"),
        ("rotki/trades", "rotki_trades"),
        ("rotki/events", "rotki_events"),
        ("bittytax/generic", "bittytax"),
        ("bitcoin_tax/trades", "bitcoin_tax"),
        ("bitcoin_tax/income", "bitcoin_tax"),
    ],
)
def test_a_file_is_known_by_its_header_and_by_one_source_only(fixture: str, source: str) -> None:
    path = DATA / f"{fixture}.csv"
    file = read(path).file.row(0, named=True)
    assert (file["source"], file["status"], file["path"]) == (source, "parsed", path.name)
    head = [line.split(",") for line in path.read_text().replace('"', "").splitlines()[:30]]
    assert [known.name for known in SOURCES if known.identify(head) is not None] == [source]


def test_every_row_is_used_ignored_or_rejected_and_the_used_ones_have_legs() -> None:
    for path in DATA.glob("*/*.csv"):
        if path.name.endswith((".legs.csv", ".rows.csv")):
            continue
        reading = read(path)
        used = reading.raw_rows.filter(pl.col("status") == "used")["row_no"]
        assert set(used) == set(reading.legs["row_no"])
        assert reading.raw_rows.filter((pl.col("status") == "used") != pl.col("reason").is_null()).is_empty()


def test_the_files_row_counts_and_spans_its_rows() -> None:
    file = read(DATA / "kraken" / "oldest.csv").file.row(0, named=True)
    assert (file["rows"], file["rows_rejected"]) == (3, 0)
    assert [str(file[name])[:10] for name in ("first_event_at", "last_event_at")] == ["2016-05-01", "2016-05-03"]


def test_an_unknown_format_keeps_its_rows_and_says_which_header_was_found() -> None:
    reading = read_text("when,what,\u202ehow much\n2024,BTC,1\n")
    file = reading.file.row(0, named=True)
    assert (file["status"], file["source"], file["rows"]) == ("unknown_format", None, 2)
    assert "'when, what, how much'" in file["message"]
    assert "universal format" in file["message"]
    assert reading.raw_rows["cells"].to_list() == [["when", "what", "\u202ehow much"], ["2024", "BTC", "1"]]


def test_the_message_on_an_unknown_format_is_short_whatever_the_header_is() -> None:
    message = read_text(",".join("x" * 5000 for _ in range(50)) + "\n1,2\n").file["message"].item()
    assert len(message) < 500


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", "empty"),
        (b"\n\n \n", "empty"),
        (b"PK\x03\x04", "unreadable"),
        (b"\xff\xfe\x00", "unreadable"),
        (b"{}", "unknown_format"),
    ],
)
def test_what_is_no_export_has_a_status(data: bytes, status: str) -> None:
    file = read_file(data, CONTEXT).file.row(0, named=True)
    assert file["status"] == status
    assert file["message"]


def test_a_header_alone_is_an_empty_file_of_a_known_source() -> None:
    file = read_text("txid,refid,time,type,aclass,asset,amount,fee,balance\n").file.row(0, named=True)
    assert (file["source"], file["status"], file["rows"]) == ("kraken_ledgers", "empty", 0)


def test_a_row_with_surplus_or_missing_cells_is_rejected_and_blank_ones_do_not_count() -> None:
    rows = ["txid,refid,time,type,aclass,asset,amount,fee,balance",
            "L1,D1,2016-05-01 10:00:00,deposit,currency,XXBT,1,0,1,surplus",
            "L2,D2,2016-05-02 10:00:00,deposit,currency,XXBT,1,0",
            "L3,D3,2016-05-03 10:00:00,deposit,currency,XXBT,1,0,3,,",
            ",,"]  # fmt: skip
    reading = read_text("\n".join(rows))
    assert reading.legs["row_key"].to_list() == ["id:L3"]
    assert reasons(reading, "rejected") == {
        2: "the row has 10 cells, the header 9",
        3: "the row has 8 cells, the header 9",
    }
    assert list(reasons(reading, "ignored")) == [1, 5]


def test_cells_under_the_nameless_end_of_a_header_may_be_missing() -> None:
    header = "txid,refid,time,type,aclass,asset,amount,fee,balance,,"
    reading = read_text(f"{header}\nL1,D1,2016-05-01 10:00:00,deposit,currency,XXBT,1,0,1\n")
    assert reading.legs["row_key"].to_list() == ["id:L1"]


def test_only_binances_remark_may_be_missing() -> None:
    binance = "User_ID,UTC_Time,Account,Operation,Coin,Change,Remark\n7,2021-06-01 10:00:00,Spot,Deposit,BTC"
    assert read_text(f"{binance},1\n").legs["asset"].to_list() == ["BTC"]
    assert reasons(read_text(f"{binance}\n"), "rejected") == {2: "the row has 5 cells, the header 7"}
    universal = "time,kind,sent_quantity,sent_asset,received_quantity,received_asset,fee_quantity,fee_asset,usd_value,tx_id,note"
    short = read_text(f"{universal}\n2024-03-01T12:00:00Z,deposit,,,1,BTC,,,,\n")
    assert reasons(short, "rejected") == {2: "the row has 10 cells, the header 11"}


def test_a_line_whose_quote_never_closes_is_rejected_and_the_lines_after_it_are_read() -> None:
    header = "txid,refid,time,type,aclass,asset,amount,fee,balance"
    good = "{},{},2016-05-0{} 10:00:00,deposit,currency,XXBT,1,0,1"
    rows = [good.format("L1", "D1", 1), good.format("L2", '"D2', 2), good.format("L3", "D3", 3)]
    reading = read_text("\n".join([header, *rows]))
    assert reading.file.select("status", "rows", "rows_rejected").row(0) == ("parsed", 3, 1)
    assert reading.legs["row_key"].to_list() == ["id:L1", "id:L3"]
    assert reasons(reading, "rejected") == {3: "a quote in this line does not close: the line could not be read"}


def test_a_row_key_begins_with_id_only_where_the_source_has_one() -> None:
    def prefixed(fixture: str) -> list[bool]:
        keys = read(DATA / f"{fixture}.csv").legs["row_key"]
        return keys.str.starts_with("id:").unique().to_list()

    for with_ids in ("coinbase/history", "kraken/ledgers", "etherscan/normal"):
        assert prefixed(with_ids) == [True], with_ids
    for by_content in ("universal/story", "binance/statement", "etherscan/internal", "etherscan/erc20"):
        assert prefixed(by_content) == [False], by_content


def test_a_value_of_a_hundred_billion_is_no_value_and_loses_no_row() -> None:
    header = "time,kind,sent_quantity,sent_asset,received_quantity,received_asset,fee_quantity,fee_asset,usd_value,tx_id,note"
    row = "2024-03-01T12:00:00Z,deposit,,,1,BTC,,,{},,"
    reading = read_text("\n".join([header, row.format("99999999999.99"), row.format("100000000000")]))
    assert reading.legs["usd_value"].cast(pl.String).to_list() == ["99999999999.990000", None]


def test_headers_of_one_name_twice_are_no_error() -> None:
    assert read_text("txid,refid,time,type,aclass,asset,amount,fee,balance,balance,\nL1,,,,,,,,,,\n").file.height == 1


def test_hostile_numbers_are_rejected_not_computed() -> None:
    row = "2024-03-01T12:00:00Z,deposit,,,{},BTC,,,,,"
    hostile = [
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "1e400",
        "NaN",
        "inf",
        "-1",
        "1" * 500,
        "=1+1",
        "0x1F",
        "١",
    ]
    text = "time,kind,sent_quantity,sent_asset,received_quantity,received_asset,fee_quantity,fee_asset,usd_value,tx_id,note\n"
    reading = read_text(text + "\n".join(row.format(number) for number in hostile))
    assert reading.file["status"].item() == "parsed"
    assert len(reasons(reading, "rejected")) == len(hostile)


def test_a_reason_quotes_little_and_nothing_unprintable() -> None:
    header = "time,kind,sent_quantity,sent_asset,received_quantity,received_asset,fee_quantity,fee_asset,usd_value,tx_id,note"
    reading = read_text(f"{header}\n2024-03-01T12:00:00Z,deposit,,,\u202e\x1b[31m{'9' * 900},BTC,,,,,\n")
    reason = reasons(reading, "rejected")[2]
    assert reason == f"received_quantity: found '[31m{'9' * 56}', expected a number below 10^15"


def test_a_file_is_read_again_only_when_what_its_reading_rests_on_changed() -> None:
    parsed = read(DATA / "kraken" / "oldest.csv").file["parser_version"].item()
    unknown = read_file(b"a,b\n1,2\n", CONTEXT).file["parser_version"].item()
    assert (parsed, unknown) == (f"kraken_ledgers:{kraken.SOURCE.version}:{OWN}", reading_key(CONTEXT))
    assert is_current(parsed, CONTEXT)
    assert is_current(unknown, CONTEXT)
    assert not is_current(parsed, CONTEXT._replace(address="0x1"))
    assert not is_current("kraken_ledgers:0:", CONTEXT)
    assert not is_current(None, CONTEXT)


def test_a_binance_file_renamed_to_another_zone_is_read_again() -> None:
    binance = next(source for source in SOURCES if source.name == "binance_statement")
    versions = {
        parser_version(binance, CONTEXT._replace(file_name=name)) for name in ("a(UTC+1).csv", "a(UTC+2).csv", "a.csv")
    }
    assert len(versions) == 3


def test_what_a_family_checks_is_a_family_with_events_and_ends_at_a_ledger() -> None:
    families = {source.family for source in SOURCES}
    assert {*CHECKS.values()} <= families - ONLY_CHECKS
    for family in CHECKS:
        line = [family]
        while line[-1] in CHECKS:
            line.append(CHECKS[line[-1]])
            assert len(line) == len({*line}), f"{line} checks itself"
