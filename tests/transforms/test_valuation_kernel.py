"""The compiled valuation beside the law's functions for arrays, to the cent, and how it is compiled."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from tests.transforms.harvest_cases import accounts, facts, holding, holdings, settings, tonight
from tests.transforms.law.random_returns import random_rows
from transforms import cells, harvest, valuation, valuation_kernel
from transforms.law.states import BOOK, NOWHERE, state_tax
from transforms.law.tax import assess
from transforms.valuation import Sales, later_year, outlook, present_value

COUNT = 1_000
FIRM = settings(horizon_years=4, holding_years=3, early_sale_chance=Decimal("0.25"), discount_rate=Decimal("0.037"))


def random_sales(year):
    """Losses and gains of all sizes, one set a return, some collectible, some with a raised basis."""
    rng = np.random.default_rng(1_000 + year)

    def amount(scale):
        return (rng.uniform(-0.6, 1, COUNT) * rng.choice([0, 0.01, 0.3, 1, 3], COUNT) * scale * 100).astype(np.int64)

    short, long = amount(60_000), amount(90_000)
    collectible = np.where(rng.random(COUNT) < 0.3, long // 2, 0)
    given_up = short + long + np.where(rng.random(COUNT) < 0.2, amount(5_000), 0)
    return Sales(np.arange(COUNT), short, long, collectible, given_up, np.abs(amount(100)), collectible)


def taxed(returns, home):
    """Federal and state tax, and the carryovers out, by the functions of arrays."""
    found = assess(returns)
    return found.federal_tax + state_tax(returns, found, home).tax, found.short_term_out, found.long_term_out


def year_by_year(later, home, carryovers, sale_year, gain, gain_28, *, short):
    """The tax of each later year, with a sale in one of them."""
    taxes = []
    for year in range(FIRM.horizon_years):
        sold, sold_28 = (gain, gain_28) if year == sale_year else (0 * gain, 0 * gain)
        returns = later._replace(
            short_term=later.short_term + (sold if short else 0),
            long_term=later.long_term + (0 if short else sold),
            gain_28=later.gain_28 + (0 if short else sold_28),
            short_term_carry_in=carryovers[0],
            long_term_carry_in=carryovers[1],
        )
        tax, *carryovers = taxed(returns, home)
        taxes.append(tax)
    return taxes


def value(later, home, sold, kept, sales, sale_year, *, short):
    """What the later years' taxes are less: what is given up raises the gain of one world, or else of the other."""
    of_28 = sales.collectible_given_up
    other = sales.basis_given_up - of_28
    lost, raised = (np.maximum(0, sign * other) + np.maximum(0, sign * of_28) for sign in (1, -1))
    lost_28, raised_28 = np.maximum(0, of_28), np.maximum(0, -of_28)
    less = year_by_year(later, home, sold, sale_year, lost, lost_28, short=short)
    more = year_by_year(later, home, kept, sale_year, raised, raised_28, short=False)
    return present_value([b - a for b, a in zip(more, less, strict=True)], FIRM.discount_rate)


@pytest.mark.parametrize("year", [2013, 2017, 2018, 2021, 2023, 2025, 2026])
def test_compiled_law_equals_the_law_of_arrays_to_the_cent(year):
    """1,000 random returns, each in a random state or none, of every status, each with a random set of sales."""
    now, sales = random_rows(year, COUNT), random_sales(year)
    rng = np.random.default_rng(year)
    home = np.where(rng.random(COUNT) < 0.2, NOWHERE, rng.integers(0, len(BOOK.states), COUNT))
    later = later_year(now, now.ordinary // 2, np.maximum(0, now.long_term) // 3)
    worth = valuation.evaluate(outlook(now, later, FIRM, home), sales)
    with_sales = now._replace(
        short_term=now.short_term - sales.short_loss,
        long_term=now.long_term - sales.long_loss,
        gain_28=now.gain_28 - sales.collectible_loss,
    )
    before, after = assess(now), assess(with_sales)
    assert np.array_equal(worth.tax_after, after.federal_tax)
    assert np.array_equal(worth.regular_saved, before.regular_tax - after.regular_tax)
    assert np.array_equal(worth.amt_saved, before.amt - after.amt)
    assert np.array_equal(worth.niit_saved, before.niit - after.niit)
    state_before, state_after = state_tax(now, before, home).tax, state_tax(with_sales, after, home).tax
    assert np.array_equal(worth.state_saved, state_before - state_after)
    assert np.array_equal(worth.short_term_out_after, after.short_term_out)
    assert np.array_equal(worth.long_term_out_after, after.long_term_out)
    sold, kept = (after.short_term_out, after.long_term_out), (before.short_term_out, before.long_term_out)
    carryover, at_last, at_first = (
        value(later, home, sold, kept, sales, when, short=short) for when, short in ((-1, False), (2, False), (0, True))
    )
    assert np.array_equal(worth.carryforward_value, carryover)
    assert np.array_equal(worth.later_tax_cost, carryover - at_last)
    quarter = at_last - at_first  # at a chance of one quarter, halves away from zero
    assert np.array_equal(worth.restarted_clock_cost, np.sign(quarter) * ((2 * np.abs(quarter) + 4) // 8))
    saved = worth.tax_before - worth.tax_after + worth.state_saved
    lasting = worth.carryforward_value - worth.later_tax_cost - worth.restarted_clock_cost - worth.trading_cost
    assert np.array_equal(worth.net_benefit, saved + lasting)
    compared = [worth.regular_saved, worth.carryforward_value, worth.restarted_clock_cost]
    compared += [worth.state_saved] if year in BOOK.years else []
    assert all((column != 0).sum() > COUNT / 20 for column in compared)


@pytest.mark.parametrize(("column", "sign"), [("short_loss", 1), ("long_loss", 1), ("basis_given_up", -1)])
@pytest.mark.parametrize("year", [2013, 2017, 2022, 2024, 2026])
def test_more_loss_for_the_same_basis_or_less_basis_never_brings_less(year, column, sign):
    """What cells, and gifts, are bounded by: this year and ten later ones, in every state, but for the rounding of taxes."""
    firm = settings(horizon_years=10, holding_years=4, early_sale_chance=Decimal("0.3"))
    now, sales = random_rows(year, COUNT), random_sales(year)
    home = np.arange(COUNT) % (len(BOOK.states) + 1) - 1
    view = outlook(now, later_year(now, now.ordinary // 2, np.abs(now.long_term) // 4), firm, home)
    less = valuation.evaluate(view, sales).net_benefit
    assert NOWHERE == -1
    for more in (1_00, 3_000_00, 50_000_00):
        better = sales._replace(**{column: getattr(sales, column) + sign * more})
        brings = valuation.evaluate(view, better).net_benefit
        assert (brings - less).min() >= -cells.NOISE
        assert (brings > less).mean() > 0.1


def test_what_is_compiled_at_set_up_is_what_the_night_runs():
    """One form each, whatever arrays a night brings: another would be compiled in the night, for half a minute."""
    cells.warm_up()
    night = tonight(ordinary=700_000, short_term=10_000)
    for kind in (facts(), facts(("BTC", "nft", False, True)), facts(("BTC", "nft", True, True))):
        lots = [
            holding(f"l{number}", 1_000 * number, 50_000, "short" if number % 2 else "long") for number in range(1, 20)
        ]
        found = harvest.for_sale(holdings(*lots), night, accounts(), kind)
        assert harvest.choose(found, night).sold.height > 0
    assert len(cells.search.signatures) == 1  # type: ignore[attr-defined]
    assert len(valuation_kernel.value.signatures) == 1  # type: ignore[attr-defined]


def test_compiled_code_is_kept_by_all_its_sources(tmp_path, monkeypatch):
    """A change of the law, or of the search, names another entry of numba's cache."""
    root = valuation_kernel.resources.files("transforms").parent
    names = ["schemas/fields.py", "transforms/valuation_kernel.py", "transforms/cells.py"]
    law = root.joinpath("transforms/law")
    names += [f"transforms/law/{file.name}" for file in law.iterdir() if file.name.endswith(".py")]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(root.joinpath(name).read_bytes())
    monkeypatch.setattr(valuation_kernel.resources, "files", lambda package: tmp_path / package)
    assert valuation_kernel.digest("cells.py") == cells.search.py_func.__closure__[0].cell_contents  # type: ignore[attr-defined]
    for name in names:
        before = valuation_kernel.digest("cells.py")
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"\n")
        assert valuation_kernel.digest("cells.py") != before, name
