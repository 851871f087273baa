from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import QUANTITY
from schemas.inputs import Accounts, Allocations2025, Overrides
from schemas.ledger import Events, Transfers
from tests.transforms.frames import frame
from tests.transforms.test_movements import event, move, plain
from tests.transforms.test_transfers import DEFAULTS, into, match, out
from transforms import ledger, lots, transfers
from transforms.movements import wallets


def forced(*pairs: tuple[str, str]) -> pl.DataFrame:
    rows = [*pairs, *((b, a) for a, b in pairs)]
    return pl.DataFrame(rows, schema={"out_event_id": pl.String, "in_event_id": pl.String}, orient="row")


def parts(found: transfers.Matched) -> list[tuple[str, ...]]:
    """(out, in, quantity, fee) of each part."""
    rows = found.transfers.sort("out_event_id", "in_event_id")
    return [
        (o, i, plain(q), plain(f))
        for o, i, q, f in rows.select("out_event_id", "in_event_id", "quantity", "fee_quantity").iter_rows()
    ]


# --- one withdrawal, several deposits ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrived", "fees", "score"),
    [
        (("6", "4"), ("0", "0"), 97),
        (("9.95", "0.05"), ("0", "0"), 97),  # 9.95 alone would pass as 10 less a fee: it is not the whole of it
        (("5", "4.95"), ("0.05", "0"), 93),  # what did not arrive stands with the first part
    ],
)
def test_one_withdrawal_of_one_hash_arrives_as_several_deposits(arrived: tuple, fees: tuple, score: int) -> None:
    one, other = arrived
    found = match(
        out("o", "10", tx_id="aa"), into("i1", one, tx_id="aa"), into("i2", other, tx_id="aa", account="trezor")
    )
    assert parts(found) == [("o", "i1", one, fees[0]), ("o", "i2", other, fees[1])]
    assert found.transfers["score"].to_list() == [score, score]
    assert found.transfers["move_id"].n_unique() == 1
    assert found.ambiguous.is_empty()


def test_two_withdrawals_and_two_deposits_of_one_hash_are_no_batch_and_no_deposit_is_taken_twice() -> None:
    """1 + 1 left and 1 + 2 arrived: which is which is not told, and no more arrives in a deposit than it states."""
    found = match(
        out("o1", "1", tx_id="aa"), out("o2", "1", tx_id="aa"),
        into("i1", "1", tx_id="aa"), into("i2", "2", tx_id="aa"),
    )  # fmt: skip
    came = found.transfers.group_by("in_event_id").agg(pl.col("quantity").sum()).rows()
    assert came in ([], [("i1", Decimal(1))])


def test_the_reason_says_what_a_move_rests_on() -> None:
    batch = match(
        out("o", "10", tx_id="aa"), into("i1", "6", tx_id="aa"), into("i2", "4", tx_id="aa", account="trezor")
    )
    assert set(batch.transfers["reason"]) == {
        "one transaction hash; part of one withdrawal that arrived as 2 deposits; the amounts add up; 30 minutes apart"
    }
    single = match(out("o", "1", fee_asset="BTC", fee_quantity="0.01"), into("i", "0.99"))
    assert single.transfers["reason"].to_list() == [
        "amount and time, no common hash; 0.01 less arrived, the fee that is stated; 30 minutes apart"
    ]
    inside = match(out("o", "1", tx_id="a"), into("i", "0.999", "2025-03-01T13:00:00", tx_id="a"))
    assert inside.transfers["reason"].to_list() == [
        "one transaction hash; 0.001 less arrived, taken as a fee inside the amount; 3 hours apart"
    ]


def test_several_deposits_that_fall_short_are_no_batch_and_name_each_other() -> None:
    found = match(
        out("o", "10", tx_id="aa"), into("i1", "6", tx_id="aa"), into("i2", "3", tx_id="aa", account="trezor")
    )
    assert found.transfers.is_empty()
    assert found.ambiguous.rows() == [("i1", "BTC", 1, "o"), ("i2", "BTC", 1, "o"), ("o", "BTC", 2, "i1, i2")]


def test_a_pair_by_the_stated_fee_and_a_batch_that_both_fit_stay_open() -> None:
    # 9.95 is 10 less the stated 0.05; but 0.05 arrived as well
    found = match(
        out("o", "10", tx_id="aa", fee_asset="BTC", fee_quantity="0.05"),
        into("i1", "9.95", tx_id="aa"), into("i2", "0.05", tx_id="aa", account="trezor"),
    )  # fmt: skip
    assert found.transfers.is_empty()
    assert set(found.ambiguous["event_id"]) == {"o", "i1", "i2"}


def test_deposits_of_one_hash_meet_a_withdrawal_without_hash_by_their_exact_sum() -> None:
    ends = into("i1", "6", tx_id="aa"), into("i2", "4", tx_id="aa", account="trezor")
    found = match(out("o", "10"), *ends)
    assert parts(found) == [("o", "i1", "6", "0"), ("o", "i2", "4", "0")]
    assert found.transfers["score"].to_list() == [85, 85]
    assert match(out("o", "10.001"), *ends).transfers.is_empty()  # a near sum is no proof
    assert match(out("o", "10", "2025-02-20T10:00:00"), *ends).transfers.is_empty()


def test_a_batch_by_sum_with_a_rival_stays_open() -> None:
    ends = into("i1", "6", tx_id="aa"), into("i2", "4", tx_id="aa", account="trezor")
    for rival in (out("o2", "10"), into("j", "10", account="trezor")):
        found = match(out("o", "10"), *ends, rival)
        assert found.transfers.is_empty()
        assert {"o", "i1", "i2"} <= set(found.ambiguous["event_id"])


# --- several withdrawals, one deposit ------------------------------------------------------------------------------


def test_several_withdrawals_arrive_as_one_deposit() -> None:
    found = match(
        out("o1", "6", tx_id="aa"), out("o2", "4", tx_id="aa", account="trezor"), into("i", "9.99", tx_id="aa")
    )
    assert parts(found) == [("o1", "i", "5.99", "0.01"), ("o2", "i", "4", "0")]  # the larger one bears what is missing
    assert found.transfers["score"].to_list() == [93, 93]


def test_each_withdrawal_bears_its_own_stated_fee() -> None:
    fee = {"tx_id": "aa", "fee_asset": "BTC"}
    found = match(
        out("o1", "6", fee_quantity="0.01", **fee),
        out("o2", "4", fee_quantity="0.03", **fee),
        into("i", "9.96", tx_id="aa"),
    )
    assert parts(found) == [("o1", "i", "5.99", "0.01"), ("o2", "i", "3.97", "0.03")]
    assert found.transfers["score"].to_list() == [97, 97]


def test_withdrawals_of_one_hash_meet_a_deposit_without_hash() -> None:
    found = match(out("o1", "6", tx_id="aa"), out("o2", "4", tx_id="aa"), into("i", "10"))
    assert parts(found) == [("o1", "i", "6", "0"), ("o2", "i", "4", "0")]


def test_a_stranger_of_the_hash_does_not_break_an_exact_pair() -> None:
    found = match(out("o", "10", tx_id="aa"), into("i", "10", tx_id="aa"), into("j", "3", tx_id="aa", account="trezor"))
    assert parts(found) == [("o", "i", "10", "0")]


def test_several_to_several_of_one_hash_stay_open() -> None:
    found = match(
        out("o1", "6", tx_id="aa"), out("o2", "5", tx_id="aa"),
        into("i1", "8", tx_id="aa"), into("i2", "3", tx_id="aa", account="trezor"),
    )  # fmt: skip
    assert found.transfers.is_empty()


def test_a_batch_of_which_a_part_enters_an_ira_moves_nothing() -> None:
    found = match(
        out("o", "10", tx_id="aa"), into("i1", "6", tx_id="aa"), into("i2", "4", tx_id="aa", account="ira"), ira="ira"
    )
    assert found.transfers.is_empty()
    assert set(found.crossing["event_id"]) == {"o", "i1", "i2"}


# --- staff's word --------------------------------------------------------------------------------------------------


def test_staff_tie_several_to_several_and_units_are_laid_over_in_order_of_time() -> None:
    # 8 left, 7.9 arrived: the larger withdrawal bears 0.1, its 4.9 fill the first deposit and 0.9 of the second
    found = match(
        out("o1", "5", "2025-03-01T10:00:00"), out("o2", "3", "2025-03-01T11:00:00"),
        into("i1", "4", "2025-03-07T10:00:00"), into("i2", "3.9", "2025-03-08T10:00:00", account="trezor"),
        forced=forced(("o1", "i1"), ("o2", "i2"), ("o1", "i2")),
    )  # fmt: skip
    assert parts(found) == [("o1", "i1", "4", "0.1"), ("o1", "i2", "0.9", "0"), ("o2", "i2", "3", "0")]
    assert set(found.transfers["matched_by"]) == {"override"}


def test_staff_s_word_wins_over_a_hash() -> None:
    found = match(
        out("o", "10", tx_id="aa"), into("i", "10", tx_id="aa"),
        into("j1", "6"), into("j2", "4", account="trezor"), forced=forced(("j1", "o"), ("j2", "o")),
    )  # fmt: skip
    assert parts(found) == [("o", "j1", "6", "0"), ("o", "j2", "4", "0")]


@pytest.mark.parametrize(
    "ends",
    [
        (into("i1", "6"), into("i2", "5", account="trezor")),  # more arrives than left
        (into("i1", "6"), into("i2", "4", account="trezor", taxpayer_id="other")),
        (into("i1", "6"), into("i2", "4", account="exchange")),
    ],
)
def test_staff_cannot_tie_what_is_no_move(ends: tuple[dict, dict]) -> None:
    assert match(out("o", "10"), *ends, forced=forced(("o", "i1"), ("o", "i2"))).transfers.is_empty()


def test_the_latest_word_on_an_event_counts_and_may_name_several() -> None:
    rows = [
        {"event_id": "o", "value": "i9", "at": "2025-01-01T00:00:00"},
        {"event_id": "o", "value": "i1  i2", "at": "2025-01-02T00:00:00"},
        {"event_id": "p", "value": "i3", "at": "2025-01-01T00:00:00"},
        {"event_id": "p", "value": "none", "at": "2025-01-03T00:00:00"},
    ]
    said, single = transfers.told(frame(Overrides, *rows, field="transfer", by="eve"))
    assert said.rows() == [("o", "i1"), ("o", "i2")]
    assert single.rows() == [("p",)]


def test_an_override_of_which_one_of_several_others_is_gone_is_refused() -> None:
    events = frame(Events, out("o", "10"), into("i1", "6"), **DEFAULTS)
    rows = [{"event_id": "o", "value": "i1 i2"}, {"event_id": "gone", "value": "i1"}, {"event_id": "i1", "value": "o"}]
    told = frame(Overrides, *rows, field="transfer", by="eve", at="2025-04-01T00:00:00")
    _, refused = ledger.apply_overrides(events, told)
    assert sorted(refused.select("event_id", "why").rows()) == [
        ("gone", "its event is gone"), ("o", "the other event is gone"),
    ]  # fmt: skip


# --- lots ----------------------------------------------------------------------------------------------------------

ACCOUNTS = frame(Accounts, *({"account_id": name, "taxpayer_id": "jane", "wallet": ""} for name in "abc"))
BOUGHT = (
    event("b1", "buy", "2025-01-10", sent="40 USD", received="4 A", value=40),
    event("b2", "buy", "2025-02-10", sent="120 USD", received="6 A", value=120),
)


def booked(*events: dict[str, Any], links: list[dict[str, Any]]) -> lots.LotBook:
    moved = move(*BOUGHT, *events, transfers=[{"move_id": "m"} | link for link in links], accounts=ACCOUNTS)
    own = wallets(ACCOUNTS)
    return lots.run(
        moved.movements, lots.no_opening(), set(), frame(Allocations2025), own, (2009, 2026), picks=moved.picks
    )


def held(book: lots.LotBook) -> list[tuple[str, str, str]]:
    """(account, quantity, basis) at the end of 2025."""
    rows = book.closing_lots.filter(pl.col("tax_year") == 2025).sort("account_id", "acquired_at")
    return [(a, plain(q), plain(b)) for a, q, b in rows.select("account_id", "quantity", "basis").iter_rows()]


def test_lots_go_with_the_parts_of_a_withdrawal_in_the_order_in_which_they_arrive() -> None:
    # 10 A leave: 6 arrive first and take the 4 of January (40) and 2 of February (40); 3.9 take 78; 0.1 is the fee,
    # worth 1.50 of the 150, at a basis of 2 (E2.8: a disposal of it)
    book = booked(
        event("o", "withdrawal", "2025-03-01", sent="10 A", value=150),
        event("i2", "deposit", "2025-03-01T18:00:00", received="6 A", account_id="c"),
        event("i1", "deposit", "2025-03-02", received="3.9 A", account_id="b"),
        links=[
            {"transfer_id": "t1", "out_event_id": "o", "in_event_id": "i1", "quantity": "3.9"},
            {"transfer_id": "t2", "out_event_id": "o", "in_event_id": "i2", "quantity": "6", "fee_quantity": "0.1"},
        ],
    )
    assert held(book) == [("b", "3.9", "78"), ("c", "4", "40"), ("c", "2", "40")]
    assert [tuple(map(plain, row)) for row in book.gains.select("quantity", "proceeds", "basis").rows()] == [
        ("0.1", "1.5", "2")
    ]
    assert book.faults.is_empty()


def test_a_part_that_is_booked_before_its_withdrawal_leaves_with_its_own_arrival() -> None:
    book = booked(
        event("o", "withdrawal", "2025-03-01T17:00:00", sent="10 A", value=150),
        event("i1", "deposit", "2025-03-01T16:30:00", received="6 A", account_id="b"),
        event("s", "sell", "2025-03-01T16:45:00", sent="6 A", received="90 USD", value=90, account_id="b"),
        event("i2", "deposit", "2025-03-01T18:00:00", received="4 A", account_id="c"),
        links=[
            {"transfer_id": "t1", "out_event_id": "o", "in_event_id": "i1", "quantity": "6"},
            {"transfer_id": "t2", "out_event_id": "o", "in_event_id": "i2", "quantity": "4"},
        ],
    )
    assert held(book) == [("c", "4", "80")]
    assert sum(book.gains["basis"]) == Decimal(80)
    assert book.faults.is_empty()


def test_several_withdrawals_bring_their_lots_into_one_deposit() -> None:
    book = booked(
        event("m", "withdrawal", "2025-02-20", sent="4 A", value=60),
        event("n", "deposit", "2025-02-20T18:00:00", received="4 A", account_id="b"),
        event("o1", "withdrawal", "2025-03-01", sent="6 A", value=90),
        event("o2", "withdrawal", "2025-03-01", sent="4 A", value=60, account_id="b"),
        event("i", "deposit", "2025-03-02", received="10 A", account_id="c"),
        links=[
            {"transfer_id": "t0", "move_id": "t0", "out_event_id": "m", "in_event_id": "n", "quantity": "4"},
            {"transfer_id": "t1", "out_event_id": "o1", "in_event_id": "i", "quantity": "6"},
            {"transfer_id": "t2", "out_event_id": "o2", "in_event_id": "i", "quantity": "4"},
        ],
    )
    assert held(book) == [("c", "4", "40"), ("c", "6", "120")]


def test_a_fee_that_the_deposits_of_a_batch_state_is_no_second_one() -> None:
    moved = move(
        *BOUGHT,
        event("o", "withdrawal", "2025-03-01", sent="10 A", value=150),
        event("i1", "deposit", "2025-03-02", received="6 A", fee="0.03 A", account_id="b"),
        event("i2", "deposit", "2025-03-02", received="3.95 A", fee="0.02 A", account_id="c"),
        transfers=[
            {"transfer_id": "t1", "move_id": "m", "out_event_id": "o", "in_event_id": "i1", "quantity": "6"},
            {"transfer_id": "t2", "move_id": "m", "out_event_id": "o", "in_event_id": "i2", "quantity": "3.95"},
        ],
        accounts=ACCOUNTS,
    )
    fees = moved.movements.filter(disposal_kind="fee").select("movement_id", "quantity").rows()
    assert [(name, plain(quantity)) for name, quantity in fees] == [("o:fee", "0.05")]
    assert "transfer_fee_doubtful" not in moved.questions["question"].to_list()


PIECES = st.lists(st.integers(1, 10**9), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(PIECES, st.integers(1, 5), st.integers(0, 50), st.booleans(), st.randoms(use_true_random=False))
def test_nothing_is_lost_or_made_in_a_batch(
    many: list[int], per_mille: int, lag: int, split: bool, random: Any
) -> None:
    # whatever the ends: the parts of each deposit add up to it, those of each withdrawal to it less what did not arrive
    whole, scale = sum(many), Decimal("0.000001")
    fee = whole * per_mille // 1000
    single = whole + fee if split else whole - min(fee, min(many) - 1)
    ends = [(str(q * scale), f"2025-03-01T1{n}:{lag:02}:00") for n, q in enumerate(many)]
    if split:
        rows = [
            out("s", str(single * scale), tx_id="aa"),
            *(into(f"m{n}", q, at, tx_id="aa") for n, (q, at) in enumerate(ends)),
        ]
    else:
        rows = [into("s", str(single * scale), "2025-03-02T10:00:00", tx_id="aa")]
        rows += [out(f"m{n}", q, at, tx_id="aa") for n, (q, at) in enumerate(ends)]
    random.shuffle(rows)
    found = match(*rows)
    moves = found.transfers
    assert moves.height == len(many)
    stated = {row["event_id"]: Decimal(row.get("sent_quantity") or row.get("received_quantity")) for row in rows}
    for end, moved in (("in", pl.col("quantity")), ("out", pl.col("quantity") + pl.col("fee_quantity"))):
        for event_id, total in moves.group_by(f"{end}_event_id").agg(moved.cast(QUANTITY).sum()).iter_rows():
            assert total == stated[event_id]
    assert match(*reversed(rows)).transfers.equals(moves)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.integers(0, 9))
def test_the_basis_of_what_left_is_the_basis_of_what_arrived_and_of_the_fee(shares: list[int], fee: int) -> None:
    whole = Decimal(10) - Decimal(fee) / 100
    quantities = [(whole * s / sum(shares)).quantize(Decimal("0.000001")) for s in shares[:-1]]
    quantities.append(whole - sum(quantities))
    if min(quantities) <= 0:
        return
    links = [
        {"transfer_id": f"t{n}", "out_event_id": "o", "in_event_id": f"i{n}", "quantity": str(q)}
        for n, q in enumerate(quantities)
    ]
    book = booked(
        event("o", "withdrawal", "2025-03-01", sent="10 A", value=150),
        *(
            event(f"i{n}", "deposit", "2025-03-02", received=f"{q} A", account_id="bc"[n % 2])
            for n, q in enumerate(quantities)
        ),
        links=links,
    )
    kept = book.closing_lots.filter(pl.col("tax_year") == 2025)
    assert kept["quantity"].sum() == whole
    assert kept["basis"].sum() + (book.gains["basis"].sum() or 0) == Decimal(160)
    assert book.faults.is_empty()


def test_the_table_gives_each_part_its_own_id() -> None:
    found = match(
        out("o", "10", tx_id="aa"), into("i1", "6", tx_id="aa"), into("i2", "4", tx_id="aa", account="trezor")
    )
    assert found.transfers["transfer_id"].n_unique() == 2
    assert found.transfers.schema["quantity"] == QUANTITY
    assert set(Transfers.to_schema().columns) == set(found.transfers.columns)
