"""Prices: the firm's price rows to a price table, and the fair value of events by it. No lot and no tax rule here."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from schemas.fields import FIAT, INSTANT, MONEY, QUANTITY, QUANTITY_LIMIT, VALUE_LIMIT
from schemas.gate import conform
from schemas.ledger import Events, Prices
from transforms.exact import decimal_text, part_of, to_money


def price_points(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Price rows as text to the price table.

    A row with a `date` stands for the whole of that UTC day; one with a `time` (with offset) holds from then on.

    Args:
        rows: file, row_no, date, time, asset, usd, source as text (null where the file has no such column).

    Returns:
        The price table, and the rows that could not be used with `why`; where two rows give one asset two prices at
        one instant, the row of the later file name wins and the other comes back with `why` too.
    """
    day = pl.col("date").str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    instant = pl.col("time").str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    usd = decimal_text(pl.col("usd"))
    read = rows.with_columns(
        asset=pl.col("asset").str.strip_chars(),
        priced_at=pl.coalesce(instant, day).cast(INSTANT),
        price=usd,
    )
    why = (
        pl.when(pl.col("asset").is_null() | (pl.col("asset") == "")).then(pl.lit("no asset"))
        .when(pl.col("priced_at").is_null()).then(pl.lit("neither a date (YYYY-MM-DD) nor a time with an offset"))
        .when(pl.col("price").is_null()).then(pl.lit("usd is no decimal number"))
        .when((pl.col("price") <= 0) | (pl.col("price") >= QUANTITY_LIMIT)).then(pl.lit("usd is out of range"))
    )  # fmt: skip
    judged = read.with_columns(why=why)
    good = judged.filter(pl.col("why").is_null()).sort("asset", "priced_at", "file", "row_no")
    last = pl.struct("file", "row_no") == pl.struct("file", "row_no").last().over("asset", "priced_at")
    same = pl.col("price") == pl.col("price").last().over("asset", "priced_at")
    clash = good.filter(~last & ~same).with_columns(why=pl.lit("another row gives this asset another price then"))
    table = good.filter(last).select(
        "asset",
        "priced_at",
        usd=pl.col("price"),
        source=pl.coalesce(pl.col("source"), pl.concat_str(pl.lit("file:"), pl.col("file"))),
    )
    rejected = pl.concat([judged.filter(pl.col("why").is_not_null()), clash])
    return conform(table, Prices), rejected.select("file", "row_no", "why").sort("file", "row_no")


RATE_AGE_DAYS = 5
"""A currency's rate counts so long at least: central banks publish none from Maundy Thursday to Easter Tuesday."""


def with_rates(table: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """The firm's prices, and the reference rates where the firm has no price of that currency at that instant."""
    rest = rates.join(table, on=["asset", "priced_at"], how="anti")
    return pl.concat([table, rest]).sort("asset", "priced_at")


def latest_price(
    frame: pl.DataFrame, asset: str, instant: str, prices: pl.DataFrame, max_age_days: int, prefix: str
) -> pl.DataFrame:
    """`frame` with `{prefix}_price`, `_priced_at`, `_price_source`, `_price_age_days` of its `asset` column.

    The last price at or before the instant; one older than `max_age_days` counts as missing (of a currency one older
    than that and than RATE_AGE_DAYS). USD is worth 1.
    """
    table = prices.select(
        pl.col("asset").alias("_asset"),
        pl.col("priced_at").alias(f"{prefix}_priced_at"),
        pl.col("usd").alias(f"{prefix}_price"),
        pl.col("source").alias(f"{prefix}_price_source"),
    ).sort(f"{prefix}_priced_at")
    keyed = frame.with_row_index("_order").with_columns(_asset=pl.col(asset)).sort(instant)
    joined = keyed.join_asof(
        table,
        left_on=instant,
        right_on=f"{prefix}_priced_at",
        by="_asset",
        strategy="backward",
        check_sortedness=False,
    )
    age = (pl.col(instant) - pl.col(f"{prefix}_priced_at")).dt.total_days()
    carried = max(max_age_days, RATE_AGE_DAYS)
    fresh = age <= pl.when(pl.col("_asset").is_in(FIAT)).then(carried).otherwise(max_age_days)
    columns = [f"{prefix}_priced_at", f"{prefix}_price", f"{prefix}_price_source"]
    joined = joined.with_columns(age.alias(f"{prefix}_price_age_days")).with_columns(
        pl.when(fresh).then(pl.col(name)).alias(name) for name in [*columns, f"{prefix}_price_age_days"]
    )
    is_usd = pl.col("_asset") == "USD"
    return (
        joined.with_columns(
            pl.when(is_usd).then(pl.lit(1).cast(QUANTITY)).otherwise(f"{prefix}_price").alias(f"{prefix}_price"),
            pl.when(is_usd).then(pl.lit("cash")).otherwise(f"{prefix}_price_source").alias(f"{prefix}_price_source"),
        )
        .sort("_order")
        .drop("_order", "_asset")
    )


def product(quantity: pl.Expr, price: pl.Expr) -> pl.Expr:
    """Quantity x price as money; null where the product is out of range (a decimal overflow would end the night)."""
    # Float64 only decides the range, the value itself is exact
    in_range = quantity.cast(pl.Float64) * price.cast(pl.Float64) < VALUE_LIMIT
    return to_money(pl.when(in_range).then(quantity) * price)


MAJORS = ("BTC", "ETH")
"""Coins with the deepest markets: the side of an exchange that is one of them is better known than most others."""


def value_events(
    events: pl.DataFrame, prices: pl.DataFrame, max_age_days: int, stablecoins: Collection[str] = ()
) -> pl.DataFrame:
    """Events with usd_value, fee_usd_value, price_source and price_age_days filled in where anything tells them.

    In this order: a USD leg, the value the file states, a leg in another currency by its rate (what was paid or got is
    the cost or the amount realized, IRC 1012, 1001), the price of what was received, of what was sent (Reg.
    1.1001-7(b)(4): fair value of what is received or, if that cannot be determined with reasonable accuracy, of what is
    given). What is received counts as determined less well where what is given is a better-known coin that has a price
    itself: a stablecoin before BTC and ETH, these before all others. A fee in the coin of a leg is valued like
    that leg, one in a currency by its rate. Parts of one fact with several assets on a side are scaled to the side
    that has one asset, if that has a value.
    """
    for role in ("received", "sent", "fee"):
        events = latest_price(events, f"{role}_asset", "occurred_at", prices, max_age_days, role)
    valued = events.with_columns(
        product(pl.col(f"{role}_quantity"), pl.col(f"{role}_price")).alias(f"{role}_value")
        for role in ("received", "sent", "fee")
    )
    ranked = [
        (pl.coalesce(_cash("received"), _cash("sent")), pl.lit("cash"), None),
        (pl.col("usd_value"), pl.lit("stated"), None),
        *((_currency(side), pl.col(f"{side}_price_source"), f"{side}_price_age_days") for side in ("received", "sent")),
        (pl.when(_better_given(stablecoins)).then("sent_value"), pl.col("sent_price_source"), "sent_price_age_days"),
        *(
            (pl.col(f"{side}_value"), pl.col(f"{side}_price_source"), f"{side}_price_age_days")
            for side in ("received", "sent")
        ),
    ]
    valued = valued.with_columns(
        usd_value=pl.coalesce(value for value, _, _ in ranked),
        price_source=pl.coalesce(pl.when(value.is_not_null()).then(source) for value, source, _ in ranked),
        price_age_days=_first_age(ranked),
    )
    scaled = _scale_baskets(valued)
    by_rate = pl.when(pl.col("fee_asset").is_in(FIAT)).then(pl.col("fee_value"))
    fee = pl.coalesce(by_rate, _like("received"), _like("sent"), pl.col("fee_usd_value"), pl.col("fee_value"))
    return conform(scaled.with_columns(fee_usd_value=fee), Events)


def _better_given(stablecoins: Collection[str]) -> pl.Expr:
    """Whether the coin that was given is of a better-known sort than the one that was received."""
    ranks = [
        pl.when(pl.col(f"{side}_asset").is_in(sorted(stablecoins))).then(0)
        .when(pl.col(f"{side}_asset").is_in(MAJORS)).then(1)
        .otherwise(2)
        for side in ("sent", "received")
    ]  # fmt: skip
    return pl.col("received_asset").is_not_null() & (ranks[0] < ranks[1])


def _first_age(ranked: list[tuple[pl.Expr, pl.Expr, str | None]]) -> pl.Expr:
    """The age of the price that decided; none where no price did."""
    age = pl.lit(None, pl.Int64)
    for value, _, column in reversed(ranked):
        age = pl.when(value.is_not_null()).then(pl.lit(None) if column is None else pl.col(column)).otherwise(age)
    return age


def _cash(role: str) -> pl.Expr:
    """The value of a USD leg, if that side is one."""
    return pl.when(pl.col(f"{role}_asset") == "USD").then(pl.col(f"{role}_value"))


def _currency(role: str) -> pl.Expr:
    """The value of a leg in government money, by its rate."""
    return pl.when(pl.col(f"{role}_asset").is_in(FIAT)).then(pl.col(f"{role}_value"))


def _like(role: str) -> pl.Expr:
    """The fee's value where it is paid in the coin of that side: the same price as the event's own."""
    same = (pl.col("fee_asset") == pl.col(f"{role}_asset")) & ~pl.col("fee_asset").is_in(FIAT)
    within = pl.col("fee_quantity") <= pl.col(f"{role}_quantity")  # a fee above the amount is asked by its own price
    value, fee, whole = (
        pl.when(same & within).then(name) for name in ("usd_value", "fee_quantity", f"{role}_quantity")
    )
    return part_of(value, fee, whole)


def _scale_baskets(events: pl.DataFrame) -> pl.DataFrame:
    """Scale the parts of a many-to-one exchange to the value of the single side; the largest takes the remainder."""
    sent = pl.col("sent_asset").is_not_null()
    received = pl.col("received_asset").is_not_null()
    part = (pl.col("event_id") != pl.col("fact_id")) & (sent ^ received)
    if events.select(part.any()).item() is not True:
        return events
    n_sent = (part & sent).sum().over("fact_id")
    n_received = (part & received).sum().over("fact_id")
    total_in = pl.col("usd_value").filter(part & received).sum().over("fact_id")
    total_out = pl.col("usd_value").filter(part & sent).sum().over("fact_id")
    all_known = (pl.col("usd_value").is_not_null() | ~part).all().over("fact_id")
    target = (
        pl.when((n_received == 1) & sent)
        .then(total_in)
        .when((n_sent == 1) & received & (n_received > 1))
        .then(total_out)
    )
    own_total = pl.when(sent).then(total_out).otherwise(total_in)
    scalable = part & all_known & target.is_not_null() & (own_total > 0)
    # null, not zero, where nothing is scaled: a division by zero anywhere in the column would end the night
    marked = events.with_columns(_target=pl.when(scalable).then(target), _total=pl.when(scalable).then(own_total))
    ratio = pl.col("usd_value").cast(QUANTITY) / pl.col("_total").cast(QUANTITY)
    scaled = marked.with_columns(_scaled=to_money(pl.col("_target").cast(QUANTITY) * ratio))
    side = pl.col("sent_asset").is_null()
    gap = (pl.col("_target") - pl.col("_scaled").sum().over("fact_id", side)).cast(MONEY)
    largest = pl.struct("_scaled", "event_id").rank("ordinal", descending=True).over("fact_id", side) == 1
    adjusted = pl.col("_scaled") + pl.when(largest).then(gap).otherwise(pl.lit(0).cast(MONEY))
    return scaled.with_columns(usd_value=pl.coalesce(adjusted.cast(MONEY), "usd_value")).drop(
        "_target", "_total", "_scaled"
    )
