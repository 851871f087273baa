"""RP2 (PyPI `rp2`), asked for its opinion of one taxpayer's movements of one asset. No expectation belongs here.

RP2 keeps one queue a coin over all wallets, that is universal mode; its engine is called in memory. `history` builds what
it takes (parsing included), `match` is its tax computation of that (what a benchmark times), `pairs` reads its answer:

    pairs(history([Row("buy", "acquire", at, Decimal(1), Decimal(60_000), Decimal(120)), ...]), "hifo")
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from contextlib import chdir
from decimal import Decimal, localcontext
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

# At its import RP2 makes a folder `log` where it stands, and raises the precision of the thread's decimals to its own:
# the one goes to a folder that is thrown away, the other stays in a context that is entered for RP2 alone.
with TemporaryDirectory() as _thrown_away, chdir(_thrown_away), localcontext() as _context:
    from prezzemolo.avl_tree import AVLTree
    from rp2.accounting_engine import AccountingEngine
    from rp2.configuration import Configuration
    from rp2.gain_loss_set import GainLossSet
    from rp2.in_transaction import InTransaction
    from rp2.input_data import InputData
    from rp2.out_transaction import OutTransaction
    from rp2.plugin.country.us import US
    from rp2.rp2_decimal import RP2Decimal
    from rp2.rp2_error import RP2ValueError
    from rp2.tax_engine import compute_tax
    from rp2.transaction_set import TransactionSet

    RP2_CONTEXT = _context.copy()
    for _handler in list(logging.getLogger("rp2").handlers):
        logging.getLogger("rp2").removeHandler(_handler)
        _handler.close()
    logging.getLogger("rp2").setLevel(logging.WARNING)  # a debug line of RP2 spells out every pair

__all__ = ["METHODS", "History", "Pair", "RP2ValueError", "Row", "history", "match", "pairs"]

METHODS = ("fifo", "lifo", "hifo", "lofo")
ASSET, EXCHANGE, HOLDER = "BTC", "exchange", "holder"


class Row(NamedTuple):
    """A movement, in the order of the book.

    `amount` is dollars without the fee: what was paid, or what came in. `fee` is dollars beside it.
    """

    name: str
    kind: str
    """acquire or dispose"""
    at: dt.datetime
    """An instant with its time zone."""
    quantity: Decimal
    amount: Decimal
    fee: Decimal = Decimal(0)


class Pair(NamedTuple):
    """A piece as RP2 sees it: names of the rows, its exact (unrounded) shares of basis and proceeds, long or short."""

    disposal: str
    acquisition: str
    quantity: Decimal
    basis: Decimal
    proceeds: Decimal
    term: str


class History(NamedTuple):
    """What RP2 takes, and the names of its rows by number."""

    data: InputData
    names: list[str]


def history(rows: Iterable[Row]) -> History:
    """RP2's transactions of rows, the first of which is an acquisition; raises RP2ValueError where RP2 takes none."""
    names = []
    with localcontext(RP2_CONTEXT):
        sets = {name: TransactionSet(_configuration(), name, ASSET) for name in ("in", "out", "intra")}
        for number, row in enumerate(rows):
            names.append(row.name)
            acquired = row.kind == "acquire"
            sets["in" if acquired else "out"].add_entry((_acquired if acquired else _disposed)(number, row))
        return History(InputData(ASSET, sets["in"], sets["out"], sets["intra"]), names)


def match(given: History, method: str) -> GainLossSet:
    """RP2's own pairs of a history by one of METHODS; raises RP2ValueError where more was disposed of than acquired.

    This is its public `compute_tax`: the matching, then yearly totals, balances and running sums, as our book has its
    tables of lots held at year ends.
    """
    methods: AVLTree[int, Any] = AVLTree()
    methods.insert_node(1970, import_module(f"rp2.plugin.accounting_method.{method}").AccountingMethod())
    with localcontext(RP2_CONTEXT):
        return compute_tax(_configuration(), AccountingEngine(methods), given.data).gain_loss_set


def pairs(given: History, method: str) -> list[Pair]:
    """What RP2 pairs, in its order: by disposal, within one in the order in which it took the lots."""
    found = match(given, method)
    with localcontext(RP2_CONTEXT):
        return [
            Pair(
                given.names[piece.taxable_event.row], given.names[piece.acquired_lot.row], Decimal(piece.crypto_amount),
                Decimal(piece.fiat_cost_basis), Decimal(piece.taxable_event_fiat_amount_with_fee_fraction),
                "long" if piece.is_long_term_capital_gains() else "short",
            )
            for piece in found
        ]  # fmt: skip


def _acquired(number: int, row: Row) -> InTransaction:
    return InTransaction(
        _configuration(), row.at.isoformat(), ASSET, EXCHANGE, HOLDER, "buy", RP2Decimal(row.amount / row.quantity),
        RP2Decimal(row.quantity), fiat_in_no_fee=RP2Decimal(row.amount), fiat_fee=RP2Decimal(row.fee), row=number,
    )  # fmt: skip


def _disposed(number: int, row: Row) -> OutTransaction:
    return OutTransaction(
        _configuration(), row.at.isoformat(), ASSET, EXCHANGE, HOLDER, "sell", RP2Decimal(row.amount / row.quantity),
        RP2Decimal(row.quantity), RP2Decimal(0), fiat_out_no_fee=RP2Decimal(row.amount), fiat_fee=RP2Decimal(row.fee),
        row=number,
    )  # fmt: skip


@cache
def _configuration() -> Configuration:
    """RP2 reads the names that it may meet from a file, once; the columns of its spreadsheets must be named too."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "rp2.ini")
        headers = "".join(f"[{name}_header]\ntimestamp = 0\n" for name in ("in", "out", "intra"))
        path.write_text(
            f"[general]\nassets = {ASSET}\nexchanges = {EXCHANGE}\nholders = {HOLDER}\n{headers}", encoding="utf-8"
        )
        return Configuration(str(path), US())
