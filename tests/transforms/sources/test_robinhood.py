"""Robinhood: filled orders only, the sender's fee, and the coins among a consolidated Form 1099."""

from __future__ import annotations

from golden import DATA, read, reasons, sides

from transforms.sources.base import Context
from transforms.sources.registry import ONLY_CHECKS, read_file

TRADES, TRANSFERS, FORM = (DATA / "robinhood" / f"{name}.csv" for name in ("trades", "transfers", "form_1099"))


def test_a_filled_order_is_its_quantity_against_its_notional() -> None:
    assert sides(read(TRADES)) == [
        (2, "sent", "USD", "400"), (2, "received", "DOGE", "1000"), (3, "sent", "DOGE", "500"), (3, "received", "USD", "300"),
    ]  # fmt: skip


def test_an_order_that_was_cancelled_after_a_part_was_filled_is_asked() -> None:
    reading = read(TRADES)
    assert reasons(reading, "ignored")[4] == "an order that was not filled"
    assert "was filled in part" in reasons(reading, "rejected")[5]


def test_a_time_without_a_zone_is_on_the_accounts_clock() -> None:
    reading = read_file(TRADES.read_bytes(), Context("account", "file", None, "t.csv", "America/New_York"))
    last = reading.legs.filter(reading.legs["row_no"] == 6)["occurred_at"].unique().item()
    assert str(last) == "2021-05-07 18:05:01+00:00"


def test_only_a_withdrawal_bears_the_networks_fee() -> None:
    assert sides(read(TRANSFERS)) == [
        (2, "received", "ETH", "0.5"), (3, "sent", "DOGE", "100"), (3, "fee", "DOGE", "1.5"),
    ]  # fmt: skip


def test_of_a_form_1099_the_coins_are_compared_and_the_rest_is_named() -> None:
    reading = read(FORM)
    assert "robinhood_1099" in ONLY_CHECKS
    assert sides(reading) == [
        (5, "sent", "BTC", "0.01"), (5, "received", "USD", "600"), (6, "sent", "ETH", "0.5"), (6, "received", "USD", "1300"),
    ]  # fmt: skip
    assert reading.legs["usd_value"].cast(str).to_list() == ["300.000000", "600.000000", None, "1300.000000"]
    ignored, rejected = reasons(reading, "ignored"), reasons(reading, "rejected")
    assert ignored[4] == "taken for a security: no coin that Robinhood is known to sell"
    assert ignored[9] == "another section of the form: no sale of coins"
    assert rejected[11] == "Form 1099-DA: enter its rows in forms_1099da.csv of the firm's folder"
