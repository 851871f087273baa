"""Running balances in the clients' files against the legs read from them. No correction belongs here."""

from __future__ import annotations

import polars as pl

_CHAIN = ("account_id", "source", "file_id", "raw_asset")


def balance_breaks(legs: pl.DataFrame) -> pl.DataFrame:
    """Where a file's running balance does not follow from the row before and the legs read.

    Previous balance + received - sent - fees of the row = balance, for each account, source, file and asset as the
    file writes it, oldest row first. A break says that rows are missing, changed or could not be read.

    Args:
        legs: columns of `schemas.intake.Legs`.

    Returns:
        The first break of each chain: account_id, source, raw_asset, file_id, row_no, occurred_at, expected, found.
    """
    outgoing = pl.col("role") != "received"
    rows = (
        legs.filter(pl.col("balance").is_not_null().any().over("account_id", "source", "file_id", "row_no"))
        .group_by(*_CHAIN, "row_no")
        .agg(
            pl.col("occurred_at").first(),
            found=pl.col("balance").drop_nulls().first(),
            moved=pl.when(outgoing).then(-pl.col("quantity")).otherwise("quantity").sum(),
        )
        .sort(*_CHAIN, "row_no")
    )
    # an export may list its newest row first
    backwards = (pl.col("occurred_at").first() > pl.col("occurred_at").last()).over("account_id", "source", "file_id")
    place = pl.when(backwards).then(-pl.col("row_no")).otherwise("row_no")
    return (
        rows.sort(*_CHAIN[:3], "row_no")
        .with_columns(place=place)
        .sort(*_CHAIN, "place")
        .with_columns(expected=pl.col("found").shift(1).over(_CHAIN) + pl.col("moved"))
        .filter(pl.col("expected") != pl.col("found"))
        .group_by(_CHAIN, maintain_order=True)
        .first()
        .select("account_id", "source", "raw_asset", "file_id", "row_no", "occurred_at", "expected", "found")
    )
