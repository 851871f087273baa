"""Reports that state the facts of a ledger again: what both say, where they differ, what only one has. Nothing is booked.

The families that state the same facts stand in a line: the one that checks nobody first, then its checks, then theirs.
Where an account has several of a line, each is compared with the booked facts of those before it; alone it is the
ledger.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import polars as pl

from schemas.fields import FIAT, MONEY, QUANTITY
from schemas.gate import conform, empty
from schemas.ledger import EventSources, SourceChecks
from transforms.exact import part_of, units_text
from transforms.ledger import ID_KEY, SIDES

_SECOND, _MINUTE = 1_000_000, 60_000_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_GAPS = (_MINUTE, _HOUR, _DAY)
"""Microseconds between the first and the last part of one order, beyond the precision of the reports' times."""
_COIN_ROUNDING, _CASH_ROUNDING = "0.00000001", "0.01"
"""Reports show different digits: within one unit of these a fact no difference is told."""
_ROUNDING_UNITS = 10**10
"""10^-8 coin in units of 10^-18."""
_NEAR = 50
"""Facts of one moment whose quantities differ by less than a fiftieth are one, told with the difference."""
_BOOK = ["account_id", "root"]
_WIDE = pl.Decimal(38, 6)


class Compared(NamedTuple):
    """What became of the facts of second reports."""

    not_booked: pl.DataFrame
    """`fact_id` of those that are no events of the books: they stand in the ledger, or are asked."""
    sources: pl.DataFrame
    """schemas.ledger.EventSources: their rows, in role `check`, behind the events of the ledger."""
    checks: pl.DataFrame
    """schemas.ledger.SourceChecks."""


class _Given(NamedTuple):
    """The facts of accounts that have several families of a line.

    `facts`: fact_id, account_id, root, place (in the line), source, at (microseconds), form, signature (coins by side),
    amounts (with their quantities), main (the quantity that tells most), value, dates (its reports of the account show
    days alone); `sides`: fact_id, role, asset, quantity, usd, as the files say; `corrected`: the same after staff's
    corrections; `rows`: fact_id, event_id, file_id, row_no; `ids`: fact_id, id.
    """

    facts: pl.DataFrame
    sides: pl.DataFrame
    corrected: pl.DataFrame
    rows: pl.DataFrame
    ids: pl.DataFrame


def compare(
    events: pl.DataFrame,
    sources: pl.DataFrame,
    legs: pl.DataFrame,
    checks: Mapping[str, str],
    as_read: pl.DataFrame | None = None,
) -> Compared:
    """Hold the facts of checking families against those of the ledger, account by account.

    One fact is found by the ids that both reports have, else by its coins, quantities and time (to the second, or to
    the minute where a report shows no seconds), else by sums: many fills against one row of their order or the reverse,
    within a minute, an hour, a day in all. What is then left of one moment and nearly the same quantity is one fact that
    the two state differently. A fact that the ledger lacks is not booked where a file of the ledger covers its time and
    the ledger has facts of its form (exchange, receipt, exit, fee) at all; else it is. Away from its moment a fact is
    found only where a file of the ledger covers it, or ends or begins within the hour: a ledger of January knows nothing
    of February. A report that shows days alone is held against the ledger's day.

    Args:
        events: schemas.ledger.Events of all families, valued.
        sources: schemas.ledger.EventSources of the same.
        legs: account_id, file_id, row_no, row_key, group_key.
        checks: family to the family whose facts it states again.
        as_read: event_id, occurred_at, asset and quantity of each side before staff's corrections. By these facts are
            found: a correction makes no second fact. What differs is told of the events as corrected.
    """
    given = _given(events, sources, legs, _line(checks), events if as_read is None else as_read)
    booked, told, behind = given.facts.clear(), [empty(SourceChecks)], [empty(EventSources)]
    for place in given.facts["place"].unique().sort():
        theirs = given.facts.filter(pl.col("place") == place)
        lone = theirs.join(booked, on=_BOOK, how="anti")
        judged = _judged(theirs.join(booked, on=_BOOK, how="semi"), booked, given)
        told.append(_table(judged, given))
        behind.append(_behind(judged, given))
        more = judged.theirs.filter(status="booked")
        booked = pl.concat([booked, lone, more.select(booked.columns)])
    return Compared(
        given.facts.join(booked, on="fact_id", how="anti").select("fact_id"),
        pl.concat(behind).unique().sort(pl.all()),
        pl.concat(told).sort(pl.all()),
    )


# --- the facts --------------------------------------------------------------------------------------------------------


def _line(checks: Mapping[str, str]) -> pl.DataFrame:
    """source, root, place: every family of `checks` in its line, nearer to the root first, else as registered."""

    def ancestors(family: str) -> list[str]:
        up = checks.get(family)
        return [] if up is None else [up, *ancestors(up)]

    families = [*dict.fromkeys([*checks.values(), *checks])]
    ordered = sorted(families, key=lambda family: len(ancestors(family)))
    rows = [
        {"source": family, "root": [family, *ancestors(family)][-1], "place": place}
        for place, family in enumerate(ordered)
    ]
    return pl.DataFrame(rows, schema={"source": pl.String, "root": pl.String, "place": pl.Int64})


def _given(
    events: pl.DataFrame, sources: pl.DataFrame, legs: pl.DataFrame, line: pl.DataFrame, as_read: pl.DataFrame
) -> _Given:
    placed = events.join(line, on="source")
    several = placed.group_by(_BOOK).agg(pl.col("place").n_unique()).filter(pl.col("place") > 1).drop("place")
    placed = placed.join(several, on=_BOOK, how="semi")
    stated = ["occurred_at", *(f"{role}_{column}" for role in SIDES for column in ("asset", "quantity"))]
    read = placed.drop(stated).join(as_read.select("event_id", *stated), on="event_id")
    sides = _sides(read)
    at = read.group_by("fact_id").agg(at=pl.col("occurred_at").min().dt.epoch("us"))
    rows = sources.join(placed.select("event_id", "fact_id"), on="event_id")
    keys = rows.select("fact_id", "account_id", "file_id", "row_no").unique().join(
        legs.select("account_id", "file_id", pl.col("row_no").cast(pl.Int64), "row_key", "group_key").unique(),
        on=["account_id", "file_id", "row_no"],
    )  # fmt: skip
    ids = pl.concat(
        [keys.select("fact_id", id=pl.col("row_key").str.strip_prefix(ID_KEY)), keys.select("fact_id", id="group_key")]
    )
    return _Given(
        _facts(placed, sides, at),
        sides,
        _sides(placed),
        rows.select("fact_id", "event_id", "file_id", "row_no").unique(),
        ids.drop_nulls().unique(),
    )


def _sides(events: pl.DataFrame) -> pl.DataFrame:
    parts = [
        events.filter(pl.col(f"{role}_asset").is_not_null()).select(
            "fact_id",
            role=pl.lit(role),
            asset=f"{role}_asset",
            quantity=f"{role}_quantity",
            usd="fee_usd_value" if role == "fee" else "usd_value",
        )
        for role in SIDES
    ]
    return (
        pl.concat(parts)
        .group_by("fact_id", "role", "asset")
        .agg(pl.col("quantity").sum().cast(QUANTITY), pl.col("usd").cast(_WIDE).sum())
    )


def _facts(events: pl.DataFrame, sides: pl.DataFrame, at: pl.DataFrame) -> pl.DataFrame:
    """See `_Given.facts`; `at`: fact_id, at."""
    worth = pl.col("usd_value").cast(_WIDE)
    came = pl.when(pl.col("received_asset").is_not_null()).then(worth)
    kinds = pl.min_horizontal("kind", "kinds"), pl.max_horizontal("kind", "kinds")
    heads = (
        events.group_by("fact_id")
        .agg(
            pl.col("account_id", "taxpayer_id", "root", "place", "source").first(),
            pl.col("tax_year", "occurred_at").min(),
            pl.col("kind").min(),
            kinds=pl.col("kind").max(),
            receipts=came.count(),
            priced=worth.count(),
            came=came.sum(),
            value=worth.sum(),
            stated=(pl.len() == 1) & pl.col("price_source").eq_missing("stated").all(),
        )
        .with_columns(
            kind=pl.when(pl.col("kind") == pl.col("kinds"))
            .then("kind")
            .otherwise(pl.concat_str(kinds, separator=", ")),
            # the parts of a basket are worth what came in for them
            value=pl.when(pl.col("receipts") > 0).then("came").when(pl.col("priced") > 0).then("value"),
        )
        .drop("kinds", "receipts", "priced", "came")
    )
    moved = sides.with_columns(fee=pl.col("role") == "fee", cash=pl.col("asset").is_in(FIAT))
    moved = moved.filter(~pl.col("fee") | pl.col("fee").all().over("fact_id")).sort("fact_id", "cash", "role", "asset")
    what = pl.concat_str("role", "asset", separator=":")
    moved = moved.with_columns(what=what, much=pl.concat_str(what, pl.col("quantity").cast(pl.String), separator="="))
    forms = moved.group_by("fact_id", maintain_order=True).agg(
        pl.col("what", "much"),
        form=pl.concat_str(pl.col("role").min(), pl.col("role").max(), separator=" to "),
        main=pl.col("quantity").first(),
    )
    forms = forms.with_columns(signature=pl.col("what").list.join("|"), amounts=pl.col("much").list.join("|"))
    facts = heads.join(forms.drop("what", "much"), on="fact_id").join(at, on="fact_id")
    noon = (pl.col("at") % _DAY == _DAY // 2).all().over(*_BOOK, "source")  # as which a day without a clock is read
    return facts.with_columns(dates=noon).sort("fact_id")


# --- which are one ----------------------------------------------------------------------------------------------------


class _Judged(NamedTuple):
    """`theirs` and `ours`: facts with `group` (null: alone), `by_id` and `status`; `pairs`: theirs, ours (fact ids)."""

    theirs: pl.DataFrame
    ours: pl.DataFrame
    pairs: pl.DataFrame
    differences: pl.DataFrame


def _judged(theirs: pl.DataFrame, booked: pl.DataFrame, given: _Given) -> _Judged:
    """One family's facts beside the booked ones of the families before it."""
    ours = booked.join(theirs, on=_BOOK, how="semi")
    before = given.facts.join(theirs.select(*_BOOK, upto="place").unique(), on=_BOOK).filter(
        pl.col("place") < pl.col("upto")
    )
    near = pl.concat(
        [
            theirs.with_columns(theirs=True, reached=_covered(theirs, before, given, slack=_HOUR)),
            ours.with_columns(theirs=False, reached=pl.lit(value=True)),
        ]
    )
    groups = _groups(near, given)
    theirs, ours = (side.join(groups, on="fact_id", how="left") for side in (theirs, ours))
    differences = _differences(theirs, ours, given)
    differs = pl.col("group").is_in(differences["group"].implode())
    missing = _covered(theirs, before, given)
    theirs = theirs.with_columns(
        status=pl.when(differs).then(pl.lit("differs"))
        .when(pl.col("group").is_not_null()).then(pl.lit("same"))
        .when(missing).then(pl.lit("not_in_ledger"))
        .otherwise(pl.lit("booked"))
    )  # fmt: skip
    alone = pl.col("group").is_null() & _covered(ours, theirs, given)
    ours = ours.with_columns(status=pl.when(alone).then(pl.lit("not_in_check")))
    return _Judged(theirs, ours, _pairs(theirs, ours), differences)


def _groups(facts: pl.DataFrame, given: _Given) -> pl.DataFrame:
    """fact_id, group (the least id of its facts), by_id (both say so) of the facts that both sides have."""
    whole = (pl.col("at") % _MINUTE == 0).all().over(*_BOOK, "source")
    clock = pl.when(whole).then(_MINUTE).otherwise(_SECOND).max().over(_BOOK)
    # against a report of days a moment is its day
    day = pl.when(pl.col("dates").any().over(_BOOK)).then(pl.col("at") // _DAY)
    schema = {"fact_id": pl.String, "group": pl.String, "by_id": pl.Boolean}
    rest, found = facts.with_columns(clock=clock, day=day), [pl.DataFrame(schema=schema)]
    all_in = _all_in(given.sides)

    def take(pairs: pl.DataFrame, *, by_id: bool = False) -> None:
        nonlocal rest
        found.append(pairs.select("fact_id", "group", by_id=pl.lit(by_id)))
        rest = rest.join(pairs, on="fact_id", how="anti")

    def moments(by: str) -> pl.DataFrame:
        gap = pl.when(pl.col("day").is_null()).then("clock").otherwise(_DAY)
        return _clusters(rest, [*_BOOK, by, "day"], gap)

    def take_sums(clusters: Callable[[], pl.DataFrame]) -> None:
        for sides in (given.sides, all_in):
            take(_by_sums(clusters(), sides))

    take(_by_ids(rest, given.ids, only_single=True), by_id=True)
    take(_by_ids(rest, given.ids, only_single=False), by_id=True)
    take(_in_order(rest, [*_BOOK, "amounts", "at"]))
    take(_in_order(moments("amounts"), ["cluster"]))
    take_sums(lambda: moments("signature"))
    while (near := _nearest(moments("signature"))).height:
        take(near)
    rest = rest.filter("reached")
    for gap in _GAPS:
        take_sums(partial(lambda gap: _brief(_clusters(rest, [*_BOOK, "signature"], pl.lit(gap)), gap), gap))
    for theirs in (True, False):  # an order of theirs and fills of ours, then the reverse
        take_sums(
            partial(lambda side: _runs(_clusters(rest, [*_BOOK, "signature"], pl.lit(_DAY)), theirs=side), theirs)
        )
    return pl.concat(found)


def _all_in(sides: pl.DataFrame) -> pl.DataFrame:
    """The sides with each fee in the coin that it was paid in beside: what was paid or came in all, and no such fee."""
    paid = sides.filter(role="fee").select("fact_id", "asset", paid="quantity")
    both = sides.filter(pl.col("role") != "fee").join(paid, on=["fact_id", "asset"], how="left")
    # where a coin stands on both sides the fee can be in either: it is left beside
    lone = pl.len().over("fact_id", "asset") == 1
    fee = pl.when(lone).then("paid").fill_null(0)
    total = pl.when(role="sent").then(pl.col("quantity") + fee).otherwise(pl.col("quantity") - fee)
    within = both.filter(lone & pl.col("paid").is_not_null()).select("fact_id", "asset", role=pl.lit("fee"))
    beside = sides.filter(role="fee").join(within, on=["fact_id", "asset", "role"], how="anti")
    return pl.concat([both.with_columns(quantity=total.cast(QUANTITY)).select(sides.columns), beside])


def _brief(clusters: pl.DataFrame, span: int) -> pl.DataFrame:
    """The clusters that lie within `span` microseconds in all: steps alone would lead through months."""
    lasted = pl.col("at").max().over("cluster") - pl.col("at").min().over("cluster")
    return clusters.filter(lasted <= span)


def _both(by: Sequence[str]) -> pl.Expr:
    """Whether facts of both sides are alike in these columns."""
    return pl.col("theirs").min().over(by) != pl.col("theirs").max().over(by)


def _by_ids(facts: pl.DataFrame, ids: pl.DataFrame, *, only_single: bool) -> pl.DataFrame:
    """Facts that share an id, through each other: one with one, else as many as carry it."""
    node = [*_BOOK, "signature", "id"]
    links = facts.select(*_BOOK, "signature", "fact_id", "theirs").join(ids, on="fact_id")
    links = links.filter(_both(node) & (pl.lit(not only_single) | (pl.len().over(node) == 2)))
    links = links.with_columns(group=pl.col("fact_id"))
    while True:
        nearer = links.with_columns(pl.col("group").min().over(node)).with_columns(
            pl.col("group").min().over("fact_id")
        )
        if nearer["group"].equals(links["group"]):
            return links.select("fact_id", "group").unique()
        links = nearer


def _in_order(facts: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Of facts that are alike the first of one side with the first of the other, and so on."""
    place = pl.int_range(pl.len()).over(*by, "theirs")
    return _grouped(facts.sort("at", "fact_id").with_columns(nth=place), [*by, "nth"])


def _grouped(facts: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    return facts.filter(_both(by)).with_columns(group=pl.col("fact_id").min().over(by))


def _clusters(facts: pl.DataFrame, by: Sequence[str], gap: pl.Expr) -> pl.DataFrame:
    """The facts with `cluster`: of alike ones those between which no more time lies than `gap`."""
    ordered = facts.sort(*by, "at", "fact_id")
    since = pl.col("at") - pl.col("at").shift(1).over(by)
    return ordered.with_columns(cluster=((since > gap).fill_null(value=True)).cum_sum())


def _by_sums(facts: pl.DataFrame, sides: pl.DataFrame) -> pl.DataFrame:
    """Clusters whose two sides sum to the same quantities."""
    both = facts.filter(_both(["cluster"]))
    moved = both.select("fact_id", "cluster", "theirs").join(sides.filter(pl.col("role") != "fee"), on="fact_id")
    equal = _sums(moved, ["cluster"]).filter(~_beyond_rounding())
    sound = _sums(moved, ["cluster"]).group_by("cluster").agg(pl.len()).join(
        equal.group_by("cluster").agg(pl.len()), on=["cluster", "len"]
    )  # fmt: skip
    return _grouped(both.join(sound, on="cluster", how="semi"), ["cluster"])


def _runs(facts: pl.DataFrame, *, theirs: bool) -> pl.DataFrame:
    """The facts with `cluster` anew: an order of one side with those fills of the other that stand together and sum to it.

    Looked for in clusters that are not equal as a whole, by the main quantity, in the order of time; a fill is in one.
    """
    rows = facts.filter(_both(["cluster"])).sort("cluster", "at", "fact_id")
    mains, at = (rows[name].to_physical().to_list() for name in ("main", "at"))
    found: list[int | None] = [None] * rows.height
    orders: dict[int, list[int]] = defaultdict(list)
    fills: dict[int, list[int]] = defaultdict(list)
    for place, (cluster, side) in enumerate(rows.select("cluster", "theirs").iter_rows()):
        (orders if side == theirs else fills)[cluster].append(place)
    for cluster, places in orders.items():
        free = fills[cluster]
        for order in places:
            low, high = (bisect_left(free, at[order] + by, key=at.__getitem__) for by in (-_GAPS[-1], _GAPS[-1] + 1))
            first, last = _run([mains[place] for place in free[low:high]], mains[order])
            taken = free[low + first : low + last]
            for place in (*taken, order) if taken else ():
                found[place] = order
            del free[low + first : low + last]
    marked = rows.with_columns(cluster=pl.Series(found, dtype=pl.Int64))
    return marked.filter(pl.col("cluster").is_not_null())


def _run(parts: Sequence[int], whole: int) -> tuple[int, int]:
    """The first run of `parts` that sums to `whole` but for rounding, as a slice; (0, 0) if there is none."""
    first = total = 0
    for last, part in enumerate(parts, 1):
        total += part
        while total > whole + (last - first) * _ROUNDING_UNITS and first < last:
            total -= parts[first]
            first += 1
        if first < last and abs(total - whole) <= (last - first) * _ROUNDING_UNITS:
            return first, last
    return 0, 0


def _sums(moved: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """What each side says in all, by role and asset: ours, theirs, and of how many facts (`n`)."""
    theirs = pl.col("theirs")
    return moved.group_by(*by, "role", "asset").agg(
        ours=pl.col("quantity").filter(~theirs).sum().cast(QUANTITY),
        theirs=pl.col("quantity").filter(theirs).sum().cast(QUANTITY),
        usd=pl.col("usd").filter(~theirs).sum(),
        n=pl.len().cast(pl.Int64),
    )


def _beyond_rounding() -> pl.Expr:
    """Whether two sums differ by more than the digits that reports leave out, or by a fiftieth where they are that small."""
    off = (pl.col("ours") - pl.col("theirs")).abs()
    unit = pl.when(pl.col("asset").is_in(FIAT)).then(pl.lit(_CASH_ROUNDING)).otherwise(pl.lit(_COIN_ROUNDING))
    return (off > unit.cast(QUANTITY) * pl.col("n").cast(pl.Decimal(10, 0))) | (off * _NEAR > pl.col("ours"))


def _nearest(facts: pl.DataFrame) -> pl.DataFrame:
    """Of each cluster the pairs that are nearest to one another in quantity, where they nearly agree."""
    # Float64 only looks for the nearest; whether it is near enough is told exactly
    sized = facts.filter(_both(["cluster"])).with_columns(size=pl.col("main").cast(pl.Float64)).sort("size", "fact_id")
    theirs, ours = (sized.filter(pl.col("theirs") == side) for side in (True, False))
    met = theirs.join_asof(
        ours.select("cluster", "size", other="fact_id", of="main"),
        on="size", by="cluster", strategy="nearest", check_sortedness=False,
    ).with_columns(off=(pl.col("main") - pl.col("of")).abs())  # fmt: skip
    met = met.filter(pl.col("off") * _NEAR <= pl.col("of")).sort("off", "fact_id").unique("other", keep="first")
    pairs = met.select(group=pl.min_horizontal("fact_id", "other"), one="fact_id", two="other")
    return pl.concat([pairs.select("group", fact_id=side) for side in ("one", "two")])


def _covered(facts: pl.DataFrame, others: pl.DataFrame, given: _Given, slack: int = 0) -> pl.Series:
    """Whether a file with some of `others` covers the fact's time, and there are others of its form.

    Where one of the two shows days alone it covers the first and the last day as a whole. A file reaches `slack`
    further; with it, against days, also the day before, on which an American evening of the first UTC day lies.
    """
    days = pl.concat([side.select(*_BOOK, "dates") for side in (facts, others)]).filter("dates").select(_BOOK).unique()
    files = given.rows.join(others.select("fact_id", *_BOOK, "at"), on="fact_id")
    spans = files.group_by(*_BOOK, "file_id").agg(lo=pl.col("at").min(), hi=pl.col("at").max())
    lo, hi = pl.col("lo"), pl.col("hi")
    spans = spans.join(days.with_columns(dates=True), on=_BOOK, how="left").with_columns(
        lo=pl.when("dates").then(lo - lo % _DAY - (_DAY if slack else 0)).otherwise(lo - slack),
        hi=pl.when("dates").then(hi - hi % _DAY + _DAY - 1).otherwise(hi + slack),
    )
    spans = spans.drop("dates").sort("lo", "hi").with_columns(pl.col("hi").cum_max().over(_BOOK))
    forms = others.select(*_BOOK, "form").unique().with_columns(known=True)
    joined = (
        facts.with_row_index("#row")
        .sort("at")
        .join_asof(spans.drop("file_id"), left_on="at", right_on="lo", by=_BOOK, check_sortedness=False)
        .join(forms, on=[*_BOOK, "form"], how="left")
        .sort("#row")
    )
    return joined.select(((pl.col("at") <= pl.col("hi")) & pl.col("known")).fill_null(value=False)).to_series()


def _pairs(theirs: pl.DataFrame, ours: pl.DataFrame) -> pl.DataFrame:
    """theirs, ours: each fact of a group with the nearest in time of the other side."""
    sides = [
        side.filter(pl.col("group").is_not_null()).select("group", "at", pl.col("fact_id").alias(name)).sort("at", name)
        for name, side in (("theirs", theirs), ("ours", ours))
    ]
    both = [
        one.join_asof(other, on="at", by="group", strategy="nearest", check_sortedness=False).select("theirs", "ours")
        for one, other in (sides, sides[::-1])
    ]
    return pl.concat(both).unique()


# --- what is told -----------------------------------------------------------------------------------------------------


def _differences(theirs: pl.DataFrame, ours: pl.DataFrame, given: _Given) -> pl.DataFrame:
    """group, field, asset, ours, theirs (as text), dollars_at_stake: what the two sides of a group state differently."""
    every = pl.concat([theirs.with_columns(theirs=True), ours.with_columns(theirs=False)])
    every = every.filter(pl.col("group").is_not_null())
    moved = every.select("group", "fact_id", "theirs")
    apart = _sums(moved.join(given.corrected, on="fact_id"), ["group"])
    in_all = _sums(moved.join(_all_in(given.corrected), on="fact_id"), ["group"])
    inside = _fee_inside(apart, in_all)
    sums = apart.join(inside, on="group", how="anti").filter(_beyond_rounding())
    off = (pl.col("ours") - pl.col("theirs")).abs()
    within = pl.min_horizontal(off, "ours").cast(QUANTITY)  # more than the whole is at stake as the whole
    quantities = sums.with_columns(
        stake=part_of(pl.col("usd").cast(MONEY, strict=False), within, pl.col("ours"))
    ).select(
        "group", "asset", pl.col("role").alias("field"), units_text(pl.col("ours")), units_text(pl.col("theirs")),
        dollars_at_stake="stake",
    )  # fmt: skip
    return pl.concat([quantities, *_heads_differ(every, inside)])


def _fee_inside(apart: pl.DataFrame, in_all: pl.DataFrame) -> pl.DataFrame:
    """group: of which one side tells a fee and the other has it in what was paid or came, and they agree in all."""
    fee = pl.col("role") == "fee"
    one_tells = apart.filter(fee & ((pl.col("ours") == 0) ^ (pl.col("theirs") == 0)))
    off = in_all.filter(_beyond_rounding())
    return one_tells.select("group").unique().join(off, on="group", how="anti")


def _heads_differ(every: pl.DataFrame, inside: pl.DataFrame) -> list[pl.DataFrame]:
    """Values, kinds and times that differ; kinds of one fact against one.

    Values not where they differ by a fee (`inside`: group). Times of one against one by more than a minute, of an order
    and its fills by more than an hour; where no id says that they are one, a fact an hour away may be another: its value
    is at stake. A report of days alone tells no time.
    """
    is_theirs = pl.col("theirs")

    def of(column: str, what: str) -> list[pl.Expr]:
        sides = (("ours", ~is_theirs), ("theirs", is_theirs))
        return [getattr(pl.col(column).filter(which), what)().alias(name) for name, which in sides]

    def told(frame: pl.DataFrame, field: str, text: pl.Expr, stake: pl.Expr) -> pl.DataFrame:
        return frame.select(
            "group", pl.lit(None, pl.String).alias("asset"), pl.lit(field).alias("field"),
            text.name.keep(), stake.cast(MONEY, strict=False).alias("dollars_at_stake"),
        )  # fmt: skip

    def heads(*columns: pl.Expr) -> pl.DataFrame:
        return every.group_by("group").agg(
            *columns, pl.col("value").filter(~is_theirs).sum(), pl.len(), pl.col("stated").all(),
            pl.col("by_id").all(), pl.col("dates").any(),
        )  # fmt: skip

    off = (pl.col("ours") - pl.col("theirs")).abs()
    cents = pl.lit(_CASH_ROUNDING).cast(_WIDE) * pl.col("len").cast(pl.Decimal(10, 0))
    values = heads(*of("value", "sum")).filter(pl.col("stated") & (off > cents)).join(inside, on="group", how="anti")
    kinds = heads(*of("kind", "min")).filter((pl.col("len") == 2) & (pl.col("ours") != pl.col("theirs")))
    ends = heads(*of("occurred_at", "min"), *(
        pl.col("occurred_at").filter(which).max().alias(name) for name, which in (("ours_end", ~is_theirs), ("theirs_end", is_theirs))
    ))  # fmt: skip
    between = pl.max_horizontal(pl.col("ours") - pl.col("theirs_end"), pl.col("theirs") - pl.col("ours_end"))
    leeway = pl.when(pl.col("dates")).then(_DAY).when(pl.col("len") == 2).then(_MINUTE).otherwise(_HOUR)
    times = ends.filter(between > pl.duration(microseconds=leeway))
    doubt = (between > pl.duration(microseconds=_HOUR)) & ~pl.col("by_id")
    both = pl.col("ours", "theirs")
    return [
        told(values, "value", units_text(both), off),
        told(kinds, "kind", both, pl.col("value")),
        told(times, "time", both.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"), pl.when(doubt).then("value").otherwise(0)),
    ]


def _table(judged: _Judged, given: _Given) -> pl.DataFrame:
    """A row for each row of the second report (and field that differs), and for each fact that it lacks."""
    theirs, ours = judged.theirs, judged.ours
    event = given.rows.group_by("fact_id").agg(pl.col("event_id").min())
    of_ledger = ours.select("fact_id", checked_against="source").join(event, on="fact_id").rename({"fact_id": "ours"})
    nearest = judged.pairs.join(of_ledger, on="ours").sort("theirs", "event_id").unique("theirs", keep="first")
    # what a group's two sides differ in is told once, at its first fact
    first = pl.col("fact_id") == pl.col("fact_id").sort_by("at", "fact_id").first().over("group")
    marked = theirs.with_columns(told_at=pl.when(first).then("group"))
    rows = given.rows.select("fact_id", "file_id", "row_no").unique()
    before = ours.group_by(_BOOK).agg(ledger=pl.col("source").min())
    alone = pl.when(pl.col("status").is_in(["not_in_ledger", "booked"])).then("value")
    checks = (
        marked.join(nearest, left_on="fact_id", right_on="theirs", how="left")
        .drop("ours")
        .join(before, on=_BOOK, how="left")
        .join(event.rename({"event_id": "own"}), on="fact_id")
        .join(judged.differences, left_on="told_at", right_on="group", how="left")
        .join(rows, on="fact_id")
        .with_columns(
            checked_against=pl.coalesce("checked_against", "ledger"),
            dollars_at_stake=pl.coalesce("dollars_at_stake", alone.cast(MONEY, strict=False)),
            event_id=pl.when(status="booked").then("own").otherwise("event_id"),
        )
    )
    source = theirs.group_by(_BOOK).agg(pl.col("source").first())
    lacking = (
        ours.filter(pl.col("status").is_not_null())
        .rename({"source": "checked_against"})
        .join(source, on=_BOOK)
        .join(event, on="fact_id")
        .with_columns(fact_id=pl.lit(None, pl.String), dollars_at_stake=pl.col("value").cast(MONEY, strict=False))
    )
    return pl.concat([conform(checks, SourceChecks), conform(lacking, SourceChecks)])


def _behind(judged: _Judged, given: _Given) -> pl.DataFrame:
    """The rows of second reports behind the events of the ledger."""
    events = given.rows.select("fact_id", "event_id").unique().rename({"fact_id": "ours"})
    account = judged.theirs.select("fact_id", "account_id")
    rows = given.rows.select("fact_id", "file_id", "row_no").unique().join(account, on="fact_id")
    found = judged.pairs.join(events, on="ours").join(rows, left_on="theirs", right_on="fact_id")
    return conform(found.with_columns(role=pl.lit("check")), EventSources)
