"""The one place that turns a firm, a date and a first year into a run of the job `night`. Nothing runs here."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

from pipelines.errors import NightError
from pipelines.partitions import FIRST_YEAR, RANGE_END, RANGE_START, tax_years
from pipelines.resources import Books, FirmFolder

JOB = "night"


class Plan(NamedTuple):
    """What a run of the job `night` is launched with."""

    as_of: date
    tags: dict[str, str]
    config: dict[str, Any]


def plan(firm: FirmFolder, now: datetime, from_year: int | None = None) -> Plan:
    """Tags and config of a night that starts at `now`: made at launch, so that a new year needs no restart.

    Args:
        firm: the folder; its `as_of` wins over the date that firm.toml pins, that over the day of `now`.
        now: an instant with its zone.
        from_year: the first tax year to compute again; the years before are taken from the last night. It is ignored
            where no night has closed them yet, and for another day than tonight (a scratch warehouse is empty).

    Raises:
        NightError: the folder, the date or the year is not usable.
    """
    as_of = firm.date_at(now)
    years = tax_years.get_partition_keys(current_time=now)
    if str(as_of.year) not in years:
        raise NightError(f"as-of date {as_of}: nights are computed for {years[0]} to {years[-1]}")
    first = from_year or FIRST_YEAR
    if not FIRST_YEAR <= first <= as_of.year:
        raise NightError(f"first year {first}: it lies between {FIRST_YEAR} and the year of the night, {as_of.year}")
    books = Books(firm, as_of, now)
    if books.scratch or not books.warehouse.exists():
        first = FIRST_YEAR
    return Plan(
        as_of,
        {RANGE_START: str(first), RANGE_END: str(as_of.year)},
        {
            "resources": {"firm": {"config": {"folder": str(firm.path), "as_of": as_of.isoformat()}}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
    )
