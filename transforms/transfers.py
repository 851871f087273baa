"""Transfers: finds the withdrawals and deposits that are one move of a client or of a couple. No lots here."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from schemas.fields import FIAT, QUANTITY
from schemas.gate import conform
from schemas.ledger import Transfers
from transforms.batches import components, laid_out, makes_up, stars
from transforms.exact import units_text
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
    """event_id, asset, candidates, others: ends of equally good pairings, or of one hash whose amounts do not fit; how
    many other ends each could go with, and their event ids (the first eight)."""
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
    less where another token of the same coin arrived (a bridge: `in_asset`). Of two pairings that tie none is taken. A
    fee inside is the stated fee in the coin, at most 1 % of what left, or both; staff's word alone goes further. Events
    of one hash whose amounts do not fit so stay open.

    An event is used once, or with several others in one batch (`move_id`): one withdrawal that arrives as several
    deposits, several withdrawals that arrive as one. A batch rests on one hash (97, with a fee inside 93), or on the
    one hash of its several ends and an exact sum where the single end carries none (85 within an hour, 75, 65), or on
    staff's word, which also ties several to several. What can be one pair or a batch stays open.

    Args:
        events: Events.
        forced: events that staff say belong together, each pair either way round: out_event_id, in_event_id. Pairs that
            share an event are one batch.
        accounts: account_id, treatment; empty is taxable.
        members: return_id, tax_year, taxpayer_id: who is on which return.
        acquisitions: event_id, tx_id, origin: of the receipts that the firm explained.
        assets: asset, class, represents: the coin that a token stands for.
    """
    coins = _coins(assets)
    outs = _ends(events, (*OUT_KINDS, *_GIVEN), "sent", coins)
    ins = _ends(events.with_columns(wed=_wed(acquisitions)), (*IN_KINDS, *_TAKEN), "received", coins)
    couples = _couples(members)
    said = _said(outs, ins, forced, couples)
    one_hash = _by_hash(outs, ins)
    hashed = _apart_from(_scored(one_hash, _exactly(99, 95), "hash", couples), said)
    batched = pl.concat([said.filter(pl.col("batch") != ""), _hash_batches(hashed)])
    hashed = _apart_from(hashed, batched)
    misfits = _misfits(hashed)
    near = _apart_from(_by_amount(outs, ins, couples), pl.concat([said, batched, misfits.select(said.columns)]))
    payouts, unclear = _payouts(_apart_from(outs, one_hash, "out"), _apart_from(ins, one_hash, "in"), near, couples)
    batched = pl.concat([batched, payouts])
    singles = pl.concat(
        [said.filter(pl.col("batch") == ""), *(p.filter(_fits()) for p in (_apart_from(hashed, misfits), near))]
    )
    best = _apart_from(singles, pl.concat([payouts, unclear])).sort("score", descending=True)
    chosen, ambiguous = _choose(best.unique(["out_event_id", "in_event_id"], keep="first"))
    every = pl.concat([_alone(chosen), laid_out(batched).select(_alone(chosen).columns)])
    crosses = _crosses(every, accounts)
    return Matched(
        conform(_named(every.filter(~crosses)), Transfers).sort("transfer_id"),
        pl.concat([ambiguous, _candidates(pl.concat([misfits, unclear]))]).sort("event_id", "asset"),
        _ends_of(every.filter(crosses)).unique().sort("event_id", "asset"),
        _strangers(one_hash, pl.concat([singles, batched])),
    )


def _alone(chosen: pl.DataFrame) -> pl.DataFrame:
    """Moves of one withdrawal and one deposit, in the columns of the parts of a batch."""
    gap = (pl.col("out_quantity") - pl.col("quantity")).cast(QUANTITY)
    return chosen.with_columns(
        fee_quantity=gap, outs=pl.lit(1, pl.UInt32), ins=pl.lit(1, pl.UInt32),
        move_id=content_id("tr-", "out_event_id", "in_event_id"),
    )  # fmt: skip


def _crosses(moves: pl.DataFrame, accounts: pl.DataFrame) -> pl.Series:
    """Whether a move, or any part of its batch, ends in an account of another treatment."""
    left, came = (_treatment(accounts, moves[f"{end}_account_id"]) for end in ("out", "in"))
    given = moves["out_taxpayer_id"] != moves["in_taxpayer_id"]
    crossing = (left != came) | (given & (left != "taxable"))
    return moves.select("move_id", crossing=crossing).select(pl.col("crossing").any().over("move_id"))["crossing"]


def _named(moves: pl.DataFrame) -> pl.DataFrame:
    return moves.with_columns(transfer_id=content_id("tr-", "out_event_id", "in_event_id"), reason=_reason())


def _reason() -> pl.Expr:
    """Why the two are one move, in words."""
    gap, fee = pl.col("fee_quantity"), units_text(pl.col("fee_quantity"))
    single = (pl.col("outs") == 1) & (pl.col("ins") == 1)
    minutes = pl.col("lag").dt.total_minutes()
    apart = (
        pl.when(minutes < 120).then(pl.format("{} minutes", minutes)).otherwise(pl.format("{} hours", minutes // 60))
    )
    by = pl.col("matched_by").replace_strict(
        {
            "override": "staff's word (overrides.csv)",
            "hash": "one transaction hash",
            "amount": "amount and time, no common hash",
        }
    )
    batch = (
        pl.when(single)
        .then(pl.lit(""))
        .when(pl.col("outs") == 1)
        .then(pl.format("; part of one withdrawal that arrived as {} deposits", "ins"))
        .when(pl.col("ins") == 1)
        .then(pl.format("; one of {} withdrawals that arrived as one deposit", "outs"))
        .otherwise(
            pl.format(
                "; part of {} withdrawals that arrived as {} deposits, laid over them in order of time", "outs", "ins"
            )
        )
    )
    amount = (
        pl.when((gap == 0) & ~single)
        .then(pl.lit("; the amounts add up"))
        .when(gap == 0)
        .then(pl.lit("; equal amounts"))
        .when(gap == pl.col("stated"))
        .then(pl.format("; {} less arrived, the fee that is stated", fee))
        .otherwise(pl.format("; {} less arrived, taken as a fee inside the amount", fee))
    )
    ends = (
        pl.when(pl.col("out_taxpayer_id") != pl.col("in_taxpayer_id"))
        .then(pl.lit("; between spouses"))
        .otherwise(pl.lit(""))
    )
    bridge = (
        pl.when(pl.col("in_asset").is_not_null())
        .then(pl.format("; {} of the same coin arrived, over a bridge", pl.col("in_asset").str.slice(0, 64)))
        .otherwise(pl.lit(""))
    )
    return pl.format("{}{}{}; {} apart{}{}", by, batch, amount, apart, ends, bridge)  # fmt: skip


def _apart_from(frame: pl.DataFrame, taken: pl.DataFrame, *ends: str) -> pl.DataFrame:
    """The rows none of whose ends is an end of `taken`."""
    for name in [f"{end}_event_id" for end in ends] or _ENDS:
        frame = frame.join(taken, on=name, how="anti")
    return frame


def told(overrides: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What staff say of transfers: (one, other) event ids that belong together, and event_id of those with no other end.

    The latest row of an event counts; its value names one other event or several, separated by spaces.

    Args:
        overrides: event_id, field, value, at.
    """
    latest = overrides.filter(pl.col("field") == "transfer").sort("at").unique("event_id", keep="last")
    alone = pl.col("value") == "none"
    named = latest.filter(~alone).select(one="event_id", other=pl.col("value").str.split(" ")).explode("other")
    return named.filter(pl.col("other") != "").sort("one", "other"), latest.filter(alone).select("event_id")


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
            "in_quantity", "out_fee", "in_fee", "out_at", "in_at",
            batch="batch" if "batch" in pairs.columns else pl.lit(""),
        )
    )  # fmt: skip


def _stated() -> pl.Expr:
    """The fee in the moved coin that either end names; both naming one name the same."""
    return pl.coalesce("out_fee", "in_fee", pl.lit(0, QUANTITY))


def _fits() -> pl.Expr:
    return makes_up(pl.col("out_quantity"), pl.col("quantity"), pl.col("stated"))


def _equal() -> pl.Expr:
    """What left arrived, but for exactly the stated fee."""
    gap = pl.col("out_quantity") - pl.col("in_quantity")
    return (gap == 0) | (gap == pl.col("stated"))


def _said(outs: pl.DataFrame, ins: pl.DataFrame, forced: pl.DataFrame, couples: pl.DataFrame) -> pl.DataFrame:
    """What staff tied together, where it can be one move: pairs (`batch` empty) and every pair of each batch."""
    tied = components(forced.select(one="out_event_id", other="in_event_id"))
    sides = [
        frame.drop("hash").join(tied, left_on=f"{end}_event_id", right_on="event_id")
        for frame, end in ((outs, "out"), (ins, "in"))
    ]
    sizes = tied.group_by("batch").agg(ends=pl.len())
    pairs = _scored(sides[0].join(sides[1], on=["batch", "coin"]), pl.lit(100), "override", couples)
    n_out, n_in = (pl.col(name).n_unique().over("batch") for name in _ENDS)
    judged = pairs.join(sizes, on="batch", how="left").with_columns(
        single=pl.col("ends") == 2, whole=(n_out + n_in == pl.col("ends")) & (n_out * n_in == pl.len().over("batch"))
    )
    fit = pl.when("single").then(pl.col("quantity") <= pl.col("out_quantity")).otherwise(pl.col("in_asset").is_null())
    good = judged.filter(pl.col("whole") & fit).filter(pl.len().over("batch") == n_out * n_in)
    pairs = good.with_columns(batch=pl.when("single").then(pl.lit("")).otherwise("batch")).select(pairs.columns)
    batches = pairs.filter(pl.col("batch") != "")
    possible = laid_out(batches).select("batch").unique()
    return pl.concat([pairs.filter(pl.col("batch") == ""), batches.join(possible, on="batch", how="semi")])


def _hash_batches(hashed: pl.DataFrame) -> pl.DataFrame:
    """Batches of one hash: ends that no exact pair of that hash settles, and whose sums fit."""
    exact = hashed.filter(_equal())
    settled = exact.filter((pl.len().over("out_event_id") == 1) & (pl.len().over("in_event_id") == 1))
    found = stars(_apart_from(hashed.filter(pl.col("in_asset").is_null()), settled))
    gap = pl.col("total_out") - pl.col("total_in")
    fits = found.filter(makes_up(pl.col("total_out"), pl.col("total_in"), pl.col("total_stated")))
    exactly = (gap == 0) | (gap == pl.col("total_stated"))
    return fits.with_columns(score=pl.when(exactly).then(97).otherwise(93).cast(pl.Int64)).select(hashed.columns)


def _payouts(
    outs: pl.DataFrame, ins: pl.DataFrame, near: pl.DataFrame, couples: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Batches whose several ends share a hash that the single end does not carry, by an exact sum; and unclear ones.

    Unclear are those of which an end fits another batch or another single end exactly.
    """
    found = []
    for single, ones, many in (("out", outs, ins), ("in", ins, outs)):
        met = _sums_met(ones, many, single).filter(_in_window())
        scored = _scored(met, pl.lit(0), "amount", couples).filter(pl.col("in_asset").is_null())
        whole = scored.join(met.select("batch", "size").unique(), on="batch").filter(
            pl.len().over("batch") == pl.col("size")
        )
        found.append(_exact_sums(whole, single).select(scored.columns))
    pairs = pl.concat(found)
    ends = pl.concat([pairs.select("batch", end=name) for name in _ENDS]).unique()
    rival = near.filter(_equal())
    rivals = pl.concat([rival.select(end=name) for name in _ENDS]).unique()
    shared = ends.filter((pl.len().over("end") > 1) | pl.col("end").is_in(rivals["end"].implode()))
    return pairs.join(shared, on="batch", how="anti"), pairs.join(shared, on="batch", how="semi")


def _sums_met(ones: pl.DataFrame, many: pl.DataFrame, single: str) -> pl.DataFrame:
    """Ends without a hash with each end of a set of one hash, where the sum is the single amount or less by the fees."""
    several = "in" if single == "out" else "out"
    owner, left, came = f"{several}_taxpayer_id", f"{several}_quantity", f"{single}_quantity"
    sets = many.filter(pl.col("hash").is_not_null()).with_columns(
        size=pl.len().over("hash", "coin", owner), set=pl.concat_str("hash", "coin", owner, separator="|")
    ).filter(pl.col("size") > 1)  # fmt: skip
    fees = pl.col("out_fee").fill_null(0).cast(QUANTITY)
    total = pl.col(left).sum().cast(QUANTITY)
    sums = sets.group_by("set", owner, "coin").agg(
        total=pl.concat_list(total, total if single == "out" else (total - fees.sum()).cast(QUANTITY))
    )
    wanted = pl.concat_list(came, (pl.col(came) - fees).cast(QUANTITY) if single == "out" else came)
    alone = ones.filter(pl.col("hash").is_null()).with_columns(total=wanted).explode("total")
    met = alone.join(
        sums.explode("total").rename({owner: "owner"}), left_on=[f"{single}_taxpayer_id", "coin", "total"],
        right_on=["owner", "coin", "total"],
    ).drop("hash", "total").unique([f"{single}_event_id", "set"])  # fmt: skip
    return met.join(sets.drop("coin"), on="set").with_columns(
        batch=pl.concat_str(f"{single}_event_id", "set", separator="|")
    )


def _exact_sums(pairs: pl.DataFrame, single: str) -> pl.DataFrame:
    """The sets whose sum is what left (or less by exactly what is stated), scored by time."""
    total = {end: (_sum(end) if end != single else pl.col(f"{end}_quantity")) for end in ("out", "in")}
    stated = pl.col("out_fee").fill_null(0)
    fees = stated if single == "out" else stated.sum().over("batch")
    gap = total["out"] - total["in"]
    hours = pl.col("lag").max().over("batch").dt.total_minutes() / 60
    by_time = pl.when(hours <= 1).then(85).when(hours <= 24).then(75).otherwise(65).cast(pl.Int64)
    return pairs.with_columns(score=by_time).filter((gap == 0) | (gap == fees))


def _sum(end: str) -> pl.Expr:
    return pl.col(f"{end}_quantity").sum().over("batch").cast(QUANTITY)


def _in_window() -> pl.Expr:
    return (pl.col("in_at") >= pl.col("out_at") - WINDOW_BEFORE) & (pl.col("in_at") <= pl.col("out_at") + WINDOW_AFTER)


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
    arrived = pl.col("quantity").sum().over("out_event_id")
    split = (pl.len().over("out_event_id") > 1) & makes_up(pl.col("out_quantity"), arrived, pl.col("stated"))
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
        _in_window()
        & (pl.col("in_quantity") <= pl.col("out_quantity"))
        & (
            pl.col("hash").is_null() | pl.col("hash_right").is_null()
            | (pl.col("hash") == pl.col("hash_right")) | ~one_chain
        )
    )  # fmt: skip
    near = near.with_columns(stated=_stated())
    hours = (pl.col("in_at") - pl.col("out_at")).abs().dt.total_minutes() / 60
    by_time = pl.when(hours <= 1).then(90).when(hours <= 24).then(80).otherwise(70)
    score = pl.when(_equal()).then(by_time).otherwise(by_time - 25)
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
    open_ends = pl.Series(sorted(tied), dtype=pl.String).implode()
    near_ties = ordered.filter(pl.any_horizontal(pl.col(end).is_in(open_ends) for end in _ENDS))
    ambiguous = _candidates(near_ties).filter(pl.col("event_id").is_in(open_ends))
    return ordered[taken] if taken else ordered.clear(), ambiguous


def _ties(rival: _Pair, pair: _Pair) -> bool:
    """Whether two pairs of one event are exactly as good and not the same fact between the same accounts."""
    return (rival.score, rival.lag) == (pair.score, pair.lag) and rival.accounts != pair.accounts


def _ends_of(pairs: pl.DataFrame) -> pl.DataFrame:
    """event_id, asset: both ends of each pair."""
    return pl.concat([pairs.select("asset", event_id=end).select("event_id", "asset") for end in _ENDS])


def _candidates(pairs: pl.DataFrame) -> pl.DataFrame:
    """event_id, asset, candidates, others: in how many of the pairs an event is, and with whom."""
    both = [
        pairs.select("asset", event_id=end, other=other).select("event_id", "asset", "other")
        for end, other in (_ENDS, _ENDS[::-1])
    ]
    others = pl.col("other").unique().sort().head(_NAMED).str.join(", ")
    return (
        pl.concat(both)
        .group_by("event_id", "asset")
        .agg(candidates=pl.len().cast(pl.Int64), others=others)
        .sort("event_id")
    )


_NAMED = 8
"""So many other ends are named in a question."""
