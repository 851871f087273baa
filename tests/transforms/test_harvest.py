"""Which lots are chosen: cases worked by hand, then properties over random returns and the comparison with brute force."""

from __future__ import annotations

import itertools
import random
from decimal import Decimal
from fractions import Fraction
from functools import cache

import numpy as np
import polars as pl
import pytest

from schemas.inputs import FirmSettings, PlatformCost
from tests.transforms.harvest_cases import (
    accounts,
    expectations,
    facts,
    holding,
    holdings,
    returns,
    settings,
    tonight,
)
from transforms import cells, harvest, valuation
from transforms.valuation import Sales


def plan(night: harvest.Tonight, *lots: dict[str, object], **more: pl.DataFrame) -> pl.DataFrame:
    """The chosen lots with the worth of each set, in cents."""
    found = harvest.for_sale(holdings(*lots), night, more.get("accounts", accounts()), more.get("facts", facts()))
    return harvest.worth(harvest.choose(found, night).sold, night)


def sold_loss(chosen: pl.DataFrame) -> Decimal:
    return Decimal((chosen["loss_basis"] - chosen["proceeds"]).sum() or 0) / 10**6


def test_jane_sells_as_much_as_saves_before_the_later_sale():
    """10,000 of gain and the 3,000 now; 3,000 at 37 % in each of the four years before the later sale: 25,000.

    The next dollar would meet in year 5 the gain that its own lower basis makes: worth nothing, so it is not sold.
    Discounted at 4 %: 5,190 + 1,110 x (1/1.04 + ... + 1/1.04^4) - (25,000 x 23.8 %) / 1.04^5 = 5,190 + 4,029.1837 -
    4,890.4663 = 4,328.72.
    """
    night = tonight(tax_year=2023, ordinary=700_000, short_term=10_000)
    chosen = plan(night, holding("l1", 187_000, 120_000, "short"), holding("l2", 100_000, 50_000, "short"))
    assert sold_loss(chosen) == pytest.approx(25_000)
    assert chosen["net_benefit"][-1] == 432_872


def test_loss_is_cut_where_the_gain_falls_into_the_0_percent_bracket():
    """2025, wages 50,000, gain 30,000: of 64,250 taxable 15,900 lies above 48,350; the rest costs no tax anyway.

    15,900 x 15 % = 2,385; sold again with the same income 14,100 of it fits under 48,350, 1,800 x 15 % / 1.04^5 =
    221.92: 2,163.08.
    """
    chosen = plan(tonight(ordinary=50_000, long_term=30_000), holding("l", 30_000))
    assert sold_loss(chosen) == pytest.approx(15_900, abs=1)  # the roundings of the taxes make a dollar of it level
    assert chosen["net_benefit"][-1] == pytest.approx(216_308, abs=2)


def test_indivisible_units_are_sold_whole_or_not_at_all():
    """An NFT cannot be cut: the set of the last test is not open to it; all of it, 2,385 - 15,900 x 15 % / 1.04^5."""
    nft = facts(("BTC", "nft", False, True))
    chosen = plan(tonight(ordinary=50_000, long_term=30_000), holding("l", 30_000), facts=nft)
    assert chosen["sold"].to_list() == [10]
    assert chosen["net_benefit"][-1] == 238_500 - 196_030


@pytest.mark.parametrize(("collectible", "tax_saved"), [(True, 6_360), (False, 3_760)])
def test_loss_on_a_collectible_counts_against_the_28_percent_gain(collectible, tax_saved):
    """2026, wages 300,000, gains of 20,000 on an NFT and 20,000 on coins: 31.8 or 18.8 % of a loss of 20,000."""
    firm = settings(holding_years=11)
    night = tonight(None, firm, tax_year=2026, ordinary=300_000, long_term=40_000, gain_28=20_000)
    chosen = plan(night, holding("l", 20_000), facts=facts(("BTC", "nft", collectible, True)))
    assert chosen["net_benefit"].to_list() == [tax_saved * 100]


def test_0_percent_bracket_sells_nothing():
    assert plan(tonight(ordinary=30_000, long_term=20_000), holding("l", 8_000)).is_empty()


def test_trading_cost_above_the_benefit_sells_nothing():
    """A loss of 100 on a million saves at most 40.8; two fees of 0.6 % and the spread of 0.2 % cost 14,000."""
    night = tonight(firm=settings(60, 20), ordinary=700_000, short_term=10_000)
    assert plan(night, holding("l", 100, 1_000_000)).is_empty()


def test_trading_cost_goes_by_platform_and_is_rounded_once():
    """10,000.10 of proceeds at 2 x 60 + 20 bp = 140.0014; at 2 x 5 + 0 bp = 10.0001: 150.0015 together."""
    costs = {"default": PlatformCost(Decimal(60), Decimal(20)), "cheap": PlatformCost(Decimal(5), Decimal(0))}
    night = tonight(firm=settings(platforms=costs), ordinary=700_000, short_term=50_000)
    lots = [
        holding(
            name,
            20_000,
            value=Decimal("10000.10"),
            basis=Decimal("30000.10"),
            account_id=name,
            price=Decimal("1000.01"),
        )
        for name in ("cheap", "dear")
    ]
    chosen = plan(night, *lots, accounts=accounts(("cheap", "cheap", None), ("dear", None, None)))
    assert chosen["lot_id"].to_list() == ["cheap", "dear"]
    assert chosen["trading_cost"].to_list() == [1_000, 15_000]


def test_lot_with_more_loss_for_its_trading_cost_goes_first():
    """Gains of 10,000 need one of two lots with the same loss: the one of which less is sold and bought back."""
    firm = settings(60, 20, holding_years=11)
    night = tonight(expectations(ordinary=0), firm, ordinary=700_000, short_term=10_000)
    chosen = plan(night, holding("dear", 10_000, 90_000), holding("cheap", 10_000, 5_000))
    assert chosen["lot_id"][0] == "cheap"
    assert chosen["sold"][0] == 10


def test_no_more_is_sold_of_a_lot_of_trillions_than_there_is():
    """In an order that is forced a part is a binary fraction; of 10^30 units of dust the whole is the whole."""
    found = harvest.for_sale(
        holdings(holding("l", 4_000, 6_000, quantity=Decimal("1234567890123.123456789012345678"), price=Decimal("0.000000004"))),
        tonight(), accounts(), facts(),
    )  # fmt: skip
    lots = harvest._with_sums(found)
    for share in (1.0, 0.5, 1 / 3, 1 - 2**-53):
        ((sold, quantity),) = harvest._shares(lots, np.array([share])).select("sold", "quantity").rows()
        assert sold <= quantity
        assert abs(Fraction(sold) - Fraction(share) * Fraction(quantity)) <= Fraction(1, 2 * 10**18)


def test_part_of_a_lot_rounds_proceeds_and_basis_and_keeps_the_quantity_exact():
    """Three units, loss 4,000, of which 3,000 (the limit; IRC 1211(b)) are worth selling: 2.25 units."""
    night = tonight(expectations(ordinary=0), settings(50, holding_years=11), ordinary=80_000)
    lot = holding("l", 4_000, 6_001, quantity=3, price=Decimal("2000.333333333333333333"))
    chosen = plan(night, lot)
    assert chosen["sold"].to_list() == [Decimal("2.25")]
    assert chosen["proceeds"].to_list() == [4_500_750_000]  # 6,001 x 3/4
    assert chosen["loss_basis"].to_list() == [7_500_750_000]  # 10,001 x 3/4


def test_lots_not_up_for_sale_and_gains_are_left_alone():
    night = tonight(ordinary=700_000, short_term=50_000)
    barred = holding("barred", 20_000, why_not="account_ira")
    gain = holding("gain", -20_000)
    unknown = holding("unknown", 0, basis=None, unrealized_gain=None, basis_status="unknown", why_not="basis_unknown")
    assert plan(night, barred, gain, unknown).is_empty()


CASES = 120


@cache
def random_case() -> tuple[pl.DataFrame, list[dict[str, object]], FirmSettings, pl.DataFrame]:
    """Returns of every status, income and sign of gains, each with one to eight loss lots in whole dollars."""
    rng = random.Random(20261122)
    people, lots, expected = [], [], []
    for number in range(CASES):
        name = f"r{number:03}"
        amounts = {
            "ordinary": rng.choice([0, 15_000, 45_000, 90_000, 190_000, 400_000, 900_000]) + rng.randrange(10_000),
            "short_term": rng.choice([0, 0, -20_000, 8_000, 60_000]),
            "long_term": rng.choice([0, 0, -20_000, 8_000, 60_000, 400_000]),
            "short_term_carry_in": rng.choice([0, 0, 0, 9_000]),
            "long_term_carry_in": rng.choice([0, 0, 0, 9_000]),
        }
        status = rng.choice(["single", "mfj", "mfs", "hoh", "qss"])
        people.append(returns(name, status, rng.choice([2023, 2025, 2026]), **amounts))
        ordinary = rng.choice([None, None, amounts["ordinary"] // 2, 2 * amounts["ordinary"]])
        expected.append(expectations(ordinary, rng.choice([None, 0, 5_000]), name))
        for place in range(rng.randint(1, 8)):
            loss, value = rng.choice([300, 2_500, 12_000, 70_000]) + rng.randrange(500), rng.randrange(100, 60_000)
            lot = holding(f"{name}-{place}", loss, value, rng.choice(["short", "long"]))
            lots.append(lot | {"return_id": name, "taxpayer_id": name, "asset": rng.choice(["BTC", "ETH"])})
    return pl.concat(people), lots, settings(60, 20), pl.concat(expected)


@cache
def solved() -> tuple[harvest.Tonight, pl.DataFrame, pl.DataFrame]:
    """The random returns, their loss lots and the choice."""
    people, lots, firm, expected = random_case()
    night = harvest.tonight_of(people, expected, firm)
    found = harvest.for_sale(holdings(*lots), night, accounts(), facts())
    return night, found, harvest.worth(harvest.choose(found, night).sold, night)


def best_by_row(chosen: pl.DataFrame) -> np.ndarray:
    """Net benefit in cents of each return's choice; zero where nothing is sold."""
    best = np.zeros(CASES, np.int64)
    last = chosen.group_by("row", maintain_order=True).last()
    best[last["row"].to_numpy()] = last["net_benefit"].to_numpy()
    return best


def subset_worths(subsets: dict[int, list[list[dict[str, object]]]], night: harvest.Tonight) -> dict[int, list[int]]:
    """The net benefit of every given set of lots, by row, summed here from the lots' own dollars."""
    rows, sums = [], []
    for row, sets in subsets.items():
        for lots in sets:
            short, long = (
                sum(-lot["unrealized_gain"] * 100 for lot in lots if lot["term"] == term) for term in ("short", "long")
            )
            cost = sum((lot["value"] * 140 for lot in lots), 0)  # dollars x basis points = hundredths of a cent
            rows.append(row)
            sums.append((short, long, 0, short + long, (cost + 50) // 100, 0))
    sales = Sales(np.array(rows, np.int64), *np.array(sums, np.int64).T)
    net = valuation.evaluate(night.outlook, sales).net_benefit
    worths: dict[int, list[int]] = {row: [] for row in subsets}
    for row, benefit in zip(rows, net.tolist(), strict=True):
        worths[row].append(benefit)
    return worths


def lots_by_row() -> dict[int, list[dict[str, object]]]:
    groups: dict[int, list[dict[str, object]]] = {}
    for lot in random_case()[1]:
        groups.setdefault(int(str(lot["return_id"])[1:]), []).append(lot)
    return groups


def test_never_worse_than_nothing_everything_or_a_whole_prefix_of_the_four_orders():
    night, _, chosen = solved()

    def prefixes(lots):
        per_cost = {lot["lot_id"]: -lot["unrealized_gain"] / Decimal(lot["value"]) for lot in lots}
        size = {
            lot["lot_id"]: -sum(
                other["unrealized_gain"]
                for other in lots
                if (other["asset"], other["term"]) == (lot["asset"], lot["term"])
            )
            for lot in lots
        }
        for key in (
            lambda lot: (lot["term"] == "long", -per_cost[lot["lot_id"]]),
            lambda lot: (lot["term"] == "short", -per_cost[lot["lot_id"]]),
            lambda lot: (-size[lot["lot_id"]], -per_cost[lot["lot_id"]]),
            lambda lot: -per_cost[lot["lot_id"]],
        ):
            ranked = sorted(lots, key=key)
            yield from (ranked[:count] for count in range(len(ranked) + 1))

    worths = subset_worths({row: list(prefixes(lots)) for row, lots in lots_by_row().items()}, night)
    best = best_by_row(chosen)
    assert all(best[row] >= max(benefits) - cells.NOISE for row, benefits in worths.items())
    assert (best > 0).sum() > CASES / 2


def every_subset_gap(chosen: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """By return, in cents: the best of all sets of whole lots, and by how much the choice is below it."""
    subsets = {
        row: [list(lots) for size in range(len(group) + 1) for lots in itertools.combinations(group, size)]
        for row, group in lots_by_row().items()
    }
    worths = subset_worths(subsets, solved()[0])
    optimum = np.array([max(worths[row]) for row in range(CASES)])
    return optimum, optimum - best_by_row(chosen)


def test_lots_that_can_be_cut_against_every_subset_of_whole_lots():
    """Never below the best subset by more than the rounding of taxes; above it, thanks to the cut, by more than 4 %."""
    optimum, below = every_subset_gap(solved()[2])
    assert (below <= cells.NOISE).all()
    assert -below.sum() > optimum.sum() // 25


def test_lots_that_cannot_be_cut_against_every_subset():
    """Every lot indivisible: the best subset of each return, found among all of them or by the mixed-integer program."""
    night, _, _ = solved()
    nfts = facts(("BTC", "nft", False, True), ("ETH", "nft", False, True))
    lots = harvest.for_sale(holdings(*random_case()[1]), night, accounts(), nfts)
    plan_ = harvest.choose(lots, night)
    chosen = harvest.worth(plan_.sold, night)
    assert (chosen["sold"] == 10).all()
    _, below = every_subset_gap(chosen)
    assert (below == 0).all()
    assert set(plan_.proofs["optimum"]) == {"enumerated"}


def test_the_program_finds_the_best_subset_too(monkeypatch):
    """As above for the first thirty returns, without the trial of all subsets: the reported gap holds."""
    monkeypatch.setattr(harvest, "MOST_WHOLE", 0)
    night, _, _ = solved()
    nfts = facts(("BTC", "nft", False, True), ("ETH", "nft", False, True))
    lots = harvest.for_sale(holdings(*random_case()[1]), night, accounts(), nfts).filter(pl.col("row") < 30)
    plan_ = harvest.choose(lots, night)
    optimum, _ = every_subset_gap(harvest.worth(plan_.sold, night))
    best = best_by_row(harvest.worth(plan_.sold, night))
    gap = dict(plan_.proofs.select("row", "gap").rows())
    assert set(plan_.proofs["optimum"]) == {"branched"}
    assert all(optimum[row] - best[row] <= gap[row] + cells.NOISE for row in range(30))
    assert sum(optimum[row] - best[row] <= cells.NOISE for row in range(30)) >= 29


def test_values_in_rank_order_are_of_growing_sets():
    """Each row holds the worth of its lot and all ranked above it: sums never fall, ranks count from one."""
    _, _, chosen = solved()
    ranks = chosen.group_by("row", maintain_order=True).agg(pl.col("position"), loss=pl.col("short") + pl.col("long"))
    for positions, losses in ranks.select("position", "loss").iter_rows():
        assert positions == list(range(1, len(positions) + 1))
        assert losses == sorted(losses)


def test_order_of_the_lots_does_not_matter():
    people, lots, firm, expected = random_case()
    night = harvest.tonight_of(people, expected, firm)
    shuffled = random.Random(1).sample(lots, len(lots))
    found = harvest.for_sale(holdings(*shuffled), night, accounts(), facts())
    again = harvest.worth(harvest.choose(found, night).sold, night)
    assert again.equals(solved()[2])


def test_a_lot_in_two_halves_gives_the_same_totals():
    """The same units as two rows of one purchase: tax, carryover and benefit stay, to the rounding of taxes."""
    people, lots, firm, expected = random_case()
    night = harvest.tonight_of(people, expected, firm)
    halves = [
        lot
        | {
            "lot_id": f"{lot['lot_id']}{half}",
            "quantity": 5,
            **{name: Decimal(lot[name]) / 2 for name in ("value", "basis", "unrealized_gain")},
        }
        for lot in lots
        for half in "ab"
    ]
    found = harvest.for_sale(holdings(*halves), night, accounts(), facts())
    whole, split = solved()[1], found
    columns = ["short", "long", "given_up", "cost"]
    of_all = [harvest.everything(every).group_by("row").last().sort("row").select(columns) for every in (whole, split)]
    assert of_all[0].equals(of_all[1])
    best = best_by_row(harvest.worth(harvest.choose(split, night).sold, night))
    assert (np.abs(best - best_by_row(solved()[2])) <= cells.NOISE).all()


def test_an_order_that_the_broker_forces_is_kept():
    """2027, a US broker that offers FIFO alone: the loss of 5,000 can be had only after the gain of 4,000 before it.

    Wages 80,000, no gains: a net loss of 1,000 at 22 % = 220 tonight, never bought-back tax (held to death). By choice of
    lots the 3,000 of the limit would be sold of the loss lot alone: 660.
    """
    night = tonight(expectations(ordinary=0), settings(holding_years=11), tax_year=2026, ordinary=80_000)
    lots = [
        holding("old", -4_000, 10_000, date_acquired="2023-01-01", basis=6_000),
        holding("new", 5_000, 10_000, date_acquired="2024-01-01"),
    ]
    fifo = accounts(("a", None, "us_broker")).with_columns(wallet=pl.lit(None, pl.String), only_method=pl.lit("fifo"))

    def best(year, gains=("r",)):
        found = harvest.for_sale(holdings(*lots), night, fifo, facts(), gains, year)
        return harvest.worth(harvest.choose(found, night).sold, night)

    free, forced = best(2026, ()), best(2027)
    assert (free["lot_id"].to_list(), free["net_benefit"][-1]) == (["new"], 66_000)
    assert (forced["lot_id"].to_list(), forced["net_benefit"][-1]) == (["old", "new"], 22_000)
    assert best(2027, ()).is_empty()  # benefits not known: a gain is not looked at, nor what stands behind it


def test_no_lot_behind_one_that_may_not_be_sold_is_sold_in_a_forced_order():
    night = tonight(expectations(ordinary=0), settings(holding_years=11), tax_year=2026, ordinary=80_000)
    lots = [
        holding("old", 0, 10_000, date_acquired="2023-01-01", basis=None, unrealized_gain=None,
                basis_status="unknown", why_not="basis_unknown"),
        holding("new", 5_000, 10_000, date_acquired="2024-01-01"),
    ]  # fmt: skip
    fifo = accounts(("a", None, "us_broker")).with_columns(wallet=pl.lit(None, pl.String), only_method=pl.lit("fifo"))
    assert harvest.for_sale(holdings(*lots), night, fifo, facts(), (), 2027).is_empty()


def test_a_fixed_fee_is_paid_once_a_trade_and_a_trade_below_the_least_size_is_not_made():
    """Wages 80,000: 3,000 of loss save 660. Three lots of 1,000, one in another account: two trades, each 2 x 30.

    The lot in the other account is worth 220 and costs 60; with a least trade of 20,000 its 10,000 cannot be sold.
    """
    one = [holding(name, 1_000, account_id=account) for name, account in (("x", "a"), ("y", "a"), ("z", "b"))]
    both = accounts(("a", None, None), ("b", None, None))

    def best(**cost):
        costs = {"default": PlatformCost(Decimal(0), Decimal(0), **cost)}
        firm = settings(holding_years=11, platforms=costs)
        night = tonight(expectations(ordinary=0), firm, ordinary=80_000)
        return plan(night, *one, accounts=both)

    assert best(fixed_fee=Decimal(30))["net_benefit"][-1] == 66_000 - 2 * 6_000
    least = best(minimum_trade=Decimal(20_000))
    assert set(least["lot_id"]) == {"x", "y"}
    assert least["net_benefit"][-1] == 44_000


def test_a_gain_is_sold_in_the_0_percent_bracket_where_all_is_known():
    """2025, wages 30,000, later wages 80,000: of the 0 % bracket 48,350 - 14,250 = 34,100 are left.

    A gain of 20,000 realized tonight costs nothing and saves 20,000 x 15 % / 1.04^5 = 2,465.78 in year 5.
    """
    night = tonight(expectations(ordinary=80_000, gains=0), ordinary=30_000)
    lots = holdings(holding("l", -20_000, 50_000, basis=30_000))
    sold = harvest.for_sale(lots, night, accounts(), facts(), ["r"])
    chosen = harvest.worth(harvest.choose(sold, night).sold, night)
    assert (chosen["lot_id"].to_list(), chosen["net_benefit"].to_list()) == (["l"], [246_578])
    assert harvest.for_sale(lots, night, accounts(), facts()).is_empty()
