"""Tables of the tax layer: lots, pieces, income, forms, carryforwards. By tax year."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.base import Table
from schemas.fields import BASIS_STATUS, Cents, Instant, Money, Quantity

TERMS = ("short", "long")
LOCATIONS = ("account", "transit", "outside")


class Lots(Table):
    """A lot, held or gone. `loss_basis` differs from `basis` for a gift only (IRC 1015(a)); null: basis unknown.

    `loss_*` dates count for a sale at a loss: of such a gift the day it was made, else the lot's own.
    """

    lot_id: str
    taxpayer_id: str
    account_id: str
    asset: str
    quantity: Quantity = pa.Field(gt=0)
    basis: Money = pa.Field(nullable=True, ge=0)
    loss_basis: Money = pa.Field(nullable=True, ge=0)
    acquired_at: Instant
    date_acquired: pl.Date
    long_term_from: pl.Date
    loss_long_term_from: pl.Date
    loss_acquired_at: Instant
    loss_date_acquired: pl.Date
    origin: str
    acquisition_event_id: str
    basis_status: str = pa.Field(isin=BASIS_STATUS)
    tax_year: int

    class Config:
        """`tax_year` is the year in which the lot enters the books."""

        unique = ["lot_id"]


class LotMoves(Table):
    """A lot's part moved by a transfer (or, on 2025-01-01, by the split of the universal pool into wallets)."""

    lot_id: str
    taxpayer_id: str
    transfer_id: str
    asset: str
    from_account_id: str
    to_account_id: str
    quantity: Quantity = pa.Field(gt=0)
    basis: Money = pa.Field(nullable=True, ge=0)
    moved_at: Instant
    tax_year: int


class Gains(Table):
    """A piece: one disposal x one lot. `lot_id`, `basis` and `gain` are null where the basis is unknown.

    `acquired_at` and `date_acquired` go with the basis used: of a gift sold at a loss the day it was made. `disallowed`
    is the part of a loss that the law does not allow (positive; `gain` stays proceeds less basis), by the code that
    Form 8949 column (f) shows for it: W a wash sale (IRC 1091), L any other loss that is none (IRC 267).
    """

    taxpayer_id: str
    return_id: str
    tax_year: int
    account_id: str
    asset: str
    disposal_id: str
    event_id: str
    lot_id: str = pa.Field(nullable=True)
    quantity: Quantity = pa.Field(gt=0)
    acquired_at: Instant = pa.Field(nullable=True)
    disposed_at: Instant
    date_acquired: pl.Date = pa.Field(nullable=True)
    date_sold: pl.Date
    proceeds: Money = pa.Field(nullable=True)
    basis: Money = pa.Field(nullable=True)
    gain: Money = pa.Field(nullable=True)
    term: str = pa.Field(nullable=True, isin=TERMS)
    disposal_kind: str
    basis_status: str = pa.Field(isin=BASIS_STATUS)
    lot_method: str
    origin: str = pa.Field(nullable=True)
    collectible: bool
    on_return: bool
    disallowed: Money = pa.Field(ge=0)
    disallowed_code: str = pa.Field(nullable=True, isin=("L", "W"))


class ClosingLots(Table):
    """A lot's part still held at the end of a tax year (of the last one: tonight), by lot and account."""

    tax_year: int
    taxpayer_id: str
    account_id: str
    location: str = pa.Field(isin=LOCATIONS)
    pool: str
    asset: str
    lot_id: str
    quantity: Quantity = pa.Field(gt=0)
    basis: Money = pa.Field(nullable=True, ge=0)
    loss_basis: Money = pa.Field(nullable=True, ge=0)
    acquired_at: Instant
    date_acquired: pl.Date
    long_term_from: pl.Date
    loss_long_term_from: pl.Date
    loss_acquired_at: Instant
    loss_date_acquired: pl.Date
    origin: str
    basis_status: str = pa.Field(isin=BASIS_STATUS)

    class Config:
        """`pool` is where the lot book keeps the part: a wallet, the universal pool, a transfer under way."""

        unique = ["tax_year", "lot_id", "pool", "account_id"]


class OpenLots(Table):
    """A lot's part still held tonight, by (lot_id, account_id)."""

    taxpayer_id: str
    account_id: str
    location: str = pa.Field(isin=LOCATIONS)
    asset: str
    lot_id: str
    quantity: Quantity = pa.Field(gt=0)
    basis: Money = pa.Field(nullable=True, ge=0)
    loss_basis: Money = pa.Field(nullable=True, ge=0)
    acquired_at: Instant
    date_acquired: pl.Date
    long_term_from: pl.Date
    loss_long_term_from: pl.Date
    loss_date_acquired: pl.Date
    origin: str
    basis_status: str = pa.Field(isin=BASIS_STATUS)


class Income(Table):
    """A receipt that is ordinary income at its fair value."""

    event_id: str
    taxpayer_id: str
    return_id: str
    tax_year: int
    account_id: str
    income_kind: str
    asset: str
    quantity: Quantity = pa.Field(gt=0)
    received_at: Instant
    date_received: pl.Date
    usd_value: Money = pa.Field(nullable=True)
    schedule: str
    in_nii: bool
    on_return: bool


class Form8949(Table):
    """A line of Form 8949, in cents. `date_acquired` is text: a date, VARIOUS or INHERITED."""

    return_id: str
    taxpayer_id: str
    tax_year: int
    part: str = pa.Field(isin=("I", "II"))
    box: str = pa.Field(isin=tuple("ABCDEFGHIJKL"))
    description: str
    date_acquired: str
    date_sold: pl.Date
    proceeds: Cents
    basis: Cents
    code: str = pa.Field(nullable=True)
    adjustment: Cents
    gain: Cents
    account_id: str
    asset: str
    quantity: Quantity = pa.Field(gt=0)
    disposal_id: str
    lot_id: str


class ReturnLines(Table):
    """A line of any form of a return, in cents; `line` as the form numbers it."""

    return_id: str
    tax_year: int
    form: str
    line: str
    amount: Cents

    class Config:
        """One amount a line."""

        unique = ["return_id", "tax_year", "form", "line"]


class ScheduleD(Table):
    """A return's year: Schedule D and the tax. Tax columns are null where the profile or the law's year is missing.

    Taxes are by the rate schedules, for planning; those named `_table` are ready for the return, by the Tax Table below
    100,000 of taxable income. `state_tax_estimate` is an estimate for the state lived in at the year's end, null where
    that state is not covered (`state` says which; it is asked).
    """

    return_id: str
    tax_year: int
    line_7: Cents
    line_15: Cents
    line_16: Cents
    line_21: Cents
    taxable_income: Cents = pa.Field(nullable=True)
    regular_tax: Cents = pa.Field(nullable=True)
    amt: Cents = pa.Field(nullable=True)
    niit: Cents = pa.Field(nullable=True)
    federal_tax: Cents = pa.Field(nullable=True)
    state_tax_estimate: Cents = pa.Field(nullable=True)
    regular_tax_table: Cents = pa.Field(nullable=True)
    amt_table: Cents = pa.Field(nullable=True)
    federal_tax_table: Cents = pa.Field(nullable=True)
    state: str = pa.Field(nullable=True)

    class Config:
        """One row a return and year."""

        unique = ["return_id", "tax_year"]


class Carryforwards(Table):
    """A taxpayer's share of a return's year. Carryovers in and out are positive losses; nets carry their sign."""

    return_id: str
    taxpayer_id: str
    tax_year: int
    short_term_in: Cents = pa.Field(ge=0)
    long_term_in: Cents = pa.Field(ge=0)
    short_term_net: Cents
    long_term_net: Cents
    deduction: Cents = pa.Field(ge=0)
    deduction_used: Cents = pa.Field(ge=0)
    short_term_out: Cents = pa.Field(ge=0)
    long_term_out: Cents = pa.Field(ge=0)

    class Config:
        """One row a taxpayer and year."""

        unique = ["taxpayer_id", "tax_year"]


class Amendments(Table):
    """A filed figure that tonight's books would change."""

    return_id: str
    tax_year: int
    form: str
    line: str
    filed: Cents
    recomputed: Cents
    difference: Cents
    cause: str


class LossAtRisk(Table):
    """A loss that a pending wash-sale rule would take."""

    rule: str
    taxpayer_id: str
    tax_year: int
    disposal_id: str
    loss: Money
    disallowed: Money


class DigitalAssetQuestion(Table):
    """The Form 1040 digital-asset question: answer yes or no, and because of what."""

    return_id: str
    tax_year: int
    answer: str = pa.Field(isin=("yes", "no"))
    because: str


class Reconciliation1099DA(Table):
    """A broker's 1099-DA row against our own books."""

    taxpayer_id: str
    tax_year: int
    account_id: str
    asset: str
    date_sold: pl.Date
    broker_proceeds: Money = pa.Field(nullable=True)
    our_proceeds: Money = pa.Field(nullable=True)
    broker_basis: Money = pa.Field(nullable=True)
    our_basis: Money = pa.Field(nullable=True)
    status: str
    box: str = pa.Field(nullable=True)
    code: str = pa.Field(nullable=True)


class LotConversions(Table):
    """A part of a lot that became a part of another asset's lot, basis and date kept (a migration, a wrap)."""

    taxpayer_id: str
    tax_year: int
    event_id: str
    from_asset: str
    from_lot_id: str
    from_quantity: Quantity = pa.Field(gt=0)
    to_asset: str
    to_lot_id: str
    to_quantity: Quantity = pa.Field(gt=0)
    basis: Money = pa.Field(nullable=True)


class BookBalance(Table):
    """Whether a taxpayer's book of an asset lost or made up nothing: sums as text of integers (10^-18, micro-dollars)."""

    taxpayer_id: str
    asset: str
    units_in: str
    basis_in: str
    units_out: str
    basis_out: str
    holds: bool
    tax_year: int


class BookInputs(Table):
    """The hash of what the lot book was given for a tax year: a backfill refuses to start behind a change."""

    tax_year: int
    hash: str


class ReturnInputs(Table):
    """What the tax of a return depends on, in whole cents: the tax kernel's own columns."""

    return_id: str
    tax_year: int
    status: int
    ordinary: int
    nii: int
    qualified_dividends: int
    short_term: int
    long_term: int
    gain_28: int
    unrecaptured_1250: int
    short_term_carry_in: int
    long_term_carry_in: int
    adjustments: int
    deduction: int
    aged: int
    exemptions: int
    social_security: int

    class Config:
        """One row a return and year."""

        unique = ["return_id", "tax_year"]
