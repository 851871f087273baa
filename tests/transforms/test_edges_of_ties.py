"""Books of taxpayers whom transfers tie, and what once broke a night: each test stands for a fault that a reader found."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.filed import FiledClosingLots, FiledPeople
from schemas.inputs import Allocations2025
from schemas.tax import Lots
from tests.transforms.frames import frame
from tests.transforms.test_filed import NEW_YORK
from tests.transforms.test_lots import NO_WALLETS, allocation, movements, row, run
from transforms import filed, lots
from transforms.lots import program

NEW_YEAR = [
    row("acquire", "2021-01-15", 1, 1000, e="A1", taxpayer_id="anna", account_id="a"),
    row("depart", "2022-12-31T23:30:00", 1, e="out", taxpayer_id="anna", account_id="a", link="t"),
    row("arrive", "2023-01-01T00:30:00", 1, e="in", taxpayer_id="bob", account_id="b", link="t"),
    row("dispose", "2025-06-01", 1, 5000, e="S", taxpayer_id="bob", account_id="b"),
]


def filed_book(rows: list[dict[str, Any]], stated: dict[tuple[str, int], int]) -> filed.FiledBook:
    """The book where people filed closing lots: (taxpayer, year) to the basis of the one lot of 2021-01-15."""
    people = [{"taxpayer_id": who, "return_id": who, "tax_year": year, "version": 1, "lots_from": "firm"}
              for who, year in stated]  # fmt: skip
    held = [{"taxpayer_id": who, "account_id": who[0], "tax_year": year, "acquired_at": "2021-01-15T12:00:00",
             "quantity": 1, "basis": basis} for (who, year), basis in stated.items()]  # fmt: skip

    def engine(some: pl.DataFrame, opened: pl.DataFrame, years: tuple[int, int]) -> lots.LotBook:
        return lots.run(some, opened, set(), frame(Allocations2025), NO_WALLETS, years)

    setting = filed.Setting(set(), NO_WALLETS, NEW_YORK)
    return filed.run(
        engine, movements(rows), lots.no_opening(), frame(Lots), frame(FiledPeople, *people),
        frame(FiledClosingLots, *held, asset="BTC"), setting, (2009, 2026),
    )  # fmt: skip


def test_a_spouse_s_own_filing_stands_though_the_other_s_was_run_again() -> None:
    # Anna filed 2022 at 100, her coin went to Bob in 2023, Bob filed 2024 at 1,000: his filed lot is what he sells
    rows = [NEW_YEAR[0], row("depart", "2023-03-01", 1, e="out", taxpayer_id="anna", account_id="a", link="t"),
            row("arrive", "2023-03-02", 1, e="in", taxpayer_id="bob", account_id="b", link="t"), NEW_YEAR[3]]  # fmt: skip
    done = filed_book(rows, {("anna", 2022): 100, ("bob", 2024): 1000})
    assert done.book.gains.select("basis", "gain").rows() == [(1000, 4000)]
    assert done.balance["holds"].all()


def test_a_transfer_under_way_at_the_end_of_a_filed_year_arrives_once() -> None:
    done = filed_book(NEW_YEAR, {("anna", 2022): 7})
    (piece,) = done.book.gains.select("taxpayer_id", "lot_id", "basis").rows()
    assert piece == ("bob", "A1:received", 1000)  # under way: as computed, IRC 1041(b)
    assert done.book.closing_lots.filter(tax_year=2026)["lot_id"].to_list() != ["A1:received"]


def test_what_left_for_a_spouse_before_the_range_is_conserved_in_it() -> None:
    moved = movements(NEW_YEAR)
    whole = run(moved)
    opening = lots.opening_slots(whole.closing_lots, whole.lots, 2022)
    later = lots.run(moved, opening, set(), frame(Allocations2025), NO_WALLETS, (2023, 2026))
    within = moved.filter(pl.col("tax_year") >= 2023)
    assert lots.conservation(within, opening, later, 2026, moved)["holds"].to_list() == [True, True]


def test_moves_between_taxpayers_are_never_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "MOVES_AT_LEAST", 0)
    monkeypatch.setattr(program, "MOVES_A_ROW", 0)
    book = run(NEW_YEAR)  # `run` asserts conservation
    assert book.lot_moves.height == 1


def test_a_transfer_to_a_spouse_ends_the_time_for_a_specific_allocation() -> None:
    """Rev. Proc. 2024-28 s. 5.02(4): before the first sale, disposition or transfer (s. 3.11: to another taxpayer)."""
    rows = [
        row("acquire", "2020-01-01", 1, 10),
        row("acquire", "2020-02-01", 1, 90, account_id="b"),
        row("depart", "2025-05-10", 1, link="t"),
        row("arrive", "2025-05-11", 1, link="t", taxpayer_id="bob", account_id="c"),
    ]
    given = allocation(("b", "2020-01-01", 1, 10), ("a", "2020-02-01", 1, 90))
    made = [f"2025-{month}-01T00:00:00" for month in ("04", "09")]
    done = [given.with_columns(completed_at=pl.lit(at).str.to_datetime(time_zone="UTC", time_unit="us")) for at in made]
    splits = [run(rows, universal=True, allocations=one).splits["status"].unique().to_list() for one in done]
    assert splits == [["allocated"], ["unallocated"]]


def test_a_migration_of_dust_alone_stops_nobody() -> None:
    tiny = Decimal("0.000000000000000001")
    book = run([
        row("acquire", "2024-01-01", str(tiny), 5, asset="OLD"),
        row("convert_out", "2024-02-01", 1000, asset="OLD", link="m"),
        row("convert_in", "2024-02-01", 1, asset="NEW", link="m", e="mig"),
    ])  # fmt: skip
    assert book.faults.filter(fault="lot_book_failed").is_empty()
    held = book.closing_lots.filter(tax_year=2026, asset="NEW")
    assert held["quantity"].sum() == 1
    assert held.select("quantity", "basis").rows()[-1] == (tiny, 5) or held.select("quantity", "basis").rows()[0] == (
        tiny,
        5,
    )


def test_a_row_without_what_it_needs_never_reaches_compiled_code() -> None:
    with pytest.raises(IndexError, match=r"row\.link"):
        run([row("acquire", "2024-01-01", 1, 5), row("depart", "2024-02-01", 1, link=None)])


def test_a_gift_s_value_counts_for_a_loss_only_where_it_is_below_the_basis() -> None:
    """IRC 1015(a): an allocation of basis 10 to a gift with a loss basis of 60 leaves 10 for both."""
    rows = [
        row("acquire", "2020-01-01", 1, 100, loss_amount=60, origin="gift"),
        row("acquire", "2020-01-01", 1, 10, account_id="b"),
        row("dispose", "2025-03-01", 1, 5),
    ]
    given = allocation(("a", "2020-01-01", 1, 10), ("b", "2020-01-01", 1, 100))
    sold = run(rows, universal=True, allocations=given).gains.select("basis", "gain").rows()
    assert sold == [(10, -5)]
