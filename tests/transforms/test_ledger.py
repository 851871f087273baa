from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import gate
from schemas.fields import KEPT_APART, PLEDGES
from schemas.inputs import Overrides
from schemas.intake import Legs
from schemas.ledger import Events
from tests.transforms.frames import frame
from transforms import ledger

NETTING = ("etherscan",)


def legs(*rows: dict[str, Any]) -> pl.DataFrame:
    defaults = {"account_id": "a", "file_id": "f1", "row_no": 1, "source": "kraken", "rounded": False}
    return frame(
        Legs, *({"raw_asset": row["asset"], "occurred_at": "2025-03-01T10:00:00", **row} for row in rows), **defaults
    )


def events(*rows: dict[str, Any]) -> pl.DataFrame:
    return ledger.assemble(legs(*rows), NETTING, {}).events


def test_two_rows_and_a_fee_of_one_reference_are_one_buy() -> None:
    event = events(
        {"row_no": 1, "row_key": "L1", "group_key": "T1", "role": "sent", "asset": "USD", "quantity": "1000"},
        {"row_no": 1, "row_key": "L1", "group_key": "T1", "role": "fee", "asset": "USD", "quantity": "2.6"},
        {"row_no": 2, "row_key": "L2", "group_key": "T1", "role": "received", "asset": "BTC", "quantity": "0.02"},
    ).row(0, named=True)
    assert (event["kind"], event["sent_asset"], event["received_asset"]) == ("buy", "USD", "BTC")
    assert (str(event["fee_quantity"]), event["fee_asset"]) == ("2.600000000000000000", "USD")


@pytest.mark.parametrize(
    ("roles", "kind"),
    [
        ([("sent", "BTC"), ("received", "USD")], "sell"),
        ([("sent", "BTC"), ("received", "ETH")], "trade"),
        ([("received", "BTC")], "deposit"),
        ([("sent", "BTC")], "withdrawal"),
        ([("fee", "BTC")], "fee"),
    ],
)
def test_without_a_stated_kind_the_sides_tell(roles: list[tuple[str, str]], kind: str) -> None:
    rows = [
        {"row_no": n, "row_key": str(n), "group_key": "g", "role": role, "asset": asset, "quantity": "1"}
        for n, (role, asset) in enumerate(roles, 1)
    ]
    assert events(*rows)["kind"].to_list() == [kind]


def test_a_stated_income_kind_stands() -> None:
    reward = {"row_key": "x", "role": "received", "asset": "ADA", "quantity": "3", "kind": "staking"}
    assert events(reward)["kind"].to_list() == ["staking"]


def test_the_same_row_in_two_overlapping_exports_is_one_fact() -> None:
    row = {"row_key": "same", "role": "received", "asset": "ADA", "quantity": "3"}
    built = ledger.assemble(legs({**row, "file_id": "f1"}, {**row, "file_id": "f2"}), NETTING, {})
    assert built.events.height == 1
    # and both rows are named behind it
    assert sorted(built.sources["file_id"].to_list()) == ["f1", "f2"]


def test_identical_rows_in_one_file_are_two_facts_even_if_another_export_shows_them_once() -> None:
    row = {"row_key": "same", "role": "received", "asset": "ADA", "quantity": "3"}
    twice = [{**row, "row_no": 1}, {**row, "row_no": 2}, {**row, "file_id": "f0", "row_no": 9}]
    assert events(*twice).height == 2


def test_event_ids_survive_a_re_download_under_another_name_and_row_order() -> None:
    first = {"row_key": "k1", "role": "received", "asset": "ADA", "quantity": "3"}
    second = {"row_key": "k2", "role": "received", "asset": "ADA", "quantity": "4"}
    one = events({**first, "row_no": 1}, {**second, "row_no": 2})
    other = events({**second, "row_no": 5, "file_id": "zz"}, {**first, "row_no": 7, "file_id": "zz"})
    assert one["event_id"].to_list() == other["event_id"].to_list()


def test_a_chain_refund_nets_and_an_exchange_round_trip_does_not() -> None:
    rows = [
        {"row_no": 1, "row_key": "1", "group_key": "0xh", "role": "sent", "asset": "ETH", "quantity": "1"},
        {"row_no": 2, "row_key": "2", "group_key": "0xh", "role": "received", "asset": "ETH", "quantity": "0.25"},
        {"row_no": 3, "row_key": "3", "group_key": "0xh", "role": "received", "asset": "DAI", "quantity": "1500"},
    ]
    swap = events(*({**row, "source": "etherscan"} for row in rows)).row(0, named=True)
    assert swap["kind"] == "trade"
    assert str(swap["sent_quantity"]).rstrip("0") == "0.75"
    # on an exchange both directions are facts: three events, each a trade of its own
    assert events(*rows)["kind"].to_list() == ["trade"] * 3


def test_dust_of_several_coins_for_one_becomes_one_sale_each_and_one_purchase() -> None:
    dust = events(
        {"row_no": 1, "row_key": "1", "group_key": "d", "role": "sent", "asset": "SOL", "quantity": "0.001"},
        {"row_no": 2, "row_key": "2", "group_key": "d", "role": "sent", "asset": "DOT", "quantity": "0.01"},
        {"row_no": 3, "row_key": "3", "group_key": "d", "role": "received", "asset": "BNB", "quantity": "0.002"},
    )
    assert sorted(dust["sent_asset"].drop_nulls().to_list()) == ["DOT", "SOL"]
    assert dust["received_asset"].drop_nulls().to_list() == ["BNB"]
    assert dust["fact_id"].n_unique() == 1


def test_a_basket_bought_with_cash_is_a_purchase_that_bears_the_fee() -> None:
    # $1,500 and a $50 fee for BTC and ETH: the fee is cost of a coin (Reg. 1.1012-1(h)), not of the dollars
    basket = events(
        {"row_no": 1, "row_key": "1", "group_key": "d", "role": "sent", "asset": "USD", "quantity": "1500"},
        {"row_no": 2, "row_key": "2", "group_key": "d", "role": "received", "asset": "BTC", "quantity": "0.01"},
        {"row_no": 3, "row_key": "3", "group_key": "d", "role": "received", "asset": "ETH", "quantity": "0.2"},
        {"row_no": 1, "row_key": "1", "group_key": "d", "role": "fee", "asset": "USD", "quantity": "50"},
    )
    assert basket["kind"].unique().to_list() == ["buy"]
    assert basket.filter(pl.col("fee_asset") == "USD")["received_asset"].to_list() == ["ETH"]


def test_a_fee_stated_as_what_was_sent_is_a_fee() -> None:
    event = events({"row_key": "x", "role": "sent", "asset": "ETH", "quantity": "1", "kind": "fee"}).row(0, named=True)
    assert (event["kind"], event["fee_asset"], event["sent_asset"]) == ("fee", "ETH", None)


def test_two_copies_of_a_fact_that_disagree_are_named() -> None:
    row = {"row_key": "k", "role": "received", "asset": "ADA", "quantity": "3", "kind": "staking"}
    rows = legs(
        {**row, "file_id": "f1", "usd_value": "2000"}, {**row, "file_id": "f2", "row_no": 4, "usd_value": "3000"}
    )
    built = ledger.assemble(rows, NETTING, {})
    assert built.events.height == 1
    assert built.conflicts.select("file_id", "row_no").rows() == [("f2", 4)]


def test_two_coins_sent_in_one_transaction_stay_withdrawals() -> None:
    rows = [
        {
            "row_no": n,
            "row_key": asset,
            "group_key": "0xh",
            "role": "sent",
            "asset": asset,
            "quantity": "1",
            "source": "etherscan",
        }
        for n, asset in enumerate(("ETH", "DAI"), 1)
    ]
    assert events(*rows)["kind"].to_list() == ["withdrawal", "withdrawal"]


def test_an_override_corrects_and_one_whose_event_is_gone_comes_back() -> None:
    before = events({"row_key": "x", "role": "received", "asset": "ADA", "quantity": "3"})
    event_id = before["event_id"][0]
    overrides = frame(
        Overrides,
        {"event_id": event_id, "field": "kind", "value": "staking", "at": "2026-01-02T00:00:00"},
        {"event_id": event_id, "field": "kind", "value": "airdrop", "at": "2026-01-01T00:00:00"},
        {"event_id": event_id, "field": "usd_value", "value": "12.34", "at": "2026-01-01T00:00:00"},
        {"event_id": event_id, "field": "received_quantity", "value": "lots", "at": "2026-01-01T00:00:00"},
        {"event_id": "ev-gone", "field": "kind", "value": "staking", "at": "2026-01-01T00:00:00"},
    )
    after, refused = ledger.apply_overrides(before, overrides)
    assert after["kind"].to_list() == ["staking"]
    assert str(after["usd_value"][0]) == "12.340000"
    assert sorted(refused["why"].to_list()) == ["its event is gone", "the value cannot be read"]


@pytest.mark.parametrize("field", ["sent_quantity", "received_quantity"])
@pytest.mark.parametrize("value", ["0", "0.0", "-1"])
def test_a_side_of_nothing_is_no_correction(field: str, value: str) -> None:
    before = events({"row_key": "x", "role": field.split("_", maxsplit=1)[0], "asset": "ADA", "quantity": "3"})
    wrong = {"event_id": before["event_id"][0], "field": field, "value": value, "at": "2026-01-01T00:00:00"}
    after, refused = ledger.apply_overrides(before, frame(Overrides, wrong))
    assert after.equals(before)
    assert refused["why"].to_list() == ["the value cannot be read"]


@pytest.mark.parametrize("kind", sorted({*KEPT_APART} - {*PLEDGES}))
def test_a_cost_alone_of_a_derivative_or_a_loan_is_no_fee_disposal(kind: str) -> None:
    alone = {"row_key": "x", "role": "fee", "asset": "BTC", "quantity": "0.0001"}
    assert events({**alone, "kind": kind})["kind"].to_list() == [kind]
    for paid in (*PLEDGES, "staking"):  # gas to pledge or to stake is spent
        assert events({**alone, "kind": paid})["kind"].to_list() == ["fee"]


FACTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["k1", "k2", "k3"]), st.integers(1, 5)), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(FACTS, st.randoms(use_true_random=False))
def test_any_split_into_overlapping_files_in_any_order_gives_the_same_events(facts: list, random: Any) -> None:
    def rows(file_id: str, chosen: list) -> list[dict[str, Any]]:
        return [
            {"account_id": a, "file_id": file_id, "row_no": n, "row_key": f"{k}-{q}", "role": "received",
             "asset": "ADA", "quantity": str(q)}
            for n, (a, k, q) in enumerate(chosen, 1)
        ]  # fmt: skip

    whole = events(*rows("whole", facts))
    cut = random.randrange(len(facts) + 1)
    overlap = rows("left", facts[:cut]) + rows("all", facts) + rows("right", facts[cut:])
    random.shuffle(overlap)
    assert events(*overlap).equals(whole)
    dated = whole.with_columns(taxpayer_id=pl.lit("t"), tax_date=pl.date(2025, 3, 1), tax_year=pl.lit(2025, pl.Int64))
    assert gate.check(gate.conform(dated, Events), Events).rejected.is_empty()


# --- layouts of one source with and without its ids ------------------------------------------------------------------


def bought(file_id: str, row_no: int, key: str, usd: str = "100", ada: str = "3", at: str = "10:00:07") -> list[dict]:
    """A row that buys ADA for dollars, the fee in dollars beside it."""
    row = {"file_id": file_id, "row_no": row_no, "row_key": key, "occurred_at": f"2025-03-01T{at}"}
    return [
        {**row, "role": "sent", "asset": "USD", "quantity": usd},
        {**row, "role": "received", "asset": "ADA", "quantity": ada},
        {**row, "role": "fee", "asset": "USD", "quantity": "0.995"},
    ]


def test_a_fact_with_an_id_in_the_new_layout_and_none_in_the_old_is_one_fact_and_keeps_its_event_id() -> None:
    old = bought("f-old", 1, "content-of-it", usd="100.00")
    new = bought("f-new", 9, "id:65f3:ADA", usd="100.003512")  # the newer layout rounds dollars later
    built = ledger.assemble(legs(*old, *new), NETTING, {})
    assert built.events["event_id"].to_list() == events(*old)["event_id"].to_list()
    assert set(built.sources.select("file_id", "row_no").rows()) == {("f-old", 1), ("f-new", 9)}
    assert built.conflicts.is_empty()


def test_as_many_are_one_fact_as_both_layouts_have() -> None:
    two_old = [*bought("f-old", 1, "same"), *bought("f-old", 2, "same")]
    assert events(*two_old, *bought("f-new", 1, "id:a"), *bought("f-new", 2, "id:b")).height == 2
    assert events(*two_old, *bought("f-new", 1, "id:a")).height == 2
    assert events(*bought("f-old", 1, "same"), *bought("f-new", 1, "id:a"), *bought("f-new", 2, "id:b")).height == 2
    # a third layout's copy, and a copy of the copy
    thrice = [*bought("f-old", 1, "same"), *bought("f-old2", 7, "same"), *bought("f-new", 1, "id:a")]
    assert events(*thrice, *bought("f-new2", 4, "id:a")).height == 1


def test_a_row_without_an_id_beside_one_with_an_id_in_one_file_is_another_fact() -> None:
    mixed = [*bought("f", 1, "same"), *bought("f", 2, "id:a")]
    assert events(*mixed).height == 2
    assert events(*mixed, *bought("f2", 1, "same"), *bought("f2", 2, "id:a")).height == 2


@pytest.mark.parametrize("other", [{"ada": "3.1"}, {"at": "10:00:08"}])
def test_another_quantity_or_time_is_another_fact(other: dict[str, str]) -> None:
    assert events(*bought("f-old", 1, "same"), *bought("f-new", 1, "id:a", **other)).height == 2


def test_a_layout_that_shows_minutes_meets_one_that_shows_seconds() -> None:
    minutes = ["10:00:00", "11:30:00", "12:45:00"]
    old = [row for n, at in enumerate(minutes) for row in bought("f-old", n, f"k{n}", at=at, ada=str(n + 1))]
    seconds = ["10:00:59", "11:30:01", "12:45:30"]
    new = [row for n, at in enumerate(seconds) for row in bought("f-new", n, f"id:{n}", at=at, ada=str(n + 1))]
    assert events(*old, *new).height == 3
    # a second elsewhere in the old file: its 10:00:00 is a second, not a minute
    assert events(*old, *bought("f-old", 9, "k9", at="13:00:07", ada="9"), *new).height == 7
    # one or two rows may stand on the minute by chance: rather two facts than one lost
    assert events(*old[:6], *new[:6]).height == 4


@settings(max_examples=80, deadline=None)
@given(
    facts=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=8),
    old=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    new=st.tuples(st.integers(0, 8), st.integers(0, 8)),
)
def test_overlapping_exports_of_both_layouts_give_as_many_events_as_there_are_facts(
    facts: list[tuple[int, int]], old: tuple[int, int], new: tuple[int, int]
) -> None:
    """Facts in the order of time; each export is a span of whole seconds, as a client's choice of dates is."""
    facts = sorted(facts)

    def span(bounds: tuple[int, int]) -> list[int]:
        low, high = min(bounds), max(bounds)
        return [n for n, (second, _) in enumerate(facts) if low <= second <= high]

    rows, stated = [], set()
    for file_id, chosen, has_id in (("f-old", span(old), False), ("f-new", span(new), True)):
        for row_no, n in enumerate(chosen, 1):
            second, ada = facts[n]
            key = f"id:{n}" if has_id else f"{second}/{ada}"
            rows += bought(file_id, row_no, key, ada=str(ada), at=f"10:00:0{second}")
            stated.add(n)
    if rows:
        assert events(*rows).height == len(stated)
