"""What exports of exchanges share: pairs without separator, sides of a trade, dates of any order. No one format."""

from __future__ import annotations

import polars as pl

from transforms.sources.base import Context, filled, local_time, utc_time

_QUOTES = (
    "FDUSD", "USDT", "USDC", "USDP", "USDS", "BUSD", "TUSD", "BIDR", "IDRT", "BVND", "BKRW", "DOGE", "USD1", "EURI",
    "PAX", "DAI", "UST", "VAI", "NGN", "EUR", "GBP", "AUD", "BRL", "RUB", "TRY", "UAH", "ZAR", "PLN", "RON", "ARS",
    "CZK", "JPY", "MXN", "COP", "USD", "BTC", "ETH", "BNB", "TRX", "XRP", "SOL", "DOT",
)  # fmt: skip
"""Quote assets of Binance's markets, the longer of two that end alike first."""
_EITHER = ("ANT", "APT", "ARB", "BAT", "BIT", "BNB", "BNT", "DGB", "DOT", "FTT", "GMT", "GRT", "HNT", "LIT", "LPT", "MNT", "ONT", "QNT", "RNB", "SHIB", "USDT")  # fmt: skip
"""Coins whose market in USD is written as another's in BUSD or TUSD: SHIBUSD, ARBUSD."""
_PAIR = rf"^([A-Z0-9]+?)({'|'.join(_QUOTES)})$"
_CLOCK = r"[ T]+(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)$"
_FULL = "%Y-%m-%d %H:%M:%S%.f"


def with_pair(frame: pl.DataFrame, pair: str, fee_asset: str | None = None) -> pl.DataFrame:
    """Add `base`, `quote` and `pair_fault` of a market written with a separator (-, _, /) or with none.

    Where a market without separator has two readings (SHIBUSD: SHIB in USD or SHI in BUSD), the asset of the fee tells,
    if it is a side of one of them; else the fault asks.
    """
    text = pl.col(pair).str.strip_chars().str.to_uppercase()
    parts = text.str.replace(r"^([^-_/]+)[-_/]([^-_/]+)$", "${1}/${2}").str.split_exact("/", 1)
    divided = text.str.contains(r"^[^-_/]+[-_/][^-_/]+$")
    base, quote = text.str.extract(_PAIR, 1), text.str.extract(_PAIR, 2)
    dollar = text.str.extract(r"^(.+)USD$", 1)
    fee = pl.col(fee_asset) if fee_asset else pl.lit(None, pl.String)
    unclear = quote.is_in(["BUSD", "TUSD"]) & dollar.is_in(_EITHER) & ~divided
    other = unclear & ((fee == dollar) | (fee == "USD"))
    asked = unclear & ~other & ~((fee == base) | (fee == quote)).fill_null(value=False)
    unknown = ~divided & base.is_null()
    return frame.with_columns(
        base=pl.when(divided).then(parts.struct[0]).when(other).then(dollar).otherwise(base),
        quote=pl.when(divided).then(parts.struct[1]).when(other).then(pl.lit("USD")).otherwise(quote),
        pair_fault=pl.when(unknown.fill_null(value=True))
        .then(pl.format("market: found {}, expected two assets, the second one that markets are quoted in", _shown(text)))
        .when(asked)
        .then(pl.format("market: {} has two readings, in USD and in BUSD or TUSD: write it with a hyphen", _shown(text))),
    )  # fmt: skip


def _shown(text: pl.Expr) -> pl.Expr:
    return pl.format("'{}'", text.str.replace_all(r"[^A-Z0-9/_-]", " ").str.slice(0, 30).fill_null(""))


def traded(buys: pl.Expr, amount: str = "amount", total: str = "total", fee: str = "fees") -> dict[str, pl.Expr]:
    """The sides of a trade of `amount` of `base` for `total` of `quote`; the fee, positive, is beside them."""
    base, quote = pl.col("base"), pl.col("quote")
    units, money = pl.col(amount), pl.col(total)
    given, taken = pl.col(f"{total}_rounded"), pl.col(f"{amount}_rounded")
    return {
        "sent_quantity": pl.when(buys).then(money).otherwise(units),
        "sent_asset": pl.when(buys).then(quote).otherwise(base),
        "received_quantity": pl.when(buys).then(units).otherwise(money),
        "received_asset": pl.when(buys).then(base).otherwise(quote),
        "fee_quantity": pl.col(fee),
        "sent_rounded": pl.when(buys).then(given).otherwise(taken),
        "received_rounded": pl.when(buys).then(taken).otherwise(given),
        "fee_rounded": pl.col(f"{fee}_rounded"),
    }


def side_fault(side: pl.Expr, name: str) -> pl.Expr:
    """A side that is neither buy nor sell, in whatever letters."""
    known = side.str.to_lowercase().is_in(["buy", "sell"]).fill_null(value=False)
    shown = side.str.replace_all(r"\p{C}+", " ").str.slice(0, 60).fill_null("")
    return pl.when(~known).then(pl.format("{}: found '{}', expected buy or sell", pl.lit(name), shown))


def amount_faults(*names: str) -> list[pl.Expr]:
    """What is wrong with numbers of a trade: unreadable, none, or not above zero."""
    found = [pl.col(f"{name}_fault") for name in names]
    none = [
        pl.when(pl.col(name).fill_null(0) <= 0).then(pl.lit(f"{name}: found none, expected a number above zero"))
        for name in names
    ]
    return [*found, *none]


def fee_faults(fee: str, asset: str) -> list[pl.Expr]:
    """A fee that is unreadable, negative, or of no asset."""
    value = pl.col(fee)
    return [
        pl.col(f"{fee}_fault"),
        pl.when(value < 0).then(pl.lit("fee: found a negative one, expected none or a positive one")),
        pl.when((value > 0) & pl.col(asset).is_null()).then(pl.lit("fee: found no asset beside it")),
    ]


def european(text: pl.Expr) -> pl.Expr:
    """A number with a decimal comma as one with a point; one with a point, or several commas, stays."""
    return pl.when(text.str.contains(r"^\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?\s*$")).then(text.str.replace(",", ".")).otherwise(text)  # fmt: skip


def iso_dates(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Add `stamp`, the column's dates as `YYYY-MM-DD HH:MM:SS`, and `date_fault`.

    Dates with points are day, month, year. Of others that begin with neither a year the file's order is that of its
    first number above 12; where it has none only a day that equals its month can be read.
    """
    text = pl.col(column).str.strip_chars()
    short = r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})"
    one, two = text.str.extract(short + _CLOCK, 1), text.str.extract(short + _CLOCK, 2)
    pointed = text.str.contains(r"^\d{1,2}\.")
    first, second = one.cast(pl.Int8, strict=False), two.cast(pl.Int8, strict=False)
    settled = frame.select(
        day=((first > 12) & (second <= 12) & ~pointed).any(), month=((second > 12) & (first <= 12) & ~pointed).any()
    ).row(0)
    day_first = pointed | pl.lit(settled == (True, False))
    known = pointed | pl.lit(settled in {(True, False), (False, True)}) | (first == second)
    year = text.str.extract(short + _CLOCK, 3)
    clock = text.str.extract(short + _CLOCK, 4)
    day, month = pl.when(day_first).then(one).otherwise(two), pl.when(day_first).then(two).otherwise(one)
    full = pl.when(year.str.len_chars() == 2).then(pl.format("20{}", year)).otherwise(year)
    second_less = clock.str.contains(r"^\d{1,2}:\d{2}$")
    when = pl.when(second_less).then(pl.format("{}:00", clock)).otherwise(clock)
    built = pl.format("{}-{}-{} {}", full, month.str.zfill(2), day.str.zfill(2), when.str.replace(r"^(\d):", "0${1}:"))
    return frame.with_columns(
        stamp=pl.when(one.is_null()).then(text.str.replace(r"^(\d{4}-\d{2}-\d{2})T", "${1} ")).when(known).then(built),
        date_fault=pl.when(one.is_not_null() & ~known).then(
            pl.format(
                "time: '{}' may be day-month or month-day, and no other row of the file tells: export a longer period, or write the days as YYYY-MM-DD",
                text.str.slice(0, 20),
            )
        ),
    )  # fmt: skip


def clocked(frame: pl.DataFrame, column: str, offset: str | None, context: Context) -> pl.DataFrame:
    """Add `occurred_at` and `time_text` of a column whose header names its offset (`+02:00`, "" is UTC).

    Without one (None) the times are on the account's clock.
    """
    frame = iso_dates(frame, column)
    if offset is None:
        at = local_time(pl.col("stamp"), context.time_zone, _FULL)
    else:
        at = utc_time(pl.col("stamp"), _FULL) - pl.duration(minutes=_minutes(offset))
    return frame.with_columns(occurred_at=at, time_text=pl.col(column))


def _minutes(offset: str) -> int:
    if not offset:
        return 0
    hours, _, minutes = offset[1:].partition(":")
    return (-1 if offset[0] == "-" else 1) * (60 * int(hours) + int(minutes or 0))


def chained(frame: pl.DataFrame, chain: str, moved: str) -> pl.DataFrame:
    """Take the moves inside the account, which are no legs, out of the running balances of each `chain`.

    `stated` keeps the balance as the file has it, which unlike the other is the same in every export of the row. `moved` is the signed change of a row, `balance` and `balance_fault` its balance after it, `ignore` why it is no leg.
    """
    times = frame["occurred_at"].drop_nulls()
    backwards = len(times) > 1 and times[0] > times[-1]
    change = pl.col(moved).fill_null(0)
    inside = pl.when(pl.col("ignore").is_not_null() & (change.abs() < 10**15)).then(change).otherwise(0)
    gone = inside.cum_sum(reverse=backwards).over(chain)
    sound = pl.when(pl.col("balance_fault").is_null()).then(pl.col("balance") - gone)
    return frame.with_columns(stated="balance", balance=sound)


def columns(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    """The frame with those of the named columns that it lacks, blank."""
    return frame.with_columns(pl.lit("").alias(name) for name in names if name not in frame.columns)


def ticker(name: str) -> pl.Expr:
    """A column of tickers in capitals, null where blank."""
    return filled(name).str.to_uppercase()
