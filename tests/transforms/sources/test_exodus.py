"""Exodus's traps: negative amounts, swaps of two rows, tickers with their network, staking, dates of old."""

from __future__ import annotations

from golden import DATA, events, read, reasons, sides

HISTORY = read(DATA / "exodus" / "transactions.csv")


def test_two_rows_of_one_order_are_a_trade() -> None:
    assert ("trade", "0.01 BTC", "0.3 ETH", "0.00001 BTC") in events(HISTORY)


def test_an_exchange_row_has_both_sides_and_the_network_is_no_part_of_the_ticker() -> None:
    assert ("trade", "10 BNB", "2900 USDT", "0.001 BNB") in events(HISTORY)
    assert HISTORY.legs.filter(row_no=6)["raw_asset"].to_list() == ["BNBBSC", "USDTTRX", "BNBBSC"]


def test_a_move_between_portfolios_leaves_only_its_fee() -> None:
    assert events(HISTORY)[-1] == ("fee", None, None, "0.001 ETH")


def test_a_staking_row_and_a_failed_one_cost_their_fee() -> None:
    assert [side for side in sides(HISTORY) if side[0] in (7, 8)] == [
        (7, "fee", "SOL", "0.0001"),
        (8, "fee", "ETH", "0.002"),
    ]


def test_coins_back_from_staking_are_asked_for_the_file_does_not_part_them_from_the_reward() -> None:
    assert "how much of it is reward" in reasons(HISTORY, "rejected")[9]


def test_dust_in_exponents_is_exact() -> None:
    assert (10, "received", "SOL", "0.000000001") in sides(HISTORY)


def test_an_unknown_type_and_a_positive_outgoing_amount_are_asked() -> None:
    found = reasons(HISTORY, "rejected")
    assert "unknown type 'airdrop'" in found[11]
    assert "expected it to be negative" in found[12]


def test_the_oldest_dates_carry_their_offset() -> None:
    # 10:30 at GMT-0500
    legs = read(DATA / "exodus" / "oldest.csv").legs
    assert [str(at) for at in legs["occurred_at"]][:2] == ["2017-11-21 15:30:00+00:00", "2017-11-22 15:30:00+00:00"]
