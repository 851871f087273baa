"""River's account activity. Its tax documents do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.ids import content_id
from transforms.sources.base import (
    SIDES,
    ZONE_ASKED,
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    of_zone,
    one_of,
    reason,
    usd,
    with_numbers,
    zoned_time,
)

_HEADER = (
    "Date", "Sent Amount", "Sent Currency", "Received Amount", "Received Currency", "Fee Amount", "Fee Currency", "Tag",
)  # fmt: skip
_TAGS = {
    "": None, "buy": None, "sell": None, "trade": None, "deposit": None, "withdrawal": None, "send": None,
    "receive": None, "income": "reward", "reward": "reward", "interest": "interest", "mining": "mining",
    "gift": "gift_out", "donation": "donation", "lost": "loss", "fee": "fee",
}  # fmt: skip
_IN = ("reward", "interest", "mining")


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of River's rows; without a tag the sides tell what a row is. A fee is beside the amounts.

    The file names no clock: it is the account's.
    """
    frame = with_numbers(rows, **{side: f"{side.capitalize()} Amount" for side in SIDES}).with_columns(
        tag=pl.col("Tag").str.strip_chars().str.to_lowercase(),
        time_text=pl.col("Date"),
        time_expected=pl.lit("YYYY-MM-DD HH:MM:SS" if context.time_zone else ZONE_ASKED),
        occurred_at=zoned_time(pl.col("Date"), context.time_zone, "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"),
        row_key=content_id("", "Date", "Tag", *SIDES, *(f"{side.capitalize()} Currency" for side in SIDES)),
        **{f"{side}_asset": filled(f"{side.capitalize()} Currency").str.to_uppercase() for side in SIDES},
        **{f"{side}_quantity": pl.col(side) for side in SIDES},
    )
    kind = pl.col("tag").replace_strict(_TAGS, default=None, return_dtype=pl.String)
    sent, received = pl.col("sent").fill_null(0) != 0, pl.col("received").fill_null(0) != 0
    cash = pl.coalesce(*(pl.when(pl.col(f"{side}_asset") == "USD").then(side) for side in ("sent", "received")))
    value = pl.when(sent & received).then(usd(cash))
    into = kind.is_in(list(_IN)) & (sent | ~received)
    out = kind.is_in(["gift_out", "donation", "loss"]) & (received | ~sent)
    frame = frame.with_columns(
        kind=kind,
        sent_usd=value,
        received_usd=value,
        reject=pl.coalesce(
            reason(~pl.col("tag").is_in(list(_TAGS)), f"unknown Tag {{}}: expected none or one of {one_of([tag for tag in _TAGS if tag])}", pl.col("Tag")),
            *(f"{side}_fault" for side in SIDES),
            reason(into.fill_null(value=False), "Tag {}: expected an amount received and none sent", pl.col("Tag")),
            reason(out.fill_null(value=False), "Tag {}: expected an amount sent and none received", pl.col("Tag")),
        ),
    )  # fmt: skip
    return finish(frame, context, SOURCE.family)


SOURCE = Source(
    name="river", version="1", identify=lambda head: find_header(head, lambda names: tuple(names) == _HEADER),
    parse=parse, family="river", depends=of_zone,
)  # fmt: skip
