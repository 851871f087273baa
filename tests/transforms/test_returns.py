"""Returns year after year, on worked examples: carryovers, couples, gaps. Dollars as text."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from schemas import gate
from schemas.fields import CENTS, MONEY
from schemas.tax import Carryforwards, ReturnLines, ScheduleD
from transforms.law.tax import assess
from transforms.returns import ASKED, PROFILE_AMOUNTS, Books, fold_years, return_years, to_returns

MEMBERS = {"return_id": pl.String, "tax_year": pl.Int64, "taxpayer_id": pl.String, "role": pl.String}
PROFILES = {
    "return_id": pl.String,
    "tax_year": pl.Int64,
    "filing_status": pl.String,
    "deduction": pl.String,
    "dependents": pl.Int64,
} | dict.fromkeys((*PROFILE_AMOUNTS, "aca_credit", "short_term_carry_in", "long_term_carry_in"), MONEY)
NETS = {"taxpayer_id": pl.String, "tax_year": pl.Int64} | dict.fromkeys(
    ("short_term_net", "long_term_net", "collectibles_net"), CENTS
)
INCOME = {"return_id": pl.String, "tax_year": pl.Int64, "ordinary": CENTS, "nii": CENTS}
CARRY_INS = {"taxpayer_id": pl.String, "tax_year": pl.Int64} | dict.fromkeys(
    ("short_term_carry_in", "long_term_carry_in"), CENTS
)
TAXPAYERS = {"taxpayer_id": pl.String, "birth_year": pl.Int64}
NO_OPENING = gate.empty(Carryforwards)


def frame(schema, rows):
    """Rows of plain numbers and text in the columns of `schema`."""
    columns = {name: [_cell(row.get(name), dtype) for row in rows] for name, dtype in schema.items()}
    return pl.DataFrame(columns, schema=schema)


def _cell(value, dtype):
    return Decimal(str(value)) if value is not None and dtype.is_decimal() else value


def books(members, profiles=(), nets=(), income=(), carry_ins=(), taxpayers=()):
    """`members` as (return, year, taxpayer, role); a profile's cells are zero and standard unless given."""
    filled = dict.fromkeys((*PROFILE_AMOUNTS, "aca_credit"), 0) | {"deduction": "standard"}
    known = {row["taxpayer_id"] for row in taxpayers}
    born = [{"taxpayer_id": who, "birth_year": 1980} for who in sorted({m[2] for m in members} - known)]
    return Books(
        members=pl.DataFrame(members, schema=MEMBERS, orient="row"),
        profiles=frame(PROFILES, [filled | row for row in profiles]),
        nets=frame(
            NETS, [dict.fromkeys(("short_term_net", "long_term_net", "collectibles_net"), 0) | row for row in nets]
        ),
        income=frame(INCOME, income),
        carry_ins=frame(CARRY_INS, carry_ins),
        taxpayers=frame(TAXPAYERS, [*born, *taxpayers]),
    )


def alone(years, who="ann"):
    return [(who, year, who, "primary") for year in years]


def profile(year, wages, status="single", who="ann", **cells):
    return {"return_id": who, "tax_year": year, "filing_status": status, "wages": wages} | cells


def net(year, short=0, long=0, who="ann", collectibles=0):
    return {
        "taxpayer_id": who, "tax_year": year,
        "short_term_net": short, "long_term_net": long, "collectibles_net": collectibles,
    }  # fmt: skip


def carried(results, who="ann"):
    """(year, in, out) of both characters, as floats of whole dollars are exact."""
    columns = ("tax_year", "short_term_in", "long_term_in", "short_term_out", "long_term_out")
    rows = results.carryforwards.filter(pl.col("taxpayer_id") == who).select(columns).rows()
    return [tuple(float(cell) for cell in row) for row in rows]


def line(results, form, name, year=2024, return_id="ann"):
    amounts = results.return_lines.filter(return_id=return_id, tax_year=year, form=form, line=name)["amount"]
    return float(amounts.item())


CHAIN = books(
    alone(range(2021, 2027)),
    [profile(year, 80_000) for year in range(2021, 2027)],
    [net(2021, short=-10_000, long=-8_000), net(2023, short=4_000), net(2024, long=6_000)],
)


def test_a_chain_of_six_years():
    """18,000 of loss: 3,000 a year, short-term first; 2023 nets 4,000 and 2024 6,000 of gain against it.

    2021: -10,000 / -8,000 leaves 7,000 / 8,000. 2022: 4,000 / 8,000. 2023: short 4,000 - 4,000 = 0, long -8,000, 3,000
    used: 0 / 5,000. 2024: long 6,000 - 5,000 = 1,000 of gain: nothing is left.
    """
    results = fold_years(CHAIN, NO_OPENING, range(2021, 2027))
    assert carried(results) == [
        (2021, 0, 0, 7_000, 8_000),
        (2022, 7_000, 8_000, 4_000, 8_000),
        (2023, 4_000, 8_000, 0, 5_000),
        (2024, 0, 5_000, 0, 0),
        (2025, 0, 0, 0, 0),
        (2026, 0, 0, 0, 0),
    ]
    lines = results.schedule_d.filter(pl.col("tax_year") == 2024).row(0, named=True)
    assert (lines["line_7"], lines["line_15"], lines["line_16"], lines["line_21"]) == (0, 1_000, 1_000, 1_000)


def test_results_hold_to_the_schemas():
    results = fold_years(CHAIN, NO_OPENING, range(2021, 2027))
    for table, model in (
        (results.schedule_d, ScheduleD), (results.carryforwards, Carryforwards), (results.return_lines, ReturnLines)
    ):  # fmt: skip
        assert gate.check(table, model).rejected.is_empty()
        assert table.height > 0


def test_a_fold_from_a_year_equals_a_full_one():
    full = fold_years(CHAIN, NO_OPENING, range(2021, 2027))
    for start in range(2022, 2027):
        part = fold_years(CHAIN, full.carryforwards, range(start, 2027))
        for name in full._fields:
            whole = getattr(full, name).filter(pl.col("tax_year") >= start)
            assert_frame_equal(getattr(part, name), whole)


def test_year_by_year_equals_all_at_once():
    full = fold_years(CHAIN, NO_OPENING, range(2021, 2027))
    opening = NO_OPENING
    for year in range(2021, 2027):
        opening = fold_years(CHAIN, opening, range(year, year + 1)).carryforwards
        assert_frame_equal(opening, full.carryforwards.filter(pl.col("tax_year") == year))


def test_jane_on_the_published_tables():
    """2023 single, wages 700,000, short-term gain 10,000 and loss 287,000: tax 213,097.50, 274,000 carried."""
    results = fold_years(
        books(alone([2023]), [profile(2023, 700_000)], [net(2023, short=-277_000)]), NO_OPENING, range(2023, 2024)
    )
    row = results.schedule_d.row(0, named=True)
    assert (row["regular_tax"], row["amt"], row["niit"], row["federal_tax"]) == (
        Decimal("213097.50"),
        0,
        0,
        Decimal("213097.50"),
    )
    assert row["taxable_income"] == 700_000 - 3_000 - 13_850
    assert row["state_tax_estimate"] is None
    assert carried(results) == [(2023, 0, 0, 274_000, 0)]


JOINT = [("ab", 2024, "ann", "primary"), ("ab", 2024, "bob", "spouse")]


def joint(nets, year=2024, **cells):
    return fold_years(
        books(JOINT, [profile(year, 160_000, "mfj", "ab", **cells)], nets), NO_OPENING, range(year, year + 1)
    )


def test_a_couple_nets_under_one_limit_and_each_keeps_the_own_loss():
    """Joint 2024: Ann -9,000 short, Bob -3,000 short: 3,000 is used, 9,000 carries, 3 to 1 (Reg. 1.1212-1(c)(1)(iii))."""
    results = joint([net(2024, short=-9_000), net(2024, short=-3_000, who="bob")])
    columns = ["taxpayer_id", "deduction", "deduction_used", "short_term_out", "long_term_out"]
    assert results.carryforwards.select(columns).rows() == [
        ("ann", 2_250, 2_250, 6_750, 0),
        ("bob", 750, 750, 2_250, 0),
    ]


def test_a_spouse_with_a_gain_keeps_nothing_of_the_loss():
    """Ann -20,000 short, Bob +5,000 short: 15,000 net, 3,000 used, 12,000 all Ann's."""
    results = joint([net(2024, short=-20_000), net(2024, short=5_000, who="bob")])
    assert carried(results) == [(2024, 0, 0, 12_000, 0)]
    assert carried(results, "bob") == [(2024, 0, 0, 0, 0)]


def test_characters_of_a_couple_split_apart():
    """Ann short -5,000, Bob long -7,000: 2,000 short is Ann's, 7,000 long is Bob's."""
    results = joint([net(2024, short=-5_000), net(2024, long=-7_000, who="bob")])
    assert carried(results) == [(2024, 0, 0, 2_000, 0)]
    assert carried(results, "bob") == [(2024, 0, 0, 0, 7_000)]


def test_cents_left_over_go_to_the_heaviest():
    """9,000.01 to split 1 to 2: 3,000.00 and 6,000.01."""
    results = joint([net(2024, short=-4_000), net(2024, short="-8000.01", who="bob")])
    outs = dict(results.carryforwards.select("taxpayer_id", "short_term_out").rows())
    assert outs == {"ann": Decimal("3000.00"), "bob": Decimal("6000.01")}


def test_a_couple_that_separates_takes_each_its_own():
    """2024 joint: 6,750 and 2,250 go out; 2025 each opens with the own under the own limit of 1,500."""
    members = [*JOINT, *alone([2025]), *alone([2025], "bob")]
    profiles = [profile(2024, 160_000, "mfj", "ab"), *(profile(2025, 80_000, "mfs", who) for who in ("ann", "bob"))]
    nets = [net(2024, short=-9_000), net(2024, short=-3_000, who="bob")]
    results = fold_years(books(members, profiles, nets), NO_OPENING, range(2024, 2026))
    assert carried(results)[1] == (2025, 6_750, 0, 5_250, 0)
    assert carried(results, "bob")[1] == (2025, 2_250, 0, 750, 0)


def test_a_couple_that_joins_brings_both():
    """2023 alone, -8,000 and -5,000: 5,000 and 2,000 go out; 2024 jointly 7,000 come in, 3,000 are used."""
    members = [*alone([2023]), *alone([2023], "bob"), *JOINT]
    profiles = [*(profile(2023, 80_000, who=who) for who in ("ann", "bob")), profile(2024, 160_000, "mfj", "ab")]
    nets = [net(2023, short=-8_000), net(2023, short=-5_000, who="bob")]
    results = fold_years(books(members, profiles, nets), NO_OPENING, range(2023, 2025))
    assert line(results, "Schedule D", "6", return_id="ab") == -7_000
    assert results.carryforwards.filter(pl.col("tax_year") == 2024)["short_term_out"].sum() == 4_000


def test_the_profiles_gains_do_not_overlap_and_count_as_the_primarys():
    """Other long-term 1,000, 28 % 2,000, section 1250 3,000, collectibles of the books 500 inside their 4,000."""
    cells = {"other_short_term": -700, "other_long_term": 1_000, "other_28_rate": 2_000, "unrecaptured_1250": 3_000}
    results = joint([net(2024, long=4_000, who="bob", collectibles=500)], **cells)
    assert line(results, "Schedule D", "7", return_id="ab") == -700
    assert line(results, "Schedule D", "15", return_id="ab") == 10_000
    assert line(results, "Schedule D", "18", return_id="ab") == 2_500 - 700
    assert line(results, "Schedule D", "19", return_id="ab") == 3_000
    assert dict(results.carryforwards.select("taxpayer_id", "long_term_net").rows()) == {"ann": 6_000, "bob": 4_000}


def test_receipts_of_coins_are_income():
    """Staking 2,000 in NII, mining 1,000 not: AGI 303,000, NIIT 3.8 % of 2,000."""
    income = [{"return_id": "ann", "tax_year": 2024, "ordinary": 3_000, "nii": 2_000}]
    results = fold_years(books(alone([2024]), [profile(2024, 300_000)], income=income), NO_OPENING, range(2024, 2025))
    assert line(results, "Form 1040", "11") == 303_000
    assert line(results, "Form 8960", "12") == 2_000
    assert line(results, "Form 8960", "17") == 76


def test_age_counts_from_the_year_of_the_65th_birthday():
    both = books(
        JOINT, [profile(2024, 160_000, "mfj", "ab")],
        taxpayers=[{"taxpayer_id": "ann", "birth_year": 1959}, {"taxpayer_id": "bob", "birth_year": 1960}],
    )  # fmt: skip
    assert return_years(both, range(2024, 2025))["aged"].to_list() == [1]


def test_the_records_carry_in_opens_the_first_year():
    opened = books(alone([2024]), [profile(2024, 80_000, short_term_carry_in=5_000, long_term_carry_in=1_000)])
    assert carried(fold_years(opened, NO_OPENING, range(2024, 2025))) == [(2024, 5_000, 1_000, 2_000, 1_000)]


def test_the_firms_record_wins_and_a_difference_is_a_conflict():
    """Computed 2,000 for 2025; the firm says 2,500."""
    with_record = books(
        alone([2024, 2025]),
        [profile(2024, 80_000), profile(2025, 80_000)],
        [net(2024, short=-5_000)],
        carry_ins=[{"taxpayer_id": "ann", "tax_year": 2025, "short_term_carry_in": 2_500, "long_term_carry_in": 0}],
    )
    results = fold_years(with_record, NO_OPENING, range(2024, 2026))
    assert carried(results)[1] == (2025, 2_500, 0, 0, 0)
    assert results.conflicts.rows() == [("ann", 2025, "ann", "short", Decimal(2_500), Decimal(2_000))]


def test_a_joint_record_is_split_in_halves_where_nothing_is_computed():
    results = joint([], short_term_carry_in="5000.01", long_term_carry_in=0)
    halves = dict(results.carryforwards.select("taxpayer_id", "short_term_in").rows())
    assert halves == {"ann": Decimal("2500.01"), "bob": Decimal("2500.00")}


def couple_with_records(whole, ann=None, bob=None):
    """2024 jointly: the profile's short-term carry-in `whole`, the spouses' rows of carry_ins.csv; long-term nothing."""
    rows = [
        {"taxpayer_id": who, "tax_year": 2024, "short_term_carry_in": own, "long_term_carry_in": 0}
        for who, own in (("ann", ann), ("bob", bob))
    ]
    given = books(JOINT, [profile(2024, 160_000, "mfj", "ab", short_term_carry_in=whole)], carry_ins=rows)
    return fold_years(given, NO_OPENING, range(2024, 2025))


def short_in(results, year=2024):
    return dict(results.carryforwards.filter(tax_year=year).select("taxpayer_id", "short_term_in").rows())


@pytest.mark.parametrize(("ann", "bob"), [(15_000, None), (None, 5_000), (15_000, 5_000)])
def test_what_a_spouses_record_leaves_of_the_joint_one_is_the_others(ann, bob):
    """20,000 jointly, of which Ann's row says 15,000 or Bob's 5,000: together always the 20,000 of the return."""
    results = couple_with_records(20_000, ann, bob)
    assert short_in(results) == {"ann": 15_000, "bob": 5_000}
    assert line(results, "Schedule D", "6", return_id="ab") == -20_000
    assert results.conflicts.is_empty()
    assert reasons(results) == []


@pytest.mark.parametrize(
    ("ann", "bob", "used"),
    [(15_000, 4_000, 19_000), (15_000, 6_000, 21_000), (21_000, None, 21_000), (0, 0, 0)],
)
def test_spouses_records_that_do_not_add_up_to_the_joint_one_are_a_conflict(ann, bob, used):
    """The profile says 20,000: the rows are used, the difference is asked of the primary."""
    results = couple_with_records(20_000, ann, bob)
    assert line(results, "Schedule D", "6", return_id="ab") == -used
    assert results.conflicts.rows() == [("ab", 2024, "ann", "short", Decimal(used), Decimal(20_000))]


def test_two_records_of_one_taxpayer_that_differ_are_a_conflict():
    record = {"taxpayer_id": "ann", "tax_year": 2024, "short_term_carry_in": 4_000, "long_term_carry_in": 1}
    cells = {"short_term_carry_in": 5_000, "long_term_carry_in": 1}
    given = books(alone([2024]), [profile(2024, 80_000, **cells)], carry_ins=[record])
    results = fold_years(given, NO_OPENING, range(2024, 2025))
    assert carried(results)[0][:3] == (2024, 4_000, 1)
    assert results.conflicts.rows() == [("ann", 2024, "ann", "short", Decimal(4_000), Decimal(5_000))]


def test_the_rest_of_a_joint_record_is_compared_with_the_year_before():
    """2023 alone, -12,000 each: 9,000 each go out. 2024: 20,000 jointly, Ann's row 9,000: Bob's 11,000 is asked."""
    members = [*alone([2023]), *alone([2023], "bob"), *JOINT]
    profiles = [
        *(profile(2023, 80_000, who=who) for who in ("ann", "bob")),
        profile(2024, 160_000, "mfj", "ab", short_term_carry_in=20_000),
    ]
    nets = [net(2023, short=-12_000, who=who) for who in ("ann", "bob")]
    record = {"taxpayer_id": "ann", "tax_year": 2024, "short_term_carry_in": 9_000}
    results = fold_years(books(members, profiles, nets, carry_ins=[record]), NO_OPENING, range(2023, 2025))
    assert short_in(results) == {"ann": 9_000, "bob": 11_000}
    assert results.conflicts.rows() == [("ab", 2024, "bob", "short", Decimal(11_000), Decimal(9_000))]


def test_a_joint_record_that_agrees_keeps_each_ones_own():
    """2023 alone: only Bob carries 2,000; the joint profile of 2024 says 2,000: all Bob's, no conflict."""
    members = [*alone([2023]), *alone([2023], "bob"), *JOINT]
    profiles = [
        *(profile(2023, 80_000, who=who) for who in ("ann", "bob")),
        profile(2024, 160_000, "mfj", "ab", short_term_carry_in=2_000, long_term_carry_in=0),
    ]
    results = fold_years(books(members, profiles, [net(2023, short=-5_000, who="bob")]), NO_OPENING, range(2023, 2025))
    assert carried(results)[1][1] == 0
    assert carried(results, "bob")[1][1] == 2_000
    assert results.conflicts.is_empty()


def reasons(results):
    return results.missing.filter(pl.col("column").is_null()).select("return_id", "tax_year", "reason").rows()


def test_a_year_without_a_profile_breaks_the_chain():
    """2023 has a loss and no profile: no row; 2024 opens from zero and says so."""
    gap = books(
        alone([2022, 2023, 2024]),
        [profile(2022, 80_000), profile(2024, 80_000)],
        [net(2022, short=-9_000), net(2023, short=-1)],
    )
    results = fold_years(gap, NO_OPENING, range(2022, 2025))
    assert carried(results) == [(2022, 0, 0, 6_000, 0), (2024, 0, 0, 0, 0)]
    assert results.schedule_d["tax_year"].to_list() == [2022, 2024]
    assert reasons(results) == [("ann", 2023, "profile_missing"), ("ann", 2024, "carry_chain_broken")]


def test_a_record_mends_a_broken_chain():
    gap = books(
        alone([2023, 2024]),
        [profile(2024, 80_000, short_term_carry_in=700, long_term_carry_in=0)],
        [net(2023, short=-1)],
    )
    results = fold_years(gap, NO_OPENING, range(2023, 2025))
    assert reasons(results) == [("ann", 2023, "profile_missing")]
    assert carried(results) == [(2024, 700, 0, 0, 0)]


def test_half_a_record_mends_half_a_chain():
    """The long-term carry-in is still not known."""
    cells = {"short_term_carry_in": 700}
    gap = books(alone([2023, 2024]), [profile(2024, 80_000, **cells)], [net(2023, short=-1)])
    results = fold_years(gap, NO_OPENING, range(2023, 2025))
    assert ("ann", 2024, "carry_chain_broken") in reasons(results)
    assert carried(results) == [(2024, 700, 0, 0, 0)]


def test_a_carryover_into_a_year_without_profile_is_asked_even_if_nothing_was_sold():
    gap = books(alone([2022, 2023]), [profile(2022, 80_000)], [net(2022, short=-9_000)])
    assert reasons(fold_years(gap, NO_OPENING, range(2022, 2024))) == [("ann", 2023, "profile_missing")]


def test_a_year_of_which_nothing_is_known_is_silent():
    quiet = fold_years(books(alone([2022])), NO_OPENING, range(2022, 2023))
    assert quiet.missing.is_empty()
    assert quiet.schedule_d.is_empty()


NOTHING_BROUGHT = {"short_term_carry_in": 0, "long_term_carry_in": 0}


def with_gap(profiles, years=range(2020, 2026), **more):
    """Ann alone in `years`; `profiles` as year: cells, all others are missing."""
    return books(alone(years), [profile(year, 80_000, **cells) for year, cells in profiles.items()], **more)


BROUGHT = {"short_term_carry_in": 50_000, "long_term_carry_in": 0}
JOINS = [
    *alone([2021, 2022]),
    *alone([2021, 2022], "bob"),
    ("ab", 2023, "ann", "primary"),
    ("ab", 2023, "bob", "spouse"),
]
BROKEN = {
    # 47,000 goes out of 2021, no one knows what 2022 did with it; so for 2023 and all that follows
    "carryover": (
        with_gap({2021: BROUGHT, 2023: {}, 2024: {}, 2025: {}}),
        [(2022, "profile_missing"), *((year, "carry_chain_broken") for year in (2023, 2024, 2025))],
    ),
    # a loss of the profile's, without a sale in the books, carries the same way
    "other loss": (
        with_gap({2021: {"other_long_term": -9_000}, 2023: {}}),
        [(2022, "profile_missing"), (2023, "carry_chain_broken")],
    ),
    # 2023 is silent: what it opens from is not known; 2024 must say so
    "silent year": (with_gap({2021: BROUGHT, 2024: {}}), [(2022, "profile_missing"), (2024, "carry_chain_broken")]),
    # the carryover was used up (2,000 of 2021), 2022 may hold anything
    "used up": (
        with_gap({2021: NOTHING_BROUGHT | {"long_term_carry_in": 2_000}, 2023: {}}),
        [(2023, "carry_chain_broken")],
    ),
    # coins received, no profile: 2021 is stopped without a sale
    "receipts": (
        with_gap({2022: {}}, income=[{"return_id": "ann", "tax_year": 2021, "ordinary": 10, "nii": 0}]),
        [(2021, "profile_missing"), (2022, "carry_chain_broken")],
    ),
    # with the wages above a trillion dollars: 2021 is stopped
    "out of range": (
        with_gap({2021: NOTHING_BROUGHT | {"other_ordinary": 10**12 - 1}, 2022: {}, 2023: {}}),
        [(2021, "amount_out_of_range"), (2022, "carry_chain_broken"), (2023, "carry_chain_broken")],
    ),
    # not even on a list of members in 2022
    "on no return": (
        with_gap({2021: BROUGHT, 2023: {}}, years=(2021, 2023)),
        [(2023, "carry_chain_broken")],
    ),
    # a record of one character leaves the other open, and what both come to the year after; 41,000 comes into 2025
    "half a record": (
        with_gap({2021: BROUGHT, 2023: {"short_term_carry_in": 44_000}, 2024: {}}),
        [
            (2022, "profile_missing"),
            (2023, "carry_chain_broken"),
            (2024, "carry_chain_broken"),
            (2025, "profile_missing"),
        ],
    ),
    # both characters recorded: the chain is whole from here on
    "record": (
        with_gap({2021: BROUGHT, 2023: {}, 2024: BROUGHT, 2025: {}}),
        [(2022, "profile_missing"), (2023, "carry_chain_broken")],
    ),
    # a year after the record breaks the chain again
    "gap after a record": (
        with_gap({2020: BROUGHT, 2022: BROUGHT, 2024: {}}),
        [(2021, "profile_missing"), (2023, "profile_missing"), (2024, "carry_chain_broken")],
    ),
    # nothing sold, nothing carried: 2022 hides no carryover that anyone knew of
    "nothing at stake": (with_gap({2021: NOTHING_BROUGHT, 2023: {}}), []),
}


def folded(given, start=2020, opening=NO_OPENING):
    return fold_years(given, opening, range(start, 2026))


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_chain_stays_broken_until_a_record(case):
    given, expected = BROKEN[case]
    assert reasons(folded(given)) == [("ann", year, reason) for year, reason in expected]


def test_a_broken_chain_still_hands_on_what_it_knows():
    """2023 opens from zero, sells at -10,000: 7,000 comes into 2024, and 2024 says that it may be more."""
    given = with_gap({2021: BROUGHT, 2023: {}, 2024: {}}, nets=[net(2023, short=-10_000)])
    results = folded(given)
    assert carried(results) == [(2021, 50_000, 0, 47_000, 0), (2023, 0, 0, 7_000, 0), (2024, 7_000, 0, 4_000, 0)]
    assert ("ann", 2024, "carry_chain_broken") in reasons(results)


def test_a_record_is_not_compared_with_a_broken_chain():
    """2023 opens from zero; the record of 2024 mends that: 0 is no figure to hold against it. 2025 is compared again."""
    later = {"short_term_carry_in": 46_000, "long_term_carry_in": 0}
    results = folded(with_gap({2021: BROUGHT, 2023: {}, 2024: BROUGHT, 2025: later}))
    assert results.conflicts.rows() == [("ann", 2025, "ann", "short", Decimal(46_000), Decimal(47_000))]


def couple_with_a_gap():
    """Ann's chain breaks in 2022, Bob's is whole; 2023 jointly, then apart."""
    members = [*JOINS, *alone([2024]), *alone([2024], "bob")]
    profiles = [
        profile(2021, 80_000, **BROUGHT),
        *(profile(year, 80_000, who="bob", **NOTHING_BROUGHT) for year in (2021, 2022)),
        profile(2023, 160_000, "mfj", "ab"),
        *(profile(2024, 80_000, "mfs", who) for who in ("ann", "bob")),
    ]
    return books(members, profiles)


def test_one_spouses_broken_chain_breaks_both_after_the_joint_year():
    """What nets on the joint return of 2023 is not known, so neither is what each takes on (Reg. 1.1212-1(c)(1)(iii))."""
    missing = fold_years(couple_with_a_gap(), NO_OPENING, range(2021, 2025)).missing
    broken = missing.filter(pl.col("reason") == "carry_chain_broken").select("tax_year", "taxpayer_id").rows()
    assert sorted(broken) == [(2023, "ann"), (2024, "ann"), (2024, "bob")]


FROM_A_YEAR = {case: given for case, (given, _) in BROKEN.items()} | {
    "couple": couple_with_a_gap(),
    "joint record": books(
        [*alone([2022, 2023]), *alone([2022, 2023], "bob"), *JOINT],
        [
            *(profile(2022, 80_000, who=who, **BROUGHT) for who in ("ann", "bob")),
            profile(2023, 80_000, who="bob"),
            profile(2024, 160_000, "mfj", "ab", short_term_carry_in=90_000),
        ],
        carry_ins=[{"taxpayer_id": "ann", "tax_year": 2024, "short_term_carry_in": 44_000}],
    ),
}


@pytest.mark.parametrize("case", FROM_A_YEAR)
def test_a_fold_from_a_year_knows_of_a_chain_broken_before(case):
    """Only the carryovers of the one year before are handed in, as in a night from a year."""
    full = folded(FROM_A_YEAR[case])
    for start in (2022, 2023, 2024):
        before = full.carryforwards.filter(pl.col("tax_year") == start - 1)
        part = folded(FROM_A_YEAR[case], start, before)
        for name in full._fields[:-1]:
            assert_frame_equal(getattr(part, name), getattr(full, name).filter(pl.col("tax_year") >= start))


def test_an_opening_without_earlier_books_is_taken_as_known():
    """The carryovers of 2023 are handed in, the books begin with 2024: nothing to ask."""
    before = fold_years(with_gap({2023: BROUGHT}), NO_OPENING, range(2020, 2024)).carryforwards
    results = fold_years(books(alone([2024]), [profile(2024, 80_000)]), before, range(2024, 2025))
    assert carried(results) == [(2024, 47_000, 0, 44_000, 0)]
    assert results.missing.is_empty()


@pytest.mark.parametrize("year", [2012, 2027])
def test_a_year_without_law_has_schedule_d_but_no_tax(year):
    """The general limit of IRC 1211(b) stands on line 21; what carries is not known without taxable income."""
    without = books(
        alone([year, year + 1]), [profile(year, 80_000), profile(year + 1, 80_000)], [net(year, short=-9_000)]
    )
    results = fold_years(without, NO_OPENING, range(year, year + 2))
    row = results.schedule_d.row(0, named=True)
    assert (row["line_7"], row["line_16"], row["line_21"]) == (-9_000, -9_000, -3_000)
    assert row["taxable_income"] is None
    assert row["federal_tax"] is None
    assert ("ann", year, "law_year_missing") in reasons(results)
    assert ("ann", year + 1, "carry_chain_broken") in reasons(results)
    assert not any(carry[0] == year for carry in carried(results))


def test_without_a_net_loss_nothing_carries_even_where_the_law_is_missing():
    results = fold_years(
        books(alone([2012]), [profile(2012, 80_000)], [net(2012, short=4_000, long=-1_000)]),
        NO_OPENING,
        range(2012, 2013),
    )
    assert carried(results) == [(2012, 0, 0, 0, 0)]
    assert ("ann", 2012, "law_year_missing") not in reasons(results)


def test_empty_cells_count_as_zero_and_are_asked():
    bare = {"return_id": "ann", "tax_year": 2024, "filing_status": "single"} | dict.fromkeys(ASKED)
    results = fold_years(books(alone([2024]), [bare]), NO_OPENING, range(2024, 2025))
    asked = results.missing.filter(pl.col("reason") == "profile_cell_empty")["column"].to_list()
    assert sorted(asked) == sorted([*ASKED, "short_term_carry_in", "long_term_carry_in"])
    assert results.schedule_d["federal_tax"].to_list() == [0]


def test_a_birth_year_that_is_not_known_is_asked():
    unknown = books(alone([2024]), [profile(2024, 1)], taxpayers=[{"taxpayer_id": "ann", "birth_year": None}])
    asked = fold_years(unknown, NO_OPENING, range(2024, 2025)).missing["column"].to_list()
    assert "birth_year" in asked


@pytest.mark.parametrize(
    ("cell", "taken"), [("standard", 14_600), (" Standard ", 14_600), (None, 14_600), ("20000.5", 20_000.5), ("0", 0)]
)
def test_the_deduction_is_standard_or_an_amount(cell, taken):
    results = fold_years(books(alone([2024]), [profile(2024, 80_000, deduction=cell)]), NO_OPENING, range(2024, 2025))
    assert line(results, "Form 1040", "12") == taken


def test_an_amount_beyond_all_measure_stops_that_return_alone():
    members = [*alone([2024]), *alone([2024], "bob")]
    over = books(members, [profile(2024, 10**12 - 1, self_employment=10**12 - 1), profile(2024, 5, who="bob")])
    stopped = fold_years(over, NO_OPENING, range(2024, 2025))
    assert stopped.schedule_d["return_id"].to_list() == ["bob"]
    assert reasons(stopped) == [("ann", 2024, "amount_out_of_range")]


def test_no_clients_give_empty_tables_of_the_right_columns():
    results = fold_years(books([]), NO_OPENING, range(2016, 2028))
    assert results.schedule_d.schema == gate.empty(ScheduleD).schema
    assert results.carryforwards.schema == gate.empty(Carryforwards).schema
    assert results.return_lines.schema == gate.empty(ReturnLines).schema
    assert results.conflicts.is_empty()
    assert results.missing.is_empty()


def test_other_widths_of_the_same_numbers_give_the_same_tables():
    """Micro-dollars where cents are usual, a decimal deduction, 32-bit years."""
    year = pl.col("tax_year").cast(pl.Int32)
    wide = CHAIN._replace(
        nets=CHAIN.nets.with_columns(year, pl.col(CENTS).cast(MONEY)),
        members=CHAIN.members.with_columns(year),
        income=CHAIN.income.with_columns(year),
        carry_ins=CHAIN.carry_ins.with_columns(year),
        profiles=CHAIN.profiles.with_columns(year, deduction=pl.lit(Decimal("20000.00"), MONEY)),
    )
    given = CHAIN._replace(profiles=CHAIN.profiles.with_columns(deduction=pl.lit("20000")))
    one, other = (fold_years(case, NO_OPENING, range(2021, 2027)) for case in (wide, given))
    for table, same in zip(one, other, strict=True):
        assert_frame_equal(table, same)


def test_the_worksheet_stands_line_by_line_in_the_loss_year():
    """2024 single, income 15,600, short -10,000: line 15 would be -2,000, 1,000 is used, 9,000 carries."""
    results = fold_years(
        books(alone([2024]), [profile(2024, 15_600)], [net(2024, short=-10_000)]), NO_OPENING, range(2024, 2025)
    )
    form = "Capital Loss Carryover Worksheet"
    amounts = [line(results, form, str(number)) for number in range(1, 14)]
    assert amounts == [-2_000, 3_000, 1_000, 1_000, 10_000, 0, 1_000, 9_000, 0, 0, 0, 0, 0]
    assert line(results, "Schedule D", "21") == -3_000
    assert line(results, "Form 1040", "7") == -3_000
    assert line(results, "Form 1040", "15") == 0


def test_form_lines_keep_the_names_of_their_year():
    """Taxable income stands on line 10 in 2018, 11b in 2019, 15 since; the capital gain on 7a since 2025."""
    years = range(2018, 2026)
    results = fold_years(books(alone(years), [profile(year, 80_000) for year in years]), NO_OPENING, years)
    named = {2018: "10", 2019: "11b", 2020: "15", 2025: "15"}
    for year, name in named.items():
        taxable = results.schedule_d.filter(pl.col("tax_year") == year)["taxable_income"].item()
        assert line(results, "Form 1040", name, year) == float(taxable) > 0
    assert line(results, "Form 1040", "7a", 2025) == 0


def test_form_6251_is_listed_where_amt_is_due():
    """2026 single, wages 100,000, long-term 600,000; exemption 90,100 - half of 200,000 over 500,000: 0.

    By the schedule 110,090 + 12,830 of AMT. On the return 83,900 is in the Tax Table: 13,176 where the schedule says
    13,170, so 110,096 + 12,824.
    """
    results = fold_years(
        books(alone([2026]), [profile(2026, 100_000)], [net(2026, long=600_000)]), NO_OPENING, range(2026, 2027)
    )
    lines = {name: line(results, "Form 6251", name, 2026) for name in ("4", "5", "6", "7", "10", "11")}
    assert lines == {"4": 700_000, "5": 0, "6": 700_000, "7": 122_920, "10": 110_096, "11": 12_824}
    row = results.schedule_d.row(0, named=True)
    assert (row["regular_tax"], row["amt"], row["federal_tax"]) == (110_090, 12_830, 141_920)
    assert (row["regular_tax_table"], row["amt_table"], row["federal_tax_table"]) == (110_096, 12_824, 141_920)
    plain = fold_years(books(alone([2026]), [profile(2026, 100_000)]), NO_OPENING, range(2026, 2027))
    assert plain.return_lines.filter(pl.col("form") == "Form 6251").is_empty()


def test_what_if_starts_from_the_years_inputs():
    """Brian: 600,000 of long-term gain at wages of 700,000; a loss of as much saves 23.8 %."""
    results = fold_years(
        books(alone([2025]), [profile(2025, 700_000)], [net(2025, long=600_000)]), NO_OPENING, range(2025, 2026)
    )
    before = assess(to_returns(results.returns))
    after = assess(to_returns(results.returns.with_columns(long_term=pl.col("long_term") - 600_000_00)))
    assert (before.federal_tax - after.federal_tax).tolist() == [142_800_00]


def random_couples(count=150, years=range(2020, 2027)):
    """Pairs that file jointly or apart as the year has it, with random results of both characters."""
    rng = np.random.default_rng(7)
    members, profiles, nets = [], [], []
    for pair in range(count):
        for year in years:
            people = (f"p{pair}", f"q{pair}")
            together = rng.random() < 0.5
            for place, who in enumerate(people):
                members.append(
                    (people[0] if together else who, year, who, "spouse" if together and place else "primary")
                )
                nets.append(net(year, *(int(n) / 100 for n in rng.integers(-900_000, 600_000, 2)), who=who))
            filers, status = (people[:1], "mfj") if together else (people, "mfs")
            profiles.extend(profile(year, int(rng.integers(0, 60_000)), status, who) for who in filers)
    return books(members, profiles, nets)


def test_what_comes_in_is_used_or_goes_out_over_all_couples_and_years():
    """By return: line 16's loss = used + carried out; by taxpayer: what goes out comes in next year, to the cent."""
    results = fold_years(random_couples(), NO_OPENING, range(2020, 2027))
    sums = [
        "deduction",
        "deduction_used",
        "short_term_out",
        "long_term_out",
        "short_term_net",
        "short_term_in",
        "long_term_net",
        "long_term_in",
    ]
    by_return = results.carryforwards.group_by("return_id", "tax_year").agg(pl.col(sums).sum())
    joined = by_return.join(results.schedule_d, on=["return_id", "tax_year"], validate="1:1")
    net_of = pl.col("short_term_net") - pl.col("short_term_in"), pl.col("long_term_net") - pl.col("long_term_in")
    assert joined.height == results.schedule_d.height > 1_000
    assert joined.filter((net_of[0] != pl.col("line_7")) | (net_of[1] != pl.col("line_15"))).is_empty()
    loss = pl.max_horizontal(-pl.col("line_16"), 0)
    gone = pl.col("deduction_used") + pl.col("short_term_out") + pl.col("long_term_out")
    assert joined.filter(loss != gone).is_empty()
    assert joined.filter(pl.col("deduction") != pl.max_horizontal(-pl.col("line_21"), 0)).is_empty()
    for year, following in pairwise(range(2020, 2027)):
        out = results.carryforwards.filter(tax_year=year).select("taxpayer_id", "short_term_out", "long_term_out")
        into = results.carryforwards.filter(tax_year=following).select("taxpayer_id", "short_term_in", "long_term_in")
        assert_frame_equal(
            out.sort("taxpayer_id"),
            into.sort("taxpayer_id").rename({"short_term_in": "short_term_out", "long_term_in": "long_term_out"}),
        )


def test_the_order_of_rows_changes_nothing():
    given = random_couples(20)
    shuffled = Books(*(table.sample(fraction=1, shuffle=True, seed=3) for table in given))
    for one, other in zip(
        fold_years(given, NO_OPENING, range(2020, 2027)),
        fold_years(shuffled, NO_OPENING, range(2020, 2027)),
        strict=True,
    ):
        assert_frame_equal(one, other)


def test_year_by_year_equals_all_at_once_across_the_end_of_the_exemptions():
    """Couples that join and separate, 2015 to 2020: personal exemptions to 2017, none from 2018."""
    years = range(2015, 2021)
    given = random_couples(15, years)
    full = fold_years(given, NO_OPENING, years)
    opening = NO_OPENING
    for year in years:
        part = fold_years(given, opening, range(year, year + 1))
        for name in ("schedule_d", "carryforwards", "return_lines"):
            assert_frame_equal(getattr(part, name), getattr(full, name).filter(pl.col("tax_year") == year))
        opening = part.carryforwards
    exempt = full.return_lines.filter((pl.col("form") == "Form 1040") & (pl.col("line") == "42"))
    assert set(exempt["tax_year"].unique()) == {2015, 2016, 2017}
    assert set(exempt["amount"].unique()) >= {Decimal("4000.00"), Decimal("8100.00")}
