"""Bitcoin.tax's trades, income and spending lists. Its reports of gains do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.sources.base import Context, Parsed, Source, filled, find_header, finish, utc_time
from transforms.sources.sides import has, judged, noted, with_sides

_NEEDED = ("Date", "Action", "Symbol", "Account", "Volume", "Price", "Currency", "Fee", "FeeCurrency")
_SWAP = (
    "?a SWAP (a fork, a renaming or a token for a coin): enter it in the universal format as migration, fork or trade"
)
_IN = {"income": "reward", "mining": "mining", "giftin": "gift_in", "borrow": "borrow"}
_OUT = {
    "spend": "spend",
    "donation": "donation",
    "gift": "gift_out",
    "stolen": "theft",
    "lost": "loss",
    "repay": "repay",
}
_KINDS: dict[str, str | None] = {"buy": "buy", "sell": "sell", "swap": _SWAP, **_IN, **_OUT}


def identify(head: list[list[str]]) -> int | None:
    """The row with the names that the three lists share."""
    return find_header(head, lambda names: has(names, _NEEDED))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Bitcoin.tax's rows: volume of the symbol against cost or proceeds, which have the fee inside.

    `Cost/Proceeds` of a trade is what was paid in all or what came in: the fee, where it is in the same currency, is
    taken off a cost and put on proceeds, so that it is a leg of its own.
    """
    other = "Cost/Proceeds" if "Cost/Proceeds" in rows.columns else None
    label = filled("Action").str.to_lowercase()
    buys, sells = label == "buy", label == "sell"
    into, out = buys | label.is_in(list(_IN)), sells | label.is_in(list(_OUT))
    cash, nothing = pl.col(other) if other else pl.lit(""), pl.lit("")
    frame = rows.with_columns(
        label=label,
        sent_cell=pl.when(out).then("Volume").when(buys).then(cash).otherwise(nothing),
        sent_unit=pl.when(out).then("Symbol").otherwise("Currency"),
        received_cell=pl.when(into).then("Volume").when(sells).then(cash).otherwise(nothing),
        received_unit=pl.when(into).then("Symbol").otherwise("Currency"),
    )
    frame = with_sides(
        frame, sent=("sent_cell", "sent_unit"), received=("received_cell", "received_unit"), fee=("Fee", "FeeCurrency")
    )
    fee = pl.col("fee_quantity").fill_null(0)
    frame = frame.with_columns(
        sent_quantity=pl.when(buys & (pl.col("fee_asset") == pl.col("sent_asset"))).then(pl.col("sent_quantity") - fee)
        .otherwise("sent_quantity"),
        received_quantity=pl.when(sells & (pl.col("fee_asset") == pl.col("received_asset")))
        .then(pl.col("received_quantity") + fee).otherwise("received_quantity"),
        tx_id=filled("ExchangeId") if other else pl.lit(None, pl.String),
        time_text=pl.col("Date"),
        time_expected=pl.lit("2018-06-03 21:16:15 +0000"),
        occurred_at=utc_time(filled("Date"), "%Y-%m-%d %H:%M:%S %z"),
        platform=filled("Account"),
        note=noted("Account", "Memo") if "Memo" in rows.columns else noted("Account"),
    )  # fmt: skip
    return finish(judged(frame, _KINDS), context, SOURCE.family)


SOURCE = Source(name="bitcoin_tax", version="1", identify=identify, parse=parse, family="bitcoin_tax")
