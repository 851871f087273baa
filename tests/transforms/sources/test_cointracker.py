"""CoinTracker's traps: month first, a clock nobody names, tags by direction, the cut end of an export."""

from __future__ import annotations

from golden import DATA, read, read_text, reasons, sides

from transforms.sources.base import ZONE_ASKED

IMPORT, EXPORT = (read(DATA / "cointracker" / f"{name}.csv") for name in ("import", "export"))


def test_dates_are_month_first_on_the_accounts_clock() -> None:
    # 9:00 in New York: 14:00 UTC in winter, 13:00 in summer
    at = dict(IMPORT.legs.select("row_no", "occurred_at").rows())
    assert [str(at[row])[:16] for row in (3, 4)] == ["2024-02-01 14:00", "2024-07-02 13:00"]


def test_a_tag_counts_by_the_direction_of_its_row() -> None:
    kinds = dict(IMPORT.legs.select("row_no", "kind").rows())
    assert [kinds[row] for row in (5, 6, 7, 8)] == ["staking", "gift_out", "gift_in", "loss"]
    assert "unknown type 'in: jackpot'" in reasons(IMPORT, "rejected")[10]


def test_a_row_of_several_sides_is_a_trade_with_its_fee() -> None:
    assert sides(IMPORT)[:3] == [(2, "sent", "USD", "42000"), (2, "received", "BTC", "1"), (2, "fee", "USD", "10")]


def test_a_transfer_of_the_export_leaves_its_fee_and_the_cut_end_is_no_row() -> None:
    assert [side for side in sides(EXPORT) if side[0] == 3] == [(3, "fee", "BTC", "0.0001")]
    assert reasons(EXPORT, "ignored")[6] == "the end of a shortened export"
    assert EXPORT.legs.filter(row_no=3)["platform"].to_list() == ["Coinbase and Ledger"]


def test_the_clock_is_asked() -> None:
    text = (DATA / "cointracker" / "import.csv").read_text()
    assert ZONE_ASKED in reasons(read_text(text), "rejected")[2]
