"""Which choice of lots is in force: the method at each exit, an allocation made in time. No lot is picked here."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import polars as pl

from schemas.clients import Stands
from schemas.fields import MONEY
from schemas.gate import empty
from transforms.holding import with_tax_date, with_time_zone
from transforms.stands import stand

WALLET_YEAR = 2025
"""From 2025-01-01 lots are kept wallet by wallet and identified before the sale (Reg. 1.1012-1(j))."""
BROKER_YEAR = 2027
"""From 2027-01-01 a broker must have been told (Reg. 1.1012-1(j)(3)(ii); relief of Notice 2026-20 ends)."""
DEFAULT_METHOD = "fifo"
NO_STANDS = empty(Stands)
RULE_DAY = date(2025, 1, 1)
"""The rule of a global allocation must be in the books before this day (Rev. Proc. 2024-28 s. 5.02(5))."""
DUE_DAY = date(2026, 10, 15)
"""The due date of the 2025 return with its extension (s. 5.02(4)(a), (5)(b)); disaster relief is not known here."""


class Methods(NamedTuple):
    """The exits with their method, and what it leaves open."""

    exits: pl.DataFrame
    """The frame given, with `lot_method`; row order kept."""
    told: pl.Series
    """By row of `exits`: the method that its broker was told before it (null: none, or no US broker's account)."""
    clashes: pl.DataFrame
    """See ASKED: exits at a US broker that was told another method than the books say."""
    custody_unknown: pl.DataFrame
    """See ASKED: exits from accounts of unknown custody that another custody would give another method."""
    missing: pl.DataFrame
    """taxpayer_id, tax_year, exits: years before 2025 for which no filed method is on record (FIFO was taken)."""


ASKED = ("taxpayer_id", "account_id", "asset", "tax_year")
"""What a question on methods is about; with it comes `dollars_at_stake`, the amounts of the exits."""


def method_at(
    exits: pl.DataFrame,
    lot_orders: pl.DataFrame,
    filed_methods: pl.DataFrame,
    accounts: pl.DataFrame,
    positions: pl.DataFrame = NO_STANDS,
) -> Methods:
    """The method in force at each exit (a disposal, or units that leave their wallet): the table of tax rules 2.7.

    Before 2025 the method as filed for the year, else FIFO. From 2025 the standing order with the latest `recorded_at`
    among those that match the wallet (accounts that are one wallet count as one) and asset (empty matches all), were
    recorded before the exit and are effective by then: an order typed later and dated back chooses nothing (Reg.
    1.1012-1(j)(2)-(3)). Orders recorded at one instant: the one for an account beats the one for an asset beats the
    one for all, then the later `effective_from`, then the method's name. Else FIFO. At a US broker, in addition:

    - through 2026 the books suffice (Notices 2025-7, 2026-20), but what the broker was told before the exit governs
      over them (s. 4.05); where the two differ the exit is in `clashes`;
    - from 2027 only what the broker was told before the exit counts (Reg. 1.1012-1(j)(3)(ii));
    - the only method that a broker offers is a standing order where no other is in force (ibid.; Notice 2025-7 s. 4.03).

    An account whose custody is unknown is held to the broker's rules. Years are tax years: the sale's date on the
    taxpayer's own clock decides, as it does for the wallet rule, the term and the form (tax rules 1.3; no text fixes a
    clock for the end of the relief); a sale within 14 hours of a year's end is flagged with the events.

    Own transfers (and withdrawals that nothing matches) follow the order too, or FIFO in the wallet where the stand
    `own_transfer` is `fifo`: whether Reg. 1.1012-1(j) speaks of them is unsettled. The stand acts from 2025, when the
    rule begins; before, units moved as filed.

    Args:
        exits: taxpayer_id, account_id, wallet, asset, movement, occurred_at, tax_year, amount; `receiver` where units go
            to another taxpayer: a transfer to a spouse is no own move (Rev. Proc. 2024-28 s. 3.11).
        lot_orders: taxpayer_id, account_id, asset, method, recorded_at, effective_from, communicated_to_broker_at.
        filed_methods: taxpayer_id, tax_year, method.
        accounts: account_id, wallet (null: the account itself), custody, only_method.
        positions: taxpayer_id (null: the firm), from_year, topic, choice.
    """
    at_broker = pl.col("_custody").fill_null("us_broker") == "us_broker"
    rows = _placed(exits, accounts, positions)
    ruled = _ruled(rows, lot_orders, accounts, at_broker)
    unsure = rows.filter(pl.col("_custody").is_null())
    elsewhere = _ruled(unsure, lot_orders, accounts, pl.lit(value=False)).select("_row", _other="_method")
    filed = filed_methods.select("taxpayer_id", "tax_year", _filed="method").unique(
        ["taxpayer_id", "tax_year"], keep="last", maintain_order=True
    )
    early = pl.col("tax_year") < WALLET_YEAR
    known = (
        ruled.join(elsewhere, on="_row", how="left", maintain_order="left")
        .join(filed, on=["taxpayer_id", "tax_year"], how="left", maintain_order="left")
        .with_columns(lot_method=pl.when(early).then("_filed").otherwise("_method").fill_null(DEFAULT_METHOD))
    )
    missing = (
        known.filter(early & pl.col("_filed").is_null())
        .group_by("taxpayer_id", "tax_year")
        .agg(exits=pl.len())
        .sort("taxpayer_id", "tax_year")
    )
    return Methods(
        known.select(*[name for name in exits.columns if name != "lot_method"], "lot_method"),
        known["_told"].alias("told"),
        _summed(known.filter("_clash")),
        _summed(known.filter(~early & (pl.col("_other") != pl.col("_method")).fill_null(value=False))),
        missing,
    )


def _summed(exits: pl.DataFrame) -> pl.DataFrame:
    amounts = pl.col("amount").abs()
    stake = pl.when(amounts.count() > 0).then(amounts.sum()).cast(MONEY, strict=False)
    return exits.group_by(ASKED).agg(dollars_at_stake=stake).sort(ASKED)


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


def _placed(exits: pl.DataFrame, accounts: pl.DataFrame, positions: pl.DataFrame) -> pl.DataFrame:
    """The exits with `_row`, `_wallet`, `_custody`, `_only` and whether a stand takes them FIFO (`_moves_fifo`)."""
    facts = accounts.select("account_id", _custody="custody", _only="only_method")
    rows = exits.with_row_index("_row").join(facts, on="account_id", how="left", maintain_order="left")
    held = stand(rows.with_columns(topic=pl.lit("own_transfer")), positions)
    own = (
        pl.coalesce("receiver", "taxpayer_id") == pl.col("taxpayer_id") if "receiver" in rows.columns else pl.lit(True)
    )
    moves = pl.col("movement").is_in(("depart", "outside")) & own & (pl.col("choice") == "fifo")
    return held.with_columns(
        _wallet=pl.coalesce("wallet", "account_id"), _moves_fifo=moves.fill_null(value=False)
    ).drop("topic", "choice")


def _ruled(rows: pl.DataFrame, lot_orders: pl.DataFrame, accounts: pl.DataFrame, at_broker: pl.Expr) -> pl.DataFrame:
    """The rows with the method that the rules since 2025 give (`_method`), what the broker was told, and `_clash`."""
    ordered = _standing(rows.filter(~pl.col("_moves_fifo")), lot_orders, accounts, at_broker)
    only = pl.when(at_broker & ~pl.col("_moves_fifo")).then("_only")
    return rows.join(ordered, on="_row", how="left", maintain_order="left").with_columns(
        pl.col("_clash").fill_null(value=False),
        _method=pl.coalesce("_ordered", only, pl.lit(DEFAULT_METHOD)),
    )


def _standing(rows: pl.DataFrame, lot_orders: pl.DataFrame, accounts: pl.DataFrame, at_broker: pl.Expr) -> pl.DataFrame:
    """`_row`, `_ordered`, `_told` and `_clash` of the exits that a standing order reaches."""
    wallets = accounts.select(_account="account_id", _of=pl.coalesce("wallet", "account_id"))
    orders = lot_orders.select(
        "taxpayer_id",
        _account=_given("account_id"),
        _asset=_given("asset"),
        _ordered="method",
        _recorded="recorded_at",
        _effective=pl.coalesce("effective_from", "recorded_at"),
        _said="communicated_to_broker_at",
    ).join(wallets, on="_account", how="left")
    candidates = (
        rows.filter(pl.col("tax_year") >= WALLET_YEAR)
        .select("_row", "taxpayer_id", "_wallet", "_custody", "asset", "occurred_at", "tax_year")
        .join(orders, on="taxpayer_id", how="inner")
    )
    matches = (pl.col("_account").is_null() | (pl.coalesce("_of", "_account") == pl.col("_wallet"))) & (
        pl.col("_asset").is_null() | (pl.col("_asset") == pl.col("asset"))
    )
    timely = (pl.col("_recorded") < pl.col("occurred_at")) & (pl.col("_effective") <= pl.col("occurred_at"))
    governs = (at_broker & (pl.col("_said") < pl.col("occurred_at"))).fill_null(value=False)
    counts = ~at_broker | (pl.col("tax_year") < BROKER_YEAR) | pl.col("_governs")
    specific = pl.col("_account").is_not_null().cast(pl.Int8) * 2 + pl.col("_asset").is_not_null().cast(pl.Int8)
    told, books = (pl.col("_ordered").filter(which).last() for which in (pl.col("_governs"), ~pl.col("_governs")))
    return (
        candidates.with_columns(_specific=specific, _governs=governs)
        .filter(matches & timely & counts)
        .sort("_row", "_governs", "_recorded", "_specific", "_effective", "_ordered")
        .group_by("_row", maintain_order=True)
        .agg(pl.col("_ordered").last(), _told=told, _clash=(told != books).fill_null(value=False))
    )


def _given(column: str) -> pl.Expr:
    """A cell that says something: empty text counts as absent."""
    return pl.when(pl.col(column) != "").then(pl.col(column))
