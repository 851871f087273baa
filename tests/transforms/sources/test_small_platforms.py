"""Cash App, Swan, Strike, River and PayPal: their clocks, fees and rows that are no coins."""

from __future__ import annotations

import pytest
from golden import DATA, read, read_text, reasons, sides

from transforms.sources.base import Context
from transforms.sources.registry import read_file

CASH_APP = "Transaction ID,Date,Transaction Type,Currency,Amount,Fee,Net Amount,Asset Type,Asset Price,Asset Amount,Status,Notes,Name of sender/receiver,Account"
RIVER = DATA / "river" / "activity.csv"


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2023-12-25 09:53:19 EST", "2023-12-25 14:53:19"), ("2023-07-11 20:26:26 EDT", "2023-07-12 00:26:26"),
        # the wrong label for the season: New York's clock in July is four hours behind
        ("2023-07-11 20:26:26 EST", "2023-07-12 00:26:26"), ("2023-12-11 20:26:26 PDT", "2023-12-12 04:26:26"),
        # the hour that comes twice: the label tells which
        ("2023-11-05 01:30:00 EDT", "2023-11-05 05:30:00"), ("2023-11-05 01:30:00 EST", "2023-11-05 06:30:00"),
        # an hour that the clock skips: by the label's own offset
        ("2023-03-12 02:30:00 EST", "2023-03-12 07:30:00"), ("2023-12-25 09:53:19 UTC", "2023-12-25 09:53:19"),
    ],
)  # fmt: skip
def test_cash_apps_label_names_a_zone(written: str, instant: str) -> None:
    row = f"t,{written},Bitcoin Deposit,USD,$1,$0,$1,BTC,$1,0.1,COMPLETED,,,Your Cash"
    assert str(read_text(f"{CASH_APP}\n\n{row}\n").legs["occurred_at"].item()) == f"{instant}+00:00"


def test_cash_apps_amount_is_before_the_fee() -> None:
    # 5,500.00 less 41.61 are 5,458.39; 871.84 and 8.16 are 880.00
    assert sides(read(DATA / "cash_app" / "activity.csv"))[:6] == [
        (3, "sent", "BTC", "0.12656005"), (3, "received", "USD", "5500"), (3, "fee", "USD", "41.61"),
        (4, "sent", "USD", "871.84"), (4, "received", "BTC", "0.01983945"), (4, "fee", "USD", "8.16"),
    ]  # fmt: skip


def test_cash_apps_withdrawal_is_units_and_their_fee_and_no_sale() -> None:
    reading = read(DATA / "cash_app" / "activity.csv")
    assert [side for side in sides(reading) if side[0] == 6] == [
        (6, "sent", "BTC", "0.001"),
        (6, "fee", "BTC", "0.00002"),
    ]
    assert reasons(reading, "ignored")[9] == "a transaction that did not take place, or not yet"
    assert reasons(reading, "ignored")[10] == "money or shares: no coin moved"
    assert reasons(reading, "rejected")[11].startswith("Net Amount: found another one")


def test_swans_purchase_is_what_was_paid_for_the_units_and_the_fee_beside_it() -> None:
    reading = read(DATA / "swan" / "transfers.csv")
    assert [side for side in sides(reading) if side[0] == 7] == [
        (7, "sent", "USD", "100"), (7, "received", "BTC", "0.0034"), (7, "fee", "USD", "1"),
    ]  # fmt: skip
    assert reasons(reading, "ignored") | {} == {**reasons(reading, "ignored"), 9: "an event that is not settled"}


def test_strikes_rate_tells_whether_the_amount_holds_the_fee() -> None:
    rows = {row: [side for side in sides(read(DATA / "strike" / "newest.csv")) if side[0] == row] for row in (4, 5, 6)}
    # 0.00141429 x 70,000 = 99.00: the fee of 0.99 is inside the 100; 0.00142857 x 70,000 = 100.00: it is on top
    assert rows[4] == [(4, "sent", "USD", "99.01"), (4, "received", "BTC", "0.00141429"), (4, "fee", "USD", "0.99")]
    assert rows[5] == [(5, "sent", "USD", "100"), (5, "received", "BTC", "0.00142857"), (5, "fee", "USD", "0.99")]
    # 0.002 x 70,000 = 140.00, of which 138.60 came in
    assert rows[6] == [(6, "sent", "BTC", "0.002"), (6, "received", "USD", "140"), (6, "fee", "USD", "1.4")]


def test_strikes_loans_are_kept_apart() -> None:
    legs = read(DATA / "strike" / "newest.csv").legs
    assert legs.filter(legs["row_no"].is_in([9, 10]))["kind"].to_list() == ["borrow", "collateral_out"]


def test_strikes_older_layout_has_two_rows_of_one_reference() -> None:
    legs = read(DATA / "strike" / "older.csv").legs
    assert legs.filter(legs["row_no"].is_in([2, 3]))["group_key"].unique().to_list() == ["r1"]
    assert reasons(read(DATA / "strike" / "older.csv"), "ignored")[6].startswith("a transaction without a reference")


def test_rivers_clock_is_the_accounts() -> None:
    assert reasons(read(RIVER), "rejected")[5].endswith("set time_zone of the account in accounts.csv")
    reading = read_file(RIVER.read_bytes(), Context("account", "file", None, "r.csv", "America/Los_Angeles"))
    at = reading.legs.filter(reading.legs["row_no"] == 5)["occurred_at"].item()
    assert str(at) == "2025-03-04 20:00:00+00:00"


def test_paypals_activity_is_money_alone() -> None:
    reading = read(DATA / "paypal" / "activity.csv")
    assert sides(reading) == []
    assert reasons(reading, "rejected")[3].startswith("Currency: found 'BTC'")


def test_paypals_times_carry_their_zone_in_either_spelling() -> None:
    times = read(DATA / "paypal" / "crypto.csv").legs["occurred_at"].unique().sort().cast(str).to_list()
    assert times[:2] == ["2022-10-13 10:00:00.000000+00:00", "2023-01-13 18:00:00.123000+00:00"]
