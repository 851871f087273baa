"""A ledger (statement) and its second report (fills): the same facts are booked once, and what differs is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import gate
from schemas.fields import QUANTITY
from schemas.intake import Legs
from schemas.ledger import Events, EventSources, SourceChecks
from tests.transforms.frames import frame
from transforms import ledger, questions, second_reports
from transforms.second_reports import Compared

CHECKS = {"fills": "statement"}
START = dt.datetime(2025, 3, 1, 10, 0, 0)


def fact(
    source: str,
    key: str,
    second: float,
    sent: tuple[str, str] | None,
    received: tuple[str, str] | None,
    fee: tuple[str, str] | None = None,
    **leg: Any,
) -> list[dict[str, Any]]:
    """The legs of one row; `second` is counted from 2025-03-01 10:00 UTC, a side is a quantity and an asset."""
    at = (START + dt.timedelta(seconds=second)).isoformat()
    sides = {"sent": sent, "received": received, "fee": fee}
    row = {"source": source, "file_id": f"{source}.csv", "row_key": key, "row_no": int(second) + 1, "occurred_at": at}
    return [
        {**row, "role": role, "quantity": side[0], "asset": side[1], "raw_asset": side[1], **leg}
        for role, side in sides.items()
        if side is not None
    ]


def buy(source: str, key: str, second: float, coins: str, usd: str, fee: str = "1", **leg: Any) -> list[dict[str, Any]]:
    return fact(source, key, second, (usd, "USD"), (coins, "BTC"), (fee, "USD"), **leg)


def compared(
    *facts: list[dict[str, Any]],
    checks: dict[str, str] | None = None,
    correct: Callable[[pl.DataFrame], pl.DataFrame] = lambda events: events,
) -> tuple[Compared, pl.DataFrame]:
    """The comparison, and the events that stay booked; `correct`: what staff made of the events."""
    rows = [row for legs in facts for row in legs]
    legs = frame(Legs, *rows, account_id="a", rounded=False)
    built = ledger.assemble(legs, (), {})
    side = pl.when(pl.col("sent_asset") == "USD").then("sent_quantity")
    cash = side.when(pl.col("received_asset") == "USD").then("received_quantity")
    valued = built.events.with_columns(
        taxpayer_id=pl.lit("t"),
        tax_date=pl.col("occurred_at").dt.date(),
        tax_year=pl.col("occurred_at").dt.year().cast(pl.Int64),
        usd_value=pl.coalesce("usd_value", cash.cast(pl.Decimal(18, 6))),
        fee_usd_value=pl.col("fee_quantity").cast(pl.Decimal(18, 6)),
        price_source=pl.when(pl.col("usd_value").is_not_null())
        .then(pl.lit("stated"))
        .when(cash.is_not_null())
        .then(pl.lit("cash")),
    )
    events = gate.conform(valued, Events)
    read, events = events, gate.conform(correct(events), Events)
    found = second_reports.compare(events, built.sources, legs, CHECKS if checks is None else checks, as_read=read)
    for table, model in ((found.checks, SourceChecks), (found.sources, EventSources)):
        assert gate.check(table, model).rejected.is_empty()
    return found, events.join(found.not_booked, on="fact_id", how="anti")


def told(found: Compared) -> list[tuple[Any, ...]]:
    columns = ["status", "row_no", "field", "ours", "theirs"]
    return sorted(found.checks.select(columns).rows(), key=str)


def asked(found: Compared) -> dict[str, tuple[str, Decimal | None]]:
    items = pl.concat(questions.second_reports(found.checks))
    return {
        question: (severity, dollars)
        for question, severity, dollars in items.select("question", "severity", "dollars_at_stake").rows()
    }


def test_the_same_trade_in_both_reports_is_booked_once_and_both_rows_stand_behind_it() -> None:
    found, booked = compared(buy("statement", "s1", 5, "0.02", "1000"), buy("fills", "f1", 5, "0.02", "1000"))
    assert booked["source"].to_list() == ["statement"]
    assert told(found) == [("same", 6, None, None, None)]
    assert found.sources.rows() == [(booked["event_id"][0], "a", "fills.csv", 6, "check")]
    assert asked(found) == {}


def test_an_account_with_the_second_report_alone_has_it_for_its_ledger() -> None:
    found, booked = compared(buy("fills", "f1", 5, "0.02", "1000"), buy("fills", "f2", 9, "0.02", "1000"))
    assert booked.height == 2
    assert found.checks.is_empty()


def test_another_accounts_ledger_covers_nothing() -> None:
    other = [{**row, "account_id": "b"} for row in buy("statement", "s1", 5, "0.02", "1000")]
    found, booked = compared(other, buy("fills", "f1", 5, "0.02", "1000"))
    assert (booked.height, found.checks.height) == (2, 0)


def test_ids_that_both_reports_have_make_one_fact_whatever_they_say_of_it() -> None:
    found, booked = compared(
        buy("statement", "id:T1", 5, "0.02", "1000", fee="2.60"),
        buy("fills", "id:T1", 5000, "0.03", "1000", fee="2.10"),
    )
    assert booked["source"].to_list() == ["statement"]
    # 0.01 of 0.02 BTC that cost 1,000: half; the fee by half a dollar; the time has nothing at stake
    assert told(found) == [
        ("differs", 5001, "fee", "2.6", "2.1"),
        ("differs", 5001, "received", "0.02", "0.03"),
        ("differs", 5001, "time", "2025-03-01T10:00:05Z", "2025-03-01T11:23:20Z"),
    ]
    assert asked(found) == {"second_report_differs": ("warning", Decimal("500.50"))}


def test_a_group_of_the_ledger_is_found_by_the_id_that_is_the_reports_row() -> None:
    legs = fact("statement", "id:L1", 5, ("1000", "USD"), None, group_key="T1")
    legs += fact("statement", "id:L2", 5, None, ("0.02", "BTC"), group_key="T1", row_no=99)
    found, booked = compared(legs, fact("fills", "id:T1", 80_000, ("1000", "USD"), ("0.02", "BTC")))
    assert booked["kind"].to_list() == ["buy"]
    assert {row[0] for row in told(found)} == {"differs"}  # only the time


def test_many_fills_are_one_row_of_their_order_and_the_reverse() -> None:
    order = buy("statement", "s1", 5, "0.03", "1500", fee="3")
    fills = [buy("fills", "f1", 5, "0.01", "500"), buy("fills", "f2", 6, "0.02", "1000", fee="2")]
    found, booked = compared(order, *fills)
    assert booked["source"].to_list() == ["statement"]
    assert {row[:3] for row in told(found)} == {("same", 6, None), ("same", 7, None)}
    assert found.sources.height == 2
    # the reverse: the ledger has the fills
    found, booked = compared(order, *fills, checks={"statement": "fills"})
    assert booked["source"].to_list() == ["fills", "fills"]
    assert found.sources["event_id"].n_unique() == 2


def test_an_order_that_took_hours_is_found_by_its_sum() -> None:
    found, booked = compared(
        buy("statement", "s1", 0, "0.01", "500"),
        buy("statement", "s2", 3000, "0.02", "1000"),
        buy("fills", "f1", 6000, "0.03", "1500", fee="2"),
    )
    assert booked["source"].to_list() == ["statement", "statement"]
    assert told(found) == [("same", 6001, None, None, None)]


def test_one_missing_trade_hides_none_of_the_orders_around_it() -> None:
    """Orders of a day that took minutes, their fills in the ledger; a fifth order is in the report alone."""
    fills = [
        buy("statement", f"s{n}{part}", 4_000 * n + 200 * part, f"0.0{n}{part}", f"{n}{part}0", fee="0.5")
        for n in (1, 2, 3, 4)
        for part in (1, 2)
    ]
    orders = [
        buy("fills", f"f{n}", 4_000 * n + 300, str(Decimal(f"0.0{n}1") + Decimal(f"0.0{n}2")), str(n * 200 + 30))
        for n in (1, 2, 3, 4)
    ]
    found, booked = compared(*fills, *orders, buy("fills", "f5", 10_010, "0.5", "5000"))
    assert booked["source"].unique().to_list() == ["statement"]
    statuses = sorted(found.checks.select("row_no", "status").rows())
    assert statuses == [(4301, "same"), (8301, "same"), (10011, "not_in_ledger"), (12301, "same"), (16301, "same")]
    # the reverse: orders in the ledger, fills in the report
    found, booked = compared(*fills, *orders, buy("fills", "f5", 10_010, "0.5", "5000"), checks={"statement": "fills"})
    assert booked["source"].to_list() == ["fills"] * 5
    assert dict(found.checks.group_by("status").len().rows()) == {"same": 8, "not_in_check": 1}


def test_two_identical_trades_are_two_in_both_reports() -> None:
    twice = [buy(source, "same", 5, "0.02", "1000", row_no=n) for source in ("statement", "fills") for n in (1, 2)]
    found, booked = compared(*twice)
    assert booked["source"].to_list() == ["statement", "statement"]
    assert found.sources["event_id"].n_unique() == 2


def test_a_report_that_rounds_is_no_difference_and_one_that_says_another_amount_is() -> None:
    found, booked = compared(
        buy("statement", "s1", 5, "0.0200000041", "1000.0042"),
        buy("statement", "s2", 50, "0.02", "1000"),
        buy("fills", "f1", 5, "0.02", "1000"),
        buy("fills", "f2", 50, "0.02", "1001"),
    )
    assert booked.height == 2
    assert told(found) == [("differs", 51, "sent", "1000", "1001"), ("same", 6, None, None, None)]
    assert asked(found) == {"second_report_differs": ("warning", Decimal("1.00"))}


def test_values_that_both_state_are_compared() -> None:
    reward = [
        fact(source, "r", 5, None, ("1", "ADA"), kind="staking", usd_value=usd)
        for source, usd in (("statement", Decimal("0.50")), ("fills", Decimal("0.75")))
    ]
    found, booked = compared(*reward)
    assert booked["source"].to_list() == ["statement"]
    assert told(found) == [("differs", 6, "value", "0.5", "0.75")]


def test_what_the_ledger_lacks_in_its_own_time_is_asked_and_in_no_book() -> None:
    found, booked = compared(
        buy("statement", "s1", 0, "0.01", "500"),
        buy("statement", "s2", 9_000, "0.02", "1000"),
        buy("fills", "f1", 0, "0.01", "500"),
        buy("fills", "f3", 4_000, "0.07", "3500"),
        buy("fills", "f2", 9_000, "0.02", "1000"),
    )
    assert booked["source"].to_list() == ["statement", "statement"]
    assert ("not_in_ledger", 4_001, None, None, None) in told(found)
    assert asked(found) == {"second_report_missing": ("blocking", Decimal("3500.00"))}


@pytest.mark.parametrize("second", [-1_000, 5_000, 20_000])
def test_what_lies_outside_the_ledgers_files_is_booked_and_told(second: int) -> None:
    """The statement has two files, of 0-9 and of 10,000-10,009 s: before, between and after them nothing covers."""
    statement = [
        buy("statement", f"s{n}", n, f"0.0{n + 1}", "100", file_id="one" if n < 10 else "two") for n in (0, 9)
    ] + [buy("statement", f"t{n}", 10_000 + n, f"0.0{n + 1}", "100", file_id="two", row_no=n + 1) for n in (0, 9)]
    found, booked = compared(*statement, buy("fills", "f", second, "0.5", "2500", row_no=1))
    assert booked.height == 5
    own = booked.filter(source="fills")["event_id"][0]
    assert found.checks.filter(status="booked").select("event_id", "row_no").rows() == [(own, 1)]
    assert asked(found)["second_report_booked"] == ("info", Decimal("2500.00"))


def test_a_ledger_without_any_facts_of_the_form_does_not_cover_them() -> None:
    """A statement that only has moves (a filtered export): its time is no reason to leave out the trades."""
    found, booked = compared(
        fact("statement", "d1", 0, None, ("1", "BTC")),
        fact("statement", "d2", 9_000, None, ("1", "BTC"), row_no=2),
        buy("fills", "f", 4_000, "0.5", "2500"),
    )
    assert booked.height == 3
    assert asked(found)["second_report_booked"] == ("info", Decimal("2500.00"))


def test_a_trade_that_the_report_lacks_is_told_and_its_moves_are_not() -> None:
    found, booked = compared(
        buy("statement", "s1", 0, "0.01", "500"),
        buy("statement", "s2", 50, "0.02", "1000"),
        fact("statement", "d", 60, None, ("1", "BTC")),
        buy("statement", "s3", 100, "0.03", "1500"),
        buy("fills", "f1", 0, "0.01", "500"),
        buy("fills", "f3", 100, "0.03", "1500"),
    )
    assert booked.height == 4
    lacking = found.checks.filter(status="not_in_check")
    assert lacking.select("file_id", "source", "checked_against").rows() == [(None, "fills", "statement")]
    assert lacking["event_id"].to_list() == booked.filter(sent_quantity=Decimal(1000))["event_id"].to_list()
    assert asked(found) == {"second_report_lacks": ("info", Decimal("1000.00"))}


def test_reports_stand_in_a_line_and_each_fact_is_booked_once() -> None:
    """Orders check fills, fills check the statement: of three reports one is booked, of the last two the fills."""
    line = {"orders": "fills", "fills": "statement"}
    three = [buy(source, source, 5, "0.02", "1000") for source in ("orders", "statement", "fills")]
    assert compared(*three, checks=line)[1]["source"].to_list() == ["statement"]
    assert compared(three[0], three[2], checks=line)[1]["source"].to_list() == ["fills"]
    assert compared(three[0], three[1], checks=line)[1]["source"].to_list() == ["statement"]
    # two that check the same absent one: the first registered is the ledger
    both = {"fills": "statement", "orders": "statement"}
    assert compared(three[0], three[2], checks=both)[1]["source"].to_list() == ["fills"]


def test_a_report_that_shows_minutes_meets_a_ledger_that_shows_seconds() -> None:
    found, booked = compared(
        buy("statement", "s1", 47, "0.02", "1000"),
        buy("statement", "s2", 3_650, "0.05", "2000"),
        buy("fills", "f1", 0, "0.02", "1000"),
        buy("fills", "f2", 3_600, "0.05", "2000"),
    )
    assert booked["source"].to_list() == ["statement", "statement"]
    assert {row[0] for row in told(found)} == {"same"}


def test_the_answer_does_not_hang_on_the_order_of_the_rows() -> None:
    facts = [
        buy(source, f"{n}", n % 3, "0.02", "1000", row_no=n + 1) for source in ("statement", "fills") for n in range(6)
    ]
    one, booked = compared(*facts)
    other, again = compared(*reversed(facts))
    assert one.checks.equals(other.checks)
    assert one.sources.equals(other.sources)
    assert booked.equals(again)


TRADES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 4), st.booleans(), st.booleans()), min_size=1, max_size=12
)


@settings(max_examples=150, deadline=None)
@given(trades=TRADES, cut=st.integers(1, 3))
def test_every_fact_is_booked_once_or_asked_and_every_row_of_the_report_told(
    trades: list[tuple[int, int, bool, bool]], cut: int
) -> None:
    """Trades days apart (day, coins) that each report has or has not; the report may show one as several fills."""
    both, facts, only_ledger, only_report = 0, [], 0, []
    for number, (day, coins, in_ledger, in_report) in enumerate(sorted({t[0]: t for t in trades}.values())):
        at, usd = day * 100_000 + number, 100 * coins + number  # no two alike
        if in_ledger:
            facts.append(buy("statement", f"s{number}", at, str(coins), str(usd)))
            only_ledger += not in_report
        if in_report:
            facts += [
                buy("fills", f"f{number}-{part}", at, str(Decimal(coins) / 4 * share), str(Decimal(usd) / 4 * share), fee=str(Decimal(share) / 4), row_no=at * 4 + part)
                for part, share in enumerate((cut, 4 - cut))
            ]  # fmt: skip
            both += in_ledger
            only_report += [] if in_ledger else [at]
    if not facts:
        return
    found, booked = compared(*facts)
    ledger_times = [row["occurred_at"] for legs in facts for row in legs if row["source"] == "statement"]
    assert booked.filter(source="statement").height == both + only_ledger
    if not ledger_times:
        assert booked.height == 2 * len(only_report)
        return
    spans = [(dt.datetime.fromisoformat(t) - START).total_seconds() for t in ledger_times]
    inside = [at for at in only_report if min(spans) <= at <= max(spans)]
    assert booked.filter(source="fills").height == 2 * (len(only_report) - len(inside))
    rows = found.checks.filter(pl.col("file_id").is_not_null()).group_by("status").len()
    expected = {"same": 2 * both, "not_in_ledger": 2 * len(inside), "booked": 2 * (len(only_report) - len(inside))}
    assert dict(rows.rows()) == {status: count for status, count in expected.items() if count}


def test_a_new_download_is_no_new_question() -> None:
    """An item's id names the fact, not the file and row that tell of it."""

    def ids(file_id: str, row_no: int) -> list[str]:
        missing = buy("fills", "f", 50, "0.05", "700", file_id=file_id, row_no=row_no)
        found, _ = compared(
            buy("statement", "s1", 0, "0.01", "500"), buy("statement", "s2", 99, "0.02", "1000"), missing
        )
        return pl.concat(questions.second_reports(found.checks))["item_id"].to_list()

    assert len(ids("fills.csv", 51)) == 1
    assert ids("fills.csv", 51) == ids("again.csv", 7)


def test_what_nothing_prices_has_no_dollars_and_is_no_difference_of_value() -> None:
    swap = [("1", "ETH"), ("20", "SOL")]
    found, booked = compared(
        fact("statement", "s1", 5, *swap),
        fact("statement", "s2", 99, ("2", "ETH"), ("40", "SOL")),
        fact("fills", "f1", 5, *swap, usd_value=Decimal(3000)),
        fact("fills", "f2", 50, ("3", "ETH"), ("60", "SOL")),
    )
    assert booked["source"].unique().to_list() == ["statement"]
    assert told(found) == [("not_in_ledger", 51, None, None, None), ("same", 6, None, None, None)]
    assert asked(found)["second_report_missing"] == ("blocking", None)


DAY = 86_400
DAILY = [
    pytest.param(range(28), range(28, 56), id="28 days and the next 28"),
    pytest.param(range(3), range(3, 6), id="three days and the next three"),
    pytest.param(range(27), range(28, 56), id="not as many"),
]


@pytest.mark.parametrize(("ledger_days", "report_days"), DAILY)
def test_the_days_after_the_ledger_ends_are_no_facts_of_the_ledger(ledger_days: range, report_days: range) -> None:
    """Every step is a day: together they are months, of which the two reports have no day in common."""
    found, booked = compared(
        *(buy("statement", f"s{n}", n * DAY, "0.01", "400") for n in ledger_days),
        *(buy("fills", f"f{n}", n * DAY, "0.01", "400") for n in report_days),
    )
    assert booked.height == len(ledger_days) + len(report_days)
    assert found.checks["status"].to_list() == ["booked"] * len(report_days)


def test_other_amounts_of_the_next_day_are_no_parts_of_yesterdays() -> None:
    """1 + 1 BTC left at 10:00 and 20:00; 1.5 + 0.5 on the next day, after the ledger's last row."""
    found, booked = compared(
        *(fact("statement", f"s{n}", n * 3600, ("1", "BTC"), None) for n in (0, 10)),
        *(fact("fills", f"f{n}", n * 3600, (coins, "BTC"), None) for n, coins in ((23, "1.5"), (32, "0.5"))),
    )
    assert booked["sent_quantity"].sum() == Decimal(4)
    assert found.checks["status"].to_list() == ["booked", "booked"]


def test_equal_sums_hours_apart_are_told_with_their_value() -> None:
    """The ledger covers the time. The last of its parts is 1,000 s before 12:00, the first of the report's at 20:00."""
    found, booked = compared(
        buy("statement", "s0", 0, "0.5", "7000"),
        *(buy("statement", f"s{n}", 7_200 - 1_000 * n, "0.02", "1000") for n in (1, 2)),
        buy("statement", "s9", 3 * DAY, "0.6", "8000"),
        buy("fills", "f0", 0, "0.5", "7000"),
        buy("fills", "f1", 36_000, "0.015", "750"),
        buy("fills", "f2", 36_001, "0.025", "1250"),
        buy("fills", "f9", 3 * DAY, "0.6", "8000"),
    )
    assert booked["source"].to_list() == ["statement"] * 4
    times = found.checks.filter(field="time").select("ours", "theirs", "dollars_at_stake").rows()
    assert times == [("2025-03-01T11:26:40Z", "2025-03-01T20:00:00Z", Decimal(2000))]


def of_days(*days: int) -> list[list[dict[str, Any]]]:
    """The rows of a report of days alone (noon in UTC; 10:00 is second 0), that tells what was paid in all."""
    return [
        fact("fills", f"f{day}", day * DAY + 7_200, (f"{400 + day}.96", "USD"), (f"0.{day + 1}", "BTC")) for day in days
    ]


def test_what_was_paid_in_all_is_the_price_and_the_fee_beside_it_and_a_day_is_any_hour_of_it() -> None:
    """The first trade is after its noon, the last before: the ledger's file covers the day of each."""
    statement = [
        buy("statement", f"s{day}", day * DAY + second, f"0.{day + 1}", f"{395 + day}.00", fee="5.96")
        for day, second in ((0, 18_000), (31, 40_000), (70, -7_200))
    ]
    found, booked = compared(*statement, *of_days(0, 31, 70))
    assert booked["source"].to_list() == ["statement"] * 3
    assert [row[0] for row in told(found)] == ["same"] * 3
    assert asked(found) == {}
    # a day more, that the ledger has not, and one of another amount
    found, booked = compared(*statement, *of_days(0, 31, 40, 70))
    assert [row[0] for row in told(found)] == ["not_in_ledger", "same", "same", "same"]
    other = buy("statement", "s31", 31 * DAY + 40_000, "0.32", "420.00", fee="5.96")
    found, booked = compared(statement[0], other, statement[2], *of_days(0, 31, 70))
    assert {row[0] for row in told(found)} == {"same", "differs"}


def test_what_came_in_all_is_the_price_without_the_fee_beside_it() -> None:
    found, booked = compared(
        fact("statement", "s1", 0, ("0.5", "BTC"), ("2000", "USD"), ("20", "USD")),
        fact("fills", "f1", 0, ("0.5", "BTC"), ("1980", "USD")),
    )
    assert booked["source"].to_list() == ["statement"]
    assert [row[0] for row in told(found)] == ["same"]


def test_a_correction_makes_no_second_fact_and_settles_what_differed() -> None:
    """Staff set the ledger's quantity and time to what the report says, far from what the file says."""
    facts = [
        buy("statement", "s1", 0, "0.1", "2000"),
        buy("statement", "s2", 9 * DAY, "0.2", "4000"),
        buy("fills", "f1", 0, "0.1", "2000"),
        buy("fills", "f2", 9 * DAY, "0.201", "4000"),
    ]
    ours = (pl.col("source") == "statement") & (pl.col("sent_quantity") == 4000)
    before, booked = compared(*facts)
    assert [row[2:] for row in told(before) if row[0] == "differs"] == [("received", "0.2", "0.201")]
    quantity = pl.when(ours).then(pl.lit("0.201").cast(QUANTITY)).otherwise("received_quantity")
    found, booked = compared(*facts, correct=lambda events: events.with_columns(received_quantity=quantity))
    assert booked["source"].to_list() == ["statement", "statement"]
    assert {row[0] for row in told(found)} == {"same"}
    # a correction to half of it: told as what the books have, still no second fact
    quantity = pl.when(ours).then(pl.lit("0.1").cast(QUANTITY)).otherwise("received_quantity")
    moved = pl.when(ours).then(pl.col("occurred_at").dt.offset_by("3d")).otherwise("occurred_at")
    found, booked = compared(
        *facts, correct=lambda events: events.with_columns(received_quantity=quantity, occurred_at=moved)
    )
    assert booked["source"].to_list() == ["statement", "statement"]
    differs = [row[2:] for row in told(found) if row[0] == "differs"]
    assert differs == [
        ("received", "0.1", "0.201"), ("time", "2025-03-13T10:00:00Z", "2025-03-10T10:00:00Z"),
    ]  # fmt: skip
