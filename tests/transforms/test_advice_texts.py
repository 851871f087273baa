"""What the advice says: lot identification by date and custody, deadlines, and names that must not be repeated."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from transforms.advice_texts import (
    deadline,
    dollars,
    lot_identification,
    reason,
    rebuy_not_before,
    record_before,
    safe_name,
)

LOT = {"asset": "BTC", "quantity": Decimal("0.250"), "lot_id": "lot_1", "date_acquired": dt.date(2024, 2, 29)}


@pytest.mark.parametrize("name", ["BTC", "Lido Staked Ether", "x" * 32])
def test_plain_names_stand(name):
    assert safe_name(name, "it") == name


@pytest.mark.parametrize(
    "name", ["", "=1+1", "+1", "-1", "@SUM", "a<b", "<script>", "a\nb", "a\x00b", "a\u202eb", "x" * 33]
)
def test_hostile_names_do_not(name):
    assert safe_name(name, "it") == "it"


@pytest.mark.parametrize(
    ("custody", "year", "rule"),
    [
        ("us_broker", 2024, "FAQs 39-41"),
        ("us_broker", 2025, "Notices 2025-7 and 2026-20"),
        ("us_broker", 2026, "Notices 2025-7 and 2026-20"),
        ("us_broker", 2027, "tell the broker"),
        ("self", 2027, "1.1012-1(j)(2)"),
        ("foreign_custodian", 2027, "1.1012-1(j)(2)"),
        (None, 2027, "tell the broker"),
    ],
)
def test_lot_identification_by_date_and_custody(custody, year, rule):
    """Reg. 1.1012-1(j): books for own keys and foreign custodians; for US brokers the books suffice to 2026-12-31."""
    text = lot_identification(LOT | {"custody": custody}, year)
    assert rule in text
    assert "0.25 BTC of lot lot_1, acquired 2024-02-29" in text


def test_record_before_names_the_broker_from_2027():
    assert "the broker must have it" in record_before(LOT | {"custody": "us_broker"}, 2027)
    assert "the broker" not in record_before(LOT | {"custody": "us_broker"}, 2026)
    assert "the broker" not in record_before(LOT | {"custody": "self"}, 2027)


def test_rebuy_warns_below_24_hours_and_names_31_days():
    assert rebuy_not_before(24).startswith("24 hours after the sale at the earliest")
    assert "challenge" not in rebuy_not_before(24)
    assert "challenge" in rebuy_not_before(1)
    assert "31 days" in rebuy_not_before(24)


@pytest.mark.parametrize(
    ("zone", "instant"),
    [
        ("America/New_York", dt.datetime(2027, 1, 1, 4, 59, 59, 999999, dt.UTC)),
        ("Pacific/Honolulu", dt.datetime(2027, 1, 1, 9, 59, 59, 999999, dt.UTC)),
        ("Asia/Tokyo", dt.datetime(2026, 12, 31, 14, 59, 59, 999999, dt.UTC)),
    ],
)
def test_deadline_is_the_last_instant_of_the_year_in_the_taxpayers_zone(zone, instant):
    assert deadline(2026, zone) == instant


def test_dollars_reads_cents_and_decimals():
    assert dollars(-123_456) == "-$1,234.56"
    assert dollars(Decimal("1234.5")) == "$1,234.50"


def test_reason_is_a_sentence_without_the_hostile_name():
    lot = {"asset": "=HYPERLINK(1)", "quantity": Decimal(2), "term": "short", "unrealized_gain": Decimal(-500)}
    lot |= {"tax_saved_now": Decimal(204), "carryforward_value": Decimal(0), "later_tax_cost": Decimal(0)}
    lot |= {"trading_cost": Decimal(4), "net_benefit": Decimal(200), "restarted_clock_cost": Decimal(0)}
    lot |= {"is_indivisible": False, "proceeds": Decimal(1)}
    assert reason(lot) == (
        "Selling 2 this asset realizes a short-term loss of $500.00, worth $200.00: $204.00 less tax this year, less "
        "$4.00 of trading cost. Never to a person or an entity that the client controls."
    )


def test_under_a_wash_sale_law_the_wait_is_31_days():
    text = rebuy_not_before(24, wash_sale_law=True)
    assert text.startswith("31 days after the sale at the earliest")
    assert "does not reach coins" not in text
