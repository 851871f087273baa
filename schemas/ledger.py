"""Tables of the ledger layer: canonical events, their sources, matched transfers, prices, movements of units."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.base import Table
from schemas.fields import BASIS_STATUS, KINDS, METHODS, QUANTITY_LIMIT, Instant, Money, Quantity


class Events(Table):
    """A canonical event: one economic fact of one account.

    `sent`, `received` and `fee` are gross and apart from each other: a fee is never inside the other two. `usd_value`
    is the fair value of the event before fees, `fee_usd_value` that of the fee; null where nothing prices them.
    Events of one fact that has several assets on a side (a dust sale, a basket) share `fact_id`. `quarantined` says by
    which rule the token is spam: the event is in no lot, income, transfer or question (see `review_items`,
    token_quarantined, on how to bring it back).
    """

    event_id: str
    fact_id: str
    taxpayer_id: str
    account_id: str
    occurred_at: Instant
    tax_date: pl.Date
    tax_year: int
    kind: str = pa.Field(isin=KINDS)
    sent_quantity: Quantity = pa.Field(nullable=True, gt=0, lt=QUANTITY_LIMIT)
    sent_asset: str = pa.Field(nullable=True)
    received_quantity: Quantity = pa.Field(nullable=True, gt=0, lt=QUANTITY_LIMIT)
    received_asset: str = pa.Field(nullable=True)
    fee_quantity: Quantity = pa.Field(nullable=True, gt=0, lt=QUANTITY_LIMIT)
    fee_asset: str = pa.Field(nullable=True)
    usd_value: Money = pa.Field(nullable=True, ge=0)
    fee_usd_value: Money = pa.Field(nullable=True, ge=0)
    price_source: str = pa.Field(nullable=True)
    price_age_days: int = pa.Field(nullable=True)
    tx_id: str = pa.Field(nullable=True)
    source: str
    note: str = pa.Field(nullable=True)
    quarantined: str = pa.Field(nullable=True)

    class Config:
        """The id comes from content."""

        unique = ["event_id"]


class SaleTerms(Table):
    """What a form needs of an event beside its pieces: a part of `Events`."""

    event_id: str
    received_asset: str = pa.Field(nullable=True)
    fee_usd_value: Money = pa.Field(nullable=True, ge=0)
    tx_id: str = pa.Field(nullable=True)


class EventYears(Table):
    """Whose event, and of which year: a part of `Events`."""

    event_id: str
    taxpayer_id: str
    tax_year: int


class EventFacts(Table):
    """What an event was and was worth, for the questions about it: a part of `Events`."""

    event_id: str
    taxpayer_id: str
    kind: str
    tax_date: pl.Date
    sent_quantity: Quantity = pa.Field(nullable=True)
    sent_asset: str = pa.Field(nullable=True)
    received_quantity: Quantity = pa.Field(nullable=True)
    received_asset: str = pa.Field(nullable=True)
    fee_quantity: Quantity = pa.Field(nullable=True)
    fee_asset: str = pa.Field(nullable=True)
    usd_value: Money = pa.Field(nullable=True)
    quarantined: str = pa.Field(nullable=True)


class EventSources(Table):
    """A raw row behind an event: `check` where a second report states the fact again, else what the row moved."""

    event_id: str
    account_id: str
    file_id: str
    row_no: int
    role: str = pa.Field(isin=("sent", "received", "fee", "check"))


CHECK_STATUS = ("same", "differs", "booked", "not_in_ledger", "not_in_check")


class SourceChecks(Table):
    """A row of a second report beside the ledger of its account, once for each field that differs.

    `source` states the facts of `checked_against` again (`transforms.sources.registry.CHECKS`). `status`: `same`;
    `differs` (`field`: sent, received, fee, value, kind or time, with what the ledger says in `ours`, the report in
    `theirs`; of fills that were compared as a sum the first row tells); `booked`: outside the time that the ledger's
    files cover, an event of the books; `not_in_ledger`: inside it, in no book, asked; `not_in_check`: a fact of the
    ledger that the report lacks, without a row. `event_id` is the ledger's event, `fact_id` the report's own fact.
    """

    account_id: str
    taxpayer_id: str
    source: str
    checked_against: str
    status: str = pa.Field(isin=CHECK_STATUS)
    event_id: str = pa.Field(nullable=True)
    fact_id: str = pa.Field(nullable=True)
    file_id: str = pa.Field(nullable=True)
    row_no: int = pa.Field(nullable=True)
    occurred_at: Instant
    tax_year: int
    field: str = pa.Field(nullable=True)
    asset: str = pa.Field(nullable=True)
    ours: str = pa.Field(nullable=True)
    theirs: str = pa.Field(nullable=True)
    dollars_at_stake: Money = pa.Field(nullable=True)


class Transfers(Table):
    """A move between two accounts of a client or of a couple: the withdrawal and the deposit that are one fact.

    `score` 0-100, `reason` says in words what it rests on; `quantity` is what arrived; `fee_quantity` the part of what
    left that did not arrive. `in_asset` where another token of the same coin arrived than the `asset` that left (a
    bridge). Two taxpayers are spouses, or the firm says so (IRC 1041). Of a batch (one withdrawal that arrived as
    several deposits, or several as one) each row is a part, and all its rows share `move_id`: the quantities of an
    event's rows add up to what it moved.
    """

    transfer_id: str
    out_event_id: str
    in_event_id: str
    out_taxpayer_id: str
    in_taxpayer_id: str
    asset: str
    in_asset: str = pa.Field(nullable=True)
    quantity: Quantity = pa.Field(gt=0)
    fee_quantity: Quantity = pa.Field(ge=0)
    score: int = pa.Field(ge=0, le=100)
    matched_by: str
    reason: str
    move_id: str

    class Config:
        """A withdrawal and a deposit are one part of one move at most."""

        unique = ["transfer_id"]


class Prices(Table):
    """A price of the firm's files: USD a unit at an instant (a dated price stands for the close of its day)."""

    asset: str
    priced_at: Instant
    usd: Quantity = pa.Field(gt=0, lt=QUANTITY_LIMIT)
    source: str

    class Config:
        """One price an asset and instant: two that differ are a review item, the later file name wins."""

        unique = ["asset", "priced_at"]


class Movements(Table):
    """What the lot book takes: units that enter, leave or move, in the order in which it takes them.

    `movement`: acquire (opens a lot), dispose (a taxable or tax-free exit, see `disposal_kind`), depart and arrive
    (the two ends of a transfer), outside (a withdrawal that nothing matches), convert_out and convert_in (units that
    become another asset with basis and date kept). `amount` is the basis of what is acquired or the proceeds of what
    is disposed of (below zero where its costs exceed what came in), null where unknown. `loss_*` is what counts for a
    sale at a loss (IRC 1015(a)). `leg` is received, sent or fee; `movement_id` = event_id + leg.
    """

    taxpayer_id: str
    asset: str
    account_id: str
    wallet: str
    movement_id: str
    event_id: str
    leg: str
    occurred_at: Instant
    sequence: int
    tax_date: pl.Date
    tax_year: int
    movement: str = pa.Field(isin=("acquire", "dispose", "depart", "arrive", "outside", "convert_out", "convert_in"))
    quantity: Quantity = pa.Field(gt=0)
    amount: Money = pa.Field(nullable=True)
    loss_amount: Money = pa.Field(nullable=True, ge=0)
    acquired_at: Instant = pa.Field(nullable=True)
    date_acquired: pl.Date = pa.Field(nullable=True)
    long_term_from: pl.Date = pa.Field(nullable=True)
    loss_long_term_from: pl.Date = pa.Field(nullable=True)
    loss_acquired_at: Instant = pa.Field(nullable=True)
    loss_date_acquired: pl.Date = pa.Field(nullable=True)
    origin: str = pa.Field(nullable=True)
    basis_status: str = pa.Field(nullable=True, isin=BASIS_STATUS)
    disposal_kind: str = pa.Field(nullable=True)
    lot_method: str = pa.Field(nullable=True, isin=METHODS)
    link: str = pa.Field(nullable=True)

    class Config:
        """`link` is the transfer_id of depart/arrive and the event_id of convert_out/convert_in."""

        unique = ["movement_id", "movement"]


class Picks(Table):
    """A lot that a disposal takes before its method chooses the rest, in the order of `place`.

    `quantity` null: as much as the disposal and the lot have. `specific`: a pick as filed or an instruction; `deemed`:
    the lot that the law takes a withheld fee from (Reg. 1.1012-1(j)(3)(iii)). `movement_id` is that of a movement
    `dispose`.
    """

    taxpayer_id: str
    movement_id: str
    place: int = pa.Field(ge=0)
    lot_id: str
    quantity: Quantity = pa.Field(nullable=True, gt=0)
    lot_method: str = pa.Field(isin=("specific", "deemed"))
    instruction_id: str = pa.Field(nullable=True)

    class Config:
        """One lot a place."""

        unique = ["movement_id", "place"]


class InstructionMatches(Table):
    """A disposal that an instruction was for, with the units; `adequate` null: a sale before 2025, which goes as filed."""

    taxpayer_id: str
    instruction_id: str
    movement_id: str
    event_id: str
    lot_id: str
    quantity: Quantity = pa.Field(gt=0)
    adequate: bool = pa.Field(nullable=True)
    why: str

    class Config:
        """One row an instruction and disposal."""

        unique = ["instruction_id", "movement_id"]
