"""Wash sales: which units replaced units sold at a loss, and what that does to losses, basis and dates (IRC 1091).

An overlay on the lot book, which stays pure matching: lots are chosen (FIFO, HIFO) by their unadjusted basis and dates,
and the book's own closing lots carry no wash sale. The overlay is computed anew from all years each night.

How units are matched (Reg. 1.1091-1): losses in the order of disposal, at one instant in the order of acquisition;
replacements in the order of acquisition, within 30 days before or after on each buyer's own calendar, unit for unit,
each unit once. A unit replaces another if it was bought or came in a fully taxable exchange, is no part of the lot sold
(under whatever id: a filed lot and a lot that came of another by conversion are units of their first purchase), and was not itself disposed of by then (units sold in the same instant replace nothing). Within a lot the units that
replaced others leave first.

Work: polars finds the taxpayers and assets with a loss and a purchase within 30 days; only their disposals, from 30 days
before the first such loss on, are walked in Python, once, in near linear time (a replacement that is used up is never
looked at again).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import polars as pl

from schemas.fields import MONEY, QUANTITY, UNTAXED
from schemas.gate import conform, empty
from schemas.tax import Gains, LossAtRisk, WashedLots, WashSales
from transforms.collector import no_garbage
from transforms.exact import from_ints, share, to_ints
from transforms.holding import long_term_from, term
from transforms.law.wash_sale_rules import DEFAULT_CLASS, Rule
from transforms.stands import stand

_WASHED = "~washed-"
"""Between the id of a lot and the number of a part of it that replaced washed units."""

WINDOW = 30
"""Days before and after the sale (IRC 1091(a): 61 with the day itself)."""
BOUGHT = ("buy", "trade")
"""Origins that are a purchase or a fully taxable exchange (Reg. 1.1091-1(a), (f)); a reward is none [unsettled]."""
FILED = "filed-"
"""How the ids of lots begin that a filed return states: they stand beside the computed lot of the same purchase."""
LOST = ("ira", "hsa")
"""Treatments of accounts where a replacement's basis is not raised (Rev. Rul. 2008-5)."""
TRUST_SHARE_TOPIC = "trust_share_wash_sale"
_PURCHASE = pl.format("{} {}", "acquisition_event_id", "date_acquired")
"""Names a purchase, whatever the lots of its units are called (an event may tell of purchases of several days)."""
_LONG_HELD = 366
"""Days that inherited property counts as held at least (IRC 1223(9))."""


class Washed(NamedTuple):
    """What the overlay finds."""

    gains: pl.DataFrame
    """schemas.tax.Gains: all pieces given, those of washed units cut out of their lots."""
    matches: pl.DataFrame
    """schemas.tax.WashSales."""
    held: pl.DataFrame
    """schemas.tax.WashedLots, `tax_year` null: what no piece has disposed of."""


class Books(NamedTuple):
    """What the matching needs to know beside the pieces."""

    lots: pl.DataFrame
    """schemas.tax.Lots."""
    conversions: pl.DataFrame
    """from_lot_id, to_lot_id: lots that came of another lot by conversion were not bought."""
    couples: pl.DataFrame
    """What `couples` gives."""
    accounts: pl.DataFrame
    """account_id, treatment."""


def reached(pieces: pl.DataFrame, assets: pl.DataFrame, stands: pl.DataFrame, rules: tuple[Rule, ...]) -> pl.DataFrame:
    """The pieces with `subject`: whether one of the rules would disallow a loss of it.

    Args:
        pieces: schemas.tax.Pieces.
        assets: asset, class; an asset without a row is a token.
        stands: taxpayer_id, from_year, topic, choice; topic `trust_share_wash_sale` with `no` frees trust shares
            (whether they are securities for section 1091 is unsettled).
        rules: the rules laid over the books.
    """
    known = pieces.join(assets.select("asset", "class").unique("asset"), on="asset", how="left", maintain_order="left")
    known = known.with_columns(pl.col("class").fill_null(DEFAULT_CLASS))
    deducts = pl.col("on_return") & pl.col("gain").is_not_null() & ~pl.col("disposal_kind").is_in(UNTAXED)
    known = known.with_columns(
        subject=deducts & pl.any_horizontal([pl.lit(value=False), *(r.reaches() for r in rules)])
    )
    shares = pl.col("subject") & (pl.col("class") == "trust_share")
    if known.select(shares.any()).item():
        said = stand(known.with_columns(topic=pl.lit(TRUST_SHARE_TOPIC)), stands)
        known = said.with_columns(
            subject=pl.col("subject") & ~(shares & (pl.col("choice") == "no").fill_null(value=False))
        )
    return known.select(*pieces.columns, "subject")


def couples(members: pl.DataFrame, profiles: pl.DataFrame) -> pl.DataFrame:
    """Who is married to whom in a year: taxpayer_id, spouse_id, tax_year, each couple both ways.

    Two on one return; and two who file separately as married in a year and were on one return in another.

    Args:
        members: return_id, tax_year, taxpayer_id.
        profiles: return_id, tax_year, filing_status.
    """
    both = members.join(members, on=["return_id", "tax_year"], suffix="_2").filter(
        pl.col("taxpayer_id") != pl.col("taxpayer_id_2")
    )
    joint = both.select("taxpayer_id", spouse_id="taxpayer_id_2", tax_year="tax_year")
    apart = members.join(
        profiles.filter(filing_status="mfs").select("return_id", "tax_year"), on=["return_id", "tax_year"], how="semi"
    ).select("taxpayer_id", "tax_year")
    pairs = joint.select("taxpayer_id", "spouse_id").unique()
    separate = pairs.join(apart, on="taxpayer_id").join(
        apart, left_on=["spouse_id", "tax_year"], right_on=["taxpayer_id", "tax_year"], how="semi"
    )
    return pl.concat([joint, separate.select(joint.columns)]).unique().sort("taxpayer_id", "tax_year", "spouse_id")


def under_law(
    pieces: pl.DataFrame, books: Books, assets: pl.DataFrame, stands: pl.DataFrame, rules: tuple[Rule, ...]
) -> Washed:
    """The overlay of the rules that are law, all together (arguments as of `reached` and `wash`)."""
    return wash(reached(pieces, assets, stands, tuple(rule for rule in rules if rule.status == "law")), books)


def wash(pieces: pl.DataFrame, books: Books) -> Washed:
    """Apply the matching to pieces that tell which losses are `subject` to it (see `reached`).

    Args:
        pieces: schemas.tax.Pieces of all years and accounts, and `subject`; assets that no rule reaches may be left
            out.
        books: lots, conversions, couples and accounts.
    """
    untouched = conform(pieces.with_columns(disallowed=pl.lit(0, MONEY)), Gains)
    if not pieces.select((pl.col("subject")).any()).item():
        return Washed(untouched, empty(WashSales), empty(WashedLots))
    work = _work(pieces.with_row_index("row"), books)
    if work is None:
        return Washed(untouched, empty(WashSales), empty(WashedLots))
    rows, lots = work
    out = _Out([], [], [])
    spouses = frozenset(books.couples.select("taxpayer_id", "spouse_id", "tax_year").iter_rows())
    sales, bought = _sales(rows), _replacements(lots)
    descent = _descent(rows.filter("subject"), books)
    with no_garbage():
        for key, group in groupby(sales, key=lambda sale: sale.group):
            _Family(bought.pop(key, []), spouses, descent, out).run(group)
    return Washed(_gains(untouched, out.parts), _matches(untouched, lots, out.matches), _held(lots, out.held))


def _work(pieces: pl.DataFrame, books: Books) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """The pieces to walk and the lots that may replace: of families and assets with a loss and a purchase near it."""
    family = _families(books.couples)
    named = _of_family(pieces, family)
    kept = purchases(books.lots, books.conversions).with_columns(purchase=_PURCHASE)
    subject = named.filter("subject").select("family", "asset").unique()
    lots = _of_family(kept, family).join(subject, on=["family", "asset"], how="semi")
    losses = named.filter(pl.col("subject") & (pl.col("gain") < 0)).sort("date_sold")
    near = losses.join_asof(
        lots.select("family", "asset", "date_acquired").sort("date_acquired").with_columns(bought="date_acquired"),
        left_on="date_sold", right_on="date_acquired", by=["family", "asset"], strategy="nearest",
        tolerance=f"{WINDOW}d", check_sortedness=False,
    )  # fmt: skip
    since = (
        near.filter(pl.col("bought").is_not_null())
        .group_by("family", "asset")
        .agg(since=pl.col("date_sold").min().dt.offset_by(f"-{WINDOW}d"))
    )
    if since.is_empty():
        return None
    on = ["family", "asset"]
    of_lot = books.lots.select("lot_id", purchase=_PURCHASE)
    rows = named.join(since, on=on).filter(pl.col("date_sold") >= pl.col("since")).join(of_lot, on="lot_id", how="left")
    recent = lots.join(since, on=on).filter(pl.col("date_acquired") >= pl.col("since"))
    treated = recent.join(books.accounts.select("account_id", "treatment"), on="account_id", how="left")
    order = ["family", "asset", "date_acquired", "acquired_at", "lot_id"]
    sold = ["family", "asset", "disposed_at", "acquired_at", "lot_id", "disposal_id"]
    return rows.sort(sold, nulls_last=True), treated.sort(order).with_row_index("lot_row")


def purchases(lots: pl.DataFrame, conversions: pl.DataFrame) -> pl.DataFrame:
    """The lots that were bought, each purchase once: none that came of another lot, no filed twin of a computed lot.

    Args:
        lots: schemas.tax.Lots.
        conversions: to_lot_id.
    """
    twin = pl.col("lot_id").str.starts_with(FILED)
    return lots.filter(pl.col("origin").is_in(BOUGHT) & ~twin).join(
        conversions.select(lot_id="to_lot_id"), on="lot_id", how="anti", maintain_order="left"
    )


def _descent(losses: pl.DataFrame, books: Books) -> dict[str, frozenset[str]]:
    """By lot sold at a loss that came of other lots: the purchases of all of those."""
    derived = books.conversions.select(lot_id="to_lot_id").unique()
    sold = losses.select("lot_id").unique().join(derived, on="lot_id", how="semi")["lot_id"].to_list()
    if not sold:
        return {}
    parents: dict[str, set[str]] = defaultdict(set)
    for child, parent in books.conversions.select("to_lot_id", "from_lot_id").unique().iter_rows():
        parents[child].add(parent)
    ancestors = {}
    for lot in sold:
        seen: set[str] = set()
        todo = [lot]
        while todo:
            new = parents.get(todo.pop(), set()) - seen
            seen |= new
            todo += new
        ancestors[lot] = seen
    wanted = pl.DataFrame({"lot_id": sorted(set().union(*ancestors.values()))}, schema={"lot_id": pl.String})
    bought = dict(books.lots.join(wanted, on="lot_id", how="semi").select("lot_id", _PURCHASE).iter_rows())
    return {lot: frozenset(bought[one] for one in seen if one in bought) for lot, seen in ancestors.items()}


def _families(pairs: pl.DataFrame) -> dict[str, str]:
    """Taxpayer to the name of the family, over all years; who never had a spouse is not in it."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for one, other in pairs.select("taxpayer_id", "spouse_id").unique().sort(pl.all()).iter_rows():
        first, second = sorted((root(one), root(other)))
        parent[second] = first
    return {name: root(name) for name in list(parent)}


def _of_family(frame: pl.DataFrame, family: dict[str, str]) -> pl.DataFrame:
    taxpayer = pl.col("taxpayer_id")
    return frame.with_columns(
        family=taxpayer.replace_strict(list(family), list(family.values()), default=taxpayer, return_dtype=pl.String)
    )


# --- the walk --------------------------------------------------------------------------------------------------------


class _Sale(NamedTuple):
    """A piece. Dates are days, instants microseconds, money micro-dollars, quantities 10^-18 units."""

    row: int
    group: tuple[str, str]
    taxpayer: str
    lot_id: str
    at: int
    sold: int
    year: int
    acquired: int | None
    inherited: bool
    quantity: int
    proceeds: int | None
    basis: int | None
    subject: bool
    purchase: str


class _Chunk:
    """Units of a lot that replaced others: what they brought, and how many have left again."""

    __slots__ = ("added", "days", "gone", "number", "units")

    def __init__(self, number: int, units: int, added: int, days: int) -> None:
        self.number, self.units, self.added, self.days, self.gone = number, units, added, days, 0

    def take(self, wanted: int) -> tuple[int, int]:
        """Units that leave now, and the added basis that goes with them."""
        units = min(wanted, self.units - self.gone)
        before = share(self.added, self.gone, self.units)
        self.gone += units
        return units, share(self.added, self.gone, self.units) - before


class _Lot:
    """A lot that may replace units sold. `free`: its units still held that have replaced nothing."""

    __slots__ = ("acquired", "chunks", "free", "lost", "lot_id", "made", "purchase", "row", "taxpayer")

    def __init__(
        self, row: int, lot_id: str, taxpayer: str, acquired: int, quantity: int, purchase: str, *, lost: bool
    ) -> None:
        self.row, self.lot_id, self.taxpayer, self.acquired, self.free = row, lot_id, taxpayer, acquired, quantity
        self.purchase, self.lost = purchase, lost
        self.chunks: deque[_Chunk] = deque()
        self.made = 0

    def replace(self, units: int, added: int, days: int) -> int:
        """Use free units as a replacement; the number of the new part."""
        self.free -= units
        self.made += 1
        self.chunks.append(_Chunk(self.made, units, added, days))
        return self.made

    def leave(self, quantity: int) -> Iterator[tuple[int, _Chunk | None, int]]:
        """Units leave, those that replaced others first: units, part (None: the rest of the lot), added basis."""
        plain = 0
        while quantity and self.chunks:
            chunk = self.chunks[0]
            units, added = chunk.take(quantity)
            quantity -= units
            if chunk.gone == chunk.units:
                self.chunks.popleft()
            if self.lost:
                plain += units
            else:
                yield units, chunk, added
        self.free -= quantity
        if quantity + plain:
            yield quantity + plain, None, 0


class _Part(NamedTuple):
    """A part of a piece: of the lot itself (`chunk` None) or of its units that had replaced others."""

    sale: _Sale
    units: int
    proceeds: int | None
    basis: int | None
    chunk: _Chunk | None

    @property
    def loss(self) -> int:
        """What is lost, 0 where nothing is."""
        return max(0, self.basis - self.proceeds) if self.basis is not None and self.proceeds is not None else 0

    @property
    def held_days(self) -> int:
        """Days that count as held (IRC 1222, 1223(3), 1223(9))."""
        days = self.sale.sold - (self.sale.acquired or 0) + (self.chunk.days if self.chunk else 0)
        return max(days, _LONG_HELD) if self.sale.inherited else days


class _Out(NamedTuple):
    """What the walk writes."""

    parts: list[tuple[Any, ...]]
    """row, number (None: the lot itself), days, units, proceeds, basis, disallowed: of each piece that changes."""
    matches: list[tuple[Any, ...]]
    """row, number, lot_row, part number, units, disallowed, lost, days."""
    held: list[tuple[Any, ...]]
    """lot_row, part number, units, added, days."""


class _Family:
    """The disposals of one asset by a family, in order."""

    def __init__(
        self,
        lots: list[_Lot],
        spouses: frozenset[tuple[str, str, int]],
        descent: dict[str, frozenset[str]],
        out: _Out,
    ) -> None:
        self.lots, self.descent = lots, descent
        self.by_id = {lot.lot_id: lot for lot in lots}
        self.dates = [lot.acquired for lot in lots]
        self.next = list(range(len(lots) + 1))  # the first lot from here on that may have free units
        self.spouses = spouses
        self.out = out

    def run(self, sales: Iterator[_Sale]) -> None:
        """Walk the disposals; those of one instant leave together before any of them is matched."""
        for _, instant in groupby(sales, key=lambda sale: sale.at):
            for parts in [self._parts(sale) for sale in instant]:
                disallowed = [self._match(part) if part.sale.subject and part.loss else 0 for part in parts]
                if any(disallowed) or any(part.chunk for part in parts):
                    self._write(parts, disallowed)
        for lot in () if not self.lots else self.lots:
            for chunk in () if lot.lost else lot.chunks:
                left = chunk.units - chunk.gone
                self.out.held.append((lot.row, chunk.number, left, chunk.take(left)[1], chunk.days))

    def _parts(self, sale: _Sale) -> list[_Part]:
        lot = self.by_id.get(sale.lot_id)
        cut = list(lot.leave(sale.quantity)) if lot else [(sale.quantity, None, 0)]
        if len(cut) == 1:
            _, chunk, added = cut[0]
            basis = None if sale.basis is None else sale.basis + added
            return [_Part(sale, sale.quantity, sale.proceeds, basis, chunk)]
        parts, done = [], 0
        for units, chunk, added in cut:
            proceeds, basis = (
                None if total is None else share(total, done + units, sale.quantity) - share(total, done, sale.quantity)
                for total in (sale.proceeds, sale.basis)
            )
            done += units
            parts.append(_Part(sale, units, proceeds, None if basis is None else basis + added, chunk))
        return parts

    def _match(self, part: _Part) -> int:
        """Find what replaced the units; the loss that is not allowed."""
        sale, done, days = part.sale, 0, part.held_days
        last, sold_of = sale.sold + WINDOW, self.descent.get(sale.lot_id, ())
        at = self._open(bisect_left(self.dates, sale.sold - WINDOW))
        while done < part.units and at < len(self.lots) and self.dates[at] <= last:
            lot = self.lots[at]
            if lot.purchase != sale.purchase and lot.purchase not in sold_of and self._counts(sale, lot):
                units = min(lot.free, part.units - done)
                amount = share(part.loss, done + units, part.units) - share(part.loss, done, part.units)
                done += units
                number = lot.replace(units, 0 if lot.lost else amount, 0 if lot.lost else days)
                self.out.matches.append((sale.row, part.chunk and part.chunk.number, lot.row, number, units, amount,
                                         lot.lost, 0 if lot.lost else days))  # fmt: skip
            at = self._open(at + 1 if lot.free else at)
        return share(part.loss, done, part.units)

    def _open(self, at: int) -> int:
        """The first lot from `at` on with free units; used-up ones are jumped over from then on."""
        seen = []
        while True:
            if self.next[at] != at:
                seen.append(at)
                at = self.next[at]
            elif at < len(self.lots) and self.lots[at].free <= 0:
                self.next[at] = at + 1
            else:
                break
        for passed in seen:
            self.next[passed] = at
        return at

    def _counts(self, sale: _Sale, lot: _Lot) -> bool:
        return lot.taxpayer == sale.taxpayer or (sale.taxpayer, lot.taxpayer, sale.year) in self.spouses

    def _write(self, parts: list[_Part], disallowed: list[int]) -> None:
        for part, lost in zip(parts, disallowed, strict=True):
            chunk = part.chunk
            self.out.parts.append((part.sale.row, chunk and chunk.number, chunk.days if chunk else 0, part.units,
                                   part.proceeds, part.basis, lost))  # fmt: skip


def _cells(column: pl.Series | list[Any]) -> list[Any]:
    """The cells of a column; mantissas come as a list already."""
    return column.to_list() if isinstance(column, pl.Series) else column


def _sales(rows: pl.DataFrame) -> Iterator[_Sale]:
    columns: list[Any] = [
        rows["row"], rows["family"], rows["asset"], rows["taxpayer_id"], rows["lot_id"].fill_null(""),
        rows["disposed_at"].to_physical(), rows["date_sold"].to_physical(), rows["tax_year"],
        rows["date_acquired"].to_physical(), (rows["origin"] == "inheritance").fill_null(value=False),
        to_ints(rows["quantity"]), to_ints(rows["proceeds"]), to_ints(rows["basis"]), rows["subject"],
        rows["purchase"].fill_null(""),
    ]  # fmt: skip
    for row, family, asset, *rest in zip(*map(_cells, columns), strict=True):
        yield _Sale(row, (family, asset), *rest)


def _replacements(lots: pl.DataFrame) -> dict[tuple[str, str], list[_Lot]]:
    """The lots of each family and asset in the order of acquisition."""
    found: dict[tuple[str, str], list[_Lot]] = defaultdict(list)
    columns: list[Any] = [
        lots["family"], lots["asset"], lots["lot_row"], lots["lot_id"], lots["taxpayer_id"],
        lots["date_acquired"].to_physical(), to_ints(lots["quantity"]), lots["purchase"], lots["treatment"].is_in(LOST).fill_null(value=False),
    ]  # fmt: skip
    for family, asset, row, lot_id, taxpayer, acquired, quantity, purchase, lost in zip(
        *map(_cells, columns), strict=True
    ):
        found[family, asset].append(_Lot(row, lot_id, taxpayer, acquired, quantity, purchase, lost=lost))
    return found


# --- back to frames --------------------------------------------------------------------------------------------------


def _table(types: dict[str, Any], rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """A frame of tuples; decimals come as mantissas."""
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    return pl.DataFrame([
        from_ints(name, values, dtype) if isinstance(dtype, pl.Decimal) else pl.Series(name, values, dtype=dtype)
        for (name, dtype), values in zip(types.items(), columns, strict=True)
    ])  # fmt: skip


def _part_id(lot_id: str, number: str) -> pl.Expr:
    """The id of a part of a lot that replaced washed units; without a number the lot itself."""
    return pl.when(pl.col(number).is_null()).then(lot_id).otherwise(pl.format(f"{{}}{_WASHED}{{}}", lot_id, number))


def whole_lot(lot_id: str = "lot_id") -> pl.Expr:
    """The id of the lot that a part is of; of a lot its own."""
    return pl.col(lot_id).str.split(_WASHED).list.first()


def _gains(pieces: pl.DataFrame, parts: list[tuple[Any, ...]]) -> pl.DataFrame:
    """The pieces with the changed ones in place, each cut into its parts."""
    types = {"row": pl.UInt32, "number": pl.Int64, "days": pl.Int64, "units": QUANTITY, "part_proceeds": MONEY,
             "part_basis": MONEY, "part_disallowed": MONEY}  # fmt: skip
    if not parts:
        return pieces
    cut = _table(types, parts)
    days = pl.duration(days=pl.col("days"))
    since = pl.col("date_acquired") - days
    washed = pl.col("number").is_not_null()
    none = pl.lit(None, pl.String)
    changed = (
        pieces.with_row_index("row")
        .join(cut, on="row", maintain_order="right")
        .with_columns(
            lot_id=_part_id("lot_id", "number"),
            quantity="units",
            proceeds="part_proceeds",
            basis="part_basis",
            gain=pl.when(pl.col("part_proceeds").is_null() | pl.col("part_basis").is_null())
            .then("gain")
            .otherwise(pl.col("part_proceeds") - pl.col("part_basis"))
            .cast(MONEY),
            acquired_at=pl.col("acquired_at") - days,
            date_acquired=since,
            term=pl.when(washed).then(term(pl.col("date_sold"), long_term_from(since))).otherwise("term"),
            disallowed="part_disallowed",
            disallowed_code=pl.when(pl.col("part_disallowed") > 0).then(pl.lit("W")).otherwise(none),
        )
    )
    kept = pieces.with_row_index("row").join(cut, on="row", how="anti", maintain_order="left")
    return pl.concat([kept, changed.select(kept.columns)]).sort("row", maintain_order=True).drop("row")


def _matches(pieces: pl.DataFrame, lots: pl.DataFrame, matches: list[tuple[Any, ...]]) -> pl.DataFrame:
    """schemas.tax.WashSales."""
    types = {"row": pl.UInt32, "number": pl.Int64, "lot_row": pl.UInt32, "part": pl.Int64, "quantity": QUANTITY,
             "disallowed": MONEY, "is_lost": pl.Boolean, "days_added": pl.Int64}  # fmt: skip
    sold = pieces.with_row_index("row").select(
        "row", "taxpayer_id", "tax_year", "asset", "disposal_id", "lot_id", "date_sold"
    )
    into = lots.select(
        "lot_row",
        replacement_taxpayer_id="taxpayer_id",
        replacement_account_id="account_id",
        replacement_lot_id="lot_id",
        replacement_acquired="date_acquired",
    )
    nothing = pl.lit(0, MONEY)
    joined = (
        _table(types, matches)
        .join(sold, on="row", maintain_order="left")
        .join(into, on="lot_row", maintain_order="left")
        .with_columns(
            lot_id=_part_id("lot_id", "number"),
            part_id=_part_id("replacement_lot_id", "part"),
            basis_added=pl.when("is_lost").then(nothing).otherwise("disallowed"),
            lost=pl.when("is_lost").then("disallowed").otherwise(nothing),
        )
    )
    return conform(joined, WashSales)


def _held(lots: pl.DataFrame, held: list[tuple[Any, ...]]) -> pl.DataFrame:
    """schemas.tax.WashedLots without the year."""
    types = {"lot_row": pl.UInt32, "part": pl.Int64, "quantity": QUANTITY, "basis_added": MONEY, "days_added": pl.Int64}
    joined = _table(types, held).join(
        lots.select("lot_row", "lot_id", "taxpayer_id"), on="lot_row", maintain_order="left"
    )
    return conform(joined.with_columns(part_id=_part_id("lot_id", "part")), WashedLots)


def loss_at_risk(
    pieces: pl.DataFrame, books: Books, assets: pl.DataFrame, stands: pl.DataFrame, rules: tuple[Rule, ...]
) -> pl.DataFrame:
    """schemas.tax.LossAtRisk: what each rule that is not law would take, each by itself over the whole books.

    What the law in force reaches is not at risk from a bill.
    """
    law = tuple(rule for rule in rules if rule.status == "law")
    found = [
        _at_risk(pieces, books, assets, stands, rule, law).with_columns(
            rule=pl.lit(rule.rule_id), status=pl.lit(rule.status)
        )
        for rule in rules
        if rule.status != "law"
    ]
    every = [conform(frame, LossAtRisk) for frame in found]
    return pl.concat([empty(LossAtRisk), *every]).sort("rule", "taxpayer_id", "tax_year", "date_sold", "disposal_id")


def _at_risk(
    pieces: pl.DataFrame,
    books: Books,
    assets: pl.DataFrame,
    stands: pl.DataFrame,
    rule: Rule,
    law: tuple[Rule, ...],
) -> pl.DataFrame:
    """The disposals of which a rule would take a loss."""
    since = max(rule.first_day, date.min + timedelta(days=WINDOW)) - timedelta(days=WINDOW)
    recent = pieces.filter(pl.col("date_sold") >= since)
    governed = reached(recent, assets, stands, law)["subject"]
    subject = reached(recent, assets, stands, (rule,)).with_columns(subject=pl.col("subject") & ~governed)
    gains = wash(subject, books).gains
    lost = (
        pl.when(pl.col("on_return") & (pl.col("gain") < 0) & ~pl.col("disposal_kind").is_in(UNTAXED))
        .then(-pl.col("gain"))
        .otherwise(pl.lit(0, MONEY))
    )
    return (
        gains.filter((pl.col("disallowed") > 0).any().over("disposal_id"))
        .group_by("disposal_id", "taxpayer_id", "return_id", "tax_year", "account_id", "asset", "date_sold")
        .agg(loss=lost.sum().cast(MONEY), disallowed=pl.col("disallowed").sum().cast(MONEY))
    )


def bar(
    holdings: pl.DataFrame,
    open_lots: pl.DataFrame,
    assets: pl.DataFrame,
    couples: pl.DataFrame,
    classes: tuple[str, ...],
    as_of: date,
) -> pl.DataFrame:
    """Holdings without those whose loss a purchase of the last 30 days would take (`why_not` bought_within_30_days).

    Args:
        holdings: schemas.harvest.Holdings.
        open_lots: schemas.tax.OpenLots: what was bought lately and is still there, an IRA's too.
        assets: asset, class.
        couples: taxpayer_id, spouse_id, tax_year.
        classes: the classes that the law reaches tonight.
        as_of: tonight.
    """
    recent = open_lots.filter(
        pl.col("origin").is_in(BOUGHT) & (pl.col("date_acquired") >= as_of - timedelta(days=WINDOW))
    ).select("asset", "lot_id", buyer="taxpayer_id")
    married = couples.filter(tax_year=as_of.year).select("taxpayer_id", buyer="spouse_id")
    own = open_lots.select("taxpayer_id", buyer="taxpayer_id").unique()
    bought = pl.concat([own, married]).join(recent, on="buyer").group_by("taxpayer_id", "asset").agg(bought="lot_id")
    known = holdings.join(
        assets.select("asset", "class").unique("asset"), on="asset", how="left", maintain_order="left"
    )
    judged = known.join(bought, on=["taxpayer_id", "asset"], how="left", maintain_order="left")
    others = pl.col("bought").list.set_difference(pl.concat_list("lot_id")).list.len().fill_null(0) > 0
    reached = pl.col("class").fill_null(DEFAULT_CLASS).is_in(classes)
    barred = pl.col("why_not").is_null() & reached & others
    why = pl.when(barred).then(pl.lit("bought_within_30_days")).otherwise("why_not")
    return judged.with_columns(why_not=why).select(holdings.columns)


def with_washed(open_lots: pl.DataFrame, washed: pl.DataFrame) -> pl.DataFrame:
    """Open lots with the units that replaced washed ones cut out, at their own basis and dates.

    Of a lot that lies in several places the washed units are laid out over its accounts by their ids, what lies in an
    account before what is under way or outside.

    Args:
        open_lots: schemas.tax.OpenLots as the lot book leaves them.
        washed: schemas.tax.WashedLots.
    """
    if washed.is_empty():
        return open_lots
    ordered = open_lots.sort("lot_id", pl.col("location") != "account", "account_id", "location")
    touched = ordered.join(washed, on="lot_id", how="semi", maintain_order="left").with_row_index("row")
    chunks: dict[str, deque[list[Any]]] = defaultdict(deque)
    ints = (washed["lot_id"], washed["part_id"], to_ints(washed["quantity"]), to_ints(washed["basis_added"]),
            washed["days_added"])  # fmt: skip
    for lot_id, part_id, units, added, days in zip(*ints, strict=True):
        chunks[lot_id].append([part_id, units, added, days])
    cut = [part for place in _places(touched) for part in _laid_out(*place, chunks)]
    types = {"row": pl.UInt32, "part_id": pl.String, "units": QUANTITY, "part_basis": MONEY, "part_loss": MONEY,
             "days": pl.Int64}  # fmt: skip
    since = pl.col("date_acquired") - pl.duration(days=pl.col("days"))
    is_washed = pl.col("part_id").is_not_null()
    rows = touched.join(_table(types, cut), on="row", maintain_order="right").with_columns(
        lot_id=pl.coalesce("part_id", "lot_id"),
        quantity="units",
        basis="part_basis",
        loss_basis="part_loss",
        acquired_at=pl.col("acquired_at") - pl.duration(days=pl.col("days")),
        date_acquired=since,
        loss_date_acquired=pl.col("loss_date_acquired") - pl.duration(days=pl.col("days")),
        **{
            name: pl.when(is_washed).then(long_term_from(since)).otherwise(name)
            for name in ("long_term_from", "loss_long_term_from")
        },
    )
    rest = open_lots.join(washed, on="lot_id", how="anti", maintain_order="left")
    return pl.concat([rest, rows.select(rest.columns)])


def _places(touched: pl.DataFrame) -> Iterator[tuple[int, str, int, int | None, int | None]]:
    columns: list[Any] = [touched["row"], touched["lot_id"]]
    columns += [to_ints(touched[name]) for name in ("quantity", "basis", "loss_basis")]
    yield from zip(*columns, strict=True)


def _laid_out(
    row: int, lot_id: str, quantity: int, basis: int | None, loss: int | None, chunks: dict[str, deque[list[Any]]]
) -> Iterator[tuple[Any, ...]]:
    """One place of a lot as parts: those that replaced others, then the rest."""
    done = 0

    def piece(units: int) -> list[int | None]:
        return [
            None if total is None else share(total, done + units, quantity) - share(total, done, quantity)
            for total in (basis, loss)
        ]

    while done < quantity and chunks[lot_id]:
        part_id, held, added, days = chunks[lot_id][0]
        units = min(held, quantity - done)
        own = share(added, units, held)
        yield row, part_id, units, *[None if part is None else part + own for part in piece(units)], days
        done += units
        chunks[lot_id][0] = [part_id, held - units, added - own, days]
        if units == held:
            chunks[lot_id].popleft()
    if done < quantity:
        yield row, None, quantity - done, *piece(quantity - done), 0
