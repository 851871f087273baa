"""Who belongs together: taxpayers, their accounts and returns by household. No tax rule belongs here."""

from __future__ import annotations

import hashlib

import pandera.polars as pa
import polars as pl

from schemas.base import Table

ID_COLUMNS = {
    "taxpayer_id": "taxpayer",
    "return_id": "return",
    "account_id": "account",
    "out_taxpayer_id": "taxpayer",
    "in_taxpayer_id": "taxpayer",
}
"""Columns that name a client, and the kind of id they hold; the first one that a table has decides its bucket."""


class Members(Table):
    """An id of the firm's folder and a taxpayer behind it (a joint return has two).

    A household is every taxpayer who ever shared a return: a carryover of the joint year binds both afterwards.
    `bucket` is the first byte of the SHA-256 of the household's id, for work in parallel.
    """

    kind: str = pa.Field(isin=("taxpayer", "return", "account"))
    id: str
    taxpayer_id: str
    household: str
    bucket: pl.UInt8


def household_members(taxpayers: pl.DataFrame, returns: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """The `Members` of a firm.

    Args:
        taxpayers: taxpayer_id.
        returns: return_id, taxpayer_id (any further columns are ignored; empty where everyone files alone).
        accounts: account_id, taxpayer_id.

    Returns:
        One row an id and taxpayer, sorted; a household is named after its smallest taxpayer_id.
    """
    owners = [
        taxpayers.select(kind=pl.lit("taxpayer"), id="taxpayer_id", taxpayer_id="taxpayer_id"),
        taxpayers.select(kind=pl.lit("return"), id="taxpayer_id", taxpayer_id="taxpayer_id"),
        returns.select(kind=pl.lit("return"), id="return_id", taxpayer_id="taxpayer_id"),
        accounts.select(kind=pl.lit("account"), id="account_id", taxpayer_id="taxpayer_id"),
    ]
    members = pl.concat(owners).unique().sort("kind", "id", "taxpayer_id")
    households = _households(members.filter(pl.col("kind") == "return").select("id", "taxpayer_id").rows())
    household = pl.col("taxpayer_id").replace_strict(
        list(households), list(households.values()), default=pl.col("taxpayer_id"), return_dtype=pl.String
    )
    return members.with_columns(household=household).with_columns(
        bucket=pl.col("household").map_elements(_first_byte, return_dtype=pl.UInt8)
    )


def _households(shares: list[tuple[str, str]]) -> dict[str, str]:
    """Taxpayer to the smallest taxpayer reachable over shared returns (union-find)."""
    parent: dict[str, str] = {}

    def root(taxpayer: str) -> str:
        while parent.setdefault(taxpayer, taxpayer) != taxpayer:
            taxpayer = parent[taxpayer]
        return taxpayer

    first: dict[str, str] = {}
    for return_id, taxpayer in shares:
        one, other = sorted((root(first.setdefault(return_id, taxpayer)), root(taxpayer)))
        parent[other] = one
    return {taxpayer: root(taxpayer) for taxpayer in list(parent)}


def _first_byte(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0]
