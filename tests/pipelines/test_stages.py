"""What stages hand to their transforms, where a wrong table would be taken without a word."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import polars as pl

from pipelines import stages
from pipelines.households import Members
from pipelines.quarantine import Quarantine
from pipelines.resources import Night
from schemas.clients import AccountFacts, ReturnMembers, Stands, TimeZones
from schemas.gate import empty
from schemas.inputs import Assets, OpeningLots, Overrides, Profiles, Taxpayers
from schemas.intake import Files, RowFaults
from schemas.ledger import EventFacts, Movements, Prices
from schemas.review import ReviewItems, StakeRanges
from schemas.tax import Gains, ReturnInputs
from tests.transforms.frames import frame
from transforms.sources.base import Context
from transforms.sources.registry import read_file

STATEMENT = """User_ID,UTC_Time,Account,Operation,Coin,Change,Remark
1,2023-01-01 10:00:00,Spot,Buy,BTC,0.1,
1,2023-01-01 10:00:00,Spot,Transaction Related,USDT,-2000,
1,2023-01-10 10:00:00,Spot,Buy,BTC,0.2,
1,2023-01-10 10:00:00,Spot,Transaction Related,USDT,-4000,
"""
TRADES = """Date(UTC),Pair,Side,Price,Executed,Amount,Fee
2023-01-01 10:00:00,BTCUSDT,BUY,20000,0.1BTC,2000USDT,0BNB
2023-01-10 10:00:00,BTCUSDT,BUY,20000,0.2BTC,4000USDT,0BNB
"""


def booked(folder: Path, overrides: pl.DataFrame) -> pl.DataFrame:
    (folder / "firm.toml").write_text('name = "Two reports"\ntime_zone = "America/New_York"\n')
    files = {"statement.csv": STATEMENT, "trades.csv": TRADES}
    legs = pl.concat([read_file(text.encode(), Context("a", name)).legs for name, text in files.items()])
    account = {"account_id": "a", "taxpayer_id": "t", "treatment": "taxable", "entity": "individual", "taxable": True}
    zone = {"taxpayer_id": "t", "valid_from": "2000-01-01", "time_zone": "America/New_York"}
    return stages.events(
        Night(folder, dt.date(2023, 6, 30), (2023,), "run"), legs, frame(AccountFacts, account), frame(TimeZones, zone),
        empty(Assets), overrides, empty(Prices), empty(Stands),
    )["events"]  # fmt: skip


def test_a_correction_of_a_fact_that_two_reports_state_makes_no_second_one(tmp_path: Path) -> None:
    """0.1 and 0.2 BTC stand in both; staff say that the second was 0.25, and on the 5th."""
    bought = booked(tmp_path, empty(Overrides))
    assert sorted(bought["received_quantity"]) == [Decimal("0.1"), Decimal("0.2")]
    event = bought.filter(received_quantity=Decimal("0.2"))["event_id"][0]
    rows = {"received_quantity": "0.25", "occurred_at": "2023-01-05T10:00:00Z"}
    said = [
        {"event_id": event, "field": field, "value": value, "at": "2024-01-05T10:00:00"}
        for field, value in rows.items()
    ]
    corrected = booked(tmp_path, frame(Overrides, *said))
    assert sorted(corrected["received_quantity"]) == [Decimal("0.1"), Decimal("0.25")]
    assert corrected["occurred_at"].dt.day().sort().to_list() == [1, 5]


def test_a_client_of_whom_only_spam_is_known_has_no_data(tmp_path: Path) -> None:
    account = {"account_id": "a", "taxpayer_id": "t", "treatment": "taxable", "entity": "individual", "taxable": True}
    member = {"return_id": "r", "tax_year": 2023, "taxpayer_id": "t", "role": "primary"}
    token = {"event_id": "e", "taxpayer_id": "t", "kind": "deposit", "received_asset": "SPAM", "received_quantity": "1"}

    def status(**more: str) -> str:
        found = stages.statuses(
            Night(tmp_path, dt.date(2023, 6, 30), (2023,), "run"), empty(ReviewItems), empty(StakeRanges),
            empty(ReturnInputs), frame(ReturnMembers, member), empty(Files), empty(RowFaults),
            frame(EventFacts, token | more), empty(Movements), empty(Gains), frame(AccountFacts, account),
            empty(Profiles), empty(OpeningLots), frame(Taxpayers, {"taxpayer_id": "t", "entity": "individual"}),
            empty(Members), empty(Quarantine),
        )["client_status"]  # fmt: skip
        return str(found["status"][0])

    assert status() == "ready"
    assert status(quarantined="dust of an unknown contract") == "no_data"
