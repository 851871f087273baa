"""What of a filed return tonight's books would change, by how much, and which file or record changed it.

Which filing counts is in `filed`, the names of its lines in `filed_lines`. Nothing filed is changed here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from schemas.fields import CENTS, QUANTITY
from schemas.filed import FiledInputs
from schemas.gate import conform
from schemas.tax import Amendments
from transforms.exact import to_cents, units_text
from transforms.filed import of_primary
from transforms.filed_lines import CARRIED, TAX
from transforms.law.lines import QUALIFIED, RATE_28, SCHEDULE_D_TAX
from transforms.review import items

RETURN = ["return_id", "tax_year"]
LINE = [*RETURN, "form", "line"]
LOTS = "lots"
"""`form` of a closing lot; its line is account / asset / acquired at."""
_PLACE = [*RETURN, "taxpayer_id", "account_id", "asset"]
_MOST = 5
"""Files that a cause names; more are counted."""


class Night(NamedTuple):
    """What the folder holds tonight, for the causes.

    `files`: schemas.intake.Files. `accounts`: account_id, taxpayer_id. `sources`: event_id, account_id, file_id. `events`: event_id, taxpayer_id, tax_year and
    what else an event says. `tables`: name of a file of the folder to its rows with taxpayer_id or return_id and,
    where it has one, tax_year.
    """

    files: pl.DataFrame
    accounts: pl.DataFrame
    sources: pl.DataFrame
    events: pl.DataFrame
    tables: Mapping[str, pl.DataFrame]


# --- differences ------------------------------------------------------------------------------------------------------


KEPT_BY_THE_TAXPAYER = (QUALIFIED, SCHEDULE_D_TAX, RATE_28)
"""Worksheets that are not filed."""


def of_lines(standing: pl.DataFrame, recomputed: pl.DataFrame) -> pl.DataFrame:
    """Filed lines that the events alone give otherwise.

    A line that the recomputed return leaves blank is 0; so is one that a filing with every line on record leaves blank,
    but for worksheets, which nobody files: a worksheet that the filed return did not need is no amendment.
    Lines that these books never compute, and returns that they cannot recompute, are not compared.

    Args:
        standing: schemas.filed.StandingLines.
        recomputed: schemas.filed.RecomputedLines.

    Returns:
        Amendments without version and cause.
    """
    joint = recomputed.filter(pl.col("form") == CARRIED)
    own = (pl.col("form") != CARRIED) | pl.struct(RETURN).is_in(joint.select(pl.struct(RETURN)).to_series().implode())
    given = standing.filter(~pl.col("pending") & pl.col("known") & own).join(recomputed, on=RETURN, how="semi")
    whole = given.filter("whole").select(RETURN).unique()
    needed = recomputed.filter(~pl.col("form").is_in(KEPT_BY_THE_TAXPAYER))
    blank = needed.join(whole, on=RETURN, how="semi").join(given, on=LINE, how="anti")
    both = pl.concat([given.select(*LINE, filed="amount"), blank.select(*LINE, filed=pl.lit(0, CENTS))]).join(
        recomputed.select(*LINE, recomputed="amount"), on=LINE, how="left"
    )
    rows = _shaped(both.with_columns(pl.col("recomputed").fill_null(0).cast(CENTS)))
    return rows.filter(pl.col("difference") != 0)


def of_lots(stated: pl.DataFrame, closing_lots: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Closing lots as filed that the events alone give otherwise, by account, asset and date of acquisition.

    Args:
        stated: schemas.filed.FiledClosingLots.
        closing_lots: schemas.tax.ClosingLots; those of filed years are computed from the events alone.
        people: schemas.filed.FiledPeople; taxpayers without lots on record are not compared.

    Returns:
        Amendments without version and cause: the amounts are the basis in cents (0 where it is unknown).
    """
    known = people.drop_nulls("lots_from").select(*RETURN, "taxpayer_id")
    sides = []
    for name, lots in (("filed", stated), ("recomputed", closing_lots.filter(pl.col("location") == "account"))):
        rows = lots.join(known, on=["taxpayer_id", "tax_year"])
        sides.append(
            rows.group_by(*_PLACE, "acquired_at").agg(
                pl.col("quantity").sum().cast(QUANTITY).alias(f"{name}_quantity"),
                pl.when(pl.col("basis").null_count() == 0).then(pl.col("basis").sum()).alias(f"{name}_basis"),
            )
        )
    both = sides[0].join(sides[1], on=[*_PLACE, "acquired_at"], how="full", coalesce=True)
    differ = pl.any_horizontal(
        pl.col(f"filed_{of}").ne_missing(pl.col(f"recomputed_{of}")) for of in ("quantity", "basis")
    )
    when = pl.col("acquired_at").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
    return _shaped(
        both.filter(differ).with_columns(
            form=pl.lit(LOTS),
            line=pl.concat_str("account_id", "asset", when, separator=" / "),
            filed=to_cents(pl.col("filed_basis")).fill_null(0).cast(CENTS),
            recomputed=to_cents(pl.col("recomputed_basis")).fill_null(0).cast(CENTS),
        )
    )


def _shaped(rows: pl.DataFrame) -> pl.DataFrame:
    difference = (pl.col("recomputed") - pl.col("filed")).cast(CENTS)
    return conform(rows.with_columns(difference=difference), Amendments).drop("version", "cause").sort(LINE)


def amendments(differences: pl.DataFrame, returns: pl.DataFrame, causes: pl.DataFrame) -> pl.DataFrame:
    """`Amendments`: differences with the version that is filed and the cause of its return."""
    named = differences.join(returns.select(*RETURN, "version"), on=RETURN).join(causes, on=RETURN, how="left")
    return conform(named, Amendments).sort(LINE)


def questions(found: pl.DataFrame, members: pl.DataFrame) -> list[pl.DataFrame]:
    """One item for each filed return that would change.

    Args:
        found: schemas.tax.Amendments.
        members: return_id, tax_year, taxpayer_id, role.
    """
    tax = pl.col("difference").filter(pl.col("form") == TAX).first()
    by_return = found.group_by(RETURN).agg(figures=pl.len(), tax=tax, most=pl.col("difference").abs().max())
    change = pl.coalesce(pl.format("the tax by {}", "tax"), pl.lit("the tax by nothing"))
    asked = of_primary(by_return.with_columns(change=change), members)
    message = pl.format("the filed return of {}: {} figures would change, {}", "tax_year", "figures", "change")
    stake = pl.coalesce(pl.col("tax").abs(), pl.col("most"))
    action = "Look at amendments, which names the cause; amend (a higher version in filed_years.csv) or leave the return as it was filed."
    return [items(asked, "filed_year_differs", "warning", message, action, stake)]


def units_questions(stated: pl.DataFrame, closing_lots: pl.DataFrame, people: pl.DataFrame) -> list[pl.DataFrame]:
    """Accounts that hold other units of an asset at the end of a filed year than the filed lots say.

    Args:
        stated: schemas.filed.FiledClosingLots.
        closing_lots: schemas.tax.ClosingLots.
        people: schemas.filed.FiledPeople.
    """
    known = people.drop_nulls("lots_from").select("taxpayer_id", "tax_year")
    key = ["taxpayer_id", "tax_year", "account_id", "asset"]
    sides = [
        rows.join(known, on=known.columns).group_by(key).agg(pl.col("quantity").sum().cast(QUANTITY).alias(name))
        for name, rows in (("filed", stated), ("held", closing_lots.filter(pl.col("location") == "account")))
    ]
    both = sides[0].join(sides[1], on=key, how="full", coalesce=True).with_columns(pl.col("filed", "held").fill_null(0))
    message = pl.format(
        "at the end of {} the filed lots are {} units and the events leave {}: the books go on from the filed ones",
        "tax_year", units_text(pl.col("filed")), units_text(pl.col("held")),
    )  # fmt: skip
    action = "Find the missing or doubled event, or correct filed_lots.csv; units that are not there cannot be sold."
    return [items(both.filter(pl.col("filed") != pl.col("held")), "filed_units_differ", "blocking", message, action)]


# --- causes -----------------------------------------------------------------------------------------------------------


def inputs(returns: pl.DataFrame, members: pl.DataFrame, night: Night, as_of: str) -> pl.DataFrame:
    """What each filed return is made of tonight.

    Args:
        returns: schemas.filed.FiledReturns.
        members: return_id, tax_year, taxpayer_id.
        night: the folder.
        as_of: the night's date.

    Returns:
        schemas.filed.FiledInputs: the night; a row a file of the return's accounts (digest: its file_id); a row a table of
        the folder that has rows of it (digest of those up to its year); the number and the worth of its events.
    """
    people = members.select(*RETURN, "taxpayer_id").join(returns, on=RETURN, how="semi")
    files = night.files.filter(pl.col("status") == "parsed").join(night.accounts, on="account_id")
    parts = [
        returns.select(*RETURN, what=pl.lit("night"), name=pl.lit(as_of), digest=pl.lit("")),
        people.join(files, on="taxpayer_id").select(*RETURN, what=pl.lit("file"), name="path", digest="file_id"),
        *(_digested(name, rows, people) for name, rows in sorted(night.tables.items())),
        _worth(people, night.events),
    ]
    return pl.concat([conform(part, FiledInputs) for part in parts]).sort(pl.all())


def _until(people: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of each return's taxpayers (or of the return itself) up to its year; their own year is `of_year`."""
    own = rows.rename({"tax_year": "of_year"}, strict=False)
    by = "taxpayer_id" if "taxpayer_id" in rows.columns else "return_id"
    whose = people if by == "taxpayer_id" else people.select(RETURN).unique()
    joined = whose.join(own, on=by, how="inner", suffix="_of")
    return joined.filter(pl.col("of_year") <= pl.col("tax_year")) if "of_year" in joined.columns else joined


def _digested(name: str, rows: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """A digest of a table's rows, in any order, by return."""
    cells = [pl.col(column).cast(pl.String).fill_null("\x00") for column in rows.columns if column != "tax_year"]
    year = [pl.col("of_year").cast(pl.String)] if "tax_year" in rows.columns else []
    text = _until(people, rows).with_columns(row=pl.concat_str([*year, *cells], separator="\x1f"))
    return (
        text.group_by(RETURN)
        .agg(pl.col("row").sort().str.join("\x1e"))
        .select(
            *RETURN,
            what=pl.lit("table"),
            name=pl.lit(name),
            digest=pl.col("row").map_elements(_sha, return_dtype=pl.String),
        )
    )


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _worth(people: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """How many events a return rests on and what they are worth: a price or an override that changed shows here."""
    worth = pl.sum_horizontal(pl.col(name).cast(pl.Decimal(38, 6)).sum() for name in ("usd_value", "fee_usd_value"))
    by_year = events.group_by("taxpayer_id", "tax_year").agg(events=pl.len(), worth=worth)
    totals = _until(people, by_year).group_by(RETURN).agg(pl.col("events").sum(), pl.col("worth").sum())
    return totals.select(
        *RETURN, what=pl.lit("events"), name=pl.lit("events"), digest=pl.format("{} events worth {}", "events", "worth")
    )


def causes(
    returns: pl.DataFrame, members: pl.DataFrame, recorded: pl.DataFrame, tonight: pl.DataFrame, night: Night
) -> pl.DataFrame:
    """return_id, tax_year, cause: what changed since a night first saw each filing.

    Files that came since with the number of events of that year or before that only they tell, files that are gone,
    records of the folder and values of events that are others. Where nothing of it is found the cause is not known,
    and the files that the recomputed figures rest on are named.

    Args:
        returns: schemas.filed.FiledReturns.
        members: return_id, tax_year, taxpayer_id.
        recorded: schemas.filed.FiledInputs, as kept.
        tonight: the same, of tonight.
        night: the folder.
    """
    people = members.select(*RETURN, "taxpayer_id").join(returns, on=RETURN, how="semi")
    told = _told_by(people, night)
    same = [*RETURN, "what", "name", "digest"]
    seen = recorded.filter(pl.col("what") == "night").select(*RETURN, since="name")
    new = tonight.join(recorded, on=[*RETURN, "what", "digest"], how="anti").filter(pl.col("what") == "file")
    gone = recorded.join(tonight, on=[*RETURN, "what", "digest"], how="anti").filter(pl.col("what") == "file")
    other = pl.concat([tonight.join(recorded, on=same, how="anti"), recorded.join(tonight, on=same, how="anti")])
    tables = other.filter(pl.col("what") == "table").select(*RETURN, "name").unique()
    late = _only_from(told, new).join(seen, on=RETURN)
    said = [
        _listed(late, pl.format("{} event(s) of {} or before from {} (file {}), not in the folder on {}",
                                "events", "tax_year", "path", pl.col("file_id").str.slice(0, 12), "since"), 1),
        _listed(gone.join(seen, on=RETURN), pl.format("{} (file {}) is gone, in the folder on {}", "name",
                                                      pl.col("digest").str.slice(0, 12), "since"), 2),
        _listed(tables.join(seen, on=RETURN), pl.format("rows of {}.csv are others than on {}", "name", "since"), 3),
        _listed(_values(recorded, tonight, late, gone), pl.col("text"), 4),
    ]  # fmt: skip
    found = (
        pl.concat(said).sort(*RETURN, "order").group_by(RETURN, maintain_order=True).agg(pl.col("text").str.join("; "))
    )
    rest = _listed(told, pl.format("{} ({} events)", "path", "events"), 5).rename({"text": "rests"})
    return (
        returns.select(RETURN)
        .join(found, on=RETURN, how="left")
        .join(seen, on=RETURN, how="left")
        .join(rest, on=RETURN, how="left")
        .select(
            *RETURN,
            cause=pl.coalesce(
                "text",
                pl.format(
                    "not known: nothing changed in the folder since {}, when a night first saw this filing; the recomputed figures rest on {}",
                    "since",
                    pl.col("rests").fill_null("no event at all"),
                ),
            ),
        )
    )


def _told_by(people: pl.DataFrame, night: Night) -> pl.DataFrame:
    """return_id, tax_year, account_id, file_id, path, events: files with events up to each return's year.

    `alone` are the events that no other file tells (of several new files each may still tell the same).
    """
    events = _until(people, night.events.select("event_id", "taxpayer_id", "tax_year"))
    paths = night.files.select("account_id", "file_id", "path")
    rows = events.join(night.sources.select("event_id", "account_id", "file_id").unique(), on="event_id")
    return (
        rows.join(paths, on=["account_id", "file_id"])
        .group_by(*RETURN, "account_id", "file_id", "path")
        .agg(pl.col("event_id").unique(), events=pl.col("event_id").n_unique())
        .sort(*RETURN, "path")
    )


def _only_from(told: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Of the files that are new the events that no older file tells."""
    keyed = new.select(*RETURN, file_id="digest").unique()
    rows = told.explode("event_id")
    old = rows.join(keyed, on=[*RETURN, "file_id"], how="anti").select(*RETURN, "event_id").unique()
    fresh = rows.join(keyed, on=[*RETURN, "file_id"], how="semi").join(old, on=[*RETURN, "event_id"], how="anti")
    return fresh.group_by(*RETURN, "file_id", "path").agg(events=pl.col("event_id").n_unique()).sort(*RETURN, "path")


def _values(recorded: pl.DataFrame, tonight: pl.DataFrame, late: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    """Events of the same files that are others by number or value: prices, overrides, another reading of a file."""
    before, now = (rows.filter(pl.col("what") == "events").select(*RETURN, "digest") for rows in (recorded, tonight))
    other = before.join(now, on=RETURN, suffix="_now").filter(pl.col("digest") != pl.col("digest_now"))
    same_files = other.join(late, on=RETURN, how="anti").join(gone, on=RETURN, how="anti")
    return same_files.with_columns(
        text=pl.format("{} when filed are {} now (prices, overrides, another reading)", "digest", "digest_now")
    )


def _listed(rows: pl.DataFrame, text: pl.Expr, order: int) -> pl.DataFrame:
    """return_id, tax_year, text, order: the first few of each return joined, the others counted."""
    few = pl.col("text").head(_MOST).str.join("; ")
    more = pl.when(pl.len() > _MOST).then(pl.format("; and {} more", pl.len() - _MOST)).otherwise(pl.lit(""))
    return (
        rows.with_columns(text=text)
        .group_by(RETURN, maintain_order=True)
        .agg(text=pl.concat_str(few, more), order=pl.lit(order))
    )
