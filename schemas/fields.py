"""Column types shared by every table: what a quantity, an amount, an instant is. No table belongs here."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import polars as pl

Quantity: TypeAlias = Annotated[pl.Decimal, 38, 18]
"""Units of an asset, or USD a unit: exact to the wei."""
Money: TypeAlias = Annotated[pl.Decimal, 18, 6]
"""US dollars in micro-dollars: what is computed with."""
Cents: TypeAlias = Annotated[pl.Decimal, 18, 2]
"""US dollars in cents: what is reported."""
Instant: TypeAlias = Annotated[pl.Datetime, "us", "UTC"]
"""A moment, always in UTC; the taxpayer's calendar is a column of its own."""

QUANTITY = pl.Decimal(38, 18)
MONEY = pl.Decimal(18, 6)
CENTS = pl.Decimal(18, 2)
INSTANT = pl.Datetime("us", "UTC")

QUANTITY_LIMIT = 10**15
"""Largest quantity, price or value taken in: below it a hundred thousand rows cannot wrap a 128-bit sum."""

VALUE_LIMIT = 10**11
"""No leg of an event is worth more dollars: a larger value is a bad price or a spam token, and is no value."""

KINDS = (
    "buy", "sell", "trade", "deposit", "withdrawal", "transfer_out", "transfer_in",
    "staking", "mining", "airdrop", "fork", "interest", "reward", "wages",
    "gift_in", "gift_out", "inheritance", "donation", "spend", "fee", "theft", "loss",
    "migration", "wrap", "unwrap",
    "derivative_gain", "derivative_loss", "funding", "margin_interest",
    "borrow", "repay", "collateral_out", "collateral_in",
)  # fmt: skip
"""Kinds of event; the universal intake format names the same."""
INCOME_KINDS = ("staking", "mining", "airdrop", "fork", "interest", "reward", "wages")
"""Receipts that are ordinary income at fair value (Notice 2014-21; Rev. Rul. 2019-24, 2023-14)."""
KEPT_APART = (
    "derivative_gain", "derivative_loss", "funding", "margin_interest",
    "borrow", "repay", "collateral_out", "collateral_in",
)  # fmt: skip
"""Derivative and loan kinds: asked about, in no lot and no gain."""
PLEDGES = ("collateral_out", "collateral_in")
"""Of these, what a stand can book: units pledged and returned (topic `collateral`)."""
UNTAXED = ("gift_out", "donation", "theft", "loss")
"""Exits without proceeds: no gain and no loss is booked, no line on Form 8949 (IRC 1015, 170; tax rules 2.4, 4.5)."""
LOST = ("theft", "loss")
"""Exits whose loss is none on Form 8949 (IRC 165; tax rules 4.5)."""
FIAT = (
    "USD", "EUR", "GBP", "CAD", "AUD", "JPY", "CHF", "CZK", "PLN", "SEK", "NOK", "DKK", "BRL", "TRY", "MXN", "NZD",
    "SGD", "HKD", "KRW", "INR", "ZAR", "UAH", "RUB", "HUF", "RON", "BGN", "THB", "ARS", "PHP", "IDR", "NGN", "COP",
    "CLP", "PEN", "UYU", "TWD", "ILS", "CNY", "AED", "SAR", "QAR", "KWD", "BHD", "OMR", "JOD", "VND", "MYR", "KZT",
    "PKR", "BDT", "LKR", "NPR", "EGP", "KES", "GHS", "UGX", "TZS", "RWF", "ZMW", "XOF", "XAF", "MAD", "TND", "DZD",
    "ISK", "RSD", "AMD", "AZN", "UZS", "KGS", "BYN", "MDL", "ALL", "BAM", "CRC", "DOP", "GTQ", "HNL", "NIO", "BOB",
    "PYG", "VES", "JMD", "TTD",
)  # fmt: skip
"""Government money: cash, not a lot. Codes that a coin carries too (MNT, ERN, SOS ...) stay out: they are coins here."""
BASIS_STATUS = ("known", "assumed", "unknown", "unallocated")
METHODS = ("fifo", "lifo", "hifo", "lofo", "taxmin")
STATUSES = ("single", "mfj", "mfs", "hoh", "qss")
