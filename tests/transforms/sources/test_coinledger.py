"""CoinLedger's traps: a fact of several rows, halves of trades, margin gains that are losses, transfers inside a file."""

from __future__ import annotations

from golden import DATA, events, read, read_text, reasons

READING = read(DATA / "coinledger" / "transactions.csv")


def test_debit_credit_and_fee_of_one_id_are_a_trade() -> None:
    # the fee is TRX, kept from what was bought
    assert ("trade", "10.17704774 USDT", "283.9 TRX", "0.14195 TRX") in events(READING)


def test_half_a_trade_is_asked_not_taken_for_a_withdrawal() -> None:
    assert "one side only" in reasons(READING, "rejected")[5]


def test_a_margin_gain_below_zero_is_a_loss_and_both_stay_apart() -> None:
    assert READING.legs.filter(READING.legs["row_no"].is_in([10, 11])).select("kind", "role").rows() == [
        ("derivative_gain", "received"), ("derivative_loss", "sent"),
    ]  # fmt: skip


def test_a_transfer_of_which_the_file_has_both_ends_moves_nothing() -> None:
    assert [reasons(READING, "ignored")[row] for row in (13, 14)] == ["a move between places of one account"] * 2


def test_one_end_of_a_transfer_is_a_deposit() -> None:
    assert ("deposit", None, "11.31276 USDT", None) in events(READING)


def test_interest_is_income_when_received_and_a_cost_when_paid() -> None:
    assert dict(READING.legs.filter(READING.legs["row_no"].is_in([19, 20])).select("row_no", "kind").rows()) == {
        19: "interest", 20: "margin_interest",
    }  # fmt: skip


def test_a_sign_against_the_type_and_an_unknown_type_are_asked() -> None:
    found = reasons(READING, "rejected")
    assert "a sign that the type" in found[18]
    assert "unknown type 'Lottery'" in found[21]


def test_a_trade_for_zero_is_half_a_trade_and_a_fee_of_zero_none() -> None:
    header = (DATA / "coinledger" / "transactions.csv").read_text().splitlines()[0]
    leg = "2025-03-06T00:00:00.000,Trade,1,Pionex,Pionex,,,{},{},{},"
    whole = [
        leg.format("Debit", "USDT", "-10"),
        leg.format("Credit", "TRX", "5"),
        leg.format("Platform Fee", "TRX", "0"),
    ]
    assert events(read_text("\n".join([header, *whole]))) == [("trade", "10 USDT", "5 TRX", None)]
    half = read_text("\n".join([header, leg.format("Debit", "USDT", "-10"), leg.format("Credit", "TRX", "0")]))
    assert list(reasons(half, "rejected")) == [2, 3]
