"""What the answer to a question can move the federal tax by, with the law kernel. Which questions there are is elsewhere."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from schemas.fields import CENTS, UNTAXED
from transforms.exact import part_of
from transforms.law.tax import AMOUNT_LIMIT, Returns, assess
from transforms.questions import near_first_long_term_day
from transforms.returns import to_returns

RETURN = ["return_id", "tax_year"]
MOVED = ("short_term", "long_term", "gain_28", "ordinary", "nii")
"""Inputs of the tax kernel that an answer moves; each has a `_low` and a `_high` change, in cents."""
ENDS = tuple(f"{name}_{end}" for name in MOVED for end in ("low", "high"))
_INPUTS = list(Returns._fields)


def tax_differences(returns: pl.DataFrame, ranges: pl.DataFrame, by: str) -> pl.DataFrame:
    """The federal tax with the `high` changes less that with the `low` ones, for each `by`, in one call of the kernel.

    What belongs together is added up within a return and year before it is taxed, and the years are summed. Each year is
    taxed by itself: what a changed carryover does in later years is not in it.

    Args:
        returns: schemas.tax.ReturnInputs.
        ranges: schemas.review.StakeRanges.
        by: item_id, or return_id.

    Returns:
        `by` and `tax` in cents; null where a year's return cannot be taxed, or an amount is out of range.
    """
    key = list(dict.fromkeys([by, *RETURN]))
    sums = ranges.group_by(key).agg(pl.col(ENDS).cast(pl.Int128).sum()).sort(key)
    known = sums.join(returns, on=RETURN, how="left", maintain_order="left")
    moved = [
        (pl.col(name) + pl.col(f"{name}_{end}")).alias(f"{name}_{end}") for name in MOVED for end in ("low", "high")
    ]
    sane = [pl.col(name).abs() <= AMOUNT_LIMIT for name in ENDS]
    after = known.with_columns(moved).with_columns(taxed=pl.all_horizontal(sane).fill_null(value=False))
    given = after.filter("taxed")
    ends = [_at(given, end) for end in ("low", "high")]
    tax = assess(to_returns(pl.concat(ends))).federal_tax
    difference = pl.Series("tax", tax[given.height :] - tax[: given.height], pl.Int64)
    differences = pl.concat([given.select(key).with_columns(difference), _untaxed(after, key)])
    return differences.group_by(by).agg(pl.when(pl.col("tax").null_count() == 0).then(pl.col("tax").sum())).sort(by)


def _at(given: pl.DataFrame, end: str) -> pl.DataFrame:
    return given.with_columns(pl.col(f"{name}_{end}").cast(pl.Int64).alias(name) for name in MOVED).select(_INPUTS)


def _untaxed(after: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    return after.filter(~pl.col("taxed")).select(*key, tax=pl.lit(None, pl.Int64))


def priced(asked: pl.DataFrame, ranges: pl.DataFrame, returns: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The items with the tax that hangs on them where it can be computed, and the ranges turned the dearer way up.

    Args:
        asked: schemas.review.ReviewItems whose dollars are the value that each question is about.
        ranges: schemas.review.StakeRanges of them.
        returns: schemas.tax.ReturnInputs.

    Returns:
        The items with `dollars_at_stake`, `stake_basis` and `value_at_stake`; the ranges with low and high exchanged
        where the answer called low is the dearer one, so that several add up to the worst case.
    """
    found = tax_differences(returns, ranges, "item_id")
    told = asked.join(found, on="item_id", how="left", maintain_order="left").with_columns(
        value_at_stake="dollars_at_stake",
        stake_basis=pl.when(pl.col("tax").is_not_null())
        .then(pl.lit("tax"))
        .when(pl.col("dollars_at_stake").is_not_null())
        .then(pl.lit("value"))
        .otherwise(pl.lit("unknown")),
        dollars_at_stake=pl.coalesce(dollars(pl.col("tax").abs()), "dollars_at_stake"),
    )
    turned = ranges.join(found.filter(pl.col("tax") < 0), on="item_id", how="semi")
    kept = ranges.join(found.filter(pl.col("tax") < 0), on="item_id", how="anti")
    other = {f"{name}_{end}": f"{name}_{way}" for name in MOVED for end, way in (("low", "high"), ("high", "low"))}
    swapped = turned.with_columns(pl.col(way).alias(end) for end, way in other.items())
    return told.drop("tax"), pl.concat([kept, swapped]).sort("item_id", *RETURN)


def dollars(cents: pl.Expr) -> pl.Expr:
    """Whole cents as dollars."""
    return (cents.cast(pl.Decimal(38, 0)) * pl.lit(Decimal("0.01"))).cast(CENTS)


# --- what could be true ----------------------------------------------------------------------------------------------


def ranges(
    asked: pl.DataFrame,
    gains: pl.DataFrame,
    closing_lots: pl.DataFrame,
    income: pl.DataFrame,
    events: pl.DataFrame,
    members: pl.DataFrame,
    accounts: pl.DataFrame,
    facts: pl.DataFrame,
) -> pl.DataFrame:
    """StakeRanges of the questions whose answer moves a return's income by an amount that the books know.

    - shortfall, basis_unknown: the basis may be anything from the proceeds (no gain) to nothing; of a lot without date
      the gain is short-term.
    - unmatched_deposit: a move of one's own (nothing), or income at its value (net investment income too).
    - unmatched_withdrawal: a move of one's own, or a sale at its value of the lots that left; unknown basis is nothing.
    - near_long_term: the gain with its term, or with the other one.
    - wages_not_in_profile: wages without the coins, or with them.
    - income_stand_assumed: the receipts in net investment income, or not.

    Args:
        asked: schemas.review.ReviewItems.
        gains: schemas.tax.Gains.
        closing_lots: schemas.tax.ClosingLots.
        income: schemas.tax.Income.
        events: event_id, tax_date, usd_value.
        members: return_id, tax_year, taxpayer_id.
        accounts: account_id, taxable.
        facts: asset, collectible.
    """
    taxable = accounts.filter("taxable").select("account_id")
    ours = asked.join(taxable, on="account_id", how="semi")
    returns, facts_of = members.select("taxpayer_id", *RETURN), events.select("event_id", "tax_date", "usd_value")
    kinds = closing_lots.join(facts.select("asset", "collectible").unique("asset"), on="asset", how="left")
    parts = [
        _unknown_basis(ours, gains),
        _deposits(ours, facts_of, returns),
        _withdrawals(ours, facts_of, kinds, returns),
        _other_term(ours, gains),
        _wages(asked, returns),
        _investment(asked, income),
    ]
    return pl.concat([_shaped(part) for part in parts]).sort("item_id", *RETURN)


def _shaped(rows: pl.DataFrame) -> pl.DataFrame:
    """Ranges from dollars by name; what a question does not move is zero, what has no dollars or no return falls out.

    Summed before they are rounded to cents: a sale out of many lots loses none.
    """
    amounts = [(pl.col(name) if name in rows.columns else _NOTHING).cast(_WIDE).alias(name) for name in ENDS]
    sums = rows.select("item_id", *RETURN, *amounts).drop_nulls().group_by("item_id", *RETURN).agg(pl.col(ENDS).sum())
    cents = pl.col(ENDS).round(2, mode="half_away_from_zero").cast(pl.Decimal(38, 2)).to_physical()
    return sums.with_columns(cents.cast(pl.Int64, strict=False)).drop_nulls()


_WIDE = pl.Decimal(38, 6)
_NOTHING = pl.lit(0, _WIDE)


def _unknown_basis(asked: pl.DataFrame, gains: pl.DataFrame) -> pl.DataFrame:
    missing = gains.filter(
        pl.col("gain").is_null() & (pl.col("proceeds") > 0) & ~pl.col("disposal_kind").is_in(UNTAXED)
    )
    key = ["taxpayer_id", "account_id", "asset", "tax_year", "event_id"]
    bare = pl.col("lot_id").is_null().any().over(key)
    named = missing.with_columns(question=pl.when(bare).then(pl.lit("shortfall")).otherwise(pl.lit("basis_unknown")))
    long = pl.col("term").eq_missing(pl.lit("long"))
    proceeds, nothing = pl.col("proceeds"), _NOTHING
    whose = ["question", "taxpayer_id", "account_id", "asset"]
    return named.join(asked.select("item_id", *whose), on=whose).with_columns(
        short_term_high=pl.when(~long).then(proceeds).otherwise(nothing),
        long_term_high=pl.when(long).then(proceeds).otherwise(nothing),
        gain_28_high=pl.when(long & pl.col("collectible")).then(proceeds).otherwise(nothing),
    )


def _deposits(asked: pl.DataFrame, events: pl.DataFrame, returns: pl.DataFrame) -> pl.DataFrame:
    came = asked.filter(question="unmatched_deposit").join(events, on="event_id")
    return came.join(returns, on=["taxpayer_id", "tax_year"]).with_columns(
        ordinary_high="usd_value", nii_high="usd_value"
    )


def _withdrawals(
    asked: pl.DataFrame, events: pl.DataFrame, closing_lots: pl.DataFrame, returns: pl.DataFrame
) -> pl.DataFrame:
    """The lots of an unmatched withdrawal as its year's end shows them outside, at their part of its value."""
    left = asked.filter(question="unmatched_withdrawal").join(events, on="event_id")
    outside = closing_lots.filter(location="outside").select(
        "taxpayer_id", "tax_year", "asset", "quantity", "basis", "long_term_from", "lot_id", "collectible",
        event_id=pl.col("pool").str.extract(r"^outside:(.+):sent$"),
    )  # fmt: skip
    gone = left.join(outside, on=["taxpayer_id", "tax_year", "asset", "event_id"]).sort("event_id", "lot_id")
    whole = pl.col("quantity").sum().over("event_id")
    to_here = part_of(pl.col("usd_value"), pl.col("quantity").cum_sum().over("event_id"), whole)
    value = pl.col("to_here") - pl.col("to_here").shift(1, fill_value=0).over("event_id")
    gain = value - pl.col("basis").fill_null(0)
    long = pl.col("tax_date") >= pl.col("long_term_from")
    return (
        gone.with_columns(to_here=to_here)
        .with_columns(
            short_term_high=pl.when(~long).then(gain).otherwise(_NOTHING),
            long_term_high=pl.when(long).then(gain).otherwise(_NOTHING),
            gain_28_high=pl.when(long & pl.col("collectible")).then(gain).otherwise(_NOTHING),
        )
        .join(returns, on=["taxpayer_id", "tax_year"])
    )


def _other_term(asked: pl.DataFrame, gains: pl.DataFrame) -> pl.DataFrame:
    key = ["taxpayer_id", "account_id", "asset", "tax_year", "event_id"]
    near = near_first_long_term_day(gains).join(asked.filter(question="near_long_term").select("item_id", *key), on=key)
    counted = pl.col("gain") + pl.col("disallowed")
    short = pl.col("term") == "short"
    to_long = pl.when(short).then(counted).otherwise(-counted)
    collectible = pl.when("collectible").then(to_long).otherwise(_NOTHING)
    return near.with_columns(short_term_high=-to_long, long_term_high=to_long, gain_28_high=collectible)


def _wages(asked: pl.DataFrame, returns: pl.DataFrame) -> pl.DataFrame:
    lacking = asked.filter(question="wages_not_in_profile").join(returns, on=["taxpayer_id", "tax_year"])
    return lacking.with_columns(ordinary_high="dollars_at_stake")


def _investment(asked: pl.DataFrame, income: pl.DataFrame) -> pl.DataFrame:
    stands = asked.filter(question="income_stand_assumed").with_columns(
        income_kind=pl.col("file_id").str.strip_prefix("positions:")
    )
    received = income.filter("on_return").join(
        stands.select("item_id", "taxpayer_id", "tax_year", "income_kind"),
        on=["taxpayer_id", "tax_year", "income_kind"],
    )
    worth = pl.col("usd_value")
    return received.with_columns(nii_high=pl.when("in_nii").then(-worth).otherwise(worth))
