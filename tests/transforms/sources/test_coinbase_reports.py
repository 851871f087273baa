"""Coinbase's old wallet reports and its report of gains and losses."""

from __future__ import annotations

import polars as pl
from golden import DATA, plain, read, reasons, sides

from transforms.balances import balance_breaks
from transforms.sources.base import Context
from transforms.sources.registry import CHECKS, ONLY_CHECKS, Reading, read_file

WALLET = DATA / "coinbase" / "wallet.csv"


def on_clock(zone: str) -> Reading:
    return read_file(WALLET.read_bytes(), Context("account", "file", None, WALLET.name, zone))


def test_a_transfer_total_holds_the_fee() -> None:
    # paid 112.35 with a fee of 1.12 inside; got 59.40 after a fee of 0.60
    assert sides(read(WALLET))[:6] == [
        (6, "sent", "USD", "111.23"), (6, "received", "BTC", "1"), (6, "fee", "USD", "1.12"),
        (7, "sent", "BTC", "0.5"), (7, "received", "USD", "60"), (7, "fee", "USD", "0.6"),
    ]  # fmt: skip


def test_a_fee_in_a_row_of_its_own_is_a_fee() -> None:
    assert [side for side in sides(read(WALLET)) if side[0] == 10] == [(10, "fee", "USD", "0.15")]


def test_a_time_without_an_offset_is_on_the_accounts_clock() -> None:
    assert reasons(read(WALLET), "rejected")[12].endswith("set time_zone of the account in accounts.csv")
    late = on_clock("America/New_York").legs.filter(pl.col("row_no") == 12)
    assert str(late["occurred_at"].item()) == "2013-05-12 05:12:00+00:00"  # 1:12 of summer time is 5:12 UTC


def test_the_wallets_balance_is_that_of_its_coin() -> None:
    legs = read(WALLET).legs.filter(pl.col("balance").is_not_null()).select("row_no", "asset", plain("balance"))
    assert legs.rows() == [(6, "BTC", "1"), (7, "BTC", "0.5"), (8, "BTC", "0.4"), (9, "BTC", "0.6")]
    # row 11, which was exchanged at once, is rejected; the balance after it shows that 0.3 are missing
    assert balance_breaks(on_clock("America/New_York").legs).select("raw_asset", "row_no").rows() == [("BTC", 12)]


def test_which_report_states_whose_facts_again() -> None:
    assert (CHECKS["coinbase_wallet"], CHECKS["coinbase_transfers"]) == ("coinbase", "coinbase_wallet")
    assert "coinbase_gain_loss" in ONLY_CHECKS


def test_a_row_of_gains_states_units_basis_and_proceeds() -> None:
    legs = read(DATA / "coinbase" / "gain_loss.csv").legs.filter(pl.col("row_no") == 8)
    assert legs.select("role", "asset", plain("quantity"), plain("usd_value"), "note").rows() == [
        ("sent", "ETH", "1", "2000", "2024-03-01"), ("received", "USD", "2400", "2400", "2024-03-01"),
    ]  # fmt: skip


def test_a_gain_that_does_not_follow_is_rejected() -> None:
    assert reasons(read(DATA / "coinbase" / "gain_loss.csv"), "rejected") == {
        10: "found a gain that is not the proceeds less the basis"
    }
