"""The questions of docs/queries.md, run as they stand there against the sample firm's published file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.sample_night import Mart, mart

PAGE = Path(__file__).parents[1] / "docs" / "queries.md"
QUERIES = re.findall(r"^## (\d+)\. ([^\n]+)\n.*?^```sql\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)

OVER_NIGHTS = (31, 32)
"""Questions about earlier nights: the sample's first night has no rows for them (`test_advice_loop` asks them)."""


@pytest.fixture(scope="module")
def tonight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mart]:
    opened = Mart(mart(tmp_path_factory))
    yield opened
    opened.close()


def test_every_query_of_the_page_is_a_numbered_question() -> None:
    assert [int(number) for number, _, _ in QUERIES] == list(range(1, 35))
    assert PAGE.read_text().count("```sql") == 34


@pytest.mark.parametrize(("number", "sql"), [pytest.param(int(n), sql, id=title) for n, title, sql in QUERIES])
def test_a_question_is_answered(tonight: Mart, number: int, sql: str) -> None:
    assert (tonight.rows(sql) != []) == (number not in OVER_NIGHTS)


def test_whom_to_call(tonight: Mart) -> None:
    """Question 1: Nadia's 1,272 and Sten's 385 are the two harvests of the night."""
    assert {row[0] for row in tonight.rows(QUERIES[0][2])} == {"nadia", "sten"}


def test_form_8949_ties_to_the_carryforwards(tonight: Mart) -> None:
    """Question 10: no profile of the sample has other gains, so that every difference is zero."""
    assert {row[4:] for row in tonight.rows(QUERIES[9][2])} == {(0, 0)}


def test_the_totals_of_a_box_are_those_of_schedule_d(tonight: Mart) -> None:
    """Question 22: Wren's boxes G 500, H 500, I 350 (line 7: 1,350) and K 15,900 (line 15)."""
    totals = {row[1]: row[9] for row in tonight.rows(QUERIES[21][2]) if row[2] is None}
    assert totals == {"G": 500, "H": 500, "I": 350, "K": 15_900}


def test_a_line_is_traced_to_both_copies_of_its_file(tonight: Mart) -> None:
    """Question 11: Hana's purchase of January 2025 stands in two exports (and is one purchase)."""
    rows = [row for row in tonight.rows(QUERIES[10][2]) if row[1] == "1 BTC"]
    assert len(rows) == 2
    assert len({row[4] for row in rows}) == 1, "one purchase"
    names = {row[5].rsplit("/", 1)[-1] for row in rows}
    assert "coinbase year 2025.csv" in names
    assert names & {"coinbase to 2025-06.csv", "coinbase to 2025-06 (1).csv"}


def test_what_would_have_to_be_amended(tonight: Mart) -> None:
    """Question 20: Faye's return of 2023 would change by 354 of tax."""
    assert {row[0] for row in tonight.rows(QUERIES[19][2])} == {"faye"}
    assert {row[3] for row in tonight.rows(QUERIES[19][2])} == {354}


def test_what_a_pending_law_would_take(tonight: Mart) -> None:
    """Question 23: of Wanda's coins 960 under H.R. 9172 and the 2027 rule; today's law took 240 of her security."""
    rows = [(row[0], row[2], row[3], row[-1]) for row in tonight.rows(QUERIES[22][2])]
    assert rows == [
        ("2027-rule", "wanda", 2026, 960),
        ("hr-9172", "wanda", 2026, 960),
        ("law in force", "wanda", 2025, 240),
    ]


def test_what_to_write_to_a_client(tonight: Mart) -> None:
    """Question 24: at 22 % on 95,000 of wages: 660 for the deposit of 3,000, 440 and 220 for sales of 2,000 and 1,000."""
    rows = tonight.rows(QUERIES[23][2])
    assert [(row[1], row[2]) for row in rows] == [(660, "tax"), (440, "tax"), (220, "tax"), (26_000, "value")]
    assert rows[0][0].startswith("1.5 ETH came into your account mick-coinbase (coinbase) on 2025-04-07.")


def test_the_row_to_enter_names_the_event(tonight: Mart) -> None:
    """Question 25: the withdrawal is settled by an override of its event's kind."""
    (settled_by,) = [row[5] for row in tonight.rows(QUERIES[24][2]) if row[1] == "unmatched_withdrawal"]
    event = tonight.one("select event_id from events where taxpayer_id = 'mick' and kind = 'withdrawal'")
    assert settled_by.split("\n")[2].startswith(f"{event},kind,")


def test_where_clients_stand(tonight: Mart) -> None:
    """Question 26: Mick sold for 11,000 with basis and for 1,000 and 2,000 without; neither of his moves is matched."""
    stands = {row[0]: row for row in tonight.rows(QUERIES[25][2])}
    # (100 x 10 + 100 x 10 + 100 x 20 + 0 x 20 + 78 x 30 + 100 x 10) / 100 = 73.4
    assert stands["mick"][1:3] == ("waiting_for_client", 73)
    assert stands["mick"][13] == 78
    assert stands["jane"][1:3] == ("ready", 100)
    assert {row[1] for row in stands.values()} == {"ready", "waiting_for_client", "waiting_for_staff"}
    assert len(stands) == tonight.one("select count(distinct return_id) from client_status")


def test_who_blocks_what(tonight: Mart) -> None:
    """Question 27: Mick's deposit comes first, with 660 of tax."""
    first = tonight.rows(QUERIES[26][2])[0]
    assert first[:6] == (1, "mick", "unmatched_deposit", "client", 1, 660)
    assert first[9].startswith("income, lots, open_lots, gains")


def test_what_waiting_costs(tonight: Mart) -> None:
    """Question 34: at -10 % Sten's 460 DOT are worth 184 dollars less: 1,934 of loss, of which 3,000 - 1,200 fit, at 22 %."""
    rows = {row[1]: row for row in tonight.rows(QUERIES[33][2]) if row[0] == "sten"}
    assert sorted(rows) == [-30, -20, -10, 0, 10, 20, 30]
    assert rows[0][4] == 0
    assert tonight.one(
        "SELECT tax_saved_now FROM price_moves WHERE return_id = 'sten' AND move_percent = -10"
    ) == Decimal(396)
