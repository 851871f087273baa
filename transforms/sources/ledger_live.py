"""Ledger Live's operations: all accounts of one device in a file, every vintage. Other wallets do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.exact import part_of
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
    usd,
    utc_time,
    with_numbers,
)
from transforms.sources.sides import asset, has, noted

_NEEDED = (
    "Operation Date",
    "Currency Ticker",
    "Operation Type",
    "Operation Amount",
    "Operation Fees",
    "Operation Hash",
)
_LATER = ("Status", "Account Name", "Countervalue Ticker", "Countervalue at Operation Date")
_IN, _REWARD, _OUT = ("IN",), ("REWARD", "REWARD_PAYOUT"), ("OUT", "FEES")
_FEE_ONLY = (
    "DELEGATE", "UNDELEGATE", "REDELEGATE", "REVEAL", "CREATE", "APPROVE", "OPT_IN", "OPT_OUT", "BOND", "UNBOND",
    "WITHDRAW_UNBONDED", "NOMINATE", "CHILL", "SET_CONTROLLER", "FREEZE", "UNFREEZE", "VOTE", "LOCK", "UNLOCK",
    "WITHDRAW", "REVOKE", "ACTIVATE", "STAKE", "UNSTAKE", "WITHDRAW_UNSTAKED", "LEGACY_UNFREEZE", "WITHDRAW_EXPIRE_UNFREEZE",
)  # fmt: skip
"""Operations that move coins inside the account (into and out of staking) or nothing: the fee alone left it."""
_NFT = ("NFT_IN", "NFT_OUT")
_TYPES = (*_IN, *_REWARD, *_OUT, *_FEE_ONLY, *_NFT)
_STATUS = {"confirmed": "done", "failed": "failed", "pending": "pending", "unconfirmed": "pending"}


def identify(head: list[list[str]]) -> int | None:
    """The row with the names that every vintage has."""
    return find_header(head, lambda names: has(names, _NEEDED))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of operations: an outgoing amount has the fee inside, an incoming one's fee is the sender's.

    Operations of one hash are one fact: a token and the ether that its transfer cost, both ends of a transfer between
    accounts of the device (their netting leaves the fee). The countervalue is the amount's fair value where it is in USD.
    """
    absent = [pl.lit("").alias(name) for name in _LATER if name not in rows.columns]
    frame = with_numbers(
        rows.with_columns(absent),
        amount="Operation Amount", fees="Operation Fees", worth="Countervalue at Operation Date",
    ).with_columns(
        type=pl.col("Operation Type").str.strip_chars().str.to_uppercase(),
        status=pl.when(filled("Status").is_null()).then(pl.lit("done")).otherwise(
            filled("Status").str.to_lowercase().replace_strict(_STATUS, default=None, return_dtype=pl.String)
        ),
        ticker=filled("Currency Ticker"),
        tx_id=filled("Operation Hash"),
        time_text=pl.col("Operation Date"),
        time_expected=pl.lit("2025-03-01T12:00:00.000Z"),
        occurred_at=utc_time(filled("Operation Date"), "%Y-%m-%dT%H:%M:%S%.fZ"),
        note=noted("Account Name"),
    )  # fmt: skip
    kind, fee = pl.col("type"), pl.col("fees").fill_null(0)
    pays = kind.is_in([*_OUT, *_FEE_ONLY])
    done = pl.col("status") == "done"
    coin = asset(pl.col("ticker"))
    dollars = pl.col("Countervalue Ticker").str.strip_chars().str.to_uppercase() == "USD"
    value = pl.when(dollars & (pl.col("worth") > 0)).then(usd(pl.col("worth")))
    parts = {"sent": pl.col("amount") - fee, "received": pl.col("amount"), "fee": fee}
    frame = frame.with_columns(
        sent_quantity=pl.when(done & kind.is_in(_OUT)).then(pl.col("amount") - fee),
        received_quantity=pl.when(done & kind.is_in([*_IN, *_REWARD])).then("amount"),
        fee_quantity=pl.when(pays & (pl.col("status") != "pending")).then(fee),
        **{f"{side}_usd": _part(value, part) for side, part in parts.items()},
        kind=pl.when(kind.is_in(_REWARD)).then(pl.lit("staking")),
        row_key=content_id("", "tx_id", "type", "ticker", "amount", "occurred_at"),
        group_key="tx_id",
        fact=pl.when(~kind.is_in(_NFT)).then("tx_id"),
        **{f"{side}_asset": coin for side in ("sent", "received", "fee")},
        **{f"{side}_raw": pl.col("ticker") for side in ("sent", "received", "fee")},
        sent_rounded=pl.col("amount_rounded") | pl.col("fees_rounded"),
        received_rounded="amount_rounded",
        fee_rounded="fees_rounded",
        ignore=_nothing(),
        reject=_fault(),
    )
    return finish(frame, context, SOURCE.family)


def _part(value: pl.Expr, part: pl.Expr) -> pl.Expr:
    """What a part of the amount is worth; null where that is less than the smallest part of a dollar."""
    inside = (part >= 0) & (part <= pl.col("amount"))
    worth = part_of(pl.when(inside).then(value), pl.when(inside).then(part), pl.when(inside).then("amount"))
    return pl.when(worth > 0).then(worth)


def _nothing() -> pl.Expr:
    costs = pl.col("type").is_in([*_OUT, *_FEE_ONLY]) & (pl.col("fees").fill_null(0) > 0)
    return (
        pl.when(pl.col("status") == "pending").then(pl.lit("not confirmed yet"))
        .when((pl.col("status") == "failed") & ~costs).then(pl.lit("failed: nothing moved"))
        .when(pl.col("type").is_in(_FEE_ONLY) & ~costs).then(pl.lit("a move inside the account, without a fee"))
        .when(pl.col("type").is_in([*_IN, *_REWARD]) & (pl.col("amount") == 0)).then(pl.lit("no value moved"))
        .when((pl.col("type") == "OUT") & (pl.col("amount") == 0) & ~costs).then(pl.lit("no value moved"))
        .when((pl.col("type") == "FEES") & ~costs & (pl.col("amount") == 0)).then(pl.lit("no fee was paid"))
    )  # fmt: skip


def _fault() -> pl.Expr:
    kind = pl.col("type")
    nft = pl.lit("an NFT, and the file does not name it: give the chain explorer's list of NFT transfers")
    less = pl.lit("Operation Amount: found less than the fee, expected it to hold the fee")
    return pl.coalesce(
        reason(~kind.is_in(_TYPES), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("Operation Type")),
        reason(pl.col("status").is_null(), "Status: found {}, expected Confirmed, Failed or Pending", pl.col("Status")),
        pl.when(kind.is_in(_NFT)).then(nft),
        "amount_fault",
        "fees_fault",
        pl.when(pl.col("amount").is_null()).then(pl.lit("Operation Amount: found none")),
        pl.when((pl.col("amount") < 0) | (pl.col("fees") < 0)).then(pl.lit("found a negative amount, expected none")),
        # a failed one may state its fee alone
        pl.when(kind.is_in(_OUT) & (pl.col("status") == "done") & (pl.col("amount") < pl.col("fees"))).then(less),
    )


SOURCE = Source(name="ledger_live", version="1", identify=identify, parse=parse, family="ledger_live", nets=True)
