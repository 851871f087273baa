"""Bitfinex's ledger and trades. The ledger has every movement and is what trades check; its meaning is in free text."""

from __future__ import annotations

import polars as pl

from transforms.ids import content_id
from transforms.sources.base import (
    ZONE_ASKED,
    Context,
    Parsed,
    Source,
    filled,
    find_header,
    finish,
    of_zone,
    product,
    reason,
    with_numbers,
)
from transforms.sources.exchange import amount_faults, chained, clocked, columns, ticker, traded, with_pair

_TRADES = {"#", "PAIR", "AMOUNT", "PRICE", "FEE", "DATE"}
_LEDGER = {"DESCRIPTION", "CURRENCY", "AMOUNT", "BALANCE", "DATE"}
_NAMED = r"(?i)(-?[0-9.]+) ([a-z0-9]+)(?: for [a-z0-9]+| \([a-z0-9:]+\))? @ ([0-9.]+)"
# what a description begins with, and the kind of its row
_WORDS = (
    (r"^exchange ", "exchange"), (r"^trading fees? for", "fee"),
    (r"^margin funding payment", "interest"), (r"^(?:used margin|margin) funding (?:charge|cost|fee)", "margin_interest"),
    (r"^position funding|^funding event|^position #?\d+ .*funding", "funding"),
    (r"^settlement|^position |^claiming|^trading pl|^derivatives? (?:settlement|pl)", "derivative"),
    (r"^deposit", "deposit"), (r"withdrawal fee|^withdraw fee", "cost"), (r"withdrawal", "withdrawal"),
    (r"^staking reward|^staking payment", "staking"), (r"^earned fees from user|^affiliate rebate|^leo token .*rebate", "reward"),
    (r"^airdrop|^token distribution", "airdrop"), (r"^transfer of .* from wallet", "inside"),
)  # fmt: skip
_RECEIPTS = ("interest", "deposit", "staking", "reward", "airdrop")


def _upper(names: list[str]) -> list[str]:
    """Names in capitals, their words parted by a blank."""
    return [name.replace("\ufeff", "").strip().upper().replace("FEECURRENCY", "FEE CURRENCY") for name in names]


def identify(head: list[list[str]]) -> int | None:
    """The row with the columns of a ledger, with the number and the wallet or (older) without."""
    return find_header(head, lambda names: set(_upper(names)) >= _LEDGER and "STATUS" not in _upper(names))


def identify_trades(head: list[list[str]]) -> int | None:
    """The row with the columns of trades."""
    return find_header(head, lambda names: set(_upper(names)) >= _TRADES and "FEE CURRENCY" in _upper(names))


def _read(rows: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Columns in capitals, and times on the account's clock: the export uses the clock and the order that the user set."""
    names = [name for name in rows.columns if name not in {"row_no", "unfit"}]
    rows = rows.rename(dict(zip(names, _upper(names), strict=True)))
    asked = None if context.time_zone else ZONE_ASKED
    return clocked(rows, "DATE", None, context).with_columns(time_expected=pl.lit(asked, pl.String))


def parse_trades(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row a fill: AMOUNT signed (a negative one is a sale), FEE negative.

    What was paid is amount x price, which the export does not state. A margin trade is rejected: its gain or loss is
    settled in the ledger.
    """
    frame = columns(_read(rows, context), "MARGIN", "ORDER ID")
    frame = with_numbers(with_pair(frame, "PAIR"), signed="AMOUNT", price="PRICE", paid="FEE").with_columns(
        fee_asset=ticker("FEE CURRENCY"), amount=pl.col("signed").abs(), amount_rounded=pl.col("signed_rounded"),
        amount_fault=pl.col("signed_fault"), fees=-pl.col("paid"), fees_rounded=pl.col("paid_rounded"),
    )  # fmt: skip
    frame = frame.with_columns(
        total=product(pl.col("amount"), pl.col("price")), total_rounded=pl.lit(value=False),
    ).with_columns(total=pl.col("total").round(18).cast(pl.Decimal(38, 18)), total_fault=pl.lit(None, pl.String))  # fmt: skip
    margin = filled("MARGIN").str.to_lowercase().is_in(["true", "1", "yes"]).fill_null(value=False)
    fee_sides = pl.col("fee_asset").is_in(["LEO", "UST", "USDT"]) | (pl.col("fee_asset") == pl.col("base")) | (pl.col("fee_asset") == pl.col("quote"))  # fmt: skip
    frame = frame.with_columns(
        row_key=content_id("", "occurred_at", "#", "ORDER ID", "base", "quote", "signed", "price", "paid", "fee_asset"),
        reject=pl.coalesce(
            pl.when(margin).then(pl.lit("a margin trade: its gain or loss is settled in the ledger, hand in the ledger export")),
            "date_fault", "pair_fault", *amount_faults("amount"), "price_fault", *amount_faults("total"), "paid_fault",
            pl.when(pl.col("fees") < 0).then(pl.lit("FEE: found a positive one (a rebate), expected a negative one")),
            reason((pl.col("fees") > 0) & ~fee_sides.fill_null(value=False), "FEE CURRENCY: found {}, expected a side of the market", pl.col("FEE CURRENCY")),
        ),
        **traded(pl.col("signed") > 0),
    )  # fmt: skip
    return finish(frame, context, TRADES.family)


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row a movement. The two rows of an exchange and its fee name the same units at the same price.

    Fees of a margin position, its settlement and its funding are kept apart.
    """
    frame = columns(_read(rows, context), "#", "WALLET")
    text = pl.col("DESCRIPTION").str.strip_chars()
    wallet = pl.coalesce(
        filled("WALLET"), text.str.extract(r"(?i)on (?:wallet )?(\w+)(?: wallet)?$", 1)
    ).str.to_lowercase()
    word = pl.coalesce(pl.when(text.str.to_lowercase().str.contains(pattern)).then(pl.lit(kind)) for pattern, kind in _WORDS)  # fmt: skip
    frame = with_numbers(frame, amount="AMOUNT", balance="BALANCE").with_columns(
        asset=ticker("CURRENCY"), what=word, wallet=wallet,
        raw=pl.concat_str(ticker("CURRENCY"), wallet, separator=" ", ignore_nulls=True),
        named=pl.format("{} {} {}", text.str.extract(_NAMED, 1).str.strip_chars("-"), text.str.extract(_NAMED, 2).str.to_uppercase(), text.str.extract(_NAMED, 3)),
        note=text,
        ignore=pl.when(word == "inside").then(pl.lit("a move between the account's wallets")),
    ).pipe(chained, "raw", "amount")  # fmt: skip
    trade = pl.col("what").is_in(["exchange", "fee"]).fill_null(value=False)
    key = pl.when(trade).then(pl.format("{}@{}", "named", pl.col("occurred_at").dt.epoch("s")))
    frame = frame.with_columns(mate=key).with_columns(
        whole=((pl.col("what") == "exchange") & (pl.col("amount") < 0)).any().over("mate")
        & ((pl.col("what") == "exchange") & (pl.col("amount") > 0)).any().over("mate") & pl.col("mate").is_not_null(),
    )  # fmt: skip
    amount, what = pl.col("amount"), pl.col("what")
    pays = what.is_in(["fee", "cost"])
    margin = what.is_in(["fee"]) & pl.col("wallet").is_in(["margin", "trading"]).fill_null(value=False)
    result = pl.when(amount > 0).then(pl.lit("derivative_gain")).otherwise(pl.lit("derivative_loss"))
    frame = frame.with_columns(
        row_key=content_id("", "occurred_at", "asset", "amount", "stated", "note"),
        group_key=pl.when(pl.col("whole") & trade).then("mate"),
        fact=pl.when(trade).then("mate"),
        kind=pl.when(margin & ~pl.col("whole")).then(pl.lit("derivative_loss")).when(what == "exchange").then(None)
        .when(pays & pl.col("whole")).then(None).when(pays).then(pl.lit("fee")).when(what == "derivative").then(result).otherwise(what),
        sent_quantity=pl.when((amount < 0) & ~pays).then(-amount), received_quantity=pl.when((amount > 0) & ~pays).then(amount),
        fee_quantity=pl.when((amount < 0) & pays).then(-amount),
        **{f"{side}_asset": pl.col("asset") for side in ("sent", "received", "fee")},
        **{f"{side}_raw": pl.col("raw") for side in ("sent", "received", "fee")},
        **{f"{side}_rounded": pl.col("amount_rounded") for side in ("sent", "received", "fee")},
        reject=pl.coalesce(
            reason(what.is_null(), "unknown description {}: enter the movement in the universal format", text),
            "date_fault", "amount_fault", "balance_fault",
            pl.when(amount.fill_null(0) == 0).then(pl.lit("AMOUNT: found none")),
            pl.when((what == "exchange") & (pl.col("mate").is_null() | ~pl.col("whole"))).then(pl.lit("half of an exchange: the row of its other currency is missing; export all currencies")),
            pl.when(pays & (amount > 0)).then(pl.lit("a rebate of fees: enter it in the universal format")),
            reason(what.is_in(_RECEIPTS) & (amount < 0), "a receipt takes units away: {}", text),
        ),
    )  # fmt: skip
    return finish(frame, context, LEDGER.family)


LEDGER = Source(
    name="bitfinex_ledger", version="1", identify=identify, parse=parse, family="bitfinex_ledger", depends=of_zone
)
TRADES = Source(
    name="bitfinex_trades",
    version="1",
    identify=identify_trades,
    parse=parse_trades,
    family="bitfinex_trades",
    depends=of_zone,
    checks="bitfinex_ledger",
)
