"""The lot book of all taxpayers: pools by the law of the year, the engines, the tables. The engines lie beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import partial

import numpy as np
import polars as pl

from schemas.gate import empty
from schemas.inputs import Allocations2025
from schemas.ledger import Movements, Picks
from schemas.tax import ClosingLots, Lots
from transforms.exact import to_ints
from transforms.lots import kernel, reference
from transforms.lots.pools import UNIVERSAL, split
from transforms.lots.program import Prepared, prepare
from transforms.lots.tables import LotBook, frames, nothing, without
from transforms.methods import WALLET_YEAR, out_of_time

UNDER_WAY = "^(transit|outside|converting):"
"""What a pool's name begins with where it is none."""
NO_ZONES = pl.DataFrame(schema={"taxpayer_id": pl.String, "valid_from": pl.Date, "time_zone": pl.String})

NO_PICKS = empty(Picks)


def run(
    movements: pl.DataFrame,
    opening: pl.DataFrame,
    universal: Collection[str],
    allocations: pl.DataFrame,
    wallets: pl.DataFrame,
    years: tuple[int, int],
    zones: pl.DataFrame = NO_ZONES,
    picks: pl.DataFrame = NO_PICKS,
    *,
    by_reference: bool = False,
) -> LotBook:
    """The lot book of all taxpayers over a range of tax years.

    Quantities are integers of 10^-18 unit and money integers of a micro-dollar. A *lot* is an acquisition; a *slot* is
    the part of a lot that sits in a pool. A pool is a wallet (Reg. 1.1012-1(j)), or the one universal pool an asset
    that some clients kept before 2025; what is under way between pools, or outside, is in none. Pieces of a slot's
    basis come from cumulative rounding over the slot's base, so that they sum to it; the base is set anew at the first
    touch in a tax year and when more of the lot arrives, so that quantity and basis at a year end are all the state
    there is, and a run from them gives the rows of a full run. A pool over several accounts knows how many units lie in
    each; which lots lie where is laid out at year ends, lots by age, accounts by name.

    Args:
        movements: schemas.ledger.Movements of all years; those outside the range only tell where transfers lead.
        opening: the slots held at the end of the year before the range, as `opening_slots` gives them; may be empty.
        universal: taxpayers with one pool an asset before 2025-01-01; all others keep wallets throughout, and so do
            their accounts that are not taxable.
        allocations: rows of allocations_2025.csv; those out of time do not count (`methods.out_of_time`).
        wallets: account_id, wallet, treatment; an account without a row is a taxable wallet of its own.
        years: first and last tax year; closing lots are given for each.
        zones: taxpayer_id, valid_from, time_zone: the calendar of the stamps of allocations; none is UTC.
        picks: schemas.ledger.Picks: lots that exits take first (Reg. 1.1012-1(j)(2)-(3)); none by default.
        by_reference: let the slow engine do all of it (for tests and benchmarks).

    A taxpayer whose book breaks goes to `faults` (lot_book_failed) with the type of the error; the others go on.
    """
    first, last = years
    once = partial(_once, picks=picks, by_reference=by_reference)
    walleted = movements.with_columns(pool="wallet")
    moved = walleted.filter(pl.col("tax_year").is_between(first, last))
    early = tied(movements, universal if first <= WALLET_YEAR else ())
    if not early:
        return once(moved, opening, walleted, years)
    taxable = ~pl.col("account_id").is_in(wallets.filter(pl.col("treatment") != "taxable")["account_id"].implode())
    pooled = pl.col("taxpayer_id").is_in(list(universal)) & taxable
    shared = movements.with_columns(pool=pl.when(pooled).then(pl.lit(UNIVERSAL)).otherwise("wallet"))
    before, away = pl.col("taxpayer_id").is_in(early), pl.col("pool").str.contains(UNDER_WAY)
    carried = opening.filter(before).with_columns(
        pool=pl.when(pooled & ~away).then(pl.lit(UNIVERSAL)).otherwise("pool")
    )
    books = [once(moved.filter(~before), opening.filter(~before), walleted, years)]
    if first < WALLET_YEAR:
        until = min(last, WALLET_YEAR - 1)
        book = once(
            shared.filter(before & pl.col("tax_year").is_between(first, until)), carried, shared, (first, until)
        )
        lots = pl.concat([book.lots, _lots_of(carried)]).unique("lot_id", keep="first", maintain_order=True)
        carried = opening_slots(book.closing_lots, lots, until)
        books.append(book)
    if last >= WALLET_YEAR:
        late = out_of_time(allocations, _disposed(movements.filter(taxable)), zones)
        carried, split_book = _split(carried, _own_links(shared), wallets, allocations, late)
        rest = moved.filter(before & (pl.col("tax_year") >= WALLET_YEAR))
        books += [split_book, once(rest, carried, walleted, (WALLET_YEAR, last))]
    return _together(books)


def _once(
    rows: pl.DataFrame, opening: pl.DataFrame, every: pl.DataFrame, years: tuple[int, int], *, picks: pl.DataFrame,
    by_reference: bool,
) -> LotBook:  # fmt: skip
    """One pass over some years; `every` has the pool of the movements of all years by the law of these."""
    prepared = prepare(rows, opening, every.filter(pl.col("link").is_not_null()), picks, years)
    return frames(prepared, _engines(prepared, by_reference=by_reference))


def _engines(prepared: Prepared, *, by_reference: bool) -> list[reference.Answer]:
    """What the kernel finds, and the reference for the groups that it does not take."""
    program, why = prepared.program, prepared.groups["why"]
    if by_reference:
        program.groups["need"] = -1
    slow = np.flatnonzero(program.groups["need"][:-1] < 0).tolist()
    lots = prepared.lots if slow else prepared.lots.clear()
    answers = [] if by_reference else [reference.Answer(kernel.run(program), [], [], [])]
    if slow or by_reference:
        answers.append(reference.run(program, slow, _names(prepared, lots)))
    assert by_reference or len(slow) == why.count()
    return answers


def _names(prepared: Prepared, lots: pl.DataFrame) -> reference.Names:
    keys = zip(lots["acquired_at"].to_physical(), lots["acquisition_event_id"], lots["lot_id"], strict=True)
    converts = prepared.rows.filter(pl.col("movement") == "convert_in")
    return reference.Names(
        list(keys), lots["loss_long_term_from"].to_physical().to_list(),
        dict(converts.select("row", "movement_id").iter_rows()), dict(converts.select("row", "event_id").iter_rows()),
        prepared.picks["lot_id"].to_list(),
    )  # fmt: skip


def tied(movements: pl.DataFrame, taxpayers: Collection[str]) -> list[str]:
    """The taxpayers, and all whom transfers of lots tie to them (IRC 1041): their books are made together."""
    reached = set(taxpayers)
    if not reached:
        return []
    ends = movements.filter(pl.col("movement").is_in(("depart", "arrive"))).select("link", "taxpayer_id").unique()
    several = ends.filter(pl.len().over("link") > 1)
    ties = several.group_by("link").agg("taxpayer_id")["taxpayer_id"].to_list()
    size = 0
    while size != len(reached):
        size = len(reached)
        reached.update(*(tie for tie in ties if reached & set(tie)))
    return sorted(reached)


def _disposed(movements: pl.DataFrame) -> pl.DataFrame:
    """Sales, dispositions and transfers to another taxpayer, which a specific allocation has to precede.

    Rev. Proc. 2024-28 s. 5.02(4); own moves are no transfers (s. 3.11).
    """
    arrivals = movements.filter(pl.col("movement") == "arrive").select("link", to="taxpayer_id").unique("link")
    named = movements.join(arrivals, on="link", how="left", maintain_order="left")
    given = (pl.col("movement") == "depart") & (pl.col("to") != pl.col("taxpayer_id"))
    return named.filter((pl.col("movement") == "dispose") | given)


def _split(
    carried: pl.DataFrame, own: pl.Series, wallets: pl.DataFrame, allocations: pl.DataFrame, late: pl.DataFrame
) -> tuple[pl.DataFrame, LotBook]:
    """The opening of 2025 where pools were universal, and the book of the split itself."""
    inside = (pl.col("pool") == UNIVERSAL) | pl.col("pool").is_in(own.implode())
    made = split(carried.filter(inside), wallets, allocations, late)
    book = nothing()._replace(lot_moves=made.moves, faults=made.faults, splits=made.report)
    return pl.concat([carried.filter(~inside), made.opening]), book


def _own_links(shared: pl.DataFrame) -> pl.Series:
    """Pools `transit:...` of transfers between two accounts of one universal pool."""
    ends = shared.filter((pl.col("pool") == UNIVERSAL) & pl.col("movement").is_in(("depart", "arrive")))
    both = ends.group_by("link", "taxpayer_id", "asset").agg(pl.col("movement").n_unique()).filter(movement=2)
    return both.select(pool=pl.format("transit:{}", "link"))["pool"]


def _lots_of(opening: pl.DataFrame) -> pl.DataFrame:
    """The lots of an opening as schemas.tax.Lots."""
    given = opening.with_columns(quantity="lot_quantity", basis="lot_basis", loss_basis="lot_loss_basis")
    return given.unique("lot_id", keep="first", maintain_order=True).select(
        pl.col(name).cast(dtype) for name, dtype in empty(Lots).schema.items()
    )


def _together(books: list[LotBook]) -> LotBook:
    columns = zip(*books, strict=True)
    book = LotBook(*(pl.concat(tables) for tables in columns))
    failed = book.faults.filter(fault="lot_book_failed")["taxpayer_id"].unique().sort().to_list()
    return without(book._replace(engines=book.engines.unique(maintain_order=True)), failed)


def warm_up() -> None:
    """Compile the kernel, where numba's cache beside it does not hold it yet (half a minute to a minute)."""
    wallets = pl.DataFrame(schema={"account_id": pl.String, "wallet": pl.String, "treatment": pl.String})
    run(empty(Movements), no_opening(), (), empty(Allocations2025), wallets, (WALLET_YEAR, WALLET_YEAR))


# --- years and checks ------------------------------------------------------------------------------------------------


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


def conservation(
    movements: pl.DataFrame, opening: pl.DataFrame, book: LotBook, last: int, every: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Whether nothing was lost or made up, by taxpayer and asset, summed on Python integers.

    Args:
        movements: what the run was given, of its range of years: the acquisitions must all be there as lots.
        opening: what the run was given.
        book: what it gave; taxpayers whose book failed are left out.
        last: the last year of the range.
        every: movements of all years, where a transfer to a spouse may have left before the range.

    Returns:
        taxpayer_id, asset, units_in, units_out, basis_in, basis_out (text of integers: 10^-18 units, micro-dollars),
        holds, engine, why (what kept the asset from the kernel). In: opening, acquisitions, units that arrived beyond
        what had departed, conversions in, what a spouse sent. Out: pieces, conversions out, what went to a spouse,
        held at the end.
    """
    failed = book.faults.filter(fault="lot_book_failed")["taxpayer_id"].implode()
    acquired = movements.filter(movement="acquire")
    entered = book.lots.join(acquired.select(lot_id="movement_id"), on="lot_id", how="anti")
    sent, received = _crossed(movements if every is None else every, book)
    sides = [
        ("in", opening, "quantity", "basis"),
        ("in", acquired.with_columns(basis="amount"), "quantity", "basis"),
        ("in", entered, "quantity", "basis"),
        ("in", received, "quantity", "basis"),
        ("out", sent, "quantity", "basis"),
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
    slow = book.engines.sort("engine").unique(["taxpayer_id", "asset"], keep="last")
    table = pl.DataFrame(lines, schema=types, orient="row").join(slow, on=["taxpayer_id", "asset"], how="left")
    return table.sort("taxpayer_id", "asset")


def _crossed(movements: pl.DataFrame, book: LotBook) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lots that passed between taxpayers (IRC 1041): as the sender's, and as the receiver's."""
    owner = movements.filter(movement="depart").select(transfer_id="link", sender="taxpayer_id").unique()
    moved = book.lot_moves.join(owner, on="transfer_id").filter(pl.col("sender") != pl.col("taxpayer_id"))
    return moved.with_columns(taxpayer_id="sender"), moved
