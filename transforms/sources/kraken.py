"""Kraken's ledgers.csv, trades.csv (the same trades again) and its asset codes. Its futures do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.sources.base import (
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    one_of,
    reason,
    usd,
    utc_time,
    with_numbers,
)
from transforms.sources.exchange import traded

_NEEDED = {"txid", "refid", "time", "type", "aclass", "asset", "amount", "fee", "balance"}

_CODES = {
    "XXBT": "BTC", "XBT": "BTC", "XXDG": "DOGE", "XDG": "DOGE", "XETH": "ETH", "ETH2": "ETH", "XETC": "ETC",
    "XLTC": "LTC", "XMLN": "MLN", "XREP": "REP", "XXLM": "XLM", "XXMR": "XMR", "XXRP": "XRP", "XZEC": "ZEC",
    "XICN": "ICN", "XDAO": "DAO", "XNMC": "NMC", "XXVN": "XVN", "FLOWH": "FLOW", "FEE": "KFEE",
    "ZUSD": "USD", "ZEUR": "EUR", "ZGBP": "GBP", "ZCAD": "CAD", "ZJPY": "JPY", "ZAUD": "AUD", "ZKRW": "KRW",
}  # fmt: skip

_TRADES = ("trade", "spend", "receive", "delistingconversion", "conversion")
_INCOME = {"staking": "staking", "dividend": "reward", "invite bonus": "reward", "reward": "reward"}
_APART = ("margin", "rollover", "settled")
_EARN_MOVES = ("allocation", "deallocation", "autoallocation", "autoallocate", "migration")
_TYPES = (*_TRADES, *_INCOME, *_APART, "deposit", "withdrawal", "earn", "transfer")
_INTERNAL = r"^(spot|staking|futures|parachain|margin)(to|from)(spot|staking|futures|parachain|margin)$"

_TRADE_FILE = {
    "txid",
    "ordertxid",
    "pair",
    "time",
    "type",
    "ordertype",
    "price",
    "cost",
    "fee",
    "vol",
    "margin",
    "misc",
}
_OLD_QUOTES = "ZUSD|ZEUR|ZGBP|ZCAD|ZJPY|ZAUD|ZKRW|XXBT|XETH"
_QUOTES = (
    "PYUSD", "RLUSD", "USDT", "USDC", "USDG", "USDQ", "USDR", "USDD", "EURT", "EURQ", "EURR", "EURC", "TBTC", "WBTC",
    "USD", "EUR", "GBP", "CAD", "JPY", "AUD", "CHF", "AED", "XBT", "BTC", "ETH", "DAI", "DOT",
)  # fmt: skip
"""Longer ones first: `XBTPYUSD` is in PYUSD."""
_PAIR = rf"^(?:(?<old>[XZ][A-Z0-9]{{3}}|USDT)(?<oldquote>{_OLD_QUOTES})|(?<base>[A-Z0-9.]{{2,}}?)/?(?<quote>{'|'.join(_QUOTES)})|(?<letter>[A-Z])/?(?<its>USD|EUR|GBP|XBT|BTC|ETH|USDT|USDC))$"


def identify(head: list[list[str]]) -> int | None:
    """The row with the columns of a ledger (`ordertxid` would make it trades.csv)."""
    return find_header(head, lambda names: set(names) >= _NEEDED)


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Kraken's ledger: amounts signed, the fee beside the amount and in the same asset.

    Rows of one trade share `refid`. A booked row has a txid; a row without one announces it. The balance of a leg is
    the ledger's less the moves between Kraken's own wallets, which are no legs, so that legs and balances chain.
    """
    for optional in ("subtype", "wallet", "amountusd"):
        if optional not in rows.columns:
            rows = rows.with_columns(pl.lit("").alias(optional))
    frame = with_numbers(rows, amount="amount", fees="fee", balance="balance", worth="amountusd").with_columns(
        what=pl.col("type").str.strip_chars().str.to_lowercase(),
        how=pl.col("subtype").str.strip_chars().str.to_lowercase(),
        code=filled("asset"),
        asset=_asset(filled("asset")),
        row_key=pl.format("id:{}", filled("txid")),
        ref=filled("refid"),
        time_text=pl.col("time"),
        occurred_at=utc_time(pl.col("time").str.strip_chars(), "%Y-%m-%d %H:%M:%S%.f"),
    )
    frame = frame.with_columns(ignore=_ignored()).pipe(_chain)
    amount = pl.col("amount")
    grouped = pl.col("what").is_in(_TRADES)
    frame = frame.with_columns(
        raw=pl.format("{} {}", "code", filled("wallet").fill_null("")).str.strip_chars(),
        kind=_kind(),
        # also of a move, half of which would be a receipt; the many rows of a margin position are each their own
        fact=pl.when(~pl.col("what").is_in(_APART).fill_null(value=False)).then("ref"),
        group_key=pl.when(grouped).then("ref"),
        reject=_fault(),
    ).with_columns(
        sent_quantity=pl.when(amount < 0).then(-amount),
        received_quantity=pl.when(amount > 0).then(amount),
        fee_quantity=pl.col("fees"),
        **{f"{side}_asset": pl.col("asset") for side in ("sent", "received", "fee")},
        **{f"{side}_raw": pl.col("raw") for side in ("sent", "received", "fee")},
        **{f"{side}_usd": usd(pl.col("worth").abs()) for side in ("sent", "received")},
        sent_rounded="amount_rounded",
        received_rounded="amount_rounded",
        fee_rounded="fees_rounded",
    )
    return finish(frame, context, SOURCE.family)


def _asset(code: pl.Expr) -> pl.Expr:
    """The ticker of a Kraken code: without its staking suffix and bonding days, without the old X and Z.

    ETH2 is ETH: Kraken exchanges the two one for one, and its staking moves are no disposals here.
    """
    bare = code.str.to_uppercase().str.replace(r"^([A-Z0-9]*?[A-Z])\d{2}\.S$", "${1}")
    bare = bare.str.replace(r"\.(S|M|F|B|P|T|HOLD)$", "")
    return bare.replace(_CODES)


def _ignored() -> pl.Expr:
    what, how, amount = pl.col("what"), pl.col("how"), pl.col("amount")
    moved = what.is_in(["transfer", "earn"])
    return (
        pl.when(pl.col("row_key").is_null())
        .then(pl.lit("a pending row: the booked one has a txid"))
        .when(pl.col("asset") == "KFEE")
        .then(pl.lit("fee credits (KFEE) are no asset"))
        .when((what == "transfer") & how.str.contains(_INTERNAL))
        .then(pl.lit("a move between Kraken's own wallets"))
        .when((what == "earn") & how.is_in(_EARN_MOVES))
        .then(pl.lit("a move between Kraken's own wallets"))
        .when(moved & (how == "") & _nets_to_zero())
        .then(pl.lit("a move between Kraken's own wallets: two rows of one refid that cancel out"))
        .when((amount == 0) & (pl.col("fees").fill_null(0) == 0))
        .then(pl.lit("nothing moved"))
    )


def _nets_to_zero() -> pl.Expr:
    small = pl.when(pl.col("amount_fault").is_null()).then(pl.col("amount"))
    pair = ["ref", "asset", "what"]
    return (small.sum().over(pair) == 0) & (pl.len().over(pair) == 2)


def _chain(frame: pl.DataFrame) -> pl.DataFrame:
    """Take the moves that are no legs out of the running balances (of each code and wallet, oldest row first)."""
    newest_first = frame["occurred_at"].drop_nulls()
    backwards = len(newest_first) > 1 and newest_first[0] > newest_first[-1]
    moved = (pl.col("amount") - pl.col("fees").fill_null(0)).fill_null(0)
    usable = pl.col("ignore").is_not_null() & pl.col("row_key").is_not_null() & (moved.abs() < 10**15)
    inside = pl.when(usable).then(moved).otherwise(0).cum_sum(reverse=backwards).over("code", "wallet")
    return frame.with_columns(balance=pl.when(pl.col("balance_fault").is_null()).then(pl.col("balance") - inside))


def _kind() -> pl.Expr:
    what, how, amount = pl.col("what"), pl.col("how"), pl.col("amount")
    return (
        pl.when(what.is_in(["deposit", "withdrawal"]))
        .then(pl.when(amount < 0).then(pl.lit("withdrawal")).otherwise(pl.lit("deposit")))
        .when(what.is_in(list(_INCOME)))
        .then(what.replace(_INCOME))
        .when((what == "transfer") | ((what == "earn") & (how == "airdrop")))
        .then(pl.lit("airdrop"))
        .when(what == "earn")
        .then(pl.lit("staking"))
        .when((what == "rollover") | ((what == "margin") & (amount == 0)))
        .then(pl.lit("margin_interest"))
        .when(what.is_in(_APART))
        .then(pl.when(amount > 0).then(pl.lit("derivative_gain")).otherwise(pl.lit("derivative_loss")))
    )


def _fault() -> pl.Expr:
    what, how, amount = pl.col("what"), pl.col("how"), pl.col("amount")
    receipt = what.is_in([*_INCOME, "earn", "transfer"])
    moved, earned = (what == "transfer") & ~how.is_in(["", "airdrop"]), what == "earn"
    earned &= ~how.is_in(["", "airdrop", "reward", "bonus"])
    return pl.coalesce(
        pl.when(what == "adjustment").then(
            pl.lit("an adjustment by Kraken: enter what it was in the universal format")
        ),
        reason(~what.is_in(_TYPES), f"unknown type {{}}: expected one of {one_of(_TYPES)}", pl.col("type")),
        reason(moved, "unknown subtype {} of transfer: expected airdrop, none, or a move as spottostaking", how),
        reason(earned, f"unknown subtype {{}} of earn: expected reward, airdrop, {one_of(_EARN_MOVES)}", how),
        *(f"{name}_fault" for name in ("amount", "fees", "balance")),
        pl.when(amount.is_null()).then(pl.lit("amount: found none")),
        pl.when(pl.col("fees") < 0).then(pl.lit("fee: found a negative one, expected none or a positive one")),
        reason(receipt & (amount < 0), "a receipt, {}, takes units away: found a negative amount", what),
        pl.when(what.is_in(_TRADES) & pl.col("ref").is_null()).then(pl.lit("refid: found none on a trade")),
    )


def parse_trades(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of trades.csv: the volume, its cost in the quote, and the fee, always written in the quote.

    Kraken writes pairs without a separator. Where the fee was taken in the base the file does not show it: the ledger
    counts. A trade on margin is none of coins.
    """
    pair = pl.col("pair").str.strip_chars().str.to_uppercase().str.replace(r"\.D$", "")
    frame = with_numbers(rows, volume="vol", cost="cost", fees="fee", margined="margin").with_columns(
        pair.str.extract_groups(_PAIR).struct.unnest()
    )
    frame = frame.with_columns(
        way=pl.col("type").str.strip_chars().str.to_lowercase(),
        base=_asset(pl.coalesce("old", "base", "letter")),
        quote=_asset(pl.coalesce("oldquote", "quote", "its")),
        row_key=pl.format("id:{}", filled("txid")),
        group_key=filled("txid"),
        time_text=pl.col("time"),
        occurred_at=utc_time(pl.col("time").str.strip_chars(), "%Y-%m-%d %H:%M:%S%.f"),
    )
    value = pl.when(pl.col("quote") == "USD").then(usd(pl.col("cost")))
    frame = frame.with_columns(
        **traded(pl.col("way") == "buy", "volume", "cost"),
        fee_asset="quote",
        sent_usd=value,
        received_usd=value,
        reject=_trade_fault(),
    )
    return finish(frame, context, TRADES.family)


def _trade_fault() -> pl.Expr:
    amounts = pl.col("volume", "cost")
    return pl.coalesce(
        reason(~pl.col("way").is_in(["buy", "sell"]), "type: found {}, expected buy or sell", pl.col("type")),
        reason(pl.col("quote").is_null(), "pair: found {}, expected two assets of Kraken's", pl.col("pair")),
        *(f"{name}_fault" for name in ("volume", "cost", "fees", "margined")),
        pl.when(pl.any_horizontal(amounts.is_null())).then(pl.lit("vol or cost: found none")),
        pl.when(pl.any_horizontal(pl.col("volume", "cost", "fees") < 0)).then(
            pl.lit("vol, cost or fee: found a negative one, expected positive ones: type is the direction")
        ),
        pl.when(pl.col("row_key").is_null()).then(pl.lit("txid: found none")),
        pl.when((pl.col("margined") != 0).fill_null(value=False)).then(
            pl.lit("a trade on margin: what it gained or lost stands in ledgers.csv")
        ),
    )


def _is_trades(names: list[str]) -> bool:
    return len(names) <= 4 * len(_TRADE_FILE) and set(names) >= _TRADE_FILE


SOURCE = Source(name="kraken_ledgers", version="2", identify=identify, parse=parse, family="kraken_ledgers")
TRADES = Source(
    name="kraken_trades", version="1", identify=lambda head: find_header(head, _is_trades), parse=parse_trades,
    family="kraken_trades", checks="kraken_ledgers",
)  # fmt: skip
