"""The table `return_lines`: every line of a return's forms by the names of its year. The arithmetic stays in `law`."""

from __future__ import annotations

import polars as pl

from schemas import gate
from schemas.fields import CENTS
from schemas.tax import ReturnLines
from transforms.law.lines import Form, ReturnReady

RETURN = ["return_id", "tax_year"]
LINES = {"return_id": pl.String, "tax_year": pl.Int64, "line": pl.String, "amount": pl.Int64, "form": pl.String}
BOX_LINES = {
    "1b": ("A", "G"), "2": ("B", "H"), "3": ("C", "I"), "8b": ("D", "J"), "9": ("E", "K"), "10": ("F", "L"),
}  # fmt: skip
"""Line of Schedule D: the boxes of Form 8949 that it totals; G to L are of digital assets from 2025."""
COLUMNS = {"d": "proceeds", "e": "basis", "g": "adjustment", "h": "gain"}
"""Column of Schedule D: column of `form_8949`."""

_FORM_1040 = {
    # name in the assessment: line of Form 1040 from a year on (the 2026 form as that of 2025)
    "line_21": {2013: "13", 2018: "Schedule 1 line 13", 2019: "6", 2020: "7", 2025: "7a"},
    "taxable_social_security": {2013: "20b", 2018: "5b", 2020: "6b"},
    "agi": {2013: "37", 2018: "7", 2019: "8b", 2020: "11", 2025: "11a"},
    "deduction_taken": {2013: "40", 2018: "8", 2019: "9", 2020: "12", 2021: "12a", 2022: "12", 2025: "12e"},
    "exemption_deduction": {2013: "42", 2018: ""},
    "senior_deduction": {2025: "Schedule 1-A line 37"},
    "taxable_income": {2013: "43", 2018: "10", 2019: "11b", 2020: "15"},
    "regular_tax_table": {2013: "44", 2018: "11a", 2019: "12a", 2020: "16"},
    "amt_table": {2013: "45", 2018: "Schedule 2 line 45", 2019: "Schedule 2 line 1", 2025: "Schedule 2 line 2"},
    "niit": {
        2013: "60", 2014: "62", 2018: "Schedule 4 line 62", 2019: "Schedule 2 line 8", 2020: "Schedule 2 line 12",
    },
}  # fmt: skip


def schedule_d(taxed: pl.DataFrame) -> pl.DataFrame:
    """Lines 6 to 21 of Schedule D of every return (`LINES`), with what the profile adds to the lines of the boxes.

    `taxed` holds line_6 to line_21 in cents, and short_term_other and long_term_other: the profile's own gains, whose
    lines among 1a to 5 and 8a to 13 are not known and which are shown under those names so that 7 and 15 foot.
    """
    both_gains = (pl.col("line_15") > 0) & (pl.col("line_16") > 0)
    amounts = {line: pl.col(f"line_{line}") for line in ("6", "7", "14", "15", "16")}
    amounts |= {line: pl.when(both_gains).then(f"line_{line}") for line in ("18", "19")}
    amounts["21"] = pl.when(pl.col("line_16") < 0).then("line_21")
    others = {"1a-5 (profile)": "short_term_other", "8a-13 (profile)": "long_term_other"}
    amounts |= {line: pl.when(pl.col(name) != 0).then(name) for line, name in others.items()}
    return _lines(taxed, "Schedule D", amounts)


def form_1040(lawful: pl.DataFrame) -> pl.DataFrame:
    """Lines of Form 1040 and of its schedules by the names of the year (`LINES`), the tax by the Tax Table."""
    frames = [pl.DataFrame(schema=LINES)]
    for year in sorted(lawful["tax_year"].unique()):
        amounts = {line: pl.col(name) for name, line in form_1040_names(year).items()}
        frames.append(_lines(lawful.filter(pl.col("tax_year") == year), "Form 1040", amounts))
    return pl.concat(frames)


def worksheets(lawful: pl.DataFrame, ready: ReturnReady) -> pl.DataFrame:
    """The forms of `ready`, whose rows are those of `lawful` (`LINES`)."""
    return pl.concat([pl.DataFrame(schema=LINES), *(_form(lawful, form) for form in ready.forms)])


def boxes(form_8949: pl.DataFrame) -> pl.DataFrame:
    """Schedule D lines 1b to 10 from the lines of Form 8949, as table `return_lines`.

    Columns (d) proceeds, (e) basis, (g) adjustment and (h) gain of each box's line, named as in `3(h)`; cents are added
    as cents and no line is rounded (Instructions Schedule D; tax rules 3.1, 3.4).
    """
    lines = {box: line for line, of in BOX_LINES.items() for box in of}
    totals = (
        form_8949.with_columns(of=pl.col("box").replace_strict(lines, return_dtype=pl.String))
        .group_by(*RETURN, "of")
        .agg(pl.col(name).sum().cast(CENTS).alias(column) for column, name in COLUMNS.items())
        .unpivot(index=[*RETURN, "of"], variable_name="column", value_name="amount")
    )
    named = totals.select(
        *RETURN,
        form=pl.lit("Schedule D"),
        line=pl.format("{}({})", "of", "column"),
        amount=pl.col("amount").cast(CENTS),
        source=pl.lit("computed"),
    )
    return gate.conform(named, ReturnLines).sort("tax_year", "return_id", "form", "line")


def _form(lawful: pl.DataFrame, form: Form) -> pl.DataFrame:
    columns = {line: pl.Series(amounts) for line, amounts in form.lines.items()}
    shown = lawful.select(RETURN).with_columns(pl.Series(name, line) for name, line in columns.items())
    for line, cells in form.blank.items():
        shown = shown.with_columns(pl.when(~pl.Series(cells)).then(pl.col(line)).alias(line))
    return _lines(shown.filter(pl.Series(form.used)), form.name, {line: pl.col(line) for line in columns})


def _lines(frame: pl.DataFrame, form: str, amounts: dict[str, pl.Expr]) -> pl.DataFrame:
    """A row a return and line; a null amount is a line left blank."""
    return (
        frame.select(*RETURN, **amounts)
        .unpivot(index=RETURN, variable_name="line", value_name="amount")
        .drop_nulls("amount")
        .select(*RETURN, "line", pl.col("amount").cast(pl.Int64), form=pl.lit(form))
    )


def form_1040_names(year: int) -> dict[str, str]:
    """Line of Form 1040 by its name in the assessment, as the form of the year numbers it."""
    names = {name: _line_of(since, year) for name, since in _FORM_1040.items()}
    return {name: line for name, line in names.items() if line}


def _line_of(since: dict[int, str], year: int) -> str | None:
    return next((since[first] for first in sorted(since, reverse=True) if first <= year), None)
