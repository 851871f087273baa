"""Events as movements of units: what enters, leaves or moves, at which basis or proceeds, in which order.

Here the law of fees, proceeds and basis is applied, event by event; which lots a movement takes is not decided here.
"""

from __future__ import annotations

from collections import defaultdict, deque
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from schemas.fields import FIAT, INCOME_KINDS, MONEY, PLEDGES, QUANTITY, UNTAXED
from schemas.gate import conform
from schemas.inputs import STANDS_FOR
from schemas.ledger import Movements
from transforms.exact import from_ints, share, to_ints
from transforms.holding import long_term_from, with_tax_date, with_time_zone
from transforms.identification import NO_INSTRUCTIONS, NO_LOT_PICKS, identify
from transforms.ids import content_id
from transforms.methods import WALLET_YEAR, method_at
from transforms.stands import chosen, kept_apart
from transforms.transfers import NO_ASSETS, one_hash

AWAY = ("withdrawal", "transfer_out", "deposit", "transfer_in", "migration")
"""Kinds whose units, where nothing matches them, only left or only came: no disposal, no known basis."""
_WRAPS = ("wrap", "unwrap")
_TRADES = ("buy", "sell", "trade")
_DATED = (
    "acquired_at", "date_acquired", "long_term_from",
    "loss_acquired_at", "loss_date_acquired", "loss_long_term_from",
)  # fmt: skip

QUESTIONS: dict[str, Any] = {
    "question": pl.String,
    "taxpayer_id": pl.String,
    "account_id": pl.String,
    "asset": pl.String,
    "tax_year": pl.Int64,
    "event_id": pl.String,
    "dollars_at_stake": MONEY,
    "events": pl.Int64,
}
"""`events`: of how many events the question is; `event_id` is the first of them."""


class Moved(NamedTuple):
    """The movements and what they leave open."""

    movements: pl.DataFrame
    """schemas.ledger.Movements, sorted by taxpayer and sequence."""
    questions: pl.DataFrame
    """See QUESTIONS: unmatched_deposit, unmatched_withdrawal, basis_missing_gift, kept_apart, transfer_fee_doubtful (a
    stated fee larger than what did not arrive: both are booked), wrapping_taxable, bridging_taxable,
    liquid_staking_taxable and liquidity_pool_taxable (nobody took a stand), stand_not_applied (one that cannot be
    booked), own_transfer_order (likewise nobody's), collateral_pledged, collateral_unknown,
    record_doubtful and record_without_receipt (rows of acquisitions.csv that explain several receipts, or none), filed_method_missing, basis_pool_unknown, broker_and_books_differ, custody_unknown."""
    picks: pl.DataFrame
    """schemas.ledger.Picks: the lots that a disposal takes before its method."""
    matches: pl.DataFrame
    """schemas.ledger.InstructionMatches: the disposals that the instructions were for."""
    unidentified: pl.DataFrame
    """See transforms.identification.QUESTIONS: picks and instructions that choose nothing, or not without doubt."""


def movements(
    events: pl.DataFrame,
    transfers: pl.DataFrame,
    *,
    accounts: pl.DataFrame,
    zones: pl.DataFrame,
    acquisitions: pl.DataFrame,
    opening_lots: pl.DataFrame,
    positions: pl.DataFrame,
    lot_orders: pl.DataFrame,
    filed_methods: pl.DataFrame,
    basis_pools: pl.DataFrame,
    assets: pl.DataFrame = NO_ASSETS,
    lot_picks: pl.DataFrame = NO_LOT_PICKS,
    instructions: pl.DataFrame = NO_INSTRUCTIONS,
) -> Moved:
    """All movements of units of all taxpayers.

    `sequence` is one order of all taxpayers' movements, since lots pass between spouses: tax year, instant, then at one
    instant acquisitions, departures, arrivals, conversions out and in, disposals and exits to the outside; then event
    id, the sent leg before the fee. A deposit dated before its withdrawal, or in an earlier tax year by the clock of
    another owner, pulls the departure to its own instant: units left before they arrived.

    A swap of a coin and a token that stands for it (wrapped, bridged, staked, a pool's) is a trade or carries basis and
    date over, by the stand on its topic (`POSITIONS`): what the kinds wrap and unwrap say, a trade of the two, or a
    transfer of which another token arrived.

    Args:
        events: schemas.ledger.Events with values; a value that is null is unknown.
        transfers: schemas.ledger.Transfers; between two taxpayers lots, basis and dates go along as well (IRC 1041).
        accounts: account_id, taxpayer_id, wallet, treatment, custody, only_method; an empty wallet is the account
            itself, an empty treatment is taxable.
        zones: taxpayer_id, valid_from, time_zone: for instants that no event carries (donors, opening lots).
        acquisitions: acquisitions.csv: event_id, tx_id, origin, donor_basis, donor_acquired_at, value_at_transfer,
            gift_tax_adjustment.
        opening_lots: opening_lots.csv. They enter at their own `acquired_at`, whatever its year.
        positions: schemas.clients.Stands: those of the clients and, without a taxpayer, the firm's.
        lot_orders: lot_orders.csv.
        filed_methods: filed_methods.csv.
        basis_pools: basis_pools.csv: taxpayer_id, until_2025.
        lot_picks: lot_picks.csv.
        instructions: instructions.csv.
        assets: asset, class, represents: which tokens stand for which coin.
    """
    facts = _facts(events, transfers, accounts, zones, acquisitions, positions, assets)
    ours = facts.filter(~pl.col("apart"))
    pledges = _pledged(ours)
    left, came = _in_parts(ours, transfers, events)
    parts = [_sent(left), _received(came), *_bridged(ours), pledges, _fee(ours), _fee_inside(ours)]
    legs = pl.concat(parts, how="diagonal")
    opening = _opening(opening_lots, accounts, zones)
    ordered = _in_order(pl.concat([legs, opening], how="diagonal"))
    leaves = ordered["movement"].is_in(("dispose", "depart", "outside", "convert_out"))
    in_wallets = accounts.drop("wallet").join(wallets(accounts).drop("treatment"), on="account_id", how="left")
    receivers = ordered.filter(pl.col("movement") == "arrive").select("link", receiver="taxpayer_id").unique("link")
    exits = ordered.filter(leaves).join(receivers, on="link", how="left", maintain_order="left")
    methods = method_at(exits, lot_orders, filed_methods, in_wallets, positions)
    named = ordered.select("movement_id", "taxpayer_id", "asset")
    identified = identify(methods.exits, methods.told, lot_picks, instructions, in_wallets, named)
    every = pl.concat([ordered.filter(~leaves), methods.exits], how="diagonal")
    every = conform(every, Movements).cast({"amount": MONEY, "loss_amount": MONEY}).sort("taxpayer_id", "sequence")
    undated = _asked(opening.filter("gift_undated"), "basis_missing_gift", dollars_at_stake=pl.col("stake"))
    asked = [
        *_questions(facts),
        undated,
        _untold_moves(every, transfers, positions),
        *_unreturned(pledges),
        _unused(acquisitions, events),
        _unfiled(every, methods.missing, identified.picks),
        _asked(methods.clashes, "broker_and_books_differ"),
        _asked(methods.custody_unknown, "custody_unknown"),
        _pools_unknown(every, basis_pools, accounts),
    ]
    questions = pl.concat(asked).sort("question", "taxpayer_id", "tax_year", "event_id")
    return Moved(every, questions, identified.picks, identified.matches, identified.questions)


def universal_taxpayers(basis_pools: pl.DataFrame) -> frozenset[str]:
    """Taxpayers with one universal pool an asset until 2025 (basis_pools.csv: taxpayer_id, until_2025)."""
    return frozenset(basis_pools.filter(until_2025="universal")["taxpayer_id"])


def wallets(accounts: pl.DataFrame) -> pl.DataFrame:
    """account_id, wallet, treatment: accounts that name one wallet are one; else an account is a wallet of its own.

    Accounts of different treatment share no lots, whatever wallet they name: an IRA's units are the trustee's, not the
    taxpayer's (IRC 408(a)). Theirs is the wallet's name, a slash (which no id holds) and the treatment.
    """
    named = pl.coalesce(pl.when(pl.col("wallet") != "").then("wallet"), "account_id")
    treatment = pl.col("treatment").fill_null("taxable")
    own = pl.when(treatment == "taxable").then(named).otherwise(pl.concat_str(named, treatment, separator="/"))
    return accounts.select("account_id", wallet=own, treatment=treatment)


def dated(faults: pl.DataFrame, every: pl.DataFrame) -> pl.DataFrame:
    """Faults of the lot book with `at` and `on`: the instant and the day of the event that each is of."""
    known = every.join(faults, on="event_id", how="semi").group_by("event_id")
    return faults.join(
        known.agg(at=pl.col("occurred_at").min(), on=pl.col("tax_date").min()), on="event_id", how="left"
    )


def widowed(every: pl.DataFrame) -> pl.DataFrame:
    """Arrivals whose departure is not there (its owner was stopped tonight): they open lots of unknown basis."""
    ends = every.filter(pl.col("movement").is_in(("depart", "arrive")))
    return ends.filter(movement="arrive").join(ends.filter(movement="depart"), on="link", how="anti")


# --- what is known of an event -------------------------------------------------------------------------------------


def _facts(
    events: pl.DataFrame,
    transfers: pl.DataFrame,
    accounts: pl.DataFrame,
    zones: pl.DataFrame,
    acquisitions: pl.DataFrame,
    positions: pl.DataFrame,
    assets: pl.DataFrame,
) -> pl.DataFrame:
    """Events with wallet, transfer, record of acquisition, and which of their legs are units (not fiat)."""
    known = events.join(wallets(accounts).drop("treatment"), on="account_id", how="left").with_columns(
        wallet=pl.coalesce("wallet", "account_id")
    )
    known = _with_acquisition(_with_transfer(known, events, transfers), acquisitions, zones)
    sent, received, fee = (pl.col(f"{leg}_asset").is_in(FIAT).not_().fill_null(value=False) for leg in _LEGS)
    cash_fee = pl.when(pl.col("fee_asset") == "USD").then(pl.col("fee_quantity").cast(MONEY))
    known = known.with_columns(
        sent=sent,
        received=received,
        fee=fee,
        fee_value=pl.coalesce("fee_usd_value", cash_fee, pl.lit(0, MONEY)),
    )
    known = _with_stand(known, positions, assets).with_columns(
        converts=_converts(),
        bought=_bought(),
        apart=pl.col("event_id").is_in(kept_apart(events, positions)["event_id"].implode()),
    )
    return _with_own_fee_value(known.with_columns(netted=_netted(), own_fee=_own_fee()))


_LEGS = ("sent", "received", "fee")


def _with_transfer(known: pl.DataFrame, events: pl.DataFrame, transfers: pl.DataFrame) -> pl.DataFrame:
    """Adds, of a withdrawal, out_id, moved, inside, fee_doubtful, arrives_*; of a deposit in_id, fee_known.

    Over a bridge a withdrawal has `becomes` and `becomes_value` (the token that arrived), a deposit `was`, `was_value`.
    """
    pairs = _with_fees(transfers, events).sort("transfer_id")
    out = pairs.select(
        "moved", "inside", "fee_doubtful", "arrives_at", "arrives_on", "arrives_in", "becomes_value",
        event_id="out_event_id", out_id="transfer_id", becomes="in_asset",
    ).unique("event_id", keep="first", maintain_order=True)  # fmt: skip
    bridge = pl.col("in_asset").is_not_null()
    into = pairs.select(
        "fee_known", "was_value", event_id="in_event_id", in_id="transfer_id", was=pl.when(bridge).then("asset")
    ).unique("event_id", keep="first", maintain_order=True)
    return (
        known.join(out, on="event_id", how="left")
        .join(into, on="event_id", how="left")
        .with_columns(pl.col("fee_doubtful", "fee_known").fill_null(value=False))
    )


def _with_fees(transfers: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """The transfers with what moved, and what of the rest no fee leg names (`inside`).

    A fee that an end states in the moved coin and that is no more than what did not arrive is a part of it, not a
    second fee; `fee_known` says so of the deposit's own. A larger one is booked beside it, in doubt. Of a batch what
    moved and what is inside are the withdrawal's over all its parts, and the deposits' fees are judged together.
    """
    left = events.select(
        out_event_id="event_id", left="sent_quantity", out_fee=_coin_fee("sent"), was_value="usd_value"
    )
    came = events.select(
        in_event_id="event_id", in_fee=_coin_fee("received"), arrives_at="occurred_at", arrives_on="tax_date",
        arrives_in="tax_year", becomes_value="usd_value",
    )  # fmt: skip
    gap, out_fee, batch = pl.col("gap"), pl.col("out_fee"), pl.coalesce("move_id", "transfer_id")
    # each end once: a withdrawal or a deposit of a batch stands in several rows
    whole = pl.when(pl.struct("out_event_id").is_first_distinct()).then("gap").sum().over(batch)
    stated = pl.when(pl.struct("in_event_id").is_first_distinct()).then("in_fee")
    in_fee = pl.when(stated.is_not_null().any().over(batch)).then(stated.sum().over(batch))
    return (
        transfers.join(left, on="out_event_id", how="left")
        .join(came, on="in_event_id", how="left")
        .with_columns(moved=pl.min_horizontal(pl.col("quantity").sum().over("out_event_id"), "left").cast(QUANTITY))
        .with_columns(gap=(pl.col("left") - pl.col("moved")).cast(QUANTITY))
        .with_columns(whole=whole, in_fee=in_fee)
        .with_columns(
            inside=pl.when(out_fee <= gap).then(gap - out_fee).otherwise(gap),
            fee_known=(pl.col("whole") > 0) & (pl.col("in_fee") == pl.col("whole")),
            fee_doubtful=(
                ((gap > 0) & (out_fee > gap)).fill_null(value=False)
                | ((gap > 0) & (pl.col("in_fee") != pl.col("whole"))).fill_null(value=False)
            ),
        )
    )


def _in_parts(facts: pl.DataFrame, transfers: pl.DataFrame, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The facts as they left and as they came: an end of a batch is a row for each of its parts, with a `number`.

    A part has its own transfer and quantity and, of what left, its own arrival; all else is its event's. Parts are
    numbered in the order of time of their other ends: lots leave for them in that order.
    """
    came = events.select(in_event_id="event_id", arrives_at="occurred_at", arrives_on="tax_date", arrives_in="tax_year")
    left = events.select(out_event_id="event_id", leaves_at="occurred_at")
    known = transfers.join(came, on="in_event_id", how="left").join(left, on="out_event_id", how="left")
    found = []
    for end, columns in (
        ("out", {"out_id": "transfer_id", "moved": "quantity"} | {c: c for c in came.columns if c != "in_event_id"}),
        ("in", {"in_id": "transfer_id", "received_quantity": "quantity"}),
    ):
        of_event = f"{end}_event_id"
        at, other = ("arrives_at", "in_event_id") if end == "out" else ("leaves_at", "out_event_id")
        place = (pl.struct(at, other).rank("ordinal").over(of_event) - 1).cast(pl.String).str.zfill(3)
        number = pl.when(place == "000").then(pl.lit("")).otherwise(pl.format(".{}", place))
        several = known.filter(pl.len().over(of_event) > 1)
        parts = several.select(event_id=of_event, number=number, **{name: pl.col(old) for name, old in columns.items()})
        rest = facts.join(parts, on="event_id", how="anti").with_columns(number=pl.lit(""))
        split = facts.drop(columns).join(parts, on="event_id").select(rest.columns)
        found.append(pl.concat([rest, split]))
    return found[0], found[1]


def _coin_fee(leg: str) -> pl.Expr:
    """The fee, where it is stated in the coin of the leg."""
    return pl.when(pl.col("fee_asset") == pl.col(f"{leg}_asset")).then("fee_quantity")


_RECEIPTS = ("gift_in", "inheritance", *AWAY)
"""Kinds that acquisitions.csv explains."""


def _with_acquisition(known: pl.DataFrame, acquisitions: pl.DataFrame, zones: pl.DataFrame) -> pl.DataFrame:
    """Adds the firm's record of how units came in, by event id or else by transaction, and the donor's day.

    Its amounts are of one receipt: of a transaction with several the record tells of none (`record_doubtful`).
    """
    record = ("fact_origin", "donor_basis", "donor_acquired_at", "value_at_transfer", "gift_tax_adjustment")
    facts = acquisitions.rename({"origin": "fact_origin"}).with_columns(hash=one_hash("tx_id"))
    known = known.with_columns(hash=one_hash("tx_id"))
    for key in ("event_id", "hash"):
        of_key = facts.filter(pl.col(key) != "").unique(key, keep="last", maintain_order=True)
        known = known.join(of_key.select(key, *record), on=key, how="left", suffix=f"_{key}")
    by_hash = pl.col("fact_origin").is_null() & pl.col("fact_origin_hash").is_not_null()
    receipt = pl.col("kind").is_in(_RECEIPTS) & pl.col("received_asset").is_not_null()
    known = known.with_columns(_told=by_hash & receipt).with_columns(
        record_doubtful=pl.col("_told") & (pl.col("_told").sum().over("hash") > 1)
    )
    later = {
        name: pl.when(by_hash & ~pl.col("record_doubtful")).then(f"{name}_hash").otherwise(name) for name in record
    }
    known = known.with_columns(**later).drop([f"{name}_hash" for name in record], "hash", "_told")
    zoned = with_time_zone(known, zones, "donor_acquired_at")
    return with_tax_date(zoned, "donor_acquired_at", name="donor_date").drop("time_zone")


def _with_stand(known: pl.DataFrame, positions: pl.DataFrame, assets: pl.DataFrame) -> pl.DataFrame:
    """Adds topic, taken, carried, halved, swapped: what the stand on its topic makes of a swap [law unsettled].

    `carried`: basis and date go over to the other token. `halved`: they would, but the event is one side of the swap
    alone. `swapped`: an end of a bridge that is a taxable trade, so that its transfer is none.
    """
    stands = assets.filter(pl.col("class").is_in(STANDS_FOR)).select("asset", "class", coin="represents")
    for side, asset in (("gave", pl.coalesce("sent_asset", "was")), ("got", pl.coalesce("received_asset", "becomes"))):
        of_side = stands.rename({name: f"{side}_{name}" for name in ("class", "coin")})
        known = known.with_columns(asset.alias(side)).join(of_side, left_on=side, right_on="asset", how="left")
    bridged = pl.col("becomes").is_not_null() | pl.col("was").is_not_null()
    known = known.with_columns(topic=_topic(bridged))
    concerned = known.filter(pl.col("topic").is_not_null()).select("event_id", "taxpayer_id", "tax_year", "topic")
    taken = chosen(concerned, positions).select("event_id", "choice", "taken")
    carry = (pl.col("choice") == "carry").fill_null(value=False)
    whole = bridged | (pl.col("sent") & pl.col("received"))
    known = known.join(taken, on="event_id", how="left").with_columns(carried=carry & whole, halved=carry & ~whole)
    swapped = bridged & ~pl.col("carried")
    kept = [pl.when(~swapped).then(name).alias(name) for name in ("out_id", "in_id", "moved", "inside")]
    fees = [(pl.col(name) & ~swapped).alias(name) for name in ("fee_known", "fee_doubtful")]
    return known.with_columns(*kept, *fees, swapped=swapped)


def _topic(bridged: pl.Expr) -> pl.Expr:
    """The topic of `POSITIONS` that an event falls under; null for all that is settled.

    A trade counts where one side is the coin that the other stands for: two tokens of one coin are a market's trade.
    """
    kin = (pl.col("gave_coin") == pl.col("got")) | (pl.col("got_coin") == pl.col("gave"))
    pool, staked, moved = (
        (pl.col("gave_class") == kind).fill_null(value=False) | (pl.col("got_class") == kind).fill_null(value=False)
        for kind in ("lp_token", "liquid_staking", "bridged")
    )
    traded = (pl.col("kind") == "trade") & (kin.fill_null(value=False) | pool)
    return (
        pl.when(~(bridged | traded | pl.col("kind").is_in(_WRAPS))).then(None)
        .when(pool).then(pl.lit("liquidity_pool"))
        .when(staked).then(pl.lit("liquid_staking"))
        .when(bridged | moved).then(pl.lit("bridging"))
        .otherwise(pl.lit("wrapping"))
    )  # fmt: skip


def _converts() -> pl.Expr:
    """Both sides are units and the swap is none: a migration, or where that is the stand."""
    return pl.col("sent") & pl.col("received") & ((pl.col("kind") == "migration") | pl.col("carried"))


def _bought() -> pl.Expr:
    """Units came in for cash."""
    paid = pl.col("sent_asset").is_in(FIAT).fill_null(value=False)
    return pl.col("received") & ~pl.col("sent") & (paid | (pl.col("kind") == "buy"))


def _fee_in_received() -> pl.Expr:
    return (pl.col("fee") & pl.col("received") & (pl.col("fee_asset") == pl.col("received_asset"))).fill_null(
        value=False
    )


def _netted() -> pl.Expr:
    """A purchase whose fee was withheld in the coin bought: the net units enter at the cash paid."""
    return _fee_in_received() & pl.col("bought") & (pl.col("fee_quantity") < pl.col("received_quantity"))


def _own_fee() -> pl.Expr:
    """A fee withheld from the units just received in an exchange (Reg. 1.1012-1(j)(3)(iii)) or as income."""
    exchanged = pl.col("sent") & ~pl.col("converts") & pl.col("in_id").is_null()
    earned = pl.col("kind").is_in(INCOME_KINDS)
    return _fee_in_received() & (exchanged | earned) & (pl.col("fee_quantity") <= pl.col("received_quantity"))


def _with_own_fee_value(known: pl.DataFrame) -> pl.DataFrame:
    """Adds the value of such a fee: its share of the event's, so that its gain is zero to the micro-dollar."""
    own = known.filter("own_fee")
    value = _shares(own["usd_value"], own["fee_quantity"], own["received_quantity"])
    return known.join(own.select("event_id", value.alias("own_fee_value")), on="event_id", how="left")


def _shares(total: pl.Series, part: pl.Series, whole: pl.Series) -> pl.Series:
    """Exactly rounded shares: the product of a value and a quantity does not fit a decimal."""
    cells = zip(to_ints(total), to_ints(part), to_ints(whole), strict=True)
    shares = [None if None in cell or not cell[2] else share(*cell) for cell in cells]  # type: ignore[arg-type]
    return from_ints(total.name, shares, MONEY)


# --- the legs ------------------------------------------------------------------------------------------------------


def _leg(facts: pl.DataFrame, leg: str, movement: pl.Expr, **columns: pl.Expr) -> pl.DataFrame:
    """The movements of one leg; `movement` is null where the leg makes none."""
    given = {"asset": pl.col(f"{leg}_asset"), "quantity": pl.col(f"{leg}_quantity")} | columns
    number = pl.col("number") if "number" in facts.columns else pl.lit("")
    return facts.with_columns(movement=movement).filter(pl.col("movement").is_not_null()).select(
        "taxpayer_id", "account_id", "wallet", "event_id", "movement",
        leg=pl.lit(leg),
        movement_id=pl.format("{}:{}{}", "event_id", pl.lit(leg), number),
        **{name: pl.col(name) for name in ("occurred_at", "tax_date", "tax_year")} | given,
    )  # fmt: skip


def _sent(facts: pl.DataFrame) -> pl.DataFrame:
    """What left: all costs of an exchange lower the proceeds of what was given (Reg. 1.1001-7(b)(2)).

    Over a taxable bridge all that left is given for what arrived, at its value there (Reg. 1.1001-7(b)(4)).
    """
    away = pl.col("out_id").is_not_null()
    leaves = pl.col("kind").is_in(AWAY) & ~pl.col("swapped") | (pl.col("kind").is_in(_WRAPS) & pl.col("halved"))
    movement = (
        pl.when(~pl.col("sent") | pl.col("kind").is_in(PLEDGES)).then(None)
        .when(away).then(pl.lit("depart"))
        .when("converts").then(pl.lit("convert_out"))
        .when(leaves).then(pl.lit("outside"))
        .otherwise(pl.lit("dispose"))
    )  # fmt: skip
    sooner, same = (compare(pl.col("arrives_in"), pl.col("tax_year")) for compare in (pl.Expr.__lt__, pl.Expr.__eq__))
    early = away & (sooner | (same & (pl.col("arrives_at") < pl.col("occurred_at"))))
    disposed = movement == "dispose"
    named = pl.col("kind").is_in((*UNTAXED, *_WRAPS, "spend", "fee", "sell")) & ~(
        pl.col("received") & (pl.col("kind") == "sell")
    )
    to_cash = pl.col("received_asset").is_in(FIAT).fill_null(value=False)
    kind = pl.when(named).then("kind").when(to_cash).then(pl.lit("sell")).otherwise(pl.lit("trade"))
    cost = pl.coalesce("own_fee_value", "fee_value")
    worth = pl.when("swapped").then(pl.coalesce("becomes_value", "usd_value")).otherwise("usd_value")
    return _leg(
        facts, "sent", movement,
        occurred_at=pl.when(early).then("arrives_at").otherwise("occurred_at"),
        tax_date=pl.when(early).then("arrives_on").otherwise("tax_date"),
        tax_year=pl.when(early).then("arrives_in").otherwise("tax_year"),
        quantity=pl.when(away).then("moved").otherwise("sent_quantity"),
        amount=pl.when(disposed & ~pl.col("kind").is_in(UNTAXED)).then(worth - cost),
        disposal_kind=pl.when(disposed).then(kind),
        link=pl.when(away).then("out_id").when("converts").then("event_id"),
    )  # fmt: skip


def _received(facts: pl.DataFrame) -> pl.DataFrame:
    """What came in: purchases at cost with fees, exchanges and income at fair value, else by the firm's record."""
    movement = (
        pl.when(~pl.col("received") | pl.col("kind").is_in(PLEDGES)).then(None)
        .when(pl.col("in_id").is_not_null()).then(pl.lit("arrive"))
        .when("converts").then(pl.lit("convert_in"))
        .otherwise(pl.lit("acquire"))
    )  # fmt: skip
    acquired = movement == "acquire"
    known = facts.with_columns(**_record())
    cost = pl.when("netted").then("usd_value").otherwise(pl.col("usd_value") + pl.col("fee_value"))
    valued = pl.when("bought").then(cost).when(~pl.col("recorded")).then("usd_value")
    basis = (
        pl.when("recorded").then("record_basis")
        .when("swapped").then(pl.coalesce("usd_value", "was_value"))
        .when(pl.col("kind").is_in(AWAY) | (pl.col("kind").is_in(_WRAPS) & pl.col("halved"))).then(None)
        .otherwise(valued)
    )  # fmt: skip
    gave = pl.when("recorded").then("record_loss_basis").otherwise(basis)
    quantity = pl.col("received_quantity")
    status = pl.when(basis.is_null()).then(pl.lit("unknown")).when("record_assumed").then(pl.lit("assumed"))
    dates = {name: pl.when(acquired).then(f"record_{name}") for name in _DATED}
    return _leg(
        known, "received", movement,
        asset=pl.when(pl.col("in_id").is_not_null()).then(pl.coalesce("was", "received_asset")).otherwise("received_asset"),
        quantity=pl.when("netted").then(quantity - pl.col("fee_quantity")).otherwise(quantity),
        amount=pl.when(acquired).then(basis),
        loss_amount=pl.when(acquired).then(gave),
        origin=pl.when(acquired).then("record_origin"),
        basis_status=pl.when(acquired).then(status.otherwise(pl.lit("known"))),
        link=pl.coalesce("in_id", pl.when("converts").then("event_id")),
        **dates,
    )  # fmt: skip


def _record() -> dict[str, pl.Expr]:
    """Basis, loss basis, dates and origin by the firm's record of an acquisition.

    Gift: the donor's basis and period, raised by gift tax on the appreciation (IRC 1015(a), (d)(6)); where the donor's
    basis is above the value at the gift, losses count from that value and from the day after the gift; where nothing
    gives that value, whether they do is not known, and so is the basis. Inheritance:
    value at death, always long-term (IRC 1014, 1223(9)). Spouse and all else that staff recorded: the basis and the
    date that the record gives (IRC 1041, 1223(2)). A gift needs the donor's basis and the value at the gift.
    """
    origin = pl.coalesce(
        "fact_origin",
        pl.when(pl.col("kind") == "gift_in").then(pl.lit("gift")),
        pl.when(pl.col("kind") == "inheritance").then(pl.lit("inheritance")),
    )
    applies = pl.col("kind").is_in(("gift_in", "inheritance")) | (
        pl.col("kind").is_in(AWAY) & pl.col("fact_origin").is_not_null()
    )
    gift, inherited = applies & (origin == "gift"), applies & (origin == "inheritance")
    value = pl.coalesce("value_at_transfer", "usd_value")
    donor = pl.col("donor_basis").cast(MONEY)
    room = pl.max_horizontal(value - donor, pl.lit(0, MONEY))
    raised = donor + pl.min_horizontal(pl.col("gift_tax_adjustment").fill_null(0).cast(MONEY), room)
    dual = gift & (donor > value).fill_null(value=False)
    tacks = applies & ~inherited & pl.col("donor_acquired_at").is_not_null()
    date = pl.when(tacks).then("donor_date").otherwise("tax_date")
    long_from = pl.when(inherited).then(date).otherwise(long_term_from(date))
    known = pl.when(value.is_not_null()).then(raised)
    basis = pl.when(gift).then(known).when(inherited).then(pl.col("value_at_transfer").cast(MONEY)).otherwise(donor)
    return {
        "recorded": applies,
        "record_origin": pl.when(applies).then(origin).when("swapped").then(pl.lit("trade"))
        .when(pl.col("kind").is_in(AWAY)).then(pl.lit("deposit")).otherwise("kind"),
        "record_basis": basis,
        "record_loss_basis": pl.when(dual).then(value.cast(MONEY)).otherwise(basis),
        "record_assumed": applies & ~inherited & pl.col("donor_acquired_at").is_null(),
        "record_acquired_at": pl.when(tacks).then("donor_acquired_at").otherwise("occurred_at"),
        "record_date_acquired": date,
        "record_long_term_from": long_from,
        "record_loss_acquired_at": pl.when(tacks & ~dual).then("donor_acquired_at").otherwise("occurred_at"),
        "record_loss_date_acquired": pl.when(dual).then("tax_date").otherwise(date),
        "record_loss_long_term_from": pl.when(dual).then(long_term_from(pl.col("tax_date"))).otherwise(long_from),
    }  # fmt: skip


def _bridged(facts: pl.DataFrame) -> list[pl.DataFrame]:
    """Units that came over a bridge which is no sale: what arrived is the old token, and becomes the new one there."""
    came = facts.filter(pl.col("was").is_not_null() & pl.col("in_id").is_not_null())
    return [
        _leg(came, "received", pl.lit(movement), asset=pl.col(asset), link=pl.col("event_id"))
        for movement, asset in (("convert_out", "was"), ("convert_in", "received_asset"))
    ]


def _pledged(facts: pl.DataFrame) -> pl.DataFrame:
    """Collateral that is not disposed of: lots leave and the same lots come back to the account, first out first back.

    A pledge that comes back in parts, or with another, moves in parts (`movement_id` with a number). What has not come
    back lies outside; what comes back beyond that has no known basis.
    """
    pledges = facts.filter(pl.col("kind").is_in(PLEDGES))
    ends = pledges.select(
        "event_id", "taxpayer_id", "account_id", "tax_year", "occurred_at",
        out=pl.col("kind") == "collateral_out",
        asset=pl.when("sent").then("sent_asset").when("received").then("received_asset"),
        quantity=pl.when("sent").then("sent_quantity").when("received").then("received_quantity"),
    ).filter(pl.col("asset").is_not_null())  # fmt: skip
    cells = _paired(ends)
    names = ("event_id", "part", "units", "step", "link", "pledged_asset")
    types = (pl.String, pl.Int64, QUANTITY, pl.String, pl.String, pl.String)
    parts = pledges.join(pl.DataFrame(cells, schema=dict(zip(names, types, strict=True)), orient="row"), on="event_id")
    side = pl.when(pl.col("kind") == "collateral_out").then(pl.lit("sent")).otherwise(pl.lit("received"))
    number = pl.when(pl.col("part") > 0).then(pl.format(".{}", "part")).otherwise(pl.lit(""))
    unknown = pl.col("step") == "acquire"
    return _leg(
        parts.with_columns(side=side, number=number), "sent", pl.col("step"),
        asset=pl.col("pledged_asset"), quantity=pl.col("units"), link=pl.col("link"),
        origin=pl.when(unknown).then(pl.lit("deposit")),
        basis_status=pl.when(unknown).then(pl.lit("unknown")),
        side=pl.col("side"), number=pl.col("number"),
    ).with_columns(
        leg="side", movement_id=pl.format("{}:{}{}", "event_id", "side", "number")
    ).drop("side", "number")  # fmt: skip


def _paired(ends: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Pledges and returns of an owner, account and asset, in order: event, part, units, movement, link, asset."""
    ordered = ends.sort("tax_year", "occurred_at", ~pl.col("out"), "event_id")
    columns = ("taxpayer_id", "account_id", "asset", "event_id", "out", "quantity")
    waiting: defaultdict[tuple[str, str, str], deque[tuple[str, int, Decimal]]] = defaultdict(deque)
    made: list[tuple[Any, ...]] = []
    for taxpayer, account, asset, event_id, out, quantity in ordered.select(columns).iter_rows():
        queue = waiting[taxpayer, account, asset]
        if out:
            queue.append((event_id, 0, quantity))
            continue
        part, left = 0, quantity
        while left and queue:
            pledge, done, there = queue.popleft()
            units = min(left, there)
            link = f"{pledge}>{event_id}"
            made += [(pledge, done, units, "depart", link, asset), (event_id, part, units, "arrive", link, asset)]
            part, left = part + 1, left - units
            if there > units:
                queue.appendleft((pledge, done + 1, there - units))
        if left:
            made.append((event_id, part, left, "acquire", None, asset))
    for (_, _, asset), queue in waiting.items():
        made += [(pledge, done, there, "outside", None, asset) for pledge, done, there in queue]
    return made


def _unreturned(pledges: pl.DataFrame) -> list[pl.DataFrame]:
    return [
        _asked(pledges.filter(movement=movement), question)
        for movement, question in (("outside", "collateral_pledged"), ("acquire", "collateral_unknown"))
    ]


def _fee(facts: pl.DataFrame) -> pl.DataFrame:
    """A fee paid in units is a disposal of them (Notice 2014-21 A-6)."""
    pays = pl.col("fee") & ~pl.col("netted") & ~pl.col("fee_known")
    own = pl.col("own_fee")
    return _leg(
        facts, "fee", pl.when(pays).then(pl.lit("dispose")),
        amount=pl.when(own).then("own_fee_value").otherwise("fee_usd_value"),
        disposal_kind=pl.lit("fee"),
        deemed_lot=pl.when(own).then(pl.format("{}:received", "event_id")),
    )  # fmt: skip


def _fee_inside(facts: pl.DataFrame) -> pl.DataFrame:
    """Units of a transfer that did not arrive were its fee: disposed of at their share of the value sent (E2.8)."""
    inside = facts.filter(pl.col("sent") & (pl.col("inside") > 0))
    value = _shares(inside["usd_value"], inside["inside"], inside["sent_quantity"])
    leg = pl.when("fee").then(pl.lit("sent")).otherwise(pl.lit("fee"))
    return _leg(
        inside.with_columns(value.alias("inside_value")), "sent", pl.lit("dispose"),
        quantity=pl.col("inside"), amount=pl.col("inside_value"), disposal_kind=pl.lit("fee"), paid_by=leg,
    ).with_columns(leg="paid_by", movement_id=pl.format("{}:{}", "event_id", "paid_by")).drop("paid_by")  # fmt: skip


def _opening(opening_lots: pl.DataFrame, accounts: pl.DataFrame, zones: pl.DataFrame) -> pl.DataFrame:
    """Lots from before the data begins, with ids from their content (and a count among equal rows).

    Where a gift's loss basis is below its basis and nobody says since when, the basis is unknown.
    """
    content = ("taxpayer_id", "account_id", "asset", "acquired_at", "quantity", "basis", "origin", "loss_basis")
    zoned = opening_lots.sort("loss_acquired_at", nulls_last=True, maintain_order=True)
    for instant, name in (("acquired_at", "tax_date"), ("loss_acquired_at", "gift_date")):
        zoned = with_tax_date(with_time_zone(zoned, zones, instant), instant, name=name).drop("time_zone")
    dual = (pl.col("loss_basis") < pl.col("basis")).fill_null(value=False)
    counted = (
        zoned.with_columns(_n=pl.int_range(pl.len()).over(content))
        .join(wallets(accounts), on="account_id", how="left")
        .with_columns(
            event_id=content_id("opening-", *content, "_n"),
            dual=dual,
            cost=pl.when(~dual | pl.col("loss_acquired_at").is_not_null()).then(pl.col("basis").cast(MONEY)),
        )
    )
    long_from = (
        pl.when(pl.col("origin") == "inheritance").then("tax_date").otherwise(long_term_from(pl.col("tax_date")))
    )
    from_gift = pl.col("dual") & pl.col("gift_date").is_not_null()
    known = pl.when(pl.col("cost").is_null()).then(pl.lit("unknown")).otherwise(pl.lit("known"))
    return counted.select(
        "taxpayer_id", "account_id", "asset", "event_id", "tax_date", "acquired_at", "origin",
        wallet=pl.coalesce("wallet", "account_id"),
        movement=pl.lit("acquire"),
        leg=pl.lit("received"),
        movement_id=pl.format("{}:received", "event_id"),
        occurred_at="acquired_at",
        tax_year=pl.col("tax_date").dt.year().cast(pl.Int64),
        quantity=pl.col("quantity").cast(QUANTITY),
        amount="cost",
        loss_amount=pl.when(pl.col("cost").is_not_null() & from_gift).then(pl.col("loss_basis").cast(MONEY))
        .otherwise("cost"),
        date_acquired="tax_date",
        long_term_from=long_from,
        loss_acquired_at=pl.when(from_gift).then("loss_acquired_at").otherwise("acquired_at"),
        loss_date_acquired=pl.when(from_gift).then("gift_date").otherwise("tax_date"),
        loss_long_term_from=pl.when(from_gift).then(long_term_from(pl.col("gift_date"))).otherwise(long_from),
        basis_status=known,
        gift_undated=pl.col("dual") & pl.col("gift_date").is_null(),
        stake="basis",
    )  # fmt: skip


_PHASES = {"acquire": 0, "depart": 2, "arrive": 3, "convert_out": 4, "convert_in": 5, "outside": 6, "dispose": 6}
_DEEMED_PHASE = 1
"""A fee withheld from the units just received is out of those very units, before anything else takes them."""


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds `sequence`, one total order of all taxpayers' movements."""
    phase = pl.col("movement").replace_strict(_PHASES, return_dtype=pl.Int8)
    deemed = pl.col("deemed_lot").is_not_null()
    return (
        rows.with_columns(_phase=pl.when(deemed).then(_DEEMED_PHASE).otherwise(phase))
        .sort("tax_year", "occurred_at", "_phase", "event_id", pl.col("leg") == "fee", "movement", "movement_id")
        .with_columns(sequence=pl.int_range(pl.len()))
        .drop("_phase")
    )


# --- what is left open ---------------------------------------------------------------------------------------------


def _questions(facts: pl.DataFrame) -> list[pl.DataFrame]:
    kind, stake, fee = pl.col("kind"), pl.col("usd_value"), pl.col("fee_usd_value")
    away = kind.is_in(AWAY) & ~pl.col("converts") & ~pl.col("swapped")
    sent = pl.col("sent") & away & pl.col("out_id").is_null()
    received = pl.col("received") & away & pl.col("in_id").is_null()
    facts = facts.with_columns(**{name: _record()[name] for name in ("recorded", "record_basis")})
    cases = {
        "kept_apart": (pl.col("apart"), pl.coalesce("sent_asset", "received_asset", "fee_asset")),
        "transfer_fee_doubtful": (pl.col("fee_doubtful"), pl.col("sent_asset")),
        "unmatched_withdrawal": (sent, pl.col("sent_asset")),
        "unmatched_deposit": (received & ~pl.col("recorded"), pl.col("received_asset")),
        "basis_missing_gift": (
            pl.col("recorded") & pl.col("received") & pl.col("in_id").is_null() & pl.col("record_basis").is_null(),
            pl.col("received_asset"),
        ),
        "record_doubtful": (pl.col("record_doubtful") & pl.col("in_id").is_null(), pl.col("received_asset")),
        "stand_not_applied": (pl.col("halved"), pl.coalesce("sent_asset", "received_asset")),
    }
    asked = [
        _asked(
            facts.filter(which),
            question,
            asset=asset,
            dollars_at_stake=fee if question == "transfer_fee_doubtful" else stake,
        )
        for question, (which, asset) in cases.items()
    ]
    return [*asked, _untaken(facts)]


def _untaken(facts: pl.DataFrame) -> pl.DataFrame:
    """Swaps on which nobody took a stand: one question a client, topic, asset and year, with the first of them."""
    arrived = ~pl.col("sent") & pl.col("was").is_not_null()  # asked with the other end
    swaps = facts.filter(pl.col("topic").is_not_null() & ~pl.col("taken") & ~arrived).with_columns(
        question=pl.format("{}_taxable", "topic"), asset=pl.coalesce("sent_asset", "received_asset")
    )
    grouped = (
        swaps.sort("occurred_at", "event_id")
        .group_by("question", "taxpayer_id", "asset", "tax_year", maintain_order=True)
        .agg(
            pl.col("event_id", "account_id").first(),
            dollars_at_stake=pl.col("usd_value").sum(),
            events=pl.len(),
        )
    )
    return grouped.select(pl.col(name).cast(dtype) for name, dtype in QUESTIONS.items())


def _untold_moves(every: pl.DataFrame, transfers: pl.DataFrame, positions: pl.DataFrame) -> pl.DataFrame:
    """Own moves that took lots by an order, where nobody says whether it governs them (topic own_transfer).

    Reg. 1.1012-1(j) speaks of units "sold, disposed of, or transferred"; Rev. Proc. 2024-28 s. 3.11 means by transfer
    one to another taxpayer.
    """
    own = transfers.filter(pl.col("out_taxpayer_id") == pl.col("in_taxpayer_id"))
    ordered = every.filter(
        (pl.col("movement") == "depart") & (pl.col("tax_year") >= WALLET_YEAR) & (pl.col("lot_method") != "fifo")
    ).join(own, left_on="link", right_on="transfer_id", how="semi")
    untaken = chosen(ordered.with_columns(topic=pl.lit("own_transfer")), positions).filter(~pl.col("taken"))
    first = untaken.sort("sequence").group_by("taxpayer_id", "tax_year", maintain_order=True).agg(
        pl.col("event_id", "account_id", "asset").first(), events=pl.len()
    )  # fmt: skip
    return _asked(first, "own_transfer_order")


def _unused(acquisitions: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Rows of acquisitions.csv that name no event of tonight's books."""
    ids, hashes = events["event_id"].implode(), events.select(one_hash("tx_id"))["tx_id"].implode()
    known = pl.any_horizontal(pl.col("event_id").is_in(ids), one_hash("tx_id").is_in(hashes)).fill_null(value=False)
    lost = acquisitions.filter(~known)
    return _asked(lost.with_columns(pl.coalesce("event_id", "tx_id").alias("event_id")), "record_without_receipt")


def _unfiled(every: pl.DataFrame, missing: pl.DataFrame, picks: pl.DataFrame) -> pl.DataFrame:
    """Years before 2025 with disposals whose method as filed is not on record, and that no picks identify in full."""
    named = picks.group_by("movement_id").agg(named=pl.col("quantity").sum().cast(QUANTITY))
    sold = every.filter(movement="dispose").join(named, on="movement_id", how="left")
    left = sold.filter(pl.col("named").fill_null(0) < pl.col("quantity"))
    stake = pl.col("amount").abs().sum().cast(MONEY, strict=False)
    disposed = left.group_by("taxpayer_id", "tax_year").agg(dollars_at_stake=stake)
    return _asked(missing.join(disposed, on=["taxpayer_id", "tax_year"]), "filed_method_missing")


def _pools_unknown(every: pl.DataFrame, basis_pools: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """Clients who disposed before 2025 from one of several wallets and never said how they pooled basis.

    Only taxable wallets count: an IRA's units were never in a taxpayer's universal pool.
    """
    apart = wallets(accounts).filter(pl.col("treatment") != "taxable")
    early = every.filter(pl.col("tax_year") < WALLET_YEAR).join(apart, on="account_id", how="anti")
    said = basis_pools.filter(pl.col("until_2025").is_in(("universal", "wallet")))
    several = early.group_by("taxpayer_id").agg(
        several=pl.col("wallet").n_unique() > 1, disposed=(pl.col("movement") == "dispose").any()
    )
    unknown = several.filter(pl.col("several") & pl.col("disposed")).join(said, on="taxpayer_id", how="anti")
    return _asked(unknown.sort("taxpayer_id"), "basis_pool_unknown")


def _asked(rows: pl.DataFrame, question: str, **columns: pl.Expr) -> pl.DataFrame:
    """The rows as questions; a column that they lack is null."""
    filled = rows.with_columns(question=pl.lit(question), **columns)
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in QUESTIONS.items() if name not in filled.columns]
    return filled.with_columns(lacking).select(pl.col(name).cast(dtype) for name, dtype in QUESTIONS.items())
