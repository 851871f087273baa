from __future__ import annotations

from decimal import Decimal

import polars as pl

from schemas.ledger import Events, Prices
from tests.transforms.frames import frame
from transforms import prices
from transforms.reference_rates import dollars, is_rates

HEADER = ["Date", "USD", "JPY", "CYP", "GBP", "CHF", ""]
ROWS = [
    # newest first, as the bank writes it; 2025-04-18 to 21 is Easter
    {"row_no": 2, "date": "2025-04-22", "USD": "1.1476", "JPY": "161.33", "CYP": "N/A", "GBP": "0.85825", "CHF": "N/A"},
    {"row_no": 3, "date": "2025-04-17", "USD": "1.1360", "JPY": "161.99", "CYP": "0.58", "GBP": "0.8", "CHF": "broken"},
]


def points() -> tuple[pl.DataFrame, pl.DataFrame]:
    return prices.price_points(dollars(pl.DataFrame(ROWS).with_columns(file=pl.lit("eurofxref-hist.csv"))))


def test_the_bank_s_file_is_known_by_its_header_and_a_price_file_is_none() -> None:
    assert is_rates(HEADER)
    assert not is_rates(["date", "asset", "usd", "source"])
    assert not is_rates(["date", "usd", "gbp", "asset"])
    assert not is_rates([])


def test_units_a_euro_become_dollars_a_unit() -> None:
    table, rejected = points()
    found = {(asset, str(at.date())): usd for asset, at, usd in table.select("asset", "priced_at", "usd").iter_rows()}
    assert found["EUR", "2025-04-17"] == Decimal("1.136")
    assert found["GBP", "2025-04-17"] == Decimal("1.42")  # 1.1360 / 0.8
    # 1.1476 / 161.33 = 0.007113370110952705 634..., by long division
    assert found["JPY", "2025-04-22"] == Decimal("0.007113370110952706")
    assert ("CHF", "2025-04-22") not in found  # a hole is no rate
    assert not {asset for asset, _ in found} & {"CYP", "USD"}  # a currency that is no more; the dollar is a dollar
    assert set(table["source"]) == {"ECB euro reference rate"}
    assert rejected.select("row_no", "why").rows() == [(3, "usd is no decimal number")]


def test_the_last_business_day_is_carried_over_a_long_weekend_and_no_further() -> None:
    table, _ = points()
    days = ("2025-04-17", "2025-04-19", "2025-04-21")
    rows = [
        {"event_id": day, "fact_id": day, "occurred_at": f"{day}T20:00:00", "sent_asset": "EUR", "sent_quantity": "100",
         "received_asset": "BTC", "received_quantity": "1"}
        for day in days
    ]  # fmt: skip
    told = {
        "kind": "buy",
        "taxpayer_id": "t",
        "account_id": "a",
        "tax_date": "2025-04-17",
        "tax_year": 2025,
        "source": "x",
    }
    valued = prices.value_events(frame(Events, *rows, **told), table, max_age_days=3)
    assert [str(value) for value in valued["usd_value"]] == ["113.600000"] * 3
    assert valued["price_age_days"].to_list() == [0, 2, 4]  # measured, and told with the event
    old = table.filter(pl.col("priced_at").dt.date().cast(pl.String) == "2025-04-17")
    late = prices.value_events(
        frame(Events, rows[0] | {"occurred_at": "2025-04-24T20:00:00"}, **told), old, max_age_days=3
    )
    assert late["usd_value"].to_list() == [None]


def test_the_firm_s_own_rate_of_a_day_wins_over_the_bank_s() -> None:
    own = frame(Prices, {"asset": "EUR", "priced_at": "2025-04-17T00:00:00", "usd": "1.2", "source": "bank statement"})
    table = prices.with_rates(own, points()[0]).filter(asset="EUR")
    assert [(str(usd), source) for usd, source in table.select("usd", "source").iter_rows()] == [
        ("1.200000000000000000", "bank statement"),
        ("1.147600000000000000", "ECB euro reference rate"),
    ]


def test_a_rate_that_no_price_can_be_is_rejected_with_its_line() -> None:
    absurd = [
        {"row_no": 2, "date": "2024-01-02", "USD": "1000", "GBP": "0.000000000000000001"},
        {"row_no": 3, "date": "2024-01-03", "USD": "1.2", "GBP": "0.8"},
    ]
    table, rejected = prices.price_points(dollars(pl.DataFrame(absurd).with_columns(file=pl.lit("ecb.csv"))))
    assert table.filter(asset="GBP")["usd"].to_list() == [Decimal("1.5")]  # 1.2 / 0.8
    assert rejected.select("row_no", "why").rows() == [(2, "usd is no decimal number")]
