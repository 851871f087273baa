from __future__ import annotations

import polars as pl

from schemas.clients import Stands
from tests.transforms.frames import frame
from transforms.stands import chosen


def test_a_stand_is_a_client_s_from_a_year_on_and_the_firm_s_only_fills_the_blank() -> None:
    positions = frame(
        Stands,
        {"topic": "wrapping", "from_year": 2009, "choice": "carry"},
        {"topic": "wrapping", "from_year": 2025, "choice": "taxable"},
        {"taxpayer_id": "jane", "topic": "wrapping", "from_year": 2024, "choice": "carry"},
    )
    rows = [(client, year) for client in ("jane", "brian") for year in (2023, 2024, 2025)]
    asked = pl.DataFrame(rows, schema=["taxpayer_id", "tax_year"], orient="row").with_columns(topic=pl.lit("wrapping"))
    known = chosen(pl.concat([asked, asked.head(1).with_columns(topic=pl.lit("bridging"))]), positions)
    assert known.select("taxpayer_id", "tax_year", "choice", "taken").rows() == [
        ("jane", 2023, "carry", True),  # the firm's: hers begins in 2024
        ("jane", 2024, "carry", True),
        ("jane", 2025, "carry", True),  # hers, though the firm has another by now
        ("brian", 2023, "carry", True),
        ("brian", 2024, "carry", True),
        ("brian", 2025, "taxable", True),
        ("jane", 2023, "taxable", False),  # nobody's: the shipped one
    ]
