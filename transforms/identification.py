"""Specific identification: the lots that picks as filed and instructions name for a sale, and what became of them.

Which standing order is in force lies in `methods`, the taking of lots in the lot book.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

import polars as pl

from schemas.fields import MONEY, QUANTITY
from schemas.gate import conform, empty
from schemas.harvest import Instructions
from schemas.inputs import InstructionsGiven, LotPicks
from schemas.ledger import InstructionMatches, Picks
from transforms.exact import from_ints, part_of, to_ints, units_text
from transforms.methods import BROKER_YEAR, WALLET_YEAR

NO_LOT_PICKS = empty(LotPicks)
NO_INSTRUCTIONS = empty(InstructionsGiven)
UNCHOSEN = ("fee", "theft", "loss")
"""Kinds of disposal that no instruction is for: a fee follows its trade, a theft nobody's decision."""

QUESTIONS: dict[str, Any] = {
    "question": pl.String,
    "taxpayer_id": pl.String,
    "account_id": pl.String,
    "asset": pl.String,
    "tax_year": pl.Int64,
    "event_id": pl.String,
    "record": pl.String,
    "dollars_at_stake": MONEY,
}
"""`record` is the row of the firm's folder that is asked about."""


class Identified(NamedTuple):
    """What is named for which sale."""

    picks: pl.DataFrame
    """schemas.ledger.Picks: what the lot book takes before the method of the sale."""
    matches: pl.DataFrame
    """schemas.ledger.InstructionMatches: which sales the instructions were for, adequate or not."""
    questions: pl.DataFrame
    """See QUESTIONS: pick_without_sale, pick_since_2025, pick_exceeds_sale, instruction_not_told,
    instruction_before_2025, instruction_and_broker_differ, custody_unknown."""


class Outcome(NamedTuple):
    """What the lot book made of it."""

    instructions: pl.DataFrame
    """schemas.harvest.Instructions."""
    questions: pl.DataFrame
    """See QUESTIONS: pick_without_lot, pick_without_units, instruction_without_lot, instruction_without_units,
    instruction_without_sale."""


def identify(
    exits: pl.DataFrame,
    told: pl.Series,
    lot_picks: pl.DataFrame,
    instructions: pl.DataFrame,
    accounts: pl.DataFrame,
    lots: pl.DataFrame,
) -> Identified:
    """The lots named for each disposal, before its method chooses the rest.

    A fee withheld in the coin just received is deemed paid from it, over any order (Reg. 1.1012-1(j)(3)(iii)). Sales
    before 2025 follow the picks as filed (IRS digital asset FAQs 39-41); of an event with several disposals a pick
    goes to those of its lot's asset, the units given before the fee. From 2025 an instruction goes to the first
    disposals that it fits: of its wallet (accounts that are one wallet count as one) and asset, later than
    `recorded_at`, no later than the day `valid_until` of the taxpayer's calendar, not cancelled, until its quantity is
    used up; instructions by `recorded_at`, then id. No instruction is for a fee, a theft or a loss.

    It is adequate by the table of tax rules 2.7: a record in the books before the sale (Reg. 1.1012-1(j)(2); for a US
    broker through 2026 Notices 2025-7 and 2026-20), from 2027 at a US broker (and where custody is unknown) only what
    the broker was told before the sale (Reg. 1.1012-1(j)(3)(ii)). What is not adequate chooses nothing and leaves the
    sale to others, but is used up: it was meant for that sale. A sale before 2025 uses it up likewise; it goes as
    filed.

    Args:
        exits: schemas.ledger.Movements of the exits, and `deemed_lot`: the lot that a fee is deemed paid from.
        told: by row of exits, the lot method that its broker was told before it.
        lot_picks: lot_picks.csv.
        instructions: instructions.csv.
        accounts: account_id, taxpayer_id, wallet (null: the account itself), custody.
        lots: movement_id, taxpayer_id, asset of every movement: what a lot's id tells of it.
    """
    facts = accounts.select("account_id", custody="custody")
    sales = (
        exits.with_columns(told=told)
        .filter(movement="dispose")
        .join(facts, on="account_id", how="left", maintain_order="left")
        .with_columns(wallet=pl.coalesce("wallet", "account_id"))
        .sort("occurred_at", "taxpayer_id", "sequence")
    )
    free = sales.filter(pl.col("deemed_lot").is_null())
    filed = _filed(lot_picks, free, lots)
    given = _given(instructions, free, accounts)
    deemed = sales.filter(pl.col("deemed_lot").is_not_null()).select(
        "taxpayer_id", "movement_id", lot_id="deemed_lot", lot_method=pl.lit("deemed"), place=pl.lit(0, pl.Int64)
    )
    chosen = pl.concat([filed, given.filter(adequate=True)], how="diagonal").with_columns(lot_method=pl.lit("specific"))
    placed = chosen.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64).over("movement_id"))
    picks = pl.concat([conform(deemed, Picks), conform(placed, Picks)]).sort("movement_id", "place")
    asked = [*_asked_of_picks(lot_picks, filed, free, lots), *_asked_of_instructions(given)]
    return Identified(picks, conform(given, InstructionMatches), pl.concat(asked))


def outcome(
    instructions: pl.DataFrame,
    matches: pl.DataFrame,
    picks: pl.DataFrame,
    gains: pl.DataFrame,
    lots: pl.DataFrame,
    accounts: pl.DataFrame,
    as_of: dt.date,
) -> Outcome:
    """What was executed of each instruction, and the picks that found fewer units than they name.

    An instruction has a row for each disposal that it was matched to, and one without (executed 0) for what is left of
    it: open, expired, cancelled, or marked executed without a sale.

    Args:
        instructions: instructions.csv, assets named as in the books.
        matches: schemas.ledger.InstructionMatches.
        picks: schemas.ledger.Picks.
        gains: schemas.tax.Pieces, all years: the lots by their own ids, as picks name them.
        lots: lot_id, taxpayer_id, asset of every lot.
        accounts: account_id, taxpayer_id.
        as_of: the day of the night.
    """
    taken = executed(picks, gains)
    whole = instructions.join(accounts.select("account_id", "taxpayer_id"), on="account_id", how="left")
    known = whole.drop("communicated_to_broker_at", "recorded_at")
    done = (
        known.join(matches.drop("taxpayer_id", "lot_id").rename({"quantity": "matched"}), on="instruction_id")
        .join(
            taken.select("instruction_id", "movement_id", "executed"), on=["instruction_id", "movement_id"], how="left"
        )
        .with_columns(executed_quantity=pl.col("executed").fill_null(0).cast(QUANTITY), disposal_id="movement_id")
    )
    lacking = (pl.col("adequate") & (pl.col("executed_quantity") < pl.col("matched"))).fill_null(value=False)
    found = pl.format(
        "{}; the lot had {} of the {} units in the wallet at the sale", "why",
        units_text(pl.col("executed_quantity")), units_text(pl.col("matched")),
    )  # fmt: skip
    none = lacking & (pl.col("executed_quantity") == 0)
    done = done.with_columns(
        why=pl.when(lacking).then(found).otherwise("why"),
        adequate=pl.when(none).then(pl.lit(value=False)).otherwise("adequate"),
    )
    rest = _rest(known, done, as_of)
    table = pl.concat([conform(done, Instructions), conform(rest, Instructions)])
    unsold = rest.filter((pl.col("status") == "executed") & (pl.col("left") == pl.col("quantity")))
    asked = [
        _unfound(taken, gains, lots),
        _asked(unsold.with_columns(record=_record("instructions", "instruction_id")), "instruction_without_sale"),
    ]
    return Outcome(table.sort("instruction_id", "event_id", "disposal_id", nulls_last=True), pl.concat(asked))


def executed(picks: pl.DataFrame, gains: pl.DataFrame) -> pl.DataFrame:
    """The picks with `executed`: the units of the lot that the disposal took for each, in their order.

    A disposal takes its picks before anything else, so that the first units of a lot in it are theirs.

    Args:
        picks: schemas.ledger.Picks.
        gains: disposal_id, lot_id, quantity.
    """
    key = ["movement_id", "lot_id"]
    sold = gains.group_by(movement_id="disposal_id", lot_id="lot_id").agg(pl.col("quantity").sum().alias("_sold"))
    ordered = picks.sort("movement_id", "place").join(sold, on=key, how="left", maintain_order="left")
    wanted = pl.col("quantity").fill_null(pl.col("_sold")).fill_null(0)
    before = wanted.cum_sum().over(key) - wanted
    left = pl.max_horizontal(pl.col("_sold").fill_null(0) - before, pl.lit(0, QUANTITY))
    return ordered.with_columns(executed=pl.min_horizontal(wanted, left).cast(QUANTITY)).drop("_sold")


# --- which sale a record is for ------------------------------------------------------------------------------------


class _Sale:
    """A disposal and the units of it that are not spoken for."""

    __slots__ = ("at", "broker", "day", "left", "movement_id")

    def __init__(self, movement_id: str, at: Any, day: Any, year: int, custody: str | None, quantity: int) -> None:
        self.movement_id = movement_id
        self.at = at
        self.day = day
        self.left = quantity
        self.broker = year >= BROKER_YEAR and (custody or "us_broker") == "us_broker"  # the broker must be told


def _at(sale: _Sale) -> Any:
    return sale.at


_A_MOVE = dt.timedelta(days=2)
"""By how much the calendar of a taxpayer who moves may go back while time goes on."""
_SALE = ("movement_id", "occurred_at", "tax_date", "tax_year", "custody", "quantity")


def _filed(lot_picks: pl.DataFrame, sales: pl.DataFrame, lots: pl.DataFrame) -> pl.DataFrame:
    """Picks as filed with the disposals before 2025 that they go to: movement_id, lot_id, quantity and the sale's."""
    early = sales.filter(pl.col("tax_year") < WALLET_YEAR)
    wanted = _with_lot(lot_picks, lots).sort("event_id", "lot_id").with_row_index("_record")
    of_event = early.join(wanted.select("event_id", "_record", "of_asset"), on="event_id", maintain_order="left_right")
    fits = of_event.filter(pl.coalesce("of_asset", "asset") == pl.col("asset"))
    pairs = _allot(wanted, fits, key="_record", counts=lambda *_: True)
    return _joined(pairs, wanted.select("_record", "lot_id", picked="quantity"), early)


def _given(instructions: pl.DataFrame, sales: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """Instructions with the disposals that they were for, whether each was adequate, and why."""
    owner = accounts.select("account_id", "taxpayer_id", wallet=pl.coalesce("wallet", "account_id"))
    group = ["taxpayer_id", "wallet", "asset"]
    wanted = (
        instructions.filter(pl.col("status") != "cancelled")
        .join(owner, on="account_id")
        .with_columns(group=pl.struct(group))
        .sort("recorded_at", "instruction_id")
        .with_row_index("_record")
    )
    chosen = sales.filter(~pl.col("disposal_kind").is_in(UNCHOSEN)).join(
        wanted, on=group, how="semi", maintain_order="left"
    )

    def counts(record: dict[str, Any], sale: _Sale) -> bool:
        said = record["communicated_to_broker_at"]
        return not sale.broker or (said is not None and said < sale.at)

    pairs = _allot(wanted, chosen.with_columns(group=pl.struct(group)), key="group", counts=counts)
    named = wanted.select("_record", "instruction_id", "lot_id", "communicated_to_broker_at")
    return _judged(_joined(pairs, named, chosen))


def _allot(
    wanted: pl.DataFrame,
    sales: pl.DataFrame,
    key: str,
    counts: Callable[[dict[str, Any], _Sale], bool],
) -> pl.DataFrame:
    """Gives each record, in order, units of the sales of its key, until its quantity or the sales are used up.

    The sales lie in order of time; a record that has them is for those after `recorded_at` and to the day `valid_until`.
    Only what counts takes units from a sale. A record is a row that a person wrote, so there are few.

    Returns:
        _record, movement_id, quantity, counts.
    """
    every: dict[str, _Sale] = {}
    of_key: dict[Any, list[_Sale]] = {}
    cells = (*(sales[name].to_list() for name in _SALE[:-1]), to_ints(sales["quantity"]))
    for group, *cell in zip(_keys(sales[key]), *cells, strict=True):
        of_key.setdefault(group, []).append(every.setdefault(cell[0], _Sale(*cell)))
    out: list[tuple[int, str, int, bool]] = []
    for record, group, units in zip(wanted.to_dicts(), _keys(wanted[key]), to_ints(wanted["quantity"]), strict=True):
        left, last, line = units or 0, record.get("valid_until"), of_key.get(group, [])
        after = record.get("recorded_at")
        start = 0 if after is None else bisect_right(line, after, key=_at)
        for sale in (line[n] for n in range(start, len(line))):
            if not left or (last is not None and sale.day > last + _A_MOVE):
                break
            if sale.left and (last is None or sale.day <= last):
                taken, good = min(left, sale.left), counts(record, sale)
                left -= taken
                sale.left -= taken if good else 0
                out.append((record["_record"], sale.movement_id, taken, good))
    columns = list(zip(*out, strict=True)) or [(), (), (), ()]
    return pl.DataFrame([
        pl.Series("_record", columns[0], pl.UInt32), pl.Series("movement_id", columns[1], pl.String),
        from_ints("quantity", columns[2], QUANTITY), pl.Series("counts", columns[3], pl.Boolean),
    ])  # fmt: skip


def _keys(column: pl.Series) -> list[Any]:
    """Cells as keys of a dict."""
    return [tuple(cell.values()) if isinstance(cell, dict) else cell for cell in column.to_list()]


def _joined(pairs: pl.DataFrame, records: pl.DataFrame, sales: pl.DataFrame) -> pl.DataFrame:
    """The pairs with the record and the sale; `dollars_at_stake` is the part of the amount that falls on the units."""
    sale = sales.select(
        "movement_id", "taxpayer_id", "account_id", "asset", "event_id", "tax_year", "occurred_at", "custody", "told",
        amount=pl.col("amount").abs(), sold="quantity",
    )  # fmt: skip
    whole = pairs.join(records, on="_record", how="left", maintain_order="left")
    return whole.join(sale, on="movement_id", how="left", maintain_order="left").with_columns(
        dollars_at_stake=part_of(pl.col("amount"), pl.col("quantity"), pl.col("sold"))
    )


def _judged(pairs: pl.DataFrame) -> pl.DataFrame:
    """Adds `adequate` (null before 2025) and `why`; `differs`: the broker was told another order and not this."""
    early = pl.col("tax_year") < WALLET_YEAR
    said = (pl.col("communicated_to_broker_at") < pl.col("occurred_at")).fill_null(value=False)
    at_broker = pl.col("custody").fill_null("us_broker") == "us_broker"
    differs = pl.col("counts") & ~said & pl.col("told").is_not_null()
    why = (
        pl.when(early).then(pl.lit("a sale before 2025 goes as filed (lot_picks.csv, filed_methods.csv)"))
        .when(~pl.col("counts") & pl.col("custody").is_null())
        .then(pl.lit("custody unknown: a US broker would have to be told before the sale (from 2027)"))
        .when(~pl.col("counts")).then(pl.lit("the US broker was not told before the sale (needed from 2027)"))
        .when(differs).then(pl.format("recorded before the sale, but the broker was told {} by a standing order", "told"))
        .when(at_broker & said).then(pl.lit("the broker was told before the sale"))
        .when(pl.col("custody") == "us_broker")
        .then(pl.lit("recorded before the sale; the books suffice through 2026 (Notices 2025-7, 2026-20)"))
        .otherwise(pl.lit("recorded before the sale"))
    )  # fmt: skip
    return pairs.with_columns(adequate=pl.when(~early).then("counts"), why=why, differs=differs)


# --- what is asked -------------------------------------------------------------------------------------------------


def _with_lot(records: pl.DataFrame, lots: pl.DataFrame) -> pl.DataFrame:
    """The records with the asset and the owner of their lot (a converted lot's id begins with its acquisition's)."""
    facts = lots.select(_lot="movement_id", of_asset="asset", owner="taxpayer_id").unique("_lot", keep="any")
    first = pl.col("lot_id").str.split("<").list.first()
    return records.with_columns(_lot=first).join(facts, on="_lot", how="left", maintain_order="left").drop("_lot")


def _asked_of_picks(
    lot_picks: pl.DataFrame, filed: pl.DataFrame, sales: pl.DataFrame, lots: pl.DataFrame
) -> list[pl.DataFrame]:
    """Picks that name no sale, a sale since 2025, or more units than the sale has."""
    named = sales.join(lot_picks, on="event_id", how="semi", maintain_order="left")
    events = named.group_by("event_id", maintain_order=True).agg(
        pl.col("taxpayer_id", "account_id", "tax_year", "asset").first(), assets=pl.col("asset").unique(),
        amount=_total("amount"), sold=pl.col("quantity").sum().cast(QUANTITY),
    )  # fmt: skip
    used = filed.group_by("event_id", "lot_id").agg(used=pl.col("quantity").sum().cast(QUANTITY))
    known = (
        _with_lot(lot_picks, lots)
        .join(events, on="event_id", how="left")
        .join(used, on=["event_id", "lot_id"], how="left")
        .with_columns(
            record=_record("lot_picks", "event_id", "lot_id"), taxpayer_id=pl.coalesce("taxpayer_id", "owner")
        )
    )
    late = (pl.col("tax_year") >= WALLET_YEAR).fill_null(value=False)
    of_event = pl.col("of_asset").is_null() | pl.col("of_asset").is_in(pl.col("assets"))
    lost = ~late & ~(pl.col("sold").is_not_null() & of_event).fill_null(value=False)
    over = pl.min_horizontal(pl.col("quantity") - pl.col("used").fill_null(0), "sold").cast(QUANTITY)
    more = ~late & ~lost & (over > 0)
    whole = pl.min_horizontal("quantity", "sold").cast(QUANTITY)
    return [
        _asked(known.filter(lost), "pick_without_sale", part_of(pl.col("amount"), whole, pl.col("sold"))),
        _asked(known.filter(late), "pick_since_2025", part_of(pl.col("amount"), whole, pl.col("sold"))),
        _asked(known.filter(more), "pick_exceeds_sale", part_of(pl.col("amount"), over, pl.col("sold"))),
    ]


def _asked_of_instructions(given: pl.DataFrame) -> list[pl.DataFrame]:
    """Instructions that chose nothing for a sale, or against which the broker was told something else."""
    named = given.with_columns(record=_record("instructions", "instruction_id"))
    early = pl.col("tax_year") < WALLET_YEAR
    untold = ~early & ~pl.col("counts")
    cases = {
        "instruction_before_2025": early,
        "custody_unknown": untold & pl.col("custody").is_null(),
        "instruction_not_told": untold & pl.col("custody").is_not_null(),
        "instruction_and_broker_differ": pl.col("differs"),
    }
    return [_asked(named.filter(which), question) for question, which in cases.items()]


def _unfound(taken: pl.DataFrame, gains: pl.DataFrame, lots: pl.DataFrame) -> pl.DataFrame:
    """Picks of lots that do not exist, are of another asset, or had fewer units in the wallet at the sale."""
    sale = gains.group_by(movement_id="disposal_id").agg(
        pl.col("account_id", "asset", "tax_year", "event_id").first(),
        amount=_total("proceeds"), sold=pl.col("quantity").sum().cast(QUANTITY),
    )  # fmt: skip
    lacking = taken.filter((pl.col("lot_method") == "specific") & (pl.col("executed") < pl.col("quantity")))
    named = lacking.join(sale, on="movement_id").with_columns(
        record=pl.when(pl.col("instruction_id").is_null())
        .then(_record("lot_picks", "event_id", "lot_id"))
        .otherwise(_record("instructions", "instruction_id")),
        kind=pl.when(pl.col("instruction_id").is_null()).then(pl.lit("pick")).otherwise(pl.lit("instruction")),
        lacking=(pl.col("quantity") - pl.col("executed")).cast(QUANTITY),
    )
    there = named.join(lots.select("lot_id"), on="lot_id", how="semi")
    absent = named.join(lots.select("lot_id"), on="lot_id", how="anti")
    stake = part_of(pl.col("amount"), pl.col("lacking"), pl.col("sold"))
    questions = [(there, pl.format("{}_without_units", "kind")), (absent, pl.format("{}_without_lot", "kind"))]
    return pl.concat([_asked(rows.with_columns(question=question), None, stake) for rows, question in questions])


def _rest(known: pl.DataFrame, done: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """What is left of each instruction after its sales, and why; `left` in units."""
    used = done.group_by("instruction_id").agg(used=pl.col("matched").sum())
    left = known.join(used, on="instruction_id", how="left").with_columns(
        left=(pl.col("quantity") - pl.col("used").fill_null(0)).cast(QUANTITY)
    )
    over = (pl.col("valid_until") < as_of).fill_null(value=False)
    state = (
        pl.when(pl.col("status") == "cancelled").then(pl.lit("cancelled"))
        .when(over).then(pl.format("expired after {} without a sale that it fits", "valid_until"))
        .when((pl.col("status") == "executed") & pl.col("used").is_null())
        .then(pl.lit("marked executed, but no sale on file fits it"))
        .otherwise(pl.lit("open"))
    )  # fmt: skip
    part = pl.format("{} of {} units: {}", units_text(pl.col("left")), units_text(pl.col("quantity")), state)
    return left.filter(pl.col("left") > 0).with_columns(
        why=pl.when(pl.col("used").is_null()).then(state).otherwise(part),
        executed_quantity=pl.lit(0).cast(QUANTITY),
    )


def _total(column: str) -> pl.Expr:
    """The dollars that hang on a group's rows; null where their sum is beyond what money holds."""
    return pl.col(column).abs().sum().cast(MONEY, strict=False)


def _record(name: str, *columns: str) -> pl.Expr:
    """The row of the firm's folder that is asked about."""
    return pl.concat_str(pl.lit(f"{name}:"), pl.concat_str(columns, separator=" "))


def _asked(rows: pl.DataFrame, question: str | None, stake: pl.Expr | None = None) -> pl.DataFrame:
    """The rows as questions (by their own column `question` where none is given); a column that they lack is null."""
    filled = rows if question is None else rows.with_columns(question=pl.lit(question))
    filled = filled if stake is None else filled.with_columns(dollars_at_stake=stake)
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in QUESTIONS.items() if name not in filled.columns]
    return filled.with_columns(lacking).select(pl.col(name).cast(dtype) for name, dtype in QUESTIONS.items())
