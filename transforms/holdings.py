"""Holdings: what the open lots are worth tonight and which of them may be sold. Which to sell is not decided here."""

from __future__ import annotations

from datetime import date

import polars as pl

from schemas.fields import MONEY, QUANTITY
from schemas.gate import conform
from schemas.harvest import Holdings
from transforms.exact import to_money

VALUE_LIMIT = 10**9
"""Dollars: a lot worth or costing more is for a person (and sums of such lots stay far inside 64 bits)."""
SECURITY_CLASSES = ("tokenized_security", "trust_share")
"""Asset classes to which the wash sale rule applies today or may (IRC 1091; Instructions for Schedule D 2025)."""


def holdings(
    open_lots: pl.DataFrame,
    prices: pl.DataFrame,
    members: pl.DataFrame,
    accounts: pl.DataFrame,
    taxpayers: pl.DataFrame,
    as_of: date,
    max_price_age_days: int,
    facts: pl.DataFrame,
    kept_apart: pl.DataFrame,
) -> pl.DataFrame:
    """Every open lot at tonight's price, with the first reason why it may not be sold.

    The price is the last one dated `as_of` or before (a dated price counts for its whole day). Nobody else's lot is
    offered: only an individual's own, in a taxable account, with a basis that is known, at a fresh price.

    Args:
        open_lots: the table `open_lots`.
        prices: the table `prices`.
        members: return_id, tax_year, taxpayer_id; a taxpayer without a row files alone under the own id.
        accounts: account_id, treatment (taxable, ira, hsa, excluded).
        taxpayers: taxpayer_id, entity.
        as_of: tonight.
        max_price_age_days: an older price is not fresh.
        facts: asset, class: what each asset is; an asset without a row is a coin.
        kept_apart: taxpayer_id, asset held beside a derivative, loan or pledge (a straddle may defer the loss, IRC
            1092; pledged units are not free to sell).

    Returns:
        The table `holdings`, ordered by return, taxpayer, account, asset and lot.
    """
    returns = members.filter(pl.col("tax_year") == as_of.year).select("taxpayer_id", "return_id")
    joined = (
        open_lots.join(returns, on="taxpayer_id", how="left")
        .with_columns(return_id=pl.coalesce("return_id", "taxpayer_id"))
        .join(latest_prices(prices, as_of), on="asset", how="left")
        .join(accounts.select("account_id", "treatment"), on="account_id", how="left")
        .join(taxpayers.select("taxpayer_id", "entity"), on="taxpayer_id", how="left")
        .join(facts.select("asset", "class").unique("asset"), on="asset", how="left")
        .join(
            kept_apart.select("taxpayer_id", "asset").unique(), on=["taxpayer_id", "asset"], how="left", coalesce=False
        )
    )
    age = (pl.lit(as_of) - pl.col("priced_at").dt.date()).dt.total_days()
    judged = joined.with_columns(value=value_of(pl.col("quantity"), pl.col("price"))).with_columns(
        unrealized_gain=unrealized(),
        why_not=pl.when(pl.col("entity").fill_null("individual") != "individual").then(pl.lit("entity"))
        .when(pl.col("treatment").fill_null("taxable") != "taxable").then(pl.lit("account_") + pl.col("treatment"))
        .when(pl.col("location") != "account").then(pl.lit("location_") + pl.col("location"))
        .when(pl.col("basis_status").is_in(["unknown", "unallocated"])).then(pl.lit("basis_") + pl.col("basis_status"))
        .when(pl.col("basis").is_null()).then(pl.lit("basis_unknown"))
        .when(pl.col("taxpayer_id_right").is_not_null()).then(pl.lit("kept_apart"))
        .when(pl.col("class").is_in(SECURITY_CLASSES)).then(pl.lit("security_wash_sale"))
        .when(pl.col("price").is_null()).then(pl.lit("price_missing"))
        .when(age > max_price_age_days).then(pl.lit("price_stale"))
        .when(pl.col("value").is_null() | (pl.col("basis") >= VALUE_LIMIT)).then(pl.lit("value_out_of_range")),
    )  # fmt: skip
    long_from = pl.when(pl.col("unrealized_gain") < 0).then("loss_long_term_from").otherwise("long_term_from")
    dated = judged.with_columns(long_term_from=long_from).with_columns(
        term=pl.when(pl.lit(as_of) >= pl.col("long_term_from")).then(pl.lit("long")).otherwise(pl.lit("short"))
    )
    return conform(dated, Holdings).sort("return_id", "taxpayer_id", "account_id", "asset", "lot_id", "why_not")


def latest_prices(prices: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """asset, price, priced_at: the last price of each asset on or before `as_of` (UTC days, as price rows are dated)."""
    return (
        prices.filter(pl.col("priced_at").dt.date() <= as_of)
        .sort("priced_at", "source")
        .group_by("asset", maintain_order=True)
        .agg(price=pl.col("usd").last().cast(QUANTITY), priced_at=pl.col("priced_at").last())
    )


def value_of(quantity: pl.Expr, price: pl.Expr) -> pl.Expr:
    """Quantity x price in money; null where the product is out of range (a spam token's made-up price)."""
    bound = (quantity.cast(pl.Int128) + 1) * (price.cast(pl.Int128) + 1)
    product = pl.when(bound < VALUE_LIMIT).then(quantity) * price
    return to_money(product).cast(MONEY)


def unrealized() -> pl.Expr:
    """By `value`, `basis` and `loss_basis`: value less the basis for gain if that is a gain, less the basis for loss if that is a loss, else nothing.

    IRC 1015(a): the two differ for a gift worth less than the donor's basis when given; between them no loss.
    """
    over = pl.col("value") - pl.col("basis")
    under = pl.col("value") - pl.coalesce("loss_basis", "basis")
    nothing = pl.when(over.is_not_null()).then(pl.lit(0, MONEY))
    return pl.when(over > 0).then(over).when(under < 0).then(under).otherwise(nothing).cast(MONEY)
