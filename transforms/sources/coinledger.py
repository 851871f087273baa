"""CoinLedger's transaction export: one row a leg. Its tax reports do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.ids import content_id
from transforms.sources.base import (
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    one_of,
    reason,
    utc_time,
    with_numbers,
)
from transforms.sources.sides import asset, has, noted

_NEEDED = ("Timestamp (UTC)", "Type", "Internal Id", "Platform", "Record Type", "Asset", "Amount")
_TWO_SIDED = ("Trade", "Buy", "Sell", "Exchange")
_TYPES: dict[str, str | None] = {
    **dict.fromkeys(_TWO_SIDED), "Deposit": None, "Withdrawal": None, "Transfer": None, "Manual Position": None,
    "Airdrop": "airdrop", "Hard Fork": "fork", "Mining": "mining", "Staking": "staking", "Income": "reward",
    "Interest": "interest", "Interest Received": "interest", "Interest Payment": "interest", "Gift Received": "gift_in",
    "Gift Sent": "gift_out", "Merchant Payment": "spend", "Theft Loss": "theft", "Investment Loss": "loss",
    "Casualty Loss": "loss", "Charitable Donation": "donation", "Network Fee": "fee", "Margin Gain": "derivative_gain",
    "Loan": "borrow", "Loan Repayment": "repay",
}  # fmt: skip
_BY_LOWER = {name.lower(): kind or "" for name, kind in _TYPES.items()}
_ROLES = {"credit": "received", "debit": "sent", "platform fee": "fee", "network fee": "fee", "margin gain": "margin"}
_IN_ONLY = ("airdrop", "fork", "mining", "staking", "reward", "gift_in", "borrow")
_OUT_ONLY = ("gift_out", "spend", "theft", "loss", "donation", "repay", "fee")


def identify(head: list[list[str]]) -> int | None:
    """The row with the names of the export."""
    return find_header(head, lambda names: has(names, _NEEDED))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of CoinLedger's rows, joined by the internal id; a trade of which the file has one side is no trade.

    A transfer of which both ends are in one id stays inside the account where they are equal.
    """
    absent = [
        pl.lit("").alias(name) for name in ("Blockchain Id", "Platform Id", "Description") if name not in rows.columns
    ]
    frame = with_numbers(rows.with_columns(absent), amount="Amount")
    said = pl.col("Type").str.strip_chars().str.to_lowercase()
    role = (
        pl.col("Record Type")
        .str.strip_chars()
        .str.to_lowercase()
        .replace_strict(_ROLES, default=None, return_dtype=pl.String)
    )
    frame = frame.with_columns(
        type=said,
        kind=said.replace_strict(_BY_LOWER, default="", return_dtype=pl.String),
        role=role,
        coin=filled("Asset"),
        id=filled("Internal Id"),
        time_text=pl.col("Timestamp (UTC)"),
        time_expected=pl.lit("2025-08-06T07:16:26.000"),
        occurred_at=utc_time(filled("Timestamp (UTC)").str.strip_suffix("Z"), "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"),
        tx_id=pl.coalesce(filled("Blockchain Id"), filled("Platform Id")),
        platform=filled("Platform"),
        note=noted("Type", "Platform", "Description"),
        row_key=content_id("", "Internal Id", "Record Type", "Asset", "amount", "Timestamp (UTC)"),
    ).with_columns(_kind())  # fmt: skip
    gain = (pl.col("role") == "margin") & (pl.col("amount") > 0)
    loss = (pl.col("role") == "margin") & (pl.col("amount") < 0)
    size = pl.col("amount").abs()
    sides = {
        "sent": (pl.col("role") == "sent") | loss,
        "received": (pl.col("role") == "received") | gain,
        "fee": pl.col("role") == "fee",
    }
    frame = frame.with_columns(
        **{f"{side}_quantity": pl.when(which).then(size) for side, which in sides.items()},
        **{f"{side}_asset": asset(pl.col("coin")) for side in sides},
        **{f"{side}_raw": pl.col("coin") for side in sides},
        **{f"{side}_rounded": pl.col("amount_rounded") for side in sides},
        reject=_fault(),
        ignore=_stays(),
        # the two ends of a transfer are two events: a deposit and a withdrawal
        group_key=pl.when(said != "transfer").then("id"),
        fact=pl.when(said.is_in([name.lower() for name in _TWO_SIDED])).then("id"),
    )
    return finish(frame, context, SOURCE.family)


def _kind() -> pl.Expr:
    """The kind by type, and by the sign where that decides; null where the sides tell."""
    kind = pl.col("kind")
    paid = kind.is_in(["interest"]) & (pl.col("amount") < 0)
    lost = (kind == "derivative_gain") & (pl.col("amount") < 0)
    named = pl.when(paid).then(pl.lit("margin_interest")).when(lost).then(pl.lit("derivative_loss")).otherwise(kind)
    return pl.when(kind != "").then(named).alias("kind")


def _stays() -> pl.Expr:
    """A zero that is no half of a trade, and ends of one transfer that are equal: what left one place came to another."""
    moves = (pl.col("type") == "transfer") & pl.col("role").is_in(["sent", "received"])
    ends = pl.when(moves).then("amount").sum().over("id", "Asset")
    both = pl.when(moves).then("role").drop_nulls().n_unique().over("id", "Asset") == 2
    two = pl.col("type").is_in([name.lower() for name in _TWO_SIDED])
    zero = (pl.col("amount") == 0) & (~two | (pl.col("role") == "fee")) & pl.col("type").is_in(list(_BY_LOWER))
    return (
        pl.when(zero)
        .then(pl.lit("no value moved"))
        .when(moves & both & (ends == 0) & pl.col("id").is_not_null())
        .then(pl.lit("a move between places of one account"))
    )


def _fault() -> pl.Expr:
    kind, role, amount = pl.col("kind"), pl.col("role"), pl.col("amount")
    two = pl.col("type").is_in([name.lower() for name in _TWO_SIDED])
    moves = pl.col("role").is_in(["sent", "received"]) & (amount != 0)
    half = pl.when(moves).then("role").drop_nulls().n_unique().over("id") < 2
    missing = pl.lit("a trade of which the file has one side only: export a time that holds both")
    wrong = ((role == "received") & (amount < 0)) | (role.is_in(["sent", "fee"]) & (amount > 0))
    wrong = wrong | (kind.is_in(_IN_ONLY) & (role == "sent")) | (kind.is_in(_OUT_ONLY) & (role == "received"))
    return pl.coalesce(
        reason(~pl.col("type").is_in(list(_BY_LOWER)), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("Type")),
        reason(role.is_null(), f"unknown record type {{}}: expected one of {one_of(_ROLES)}", pl.col("Record Type")),
        "amount_fault",
        pl.when(amount.is_null()).then(pl.lit("Amount: found none")),
        pl.when(pl.col("id").is_null()).then(pl.lit("Internal Id: found none")),
        pl.when(wrong).then(pl.lit("Amount: found a sign that the type or the record type does not have")),
        pl.when(two & half).then(missing),
    )  # fmt: skip


SOURCE = Source(name="coinledger", version="1", identify=identify, parse=parse, family="coinledger")
