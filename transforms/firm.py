"""The firm's folder as checked frames: cells to types, what is wrong with them, who files with whom, who lives where.

No file is opened here and no rule of tax computed. Formats: `schemas.inputs`. A row that cannot be used is left out and
its client stopped; a file that cannot be understood as a whole stops the night (`FirmFolderError`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from schemas.fields import INSTANT, QUANTITY
from schemas.gate import conform, dtypes, empty
from schemas.inputs import INPUTS, POSITIONS, FirmSettings, FolderProblems, PlatformCost, time_zones
from schemas.review import ReviewItems
from transforms.exact import decimal_text, digits_past_18
from transforms.ids import content_id
from transforms.law import wash_sale_rules

_CLIENT = ("taxpayer_id", "account_id", "return_id", "event_id")
_LEFT_OUT = "correct the row; until then it is left out and its client stopped"
_REFUSED = "correct the file; the night does not run before"
_SHOWN = 60


class FirmFolderError(Exception):
    """The folder cannot be used as a whole; the text names each file, column, what was found and what is allowed."""

    def __init__(self, problems: pl.DataFrame) -> None:
        super().__init__("\n".join(problems.select(sentence()).to_series()))
        self.problems = problems


class Sheet(Protocol):
    """A CSV as text cells; `line_nos` holds the line (from 1) on which each row starts."""

    @property
    def rows(self) -> list[list[str]]: ...  # noqa: D102 - the class says it
    @property
    def line_nos(self) -> list[int]: ...  # noqa: D102


class Reading(NamedTuple):
    """A table of the folder: its good rows (the model's columns and `row_no`) and what is wrong with the others."""

    frame: pl.DataFrame
    problems: pl.DataFrame


@dataclass(frozen=True)
class Firm:
    """The folder, checked: a frame for every name of `INPUTS`, what is wrong, and the clients stopped by it.

    `as_read`: the tables before a row fell because what it names is broken or missing; they tell who belongs together.
    """

    settings: FirmSettings
    tables: Mapping[str, pl.DataFrame]
    problems: pl.DataFrame
    stopped: tuple[str, ...]
    as_read: Mapping[str, pl.DataFrame]

    def __getitem__(self, name: str) -> pl.DataFrame:
        return self.tables[name]


# --- cells -----------------------------------------------------------------------------------------------------------


def shown(expr: pl.Expr) -> pl.Expr:
    """Text fit for a message: no control or bidirectional characters, at most 60 characters."""
    printable = expr.str.replace_all(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]", " ")
    return pl.when(printable.str.len_chars() > _SHOWN).then(printable.str.head(_SHOWN - 1) + "…").otherwise(printable)


def cell(column: str, dtype: pl.DataType) -> pl.Expr:
    """A text column as `dtype`; null where the text is no such value, or carries more decimals than `dtype` keeps."""
    text = pl.col(column)
    if isinstance(dtype, pl.Decimal):
        value = decimal_text(text)
        kept = value.cast(dtype, strict=False)
        return pl.when((kept.cast(QUANTITY) == value) & ~digits_past_18(text)).then(kept)
    if dtype == pl.Date:
        return pl.when(text.str.contains(r"^\d{4}-\d{2}-\d{2}$")).then(text.str.to_date("%Y-%m-%d", strict=False))
    if dtype == INSTANT:
        whole = text.str.contains(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})$")
        offset = text.str.replace(" ", "T").str.replace(r"Z$", "+00:00").str.replace(r"^(.{16})([+-])", "${1}:00${2}")
        return pl.when(whole).then(offset.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False))
    if dtype == pl.Boolean:
        words = {"true": True, "yes": True, "false": False, "no": False}
        return text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
    if dtype.is_integer():
        return pl.when(text.str.contains(r"^-?\d{1,9}$")).then(text.cast(dtype, strict=False))
    return text


def _expected_type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Decimal):
        return f"a number such as 1234.5 with at most {dtype.scale} decimals"
    words = {
        pl.Date: "a date such as 2025-12-31",
        pl.Datetime: "an instant with its offset, such as 2025-12-31T16:00:00-05:00",
        pl.Boolean: "true or false",
    }
    return words.get(dtype.base_type(), "a whole number")


def _expected_value(model: type[pa.DataFrameModel], column: str, check: str, number: int | None) -> str:
    """What a check of the model asks for, in words."""
    schema = model.to_schema()
    if check == "multiple_fields_uniqueness":
        return f"one row for each {' + '.join(schema.unique)}"
    if column not in schema.columns:
        return check  # a check of the whole row: its error text says it
    if number is None:
        return "a value"
    statistics = schema.columns[column].checks[number].statistics
    words = {"min_value": "{} or more", "max_value": "{} or less"}
    if check.startswith("greater_than("):
        words["min_value"] = "more than {}"
    if check.startswith("less_than("):
        words["max_value"] = "less than {}"
    if "allowed_values" in statistics:
        return "one of: " + ", ".join(statistics["allowed_values"])
    if check.startswith("str_length"):
        return "{min_value} to {max_value} characters".format(**statistics)
    text = " and ".join(words[key].format(value) for key, value in statistics.items() if key in words)
    return text or schema.columns[column].description or check


# --- one table -------------------------------------------------------------------------------------------------------


def header_columns(name: str) -> tuple[list[str], list[str]]:
    """All columns of a file, and those of them that its header must have."""
    given = INPUTS[name]
    columns = given.model.to_schema().columns
    needed = [c for c, k in columns.items() if not k.nullable and c not in given.defaults]
    return list(columns), needed


def read_table(name: str, rows: Sequence[Sequence[str]], line_nos: Sequence[int]) -> Reading:
    """The rows of a CSV as typed columns, by the model that `INPUTS` names.

    Args:
        name: a name of `INPUTS`.
        rows: text cells, the header first; no rows at all is an empty table.
        line_nos: the line on which each row starts.

    Returns:
        The rows that hold, with `row_no`, and `FolderProblems`: a column that is unknown, twice there or missing is
        fatal; a cell of the wrong type or value, a ragged row or a key given twice costs the row (all rows of the key).
    """
    header = [text.strip() for text in rows[0]] if rows else []
    while header and not header[-1]:  # a spreadsheet's trailing commas
        header.pop()
    fatal = _header_problems(name, header) if header else _no_problems()
    if fatal.height or not header:
        return Reading(empty(INPUTS[name].model).with_columns(row_no=pl.lit(None, pl.Int64)), fatal)
    text, ragged = _text(name, header, rows[1:], line_nos[1:])
    typed, unreadable = _typed(name, text)
    whole = typed.join(pl.concat([ragged, unreadable]), on="row_no", how="anti", maintain_order="left")
    wrong = _broken_rules(name, whole, text)
    good = whole.join(wrong, on="row_no", how="anti", maintain_order="left")
    return Reading(good, _problems(name, text, pl.concat([ragged, unreadable, wrong])))


def _header_problems(name: str, header: list[str]) -> pl.DataFrame:
    """Fatal problems of the header. Cells are quoted only where the row is a header and not a client's row."""
    known, needed = header_columns(name)
    if not set(header) & set(known):
        return _fatal(f"{name}.csv", None, "no header", f"a first row of: {', '.join(known)}")
    unknown = [_fatal(f"{name}.csv", c, f"unknown column '{c}'", f"one of: {', '.join(known)}")
               for c in dict.fromkeys(header) if c not in known]  # fmt: skip
    twice = [_fatal(f"{name}.csv", c, f"column '{c}' twice", "each column once") for c in known if header.count(c) > 1]
    missing = [_fatal(f"{name}.csv", c, f"no column '{c}'", f"a header with: {', '.join(needed)}")
               for c in needed if c not in header]  # fmt: skip
    return pl.concat([_no_problems(), *unknown, *twice, *missing])


def _text(
    name: str, header: list[str], rows: Sequence[Sequence[str]], line_nos: Sequence[int]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every row as trimmed text with the model's columns, defaults filled in and `row_no`; and the ragged rows."""
    width = len(header)
    body = [(no, row) for no, row in zip(line_nos, rows, strict=True) if any(text.strip() for text in row)]
    uneven = [(no, len(row)) for no, row in body if len(row) < width or any(text.strip() for text in row[width:])]
    padded = [[*row, *[""] * (width - len(row))][:width] for _, row in body]
    text = pl.DataFrame(padded, schema=dict.fromkeys(header, pl.String), orient="row")
    text = text.with_columns(pl.all().str.strip_chars().replace("", None))
    text = text.with_columns(pl.lit(None, pl.String).alias(c) for c in header_columns(name)[0] if c not in header)
    for column, default in INPUTS[name].defaults.items():
        value = pl.col(default[1:-1]) if default.startswith("{") else pl.lit(default)
        text = text.with_columns(pl.col(column).fill_null(value))
    faults = [(no, None, f"{cells} cells", f"{width} cells, as in the header") for no, cells in uneven]
    return text.with_columns(row_no=pl.Series([no for no, _ in body], dtype=pl.Int64)), _faults(faults)


def _typed(name: str, text: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The text as typed columns, and the cells whose text is no value of the type."""
    types = dtypes(INPUTS[name].model)
    typed = text.select(*(cell(column, dtype).alias(column) for column, dtype in types.items()), "row_no")
    lost = text.select(pl.col(column).is_not_null() & typed[column].is_null() for column in types)
    faults = [
        text.filter(lost[column]).select(
            "row_no", column=pl.lit(column), found=pl.col(column), expected=pl.lit(_expected_type(dtype))
        )
        for column, dtype in types.items()
        if lost[column].any()
    ]
    return typed, pl.concat([_faults([]), *faults])


def _broken_rules(name: str, typed: pl.DataFrame, text: pl.DataFrame) -> pl.DataFrame:
    """The cells and rows that break a rule of the model: enumerations, ranges, empty cells, keys given twice."""
    model = INPUTS[name].model
    try:
        model.validate(typed.drop("row_no"), lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases.select("index", "column", "check", "check_number").rows()
    else:
        return _faults([])
    cells = dict(zip(text["row_no"], text.iter_rows(named=True), strict=True))
    faults = []
    for index, column, check, number in cases:
        row_no = typed["row_no"][index]
        named = [column] if column in text.columns else (model.to_schema().unique or [])
        found = " + ".join(cells[row_no][c] or "nothing" for c in named)
        faults.append((row_no, " + ".join(named), found, _expected_value(model, column, check, number)))
    return _faults(faults)


def _faults(rows: Sequence[tuple[int, str | None, str, str]]) -> pl.DataFrame:
    types = {"row_no": pl.Int64, "column": pl.String, "found": pl.String, "expected": pl.String}
    return pl.DataFrame(rows, schema=types, orient="row")


def _problems(name: str, frame: pl.DataFrame, faults: pl.DataFrame) -> pl.DataFrame:
    """`faults` as `FolderProblems`, with the ids that the row carries in `frame` (by `row_no`)."""
    if faults.is_empty():
        return _no_problems()
    ids = frame.select("row_no", *(shown(pl.col(c)) for c in _CLIENT if c in frame.columns))
    rows = faults.join(ids, on="row_no", how="left", maintain_order="left").with_columns(
        shown(pl.col("found")), file=pl.lit(f"{name}.csv"), action=pl.lit(_LEFT_OUT), fatal=pl.lit(False)
    )
    return conform(rows, FolderProblems)


def _fatal(file: str, column: str | None, found: str, expected: str) -> pl.DataFrame:
    row = {"file": file, "column": column, "found": found, "expected": expected, "action": _REFUSED, "fatal": True}
    types = {c: t for c, t in dtypes(FolderProblems).items() if c in row}
    return conform(pl.DataFrame([row], schema=types).with_columns(shown(pl.col("column", "found"))), FolderProblems)


def _no_problems() -> pl.DataFrame:
    return empty(FolderProblems)


# --- the whole folder ------------------------------------------------------------------------------------------------


def read_folder(
    sheets: Mapping[str, Sheet],
    document: Mapping[str, Any],
    folders: Iterable[str] = (),
    unusable: Mapping[str, tuple[str, str]] | None = None,
) -> Firm:
    """The firm's folder, checked.

    Args:
        sheets: every `*.csv` of the folder by its name without `.csv`.
        document: `firm.toml` as parsed with exact decimals.
        folders: the names of the folders under `intake/`.
        unusable: CSVs that are no table, by the same name: what was found, what is expected.

    Raises:
        FirmFolderError: a file or column is unknown, missing or no table, or `firm.toml` is wrong.
    """
    unusable = unusable or {}
    readings = {name: _read(name, sheets.get(name), there=name in unusable) for name in INPUTS}
    strange = [_fatal(f"{name}.csv", None, found, expected) for name, (found, expected) in unusable.items()]
    strange += [
        _fatal(f"{name}.csv", None, "unknown file", f"one of: {', '.join(INPUTS)} (.csv)")
        for name in sorted(set(sheets) - set(INPUTS))
    ]
    settings, wrong = _settings(document)
    problems = pl.concat([wrong, *strange, *(reading.problems for reading in readings.values())])
    if problems["fatal"].any():
        raise FirmFolderError(problems.filter("fatal"))
    as_read = {name: reading.frame for name, reading in readings.items()}
    tables, loose = _references(as_read, tuple(folders))
    problems = _whose(pl.concat([problems, _news(loose, problems)]), as_read)
    return Firm(
        settings,
        {name: frame.drop("row_no") for name, frame in tables.items()},
        problems.sort(pl.all(), nulls_last=True),
        _stopped(problems, as_read["returns"]),
        as_read,
    )


def _read(name: str, sheet: Sheet | None, *, there: bool = False) -> Reading:
    """The table of a file; absent (and not `there` without being a table) it has to be optional."""
    if sheet is None or not sheet.rows:
        reading = read_table(name, [], [])
        if there or not INPUTS[name].required:
            return reading
        columns = ", ".join(header_columns(name)[1])
        return reading._replace(problems=_fatal(f"{name}.csv", None, "no such file", f"a file with: {columns}"))
    return read_table(name, sheet.rows, sheet.line_nos)


Tables = dict[str, pl.DataFrame]


def _references(tables: Tables, folders: tuple[str, ...]) -> tuple[Tables, pl.DataFrame]:
    """The tables without the rows that name what does not exist, and the problems that say so."""
    found: list[pl.DataFrame] = []

    def keep(name: str, good: pl.Expr, column: str, expected: str) -> None:
        frame = tables[name]
        if frame.select(good.all()).item():
            return
        bad = frame.filter(~good).select(
            "row_no", column=pl.lit(column), found=pl.col(column).cast(pl.String), expected=pl.lit(expected)
        )
        found.append(_problems(name, frame, bad))
        tables[name] = frame.filter(good).select(frame.columns)

    known = set(tables["accounts"]["account_id"])  # as read: an account whose row falls below is told by that row
    tables = dict(tables)
    people = tables["taxpayers"]["taxpayer_id"].implode()
    for name in [n for n, frame in tables.items() if "taxpayer_id" in frame.columns and n != "taxpayers"]:
        keep(name, pl.col("taxpayer_id").is_in(people), "taxpayer_id", "a taxpayer_id of taxpayers.csv")
    _keep_accounts(tables, keep)
    _keep_returns(tables, keep)
    lost = [(f"intake/{folder}", folder) for folder in sorted(folders) if folder not in known]
    stray = pl.DataFrame(lost, schema={"file": pl.String, "account_id": pl.String}, orient="row").with_columns(
        shown(pl.col("file", "account_id")),
        found=pl.lit("a folder of no account"),
        expected=pl.lit("an account_id of accounts.csv"),
        action=pl.lit("enter the account in accounts.csv; until then the folder is not read"),
        fatal=pl.lit(False),
    )
    return tables, pl.concat([*found, conform(stray, FolderProblems)])


def _keep_accounts(tables: Tables, keep: Any) -> None:
    """Rows name an account that exists and, where they name a taxpayer too, is that taxpayer's."""
    owners = dict(tables["accounts"].select("account_id", "taxpayer_id").iter_rows())
    for name in [n for n, frame in tables.items() if "account_id" in frame.columns and n != "accounts"]:
        owner = pl.col("account_id").replace_strict(owners, default=None, return_dtype=pl.String)
        fits = owner.is_not_null()
        if "taxpayer_id" in tables[name].columns:
            fits = fits & (owner == pl.col("taxpayer_id"))
        expected = "an account_id of accounts.csv" + (
            " of this taxpayer" if "taxpayer_id" in tables[name].columns else ""
        )
        keep(name, pl.col("account_id").is_null() | fits.fill_null(value=False), "account_id", expected)


def _keep_returns(tables: Tables, keep: Any) -> None:
    """A return has one primary and at most one spouse; profiles and filings name a return of their year."""
    years = sorted({y for n in ("returns", "profiles", "filed_years", "filed_lines") for y in tables[n]["tax_year"]})
    roles = _members(tables, years).group_by("return_id", "tax_year").agg(
        people=pl.len(), primaries=(pl.col("role") == "primary").sum()
    )  # fmt: skip
    key = pl.struct("return_id", "tax_year")

    def among(rows: pl.DataFrame) -> pl.Expr:
        return key.is_in(rows.select(key.alias("key"))["key"].implode())

    odd = roles.filter((pl.col("primaries") != 1) | (pl.col("people") > 2))
    keep("returns", ~among(odd), "role", "one primary and at most one spouse on a return of a year")
    standing = _members(tables, years)
    couples = standing.filter(pl.col("role") == "spouse")
    for name in ("profiles", "filed_years", "filed_lines"):
        keep(name, among(standing), "return_id", "a taxpayer_id, or a return_id of returns.csv, of that year")
    keep("profiles", ~among(couples) | (pl.col("filing_status") == "mfj"), "filing_status", "mfj for a return of two")


def _news(loose: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """`loose` without what only follows from `before`: a row lost for one reason is not told again for its echo."""
    known = {c: before[c].drop_nulls().to_list() for c in ("taxpayer_id", "account_id", "return_id")}
    known["return_id"] += known["taxpayer_id"]  # who files alone bears the return's id
    echo = [pl.col(c).is_in(ids).fill_null(value=False) for c, ids in known.items()]
    return loose.filter(~pl.any_horizontal(echo))


def _whose(problems: pl.DataFrame, tables: Tables) -> pl.DataFrame:
    """Problems with the taxpayer behind an account or a return (a row for each of two spouses)."""
    owners = tables["accounts"].select("account_id", owner="taxpayer_id")
    filers = tables["returns"].select("return_id", filer="taxpayer_id").unique()
    alone = tables["taxpayers"].select(return_id="taxpayer_id", filer="taxpayer_id")
    filers = pl.concat([filers, alone.join(filers, on="return_id", how="anti")])
    return (
        problems.join(owners, on="account_id", how="left", maintain_order="left")
        .join(filers, on="return_id", how="left", maintain_order="left")
        .with_columns(taxpayer_id=pl.coalesce("taxpayer_id", "owner", "filer"))
        .select(problems.columns)
        .unique(maintain_order=True)
    )


def _stopped(problems: pl.DataFrame, returns: pl.DataFrame) -> tuple[str, ...]:
    """The clients whose rows are wrong, and whoever shares a return with one: its figures need both."""
    named = set(problems["taxpayer_id"].drop_nulls())
    wrong = problems.filter(pl.col("return_id").is_not_null())["return_id"]
    joint = returns.filter(pl.col("taxpayer_id").is_in(list(named)))["return_id"]
    both = returns.filter(pl.col("return_id").is_in([*wrong, *joint]))["taxpayer_id"]
    return tuple(sorted(named | set(both)))


def sentence() -> pl.Expr:
    """A problem in one sentence: file, row, column, what was found, what is expected."""
    row = pl.when(pl.col("row_no").is_not_null()).then(pl.format(" row {}", "row_no")).otherwise(pl.lit(""))
    column = pl.when(pl.col("column").is_not_null()).then(pl.format(", column {}", "column")).otherwise(pl.lit(""))
    return pl.format("{}{}{}: found {}; expected {}", "file", row, column, "found", "expected")


def problem_items(problems: pl.DataFrame) -> pl.DataFrame:
    """`FolderProblems` as `ReviewItems`: question firm_folder_error, blocking.

    The id comes from file, column, cell and ids, not from the row number: it survives a row inserted above.
    """
    items = problems.with_columns(
        item_id=content_id("rv-", "file", "column", "found", "expected", *_CLIENT),
        question=pl.lit("firm_folder_error"),
        severity=pl.lit("blocking"),
        message=sentence(),
        suggested_action=pl.col("action"),
        state=pl.lit("open"),
    )
    return conform(items.unique("item_id", keep="first", maintain_order=True), ReviewItems)


# --- firm.toml -------------------------------------------------------------------------------------------------------

_TOP = {"name", "time_zone", "as_of", "group", "assumptions", "positions", "alerts", "law"}
_WHOLE = ("horizon_years", "holding_years", "min_rebuy_hours", "max_price_age_days")
_ASSUMPTIONS = (*_WHOLE, "discount_rate", "platforms")
_TOLERANCE, _EARLY = "form_1099_tolerance", "early_sale_chance"
_COSTS, _MORE_COSTS = ("fee_bp", "spread_bp"), ("slippage_bp", "fixed_fee", "minimum_trade")


def read_settings(document: Mapping[str, Any]) -> FirmSettings:
    """`firm.toml` (parsed with `parse_float=Decimal`) as settings; absent assumptions take their defaults.

    Raises:
        FirmFolderError: a key is unknown, missing or of the wrong kind.
    """
    settings, problems = _settings(document)
    if problems.height:
        raise FirmFolderError(problems)
    return settings


def _settings(document: Mapping[str, Any]) -> tuple[FirmSettings, pl.DataFrame]:
    """The settings, and what is wrong with them (then the settings are not to be used)."""
    wrong: list[pl.DataFrame] = []

    def need(good: bool, key: str, found: object, expected: str) -> None:
        if not good:
            wrong.append(_fatal("firm.toml", key, f"'{found}'", expected))

    for key in document:
        need(key in _TOP, key, "unknown key", f"one of: {', '.join(sorted(_TOP))}")
    for key in ("assumptions", "positions", "alerts", "law"):
        need(isinstance(document.get(key, {}), Mapping), key, document.get(key), f"a section [{key}]")
    name, zone, day, group = (document.get(key) for key in ("name", "time_zone", "as_of", "group"))
    need(isinstance(name, str) and bool(name), "name", name, "the firm's name")
    need(zone in time_zones(), "time_zone", zone, "an IANA time zone such as America/New_York")
    need(day is None or type(day) is date, "as_of", day, "a date such as 2026-11-20, unquoted")
    need(group is None or isinstance(group, str), "group", group, "the name of a group of users")
    sections = {k: v for k, v in document.items() if isinstance(v, Mapping)}
    positions, assumptions = sections.get("positions", {}), sections.get("assumptions", {})
    choices = "; ".join(f"{topic}: {' or '.join(allowed)}" for topic, allowed in POSITIONS.items())
    for topic, choice in positions.items():
        need(choice in POSITIONS.get(topic, ()), f"positions.{topic}", choice, choices)
    given = _assumptions(assumptions, need)
    bills = _bills(sections.get("law", {}), need)
    if wrong:
        return FirmSettings("", "UTC"), pl.concat(wrong)
    plain = FirmSettings(str(name), str(zone), day, group, alerts=sections.get("alerts", {}), wash_sales=bills)
    settings = replace(
        plain,
        **{**given, "platforms": {**plain.platforms, **given["platforms"]}},
        positions=dict(positions),
        assumed=tuple(key for key in _ASSUMPTIONS if key not in assumptions),
    )
    return settings, _no_problems()


def _assumptions(stated: Mapping[str, Any], need: Callable[[bool, str, object, str], None]) -> dict[str, Any]:
    """The section [assumptions] as fields of `FirmSettings`; `need` notes what is wrong."""
    for key in stated:
        known = (*_ASSUMPTIONS, _TOLERANCE, _EARLY)
        need(key in known, f"assumptions.{key}", "unknown key", f"one of: {', '.join(known)}")
    given: dict[str, Any] = {key: stated[key] for key in _WHOLE if key in stated}
    for key, value in given.items():
        need(type(value) is int and 0 <= value <= 1000, f"assumptions.{key}", value, "a whole number from 0 to 1000")
    if "discount_rate" in stated:
        given["discount_rate"] = _rate(stated["discount_rate"], Decimal(1))
        need(given["discount_rate"] is not None, "assumptions.discount_rate", stated["discount_rate"], "0 to 1")
    if _TOLERANCE in stated:
        given[_TOLERANCE] = _rate(stated[_TOLERANCE], Decimal(100))
        need(given[_TOLERANCE] is not None, f"assumptions.{_TOLERANCE}", stated[_TOLERANCE], "0 to 100 dollars")
    if _EARLY in stated:
        given[_EARLY] = _rate(stated[_EARLY], Decimal(1))
        need(given[_EARLY] is not None, f"assumptions.{_EARLY}", stated[_EARLY], "0 to 1")
    given["platforms"] = {}
    for platform, cost in stated.get("platforms", {}).items():
        whole = isinstance(cost, Mapping) and {*_COSTS} <= {*cost} <= {*_COSTS, *_MORE_COSTS}
        rates = {key: _rate(cost[key], Decimal(10_000)) for key in cost} if whole else {}
        sound = {key: rate for key, rate in rates.items() if rate is not None}
        fine = whole and len(sound) == len(rates)
        need(fine, f"assumptions.platforms.{platform}", cost, _PLATFORM)
        if fine:
            given["platforms"][platform.lower()] = PlatformCost(**sound)
    return given


_PLATFORM = (
    "fee_bp and spread_bp, and if need be slippage_bp, each 0 to 10000 basis points; fixed_fee and minimum_trade, each 0 "
    "to 10000 dollars"
)


def _bills(law: Mapping[str, Any], need: Callable[[bool, str, object, str], None]) -> Mapping[str, Mapping[str, Any]]:
    """The section [law]: what became of bills on wash sales; `need` notes what is wrong."""
    for key in law:
        need(key == "wash_sales", f"law.{key}", "unknown key", "wash_sales")
    bills = law.get("wash_sales", {})
    need(isinstance(bills, Mapping), "law.wash_sales", bills, "a section [law.wash_sales.<rule>]")
    for rule, change in bills.items() if isinstance(bills, Mapping) else ():
        where, known = f"law.wash_sales.{rule}", wash_sale_rules.open_to_change()
        need(rule in known, where, rule, f"one of: {', '.join(known)}")
        keys = ("status", *wash_sale_rules.DATES)
        whole = isinstance(change, Mapping) and "status" in change and set(change) <= set(keys)
        need(whole, where, change, f"status, and a date: {' or '.join(wash_sale_rules.DATES)}")
        if not whole:
            continue
        status, dates = change["status"], [change[name] for name in wash_sale_rules.DATES if name in change]
        need(status in wash_sale_rules.STATUSES, f"{where}.status", status, ", ".join(wash_sale_rules.STATUSES))
        dated = all(type(day) is date for day in dates) and len(dates) <= 1
        need(dated, where, dates, "one date such as 2026-12-31, unquoted")
        need(status != "law" or bool(dates), where, "no date", f"{' or '.join(wash_sale_rules.DATES)} of the law")
    return bills if isinstance(bills, Mapping) else {}


def _rate(value: object, most: Decimal) -> Decimal | None:
    """An exact number from 0 to `most`; None for anything else, a binary float too."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value) if 0 <= value <= most else None


# --- what the rest of the night asks of the folder -------------------------------------------------------------------


def as_of(firm: Firm, day: date) -> Firm:
    """The folder as it stood at the end of `day` in the firm's time zone: what is dated later is hidden.

    A record's later stamps (a message to the broker after `day`) are emptied; forms, methods and closing lots of a year
    are known when the year is over; lines and lots of a filing after `day` are hidden with it.
    """
    zone = firm.settings.time_zone
    tables = {name: _until(name, frame, day, zone) for name, frame in firm.tables.items()}
    version = ["return_id", "tax_year", "version"]
    later = firm["filed_years"].join(tables["filed_years"], on=version, how="anti")
    tables["filed_lines"] = tables["filed_lines"].join(later, on=version, how="anti", maintain_order="left")
    unfiled = later.join(tables["filed_years"], on=["return_id", "tax_year"], how="anti")
    filers = members(firm, unfiled["tax_year"].unique().to_list()).join(
        unfiled, on=["return_id", "tax_year"], how="semi"
    )
    tables["filed_lots"] = tables["filed_lots"].join(
        filers, on=["taxpayer_id", "tax_year"], how="anti", maintain_order="left"
    )
    return replace(firm, tables=tables, settings=replace(firm.settings, as_of=day))


def _until(name: str, frame: pl.DataFrame, day: date, zone: str) -> pl.DataFrame:
    """`frame` without the records dated after `day`, by the columns that `INPUTS` names as dates."""
    types = dtypes(INPUTS[name].model)
    last = day.year - 1 if INPUTS[name].closes else day.year
    for number, column in enumerate(INPUTS[name].dated):
        value = pl.col(column)
        if types[column] == INSTANT:
            known = value.dt.convert_time_zone(zone).dt.date() <= day
        else:
            known = value <= (day if types[column] == pl.Date else last)
        if number == 0:
            frame = frame.filter(known.fill_null(value=True))
        else:
            frame = frame.with_columns(pl.when(known).then(value).alias(column))
    return frame


def members(firm: Firm, years: Iterable[int]) -> pl.DataFrame:
    """Who is on which return: (return_id, tax_year, taxpayer_id, role), every taxpayer in every one of `years`.

    A taxpayer whom `returns.csv` does not name in a year files alone under the taxpayer's own id, as primary.
    """
    return _members(firm.tables, years)


def _members(tables: Mapping[str, pl.DataFrame], years: Iterable[int]) -> pl.DataFrame:
    calendar = pl.DataFrame({"tax_year": list(years)}, schema={"tax_year": pl.Int64})
    filed = tables["returns"].select("return_id", "tax_year", "taxpayer_id", "role")
    return (
        tables["taxpayers"]
        .select("taxpayer_id")
        .join(calendar, how="cross")
        .join(filed, on=["taxpayer_id", "tax_year"], how="left")
        .select(
            pl.coalesce("return_id", "taxpayer_id").alias("return_id"),
            "tax_year",
            "taxpayer_id",
            pl.col("role").fill_null("primary"),
        )
        .sort("return_id", "tax_year", "role", "taxpayer_id")
    )


def kin(firm: Firm) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Who belongs together, as the folder says it before any row falls: a broken row of one spouse parts no couple.

    Returns:
        (taxpayer_id), (return_id, taxpayer_id) and (account_id, taxpayer_id); a joint return that bears the id of a
        client who is not on it binds nobody.
    """
    returns, accounts = firm.as_read["returns"], firm.as_read["accounts"].select("account_id", "taxpayer_id")
    people = [frame.select("taxpayer_id") for frame in (firm.as_read["taxpayers"], returns, accounts)]
    on_it = (pl.col("taxpayer_id") == pl.col("return_id")).any().over("return_id")
    strange = pl.col("return_id").is_in(firm.as_read["taxpayers"]["taxpayer_id"].implode()) & ~on_it
    return pl.concat(people).unique(), returns.filter(~strange).select("return_id", "taxpayer_id"), accounts


def zones(firm: Firm) -> pl.DataFrame:
    """Each taxpayer's time zones: (taxpayer_id, valid_from, time_zone).

    The firm's zone stands from the first day of the calendar until `residency.csv` says otherwise, and wherever it
    leaves the zone empty.
    """
    start = firm["taxpayers"].select("taxpayer_id", valid_from=pl.lit(date(1, 1, 1)), time_zone=pl.lit(None, pl.String))
    moves = firm["residency"].select("taxpayer_id", valid_from="from", time_zone="time_zone")
    everything = pl.concat([start, moves]).with_columns(pl.col("time_zone").fill_null(firm.settings.time_zone))
    return everything.sort("taxpayer_id", "valid_from")


def stands(firm: Firm) -> pl.DataFrame:
    """Every stand taken on unsettled law: `positions.csv`, and the firm's as rows without taxpayer from 2009 on.

    What nobody took has no row: the shipped choice (the first of `POSITIONS`) counts, and is shown as nobody's.
    Columns taxpayer_id (null: whoever takes no stand of their own), from_year, topic, choice.
    """
    own = firm["positions"].select("taxpayer_id", "from_year", "topic", "choice")
    rows = [(None, 2009, topic, choice) for topic, choice in firm.settings.positions.items()]
    return pl.concat([own, pl.DataFrame(rows, schema=own.schema, orient="row")])


def account_facts(firm: Firm) -> pl.DataFrame:
    """`accounts.csv` with the owner's `entity`; `wallet` is never empty and `platform` is in lower case.

    `taxable`: what happens in the account belongs on an individual's return.
    """
    return (
        firm["accounts"]
        .join(firm["taxpayers"].select("taxpayer_id", "entity"), on="taxpayer_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("platform").str.to_lowercase(),
            wallet=pl.coalesce("wallet", "account_id"),
            taxable=(pl.col("treatment") == "taxable") & (pl.col("entity") == "individual"),
        )
    )
