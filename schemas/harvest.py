"""Tables of the harvest layer: what could be sold tonight, what it saves, what became of earlier instructions."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.base import Table
from schemas.fields import BASIS_STATUS, Cents, Instant, Money, Quantity
from schemas.tax import TERMS

SCENARIOS = ("best", "wash_safe")
CONFIDENCE = ("high", "medium", "low")
ACTIONS = ("sell", "sell_gain")
OPTIMA = ("enumerated", "branched", "milp", "searched")


class Holdings(Table):
    """An open lot at tonight's price. `why_not` says why it is not up for sale (null: it is).

    `basis` is the basis for gain; `unrealized_gain` is what a sale tonight would realize, so that for a gift whose
    basis for loss is lower it is not value less basis (IRC 1015(a)). `term` and `long_term_from` go with it.
    """

    return_id: str
    taxpayer_id: str
    account_id: str
    asset: str
    lot_id: str
    quantity: Quantity = pa.Field(gt=0)
    basis: Money = pa.Field(nullable=True)
    price: Quantity = pa.Field(nullable=True)
    priced_at: Instant = pa.Field(nullable=True)
    value: Money = pa.Field(nullable=True)
    unrealized_gain: Money = pa.Field(nullable=True)
    term: str = pa.Field(isin=TERMS)
    date_acquired: pl.Date
    long_term_from: pl.Date
    basis_status: str = pa.Field(isin=BASIS_STATUS)
    why_not: str = pa.Field(nullable=True)


class HarvestRecommendations(Table):
    """A lot to act on. Per-lot values are marginal in rank order and sum to the summary; costs are positive.

    `action` is sell (at a loss) or sell_gain (at a gain, to raise the basis). `state_saved` is null where the state's tax
    is not in the figures. `why_not_certain` says what lowers the confidence (null: it is high).
    """

    recommendation_id: str
    scenario: str = pa.Field(isin=SCENARIOS)
    return_id: str
    taxpayer_id: str
    as_of: pl.Date
    rank: int = pa.Field(ge=1)
    action: str = pa.Field(isin=ACTIONS)
    account_id: str
    asset: str
    lot_id: str
    quantity: Quantity = pa.Field(gt=0)
    price: Quantity = pa.Field(gt=0)
    proceeds: Money
    basis: Money
    unrealized_gain: Money
    term: str = pa.Field(isin=TERMS)
    regular_saved: Cents
    amt_saved: Cents
    niit_saved: Cents
    state_saved: Cents = pa.Field(nullable=True)
    tax_saved_now: Cents
    carryforward_value: Cents
    later_tax_cost: Cents
    restarted_clock_cost: Cents
    trading_cost: Cents
    net_benefit: Cents
    lot_identification: str
    record_before: str
    rebuy_not_before: str
    confidence: str = pa.Field(isin=CONFIDENCE)
    why_not_certain: str = pa.Field(nullable=True)
    reason: str

    class Config:
        """The id is stable over nights while lot, scenario and year stay the same."""

        unique = ["recommendation_id"]


class HarvestSummary(Table):
    """A return tonight: what the whole plan is worth, or why there is none.

    `loss_harvested` and `gain_harvested` are the sums of the lots sold at a loss and at a gain. `optimum` says how the
    choice was proved: every cell of the tax function enumerated, branch and bound over that, a mixed-integer program,
    or a search that proves nothing; `gap` is by how much a better choice is at most better (null: not known).
    `greedy_net_benefit` is what the largest losses bring that cover the year's gains and the limit,
    `everything_net_benefit` what all losses bring (null: there is none).
    """

    scenario: str = pa.Field(isin=SCENARIOS)
    return_id: str
    as_of: pl.Date
    tax_year: int
    tax_before: Cents = pa.Field(nullable=True)
    tax_after: Cents = pa.Field(nullable=True)
    state_saved: Cents = pa.Field(nullable=True)
    tax_saved_now: Cents = pa.Field(nullable=True)
    short_term_out_before: Cents = pa.Field(nullable=True)
    short_term_out_after: Cents = pa.Field(nullable=True)
    long_term_out_before: Cents = pa.Field(nullable=True)
    long_term_out_after: Cents = pa.Field(nullable=True)
    loss_available: Cents
    loss_harvested: Cents
    gain_harvested: Cents
    carryforward_value: Cents = pa.Field(nullable=True)
    later_tax_cost: Cents = pa.Field(nullable=True)
    restarted_clock_cost: Cents = pa.Field(nullable=True)
    trading_cost: Cents = pa.Field(nullable=True)
    net_benefit: Cents = pa.Field(nullable=True)
    greedy_net_benefit: Cents = pa.Field(nullable=True)
    everything_net_benefit: Cents = pa.Field(nullable=True)
    optimum: str = pa.Field(isin=OPTIMA, nullable=True)
    gap: Cents = pa.Field(nullable=True, ge=0)
    deadline: Instant
    verdict: str
    explanation: str

    class Config:
        """One row a return and scenario."""

        unique = ["scenario", "return_id"]


class Instructions(Table):
    """An instruction and what became of it: a row for each disposal that it was for, and one for what is left of it.

    `event_id` null: not executed (open, expired, cancelled; `why` says it). `executed_quantity` is what the disposal
    took of the lot for the instruction; `adequate` whether the identification counts (null: nothing to judge).
    """

    instruction_id: str
    taxpayer_id: str = pa.Field(nullable=True)
    recommendation_id: str = pa.Field(nullable=True)
    account_id: str = pa.Field(nullable=True)
    asset: str = pa.Field(nullable=True)
    lot_id: str = pa.Field(nullable=True)
    quantity: Quantity = pa.Field(nullable=True)
    event_id: str = pa.Field(nullable=True)
    disposal_id: str = pa.Field(nullable=True)
    executed_quantity: Quantity = pa.Field(nullable=True)
    adequate: bool = pa.Field(nullable=True)
    why: str


class HarvestWaiting(Table):
    """A lot that turns long-term within 92 days, sold tonight or then, at tonight's price.

    `net_benefit_now` and `net_benefit_then` are of the plan of the scenario best with all of this lot in it, in the one
    term and in the other, were both sold in this tax year; `cost_of_waiting` is the difference (negative: waiting gains).
    `in_year`: whether the lot turns long-term while a sale still counts for this year.
    """

    return_id: str
    taxpayer_id: str
    account_id: str
    asset: str
    lot_id: str
    quantity: Quantity = pa.Field(gt=0)
    unrealized_gain: Money
    long_term_from: pl.Date
    days: int = pa.Field(ge=1)
    in_year: bool
    net_benefit_now: Cents
    net_benefit_then: Cents
    cost_of_waiting: Cents

    class Config:
        """One row a part of a lot."""

        unique = ["account_id", "lot_id"]
