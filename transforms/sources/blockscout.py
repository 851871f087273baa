"""Blockscout's own CSV layout, put into Etherscan's: normal, internal and token transfers. No API answer belongs here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import polars as pl

from transforms.sources import etherscan
from transforms.sources.base import Context, Parsed, Source, filled, find_header, reason
from transforms.sources.sides import has

_NORMAL = ("TxHash", "UnixTimestamp", "FromAddress", "ToAddress", "Type", "Value", "Fee", "Status", "ErrCode")
_INTERNAL = ("TxHash", "UnixTimestamp", "FromAddress", "ToAddress", "Type", "CallType", "Value", "ErrCode")
_TOKENS = (
    "TxHash",
    "UnixTimestamp",
    "FromAddress",
    "ToAddress",
    "TokenContractAddress",
    "TokenSymbol",
    "TokensTransferred",
)
_NATIVE = {
    "1": "ETH", "10": "ETH", "8453": "ETH", "42161": "ETH", "324": "ETH", "534352": "ETH", "59144": "ETH", "81457": "ETH",
    "7777777": "ETH", "100": "XDAI", "61": "ETC", "246": "EWT", "5000": "MNT", "42220": "CELO", "30": "RBTC", "40": "TLOS",
    "1284": "GLMR", "122": "FUSE", "288": "ETH", "1088": "METIS", "592": "ASTR", "1313161554": "ETH", "2000": "DOGE",
}  # fmt: skip
"""Coin in which a chain's fees are paid, by its number: the file does not name it."""
_NO_CHAIN = (
    "the file names neither its chain nor its coin: write the account's address in accounts.csv as eip155:<chain>:0x..., "
    "with the number of one of the chains "
)
_NO_UNIT = "the file does not say how many decimals the token has: download it again from a newer Blockscout"


def parse_native(rows: pl.DataFrame, context: Context, *, internal: bool) -> Parsed:
    """Legs of Etherscan's reading: values in wei to coins, on the side that the addresses tell."""
    found = etherscan.ADDRESS.match((context.address or "").strip().lower())
    coin = _NATIVE.get(found["chain"] or "") if found else None
    own = pl.lit(found["address"] if found else None, pl.String)
    value, zero = _units(pl.col("Value"), pl.lit(18)), pl.lit("0")
    if "Index" in rows.columns:  # the transaction's own call: its value stands in the normal list
        value = pl.when(pl.col("Index").str.strip_chars() == "0").then(zero).otherwise(value)
    at = {side: (pl.col(name).str.strip_chars().str.to_lowercase() == own).fill_null(value=False)
          for side, name in (("out", "FromAddress"), ("in", "ToAddress"))}  # fmt: skip
    unknown = _NO_CHAIN + ", ".join(sorted(_NATIVE, key=int))
    price = filled("TxDateClosingPrice") if "TxDateClosingPrice" in rows.columns else pl.lit("")
    created = filled("ContractAddress") if "ContractAddress" in rows.columns else pl.lit("")
    kind = (
        {"Type": filled("Type")}
        if internal
        else {"Method": filled("MethodName") if "MethodName" in rows.columns else pl.lit("")}
    )
    frame = rows.select(
        "row_no",
        unfit=pl.coalesce("unfit", pl.lit(None if coin else unknown, pl.String)),
        Txhash="TxHash",
        UnixTimestamp=_seconds(pl.col("UnixTimestamp")),
        From="FromAddress",
        ContractAddress=created,
        Status="Status" if "Status" in rows.columns else pl.lit(""),
        ErrCode="ErrCode",
        **{
            "TxTo" if internal else "To": pl.col("ToAddress"),
            f"Value_IN({coin or ''})": pl.when(at["in"]).then(value).otherwise(zero),
            f"Value_OUT({coin or ''})": pl.when(at["out"]).then(value).otherwise(zero),
            **({} if internal else {f"TxnFee({coin or ''})": _units(pl.col("Fee"), pl.lit(18))}),
            "Historical $Price/coin": price,
            **kind,
        },
    )  # fmt: skip
    return etherscan.native(frame, context, internal=internal)


def parse_tokens(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs in tokens: the amount by the decimals that newer files state; of files without them no amount is certain."""
    stated = filled("TokenDecimals") if "TokenDecimals" in rows.columns else pl.lit(None, pl.String)
    fits = stated.str.contains(r"^[0-9]{1,2}$").fill_null(value=False)
    decimals = pl.when(fits).then(stated).cast(pl.Int64)
    frame = rows.select(
        "row_no",
        unfit=pl.coalesce(
            "unfit",
            pl.when(stated.is_null()).then(pl.lit(_NO_UNIT)),
            reason(~fits, "TokenDecimals: found {}, expected a number of at most two digits", stated),
        ),
        Txhash="TxHash",
        UnixTimestamp=_seconds(pl.col("UnixTimestamp")),
        From="FromAddress",
        To="ToAddress",
        ContractAddress="TokenContractAddress",
        TokenSymbol="TokenSymbol",
        TokenValue=_units(pl.col("TokensTransferred"), decimals),
    )
    return etherscan.tokens(frame, context)


def _units(text: pl.Expr, decimals: pl.Expr) -> pl.Expr:
    """Whole base units as text of coins; what is no whole number stays as it is, with a sign that no number has."""
    text = text.str.strip_chars()
    whole = text.str.contains(r"^[0-9]{1,60}$") & decimals.is_not_null()
    digits = pl.when(whole).then(text.str.zfill(decimals + 1))
    ahead = digits.str.len_chars().cast(pl.Int64) - decimals
    point = pl.concat_str(digits.str.head(ahead), pl.lit("."), digits.str.tail(decimals)).str.strip_chars_end(".")
    return pl.when(whole).then(point).when(text != "").then(pl.concat_str(text, pl.lit(" base units"))).otherwise(text)


def _seconds(text: pl.Expr) -> pl.Expr:
    """Newer files write `2020-09-20 13:05:12.000000Z` under the name of a Unix time."""
    iso = text.str.strip_chars().str.replace(" ", "T", literal=True).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.fZ", strict=False, time_unit="us"
    )  # fmt: skip
    return pl.coalesce(iso.dt.epoch("s").cast(pl.String), text)


def _source(kind: str, needed: tuple[str, ...], parse: Callable[[pl.DataFrame, Context], Parsed]) -> Source:
    def fits(names: list[str]) -> bool:
        internal, tokens = "CallType" in names, "TokensTransferred" in names
        return has(names, needed) and (internal, tokens) == (kind == "internal", kind == "tokens")

    return Source(
        name=f"blockscout_{kind}", version="1", identify=lambda head: find_header(head, fits), parse=parse,
        family=etherscan.FAMILY, nets=True,
    )  # fmt: skip


NORMAL = _source("normal", _NORMAL, partial(parse_native, internal=False))
INTERNAL = _source("internal", _INTERNAL, partial(parse_native, internal=True))
TOKENS = _source("tokens", _TOKENS, parse_tokens)
