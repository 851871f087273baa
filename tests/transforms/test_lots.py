from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import gate
from schemas.inputs import Allocations2025
from schemas.ledger import Movements, Picks
from schemas.tax import ClosingLots, LotMoves, Lots
from tests.transforms import naive_lots
from tests.transforms.frames import frame
from transforms import lots
from transforms.holding import long_term_from

NO_WALLETS = pl.DataFrame(schema={"account_id": pl.String, "wallet": pl.String, "treatment": pl.String})


def row(movement: str, at: str, quantity: int | str, amount: int | str | None = None, **cells: Any) -> dict[str, Any]:
    """A movement; its event is named by `e`, its leg by the direction."""
    leg = cells.pop("leg", "received" if movement in ("acquire", "arrive", "convert_in") else "sent")
    return {"movement": movement, "occurred_at": at, "quantity": quantity, "amount": amount, "leg": leg} | cells


def movements(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows in the order of the book; account `a`, asset BTC and taxpayer jane unless they say otherwise."""
    filled = []
    for n, given_row in enumerate(rows):
        cells = {"taxpayer_id": "jane", "account_id": "a", "asset": "BTC", "e": f"e{n:03d}", "sequence": n} | given_row
        cells |= {"event_id": cells["e"], "movement_id": f"{cells['e']}:{cells['leg']}"}
        at = cells["occurred_at"]
        cells["occurred_at"] = at if isinstance(at, str) and "T" in at else f"{at}T12:00:00"
        cells |= {"tax_date": cells["occurred_at"][:10], "tax_year": int(cells["occurred_at"][:4])}
        cells.setdefault("wallet", cells["account_id"])
        if cells["movement"] == "dispose":
            cells.setdefault("disposal_kind", "sell")
        filled.append(cells)
    return frame(Movements, *filled)


def picks(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The picks of rows that name them: `picks` is a list of (lot, units or None)."""
    given = [
        {
            "movement_id": f"{cells.get('e', f'e{n:03d}')}:{cells['leg']}",
            "place": place,
            "lot_id": lot,
            "quantity": most,
        }
        for n, cells in enumerate(rows)
        for place, (lot, most) in enumerate(cells.get("picks", ()))
    ]
    return frame(Picks, *given, taxpayer_id="jane", lot_method="specific")


def run(
    rows: list[dict[str, Any]] | pl.DataFrame,
    last: int = 2026,
    first: int = 2009,
    universal: bool = False,
    allocations: pl.DataFrame | None = None,
    opening: pl.DataFrame | None = None,
    wallets: pl.DataFrame = NO_WALLETS,
    picked: pl.DataFrame | None = None,
) -> lots.LotBook:
    moved = rows if isinstance(rows, pl.DataFrame) else movements(rows)
    opening = lots.no_opening() if opening is None else opening
    allocations = frame(Allocations2025) if allocations is None else allocations
    if picked is None:
        picked = lots.NO_PICKS if isinstance(rows, pl.DataFrame) else picks(rows)
    pooled = {"jane"} if universal else set()
    book = lots.run(moved, opening, pooled, allocations, wallets, (first, last), picks=picked)
    in_range = moved.filter(pl.col("tax_year").is_between(first, last))
    assert lots.conservation(in_range, opening, book, last)["holds"].all()
    return book


def pieces(book: lots.LotBook, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(map(plain, cells)) for cells in book.gains.select(columns).iter_rows()]


def plain(value: Any) -> Any:
    """Decimals as short text, for tables that read like the law's."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def held(book: lots.LotBook, year: int, *columns: str) -> list[tuple[Any, ...]]:
    rows = book.closing_lots.filter(tax_year=year).select(columns).iter_rows()
    return sorted(tuple(map(plain, cells)) for cells in rows)


# --- the worked examples of the law --------------------------------------------------------------------------------


def test_e2_1_part_of_a_lot_takes_its_share_of_cost_and_fee() -> None:
    # Buy 1 BTC for 60,000 and 120 fee; sell 0.4 at 65,000 with 52 fee: 25,948 - 24,048 = 1,900; 0.6 stays at 36,072.
    book = run([row("acquire", "2025-03-01", 1, 60120), row("dispose", "2025-05-01", "0.4", 25948)])
    assert pieces(book, "proceeds", "basis", "gain", "term") == [("25948", "24048", "1900", "short")]
    assert held(book, 2025, "quantity", "basis", "basis_status") == [("0.6", "36072", "known")]


def test_e2_3_each_disposal_bears_its_own_cost() -> None:
    # 10 A for 20 B, 2 C of fee and 1 C for disposing of C: A 18 - 5 = 13; C 2 - 1.50 = 0.50 (Reg. 1.1001-7(b)(5))
    book = run(
        [
            row("acquire", "2025-01-10", 10, 5, asset="A"),
            row("acquire", "2025-01-10", 3, "1.5", asset="C"),
            row("acquire", "2025-02-10", 20, 20, asset="B", e="swap"),
            row("dispose", "2025-02-10", 10, 18, asset="A", e="swap", disposal_kind="trade"),
            row("dispose", "2025-02-10", 3, 2, asset="C", e="swap", leg="fee", disposal_kind="fee"),
        ]
    )
    assert pieces(book, "disposal_id", "gain") == [("swap:sent", "13"), ("swap:fee", "0.5")]
    assert held(book, 2025, "asset", "basis") == [("B", "20")]


def test_e2_5_a_fee_withheld_from_the_units_received_comes_from_those_very_units() -> None:
    # 10 AB received at 20, 1 withheld: its basis is its value, gain 0, though older AB would go first under FIFO.
    book = run(
        [
            row("acquire", "2024-01-10", 5, 1, asset="AB"),
            row("acquire", "2025-02-10", 10, 20, asset="AB", e="swap"),
            row("dispose", "2025-02-10", 1, 2, asset="AB", e="swap", leg="fee", disposal_kind="fee",
                picks=[("swap:received", None)]),
        ]
    )  # fmt: skip
    assert pieces(book, "lot_id", "gain") == [("swap:received", "0")]
    assert held(book, 2025, "lot_id", "quantity", "basis") == [
        ("e000:received", "5", "1"),
        ("swap:received", "9", "18"),
    ]


@pytest.mark.parametrize(
    ("proceeds", "basis", "gain", "term"),
    [
        (12000, "10000", "2000", "long"),  # the donor's period tacks
        (5000, "6000", "-1000", "short"),  # basis is the value at the gift; period from the day after it
        (8000, "8000", "0", "long"),  # between the two neither gain nor loss
    ],
)
def test_e2_7_a_gift_has_one_basis_for_gain_and_one_for_loss(proceeds: int, basis: str, gain: str, term: str) -> None:
    gift = row("acquire", "2025-03-01", 1, 10000, loss_amount=6000, origin="gift", acquired_at="2020-01-01T00:00:00",
               date_acquired="2020-01-01", long_term_from="2021-01-02", loss_long_term_from="2026-03-02")  # fmt: skip
    book = run([gift, row("dispose", "2025-09-01", 1, proceeds)])
    assert pieces(book, "proceeds", "basis", "gain", "term") == [(str(proceeds), basis, gain, term)]


def test_e2_7_in_parts_both_bases_are_used_up_side_by_side() -> None:
    gift = row("acquire", "2025-03-01", 3, 100, loss_amount=50, origin="gift")
    book = run([gift, row("dispose", "2025-04-01", 1, 10), row("dispose", "2025-04-02", 1, 90)])
    # thirds of 50 and of 100, to the micro-dollar: loss 10 - 16.666667; gain 90 - 33.333334 (the second third)
    assert pieces(book, "gain") == [("-6.666667",), ("56.666666",)]
    assert held(book, 2025, "basis", "loss_basis") == [("33.333333", "16.666667")]


def test_e2_8_the_fee_of_an_own_transfer_is_sold_and_the_rest_keeps_basis_and_date() -> None:
    # 10 units at 100 in one lot; 1 pays the move at a price of 150: gain 50; 9 arrive with 900 and the old date.
    book = run(
        [
            row("acquire", "2023-05-01", 10, 1000),
            row("depart", "2025-06-01", 9, e="out", link="t1"),
            row("dispose", "2025-06-01", 1, 150, e="out", leg="fee", disposal_kind="fee"),
            row("arrive", "2025-06-02", 9, account_id="b", e="in", link="t1"),
        ]
    )
    assert pieces(book, "proceeds", "basis", "gain", "term", "account_id") == [("150", "100", "50", "long", "a")]
    date = dt.date(2023, 5, 1)
    assert held(book, 2025, "account_id", "quantity", "basis", "date_acquired") == [("b", "9", "900", date)]
    move = book.lot_moves.select("lot_id", "transfer_id", "from_account_id", "to_account_id").row(0)
    assert move == ("e000:received", "t1", "a", "b")


DE = [  # Reg. 1.1012-1(j)(5) Examples 3 and 4
    row("acquire", "2023-08-01", 10, 90, account_id="CRX", e="crx"),
    row("acquire", "2024-01-01", 20, 100, account_id="BEX", e="bex"),
    row("depart", "2025-08-01", 10, account_id="CRX", link="t"),
    row("arrive", "2025-08-01", 10, account_id="BEX", link="t"),
]


@pytest.mark.parametrize(
    ("choice", "lot", "basis", "gain"),
    [({}, "crx:received", "90", "10"), ({"picks": [("bex:received", 10)]}, "bex:received", "50", "50")],
)
def test_e2_9_fifo_goes_by_the_first_acquisition_not_by_the_move(
    choice: dict[str, Any], lot: str, basis: str, gain: str
) -> None:
    book = run([*DE, row("dispose", "2025-09-01", 10, 100, account_id="BEX", **choice)])
    assert pieces(book, "lot_id", "basis", "gain") == [(lot, basis, gain)]


# E2.10 (Rev. Proc. 2024-28 Example 2): 10 at $1 in XYZ, 20 at $5 in GHI; 6 sold from XYZ with GHI's basis.
REV_PROC = [
    row("acquire", "2019-01-01", 10, 10, account_id="XYZ", e="one"),
    row("acquire", "2020-01-01", 20, 100, account_id="GHI", e="five"),
    row("dispose", "2024-06-01", 6, 60, account_id="XYZ", lot_method="hifo"),
]


def allocation(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    cells = [
        {"account_id": account, "acquired_at": f"{day}T12:00:00", "quantity": units, "basis": basis}
        for account, day, units, basis in rows
    ]
    in_time = {"kind": "specific", "completed_at": "2024-12-30T15:00:00"}
    return frame(Allocations2025, *cells, taxpayer_id="jane", asset="BTC", **in_time)


def test_e2_10_the_universal_pool_sells_any_wallets_basis_while_units_stay_where_they_are() -> None:
    book = run(REV_PROC, last=2024, universal=True)
    assert pieces(book, "account_id", "lot_id", "basis", "gain") == [("XYZ", "five:received", "30", "30")]
    # 4 units lie in XYZ, 20 in GHI; which basis lies where is open, so the closing lots are laid out by account
    by_account = book.closing_lots.filter(tax_year=2024).group_by("account_id").agg(pl.col("quantity").sum())
    assert dict(by_account.iter_rows()) == {"XYZ": Decimal(4), "GHI": Decimal(20)}
    assert set(book.closing_lots["pool"]) == {"universal"}


def test_e2_10_a_valid_allocation_splits_the_unused_80() -> None:
    book = run(REV_PROC, universal=True, allocations=ALLOCATED)
    expected = [("GHI", "one:received", "10", "10", "known"), ("GHI", "five:received", "10", "50", "known"),
                ("XYZ", "five:received", "4", "20", "known")]  # fmt: skip
    assert held(book, 2025, "pool", "lot_id", "quantity", "basis", "basis_status") == sorted(expected)
    assert book.faults.is_empty()
    assert set(book.lot_moves["transfer_id"]) == {"allocation-2025"}


ALLOCATED = allocation(("XYZ", "2020-01-01", 4, 20), ("GHI", "2019-01-01", 10, 10), ("GHI", "2020-01-01", 10, 50))
INVALID = {
    "none": allocation(),
    "units by account": allocation(("XYZ", "2019-01-01", 5, 5), ("GHI", "2019-01-01", 5, 5), ("GHI", "2020-01-01", 14, 70)),
    "104 instead of 80": allocation(("XYZ", "2019-01-01", 4, 4), ("GHI", "2019-01-01", 6, 6), ("GHI", "2020-01-01", 14, 94)),
    "another date": allocation(("XYZ", "2018-01-01", 4, 4), ("GHI", "2019-01-01", 6, 6), ("GHI", "2020-01-01", 14, 70)),
    "used basis again": allocation(("XYZ", "2019-01-01", 4, 4), ("GHI", "2020-01-01", 20, 100)),
}  # fmt: skip


@pytest.mark.parametrize("why", INVALID)
def test_e2_10_without_a_valid_allocation_80_enters_2025_unallocated_never_104(why: str) -> None:
    book = run(REV_PROC, universal=True, allocations=INVALID[why])
    # wallets in the order of their ids, lots in FIFO order: GHI takes the 10 at $1 and 10 at $5, XYZ 4 at $5
    expected = [("GHI", "one:received", "10", "10"), ("GHI", "five:received", "10", "50"),
                ("XYZ", "five:received", "4", "20")]  # fmt: skip
    assert held(book, 2025, "pool", "lot_id", "quantity", "basis") == sorted(expected)
    assert held(book, 2025, "basis_status") == [("unallocated",)] * 3
    assert book.faults.select("fault", "asset", "dollars_at_stake").rows() == [
        ("universal_unallocated", "BTC", Decimal(80))
    ]


SALE = row("dispose", "2025-06-02", 1, 50, account_id="GHI")


@pytest.mark.parametrize(
    ("stamps", "reason"),
    [
        # specific: before the earlier of the first sale and the due date, 2026-10-15 (s. 5.02(4))
        ({"completed_at": "2025-06-02T11:59:59"}, None),
        ({"completed_at": "2025-06-02T12:00:00"}, "the allocation was completed after the first sale since 2025"),
        ({"completed_at": "2026-11-01T00:00:00"}, "the allocation was completed after the first sale since 2025"),
        ({"completed_at": None}, "the allocation has no completed_at"),
        # global: the rule before 2025, completed before the later of the two (s. 5.02(5))
        ({"kind": "global", "rule_recorded_at": "2024-12-31T23:59:59", "completed_at": "2026-10-14T23:00:00"}, None),
        ({"kind": "global", "rule_recorded_at": "2024-12-31T23:59:59", "completed_at": "2026-10-15T00:00:00"},
         "the global allocation was completed after both its dates"),
        ({"kind": "global", "rule_recorded_at": "2025-01-01T00:00:00"}, "the global rule was not recorded before 2025"),
        ({"kind": "global"}, "the global allocation has no rule_recorded_at"),
        ({"kind": "global", "rule_recorded_at": "2024-12-01T00:00:00", "completed_at": None},
         "the allocation has no completed_at"),
    ],
)  # fmt: skip
def test_an_allocation_out_of_time_does_not_count(stamps: dict[str, str | None], reason: str | None) -> None:
    given_in_time = {"kind": "specific", "completed_at": "2024-12-30T15:00:00"}
    rows = frame(
        Allocations2025,
        *ALLOCATED.drop("kind", "completed_at", "rule_recorded_at").to_dicts(),
        **given_in_time | stamps,
    )
    book = run([*REV_PROC, SALE], universal=True, allocations=rows)
    assert book.faults.select("fault", "reason").rows() == (
        [] if reason is None else [("universal_unallocated", reason)]
    )
    assert set(book.closing_lots.filter(tax_year=2025)["basis_status"]) == {"unallocated" if reason else "known"}


@pytest.mark.parametrize(
    ("kind", "completed_at", "holds"),
    [
        ("specific", "2026-10-14T23:59:59", True),
        ("specific", "2026-10-15T00:00:00", False),
        ("global", "2026-11-01T00:00:00", True),  # still open for what was never sold since 2025
    ],
)
def test_without_a_sale_since_2025_only_the_due_date_counts_and_a_global_one_stays_open(
    kind: str, completed_at: str, holds: bool
) -> None:
    cells = {"kind": kind, "completed_at": completed_at, "rule_recorded_at": "2024-12-01T00:00:00"}
    rows = frame(Allocations2025, *ALLOCATED.drop(*cells).to_dicts(), **cells)
    assert run(REV_PROC, universal=True, allocations=rows).faults.is_empty() is holds


def test_an_own_move_is_no_transfer_that_closes_the_allocation() -> None:
    # Rev. Proc. 2024-28 s. 3.11: a transfer is one to another taxpayer
    moved = [
        row("depart", "2025-01-02", 1, account_id="XYZ", link="t"),
        row("arrive", "2025-01-02", 1, account_id="GHI", link="t"),
    ]
    late = ALLOCATED.with_columns(
        completed_at=pl.lit(dt.datetime(2025, 2, 1, tzinfo=dt.UTC)).cast(pl.Datetime("us", "UTC"))
    )
    assert run([*REV_PROC, *moved], universal=True, allocations=late).faults.is_empty()


def test_a_universal_pool_that_lies_in_one_wallet_needs_no_allocation() -> None:
    rows = [row("acquire", "2019-01-01", 1, 10), row("acquire", "2020-01-01", 2, 50, account_id="b")]
    wallets = pl.DataFrame({"account_id": ["a", "b"], "wallet": ["w", "w"], "treatment": ["taxable", "taxable"]})
    book = run(rows, universal=True, wallets=wallets)
    assert book.faults.is_empty()
    assert held(book, 2025, "pool", "account_id", "basis", "basis_status") == [
        ("w", "a", "10", "known"),
        ("w", "b", "50", "known"),
    ]


def test_before_2025_a_transfer_in_a_universal_pool_moves_units_and_no_lots() -> None:
    rows = [
        row("acquire", "2020-01-01", 3, 30),
        row("depart", "2024-12-31", 2, link="t"),
        row("arrive", "2025-01-01", 2, account_id="b", link="t"),
    ]
    book = run(rows, universal=True)
    assert held(book, 2024, "account_id", "pool", "location", "quantity") == [
        ("a", "transit:t", "transit", "2"),
        ("a", "universal", "account", "1"),
    ]
    assert held(book, 2025, "account_id", "quantity", "basis", "basis_status") == [
        ("a", "1", "10", "unallocated"),
        ("b", "2", "20", "unallocated"),
    ]
    early = run([*rows[:2], rows[2] | {"occurred_at": "2024-12-31T13:00:00"}], universal=True, last=2024)
    assert early.lot_moves.is_empty()
    assert held(early, 2024, "account_id", "quantity") == [("a", "1"), ("b", "2")]


# --- order of lots -------------------------------------------------------------------------------------------------

THREE = [
    row("acquire", "2025-01-01", 1, 20, e="old"),
    row("acquire", "2025-02-01", 1, 30, e="dear"),
    row("acquire", "2025-03-01", 1, 10, e="cheap"),
    row("acquire", "2025-04-01", 1, None, e="unknown"),
]


@pytest.mark.parametrize(
    ("method", "order"),
    [
        ("fifo", ["old", "dear", "cheap", "unknown"]),
        ("lifo", ["unknown", "cheap", "dear", "old"]),
        ("hifo", ["dear", "old", "cheap", "unknown"]),
        ("lofo", ["cheap", "old", "dear", "unknown"]),
    ],
)
def test_the_order_of_each_method_with_unknown_basis_last_where_basis_decides(method: str, order: list[str]) -> None:
    sales = [row("dispose", f"2025-06-0{day}", 1, 25, lot_method=method) for day in range(1, 5)]
    book = run(THREE + sales)
    assert [lot.removesuffix(":received") for lot in book.gains["lot_id"]] == order


def test_hifo_ranks_by_cost_a_unit_with_fees() -> None:
    # 2 units for 100 and a fee of 3 (51.50 each) beat 1 unit for 51
    rows = [row("acquire", "2025-01-01", 1, 51, e="one"), row("acquire", "2025-01-02", 2, 103, e="two"),
            row("dispose", "2025-02-01", 1, 60, lot_method="hifo")]  # fmt: skip
    assert pieces(run(rows), "lot_id", "basis") == [("two:received", "51.5")]


def test_taxmin_takes_short_losses_long_losses_long_gains_short_gains() -> None:
    rows = [
        row("acquire", "2023-01-01", 1, 10, e="long-gain"),
        row("acquire", "2023-01-02", 1, 90, e="long-loss"),
        row("acquire", "2025-01-01", 1, 10, e="short-gain"),
        row("acquire", "2025-01-02", 1, 60, e="short-loss"),
        *[row("dispose", f"2025-06-0{day}", 1, 50, lot_method="taxmin") for day in range(1, 5)],
    ]
    order = [lot.removesuffix(":received") for lot in run(rows).gains["lot_id"]]
    assert order == ["short-loss", "long-loss", "long-gain", "short-gain"]


def test_at_one_instant_lots_go_by_event_and_lot_id_whatever_the_order_of_rows() -> None:
    rows = [row("acquire", "2025-01-01", 1, 20, e="b"), row("acquire", "2025-01-01", 1, 30, e="a")]
    for order in (rows, rows[::-1]):
        book = run([*order, row("dispose", "2025-02-01", 1, 40)])
        assert pieces(book, "lot_id") == [("a:received",)]


def test_a_change_of_method_acts_from_its_first_sale_on() -> None:
    sales = [("fifo", "old"), ("hifo", "dear"), ("fifo", "cheap"), ("lifo", "unknown")]
    rows = [row("dispose", f"2025-06-0{n + 1}", 1, 25, lot_method=method) for n, (method, _) in enumerate(sales)]
    assert [lot.removesuffix(":received") for lot in run(THREE + rows).gains["lot_id"]] == [lot for _, lot in sales]


def test_the_picked_lot_goes_first_and_the_method_fills_the_rest() -> None:
    sale = row("dispose", "2025-06-01", 2, 50, picks=[("cheap:received", 2)])
    assert pieces(run([*THREE, sale]), "lot_id", "proceeds", "lot_method") == [
        ("cheap:received", "25", "specific"),
        ("old:received", "25", "fifo"),
    ]


def test_picks_are_taken_in_their_order_and_each_no_more_than_it_says() -> None:
    sale = row("dispose", "2025-06-01", 2, 50, picks=[("dear:received", "0.5"), ("nobody's", 1), ("cheap:received", 1)])
    assert pieces(run([*THREE, sale]), "lot_id", "quantity", "lot_method") == [
        ("dear:received", "0.5", "specific"),
        ("cheap:received", "1", "specific"),
        ("old:received", "0.5", "fifo"),
    ]


# --- units that are not there, on their way, or gone ---------------------------------------------------------------


def test_a_sale_beyond_the_lots_held_has_no_basis_no_gain_and_no_term() -> None:
    book = run([row("acquire", "2025-01-01", 1, 10), row("dispose", "2025-02-01", 3, 90)])
    assert pieces(book, "lot_id", "quantity", "proceeds", "basis", "gain", "term", "basis_status") == [
        ("e000:received", "1", "30", "10", "20", "short", "known"),
        (None, "2", "60", None, None, None, "unknown"),
    ]
    assert book.faults.select("fault", "event_id", "quantity", "dollars_at_stake").rows() == [
        ("shortfall", "e001", Decimal(2), Decimal(60))
    ]


def test_what_arrives_beyond_what_left_is_a_lot_of_unknown_basis() -> None:
    rows = [
        row("acquire", "2025-01-01", 1, 10),
        row("depart", "2025-02-01", 3, link="t"),
        row("arrive", "2025-02-02", 3, account_id="b", e="in", link="t"),
    ]
    book = run(rows)
    assert held(book, 2025, "lot_id", "quantity", "basis_status") == [
        ("e000:received", "1", "known"),
        ("in:received", "2", "unknown"),
    ]
    assert book.lots.filter(lot_id="in:received")["basis"].to_list() == [None]


def test_a_transfer_over_new_year_is_in_transit_at_the_year_end() -> None:
    rows = [
        row("acquire", "2023-01-01", 2, 10),
        row("depart", "2025-12-31", 2, link="t"),
        row("arrive", "2026-01-01", 2, account_id="b", link="t"),
    ]
    book = run(rows)
    assert held(book, 2025, "location", "pool", "account_id") == [("transit", "transit:t", "a")]
    assert held(book, 2026, "location", "pool", "account_id") == [("account", "b", "b")]
    assert book.lot_moves["tax_year"].to_list() == [2026]


def test_an_unmatched_withdrawal_is_no_disposal_its_lots_lie_outside() -> None:
    book = run(
        [row("acquire", "2025-01-01", 2, 10), row("outside", "2025-02-01", 1), row("dispose", "2025-03-01", 2, 8)]
    )
    assert held(book, 2025, "location", "pool", "quantity") == [("outside", "outside:e001:sent", "1")]
    assert pieces(book, "lot_id", "quantity") == [("e000:received", "1"), (None, "1")]  # the one outside stays there


@pytest.mark.parametrize("kind", ["gift_out", "donation", "theft", "loss"])
def test_what_leaves_without_proceeds_has_no_gain(kind: str) -> None:
    book = run([row("acquire", "2025-01-01", 2, 10), row("dispose", "2025-02-01", 1, 99, disposal_kind=kind)])
    assert pieces(book, "proceeds", "basis", "gain") == [(None, "5", "0")]


def test_a_sale_that_nothing_prices_has_a_basis_but_no_gain() -> None:
    book = run([row("acquire", "2025-01-01", 2, 10), row("dispose", "2025-02-01", 1)])
    assert pieces(book, "proceeds", "basis", "gain", "basis_status") == [(None, "5", None, "known")]


def test_costs_above_the_value_make_proceeds_negative_and_the_loss_whole() -> None:
    book = run([row("acquire", "2025-01-01", 2, 10), row("dispose", "2025-02-01", 2, "-15")])
    assert pieces(book, "proceeds", "basis", "gain") == [("-15", "10", "-25")]


def test_a_conversion_carries_basis_and_date_lot_by_lot() -> None:
    rows = [
        row("acquire", "2020-01-01", 1, 10, asset="LEND", e="one"),
        row("acquire", "2025-01-01", 3, 90, asset="LEND", e="two"),
        row("convert_out", "2025-02-01", 4, asset="LEND", e="swap", link="swap"),
        row("convert_in", "2025-02-01", "0.04", asset="AAVE", e="swap", link="swap"),
        row("dispose", "2025-03-01", "0.02", 70, asset="AAVE"),
    ]
    book = run(rows)
    assert pieces(book, "lot_id", "quantity", "basis", "gain", "term", "date_acquired") == [
        ("swap:received<one:received", "0.01", "10", "25", "long", dt.date(2020, 1, 1)),
        ("swap:received<two:received", "0.01", "30", "5", "short", dt.date(2025, 1, 1)),
    ]
    assert held(book, 2025, "asset", "quantity", "basis") == [("AAVE", "0.02", "60")]


def test_in_a_conversion_a_lot_too_small_for_a_unit_gives_its_basis_to_the_next() -> None:
    dust = "0.000000000000000001"
    rows = [
        row("acquire", "2020-01-01", dust, 3, asset="OLD"),
        row("acquire", "2025-01-01", 10, 90, asset="OLD"),
        row("convert_out", "2025-02-01", f"10{dust[1:]}", asset="OLD", e="swap", link="swap"),
        row("convert_in", "2025-02-01", 1, asset="NEW", e="swap", link="swap"),
    ]
    assert held(run(rows), 2025, "lot_id", "quantity", "basis") == [("swap:received<e001:received", "1", "93")]


def test_pieces_of_a_lot_sum_to_its_basis_to_the_micro_dollar() -> None:
    book = run([row("acquire", "2025-01-01", 7, 1), *[row("dispose", f"2025-02-0{n}", 1, 1) for n in range(1, 8)]])
    assert book.gains["basis"].sum() == 1
    assert {plain(basis) for basis in book.gains["basis"]} == {"0.142857", "0.142858"}


def test_accounts_of_one_wallet_share_its_lots() -> None:
    rows = [
        row("acquire", "2025-01-01", 1, 10, account_id="x", wallet="w"),
        row("dispose", "2025-02-01", 1, 15, account_id="y", wallet="w"),
    ]
    assert pieces(run(rows), "account_id", "gain") == [("y", "5")]


def test_a_lot_that_lies_in_two_accounts_of_a_wallet_is_one_piece_of_a_sale() -> None:
    # 2 bought at 20 each, one moved within the wallet; 1.5 sold for 75: one line, 75 - 30 = 45
    rows = [
        row("acquire", "2025-03-03", 2, 40, wallet="w"),
        row("depart", "2025-04-03", 1, wallet="w", link="t"),
        row("arrive", "2025-04-03", 1, account_id="b", wallet="w", link="t"),
        row("dispose", "2025-06-02", "1.5", 75, wallet="w"),
    ]
    assert pieces(run(rows), "lot_id", "quantity", "proceeds", "basis", "gain") == [
        ("e000:received", "1.5", "75", "30", "45")
    ]


IRA = pl.DataFrame({"account_id": ["ira"], "wallet": ["ira/ira"], "treatment": ["ira"]})


def test_a_universal_pool_holds_no_lots_of_an_ira() -> None:
    # FIFO over one pool would sell the IRA's older lot at 5,000; the taxpayer's own cost 50,000
    rows = [
        row("acquire", "2020-03-03", 1, 5000, account_id="ira", wallet="ira/ira", e="theirs"),
        row("acquire", "2021-03-03", 1, 50000, e="own"),
        row("dispose", "2023-06-02", 1, 30000),
    ]
    book = run(rows, universal=True, wallets=IRA)
    assert pieces(book, "lot_id", "gain") == [("own:received", "-20000")]
    assert held(book, 2023, "pool", "account_id", "quantity") == [("ira/ira", "ira", "1")]
    assert held(book, 2025, "pool", "account_id", "basis", "basis_status") == [("ira/ira", "ira", "5000", "known")]
    assert book.faults.is_empty()


def test_an_account_of_a_universal_client_that_sells_more_than_it_holds_is_told() -> None:
    # the pool may choose b's basis, but where did a's units come from?
    rows = [
        row("acquire", "2020-03-03", 3, 30, account_id="b"),
        row("acquire", "2021-03-03", "0.5", 10),
        row("dispose", "2023-06-02", 2, 100, e="sale"),
    ]
    book = run(rows, universal=True, last=2024)
    assert pieces(book, "lot_id", "quantity", "basis") == [("e000:received", "2", "20")]
    told = book.faults.select("taxpayer_id", "fault", "tax_year", "account_id", "asset", "event_id", "quantity",
                              "dollars_at_stake", "movement")  # fmt: skip
    assert told.rows() == [
        ("jane", "account_overdrawn", 2023, "a", "BTC", "sale", Decimal("1.5"), Decimal(75), "dispose")
    ]
    # what the pool still holds is all there, in the account that holds units
    assert held(book, 2023, "account_id", "quantity", "basis") == [("b", "0.5", "10"), ("b", "1", "10")]


def test_a_move_out_of_an_account_of_a_universal_client_that_is_empty_is_told() -> None:
    rows = [
        row("acquire", "2020-03-03", 1, 30, account_id="b"),
        row("depart", "2023-06-02", 1, link="t"),
        row("arrive", "2023-06-02", 1, account_id="c", link="t"),
    ]
    book = run(rows, universal=True, last=2023)
    assert book.faults.select("fault", "account_id", "quantity", "movement").rows() == [
        ("account_overdrawn", "a", Decimal(1), "depart")
    ]
    assert sum(Decimal(units) for (units,) in held(book, 2023, "quantity")) == 1


def test_a_book_that_breaks_stops_its_own_taxpayer_alone() -> None:
    rows = [
        row("acquire", "2025-01-01", 1, 10),
        row("acquire", "2025-01-02", 1, 10, taxpayer_id="brian"),
        row("dispose", "2025-01-03", 1, 12, taxpayer_id="brian", lot_method="no such method"),
    ]
    book = run(rows)
    assert set(book.closing_lots["taxpayer_id"]) == {"jane"}
    assert book.gains.is_empty()
    assert book.faults.select("taxpayer_id", "fault", "reason").rows() == [("brian", "lot_book_failed", "KeyError")]


def test_the_frames_are_those_of_the_schemas() -> None:
    book = run([*DE, row("dispose", "2025-09-01", 15, 100, account_id="BEX")])
    for table, model in ((book.lots, Lots), (book.lot_moves, LotMoves), (book.closing_lots, ClosingLots)):
        assert gate.check(table, model).rejected.is_empty()
        assert not table.is_empty()


# --- properties ----------------------------------------------------------------------------------------------------

ACCOUNTS = ("a", "b", "c")
WALLETS = {"a": "w", "b": "b", "c": "w"}
DAYS = [dt.date(2023, 10, 1) + dt.timedelta(days=20 * n) for n in range(60)]


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A taxpayer's years: buys, sales, moves, conversions, with ties, shortfalls and unknown basis."""
    rows: list[dict[str, Any]] = []
    count = draw(st.integers(1, 14))
    days = sorted(draw(st.lists(st.sampled_from(DAYS), min_size=count, max_size=count)))
    for n, day in enumerate(days):
        what = draw(st.sampled_from(["acquire"] * 4 + ["dispose"] * 4 + ["move", "move", "outside", "convert"]))
        account = draw(st.sampled_from(ACCOUNTS))
        method = draw(st.sampled_from(["fifo", "fifo", "lifo", "hifo", "lofo"]))
        units = draw(st.integers(1, 5))
        cells = {
            "account_id": account,
            "wallet": WALLETS[account],
            "e": f"e{n:03d}",
            "asset": draw(st.sampled_from("XY")),
        }
        out = {"lot_method": method}
        if what == "acquire":
            cost = draw(st.one_of(st.none(), st.integers(0, 6)))
            rows.append(row("acquire", str(day), units, None if cost is None else cost * units, **cells))
        elif what == "dispose":
            earlier = [r["e"] + ":received" for r in rows if r["movement"] == "acquire"]
            most = st.sampled_from([None, 1, 2])
            named = draw(st.lists(st.tuples(st.sampled_from(["none", *earlier]), most), max_size=2))
            rows.append(row("dispose", str(day), units, 5 * units, **cells, **out, picks=named))
        elif what == "outside":
            rows.append(row("outside", str(day), units, **cells, **out))
        elif what == "convert":
            rows.append(row("convert_out", str(day), units, **cells, **out, link=f"c{n}"))
            rows.append(row("convert_in", str(day), units, **cells | {"asset": "Z"}, link=f"c{n}"))
        else:
            to = draw(st.sampled_from(ACCOUNTS))
            later = draw(st.sampled_from([day for day in DAYS if day >= days[n]]))
            rows.append(row("depart", str(day), units, **cells, **out, link=f"t{n}"))
            arrival = cells | {"account_id": to, "wallet": WALLETS[to], "e": f"f{n:03d}"}
            rows.append(row("arrive", str(later), units, **arrival, link=f"t{n}"))
    return sorted(rows, key=lambda r: str(r["occurred_at"]))


def as_naive(moved: pl.DataFrame, picked: pl.DataFrame) -> list[dict[str, Any]]:
    named: dict[str, list[tuple[str, int | None]]] = {}
    for movement, lot, most in picked.sort("place").select("movement_id", "lot_id", "quantity").iter_rows():
        named.setdefault(movement, []).append((lot, None if most is None else int(most)))
    return [
        r
        | {"quantity": int(r["quantity"])}
        | ({"picks": named.get(r["movement_id"], [])} if r["disposal_kind"] else {})
        for r in moved.sort("sequence").to_dicts()
    ]


def found(book: lots.LotBook) -> dict[tuple[str, str | None], tuple[int, Any]]:
    rows = book.gains.group_by("disposal_id", "lot_id").agg(pl.col("quantity").sum(), pl.col("basis").sum(),
                                                          unknown=pl.col("basis").is_null().any())  # fmt: skip
    return {(d, lot): (int(q), None if unknown else b) for d, lot, q, b, unknown in rows.iter_rows()}


def closing(book: lots.LotBook, year: int) -> dict[tuple[str, str, str], int]:
    rows = book.closing_lots.filter(tax_year=year).select("lot_id", "pool", "account_id", "quantity").iter_rows()
    return {(lot, pool, account): int(units) for lot, pool, account, units in rows}


@settings(max_examples=120, deadline=None)
@given(histories())
def test_the_book_is_the_naive_book(rows: list[dict[str, Any]]) -> None:
    moved = movements(rows)
    book = run(rows, first=2023, last=2027)
    naive = naive_lots.run(as_naive(moved, picks(rows)), 2023, 2027)
    assert book.gains.select("disposal_id", "lot_id").is_unique().all()
    assert found(book) == naive.pieces
    assert {year: closing(book, year) for year in naive.closing} == naive.closing


@settings(max_examples=60, deadline=None)
@given(histories())
def test_a_universal_pool_is_the_naive_book_with_one_pool(rows: list[dict[str, Any]]) -> None:
    early = [r for r in rows if str(r["occurred_at"]) < "2025" and r["movement"] not in ("depart", "arrive")]
    book = run(early, first=2023, last=2024, universal=True)
    naive = naive_lots.run(as_naive(movements(early), picks(early)), 2023, 2024, universal=True)
    assert found(book) == naive.pieces


@settings(max_examples=80, deadline=None)
@given(histories(), st.booleans(), st.integers(2023, 2026))
def test_a_run_from_a_year_s_closing_lots_gives_the_rows_of_a_full_run(
    rows: list[dict[str, Any]], universal: bool, year: int
) -> None:
    # a third of a dollar and more: the rounding of pieces must not depend on where the run began
    odd = [r | {"amount": r["amount"] * 1000 // 7} if r.get("amount") else r for r in rows]
    moved, named = movements(odd), picks(odd)
    wallets = pl.DataFrame({"account_id": list(WALLETS), "wallet": list(WALLETS.values())}).with_columns(
        treatment=pl.lit("taxable")
    )
    whole = run(moved, first=2023, last=2027, universal=universal, wallets=wallets, picked=named)
    opening = lots.opening_slots(whole.closing_lots, whole.lots.filter(pl.col("tax_year") <= year), year)
    later = run(moved, first=year + 1, last=2027, universal=universal, wallets=wallets, opening=opening, picked=named)
    for name in ("lots", "lot_moves", "gains", "closing_lots", "conversions", "faults"):
        expected = getattr(whole, name).filter(pl.col("tax_year") > year)
        assert getattr(later, name).equals(expected), name


@settings(max_examples=30, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_rows_in_any_order_and_other_taxpayers_beside_change_nothing(rows: list[dict[str, Any]], random: Any) -> None:
    moved = movements(rows)
    other = moved.with_columns(taxpayer_id=pl.lit("brian"), event_id="b" + pl.col("event_id"),
                               movement_id="b" + pl.col("movement_id"))  # fmt: skip
    order = list(range(2 * moved.height))
    random.shuffle(order)
    both = run(pl.concat([moved, other])[order], first=2023, picked=picks(rows))
    alone = run(moved, first=2023, picked=picks(rows))
    for name in ("lots", "lot_moves", "gains", "closing_lots", "faults"):
        assert getattr(both, name).filter(taxpayer_id="jane").equals(getattr(alone, name)), name


def test_the_long_term_date_of_a_lot_without_one_is_the_law_s() -> None:
    book = run([row("acquire", "2024-02-29", 1, 10)])
    expected = book.lots.select(long_term_from(pl.col("date_acquired"))).to_series()
    assert book.lots["long_term_from"].to_list() == expected.to_list() == [dt.date(2025, 3, 1)]
