from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas import gate
from schemas.fields import MONEY
from schemas.ledger import SaleTerms
from schemas.tax import Form8949, Gains, Income
from tests.transforms.frames import frame
from transforms import forms

PIECE = {
    "taxpayer_id": "t", "return_id": "t", "tax_year": 2025, "account_id": "a", "asset": "BTC", "disposal_id": "d",
    "event_id": "d", "lot_id": "l", "quantity": "0.5", "acquired_at": "2025-01-02T00:00:00", "disposed_at": "2025-03-01T00:00:00",
    "date_acquired": "2025-01-02", "date_sold": "2025-03-01", "proceeds": "100", "basis": "60", "gain": "40", "term": "short",
    "disposal_kind": "sell", "basis_status": "known", "lot_method": "fifo", "origin": "buy", "collectible": False, "on_return": True, "disallowed": "0",
}  # fmt: skip
ON_FORM = {
    "disposal_id": pl.String, "lot_id": pl.String, "match": pl.Int64, "form": pl.String, "reported": pl.Boolean,
    "broker_proceeds": MONEY, "broker_basis": MONEY, "code_b": pl.Boolean, "code_e": pl.Boolean, "code_t": pl.Boolean,
}  # fmt: skip
NO_CODES = {"match": 0, "code_b": False, "code_e": False, "code_t": False}
CLASSES = {"BTC": "coin", "IBIT": "trust_share", "bSPY": "tokenized_security"}


def drawn(*pieces: dict[str, Any], on_form: tuple[dict[str, Any], ...] = (), tx_id: str | None = None) -> pl.DataFrame:
    """The lines of pieces (over PIECE), with what a broker's form says of them."""
    given = [{**NO_CODES, "disposal_id": "d", "lot_id": "l", **told} for told in on_form]
    for cell in ("broker_proceeds", "broker_basis"):
        given = [{**told, cell: Decimal(told[cell]) if cell in told else None} for told in given]
    brokers = pl.DataFrame(given, schema=ON_FORM)
    assets = pl.DataFrame({"asset": list(CLASSES), "class": list(CLASSES.values())})
    terms = frame(SaleTerms, {"event_id": "d", "tx_id": tx_id})
    made = [{"disallowed": "0", **PIECE, **piece} for piece in pieces]
    return forms.form_8949(frame(Gains, *made), brokers, terms, assets)


def line(piece: dict[str, Any], tx_id: str | None = None, **told: Any) -> dict[str, Any]:
    """The one line of a piece; `told` is what the broker's form says of it."""
    return drawn(piece, on_form=(told,) if told else (), tx_id=tx_id).row(0, named=True)


@pytest.mark.parametrize(
    ("year", "asset", "form", "reported", "boxes"),
    [
        (2024, "BTC", None, False, "CF"),
        (2024, "BTC", "1099-B", False, "BE"),
        (2024, "BTC", "1099-B", True, "AD"),
        (2025, "BTC", None, False, "IL"),
        (2025, "BTC", "1099-DA", False, "HK"),
        (2026, "BTC", "1099-DA", True, "GJ"),
        (2025, "NOBODY KNOWS IT", None, False, "IL"),
        (2025, "bSPY", None, False, "IL"),
        (2025, "bSPY", "1099-DA", True, "GJ"),
        (2025, "bSPY", "1099-B", False, "BE"),
        (2025, "IBIT", None, False, "CF"),
        (2025, "IBIT", "1099-B", True, "AD"),
    ],
)  # fmt: skip
def test_boxes_of_form_8949(year: int, asset: str, form: str | None, reported: bool, boxes: str) -> None:
    # tax rules 3.1: the table, row by row; never C or F for digital assets from 2025; a trust's shares are none
    told = {"form": form, "reported": reported} if form else {}
    short, long = (line({"tax_year": year, "asset": asset, "term": term}, **told) for term in ("short", "long"))
    assert (short["part"], long["part"]) == ("I", "II")
    assert short["box"] + long["box"] == boxes


def test_a_line_is_rounded_to_cents_and_ties_in_itself() -> None:
    row = line({"proceeds": "100.005", "basis": "60.004999", "gain": "40.000001"})
    assert [str(row[c]) for c in ("proceeds", "basis", "gain")] == ["100.01", "60.00", "40.01"]


def test_the_description_gives_the_exact_units() -> None:
    assert line({"quantity": "0.100000000000000001"})["description"] == "0.100000000000000001 BTC"
    assert line({"quantity": "20"})["description"] == "20 BTC"


def test_an_inherited_lot_prints_inherited() -> None:
    assert line({"origin": "inheritance", "term": "long"})["date_acquired"] == "INHERITED"


def test_a_collectible_carries_code_c_and_feeds_the_28_percent_group() -> None:
    form = drawn({"collectible": True, "term": "long"}, {"term": "long", "disposal_id": "e"})
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
    assert drawn(*gains.with_columns(pl.selectors.temporal().cast(pl.String)).to_dicts()).height == 1


def test_the_digital_asset_question() -> None:
    # tax rules 8: yes for a disposal or income, no for only holding or buying
    years = pl.DataFrame({"return_id": ["t", "t"], "tax_year": [2025, 2026], "form": ["1040", "1040"]})
    own = pl.DataFrame({"account_id": ["a"], "taxable": [True]})
    answer = forms.digital_asset_question(frame(Gains, PIECE), frame(Income), years, own)
    assert answer.select("tax_year", "answer").rows() == [(2025, "yes"), (2026, "no")]
    ira = own.with_columns(taxable=False)
    assert forms.digital_asset_question(frame(Gains, PIECE), frame(Income), years, ira)["answer"].to_list() == [
        "no",
        "no",
    ]
    assert drawn().equals(frame(Form8949))


def test_cash_interest_is_no_receipt_of_a_digital_asset():
    years = pl.DataFrame({"return_id": ["t"], "tax_year": [2025], "form": ["1040"]})
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
    form = drawn(*pieces)
    assert gate.check(form, Form8949).rejected.is_empty()
    assert str(form["proceeds"].sum()) == "100.00"
    assert str(form["basis"].sum()) == "30.01"  # 30.012


def test_the_zone_of_no_gain_and_no_loss_stays_without_gain():
    # E2.7: a gift sold between its two bases
    row = line({"proceeds": "80.005", "basis": "80.005", "gain": "0"})
    assert (str(row["gain"]), row["proceeds"]) == ("0.00", row["basis"])


SOLD = {"gain": "0", "on_return": False}
RECEIVED = {
    "event_id": "i", "taxpayer_id": "t", "return_id": "t", "tax_year": 2025, "account_id": "a", "asset": "SOL",
    "quantity": "1", "received_at": "2025-01-02T00:00:00", "date_received": "2025-01-02", "schedule": "x", "in_nii": True,
    "on_return": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("sold", "received", "answer", "unsettled"),
    [
        # holding, moving between own wallets and buying with real currency leave neither piece nor income
        ([], [], "no", False),
        ([], ["mining"], "yes", False),
        ([], ["staking"], "yes", False),
        ([], ["fork"], "yes", False),
        ([], ["wages"], "yes", False),
        (["trade"], [], "yes", False),
        (["spend"], [], "yes", False),
        (["gift_out"], [], "yes", False),
        (["donation"], [], "yes", False),
        (["sell"], [], "yes", False),
        (["fee"], [], "yes", True),
        (["theft"], [], "yes", True),
        (["loss"], [], "yes", True),
        (["fee", "sell"], [], "yes", False),
        (["fee"], ["reward"], "yes", False),
    ],
)
def test_each_case_of_the_digital_asset_question(
    sold: list[str], received: list[str], answer: str, unsettled: bool
) -> None:
    # tax rules 8 (Instructions Form 1040, 2025); a transfer's fee in a coin: conservatively yes, and said so
    made = [{**PIECE, **SOLD, "disposal_id": str(n), "disposal_kind": kind} for n, kind in enumerate(sold)]
    earned = [{**RECEIVED, "event_id": str(n), "income_kind": kind} for n, kind in enumerate(received)]
    years = pl.DataFrame({"return_id": ["t"], "tax_year": [2025], "form": ["1040"]})
    own = pl.DataFrame({"account_id": ["a"], "taxable": [True]})
    row = forms.digital_asset_question(frame(Gains, *made), frame(Income, *earned), years, own).row(0, named=True)
    assert row["answer"] == answer
    assert ("[unsettled" in row["because"]) == unsettled


def test_the_sale_s_transaction_id_stands_in_the_description() -> None:
    # Instructions Form 8949 (2025), column (a)
    assert line({}, tx_id="0xabc")["description"] == "0.5 BTC (tx 0xabc)"
    assert line({}, tx_id="a\nb" + "x" * 200)["description"] == "0.5 BTC (tx a b" + "x" * 77 + ")"


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
