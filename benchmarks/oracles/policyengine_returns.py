"""What policyengine-us (AGPL, an oracle only) says of random returns, frozen as two fixtures of tests/transforms/law.

`policyengine.csv`: the federal tax of 2018-2026 (it has no ordinary brackets before). `policyengine_states.csv`: the
income tax before refundable credits of the states that `transforms/law/state_rules` covers. Needs an environment of
its own, under which nothing of this project runs (1 GB; half a minute to import):

    python3.12 -m venv oracle && oracle/bin/pip install policyengine-us==2.68.0
    oracle/bin/python benchmarks/oracles/policyengine_returns.py federal
    oracle/bin/python benchmarks/oracles/policyengine_returns.py states [STATE ...]

It counts in 32-bit floats: the test allows a dime, and a dollar for a state.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cases
from policyengine_us import Simulation

COUNT = 120
STATE_COUNT = 40
RULES = Path(__file__).parents[2] / "transforms" / "law" / "state_rules"
FILING = {"single": "SINGLE", "mfj": "JOINT", "mfs": "SEPARATE", "hoh": "HEAD_OF_HOUSEHOLD", "qss": "SURVIVING_SPOUSE"}
FEDERAL = {
    "agi": "adjusted_gross_income",
    "taxable_income": "taxable_income",
    "regular_tax": "regular_tax_before_credits",
    "amt": "alternative_minimum_tax",
    "niit": "net_investment_income_tax",
}


def situation(rows: list[dict], states: list[str]) -> dict:
    """A household a return; only what the returns hold, and an age."""
    made: dict[str, dict] = {
        name: {} for name in ("people", "tax_units", "households", "families", "spm_units", "marital_units")
    }
    for number, (row, state) in enumerate(zip(rows, states, strict=True)):
        year = str(row["tax_year"])
        people = [f"p{number}"]
        amounts = {
            "employment_income": row["wages"],
            "taxable_interest_income": row["interest"],
            "qualified_dividend_income": row["qualified_dividends"],
            "short_term_capital_gains": row["short_term"],
            "long_term_capital_gains": row["long_term"],
            "collectibles_gain_or_loss": row["gain_28"],
            "charitable_cash_donations": 0,
            "age": 70 if row["aged"] else 40,
        }
        made["people"][people[0]] = {name: {year: value} for name, value in amounts.items()}
        if row["status"] == "mfj":
            people.append(f"q{number}")
            made["people"][people[1]] = {"age": {year: 40}}
        unit = {
            "members": people,
            "tax_unit_itemizes": {year: False},
            "filing_status": {year: FILING[row["status"]]},
            "unrecaptured_section_1250_gain_before_losses": {year: row["unrecaptured_1250"]},
        }
        made["tax_units"][f"t{number}"] = unit
        made["households"][f"h{number}"] = {"members": people, "state_name": {year: state}}
        for name in ("families", "spm_units", "marital_units"):
            made[name][f"{name}{number}"] = {"members": people}
    return made


def federal() -> None:
    frozen = []
    for year in range(2018, 2027):
        rows = [row | {"itemized": 0} for row in cases.returns(year, COUNT, "policyengine")]
        simulation = Simulation(situation=situation(rows, ["TX"] * len(rows)))
        said = {ours: simulation.calculate(theirs, year) for ours, theirs in FEDERAL.items()}
        frozen += [row | {ours: f"{float(said[ours][i]):.2f}" for ours in said} for i, row in enumerate(rows)]
        print(year, len(rows), "returns", flush=True)
    cases.write("policyengine.csv", frozen)


def covered(year: int) -> list[str]:
    """States with a tax of their own, by their own figures of the year (policyengine guesses at figures to come)."""
    rules = json.loads((RULES / f"{year}.json").read_text())["states"]
    return sorted(s for s, rule in rules.items() if rule["model"] != "none" and rule["figures_of"] == year)


def states(asked: list[str]) -> None:
    frozen = []
    for year in range(2022, 2027):
        of_year = asked or covered(year)
        rows = [
            row | {"itemized": 0, "gain_28": 0, "unrecaptured_1250": 0, "aged": 0}
            for state in of_year
            for row in cases.returns(year, STATE_COUNT, state)
        ]
        lived = [state for state in of_year for _ in range(STATE_COUNT)]
        if not rows:
            continue
        simulation = Simulation(situation=situation(rows, lived))
        taxes = {state: simulation.calculate(variable(simulation, state), year) for state in of_year}
        frozen += [
            {"state": state} | row | {"state_tax": f"{float(taxes[state][i]):.2f}"}
            for i, (row, state) in enumerate(zip(rows, lived, strict=True))
        ]
        print(year, len(rows), "returns", flush=True)
    cases.write("policyengine_states.csv" if not asked else "states_try.csv", frozen)


def variable(simulation: Simulation, state: str) -> str:
    """The income tax of a state before refundable credits; of Washington its capital gains tax."""
    names = simulation.tax_benefit_system.variables
    low = state.lower()
    wanted = (f"{low}_capital_gains_tax", f"{low}_income_tax_before_refundable_credits", f"{low}_income_tax")
    return next(name for name in wanted if name in names)


if __name__ == "__main__":
    federal() if sys.argv[1] == "federal" else states(sys.argv[2:])
