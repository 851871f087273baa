"""CoinTracker's CSV: the layout for imports and the transactions export. Its tax reports do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.sources.base import (
    ZONE_ASKED,
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    local_time,
    of_zone,
)
from transforms.sources.sides import direction, has, judged, moved, noted, with_sides

_NEEDED = (
    "Date",
    "Received Quantity",
    "Received Currency",
    "Sent Quantity",
    "Sent Currency",
    "Fee Amount",
    "Fee Currency",
)
_OPTIONAL = ("Tag", "Type", "Transaction ID", "Received Wallet", "Sent Wallet", "Received Tag", "Sent Tag",
             "Received Comment", "Sent Comment", "Ignored")  # fmt: skip
_PLAIN = {"buy", "sell", "trade", "receive", "send", "transfer", "stake", "unstake"}
"""Categories that say no more than the sides do: units that go into staking or a pool leave and come back."""
_IN: dict[str, str | None] = {
    "airdrop": "airdrop", "fork": "fork", "mining": "mining", "mined": "mining", "staked": "staking", "staking": "staking",
    "staking reward": "staking", "interest": "interest", "income": "reward", "reward": "reward", "payment": "reward",
    "gift": "gift_in", "gift received": "gift_in", "loan": "borrow", "salary": "wages",
}  # fmt: skip
_OUT: dict[str, str | None] = {
    "gift": "gift_out", "gift sent": "gift_out", "lost": "loss", "loss": "loss", "stolen": "theft", "theft": "theft",
    "donation": "donation", "payment": "spend", "spend": "spend", "fee": "fee", "loan repayment": "repay",
}  # fmt: skip
_KINDS = {
    f"{way}: {label}": kind
    for way, labels in (("in", _IN), ("out", _OUT), ("two", {}))
    for label, kind in {**dict.fromkeys(_PLAIN), **labels}.items()
}


def identify(head: list[list[str]]) -> int | None:
    """The row with CoinTracker's seven names."""
    return find_header(head, lambda names: has(names, _NEEDED) and ("Tag" in names or "Received Wallet" in names))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of CoinTracker's rows: dates are month first by its template, on a clock that the file does not name.

    A tag counts by the direction of its row. The last line `...` of a shortened export is no row.
    """
    absent = [pl.lit("").alias(name) for name in _OPTIONAL if name not in rows.columns]
    frame = with_sides(
        rows.with_columns(absent), sent=("Sent Quantity", "Sent Currency"),
        received=("Received Quantity", "Received Currency"), fee=("Fee Amount", "Fee Currency"),
    )  # fmt: skip
    frame = moved(frame)
    said = pl.coalesce(*(filled(name) for name in ("Tag", "Received Tag", "Sent Tag", "Type"))).str.to_lowercase()
    said = said.str.replace_all("_", " ", literal=True)
    text = filled("Date")
    clocks = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M:%S")
    places = [filled(f"{side} Wallet").str.replace(r" - .*$", "") for side in ("Sent", "Received")]
    frame = frame.with_columns(
        label=pl.concat_str(direction(), pl.lit(": "), said),
        tx_id=filled("Transaction ID"),
        time_text=pl.col("Date"),
        time_expected=pl.lit(ZONE_ASKED if context.time_zone is None else "MM/DD/YYYY HH:MM:SS"),
        occurred_at=local_time(text, context.time_zone, *clocks),
        platform=pl.when(places[0] != places[1]).then(pl.concat_str(*places, separator=" and ")).otherwise(pl.coalesce(places)),
        note=noted("Tag", "Type", "Sent Wallet", "Received Wallet", "Sent Comment", "Received Comment"),
        ignore=pl.coalesce(
            "ignore",
            pl.when(text == "...").then(pl.lit("the end of a shortened export")),
            pl.when(filled("Ignored").str.to_lowercase().is_in(["true", "yes"])).then(pl.lit("ignored by the user in CoinTracker")),
        ),
    )  # fmt: skip
    return finish(judged(frame, _KINDS, "unmoved"), context, SOURCE.family)


SOURCE = Source(
    name="cointracker", version="1", identify=identify, parse=parse, family="cointracker", depends=of_zone
)  # fmt: skip
