"""Calendar of the holding period: the taxpayer's own dates and the day a lot turns long-term. No lot is matched here."""

from __future__ import annotations

import polars as pl

from schemas.fields import INSTANT


def with_time_zone(frame: pl.DataFrame, zones: pl.DataFrame, instant: str = "occurred_at") -> pl.DataFrame:
    """`frame` with `time_zone`: the zone that its taxpayer lived in at `instant`.

    `frame` has taxpayer_id and the instant; `zones` has taxpayer_id, valid_from (Date), time_zone. A zone begins at its
    own midnight of `valid_from`; an instant before the first one takes the first zone, a taxpayer without a row UTC.
    Row order is kept.
    """
    midnight = pl.col("valid_from").cast(pl.Datetime("us"))
    begins = [
        part.with_columns(
            begins_at=midnight.dt.replace_time_zone(
                part["time_zone"][0], ambiguous="earliest", non_existent="null"
            ).dt.convert_time_zone("UTC")
        )
        for part in zones.select("taxpayer_id", "valid_from", "time_zone").partition_by("time_zone")
    ]
    typed = pl.DataFrame(schema={"taxpayer_id": pl.String, "time_zone": pl.String, "begins_at": INSTANT})
    starts = pl.concat(
        [typed, *(part.with_columns(_fallback(midnight)).select(typed.columns) for part in begins)]
    ).sort("begins_at")
    first = starts.group_by("taxpayer_id").agg(pl.col("time_zone").first().alias("_first"))
    joined = (
        frame.with_row_index("_row")
        .sort(instant)
        .join_asof(starts, left_on=instant, right_on="begins_at", by="taxpayer_id", check_sortedness=False)
        .join(first, on="taxpayer_id", how="left")
    )
    zone = pl.coalesce("time_zone", "_first", pl.lit("UTC")).alias("time_zone")
    return joined.with_columns(zone).sort("_row").select(*frame.columns, "time_zone")


def _fallback(midnight: pl.Expr) -> pl.Expr:
    """Where a zone had no midnight on that day, midnight UTC."""
    return pl.coalesce("begins_at", midnight.dt.replace_time_zone("UTC")).cast(INSTANT).alias("begins_at")


def with_tax_date(
    frame: pl.DataFrame, instant: str = "occurred_at", time_zone: str = "time_zone", name: str = "tax_date"
) -> pl.DataFrame:
    """`frame` with `name`: the date of `instant` (UTC) on the wall clock of the row's IANA `time_zone`.

    One zone a taxpayer serves acquisition and disposal alike (Rev. Proc. 2024-28 s. 3.10: "the taxpayer's day").
    """
    zones = frame[time_zone].unique().drop_nulls().sort().to_list()
    dates = [pl.when(pl.col(time_zone) == zone).then(local_date(pl.col(instant), zone)) for zone in zones]
    return frame.with_columns(pl.coalesce(*dates, pl.lit(None, pl.Date)).alias(name))


def local_date(instant: pl.Expr, time_zone: str) -> pl.Expr:
    """The date of a UTC instant on the wall clock of one IANA zone."""
    return instant.cast(INSTANT).dt.convert_time_zone(time_zone).dt.date()


def long_term_from(acquired: pl.Expr) -> pl.Expr:
    """The first day on which a sale is long-term, by the day of acquisition.

    Held more than one year, counted from the day after acquisition (IRC 1222; Rev. Rul. 66-7, 70-598): the later of
    the anniversary's next day and the next day's anniversary; 29 February has its anniversary on the 28th.
    """
    by_anniversary = acquired.dt.offset_by("1y").dt.offset_by("1d")
    by_first_day = acquired.dt.offset_by("1d").dt.offset_by("1y")
    return pl.max_horizontal(by_anniversary, by_first_day)


def term(sold: pl.Expr, long_from: pl.Expr) -> pl.Expr:
    """`long` from the first long-term day on, else `short` (IRC 1222)."""
    return pl.when(sold >= long_from).then(pl.lit("long")).when(sold < long_from).then(pl.lit("short"))
