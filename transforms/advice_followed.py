"""What became of earlier advice: instructions and sales against recommendations, what they saved and what was missed."""

from __future__ import annotations

from datetime import date

import polars as pl

from schemas.advice_loop import AdviceFollowed, InstructionsToRecord
from schemas.fields import CENTS, MONEY, QUANTITY
from schemas.gate import conform
from transforms.advice_history import BEST, in_dollars
from transforms.advice_texts import dangerous
from transforms.exact import part_of, to_cents
from transforms.identification import UNCHOSEN
from transforms.ids import digest
from transforms.law.parameters import YEARS
from transforms.law.tax import AMOUNT_LIMIT, assess
from transforms.returns import to_returns
from transforms.wash_sales import whole_lot

_LOT = ["account_id", "lot_id"]
_YEARLY = ["tax_year", *_LOT]
_RETURN = ["return_id", "tax_year"]
_MOVED = ("short_term", "long_term", "gain_28")
"""Inputs of the return that a sale moves."""


def followed(
    made: pl.DataFrame,
    given: pl.DataFrame,
    instructions: pl.DataFrame,
    form_8949: pl.DataFrame,
    gains: pl.DataFrame,
    holdings: pl.DataFrame,
    return_inputs: pl.DataFrame,
    as_of: date,
) -> pl.DataFrame:
    """The table `advice_followed`: every recommendation of an earlier night that was taken up or missed.

    Sold counts what Form 8949 shows of the lot in its account, dated from the first night that advised it to the end of
    its tax year; a fee paid in coins is no sale. Missed is what stood advised on the last night that told it, less what
    was sold of what was then held, once the tax year is over or nothing is left of the lot.

    Args:
        made: schemas.advice_loop.AdviceMade.
        given: instructions.csv.
        instructions: the table `instructions`.
        form_8949: the table `form_8949`, all years.
        gains: disposal_id, disposal_kind, all years.
        holdings: the table `holdings`.
        return_inputs: schemas.tax.ReturnInputs, all years.
        as_of: tonight.
    """
    recorded = _recorded(made, given, instructions)
    lines = _lines(made, form_8949, gains)
    sold = lines.group_by("recommendation_id").agg(
        executed_quantity=pl.col("quantity").sum().cast(QUANTITY),
        realized_gain=pl.col("gain").sum().cast(MONEY),
        first_sold=pl.col("date_sold").min(),
        last_sold=pl.col("date_sold").max(),
    )
    left = holdings.group_by("return_id", "lot_id").agg(_left=pl.col("quantity").sum().cast(QUANTITY))
    joined = (
        made.join(recorded, on="recommendation_id", how="left")
        .join(sold, on="recommendation_id", how="left")
        .join(saved(lines, return_inputs), on="recommendation_id", how="left")
        .join(left, on=["return_id", "lot_id"], how="left")
        .with_columns(
            pl.col("instructed_quantity", "executed_quantity", "executed_by_instruction", "_left")
            .fill_null(0)
            .cast(QUANTITY)
        )
        .with_columns(missed_quantity=_missed(as_of))
        .with_columns(missed_net_benefit=_share("last_net_benefit", "missed_quantity", "last_quantity"))
        .with_columns(status=_status())
    )
    return conform(joined.filter(pl.col("status").is_not_null()), AdviceFollowed).sort(
        "tax_year", "return_id", "recommendation_id"
    )


def _recorded(made: pl.DataFrame, given: pl.DataFrame, instructions: pl.DataFrame) -> pl.DataFrame:
    """recommendation_id, instruction_ids, instructed_quantity, executed_by_instruction.

    An instruction that names no recommendation is for that of its lot, account and year.
    """
    latest = made.sort("last_advised", "recommendation_id").unique(_YEARLY, keep="last")
    of_lot = latest.select(*_YEARLY, _id="recommendation_id")
    year = pl.col("recorded_at").dt.year().cast(pl.Int64)
    linked = (
        given.filter(pl.col("status") != "cancelled")
        .with_columns(tax_year=year)
        .join(of_lot, on=_YEARLY, how="left")
        .with_columns(recommendation_id=pl.coalesce("recommendation_id", "_id"))
    )
    done = instructions.filter(pl.col("disposal_id").is_not_null()).group_by("instruction_id").agg(
        _done=pl.col("executed_quantity").sum()
    )  # fmt: skip
    return (
        linked.join(done, on="instruction_id", how="left")
        .sort("instruction_id")
        .group_by("recommendation_id", maintain_order=True)
        .agg(
            instruction_ids=pl.col("instruction_id").str.join(", "),
            instructed_quantity=pl.col("quantity").sum().cast(QUANTITY),
            executed_by_instruction=pl.col("_done").sum().cast(QUANTITY),
        )
    )


def _lines(made: pl.DataFrame, form_8949: pl.DataFrame, gains: pl.DataFrame) -> pl.DataFrame:
    """Lines of the form with the recommendation that they carry out; washed units of a lot count as the lot's."""
    chosen = form_8949.join(gains.filter(pl.col("disposal_kind").is_in(UNCHOSEN)), on="disposal_id", how="anti")
    advised = made.select(*_YEARLY, "return_id", "recommendation_id", "first_advised")
    on = [*_YEARLY, "return_id"]
    parts = chosen.join(advised, on=on, how="inner")
    others = chosen.join(advised, on=on, how="anti").with_columns(whole_lot())
    every = pl.concat([parts, others.join(advised, on=on, how="inner")])
    return every.filter(pl.col("date_sold") >= pl.col("first_advised"))


def saved(lines: pl.DataFrame, return_inputs: pl.DataFrame) -> pl.DataFrame:
    """What the lines of each recommendation saved: recommendation_id, tax_saved, carryover_added (Cents).

    The federal tax of the return's year without them less the tax with them, in the order of the first sale, each beside
    those before it; so they sum to the return's tax without any of them less its tax. Null where the return has no tax
    (no profile, no figures of the year).

    Args:
        lines: return_id, tax_year, recommendation_id, date_sold, part, code, gain (Cents).
        return_inputs: schemas.tax.ReturnInputs.
    """
    cents = (pl.col("gain") * 100).cast(pl.Int64)
    short, collectible = pl.col("part") == "I", pl.col("code").fill_null("").str.contains("C")
    sums = (
        lines.group_by(*_RETURN, "recommendation_id")
        .agg(
            _short=cents.filter(short).sum(),
            _long=cents.filter(~short).sum(),
            _of_28=cents.filter(~short & collectible).sum(),
            _first=pl.col("date_sold").min(),
        )
        .sort(*_RETURN, "_first", "recommendation_id")
        .join(return_inputs, on=_RETURN, how="inner", maintain_order="left")
        .filter(pl.col("tax_year").is_in(list(YEARS)) & pl.all_horizontal(pl.col(*_MOVED).abs() < AMOUNT_LIMIT))
    )
    later = {name: pl.col(name).sum().over(_RETURN) - pl.col(name).cum_sum().over(_RETURN) for name in _SUMS}
    after = sums.with_columns(pl.col(moved) - later[name] for moved, name in zip(_MOVED, _SUMS, strict=True))
    before = after.with_columns(pl.col(moved) - pl.col(name) for moved, name in zip(_MOVED, _SUMS, strict=True))
    without, with_them = (assess(to_returns(frame)) for frame in (before, after))
    carried = (with_them.short_term_out + with_them.long_term_out) - (without.short_term_out + without.long_term_out)
    return sums.select("recommendation_id").with_columns(
        pl.Series("tax_saved", without.federal_tax - with_them.federal_tax, pl.Int64),
        pl.Series("carryover_added", carried, pl.Int64),
    ).with_columns(in_dollars(pl.col(name)).alias(name) for name in ("tax_saved", "carryover_added"))  # fmt: skip


_SUMS = ("_short", "_long", "_of_28")


def _missed(as_of: date) -> pl.Expr:
    """What stood advised at the end, less what was sold of the units then held.

    What went by a sale since the last night that advised it is at most what was then held less what is left.
    """
    ended = (pl.col("tax_year") < as_of.year) | (pl.col("_left") == 0)
    since = pl.max_horizontal(pl.col("last_held") - pl.col("_left"), pl.lit(0, QUANTITY))
    sold = pl.min_horizontal("executed_quantity", since)
    rest = pl.max_horizontal(pl.col("last_quantity") - sold, pl.lit(0, QUANTITY))
    return pl.when(ended & ~pl.col("withdrawn")).then(rest).otherwise(pl.lit(0, QUANTITY)).cast(QUANTITY)


def _status() -> pl.Expr:
    """Null: neither taken up nor missed."""
    executed, missed = pl.col("executed_quantity") > 0, pl.col("missed_quantity") > 0
    whole = pl.col("executed_quantity") >= pl.max_horizontal("first_quantity", "last_quantity")
    return (
        pl.when(executed & (whole | ((pl.col("_left") == 0) & ~missed))).then(pl.lit("executed"))
        .when(executed).then(pl.lit("partly_executed"))
        .when(missed).then(pl.lit("missed"))
        .when(pl.col("instructed_quantity") > 0).then(pl.lit("instructed"))
    )  # fmt: skip


def _share(total: str, part: str, whole: str) -> pl.Expr:
    """The part of an amount in cents that falls on some of the units."""
    return to_cents(part_of(pl.col(total).cast(MONEY), pl.col(part), pl.col(whole)))


# --- what is recorded and what is to be ------------------------------------------------------------------------------


def open_units(given: pl.DataFrame, matches: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """account_id, lot_id, covered: units of instructions that stand open tonight, by lot.

    Args:
        given: instructions.csv.
        matches: schemas.ledger.InstructionMatches: the sales that used them up.
        as_of: tonight.
    """
    used = matches.group_by("instruction_id").agg(_used=pl.col("quantity").sum())
    stands = (pl.col("status") == "open") & (pl.col("valid_until").fill_null(date.max) >= as_of)
    rest = (
        given.filter(stands)
        .join(used, on="instruction_id", how="left")
        .with_columns(_rest=pl.max_horizontal(pl.col("quantity") - pl.col("_used").fill_null(0), pl.lit(0, QUANTITY)))
    )
    return rest.group_by(_LOT).agg(covered=pl.col("_rest").sum().cast(QUANTITY)).filter(pl.col("covered") > 0)


def with_covered(recommendations: pl.DataFrame, covered: pl.DataFrame) -> pl.DataFrame:
    """The recommendations of the scenario best with `covered` (units) and `covered_benefit` (Cents, by units)."""
    joined = (
        recommendations.filter(scenario=BEST)
        .join(covered, on=_LOT, how="left", maintain_order="left")
        .with_columns(covered=pl.min_horizontal(pl.col("covered").fill_null(0), "quantity").cast(QUANTITY))
    )
    return joined.with_columns(covered_benefit=_share("net_benefit", "covered", "quantity").cast(CENTS))


def to_record(recommendations: pl.DataFrame, covered: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The table `instructions_to_record`.

    The id is of the recommendation and the night: the same row pasted twice is refused as a double, what a later night
    advises beside it is another instruction. It holds to the end of the tax year for which it was advised.

    Args:
        recommendations: the table `harvest_recommendations`.
        covered: `open_units`.
        as_of: tonight.
    """
    rest = with_covered(recommendations, covered).with_columns(
        quantity=(pl.col("quantity") - pl.col("covered")).cast(QUANTITY)
    )
    wanted = rest.filter(pl.col("quantity") > 0)
    ids = [digest("ins-", f"{row}\x1f{as_of}") for row in wanted["recommendation_id"]]
    cells = ("account_id", "asset", "lot_id")
    bad = [pl.when(pl.col(cell).map_elements(dangerous, return_dtype=pl.Boolean)).then(pl.lit(cell)) for cell in cells]
    named = pl.concat_str(bad, separator=", ", ignore_nulls=True).replace("", None)
    return conform(
        wanted.with_columns(
            pl.Series("instruction_id", ids, pl.String),
            valid_until=pl.lit(date(as_of.year, 12, 31)),
            left_out=pl.format("{} could act as a formula or break a line in a spreadsheet: enter it by hand", named),
        ),
        InstructionsToRecord,
    ).sort("return_id", "account_id", "asset", "lot_id")
