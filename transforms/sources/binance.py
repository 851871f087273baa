"""Binance's statement ("Generate all statements"): one row a leg. Trade and order histories do not belong here."""

from __future__ import annotations

import re

import polars as pl

from schemas.fields import FIAT
from transforms.ids import content_id
from transforms.sources.base import (
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    reason,
    utc_time,
    with_numbers,
)

_NEEDED = {"account", "operation", "coin", "change"}
_OFFSET = re.compile(r"UTC(?:\s*(?P<sign>[+-]|%2B)-?(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?)?(?=\W|_|$)")
_FAMILY, _SIDE = r"^([^|]*\|[^|]*)", r"\|([a-z]+)$"

# Legs of one fact that share no id: the family within which seconds are joined, and the side that the name tells.
_GROUPED = {
    "buy": "spot:buy", "transaction buy": "spot:bought", "transaction spend": "spot:bought",
    "sell": "spot:sell", "transaction sold": "spot:sold", "transaction revenue": "spot:sold",
    "transaction related": "spot:any", "fee": "spot:fee", "transaction fee": "spot:fee", "bnb fee deduction": "spot:fee",
    "large otc trading": "otc:any", "binance convert": "convert:any", "convert": "convert:any",
    "buy crypto": "card:any", "buy crypto with fiat": "card:any", "buy crypto (with fiat)": "card:any",
    "convert fiat to crypto ocbs": "card:any",
    "small assets exchange bnb": "dust:any", "small assets exchange bnb (spot)": "dust:any",
    "distribution": "distribution:any", "token swap - distribution": "distribution:any",
    "token swap - redenomination/rebranding": "redenomination:any", "eth 2.0 staking": "eth2:any",
}  # fmt: skip
_MIGRATIONS = ("eth2", "redenomination")
_INCOME = {
    "airdrop assets": "airdrop", "launchpool airdrop": "airdrop", "hodler airdrops distribution": "airdrop",
    "launchpool airdrop - user claim distribution": "airdrop", "launchpool interest": "reward",
    "launchpool earnings withdrawal": "reward", "megadrop rewards": "reward", "mission reward": "reward",
    "mission reward distribution": "reward", "cash voucher": "reward", "cash voucher distribution": "reward",
    "cashback voucher": "reward", "simple earn flexible airdrop": "airdrop",
    "savings interest": "interest", "savings distribution": "interest", "simple earn flexible interest": "interest",
    "pos savings interest": "staking", "simple earn locked rewards": "staking", "staking rewards": "staking",
    "eth 2.0 staking rewards": "staking", "bnb vault rewards": "staking", "sol staking rewards": "staking",
}  # fmt: skip
_BONUS = r"^(referral|commission)"
_MOVED = r"^(deposit|withdraw|withdrawal|fiat deposit|fiat withdraw|fiat withdrawal)$"
_INSIDE = r"^(simple earn|staking|savings|pos savings|locked staking|bnb vault|launchpool|eth 2\.0 staking) .*(subscription|purchase|redemption)$|^(savings )?principal redemption$|^transfer between "
_SUB_ACCOUNT = r"sub-?account"
_FUTURES = {"realized profit and loss": "pnl", "realized pnl": "pnl", "funding fee": "funding", "fee": "pnl",
            "commission": "pnl", "insurance fund compensation": "pnl", "insurance clear": "pnl"}  # fmt: skip

_LENT = {
    "margin loan": "borrow", "isolated margin loan": "borrow", "flexible loan - lending": "borrow",
    "margin repayment": "repay", "isolated margin repayment": "repay", "flexible loan - repayment": "repay",
    "isolated margin liquidation - forced repayment": "repay", "cross margin liquidation - forced repayment": "repay",
    "cross margin liquidation - repayment": "repay",
    "margin fee": "margin_interest", "margin interest": "margin_interest",
    "isolated margin liquidation - fee": "margin_interest", "cross margin liquidation - fee": "margin_interest",
    "flexible loan - collateral transfer": "collateral",
    "cross margin liquidation - small assets takeover": "liquidated",
}  # fmt: skip
"""Loans, their collateral and their costs, whichever account books them; `collateral` and `liquidated` go by the sign."""


def identify(head: list[list[str]]) -> int | None:
    """The row with account, operation, coin, change and one time column, whatever the vintage calls it."""
    return find_header(
        head, lambda names: set(_plain(names)) >= _NEEDED and bool({"utc time", "time"} & set(_plain(names)))
    )


def utc_offset(file_name: str) -> int | None:
    """Minutes east of UTC that a file name states, as in `...(UTC+5:30).csv` or `...(UTC--6).csv`; None if none."""
    found = _OFFSET.search(file_name)
    if found is None:
        return None
    minutes = int(found["hours"] or 0) * 60 + int(found["minutes"] or 0)
    if minutes > 14 * 60:
        return None
    return -minutes if found["sign"] == "-" else minutes


def _zone(context: Context) -> str | None:
    offset = utc_offset(context.file_name)
    return None if offset is None else str(offset)


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """One leg a row, signed.

    Trades, dust and conversions get a provisional group key (`family|account|side`) that `regroup` completes. Times of
    layouts since 2023 are in the zone that the file's name states; without one no row is read.
    """
    names = [name for name in rows.columns if name not in {"row_no", "unfit"}]
    rows = rows.rename(dict(zip(names, _plain(names), strict=True)))
    if "remark" not in rows.columns:
        rows = rows.with_columns(remark=pl.lit(""))
    frame = with_numbers(_timed(rows, context), change="change").with_columns(
        what=pl.col("operation").str.strip_chars().str.to_lowercase(),
        where=filled("account"),
        asset=filled("coin").str.to_uppercase(),
        remark=filled("remark"),
    )
    frame = frame.with_columns(
        row_key=content_id("", "occurred_at", "where", "what", "asset", "change", "remark"),
        futures=pl.col("where").str.contains(r"(?i)futures|cross margin|isolated margin").fill_null(value=False),
        grouped=_grouped(),
        income=pl.col("what").replace_strict(_INCOME, default=None),
    )
    change = pl.col("change")
    pays = pl.col("grouped").str.ends_with(":fee").fill_null(value=False)
    sides = {"sent": (change < 0) & ~pays, "received": change > 0, "fee": (change < 0) & pays}
    frame = frame.with_columns(
        ignore=_ignored(),
        kind=_kind(),
        reject=_fault(),
        note=pl.coalesce("remark", "operation"),
        group_key=pl.when(~pl.col("futures")).then(
            pl.format("{}|{}|{}", pl.col("grouped").str.extract(r"^(\w+):"), pl.col("where").str.replace_all(r"\|", " "),
                      pl.col("grouped").str.extract(r":(\w+)$"))
        ),
        **{f"{side}_quantity": pl.when(moved).then(change.abs()) for side, moved in sides.items()},
        **{f"{side}_asset": pl.col("asset") for side in sides},
        **{f"{side}_rounded": pl.col("change_rounded") for side in sides},
    )  # fmt: skip
    return finish(frame, context, SOURCE.family)


def regroup(legs: pl.DataFrame) -> pl.DataFrame:
    """Join the legs of one trade: of one account and family, at one second or, where a second has one side, the next.

    A second with both sides stands alone; one without joins the trade before it (the first: the one after it) if no
    more than a second lies between. Buys and sells of one second are kept apart where the names of their operations
    tell them; what cannot be told apart stays one group of several assets. A distribution without a sent side is an
    airdrop.
    """
    loose = legs.filter(pl.col("group_key").is_not_null())
    family, second = pl.col("group_key").str.extract(_FAMILY), pl.col("occurred_at").dt.epoch("s")
    loose = loose.with_columns(family=family, side=pl.col("group_key").str.extract(_SIDE), second=second)
    part = ("account_id", "family")
    seconds = (
        loose.group_by(*part, "second")
        .agg(whole=(pl.col("role") == "sent").any() & (pl.col("role") == "received").any())
        .sort(*part, "second")
        .with_columns(run=(pl.col("second").diff().over(part).fill_null(2) > 1).cum_sum().over(part))
        .with_columns(trade=pl.col("whole").cum_sum().over(*part, "run").clip(lower_bound=1))
        .with_columns(start=pl.col("second").min().over(*part, "run", "trade"))
    )
    loose = loose.join(
        seconds.select(*part, "second", "start"), on=[*part, "second"], how="left", maintain_order="left"
    )
    trade = (*part, "start")
    side = pl.when(_two_trades(trade)).then(_own_side(trade)).otherwise(pl.lit("any"))
    airdrop = pl.col("family").str.starts_with("distribution|") & ~(pl.col("role") == "sent").any().over(trade)
    loose = loose.with_columns(
        group_key=pl.format("{}|{}|{}", "family", "start", side),
        kind=pl.when(airdrop).then(pl.lit("airdrop")).otherwise("kind"),
    ).with_columns(group_key=pl.when(~airdrop).then("group_key"))
    return pl.concat([legs.filter(pl.col("group_key").is_null()), loose.select(legs.columns)])


def _two_trades(trade: tuple[str, ...]) -> pl.Expr:
    """Whether a buy and a sell, each with both of its sides, met in one second and the names tell them apart."""

    def complete(names: list[str]) -> pl.Expr:
        own = pl.col("side").is_in(names)
        return (own & (pl.col("role") == "sent")).any().over(trade) & (own & (pl.col("role") == "received")).any().over(
            trade
        )

    neutral = ((pl.col("side") == "any") & (pl.col("role") != "fee")).any().over(trade)
    return complete(["buy", "bought"]) & complete(["sell", "sold"]) & ~neutral


def _own_side(trade: tuple[str, ...]) -> pl.Expr:
    """Buy or sell of a leg; a fee goes with the trade that received its asset, else with the buy."""
    sells = pl.col("side").is_in(["sell", "sold"])
    proceeds = (sells & (pl.col("role") == "received")).any().over(*trade, "asset")
    return pl.when(sells | ((pl.col("role") == "fee") & proceeds)).then(pl.lit("sell")).otherwise(pl.lit("buy"))


def _plain(names: list[str]) -> list[str]:
    return [name.strip().lower().replace("_", " ") for name in names]


def _timed(rows: pl.DataFrame, context: Context) -> pl.DataFrame:
    text = pl.col("utc time" if "utc time" in rows.columns else "time").str.strip_chars()
    offset = 0 if "utc time" in rows.columns else utc_offset(context.file_name)
    full = pl.when(text.str.contains(r"^\d{2}-")).then(pl.format("20{}", text)).otherwise(text)
    unknown = "a file name that states the zone, as (UTC+1): the export's times are in it; do not rename the file"
    return rows.with_columns(
        time_text=text,
        time_expected=pl.lit(unknown if offset is None else "YYYY-MM-DD HH:MM:SS"),
        occurred_at=pl.when(pl.lit(offset is not None)).then(
            utc_time(full, "%Y-%m-%d %H:%M:%S%.f") - pl.duration(minutes=offset or 0)
        ),
    )


def _grouped() -> pl.Expr:
    found = pl.col("what").replace_strict(_GROUPED, default=None)
    # the client's money that a card purchase draws on is a deposit, the rest of it the purchase
    funding = found.str.starts_with("card:") & (pl.col("change") > 0) & pl.col("asset").is_in(FIAT)
    return pl.when(~funding).then(found)


def _ignored() -> pl.Expr:
    what = pl.col("what")
    return (
        pl.when(what.str.contains(_INSIDE) & ~what.str.contains(_SUB_ACCOUNT))
        .then(pl.lit("a move inside the account"))
        .when((what == "binance card spending") & pl.col("asset").is_in(FIAT))
        .then(pl.lit("money spent by card"))
    )


def _kind() -> pl.Expr:
    what, out = pl.col("what"), pl.col("change") < 0
    gain = pl.when(out).then(pl.lit("derivative_loss")).otherwise(pl.lit("derivative_gain"))
    leg, lent = pl.col("grouped").str.extract(r"^(\w+):"), what.replace_strict(_LENT, default="")
    return (
        pl.when(pl.col("futures") & (what == "funding fee"))
        .then(pl.lit("funding"))
        .when(lent.is_in(["borrow", "repay", "margin_interest"]))
        .then(lent)
        .when(lent == "collateral")
        .then(pl.when(out).then(pl.lit("collateral_out")).otherwise(pl.lit("collateral_in")))
        .when(pl.col("futures") | (lent == "liquidated"))
        .then(gain)
        .when(leg.is_in(_MIGRATIONS))
        .then(pl.lit("migration"))
        .when(leg.is_not_null())
        .then(None)
        .when(what.str.contains(_SUB_ACCOUNT))
        .then(pl.when(out).then(pl.lit("transfer_out")).otherwise(pl.lit("transfer_in")))
        .when(what == "binance card spending")
        .then(pl.lit("spend"))
        .when(pl.col("income").is_not_null())
        .then("income")
        .when(what.str.contains(_BONUS))
        .then(pl.lit("reward"))
        .otherwise(pl.when(out).then(pl.lit("withdrawal")).otherwise(pl.lit("deposit")))
    )


def _fault() -> pl.Expr:
    what, change, futures = pl.col("what"), pl.col("change"), pl.col("futures")
    income = pl.col("income").is_not_null() | what.str.contains(_BONUS)
    other = what.str.contains(_MOVED) | what.str.contains(_SUB_ACCOUNT) | (what == "binance card spending")
    card_money = pl.col("what").replace_strict(_GROUPED, default="").str.starts_with("card:")
    lent = what.replace_strict(_LENT, default="")
    wrong_way = ((lent == "borrow") & (change < 0)) | (lent.is_in(["repay", "margin_interest"]) & (change > 0))
    known = (
        (lent != "")
        | (~futures & (pl.col("grouped").is_not_null() | income | other | card_money))
        | (futures & what.is_in(list(_FUTURES)))
    )
    unknown = ~known.fill_null(value=False)
    return pl.coalesce(
        reason(unknown, "unknown operation {}", pl.col("operation"))
        + reason(unknown, " in {}: expected one of the statement's, as Buy, Sell, Fee, Deposit", pl.col("account")),
        "change_fault",
        pl.when(change.fill_null(0) == 0).then(pl.lit("Change: found none")),
        reason(wrong_way, "{}: found a change of the other sign than a loan's", pl.col("operation")),
        reason(income & (change < 0), "{} takes units away: found a negative change", pl.col("operation")),
        pl.when(pl.col("grouped").str.ends_with(":fee") & (change > 0) & ~futures).then(
            pl.lit("Change: found a positive fee, expected a negative one")
        ),
        pl.when((what == "binance card spending") & (change > 0)).then(
            pl.lit("Change: found a positive card payment, expected a negative one")
        ),
    )


SOURCE = Source(
    name="binance_statement",
    version="3",
    identify=identify,
    parse=parse,
    family="binance_statement",
    regroup=regroup,
    may_lack="remark",
    depends=_zone,
)
