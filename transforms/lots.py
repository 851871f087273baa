"""The lot book: matches exits of units with lots, exactly, in plain Python integers. No price, no calendar, no form.

This is the reference engine: one time-ordered pass over a taxpayer's movements. Quantities are integers of 10^-18 unit
and money integers of a micro-dollar. A *lot* is an acquisition; a *slot* is the part of a lot that sits in one pool and
account. A pool is a wallet (Reg. 1.1012-1(j)), the one universal pool that some clients kept before 2025, a transfer
under way, or the outside. Pieces of a slot's basis come from cumulative rounding over the slot's base, so that they sum
to it; the base is set anew at the first touch in a tax year and when more of the lot arrives, so that quantity and
basis at a year end are all the state there is, and a run from them gives the rows of a full run.
"""

from __future__ import annotations

import datetime as dt
import gc
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import polars as pl

from schemas.fields import INSTANT, MONEY, QUANTITY, UNTAXED
from schemas.gate import conform, dtypes, empty
from schemas.ledger import Picks
from schemas.tax import ClosingLots, LotMoves, Lots
from transforms.exact import from_ints, share, to_ints
from transforms.holding import long_term_from
from transforms.methods import WALLET_YEAR, out_of_time

UNIVERSAL = "universal"
SPLIT_ID = "allocation-2025"
"""`transfer_id` of the moves that split a universal pool into wallets on 2025-01-01 (Rev. Proc. 2024-28)."""
NO_ZONES = pl.DataFrame(schema={"taxpayer_id": pl.String, "valid_from": pl.Date, "time_zone": pl.String})
NO_PICKS = empty(Picks)
SPLIT_AT = int(dt.datetime(2025, 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000

MONEY_OR_NONE: TypeAlias = int | None

FAULTS: dict[str, Any] = {
    "taxpayer_id": pl.String,
    "fault": pl.String,
    "tax_year": pl.Int64,
    "account_id": pl.String,
    "asset": pl.String,
    "event_id": pl.String,
    "quantity": QUANTITY,
    "dollars_at_stake": MONEY,
    "movement": pl.String,
    "reason": pl.String,
}
CONVERSIONS: dict[str, Any] = {
    "taxpayer_id": pl.String,
    "tax_year": pl.Int64,
    "event_id": pl.String,
    "from_asset": pl.String,
    "from_lot_id": pl.String,
    "from_quantity": QUANTITY,
    "to_asset": pl.String,
    "to_lot_id": pl.String,
    "to_quantity": QUANTITY,
    "basis": MONEY,
}


class LotBook(NamedTuple):
    """What a run gives. Rows come by taxpayer and in the order of the movements (closing lots and lots by id)."""

    lots: pl.DataFrame
    """schemas.tax.Lots: the lots that entered in the range of years."""
    lot_moves: pl.DataFrame
    """schemas.tax.LotMoves; a move under way at a year end is booked when it arrives."""
    gains: pl.DataFrame
    """schemas.tax.Gains without return_id, collectible and on_return, and with `lot_basis`: the basis that left the lot
    (`basis` differs from it where a gift's loss basis was used)."""
    closing_lots: pl.DataFrame
    """schemas.tax.ClosingLots for each year of the range."""
    faults: pl.DataFrame
    """See FAULTS: shortfall (units that nothing covers, by movement), account_overdrawn (units that a universal pool
    covers from other accounts than the one they left), universal_unallocated, lot_book_failed."""
    conversions: pl.DataFrame
    """See CONVERSIONS: the part of a lot that became a part of another asset's lot."""


def run(
    movements: pl.DataFrame,
    opening: pl.DataFrame,
    universal: Collection[str],
    allocations: pl.DataFrame,
    wallets: pl.DataFrame,
    years: tuple[int, int],
    zones: pl.DataFrame = NO_ZONES,
    picks: pl.DataFrame = NO_PICKS,
) -> LotBook:
    """The lot book of all taxpayers over a range of tax years, in one pass.

    Args:
        movements: schemas.ledger.Movements; those of other years are left out.
        opening: the slots held at the end of the year before the range, as `opening_slots` gives them; may be empty.
        universal: taxpayers with one pool an asset before 2025-01-01; all others keep wallets throughout, and so do
            their accounts that are not taxable.
        allocations: rows of allocations_2025.csv; those out of time do not count (`methods.out_of_time`).
        wallets: account_id, wallet, treatment; an account without a row is a taxable wallet of its own.
        years: first and last tax year; closing lots are given for each.
        zones: taxpayer_id, valid_from, time_zone: the calendar of the stamps of allocations; none is UTC.
        picks: schemas.ledger.Picks: the lots that a disposal takes before its method. The piece of such a lot has the
            pick's `lot_method`, also where the method took more of it.

    A taxpayer whose book breaks goes to `faults` (lot_book_failed) with the type of the error; the others go on.
    """
    first, last = years
    ordered = movements.filter(pl.col("tax_year").is_between(first, last)).sort("taxpayer_id", "sequence")
    opening = opening.sort("taxpayer_id", "lot_id", "pool", "account_id")
    roots = pl.concat([_opening_roots(opening), _movement_roots(ordered)])
    spans, carried = _spans(ordered["taxpayer_id"].to_list()), _carried(opening)
    wallet_of = dict(wallets.select("account_id", "wallet").iter_rows())
    apart = wallets.filter(pl.col("treatment") != "taxable")
    sales = movements.filter(pl.col("movement") == "dispose").join(apart, on="account_id", how="anti")
    given = _allocations(allocations, out_of_time(allocations, sales, zones))
    with _no_garbage():
        rows, out = _rows(ordered, picks), _Out(roots.height)
        for taxpayer in sorted(spans.keys() | carried.keys()):
            book = _Book(
                taxpayer, rows, out, opening.height, wallet_of, frozenset(apart["account_id"]), given.get(taxpayer, {}),
                shared=taxpayer in universal and first <= WALLET_YEAR,
            )  # fmt: skip
            mark = out.mark()
            try:
                book.run(carried.get(taxpayer, []), spans.get(taxpayer, range(0)), first, last)
            except (ArithmeticError, LookupError, ValueError, TypeError, AssertionError) as error:
                out.back_to(mark)
                out.faults.append((taxpayer, "lot_book_failed", first, *[None] * 6, type(error).__name__))
        return _frames(ordered, roots, out)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Pauses the collector of reference cycles: a book makes millions of small objects and no cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def opening_slots(closing_lots: pl.DataFrame, lots: pl.DataFrame, year: int) -> pl.DataFrame:
    """The opening of a run that starts the year after `year`: its closing lots with what their lots once cost.

    Args:
        closing_lots: schemas.tax.ClosingLots of any years.
        lots: schemas.tax.Lots of all years up to `year`: original quantity and basis rank a lot for HIFO and LOFO.
        year: the last year that stays as it is.

    Returns:
        Columns of ClosingLots and acquisition_event_id, lot_quantity, lot_basis, lot_loss_basis.
    """
    cost = lots.select(
        "lot_id", "acquisition_event_id", lot_quantity="quantity", lot_basis="basis", lot_loss_basis="loss_basis"
    )
    joined = closing_lots.filter(tax_year=year).join(cost, on="lot_id", how="left", maintain_order="left")
    lone = pl.col("lot_quantity").is_null()  # a record that names no lot of the books is its own lot
    return joined.with_columns(
        acquisition_event_id=pl.coalesce("acquisition_event_id", "lot_id"),
        lot_quantity=pl.coalesce("lot_quantity", "quantity"),
        lot_basis=pl.when(lone).then("basis").otherwise("lot_basis"),
        lot_loss_basis=pl.when(lone).then("loss_basis").otherwise("lot_loss_basis"),
    )


def no_opening() -> pl.DataFrame:
    """An opening of no slots: the books begin."""
    return opening_slots(empty(ClosingLots), empty(Lots), 0)


def conservation(movements: pl.DataFrame, opening: pl.DataFrame, book: LotBook, last: int) -> pl.DataFrame:
    """Whether nothing was lost or made up, by taxpayer and asset, summed on Python integers.

    Args:
        movements: what the run was given, of its range of years: the acquisitions must all be there as lots.
        opening: what the run was given.
        book: what it gave; taxpayers whose book failed are left out.
        last: the last year of the range.

    Returns:
        taxpayer_id, asset, units_in, units_out, basis_in, basis_out (text of integers: 10^-18 units, micro-dollars),
        holds. In: opening, acquisitions, units that arrived beyond what had departed, conversions in. Out: pieces,
        conversions out, held at the end.
    """
    failed = book.faults.filter(fault="lot_book_failed")["taxpayer_id"].implode()
    acquired = movements.filter(movement="acquire")
    entered = book.lots.join(acquired.select(lot_id="movement_id"), on="lot_id", how="anti")
    sides = [
        ("in", opening, "quantity", "basis"),
        ("in", acquired.with_columns(basis="amount"), "quantity", "basis"),
        ("in", entered, "quantity", "basis"),
        ("out", book.gains.filter(pl.col("lot_id").is_not_null()), "quantity", "lot_basis"),
        ("out", book.conversions.rename({"from_asset": "asset"}), "from_quantity", "basis"),
        ("out", book.closing_lots.filter(tax_year=last), "quantity", "basis"),
    ]
    totals: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for side, frame, quantity, basis in sides:
        kept = frame.filter(~pl.col("taxpayer_id").is_in(failed))
        at = 0 if side == "in" else 2
        cells = (kept["taxpayer_id"], kept["asset"], to_ints(kept[quantity]), to_ints(kept[basis]))
        for taxpayer, asset, units, money in zip(*cells, strict=True):
            total = totals[taxpayer, asset]
            total[at] += units or 0
            total[at + 1] += money or 0
    names = ("taxpayer_id", "asset", "units_in", "basis_in", "units_out", "basis_out", "holds")
    lines = [(taxpayer, asset, *map(str, total), total[:2] == total[2:]) for (taxpayer, asset), total in totals.items()]
    types = dict.fromkeys(names, pl.String) | {"holds": pl.Boolean}
    return pl.DataFrame(lines, schema=types, orient="row").sort("taxpayer_id", "asset")


# --- lots, slots, pools -------------------------------------------------------------------------------------------


class _Lot:
    """An acquisition as the matching needs it; `index` points into the frame of roots."""

    __slots__ = (
        "acquired_at", "basis", "dual", "event_id", "index", "long_from", "loss_long_from", "lot_id", "quantity",
    )  # fmt: skip

    def __init__(
        self, index: int, lot_id: str, event_id: str, acquired_at: int, long_from: int, loss_long_from: int,
        quantity: int, basis: MONEY_OR_NONE, *, dual: bool,
    ) -> None:  # fmt: skip
        self.index = index
        self.lot_id = lot_id
        self.event_id = event_id
        self.acquired_at = acquired_at
        self.long_from = long_from
        self.loss_long_from = loss_long_from
        self.quantity = quantity
        self.basis = basis
        self.dual = dual  # a gift whose loss basis differs (IRC 1015(a))

    @property
    def unit_cost(self) -> int:
        """An integer that orders lots exactly by original basis a unit, fees included; -1 where unknown."""
        return -1 if self.basis is None else (self.basis << 250) // self.quantity


class _Slot:
    """The part of a lot in one pool and account, and the base over which its basis is rounded."""

    __slots__ = (
        "account", "base_basis", "base_loss", "base_quantity", "basis", "loss", "lot", "quantity", "status", "year",
    )  # fmt: skip

    def __init__(
        self, lot: _Lot, account: str, quantity: int, basis: MONEY_OR_NONE, loss: MONEY_OR_NONE, status: str, year: int
    ) -> None:
        self.lot = lot
        self.account = account
        self.status = status
        self.quantity = self.base_quantity = quantity
        self.basis = self.base_basis = basis
        self.loss = self.base_loss = loss if lot.dual else None
        self.year = year

    def rebase(self, year: int) -> None:
        self.base_quantity, self.base_basis, self.base_loss, self.year = self.quantity, self.basis, self.loss, year

    def put(self, quantity: int, basis: MONEY_OR_NONE, loss: MONEY_OR_NONE, status: str, year: int) -> None:
        """More of the same lot arrives."""
        self.quantity += quantity
        self.basis = None if self.basis is None or basis is None else self.basis + basis
        self.loss = None if self.loss is None or loss is None else self.loss + loss
        self.status = max(self.status, status, key=_STATUS_WEIGHT.__getitem__)
        self.rebase(year)

    def take(self, quantity: int, year: int) -> tuple[MONEY_OR_NONE, MONEY_OR_NONE]:
        """Remove units; the basis and the loss basis that go with them."""
        if self.year != year:
            self.rebase(year)
        self.quantity -= quantity
        basis, loss = self.basis, self.loss
        if not self.quantity:
            self.basis = self.loss = 0
            return basis, loss if self.lot.dual else basis
        used = self.base_quantity - self.quantity
        if basis is not None:
            self.basis = self.base_basis - share(self.base_basis, used, self.base_quantity)  # type: ignore[operator, arg-type]
            basis -= self.basis
        if not self.lot.dual:
            return basis, basis
        if loss is not None:
            self.loss = self.base_loss - share(self.base_loss, used, self.base_quantity)  # type: ignore[operator, arg-type]
            loss -= self.loss
        return basis, loss


_STATUS_WEIGHT = {"known": 0, "assumed": 1, "unallocated": 2, "unknown": 3}


_Pick: TypeAlias = tuple[str, int | None, str]
"""A lot to be taken first, at most how many of its units (null: all), and the name of that choice."""
_NO_PICK: list[_Pick] = []
_Part: TypeAlias = tuple[_Slot, int, MONEY_OR_NONE, MONEY_OR_NONE]
"""What an exit took from a slot: units, basis, loss basis. (A plain tuple: the hot loop makes one a piece.)"""


class _Reversed:
    """A sort key that turns its order round: LIFO is FIFO backwards, ties included."""

    __slots__ = ("key",)

    def __init__(self, key: tuple[Any, ...]) -> None:
        self.key = key

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.key < self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _fifo(slot: _Slot) -> tuple[Any, ...]:
    """Earliest acquired by the taxpayer, whenever moved in (Reg. 1.1012-1(j)(3)(i)); the law is silent on ties."""
    lot = slot.lot
    return (lot.acquired_at, lot.event_id, lot.lot_id, slot.account)


def _lifo(slot: _Slot) -> tuple[Any, ...]:
    return (_Reversed(_fifo(slot)),)


def _hifo(slot: _Slot) -> tuple[Any, ...]:
    return (-slot.lot.unit_cost, *_fifo(slot))


def _lofo(slot: _Slot) -> tuple[Any, ...]:
    return (slot.lot.basis is None, slot.lot.unit_cost, *_fifo(slot))


_ORDERS = {"fifo": _fifo, "lifo": _lifo, "hifo": _hifo, "lofo": _lofo}


class _Pool:
    """The slots of one asset in one pool, with a heap for each method that was ever asked for."""

    __slots__ = ("heaps", "serial", "slots")

    def __init__(self) -> None:
        self.slots: dict[tuple[str, str], _Slot] = {}
        self.heaps: dict[str, list[tuple[Any, ...]]] = {}
        self.serial = 0  # no two heap entries are equal, so slots are never compared

    def add(
        self, lot: _Lot, account: str, quantity: int, basis: MONEY_OR_NONE, loss: MONEY_OR_NONE, status: str, year: int
    ) -> None:
        key = (lot.lot_id, account)
        slot = self.slots.get(key)
        if slot is not None:
            slot.put(quantity, basis, loss, status, year)
            return
        slot = self.slots[key] = _Slot(lot, account, quantity, basis, loss, status, year)
        for method, heap in self.heaps.items():
            self.serial += 1
            heappush(heap, (_ORDERS[method](slot), self.serial, slot))

    def draw(
        self, quantity: int, method: str, picked: list[_Pick], year: int, sale: tuple[int, int, int] | None = None
    ) -> tuple[list[_Part], int]:
        """Take units: the picked lots first, then by method; the parts, and the units that the pool lacks.

        `sale` = date, proceeds, quantity lets `taxmin` see gains and terms; without it taxmin is hifo.
        """
        parts: list[_Part] = []
        for lot_id, most, _ in picked:
            left = quantity if most is None else min(most, quantity)
            for key in sorted(key for key in self.slots if key[0] == lot_id):
                if left:
                    taken = self._take(self.slots[key], left, year, parts)
                    left, quantity = left - taken, quantity - taken
        if method == "taxmin" and sale is not None:
            for slot in sorted(self.slots.values(), key=lambda slot: _taxmin(slot, *sale)):
                if quantity:
                    quantity -= self._take(slot, quantity, year, parts)
        heap = self._heap("hifo" if method == "taxmin" else method)
        while quantity and heap:
            slot = heap[0][2]
            if slot.quantity:
                quantity -= self._take(slot, quantity, year, parts)
            if not slot.quantity:
                heappop(heap)
        return parts, quantity

    def _heap(self, method: str) -> list[tuple[Any, ...]]:
        heap = self.heaps.get(method)
        if heap is None:
            order = _ORDERS[method]
            heap = self.heaps[method] = [(order(slot), -n, slot) for n, slot in enumerate(self.slots.values())]
            heapify(heap)
        return heap

    def _take(self, slot: _Slot, quantity: int, year: int, parts: list[_Part]) -> int:
        taken = min(quantity, slot.quantity)
        parts.append((slot, taken, *slot.take(taken, year)))
        if not slot.quantity:
            del self.slots[slot.lot.lot_id, slot.account]
        return taken

    def in_fifo_order(self) -> list[_Slot]:
        return sorted(self.slots.values(), key=_fifo)


def _taxmin(slot: _Slot, date: int, proceeds: int, quantity: int) -> tuple[Any, ...]:
    """Short-term loss, long-term loss, long-term gain, short-term gain; dearest first within; unknown basis last."""
    lot = slot.lot
    if lot.basis is None:
        return (4, 0, *_fifo(slot))
    loss = lot.basis * quantity > proceeds * lot.quantity
    long = date >= (lot.loss_long_from if loss and lot.dual else lot.long_from)
    rank = (1 if long else 0) if loss else (2 if long else 3)
    return (rank, -lot.unit_cost, *_fifo(slot))


# --- one taxpayer's book ------------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Part of a universal pool as it lies in an account (or on its way from one)."""

    slot: _Slot
    account: str
    pool: str
    quantity: int
    basis: MONEY_OR_NONE
    loss: MONEY_OR_NONE


class _Book:
    """The book of one taxpayer: takes movements in order, writes to the shared output."""

    def __init__(
        self, taxpayer: str, rows: _Rows, out: _Out, offset: int, wallets: dict[str, str], apart: frozenset[str],
        allocations: dict[str, _Allocations], *, shared: bool,
    ) -> None:  # fmt: skip
        self.taxpayer = taxpayer
        self.rows = rows
        self.out = out
        self.offset = offset
        self.wallets = wallets
        self.apart = apart  # accounts that are in no universal pool: IRA, HSA, excluded
        self.allocations = allocations
        self.shared = shared  # the universal pool is still one
        self.year = 0
        self.pools: dict[tuple[str, str], _Pool] = defaultdict(_Pool)
        self.converting: dict[str, tuple[str, list[_Part], int]] = {}
        # Units of a universal pool by where they lie: (account, pool), the pool being universal or a transfer.
        self.units: dict[str, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))

    def run(self, carried: list[_Carried], span: range, first: int, last: int) -> None:
        """Take the slots carried in, then the movements; close every year of the range."""
        self.year = first - 1
        for slot in carried:
            self._carry(slot)
        self._turn(first)
        steps = {
            "acquire": self._acquire, "dispose": self._dispose, "depart": self._depart, "arrive": self._arrive,
            "outside": self._outside, "convert_out": self._convert_out, "convert_in": self._convert_in,
        }  # fmt: skip
        years, movement = self.rows.year, self.rows.movement
        for row in span:
            while self.year < years[row]:
                self._close()
                self._turn(self.year + 1)
            steps[movement[row]](row)
        while self.year < last:
            self._close()
            self._turn(self.year + 1)
        self._close()

    def _turn(self, year: int) -> None:
        self.year = year
        if self.shared and year >= WALLET_YEAR:
            self._split()
            self.shared = False

    def _pooled(self, account: str) -> bool:
        """Whether what lies in the account is part of the universal pool."""
        return self.shared and account not in self.apart

    def _pool(self, row: int) -> _Pool:
        shared = self._pooled(self.rows.account[row])
        return self.pools[self.rows.asset[row], UNIVERSAL if shared else self.rows.wallet[row]]

    def _enter(
        self, row: int, lot: _Lot, quantity: int, basis: MONEY_OR_NONE, loss: MONEY_OR_NONE, status: str
    ) -> None:
        """Units come to rest in the row's account."""
        account = self.rows.account[row]
        if self._pooled(account):
            self.units[self.rows.asset[row]][account, UNIVERSAL] += quantity
            account = ""
        self._pool(row).add(lot, account, quantity, basis, loss, status, self.year)

    def _leave(
        self, row: int, picked: list[_Pick] = _NO_PICK, sale: tuple[int, int, int] | None = None
    ) -> tuple[list[_Part], int]:
        """Units leave the row's account by the method in force; the parts, and the units that the pool lacks."""
        rows = self.rows
        quantity = rows.quantity[row]
        parts, lacking = self._pool(row).draw(quantity, rows.method[row] or "fifo", picked, self.year, sale)
        if self._pooled(rows.account[row]):
            self._draw_down(row, quantity - lacking)
        if lacking:
            self._shortfall(row, lacking)
        return parts, lacking

    def _draw_down(self, row: int, quantity: int) -> None:
        """Units of a universal pool leave the account they lie in; the pool may give more than lies there."""
        units, here = self.units[self.rows.asset[row]], (self.rows.account[row], UNIVERSAL)
        lacking = quantity - max(0, min(quantity, units[here]))
        units[here] -= quantity
        if lacking:
            self._fault(row, "account_overdrawn", lacking, "more units left than the account holds")

    def _shortfall(self, row: int, lacking: int) -> None:
        self._fault(row, "shortfall", lacking, "more units left than the books hold")

    def _fault(self, row: int, fault: str, lacking: int, reason: str) -> None:
        """Units that are not there, with their part of the row's amount at stake."""
        rows, stake = self.rows, self.rows.amount[row]
        if stake is not None:
            stake = abs(stake - share(stake, rows.quantity[row] - lacking, rows.quantity[row]))
        self.out.faults.append((self.taxpayer, fault, self.year, rows.account[row], rows.asset[row], rows.event_id[row],
                                lacking, stake, rows.movement[row], reason))  # fmt: skip

    def _acquire(self, row: int) -> None:
        rows = self.rows
        quantity, basis, loss = rows.quantity[row], rows.amount[row], rows.loss_amount[row]
        long_from, loss_long_from = rows.long_from[row], rows.loss_long_from[row]
        if loss is None:
            loss = basis
        lot = _Lot(
            self.offset + row, rows.movement_id[row], rows.event_id[row], rows.acquired_at[row], long_from,
            loss_long_from, quantity, basis, dual=loss != basis,
        )  # fmt: skip
        self.out.entered.append(row)
        self._enter(row, lot, quantity, basis, loss, rows.status[row])

    def _unknown(self, row: int, quantity: int) -> None:
        """Units that came in beyond what had left: a lot of unknown basis, never zero."""
        index = self.out.derive(self.offset + row, row, self.rows.movement_id[row], quantity, None, None, "unknown")
        rows = self.rows
        lot = _Lot(
            index, rows.movement_id[row], rows.event_id[row], rows.acquired_at[row], rows.long_from[row],
            rows.loss_long_from[row], quantity, None, dual=False,
        )  # fmt: skip
        self._enter(row, lot, quantity, None, None, "unknown")

    def _dispose(self, row: int) -> None:
        rows, out = self.rows, self.out
        quantity, date = rows.quantity[row], rows.date[row]
        untaxed = rows.kind[row] in UNTAXED
        amount = None if untaxed else rows.amount[row]
        sale = None if amount is None else (date, amount, quantity)
        picked = rows.picked.get(rows.movement_id[row], _NO_PICK)
        parts, lacking = self._leave(row, picked, sale)
        labels = {lot_id: label for lot_id, _, label in picked}
        done = paid = 0
        for slot, units, basis, loss in _by_lot(parts):
            proceeds = None
            if amount is not None:
                done += units
                proceeds = (amount if done == quantity else share(amount, done, quantity)) - paid
                paid += proceeds
            out.pieces.append((row, slot.lot.index, units, proceeds, basis, slot.status, labels.get(slot.lot.lot_id),
                               *_result(slot.lot, date, proceeds, basis, loss, untaxed=untaxed)))  # fmt: skip
        if lacking:
            rest = None if amount is None else amount - paid
            out.pieces.append((row, -1, lacking, rest, None, "unknown", None, None, None, None, False))

    def _depart(self, row: int) -> None:
        rows = self.rows
        asset, link = rows.asset[row], f"transit:{rows.link[row]}"
        if not self._pooled(rows.account[row]):
            self._send(row, link)
            return
        units, quantity = self.units[asset], rows.quantity[row]
        moved = min(quantity, sum(n for (_, pool), n in units.items() if pool == UNIVERSAL))
        self._draw_down(row, moved)
        units[rows.account[row], link] += moved
        if moved < quantity:
            self._shortfall(row, quantity - moved)

    def _outside(self, row: int) -> None:
        self._send(row, f"outside:{self.rows.movement_id[row]}")

    def _send(self, row: int, name: str) -> None:
        """Lots leave for a pool that is no wallet; their account stays the one they left."""
        parts, _ = self._leave(row)
        if not parts:
            return
        target = self.pools[self.rows.asset[row], name]
        for slot, units, basis, loss in parts:
            target.add(slot.lot, self.rows.account[row], units, basis, loss, slot.status, self.year)

    def _arrive(self, row: int) -> None:
        rows = self.rows
        asset, account, link = rows.asset[row], rows.account[row], f"transit:{rows.link[row]}"
        if self._pooled(account):
            units = self.units[asset]
            found = sum(units.pop(key) for key in [key for key in units if key[1] == link])
            units[account, UNIVERSAL] += found
        else:
            transit = self.pools.pop((asset, link), None)
            found = 0
            for slot in transit.in_fifo_order() if transit else ():
                found += slot.quantity
                self.out.moves.append((self.taxpayer, slot.lot.index, asset, rows.link[row], slot.account, account,
                                       slot.quantity, slot.basis, rows.at[row], self.year))  # fmt: skip
                loss = slot.loss if slot.lot.dual else slot.basis
                self._enter(row, slot.lot, slot.quantity, slot.basis, loss, slot.status)
        if found < rows.quantity[row]:
            self._shortfall(row, rows.quantity[row] - found)
            self._unknown(row, rows.quantity[row] - found)

    def _convert_out(self, row: int) -> None:
        parts, _ = self._leave(row)
        self.converting[self.rows.link[row]] = (self.rows.asset[row], parts, self.rows.quantity[row])

    def _convert_in(self, row: int) -> None:
        """Each lot that left becomes a lot of the new asset: basis and dates stay, units in proportion.

        A lot too small to become a unit of the 18th decimal gives its basis to the next larger one.
        """
        rows = self.rows
        received = rows.quantity[row]
        asset, parts, sent = self.converting.pop(rows.link[row], ("", [], received))
        left = done = 0
        dust: list[_Part] = []
        for slot, units, basis, loss in sorted(_by_lot(parts), key=lambda part: part[1]):
            left += units
            new = share(received, left, sent) - done
            done += new
            if new:
                self._converted(row, asset, new, [*dust, (slot, units, basis, loss)])
                dust = []
            else:
                dust.append((slot, units, basis, loss))
        if dust:
            raise ArithmeticError  # nothing is large enough to carry their basis
        if done < received:
            self._unknown(row, received - done)

    def _converted(self, row: int, asset: str, new: int, parts: list[_Part]) -> None:
        """One lot of the new asset, out of the last part with the dust before it."""
        rows, old, status = self.rows, parts[-1][0].lot, parts[-1][0].status
        basis = _sum(part[2] for part in parts) if parts[-1][2] is not None else None
        loss = _sum(part[3] for part in parts) if parts[-1][3] is not None else None
        lot_id = f"{rows.movement_id[row]}<{old.lot_id}"
        index = self.out.derive(old.index, row, lot_id, new, basis, loss, status)
        lot = _Lot(index, lot_id, rows.event_id[row], old.acquired_at, old.long_from, old.loss_long_from, new, basis,
                   dual=loss != basis)  # fmt: skip
        for slot, units, carried, _ in parts:
            self.out.conversions.append((self.taxpayer, self.year, rows.event_id[row], asset, slot.lot.index, units,
                                         rows.asset[row], lot_id, new if slot.lot is old else 0, carried))  # fmt: skip
        self._enter(row, lot, new, basis, loss, status)

    # --- year ends, and the end of the universal pool

    def _close(self) -> None:
        closing, year = self.out.closing, self.year
        for (asset, name), pool in self.pools.items():
            if self.shared and name == UNIVERSAL:
                for slot, account, where, quantity, basis, loss in self._place(asset):
                    closing.append((year, slot.lot.index, account, where, quantity, basis, loss, slot.status, asset))
                continue
            for slot in pool.slots.values():
                loss = slot.loss if slot.lot.dual else slot.basis
                closing.append((year, slot.lot.index, slot.account, name, slot.quantity, slot.basis, loss, slot.status,
                                asset))  # fmt: skip

    def _carry(self, carried: _Carried) -> None:
        """A slot from the year before; what lies in a universal pool is one slot a lot again."""
        name, account = carried.pool, carried.account
        if self._pooled(account) and not name.startswith("outside:"):
            self.units[carried.asset][account, name] += carried.quantity
            name, account = UNIVERSAL, ""
        pool = self.pools[carried.asset, name]
        pool.add(carried.lot, account, carried.quantity, carried.basis, carried.loss, carried.status, self.year)

    def _place(self, asset: str) -> list[_Place]:
        """A universal pool laid out over accounts and transfers under way, by the units that they hold.

        Accounts in the order of their ids, lots in FIFO order. An account that gave more than it had is empty, and the
        last ones hold less: from here on that is where the units are.
        """
        slots = self.pools[asset, UNIVERSAL].in_fifo_order()
        wanted = self.units[asset]
        homes = sorted((key for key, units in wanted.items() if units > 0), key=lambda key: (key[1] != UNIVERSAL, key))
        places: list[_Place] = []
        pieces = _cut(slots)
        for account, pool in homes:
            for slot, units, basis, loss in pieces.take(wanted[account, pool]):
                places.append(_Place(slot, account, pool, units, basis, loss))
        held: dict[tuple[str, str], int] = defaultdict(int)
        for place in places:
            held[place.account, place.pool] += place.quantity
        self.units[asset] = held
        return places

    def _home(self, place: tuple[str, str]) -> str:
        """The pool that (account, pool) of a universal pool becomes: the account's wallet, or the transfer under way."""
        account, pool = place
        return self.wallets.get(account, account) if pool == UNIVERSAL else pool

    def _split(self) -> None:
        """On 2025-01-01 the universal pools end: by the client's allocation where it holds, else as the units lie."""
        for asset in sorted(asset for asset, name in self.pools if name == UNIVERSAL):
            places = self._place(asset)
            slots = self.pools.pop((asset, UNIVERSAL)).in_fifo_order()
            if not places:
                continue
            allocated, why = _allocated(slots, self.units[asset], self.allocations.get(asset))
            if len({self._home((place.account, place.pool)) for place in places}) == 1:
                allocated = allocated or places  # all in one wallet: there is nothing to allocate
            for slot, account, pool, units, basis, loss in allocated or places:
                name = self._home((account, pool))
                status = slot.status if allocated or slot.basis is None else "unallocated"
                self.pools[asset, name].add(slot.lot, account, units, basis, loss, status, self.year)
                self.out.moves.append((self.taxpayer, slot.lot.index, asset, SPLIT_ID, UNIVERSAL, account, units, basis,
                                       SPLIT_AT, self.year))  # fmt: skip
            if not allocated:
                stake = sum(slot.basis or 0 for slot in slots)
                units = sum(slot.quantity for slot in slots)
                self.out.faults.append((self.taxpayer, "universal_unallocated", self.year, None, asset, None, units,
                                        stake, None, why))  # fmt: skip
        self.units.clear()


def _result(
    lot: _Lot, date: int, proceeds: MONEY_OR_NONE, basis: MONEY_OR_NONE, loss: MONEY_OR_NONE, *, untaxed: bool
) -> tuple[MONEY_OR_NONE, MONEY_OR_NONE, str | None, bool]:
    """Basis, gain and term of a piece, and whether basis and dates are those for a loss.

    A gift has two bases (IRC 1015(a); Pub. 544): over the gain basis a gain with the donor's period, under the loss
    basis a loss with the period from the gift, between them neither, shown with basis equal to proceeds.
    """
    if basis is None or loss is None:
        return None, (0 if untaxed else None), None, False
    term = "long" if date >= lot.long_from else "short"
    if proceeds is None:
        return basis, (0 if untaxed else None), term, False
    if not lot.dual or proceeds >= basis:
        return basis, proceeds - basis, term, False
    if proceeds >= loss:
        return proceeds, 0, term, False
    return loss, proceeds - loss, "long" if date >= lot.loss_long_from else "short", True


def _by_lot(parts: list[_Part]) -> list[_Part]:
    """The parts with those of one lot (from several accounts of a wallet) put together, under the weaker status."""
    if len(parts) < 2:
        return parts
    merged: dict[str, _Part] = {}
    for part in parts:
        seen = merged.get(part[0].lot.lot_id)
        if seen is not None:
            slot = max(seen[0], part[0], key=lambda slot: _STATUS_WEIGHT[slot.status])
            part = (slot, seen[1] + part[1], _plus(seen[2], part[2]), _plus(seen[3], part[3]))  # noqa: PLW2901
        merged[part[0].lot.lot_id] = part
    return list(merged.values())


def _sum(amounts: Iterable[MONEY_OR_NONE]) -> int:
    return sum(amount or 0 for amount in amounts)


def _plus(one: MONEY_OR_NONE, other: MONEY_OR_NONE) -> MONEY_OR_NONE:
    return None if one is None or other is None else one + other


class _cut:  # noqa: N801 - reads as the verb it is
    """Slots laid end to end, from which lengths are cut; the slots themselves stay as they are."""

    def __init__(self, slots: list[_Slot]) -> None:
        self.slots = slots
        self.at = self.used = 0

    def take(self, quantity: int) -> Iterator[_Part]:
        while quantity and self.at < len(self.slots):
            slot = self.slots[self.at]
            units = min(quantity, slot.quantity - self.used)
            ends = (self.used, self.used + units)
            loss = slot.loss if slot.lot.dual else slot.basis
            yield slot, units, _between(slot.basis, *ends, slot.quantity), _between(loss, *ends, slot.quantity)
            quantity -= units
            self.used += units
            if self.used == slot.quantity:
                self.at, self.used = self.at + 1, 0


def _between(total: MONEY_OR_NONE, start: int, end: int, whole: int) -> MONEY_OR_NONE:
    """The share of `total` that falls on the units from `start` to `end` of `whole`."""
    return None if total is None else share(total, end, whole) - share(total, start, whole)


class _Allocation(NamedTuple):
    """A row of the client's allocation of unused basis to an account (Rev. Proc. 2024-28)."""

    account: str
    acquired_at: int
    quantity: int
    basis: MONEY_OR_NONE


class _Allocations(NamedTuple):
    """The rows of an asset, and why they come too late."""

    rows: list[_Allocation]
    late: str | None


def _allocated(
    slots: list[_Slot], held: dict[tuple[str, str], int], given: _Allocations | None
) -> tuple[list[_Place] | None, str]:
    """The pool as allocated; None and the reason unless the allocation holds (Rev. Proc. 2024-28 s. 5.02)."""
    if given is None:
        return None, "no allocation to wallets as of 2025-01-01 is on record"
    if given.late is not None:
        return None, given.late
    return _laid_out(slots, held, given.rows), "the allocation is not the units and the unused basis of 2025-01-01"


def _laid_out(slots: list[_Slot], held: dict[tuple[str, str], int], rows: list[_Allocation]) -> list[_Place] | None:
    """The pool as the rows lay it out; None unless they are what there was.

    They are when each account is given the units that it held, and the rows of an acquisition date are together
    exactly the units and the unused basis that the lots of that date have left. Units under way on that day are in no
    account, so that no allocation can hold.
    """
    given: dict[tuple[str, str], int] = defaultdict(int)
    by_date: dict[int, list[_Slot]] = defaultdict(list)
    for row in rows:
        given[row.account, UNIVERSAL] += row.quantity
    for slot in slots:
        by_date[slot.lot.acquired_at].append(slot)
    if not rows or given != held or {row.acquired_at for row in rows} != by_date.keys():
        return None
    places: list[_Place] = []
    for date, lots in by_date.items():
        of_date = sorted((row for row in rows if row.acquired_at == date), key=lambda row: (row.account, row.quantity))
        if not _equal(lots, of_date):
            return None
        pieces = _cut(lots)
        for row in of_date:
            done = 0
            for slot, units, basis, loss in pieces.take(row.quantity):
                own = _between(row.basis, done, done + units, row.quantity)
                done += units
                places.append(_Place(slot, row.account, UNIVERSAL, units, own, loss if slot.lot.dual else own))
                assert (own is None) == (basis is None)
    return places


def _equal(lots: list[_Slot], rows: list[_Allocation]) -> bool:
    """Whether the rows give the lots' units and basis, no more and no less; an unknown basis stays unknown."""
    if sum(slot.quantity for slot in lots) != sum(row.quantity for row in rows):
        return False
    bases = [slot.basis for slot in lots], [row.basis for row in rows]
    if any(basis is None for side in bases for basis in side):
        return all(basis is None for side in bases for basis in side)
    return sum(basis or 0 for basis in bases[0]) == sum(basis or 0 for basis in bases[1])


# --- frames to integers and back ----------------------------------------------------------------------------------


class _Rows(NamedTuple):
    """The movements as columns of Python values; dates are days, instants microseconds."""

    picked: dict[str, list[_Pick]]
    movement: list[str]
    asset: list[str]
    account: list[str]
    wallet: list[str]
    movement_id: list[str]
    event_id: list[str]
    at: list[int]
    date: list[int]
    year: list[int]
    quantity: list[int]
    amount: list[MONEY_OR_NONE]
    loss_amount: list[MONEY_OR_NONE]
    acquired_at: list[int]
    long_from: list[int]
    loss_long_from: list[int]
    status: list[str]
    kind: list[str | None]
    method: list[str | None]
    link: list[str]


class _Carried(NamedTuple):
    """A slot of the opening."""

    lot: _Lot
    asset: str
    account: str
    pool: str
    quantity: int
    basis: MONEY_OR_NONE
    loss: MONEY_OR_NONE
    status: str


class _Out:
    """What the books of all taxpayers write; frames are gathered from it at the end."""

    def __init__(self, roots: int) -> None:
        self.roots = roots
        self.entered: list[int] = []
        """Rows of the movements that opened a lot."""
        self.derived: list[tuple[Any, ...]] = []
        """Lots that no acquisition opened: root that dates come from, row, lot_id, quantity, basis, loss, status."""
        self.pieces: list[tuple[Any, ...]] = []
        self.moves: list[tuple[Any, ...]] = []
        self.closing: list[tuple[Any, ...]] = []
        self.conversions: list[tuple[Any, ...]] = []
        self.faults: list[tuple[Any, ...]] = []

    def derive(self, *lot: Any) -> int:
        self.derived.append(lot)
        return self.roots + len(self.derived) - 1

    def _lists(self) -> tuple[list[Any], ...]:
        return (self.entered, self.derived, self.pieces, self.moves, self.closing, self.conversions, self.faults)

    def mark(self) -> list[int]:
        return [len(rows) for rows in self._lists()]

    def back_to(self, mark: list[int]) -> None:
        for rows, length in zip(self._lists(), mark, strict=True):
            del rows[length:]


_DATES = (
    "acquired_at", "date_acquired", "long_term_from", "loss_acquired_at", "loss_date_acquired", "loss_long_term_from",
)  # fmt: skip
_ROOT = (
    "lot_id", "taxpayer_id", "account_id", "asset", "quantity", "basis", "loss_basis", *_DATES, "origin",
    "acquisition_event_id", "basis_status", "tax_year",
)  # fmt: skip


def _opening_roots(opening: pl.DataFrame) -> pl.DataFrame:
    return opening.with_columns(quantity="lot_quantity", basis="lot_basis").select(_ROOT)


def _movement_roots(ordered: pl.DataFrame) -> pl.DataFrame:
    """Each movement as if it opened a lot: what has no dates of its own takes the movement's."""
    fresh = long_term_from(pl.coalesce("date_acquired", "tax_date"))
    return ordered.select(
        "taxpayer_id", "account_id", "asset", "quantity", "origin", "basis_status", "tax_year",
        lot_id="movement_id",
        basis="amount",
        loss_basis=pl.coalesce("loss_amount", "amount"),
        acquired_at=pl.coalesce("acquired_at", "occurred_at"),
        date_acquired=pl.coalesce("date_acquired", "tax_date"),
        long_term_from=pl.coalesce("long_term_from", fresh),
        loss_long_term_from=pl.coalesce("loss_long_term_from", "long_term_from", fresh),
        loss_acquired_at=pl.coalesce("loss_acquired_at", "acquired_at", "occurred_at"),
        loss_date_acquired=pl.coalesce("loss_date_acquired", "date_acquired", "tax_date"),
        acquisition_event_id="event_id",
    ).with_columns(
        origin=pl.col("origin").fill_null("transfer"),
        basis_status=pl.coalesce("basis_status", pl.when(pl.col("basis").is_null()).then(pl.lit("unknown")),
                                 pl.lit("known")),
    ).select(_ROOT)  # fmt: skip


def _rows(ordered: pl.DataFrame, picks: pl.DataFrame) -> _Rows:
    dated = _movement_roots(ordered)
    whole: list[Any] = [
        ordered["movement"], ordered["asset"], ordered["account_id"], ordered["wallet"], ordered["movement_id"],
        ordered["event_id"], ordered["occurred_at"].to_physical(), ordered["tax_date"].to_physical(), ordered["tax_year"],
        ordered["quantity"].to_physical(), ordered["amount"].to_physical(), ordered["loss_amount"].to_physical(),
        dated["acquired_at"].to_physical(), dated["long_term_from"].to_physical(),
        dated["loss_long_term_from"].to_physical(), dated["basis_status"], ordered["disposal_kind"],
        ordered["lot_method"], ordered["link"],
    ]  # fmt: skip
    placed = picks.sort("movement_id", "place")
    picked: dict[str, list[_Pick]] = defaultdict(list)
    cells = placed["movement_id"], placed["lot_id"], to_ints(placed["quantity"]), placed["lot_method"]
    for movement_id, *pick in zip(*cells, strict=True):
        picked[movement_id].append(tuple(pick))
    return _Rows(picked, *[column.to_list() for column in whole])


def _spans(taxpayers: list[str]) -> dict[str, range]:
    """Where each taxpayer's rows begin and end; the rows are sorted by taxpayer."""
    starts = [n for n in range(len(taxpayers)) if n == 0 or taxpayers[n] != taxpayers[n - 1]]
    return {taxpayers[start]: range(start, end) for start, end in pairwise([*starts, len(taxpayers)])}


def _carried(opening: pl.DataFrame) -> dict[str, list[_Carried]]:
    """The slots carried in, by taxpayer; parts of one lot share the lot."""
    columns = (
        opening["taxpayer_id"], opening["lot_id"], opening["acquisition_event_id"],
        opening["acquired_at"].to_physical(), opening["long_term_from"].to_physical(),
        opening["loss_long_term_from"].to_physical(), to_ints(opening["lot_quantity"]), to_ints(opening["lot_basis"]),
        opening["asset"], opening["account_id"], opening["pool"], to_ints(opening["quantity"]),
        to_ints(opening["basis"]), to_ints(opening["loss_basis"]), opening["basis_status"],
    )  # fmt: skip
    dual = set(opening.filter(pl.col("lot_basis").ne_missing(pl.col("lot_loss_basis")))["lot_id"])
    slots: dict[str, list[_Carried]] = defaultdict(list)
    lots: dict[str, _Lot] = {}
    for n, (taxpayer, lot_id, event_id, *dates_and_cost, asset, account, pool, quantity, basis, loss, status) in (
        enumerate(zip(*columns, strict=True))
    ):  # fmt: skip
        if lot_id not in lots:
            lots[lot_id] = _Lot(n, lot_id, event_id, *dates_and_cost, dual=lot_id in dual)
        slots[taxpayer].append(_Carried(lots[lot_id], asset, account, pool, quantity, basis, loss, status))
    return slots


def _allocations(rows: pl.DataFrame, late: pl.DataFrame) -> dict[str, dict[str, _Allocations]]:
    """Allocation rows by taxpayer and asset, with what `methods.out_of_time` says of them."""
    why = {(taxpayer, asset): reason for taxpayer, asset, reason in late.iter_rows()}
    given: dict[str, dict[str, _Allocations]] = defaultdict(dict)
    columns = (
        rows["taxpayer_id"], rows["asset"], rows["account_id"], rows["acquired_at"].to_physical(),
        to_ints(rows["quantity"]), to_ints(rows["basis"]),
    )  # fmt: skip
    for taxpayer, asset, *row in zip(*columns, strict=True):
        of_asset = given[taxpayer].setdefault(asset, _Allocations([], why.get((taxpayer, asset))))
        of_asset.rows.append(_Allocation(*row))
    return given


def _frames(ordered: pl.DataFrame, roots: pl.DataFrame, out: _Out) -> LotBook:
    derived = _derived(ordered, roots, out)
    every = pl.concat([roots, derived])
    entered = pl.Series(out.entered, dtype=pl.UInt32) + (roots.height - ordered.height)
    return LotBook(
        lots=conform(pl.concat([roots[entered], derived]), Lots).sort("taxpayer_id", "lot_id"),
        lot_moves=_lot_moves(every, out.moves),
        gains=_gains(ordered, every, out.pieces),
        closing_lots=_closing_lots(every, out.closing),
        faults=_table(FAULTS, out.faults),
        conversions=_conversions(every, out.conversions),
    )


def _table(types: dict[str, Any], rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """A frame of tuples; decimals come as mantissas."""
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    return pl.DataFrame([
        from_ints(name, values, dtype) if isinstance(dtype, pl.Decimal) else pl.Series(name, values, dtype=dtype)
        for (name, dtype), values in zip(types.items(), columns, strict=True)
    ])  # fmt: skip


def _derived(ordered: pl.DataFrame, roots: pl.DataFrame, out: _Out) -> pl.DataFrame:
    """Lots that no acquisition opened, with the dates and the origin of the lot that they come from."""
    types = {"root": pl.Int64, "row": pl.UInt32, "lot_id": pl.String, "quantity": QUANTITY, "basis": MONEY,
             "loss_basis": MONEY, "basis_status": pl.String}  # fmt: skip
    made = _table(types, out.derived)
    source = made["root"].to_list()
    for n, root in enumerate(source):  # a conversion of a converted lot has its dates from the first one
        source[n] = root if root < roots.height else source[root - roots.height]
    dates = roots[source].select(*_DATES, "origin")
    place = ordered[made["row"]].select(
        "taxpayer_id", "account_id", "asset", "tax_year", acquisition_event_id="event_id"
    )
    return pl.concat([made.drop("root", "row"), dates, place], how="horizontal").select(_ROOT)


def _lot_moves(every: pl.DataFrame, moves: list[tuple[Any, ...]]) -> pl.DataFrame:
    types = dtypes(LotMoves)
    names = ("taxpayer_id", "lot_id", "asset", "transfer_id", "from_account_id", "to_account_id", "quantity", "basis",
             "moved_at", "tax_year")  # fmt: skip
    table = _table({name: types[name] for name in names} | {"lot_id": pl.UInt32, "moved_at": pl.Int64}, moves)
    lot_id = every["lot_id"].gather(table["lot_id"])
    return conform(table.with_columns(lot_id, pl.col("moved_at").cast(INSTANT)), LotMoves)


def _closing_lots(every: pl.DataFrame, closing: list[tuple[Any, ...]]) -> pl.DataFrame:
    types = {"tax_year": pl.Int64, "root": pl.UInt32, "account_id": pl.String, "pool": pl.String, "quantity": QUANTITY,
             "basis": MONEY, "loss_basis": MONEY, "basis_status": pl.String, "asset": pl.String}  # fmt: skip
    table = _table(types, closing)
    facts = every[table["root"]].select("taxpayer_id", "lot_id", *_DATES, "origin")
    location = pl.col("pool").str.extract("^(transit|outside):").fill_null("account")
    whole = pl.concat([table.drop("root"), facts], how="horizontal").with_columns(location=location)
    return conform(whole, ClosingLots).sort("tax_year", "taxpayer_id", "lot_id", "pool", "account_id")


def _gains(ordered: pl.DataFrame, every: pl.DataFrame, pieces: list[tuple[Any, ...]]) -> pl.DataFrame:
    types = {"row": pl.UInt32, "root": pl.Int64, "quantity": QUANTITY, "proceeds": MONEY, "lot_basis": MONEY,
             "basis_status": pl.String, "label": pl.String, "basis": MONEY, "gain": MONEY, "term": pl.String,
             "at_loss": pl.Boolean}  # fmt: skip
    table = _table(types, pieces)
    sale = ordered[table["row"]].select(
        "taxpayer_id", "tax_year", "account_id", "asset", "event_id", "disposal_kind", "lot_method",
        disposal_id="movement_id", disposed_at="occurred_at", date_sold="tax_date",
    )  # fmt: skip
    root = pl.select(pl.when(table["root"] >= 0).then(table["root"])).to_series()
    lot = every.select("lot_id", "origin", *_DATES).select(pl.all().gather(root))
    dates = {name: pl.when("at_loss").then(f"loss_{name}").otherwise(name) for name in ("acquired_at", "date_acquired")}
    return (
        pl.concat([table.drop("row", "root"), sale, lot], how="horizontal")
        .with_columns(lot_method=pl.coalesce("label", "lot_method", pl.lit("fifo")), **dates)
        .select(
            "taxpayer_id", "tax_year", "account_id", "asset", "disposal_id", "event_id", "lot_id", "quantity",
            "acquired_at", "disposed_at", "date_acquired", "date_sold", "proceeds", "basis", "gain", "term",
            "disposal_kind", "basis_status", "lot_method", "origin", "lot_basis",
        )
    )  # fmt: skip


def _conversions(every: pl.DataFrame, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    table = _table(CONVERSIONS | {"from_lot_id": pl.UInt32}, rows)
    return table.with_columns(from_lot_id=every["lot_id"].gather(table["from_lot_id"]))
