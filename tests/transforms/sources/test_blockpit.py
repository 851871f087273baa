"""Blockpit's traps: ids that a spreadsheet rounded, a gift in either direction, a clock nobody names."""

from __future__ import annotations

from golden import DATA, read, read_text, reasons, sides

from transforms.sources.base import ZONE_ASKED

READING = read(DATA / "blockpit" / "transactions.csv")


def test_amounts_are_before_the_fee() -> None:
    # 223.7 MATIC bought, 0.1 % of them the fee; 0.0095 BNB arrived of 0.01
    assert [side for side in sides(READING) if side[0] in (4, 5)] == [
        (4, "sent", "EUR", "168.69217"), (4, "received", "MATIC", "223.7"), (4, "fee", "MATIC", "0.2237"),
        (5, "sent", "BNB", "0.0095"), (5, "fee", "BNB", "0.0005"),
    ]  # fmt: skip


def test_a_gift_goes_the_way_of_its_amount_and_margin_stays_apart() -> None:
    kinds = dict(READING.legs.select("row_no", "kind").rows())
    assert [kinds[row] for row in (2, 8, 9, 10, 11, 7)] == [
        "gift_out", "gift_in", "derivative_gain", "derivative_loss", "deposit", "fee",
    ]  # fmt: skip


def test_the_rounded_ids_are_no_keys() -> None:
    assert not READING.legs["row_key"].str.starts_with("id:").any()


def test_half_a_trade_an_unknown_type_and_a_word_for_a_number_are_asked() -> None:
    found = reasons(READING, "rejected")
    assert [list(found), found[13][:22], found[14][:40]] == [
        [12, 13, 14], "unknown type 'tombola'", "Incoming Amount: found 'seven', expected",
    ]  # fmt: skip


def test_the_clock_is_the_accounts_or_asked() -> None:
    # 01:00 in New York in July
    assert str(READING.legs.filter(row_no=3)["occurred_at"].item()) == "2023-07-08 05:00:00+00:00"
    text = (DATA / "blockpit" / "transactions.csv").read_text()
    assert ZONE_ASKED in reasons(read_text(text), "rejected")[2]
