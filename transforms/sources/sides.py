"""What formats share whose row is an event: amounts sent, received and paid as a fee, and a label. No one format."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from schemas.fields import INCOME_KINDS
from transforms.ids import content_id
from transforms.sources.base import SIDES, filled, one_of, reason, with_numbers

BOTH = ("buy", "sell", "trade", "migration", "wrap", "unwrap")
IN = ("deposit", "transfer_in", *INCOME_KINDS, "gift_in", "inheritance", "derivative_gain", "borrow", "collateral_in")
OUT = (
    "withdrawal", "transfer_out", "gift_out", "donation", "spend", "theft", "loss",
    "derivative_loss", "margin_interest", "repay", "collateral_out",
)  # fmt: skip
_KEY = ("occurred_at", "label", *(f"{side}_{part}" for side in SIDES for part in ("quantity", "asset")), "tx_id")
_NOTE = 200
_UNSETTLED = (
    "time: found {}, expected a file that tells the day from the month: export a longer time, in which a day after the "
    "12th occurs, or write the dates as YYYY-MM-DD"
)


def sides_fault(kind: pl.Expr, sent: pl.Expr, received: pl.Expr, fee: pl.Expr) -> pl.Expr:
    """Whether the sides are those of the kind: a buy has both, a deposit is received only, a spend is sent only."""
    out, into, paid = (side.fill_null(0) != 0 for side in (sent, received, fee))
    return (
        pl.when(kind.is_in(BOTH) & ~(out & into))
        .then(pl.format("a {} has a sent and a received side: found only one or none", kind))
        .when(kind.is_in(IN) & (out | ~into))
        .then(pl.format("a {} has a received side only", kind))
        .when(kind.is_in(OUT) & (into | ~(out | paid)))
        .then(pl.format("a {} has a sent side only", kind))
    )


def asset(text: pl.Expr) -> pl.Expr:
    """Tickers in capitals; a CAIP-19 id as it stands, that of an EVM chain in small letters."""
    evm, caip = text.str.to_lowercase().str.starts_with("eip155:"), text.str.contains("/", literal=True)
    return pl.when(evm).then(text.str.to_lowercase()).when(caip).then(text).otherwise(text.str.to_uppercase())


def with_sides(frame: pl.DataFrame, **columns: tuple[str, str]) -> pl.DataFrame:
    """Add for each `side=("Amount", "Currency")` its quantity, asset, name in the file, `_rounded` and `_fault`."""
    frame = with_numbers(frame, **{f"{side}_quantity": amount for side, (amount, _) in columns.items()})
    names = {f"{side}_raw": filled(currency) for side, (_, currency) in columns.items()}
    frame = frame.rename(
        {f"{side}_quantity_{what}": f"{side}_{what}" for side in columns for what in ("rounded", "fault")}
    )
    return frame.with_columns(**names).with_columns(
        **{f"{side}_asset": asset(pl.col(f"{side}_raw")) for side in columns}
    )


def moved(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of `with_sides` of which one asset is both sent and received: only what is lost on the way leaves, as a fee.

    Such a row is a transfer between two places of the file's owner, who has them in one account here.
    """
    same = (pl.col("sent_asset") == pl.col("received_asset")) & (pl.col("sent_quantity") > 0)
    same = (same & (pl.col("received_quantity") > 0)).fill_null(value=False)
    lost = pl.col("sent_quantity") - pl.col("received_quantity")
    free = pl.col("fee_quantity").fill_null(0) == 0
    inside = (lost == pl.col("fee_quantity")) & (pl.col("fee_asset") == pl.col("sent_asset"))
    stays = same & ((lost == 0) | (free & (lost > 0)) | inside.fill_null(value=False))
    kept = {f"{side}_quantity": pl.when(~stays).then(f"{side}_quantity") for side in ("sent", "received")}
    return frame.with_columns(
        **kept,
        fee_quantity=pl.when(stays & free).then(lost).otherwise("fee_quantity"),
        fee_asset=pl.when(stays & free).then("sent_asset").otherwise("fee_asset"),
        ignore=pl.when(stays & free & (lost == 0)).then(pl.lit("a move between places of one account")),
        unmoved=pl.when(same & ~stays).then(pl.lit("a transfer whose two sides and fee do not fit together")),
    )


def judged(frame: pl.DataFrame, kinds: Mapping[str, str | None], *more: str | pl.Expr) -> pl.DataFrame:
    """Add `kind` by `label` (small letters, null where the row has none), `row_key`, `reject` and `ignore`.

    `kinds` gives null where the sides alone tell (a trade, a deposit); what begins with `?` is a known label whose rows
    cannot be booked, and why. A row's faults come in the order: label, numbers, `more`, sides.
    """
    frame = frame.with_columns(
        said=pl.when(pl.col("label").is_not_null()).then(
            pl.col("label").replace_strict(kinds, default=None, return_dtype=pl.String)
        )
    )
    unknown = pl.col("label").is_not_null() & ~pl.col("label").is_in(list(kinds))
    unbooked = pl.col("said").str.strip_prefix("?")
    kind = pl.when(~pl.col("said").str.starts_with("?").fill_null(value=False)).then("said")
    quantities = [pl.col(f"{side}_quantity") for side in SIDES]
    sound = pl.all_horizontal(pl.col(f"{side}_fault").is_null() for side in SIDES)
    stated = pl.col("sent_quantity").is_not_null() | pl.col("received_quantity").is_not_null()
    zero = sound & stated & pl.all_horizontal(quantity.fill_null(0) == 0 for quantity in quantities)
    known = ~unknown & ~pl.col("said").str.starts_with("?").fill_null(value=False)
    ignored = pl.col("ignore") if "ignore" in frame.columns else pl.lit(None, pl.String)
    frame = frame.with_columns(ignore=pl.coalesce(ignored, pl.when(zero & known).then(pl.lit("no value moved"))))
    return frame.with_columns(kind=kind, row_key=content_id("", *_KEY)).with_columns(
        reject=pl.coalesce(
            reason(unknown, f"unknown type {{}}: expected one of {one_of(list(kinds))}", pl.col("label")),
            pl.when(unbooked != pl.col("said")).then(unbooked),
            *(f"{side}_fault" for side in SIDES),
            *more,
            sides_fault(pl.col("kind"), *quantities),
        )
    )


def direction() -> pl.Expr:
    """Which way a row of `with_sides` goes: `in`, `out` or, with both sides, `two`; a row of zeros by the side it names."""
    sent, received = (pl.col(f"{side}_quantity") for side in ("sent", "received"))
    out, into = (quantity.fill_null(0) > 0 for quantity in (sent, received))
    return (
        pl.when(out & into)
        .then(pl.lit("two"))
        .when(into | (~out & sent.is_null() & received.is_not_null()))
        .then(pl.lit("in"))
        .otherwise(pl.lit("out"))
    )


def noted(*columns: str) -> pl.Expr:
    """One note of several columns, with what is empty left out."""
    parts = pl.concat_str([filled(name) for name in columns], separator="; ", ignore_nulls=True).str.slice(0, _NOTE)
    return pl.when(parts != "").then(parts)


def day_first(dates: pl.Series) -> bool | None:
    """Whether dates as 3/4/2021 name the day first, by all of a file's: one number above 12 settles it; else null."""
    parts = (
        dates.drop_nulls().str.extract_groups(r"^\s*(?<one>\d{1,2})[/.-](?<two>\d{1,2})[/.-]\d{2,4}\b").struct.unnest()
    )
    days, months = (bool((parts[name].cast(pl.Int64) > 12).any()) for name in ("one", "two"))
    return None if days == months else days


def unsettled(condition: pl.Expr, text: pl.Expr) -> pl.Expr:
    """The reason of a row whose day and month cannot be told apart."""
    return reason(condition, _UNSETTLED, text)


def has(names: Sequence[str], needed: Collection[str]) -> bool:
    """Whether a header has all the needed names."""
    return len(names) <= 4 * len(needed) + 20 and set(needed) <= set(names)
