"""The advice, followed: the lots are sold as the night said, and the next nights' returns are what was promised.

Two firms. The sample firm tonight: each client who gets a recommendation sells it, with the instruction in the books. And
a made-up firm in December 2024, whose returns of 2024, 2025 and 2026 are run with and without following the advice.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.fields import STATUSES
from tests.nights import copy_of, fresh, night
from tests.sample_night import Mart, mart
from transforms.law.tax import Returns, assess

UNIVERSAL = (
    "time", "kind", "sent_quantity", "sent_asset", "received_quantity", "received_asset", "fee_quantity", "fee_asset",
    "usd_value", "tx_id", "note",
)  # fmt: skip
CLIENTS = 40
HALF_A_CENT = Decimal("0.005")
TOP_RATE = Decimal("0.408")


def follow(folder: Path, tonight: Mart, day: date) -> int:
    """Sell what is recommended at the advice's price, an instruction in the books three hours before; the number of sales."""
    advised = tonight.rows(
        """select recommendation_id, account_id, asset, lot_id, quantity, proceeds from harvest_recommendations
           where scenario = 'best' order by return_id, rank"""
    )
    sales: dict[str, list[dict[str, str]]] = {}
    orders = []
    for number, (advice_id, account, asset, lot, quantity, proceeds) in enumerate(advised):
        time = f"{day}T{18 + number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        row = {"time": time, "kind": "sell", "sent_quantity": f"{quantity:f}", "sent_asset": asset}
        row |= {"received_quantity": f"{proceeds:f}", "received_asset": "USD", "note": "as advised"}
        sales.setdefault(account, []).append(row)
        order = [
            f"followed-{number}",
            advice_id,
            account,
            asset,
            lot,
            f"{quantity:f}",
            f"{day}T15:00:00Z",
            "",
            "",
            "open",
        ]
        orders.append(order)
    for account, rows in sales.items():
        write(folder / "intake" / account / "sold as advised.csv", rows)
    with (folder / "instructions.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(orders)
    return len(advised)


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, UNIVERSAL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def opened(path: Path) -> Iterator[Mart]:
    found = Mart(path)
    yield found
    found.close()


# --- the sample firm, tonight -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mart]:
    yield from opened(mart(tmp_path_factory))


@pytest.fixture(scope="module")
def after(before: Mart, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mart]:
    folder = copy_of(mart(tmp_path_factory), tmp_path_factory.mktemp("followed") / "firm")
    assert follow(folder, before, date(2026, 11, 20))
    yield from opened(night(folder, date(2026, 11, 21)))


def test_every_sample_client_who_follows_pays_the_promised_tax(before: Mart, after: Mart) -> None:
    """To the cent; and the losses carried out of the year are the promised ones."""
    promised = before.rows(
        """select return_id, tax_year, tax_after, short_term_out_after, long_term_out_after from harvest_summary
           where scenario = 'best' and verdict = 'harvest'"""
    )
    assert promised
    for return_id, year, tax, short, long in promised:
        found = "select federal_tax from schedule_d where return_id = ? and tax_year = ?"
        assert after.one(found, return_id, year) == tax
        carried = (
            "select sum(short_term_out), sum(long_term_out) from carryforwards where return_id = ? and tax_year = ?"
        )
        assert after.row(carried, return_id, year) == (short, long)


def test_every_instruction_was_executed_as_advised(before: Mart, after: Mart) -> None:
    """Each sale took the lot that the advice named, whole, and the identification counts (Reg. 1.1012-1(j))."""
    advised = before.rows(
        """select recommendation_id, lot_id, quantity from harvest_recommendations where scenario = 'best' order by all"""
    )
    executed = after.rows(
        """select recommendation_id, lot_id, sum(executed_quantity), bool_and(adequate) from instructions
           where recommendation_id is not null and event_id is not null group by all order by all"""
    )
    assert executed == [(*row, True) for row in advised]


# --- a made-up firm: three years of returns -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """A made-up client: what the profile says in dollars, and what was bought."""

    name: str
    status: str
    wages: int
    short_term: int
    long_term: int
    later_wages: int
    later_gains: int
    bought: tuple[tuple[str, str, Decimal, int], ...]  # day, asset, units, dollars paid


PRICES = {"BTC": 90_000, "ETH": 4_000, "SOL": 150}
ADVISED = date(2024, 12, 16)


def people() -> list[Person]:
    rng = random.Random("followed")
    found = []
    for number in range(CLIENTS):
        wages = rng.choice([30, 64, 120, 190, 260, 700]) * 1_000
        bought = []
        for asset, price in PRICES.items():
            for day in ("2022-03-01", "2024-02-15", "2024-08-05")[: rng.randint(0, 3)]:
                units = Decimal(rng.randrange(1, 400)) / (1000 if asset == "BTC" else 10)
                bought.append(
                    (day, asset, units, int(units * price * Decimal(rng.choice(["0.8", "1.1", "1.4", "2.5"]))))
                )
        found.append(
            Person(
                f"p{number:02}",
                rng.choice(["single", "mfs", "hoh"]),
                wages,
                rng.choice([0, 8_000, 30_000]),
                rng.choice([0, -20_000, 8_000, 60_000]),
                rng.choice([wages, wages, 90_000]),
                rng.choice([0, 0, 5_000]),
                tuple(bought),
            )
        )
    return [person for person in found if person.bought]


def emptied(folder: Path) -> Path:
    """A copy of the sample firm without its clients: the heads of its files."""
    fresh(folder)
    for file in folder.glob("*.csv"):
        file.write_text(file.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
    for file in (folder / "intake").rglob("*.csv"):
        file.unlink()
    for place in (folder / "intake").iterdir():
        place.rmdir()
    return folder


def append(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    file = folder / name
    head = next(csv.reader([file.read_text("utf-8").splitlines()[0]]))
    with file.open("a", encoding="utf-8", newline="") as out:
        csv.DictWriter(out, head, restval="", lineterminator="\n").writerows(rows)


def made_up(folder: Path) -> Path:
    """The firm on disk."""
    emptied(folder)
    nothing = dict.fromkeys(
        ("self_employment", "investment_income", "other_ordinary", "qualified_dividends", "other_28_rate",
         "unrecaptured_1250", "adjustments", "social_security", "aca_credit"), 0
    )  # fmt: skip
    for person in people():
        append(folder, "taxpayers.csv", [{"taxpayer_id": person.name, "entity": "individual", "birth_year": 1980}])
        home = {"taxpayer_id": person.name, "from": "2010-01-01", "state": "FL", "time_zone": "America/New_York"}
        append(folder, "residency.csv", [home])
        account = {"account_id": f"{person.name}-wallet", "taxpayer_id": person.name, "platform": "other"}
        append(folder, "accounts.csv", [account | {"custody": "self", "treatment": "taxable"}])
        common = nothing | {"return_id": person.name, "filing_status": person.status, "deduction": "standard"}
        common |= {"expected_ordinary_income": person.later_wages, "expected_annual_gains": person.later_gains}
        first = {"tax_year": 2024, "wages": person.wages, "other_short_term": person.short_term}
        first |= {"other_long_term": person.long_term, "short_term_carry_in": 0, "long_term_carry_in": 0}
        later = {"wages": person.later_wages, "other_short_term": 0, "other_long_term": person.later_gains}
        rows = [common | first, *(common | later | {"tax_year": year} for year in (2025, 2026))]
        append(folder, "profiles.csv", rows)
        bought = [
            {"time": f"{day}T15:0{number}:00Z", "kind": "buy", "sent_quantity": str(paid), "sent_asset": "USD",
             "received_quantity": f"{units:f}", "received_asset": asset}
            for number, (day, asset, units, paid) in enumerate(sorted(person.bought))
        ]  # fmt: skip
        write(folder / "intake" / f"{person.name}-wallet" / "bought.csv", bought)
    prices = next((folder / "prices").glob("*.csv"))
    head = prices.read_text("utf-8").splitlines()[0]
    days = [
        f"{day},{asset},{price},made up" for day in (ADVISED, date(2026, 11, 20)) for asset, price in PRICES.items()
    ]
    prices.write_text("\n".join([head, *days]) + "\n", "utf-8")
    return folder


@dataclass(frozen=True)
class Nights:
    """December 2024 with its advice, and November 2026 for those who followed it and those who did not."""

    advice: Mart
    followed: Mart
    ignored: Mart


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    folder = made_up(tmp_path_factory.mktemp("made-up") / "firm")
    first = night(folder, ADVISED)
    advice = Mart(first)
    # DuckDB reads a file that is open in this process as it was: every night has a folder of its own
    obedient, picked, idle = (
        copy_of(first, tmp_path_factory.mktemp(name) / "firm") for name in ("obedient", "picked", "idle")
    )
    assert follow(obedient, advice, ADVISED) > 10
    assert follow(picked, advice, ADVISED) > 10
    sold = Mart(night(obedient, date(2026, 11, 20)))
    pick(picked, advice, sold)
    sold.close()
    found = Nights(advice, Mart(night(picked, date(2026, 11, 20))), Mart(night(idle, date(2026, 11, 20))))
    yield found
    for each in fields(found):
        getattr(found, each.name).close()


def pick(folder: Path, advice: Mart, sold: Mart) -> None:
    """Before 2025 the lots of a sale are named on the books of that time: lot_picks.csv, by the sale's event."""
    events = {
        (account, asset, quantity): event
        for event, account, asset, quantity in sold.rows(
            "select event_id, account_id, sent_asset, sent_quantity from events where kind = 'sell' and tax_date = ?",
            ADVISED,
        )
    }
    advised = advice.rows(
        "select account_id, asset, quantity, lot_id from harvest_recommendations where scenario = 'best' order by all"
    )
    with (folder / "lot_picks.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["event_id", "lot_id", "quantity", "evidence"])
        for account, asset, quantity, lot in advised:
            rows.writerow([events[account, asset, quantity], lot, f"{quantity:f}", "as advised"])


def promised(nights: Nights) -> dict[str, tuple[Any, ...]]:
    """By return: tax after, carryovers after, carryovers before, and how many lots are sold."""
    rows = nights.advice.rows(
        """select return_id, tax_after, short_term_out_after, long_term_out_after, short_term_out_before,
                  long_term_out_before,
                  (select count(*) from harvest_recommendations r
                   where r.return_id = s.return_id and r.scenario = 'best')
           from harvest_summary s where scenario = 'best' and verdict = 'harvest'"""
    )
    return {return_id: tuple(cells) for return_id, *cells in rows}


def federal_tax(of: Mart, return_id: str, year: int) -> Decimal | None:
    """None where the night has no return: a year before tonight's in which nothing was sold, carried or known."""
    rows = of.rows("select federal_tax from schedule_d where return_id = ? and tax_year = ?", return_id, year)
    return rows[0][0] if rows else None


def test_the_year_of_the_sale(nights: Nights) -> None:
    """The tax is the promised one to the cent where every lot is sold whole.

    A part of a lot has proceeds and basis in fractions of a cent, of which Form 8949 rounds each line and the advice the
    sum: half a cent for proceeds and for basis of each line, at the top rate.
    """
    assert len(promised(nights)) > 10
    for return_id, (tax, short, long, *_, lots) in promised(nights).items():
        found = federal_tax(nights.followed, return_id, 2024)
        assert found is not None
        apart = abs(found - tax)
        assert apart <= TOP_RATE * HALF_A_CENT * 2 * lots + HALF_A_CENT
        carried = "select short_term_out, long_term_out from carryforwards where return_id = ? and tax_year = 2024"
        for out, said in zip(nights.followed.row(carried, return_id), (short, long), strict=True):
            assert abs(out - said) <= HALF_A_CENT * 2 * lots


def test_the_year_of_the_sale_to_the_cent(nights: Nights) -> None:
    """The promise rounds as the return will."""
    for return_id, (tax, short, long, *_) in promised(nights).items():
        assert federal_tax(nights.followed, return_id, 2024) == tax
        carried = "select short_term_out, long_term_out from carryforwards where return_id = ? and tax_year = 2024"
        assert nights.followed.row(carried, return_id) == (short, long)


def later_taxes(person: Person, carried: tuple[Decimal, Decimal]) -> list[Decimal]:
    """The federal tax of 2025 and 2026 with these carryovers out of 2024, as the profile expects those years."""
    short, long = (int(amount * 100) for amount in carried)
    taxes = []
    for year in (2025, 2026):
        cells = dict.fromkeys(Returns._fields, 0)
        cells |= {"tax_year": year, "status": STATUSES.index(person.status), "deduction": -1, "exemptions": 1}
        cells |= {"ordinary": person.later_wages * 100, "long_term": person.later_gains * 100}
        given = Returns(**{name: np.array([value], np.int64) for name, value in cells.items()})
        found = assess(given._replace(short_term_carry_in=np.array([short]), long_term_carry_in=np.array([long])))
        short, long = int(found.short_term_out[0]), int(found.long_term_out[0])
        taxes.append(Decimal(int(found.federal_tax[0])) / 100)
    return taxes


def test_the_two_years_after_it(nights: Nights) -> None:
    """What the advice promised to carry lowers the taxes of 2025 and 2026 by what the law of those years says."""
    everybody = {person.name: person for person in people()}
    saved_later = 0
    for return_id, (_, short, long, short_before, long_before, lots) in promised(nights).items():
        person = everybody[return_id]
        with_advice, without = later_taxes(person, (short, long)), later_taxes(person, (short_before, long_before))
        for year, advised, ignored in zip((2025, 2026), with_advice, without, strict=True):
            assert federal_tax(nights.ignored, return_id, year) in ({ignored, None} if year < 2026 else {ignored})
            found = federal_tax(nights.followed, return_id, year)
            assert found is not None
            assert abs(found - advised) <= HALF_A_CENT * 2 * lots
            saved_later += ignored > advised
    assert saved_later > 3


def test_who_is_told_to_do_nothing_pays_the_same_anyway(nights: Nights) -> None:
    """No advice, no sale: the returns of the two firms are the same."""
    idle = {person.name for person in people()} - set(promised(nights))
    assert any(federal_tax(nights.followed, return_id, 2026) for return_id in idle)
    for return_id in idle:
        for year in (2024, 2025, 2026):
            assert federal_tax(nights.followed, return_id, year) == federal_tax(nights.ignored, return_id, year)
