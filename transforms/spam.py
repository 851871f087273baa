"""Spam: tokens that came unasked and whose name, symbol or worth says what they are. They are marked, never dropped."""

from __future__ import annotations

import polars as pl

from transforms.sources.etherscan import FAMILY
from transforms.text import UNSEEN, UNSEEN_MARK
from transforms.transfers import one_hash

EXPLORERS = (FAMILY,)
"""Families whose note is the token's symbol and name."""
NATIVE = {
    "eip155:1": ("ETH",), "eip155:10": ("ETH",), "eip155:8453": ("ETH",), "eip155:42161": ("ETH",),
    "eip155:137": ("POL", "MATIC"), "eip155:56": ("BNB",), "eip155:43114": ("AVAX",),
}  # fmt: skip
"""The coins of a chain itself: a token of such a symbol is none of them."""
DUST = 1
"""Dollars below which a token of an unknown contract that came unasked is dust."""
_CHAIN = r"^([a-z0-9-]{3,8}:[-_a-zA-Z0-9]{1,32})/"
_LINK = (
    r"(?i)(https?:|www\.|t\.me|\b[a-z0-9-]{2,}\s?\.\s?(com|org|net|io|xyz|app|site|fi|finance|vip|cc|me|top|live|info|gift|"
    r"gifts|link|lol|click|pro|dev|eth\.limo|cash|exchange|events?|claims?|rewards?|cfd)\b|\b(claim|visit)\b)"
)
# Letters of other alphabets that look like Latin ones (Unicode confusables, those that tickers are made of)
_LOOKS = dict(
    zip(
        "АВЕЅІЈКМНОРСТХУԌԚԜасеоріѕхуԛԝһјΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανℂℕℙℚℝℤꓐꓓꓔꓚꓢꓴꓳ",
        "ABESIJKMHOPCTXYGQWaceopisxyqwhjABEZHIKMNOPTYXoavCNPQRZBDTCSUO",
        strict=True,
    )
)


def marked(events: pl.DataFrame, master: pl.DataFrame, overrides: pl.DataFrame) -> pl.DataFrame:
    """The events with `quarantined`: null, or the rule by which the token in it is spam.

    A candidate is of a block explorer's export (in other files the note is a person's words, not the token's name) and
    of no stated kind, moved one token, one way, by a contract that no row of the master knows, without a fee (whoever
    asks for tokens sends the transaction and pays for it), and neither was touched by staff nor arrived in a transaction
    that a client of the firm sent and paid for. It is spam, by the first that holds,
    where its name or symbol is a link or an invitation; holds characters that nobody sees or that look like Latin
    letters; copies the symbol of a known asset of that chain; or where it came in and is worth less than a dollar by
    what the file says. A token of which the client ever gave some away for something, or paid to move, is none.
    The firm's row for the contract in assets.csv, or any row of overrides.csv for the event, brings it back.

    Args:
        events: schemas.ledger.Events with the values that the files state; `note` has the token's symbol and name.
        master: `asset_master.master`.
        overrides: event_id, field, value of overrides.csv; a `transfer` names its other events in `value`.
    """
    sent, received = pl.col("sent_asset").is_not_null(), pl.col("received_asset").is_not_null()
    asset = pl.coalesce("received_asset", "sent_asset")
    known = master["asset"].unique().implode()
    unlisted = asset.str.contains(_CHAIN) & ~asset.is_in(known)
    one_way = (sent ^ received) & pl.col("fee_asset").is_null()
    used = _used(events)
    unsaid = pl.col("source").is_in(EXPLORERS) & pl.col("kind").is_in(["deposit", "withdrawal"])
    touched = pl.col("event_id").is_in(_touched(overrides).implode())
    handed = received & one_hash("tx_id").is_in(_sent(events).implode())
    candidate = unlisted & one_way & unsaid & ~touched & ~handed.fill_null(value=False)
    rule = (
        pl.when(pl.col("note").str.contains(_LINK)).then(pl.lit("its name is a link or an invitation"))
        .when(_disguised()).then(pl.lit("its name holds characters that are not seen or that look like others"))
        .when(_copies(asset, master)).then(pl.lit("it copies the symbol of a known asset of the chain"))
        .when(received & (pl.col("usd_value") < DUST)).then(pl.lit("dust of an unknown contract"))
    )  # fmt: skip
    keyed = events.with_columns(_asset=asset).join(
        used.with_columns(_used=pl.lit(value=True)), on=["taxpayer_id", "_asset"], how="left", maintain_order="left"
    )
    fresh = pl.col("_used").is_null()
    return keyed.with_columns(
        quarantined=pl.when((candidate & fresh).fill_null(value=False)).then(rule)
    ).drop("_asset", "_used")  # fmt: skip


def _used(events: pl.DataFrame) -> pl.DataFrame:
    """taxpayer_id, _asset: what a client gave in an exchange, or sent in a transaction of its own."""
    gave = events.filter(
        pl.col("sent_asset").is_not_null()
        & (pl.col("received_asset").is_not_null() | pl.col("fee_asset").is_not_null())
    )
    return gave.select("taxpayer_id", _asset="sent_asset").unique()


def _touched(overrides: pl.DataFrame) -> pl.Series:
    """The events that staff named in a correction, or as an end of a move."""
    ends = overrides.filter(field="transfer").select(event_id=pl.col("value").str.split(" ")).explode("event_id")
    return pl.concat([overrides.select("event_id"), ends])["event_id"].drop_nulls().unique()


def _sent(events: pl.DataFrame) -> pl.Series:
    """The transactions in which a client of the firm sent something and paid for it."""
    paid = events.filter(pl.col("sent_asset").is_not_null() & pl.col("fee_asset").is_not_null())
    return paid.select(one_hash("tx_id"))["tx_id"].drop_nulls().unique()


def clear(events: pl.DataFrame) -> pl.DataFrame:
    """The events that lots, income, transfers and questions are made of: all that are not quarantined."""
    return events.filter(pl.col("quarantined").is_null())


def _disguised() -> pl.Expr:
    """Characters that are not seen, or letters that only look Latin among Latin ones or in place of all of them."""
    note = pl.col("note").fill_null("")
    looks = note.str.contains_any([*_LOOKS]) & (
        note.str.contains(r"[A-Za-z]") | _plain(note).str.contains(r"^[\x20-\x7e]+$")
    )
    return note.str.contains(UNSEEN) | note.str.contains(UNSEEN_MARK, literal=True) | looks


def _plain(note: pl.Expr) -> pl.Expr:
    """Text as an eye reads it: without what is not seen, with Latin letters for those that look so."""
    return (
        note.str.replace_all(UNSEEN, "")
        .str.replace_all(UNSEEN_MARK, "", literal=True)
        .str.replace_many([*_LOOKS], [*_LOOKS.values()])
    )


def _copies(asset: pl.Expr, master: pl.DataFrame) -> pl.Expr:
    """Whether the symbol is that of an asset which the master has on the same chain, or of the chain's own coin."""
    listed = master.filter(pl.col("chain").is_not_null() & pl.col("symbol").is_not_null())
    pairs = listed.select(pair=pl.concat_str("chain", pl.lit(" "), pl.col("symbol").str.to_uppercase()))[
        "pair"
    ].to_list()
    pairs += [f"{chain} {symbol}" for chain, symbols in NATIVE.items() for symbol in symbols]
    symbol = _plain(pl.col("note")).str.extract(r"^\s*(\S+)").str.to_uppercase().str.strip_chars("$.'\"")
    return pl.concat_str(asset.str.extract(_CHAIN), pl.lit(" "), symbol).is_in(sorted(set(pairs)))
