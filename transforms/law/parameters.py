"""The figures of the law by tax year and filing status, read once from `years/`. No computation of tax belongs here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from importlib import resources
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from schemas.fields import STATUSES

Ints: TypeAlias = npt.NDArray[np.int64]
"""Whole numbers, one a return: money in cents, rates in thousandths."""


def brackets_first(figures: Ints) -> Ints:
    """(return, bracket) as (bracket, return), which `figure[bracket]` reads for all returns as for one."""
    return np.moveaxis(figures, 0, -1)


class YearMissingError(LookupError):
    """A tax year whose figures are not in the tables: it is refused, never extrapolated."""


class LawFileError(ValueError):
    """A file of the law that does not hold what it must; every fault of it is told."""


class Parameters(NamedTuple):
    """The law's figures, money in int64 cents, rates in whole thousandths (0.396 is 396).

    In the table the first two axes are year and status (index into `schemas.fields.STATUSES`), and `bracket_tops` has one
    more of 6, `rates` of 7: `rates[i + 1]` begins at `bracket_tops[i]`. `lookup` gathers years and statuses to one place
    a return, and puts the axis of brackets first. `gain_rates` are the 0, 15 and 20 percent of section 1(h), `amt_rates` the
    26 and 28 percent of section 55(b). `below_25_top` is where the first ordinary rate of 25 percent or more begins
    (section 1(h)(1)(A)).
    `personal_exemption` is for each person (section 151, to 2017) and falls by `exemption_phase_out_rate` for each
    `exemption_phase_out_step` begun above `exemption_phase_out_start`.
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
    personal_exemption: Ints
    exemption_phase_out_start: Ints
    exemption_phase_out_step: Ints
    exemption_phase_out_rate: Ints
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


class Figures(NamedTuple):
    """Tax years without a gap, and their figures."""

    years: range
    table: Parameters


RATES = (
    "collectibles_rate", "unrecaptured_1250_rate", "niit_rate", "amt_exemption_phase_out_rate",
    "senior_deduction_phase_out_rate", "exemption_phase_out_rate",
)  # fmt: skip
"""One fraction a year."""
LADDERS = {"rates": 7, "gain_rates": 3, "amt_rates": 2}
"""Rising fractions of a year, and how many they are."""
AMOUNTS = (
    "zero_rate_top", "fifteen_rate_top", "standard_deduction", "aged_addition", "personal_exemption",
    "exemption_phase_out_start", "exemption_phase_out_step", "senior_deduction", "senior_deduction_phase_out_start",
    "capital_loss_limit", "niit_threshold", "amt_rate_break", "amt_exemption", "amt_exemption_phase_out_start",
    "social_security_base", "social_security_adjusted_base",
)  # fmt: skip
"""Dollars by filing status."""
TOPS = "ordinary_bracket_tops"
FIGURES_OF_A_YEAR = (*LADDERS, *RATES, TOPS, *AMOUNTS)
STEP = 25
"""Every amount of the law is a multiple of 25 dollars (50, halved on a separate return): a typing error rarely is."""


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


def read_years(texts: Mapping[str, str]) -> Figures:
    """The figures of the files of one year each (file name: JSON text), checked.

    Raises:
        LawFileError: a file lacks a figure, a status or a source, holds one that cannot be, or a year is missing
            between two others; the message has a line for each fault with file, figure, what was found and expected.
    """
    years = {name: json.loads(text, parse_float=Decimal) for name, text in texts.items()}
    found = [f"{name}: {fault}" for name, year in years.items() for fault in faults(name, year)]
    numbers = sorted(year.get("tax_year", 0) for year in years.values())
    found += [f"no file between the years {a} and {b}" for a, b in pairwise(numbers) if b - a != 1]
    if found or not numbers:
        raise LawFileError("\n".join(found) or "no file of the law")
    ordered = sorted(years.values(), key=lambda year: year["tax_year"])
    return Figures(range(numbers[0], numbers[-1] + 1), _table(ordered))


def faults(name: str, year: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the file of a year: complete, every figure sourced, ladders rising, amounts possible."""
    if name != f"{year.get('tax_year')}.json":
        yield f"tax_year is {year.get('tax_year')}, expected the year of the file's name"
    yield from _names("figures", year, ("tax_year", "sources", *LADDERS, *RATES, *STATUSES))
    yield from _names("sources", year.get("sources", {}), FIGURES_OF_A_YEAR)
    yield from (f"{figure}: no source" for figure, text in year.get("sources", {}).items() if not str(text).strip())
    for figure, length in LADDERS.items():
        yield from _ladder(figure, year.get(figure, []), length)
    for figure in (*RATES, *LADDERS):
        given = year.get(figure, 0)
        yield from _fractions(figure, given if isinstance(given, list) else [given])
    phase_out = year.get("amt_exemption_phase_out_rate")
    if phase_out is not None and (phase_out <= 0 or Decimal(phase_out) * 4 % 1):
        yield f"amt_exemption_phase_out_rate is {phase_out}, expected quarters of a dollar: the kernel counts in them"
    for status in STATUSES:
        yield from (f"{status}: {fault}" for fault in _status_faults(year.get(status, {})))


def lookup(tax_year: Ints, status: Ints, figures: Figures | None = None) -> Parameters:
    """The figures of each return's year and status (`figures`: the shipped ones): (return) or (bracket, return).

    Raises:
        YearMissingError: a year is not covered.
        ValueError: a status is no index of `STATUSES`.
    """
    years, table = figures or Figures(YEARS, TABLE)
    missing = np.setdiff1d(tax_year, years)
    if missing.size:
        raise YearMissingError(f"no figures for tax years {missing.tolist()}; there are {years[0]}-{years[-1]}")
    if np.any((status < 0) | (status >= len(STATUSES))):
        raise ValueError(f"filing status is an index of {STATUSES}")
    year = tax_year - years[0]
    return Parameters(*(brackets_first(figures[year, status]) for figures in table))


def _names(of: str, given: Mapping[str, Any], expected: Sequence[str]) -> Iterator[str]:
    missing, unknown = (sorted(names) for names in (set(expected) - set(given), set(given) - set(expected)))
    if missing:
        yield f"{of} lack {', '.join(missing)}"
    if unknown:
        yield f"{of} hold {', '.join(unknown)}, which nothing reads"


def _ladder(figure: str, steps: Sequence[Any], length: int) -> Iterator[str]:
    if len(steps) != length:
        yield f"{figure} has {len(steps)} steps, expected {length}"
    yield from (f"{figure} falls or stands from {a} to {b}, expected to rise" for a, b in pairwise(steps) if b <= a)


def _fractions(figure: str, rates: Sequence[Any]) -> Iterator[str]:
    for rate in rates:
        if not 0 <= rate < 1 or Decimal(rate) * 1000 % 1:
            yield f"{figure} is {rate}, expected a fraction in whole thousandths"


def _status_faults(own: Mapping[str, Any]) -> Iterator[str]:
    yield from _names("figures", own, (TOPS, *AMOUNTS))
    yield from _ladder(TOPS, own.get(TOPS, []), LADDERS["rates"] - 1)
    amounts = [(TOPS, top) for top in own.get(TOPS, [])] + [(name, own[name]) for name in AMOUNTS if name in own]
    for figure, amount in amounts:
        if amount < 0 or amount % STEP:
            yield f"{figure} is {amount}, expected a multiple of {STEP} dollars"
    pairs = (
        ("zero_rate_top", "fifteen_rate_top"),
        ("amt_exemption", "amt_exemption_phase_out_start"),
        ("social_security_base", "social_security_adjusted_base"),
    )
    for low, high in pairs:
        if own.get(low, 0) > own.get(high, 0):
            yield f"{low} is {own[low]}, above {high} {own.get(high)}"


def _cell(year: Mapping[str, Any], status: str) -> dict[str, list[int] | int]:
    """Every figure of one year and status."""
    own = year[status]
    rates = [thousandths(rate) for rate in year["rates"]]
    tops = [cents(top) for top in own[TOPS]]
    return {
        "rates": rates,
        "bracket_tops": tops,
        "below_25_top": max(top for top, rate in zip(tops, rates, strict=False) if rate < 250),
        "gain_rates": [thousandths(rate) for rate in year["gain_rates"]],
        "amt_rates": [thousandths(rate) for rate in year["amt_rates"]],
        **{name: thousandths(year[name]) for name in RATES},
        **{name: cents(own[name]) for name in AMOUNTS},
    }


def _table(years: Sequence[Mapping[str, Any]]) -> Parameters:
    cells = [[_cell(year, status) for status in STATUSES] for year in years]
    return Parameters(
        **{
            name: np.array([[cell[name] for cell in row] for row in cells], dtype=np.int64)
            for name in Parameters._fields
        }
    )


def texts(folder: str) -> dict[str, str]:
    """The JSON files of a folder of the law by their names, as they are shipped."""
    shipped = resources.files(__package__).joinpath(folder).iterdir()
    return {file.name: file.read_text(encoding="utf-8") for file in shipped if file.name.endswith(".json")}


def version(*folders: Mapping[str, str]) -> str:
    """The name of a state of the law's files: it changes with every figure, without anybody's memory."""
    content = "\n".join(f"{name}\n{folder[name]}" for folder in folders for name in sorted(folder))
    return hashlib.sha256(content.encode()).hexdigest()[:12]


_TEXTS = texts("years")
YEARS, TABLE = read_years(_TEXTS)
LAW_VERSION: str = f"{YEARS[-1]}-{version(_TEXTS, texts('state_rules'))}"
