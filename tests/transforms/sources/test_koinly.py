"""Koinly's traps: labels whose meaning hangs on the direction, transfers of one row, its own export, UTC."""

from __future__ import annotations

from golden import DATA, read, read_text, reasons, sides

UNIVERSAL, EXPORT = (read(DATA / "koinly" / f"{name}.csv") for name in ("universal", "export"))


def kind_of(row: int) -> list[str | None]:
    return UNIVERSAL.legs.filter(row_no=row)["kind"].to_list()


def test_a_label_counts_by_the_direction_of_its_row() -> None:
    assert [kind_of(row) for row in (9, 10, 11, 12)] == [
        ["gift_out"],
        ["gift_in"],
        ["derivative_gain"],
        ["derivative_loss"],
    ]


def test_a_row_of_one_coin_on_both_sides_is_a_transfer_inside_the_account() -> None:
    # 1.001 left, 1 arrived: 0.001 was lost on the way
    assert [side for side in sides(UNIVERSAL) if side[0] in (7, 8)] == [
        (7, "fee", "ETH", "0.001"),
        (8, "fee", "ETH", "0.002"),
    ]


def test_more_cannot_arrive_than_left() -> None:
    assert "do not fit together" in reasons(UNIVERSAL, "rejected")[16]


def test_a_swap_without_tax_and_an_unknown_label_are_asked() -> None:
    found = reasons(UNIVERSAL, "rejected")
    assert "enter it in the universal format" in found[13]
    assert "unknown type 'out: moonshot'" in found[15]


def test_times_are_utc_with_and_without_the_word() -> None:
    at = UNIVERSAL.legs.filter(row_no=3)["occurred_at"].to_list()
    assert {str(instant) for instant in at} == {"2022-01-07 16:20:02+00:00"}


def test_a_net_worth_counts_where_it_is_in_dollars() -> None:
    values = {row: UNIVERSAL.legs.filter(row_no=row)["usd_value"].to_list() for row in (2, 9)}
    assert {row: [None if v is None else str(v) for v in found] for row, found in values.items()} == {
        2: ["12.300000"],
        9: [None],
    }


def test_the_export_names_its_wallets_and_a_deleted_row_does_not_count() -> None:
    assert EXPORT.legs.select("row_no", "platform").unique().sort("row_no").rows() == [
        (2, "metamask and Crypto.com"), (3, "Binance"), (4, "Kraken"),
    ]  # fmt: skip
    assert sides(EXPORT)[1:3] == [(3, "sent", "USDC", "100"), (3, "received", "ETH", "0.05")]
    assert "deleted by the user" in reasons(EXPORT, "ignored")[5]


def test_a_fee_stated_beside_two_unequal_sides_that_hold_it_is_counted_once() -> None:
    header = (DATA / "koinly" / "universal.csv").read_text().splitlines()[0]
    reading = read_text(f"{header}\n2022-08-24 14:33:00,1.001,ETH,1,ETH,0.001,ETH,,,,,k\n")
    assert sides(reading) == [(2, "fee", "ETH", "0.001")]


def test_a_row_of_zeros_moved_nothing() -> None:
    header = (DATA / "koinly" / "universal.csv").read_text().splitlines()[0]
    reading = read_text(f"{header}\n2022-08-24 14:33:00,,,0.00000000,ETH,0E-8,ETH,,,reward,,k\n")
    assert reasons(reading, "ignored")[2] == "no value moved"
