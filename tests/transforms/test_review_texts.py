from __future__ import annotations

import csv
from typing import Any

import polars as pl

from schemas.clients import AccountFacts
from schemas.inputs import INPUTS
from schemas.ledger import EventFacts
from schemas.review import ReviewItems
from tests.transforms.frames import frame
from transforms.question_registry import REGISTRY
from transforms.review_texts import with_texts

ITEM = {"item_id": "i", "severity": "warning", "message": "m", "suggested_action": "s", "state": "open"}
EVENT = {"event_id": "ev-1", "tax_date": "2024-06-03", "sent_asset": "BTC", "sent_quantity": "0.4", "received_asset": "USD",
         "received_quantity": "9"}  # fmt: skip
ACCOUNTS = frame(AccountFacts, {"account_id": "a", "platform": "coinbase"}, {"account_id": "b"})


def told(**item: Any) -> dict[str, Any]:
    asked = frame(ReviewItems, {**ITEM, **item})
    found = with_texts(asked, frame(EventFacts, EVENT), ACCOUNTS)
    assert found.columns == asked.columns
    return found.row(0, named=True)


def test_the_client_is_asked_in_plain_words_with_the_event_s_units_and_day() -> None:
    item = told(question="unmatched_withdrawal", account_id="a", asset="BTC", event_id="ev-1")
    assert item["client_question"].startswith("0.4 BTC left your account a (coinbase) on 2024-06-03. Where did it go")
    assert item["audience"] == "client"
    file, header, row = item["settled_by"].split("\n")
    assert (file, header) == ("overrides.csv", "event_id,field,value,by,at,why")
    assert next(csv.reader([row]))[:3] == ["ev-1", "kind", "<sell, spend, gift_out or donation>"]


def test_what_is_not_known_leaves_a_sentence_and_a_marked_blank() -> None:
    item = told(question="unmatched_withdrawal")
    assert item["client_question"].startswith("a coin or token left one of your accounts. Where did it go")
    assert item["settled_by"].split("\n")[2].startswith("<event_id>,kind,")


def test_staff_s_questions_have_no_words_for_the_client() -> None:
    item = told(question="override_without_event", event_id="ev-1")
    assert (item["audience"], item["client_question"]) == ("staff", None)
    assert item["settled_by"] == "overrides.csv\nthe row of ev-1: <corrected, or taken out>"


def test_names_from_files_break_neither_the_letter_nor_the_row() -> None:
    hostile = 'A,"x"\n<b>{account}\u202e=1'
    item = told(question="shortfall", taxpayer_id="t", account_id="b", asset=hostile)
    assert 'of A,"x"b{account}=1 from your account b but' in item["client_question"]
    rows = list(csv.reader(item["settled_by"].split("\n", 1)[1].splitlines(keepends=True), strict=True))
    assert rows[1][:3] == ["t", "b", hostile]
    assert len(rows) == 2


def test_a_code_without_an_entry_is_for_staff_and_stops_nothing() -> None:
    item = told(question="brand_new")
    assert item["audience"] == "staff"
    assert item["settled_by"] == "no row: see the suggested action"


def test_every_question_gets_its_texts_in_the_order_of_the_items() -> None:
    items = frame(ReviewItems, *({**ITEM, "item_id": str(at), "question": code} for at, code in enumerate(REGISTRY)))
    found = with_texts(items, frame(EventFacts), ACCOUNTS)
    assert found["item_id"].to_list() == items["item_id"].to_list()
    assert found.select(pl.col("settled_by", "audience").null_count()).row(0) == (0, 0)
    assert (found["client_question"].is_not_null() == (found["audience"] == "client")).all()


def test_an_override_settles_with_a_field_that_overrides_csv_knows() -> None:
    fields = INPUTS["overrides"].model.to_schema().columns["field"].checks[0].statistics["allowed_values"]
    rows = [
        known.settled_by.split("\n")[2]
        for known in REGISTRY.values()
        if known.settled_by.startswith("overrides.csv\nevent_id")
    ]
    assert len(rows) > 10
    assert {next(csv.reader([row]))[1] for row in rows} <= set(fields)
