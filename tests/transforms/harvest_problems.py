"""Random problems of the advice, for the oracle and for the project at once. No expectation belongs here.

Dollars are whole, so that neither side rounds what the other does not: then the two differ by the rounding of taxes and
present values alone. Clients with a minimum tax are passed over: the oracle does not know it.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from schemas.fields import CENTS
from schemas.inputs import FirmSettings, PlatformCost
from schemas.review import ReviewItems
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import accounts, expectations, facts, holding, holdings, returns, settings, zones
from tests.transforms.harvest_milp import Client, Lot, Rules
from transforms import advice, harvest, valuation
from transforms.law.tax import assess
from transforms.valuation import Sales

PLATFORMS = {
    "default": PlatformCost(Decimal(60), Decimal(20)),
    "cheap": PlatformCost(Decimal(10), Decimal(5)),
    "free": PlatformCost(Decimal(0), Decimal(0)),
}
RATES = {name: float((2 * cost.fee_bp + cost.spread_bp) / 10_000) for name, cost in PLATFORMS.items()}
INCOMES = (0, 15, 30, 47, 64, 90, 120, 190, 215, 260, 400, 700)
"""Thousands of dollars, near the kinks: no taxable income, the 0 percent top, the NIIT threshold, the top rates."""


@dataclass(frozen=True)
class Problem:
    """A client with lots; the platform of each lot's account is the wallet's name up to the dash."""

    client: Client
    lots: tuple[Lot, ...]


def random_problem(
    rng: random.Random, year: int, *, gains: bool = False, indivisible: bool = False, most: int = 8
) -> Problem:
    """A client without a minimum tax; some lots are gifts, with more basis to give up than loss to take."""
    while True:
        problem = _random_problem(rng, year, gains=gains, indivisible=indivisible, most=most)
        if not minimum_tax(problem):
            return problem


def _random_problem(rng: random.Random, year: int, *, gains: bool, indivisible: bool, most: int) -> Problem:
    client = random_client(rng, year)
    lots = [_random_lot(rng, f"{place}", gains, indivisible) for place in range(rng.randint(1, most))]
    return Problem(client, tuple(sorted(lots, key=lambda lot: lot.short)))  # the long-term ones were bought first


def random_client(rng: random.Random, year: int) -> Client:
    """A return of any status, income and sign of gains; some have an AMT."""
    ordinary = rng.choice(INCOMES) * 1000 + rng.randrange(0, 8) * 500
    return Client(
        status=rng.choice(["single", "mfj", "mfs", "hoh", "qss"]),
        year=year,
        ordinary=ordinary,
        nii=rng.choice([0, 0, ordinary // 10]),
        qualified_dividends=rng.choice([0, 0, 0, 4_000]),
        short_term=rng.choice([0, 0, -20_000, 8_000, 30_000, 60_000]) + rng.choice([0, rng.randrange(3_000)]),
        long_term=rng.choice([0, 0, -20_000, 8_000, 30_000, 60_000, 200_000]),
        short_carry=rng.choice([0, 0, 0, 9_000]),
        long_carry=rng.choice([0, 0, 0, 9_000, 50_000]),
        later_ordinary=rng.choice([ordinary, ordinary, rng.choice(INCOMES) * 1000]),
        later_gains=rng.choice([0, 0, 5_000, 25_000]),
    )


def _random_lot(rng: random.Random, place: str, gains: bool, indivisible: bool) -> Lot:
    loss = rng.choice([300, 2_500, 12_000, 70_000]) + rng.randrange(500)
    gain = gains and rng.random() < 0.3
    platform = rng.choice(list(PLATFORMS))
    whole = indivisible and rng.random() < 0.7
    return Lot(
        short=rng.random() < 0.5,
        loss=-loss if gain else loss,
        proceeds=rng.randrange(100, 60_000) + (loss if gain else 0),
        wallet=f"{platform}-nft{place}" if whole else f"{platform}-{rng.randrange(2)}",
        basis_given_up=loss + rng.randrange(20_000) if not gain and rng.random() < 0.1 else None,
        cost_rate=RATES[platform],
        indivisible=whole,
    )


def give_up(lot: Lot) -> float:
    return lot.loss if lot.basis_given_up is None else lot.basis_given_up


def minimum_tax(problem: Problem) -> bool:
    """Whether any year can have an AMT: none sold, all losses or all gains sold, and the later sale of everything."""
    client, lots = problem.client, problem.lots
    night = tonight([problem], Rules())
    view = night.outlook
    sides = [sum(min(0, lot.loss) for lot in lots), 0, sum(max(0, lot.loss) for lot in lots)]
    again = [sum(min(0, give_up(lot)) for lot in lots), 0, sum(max(0, give_up(lot)) for lot in lots)]
    shifts = [(view.tonight, -amount) for amount in sides] + [(view.later, amount) for amount in again]
    for year, shift in shifts:
        for column in ("short_term", "long_term"):
            moved = getattr(year, column) + int(shift) * 100
            if assess(year._replace(**{column: moved})).amt.any():
                return True
    return client.ordinary < 0


# --- the same problems as the project's frames --------------------------------------------------------------------------


def firm(rules: Rules, **more: Any) -> FirmSettings:
    """The assumptions of `rules` with the platforms of the problems; its fixed fee is that of two trades."""
    platforms = {
        name: replace(
            cost, fixed_fee=Decimal(str(rules.fixed_fee)) / 2, minimum_trade=Decimal(str(rules.minimum_trade))
        )
        for name, cost in PLATFORMS.items()
    }
    given: dict[str, Any] = {
        "discount_rate": Decimal(str(rules.rate)),
        "horizon_years": rules.horizon,
        "holding_years": rules.holding,
        "platforms": platforms,
    }
    if rules.early_sale_chance:
        given["early_sale_chance"] = Decimal(str(rules.early_sale_chance))
    return settings(**given | more)


def name_of(number: int) -> str:
    return f"r{number:05}"


def tax_rows(problems: Sequence[Problem]) -> pl.DataFrame:
    rows = []
    for number, problem in enumerate(problems):
        client = problem.client
        rows.append(
            returns(
                name_of(number),
                client.status,
                client.year,
                ordinary=int(client.ordinary),
                nii=int(client.nii),
                qualified_dividends=int(client.qualified_dividends),
                short_term=int(client.short_term),
                long_term=int(client.long_term),
                short_term_carry_in=int(client.short_carry),
                long_term_carry_in=int(client.long_carry),
            )
        )
    return pl.concat(rows)


def expected(problems: Sequence[Problem]) -> pl.DataFrame:
    return pl.concat(
        expectations(int(problem.client.later_ordinary), int(problem.client.later_gains), name_of(number))
        for number, problem in enumerate(problems)
    ).with_columns(
        # known to be nothing: else no lot at a gain is for sale
        social_security=pl.lit(0, CENTS),
        aca_credit=pl.lit(0, CENTS),
    )


def lot_rows(problems: Sequence[Problem], year: int) -> list[dict[str, Any]]:
    """Ten units a lot (one where they are indivisible), bought in the order of the problem's lots."""
    rows = []
    for number, problem in enumerate(problems):
        for place, lot in enumerate(problem.lots):
            units = 1 if lot.indivisible else 10
            day = dt.date(year - 1 if lot.short else year - 3, 12, 20) + dt.timedelta(days=place)
            cells = {
                "return_id": name_of(number),
                "taxpayer_id": name_of(number),
                "account_id": f"{name_of(number)}-{lot.wallet}",
                "asset": "NFT" if lot.indivisible else "BTC",
                "quantity": units,
                "price": Decimal(int(lot.proceeds)) / units,
                "basis": int(lot.proceeds + give_up(lot)),
                "date_acquired": day,
                "long_term_from": dt.date(day.year + 1, 12, 20) + dt.timedelta(days=place + 1),
                "priced_at": f"{year}-12-15T00:00:00",
            }
            term = "short" if lot.short else "long"
            rows.append(holding(f"{place:02}", int(lot.loss), int(lot.proceeds), term, **cells))
    return rows


def tonight(problems: Sequence[Problem], rules: Rules) -> harvest.Tonight:
    return harvest.tonight_of(tax_rows(problems), expected(problems), firm(rules))


def advise(
    problems: Sequence[Problem], rules: Rules, lots: list[dict[str, Any]] | None = None, **more: Any
) -> advice.Advice:
    """The advice to all of them, in one night of their year."""
    year = problems[0].client.year
    names = [name_of(number) for number in range(len(problems))]
    rows = lot_rows(problems, year) if lots is None else lots
    where = sorted({str(row["account_id"]) for row in rows})
    return advice.recommend(
        holdings(*rows),
        tax_rows(problems),
        expected(problems),
        pl.DataFrame({"return_id": names, "taxpayer_id": names, "role": "primary", "tax_year": year}),
        more.get("accounts", accounts)(*((place, place.split("-")[1], "self") for place in where)),
        facts(("NFT", "nft", False, True)),
        zones(*((name, dt.date(1, 1, 1), "America/New_York") for name in names)),
        frame(ReviewItems),
        more.get("settings", firm(rules)),
        dt.date(year, 12, 15),
    )


def worth(problems: Sequence[Problem], sets: Sequence[Sequence[Sequence[float]]], rules: Rules) -> list[list[float]]:
    """The kernel's net benefit, in dollars, of given parts of the lots: for each problem a list of sets of parts."""
    night = tonight(problems, rules)
    rows, sums = [], []
    for number, (problem, tried) in enumerate(zip(problems, sets, strict=True)):
        for parts in tried:
            rows.append(number)
            sums.append(_sums(problem, parts))
    found = valuation.evaluate(night.outlook, Sales(np.array(rows, np.int64), *np.array(sums, np.int64).T))
    worths: list[list[float]] = [[] for _ in problems]
    for row, benefit in zip(rows, found.net_benefit.tolist(), strict=True):
        worths[row].append(benefit / 100)
    return worths


def _sums(problem: Problem, parts: Sequence[float]) -> tuple[int, ...]:
    """What `Sales` wants of the parts, in cents, halves up."""

    def total(amounts: list[float]) -> int:
        return int(np.floor(sum(part * amount for part, amount in zip(parts, amounts, strict=True)) * 100 + 0.5))

    lots = problem.lots
    return (
        total([lot.loss if lot.short else 0 for lot in lots]),
        total([0 if lot.short else lot.loss for lot in lots]),
        0,
        total([give_up(lot) for lot in lots]),
        total([lot.proceeds * lot.cost_rate for lot in lots]),
        0,
    )
