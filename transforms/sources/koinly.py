"""Koinly's universal CSV and its transactions export. Koinly's tax reports do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.sources.base import (
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    usd,
    utc_time,
    with_numbers,
)
from transforms.sources.sides import direction, has, judged, moved, noted, with_sides

_NEEDED = ("Date", "Sent Amount", "Sent Currency", "Received Amount", "Received Currency", "Fee Amount", "Fee Currency")
_OPTIONAL = ("Net Worth Amount", "Net Worth Currency", "Label", "Tag", "Description", "TxHash", "Sending Wallet",
             "Receiving Wallet", "Deleted", "Fee Worth Amount", "Fee Worth Currency")  # fmt: skip
_EXPORT = {
    "Date (UTC)": "Date", "From Amount": "Sent Amount", "From Currency": "Sent Currency", "To Amount": "Received Amount",
    "To Currency": "Received Currency", "From Wallet (read-only)": "Sending Wallet",
    "To Wallet (read-only)": "Receiving Wallet",
}  # fmt: skip
"""Names of the transactions export, and what the universal format calls the same."""
_SWAP = (
    "?a swap without tax by its label: enter it in the universal format as what it was (migration, wrap, unwrap, trade)"
)
_IN = {
    "airdrop": "airdrop", "fork": "fork", "mining": "mining", "reward": "reward", "rewards": "reward",
    "staking": "staking", "income": "reward", "other income": "reward", "salary": "wages", "loan interest": "interest",
    "lending interest": "interest", "interest": "interest", "loan": "borrow",
    "received from pool": None, "from pool": None, "unstake": None,
    "liquidity out": None, "cashback": None, "fee refund": None, "tax refund": None, "transfer": None,
    "margin loan": "borrow", "realized gain": "derivative_gain", "funding fee": "funding", "gift": "gift_in",
}  # fmt: skip
_OUT = {
    "gift": "gift_out", "lost": "loss", "stolen": "theft", "donation": "donation", "cost": "spend",
    "loan repayment": "repay", "margin repayment": "repay", "interest payment": "margin_interest",
    "loan fee": "margin_interest", "margin fee": "margin_interest", "margin trade fee": "margin_interest",
    "realized gain": "derivative_loss", "funding fee": "funding", "liquidity in": None,
    "sent to pool": None, "to pool": None, "stake": None,
    "transfer": None,
}  # fmt: skip
_TWO = {"swap": _SWAP, "liquidity in": _SWAP, "liquidity out": _SWAP, "transfer": None}
_DIRECTIONS = {"in": _IN, "out": _OUT, "two": _TWO}
_KINDS = {f"{way}: {label}": kind for way, labels in _DIRECTIONS.items() for label, kind in labels.items()}


def identify(head: list[list[str]]) -> int | None:
    """The row with the universal format's names, or the export's."""
    return find_header(head, lambda names: (has(names, _NEEDED) and _is_koinly(names)) or has(names, [*_EXPORT, "Tag"]))


def _is_koinly(names: list[str]) -> bool:
    """Others have the same seven columns: Koinly's have the net worth or the hash in its spelling."""
    return bool({"Net Worth Amount", "TxHash"} & set(names)) and bool({"Label", "Tag", "Description"} & set(names))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Koinly's rows, in UTC as Koinly has them.

    A row without a label is what its sides make it; of one coin sent and received it is a transfer inside the account.
    A label counts by the direction of its row. The net worth is the fair value of the sides where it is in USD.
    """
    absent = [pl.lit("").alias(name) for name in _OPTIONAL if name not in {_EXPORT.get(n, n) for n in rows.columns}]
    frame = rows.rename({old: new for old, new in _EXPORT.items() if old in rows.columns}).with_columns(absent)
    currencies = [f"{side} Currency" for side in ("Sent", "Received", "Fee")]
    # the export writes a coin with its number at Koinly (USDC;3054)
    frame = frame.with_columns(
        pl.col(*currencies, "Net Worth Currency", "Fee Worth Currency").str.replace(r";\d+$", "")
    )
    frame = with_sides(
        frame, sent=("Sent Amount", "Sent Currency"), received=("Received Amount", "Received Currency"),
        fee=("Fee Amount", "Fee Currency"),
    )  # fmt: skip
    frame = with_numbers(moved(frame), worth="Net Worth Amount", fee_worth="Fee Worth Amount")
    said = pl.coalesce(filled("Label"), filled("Tag")).str.to_lowercase().str.replace_all("_", " ", literal=True)
    at = filled("Date").str.replace(r"( UTC|Z)$", "").str.replace("T", " ", literal=True)
    dollars = {
        name: pl.col(f"{name} Currency").str.strip_chars().str.to_uppercase() == "USD"
        for name in ("Net Worth", "Fee Worth")
    }
    value = pl.when(dollars["Net Worth"] & (pl.col("worth") > 0)).then(usd(pl.col("worth")))
    frame = frame.with_columns(
        label=pl.concat_str(direction(), pl.lit(": "), said),
        tx_id=filled("TxHash"),
        time_text=pl.col("Date"),
        time_expected=pl.lit("YYYY-MM-DD HH:MM:SS UTC"),
        occurred_at=utc_time(at, "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"),
        platform=_platform(),
        note=noted("Label", "Tag", "Sending Wallet", "Receiving Wallet", "Description"),
        sent_usd=value,
        received_usd=value,
        fee_usd=pl.when(dollars["Fee Worth"] & (pl.col("fee_worth") > 0)).then(usd(pl.col("fee_worth"))),
        ignore=pl.coalesce(
            "ignore", pl.when(filled("Deleted").str.to_lowercase() == "true").then(pl.lit("deleted by the user in Koinly"))
        ),
    )  # fmt: skip
    frame = judged(frame, _KINDS, "worth_fault", "unmoved")
    return finish(
        frame.with_columns(pl.when(pl.col("ignore").is_null()).then("reject").alias("reject")), context, SOURCE.family
    )


def _platform() -> pl.Expr:
    """The wallets that a row names, by the names that the user sees (`Binance;binance` has Koinly's behind it)."""
    places = [filled(f"{side} Wallet").str.replace(r";.*$", "") for side in ("Sending", "Receiving")]
    both = pl.when(places[0].is_not_null() & (places[0] != places[1])).then(pl.concat_str(*places, separator=" and "))
    return pl.coalesce(both, *places)


SOURCE = Source(name="koinly", version="1", identify=identify, parse=parse, family="koinly")
