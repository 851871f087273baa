"""Lines of the forms by the names of their year, on worked examples; dollars."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from schemas import gate
from schemas.tax import Form8949, ReturnLines
from tests.transforms.test_returns import NO_OPENING, alone, books, fold_years, line, net, profile
from transforms.return_lines import boxes

QUALIFIED = "Qualified Dividends and Capital Gain Tax Worksheet"


def form_lines(*rows):
    """Lines of Form 8949: (box, proceeds, basis, adjustment, gain), of one return of 2025."""
    fixed = {
        "return_id": "ann", "taxpayer_id": "ann", "tax_year": 2025, "part": "I", "description": "1 BTC",
        "date_acquired": "VARIOUS", "date_sold": date(2025, 5, 1), "code": None, "account_id": "a", "asset": "BTC",
        "quantity": Decimal(1), "disposal_id": "d", "lot_id": "l",
    }  # fmt: skip
    amounts = ("proceeds", "basis", "adjustment", "gain")
    made = [
        fixed | {"box": box} | {n: Decimal(str(c)) for n, c in zip(amounts, cells, strict=True)} for box, *cells in rows
    ]
    return pl.DataFrame(made, schema=gate.dtypes(Form8949))


def shown(frame):
    return {line: float(amount) for line, amount in frame.select("line", "amount").rows()}


@pytest.mark.parametrize(
    ("box", "to"),
    [("A", "1b"), ("G", "1b"), ("B", "2"), ("H", "2"), ("C", "3"), ("I", "3"),
     ("D", "8b"), ("J", "8b"), ("E", "9"), ("K", "9"), ("F", "10"), ("L", "10")],
)  # fmt: skip
def test_each_box_goes_to_its_line_of_schedule_d(box, to):
    """Schedule D (2025), lines 1b to 3 and 8b to 10 (tax rules 3.1)."""
    assert shown(boxes(form_lines((box, 10, 4, -1, 5)))) == {
        f"{to}(d)": 10, f"{to}(e)": 4, f"{to}(g)": -1, f"{to}(h)": 5
    }  # fmt: skip


def test_lines_of_one_box_are_added_with_their_cents():
    """Instructions Form 8949: add the cents, do not round first: 0.40 + 0.40 + 0.40 = 1.20."""
    lines = boxes(form_lines(*[("I", "0.40", "0.15", 0, "0.25")] * 3))
    assert shown(lines) == {"3(d)": 1.2, "3(e)": 0.45, "3(g)": 0, "3(h)": 0.75}
    assert gate.check(lines, ReturnLines).rejected.is_empty()


def year_of(year, wages, status="single", nets=(), **cells):
    return fold_years(
        books(alone([year]), [profile(year, wages, status, **cells)], list(nets)), NO_OPENING, range(year, year + 1)
    )


def lines_of(results, form):
    return shown(results.return_lines.filter(form=form))


def test_what_the_profile_adds_is_shown_so_that_lines_7_and_15_foot():
    results = year_of(2025, 80_000, nets=[net(2025, short=-500, long=900)], other_short_term=200, other_28_rate=300)
    schedule_d = lines_of(results, "Schedule D")
    assert schedule_d["1a-5 (profile)"] == 200
    assert schedule_d["8a-13 (profile)"] == 300
    assert (schedule_d["7"], schedule_d["15"], schedule_d["16"]) == (-300, 1_200, 900)


def test_the_qualified_dividends_worksheet_of_case_5():
    """2025 single, wages 50,000, long-term 30,000 (tax rules 9, case 5): 64,250 taxable, 34,250 of it ordinary.

    14,100 of the gain is in the 0 % band (48,350 - 34,250), 15,900 at 15 % = 2,385. The Tax Table on 34,250: 1,192.50 +
    12 % of (34,275 - 11,925) = 3,874.50, so 3,875. Together 6,260 (6,256.50 by the schedule).
    """
    lines = lines_of(year_of(2025, 50_000, nets=[net(2025, long=30_000)]), QUALIFIED)
    assert [lines[str(number)] for number in range(1, 26)] == [
        64_250, 0, 30_000, 30_000, 34_250, 48_350, 48_350, 34_250, 14_100, 30_000, 14_100, 15_900, 533_400, 64_250,
        48_350, 15_900, 15_900, 2_385, 30_000, 0, 0, 3_875, 6_260, 9_055, 6_260,
    ]  # fmt: skip


def test_the_same_worksheet_had_27_lines_before_2020():
    """Lines 5 and 6 were those of Form 4952: the tax stood on line 27."""
    lines = lines_of(year_of(2019, 50_000, nets=[net(2019, long=30_000)]), QUALIFIED)
    assert max(map(int, lines)) == 27
    assert (lines["1"], lines["4"], lines["7"], lines["8"]) == (67_800, 30_000, 37_800, 39_375)
    assert lines["27"] == line(year_of(2019, 50_000, nets=[net(2019, long=30_000)]), "Form 1040", "12a", 2019)


def test_the_schedule_d_tax_worksheet_of_case_10():
    """2025 single, wages 100,000, long-term 120,000 of which 60,000 NFT (tax rules 9, case 10): 36,467 by hand.

    Taxable 204,250: ordinary 84,250; up to the top of 24 % (197,300) 28 % gain pays the ordinary rates.
    """
    results = year_of(2025, 100_000, nets=[net(2025, long=120_000, collectibles=60_000)])
    lines = lines_of(results, "Schedule D Tax Worksheet")
    assert (lines["1"], lines["10"], lines["11"], lines["12"], lines["13"], lines["14"]) == (
        204_250, 120_000, 60_000, 60_000, 60_000, 144_250
    )  # fmt: skip
    assert (lines["19"], lines["20"], lines["21"]) == (197_300, 144_250, 144_250)
    assert (lines["30"], lines["31"], lines["42"]) == (60_000, 9_000, 0)
    assert (lines["44"], lines["45"], lines["47"]) == (27_467, 36_467, 36_467)
    assert "35" not in lines  # no line 19 of Schedule D: skipped
    assert lines_of(results, QUALIFIED) == {}
    assert lines_of(results, "28% Rate Gain Worksheet") == {"5": 0, "6": 0, "7": 60_000}


def test_before_2018_the_schedule_d_tax_worksheet_has_45_lines():
    lines = lines_of(
        year_of(2016, 400_000, nets=[net(2016, long=50_000, collectibles=20_000)], dependents=0),
        "Schedule D Tax Worksheet",
    )
    assert max(map(int, lines)) == 45
    assert lines["41"] == 5_600  # line 43 today: 28 % of 20,000


def test_form_6251_of_case_9_line_by_line():
    """2025 MFS, wages 150,000, long-term 900,000 (tax rules 9, case 9): regular 196,779.50, AMT 25,017.50.

    Line 4: 1,050,000 + 25 % of (1,050,000 - 900,350) = 1,087,412.50, of which at most 68,500 is added; no exemption.
    """
    lines = lines_of(year_of(2025, 150_000, "mfs", [net(2025, long=900_000)]), "Form 6251")
    assert (lines["4"], lines["5"], lines["6"], lines["12"]) == (1_087_412.5, 0, 1_087_412.5, 1_087_412.5)
    assert (lines["13"], lines["16"], lines["17"]) == (900_000, 900_000, 187_412.5)
    assert (lines["19"], lines["25"]) == (48_350, 300_000)
    assert (lines["7"], lines["10"], lines["11"]) == (221_797, 196_779.5, 25_017.5)
    assert "35" not in lines


def test_form_6251_had_other_numbers_before_2018():
    lines = lines_of(year_of(2017, 100_000, "mfs", [net(2017, long=500_000)], dependents=0), "Form 6251")
    assert {"28", "29", "30", "31", "33", "34", "35", "36", "64"} <= set(lines)
    assert lines["31"] == lines["33"] == lines["64"]
    assert lines["35"] == lines["33"] - lines["34"]


def test_form_8960_foots():
    """2025 single, wages 300,000, interest 10,000, loss 50,000 (tax rules 9, case 7): 266."""
    lines = lines_of(year_of(2025, 300_000, nets=[net(2025, short=-50_000)], investment_income=10_000), "Form 8960")
    assert lines == {
        "5a": -3_000, "5d": -3_000, "8": 7_000, "12": 7_000, "13": 307_000, "14": 200_000, "15": 107_000, "16": 7_000,
        "17": 266,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("year", "named"),
    [
        (2013, {"13": 10_000, "37": 90_000, "40": 6_100, "42": 3_900, "43": 80_000}),
        (2017, {"13": 10_000, "37": 90_000, "40": 6_350, "42": 4_050, "43": 79_600}),
    ],
)
def test_form_1040_of_the_years_with_exemptions(year, named):
    """Lines 13, 37, 40, 42, 43 and 44 of Form 1040 of 2013 to 2017."""
    results = year_of(year, 80_000, nets=[net(year, short=10_000)], dependents=0)
    lines = lines_of(results, "Form 1040")
    assert {name: lines[name] for name in named} == named
    assert lines["44"] == float(results.schedule_d["regular_tax_table"].item())


def test_dependents_are_asked_only_where_they_change_the_tax():
    for year, asked in ((2017, ["dependents"]), (2018, [])):
        results = year_of(year, 80_000)
        columns = results.missing.filter(pl.col("reason") == "profile_cell_empty")["column"].to_list()
        assert [column for column in columns if column == "dependents"] == asked
    with_two = year_of(2017, 80_000, dependents=2)
    assert lines_of(with_two, "Form 1040")["42"] == 3 * 4_050


def test_a_couple_counts_twice_and_a_chain_crosses_2017_and_2018():
    """E3.7 in the books: 2017 single, 11,000 of income, -8,000: 5,000 go on; 2018 with 50,000 uses 3,000 of them."""
    given = books(
        alone([2017, 2018]), [profile(2017, 11_000, dependents=0), profile(2018, 50_000)], [net(2017, short=-8_000)]
    )
    results = fold_years(given, NO_OPENING, range(2017, 2019))
    assert results.carryforwards["short_term_out"].to_list() == [5_000, 2_000]
    worksheet = lines_of_year(results, 2017, "Capital Loss Carryover Worksheet")
    assert (worksheet["1"], worksheet["2"], worksheet["3"], worksheet["4"]) == (1_650, 3_000, 4_650, 3_000)
    assert worksheet["8"] == 5_000


def lines_of_year(results, year, form):
    return shown(results.return_lines.filter(form=form, tax_year=year))
