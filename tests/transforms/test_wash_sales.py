"""Wash sales by the letter: the example of the tax rules, those of Reg. 1.1091-1(h), each mechanic, and a slow oracle."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.harvest import Holdings
from schemas.tax import OpenLots
from tests.transforms.frames import frame
from tests.transforms.naive_wash_sales import Unit, naive
from tests.transforms.wash_cases import ASSETS, History
from transforms import wash_sales
from transforms.wash_sales import Washed


def disallowed(washed: Washed) -> dict[str, Decimal]:
    """By disposal, where any is."""
    rows = washed.gains.group_by("disposal_id").agg(pl.col("disallowed").sum()).filter(pl.col("disallowed") > 0)
    return dict(rows.rows())


def pieces(washed: Washed, disposal: str) -> list[tuple[Any, ...]]:
    """lot, units, basis, gain, disallowed of a disposal's pieces."""
    rows = washed.gains.filter(disposal_id=disposal).sort("lot_id")
    return rows.select("lot_id", "quantity", "basis", "gain", "disallowed").rows()


def opened(history: History, lot: str, units: Any, *places: tuple[str, str, Any]) -> pl.DataFrame:
    """A lot as it is held: (account, location, units), its basis by units."""
    bought = history.books().lots.filter(lot_id=lot)
    whole = bought.row(0, named=True)
    rows = []
    for account, location, part in places or ((whole["account_id"], "account", units),):
        basis = whole["basis"] * Decimal(str(part)) / whole["quantity"]
        rows.append({**whole, "account_id": account, "location": location, "quantity": Decimal(str(part)),
                     "basis": basis, "loss_basis": basis})  # fmt: skip
    return frame(OpenLots, *rows)


# --- the worked example ----------------------------------------------------------------------------------------------


def test_e4_1() -> None:
    """E4.1: of the loss of 400, 6 x 40 = 240 is disallowed, 160 allowed; the six cost 372 + 240 = 612; period tacks."""
    history = (
        History().buy("ten", "2026-09-01", 10, 1_000).sell("sale", "2026-12-01", {"ten": 10}, 600)
        .buy("six", "2026-12-20", 6, 372)
    )  # fmt: skip
    washed = history.washed()
    assert pieces(washed, "sale") == [("ten", 10, 1_000, -400, 240)]
    assert washed.gains["disallowed_code"].to_list() == ["W"]
    held = wash_sales.with_washed(opened(history, "six", 6), washed.held).row(0, named=True)
    assert (held["quantity"], held["basis"], held["loss_basis"]) == (6, 612, 612)
    # held 1 September to 1 December, 91 days: the six count as acquired 91 days before 20 December (IRC 1223(3))
    assert held["date_acquired"] == date(2026, 9, 20)
    assert held["long_term_from"] == date(2027, 9, 21)


# --- Reg. 1.1091-1(h) ------------------------------------------------------------------------------------------------


def test_reg_1_1091_1_h_example_1() -> None:
    """Two purchases in December, the first sold on 3 January at a loss: the second replaces it, nothing is allowed."""
    history = (
        History().buy("first", "2024-12-01", 100, 10_000).buy("second", "2024-12-15", 100, 9_000)
        .sell("sale", "2025-01-03", {"first": 100}, 9_000)
    )  # fmt: skip
    assert disallowed(history.washed()) == {"sale": 1_000}


def test_reg_1_1091_1_h_example_2() -> None:
    """75 of 100 are replaced: 750 of 1,000 disallowed; the 50 cost 3,250 now, the 25 cost 1,375."""
    history = (
        History().buy("old", "2024-09-21", 100, 5_000).buy("fifty", "2024-12-21", 50, 2_750)
        .buy("more", "2024-12-27", 25, 1_125).sell("sale", "2025-01-03", {"old": 100}, 4_000)
    )  # fmt: skip
    washed = history.washed()
    assert disallowed(washed) == {"sale": 750}
    raised = [wash_sales.with_washed(opened(history, lot, n), washed.held)["basis"][0] for lot, n in
              (("fifty", 50), ("more", 25))]  # fmt: skip
    assert raised == [3_250, 1_375]


def test_reg_1_1091_1_h_example_3() -> None:
    """Four purchases of 50 after the sale of 100: the first two replace, in the order of acquisition."""
    history = History().buy("old", "2024-09-15", 100, 5_000).sell("sale", "2026-02-01", {"old": 100}, 4_000)
    for day in (15, 16, 17, 18):
        history.buy(f"on-{day}", f"2026-02-{day}", 50, 2_000)
    washed = history.washed()
    assert disallowed(washed) == {"sale": 1_000}
    assert washed.held.select("lot_id", "quantity", "basis_added").rows() == [("on-15", 50, 500), ("on-16", 50, 500)]
    # the disallowed loss on 50 units, 500, and the price paid, 2,000: the 2,500 that the units sold had cost
    assert wash_sales.with_washed(opened(history, "on-15", 50), washed.held)["basis"][0] == 2_500


# --- the window, IRC 1091(a) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bought", "takes"),
    [("2026-05-01", 0), ("2026-05-02", 400), ("2026-06-01", 400), ("2026-07-01", 400), ("2026-07-02", 0)],
)
def test_61_days_of_the_calendar(bought: str, takes: int) -> None:
    """IRC 1091(a): from 30 days before the sale to 30 days after it, both in."""
    history = History().buy("old", "2026-01-10", 10, 1_000).sell("sale", "2026-06-01", {"old": 10}, 600)
    history.buy("new", bought, 10, 500)
    assert disallowed(history.washed()) == ({"sale": takes} if takes else {})


def test_the_window_counts_days_not_hours() -> None:
    """A purchase at 23:59 on the 30th day is within it, though nearly 31 times 24 hours have passed."""
    history = History().buy("old", "2026-01-10", 10, 1_000).sell("sale", "2026-06-01T00:01:00", {"old": 10}, 600)
    assert disallowed(history.buy("new", "2026-07-01T23:59:00", 10, 500).washed()) == {"sale": 400}


def test_a_december_loss_is_disallowed_by_a_purchase_in_january() -> None:
    """The loss year's figure changes after its end, until 30 January (tax rules 4.3, 8)."""
    history = History().buy("old", "2025-03-01", 10, 1_000).sell("sale", "2025-12-31", {"old": 10}, 600)
    assert disallowed(history.washed()) == {}
    washed = history.buy("new", "2026-01-30", 10, 500).washed()
    assert washed.gains.select("tax_year", "disallowed").rows() == [(2025, 400)]


# --- order, Reg. 1.1091-1(b)-(d) -------------------------------------------------------------------------------------


def test_the_earliest_loss_is_matched_first() -> None:
    """Reg. 1.1091-1(b): losses in the order of disposal."""
    history = (
        History().buy("a", "2026-01-01", 10, 1_000).buy("b", "2026-01-02", 10, 2_000)
        .sell("later", "2026-05-02", {"b": 10}, 500).sell("earlier", "2026-05-01", {"a": 10}, 500)
        .buy("new", "2026-05-10", 10, 600)
    )  # fmt: skip
    assert disallowed(history.washed()) == {"earlier": 500}


def test_at_one_instant_the_lot_acquired_first_is_matched_first() -> None:
    """Reg. 1.1091-1(b): where the order cannot be determined, in the order of original acquisition."""
    history = (
        History().buy("young", "2026-01-02", 10, 2_000).buy("old", "2026-01-01", 10, 1_000)
        .sell("a-young", "2026-05-01", {"young": 10}, 500).sell("b-old", "2026-05-01", {"old": 10}, 500)
        .buy("new", "2026-05-10", 10, 600)
    )  # fmt: skip
    assert disallowed(history.washed()) == {"b-old": 500}


def test_a_unit_replaces_one_unit_only() -> None:
    """Reg. 1.1091-1(e): what has made one loss nondeductible is disregarded for the next."""
    history = (
        History().buy("old", "2026-01-01", 20, 2_000).sell("one", "2026-05-01", {"old": 10}, 600)
        .sell("two", "2026-05-05", {"old": 10}, 600).buy("new", "2026-05-10", 14, 900)
    )  # fmt: skip
    assert disallowed(history.washed()) == {"one": 400, "two": 160}


def test_units_of_the_lot_sold_replace_nothing() -> None:
    """Ten bought in one purchase, six sold at a loss within 30 days: the other four were no replacement."""
    history = History().buy("lot", "2026-05-01", 10, 1_000).sell("sale", "2026-05-20", {"lot": 6}, 300)
    assert disallowed(history.washed()) == {}


def test_units_sold_with_them_replace_nothing() -> None:
    """Two purchases sold together: neither is left to have replaced the other."""
    history = History().buy("a", "2026-05-01", 10, 1_000).buy("b", "2026-05-10", 10, 900)
    history.sell("sale", "2026-05-20", {"a": 10, "b": 6}, 800)
    assert pieces(history.washed(), "sale") == [("a", 10, 1_000, -500, 200), ("b", 6, 540, -240, 0)]


def test_units_that_were_sold_before_replace_nothing() -> None:
    """What was bought and sold again before the loss is not there to carry its basis (IRC 1091(d))."""
    history = (
        History().buy("old", "2026-01-01", 10, 1_000).buy("b", "2026-05-01", 10, 500)
        .sell("again", "2026-05-05", {"b": 10}, 550).sell("sale", "2026-05-20", {"old": 10}, 600)
    )  # fmt: skip
    assert disallowed(history.washed()) == {}


# --- what counts as acquired, Reg. 1.1091-1(a), (f) ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "counts"),
    [("buy", True), ("trade", True), ("gift", False), ("inheritance", False), ("spouse", False), ("staking", False)],
)
def test_a_purchase_or_a_taxable_exchange_counts(origin: str, counts: bool) -> None:
    """Reg. 1.1091-1(a), (f): by purchase or by an exchange on which all gain or loss was recognized."""
    history = History().buy("old", "2026-01-01", 10, 1_000).sell("sale", "2026-05-01", {"old": 10}, 600)
    history.buy("new", "2026-05-10", 10, 600, origin=origin)
    assert disallowed(history.washed()) == ({"sale": 400} if counts else {})


def test_units_that_only_changed_their_name_were_not_bought() -> None:
    """A migration carries basis and date: the new lot is the old one."""
    history = History().buy("old", "2026-01-01", 10, 1_000).sell("sale", "2026-05-01", {"old": 5}, 300)
    history.buy("moved<old", "2026-05-10", 5, 500)
    history.conversions.append({"to_lot_id": "moved<old", "from_lot_id": "old", "tax_year": 2026})
    assert disallowed(history.washed()) == {}


def test_a_filed_lot_is_the_purchase_that_it_states() -> None:
    """A filed twin beside the computed lot was bought once: neither replaces the other, one of them replaces a third."""
    history = History().buy("X", "2025-12-20", 10, 1_000).buy("filed-X", "2025-12-20", 10, 1_010)
    history.lots["filed-X"]["acquisition_event_id"] = "X"
    assert disallowed(history.sell("sale", "2026-01-05", {"filed-X": 10}, 600).washed()) == {}
    history.buy("old", "2025-01-10", 20, 2_000).sell("before", "2025-12-25", {"old": 20}, 1_200)
    assert disallowed(history.washed()) == {"before": 400}


def test_purchases_of_several_days_that_one_event_tells_of_replace_each_other() -> None:
    """A deposit explained by two purchases: the later is no part of the earlier."""
    history = History().buy("old", "2026-01-10", 10, 1_000).buy("new", "2026-05-10", 10, 500)
    history.lots["new"]["acquisition_event_id"] = "old"
    assert disallowed(history.sell("sale", "2026-05-20", {"old": 10}, 600).washed()) == {"sale": 400}


def test_units_wrapped_and_unwrapped_are_those_of_their_purchase() -> None:
    """There and back the lot has a new name; what it was before is no replacement for itself. Another purchase is."""
    history = History().buy("X", "2026-09-01", 10, 1_000).buy("u<w<X", "2026-09-01", 10, 1_000)
    for one, other in (("X", "w<X"), ("w<X", "u<w<X")):
        history.buy(one, "2026-09-01", 10, 1_000).conversions.append(
            {"from_lot_id": one, "to_lot_id": other, "tax_year": 2026}
        )
    history.lots["u<w<X"]["acquisition_event_id"] = "u"
    del history.lots["w<X"]  # another asset's
    history.sell("sale", "2026-09-20", {"u<w<X": 10}, 600)
    assert disallowed(history.washed()) == {}
    assert disallowed(history.buy("new", "2026-09-25", 4, 200).washed()) == {"sale": 160}


def test_the_wallet_does_not_matter() -> None:
    history = History().buy("old", "2026-01-01", 10, 1_000, account="a").sell("s", "2026-05-01", {"old": 10}, 600)
    assert disallowed(history.buy("new", "2026-05-10", 10, 600, account="b").washed()) == {"s": 400}


def test_another_client_s_purchase_does_not_count() -> None:
    history = History().buy("old", "2026-01-01", 10, 1_000).sell("s", "2026-05-01", {"old": 10}, 600)
    assert disallowed(history.buy("new", "2026-05-10", 10, 600, who="stranger").washed()) == {}


# --- spouse and IRA --------------------------------------------------------------------------------------------------


def test_a_spouse_s_purchase_counts_in_the_years_of_the_marriage() -> None:
    """A purchase by the spouse on the joint return washes the loss (Pub. 550)."""

    def sold(*years: int) -> dict[str, Decimal]:
        history = History().buy("old", "2026-01-01", 10, 1_000, who="ann")
        history.sell("s", "2026-05-01", {"old": 10}, 600).married("ann", "bob", *years)
        return disallowed(history.buy("new", "2026-05-10", 10, 600, who="bob").washed())

    assert sold(2026) == {"s": 400}
    assert sold(2025) == {}


def test_married_filing_separately_are_still_married() -> None:
    """Jointly in 2025, both `mfs` in 2026."""
    members = pl.DataFrame(
        [("ab", 2025, "ann"), ("ab", 2025, "bob"), ("ann", 2026, "ann"), ("bob", 2026, "bob")],
        schema=["return_id", "tax_year", "taxpayer_id"],
        orient="row",
    )
    status = pl.DataFrame(
        [("ab", 2025, "mfj"), ("ann", 2026, "mfs"), ("bob", 2026, "mfs")],
        schema=["return_id", "tax_year", "filing_status"],
        orient="row",
    )
    pairs = wash_sales.couples(members, status).filter(taxpayer_id="ann")
    assert pairs.rows() == [("ann", "bob", 2025), ("ann", "bob", 2026)]
    divorced = status.with_columns(filing_status=pl.lit("single"))
    assert wash_sales.couples(members, divorced).filter(tax_year=2026).is_empty()


@pytest.mark.parametrize("treatment", ["ira", "hsa"])
def test_a_replacement_in_an_ira_loses_the_loss_for_good(treatment: str) -> None:
    """Rev. Rul. 2008-5: the loss is disallowed and the IRA's basis is not increased."""
    history = History().buy("old", "2026-01-01", 10, 1_000).sell("s", "2026-05-01", {"old": 10}, 600)
    washed = history.buy("new", "2026-05-10", 6, 400, treatment=treatment).washed()
    assert disallowed(washed) == {"s": 240}
    assert washed.matches.select("disallowed", "basis_added", "lost", "days_added").rows() == [(240, 0, 240, 0)]
    assert washed.held.is_empty()


def test_a_loss_inside_an_ira_is_none() -> None:
    """What an IRA sells is on no return: nothing to disallow, no basis to raise."""
    history = History().buy("old", "2026-01-01", 10, 1_000, treatment="ira").sell("s", "2026-05-01", {"old": 10}, 600)
    assert disallowed(history.buy("new", "2026-05-10", 10, 600).washed()) == {}


# --- basis and period, IRC 1091(d), 1223(3) --------------------------------------------------------------------------


def test_the_sale_of_the_replacement_takes_the_loss() -> None:
    """Nothing is gained or lost by a wash sale in the end: 1,000 + 372 paid, 600 + 450 received, 322 lost."""
    history = (
        History().buy("ten", "2026-09-01", 10, 1_000).sell("sale", "2026-12-01", {"ten": 10}, 600)
        .buy("six", "2026-12-20", 6, 372).sell("end", "2027-04-01", {"six": 6}, 450)
    )  # fmt: skip
    washed = history.washed()
    assert pieces(washed, "end") == [("six~washed-1", 6, 612, -162, 0)]
    total = washed.gains.select(pl.col("gain").sum() + pl.col("disallowed").sum()).item()
    assert total == 450 + 600 - 1_000 - 372


def test_the_period_tacks_into_long_term() -> None:
    """IRC 1223(3): eleven months before and two months after are more than a year; the days between do not count."""
    history = (
        History().buy("old", "2025-01-10", 10, 1_000).sell("sale", "2025-12-10", {"old": 10}, 600)
        .buy("new", "2025-12-20", 10, 700).sell("late", "2026-02-20", {"new": 10}, 1_500)
    )  # fmt: skip
    row = history.washed().gains.filter(disposal_id="late").row(0, named=True)
    # 10 January to 10 December 2025 are 334 days; 20 December less 334 days is 20 January 2025
    assert (row["date_acquired"], row["term"], row["gain"]) == (date(2025, 1, 20), "long", 400)


def test_a_lot_that_is_washed_in_part_is_two() -> None:
    """Six of ten carry the added basis and the old period, four their own; the six leave first."""
    history = (
        History().buy("old", "2025-01-10", 6, 600).sell("sale", "2025-12-10", {"old": 6}, 360)
        .buy("new", "2025-12-20", 10, 700).sell("eight", "2026-02-20", {"new": 8}, 800)
    )  # fmt: skip
    washed = history.washed()
    rows = washed.gains.filter(disposal_id="eight").select("lot_id", "quantity", "proceeds", "basis", "gain", "term")
    # 6 x 70 + 240 = 660 against 600, long-term; 2 x 70 = 140 against 200, short-term
    assert rows.rows() == [("new~washed-1", 6, 600, 660, -60, "long"), ("new", 2, 200, 140, 60, "short")]
    left = wash_sales.with_washed(opened(history, "new", 2), washed.held)
    assert left.select("lot_id", "quantity", "basis").rows() == [("new", 2, 140)]


def test_inherited_units_count_as_held_for_more_than_a_year() -> None:
    """IRC 1223(9): so does what replaces them."""
    history = History().buy("old", "2026-04-01", 10, 1_000, origin="inheritance")
    history.sell("s", "2026-05-01", {"old": 10}, 600).buy("new", "2026-05-10", 10, 600)
    washed = history.sell("end", "2026-06-20", {"new": 10}, 900).washed()
    assert washed.gains.filter(disposal_id="end")["term"].to_list() == ["long"]


def test_a_loss_is_washed_again_with_what_it_brought() -> None:
    """Sold at a loss, bought, sold at a loss, bought: the third lot carries both losses."""
    history = (
        History().buy("a", "2026-01-01", 1, 100).sell("s1", "2026-02-01", {"a": 1}, 90).buy("b", "2026-02-02", 1, 90)
        .sell("s2", "2026-02-10", {"b": 1}, 70).buy("c", "2026-02-11", 1, 70)
    )  # fmt: skip
    washed = history.washed()
    assert disallowed(washed) == {"s1": 10, "s2": 30}
    assert wash_sales.with_washed(opened(history, "c", 1), washed.held)["basis"].to_list() == [100]


def test_added_basis_can_turn_a_gain_into_a_loss_that_is_washed() -> None:
    """Prior wash sales are in the basis by which the next loss is judged."""
    history = (
        History().buy("a", "2026-01-01", 1, 100).sell("s1", "2026-02-01", {"a": 1}, 60).buy("b", "2026-02-02", 1, 60)
        .sell("s2", "2026-02-10", {"b": 1}, 70).buy("c", "2026-02-11", 1, 70)
    )  # fmt: skip
    assert disallowed(history.washed()) == {"s1": 40, "s2": 30}


def test_a_gift_of_the_replacement_takes_the_basis_along() -> None:
    """Units given away carry their raised basis (IRC 1015); there is no gain."""
    history = (
        History().buy("old", "2026-01-01", 10, 1_000).sell("s", "2026-05-01", {"old": 10}, 600)
        .buy("new", "2026-05-10", 10, 600).sell("gift", "2026-06-01", {"new": 10}, None, kind="gift_out")
    )  # fmt: skip
    washed = history.washed()
    assert pieces(washed, "gift") == [("new~washed-1", 10, 1_000, 0, 0)]
    assert washed.held.is_empty()


def test_cents_that_do_not_divide_sum_to_the_loss() -> None:
    """A loss of 0.000001 over three replacements is given away once."""
    history = History().buy("old", "2026-01-01", 3, "100.000001").sell("s", "2026-05-01", {"old": 3}, 100)
    for day in (2, 3, 4):
        history.buy(f"n{day}", f"2026-05-0{day}", 1, 30)
    washed = history.washed()
    assert disallowed(washed) == {"s": Decimal("0.000001")}
    assert washed.matches["basis_added"].sum() == Decimal("0.000001")


def test_units_washed_are_laid_out_over_the_places_of_their_lot() -> None:
    """The account before the transfer under way; basis and units are those of the whole."""
    history = History().buy("old", "2026-01-01", 6, 600).sell("s", "2026-05-01", {"old": 6}, 360)
    washed = history.buy("new", "2026-05-10", 10, 700).washed()
    held = opened(history, "new", 10, ("b", "transit", 4), ("c", "account", 2), ("a", "account", 4))
    rows = wash_sales.with_washed(held, washed.held).select("account_id", "lot_id", "quantity", "basis").rows()
    assert rows == [("a", "new~washed-1", 4, 440), ("c", "new~washed-1", 2, 220), ("b", "new", 4, 280)]


# --- which losses the rules reach ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asset", "on"), [("TSLAx", True), ("IBIT", True), ("BTC", False), ("PUNK-1", False)])
def test_today_s_law_reaches_securities_and_no_coin(asset: str, on: bool) -> None:
    """IRC 1091(a): stock or securities; Instructions for Schedule D (2025): tokenized securities (tax rules 4.1)."""
    history = History(asset).buy("old", "2026-01-01", 10, 1_000).sell("s", "2026-05-01", {"old": 10}, 600)
    assert disallowed(history.buy("new", "2026-05-10", 10, 600).washed()) == ({"s": 400} if on else {})


def test_a_stand_frees_trust_shares_from_its_year_on() -> None:
    """Whether shares of a grantor trust are securities for section 1091 is unsettled: the default is yes."""
    history = History("IBIT")
    for year in (2025, 2026):
        history.buy(f"old{year}", f"{year}-01-01", 10, 1_000).sell(f"s{year}", f"{year}-05-01", {f"old{year}": 10}, 600)
        history.buy(f"new{year}", f"{year}-05-10", 10, 600)
    topic = "trust_share_wash_sale"
    stands = pl.DataFrame(
        [(None, 2009, topic, "yes"), ("t", 2026, topic, "no")],
        schema={"taxpayer_id": pl.String, "from_year": pl.Int64, "topic": pl.String, "choice": pl.String},
        orient="row",
    )
    assert disallowed(history.washed(stands=stands)) == {"s2025": 400}


@pytest.mark.parametrize(("day", "rules"), [("2026-06-08", {"2027-rule"}), ("2026-06-09", {"2027-rule", "hr-9172"}),
                                            ("2027-01-04", {"2027-rule", "hr-9172", "hr-10357"}), ("2025-12-31", set())])  # fmt: skip
def test_each_bill_reaches_dispositions_from_its_own_day_on(day: str, rules: set[str]) -> None:
    """H.R. 9172: after 8 June 2026. H.R. 10357: tax years beginning after enactment, taken to be in 2026."""
    history = History("BTC").buy("old", "2025-01-01", 10, 1_000).sell("s", day, {"old": 10}, 600)
    after = (date.fromisoformat(day) + timedelta(days=3)).isoformat()
    found = history.buy("new", after, 6, 300).at_risk()
    assert found == [(rule, "s", 400, 240) for rule in sorted(rules)]


def test_bills_leave_stablecoins_alone_and_what_the_law_takes_already() -> None:
    """H.R. 9172 excludes US dollar stablecoins; a tokenized security's loss is not at risk, it is gone."""
    for asset in ("USDC", "TSLAx"):
        history = History(asset).buy("old", "2026-06-10", 10, 1_000).sell("s", "2026-08-01", {"old": 10}, 600)
        assert history.buy("new", "2026-08-10", 10, 600).at_risk() == []


def test_without_a_purchase_nothing_is_touched() -> None:
    """The filter before the walk: the pieces come back as they were."""
    history = History().buy("old", "2026-01-01", 10, 1_000).sell("s", "2026-05-01", {"old": 10}, 600)
    washed = history.washed()
    assert washed.gains.drop("disallowed", "disallowed_code").equals(history.frame())


# --- advice under a law that reaches coins ---------------------------------------------------------------------------


def test_a_lot_is_barred_where_a_purchase_of_the_last_30_days_would_take_its_loss() -> None:
    """The lot itself is no replacement; a purchase by the spouse is; 31 days ago is too long ago; a coin needs a law."""
    history = (
        History("BTC").buy("old", "2026-01-01", 1, 100).buy("fresh", "2026-10-21", 1, 90, who="bob")
        .buy("early", "2026-10-20", 1, 90, who="cleo").buy("older", "2026-01-01", 1, 90, who="cleo")
        .buy("lone", "2026-11-01", 1, 90, who="dan").married("t", "bob", 2026)
    )  # fmt: skip
    lots = pl.concat([opened(history, lot, 1) for lot in history.lots])
    held = frame(Holdings, *(lots.select("taxpayer_id", "asset", "lot_id").to_dicts()))
    given = (lots, ASSETS, history.books().couples)
    barred = wash_sales.bar(held, *given, ("coin",), date(2026, 11, 20)).filter(pl.col("why_not").is_not_null())
    assert barred.select("lot_id", "why_not").rows() == [("old", "bought_within_30_days")]
    assert wash_sales.bar(held, *given, ("trust_share",), date(2026, 11, 20)).equals(held)


# --- the oracle ------------------------------------------------------------------------------------------------------

START = datetime(2026, 1, 1, 12)
BUYS = st.tuples(
    st.integers(0, 70),  # day
    st.integers(1, 4),  # units
    st.integers(1, 9),  # dollars a unit
    st.sampled_from(["ann", "ann", "bob"]),
    st.sampled_from(["taxable", "taxable", "taxable", "ira"]),
    st.sampled_from(["buy", "buy", "trade", "staking"]),
)
SALES = st.tuples(st.integers(0, 80), st.integers(0, 5), st.integers(1, 4), st.integers(1, 9))
HISTORIES = st.tuples(st.lists(BUYS, min_size=1, max_size=9), st.lists(SALES, max_size=12), st.booleans())


def built(case: tuple[list[Any], list[Any], bool]) -> tuple[History, list[Unit], list[Any]]:
    """A random history, and the same as units and sales of the oracle. A sale takes from lots that hold something."""
    buys, sales, married = case
    history, units, sold = History(), [], []
    if married:
        history.married("ann", "bob", 2026)
    held: dict[str, int] = {}
    for n, (day, count, price, who, treatment, origin) in enumerate(sorted(buys, key=lambda buy: buy[0])):
        lot, at = f"L{n}", START + timedelta(days=day, seconds=n)
        history.buy(lot, at.isoformat(), count, price * count, who=who, treatment=treatment, origin=origin)
        held[lot] = count
        bought, deductible = origin in ("buy", "trade"), treatment == "taxable"
        units += [Unit(lot, who, at, Fraction(price), bought, treatment == "ira", deductible) for _ in range(count)]
    for n, (day, first, count, price) in enumerate(sorted(sales)):
        at = START + timedelta(days=day, hours=1)
        lots = [lot for lot, left in held.items() if left and history.lots[lot]["acquired_at"] < at.isoformat()]
        # one owner and treatment a sale, as an account has one
        same = [lot for lot in lots if _place(history, lot) == _place(history, lots[first % len(lots)])]
        of: dict[str, int] = {}
        for lot in same[first % len(same) :] if same else ():
            taken = min(held[lot], count - sum(of.values()))
            if taken:
                of[lot] = taken
                held[lot] -= taken
        if of:
            history.sell(f"S{n:02}", at.isoformat(), of, price * sum(of.values()))
            sold.append((at, f"S{n:02}", of, Fraction(price)))
    return history, units, sold


def _place(history: History, lot: str) -> str:
    return str(history.lots[lot]["account_id"])


@settings(max_examples=400, deadline=None)
@given(HISTORIES)
def test_the_overlay_is_what_units_as_objects_give(case: tuple[list[Any], list[Any], bool]) -> None:
    """Disallowed by disposal, basis added by lot, what is lost in an IRA, gains by disposal and holding period."""
    history, units, sold = built(case)
    if not sold:
        return
    washed = history.washed()
    expected = naive(units, sold, {"ann", "bob"} if case[2] else set())
    assert {k: Fraction(v) for k, v in disallowed(washed).items()} == dict(expected.disallowed)
    added = washed.matches.group_by("replacement_lot_id").agg(pl.col("basis_added").sum())
    assert {k: Fraction(v) for k, v in added.rows() if v} == dict(expected.added)
    assert Fraction(washed.matches["lost"].sum() or 0) == expected.lost
    gains: dict[tuple[str, date], Fraction] = defaultdict(Fraction)
    for disposal, since, gain in washed.gains.filter("on_return").select("disposal_id", "date_acquired", "gain").rows():
        gains[disposal, since] += Fraction(gain)
    assert gains == expected.gains


@settings(max_examples=150, deadline=None)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_nothing_is_lost_or_made_up_and_the_order_of_rows_says_nothing(case: Any, chance: Any) -> None:
    """What is disallowed is in a basis or lost in an IRA; units, proceeds and basis are those of the book."""
    history, _, sold = built(case)
    if not sold:
        return
    washed = history.washed()
    matches, gains, book = washed.matches, washed.gains, history.frame()
    assert (
        gains["disallowed"].sum() == matches["disallowed"].sum() == matches["basis_added"].sum() + matches["lost"].sum()
    )
    sums = [frame.group_by("disposal_id").agg(pl.col("quantity", "proceeds").sum()).sort("disposal_id") for frame in
            (gains, book)]  # fmt: skip
    assert sums[0].equals(sums[1])
    used = gains["basis"].sum() - book["basis"].sum()
    assert used + washed.held["basis_added"].sum() == matches["basis_added"].sum()
    chance.shuffle(history.pieces)
    lots = list(history.lots.items())
    chance.shuffle(lots)
    history.lots = dict(lots)
    again = history.washed()
    key = ["disposal_id", "lot_id"]
    assert again.gains.sort(key).equals(gains.sort(key))
    assert again.matches.sort(pl.all()).equals(matches.sort(pl.all()))
