"""Tables of the intake layer: the files taken in, their rows as text, and the legs that the parsers read in them."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.base import Table
from schemas.fields import KINDS, QUANTITY_LIMIT, Instant, Money, Quantity

FILE_STATUS = ("parsed", "unknown_format", "unreadable", "empty", "duplicate", "withdrawn")
ROW_STATUS = ("used", "ignored", "rejected")


class Files(Table):
    """A file taken in, by account; `file_id` is the SHA-256 of its bytes.

    `parser_version` names all that the reading depended on beside the bytes (the parser's version, the account's
    address); when it changes the file is read again.
    """

    file_id: str
    account_id: str
    path: str
    source: str = pa.Field(nullable=True)
    parser_version: str = pa.Field(nullable=True)
    rows: int = pa.Field(ge=0)
    rows_rejected: int = pa.Field(ge=0)
    first_event_at: Instant = pa.Field(nullable=True)
    last_event_at: Instant = pa.Field(nullable=True)
    status: str = pa.Field(isin=FILE_STATUS)
    message: str = pa.Field(nullable=True)

    class Config:
        """One row a file of an account."""

        unique = ["account_id", "file_id"]


class RawRows(Table):
    """A row of a file as text cells.

    `status` rejected: it should have been a fact and could not be read as one; ignored: it is known to be none (a
    header, a pending row, a move inside the account). `reason` says why for both.
    """

    account_id: str
    file_id: str
    row_no: int = pa.Field(ge=1)
    cells: pl.List = pa.Field(dtype_kwargs={"inner": pl.String})
    status: str = pa.Field(isin=ROW_STATUS)
    reason: str = pa.Field(nullable=True)

    class Config:
        """Line number in the file, counted from 1 as an editor shows it."""

        unique = ["account_id", "file_id", "row_no"]


class Legs(Table):
    """One side of an economic fact as one row of a file states it: something sent, received or paid as a fee.

    `row_key` is what a re-download of the same fact keeps (the source's own id, or the row's content); `group_key`
    joins the legs of one fact across rows and files (null: the row alone is the fact). `kind` is null where only the
    assets tell (a group of legs on both sides is then a trade). `quantity` is positive and gross: a fee is a leg of its
    own. `usd_value` is the fair value of this leg's quantity where the row states it. `balance` is the running balance
    of `raw_asset` (the asset as the file writes it) after the row, where the export carries one, on the row's first
    leg. `rounded` marks digits past the 18th. `platform` is the place that an aggregator's row names; null in an export of
    one place.
    """

    account_id: str
    file_id: str
    row_no: int = pa.Field(ge=1)
    source: str
    row_key: str
    group_key: str = pa.Field(nullable=True)
    occurred_at: Instant
    kind: str = pa.Field(isin=KINDS, nullable=True)
    role: str = pa.Field(isin=("sent", "received", "fee"))
    asset: str = pa.Field(str_length={"min_value": 1, "max_value": 160})
    raw_asset: str
    quantity: Quantity = pa.Field(gt=0, lt=QUANTITY_LIMIT)
    usd_value: Money = pa.Field(nullable=True, ge=0)
    tx_id: str = pa.Field(nullable=True)
    balance: Quantity = pa.Field(nullable=True)
    note: str = pa.Field(nullable=True)
    rounded: bool
    platform: str = pa.Field(nullable=True)


class RowFaults(Table):
    """The columns of `raw_rows` that the review reads: the cells stay where they are."""

    account_id: str
    file_id: str
    row_no: int
    status: str
    reason: str = pa.Field(nullable=True)
