"""What was filed stands: which filing counts, and books that open from the closing lots as filed."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from schemas.clients import ReturnMembers
from schemas.filed import FiledClosingLots, FiledPeople
from schemas.inputs import Allocations2025, FiledLines, FiledLots, FiledYears
from schemas.tax import Lots
from tests.transforms.frames import frame
from tests.transforms.test_lots import ACCOUNTS, NO_WALLETS, WALLETS, histories, movements, plain, row
from transforms import filed, lots

FOUND = {"return_id": pl.String, "tax_year": pl.Int64, "version": pl.Int64, "part": pl.String}
NEW_YORK = pl.DataFrame(
    {"taxpayer_id": ["jane"], "time_zone": ["America/New_York"]}
).select("taxpayer_id", pl.lit("2000-01-01").str.to_date().alias("valid_from"), "time_zone")  # fmt: skip


def stand(
    rows: list[dict[str, Any]] | pl.DataFrame,
    stated: dict[int, list[dict[str, Any]]],
    universal: bool = False,
    allocations: pl.DataFrame | None = None,
    first: int = 2009,
    last: int = 2026,
    opening: pl.DataFrame | None = None,
    earlier: pl.DataFrame | None = None,
    wallets: pl.DataFrame = NO_WALLETS,
) -> filed.FiledBook:
    """Jane's book with closing lots as filed, by year; nothing is lost or made up in any run of it."""
    moved = rows if isinstance(rows, pl.DataFrame) else movements(rows)
    pooled = {"jane"} if universal else set()
    given_to = frame(Allocations2025) if allocations is None else allocations

    def engine(some: pl.DataFrame, opened: pl.DataFrame, years: tuple[int, int]) -> lots.LotBook:
        return lots.run(some, opened, pooled, given_to, wallets, years)

    book = filed.run(
        engine,
        moved,
        lots.no_opening() if opening is None else opening,
        frame(Lots) if earlier is None else earlier,
        people(*stated),
        as_filed(stated),
        filed.Setting(pooled, wallets, NEW_YORK),
        (first, last),
    )
    assert book.balance["holds"].all()
    return book


def people(*years: int) -> pl.DataFrame:
    return frame(FiledPeople, *({"tax_year": year} for year in years), taxpayer_id="jane", return_id="jane", version=1, lots_from="firm")  # fmt: skip


def as_filed(stated: dict[int, list[dict[str, Any]]]) -> pl.DataFrame:
    rows = [{"tax_year": year} | lot for year, some in stated.items() for lot in some]
    return frame(FiledClosingLots, *rows, taxpayer_id="jane", account_id="a", asset="BTC")


def lot(acquired_at: str, quantity: int | str, basis: int | str | None, **cells: Any) -> dict[str, Any]:
    return {"acquired_at": f"{acquired_at}T12:00:00", "quantity": quantity, "basis": basis} | cells


def sold(book: filed.FiledBook, year: int, *columns: str) -> list[tuple[Any, ...]]:
    rows = book.book.gains.filter(tax_year=year).select(columns or ("basis", "gain", "term")).iter_rows()
    return [tuple(map(plain, cells)) for cells in rows]


# --- the book ---------------------------------------------------------------------------------------------------------

STORY = [
    row("acquire", "2021-01-15", 1, 1200, e="late"),
    row("acquire", "2022-03-01", 1, 3000, e="b1"),
    row("acquire", "2023-02-01", 1, 1600, e="b2"),
    row("dispose", "2023-06-01", 1, 1800, e="s1"),
    row("dispose", "2026-02-02", 1, 2500, e="s2"),
]
"""The purchase of 2021 came to light after the return of 2023 was filed: the sale was taken from the lot of 2022."""


def test_the_year_after_a_filed_year_opens_from_the_filed_lots_and_the_filed_year_is_recomputed() -> None:
    book = stand(STORY, {2023: [lot("2023-02-01", 1, 1600)]})
    assert sold(book, 2023) == [("1200", "600", "long")], "in shadow: the lot of 2021 goes first"
    assert sold(book, 2026) == [("1600", "900", "long")], "as filed only the lot of 2023 is left"
    assert sold(stand(STORY, {}), 2026) == [("3000", "-500", "long")], "without the filing the lot of 2022 would go"
    assert book.book.closing_lots.filter(pl.col("tax_year") >= 2024)["lot_id"].unique().to_list() == ["b2:received"]


def test_a_filed_lot_that_is_a_computed_one_keeps_its_id_so_that_it_is_traced() -> None:
    book = stand(STORY, {2023: [lot("2023-02-01", 1, 1600)]})
    assert sold(book, 2026, "lot_id") == [("b2:received",)]


def test_a_filed_lot_with_other_amounts_has_an_id_of_its_own_and_the_acquisition_of_the_computed_one() -> None:
    book = stand(STORY, {2023: [lot("2023-02-01", "0.5", 900)]})
    ((lot_id, basis),) = sold(book, 2026, "lot_id", "basis")[:1]
    assert lot_id.startswith("filed-")
    assert basis == "900"
    made = book.book.lots.filter(lot_id=lot_id).to_dicts()[0]
    assert (made["acquisition_event_id"], plain(made["quantity"]), made["tax_year"]) == ("b2", "0.5", 2024)
    # half a coin is sold that the filing does not have
    assert [plain(q) for q in book.book.faults.filter(fault="shortfall")["quantity"]] == ["0.5"]


def test_a_lot_that_only_the_filing_knows_has_the_calendar_of_the_taxpayer() -> None:
    # 03:00 in London is still 4 March in New York; long-term from 5 March 2025 on (Rev. Rul. 66-7).
    only = {"acquired_at": "2024-03-05T03:00:00", "quantity": 1, "basis": 700}
    book = stand([row("dispose", "2025-03-05", 1, 1000)], {2024: [only]})
    assert sold(book, 2025) == [("700", "300", "long")]
    assert sold(book, 2025, "origin") == [("filed",)]


def test_a_filed_year_without_a_lot_opens_the_next_one_empty() -> None:
    book = stand(STORY, {2023: []})
    assert sold(book, 2026, "basis", "basis_status") == [(None, "unknown")]


def test_a_filed_basis_that_is_unknown_stays_unknown() -> None:
    book = stand(STORY, {2023: [lot("2023-02-01", 1, None)]})
    assert sold(book, 2026, "gain", "basis_status") == [(None, "unknown")]


def test_the_last_filed_year_counts_and_the_earlier_one_stays_in_shadow() -> None:
    first = {2023: [lot("2023-02-01", 1, 1600)]}
    assert sold(stand(STORY, first | {2024: [lot("2022-03-01", 1, 3000)]}), 2026) == [("3000", "-500", "long")]


def test_a_gift_keeps_its_basis_for_loss_in_proportion() -> None:
    # IRC 1015(a): for 2 units basis 100, value at the gift 60; as filed 1 unit is left with basis 50: for loss 30.
    gift = row("acquire", "2022-03-01", 2, 100, loss_amount=60, origin="gift")
    book = stand([gift, row("dispose", "2024-06-01", 1, 20)], {2023: [lot("2022-03-01", 1, 50)]})
    assert sold(book, 2024, "basis", "gain") == [("30", "-10")]


def test_what_is_under_way_or_outside_at_the_year_end_is_in_no_filing_and_stays() -> None:
    rows = [
        row("acquire", "2022-03-01", 3, 300),
        row("depart", "2023-12-31", 1, link="t"),
        row("outside", "2023-12-31", 1),
        row("arrive", "2024-01-02", 1, link="t", account_id="b"),
        row("dispose", "2024-05-01", 1, 500, account_id="b"),
    ]
    book = stand(rows, {2023: [lot("2022-03-01", 1, 90)]})
    assert sold(book, 2024) == [("100", "400", "long")]
    assert sorted(book.book.closing_lots.filter(tax_year=2024)["location"]) == ["account", "outside"]


def test_the_pool_of_a_universal_client_goes_on_from_the_filed_lots() -> None:
    # Two filed lots of one date; the one in b is of the earlier event: a sale from a takes it, for the pool is one.
    rows = [
        row("acquire", "2021-01-15", 1, 1200),
        row("acquire", "2022-03-01", 1, 3000, account_id="b"),
        row("dispose", "2024-06-01", 1, 1800),
    ]
    book = stand(rows, {2023: [lot("2022-03-01", 1, 3000), lot("2022-03-01", 1, 2000, account_id="b")]}, universal=True)
    assert sold(book, 2024, "basis") == [("2000",)]
    assert set(book.book.closing_lots.filter(tax_year=2024)["pool"]) == {"universal"}
    assert set(book.book.closing_lots.filter(tax_year=2025)["pool"]) == {"b"}


def test_filed_lots_of_2024_are_the_pool_that_the_allocation_splits() -> None:
    # Rev. Proc. 2024-28: the filed lots say where the units are; without an allocation they are unallocated.
    rows = [row("acquire", "2021-01-15", 2, 1200), row("dispose", "2025-06-01", 1, 1800, account_id="b", wallet="b")]
    stated = {2024: [lot("2021-01-15", 1, 600), lot("2021-01-15", 1, 500, account_id="b")]}
    book = stand(rows, stated, universal=True)
    assert sold(book, 2025, "basis_status") == [("unallocated",)]
    assert book.book.faults.filter(fault="universal_unallocated").height == 1


def test_each_run_of_a_book_is_balanced_by_itself() -> None:
    book = stand(STORY, {2023: [lot("2023-02-01", 1, 1600)]})
    assert book.balance["segment"].to_list() == ["events", "filed 2023"]
    assert stand(STORY, {}).balance["segment"].to_list() == ["events"]


def closing_as_filed(book: lots.LotBook, year: int) -> dict[int, list[dict[str, Any]]]:
    rows = book.closing_lots.filter(tax_year=year, location="account")
    return {year: rows.select("account_id", "asset", "acquired_at", "quantity", "basis").to_dicts()}


TABLE = pl.DataFrame(
    {"account_id": list(ACCOUNTS), "wallet": [WALLETS[a] for a in ACCOUNTS]}
).with_columns(treatment=pl.lit("taxable"))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(2022, 2025), st.booleans())
def test_closing_lots_filed_as_they_are_change_nothing(rows: list[dict[str, Any]], year: int, universal: bool) -> None:
    moved = movements(rows)
    plain_book = stand(moved, {}, universal, wallets=TABLE).book
    stood = stand(moved, closing_as_filed(plain_book, year), universal, wallets=TABLE)
    for name, found in stood.book._asdict().items():
        assert_frame_equal(found, getattr(plain_book, name))
    assert stood.balance["segment"].unique().to_list() in ([], ["events"])


@settings(max_examples=80, deadline=None)
@given(histories(), st.integers(2023, 2025), st.data())
def test_after_a_filed_year_the_book_is_that_of_a_client_who_bought_the_filed_lots(
    rows: list[dict[str, Any]], year: int, data: st.DataObject
) -> None:
    """The slow reference: a history of nothing but those lots, bought on their dates, then what came after."""
    moved = movements(rows)
    whole = stand(moved, {}, wallets=TABLE).book
    ends = whole.closing_lots.filter(tax_year=year)
    assume(ends.height and set(ends["location"]) == {"account"})
    stated = closing_as_filed(whole, year)
    changed = data.draw(st.integers(0, len(stated[year]) - 1))
    stated[year][changed]["basis"] = data.draw(st.sampled_from([None, 1, 12]))
    if data.draw(st.booleans()):
        stated[year].pop()
    stood = stand(moved, stated, wallets=TABLE).book
    begun = opened(whole, stated, year)
    other = lots.run(
        pl.concat([begun, moved.filter(pl.col("tax_year") > year)]), lots.no_opening(), set(), frame(Allocations2025),
        TABLE, (2009, 2026),
    )  # fmt: skip
    columns = ["disposal_id", "acquired_at", "quantity", "proceeds", "basis", "gain", "term"]
    both = [book.gains.filter(pl.col("tax_year") > year).select(columns).sort(pl.all()) for book in (stood, other)]
    assert_frame_equal(*both)


def opened(whole: lots.LotBook, stated: dict[int, list[dict[str, Any]]], year: int) -> pl.DataFrame:
    """Acquisitions on the last day of the year, named and dated as the lots that the filing states."""
    slots, made = filed.filed_slots(
        whole.closing_lots.filter(tax_year=year), as_filed(stated), whole.lots, filed.Setting(set(), TABLE, NEW_YORK)
    )
    slots = lots.opening_slots(slots, pl.concat([whole.lots, made]), year)
    # a lot of a wallet may be laid out over several of its accounts
    slots = slots.group_by("lot_id", "pool", maintain_order=True).agg(
        pl.col("quantity", "basis").sum(), pl.all().exclude("lot_id", "pool", "quantity", "basis").first()
    )
    slots = slots.with_columns(basis=pl.when(pl.col("basis_status") != "unknown").then("basis"))
    begun = movements([row("acquire", f"{year}-12-31", 1, 1, e=f"o{n}") for n in range(slots.height)])
    taken = ["account_id", "asset", "quantity", "acquired_at", "date_acquired", "long_term_from", "basis_status"]
    return begun.with_columns(
        *(slots[name] for name in taken),
        movement_id=slots["lot_id"],
        event_id=slots["acquisition_event_id"],
        wallet=slots["pool"],
        amount=slots["basis"],
        sequence=pl.int_range(-slots.height, 0),
    ).select(begun.columns)


# --- which filing counts ----------------------------------------------------------------------------------------------

MEMBERS = frame(
    ReturnMembers,
    *(
        {"return_id": who, "tax_year": year, "taxpayer_id": who, "role": "primary"}
        for who in ("ann", "bob")
        for year in range(2021, 2027)
    ),
)


def kept(lines: pl.DataFrame | None = None, some: pl.DataFrame | None = None, *found: tuple[Any, ...]) -> filed.Kept:
    return filed.Kept(
        frame(FiledLines) if lines is None else lines,
        frame(FiledLots) if some is None else some,
        pl.DataFrame(list(found), schema=FOUND, orient="row"),
    )


def year(return_id: str, tax_year: int, version: int = 1, filed_at: str = "2026-04-01T12:00:00") -> dict[str, Any]:
    return {"return_id": return_id, "tax_year": tax_year, "version": version, "filed_at": filed_at}


def records(years: list[dict[str, Any]], lines: list[dict[str, Any]], some: list[dict[str, Any]], of: filed.Kept | None = None) -> filed.Records:  # fmt: skip
    return filed.records(
        frame(FiledYears, *years),
        frame(FiledLines, *lines, form="Schedule D", line="16", amount=-1, version=1),
        frame(FiledLots, *some, account_id="a", asset="BTC", acquired_at="2022-01-01T12:00:00", quantity=1),
        of or kept(),
        MEMBERS,
    )


def asked(found: filed.Records) -> list[tuple[str, str, int]]:
    rows = pl.concat(found.questions).select("question", "taxpayer_id", "tax_year").iter_rows()
    return sorted(rows)


def test_the_highest_version_counts_with_its_own_lines_and_lots() -> None:
    found = records(
        [year("ann", 2023), year("ann", 2023, 2)],
        [{"return_id": "ann", "tax_year": 2023}, {"return_id": "ann", "tax_year": 2023, "version": 2, "amount": -2}],
        [{"taxpayer_id": "ann", "tax_year": 2023, "version": v, "basis": b} for v, b in ((1, 10), (2, 20), (None, 30))],
    )
    assert found.returns["version"].to_list() == [2]
    assert [plain(a) for a in found.lines["amount"]] == ["-2"]
    assert [plain(b) for b in found.lots["basis"]] == ["20", "30"], "a lot without a version is of any"


def test_the_firm_s_word_goes_before_the_record_s() -> None:
    lines = frame(FiledLines, {"return_id": "ann", "tax_year": 2023, "version": 1, "form": "Schedule D", "line": "16", "amount": -9})  # fmt: skip
    record = kept(lines, None, ("ann", 2023, 1, "lines"), ("ann", 2023, 1, "lots"))
    stated = records([year("ann", 2023)], [{"return_id": "ann", "tax_year": 2023}], [], record)
    assert [plain(a) for a in stated.lines["amount"]] == ["-1"]
    assert (stated.returns["lines_from"].item(), stated.people["lots_from"].item()) == ("firm", "record")
    alone = records([year("ann", 2023)], [], [], record)
    assert [(plain(a), w) for a, w in alone.lines.select("amount", "whole").iter_rows()] == [("-9", True)]
    other = records([year("ann", 2023), year("ann", 2023, 2)], [], [], record)
    assert other.returns["lines_from"].to_list() == [None], "a record is of its own version"


@pytest.mark.parametrize(
    ("years", "lines", "some", "expected"),
    [
        ([], [{"return_id": "ann", "tax_year": 2023}], [], [("filed_lines_without_year", "ann", 2023)]),
        (
            [year("ann", 2023)],
            [{"return_id": "ann", "tax_year": 2023, "version": 2}],
            [],
            [("filed_lines_without_year", "ann", 2023)],
        ),
        ([], [], [{"taxpayer_id": "ann", "tax_year": 2023}], [("filed_lots_without_year", "ann", 2023)]),
        ([year("ann", 2026, filed_at="2026-06-01T12:00:00")], [], [], [("filed_before_year_end", "ann", 2026)]),
        ([year("ann", 2022), year("ann", 2024)], [], [], [("filed_gap", "ann", 2023)]),
        ([year("ann", 2022), year("ann", 2023), year("bob", 2025)], [], [], []),
    ],
)
def test_what_does_not_fit_is_asked(years: Any, lines: Any, some: Any, expected: Any) -> None:
    assert asked(records(years, lines, some)) == expected


def test_a_backfill_sees_what_its_years_rest_on() -> None:
    """Lots of a filed year move the books after it, lines those of the year and after it; a record is no change."""
    lots_of_2023 = as_filed({2023: [lot("2023-02-01", 1, 1600)]})
    bare = people(2023).with_columns(lots_from=pl.lit(None, pl.String))
    record = people(2023).with_columns(lots_from=pl.lit("record"))
    lines = frame(filed.FiledFormLines, {"return_id": "jane", "tax_year": 2024, "form": "f", "line": "1", "amount": 1, "whole": False})  # fmt: skip

    def of(
        who: pl.DataFrame, some: pl.DataFrame = lots_of_2023, said: pl.DataFrame | None = None
    ) -> set[tuple[Any, ...]]:
        none = frame(filed.FiledFormLines) if said is None else said
        return set(filed.digests(who, some, none, range(2022, 2027)).select("tax_year", "part", "digest").iter_rows())

    assert {year for year, *_ in of(people(2023))} == {2024, 2025, 2026}
    assert of(people(2023)) != of(people(2023), as_filed({2023: [lot("2023-02-01", 1, 1700)]}))
    assert of(bare, frame(FiledClosingLots)) == of(record)
    assert {(y, p) for y, p, _ in of(people(2023, 2025))} == {(2026, "lots"), (2024, "shadow"), (2025, "shadow")}
    both = people(2023, 2024)
    assert {y for y, p, _ in of(both, said=lines) if p == "lines"} == {2024, 2025, 2026}
