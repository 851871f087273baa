"""rotki's generic layouts for trades and for events. rotki's own history export does not belong here."""

from __future__ import annotations

import polars as pl

from transforms.sources.base import Context, Parsed, Source, filled, find_header, finish
from transforms.sources.sides import judged, noted, with_sides

_TRADES = ("Location", "Spend Currency", "Receive Currency", "Receive Amount", "Spend Amount", "Fee", "Fee Currency",
           "Description", "Timestamp")  # fmt: skip
_EVENTS = ("Type", "Location", "Currency", "Amount", "Fee", "Fee Currency", "Description", "Timestamp")
_IN = {"deposit": "deposit", "income": "reward", "staking": "staking"}
_OUT = {"withdrawal": "withdrawal", "loss": "loss", "spend": "spend"}


def identify_trades(head: list[list[str]]) -> int | None:
    """The row with exactly the names of the trades, in any order."""
    return find_header(head, lambda names: len(names) == len(_TRADES) and set(names) == set(_TRADES))


def identify_events(head: list[list[str]]) -> int | None:
    """The row with exactly the names of the events, in any order."""
    return find_header(head, lambda names: len(names) == len(_EVENTS) and set(names) == set(_EVENTS))


def parse_trades(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of trades: what was spent, what was received, the fee."""
    frame = with_sides(
        rows, sent=("Spend Amount", "Spend Currency"), received=("Receive Amount", "Receive Currency"),
        fee=("Fee", "Fee Currency"),
    )  # fmt: skip
    return _finished(frame.with_columns(label=pl.lit("trade")), {"trade": "trade"}, context)


def parse_events(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of events: one amount, whose side the type tells."""
    label = filled("Type").str.to_lowercase()
    frame = rows.with_columns(
        label=label,
        **{f"{side}_cell": pl.when(label.is_in(list(types))).then("Amount").otherwise(pl.lit(""))
           for side, types in (("sent", _OUT), ("received", _IN))},
    )  # fmt: skip
    frame = with_sides(
        frame, sent=("sent_cell", "Currency"), received=("received_cell", "Currency"), fee=("Fee", "Fee Currency")
    )
    return _finished(frame, {**_IN, **_OUT}, context)


def _finished(frame: pl.DataFrame, kinds: dict[str, str | None], context: Context) -> Parsed:
    whole = pl.when(filled("Timestamp").str.contains(r"^[0-9]{1,14}$")).then(filled("Timestamp")).cast(pl.Int64)
    frame = frame.with_columns(
        tx_id=pl.lit(None, pl.String),
        time_text=pl.col("Timestamp"),
        time_expected=pl.lit("milliseconds since 1970"),
        occurred_at=pl.from_epoch(whole, time_unit="ms").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        platform=filled("Location"),
        note=noted("Location", "Description"),
    )
    return finish(judged(frame, kinds), context, TRADES.family)


TRADES = Source(name="rotki_trades", version="1", identify=identify_trades, parse=parse_trades, family="rotki")
EVENTS = Source(name="rotki_events", version="1", identify=identify_events, parse=parse_events, family="rotki")
