"""Losses on sales that a spouse mirrors on the market the same day (IRC 267). Moves between spouses are no sales (1041)."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from schemas.fields import MONEY, QUANTITY, UNTAXED
from transforms.exact import part_of
from transforms.stands import stand
from transforms.wash_sales import purchases

TOPIC = "market_crossing"


class Crossed(NamedTuple):
    """The gains with what the firm disallows, and what was found."""

    gains: pl.DataFrame
    """schemas.tax.Gains."""
    found: pl.DataFrame
    """taxpayer_id, account_id, asset, tax_year, event_id, spouse_id, date_sold, quantity (mirrored), loss (of it), choice."""


def crossings(
    gains: pl.DataFrame, lots: pl.DataFrame, conversions: pl.DataFrame, couples: pl.DataFrame, stands: pl.DataFrame
) -> Crossed:
    """Losses of units that the spouse bought on the day of the sale, on both their calendars.

    A sale by one spouse and a purchase by the other, on a market and by arrangement, is an indirect sale between them:
    no loss (IRC 267(a)(1), (c)(4); McWilliams v. Commissioner, 331 U.S. 694 (1947)). Whether it was arranged no file
    tells, so that position `market_crossing` decides: `allow` (the default) leaves the loss and asks, `disallow` takes
    it with code L. Units are mirrored one for one, in the order of the sales. What a wash sale has taken from is left
    out. The buyer's relief on a later gain (IRC 267(d)) is not computed.

    Args:
        gains: schemas.tax.Gains.
        lots: schemas.tax.Lots.
        conversions: to_lot_id: lots that came of another lot were not bought.
        couples: taxpayer_id, spouse_id, tax_year.
        stands: taxpayer_id, from_year, topic, choice.
    """
    key = ["spouse_id", "asset", "date_sold"]
    bought = (
        purchases(lots, conversions)
        .join(couples.select("spouse_id").unique(), left_on="taxpayer_id", right_on="spouse_id", how="semi")
        .group_by(spouse_id="taxpayer_id", asset="asset", date_sold="date_acquired")
        .agg(bought=pl.col("quantity").sum().cast(QUANTITY))
    )
    lossy = pl.col("on_return") & (pl.col("gain") < 0) & (pl.col("disallowed") == 0)
    numbered = gains.with_row_index("row")
    mirrored = (
        numbered.filter(lossy & ~pl.col("disposal_kind").is_in(UNTAXED))
        .join(couples, on=["taxpayer_id", "tax_year"])
        .join(bought, on=key)
        .sort("disposed_at", "disposal_id", "lot_id")
        .with_columns(before=(pl.col("quantity").cum_sum() - pl.col("quantity")).over("taxpayer_id", *key))
        .with_columns(mirrored=pl.min_horizontal("quantity", pl.col("bought") - pl.col("before")).cast(QUANTITY))
        .filter(pl.col("mirrored") > 0)
    )
    if mirrored.is_empty():
        return Crossed(gains, _found(mirrored.with_columns(loss=pl.lit(0, MONEY), choice=pl.lit(""))))
    judged = stand(mirrored.with_columns(topic=pl.lit(TOPIC)), stands).with_columns(
        loss=part_of(-pl.col("gain"), pl.col("mirrored"), pl.col("quantity")),
        choice=pl.col("choice").fill_null("allow"),
    )
    taken = judged.filter(choice="disallow").select("row", taken="loss")
    told = numbered.join(taken, on="row", how="left", maintain_order="left").with_columns(
        disallowed=pl.coalesce("taken", "disallowed"),
        disallowed_code=pl.when(pl.col("taken") > 0).then(pl.lit("L")).otherwise("disallowed_code"),
    )
    return Crossed(told.select(gains.columns), _found(judged))


def _found(judged: pl.DataFrame) -> pl.DataFrame:
    by = ["taxpayer_id", "account_id", "asset", "tax_year", "event_id", "spouse_id", "date_sold", "choice"]
    return judged.group_by(by).agg(quantity=pl.col("mirrored").sum(), loss=pl.col("loss").sum()).sort(by)
