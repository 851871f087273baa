"""What Tax-Calculator (CC0) says of random returns, 2013-2026, frozen as tests/transforms/law/fixtures/taxcalc.csv.

Needs an environment of its own, Python 3.12 or newer (it pins pandas and numba, which the project does without):

    python3.12 -m venv oracle && oracle/bin/pip install taxcalc==6.8.5
    oracle/bin/python benchmarks/oracles/taxcalc_returns.py

The deviations of Tax-Calculator that are known, and how the test leaves them out, are in the test's `TAXCALC_DEVIATES`.
"""

from __future__ import annotations

import cases
import pandas as pd
import taxcalc

COUNT = 200
OUT = {"c00100": "agi", "c04800": "taxable_income", "taxbc": "regular_tax", "c09600": "amt", "niit": "niit"}


def records(rows: list[dict[str, int | str]]) -> pd.DataFrame:
    """Tax-Calculator's input variables. An itemised deduction goes in as charity in cash, which AMT allows whole."""
    table = pd.DataFrame(rows)
    marital = {status: number for number, status in enumerate(cases.STATUSES, start=1)}
    two = table["status"] == "mfj"
    return pd.DataFrame({
        "RECID": range(1, len(table) + 1),
        "FLPDYR": table["tax_year"],
        "MARS": table["status"].map(marital),
        "XTOT": 1 + two,
        "EIC": 0,
        "n24": 0,
        "s006": 1.0,
        "age_head": table["aged"].map({0: 40, 1: 70}),
        "age_spouse": two.map({True: 40, False: 0}),
        "e00200": table["wages"],
        "e00200p": table["wages"],
        "e00200s": 0,
        "e00300": table["interest"],
        "e00600": table["qualified_dividends"],
        "e00650": table["qualified_dividends"],
        "p22250": table["short_term"],
        "p23250": table["long_term"],
        "e24518": table["gain_28"],
        "e24515": table["unrecaptured_1250"],
    })  # fmt: skip


def main() -> None:
    frozen = []
    for year in range(2013, 2027):
        rows = [row | {"itemized": 0} for row in cases.returns(year, COUNT, "taxcalc")]
        given = taxcalc.Records(data=records(rows), start_year=year, gfactors=None, weights=None, adjust_ratios=None)
        calculator = taxcalc.Calculator(policy=taxcalc.Policy(), records=given)
        calculator.advance_to_year(year)
        calculator.calc_all()
        said = {ours: calculator.array(theirs) for theirs, ours in OUT.items()}
        frozen += [row | {ours: f"{said[ours][i]:.2f}" for ours in said} for i, row in enumerate(rows)]
        print(year, len(rows), "returns")
    cases.write("taxcalc.csv", frozen)


if __name__ == "__main__":
    main()
