"""Advice: the tables `harvest_recommendations` and `harvest_summary` from what `harvest` chose. No choice is made here."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import polars as pl

from schemas import gate
from schemas.fields import CENTS, INSTANT, MONEY
from schemas.harvest import HarvestRecommendations, HarvestSummary
from schemas.inputs import FirmSettings
from transforms import advice_texts as texts
from transforms import harvest
from transforms.exact import from_ints, to_cents
from transforms.holdings import VALUE_LIMIT
from transforms.ids import digest
from transforms.law.parameters import YEARS
from transforms.law.wash_sale_rules import in_force, lawful_classes
from transforms.valuation import Worth

SCENARIO = "best"
RETURN_LIMIT = 10 * VALUE_LIMIT
"""Dollars up for sale, or of income a year, beyond which a return is for a person: a price or a cell must be wrong."""
VALUED = ("discount_rate", "horizon_years", "holding_years", "platforms")
"""Assumptions that move the figures: one left to its default lowers the confidence."""
UNMATCHED = ("unmatched_deposit", "unmatched_withdrawal", "ambiguous_transfer")

_WORTH = [field.name for field in fields(Worth)]
_MARGINAL = ("regular_saved", "amt_saved", "niit_saved", "carryforward_value", "later_tax_cost", "trading_cost")
_SUMMED = (*_MARGINAL, "net_benefit")


class Advice(NamedTuple):
    """The tables `harvest_recommendations` and `harvest_summary`."""

    recommendations: pl.DataFrame
    summary: pl.DataFrame


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
) -> Advice:
    """The loss lots whose sale tonight leaves each return best off, and one verdict a return (scenario `best`).

    Args:
        holdings: the table `holdings`.
        returns: the returns of the year that have a profile: return_id and the tax kernel's inputs in int64 cents, this
            year's realized gains and the carry-ins in them; the others get the verdict `no_profile`.
        expectations: return_id, expected_ordinary_income, expected_annual_gains (dollars; null: this year's ordinary
            income; no gains).
        members: return_id, tax_year, taxpayer_id, role; every return of the as-of year has rows.
        accounts: account_id, platform, custody.
        facts: asset, collectible, indivisible; an asset without a row is neither.
        zones: taxpayer_id, valid_from, time_zone.
        review_items: the table `review_items`; what is open there lowers the confidence.
        settings: the firm's assumptions and platform costs.
        as_of: tonight; its year is the tax year.
    """
    huge = _out_of_range(holdings, returns, expectations)
    sane = returns.filter(~pl.col("return_id").is_in(huge) & pl.lit(as_of.year in YEARS))
    tonight = harvest.tonight_of(sane, expectations, settings)
    lots = harvest.loss_lots(holdings, tonight, accounts, facts)
    chosen = harvest.worth(harvest.choose(lots, tonight), tonight)
    every = harvest.worth(harvest.everything(lots), tonight)
    members = members.filter(pl.col("tax_year") == as_of.year)
    return Advice(
        _recommendations(chosen, holdings, expectations, review_items, settings, as_of),
        _summary(_figures(chosen, every, tonight), holdings, huge, members, zones, as_of),
    )


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


def _figures(chosen: pl.DataFrame, every: pl.DataFrame, tonight: harvest.Tonight) -> pl.DataFrame:
    """A row a return with a profile: the worth of the plan (of selling nothing where there is none) and of selling all.

    Columns of `Worth` in cents, `loss_harvested`, and `all_*` in cents (null where there is no loss lot).
    """
    last = chosen.group_by("row", maintain_order=True).last()
    columns = ["row", *harvest.SUMS]
    idle = pl.DataFrame({name: np.zeros(len(tonight.return_ids), np.int64) for name in columns}).with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), pl.exclude("row").cast(pl.Int128)
    )
    nothing = harvest.worth(idle.join(last, on="row", how="anti"), tonight)
    plan = pl.concat([frame.select(*columns, *_WORTH) for frame in (last, nothing)])
    of_all = every.group_by("row", maintain_order=True).last()
    ids = pl.DataFrame({"return_id": tonight.return_ids}, schema={"return_id": pl.String}).with_row_index("row")
    return (
        ids.with_columns(pl.col("row").cast(pl.Int64))
        .join(plan.with_columns(_loss()), on="row")
        .join(of_all.select("row", pl.col(_WORTH).name.prefix("all_")), on="row", how="left")
    )


def _loss() -> pl.Expr:
    """The loss of the sums, micro-dollars to cents (never negative)."""
    micros = pl.col("short") + pl.col("long")
    return _dollars((2 * micros + 10**4) // (2 * 10**4), "loss_harvested")


def _recommendations(
    chosen: pl.DataFrame,
    holdings: pl.DataFrame,
    expectations: pl.DataFrame,
    review_items: pl.DataFrame,
    settings: FirmSettings,
    as_of: date,
) -> pl.DataFrame:
    """The chosen lots with their marginal values: each set's worth less that of the set without its last lot."""
    if chosen.is_empty():
        return gate.empty(HarvestRecommendations)
    marginal = chosen.with_columns(
        _dollars(pl.col(name) - pl.col(name).shift(1, fill_value=0).over("row"), name) for name in _SUMMED
    )
    unrealized = chosen.select((pl.col("proceeds") - pl.col("loss_basis")).alias("unrealized_gain")).to_series()
    table = marginal.with_columns(
        from_ints("proceeds", chosen["proceeds"], MONEY),
        from_ints("basis", chosen["loss_basis"], MONEY),
        from_ints("unrealized_gain", unrealized, MONEY),
        quantity=pl.col("sold"),
        as_of=pl.lit(as_of),
        rank=pl.col("position").cast(pl.Int64),
        action=pl.lit("sell"),
        scenario=pl.lit(SCENARIO),
        tax_saved_now=(pl.col("regular_saved") + pl.col("amt_saved") + pl.col("niit_saved")).cast(CENTS),
        confidence=_confidence(chosen, holdings, expectations, review_items, settings, as_of),
    )
    rows = table.to_dicts()
    ids = [(SCENARIO, row["return_id"], str(as_of.year), row["lot_id"], row["account_id"]) for row in rows]
    written = table.with_columns(
        pl.Series("recommendation_id", [digest("rec_", "\x1f".join(key)) for key in ids], pl.String),
        pl.Series("lot_identification", [texts.lot_identification(row, as_of.year) for row in rows], pl.String),
        pl.Series("record_before", [texts.record_before(row, as_of.year) for row in rows], pl.String),
        pl.Series("reason", [texts.reason(row) for row in rows], pl.String),
        rebuy_not_before=pl.lit(
            texts.rebuy_not_before(
                settings.min_rebuy_hours,
                wash_sale_law="coin" in lawful_classes(in_force(settings.wash_sales), as_of),
            )
        ),
    )
    return gate.conform(written, HarvestRecommendations).sort("return_id", "rank")


def _confidence(
    chosen: pl.DataFrame,
    holdings: pl.DataFrame,
    expectations: pl.DataFrame,
    review_items: pl.DataFrame,
    settings: FirmSettings,
    as_of: date,
) -> pl.Series:
    """High; medium on a price older than a day or a default in the figures; low where the books have open questions."""
    items = review_items.filter(pl.col("state").is_in(["open", "answered"]))  # an answer is not yet in the books
    blocked = items.filter(pl.col("severity") == "blocking")["taxpayer_id"].drop_nulls()
    doubtful = pl.concat(
        [
            items.filter(pl.col("question").is_in(UNMATCHED)).select("taxpayer_id", "asset"),
            holdings.filter(
                (pl.col("basis_status") != "known")
                | pl.col("why_not").str.starts_with("location_").fill_null(value=False)
            ).select("taxpayer_id", "asset"),
        ]
    ).unique()
    stated = expectations.drop_nulls(["expected_ordinary_income", "expected_annual_gains"])["return_id"]
    old_price = (pl.lit(as_of) - pl.col("priced_at").dt.date()).dt.total_days() > 1
    assumed = pl.lit(any(name in VALUED for name in settings.assumed)) | ~pl.col("return_id").is_in(stated.implode())
    return (
        chosen.join(
            doubtful.with_columns(doubt=pl.lit(True)),
            on=["taxpayer_id", "asset"],
            how="left",
            maintain_order="left",
        )
        .select(
            confidence=pl.when(pl.col("doubt") | pl.col("taxpayer_id").is_in(blocked.implode()))
            .then(pl.lit("low"))
            .when(old_price | assumed)
            .then(pl.lit("medium"))
            .otherwise(pl.lit("high"))
        )
        .to_series()
    )


def _summary(
    figures: pl.DataFrame,
    holdings: pl.DataFrame,
    huge: list[str],
    members: pl.DataFrame,
    zones: pl.DataFrame,
    as_of: date,
) -> pl.DataFrame:
    """One row a return of the year, with the verdict and the figures behind it."""
    dollars = [_dollars(pl.col(name), name) for name in (*_WORTH, *(f"all_{name}" for name in _WORTH))]
    table = (
        members.select("return_id")
        .unique()
        .join(_stock(holdings), on="return_id", how="left")
        .join(figures.with_columns(dollars), on="return_id", how="left")
        .join(_primary_zones(members, zones, as_of), on="return_id", how="left")
        .with_columns(
            pl.col("loss_available", "loss_harvested").fill_null(0).cast(CENTS),
            tax_saved_now=(pl.col("tax_before") - pl.col("tax_after")).cast(CENTS),
            all_tax_saved_now=(pl.col("all_tax_before") - pl.col("all_tax_after")).cast(CENTS),
            scenario=pl.lit(SCENARIO),
            as_of=pl.lit(as_of),
            tax_year=pl.lit(as_of.year, pl.Int64),
            verdict=_verdict(huge, as_of),
        )
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
    saves = pl.col("all_tax_before") - pl.col("all_tax_after") + pl.col("all_carryforward_value")
    return (
        pl.when(pl.col("all_barred")).then(pl.lit("entity_or_excluded"))
        .when(~pl.col("any_for_sale") & pl.col("any_unknown")).then(pl.lit("blocked_unknown_basis"))
        .when(~pl.col("any_for_sale").fill_null(value=False)).then(pl.lit("nothing_to_harvest"))
        .when(pl.lit(as_of.year not in YEARS)).then(pl.lit("law_year_missing"))
        .when(pl.col("return_id").is_in(huge)).then(pl.lit("out_of_range"))
        .when(pl.col("tax_before").is_null()).then(pl.lit("no_profile"))
        .when(pl.col("loss_harvested") > 0).then(pl.lit("harvest"))
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
