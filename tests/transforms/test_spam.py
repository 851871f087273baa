from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.gate import conform
from schemas.inputs import Assets
from schemas.ledger import Events
from tests.transforms.frames import frame
from transforms import asset_master, questions, spam
from transforms.sources import etherscan
from transforms.sources.base import Context

TOKEN = "eip155:1/erc20:0x00000000000000000000000000000000000000ee"
USDC = "USDC"
BASE = {
    "taxpayer_id": "t", "account_id": "w", "occurred_at": "2025-03-01T10:00:00", "tax_date": "2025-03-01",
    "tax_year": 2025, "source": "etherscan", "kind": "deposit",
}  # fmt: skip
LINK, LOOKS = (
    "its name is a link or an invitation",
    "its name holds characters that are not seen or that look like others",
)
COPY, DUST = "it copies the symbol of a known asset of the chain", "dust of an unknown contract"


def got(note: str | None, asset: str = TOKEN, name: str = "e", **more: Any) -> dict[str, Any]:
    return {"event_id": name, "fact_id": name, "received_asset": asset, "received_quantity": "1", "note": note, **more}


def overrides(*rows: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, {"event_id": pl.String, "field": pl.String, "value": pl.String}, orient="row")


def mark(
    *rows: dict[str, Any], firm: pl.DataFrame | None = None, corrected: tuple[tuple[str, str, str], ...] = ()
) -> list[str | None]:
    master = asset_master.master(frame(Assets) if firm is None else firm)
    marked = spam.marked(frame(Events, *rows, **BASE), master, overrides(*corrected))
    return conform(marked, Events)["quarantined"].to_list()


@pytest.mark.parametrize(
    ("note", "rule"),
    [
        ("visit evil.example", LINK),
        ("Voucher (https://evil.example/claim)", LINK),
        ("ethgift.org", LINK),
        ("Claim rewards at t.me/evil", LINK),
        ("U□SDX (Coin)", LOOKS),  # the reader's mark for a character that nobody sees
        ("U\u200bSDX", LOOKS),
        ("UЅDX", LOOKS),  # a Cyrillic letter among Latin ones
        ("ЕТН", LOOKS),  # three Cyrillic letters that read ETH
        ("USDC (USD Coin)", COPY),
        ("usdt", COPY),
        ("$ETH", COPY),
        ("1INCH", COPY),
        ("XYZ (Some Token)", None),
        ("ЖЫЩ (Проект)", None),  # another alphabet is no disguise
        ("CLM (Clementine)", None),
        (None, None),
    ],
)
def test_a_token_that_came_unasked_is_spam_by_its_name(note: str | None, rule: str | None) -> None:
    assert mark(got(note)) == [rule]


def test_a_symbol_is_copied_on_its_own_chain_alone() -> None:
    # the master knows no USDC contract on Gnosis: it may be the real one there
    other = "eip155:100/erc20:0x00000000000000000000000000000000000000ee"
    assert mark(got("USDC", other), got("POL", TOKEN.replace(":1/", ":137/"), "f")) == [None, COPY]


def test_dust_is_what_the_file_values_below_a_dollar() -> None:
    rows = [
        got("XYZ", name=name, usd_value=value) for name, value in (("a", "0"), ("b", "0.99"), ("c", "1"), ("d", None))
    ]
    assert mark(*rows) == [DUST, DUST, None, None]  # what nobody values is asked


def test_what_the_client_asked_for_is_none() -> None:
    fee = {"fee_asset": "ETH", "fee_quantity": "0.01"}  # the client sent the transaction
    traded = {"sent_asset": "ETH", "sent_quantity": "1"}
    bought = got("visit evil.example", **traded)
    assert mark(got("visit evil.example", **fee), bought | {"event_id": "f"}) == [None, None]
    assert mark(got("visit evil.example", asset="XYZ")) == [None]  # no token of a contract


def test_a_token_that_the_client_sold_later_is_none() -> None:
    sale = {"event_id": "s", "fact_id": "s", "kind": "trade", "sent_asset": TOKEN, "sent_quantity": "1",
            "received_asset": "ETH", "received_quantity": "1"}  # fmt: skip
    assert mark(got("visit evil.example"), sale) == [None, None]
    assert mark(got("visit evil.example"), sale | {"taxpayer_id": "other"}) == [LINK, None]


def test_a_sending_that_the_contract_made_up_is_set_aside_too() -> None:
    # a contract can say that the client sent its tokens: nobody paid for that
    faked = {
        "event_id": "s",
        "fact_id": "s",
        "kind": "withdrawal",
        "sent_asset": TOKEN,
        "sent_quantity": "1",
        "note": "USDC",
    }
    assert mark(faked) == [COPY]


@pytest.mark.parametrize(
    "back", [{"firm": True}, {"corrected": (("e", "kind", "deposit"),)}, {"corrected": (("o", "transfer", "x e"),)}]
)
def test_the_firm_brings_it_back(back: dict[str, Any]) -> None:
    row = {"asset": "XYZ", "chain": "eip155:1", "contract": TOKEN.rpartition(":")[2], "class": "token"}
    if "firm" in back:
        firm = frame(Assets, row)
        named = pl.DataFrame({"asset": [TOKEN]}).select(
            asset_master.resolve(asset_master.master(firm), pl.col("asset"))
        )
        assert mark(got("visit evil.example", named["asset"][0]), firm=firm) == [None]
    else:
        assert mark(got("visit evil.example"), **back) == [None]


@pytest.mark.parametrize(
    ("source", "kind"),
    [("universal", "staking"), ("universal", "deposit"), ("koinly", "spend"), ("etherscan", "inheritance")],
)
def test_what_a_person_says_of_a_fact_is_no_name_of_a_token(source: str, kind: str) -> None:
    """Stated income, and free text that tells of a claim, a shop's page, a lawyer's."""
    rows = [
        got(note, name=note, source=source, kind=kind, usd_value="0.80")
        for note in (
            "claim of staking rewards",
            "paid invoice of shop.example.com",
            "estate - see www.lawyer.com",
            "USDC",
        )
    ]
    assert mark(*rows) == [None] * 4


def test_what_another_client_of_the_firm_sent_is_none() -> None:
    """A wife sends her husband a token and pays the gas; the files write the one hash in two ways."""
    sent = {"event_id": "s", "fact_id": "s", "kind": "withdrawal", "sent_asset": TOKEN, "sent_quantity": "1",
            "fee_asset": "ETH", "fee_quantity": "0.001", "taxpayer_id": "wife", "tx_id": "AA11"}  # fmt: skip
    assert mark(got("USDC", usd_value="0.50", tx_id="0xaa11"), sent) == [None, None]
    assert mark(got("USDC", usd_value="0.50", tx_id="0xaa12"), sent) == [COPY, None]


def test_what_is_set_aside_is_asked_with_its_worth() -> None:
    """3 + 0.50 dollars are looked at, 0.40 and what nobody values are not."""
    rows = [
        got("USDC", name="a", usd_value="3"), got("USDC", name="b", usd_value="0.50"),
        got("USDC", TOKEN.replace("ee", "ef"), "c", usd_value="0.40"), got("USDC", TOKEN.replace("ee", "f0"), "d"),
    ]  # fmt: skip
    events = frame(Events, *rows, **BASE)
    marked = conform(spam.marked(events, asset_master.master(frame(Assets)), overrides()), Events)
    asked = pl.concat(questions.tokens(marked, marked.clear()))
    assert sorted(asked.select("severity", "dollars_at_stake", "asset").rows(), key=str) == [
        ("info", Decimal("0.40"), TOKEN.replace("ee", "ef")),
        ("info", None, TOKEN.replace("ee", "f0")),
        ("warning", Decimal("3.50"), TOKEN),
    ]


NOTES = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["visit evil.example", "USDC", "ЕТН"]))
ASSETS = st.sampled_from([None, "ETH", USDC, TOKEN, TOKEN.replace("ee", "ff")])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ASSETS, ASSETS, st.booleans(), NOTES), max_size=8), st.randoms(use_true_random=False))
def test_nothing_vanishes_and_nothing_else_changes(cells: list[tuple[Any, ...]], random: Any) -> None:
    rows = []
    for n, (sent, received, fee, note) in enumerate(cells):
        row = {"event_id": f"e{n}", "fact_id": f"e{n}", "note": note}
        row |= {f"{side}_{what}": value for side, asset in (("sent", sent), ("received", received), ("fee", "ETH" if fee else None))
                if asset for what, value in (("asset", asset), ("quantity", "1"))}  # fmt: skip
        rows.append(row)
    events = frame(Events, *rows, **BASE)
    master = asset_master.master(frame(Assets))
    marked = conform(spam.marked(events, master, overrides()), Events)
    assert marked.drop("quarantined").equals(events.drop("quarantined"))
    kept = spam.clear(marked)
    assert kept.height + marked["quarantined"].count() == events.height
    for row in marked.filter(pl.col("quarantined").is_not_null()).iter_rows(named=True):
        assert (row["sent_asset"] or row["received_asset"]).startswith("eip155:1/erc20:0x0000")
        assert (row["sent_asset"] is None) != (row["received_asset"] is None)
        assert row["fee_asset"] is None
    mixed = random.sample(rows, len(rows))
    again = spam.marked(frame(Events, *mixed, **BASE), master, overrides())
    assert again.sort("event_id")["quarantined"].to_list() == marked.sort("event_id")["quarantined"].to_list()


def test_the_reader_keeps_name_and_symbol_and_marks_what_is_not_seen() -> None:
    own = "0x8350ae0ce89d395a4e3164fe2cbb3dea7c6ddf56"
    row = {
        "row_no": 2, "Transaction Hash": "0x" + "1" * 64, "UnixTimestamp": "1700000000", "From": "0x" + "2" * 40, "To": own,
        "TokenValue": "5", "ContractAddress": TOKEN.rpartition(":")[2], "TokenName": "USD\u200b Coin", "TokenSymbol": "USDC",
        "unfit": None,
    }  # fmt: skip
    rows = pl.DataFrame([row], schema_overrides={"unfit": pl.String})
    parsed = etherscan.ERC20.parse(rows, Context("w", "f", own))
    assert parsed.legs["note"].to_list() == ["USDC (USD□ Coin)"]


def test_a_transfer_of_nothing_from_a_look_alike_address_is_no_event() -> None:
    # address poisoning: the row stays in raw_rows with its reason
    own = "0x8350ae0ce89d395a4e3164fe2cbb3dea7c6ddf56"
    row = {
        "row_no": 2, "Transaction Hash": "0x" + "1" * 64, "UnixTimestamp": "1700000000", "From": own, "To": own[:-6] + "aaaa56",
        "TokenValue": "0", "ContractAddress": "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "TokenName": "USD Coin",
        "TokenSymbol": "USDC", "unfit": None,
    }  # fmt: skip
    parsed = etherscan.ERC20.parse(pl.DataFrame([row], schema_overrides={"unfit": pl.String}), Context("w", "f", own))
    assert parsed.legs.is_empty()
    assert parsed.ignored["reason"].to_list() == ["no value moved"]
