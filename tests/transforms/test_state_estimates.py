"""Which state taxes a return, and what is asked about it."""

from __future__ import annotations

from datetime import date

import polars as pl

from tests.transforms.harvest_cases import returns
from transforms import questions
from transforms.state_estimates import estimates

MEMBERS = {"return_id": pl.String, "tax_year": pl.Int64, "taxpayer_id": pl.String, "role": pl.String}
HOMES = {"taxpayer_id": pl.String, "from": pl.Date, "state": pl.String, "time_zone": pl.String}
ALONE = [("r", 2025, "ann", "primary")]
JOINT = [*ALONE, ("r", 2025, "bob", "spouse")]


def estimate(homes, members=ALONE, year=2025, **amounts):
    given = returns("r", tax_year=year, **({"ordinary": 100_000} | amounts))
    members = [(return_id, year, who, role) for return_id, _, who, role in members]
    return estimates(
        given,
        pl.DataFrame(members, schema=MEMBERS, orient="row"),
        pl.DataFrame([(*home, None) for home in homes], schema=HOMES, orient="row"),
    )


def found(done):
    row = done.taxes.row(0, named=True)
    asked = done.asked["question"].to_list()
    return row["state"], None if row["state_tax_estimate"] is None else float(row["state_tax_estimate"]), asked


def test_the_state_lived_in_on_the_last_day_of_the_year_taxes_it():
    """Illinois 2025: 4.95 % of 100,000 - 2,850."""
    assert found(estimate([("ann", date(2010, 1, 1), "IL")])) == ("IL", 4_808.93, [])


def test_a_later_move_does_not_count():
    homes = [("ann", date(2010, 1, 1), "IL"), ("ann", date(2026, 1, 1), "TX")]
    assert found(estimate(homes)) == ("IL", 4_808.93, [])
    assert found(estimate(homes, year=2026)) == ("TX", 0, [])


def test_who_moves_within_the_year_is_asked():
    homes = [("ann", date(2010, 1, 1), "IL"), ("ann", date(2025, 12, 31), "TX")]
    assert found(estimate(homes)) == ("TX", 0, ["state_part_year"])


def test_a_record_that_begins_within_the_year_is_asked():
    """Where the client lived before is not on record."""
    assert found(estimate([("ann", date(2025, 6, 1), "TX")])) == ("TX", 0, ["state_part_year"])


def test_spouses_in_two_states_are_asked():
    homes = [("ann", date(2010, 1, 1), "TX"), ("bob", date(2010, 1, 1), "CA")]
    assert found(estimate(homes, JOINT)) == ("TX", 0, ["state_part_year"])
    assert found(estimate([*homes[:1], ("bob", date(2010, 1, 1), "TX")], JOINT)) == ("TX", 0, [])


def test_a_state_that_is_not_covered_or_not_known_gets_no_estimate_and_says_so():
    assert found(estimate([("ann", date(2010, 1, 1), "OR")])) == ("OR", None, ["state_not_covered"])
    assert found(estimate([])) == (None, None, ["state_unknown"])
    assert found(estimate([("ann", date(2010, 1, 1), None)])) == (None, None, ["state_unknown"])


def test_figures_of_the_year_before_are_said():
    assert found(estimate([("ann", date(2010, 1, 1), "CA")], year=2026))[2] == ["state_provisional"]


def test_an_item_names_the_year_and_the_state():
    item = pl.concat(questions.states(estimate([("ann", date(2010, 1, 1), "OR")]).asked)).row(0, named=True)
    assert (item["question"], item["severity"], item["taxpayer_id"]) == ("state_not_covered", "info", "ann")
    assert item["message"].startswith("2025: the income tax of OR is not covered")
    unknown = pl.concat(questions.states(estimate([]).asked)).row(0, named=True)
    assert unknown["message"] == "2025: no state on record, its income tax is not estimated"
