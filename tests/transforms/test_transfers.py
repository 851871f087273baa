from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.clients import AssetFacts
from schemas.inputs import Acquisitions
from schemas.ledger import Events
from tests.transforms.frames import frame
from transforms import transfers

NO_PAIRS = pl.DataFrame(schema={"out_event_id": pl.String, "in_event_id": pl.String})
DEFAULTS = {"taxpayer_id": "t", "tax_date": "2025-03-01", "tax_year": 2025, "source": "test"}


def out(event_id: str, quantity: str, at: str = "2025-03-01T10:00:00", account: str = "exchange", **more: Any) -> dict:
    return {"event_id": event_id, "fact_id": event_id, "kind": "withdrawal", "sent_asset": "BTC", "sent_quantity": quantity,
            "occurred_at": at, "account_id": account, **more}  # fmt: skip


def into(event_id: str, quantity: str, at: str = "2025-03-01T10:30:00", account: str = "ledger", **more: Any) -> dict:
    return {"event_id": event_id, "fact_id": event_id, "kind": "deposit", "received_asset": "BTC", "received_quantity": quantity,
            "occurred_at": at, "account_id": account, **more}  # fmt: skip


def match(*rows: dict, forced: pl.DataFrame = NO_PAIRS, **treatment: str) -> transfers.Matched:
    accounts = pl.DataFrame(
        [*treatment.items()], schema={"account_id": pl.String, "treatment": pl.String}, orient="row"
    )
    return transfers.match(frame(Events, *rows, **DEFAULTS), forced, accounts)


def test_the_same_hash_pairs_whatever_the_time_and_case() -> None:
    found = match(out("o", "1", tx_id="0xABC"), into("i", "1", "2025-03-09T10:00:00", tx_id="abc")).transfers
    assert found.select("out_event_id", "in_event_id", "score", "matched_by").rows() == [("o", "i", 99, "hash")]


def test_a_fee_inside_the_amount_is_named() -> None:
    row = match(out("o", "1"), into("i", "0.9995")).transfers.row(0, named=True)
    assert (row["score"], str(row["quantity"])[:6], str(row["fee_quantity"])[:6]) == (65, "0.9995", "0.0005")


def test_two_different_hashes_are_two_moves() -> None:
    assert match(out("o", "1", tx_id="aa"), into("i", "1", tx_id="bb")).transfers.is_empty()


def test_nothing_pairs_across_taxpayers_within_an_account_or_past_the_window() -> None:
    found = match(
        out("o1", "1"), into("i1", "1", taxpayer_id="other"),
        out("o2", "2"), into("i2", "2", account="exchange"),
        out("o3", "3"), into("i3", "3", "2025-03-04T10:00:00"),
        out("o4", "4"), into("i4", "4", "2025-03-01T08:59:00"),
        out("o5", "5"), into("i5", "5.01"),
    )  # fmt: skip
    assert found.transfers.is_empty()


def test_exact_amount_wins_over_a_fee_inside_and_near_over_far() -> None:
    found = match(out("o", "1"), into("near", "0.9999"), into("exact", "1", "2025-03-02T09:00:00")).transfers
    assert found["in_event_id"].to_list() == ["exact"]


def test_less_by_exactly_the_stated_fee_is_as_good_as_equal() -> None:
    found = match(out("o", "1", fee_asset="BTC", fee_quantity="0.02"), into("i", "0.98")).transfers
    assert found.select("score", "matched_by").rows() == [(90, "amount")]
    row = match(out("o", "10", fee_asset="BTC", fee_quantity="1", tx_id="aa"), into("i", "9", tx_id="aa")).transfers
    assert row["score"].to_list() == [95]


@pytest.mark.parametrize(
    ("sent", "arrived", "paired"),
    [("10", "9.9", True), ("10", "9.8999", False), ("10", "6", False), ("10", "10.0001", False)],
)
def test_a_hash_does_not_turn_a_shortfall_into_a_fee(sent: str, arrived: str, paired: bool) -> None:
    # up to 1 % can be the network's; what is beyond may have gone elsewhere in the same transaction
    found = match(out("o", sent, tx_id="aa"), into("i", arrived, tx_id="aa"))
    assert found.transfers.height == int(paired)
    assert found.ambiguous.drop("others").rows() == ([] if paired else [("i", "BTC", 1), ("o", "BTC", 1)])


def test_a_withdrawal_open_by_its_hash_takes_no_other_deposit_of_its_amount() -> None:
    found = match(out("o", "10", tx_id="aa"), into("i", "6", tx_id="aa"), into("j", "10", account="trezor"))
    assert found.transfers.is_empty()
    assert found.ambiguous["event_id"].to_list() == ["i", "o"]


def test_two_moves_in_one_transaction_pair_each_with_its_own() -> None:
    found = match(
        out("o1", "5", tx_id="aa"), out("o2", "3", tx_id="aa"), into("i1", "5", tx_id="aa"), into("i2", "3", tx_id="aa")
    )
    assert sorted(found.transfers.select("out_event_id", "in_event_id").rows()) == [("o1", "i1"), ("o2", "i2")]
    assert found.ambiguous.is_empty()


def test_staff_may_pair_what_the_hash_leaves_open() -> None:
    forced = pl.DataFrame({"out_event_id": ["o"], "in_event_id": ["i"]})
    found = match(out("o", "10", tx_id="aa"), into("i", "6", tx_id="aa"), forced=forced)
    assert found.transfers["matched_by"].to_list() == ["override"]
    assert found.ambiguous.is_empty()


@pytest.mark.parametrize("word", [False, True])
def test_a_move_between_accounts_of_different_treatment_is_no_own_move(word: bool) -> None:
    # a distribution from an IRA is ordinary income at its value (IRC 408(d)(1)): no basis comes along, whoever pairs it
    forced = pl.DataFrame({"out_event_id": ["o"], "in_event_id": ["i"]}) if word else NO_PAIRS
    found = match(
        out("o", "1", tx_id="aa"), into("i", "1", tx_id="aa"), forced=forced, exchange="ira", ledger="taxable"
    )
    assert found.transfers.is_empty()
    assert found.crossing.rows() == [("i", "BTC"), ("o", "BTC")]
    assert match(out("o", "1"), into("i", "1"), exchange="ira", ledger="ira").transfers.height == 1


def test_transfers_by_time_and_a_near_amount_are_doubtful() -> None:
    found = match(out("sure", "1"), into("i1", "1"), out("near", "2"), into("i2", "1.99")).transfers
    assert transfers.doubtful(found).select("event_id", "score").rows() == [("near", 65)]


def test_a_tie_between_two_wallets_stays_open() -> None:
    found = match(out("o", "1"), into("i1", "1", account="ledger"), into("i2", "1", account="trezor"))
    assert found.transfers.is_empty()
    assert sorted(found.ambiguous["event_id"].to_list()) == ["i1", "i2", "o"]


def test_staff_settle_a_tie() -> None:
    forced = pl.DataFrame({"out_event_id": ["o"], "in_event_id": ["i2"]})
    found = match(out("o", "1"), into("i1", "1"), into("i2", "1", account="trezor"), forced=forced)
    assert found.transfers.select("in_event_id", "score", "matched_by").rows() == [("i2", 100, "override")]


def test_two_equal_moves_between_the_same_accounts_are_no_tie() -> None:
    found = match(out("o1", "1"), out("o2", "1"), into("i1", "1"), into("i2", "1"))
    assert found.transfers.height == 2
    assert found.ambiguous.is_empty()


def test_cash_is_no_transfer_of_lots() -> None:
    found = match(out("o", "100", sent_asset="USD"), into("i", "100", received_asset="USD"))
    assert found.transfers.is_empty()


MOVES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 60), st.sampled_from(["x", "y"])), max_size=8)


@settings(max_examples=60, deadline=None)
@given(MOVES, MOVES, st.randoms(use_true_random=False))
def test_each_event_is_used_once_and_order_does_not_matter(outs: list, ins: list, random: Any) -> None:
    rows = [out(f"o{n}", str(q), f"2025-03-01T10:{m % 60:02}:00", a) for n, (q, m, a) in enumerate(outs)]
    rows += [into(f"i{n}", str(q), f"2025-03-01T11:{m % 60:02}:00", a) for n, (q, m, a) in enumerate(ins)]
    found = match(*rows)
    used = found.transfers["out_event_id"].to_list() + found.transfers["in_event_id"].to_list()
    assert len(used) == len(set(used))
    assert not set(used) & set(found.ambiguous["event_id"].to_list())
    random.shuffle(rows)
    again = match(*rows)
    assert again.transfers.equals(found.transfers)
    assert again.ambiguous.equals(found.ambiguous)


# --- moves between two taxpayers (IRC 1041) ------------------------------------------------------------------------------

COUPLE = [("j", 2025, "ann"), ("j", 2025, "bob"), ("cat", 2025, "cat")]


def between(
    *rows: dict,
    members: list[tuple[str, int, str]] = COUPLE,
    spouse: dict[str, str] | None = None,
    forced: pl.DataFrame = NO_PAIRS,
    treatment: str = "taxable",
    assets: pl.DataFrame = transfers.NO_ASSETS,
) -> transfers.Matched:
    return transfers.match(
        frame(Events, *rows, **DEFAULTS | {"taxpayer_id": "ann"}),
        forced,
        pl.DataFrame({"account_id": ["exchange", "ledger"], "treatment": [treatment, treatment]}),
        pl.DataFrame(members, schema=transfers.NO_COUPLES.schema, orient="row"),
        frame(Acquisitions, *([{"origin": "spouse"} | spouse] if spouse else [])),
        assets,
    )


def pairs(found: transfers.Matched) -> list[tuple]:
    return found.transfers.select("out_taxpayer_id", "in_taxpayer_id", "score", "matched_by").rows()


@pytest.mark.parametrize(
    ("ends", "scored"),
    [
        ({"tx_id": "aa"}, (99, "hash")),
        ({}, (85, "amount")),  # 5 less than between one's own accounts
    ],
)
def test_spouses_on_one_return_move_coins_as_one(ends: dict, scored: tuple) -> None:
    found = between(out("o", "1", **ends), into("i", "1", taxpayer_id="bob", **ends))
    assert pairs(found) == [("ann", "bob", *scored)]
    assert found.strangers.is_empty()


def test_one_s_own_account_comes_before_the_spouse_s() -> None:
    found = between(out("o", "1"), into("i1", "1", taxpayer_id="bob"), into("i2", "1", account="trezor"))
    assert found.transfers["in_event_id"].to_list() == ["i2"]


def test_a_couple_is_one_in_the_year_of_either_end() -> None:
    late = {"occurred_at": "2026-01-01T03:00:00", "tax_year": 2026}
    found = between(out("o", "1", "2025-12-31T23:00:00"), into("i", "1", taxpayer_id="bob") | late)
    assert pairs(found) == [("ann", "bob", 75, "amount")]
    before = {"tax_year": 2024}
    assert not pairs(between(out("o", "1", **before), into("i", "1", taxpayer_id="bob", **before)))


@pytest.mark.parametrize("spouse", [{"event_id": "i"}, {"tx_id": "aa"}])
def test_the_firm_s_word_makes_a_pair_of_one_hash_a_move_between_spouses(spouse: dict[str, str]) -> None:
    # incident to divorce, or on separate returns: no joint return tells (IRC 1041(a)(2), (c))
    rows = out("o", "1", tx_id="aa"), into("i", "1", taxpayer_id="cat", tx_id="aa")
    assert pairs(between(*rows, spouse=spouse)) == [("ann", "cat", 99, "hash")]
    without = between(*rows)
    assert not pairs(without)
    assert without.strangers.rows() == [("i", "BTC"), ("o", "BTC")]


def test_the_firm_s_word_without_a_hash_needs_staff_to_name_the_other_end() -> None:
    rows = out("o", "1"), into("i", "1", taxpayer_id="cat")
    assert not pairs(between(*rows, spouse={"event_id": "i"}))
    forced = pl.DataFrame({"out_event_id": ["o"], "in_event_id": ["i"]})
    assert pairs(between(*rows, spouse={"event_id": "i"}, forced=forced)) == [("ann", "cat", 100, "override")]
    assert not pairs(between(*rows, forced=forced))  # two clients who are no couple: staff's pairing alone is no basis


def test_a_gift_between_spouses_is_a_move_and_a_gift_to_oneself_is_none() -> None:
    # IRC 1015(e): between spouses 1041 rules, not 1015
    gift = out("o", "1", tx_id="aa") | {"kind": "gift_out"}
    got = into("i", "1", tx_id="aa") | {"kind": "gift_in"}
    assert pairs(between(gift, got | {"taxpayer_id": "bob"})) == [("ann", "bob", 99, "hash")]
    assert not pairs(between(gift, got))
    other = between(gift, got | {"taxpayer_id": "cat"})
    assert not pairs(other)
    assert other.strangers.is_empty()  # a gift to another client is a gift: its basis is asked with the receipt


def test_between_spouses_only_taxable_accounts_move_lots() -> None:
    found = between(out("o", "1", tx_id="aa"), into("i", "1", taxpayer_id="bob", tx_id="aa"), treatment="ira")
    assert not pairs(found)
    assert found.crossing.rows() == [("i", "BTC"), ("o", "BTC")]


# --- bridges: another token of the same coin -----------------------------------------------------------------------------

TOKENS = frame(
    AssetFacts,
    {"asset": "USDC.e", "class": "bridged", "represents": "USDC"},
    {"asset": "stETH", "class": "liquid_staking", "represents": "ETH"},
)


def test_another_token_of_the_coin_that_arrives_is_a_bridge_and_never_sure() -> None:
    left, came = out("o", "100", sent_asset="USDC"), into("i", "99.5", received_asset="USDC.e")
    found = between(left | {"tx_id": "aa"}, came | {"tx_id": "bb"}, assets=TOKENS)
    assert found.transfers.select("asset", "in_asset", "score").rows() == [("USDC", "USDC.e", 40)]
    assert transfers.doubtful(found.transfers).height == 1
    assert not pairs(between(left, came))  # nobody says that the two are one coin
    assert not pairs(between(left, came | {"taxpayer_id": "bob"}, assets=TOKENS))


def test_the_coin_itself_comes_before_a_token_of_it() -> None:
    found = between(
        out("o", "100", sent_asset="USDC"), into("i1", "100", received_asset="USDC.e"),
        into("i2", "100", "2025-03-01T20:00:00", received_asset="USDC", account="trezor"), assets=TOKENS,
    )  # fmt: skip
    assert found.transfers.select("in_event_id", "in_asset").rows() == [("i2", None)]


def test_a_token_of_another_price_is_no_bridge() -> None:
    # one stETH of a wrapped or pooled kind is not one coin: amounts cannot be compared
    assert not pairs(between(out("o", "1", sent_asset="ETH"), into("i", "1", received_asset="stETH"), assets=TOKENS))
