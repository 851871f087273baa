from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from schemas import gate
from schemas.tax import Form8949, Gains, Income
from tests.transforms.frames import frame
from transforms import forms

PIECE = {
    "taxpayer_id": "t", "return_id": "t", "tax_year": 2025, "account_id": "a", "asset": "BTC", "disposal_id": "d",
    "event_id": "d", "lot_id": "l", "quantity": "0.5", "acquired_at": "2025-01-02T00:00:00", "disposed_at": "2025-03-01T00:00:00",
    "date_acquired": "2025-01-02", "date_sold": "2025-03-01", "proceeds": "100", "basis": "60", "gain": "40", "term": "short",
    "disposal_kind": "sell", "basis_status": "known", "lot_method": "fifo", "origin": "buy", "collectible": False, "on_return": True, "disallowed": "0",
}  # fmt: skip
REPORTED = pl.DataFrame(
    schema={
        "taxpayer_id": pl.String,
        "tax_year": pl.Int64,
        "account_id": pl.String,
        "asset": pl.String,
        "basis_reported": pl.Boolean,
    }
)


def line(piece: dict[str, Any], reported: pl.DataFrame = REPORTED) -> dict[str, Any]:
    return forms.form_8949(frame(Gains, {**PIECE, **piece}), reported).row(0, named=True)


@pytest.mark.parametrize(
    ("year", "term", "basis_reported", "box"),
    [
        (2024, "short", None, "C"), (2024, "long", None, "F"),
        (2025, "short", None, "I"), (2025, "long", None, "L"),
        (2025, "short", False, "H"), (2025, "long", False, "K"),
        (2026, "short", True, "G"), (2026, "long", True, "J"),
    ],
)  # fmt: skip
def test_boxes_of_form_8949(year: int, term: str, basis_reported: bool | None, box: str) -> None:
    # tax rules 3.1; never C or F for digital assets from 2025
    key = {"taxpayer_id": ["t"], "tax_year": [year], "account_id": ["a"], "asset": ["BTC"]}
    reported = REPORTED if basis_reported is None else pl.DataFrame({**key, "basis_reported": [basis_reported]})
    row = line({"tax_year": year, "term": term}, reported)
    assert (row["box"], row["part"]) == (box, "I" if term == "short" else "II")


def test_a_line_is_rounded_to_cents_and_ties_in_itself() -> None:
    row = line({"proceeds": "100.005", "basis": "60.004999", "gain": "40.000001"})
    assert [str(row[c]) for c in ("proceeds", "basis", "gain")] == ["100.01", "60.00", "40.01"]


def test_the_description_gives_the_exact_units() -> None:
    assert line({"quantity": "0.100000000000000001"})["description"] == "0.100000000000000001 BTC"
    assert line({"quantity": "20"})["description"] == "20 BTC"


def test_an_inherited_lot_prints_inherited() -> None:
    assert line({"origin": "inheritance", "term": "long"})["date_acquired"] == "INHERITED"


def test_a_collectible_carries_code_c_and_feeds_the_28_percent_group() -> None:
    form = forms.form_8949(
        frame(Gains, {**PIECE, "collectible": True, "term": "long"}, {**PIECE, "term": "long", "disposal_id": "e"}),
        REPORTED,
    )
    assert forms.nets(form).select(pl.all().cast(pl.String)).rows() == [("t", "2025", "0.00", "80.00", "40.00")]


def test_ira_gifts_and_unknown_basis_stay_off_the_return() -> None:
    pieces = frame(
        Gains,
        {**PIECE, "account_id": "ira"},
        {**PIECE, "disposal_kind": "donation", "proceeds": None, "gain": "0"},
        {**PIECE, "basis": None, "gain": None, "lot_id": None, "basis_status": "unknown", "term": None},
        PIECE,
    )
    facts = pl.DataFrame({"account_id": ["a", "ira"], "taxable": [True, False]})
    members = pl.DataFrame(
        {"return_id": ["joint"], "tax_year": [2025], "taxpayer_id": ["t"]}, schema_overrides={"tax_year": pl.Int64}
    )
    assets = pl.DataFrame({"asset": ["BTC"], "collectible": [False]})
    gains = forms.complete_gains(pieces, facts, members, assets)
    assert gains["on_return"].to_list() == [False, False, False, True]
    assert gains["return_id"].unique().to_list() == ["joint"]
    assert forms.form_8949(gains, REPORTED).height == 1


def test_the_digital_asset_question() -> None:
    # tax rules 8: yes for a disposal or income, no for only holding or buying
    years = pl.DataFrame({"return_id": ["t", "t"], "tax_year": [2025, 2026]}, schema_overrides={"tax_year": pl.Int64})
    own = pl.DataFrame({"account_id": ["a"], "taxable": [True]})
    answer = forms.digital_asset_question(frame(Gains, PIECE), frame(Income), years, own)
    assert answer.select("tax_year", "answer").rows() == [(2025, "yes"), (2026, "no")]
    ira = own.with_columns(taxable=False)
    assert forms.digital_asset_question(frame(Gains, PIECE), frame(Income), years, ira)["answer"].to_list() == [
        "no",
        "no",
    ]
    assert forms.form_8949(frame(Gains), REPORTED).equals(frame(Form8949))


def test_cash_interest_is_no_receipt_of_a_digital_asset():
    years = pl.DataFrame({"return_id": ["t"], "tax_year": [2025]}, schema_overrides={"tax_year": pl.Int64})
    paid = {
        "event_id": "i", "taxpayer_id": "t", "return_id": "t", "tax_year": 2025, "account_id": "a", "income_kind": "interest",
        "quantity": "100", "received_at": "2025-01-02T00:00:00", "date_received": "2025-01-02", "schedule": "x", "in_nii": True,
        "on_return": True, "disallowed": "0",
    }  # fmt: skip
    own = pl.DataFrame({"account_id": ["a"], "taxable": [True]})

    def answer(asset: str) -> str:
        return forms.digital_asset_question(frame(Gains), frame(Income, {**paid, "asset": asset}), years, own)[
            "answer"
        ][0]

    assert (answer("USD"), answer("USDC")) == ("no", "yes")


def test_the_lines_of_one_sale_sum_to_the_sale():
    # 3 ETH for $100.00 out of three lots: 33.333333 + 33.333334 + 33.333333 is 100.00 on the form, never 99.99
    thirds = ["33.333333", "33.333334", "33.333333"]
    pieces = [{**PIECE, "lot_id": str(n), "proceeds": p, "basis": "10.004", "gain": "1"} for n, p in enumerate(thirds)]
    form = forms.form_8949(frame(Gains, *pieces), REPORTED)
    assert gate.check(form, Form8949).rejected.is_empty()
    assert str(form["proceeds"].sum()) == "100.00"
    assert str(form["basis"].sum()) == "30.01"  # 30.012


def test_the_zone_of_no_gain_and_no_loss_stays_without_gain():
    # E2.7: a gift sold between its two bases
    row = line({"proceeds": "80.005", "basis": "80.005", "gain": "0"})
    assert (str(row["gain"]), row["proceeds"]) == ("0.00", row["basis"])


def test_a_wash_sale_comes_back_in_column_g_with_code_w() -> None:
    """E4.1: proceeds 600, cost 1,000, of the loss of 400 not allowed 240 (Instructions Form 8949, codes W and L)."""
    row = line({"proceeds": "600", "basis": "1000", "gain": "-400", "disallowed": "240", "disallowed_code": "W"})
    assert [row[c] for c in ("proceeds", "basis", "code", "adjustment", "gain")] == [600, 1_000, "W", 240, -160]


def test_codes_stand_in_the_order_of_the_alphabet() -> None:
    sold = {
        "proceeds": "600",
        "basis": "1000",
        "gain": "-400",
        "disallowed": "240",
        "collectible": True,
        "term": "long",
    }
    assert line({**sold, "disallowed_code": "W"})["code"] == "CW"
    assert line({**sold, "disallowed_code": "L"})["code"] == "CL"


def test_a_loss_of_which_nothing_is_allowed_leaves_no_cent() -> None:
    """Basis 100.005 and proceeds 60.004 are 100.01 and 60.00 on the form: 40.01 come back, not 40.00."""
    row = line(
        {"proceeds": "60.004", "basis": "100.005", "gain": "-40.001", "disallowed": "40.001", "disallowed_code": "W"}
    )
    assert [str(row[c]) for c in ("proceeds", "basis", "adjustment", "gain")] == ["60.00", "100.01", "40.01", "0.00"]
