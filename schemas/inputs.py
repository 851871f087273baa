"""The firm's folder: one model a CSV of it, and `firm.toml` as `FirmSettings`. Tables that the night makes do not belong here.

A column that may be empty (nullable) or has a default in `INPUTS` may also be absent from the header; every other is
required. Amounts are US dollars; `*_at` and `effective_from` are instants that carry an offset in the text; other dates
are days of the taxpayer's calendar. The default of an absent file is no rows; what that means is in each docstring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from schemas.base import Table
from schemas.fields import INCOME_KINDS, METHODS, QUANTITY_LIMIT, STATUSES, Cents, Instant, Money, Quantity
from schemas.review import STATES

ENTITIES = ("individual", "trust", "estate", "partnership", "s_corp", "c_corp")
CUSTODY = ("us_broker", "foreign_custodian", "self")
TREATMENTS = ("taxable", "ira", "hsa", "excluded")
ROLES = ("primary", "spouse")
TERMS = ("short", "long")
STANDS_FOR = ("wrapped", "bridged", "liquid_staking", "lp_token")
"""Classes of tokens that stand for another coin; whether getting one is a sale is unsettled law."""
ASSET_CLASSES = ("coin", "token", "stablecoin", "nft", "tokenized_security", "trust_share", "fiat", *STANDS_FOR)
POOLS = ("universal", "wallet", "unknown")
ORIGINS = ("buy", "trade", *INCOME_KINDS, "gift", "inheritance", "spouse")
"""How a lot came to be; the kinds of `schemas.fields.KINDS` where there is one."""
GIVEN = ("gift", "inheritance", "spouse")
"""Origins that `acquisitions.csv` explains (IRC 1015, 1014, 1041)."""
INSTRUCTION_STATUS = ("open", "executed", "cancelled")
BUSINESS_KINDS = ("staking", "mining", "interest", "reward", "wages")
"""Receipts that may be a business's: Schedule C and self-employment tax (Notice 2014-21 A-9, A-10)."""
POSITIONS: Mapping[str, tuple[str, ...]] = {
    "wrapping": ("taxable", "carry"),
    "bridging": ("taxable", "carry"),
    "liquid_staking": ("taxable", "carry"),
    "liquidity_pool": ("taxable", "carry"),
    "own_transfer": ("order", "fifo"),
    "collateral": ("apart", "not_disposed"),
    **{f"{kind}_nii": ("yes", "no") for kind in INCOME_KINDS if kind != "wages"},
    **{f"{kind}_business": ("no", "yes") for kind in BUSINESS_KINDS},
    "trust_share_wash_sale": ("yes", "no"),
    "market_crossing": ("allow", "disallow"),
}
"""Topics of unsettled law and the stands a firm may take; the first is the default where nobody says."""
OVERRIDE_FIELDS = (
    "kind", "occurred_at", "sent_quantity", "sent_asset", "received_quantity", "received_asset",
    "fee_quantity", "fee_asset", "usd_value", "fee_usd_value", "tx_id", "transfer",
)  # fmt: skip
"""What staff may correct; `transfer` names the other event of a move (or several, by spaces), or `none`."""
ID = r"^[^\x00-\x1f\x7f/\\.][^\x00-\x1f\x7f/\\]{0,127}$"
"""An id of the firm: any printable text that can also name a folder (never `..`)."""
ID_EXPECTED = "1 to 128 printable characters, no slash, no leading dot"


def _id(*, nullable: bool = False) -> Any:
    return pa.Field(str_matches=ID, nullable=nullable, description=ID_EXPECTED)


@cache
def time_zones() -> list[str]:
    """The IANA names of time zones."""
    return sorted(available_timezones())


class Taxpayers(Table):
    """A person or entity who owns lots (required file). `birth_year` empty: not known to be 65 or over."""

    taxpayer_id: str = _id()
    entity: str = pa.Field(isin=ENTITIES)
    birth_year: int = pa.Field(nullable=True, ge=1900, le=2100)

    class Config:
        """One row a taxpayer."""

        unique = ["taxpayer_id"]


class Residency(Table):
    """Where a taxpayer lives from a day on. Absent: no state, the firm's time zone."""

    taxpayer_id: str = _id()
    from_: pl.Date = pa.Field(alias="from")
    state: str = pa.Field(nullable=True, str_matches=r"^[A-Z]{2}$", description="two capital letters such as NY")
    time_zone: str = pa.Field(nullable=True)

    class Config:
        """One row a taxpayer and day."""

        unique = ["taxpayer_id", "from"]

    @pa.check("time_zone", error="an IANA time zone such as America/New_York")
    def zone(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera makes it a class method
        """The zone exists."""
        return data.lazyframe.select(pl.col(data.key or "*").is_in(time_zones()))


class ReturnsFiled(Table):
    """`returns.csv`: who files together in a year. Absent: each taxpayer files alone, return_id = taxpayer_id."""

    return_id: str = _id()
    tax_year: int = pa.Field(ge=2009, le=2100)
    taxpayer_id: str = _id()
    role: str = pa.Field(isin=ROLES)

    class Config:
        """A taxpayer is on one return a year."""

        unique = ["taxpayer_id", "tax_year"]


class Profiles(Table):
    """What a return contains beside the events (required file). An empty amount is unknown, never a silent zero.

    `deduction` is the word `standard` or an amount in dollars, as text. All amounts exclude what the events give and do
    not overlap. Carry-ins are positive losses.
    """

    return_id: str = _id()
    tax_year: int = pa.Field(ge=2009, le=2100)
    filing_status: str = pa.Field(isin=STATUSES)
    wages: Cents = pa.Field(nullable=True, ge=0)
    self_employment: Cents = pa.Field(nullable=True)
    investment_income: Cents = pa.Field(nullable=True)
    other_ordinary: Cents = pa.Field(nullable=True)
    qualified_dividends: Cents = pa.Field(nullable=True, ge=0)
    other_short_term: Cents = pa.Field(nullable=True)
    other_long_term: Cents = pa.Field(nullable=True)
    other_28_rate: Cents = pa.Field(nullable=True)
    unrecaptured_1250: Cents = pa.Field(nullable=True, ge=0)
    adjustments: Cents = pa.Field(nullable=True, ge=0)
    deduction: str = pa.Field(
        nullable=True,
        str_matches=r"^(standard|\d{1,12}(\.\d{1,2})?)$",
        description="standard, or an amount such as 31500.00",
    )
    social_security: Cents = pa.Field(nullable=True, ge=0)
    aca_credit: Cents = pa.Field(nullable=True, ge=0)
    short_term_carry_in: Cents = pa.Field(nullable=True, ge=0)
    long_term_carry_in: Cents = pa.Field(nullable=True, ge=0)
    expected_ordinary_income: Cents = pa.Field(nullable=True)
    expected_annual_gains: Cents = pa.Field(nullable=True)
    dependents: int = pa.Field(nullable=True, ge=0, le=99)

    class Config:
        """One row a return and year."""

        unique = ["return_id", "tax_year"]


class CarryIns(Table):
    """Losses brought into a year by each spouse, positive. Absent: the profile's, else last year's carry-out."""

    taxpayer_id: str = _id()
    tax_year: int = pa.Field(ge=2009, le=2100)
    short_term_carry_in: Cents = pa.Field(nullable=True, ge=0)
    long_term_carry_in: Cents = pa.Field(nullable=True, ge=0)

    class Config:
        """One row a taxpayer and year."""

        unique = ["taxpayer_id", "tax_year"]


class Accounts(Table):
    """Where units sit (required file); `account_id` names the folder under `intake/`.

    `custody` empty: unknown. `wallet` empty: the account is a wallet of its own. `time_zone` is that of a file whose
    times carry none. `only_method` is the one way of choosing lots that a US broker offers: a standing order where no
    other is in force (Reg. 1.1012-1(j)(3)(ii)); empty: it offers several, or none.
    """

    account_id: str = _id()
    taxpayer_id: str = _id()
    platform: str = pa.Field(nullable=True)
    custody: str = pa.Field(nullable=True, isin=CUSTODY)
    treatment: str = pa.Field(isin=TREATMENTS)
    wallet: str = _id(nullable=True)
    address: str = pa.Field(nullable=True)
    time_zone: str = pa.Field(nullable=True)
    only_method: str = pa.Field(nullable=True, isin=METHODS)

    class Config:
        """One row an account."""

        unique = ["account_id"]

    @pa.check("time_zone", error="an IANA time zone such as America/New_York")
    def zone(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera makes it a class method
        """The zone exists."""
        return data.lazyframe.select(pl.col(data.key or "*").is_in(time_zones()))


class Assets(Table):
    """What the firm knows of an asset; wins over the shipped list. `chain` and `contract` as in a CAIP-19 id.

    `collectible` and `indivisible` empty: yes for an nft, no for every other class. `represents` is the coin that a
    wrapped, bridged or staked token stands for; empty: as shipped, else none.
    """

    asset: str = pa.Field(str_length={"min_value": 1, "max_value": 160})
    chain: str = pa.Field(nullable=True)
    contract: str = pa.Field(nullable=True)
    token_id: str = pa.Field(nullable=True)
    symbol: str = pa.Field(nullable=True)
    class_: str = pa.Field(alias="class", isin=ASSET_CLASSES)
    collectible: bool = pa.Field(nullable=True)
    indivisible: bool = pa.Field(nullable=True)
    represents: str = pa.Field(nullable=True)

    class Config:
        """One row an asset and contract: an asset may live on several chains."""

        unique = ["asset", "chain", "contract", "token_id"]


class LotOrders(Table):
    """Standing orders: the method for sales after `recorded_at`. Absent: FIFO (Reg. 1.1012-1(j)).

    `account_id` or `asset` empty: all. `effective_from` empty: `recorded_at`.
    """

    taxpayer_id: str = _id()
    account_id: str = _id(nullable=True)
    asset: str = pa.Field(nullable=True)
    method: str = pa.Field(isin=METHODS)
    recorded_at: Instant
    effective_from: Instant
    communicated_to_broker_at: Instant = pa.Field(nullable=True)
    evidence: str = pa.Field(nullable=True)

    class Config:
        """One order for one thing at one moment."""

        unique = ["taxpayer_id", "account_id", "asset", "recorded_at"]


class InstructionsGiven(Table):
    """`instructions.csv`: what was decided before a sale. Absent: nothing was. `valid_until` empty: no end."""

    instruction_id: str = _id()
    recommendation_id: str = pa.Field(nullable=True)
    account_id: str = _id()
    asset: str
    lot_id: str
    quantity: Quantity = pa.Field(gt=0, lt=QUANTITY_LIMIT)
    recorded_at: Instant
    communicated_to_broker_at: Instant = pa.Field(nullable=True)
    valid_until: pl.Date = pa.Field(nullable=True)
    status: str = pa.Field(isin=INSTRUCTION_STATUS)

    class Config:
        """One row an instruction."""

        unique = ["instruction_id"]


class LotPicks(Table):
    """Specific identification of sales before 2025, as filed. Absent: the method of the year."""

    event_id: str
    lot_id: str
    quantity: Quantity = pa.Field(gt=0, lt=QUANTITY_LIMIT)
    evidence: str = pa.Field(nullable=True)

    class Config:
        """One row a sale and lot."""

        unique = ["event_id", "lot_id"]


class BasisPools(Table):
    """How basis was kept before 2025. Absent: unknown (per wallet, and asked where it matters)."""

    taxpayer_id: str = _id()
    until_2025: str = pa.Field(isin=POOLS)

    class Config:
        """One row a taxpayer."""

        unique = ["taxpayer_id"]


class Allocations2025(Table):
    """The allocation of unused basis to wallets on 2025-01-01 (Rev. Proc. 2024-28). Absent: none was made."""

    taxpayer_id: str = _id()
    asset: str
    account_id: str = _id()
    acquired_at: Instant
    quantity: Quantity = pa.Field(gt=0, lt=QUANTITY_LIMIT)
    basis: Money = pa.Field(ge=0)
    kind: str = pa.Field(isin=("specific", "global"))
    rule_recorded_at: Instant = pa.Field(nullable=True)
    completed_at: Instant = pa.Field(nullable=True)


class OpeningLots(Table):
    """Lots from before the data begins. Absent: none. `basis` empty: unknown; `loss_basis` empty: as `basis`.

    `loss_acquired_at` is the instant of the gift whose `loss_basis` is below `basis`: losses count from then.
    """

    taxpayer_id: str = _id()
    account_id: str = _id()
    asset: str
    acquired_at: Instant
    quantity: Quantity = pa.Field(gt=0, lt=QUANTITY_LIMIT)
    basis: Money = pa.Field(nullable=True, ge=0)
    origin: str = pa.Field(isin=ORIGINS)
    loss_basis: Money = pa.Field(nullable=True, ge=0)
    loss_acquired_at: Instant = pa.Field(nullable=True)
    evidence: str = pa.Field(nullable=True)


class Acquisitions(Table):
    """What stands behind a receipt that was no purchase. Absent: the basis of gifts and inheritances is unknown.

    One of `event_id` and `tx_id` is given. `donor_basis` and `value_at_transfer` are totals of the whole receipt.
    """

    event_id: str = pa.Field(nullable=True)
    tx_id: str = pa.Field(nullable=True)
    origin: str = pa.Field(isin=GIVEN)
    donor_basis: Money = pa.Field(nullable=True, ge=0)
    donor_acquired_at: Instant = pa.Field(nullable=True)
    value_at_transfer: Money = pa.Field(nullable=True, ge=0)
    gift_tax_adjustment: Money = pa.Field(nullable=True, ge=0)

    class Config:
        """One row a receipt."""

        unique = ["event_id", "tx_id"]

    @pa.dataframe_check(error="an event_id or a tx_id")
    def names_a_receipt(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera makes it a class method
        """One of the two is given."""
        return data.lazyframe.select(pl.any_horizontal(pl.col("event_id", "tx_id").is_not_null()))


class FiledYears(Table):
    """Returns that were filed, by version (1 the original, then amendments). Absent: none."""

    return_id: str = _id()
    tax_year: int = pa.Field(ge=2009, le=2100)
    version: int = pa.Field(ge=1)
    filed_at: Instant

    class Config:
        """One row a version."""

        unique = ["return_id", "tax_year", "version"]


class FiledLines(Table):
    """The lines as filed."""

    return_id: str = _id()
    tax_year: int = pa.Field(ge=2009, le=2100)
    version: int = pa.Field(ge=1)
    form: str
    line: str
    amount: Cents

    class Config:
        """One amount a line."""

        unique = ["return_id", "tax_year", "version", "form", "line"]


class FiledLots(Table):
    """The closing lots as filed. `basis` empty: unknown; `version` empty: of whatever version counts."""

    taxpayer_id: str = _id()
    tax_year: int = pa.Field(ge=2009, le=2100)
    version: int = pa.Field(nullable=True, ge=1)
    account_id: str = _id()
    asset: str
    acquired_at: Instant
    quantity: Quantity = pa.Field(gt=0, lt=QUANTITY_LIMIT)
    basis: Money = pa.Field(nullable=True, ge=0)


class FiledMethods(Table):
    """The lot method as filed, years before 2025 only. Absent: FIFO, and asked."""

    taxpayer_id: str = _id()
    tax_year: int = pa.Field(ge=2009, le=2024)
    method: str = pa.Field(isin=METHODS)

    class Config:
        """One row a taxpayer and year."""

        unique = ["taxpayer_id", "tax_year"]


class Forms1099DA(Table):
    """Form 1099-DA as received, by box. Absent: none. Check boxes and dates that may say VARIOUS are text."""

    taxpayer_id: str = _id()
    tax_year: int = pa.Field(ge=2025, le=2100)
    account_id: str = _id()
    box_1a: str = pa.Field(nullable=True)
    box_1b: str = pa.Field(nullable=True)
    box_1c: Quantity = pa.Field(nullable=True, ge=0, lt=QUANTITY_LIMIT)
    box_1d: str = pa.Field(nullable=True)
    box_1e: pl.Date = pa.Field(nullable=True)
    box_1f: Cents = pa.Field(nullable=True)
    box_1g: Cents = pa.Field(nullable=True)
    box_1h: Cents = pa.Field(nullable=True)
    box_1i: Cents = pa.Field(nullable=True)
    box_2: str = pa.Field(nullable=True)
    box_3a: str = pa.Field(nullable=True)
    box_3b: str = pa.Field(nullable=True)
    box_4: Cents = pa.Field(nullable=True)
    box_5: str = pa.Field(nullable=True)
    box_6: str = pa.Field(nullable=True)
    box_7: str = pa.Field(nullable=True)
    box_8: str = pa.Field(nullable=True)
    box_9: str = pa.Field(nullable=True)
    box_10: str = pa.Field(nullable=True)
    box_11a: str = pa.Field(nullable=True)
    box_11b: str = pa.Field(nullable=True)
    box_11c: str = pa.Field(nullable=True)
    box_12a: Quantity = pa.Field(nullable=True, ge=0, lt=QUANTITY_LIMIT)
    box_12b: str = pa.Field(nullable=True)


class Forms1099B(Table):
    """`forms_1099b.csv`: the sales of Form 1099-B (a trust's shares, tokenized securities; coins to 2024). Absent: none.

    `basis_reported` is box 12, `term` box 2; `date_sold` empty: a sum of the year.
    """

    taxpayer_id: str = _id()
    tax_year: int = pa.Field(ge=2009, le=2100)
    account_id: str = _id()
    asset: str
    quantity: Quantity = pa.Field(nullable=True, ge=0, lt=QUANTITY_LIMIT)
    date_sold: pl.Date = pa.Field(nullable=True)
    proceeds: Cents = pa.Field(nullable=True)
    basis: Cents = pa.Field(nullable=True)
    basis_reported: bool = pa.Field(nullable=True)
    term: str = pa.Field(nullable=True, isin=TERMS)


class Positions(Table):
    """Stands on unsettled law, from a tax year on. Absent: the firm's default (`firm.toml`), else the first choice."""

    taxpayer_id: str = _id()
    from_year: int = pa.Field(ge=2009, le=2100)
    topic: str = pa.Field(isin=tuple(POSITIONS))
    choice: str
    by: str = pa.Field(nullable=True)
    why: str = pa.Field(nullable=True)

    class Config:
        """One stand a topic and year."""

        unique = ["taxpayer_id", "from_year", "topic"]

    @pa.dataframe_check(error="; ".join(f"{topic}: {' or '.join(choices)}" for topic, choices in POSITIONS.items()))
    def choice_of_topic(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera makes it a class method
        """The choice is one of its topic's."""
        fits = [(pl.col("topic") == topic) & pl.col("choice").is_in(choices) for topic, choices in POSITIONS.items()]
        return data.lazyframe.select(pl.any_horizontal(fits) | ~pl.col("topic").is_in(list(POSITIONS)))


class Overrides(Table):
    """Staff corrections of an event; the latest `at` of an event and field wins. Absent: none."""

    event_id: str
    field: str = pa.Field(isin=OVERRIDE_FIELDS)
    value: str = pa.Field(nullable=True)
    by: str
    at: Instant
    why: str = pa.Field(nullable=True)

    class Config:
        """One correction of one thing at one moment."""

        unique = ["event_id", "field", "at"]


class ReviewAnswers(Table):
    """Staff's answers to review items; the latest `at` of an item wins (`open` opens it again). Absent: none."""

    item_id: str
    state: str = pa.Field(isin=STATES)
    answer: str = pa.Field(nullable=True)
    by: str
    at: Instant

    class Config:
        """One answer at one moment."""

        unique = ["item_id", "at"]


class FolderProblems(Table):
    """What is wrong with the firm's folder. `row_no` is the line as an editor shows it (null: the whole file).

    `fatal`: the file as a whole cannot be trusted and the night refuses; else the row is left out and the client
    (`taxpayer_id`, null where the row does not tell) is stopped. `found` is cut to 60 printable characters.
    """

    file: str
    row_no: int = pa.Field(nullable=True)
    column: str = pa.Field(nullable=True)
    found: str
    expected: str
    action: str
    taxpayer_id: str = pa.Field(nullable=True)
    account_id: str = pa.Field(nullable=True)
    return_id: str = pa.Field(nullable=True)
    event_id: str = pa.Field(nullable=True)
    fatal: bool


@dataclass(frozen=True)
class Input:
    """How a CSV of the folder is read.

    `client` is the column that tells whose row it is (taxpayer_id, account_id, return_id, event_id; null: nobody's).
    `defaults` fills empty cells, a name in braces from another column. `dated` names the columns that AS_OF looks at:
    a record is hidden when the first lies later (with `closes`: unless its year is over), the others are emptied.
    """

    model: type[Table]
    client: str | None
    required: bool = False
    defaults: Mapping[str, str] = field(default_factory=dict)
    dated: tuple[str, ...] = ()
    closes: bool = False


INPUTS: Mapping[str, Input] = {
    "taxpayers": Input(Taxpayers, "taxpayer_id", required=True, defaults={"entity": "individual"}),
    "residency": Input(Residency, "taxpayer_id", dated=("from",)),
    "returns": Input(ReturnsFiled, "taxpayer_id", defaults={"role": "primary"}, dated=("tax_year",)),
    "profiles": Input(Profiles, "return_id", required=True, dated=("tax_year",)),
    "carry_ins": Input(CarryIns, "taxpayer_id", dated=("tax_year",)),
    "accounts": Input(Accounts, "taxpayer_id", required=True, defaults={"treatment": "taxable"}),
    "assets": Input(Assets, None, defaults={"class": "token"}),
    "lot_orders": Input(
        LotOrders,
        "taxpayer_id",
        defaults={"effective_from": "{recorded_at}"},
        dated=("recorded_at", "communicated_to_broker_at"),
    ),
    "instructions": Input(
        InstructionsGiven, "account_id", defaults={"status": "open"}, dated=("recorded_at", "communicated_to_broker_at")
    ),
    "lot_picks": Input(LotPicks, "event_id"),
    "basis_pools": Input(BasisPools, "taxpayer_id", defaults={"until_2025": "unknown"}),
    "allocations_2025": Input(Allocations2025, "taxpayer_id", dated=("completed_at",)),
    "opening_lots": Input(OpeningLots, "taxpayer_id", defaults={"origin": "buy"}, dated=("acquired_at",)),
    "acquisitions": Input(Acquisitions, "event_id"),
    "filed_years": Input(FiledYears, "return_id", defaults={"version": "1"}, dated=("filed_at",)),
    "filed_lines": Input(FiledLines, "return_id", defaults={"version": "1"}),
    "filed_lots": Input(FiledLots, "taxpayer_id", dated=("tax_year",), closes=True),
    "filed_methods": Input(FiledMethods, "taxpayer_id", dated=("tax_year",), closes=True),
    "forms_1099da": Input(Forms1099DA, "taxpayer_id", dated=("tax_year",), closes=True),
    "forms_1099b": Input(Forms1099B, "taxpayer_id", dated=("tax_year",), closes=True),
    "positions": Input(Positions, "taxpayer_id", dated=("from_year",)),
    "overrides": Input(Overrides, "event_id", dated=("at",)),
    "review_answers": Input(ReviewAnswers, None, dated=("at",)),
}
"""Name of the file without `.csv` -> how it is read."""


@dataclass(frozen=True)
class PlatformCost:
    """What a trade costs on a platform: basis points of its value, and dollars a trade; no trade is below `minimum_trade`.

    `slippage_bp` is what the price moves against each of the two trades.
    """

    fee_bp: Decimal
    spread_bp: Decimal
    slippage_bp: Decimal = Decimal(0)
    fixed_fee: Decimal = Decimal(0)
    minimum_trade: Decimal = Decimal(0)


@dataclass(frozen=True)
class FirmSettings:
    """`firm.toml`. `assumed` names the assumptions that the file leaves to their defaults.

    `platforms` always has the row `default`; `positions` has the stands that the firm took, by topic of `POSITIONS`.
    `wash_sales` is what became of bills (`transforms.law.wash_sale_rules.in_force`).
    """

    name: str
    time_zone: str
    as_of: date | None = None
    group: str | None = None
    discount_rate: Decimal = Decimal("0.05")
    horizon_years: int = 10
    holding_years: int = 5
    early_sale_chance: Decimal = Decimal(0)
    min_rebuy_hours: int = 24
    max_price_age_days: int = 3
    form_1099_tolerance: Decimal = Decimal("0.01")
    platforms: Mapping[str, PlatformCost] = field(
        default_factory=lambda: {"default": PlatformCost(Decimal(60), Decimal(20))}
    )
    positions: Mapping[str, str] = field(default_factory=dict)
    alerts: Mapping[str, str] = field(default_factory=dict)
    wash_sales: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
