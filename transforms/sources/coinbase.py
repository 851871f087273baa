"""Coinbase's transaction history in the layout of 2024 and later. Older layouts and tax reports do not belong here."""

from __future__ import annotations

import polars as pl

from transforms.ids import content_id
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
    worth,
)

HEADER = (
    "ID", "Timestamp", "Transaction Type", "Asset", "Quantity Transacted", "Price Currency", "Price at Transaction",
    "Subtotal", "Total (inclusive of fees and/or spread)", "Fees and/or Spread", "Notes",
)  # fmt: skip
_NEWEST = ("Sender Address", "Recipient Address")

# What a type is: how its row is read (`shape`) and the kind of its event.
_TYPES = {
    "Buy": "buy", "Advanced Trade Buy": "buy", "Advance Trade Buy": "buy",
    "Sell": "sell", "Advanced Trade Sell": "sell", "Advance Trade Sell": "sell", "Retail Simple Dust": "sell",
    "Convert": "convert",
    "Send": "out:withdrawal", "Receive": "in:deposit",
    "Deposit": "in:deposit", "Withdrawal": "out:withdrawal",
    "Coinbase Earn": "in:reward", "Learning Reward": "in:reward", "Rewards Income": "in:reward",
    "Reward Income": "in:reward", "Subscription Rebate": "in:reward", "Subscription Rebates": "in:reward",
    "Subscription Rebates (24 Hours)": "in:reward",
    "Inflation Reward": "in:staking", "Staking Income": "in:staking", "Interest Payout": "in:interest",
    "Card Spend": "out:spend", "Subscription": "out:spend", "Admin Debit": "out:spend", "Donation": "out:donation",
    "Pro Deposit": "out:transfer_out", "Exchange Deposit": "out:transfer_out", "Prime Deposit": "out:transfer_out",
    "Pro Withdrawal": "in:transfer_in", "Exchange Withdrawal": "in:transfer_in", "Prime Withdrawal": "in:transfer_in",
    "Asset Migration": "migration", "Retail Eth2 Deprecation": "migration",
    "Vault Withdrawal": "ignore", "Cash to Savings": "ignore", "Savings to Cash": "ignore", "Transfer": "ignore",
    "Retail Staking Transfer": "ignore", "Retail Unstaking Transfer": "ignore",
}  # fmt: skip
_BY_LOWER = {name.lower(): action for name, action in _TYPES.items()}

_AMOUNT = r"[\d,]*\.?\d+(?:[eE]-?\d+)?"
_CONVERTED = rf"^Converted {_AMOUNT} (?<from>\S+) to (?<quantity>{_AMOUNT}) (?<to>\S+)$"
_TRADED = (
    rf"^(?:Bought|Sold) {_AMOUNT} \S+ for (?<amount>{_AMOUNT}) (?<unit>\S+)(?: on \S+ at (?<price>{_AMOUNT}) \S+)?"
)
_EARNED = r"(?i)from coinbase (?:earn|rewards?|referral|learning)|as a (?:learning )?reward"
_TOLERANCE = pl.lit("0.02").cast(pl.Decimal(38, 18))
"""Subtotal, fees and total are each rounded to cents in most exports."""


def identify(head: list[list[str]]) -> int | None:
    """The row with the names of the layout; its first cell may be overwritten by the disclaimer."""
    return find_header(head, lambda names: tuple(names[1:]) in {HEADER[1:], (*HEADER[1:], *_NEWEST)})


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Coinbase rows.

    A buy or sell is gross of its fee, in the currency that was really paid (for a market such as BTC-USDC only the
    notes tell it). The USD value is the subtotal where prices are in USD.
    """
    frame = _sides(_read(rows))
    return finish(frame, context, SOURCE.family)


def _read(rows: pl.DataFrame) -> pl.DataFrame:
    frame = rows.rename({rows.columns[1]: "ID"})
    frame = pl.concat(
        [frame, _noted(frame["Notes"], _CONVERTED, "c_"), _noted(frame["Notes"], _TRADED, "t_")], how="horizontal"
    )
    frame = with_numbers(
        frame, quantity="Quantity Transacted", price="Price at Transaction", subtotal="Subtotal",
        total=HEADER[8], fees="Fees and/or Spread", target="c_quantity", amount="t_amount", unit_price="t_price",
    )  # fmt: skip
    return frame.with_columns(
        pl.col("quantity", "subtotal", "total").abs(),
        incoming=pl.col("quantity") >= 0,
        action=pl.col("Transaction Type").str.strip_chars().str.to_lowercase().replace_strict(_BY_LOWER, default=None),
        asset=filled("Asset").str.to_uppercase(),
        currency=filled("Price Currency").str.to_uppercase(),
        note=filled("Notes"),
        time_text=pl.col("Timestamp"),
        time_expected=pl.lit("YYYY-MM-DD HH:MM:SS UTC"),
        occurred_at=utc_time(
            pl.col("Timestamp").str.strip_chars().str.replace(" ", "T").str.replace(r"( UTC|Z)$", ""),
            "%Y-%m-%dT%H:%M:%S%.f",
        ),
    ).with_columns(
        # the asset too: the two rows of a migration may share an id
        row_key=pl.coalesce(pl.format("id:{}:{}", filled("ID"), "asset"), content_id("", "occurred_at", "action", "asset", "quantity", "Notes")),
        value=pl.when(pl.col("currency") == "USD").then(
            # a subtotal of 0.00 is a rounded one
            pl.when(pl.col("subtotal") > 0).then(usd(pl.col("subtotal"))).otherwise(worth(pl.col("quantity"), pl.col("price")))
        ),
    )  # fmt: skip


def _noted(notes: pl.Series, pattern: str, prefix: str) -> pl.DataFrame:
    """The named groups of the pattern in the notes, as columns."""
    return notes.str.strip_chars().str.extract_groups(pattern).struct.unnest().select(pl.all().name.prefix(prefix))


def _sides(frame: pl.DataFrame) -> pl.DataFrame:
    """What was sent, received and paid as a fee, by the action."""
    action, asset, quantity = pl.col("action"), pl.col("asset"), pl.col("quantity")
    frame = frame.pipe(_cash)
    sale, purchase, convert = action == "sell", action == "buy", action == "convert"
    migrates = action == "migration"
    into = action.str.starts_with("in:") | (migrates & pl.col("incoming"))
    out = action.str.starts_with("out:") | (migrates & ~pl.col("incoming")) | convert
    # the redemption of ETH2 is a sent row of ETH2 and a received row of ETH at one second, by one quantity
    redeemed = (pl.col("Transaction Type") == "Send") & (asset == "ETH2")
    credited = (pl.col("Transaction Type") == "Receive") & (asset == "ETH") & ~pl.col("Notes").str.contains(" from ")
    staked = convert & pl.col("c_from").is_in(["ETH", "ETH2"]) & pl.col("c_to").is_in(["ETH", "ETH2"])
    return frame.with_columns(
        sent_quantity=pl.when(purchase).then("gross").when(sale | out).then(quantity),
        sent_asset=pl.when(purchase).then("unit").when(sale | out).then(asset),
        received_quantity=pl.when(sale).then("gross").when(purchase | into).then(quantity).when(convert).then("target"),
        received_asset=pl.when(sale).then("unit").when(purchase | into).then(asset).when(convert).then(pl.col("c_to").str.to_uppercase()),
        fee_quantity=pl.when(purchase | sale).then("fee"),
        fee_asset=pl.col("unit"),
        sent_usd="value",
        received_usd="value",
        sent_rounded=pl.col("quantity_rounded") & ~purchase | pl.col("cash_rounded") & purchase,
        received_rounded=pl.col("quantity_rounded") & ~convert & ~sale | pl.col("cash_rounded") & sale | pl.col("target_rounded"),
        fee_rounded=pl.col("fees_rounded") & ~pl.col("elsewhere"),
        kind=pl.when(migrates | staked | redeemed).then(pl.lit("migration"))
        .when(credited).then(None)
        .when((action == "in:deposit") & pl.col("Notes").str.contains(_EARNED)).then(pl.lit("reward"))
        .otherwise(action.str.extract(r"^(?:in|out):(.+)$")),
        group_key=pl.when(migrates | redeemed | credited).then(
            pl.format("migration:{}:{}", pl.col("occurred_at").dt.epoch("s"), quantity)
        ),
        fact=pl.when(migrates | redeemed | credited).then(pl.format("migration:{}", pl.col("occurred_at").dt.epoch("s"))),
        ignore=pl.when(action == "ignore").then(pl.lit("a move inside the account"))
        .when(convert & (asset == pl.col("c_to")) & (asset != pl.col("c_from"))).then(pl.lit("the second row of a conversion: its first row has both sides")),
        reject=_fault(),
    )  # fmt: skip


def _cash(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `unit`, `gross` and `fee`: the other side of a buy or sell before its fee.

    Subtotal and fees are in the account's currency. Where the notes name another unit (a market such as BTC-USDC), the
    amount in the notes is the total: the fee is what it differs by from quantity x price.
    """
    elsewhere = pl.col("t_unit").is_not_null() & (pl.col("t_unit") != pl.col("currency"))
    fits = (pl.col("quantity") < 10**9) & (pl.col("unit_price") < 10**9)  # the product must fit its type
    before = pl.when(fits).then(pl.col("quantity")) * pl.when(fits).then(pl.col("unit_price"))
    buys = pl.col("action") == "buy"
    fee = pl.when(buys).then(pl.col("amount") - before).otherwise(before - pl.col("amount"))
    plausible = (fee >= 0) & (fee * 20 <= before)  # else the price in the notes is a rounded one: keep the total
    fee = pl.when(plausible).then(fee)
    gross = pl.when(buys).then(pl.col("amount") - fee.fill_null(0)).otherwise(pl.col("amount") + fee.fill_null(0))
    return frame.with_columns(
        elsewhere=elsewhere,
        cash_rounded=pl.when(elsewhere).then("amount_rounded").otherwise("subtotal_rounded"),
        unit=pl.when(elsewhere).then(pl.col("t_unit").str.to_uppercase()).otherwise("currency"),
        gross=pl.when(elsewhere).then(gross).otherwise("subtotal"),
        fee=pl.when(elsewhere).then(fee).otherwise("fees"),
    )


def _fault() -> pl.Expr:
    action, kind = pl.col("action"), pl.col("Transaction Type")
    trades = action.is_in(["buy", "sell"])
    signed_fee = pl.when(action == "buy").then(pl.col("fees")).otherwise(-pl.col("fees")).fill_null(0)
    off = (pl.col("total") - pl.col("subtotal") - signed_fee).abs() > _TOLERANCE
    unclear = (action == "convert") & pl.col("c_to").is_null()
    numbers = ("quantity", "price", "subtotal", "total", "fees", "target", "amount", "unit_price")
    return pl.coalesce(
        reason(action.is_null(), f"unknown type {{}}: expected one of {one_of(_TYPES)}", kind),
        *(f"{name}_fault" for name in numbers),
        pl.when(pl.col("quantity").fill_null(0) == 0).then(pl.lit("Quantity Transacted: found none")),
        pl.when(trades & (pl.col("fees") < 0)).then(pl.lit("Fees: found a negative fee, expected none on a trade")),
        pl.when(trades & pl.col("gross").is_null()).then(pl.lit("found no subtotal, and no amount in the notes")),
        pl.when(trades & off).then(pl.lit("found a total that is not the subtotal and the fees")),
        reason(unclear, "Notes: found {}, expected 'Converted 1 A to 2 B'", pl.col("Notes")),
    )


SOURCE = Source(name="coinbase", version="2", identify=identify, parse=parse, family="coinbase")
