"""Harvest: which lots to sell tonight, lot by lot. What a sale is worth is in `valuation`, the tables in `advice`.

Where lots are divisible and free to choose, the best net short- and long-term loss is found by the exact enumeration of
`cells`, and made up of the lots that cost least a dollar of it. Where an order is forced, a trade has a fixed cost or a
least size, units are indivisible, or a sale moves more than the two nets (28 % gains, gifts with two bases), `branches`
solves it, and `forced` what it leaves undecided.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.fields import QUANTITY
from schemas.inputs import FirmSettings, PlatformCost
from transforms import branches, forced
from transforms.cells import NOISE, Costs, Floats, Problems, maximise
from transforms.exact import from_ints, share, to_ints
from transforms.law.parameters import Ints, lookup
from transforms.law.states import NOWHERE, state_tax
from transforms.returns import to_returns
from transforms.valuation import Outlook, Sales, Worth, evaluate, later_year, outlook

BATCH = 1_000
"""Returns searched together."""
MOST_DECIDED = 6
"""Collectibles of a return, if each is sold whole or not at all, of which every subset is looked into."""
MOST_WHOLE = 12
"""Of so many lots that are sold whole or not at all every subset is tried."""
BROKER_YEAR = 2027
"""From here on a lot at a US broker is identified by what the broker accepts alone (Notice 2026-20 ends)."""

SUMS = ("short", "long", "collectible", "given_up", "cost", "collectible_given_up")
"""What is summed over the lots of a set: micro-dollars; the cost in micro-dollars times millionths."""
_MILLION = 10**6
_CENT = 10**4
_TIES = ["asset", "account_id", "lot_id"]
_KEY = ["row", "account_id", "lot_id"]
_NO_CHAIN = -1


@dataclass(frozen=True)
class Tonight:
    """The returns of the as-of year that have a profile, before any sale advised, and the later years expected."""

    return_ids: tuple[str, ...]
    outlook: Outlook
    state_known: npt.NDArray[np.bool_]
    """Whether the tax of each return's state is in the figures."""


class Plan(NamedTuple):
    """What to sell, and how the choice is proved.

    `sold`: rows of `for_sale` with `position` (rank from 1), `sold` (the quantity), `proceeds`, `loss_basis` and
    `gain_basis` of the part sold, and the `SUMS` over it and all ranked above it. `proofs`: row, optimum (enumerated,
    branched, milp, searched), gap (cents by which a better choice is at most better; null: not known), one row a return
    searched.
    """

    sold: pl.DataFrame
    proofs: pl.DataFrame


def tonight_of(
    returns: pl.DataFrame,
    expectations: pl.DataFrame,
    settings: FirmSettings,
    homes: pl.DataFrame | None = None,
) -> Tonight:
    """The returns with their expected later years.

    Args:
        returns: return_id and the tax kernel's inputs in int64 cents, one row a return.
        expectations: return_id, expected_ordinary_income, expected_annual_gains in dollars; null or no row: this year's
            ordinary income, and no gains.
        settings: the firm's assumptions.
        homes: return_id, state_index (`law.states`); none: no state's tax counts.
    """
    expected = ("expected_ordinary_income", "expected_annual_gains")
    stated = expectations.select("return_id", (pl.col(expected) * 100).cast(pl.Int64))
    joined = returns.join(stated, on="return_id", how="left", maintain_order="left")
    now = to_returns(returns)
    ordinary = joined.select(pl.coalesce(expected[0], "ordinary")).to_series().to_numpy()
    gains = joined[expected[1]].fill_null(0).to_numpy()
    home = np.full(returns.height, NOWHERE)
    if homes is not None:
        of = returns.select("return_id").join(homes, on="return_id", how="left", maintain_order="left")
        home = of["state_index"].fill_null(NOWHERE).to_numpy()
    view = outlook(now, later_year(now, ordinary, gains), settings, home)
    return Tonight(tuple(returns["return_id"]), view, state_tax(now, view.before, home).covered)


def for_sale(
    holdings: pl.DataFrame,
    tonight: Tonight,
    accounts: pl.DataFrame,
    facts: pl.DataFrame,
    gains_of: Sequence[str] = (),
    year: int | None = None,
) -> pl.DataFrame:
    """The lots that may be sold, of returns with a profile: those at a loss, and of some returns those at a gain.

    Adds `row` (place in tonight's returns), platform and custody, `is_indivisible`, `cost_rate` (millionths of the
    proceeds), `fixed_fee` and `minimum_trade` (micro-dollars), the amounts in micro-dollars `proceeds`, `loss_basis`
    and `gain_basis`, which differ for a gift, and `chain` and `place`: from 2027 the lots of an asset at a US broker
    that offers one method alone (`only_method`) are sold in that method's order, a gain among them and up to the first
    lot that is not up for sale; -1 is a lot free to choose.

    Args:
        holdings: the table `holdings`.
        tonight: the returns.
        accounts: account_id, platform, custody and, where known, wallet and only_method.
        facts: asset, collectible, indivisible.
        gains_of: return_ids whose lots at a gain may be sold.
        year: of the sale; orders are forced from 2027 on.
    """
    rows = pl.DataFrame(
        {"return_id": tonight.return_ids, "row": range(len(tonight.return_ids))},
        schema={"return_id": pl.String, "row": pl.Int64},
    )
    absent = [pl.lit(None, pl.String).alias(name) for name in ("wallet", "only_method") if name not in accounts.columns]
    known = accounts.with_columns(absent).select("account_id", "platform", "custody", "wallet", "only_method")
    joined = (
        holdings.join(rows, on="return_id")
        .join(known, on="account_id", how="left")
        .join(facts.select("asset", "collectible", "indivisible").unique("asset"), on="asset", how="left")
        .with_columns(
            pl.col("collectible", "indivisible").fill_null(value=False).name.map(lambda name: f"is_{name}"),
            is_short=pl.col("term") == "short",
            proceeds=_micros("value"),
            loss_basis=_micros("value") - _micros("unrealized_gain"),
            gain_basis=_micros("basis"),
        )
        .with_columns(_platform_costs(tonight.outlook.settings))
        .pipe(_chained, year or 0)
    )
    loss = pl.col("unrealized_gain") < 0
    gain = (pl.col("unrealized_gain") > 0) & pl.col("return_id").is_in(list(gains_of))
    # of a return whose gains are not looked at a chain ends at its first gain
    barred = ((pl.col("unrealized_gain") > 0) & ~pl.col("return_id").is_in(list(gains_of))).cast(pl.Int64)
    passed = barred.cum_sum().over("chain", order_by="place") == 0
    in_chain = (pl.col("chain") != _NO_CHAIN) & pl.col("reached") & passed
    free = (pl.col("chain") == _NO_CHAIN) & (loss | gain) & pl.col("why_not").is_null()
    return joined.filter(free | in_chain).drop("reached", "wallet", "only_method")


def with_kinds(lots: pl.DataFrame, accounts: pl.DataFrame, facts: pl.DataFrame, settings: FirmSettings) -> pl.DataFrame:
    """Holdings with `is_collectible` and the `cost_rate` of their platform."""
    return (
        lots.join(accounts.select("account_id", "platform"), on="account_id", how="left", maintain_order="left")
        .join(
            facts.select("asset", is_collectible="collectible").unique("asset"), on="asset", how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("is_collectible").fill_null(value=False), *_platform_costs(settings)[:1])
    )  # fmt: skip


def _platform_costs(settings: FirmSettings) -> list[pl.Expr]:
    """`cost_rate`, `fixed_fee`, `minimum_trade` of each lot's platform."""

    def column(name: str, of: dict[str, int]) -> pl.Expr:
        found = pl.col("platform").replace_strict(of, default=of["default"], return_dtype=pl.Int128)
        return found.fill_null(of["default"]).alias(name)

    platforms = settings.platforms
    return [
        column("cost_rate", {name: _cost_rate(cost) for name, cost in platforms.items()}),
        column("fixed_fee", {name: int(2 * cost.fixed_fee * _MILLION) for name, cost in platforms.items()}),
        column("minimum_trade", {name: int(cost.minimum_trade * _MILLION) for name, cost in platforms.items()}),
    ]


def _cost_rate(cost: PlatformCost) -> int:
    """Selling and buying back, in millionths of the proceeds: two fees, the spread, slippage on both trades."""
    points = 2 * cost.fee_bp + cost.spread_bp + 2 * cost.slippage_bp
    return int((points * 100).to_integral_value(ROUND_HALF_UP))


def _chained(lots: pl.DataFrame, year: int) -> pl.DataFrame:
    """Add `chain` and `place` of lots in a forced order, and `reached`: no lot before it is kept from sale."""
    broker = pl.col("custody").fill_null("us_broker") == "us_broker"
    is_forced = broker & pl.col("only_method").is_in(["fifo", "lifo", "hifo", "lofo"]) & (year >= BROKER_YEAR)
    wallet = pl.struct("taxpayer_id", pl.coalesce("wallet", "account_id"), "asset")
    unit_basis = pl.col("basis").cast(pl.Float64) / pl.col("quantity").cast(pl.Float64)
    age, dear = pl.col("date_acquired").cast(pl.Int64).cast(pl.Float64), unit_basis.fill_null(0.0)
    key = (
        pl.when(pl.col("only_method") == "fifo").then(age)
        .when(pl.col("only_method") == "lifo").then(-age)
        .when(pl.col("only_method") == "hifo").then(-dear)
        .otherwise(dear)
    )  # fmt: skip
    ordered = lots.with_columns(
        chain=pl.when(is_forced).then(wallet.rank("dense").cast(pl.Int64)).otherwise(_NO_CHAIN), key=key
    ).sort("chain", "key", *_TIES)
    kept = pl.col("why_not").is_not_null().cast(pl.Int64).cum_sum().over("chain")
    return ordered.with_columns(place=pl.int_range(pl.len()).over("chain"), reached=kept == 0).drop("key")


def choose(lots: pl.DataFrame, tonight: Tonight) -> Plan:
    """What to sell: the set with the highest net benefit, the smaller one on a tie; nothing where nothing is gained.

    A plan must bring more than the rounding of its taxes could feign.
    """
    batches = lots.with_columns(_batch=pl.col("row") // BATCH).partition_by("_batch", include_key=False)
    plans = [_choose(batch, tonight) for batch in batches or [lots]]
    return Plan(*(pl.concat(part) for part in zip(*plans, strict=True)))


def _choose(lots: pl.DataFrame, tonight: Tonight) -> Plan:
    hard = (
        (pl.col("chain") != _NO_CHAIN)
        | pl.col("is_indivisible")
        | pl.col("is_collectible")
        | (pl.col("loss_basis") != pl.col("gain_basis"))
        | (pl.col("fixed_fee") > 0)
        | (pl.col("minimum_trade") > 0)
    )
    lots = _with_sums(lots).with_columns(is_hard=hard.any().over("row"))
    easy, hard_lots = lots.filter(~pl.col("is_hard")), lots.filter("is_hard")
    free = _enumerated(easy, tonight)
    bound = _bound(hard_lots, tonight)
    parts = pl.concat([free.sold, bound.sold])
    ranked = _ranked(parts)
    found = worth(_with_trades(ranked), tonight)
    net = found.group_by("row").agg(pl.col("net_benefit").last())
    gains = net.filter(pl.col("net_benefit") > NOISE)
    sold = found.join(gains, on="row", how="semi").select(pl.exclude(_WORTH))
    proofs = pl.concat([free.proofs, bound.proofs]).with_columns(
        gap=pl.when(pl.col("optimum") != "searched").then("gap")
    )
    return Plan(sold.sort("row", "position"), proofs.sort("row"))


# --- lots free to choose ---


def _enumerated(lots: pl.DataFrame, tonight: Tonight) -> Plan:
    """Lots free to choose."""
    rows = lots["row"].unique().sort().to_numpy()
    costs, ordered = _curves(lots.filter(pl.col("short") + pl.col("long") != 0), rows)
    found = maximise(_nothing_beside(rows), costs, tonight.outlook)
    parts = _made_up(ordered, rows, found.short, found.long)
    return Plan(parts, _proofs(rows.tolist(), ["enumerated"] * rows.size, (found.bound - found.value).tolist()))


def _nothing_beside(rows: Ints) -> Problems:
    nothing = np.zeros(rows.size, np.int64)
    return Problems(rows, nothing, nothing, nothing, nothing, nothing)


def _curves(lots: pl.DataFrame, rows: Ints) -> tuple[Costs, pl.DataFrame]:
    """The least cost of net losses of each return, and the lots in that order with the loss before each (`before`)."""
    loss = pl.col("short") + pl.col("long")
    ordered = (
        lots.with_columns(
            amount=loss.abs(),
            side=pl.when("is_short").then(0).otherwise(2) + (loss < 0).cast(pl.Int32),
            rate=pl.col("cost").cast(pl.Float64) / _MILLION / loss.abs().cast(pl.Float64),
        )
        # parts of one purchase stand together, so that a lot split in two takes the place of the whole
        .sort("row", "side", "rate", "date_acquired", *_TIES)
        .with_columns(
            total=pl.col("amount").cum_sum().over("row", "side"),
            spent=(pl.col("cost").cast(pl.Float64) / _MILLION).cum_sum().over("row", "side"),
        )
        .with_columns(before=pl.col("total") - pl.col("amount"))
        .with_row_index("at")
    )
    ends = ordered.group_by("row", "side").agg(start=pl.col("at").min(), stop=pl.col("at").max() + 1)
    start, stop = np.zeros((rows.size, 4), np.int64), np.zeros((rows.size, 4), np.int64)
    at = np.searchsorted(rows, ends["row"].to_numpy()), ends["side"].to_numpy()
    start[at], stop[at] = ends["start"].to_numpy(), ends["stop"].to_numpy()
    columns = [ordered[name].cast(pl.Float64).to_numpy() for name in ("total", "spent", "rate")]
    return Costs(columns[0] / _CENT, columns[1] / _CENT, columns[2], start, stop), ordered


def _made_up(ordered: pl.DataFrame, rows: Ints, short: Ints, long: Ints) -> pl.DataFrame:
    """The lots, cheapest first, that make up each return's net losses; the last one cut."""
    wanted = pl.DataFrame({"row": rows, "want_short": short, "want_long": long})
    loss = pl.col("short") + pl.col("long")
    want = pl.when("is_short").then("want_short").otherwise("want_long")
    some = ordered.join(wanted, on="row", maintain_order="left").with_columns(
        need=pl.when(want.sign() == loss.sign())
        .then(want.abs().cast(pl.Int128) * _CENT - pl.col("before"))
        .otherwise(0)
    )
    some = some.filter(pl.col("need") > _CENT // 2)
    # a cent less is no reason to leave dust, but where that cent is dear to sell
    dust = (_CENT / some["rate"].clip(lower_bound=1.0)).to_list()
    units = zip(_units(some["quantity"]), some["need"], some["amount"], dust, strict=True)
    parts = [whole if need >= amount - cent else max(1, whole * need // amount) for whole, need, amount, cent in units]
    return _cut(some, parts)


# --- forced choices ---


def _bound(lots: pl.DataFrame, tonight: Tonight) -> Plan:
    """Returns whose lots are not free to choose, one by one; the branches on as many threads as the machine has."""
    each = lots.partition_by("row", maintain_order=True) if lots.height else []
    few = [bool(of["is_indivisible"].all()) and of.height <= MOST_WHOLE for of in each]
    view = tonight.outlook
    with ThreadPoolExecutor() as pool:
        found = pool.map(
            lambda of: branches.solve(_forced_lots(of), int(of["row"][0]), view),
            (of for of, small in zip(each, few, strict=True) if not small),
        )
        plans = [
            _every_subset(of, tonight) if small else _solve(of, next(found), tonight)
            for of, small in zip(each, few, strict=True)
        ]
    if not plans:
        return Plan(_no_parts(lots), _proofs([], [], []))
    return Plan(*(pl.concat(part) for part in zip(*plans, strict=True)))


def _solve(lots: pl.DataFrame, found: branches.Branched, tonight: Tonight) -> Plan:
    """One return as the branches say; by the program where they leave trades that must reach a least value open."""
    parts, bound, optimum = _shares(lots, found.parts), found.bound, "branched"
    most = _value(parts, tonight)
    if found.bound > found.value + branches.ENOUGH and (lots["minimum_trade"] > 0).any():
        other, limit = _programmed(lots, tonight, most)
        value = _value(other, tonight)
        bound, optimum = min(bound, limit), "milp"
        parts, most = (other, value) if value > most else (parts, most)
    if (lots["is_collectible"] & ~_decided(lots)).any():
        optimum = "searched"
    return Plan(parts, _proofs([lots["row"][0]], [optimum], [bound - most]))


def _decided(lots: pl.DataFrame) -> pl.Series:
    """Collectibles that are sold whole or not at all, if they are few."""
    return lots["is_collectible"] & lots["is_indivisible"] & (lots["is_collectible"].sum() <= MOST_DECIDED)


def _every_subset(lots: pl.DataFrame, tonight: Tonight) -> Plan:
    """A few lots that are sold whole or not at all: the best of all subsets that chains and trades allow."""
    lots = lots.sort("chain", "place", *_TIES)
    subsets = np.array(list(product((0, 1), repeat=lots.height)), np.int64)
    chain, place = lots["chain"].to_numpy(), lots["place"].to_numpy()
    proceeds = lots["proceeds"].cast(pl.Int64).to_numpy()
    trade = _trades(lots)
    allowed, fixed = np.ones(len(subsets), np.bool_), np.zeros(len(subsets), np.int64)
    for one in range(1, lots.height):
        if chain[one] != _NO_CHAIN and chain[one] == chain[one - 1] and place[one] > place[one - 1]:
            allowed &= subsets[:, one] <= subsets[:, one - 1]
    for number in np.unique(trade):
        mine = trade == number
        made, sold = subsets[:, mine].any(axis=1), subsets[:, mine] @ proceeds[mine]
        allowed &= ~made | (sold >= int(lots["minimum_trade"].filter(pl.Series(mine))[0]))
        fixed += made * int(lots["fixed_fee"].filter(pl.Series(mine))[0])
    subsets, fixed = subsets[allowed], fixed[allowed]
    micros = lots.with_columns(pl.col("cost") // _MILLION).cast(dict.fromkeys(SUMS, pl.Int64))
    sums = {name: subsets @ micros[name].to_numpy() for name in SUMS}
    sums["cost"] = sums["cost"] + fixed
    table = pl.DataFrame({"row": np.full(len(subsets), lots["row"][0]), **sums}).cast(dict.fromkeys(SUMS, pl.Int128))
    table = table.with_columns(pl.col("cost") * _MILLION)
    net = worth(table, tonight)["net_benefit"].to_numpy()
    size = np.abs(sums["short"]) + np.abs(sums["long"])
    best = np.lexsort((size, -net))[0]
    parts = lots.with_columns(sold="quantity").filter(pl.Series(subsets[best] == 1)).select(_no_parts(lots).columns)
    return Plan(parts, _proofs([lots["row"][0]], ["enumerated"], [0]))


def _programmed(lots: pl.DataFrame, tonight: Tonight, known: float) -> tuple[pl.DataFrame, float]:
    """The parts that the program chooses (none: nothing better than `known`), and a bound (cents) of any choice.

    It takes lots that move more than the two nets as if they did not: then there is no bound.
    """
    rows = lots["row"].head(1).to_numpy()
    costs, _ = _curves(lots.filter(pl.col("short") + pl.col("long") != 0), rows)
    found = maximise(_nothing_beside(rows), costs, tonight.outlook, np.array([known]), told=True)
    solved = forced.solve(_forced_lots(lots), found.cells[0], known)
    is_plain = lots["is_collectible"].not_().all() and (lots["loss_basis"] == lots["gain_basis"]).all()
    bound = max(known, float(found.bound[0]), solved.bound) if is_plain else np.inf
    if solved.parts is None:
        return _no_parts(lots), bound
    return _shares(lots, solved.parts), bound


def _forced_lots(lots: pl.DataFrame) -> forced.Lots:
    def cents(name: str, divisor: int = _CENT) -> Floats:
        return lots[name].cast(pl.Float64).to_numpy() / divisor

    return forced.Lots(
        cents("short"), cents("long"), cents("collectible"), cents("given_up"), cents("collectible_given_up"),
        cents("proceeds"), cents("cost", _CENT * _MILLION), lots["is_indivisible"].to_numpy(),
        _decided(lots).to_numpy(), _trades(lots), cents("fixed_fee"), cents("minimum_trade"), lots["chain"].to_numpy(), lots["place"].to_numpy(),
    )  # fmt: skip


def _value(parts: pl.DataFrame, tonight: Tonight) -> float:
    """Net benefit of the parts of one return, cents."""
    if parts.is_empty():
        return 0.0
    return float(worth(_with_trades(_ranked(parts)).tail(1), tonight)["net_benefit"][0])


# --- sets of lots ---


def everything(lots: pl.DataFrame) -> pl.DataFrame:
    """All lots at a loss sold whole, as `Plan.sold`."""
    losing = _with_sums(lots.filter(pl.col("loss_basis") > pl.col("proceeds")))
    return _with_trades(_ranked(losing.with_columns(sold="quantity")))


def greedy(lots: pl.DataFrame, tonight: Tonight) -> pl.DataFrame:
    """The largest losses, whole lots, until they cover the year's gains and the yearly limit: what lists of losses do."""
    before = tonight.outlook.before
    limit = lookup(tonight.outlook.tonight.tax_year, tonight.outlook.tonight.status).capital_loss_limit
    cover = pl.DataFrame(
        {"row": np.arange(limit.size), "cover": before.line_16 + limit}, schema={"row": pl.Int64, "cover": pl.Int64}
    )
    loss = pl.col("loss_basis") - pl.col("proceeds")
    ordered = _with_sums(lots.filter(loss > 0)).with_columns(_loss=loss)
    ordered = ordered.sort("row", "_loss", *_TIES, descending=[False, True, *[False] * 3]).join(
        cover, on="row", maintain_order="left"
    )
    before_it = pl.col("_loss").cum_sum().over("row") - pl.col("_loss")
    taken = ordered.filter(before_it < pl.col("cover").cast(pl.Int128) * _CENT)
    return _with_trades(_ranked(taken.with_columns(sold="quantity")))


def worth(sold: pl.DataFrame, tonight: Tonight) -> pl.DataFrame:
    """`sold` with the columns of `valuation.Worth`, in cents, of each row's sums."""
    found = evaluate(tonight.outlook, _sales(sold))
    return sold.with_columns(pl.Series(field.name, getattr(found, field.name)) for field in fields(Worth))


def worth_of_one(turning: pl.DataFrame, chosen: pl.DataFrame, tonight: Tonight, *, short: bool) -> pl.DataFrame:
    """The worth of each return's plan with the whole of one lot in it, a row a lot, were the lot of the term said.

    Args:
        turning: row, account_id, lot_id, asset, value, unrealized_gain, basis, is_collectible, cost_rate: whole lots.
        chosen: `Plan.sold`: what the plan sells of the lot is taken out first.
        tonight: the returns.
        short: the term in which the lot is sold.
    """
    last = chosen.group_by("row", maintain_order=True).agg(pl.col(SUMS).last())
    own = _with_sums(chosen.drop(SUMS)).select(*_KEY, *(pl.col(name).alias(f"own_{name}") for name in SUMS))
    lot = _with_sums(
        turning.with_columns(
            proceeds=_micros("value"), loss_basis=_micros("value") - _micros("unrealized_gain"), gain_basis=_micros("basis"),
            is_short=pl.lit(short),
        )
    )  # fmt: skip
    rest = lot.join(last, on="row", how="left", maintain_order="left", suffix="_plan").join(
        own, on=_KEY, how="left", maintain_order="left"
    )
    sums = [
        (pl.col(name) + pl.col(f"{name}_plan").fill_null(0) - pl.col(f"own_{name}").fill_null(0)).alias(name)
        for name in SUMS
    ]
    return worth(rest.select("row", *sums), tonight)


_WORTH = [field.name for field in fields(Worth)]


def _units(quantity: pl.Series) -> list[int]:
    return [units for units in to_ints(quantity) if units is not None]


def _micros(column: str) -> pl.Expr:
    return pl.col(column).to_physical().cast(pl.Int128)


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


def _cut(lots: pl.DataFrame, parts: list[int]) -> pl.DataFrame:
    """`lots` of which `parts` units (of 10^-18) are sold, with the amounts and sums of these."""
    wholes = _units(lots["quantity"])

    def cut(column: str) -> pl.Series:
        amounts = zip(lots[column], parts, wholes, strict=True)
        return pl.Series(column, [share(*cell) if cell[1] != cell[2] else cell[0] for cell in amounts], pl.Int128)

    cuts = [cut(column) for column in ("proceeds", "loss_basis", "gain_basis")]
    return _with_sums(lots.with_columns(from_ints("sold", parts, QUANTITY), *cuts)).select(_no_parts(lots).columns)


def _shares(lots: pl.DataFrame, parts: Floats) -> pl.DataFrame:
    """`lots` of which these parts (0 to 1) are sold, in whole units; those of which nothing is sold are left out."""
    shares = zip(map(float.as_integer_ratio, parts.tolist()), _units(lots["quantity"]), strict=True)
    units = [(2 * above * whole + below) // (2 * below) for (above, below), whole in shares]
    return _cut(lots.filter([unit > 0 for unit in units]), [unit for unit in units if unit > 0])


def _trades(lots: pl.DataFrame) -> Ints:
    """A number for the trade that each lot is sold in: an asset of an account."""
    return lots.select(pl.struct("account_id", "asset").rank("dense").cast(pl.Int64)).to_series().to_numpy()


_OF_A_PART = (
    "row", "return_id", "taxpayer_id", "account_id", "asset", "lot_id", "quantity", "price", "priced_at", "term",
    "date_acquired", "long_term_from", "unrealized_gain", "platform", "custody", "is_short", "is_collectible",
    "is_indivisible", "cost_rate", "fixed_fee", "minimum_trade", "chain", "place", "proceeds", "loss_basis",
    "gain_basis", *SUMS,
)  # fmt: skip


def _no_parts(lots: pl.DataFrame) -> pl.DataFrame:
    types: dict[str, pl.DataType | type[pl.DataType]] = {
        **lots.schema,
        **dict.fromkeys(SUMS, pl.Int128),
        "sold": QUANTITY,
    }
    return pl.DataFrame(schema={name: types[name] for name in (*_OF_A_PART, "sold")})


def _ranked(parts: pl.DataFrame) -> pl.DataFrame:
    """Parts in rank order (`position`): losses before gains, short-term first, the cheapest dollar of loss first."""
    loss = pl.col("loss_basis") - pl.col("proceeds")
    first = pl.when(pl.col("chain") == _NO_CHAIN).then(0).otherwise(pl.col("place"))
    return (
        parts.with_columns(
            _gain=(loss < 0) & (pl.col("chain") == _NO_CHAIN),
            _rate=pl.col("cost").cast(pl.Float64) / (loss.abs().cast(pl.Float64) + 1),
            _first=first,
        )
        .sort("row", "_gain", "chain", "_first", "is_short", "_rate", "date_acquired", *_TIES,
              descending=[False, False, False, False, True, False, False, False, False, False])
        .with_columns(position=pl.int_range(1, pl.len() + 1).over("row"))
        .drop("_gain", "_rate", "_first")
    )  # fmt: skip


def _with_trades(ranked: pl.DataFrame) -> pl.DataFrame:
    """Ranked parts with the fixed cost of each trade in its first part, and the sums up to and with each."""
    opens = pl.int_range(pl.len()).over("row", "account_id", "asset") == 0
    cost = pl.col("cost") + pl.when(opens).then(pl.col("fixed_fee") * _MILLION).otherwise(0)
    return ranked.with_columns(cost=cost).with_columns(pl.col(name).cum_sum().over("row") for name in SUMS)


def _proofs(rows: Sequence[int], optimum: Sequence[str], gap: Sequence[float]) -> pl.DataFrame:
    cents = [max(0, round(one)) for one in gap]
    schema = {"row": pl.Int64, "optimum": pl.String, "gap": pl.Int64}
    return pl.DataFrame({"row": rows, "optimum": optimum, "gap": cents}, schema=schema)


def _sales(sold: pl.DataFrame) -> Sales:
    """The sums in cents, each rounded once, halves up."""

    def cents(name: str, divisor: int) -> Ints:
        rounded = (2 * pl.col(name) + divisor) // (2 * divisor)
        return sold.select(rounded.cast(pl.Int64)).to_series().to_numpy()

    return Sales(
        row=sold["row"].to_numpy(),
        short_loss=cents("short", _CENT),
        long_loss=cents("long", _CENT),
        collectible_loss=cents("collectible", _CENT),
        basis_given_up=cents("given_up", _CENT),
        trading_cost=cents("cost", _CENT * _MILLION),
        collectible_given_up=cents("collectible_given_up", _CENT),
    )
