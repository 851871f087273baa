"""OKX: marks before header names, China's time, fills of two rows, contracts apart."""

from __future__ import annotations

from golden import DATA, read, read_text, reasons, sides

FILLS = (DATA / "okx" / "fills.csv").read_text()


def test_a_mark_before_every_name_and_row_is_no_part_of_them() -> None:
    assert sides(read(DATA / "okx" / "fills.csv"))[:3] == [
        (2, "sent", "USDT", "104.976405810000002816"), (2, "received", "LTC", "2.273693"), (2, "fee", "LTC", "0.0034105395"),
    ]  # fmt: skip


def test_cst_is_chinas_time_and_a_time_without_it_the_accounts() -> None:
    asked = read_text(FILLS)
    assert "set time_zone" in reasons(asked, "rejected")[2]
    # 17:00:01 eight hours east of Greenwich
    assert {str(at) for at in asked.legs["occurred_at"]} == {"2020-09-25 09:00:01+00:00"}
    known = read_text(FILLS, time_zone="America/New_York").legs["occurred_at"]
    assert str(known[0]) == "2020-09-25 21:27:02+00:00"


def test_an_amount_is_gross_of_a_fee_and_holds_a_rebate() -> None:
    moved = sides(read(DATA / "okx" / "trading.csv"))
    # 718.40213 received and 0.57472170 taken of it: the balance grows by 717.82740830
    assert [side[1:] for side in moved if side[0] == 7] == [
        ("received", "USDT", "718.40213"),
        ("fee", "USDT", "0.5747217"),
    ]
    assert [side[1:] for side in moved if side[0] == 9] == [("received", "SOL", "10.01")]


def test_a_contracts_profit_and_funding_are_kept_apart() -> None:
    kinds = dict(read(DATA / "okx" / "trading.csv").legs.select("row_no", "kind").rows())
    assert (kinds[3], kinds[4], kinds[7]) == ("derivative_gain", "funding", None)


def test_the_balances_tell_whether_a_withdrawals_fee_is_inside_its_amount() -> None:
    moved = sides(read(DATA / "okx" / "funding.csv"))
    # beside: 1 - 0.5 - 0.0004 = 0.4996; inside: 0.4996 - 0.1 = 0.3996, of which 0.0002 are the fee
    assert [side[1:] for side in moved if side[0] == 4] == [("sent", "BTC", "0.5"), ("fee", "BTC", "0.0004")]
    assert [side[1:] for side in moved if side[0] == 5] == [("sent", "BTC", "0.0998"), ("fee", "BTC", "0.0002")]
