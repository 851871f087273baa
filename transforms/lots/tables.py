"""What the engines found, as frames: lots, pieces, moves, closing lots, faults, conversions. No lot is matched here."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.fields import MONEY, QUANTITY, UNTAXED
from schemas.gate import conform, dtypes, empty
from schemas.tax import BasisSplits, ClosingLots, Gains, LotMoves, Lots
from transforms.exact import from_ints, part_of
from transforms.lots import kernel
from transforms.lots.kernel import Found
from transforms.lots.program import BASIS_STATUS_BY_WEIGHT, DATES, ROOT, Prepared
from transforms.lots.reference import Answer

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
ENGINES: dict[str, Any] = {
    "taxpayer_id": pl.String,
    "asset": pl.String,
    "engine": pl.String,
    "why": pl.String,
}
_FAULT_NAMES = ("shortfall", "account_overdrawn", "pick_unmet", "moves_not_listed")
_REASONS = (
    "more units left than the books hold",
    "more units left than the account holds",
    "the lot that was named does not have the units",
    "so many moves of lots are not listed",
)


class LotBook(NamedTuple):
    """What a run gives, in no promised order but always the same."""

    lots: pl.DataFrame
    """schemas.tax.Lots: the lots that entered in the range of years."""
    lot_moves: pl.DataFrame
    """schemas.tax.LotMoves; a move under way at a year end is booked when it arrives."""
    gains: pl.DataFrame
    """schemas.tax.Gains without return_id, collectible, on_return and what is disallowed, and with `lot_basis`: the
    basis that left the lot (`basis` differs from it where a gift's loss basis was used)."""
    closing_lots: pl.DataFrame
    """schemas.tax.ClosingLots for each year of the range."""
    faults: pl.DataFrame
    """See FAULTS: shortfall (units that nothing covers, by movement), account_overdrawn (units that a pool covers from
    other accounts than the one they left), pick_unmet (units that a named lot did not have), moves_not_listed
    (`quantity` of them), lot_book_failed."""
    conversions: pl.DataFrame
    """See CONVERSIONS: the part of a lot that became a part of another asset's lot."""
    engines: pl.DataFrame
    """See ENGINES: which engine did what, and what kept a group from the kernel."""
    splits: pl.DataFrame
    """schemas.tax.BasisSplits: how universal pools went over into wallets on 2025-01-01."""


def decimals(high: Any, low: Any, dtype: pl.Decimal = QUANTITY) -> pl.Series:
    """Quantities from their limbs."""
    pairs = np.stack([low, high], axis=1)
    kind = pa.decimal128(dtype.precision, dtype.scale)
    array = pa.Array.from_buffers(kind, len(low), [None, pa.py_buffer(np.ascontiguousarray(pairs))])
    series: pl.Series = pl.from_arrow(array)  # type: ignore[assignment]
    return series


def dollars(amounts: Any) -> pl.Series:
    """Amounts from micro-dollars; `kernel.NONE` is null.

    Raises:
        OverflowError: an amount is not money (a trillion dollars).
    """
    known = amounts != kernel.NONE
    if np.any(np.abs(amounts[known]) >= 10**18):
        raise OverflowError("an amount beyond a trillion dollars")
    values = np.where(known, amounts, 0)
    series = decimals((values >> 63).view(np.uint64), values.view(np.uint64), MONEY)
    return pl.select(pl.when(pl.Series(known)).then(series)).to_series()


def frames(prepared: Prepared, answers: list[Answer]) -> LotBook:
    """The tables of what the engines found for one program."""
    found = kernel.together([answer.found for answer in answers])
    derived = _derived(prepared, answers)
    every = pl.concat([prepared.lots.select(ROOT), derived])
    book = LotBook(
        lots=_lots(prepared, found, derived),
        lot_moves=_lot_moves(prepared, every, found),
        gains=_gains(prepared, every, found),
        closing_lots=_closing_lots(prepared, every, found),
        faults=_faults(prepared, found, answers),
        conversions=_conversions(prepared, every, answers),
        engines=_engines(prepared),
        splits=empty(BasisSplits),
    )
    return without(book, _failed(prepared, answers))


def nothing() -> LotBook:
    """A book without rows."""
    gains = empty(Gains).drop("return_id", "collectible", "on_return", "disallowed", "disallowed_code")
    types = (FAULTS, CONVERSIONS, ENGINES)
    faults, conversions, engines = (pl.DataFrame(schema=schema) for schema in types)
    return LotBook(
        empty(Lots), empty(LotMoves), gains.with_columns(lot_basis=pl.lit(None, MONEY)), empty(ClosingLots), faults,
        conversions, engines, empty(BasisSplits),
    )  # fmt: skip


def _at(frame: pl.DataFrame, index: Any, *columns: Any, **named: Any) -> pl.DataFrame:
    """Columns of a frame at row numbers; -1 gives nulls."""
    numbers = pl.Series(index, dtype=pl.Int64)
    places = pl.select(pl.when(numbers >= 0).then(numbers).cast(pl.UInt32)).to_series()
    return frame.select(*columns, **named).select(pl.all().gather(places))


def _status(codes: Any) -> pl.Series:
    names = pl.Series(BASIS_STATUS_BY_WEIGHT)
    return names.gather(pl.Series(codes))


def _lots(prepared: Prepared, found: Found, derived: pl.DataFrame) -> pl.DataFrame:
    """Lots that rows opened, those of units that came in beyond what had left, and those that conversions made."""
    acquired = prepared.rows.filter(pl.col("movement") == "acquire")["row"]
    opened = prepared.lots.filter(pl.col("row").is_in(acquired.implode()))
    beyond = _at(prepared.lots, found.entered["lot"], *ROOT).with_columns(
        quantity=decimals(found.entered["hi"], found.entered["lo"]),
        basis=pl.lit(None, MONEY), loss_basis=pl.lit(None, MONEY), basis_status=pl.lit("unknown"),
    )  # fmt: skip
    return conform(pl.concat([opened.select(ROOT), beyond, derived]), Lots)


def _lot_moves(prepared: Prepared, every: pl.DataFrame, found: Found) -> pl.DataFrame:
    arrival = _at(prepared.rows, found.moves["row"], "taxpayer_id", "asset", "tax_year", transfer_id="link",
                  to_account_id="account_id", moved_at="occurred_at")  # fmt: skip
    left = _at(prepared.places, found.moves["place"], from_account_id="account_id")
    table = pl.concat([arrival, left, _at(every, found.moves["lot"], "lot_id")], how="horizontal")
    amounts = {"quantity": decimals(found.moves["hi"], found.moves["lo"]), "basis": dollars(found.moves["basis"])}
    return conform(table.with_columns(**amounts), LotMoves)


def _closing_lots(prepared: Prepared, every: pl.DataFrame, found: Found) -> pl.DataFrame:
    where = _at(prepared.places, found.closing["place"], "taxpayer_id", "account_id", "asset", "transit", home="pool")
    link = _at(prepared.links, found.closing["link"], "name")
    lot = _at(every, found.closing["lot"], "lot_id", *DATES, "origin")
    table = pl.concat([where, link, lot], how="horizontal").with_columns(
        tax_year=pl.Series(found.closing["year"]),
        pool=pl.coalesce("name", pl.format("transit:{}", "transit"), "home"),
        quantity=decimals(found.closing["hi"], found.closing["lo"]),
        basis=dollars(found.closing["basis"]),
        loss_basis=dollars(found.closing["loss"]),
        basis_status=_status(found.closing["status"]),
    )
    location = pl.col("pool").str.extract("^(transit|outside):").fill_null("account")
    return conform(table.with_columns(location=location), ClosingLots)


def _gains(prepared: Prepared, every: pl.DataFrame, found: Found) -> pl.DataFrame:
    sale = _at(
        prepared.rows, found.pieces["row"], "taxpayer_id", "tax_year", "account_id", "asset", "event_id", "disposal_kind",
        "lot_method", disposal_id="movement_id", disposed_at="occurred_at", date_sold="tax_date",
    )  # fmt: skip
    lot = _at(
        every, found.pieces["lot"], "lot_id", "origin", *DATES, dual=pl.col("basis").ne_missing(pl.col("loss_basis"))
    )
    pick = _at(prepared.picks, found.pieces["pick"], picked_by="lot_method")
    dates = {name: pl.when("at_loss").then(f"loss_{name}").otherwise(name) for name in ("acquired_at", "date_acquired")}
    return (
        pl.concat([sale, lot, pick], how="horizontal")
        .with_columns(
            quantity=decimals(found.pieces["hi"], found.pieces["lo"]),
            proceeds=dollars(found.pieces["proceeds"]),
            lot_basis=dollars(found.pieces["basis"]),
            lot_loss=dollars(found.pieces["loss"]),
            basis_status=_status(found.pieces["status"]),
            lot_method=pl.coalesce("picked_by", "lot_method", pl.lit("fifo")),
        )
        .with_columns(**_result())
        .with_columns(term=_term(), **dates)
        .select(
            "taxpayer_id", "tax_year", "account_id", "asset", "disposal_id", "event_id", "lot_id", "quantity",
            "acquired_at", "disposed_at", "date_acquired", "date_sold", "proceeds", "basis", "gain", "term",
            "disposal_kind", "basis_status", "lot_method", "origin", "lot_basis",
        )
    )  # fmt: skip


def _result() -> dict[str, pl.Expr]:
    """Basis and gain of a piece, and whether they are those for a loss.

    A gift has two bases (IRC 1015(a); Pub. 544): over the gain basis a gain with the donor's period, under the loss
    basis a loss with the period from the gift, between them neither, shown with basis equal to proceeds.
    """
    proceeds, basis, loss = pl.col("proceeds"), pl.col("lot_basis"), pl.col("lot_loss")
    unknown = basis.is_null() | loss.is_null()
    single = ~pl.col("dual").fill_null(value=False) | proceeds.is_null() | (proceeds >= basis)
    untaxed = pl.col("disposal_kind").is_in(UNTAXED)
    none = pl.when(untaxed).then(pl.lit(0, MONEY))
    used = pl.when(unknown).then(None).when(single).then(basis).when(proceeds >= loss).then(proceeds).otherwise(loss)
    gain = pl.when(unknown | proceeds.is_null()).then(none).otherwise(proceeds - used)
    at_loss = ~unknown & ~single & (proceeds < loss)
    return {"basis": used.cast(MONEY), "gain": gain.cast(MONEY), "at_loss": at_loss.fill_null(value=False)}


def _term() -> pl.Expr:
    """Short-term until the lot's first long-term day (IRC 1222); null where the basis is unknown."""
    first_day = pl.when("at_loss").then("loss_long_term_from").otherwise("long_term_from")
    term = pl.when(pl.col("date_sold") >= first_day).then(pl.lit("long")).otherwise(pl.lit("short"))
    return pl.when(pl.col("lot_basis").is_not_null() & pl.col("lot_loss").is_not_null()).then(term)


def _faults(prepared: Prepared, found: Found, answers: list[Answer]) -> pl.DataFrame:
    """Units that are not there, with their part of the row's amount at stake; books that broke."""
    row = _at(prepared.rows, found.faults["row"], "taxpayer_id", "tax_year", "account_id", "asset", "event_id",
              "movement", "amount", wanted="quantity")  # fmt: skip
    kinds = pl.Series(found.faults["kind"], dtype=pl.UInt32)
    table = row.with_columns(
        fault=pl.Series(_FAULT_NAMES).gather(kinds),
        reason=pl.Series(_REASONS).gather(kinds),
        quantity=decimals(found.faults["hi"], found.faults["lo"]),
    )
    capped = pl.col("fault") == "moves_not_listed"
    count = pl.Series(found.faults["lo"]).cast(pl.Decimal(38, 18), strict=False)
    table = table.with_columns(quantity=pl.when(capped).then(count).otherwise("quantity"))
    stake = part_of(pl.col("amount").abs(), pl.min_horizontal("quantity", "wanted"), pl.col("wanted"))
    broken = [
        (taxpayer, "lot_book_failed", int(prepared.program.groups["first_year"][group]), why)
        for answer in answers
        for group, why in answer.failed
        for taxpayer in prepared.groups["taxpayers"][group]
    ]
    failed = pl.DataFrame(
        broken, {"taxpayer_id": pl.String, "fault": pl.String, "tax_year": pl.Int64, "reason": pl.String}, orient="row"
    )
    named = table.with_columns(dollars_at_stake=pl.when(~capped).then(stake)).select(FAULTS.keys())
    return pl.concat([named, failed.unique()], how="diagonal").cast(pl.Schema(FAULTS))


def _engines(prepared: Prepared) -> pl.DataFrame:
    engine = pl.when(pl.col("why").is_null()).then(pl.lit("kernel")).otherwise(pl.lit("reference"))
    nodes = prepared.places.select("group", "taxpayer_id", "asset").unique()
    return (
        nodes.join(prepared.groups, on="group").with_columns(engine=engine).select(ENGINES.keys()).sort(ENGINES.keys())
    )


def _failed(prepared: Prepared, answers: list[Answer]) -> list[str]:
    groups = [group for answer in answers for group, _ in answer.failed]
    return sorted({taxpayer for group in groups for taxpayer in prepared.groups["taxpayers"][group]})


def without(book: LotBook, taxpayers: list[str]) -> LotBook:
    """The book without those whose book broke in one of its groups; their fault stays."""
    if not taxpayers:
        return book
    tables = {
        name: frame.filter(~pl.col("taxpayer_id").is_in(taxpayers))
        for name, frame in book._asdict().items()
        if name != "faults"
    }
    stays = ~pl.col("taxpayer_id").is_in(taxpayers) | (pl.col("fault") == "lot_book_failed")
    return book._replace(**tables, faults=book.faults.filter(stays))


# --- conversions, which only the reference engine knows -----------------------------------------------------------


def _derived(prepared: Prepared, answers: list[Answer]) -> pl.DataFrame:
    """Lots that conversions made, with the dates and the origin of the lot that they come from."""
    made = [lot for answer in answers for lot in answer.derived]
    if not made:
        return empty(Lots).select(ROOT)
    types = dtypes(Lots)
    dates = _at(prepared.lots, [lot.source for lot in made], *DATES, "origin")
    place = _at(prepared.rows, [lot.row for lot in made], "taxpayer_id", "account_id", "asset", "tax_year",
                acquisition_event_id="event_id")  # fmt: skip
    own = pl.DataFrame([
        pl.Series("lot_id", [lot.lot_id for lot in made]),
        from_ints("quantity", [lot.quantity for lot in made], QUANTITY),
        from_ints("basis", [lot.basis for lot in made], MONEY),
        from_ints("loss_basis", [lot.loss for lot in made], MONEY),
        pl.Series("basis_status", [BASIS_STATUS_BY_WEIGHT[lot.status] for lot in made]),
    ])  # fmt: skip
    return pl.concat([own, dates, place], how="horizontal").select(pl.col(name).cast(types[name]) for name in ROOT)


def _conversions(prepared: Prepared, every: pl.DataFrame, answers: list[Answer]) -> pl.DataFrame:
    made = [row for answer in answers for row in answer.conversions]
    place = _at(prepared.rows, [row.row for row in made], "taxpayer_id", "tax_year", "event_id", to_asset="asset")
    left = _at(prepared.places, [row.from_place for row in made], from_asset="asset")
    ids = [
        _at(every, [row[n] for row in made], **{name: pl.col("lot_id")})
        for n, name in ((1, "from_lot_id"), (4, "to_lot_id"))
    ]
    own = pl.DataFrame([
        from_ints("from_quantity", [row.from_quantity for row in made], QUANTITY),
        from_ints("to_quantity", [row.to_quantity for row in made], QUANTITY),
        from_ints("basis", [row.basis for row in made], MONEY),
    ])  # fmt: skip
    return pl.concat([place, left, *ids, own], how="horizontal").select(CONVERSIONS.keys()).cast(pl.Schema(CONVERSIONS))
