"""RP2 as a second opinion on lots: thousands of random histories in universal mode, and each known difference by name.

The differences are RP2's; every one is shown by hand with the law's cite. The random histories either stay clear of one
by construction (no fee where a price ranks lots, no lot without a cost) or say beforehand where it must show (the term).
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from schemas.inputs import Allocations2025
from schemas.ledger import Movements
from tests.transforms import rp2_peer
from tests.transforms.frames import frame
from tests.transforms.rp2_peer import Pair, Row
from transforms import lots

HISTORIES = 800
"""By method."""
MICRO = Decimal("0.000001")
NO_WALLETS = pl.DataFrame(schema={"account_id": pl.String, "wallet": pl.String, "treatment": pl.String})


def book_of(histories: dict[str, list[Row]], method: str) -> lots.LotBook:
    """Our book, one taxpayer a history, in two wallets by turns that universal mode makes one pool."""
    rows: list[dict[str, Any]] = []
    for taxpayer, history in histories.items():
        for n, row in enumerate(history):
            acquired = row.kind == "acquire"
            leg, account = "received" if acquired else "sent", f"{taxpayer}-{n % 2}"
            rows.append({
                "taxpayer_id": taxpayer, "asset": "BTC", "account_id": account, "wallet": account,
                "event_id": f"{taxpayer}:{row.name}", "movement_id": f"{taxpayer}:{row.name}:{leg}", "leg": leg,
                "occurred_at": row.at, "sequence": len(rows), "tax_date": row.at.date(), "tax_year": row.at.year,
                "movement": row.kind, "quantity": row.quantity,
                "amount": row.amount + row.fee if acquired else row.amount - row.fee,
                "disposal_kind": None if acquired else "sell", "lot_method": None if acquired else method,
            })  # fmt: skip
    moved, opening = frame(Movements, *rows), lots.no_opening()
    book = lots.run(moved, opening, set(histories), frame(Allocations2025), NO_WALLETS, (2012, 2024))
    assert lots.conservation(moved, opening, book, 2024)["holds"].all()
    return book


def ours(book: lots.LotBook) -> dict[str, list[Pair]]:
    """Our pieces as RP2 names them, by taxpayer: by disposal, within one in the order in which lots were taken."""
    found: dict[str, list[Pair]] = {}
    pieces = book.gains.select(
        "taxpayer_id", pl.col("disposal_id").str.split(":").list.get(1), pl.col("lot_id").str.split(":").list.get(1),
        "quantity", "basis", "proceeds", "term",
    )  # fmt: skip
    for taxpayer, *cells in pieces.iter_rows():
        found.setdefault(taxpayer, []).append(Pair(*cells))
    return found


def both(method: str, *rows: Row) -> tuple[list[Pair], list[Pair]]:
    """Our pairs and RP2's of one small history."""
    return ours(book_of({"jane": list(rows)}, method))["jane"], rp2_peer.pairs(rp2_peer.history(rows), method)


def buy(name: str, at: str, quantity: str, amount: str, fee: str = "0") -> Row:
    return Row(name, "acquire", instant(at), Decimal(quantity), Decimal(amount), Decimal(fee))


def sell(name: str, at: str, quantity: str, amount: str, fee: str = "0") -> Row:
    return Row(name, "dispose", instant(at), Decimal(quantity), Decimal(amount), Decimal(fee))


def instant(at: str) -> dt.datetime:
    return dt.datetime.fromisoformat(at if "T" in at else f"{at}T12:00:00").replace(tzinfo=dt.UTC)


# --- random histories ------------------------------------------------------------------------------------------------


def random_history(rng: np.random.Generator, *, fees: bool) -> list[Row]:
    """5 to 25 rows before 2025: ties of instant and of price, whole lots and fractions, sales near an anniversary.

    Quantities have at most eight places and all lots have a cost, so that RP2's thirteen places tell them apart. At one
    instant what comes in stands before what goes out, as our movements stand and as RP2 takes them.
    """
    at = dt.datetime(2012, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=int(rng.integers(0, 50_000)))
    few_prices, held = bool(rng.random() < 0.5), 0
    rows: list[Row] = []
    for n in range(int(rng.integers(5, 26))):
        at = _next_instant(rng, at, rows)
        if not held and rows and rows[-1].at == at:  # sold out: what comes in now has an instant of its own
            at += dt.timedelta(hours=1)
        sold_now = bool(rows) and rows[-1].kind == "dispose" and rows[-1].at == at
        if held and (sold_now or rng.random() < 0.55):
            part = rng.choice([held, min(held, 10**8), max(1, int(held * rng.random()))], p=[0.1, 0.3, 0.6])
            rows.append(Row(f"e{n:02d}", "dispose", at, _units(part), _dollars(rng, 10**11)))
            held -= int(part)
        else:
            units = int(rng.integers(1, 4)) * 10**8 if rng.random() < 0.5 else int(rng.integers(10**3, 10**7)) * 100
            cost = _units(units) * int(rng.integers(1, 5)) if few_prices else _dollars(rng, 10**11)
            fee = _dollars(rng, 10**8) if fees else Decimal(0)
            rows.append(Row(f"e{n:02d}", "acquire", at, _units(units), cost, fee))
            held += units
    assert at.year < 2025
    return rows


def _next_instant(rng: np.random.Generator, at: dt.datetime, rows: list[Row]) -> dt.datetime:
    """The same one, hours or days later, or about a year after some acquisition, give or take a few hours."""
    bought = [row.at for row in rows if row.kind == "acquire"]
    gap = rng.choice(["tie", "hours", "days", "year"], p=[0.2, 0.25, 0.35, 0.2])
    if gap == "year" and bought:
        off = dt.timedelta(days=int(rng.integers(364, 369)), hours=int(rng.integers(-2, 3)))
        return max(at, bought[int(rng.integers(len(bought)))] + off)
    return at + dt.timedelta(hours={"tie": 0, "hours": int(rng.integers(1, 48))}.get(gap, int(rng.integers(24, 1000))))


def _units(hundred_millionths: int) -> Decimal:
    return Decimal(int(hundred_millionths)).scaleb(-8)


def _dollars(rng: np.random.Generator, most: int) -> Decimal:
    return Decimal(int(rng.integers(1, most))).scaleb(-6)


def law_calls_short_and_rp2_long(acquired: dt.datetime, sold: dt.datetime) -> bool:
    """365 times 24 hours have passed (RP2's rule), and the first long-term day (IRC 1222, Rev. Rul. 66-7) has not come.

    The year begins the day after acquisition and must be exceeded: the first long-term day follows both the anniversary
    and, where that is later, the last day of a year that began on that next day.
    """
    day = dt.timedelta(days=1)
    first_long = max(anniversary(acquired.date()) + day, anniversary(acquired.date() + day))
    return sold - acquired >= 365 * day and sold.date() < first_long


def anniversary(date: dt.date) -> dt.date:
    return date.replace(year=date.year + 1, day=28 if (date.month, date.day) == (2, 29) else date.day)


@pytest.mark.parametrize("method", rp2_peer.METHODS)
def test_random_histories_have_the_pairs_of_rp2(method: str) -> None:
    """Same disposals from same lots in same quantities and order; basis and proceeds to the micro-dollar; the term.

    RP2 does not round. We round the basis taken so far, so that the pieces of a lot sum to its basis: a piece is off by
    less than a micro-dollar, and by half a one more for each year end between, where the basis left is rounded.
    """
    rng = np.random.default_rng(rp2_peer.METHODS.index(method))
    by_price = method in ("hifo", "lofo")  # RP2 ranks by price without fee: shown below
    histories = {f"t{n:04d}": random_history(rng, fees=not by_price) for n in range(HISTORIES)}
    found = ours(book_of(histories, method))
    seen = {"same term": 0, "365 days": 0}
    for taxpayer, rows in histories.items():
        at = {row.name: row.at for row in rows}
        theirs, mine = rp2_peer.pairs(rp2_peer.history(rows), method), found.get(taxpayer, [])
        assert [pair[:3] for pair in mine] == [pair[:3] for pair in theirs], taxpayer
        for one, other in zip(mine, theirs, strict=True):
            acquired, sold = at[one.acquisition], at[one.disposal]
            assert abs(one.basis - other.basis) <= MICRO * (2 + sold.year - acquired.year) / 2, (taxpayer, one, other)
            assert abs(one.proceeds - other.proceeds) <= MICRO, (taxpayer, one, other)
            differs = law_calls_short_and_rp2_long(acquired, sold)
            assert (one.term == other.term) is not differs, (taxpayer, one, other)
            assert not differs or (one.term, other.term) == ("short", "long")
            seen["365 days" if differs else "same term"] += 1
    assert seen["same term"] > 4 * HISTORIES
    assert seen["365 days"] > HISTORIES // 20


# --- differences, each by hand ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("acquired", "sold", "law", "rp2"),
    [
        ("2023-06-30", "2024-06-28", "short", "short"),
        ("2023-06-30", "2024-06-29", "short", "long"),  # 365 days over a 29 February: a day less than a year
        ("2023-06-30", "2024-06-30", "short", "long"),  # 366 days: one year, and not more (IRC 1222(1)-(4))
        ("2023-06-30", "2024-07-01", "long", "long"),
        ("2022-06-30", "2023-06-30", "short", "long"),  # a common year: 365 days are one year, and not more
        ("2022-06-30", "2023-07-01", "long", "long"),
        (
            "2023-02-28",
            "2024-02-29",
            "short",
            "long",
        ),  # the year begins on 1 March: 29 February is in it (Rev. Rul. 66-7)
        ("2023-02-28", "2024-03-01", "long", "long"),
        ("2020-02-29", "2021-02-28", "short", "long"),
        ("2020-02-29", "2021-03-01", "long", "long"),
        ("2022-03-01T12:00:00", "2023-03-01T11:59:59", "short", "short"),  # RP2 counts hours; the law counts days
        ("2022-03-01T12:00:00", "2023-03-01T12:00:00", "short", "long"),
    ],
)
def test_rp2_s_365_days_are_not_the_law_s_more_than_one_year(acquired: str, sold: str, law: str, rp2: str) -> None:
    mine, theirs = both("fifo", buy("lot", acquired, "1", "100"), sell("sale", sold, "1", "150"))
    assert [pair.term for pair in mine] == [law]
    assert [pair.term for pair in theirs] == [rp2]


FEE_TURNS = (buy("a", "2023-01-01", "1", "100"), buy("b", "2023-01-02", "1", "99", fee="5"))
"""By price a (100) is dearer than b (99); by basis, which the fee belongs to, b (104) is dearer than a (100)."""


def test_rp2_s_hifo_ignores_the_fee_that_is_basis() -> None:
    # Reg. 1.1012-1(h)(1): basis is cost and the costs of the transaction. The highest basis is b's 104.
    mine, theirs = both("hifo", *FEE_TURNS, sell("sale", "2023-03-01", "1", "150"))
    assert [(pair.acquisition, pair.basis) for pair in mine] == [("b", 104)]
    assert [(pair.acquisition, pair.basis) for pair in theirs] == [("a", 100)]


def test_rp2_s_lofo_ignores_the_fee_that_is_basis() -> None:
    # The lowest basis is a's 100; by price RP2 takes b, whose basis it then gives as 104, fee and all.
    mine, theirs = both("lofo", *FEE_TURNS, sell("sale", "2023-03-01", "1", "150"))
    assert [(pair.acquisition, pair.basis) for pair in mine] == [("a", 100)]
    assert [(pair.acquisition, pair.basis) for pair in theirs] == [("b", 104)]


def test_rp2_s_proceeds_of_a_sale_keep_the_dollars_of_its_fee() -> None:
    # Reg. 1.1001-7(b)(1): what is realised is less the costs of the sale: 150 - 3 = 147. RP2 takes off none in dollars.
    mine, theirs = both("fifo", buy("lot", "2023-01-01", "1", "100"), sell("sale", "2023-03-01", "1", "150", fee="3"))
    assert [pair.proceeds for pair in mine] == [147]
    assert [pair.proceeds for pair in theirs] == [150]


def test_rp2_gives_no_answer_where_more_is_sold_than_was_bought() -> None:
    # Ours pairs what there is, and asks: 2 sold for 300, 1 known at 100; the other's basis is unknown, not nil.
    rows = (buy("lot", "2023-01-01", "1", "100"), sell("sale", "2023-03-01", "2", "300"))
    with pytest.raises(rp2_peer.RP2ValueError, match="crypto value < total taxable"):
        rp2_peer.pairs(rp2_peer.history(rows), "fifo")
    book = book_of({"jane": list(rows)}, "fifo")
    assert [pair[1:5] for pair in ours(book)["jane"]] == [("lot", 1, 100, 150), (None, 1, None, 150)]
    faults = book.faults.filter(fault="shortfall").select("fault", "quantity", "dollars_at_stake").rows()
    assert faults == [("shortfall", Decimal(1), Decimal(150))]


def test_rp2_lends_a_lot_to_a_sale_that_stands_before_it_at_the_same_instant() -> None:
    # Our book takes rows in its order. (Movements put what comes in first at one instant, so that a night agrees.)
    rows = [
        buy("old", "2023-01-01", "1", "100"), sell("sale", "2023-03-01", "1", "150"), buy("new", "2023-03-01", "1", "140"),
    ]  # fmt: skip
    mine, theirs = both("lifo", *rows)
    assert [pair.acquisition for pair in mine] == ["old"]
    assert [pair.acquisition for pair in theirs] == ["new"]
    rows[1:] = rows[:0:-1]
    mine, theirs = both("lifo", *rows)
    assert [pair.acquisition for pair in mine] == [pair.acquisition for pair in theirs] == ["new"]


def test_rp2_cannot_see_less_than_ten_to_the_minus_thirteen_of_a_unit() -> None:
    # A sale of 1 leaves 10^-14 of the first lot (many coins have eighteen places). RP2 takes the lot for sold out.
    mine, theirs = both(
        "fifo", buy("a", "2023-01-01", "1.00000000000001", "100"), sell("first", "2023-02-01", "1", "150"),
        buy("b", "2023-03-01", "1", "100"), sell("second", "2023-04-01", "0.5", "75"),
    )  # fmt: skip
    rest, of_b = Decimal("0.00000000000001"), Decimal("0.49999999999999")
    assert [pair[:3] for pair in mine] == [("first", "a", 1), ("second", "a", rest), ("second", "b", of_b)]
    assert [pair[:3] for pair in theirs] == [("first", "a", 1), ("second", "b", Decimal("0.5"))]


def test_rp2_s_prices_that_differ_beyond_thirteen_places_are_ties() -> None:
    # 10^9 tokens of one micro-dollar more a lot: 10^-15 a token. HIFO takes the dearer one; RP2 the older one.
    lots_ = (buy("a", "2023-01-01", "1000000000", "1"), buy("b", "2023-01-02", "1000000000", "1.000001"))
    mine, theirs = both("hifo", *lots_, sell("sale", "2023-03-01", "1000000000", "2"))
    assert [pair.acquisition for pair in mine] == ["b"]
    assert [pair.acquisition for pair in theirs] == ["a"]


def test_rp2_takes_no_lot_without_a_cost_and_no_sale_for_nothing() -> None:
    # Both exist: coins received free of any cost have a basis of nil, and worthless coins are sold for nothing.
    free, paid = buy("free", "2023-01-01", "1", "0"), buy("paid", "2023-01-02", "1", "10")
    for_nothing = sell("sale", "2023-03-01", "2", "0")
    for rows in ([free], [paid, for_nothing]):
        with pytest.raises(rp2_peer.RP2ValueError, match="'spot_price' cannot be 0"):
            rp2_peer.history(rows)
    pieces = ours(book_of({"jane": [free, paid, for_nothing]}, "fifo"))["jane"]
    assert [pair[1:5] for pair in pieces] == [("free", 1, 0, 0), ("paid", 1, 10, 0)]
