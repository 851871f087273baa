"""Exodus's transactions, in the layouts with an amount and a currency column a side. Other wallets do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.ids import content_id
from transforms.sources.base import (
    SIDES,
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    one_of,
    reason,
    utc_time,
)
from transforms.sources.sides import has, noted, with_sides

_NEEDED = ("DATE", "TYPE", "OUTAMOUNT", "OUTCURRENCY", "FEEAMOUNT", "FEECURRENCY", "INAMOUNT", "INCURRENCY")
_OPTIONAL = ("FROMPORTFOLIO", "TOPORTFOLIO", "OUTTXID", "INTXID", "ORDERID", "PERSONALNOTE")
_TYPES = ("deposit", "withdrawal", "exchange", "staked", "unstaked")
_FAILED = r"\s*\(failed\)$"
_NETWORKED = r"^(USDT|USDC|DAI|BUSD|TUSD|BNB|ETH|WBTC|LINK|UNI|AAVE)(TRX|BSC|SOL|MATIC|AVAXC|BASE|ARBITRUM|ARB|OPTIMISM|OP|ALGO|FTM)$"
"""Tickers that Exodus writes with the network behind them: USDTTRX is USDT on Tron."""


def identify(head: list[list[str]]) -> int | None:
    """The row with the names that every vintage has."""
    return find_header(head, lambda names: has(names, _NEEDED))


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Exodus's rows: what went out and the fee are negative.

    A swap is a withdrawal and a deposit of one order (or of one transaction); a staking row moves nothing but its fee.
    """
    absent = [pl.lit("").alias(name) for name in _OPTIONAL if name not in rows.columns]
    frame = with_sides(
        rows.with_columns(absent),
        sent=("OUTAMOUNT", "OUTCURRENCY"), received=("INAMOUNT", "INCURRENCY"), fee=("FEEAMOUNT", "FEECURRENCY"),
    )  # fmt: skip
    text = filled("TYPE").str.to_lowercase()
    label = text.str.replace(_FAILED, "")
    failed = text.str.contains(_FAILED)
    date = filled("DATE").str.replace(r"\s*\(.*\)$", "").str.replace(r"^[A-Z][a-z]{2} ([A-Z][a-z]{2} )", "${1}")
    inside = (label == "deposit") & filled("FROMPORTFOLIO").is_not_null()
    frame = frame.with_columns(
        label=label,
        tx_id=pl.coalesce(filled("OUTTXID"), filled("INTXID")),
        group_key=pl.coalesce(filled("ORDERID"), filled("OUTTXID"), filled("INTXID")),
        time_text=pl.col("DATE"),
        time_expected=pl.lit("2025-11-21T10:00:00.000Z or Tue Nov 21 2017 10:00:00 GMT-0500"),
        occurred_at=utc_time(date, "%Y-%m-%dT%H:%M:%S%.fZ", "%b %d %Y %H:%M:%S GMT%z"),
        note=noted("PERSONALNOTE"),
        failed=failed,
        wrong=pl.when((pl.col("sent_quantity") > 0) | (pl.col("fee_quantity") > 0)).then(
            pl.lit("OUTAMOUNT or FEEAMOUNT: found a positive one, expected it to be negative")
        ),
        **{f"{side}_asset": pl.col(f"{side}_asset").str.replace(_NETWORKED, "${1}") for side in SIDES},
    ).with_columns(
        sent_quantity=pl.when(~failed).then(-pl.col("sent_quantity")),
        received_quantity=pl.when(~failed).then("received_quantity"),
        fee_quantity=-pl.col("fee_quantity"),
    )
    unstaked = pl.lit(
        "a deposit out of the portfolio itself (coins that come back from staking): the file does not say how much of "
        "it is reward; enter the reward in the universal format"
    )
    staked = pl.lit("a staking row with an amount: the file does not say how much of it is reward")
    frame = frame.with_columns(
        fact="group_key",
        row_key=content_id("", "occurred_at", "label", "sent_quantity", "sent_raw", "received_quantity", "received_raw", "tx_id"),
        reject=pl.coalesce(
            reason(~label.is_in(_TYPES), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("TYPE")),
            *(f"{side}_fault" for side in SIDES),
            "wrong",
            pl.when(label.is_in(["staked", "unstaked"]) & (_moves("sent") | _moves("received"))).then(staked),
            pl.when(inside & ~failed).then(unstaked),
            pl.when((label == "exchange") & ~failed & ~_both()).then(pl.lit("an exchange has two sides: found only one")),
        ),
        ignore=pl.when(_nothing() & label.is_in(_TYPES)).then(
            pl.when("failed").then(pl.lit("failed: nothing moved")).otherwise(pl.lit("no value moved"))
        ),
    )  # fmt: skip
    return finish(frame, context, SOURCE.family)


def _moves(side: str) -> pl.Expr:
    return (pl.col(f"{side}_quantity") > 0).fill_null(value=False)


def _both() -> pl.Expr:
    return _moves("sent") & _moves("received")


def _nothing() -> pl.Expr:
    faults = pl.any_horizontal(pl.col(f"{side}_fault").is_not_null() for side in SIDES)
    return pl.all_horizontal(pl.col(f"{side}_quantity").fill_null(0) == 0 for side in SIDES) & ~faults


SOURCE = Source(name="exodus", version="1", identify=identify, parse=parse, family="exodus", nets=True)
