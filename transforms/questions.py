"""What the intake and the ledger leave open, as review items. Each function takes what its stage made; none decides."""

from __future__ import annotations

import polars as pl

from schemas.fields import FIAT, KEPT_APART
from transforms.exact import to_cents, units_text
from transforms.review import items

UNVALUED = ("deposit", "withdrawal", "transfer_in", "transfer_out", "migration", *KEPT_APART)
"""Kinds that need no value: nothing is bought, sold or earned."""


def files(taken: pl.DataFrame) -> list[pl.DataFrame]:
    """Files that are no source we know, or that cannot be read."""
    unknown = taken.filter(pl.col("status") == "unknown_format")
    unreadable = taken.filter(pl.col("status").is_in(["unreadable", "empty"]))
    known = "Ask for the export named in the documentation, or convert the file to the universal format."
    again = "Ask the client to download the file again."
    return [
        items(unknown, "file_unknown_format", "warning", pl.col("message"), known),
        items(unreadable, "file_unreadable", "warning", pl.col("message"), again),
    ]


def rows(raw_rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows that should have been facts: one item a file and reason, with the first row (every row keeps its reason)."""
    rejected = (
        raw_rows.filter(pl.col("status") == "rejected")
        .group_by("taxpayer_id", "account_id", "file_id", "reason")
        .agg(row_no=pl.col("row_no").min().cast(pl.Int64), rows=pl.len())
    )
    message = pl.format("{} rows, the first in line {}: {}", "rows", "row_no", "reason")
    action = "Correct the row in a copy of the file, or enter the fact in the universal format."
    return [items(rejected, "row_rejected", "warning", message, action)]


def digits(legs: pl.DataFrame) -> list[pl.DataFrame]:
    """Digits past the 18th that were rounded at intake."""
    rounded = (
        legs.filter("rounded").group_by("taxpayer_id", "account_id", "file_id").agg(rows=pl.col("row_no").n_unique())
    )
    message = pl.format("{} rows carry digits past the 18th decimal place; each was rounded half up once", "rows")
    return [items(rounded, "digits_rounded", "info", message, "Nothing to do unless the coin has more decimals.")]


def balances(breaks: pl.DataFrame) -> list[pl.DataFrame]:
    """The first row of an export whose running balance does not follow from the rows before it."""
    at = breaks.with_columns(pl.col("row_no").cast(pl.Int64), asset=pl.col("raw_asset"))
    message = pl.format("line {}: balance {} where the rows before it give {}", "row_no", "found", "expected")
    action = "A row is missing or was counted twice: ask for the whole export of the account."
    return [items(at, "balance_break", "warning", message, action)]


def overrides(refused: pl.DataFrame) -> list[pl.DataFrame]:
    """Corrections of staff that could not be applied."""
    message = pl.format("the override of {} was not applied: {}", "field", "why")
    action = "Correct or remove the row of overrides.csv."
    return [items(refused, "override_without_event", "blocking", message, action)]


def conflicts(clashes: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows that state another amount than the copy of the same fact that counts."""
    message = pl.format("line {} states another amount than another file for the same fact; one was used", "row_no")
    action = "Compare the files and withdraw the wrong one, or correct the event in overrides.csv."
    return [items(clashes, "copies_differ", "warning", message, action)]


_EVENTS = {
    "price_missing": (
        "blocking",
        "no price for a {} on {}",
        "Add a price for the day to prices/, or a value to overrides.csv.",
    ),
    "fee_price_missing": (
        "warning",
        "no price for the fee of a {} on {}",
        "Add a price for the day to prices/, or fee_usd_value to overrides.csv.",
    ),
    "kept_apart": (
        "blocking",
        "a {} on {} is kept apart from lots and gains",
        "Ask the client what it is and book it by hand: it is in no lot, gain or income of these books.",
    ),
    "loss_not_booked": (
        "warning",
        "a {} on {} leaves the books without any loss on the return",
        "Theft and casualty losses are not capital losses (IRC 165): decide outside these books whether one is allowed.",
    ),
    "second_fee": (
        "warning",
        "a second {} on {} is a disposal of its own",
        "Its value is in no proceeds and no basis: add it to the event by an override if it belongs there.",
    ),
    "year_boundary": (
        "info",
        "a {} on {} lies within 14 hours of a year's end: another clock may put it into the other year",
        "A broker that keeps another clock may report it for the other year: compare with the Form 1099-DA.",
    ),
}
"""Question of the events: severity, what was found (kind, date), what to do."""


def events(valued: pl.DataFrame) -> list[pl.DataFrame]:
    """Events without a value, kept apart, with a second fee, or whose tax year depends on the clock."""
    kind = pl.col("kind")
    cash = [pl.col(side).is_in(FIAT).fill_null(value=True) for side in ("received_asset", "sent_asset")]
    unpriced = ~pl.all_horizontal(cash) & pl.col("usd_value").is_null() & ~kind.is_in([*UNVALUED, "fee"])
    fee_unpriced = pl.col("fee_asset").is_not_null() & pl.col("fee_usd_value").is_null() & ~unpriced
    # the taxpayer's clock is at most 14 hours from any other (tax rules 1.3)
    near = [pl.col("occurred_at").dt.offset_by(by).dt.year() != pl.col("tax_year") for by in ("-14h", "14h")]
    boundary = ~kind.is_in(UNVALUED) & pl.any_horizontal(near)
    cases = {
        "price_missing": unpriced,
        "fee_price_missing": fee_unpriced,
        "kept_apart": kind.is_in(KEPT_APART),
        "loss_not_booked": kind.is_in(["theft", "loss"]),
        "second_fee": (kind == "fee") & (pl.col("event_id") != pl.col("fact_id")),
        "year_boundary": boundary,
    }
    asset = pl.coalesce("received_asset", "sent_asset", "fee_asset")
    stake = pl.coalesce("usd_value", "fee_usd_value")
    found = []
    for question, which in cases.items():
        severity, message, action = _EVENTS[question]
        of = pl.col("fee_asset") if question == "fee_price_missing" else asset
        rows = valued.filter(which).with_columns(asset=of)
        found.append(items(rows, question, severity, pl.format(message, "kind", "tax_date"), action, stake))
    return found


def transfers(ambiguous: pl.DataFrame, crossing: pl.DataFrame, doubtful: pl.DataFrame) -> list[pl.DataFrame]:
    """Moves that could be paired in several ways, that cross into or out of an IRA, or that rest on amounts alone."""
    name = "Name the other event in overrides.csv: field transfer, value the event_id (or none)."
    stake = pl.col("usd_value")
    return [
        items(
            ambiguous,
            "ambiguous_transfer",
            "blocking",
            pl.format("{} pairings are possible; the amounts tie or do not fit, so both ends stay open", "candidates"),
            name,
            stake,
        ),
        items(
            crossing,
            "treatment_crossing",
            "blocking",
            pl.lit(
                "looks like a move between a taxable and a retirement or excluded account: a distribution or a contribution"
            ),
            "Ask; no basis carries over (IRC 408(d)). Book the value at that time in acquisitions.csv or opening_lots.csv.",
            stake,
        ),
        items(
            doubtful,
            "transfer_doubtful",
            "warning",
            pl.format(
                "paired by time and a near amount alone; {} is booked as a fee", units_text(pl.col("fee_quantity"))
            ),
            name,
            stake,
        ),
    ]


def shortfalls(gains: pl.DataFrame) -> list[pl.DataFrame]:
    """Disposals of units that the books do not have, or whose basis is unknown: they are in no return yet."""
    missing = gains.filter(pl.col("gain").is_null() & pl.col("proceeds").is_not_null())
    by_event = missing.group_by("taxpayer_id", "account_id", "asset", "tax_year", "event_id").agg(
        pl.col("proceeds", "quantity").sum(), pl.col("date_sold").min(), none=pl.col("lot_id").is_null().any()
    )
    message = pl.format(
        "{} sold on {} for {} dollars without known basis",
        units_text(pl.col("quantity")),
        "date_sold",
        to_cents(pl.col("proceeds")),
    )
    action = "Ask for the purchase history (opening_lots.csv); until then the sale is left out of the return."
    return [
        items(by_event.filter("none"), "shortfall", "blocking", message, action, pl.col("proceeds")),
        items(by_event.filter(~pl.col("none")), "basis_unknown", "blocking", message, action, pl.col("proceeds")),
    ]


_MOVED = {
    "unmatched_deposit": (
        "blocking",
        "{} came in and nothing says from where: its basis is unknown",
        "Ask where it came from; pair it (overrides.csv, field transfer) or give its history (opening_lots.csv).",
    ),
    "unmatched_withdrawal": (
        "warning",
        "{} went out and arrived in no account we know: kept as held outside, not disposed of",
        "Ask where it went: another own account (send its file), a sale, a gift (overrides.csv, field kind).",
    ),
    "basis_missing_gift": (
        "blocking",
        "{} was received as a gift or inheritance and its basis, value at the gift or date is not on record",
        (
            "Give the donor's basis and date and the value at the gift, or the value at death, in acquisitions.csv; for an "
            "opening lot with a loss basis the day of the gift (loss_acquired_at)."
        ),
    ),
    "wrapping_taxable": (
        "info",
        "wrapping of {} is booked as a taxable trade: the law is unsettled",
        "Take a stand in positions.csv (topic wrapping: taxable or carry).",
    ),
    "ambiguous_transfer": (
        "warning",
        "a move of {} between two taxpayers was not booked as a transfer",
        "Say whether it was a gift, a sale or a move between spouses.",
    ),
    "transfer_fee_doubtful": (
        "warning",
        "a move of {} states a fee and arrives short by another amount: both are booked as fees",
        "Compare with the wallet's own record and correct the fee in overrides.csv.",
    ),
    "broker_and_books_differ": (
        "warning",
        "the broker was told another lot method for {} than the books say: what it was told was used",
        "Make the two agree (Notice 2025-7 s. 4.05).",
    ),
    "filed_method_missing": (
        "warning",
        "sales before 2025 are booked FIFO: the method as filed is not on record",
        "Enter the method as filed in filed_methods.csv.",
    ),
    "basis_pool_unknown": (
        "warning",
        "sales before 2025 from one of several wallets: kept wallet by wallet, but nobody says how basis was pooled",
        "Enter universal or wallet in basis_pools.csv.",
    ),
}
"""Question of the movements: severity, what was found, what to do. Kept-apart kinds are asked with the events."""


def movements(asked: pl.DataFrame) -> list[pl.DataFrame]:
    """What the movements leave open (`transforms.movements.QUESTIONS`)."""
    named = asked.with_columns(what=pl.col("asset").fill_null("").str.slice(0, 64))
    return [
        items(
            named.filter(pl.col("question") == question),
            question,
            severity,
            pl.format(message, "what") if "{}" in message else pl.lit(message),
            action,
            pl.col("dollars_at_stake"),
        )
        for question, (severity, message, action) in _MOVED.items()
    ]


def lot_book(faults: pl.DataFrame) -> list[pl.DataFrame]:
    """Faults of the lot book (`transforms.lots.FAULTS`); sales without lots are asked with their proceeds elsewhere."""
    left = pl.col("movement").is_in(["depart", "outside", "convert_out"])
    uncovered = faults.filter((pl.col("fault") == "shortfall") & left)
    unallocated = faults.filter(pl.col("fault") == "universal_unallocated")
    overdrawn = faults.filter(pl.col("fault") == "account_overdrawn")
    history = "A purchase or a deposit is missing before it: ask for the whole history (opening_lots.csv)."
    allocate = "Enter the allocation of Rev. Proc. 2024-28 in allocations_2025.csv; it cannot be made now."
    return [
        items(
            uncovered,
            "move_without_lots",
            "blocking",
            pl.format("{} of {} moved that the books do not have", units_text(pl.col("quantity")), "asset"),
            history,
            pl.col("dollars_at_stake"),
        ),
        items(
            overdrawn,
            "account_overdrawn",
            "blocking",
            pl.format("{} of {} left an account that did not hold them", units_text(pl.col("quantity")), "asset"),
            history,
            pl.col("dollars_at_stake"),
        ),
        items(
            unallocated,
            "universal_unallocated",
            "blocking",
            pl.format("{} left the universal pool on 2025-01-01 without a valid allocation: {}", "asset", "reason"),
            allocate,
            pl.col("dollars_at_stake"),
        ),
    ]


_RETURN = {
    "profile_missing": (
        "blocking",
        "there is no profile for {}: no tax, no carryover, no advice",
        "Add the year to profiles.csv.",
    ),
    "law_year_missing": (
        "blocking",
        "the law of {} is not in this version: no tax and no carryover",
        (
            "Take a version whose law holds the year (docs/adding-a-tax-year.md); or work out the return by hand and enter "
            "its carryovers into the next year in profiles.csv or carry_ins.csv."
        ),
    ),
    "amount_out_of_range": (
        "blocking",
        "an amount of {} is out of range: no tax and no carryover",
        "Correct the profile or the price behind it.",
    ),
    "carry_chain_broken": (
        "blocking",
        "{}: the carryovers brought in are not known, for a year before it has a gap",
        "Enter short_term_carry_in and long_term_carry_in in profiles.csv or carry_ins.csv.",
    ),
}


def returns(missing: pl.DataFrame, conflicts: pl.DataFrame, members: pl.DataFrame) -> list[pl.DataFrame]:
    """What the returns lack (`transforms.returns.MISSING`), and carry-ins that two sources state differently.

    Args:
        missing: return_id, tax_year, taxpayer_id, reason, column.
        conflicts: return_id, tax_year, taxpayer_id, character, recorded, computed.
        members: return_id, tax_year, taxpayer_id, role: a question on a return is asked of its primary.
    """
    primary = members.filter(pl.col("role") == "primary").select("return_id", "tax_year", primary="taxpayer_id")
    named = (
        missing.join(primary, on=["return_id", "tax_year"], how="left")
        .with_columns(taxpayer_id=pl.coalesce("taxpayer_id", "primary", "return_id"))
        .drop("primary")
    )
    cells = (
        named.filter(pl.col("reason") == "profile_cell_empty")
        .group_by("return_id", "taxpayer_id", "tax_year")
        .agg(columns=pl.col("column").unique().sort().str.join(", "))
    )
    record = pl.format(
        "the firm's {}-term carry-in is {}, another source gives {}: the record was used",
        "character",
        "recorded",
        "computed",
    )
    return [
        *(
            items(named.filter(pl.col("reason") == reason), reason, severity, pl.format(message, "tax_year"), action)
            for reason, (severity, message, action) in _RETURN.items()
        ),
        items(
            cells,
            "profile_cell_empty",
            "warning",
            pl.format("{}: taken as zero or standard because the cell is empty: {}", "tax_year", "columns"),
            "Enter the amount, or 0.",
        ),
        items(
            conflicts.group_by("taxpayer_id", "tax_year").agg(
                pl.col("character", "recorded", "computed").first(),
                stake=(pl.col("recorded") - pl.col("computed")).abs().sum(),
            ),
            "carry_in_conflict",
            "warning",
            record,
            "Compare with the return as filed.",
            pl.col("stake"),
        ),
    ]


_STATE = {
    "state_unknown": (
        "info",
        "{}: no state on record, its income tax is not estimated",
        "Enter the state in residency.csv.",
    ),
    "state_not_covered": (
        "info",
        "{}: the income tax of {} is not covered: no estimate, and the advice is federal",
        "Estimate it by hand, with and without the advised sales.",
    ),
    "state_part_year": (
        "warning",
        "{}: moved within the year, or the spouse lives elsewhere: estimated as a resident of {} for the whole year",
        "Work out the part-year or nonresident returns by hand.",
    ),
    "state_provisional": (
        "info",
        "{}: {} had not published its figures when this version was made: those of the year before are used",
        "Compare with the state's own tables.",
    ),
}
"""Question of the state estimates: severity, what was found (year, state), what to do."""


def states(asked: pl.DataFrame) -> list[pl.DataFrame]:
    """What the estimates of state tax leave open: one item a return, year and question.

    Args:
        asked: return_id, tax_year, taxpayer_id, question, state.
    """
    return [
        items(
            asked.filter(pl.col("question") == question),
            question,
            severity,
            pl.format(message, *(["tax_year"] if message.count("{}") == 1 else ["tax_year", "state"])),
            action,
        )
        for question, (severity, message, action) in _STATE.items()
    ]


def quarantine(stopped: pl.DataFrame) -> list[pl.DataFrame]:
    """Clients whose rows broke tonight: nothing of theirs is in the later tables."""
    once = stopped.group_by("taxpayer_id").agg(pl.col("table_name", "reason").first())
    message = pl.format("stopped tonight at {}: {}", "table_name", "reason")
    action = "Correct the row that the other items name; every other client went on."
    return [items(once, "client_stopped", "blocking", message, action)]


def holdings(held: pl.DataFrame) -> list[pl.DataFrame]:
    """Lots that no price of the firm values tonight: nothing can be advised on them."""
    bare = held.filter(pl.col("why_not").is_in(["price_missing", "price_stale"]))
    by_asset = bare.group_by("taxpayer_id", "account_id", "asset").agg(pl.col("quantity").sum())
    message = pl.format("no fresh price for {} held tonight: no advice on them", units_text(pl.col("quantity")))
    action = "Add tonight's price to prices/."
    return [items(by_asset, "holding_price_missing", "warning", message, action)]


UNUSED = {
    "lot_picks": ("blocking", "specific identification of an earlier sale", "event_id", "lot_id"),
    "instructions": ("blocking", "an identification of lots for a sale", "account_id", "lot_id"),
    "filed_lines": ("warning", "a line as filed", "return_id", "line"),
    "filed_lots": ("warning", "a closing lot as filed", "taxpayer_id", "asset"),
}
"""Table of the folder: how serious it is that its rows are not applied, what a row is, two columns that tell which."""


def unused_records(name: str, records: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows of the firm's folder that this version checks and does not apply: nobody is to think that they count."""
    severity, what, first, second = UNUSED[name]
    named = records.with_columns(about=pl.concat_str(first, pl.lit(" "), second))
    message = pl.format(what + " ({}) is on record in {}.csv and not applied by this version", "about", pl.lit(name))
    action = "Check by hand what it changes; the figures here are without it."
    rows = named.with_columns(file_id=pl.concat_str(pl.lit(name + ":"), "about"))
    return [items(rows, "record_not_applied", severity, message, action)]
