"""Filed years in the lot book: which filing counts, and books that open from the closing lots as filed.

The lines of a filed return are in `filed_lines`, differences in `amendments`. No file is opened here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple, TypeAlias

import polars as pl

from schemas.fields import MONEY
from schemas.filed import FiledClosingLots, FiledFormLines, FiledPeople, FiledReturns, PendingLots
from schemas.gate import conform
from schemas.tax import ClosingLots, Lots
from transforms.exact import part_of
from transforms.holding import long_term_from, with_tax_date, with_time_zone
from transforms.ids import content_id
from transforms.lots import UNIVERSAL, LotBook, conservation, opening_slots, tied
from transforms.methods import WALLET_YEAR
from transforms.review import items

RETURN = ["return_id", "tax_year"]
OWNER = ["taxpayer_id", "tax_year"]
_LOT = ["taxpayer_id", "account_id", "asset", "acquired_at"]
"""What a closing lot as filed is known by."""
FRESH = "filed"
"""Origin of a lot that only the filing knows; ids of lots whose amounts are the filing's begin with it."""


class Kept(NamedTuple):
    """What earlier nights wrote under `filed/`. `lines` and `lots` are rows of the firm's formats."""

    lines: pl.DataFrame
    lots: pl.DataFrame
    found: pl.DataFrame
    """return_id, tax_year, version, part (lines lots inputs): the records that are there, also those of no row."""


class Records(NamedTuple):
    """What was filed, the firm's own word before the record's, and what about it cannot be used."""

    returns: pl.DataFrame
    """schemas.filed.FiledReturns."""
    people: pl.DataFrame
    """schemas.filed.FiledPeople."""
    lines: pl.DataFrame
    """schemas.filed.FiledFormLines, forms and lines as the firm writes them."""
    lots: pl.DataFrame
    """schemas.filed.FiledClosingLots."""
    questions: list[pl.DataFrame]


def latest(filed_years: pl.DataFrame) -> pl.DataFrame:
    """The filing that counts of each return and year: the highest version. A year has to be over to be filed."""
    over = filed_years.filter(pl.col("filed_at").dt.year() > pl.col("tax_year"))
    return over.sort("version").unique(RETURN, keep="last", maintain_order=True).sort(RETURN)


def records(
    filed_years: pl.DataFrame, filed_lines: pl.DataFrame, filed_lots: pl.DataFrame, kept: Kept, members: pl.DataFrame
) -> Records:
    """What stands as filed.

    Args:
        filed_years: filed_years.csv as of tonight.
        filed_lines: filed_lines.csv.
        filed_lots: filed_lots.csv, assets by their canonical ids; a row without a version is of the one that counts.
        kept: the records under `filed/`, assets likewise.
        members: return_id, tax_year, taxpayer_id, role.
    """
    filed, version = latest(filed_years), [*RETURN, "version"]
    people = members.select(*RETURN, "taxpayer_id").join(filed, on=RETURN)
    stated = filed_lines.join(filed, on=version, how="semi")
    lines = pl.concat(
        [
            stated.select(*RETURN, "form", "line", "amount", whole=pl.lit(False)),
            kept.lines.join(filed, on=version, how="semi")
            .join(stated, on=RETURN, how="anti")
            .select(*RETURN, "form", "line", "amount", whole=pl.lit(True)),
        ]
    )
    own = filed_lots.join(people.select(*OWNER, counts="version"), on=OWNER).filter(
        pl.col("version").is_null() | (pl.col("version") == pl.col("counts"))
    )
    recorded = kept.lots.join(people, on=[*OWNER, "version"], how="semi").join(own, on=OWNER, how="anti")

    def there(part: str) -> pl.DataFrame:
        return kept.found.filter(part=part).select(*version, found=pl.lit(True))

    firm_lines, firm_lots = (
        rows.unique(key).select(*key, firm=pl.lit(True)) for rows, key in ((stated, RETURN), (own, OWNER))
    )
    return Records(
        returns=conform(
            _sourced(filed.join(firm_lines, on=RETURN, how="left"), there("lines"), "lines_from")
            .join(there("inputs"), on=version, how="left")
            .with_columns(has_inputs=pl.col("found").fill_null(value=False)),
            FiledReturns,
        ).sort(RETURN),
        people=conform(
            _sourced(people.join(firm_lots, on=OWNER, how="left"), there("lots"), "lots_from"), FiledPeople
        ).sort(OWNER),
        lines=conform(lines, FiledFormLines).sort(*RETURN, "form", "line"),
        lots=conform(pl.concat([conform(own, FiledClosingLots), conform(recorded, FiledClosingLots)]), FiledClosingLots)
        .sort(pl.all()),
        questions=_orphans(filed_years, filed_lines, filed_lots, people, members),
    )  # fmt: skip


def _sourced(rows: pl.DataFrame, found: pl.DataFrame, name: str) -> pl.DataFrame:
    """`rows` with the source of what is on record: the firm's file, else a record that is there, else nothing."""
    source = pl.when("firm").then(pl.lit("firm")).when("found").then(pl.lit("record"))
    return rows.join(found, on=[*RETURN, "version"], how="left").with_columns(source.alias(name)).drop("found", "firm")


def _all_versions(filed_years: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """taxpayer_id, tax_year, version of every filing on record, those included that a later one replaced."""
    return members.select(*RETURN, "taxpayer_id").join(filed_years, on=RETURN).select(*OWNER, "version")


def of_primary(rows: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """`rows` of returns with the taxpayer_id whom a question on a return is asked of: the primary's.

    Args:
        rows: return_id, tax_year.
        members: return_id, tax_year, taxpayer_id, role.
    """
    primary = members.filter(pl.col("role") == "primary").select(*RETURN, "taxpayer_id")
    found = rows.drop("taxpayer_id", strict=False).join(primary, on=RETURN, how="left", maintain_order="left")
    return found.with_columns(taxpayer_id=pl.coalesce("taxpayer_id", "return_id"))


def _orphans(
    filed_years: pl.DataFrame,
    filed_lines: pl.DataFrame,
    filed_lots: pl.DataFrame,
    people: pl.DataFrame,
    members: pl.DataFrame,
) -> list[pl.DataFrame]:
    """Records that name no filing, filings of a year that was not over, and years between filed ones."""
    early = filed_years.filter(pl.col("filed_at").dt.year() <= pl.col("tax_year"))
    lone_lines = filed_lines.join(filed_years, on=[*RETURN, "version"], how="anti").unique(RETURN)
    dated = filed_lots.filter(pl.col("version").is_not_null()).join(people, on=OWNER, how="semi")
    elsewhere = dated.join(_all_versions(filed_years, members), on=[*OWNER, "version"], how="anti")
    lone_lots = pl.concat([filed_lots.join(people, on=OWNER, how="anti"), elsewhere]).unique(OWNER)
    span = people.group_by("taxpayer_id").agg(first=pl.col("tax_year").min(), last=pl.col("tax_year").max())
    years = span.with_columns(tax_year=pl.int_ranges("first", pl.col("last") + 1)).explode("tax_year")
    gaps = years.join(people, on=OWNER, how="anti")
    enter = "Enter the filing in filed_years.csv; until then its figures do not count."
    return [
        items(
            of_primary(early, members), "filed_before_year_end", "blocking",
            pl.format("filed_years.csv: {} is said to be filed before the year was over; it does not count", "tax_year"),
            "Correct tax_year or filed_at in filed_years.csv.",
        ),
        items(
            of_primary(lone_lines, members), "filed_lines_without_year", "blocking",
            pl.format("filed_lines.csv has lines of {}, version {}, that filed_years.csv does not know", "tax_year", "version"),
            enter,
        ),
        items(
            lone_lots, "filed_lots_without_year", "blocking",
            pl.format("filed_lots.csv has closing lots of {}, and filed_years.csv no filing of it", "tax_year"), enter,
        ),
        items(
            gaps, "filed_gap", "warning",
            pl.format("{} lies between filed years and is not filed itself: its sales are recomputed from the events", "tax_year"),
            "Enter the filing of that year in filed_years.csv.",
        ),
    ]  # fmt: skip


# --- the lot book -----------------------------------------------------------------------------------------------------

Engine: TypeAlias = Callable[[pl.DataFrame, pl.DataFrame, tuple[int, int]], LotBook]
"""The lot book of movements, an opening and a range of years (`lots.run` with everything else given)."""


class Setting(NamedTuple):
    """What an opening needs to know beside the lots: `wallets` account_id, wallet, treatment; `zones` as in `holding`."""

    universal: Collection[str]
    wallets: pl.DataFrame
    zones: pl.DataFrame


class FiledBook(NamedTuple):
    """The book in which filed years stand, and whether each run of it lost or made up anything."""

    book: LotBook
    balance: pl.DataFrame
    """schemas.tax.BookBalance without tax_year."""


def run(
    engine: Engine,
    movements: pl.DataFrame,
    opening: pl.DataFrame,
    earlier_lots: pl.DataFrame,
    people: pl.DataFrame,
    lots: pl.DataFrame,
    setting: Setting,
    years: tuple[int, int],
) -> FiledBook:
    """The lot book: up to a taxpayer's last filed year from the events alone, after it from the closing lots as filed.

    One run takes everybody through all years: it is the recomputation in shadow of the filed ones. Where the closing
    lots as filed are the recomputed ones it is the whole book; where they differ the years after are run again from the
    filed ones and take the place of those rows. Units under way or outside at that year end are in no filing and stay
    as computed.

    Args:
        engine: the lot book.
        movements: schemas.ledger.Movements.
        opening: `lots.opening_slots` of the year before the range.
        earlier_lots: schemas.tax.Lots that entered before the range.
        people: schemas.filed.FiledPeople.
        lots: schemas.filed.FiledClosingLots.
        setting: who is universal, the wallets, the time zones.
        years: first and last tax year.
    """
    first, last = years
    whole = engine(movements, opening, years)
    within = movements.filter(pl.col("tax_year").is_between(first, last))
    balance = [_balance(within, opening, whole, last, "events", movements)]
    book, touched = whole, pl.DataFrame(schema={"taxpayer_id": pl.String})
    filings = _last_filings(people)
    for year in range(first - 1, last):
        computed = pl.concat([book.closing_lots, conform(opening, ClosingLots)])
        known = pl.concat([conform(earlier_lots, Lots), book.lots])
        whose = _to_run_again(computed, filings.filter(tax_year=year), lots, touched)
        if whose.is_empty():
            continue
        held, stated = (
            rows.filter(pl.col("tax_year") == year).join(whose, on="taxpayer_id", how="semi")
            for rows in (computed, lots)
        )
        slots, made = filed_slots(held, stated, known, setting)
        everyone, others = _with_those_tied(movements.filter(pl.col("tax_year") > year), whose)
        beside = computed.filter(pl.col("tax_year") == year).join(others, on="taxpayer_id", how="semi")
        begun = pl.concat([opening_slots(slots, pl.concat([known, made]), year), opening_slots(beside, known, year)])
        theirs = movements.join(everyone, on="taxpayer_id", how="semi")
        again = engine(theirs, begun, (year + 1, last))
        later = theirs.filter(pl.col("tax_year").is_between(year + 1, last))
        balance.append(_balance(later, begun, again, last, f"filed {year}", movements))
        book = _stitched(book, again._replace(lots=pl.concat([made, again.lots])), _from_when(everyone, filings, year))
        touched = pl.concat([touched, others]).unique()
    return FiledBook(book, pl.concat(balance))


def _with_those_tied(movements: pl.DataFrame, whose: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The taxpayers with those to whom lots of theirs go or from whom they come, and the latter alone."""
    every = pl.DataFrame({"taxpayer_id": tied(movements, whose["taxpayer_id"].to_list())})
    return every, every.join(whose, on="taxpayer_id", how="anti")


def _balance(
    movements: pl.DataFrame, opening: pl.DataFrame, book: LotBook, last: int, segment: str, every: pl.DataFrame
) -> pl.DataFrame:
    return conservation(movements, opening, book, last, every).with_columns(segment=pl.lit(segment))


def _last_filings(people: pl.DataFrame) -> pl.DataFrame:
    """taxpayer_id, tax_year: of each taxpayer the last year whose closing lots are on record as filed."""
    return people.drop_nulls("lots_from").sort("tax_year").unique("taxpayer_id", keep="last").select(OWNER)


def _from_when(everyone: pl.DataFrame, filings: pl.DataFrame, year: int) -> pl.DataFrame:
    """taxpayer_id, after: a year's rows are replaced after `year`, and after the taxpayer's own last filed one.

    What is tied to a taxpayer with a filing is run with it; the shadow of the other's own filed years stays.
    """
    own = everyone.join(filings, on="taxpayer_id", how="left")
    return own.select("taxpayer_id", after=pl.max_horizontal(pl.col("tax_year").fill_null(year), pl.lit(year)))


def _to_run_again(
    computed: pl.DataFrame, stated: pl.DataFrame, lots: pl.DataFrame, touched: pl.DataFrame
) -> pl.DataFrame:
    """Those of `stated` (taxpayer_id, tax_year) whose closing lots as filed are not the computed ones.

    And those of them whose later years an earlier filing of somebody tied to them has changed: from here on their own
    filing stands.
    """
    one, other = (
        _numbered(rows.join(stated, on=OWNER, how="semi"))
        for rows in (computed.filter(pl.col("location") == "account"), lots)
    )
    key = [*OWNER, *_LOT[1:], "quantity", "basis", "ordinal"]
    differ = [
        one.join(other, on=key, how="anti", nulls_equal=True).select("taxpayer_id"),
        other.join(one, on=key, how="anti", nulls_equal=True).select("taxpayer_id"),
        stated.join(touched, on="taxpayer_id", how="semi").select("taxpayer_id"),
    ]
    return pl.concat(differ).unique().sort("taxpayer_id")


def _numbered(rows: pl.DataFrame, *by: str) -> pl.DataFrame:
    """`rows` with their number among identical ones (`by` given: among those of that key, small ones first)."""
    key = [*OWNER, *_LOT[1:], *(by or ("quantity", "basis"))]
    order = ["quantity", "basis", *(["lot_id"] if "lot_id" in rows.columns else [])]
    return rows.sort(*_LOT, *order, nulls_last=True).with_columns(ordinal=pl.int_range(pl.len()).over(key))


def filed_slots(
    held: pl.DataFrame, stated: pl.DataFrame, known: pl.DataFrame, setting: Setting
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The closing lots of a year as filed, in the shape of computed ones.

    A filed lot that a computed one equals is that lot. One that a computed lot matches by account, asset and date but
    not in amounts takes its dates, origin and acquisition and the filing's amounts (a gift's basis for loss in
    proportion to the units); one that nothing matches has the dates of its acquisition and the origin `filed`.

    Args:
        held: schemas.tax.ClosingLots as computed, of some taxpayers and one year.
        stated: schemas.filed.FiledClosingLots of the same.
        known: schemas.tax.Lots: the acquisition behind each computed lot.
        setting: who is universal, the wallets, the time zones.

    Returns:
        ClosingLots: the filed lots, and what is under way or outside as computed; and the Lots that are new with them.
    """
    here = _numbered(held.filter(pl.col("location") == "account"))
    given = _numbered(stated)
    same = [*OWNER, *_LOT[1:], "quantity", "basis", "ordinal"]
    equal = here.join(given, on=same, how="semi", nulls_equal=True)
    rest = _numbered(here.join(given, on=same, how="anti", nulls_equal=True).drop("ordinal"), "tax_year")
    odd = _numbered(given.join(here, on=same, how="anti", nulls_equal=True).drop("ordinal"), "tax_year")
    fresh = _dated(odd, setting)
    matched = fresh.join(rest, on=[*OWNER, *_LOT[1:], "ordinal"], how="left", suffix="_held")
    lots = _as_stated(matched)
    made = lots.join(
        known.select(lot_id_held="lot_id", acquired_by="acquisition_event_id"), on="lot_id_held", how="left"
    )
    return (
        pl.concat([conform(rows, ClosingLots) for rows in (equal, lots, held.filter(pl.col("location") != "account"))]),
        conform(
            made.with_columns(
                acquisition_event_id=pl.coalesce("acquired_by", "lot_id"), tax_year=pl.col("tax_year") + 1
            ),
            Lots,
        ),
    )


def _dated(stated: pl.DataFrame, setting: Setting) -> pl.DataFrame:
    """Filed lots as ClosingLots that know nothing but the filing."""
    day = with_tax_date(with_time_zone(stated, setting.zones, "acquired_at"), "acquired_at", name="date_acquired").join(
        setting.wallets.select("account_id", "wallet", "treatment"), on="account_id", how="left"
    )
    shared = (
        pl.col("taxpayer_id").is_in(list(setting.universal))
        & (pl.col("tax_year") < WALLET_YEAR)
        & (pl.col("treatment").fill_null("taxable") == "taxable")
    )
    fresh = long_term_from(pl.col("date_acquired"))
    return day.with_columns(
        location=pl.lit("account"),
        pool=pl.when(shared).then(pl.lit(UNIVERSAL)).otherwise(pl.coalesce("wallet", "account_id")),
        loss_basis="basis",
        long_term_from=fresh,
        loss_long_term_from=fresh,
        loss_acquired_at="acquired_at",
        loss_date_acquired="date_acquired",
        origin=pl.lit(FRESH),
        basis_status=pl.when(pl.col("basis").is_null()).then(pl.lit("unknown")).otherwise(pl.lit("known")),
    ).drop("wallet", "treatment", "time_zone")


def _as_stated(matched: pl.DataFrame) -> pl.DataFrame:
    """Filed lots with what the computed lot of the same date knows (`*_held`)."""
    found = pl.col("lot_id").is_not_null()
    dates = ["date_acquired", "long_term_from", "loss_long_term_from", "loss_acquired_at", "loss_date_acquired"]
    dual = pl.col("basis_held").ne_missing(pl.col("loss_basis_held")) & found
    scaled = part_of(pl.col("loss_basis_held"), pl.col("quantity"), pl.col("quantity_held"))
    return matched.with_columns(
        *(pl.coalesce(f"{name}_held", name).alias(name) for name in (*dates, "origin", "pool")),
        # the value at the gift counts only where it is lower (IRC 1015(a))
        loss_basis=pl.when(dual & pl.col("basis").is_not_null())
        .then(pl.min_horizontal(scaled, "basis"))
        .otherwise("basis")
        .cast(MONEY),
        lot_id_held="lot_id",
        lot_id=content_id("filed-", *_LOT, "tax_year", "quantity", "basis", "ordinal"),
    )


def _stitched(book: LotBook, again: LotBook, whose: pl.DataFrame) -> LotBook:
    """`book` in which the rows of some taxpayers (taxpayer_id, after: a year) after it are those of `again`."""
    later = pl.col("tax_year") > pl.col("after")

    def put(name: str, frame: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
        if "tax_year" not in frame.columns:  # the engines
            return pl.concat([frame, other]).unique(maintain_order=True)
        kept = frame.join(whose, on="taxpayer_id", how="left", maintain_order="left").filter(
            pl.col("after").is_null() | ~later
        )
        # a lot that the filing made enters in its filed year
        new = other.join(whose, on="taxpayer_id", maintain_order="left").filter(
            later | (pl.lit(name == "lots") & ~pl.col(other.columns[0]).is_in(frame[other.columns[0]].implode()))
        )
        kept, new = kept.drop("after"), new.drop("after")
        order = {
            "lots": ["taxpayer_id", "lot_id"],
            "closing_lots": ["tax_year", "taxpayer_id", "lot_id", "pool", "account_id"],
        }
        return pl.concat([kept, new]).sort(order.get(name, ["taxpayer_id", "tax_year"]), maintain_order=True)

    return LotBook(**{name: put(name, frame, getattr(again, name)) for name, frame in book._asdict().items()})


def pending_lots(
    closing_lots: pl.DataFrame, people: pl.DataFrame, lots: pl.DataFrame, years: Collection[int]
) -> pl.DataFrame:
    """The closing lots of filed returns of which nobody states them: they stand as filed from tonight on.

    Args:
        closing_lots: schemas.tax.ClosingLots of tonight's book.
        people: schemas.filed.FiledPeople.
        lots: schemas.filed.FiledClosingLots: what is on record for one spouse is kept with the other's.
        years: the tax years of the run.

    Returns:
        schemas.filed.PendingLots; a taxpayer who holds nothing has one row without an account.
    """
    bare = pl.col("lots_from").is_null()
    ours = people.filter(bare.any().over(RETURN) & pl.col("tax_year").is_in(list(years)))
    held = closing_lots.filter(pl.col("location") == "account")
    rows = [
        ours.filter(which).join(conform(of, FiledClosingLots), on=OWNER, how="left")
        for which, of in ((bare, held), (~bare, lots))
    ]
    return pl.concat([conform(part, PendingLots) for part in rows]).sort(pl.all())


def digests(people: pl.DataFrame, lots: pl.DataFrame, lines: pl.DataFrame, years: range) -> pl.DataFrame:
    """What of the filings the books of each year rest on, as rows of taxpayer_id, tax_year, filed, part, digest.

    A book after the last filed year rests on its closing lots; one between two filings whose lots are on record is run
    from the events alone; a return rests on the lines filed for it and before it. A record that a night wrote says what
    that night's book had, so that it is no change against it.
    """
    firm = lines.filter(~pl.col("whole"))
    last = people.sort("tax_year").unique("taxpayer_id", keep="last").select(*OWNER, "lots_from")
    stated = people.drop_nulls("lots_from").group_by("taxpayer_id").agg(
        first=pl.col("tax_year").min(), filed=pl.col("tax_year").max()
    )  # fmt: skip
    of_lots = last.join(_hashed(lots, OWNER), on=OWNER, how="left").with_columns(
        part=pl.lit("lots"),
        digest=pl.when(pl.col("lots_from") == "firm").then("digest").otherwise(pl.lit("record")),
    )
    of_lines = (
        people.select(*OWNER, "return_id").join(_hashed(firm, RETURN), on=RETURN).with_columns(part=pl.lit("lines"))
    )
    calendar = pl.DataFrame({"year": list(years)}, schema={"year": pl.Int64})
    columns = ["taxpayer_id", "year", "filed", "part", "digest"]
    rows = [
        of_lots.rename({"tax_year": "filed"}).join(calendar, how="cross").filter(pl.col("year") > pl.col("filed")),
        of_lines.rename({"tax_year": "filed"}).join(calendar, how="cross").filter(pl.col("year") >= pl.col("filed")),
        stated.join(calendar, how="cross")
        .filter((pl.col("year") > pl.col("first")) & (pl.col("year") <= pl.col("filed")))
        .with_columns(part=pl.lit("shadow"), digest=pl.lit(""), filed=pl.col("first")),
    ]
    return pl.concat([part.select(columns) for part in rows]).rename({"year": "tax_year"})


def _hashed(rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """A digest of the rows of each key, in any order (of polars' own making: it serves one version of polars)."""
    return (
        rows.select(*key, row=rows.hash_rows())
        .group_by(key)
        .agg(digest=pl.format("{}:{}", pl.len(), pl.col("row").sum()))
    )
