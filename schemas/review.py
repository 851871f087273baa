"""Tables of the review layer: the questions for a person, and the published night itself."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.base import Table
from schemas.fields import Cents, Instant

SEVERITIES = ("blocking", "warning", "info")
STATES = ("open", "answered", "resolved", "dismissed")


class ReviewItems(Table):
    """A question for a person. `item_id` comes from what is asked about, so that it survives re-runs."""

    item_id: str
    taxpayer_id: str = pa.Field(nullable=True)
    question: str
    severity: str = pa.Field(isin=SEVERITIES)
    dollars_at_stake: Cents = pa.Field(nullable=True, ge=0)
    account_id: str = pa.Field(nullable=True)
    asset: str = pa.Field(nullable=True)
    tax_year: int = pa.Field(nullable=True)
    event_id: str = pa.Field(nullable=True)
    file_id: str = pa.Field(nullable=True)
    row_no: int = pa.Field(nullable=True)
    message: str
    suggested_action: str
    state: str = pa.Field(isin=STATES)

    class Config:
        """One row a question."""

        unique = ["item_id"]


class Runs(Table):
    """The published night."""

    run_id: str
    as_of: pl.Date
    published_at: Instant
    code_version: str
    law_version: str
    input_hash: str
