"""Which formats there are, and one file's bytes to its tables. No single format belongs here."""

from __future__ import annotations

import hashlib
from itertools import chain, zip_longest
from typing import NamedTuple

import polars as pl

from schemas.fields import INSTANT
from schemas.gate import conform, empty
from schemas.intake import Files, Legs, RawRows
from transforms.collector import no_garbage
from transforms.containers import read_sheets
from transforms.sources import (
    adalite,
    binance,
    binance_trades,
    binance_us,
    bisq,
    bitcoin_tax,
    bitfinex,
    bitstamp,
    bittytax,
    blockpit,
    blockscout,
    bybit,
    cash_app,
    coinbase,
    coinbase_pro,
    coinbase_reports,
    coinledger,
    cointracker,
    cointracking,
    crypto_com,
    electrum,
    etherscan,
    exodus,
    gemini,
    koinly,
    kraken,
    kucoin,
    ledger_live,
    okx,
    paypal,
    river,
    robinhood,
    rotki,
    strike,
    swan,
    trezor,
    universal,
    wallet_of_satoshi,
)
from transforms.sources.base import Context, Parsed, Source
from transforms.text import Sheet, UnreadableError, sanitised

SOURCES = (
    universal.SOURCE,
    coinbase.SOURCE,
    coinbase.TAX_REPORT,
    coinbase_reports.WALLET,
    coinbase_reports.TRANSFERS,
    coinbase_reports.GAIN_LOSS,
    coinbase_pro.STATEMENT,
    coinbase_pro.FILLS,
    crypto_com.APP,
    crypto_com.EXCHANGE,
    bitstamp.OLD,
    bitstamp.RFC_4180,
    robinhood.TRADES,
    robinhood.TRANSFERS,
    robinhood.FORM_1099,
    cash_app.SOURCE,
    swan.SOURCE,
    strike.SOURCE,
    river.SOURCE,
    paypal.CRYPTO,
    paypal.ACTIVITY,
    kraken.SOURCE,
    kraken.TRADES,
    binance.SOURCE,
    binance_trades.TRADES,
    binance_trades.ORDERS,
    binance_trades.INTEREST,
    binance_us.SOURCE,
    bitfinex.LEDGER,
    bitfinex.TRADES,
    bybit.UTA,
    bybit.FUND,
    bybit.ASSETS,
    gemini.SOURCE,
    kucoin.FILLS,
    kucoin.ORDERS,
    kucoin.MOVES,
    kucoin.HISTORY,
    okx.FILLS,
    okx.BILLS,
    okx.TRADING,
    okx.FUNDING,
    etherscan.NORMAL,
    etherscan.INTERNAL,
    etherscan.ERC20,
    etherscan.NFT,
    blockscout.NORMAL,
    blockscout.INTERNAL,
    blockscout.TOKENS,
    ledger_live.SOURCE,
    trezor.SUITE,
    trezor.WEB,
    exodus.SOURCE,
    electrum.SOURCE,
    adalite.SOURCE,
    wallet_of_satoshi.SOURCE,
    koinly.SOURCE,
    cointracking.SOURCE,
    coinledger.SOURCE,
    cointracker.SOURCE,
    rotki.TRADES,
    rotki.EVENTS,
    bittytax.SOURCE,
    bitcoin_tax.SOURCE,
    blockpit.SOURCE,
    bisq.SOURCE,
)
"""Every format, in the order in which a file is tried."""
REGROUP = {source.family: source.regroup for source in SOURCES if source.regroup is not None}
"""By `Legs.source`: what completes the group keys of all deduplicated legs of that source."""
CHECKS = {source.family: source.checks for source in SOURCES if source.checks is not None}
"""By `Legs.source`: the family whose facts it states again."""
ONLY_CHECKS = frozenset(source.family for source in SOURCES if source.only_checks)
"""Values of `Legs.source` that are compared and never booked."""
NETTED = frozenset(source.family for source in SOURCES if source.nets)
"""Values of `Legs.source` whose groups are netted by asset."""

_HEAD = 30


class Reading(NamedTuple):
    """A file's row of `files` (a frame of one row), its `raw_rows` and its `legs`."""

    file: pl.DataFrame
    raw_rows: pl.DataFrame
    legs: pl.DataFrame


@no_garbage()
def read_file(data: bytes, context: Context) -> Reading:
    """Recognise a file and read it; whatever a client hands in gives a status and a message, never an error.

    A row of a recognised file is used, ignored or rejected; the rows of an unknown format are all kept, rejected.
    `rows` counts the rows under the header (of an unknown format: all).
    """
    try:
        sheets, said = read_sheets(data)
    except UnreadableError as error:
        return _reading(context, status="unreadable", message=error.reason)
    sheets = [sheet for sheet in sheets if any(cell.strip() for row in sheet.rows for cell in row)]
    if not sheets:
        return _reading(context, status="empty", message="the file has no rows")
    known = [(sheet, *found) for sheet in sheets if (found := _known(sheet)) is not None]
    if len(known) > 1:  # row numbers and balances are one sheet's
        message = f"the workbook has {len(known)} sheets with a table: save each as a file of its own"
        return _reading(context, status="unreadable", message=message)
    if not known:
        sheet = max(sheets, key=lambda one: len(one.rows))
        raw = _raw_rows(sheet, len(sheet.rows), context, "rejected", "the file's format is not known")
        return _reading(
            context, raw, status="unknown_format", message=_message(_unknown(sheet), *said, *_left(sheets, sheet))
        )
    sheet, source, header = known[0]
    return _parsed(sheet, source, header, context, [*said, *_left(sheets, sheet)])


def _known(sheet: Sheet) -> tuple[Source, int] | None:
    """The format of a sheet, and the index of its header."""
    for source in SOURCES:
        header = source.identify(sheet.rows[:_HEAD])
        if header is not None:
            return source, header
    return None


def _left(sheets: list[Sheet], read: Sheet) -> list[str]:
    """What is to be said of a workbook's sheets that were not read."""
    others = [sanitised(sheet.name)[:30] for sheet in sheets if sheet is not read]
    if not others:
        return []
    return [
        f"read sheet '{sanitised(read.name)[:30]}', not {len(others)} others that hold rows ({', '.join(others[:5])})"
    ]


def _message(*parts: str | None) -> str | None:
    return "; ".join(part for part in parts if part) or None


def parser_version(source: Source, context: Context) -> str:
    """What a reading by `source` depended on beside the bytes: its version, the account's address, what else it says."""
    more = source.depends(context)
    return f"{source.name}:{source.version}:{context.address or ''}" + (f":{more}" if more is not None else "")


def reading_key(context: Context) -> str:
    """The same for a file that no source has read: all versions at once, hashed."""
    every = "\n".join(parser_version(source, context) for source in SOURCES)
    return "none:" + hashlib.sha256(every.encode()).hexdigest()[:16]


def is_current(version: str | None, context: Context) -> bool:
    """Whether `files.parser_version` of an earlier reading still holds, so that the file need not be read again."""
    return version == reading_key(context) or version in {parser_version(source, context) for source in SOURCES}


def _parsed(sheet: Sheet, source: Source, header: int, context: Context, said: list[str]) -> Reading:
    rows = _frame(sheet, header, source)
    blank = _blank(rows)
    try:
        parsed = source.parse(rows.filter(~blank), context)
    except pl.exceptions.PolarsError as error:  # a defect of the parser: this file waits, the night goes on
        raw = _raw_rows(sheet, header + 1, context, "rejected", "the parser stopped at this file")
        message = f"the parser {source.name} stopped ({type(error).__name__}): report this file"
        return _reading(context, raw, status="unreadable", message=message)
    parsed = parsed._replace(ignored=pl.concat([parsed.ignored, _reasons(rows.filter(blank), "a blank row")]))
    raw = _raw_rows(sheet, header + 1, context, "used", None).pipe(_judge, parsed)
    return _reading(
        context, raw, parsed.legs,
        source=source.name,
        parser_version=parser_version(source, context),
        status="parsed" if rows.height else "empty",
        message=_message(None if rows.height else "the file has a header and no rows", *said),
        rows=rows.height,
    )  # fmt: skip


def _frame(sheet: Sheet, header: int, source: Source) -> pl.DataFrame:
    """The rows under the header as `row_no`, one text column a name, and `unfit`: why a row is not to be read."""
    names = _names(sheet.rows[header])
    body = sheet.rows[header + 1 :]
    width = len(names)
    even = all(len(row) == width for row in body)
    columns = list(zip(*body, strict=True)) if even else _padded(body, width)
    frame = pl.DataFrame(
        {name: pl.Series(name, cells, pl.String) for name, cells in zip(names, columns or [()] * width, strict=True)}
    )
    line_nos = sheet.line_nos[header + 1 :]
    unfit = [None] * len(body) if even else [_misfit(row, sheet.rows[header], source.may_lack) for row in body]
    if sheet.faults:
        unfit = [sheet.faults.get(line_no, found) for line_no, found in zip(line_nos, unfit, strict=True)]
    return frame.insert_column(0, pl.Series("row_no", line_nos, pl.Int64)).with_columns(
        pl.Series("unfit", unfit, pl.String)
    )


def _misfit(row: list[str], header: list[str], may_lack: str | None) -> str | None:
    """Why a row that has not the header's cells is not read: what they mean is not certain. A blank row may differ."""
    width = len(header)
    needed = max(number for number, name in enumerate(header, 1) if name.strip())
    optional = header[needed - 1].strip().lower() == may_lack
    surplus = any(cell.strip() for cell in row[width:])
    if (len(row) >= needed - optional and not surplus) or not any(cell.strip() for cell in row):
        return None
    return f"the row has {len(row)} cells, the header {width}"


def _lists(rows: list[list[str]]) -> pl.Series:
    """A list column of text, built flat (polars looks at every inner list of Python lists)."""
    cells = pl.Series("cell", list(chain.from_iterable(rows)), dtype=pl.String)
    widths = set(map(len, rows))
    if not rows:
        return pl.Series([[]], dtype=pl.List(pl.String)).new_from_index(0, len(rows))
    if len(widths) == 1:
        return cells.reshape((len(rows), *widths)).arr.to_list()
    places = pl.Series("row", [number for number, row in enumerate(rows) for _ in row], dtype=pl.Int64)
    lists = pl.DataFrame([places, cells]).group_by("row").agg("cell")
    every = pl.DataFrame({"row": pl.int_range(len(rows), dtype=pl.Int64, eager=True)})
    return every.join(lists, on="row", how="left", maintain_order="left")["cell"].fill_null([])


def _padded(body: list[list[str]], width: int) -> list[tuple[str, ...]]:
    columns = list(zip_longest(*(row[:width] for row in body), fillvalue=""))
    return columns + [("",) * len(body)] * (width - len(columns))


def _names(header: list[str]) -> list[str]:
    """Header names, stripped; one without a name or that came before is numbered."""
    names: list[str] = []
    for number, cell in enumerate(header, 1):
        name = cell.strip() or f"column {number}"
        names.append(f"{name} ({number})" if name in {*names, "row_no", "unfit"} else name)
    return names


def _blank(rows: pl.DataFrame) -> pl.Series:
    cells = [pl.col(name).str.strip_chars() == "" for name in rows.columns if name not in {"row_no", "unfit"}]
    return rows.select(pl.all_horizontal(*cells, pl.col("unfit").is_null())).to_series()


def _reasons(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    return rows.select("row_no", reason=pl.lit(reason, pl.String))


def _raw_rows(sheet: Sheet, body: int, context: Context, status: str, reason: str | None) -> pl.DataFrame:
    """Every row of the sheet; those before index `body` are a preamble and a header, unless all are of no known format."""
    before = 0 if body == len(sheet.rows) and status == "rejected" else body
    return pl.DataFrame(
        {
            "account_id": pl.repeat(context.account_id, len(sheet.rows), eager=True),
            "file_id": pl.repeat(context.file_id, len(sheet.rows), eager=True),
            "row_no": pl.Series(sheet.line_nos, dtype=pl.Int64),
            "cells": pl.concat([_lists(sheet.rows[:before]), _lists(sheet.rows[before:])]),
            "status": ["ignored"] * before + [status] * (len(sheet.rows) - before),
            "reason": pl.Series(["the header or a line above it"] * before + [reason] * (len(sheet.rows) - before), dtype=pl.String),
        }
    )  # fmt: skip


def _judge(raw: pl.DataFrame, parsed: Parsed) -> pl.DataFrame:
    verdicts = pl.concat(
        [
            parsed.rejected.with_columns(verdict=pl.lit("rejected")),
            parsed.ignored.with_columns(verdict=pl.lit("ignored")),
        ]
    )
    judged = raw.join(verdicts, on="row_no", how="left", maintain_order="left", suffix="_found")
    return judged.with_columns(
        status=pl.coalesce("verdict", "status"), reason=pl.coalesce("reason_found", "reason")
    ).select(raw.columns)


def _unknown(sheet: Sheet) -> str:
    """What was found in a file of no known format, and what to do."""
    widest = max(sheet.rows[:_HEAD], key=len)
    found = ", ".join(sanitised(cell)[:30] for cell in widest[:12])
    return (
        f"no known format has the header '{found[:300]}': copy the rows into the universal format, or ask for a parser"
    )


def _reading(
    context: Context, raw: pl.DataFrame | None = None, legs: pl.DataFrame | None = None, **file: object
) -> Reading:
    raw = empty(RawRows) if raw is None else conform(raw, RawRows)
    legs = empty(Legs) if legs is None else legs
    row = {
        "file_id": context.file_id,
        "account_id": context.account_id,
        "path": context.file_name,
        "parser_version": reading_key(context),
        "rows": raw.height,
        "rows_rejected": raw.filter(pl.col("status") == "rejected").height,
    } | file
    seen = legs.select(first_event_at=pl.col("occurred_at").min(), last_event_at=pl.col("occurred_at").max())
    return Reading(conform(pl.DataFrame([row]).hstack(seen.cast(INSTANT)), Files).with_columns(
        pl.col("source", "message").cast(pl.String)), raw, legs)  # fmt: skip
