"""The advice over the nights: what tonight's record holds, what earlier records say. Files are read and written elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from schemas.advice_loop import AdviceHistory, AdviceMade
from schemas.fields import CENTS, QUANTITY
from schemas.gate import conform
from schemas.inputs import FirmSettings
from transforms.ids import content_id, digest

BEST = "best"
KEY = ["tax_year", "kind", "return_id", "account_id", "asset", "lot_id"]
"""What a row of the history is about."""
_FACTS = [name for name in AdviceHistory.to_schema().columns if name not in (*KEY, "as_of", "stands")]
_INCOME = (
    "status", "ordinary", "nii", "qualified_dividends", "unrecaptured_1250", "adjustments", "deduction", "aged",
    "exemptions", "social_security",
)  # fmt: skip
"""Inputs of the return that no sale moves."""
ADVISING = (
    "discount_rate", "horizon_years", "holding_years", "early_sale_chance", "min_rebuy_hours", "max_price_age_days",
    "platforms", "positions", "wash_sales",
)  # fmt: skip
"""Settings of firm.toml that move the advice; a name that this version's settings lack moves nothing."""
_VALUES = ("tax_saved_now", "carryforward_value", "later_tax_cost", "trading_cost", "net_benefit")


class Past(NamedTuple):
    """What the records of earlier nights say."""

    before: pl.DataFrame
    """schemas.advice_loop.AdviceHistory: every row that stood after the last night; `as_of` is when it last changed."""
    made: pl.DataFrame
    """schemas.advice_loop.AdviceMade."""


_LOT = ["tax_year", "return_id", "account_id", "lot_id"]


def past(records: pl.DataFrame, older: pl.DataFrame | None = None) -> Past:
    """The state after the last record, and every recommendation made.

    Args:
        records: schemas.advice_loop.AdviceHistory of nights before tonight, from the first of a month on. A night that
            cannot be read is as if it had not run: what it changed is told by the next one, which compares with what can
            be read.
        older: what is kept of the months before (`thinned`).
    """
    return Past(_standing(records), _made(records if older is None else pl.concat([older, records])))


def thinned(records: pl.DataFrame) -> pl.DataFrame:
    """Of a month's records what tells of its recommendations: at most four rows a lot, and the nights.

    The lot's first row of the month (an advice of an earlier month may end with it), its first and its last advice, and
    the row after that.
    """
    lots = _numbered(records)
    first, last, here = (pl.col(name) for name in ("_first_told", "_last_told", "_n"))
    kept = lots.filter((here == 0) | (here == first) | (here == last) | (here == last + 1))
    return pl.concat([records.filter(kind="night"), kept.select(records.columns)])


def _numbered(records: pl.DataFrame) -> pl.DataFrame:
    """The rows of lots, numbered in the order of nights, with the numbers of the first and the last advice (null: none)."""
    told = pl.col("advised").is_not_null() & pl.col("stands")
    numbered = records.filter(kind="lot").sort(*_LOT, "as_of").with_columns(
        _told=told, _n=pl.int_range(pl.len()).over(_LOT)
    )  # fmt: skip
    number = pl.col("_n").filter("_told")
    ends = numbered.group_by(_LOT).agg(_first_told=number.min(), _last_told=number.max())
    return numbered.join(ends, on=_LOT, how="left")


def _standing(records: pl.DataFrame) -> pl.DataFrame:
    last = records.sort("as_of").unique(KEY, keep="last", maintain_order=True)
    return last.filter("stands").sort(*KEY, nulls_last=True)


def _made(records: pl.DataFrame) -> pl.DataFrame:
    """A row a recommendation; the night on which it was last told is the one before the record that ends it."""
    lots = _numbered(records)
    here = pl.col("_n")
    first = lots.filter(here == pl.col("_first_told")).select(
        *_LOT, first_advised="as_of", first_quantity="advised", first_net_benefit="net_benefit"
    )
    # taken back, or the lot is gone: whatever happened to the lot after that
    end = lots.filter(here == pl.col("_last_told") + 1).select(*_LOT, _end="as_of", _left="held")
    last = lots.filter(here == pl.col("_last_told")).join(first, on=_LOT).join(end, on=_LOT, how="left")
    until = pl.coalesce(pl.col("_end") - pl.duration(days=1), pl.date(pl.col("tax_year"), 12, 31))
    nights = records.filter(kind="night").select(_night="as_of", _at="as_of").unique().sort("_at")
    dated = last.with_columns(_until=until).sort("_until")
    seen = dated.join_asof(nights, left_on="_until", right_on="_at", check_sortedness=False)
    return conform(
        seen.with_columns(
            last_advised=pl.max_horizontal("_night", "as_of"),
            last_quantity="advised",
            last_net_benefit="net_benefit",
            last_held="held",
            withdrawn=pl.col("_left").is_not_null(),
        ),
        AdviceMade,
    ).sort("recommendation_id")


def tonight(
    recommendations: pl.DataFrame,
    summary: pl.DataFrame,
    holdings: pl.DataFrame,
    return_inputs: pl.DataFrame,
    settings: FirmSettings,
    law_version: str,
    code_version: str,
    as_of: date,
) -> pl.DataFrame:
    """What stands tonight, whole: schemas.advice_loop.AdviceHistory (scenario best).

    Args:
        recommendations: the table `harvest_recommendations`.
        summary: the table `harvest_summary`.
        holdings: the table `holdings`.
        return_inputs: schemas.tax.ReturnInputs of the year.
        settings: the firm's.
        law_version: of tonight.
        code_version: of tonight.
        as_of: tonight.
    """
    best = recommendations.filter(scenario=BEST)
    lots = _lots(best, holdings)
    priced = holdings.filter(pl.col("price").is_not_null()).select("asset", "price", "priced_at")
    parts = {
        "night": pl.DataFrame(
            {"law_version": [law_version], "code_version": [code_version], "assumptions": [assumptions(settings)]}
        ),
        "return": _returns(summary.filter(scenario=BEST), return_inputs),
        "price": priced.unique("asset"),
        "lot": lots,
    }
    said = {"as_of": pl.lit(as_of), "tax_year": pl.lit(as_of.year, pl.Int64), "stands": pl.lit(value=True)}
    rows = [conform(part.with_columns(kind=pl.lit(kind), **said), AdviceHistory) for kind, part in parts.items()]
    return pl.concat(rows).sort(*KEY, nulls_last=True)


def _lots(best: pl.DataFrame, holdings: pl.DataFrame) -> pl.DataFrame:
    """The lots that could be sold at a loss, and those advised; prices stand in rows of their own."""
    key = ["return_id", "account_id", "lot_id"]
    advised = best.select(
        *key, "recommendation_id", "action", "rank", "proceeds", "unrealized_gain", *_VALUES, advised="quantity"
    )
    free = holdings.filter(pl.col("why_not").is_null())
    facts = free.select(
        *key, "taxpayer_id", "asset", "basis", "term", held="quantity", loss=pl.col("unrealized_gain") < 0
    )
    joined = facts.join(advised, on=key, how="left").filter(pl.col("loss") | pl.col("advised").is_not_null())
    return joined.with_columns(pl.col("rank").cast(pl.Int64)).drop("loss")


def _returns(summary: pl.DataFrame, inputs: pl.DataFrame) -> pl.DataFrame:
    cents = {
        "realized_short": pl.col("short_term"),
        "realized_long": pl.col("long_term"),
        "carry_in": pl.col("short_term_carry_in") + pl.col("long_term_carry_in"),
    }
    figures = inputs.select(
        "return_id",
        content_id("", *_INCOME).alias("income"),
        *(in_dollars(value).alias(name) for name, value in cents.items()),
    )
    return summary.select("return_id", "verdict", "net_benefit", "tax_saved_now").join(
        figures, on="return_id", how="left"
    )


def in_dollars(cents: pl.Expr) -> pl.Expr:
    """Whole cents as dollars."""
    return (cents.cast(pl.Decimal(38, 2)) * pl.lit(Decimal("0.01"), CENTS)).cast(CENTS)


def assumptions(settings: FirmSettings) -> str:
    """A digest of what of firm.toml moves the advice."""
    given: dict[str, Any] = asdict(settings)
    return digest("", "\x1f".join(f"{name}={_plain(given.get(name))}" for name in ADVISING))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_plain(value[key])}" for key in sorted(value)) + "}"
    return str(value)


def changed(now: pl.DataFrame, before: pl.DataFrame, holdings: pl.DataFrame) -> pl.DataFrame:
    """What tonight's record holds: the rows that are not as they stood, and those that ended.

    The row of the night is always there, so that a record tells that a night ran. The first record of a month is whole:
    a record that is lost takes no more than the rest of its month with it. Rows of earlier tax years stand as they are:
    their year is over.

    Args:
        now: what stands tonight (`tonight`).
        before: what stood (`Past.before`).
        holdings: the table `holdings`: what is left of a lot that is no longer in it.
    """
    night = now.filter(kind="night")
    year, as_of = night["tax_year"].item(), night["as_of"].item()
    stood = before.filter(tax_year=year)
    same_month = (before.filter(kind="night")["as_of"].dt.strftime("%Y-%m") == f"{as_of:%Y-%m}").any()
    known = stood if same_month else stood.clear()
    new = now.filter(pl.col("kind") != "night").join(
        known.drop("as_of"), on=[*KEY, "stands", *_FACTS], how="anti", nulls_equal=True
    )
    # wherever it lies: a lot that moved to another account is still there, and advised on there
    left = holdings.group_by("return_id", "lot_id").agg(_left=pl.col("quantity").sum().cast(QUANTITY))
    gone = (
        stood.join(now, on=KEY, how="anti", nulls_equal=True)
        .join(left, on=["return_id", "lot_id"], how="left")
        .with_columns(as_of=pl.lit(as_of), stands=pl.lit(value=False), held="_left")
        .with_columns(advised=pl.lit(None, QUANTITY))
    )
    return pl.concat([night, new, conform(gone, AdviceHistory)]).sort(*KEY, nulls_last=True)
