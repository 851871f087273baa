"""BittyTax's generic layout, one row an event. BittyTax's audit and tax files do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.sources.base import (
    SIDES,
    ZONE_ASKED,
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    local_time,
    of_zone,
    usd,
    with_numbers,
)
from transforms.sources.sides import has, judged, noted, with_sides

_NEEDED = (
    "Type",
    "Buy Quantity",
    "Buy Asset",
    "Sell Quantity",
    "Sell Asset",
    "Fee Quantity",
    "Fee Asset",
    "Wallet",
    "Timestamp",
)
_WORDS = {"sent": "Sell", "received": "Buy", "fee": "Fee"}
_SWAP = "?a swap that BittyTax does not tax: enter it in the universal format as what it was (migration, wrap, trade)"
_KINDS = {
    "trade": "trade", "deposit": "deposit", "withdrawal": "withdrawal", "swap": _SWAP, "stake": None, "unstake": None,
    "mining": "mining", "staking": "staking", "staking-reward": "staking", "interest": "interest", "dividend": "reward",
    "income": "reward", "referral": "reward", "cashback": "deposit", "fee-rebate": "deposit", "airdrop": "airdrop", "fork": "fork",
    "gift-received": "gift_in", "gift-sent": "gift_out", "gift-spouse": "gift_out", "charity-sent": "donation",
    "spend": "spend", "lost": "loss", "margin-gain": "derivative_gain", "margin-loss": "derivative_loss",
    "margin-fee": "margin_interest", "margin-fee-rebate": "derivative_gain", "loan": "borrow", "loan-repayment": "repay",
    "loan-interest": "margin_interest", "collateral-out": "collateral_out", "collateral-in": "collateral_in",
}  # fmt: skip


def identify(head: list[list[str]]) -> int | None:
    """The row with the names of the layout; those of the values name their currency."""
    return find_header(head, lambda names: has(names, _NEEDED))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of BittyTax's rows: times without a zone are the account's; values count where their column says USD."""
    frame = with_sides(
        rows,
        sent=("Sell Quantity", "Sell Asset"),
        received=("Buy Quantity", "Buy Asset"),
        fee=("Fee Quantity", "Fee Asset"),
    )
    inside = filled("Type").str.to_lowercase().is_in(["stake", "unstake"]).fill_null(value=False)
    free = pl.col("fee_quantity").fill_null(0) == 0
    frame = frame.with_columns(
        ignore=pl.when(inside & free).then(pl.lit("coins put into or taken out of staking")),
        **{f"{side}_quantity": pl.when(~inside).then(f"{side}_quantity") for side in ("sent", "received")},
    )
    columns = {side: f"{word} Value in USD" for side, word in _WORDS.items()}
    frame = with_numbers(frame, **{f"{side}_worth": column for side, column in columns.items()})
    text = filled("Timestamp").str.replace(r"^([0-9-]{10})T", "${1} ")
    zone = text.str.extract(r" ([A-Z]{2,5})$")
    clocks = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
    bare = pl.when(zone.is_null()).then(text)
    stated = pl.when(zone.is_in(["UTC", "GMT"])).then(text.str.replace(r" [A-Z]+$", ""))
    frame = frame.with_columns(
        label=filled("Type").str.to_lowercase().str.replace_all("_", "-", literal=True),
        tx_id=filled("TX Hash") if "TX Hash" in rows.columns else pl.lit(None, pl.String),
        time_text=pl.col("Timestamp"),
        time_expected=pl.when(bare.is_not_null() & pl.lit(context.time_zone is None)).then(pl.lit(ZONE_ASKED)).otherwise(
            pl.lit("YYYY-MM-DD HH:MM:SS UTC")
        ),
        occurred_at=pl.coalesce(local_time(stated, "UTC", *clocks), local_time(bare, context.time_zone, *clocks)),
        platform=filled("Wallet"),
        note=noted("Type", "Wallet", "Note") if "Note" in rows.columns else noted("Type", "Wallet"),
        **{f"{side}_usd": usd(pl.col(f"{side}_worth")) for side in SIDES},
    )  # fmt: skip
    return finish(judged(frame, _KINDS, *(f"{side}_worth_fault" for side in SIDES)), context, SOURCE.family)


SOURCE = Source(name="bittytax", version="1", identify=identify, parse=parse, family="bittytax", depends=of_zone)
