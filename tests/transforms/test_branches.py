"""Branch and bound against every set of parts in quarters: orders over two accounts, fees, least trades, units sold whole.

What the oracle of `test_harvest_exact` does not know is here: a forced order that runs over several accounts of a wallet,
collectibles, and lots with two bases beside units that are sold whole.
"""

from __future__ import annotations

import itertools
import random
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from schemas.inputs import PlatformCost
from tests.transforms.harvest_cases import accounts, expectations, facts, holding, holdings, settings, tonight
from transforms import branches, cells, forced, harvest, valuation
from transforms.valuation import Sales

CASES = 120


def random_night(rng: random.Random) -> harvest.Tonight:
    cost = PlatformCost(
        Decimal(rng.choice([0, 60])), Decimal(20), fixed_fee=Decimal(rng.choice([0, 0, 30, 150])),
        minimum_trade=Decimal(rng.choice([0, 5_000, 20_000])),
    )  # fmt: skip
    firm = settings(
        horizon_years=rng.choice([0, 1, 4]), holding_years=rng.choice([1, 3, 9]), platforms={"default": cost}
    )  # fmt: skip
    expected = expectations(rng.choice([0, 80_000, 300_000]), rng.choice([0, 20_000]))
    return tonight(
        expected, firm, ordinary=rng.choice([20_000, 80_000, 220_000, 600_000]),
        short_term=rng.choice([0, 10_000, -8_000]), long_term=rng.choice([0, 30_000]),
    )  # fmt: skip


def random_lot(rng: random.Random, place: int) -> dict[str, Any]:
    """In one of two accounts; an NFT, or a coin, now and then a gift; at a loss or a gain."""
    loss = rng.choice([400, 3_000, 9_000, 30_000, -2_000, -15_000])
    value = rng.choice([800, 6_000, 25_000]) - min(0, loss)
    nft, gift = rng.random() < 0.35, rng.choice([0, 0, 0, 4_000]) if loss > 0 else 0
    return holding(
        f"l{place}", loss, value, rng.choice(["short", "long"]), account_id=rng.choice("ab"), basis=value + loss + gift,
        asset="NFT" if nft else "BTC", quantity=1 if nft else 10, price=Decimal(value) / (1 if nft else 10),
        date_acquired=f"2023-01-{place + 1:02}",
    )  # fmt: skip


def random_sale(seed: int) -> tuple[pl.DataFrame, harvest.Tonight]:
    """What may be sold tonight: of one wallet with two accounts, in the order bought or as one likes."""
    rng = random.Random(f"branches{seed}")
    night = random_night(rng)
    only = rng.choice([None, "fifo"])
    rows = [(account, None, "us_broker" if only else "self", "w", only) for account in "ab"]
    names = ("account_id", "platform", "custody", "wallet", "only_method")
    kinds = facts(("NFT", "nft", rng.random() < 0.7, True), ("BTC", "coin", False, False))
    lots = holdings(*(random_lot(rng, place) for place in range(rng.randint(2, 5))))
    accounts = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return harvest.for_sale(lots, night, accounts, kinds, ["r"], 2025), night


def may_be_sold(lots: list[dict[str, Any]], parts: list[float], *, near: float) -> bool:
    """Whole units, chains in order, no trade below its least value (but for `near` dollars)."""
    for one, part in zip(lots, parts, strict=True):
        if one["is_indivisible"] and part not in {0, 1}:
            return False
        behind = [
            later for lot, later in zip(lots, parts, strict=True)
            if lot["chain"] == one["chain"] != -1 and lot["place"] > one["place"]
        ]  # fmt: skip
        if part < 1 and any(behind):
            return False
    return all(value >= lots[0]["minimum_trade"] / 1e6 - near for value in trades(lots, parts).values())


def trades(lots: list[dict[str, Any]], parts: list[float]) -> dict[tuple[str, str], float]:
    """The dollars that each trade sells for."""
    sold: dict[tuple[str, str], float] = {}
    for lot, part in zip(lots, parts, strict=True):
        if part:
            trade = lot["account_id"], lot["asset"]
            sold[trade] = sold.get(trade, 0.0) + part * lot["proceeds"] / 1e6
    return sold


def best_in_quarters(lots: list[dict[str, Any]], night: harvest.Tonight) -> int:
    """The highest net benefit of all sets of quarters that may be sold, cents."""
    choices = [(0, 1) if lot["is_indivisible"] else (0, 0.25, 0.5, 0.75, 1) for lot in lots]
    sets = [list(parts) for parts in itertools.product(*choices) if may_be_sold(lots, list(parts), near=0.01)]
    made = np.array([len(trades(lots, parts)) for parts in sets])

    def dollars(name: str) -> np.ndarray:
        return np.array(sets) @ np.array([float(lot[name]) for lot in lots])

    names = ("short", "long", "collectible", "given_up", "collectible_given_up")
    short, long, collectible, given_up, given_up_28 = (np.rint(dollars(name) / 1e4).astype(np.int64) for name in names)
    cost = np.rint(dollars("cost") / 1e10 + made * float(lots[0]["fixed_fee"]) / 1e4).astype(np.int64)
    sales = Sales(np.zeros(made.size, np.int64), short, long, collectible, given_up, cost, given_up_28)
    return int(valuation.evaluate(night.outlook, sales).net_benefit.max())


@pytest.mark.parametrize("part", range(4))
def test_no_set_of_quarters_is_better(monkeypatch, part):
    """What is chosen is not below the best of them by more than its gap, which is seldom above the rounding."""
    monkeypatch.setattr(harvest, "BROKER_YEAR", 2025)
    proofs, gaps = set(), []
    for seed in range(part * CASES, (part + 1) * CASES):
        found, night = random_sale(seed)
        if found.is_empty():
            continue
        plan = harvest.choose(found, night)
        lots = harvest._with_sums(found).to_dicts()
        best = best_in_quarters(lots, night)
        said = harvest.worth(plan.sold, night)["net_benefit"][-1] if plan.sold.height else 0
        ((optimum, gap),) = plan.proofs.select("optimum", "gap").rows()
        assert best - said <= cells.NOISE + gap, seed
        gaps.append(gap)
        shares = dict(plan.sold.select("lot_id", pl.col("sold").cast(float) / pl.col("quantity").cast(float)).rows())
        assert may_be_sold(lots, [shares.get(lot["lot_id"], 0) for lot in lots], near=0.02), seed
        proofs.add(optimum)
    assert proofs >= {"branched", "enumerated"}
    assert np.mean(np.array(gaps) <= cells.NOISE) > 0.9


def parents_and_children(of: Any, node: Any, depth: int) -> Any:
    """Bounds of a node and of each node that decides more, to a depth."""
    relaxed = branches._relaxed(of, node, -np.inf)
    for choice in (branches._choices(of, node, relaxed) or ()) if depth else ():
        kept = branches._kept(of, choice)
        if kept is not None:
            yield relaxed.bound, branches._relaxed(of, kept, -np.inf).bound
            yield from parents_and_children(of, kept, depth - 1)


def problem_of(lots: Any, row: int, night: harvest.Tonight) -> Any:
    """A return as the branches take it."""
    sums = np.stack([lots.short, lots.long, lots.collectible, lots.given_up, lots.collectible_given_up], axis=1)
    chains = [np.flatnonzero(lots.chain == chain) for chain in np.unique(lots.chain[lots.chain >= 0])]
    opening = np.unique(lots.trade, return_index=True)[1]
    return branches._Return(lots, row, night.outlook, sums, branches._beside(lots), chains, opening)


def test_what_decides_more_never_promises_more(monkeypatch):
    """The bound of a node holds for every node below it, or the search would leave out what is better."""
    monkeypatch.setattr(harvest, "BROKER_YEAR", 2025)
    pairs = []
    for seed in range(400):
        found, night = random_sale(seed)
        if found.is_empty():
            continue
        lots = harvest._with_sums(found).sort("chain", "place")
        of = problem_of(harvest._forced_lots(lots), int(lots["row"][0]), night)
        for root in branches._roots(of):
            pairs += parents_and_children(of, root, 4)
    assert len(pairs) > 300
    assert max(child - parent for parent, child in pairs) <= cells.NOISE


def test_the_bound_of_a_node_holds_where_gains_are_sold_in_any_case():
    """A short-term gain of 70,000 that is sold in any case moves where the law bends: this sale must stay below the bound."""
    night = tonight(
        expectations(91_000, 5_000), settings(horizon_years=5, platforms={}), status="mfs", ordinary=91_000,
        short_term=10_649, long_term=30_000,
    )  # fmt: skip

    def column(*amounts: float) -> np.ndarray:
        return np.array(amounts, np.float64)

    count = 9
    nothing = np.zeros(count)
    lots = forced.Lots(
        short=column(-7_000_000, 7_430, -39_443, 0, 0, 0, 24_128, 0, 30_000),
        long=column(0, 0, 0, 7_000_000, 7_012_636, 7_030_068, 0, 281_752, 0),
        collectible=nothing,
        given_up=column(-7_000_000, 1_967_126, -39_443, 7_000_000, 7_012_636, 7_030_068, 24_128, 281_752, 30_000),
        collectible_given_up=column(-7_000_000, 0, 0, 0, 0, 0, 0, 0, 0),
        value=column(7_000_000, 929_950, 2_636_876, 4_166_106, 1_454_492, 993_138, 30_000, 30_000, 30_000),
        cost=column(98_000, 2_325, 36_916, 10_415, 0, 0, 0, 0, 0),
        indivisible=np.array([True, True, True, True, True, False, True, True, True]),
        decided=np.array([True, True, False, False, False, False, False, False, False]),
        trade=np.zeros(count, np.int64), fixed=np.full(count, 60_000.0), least=nothing, chain=np.full(count, -1),
        place=np.arange(count),
    )  # fmt: skip
    of = problem_of(lots, 0, night)
    parts = [np.array(choice, np.float64) for choice in itertools.product(*[(0, 1)] * count)]
    parts += [np.where(np.arange(count) == 5, share, whole) for whole in parts for share in (0.25, 0.5, 0.55, 0.75)]
    for root in branches._roots(of):
        inside = [each for each in parts if (each >= root.low).all() and (each <= root.high).all()]
        best = branches._best_of(of, branches.Branched(nothing, -np.inf, 0.0), inside)
        assert branches._relaxed(of, root, -np.inf).bound >= best.value - cells.NOISE


def long_orders(seed: int) -> tuple[pl.DataFrame, harvest.Tonight]:
    """Two wallets of a broker that sells the oldest first, twelve lots in each, at losses and gains, long-term ones first."""
    rng = random.Random(f"orders{seed}")
    firm = settings(30, 20, horizon_years=rng.choice([1, 6]), holding_years=rng.choice([2, 5]))
    night = tonight(
        expectations(rng.choice([60_000, 400_000]), rng.choice([0, 10_000])), firm,
        ordinary=rng.choice([50_000, 150_000, 400_000]), short_term=rng.choice([0, 20_000, -5_000]),
        long_term=rng.choice([0, 50_000]),
    )  # fmt: skip
    lots = []
    for place in range(24):
        value = rng.choice([1_000, 4_000, 16_000])
        loss = round(value * rng.choice([-0.4, -0.1, 0.1, 0.3, 0.8]))
        term = "long" if place < 14 else "short"
        lots.append(
            holding(
                f"l{place:02}", loss, value, term, account_id="ab"[place % 2], date_acquired=f"2023-01-{place + 1:02}"
            )
        )
    rows = [(account, None, "us_broker", f"w{account}", "fifo") for account in "ab"]
    names = ("account_id", "platform", "custody", "wallet", "only_method")
    accounts = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return harvest.for_sale(holdings(*lots), night, accounts, facts(("BTC", "coin", False, False)), ["r"], 2025), night


def test_no_two_beginnings_of_long_orders_are_better(monkeypatch):
    """Every pair of beginnings, each up to a quarter of any lot, beside what the branches choose; nearly all is proved."""
    monkeypatch.setattr(harvest, "BROKER_YEAR", 2025)
    gaps = []
    for seed in range(25):
        found, night = long_orders(seed)
        lots = harvest._with_sums(found).sort("chain", "place")
        sums = [
            lots.filter(pl.col("chain") == chain).select(harvest.SUMS).cast(float).to_numpy()
            for chain in lots["chain"].unique()
        ]
        ends = []
        for of in sums:
            upto = np.vstack([np.zeros((1, of.shape[1])), np.cumsum(of, axis=0)])
            ends.append(np.vstack([upto[:-1] + share * np.diff(upto, axis=0) for share in (0, 0.25, 0.5, 0.75, 1)]))
        both = (ends[0][:, None, :] + ends[1][None, :, :]).reshape(-1, len(harvest.SUMS))
        amounts = dict(zip(harvest.SUMS, both.T, strict=True))
        cents = {name: np.rint(of / (1e10 if name == "cost" else 1e4)).astype(np.int64) for name, of in amounts.items()}
        sales = Sales(
            np.zeros(len(both), np.int64), cents["short"], cents["long"], cents["collectible"], cents["given_up"], cents["cost"],
            cents["collectible_given_up"],
        )  # fmt: skip
        best = int(valuation.evaluate(night.outlook, sales).net_benefit.max())
        plan = harvest.choose(found, night)
        ((optimum, gap),) = plan.proofs.select("optimum", "gap").rows()
        said = harvest.worth(plan.sold, night)["net_benefit"][-1] if plan.sold.height else 0
        assert optimum == "branched"
        assert best - said <= gap + cells.NOISE, seed
        gaps.append(gap)
    assert np.mean(np.array(gaps) <= cells.NOISE) > 0.9


def test_an_orders_envelope_is_never_above_what_its_beginnings_spend():
    """By hand: nets 0, 10, -5, 20, 15 for 0, 2, 3, 8, 9 spent; to 10 at 0.2 a cent, from there to 20 at 0.6."""
    net, spent = np.array([0.0, 10, -5, 20, 15]), np.array([0.0, 2, 3, 8, 9])
    lengths, slopes = branches._envelope(net, spent)
    assert lengths.tolist() == [10, 10]
    assert np.allclose(slopes, [0.2, 0.6])
    lengths, slopes = branches._envelope(-net, spent)
    assert lengths.tolist() == [5]
    assert np.allclose(slopes, [0.6])
    assert branches._envelope(np.zeros(1), np.zeros(1))[0].size == 0


def test_gifts_with_two_bases_are_proved_by_halves(monkeypatch):
    """Free to choose, in an order, and of trades that cost a fee: beside every set of quarters, and nearly all to the cent."""
    monkeypatch.setattr(harvest, "BROKER_YEAR", 2025)
    gaps, cut = [], 0
    for seed in range(480, 900):
        found, night = random_sale(seed)
        if found.is_empty() or (found["loss_basis"] == found["gain_basis"]).all():
            continue
        plan = harvest.choose(found, night)
        ((_, gap),) = plan.proofs.select("optimum", "gap").rows()
        said = harvest.worth(plan.sold, night)["net_benefit"][-1] if plan.sold.height else 0
        assert best_in_quarters(harvest._with_sums(found).to_dicts(), night) - said <= cells.NOISE + gap, seed
        gaps.append(gap)
        gifts = plan.sold.filter(pl.col("loss_basis") != pl.col("gain_basis"), pl.col("sold") < pl.col("quantity"))
        cut += gifts.height > 0
    assert len(gaps) > 80
    assert cut > 5
    assert np.mean(np.array(gaps) <= cells.NOISE) > 0.9


def test_collectibles_that_are_many_or_can_be_cut_are_searched_without_a_proof():
    """How a collectible moves the tax is not monotone, so each is decided in or out; of seven, or of parts, none is."""
    night = tonight(ordinary=220_000, long_term=60_000)
    for count, whole, optimum in ((6, True, "enumerated"), (7, True, "enumerated"), (1, False, "searched")):
        lots = [
            holding(f"l{place}", 2_000 + place, 9_000, "long", asset="ART", quantity=1, price=Decimal(9_000))
            for place in range(count)
        ]
        found = harvest.for_sale(holdings(*lots), night, accounts(), facts(("ART", "nft", True, whole)), ["r"], 2025)
        assert harvest.choose(found, night).proofs["optimum"].to_list() == [optimum]
        found = harvest.for_sale(
            holdings(*lots, holding("coin", 3_000, 4_000)), night, accounts(),
            facts(("ART", "nft", True, whole), ("BTC", "coin", False, False)), ["r"], 2025,
        )  # fmt: skip
        ((how, gap),) = harvest.choose(found, night).proofs.select("optimum", "gap").rows()
        assert (how, gap is None) == (("branched", False) if count == 6 else ("searched", True))


def test_a_sale_whose_losses_are_no_whole_cents_can_be_programmed():
    """100,000.7 cents of loss where the cells end at 100,000: the one sale worth making is found, and bounded."""
    one = np.zeros(1)
    lots = forced.Lots(
        short=one + 100_000.7, long=one, collectible=one, given_up=one + 100_000.7, collectible_given_up=one,
        value=one + 500_000, cost=one, indivisible=np.array([True]), decided=np.array([False]), trade=np.zeros(1, np.int64),
        fixed=one + 10, least=one, chain=np.array([-1]), place=np.zeros(1, np.int64),
    )  # fmt: skip
    corners = np.array([[0, 100_000, 100_000]]), np.zeros((1, 3), np.int64), np.array([[0, 30_000, 30_000]])
    solved = forced.solve(lots, cells.Cells(*corners), 5.0)
    assert solved.parts is not None
    assert solved.parts.tolist() == [1.0]
    assert solved.bound == pytest.approx(29_990, abs=2)


def test_a_trade_that_only_costs_is_left_out():
    """By hand: a fee of 150 (75 each way) for a loss of one cent is not paid, whatever else is sold."""
    fee = {
        "default": PlatformCost(Decimal(0), Decimal(0)),
        "dear": PlatformCost(Decimal(0), Decimal(0), fixed_fee=Decimal(75)),
    }
    night = tonight(
        expectations(80_000, 0), settings(horizon_years=4, platforms=fee), ordinary=80_000, short_term=30_000
    )
    lots = holdings(
        holding("large", 20_000, 5_000, account_id="a"), holding("crumb", Decimal("0.01"), 800, account_id="b"),
        holding("other", 9_000, 3_000, account_id="a"),
    )  # fmt: skip
    found = harvest.for_sale(lots, night, accounts(("a", None, "self"), ("b", "dear", "self")), facts())
    plan = harvest.choose(found, night)
    assert "crumb" not in plan.sold["lot_id"].to_list()
    assert plan.sold.height == 2
    assert plan.proofs["gap"].to_list() <= [cells.NOISE]
