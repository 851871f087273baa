"""CoinTracking's trade list, in English and German. Its tax reports do not belong here."""

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
from transforms.sources.sides import day_first, has, judged, moved, noted, unsettled, with_sides

_GERMAN = {
    "typ": "type", "kauf": "buy", "verkauf": "sell", "gebühr": "fee", "börse": "exchange", "gruppe": "group",
    "kommentar": "comment", "datum": "date",
}  # fmt: skip
_NEEDED = ("type", "buy", "cur", "sell", "exchange", "date")
_SWAP = (
    "?a swap without tax by its type: enter it in the universal format as what it was (migration, wrap, unwrap, trade)"
)
_MARGIN = "?a margin or futures trade: coins did not change hands as in a sale; enter the profit or loss of its close"
_LIQUIDATION = "?a liquidation: enter in the universal format what was taken (spend) and what debt it paid (repay)"
_KINDS = {
    "trade": "trade", "margin trade": _MARGIN, "derivatives / futures trade": _MARGIN, "swap (non taxable)": _SWAP,
    "deposit": "deposit", "withdrawal": "withdrawal",
    "income": "reward", "other income": "reward", "reward / bonus": "reward", "reward/bonus": "reward",
    "dividends income": "reward", "lp rewards": "reward", "lending income": "interest", "interest income": "interest",
    "mining": "mining", "mining (commercial)": "mining", "staking": "staking", "masternode": "staking",
    "minting": "staking", "airdrop": "airdrop", "airdrop (non taxable)": "airdrop", "hard fork": "fork",
    # the tax of these is not in the type: they arrive and leave as what they are, units, and are asked
    "gift/tip": "deposit", "income (non taxable)": "deposit", "expense (non taxable)": "withdrawal",
    "remove liquidity": "deposit", "receive lp token": "deposit", "provide liquidity": "withdrawal",
    "return lp token": "withdrawal",
    "spend": "spend", "other expense": "spend", "donation": "donation", "gift": "gift_out", "stolen": "theft",
    "lost": "loss", "other fee": "fee", "settlement fee": "fee", "borrowing fee": "margin_interest",
    "margin fee": "margin_interest", "margin profit": "derivative_gain", "margin loss": "derivative_loss",
    "derivatives / futures profit": "derivative_gain", "derivatives / futures loss": "derivative_loss",
    "receive loan": "borrow", "repay loan": "repay", "send collateral": "collateral_out",
    "receive collateral": "collateral_in", "liquidation": _LIQUIDATION,
}  # fmt: skip
_GERMAN_TYPES = {
    "handel": "trade", "einzahlung": "deposit", "auszahlung": "withdrawal", "einnahme": "income", "einkommen": "income",
    "ausgabe": "spend", "spende": "donation", "geschenk": "gift", "geschenk/trinkgeld": "gift/tip",
    "geschenk/spende": "gift/tip", "gestohlen": "stolen", "verloren": "lost", "verlust": "lost",
}  # fmt: skip
_DATES = ("%d.%m.%Y", "%Y-%m-%d")


def _plain(name: str) -> str:
    text = name.strip().lower().removesuffix(".")
    return _GERMAN.get(text, text)


def identify(head: list[list[str]]) -> int | None:
    """The row with a buy, a sell and at least two currencies, in either language."""

    def fits(names: list[str]) -> bool:
        plain = [_plain(name) for name in names]
        return has(plain, _NEEDED) and plain.count("cur") >= 2 and plain[:3] == ["type", "buy", "cur"]

    return find_header(head, fits)


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of CoinTracking's rows: a dash is an empty cell, the three currencies stand behind their amounts.

    Amounts are what really left and came, fees inside (its help, "Entering fees"): the fee is taken out as its own leg.

    Times are in the zone of the user's settings, dates in their order. Whether a slash divides day and month or month
    and day, all dates of the file must tell.
    """
    frame = _named(rows)
    dash = ("buy", "sell", "fee")
    frame = frame.with_columns(
        pl.when(pl.col(name).str.strip_chars() == "-").then(pl.lit("")).otherwise(name).alias(name) for name in dash
    )
    frame = with_sides(frame, sent=("sell", "sell_cur"), received=("buy", "buy_cur"), fee=("fee", "fee_cur"))
    first = day_first(frame["date"])
    slashes = "%d/%m/%Y" if first else "%m/%d/%Y"
    formats = [f"{day} {clock}" for day in (*_DATES, slashes) for clock in ("%H:%M:%S", "%H:%M")]
    text = filled("date")
    torn = text.str.contains(r"^\d{1,2}/\d{1,2}/") & pl.lit(first is None)
    said = pl.col("type").str.strip_chars().str.to_lowercase()
    frame = _gross(moved(frame)).with_columns(
        label=said.replace(_GERMAN_TYPES),
        tx_id=filled("tx-id"),
        time_text=pl.col("date"),
        time_expected=pl.lit(ZONE_ASKED if context.time_zone is None else "30.01.2018 15:20:25"),
        occurred_at=local_time(text, context.time_zone, *formats),
        platform=filled("exchange"),
        note=noted("type", "exchange", "group", "comment"),
    )
    return finish(judged(frame, _KINDS, unsettled(torn, text), "unmoved"), context, SOURCE.family)


def _gross(frame: pl.DataFrame) -> pl.DataFrame:
    """Amounts before the fee: CoinTracking's have it inside, where it is in the coin of either.

    A fee in a third coin is a remark there: what it took from that coin's balance is a row of its own (Other Fee).
    """
    fee, out, into = (pl.col(f"{side}_quantity").fill_null(0) for side in ("fee", "sent", "received"))
    of_sent = (pl.col("fee_asset") == pl.col("sent_asset")).fill_null(value=False) & (out > 0)
    of_received = (pl.col("fee_asset") == pl.col("received_asset")).fill_null(value=False) & (into > 0) & ~of_sent
    return frame.with_columns(
        sent_quantity=pl.when(of_sent).then(out - fee).otherwise("sent_quantity"),
        received_quantity=pl.when(of_received).then(into + fee).otherwise("received_quantity"),
        fee_quantity=pl.when(of_sent | of_received).then("fee_quantity"),
    )


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows under English names in small letters; a currency is named after the amount before it."""
    names, before = {}, ""
    for name in rows.columns:
        if name in {"row_no", "unfit"}:
            continue
        plain = _plain(name.partition(" (")[0])
        names[name] = f"{before}_cur" if plain == "cur" else plain
        before = plain
    wanted = {old: new for old, new in names.items() if list(names.values()).count(new) == 1}
    frame = rows.rename({old: f"source {old}" for old in names}).rename(
        {f"source {old}": new for old, new in wanted.items()}
    )
    absent = ("fee", "fee_cur", "group", "comment", "tx-id")
    return frame.with_columns(pl.lit("").alias(name) for name in absent if name not in frame.columns)


SOURCE = Source(
    name="cointracking", version="1", identify=identify, parse=parse, family="cointracking", depends=of_zone
)  # fmt: skip
