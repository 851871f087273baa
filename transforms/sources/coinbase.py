"""Coinbase's transaction history, 2019 to today. Its wallet reports of 2013-18 and its tax reports do not belong here."""

from __future__ import annotations

import re
from typing import NamedTuple

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
    one_of,
    product,
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
_BODY = ("Timestamp", "Transaction Type", "Asset", "Quantity Transacted")
_OF_CURRENCY = re.compile(r"([A-Z]{3}) Spot Price at Transaction")


class Layout(NamedTuple):
    """The columns of a vintage.

    `currency` is the column that names the money, or the code itself (`names_it`); `identified`: rows have an ID;
    `signed`: what leaves may be negative.
    """

    currency: str | None
    names_it: bool
    price: str
    subtotal: str
    total: str
    fees: str | None
    identified: bool = False
    signed: bool = False


_V4 = Layout(
    "Price Currency",
    False,
    "Price at Transaction",
    "Subtotal",
    HEADER[8],
    "Fees and/or Spread",
    identified=True,
    signed=True,
)
_BARE = _V4._replace(identified=False)

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


def layout(names: tuple[str, ...]) -> Layout | None:
    """The vintage of a header; its first cell may be overwritten by the disclaimer."""
    if names[1:] in {HEADER[1:], (*HEADER[1:], *_NEWEST)}:
        return _V4
    if names[1:] == HEADER[2:]:
        return _BARE
    if names[1:4] != _BODY[1:] or names[-1] != "Notes":
        return None
    stated = _OF_CURRENCY.fullmatch(names[4]) if len(names) > 4 else None
    return next((found for found, columns in _older(stated[1] if stated else None) if names[4:-1] == columns), None)


def _older(code: str | None) -> list[tuple[Layout, tuple[str, ...]]]:
    """The vintages before 2024, each with the names between the quantity and the notes."""
    plain = "Spot Price at Transaction"
    inclusive = ("Total (inclusive of fees)", "Fees"), (HEADER[8], "Fees and/or Spread")
    found = [Layout("Spot Price Currency", False, plain, "Subtotal", *ends) for ends in inclusive]
    found.append(Layout(None, False, plain, "Subtotal", *inclusive[0]))  # no money is named
    if code is not None:
        price, subtotal = f"{code} {plain}", f"{code} Subtotal"
        found.append(Layout(code, True, price, subtotal, f"{code} {inclusive[0][0]}", f"{code} Fees"))
        found.append(Layout(code, True, price, "Subtotal", inclusive[0][0], None))
    return [(each, _columns(each)) for each in found]


def _columns(of: Layout) -> tuple[str, ...]:
    named = () if of.names_it or of.currency is None else (of.currency,)
    return (*named, of.price, of.subtotal, of.total, *(() if of.fees is None else (of.fees,)))


def identify(head: list[list[str]]) -> int | None:
    """The row with the names of a layout whose rows carry their time."""
    return find_header(head, lambda names: (found := layout(tuple(names))) is not None and found.fees is not None)


def identify_tax_report(head: list[list[str]]) -> int | None:
    """The row with the names of the oldest layout: dates without a time, no fees."""
    return find_header(head, lambda names: (found := layout(tuple(names))) is not None and found.fees is None)


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of Coinbase rows.

    A buy or sell is gross of its fee, in the currency that was really paid (for a market such as BTC-USDC only the
    notes tell it). The USD value is the subtotal where prices are in USD. Before 2024 quantities are positive whatever
    the type, and no row has an id: its key is its content.
    """
    times = utc_time(
        pl.col("Timestamp").str.strip_chars().str.replace(" ", "T").str.replace(r"( UTC|Z)$", ""),
        "%Y-%m-%dT%H:%M:%S%.f",
    )
    return _parsed(rows, context, SOURCE.family, times, "YYYY-MM-DD HH:MM:SS UTC")


def parse_tax_report(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of the US transactions report of 2019: totals with the fee inside, no fees, dates without a time.

    A date is read as its noon in UTC, which lies in that day on every American clock.
    """
    noon = utc_time(pl.col("Timestamp").str.strip_chars() + " 12:00", "%m/%d/%Y %H:%M")
    return _parsed(rows, context, TAX_REPORT.family, noon, "MM/DD/YYYY")


def _parsed(rows: pl.DataFrame, context: Context, family: str, times: pl.Expr, expected: str) -> Parsed:
    names = tuple(name for name in rows.columns if name not in {"row_no", "unfit"})
    of = layout(names)
    assert of is not None  # the header was identified
    first = "ID" if of.identified else "Timestamp"
    frame = rows.rename({names[0]: first}).with_columns(occurred_at=times, time_expected=pl.lit(expected))
    return finish(_sides(_read(frame, of), of), context, family)


def _read(rows: pl.DataFrame, of: Layout) -> pl.DataFrame:
    frame = rows if of.identified else rows.with_columns(ID=pl.lit(""))
    frame = pl.concat(
        [frame, _noted(frame["Notes"], _CONVERTED, "c_"), _noted(frame["Notes"], _TRADED, "t_")], how="horizontal"
    )
    if of.names_it:
        # a cell may repeat the currency that its column names: 249.73 USD
        frame = frame.with_columns(pl.col(of.subtotal, of.total).str.replace(rf"\s*{of.currency}\s*$", ""))
    frame = with_numbers(
        frame, quantity="Quantity Transacted", price=of.price, subtotal=of.subtotal, total=of.total,
        fees=of.fees or "", target="c_quantity", amount="t_amount", unit_price="t_price",
    )  # fmt: skip
    named = pl.lit(of.currency, pl.String) if of.names_it or of.currency is None else filled(of.currency)
    return frame.with_columns(
        # in the older layouts a negative quantity is a fault, not a direction
        pl.col("quantity").abs() if of.signed else pl.col("quantity"),
        pl.col("subtotal", "total").abs(),
        incoming=pl.col("quantity") >= 0,
        action=pl.col("Transaction Type").str.strip_chars().str.to_lowercase().replace_strict(_BY_LOWER, default=None),
        asset=filled("Asset").str.to_uppercase(),
        currency=named.str.to_uppercase(),
        note=filled("Notes"),
        time_text=pl.col("Timestamp"),
    ).with_columns(
        # without a column of fees the subtotal is a placeholder, and the total all that is stated
        subtotal=pl.when(of.fees is None).then("total").otherwise("subtotal"),
    ).with_columns(
        # the asset too: the two rows of a migration may share an id
        row_key=pl.coalesce(pl.format("id:{}:{}", filled("ID"), "asset"), content_id("", "occurred_at", "action", "asset", "quantity")),
        value=pl.when(pl.col("currency") == "USD").then(
            # a subtotal of 0.00 is a rounded one
            pl.when(pl.col("subtotal") > 0).then(usd(pl.col("subtotal"))).otherwise(worth(pl.col("quantity"), pl.col("price")))
        ),
    )  # fmt: skip


def _noted(notes: pl.Series, pattern: str, prefix: str) -> pl.DataFrame:
    """The named groups of the pattern in the notes, as columns."""
    return notes.str.strip_chars().str.extract_groups(pattern).struct.unnest().select(pl.all().name.prefix(prefix))


def _sides(frame: pl.DataFrame, of: Layout) -> pl.DataFrame:
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
        .when(convert & (asset == pl.col("c_to")) & (asset != pl.col("c_from"))).then(pl.lit("the second row of a conversion: its first row has both sides"))
        .when(_between_own() if of.fees is not None else pl.lit(value=False)).then(pl.lit("a move between the account's own wallets: a Send and a Receive of one second and quantity")),
        reject=_fault(of),
    )  # fmt: skip


def _cash(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `unit`, `gross` and `fee`: the other side of a buy or sell before its fee.

    Subtotal and fees are in the account's currency. Where the notes name another unit (a market such as BTC-USDC), the
    amount in the notes is the total: the fee is what it differs by from quantity x price.
    """
    elsewhere = pl.col("t_unit").is_not_null() & (pl.col("t_unit") != pl.col("currency"))
    before = product(pl.col("quantity"), pl.col("unit_price"))
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


def _between_own() -> pl.Expr:
    """One Send and one Receive of one asset, quantity and second."""
    moves = pl.col("action").is_in(["out:withdrawal", "in:deposit"]) & ~pl.col("asset").is_in(FIAT)
    moves &= ~pl.col("Notes").str.contains(_EARNED).fill_null(value=False)
    same = ["occurred_at", "asset", "quantity"]
    sent, received = (
        (moves & (pl.col("action") == name)).sum().over(same) == 1 for name in ("out:withdrawal", "in:deposit")
    )
    sound = pl.col("occurred_at").is_not_null() & (pl.col("quantity") > 0) & pl.col("unfit").is_null()
    return moves & sent & received & sound


def _fault(of: Layout) -> pl.Expr:
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
        pl.when(pl.col("quantity") < 0).then(
            pl.lit("Quantity Transacted: found a negative one, expected a positive one in this layout")
        ),
        pl.when(trades & pl.col("unit").is_null()).then(
            pl.lit(
                "the export names no currency for its amounts: ask for a newer export, or enter the trade in the universal format"
            )
        ),
        pl.when(trades & (pl.col("fees") < 0)).then(pl.lit("Fees: found a negative fee, expected none on a trade")),
        pl.when(trades & pl.col("gross").is_null()).then(pl.lit("found no subtotal, and no amount in the notes")),
        pl.when(trades & off & (of.fees is not None)).then(
            pl.lit("found a total that is not the subtotal and the fees")
        ),
        reason(unclear, "Notes: found {}, expected 'Converted 1 A to 2 B'", pl.col("Notes")),
    )


SOURCE = Source(name="coinbase", version="3", identify=identify, parse=parse, family="coinbase")
TAX_REPORT = Source(
    name="coinbase_us_report", version="1", identify=identify_tax_report, parse=parse_tax_report,
    family="coinbase_us_report", checks="coinbase",
)  # fmt: skip
"""The layout of 2019 with dates alone: of the same facts as a history, which it is compared with where there is one."""
