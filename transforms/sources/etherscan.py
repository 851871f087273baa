"""CSV exports of the Etherscan family: normal, internal, ERC-20 and NFT transfers. No answer of an API belongs here."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import polars as pl

from transforms.ids import content_id
from transforms.sources.base import (
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    quoted,
    reason,
    usd,
    with_numbers,
    worth,
)
from transforms.text import UNSEEN, UNSEEN_MARK

ADDRESS = re.compile(r"^(?:eip155:(?P<chain>\d{1,12}):)?(?P<address>0x[0-9a-f]{40})$")
_HEX_40, _HEX_64 = r"^0x[0-9a-f]{40}$", r"^0x[0-9a-f]{64}$"
FAMILY = "etherscan"

# Names without the native symbol and the price of the download day, which stand inside them.
_NORMAL = {"hash", "unixtimestamp", "from", "to", "value_in", "value_out", "txnfee"}
_INTERNAL = {"hash", "unixtimestamp", "from", "txto", "parenttxfrom", "value_in", "value_out"}
_ERC20 = {"hash", "unixtimestamp", "from", "to", "tokenvalue", "contractaddress", "tokensymbol"}
_NFT = {"hash", "unixtimestamp", "from", "to", "tokenid", "contractaddress", "tokensymbol"}
_STANDARDS = {"erc721": "erc721", "erc-721": "erc721", "721": "erc721", "erc1155": "erc1155", "erc-1155": "erc1155", "1155": "erc1155"}  # fmt: skip
_LISTS = {"tokenid", "tokenvalue"}
"""What tells a list of NFTs from one of tokens: a header with both is neither."""
_WIDEST = 40


def _plain(name: str) -> str:
    """`Value_IN(ETH)` is value_in, `Historical $Price/Eth` price, `Transaction Hash` hash."""
    text = name.strip().lower()
    text = re.sub(r"^(?:txn?hash|transaction hash)$", "hash", text)
    text = {"token id": "tokenid", "value": "tokenvalue"}.get(text, text)
    text = re.sub(r"^historical \$price/.*$", "price", text)
    return re.sub(r"^(value_in|value_out|txnfee)\((?!usd\)).*\)$", r"\1", text)


def _identify(needed: set[str], head: list[list[str]]) -> int | None:
    def fits(names: list[str]) -> bool:
        if len(names) > _WIDEST:
            return False
        plain = {_plain(name) for name in names}
        return needed <= plain and not (plain & _LISTS) - needed

    return find_header(head, fits)


def _read(rows: pl.DataFrame, context: Context) -> tuple[pl.DataFrame, str]:
    """Rows under plain names, with whose side the account is on, and the native coin's symbol ('' if none is named)."""
    native = next(
        (
            found[1].upper()
            for name in rows.columns
            if (found := re.match(r"Value_IN\((\w{1,12})\)$", name.strip(), re.IGNORECASE))
        ),
        "",
    )
    found = ADDRESS.match((context.address or "").strip().lower())
    address = found["address"] if found else None
    names = {name: _plain(name) for name in rows.columns if name not in {"row_no", "unfit"}}
    rows = rows.rename(names if len(set(names.values())) == len(names) else {})
    to = "txto" if "txto" in rows.columns else "to"
    optional = [
        pl.lit("").alias(name)
        for name in ("status", "errcode", "price", "contractaddress", "datetime (utc)")
        if name not in rows.columns
    ]
    rows = rows.with_columns(optional).with_columns(
        hash=filled("hash").str.to_lowercase(),
        sender=filled("from").str.to_lowercase(),
        receiver=pl.coalesce(filled(to), filled("contractaddress")).str.to_lowercase(),
        contract=filled("contractaddress").str.to_lowercase(),
        failed=pl.col("status").str.contains(r"(?i)^(error|fail|1$)") | (pl.col("errcode").str.strip_chars() != ""),
        time_text=pl.col("unixtimestamp"),
        time_expected=pl.lit("seconds since 1970"),
        occurred_at=_instant(pl.col("unixtimestamp").str.strip_chars()),
    )  # fmt: skip
    own = pl.lit(address, pl.String)
    rows = rows.with_columns(
        out=(pl.col("sender") == own).fill_null(value=False),
        into=(pl.col("receiver") == own).fill_null(value=False),
        tx_id="hash",
        group_key="hash",
        chain=pl.lit(found["chain"] if found else None, pl.String),
    )  # fmt: skip
    return rows.with_columns(reject=_not_own(address)), native


def _instant(seconds: pl.Expr) -> pl.Expr:
    whole = pl.when(seconds.str.contains(r"^[0-9]{1,11}$")).then(seconds).cast(pl.Int64)
    return pl.from_epoch(whole, time_unit="s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _not_own(address: str | None) -> pl.Expr:
    if address is None:
        return pl.lit("whose side this is cannot be told: give the account's address in accounts.csv")
    broken = ~pl.col("hash").fill_null("").str.contains(_HEX_64)
    return pl.coalesce(
        reason(broken, "transaction hash: found {}, expected 0x and 64 hex digits", pl.col("hash")),
        pl.when(~pl.col("out") & ~pl.col("into")).then(
            pl.lit("neither side is the account's address: is this another address's export?")
        ),
    )


def native(rows: pl.DataFrame, context: Context, *, internal: bool) -> Parsed:
    """Legs in the native coin: the value moved and, of a normal transaction that the account sent, the fee."""
    frame, symbol = _read(rows, context)
    if internal:
        frame = frame.with_columns(txnfee=pl.lit(""))
    frame = frame.with_columns(price=pl.when(pl.col("price").str.contains(r"\d")).then("price"))  # N/A is no price
    frame = with_numbers(frame, value_in="value_in", value_out="value_out", txnfee="txnfee", price="price")
    out, into, stays = pl.col("out"), pl.col("into"), pl.col("failed") | (pl.col("out") & pl.col("into"))
    moved = pl.col("value_in").fill_null(0) + pl.col("value_out").fill_null(0)
    key = ("hash", "sender", "receiver", "value_in", "value_out")
    frame = frame.with_columns(
        row_key=pl.format("internal:{}", content_id("", *key)) if internal else pl.format("id:{}", "hash"),
        sent_quantity=pl.when(out & ~stays).then("value_out"),
        received_quantity=pl.when(into & ~stays).then("value_in"),
        fee_quantity=pl.when(out).then("txnfee"),
        reject=pl.coalesce("reject", "value_in_fault", "value_out_fault", "txnfee_fault", _wrong_side()),
        note=filled("method" if "method" in frame.columns else "type") if {"method", "type"} & set(frame.columns) else None,
    )  # fmt: skip
    frame = frame.with_columns(ignore=pl.when(pl.col("reject").is_null()).then(_nothing(moved)))
    return finish(_in_coin(frame, symbol), context, FAMILY)


def _wrong_side() -> pl.Expr:
    away = (pl.col("value_out") > 0) & ~pl.col("out")
    here = (pl.col("value_in") > 0) & ~pl.col("into")
    return pl.when(away | here).then(pl.lit("the value goes the other way than From and To say"))


def _nothing(moved: pl.Expr) -> pl.Expr:
    pays = pl.col("out") & (pl.col("txnfee").fill_null(0) > 0)
    return (
        pl.when(pays)
        .then(None)
        .when(pl.col("failed"))
        .then(pl.lit("a failed transaction: nothing moved, and another address paid its fee"))
        .when(pl.col("out") & pl.col("into"))
        .then(pl.lit("sent by the account to itself"))
        .when(moved == 0)
        .then(pl.lit("no value moved"))
    )


def _in_coin(frame: pl.DataFrame, symbol: str) -> pl.DataFrame:
    """Asset and value of each side; the value by the price of the day, where the export has it.

    TxnFee(USD) and CurrentValue are at the price of the download day and are not read.
    """
    sides = ("sent", "received", "fee")
    return frame.with_columns(
        **{f"{side}_asset": pl.lit(symbol) for side in sides},
        **{f"{side}_usd": worth(pl.col(f"{side}_quantity"), pl.col("price")) for side in sides},
        sent_rounded="value_out_rounded",
        received_rounded="value_in_rounded",
        fee_rounded="txnfee_rounded",
    )


def tokens(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs in ERC-20 tokens, by contract: symbols are free text and are kept only as a note.

    The chain is that of the account's address where it is written `eip155:<chain>:0x...`, else Ethereum.
    """
    frame, _ = _read(rows, context)
    if "usdvaluedayoftx" not in frame.columns:
        frame = frame.with_columns(usdvaluedayoftx=pl.lit(""))
    frame = frame.with_columns(
        usdvaluedayoftx=pl.when(pl.col("usdvaluedayoftx").str.contains(r"\d")).then("usdvaluedayoftx")
    )
    frame = with_numbers(frame, value="tokenvalue", worth="usdvaluedayoftx")
    itself = pl.col("out") & pl.col("into")
    asset = pl.format("eip155:{}/erc20:{}", pl.col("chain").fill_null("1"), "contract")
    broken = ~pl.col("contract").fill_null("").str.contains(_HEX_40)
    contract = reason(broken, "ContractAddress: found {}, expected 0x and 40 hex digits", pl.col("contract"))
    sides = {"sent": pl.col("out") & ~itself, "received": pl.col("into") & ~itself}
    frame = frame.with_columns(
        row_key=pl.format("erc20:{}", content_id("", "hash", "sender", "receiver", "contract", "value")),
        reject=pl.coalesce("reject", "value_fault", contract, _no_value(pl.col("value"))),
        note=_called(frame),
        **{f"{side}_quantity": pl.when(moved).then("value") for side, moved in sides.items()},
        **{f"{side}_asset": asset for side in sides},
        **{f"{side}_raw": pl.col("contract") for side in sides},
        **{f"{side}_usd": usd(pl.col("worth")) for side in sides},
        **{f"{side}_rounded": pl.col("value_rounded") for side in sides},
    )
    zero = pl.when(pl.col("value") == 0).then(pl.lit("no value moved"))
    kept = pl.when(itself).then(pl.lit("sent by the account to itself"))
    frame = frame.with_columns(ignore=pl.when(pl.col("reject").is_null()).then(pl.coalesce(zero, kept)))
    return finish(frame, context, FAMILY)


def _collectibles(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs in NFTs, each an asset of its own: the CAIP-19 id of its token, by contract and number.

    Lists of before the columns Type and Quantity hold ERC-721 transfers only, one token a row.
    """
    frame, _ = _read(rows, context)
    absent = {"type": "ERC-721", "quantity": "1"}
    frame = frame.with_columns(pl.lit(text).alias(name) for name, text in absent.items() if name not in frame.columns)
    standard = (
        pl.col("type")
        .str.strip_chars()
        .str.to_lowercase()
        .replace_strict(_STANDARDS, default=None, return_dtype=pl.String)
    )
    number = pl.col("tokenid").str.strip_chars().str.strip_prefix("#")
    frame = with_numbers(frame, value="quantity").with_columns(number=number, standard=standard)
    itself = pl.col("out") & pl.col("into")
    place = pl.format("eip155:{}/", pl.col("chain").fill_null("1"))
    asset = pl.concat_str(place, "standard", pl.lit(":"), "contract", pl.lit("/"), "number")
    sides = {"sent": pl.col("out") & ~itself, "received": pl.col("into") & ~itself}
    frame = frame.with_columns(
        row_key=pl.format("nft:{}", content_id("", "hash", "sender", "receiver", "contract", "number", "value")),
        reject=pl.coalesce(
            "reject",
            "value_fault",
            reason(~pl.col("contract").fill_null("").str.contains(_HEX_40), "ContractAddress: found {}, expected 0x and 40 hex digits", pl.col("contract")),
            reason(~number.str.contains(r"^[0-9]{1,78}$").fill_null(value=False), "Token ID: found {}, expected a number", pl.col("tokenid")),
            reason(standard.is_null(), "Type: found {}, expected ERC-721 or ERC-1155", pl.col("type")),
            pl.when(pl.col("value").is_null()).then(pl.lit("Quantity: found none")),
        ),
        note=quoted(pl.col("tokensymbol")).str.strip_chars("'"),
        **{f"{side}_quantity": pl.when(moved).then("value") for side, moved in sides.items()},
        **{f"{side}_asset": asset for side in sides},
        **{f"{side}_raw": pl.concat_str("contract", pl.lit("/"), "number") for side in sides},
        **{f"{side}_rounded": pl.col("value_rounded") for side in sides},
    )  # fmt: skip
    kept = pl.when(itself).then(pl.lit("sent by the account to itself"))
    zero = pl.when(pl.col("value") == 0).then(pl.lit("no value moved"))
    frame = frame.with_columns(ignore=pl.when(pl.col("reject").is_null()).then(pl.coalesce(zero, kept)))
    return finish(frame, context, FAMILY)


def _called(frame: pl.DataFrame) -> pl.Expr:
    """The token's symbol and its name where that is another, with a mark for each character that is not seen."""
    symbol, name = (
        quoted(pl.col(text).str.replace_all(UNSEEN, UNSEEN_MARK)).str.strip_chars("'")
        if text in frame.columns
        else pl.lit("")
        for text in ("tokensymbol", "tokenname")
    )
    return pl.when((name == "") | (name == symbol)).then(symbol).otherwise(pl.format("{} ({})", symbol, name))


def _no_value(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_null()).then(pl.lit("TokenValue: found none"))


def _source(kind: str, needed: set[str], parse: Callable[[pl.DataFrame, Context], Parsed]) -> Source:
    return Source(
        name=f"etherscan_{kind}", version="4", identify=partial(_identify, needed), parse=parse, family=FAMILY, nets=True
    )  # fmt: skip


NORMAL = _source("normal", _NORMAL, partial(native, internal=False))
INTERNAL = _source("internal", _INTERNAL, partial(native, internal=True))
ERC20 = _source("erc20", _ERC20, tokens)
NFT = _source("nft", _NFT, _collectibles)
