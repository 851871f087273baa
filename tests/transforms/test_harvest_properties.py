"""What holds for every advice, whatever the client: never worse than the obvious, sums that sum, order and cuts that do
not matter. The clients are Hypothesis's, the worth of other plans the tax kernel's."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import accumulate
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from schemas.review import ReviewItems
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import accounts, expectations, facts, holdings, zones
from tests.transforms.harvest_milp import Lot, Rules
from tests.transforms.harvest_problems import Problem, advise, firm, lot_rows, name_of, random_problem, tax_rows, worth
from transforms.advice import Advice, recommend

RULES = Rules(horizon=5, holding=3)
CENT = 0.02
"""Two sums of the same dollars cut elsewhere: each rounds its taxes and its present value."""

problems = st.builds(
    lambda seed, year, gains: random_problem(random.Random(seed), year, gains=gains),
    st.integers(0, 10**9),
    st.sampled_from([2023, 2025, 2026]),
    st.booleans(),
)
some = settings(max_examples=25, deadline=None, derandomize=True)


def best(advice: Advice) -> dict[str, Any]:
    return advice.summary.filter(pl.col("scenario") == "best").row(0, named=True)


def net(problem: Problem, rules: Rules = RULES) -> float:
    return float(best(advise([problem], rules))["net_benefit"])


def greedy(problem: Problem) -> float:
    """What lists of losses lead to: whole lots, the largest first, until they cover the year's gains and 3,000."""
    order = sorted(
        (number for number, lot in enumerate(problem.lots) if lot.loss > 0), key=lambda n: -problem.lots[n].loss
    )
    client = problem.client
    limit = 1_500 if client.status == "mfs" else 3_000
    cover = client.short_term + client.long_term - client.short_carry - client.long_carry + limit
    sold: set[int] = set()
    for number in order:
        if sum(problem.lots[n].loss for n in sold) >= cover:
            break
        sold.add(number)
    return worth([problem], [[[float(number in sold) for number in range(len(problem.lots))]]], RULES)[0][0]


@some
@given(problems)
def test_never_worse_than_nothing_everything_or_greedy(problem):
    all_losses = [[float(lot.loss > 0) for lot in problem.lots]]
    every_lot = [[1.0] * len(problem.lots)]
    others = [0.0, greedy(problem), *worth([problem], [[*all_losses, *every_lot]], RULES)[0]]
    assert net(problem) >= max(others) - CENT


@some
@given(problems)
def test_greedy_and_everything_stand_beside_it(problem):
    """`greedy_net_benefit` and `everything_net_benefit` of the summary are those computed here."""
    row = best(advise([problem], RULES))
    everything = worth([problem], [[[float(lot.loss > 0) for lot in problem.lots]]], RULES)[0][0]
    assert float(row["greedy_net_benefit"] or 0) == pytest.approx(greedy(problem), abs=0.005)
    if any(lot.loss > 0 for lot in problem.lots):
        assert float(row["everything_net_benefit"]) == pytest.approx(everything, abs=0.005)


def halves(lots: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each lot as two of half the units: a purchase filled in two parts."""
    return [
        lot
        | {"lot_id": f"{lot['lot_id']}{half}", "quantity": Decimal(lot["quantity"]) / 2}
        | {name: Decimal(lot[name]) / 2 for name in ("value", "basis", "unrealized_gain")}
        for lot in lots
        for half in "ab"
    ]


@some
@given(problems)
def test_a_lot_in_two_changes_no_total(problem):
    rows = lot_rows([problem], problem.client.year)
    whole, split = best(advise([problem], RULES)), best(advise([problem], RULES, halves(rows)))
    assert float(split["net_benefit"]) == pytest.approx(float(whole["net_benefit"]), abs=CENT)
    assert split["loss_available"] == whole["loss_available"]


@some
@given(problems, st.integers(1, 80_000), st.booleans())
def test_another_loss_lot_never_lowers_the_benefit(problem, loss, short):
    more = replace(problem, lots=(*problem.lots, Lot(short=short, loss=loss, proceeds=10_000, wallet="free-9")))
    assert net(more) >= net(problem) - CENT


@some
@given(problems)
def test_cheaper_trading_never_lowers_the_benefit(problem):
    free = firm(RULES)
    cheaper = replace(
        free, platforms={name: replace(cost, fee_bp=cost.fee_bp / 2) for name, cost in free.platforms.items()}
    )
    assert float(best(advise([problem], RULES, settings=cheaper))["net_benefit"]) >= net(problem) - CENT


@some
@given(problems)
def test_terms_sum_to_the_net_benefit_and_rows_to_the_summary(problem):
    advice = advise([problem], RULES)
    for row in (*advice.summary.iter_rows(named=True), *advice.recommendations.iter_rows(named=True)):
        term = {name: value or 0 for name, value in row.items() if isinstance(value, Decimal | None)}
        costs = term["later_tax_cost"] + term["trading_cost"] + term.get("restarted_clock_cost", 0)
        assert row["net_benefit"] == term["tax_saved_now"] + term["carryforward_value"] - costs
    for summary in advice.summary.iter_rows(named=True):
        rows = advice.recommendations.filter(pl.col("scenario") == summary["scenario"])
        parts = ["regular_saved", "amt_saved", "niit_saved", "state_saved"]
        assert sum((rows[name].sum() or 0) for name in parts) == summary["tax_saved_now"]
        for column in ("tax_saved_now", "carryforward_value", "later_tax_cost", "trading_cost", "net_benefit"):
            assert (rows[column].sum() or 0) == summary[column]


def test_order_of_the_input_rows_does_not_matter():
    rng = random.Random("order")
    batch = [random_problem(rng, 2025, gains=True) for _ in range(20)]
    names = [name_of(number) for number in range(len(batch))]
    lots = lot_rows(batch, 2025)
    where = sorted({str(row["account_id"]) for row in lots})
    inputs = [
        holdings(*lots),
        tax_rows(batch),
        pl.concat(
            expectations(int(p.client.later_ordinary), int(p.client.later_gains), n)
            for p, n in zip(batch, names, strict=True)
        ),
        pl.DataFrame({"return_id": names, "taxpayer_id": names, "role": "primary", "tax_year": 2025}),
        accounts(*((place, place.split("-")[1], "self") for place in where)),
        facts(("NFT", "nft", False, True)),
        zones(*((name, _first_day(), "America/New_York") for name in names)),
    ]
    tail = (frame(ReviewItems), firm(RULES), _december())
    one = recommend(*inputs, *tail)
    other = recommend(*(table.sample(fraction=1, shuffle=True, seed=7) for table in inputs), *tail)
    assert not one.recommendations.is_empty()
    assert_frame_equal(one.recommendations, other.recommendations)
    assert_frame_equal(one.summary, other.summary)


def test_rank_order_is_of_growing_sets():
    """Marginal values sum up to each rank: what the first ranks together are worth is what selling them alone is worth."""
    rng = random.Random("ranks")
    problem = next(
        p for p in iter(lambda: random_problem(rng, 2025), None) if advise([p], RULES).recommendations.height > 2
    )
    rows = advise([problem], RULES).recommendations.filter(pl.col("scenario") == "best").sort("rank")
    reached = list(accumulate(float(value) for value in rows["net_benefit"]))
    sold: list[list[float]] = []
    parts = [0.0] * len(problem.lots)
    for row in rows.iter_rows(named=True):
        place = int(row["lot_id"])
        parts[place] = float(row["quantity"]) / (1 if problem.lots[place].indivisible else 10)
        sold.append(list(parts))
    assert worth([problem], [sold], RULES)[0] == pytest.approx(reached, abs=CENT)


def _first_day() -> dt.date:
    return dt.date(1, 1, 1)


def _december() -> dt.date:
    return dt.date(2025, 12, 15)
