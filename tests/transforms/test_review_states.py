"""The life of a question over the nights: asked, answered, gone, back, dismissed, grown. One night follows the other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from schemas.gate import check, empty
from schemas.inputs import ReviewAnswers
from schemas.review import ReviewItems, ReviewMemory
from tests.transforms.frames import frame
from transforms import review_states as states

MON, TUE, WED, THU = (dt.date(2026, 11, day) for day in (16, 17, 18, 19))
ITEM = {"item_id": "rv-1", "taxpayer_id": "t", "question": "shortfall", "severity": "warning", "dollars_at_stake": 1000,
        "stake_basis": "tax", "message": "2 BTC left on 2025-01-01", "suggested_action": "ask", "state": "open"}  # fmt: skip


class Firm:
    """Nights in a row over one memory."""

    def __init__(self) -> None:
        self.memory = empty(ReviewMemory)
        self.answers: list[dict[str, Any]] = []

    def says(self, state: str, at: dt.date, item: str = "rv-1", hour: int = 12) -> None:
        when = dt.datetime.combine(at, dt.time(hour), dt.UTC)
        self.answers.append({"item_id": item, "state": state, "answer": f"as {state}", "by": "eve", "at": when})

    def night(self, as_of: dt.date, *items: dict[str, Any], stopped: Sequence[str] = ()) -> pl.DataFrame:
        asked = frame(ReviewItems, *({**ITEM, **item} for item in items))
        given = states.legal(frame(ReviewAnswers, *self.answers), self.memory)
        judged = states.judge(asked, self.memory, given, stopped, as_of)
        again = states.judge(
            asked, judged.memory, states.legal(frame(ReviewAnswers, *self.answers), judged.memory), stopped, as_of
        )
        assert_frame_equal(again.items, judged.items)  # the same night once more gives the same
        assert_frame_equal(again.memory, judged.memory)
        for table, model in ((judged.items, ReviewItems), (judged.memory, ReviewMemory)):
            assert check(table, model).rejected.is_empty()
        self.memory = judged.memory
        return judged.items

    def state(self, as_of: dt.date, *items: dict[str, Any], stopped: Sequence[str] = ()) -> tuple[str, str | None]:
        (row,) = self.night(as_of, *items, stopped=stopped).select("state", "state_note").rows()
        return row


def test_open_answered_resolved_and_gone() -> None:
    firm = Firm()
    assert firm.state(MON, {}) == ("open", None)
    firm.says("answered", MON)
    (row,) = firm.night(TUE, {}).rows(named=True)
    assert (row["state"], row["answer"], row["answered_by"], row["first_seen"]) == (
        "answered",
        "as answered",
        "eve",
        MON,
    )
    assert row["answered_at"].date() == MON
    assert firm.state(WED) == ("resolved", "the cause is gone")
    assert firm.night(THU).is_empty()


def test_first_seen_survives_and_what_comes_back_says_so() -> None:
    firm = Firm()
    firm.night(MON, {})
    firm.night(TUE)
    (row,) = firm.night(THU, {}).rows(named=True)
    assert (row["first_seen"], row["state"], row["state_note"]) == (
        MON,
        "open",
        "gone on 2026-11-17, back since 2026-11-19",
    )
    assert firm.state(dt.date(2026, 11, 20), {}) == ("open", "gone on 2026-11-17, back since 2026-11-19")


def test_what_staff_call_resolved_while_it_is_still_there_is_open() -> None:
    firm = Firm()
    firm.night(MON, {})
    firm.says("resolved", MON)
    assert firm.state(TUE, {}) == ("open", "resolved by eve on 2026-11-16; open, for the cause is still there")
    assert firm.state(WED) == ("resolved", "the cause is gone")


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"message": "3 BTC left on 2025-01-07"},  # numbers and dates are not words
        {"dollars_at_stake": 1099},  # less than 100 more
        {"dollars_at_stake": 10},
        {"dollars_at_stake": None},
        {"severity": "info"},
    ],
)
def test_a_dismissed_question_stays_dismissed_while_it_is_the_same(same: dict[str, Any]) -> None:
    firm = Firm()
    firm.night(MON, {})
    firm.says("dismissed", MON)
    assert firm.state(TUE, same) == ("dismissed", None)


@pytest.mark.parametrize(
    ("grown", "what"),
    [
        ({"dollars_at_stake": 1100}, "dollars 1000.00 to 1100.00"),
        ({"severity": "blocking"}, "severity warning to blocking"),
        ({"message": "2 BTC stolen on 2025-01-01"}, "what was found"),
        (
            {"severity": "blocking", "dollars_at_stake": 5000, "message": "other"},
            "severity warning to blocking, dollars 1000.00 to 5000.00, what was found",
        ),
    ],
)
@pytest.mark.parametrize("word", ["dismissed", "answered"])
def test_what_grew_since_the_answer_is_open_again_and_says_why(grown: dict[str, Any], what: str, word: str) -> None:
    firm = Firm()
    firm.night(MON, {})
    firm.says(word, MON)
    told = f"{word} by eve on 2026-11-16; open again, for since then it changed: {what}"
    assert firm.state(TUE, grown) == ("open", told), "held against the night that staff looked at"
    assert firm.state(WED, grown) == ("open", told)
    firm.says(word, WED)
    assert firm.state(THU, grown) == (word, None), "judged anew, as it stands now"


def test_a_large_stake_must_grow_by_a_tenth() -> None:
    firm = Firm()
    firm.night(MON, {"dollars_at_stake": 50_000})
    firm.says("dismissed", MON)
    assert firm.state(TUE, {"dollars_at_stake": 54_999}) == ("dismissed", None)
    assert firm.state(WED, {"dollars_at_stake": 55_000})[0] == "open"


def test_a_stake_that_was_unknown_and_is_known_now_has_grown() -> None:
    firm = Firm()
    firm.night(MON, {"dollars_at_stake": None})
    firm.says("dismissed", MON)
    assert firm.state(TUE, {"dollars_at_stake": 99}) == ("dismissed", None)
    state, note = firm.state(WED, {"dollars_at_stake": 100})
    assert state == "open"
    assert str(note).endswith("dollars unknown to 100.00")


def test_a_dismissed_question_that_was_gone_stays_dismissed() -> None:
    firm = Firm()
    firm.night(MON, {})
    firm.says("dismissed", MON)
    firm.night(TUE, {})
    assert firm.state(WED)[0] == "resolved"
    assert firm.state(THU, {}) == ("dismissed", "gone on 2026-11-18, back since 2026-11-19")


def test_nothing_is_gone_of_a_client_whose_night_was_stopped() -> None:
    firm = Firm()
    firm.night(MON, {}, {"item_id": "rv-2", "taxpayer_id": "u"})
    shown = firm.night(TUE, stopped=["t"])
    assert shown.select("item_id", "state").rows() == [("rv-2", "resolved")]
    assert firm.state(WED, {}) == ("open", None), "it was never gone"


def test_on_an_empty_memory_an_answer_is_held_against_tonight() -> None:
    """A night as of an earlier day begins without memory and sees the answers up to then."""
    firm = Firm()
    firm.says("dismissed", MON)
    assert firm.state(TUE, {}) == ("dismissed", None)


def test_the_latest_answer_counts_in_whatever_order_the_rows_stand() -> None:
    firm = Firm()
    firm.says("dismissed", TUE)
    firm.says("answered", MON)
    assert firm.state(WED, {})[0] == "dismissed"
    firm.says("open", WED)
    assert firm.state(THU, {}) == ("open", None)


# --- what may not follow ---------------------------------------------------------------------------------------------


def problems(firm: Firm, *asked: str) -> list[tuple[str, str, str]]:
    given = states.legal(frame(ReviewAnswers, *firm.answers), firm.memory)
    rows = frame(ReviewItems, *({**ITEM, "item_id": item} for item in asked))
    found = pl.concat(states.answer_items(given, rows, firm.memory))
    return found.select("question", "severity", "message").rows()


@pytest.mark.parametrize("word", ["answered", "resolved"])
def test_a_dismissed_question_is_opened_before_anything_else_is_said(word: str) -> None:
    firm = Firm()
    firm.says("dismissed", MON)
    firm.says(word, TUE)
    assert firm.state(WED, {})[0] == "dismissed"
    told = f"review_answers.csv: the row of 2026-11-17T12:00:00Z for rv-1 says {word} of a question that is dismissed: it stays so"
    assert problems(firm, "rv-1") == [("answer_not_applied", "warning", told)]


def test_a_row_after_one_that_does_not_apply_is_judged_by_what_stands() -> None:
    firm = Firm()
    for word, hour in (("dismissed", 1), ("answered", 2), ("resolved", 3), ("open", 4), ("answered", 5)):
        firm.says(word, MON, hour=hour)
    assert len(problems(firm, "rv-1")) == 2
    assert firm.state(TUE, {})[0] == "answered"


def test_a_dismissal_that_a_night_set_aside_may_be_answered() -> None:
    firm = Firm()
    firm.night(MON, {})
    firm.says("dismissed", MON)
    assert firm.state(TUE, {"severity": "blocking"})[0] == "open"
    firm.says("answered", TUE)
    assert problems(firm, "rv-1") == []
    assert firm.state(WED, {"severity": "blocking"})[0] == "answered"


def test_an_answer_to_no_question_is_told_once_and_one_to_a_question_long_gone_is_not() -> None:
    firm = Firm()
    firm.night(MON, {})
    firm.night(TUE)
    firm.says("answered", WED)
    assert problems(firm) == []
    firm.says("answered", WED, item="rv-typo", hour=1)
    firm.says("dismissed", WED, item="rv-typo", hour=2)
    assert problems(firm) == [
        (
            "answer_without_item",
            "info",
            "review_answers.csv: rv-typo is no question of tonight, and none that these books remember",
        )
    ]


def test_many_items_each_keep_their_own_state() -> None:
    firm = Firm()
    ids = [{"item_id": f"rv-{number}", "dollars_at_stake": Decimal(number)} for number in range(20)]
    firm.night(MON, *ids)
    for number in range(0, 20, 2):
        firm.says("dismissed" if number % 4 else "answered", MON, item=f"rv-{number}")
    found = dict(firm.night(TUE, *reversed(ids[:18])).select("item_id", "state").rows())
    want = {n: "resolved" if n >= 18 else "open" if n % 2 else "dismissed" if n % 4 else "answered" for n in range(20)}
    assert found == {f"rv-{number}": state for number, state in want.items()}
