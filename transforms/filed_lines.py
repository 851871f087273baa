"""The lines of filed returns: their names, what they carry over, and the returns in which they stand.

Which filing counts is in `filed`, what would change in `amendments`; the worksheets are in `returns` and `law`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from schemas.fields import CENTS
from schemas.filed import RecomputedLines, StandingCarryovers, StandingLines
from schemas.gate import conform, empty
from schemas.tax import Carryforwards, ReturnInputs, ReturnLines, ScheduleD
from transforms.exact import from_ints
from transforms.filed import of_primary
from transforms.firm import shown
from transforms.law.lines import return_ready
from transforms.law.parameters import YEARS
from transforms.law.tax import assess
from transforms.return_lines import BOX_LINES, form_1040_names
from transforms.returns import ReturnResults, shared_out, to_returns
from transforms.review import items

RETURN = ["return_id", "tax_year"]
LINE = [*RETURN, "form", "line"]
WORKSHEET = "Capital Loss Carryover Worksheet"
CARRIED = "Carryover by taxpayer"
"""A form of our own: line `short ann` is what Ann takes over of a return's short-term carryover."""
TAX = "Federal tax"
"""A form of our own: line `total`, regular tax, AMT and NIIT as the filed lines have it."""
FORM_8949 = "Form 8949"
_COLUMNS = {"proceeds": "d", "basis": "e", "adjustment": "g", "gain": "h"}
_KNOWN: Mapping[str, tuple[str, ...]] = {
    "Schedule D": (
        "6",
        "7",
        "14",
        "15",
        "16",
        "18",
        "19",
        "21",
        *(f"{line}({column})" for line in BOX_LINES for column in "degh"),
    ),
    WORKSHEET: tuple(str(number) for number in range(1, 14)),
    "Form 8960": ("12", "13", "14", "15", "16", "17"),
    "Form 6251": ("4", "5", "6", "7", "10", "11"),
    FORM_8949: tuple(f"{box} ({column})" for box in "ABCDEFGHIJKL" for column in "degh"),
}
"""Lines that these books compute, whether or not a return has them; those of Form 1040 go by the year."""
_FORMS = {
    **dict.fromkeys(("schedule d", "sch d", "1040 schedule d", "schedule d (form 1040)", "d"), "Schedule D"),
    **dict.fromkeys(("1040", "form 1040", "1040-sr", "form 1040-sr", "1040-x", "form 1040-x"), "Form 1040"),
    **dict.fromkeys(("8949", "form 8949"), FORM_8949),
    **dict.fromkeys(("8960", "form 8960"), "Form 8960"),
    **dict.fromkeys(("6251", "form 6251"), "Form 6251"),
    **dict.fromkeys(("capital loss carryover worksheet", "carryover worksheet", "carryover"), WORKSHEET),
    CARRIED.lower(): CARRIED,
}
"""What people write for a form."""
_FIGURES = {
    "line_6": ("Schedule D", "6"), "line_7": ("Schedule D", "7"), "line_14": ("Schedule D", "14"),
    "line_15": ("Schedule D", "15"), "line_16": ("Schedule D", "16"), "line_21": ("Schedule D", "21"),
    "short_term_out": (WORKSHEET, "8"), "long_term_out": (WORKSHEET, "13"),
}  # fmt: skip
_TAXES = ("regular_tax_table", "amt_table", "niit")
"""A return is filed by the Tax Table."""
_OF_1040 = ("taxable_income", *_TAXES)


class Stated(NamedTuple):
    """What filed returns say, and what the same lines come to from the events alone."""

    lines: pl.DataFrame
    """schemas.filed.StandingLines of returns whose lines are on record."""
    carryovers: pl.DataFrame
    """schemas.filed.StandingCarryovers of the same."""
    recomputed: pl.DataFrame
    """schemas.filed.RecomputedLines of every filed return that is computed."""
    questions: list[pl.DataFrame]


class Published(NamedTuple):
    """The returns with the filed ones as filed, and the lines that stand from tonight on."""

    schedule_d: pl.DataFrame
    carryforwards: pl.DataFrame
    return_lines: pl.DataFrame
    returns: pl.DataFrame
    pending: pl.DataFrame
    """schemas.filed.StandingLines of filed returns of which no line is on record yet."""


# --- names ------------------------------------------------------------------------------------------------------------


def named(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with form and line as `return_lines` names them; a name that nobody knows stays as it is.

    Args:
        lines: form, line: "1040", "Form 1040" and "Line 16", "16" are the same; the lines of Schedules 1 to 4 are those
            of Form 1040; the totals of Form 8949 are by box and column, as in "C (h)" (a box alone is its gain).
    """
    form, line = (pl.col(name).str.strip_chars().str.replace_all(r"\s+", " ") for name in ("form", "line"))
    schedule = (
        form.str.to_lowercase().str.extract(r"^schedule ([1-4](?:-a)?)(?: \(form 1040\))?$", 1).str.to_uppercase()
    )
    plain = line.str.replace(r"(?i)^lines? ", "")
    box = plain.str.to_lowercase().str.extract_groups(
        r"^(?:part i+ )?(?:box )?([a-l])(?:[ ,]*(?:\(([degh])\)|(proceeds|basis|cost|adjustment|gain)))?$"
    )
    column = pl.coalesce(
        box.struct.field("2"),
        box.struct.field("3").replace({**_COLUMNS, "cost": "e"}),
        pl.lit("h"),
    )
    known = form.str.to_lowercase().replace_strict(_FORMS, default=None, return_dtype=pl.String)
    totals = (known == FORM_8949) & box.struct.field("1").is_not_null()
    return lines.with_columns(
        form=pl.when(schedule.is_not_null()).then(pl.lit("Form 1040")).otherwise(pl.coalesce(known, form)),
        line=pl.when(totals)
        .then(pl.format("{} ({})", box.struct.field("1").str.to_uppercase(), column))
        .when(schedule.is_not_null())
        .then(pl.format("Schedule {} line {}", schedule, plain))
        .otherwise(plain),
    )


def _understood(years: list[int], members: pl.DataFrame) -> pl.DataFrame:
    """tax_year, form, line, figure: every line that these books compute, the figure's name where we use it."""
    rows: list[tuple[int, str, str, str | None]] = []
    for year in years:
        of_1040 = form_1040_names(year)
        rows += [
            (year, form, line, None)
            for form, lines in _KNOWN.items()
            for line in lines
            if (form, line) not in _FIGURES.values()
        ]
        rows += [(year, form, line, name) for name, (form, line) in _FIGURES.items()]
        rows += [(year, "Form 1040", line, name if name in _OF_1040 else None) for name, line in of_1040.items()]
    types = {"tax_year": pl.Int64, "form": pl.String, "line": pl.String, "figure": pl.String}
    own = [
        members.select(
            "tax_year",
            form=pl.lit(CARRIED),
            line=pl.format(f"{term} {{}}", "taxpayer_id"),
            figure=pl.lit(None, pl.String),
        )
        for term in ("short", "long")
    ]
    return pl.concat([pl.DataFrame(rows, schema=types, orient="row"), *own]).unique(["tax_year", "form", "line"])


def _figures(lines: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """A row a return: the amounts of the lines that we use, null where the filing does not say them."""
    found = lines.join(names.drop_nulls("figure"), on=["tax_year", "form", "line"])
    every = [*_FIGURES, *_OF_1040]
    amounts = [pl.col("amount").filter(pl.col("figure") == name).first().alias(name) for name in every]
    return found.group_by(RETURN).agg(amounts)


# --- what the books compute -------------------------------------------------------------------------------------------


def computed(results: ReturnResults, form_8949: pl.DataFrame) -> pl.DataFrame:
    """Every line of every return: `return_lines`, the totals of Form 8949 by box, and the carryovers with their zeros."""
    totals = form_8949.group_by(*RETURN, "box").agg(pl.col(*_COLUMNS).sum())
    boxes = [
        totals.select(
            *RETURN, form=pl.lit(FORM_8949), line=pl.format("{} ({})", "box", pl.lit(letter)), amount=pl.col(name)
        )
        for name, letter in _COLUMNS.items()
    ]
    shares = results.carryforwards
    whole = shares.group_by(RETURN).agg(pl.col("short_term_out", "long_term_out").sum(), people=pl.len())
    carried = [whole.select(*RETURN, form=pl.lit(form), line=pl.lit(line), amount=pl.col(name))
               for name, (form, line) in _FIGURES.items() if form == WORKSHEET]  # fmt: skip
    joint = shares.join(whole.filter(pl.col("people") > 1), on=RETURN, how="semi")
    by_taxpayer = [
        joint.select(
            *RETURN, form=pl.lit(CARRIED), line=pl.format(f"{term} {{}}", "taxpayer_id"), amount=f"{term}_term_out"
        )
        for term in ("short", "long")
    ]
    tax = results.schedule_d.drop_nulls("federal_tax_table").select(
        *RETURN, form=pl.lit(TAX), line=pl.lit("total"), amount="federal_tax_table"
    )
    every = [results.return_lines, *carried, *boxes, *by_taxpayer, tax]
    rows = pl.concat([conform(rows.with_columns(pl.col("amount").cast(CENTS)), RecomputedLines) for rows in every])
    return rows.unique(LINE, keep="first", maintain_order=True)


# --- what stands ------------------------------------------------------------------------------------------------------


def stated(
    lines: pl.DataFrame, returns: pl.DataFrame, members: pl.DataFrame, shadow: ReturnResults, form_8949: pl.DataFrame
) -> Stated:
    """The filed lines by the names of these books, and the carryovers out that follow from them.

    Carried over is what the filed worksheet says (lines 8 and 13); without it what lines 7 and 15 of the filed Schedule
    D come to with the rest of the return as computed; without these what the books compute, and that is asked. The
    spouses' shares are those on record (form `Carryover by taxpayer`) where they sum to it, else as computed.

    Args:
        lines: schemas.filed.FiledFormLines.
        returns: schemas.filed.FiledReturns.
        members: return_id, tax_year, taxpayer_id, role.
        shadow: the returns as if nothing had been filed.
        form_8949: schemas.tax.Form8949.
    """
    ours = members.join(returns, on=RETURN, how="semi")
    names = _understood(lines["tax_year"].unique().sort().to_list(), ours)
    said = named(lines)
    once = said.unique(LINE, keep="first", maintain_order=True)
    figures = lines.select(RETURN).unique().join(_figures(once, names), on=RETURN, how="left")
    implied = _implied(figures, shadow)
    recomputed = computed(shadow, form_8949).join(returns, on=RETURN, how="semi")
    outs = _outs(figures, implied, shadow)
    derived = [
        outs.drop_nulls(name).select(*RETURN, form=pl.lit(form), line=pl.lit(line), amount=name)
        for name, (form, line) in _FIGURES.items()
        if form == WORKSHEET
    ]
    derived.append(_filed_tax(figures, implied, shadow))
    whole = lines.select(*RETURN, "whole").unique(RETURN)
    added = pl.concat([conform(rows, RecomputedLines) for rows in derived]).join(once, on=LINE, how="anti")
    known = pl.concat(
        [recomputed.select(LINE), once.join(names, on=["tax_year", "form", "line"], how="semi").select(LINE)]
    )
    strange = once.join(known, on=LINE, how="anti")
    every = [
        once.join(known, on=LINE, how="semi").with_columns(said=pl.lit(True)),
        strange.with_columns(said=pl.lit(True), known=pl.lit(False)),
        added.join(whole, on=RETURN).with_columns(said=pl.lit(False)),
    ]
    standing = pl.concat([conform(rows.with_columns(pending=pl.lit(False)), StandingLines) for rows in every])
    standing = standing.with_columns(pl.col("known").fill_null(value=True))
    return Stated(
        standing.sort(LINE),
        _shares(outs, once, ours, shadow),
        recomputed.sort(LINE),
        _questions(said, strange, recomputed, figures, outs, members),
    )


def _implied(figures: pl.DataFrame, shadow: ReturnResults) -> pl.DataFrame:
    """Carryovers and tax of the filed lines 7 and 15 with the rest of the return as computed, in dollars."""
    types: dict[str, Any] = {"return_id": pl.String, "tax_year": pl.Int64, "short_term_implied": CENTS, "long_term_implied": CENTS, "tax_implied": CENTS}  # fmt: skip
    given = figures.drop_nulls(["line_7", "line_15"]).filter(pl.col("tax_year").is_in(YEARS))
    rows = shadow.returns.join(
        given.select(*RETURN, "line_7", "line_15"), on=RETURN, maintain_order="left"
    ).with_columns(
        short_term=_int_cents("line_7") + pl.col("short_term_carry_in"),
        long_term=_int_cents("line_15") + pl.col("long_term_carry_in"),
    )
    if rows.is_empty():
        return pl.DataFrame(schema=types)
    given_rows = to_returns(rows)
    done = assess(given_rows)
    columns = {
        "short_term_implied": done.short_term_out,
        "long_term_implied": done.long_term_out,
        "tax_implied": return_ready(given_rows, done).federal_tax_table,
    }
    amounts = [from_ints(name, [int(value) for value in values], CENTS) for name, values in columns.items()]
    return rows.select(RETURN).with_columns(amounts)


def _int_cents(column: str) -> pl.Expr:
    return pl.col(column).cast(CENTS).to_physical().cast(pl.Int64)


def _outs(figures: pl.DataFrame, implied: pl.DataFrame, shadow: ReturnResults) -> pl.DataFrame:
    """A return's carryovers out as filed, and `asked`: whether no line of the filing tells one."""
    whole = shadow.carryforwards.group_by(RETURN).agg(
        short_term_computed=pl.col("short_term_out").sum(), long_term_computed=pl.col("long_term_out").sum()
    )
    rows = figures.join(implied, on=RETURN, how="left").join(whole, on=RETURN, how="left")
    no_loss = pl.when(pl.col("line_16") >= 0).then(pl.lit(0, CENTS))
    told = {
        name: pl.coalesce(_loss(f"{name}_out"), f"{name}_implied", no_loss).cast(CENTS)
        for name in ("short_term", "long_term")
    }
    return rows.select(
        *RETURN,
        *(pl.coalesce(of, f"{name}_computed").cast(CENTS).alias(f"{name}_out") for name, of in told.items()),
        asked=pl.any_horizontal(of.is_null() for of in told.values()),
    )


def _loss(column: str) -> pl.Expr:
    """A carryover is a positive amount on the worksheet; a negative one says nothing that we could take over."""
    return pl.when(pl.col(column) >= 0).then(pl.col(column))


def _filed_tax(figures: pl.DataFrame, implied: pl.DataFrame, shadow: ReturnResults) -> pl.DataFrame:
    """The tax as filed: the filed taxes, of those not on record the computed ones; else that of lines 7 and 15."""
    ours = shadow.schedule_d.select(
        *RETURN, "federal_tax_table", *(pl.col(name).alias(f"{name}_computed") for name in _TAXES)
    )
    rows = figures.join(implied, on=RETURN, how="left").join(ours, on=RETURN, how="left")
    changes = [pl.coalesce(pl.col(name) - pl.col(f"{name}_computed"), pl.lit(0, CENTS)) for name in _TAXES]
    stated_tax = pl.col("regular_tax_table").is_not_null()
    by_lines = pl.when(stated_tax).then(pl.col("federal_tax_table") + pl.sum_horizontal(changes))
    amount = pl.coalesce(by_lines, "tax_implied").cast(CENTS)
    return rows.select(*RETURN, form=pl.lit(TAX), line=pl.lit("total"), amount=amount).drop_nulls("amount")


def _shares(outs: pl.DataFrame, lines: pl.DataFrame, members: pl.DataFrame, shadow: ReturnResults) -> pl.DataFrame:
    """Each taxpayer's carryovers out of a filed year."""
    weights = shadow.carryforwards.select(*RETURN, "taxpayer_id", short_term_weight="short_term_out", long_term_weight="long_term_out")  # fmt: skip
    people = members.select(*RETURN, "taxpayer_id").join(weights, on=[*RETURN, "taxpayer_id"], how="left")
    known = outs.drop_nulls(["short_term_out", "long_term_out"])
    shares = shared_out(known, people)
    for term in ("short", "long"):
        own = lines.filter(pl.col("form") == CARRIED).select(*RETURN, "line", own="amount")
        shares = (
            shares.with_columns(line=pl.format(f"{term} {{}}", "taxpayer_id"))
            .join(own, on=[*RETURN, "line"], how="left")
            .with_columns(fits=pl.col("own").sum().over(RETURN) == pl.col(f"{term}_term_out").sum().over(RETURN))
            .with_columns(
                pl.when(pl.col("fits") & pl.col("own").is_not_null().all().over(RETURN))
                .then("own")
                .otherwise(f"{term}_term_out")
                .alias(f"{term}_term_out")
            )
            .drop("line", "own", "fits")
        )
    return conform(shares, StandingCarryovers).sort("tax_year", "taxpayer_id")


def _questions(
    said: pl.DataFrame,
    strange: pl.DataFrame,
    recomputed: pl.DataFrame,
    figures: pl.DataFrame,
    outs: pl.DataFrame,
    members: pl.DataFrame,
) -> list[pl.DataFrame]:
    """Filed lines that cannot be compared, and filings that tell no carryover or that nothing recomputes."""
    twice = said.filter(pl.len().over(LINE) > 1).unique(LINE)
    bare = figures.join(recomputed, on=RETURN, how="anti")
    # the form prints losses in brackets: carryovers in, and what a loss year deducts
    losses = (pl.col("form") == "Schedule D") & pl.col("line").is_in(["6", "14"])
    deducted = (pl.col("form") == "Schedule D") & (pl.col("line") == "21")
    loss_years = figures.filter(pl.col("line_16") < 0).select(*RETURN, loss_year=pl.lit(value=True))
    signed = said.join(loss_years, on=RETURN, how="left").filter(
        (pl.col("amount") > 0) & (losses | (deducted & pl.col("loss_year").fill_null(value=False)))
    )

    def about(rows: pl.DataFrame) -> pl.DataFrame:
        what = pl.concat_str(shown(pl.col("form")), pl.lit(" line "), shown(pl.col("line")))
        named_so = rows.with_columns(file_id=pl.concat_str(pl.lit("filed_lines:"), what), what=what)
        return of_primary(named_so, members)

    return [
        items(
            about(strange), "filed_line_unknown", "warning",
            pl.format("{}: {} as filed ({}) is no line that these books compute: it is kept and not compared", "tax_year", "what", "amount"),
            "Name the line as docs/firm-folder.md lists them, or check by hand whether it would change.", pl.col("amount"),
        ),
        items(
            about(twice), "filed_line_twice", "warning",
            pl.format("{}: {} is filed under two names; the first row counts", "tax_year", "what"),
            "Keep one of the rows in filed_lines.csv.",
        ),
        items(
            about(signed), "filed_line_sign", "blocking",
            pl.format("{}: {} as filed ({}) is a loss that is entered as a gain", "tax_year", "what", "amount"),
            "The form prints losses in brackets: enter the amount with a minus in filed_lines.csv.", pl.col("amount"),
        ),
        items(
            of_primary(outs.filter("asked"), members), "filed_carryover_not_stated", "warning",
            pl.format("{}: no filed line tells the carryover out; the next year opens from the recomputed one", "tax_year"),
            "Enter lines 8 and 13 of the Capital Loss Carryover Worksheet, or lines 7 and 15 of Schedule D, in filed_lines.csv.",
        ),
        items(
            of_primary(bare, members), "filed_not_recomputed", "warning",
            pl.format("{}: the filed return cannot be recomputed (no profile, or no law of that year)", "tax_year"),
            "Add the year to profiles.csv, so that a difference is found.",
        ),
    ]  # fmt: skip


# --- what is published ------------------------------------------------------------------------------------------------


def published(
    shadow: ReturnResults, stood: ReturnResults, given: Stated, returns: pl.DataFrame, form_8949: pl.DataFrame
) -> Published:
    """The returns: those on record as filed, the others as computed from what was filed before them.

    Args:
        shadow: the returns as if nothing had been filed.
        stood: the returns with the filed carryovers (`Stated.carryovers`).
        given: what is on record.
        returns: schemas.filed.FiledReturns; one without lines stands as computed tonight.
        form_8949: schemas.tax.Form8949.
    """
    on_record = given.lines.select(RETURN).unique()
    bare = returns.filter(pl.col("lines_from").is_null()).select(RETURN)

    def base(of: str, model: type[ScheduleD | Carryforwards | ReturnLines | ReturnInputs]) -> pl.DataFrame:
        one, other = getattr(stood, of), getattr(shadow, of)
        rows = pl.concat([one.join(on_record, on=RETURN, how="anti"), other.join(on_record, on=RETURN, how="semi")])
        filed = pl.concat([on_record, bare]).with_columns(filed=pl.lit(True))
        sourced = rows.join(filed, on=RETURN, how="left").with_columns(source=pl.when("filed").then(pl.lit("filed")).otherwise(pl.lit("computed")))  # fmt: skip
        return conform(sourced, model)

    pending = computed(stood, form_8949).join(bare, on=RETURN, how="semi").filter(pl.col("form") != TAX)
    pending = conform(
        pending.with_columns(whole=pl.lit(True), said=pl.lit(True), known=pl.lit(True), pending=pl.lit(True)),
        StandingLines,
    ).sort(LINE)
    return Published(
        schedule_d=_schedule_d(base("schedule_d", ScheduleD), given),
        carryforwards=_carryforwards(base("carryforwards", Carryforwards), given),
        return_lines=_return_lines(base("return_lines", ReturnLines), given, pending),
        returns=base("returns", ReturnInputs).sort("tax_year", "return_id"),
        pending=pending,
    )


def _schedule_d(rows: pl.DataFrame, given: Stated) -> pl.DataFrame:
    """Each figure that the filing states in the place of the computed one."""
    names = _understood(
        given.lines["tax_year"].unique().sort().to_list(),
        pl.DataFrame(schema={"tax_year": pl.Int64, "taxpayer_id": pl.String}),
    )
    figures = _figures(given.lines, names)
    tax = given.lines.filter(pl.col("form") == TAX).select(*RETURN, federal_tax_table_filed="amount")
    joined = rows.join(figures, on=RETURN, how="left", suffix="_filed", maintain_order="left").join(
        tax, on=RETURN, how="left", maintain_order="left"
    )
    net = pl.coalesce("line_16_filed", pl.col("line_7_filed") + pl.col("line_15_filed"))
    columns = ["line_7", "line_15", "taxable_income", *_TAXES, "federal_tax_table"]
    planned = {"regular_tax": "regular_tax_table", "amt": "amt_table", "federal_tax": "federal_tax_table"}
    return conform(
        joined.with_columns(
            *(pl.coalesce(f"{name}_filed", name).cast(CENTS).alias(name) for name in columns),
            *(_planned(name, said) for name, said in planned.items()),
            line_16=pl.coalesce(net, "line_16").cast(CENTS),
            line_21=pl.coalesce("line_21_filed", pl.when(net >= 0).then(net), "line_21").cast(CENTS),
        ),
        ScheduleD,
    ).sort("tax_year", "return_id")


def _planned(name: str, said: str) -> pl.Expr:
    """A tax by the rate schedules; the filed one in its place where that is another than the table's."""
    other = (pl.col(f"{said}_filed") != pl.col(said)).fill_null(value=False)
    return pl.when(other).then(f"{said}_filed").otherwise(name).cast(CENTS).alias(name)


def _carryforwards(rows: pl.DataFrame, given: Stated) -> pl.DataFrame:
    stands = given.carryovers.select(*RETURN, "taxpayer_id", short_filed="short_term_out", long_filed="long_term_out")
    joined = rows.join(stands, on=[*RETURN, "taxpayer_id"], how="left", maintain_order="left")
    return conform(
        joined.with_columns(
            short_term_out=pl.coalesce("short_filed", "short_term_out"),
            long_term_out=pl.coalesce("long_filed", "long_term_out"),
        ),
        Carryforwards,
    ).sort("tax_year", "return_id", "taxpayer_id")


def _return_lines(rows: pl.DataFrame, given: Stated, pending: pl.DataFrame) -> pl.DataFrame:
    """Filed lines first; of a filing whose every line is on record nothing else."""
    said = pl.concat([given.lines, pending]).filter(pl.col("said") & (pl.col("form") != CARRIED))
    full = said.filter("whole").select(RETURN).unique()
    rest = (
        rows.join(said, on=LINE, how="anti").join(full, on=RETURN, how="anti").with_columns(source=pl.lit("computed"))
    )
    filed = said.with_columns(source=pl.lit("filed"))
    return pl.concat([conform(filed, ReturnLines), conform(rest, ReturnLines)]).sort(
        "tax_year", "return_id", "form", "line"
    )


def nothing() -> Stated:
    """No filing at all."""
    return Stated(empty(StandingLines), empty(StandingCarryovers), empty(RecomputedLines), [])
