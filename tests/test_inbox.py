"""The inbox over two nights of the sample firm: Mick replies, staff paste the row that settles a question."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nights import copy_of, night
from tests.sample_night import Mart, mart

AT = "2026-11-20T09:00:00-05:00"
BLANKS = {
    '"<sell, spend, gift_out or donation>"': "sell",
    "<who>": "pat",
    "<date and time with offset: 2026-02-01T09:00:00-05:00>": AT,
    "<why>": "Mick wrote that he sold them",
}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mart, Mart]]:
    """The sample night, and the one after: a question settled, one answered, one dismissed, two rows that do nothing."""
    first = mart(tmp_path_factory)
    before = Mart(first)
    folder = copy_of(first, tmp_path_factory.mktemp("inbox") / "firm")
    settle(folder, before)
    after = Mart(night(folder))
    yield before, after
    before.close()
    after.close()


def settle(folder: Path, before: Mart) -> None:
    asked = dict(before.rows("select question, item_id from review_items where taxpayer_id = 'mick'"))
    sql = "select settled_by from review_items where taxpayer_id = 'mick' and question = 'unmatched_withdrawal'"
    file, header, row = before.one(sql).split("\n")
    for blank, filled in BLANKS.items():
        assert blank in row
        row = row.replace(blank, filled)
    (folder / file).write_text(f"{header}\n{row}\n")
    answers = [
        (asked["shortfall"], "answered", "statement of 2019 attached", AT),
        (asked["unmatched_deposit"], "dismissed", "a test transfer", AT),
        (asked["unmatched_deposit"], "answered", "no", "2026-11-20T10:00:00-05:00"),
        (asked["basis_unknown"], "resolved", "entered", AT),
        ("rv-0000000000000000", "answered", "to nothing", AT),
    ]
    rows = "".join(f"{item},{state},{answer},pat,{at}\n" for item, state, answer, at in answers)
    (folder / "review_answers.csv").write_text(f"item_id,state,answer,by,at\n{rows}")


def state(opened: Mart, question: str) -> tuple[str, str | None, str | None]:
    sql = "select state, answer, state_note from review_items where taxpayer_id = 'mick' and question = ?"
    row = opened.row(sql, question)
    return row[0], row[1], row[2]


def test_the_pasted_row_settles_the_question_and_it_is_shown_as_resolved(nights: tuple[Mart, Mart]) -> None:
    before, after = nights
    assert state(before, "unmatched_withdrawal")[0] == "open"
    assert state(after, "unmatched_withdrawal") == ("resolved", None, "the cause is gone")
    sold = "select asset, quantity, proceeds, tax_year from gains where taxpayer_id = 'mick' and tax_year = 2024"
    assert [row[:1] + row[2:] for row in after.rows(sold)] == [("BTC", 26_000, 2024)]


def test_answers_give_the_states(nights: tuple[Mart, Mart]) -> None:
    _, after = nights
    assert state(after, "shortfall") == ("answered", "statement of 2019 attached", None)
    assert state(after, "unmatched_deposit") == ("dismissed", "a test transfer", None)
    note = "resolved by pat on 2026-11-20; open, for the cause is still there"
    assert state(after, "basis_unknown") == ("open", "entered", note)


def test_ids_and_the_first_night_stay(nights: tuple[Mart, Mart]) -> None:
    first = "select question, item_id, first_seen from review_items where taxpayer_id = 'mick'"
    before, after = (set(opened.rows(first)) for opened in nights)
    assert before <= after
    assert {row[2] for row in after} == {dt.date(2026, 11, 20)}


def test_rows_that_do_nothing_are_told(nights: tuple[Mart, Mart]) -> None:
    _, after = nights
    told = after.rows("select question, severity from review_items where question like 'answer%' order by 1")
    assert told == [("answer_not_applied", "warning"), ("answer_without_item", "info")]


def test_an_answer_hands_the_question_to_staff(nights: tuple[Mart, Mart]) -> None:
    _, after = nights
    waits = dict(after.rows("select question, waits_for from blockers where taxpayer_id = 'mick'"))
    assert waits["shortfall"] == "staff"
    assert waits["basis_unknown"] == "client"
    assert "unmatched_deposit" not in waits
    assert "unmatched_withdrawal" not in waits
