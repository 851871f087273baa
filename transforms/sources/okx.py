"""OKX's trading and funding histories and OKEx's fills of 2020. Each account's history is its ledger.

Moves between the trading and the funding account stand in both files and are moves inside the account.
"""

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
    one_of,
    reason,
    with_numbers,
)
from transforms.sources.exchange import amount_faults, chained, clocked, columns, ticker, traded, with_pair

_FILLS = {"Trade ID", "Trade Time", "Pairs", "Amount", "Price", "Total", "Fee", "unit"}
_BILLS = {"time", "type", "size", "balance", "fee", "currency"}
_TRADING = {"id", "Order id", "Time", "Trade Type", "Amount", "Fee", "Balance Change", "Balance"}
_FUNDING = {"id", "Time", "Type", "Amount", "Before Balance", "After Balance", "Symbol"}
_CONTRACTS = ("margin", "isolated margin", "cross margin", "perpetual", "perpetual swap", "swap", "futures", "expiry futures", "option", "options")  # fmt: skip
_KINDS = {
    "deposit": "deposit", "withdrawal": "withdrawal", "staking yield": "staking", "fee rebate": "reward",
    "airdrop": "airdrop", "savings yield": "interest", "savings interest": "interest", "reward": "reward",
    "rewards": "reward", "event rewards": "reward", "referral reward": "reward",
}  # fmt: skip
_INSIDE = r"^(?:transfer (?:in|out)|(?:from|to) (?:unified )?(?:trading|funding|spot|margin|futures) account|stake|redeem staking|savings (?:subscription|redemption)|(?:simple )?earn (?:subscription|redemption))$"
_SPOT_INSIDE = ("transfer", "transfer in", "transfer out")


def _bare(names: list[str]) -> list[str]:
    """Names without the byte order mark that the oldest export puts before each."""
    return [name.replace("\ufeff", "").strip() for name in names]


def identify_fills(head: list[list[str]]) -> int | None:
    """The row with the columns of OKEx's fills, a byte order mark before each name or not."""
    return find_header(head, lambda names: set(_bare(names)) >= _FILLS)


def identify(head: list[list[str]]) -> int | None:
    """The row with the columns of the trading account, older (Type, Unit) or newer (Action, Balance Unit)."""
    return find_header(head, lambda names: set(_bare(names)) >= _TRADING and bool({"Balance Unit", "Unit"} & set(_bare(names))))  # fmt: skip


def identify_bills(head: list[list[str]]) -> int | None:
    """The row with the six columns of OKEx's first bills."""
    return find_header(head, lambda names: {name for name in _bare(names) if name} == _BILLS)


def parse_bills(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row an asset leg, signed, the fee beside it; a buy and a sell row of one second are one trade.

    No order is named: where a second holds more than two assets its rows are not read.
    """
    frame = with_numbers(_read(rows, "time", context), amount="size", balance="balance", paid="fee")
    what, amount = filled("type").str.to_lowercase(), pl.col("amount")
    frame = frame.with_columns(
        what=what, asset=ticker("currency"), raw=ticker("currency"),
        ignore=pl.when(what.str.contains(_INSIDE) | what.is_in(_SPOT_INSIDE)).then(pl.lit("a move inside the account")),
    ).pipe(chained, "raw", "amount")  # fmt: skip
    second = pl.when(pl.col("what").is_in(["buy", "sell"])).then(pl.col("occurred_at").dt.epoch("s").cast(pl.String))
    frame = frame.with_columns(second=second)
    assets = pl.col("asset").n_unique().over("second")
    both = (amount > 0).any().over("second") & (amount < 0).any().over("second")
    frame = frame.with_columns(
        row_key=content_id("", "occurred_at", "what", "asset", "amount", "paid", "stated"),
        group_key=pl.format("bill:{}", "second"), fact=pl.col("second"), note=filled("type"),
        sent_quantity=pl.when(amount < 0).then(-amount), received_quantity=pl.when(amount > 0).then(amount),
        fee_quantity=pl.col("paid").abs(),
        **{f"{side}_asset": pl.col("asset") for side in ("sent", "received", "fee")},
        **{f"{side}_rounded": pl.col("amount_rounded") for side in ("sent", "received")},
        fee_rounded=pl.col("paid_rounded"),
        reject=pl.coalesce(
            reason(pl.col("second").is_null() & pl.col("occurred_at").is_not_null(), "unknown type {}: expected buy, sell or a transfer", pl.col("type")),
            "date_fault", "amount_fault", "paid_fault", "balance_fault",
            pl.when(amount.fill_null(0) == 0).then(pl.lit("size: found none")),
            pl.when((amount > 0) != (pl.col("what") == "buy")).then(pl.lit("size: expected above zero on a buy, below on a sell")),
            pl.when(pl.col("paid") > 0).then(pl.lit("fee: found a positive one (a rebate), expected a negative one")),
            pl.when((assets != 2) | ~both).then(pl.lit("a second that does not hold one trade of two assets: enter it in the universal format")),
        ),
    )  # fmt: skip
    return finish(frame, context, BILLS.family)


def identify_funding(head: list[list[str]]) -> int | None:
    """The row with the columns of the funding account."""
    return find_header(head, lambda names: set(_bare(names)) >= _FUNDING)


def _read(rows: pl.DataFrame, time: str, context: Context) -> pl.DataFrame:
    """Columns without marks and the times: `CST` is UTC+8, others are on the account's clock."""
    names = [name for name in rows.columns if name not in {"row_no", "unfit"}]
    bare = dict(zip(names, _bare(names), strict=True))
    rows = rows.rename(bare).with_columns(pl.col(name).str.replace_all("\ufeff", "") for name in bare.values())
    china = pl.col(time).str.contains(r"CST\s*$")
    rows = rows.with_columns(clock=pl.col(time).str.replace(r"\s*CST\s*$", ""), china=china)
    east = clocked(rows, "clock", "+08:00", context)["occurred_at"]
    return clocked(rows, "clock", None, context).with_columns(
        time_text=pl.col(time),
        time_expected=pl.when(~pl.col("china") & pl.lit(context.time_zone is None)).then(pl.lit(ZONE_ASKED)),
        occurred_at=pl.when(pl.col("china")).then(east).otherwise("occurred_at"),
    )


def parse_fills(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row a fill: Amount signed (a negative one is a sale), the total and the fee with their units, the fee negative."""
    frame = _read(rows, "Trade Time", context)
    unit = r"^\s*([+-]?[0-9.eE+-]*[0-9])\s+(\S+)\s*$"
    frame = with_pair(frame, "Pairs").with_columns(
        **{f"{name}_text": pl.col(cell).str.extract(unit, 1) for name, cell in (("total", "Total"), ("fee", "Fee"))},
        total_asset=pl.col("Total").str.extract(unit, 2).str.to_uppercase(), fee_asset=pl.col("Fee").str.extract(unit, 2).str.to_uppercase(),
    )  # fmt: skip
    frame = with_numbers(frame, amount="Amount", total="total_text", fees="fee_text")
    buys = pl.col("amount") > 0
    same_way = (pl.col("amount") > 0) == (pl.col("total") > 0)
    frame = frame.with_columns(
        row_key=content_id("", "occurred_at", "Trade ID", "base", "quote", "amount", "total", "fees"),
        signs_fault=pl.when(same_way).then(pl.lit("found an amount and a total of one sign")),
        fees_sign_fault=pl.when(pl.col("fees") > 0).then(pl.lit("Fee: found a positive one (a rebate), expected a negative one")),
        buys=buys,
    ).with_columns(pl.col("amount", "total", "fees").abs())  # fmt: skip
    frame = frame.with_columns(
        reject=pl.coalesce(
            "date_fault", "pair_fault", *amount_faults("amount", "total"), "fees_fault", "signs_fault", "fees_sign_fault",
            pl.when(pl.col("total_asset") != pl.col("quote")).then(pl.lit("Total: its unit is not the market's second asset")),
            pl.when(filled("Fee").is_not_null() & pl.col("fees").is_null()).then(pl.lit("Fee: expected a number and a unit")),
        ),
        **traded(pl.col("buys")),
    )  # fmt: skip
    return finish(frame, context, FILLS.family)


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row an asset leg: Balance Change = the amount by its action, plus the fee (negative; a rebate adds).

    The rows of an order at one second are one trade. Contracts and margin are kept apart.
    """
    frame = _read(rows, "Time", context)
    unit = "Balance Unit" if "Balance Unit" in frame.columns else "Unit"
    way = "Action" if "Action" in frame.columns else "Type"
    frame = columns(frame, "PnL", "PL").with_columns(pnl_text=pl.coalesce(filled("PnL"), filled("PL")))
    frame = with_numbers(frame, amount="Amount", pnl="pnl_text", paid="Fee", change="Balance Change", balance="Balance")
    frame = frame.with_columns(
        asset=ticker(unit), raw=pl.format("{} trading", ticker(unit)), what=filled("Trade Type").str.to_lowercase(),
        way=filled(way).str.to_lowercase(), order=filled("Order id"), row_key=pl.format("id:{}:{}", filled("id"), ticker(unit)),
        action=filled(way),
    )  # fmt: skip
    spot = (pl.col("what") == "spot").fill_null(value=False)
    frame = frame.with_columns(
        spot=spot,
        ignore=pl.when(pl.col("what").is_in(_SPOT_INSIDE) | pl.col("way").str.contains(_INSIDE)).then(pl.lit("a move inside the account")),
        group_key=pl.when(spot).then(pl.format("{}:{}", "order", pl.col("occurred_at").dt.epoch("s"))),
    ).pipe(chained, "raw", "change")  # fmt: skip
    sound = pl.all_horizontal(pl.col(name).fill_null(0).abs() < 10**15 for name in ("amount", "paid", "change"))
    change, paid = (pl.when(sound).then(pl.col(name).fill_null(0)) for name in ("change", "paid"))
    # a rebate is part of what was received
    fee = pl.when(paid < 0).then(-paid).otherwise(0)
    moved = change + fee
    funding = pl.col("way").str.contains("funding").fill_null(value=False)
    result = pl.when(moved > 0).then(pl.lit("derivative_gain")).otherwise(pl.lit("derivative_loss"))
    frame = frame.with_columns(
        fact=pl.col("group_key"), note=pl.col("action"),
        kind=pl.when(~spot).then(pl.when(funding).then(pl.lit("funding")).when(pl.col("way").str.contains("interest")).then(pl.lit("margin_interest")).otherwise(result)),
        sent_quantity=pl.when(moved < 0).then(-moved), received_quantity=pl.when(moved > 0).then(moved), fee_quantity=fee,
        **{f"{side}_asset": pl.col("asset") for side in ("sent", "received", "fee")},
        **{f"{side}_raw": pl.col("raw") for side in ("sent", "received", "fee")},
        **{f"{side}_rounded": pl.col("change_rounded") for side in ("sent", "received")},
        fee_rounded=pl.col("paid_rounded"),
        reject=_fault(spot, sound, change - paid),
    )  # fmt: skip
    return finish(frame, context, TRADING.family)


def _fault(spot: pl.Expr, sound: pl.Expr, gross: pl.Expr) -> pl.Expr:
    way, amount = pl.col("way"), pl.col("amount")
    expected = pl.when(way == "buy").then(amount).otherwise(-amount)
    alone = pl.col("way").n_unique().over("group_key") < 2
    return pl.coalesce(
        reason(~spot & ~pl.col("what").is_in(_CONTRACTS).fill_null(value=False), f"unknown trade type {{}}: expected Spot, Transfer or one of {one_of(_CONTRACTS)}", pl.col("Trade Type")),
        reason(spot & ~way.is_in(["buy", "sell"]).fill_null(value=False), "unknown action {}: expected Buy or Sell", pl.col("action")),
        "date_fault", *(f"{name}_fault" for name in ("amount", "pnl", "paid", "change", "balance")),
        pl.when(~sound).then(pl.lit("a number out of range")),
        pl.when(filled("id").is_null()).then(pl.lit("id: found none")),
        pl.when(spot & pl.col("order").is_null()).then(pl.lit("Order id: found none")),
        pl.when(spot & (gross != expected).fill_null(value=True)).then(pl.lit("Balance Change: expected the amount and the fee")),
        pl.when(spot & alone).then(pl.lit("half of a trade: the row of its other asset is missing")),
    )  # fmt: skip


def parse_funding(rows: pl.DataFrame, context: Context) -> Parsed:
    """Signed amounts; After - Before tells whether the fee of a withdrawal is part of its amount or beside it."""
    frame = columns(_read(rows, "Time", context), "Fee")
    frame = with_numbers(frame, amount="Amount", paid="Fee", before="Before Balance", balance="After Balance")
    what = filled("Type").str.to_lowercase()
    frame = frame.with_columns(
        what=what, asset=ticker("Symbol"), raw=pl.format("{} funding", ticker("Symbol")),
        kind=what.replace_strict(_KINDS, default=None),
        ignore=pl.when(what.str.contains(_INSIDE)).then(pl.lit("a move inside the account")),
        row_key=pl.format("id:{}", filled("id")), note=filled("Type"), change=pl.col("balance") - pl.col("before"),
    ).pipe(chained, "raw", "change")  # fmt: skip
    sound = pl.all_horizontal(
        pl.col(name).fill_null(0).abs() < 10**15 for name in ("amount", "paid", "before", "balance")
    )
    fee = pl.when(sound).then(pl.col("paid").fill_null(0).abs())
    change = pl.when(sound).then("change")
    amount = pl.when(sound).then("amount").abs()
    out = change < 0
    fits = (change.abs() == amount) | (change.abs() == pl.when(out).then(amount + fee).otherwise(amount - fee))
    wrong = pl.when(pl.col("kind") == "withdrawal").then(change > 0).otherwise(change < 0)
    frame = frame.with_columns(
        sent_quantity=pl.when(out).then(-change - fee), received_quantity=pl.when(~out).then(change + fee), fee_quantity=fee,
        **{f"{side}_asset": pl.col("asset") for side in ("sent", "received", "fee")},
        **{f"{side}_raw": pl.col("raw") for side in ("sent", "received", "fee")},
        **{f"{side}_rounded": pl.col("amount_rounded") for side in ("sent", "received")},
        fee_rounded=pl.col("paid_rounded"),
        reject=pl.coalesce(
            reason(pl.col("kind").is_null(), f"unknown type {{}}: expected a transfer or one of {one_of(_KINDS)}", pl.col("Type")),
            "date_fault", *(f"{name}_fault" for name in ("amount", "paid", "before", "balance")),
            pl.when(filled("id").is_null()).then(pl.lit("id: found none")),
            pl.when(~fits.fill_null(value=False)).then(pl.lit("After Balance: expected the balance before and the amount, with or without the fee")),
            pl.when(change.fill_null(0) == 0).then(pl.lit("Amount: found none")),
            reason(wrong, "{}: found an amount of the other sign", pl.col("Type")),
        ),
    )  # fmt: skip
    return finish(frame, context, FUNDING.family)


FILLS = Source(
    name="okx_fills",
    version="1",
    identify=identify_fills,
    parse=parse_fills,
    family="okx_fills",
    depends=of_zone,
    checks="okx_trading",
)
BILLS = Source(
    name="okx_bills", version="1", identify=identify_bills, parse=parse_bills, family="okx_bills", depends=of_zone
)
TRADING = Source(name="okx_trading", version="1", identify=identify, parse=parse, family="okx_trading", depends=of_zone)
FUNDING = Source(
    name="okx_funding",
    version="1",
    identify=identify_funding,
    parse=parse_funding,
    family="okx_funding",
    depends=of_zone,
)
