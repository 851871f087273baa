from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from transforms import holding

# Section 1.2 of the tax rules: acquired, sold, term (IRC 1222; Rev. Rul. 66-7, 70-598).
TABLE = [
    ("2025-01-01", "2026-01-01", "short"),  # exactly one year
    ("2025-01-01", "2026-01-02", "long"),
    ("2024-02-28", "2025-02-28", "short"),  # holding began on 29 February
    ("2024-02-28", "2025-03-01", "long"),
    ("2024-02-29", "2025-02-28", "short"),
    ("2024-02-29", "2025-03-01", "long"),
    ("2023-02-28", "2024-02-28", "short"),
    ("2023-02-28", "2024-02-29", "short"),  # holding began on 1 March 2023
    ("2023-02-28", "2024-03-01", "long"),
    ("2025-01-31", "2026-02-01", "long"),  # last day of a month: first day of the 13th month
    ("2023-06-30", "2024-06-30", "short"),  # 366 days, and yet not more than a year
]


@pytest.mark.parametrize(("acquired", "sold", "term"), TABLE)
def test_term_by_the_calendar(acquired: str, sold: str, term: str) -> None:
    frame = pl.DataFrame({"a": [dt.date.fromisoformat(acquired)], "s": [dt.date.fromisoformat(sold)]})
    result = frame.select(holding.term(pl.col("s"), holding.long_term_from(pl.col("a")))).item()
    assert result == term


def test_more_than_one_year_for_every_day_of_two_leap_cycles() -> None:
    # By hand: the first long-term day is the day after the last day of a year that began the day after acquisition.
    days = [dt.date(2022, 1, 1) + dt.timedelta(n) for n in range(8 * 365 + 2)]

    def by_hand(acquired: dt.date) -> dt.date:
        begin = acquired + dt.timedelta(1)
        if (begin.month, begin.day) == (2, 29):
            return dt.date(begin.year + 1, 3, 1)
        full_year = begin.replace(year=begin.year + 1)
        anniversary = (2, 28) if (acquired.month, acquired.day) == (2, 29) else (acquired.month, acquired.day)
        return max(full_year, dt.date(acquired.year + 1, *anniversary) + dt.timedelta(1))

    got = pl.DataFrame({"a": days}).select(holding.long_term_from(pl.col("a")))["a"].to_list()
    assert got == [by_hand(day) for day in days]


def test_a_sale_on_new_years_eve_in_new_york_belongs_to_the_old_year() -> None:
    # Section 1.3: 2026-12-31 20:30 New York is 2027-01-01 01:30 UTC. Honolulu, London and Kolkata beside it.
    instant = dt.datetime(2027, 1, 1, 1, 30, tzinfo=dt.UTC)
    zones = ["America/New_York", "Pacific/Honolulu", "Europe/London", "Asia/Kolkata", None]
    frame = pl.DataFrame({"occurred_at": [instant] * 5, "time_zone": zones})
    dates = holding.with_tax_date(frame)["tax_date"].to_list()
    assert dates == [dt.date(2026, 12, 31)] * 2 + [dt.date(2027, 1, 1)] * 2 + [None]


def test_a_taxpayer_who_moves_takes_the_new_zone_from_that_day_on() -> None:
    zones = pl.DataFrame(
        {
            "taxpayer_id": ["jane", "jane"],
            "valid_from": [dt.date(2025, 7, 1), dt.date(2020, 1, 1)],
            "time_zone": ["America/Los_Angeles", "America/New_York"],
        }
    )
    at = [dt.datetime(year, 8, 1, 5, tzinfo=dt.UTC) for year in (2026, 2024, 2019)]
    frame = pl.DataFrame({"taxpayer_id": ["jane"] * 3 + ["brian"], "occurred_at": [*at, at[0]]})
    dated = holding.with_tax_date(holding.with_time_zone(frame, zones))
    assert dated["time_zone"].to_list() == ["America/Los_Angeles", "America/New_York", "America/New_York", "UTC"]
    assert dated["tax_date"].dt.day().to_list() == [31, 1, 1, 1]  # 05:00 UTC is 22:00 in Los Angeles, 01:00 in New York
