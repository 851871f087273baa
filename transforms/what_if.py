"""What if: the curve of what harvesting more or less would save, and what waiting costs when prices move. No choice is made here.

The choice and its worth are the engine's (`harvest`): `Engine` is all that this module knows of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from schemas.advice_loop import HarvestCurve, PriceMoves
from schemas.fields import CENTS, MONEY, QUANTITY
from schemas.gate import conform, empty
from schemas.inputs import FirmSettings
from transforms import harvest
from transforms.advice_history import in_dollars
from transforms.exact import from_ints, to_ints
from transforms.holdings import unrealized, value_of

STEPS = 20
"""Even steps of the curve."""
MOST_LOTS = 40
"""Ends of lots that the curve shows."""
HALVINGS = 5
"""Times a step is halved around a bend."""
BEND = 100
"""Cents by which the middle of a step must lie off the straight line to be a bend."""
MOVES = (-30, -20, -10, 0, 10, 20, 30)
"""Per cent by which prices are others at the end of the year."""
_SAVED = ("regular_saved", "amt_saved", "niit_saved", "state_saved")
_TONIGHT, _BETWEEN = "tonight", "\x1f"
_CENT = 10_000
"""Micro-dollars in a cent."""


@dataclass(frozen=True)
class Engine:
    """The advice's engine, narrowed to what is asked of it here: the best plan of losses, and what given sums are worth.

    `returns`: return_id and the tax kernel's inputs in int64 cents of the returns to advise. `expectations`,
    `accounts`, `facts`, `settings`, `homes` and the `year` of the sale as `harvest` takes them.
    """

    returns: pl.DataFrame
    expectations: pl.DataFrame
    accounts: pl.DataFrame
    facts: pl.DataFrame
    settings: FirmSettings
    year: int
    homes: pl.DataFrame | None = None

    def lots(self, holdings: pl.DataFrame, tonight: harvest.Tonight) -> pl.DataFrame:
        """Every lot at a loss that may be sold, whole, with `row`, `position` and the running sums of the set."""
        return harvest.everything(self._for_sale(holdings, tonight))

    def plan(self, holdings: pl.DataFrame, tonight: harvest.Tonight) -> pl.DataFrame:
        """The lots of the best plan likewise, with `sold` and the worth of the set up to each."""
        return harvest.worth(harvest.choose(self._for_sale(holdings, tonight), tonight).sold, tonight)

    def _for_sale(self, holdings: pl.DataFrame, tonight: harvest.Tonight) -> pl.DataFrame:
        return harvest.for_sale(holdings, tonight, self.accounts, self.facts, year=self.year)

    def worth(self, sums: pl.DataFrame, tonight: harvest.Tonight) -> pl.DataFrame:
        """`row` and sums (`harvest.SUMS`) with their worth: what each tax saves, net_benefit in cents."""
        return harvest.worth(sums, tonight)

    def plans(self, worlds: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """The best plans of several worlds (a name: its holdings), chosen together, with `world`."""

        def named(frame: pl.DataFrame, world: str) -> pl.DataFrame:
            return frame.with_columns(return_id=pl.format("{}{}{}", pl.lit(world), pl.lit(_BETWEEN), "return_id"))

        def every(frame: pl.DataFrame) -> pl.DataFrame:
            return pl.concat([named(frame, world) for world in worlds])

        homes = None if self.homes is None else every(self.homes)
        stacked = replace(self, returns=every(self.returns), expectations=every(self.expectations), homes=homes)
        holdings = pl.concat([named(held, world) for world, held in worlds.items()])
        plan = stacked.plan(holdings, stacked.tonight())
        world, own = (pl.col("return_id").str.splitn(_BETWEEN, 2).struct.field(f"field_{k}") for k in (0, 1))
        return plan.with_columns(world=world, return_id=own)

    def tonight(self) -> harvest.Tonight:
        """The returns as they stand, and the years after."""
        return harvest.tonight_of(self.returns, self.expectations, self.settings, self.homes)


# --- the curve -------------------------------------------------------------------------------------------------------


def curve(holdings: pl.DataFrame, engine: Engine, as_of: date) -> pl.DataFrame:
    """The table `harvest_curve`.

    Amounts: `STEPS` even steps, the ends of the first `MOST_LOTS` lots, the plan's own, and where the middle of a step is
    a dollar or more off the straight line, points that halve it `HALVINGS` times around the bend. Inside a lot that
    cannot be cut there is no point.
    """
    tonight = engine.tonight()
    parts = _segments(engine.lots(holdings, tonight), engine.plan(holdings, tonight))
    if parts.is_empty():
        return empty(HarvestCurve)
    known = _valued(_first_points(parts), parts, engine, tonight)
    fresh = known
    for _ in range(HALVINGS + 1):
        middles = _valued(_middles(known, fresh), parts, engine, tonight)
        fresh = _off_the_line(known, middles)
        known = pl.concat([known, fresh]).sort("row", "amount")
    ids = pl.DataFrame({"return_id": tonight.return_ids}).with_row_index("row").cast({"row": pl.Int64})
    return conform(
        known.join(ids, on="row").with_columns(
            as_of=pl.lit(as_of),
            loss_harvested=in_dollars(pl.col("amount")),
            tax_saved_now=in_dollars(pl.col("saved")),
            net_benefit=in_dollars(pl.col("benefit")),
        ),
        HarvestCurve,
    ).sort("return_id", "loss_harvested")


def _segments(lots: pl.DataFrame, plan: pl.DataFrame) -> pl.DataFrame:
    """Parts of lots in the order in which the curve sells them: the plan's, then the rest, largest loss first.

    Columns: row, in_plan, indivisible, loss (micro-dollars), the sums of each part alone (`harvest.SUMS`) and of those
    before it (`*_before`), loss_before.
    """
    key = ["row", "account_id", "lot_id"]
    alone = [(pl.col(name) - pl.col(name).shift(1, fill_value=0).over("row")).alias(name) for name in harvest.SUMS]
    whole, chosen = (
        frame.sort("row", "position").select(*key, "position", *alone, whole="is_indivisible") for frame in (lots, plan)
    )
    rest = whole.join(chosen.select(*key, pl.col(harvest.SUMS).name.suffix("_sold")), on=key, how="left").with_columns(
        pl.col(name) - pl.col(f"{name}_sold").fill_null(0) for name in harvest.SUMS
    )
    shape = ["row", "in_plan", "place", "whole", *harvest.SUMS]
    loss = pl.col("short") + pl.col("long")
    both = pl.concat(
        [
            chosen.with_columns(in_plan=pl.lit(value=True), place=pl.col("position").cast(pl.Int128)).select(shape),
            rest.with_columns(in_plan=pl.lit(value=False), place=0 - loss).select(shape),
        ]
    )
    ordered = (
        both.with_columns(loss=loss)
        .filter(pl.col("loss") > 0)
        .sort("row", "in_plan", "place", descending=[False, True, False])
    )
    before = [
        (pl.col(name).cum_sum().over("row") - pl.col(name)).alias(f"{name}_before") for name in (*harvest.SUMS, "loss")
    ]
    return ordered.with_columns(before)


def _first_points(parts: pl.DataFrame) -> pl.DataFrame:
    """row, amount (cents), point: the even steps, the ends of lots, the plan's amount."""
    end = (pl.col("loss_before") + pl.col("loss")) // _CENT
    total = parts.group_by("row").agg(
        total=pl.col("loss").sum() // _CENT, plan=pl.col("loss").filter("in_plan").sum() // _CENT
    )
    steps = total.join(pl.DataFrame({"step": range(STEPS + 1)}), how="cross")
    first = parts.with_columns(_n=pl.int_range(pl.len()).over("row")).filter(pl.col("_n") < MOST_LOTS)
    found = [
        total.filter(pl.col("plan") > 0).select("row", amount="plan", point=pl.lit("plan")),
        steps.select("row", amount=pl.col("total") * pl.col("step") // STEPS, point=pl.lit("even")),
        first.select("row", amount=end, point=pl.lit("lot")),
    ]
    return pl.concat([part.with_columns(pl.col("amount").cast(pl.Int64)) for part in found]).unique(
        ["row", "amount"], keep="first", maintain_order=True
    )


def _valued(points: pl.DataFrame, parts: pl.DataFrame, engine: Engine, tonight: harvest.Tonight) -> pl.DataFrame:
    """The points with `saved` and `benefit` in cents; those inside a lot that cannot be cut are left out."""
    ends = parts.with_columns(_from=(pl.col("loss_before") // _CENT).cast(pl.Int64)).sort("_from")
    placed = points.sort("amount").join_asof(ends, left_on="amount", right_on="_from", by="row", check_sortedness=False)
    micros = pl.min_horizontal(pl.col("amount").cast(pl.Int128) * _CENT, pl.col("loss_before") + pl.col("loss"))
    # the last cent of all is cut off by whole cents: the end is the whole
    total = parts.group_by("row").agg(_total=pl.col("loss").sum())
    at_end = placed.join(total, on="row").with_columns(
        _cut=pl.when(pl.col("amount") == pl.col("_total") // _CENT).then(pl.col("_total")).otherwise(micros)
        - pl.col("loss_before")
    )
    inside = pl.col("whole") & (pl.col("_cut") > 0) & (pl.col("_cut") < pl.col("loss") - _CENT)
    sums = at_end.filter(~inside).with_columns(
        (pl.col(f"{name}_before") + _half_up(pl.col(name) * pl.min_horizontal("_cut", "loss"), pl.col("loss"))).alias(
            name
        )
        for name in harvest.SUMS
    )
    if sums.is_empty():
        return points.clear().with_columns(saved=pl.lit(0, pl.Int64), benefit=pl.lit(0, pl.Int64))
    found = engine.worth(sums.select("row", "amount", "point", *harvest.SUMS), tonight)
    return found.select("row", "amount", "point", saved=_saved(found), benefit=pl.col("net_benefit")).sort(
        "row", "amount"
    )


def _saved(worth: pl.DataFrame) -> pl.Expr:
    """What a set saves this year in cents, with the state's tax where the engine tells it."""
    return pl.sum_horizontal(name for name in _SAVED if name in worth.columns)


def _half_up(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """Numerator / denominator in integers, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def _middles(known: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    """The middles of the steps beside a fresh point."""
    near = fresh.select("row", "amount", new=pl.lit(value=True))
    marked = known.join(near, on=["row", "amount"], how="left").sort("row", "amount")
    following = pl.col("amount").shift(-1).over("row")
    new = pl.col("new").fill_null(value=False)
    either = new | new.shift(-1).over("row")
    wide = marked.with_columns(_next=following, _either=either).filter(
        pl.col("_either") & (pl.col("_next") - pl.col("amount") > 1)
    )
    return wide.select("row", amount=(pl.col("amount") + pl.col("_next")) // 2, point=pl.lit("kink"))


def _off_the_line(known: pl.DataFrame, middles: pl.DataFrame) -> pl.DataFrame:
    """The middles that are off the straight line between their neighbours."""
    every = pl.concat([known.with_columns(mid=pl.lit(value=False)), middles.with_columns(mid=pl.lit(value=True))])
    ordered = every.sort("row", "amount")
    one, two, here = pl.col("amount").shift(1).over("row"), pl.col("amount").shift(-1).over("row"), pl.col("amount")
    off = []
    for name in ("saved", "benefit"):
        left, right = (pl.col(name).shift(step).over("row").cast(pl.Int128) for step in (1, -1))
        line = left * (two - here) + right * (here - one)  # times the whole width
        off.append((pl.col(name).cast(pl.Int128) * (two - one) - line).abs() >= BEND * (two - one))
    bent = pl.any_horizontal(off).fill_null(value=False)
    return ordered.with_columns(bent=bent).filter(pl.col("mid") & pl.col("bent")).select(known.columns)


# --- waiting ---------------------------------------------------------------------------------------------------------


def price_moves(holdings: pl.DataFrame, open_lots: pl.DataFrame, engine: Engine, as_of: date) -> pl.DataFrame:
    """The table `price_moves`, of the returns with a loss to sell tonight or after a move.

    Args:
        holdings: the table `holdings`: what may be sold tonight may be sold then.
        open_lots: the table `open_lots`: the basis for loss, which counts once prices are others.
        engine: of tonight.
        as_of: tonight.
    """
    end = date(as_of.year, 12, 31)
    worlds = {percent: moved(holdings, open_lots, percent, end) for percent in MOVES}
    held = {_TONIGHT: holdings} | {str(percent): then.select(holdings.columns) for percent, then in worlds.items()}
    plans = engine.plans(held)
    now = _totals(plans.filter(world=_TONIGHT)).select("return_id", net_benefit_tonight="benefit")
    every = []
    for percent, then in worlds.items():
        loss = then.filter(pl.col("unrealized_gain") < 0)
        stock = loss.group_by("return_id").agg(
            loss_available=-pl.col("unrealized_gain").sum(),
            turned_long=((pl.col("_term") == "short") & (pl.col("term") == "long")).sum().cast(pl.Int64),
        )
        every.append(
            stock.join(_totals(plans.filter(world=str(percent))), on="return_id", how="left").with_columns(
                move_percent=pl.lit(percent, pl.Int64)
            )
        )
    returns = (
        pl.concat(every)
        .select("return_id")
        .unique()
        .filter(pl.col("return_id").is_in(engine.returns["return_id"].implode()))
    )
    grid = returns.join(pl.DataFrame({"move_percent": MOVES}), how="cross")
    rows = (
        grid.join(pl.concat(every), on=["return_id", "move_percent"], how="left")
        .join(now, on="return_id", how="left")
        .with_columns(pl.col("net_benefit_tonight", "benefit", "saved", "sold", "turned_long").fill_null(0))
        .with_columns(
            as_of=pl.lit(as_of),
            year_end=pl.lit(end),
            loss_available=pl.col("loss_available").fill_null(0).round(2, mode="half_away_from_zero").cast(CENTS),
            loss_harvested=in_dollars(pl.col("sold")),
            tax_saved_now=in_dollars(pl.col("saved")),
            net_benefit=in_dollars(pl.col("benefit")),
            net_benefit_tonight=in_dollars(pl.col("net_benefit_tonight")),
            cost_of_waiting=in_dollars(pl.col("net_benefit_tonight") - pl.col("benefit")),
        )
    )
    return conform(rows, PriceMoves).sort("return_id", "move_percent")


def _totals(plan: pl.DataFrame) -> pl.DataFrame:
    """return_id, sold, saved, benefit in cents: of the plan's last lot, whose sums are the set's."""
    last = plan.sort("row", "position").group_by("row", maintain_order=True).last()
    return last.select(
        "return_id",
        sold=_half_up(pl.col("short") + pl.col("long"), pl.lit(_CENT)).cast(pl.Int64),
        saved=_saved(plan),
        benefit="net_benefit",
    )


def moved(holdings: pl.DataFrame, open_lots: pl.DataFrame, percent: int, day: date) -> pl.DataFrame:
    """What may be sold tonight as it stands on `day` at prices moved by so many per cent; `_term` is tonight's.

    The basis that counts, the gain or loss and the day from which the lot is long-term go by the moved price, as
    `holdings.holdings` has them (IRC 1015(a) for gifts).
    """
    key = ["account_id", "lot_id"]
    dates = ("long_term_from", "loss_long_term_from")
    facts = open_lots.filter(location="account").select(
        *key, "loss_basis", *(pl.col(name).alias(f"_{name}") for name in dates)
    )
    free = holdings.filter(pl.col("why_not").is_null()).join(facts, on=key, how="left")
    prices = [None if price is None else price * (100 + percent) // 100 for price in to_ints(free["price"])]
    priced = free.with_columns(from_ints("price", prices, QUANTITY)).with_columns(
        value=value_of(pl.col("quantity"), pl.col("price")), _term="term"
    )
    judged = priced.filter(pl.col("value").is_not_null()).with_columns(unrealized_gain=unrealized().cast(MONEY))
    since = pl.when(pl.col("unrealized_gain") < 0).then("_loss_long_term_from").otherwise("_long_term_from")
    return judged.with_columns(long_term_from=pl.coalesce(since, "long_term_from")).with_columns(
        term=pl.when(pl.lit(day) >= pl.col("long_term_from")).then(pl.lit("long")).otherwise(pl.lit("short"))
    )
