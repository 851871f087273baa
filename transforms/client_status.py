"""Where each return stands and what keeps figures from being final: sums over the review items. No question arises here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from schemas.fields import CENTS, FIAT, UNTAXED
from schemas.gate import conform
from schemas.review import SEVERITIES, Blockers, ClientStatus
from transforms.question_registry import REGISTRY, UNREGISTERED
from transforms.questions import needs_value
from transforms.stakes import dollars, tax_differences

WEIGHTS = {
    "files_read": 10,
    "rows_used": 10,
    "events_priced": 20,
    "transfers_matched": 20,
    "basis_known": 30,
    "profile_present": 10,
}
"""What each share counts in the completeness of a return; one that has nothing to measure leaves its weight to the others."""
STOPPED = ("client_stopped", "firm_folder_error")
OPEN = ("open", "answered")
MOVES = ("deposit", "withdrawal", "transfer_in", "transfer_out")
_KEY = ["return_id", "tax_year"]
_GRAVE = pl.col("severity") != "info"


class Books(NamedTuple):
    """What a completeness is measured on.

    `files`: account_id, status. `rows`: account_id, status, of parsed files. `events`: event_id, taxpayer_id, kind,
    sent_asset, received_asset, usd_value. `movements`: event_id, leg, movement, basis_status. `gains`: taxpayer_id,
    proceeds, gain, account_id, disposal_kind. `profiles`: return_id, tax_year. `opening_lots`: taxpayer_id. `accounts`:
    account_id, taxpayer_id, taxable. `people`: taxpayer_id, entity.
    """

    files: pl.DataFrame
    rows: pl.DataFrame
    events: pl.DataFrame
    movements: pl.DataFrame
    gains: pl.DataFrame
    profiles: pl.DataFrame
    opening_lots: pl.DataFrame
    accounts: pl.DataFrame
    people: pl.DataFrame


def client_status(
    asked: pl.DataFrame,
    ranges: pl.DataFrame,
    returns: pl.DataFrame,
    members: pl.DataFrame,
    books: Books,
    stopped: Sequence[str] = (),
) -> pl.DataFrame:
    """`ClientStatus` of the returns of the last year of `members`.

    Args:
        asked: schemas.review.ReviewItems of tonight.
        ranges: schemas.review.StakeRanges, the dearer way up.
        returns: schemas.tax.ReturnInputs.
        members: return_id, tax_year, taxpayer_id, role; of every year.
        books: what the shares are measured on.
        stopped: taxpayers whose books tonight has not looked at.
    """
    clients = _clients(members, stopped)
    whose = members.filter(pl.col("tax_year") == pl.col("tax_year").max()).select("return_id", "taxpayer_id")
    standing = asked.filter(pl.col("state").is_in(OPEN)).join(whose, on="taxpayer_id")
    taxed = standing.filter((pl.col("stake_basis") == "tax") & _GRAVE).select("item_id", client="return_id")
    tax = tax_differences(returns, ranges.join(taxed, on="item_id"), "client").select(
        return_id="client", tax_at_stake=dollars(pl.col("tax").abs())
    )
    shares = _shares(books, whose, clients)
    known = _known(books, whose)
    told = (
        clients.join(_counts(standing), on="return_id", how="left")
        .join(tax, on="return_id", how="left")
        .join(shares, on="return_id", how="left")
        .join(known, on="return_id", how="left")
        .with_columns(
            pl.col("blocking", "warning", "info", "for_client", "for_staff").fill_null(0),
            pl.col("value_at_stake").fill_null(pl.lit(0, CENTS)),
            pl.col("stopped", "asks_client", "asks_staff", "known").fill_null(value=False),
        )
        .with_columns(status=_status(), completeness=_completeness())
    )
    return conform(told, ClientStatus).sort("return_id")


def _clients(members: pl.DataFrame, stopped: Sequence[str]) -> pl.DataFrame:
    this_year = members.filter(pl.col("tax_year") == pl.col("tax_year").max())
    ordered = this_year.sort("return_id", pl.col("role") != "primary", "taxpayer_id")
    return ordered.group_by(_KEY, maintain_order=True).agg(
        pl.col("taxpayer_id").first(),
        people=pl.col("taxpayer_id").n_unique().cast(pl.Int64),
        unseen=pl.col("taxpayer_id").is_in(list(stopped)).any(),
    )


def _counts(standing: pl.DataFrame) -> pl.DataFrame:
    """How many questions stand, by severity and by who has to act."""
    client = (pl.col("audience") == "client") & (pl.col("state") == "open")
    counts = {severity: (pl.col("severity") == severity).sum().cast(pl.Int64) for severity in SEVERITIES}
    return standing.group_by("return_id").agg(
        **counts,
        for_client=(client & _GRAVE).sum().cast(pl.Int64),
        for_staff=(~client & _GRAVE).sum().cast(pl.Int64),
        asks_client=(client & _GRAVE).any(),
        asks_staff=(~client & _GRAVE).any(),
        stopped=pl.col("question").is_in(STOPPED).any(),
        value_at_stake=pl.col("value_at_stake").filter((pl.col("stake_basis") == "value") & _GRAVE).sum().cast(CENTS),
        open_since=pl.col("first_seen").filter(_GRAVE).min(),
    )


def _status() -> pl.Expr:
    return (
        pl.when(pl.col("stopped") | pl.col("unseen"))
        .then(pl.lit("blocked"))
        .when(~pl.col("known"))
        .then(pl.lit("no_data"))
        .when("asks_client")
        .then(pl.lit("waiting_for_client"))
        .when("asks_staff")
        .then(pl.lit("waiting_for_staff"))
        .otherwise(pl.lit("ready"))
    )


def _completeness() -> pl.Expr:
    """The weighted mean of the shares that there are, rounded down: 100 means that nothing is missing."""
    weight = pl.sum_horizontal(pl.when(pl.col(name).is_not_null()).then(part) for name, part in WEIGHTS.items())
    total = pl.sum_horizontal(pl.col(name) * part for name, part in WEIGHTS.items())
    return pl.when(weight > 0).then(total // weight).cast(pl.Int64)


# --- shares ----------------------------------------------------------------------------------------------------------


def _shares(books: Books, whose: pl.DataFrame, clients: pl.DataFrame) -> pl.DataFrame:
    """The shares of each return, in percent."""
    owners = books.accounts.select("account_id", "taxpayer_id")
    one = pl.lit(1, pl.Int64)
    read = books.files.filter(pl.col("status").is_in(["parsed", "unknown_format", "unreadable", "empty"]))
    rows = books.rows.filter(pl.col("status").is_in(["used", "rejected"])).join(owners, on="account_id")
    priced = books.events.filter(needs_value())
    kinds = [
        (read.join(owners, on="account_id"), one, pl.col("status") == "parsed", "files_read"),
        (rows, one, pl.col("status") == "used", "rows_used"),
        (priced, one, pl.col("usd_value").is_not_null(), "events_priced"),
        (_moves(books), one, pl.col("matched"), "transfers_matched"),
        (_sales(books), pl.col("proceeds"), pl.col("gain").is_not_null(), "basis_known"),
    ]
    found = clients.select("return_id", "tax_year")
    for frame, size, good, name in kinds:
        found = found.join(_share(frame, whose, size, good, name), on="return_id", how="left")
    return found.join(_profiles(books, clients), on="return_id", how="left").drop("tax_year")


def _share(frame: pl.DataFrame, whose: pl.DataFrame, size: pl.Expr, good: pl.Expr, name: str) -> pl.DataFrame:
    """How much of `size` is good, in whole percent, rounded down."""
    sized = frame.select("taxpayer_id", size=size, good=good.fill_null(value=False)).join(whose, on="taxpayer_id")
    sums = sized.group_by("return_id").agg(
        whole=_whole(pl.col("size").sum()), part=_whole(pl.col("size").filter(pl.col("good")).sum())
    )
    percent = (100 * pl.col("part") // pl.col("whole")).cast(pl.Int64)
    return sums.select("return_id", pl.when(pl.col("whole") > 0).then(percent).alias(name))


def _whole(amount: pl.Expr) -> pl.Expr:
    return amount.to_physical().cast(pl.Int128)


def _moves(books: Books) -> pl.DataFrame:
    """Deposits and withdrawals of coins, and whether the books know where they came from or went."""
    coin = [pl.col(side).is_not_null() & ~pl.col(side).is_in(FIAT) for side in ("sent_asset", "received_asset")]
    moved = books.events.filter(pl.col("kind").is_in(MOVES) & pl.any_horizontal(coin))
    loose = books.movements.filter(
        (pl.col("leg") != "fee")
        & (
            (pl.col("movement") == "outside")
            | ((pl.col("movement") == "acquire") & (pl.col("basis_status") != "known"))
        )
    )
    return moved.with_columns(matched=~pl.col("event_id").is_in(loose["event_id"].implode()))


def _sales(books: Books) -> pl.DataFrame:
    """Disposals that belong on the return, by their proceeds."""
    taxable = books.accounts.filter("taxable").select("account_id")
    sold = books.gains.filter((pl.col("proceeds") > 0) & ~pl.col("disposal_kind").is_in(UNTAXED))
    return sold.join(taxable, on="account_id", how="semi")


def _profiles(books: Books, clients: pl.DataFrame) -> pl.DataFrame:
    """100 where the year has a profile, 0 where it has none; of an entity nothing is asked."""
    individuals = books.people.filter(pl.col("entity") == "individual").select("taxpayer_id")
    given = books.profiles.select(*_KEY, present=pl.lit(100, pl.Int64)).unique(_KEY)
    asked = clients.join(individuals, on="taxpayer_id", how="semi").join(given, on=_KEY, how="left")
    return asked.select("return_id", profile_present=pl.col("present").fill_null(0))


def _known(books: Books, whose: pl.DataFrame) -> pl.DataFrame:
    """Returns of whose people anything is known: an event or an opening lot."""
    people = pl.concat([books.events.select("taxpayer_id"), books.opening_lots.select("taxpayer_id")]).unique()
    return whose.join(people, on="taxpayer_id", how="semi").select("return_id", known=pl.lit(value=True)).unique()


# --- who blocks what -------------------------------------------------------------------------------------------------


def blockers(asked: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """`Blockers`: open and answered questions that are more than info, by client, question, severity and who acts.

    Ranked by severity, then by the tax at stake, then by the value, then by age.

    Args:
        asked: schemas.review.ReviewItems of tonight.
        members: return_id, tax_year, taxpayer_id; the last year counts.
    """
    whose = members.filter(pl.col("tax_year") == pl.col("tax_year").max()).select("taxpayer_id", "return_id")
    figures = {code: ", ".join(known.figures) for code, known in REGISTRY.items()}
    standing = asked.filter(pl.col("state").is_in(OPEN) & _GRAVE).join(whose, on="taxpayer_id", how="left")
    acts = pl.when((pl.col("audience") == "client") & (pl.col("state") == "open")).then(pl.lit("client"))
    dear = {basis: pl.col("dollars_at_stake").filter(pl.col("stake_basis") == basis) for basis in ("tax", "value")}
    sums = {basis: pl.when(amounts.len() > 0).then(amounts.sum().cast(CENTS)) for basis, amounts in dear.items()}
    grouped = (
        standing.with_columns(waits_for=acts.otherwise(pl.lit("staff")))
        .group_by("taxpayer_id", "return_id", "question", "severity", "waits_for")
        .agg(
            items=pl.len().cast(pl.Int64),
            tax_at_stake=sums["tax"],
            value_at_stake=sums["value"],
            open_since=pl.col("first_seen").min(),
            from_year=pl.col("tax_year").min(),
        )
        .with_columns(
            figures=pl.col("question").replace_strict(
                figures, default=", ".join(UNREGISTERED.figures), return_dtype=pl.String
            ),
            order=pl.col("severity").replace_strict(list(SEVERITIES), range(len(SEVERITIES)), return_dtype=pl.Int64),
        )
    )
    keys = ["order", "tax_at_stake", "value_at_stake", "open_since", "taxpayer_id", "question", "waits_for"]
    ranked = grouped.sort(keys, descending=[False, True, True, *[False] * 4], nulls_last=True)
    return conform(ranked.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64)), Blockers)
