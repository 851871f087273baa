"""A broker's Forms 1099 against the books: which row is which sale, and where the two differ. Lines are drawn in `forms`."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from schemas.fields import MONEY, UNTAXED
from schemas.gate import conform
from schemas.tax import Reconciliation1099DA
from transforms import asset_master
from transforms.exact import to_cents

SALE = ["taxpayer_id", "account_id", "asset", "date_sold"]
_YEAR = ["taxpayer_id", "account_id", "tax_year"]
UNITS = Decimal("0.00000001")
"""Units that differ by no more are the same: some brokers print eight of the eighteen decimals of box 1c."""
STABLECOIN_LIMIT, NFT_LIMIT = Decimal(10_000), Decimal(600)
"""A year's total up to which a broker need not report (Reg. 1.6045-1(d)(10)(i) and (iii))."""
FIRST_YEAR = 2025
"""The first year of Form 1099-DA."""
COVERED_FROM = pl.date(2026, 1, 1)
"""A unit acquired earlier is never a covered security (Reg. 1.6045-1(a)(15)(i)(J))."""
_UNTICKED = ("", "no", "n", "false", "0", "0.00", "none", "unchecked")


class Matched(NamedTuple):
    """Rows and sales put together.

    `groups`: one a row of `reconciliation_1099da`, with `match` as its key. `pieces`: disposal_id, lot_id, match,
    `form` (null: on none of the year), `reported` (the broker told the IRS the basis), `broker_proceeds` and
    `broker_basis` (of the whole match, where they are what columns (d) and (e) have to add up to), `code_b`, `code_e`,
    `code_t`.
    """

    groups: pl.DataFrame
    pieces: pl.DataFrame


def form_rows(forms: pl.DataFrame, sheets: pl.DataFrame, assets: pl.DataFrame) -> pl.DataFrame:
    """The boxes of Forms 1099-DA and 1099-B as the same columns: what is compared, row by row.

    `reported` by box 2; where that cell is empty, a basis of a security that is not noncovered (box 9) is taken as
    reported. `term` is null where the broker does not know it: box 6 empty, or code X (Instructions Form 8949) or Y
    (Instructions Form 1099-DA). `yearly`: an aggregate (boxes 11a-c), or a row without a date.

    Args:
        forms: forms_1099da.csv.
        sheets: forms_1099b.csv.
        assets: `asset_master.master`.
    """
    kind = pl.col("box_6").str.strip_chars().str.to_lowercase()
    aggregate = pl.any_horizontal(_ticked("box_11a"), _ticked("box_11b"), _ticked("box_11c"))
    digital = forms.select(
        *_YEAR,
        form=pl.lit("1099-DA"),
        asset=asset_master.on_form(assets, pl.col("box_1a"), pl.col("box_1b")),
        date_sold=pl.when(~aggregate).then("box_1e"),
        units=pl.col("box_1c"),
        proceeds=pl.col("box_1f").cast(MONEY),
        basis=pl.col("box_1g").cast(MONEY),
        reported=pl.when(pl.col("box_2").is_not_null())
        .then(_ticked("box_2"))
        .otherwise(pl.col("box_1g").is_not_null() & ~_ticked("box_9")),
        term=pl.when(kind.str.starts_with("s")).then(pl.lit("short"))
        .when(kind.str.starts_with("l")).then(pl.lit("long")),
        aggregate=aggregate,
    )  # fmt: skip
    others = sheets.select(
        *_YEAR,
        form=pl.lit("1099-B"),
        asset=asset_master.on_form(assets, pl.lit(None, pl.String), pl.col("asset")),
        date_sold="date_sold",
        units="quantity",
        proceeds=pl.col("proceeds").cast(MONEY),
        basis=pl.col("basis").cast(MONEY),
        reported=pl.col("basis_reported").fill_null(value=False),
        term="term",
        aggregate=pl.lit(value=False),
    )
    return pl.concat([digital, others]).with_columns(yearly=pl.col("date_sold").is_null())


def _ticked(box: str) -> pl.Expr:
    text = pl.col(box).str.strip_chars().str.to_lowercase()
    return (text.is_not_null() & ~text.is_in(_UNTICKED)).fill_null(value=False)


def match(
    rows: pl.DataFrame, gains: pl.DataFrame, terms: pl.DataFrame, assets: pl.DataFrame, tolerance: Decimal
) -> Matched:
    """Put each row with the sale that it reports: the same account, asset and day, all rows of a day together.

    A sale a day apart is the same one where the units agree: the broker keeps another clock (Reg. 1.6045-1(d)(4)(ii)).
    Aggregates (stablecoins, NFTs) are put with what is left of the year.

    Args:
        rows: what `form_rows` gives.
        gains: Gains.
        terms: event_id, received_asset, fee_usd_value: the terms of a sale.
        assets: asset, class.
        tolerance: dollars by which a row may differ before it counts as different.
    """
    brokers = _broker_groups(rows, assets)
    on_forms = gains.join(brokers.select(SALE[:2]).unique(), on=SALE[:2], how="semi")
    sales = _sales(on_forms, terms, assets)
    by_day = sales.join(_pairs(brokers.filter(~pl.col("yearly")), _days(sales)), on=SALE, how="left").with_columns(
        match=pl.when(pl.col("with_fees") | (pl.col("disposal_kind") != "fee")).then("match")
    )
    by_day = by_day.drop("with_fees")
    left = by_day.filter(pl.col("match").is_null()).drop("match")
    pieces = pl.concat([by_day.filter(pl.col("match").is_not_null()), _of_year(left, brokers.filter("yearly"))])
    groups = _judged(_beside(pieces, brokers), tolerance)
    keyed = pieces.with_columns(pl.coalesce("match", _alone_key(pieces, groups)))
    return Matched(groups, _facts(keyed, groups))


def _broker_groups(rows: pl.DataFrame, assets: pl.DataFrame) -> pl.DataFrame:
    """Rows of one form, account, asset and day (or year) as one, with `match` as their key."""
    of_day = [*SALE, "tax_year", "form", "yearly"]
    known = pl.when(pl.col("term").null_count() == 0)
    return (
        rows.join(assets.select("asset", "class"), on="asset", how="left")
        .group_by(of_day)
        .agg(
            pl.len().cast(pl.Int64).alias("rows"),
            *(_total(name) for name in ("units", "proceeds", "basis")),
            pl.col("basis").filter("reported").null_count().alias("reported_unknown"),
            pl.col("basis").filter("reported").sum().alias("reported_basis"),
            pl.col("reported").any().alias("some_reported"),
            pl.col("reported").all().alias("all_reported"),
            *(
                known.then(pl.col("units").filter(term=term).sum()).alias(f"broker_{term}_units")
                for term in ("short", "long")
            ),
            (pl.col("aggregate").any() & (pl.col("class").fill_null("nft") == "nft").all()).alias("any_nft"),
        )
        .sort(of_day, nulls_last=True)
        .with_row_index("match")
        .with_columns(pl.col("match").cast(pl.Int64))
    )


def _total(name: str) -> pl.Expr:
    """The sum, unknown where a part of it is."""
    return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).alias(name)


def _sales(gains: pl.DataFrame, terms: pl.DataFrame, assets: pl.DataFrame) -> pl.DataFrame:
    """The pieces that a broker could report, with the class, the selling costs of their event, and `reportable`.

    A broker that reports stablecoins in the aggregate counts those sold for cash, services or another stablecoin; swaps
    into other coins are reported nowhere (Reg. 1.6045-1(d)(10)(i)(C)). Nobody misses a row for a fee paid in the coin.
    """
    classes = assets.select("asset", "class")
    into = classes.rename({"asset": "received_asset", "class": "into"})
    swapped = (pl.col("disposal_kind") == "trade") & (pl.col("into").fill_null("token") != "stablecoin")
    first = pl.col("event_id").is_first_distinct() & (pl.col("disposal_kind") != "fee")
    return (
        gains.filter(pl.col("proceeds").is_not_null() & ~pl.col("disposal_kind").is_in(UNTAXED))
        .sort("disposal_id", "lot_id", nulls_last=True)
        .join(classes, on="asset", how="left", maintain_order="left")
        .join(terms, on="event_id", how="left", maintain_order="left")
        .join(into, on="received_asset", how="left", maintain_order="left")
        .with_columns(
            costs=pl.when(first).then("fee_usd_value").fill_null(0).cast(MONEY),
            reportable=~((pl.col("class") == "stablecoin") & swapped).fill_null(value=False)
            & (pl.col("disposal_kind") != "fee"),
        )
        .drop("received_asset", "fee_usd_value", "into")
    )


def _days(sales: pl.DataFrame) -> pl.DataFrame:
    """Our units of each day, with the fees paid in the coin and without: some brokers report these, some do not."""
    fee = pl.col("disposal_kind") == "fee"
    both = sales.group_by(SALE).agg(
        pl.col("quantity").sum().alias("all"), pl.col("quantity").filter(~fee).sum().alias("sold")
    )
    every = both.select(*SALE, our_units="all", with_fees=pl.lit(value=True))
    bare = both.filter((pl.col("sold") > 0) & (pl.col("sold") != pl.col("all")))
    return pl.concat([every, bare.select(*SALE, our_units="sold", with_fees=pl.lit(value=False))])


def _pairs(brokers: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Columns of SALE, `match` and `with_fees`: each row of a day with one day of ours at most, and the reverse.

    First the same day with the same units, then the day before by our clock and the day after, then the same day
    whatever the units: a sale at the end of a day is not taken for another one of the next.
    """
    one = pl.col("match").rank("ordinal").over(SALE) == 1
    rows = brokers.filter(one).select(*SALE, "match", "units")
    found = []
    for shift, exactly in ((0, True), (1, True), (-1, True), (0, False)):
        moved = days.with_columns(own="date_sold", date_sold=pl.col("date_sold").dt.offset_by(f"{shift}d"))
        both = rows.join(moved, on=SALE).sort("match", "with_fees", descending=[False, True])
        if exactly:
            same = (pl.col("units") - pl.col("our_units")).abs() <= UNITS
            both = both.filter(same.fill_null(value=shift == 0))
        once = both.unique("match", keep="first", maintain_order=True)
        pairs = once.select(*SALE[:3], date_sold="own", match="match", with_fees="with_fees")
        rows = rows.join(pairs, on="match", how="anti")
        days = days.join(pairs, on=SALE, how="anti")
        found.append(pairs)
    return pl.concat(found)


def _of_year(left: pl.DataFrame, brokers: pl.DataFrame) -> pl.DataFrame:
    """The pieces of no day's row, with `match` where an aggregate or a row without a date takes them in."""
    named, nfts = (brokers.filter(pl.col("any_nft") == whole) for whole in (False, True))
    by_asset = named.unique([*_YEAR, "asset"], keep="first", maintain_order=True).select(*_YEAR, "asset", one="match")
    by_class = nfts.unique(_YEAR, keep="first", maintain_order=True).select(*_YEAR, other="match")
    nft = pl.when(pl.col("class") == "nft").then("other")
    return (
        left.join(by_asset, on=[*_YEAR, "asset"], how="left")
        .join(by_class, on=_YEAR, how="left")
        .with_columns(match=pl.when("reportable").then(pl.coalesce("one", nft)))
        .select(*left.columns, "match")
    )


def _beside(pieces: pl.DataFrame, brokers: pl.DataFrame) -> pl.DataFrame:
    """Each row beside our sums; behind them the sales that stand on no row, in the years for which there are forms."""
    covered = pl.col("basis").filter(_covered())
    sums = (
        pl.col("date_sold").first().alias("own_date"),
        pl.col("tax_year").first().alias("own_year"),
        pl.col("quantity").sum().alias("our_units"),
        pl.col("proceeds").sum().alias("our_proceeds"),
        _total("basis").alias("our_basis"),
        pl.col("on_return").all().alias("whole"),
        pl.col("costs").sum(),
        pl.col("class").first(),
        pl.col("reportable").all(),
        *(pl.col("quantity").filter(term=term).sum().alias(f"our_{term}_units") for term in ("short", "long")),
        pl.when(covered.null_count() == 0).then(covered.sum()).alias("covered_basis"),
        _covered().any().alias("some_covered"),
    )
    ours = pieces.filter(pl.col("match").is_not_null()).group_by("match").agg(*sums)
    alone = (
        pieces.filter(pl.col("match").is_null())
        .with_columns(expected=_expected())
        .join(brokers, left_on=[*_YEAR, "expected"], right_on=[*_YEAR, "form"], how="semi")
        .group_by([*SALE, "tax_year", "reportable", "expected"])
        .agg(*[expr for expr in sums if expr.meta.output_name() != "reportable"])
        .sort(*SALE, "reportable")
        .with_row_index("match", offset=brokers.height)
        .with_columns(pl.col("match").cast(pl.Int64))
    )
    return pl.concat([brokers.join(ours, on="match", how="left"), alone], how="diagonal").sort("match")


def _expected() -> pl.Expr:
    """The form on which a broker reports a sale: 1099-DA for digital assets from 2025, else 1099-B."""
    digital = (pl.col("tax_year") >= FIRST_YEAR) & (pl.col("class").fill_null("coin") != "trust_share")
    return pl.when(digital).then(pl.lit("1099-DA")).otherwise(pl.lit("1099-B"))


def _alone_key(pieces: pl.DataFrame, groups: pl.DataFrame) -> pl.Series:
    """For the pieces on no row: the key of their sale among the groups."""
    keys = groups.filter(pl.col("form").is_null()).select(*SALE, "reportable", alone="match")
    return pieces.join(keys, on=[*SALE, "reportable"], how="left", maintain_order="left")["alone"]


def _covered() -> pl.Expr:
    """Whether a piece is the covered part of a day whose rows are covered in part: acquired in 2026 or later."""
    return (pl.col("date_acquired") >= COVERED_FROM).fill_null(value=False)


def _judged(groups: pl.DataFrame, tolerance: Decimal) -> pl.DataFrame:
    """What of each pair differs, which of it the line shows, and the `status`: the gravest difference."""
    split = (pl.col("some_reported") & ~pl.col("all_reported") & pl.col("some_covered")).fill_null(value=False)
    told = pl.when(pl.col("reported_unknown") == 0).then("reported_basis")
    facts = groups.with_columns(
        split=split,
        on_form_basis=(pl.col("all_reported") | split).fill_null(value=False),
        slack=(pl.lit(tolerance) * pl.max_horizontal("rows", pl.lit(1, pl.Int64))).cast(MONEY),
        higher=(pl.col("proceeds") - to_cents(pl.col("our_proceeds"))).cast(MONEY),
        # a form without units (box 1c) says nothing of them
        units_off=pl.when(pl.col("form").is_null() | pl.col("units").is_not_null()).then(
            pl.col("units").fill_null(0) - pl.col("our_units").fill_null(0)
        ),
    ).with_columns(
        basis_off=pl.when("on_form_basis")
        .then(told - to_cents(pl.when("split").then("covered_basis").otherwise("our_basis")))
        .otherwise(pl.col("basis") - to_cents(pl.col("our_basis")))
        .cast(MONEY),
        other_clock=_other_clock(),
    )
    tests = facts.with_columns(
        paired=pl.col("our_units").is_not_null() & pl.col("form").is_not_null(),
        same_units=pl.when(pl.col("units").is_null())
        .then(pl.col("higher").abs() <= pl.col("slack") + pl.col("costs"))
        .otherwise(pl.col("units_off").abs() <= UNITS)
        .fill_null(value=False),
        proceeds_differ=(pl.col("higher").abs() > pl.col("slack")).fill_null(value=False),
        explained=((pl.col("higher") > 0) & (pl.col("higher") <= pl.col("costs") + pl.col("slack"))).fill_null(
            value=False
        ),
        basis_differs=(pl.col("basis_off").abs() > pl.col("slack")).fill_null(value=False),
        this_year=(pl.col("own_year") == pl.col("tax_year")).fill_null(value=False),
        **{f"{term}_differs": _more_units(term) for term in ("short", "long")},
    )
    shows = pl.all_horizontal("paired", "same_units", "whole", "this_year") & ~pl.col("yearly") & ~pl.col("other_clock")
    return tests.with_columns(
        shows=shows.fill_null(value=False), status=_status(), difference=_difference(), **_neighbour()
    )


def _other_clock() -> pl.Expr:
    """Whether one day has what the day before or after lacks, units and dollars: the broker's clock."""
    by, day = SALE[:3], pl.coalesce("date_sold", "own_date")
    off = pl.when(pl.col("units_off").abs() > UNITS).then("units_off")
    money = pl.col("proceeds").fill_null(0) - to_cents(pl.col("our_proceeds").fill_null(0))
    hits = []
    for step in (1, -1):
        other, then, paid = (expr.shift(step).over(by, order_by=day) for expr in (off, day, money))
        near = (day - then).abs() == pl.duration(days=1)
        hits.append(near & ((off + other).abs() <= UNITS) & ((money + paid).abs() <= 2 * pl.col("slack")))
    return pl.any_horizontal(hits).fill_null(value=False) & ~pl.col("yearly").fill_null(value=False)


def _neighbour() -> dict[str, pl.Expr]:
    """The form on which a day stands whose units the broker put into the day before or after."""
    by, day = SALE[:3], pl.coalesce("date_sold", "own_date")

    def either(name: str) -> pl.Expr:
        beside = [pl.col(name).shift(step).over(by, order_by=day) for step in (1, -1)]
        return pl.when("other_clock").then(pl.coalesce(name, *beside)).otherwise(name)

    return {"line_form": either("form"), "line_reported": either("all_reported")}


def _more_units(term: str) -> pl.Expr:
    """Whether we have more units of the term than the broker says."""
    return ((pl.col(f"our_{term}_units") - pl.col(f"broker_{term}_units")) > UNITS).fill_null(value=False)


def _status() -> pl.Expr:
    """The gravest of the differences; a sale on no row is spared below the limit of the optional methods."""
    limit = (
        pl.when(pl.col("class") == "nft").then(pl.lit(NFT_LIMIT))
        .when(pl.col("class") == "stablecoin").then(pl.lit(STABLECOIN_LIMIT))
    )  # fmt: skip
    kind = pl.when(pl.col("class") == "nft").then(pl.lit("nft")).otherwise("asset")
    unnamed = pl.col("form").is_null() & pl.col("reportable")
    total = pl.col("our_proceeds").filter(unnamed).sum().over([*_YEAR, kind])
    spared = (~pl.col("reportable") | (total <= limit)).fill_null(value=False)
    basis_unknown = pl.col("our_basis").is_null() & pl.col("basis").is_not_null()
    days_apart = pl.col("own_date") != pl.col("date_sold")
    cases = (
        ("other_clock", "date_differs"),
        (pl.col("our_units").is_null(), "missing_ours"),
        (pl.col("form").is_null() & spared, "not_reportable"),
        (pl.col("form").is_null(), "missing_broker"),
        (~pl.col("this_year"), "other_year"),
        (~pl.col("same_units") & pl.col("units").is_not_null(), "units_differ"),
        ("proceeds_differ", "proceeds_differ"),
        (basis_unknown, "basis_unknown"),
        ("basis_differs", "basis_differs"),
        (pl.col("short_differs") | pl.col("long_differs"), "term_differs"),
        (days_apart, "date_differs"),
    )
    status = pl.lit("matched")
    for test, name in reversed(cases):
        status = pl.when(test).then(pl.lit(name)).otherwise(status)
    return status


def _difference() -> pl.Expr:
    """How far the gain by the form lies above ours; where a side has no basis, how far its proceeds."""
    both = (pl.col("basis").is_not_null() | pl.col("form").is_null()) & (
        pl.col("our_basis").is_not_null() | pl.col("our_units").is_null()
    )

    def result(proceeds: str, basis: str) -> pl.Expr:
        return pl.col(proceeds).fill_null(0) - pl.when(both).then(pl.col(basis).fill_null(0)).otherwise(0)

    return (result("proceeds", "basis") - result("our_proceeds", "our_basis")).cast(MONEY)


def _facts(pieces: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """What a line has to know of the form on which it stands; a form of another year is none of this return's."""
    told = groups.with_columns(
        form=pl.when(pl.col("status") != "other_year").then("line_form"),
        shows_e=pl.col("shows") & pl.col("proceeds_differ") & (pl.col("higher") > 0),
        shows_b=pl.col("shows") & pl.col("basis_differs"),
    ).select("match", "form", "line_reported", "split", "on_form_basis", "shows", "shows_e", "shows_b",
             "short_differs", "long_differs", broker_proceeds="proceeds", told_basis="reported_basis")  # fmt: skip
    joined = pieces.join(told, on="match", how="left").with_columns(
        reported=pl.when("split").then(_covered()).otherwise("line_reported").fill_null(value=False)
    )
    b = pl.col("shows_b") & (pl.col("reported") | ~pl.col("on_form_basis"))
    differs = pl.when(pl.col("term") == "short").then("short_differs").otherwise("long_differs")
    flags = {"code_b": b, "code_e": pl.col("shows_e").fill_null(value=False), "code_t": pl.col("shows") & differs}
    return joined.with_columns(**{name: flag.fill_null(value=False) for name, flag in flags.items()}).select(
        "disposal_id", "lot_id", "match", "form", "reported",
        pl.when("code_e").then("broker_proceeds").alias("broker_proceeds"),
        pl.when(pl.col("code_b") & pl.col("reported")).then("told_basis").alias("broker_basis"),
        "code_b", "code_e", "code_t",
    )  # fmt: skip


def table(matched: Matched, lines: pl.DataFrame) -> pl.DataFrame:
    """`reconciliation_1099da`: a row for each account, asset and day, with the box and code that its lines got.

    Args:
        matched: what `match` gives.
        lines: Form8949.
    """
    drawn = (
        lines.select("disposal_id", "lot_id", "box", "code")
        .join(matched.pieces, on=["disposal_id", "lot_id"])
        .group_by("match")
        .agg(pl.col(name).drop_nulls().unique().sort().str.join("/").replace("", None) for name in ("box", "code"))
    )
    shown = matched.groups.join(drawn, on="match", how="left").with_columns(
        date_reported="date_sold",
        date_sold=pl.when(pl.col("yearly").fill_null(value=False))
        .then(None)
        .otherwise(pl.coalesce("own_date", "date_sold")),
        broker_rows=pl.col("rows").fill_null(0),
        broker_units="units",
        broker_proceeds=pl.col("proceeds").cast(MONEY),
        broker_basis=pl.col("basis").cast(MONEY),
        our_proceeds=pl.col("our_proceeds").cast(MONEY),
        our_basis=pl.col("our_basis").cast(MONEY),
        our_tax_year="own_year",
        box=pl.when(pl.col("our_units").is_null()).then(_expected_box()).otherwise("box"),
        form=pl.coalesce("form", "expected"),
    )
    return conform(shown, Reconciliation1099DA).sort(
        "taxpayer_id", "tax_year", "account_id", "asset", "date_sold", "date_reported", "our_units", nulls_last=True
    )


def _expected_box() -> pl.Expr:
    """The box of a row that is no sale of ours; both where the form does not tell the term."""
    short, long = pl.col("broker_short_units") > 0, pl.col("broker_long_units") > 0
    boxes = []
    for form, told, (first, second) in (
        ("1099-DA", True, "GJ"),
        ("1099-DA", False, "HK"),
        ("1099-B", True, "AD"),
        ("1099-B", False, "BE"),
    ):
        box = (
            pl.when(short & ~long).then(pl.lit(first))
            .when(long & ~short).then(pl.lit(second))
            .otherwise(pl.lit(f"{first}/{second}"))
        )  # fmt: skip
        boxes.append(pl.when((pl.col("form") == form) & (pl.col("all_reported") == told)).then(box))
    return pl.coalesce(boxes)


def unreported(
    gains: pl.DataFrame, rows: pl.DataFrame, accounts: pl.DataFrame, assets: pl.DataFrame, as_of: date
) -> pl.DataFrame:
    """Accounts at a US broker with sales of a year and no Form 1099-DA on record a quarter after the year's end.

    A broker owes the form by the middle of February (Reg. 1.6045-1(k)).

    Args:
        gains: Gains.
        rows: what `form_rows` gives.
        accounts: account_id, custody, taxable.
        assets: asset, class.
        as_of: tonight.

    Returns:
        taxpayer_id, account_id, tax_year, proceeds.
    """
    last = as_of.year - 1 if as_of.month > 3 else as_of.year - 2
    brokers = accounts.filter((pl.col("custody") == "us_broker") & pl.col("taxable")).select("account_id")
    return (
        gains.filter("on_return", pl.col("tax_year").is_between(FIRST_YEAR, last))
        .join(brokers, on="account_id", how="semi")
        .join(rows, on=_YEAR, how="anti")
        .join(assets.filter(pl.col("class") == "trust_share"), on="asset", how="anti")
        .group_by(_YEAR)
        .agg(pl.col("proceeds").sum())
        .sort(_YEAR)
    )
