"""Edges of transfers, prices, forms and returns: each test stands for a change of the code that no other noticed."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from schemas import gate
from schemas.tax import Form8949
from tests.transforms import test_income as TI
from tests.transforms.test_forms import PIECE, Gains, drawn, forms, frame
from tests.transforms.test_prices import valued
from tests.transforms.test_returns import NO_OPENING, alone, books, fold_years, line, net, profile
from tests.transforms.test_transfers import into, match, out


# transfers
def test_a_tenth_that_is_missing_is_no_fee():
    assert match(out("o", "1"), into("i", "0.9")).transfers.is_empty()


def test_score_95_for_a_hash_with_a_fee_inside():
    assert match(out("o", "1", tx_id="a"), into("i", "0.999", tx_id="a")).transfers["score"].to_list() == [95]


@pytest.mark.parametrize(
    ("at", "score"),
    [
        ("2025-03-01T11:00:00", 90),
        ("2025-03-02T10:00:00", 80),
        ("2025-03-03T10:00:00", 70),
        ("2025-03-03T10:00:01", None),
    ],
)
def test_scores_by_time_to_the_end_of_the_window(at, score):
    assert match(out("o", "1"), into("i", "1", at)).transfers["score"].to_list() == ([] if score is None else [score])


def test_a_deposit_before_midnight_matches_a_withdrawal_after_it():
    assert match(out("o", "1", "2025-03-02T00:10:00"), into("i", "1", "2025-03-01T23:50:00")).transfers.height == 1


def test_one_hash_of_two_assets_pairs_each_with_its_own():
    found = match(out("o", "1", tx_id="a"), into("i", "1", tx_id="a", received_asset="ETH"))
    assert found.transfers.is_empty()


# prices
def test_a_fee_in_the_coin_given_has_the_event_s_price():
    row = valued(
        {
            "kind": "trade",
            "sent_asset": "CD",
            "sent_quantity": "9",
            "received_asset": "B",
            "received_quantity": "18",
            "fee_asset": "CD",
            "fee_quantity": "1",
            "usd_value": "18",
        }
    )
    assert str(row["fee_usd_value"][0]) == "2.000000"


def test_one_given_for_several_shares_its_value():
    rows = [
        {"event_id": "p1", "fact_id": "f", "kind": "trade", "received_asset": "ETH", "received_quantity": "1"},
        {"event_id": "p2", "fact_id": "f", "kind": "trade", "received_asset": "BTC", "received_quantity": "1"},
        {"event_id": "p3", "fact_id": "f", "kind": "trade", "sent_asset": "USD", "sent_quantity": "31000"},
    ]
    assert [str(v) for v in valued(*rows).sort("event_id")["usd_value"]] == [
        "1000.000000",
        "30000.000000",
        "31000.000000",
    ]


def test_a_basket_with_an_unpriced_part_is_not_scaled():
    rows = [
        {"event_id": "p1", "fact_id": "f", "kind": "trade", "sent_asset": "ETH", "sent_quantity": "1"},
        {"event_id": "p2", "fact_id": "f", "kind": "trade", "sent_asset": "NEW", "sent_quantity": "1"},
        {"event_id": "p3", "fact_id": "f", "kind": "trade", "received_asset": "USD", "received_quantity": "31000"},
    ]
    assert [v and str(v) for v in valued(*rows).sort("event_id")["usd_value"]] == ["2000.000000", None, "31000.000000"]


def test_the_age_is_that_of_the_price_that_decided():
    row = valued(
        {"kind": "trade", "sent_asset": "BTC", "sent_quantity": "1", "received_asset": "ETH", "received_quantity": "1"}
    )
    assert (row["price_source"][0], row["price_age_days"][0]) == ("made up", 2)


def test_a_price_of_the_last_day_allowed_counts():
    import transforms.prices as P
    from tests.transforms import test_prices as T

    ev = T.frame(
        T.Events,
        {
            "event_id": "e",
            "fact_id": "e",
            "kind": "reward",
            "received_asset": "ETH",
            "received_quantity": "1",
            **T.EVENT,
        },
    )
    assert P.value_events(ev, T.TABLE, max_age_days=2)["usd_value"][0] == 2000
    assert P.value_events(ev, T.TABLE, max_age_days=1)["usd_value"][0] is None


# forms
def test_the_form_is_the_schema_s():
    assert gate.check(drawn({}), Form8949).rejected.is_empty()


def test_a_short_term_collectible_stays_out_of_the_28_percent_group():
    assert forms.nets(drawn({"collectible": True}))["collectibles_net"].to_list() == [0]


def test_a_piece_of_an_account_nobody_knows_is_off_the_return():
    m = pl.DataFrame({"return_id": ["t"], "tax_year": [2025], "taxpayer_id": ["t"]})
    g = forms.complete_gains(
        frame(Gains, PIECE),
        pl.DataFrame(schema={"account_id": pl.String, "taxable": pl.Boolean}),
        m,
        pl.DataFrame(schema={"asset": pl.String, "collectible": pl.Boolean}),
    )
    assert g["on_return"].to_list() == [False]


def test_a_reward_alone_answers_yes():
    years = pl.DataFrame({"return_id": ["t"], "tax_year": [2025], "form": ["1040"]})
    facts = pl.DataFrame({"account_id": ["a"], "taxable": [True]})
    earned = TI.rows({"kind": "staking"})
    a = forms.digital_asset_question(frame(Gains), earned, years, facts)
    assert a["answer"].to_list() == ["yes"]


# income
def test_wages_in_coins_are_no_investment_income():
    assert TI.rows({"kind": "wages"})["in_nii"].to_list() == [False]


# returns
def one(year, p, n=(), **k):
    return fold_years(books(alone([year]), [p], list(n), **k), NO_OPENING, range(year, year + 1))


def test_every_income_cell_reaches_its_line():
    p = profile(
        2024,
        100_000,
        self_employment=1_000,
        investment_income=200_000,
        other_ordinary=30,
        qualified_dividends=4_000,
        adjustments=7,
    )
    r = one(2024, p)
    assert line(r, "Form 1040", "11") == 305_023
    assert line(r, "Form 8960", "12") == 204_000
    assert line(r, "Form 8960", "16") == min(305_023 - 200_000, 204_000)
    assert line(r, "Form 8960", "17") == float(Decimal("3990.87"))


def test_form_8960_line_16_is_the_smaller():
    r = one(2024, profile(2024, 300_000, investment_income=10))
    assert line(r, "Form 8960", "16") == 10


@pytest.mark.parametrize(
    ("year", "niit", "amt", "deduction"),
    [
        (2018, "Schedule 4 line 62", "Schedule 2 line 45", "8"),
        (2019, "Schedule 2 line 8", "Schedule 2 line 1", "9"),
        (2021, "Schedule 2 line 12", "Schedule 2 line 1", "12a"),
        (2022, "Schedule 2 line 12", "Schedule 2 line 1", "12"),
        (2025, "Schedule 2 line 12", "Schedule 2 line 2", "12e"),
    ],
)
def test_names_of_the_other_lines_by_year(year, niit, amt, deduction):
    r = one(year, profile(year, 100_000), [net(year, long=600_000)])
    row = r.schedule_d.row(0, named=True)
    assert line(r, "Form 1040", niit, year) == float(row["niit"]) > 0
    assert line(r, "Form 1040", amt, year) == float(row["amt_table"])
    assert line(r, "Form 1040", deduction, year) > 10_000


def test_the_worksheet_is_not_printed_where_the_form_does_not_ask():
    r = one(2024, profile(2024, 80_000), [net(2024, short=-2_000)])
    assert r.return_lines.filter(form="Capital Loss Carryover Worksheet").is_empty()


def test_lines_18_and_19_are_blank_without_gains():
    r = one(2024, profile(2024, 80_000), [net(2024, short=-2_000)])
    assert r.return_lines.filter(form="Schedule D").filter(pl.col("line").is_in(["18", "19"])).is_empty()


def test_worksheet_line_1_adds_the_senior_deduction_back():
    old = [{"taxpayer_id": "ann", "birth_year": 1950}]
    r = one(2025, profile(2025, 20_000), [net(2025, short=-10_000)], taxpayers=old)
    # 20,000 - 3,000 - 15,750 - 2,000 - 6,000 = -6,750; + 6,000
    assert line(r, "Capital Loss Carryover Worksheet", "1", 2025) == -750
    assert line(r, "Capital Loss Carryover Worksheet", "8", 2025) == 10_000 - 2_250


def test_a_separate_return_of_a_year_without_law_has_the_half_limit():
    r = one(2012, profile(2012, 80_000, "mfs"), [net(2012, short=-9_000)])
    assert r.schedule_d["line_21"].to_list() == [-1_500]


def test_other_ordinary_counts_dividends_once():
    r = one(2024, profile(2024, 50_000, qualified_dividends=1_000))
    assert line(r, "Form 1040", "11") == 51_000
