"""Form 1099-DA against the books, and the line of Form 8949 that follows (Instructions Form 8949 and 1099-DA; tax rules 3.1-3.4)."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import gate
from schemas.inputs import Forms1099B, Forms1099DA
from schemas.ledger import SaleTerms
from schemas.tax import Form8949, Gains, Reconciliation1099DA
from tests.transforms.frames import frame
from transforms import asset_master, forms, questions, reconciliation

PIECE = {
    "taxpayer_id": "t", "return_id": "t", "tax_year": 2026, "account_id": "a", "asset": "BTC", "disposal_id": "d",
    "event_id": "d", "lot_id": "l", "quantity": "1", "acquired_at": "2026-01-15T00:00:00", "disposed_at": "2026-06-01T12:00:00",
    "date_acquired": "2026-01-15", "date_sold": "2026-06-01", "proceeds": "100", "basis": "90", "term": "short",
    "disposal_kind": "sell", "basis_status": "known", "lot_method": "hifo", "origin": "buy", "collectible": False,
    "on_return": True, "disallowed": "0",
}  # fmt: skip
ROW = {"taxpayer_id": "t", "tax_year": 2026, "account_id": "a", "box_1b": "Bitcoin", "box_1c": "1", "box_1e": "2026-06-01", "box_1f": "100"}  # fmt: skip
SHEET = {"taxpayer_id": "t", "tax_year": 2026, "account_id": "a", "asset": "IBIT", "quantity": "1", "date_sold": "2026-06-01", "proceeds": "100"}  # fmt: skip
OWN = [("APE-7", "nft", "APES"), ("IBIT", "trust_share", None), ("bSPY", "tokenized_security", None)]
MASTER = asset_master.master(
    pl.DataFrame(OWN, schema=["asset", "class", "symbol"], orient="row").pipe(gate.conform, asset_master.Assets)
)
CLASSES = asset_master.facts(MASTER)


def pieces(*given: dict[str, Any]) -> pl.DataFrame:
    """Gains over PIECE; a gain that is not given follows from proceeds and basis."""
    rows = []
    for piece in given:
        row = {**PIECE, **piece}
        known = row["proceeds"] is not None and row["basis"] is not None
        gain = Decimal(row["proceeds"]) - Decimal(row["basis"]) if known else None
        rows.append({"gain": gain if gain is None else str(gain), **row})
    return frame(Gains, *rows)


def form_rows(told: pl.DataFrame, sheets: pl.DataFrame | None = None) -> pl.DataFrame:
    return reconciliation.form_rows(told, frame(Forms1099B) if sheets is None else sheets, MASTER)


class Night:
    """What a night makes of pieces and rows of forms."""

    def __init__(
        self,
        sold: list[dict[str, Any]],
        told: list[dict[str, Any]],
        terms: tuple[dict[str, Any], ...] = (),
        tolerance: str = "0.01",
        sheets: tuple[dict[str, Any], ...] = (),
    ) -> None:
        self.gains = pieces(*sold)
        self.told = frame(Forms1099DA, *({**ROW, **row} for row in told))
        of_events = frame(SaleTerms, *terms)
        rows = self.rows = form_rows(self.told, frame(Forms1099B, *({**SHEET, **row} for row in sheets)))
        self.matched = reconciliation.match(rows, self.gains, of_events, CLASSES, Decimal(tolerance))
        self.lines = forms.form_8949(self.gains, self.matched.pieces, of_events, CLASSES)
        self.table = reconciliation.table(self.matched, self.lines)
        assert gate.check(self.lines, Form8949).rejected.is_empty()
        assert gate.check(self.table, Reconciliation1099DA).rejected.is_empty()

    def line(self) -> dict[str, Any]:
        (row,) = self.lines.to_dicts()
        return row

    def drawn(self) -> list[tuple[str, ...]]:
        """(box, d, e, f, g, h) of each line."""
        shown = self.lines.select("box", "proceeds", "basis", pl.col("code").fill_null(""), "adjustment", "gain")
        return shown.select(pl.all().cast(pl.String)).rows()

    def found(self) -> list[tuple[str, Any, Any]]:
        return self.table.select("status", "box", "code").rows()

    def asked(self) -> list[tuple[str, str, str]]:
        items = pl.concat(questions.brokers(self.table, reconciliation.unreported(
            self.gains.head(0), self.rows, NO_ACCOUNTS, CLASSES, dt.date(2027, 6, 1))))  # fmt: skip
        return items.select("question", "severity", pl.col("dollars_at_stake").cast(pl.String)).rows()


NO_ACCOUNTS = pl.DataFrame(schema={"account_id": pl.String, "custody": pl.String, "taxable": pl.Boolean})


# --- boxes and codes -------------------------------------------------------------------------------------------------


def test_e3_1_the_reported_basis_stands_in_e_and_g_corrects_it() -> None:
    # E3.1: reported basis 50 under FIFO, own books (a valid standing order) say 90, proceeds 100:
    # box G, (d) 100, (e) 50, (f) B, (g) (40), (h) 10
    night = Night([{}], [{"box_1g": "50", "box_2": "X", "box_6": "Short-term"}])
    assert night.drawn() == [("G", "100.00", "50.00", "B", "-40.00", "10.00")]
    assert night.found() == [("basis_differs", "G", "B")]
    assert night.asked() == [("form_1099_basis_differs", "warning", "40.00")]  # 100 - 50 against 100 - 90


def test_e3_1_of_a_long_term_sale_stands_in_box_j() -> None:
    night = Night([{"term": "long"}], [{"box_1g": "50", "box_2": "X", "box_6": "L"}])
    assert night.drawn() == [("J", "100.00", "50.00", "B", "-40.00", "10.00")]


def test_an_unreported_basis_that_is_wrong_gives_way_to_the_right_one() -> None:
    # 3.2: in H and K the right basis stands in (e) and 0 in (g)
    night = Night([{"term": "long"}], [{"box_1g": "50", "box_9": "X"}])
    assert night.drawn() == [("K", "100.00", "90.00", "B", "0.00", "10.00")]


def test_a_noncovered_sale_without_basis_is_as_it_should_be() -> None:
    # 3.3: of 2025, and of units transferred in, a broker need not know the basis
    night = Night([{}], [{"box_9": "X", "box_12a": "1", "box_12b": "2026-05-01"}])
    assert night.drawn() == [("H", "100.00", "90.00", "", "0.00", "10.00")]
    assert night.found() == [("matched", "H", None)]
    assert night.asked() == []


def test_proceeds_before_costs_are_corrected_under_code_e() -> None:
    # 3.2: sold for 100, fee 2: ours are net of selling costs, the form's are not
    night = Night([{"proceeds": "98"}], [{}], ({"event_id": "d", "fee_usd_value": "2"},))
    assert night.drawn() == [("H", "100.00", "90.00", "E", "-2.00", "8.00")]
    assert night.asked() == [("form_1099_costs", "info", "2.00")]


def test_higher_proceeds_that_no_cost_explains_are_asked() -> None:
    night = Night([{"proceeds": "90"}], [{}], ({"event_id": "d", "fee_usd_value": "2"},))
    assert night.drawn() == [("H", "100.00", "90.00", "E", "-10.00", "0.00")]
    assert night.asked() == [("form_1099_higher", "blocking", "10.00")]


def test_higher_proceeds_than_the_form_s_are_reported() -> None:
    # 3.4: higher proceeds than the form shows are reported at the correct higher amount
    night = Night([{"proceeds": "103"}], [{}])
    assert night.drawn() == [("H", "103.00", "90.00", "", "0.00", "13.00")]
    assert night.asked() == [("form_1099_lower", "warning", "3.00")]


def test_a_wrong_term_is_code_t_on_the_right_part() -> None:
    # 3.2 T; H4: own records decide the term
    night = Night([{"term": "long"}], [{"box_6": "Short-term"}])
    assert night.drawn() == [("K", "100.00", "90.00", "T", "0.00", "10.00")]
    assert night.line()["part"] == "II"
    assert night.found() == [("term_differs", "K", "T")]


@pytest.mark.parametrize("box_6", [None, "X", "Y", "Ordinary"])
def test_a_term_that_the_broker_does_not_know_is_no_difference(box_6: str | None) -> None:
    # 3.1: unknown is code X by the Instructions for Form 8949, Y by those for Form 1099-DA: own records decide
    night = Night([{"term": "long"}], [{"box_6": box_6}])
    assert night.drawn() == [("K", "100.00", "90.00", "", "0.00", "10.00")]


def test_of_a_sale_of_both_terms_the_surplus_term_is_wrong() -> None:
    # the broker calls all of it short-term; 0.6 of the unit is long-term
    sold = [{"quantity": "0.4", "proceeds": "40", "basis": "36"},
            {"quantity": "0.6", "proceeds": "60", "basis": "54", "lot_id": "m", "term": "long"}]  # fmt: skip
    night = Night(sold, [{"box_6": "Short-term"}])
    assert [(row[0], row[3]) for row in night.drawn()] == [("H", ""), ("K", "T")]
    right = Night(sold, [{"box_6": "Short-term", "box_1c": "0.4", "box_1f": "40"},
                         {"box_6": "Long-term", "box_1c": "0.6", "box_1f": "60"}])  # fmt: skip
    assert [(row[0], row[3]) for row in right.drawn()] == [("H", ""), ("K", "")]


def test_codes_stand_in_the_order_of_the_alphabet_without_separators() -> None:
    # 3.2 (f), (g): a collectible sold at a loss to a brother, gross proceeds, another basis, the wrong term
    piece = {"asset": "APE-7", "term": "long", "proceeds": "98", "basis": "118", "collectible": True,
             "disallowed": "20", "disallowed_code": "L"}  # fmt: skip
    row = {"box_1b": "APES", "box_6": "Short-term", "box_2": "X", "box_1g": "50"}
    night = Night([piece], [row], ({"event_id": "d", "fee_usd_value": "2"},))
    # (g) = -2 of costs - 68 of basis + 20 disallowed; 100 - 50 - 50 = 0: nothing of the loss is left
    assert night.drawn() == [("J", "100.00", "50.00", "BCELT", "-50.00", "0.00")]


def test_a_wash_sale_adds_the_disallowed_part_under_w() -> None:
    # E4.1: sold for 600 what cost 1,000; 240 of the loss of 400 is disallowed
    night = Night([{"proceeds": "600", "basis": "1000", "disallowed": "240", "disallowed_code": "W"}], [])
    assert night.drawn() == [("I", "600.00", "1000.00", "W", "240.00", "-160.00")]


def test_a_loss_that_is_disallowed_whole_leaves_exactly_nothing() -> None:
    night = Night([{"proceeds": "0.004", "basis": "0.009", "disallowed": "0.005", "disallowed_code": "W"}], [])
    assert night.drawn() == [("I", "0.00", "0.01", "W", "0.01", "0.00")]


def test_a_basis_is_shared_out_over_the_lots_of_the_sale() -> None:
    sold = [{"quantity": "0.3", "proceeds": "30", "basis": "20"},
            {"quantity": "0.7", "proceeds": "70", "basis": "70", "lot_id": "m"}]  # fmt: skip
    night = Night(sold, [{"box_1g": "50.01", "box_2": "X"}])
    # 0.3 and 0.7 of 50.01, rounded cumulatively: 15.00 and 35.01; 15 - 20 = -5, 35.01 - 70 = -34.99
    assert night.drawn() == [
        ("G", "30.00", "15.00", "B", "-5.00", "10.00"),
        ("G", "70.00", "35.01", "B", "-34.99", "0.00"),
    ]


def test_of_a_day_that_is_covered_in_part_the_units_of_2026_stand_in_box_g() -> None:
    # 3.3: covered = acquired on or after 2026-01-01 and held there; what is older is noncovered
    sold = [{"quantity": "0.4", "proceeds": "40", "basis": "30", "date_acquired": "2025-03-01", "term": "long"},
            {"quantity": "0.6", "proceeds": "60", "basis": "54", "lot_id": "m"}]  # fmt: skip
    told = [
        {"box_1c": "0.4", "box_1f": "40", "box_9": "X"},
        {"box_1c": "0.6", "box_1f": "60", "box_2": "X", "box_1g": "50"},
    ]
    assert Night(sold, told).drawn() == [
        ("G", "60.00", "50.00", "B", "-4.00", "6.00"),
        ("K", "40.00", "30.00", "", "0.00", "10.00"),
    ]


def test_a_difference_of_a_cent_a_row_is_none() -> None:
    told = [{"box_1c": "0.5", "box_1f": "50.01"}, {"box_1c": "0.5", "box_1f": "50.01"}]
    assert Night([{}], told).found() == [("matched", "H", None)]
    assert Night([{}], told, tolerance="0.005").found() == [("proceeds_differ", "H", "E")]


# --- matching --------------------------------------------------------------------------------------------------------


def test_a_sale_that_stands_on_no_form_of_its_account_is_in_box_i() -> None:
    sold = [{}, {"disposal_id": "e", "event_id": "e", "date_sold": "2026-07-01"}]
    night = Night(sold, [{}])
    assert night.found() == [("matched", "H", None), ("missing_broker", "I", None)]
    assert night.asked() == [("form_1099_missing_broker", "warning", "10.00")]


def test_a_row_that_is_no_sale_of_ours_blocks_with_its_proceeds() -> None:
    night = Night([], [{"box_6": "Long-term", "box_2": "X"}])
    assert night.found() == [("missing_ours", "J", None)]
    assert night.asked() == [("form_1099_missing_ours", "blocking", "100.00")]
    assert Night([], [{}]).found() == [("missing_ours", "H/K", None)]


def test_other_units_are_asked_and_no_code_covers_a_missing_sale() -> None:
    # the form has 2 units for 200: half of that is not selling costs
    night = Night([{}], [{"box_1c": "2", "box_1f": "200"}])
    assert night.drawn() == [("H", "100.00", "90.00", "", "0.00", "10.00")]
    assert night.asked() == [("form_1099_units_differ", "blocking", "100.00")]


def test_a_form_of_another_account_or_coin_says_nothing() -> None:
    for other in ({"account_id": "b"}, {"box_1b": "Ethereum"}):
        night = Night([{}], [other])
        assert night.drawn()[0][0] == "I"
    assert {status for status, _, _ in Night([{}], [{"box_1b": "ETH"}]).found()} == {"missing_ours", "missing_broker"}


def test_an_unknown_basis_is_on_no_line_and_the_broker_s_is_shown() -> None:
    piece = {"basis": None, "lot_id": None, "term": None, "on_return": False, "basis_status": "unknown"}
    night = Night([piece], [{"box_2": "X", "box_1g": "70"}])
    assert night.lines.is_empty()
    assert night.asked() == [("form_1099_basis_unknown", "warning", "0.00")]


def test_no_amount_of_a_form_is_used_while_a_part_of_the_sale_has_no_known_basis() -> None:
    # half of the sale is on no return yet: what the form says of the whole would all fall on the other half
    known = {"quantity": "0.5", "proceeds": "49", "basis": "45"}
    lost = {"quantity": "0.5", "proceeds": "49", "basis": None, "lot_id": None, "term": None, "on_return": False}
    told = [{"box_2": "X", "box_1g": "50"}]
    night = Night([known, lost], told, ({"event_id": "d", "fee_usd_value": "2"},))
    assert night.drawn() == [("G", "49.00", "45.00", "", "0.00", "4.00")]


def test_a_sale_by_another_clock_is_the_same_sale() -> None:
    # 1.3: 20:30 in New York is the next day in UTC
    night = Night([{"date_sold": "2026-05-31"}], [{}])
    assert night.found() == [("date_differs", "H", None)]
    assert night.line()["date_sold"] == dt.date(2026, 5, 31)
    assert night.asked() == []


def test_of_two_neighbours_the_later_day_is_the_broker_s() -> None:
    # clocks that brokers keep (UTC) run ahead of American ones
    night = Night([{"date_sold": "2026-06-02"}], [{"box_1e": "2026-06-01"}, {"box_1e": "2026-06-03"}])
    found = night.table.select("date_reported", "status").rows()
    assert found == [(dt.date(2026, 6, 1), "missing_ours"), (dt.date(2026, 6, 3), "date_differs")]


def test_a_sale_a_day_apart_with_other_units_is_another_sale() -> None:
    assert {s for s, _, _ in Night([{"date_sold": "2026-05-31"}], [{"box_1c": "3"}]).found()} == {
        "missing_ours", "missing_broker",
    }  # fmt: skip


def test_days_that_share_their_late_sales_are_the_clock_s() -> None:
    # ours: 1 and 2 units; the broker's clock puts half a unit of the first evening into the next day
    sold = [{}, {"disposal_id": "e", "event_id": "e", "date_sold": "2026-06-02", "quantity": "2", "proceeds": "200"}]
    told = [{"box_1c": "0.5", "box_1f": "50"}, {"box_1c": "2.5", "box_1f": "250", "box_1e": "2026-06-02"}]
    night = Night(sold, told)
    assert night.found() == [("date_differs", "H", None)] * 2
    assert [row[3] for row in night.drawn()] == ["", ""]
    assert night.asked() == []


def test_units_of_two_days_that_cancel_for_other_dollars_are_no_clock_s() -> None:
    told = [{"box_1c": "0.5", "box_1f": "50"}, {"box_1c": "2.5", "box_1f": "900", "box_1e": "2026-06-02"}]
    sold = [{}, {"disposal_id": "e", "event_id": "e", "date_sold": "2026-06-02", "quantity": "2", "proceeds": "200"}]
    assert [status for status, _, _ in Night(sold, told).found()] == ["units_differ"] * 2


def test_a_row_without_units_is_no_other_clock() -> None:
    told = [{"box_1c": None}, {"box_1e": "2026-06-02"}]
    assert Night([{}], told).found() == [("matched", "H", None), ("missing_ours", "H/K", None)]


def test_a_day_that_the_broker_put_wholly_into_the_next_stands_on_the_form_too() -> None:
    sold = [{}, {"disposal_id": "e", "event_id": "e", "date_sold": "2026-06-02"}]
    night = Night(sold, [{"box_1c": "2", "box_1f": "200", "box_1e": "2026-06-02"}])
    assert [row[0] for row in night.drawn()] == ["H", "H"]
    assert night.asked() == []


def test_new_year_s_eve_is_ours_whatever_year_the_form_is_of() -> None:
    # 1.3: sold 2026-12-31 20:30 in New York, a broker on UTC reports it for 2027: our year, no form of that year
    eve = {"date_sold": "2026-12-31", "disposed_at": "2027-01-01T01:30:00"}
    night = Night([eve], [{"tax_year": 2027, "box_1e": "2027-01-01"}])
    assert night.line()["tax_year"] == 2026
    assert night.found() == [("other_year", "I", None)]
    assert night.table.select("tax_year", "our_tax_year").rows() == [(2027, 2026)]
    assert night.asked()[0][:2] == ("form_1099_other_year", "warning")


@pytest.mark.parametrize(("units", "boxes"), [("1.001", ["H", "H"]), ("1", ["H", "I"])])
def test_a_fee_in_the_coin_is_on_the_form_of_some_brokers_only(units: str, boxes: list[str]) -> None:
    fee = {
        "disposal_id": "f",
        "event_id": "f",
        "disposal_kind": "fee",
        "quantity": "0.001",
        "proceeds": "0.1",
        "basis": "0.09",
    }
    night = Night([{}, fee], [{"box_1c": units, "box_1f": "100.10" if units == "1.001" else "100"}])
    assert [row[0] for row in night.drawn()] == boxes
    assert night.asked() == []


def test_stablecoins_are_compared_by_the_year_and_swaps_out_of_them_are_not_reported() -> None:
    # 3.3: designated sales (cash, services, other stablecoins) in one sum; into other coins: nowhere
    base = {"asset": "USDC", "proceeds": "6000", "basis": "6000", "quantity": "6000"}
    sold = [
        {**base, "disposal_id": "c", "event_id": "c", "disposal_kind": "sell"},
        {**base, "disposal_id": "s", "event_id": "s", "disposal_kind": "trade", "date_sold": "2026-07-01"},
        {**base, "disposal_id": "x", "event_id": "x", "disposal_kind": "trade", "date_sold": "2026-08-01"},
    ]
    terms = ({"event_id": "s", "received_asset": "USDT"}, {"event_id": "x", "received_asset": "BTC"})
    told = [{"box_1b": "USD Coin", "box_1c": "12000", "box_1f": "12000", "box_1e": None, "box_11a": "2"}]
    night = Night(sold, told, terms)
    assert night.found() == [("not_reportable", "I", None), ("matched", "H", None)]
    assert night.table["date_sold"].to_list() == [dt.date(2026, 8, 1), None]
    short = Night(sold[:1], told, terms)
    assert short.found()[0][0] == "units_differ"


@pytest.mark.parametrize(("proceeds", "status"), [("10000", "not_reportable"), ("10000.01", "missing_broker")])
def test_stablecoins_up_to_10000_a_year_need_no_form(proceeds: str, status: str) -> None:
    coins = {"asset": "USDC", "proceeds": proceeds, "basis": "10000", "disposal_id": "e", "event_id": "e"}
    assert status in {s for s, _, _ in Night([{}, coins], [{}]).found()}


@pytest.mark.parametrize(("proceeds", "status"), [("600", "not_reportable"), ("600.01", "missing_broker")])
def test_nfts_up_to_600_a_year_need_no_form(proceeds: str, status: str) -> None:
    token = {"asset": "APE-7", "proceeds": proceeds, "basis": "10", "disposal_id": "e", "event_id": "e"}
    assert status in {s for s, _, _ in Night([{}, token], [{}]).found()}


def test_nfts_in_the_aggregate_take_in_every_token_of_the_account() -> None:
    token = {"asset": "APE-7", "proceeds": "700", "basis": "10", "collectible": True}
    told = [{"box_1a": "999999999", "box_1b": "Specified NFTs", "box_1f": "700", "box_1e": None, "box_11b": "X"}]
    night = Night([token], told)
    assert night.found() == [("matched", "H", "C")]


@pytest.mark.parametrize(
    ("code", "name", "asset"),
    [
        (None, "btc", "BTC"), (None, "Bitcoin", "BTC"), (None, "Bitcoin (BTC)", "BTC"), ("X", "Ether", "ETH"),
        ("APES", None, "APE-7"), (None, "Polygon", "Polygon"), (None, None, "?"), ("ABC", None, "ABC"),
    ],
)  # fmt: skip
def test_how_a_form_names_an_asset(code: str | None, name: str | None, asset: str) -> None:
    # a name that two coins share is nobody's; what is not known stays as written, and is asked
    cells = pl.DataFrame({"a": [code], "b": [name]}, schema={"a": pl.String, "b": pl.String})
    assert cells.select(asset_master.on_form(MASTER, pl.col("a"), pl.col("b"))).item() == asset


@pytest.mark.parametrize(
    ("row", "reported"),
    [
        ({"box_2": "X"}, True), ({"box_2": "yes", "box_1g": "5"}, True), ({"box_2": "no", "box_1g": "5"}, False),
        ({"box_2": "0", "box_1g": "5"}, False), ({"box_1g": "5"}, True), ({"box_1g": "5", "box_9": "X"}, False), ({}, False),
    ],
)  # fmt: skip
def test_when_a_basis_is_reported(row: dict[str, Any], reported: bool) -> None:
    # box 2; where nobody says, a basis on the form of a security that is not noncovered (box 9)
    told = frame(Forms1099DA, {**ROW, **row})
    assert form_rows(told)["reported"].to_list() == [reported]


def test_a_broker_s_account_without_any_form_is_mentioned_a_quarter_after_the_year() -> None:
    accounts = pl.DataFrame({"account_id": ["a", "w"], "custody": ["us_broker", "self"], "taxable": [True, True]})
    sold = pieces({}, {"account_id": "w", "disposal_id": "e"}, {"tax_year": 2024, "disposal_id": "f"})
    none = form_rows(frame(Forms1099DA))
    for day, years in (((2027, 3, 31), []), ((2027, 4, 1), [2026])):
        found = reconciliation.unreported(sold, none, accounts, CLASSES, dt.date(*day))
        assert found["tax_year"].to_list() == years
    there = form_rows(frame(Forms1099DA, ROW))
    assert reconciliation.unreported(sold, there, accounts, CLASSES, dt.date(2027, 6, 1)).is_empty()


def test_a_trust_s_shares_stand_on_form_1099_b() -> None:
    # 3.1: A-F; the broker's basis of a covered share is corrected like that of a coin
    shares = {"asset": "IBIT"}
    assert Night([shares], [], sheets=({},)).drawn() == [("B", "100.00", "90.00", "", "0.00", "10.00")]
    told = {"basis": "50", "basis_reported": True, "term": "short"}
    night = Night([shares], [], sheets=(told,))
    assert night.drawn() == [("A", "100.00", "50.00", "B", "-40.00", "10.00")]
    assert night.table["form"].to_list() == ["1099-B"]


def test_a_tokenized_security_is_on_the_form_that_came() -> None:
    token = {"asset": "bSPY"}
    assert Night([token], [{"box_1b": "bSPY"}]).drawn()[0][0] == "H"
    assert Night([token], [], sheets=({"asset": "bSPY"},)).drawn()[0][0] == "B"
    assert Night([token], []).drawn()[0][0] == "I"


def test_a_form_of_one_kind_does_not_miss_the_sales_of_the_other() -> None:
    coin, share = {}, {"asset": "IBIT", "disposal_id": "e", "event_id": "e"}
    assert Night([coin, share], [{}]).found() == [("matched", "H", None)]
    assert Night([coin, share], [], sheets=({},)).found() == [("matched", "B", None)]
    assert Night([share], [], sheets=({"date_sold": "2026-08-01"},)).found() == [
        ("missing_broker", "C", None),
        ("missing_ours", "B/E", None),
    ]


def test_a_coin_of_2024_on_form_1099_b() -> None:
    # 3.1: to 2024 C and F, B and E on a Form 1099-B
    coin = {"tax_year": 2024, "date_sold": "2024-06-01", "date_acquired": "2023-01-01", "term": "long"}
    sheet = {"tax_year": 2024, "date_sold": "2024-06-01", "asset": "BTC"}
    assert Night([coin], [], sheets=(sheet,)).drawn()[0][0] == "E"
    assert Night([coin], []).drawn()[0][0] == "F"


# --- properties ------------------------------------------------------------------------------------------------------

CENT = Decimal("0.01")
MONEYS = st.integers(0, 10**8).map(lambda n: str(Decimal(n) / 10**4))
UNITS = st.sampled_from(["0.5", "1", "2", "0.000000000000000001"])
DAYS = st.sampled_from(["2026-06-01", "2026-06-02", "2026-06-03", "2026-12-31"])


@st.composite
def sales(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Disposals of one to three lots; some of them partly disallowed, some of unknown basis."""
    rows: list[dict[str, Any]] = []
    for n in range(draw(st.integers(0, 5))):
        sale = {"disposal_id": f"d{n}", "event_id": f"d{n}", "date_sold": draw(DAYS),
                "asset": draw(st.sampled_from(["BTC", "USDC", "APE-7"])), "disposal_kind": draw(st.sampled_from(["sell", "trade", "fee"]))}  # fmt: skip
        for lot in range(draw(st.integers(1, 3))):
            piece = {**sale, "lot_id": f"l{lot}", "quantity": draw(UNITS), "proceeds": draw(MONEYS), "basis": draw(MONEYS),
                     "term": draw(st.sampled_from(["short", "long"]))}  # fmt: skip
            loss = Decimal(piece["basis"]) - Decimal(piece["proceeds"])
            if loss > 0 and draw(st.booleans()):
                part = draw(st.sampled_from([loss, (loss / 2).quantize(Decimal("0.000001"))]))
                piece |= {"disallowed": str(part), "disallowed_code": draw(st.sampled_from("LW"))}
            elif draw(st.integers(0, 5)) == 0:
                piece |= {"basis": None, "lot_id": None, "term": None, "on_return": False, "basis_status": "unknown"}
            rows.append(piece)
    return rows


@st.composite
def form(draw: st.DrawFn) -> list[dict[str, Any]]:
    cell = st.one_of(st.none(), st.integers(0, 10**6).map(lambda n: str(Decimal(n) / 100)))
    return [
        {
            "box_1b": draw(st.sampled_from(["BTC", "USD Coin", "APES", "Nobody's", None])),
            "box_1c": draw(st.one_of(st.none(), st.sampled_from(["0.5", "1", "2", "3"]))),
            "box_1e": draw(st.one_of(st.none(), DAYS, st.just("2027-01-01"))),
            "tax_year": draw(st.sampled_from([2026, 2026, 2027])),
            "box_1f": draw(cell),
            "box_1g": draw(cell),
            "box_2": draw(st.sampled_from([None, "X", "no"])),
            "box_6": draw(st.sampled_from([None, "Short-term", "Long-term", "Y"])),
            "box_9": draw(st.sampled_from([None, "X"])),
            "box_11a": draw(st.sampled_from([None, None, None, "3"])),
        }
        for _ in range(draw(st.integers(0, 6)))
    ]


@settings(deadline=None, max_examples=60)
@given(sales(), form())
def test_whatever_a_broker_says_the_gain_is_ours(sold: list[dict[str, Any]], told: list[dict[str, Any]]) -> None:
    night = Night(sold, told)
    assert sum(night.table["broker_rows"]) == len(told), "every row is in the comparison, once"
    ours = night.gains.filter("on_return")
    assert (
        night.lines.select("disposal_id", "lot_id").rows().sort() == ours.select("disposal_id", "lot_id").rows().sort()
    )
    for row in night.lines.to_dicts():
        assert row["gain"] == row["proceeds"] - row["basis"] + row["adjustment"]
        assert row["basis"] >= 0
        assert list(row["code"] or "") == sorted(set(row["code"] or ""))
    for disposal, mine in ours.group_by("disposal_id"):
        lines = night.lines.filter(disposal_id=disposal[0])
        exact = sum(mine["gain"]) + sum(mine["disallowed"])
        # proceeds, basis and the disallowed part are rounded once a sale; a line that is nothing may cost a cent
        assert abs(sum(lines["gain"]) - exact) <= CENT * (Decimal("1.5") + lines.filter(gain=0).height)


@settings(deadline=None, max_examples=60)
@given(sales(), form(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(
    sold: list[dict[str, Any]], told: list[dict[str, Any]], chance: random.Random
) -> None:
    night = Night(sold, told)
    chance.shuffle(sold)
    chance.shuffle(told)
    again = Night(sold, told)
    assert again.lines.equals(night.lines)
    assert again.table.equals(night.table)


# --- a slow reference ------------------------------------------------------------------------------------------------


def by_hand(sold: list[dict[str, Any]], told: list[dict[str, Any]]) -> dict[str, tuple[dt.date, bool]]:
    """Disposal to the form's day it stands on and whether its basis is reported, as a preparer goes through two lists.

    For days of one coin, rows of one year with a date and units, nothing reported in part.
    """
    days: dict[dt.date, Decimal] = {}
    for row in told:
        day = dt.date.fromisoformat(row["box_1e"])
        days[day] = days.get(day, Decimal(0)) + Decimal(row["box_1c"])
    ours: dict[dt.date, Decimal] = {}
    for piece in sold:
        day = dt.date.fromisoformat(piece["date_sold"])
        ours[day] = ours.get(day, Decimal(0)) + Decimal(piece["quantity"])
    pairs: dict[dt.date, dt.date] = {}

    def pair(shift: int, exactly: bool) -> None:
        for day in sorted(ours):
            other = day + dt.timedelta(days=shift)
            free = day not in pairs and other in days and other not in pairs.values()
            if free and (not exactly or abs(days[other] - ours[day]) <= reconciliation.UNITS):
                pairs[day] = other

    pair(0, exactly=True)
    pair(1, exactly=True)
    pair(-1, exactly=True)
    pair(0, exactly=False)
    return {
        piece["disposal_id"]: (pairs[day], told[0]["box_2"] == "X")
        for piece in sold
        if (day := dt.date.fromisoformat(piece["date_sold"])) in pairs
    }


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("123456"), st.sampled_from(["1", "2"])), max_size=6),
    st.lists(st.tuples(st.sampled_from("123456"), st.sampled_from(["1", "2", "3"])), min_size=1, max_size=6),
    st.booleans(),
)
def test_rows_find_their_sales_as_by_hand(
    ours: list[tuple[str, str]], theirs: list[tuple[str, str]], reported: bool
) -> None:
    sold = [
        {"disposal_id": f"d{n}", "event_id": f"d{n}", "date_sold": f"2026-06-0{day}", "quantity": units}
        for n, (day, units) in enumerate(ours)
    ]
    told = [{"box_1e": f"2026-06-0{day}", "box_1c": units, "box_2": "X" if reported else "no"} for day, units in theirs]
    night = Night(sold, told)
    found = {
        row["disposal_id"]: (row["date_sold"], row["reported"])
        for row in night.matched.pieces.join(night.matched.groups.select("match", "date_sold"), on="match").to_dicts()
        if row["form"] is not None
    }
    expected = by_hand(sold, told)
    apart = night.table.filter(pl.col("status") == "date_differs", pl.col("broker_rows") == 0)["date_sold"].to_list()
    # days on no row whose units the broker put into a neighbour's stand on its form beside
    beside = {s["disposal_id"] for s in sold if dt.date.fromisoformat(s["date_sold"]) in apart}
    assert {d: told for d, told in found.items() if d not in beside} == expected
    assert beside.isdisjoint(expected)
