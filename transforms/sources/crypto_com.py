"""Crypto.com: the App's transactions and the Exchange's trades. Other exports of the Exchange do not belong here."""

from __future__ import annotations

import re
from itertools import chain

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
    usd,
    utc_time,
    with_numbers,
)

_APP = (
    "timestamp utc", "transaction description", "currency", "amount", "to currency", "to amount", "native currency",
    "native amount", "native amount in usd", "transaction kind",
)  # fmt: skip
_EXCHANGE = (
    "order id", "trade id", "time utc", "symbol", "side", "trade price", "trade amount", "volume of business", "fee",
    "fee currency",
)  # fmt: skip

# How the rows of a kind are read.
_SHAPES = {
    "trade": (
        "crypto_exchange", "crypto_viban_exchange", "viban_purchase", "van_purchase", "recurring_buy_order",
        "crypto_to_van_sell_order",
    ),
    "card": ("crypto_purchase",),
    "dust": ("dust_conversion_debited", "dust_conversion_credited"),
    "swap": (
        "dynamic_coin_swap_debited", "dynamic_coin_swap_credited", "lockup_swap_debited", "lockup_swap_credited",
        "crypto_wallet_swap_debited", "crypto_wallet_swap_credited", "interest_swap_debited", "interest_swap_credited",
    ),
    "in:interest": ("crypto_earn_interest_paid", "crypto_earn_extra_interest_paid"),
    "in:staking": (
        "mco_stake_reward", "finance.lockup.dpos_compound_interest.crypto_wallet",
        "finance.dpos.non_compound_interest.crypto_wallet", "finance.dpos.compound_interest.crypto_wallet",
    ),
    "in:airdrop": ("admin_wallet_credited",),
    "in:reward": (
        "referral_bonus", "referral_gift", "referral_commission", "supercharger_reward_to_app_credited",
        "campaign_reward", "rewards_platform_deposit_credited", "pay_checkout_reward", "gift_card_reward",
        "lockup_swap_rebate", "referral_card_cashback", "transfer_cashback", "reimbursement",
    ),
    # what is taken back, and what a merchant gives back: the client is asked
    "out:withdrawal": (
        "card_cashback_reverted", "reimbursement_reverted", "crypto_withdrawal", "viban_withdrawal", "viban_card_top_up",
    ),
    "in:deposit": ("crypto_deposit", "viban_deposit", "crypto_payment_refund"),
    "out:spend": ("crypto_payment", "card_top_up"),
    "signed": ("crypto_transfer",),
    "out:transfer_out": ("crypto_to_exchange_transfer",),
    "in:transfer_in": ("exchange_to_crypto_transfer",),
    "bonus": ("dynamic_coin_swap_bonus_exchange_deposit",),
    "ignore": (
        "crypto_earn_program_created", "crypto_earn_program_withdrawn", "supercharger_deposit",
        "supercharger_withdrawal", "council_node_deposit_created", "lockup_lock", "lockup_unlock", "lockup_upgrade",
        "finance.lockup.dpos_lock.crypto_wallet", "finance.dpos.staking.crypto_wallet",
        "finance.dpos.unstaking.crypto_wallet",
    ),
}  # fmt: skip
_BY_KIND = dict(chain.from_iterable(((kind, shape) for kind in kinds) for shape, kinds in _SHAPES.items()))
_COMMITTED, _LOCKED = (
    r"^trading\.limit_order\..+_commit$",
    r"^trading\.limit_order\..+_(?:un)?lock$|.*_(?:un)?lock$|.*_upgrade$",
)
_TOTAL = "dynamic_coin_swap"
_PARTS = ("lockup_swap", "crypto_wallet_swap")


def _plain(name: str) -> str:
    """`Native Amount (in USD)`, and what R makes of it, `Native.Amount..in.USD.`, are `native amount in usd`."""
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.rename({name: _plain(name) for name in rows.columns if name not in {"row_no", "unfit"}})


def _fits(names: list[str], needed: tuple[str, ...], *more: str) -> bool:
    plain = tuple(map(_plain, names)) if len(names) <= len(needed) + len(more) else ()
    return plain in {needed, (*needed, *more)}


def parse_app(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of the App's rows by their kind. The value is the App's own rate, where it states one in USD.

    A purchase by card shows the coin alone: what was paid is the native amount. The swaps of 2020 of MCO into CRO are
    migrations; the overall swap is the sum of those of the stake and of the wallet, where they stand beside it.
    """
    frame = _named(rows)
    if "transaction hash" not in frame.columns:
        frame = frame.with_columns(pl.lit("").alias("transaction hash"))
    frame = with_numbers(
        frame, amount="amount", target="to amount", native="native amount", worth="native amount in usd"
    )
    raw = pl.col("transaction kind").str.strip_chars().str.to_lowercase()
    frame = frame.with_columns(
        code=raw,
        asset=filled("currency").str.to_uppercase(),
        to=filled("to currency").str.to_uppercase(),
        money=filled("native currency").str.to_uppercase(),
        tx_id=filled("transaction hash"),
        note=filled("transaction description"),
        time_text=pl.col("timestamp utc"),
        occurred_at=utc_time(pl.col("timestamp utc").str.strip_chars(), "%Y-%m-%d %H:%M:%S%.f"),
    ).with_columns(shape=_shape())
    shape, amount, size = pl.col("shape"), pl.col("amount"), pl.col("amount").abs()
    signed = shape.is_in(["dust", "swap", "signed"])
    out = shape.str.starts_with("out:") | (shape == "trade") | (signed & (amount < 0))
    into = shape.str.starts_with("in:") | (shape == "card") | (signed & (amount > 0))
    value = pl.when(pl.col("worth") != 0).then(usd(pl.col("worth").abs()))
    family = pl.col("code").str.replace(r"_(?:debited|credited)$", "")
    frame = frame.with_columns(
        row_key=content_id("", "timestamp utc", "code", "asset", "amount", "to", "target", "note"),
        group_key=pl.when(shape.is_in(["dust", "swap"])).then(pl.format("{}:{}", family, pl.col("occurred_at").dt.epoch("s"))),
        sent_quantity=pl.when(shape == "card").then(pl.col("native").abs()).when(out).then(size),
        sent_asset=pl.when(shape == "card").then("money").otherwise("asset"),
        received_quantity=pl.when(shape == "trade").then(pl.col("target").abs()).when(into).then(size),
        received_asset=pl.when(shape == "trade").then("to").otherwise("asset"),
        sent_usd=value,
        received_usd=value,
        sent_rounded=pl.col("amount_rounded") & (shape != "card"),
        received_rounded=pl.when(shape == "trade").then("target_rounded").otherwise("amount_rounded"),
        kind=pl.when(shape == "swap").then(pl.lit("migration"))
        .when(shape == "signed").then(pl.when(amount < 0).then(pl.lit("withdrawal")).otherwise(pl.lit("deposit")))
        .otherwise(shape.str.extract(r"^(?:in|out):(.+)$")),
        ignore=_app_ignored(),
        reject=_app_fault(),
    ).with_columns(fact="group_key")  # fmt: skip
    return finish(frame, context, APP.family)


def _shape() -> pl.Expr:
    """How a row is read; the kind of a movement of money alone may be blank."""
    code, blank = pl.col("code"), pl.col("code") == ""
    return (
        pl.when(code.str.contains(_COMMITTED)).then(pl.lit("trade"))
        .when(code.str.contains(_LOCKED)).then(pl.lit("ignore"))
        .when(blank & pl.col("asset").is_in(FIAT)).then(pl.lit("signed"))
        .otherwise(code.replace_strict(_BY_KIND, default=None, return_dtype=pl.String))
    )  # fmt: skip


def _app_ignored() -> pl.Expr:
    code = pl.col("code")
    beside = pl.any_horizontal(code.str.starts_with(part) for part in _PARTS).any().over("occurred_at")
    return (
        pl.when(pl.col("shape") == "ignore").then(pl.lit("a move inside the account, or an order not yet carried out"))
        .when((pl.col("shape") == "swap") & code.str.starts_with(_TOTAL) & beside).then(pl.lit("the sum of the swaps of the same second"))
    )  # fmt: skip


def _app_fault() -> pl.Expr:
    shape, amount = pl.col("shape"), pl.col("amount")
    wrong = (shape.str.starts_with("in:") | (shape == "card")) & (amount < 0)
    wrong |= shape.str.starts_with("out:") & (amount > 0)
    wrong |= pl.col("code").str.ends_with("_debited") & (amount > 0)
    wrong |= pl.col("code").str.ends_with("_credited") & (amount < 0) & (shape != "in:airdrop")
    return pl.coalesce(
        reason(shape.is_null(), "unknown Transaction Kind {}: ask for a newer parser, or enter it in the universal format", pl.col("code")),
        *(f"{name}_fault" for name in ("amount", "target", "native", "worth")),
        pl.when(shape == "bonus").then(pl.lit("a bonus paid into the Exchange: enter it there in the universal format as a reward")),
        pl.when(amount.is_null() | (amount == 0)).then(pl.lit("Amount: found none")),
        pl.when((shape == "trade") & (pl.col("target").fill_null(0) == 0)).then(pl.lit("To Amount: found none on a trade")),
        pl.when((shape == "card") & (pl.col("native").fill_null(0) == 0)).then(pl.lit("Native Amount: found none, and it is what was paid")),
        reason(wrong.fill_null(value=False), "Amount: found one of the other direction than {} says", pl.col("code")),
    )  # fmt: skip


def parse_exchange(rows: pl.DataFrame, context: Context) -> Parsed:
    """Legs of the Exchange's trades, a row a fill: the amount in the symbol's first coin, the volume in its second."""
    frame = with_numbers(_named(rows), size="trade amount", volume="volume of business", price="trade price", fee="fee")
    pair = (
        pl.col("symbol")
        .str.strip_chars()
        .str.to_uppercase()
        .str.extract_groups(r"^(?<base>[A-Z0-9]+)[_/](?<quote>[A-Z0-9]+)$")
    )
    frame = frame.with_columns(pair.struct.unnest()).with_columns(
        way=pl.col("side").str.strip_chars().str.to_uppercase(),
        time_text=pl.col("time utc"),
        occurred_at=utc_time(pl.col("time utc").str.strip_chars(), "%Y-%m-%d %H:%M:%S%.f"),
        row_key=content_id("", "order id", "trade id", "time utc", "symbol", "side", "size", "price"),
    )
    buys = pl.col("way") == "BUY"
    value = pl.when(pl.col("quote") == "USD").then(usd(pl.col("volume")))
    amounts = pl.col("size", "volume")
    frame = frame.with_columns(
        sent_quantity=pl.when(buys).then("volume").otherwise("size"),
        sent_asset=pl.when(buys).then("quote").otherwise("base"),
        received_quantity=pl.when(buys).then("size").otherwise("volume"),
        received_asset=pl.when(buys).then("base").otherwise("quote"),
        fee_quantity="fee",
        fee_asset=filled("fee currency").str.to_uppercase(),
        sent_usd=value,
        received_usd=value,
        reject=pl.coalesce(
            reason(~pl.col("way").is_in(["BUY", "SELL"]), "Side: found {}, expected BUY or SELL", pl.col("side")),
            reason(pl.col("quote").is_null(), "Symbol: found {}, expected two coins as ETH_CRO", pl.col("symbol")),
            *(f"{name}_fault" for name in ("size", "volume", "price", "fee")),
            pl.when(pl.any_horizontal(amounts.is_null() | (amounts == 0))).then(pl.lit("Trade Amount or Volume of Business: found none")),
        ),
    )  # fmt: skip
    return finish(frame, context, EXCHANGE.family)


APP = Source(
    name="crypto_com_app", version="1",
    identify=lambda head: find_header(head, lambda names: _fits(names, _APP, "transaction hash")),
    parse=parse_app, family="crypto_com_app", may_lack="transaction hash",
)  # fmt: skip
EXCHANGE = Source(
    name="crypto_com_exchange", version="1",
    identify=lambda head: find_header(head, lambda names: _fits(names, _EXCHANGE)),
    parse=parse_exchange, family="crypto_com_exchange",
)  # fmt: skip
