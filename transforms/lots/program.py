"""The lot book's program: movements, opening and picks as arrays of integers, group by group. No lot is matched here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from schemas.fields import BASIS_STATUS, METHODS, MONEY, QUANTITY, UNTAXED
from transforms.holding import long_term_from
from transforms.lots import kernel
from transforms.lots.kernel import I64, U64, Program

QUANTITY_BITS, AMOUNT_BITS = 110, 52
"""The kernel's guards: a quantity below 2^110 (what the group holds in all below 2^119), an amount below 2^52."""
SET_BITS = 2**31
"""The most that a group's pools may take in the kernel's sets."""
MOVES_A_ROW, MOVES_AT_LEAST = 64, 100_000
"""How many moves of lots are listed for a group: so many a row, and at least so many."""
OWN = ("taxpayer_id", "asset", "pool")

_OPS = {
    "acquire": kernel.ACQUIRE, "dispose": kernel.DISPOSE, "depart": kernel.DEPART, "arrive": kernel.ARRIVE,
    "outside": kernel.OUTSIDE, "convert_out": kernel.CONVERT_OUT, "convert_in": kernel.CONVERT_IN,
}  # fmt: skip
_ENTERS = ("acquire", "arrive", "convert_in")
DATES = (
    "acquired_at", "date_acquired", "long_term_from", "loss_acquired_at", "loss_date_acquired", "loss_long_term_from",
)  # fmt: skip
ROOT = (
    "lot_id", "taxpayer_id", "account_id", "asset", "quantity", "basis", "loss_basis", *DATES, "origin",
    "acquisition_event_id", "basis_status", "tax_year",
)  # fmt: skip


class Prepared(NamedTuple):
    """A program and what its numbers stand for."""

    program: Program
    rows: pl.DataFrame
    """The movements by row number, with `pool`."""
    lots: pl.DataFrame
    """By lot number: the columns of schemas.tax.Lots; `opening`: it was there before."""
    places: pl.DataFrame
    """By place number: taxpayer_id, asset, account_id, pool, transit (the link under way, else null)."""
    links: pl.DataFrame
    """By link number: name (`transit:...`, `outside:...`)."""
    groups: pl.DataFrame
    """By group number: taxpayers (list), why (what keeps it from the kernel, else null)."""
    picks: pl.DataFrame
    """By pick number: lot_method."""


def prepare(
    rows: pl.DataFrame, opening: pl.DataFrame, ends: pl.DataFrame, picks: pl.DataFrame, years: tuple[int, int]
) -> Prepared:
    """The program of a range of years.

    Args:
        rows: schemas.ledger.Movements of the range, with `pool`: the wallet, or the universal pool.
        opening: the columns of `opening_slots`; `pool` is a pool, or `transit:` or `outside:` and what is under way.
        ends: rows of all years that depart, arrive or convert, with `pool`.
        picks: schemas.ledger.Picks.
        years: first and last tax year.
    """
    links = _ends(ends)
    nodes = _nodes(rows, opening, links)
    rows = _numbered(rows, nodes, links)
    opening = _opened(opening, nodes, links)
    places = _places(rows, opening)
    names = _links(rows, opening)
    lots = _lots(rows, opening)
    picked = _picks(rows, lots, picks)
    groups = nodes.group_by("group").agg(taxpayers=pl.col("taxpayer_id").unique().sort()).sort("group")
    program = _program(rows, opening, places, names, lots, picked, groups.height, years)
    _sound(program)
    why = outside_the_kernel(program)
    program.groups["need"][:-1][[reason is not None for reason in why]] = -1
    # conservation counts by its moves what passes between taxpayers: there none may be left out
    program.groups["move_cap"][:-1][(groups["taxpayers"].list.len() > 1).to_numpy()] = 2**62
    return Prepared(
        program, rows, lots, places, names, groups.with_columns(why=pl.Series(why, dtype=pl.String)), picked
    )  # fmt: skip


# --- who belongs together --------------------------------------------------------------------------------------------


def _ends(ends: pl.DataFrame) -> pl.DataFrame:
    """The two ends of each link: out_* and in_* of taxpayer_id, asset, pool, account_id; `own`: within one pool."""
    cells = ("taxpayer_id", "asset", "pool", "account_id")
    sides = [
        ends.filter(pl.col("movement").is_in(which))
        .unique("link", keep="first", maintain_order=True)
        .select("link", **{f"{side}_{cell}": pl.col(cell) for cell in cells})
        for side, which in (("out", ("depart", "convert_out")), ("in", ("arrive", "convert_in")))
    ]
    own = pl.all_horizontal(pl.col(f"out_{cell}") == pl.col(f"in_{cell}") for cell in OWN)
    return sides[0].join(sides[1], on="link").with_columns(own=own)


def _nodes(rows: pl.DataFrame, opening: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """taxpayer_id, asset and the number of their group: nodes that a link joins are in one."""
    key = ["taxpayer_id", "asset"]
    nodes = pl.concat([rows.select(key).unique(), opening.select(key).unique()]).unique().sort(key).with_row_index("n")
    crossing = links.filter(
        (pl.col("out_taxpayer_id") != pl.col("in_taxpayer_id")) | (pl.col("out_asset") != pl.col("in_asset"))
    )
    edges = (
        crossing.join(nodes.rename({"n": "one"}), left_on=["out_taxpayer_id", "out_asset"], right_on=key)
        .join(nodes.rename({"n": "other"}), left_on=["in_taxpayer_id", "in_asset"], right_on=key)
        .select("one", "other")
        .unique()
    )
    root = np.arange(nodes.height, dtype=np.int64)
    joined = _components(edges.rows())
    root[list(joined)] = list(joined.values())
    return nodes.select(*key, group=pl.Series(root).rank("dense").cast(pl.Int64) - 1)


def _components(edges: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Node to the smallest node that edges reach from it (union-find)."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in edges:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return {node: root(node) for node in list(parent)}


# --- rows, places, links ---------------------------------------------------------------------------------------------


def _numbered(rows: pl.DataFrame, nodes: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """The rows by group and in order, with `group`, `op`, `under` (a link within a pool), `from_account`, `name`."""
    key = ["taxpayer_id", "asset"]
    own = links.filter("own").select("link", from_account="out_account_id", own="own")
    moves = pl.col("movement").is_in(("depart", "arrive"))
    rows = rows.join(nodes, on=key, how="left", maintain_order="left")
    rows = rows.join(own, on="link", how="left", maintain_order="left").with_columns(
        own=pl.col("own").fill_null(value=False) & moves
    )
    op = (
        pl.when("own").then(pl.when(pl.col("movement") == "depart").then(kernel.LEAVE).otherwise(kernel.RETURN))
        .otherwise(pl.col("movement").replace_strict(_OPS, return_dtype=pl.Int64))
    )  # fmt: skip
    away = pl.col("movement").is_in(("convert_out", "convert_in"))
    name = (
        pl.when("own").then(None)
        .when(moves).then(pl.format("transit:{}", "link"))
        .when(away).then(pl.format("converting:{}", "link"))
        .when(pl.col("movement") == "outside").then(pl.format("outside:{}", "movement_id"))
    )  # fmt: skip
    return (
        rows.with_columns(op=op, under=pl.when("own").then("link"), name=name)
        .drop("own")
        .sort("group", "sequence")
        .with_row_index("row")
    )


def _opened(opening: pl.DataFrame, nodes: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """The opening with `group`, `under` and `name`; what is under way within a pool is a slot of that pool."""
    own = links.filter("own").select(pool=pl.format("transit:{}", "link"), under="link", home="out_pool")
    away = pl.col("pool").str.contains("^(transit|outside|converting):")
    return (
        opening.join(nodes, on=["taxpayer_id", "asset"], how="left", maintain_order="left")
        .join(own, on="pool", how="left", maintain_order="left")
        .with_columns(name=pl.when(away & pl.col("under").is_null()).then("pool"))
        .with_columns(
            pool=pl.coalesce("home", pl.when(pl.col("name").is_null()).then("pool"), pl.lit("")),
        )
        .drop("home")
        .sort("group", maintain_order=True)
    )


_PLACE = ("group", "taxpayer_id", "asset", "pool", "account_id", "transit")


def _places(rows: pl.DataFrame, opening: pl.DataFrame) -> pl.DataFrame:
    """Every place, by group and pool, accounts before what is under way; with `pool_no`."""
    of_rows = rows.select(*_PLACE[:-1], transit=pl.lit(None, pl.String))
    under = rows.filter(pl.col("under").is_not_null()).select(
        *_PLACE[:4], account_id="from_account", transit="under"
    )  # fmt: skip
    held = opening.select(*_PLACE[:-1], transit="under")
    lying = held.with_columns(transit=pl.lit(None, pl.String))
    return (
        pl.concat([of_rows.unique(), under.unique(), held.unique(), lying.unique()])
        .unique()
        .sort(_PLACE, nulls_last=False)
        .with_columns(
            pool_no=(pl.struct("group", *OWN) != pl.struct("group", *OWN).shift(1)).fill_null(value=True).cum_sum() - 1
        )
        .sort("pool_no", pl.col("transit").is_not_null(), "account_id", "transit", nulls_last=False)
        .with_row_index("place")
    )


def _links(rows: pl.DataFrame, opening: pl.DataFrame) -> pl.DataFrame:
    """Every link, by group and name."""
    named = [frame.filter(pl.col("name").is_not_null()).select("group", "name") for frame in (rows, opening)]
    return pl.concat(named).unique().sort("group", "name").with_row_index("link_no")


# --- lots and picks --------------------------------------------------------------------------------------------------


def _lots(rows: pl.DataFrame, opening: pl.DataFrame) -> pl.DataFrame:
    """Every lot that the opening has or a row may open, by group and age; `row` is the row that opens it."""
    carried = opening.unique(["group", "lot_id"], keep="first", maintain_order=True).select(
        "group", *(name for name in ROOT if name not in ("quantity", "basis", "loss_basis")), row=pl.lit(None, pl.UInt32),
        quantity="lot_quantity", basis="lot_basis", loss_basis="lot_loss_basis",
    )  # fmt: skip
    every = pl.concat([carried.select("group", "row", *ROOT), roots(rows.filter(pl.col("movement").is_in(_ENTERS)))])
    return _by_age(every).with_row_index("lot_no")


def roots(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as lots that they open: what has no dates of its own takes the movement's. `group`, `row` and ROOT."""
    fresh = long_term_from(pl.coalesce("date_acquired", "tax_date"))
    return rows.select(
        "group", "row", "taxpayer_id", "account_id", "asset", "quantity", "origin", "basis_status", "tax_year",
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
        basis_status=pl.coalesce(pl.when(pl.col("basis").is_null()).then(pl.lit("unknown")), "basis_status",
                                 pl.lit("known")),
    ).select("group", "row", *ROOT)  # fmt: skip


def _by_age(lots: pl.DataFrame) -> pl.DataFrame:
    """Earliest acquired first (Reg. 1.1012-1(j)(3)(i)); of one instant by event and lot id, for the law is silent.

    Ids are compared only where instants are equal: text costs ten times what integers do.
    """
    age = ["group", "acquired_at"]
    lots = lots.sort(age, maintain_order=True)
    later = pl.struct(age) != pl.struct(age).shift(1)
    tied = (~later).fill_null(value=False)
    tied = tied | tied.shift(-1, fill_value=False)
    ties = lots.select(tied.alias("tied"))["tied"]
    if not ties.any():
        return lots
    at = pl.select(pl.arange(0, lots.height, dtype=pl.UInt32)).to_series()
    sorted_ties = lots.filter(ties).sort(*age, "acquisition_event_id", "lot_id")
    whole = pl.concat(
        [lots.filter(~ties).with_columns(_at=at.filter(~ties)), sorted_ties.with_columns(_at=at.filter(ties))]
    )
    return whole.sort("_at").drop("_at")


def _picks(rows: pl.DataFrame, lots: pl.DataFrame, picks: pl.DataFrame) -> pl.DataFrame:
    """Picks by row and in their order: row, lot_no (null: the group has no such lot), quantity, lot_method."""
    exits = rows.filter(pl.col("movement") == "dispose")  # a departure may share its id with the fee it pays
    return (
        picks.join(exits.select("row", "group", "movement_id"), on="movement_id", maintain_order="left")
        .join(lots.select("lot_no", "group", "lot_id"), on=["group", "lot_id"], how="left", maintain_order="left")
        .sort("row", "place", maintain_order=True)
        .select("row", "lot_no", "quantity", "lot_method", "lot_id")
    )


# --- arrays ----------------------------------------------------------------------------------------------------------


def limbs(quantity: pl.Series) -> tuple[U64, U64]:
    """The high and low 64 bits of a decimal column without nulls, as they lie in memory."""
    array = quantity.rechunk().to_arrow()
    pairs = np.frombuffer(array.buffers()[1], np.uint64).reshape(-1, 2)[array.offset : array.offset + len(array)]
    return np.ascontiguousarray(pairs[:, 1]), np.ascontiguousarray(pairs[:, 0])


def micros(amount: pl.Series) -> I64:
    """An amount in micro-dollars; null is `kernel.NONE`."""
    return _ints(amount.cast(MONEY).to_physical().cast(pl.Int64).fill_null(kernel.NONE))


def _ints(series: pl.Series) -> I64:
    assert not series.null_count(), "an index without a number"
    return series.cast(pl.Int64).to_numpy().astype(np.int64, copy=False)


def _offsets(groups: pl.Series, count: int) -> I64:
    """Where each of `count` groups begins in a sorted column of group numbers, and where the last ends."""
    return np.searchsorted(_ints(groups), np.arange(count + 1)).astype(np.int64)


def _number(frame: pl.DataFrame, table: pl.DataFrame, on: list[str], number: str) -> I64:
    """For each row of a frame the number of what it names in a table; -1 where it names nothing."""
    named = frame.join(table.select(*on, number), on=on, how="left", maintain_order="left", nulls_equal=True)
    return _ints(named[number].cast(pl.Int64).fill_null(-1))


def _program(
    rows: pl.DataFrame, opening: pl.DataFrame, places: pl.DataFrame, links: pl.DataFrame, lots: pl.DataFrame,
    picks: pl.DataFrame, groups: int, years: tuple[int, int],
) -> Program:  # fmt: skip
    here = list(_PLACE)
    place = _number(rows.with_columns(transit=pl.lit(None, pl.String)), places, here, "place")
    under = rows.select(*_PLACE[:4], account_id="from_account", transit="under")
    pool_of = _ints(places["pool_no"])
    slots, parts = (opening.filter(which) for which in (pl.col("name").is_null(), pl.col("name").is_not_null()))
    slots = slots.with_columns(transit="under")
    slot_place = _number(slots, places, here, "place")
    part_place = _number(parts.with_columns(transit=pl.lit(None, pl.String)), places, here, "place")
    kept = _slots(slots, slot_place, pool_of, lots)
    lot_of = np.full(rows.height, -1, np.int64)
    opened = lots.filter(pl.col("row").is_not_null())
    lot_of[_ints(opened["row"])] = _ints(opened["lot_no"])
    pools = int(pool_of[-1]) + 1 if pool_of.size else 0
    first_of_pool = np.searchsorted(pool_of, np.arange(pools + 1)).astype(np.int64)
    group_of_pool = places["group"].gather(first_of_pool[:-1])
    untaxed = pl.col("disposal_kind").is_in(UNTAXED).fill_null(value=False)
    row_off, pick_off = _offsets(rows["group"], groups), _offsets(picks["row"], rows.height)
    return Program(
        groups=_records(
            kernel.GROUP, row_off=row_off, lot_off=_offsets(lots["group"], groups),
            pool_off=_offsets(group_of_pool, groups), link_off=_offsets(links["group"], groups),
            slot_off=_offsets(kept["group"], groups), part_off=_offsets(parts["group"], groups), first_year=years[0],
            last_year=years[1], need=_needs(rows, groups),
            move_cap=np.append(np.maximum(MOVES_A_ROW * np.diff(row_off), MOVES_AT_LEAST), 0),
        ),
        rows=_records(
            kernel.ROW, quantity=rows["quantity"], op=rows["op"], year=rows["tax_year"],
            date=rows["tax_date"].to_physical(), amount=micros(rows.select(pl.when(~untaxed).then("amount"))["amount"]),
            method=_codes(rows["lot_method"].fill_null("fifo"), METHODS), pool=pool_of[place], place=place,
            transit=_number(under, places, here, "place"), link=_number(rows, links, ["group", "name"], "link_no"),
            lot=lot_of, pick_from=pick_off[:-1], pick_to=pick_off[1:],
        ),
        lots=_records(
            kernel.LOT, quantity=lots["quantity"], basis=micros(lots["basis"]), loss=micros(lots["loss_basis"]),
            dual=lots["basis"].ne_missing(lots["loss_basis"]), long_from=lots["long_term_from"].to_physical(),
            status=_codes(lots["basis_status"], BASIS_STATUS_BY_WEIGHT),
        ),
        place_off=first_of_pool,
        places=_records(
            kernel.PLACE, quantity=_units(slots, slot_place, places.height), transit=places["transit"].is_not_null()
        ),
        slots=_records(
            kernel.SLOT, quantity=kept["quantity"], lot=kept["lot_no"], pool=kept["pool_no"], status=kept["status"],
            basis=micros(kept["basis"]), loss=micros(kept["loss_basis"]),
        ),
        parts=_records(
            kernel.PART, quantity=parts["quantity"], lot=_number(parts, lots, ["group", "lot_id"], "lot_no"),
            link=_number(parts, links, ["group", "name"], "link_no"), place=part_place,
            status=_codes(parts["basis_status"], BASIS_STATUS_BY_WEIGHT), basis=micros(parts["basis"]),
            loss=micros(parts["loss_basis"]),
        ),
        picks=_records(kernel.PICK, quantity=picks["quantity"].fill_null(0), lot=picks["lot_no"].cast(pl.Int64).fill_null(-1)),
    )  # fmt: skip


def _records(kind: Any, quantity: pl.Series | None = None, **columns: Any) -> kernel.Records:
    """An array of records from columns of one length; a quantity gives its limbs."""
    if quantity is not None:
        columns["hi"], columns["lo"] = limbs(quantity)
    length = max(len(column) for column in columns.values() if not isinstance(column, int))
    records = np.empty(length, kind)
    for name, column in columns.items():
        records[name] = _ints(column) if isinstance(column, pl.Series) else column
    return records


BASIS_STATUS_BY_WEIGHT = ("known", "assumed", "unallocated", "unknown")
"""The order of `kernel.KNOWN` and its fellows."""
assert set(BASIS_STATUS_BY_WEIGHT) == set(BASIS_STATUS)


def _codes(series: pl.Series, names: tuple[str, ...]) -> I64:
    """Places in a tuple of names; one past its end where there is no such name."""
    return _ints(series.cast(pl.Enum(names), strict=False).to_physical().fill_null(len(names)))


def _slots(slots: pl.DataFrame, place: I64, pool_of: I64, lots: pl.DataFrame) -> pl.DataFrame:
    """What of the opening lies in pools: a row a lot and pool, whatever accounts it lies in."""
    numbered = slots.with_columns(
        pool_no=pl.Series(pool_of[place]),
        lot_no=pl.Series(_number(slots, lots, ["group", "lot_id"], "lot_no")),
        status=pl.Series(_codes(slots["basis_status"], BASIS_STATUS_BY_WEIGHT)),
    )
    sums = [
        pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).alias(name) for name in ("basis", "loss_basis")
    ]
    return (
        numbered.group_by("group", "pool_no", "lot_no")
        .agg(pl.col("quantity").sum(), *sums, pl.col("status").max())
        .sort("group", "pool_no", "lot_no")
    )


def _units(slots: pl.DataFrame, place: I64, places: int) -> pl.Series:
    """The units that each place opens with."""
    held = slots.select("quantity", place=pl.Series(place)).group_by("place").agg(pl.col("quantity").sum())
    every = pl.select(place=pl.arange(0, places, dtype=pl.Int64))
    return every.join(held, on="place", how="left", maintain_order="left")["quantity"].cast(QUANTITY).fill_null(0)


def _needs(rows: pl.DataFrame, groups: int) -> I64:
    """Which orders beside age the methods of each group need."""
    need = np.zeros(groups + 1, np.int64)
    bits = {
        "hifo": kernel.NEED_COST,
        "lofo": kernel.NEED_LEAST_COST,
        "taxmin": kernel.NEED_TERMS | kernel.NEED_COST,
    }
    for method, bit in bits.items():
        need[_ints(rows.filter(pl.col("lot_method") == method)["group"].unique())] |= bit
    return need


_MOVES = (kernel.DEPART, kernel.OUTSIDE, kernel.ARRIVE, kernel.CONVERT_OUT, kernel.CONVERT_IN)
_NEEDED = {
    "link": _MOVES,
    "lot": (kernel.ACQUIRE, kernel.ARRIVE, kernel.RETURN, kernel.CONVERT_IN),
    "transit": (kernel.LEAVE, kernel.RETURN),
    "pool": tuple(range(9)),
    "place": tuple(range(9)),
}
"""Which rows must have which index."""


def _sound(p: Program) -> None:
    """Every index lies within its group: compiled code checks no bounds.

    Raises:
        IndexError: one does not; nothing has been computed.
    """
    of = {"lot": "lot_off", "pool": "pool_off", "link": "link_off"}
    place_off = p.place_off[p.groups["pool_off"]]
    for table, kind, may_lack in ((p.rows, "row", True), (p.slots, "slot", False), (p.parts, "part", False)):
        group = np.repeat(np.arange(p.groups.size - 1), np.diff(p.groups[f"{kind}_off"]))
        for name in set(table.dtype.names or ()) & {*of, "place", "transit"}:
            off = p.groups[of[name]] if name in of else place_off
            inside = (table[name] >= off[group]) & (table[name] < off[group + 1])
            lacking = may_lack & (table[name] == -1)
            if name in _NEEDED and may_lack:
                lacking &= ~np.isin(table["op"], _NEEDED[name])
            if not np.all(inside | lacking):
                raise IndexError(f"{kind}.{name} outside its group")
    rows = np.repeat(np.arange(p.groups.size - 1), np.diff(p.groups["row_off"]))
    group, lot = np.repeat(rows, p.rows["pick_to"] - p.rows["pick_from"]), p.picks["lot"]
    off = p.groups["lot_off"]
    if group.size != lot.size or not np.all((lot == -1) | ((lot >= off[group]) & (lot < off[group + 1]))):
        raise IndexError("pick.lot outside its group")


# --- what the kernel does not take -----------------------------------------------------------------------------------


def outside_the_kernel(p: Program) -> list[str | None]:
    """For each group why the kernel does not take it, None where it does.

    `conversion`: its lots become lots of another asset; `method`: there is no such one; `quantity`, `amount`: beyond what the kernel's integers hold;
    `taxmin of gifts`, `taxmin over calendars`: two bases, or dates that go back within the group; `pools`: more pools
    and lots than its sets take.
    """
    count = p.groups.size - 1
    of = {
        name: np.repeat(np.arange(count), np.diff(p.groups[f"{name}_off"])) for name in ("row", "lot", "slot", "part")
    }

    def some(which: Any, kind: str) -> Any:
        return np.bincount(of[kind][which], minlength=count) > 0

    tables = {"row": p.rows, "slot": p.slots, "part": p.parts}
    total = sum(
        (np.bincount(of[kind], table["hi"].astype(np.float64) + 1.0, count) for kind, table in tables.items()),
        np.zeros(count),
    )
    amounts = [(p.rows["amount"], "row"), (p.lots["basis"], "lot"), (p.lots["loss"], "lot")]
    large = [some((a != kernel.NONE) & (np.abs(a) >= 2**AMOUNT_BITS), kind) for a, kind in amounts]
    below = some((p.lots["basis"] < 0) & (p.lots["basis"] != kernel.NONE), "lot")
    terms = (p.groups["need"][:-1] & kernel.NEED_TERMS) > 0
    back = np.append(np.diff(p.rows["date"]) < 0, False)[: p.rows.size]
    back &= np.append(np.diff(of["row"]) == 0, False)[: p.rows.size]
    lots, pools = np.diff(p.groups["lot_off"]), np.diff(p.groups["pool_off"])
    most = np.uint64(1 << (QUANTITY_BITS - 64))
    converts = (p.rows["op"] == kernel.CONVERT_OUT) | (p.rows["op"] == kernel.CONVERT_IN)
    reasons = {
        "conversion": some(converts, "row"),
        "method": some(p.rows["method"] >= len(METHODS), "row"),
        "quantity": (total >= 2.0 ** (119 - 64))
        | some(p.rows["hi"] >= most, "row")
        | some(p.lots["hi"] >= most, "lot"),
        "amount": np.logical_or.reduce([*large, below]),
        "taxmin of gifts": terms & some(p.lots["dual"] > 0, "lot"),
        "taxmin over calendars": terms & some(back, "row"),
        "pools": 5.0 * pools * lots > SET_BITS,
    }
    why: list[str | None] = [None] * count
    for reason, which in reversed(reasons.items()):
        for group in np.flatnonzero(which).tolist():
            why[group] = reason
    return why
