"""Tables of what was filed: the filings that count, their lines and closing lots, and what they were made of.

The firm's own files (`filed_years.csv` ...) are in `schemas.inputs`; the published differences in `schemas.tax`.
"""

from __future__ import annotations

import pandera.polars as pa

from schemas.base import Table
from schemas.fields import QUANTITY_LIMIT, Cents, Instant, Money, Quantity

SOURCES = ("firm", "record")
"""Who states a filed figure: the firm's own file, or the record that a night wrote under `filed/`."""


class FiledReturns(Table):
    """A filed return of a year in the version that counts (the highest). `lines_from` is null until lines are on record."""

    return_id: str
    tax_year: int
    version: int
    filed_at: Instant
    lines_from: str = pa.Field(nullable=True, isin=SOURCES)
    has_inputs: bool
    """Whether the record says what the folder held when a night first saw the filing."""

    class Config:
        """One row a return and year."""

        unique = ["return_id", "tax_year"]


class FiledPeople(Table):
    """A taxpayer on a filed return. `lots_from` is null until closing lots are on record (that may say: none held)."""

    taxpayer_id: str
    return_id: str
    tax_year: int
    version: int
    lots_from: str = pa.Field(nullable=True, isin=SOURCES)

    class Config:
        """One row a taxpayer and year."""

        unique = ["taxpayer_id", "tax_year"]


class FiledFormLines(Table):
    """A line as filed, under the form's and the line's own name. `whole`: the record has every line of the return."""

    return_id: str
    tax_year: int
    form: str
    line: str
    amount: Cents
    whole: bool

    class Config:
        """One amount a line."""

        unique = ["return_id", "tax_year", "form", "line"]


class FiledClosingLots(Table):
    """A closing lot as filed."""

    taxpayer_id: str
    tax_year: int
    account_id: str
    asset: str
    acquired_at: Instant
    quantity: Quantity = pa.Field(gt=0, lt=QUANTITY_LIMIT)
    basis: Money = pa.Field(nullable=True, ge=0)


class FiledInputs(Table):
    """What a filing was made of, as a night first saw it: its files by content, its records and events by digest."""

    return_id: str
    tax_year: int
    what: str = pa.Field(isin=("night", "file", "table", "events"))
    name: str
    digest: str


class StandingLines(Table):
    """A filed line as it is compared with the recomputed one. `said`: the filing itself has it, it is not derived.

    `known`: these books compute such a line. `pending`: tonight's figure stands as filed and is written to the record tonight.
    """

    return_id: str
    tax_year: int
    form: str
    line: str
    amount: Cents
    whole: bool
    said: bool
    known: bool
    pending: bool


class StandingCarryovers(Table):
    """A taxpayer's carryovers out of a filed year, as filed."""

    return_id: str
    taxpayer_id: str
    tax_year: int
    short_term_out: Cents = pa.Field(ge=0)
    long_term_out: Cents = pa.Field(ge=0)

    class Config:
        """One row a taxpayer and year."""

        unique = ["taxpayer_id", "tax_year"]


class RecomputedLines(Table):
    """A line of a filed return as tonight's books compute it from the events alone."""

    return_id: str
    tax_year: int
    form: str
    line: str
    amount: Cents


class PendingLots(Table):
    """A closing lot that stands as filed from tonight on; a row without an account: the taxpayer held none."""

    return_id: str
    taxpayer_id: str
    tax_year: int
    version: int
    account_id: str = pa.Field(nullable=True)
    asset: str = pa.Field(nullable=True)
    acquired_at: Instant = pa.Field(nullable=True)
    quantity: Quantity = pa.Field(nullable=True)
    basis: Money = pa.Field(nullable=True)
