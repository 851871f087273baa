"""The figures of the law by tax year and filing status, read once from `params.json`. No computation of tax belongs here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from importlib import resources
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from schemas.fields import STATUSES

Ints: TypeAlias = npt.NDArray[np.int64]
"""Whole numbers, one a return: money in cents, rates in thousandths."""


class YearMissingError(LookupError):
    """A tax year whose figures are not in the tables: it is refused, never extrapolated."""


@dataclass(frozen=True)
class Parameters:
    """The law's figures, money in int64 cents, rates in whole thousandths (0.396 is 396).

    In the table the first two axes are year and status (index into `schemas.fields.STATUSES`); `lookup` gathers them to
    one row a return. `bracket_tops` has one more axis of 6 and `rates` of 7: `rates[i + 1]` begins at
    `bracket_tops[i]`. `gain_rates` are the 0, 15 and 20 percent of section 1(h), `amt_rates` the 26 and 28 percent of
    section 55(b). `below_25_top` is where the first ordinary rate of 25 percent or more begins (section 1(h)(1)(A)).
    """

    rates: Ints
    bracket_tops: Ints
    below_25_top: Ints
    gain_rates: Ints
    zero_rate_top: Ints
    fifteen_rate_top: Ints
    collectibles_rate: Ints
    unrecaptured_1250_rate: Ints
    capital_loss_limit: Ints
    standard_deduction: Ints
    aged_addition: Ints
    senior_deduction: Ints
    senior_deduction_phase_out_start: Ints
    senior_deduction_phase_out_rate: Ints
    social_security_base: Ints
    social_security_adjusted_base: Ints
    niit_rate: Ints
    niit_threshold: Ints
    amt_rates: Ints
    amt_rate_break: Ints
    amt_exemption: Ints
    amt_exemption_phase_out_start: Ints
    amt_exemption_phase_out_rate: Ints


def thousandths(rate: Decimal | int) -> int:
    """A rate as whole thousandths; raises ValueError where it has a finer digit."""
    scaled = Decimal(rate) * 1000
    if scaled != int(scaled):
        raise ValueError(f"rate {rate} is no whole thousandth")
    return int(scaled)


def cents(dollars: Decimal | int) -> int:
    """Dollars as cents; raises ValueError where they have a finer digit."""
    scaled = Decimal(dollars) * 100
    if scaled != int(scaled):
        raise ValueError(f"{dollars} dollars are no whole cents")
    return int(scaled)


def lookup(tax_year: Ints, status: Ints) -> Parameters:
    """The figures of each return's year and status, one row a return.

    Raises:
        YearMissingError: a year is not in `YEARS`.
        ValueError: a status is no index of `STATUSES`.
    """
    missing = np.setdiff1d(tax_year, YEARS)
    if missing.size:
        raise YearMissingError(f"no figures for tax years {missing.tolist()}; there are {YEARS[0]}-{YEARS[-1]}")
    if np.any((status < 0) | (status >= len(STATUSES))):
        raise ValueError(f"filing status is an index of {STATUSES}")
    year = tax_year - YEARS[0]
    return Parameters(**{field.name: getattr(TABLE, field.name)[year, status] for field in fields(Parameters)})


def _cell(year: Mapping[str, Any], fixed: Mapping[str, Any], status: str) -> dict[str, list[int] | int]:
    """Every figure of one year and status."""
    own = year[status]
    rates = [thousandths(rate) for rate in year["rates"]]
    tops = [cents(top) for top in own["ordinary_bracket_tops"]]
    phase_out = thousandths(year["amt_exemption_phase_out_rate"])
    if phase_out % 250:
        raise ValueError("the kernel counts in quarter cents: an exemption phases out by quarters of a dollar")
    return {
        "rates": rates,
        "bracket_tops": tops,
        "below_25_top": max(top for top, rate in zip(tops, rates, strict=False) if rate < 250),
        "gain_rates": [thousandths(rate) for rate in year["gain_rates"]],
        "amt_rates": [thousandths(rate) for rate in year["amt_rates"]],
        "collectibles_rate": thousandths(year["collectibles_rate"]),
        "unrecaptured_1250_rate": thousandths(year["unrecaptured_1250_rate"]),
        "niit_rate": thousandths(year["niit_rate"]),
        "senior_deduction_phase_out_rate": thousandths(year["senior_deduction_phase_out_rate"]),
        "amt_exemption_phase_out_rate": phase_out,
        **{name: cents(amount) for name, amount in own.items() if name != "ordinary_bracket_tops"},
        **{name: cents(by_status[status]) for name, by_status in fixed.items()},
    }


def _table(law: Mapping[str, Any]) -> Parameters:
    years = [law["years"][str(year)] for year in YEARS]
    cells = [[_cell(year, law["not_indexed"], status) for status in STATUSES] for year in years]
    return Parameters(
        **{
            field.name: np.array([[cell[field.name] for cell in row] for row in cells], dtype=np.int64)
            for field in fields(Parameters)
        }
    )


def _load() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("params.json").read_text(encoding="utf-8")
    law: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return law


_LAW = _load()
LAW_VERSION: str = _LAW["version"]
YEARS: range = range(int(min(_LAW["years"])), int(max(_LAW["years"])) + 1)
SOURCES: Mapping[str, str] = _LAW["sources"]
TABLE = _table(_LAW)
