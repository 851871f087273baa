"""Universal pools and their end on 2025-01-01: which pool an account is in, and the split into wallets. No exit here."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any, NamedTuple, TypeAlias

import polars as pl

from schemas.fields import INSTANT, MONEY, QUANTITY
from schemas.gate import conform, empty
from schemas.tax import BasisSplits, LotMoves
from transforms.exact import from_ints, share, to_ints
from transforms.lots.reference import between
from transforms.lots.tables import FAULTS
from transforms.methods import WALLET_YEAR

UNIVERSAL = "universal"
SPLIT_ID = "allocation-2025"
"""`transfer_id` of the moves that split a universal pool into wallets on 2025-01-01 (Rev. Proc. 2024-28)."""
SPLIT_AT = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
_NODE = ["taxpayer_id", "asset"]

Amount: TypeAlias = int | None


class Split(NamedTuple):
    """What the end of the universal pools gives."""

    opening: pl.DataFrame
    """The closing lots given, in wallets."""
    moves: pl.DataFrame
    """schemas.tax.LotMoves from the universal pool to each account."""
    faults: pl.DataFrame
    """universal_unallocated, by taxpayer and asset."""
    report: pl.DataFrame
    """schemas.tax.BasisSplits."""


def split(closing: pl.DataFrame, wallets: pl.DataFrame, allocations: pl.DataFrame, late: pl.DataFrame) -> Split:
    """The universal pools go over into wallets: by the client's allocation where it holds, else as the units lie.

    Args:
        closing: columns of `opening_slots`: what the universal pools held at the end of 2024, by account; `pool` is
            `universal`, or the transfer between two of its accounts that was under way.
        wallets: account_id, wallet.
        allocations: rows of allocations_2025.csv (Rev. Proc. 2024-28 s. 5.02), asset canonical.
        late: taxpayer_id, asset, reason: allocations not made in time (`methods.out_of_time`).
    """
    home = pl.when(pl.col("pool") == UNIVERSAL).then(pl.coalesce("wallet", "account_id")).otherwise("pool")
    placed = (
        closing.join(wallets.select("account_id", "wallet"), on="account_id", how="left", maintain_order="left")
        .with_columns(home=home, account_units=pl.col("quantity").sum().over(*_NODE, "account_id", "pool"))
        .with_columns(one_home=pl.col("home").n_unique().over(_NODE) == 1)
        .drop("wallet")
    )
    answers = [_allocated(rows, allocations, late) for rows in _with_rows(placed, allocations)]
    valid = [rows for rows, reason in answers if reason is None]
    why = _reasons(placed, answers)
    as_they_lie = placed.join(why.filter(pl.col("reason").is_null() & ~pl.col("one_home")), on=_NODE, how="anti")
    whole = pl.concat([as_they_lie, *valid]).join(why.drop("one_home"), on=_NODE, how="left", maintain_order="left")
    unsettled = pl.col("reason").is_not_null() & ~pl.col("one_home")
    status = pl.when(unsettled & pl.col("basis").is_not_null()).then(pl.lit("unallocated")).otherwise("basis_status")
    opening = whole.with_columns(basis_status=status, pool="home")
    return Split(
        opening.select(closing.columns),
        _moves(opening),
        _faults(opening.filter(unsettled)),
        _report(placed, opening.with_columns(unsettled=unsettled)),
    )


def _with_rows(placed: pl.DataFrame, allocations: pl.DataFrame) -> list[pl.DataFrame]:
    """The pools of which the client allocated something, one frame each."""
    given = placed.join(allocations, on=_NODE, how="semi", maintain_order="left")
    return given.partition_by(_NODE, maintain_order=True) if given.height else []


def _reasons(placed: pl.DataFrame, answers: list[tuple[pl.DataFrame, str | None]]) -> pl.DataFrame:
    """taxpayer_id, asset, one_home, reason: why no allocation holds, null where one does."""
    nodes = placed.group_by(_NODE).agg(pl.col("one_home").first())
    judged = [
        frame.select(*_NODE).unique().with_columns(reason=pl.lit(reason, pl.String), judged=pl.lit(value=True))
        for frame, reason in answers
    ]
    typed = pl.DataFrame(
        schema={"taxpayer_id": pl.String, "asset": pl.String, "reason": pl.String, "judged": pl.Boolean}
    )
    known = nodes.join(pl.concat([typed, *judged]), on=_NODE, how="left")
    none = pl.lit("no allocation to wallets as of 2025-01-01 is on record")
    return known.with_columns(reason=pl.when(pl.col("judged").is_null()).then(none).otherwise("reason")).drop("judged")


# --- an allocation, held against what there was ----------------------------------------------------------------------


class _Lot(NamedTuple):
    """A lot of the pool, whatever accounts it lies in; `row` is its row of the frame."""

    row: int
    acquired_at: int
    quantity: int
    basis: Amount
    loss: Amount
    dual: bool


class _Row(NamedTuple):
    """A row of the client's allocation."""

    account: str
    acquired_at: int
    quantity: int
    basis: Amount


def _allocated(placed: pl.DataFrame, allocations: pl.DataFrame, late: pl.DataFrame) -> tuple[pl.DataFrame, str | None]:
    """One pool as allocated, or as it lies and why the allocation does not hold (Rev. Proc. 2024-28 s. 5.02).

    It holds when it was made in time, each account is given the units that it held, and the rows of an acquisition
    date are together exactly the units and the unused basis that the lots of that date have left. Units under way on
    that day are in no account, so that no allocation can hold.
    """
    node = placed.select(_NODE).head(1)
    too_late = late.join(node, on=_NODE, how="semi")
    if too_late.height:
        return placed, str(too_late["reason"][0])
    rows = _rows(allocations.join(node, on=_NODE, how="semi"))
    given: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        given[row.account, UNIVERSAL] += row.quantity
    held = {(account, pool): units for account, pool, units in zip(
        placed["account_id"], placed["pool"], to_ints(placed["account_units"]), strict=True)}  # fmt: skip
    by_date: dict[int, list[_Lot]] = defaultdict(list)
    for lot in _lots(placed):
        by_date[lot.acquired_at].append(lot)
    wrong = "the allocation is not the units and the unused basis of 2025-01-01"
    if given != held or {row.acquired_at for row in rows} != by_date.keys():
        return placed, wrong
    parts: list[tuple[Any, ...]] = []
    for date, lots in by_date.items():
        of_date = sorted((row for row in rows if row.acquired_at == date), key=lambda row: (row.account, row.quantity))
        if not _equal(lots, of_date):
            return placed, wrong
        parts += _laid_out(lots, of_date)
    return _placed(placed, parts), None


def _rows(allocations: pl.DataFrame) -> list[_Row]:
    columns = (
        allocations["account_id"], allocations["acquired_at"].to_physical(), to_ints(allocations["quantity"]),
        to_ints(allocations["basis"]),
    )  # fmt: skip
    return [_Row(account, at, units or 0, basis) for account, at, units, basis in zip(*columns, strict=True)]


def _lots(placed: pl.DataFrame) -> list[_Lot]:
    """The lots of a pool by age, the parts that lie in several accounts put together."""
    numbered = placed.with_row_index("row").sort("acquired_at", "acquisition_event_id", "lot_id")
    dual = numbered["lot_basis"].ne_missing(numbered["lot_loss_basis"])
    columns = (
        numbered["lot_id"], numbered["row"], numbered["acquired_at"].to_physical(), to_ints(numbered["quantity"]),
        to_ints(numbered["basis"]), to_ints(numbered["loss_basis"]), dual,
    )  # fmt: skip
    whole: dict[str, _Lot] = {}
    for lot_id, *cells in zip(*columns, strict=True):
        lot, seen = _Lot(*cells), whole.get(lot_id)
        if seen is not None:
            basis = None if seen.basis is None or lot.basis is None else seen.basis + lot.basis
            loss = None if seen.loss is None or lot.loss is None else seen.loss + lot.loss
            lot = seen._replace(quantity=seen.quantity + lot.quantity, basis=basis, loss=loss)
        whole[lot_id] = lot
    return list(whole.values())


def _equal(lots: list[_Lot], rows: list[_Row]) -> bool:
    """Whether the rows give the lots' units and basis, no more and no less; an unknown basis stays unknown."""
    if sum(lot.quantity for lot in lots) != sum(row.quantity for row in rows):
        return False
    bases = [lot.basis for lot in lots], [row.basis for row in rows]
    if any(basis is None for side in bases for basis in side):
        return all(basis is None for side in bases for basis in side)
    return sum(basis or 0 for basis in bases[0]) == sum(basis or 0 for basis in bases[1])


def _laid_out(lots: list[_Lot], rows: list[_Row]) -> list[tuple[Any, ...]]:
    """The lots of a date over the rows of that date: row of the frame, account, quantity, basis, loss basis."""
    parts = []
    at = used = 0
    for row in rows:
        done = 0
        while done < row.quantity:
            lot = lots[at]
            units = min(row.quantity - done, lot.quantity - used)
            basis = between(row.basis, done, done + units, row.quantity)
            loss = between(lot.loss, used, used + units, lot.quantity) if lot.dual else basis
            if loss is not None and basis is not None:
                loss = min(loss, basis)  # the value at the gift counts only where it is lower (IRC 1015(a))
            parts.append((lot.row, row.account, units, basis, loss))
            done, used = done + units, used + units
            if used == lot.quantity:
                at, used = at + 1, 0
    return parts


def _placed(placed: pl.DataFrame, parts: list[tuple[Any, ...]]) -> pl.DataFrame:
    """The frame with the parts as its rows; parts of one lot in one account are put together."""
    rows, accounts, units, bases, losses = zip(*parts, strict=True)
    homes = placed.select("account_id", "home").unique("account_id")
    made = placed[list(rows)].with_columns(
        pl.Series("account_id", accounts),
        from_ints("quantity", units, QUANTITY),
        from_ints("basis", bases, MONEY),
        from_ints("loss_basis", losses, MONEY),
    )
    sums = [pl.col("quantity").sum().cast(QUANTITY), *(_whole(name) for name in ("basis", "loss_basis"))]
    rest = pl.all().exclude("quantity", "basis", "loss_basis", "home").first()
    return (
        made.group_by("lot_id", "account_id", maintain_order=True)
        .agg(*sums, rest)
        .join(homes, on="account_id", how="left", maintain_order="left")
        .select(placed.columns)
    )


def _whole(name: str) -> pl.Expr:
    """The sum of amounts, unknown where one of them is."""
    return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).cast(MONEY, strict=False).alias(name)


# --- what is told of it ----------------------------------------------------------------------------------------------


def _moves(opening: pl.DataFrame) -> pl.DataFrame:
    return conform(
        opening.select(
            "lot_id", "taxpayer_id", "asset", "quantity", "basis",
            transfer_id=pl.lit(SPLIT_ID), from_account_id=pl.lit(UNIVERSAL), to_account_id="account_id",
            moved_at=pl.lit(SPLIT_AT, INSTANT), tax_year=pl.lit(WALLET_YEAR, pl.Int64),
        ),
        LotMoves,
    )  # fmt: skip


def _faults(unsettled: pl.DataFrame) -> pl.DataFrame:
    asked = unsettled.group_by(_NODE).agg(
        pl.col("quantity").sum().cast(QUANTITY),
        dollars_at_stake=pl.col("basis").sum().cast(MONEY, strict=False),
        reason=pl.col("reason").first(),
    )
    named = asked.with_columns(fault=pl.lit("universal_unallocated"), tax_year=pl.lit(WALLET_YEAR, pl.Int64))
    return pl.concat([pl.DataFrame(schema=FAULTS), named], how="diagonal").sort(_NODE)


def _report(placed: pl.DataFrame, opening: pl.DataFrame) -> pl.DataFrame:
    """By account: the basis that it carries, what it would carry in order of age, and the least and most it could.

    Any allocation gives an account so many units of the pool's lots; the cheapest and the dearest that many bound it.
    """
    key = [*_NODE, "account_id"]
    carried = opening.group_by(key).agg(
        pl.col("quantity").sum().cast(QUANTITY), _whole("basis"), unsettled=pl.col("unsettled").any(),
        why=pl.col("reason").first(), one_home=pl.col("one_home").first(),
    )  # fmt: skip
    in_order = placed.group_by(key).agg(_whole("basis")).rename({"basis": "basis_in_order"})
    status = (
        pl.when("unsettled").then(pl.lit("unallocated"))
        .when(pl.col("why").is_null()).then(pl.lit("allocated"))
        .otherwise(pl.lit("one_wallet"))
    )  # fmt: skip
    rows = carried.join(in_order, on=key, how="left").with_columns(
        status=status, why=pl.when("unsettled").then("why"), difference=pl.col("basis") - pl.col("basis_in_order")
    )
    bounds = [_bounds(of, opening) for of in rows.filter("unsettled").partition_by(_NODE, maintain_order=True)]
    typed = empty(BasisSplits).select(*key, "basis_low", "basis_high")
    whole = rows.join(pl.concat([typed, *bounds]), on=key, how="left").with_columns(
        basis_low=pl.when("unsettled").then("basis_low").otherwise("basis"),
        basis_high=pl.when("unsettled").then("basis_high").otherwise("basis"),
        tax_year=pl.lit(WALLET_YEAR, pl.Int64),
    )
    return conform(whole, BasisSplits).sort(key)


def _bounds(rows: pl.DataFrame, opening: pl.DataFrame) -> pl.DataFrame:
    """The least and the most basis that each account of one pool could hold; null where a lot's basis is unknown."""
    of = opening.join(rows.select(_NODE).head(1), on=_NODE, how="semi")
    lots = list(zip(to_ints(of["quantity"]), to_ints(of["basis"]), strict=True))
    known = all(basis is not None for _, basis in lots)
    dearest = sorted(lots, key=lambda lot: ((lot[1] or 0) << 250) // (lot[0] or 1), reverse=True)
    wanted = to_ints(rows["quantity"])
    low, high = (
        [_filled(order, units or 0) if known else None for units in wanted] for order in (dearest[::-1], dearest)
    )
    return rows.select(
        *_NODE, "account_id", from_ints("basis_low", low, MONEY), from_ints("basis_high", high, MONEY)
    )  # fmt: skip


def _filled(lots: list[tuple[int | None, Amount]], units: int) -> int:
    """The basis of the first `units` of lots in an order."""
    total = 0
    for quantity, basis in lots:
        taken = min(units, quantity or 0)
        total += share(basis or 0, taken, quantity or 1)
        units -= taken
        if not units:
            break
    return total
