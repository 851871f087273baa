"""Ordinary income from receipts of coins, and what of it enters a return. Basis and lots come from the movements."""

from __future__ import annotations

import polars as pl

from schemas.fields import CENTS, FIAT, INCOME_KINDS
from schemas.gate import conform
from schemas.tax import Income
from transforms.exact import to_cents
from transforms.stands import stand

WAGES = "W-2"
"""Coins on a W-2 are in the profile's wages already (tax rules 2.3): counted there, never here."""
BUSINESS = "Schedule C"
"""Receipts of a business, with self-employment tax (Notice 2014-21 A-9, A-10) and outside net investment income."""
_SCHEDULE = {"wages": WAGES}
_DEFAULT_SCHEDULE = "Schedule 1 line 8v"  # Instructions Form 1040 (2025)


def income(events: pl.DataFrame, facts: pl.DataFrame, members: pl.DataFrame, positions: pl.DataFrame) -> pl.DataFrame:
    """Income rows: fair value at dominion and control (Notice 2014-21 A-3, A-8; Rev. Rul. 2019-24, 2023-14).

    Args:
        events: Events, valued.
        facts: account_id, taxable (the account's results belong on an individual's return).
        members: return_id, tax_year, taxpayer_id.
        positions: taxpayer_id, from_year, topic, choice. Topic `<kind>_nii` with choice `no` keeps a kind out of net
            investment income, `<kind>_business` with `yes` makes it a business's (wages: of who is no employee).
            Unsettled law: what the activity is decides; the default is investment, no business.
    """
    rows = (
        events.filter(pl.col("kind").is_in(INCOME_KINDS) & pl.col("received_asset").is_not_null())
        .join(members.select("taxpayer_id", "tax_year", "return_id"), on=["taxpayer_id", "tax_year"], how="left")
        .join(facts.select("account_id", "taxable"), on="account_id", how="left")
    )
    nii, business = (pl.concat_str("kind", pl.lit(topic)) for topic in ("_nii", "_business"))
    asked = stand(rows.with_columns(topic=nii), positions).rename({"choice": "nii"})
    stands = stand(asked.with_columns(topic=business), positions)
    cash = (pl.col("kind") == "interest") & pl.col("received_asset").is_in(FIAT)
    trade = (pl.col("choice") == "yes").fill_null(value=False) & ~cash
    typed = stands.with_columns(
        income_kind="kind",
        asset="received_asset",
        quantity="received_quantity",
        received_at="occurred_at",
        date_received="tax_date",
        schedule=pl.when(cash)
        .then(pl.lit("Form 1040 line 2b"))
        .when(trade)
        .then(pl.lit(BUSINESS))
        .otherwise(pl.col("kind").replace_strict(_SCHEDULE, default=_DEFAULT_SCHEDULE, return_dtype=pl.String)),
        in_nii=(pl.col("kind") != "wages") & ~trade & (pl.col("nii").fill_null("yes") != "no"),
        on_return=pl.col("taxable").fill_null(value=False),
        return_id=pl.coalesce("return_id", "taxpayer_id"),
    )
    return conform(typed, Income).sort("event_id")


def by_return(rows: pl.DataFrame) -> pl.DataFrame:
    """What enters a return beside the profile: return_id, tax_year, ordinary, nii, in cents (a W-2's coins are in it)."""
    counted = rows.filter(pl.col("on_return") & (pl.col("schedule") != WAGES) & pl.col("usd_value").is_not_null())
    cents = to_cents(pl.col("usd_value"))
    return (
        counted.with_columns(ordinary=cents, nii=pl.when("in_nii").then(cents).otherwise(pl.lit(0).cast(CENTS)))
        .group_by("return_id", "tax_year")
        .agg(pl.col("ordinary", "nii").sum().cast(CENTS))
        .sort("return_id", "tax_year")
    )
