"""Tables of the review layer: the questions for a person, and the published night itself."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.base import Table
from schemas.fields import Cents, Instant

SEVERITIES = ("blocking", "warning", "info")
STATES = ("open", "answered", "resolved", "dismissed")
AUDIENCES = ("client", "staff")
"""Who can answer a question: the client (there is a text to send), or the firm alone."""
STAKES = ("tax", "value", "unknown")
"""What the dollars of a question are: the federal tax that hangs on it, the value it is about, nothing known."""
CLIENT_STATES = ("blocked", "no_data", "waiting_for_client", "waiting_for_staff", "ready")


class ReviewItems(Table):
    """A question for a person. `item_id` comes from what is asked about, so that it survives re-runs.

    `dollars_at_stake` is, by `stake_basis`: tax, what the answer can move the federal tax of the years concerned by;
    value, the dollars that the question is about (always in `value_at_stake`); unknown. `client_question` is the text to
    send (null: for staff alone), `settled_by` the file and the row that would settle it, blanks in angle brackets.
    `state`: open; answered (the client replied, the books still lack it); resolved (the cause is gone since tonight);
    dismissed (until it grows). `state_note` says why a question was opened again. `first_seen` is the night's date.
    """

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
    audience: str = pa.Field(nullable=True, isin=AUDIENCES)
    client_question: str = pa.Field(nullable=True)
    settled_by: str = pa.Field(nullable=True)
    stake_basis: str = pa.Field(nullable=True, isin=STAKES)
    value_at_stake: Cents = pa.Field(nullable=True, ge=0)
    first_seen: pl.Date = pa.Field(nullable=True)
    answer: str = pa.Field(nullable=True)
    answered_by: str = pa.Field(nullable=True)
    answered_at: Instant = pa.Field(nullable=True)
    state_note: str = pa.Field(nullable=True)

    class Config:
        """One row a question."""

        unique = ["item_id"]


class ReviewMemory(ReviewItems):
    """Every question that a night of these books ever asked, as it last stood: what states and `first_seen` rest on.

    `gone_on` and `back_on`: the nights on which it last vanished and came back. `judged_*`: the question as it stood when
    the answer of `judged_at` was given. `overruled_at`: the answer that a night last set aside.
    """

    gone_on: pl.Date = pa.Field(nullable=True)
    back_on: pl.Date = pa.Field(nullable=True)
    judged_at: Instant = pa.Field(nullable=True)
    judged_severity: str = pa.Field(nullable=True)
    judged_dollars: Cents = pa.Field(nullable=True)
    judged_message: str = pa.Field(nullable=True)
    overruled_at: Instant = pa.Field(nullable=True)


class StakeRanges(Table):
    """By how many cents the answer to a question can move a return's inputs of the tax, from `low` to `high`."""

    item_id: str
    return_id: str
    tax_year: int
    short_term_low: int
    short_term_high: int
    long_term_low: int
    long_term_high: int
    gain_28_low: int
    gain_28_high: int
    ordinary_low: int
    ordinary_high: int
    nii_low: int
    nii_high: int

    class Config:
        """One row a question, return and year."""

        unique = ["item_id", "return_id", "tax_year"]


class ClientStatus(Table):
    """Where a return of tonight's year stands: who has to act, what is at stake, how complete its books are.

    `status`: blocked (its night was stopped: no figures), no_data (nothing is known of it), waiting_for_client (an open
    question only the client can answer), waiting_for_staff (every other open or answered one that is more than info),
    ready. Counts are of questions open or answered. Of those that are more than info, `tax_at_stake` is
    what all whose effect can be computed can move the federal tax by together, each at its dearest, and `value_at_stake`
    sums the others that have dollars. Shares are percent, rounded down, null where there is nothing to measure;
    `completeness` is their mean, weighted as docs/review.md says, over those that are not null.
    """

    return_id: str
    tax_year: int
    taxpayer_id: str
    people: int = pa.Field(ge=1)
    status: str = pa.Field(isin=CLIENT_STATES)
    blocking: int = pa.Field(ge=0)
    warning: int = pa.Field(ge=0)
    info: int = pa.Field(ge=0)
    for_client: int = pa.Field(ge=0)
    for_staff: int = pa.Field(ge=0)
    tax_at_stake: Cents = pa.Field(nullable=True, ge=0)
    value_at_stake: Cents = pa.Field(ge=0)
    open_since: pl.Date = pa.Field(nullable=True)
    completeness: int = pa.Field(nullable=True, ge=0, le=100)
    files_read: int = pa.Field(nullable=True, ge=0, le=100)
    rows_used: int = pa.Field(nullable=True, ge=0, le=100)
    events_priced: int = pa.Field(nullable=True, ge=0, le=100)
    transfers_matched: int = pa.Field(nullable=True, ge=0, le=100)
    basis_known: int = pa.Field(nullable=True, ge=0, le=100)
    profile_present: int = pa.Field(nullable=True, ge=0, le=100)

    class Config:
        """One row a return."""

        unique = ["return_id"]


class Blockers(Table):
    """What keeps published figures from being final, by client and question, ranked over the firm.

    Open and answered questions of severity blocking or warning. `waits_for`: the client, or staff (who were asked, or
    have the answer). `figures` names the published tables that are not final, from `from_year` on. Dollars are sums
    over the questions; where several bear on one return the tax of them together is in `client_status`.
    """

    rank: int = pa.Field(ge=1)
    taxpayer_id: str = pa.Field(nullable=True)
    return_id: str = pa.Field(nullable=True)
    question: str
    severity: str = pa.Field(isin=SEVERITIES)
    waits_for: str = pa.Field(isin=AUDIENCES)
    items: int = pa.Field(ge=1)
    tax_at_stake: Cents = pa.Field(nullable=True, ge=0)
    value_at_stake: Cents = pa.Field(nullable=True, ge=0)
    open_since: pl.Date
    from_year: int = pa.Field(nullable=True)
    figures: str

    class Config:
        """One row a client, question, severity and who has to act."""

        unique = ["taxpayer_id", "question", "severity", "waits_for"]


class Runs(Table):
    """The published night."""

    run_id: str
    as_of: pl.Date
    published_at: Instant
    code_version: str
    law_version: str
    input_hash: str
