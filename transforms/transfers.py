"""Transfers: pairs the withdrawal and the deposit that are one move of a client or of a couple. No lots here."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from schemas.fields import FIAT, QUANTITY
from schemas.gate import conform
from schemas.ledger import Transfers
from transforms.ids import content_id

OUT_KINDS = ("withdrawal", "transfer_out")
IN_KINDS = ("deposit", "transfer_in")
_GIVEN = ("gift_out",)
_TAKEN = ("gift_in",)
"""Kinds that are a move too where the other end is the spouse's: a gift between spouses is one (IRC 1015(e), 1041)."""
NO_COUPLES = pl.DataFrame(schema={"return_id": pl.String, "tax_year": pl.Int64, "taxpayer_id": pl.String})
NO_RECORDS = pl.DataFrame(schema={"event_id": pl.String, "tx_id": pl.String, "origin": pl.String})
NO_ASSETS = pl.DataFrame(schema={"asset": pl.String, "class": pl.String, "represents": pl.String})
ONE_TO_ONE = ("wrapped", "bridged")
"""Classes of tokens of which one stands for one coin: their amounts can be compared over a bridge."""
WINDOW_AFTER = pl.duration(hours=48)
"""A deposit is booked at most so long after the withdrawal."""
WINDOW_BEFORE = pl.duration(hours=1)
"""And at most so long before it: exchanges book withdrawals when the block is confirmed."""
TOLERANCE_PER_MILLE = 10
"""What arrives may fall short of what left, beyond a stated fee, by a fee inside the amount of at most 1 %."""
_ENDS = ("out_event_id", "in_event_id")
_APART = 5
"""What a pair by amount scores less where the other end is the spouse's: one's own account comes first."""
_BRIDGED = 25
"""And where what arrived is another token of the coin: never sure, always asked."""
SURE = 70
"""A transfer with a lower score rests on time and a near amount alone."""


class Matched(NamedTuple):
    """The transfers, and what looks like a move but was not booked as one."""

    transfers: pl.DataFrame
    """schemas.ledger.Transfers."""
    ambiguous: pl.DataFrame
    """event_id, asset, candidates: ends of equally good pairings, or of one hash whose amounts do not fit."""
    crossing: pl.DataFrame
    """event_id, asset: both ends of a move between accounts of different treatment. By law units that leave an IRA or
    HSA are distributed and units that enter are contributed: no basis carries over (IRC 408(d), 223(f))."""
    strangers: pl.DataFrame
    """event_id, asset: both ends of one hash between two clients who are, as far as the books say, no couple."""


def match(
    events: pl.DataFrame,
    forced: pl.DataFrame,
    accounts: pl.DataFrame,
    members: pl.DataFrame = NO_COUPLES,
    acquisitions: pl.DataFrame = NO_RECORDS,
    assets: pl.DataFrame = NO_ASSETS,
) -> Matched:
    """Pair withdrawals and deposits of one taxpayer, one coin, two accounts; or of two spouses (IRC 1041).

    Two taxpayers are a couple in a year in which they are on one return; where acquisitions.csv says `spouse` of the
    receipt (incident to divorce too), the hash or staff's word is enough. Between a couple a gift is a move as well
    (IRC 1015(e)); only taxable accounts of both can be its ends.

    In this order, best score first: staff's override (100), the same transaction hash (99 with equal amounts or the
    fee beside it, 95 with a fee inside), equal amounts (or less by exactly the stated fee) by time (90 within an hour,
    80 within a day, 70 later), a fee inside the amount by time (65, 55, 45); by amount 5 less between spouses, and 25
    less where another token of the same coin arrived (a bridge: `in_asset`). Each event is used once; of two pairings
    that tie none is taken. A fee inside is the stated fee in the coin, at most 1 % of what left, or both; staff's word
    alone goes further. Events of one hash whose amounts do not fit so, or of which several together make up what left,
    stay open.

    Args:
        events: Events.
        forced: pairs that staff say belong together: out_event_id, in_event_id.
        accounts: account_id, treatment; empty is taxable.
        members: return_id, tax_year, taxpayer_id: who is on which return.
        acquisitions: event_id, tx_id, origin: of the receipts that the firm explained.
        assets: asset, class, represents: the coin that a token stands for.
    """
    coins = _coins(assets)
    outs = _ends(events, (*OUT_KINDS, *_GIVEN), "sent", coins)
    ins = _ends(events.with_columns(wed=_wed(acquisitions)), (*IN_KINDS, *_TAKEN), "received", coins)
    couples = _couples(members)
    said = _scored(_forced(outs, ins, forced), pl.lit(100), "override", couples)
    said = said.filter(pl.col("quantity") <= pl.col("out_quantity"))
    one_hash = _by_hash(outs, ins)
    hashed = _scored(one_hash, _exactly(99, 95), "hash", couples)
    misfits = _misfits(hashed).join(said, on="out_event_id", how="anti").join(said, on="in_event_id", how="anti")
    held = [misfits["out_event_id"].implode(), misfits["in_event_id"].implode()]
    free = ~pl.col("out_event_id").is_in(held[0]) & ~pl.col("in_event_id").is_in(held[1])
    pairs = pl.concat([said, *(p.filter(_fits() & free) for p in (hashed, _by_amount(outs, ins, couples)))])
    best = pairs.sort("score", descending=True).unique(["out_event_id", "in_event_id"], keep="first")
    chosen, ambiguous = _choose(best)
    left, came = (_treatment(accounts, chosen[f"{end}_account_id"]) for end in ("out", "in"))
    given = chosen["out_taxpayer_id"] != chosen["in_taxpayer_id"]
    crosses = (left != came) | (given & (left != "taxable"))
    transfers = chosen.filter(~crosses).with_columns(
        transfer_id=content_id("tr-", "out_event_id", "in_event_id"),
        fee_quantity=(pl.col("out_quantity") - pl.col("quantity")).cast(QUANTITY),
    )
    return Matched(
        conform(transfers, Transfers).sort("transfer_id"),
        pl.concat([ambiguous, _candidates(misfits)]).sort("event_id", "asset"),
        _ends_of(chosen.filter(crosses)).unique().sort("event_id", "asset"),
        _strangers(one_hash, pairs),
    )


def doubtful(transfers: pl.DataFrame) -> pl.DataFrame:
    """Transfers booked on time and amount alone, not surely (score below 70), to be confirmed: `Transfers` and `event_id`.

    `event_id` is the withdrawal; staff confirm or part the pair by an override of field transfer.
    """
    return transfers.filter(pl.col("score") < SURE).with_columns(event_id="out_event_id")


def _treatment(accounts: pl.DataFrame, account_id: pl.Series) -> pl.Series:
    """The treatment of each account; one without a row or a word is taxable."""
    known = account_id.alias("account_id").to_frame().join(
        accounts.select("account_id", "treatment").unique("account_id"), on="account_id", how="left",
        maintain_order="left",
    )  # fmt: skip
    return known["treatment"].fill_null("taxable")


def one_hash(tx_id: str) -> pl.Expr:
    """A transaction's id as one text, however a file writes it."""
    return pl.col(tx_id).str.to_lowercase().str.strip_prefix("0x")


def _coins(assets: pl.DataFrame) -> pl.DataFrame:
    """asset, coin: the coin that each token of one-to-one classes stands for."""
    return assets.filter(pl.col("class").is_in(ONE_TO_ONE) & pl.col("represents").is_not_null()).select(
        "asset", coin="represents"
    )


def _ends(events: pl.DataFrame, kinds: tuple[str, ...], side: str, coins: pl.DataFrame) -> pl.DataFrame:
    """The events that can be one end of a move."""
    end = "out" if side == "sent" else "in"
    crypto = pl.col(f"{side}_asset").is_not_null() & ~pl.col(f"{side}_asset").is_in(FIAT)
    named = events.filter(pl.col("kind").is_in(kinds) & crypto).join(
        coins, left_on=f"{side}_asset", right_on="asset", how="left"
    )
    return named.select(
        pl.col("event_id").alias(f"{end}_event_id"),
        pl.col("taxpayer_id").alias(f"{end}_taxpayer_id"),
        pl.col("account_id").alias(f"{end}_account_id"),
        pl.coalesce("coin", f"{side}_asset").alias("coin"),
        pl.col(f"{side}_asset").alias(f"{end}_asset"),
        pl.col(f"{side}_quantity").alias(f"{end}_quantity"),
        pl.col("occurred_at").alias(f"{end}_at"),
        pl.col("tax_year").alias(f"{end}_year"),
        pl.col("kind").is_in((*_GIVEN, *_TAKEN)).alias(f"{end}_gift"),
        pl.when(pl.col("fee_asset") == pl.col(f"{side}_asset")).then("fee_quantity").alias(f"{end}_fee"),
        one_hash("tx_id").alias("hash"),
        *(["wed"] if end == "in" else []),
    )


def _couples(members: pl.DataFrame) -> pl.DataFrame:
    """out_taxpayer_id, in_taxpayer_id, tax_year: two people on one return, both ways round."""
    on = members.select("return_id", "tax_year", "taxpayer_id")
    pairs = on.join(on, on=["return_id", "tax_year"], suffix="_in").filter(
        pl.col("taxpayer_id") != pl.col("taxpayer_id_in")
    )
    return pairs.select("tax_year", out_taxpayer_id="taxpayer_id", in_taxpayer_id="taxpayer_id_in").unique()


def _wed(acquisitions: pl.DataFrame) -> pl.Expr:
    """Whether the firm's record of a receipt says that it came from the spouse."""
    wed = acquisitions.filter(pl.col("origin") == "spouse")
    hashes = wed.select(one_hash("tx_id"))["tx_id"].drop_nulls().implode()
    by = pl.col("event_id").is_in(wed["event_id"].drop_nulls().implode()), one_hash("tx_id").is_in(hashes)
    return pl.any_horizontal(*(of.fill_null(value=False) for of in by))


def _scored(pairs: pl.DataFrame, score: pl.Expr, matched_by: str, couples: pl.DataFrame) -> pl.DataFrame:
    """Candidate pairs between two accounts of one taxpayer or of a couple, scored."""
    lag = (pl.col("in_at") - pl.col("out_at")).abs()
    bridge = pl.col("out_asset") != pl.col("in_asset")
    gift = pl.col("out_gift") | pl.col("in_gift")
    apart = pl.col("out_taxpayer_id") != pl.col("in_taxpayer_id")
    for end in ("out", "in"):
        pairs = pairs.join(
            couples.with_columns(pl.lit(value=True).alias(f"{end}_wed")),
            left_on=["out_taxpayer_id", "in_taxpayer_id", f"{end}_year"],
            right_on=["out_taxpayer_id", "in_taxpayer_id", "tax_year"],
            how="left",
        )
    married = pl.any_horizontal(pl.col("out_wed", "in_wed").fill_null(value=False))
    less = pl.when(apart).then(_APART).otherwise(0) + pl.when(bridge).then(_BRIDGED).otherwise(0)
    if matched_by != "amount":
        married, less = married | pl.col("wed"), pl.lit(0)
    return (
        pairs.filter(
            pl.when(apart).then(married & ~bridge).otherwise(~gift) & (pl.col("out_account_id") != pl.col("in_account_id"))
        )
        .with_columns(
            score=(score - less).cast(pl.Int64), matched_by=pl.lit(matched_by), lag=lag, quantity=pl.col("in_quantity"),
            stated=_stated(), asset="out_asset", in_asset=pl.when(bridge).then("in_asset"),
        )
        .select(
            "out_event_id", "in_event_id", "out_taxpayer_id", "in_taxpayer_id", "asset", "in_asset",
            "quantity", "out_quantity", "stated", "score", "matched_by", "lag", "out_account_id", "in_account_id",
        )
    )  # fmt: skip


def _stated() -> pl.Expr:
    """The fee in the moved coin that either end names; both naming one name the same."""
    return pl.coalesce("out_fee", "in_fee", pl.lit(0, QUANTITY))


def _fits() -> pl.Expr:
    """No more arrives than left, and the rest is the stated fee, a small fee inside the amount, or both."""
    return _makes_up(pl.col("quantity"))


def _makes_up(arrived: pl.Expr) -> pl.Expr:
    gap = pl.col("out_quantity") - arrived
    beyond = pl.when(gap >= pl.col("stated")).then(gap - pl.col("stated")).otherwise(gap)
    return (gap >= 0) & (beyond * 1000 <= pl.col("out_quantity") * TOLERANCE_PER_MILLE)


def _forced(outs: pl.DataFrame, ins: pl.DataFrame, forced: pl.DataFrame) -> pl.DataFrame:
    return forced.join(outs.drop("hash"), on="out_event_id").join(ins.drop("hash"), on=["in_event_id", "coin"])


def _by_hash(outs: pl.DataFrame, ins: pl.DataFrame) -> pl.DataFrame:
    return outs.filter(pl.col("hash").is_not_null()).join(ins, on=["hash", "coin"])


def _exactly(equal: int, less: int) -> pl.Expr:
    return pl.when(pl.col("in_quantity") == pl.col("out_quantity")).then(equal).otherwise(less)


def _strangers(one_hash: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """event_id, asset: ends of one hash and a fitting amount between two clients that nothing else explains."""
    open_ends = one_hash.filter(pl.col("out_taxpayer_id") != pl.col("in_taxpayer_id")).with_columns(
        quantity=pl.col("in_quantity"), stated=_stated(), asset="out_asset"
    )
    free = open_ends.join(pairs, on="out_event_id", how="anti").join(pairs, on="in_event_id", how="anti")
    # a gift between clients is a gift: its basis is asked with the receipt
    return _ends_of(free.filter(_fits() & ~pl.col("out_gift") & ~pl.col("in_gift"))).unique().sort("event_id", "asset")


def _misfits(hashed: pl.DataFrame) -> pl.DataFrame:
    """Pairs of one hash that are no transfer: neither end fits any other, or several arrivals make up what left."""
    fit = hashed.filter(_fits())
    lone = hashed.join(fit, on="out_event_id", how="anti").join(fit, on="in_event_id", how="anti")
    split = (pl.len().over("out_event_id") > 1) & _makes_up(pl.col("quantity").sum().over("out_event_id"))
    return pl.concat([lone, hashed.filter(split)]).unique(["out_event_id", "in_event_id"])


def _by_amount(outs: pl.DataFrame, ins: pl.DataFrame, couples: pl.DataFrame) -> pl.DataFrame:
    """Pairs by amount and time; two different hashes of one chain are two moves."""
    day = pl.col("out_at").dt.date()
    days = outs.with_columns(day=pl.concat_list(day.dt.offset_by(f"{n}d") for n in (-1, 0, 1, 2))).explode("day")
    own = ins.with_columns(from_taxpayer=pl.col("in_taxpayer_id"))
    partners = couples.select("in_taxpayer_id", from_taxpayer="out_taxpayer_id").unique()
    reachable = pl.concat([own, ins.join(partners, on="in_taxpayer_id")]).with_columns(day=pl.col("in_at").dt.date())
    one_chain = pl.col("out_asset") == pl.col("in_asset")
    near = days.join(
        reachable, left_on=["out_taxpayer_id", "coin", "day"], right_on=["from_taxpayer", "coin", "day"]
    ).filter(
        (pl.col("in_at") >= pl.col("out_at") - WINDOW_BEFORE)
        & (pl.col("in_at") <= pl.col("out_at") + WINDOW_AFTER)
        & (pl.col("in_quantity") <= pl.col("out_quantity"))
        & (
            pl.col("hash").is_null() | pl.col("hash_right").is_null()
            | (pl.col("hash") == pl.col("hash_right")) | ~one_chain
        )
    )  # fmt: skip
    gap = pl.col("out_quantity") - pl.col("in_quantity")
    equal = (gap == 0) | (gap == _stated())
    hours = (pl.col("in_at") - pl.col("out_at")).abs().dt.total_minutes() / 60
    by_time = pl.when(hours <= 1).then(90).when(hours <= 24).then(80).otherwise(70)
    score = pl.when(equal).then(by_time).otherwise(by_time - 25)
    return _scored(near, score, "amount", couples)


class _Pair(NamedTuple):
    out_id: str
    in_id: str
    score: int
    lag: timedelta
    accounts: tuple[str, str]


def _choose(pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Take pairs best first, each event once; a tie for an event leaves all of its best pairs open.

    Two deposits of one amount into one account at one instant are no tie: either pairing is the same fact.
    """
    ordered = pairs.sort(["score", "lag", "out_event_id", "in_event_id"], descending=[True, False, False, False])
    columns = ["out_event_id", "in_event_id", "score", "lag", "out_account_id", "in_account_id"]
    rows = [_Pair(o, i, score, lag, (a, b)) for o, i, score, lag, a, b in ordered.select(columns).iter_rows()]
    of_event: defaultdict[str, list[_Pair]] = defaultdict(list)
    for pair in rows:
        of_event[pair.out_id].append(pair)
        of_event[pair.in_id].append(pair)
    used: set[str] = set()
    taken: list[int] = []
    tied: set[str] = set()
    for index, pair in enumerate(rows):
        ends = {pair.out_id, pair.in_id}
        if not ends.isdisjoint(used) or not ends.isdisjoint(tied):
            continue
        near = [*of_event[pair.out_id], *of_event[pair.in_id]]
        rivals = [r for r in near if _ties(r, pair) and not {r.out_id, r.in_id} & used]
        if rivals:
            tied |= ends.union(*({r.out_id, r.in_id} for r in rivals))
        else:
            used |= ends
            taken.append(index)
    ambiguous = _candidates(ordered).filter(pl.col("event_id").is_in(sorted(tied)))
    return ordered[taken] if taken else ordered.clear(), ambiguous


def _ties(rival: _Pair, pair: _Pair) -> bool:
    """Whether two pairs of one event are exactly as good and not the same fact between the same accounts."""
    return (rival.score, rival.lag) == (pair.score, pair.lag) and rival.accounts != pair.accounts


def _ends_of(pairs: pl.DataFrame) -> pl.DataFrame:
    """event_id, asset: both ends of each pair."""
    return pl.concat([pairs.select("asset", event_id=end).select("event_id", "asset") for end in _ENDS])


def _candidates(pairs: pl.DataFrame) -> pl.DataFrame:
    """event_id, asset, candidates: in how many of the pairs an event is."""
    return _ends_of(pairs).group_by("event_id", "asset").agg(candidates=pl.len().cast(pl.Int64)).sort("event_id")
