"""Harvest: which loss lots to sell tonight, lot by lot. What a sale is worth is in `valuation`, the tables in `advice`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import polars as pl

from schemas.fields import QUANTITY
from schemas.inputs import FirmSettings
from transforms.exact import from_ints, share, to_ints
from transforms.law.parameters import Ints, lookup
from transforms.returns import to_returns
from transforms.valuation import Outlook, Sales, Worth, evaluate, later_year, outlook

STEPS = (16, 128, 1024, 8192)
"""The cut lot is refined by steps of these parts of it, each time around the best cut so far."""
BATCH = 256
"""Returns whose candidates are held in memory together."""
MOST_KINKS = 20
"""Later years at whose end a cut is tried."""
WORTH_A_CUT = 100
"""Cents that a finer cut must gain: no odd quantity for the sake of a rounding."""

SUMS = ("short", "long", "collectible", "given_up", "cost", "collectible_given_up")
"""What is summed over the lots of a set: micro-dollars; the cost in micro-dollars times millionths."""
_TIES = ["asset", "account_id", "lot_id"]
_KEY = ["row", "account_id", "lot_id"]
_CHOICE = [*_KEY, "asset", "term", "date_acquired", "quantity", "cost_rate", "is_short", "is_collectible",
           "is_indivisible", "proceeds", "loss_basis", "gain_basis"]  # fmt: skip


@dataclass(frozen=True)
class Tonight:
    """The returns of the as-of year that have a profile, before any sale advised, and the later years expected."""

    return_ids: tuple[str, ...]
    outlook: Outlook


def tonight_of(returns: pl.DataFrame, expectations: pl.DataFrame, settings: FirmSettings) -> Tonight:
    """The returns with their expected later years.

    Args:
        returns: return_id and the tax kernel's inputs in int64 cents, one row a return.
        expectations: return_id, expected_ordinary_income, expected_annual_gains in dollars; null or no row: this year's
            ordinary income, and no gains.
        settings: the firm's assumptions.
    """
    expected = ("expected_ordinary_income", "expected_annual_gains")
    stated = expectations.select("return_id", (pl.col(expected) * 100).cast(pl.Int64))
    joined = returns.join(stated, on="return_id", how="left", maintain_order="left")
    now = to_returns(returns)
    ordinary = joined.select(pl.coalesce(expected[0], "ordinary")).to_series().to_numpy()
    gains = joined[expected[1]].fill_null(0).to_numpy()
    return Tonight(tuple(returns["return_id"]), outlook(now, later_year(now, ordinary, gains), settings))


def loss_lots(holdings: pl.DataFrame, tonight: Tonight, accounts: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """The lots at a loss that may be sold, of returns with a profile.

    Adds `row` (place in tonight's returns), platform and custody, `indivisible`, `cost_rate` (millionths of the
    proceeds) and the amounts in micro-dollars: `proceeds`, `loss_basis` and `gain_basis`, which differ for a gift.
    """
    rows = pl.DataFrame(
        {"return_id": tonight.return_ids, "row": range(len(tonight.return_ids))},
        schema={"return_id": pl.String, "row": pl.Int64},
    )
    costs = {name: _cost_rate(cost.fee_bp, cost.spread_bp) for name, cost in tonight.outlook.settings.platforms.items()}
    return (
        holdings.filter(pl.col("why_not").is_null() & (pl.col("unrealized_gain") < 0))
        .join(rows, on="return_id")
        .join(accounts.select("account_id", "platform", "custody"), on="account_id", how="left")
        .join(facts.select("asset", "collectible", "indivisible").unique("asset"), on="asset", how="left")
        .with_columns(
            pl.col("collectible", "indivisible").fill_null(value=False).name.map(lambda name: f"is_{name}"),
            is_short=pl.col("term") == "short",
            cost_rate=pl.col("platform").replace_strict(costs, default=costs["default"], return_dtype=pl.Int128),
            proceeds=_micros("value"),
            loss_basis=_micros("value") - _micros("unrealized_gain"),
            gain_basis=_micros("basis"),
        )
    )


def choose(lots: pl.DataFrame, tonight: Tonight) -> pl.DataFrame:
    """The lots to sell, in rank order, with the quantity `sold` of each; no lot of a return that gains nothing.

    Four orders of each return's lots are tried: short-term first, long-term first, largest loss first, most loss for
    its trading cost first; of each order every prefix, its last lot whole or cut where the value turns. The set with
    the highest net benefit wins, the smaller one on a tie. Sets that are no prefix of these orders are not looked at.

    Returns:
        Rows of `loss_lots` with `position` (rank from 1), `sold`, and `proceeds`, `loss_basis`, `gain_basis` of the
        part sold, and the `SUMS` over it and all ranked above it.
    """
    batches = lots.with_columns(_batch=pl.col("row") // BATCH).partition_by("_batch", include_key=False)
    return pl.concat([_choose(batch, tonight) for batch in batches or [lots]])


def _choose(lots: pl.DataFrame, tonight: Tonight) -> pl.DataFrame:
    ordered = _ordered(lots)
    whole = _sold(ordered, _units(ordered["quantity"]))
    best = _best(_scored(pl.concat([whole, _kinks(ordered, tonight)]), tonight))
    for step in STEPS:
        finer = _scored(_cuts(ordered, best, step), tonight)
        best = _best(pl.concat([best.with_columns(favour=pl.lit(WORTH_A_CUT)), finer]))
    winner = best.filter(pl.col("net_benefit") > 0)
    above = winner.select("row", "order", last="position")
    full = whole.join(above, on=["row", "order"]).filter(pl.col("position") < pl.col("last"))
    sold = pl.concat([full.select(whole.columns), winner.select(whole.columns)])
    return _described(sold, lots)


def everything(lots: pl.DataFrame) -> pl.DataFrame:
    """All loss lots sold whole, as `choose` returns them."""
    ordered = _ordered(lots).filter(pl.col("order") == 0)
    return _described(_sold(ordered, _units(ordered["quantity"])), lots)


def worth(sold: pl.DataFrame, tonight: Tonight) -> pl.DataFrame:
    """`sold` with the columns of `valuation.Worth`, in cents, of each row's sums."""
    found = evaluate(tonight.outlook, _sales(sold))
    return sold.with_columns(pl.Series(field.name, getattr(found, field.name)) for field in fields(Worth))


def _cost_rate(fee_bp: Decimal, spread_bp: Decimal) -> int:
    """Selling and buying back, in millionths of the proceeds: two fees and the spread."""
    return int(((2 * fee_bp + spread_bp) * 100).to_integral_value(ROUND_HALF_UP))


def _units(quantity: pl.Series) -> list[int]:
    return [units for units in to_ints(quantity) if units is not None]


def _micros(column: str) -> pl.Expr:
    return pl.col(column).to_physical().cast(pl.Int128)


def _described(sold: pl.DataFrame, lots: pl.DataFrame) -> pl.DataFrame:
    """`sold` in rank order with what else is known of each lot."""
    known = lots.select(*_KEY, pl.exclude(sold.columns))
    return sold.join(known, on=_KEY, how="left").sort("row", "position")


def _ordered(lots: pl.DataFrame) -> pl.DataFrame:
    """Every lot once in each `order`, with its `position` and the sums over the lots before it (`*_before`)."""
    loss = pl.col("loss_basis") - pl.col("proceeds")
    keyed = _with_sums(lots.select(_CHOICE)).with_columns(
        is_long=~pl.col("is_short"),
        per_cost=loss * 10**12 // (pl.col("cost") + 1),
        # parts of one purchase stand together, so that a lot split in two takes the place of the whole
        purchase=loss.sum().over("row", "account_id", "asset", "term", "date_acquired"),
    )
    orders = (["is_short", "per_cost"], ["is_long", "per_cost"], ["purchase", "per_cost"], ["per_cost"])
    before = [(pl.col(name).cum_sum().over("row") - pl.col(name)).alias(f"{name}_before") for name in SUMS]
    return pl.concat(
        keyed.sort("row", *keys, *_TIES, descending=[False, *[True] * len(keys), *[False] * len(_TIES)]).with_columns(
            *before, order=pl.lit(order), position=pl.int_range(1, pl.len() + 1).over("row")
        )
        for order, keys in enumerate(orders)
    )


def _with_sums(lots: pl.DataFrame) -> pl.DataFrame:
    """`lots` with what each adds to the sums."""
    loss = pl.col("loss_basis") - pl.col("proceeds")
    given_up = pl.col("gain_basis") - pl.col("proceeds")
    zero = pl.lit(0, pl.Int128)
    return lots.with_columns(
        short=pl.when("is_short").then(loss).otherwise(zero),
        long=pl.when("is_short").then(zero).otherwise(loss),
        collectible=pl.when(pl.col("is_collectible") & ~pl.col("is_short")).then(loss).otherwise(zero),
        given_up=given_up,
        collectible_given_up=pl.when("is_collectible").then(given_up).otherwise(zero),
        cost=pl.col("proceeds") * pl.col("cost_rate"),
    )


def _sold(ordered: pl.DataFrame, parts: Iterable[int]) -> pl.DataFrame:
    """`ordered` where only `parts` units (of 10^-18) of each lot are sold, with the sums up to and with it."""
    sold, wholes = list(parts), _units(ordered["quantity"])

    def cut(column: str) -> pl.Series:
        amounts = zip(ordered[column], sold, wholes, strict=True)
        return pl.Series(column, [share(*cell) if cell[1] != cell[2] else cell[0] for cell in amounts], pl.Int128)

    cuts = [cut(column) for column in ("proceeds", "loss_basis", "gain_basis")]
    pieces = _with_sums(ordered.with_columns(from_ints("sold", sold, QUANTITY), *cuts))
    return pieces.with_columns(pl.col(name) + pl.col(f"{name}_before") for name in SUMS)


def _kinks(ordered: pl.DataFrame, tonight: Tonight) -> pl.DataFrame:
    """Lots cut where the year's net is zero, where it is the limit, and where a later year uses up the carryover.

    Schedule D line 16 after the sale: 0; -limit (IRC 1211(b)); and less by (limit + expected gains) for each later year.
    """
    view = tonight.outlook
    net = view.before.line_16
    limit = lookup(view.tonight.tax_year, view.tonight.status).capital_loss_limit
    yearly = limit + np.maximum(0, view.later.long_term)
    years = range(min(view.settings.horizon_years, MOST_KINKS) + 1)
    targets = np.stack([net, *(net + limit + count * yearly for count in years)], axis=1)
    kinks = (
        pl.DataFrame({"row": np.arange(net.size), "target": targets}, schema_overrides={"row": pl.Int64})
        .explode("target")
        .with_columns(pl.col("target").cast(pl.Int128) * 10**4)
    )
    loss = pl.col("loss_basis") - pl.col("proceeds")
    need = pl.col("target") - pl.col("short_before") - pl.col("long_before")
    cut = (
        ordered.filter(~pl.col("is_indivisible"))
        .join(kinks.unique(), on="row", maintain_order="left_right")
        .with_columns(need=need, loss=loss)
        .filter((pl.col("need") > 0) & (pl.col("need") < pl.col("loss")))
    )
    wholes = zip(_units(cut["quantity"]), cut["need"], cut["loss"], strict=True)
    parts = [max(1, whole * need // loss) for whole, need, loss in wholes]
    return _sold(cut.select(ordered.columns), parts)


def _cuts(ordered: pl.DataFrame, best: pl.DataFrame, step: int) -> pl.DataFrame:
    """Cuts of the last lot of each best set, and first of the lot after it, in steps of 1/`step` of the lot."""
    reach, next_lots = (STEPS[0] - 1, 1) if step == STEPS[0] else (7, 0)
    near = (
        ordered.filter(~pl.col("is_indivisible"))
        .join(best.select("row", "order", last="position", so_far="sold"), on=["row", "order"])
        .with_columns(beyond=pl.col("position") - pl.col("last"))
        .filter(pl.col("beyond").is_between(0, next_lots))
        .join(pl.DataFrame({"offset": range(-reach, reach + 1)}), how="cross")
    )
    parts = [
        min(whole, (0 if beyond else so_far) + whole * offset // step)
        for whole, so_far, beyond, offset in zip(
            _units(near["quantity"]), _units(near["so_far"]), near["beyond"], near["offset"], strict=True
        )
    ]
    possible = [part > 0 for part in parts]
    return _sold(near.filter(possible).select(ordered.columns), [part for part in parts if part > 0])


def _scored(candidates: pl.DataFrame, tonight: Tonight) -> pl.DataFrame:
    """`candidates` with `net_benefit` (and no `favour`); sets with the same sums are assessed once."""
    keys = ["row", *SUMS]
    found = worth(candidates.select(keys).unique(), tonight).select(*keys, "net_benefit", favour=pl.lit(0))
    return candidates.join(found, on=keys, how="left")


def _best(scored: pl.DataFrame) -> pl.DataFrame:
    """Of each return the set with the highest net benefit; on a tie the smaller sale, then the earlier order."""
    loss = pl.col("short") + pl.col("long")
    benefit = pl.col("net_benefit") + pl.col("favour")
    ranked = scored.sort(pl.col("row"), -benefit, loss, "order", "position", "sold")
    return ranked.unique("row", keep="first", maintain_order=True)


def _sales(sold: pl.DataFrame) -> Sales:
    """The sums in cents, each rounded once, halves up."""

    def cents(name: str, divisor: int) -> Ints:
        rounded = (2 * pl.col(name) + divisor) // (2 * divisor)
        return sold.select(rounded.cast(pl.Int64)).to_series().to_numpy()

    return Sales(
        row=sold["row"].to_numpy(),
        short_loss=cents("short", 10**4),
        long_loss=cents("long", 10**4),
        collectible_loss=cents("collectible", 10**4),
        basis_given_up=cents("given_up", 10**4),
        trading_cost=cents("cost", 10**10),
        collectible_given_up=cents("collectible_given_up", 10**4),
    )
