"""The kernel against the reference engine, piece by piece, on random histories, and the kernel's arithmetic."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import QUANTITY
from schemas.inputs import Allocations2025
from schemas.ledger import Movements, Picks
from schemas.tax import LotMoves
from tests.transforms.frames import frame
from tests.transforms.test_lots import in_order
from transforms import lots
from transforms.exact import from_ints, share
from transforms.lots import kernel, program
from transforms.lots.tables import decimals, dollars

WALLETS = pl.DataFrame({
    "account_id": ["a", "b", "c", "d", "ira"], "wallet": ["w", "b", "w", "d", "ira"],
    "treatment": ["taxable"] * 4 + ["ira"],
})  # fmt: skip
WALLET_OF = dict(WALLETS.select("account_id", "wallet").iter_rows())
TABLES = ("lots", "lot_moves", "gains", "closing_lots", "faults", "conversions", "splits")
DAY = dt.datetime(2023, 1, 1, tzinfo=dt.UTC)


def history(rng: np.random.Generator, rows: int, taxpayers: int = 2, *, ties: float = 0.3, huge: bool = False) -> Any:
    """Movements and picks of a few taxpayers: every kind of row, every method, ties, gifts, shortfalls, moves to and fro.

    Some transfers cross from one taxpayer to another; amounts have odd micro-dollars. Half of the histories have gifts,
    the others sales that minimise tax (both together are not the kernel's).
    """
    gifts = rng.random() < 0.5
    methods = ["fifo", "lifo", "hifo", "lofo", *([] if gifts else ["taxmin"])]
    moved: list[dict[str, Any]] = []
    picked: list[dict[str, Any]] = []
    bought: dict[str, list[str]] = defaultdict(list)
    at, hours = DAY, max(2, int(100_000 / rows / (1 - ties)))  # six years or so
    for n in range(rows):
        if rng.random() > ties:
            at += dt.timedelta(hours=int(rng.integers(1, hours)))
        kind = rng.choice(["acquire", "dispose", "move", "outside", "convert"], p=[0.45, 0.33, 0.16, 0.03, 0.03])
        owner, account = f"t{rng.integers(taxpayers)}", str(rng.choice(["a", "b", "c", "d", "ira"]))
        units = int(rng.integers(1, 6)) * 10**18 // int(rng.choice([1, 3, 7, 10**9]))
        units = int(rng.integers(1, 2**62)) << int(rng.integers(0, 48)) if huge else units
        cells = {
            "taxpayer_id": owner, "account_id": account, "wallet": WALLET_OF[account], "asset": str(rng.choice(["X", "Y"])),
            "event_id": f"e{rng.integers(10**6):06d}-{n}", "at": at, "units": units,
            "lot_method": str(rng.choice(methods)),
        }  # fmt: skip
        money = None if rng.random() < 0.1 else int(rng.choice([0, 1, 5, 700_001, 10**9 + 7, 3 * 10**12]))
        if kind == "acquire":
            extra: dict[str, Any] = {"amount": money}
            if gifts and rng.random() < 0.3 and money:
                extra |= {"loss_amount": money // 2, "origin": "gift", "acquired_at": at - dt.timedelta(days=400)}
            moved.append(cells | {"movement": "acquire", **extra})
            bought[owner].append(f"{cells['event_id']}:received")
        elif kind == "dispose":
            amount = -money if money and rng.random() < 0.1 else money
            moved.append(cells | {"movement": "dispose", "amount": amount,
                                  "disposal_kind": str(rng.choice(["sell", "sell", "donation"]))})  # fmt: skip
            earlier = bought[owner]
            for place in range(int(rng.integers(0, 3)) if earlier and rng.random() < 0.3 else 0):
                lot = earlier[int(rng.integers(len(earlier)))]
                most = None if rng.random() < 0.5 else units // 2 + 1
                picked.append({"movement_id": f"{cells['event_id']}:sent", "place": place, "lot": lot, "most": most,
                               "owner": owner})  # fmt: skip
        elif kind == "outside":
            moved.append(cells | {"movement": "outside"})
        elif kind == "convert":
            moved.append(cells | {"movement": "convert_out", "link": f"c{n}"})
            moved.append(cells | {"movement": "convert_in", "link": f"c{n}", "asset": "Z", "units": units * 2 + 1})
        else:
            to = str(rng.choice(["a", "b", "c", "d"]))
            receiver = f"t{rng.integers(taxpayers)}" if rng.random() < 0.1 else owner
            later = at + dt.timedelta(hours=int(rng.choice([0, 1, 30, 9000])))
            moved.append(cells | {"movement": "depart", "link": f"m{n}"})
            moved.append(cells | {"movement": "arrive", "link": f"m{n}", "account_id": to, "wallet": WALLET_OF[to],
                                  "event_id": f"f{n}", "at": later, "taxpayer_id": receiver,
                                  "units": units + int(rng.integers(0, 2))})  # fmt: skip
    return _frame(moved), _picks(picked)


def _frame(moved: list[dict[str, Any]]) -> pl.DataFrame:
    ordered = sorted(moved, key=lambda row: row["at"])
    rows = []
    for n, row in enumerate(ordered):
        leg = "received" if row["movement"] in ("acquire", "arrive", "convert_in") else "sent"
        rows.append({
            "taxpayer_id": row["taxpayer_id"], "asset": row["asset"], "account_id": row["account_id"],
            "wallet": row["wallet"], "movement_id": f"{row['event_id']}:{leg}", "event_id": row["event_id"], "leg": leg,
            "occurred_at": row["at"], "sequence": n, "tax_date": row["at"].date(), "tax_year": row["at"].year,
            "movement": row["movement"], "disposal_kind": row.get("disposal_kind"), "link": row.get("link"),
            "acquired_at": row.get("acquired_at"), "origin": row.get("origin"),
            "lot_method": row["lot_method"] if leg == "sent" else None,
        })  # fmt: skip
    typed = frame(Movements, *[dict.fromkeys(("quantity",), 1) | row for row in rows])
    return typed.with_columns(
        from_ints("quantity", [row["units"] for row in ordered], QUANTITY),
        dollars(np.array([kernel.NONE if row.get("amount") is None else row["amount"] for row in ordered], np.int64))
        .alias("amount"),
        dollars(np.array([row.get("loss_amount") or kernel.NONE for row in ordered], np.int64)).alias("loss_amount"),
    )  # fmt: skip


def _picks(picked: list[dict[str, Any]]) -> pl.DataFrame:
    rows = [{"taxpayer_id": p["owner"], "movement_id": p["movement_id"], "place": p["place"], "lot_id": p["lot"],
             "lot_method": "specific"} for p in picked]  # fmt: skip
    return frame(Picks, *rows).with_columns(from_ints("quantity", [p["most"] for p in picked], QUANTITY))


def run(
    moved: pl.DataFrame, picks: pl.DataFrame, years: tuple[int, int] = (2023, 2028), **options: Any
) -> lots.LotBook:
    universal = options.pop("universal", ())
    opening = options.pop("opening", lots.no_opening())
    allocations = frame(Allocations2025)
    return lots.run(moved, opening, universal, allocations, WALLETS, years, picks=picks, **options)


def same(one: lots.LotBook, other: lots.LotBook) -> None:
    for name in TABLES:
        assert in_order(getattr(one, name)).equals(in_order(getattr(other, name))), name


@pytest.mark.parametrize("seed", range(24))
def test_the_kernel_gives_the_pieces_of_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    moved, picks = history(rng, int(rng.integers(2, 500)), taxpayers=int(rng.integers(1, 60)), huge=seed % 5 == 0)
    moved = moved.filter(~pl.col("movement").is_in(["convert_out", "convert_in"])) if seed % 2 else moved
    fast, slow = run(moved, picks), run(moved, picks, by_reference=True)
    same(fast, slow)
    assert lots.conservation(moved.filter(pl.col("tax_year") <= 2028), lots.no_opening(), fast, 2028)["holds"].all()
    assert seed % 2 == 0 or set(fast.engines["engine"]) == {"kernel"}


@pytest.mark.parametrize("seed", range(6))
def test_universal_pools_and_their_split_are_the_same_in_both(seed: int) -> None:
    moved, picks = history(np.random.default_rng(1000 + seed), 200, taxpayers=4)
    same(run(moved, picks, universal=["t0", "t2"]), run(moved, picks, universal=["t0", "t2"], by_reference=True))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("year", [2023, 2024, 2025])
def test_a_run_from_a_year_s_end_gives_the_rows_of_a_full_one(seed: int, year: int) -> None:
    moved, picks = history(np.random.default_rng(2000 + seed), 150, taxpayers=3)
    universal = ["t1"] if seed % 2 else []
    whole = run(moved, picks, universal=universal)
    opening = lots.opening_slots(whole.closing_lots, whole.lots.filter(pl.col("tax_year") <= year), year)
    later = run(moved, picks, (year + 1, 2028), universal=universal, opening=opening)
    assert whole.faults.filter(fault="lot_book_failed").is_empty()
    for name in TABLES:
        expected = getattr(whole, name).filter(pl.col("tax_year") > year)
        assert in_order(getattr(later, name)).equals(in_order(expected)), name


def test_ten_thousand_histories_in_one_frame() -> None:
    """Small histories by the thousand, one a taxpayer: the edges are at the beginning and at the end of a book."""
    rng = np.random.default_rng(7)
    moved, picks = history(rng, 60_000, taxpayers=10_000, ties=0.9)
    kept = moved.filter(~pl.col("movement").is_in(["convert_out", "convert_in"]))
    same(run(kept, picks), run(kept, picks, by_reference=True))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_any_seed(seed: int) -> None:
    moved, picks = history(np.random.default_rng(seed), 14)
    same(run(moved, picks), run(moved, picks, by_reference=True))


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    moved, picks = history(np.random.default_rng(3), 2_000, taxpayers=50)
    one = run(moved, picks)
    monkeypatch.setattr(kernel, "ROWS_A_TASK", 100)
    same(one, run(moved, picks))


def test_moves_to_and_fro_are_listed_up_to_a_cap_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "MOVES_AT_LEAST", 5)
    monkeypatch.setattr(program, "MOVES_A_ROW", 0)
    moved, picks = history(np.random.default_rng(5), 400, taxpayers=1)
    fast = run(moved, picks)
    same(fast, run(moved, picks, by_reference=True))
    assert fast.lot_moves.filter(asset="X").height <= 5 * 2  # two groups at most hold X
    assert "moves_not_listed" in fast.faults["fault"]
    assert lots.conservation(moved.filter(pl.col("tax_year") <= 2028), lots.no_opening(), fast, 2028)["holds"].all()
    LotMoves.validate(fast.lot_moves)


# --- arithmetic -----------------------------------------------------------------------------------------------------

QUANTITIES = st.one_of(st.integers(1, 10), st.integers(1, 2**64), st.integers(1, 2**119))
AMOUNTS = st.one_of(st.integers(0, 10), st.integers(0, 2**52 - 1))


def _limbs(value: int) -> tuple[np.uint64, np.uint64]:
    return np.uint64(value >> 64), np.uint64(value & (2**64 - 1))


@settings(max_examples=500, deadline=None)
@given(AMOUNTS, QUANTITIES, QUANTITIES, st.booleans())
def test_the_kernel_s_share_is_the_exact_one(total: int, one: int, other: int, negative: bool) -> None:
    part, whole = sorted((one, other))
    total = -total if negative else total
    assert kernel.share(total, *_limbs(part), *_limbs(whole)) == share(total, part, whole)


@settings(max_examples=500, deadline=None)
@given(AMOUNTS, QUANTITIES, AMOUNTS, QUANTITIES)
def test_unit_costs_compare_exactly(a: int, q: int, b: int, r: int) -> None:
    expected = (a * r > b * q) - (a * r < b * q)
    assert kernel.compare_costs(a, *_limbs(q), b, *_limbs(r)) == expected


def test_unit_costs_that_floats_cannot_tell_apart_are_ranked_exactly() -> None:
    # 10**15 + n micro-dollars over so many units differ by one in the sixteenth digit
    cost = [4 * 10**15 + n % 3 for n in range(9)]
    rows = [{"taxpayer_id": "t0", "account_id": "a", "wallet": "w", "asset": "X", "event_id": f"e{n}", "at": DAY,
             "units": 10**18, "movement": "acquire", "amount": c, "lot_method": "hifo"} for n, c in enumerate(cost)]  # fmt: skip
    sale = rows[0] | {"movement": "dispose", "units": 9 * 10**18, "amount": 0, "event_id": "s", "disposal_kind": "sell"}
    book = run(_frame([*rows, sale | {"at": DAY + dt.timedelta(days=1)}]), frame(Picks))
    by_hand = [f"e{n}:received" for n in (2, 5, 8, 1, 4, 7, 0, 3, 6)]
    assert book.gains["lot_id"].to_list() == by_hand


def test_sets_of_bits_know_their_least_and_their_greatest() -> None:
    rng = np.random.default_rng(1)
    levels = np.empty(8, np.int64)
    for size in (1, 64, 65, 5000):
        words = kernel.shape(size, levels)
        bits, members = np.zeros(words, np.uint64), set()
        for member in rng.integers(0, size, 400).tolist():
            (kernel.remove if member in members else kernel.insert)(bits, 0, levels, member)
            members ^= {member}
            assert kernel.least(bits, 0, levels) == min(members, default=-1)
            assert kernel.greatest(bits, 0, levels) == max(members, default=-1)


def test_what_the_kernel_cannot_hold_goes_to_the_reference_and_says_so() -> None:
    base = {"taxpayer_id": "t0", "account_id": "a", "wallet": "w", "at": DAY, "lot_method": "taxmin", "movement": "acquire",
            "units": 10**18, "amount": 10}  # fmt: skip
    rows = [
        base | {"asset": "PLAIN", "event_id": "p"},
        base | {"asset": "HUGE", "event_id": "h", "units": 2**111},
        base | {"asset": "DEAR", "event_id": "d", "amount": 2**52},
        base | {"asset": "GIFT", "event_id": "g", "loss_amount": 5},
        base | {"asset": "GIFT", "event_id": "g2", "movement": "dispose", "disposal_kind": "sell"},
        base | {"asset": "OLD", "event_id": "o", "movement": "convert_out", "link": "c"},
        base | {"asset": "NEW", "event_id": "n", "movement": "convert_in", "link": "c"},
    ]
    book = run(_frame(rows), frame(Picks))
    why = dict(book.engines.select("asset", "why").iter_rows())
    assert why == {"PLAIN": None, "HUGE": "quantity", "DEAR": "amount", "GIFT": "taxmin of gifts", "OLD": "conversion",
                   "NEW": "conversion"}  # fmt: skip


def test_quantities_and_dollars_pass_through_their_limbs() -> None:
    values = [0, 1, 2**64, 2**64 + 1, 2**119]
    pairs = [_limbs(value) for value in values]
    series = decimals(np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs]))
    assert series.to_physical().to_list() == values
    assert [x.tolist() for x in program.limbs(series)] == [[int(p[0]) for p in pairs], [int(p[1]) for p in pairs]]
    amounts = np.array([0, -1, 5, kernel.NONE, 10**18 - 1], np.int64)
    assert program.micros(dollars(amounts)).tolist() == amounts.tolist()
    with pytest.raises(OverflowError):
        dollars(np.array([10**18], np.int64))
