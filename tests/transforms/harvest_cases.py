"""Small returns, holdings and firms for the tests of the advice. No expectation belongs here."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl

from schemas.fields import CENTS, STATUSES
from schemas.harvest import Holdings
from schemas.inputs import FirmSettings, PlatformCost
from tests.transforms.frames import frame
from transforms import harvest
from transforms.law.tax import Returns


def settings(fee_bp: int = 0, spread_bp: int = 0, **more: Any) -> FirmSettings:
    """4 % a year, ten years ahead, bought back and sold in the fifth; trading is free unless costs are given."""
    costs = {"default": PlatformCost(Decimal(fee_bp), Decimal(spread_bp))}
    given: dict[str, Any] = {"discount_rate": Decimal("0.04"), "platforms": costs} | more
    return FirmSettings("Firm", "America/New_York", **given)


def returns(return_id: str = "r", status: str = "single", tax_year: int = 2025, **dollars: int) -> pl.DataFrame:
    """One return in dollars; what is not given is zero, the deduction the standard one."""
    row = dict.fromkeys(Returns._fields, 0)
    row |= {name: amount * 100 for name, amount in dollars.items()}
    row |= {"tax_year": tax_year, "status": STATUSES.index(status), "deduction": -1}
    return pl.DataFrame({"return_id": return_id} | row)


def expectations(ordinary: int | None = None, gains: int | None = None, return_id: str = "r") -> pl.DataFrame:
    cells = [None if amount is None else Decimal(amount) for amount in (ordinary, gains)]
    return pl.DataFrame(
        [(return_id, *cells)],
        schema={"return_id": pl.String, "expected_ordinary_income": CENTS, "expected_annual_gains": CENTS},
        orient="row",
    )


def tonight(expected: pl.DataFrame | None = None, firm: FirmSettings | None = None, **given: Any) -> harvest.Tonight:
    return harvest.tonight_of(
        returns(**given), expectations() if expected is None else expected, settings() if firm is None else firm
    )


def holding(lot_id: str, loss: int, value: int = 10_000, term: str = "long", **more: Any) -> dict[str, Any]:
    """A lot of the return `r`, at a loss of so many dollars: ten units bought for value + loss, worth value."""
    cells = {"return_id": "r", "taxpayer_id": "r", "account_id": "a", "asset": "BTC", "lot_id": lot_id}
    cells |= {"quantity": 10, "price": Decimal(value) / 10, "value": value, "basis": value + loss}
    cells |= {"unrealized_gain": -loss, "term": term, "basis_status": "known", "priced_at": "2025-12-15T00:00:00"}
    return cells | {"date_acquired": "2024-01-01", "long_term_from": "2025-01-02"} | more


def holdings(*lots: dict[str, Any]) -> pl.DataFrame:
    return frame(Holdings, *lots)


def accounts(*rows: tuple[str, str | None, str | None]) -> pl.DataFrame:
    """(account_id, platform, custody)."""
    schema = {"account_id": pl.String, "platform": pl.String, "custody": pl.String}
    return pl.DataFrame(rows or [("a", None, "self")], schema=schema, orient="row")


def facts(*rows: tuple[str, str, bool, bool]) -> pl.DataFrame:
    """(asset, class, collectible, indivisible)."""
    schema = {"asset": pl.String, "class": pl.String, "collectible": pl.Boolean, "indivisible": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def members(*rows: tuple[str, str, str], tax_year: int = 2025) -> pl.DataFrame:
    """(return_id, taxpayer_id, role)."""
    frame = pl.DataFrame(rows or [("r", "r", "primary")], schema=["return_id", "taxpayer_id", "role"], orient="row")
    return frame.with_columns(tax_year=pl.lit(tax_year, pl.Int64))


def zones(*rows: tuple[str, dt.date, str]) -> pl.DataFrame:
    """(taxpayer_id, valid_from, time_zone)."""
    given = rows or [("r", dt.date(1, 1, 1), "America/New_York")]
    return pl.DataFrame(given, schema=["taxpayer_id", "valid_from", "time_zone"], orient="row")
