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
    Events of one fact that has several assets on a side (a dust sale, a basket) share `fact_id`.
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


class EventSources(Table):
    """A raw row behind an event."""

    event_id: str
    account_id: str
    file_id: str
    row_no: int
    role: str = pa.Field(isin=("sent", "received", "fee"))


class Transfers(Table):
    """A move between two accounts of a client or of a couple: the withdrawal and the deposit that are one fact.

    `score` 0-100; `quantity` is what arrived; `fee_quantity` the part of what left that did not arrive. `in_asset`
    where another token of the same coin arrived than the `asset` that left (a bridge). Two taxpayers are spouses, or
    the firm says so (IRC 1041).
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

    class Config:
        """An event belongs to one transfer at most."""

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
