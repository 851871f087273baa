"""Tables of the tax layer: lots, pieces, income, forms, carryforwards. By tax year."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.base import Table
from schemas.fields import BASIS_STATUS, Cents, Instant, Money, Quantity

TERMS = ("short", "long")
FORM_STATUSES = (
    "matched", "date_differs", "other_year", "missing_ours", "missing_broker", "not_reportable", "units_differ",
    "proceeds_differ", "basis_unknown", "basis_differs", "term_differs",
)  # fmt: skip
"""What the comparison with a broker's form finds: the gravest difference."""
LOCATIONS = ("account", "transit", "outside")
FIGURES = ("filed", "computed")
"""Where a figure of a return comes from: what was filed stands, everything else is tonight's."""


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


class Pieces(Table):
    """What the lot book makes of a disposal and a lot, before any wash sale: see `Gains`."""

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


class Gains(Pieces):
    """A piece: one disposal x one lot. `lot_id`, `basis` and `gain` are null where the basis is unknown.

    `acquired_at` and `date_acquired` go with the basis used: of a gift sold at a loss the day it was made. `disallowed`
    is the part of a loss that the law does not allow (positive; `gain` stays proceeds less basis), by the code that
    Form 8949 column (f) shows for it: W a wash sale (IRC 1091), L any other loss that is none (IRC 267). Units that
    replaced washed ones are a part of their lot, named `<lot_id>~washed-<n>`, with its own basis and dates
    (see `wash_sales`).
    """

    disallowed: Money = pa.Field(ge=0)
    disallowed_code: str = pa.Field(nullable=True, isin=("L", "W"))


class WashSales(Table):
    """Units sold at a loss and the units that replaced them, under the law in force (IRC 1091).

    `lot_id` names the lot, or the washed part of one, that was sold; `part_id` the part of `replacement_lot_id` that
    replaced it: its basis is up by `basis_added` and its holding period by `days_added` (IRC 1091(d), 1223(3)).
    `lost` is gone for good: the replacement lies in an IRA or HSA (Rev. Rul. 2008-5). `disallowed` is the sum of both.
    """

    taxpayer_id: str
    tax_year: int
    asset: str
    disposal_id: str
    lot_id: str
    date_sold: pl.Date
    quantity: Quantity = pa.Field(gt=0)
    disallowed: Money = pa.Field(ge=0)
    basis_added: Money = pa.Field(ge=0)
    lost: Money = pa.Field(ge=0)
    replacement_taxpayer_id: str
    replacement_account_id: str
    replacement_lot_id: str
    part_id: str
    replacement_acquired: pl.Date
    days_added: int = pa.Field(ge=0)


class WashedLots(Table):
    """What is still held tonight of a part of a lot that replaced washed units (`tax_year` is the night's)."""

    tax_year: int
    taxpayer_id: str
    lot_id: str
    part_id: str
    quantity: Quantity = pa.Field(gt=0)
    basis_added: Money = pa.Field(ge=0)
    days_added: int = pa.Field(ge=0)


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
    """A line of any form of a return, in cents; `line` as the form numbers it. `source`: as filed, or computed."""

    return_id: str
    tax_year: int
    form: str
    line: str
    amount: Cents
    source: str = pa.Field(isin=FIGURES)

    class Config:
        """One amount a line."""

        unique = ["return_id", "tax_year", "form", "line"]


class ScheduleD(Table):
    """A return's year: Schedule D and the tax. Tax columns are null where the profile or the law's year is missing.

    Of a filed year (`source` filed) each figure that the filing states is the filed one.
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
    source: str = pa.Field(isin=FIGURES)
    regular_tax_table: Cents = pa.Field(nullable=True)
    amt_table: Cents = pa.Field(nullable=True)
    federal_tax_table: Cents = pa.Field(nullable=True)
    state: str = pa.Field(nullable=True)

    class Config:
        """One row a return and year."""

        unique = ["return_id", "tax_year"]


class Carryforwards(Table):
    """A taxpayer's share of a return's year. Carryovers in and out are positive losses; nets carry their sign.

    Of a filed year (`source` filed) what goes out is as filed, for the next year opens from it; the other columns are
    recomputed.
    """

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
    source: str = pa.Field(isin=FIGURES)

    class Config:
        """One row a taxpayer and year."""

        unique = ["taxpayer_id", "tax_year"]


class Amendments(Table):
    """A filed figure that tonight's books would change: a line of a form, a closing lot (form `lots`), the tax.

    The amounts of a lot are its basis (0 where it is unknown); its units stand in the quantity columns. `difference` is
    recomputed less filed. `cause` says what changed since, by file where one did it.
    """

    return_id: str
    tax_year: int
    version: int
    taxpayer_id: str = pa.Field(nullable=True)
    form: str
    line: str
    filed: Cents
    recomputed: Cents
    difference: Cents
    filed_quantity: Quantity = pa.Field(nullable=True)
    recomputed_quantity: Quantity = pa.Field(nullable=True)
    cause: str

    class Config:
        """One row a figure."""

        unique = ["return_id", "tax_year", "form", "line"]


class LossAtRisk(Table):
    """What a rule that is not law would take of the losses of a disposal.

    `loss` is the disposal's loss under that rule (what an earlier wash sale added to the basis is in it), `disallowed`
    the part of it that the rule takes. `status`: pending (a bill), shadow (laid over the books for comparison).
    """

    rule: str
    taxpayer_id: str
    tax_year: int
    disposal_id: str
    loss: Money = pa.Field(ge=0)
    disallowed: Money = pa.Field(ge=0)
    status: str
    return_id: str
    account_id: str
    asset: str
    date_sold: pl.Date

    class Config:
        """One row a rule and disposal."""

        unique = ["rule", "disposal_id"]


class DigitalAssetQuestion(Table):
    """The digital-asset question of Form 1040 (of an entity: of its own form): yes or no, and because of what."""

    return_id: str
    tax_year: int
    answer: str = pa.Field(isin=("yes", "no"))
    because: str
    form: str


class Reconciliation1099DA(Table):
    """A broker's rows of Form 1099-DA (`form`: or 1099-B) for an account, asset and day against our own books.

    `tax_year` is the form's (of a sale that stands on none: ours). `date_sold` is our day, else the broker's, which is
    `date_reported`; null for what a form gives for a whole year. `broker_rows` rows of the form are summed (0: the sale
    stands on none). `difference` is the form's gain less ours, where a basis is not known the proceeds'.
    """

    taxpayer_id: str
    tax_year: int
    account_id: str
    asset: str
    date_sold: pl.Date = pa.Field(nullable=True)
    broker_proceeds: Money = pa.Field(nullable=True)
    our_proceeds: Money = pa.Field(nullable=True)
    broker_basis: Money = pa.Field(nullable=True)
    our_basis: Money = pa.Field(nullable=True)
    status: str = pa.Field(isin=FORM_STATUSES)
    box: str = pa.Field(nullable=True)
    code: str = pa.Field(nullable=True)
    date_reported: pl.Date = pa.Field(nullable=True)
    broker_rows: int = pa.Field(ge=0)
    broker_units: Quantity = pa.Field(nullable=True)
    our_units: Quantity = pa.Field(nullable=True)
    our_tax_year: int = pa.Field(nullable=True)
    difference: Money = pa.Field(nullable=True)
    explained: bool
    form: str = pa.Field(isin=("1099-DA", "1099-B"))


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
    to_quantity: Quantity = pa.Field(ge=0)
    basis: Money = pa.Field(nullable=True)


class BasisSplits(Table):
    """How a universal pool went over into an account on 2025-01-01 (Rev. Proc. 2024-28).

    `basis` is what the account carries: as `allocated`, as the units lie (`unallocated`: an account could hold anything
    from `basis_low` to `basis_high` of the pool's unused basis), or all of it (`one_wallet`). `basis_in_order` is what
    it would carry in order of age, `difference` what the allocation makes of it.
    """

    taxpayer_id: str
    asset: str
    account_id: str
    tax_year: int
    quantity: Quantity = pa.Field(gt=0)
    basis: Money = pa.Field(nullable=True)
    basis_in_order: Money = pa.Field(nullable=True)
    difference: Money = pa.Field(nullable=True)
    basis_low: Money = pa.Field(nullable=True)
    basis_high: Money = pa.Field(nullable=True)
    status: str = pa.Field(isin=("allocated", "unallocated", "one_wallet"))
    why: str = pa.Field(nullable=True)


class BookBalance(Table):
    """Whether a taxpayer's book of an asset lost or made up nothing: sums as text of integers (10^-18, micro-dollars).

    `engine` matched the lots; `why` says what kept the asset from the kernel.
    `segment` is the run that was summed: `events`, or `filed 2023` for one that opens from what was filed for 2023.
    """

    taxpayer_id: str
    segment: str
    asset: str
    units_in: str
    basis_in: str
    units_out: str
    basis_out: str
    holds: bool
    engine: str = pa.Field(nullable=True, isin=("kernel", "reference"))
    why: str = pa.Field(nullable=True)
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


GAIN_CHECK_STATUS = ("same", "differs", "not_in_books", "not_in_report")


class GainChecks(Table):
    """What a broker's report of gains and losses says of one asset and day beside the books of the account.

    `theirs` columns are sums of the report's rows (null: the report states none), `ours` of the pieces of `gains`.
    `status`: `not_in_books` and `not_in_report` where only one side has the disposal. `event_id` is the first disposal
    of the books, `file_id` and `row_no` the first row of the report.
    """

    taxpayer_id: str
    account_id: str
    source: str
    asset: str
    tax_year: int
    date_sold: pl.Date
    status: str = pa.Field(isin=GAIN_CHECK_STATUS)
    our_quantity: Quantity = pa.Field(nullable=True)
    their_quantity: Quantity = pa.Field(nullable=True)
    our_proceeds: Money = pa.Field(nullable=True)
    their_proceeds: Money = pa.Field(nullable=True)
    our_basis: Money = pa.Field(nullable=True)
    their_basis: Money = pa.Field(nullable=True)
    dollars_at_stake: Money = pa.Field(nullable=True, ge=0)
    event_id: str = pa.Field(nullable=True)
    file_id: str = pa.Field(nullable=True)
    row_no: int = pa.Field(nullable=True)
