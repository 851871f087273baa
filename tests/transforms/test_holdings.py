"""What the open lots are worth tonight and which may not be sold."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from schemas import gate
from schemas.harvest import Holdings
from schemas.ledger import Prices
from schemas.tax import OpenLots
from tests.transforms.frames import frame
from tests.transforms.harvest_cases import facts
from transforms.holdings import holdings, latest_prices

AS_OF = dt.date(2025, 12, 15)
LOT = {
    "taxpayer_id": "t", "account_id": "a", "location": "account", "asset": "BTC", "lot_id": "l", "quantity": 2,
    "basis": 30_000, "loss_basis": 30_000, "acquired_at": "2025-03-01T12:00:00", "date_acquired": "2025-03-01",
    "long_term_from": "2026-03-02", "loss_long_term_from": "2026-03-02", "origin": "buy", "basis_status": "known",
}  # fmt: skip
ACCOUNTS = {"a": "taxable", "ira": "ira", "hsa": "hsa", "out": "excluded"}
NOBODY = pl.DataFrame(schema={"taxpayer_id": pl.String, "asset": pl.String})


def tonight(
    *lots: dict[str, object],
    price: object = 10_000,
    priced_at: str = "2025-12-15T00:00:00",
    entity: str = "individual",
    classes: pl.DataFrame | None = None,
    kept_apart: pl.DataFrame = NOBODY,
) -> pl.DataFrame:
    prices = frame(Prices, {"asset": "BTC", "priced_at": priced_at, "usd": price, "source": "file"})
    found = holdings(
        frame(OpenLots, *(LOT | lot for lot in lots)),
        prices,
        pl.DataFrame({"return_id": ["joint"], "tax_year": [2025], "taxpayer_id": ["t"], "role": ["primary"]}),
        pl.DataFrame({"account_id": list(ACCOUNTS), "treatment": list(ACCOUNTS.values())}),
        pl.DataFrame({"taxpayer_id": ["t"], "entity": [entity]}),
        AS_OF,
        3,
        facts() if classes is None else classes,
        kept_apart,
    )
    assert gate.check(found, Holdings).rejected.is_empty()
    return found


def only(found: pl.DataFrame) -> dict[str, object]:
    return found.row(0, named=True)


def test_a_lot_at_tonights_price():
    """Two coins bought for 30,000, 10,000 each tonight: 20,000, a loss of 10,000, short-term until 2026-03-02."""
    row = only(tonight({}))
    assert (row["value"], row["unrealized_gain"], row["term"]) == (20_000, -10_000, "short")
    assert row["return_id"] == "joint"
    assert row["why_not"] is None


def test_long_term_from_its_first_day():
    """Held more than a year (IRC 1222): on the first long-term day itself the sale is long-term."""
    first_day = {"long_term_from": "2025-12-15", "loss_long_term_from": "2025-12-15"}
    next_day = {"long_term_from": "2025-12-16", "loss_long_term_from": "2025-12-16"}
    assert only(tonight(first_day))["term"] == "long"
    assert only(tonight(next_day))["term"] == "short"


@pytest.mark.parametrize(
    ("price", "gain", "term"),
    [
        (6_000, 2_000, "long"),  # 12,000: gain over the donor's 10,000, the donor's period tacks (IRC 1223(2))
        (2_500, -1_000, "short"),  # 5,000: loss under the 6,000 it was worth when given; period from the gift
        (4_000, 0, "long"),  # 8,000: between the two, neither gain nor loss
    ],
)
def test_gift_worth_less_than_the_donors_basis(price, gain, term):
    """IRC 1015(a): donor's basis 10,000, worth 6,000 when given."""
    gift = {"basis": 10_000, "loss_basis": 6_000, "long_term_from": "2024-01-01", "loss_long_term_from": "2026-03-02"}
    row = only(tonight(gift, price=price))
    assert (row["unrealized_gain"], row["term"]) == (gain, term)


@pytest.mark.parametrize(
    ("lot", "why_not"),
    [
        ({"account_id": "ira"}, "account_ira"),
        ({"account_id": "hsa"}, "account_hsa"),
        ({"account_id": "out"}, "account_excluded"),
        ({"location": "transit"}, "location_transit"),
        ({"location": "outside"}, "location_outside"),
        ({"basis_status": "unknown", "basis": None, "loss_basis": None}, "basis_unknown"),
        ({"basis_status": "unallocated"}, "basis_unallocated"),
        ({"asset": "DOGE"}, "price_missing"),
        ({"basis": 2 * 10**9}, "value_out_of_range"),
    ],
)
def test_lots_that_may_not_be_sold(lot, why_not):
    assert only(tonight(lot))["why_not"] == why_not


def test_entities_pledged_coins_and_securities_are_not_up_for_sale():
    assert only(tonight({}, entity="partnership"))["why_not"] == "entity"
    pledged = pl.DataFrame({"taxpayer_id": ["t"], "asset": ["BTC"]})
    assert only(tonight({}, kept_apart=pledged))["why_not"] == "kept_apart"
    # the wash sale rule reaches tokenized securities today (IRC 1091)
    share = facts(("BTC", "tokenized_security", False, False))
    assert only(tonight({}, classes=share))["why_not"] == "security_wash_sale"


def test_price_must_be_fresh_and_not_of_the_future():
    assert only(tonight({}, priced_at="2025-12-12T00:00:00"))["why_not"] is None
    assert only(tonight({}, priced_at="2025-12-11T23:00:00"))["why_not"] == "price_stale"
    assert only(tonight({}, priced_at="2025-12-15T23:59:00"))["why_not"] is None
    assert only(tonight({}, priced_at="2025-12-16T00:00:00"))["why_not"] == "price_missing"


def test_the_last_price_counts_whatever_the_order_of_the_rows():
    rows = [("2025-12-14T00:00:00", 2), ("2025-12-15T00:00:00", 3), ("2025-12-13T00:00:00", 1)]
    prices = frame(Prices, *({"asset": "BTC", "priced_at": at, "usd": usd, "source": "file"} for at, usd in rows))
    assert latest_prices(prices, AS_OF)["price"].to_list() == [3]


def test_spam_token_with_a_made_up_price_does_not_stop_the_night():
    spam = {"quantity": Decimal("999999999999999.5"), "basis": 1, "loss_basis": 1}
    row = only(tonight(spam, price=Decimal("999999999999999.5")))
    assert (row["value"], row["why_not"]) == (None, "value_out_of_range")


def test_value_is_rounded_half_up_to_the_micro_dollar():
    row = only(tonight({"quantity": Decimal("0.5")}, price=Decimal("0.000001")))
    assert row["value"] == Decimal("0.000001")


def test_taxpayer_without_a_row_files_alone():
    assert only(tonight({"taxpayer_id": "single"}))["return_id"] == "single"
