"""Bybit's three accounts: unified trading (UTA), funding, and the assets history of the first years. Each is a ledger.

Moves between them stand in two files and are moves inside the account. Contracts other than spot are kept apart.
"""

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
    product,
    reason,
    with_numbers,
)
from transforms.sources.exchange import chained, clocked, columns, ticker

_UTA = {"Currency", "Contract", "Type", "Direction", "Quantity", "Filled Price", "Funding", "Fee Paid", "Cash Flow", "Change", "Wallet Balance", "Time(UTC)"}  # fmt: skip
_FUND = {"Date & Time(UTC)", "Coin", "QTY", "Type", "Account Balance", "Description"}
_ASSETS = {"Time(UTC)", "Coin", "Type", "Amount", "Wallet Balance"}

_UTA_KINDS = {
    "settlement": "funding", "liquidation": "derivative", "delivery": "derivative", "interest": "margin_interest",
    "airdrop": "airdrop", "bonus": "reward", "borrow": "borrow", "repay": "repay",
}  # fmt: skip
_UTA_INSIDE = ("transfer_in", "transfer_out")
# by type and description of a funding row
_FUND_KINDS = {
    "airdrop": "airdrop", "bonus": "reward", "reward": "reward", "rewards": "reward", "referral": "reward",
    "earn": "interest", "deposit": "deposit", "withdraw": "withdrawal", "withdrawal": "withdrawal",
    "fiat:deposit": "deposit", "fiat:withdrawal": "withdrawal", "fiat:withdraw": "withdrawal",
}  # fmt: skip
_FUND_INSIDE = r"^transfer (?:in|out)$|^(?:earn|savings|staking) (?:subscription|redemption)$"
_CARD = "fiat:buy crypto with card"
_ASSET_KINDS = {
    "deposit": "deposit", "userdeposit": "deposit", "withdraw": "withdrawal", "withdrawal": "withdrawal",
    "realized p&l": "derivative", "realised p&l": "derivative", "prize": "reward", "bonus": "reward", "funding fee": "funding",
}  # fmt: skip
_ASSET_INSIDE = ("transfer in", "transfer out", "internalaccounttransferdeposit", "internalaccounttransferwithdrawal")


def identify(head: list[list[str]]) -> int | None:
    """The row with the columns of the unified trading account; a line with the client's number stands above it."""
    return find_header(head, lambda names: set(names) >= _UTA)


def identify_fund(head: list[list[str]]) -> int | None:
    """The row with the columns of the funding account."""
    return find_header(head, lambda names: set(names) >= _FUND)


def identify_assets(head: list[list[str]]) -> int | None:
    """The row with the columns of the assets history."""
    return find_header(head, lambda names: set(names) >= _ASSETS and len(names) <= 7 and "Contract" not in names)


def parse(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row an asset leg; Change = Cash Flow + Funding + Fee Paid, whatever sign the file gives the fee.

    The rows of a spot trade share contract, second and direction and are of two assets that go opposite ways; a row of
    one asset alone is a contract's result, unless its cash flow is its quantity x price: then its other half is missing.
    """
    frame = with_numbers(
        clocked(rows, "Time(UTC)", "", context), flow="Cash Flow", funding="Funding", paid="Fee Paid", change="Change",
        balance="Wallet Balance", size="Quantity", price="Filled Price",
    )  # fmt: skip
    frame = frame.with_columns(
        what=filled("Type").str.to_lowercase().str.replace_all(" ", "_"), asset=ticker("Currency"),
        contract=filled("Contract"), way=filled("Direction").str.to_lowercase(), raw=pl.format("{} unified", ticker("Currency")),
    )  # fmt: skip
    sound = pl.all_horizontal(
        pl.col(name).fill_null(0).abs() < 10**15 for name in ("flow", "funding", "paid", "change")
    )
    flow, funds, change = (pl.when(sound).then(pl.col(name).fill_null(0)) for name in ("flow", "funding", "change"))
    frame = (
        frame.with_columns(fees=flow + funds - change)
        .pipe(_grouped)
        .with_columns(ignore=pl.when(pl.col("what").is_in(_UTA_INSIDE)).then(pl.lit("a move inside the account")))
    )
    moved = pl.col("flow").fill_null(0) + pl.col("funding").fill_null(0)
    kind = pl.when(pl.col("spot")).then(None).when(pl.col("what") == "trade").then(pl.lit("derivative")).otherwise(pl.col("what").replace_strict(_UTA_KINDS, default=None))  # fmt: skip
    frame = frame.with_columns(moved=pl.when(sound).then(moved), what_kind=kind).pipe(chained, "raw", "change")
    frame = _signed(frame, "moved").with_columns(
        fee_quantity=pl.col("fees"), fee_asset=pl.col("asset"), fee_raw=pl.col("raw"), fee_rounded=pl.col("paid_rounded"),
        group_key=pl.when(pl.col("spot")).then("mate"), fact=pl.when(pl.col("what") == "trade").then("mate"),
        note=filled("Contract"),
        row_key=content_id("", "occurred_at", "asset", "contract", "what", "way", "size", "price", "flow", "change", "stated"),
        reject=_uta_fault(),
    )  # fmt: skip
    return finish(frame, context, UTA.family)


def _grouped(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `mate`, what the rows of one trade share, and whether they are a spot trade."""
    mate = pl.format("{}|{}|{}", "contract", "way", pl.col("occurred_at").dt.epoch("s"))
    frame = frame.with_columns(mate=pl.when(pl.col("what") == "trade").then(mate))
    flow = pl.col("flow").fill_null(0)
    both = (
        (flow < 0).any().over("mate") & (flow > 0).any().over("mate") & (pl.col("asset").n_unique().over("mate") == 2)
    )
    return frame.with_columns(spot=(both & pl.col("mate").is_not_null()).fill_null(value=False))


def _uta_fault() -> pl.Expr:
    what, fees = pl.col("what"), pl.col("fees")
    known = what.is_in(["trade", *_UTA_KINDS])
    # half of a spot trade: the cash flow is the value of the units
    worth = product(pl.col("size").abs(), pl.col("price"), below=10**8)
    half = (what == "trade") & ~pl.col("spot") & (pl.col("flow") != 0)
    half &= (pl.col("flow").abs() == pl.col("size").abs()) | ((pl.col("flow").abs() - worth).abs() * 1000 < worth)
    return pl.coalesce(
        reason(~known.fill_null(value=False), f"unknown type {{}}: expected TRADE, TRANSFER_IN, TRANSFER_OUT or one of {one_of(_UTA_KINDS)}", pl.col("Type")),
        *(f"{name}_fault" for name in ("flow", "funding", "paid", "change", "balance", "size", "price")),
        pl.when((fees.abs() != pl.col("paid").fill_null(0).abs()).fill_null(value=True)).then(pl.lit("Change: expected Cash Flow and Funding less Fee Paid")),
        pl.when(half).then(pl.lit("half of a spot trade: the row of its other asset is missing")),
        pl.when(fees < 0).then(pl.lit("a rebate: the fee adds units, enter it in the universal format")),
        pl.when((pl.col("moved").fill_null(0) == 0) & (fees == 0)).then(pl.lit("Change: found none")),
    )  # fmt: skip


def parse_fund(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row a movement of the funding account; a purchase by card shows only the coin: its cost is asked for."""
    frame = with_numbers(clocked(rows, "Date & Time(UTC)", "", context), amount="QTY", balance="Account Balance")
    what, said = filled("Type").str.to_lowercase(), filled("Description").str.to_lowercase()
    action = pl.when(what == "fiat").then(pl.format("fiat:{}", said)).otherwise(what)
    return _simple(frame.with_columns(action=action, note=filled("Description")), "Coin", "fund", _FUND_KINDS, _FUND_INSIDE, context, FUND.family)  # fmt: skip


def parse_assets(rows: pl.DataFrame, context: Context) -> Parsed:
    """One row a movement of the first years' account: coin-margined contracts, deposits and withdrawals."""
    frame = with_numbers(clocked(rows, "Time(UTC)", "", context), amount="Amount", balance="Wallet Balance")
    frame = columns(frame, "Address/Symbol").with_columns(action=filled("Type").str.to_lowercase(), note=filled("Address/Symbol"))  # fmt: skip
    return _simple(frame, "Coin", "assets", _ASSET_KINDS, f"^(?:{'|'.join(_ASSET_INSIDE)})$", context, ASSETS.family)


def _simple(frame: pl.DataFrame, coin: str, wallet: str, kinds: dict[str, str], inside: str, context: Context, family: str) -> Parsed:  # fmt: skip
    action = pl.col("action")
    frame = frame.with_columns(
        asset=ticker(coin), raw=pl.format("{} {}", ticker(coin), pl.lit(wallet)),
        ignore=pl.when(action.str.contains(inside)).then(pl.lit("a move inside the account")),
        what_kind=pl.when(action == _CARD).then(pl.lit("deposit")).otherwise(action.replace_strict(kinds, default=None)),
    ).pipe(chained, "raw", "amount")  # fmt: skip
    kind, amount = pl.col("what_kind"), pl.col("amount")
    wrong = (kind.is_in(["deposit", "reward", "airdrop", "interest"]) & (amount < 0)) | ((kind == "withdrawal") & (amount > 0))  # fmt: skip
    frame = _signed(frame, "amount").with_columns(
        row_key=content_id("", "occurred_at", "asset", "action", "amount", "stated", "note"),
        reject=pl.coalesce(
            reason(kind.is_null(), f"unknown type {{}}: expected a transfer or one of {one_of(kinds)}", pl.coalesce("action", pl.lit(""))),
            "amount_fault", "balance_fault",
            pl.when(amount.fill_null(0) == 0).then(pl.lit("amount: found none")),
            reason(wrong, "{}: found an amount of the other sign", pl.col("Type")),
        ),
    )  # fmt: skip
    return finish(frame, context, family)


def _signed(frame: pl.DataFrame, amount: str) -> pl.DataFrame:
    """Sent or received by the sign of the amount; a derivative's kind too."""
    value, kind = pl.col(amount), pl.col("what_kind")
    lossy = pl.any_horizontal(name for name in frame.columns if name in {f"{amount}_rounded", "flow_rounded", "funding_rounded"})  # fmt: skip
    gain = pl.when(value > 0).then(pl.lit("derivative_gain")).otherwise(pl.lit("derivative_loss"))
    return frame.with_columns(
        kind=pl.when(kind == "derivative").then(gain).otherwise(kind),
        sent_quantity=pl.when(value < 0).then(-value), received_quantity=pl.when(value > 0).then(value),
        **{f"{side}_asset": pl.col("asset") for side in ("sent", "received")},
        **{f"{side}_raw": pl.col("raw") for side in ("sent", "received")},
        **{f"{side}_rounded": lossy for side in ("sent", "received")},
    )  # fmt: skip


UTA = Source(name="bybit_unified", version="1", identify=identify, parse=parse, family="bybit_unified")
FUND = Source(name="bybit_fund", version="1", identify=identify_fund, parse=parse_fund, family="bybit_fund")
ASSETS = Source(name="bybit_assets", version="1", identify=identify_assets, parse=parse_assets, family="bybit_assets")
