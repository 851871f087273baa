"""What changed since the last night: tonight's advice against the one before, lot by lot, with the reason. No figure is made here."""

from __future__ import annotations

import polars as pl

from schemas.advice_loop import CAUSES, AdviceChanges
from schemas.fields import CENTS, QUANTITY
from schemas.gate import conform, empty
from transforms.holdings import value_of
from transforms.wash_sales import whole_lot

_LOT = ["return_id", "account_id", "lot_id"]
_VALUED = ("advised", "net_benefit")
_REALIZED = ("realized_short", "realized_long", "carry_in")


def changes(
    before: pl.DataFrame,
    now: pl.DataFrame,
    holdings: pl.DataFrame,
    form_8949: pl.DataFrame,
    instructions: pl.DataFrame,
) -> pl.DataFrame:
    """The table `advice_changes`: lots whose advised quantity or net benefit is another than the night before.

    A cause applies where its fact differs; the first in the order of `CAUSES` is the row's cause:

    executed: less is held, and a sale of the lot carried an instruction out. sold: less is held, and the form shows a
    sale of it of the last night's or tonight's year. new_data: what is held of the lot or its basis differs otherwise,
    or the lot stood at a loss by the last night's price and could not be sold then, or can be no more (a price that was
    missing, a basis, a block). law: the law's figures or the tax year are others. program: another version
    of Lotbook. assumptions: firm.toml. income: the
    return's income, status or deductions. long_term: the lot became long-term. realized: gains realized or carried in
    moved. price: the asset's. other_lots: none of these, but another lot of the return differs. calendar: nothing
    differs but the date.

    Args:
        before: schemas.advice_loop.AdviceHistory as the last night left it (all years).
        now: the same, tonight.
        holdings: the table `holdings`.
        form_8949: lines of all years.
        instructions: the table `instructions`.
    """
    nights = before.filter(kind="night").sort("as_of")
    if nights.is_empty():
        return empty(AdviceChanges)
    last = nights.tail(1)
    # of an earlier year's last night: its lots still tell what was advised
    stood = before.filter(tax_year=last["tax_year"].item())
    pairs = _pairs(stood, now)
    facts = _with_facts(pairs, stood, now, _Tonight(holdings, form_8949, instructions))
    moved = facts.filter(pl.any_horizontal(pl.col(f"{name}_before") != pl.col(name) for name in _VALUED))
    known = _with_causes(moved, _other(facts), last, now.filter(kind="night"))
    return conform(
        known.with_columns(
            before_as_of=pl.lit(last["as_of"].item()),
            as_of=pl.lit(now["as_of"].max()),
            quantity_before="advised_before",
            quantity="advised",
            change=(pl.col("net_benefit") - pl.col("net_benefit_before")).cast(CENTS),
        ),
        AdviceChanges,
    ).sort(*_LOT)


class _Tonight:
    """What tonight's books say of a lot beside the advice."""

    def __init__(self, holdings: pl.DataFrame, form_8949: pl.DataFrame, instructions: pl.DataFrame) -> None:
        done = instructions.filter(pl.col("executed_quantity") > 0)
        self.held = holdings.select(*_LOT, "quantity", "basis", "price")
        recent = form_8949.filter(pl.col("tax_year") >= pl.col("tax_year").max() - 1)
        self.sold = recent.select("account_id", whole_lot(), "tax_year")
        self.executed = done.select("account_id", whole_lot())


def _pairs(stood: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """Every lot of either night, with what both say of it; `advised` and `net_benefit` are 0 where it is not advised."""
    wanted = [*_LOT, "taxpayer_id", "asset", "held", "basis", "term", "advised", "net_benefit"]
    sides = [frame.filter(kind="lot").select(wanted) for frame in (stood, now)]
    joined = sides[1].join(sides[0], on=_LOT, how="full", coalesce=True, suffix="_before")
    return joined.with_columns(
        taxpayer_id=pl.coalesce("taxpayer_id", "taxpayer_id_before"),
        asset=pl.coalesce("asset", "asset_before"),
        was=pl.col("held_before").is_not_null(),
        is_now=pl.col("held").is_not_null(),
    ).with_columns(
        pl.col("advised", "advised_before").fill_null(0).cast(QUANTITY),
        pl.col("net_benefit", "net_benefit_before").fill_null(0).cast(CENTS),
    )


def _with_facts(pairs: pl.DataFrame, stood: pl.DataFrame, now: pl.DataFrame, tonight: _Tonight) -> pl.DataFrame:
    """Adds what differs: by lot, asset and return."""
    held = tonight.held.group_by(_LOT).agg(
        pl.col("quantity").sum().alias("_held"),
        pl.col("basis").sum().alias("_basis"),
        pl.col("price").first().alias("_price"),
    )
    prices = [frame.filter(kind="price").select("asset", "price") for frame in (stood, now)]
    returns = [
        frame.filter(kind="return").select("return_id", "income", *_REALIZED) for frame in (stood, now)
    ]  # fmt: skip
    root = whole_lot()
    return (
        pairs.join(held, on=_LOT, how="left")
        .join(prices[1], on="asset", how="left")
        .join(prices[0], on="asset", how="left", suffix="_before")
        .with_columns(price=pl.coalesce("price", "_price"), _root=root)
        .join(returns[1], on="return_id", how="left")
        .join(returns[0], on="return_id", how="left", suffix="_before")
        .join(_marked(tonight.sold.drop("tax_year"), "_sold"), left_on=["account_id", "_root"], right_on=["account_id", "lot_id"], how="left")
        .join(_marked(tonight.executed, "_executed"), left_on=["account_id", "_root"], right_on=["account_id", "lot_id"], how="left")
        .with_columns(pl.col("_sold", "_executed").fill_null(value=False), pl.col("_held").fill_null(0).cast(QUANTITY))
    )  # fmt: skip


def _marked(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    return rows.unique().with_columns(pl.lit(value=True).alias(name))


def _tests() -> dict[str, pl.Expr]:
    """What of a lot itself and its return differs, by cause (of those that the lot's own facts decide)."""
    less = pl.col("was") & (pl.col("_held") < pl.col("held_before"))
    executed, sold = less & pl.col("_executed"), less & pl.col("_sold")
    both = pl.col("was") & pl.col("is_now")
    other_units = both & (
        (pl.col("held") != pl.col("held_before")) | pl.col("basis").ne_missing(pl.col("basis_before"))
    )
    # by the last night's price it would have stood at a loss: then it was no candidate for another reason
    worth_then, worth_now = (value_of(pl.col("_held"), pl.col(price)) for price in ("price_before", "price"))
    came = ~pl.col("was") & (pl.col("price_before").is_null() | (worth_then < pl.col("_basis")).fill_null(value=False))
    went = pl.col("was") & ~pl.col("is_now") & ~(less & (pl.col("_held") == 0) & pl.col("_sold"))
    blocked = went & ((worth_now < pl.col("_basis")).fill_null(value=False) | (pl.col("_held") == 0))
    return {
        "executed": executed,
        "sold": sold & ~executed,
        "new_data": (other_units | came | blocked) & ~(executed | sold),
        "income": pl.col("income").ne_missing(pl.col("income_before")),
        "long_term": both & (pl.col("term_before") == "short") & (pl.col("term") == "long"),
        "realized": pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in _REALIZED),
        "price": (pl.col("price") != pl.col("price_before")).fill_null(value=False),
    }


def _other(facts: pl.DataFrame) -> pl.DataFrame:
    """return_id, _lots_moved: lots of the return of which something of their own differs."""
    own = pl.any_horizontal(test for cause, test in _tests().items() if cause not in ("income", "realized"))
    return facts.group_by("return_id").agg(_lots_moved=own.fill_null(value=False).sum())


def _with_causes(moved: pl.DataFrame, other: pl.DataFrame, last: pl.DataFrame, night: pl.DataFrame) -> pl.DataFrame:
    """Adds `causes` and `cause`."""
    tests = _tests()
    law = any(last[name].item() != night[name].item() for name in ("law_version", "tax_year"))
    tests["law"] = pl.lit(law)
    tests["program"] = pl.lit(last["code_version"].item() != night["code_version"].item())
    tests["assumptions"] = pl.lit(last["assumptions"].item() != night["assumptions"].item())
    own = pl.any_horizontal(tests.values()).fill_null(value=False)
    tests["other_lots"] = ~own & (pl.col("_lots_moved") > 0)
    tests["calendar"] = ~own & (pl.col("_lots_moved") == 0)
    named = [pl.when(tests[cause]).then(pl.lit(cause)) for cause in CAUSES]
    joined = moved.join(other, on="return_id", how="left")
    told = joined.with_columns(causes=pl.concat_str(named, separator=", ", ignore_nulls=True))
    return told.with_columns(cause=pl.col("causes").str.split(", ").list.first())
