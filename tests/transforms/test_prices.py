from __future__ import annotations

from typing import Any

import polars as pl

from schemas.ledger import Events, Prices
from tests.transforms.frames import frame
from transforms import prices

EVENT = {
    "taxpayer_id": "t", "account_id": "a", "occurred_at": "2025-03-01T10:00:00", "tax_date": "2025-03-01",
    "tax_year": 2025, "source": "test",
}  # fmt: skip
TABLE = frame(
    Prices,
    {"asset": "BTC", "priced_at": "2025-03-01T00:00:00", "usd": "60000", "source": "made up"},
    {"asset": "BTC", "priced_at": "2025-03-02T00:00:00", "usd": "1", "source": "tomorrow"},
    {"asset": "ETH", "priced_at": "2025-02-27T00:00:00", "usd": "2000", "source": "made up"},
    {"asset": "EUR", "priced_at": "2025-03-01T00:00:00", "usd": "1.1", "source": "made up"},
    {"asset": "OLD", "priced_at": "2025-02-01T00:00:00", "usd": "5", "source": "made up"},
    {"asset": "BIG", "priced_at": "2025-03-01T00:00:00", "usd": "900000000000000", "source": "spam"},
)


def valued(*rows: dict[str, Any]) -> pl.DataFrame:
    named = [{"event_id": f"e{n}", "fact_id": f"e{n}", **row} for n, row in enumerate(rows)]
    return prices.value_events(frame(Events, *named, **EVENT), TABLE, max_age_days=3)


def test_a_dollar_leg_is_its_own_value() -> None:
    buy = valued(
        {
            "kind": "buy",
            "sent_asset": "USD",
            "sent_quantity": "59000",
            "received_asset": "BTC",
            "received_quantity": "1",
        }
    )
    assert (str(buy["usd_value"][0]), buy["price_source"][0]) == ("59000.000000", "cash")


def test_what_the_file_states_comes_before_a_price() -> None:
    reward = valued({"kind": "reward", "received_asset": "BTC", "received_quantity": "1", "usd_value": "61000"})
    assert (str(reward["usd_value"][0]), reward["price_source"][0]) == ("61000.000000", "stated")


def test_a_trade_is_worth_what_is_received() -> None:
    # Reg. 1.1001-7(b)(4): 0.5 BTC at 60,000, never tomorrow's price
    trade = valued(
        {
            "kind": "trade",
            "sent_asset": "ETH",
            "sent_quantity": "14",
            "received_asset": "BTC",
            "received_quantity": "0.5",
        }
    )
    assert str(trade["usd_value"][0]) == "30000.000000"


def test_a_trade_is_worth_its_better_known_side() -> None:
    # 1,000 NEW for 0.5 BTC worth 30,000, though NEW has a price too; a stablecoin is better known than BTC
    table = pl.concat(
        [TABLE, frame(Prices, *({"asset": asset, "priced_at": "2025-03-01T00:00:00", "usd": usd, "source": "made up"}
                               for asset, usd in (("NEW", "33"), ("OTHER", "5"), ("USDC", "0.999"))))]
    )  # fmt: skip
    cases = [
        ("0.5 BTC", "1000 NEW", "30000.000000"),
        ("1000 NEW", "0.5 BTC", "30000.000000"),
        ("31000 USDC", "0.5 BTC", "30969.000000"),
        ("10 NEW", "60 OTHER", "300.000000"),  # neither is: what is received
        ("10 NEW", "0.15 ETH", "300.000000"),
        ("0.5 BTC", "15 ETH", "30000.000000"),
        ("0.5 BTC", "1000 NOBODY", "30000.000000"),
        ("3 NOPRICE", "10 NEW", "330.000000"),
    ]
    for sent, got, value in cases:
        row = {"event_id": "e", "fact_id": "e", "kind": "trade"}
        row |= dict(zip(("sent_quantity", "sent_asset"), sent.split(), strict=True))
        row |= dict(zip(("received_quantity", "received_asset"), got.split(), strict=True))
        found = prices.value_events(frame(Events, row, **EVENT), table, 3, ["USDC"])
        assert str(found["usd_value"][0]) == value, (sent, got)


def test_else_it_is_worth_what_is_given_with_the_age_of_the_price() -> None:
    trade = valued(
        {"kind": "trade", "sent_asset": "ETH", "sent_quantity": "14", "received_asset": "NEW", "received_quantity": "1"}
    )
    assert (str(trade["usd_value"][0]), trade["price_age_days"][0]) == ("28000.000000", 2)


def test_a_stale_price_and_an_absurd_product_count_as_missing() -> None:
    rows = valued(
        {"kind": "reward", "received_asset": "OLD", "received_quantity": "1"},
        {"kind": "reward", "received_asset": "BIG", "received_quantity": "900000000000000"},
    )
    assert rows["usd_value"].to_list() == [None, None]


def test_a_fee_in_the_coin_of_a_leg_has_the_price_of_that_leg() -> None:
    # E2.5: 10 CD for 10 AB worth 1 each, 1 AB withheld: the fee is worth 1
    trade = valued(
        {"kind": "trade", "sent_asset": "CD", "sent_quantity": "10", "received_asset": "AB", "received_quantity": "10",
         "fee_asset": "AB", "fee_quantity": "1", "usd_value": "10"}
    )  # fmt: skip
    assert str(trade["fee_usd_value"][0]) == "1.000000"


def test_a_dollar_fee_is_dollars_and_a_third_coin_is_priced() -> None:
    rows = valued(
        {"kind": "sell", "sent_asset": "BTC", "sent_quantity": "1", "received_asset": "USD", "received_quantity": "60000",
         "fee_asset": "USD", "fee_quantity": "52"},
        {"kind": "sell", "sent_asset": "BTC", "sent_quantity": "1", "received_asset": "USD", "received_quantity": "60000",
         "fee_asset": "ETH", "fee_quantity": "0.01"},
    )  # fmt: skip
    assert [str(v) for v in rows["fee_usd_value"]] == ["52.000000", "20.000000"]


def test_the_parts_of_a_basket_share_the_value_of_the_single_side_to_the_last_micro_dollar() -> None:
    # 1 ETH (2,000) and 1 BTC (60,000) for 31,000 dollars: halves of their fair values, 1,000 and 30,000
    rows = [
        {"event_id": "p1", "fact_id": "f", "kind": "trade", "sent_asset": "ETH", "sent_quantity": "1"},
        {"event_id": "p2", "fact_id": "f", "kind": "trade", "sent_asset": "BTC", "sent_quantity": "1"},
        {"event_id": "p3", "fact_id": "f", "kind": "trade", "received_asset": "USD", "received_quantity": "31000"},
    ]
    by_id = dict(valued(*rows).select("event_id", "usd_value").iter_rows())
    assert (str(by_id["p1"]), str(by_id["p2"])) == ("1000.000000", "30000.000000")
    thirds = [{**row, "sent_quantity": "1", "sent_asset": "ETH"} for row in rows[:2]]
    odd = valued(*thirds, {**rows[2], "received_quantity": "0.000001"})
    assert str(odd.filter(pl.col("sent_asset") == "ETH")["usd_value"].sum()) == "0.000001"


def test_a_basket_beside_an_ordinary_event_stops_nobody() -> None:
    # one many-to-one exchange and one plain buy: the scaling concerns the basket alone
    basket = [
        {"event_id": "p1", "fact_id": "f", "kind": "trade", "sent_asset": "ETH", "sent_quantity": "1"},
        {"event_id": "p2", "fact_id": "f", "kind": "trade", "sent_asset": "BTC", "sent_quantity": "1"},
        {"event_id": "p3", "fact_id": "f", "kind": "trade", "received_asset": "USD", "received_quantity": "31000"},
    ]
    buy = {
        "event_id": "b",
        "kind": "buy",
        "sent_asset": "USD",
        "sent_quantity": "59",
        "received_asset": "BTC",
        "received_quantity": "1",
    }
    by_id = dict(valued(*basket, buy).select("event_id", "usd_value").iter_rows())
    assert {key: str(value) for key, value in by_id.items()} == {
        "p1": "1000.000000", "p2": "30000.000000", "p3": "31000.000000", "b": "59.000000",
    }  # fmt: skip


def test_a_purchase_in_euros_costs_the_euros_by_their_rate_and_not_the_coin_s_market_price() -> None:
    # IRC 1012: 40,000 EUR + 100 EUR fee at 1.10 cost 44,000 + 110, whatever the day's close of the coin
    buy = {
        "kind": "buy",
        "sent_asset": "EUR",
        "sent_quantity": "40000",
        "received_asset": "BTC",
        "received_quantity": "1",
    }
    row = valued({**buy, "fee_asset": "EUR", "fee_quantity": "100"})
    assert (str(row["usd_value"][0]), str(row["fee_usd_value"][0])) == ("44000.000000", "110.000000")
    sale = {
        "kind": "sell",
        "sent_asset": "BTC",
        "sent_quantity": "1",
        "received_asset": "EUR",
        "received_quantity": "40000",
    }
    assert str(valued(sale)["usd_value"][0]) == "44000.000000"


def test_price_rows_are_read_and_the_bad_ones_named() -> None:
    rows = pl.DataFrame(
        {
            "file": ["p.csv"] * 6 + ["q.csv"],
            "row_no": [2, 3, 4, 5, 6, 7, 2],
            "date": ["2025-03-01", None, "03/01/2025", "2025-03-01", "2025-03-01", "2025-03-01", "2025-03-01"],
            "time": [None, "2025-03-01T12:00:00-05:00", None, None, None, None, None],
            "asset": ["BTC", "BTC", "BTC", "BTC", "", "ETH", "ETH"],
            "usd": ["60000", "61000.5", "1", "-3", "4", "2000", "2001"],
            "source": [None, "feed", None, None, None, None, None],
        },
        schema_overrides={"row_no": pl.Int64},
    )
    table, rejected = prices.price_points(rows)
    assert [(a, str(t), str(u.normalize()), s) for a, t, u, s in table.iter_rows() if True] == [
        ("BTC", "2025-03-01 00:00:00+00:00", "6E+4", "file:p.csv"),
        ("BTC", "2025-03-01 17:00:00+00:00", "61000.5", "feed"),
        ("ETH", "2025-03-01 00:00:00+00:00", "2001", "file:q.csv"),
    ]
    assert rejected.select("file", "row_no").rows() == [("p.csv", 4), ("p.csv", 5), ("p.csv", 6), ("p.csv", 7)]
