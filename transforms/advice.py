"""Advice: the tables of the harvest from what `harvest` chose. No choice is made here."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from decimal import Decimal
from itertools import compress, product
from typing import NamedTuple

import numpy as np
import polars as pl

from schemas import gate
from schemas.fields import CENTS, INSTANT, MONEY
from schemas.harvest import HarvestRecommendations, HarvestSummary, HarvestWaiting
from schemas.inputs import FirmSettings
from transforms import advice_texts as texts
from transforms import harvest
from transforms.exact import from_ints, to_cents
from transforms.holdings import VALUE_LIMIT
from transforms.ids import digest
from transforms.law.parameters import YEARS
from transforms.law.wash_sale_rules import in_force, lawful_classes
from transforms.valuation import Worth

BEST, SAFE = "best", "wash_safe"
WAITING_DAYS = 92
"""A lot that turns long-term within so many days is worth a look at waiting."""
RETURN_LIMIT = 10 * VALUE_LIMIT
"""Dollars up for sale, or of income a year, beyond which a return is for a person: a price or a cell must be wrong."""
VALUED = ("discount_rate", "horizon_years", "holding_years", "platforms")
"""Assumptions that move the figures: one left to its default lowers the confidence."""
UNMATCHED = ("unmatched_deposit", "unmatched_withdrawal", "ambiguous_transfer")

_WORTH = [field.name for field in fields(Worth)]
_SUMMED = (
    "regular_saved", "amt_saved", "niit_saved", "state_saved", "carryforward_value", "later_tax_cost",
    "restarted_clock_cost", "trading_cost", "net_benefit",
)  # fmt: skip
THIN = ("nft", "token")
UNSETTLED = ("wrapped", "bridged", "liquid_staking", "lp_token")
"""Classes whose holding rests on a stand on unsettled law (tax rules 1.4)."""


class Advice(NamedTuple):
    """The tables `harvest_recommendations`, `harvest_summary` and `harvest_waiting`."""

    recommendations: pl.DataFrame
    summary: pl.DataFrame
    waiting: pl.DataFrame


class _Scene(NamedTuple):
    """What every scenario has in common."""

    tonight: harvest.Tonight
    members: pl.DataFrame
    accounts: pl.DataFrame
    facts: pl.DataFrame
    zones: pl.DataFrame
    doubts: pl.DataFrame
    huge: list[str]
    gains_of: list[str]
    settings: FirmSettings
    as_of: date


def recommend(
    holdings: pl.DataFrame,
    returns: pl.DataFrame,
    expectations: pl.DataFrame,
    members: pl.DataFrame,
    accounts: pl.DataFrame,
    facts: pl.DataFrame,
    zones: pl.DataFrame,
    review_items: pl.DataFrame,
    settings: FirmSettings,
    as_of: date,
    homes: pl.DataFrame | None = None,
    safe: pl.DataFrame | None = None,
) -> Advice:
    """The lots whose sale tonight leaves each return best off, and a verdict a return and scenario.

    Args:
        holdings: the table `holdings`.
        returns: the returns of the year that have a profile: return_id and the tax kernel's inputs in int64 cents, this
            year's realized gains and the carry-ins in them; the others get the verdict `no_profile`.
        expectations: return_id, expected_ordinary_income, expected_annual_gains (dollars; null: this year's ordinary
            income; no gains) and, where they are known, social_security and aca_credit (dollars): lots at a gain are
            looked at only where the first is known and the second is known to be none.
        members: return_id, tax_year, taxpayer_id, role; every return of the as-of year has rows.
        accounts: account_id, platform, custody and, where known, wallet and only_method.
        facts: asset, collectible, indivisible and, where known, class; an asset without a row is neither.
        zones: taxpayer_id, valid_from, time_zone.
        review_items: the table `review_items`; what is open there lowers the confidence.
        settings: the firm's assumptions and platform costs.
        as_of: tonight; its year is the tax year.
        homes: return_id, state_index (`law.states`): whose state's tax counts; none: no state's.
        safe: `holdings` under the pending wash sale rules, for the scenario `wash_safe`; none: that scenario is left out.
    """
    huge = _out_of_range(holdings, returns, expectations)
    sane = returns.filter(~pl.col("return_id").is_in(huge) & pl.lit(as_of.year in YEARS))
    scene = _Scene(
        tonight=harvest.tonight_of(sane, expectations, settings, homes),
        members=members.filter(pl.col("tax_year") == as_of.year),
        accounts=accounts,
        facts=facts,
        zones=zones,
        doubts=_doubts(holdings, facts, expectations, review_items, settings),
        huge=huge,
        gains_of=_may_realize_gains(expectations),
        settings=settings,
        as_of=as_of,
    )
    lots = harvest.for_sale(holdings, scene.tonight, accounts, facts, scene.gains_of, as_of.year)
    plan = harvest.choose(lots, scene.tonight)
    best = _scenario(BEST, holdings, lots, plan, scene)
    if safe is None:
        return best
    left = harvest.for_sale(safe, scene.tonight, accounts, facts, scene.gains_of, as_of.year)
    other = _scenario(SAFE, safe, left, _again(plan, lots, left, scene.tonight), scene)
    return Advice(
        pl.concat([best.recommendations, other.recommendations]), pl.concat([best.summary, other.summary]), best.waiting
    )


def _again(plan: harvest.Plan, lots: pl.DataFrame, left: pl.DataFrame, tonight: harvest.Tonight) -> harvest.Plan:
    """The plan where only `left` of the lots may be sold: chosen anew for the returns that lack one."""
    key = ["row", "account_id", "lot_id"]
    changed = (
        pl.concat([lots.join(left, on=key, how="anti"), left.join(lots, on=key, how="anti")]).select("row").unique()
    )
    fresh = harvest.choose(left.join(changed, on="row", how="semi"), tonight)
    kept = (of.join(changed, on="row", how="anti") for of in plan)
    return harvest.Plan(*(pl.concat(both) for both in zip(kept, fresh, strict=True)))


def _scenario(scenario: str, holdings: pl.DataFrame, lots: pl.DataFrame, plan: harvest.Plan, scene: _Scene) -> Advice:
    chosen = harvest.worth(plan.sold, scene.tonight)
    others = {
        "all": harvest.worth(harvest.everything(lots), scene.tonight),
        "greedy": harvest.worth(harvest.greedy(lots, scene.tonight), scene.tonight),
    }
    figures = _figures(chosen, others, plan.proofs, scene.tonight)
    return Advice(
        _recommendations(scenario, chosen, scene),
        _summary(scenario, figures, holdings, scene),
        _waiting(holdings, lots, chosen, scene) if scenario == BEST else gate.empty(HarvestWaiting),
    )


def _may_realize_gains(expectations: pl.DataFrame) -> list[str]:
    """Returns of which a gain's price is wholly in the figures: benefits known, no premium credit (tax rules 6.4)."""
    if not {"social_security", "aca_credit"} <= {*expectations.columns}:
        return []
    known = pl.col("social_security").is_not_null() & (pl.col("aca_credit") == 0)
    return expectations.filter(known)["return_id"].to_list()


def _out_of_range(holdings: pl.DataFrame, returns: pl.DataFrame, expectations: pl.DataFrame) -> list[str]:
    """Returns whose amounts are beyond what can be right (and what exact 64-bit arithmetic takes)."""
    for_sale = holdings.filter(pl.col("why_not").is_null())
    dollars = (
        for_sale.group_by("return_id").agg(pl.col("value", "basis").sum()),
        expectations.select("return_id", "expected_ordinary_income", "expected_annual_gains"),
    )
    cents = returns.select("return_id", pl.exclude("return_id").cast(pl.Decimal(38, 0)) / 100)
    far = [
        frame.filter(pl.any_horizontal(pl.exclude("return_id").abs() > RETURN_LIMIT))["return_id"]
        for frame in (*dollars, cents)
    ]
    return pl.concat(far).unique().sort().to_list()


def _figures(
    chosen: pl.DataFrame, others: dict[str, pl.DataFrame], proofs: pl.DataFrame, tonight: harvest.Tonight
) -> pl.DataFrame:
    """A row a return with a profile: the worth of the plan (of selling nothing where there is none) and of the others.

    Columns of `Worth` in cents, `loss_harvested`, `gain_harvested`, and `all_*`, `greedy_net_benefit` in cents (null where
    there is no loss lot), `optimum` and `gap`.
    """
    last = chosen.group_by("row", maintain_order=True).last()
    columns = ["row", *harvest.SUMS]
    idle = pl.DataFrame({name: np.zeros(len(tonight.return_ids), np.int64) for name in columns}).with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), pl.exclude("row").cast(pl.Int128)
    )
    nothing = harvest.worth(idle.join(last, on="row", how="anti"), tonight)
    plan = pl.concat([frame.select("row", *_WORTH) for frame in (last, nothing)])
    loss = pl.col("loss_basis") - pl.col("proceeds")
    harvested = chosen.group_by("row").agg(
        loss_harvested=loss.filter(loss > 0).sum(), gain_harvested=(0 - loss).filter(loss < 0).sum()
    )
    ends = {name: of.group_by("row", maintain_order=True).last() for name, of in others.items()}
    ids = pl.DataFrame(
        {"return_id": tonight.return_ids, "state_known": tonight.state_known},
        schema={"return_id": pl.String, "state_known": pl.Boolean},
    ).with_row_index("row")
    return (
        ids.with_columns(pl.col("row").cast(pl.Int64))
        .join(plan, on="row")
        .join(
            harvested.with_columns(_from_micros(name) for name in ("loss_harvested", "gain_harvested")),
            on="row",
            how="left",
        )
        .join(ends["all"].select("row", pl.col(_WORTH).name.prefix("all_")), on="row", how="left")
        .join(ends["greedy"].select("row", greedy_net_benefit="net_benefit"), on="row", how="left")
        .join(proofs, on="row", how="left")
    )


def _from_micros(name: str) -> pl.Expr:
    """Micro-dollars (never negative) as dollars, to the cent."""
    return _dollars((2 * pl.col(name) + 10**4) // (2 * 10**4), name)


def _recommendations(scenario: str, chosen: pl.DataFrame, scene: _Scene) -> pl.DataFrame:
    """The chosen lots with their marginal values: each set's worth less that of the set without its last lot."""
    if chosen.is_empty():
        return gate.empty(HarvestRecommendations)
    as_of = scene.as_of
    known = pl.DataFrame({"state_known": scene.tonight.state_known}).with_row_index("row")
    marginal = chosen.join(
        known.with_columns(pl.col("row").cast(pl.Int64)), on="row", how="left", maintain_order="left"
    ).with_columns(_dollars(pl.col(name) - pl.col(name).shift(1, fill_value=0).over("row"), name) for name in _SUMMED)
    unrealized = chosen.select((pl.col("proceeds") - pl.col("loss_basis")).alias("unrealized_gain")).to_series()
    saved = pl.col("regular_saved") + pl.col("amt_saved") + pl.col("niit_saved") + pl.col("state_saved")
    table = marginal.with_columns(
        from_ints("proceeds", chosen["proceeds"], MONEY),
        from_ints("basis", chosen["loss_basis"], MONEY),
        from_ints("unrealized_gain", unrealized, MONEY),
        quantity=pl.col("sold"),
        as_of=pl.lit(as_of),
        rank=pl.col("position").cast(pl.Int64),
        action=pl.when(pl.Series(unrealized) > 0).then(pl.lit("sell_gain")).otherwise(pl.lit("sell")),
        scenario=pl.lit(scenario),
        tax_saved_now=saved.cast(CENTS),
        state_saved=pl.when("state_known").then("state_saved"),
    ).pipe(_with_confidence, scene)
    rows = table.to_dicts()
    ids = [(scenario, row["return_id"], str(as_of.year), row["lot_id"], row["account_id"]) for row in rows]
    losing = {(row["return_id"], row["asset"]) for row in rows if row["unrealized_gain"] < 0}
    lawful = "coin" in lawful_classes(in_force(scene.settings.wash_sales), as_of)
    written = table.with_columns(
        pl.Series("recommendation_id", [digest("rec_", "\x1f".join(key)) for key in ids], pl.String),
        pl.Series("lot_identification", [texts.lot_identification(row, as_of.year) for row in rows], pl.String),
        pl.Series("record_before", [texts.record_before(row, as_of.year) for row in rows], pl.String),
        pl.Series("reason", [texts.reason(row) for row in rows], pl.String),
        pl.Series(
            "rebuy_not_before",
            [
                texts.rebuy(
                    row | {"loss_beside": (row["return_id"], row["asset"]) in losing},
                    scene.settings.min_rebuy_hours,
                    wash_sale_law=lawful,
                    wash_safe=scenario == SAFE,
                )
                for row in rows
            ],
            pl.String,
        ),
    )
    return gate.conform(written, HarvestRecommendations).sort("return_id", "rank")


def _doubts(
    holdings: pl.DataFrame,
    facts: pl.DataFrame,
    expectations: pl.DataFrame,
    review_items: pl.DataFrame,
    settings: FirmSettings,
) -> pl.DataFrame:
    """What lowers the confidence: taxpayer_id, return_id, asset (each null: of all), low, why."""
    items = review_items.filter(pl.col("state").is_in(["open", "answered"]))  # an answer is not yet in the books
    everyone = {"taxpayer_id": None, "return_id": None, "asset": None}
    stated = expectations.drop_nulls(["expected_ordinary_income", "expected_annual_gains"])["return_id"]
    unstated = holdings.filter(~pl.col("return_id").is_in(stated.implode())).select("return_id").unique()
    outside = pl.col("why_not").str.starts_with("location_").fill_null(value=False)
    classes = facts.select("asset", "class") if "class" in facts.columns else _NO_CLASSES
    assumed = [name for name in settings.assumed if name in VALUED]
    found = [
        (items.filter(pl.col("severity") == "blocking").select("taxpayer_id").drop_nulls(), True,
         "an open question stops the client's books"),
        (items.filter(pl.col("question").is_in(UNMATCHED)).select("taxpayer_id", "asset"), True,
         "a move of this asset is not matched"),
        (holdings.filter(pl.col("basis_status") != "known").select("taxpayer_id", "asset"), True,
         "the basis of other units of it is not known"),
        (holdings.filter(outside).select("taxpayer_id", "asset"), True, "units of it left and did not arrive"),
        (unstated, False, "income and gains of later years are not stated"),
        (classes.filter(pl.col("class").is_in(THIN)).select("asset"), False, "its market may be thin: look at the order book"),
        (classes.filter(pl.col("class").is_in(UNSETTLED)).select("asset"), False,
         "what it stands for rests on unsettled law"),
        (pl.DataFrame([everyone] if assumed else []), False, f"assumptions are defaults ({', '.join(assumed)})"),
    ]  # fmt: skip
    none = {"taxpayer_id": pl.String, "return_id": pl.String, "asset": pl.String}
    parts = [
        frame.unique()
        .with_columns(pl.lit(None, pl.String).alias(name) for name in none if name not in frame.columns)
        .select(pl.col(list(none)).cast(pl.String), low=pl.lit(low), why=pl.lit(why))
        for frame, low, why in found
    ]
    return pl.concat(parts)


_NO_CLASSES = pl.DataFrame(schema={"asset": pl.String, "class": pl.String})


def _with_confidence(table: pl.DataFrame, scene: _Scene) -> pl.DataFrame:
    """`confidence`: low, medium or high, and `why_not_certain`."""
    keyed = table.with_row_index("at")
    keys = ("taxpayer_id", "return_id", "asset")
    lots = keyed.select("at", *keys)
    named = [list(compress(keys, has)) for has in product((True, False), repeat=3)]
    hits = []
    for on in named:
        absent = [key for key in keys if key not in on]
        doubts = scene.doubts.filter(
            *(pl.col(key).is_not_null() for key in on), *(pl.col(key).is_null() for key in absent)
        )
        if doubts.height:
            small = doubts.select(*on, "low", "why")
            hits.append((lots.join(small, on=on) if on else lots.join(small, how="cross")).select("at", "low", "why"))
    old = (pl.lit(scene.as_of) - pl.col("priced_at").dt.date()).dt.total_days()
    hits.append(
        keyed.filter(old > 1).select("at", low=pl.lit(value=False), why=pl.format("the price is {} days old", old))
    )
    doubted = pl.concat(hits).unique().sort("low", "why", descending=[True, False]).group_by("at", maintain_order=True)
    graded = doubted.agg(low=pl.col("low").any(), why_not_certain=pl.col("why").str.join("; "))
    return keyed.join(graded, on="at", how="left", maintain_order="left").with_columns(
        confidence=pl.when("low")
        .then(pl.lit("low"))
        .when(~pl.col("low"))
        .then(pl.lit("medium"))
        .otherwise(pl.lit("high"))
    )


def _waiting(holdings: pl.DataFrame, lots: pl.DataFrame, chosen: pl.DataFrame, scene: _Scene) -> pl.DataFrame:
    """What selling a short-term lot tonight is worth beside selling it when it has turned long-term."""
    days = (pl.col("long_term_from") - pl.lit(scene.as_of)).dt.total_days()
    turning = (
        holdings.join(lots.select("row", "return_id").unique(), on="return_id")
        .filter((pl.col("term") == "short") & days.is_between(1, WAITING_DAYS) & pl.col("why_not").is_null())
        .filter(pl.col("unrealized_gain") != 0)
        .with_columns(days=days)
    )
    if turning.is_empty():
        return gate.empty(HarvestWaiting)
    turning = harvest.with_kinds(turning, scene.accounts, scene.facts, scene.settings)
    now, then = (harvest.worth_of_one(turning, chosen, scene.tonight, short=short) for short in (True, False))
    table = turning.with_columns(
        _dollars(pl.lit(now["net_benefit"]), "net_benefit_now"),
        _dollars(pl.lit(then["net_benefit"]), "net_benefit_then"),
        _dollars(pl.lit(now["net_benefit"] - then["net_benefit"]), "cost_of_waiting"),
        in_year=pl.col("long_term_from").dt.year() == scene.as_of.year,
    )
    return gate.conform(table, HarvestWaiting).sort("return_id", "account_id", "lot_id")


def _summary(scenario: str, figures: pl.DataFrame, holdings: pl.DataFrame, scene: _Scene) -> pl.DataFrame:
    """One row a return of the year, with the verdict and the figures behind it."""
    as_of = scene.as_of
    dollars = [
        _dollars(pl.col(name), name)
        for name in (*_WORTH, *(f"all_{name}" for name in _WORTH), "greedy_net_benefit", "gap")
    ]
    table = (
        scene.members.select("return_id")
        .unique()
        .join(_stock(holdings), on="return_id", how="left")
        .join(figures.with_columns(dollars), on="return_id", how="left")
        .join(_primary_zones(scene.members, scene.zones, as_of), on="return_id", how="left")
        .with_columns(
            pl.col("loss_available", "loss_harvested", "gain_harvested").fill_null(0).cast(CENTS),
            tax_saved_now=(pl.col("tax_before") - pl.col("tax_after") + pl.col("state_saved")).cast(CENTS),
            all_tax_saved_now=(pl.col("all_tax_before") - pl.col("all_tax_after") + pl.col("all_state_saved")).cast(
                CENTS
            ),
            everything_net_benefit=pl.col("all_net_benefit"),
            scenario=pl.lit(scenario),
            as_of=pl.lit(as_of),
            tax_year=pl.lit(as_of.year, pl.Int64),
            verdict=_verdict(scene.huge, as_of),
        )
        .with_columns(state_saved=pl.when("state_known").then("state_saved"))
        .sort("return_id")
    )
    rows = table.to_dicts()
    ends = [texts.deadline(as_of.year, row["time_zone"]) for row in rows]
    return gate.conform(
        table.with_columns(
            pl.Series("deadline", ends, INSTANT),
            pl.Series("explanation", [texts.explanation(row) for row in rows], pl.String),
        ),
        HarvestSummary,
    )


def _stock(holdings: pl.DataFrame) -> pl.DataFrame:
    """By return: loss_available (Cents), whether every lot is barred, whether one has no basis, what is held back."""
    for_sale = pl.col("why_not").is_null() & (pl.col("unrealized_gain") < 0)
    barred = (pl.col("why_not") == "entity") | pl.col("why_not").str.starts_with("account_")
    held_back = (
        holdings.filter(pl.col("why_not").is_not_null())
        .group_by("return_id", "why_not")
        .agg(pl.len())
        .sort("return_id", "why_not")
        .group_by("return_id", maintain_order=True)
        .agg(held_back=pl.format("{} ({})", "why_not", "len").str.join(", "))
    )
    return (
        holdings.group_by("return_id")
        .agg(
            loss_available=to_cents(-pl.col("unrealized_gain").filter(for_sale).sum()),
            any_for_sale=for_sale.any(),
            all_barred=barred.fill_null(value=False).all(),
            any_unknown=pl.col("why_not").str.starts_with("basis_").fill_null(value=False).any(),
        )
        .join(held_back, on="return_id", how="left")
    )


def _verdict(huge: list[str], as_of: date) -> pl.Expr:
    """The verdict's code; the first that applies."""
    saves = (
        pl.col("all_tax_before")
        - pl.col("all_tax_after")
        + pl.col("all_state_saved")
        + pl.col("all_carryforward_value")
    )
    plan = (pl.col("loss_harvested") > 0) | (pl.col("gain_harvested") > 0)
    return (
        pl.when(plan & (pl.col("loss_harvested") == 0)).then(pl.lit("harvest_gains"))
        .when(pl.col("all_barred")).then(pl.lit("entity_or_excluded"))
        .when(~pl.col("any_for_sale") & pl.col("any_unknown")).then(pl.lit("blocked_unknown_basis"))
        .when(~pl.col("any_for_sale").fill_null(value=False)).then(pl.lit("nothing_to_harvest"))
        .when(pl.lit(as_of.year not in YEARS)).then(pl.lit("law_year_missing"))
        .when(pl.col("return_id").is_in(huge)).then(pl.lit("out_of_range"))
        .when(pl.col("tax_before").is_null()).then(pl.lit("no_profile"))
        .when(plan).then(pl.lit("harvest"))
        .when(saves <= 0).then(pl.lit("worth_nothing"))
        .otherwise(pl.lit("harmful"))
    )  # fmt: skip


def _primary_zones(members: pl.DataFrame, zones: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """return_id, time_zone: that of the first person on the return, at the end of the year as known tonight."""
    return (
        members.join(zones.filter(pl.col("valid_from") <= date(as_of.year, 12, 31)), on="taxpayer_id")
        .sort("return_id", "role", "taxpayer_id", "valid_from")
        .group_by("return_id", maintain_order=True)
        .agg(pl.col("time_zone").filter(pl.col("taxpayer_id") == pl.col("taxpayer_id").first()).last())
    )


def _dollars(cents: pl.Expr, name: str) -> pl.Expr:
    """Whole cents as dollars."""
    return (cents.cast(pl.Decimal(38, 2)) * pl.lit(Decimal("0.01"), CENTS)).cast(CENTS).alias(name)
