"""The ledger: legs of all files to canonical events, one an economic fact. Prices, transfers and lots come later."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, TypeAlias

import polars as pl

from schemas.fields import FIAT, INSTANT, KEPT_APART, KINDS, MONEY, PLEDGES, QUANTITY, VALUE_LIMIT
from schemas.gate import conform
from schemas.ledger import Events, EventSources
from transforms.exact import decimal_text, part_of, to_money
from transforms.ids import content_id

SIDES = ("sent", "received", "fee")
OVERRIDABLE = (
    "kind", "occurred_at", "usd_value", "fee_usd_value", "tx_id",
    "sent_quantity", "sent_asset", "received_quantity", "received_asset", "fee_quantity", "fee_asset",
)  # fmt: skip
"""Columns of an event that `overrides.csv` may set; `transfer` (the other event's id) is read by the matcher."""

Regroup: TypeAlias = Callable[[pl.DataFrame], pl.DataFrame]

ID_KEY = "id:"
"""How a `row_key` begins that is the source's own id of the fact."""
_ROW = ["account_id", "source", "row_key"]
_SHOWS_MINUTES = 3
"""So many instants of a file, all on the minute, say that it shows no seconds; fewer may be so by chance."""
_BY_ID = pl.col("row_key").str.starts_with(ID_KEY)


class Ledger(NamedTuple):
    """What the legs come to.

    `events` are unpriced and undated in the taxpayer's calendar, `sources` the raw rows behind each; `conflicts`
    (account_id, file_id, row_no, event_id) are rows that say another amount than the copy of the same fact that counts.
    """

    events: pl.DataFrame
    sources: pl.DataFrame
    conflicts: pl.DataFrame


def distinct_legs(legs: pl.DataFrame) -> pl.DataFrame:
    """The legs with `ordinal` (among identical rows of one file) and `primary` (the copy that counts).

    Overlapping exports state one fact several times: of a row that occurs twice in one file and once in another, two
    are facts, unless its key is the source's own id, which never repeats. Of copies that disagree the one of the file
    that reaches further in time counts, the newer export. A fact that one file states with the source's id and another,
    of an older layout, without any is one fact too, with the key of the older (see `_of_older_layouts`). The copies are
    not dropped, so that every raw row behind an event can be named.
    """
    reach = pl.col("occurred_at").max().over("account_id", "source", "file_id")
    rows = legs.with_columns(reach=reach).select(*_ROW, "file_id", "row_no", "reach").unique()
    rows = rows.join(_said(legs), on=[*_ROW, "file_id", "row_no"], how="left")
    # identical keys are told apart by what else they say, so that the order of the rows does not matter
    nth = pl.struct(pl.col("said").fill_null(""), "row_no").rank("ordinal").over(*_ROW, "file_id").cast(pl.Int64)
    ordinal = pl.when(_BY_ID).then(1).otherwise(nth).alias("ordinal")
    known = _of_older_layouts(legs, rows.with_columns(ordinal))
    place = pl.struct(-pl.col("reach").dt.epoch("us"), "file_id", "row_no").rank("ordinal")
    first = (place.over("account_id", "source", "key", "ordinal") == 1).alias("primary")
    marked = known.with_columns(first).drop("reach", "said")
    return legs.join(marked, on=[*_ROW, "file_id", "row_no"], how="left").with_columns(row_key="key").drop("key")


def _of_older_layouts(legs: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `key`, the key of their fact, and its `ordinal`.

    A layout may have the source's ids and an older one of the same source none. A row with an id and one without are
    one fact if they stand in different files of the account and say the same: time, kind, coins and their quantities
    (government money may be rounded otherwise). As many are as there are on both sides. The key of the row without an
    id serves both: its layout came first, and what staff wrote about its event stays.
    """
    mixed = rows.group_by("account_id", "source").agg(_BY_ID.any() & ~_BY_ID.all()).filter("row_key")
    if mixed.height == 0:
        return rows.with_columns(key="row_key")
    of_both = legs.join(mixed, on=["account_id", "source"], how="semi")
    told = rows.join(_contents(of_both), on=[*_ROW, "file_id", "row_no"])
    fact = ["account_id", "source", "content", "row_key", "ordinal"]
    in_file = ["account_id", "source", "file_id"]
    bare = told.with_columns(
        beside=_BY_ID.any().over("content", "minute", *in_file),
        coarse=((pl.col("at") == pl.col("minute")).all() & (pl.col("at").n_unique() >= _SHOWS_MINUTES)).over(in_file),
    ).filter(~_BY_ID)
    bare = bare.group_by(fact).agg(pl.col("at", "minute").min(), pl.col("beside").any(), pl.col("coarse").all())
    bare = bare.filter(~pl.col("beside"))
    named = told.filter(_BY_ID).group_by(fact).agg(pl.col("at", "minute").min())
    by_second = _paired(bare, named, "at")
    left = named.join(by_second, on=_ROW, how="anti")
    free = bare.filter("coarse").join(by_second, left_on=[*_ROW, "ordinal"], right_on=["account_id", "source", "key", "nth"], how="anti")  # fmt: skip
    pairs = pl.concat([by_second, _paired(free, left, "minute")])
    joined = rows.join(pairs, on=_ROW, how="left")
    return joined.with_columns(key=pl.coalesce("key", "row_key"), ordinal=pl.coalesce("nth", "ordinal")).drop("nth")


def _paired(bare: pl.DataFrame, named: pl.DataFrame, moment: str) -> pl.DataFrame:
    """The first of one side with the first of the other and so on: account_id, source, row_key, key, nth."""
    alike = ["account_id", "source", "content", moment]
    place = pl.struct("row_key", "ordinal").rank("ordinal").over(alike)
    both = named.with_columns(place=place).join(bare.with_columns(place=place), on=[*alike, "place"], suffix="_bare")
    return both.select(*_ROW, key="row_key_bare", nth="ordinal_bare")


def _contents(legs: pl.DataFrame) -> pl.DataFrame:
    """What each row says, whatever its layout: kind and sides as `content`, `at`, and the `minute` it lies in."""
    row = [*_ROW, "file_id", "row_no"]
    cash, amount = pl.col("asset").is_in(FIAT), pl.col("quantity")
    coins = (~cash).any().over(row)
    told = pl.when(~cash).then(amount.cast(pl.String)).when(~coins).then(amount.round(2).cast(pl.String))
    fee = cash & coins & (pl.col("role") == "fee")  # a layout may leave out one of nothing
    sides = legs.with_columns(side=pl.concat_str("role", "asset", told.fill_null(""), separator="|")).filter(~fee)
    return sides.group_by(row).agg(
        content=pl.concat_str(pl.col("kind").min().fill_null(""), pl.col("side").sort().str.join("/"), separator="/"),
        at=pl.col("occurred_at").min(),
        minute=pl.col("occurred_at").min().dt.truncate("1m"),
    )


def _said(legs: pl.DataFrame) -> pl.DataFrame:
    """What the rows say that share their key with another row of the file, as text for an order."""
    shared = pl.col("row_no").n_unique().over(*_ROW, "file_id") > 1
    cells = [pl.col(name).cast(pl.String).fill_null("") for name in ("role", "asset", "quantity", "usd_value", "note")]
    return (
        legs.filter(shared)
        .group_by(*_ROW, "file_id", "row_no")
        .agg(said=pl.concat_str(cells, separator="|").sort().str.join("/"))
    )


def assemble(legs: pl.DataFrame, netting: Collection[str], regroup: Mapping[str, Regroup]) -> Ledger:
    """Join the legs of one fact into events.

    Args:
        legs: Legs with assets resolved to canonical ids.
        netting: sources whose legs of one group net by asset (a chain transaction that refunds its sender).
        regroup: by source, what completes the group keys of all its distinct legs.

    Returns:
        Events without taxpayer, dates and prices (null), with `usd_value` where the file states it.
    """
    paid = (pl.col("kind") == "fee") & (pl.col("role") == "sent")  # a row may state a fee as what was sent
    every = distinct_legs(legs.with_columns(role=pl.when(paid).then(pl.lit("fee")).otherwise("role")))
    distinct = every.filter(pl.col("primary"))
    for source, complete in regroup.items():
        of_source = pl.col("source") == source
        distinct = pl.concat([distinct.filter(~of_source), complete(distinct.filter(of_source))])
    fact = pl.coalesce(
        pl.concat_str(pl.lit("group:"), "group_key"),
        pl.concat_str(pl.lit("row:"), "row_key", pl.lit("#"), pl.col("ordinal").cast(pl.String)),
    )
    facts = distinct.with_columns(fact=fact).with_columns(fact_id=content_id("ev-", "account_id", "source", "fact"))
    parts = _parts(_net(_sides(facts), tuple(netting)))
    events = _pivot(parts).join(_heads(facts), on="fact_id", how="left").with_columns(kind=_kind())
    rows = _rows(every, facts, parts)
    sources = conform(rows, EventSources).unique().sort(pl.all())
    return Ledger(conform(events, Events).sort("event_id"), sources, _conflicts(every, rows))


def _rows(every: pl.DataFrame, facts: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """Every leg with its event, copies in overlapping files included; a netted leg stands behind its fact."""
    first = parts.group_by("fact_id").agg(first_id=pl.col("event_id").min())
    own = parts.select("fact_id", "role", "asset", "event_id")
    key = [*_ROW, "ordinal", "role", "asset"]
    ids = (
        facts.select(*key, "fact_id")
        .unique()
        .join(own, on=["fact_id", "role", "asset"], how="left")
        .join(first, on="fact_id")
        .select(*key, event_id=pl.coalesce("event_id", "first_id"))
    )
    return every.with_columns(pl.col("row_no").cast(pl.Int64)).join(ids, on=key)


def _conflicts(every: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Copies of one fact that say anything else than the copy that counts: time, kind, an asset, an amount."""
    said = ["occurred_at", "kind", "role", "asset", "quantity", "usd_value"]
    cash = pl.col("asset").is_in(FIAT)
    every = every.with_columns(  # layouts round money otherwise; a cent counts
        pl.when(cash).then(pl.col("quantity").round(2)).otherwise("quantity").alias("quantity"),
        pl.col("usd_value").round(2),
    )
    copy = [*_ROW, "ordinal", "file_id", "row_no"]
    text = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in said], separator="|")
    copies = every.group_by(*copy, "primary").agg(said=text.sort().str.join("/"))
    counted = copies.filter("primary").select(*_ROW, "ordinal", of="said")
    events = rows.filter("primary").select(*_ROW, "ordinal", "event_id").unique([*_ROW, "ordinal"], keep="any")
    differing = (
        copies.filter(~pl.col("primary"))
        .join(counted, on=[*_ROW, "ordinal"])
        .filter(pl.col("said") != pl.col("of"))
        .join(events, on=[*_ROW, "ordinal"], how="left")
    )
    return (
        differing.select("account_id", "file_id", pl.col("row_no").cast(pl.Int64), "event_id").unique().sort(pl.all())
    )


def _heads(facts: pl.DataFrame) -> pl.DataFrame:
    """What a fact has once: account, time, explicit kind, transaction, note (the same for any order of its legs)."""
    explicit = pl.col("kind").filter(pl.col("kind") != "fee").min()
    return facts.group_by("fact_id").agg(
        pl.col("account_id", "source").min(),
        pl.col("occurred_at").min(),
        stated_kind=pl.coalesce(explicit, pl.col("kind").min()),
        tx_id=pl.col("tx_id").min(),
        note=pl.col("note").min(),
    )


def _sides(facts: pl.DataFrame) -> pl.DataFrame:
    """Quantity and stated value by fact, role and asset."""
    total = pl.col("usd_value").cast(pl.Decimal(38, 6)).sum()
    known = (pl.col("usd_value").null_count() == 0) & (total < VALUE_LIMIT)  # beyond it a value is no value
    stated = pl.when(known).then(total).cast(MONEY, strict=False)
    quantity = pl.col("quantity").sum().cast(QUANTITY)
    return facts.group_by("fact_id", "source", "role", "asset").agg(quantity, usd_value=stated)


def _net(sides: pl.DataFrame, netting_sources: tuple[str, ...]) -> pl.DataFrame:
    """Of an asset that one chain transaction both sends and receives, only the difference moved."""
    moves = pl.col("role") != "fee"
    directions = pl.col("role").filter(moves).n_unique().over("fact_id", "asset")
    nets = pl.col("source").is_in(netting_sources) & moves & (directions > 1)
    signed = pl.when(pl.col("role") == "sent").then(-pl.col("quantity")).otherwise(pl.col("quantity"))
    netted = (
        sides.filter(nets)
        .group_by("fact_id", "source", "asset")
        .agg(
            net=signed.sum(),
            # the larger side tells the price; what is left of it is worth its share
            whole=pl.col("quantity").sort_by("quantity").last(),
            worth=pl.col("usd_value").sort_by("quantity").last(),
        )
        .filter(pl.col("net") != 0)
        .select(
            "fact_id",
            "source",
            pl.when(pl.col("net") > 0).then(pl.lit("received")).otherwise(pl.lit("sent")).alias("role"),
            "asset",
            quantity=pl.col("net").abs().cast(QUANTITY),
            usd_value=part_of(pl.col("worth"), pl.col("net").abs(), pl.col("whole")),
        )
    )
    return pl.concat([sides.filter(~nets), netted])


def _parts(sides: pl.DataFrame) -> pl.DataFrame:
    """Each side with the event it belongs to, and what its fact is: `two_sided`, all `paid` in cash, all `cashed`.

    One asset a side is one event. More than one sent or received asset: each becomes an event of its own (valued on
    its own, see the prices module), the first fee stays with a sent one. A second fee asset becomes a fee event.
    """
    fiat = pl.col("asset").is_in(FIAT)
    counts = sides.group_by("fact_id").agg(
        *((pl.col("role") == role).sum().alias(f"n_{role}") for role in SIDES),
        *((fiat & (pl.col("role") == role)).sum().alias(f"n_{role}_fiat") for role in SIDES),
    )
    known = sides.join(counts, on="fact_id").with_columns(
        two_sided=(pl.col("n_sent") > 0) & (pl.col("n_received") > 0),
        paid=pl.col("n_sent") == pl.col("n_sent_fiat"),
        cashed=pl.col("n_received") == pl.col("n_received_fiat"),
        basket=(pl.col("n_sent") > 1) | (pl.col("n_received") > 1),
    )
    plain = ~pl.col("basket") & (pl.col("n_fee") <= 1)  # nearly all: the windows below are for the others alone
    whole = known.filter(plain).with_columns(event_id="fact_id")
    return pl.concat([whole, _split(known.filter(~plain)).select(whole.columns)])


def _split(sides: pl.DataFrame) -> pl.DataFrame:
    """The sides of baskets and of facts with several fees, each with its event."""
    fee, fiat = pl.col("role") == "fee", pl.col("asset").is_in(FIAT)
    rank = pl.col("asset").rank("ordinal").over("fact_id", "role")
    label = pl.concat_str("role", pl.lit(":"), "asset")
    # cash bears no fee: it belongs to what the cash bought (labels of sent legs sort last)
    bearer = pl.coalesce(label.filter(~fee & ~fiat).max().over("fact_id"), label.filter(~fee).max().over("fact_id"))
    part = (
        pl.when(fee & (rank > 1)).then(label)
        .when(pl.col("basket") & fee).then(bearer)
        .when("basket").then(label)
    )  # fmt: skip
    return sides.with_columns(part=part).with_columns(
        event_id=pl.when(pl.col("part").is_null())
        .then(pl.col("fact_id"))
        .otherwise(content_id("ev-", "fact_id", "part"))
    )


def _pivot(parts: pl.DataFrame) -> pl.DataFrame:
    """One row an event with the three sides beside each other."""

    def side(role: str, column: str) -> pl.Expr:
        return pl.col(column).filter(pl.col("role") == role).first()

    columns = [side(role, column).alias(f"{role}_{column}") for role in SIDES for column in ("quantity", "asset")]
    return parts.group_by("event_id", "fact_id").agg(
        *columns,
        pl.col("two_sided", "paid", "cashed").first(),
        usd_value=pl.coalesce(side("received", "usd_value"), side("sent", "usd_value")),
        fee_usd_value=side("fee", "usd_value"),
    )


def _kind() -> pl.Expr:
    """The stated kind, else what the assets on the two sides make of it.

    A cost of a derivative or a loan that is all its fact has stays what it is: it is no disposal of the fee's units.
    What it cost to move collateral is a fee.
    """
    sent, received = pl.col("sent_asset").is_not_null(), pl.col("received_asset").is_not_null()
    by_sides = (
        pl.when(~sent & ~received).then(pl.lit("fee"))
        .when(pl.col("two_sided") & pl.col("paid") & ~pl.col("cashed")).then(pl.lit("buy"))
        .when(pl.col("two_sided") & pl.col("cashed") & ~pl.col("paid")).then(pl.lit("sell"))
        .when(pl.col("two_sided")).then(pl.lit("trade"))
        .when(received).then(pl.lit("deposit"))
        .otherwise(pl.lit("withdrawal"))
    )  # fmt: skip
    apart = pl.col("stated_kind").is_in([kind for kind in KEPT_APART if kind not in PLEDGES])
    alone = ~sent & ~received & ~apart.fill_null(value=False)
    overruled = alone | pl.col("stated_kind").is_in(["buy", "sell", "trade", "fee"]).fill_null(value=True)
    return pl.when(overruled).then(by_sides).otherwise("stated_kind")


def apply_overrides(events: pl.DataFrame, overrides: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Staff's corrections over the events; the later `at` wins.

    Returns:
        The events, and the overrides that could not be applied with `why` (event gone, unknown field, bad value).
    """
    latest = overrides.sort("at").unique(["event_id", "field"], keep="last").with_columns(why=pl.lit(None, pl.String))
    known = pl.col("field").is_in([*OVERRIDABLE, "transfer"])
    gone = ~pl.col("event_id").is_in(events["event_id"].implode())
    paired = (pl.col("field") == "transfer") & (pl.col("value") != "none")
    others = pl.col("value").str.split(" ").list.filter(pl.element() != "")  # a transfer may name several
    other_gone = paired & ~others.list.eval(pl.element().is_in(events["event_id"].implode())).list.all()
    judged = latest.with_columns(
        typed_ok=_readable(),
    ).with_columns(
        why=pl.when(gone).then(pl.lit("its event is gone"))
        .when(other_gone).then(pl.lit("the other event is gone"))
        .when(~known).then(pl.lit("the field cannot be overridden"))
        .when(~pl.col("typed_ok")).then(pl.lit("the value cannot be read"))
    )  # fmt: skip
    for field in OVERRIDABLE:
        rows = judged.filter((pl.col("field") == field) & pl.col("why").is_null()).select("event_id", new="value")
        if rows.height == 0:
            continue
        typed = _typed(field, pl.col("new"))
        joined = events.join(rows, on="event_id", how="left", maintain_order="left")
        events = joined.with_columns(pl.when(pl.col("new").is_not_null()).then(typed).otherwise(field).alias(field))
        events = events.drop("new")
    return events, judged.filter(pl.col("why").is_not_null()).drop("typed_ok")


def _typed(field: str, text: pl.Expr) -> pl.Expr:
    if field.endswith("_quantity"):
        return decimal_text(text)
    if field.endswith("usd_value"):
        return to_money(decimal_text(text))
    if field == "occurred_at":
        return text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False).cast(INSTANT)
    return text


_FIRST, _LAST = pl.datetime(2009, 1, 3, time_zone="UTC"), pl.datetime(2100, 1, 1, time_zone="UTC")


def _readable() -> pl.Expr:
    """Whether the value fits the field."""
    amount = pl.col("field").str.contains("quantity|usd_value")
    instant = pl.col("field") == "occurred_at"
    side = pl.col("field").is_in(["sent_quantity", "received_quantity"])  # a side of nothing is no side
    return (
        pl.when(side & (decimal_text(pl.col("value")) <= 0)).then(pl.lit(value=False))
        .when(amount).then(decimal_text(pl.col("value")).is_between(0, VALUE_LIMIT, closed="left"))
        .when(instant).then(_typed("occurred_at", pl.col("value")).is_between(_FIRST, _LAST))
        .when(pl.col("field") == "kind").then(pl.col("value").is_in(KINDS))
        .otherwise(pl.col("value").is_not_null())
    ).fill_null(value=False)  # fmt: skip
