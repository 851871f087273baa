"""What holds for every source: order, spelling and broken neighbours change nothing about a row."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from golden import DATA, read
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.sources.registry import Reading, _names
from transforms.text import read_sheet

FIXTURES = [
    DATA / f"{name}.csv"
    for name in ("universal/story", "coinbase/history", "kraken/ledgers", "binance/statement",
                 "etherscan/normal", "etherscan/internal", "etherscan/erc20",
                 "binance_trades/glued", "binance_trades/tabled", "binance_trades/interest", "binance_us/history",
                 "gemini/history", "kucoin/fills", "kucoin/orders", "kucoin/older", "kucoin/deposits", "kucoin/moves",
                 "kucoin/history", "bybit/unified", "bybit/fund", "bybit/assets", "okx/fills", "okx/bills", "okx/trading",
                 "okx/funding", "bitfinex/ledger", "bitfinex/trades", "bitfinex/margin",
                 "coinbase/v1", "coinbase/v2", "coinbase/v3", "coinbase/us_report", "coinbase/wallet",
                 "coinbase/transfers", "coinbase/gain_loss", "coinbase_pro/statement", "coinbase_pro/fills",
                 "kraken/trades", "kraken/newest", "crypto_com/app", "crypto_com/exchange", "bitstamp/old",
                 "bitstamp/rfc_4180", "robinhood/trades", "robinhood/transfers", "robinhood/form_1099",
                 "cash_app/activity", "swan/transfers", "strike/newest", "strike/older", "river/activity",
                 "paypal/crypto", "paypal/activity",
                 "etherscan/nft", "blockscout/normal", "blockscout/internal", "blockscout/tokens",
                 "ledger_live/operations", "trezor/suite", "trezor/web_btc", "exodus/transactions", "electrum/history",
                 "adalite/history", "wallet_of_satoshi/history", "koinly/universal", "koinly/export",
                 "cointracking/trades", "cointracking/deutsch", "coinledger/transactions", "cointracker/import",
                 "cointracker/export", "rotki/trades", "rotki/events", "bittytax/generic", "bitcoin_tax/trades",
                 "blockpit/transactions", "bisq/trades")
]  # fmt: skip
OTHERS = pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
JUNK = st.sampled_from(["", " ", "-1", "0", "1e30", "1e-30", "NaN", "'", '"', "a,b", "\x00", "\u202e", "=1+1", "١", "9" * 50, "1970-01-01 00:00:00", "USD", "<b>"])  # fmt: skip
# an announced transfer and its counterpart, or the rows of one trade, are one fact: they may change with each other
SHARED = {
    "kraken/ledgers": "refid", "kraken/newest": "refid", "coinbase/history": "Timestamp", "coinbase/v1": "Timestamp",
    "coinbase_pro/statement": "time", "crypto_com/app": "Timestamp (UTC)", "strike/older": "Reference",
    "kucoin/history": "Time(UTC+08:00)", "bybit/unified": "Time(UTC)", "okx/trading": "Order id", "okx/bills": "time",
    "bitfinex/ledger": "DATE", "ledger_live/operations": "Operation Hash", "trezor/suite": "Transaction ID",
    "trezor/web_btc": "Transaction ID", "exodus/transactions": "ORDERID", "coinledger/transactions": "Internal Id",
    "bisq/trades": "Trade ID",
}  # fmt: skip


def rows_of(path: Path) -> tuple[list[list[str]], list[list[str]]]:
    """What stands above the rows, and the rows."""
    rows = read_sheet(path.read_bytes()).rows
    above = (read(path).raw_rows["reason"] == "the header or a line above it").sum()
    return rows[:above], rows[above:]


def written(
    rows: list[list[str]], line_end: str = "\n", quoting: int = csv.QUOTE_MINIMAL, delimiter: str = ","
) -> bytes:
    out = StringIO()
    csv.writer(out, lineterminator=line_end, quoting=quoting, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode()


def keys(reading: Reading) -> list[tuple[object, ...]]:
    return sorted(
        reading.legs.select("row_key", "role", pl.col("quantity").cast(pl.String), "kind", "group_key").rows(), key=str
    )


@OTHERS
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_any_order_of_rows_gives_the_same_legs(path: Path, data: st.DataObject) -> None:
    above, rows = rows_of(path)
    shuffled = data.draw(st.permutations(rows))
    assert keys(read(path, written(above + shuffled))) == keys(read(path, written(above + rows)))


@OTHERS
@pytest.mark.parametrize(
    ("line_end", "quoting", "delimiter"),
    [
        ("\r\n", csv.QUOTE_MINIMAL, ","),
        ("\n", csv.QUOTE_ALL, ","),
        ("\r\n", csv.QUOTE_ALL, ";"),
        ("\n", csv.QUOTE_MINIMAL, "\t"),
    ],
)
def test_another_spelling_of_the_same_file_gives_the_same_keys(
    path: Path, line_end: str, quoting: int, delimiter: str
) -> None:
    above, rows = rows_of(path)
    assert keys(read(path, written(above + rows, line_end, quoting, delimiter))) == keys(read(path))


@OTHERS
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_broken_row_never_raises_and_never_changes_its_neighbours(path: Path, data: st.DataObject) -> None:
    above, rows = rows_of(path)
    index = data.draw(st.integers(0, len(rows) - 1))
    broken = list(rows[index])
    for _ in range(data.draw(st.integers(1, 3))):
        one, two = (data.draw(st.integers(0, len(broken) - 1)) for _ in range(2))
        match data.draw(st.sampled_from(["drop", "swap", "junk", "blank"])):
            case "drop" if len(broken) > 1:
                del broken[one]
                broken = broken or [""]
                break
            case "swap":
                broken[one], broken[two] = broken[two], broken[one]
            case "junk":
                broken[one] = data.draw(JUNK)
            case _:
                broken = [""] * len(broken)
    after = read(path, written(above + rows[:index] + [broken] + rows[index + 1 :]))
    assert after.file["status"].item() == "parsed", after.file["message"].item()
    assert neighbours(after, path, rows, index) == neighbours(read(path, written(above + rows)), path, rows, index)


def neighbours(reading: Reading, path: Path, rows: list[list[str]], index: int) -> list[tuple[object, ...]]:
    """The legs of all rows but the broken one and those of its own fact; a running balance runs on from a broken row."""
    lines = reading.raw_rows["row_no"].to_list()[-len(rows) :]
    shared = SHARED.get(f"{path.parent.name}/{path.stem}")
    own = {lines[index]}
    if shared:
        place = _names(rows_of(path)[0][-1]).index(shared)
        own |= {lines[other] for other, row in enumerate(rows) if row[place] == rows[index][place]}
    return reading.legs.drop("balance").filter(~pl.col("row_no").is_in(list(own))).rows()
