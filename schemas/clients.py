"""Tables that the night derives from the firm's folder before any file of a client is read."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.base import Table
from schemas.fields import METHODS
from schemas.inputs import CUSTODY, ENTITIES, ROLES, TREATMENTS


class ReturnMembers(Table):
    """Who is on which return of a tax year."""

    return_id: str
    tax_year: int
    taxpayer_id: str
    role: str = pa.Field(isin=ROLES)

    class Config:
        """A taxpayer is on one return a year."""

        unique = ["taxpayer_id", "tax_year"]


class AccountFacts(Table):
    """An account with what decides over its results: `taxable` says that they belong on an individual's return."""

    account_id: str
    taxpayer_id: str
    platform: str = pa.Field(nullable=True)
    custody: str = pa.Field(nullable=True, isin=CUSTODY)
    treatment: str = pa.Field(isin=TREATMENTS)
    wallet: str
    address: str = pa.Field(nullable=True)
    time_zone: str = pa.Field(nullable=True)
    only_method: str = pa.Field(nullable=True, isin=METHODS)
    entity: str = pa.Field(isin=ENTITIES)
    taxable: bool

    class Config:
        """One row an account."""

        unique = ["account_id"]


class TimeZones(Table):
    """The IANA zone whose clock a taxpayer lives by from a day on."""

    taxpayer_id: str
    valid_from: pl.Date
    time_zone: str


class Stands(Table):
    """A stand on unsettled law; without a taxpayer it is the firm's default."""

    taxpayer_id: str = pa.Field(nullable=True)
    from_year: int
    topic: str
    choice: str


class AssetFacts(Table):
    """What an asset is: `collectible` for the 28 % rate, `indivisible` for what can only be sold whole.

    `represents`: the coin that a wrapped, bridged or staked token stands for.
    """

    asset: str
    class_: str = pa.Field(alias="class")
    collectible: bool
    indivisible: bool
    represents: str = pa.Field(nullable=True)

    class Config:
        """One row an asset."""

        unique = ["asset"]
