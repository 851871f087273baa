"""The stages of a night: each picks its transforms' arguments out of the tables it is given. No computation here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

import pipelines
from pipelines import folder
from pipelines.errors import NightError
from pipelines.partitions import FIRST_YEAR
from pipelines.resources import Night
from schemas import gate, ledger, tax
from schemas.fields import QUANTITY
from schemas.review import Runs
from transforms import (
    advice,
    asset_master,
    balances,
    forms,
    holding,
    holdings,
    income,
    lots,
    movements,
    prices,
    questions,
    return_lines,
    returns,
    state_estimates,
    transfers,
)
from transforms import ledger as books
from transforms.law.parameters import LAW_VERSION
from transforms.review import inbox
from transforms.sources.registry import NETTED, REGROUP

Tables = dict[str, pl.DataFrame]


def events(
    night: Night,
    legs: pl.DataFrame,
    account_facts: pl.DataFrame,
    time_zones: pl.DataFrame,
    firm_assets: pl.DataFrame,
    firm_overrides: pl.DataFrame,
    prices_: pl.DataFrame,
) -> Tables:
    """Legs of all files to canonical, dated and valued events."""
    settings = folder.settings(night)
    master = asset_master.master(firm_assets)
    resolved = legs.with_columns(asset=asset_master.resolve(master, pl.col("asset")))
    built = books.assemble(resolved, NETTED, REGROUP)
    owned = built.events.drop("taxpayer_id").join(
        account_facts.select("account_id", "taxpayer_id"), on="account_id", how="inner"
    )
    of_asset = pl.col("field").str.ends_with("_asset")
    named = firm_overrides.with_columns(
        value=pl.when(of_asset).then(asset_master.resolve(master, pl.col("value"))).otherwise("value")
    )
    corrected, refused = books.apply_overrides(owned, named)
    dated = holding.with_tax_date(holding.with_time_zone(corrected, time_zones)).with_columns(
        tax_year=pl.col("tax_date").dt.year().cast(pl.Int64)
    )
    known = gate.conform(dated.filter(pl.col("tax_date") <= night.as_of), ledger.Events)
    clashes = built.conflicts.join(known.select("event_id", "taxpayer_id", "tax_year"), on="event_id")
    valued = prices.value_events(known, _named(prices_, firm_assets), settings.max_price_age_days).sort("event_id")
    return {
        "events": valued,
        "event_sources": built.sources.join(valued.select("event_id"), on="event_id", how="semi"),
        "event_questions": pl.concat(
            [*questions.events(valued), *questions.overrides(refused), *questions.conflicts(clashes)]
        ),
    }


def _named(rows: pl.DataFrame, firm_assets: pl.DataFrame) -> pl.DataFrame:
    """Rows of the firm's folder with the canonical id of the asset that they name."""
    return rows.with_columns(asset_master.resolve(asset_master.master(firm_assets), pl.col("asset")).alias("asset"))


def moves(night: Night, events_: pl.DataFrame, account_facts: pl.DataFrame, firm_overrides: pl.DataFrame) -> Tables:
    """Withdrawals and deposits that are one move."""
    said = firm_overrides.filter(pl.col("field") == "transfer").select(one="event_id", other="value")
    single = said.filter(pl.col("other") == "none")["one"]
    both = pl.concat([said, said.select(one="other", other="one")]).select(out_event_id="one", in_event_id="other")
    found = transfers.match(events_.filter(~pl.col("event_id").is_in(single.implode())), both, account_facts)
    owner = events_.select("event_id", "taxpayer_id", "account_id", "tax_year", "usd_value")
    open_ends, crossing, doubtful = (
        frame.join(owner, on="event_id", how="left")
        for frame in (found.ambiguous, found.crossing, transfers.doubtful(found.transfers))
    )
    paired = pl.concat([found.transfers.select(one="out_event_id"), found.transfers.select(one="in_event_id")])
    refused = said.filter(pl.col("other") != "none").join(paired, on="one", how="anti")
    unpaired = refused.select(
        event_id="one", field=pl.lit("transfer"), why=pl.lit("the two events do not make a move between own accounts")
    )
    return {
        "transfers": found.transfers,
        "transfer_questions": pl.concat(
            [*questions.transfers(open_ends, crossing, doubtful), *questions.overrides(unpaired)]
        ),
    }


def movement_rows(
    night: Night,
    events_: pl.DataFrame,
    transfers_: pl.DataFrame,
    account_facts: pl.DataFrame,
    time_zones: pl.DataFrame,
    firm_acquisitions: pl.DataFrame,
    firm_opening_lots: pl.DataFrame,
    stands: pl.DataFrame,
    firm_lot_orders: pl.DataFrame,
    firm_filed_methods: pl.DataFrame,
    firm_basis_pools: pl.DataFrame,
    firm_assets: pl.DataFrame,
) -> Tables:
    """Events to movements of units, with the method in force at each exit."""
    moved = movements.movements(
        events_,
        transfers_,
        accounts=account_facts,
        zones=time_zones,
        acquisitions=firm_acquisitions,
        opening_lots=_named(firm_opening_lots, firm_assets),
        positions=stands,
        lot_orders=_named(firm_lot_orders, firm_assets),
        filed_methods=firm_filed_methods,
        basis_pools=firm_basis_pools,
        wrapping=folder.settings(night).positions.get("wrapping", "taxable"),
    )
    return {
        "movements": moved.movements,
        "movement_questions": pl.concat(questions.movements(moved.questions)),
    }


def lot_book(
    night: Night,
    movements_: pl.DataFrame,
    account_facts: pl.DataFrame,
    time_zones: pl.DataFrame,
    return_members: pl.DataFrame,
    asset_facts: pl.DataFrame,
    firm_basis_pools: pl.DataFrame,
    firm_allocations_2025: pl.DataFrame,
    firm_taxpayers: pl.DataFrame,
    firm_profiles: pl.DataFrame,
    firm_carry_ins: pl.DataFrame,
    firm_forms_1099da: pl.DataFrame,
    firm_assets: pl.DataFrame,
    before: pl.DataFrame,
    earlier_lots: pl.DataFrame,
    inputs_before: pl.DataFrame,
) -> Tables:
    """Movements to lots, pieces and the closing lots of each year, rolled on from the year before the run's first."""
    first, last = min(night.years), max(night.years)
    universal = movements.universal_taxpayers(firm_basis_pools)
    now = _book_inputs(
        [movements_.drop("sequence"), firm_profiles, firm_carry_ins, firm_forms_1099da, return_members],
        [firm_basis_pools, firm_allocations_2025, firm_taxpayers, account_facts, asset_facts, time_zones],
    )
    opening = lots.no_opening()
    if first > FIRST_YEAR:
        _unchanged(now, inputs_before, first)
        opening = lots.opening_slots(before, earlier_lots.filter(pl.col("tax_year") < first), first - 1)
    allocations = _named(firm_allocations_2025, firm_assets)
    book = lots.run(movements_, opening, universal, allocations, movements.wallets(account_facts), (first, last))
    years = pl.col("tax_year").is_between(first, last)
    failed = book.faults.filter(fault="lot_book_failed")
    return {
        "lots": gate.conform(book.lots, tax.Lots),
        "lot_moves": gate.conform(book.lot_moves, tax.LotMoves),
        "lot_conversions": gate.conform(book.conversions, tax.LotConversions),
        "gains": forms.complete_gains(book.gains, account_facts, return_members, asset_facts),
        "closing_lots": gate.conform(book.closing_lots, tax.ClosingLots),
        "book_inputs": now.filter(years),
        "book_questions": pl.concat(questions.lot_book(book.faults)).with_columns(
            tax_year=pl.coalesce("tax_year", pl.lit(last))
        ),
        "book_balance": lots.conservation(movements_.filter(years), opening, book, last).with_columns(
            tax_year=pl.lit(last, pl.Int64)
        ),
        "quarantine": failed.select("taxpayer_id", why=pl.format("the lot book failed ({})", "reason")),
    }


def _book_inputs(yearly: Sequence[pl.DataFrame], settings: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """What the books of each year are made of, as a hash (of polars' own making: it serves one version of polars)."""
    salt = "|".join(f"{frame.height}:{frame.hash_rows().sum()}" for frame in settings)
    digests = [
        frame.select("tax_year", row=frame.hash_rows())
        .group_by("tax_year")
        .agg(pl.format("{}:{}", pl.len(), pl.col("row").sum()).alias("digest"))
        .with_columns(part=pl.lit(part))
        for part, frame in enumerate(yearly)
    ]
    by_year = pl.concat(digests).sort("tax_year", "part").group_by("tax_year").agg(pl.col("digest").str.join("|"))
    return by_year.select("tax_year", hash=pl.format("{}|{}", pl.lit(salt), "digest")).sort("tax_year")


def _unchanged(now: pl.DataFrame, before: pl.DataFrame, first: int) -> None:
    """Refuse a backfill that would start behind a change.

    Raises:
        NightError: events or settings of a year before `first` differ from what its books were made of.
    """
    early = pl.col("tax_year") < first
    joined = now.filter(early).join(before.filter(early), on="tax_year", how="full", coalesce=True)
    differs = joined.filter(pl.col("hash").ne_missing(pl.col("hash_right")))["tax_year"]
    if differs.len():
        year = differs.sort()[0]
        raise NightError(
            f"what the books of {year} are made of changed since the last whole night: run `make nightly`, or `make backfill FROM={year}`"
        )


def income_rows(
    night: Night,
    events_: pl.DataFrame,
    account_facts: pl.DataFrame,
    return_members: pl.DataFrame,
    stands: pl.DataFrame,
) -> pl.DataFrame:
    """Receipts that are ordinary income."""
    ours = events_.filter(pl.col("tax_year").is_in(night.years))
    return income.income(ours, account_facts, return_members, stands)


def form_lines(
    night: Night, gains: pl.DataFrame, firm_forms_1099da: pl.DataFrame, firm_assets: pl.DataFrame
) -> pl.DataFrame:
    """Pieces to lines of Form 8949."""
    master = asset_master.master(firm_assets)
    named = firm_forms_1099da.with_columns(asset=asset_master.resolve(master, pl.coalesce("box_1b", "box_1a")))
    reported = named.group_by("taxpayer_id", "tax_year", "account_id", "asset").agg(
        basis_reported=pl.col("box_1g").is_not_null().any()
    )
    return forms.form_8949(gains, reported)


def return_rows(
    night: Night,
    form_8949: pl.DataFrame,
    income_: pl.DataFrame,
    return_members: pl.DataFrame,
    firm_profiles: pl.DataFrame,
    firm_carry_ins: pl.DataFrame,
    firm_taxpayers: pl.DataFrame,
    firm_residency: pl.DataFrame,
    before: pl.DataFrame,
) -> Tables:
    """The worksheets of every individual's return, year after year."""
    people = firm_taxpayers.filter(pl.col("entity") == "individual")
    given = returns.Books(
        members=return_members.join(people, on="taxpayer_id", how="semi"),
        profiles=firm_profiles,
        nets=forms.nets(form_8949),
        income=income.by_return(income_),
        carry_ins=firm_carry_ins,
        taxpayers=people,
    )
    done = returns.fold_years(given, before, range(min(night.years), max(night.years) + 1))
    boxes = return_lines.boxes(form_8949).join(done.schedule_d, on=returns.RETURN, how="semi")
    states = state_estimates.estimates(done.returns, given.members, firm_residency)
    # of past years the estimate is of no use for a decision: only this year's gaps are asked
    this_year = states.asked.filter(pl.col("tax_year") == night.as_of.year)
    asked = [*questions.returns(done.missing, done.conflicts, return_members), *questions.states(this_year)]
    estimated = done.schedule_d.drop("state", "state_tax_estimate").join(
        states.taxes, on=returns.RETURN, how="left", maintain_order="left"
    )
    return {
        "schedule_d": gate.conform(estimated, tax.ScheduleD),
        "carryforwards": done.carryforwards,
        "return_lines": pl.concat([done.return_lines, boxes]).sort("tax_year", "return_id", "form", "line"),
        "return_inputs": gate.conform(done.returns, tax.ReturnInputs),
        "return_questions": pl.concat(asked),
    }


def digital_asset_answers(
    night: Night,
    gains: pl.DataFrame,
    income_: pl.DataFrame,
    account_facts: pl.DataFrame,
    return_members: pl.DataFrame,
    firm_taxpayers: pl.DataFrame,
) -> pl.DataFrame:
    """The question of Form 1040, for individuals from the first year with an event."""
    people = return_members.join(firm_taxpayers.filter(pl.col("entity") == "individual"), on="taxpayer_id", how="semi")
    active = pl.concat([gains.select("return_id", "tax_year"), income_.select("return_id", "tax_year")])
    first = active.group_by("return_id").agg(first=pl.col("tax_year").min())
    years = people.join(first, on="return_id").filter(pl.col("tax_year") >= pl.col("first"))
    return forms.digital_asset_question(gains, income_, years, account_facts)


def open_lots(night: Night, closing_lots: pl.DataFrame) -> pl.DataFrame:
    """What is held tonight."""
    tonight = closing_lots.filter(pl.col("tax_year") == night.as_of.year)
    sums = [pl.col("quantity").sum().cast(QUANTITY), *(_whole(name) for name in ("basis", "loss_basis"))]
    summed = tonight.group_by("lot_id", "account_id", "location").agg(
        *sums, pl.all().exclude("quantity", "basis", "loss_basis").first()
    )
    return gate.conform(summed, tax.OpenLots).sort("taxpayer_id", "account_id", "lot_id", "location")


def _whole(name: str) -> pl.Expr:
    """The sum of amounts, unknown where one of them is."""
    return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).cast(pl.Decimal(18, 6)).alias(name)


def holding_rows(
    night: Night,
    open_lots_: pl.DataFrame,
    prices_: pl.DataFrame,
    return_members: pl.DataFrame,
    account_facts: pl.DataFrame,
    firm_assets: pl.DataFrame,
    firm_taxpayers: pl.DataFrame,
    asset_facts: pl.DataFrame,
    event_questions: pl.DataFrame,
) -> pl.DataFrame:
    """Open lots at tonight's prices."""
    apart = event_questions.filter(pl.col("question") == "kept_apart").select("taxpayer_id", "asset")
    return holdings.holdings(
        open_lots_,
        _named(prices_, firm_assets),
        return_members,
        account_facts,
        firm_taxpayers,
        night.as_of,
        folder.settings(night).max_price_age_days,
        asset_facts,
        apart,
    )


def harvest_rows(
    night: Night,
    holdings_: pl.DataFrame,
    return_inputs: pl.DataFrame,
    firm_profiles: pl.DataFrame,
    return_members: pl.DataFrame,
    account_facts: pl.DataFrame,
    asset_facts: pl.DataFrame,
    time_zones: pl.DataFrame,
    review_items: pl.DataFrame,
) -> Tables:
    """What to sell tonight, and what it is worth."""
    tonight = pl.col("tax_year") == night.as_of.year
    given = advice.recommend(
        holdings_,
        return_inputs.filter(tonight),
        firm_profiles.filter(tonight).select("return_id", "expected_ordinary_income", "expected_annual_gains"),
        return_members,
        account_facts,
        asset_facts,
        time_zones,
        review_items,
        folder.settings(night),
        night.as_of,
    )
    return {"harvest_recommendations": given.recommendations, "harvest_summary": given.summary}


def review(
    night: Night,
    files: pl.DataFrame,
    raw_rows: pl.DataFrame,
    legs: pl.DataFrame,
    account_facts: pl.DataFrame,
    gains: pl.DataFrame,
    holdings_: pl.DataFrame,
    quarantine: pl.DataFrame,
    firm_review_answers: pl.DataFrame,
    **asked: pl.DataFrame,
) -> pl.DataFrame:
    """All questions of the night in one inbox."""
    owner = account_facts.select("account_id", "taxpayer_id")
    parsed = files.filter(pl.col("status") == "parsed").select("account_id", "file_id")
    faults = raw_rows.join(parsed, on=["account_id", "file_id"], how="semi")
    taken, rows, sides, breaks = (
        frame.join(owner, on="account_id", how="left") for frame in (files, faults, legs, balances.balance_breaks(legs))
    )
    given = {name: asked.pop(folder.FIRM.format(name)) for name in questions.UNUSED}
    parts = [
        *asked.values(),
        *(item for name, records in given.items() for item in questions.unused_records(name, records)),
        *questions.files(taken),
        *questions.rows(rows),
        *questions.digits(sides),
        *questions.balances(breaks),
        *questions.shortfalls(gains),
        *questions.holdings(holdings_),
        *questions.quarantine(quarantine),
    ]
    return inbox(parts, firm_review_answers)


def runs(night: Night) -> pl.DataFrame:
    """Tonight, as the mart tells it."""
    row = {
        "run_id": night.run_id,
        "as_of": night.as_of,
        "published_at": datetime.now(UTC),
        "code_version": pipelines.VERSION,
        "law_version": LAW_VERSION,
        "input_hash": folder.input_hash(night),
    }
    return gate.conform(pl.DataFrame([row], schema=gate.dtypes(Runs)), Runs)
