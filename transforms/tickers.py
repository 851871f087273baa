"""Tickers: what a platform calls an asset where that differs from its common ticker. What assets there are does not belong.

Only names are here. Where a platform exchanged one token for another (MATIC for POL, EOS for A, LEND for AAVE) these
stay two assets: the exchange is an event of its own (kind migration or trade).
"""

from __future__ import annotations

import datetime as dt

import polars as pl

_BY_PLATFORM: dict[str, dict[str, str]] = {
    "binance": {
        "BCC": "BCH", "BCHABC": "BCH", "BCHSV": "BSV", "YOYO": "YOYOW",
    },
    "bitfinex": {
        "UST": "USDT", "UDC": "USDC", "TSD": "TUSD", "EUT": "EURT", "DSH": "DASH", "IOT": "IOTA", "QTM": "QTUM",
        "ALG": "ALGO", "ATO": "ATOM", "DAT": "DATA", "MNA": "MANA", "STJ": "STORJ", "YYW": "YOYOW",
        "BCHABC": "BCH", "BCHN": "BCH",
        "LUNA2": "LUNA", "TERRAUST": "USTC", "WBT": "WBTC",
    },
    "bitmex": {"XBT": "BTC"},
    "bittrex": {"BCC": "BCH", "ANS": "NEO", "BCHSV": "BSV"},
    "coinbase": {"CGLD": "CELO"},
    "kraken": {"XBT": "BTC", "XXBT": "BTC", "XDG": "DOGE", "XXDG": "DOGE", "LUNA": "LUNC", "LUNA2": "LUNA", "UST": "USTC"},
    "kucoin": {"BCHSV": "BSV", "BCHABC": "BCH", "XBT": "BTC", "WAX": "WAXP"},
    "okx": {"BCHSV": "BSV", "BCHABC": "BCH"},
    "poloniex": {"STR": "XLM", "BCHABC": "BCH", "BCHSV": "BSV", "XBT": "BTC"},
}  # fmt: skip
"""What the platforms' own API documents say of their codes; a platform's name is that of accounts.csv or of its files."""

_EVERYWHERE = {
    "XBT": "BTC", "XDG": "DOGE", "MIOTA": "IOTA", "DRK": "DASH", "XRB": "XNO", "NANO": "XNO", "BCHABC": "BCH", "BCHSV": "BSV",
    "CGLD": "CELO",
}  # fmt: skip
"""Older or other names of the same coin, on whatever platform (a wallet, an aggregator, the universal format)."""

_RENAMED = (
    ("LUNA", "LUNC", dt.datetime(2022, 5, 28, tzinfo=dt.UTC)),
    ("UST", "USTC", dt.datetime(2022, 5, 28, tzinfo=dt.UTC)),
)
"""Tickers that another coin took over: until then the ticker was that of what is called otherwise since."""


def common(legs: pl.DataFrame, platforms: pl.DataFrame, firm_assets: pl.DataFrame) -> pl.DataFrame:
    """The legs with `asset` by its common ticker, where the platform or the day makes it another.

    The platform is that of the file's format and, for formats that say none, that of the account.

    Args:
        legs: account_id, source, occurred_at, asset.
        platforms: account_id, platform.
        firm_assets: asset: the firm's own names, which stay as they are.
    """
    rows = [(platform, name, asset) for platform, names in _BY_PLATFORM.items() for name, asset in names.items()]
    table = pl.DataFrame(rows, schema=["_platform", "_ticker", "_by_platform"], orient="row")
    own = platforms.select(
        "account_id", _account_platform=pl.col("platform").str.to_lowercase().str.extract(r"^\s*([a-z]+)")
    )
    format_ = pl.col("source").str.extract(r"^([a-z]+)")
    known = legs.join(own.unique("account_id"), on="account_id", how="left", maintain_order="left").with_columns(
        _ticker=pl.col("asset").str.strip_chars().str.to_uppercase(),
        _platform=pl.when(format_.is_in([*_BY_PLATFORM])).then(format_).otherwise("_account_platform"),
    )
    named = known.join(table, on=["_platform", "_ticker"], how="left", maintain_order="left")
    ticker, at = pl.col("_ticker"), pl.col("occurred_at")
    renamed = [pl.when((ticker == old) & (at < until)).then(pl.lit(then)) for old, then, until in _RENAMED]
    everywhere = ticker.replace_strict(_EVERYWHERE, default=None, return_dtype=pl.String)
    asset = pl.coalesce("_by_platform", *renamed, everywhere, "asset")
    own_name = ticker.is_in(firm_assets["asset"].str.to_uppercase().unique().implode())
    return named.with_columns(asset=pl.when(own_name).then("asset").otherwise(asset)).select(legs.columns)
