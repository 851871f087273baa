"""Gemini's transaction history: three columns an asset, as a workbook and as CSV."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

import polars as pl
import xlsxwriter
from golden import DATA, plain, read, reasons, sides

from transforms.balances import balance_breaks
from transforms.sources.base import Context
from transforms.sources.registry import Reading, read_file

HEADER = ["Date", "Time (UTC)", "Type", "Symbol", "Specification", "USD Amount USD", "Fee (USD) USD", "USD Balance USD",
          "ZEC Amount ZEC", "Fee ZEC", "ZEC Balance ZEC", "Trade ID", "Tx Hash"]  # fmt: skip
AT = datetime(2015, 10, 16, 6, 27, 56, 140000)


def workbook(*rows: list[object]) -> Reading:
    out = BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss.000"}) as book:
        sheet = book.add_worksheet("Account History")
        for number, row in enumerate([HEADER, *rows]):
            sheet.write_row(number, 0, row)
    return read_file(out.getvalue(), Context("account", "file", None, "transaction_history.xlsx"))


def test_a_buy_in_a_workbook_is_gross_of_its_fee_to_the_digit() -> None:
    buy: list[object] = [AT, AT, "Buy", "ZECUSD", "Limit", -53.624236, -0.13406059, 196.24170341, 0.2092, "", 0.2092, 21653474936.0]  # fmt: skip
    reading = workbook(buy, ["", "", "", "", "", -53.6, -0.13])
    assert sides(reading) == [
        (2, "sent", "USD", "53.624236"),
        (2, "received", "ZEC", "0.2092"),
        (2, "fee", "USD", "0.13406059"),
    ]
    assert str(reading.legs["occurred_at"][0]) == "2015-10-16 06:27:56.140000+00:00"
    assert reading.legs["row_key"].unique().to_list() == ["id:21653474936"]
    assert reasons(reading, "ignored")[3] == "the totals of the file"


def test_each_asset_of_a_row_has_its_own_balance_and_they_chain() -> None:
    reading = read(DATA / "gemini" / "history.csv")
    held = reading.legs.filter(pl.col("row_no") == 4).select("asset", "role", plain("balance")).rows()
    # 0.01 + 0.002 - 0.000007
    assert held == [("ZEC", "sent", "2"), ("BTC", "received", "0.011993"), ("BTC", "fee", None)]
    assert balance_breaks(reading.legs).is_empty()


def test_a_balance_with_as_many_digits_as_a_double_keeps_is_not_verified() -> None:
    credit: list[object] = [AT, AT, "Credit", "USD", "Deposit (ACH Transfer)", 1.0, "", 5522.63411938611]
    assert workbook(credit).legs["balance"].to_list() == [None]


def test_the_settlement_of_a_pre_credited_deposit_is_not_a_second_deposit() -> None:
    rejected = reasons(read(DATA / "gemini" / "history.csv"), "rejected")
    assert rejected[7] == "unknown credit 'Advanced (ZEC)': expected Deposit (...) or Administrative Credit"
