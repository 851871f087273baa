"""Returns year after year: netting, carryovers, tax and form lines of each return. The law's arithmetic stays in `law`."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import polars as pl

from schemas.fields import CENTS, STATUSES
from schemas.filed import StandingCarryovers
from schemas.gate import conform, empty
from schemas.tax import Carryforwards, ReturnLines, ScheduleD
from transforms import return_lines
from transforms.exact import decimal_text, to_cents
from transforms.law.lines import ReturnReady, return_ready
from transforms.law.parameters import TABLE, YEARS
from transforms.law.tax import AMOUNT_LIMIT, STANDARD, Assessment, Returns, assess
from transforms.law.worksheets import schedule_d

RETURN = ["return_id", "tax_year"]
PROFILE_AMOUNTS = (
    "wages", "self_employment", "investment_income", "other_ordinary", "qualified_dividends",
    "other_short_term", "other_long_term", "other_28_rate", "unrecaptured_1250", "adjustments", "social_security",
)  # fmt: skip
"""Amounts of a profile that the arithmetic takes as zero where they are empty, and asks for."""
ASKED = (*PROFILE_AMOUNTS, "deduction", "aca_credit")
LAST_EXEMPTION_YEAR = 2017
"""Personal exemptions (IRC 151) are zero from 2018: only to here the number of dependents changes the tax."""
MISSING = {
    "return_id": pl.String,
    "tax_year": pl.Int64,
    "taxpayer_id": pl.String,
    "reason": pl.String,
    "column": pl.String,
}
_KERNEL = list(Returns._fields)
_OUTCOME = list(Assessment._fields)
_JOINT = STATUSES.index("mfj")
_LONG_TERM_OTHER = pl.sum_horizontal("other_long_term", "other_28_rate", "unrecaptured_1250")


class Books(NamedTuple):
    """What a fold reads: individuals only, every amount a decimal in dollars.

    `members`: return_id, tax_year, taxpayer_id, role. `profiles`: the columns of profiles.csv, amounts nullable,
    `deduction` text (`standard` or an amount) or decimal, an empty cell null. `nets`: taxpayer_id, tax_year,
    short_term_net, long_term_net, collectibles_net (a part of long_term_net) of the pieces on the return. `income`:
    return_id, tax_year, ordinary, nii (a part of ordinary) from the events. `carry_ins`: taxpayer_id, tax_year,
    short_term_carry_in, long_term_carry_in as the firm records them. `taxpayers`: taxpayer_id, birth_year. All of them
    may reach back before the folded years, and do in a fold from a year: they tell a broken chain from a first year.
    `filed`: taxpayer_id, tax_year, short_term_out, long_term_out as filed: the next year opens from them.
    """

    members: pl.DataFrame
    profiles: pl.DataFrame
    nets: pl.DataFrame
    income: pl.DataFrame
    carry_ins: pl.DataFrame
    taxpayers: pl.DataFrame
    filed: pl.DataFrame = empty(StandingCarryovers)


class ReturnResults(NamedTuple):
    """What a fold gives.

    `schedule_d`, `carryforwards` and `return_lines` are as in `schemas.tax`. `conflicts`: return_id, tax_year,
    taxpayer_id, character (short long), recorded, computed: the firm's carry-in against what an unbroken chain gives, or
    (on the primary) the sum of the taxpayers' records against the return's; the first was used. `missing` (columns
    `MISSING`), by reason: profile_missing, law_year_missing, amount_out_of_range (nothing carries on from such a year),
    carry_chain_broken (no record tells a carry-in, and the chain of years behind it has a gap after a sale, a carryover
    or such a year; so is each year after it up to a record), profile_cell_empty (`column` was empty and taken as zero,
    or the deduction as standard). `returns`: the inputs of the tax kernel for each taxed return, in int64 cents: what
    `to_returns` takes.
    """

    schedule_d: pl.DataFrame
    carryforwards: pl.DataFrame
    return_lines: pl.DataFrame
    conflicts: pl.DataFrame
    missing: pl.DataFrame
    returns: pl.DataFrame


_CHAIN = {
    "taxpayer_id": pl.String,
    "short_term_out": pl.Int64,
    "long_term_out": pl.Int64,
    "whole": pl.Boolean,
    "traced": pl.Boolean,
}
"""What a year hands on: carryovers in cents (null: not known), whether the chain behind them is whole (no unknown
carry-in), and whether it holds a carryover or a year that could not be taxed: then a gap cannot be taken as zero."""


class _Year(NamedTuple):
    people: pl.DataFrame
    returns: pl.DataFrame
    stopped: pl.DataFrame


def to_returns(rows: pl.DataFrame) -> Returns:
    """The kernel's arrays from int64 columns of their names; vary short_term, long_term and gain_28 to ask what if."""
    return Returns(**{name: rows[name].cast(pl.Int64).to_numpy() for name in _KERNEL})


def return_years(books: Books, tax_years: range) -> pl.DataFrame:
    """A row a return and year: the kernel's inputs without carryovers, in int64 cents, empty cells as zero.

    More columns: `short_term_other` and `long_term_other` (the profile's part of the nets), `has_profile`, `active` (the books hold results or income), `asked` (the profile's empty columns) and
    the profile's carry-ins `short_term_profile` and `long_term_profile` (null: none). The profile's other gains do not
    overlap: 28 percent and section 1250 gains add to the long-term net. `aged` counts birth years 65 or more back;
    someone born on 1 January of the next year is 65 too, but only the year is known.
    """
    members = _in_years(books.members, tax_years)
    results = members.join(_net_cents(books.nets), on=["taxpayer_id", "tax_year"], how="left").join(
        books.taxpayers.select("taxpayer_id", "birth_year"), on="taxpayer_id", how="left"
    )
    totals = results.group_by(RETURN).agg(
        pl.col("short_term_net", "long_term_net", "collectibles_net").fill_null(0).sum(),
        aged=(pl.col("birth_year") <= pl.col("tax_year") - 65).fill_null(value=False).sum().cast(pl.Int64),
        born_unknown=pl.col("birth_year").is_null().any(),
    )
    income = _in_years(books.income, tax_years).select(*RETURN, receipts=_cents("ordinary"), receipts_nii=_cents("nii"))
    return (
        totals.join(_profile_cents(books.profiles), on=RETURN, how="left")
        .join(income, on=RETURN, how="left")
        .with_columns(
            pl.col(*PROFILE_AMOUNTS, "receipts", "receipts_nii").fill_null(0),
            pl.col("has_profile").fill_null(value=False),
            asked=pl.when("born_unknown").then(pl.col("asked").list.concat(pl.lit("birth_year"))).otherwise("asked"),
        )
        .select(
            *RETURN, "has_profile", "asked", "status", "qualified_dividends", "unrecaptured_1250", "adjustments",
            "deduction", "aged", "social_security", "short_term_profile", "long_term_profile",
            exemptions=pl.when(pl.col("status") == _JOINT).then(2).otherwise(1) + pl.col("dependents").fill_null(0),
            short_term_other="other_short_term",
            long_term_other=_LONG_TERM_OTHER,
            ordinary=pl.sum_horizontal("wages", "self_employment", "investment_income", "other_ordinary", "receipts"),
            nii=pl.col("investment_income") + pl.col("receipts_nii"),
            short_term=pl.col("short_term_net") + pl.col("other_short_term"),
            long_term=pl.col("long_term_net") + _LONG_TERM_OTHER,
            gain_28=pl.col("collectibles_net") + pl.col("other_28_rate"),
            active=pl.any_horizontal(pl.col("short_term_net", "long_term_net", "receipts") != 0),
        )
        .sort(RETURN)
    )  # fmt: skip


def fold_years(books: Books, opening: pl.DataFrame, tax_years: range) -> ReturnResults:
    """Every return of `tax_years`, each year opening from the carryovers of the one before.

    `opening` holds `carryforwards` rows; those of the year before the range open it, so that a fold from a year equals
    a full one. They do not say whether the chain behind them is whole: the books' earlier years are folded for that
    alone. A joint return nets as one under one limit (IRC 1211(b), 1212(b)); what goes out belongs to each spouse
    by the own net loss of that character (Reg. 1.1212-1(c)(1)(iii)). A profile's other gains and losses count as the
    primary's. A return of which neither profile nor books nor carryovers know anything gives no row.
    """
    every = range(min([tax_years.start, *books.members["tax_year"].unique()]), tax_years.stop)
    rows, people = return_years(books, every), _people(books, every)
    prior = pl.DataFrame(schema=_CHAIN)
    years = []
    for tax_year in every:
        of_year = pl.col("tax_year") == tax_year
        if tax_year == tax_years.start:
            prior = _opened(prior, opening.filter(pl.col("tax_year") == tax_year - 1))
        prior = _as_filed(prior, books.filed.filter(pl.col("tax_year") == tax_year - 1))
        year = _fold_year(people.filter(of_year), rows.filter(of_year), prior)
        prior = _chain(year, prior)
        if tax_year >= tax_years.start:
            years.append(year)
    everyone, taxed, stopped = (pl.concat(frames) for frames in zip(*years, strict=True))
    taxed, lines = _made_out(taxed)
    return ReturnResults(
        schedule_d=_dollars(taxed, ScheduleD),
        carryforwards=_carryforwards(everyone),
        return_lines=lines,
        conflicts=_conflicts(everyone),
        missing=_missing(taxed, stopped, everyone),
        returns=taxed.drop_nulls("regular_tax").select("return_id", *_KERNEL),
    )


def _in_years(frame: pl.DataFrame, tax_years: range) -> pl.DataFrame:
    years = pl.col("tax_year").cast(pl.Int64)
    return frame.with_columns(years).filter(years.is_between(tax_years.start, tax_years.stop, closed="left"))


def _cents(column: str) -> pl.Expr:
    """A decimal column as int64 cents; the type that the kernel counts in."""
    return to_cents(pl.col(column)).to_physical().cast(pl.Int64)


def _net_cents(nets: pl.DataFrame) -> pl.DataFrame:
    amounts = [_cents(name).alias(name) for name in ("short_term_net", "long_term_net", "collectibles_net")]
    return nets.select("taxpayer_id", pl.col("tax_year").cast(pl.Int64), *amounts)


def _profile_cents(profiles: pl.DataFrame) -> pl.DataFrame:
    deduction = pl.col("deduction").cast(pl.String).str.strip_chars().str.to_lowercase()
    empty = [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in ASKED]
    exempt = pl.col("tax_year") <= LAST_EXEMPTION_YEAR
    empty.append(pl.when(exempt & pl.col("dependents").is_null()).then(pl.lit("dependents")))
    return profiles.filter(pl.col("filing_status").is_in(STATUSES)).select(
        "return_id",
        pl.col("tax_year").cast(pl.Int64),
        *(_cents(name).alias(name) for name in PROFILE_AMOUNTS),
        status=pl.col("filing_status").replace_strict(list(STATUSES), range(len(STATUSES)), return_dtype=pl.Int64),
        deduction=to_cents(decimal_text(deduction)).to_physical().cast(pl.Int64).fill_null(STANDARD),
        dependents=pl.col("dependents").cast(pl.Int64),
        short_term_profile=_cents("short_term_carry_in"),
        long_term_profile=_cents("long_term_carry_in"),
        asked=pl.concat_list(empty).list.drop_nulls(),
        has_profile=pl.lit(value=True),
    )


def _people(books: Books, tax_years: range) -> pl.DataFrame:
    """A row a taxpayer and year: own nets and recorded carry-ins in cents; `place` 0 is the primary."""
    own = ["taxpayer_id", "tax_year"]
    first_sale = books.nets.group_by("taxpayer_id").agg(first_sale=pl.col("tax_year").min().cast(pl.Int64))
    records = books.carry_ins.select(
        "taxpayer_id",
        pl.col("tax_year").cast(pl.Int64),
        short_term_record=_cents("short_term_carry_in"),
        long_term_record=_cents("long_term_carry_in"),
    )
    return (
        _in_years(books.members, tax_years)
        .sort(*RETURN, pl.col("role") != "primary", "taxpayer_id")
        .with_columns(place=pl.int_range(pl.len()).over(RETURN))
        .join(_net_cents(books.nets), on=own, how="left", maintain_order="left")
        .join(records, on=own, how="left", maintain_order="left")
        .join(first_sale, on="taxpayer_id", how="left", maintain_order="left")
        .join(_profile_gains(books.profiles), on=RETURN, how="left", maintain_order="left")
        .select(
            *RETURN, "taxpayer_id", "place", "first_sale", "short_term_record", "long_term_record",
            short_term_net=pl.col("short_term_net").fill_null(0) + _of_primary("short_term_other"),
            long_term_net=pl.col("long_term_net").fill_null(0) + _of_primary("long_term_other"),
        )
    )  # fmt: skip


def _profile_gains(profiles: pl.DataFrame) -> pl.DataFrame:
    return _profile_cents(profiles).select(
        *RETURN,
        short_term_other=pl.col("other_short_term"),
        long_term_other=_LONG_TERM_OTHER,
    )


def _of_primary(column: str) -> pl.Expr:
    return pl.when(pl.col("place") == 0).then(pl.col(column).fill_null(0)).otherwise(0)


def _opened(chain: pl.DataFrame, carryforwards: pl.DataFrame) -> pl.DataFrame:
    """`chain` with the carryovers of the opening; where the books have no earlier year it is taken as whole."""
    outs = carryforwards.select(
        "taxpayer_id", *(_cents(name).alias(name) for name in ("short_term_out", "long_term_out"))
    )
    joined = chain.drop("short_term_out", "long_term_out").join(outs, on="taxpayer_id", how="full", coalesce=True)
    return joined.with_columns(whole=pl.col("whole").fill_null(value=True)).select(_CHAIN.keys())


def _as_filed(chain: pl.DataFrame, filed: pl.DataFrame) -> pl.DataFrame:
    """`chain` with the carryovers that were filed in the place of the computed ones: they are known and whole."""
    outs = [_cents(name).alias(f"{name}_filed") for name in ("short_term_out", "long_term_out")]
    stated = filed.select("taxpayer_id", *outs, stands=pl.lit(value=True))
    joined = chain.join(stated, on="taxpayer_id", how="full", coalesce=True)
    carries = pl.col("short_term_out_filed", "long_term_out_filed") > 0
    return joined.with_columns(
        *(pl.coalesce(f"{name}_filed", name).alias(name) for name in ("short_term_out", "long_term_out")),
        whole=pl.coalesce("stands", "whole"),
        traced=pl.any_horizontal("traced", carries).fill_null(value=False),
    ).select(_CHAIN.keys())


def _chain(year: _Year, prior: pl.DataFrame) -> pl.DataFrame:
    """The chain after `year`; one unknown carry-in makes unknown what every spouse of the return takes on."""
    carries = pl.col("short_term_in", "long_term_in", "short_term_out", "long_term_out")
    gap = year.stopped.select(*RETURN, gap=pl.lit(value=True))
    now = year.people.join(gap, on=RETURN, how="left").select(
        "taxpayer_id",
        "short_term_out",
        "long_term_out",
        whole=~pl.col("broken").any().over(RETURN),
        traced=pl.any_horizontal("traced", "gap", pl.col("broken").any().over(RETURN), carries > 0),
    )
    absent = prior.join(now, on="taxpayer_id", how="anti").with_columns(
        short_term_out=pl.lit(None, pl.Int64), long_term_out=pl.lit(None, pl.Int64)
    )
    return pl.concat([now, absent])


def _fold_year(people: pl.DataFrame, rows: pl.DataFrame, prior: pl.DataFrame) -> _Year:
    """One year: carryovers in, the tax, carryovers out and whose they are."""
    people = _carry_in(people, rows, prior)
    brought = people.group_by(RETURN).agg(
        pl.col("short_term_in").sum().alias("short_term_carry_in"),
        pl.col("long_term_in").sum().alias("long_term_carry_in"),
    )
    rows = rows.join(brought, on=RETURN, how="left", maintain_order="left")
    huge = pl.any_horizontal(pl.col(*_KERNEL[1:]).abs() > AMOUNT_LIMIT)
    known = pl.col("active") | (pl.col("short_term_carry_in") + pl.col("long_term_carry_in") > 0)
    rows = rows.filter(pl.col("has_profile") | known).with_columns(
        reason=pl.when(~pl.col("has_profile"))
        .then(pl.lit("profile_missing"))
        .when(huge)
        .then(pl.lit("amount_out_of_range"))
    )
    taxed = _assessed(rows.filter(pl.col("reason").is_null()))
    return _Year(_carry_out(people, taxed), taxed, rows.drop_nulls("reason").select(*RETURN, "reason"))


def _carry_in(people: pl.DataFrame, rows: pl.DataFrame, prior: pl.DataFrame) -> pl.DataFrame:
    """Carryovers in: the firm's record for the taxpayer, else for the return, else last year's carryover out, else 0.

    What the return's record leaves beside the taxpayers' own is split between the others as the computed carryovers
    are, in equal parts where there are none. `*_blind`: neither a record nor a whole chain tells; `broken`: blind
    although the years before held sales or carryovers.
    """
    computed = {"short_term_out": "short_term_computed", "long_term_out": "long_term_computed"}
    people = (
        people.join(prior.rename(computed), on="taxpayer_id", how="left", maintain_order="left")
        .join(
            rows.select(*RETURN, "short_term_profile", "long_term_profile"),
            on=RETURN, how="left", maintain_order="left",
        )
        .with_columns(
            whole=pl.col("whole").fill_null(value=False),
            traced=pl.any_horizontal("traced", pl.col("first_sale") < pl.col("tax_year")).fill_null(value=False),
        )
    )  # fmt: skip
    for character in ("short_term", "long_term"):
        record, ours, profile = (pl.col(f"{character}_{name}") for name in ("record", "computed", "profile"))
        left = pl.max_horizontal(profile - record.sum().over(RETURN), 0)
        rest = pl.when(profile.is_not_null()).then(_split(left, ours.fill_null(0), record.is_null()))
        people = people.with_columns(pl.coalesce(record, rest).alias(f"{character}_record"))
        people = people.with_columns(
            pl.coalesce(record, ours, 0).alias(f"{character}_in"),
            (record.is_null() & (ours.is_null() | ~pl.col("whole"))).alias(f"{character}_blind"),
        )
    return people.with_columns(broken=pl.col("traced") & (pl.col("short_term_blind") | pl.col("long_term_blind")))


def _split(total: pl.Expr, weight: pl.Expr, among: pl.Expr | None = None) -> pl.Expr:
    """The part of the return's `total` of each member (`among`: each such) by `weight`, equal where all are 0.

    Cents left over go to the heaviest. 128 bits inside: cents times cents leave 64.
    """
    member = (pl.lit(value=True) if among is None else among).cast(pl.Int128)
    own = weight.cast(pl.Int128) * member
    wide = pl.when(own.sum().over(RETURN) > 0).then(own).otherwise(member)
    floor = total.cast(pl.Int128) * wide // wide.sum().over(RETURN)
    left = total - floor.sum().over(RETURN)
    heaviest = wide.rank("ordinal", descending=True).over(RETURN) == 1
    return (floor + pl.when(heaviest).then(left).otherwise(0)).cast(pl.Int64)


def _assessed(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with every line of the assessment; where the law's figures are missing, with Schedule D alone.

    Then line 21 takes the general limit of section 1211(b), and a carryover is known (zero) only without a net loss.
    """
    covered = rows.filter(pl.col("tax_year").is_in(YEARS))
    figures = assess(to_returns(covered))._asdict()
    return pl.concat([covered.with_columns(pl.Series(name, figures[name]) for name in _OUTCOME), _netted(rows)])


def _netted(rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.filter(~pl.col("tax_year").is_in(YEARS))
    given = to_returns(rows)
    lines = schedule_d(
        given.short_term, given.long_term, given.short_term_carry_in, given.long_term_carry_in, given.gain_28,
        given.unrecaptured_1250, TABLE.capital_loss_limit[0, given.status],
    )._asdict()  # fmt: skip
    nothing_out = pl.when(pl.col("line_16") >= 0).then(pl.lit(0, pl.Int64))
    none = pl.lit(None, pl.Int64)
    carries = dict.fromkeys(("deduction_used", "short_term_out", "long_term_out"), nothing_out)
    rest = {name: carries.get(name, none) for name in _OUTCOME if name not in lines}
    return rows.with_columns(pl.Series(name, line) for name, line in lines.items()).with_columns(**rest).select(
        *rows.columns, *_OUTCOME
    )  # fmt: skip


def _carry_out(people: pl.DataFrame, taxed: pl.DataFrame) -> pl.DataFrame:
    """Each taxpayer's part of the deduction and of the carryovers; null where the return's are not known."""
    short, long = (pl.col(f"{name}_net") - pl.col(f"{name}_in") for name in ("short_term", "long_term"))
    own_short, own_long, own = (pl.max_horizontal(-net, 0) for net in (short, long, short + long))
    whole = taxed.select(
        *RETURN, "deduction_used", "short_term_out", "long_term_out", deduction=pl.max_horizontal(-pl.col("line_21"), 0)
    )
    return people.join(whole, on=RETURN, how="left", maintain_order="left").with_columns(
        short_term_out=_split(pl.col("short_term_out"), own_short),
        long_term_out=_split(pl.col("long_term_out"), own_long),
        deduction=_split(pl.col("deduction"), own),
        deduction_used=_split(pl.col("deduction_used"), own),
    )


def _dollars(frame: pl.DataFrame, model: type[ScheduleD | Carryforwards | ReturnLines]) -> pl.DataFrame:
    """Int64 cents as the decimals of `model`."""
    columns = [name for name in model.to_schema().columns if name in frame.columns and name not in _KEYS]
    amounts = [_amount(name) for name in columns]
    return conform(frame.with_columns(*amounts, source=pl.lit("computed")), model)


_KEYS = ("return_id", "tax_year", "taxpayer_id", "form", "line", "state")


def _amount(column: str) -> pl.Expr:
    return (pl.col(column).cast(pl.Decimal(38, 0)) * pl.lit(Decimal("0.01"))).cast(CENTS)


def _carryforwards(people: pl.DataFrame) -> pl.DataFrame:
    return _dollars(people.drop_nulls("short_term_out"), Carryforwards).sort("tax_year", "return_id", "taxpayer_id")


def _conflicts(people: pl.DataFrame) -> pl.DataFrame:
    """Records against a whole chain, taxpayer by taxpayer, and against the return's own record, return by return."""
    frames = []
    for character in ("short", "long"):
        record, computed, profile = (f"{character}_term_{name}" for name in ("record", "computed", "profile"))
        of = people.with_columns(character=pl.lit(character))
        together = of.with_columns(pl.col(record).sum().over(RETURN)).filter(pl.col("place") == 0)
        for side, against in ((of.filter("whole"), computed), (together, profile)):
            amounts = {"recorded": _amount(record), "computed": _amount(against)}
            frames.append(side.select(*RETURN, "taxpayer_id", "character", **amounts))
    differing = pl.concat(frames).filter(pl.col("recorded") != pl.col("computed")).unique()
    return differing.sort(*RETURN, "taxpayer_id", "character", "recorded", "computed")


def _missing(taxed: pl.DataFrame, stopped: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    empty = taxed.select(*RETURN, column="asked").explode("column").drop_nulls("column")
    unlawful = taxed.filter(pl.col("short_term_out").is_null()).select(*RETURN, reason=pl.lit("law_year_missing"))
    frames = [stopped, unlawful, empty.with_columns(reason=pl.lit("profile_cell_empty"))]
    frames += [_opened_blind(people, taxed, character) for character in ("short_term", "long_term")]
    typed = pl.DataFrame(schema=MISSING)
    return pl.concat([typed, *frames], how="diagonal_relaxed").unique().sort(MISSING.keys(), nulls_last=False)


def _opened_blind(people: pl.DataFrame, taxed: pl.DataFrame, character: str) -> pl.DataFrame:
    """Taxpayers whose carry-in nothing tells: a broken chain, or a first year's empty cell."""
    return (
        people.join(taxed.select(RETURN), on=RETURN, how="semi")
        .filter(f"{character}_blind")
        .select(
            *RETURN,
            "taxpayer_id",
            reason=pl.when("broken").then(pl.lit("carry_chain_broken")).otherwise(pl.lit("profile_cell_empty")),
            column=pl.when(~pl.col("broken")).then(pl.lit(f"{character}_carry_in")),
        )
    )


def _made_out(taxed: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`taxed` with the taxes by the Tax Table, and the table `return_lines`."""
    lawful = taxed.drop_nulls("regular_tax")
    assessment = Assessment(**{name: lawful[name].to_numpy() for name in _OUTCOME})
    ready = return_ready(to_returns(lawful), assessment)
    by_table = [pl.Series(name, getattr(ready, name)) for name in ReturnReady._fields if name != "forms"]
    lawful = lawful.with_columns(by_table)
    taxed = taxed.join(
        lawful.select(*RETURN, *(series.name for series in by_table)), on=RETURN, how="left", maintain_order="left"
    )
    worksheets = return_lines.worksheets(lawful, ready)
    lines = pl.concat([return_lines.schedule_d(taxed), return_lines.form_1040(lawful), worksheets])
    return taxed, _dollars(lines, ReturnLines).sort("tax_year", "return_id", "form", "line")


def shared_out(totals: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """A return's carryovers out as each taxpayer's share (Reg. 1.1212-1(c)(1)(iii)).

    Args:
        totals: return_id, tax_year, short_term_out, long_term_out (dollars).
        members: return_id, tax_year, taxpayer_id, short_term_weight, long_term_weight: what each has to carry as
            computed (dollars or null).

    Returns:
        schemas.filed.StandingCarryovers; equal parts where nobody has anything to carry.
    """
    weights = [_cents(f"{name}_weight").fill_null(0).alias(f"{name}_weight") for name in ("short_term", "long_term")]
    rows = members.with_columns(weights).join(totals, on=RETURN).sort(*RETURN, "taxpayer_id")
    parts = rows.with_columns(
        _split(_cents(f"{name}_out"), pl.col(f"{name}_weight")).alias(f"{name}_out")
        for name in ("short_term", "long_term")
    )
    return conform(parts.with_columns(_amount("short_term_out"), _amount("long_term_out")), StandingCarryovers)
