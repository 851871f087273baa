from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from schemas.inputs import Profiles
from schemas.ledger import Events
from tests.transforms.frames import frame
from transforms import income, questions

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


@pytest.mark.parametrize("kind", ["staking", "mining", "airdrop", "fork", "interest", "reward"])
def test_coins_received_are_other_income(kind: str) -> None:
    # Instructions Form 1040 (2025): digital assets received as ordinary income, Schedule 1 line 8v
    row = rows({"kind": kind}).row(0, named=True)
    assert (row["schedule"], row["in_nii"]) == ("Schedule 1 line 8v", True)
    assert totals(rows({"kind": kind})) == [("t", "2025", "200.00", "200.00")]


def test_interest_in_dollars_is_interest() -> None:
    cash = {"kind": "interest", "received_asset": "USD", "received_quantity": "200"}
    stands = (("t", 2025, "interest_business", "yes"),)
    assert rows(cash, stands=stands)["schedule"].to_list() == ["Form 1040 line 2b"]


def test_a_business_s_receipts_are_on_schedule_c_and_no_investment_income() -> None:
    # Notice 2014-21 A-9: mining as a trade is self-employment income; IRC 1411(c)(6) keeps it out of the 3.8 %
    mined = rows({"kind": "mining"}, stands=(("t", 2025, "mining_business", "yes"),))
    assert mined.select("schedule", "in_nii").rows() == [("Schedule C", False)]
    assert totals(mined) == [("t", "2025", "200.00", "0.00")]


def test_coins_paid_to_who_is_no_employee_are_counted_once() -> None:
    # Notice 2014-21 A-10: an independent contractor's are self-employment income, on no W-2
    paid = rows({"kind": "wages"}, stands=(("t", 2025, "wages_business", "yes"),))
    assert paid.select("schedule", "in_nii").rows() == [("Schedule C", False)]
    assert totals(paid) == [("t", "2025", "200.00", "0.00")]


PROFILE = {"return_id": "t", "tax_year": 2025, "filing_status": "single"}


def asked(received: pl.DataFrame, wages: str | None = "0", stands: tuple[tuple, ...] = ()) -> list[tuple[str, str]]:
    positions = pl.DataFrame(stands, schema=NO_STAND, orient="row")
    found = questions.receipts(received, frame(Profiles, {**PROFILE, "wages": wages}), positions)
    return pl.concat(found).select("question", pl.col("dollars_at_stake").cast(pl.String)).rows()


def test_wages_in_coins_that_the_profile_cannot_hold_are_asked() -> None:
    paid = rows({"kind": "wages"})
    assert asked(paid, "200") == []
    assert asked(paid, "150") == [("wages_not_in_profile", "50.00")]
    assert asked(paid, None) == [("wages_not_in_profile", "200.00")]


def test_a_default_on_unsettled_law_is_shown_until_the_client_takes_a_stand() -> None:
    earned = rows(
        {"kind": "staking"}, {"kind": "staking"}, {"kind": "airdrop"}, {"kind": "mining", "account_id": "ira"}
    )
    assert asked(earned) == [("income_stand_assumed", "400.00")]
    assert asked(earned, stands=((None, 2009, "staking_nii", "no"),)) == [("income_stand_assumed", "400.00")]
    assert asked(earned, stands=(("t", 2026, "staking_nii", "no"),)) == [("income_stand_assumed", "400.00")]
    assert asked(earned, stands=(("t", 2025, "staking_business", "no"),)) == []


def test_the_tax_that_a_business_owes_beside_is_asked() -> None:
    stands = (("t", 2025, "mining_business", "yes"),)
    assert asked(rows({"kind": "mining"}, stands=stands), stands=stands) == [("business_receipts", "200.00")]
