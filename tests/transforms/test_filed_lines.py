"""Filed lines: their names, what they carry over, and what tonight's books would change. Dollars as text."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from schemas.filed import FiledClosingLots, FiledFormLines, FiledPeople, FiledReturns, StandingLines
from schemas.tax import ClosingLots, Form8949
from tests.transforms.frames import frame
from tests.transforms.test_lots import plain
from tests.transforms.test_returns import NO_OPENING, alone, books, net, profile
from transforms import amendments, filed_lines
from transforms.returns import Books, ReturnResults, fold_years

YEARS = range(2023, 2027)
WORKSHEET = "Capital Loss Carryover Worksheet"


class House:
    """A client's returns with some lines filed: the shadow, what stands, and the differences."""

    def __init__(
        self,
        given: Books,
        said: list[tuple[int, str, str, Any]],
        form: pl.DataFrame | None = None,
        whole: bool = False,
        return_id: str = "ann",
        bare: tuple[int, ...] = (),
    ) -> None:
        lines = [
            {"return_id": return_id, "tax_year": y, "form": f, "line": n, "amount": str(a), "whole": whole}
            for y, f, n, a in said
        ]
        rows = [{"tax_year": y, "lines_from": "firm"} for y in sorted({y for y, *_ in said})]
        rows += [{"tax_year": y} for y in bare]
        self.returns = frame(
            FiledReturns, *rows, return_id=return_id, version=1, filed_at="2026-06-01", has_inputs=True
        )
        form = frame(Form8949) if form is None else form
        self.shadow = fold_years(given, NO_OPENING, YEARS)
        self.stated = filed_lines.stated(frame(FiledFormLines, *lines), self.returns, given.members, self.shadow, form)
        self.stood: ReturnResults = fold_years(given._replace(filed=self.stated.carryovers), NO_OPENING, YEARS)
        self.out = filed_lines.published(self.shadow, self.stood, self.stated, self.returns, form)

    def carried(self, who: str = "ann") -> list[tuple[Any, ...]]:
        columns = ("tax_year", "short_term_in", "long_term_in", "short_term_out", "long_term_out", "source")
        rows = self.out.carryforwards.filter(taxpayer_id=who).select(columns).iter_rows()
        return [tuple(map(plain, cells)) for cells in rows]

    def differences(self) -> dict[tuple[int, str, str], tuple[Any, ...]]:
        found = amendments.of_lines(self.stated.lines, self.stated.recomputed)
        columns = ("tax_year", "form", "line", "filed", "recomputed", "difference")
        return {(y, f, n): tuple(map(plain, rest)) for y, f, n, *rest in found.select(columns).iter_rows()}

    def asked(self) -> list[tuple[str, int]]:
        return sorted(pl.concat(self.stated.questions).select("question", "tax_year").iter_rows())


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "line", "expected"),
    [
        ("Schedule D", "16", ("Schedule D", "16")),
        (" schedule d (form 1040) ", "Line 16", ("Schedule D", "16")),
        ("1040", "16", ("Form 1040", "16")),
        ("Form 1040-SR", "7a", ("Form 1040", "7a")),
        ("Schedule 2", "12", ("Form 1040", "Schedule 2 line 12")),
        ("schedule 1-a", "line 37", ("Form 1040", "Schedule 1-A line 37")),
        ("carryover worksheet", "13", (WORKSHEET, "13")),
        ("8949", "C", ("Form 8949", "C (h)")),
        ("Form 8949", "Part I box g (d)", ("Form 8949", "G (d)")),
        ("Form 8949", "f proceeds", ("Form 8949", "F (d)")),
        ("Form 8949", "F, cost", ("Form 8949", "F (e)")),
        ("Form 8949", "2", ("Form 8949", "2")),
        ("Form 4797", "9", ("Form 4797", "9")),
    ],
)
def test_a_line_has_one_name_however_it_is_written(form: str, line: str, expected: tuple[str, str]) -> None:
    lines = pl.DataFrame({"form": [form], "line": [line]})
    assert filed_lines.named(lines).row(0) == expected


# --- carryovers -------------------------------------------------------------------------------------------------------

LOSS = books(
    alone(YEARS),
    [profile(year, 80_000, short_term_carry_in=0, long_term_carry_in=0) if year == 2023 else profile(year, 80_000) for year in YEARS],
    [net(2023, short=-10_000, long=-8_000)],
)  # fmt: skip
"""18,000 of loss in 2023 as computed tonight: 3,000 used, 7,000 short-term and 8,000 long-term carried out."""


def without_carry_in(given: Books) -> Books:
    return given._replace(profiles=given.profiles.with_columns(short_term_carry_in=None, long_term_carry_in=None))


def test_the_next_year_opens_from_the_filed_worksheet() -> None:
    """As filed 5,000 and 1,000 went out: 2024 uses 3,000 of the short-term, 2025 2,000 and 1,000, 2026 nothing."""
    house = House(LOSS, [(2023, WORKSHEET, "8", 5000), (2023, WORKSHEET, "13", 1000)])
    assert house.carried() == [
        (2023, "0", "0", "5000", "1000", "filed"),
        (2024, "5000", "1000", "2000", "1000", "computed"),
        (2025, "2000", "1000", "0", "0", "computed"),
        (2026, "0", "0", "0", "0", "computed"),
    ]
    assert house.differences() == {
        (2023, WORKSHEET, "13"): ("1000", "8000", "7000"),
        (2023, WORKSHEET, "8"): ("5000", "7000", "2000"),
    }


def test_without_the_worksheet_lines_7_and_15_tell_what_is_carried() -> None:
    """Filed: line 7 −4,000, line 15 −2,000. 3,000 used of the short-term: 1,000 and 2,000 go out (worksheet, by hand)."""
    house = House(LOSS, [(2023, "Schedule D", "7", -4000), (2023, "Schedule D", "15", -2000)])
    assert house.carried()[0] == (2023, "0", "0", "1000", "2000", "filed")
    assert house.asked() == []
    assert house.differences()[2023, WORKSHEET, "8"] == ("1000", "7000", "6000")


def test_a_filed_net_gain_carries_nothing() -> None:
    house = House(LOSS, [(2023, "Schedule D", "16", 500)])
    assert house.carried()[0][3:] == ("0", "0", "filed")
    assert house.out.schedule_d.filter(tax_year=2023).select("line_16", "line_21").row(0) == (500, 500)


def test_where_no_filed_line_tells_the_recomputed_carryover_is_used_and_asked() -> None:
    house = House(LOSS, [(2023, "Form 1040", "15", 1)])
    assert house.carried()[0][3:] == ("7000", "8000", "filed")
    assert house.asked() == [("filed_carryover_not_stated", 2023)]


def test_a_negative_carryover_is_no_carryover() -> None:
    house = House(LOSS, [(2023, WORKSHEET, "8", -5000), (2023, WORKSHEET, "13", 1000)])
    assert house.carried()[0][3:5] == ("7000", "1000")
    assert house.differences()[2023, WORKSHEET, "8"] == ("-5000", "7000", "12000")


def test_a_later_filed_year_is_compared_with_the_events_alone() -> None:
    """2024 as filed opened from the filed 5,000; from the events alone it would have had 7,000 and 8,000."""
    said = [(2023, WORKSHEET, "8", 5000), (2023, WORKSHEET, "13", 0), (2024, WORKSHEET, "8", 2000), (2024, WORKSHEET, "13", 0)]  # fmt: skip
    house = House(LOSS, said)
    assert house.carried()[1][3:] == ("2000", "0", "filed")
    assert house.carried()[2] == (2025, "2000", "0", "0", "0", "computed")
    assert house.differences()[2024, WORKSHEET, "8"] == ("2000", "4000", "2000")


COUPLE = books(
    [("ab", 2023, "ann", "primary"), ("ab", 2023, "bob", "spouse"), ("ann", 2024, "ann", "primary"), ("bob", 2024, "bob", "primary")],
    [profile(2023, 90_000, "mfj", "ab", short_term_carry_in=0, long_term_carry_in=0), profile(2024, 50_000), profile(2024, 50_000, who="bob")],
    [net(2023, short=-9_000), net(2023, short=-3_000, who="bob")],
)  # fmt: skip
"""Short-term losses of 9,000 and 3,000 on a joint return: 9,000 go out, three quarters of it Ann's (Reg. 1.1212-1(c)(1))."""


def test_a_joint_carryover_as_filed_is_each_spouse_s_by_the_own_loss() -> None:
    house = House(COUPLE, [(2023, WORKSHEET, "8", 4000), (2023, WORKSHEET, "13", 0)], return_id="ab")
    assert (house.carried("ann")[0][3], house.carried("bob")[0][3]) == ("3000", "1000")


@pytest.mark.parametrize(("bob", "shares"), [(2500, ("1500", "2500")), (2600, ("3000", "1000"))])
def test_the_spouses_shares_on_record_count_where_they_sum_to_the_return_s(bob: int, shares: Any) -> None:
    said = [(2023, WORKSHEET, "8", 4000), (2023, WORKSHEET, "13", 0)]
    said += [(2023, "Carryover by taxpayer", "short ann", 1500), (2023, "Carryover by taxpayer", "short bob", bob)]
    house = House(COUPLE, said, return_id="ab")
    assert (house.carried("ann")[0][3], house.carried("bob")[0][3]) == shares


# --- what is published ------------------------------------------------------------------------------------------------


def test_filed_figures_stand_and_say_so_the_others_are_computed() -> None:
    """Single, 2023, wages 80,000: 80,000 − 3,000 − 13,850 = 63,150; tax 5,147 + 22 % × 18,425 = 9,200.50."""
    house = House(
        LOSS, [(2023, "1040", "16", "9111.00"), (2023, "Schedule D", "16", "-17000"), (2023, "Form 4797", "9", 5)]
    )
    lines = {
        (f, n): (plain(a), s)
        for f, n, a, s in house.out.return_lines.filter(tax_year=2023).select("form", "line", "amount", "source").iter_rows()
    }  # fmt: skip
    assert lines["Form 1040", "16"] == ("9111", "filed")
    assert lines["Schedule D", "16"] == ("-17000", "filed")
    assert lines["Form 1040", "15"] == ("63150", "computed")
    assert lines["Form 4797", "9"] == ("5", "filed"), "what these books do not know is kept"
    row = house.out.schedule_d.filter(tax_year=2023).to_dicts()[0]
    assert [plain(row[c]) for c in ("line_16", "line_7", "regular_tax", "federal_tax", "source")] == [
        "-17000", "-10000", "9111", "9111", "filed",
    ]  # fmt: skip
    assert house.differences() == {
        (2023, "Schedule D", "16"): ("-17000", "-18000", "-1000"),
        (2023, "Form 1040", "16"): ("9111", "9206", "95"),
        (2023, "Federal tax", "total"): ("9111", "9206", "95"),
    }
    assert house.asked() == [("filed_carryover_not_stated", 2023), ("filed_line_unknown", 2023)]


def test_a_loss_entered_without_its_brackets_is_asked() -> None:
    """Schedule D line 21 prints (3,000): filed as 3000 beside a line 16 of −18,000 it would read as a gain."""
    house = House(
        LOSS, [(2023, "Schedule D", "16", -18000), (2023, "Schedule D", "21", 3000), (2023, "Schedule D", "6", 5)]
    )
    assert house.asked().count(("filed_line_sign", 2023)) == 2
    right = House(LOSS, [(2023, "Schedule D", "16", -18000), (2023, "Schedule D", "21", -3000)])
    assert ("filed_line_sign", 2023) not in right.asked()


def test_without_a_filed_tax_the_change_is_that_of_lines_7_and_15() -> None:
    """Filed line 7 −1,000: taxable 80,000 − 1,000 − 13,850 = 65,150, by the table 5,147 + 22 % × 20,450 = 9,646; now 9,206."""
    house = House(LOSS, [(2023, "Schedule D", "7", -1000), (2023, "Schedule D", "15", 0)])
    assert house.differences()[2023, "Federal tax", "total"] == ("9646", "9206", "-440")


def test_a_year_that_was_filed_without_lines_stands_as_computed_and_is_written() -> None:
    house = House(LOSS, [], bare=(2023,))
    assert house.carried()[0] == (2023, "0", "0", "7000", "8000", "filed")
    pending = {(f, n): plain(a) for f, n, a in house.out.pending.select("form", "line", "amount").iter_rows()}
    assert (pending["Schedule D", "16"], pending[WORKSHEET, "8"], pending["Form 1040", "16"]) == (
        "-18000",
        "7000",
        "9206",
    )
    record = House(LOSS, [(2023, f, n, a) for (f, n), a in pending.items()], whole=True)
    assert record.differences() == {}
    for table in ("schedule_d", "carryforwards", "return_lines"):
        assert getattr(record.out, table).equals(getattr(house.out, table)), table


def test_a_line_that_a_whole_record_leaves_blank_was_filed_as_nothing() -> None:
    row = {
        "return_id": "ann",
        "tax_year": 2023,
        "box": "C",
        "proceeds": "100",
        "basis": "40",
        "gain": "60",
        "adjustment": "0",
    }
    form = frame(Form8949, row)
    said = [(2023, "Schedule D", "7", -10_000)]
    assert House(LOSS, said, form, whole=True).differences()[2023, "Form 8949", "C (h)"] == ("0", "60", "60")
    assert (2023, "Form 8949", "C (h)") not in House(LOSS, said, form).differences()
    assert House(LOSS, [*said, (2023, "8949", "C", 10)], form).differences()[2023, "Form 8949", "C (h)"] == (
        "10",
        "60",
        "50",
    )


def test_lines_filed_as_computed_change_nothing() -> None:
    shadow = fold_years(LOSS, NO_OPENING, YEARS)
    every = filed_lines.computed(shadow, frame(Form8949)).filter(pl.col("form") != "Federal tax")
    said = list(every.select("tax_year", "form", "line", "amount").iter_rows())
    house = House(LOSS, said)
    assert house.differences() == {}
    assert house.asked() == []
    computed = pl.lit("computed")
    for table in ("schedule_d", "carryforwards"):
        assert getattr(house.out, table).with_columns(source=computed).equals(getattr(shadow, table)), table


def test_a_filed_return_without_a_profile_stands_and_is_told() -> None:
    """No profile of 2023: nothing recomputes it, and 2024 opens from what was filed."""
    given = LOSS._replace(profiles=LOSS.profiles.filter(pl.col("tax_year") > 2023))
    house = House(given, [(2023, WORKSHEET, "8", 5000), (2023, WORKSHEET, "13", 0)])
    assert house.carried()[0] == (2024, "5000", "0", "2000", "0", "computed")
    assert house.differences() == {}
    assert house.asked() == [("filed_not_recomputed", 2023)]


def test_two_names_of_one_line_are_asked() -> None:
    house = House(LOSS, [(2023, "1040", "16", 1), (2023, "Form 1040", "line 16", 2), (2023, "Schedule D", "16", 0)])
    assert ("filed_line_twice", 2023) in house.asked()


# --- closing lots and causes ------------------------------------------------------------------------------------------

PEOPLE = frame(
    FiledPeople, {"taxpayer_id": "ann", "return_id": "ann", "tax_year": 2023, "version": 1, "lots_from": "firm"}
)


def lots_of(*rows: tuple[str, str, Any, Any]) -> pl.DataFrame:
    cells = [{"account_id": a, "acquired_at": f"{at}T12:00:00", "quantity": q, "basis": b} for a, at, q, b in rows]
    return frame(FiledClosingLots, *cells, taxpayer_id="ann", tax_year=2023, asset="BTC")


def closing(*rows: tuple[str, str, Any, Any], location: str = "account") -> pl.DataFrame:
    cells = [
        {"account_id": a, "acquired_at": f"{at}T12:00:00", "quantity": q, "basis": b, "lot_id": str(n)}
        for n, (a, at, q, b) in enumerate(rows)
    ]
    return frame(ClosingLots, *cells, taxpayer_id="ann", tax_year=2023, asset="BTC", location=location)


def test_closing_lots_are_compared_by_account_asset_and_date() -> None:
    """One lot in two pieces is one; b's basis differs, c's lot is new, d's is gone, what lies outside is in no filing."""
    stated = lots_of(("a", "2021-01-01", 2, 20), ("b", "2021-01-01", 1, 10), ("d", "2022-01-01", 1, None))
    ends = closing(
        ("a", "2021-01-01", 1, 5),
        ("a", "2021-01-01", 1, 15),
        ("b", "2021-01-01", 1, "12.345"),
        ("c", "2022-01-01", 3, 30),
    )
    ends = pl.concat([ends, closing(("a", "2020-01-01", 1, 1), location="outside")])
    found = amendments.of_lots(stated, ends, PEOPLE)
    columns = ("line", "filed", "recomputed", "difference", "filed_quantity", "recomputed_quantity")
    assert [tuple(map(plain, cells)) for cells in found.select(columns).iter_rows()] == [
        ("b / BTC / 2021-01-01T12:00:00Z", "10", "12.35", "2.35", "1", "1"),
        ("c / BTC / 2022-01-01T12:00:00Z", "0", "30", "30", None, "3"),
        ("d / BTC / 2022-01-01T12:00:00Z", "0", "0", "0", "1", None),
    ]
    units = pl.concat(amendments.units_questions(stated, ends, PEOPLE))
    assert sorted(units.select("account_id", "severity").rows()) == [("c", "blocking"), ("d", "blocking")]


RETURNS = frame(
    FiledReturns, {"return_id": "ann", "tax_year": 2023, "version": 1, "filed_at": "2024-04-01", "has_inputs": True}
)
MEMBERS = pl.DataFrame({"return_id": ["ann"], "tax_year": [2023], "taxpayer_id": ["ann"]})


def folder(
    *files: tuple[str, str, tuple[str, ...]], wages: int = 1, worth: str = "100", status: str = "parsed"
) -> amendments.Night:
    """Files as (file_id, path, events); an event is named after its year."""
    events = sorted({event for *_, some in files for event in some})
    return amendments.Night(
        files=pl.DataFrame([(i, p, "a", status) for i, p, _ in files], schema=["file_id", "path", "account_id", "status"], orient="row"),
        accounts=pl.DataFrame({"account_id": ["a"], "taxpayer_id": ["ann"]}),
        sources=pl.DataFrame([(e, "a", i) for i, _, some in files for e in some], schema=["event_id", "account_id", "file_id"], orient="row"),
        events=pl.DataFrame({
            "event_id": events, "taxpayer_id": ["ann"] * len(events), "tax_year": [int(e[:4]) for e in events],
            "usd_value": [worth] * len(events), "fee_usd_value": [None] * len(events),
        }).with_columns(pl.col("usd_value", "fee_usd_value").cast(pl.Decimal(18, 6))),
        tables={"profiles": pl.DataFrame({"return_id": ["ann", "ann"], "tax_year": [2023, 2024], "wages": [wages, 9]})},
    )  # fmt: skip


def cause(then: amendments.Night, now: amendments.Night) -> str:
    recorded = amendments.inputs(RETURNS, MEMBERS, then, "2024-05-01")
    tonight = amendments.inputs(RETURNS, MEMBERS, now, "2026-11-20")
    found = amendments.causes(RETURNS, MEMBERS, recorded, tonight, now)
    return str(found["cause"].item())


OLD = ("f" * 64, "old.csv", ("2022a", "2023a"))


def test_a_file_that_came_since_is_the_cause_with_the_events_that_only_it_tells() -> None:
    late = ("e" * 64, "late.csv", ("2021a", "2022a", "2024a"))
    assert cause(folder(OLD), folder(OLD, late)) == (
        "1 event(s) of 2023 or before from late.csv (file eeeeeeeeeeee), not in the folder on 2024-05-01"
    )


def test_a_file_that_only_repeats_or_tells_later_years_is_no_cause() -> None:
    again = ("e" * 64, "again.csv", ("2022a", "2025a"))
    assert cause(folder(OLD), folder(OLD, again)).startswith(
        "not known: nothing changed in the folder since 2024-05-01"
    )


def test_a_file_under_another_name_is_the_same_file() -> None:
    assert cause(folder(OLD), folder((OLD[0], "renamed.csv", OLD[2]))).startswith("not known")


def test_a_file_that_is_gone_is_a_cause() -> None:
    gone = ("d" * 64, "gone.csv", ("2020a",))
    assert cause(folder(OLD, gone), folder(OLD)) == "gone.csv (file dddddddddddd) is gone, in the folder on 2024-05-01"


def test_a_record_of_the_folder_that_changed_is_a_cause() -> None:
    assert cause(folder(OLD), folder(OLD, wages=2)) == "rows of profiles.csv are others than on 2024-05-01"


def test_a_price_that_changed_is_a_cause() -> None:
    assert cause(folder(OLD), folder(OLD, worth="101")) == (
        "2 events worth 200.000000 when filed are 2 events worth 202.000000 now (prices, overrides, another reading)"
    )


def test_where_nothing_is_found_the_files_behind_the_figures_are_named() -> None:
    assert cause(folder(OLD), folder(OLD)) == (
        "not known: nothing changed in the folder since 2024-05-01, when a night first saw this filing; "
        "the recomputed figures rest on old.csv (2 events)"
    )


def test_pending_lines_are_not_compared() -> None:
    row = {"return_id": "ann", "tax_year": 2023, "form": "Schedule D", "line": "16", "amount": "1", "whole": True, "said": True, "known": True, "pending": True}  # fmt: skip
    house = House(LOSS, [(2023, "Schedule D", "16", 1)])
    assert amendments.of_lines(frame(StandingLines, row), house.stated.recomputed).is_empty()
