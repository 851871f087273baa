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

OVER_NIGHTS = (26, 27)
"""Questions about earlier nights: the sample's first night has no rows for them (`test_advice_loop` asks them)."""


@pytest.fixture(scope="module")
def tonight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mart]:
    opened = Mart(mart(tmp_path_factory))
    yield opened
    opened.close()


def test_every_query_of_the_page_is_a_numbered_question() -> None:
    assert [int(number) for number, _, _ in QUERIES] == list(range(1, 30))
    assert PAGE.read_text().count("```sql") == 29


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


def test_what_waiting_costs(tonight: Mart) -> None:
    """Question 29: at -10 % Sten's 460 DOT are worth 184 dollars less: 1,934 of loss, of which 3,000 - 1,200 fit, at 22 %."""
    rows = {row[1]: row for row in tonight.rows(QUERIES[28][2]) if row[0] == "sten"}
    assert sorted(rows) == [-30, -20, -10, 0, 10, 20, 30]
    assert rows[0][4] == 0
    assert tonight.one(
        "SELECT tax_saved_now FROM price_moves WHERE return_id = 'sten' AND move_percent = -10"
    ) == Decimal(396)
