"""Which choice of lots is in force: the method at each exit, an allocation made in time. No lot is picked here."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import polars as pl

from transforms.holding import with_tax_date, with_time_zone

WALLET_YEAR = 2025
"""From 2025-01-01 lots are kept wallet by wallet and identified before the sale (Reg. 1.1012-1(j))."""
BROKER_YEAR = 2027
"""From 2027-01-01 a broker must have been told (Reg. 1.1012-1(j)(3)(ii); relief of Notice 2026-20 ends)."""
DEFAULT_METHOD = "fifo"
RULE_DAY = date(2025, 1, 1)
"""The rule of a global allocation must be in the books before this day (Rev. Proc. 2024-28 s. 5.02(5))."""
DUE_DAY = date(2026, 10, 15)
"""The due date of the 2025 return with its extension (s. 5.02(4)(a), (5)(b)); disaster relief is not known here."""


class Methods(NamedTuple):
    """The exits with their method, and what was not on record."""

    exits: pl.DataFrame
    """The frame given, with `lot_method`; row order kept."""
    clashes: pl.DataFrame
    """taxpayer_id, account_id, asset, tax_year: exits at a US broker that was told another method than the books say."""
    missing: pl.DataFrame
    """taxpayer_id, tax_year, exits: years before 2025 for which no filed method is on record (FIFO was taken)."""


def method_at(
    exits: pl.DataFrame, lot_orders: pl.DataFrame, filed_methods: pl.DataFrame, accounts: pl.DataFrame
) -> Methods:
    """The method in force at each exit (a disposal, or units that leave their wallet).

    Before 2025 the method as filed for the year, else FIFO. From 2025 the standing order with the latest `recorded_at`
    among those that match account and asset (empty matches all), were recorded before the exit and are effective by
    then (Reg. 1.1012-1(j)(2)-(3); Notices 2025-7, 2026-20); at a US broker from 2027 it must also have reached the
    broker before the exit, and an account whose custody is unknown is held to the same. Else FIFO. Orders recorded at
    the same instant: the one for an account beats the one for an asset beats the one for all, then the later
    `effective_from`, then the method's name. What a US broker was told before the sale governs over the books (Notice
    2025-7 s. 4.05); where the two differ the exit comes back in `clashes`.

    Args:
        exits: taxpayer_id, account_id, asset, occurred_at, tax_year.
        lot_orders: taxpayer_id, account_id, asset, method, recorded_at, effective_from, communicated_to_broker_at.
        filed_methods: taxpayer_id, tax_year, method.
        accounts: account_id, custody.
    """
    rows = exits.with_row_index("_row")
    ordered = _standing(rows, lot_orders, accounts)
    filed = filed_methods.select("taxpayer_id", "tax_year", _filed="method").unique(
        ["taxpayer_id", "tax_year"], keep="last", maintain_order=True
    )
    known = rows.join(filed, on=["taxpayer_id", "tax_year"], how="left", maintain_order="left").join(
        ordered, on="_row", how="left", maintain_order="left"
    )
    early = pl.col("tax_year") < WALLET_YEAR
    method = pl.when(early).then("_filed").otherwise("_ordered").fill_null(DEFAULT_METHOD)
    missing = (
        known.filter(early & pl.col("_filed").is_null())
        .group_by("taxpayer_id", "tax_year")
        .agg(exits=pl.len())
        .sort("taxpayer_id", "tax_year")
    )
    clashes = known.filter(pl.col("_clash").fill_null(value=False))
    exits = known.with_columns(lot_method=method).drop("_row", "_filed", "_ordered", "_clash")
    return Methods(exits, clashes.select("taxpayer_id", "account_id", "asset", "tax_year").unique(), missing)


def out_of_time(allocations: pl.DataFrame, disposals: pl.DataFrame, zones: pl.DataFrame) -> pl.DataFrame:
    """Allocations of unused basis that were not made in time, and why (Rev. Proc. 2024-28 s. 5.02(4), (5)).

    A specific one must be complete before the earlier of the first sale, disposition or transfer since 2025 and the
    day the 2025 return is due; a global one needs its rule in the books before 2025-01-01 and must be complete before
    the later of the two. One row out of time spoils the allocation of the asset. Days are the taxpayer's (s. 3.10).

    Args:
        allocations: taxpayer_id, asset, kind, rule_recorded_at, completed_at.
        disposals: taxpayer_id, asset, occurred_at, tax_year; own moves are no transfers (s. 3.11).
        zones: taxpayer_id, valid_from, time_zone; a taxpayer without a row keeps UTC.

    Returns:
        taxpayer_id, asset, reason.
    """
    keys = ["taxpayer_id", "asset"]
    since = disposals.filter(pl.col("tax_year") >= WALLET_YEAR)
    dated = allocations.join(since.group_by(keys).agg(first=pl.col("occurred_at").min()), on=keys, how="left")
    for stamp in ("rule_recorded_at", "completed_at"):
        dated = with_tax_date(with_time_zone(dated, zones, stamp), stamp, name=f"{stamp}_day").drop("time_zone")
    before_sale = (pl.col("completed_at") < pl.col("first")).fill_null(value=True)
    before_due = pl.col("completed_at_day") < DUE_DAY
    specific = pl.col("kind") == "specific"
    reason = (
        pl.when(pl.col("completed_at").is_null()).then(pl.lit("the allocation has no completed_at"))
        .when(specific & ~before_sale).then(pl.lit("the allocation was completed after the first sale since 2025"))
        .when(specific & ~before_due).then(pl.lit("the allocation was completed after the 2025 return was due"))
        .when(specific).then(None)
        .when(pl.col("rule_recorded_at").is_null()).then(pl.lit("the global allocation has no rule_recorded_at"))
        .when(pl.col("rule_recorded_at_day") >= RULE_DAY).then(pl.lit("the global rule was not recorded before 2025"))
        .when(~before_sale & ~before_due).then(pl.lit("the global allocation was completed after both its dates"))
    )  # fmt: skip
    late = dated.with_columns(reason=reason).filter(pl.col("reason").is_not_null())
    return late.group_by(keys).agg(pl.col("reason").min()).sort(keys)


def _standing(rows: pl.DataFrame, lot_orders: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """`_row`, `_ordered` and `_clash` of the exits that a standing order reaches."""
    orders = lot_orders.select(
        "taxpayer_id",
        _account=_given("account_id"),
        _asset=_given("asset"),
        _ordered="method",
        _recorded="recorded_at",
        _effective=pl.coalesce("effective_from", "recorded_at"),
        _told="communicated_to_broker_at",
    )
    candidates = (
        rows.filter(pl.col("tax_year") >= WALLET_YEAR)
        .select("_row", "taxpayer_id", "account_id", "asset", "occurred_at", "tax_year")
        .join(accounts.select("account_id", "custody"), on="account_id", how="left")
        .join(orders, on="taxpayer_id", how="inner")
    )
    matches = (pl.col("_account").is_null() | (pl.col("_account") == pl.col("account_id"))) & (
        pl.col("_asset").is_null() | (pl.col("_asset") == pl.col("asset"))
    )
    timely = (pl.col("_recorded") < pl.col("occurred_at")) & (pl.col("_effective") <= pl.col("occurred_at"))
    by_broker = (pl.col("custody").fill_null("us_broker") == "us_broker") & (pl.col("tax_year") >= BROKER_YEAR)
    told = ~by_broker | (pl.col("_told") < pl.col("occurred_at")).fill_null(value=False)
    specific = pl.col("_account").is_not_null().cast(pl.Int8) * 2 + pl.col("_asset").is_not_null().cast(pl.Int8)
    governs = ((pl.col("custody") == "us_broker") & (pl.col("_told") < pl.col("occurred_at"))).fill_null(value=False)
    last = [pl.col("_ordered").filter(which).last() for which in (pl.col("_governs"), ~pl.col("_governs"))]
    return (
        candidates.filter(matches & timely & told)
        .with_columns(_specific=specific, _governs=governs)
        .sort("_row", "_governs", "_recorded", "_specific", "_effective", "_ordered")
        .group_by("_row", maintain_order=True)
        .agg(pl.col("_ordered").last(), _clash=(last[0] != last[1]).fill_null(value=False))
    )


def _given(column: str) -> pl.Expr:
    """A cell that says something: empty text counts as absent."""
    return pl.when(pl.col(column) != "").then(pl.col(column))
