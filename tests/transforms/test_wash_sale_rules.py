"""The wash sale rules as data: what is refused, what the firm may say became of a bill."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.transforms.wash_cases import History
from transforms.firm import FirmFolderError, read_settings
from transforms.law.wash_sale_rules import RULES, in_force, lawful_classes, parse

HEAD = 'name = "x"\ntime_zone = "America/New_York"\n'
ROW = {
    "rule_id": "a", "classes": ["coin"], "dispositions_after": "2026-06-08", "tax_years_beginning_after": None,
    "status": "pending", "source": "a bill",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"classes": ["coins"]}, "classes"), ({"classes": []}, "classes"), ({"status": "maybe"}, "status"),
        ({"source": ""}, "no source"), ({"dispositions_after": "8 June"}, "8 June"), ({"since": "2026"}, "since"),
    ],
)  # fmt: skip
def test_a_rule_that_says_nothing_sound_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse([{**ROW, **change}])


def test_two_rules_of_one_id_are_refused() -> None:
    assert len(parse([ROW, {**ROW, "rule_id": "b"}])) == 2
    with pytest.raises(ValueError, match="one id"):
        parse([ROW, json.loads(json.dumps(ROW))])


def test_today_s_law_and_the_bills() -> None:
    """Tax rules 4.1 and 4.2, as of 22 November 2026: nothing enacted reaches a coin."""
    assert [rule.rule_id for rule in RULES if rule.status == "law"] == ["irc-1091"]
    assert {rule.rule_id: rule.first_day for rule in RULES if rule.status == "pending"} == {
        "hr-9172": date(2026, 6, 9),
        "hr-10357": date(2027, 1, 1),
    }
    assert all(rule.source for rule in RULES)


def settings(text: str) -> Any:
    return read_settings(tomllib.loads(HEAD + text, parse_float=Decimal))


def test_a_bill_becomes_law_by_a_line_of_the_firm() -> None:
    """A person looked at congress.gov; from that day the loss is disallowed, and no longer only at risk."""
    text = '[law.wash_sales.hr-9172]\nstatus = "law"\ndispositions_after = 2026-09-30\n'
    rules = in_force(settings(text).wash_sales)
    history = History("BTC")
    for name, day, rebuy in (("early", "2026-09-30", "2026-10-02"), ("late", "2026-12-01", "2026-12-20")):
        history.buy(f"old {name}", "2026-01-02", 10, 1_000).sell(name, day, {f"old {name}": 10}, 600)
        history.buy(f"new {name}", rebuy, 6, 372)
    washed = history.washed(tuple(rule for rule in rules if rule.status == "law"))
    # (the purchase of 2 October is more than 30 days before 1 December)
    assert washed.gains.select("disposal_id", "disallowed").rows() == [("early", 0), ("late", 240)]
    assert [found[:2] for found in history.at_risk(rules)] == [("2027-rule", "early")], "what is law is not at risk"


def test_a_dead_bill_keeps_its_dates_and_is_only_a_shadow() -> None:
    rule = next(rule for rule in in_force({"hr-9172": {"status": "shadow"}}) if rule.rule_id == "hr-9172")
    assert (rule.status, rule.dispositions_after, rule.by_firm) == ("shadow", date(2026, 6, 8), True)


def test_the_law_of_a_day() -> None:
    """A law that begins tomorrow does not hold tonight."""
    passed = in_force({"hr-10357": {"status": "law", "tax_years_beginning_after": date(2026, 12, 31)}})
    assert lawful_classes(passed, date(2026, 12, 31)) == ("tokenized_security", "trust_share")
    assert "coin" in lawful_classes(passed, date(2027, 1, 1))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[law]\nwash = 3", "column law.wash: found 'unknown key'; expected wash_sales"),
        ("[law]\nwash_sales = 3", "a section [law.wash_sales.<rule>]"),
        ('[law.wash_sales.irc-1091]\nstatus = "shadow"', "one of: hr-9172, hr-10357, 2027-rule"),
        ("[law.wash_sales]\nhr-9172 = 'law'", "status, and a date"),
        ('[law.wash_sales.hr-9172]\nstatus = "passed"', "law, pending, shadow"),
        ('[law.wash_sales.hr-9172]\nstatus = "law"', "dispositions_after or tax_years_beginning_after of the law"),
        ('[law.wash_sales.hr-9172]\nstatus = "law"\ndispositions_after = "2026-06-08"', "unquoted"),
        (
            "[law.wash_sales]\nhr-9172 = {status = 'law', dispositions_after = 2026-06-08, tax_years_beginning_after = 2026-12-31}",
            "one date",
        ),
    ],
)
def test_a_wrong_word_on_a_bill_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(FirmFolderError) as caught:
        settings(text)
    assert named in str(caught.value)
