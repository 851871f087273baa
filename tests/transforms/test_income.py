from __future__ import annotations

from typing import Any

import polars as pl

from schemas.ledger import Events
from tests.transforms.frames import frame
from transforms import income

EVENT = {
    "taxpayer_id": "t", "account_id": "a", "occurred_at": "2025-05-01T10:00:00", "tax_date": "2025-05-01", "tax_year": 2025,
    "source": "test", "received_asset": "SOL", "received_quantity": "2", "usd_value": "200",
}  # fmt: skip
FACTS = pl.DataFrame({"account_id": ["a", "ira"], "taxable": [True, False]})
MEMBERS = pl.DataFrame(
    {"return_id": ["t"], "tax_year": [2025], "taxpayer_id": ["t"]}, schema_overrides={"tax_year": pl.Int64}
)
NO_STAND = {"taxpayer_id": pl.String, "from_year": pl.Int64, "topic": pl.String, "choice": pl.String}


def rows(*events: dict[str, Any], stands: tuple[tuple, ...] = ()) -> pl.DataFrame:
    named = [{"event_id": f"e{n}", "fact_id": f"e{n}", **event} for n, event in enumerate(events)]
    positions = pl.DataFrame(stands, schema=NO_STAND, orient="row")
    return income.income(frame(Events, *named, **EVENT), FACTS, MEMBERS, positions)


def totals(frame: pl.DataFrame) -> list[tuple[str, ...]]:
    return income.by_return(frame).select(pl.all().cast(pl.String)).rows()


def test_a_staking_reward_is_income_at_fair_value() -> None:
    # E2.6: 2.0 SOL worth $100 each when transferable: income $200 (Rev. Rul. 2023-14)
    row = rows({"kind": "staking"}).row(0, named=True)
    assert (str(row["usd_value"]), row["schedule"], row["on_return"]) == ("200.000000", "Schedule 1 line 8v", True)


def test_wages_in_coins_are_not_counted_twice() -> None:
    wages = rows({"kind": "wages"})
    assert wages["schedule"].to_list() == ["W-2"]
    assert totals(wages) == []


def test_a_stand_of_the_client_wins_over_the_firm_s_which_fills_the_blanks() -> None:
    firm = (None, 2020, "staking_nii", "no")
    assert rows({"kind": "staking"})["in_nii"].to_list() == [True]
    assert rows({"kind": "staking"}, stands=(firm,))["in_nii"].to_list() == [False]
    assert rows({"kind": "staking"}, stands=(firm, ("t", 2024, "staking_nii", "yes")))["in_nii"].to_list() == [True]
    assert rows({"kind": "staking"}, stands=((None, 2026, "staking_nii", "no"),))["in_nii"].to_list() == [True]


def test_totals_by_return_leave_out_the_ira_and_what_has_no_value() -> None:
    found = rows({"kind": "staking"}, {"kind": "mining", "account_id": "ira"}, {"kind": "airdrop", "usd_value": None})
    assert totals(found) == [("t", "2025", "200.00", "200.00")]
