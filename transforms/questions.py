"""What the intake and the ledger leave open, as review items. Each function takes what its stage made; none decides."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date

import polars as pl

from schemas.fields import FIAT, KEPT_APART
from schemas.inputs import BUSINESS_KINDS
from transforms.exact import part_of, to_cents, units_text
from transforms.holding import long_term_from
from transforms.income import BUSINESS, WAGES
from transforms.law.wash_sale_rules import Rule
from transforms.review import items
from transforms.spam import DUST
from transforms.transfers import one_hash

UNVALUED = ("deposit", "withdrawal", "transfer_in", "transfer_out", "migration", *KEPT_APART)
"""Kinds that need no value: nothing is bought, sold or earned."""
_MOST_PLACES = 10
"""How many places of an aggregator's file a question names."""
_SHORTEST_HASH = 43
"""Characters of the shortest hash of a chain; a shorter id is a platform's own, which no other source states."""


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


def platforms(legs: pl.DataFrame) -> list[pl.DataFrame]:
    """Accounts whose aggregators' files hold the rows of several places: since 2025 basis stays in each (Reg. 1.1012-1(j))."""
    named = legs.filter(pl.col("platform").is_not_null()).group_by("taxpayer_id", "account_id", "platform").len()
    mixed = named.group_by("taxpayer_id", "account_id").agg(pl.col("platform").sort(), places=pl.len())
    shown = pl.col("platform").list.head(_MOST_PLACES).list.join(", ")
    message = pl.format("its files hold rows of {} places in one account: {}", "places", shown)
    action = (
        "Give each place an account of its own: divide the file by that column into their folders, or take the places' own "
        "exports. From 2025 on units and basis stay in each wallet or account; as one account they are mixed."
    )
    return [items(mixed.filter(pl.col("places") > 1), "several_platforms_in_one_account", "blocking", message, action)]


def chains(legs: pl.DataFrame) -> list[pl.DataFrame]:
    """Accounts whose explorer files have the coin of another chain than Ethereum, and tokens taken for Ethereum's.

    A list of tokens does not name its chain: it is that of the account's address, else Ethereum.
    """
    token = pl.col("asset").str.starts_with("eip155:1/")
    coin = pl.when(~pl.col("asset").str.contains("/", literal=True)).then("asset")
    by_account = (
        legs.filter(pl.col("source") == "etherscan")
        .group_by("taxpayer_id", "account_id")
        .agg(tokens=token.sum(), coins=coin.drop_nulls().unique().sort())
    )
    elsewhere = (pl.col("coins").list.len() > 0) & ~pl.col("coins").list.contains("ETH") & (pl.col("tokens") > 0)
    shown = pl.col("coins").list.head(_MOST_PLACES).list.join(", ")
    message = pl.format("{} token rows were taken for Ethereum's, but the account's coin is {}", "tokens", shown)
    action = "Write the account's address in accounts.csv with its chain, as eip155:137:0x..., and one account a chain."
    return [items(by_account.filter(elsewhere), "chain_unclear", "blocking", message, action)]


def doubled(legs: pl.DataFrame, checking: Collection[str]) -> list[pl.DataFrame]:
    """Accounts in which one transaction stands in the files of two sources: a wallet's export beside a chain explorer's.

    One transaction has one hash; where not both state one, it is the same side of the same units in the same second.

    Args:
        legs: Legs with taxpayer_id.
        checking: sources that are compared with another and not booked beside it.
    """
    account, same = ["taxpayer_id", "account_id"], ["second", "role", "asset", "quantity"]
    booked = legs.filter(~pl.col("source").is_in(list(checking)))
    once = booked.with_columns(hash=one_hash("tx_id"), second=pl.col("occurred_at").dt.truncate("1s"))
    once = once.with_columns(hash=pl.when(pl.col("hash").str.len_chars() >= _SHORTEST_HASH).then("hash"), id="hash")
    # a hash stands for the first second of its rows, so that a transaction found both ways counts once
    once = once.with_columns(
        second_of=pl.when(pl.col("id").is_not_null()).then(pl.col("second").min().over(*account, "id"))
    ).with_columns(pl.coalesce("second_of", "second").alias("second_of"))
    by_hash = once.filter(pl.col("id").is_not_null()).filter(pl.col("source").n_unique().over(*account, "id") > 1)
    by_side = once.filter(
        (pl.col("source").n_unique().over(*account, *same) > 1)
        & (pl.col("hash").drop_nulls().n_unique().over(*account, *same) <= 1)
    )
    sources = pl.col("source").unique().sort()
    found = [
        frame.group_by(*account, *by).agg(sources, pl.col("second_of").min())
        for frame, by in ((by_hash, ["id"]), (by_side, same))
    ]
    both = (
        pl.concat([frame.select(*account, "source", "second_of") for frame in found])
        .group_by(*account, pl.col("source").list.join(" and "))
        .agg(count=pl.col("second_of").n_unique())
        .sort("source")
        .group_by(*account, maintain_order=True)
        .agg(pl.col("source").str.join(", "), pl.col("count").sum())
    )
    message = pl.format(
        "{} transactions stand in the files of two sources ({}): they are counted twice", "count", "source"
    )
    action = "Take one of the two out of the folder, or give each its own coins: keep the one with the fees of every transaction."
    return [items(both, "transaction_in_two_sources", "blocking", message, action)]


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


def events(valued: pl.DataFrame, apart: pl.DataFrame) -> list[pl.DataFrame]:
    """Events without a value, kept apart, with a second fee, or whose tax year depends on the clock.

    Args:
        valued: schemas.ledger.Events.
        apart: event_id of those kept apart (`transforms.stands.kept_apart`).
    """
    kind = pl.col("kind")
    unpriced = needs_value() & pl.col("usd_value").is_null()
    fee_unpriced = pl.col("fee_asset").is_not_null() & pl.col("fee_usd_value").is_null() & ~unpriced
    # the taxpayer's clock is at most 14 hours from any other (tax rules 1.3)
    near = [pl.col("occurred_at").dt.offset_by(by).dt.year() != pl.col("tax_year") for by in ("-14h", "14h")]
    valued_fee = ~pl.col("fee_asset").is_in(FIAT).fill_null(value=True)  # a fee in coin is a disposal
    boundary = (~kind.is_in(UNVALUED) | valued_fee) & pl.any_horizontal(near)
    cases = {
        "price_missing": unpriced,
        "fee_price_missing": fee_unpriced,
        "kept_apart": pl.col("event_id").is_in(apart["event_id"].implode()),
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


def tokens(valued: pl.DataFrame, unknown: pl.DataFrame) -> list[pl.DataFrame]:
    """Tokens set aside as spam, and tickers that nobody knows: one item a client and asset.

    Args:
        valued: schemas.ledger.Events.
        unknown: those of them with an asset of unknown name.
    """
    asset = pl.coalesce("received_asset", "sent_asset", "fee_asset")
    spam = (
        valued.filter(pl.col("quarantined").is_not_null())
        .sort("occurred_at", "event_id")
        .group_by("taxpayer_id", asset=asset, maintain_order=True)
        .agg(
            pl.col("account_id", "event_id", "quarantined").first(),
            stake=pl.col("usd_value").sum(),
            events=pl.len(),
        )
    )
    named = (
        unknown.sort("occurred_at", "event_id")
        .group_by("taxpayer_id", asset=asset, maintain_order=True)
        .agg(pl.col("account_id", "event_id").first(), stake=pl.col("usd_value").sum(), events=pl.len())
    )
    worth = pl.col("stake") >= DUST  # what a file or a price gives a worth is to be looked at
    return [
        *(items(
            spam.filter(which),
            "token_quarantined",
            severity,
            pl.format("{} events of a token that came unasked are set aside: {}", "events", "quarantined"),
            "Nothing to do if it is spam. To take it into the books: a row for its contract in assets.csv, or any row for "
            "the event in overrides.csv (field kind, say).",
            pl.when(pl.col("stake") > 0).then("stake"),
        ) for severity, which in (("info", ~worth), ("warning", worth))),
        items(
            named,
            "asset_unknown",
            "warning",
            pl.format("nobody knows an asset of this name ({} events): it stands for itself under it", "events"),
            "Say in assets.csv what it is: a row with this name as asset, or with it as symbol and the chain and contract. A "
            "ticker that another platform uses for another coin has to be corrected in overrides.csv.",
            pl.when(pl.col("stake") > 0).then("stake"),
        ),
    ]  # fmt: skip


def needs_value() -> pl.Expr:
    """Whether an event is a purchase, sale or receipt that needs a value in dollars."""
    cash = [pl.col(side).is_in(FIAT).fill_null(value=True) for side in ("received_asset", "sent_asset")]
    return ~pl.all_horizontal(cash) & ~pl.col("kind").is_in([*UNVALUED, "fee"])


def transfers(
    ambiguous: pl.DataFrame, crossing: pl.DataFrame, doubtful: pl.DataFrame, strangers: pl.DataFrame
) -> list[pl.DataFrame]:
    """Moves that could be paired in several ways, that cross into or out of an IRA, that rest on amounts, that left a client."""
    name = "Name the other event in overrides.csv: field transfer, value its event_id, several separated by spaces, or none."
    stake = pl.col("usd_value")
    return [
        items(
            ambiguous,
            "ambiguous_transfer",
            "blocking",
            pl.format(
                "{} pairings are possible (with {}); the amounts tie or do not fit, so all stay open",
                "candidates",
                "others",
            ),
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
                "booked as one move, not surely: {}; {} is booked as a fee",
                "reason",
                units_text(pl.col("fee_quantity")),
            ),
            name,
            stake,
        ),
        items(
            strangers,
            "between_clients",
            "warning",
            pl.lit("one transaction between two clients who share no return: nothing was moved from one to the other"),
            "Say what it was: spouse in acquisitions.csv (also incident to divorce), a gift or a sale by overrides of kind.",
            stake,
        ),
    ]


def shortfalls(gains: pl.DataFrame) -> list[pl.DataFrame]:
    """Disposals of units that the books do not have, or whose basis is unknown: they are in no return yet.

    One item an account and asset, with the first such disposal: what is missing is missing before it. The pieces, each
    with its own amounts, stand in `gains`.
    """
    none = pl.col("lot_id").is_null()
    missing = gains.filter(none | (pl.col("gain").is_null() & pl.col("proceeds").is_not_null()))
    by_event = missing.group_by("taxpayer_id", "account_id", "asset", "tax_year", "event_id").agg(
        pl.col("proceeds", "quantity").sum(), pl.col("date_sold", "disposed_at").min(), none=none.any()
    )
    message = pl.format(
        "{} of {} left on {} (event {}) for {} dollars without known basis{}",
        units_text(pl.col("quantity")),
        "asset",
        "date_sold",
        "event_id",
        to_cents(pl.col("proceeds")),
        _first_of_many("disposals"),
    )
    action = "Ask for the history before it (opening_lots.csv); until then these sales are left out of the return."
    stake = pl.col("stake")
    sold = by_event.rename({"disposed_at": "at"}).with_columns(stake="proceeds")
    return [
        items(_first_of(sold.filter("none")), "shortfall", "blocking", message, action, stake),
        items(_first_of(sold.filter(~pl.col("none"))), "basis_unknown", "blocking", message, action, stake),
    ]


_LOST = {
    "theft": (
        "{} stolen on {}: their basis of {} leaves the books and is no capital loss",
        (
            "Decide outside these books: a theft in a transaction entered into for profit is deductible in the year of "
            "discovery (IRC 165(c)(2), (e); CCA 202511015) on Form 4684 section B; any other only in a declared disaster "
            "(165(h)(5)). Ask for the police report and for what may be recovered."
        ),
    ),
    "loss": (
        "{} lost on {}: their basis of {} leaves the books and is no loss on the return",
        (
            "A fallen price, worthlessness and abandonment give no deduction (IRC 165(a), 67(g); CCA 202302011). If the "
            "units can still be sold, undo this (overrides.csv, field kind) and sell, even for $0.01, to an unrelated "
            "buyer: that is a capital loss. On a frozen or bankrupt exchange wait for what fixes the loss: field kind, "
            "value withdrawal, keeps the lots as held outside."
        ),
    ),
}
"""Kind of exit without a loss on the return (tax rules 4.5): what was found, which rule and what can be done."""


def losses(gains: pl.DataFrame) -> list[pl.DataFrame]:
    """Units stolen or lost, with the basis that leaves the books at stake."""
    asked = []
    for kind, (message, action) in _LOST.items():
        rows = (
            gains.filter(disposal_kind=kind)
            .group_by("taxpayer_id", "account_id", "asset", "tax_year", "event_id")
            .agg(
                pl.col("quantity").sum(),
                pl.col("date_sold").min(),
                pl.when(pl.col("basis").null_count() == 0).then(pl.col("basis").sum()).alias("basis"),
            )
        )
        known = to_cents(pl.col("basis")).cast(pl.String).fill_null("unknown amount")
        text = pl.format(message, units_text(pl.col("quantity")), "date_sold", known)
        asked.append(items(rows, "loss_not_booked", "warning", text, action, pl.col("basis")))
    return asked


_BROKERS = {
    "missing_ours": (
        "blocking",
        "Form {} shows a sale on {} that the books do not have",
        (
            "Ask for the account's whole export, or whether the sale is another asset's or day's: the IRS has the form, "
            "and no line answers it. A form that is wrong needs a corrected one from the broker."
        ),
    ),
    "units_differ": (
        "blocking",
        "Form {} has other units on {} than the books",
        "A sale is missing on one side, or a unit is counted twice: compare with the account's export.",
    ),
    "missing_broker": (
        "warning",
        "no Form {} has the sale on {} though the broker sent one for the year: the box is that of no form",
        "Ask the broker for the missing row; a sale that it did not report is reported all the same.",
    ),
    "other_year": (
        "warning",
        "Form {} reports on {} a sale that belongs to another tax year by the taxpayer's clock",
        (
            "No authority fixes the clock: report it in the taxpayer's year, and explain the difference on the return of "
            "the form's year."
        ),
    ),
    "basis_unknown": (
        "warning",
        "Form {} gives a basis for the sale on {}; the books have none",
        "If the broker's basis is right, enter the lot in opening_lots.csv.",
    ),
    "basis_differs": (
        "warning",
        "Form {} has another basis for the sale on {}: the line shows ours, corrected under code B",
        "Check which lots were identified before the sale, and keep the record: it governs (Notice 2025-7 s. 4.05).",
    ),
    "term_differs": (
        "warning",
        "Form {} has another term for the sale on {}: the line is in our part, under code T",
        "Check the date of acquisition; own records decide it.",
    ),
    "higher": (
        "blocking",
        "Form {} shows more proceeds on {} than the books, and the selling costs on record do not explain it",
        (
            "Code E stands for selling costs alone: enter them (overrides.csv, field fee_usd_value), correct the event's "
            "value, or ask the broker for a corrected form."
        ),
    ),
    "costs": (
        "info",
        "Form {} shows the proceeds on {} before selling costs: corrected under code E",
        "Nothing to do if the fee on record is right.",
    ),
    "lower": (
        "warning",
        "Form {} shows less proceeds on {} than the books: ours are reported",
        "If the broker is right, correct the event's value in overrides.csv: too much gain is reported.",
    ),
}
"""What differs from a broker's form: severity, what was found (the form, the day), what to do."""


def brokers(compared: pl.DataFrame, unreported: pl.DataFrame) -> list[pl.DataFrame]:
    """Where a Form 1099-DA and the books differ, with the difference in gain at stake; forms that are not there.

    Args:
        compared: Reconciliation1099DA.
        unreported: what `reconciliation.unreported` gives.
    """
    higher = pl.col("broker_proceeds") > pl.col("our_proceeds")
    proceeds = (
        pl.when(higher & pl.col("explained"))
        .then(pl.lit("costs"))
        .when(higher)
        .then(pl.lit("higher"))
        .otherwise(pl.lit("lower"))
    )
    day = pl.coalesce(pl.coalesce("date_reported", "date_sold").dt.to_string("%Y-%m-%d"), pl.lit("the year"))
    found = compared.with_columns(
        case=pl.when(pl.col("status") == "proceeds_differ").then(proceeds).otherwise("status"),
        day=day,
        file_id=pl.format("{}:{}:{}", "form", day, "broker_rows"),
    )
    asked = [
        items(
            found.filter(pl.col("case") == case),
            f"form_1099_{case}",
            severity,
            pl.format(message, "form", "day"),
            action,
            pl.col("difference"),
        )
        for case, (severity, message, action) in _BROKERS.items()
    ]
    none = "no Form 1099-DA is on record for this account's sales of the year: reported in boxes I and L"
    action = "Ask the client for the form, and enter it in forms_1099da.csv: with one the boxes are G, H, J or K."
    return [*asked, items(unreported, "form_1099_not_there", "info", pl.lit(none), action, pl.col("proceeds"))]


def receipts(income: pl.DataFrame, profiles: pl.DataFrame, stands: pl.DataFrame) -> list[pl.DataFrame]:
    """Receipts whose schedule rests on a default, brings a tax that is not computed, or may be missing in the profile.

    Args:
        income: Income.
        profiles: return_id, tax_year, wages.
        stands: taxpayer_id, from_year, topic, choice.
    """
    ours = income.filter("on_return")
    by_kind = ["taxpayer_id", "tax_year", "income_kind"]
    own = stands.filter(pl.col("taxpayer_id").is_not_null()).select(
        "taxpayer_id", "from_year", income_kind=pl.col("topic").str.strip_suffix("_nii").str.strip_suffix("_business")
    )
    first = own.group_by("taxpayer_id", "income_kind").agg(pl.col("from_year").min())
    totals = ours.group_by(*by_kind, "schedule", "in_nii").agg(pl.col("usd_value").sum()).sort(*by_kind, "schedule")
    said = (pl.col("from_year") <= pl.col("tax_year")).fill_null(value=False)
    unsaid = totals.join(first, on=["taxpayer_id", "income_kind"], how="left").filter(
        ~said & pl.col("income_kind").is_in(BUSINESS_KINDS) & ~pl.col("schedule").is_in([WAGES, "Form 1040 line 2b"])
    )
    coins = (
        ours.filter(schedule=WAGES)
        .group_by("return_id", "tax_year")
        .agg(pl.col("taxpayer_id").min(), pl.col("usd_value").sum())
    )
    short = coins.join(profiles, on=["return_id", "tax_year"]).with_columns(
        lacking=pl.col("usd_value") - pl.col("wages").fill_null(0)
    )
    where = pl.format(
        "{} is on {}, {} net investment income, by the firm's default: the law is unsettled",
        "income_kind", "schedule", pl.when("in_nii").then(pl.lit("in")).otherwise(pl.lit("not in")),
    )  # fmt: skip
    return [
        items(
            unsaid.with_columns(file_id=pl.format("positions:{}", "income_kind")),
            "income_stand_assumed",
            "info",
            where,
            "Take a stand for the client in positions.csv: is it a business's (_business), is it investment (_nii)?",
            pl.col("usd_value"),
        ),
        items(
            totals.filter(schedule=BUSINESS).with_columns(file_id=pl.format("schedule_c:{}", "income_kind")),
            "business_receipts",
            "warning",
            pl.format("{} is on Schedule C: self-employment tax is not computed here", "income_kind"),
            "Compute Schedule SE; enter half of it in adjustments, expenses in self_employment (without these receipts).",
            pl.col("usd_value"),
        ),
        items(
            short.filter(pl.col("lacking") > 0),
            "wages_not_in_profile",
            "blocking",
            pl.format("coins worth {} were paid as wages, the profile has less", to_cents(pl.col("usd_value"))),
            "Enter W-2 box 1 as wages in profiles.csv, or take the stand wages_business for who is no employee.",
            pl.col("lacking"),
        ),
    ]


def _first_of(rows: pl.DataFrame) -> pl.DataFrame:
    """The first row (by `at`) of each client, account and asset, with how many `events` there are and their `stake`."""
    key = ["taxpayer_id", "account_id", "asset"]
    return (
        rows.sort("at", "event_id", nulls_last=True)
        .group_by(key, maintain_order=True)
        .agg(pl.all().exclude("stake").first(), pl.col("stake").sum(), events=pl.col("event_id").n_unique())
    )


def _first_of_many(what: str) -> pl.Expr:
    many = pl.format(", the first of {} such {}", "events", pl.lit(what))
    return pl.when(pl.col("events") > 1).then(many).otherwise(pl.lit(""))


APPRAISAL_ABOVE = 5_000
"""Dollars of deduction for one kind of property in a year above which an appraisal is needed (IRC 170(f)(11)(C))."""


def donations(gains: pl.DataFrame, values: pl.DataFrame) -> list[pl.DataFrame]:
    """What each donation may be worth on Schedule A, by the lots that were given.

    Units held more than a year count at their value, others at the lesser of basis and value (IRC 170(e)(1)(A)). Above
    $5,000 for one coin in a year a qualified appraisal is needed: a coin is no publicly traded security (CCA
    202302012). Limits by income and the floor of 2026 are not in it.

    Args:
        gains: schemas.tax.Gains.
        values: event_id, usd_value: the value of the events.
    """
    given = gains.filter(pl.col("disposal_kind") == "donation").join(
        values.select("event_id", "usd_value"), on="event_id", how="left"
    )
    long = pl.col("term") == "long"
    whole = pl.col("quantity").sum().over("event_id")
    pieces = given.sort("disposal_id", "lot_id").with_columns(
        worth=part_of(pl.col("usd_value"), pl.col("quantity").cum_sum().over("event_id"), whole)
    )
    own = pl.col("worth") - pl.col("worth").shift(1, fill_value=0).over("event_id")
    lesser = pl.when(pl.col("basis").is_not_null()).then(pl.min_horizontal("basis", own))
    known = pieces.with_columns(deduction=pl.when(long).then(own).otherwise(lesser), worth=own)
    by_event = known.group_by("taxpayer_id", "account_id", "asset", "tax_year", "event_id").agg(
        pl.col("quantity", "worth").sum(), pl.col("basis").sum(), pl.col("date_sold").first(),
        long=pl.col("quantity").filter(long).sum(),
        deduction=pl.when(pl.col("deduction").null_count() == 0).then(pl.col("deduction").sum()),
    )  # fmt: skip
    claimed = pl.col("deduction").sum().over("taxpayer_id", "asset", "tax_year")
    told = by_event.with_columns(claimed=claimed, unclear=pl.col("deduction").null_count().over("event_id") > 0)
    head = pl.format(
        "{} of {} donated on {}: {} of it held over a year; ",
        units_text(pl.col("quantity")), "asset", "date_sold", units_text(pl.col("long")),
    )  # fmt: skip
    money = {name: to_cents(pl.col(name)) for name in ("worth", "basis", "deduction", "claimed")}
    amounts = pl.format("worth {}, basis {}, deduction at most {}", money["worth"], money["basis"], money["deduction"])
    size = pl.when(pl.col("claimed") > APPRAISAL_ABOVE).then(
        pl.format("; {} in the year is above 5,000: a qualified appraisal and Form 8283 section B", money["claimed"])
    ).otherwise(pl.lit(""))  # fmt: skip
    message = head + pl.when("unclear").then(pl.lit("value, basis or date is not known")).otherwise(amounts + size)
    action = "Enter the deduction in profiles.csv; keep the receipt and, above $5,000, the appraisal (IRC 170(f)(11))."
    return [items(told, "donation", "info", message, action, pl.coalesce("deduction", "worth"))]


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
        "{} was wrapped or unwrapped and booked as a taxable trade: the law is unsettled, and nobody took a stand",
        "Take one in positions.csv or firm.toml (topic wrapping: taxable or carry).",
    ),
    "bridging_taxable": (
        "info",
        "{} was bridged into another token of it and booked as a taxable trade: the law is unsettled, and nobody took a stand",
        "Take one in positions.csv or firm.toml (topic bridging: taxable or carry).",
    ),
    "liquid_staking_taxable": (
        "info",
        "{} was swapped with a liquid staking token and booked as a taxable trade: the law is unsettled, and nobody took a stand",
        "Take one in positions.csv or firm.toml (topic liquid_staking: taxable or carry).",
    ),
    "liquidity_pool_taxable": (
        "info",
        "{} went into or came out of a liquidity pool and was booked as a taxable trade: the law is unsettled, and nobody took a stand",
        "Take one in positions.csv or firm.toml (topic liquidity_pool: taxable or carry).",
    ),
    "stand_not_applied": (
        "blocking",
        "{} is one side alone of a swap that the stand would carry over: of a trade it went at its value, of a wrap without basis",
        "Enter the swap as one event in the universal format, or book this event by hand (overrides.csv, field kind).",
    ),
    "collateral_pledged": (
        "info",
        "{} is pledged and not returned: held outside, not disposed of, never recommended",
        "Compare with the lender's statement; a liquidation is a sale (overrides.csv, field kind).",
    ),
    "collateral_unknown": (
        "blocking",
        "{} came back as collateral that the books never saw leave: its basis is unknown",
        "Ask for the file with the pledge, or give its history (opening_lots.csv).",
    ),
    "record_doubtful": (
        "blocking",
        "{} came in by a transaction with several receipts: the record of acquisitions.csv tells of none of them",
        "Give each receipt its own row with its event_id.",
    ),
    "record_without_receipt": (
        "warning",
        "a row of acquisitions.csv names no event of tonight's books: it explains nothing",
        "Correct its event_id or tx_id.",
    ),
    "own_transfer_order": (
        "info",
        "own moves took lots by the standing order (first: {}): whether it governs them is unsettled, and nobody took a stand",
        "Take one in positions.csv or firm.toml (topic own_transfer: order or fifo).",
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
    "custody_unknown": (
        "warning",
        "nobody says who holds {}: a US broker's rules were applied, another custody gives another choice of lots",
        "Enter the custody in accounts.csv: us_broker, foreign_custodian or self.",
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
    named = asked.with_columns(
        what=pl.col("asset").fill_null("").str.slice(0, 64),
        more=pl.when(pl.col("events") > 1)
        .then(pl.format(" ({} events, the first {})", "events", "event_id"))
        .otherwise(pl.lit("")),
    )
    return [
        items(
            named.filter(pl.col("question") == question),
            question,
            severity,
            (pl.format(message, "what") if "{}" in message else pl.lit(message)) + pl.col("more"),
            action,
            pl.col("dollars_at_stake"),
        )
        for question, (severity, message, action) in _MOVED.items()
    ]


_IDENTIFIED = {
    "pick_without_sale": (
        "blocking",
        "{} names no sale of its lot's asset in tonight's books: it chooses nothing",
        "Correct the event_id or the lot_id in lot_picks.csv.",
    ),
    "pick_since_2025": (
        "blocking",
        "{} names a sale since 2025: it chooses nothing, for lots must be identified before the sale",
        "If that was done, enter it in instructions.csv with its date and time (Reg. 1.1012-1(j)(2)-(3)).",
    ),
    "pick_exceeds_sale": (
        "blocking",
        "{} names more units than the sale has left: what is too much chooses nothing",
        "Correct the quantity in lot_picks.csv by the record behind it.",
    ),
    "pick_without_lot": (
        "blocking",
        "{} names a lot that does not exist: its units went by the method as filed, else FIFO",
        "Correct the lot_id in lot_picks.csv (table lots).",
    ),
    "pick_without_units": (
        "blocking",
        "{} names more units than the lot had in the wallet at the sale: the rest went by the method as filed, else FIFO",
        "Compare with the record behind it: another lot, another wallet, or a move that is missing here.",
    ),
    "instruction_without_lot": (
        "warning",
        "{} names a lot that does not exist: its units went by the standing order, else FIFO",
        "Correct the lot_id in instructions.csv (tables lots and open_lots).",
    ),
    "instruction_without_units": (
        "warning",
        "{} names more units than the lot had in the wallet at the sale: the rest went by the standing order, else FIFO",
        "Compare with the record behind it: another lot, another wallet, or a move that is missing here.",
    ),
    "instruction_without_sale": (
        "warning",
        "{} is marked executed, but no later sale of the account and asset is on file",
        "Ask for the account's newest file, or correct the status in instructions.csv.",
    ),
    "instruction_not_told": (
        "warning",
        "{} chooses nothing: the US broker was not told before the sale, which went by its standing order, else FIFO",
        "If the broker was told in time, enter communicated_to_broker_at (Reg. 1.1012-1(j)(3)(ii)).",
    ),
    "instruction_before_2025": (
        "warning",
        "{} was for a sale before 2025, which goes as filed: it chooses nothing",
        "Enter what was filed in lot_picks.csv or filed_methods.csv.",
    ),
    "instruction_and_broker_differ": (
        "warning",
        "{} was recorded before the sale, but the broker had another standing order: the instruction was used",
        "Decide which of the two governs (Notice 2025-7 s. 4.02, 4.05) and make them agree.",
    ),
    "custody_unknown": (
        "warning",
        "{} chooses nothing: nobody says whether a US broker holds the units, and a broker would have had to be told",
        "Enter the custody in accounts.csv: us_broker, foreign_custodian or self.",
    ),
}
"""Question on specific identification: severity, what was found (the record), what to do."""


def identification(asked: pl.DataFrame) -> list[pl.DataFrame]:
    """Picks and instructions that choose nothing or not without doubt (`transforms.identification.QUESTIONS`)."""
    named = asked.with_columns(file_id="record", what=pl.col("record").str.slice(0, 128))
    return [
        items(
            named.filter(pl.col("question") == question),
            question,
            severity,
            pl.format(message, "what"),
            action,
            pl.col("dollars_at_stake"),
        )
        for question, (severity, message, action) in _IDENTIFIED.items()
    ]


def near_long_term(gains: pl.DataFrame) -> list[pl.DataFrame]:
    """Sales within a day of the first long-term day of their lot: another clock may give the other term (rules 1.3).

    Args:
        gains: schemas.tax.Gains. What is inherited is long-term whenever it is sold.
    """
    first = long_term_from(pl.col("date_acquired"))
    by_event = (
        near_first_long_term_day(gains)
        .group_by("taxpayer_id", "account_id", "asset", "tax_year", "event_id")
        .agg(
            pl.col("term").unique().sort().str.join(" and "),
            pl.col("date_sold").first(),
            stake=pl.col("gain").abs().sum(),
            first=first.min(),
        )
    )
    message = pl.format("sold on {} as {}-term; the lot is long-term from {}", "date_sold", "term", "first")
    action = "A broker that keeps another clock may report the other term: compare with the Form 1099-DA."
    return [items(by_event, "near_long_term", "info", message, action, pl.col("stake"))]


def near_first_long_term_day(gains: pl.DataFrame) -> pl.DataFrame:
    """The pieces on the return that were sold within a day of the first long-term day of their lot."""
    apart = (pl.col("date_sold") - long_term_from(pl.col("date_acquired"))).dt.total_days().abs()
    clocked = pl.col("on_return") & pl.col("term").is_not_null() & (pl.col("origin") != "inheritance")
    return gains.filter((clocked & (apart <= 1)).fill_null(value=False))


def lot_book(faults: pl.DataFrame, widowed: pl.DataFrame) -> list[pl.DataFrame]:
    """What the lot book leaves open; sales without lots are asked with their proceeds elsewhere.

    One item an account and asset, with the first event that cannot be right: the rest follows from it.

    Args:
        faults: `transforms.lots.FAULTS` with `at` and `on`, the instant and the day of the event.
        widowed: arrivals without a departure (`transforms.movements.widowed`).
    """
    left = pl.col("movement").is_in(["depart", "outside", "convert_out"])
    named = [pl.col(name).cast(pl.String).fill_null("not known") for name in ("on", "event_id")]
    rows = faults.with_columns(stake="dollars_at_stake")
    uncovered = _first_of(rows.filter((pl.col("fault") == "shortfall") & left))
    overdrawn = _first_of(rows.filter(pl.col("fault") == "account_overdrawn"))
    unallocated = faults.filter(pl.col("fault") == "universal_unallocated")
    history = "A purchase or a deposit is missing before it: ask for the whole history (opening_lots.csv)."
    allocate = "Enter the allocation of Rev. Proc. 2024-28 in allocations_2025.csv; it cannot be made now."
    unlisted = faults.filter(pl.col("fault") == "moves_not_listed")
    what = units_text(pl.col("quantity"))
    first, more = "of {} on {} (event {}){}", _first_of_many("events")
    return [
        items(
            unlisted,
            "moves_not_listed",
            "info",
            pl.format("{} goes to and fro so often that not every move of its lots is listed in lot_moves", "asset"),
            "Nothing is to be done: lots, gains and basis are whole. Look whether the transfers are real.",
        ),
        items(
            uncovered,
            "move_without_lots",
            "blocking",
            pl.format("{} moved that the books do not have: " + first, what, "asset", *named, more),
            history,
            pl.col("stake"),
        ),
        items(
            overdrawn,
            "account_overdrawn",
            "blocking",
            pl.format("{} left an account that did not hold them: " + first, what, "asset", *named, more),
            history,
            pl.col("stake"),
        ),
        items(
            unallocated,
            "universal_unallocated",
            "blocking",
            pl.format(
                "{} left the universal pool on 2025-01-01 without a valid allocation: {}; what each account's basis could "
                "least and most be is in basis_splits",
                "asset",
                "reason",
            ),
            allocate,
            pl.col("dollars_at_stake"),
        ),
        items(
            widowed,
            "arrival_without_lots",
            "blocking",
            pl.format("{} of {} arrived from an owner whose books were stopped: basis unknown", what, "asset"),
            "Correct what stopped the other owner; the lots then come over with basis and date.",
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


def wash_sales(matches: pl.DataFrame, gains: pl.DataFrame, stranded: pl.DataFrame, as_of: date) -> list[pl.DataFrame]:
    """What wash sales took under the law in force, what they may still take, and what they could not be booked on.

    Args:
        matches: schemas.tax.WashSales.
        gains: schemas.tax.Gains and `subject`: whether a rule in force reaches the loss.
        stranded: schemas.tax.WashedLots of lots of which units were converted into another asset.
        as_of: tonight.
    """
    key = ["taxpayer_id", "asset", "tax_year"]
    taken = matches.group_by(key).agg(pl.col("disallowed", "basis_added", "lost").sum())
    recent = pl.col("date_sold").dt.offset_by("30d") >= as_of
    open_losses = gains.filter(pl.col("subject") & recent & (pl.col("gain") + pl.col("disallowed") < 0))
    pending = open_losses.group_by(key).agg(
        loss=-(pl.col("gain") + pl.col("disallowed")).sum(), until=pl.col("date_sold").max().dt.offset_by("30d")
    )
    stake = pl.col("disallowed")
    return [
        items(
            taken,
            "wash_sale",
            "info",
            pl.format("{} dollars of loss on {} are not allowed: the units were replaced within 30 days; {} went into the basis "
                      "of the replacements", to_cents(stake), "asset", to_cents(pl.col("basis_added"))),
            "The matches are in wash_sales. Code W on Form 8949; a broker's own wash sales (box 1i) may differ.",
            stake,
        ),
        items(
            taken.filter(pl.col("lost") > 0),
            "wash_sale_lost",
            "warning",
            pl.format("{} dollars of loss on {} are gone for good: the replacement was bought in an IRA or HSA",
                      to_cents(pl.col("lost")), "asset"),
            "Rev. Rul. 2008-5: no basis is added there. Tell the client before the next sale.",
            pl.col("lost"),
        ),
        items(
            pending,
            "wash_sale_window_open",
            "info",
            pl.format("{} dollars of loss on {} are provisional: a purchase up to {} would take them", to_cents(pl.col("loss")),
                      "asset", "until"),
            "No purchase in any account of the client or the spouse until then; losses of December are final on 31 January.",
            pl.col("loss"),
        ),
        items(
            stranded.with_columns(event_id="part_id"),
            "wash_sale_basis_converted",
            "blocking",
            pl.format("units of lot {} became another asset; {} dollars that a wash sale added to its basis did not follow",
                      "lot_id", to_cents(pl.col("basis_added"))),
            "Add the amount to the basis of the new lot by hand: it is in no later gain of these books.",
            pl.col("basis_added"),
        ),
    ]  # fmt: skip


def crossings(found: pl.DataFrame) -> list[pl.DataFrame]:
    """Losses on units that the spouse bought on the same day (`transforms.related_parties.Crossed.found`)."""
    what = pl.format(
        "{} of {} sold on {} at a loss of {} dollars, the day on which {} bought them",
        units_text(pl.col("quantity")),
        "asset",
        "date_sold",
        to_cents(pl.col("loss")),
        "spouse_id",
    )
    action = (
        "By arrangement between spouses it is no loss (IRC 267; McWilliams): ask, then take a stand in positions.csv "
        "(topic market_crossing: allow or disallow). The buyer's relief of IRC 267(d) is not computed here."
    )
    allowed = pl.col("choice") == "allow"
    return [
        items(
            found.filter(allowed),
            "related_party_sale",
            "blocking",
            what + pl.lit("; the loss is on the return"),
            action,
            pl.col("loss"),
        ),
        items(
            found.filter(~allowed),
            "related_party_sale",
            "info",
            what + pl.lit("; the loss is not allowed, by the stand of the firm"),
            action,
            pl.col("loss"),
        ),
    ]


def wash_sale_bills(at_risk: pl.DataFrame, rules: Iterable[Rule]) -> list[pl.DataFrame]:
    """Bills on wash sales that would take something, and those whose fate the firm recorded: congress.gov decides.

    Args:
        at_risk: schemas.tax.LossAtRisk.
        rules: the rules in force tonight.
    """
    taken = at_risk.group_by("rule").agg(pl.col("disallowed").sum(), clients=pl.col("taxpayer_id").n_unique())
    named = pl.DataFrame(
        [(rule.rule_id, rule.status, rule.by_firm, str(rule.first_day)) for rule in rules],
        schema={"rule": pl.String, "status": pl.String, "by_firm": pl.Boolean, "first": pl.String},
        orient="row",
    ).join(taken, on="rule", how="left")
    known = named.with_columns(file_id=pl.format("firm.toml law.wash_sales.{}", "rule"))
    check = "Look the bill up on congress.gov; its fate goes into firm.toml, section [law.wash_sales]."
    return [
        items(
            known.filter((pl.col("status") == "pending") & pl.col("disallowed").is_not_null()),
            "wash_sale_bill",
            "info",
            pl.format("{} is taken as pending, with effect from {}; as law it would take {} dollars of loss from {} clients",
                      "rule", "first", to_cents(pl.col("disallowed")), "clients"),
            check,
            pl.col("disallowed"),
        ),
        items(
            known.filter(pl.col("by_firm") & (pl.col("status") == "law")),
            "wash_sale_law_by_firm",
            "info",
            pl.format("{} is taken as law from {}, because firm.toml says so", "rule", "first"),
            check,
        ),
    ]  # fmt: skip


_REPORTED = {
    "reported_gain_differs": (
        "warning",
        "differs",
        "Compare the rows of the report with the pieces in gains: a lot, a fee or a transfer's basis is not the same.",
    ),
    "reported_sale_not_in_books": (
        "warning",
        "not_in_books",
        "Ask for the whole history of the account: the report has a disposal that no file told of.",
    ),
    "sale_not_in_report": (
        "warning",
        "not_in_report",
        "Ask whether the report is of the whole account; compare the event with the account's history.",
    ),
}
"""Severity, status of schemas.tax.GainChecks, what to do, by question."""


def reported_gains(checks: pl.DataFrame) -> list[pl.DataFrame]:
    """Where a broker's report of gains and the books differ, or one has a disposal that the other has not.

    Args:
        checks: schemas.tax.GainChecks.
    """

    def said(whose: str) -> pl.Expr:
        quantity, proceeds, basis = (pl.col(f"{whose}_{what}") for what in ("quantity", "proceeds", "basis"))
        money = [to_cents(amount).cast(pl.String).fill_null("none") for amount in (proceeds, basis)]
        return (
            pl.when(quantity.is_null())
            .then(pl.lit("no disposal"))
            .otherwise(pl.format("{} units, proceeds {}, basis {}", units_text(quantity), *money))
        )

    message = pl.format("sold on {}: the report of {} says {}; the books say {}", "date_sold", "source", said("their"), said("our"))  # fmt: skip
    # a row of the report is named where the books have no event: a new download must not be a new question
    named = checks.with_columns(
        pl.when(pl.col("event_id").is_null()).then(pl.format("{}:{}", "source", "date_sold")).alias("file_id"),
        pl.lit(None, pl.Int64).alias("row_no"),
    )
    return [
        items(named.filter(pl.col("status") == status), question, severity, message, action, pl.col("dollars_at_stake"))
        for question, (severity, status, action) in _REPORTED.items()
    ]


_SECOND_REPORTS = {
    "second_report_missing": (
        "blocking",
        "not_in_ledger",
        "{} facts of {} lie in the time that the files of {} cover and are not in these, the first on {}{}",
        (
            "They are in no book. Ask for the whole export of the account, without a filter; what is missing there too, "
            "enter in the universal format."
        ),
    ),
    "second_report_differs": (
        "warning",
        "differs",
        "{} amounts of {} are others than those of {} for the same facts, the first on {}{}",
        "The latter is booked. Compare the two (table source_checks) and correct the event in overrides.csv if it is wrong.",
    ),
    "second_report_booked": (
        "info",
        "booked",
        "{} facts of {} lie outside the time that the files of {} cover and are booked from it, the first on {}{}",
        "Ask for the other export of that time too: it may have moves, fees and rewards that this one leaves out.",
    ),
    "second_report_lacks": (
        "info",
        "not_in_check",
        "{} facts that {} would show are only in {}, the first on {}{}",
        "They are booked. See the table source_checks if the other report is thought to be whole.",
    ),
}
"""Severity, status in `source_checks`, what was found (how many, the two reports, day, detail), what to do, by question."""


def second_reports(checks: pl.DataFrame) -> list[pl.DataFrame]:
    """Where a second report and the ledger differ (schemas.ledger.SourceChecks): an item an account, report and year."""
    detail = pl.format(
        ": {}{} {} in the ledger, {} in the report (line {})",
        "field", pl.concat_str(pl.lit(" of "), pl.col("asset").str.slice(0, 64)).fill_null(""), "ours", "theirs", "row_no",
    )  # fmt: skip
    stake = pl.col("dollars_at_stake").cast(pl.Decimal(38, 6))
    # the copies of a row in overlapping files tell the same
    each = checks.sort("occurred_at", "fact_id", "event_id", "field", "asset", "file_id", "row_no", nulls_last=True)
    each = each.unique(["status", "fact_id", "event_id", "field", "asset"], keep="first", maintain_order=True)
    found = []
    for question, (severity, status, message, action) in _SECOND_REPORTS.items():
        rows = each.filter((pl.col("status") == status) & (pl.lit(status != "differs") | pl.col("field").is_not_null()))
        # the fact is named, not its row: a new download is no new question
        first = rows.group_by("taxpayer_id", "account_id", "tax_year", "source", "checked_against").agg(
            pl.len(),
            pl.col("occurred_at").first(),
            pl.coalesce("event_id", "fact_id").first().alias("event_id"),
            detail.first().fill_null("").alias("detail"),
            pl.when(stake.count() > 0).then(stake.sum()).cast(pl.Decimal(18, 6), strict=False),
        )
        day = pl.col("occurred_at").dt.date()
        told = pl.format(message, "len", "source", "checked_against", day, "detail")
        found.append(items(first.sort(pl.all()), question, severity, told, action, pl.col("dollars_at_stake")))
    return found
