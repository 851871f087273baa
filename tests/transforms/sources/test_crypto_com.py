"""Crypto.com's kinds: what each means, and the swaps that are told twice."""

from __future__ import annotations

import pytest
from golden import DATA, read, read_text, reasons, sides

HEADER = "Timestamp (UTC),Transaction Description,Currency,Amount,To Currency,To Amount,Native Currency,Native Amount,Native Amount (in USD),Transaction Kind"
APP = DATA / "crypto_com" / "app.csv"


def test_a_purchase_by_card_cost_its_native_amount() -> None:
    assert sides(read(APP))[:2] == [(2, "sent", "USD", "300"), (2, "received", "BTC", "0.01")]


@pytest.mark.parametrize(
    ("kind", "amount", "role", "booked"),
    [
        ("crypto_earn_interest_paid", "1", "received", "interest"), ("mco_stake_reward", "1", "received", "staking"),
        ("referral_gift", "1", "received", "reward"), ("reimbursement", "1", "received", "reward"),
        ("reimbursement_reverted", "-1", "sent", "withdrawal"), ("crypto_payment", "-1", "sent", "spend"),
        ("card_top_up", "-1", "sent", "spend"), ("crypto_transfer", "-1", "sent", "withdrawal"),
        ("crypto_transfer", "1", "received", "deposit"), ("crypto_payment_refund", "1", "received", "deposit"),
        ("exchange_to_crypto_transfer", "1", "received", "transfer_in"),
        ("crypto_to_exchange_transfer", "-1", "sent", "transfer_out"),
    ],
)  # fmt: skip
def test_a_kind_decides(kind: str, amount: str, role: str, booked: str) -> None:
    reading = read_text(f"{HEADER}\n2021-02-01 10:00:00,x,CRO,{amount},,,USD,1,1,{kind}\n")
    assert reading.legs.select("role", "kind").rows() == [(role, booked)]


@pytest.mark.parametrize("kind", ["lockup_lock", "crypto_earn_program_created", "supercharger_deposit", "trading.limit_order.fiat_wallet.sell_lock"])  # fmt: skip
def test_what_stays_in_the_account_is_ignored(kind: str) -> None:
    reading = read_text(f"{HEADER}\n2021-02-01 10:00:00,x,CRO,-1,,,USD,1,1,{kind}\n")
    assert sides(reading) == []
    assert 2 in reasons(reading, "ignored")


def test_dust_of_one_second_is_one_exchange() -> None:
    legs = read(APP).legs
    dust = legs.filter(legs["row_no"].is_in([5, 6, 7]))
    assert dust["group_key"].n_unique() == 1
    assert dust.select("role", "asset").rows() == [("received", "CRO"), ("sent", "UNI"), ("sent", "DOT")]


def test_an_overall_swap_is_not_counted_beside_its_parts() -> None:
    # 50 of the stake and 0.01 of the wallet: the overall swap says 50.01 once more
    reading = read(APP)
    sent = [quantity for _, role, asset, quantity in sides(reading) if (role, asset) == ("sent", "MCO")]
    assert sent == ["50", "0.01"]
    alone = read_text(
        f"{HEADER}\n2020-08-06 16:09:25,x,CRO,1301.64,,,USD,2,2,dynamic_coin_swap_credited\n"
        "2020-08-06 16:09:25,x,MCO,-50,,,USD,2,2,dynamic_coin_swap_debited\n"
    )
    assert alone.legs["kind"].to_list() == ["migration", "migration"]


def test_a_kind_that_nobody_knows_and_an_amount_of_the_wrong_direction_are_rejected() -> None:
    row = "2021-02-01 10:00:00,x,CRO,{},,,USD,1,1,{}"
    reading = read_text("\n".join([HEADER, row.format(1, "new_kind"), row.format(-1, "referral_gift")]))
    assert sides(reading) == []
    assert list(reasons(reading, "rejected")) == [2, 3]


def test_names_as_r_writes_them_are_the_same_names() -> None:
    dotted = "Timestamp..UTC.,Transaction.Description,Currency,Amount,To.Currency,To.Amount,Native.Currency,Native.Amount,Native.Amount..in.USD.,Transaction.Kind,Transaction.Hash"
    reading = read_text(f"{dotted}\n2021-02-01 10:00:00,x,CRO,1,,,USD,1,1,referral_gift,\n")
    assert sides(reading) == [(2, "received", "CRO", "1")]
