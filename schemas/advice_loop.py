"""Tables of the advice over time: what was advised, what became of it, what changed, whom to call. Tonight's advice is in `harvest`."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.base import Table
from schemas.fields import Cents, Instant, Money, Quantity
from schemas.tax import TERMS

HISTORY_KINDS = ("night", "return", "price", "lot")
FOLLOWED = ("executed", "partly_executed", "instructed", "missed")
CAUSES = (
    "executed",
    "sold",
    "new_data",
    "law",
    "program",
    "assumptions",
    "income",
    "long_term",
    "realized",
    "price",
    "other_lots",
    "calendar",
)
"""Why advice differs from the last night's; the first that applies is the cause, all that apply are told."""
CURVE_POINTS = ("even", "lot", "kink", "plan")


class AdviceHistory(Table):
    """What a night advised and on what: a row that changed since the night before it. One file a night in `advice_history/`.

    `kind` says what the row tells of: the `night` (law_version, code_version, assumptions), a `return` (income, realized_short,
    realized_long, carry_in, verdict, net_benefit), a `price`, a `lot` that could be sold at a loss or is advised.
    `stands` false: the row stood the night before and does not any more (of a lot `held` then tells what is left of it;
    null: nothing). `advised` is the recommended quantity, null where the lot is not recommended. `income` and
    `assumptions` are digests: equal means unchanged.
    """

    as_of: pl.Date
    tax_year: int
    kind: str = pa.Field(isin=HISTORY_KINDS)
    stands: bool
    law_version: str = pa.Field(nullable=True)
    code_version: str = pa.Field(nullable=True)
    assumptions: str = pa.Field(nullable=True)
    return_id: str = pa.Field(nullable=True)
    income: str = pa.Field(nullable=True)
    realized_short: Cents = pa.Field(nullable=True)
    realized_long: Cents = pa.Field(nullable=True)
    carry_in: Cents = pa.Field(nullable=True)
    verdict: str = pa.Field(nullable=True)
    taxpayer_id: str = pa.Field(nullable=True)
    account_id: str = pa.Field(nullable=True)
    asset: str = pa.Field(nullable=True)
    lot_id: str = pa.Field(nullable=True)
    price: Quantity = pa.Field(nullable=True)
    priced_at: Instant = pa.Field(nullable=True)
    held: Quantity = pa.Field(nullable=True)
    basis: Money = pa.Field(nullable=True)
    term: str = pa.Field(nullable=True, isin=TERMS)
    recommendation_id: str = pa.Field(nullable=True)
    action: str = pa.Field(nullable=True)
    rank: int = pa.Field(nullable=True)
    advised: Quantity = pa.Field(nullable=True)
    proceeds: Money = pa.Field(nullable=True)
    unrealized_gain: Money = pa.Field(nullable=True)
    tax_saved_now: Cents = pa.Field(nullable=True)
    carryforward_value: Cents = pa.Field(nullable=True)
    later_tax_cost: Cents = pa.Field(nullable=True)
    trading_cost: Cents = pa.Field(nullable=True)
    net_benefit: Cents = pa.Field(nullable=True)


class AdviceMade(Table):
    """A recommendation of an earlier night: as first and as last advised, and whether it still stood at the end.

    `last_held` is what was held of the lot when it was last advised. `withdrawn`: a later night took the advice back
    while the lot was still there.
    """

    recommendation_id: str
    tax_year: int
    return_id: str
    taxpayer_id: str
    account_id: str
    asset: str
    lot_id: str
    action: str
    first_advised: pl.Date
    first_quantity: Quantity
    first_net_benefit: Cents
    last_advised: pl.Date
    last_quantity: Quantity
    last_net_benefit: Cents
    last_held: Quantity
    withdrawn: bool

    class Config:
        """One row a recommendation."""

        unique = ["recommendation_id"]


class AdviceFollowed(Table):
    """A recommendation of this year or the last that was taken up or missed: what was advised, recorded and sold, what it saved, what was lost.

    `executed_quantity` is what was sold of the lot in its account from the day it was first advised to the end of the
    tax year, with an instruction or without; `realized_gain` the gain or loss of these units that counts on the return.
    `tax_saved` is the return's federal tax without these pieces less the tax with them, `carryover_added` the carryover
    that they add; both are marginal in the order of sale and sum to the return's. `missed_quantity` is what stood
    advised and was not sold when the year was over or the lot was gone, `missed_net_benefit` its share of the value last
    told. `instructed_quantity` counts what was recorded and not cancelled.
    """

    recommendation_id: str
    tax_year: int
    return_id: str
    taxpayer_id: str
    account_id: str
    asset: str
    lot_id: str
    action: str
    status: str = pa.Field(isin=FOLLOWED)
    first_advised: pl.Date
    first_quantity: Quantity
    first_net_benefit: Cents
    last_advised: pl.Date
    last_quantity: Quantity
    last_net_benefit: Cents
    instruction_ids: str = pa.Field(nullable=True)
    instructed_quantity: Quantity
    executed_quantity: Quantity
    executed_by_instruction: Quantity
    first_sold: pl.Date = pa.Field(nullable=True)
    last_sold: pl.Date = pa.Field(nullable=True)
    realized_gain: Money = pa.Field(nullable=True)
    tax_saved: Cents = pa.Field(nullable=True)
    carryover_added: Cents = pa.Field(nullable=True)
    missed_quantity: Quantity
    missed_net_benefit: Cents

    class Config:
        """One row a recommendation."""

        unique = ["recommendation_id"]


class AdviceChanges(Table):
    """A lot whose advice (scenario best) is not the last night's, and why. No row: the advice is the same.

    Quantities are 0 where the lot is not advised, `change` is the net benefit tonight less that of the night before;
    the changes of a return's lots sum to the change of its plan. `cause` is the first of `causes` (comma between).
    """

    return_id: str
    taxpayer_id: str
    account_id: str
    asset: str
    lot_id: str
    before_as_of: pl.Date
    as_of: pl.Date
    quantity_before: Quantity
    quantity: Quantity
    price_before: Quantity = pa.Field(nullable=True)
    price: Quantity = pa.Field(nullable=True)
    net_benefit_before: Cents
    net_benefit: Cents
    change: Cents
    cause: str = pa.Field(isin=CAUSES)
    causes: str

    class Config:
        """One row a lot in its account and return."""

        unique = ["return_id", "account_id", "lot_id"]


class InstructionsToRecord(Table):
    """What `instructions_to_record.csv` holds: a row of instructions.csv for what is advised and not yet recorded.

    `quantity` is what no open instruction of the lot covers. `left_out` says why a row is in this table only (null: it
    is in the file). `recorded_at` stays empty: it is the moment at which staff enter the row.
    """

    return_id: str
    taxpayer_id: str
    instruction_id: str
    recommendation_id: str
    account_id: str
    asset: str
    lot_id: str
    quantity: Quantity = pa.Field(gt=0)
    recorded_at: Instant = pa.Field(nullable=True)
    communicated_to_broker_at: Instant = pa.Field(nullable=True)
    valid_until: pl.Date
    status: str = pa.Field(nullable=True)
    left_out: str = pa.Field(nullable=True)

    class Config:
        """One row an instruction."""

        unique = ["instruction_id"]


class CallList(Table):
    """From 1 September: the returns with dollars still to be saved or blocked, whom to call first on top.

    `net_benefit` is the plan's (scenario best), `covered` the part for which an open instruction is recorded, `to_save`
    the rest: the list is ranked by it, then by `blocked` (dollars at stake in open blocking questions of the return's
    people). `deadline` is the last instant of the year in the taxpayer's zone.
    """

    rank: int = pa.Field(ge=1)
    return_id: str
    as_of: pl.Date
    tax_year: int
    to_save: Cents
    net_benefit: Cents
    covered: Cents
    tax_saved_now: Cents = pa.Field(nullable=True)
    lots: int = pa.Field(ge=0)
    blocked: Cents
    blocking_questions: int = pa.Field(ge=0)
    confidence: str = pa.Field(nullable=True)
    days_left: int = pa.Field(ge=0)
    deadline: Instant
    verdict: str
    why: str

    class Config:
        """One row a return."""

        unique = ["return_id"]


class HarvestCurve(Table):
    """What harvesting so much loss tonight would save a return: a table that plots.

    Losses are taken in the order of the plan, then those that it leaves, largest first; `point` says why the amount is
    there: an `even` step, the end of a `lot`, a `kink` found between two steps, the `plan` itself. Amounts are dollars
    of loss, from 0 to all that may be sold.
    """

    return_id: str
    as_of: pl.Date
    loss_harvested: Cents
    point: str = pa.Field(isin=CURVE_POINTS)
    tax_saved_now: Cents
    net_benefit: Cents

    class Config:
        """One row an amount."""

        unique = ["return_id", "loss_harvested"]


class PriceMoves(Table):
    """What waiting to the last day of the year costs if prices move: tonight's plan beside the best plan then.

    `move_percent` is by how much every price is then another than tonight (0: only time passes); lots that turn long-term
    by then are long. `cost_of_waiting` is tonight's net benefit less that of the plan then: positive, waiting costs;
    negative, it pays. It is the advice's value only, not the gain or loss of the coins themselves. `turned_long` counts
    lots at a loss then that turn from short to long.
    """

    return_id: str
    as_of: pl.Date
    year_end: pl.Date
    move_percent: int
    net_benefit_tonight: Cents
    loss_available: Cents
    loss_harvested: Cents
    tax_saved_now: Cents
    net_benefit: Cents
    cost_of_waiting: Cents
    turned_long: int = pa.Field(ge=0)

    class Config:
        """One row a return and move."""

        unique = ["return_id", "move_percent"]
