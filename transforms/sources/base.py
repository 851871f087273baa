"""What every source module shares: its interface, numbers, times and the way from wide rows to legs. No one format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from schemas.fields import INSTANT, MONEY, QUANTITY, QUANTITY_LIMIT
from schemas.gate import conform
from schemas.intake import Legs
from transforms import exact
from transforms.text import QUOTE_LENGTH

SIDES = ("sent", "received", "fee")
MAX_ASSET = 160
_MONEY_LIMIT = 10**11
"""Below it the values of some ten legs of one side still sum within money (18 digits, 6 of them decimals)."""
_SIGNS = ["$", "€", "£", "¥", "Kč"]
_PLAIN = r"^-?[0-9]{1,15}(\.[0-9]{1,18})?$"
_FIRST_BLOCK = pl.datetime(2009, 1, 3, time_zone="UTC")
_TOO_LATE = pl.datetime(2100, 1, 1, time_zone="UTC")


class Context(NamedTuple):
    """What a reading depends on beside the bytes.

    `time_zone` is the account's in accounts.csv: the clock of files whose times name none.
    """

    account_id: str
    file_id: str
    address: str | None = None
    file_name: str = ""
    time_zone: str | None = None


class Parsed(NamedTuple):
    """Legs (columns of `schemas.intake.Legs`), and the rows that gave none: frames of `row_no`, `reason`."""

    legs: pl.DataFrame
    rejected: pl.DataFrame
    ignored: pl.DataFrame


@dataclass(frozen=True)
class Source:
    """A file format.

    `identify` finds the header among a file's first rows; `parse` reads a frame of `row_no`, one text column a header
    name, and `unfit` (null, or why the row is not to be read). `family` is what legs carry as source: files of one
    family describe the same facts and share group keys. A row key that is the source's own id of the fact, which never
    repeats, begins with `id:`. `regroup` sets the group keys that only all deduplicated legs of the family tell; `nets`
    says that a group's legs of one asset are netted. `may_lack` names the last column, in small letters, where genuine
    rows leave it out. `depends` says what of the context a reading hangs on beside the address, as text: a file is read
    again when it changes. `checks` is the family whose facts this one states again (Kraken's trades those of its
    ledgers): where an account has both, that one is the ledger and this one is compared with it. A report that is only
    ever compared, for it states results and no facts (a gain and loss report), is `only_checks`.
    """

    name: str
    version: str
    identify: Callable[[list[list[str]]], int | None]
    parse: Callable[[pl.DataFrame, Context], Parsed]
    family: str
    regroup: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    nets: bool = False
    may_lack: str | None = None
    depends: Callable[[Context], str | None] = lambda _: None
    checks: str | None = None
    only_checks: bool = False


def of_zone(context: Context) -> str | None:
    """`Source.depends` of a format whose times are on the account's clock."""
    return context.time_zone


def find_header(head: Sequence[Sequence[str]], fits: Callable[[list[str]], bool]) -> int | None:
    """The first row whose stripped cells `fits` takes for its header."""
    return next((index for index, row in enumerate(head) if fits([cell.strip() for cell in row])), None)


def quoted(text: pl.Expr) -> pl.Expr:
    """Client text as a reason may quote it: no control or direction characters, at most 60 characters, in quotes."""
    plain = text.str.slice(0, 10 * QUOTE_LENGTH).str.replace_all(r"\p{C}+", " ").str.strip_chars()
    return pl.format("'{}'", plain.str.slice(0, QUOTE_LENGTH))


def reason(condition: pl.Expr, template: str, text: pl.Expr) -> pl.Expr:
    """A reason that quotes `text`, where the condition holds."""
    bad = pl.when(condition).then(text.fill_null(""))  # the other rows' text need not be looked at
    return pl.when(condition).then(pl.format(template, quoted(bad)))


def filled(name: str) -> pl.Expr:
    """A text column, stripped, null where blank."""
    text = pl.col(name).str.strip_chars()
    return pl.when(text != "").then(text)


def with_numbers(frame: pl.DataFrame, **columns: str) -> pl.DataFrame:
    """Add for each `name="Column"`: `name` (decimal below 10^15 or null), `name_rounded` and `name_fault` (why not).

    Money signs, thousands commas and accounting brackets are taken off.
    """
    added: list[pl.Series] = []
    for name, column in columns.items():
        text = frame[column] if column in frame.columns else pl.Series([None] * frame.height, dtype=pl.String)
        added += _number(text, name, column)
    return frame.with_columns(added)


def _number(cells: pl.Series, name: str, column: str) -> list[pl.Series]:
    text = cells if _all_plain(cells) else _undecorated(cells)
    if _all_plain(text):  # most columns of most files: no exponent, no digit past the 18th, nothing unreadable
        value = text.cast(QUANTITY)
        rounded = pl.Series([False]).new_from_index(0, len(text))
        fault = pl.Series([None], dtype=pl.String).new_from_index(0, len(text))
    else:
        found = pl.DataFrame({"text": text}).with_columns(
            value=exact.decimal_text(pl.col("text")),
            rounded=exact.digits_past_18(pl.col("text")).fill_null(value=False),
        )
        # out of range is null, so that no arithmetic on it can overflow and stop the file
        sound = pl.when(pl.col("value").abs() < QUANTITY_LIMIT).then("value").alias("value")
        value, rounded, fault = found.select(sound, "rounded", fault=_number_fault(column)).get_columns()
    return [value.alias(name), rounded.alias(f"{name}_rounded"), fault.alias(f"{name}_fault")]


def _all_plain(text: pl.Series) -> bool:
    return bool(text.str.contains(_PLAIN).fill_null(value=True).all())


def _undecorated(cells: pl.Series) -> pl.Series:
    """Number cells without money signs, thousands commas and accounting brackets, null where blank.

    Each step is taken only where some cell needs it.
    """
    text = cells.str.strip_chars()
    if text.str.contains_any(_SIGNS).any():
        text = text.str.replace_many(_SIGNS, [""] * len(_SIGNS)).str.strip_chars()
    frame, cell = pl.DataFrame({"cell": text}), pl.col("cell")
    if text.str.contains("(", literal=True).any():
        frame = frame.with_columns(cell.str.replace(r"^\(([^-]+)\)$", "-${1}"))
    if text.str.contains(",", literal=True).any():
        grouped = cell.str.contains(r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?$")
        frame = frame.with_columns(pl.when(grouped).then(cell.str.replace_all(",", "", literal=True)).otherwise(cell))
    if text.str.contains_any(["e", "E"]).any():
        # an exponent of more than three digits is no quantity, and decimal arithmetic refuses it
        frame = frame.with_columns(cell.str.replace(r"[eE][+-]?[0-9]{4,}$", "?"))
    return frame.select(pl.when(cell != "").then(cell)).to_series()


def _number_fault(column: str) -> pl.Expr:
    text, value = pl.col("text"), pl.col("value")
    wrong = text.is_not_null() & (value.is_null() | (value.abs() >= QUANTITY_LIMIT))
    return reason(wrong, f"{column}: found {{}}, expected a number below 10^15", text)


def utc_time(text: pl.Expr, *formats: str) -> pl.Expr:
    """The instant that the first fitting strptime format reads; a time without an offset is UTC."""
    readings = [text.str.to_datetime(f, strict=False, time_unit="us", time_zone="UTC") for f in formats]
    return pl.coalesce(readings).cast(INSTANT)


def local_time(text: pl.Expr, zone: str | None, *formats: str) -> pl.Expr:
    """The instant of a time without an offset on the clock of `zone`; null where the zone is not known.

    An hour that the clock skips is null; of one that it shows twice the first counts.
    """
    if zone is None:
        return pl.lit(None, INSTANT)
    readings = [text.str.to_datetime(f, strict=False, time_unit="us") for f in formats]
    local = pl.coalesce(readings).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC").cast(INSTANT)


def zoned_time(text: pl.Expr, zone: str | None, *formats: str) -> pl.Expr:
    """The instant of a time that states its offset (or Z), else of one on the clock of `zone` (see `local_time`)."""
    plain = text.str.strip_chars()
    with_offset = plain.str.replace(r"\s*(?:[zZ]|UTC|GMT)$", "+00:00").str.replace(r"([+-]\d{2})$", "${1}:00")
    stated = utc_time(with_offset, *(f"{form}{gap}%z" for form in formats for gap in ("", " ")))
    return pl.coalesce(stated, local_time(plain, zone, *formats))


ZONE_ASKED = "a time zone: the file's times name none; set time_zone of the account in accounts.csv"
"""`time_expected` of a row whose time is on a clock that nobody named."""


def usd(value: pl.Expr) -> pl.Expr:
    """A stated value as money; null where it is negative or 10^11 and more, which no client's leg is worth."""
    return exact.to_money(pl.when((value >= 0) & (value < _MONEY_LIMIT)).then(value))


def product(one: pl.Expr, other: pl.Expr, below: int = 10**9) -> pl.Expr:
    """The product of two decimals; null where either is out of all proportion, for polars ends the night where it does not fit."""
    fits = (one.abs() < below) & (other.abs() < below)
    return pl.when(fits).then(one) * pl.when(fits).then(other)


def worth(quantity: pl.Expr, price: pl.Expr) -> pl.Expr:
    """Quantity x price as money; null where either is out of all proportion, or the price negative."""
    return usd(product(quantity, pl.when((price < 10**8) & (price >= 0)).then(price)))


def one_of(names: Mapping[str, object] | Sequence[str]) -> str:
    """Names for a reason that says what was expected."""
    return ", ".join(sorted(names))


def finish(frame: pl.DataFrame, context: Context, family: str) -> Parsed:
    """Legs from wide rows, and a reason for every row that gives none.

    A wide row has `row_no`, `row_key`, `occurred_at`, `time_text` and, where it has them, `group_key`, `kind`, `tx_id`,
    `note`, `balance`, `platform` and for each side `{side}_quantity`, `_asset`, `_raw` (default: the asset), `_usd`, `_rounded`.
    `balance_side` names the side whose asset the balance is of (default: the row's first leg).
    `ignore` and `reject` are reasons found by the source; `expected` is what an unclaimed row should have been. Rows of
    one `fact` of the file are rejected together: half a trade would be another fact. A row with two fees is two wide rows
    of one `row_no`, `row_key`, `group_key` and `fact`.
    """
    untyped = {name for name, dtype in frame.schema.items() if dtype == pl.Null}  # a source's plain None
    absent = [
        pl.lit(None, dtype).alias(name)
        for name, dtype in _wide().items()
        if name not in frame.columns or name in untyped
    ]
    found = pl.coalesce("reject", _time_fault(), *map(_side_fault, SIDES))
    frame = frame.with_columns(absent).with_columns(ignore=pl.when(pl.col("unfit").is_null()).then("ignore"))
    frame = frame.with_columns(reject=pl.coalesce("unfit", pl.when(pl.col("ignore").is_null()).then(found)))
    frame = frame.with_columns(reject=pl.when(pl.col("ignore").is_null()).then(pl.coalesce("reject", _with_its_fact())))
    used = frame.filter(pl.col("ignore").is_null() & pl.col("reject").is_null())
    legs = pl.concat([_legs(used, side, context, family) for side in SIDES]).sort("row_no", maintain_order=True)
    first = pl.col("row_no").is_first_distinct()
    own = pl.when(pl.col("balance_side").is_null()).then(first).otherwise(pl.col("balance_side") == pl.col("role"))
    legs = conform(legs.with_columns(balance=pl.when(own).then("balance")), Legs)
    ignored, rejected = (
        frame.filter(pl.col(why).is_not_null())
        .select("row_no", reason=why)
        .unique("row_no", keep="first", maintain_order=True)
        for why in ("ignore", "reject")
    )
    return Parsed(legs, pl.concat([rejected, _unclaimed(frame, legs, ignored, rejected)]).sort("row_no"), ignored)


def _with_its_fact() -> pl.Expr:
    """The first rejected row of the same fact, as the reason to reject this one."""
    broken = pl.when(pl.col("reject").is_not_null() & pl.col("fact").is_not_null()).then("row_no")
    return pl.format("row {} of the same trade could not be read", broken.min().over("fact"))


def _unclaimed(frame: pl.DataFrame, *claims: pl.DataFrame) -> pl.DataFrame:
    """Rows that are neither used, ignored nor rejected: rejected, so that no row is lost in silence."""
    claimed = pl.concat([claim.select("row_no") for claim in claims])
    reason = pl.col("expected").fill_null("no amount was found in this row")
    return frame.join(claimed, on="row_no", how="anti").select("row_no", reason=reason)


def _legs(frame: pl.DataFrame, side: str, context: Context, family: str) -> pl.DataFrame:
    return frame.filter(pl.col(f"{side}_quantity") > 0).select(
        "row_no", "row_key", "group_key", "occurred_at", "kind", "tx_id", "note", "balance", "balance_side",
        account_id=pl.lit(context.account_id),
        file_id=pl.lit(context.file_id),
        source=pl.lit(family),
        role=pl.lit(side),
        asset=pl.col(f"{side}_asset"),
        raw_asset=pl.coalesce(f"{side}_raw", f"{side}_asset"),
        quantity=pl.col(f"{side}_quantity"),
        usd_value=pl.col(f"{side}_usd"),
        rounded=pl.col(f"{side}_rounded").fill_null(value=False),
        platform=pl.col("platform").str.replace_all(r"\p{C}+", " ").str.strip_chars().str.slice(0, QUOTE_LENGTH),
    )  # fmt: skip


def _time_fault() -> pl.Expr:
    at, found = pl.col("occurred_at"), pl.col("time_text")
    expected = pl.when(at.is_null()).then(pl.col("time_expected").fill_null("YYYY-MM-DD HH:MM:SS"))
    return pl.coalesce(
        reason(at.is_null(), "time: found {}, expected ", found) + expected,
        reason((at < _FIRST_BLOCK) | (at >= _TOO_LATE), "time: found {}, expected 2009-01-03 to 2099-12-31", found),
    )


def _side_fault(side: str) -> pl.Expr:
    quantity, asset = pl.col(f"{side}_quantity"), pl.col(f"{side}_asset")
    too_long = (quantity > 0) & (asset.str.len_chars() > MAX_ASSET)
    plain = (
        pl.when(quantity < 0)
        .then(pl.lit(f"{side} quantity: found a negative one, expected it to be positive"))
        .when(quantity >= QUANTITY_LIMIT)
        .then(pl.lit(f"{side} quantity: found 10^15 or more, expected less"))
        .when((quantity > 0) & (asset.fill_null("") == ""))
        .then(pl.lit(f"{side} asset: found none beside its quantity"))
    )
    return pl.coalesce(
        plain, reason(too_long, f"{side} asset: found {{}}..., expected at most {MAX_ASSET} characters", asset)
    )


def _wide() -> dict[str, pl.DataType | type[pl.DataType]]:
    texts = (
        "group_key",
        "kind",
        "tx_id",
        "note",
        "platform",
        "unfit",
        "fact",
        "ignore",
        "reject",
        "expected",
        "time_expected",
        "balance_side",
    )
    wide: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(texts, pl.String)
    wide["balance"] = QUANTITY
    for side in SIDES:
        wide |= {f"{side}_quantity": QUANTITY, f"{side}_asset": pl.String, f"{side}_raw": pl.String}
        wide |= {f"{side}_usd": MONEY, f"{side}_rounded": pl.Boolean}
    return wide
