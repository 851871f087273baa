"""Branches: the best sale of one return where lots are sold whole, in a forced order, or at a fixed cost a trade.

Branch and bound. A node says of each lot what part is sold at least and at most, and of each trade whether it is made; its
bound is the best sale were the rest free to choose (`cells`), with a fixed cost spread over the trade's lots. What that
sale breaks is decided one way in one node and the other way in another, the most promising node first. What a benefit is
lies in `valuation`, tables elsewhere.
"""

from __future__ import annotations

import heapq
from itertools import product
from typing import NamedTuple

import numpy as np

from transforms.cells import Bools, Costs, Floats, Problems, maximise
from transforms.forced import Lots
from transforms.law.parameters import Ints
from transforms.valuation import Outlook, Sales, evaluate

MOST_NODES = 300
"""For one return; what is then left open counts in the gap. A count, not a time: the same advice on any machine."""
MOST_PREFIXES, MOST_TRADES = 64, 16
"""Of the largest losses, with which the search begins; of the smallest trades of a sale, each of which is tried without."""
ENOUGH = 1.0
"""Cents: a node that could bring no more than so much above what is had is left."""
_CENT = 1.0


class Branched(NamedTuple):
    """The part of each lot to sell, what it brings and what no choice exceeds, cents.

    `undecided`: something better could be had by trades of several lots that must reach a least value.
    """

    parts: Floats
    value: float
    bound: float
    undecided: bool


class _Return(NamedTuple):
    """One return's lots, and what is asked of them time and again."""

    lots: Lots
    row: int
    view: Outlook
    sums: Floats
    """(lot, sum): what a lot moves, in the order of `Problems`."""
    chains: list[Ints]
    """The lots of each forced order, first to last."""
    opening: Ints
    """A lot of each trade."""


class _Node(NamedTuple):
    """Of each lot the least and the most part sold, and whether its trade is made."""

    low: Floats
    high: Floats
    made: Bools


class _Relaxed(NamedTuple):
    """The best sale of a node were the rest free to choose, what it pays of fixed costs, and what none exceeds."""

    parts: Floats
    paid: Floats
    bound: float


def solve(lots: Lots, row: int, view: Outlook) -> Branched:
    """The best parts of one return's lots.

    Args:
        lots: of the return `row`. Those not `decided` give up as much basis as they lose, none of it collectible.
        row: place of the return in `view`.
        view: the returns and the years after.

    Returns:
        `bound` is above `value` by more than `ENOUGH` where nodes or cells were left open, or trades `undecided`.
    """
    moved = np.stack([lots.short, lots.long, lots.collectible, lots.given_up, lots.collectible_given_up], axis=1)
    chains = [np.flatnonzero(lots.chain == chain) for chain in np.unique(lots.chain[lots.chain >= 0])]
    ordered = [chain[np.argsort(lots.place[chain], kind="stable")] for chain in chains]
    of = _Return(lots, row, view, moved, ordered, np.unique(lots.trade, return_index=True)[1])
    best, bound, undecided, seen = Branched(np.zeros(lots.short.size), 0.0, 0.0, undecided=False), 0.0, 0.0, 0
    best = _best_of(of, best, _prefixes(of))
    heap: list[tuple[float, int, _Node, _Relaxed]] = []
    waiting = _roots(of)
    while True:
        for node in waiting:
            relaxed, seen = _relaxed(of, node, best.value), seen + 1
            if relaxed.bound > best.value + ENOUGH:
                best = _better(of, best, relaxed)
                heapq.heappush(heap, (-relaxed.bound, seen, node, relaxed))
        if not heap or -heap[0][0] <= best.value + ENOUGH or seen >= MOST_NODES:
            break
        _, _, node, relaxed = heapq.heappop(heap)
        choices = _choices(of, node, relaxed)
        waiting = [kept for choice in choices or () if (kept := _kept(of, choice)) is not None]
        if choices is None:  # nothing is broken, or cannot be decided: what is better would be in here
            bound = max(bound, relaxed.bound)
            undecided = max(undecided, relaxed.bound if _small(of, relaxed.parts).any() else 0.0)
    bound = max(best.value, bound, -heap[0][0] if heap else 0.0)
    return best._replace(bound=bound, undecided=undecided > best.value + ENOUGH)


def _roots(of: _Return) -> list[_Node]:
    """Every way to decide what must be decided first."""
    first = np.flatnonzero(of.lots.decided)
    size = of.lots.short.size
    nodes = []
    for choice in product((0.0, 1.0), repeat=first.size):
        low, high = np.zeros(size), np.ones(size)
        low[first], high[first] = choice, choice
        nodes.append(_kept(of, _Node(low, high, np.zeros(size, np.bool_))))
    return [node for node in nodes if node is not None]


def _kept(of: _Return, node: _Node) -> _Node | None:
    """The node with what forced orders and least values then say; none where they contradict it."""
    low, high = node.low.copy(), node.high.copy()
    high[np.bincount(of.lots.trade, of.lots.value * high)[of.lots.trade] < of.lots.least - _CENT] = 0.0
    for trade in np.unique(of.lots.trade[node.made & (of.lots.least > 0)]):
        open_ = np.flatnonzero((of.lots.trade == trade) & (high > 0))
        if open_.size == 1:
            low[open_] = np.maximum(low[open_], np.minimum(1.0, of.lots.least[open_] / of.lots.value[open_]))
    for chain in of.chains:
        sold = np.flatnonzero(low[chain] > 0)
        low[chain[: sold[-1] if sold.size else 0]] = 1.0
        kept = np.flatnonzero(high[chain] < 1)
        high[chain[kept[0] + 1 if kept.size else chain.size :]] = 0.0
    return None if (low > high).any() else _Node(low, high, node.made | _touched(of, low))


def _touched(of: _Return, parts: Floats) -> Bools:
    """Of each lot whether its trade sells something."""
    found: Bools = np.bincount(of.lots.trade, parts > 0)[of.lots.trade] > 0
    return found


def _fees(of: _Return, touched: Bools) -> float:
    """The fixed costs of these trades, each counted once."""
    return float(of.lots.fixed[of.opening] @ touched[of.opening])


# --- the bound of a node -----------------------------------------------------------------------------------------------


def _relaxed(of: _Return, node: _Node, known: float) -> _Relaxed:
    lots, span = of.lots, node.high - node.low
    loss = (lots.short + lots.long) * span
    amount = np.abs(loss)
    all_of_trade = np.bincount(lots.trade, amount)[lots.trade]
    spread = np.where(node.made | (amount == 0), 0.0, lots.fixed * amount / np.maximum(all_of_trade, _CENT))
    side = np.where(amount > 0, np.where(lots.long != 0, 2, 0) + (loss < 0), 4)
    rate = (lots.cost * span + spread) / np.maximum(amount, 1e-9)
    order = np.lexsort((rate, side))
    start, stop = (np.searchsorted(side[order], np.arange(4), where) for where in ("left", "right"))
    total, spent = np.zeros(amount.size), np.zeros(amount.size)
    for first, last in zip(start, stop, strict=True):
        mine = order[first:last]
        total[first:last], spent[first:last] = np.cumsum(amount[mine]), np.cumsum((rate * amount)[mine])
    costs = Costs(total, spent, rate[order], start[None], stop[None])
    sunk = float(lots.cost @ node.low) + _fees(of, node.made)
    sums = np.rint(node.low @ of.sums).astype(np.int64)
    found = maximise(Problems(np.array([of.row]), *sums[:, None]), costs, of.view, np.array([known + sunk]))
    wanted = np.zeros(5)
    for term, net in enumerate((int(found.short[0]), int(found.long[0]))):
        wanted[2 * term + (net < 0)] = abs(net)
    before = np.zeros(amount.size)
    before[order] = total - amount[order]
    sold = np.clip(wanted[side] - before, 0.0, amount)
    sold = np.where(sold < _CENT / 2, 0.0, np.where(sold > amount - _CENT, amount, sold))
    filled = sold / np.maximum(amount, 1e-9)
    return _Relaxed(node.low + span * filled, spread * filled, float(found.bound[0]) - sunk)


# --- sales that can be made --------------------------------------------------------------------------------------------


def _better(of: _Return, best: Branched, relaxed: _Relaxed) -> Branched:
    """The best so far, or what a node's sale becomes where it is made to keep the rules."""
    down, up = _allowed(of, relaxed.parts, up=False), _allowed(of, relaxed.parts, up=True)
    moved = np.bincount(of.lots.trade, np.abs(of.lots.short + of.lots.long) * down)
    paid = np.unique(of.lots.trade[(of.lots.fixed > 0) & (down > 0)])
    paid = paid[np.argsort(moved[paid], kind="stable")[:MOST_TRADES]]
    without = [np.where(of.lots.trade == trade, 0.0, down) for trade in paid]
    return _best_of(of, best, [down, up, *(_allowed(of, parts, up=False) for parts in without)])


def _prefixes(of: _Return) -> list[Floats]:
    """Whole lots, the largest loss first and forced orders in theirs: what a list of losses would sell."""
    loss = of.lots.short + of.lots.long
    for chain in of.chains:
        loss[chain] = loss[chain].sum()
    order = np.lexsort((of.lots.place, of.lots.chain, -loss))
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    counts = range(1, min(order.size, MOST_PREFIXES) + 1)
    return [_allowed(of, (rank < count).astype(np.float64), up=False) for count in counts]


def _best_of(of: _Return, best: Branched, tries: list[Floats]) -> Branched:
    """The best so far, or the best of some sales that can be made."""
    parts = np.stack(tries)
    sums = np.rint(parts @ of.sums).astype(np.int64)
    cost = np.array([float(of.lots.cost @ each) + _fees(of, _touched(of, each)) for each in tries])
    short, long, collectible, given_up, collectible_given_up = sums.T
    sales = Sales(
        np.full(len(tries), of.row), short, long, collectible, given_up, np.rint(cost).astype(np.int64), collectible_given_up
    )  # fmt: skip
    values = evaluate(of.view, sales).net_benefit
    most = int(values.argmax())
    return best._replace(parts=parts[most], value=float(values[most])) if values[most] > best.value else best


def _allowed(of: _Return, parts: Floats, *, up: bool) -> Floats:
    """The parts made such that they can be sold: by more (`up`) or less of the lots that break a rule."""
    lots = of.lots
    parts = np.where((lots.indivisible | lots.decided) & (parts < 1), float(up) * (parts > 0), parts)
    for chain in of.chains if up else []:
        sold = np.flatnonzero(parts[chain] > 0)
        parts[chain[: sold[-1] if sold.size else 0]] = 1.0
    while True:
        for chain in of.chains:
            kept = np.flatnonzero(parts[chain] < 1)
            parts[chain[kept[0] + 1 if kept.size else chain.size :]] = 0.0
        small = _small(of, parts)
        if not small.any():
            return parts
        parts[small] = 0.0


def _small(of: _Return, parts: Floats) -> Bools:
    """Of each lot whether it is sold in a trade that stays below its least value."""
    sold = np.bincount(of.lots.trade, of.lots.value * parts)[of.lots.trade]
    found: Bools = (sold < of.lots.least - _CENT) & (parts > 0)
    return found


# --- what is decided next ----------------------------------------------------------------------------------------------


def _choices(of: _Return, node: _Node, relaxed: _Relaxed) -> tuple[_Node, _Node] | None:
    """The two nodes that decide what the node's sale breaks first; none where it breaks nothing, or it cannot be decided."""
    lots, parts = of.lots, relaxed.parts
    cut = np.flatnonzero(lots.indivisible & (parts > 0) & (parts < 1))
    if cut.size:
        lot = cut[[np.abs(lots.short + lots.long)[cut].argmax()]]
        return _sold(node, lot), _left(node, lot)
    for chain in of.chains:
        kept = np.flatnonzero(parts[chain] < 1)
        if kept.size and (parts[chain[kept[0] :]][1:] > 0).any():
            return _sold(node, chain[[kept[0]]]), _left(node, chain[kept[0] + 1 :])
    touched = _touched(of, parts) & ~node.made
    owed = np.where(touched, lots.fixed - np.bincount(lots.trade, relaxed.paid)[lots.trade], 0.0)
    owed = np.where(_small(of, parts) & ~node.made, np.maximum(owed, 2 * _CENT), owed)
    if owed.max(initial=0.0) <= _CENT:
        return None
    trade = lots.trade == lots.trade[owed.argmax()]
    return node._replace(made=node.made | trade), _left(node, np.flatnonzero(trade))


def _sold(node: _Node, lot: Ints) -> _Node:
    low = node.low.copy()
    low[lot] = 1.0
    return node._replace(low=low)


def _left(node: _Node, lots: Ints) -> _Node:
    high = node.high.copy()
    high[lots] = 0.0
    return node._replace(high=high)
