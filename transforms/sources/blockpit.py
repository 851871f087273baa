"""Blockpit's transaction export. Its tax reports do not belong here."""

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
from transforms.sources.sides import has, judged, moved, noted, with_sides

_NEEDED = ("Timestamp", "Source Name", "Transaction Type", "Outgoing Asset", "Outgoing Amount", "Incoming Asset",
           "Incoming Amount", "Fee Asset", "Fee Amount", "Transaction ID")  # fmt: skip
_KINDS = {
    "trade": "trade", "deposit": "deposit", "withdrawal": "withdrawal",
    "airdrop": "airdrop", "bounties": "reward", "staking": "staking", "lending": "interest", "mining": "mining",
    "gift": "gift_out", "gift in": "gift_in", "payment": "spend", "fee": "fee",
    "margin trading profit": "derivative_gain", "margin trading loss": "derivative_loss",
    # what they are is not in the type: units arrive and leave, and are asked
    "nontaxablein": "deposit", "nontaxableout": "withdrawal",
}  # fmt: skip


def identify(head: list[list[str]]) -> int | None:
    """The row with the names of the export."""
    return find_header(head, lambda names: has(names, _NEEDED))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Blockpit's rows: amounts before the fee, times on a clock that the file does not name.

    Its ids are no keys: a spreadsheet has often made `1,55444E+13` of them.
    """
    frame = with_sides(
        rows, sent=("Outgoing Amount", "Outgoing Asset"), received=("Incoming Amount", "Incoming Asset"),
        fee=("Fee Amount", "Fee Asset"),
    )  # fmt: skip
    said = filled("Transaction Type").str.to_lowercase().str.replace_all("_", " ", literal=True)
    into = pl.col("received_quantity").fill_null(0) > 0
    optional = [name for name in ("Source Name", "Integration", "Note") if name in rows.columns]
    frame = moved(frame).with_columns(
        label=pl.when((said == "gift") & into).then(pl.lit("gift in")).otherwise(said),
        tx_id=filled("Transaction ID"),
        time_text=pl.col("Timestamp"),
        time_expected=pl.lit(ZONE_ASKED if context.time_zone is None else "06.01.2023 20:08"),
        occurred_at=local_time(filled("Timestamp"), context.time_zone, "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M"),
        platform=filled("Source Name"),
        note=noted("Transaction Type", *optional),
    )
    return finish(judged(frame, _KINDS, "unmoved"), context, SOURCE.family)


SOURCE = Source(name="blockpit", version="1", identify=identify, parse=parse, family="blockpit", depends=of_zone)
