"""Where a return stands, how complete its books are, and who blocks what; every share counted by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.clients import AccountFacts, ReturnMembers
from schemas.gate import check
from schemas.inputs import OpeningLots, Profiles, Taxpayers
from schemas.intake import Files, RowFaults
from schemas.ledger import EventFacts, Movements
from schemas.review import Blockers, ClientStatus, ReviewItems, StakeRanges
from schemas.tax import Gains
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import returns
from transforms import client_status
from transforms.stakes import ENDS

DAY = dt.date(2026, 11, 20)
ITEM = {"taxpayer_id": "t", "question": "shortfall", "severity": "blocking", "message": "m", "suggested_action": "s",
        "state": "open", "audience": "client", "stake_basis": "unknown", "first_seen": DAY}  # fmt: skip
MEMBERS = frame(
    ReturnMembers,
    {"return_id": "r", "tax_year": 2024, "taxpayer_id": "t", "role": "primary"},
    {"return_id": "tu", "tax_year": 2025, "taxpayer_id": "t", "role": "primary"},
    {"return_id": "tu", "tax_year": 2025, "taxpayer_id": "u", "role": "spouse"},
)
ACCOUNTS = frame(
    AccountFacts,
    {"account_id": "a", "taxpayer_id": "t", "taxable": True},
    {"account_id": "b", "taxpayer_id": "u", "taxable": True},
    {"account_id": "ira", "taxpayer_id": "t", "taxable": False},
)


def items(*rows: dict[str, Any]) -> pl.DataFrame:
    return frame(ReviewItems, *({**ITEM, "item_id": str(at), **row} for at, row in enumerate(rows)))


def books(**tables: list[dict[str, Any]]) -> client_status.Books:
    models = {"files": Files, "rows": RowFaults, "events": EventFacts, "movements": Movements, "gains": Gains,
              "profiles": Profiles, "opening_lots": OpeningLots}  # fmt: skip
    given: dict[str, Any] = {name: frame(model, *tables.get(name, [])) for name, model in models.items()}
    people = frame(
        Taxpayers, {"taxpayer_id": "t", "entity": "individual"}, {"taxpayer_id": "u", "entity": "individual"}
    )
    return client_status.Books(**given, accounts=ACCOUNTS, people=people)


KNOWN = {"events": [{"event_id": "e", "taxpayer_id": "u", "kind": "deposit", "received_asset": "USD"}]}


def of(asked: pl.DataFrame, stopped: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    tables = {name: value for name, value in more.items() if name not in ("ranges", "returns")}
    found = client_status.client_status(
        asked,
        more.get("ranges", frame(StakeRanges)),
        more.get("returns", returns()),
        MEMBERS,
        books(**{**KNOWN, **tables}),
        stopped,
    )
    assert check(found, ClientStatus).rejected.is_empty()
    assert found.height == 1, "one row a return of the last year"
    return found.row(0, named=True)


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([], "ready"),
        ([{"severity": "info"}], "ready"),
        ([{"state": "dismissed"}], "ready"),
        ([{"state": "resolved"}], "ready"),
        ([{}], "waiting_for_client"),
        ([{"taxpayer_id": "u", "severity": "warning"}], "waiting_for_client"),
        ([{"state": "answered"}], "waiting_for_staff"),
        ([{"audience": "staff"}], "waiting_for_staff"),
        ([{"audience": "staff"}, {}], "waiting_for_client"),
        ([{"question": "client_stopped", "audience": "staff"}, {}], "blocked"),
        ([{"taxpayer_id": "stranger"}], "ready"),
    ],
)
def test_the_status_says_who_has_to_act(rows: list[dict[str, Any]], status: str) -> None:
    assert of(items(*rows))["status"] == status


def test_a_return_of_a_stopped_household_is_blocked_and_one_of_which_nothing_is_known_has_no_data() -> None:
    assert of(items(), stopped=("u",))["status"] == "blocked"
    assert of(items(), events=[])["status"] == "no_data"
    assert of(items({}), events=[])["status"] == "no_data"
    assert of(items(), events=[], opening_lots=[{"taxpayer_id": "t"}])["status"] == "ready"


def test_questions_are_counted_by_severity_and_by_who_acts() -> None:
    row = of(
        items(
            {"first_seen": dt.date(2026, 11, 3)},
            {"severity": "warning", "audience": "staff", "first_seen": dt.date(2026, 10, 1), "taxpayer_id": "u"},
            {"severity": "info", "first_seen": dt.date(2026, 1, 1)},
            {"state": "dismissed", "first_seen": dt.date(2025, 1, 1)},
            {"state": "answered"},
        )
    )
    counts = ("blocking", "warning", "info", "for_client", "for_staff", "people", "taxpayer_id", "open_since")
    assert [row[name] for name in counts] == [2, 1, 1, 1, 2, 2, "t", dt.date(2026, 10, 1)]


def test_the_tax_at_stake_is_that_of_all_open_questions_together() -> None:
    """Single, 2025, wages 115,000: 4,100 and 5,900 of short-term gain together cost 902 + 1,416 (see test_stakes)."""
    nothing = dict.fromkeys(ENDS, 0) | {"return_id": "r", "tax_year": 2025}
    ranges = frame(
        StakeRanges,
        {**nothing, "item_id": "0", "short_term_high": 410_000},
        {**nothing, "item_id": "1", "short_term_high": 590_000},
        {**nothing, "item_id": "2", "short_term_high": 9_900_000},
        {**nothing, "item_id": "3", "short_term_high": 9_900_000, "tax_year": 2019},
    )
    tax, value = {"stake_basis": "tax"}, {"stake_basis": "value", "value_at_stake": Decimal(70)}
    asked = items(tax, tax, {**tax, "state": "dismissed"}, value, {**value, "severity": "info"})
    row = of(asked, ranges=ranges, returns=returns(ordinary=115_000))
    assert (row["tax_at_stake"], row["value_at_stake"]) == (Decimal(2318), Decimal(70))
    assert of(items())["tax_at_stake"] is None


# --- completeness ----------------------------------------------------------------------------------------------------

EVENT = {"taxpayer_id": "t", "sent_asset": "USD", "received_asset": "BTC"}
HALF: dict[str, list[dict[str, Any]]] = {
    # 3 of 4 files; a copy and one that was taken back do not count
    "files": [{"account_id": account, "status": status} for account, status in
              [("a", "parsed"), ("a", "parsed"), ("b", "parsed"), ("b", "unreadable"), ("a", "duplicate"), ("a", "withdrawn")]],
    # 2 of 3 rows: one that is known to be no fact does not count
    "rows": [{"account_id": "a", "status": status} for status in ("used", "used", "rejected", "ignored")],
    # 1 of 2 purchases has a value; 1 of 2 moves of coins is known, a move of dollars does not count
    "events": [
        {**EVENT, "event_id": "p", "kind": "buy", "usd_value": 1},
        {**EVENT, "event_id": "q", "kind": "trade", "sent_asset": "ETH"},
        {**EVENT, "event_id": "in", "kind": "deposit", "sent_asset": None},
        {**EVENT, "event_id": "out", "kind": "withdrawal", "received_asset": None, "sent_asset": "BTC"},
        {**EVENT, "event_id": "usd", "kind": "withdrawal", "received_asset": None, "sent_asset": "USD"},
    ],
    "movements": [
        {"event_id": "in", "leg": "received", "movement": "arrive"},
        {"event_id": "out", "leg": "sent", "movement": "outside"},
        {"event_id": "in", "leg": "fee", "movement": "acquire", "basis_status": "unknown"},
    ],
    # 900 of 1,000 dollars of proceeds; an IRA's sale, a gift and a sale without proceeds do not count
    "gains": [
        {"taxpayer_id": "t", "account_id": "a", "proceeds": 900, "gain": 1, "disposal_kind": "sell"},
        {"taxpayer_id": "u", "account_id": "b", "proceeds": 100, "disposal_kind": "sell"},
        {"taxpayer_id": "t", "account_id": "ira", "proceeds": 900, "disposal_kind": "sell"},
        {"taxpayer_id": "t", "account_id": "a", "proceeds": 900, "disposal_kind": "gift_out"},
        {"taxpayer_id": "t", "account_id": "a", "disposal_kind": "sell"},
    ],
    "profiles": [{"return_id": "tu", "tax_year": 2024}],
}  # fmt: skip
SHARES = tuple(client_status.WEIGHTS)


def test_every_share_is_counted_as_the_documentation_says() -> None:
    row = of(items(), **HALF)
    assert {name: row[name] for name in SHARES} == {
        "files_read": 75, "rows_used": 66, "events_priced": 50, "transfers_matched": 50, "basis_known": 90,
        "profile_present": 0,
    }  # fmt: skip
    # (75 x 10 + 66 x 10 + 50 x 20 + 50 x 20 + 90 x 30 + 0 x 10) / 100 = 61.1
    assert row["completeness"] == 61


def test_a_deposit_without_basis_is_unmatched_and_one_with_a_record_is_not() -> None:
    moves = [{"event_id": "in", "leg": "received", "movement": "acquire", "basis_status": "unknown"}]
    assert of(items(), **{**HALF, "movements": moves})["transfers_matched"] == 50
    known = [{**moves[0], "basis_status": "known"}]
    assert of(items(), **{**HALF, "movements": known})["transfers_matched"] == 100


def test_what_has_nothing_to_measure_leaves_its_weight_to_the_others() -> None:
    row = of(items(), profiles=[{"return_id": "tu", "tax_year": 2025}])
    assert {name: row[name] for name in SHARES} == dict.fromkeys(SHARES, None) | {"profile_present": 100}
    assert row["completeness"] == 100
    only = of(items(), files=HALF["files"], profiles=[{"return_id": "tu", "tax_year": 2025}])
    assert only["completeness"] == 87  # (75 x 10 + 100 x 10) / 20 = 87.5


def test_the_weights_sum_to_100_and_the_page_has_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "review.md").read_text("utf-8")
    assert sum(client_status.WEIGHTS.values()) == 100
    for share, weight in client_status.WEIGHTS.items():
        assert f"| `{share}` | {weight} |" in page


# --- blockers --------------------------------------------------------------------------------------------------------


def blocked(asked: pl.DataFrame) -> pl.DataFrame:
    found = client_status.blockers(asked, MEMBERS)
    assert check(found, Blockers).rejected.is_empty()
    return found


def test_who_blocks_what_by_client_and_question_in_order_of_severity_and_tax() -> None:
    tax = {"stake_basis": "tax"}
    found = blocked(
        items(
            {**tax, "dollars_at_stake": Decimal(5), "tax_year": 2025, "first_seen": dt.date(2026, 11, 3)},
            {**tax, "dollars_at_stake": Decimal(7), "tax_year": 2023},
            {"question": "basis_unknown", "stake_basis": "value", "dollars_at_stake": Decimal(9_000)},
            {"question": "transfer_doubtful", "severity": "warning", **tax, "dollars_at_stake": Decimal(99)},
            {
                "question": "price_missing",
                "audience": "staff",
                **tax,
                "dollars_at_stake": Decimal(40),
                "taxpayer_id": "u",
            },
            {"question": "wash_sale_bill", "severity": "info"},
            {"question": "kept_apart", "state": "dismissed"},
            {"state": "answered"},
            {"question": "file_without_account", "taxpayer_id": None, "audience": "staff"},
        )
    )
    columns = [
        "rank",
        "taxpayer_id",
        "return_id",
        "question",
        "waits_for",
        "items",
        "tax_at_stake",
        "value_at_stake",
        "from_year",
    ]
    assert found.select(columns).rows() == [
        (1, "u", "tu", "price_missing", "staff", 1, Decimal(40), None, None),
        (2, "t", "tu", "shortfall", "client", 2, Decimal(12), None, 2023),
        (3, "t", "tu", "basis_unknown", "client", 1, None, Decimal(9_000), None),
        (4, "t", "tu", "shortfall", "staff", 1, None, None, None),
        (5, None, None, "file_without_account", "staff", 1, None, None, None),
        (6, "t", "tu", "transfer_doubtful", "client", 1, Decimal(99), None, None),
    ]
    assert found["open_since"][1] == dt.date(2026, 11, 3)
    assert found["figures"][2] == "gains, form_8949, schedule_d, return_lines, carryforwards, harvest_summary"


def test_nothing_asked_nothing_blocked() -> None:
    assert blocked(items()).is_empty()


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(6)))
def test_the_order_of_the_items_changes_nothing(order: list[int]) -> None:
    rows = items(*({"question": code, "taxpayer_id": who, "state": state} for code, who, state in [
        ("shortfall", "t", "open"), ("shortfall", "t", "answered"), ("price_missing", "t", "open"),
        ("shortfall", "u", "open"), ("price_missing", None, "open"), ("kept_apart", "u", "open"),
    ]))  # fmt: skip
    assert blocked(rows[order]).equals(blocked(rows))
    status = [
        client_status.client_status(frame_, frame(StakeRanges), returns(), MEMBERS, books(**KNOWN))
        for frame_ in (rows, rows[order])
    ]
    assert status[0].equals(status[1])
