"""Gains and losses that a broker's report computed, beside those of the books. Forms 1099-DA do not belong here."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl

from schemas.fields import MONEY, QUANTITY, UNTAXED
from schemas.gate import conform
from schemas.tax import GainChecks
from transforms.exact import to_money
from transforms.ledger import distinct_legs

_DAY = ["account_id", "source", "asset", "date_sold"]
_LAST_DIGIT = "0.00000001"
"""Reports show eight decimals of a coin."""
_WIDE = pl.Decimal(38, 6)


def compare(
    legs: pl.DataFrame, gains: pl.DataFrame, account_facts: pl.DataFrame, tolerance: Decimal, as_of: date
) -> pl.DataFrame:
    """Hold each day's disposals of an asset in a report against the books of the same account.

    A report counts days by its own clock: what only one side has on a day is one disposal with the other side's of the
    same quantity on the day before or after. What the books have and the report has not is told from the first
    January of the report to its last day: what came after it may be later than its download.

    Args:
        legs: schemas.intake.Legs of reports of results, assets resolved: the sent leg is what was disposed of, with
            its basis as `usd_value`; the received leg is the proceeds in USD.
        gains: schemas.tax.Gains.
        account_facts: account_id, taxpayer_id.
        tolerance: dollars by which a row's proceeds and basis may differ.
        as_of: disposals of a later day are left out.

    Returns:
        schemas.tax.GainChecks, a row for each account, report, asset and day.
    """
    theirs = _theirs(legs).filter(pl.col("date_sold") <= as_of)
    span = theirs.group_by("account_id", "source").agg(
        first=pl.col("date_sold").min().dt.truncate("1y"), last=pl.col("date_sold").max()
    )
    ours = _ours(gains).join(span.select("account_id", "source"), on="account_id")
    met = _with_fees(theirs.join(ours, on=_DAY))
    left, right = theirs.join(met, on=_DAY, how="anti"), ours.join(met, on=_DAY, how="anti")
    shifted = _shifted(left, right)
    told = right.join(shifted.with_columns(pl.col("our_day").alias("date_sold")), on=_DAY, how="anti")
    sold = pl.col("our_quantity").is_not_null()  # a day with fees alone is not asked
    told = told.join(span, on=["account_id", "source"]).filter(sold & pl.col("date_sold").is_between("first", "last"))
    alone = left.join(shifted, on=_DAY, how="anti")
    every = pl.concat([met, shifted, alone, told], how="diagonal_relaxed")
    owned = every.join(account_facts.select("account_id", "taxpayer_id"), on="account_id")
    money = [
        pl.col(f"{side}_{what}").cast(MONEY, strict=False)
        for side in ("our", "their")
        for what in ("proceeds", "basis")
    ]
    return conform(_judged(owned, tolerance).with_columns(money), GainChecks).sort(*_DAY)


def _theirs(legs: pl.DataFrame) -> pl.DataFrame:
    """What the reports say by account, report, asset and day; a row that several files have counts once."""
    rows = ["account_id", "source", "file_id", "row_no"]
    counted = distinct_legs(legs).filter("primary")
    sent, received = (counted.filter(pl.col("role") == role) for role in ("sent", "received"))
    both = sent.join(received.select(*rows, proceeds="quantity"), on=rows, how="left")
    days = both.with_columns(
        date_sold=pl.col("occurred_at").dt.date(),
        proceeds=to_money(pl.col("proceeds").fill_null(0)).cast(_WIDE),  # no leg: nothing was received
        basis=pl.col("usd_value").cast(_WIDE),
    )
    first = pl.struct("file_id", "row_no").sort().first()
    return (
        days.group_by(_DAY)
        .agg(
            their_quantity=pl.col("quantity").sum(),
            their_proceeds=pl.col("proceeds").sum(),
            their_basis=_whole("basis"),
            rows=pl.len().cast(pl.Int64),
            place=first,
        )
        .unnest("place")
        .with_columns(pl.col("row_no").cast(pl.Int64))
    )


def _whole(column: str) -> pl.Expr:
    """The sum; null where a part is not known."""
    return pl.when(pl.col(column).null_count() == 0).then(pl.col(column).sum())


def _ours(gains: pl.DataFrame) -> pl.DataFrame:
    """The books by account, asset and day: what was sold, and beside it what was paid as fees in the asset.

    Gifts, donations, thefts and losses are no sales.
    """
    sold = gains.filter(~pl.col("disposal_kind").is_in(UNTAXED))
    wide = sold.with_columns(pl.col("proceeds", "basis").cast(_WIDE), fee=pl.col("disposal_kind") == "fee")
    sums = wide.group_by("account_id", "asset", "date_sold", "fee").agg(
        pl.col("quantity").sum(), proceeds=_whole("proceeds"), basis=_whole("basis")
    )
    days = wide.group_by("account_id", "asset", "date_sold").agg(
        tax_year=pl.col("tax_year").min(), event_id=pl.col("event_id").sort_by("disposed_at", "event_id").first()
    )
    for fee, name in ((False, "our"), (True, "fee")):
        part = sums.filter(pl.col("fee") == fee).drop("fee")
        renamed = part.rename({what: f"{name}_{what}" for what in ("quantity", "proceeds", "basis")})
        days = days.join(renamed, on=["account_id", "asset", "date_sold"], how="left")
    return days


def _with_fees(met: pl.DataFrame) -> pl.DataFrame:
    """Fees in coin are counted where the report's quantity has them: reports differ in it."""
    bare = pl.col("our_quantity").fill_null(0)
    whole = bare + pl.col("fee_quantity")
    has = ((pl.col("their_quantity") - whole).abs() < (pl.col("their_quantity") - bare).abs()).fill_null(value=False)
    none = pl.col("our_quantity").is_null()
    return met.with_columns(
        pl.when(has & none).then(f"fee_{what}").when(has).then(pl.col(f"our_{what}") + pl.col(f"fee_{what}"))
        .otherwise(f"our_{what}").alias(f"our_{what}")
        for what in ("quantity", "proceeds", "basis")
    )  # fmt: skip


def _shifted(theirs: pl.DataFrame, ours: pl.DataFrame) -> pl.DataFrame:
    """Disposals of one quantity that the two sides have on neighbouring days; `our_day` is that of the books."""
    like = ["account_id", "source", "asset"]
    pairs = theirs.join(
        ours.rename({"date_sold": "our_day"}), left_on=[*like, "their_quantity"], right_on=[*like, "our_quantity"]
    ).filter((pl.col("date_sold") - pl.col("our_day")).abs() <= pl.duration(days=1))
    ordered = pairs.sort(*_DAY, "our_day").with_columns(our_quantity="their_quantity")
    once = ordered.unique(_DAY, keep="first", maintain_order=True)
    return once.unique([*like, "our_day"], keep="first", maintain_order=True)


def _judged(every: pl.DataFrame, tolerance: Decimal) -> pl.DataFrame:
    rows = pl.col("rows").fill_null(1).cast(pl.Decimal(10, 0))
    cents = pl.lit(tolerance).cast(_WIDE) * rows
    digits = pl.lit(_LAST_DIGIT).cast(QUANTITY) * rows
    units = (pl.col("our_quantity") - pl.col("their_quantity")).abs()
    proceeds, basis = ((pl.col(f"our_{name}") - pl.col(f"their_{name}")).abs() for name in ("proceeds", "basis"))
    unknown = pl.col("our_basis").is_null() & pl.col("their_basis").is_not_null()
    unpriced = pl.col("our_proceeds").is_null()
    off = (units > digits) | (proceeds > cents).fill_null(value=False) | (basis > cents).fill_null(value=False)
    status = (
        pl.when(pl.col("our_quantity").is_null()).then(pl.lit("not_in_books"))
        .when(pl.col("their_quantity").is_null()).then(pl.lit("not_in_report"))
        .when(off | unknown | unpriced).then(pl.lit("differs"))
        .otherwise(pl.lit("same"))
    )  # fmt: skip
    ours, theirs = (pl.col(f"{side}_proceeds") - pl.col(f"{side}_basis") for side in ("our", "their"))
    stake = pl.max_horizontal(
        proceeds,
        basis,
        (ours - theirs).abs(),
        pl.when(unknown).then(pl.col("their_basis")),
        pl.when(unpriced).then(pl.col("their_proceeds")),
    )
    one_sided = pl.coalesce(ours.abs(), theirs.abs(), "our_proceeds", "their_proceeds")
    return every.with_columns(status=status, tax_year=pl.coalesce("tax_year", pl.col("date_sold").dt.year())).with_columns(
        dollars_at_stake=pl.when(pl.col("status") == "differs").then(stake)
        .when(pl.col("status") != "same").then(one_sided)
        .cast(MONEY, strict=False)
    )  # fmt: skip
