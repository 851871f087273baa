"""Branches: the best sale of one return where lots are sold whole, in a forced order, or at a fixed cost a trade.

Branch and bound. A node says of each lot what part is sold at least and at most, and of each trade whether it is made; its
bound is the best sale were the rest free to choose (`cells`), with a fixed cost spread over the trade's lots, of a forced
order whatever any of its beginnings moves of each term, for the least that one spends on it, and of what else a lot moves
(28 % gains, the basis of a gift that has two) only the good. What that sale breaks or leaves out is decided one way in one
node and the other way in another, the most promising node first. What a benefit is lies in `valuation`, tables elsewhere.
"""

from __future__ import annotations

import heapq
from itertools import product
from typing import NamedTuple

import numpy as np

from transforms.cells import NOISE, Bools, Costs, Floats, Problems, maximise
from transforms.forced import Lots
from transforms.law.parameters import Ints
from transforms.valuation import Outlook, Sales, evaluate

MOST_NODES = 300
"""For one return; what is then left open counts in the gap. A count, not a time: the same advice on any machine."""
MOST_PREFIXES, MOST_TRADES = 64, 16
"""Of the largest losses, with which the search begins, and of an order; of a sale's trades, each of which is tried without."""
ENOUGH = 1.0
"""Cents: a node that could bring no more than so much above what is had is left."""
MOST_MOVED, _FINEST = 64, 2.0**-20
"""Lots that are moved one by one where gifts leave a gap, and the smallest part of one that is moved."""
_CENT = 1.0
_COLLECTIBLE = 2
"""The place of the collectible loss in the sums, the only one but the nets of which more is better."""


class Branched(NamedTuple):
    """The part of each lot to sell, what it brings and what no choice exceeds, cents."""

    parts: Floats
    value: float
    bound: float


class _Return(NamedTuple):
    """One return's lots, and what is asked of them time and again."""

    lots: Lots
    row: int
    view: Outlook
    sums: Floats
    """(lot, sum): what a lot moves, in the order of `Problems`."""
    beside: Floats
    """(lot, sum): of these what it moves beside a net loss that gives up as much basis: nothing, of most lots."""
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
    """The best sale of a node were the rest free to choose, what it pays of fixed costs, and what none exceeds.

    `split`: the lots of a forced order, where what is sold of it comes least near to what the sale takes of it.
    `left_out`: of each lot what it moves beside the nets, as far as the bound takes it for better than it is.
    """

    parts: Floats
    paid: Floats
    bound: float
    split: tuple[Ints, Ints] | None
    left_out: Floats


class _Path(NamedTuple):
    """A forced order's lots that are still open, and what is moved and spent up to each: (lots + 1)."""

    lots: Ints
    short: Floats
    long: Floats
    spent: Floats


class _Pieces(NamedTuple):
    """What net losses are made of, one place each: lots, or what a forced order can at best bring of a term.

    `owner`: the lot, or the chain; `side` as in `Costs`, 4 for what moves nothing.
    """

    owner: Ints
    side: Ints
    amount: Floats
    rate: Floats


def solve(lots: Lots, row: int, view: Outlook) -> Branched:
    """The best parts of one return's lots.

    Args:
        lots: of the return `row`. What is collectible but not `decided` is searched without proof: how a collectible bends
            the law is not monotone (in Massachusetts a gain at 28 % can be taxed less than another).
        row: place of the return in `view`.
        view: the returns and the years after.

    Returns:
        `bound` is above `value` by more than `ENOUGH` where nodes or cells were left open.
    """
    moved = np.stack([lots.short, lots.long, lots.collectible, lots.given_up, lots.collectible_given_up], axis=1)
    chains = [np.flatnonzero(lots.chain == chain) for chain in np.unique(lots.chain[lots.chain >= 0])]
    ordered = [chain[np.argsort(lots.place[chain], kind="stable")] for chain in chains]
    of = _Return(lots, row, view, moved, _beside(lots), ordered, np.unique(lots.trade, return_index=True)[1])
    best, bound, seen = Branched(np.zeros(lots.short.size), 0.0, 0.0), 0.0, 0
    best = _improved(of, best, _prefixes(of))
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
        if choices is None:  # nothing is broken: what is better would be in here
            bound = max(bound, relaxed.bound)
    bound = max(bound, -heap[0][0] if heap else 0.0)
    if bound > best.value + NOISE and of.beside.any():
        best = _polished(of, best)
    return best._replace(bound=max(best.value, bound))


def _beside(lots: Lots) -> Floats:
    nothing = np.zeros(lots.short.size)
    given_up = lots.given_up - lots.short - lots.long
    return np.stack([nothing, nothing, lots.collectible, given_up, lots.collectible_given_up], axis=1)


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
    amount = np.abs((lots.short + lots.long) * span)
    all_of_trade = np.bincount(lots.trade, amount)[lots.trade]
    spread = np.where(node.made | (amount == 0), 0.0, lots.fixed * amount / np.maximum(all_of_trade, _CENT))
    paths = [_path(of, chain[span[chain] > 0], span, spread) for chain in of.chains]
    pieces = _pieces(of, span, spread, paths)
    order = np.lexsort((pieces.rate, pieces.side))
    side, rate, amount = pieces.side[order], pieces.rate[order], pieces.amount[order]
    start, stop = (np.searchsorted(side, np.arange(4), where) for where in ("left", "right"))
    total, spent = np.zeros(amount.size), np.zeros(amount.size)
    for first, last in zip(start, stop, strict=True):
        total[first:last], spent[first:last] = np.cumsum(amount[first:last]), np.cumsum((rate * amount)[first:last])
    costs = Costs(total, spent, rate, start[None], stop[None])
    sunk = float(lots.cost @ node.low) + _fees(of, node.made)
    good = _only_good(of.beside) * span[:, None]
    sums = np.rint(node.low @ of.sums + good.sum(axis=0)).astype(np.int64)
    found = maximise(Problems(np.array([of.row]), *sums[:, None]), costs, of.view, np.array([known + sunk]))
    wanted = np.zeros(5)
    for term, net in enumerate((int(found.short[0]), int(found.long[0]))):
        wanted[2 * term + (net < 0)] = abs(net)
    sold = np.clip(wanted[side] - (total - amount), 0.0, amount)
    sold = np.where(sold < _CENT / 2, 0.0, np.where(sold > amount - _CENT, amount, sold))
    taken = np.zeros(amount.size)
    taken[order] = sold
    filled, split = _filled(of, pieces, taken, paths)
    left_out = np.abs(of.beside * (span * filled)[:, None] - good).sum(axis=1)
    return _Relaxed(node.low + span * filled, spread * filled, float(found.bound[0]) - sunk, split, left_out)


def _only_good(beside: Floats) -> Floats:
    """Loss at 28 % without the gain at 28 %, and less basis given up without more: at best a sale moves so much."""
    return np.where(np.arange(beside.shape[1]) == _COLLECTIBLE, np.maximum(beside, 0.0), np.minimum(beside, 0.0))


def _path(of: _Return, chain: Ints, span: Floats, spread: Floats) -> _Path:
    def up_to(amounts: Floats) -> Floats:
        return np.concatenate([[0.0], np.cumsum((amounts * span)[chain])])

    return _Path(
        chain, up_to(of.lots.short), up_to(of.lots.long), up_to(of.lots.cost + spread / np.maximum(span, 1e-9))
    )


def _pieces(of: _Return, span: Floats, spread: Floats, paths: list[_Path]) -> _Pieces:
    """Lots free to choose as they are; of a forced order, for each term, the least that any of its beginnings spends."""
    lots, free = of.lots, np.flatnonzero((of.lots.chain < 0) & (span > 0))
    loss = ((lots.short + lots.long) * span)[free]
    amount = np.abs(loss)
    side = np.where(amount > 0, np.where(lots.long[free] != 0, 2, 0) + (loss < 0), 4)
    rate = (lots.cost * span + spread)[free] / np.maximum(amount, 1e-9)
    found = [_Pieces(free, side, amount, rate)]
    for number, path in enumerate(paths):
        is_short = lots.short[path.lots] != 0
        for term, net in enumerate((path.short, path.long)):
            own = np.concatenate([[0.0], np.cumsum(np.diff(path.spent) * (is_short == (term == 0)))])
            for below in (0, 1):
                sizes, rates = _envelope(-net if below else net, own)
                of_them = np.full(sizes.size, -1 - number), np.full(sizes.size, 2 * term + below)
                found.append(_Pieces(*of_them, sizes, rates))
    return _Pieces(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _envelope(net: Floats, spent: Floats) -> tuple[Floats, Floats]:
    """The convex lower envelope of what is spent over nets of zero and more: lengths and slopes, the cheapest first."""
    lengths: list[float] = []
    slopes: list[float] = []
    x, y = 0.0, 0.0
    while True:
        ahead = np.flatnonzero(net > x)
        if not ahead.size:
            return np.array(lengths), np.array(slopes)
        slope = (spent[ahead] - y) / (net[ahead] - x)
        least = slope.min()
        far = ahead[slope <= least]
        at = far[net[far].argmax()]
        lengths.append(net[at] - x)
        slopes.append(max(0.0, least))
        x, y = net[at], spent[at]


def _filled(of: _Return, pieces: _Pieces, taken: Floats, paths: list[_Path]) -> tuple[Floats, tuple[Ints, Ints] | None]:
    """What part of each lot's span is sold, forced orders up to where they come nearest, and which of them is to split."""
    filled = np.zeros(of.lots.short.size)
    free = pieces.owner >= 0
    filled[pieces.owner[free]] = taken[free] / np.maximum(pieces.amount[free], 1e-9)
    net, split, most = np.where(pieces.side % 2 == 1, -taken, taken), None, _CENT
    for number, path in enumerate(paths):
        if not path.lots.size:
            continue
        mine = pieces.owner == -1 - number
        short, long = (float(net[mine & (pieces.side // 2 == term)].sum()) for term in (0, 1))
        at, part, miss = _nearest(path, short, long, float((taken * pieces.rate)[mine].sum()))
        filled[path.lots[:at]], filled[path.lots[at]] = 1.0, part
        if miss > most and path.lots.size > 1:
            cut = min(max(at + round(part), 1), path.lots.size - 1)
            most, split = miss, (path.lots[:cut], path.lots[cut:])
    return filled, split


def _nearest(path: _Path, short: float, long: float, paid: float) -> tuple[int, float, float]:
    """How many lots of a path, and what part of the next, come nearest to these nets; and by how much they miss, cost too."""
    step_short, step_long = np.diff(path.short), np.diff(path.long)
    # a lot moves one of the two: so far on the way through it that this one is as wanted
    ahead = np.sign(step_short) * (short - path.short[:-1]) + np.sign(step_long) * (long - path.long[:-1])
    part = np.clip(ahead / np.maximum(np.abs(step_short) + np.abs(step_long), 1e-9), 0.0, 1.0)
    off = np.abs(path.short[:-1] + part * step_short - short) + np.abs(path.long[:-1] + part * step_long - long)
    at = int(off.argmin())
    spent = path.spent[at] + part[at] * (path.spent[at + 1] - path.spent[at])
    return at, float(part[at]), float(off[at]) + max(0.0, float(spent) - paid)


# --- sales that can be made --------------------------------------------------------------------------------------------


def _better(of: _Return, best: Branched, relaxed: _Relaxed) -> Branched:
    """The best so far, or what a node's sale becomes where it is made to keep the rules."""
    down, up = _allowed(of, relaxed.parts, up=False), _allowed(of, relaxed.parts, up=True)
    more = [_allowed(of, parts, up=False) for parts in _topped_up(of, relaxed.parts)]
    return _improved(of, best, [down, up, *more, *_without(of, down)])


def _improved(of: _Return, best: Branched, tries: list[Floats]) -> Branched:
    """The best so far, or the best of some sales, and of those near it: one trade less, one order sold further or less."""
    found = _best_of(of, best, tries)
    while found.value > best.value:
        best = found
        for near in [_without(of, best.parts), *(_shifted(of, best.parts, chain) for chain in of.chains)]:
            found = _best_of(of, found, near)
    return found


def _polished(of: _Return, best: Branched) -> Branched:
    """The best so far with more or less of single lots, by ever smaller steps: halves of many gifts come no nearer."""
    order = np.lexsort((-of.lots.value, ~of.beside.any(axis=1)))
    moved = np.eye(order.size)[order[~of.lots.indivisible[order]][:MOST_MOVED]]
    step = 0.5
    while step > _FINEST:
        tries = np.clip(best.parts + step * np.concatenate([moved, -moved]), 0.0, 1.0)
        found = _best_of(of, best, [_allowed(of, parts, up=False) for parts in tries])
        step = step if found.value > best.value else step / 2
        best = found
    return best


def _without(of: _Return, parts: Floats) -> list[Floats]:
    """The parts without one of the smallest trades that cost a fee."""
    moved = np.bincount(of.lots.trade, np.abs(of.lots.short + of.lots.long) * parts)
    paid = np.unique(of.lots.trade[(of.lots.fixed > 0) & (parts > 0)])
    paid = paid[np.argsort(moved[paid], kind="stable")[:MOST_TRADES]]
    return [_allowed(of, np.where(of.lots.trade == trade, 0.0, parts), up=False) for trade in paid]


def _topped_up(of: _Return, parts: Floats) -> list[Floats]:
    """The parts with more of one lot, by which a trade reaches its least value: of those that lose or gain least by it."""
    lots = of.lots
    too_little = np.bincount(lots.trade, _small(of, parts))[lots.trade] > 0
    sold = np.bincount(lots.trade, lots.value * parts)[lots.trade]
    more = (lots.least - sold) / np.maximum(lots.value, _CENT)
    able = np.flatnonzero(too_little & (parts + more <= 1))
    per_dollar = np.abs(lots.short + lots.long)[able] / np.maximum(lots.value[able], _CENT)
    able = able[np.argsort(per_dollar, kind="stable")[:MOST_TRADES]]
    return [parts + more * (np.arange(parts.size) == lot) for lot in able]


def _shifted(of: _Return, parts: Floats, chain: Ints) -> list[Floats]:
    """The parts with one forced order sold up to others of its lots: those beside the last one sold, and some of all."""
    last, beside = int((parts[chain] > 0).sum()), MOST_PREFIXES // 4
    ends = np.append(np.linspace(0, chain.size, MOST_PREFIXES // 2), np.arange(last - beside, last + beside))
    tries = []
    for sold in np.unique(np.clip(ends.astype(np.int64), 0, chain.size)):
        other = parts.copy()
        other[chain] = np.arange(chain.size) < sold
        tries.append(_allowed(of, other, up=False))
    return tries


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
    if not tries:
        return best
    parts = np.stack(tries)
    values = _values(of, parts, np.array([_fees(of, _touched(of, each)) for each in tries]))
    most = int(values.argmax())
    return best._replace(parts=parts[most], value=float(values[most])) if values[most] > best.value else best


def _values(of: _Return, parts: Floats, fees: Floats) -> Ints:
    """Net benefit of sales: (sale)."""
    short, long, collectible, given_up, collectible_given_up = np.rint(parts @ of.sums).astype(np.int64).T
    cost = np.rint(parts @ of.lots.cost + fees).astype(np.int64)
    row = np.full(cost.size, of.row)
    return evaluate(of.view, Sales(row, short, long, collectible, given_up, cost, collectible_given_up)).net_benefit


def _allowed(of: _Return, parts: Floats, *, up: bool) -> Floats:
    """The parts made such that they can be sold: by more (`up`) or less of the lots that break a rule."""
    lots = of.lots
    parts = np.where(lots.indivisible & (parts < 1), float(up) * (parts > 0), parts)
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
    if relaxed.split is not None:
        return _sold(node, relaxed.split[0]), _left(node, relaxed.split[1])
    touched = _touched(of, parts) & ~node.made
    owed = np.where(touched, lots.fixed - np.bincount(lots.trade, relaxed.paid)[lots.trade], 0.0)
    small = _small(of, parts)
    owed = np.where(small & ~node.made, np.maximum(owed, 2 * _CENT), owed)
    if owed.max(initial=0.0) > _CENT:
        trade = lots.trade == lots.trade[owed.argmax()]
        return node._replace(made=node.made | trade), _left(node, np.flatnonzero(trade))
    if _is_too_good(of, node, relaxed):
        return _halved(of, node, relaxed.left_out)
    in_small = np.bincount(lots.trade, small)[lots.trade] > 0
    return _halved(of, node, np.where(in_small, lots.value * (node.high - node.low), 0.0))


def _is_too_good(of: _Return, node: _Node, relaxed: _Relaxed) -> bool:
    """Whether the node's sale, could it be made, would bring less than its bound, for all that it moves."""
    if relaxed.left_out.max() <= _CENT:
        return False
    fees = np.array([_fees(of, node.made) + relaxed.paid.sum()])
    return bool(_values(of, relaxed.parts[None], fees)[0] < relaxed.bound - NOISE)


def _halved(of: _Return, node: _Node, size: Floats) -> tuple[_Node, _Node] | None:
    """At least, or at most, half of what is open of the lot where most is at stake."""
    most = int(size.argmax())
    if size[most] <= _CENT:
        return None
    lot, middle = np.array([most]), float(node.low[most] + node.high[most]) / 2
    least, at_most = (1.0, 0.0) if of.lots.indivisible[most] else (middle, middle)
    return _sold(node, lot, least), _left(node, lot, at_most)


def _sold(node: _Node, lots: Ints, least: float = 1.0) -> _Node:
    low = node.low.copy()
    low[lots] = least
    return node._replace(low=low)


def _left(node: _Node, lots: Ints, most: float = 0.0) -> _Node:
    high = node.high.copy()
    high[lots] = most
    return node._replace(high=high)
