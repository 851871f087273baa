"""The stages of a night: each picks its transforms' arguments out of the tables it is given. No computation here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

import pipelines
from pipelines import advice_files, filing, folder
from pipelines.errors import NightError
from pipelines.partitions import FIRST_YEAR
from pipelines.resources import Night
from schemas import gate, ledger, tax
from schemas.fields import QUANTITY
from schemas.review import Runs
from transforms import (
    advice,
    advice_changes,
    advice_followed,
    advice_history,
    amendments,
    asset_master,
    balances,
    call_list,
    client_status,
    filed,
    filed_lines,
    forms,
    holding,
    holdings,
    identification,
    income,
    lots,
    movements,
    prices,
    questions,
    reconciliation,
    related_parties,
    reported_gains,
    return_lines,
    returns,
    review,
    review_states,
    review_texts,
    second_reports,
    spam,
    stakes,
    state_estimates,
    tickers,
    transfers,
    what_if,
)
from transforms import ledger as books
from transforms import wash_sales as washing
from transforms.law import wash_sale_rules
from transforms.law.parameters import LAW_VERSION
from transforms.methods import WALLET_YEAR
from transforms.sources.registry import CHECKS, NETTED, ONLY_CHECKS, REGROUP
from transforms.stands import kept_apart

RETURN = ["return_id", "tax_year"]
Tables = dict[str, pl.DataFrame]


def events(
    night: Night,
    legs: pl.DataFrame,
    account_facts: pl.DataFrame,
    time_zones: pl.DataFrame,
    firm_assets: pl.DataFrame,
    firm_overrides: pl.DataFrame,
    prices_: pl.DataFrame,
    stands: pl.DataFrame,
) -> Tables:
    """Legs of all files to canonical, dated and valued events; facts that a second report states again are compared."""
    settings = folder.settings(night)
    master = asset_master.master(firm_assets)
    facts = legs.filter(~pl.col("source").is_in(ONLY_CHECKS))  # results are compared, never booked
    called = tickers.common(facts, account_facts, firm_assets)
    resolved = called.with_columns(asset=asset_master.resolve(master, pl.col("asset")))
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
    seen = gate.conform(dated.filter(pl.col("tax_date") <= night.as_of), ledger.Events)
    known = gate.conform(spam.marked(seen, master, firm_overrides), ledger.Events)
    stable = master.filter(pl.col("class") == "stablecoin")["asset"].unique()
    table = _named(prices_, firm_assets)
    stated = prices.value_events(known, table, settings.max_price_age_days, stable.to_list()).sort("event_id")
    second = second_reports.compare(stated, built.sources, resolved, CHECKS, as_read=owned)
    valued = stated.join(second.not_booked, on="fact_id", how="anti", maintain_order="left")
    unbooked = stated.join(second.not_booked, on="fact_id", how="semi").select("event_id")
    stale = named.join(unbooked, on="event_id", how="semi").with_columns(why=pl.lit("a second report states its fact"))
    clashes = built.conflicts.join(valued.select("event_id", "taxpayer_id", "tax_year"), on="event_id")
    return {
        "events": valued,
        "event_sources": pl.concat(
            [built.sources.join(valued.select("event_id"), on="event_id", how="semi"), second.sources]
        ),
        "source_checks": second.checks,
        "event_questions": pl.concat(
            [
                *questions.events(spam.clear(valued), kept_apart(valued, stands)),
                *questions.tokens(valued, valued.filter(_unknown(master))),
                *questions.overrides(refused),
                *questions.overrides(stale),
                *questions.conflicts(clashes),
                *questions.second_reports(second.checks),
            ]
        ),
    }


def _unknown(master: pl.DataFrame) -> pl.Expr:
    """Events of which an asset is a ticker that nobody knows."""
    sides = ("sent_asset", "received_asset", "fee_asset")
    return pl.any_horizontal(asset_master.unknown(master, pl.col(side)).fill_null(value=False) for side in sides)


def _named(rows: pl.DataFrame, firm_assets: pl.DataFrame) -> pl.DataFrame:
    """Rows of the firm's folder with the canonical id of the asset that they name."""
    return rows.with_columns(asset_master.resolve(asset_master.master(firm_assets), pl.col("asset")).alias("asset"))


def moves(
    night: Night,
    events_: pl.DataFrame,
    account_facts: pl.DataFrame,
    return_members: pl.DataFrame,
    asset_facts: pl.DataFrame,
    firm_acquisitions: pl.DataFrame,
    firm_overrides: pl.DataFrame,
) -> Tables:
    """Withdrawals and deposits that are one move."""
    said, single = transfers.told(firm_overrides)
    both = pl.concat([said, said.select(one="other", other="one")]).select(out_event_id="one", in_event_id="other")
    loose = spam.clear(events_).join(single, on="event_id", how="anti")
    found = transfers.match(loose, both, account_facts, return_members, firm_acquisitions, asset_facts)
    owner = events_.select("event_id", "taxpayer_id", "account_id", "tax_year", "usd_value")
    asked = (
        frame.join(owner, on="event_id", how="left")
        for frame in (found.ambiguous, found.crossing, transfers.doubtful(found.transfers), found.strangers)
    )
    paired = pl.concat([found.transfers.select(one="out_event_id"), found.transfers.select(one="in_event_id")])
    unpaired = said.join(paired, on="one", how="anti").select(
        event_id="one",
        field=pl.lit("transfer"),
        why=pl.lit("the events do not make a move of one coin between accounts of one owner or of a couple"),
    )
    return {
        "transfers": found.transfers,
        "transfer_questions": pl.concat([*questions.transfers(*asked), *questions.overrides(unpaired)]),
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
    asset_facts: pl.DataFrame,
    firm_lot_orders: pl.DataFrame,
    firm_filed_methods: pl.DataFrame,
    firm_basis_pools: pl.DataFrame,
    firm_lot_picks: pl.DataFrame,
    firm_instructions: pl.DataFrame,
    firm_assets: pl.DataFrame,
) -> Tables:
    """Events to movements of units, with the lots named for each disposal and the method in force at each exit."""
    moved = movements.movements(
        spam.clear(events_),
        transfers_,
        accounts=account_facts,
        zones=time_zones,
        acquisitions=firm_acquisitions,
        opening_lots=_named(firm_opening_lots, firm_assets),
        positions=stands,
        lot_orders=_named(firm_lot_orders, firm_assets),
        filed_methods=firm_filed_methods,
        basis_pools=firm_basis_pools,
        assets=asset_facts,
        lot_picks=_seen(night, firm_lot_picks, events_),
        instructions=_named(firm_instructions, firm_assets),
    )
    return {
        "movements": moved.movements,
        "picks": moved.picks,
        "instruction_matches": moved.matches,
        "movement_questions": pl.concat(
            [*questions.movements(moved.questions), *questions.identification(moved.unidentified)]
        ),
    }


def _seen(night: Night, firm_lot_picks: pl.DataFrame, events_: pl.DataFrame) -> pl.DataFrame:
    """Picks are for sales before 2025 and carry no date: a night as of an earlier day sees those of its own sales."""
    if night.as_of.year >= WALLET_YEAR:
        return firm_lot_picks
    return firm_lot_picks.join(events_, on="event_id", how="semi")


def filings(
    night: Night,
    firm_filed_years: pl.DataFrame,
    firm_filed_lines: pl.DataFrame,
    firm_filed_lots: pl.DataFrame,
    return_members: pl.DataFrame,
    firm_assets: pl.DataFrame,
) -> Tables:
    """What stands as filed: by the firm's files, else by the records of earlier nights."""
    read = filing.read_records(night.folder, firm_filed_years, return_members)
    kept = read.kept._replace(lots=_named(read.kept.lots, firm_assets))
    found = filed.records(
        firm_filed_years, firm_filed_lines, _named(firm_filed_lots, firm_assets), kept, return_members
    )
    return {
        "filed_returns": found.returns,
        "filed_people": found.people,
        "filed_form_lines": found.lines,
        "filed_closing_lots": found.lots,
        "filed_inputs": read.inputs,
        "filing_questions": pl.concat([read.questions, *found.questions]),
    }


def lot_book(
    night: Night,
    movements_: pl.DataFrame,
    picks: pl.DataFrame,
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
    filed_people: pl.DataFrame,
    filed_closing_lots: pl.DataFrame,
    filed_form_lines: pl.DataFrame,
    before: pl.DataFrame,
    earlier_lots: pl.DataFrame,
    inputs_before: pl.DataFrame,
) -> Tables:
    """Movements to lots, pieces and the closing lots of each year, rolled on from the year before the run's first.

    After a filed year they are rolled on from the closing lots as filed.
    """
    first, last = min(night.years), max(night.years)
    universal = movements.universal_taxpayers(firm_basis_pools)
    sales = movements_.filter(pl.col("movement") == "dispose").select("movement_id", "tax_year")
    now = _book_inputs(
        [
            *(movements_.drop("sequence"), firm_profiles, firm_carry_ins, firm_forms_1099da, return_members),
            picks.join(sales, on="movement_id"),
            filed.digests(filed_people, filed_closing_lots, filed_form_lines, range(FIRST_YEAR, last + 1)),
        ],
        [firm_basis_pools, firm_allocations_2025, firm_taxpayers, account_facts, asset_facts, time_zones],
    )
    opening, earlier = lots.no_opening(), earlier_lots.filter(pl.col("tax_year") < first)
    if first > FIRST_YEAR:
        _unchanged(now, inputs_before, first)
        _on_record(filed_people, first)
        opening = lots.opening_slots(before, earlier, first - 1)
    allocations, wallets = _named(firm_allocations_2025, firm_assets), movements.wallets(account_facts)

    def engine(moved: pl.DataFrame, opened: pl.DataFrame, span: tuple[int, int]) -> lots.LotBook:
        return lots.run(moved, opened, universal, allocations, wallets, span, time_zones, picks)

    setting = filed.Setting(universal, wallets, time_zones)
    stated = filed_people, filed_closing_lots
    book, balance = filed.run(engine, movements_, opening, earlier, *stated, setting, (first, last))
    years = pl.col("tax_year").is_between(first, last)
    open_ends = movements.dated(book.faults, movements_), movements.widowed(movements_).filter(years)
    pieces = forms.complete_gains(book.gains, account_facts, return_members, asset_facts)
    return {
        **_book_tables(book),
        "pieces": gate.conform(pieces, tax.Pieces),
        "book_inputs": now.filter(years),
        "book_questions": pl.concat(questions.lot_book(*open_ends)).with_columns(
            tax_year=pl.coalesce("tax_year", pl.lit(last))
        ),
        "book_balance": balance.with_columns(tax_year=pl.lit(last, pl.Int64)),
        "pending_lots": filed.pending_lots(book.closing_lots, filed_people, filed_closing_lots, night.years),
        "quarantine": _broken(book.faults),
    }


def _broken(faults: pl.DataFrame) -> pl.DataFrame:
    """Taxpayers whose lot book broke."""
    failed = faults.filter(fault="lot_book_failed")
    return failed.select("taxpayer_id", why=pl.format("the lot book failed ({})", "reason"))


def _book_tables(book: lots.LotBook) -> Tables:
    """What of a lot book is published as it is."""
    return {
        "lots": gate.conform(book.lots, tax.Lots),
        "lot_moves": gate.conform(book.lot_moves, tax.LotMoves),
        "lot_conversions": gate.conform(book.conversions, tax.LotConversions),
        "basis_splits": book.splits,
        "closing_lots": gate.conform(book.closing_lots, tax.ClosingLots),
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


def _on_record(people: pl.DataFrame, first: int) -> None:
    """Refuse a backfill from behind a filing that no night has put on record.

    Raises:
        NightError: closing lots of a year before `first` were filed and are not on record.
    """
    bare = people.filter(pl.col("lots_from").is_null() & (pl.col("tax_year") < first))["tax_year"].sort()
    if bare.len():
        raise NightError(
            f"a return of {bare[0]} was filed and is not on record yet: run `make nightly`, or `make backfill FROM={bare[0]}`"
        )


def realized(
    night: Night,
    pieces: pl.DataFrame,
    lots_: pl.DataFrame,
    lot_conversions: pl.DataFrame,
    account_facts: pl.DataFrame,
    return_members: pl.DataFrame,
    asset_facts: pl.DataFrame,
    stands: pl.DataFrame,
    firm_profiles: pl.DataFrame,
    before: pl.DataFrame,
    quarantine: pl.DataFrame,
) -> Tables:
    """The lot book's pieces under the law of losses that are none: wash sales, sales that a spouse mirrors."""
    first, last = min(night.years), max(night.years)
    rules = wash_sale_rules.in_force(folder.settings(night).wash_sales)
    law = tuple(rule for rule in rules if rule.status == "law")
    couples = washing.couples(return_members, firm_profiles)
    kept = washing.Books(lots_, lot_conversions, couples, account_facts)
    done = washing.under_law(pieces, kept, asset_facts, stands, rules)
    stopped = pl.col("taxpayer_id").is_in(quarantine["taxpayer_id"].implode())
    _same_losses(done.matches.filter(~stopped), before.filter(~stopped), first)
    years = pl.col("tax_year").is_between(first, last)
    crossed = related_parties.crossings(done.gains.filter(years), lots_, lot_conversions, couples, stands)
    held = done.held.with_columns(tax_year=pl.lit(last, pl.Int64)).filter(pl.lit(last == night.as_of.year))
    recent = crossed.gains.filter(pl.col("date_sold").dt.offset_by("30d") >= night.as_of)
    converted = held.join(lot_conversions.select(lot_id="from_lot_id"), on="lot_id", how="semi")
    asked = [
        *questions.wash_sales(
            done.matches.filter(years), washing.reached(recent, asset_facts, stands, law), converted, night.as_of
        ),
        *questions.crossings(crossed.found),
    ]
    return {
        "gains": crossed.gains,
        "wash_sales": done.matches.filter(years),
        "washed_lots": held,
        "wash_questions": pl.concat(asked),
    }


def _same_losses(now: pl.DataFrame, before: pl.DataFrame, first: int) -> None:
    """Refuse a backfill that would leave an earlier year's losses as they were (a January purchase takes December's).

    Raises:
        NightError: the wash sales of a year before `first` are others than its figures were made of.
    """
    sides = [frame.filter(pl.col("tax_year") < first) for frame in (now, before)]
    other = [one.join(two, on=now.columns, how="anti", nulls_equal=True) for one, two in (sides, sides[::-1])]
    years = pl.concat(other)["tax_year"]
    if years.len():
        year = years.sort()[0]
        raise NightError(
            f"wash sales of {year} are others than the last whole night found: run `make nightly`, or `make backfill FROM={year}`"
        )


def at_risk(
    night: Night,
    pieces: pl.DataFrame,
    lots_: pl.DataFrame,
    lot_conversions: pl.DataFrame,
    account_facts: pl.DataFrame,
    return_members: pl.DataFrame,
    asset_facts: pl.DataFrame,
    stands: pl.DataFrame,
    firm_profiles: pl.DataFrame,
) -> Tables:
    """What rules on wash sales that are not law would take."""
    rules = wash_sale_rules.in_force(folder.settings(night).wash_sales)
    kept = washing.Books(lots_, lot_conversions, washing.couples(return_members, firm_profiles), account_facts)
    found = washing.loss_at_risk(pieces, kept, asset_facts, stands, rules)
    return {"loss_at_risk": found, "bill_questions": pl.concat(questions.wash_sale_bills(found, rules))}


def income_rows(
    night: Night,
    events_: pl.DataFrame,
    account_facts: pl.DataFrame,
    return_members: pl.DataFrame,
    stands: pl.DataFrame,
    firm_profiles: pl.DataFrame,
) -> Tables:
    """Receipts that are ordinary income."""
    ours = spam.clear(events_).filter(pl.col("tax_year").is_in(night.years))
    received = income.income(ours, account_facts, return_members, stands)
    return {
        "income": received,
        "income_questions": pl.concat(questions.receipts(received, firm_profiles, stands)),
    }


def form_lines(
    night: Night,
    gains: pl.DataFrame,
    terms: pl.DataFrame,
    account_facts: pl.DataFrame,
    asset_facts: pl.DataFrame,
    firm_forms_1099da: pl.DataFrame,
    firm_forms_1099b: pl.DataFrame,
    firm_assets: pl.DataFrame,
) -> Tables:
    """Pieces to lines of Form 8949, beside what brokers told the IRS of them."""
    rows = reconciliation.form_rows(firm_forms_1099da, firm_forms_1099b, asset_master.master(firm_assets))
    matched = reconciliation.match(rows, gains, terms, asset_facts, folder.settings(night).form_1099_tolerance)
    lines = forms.form_8949(gains, matched.pieces, terms, asset_facts)
    beside = reconciliation.table(matched, lines)
    unreported = reconciliation.unreported(gains, rows, account_facts, asset_facts, night.as_of)
    return {
        "form_8949": lines,
        "reconciliation_1099da": beside,
        "form_questions": pl.concat(questions.brokers(beside, unreported)),
    }


def gain_check_rows(
    night: Night,
    legs: pl.DataFrame,
    gains: pl.DataFrame,
    account_facts: pl.DataFrame,
    firm_assets: pl.DataFrame,
) -> Tables:
    """What brokers' reports of gains say, beside the gains of the books."""
    told = _named(legs.filter(pl.col("source").is_in(ONLY_CHECKS)), firm_assets)
    tolerance = folder.settings(night).form_1099_tolerance
    checks = reported_gains.compare(told, gains, account_facts, tolerance, night.as_of)
    return {"gain_checks": checks, "gain_questions": pl.concat(questions.reported_gains(checks))}


def return_rows(
    night: Night,
    form_8949: pl.DataFrame,
    income_: pl.DataFrame,
    return_members: pl.DataFrame,
    firm_profiles: pl.DataFrame,
    firm_carry_ins: pl.DataFrame,
    firm_taxpayers: pl.DataFrame,
    filed_returns: pl.DataFrame,
    filed_form_lines: pl.DataFrame,
    earlier_carryovers: pl.DataFrame,
    firm_residency: pl.DataFrame,
    before: pl.DataFrame,
    shadow_before: pl.DataFrame,
) -> Tables:
    """The worksheets of every individual's return, year after year: filed ones as filed, and in shadow as if they were not."""
    people = firm_taxpayers.filter(pl.col("entity") == "individual")
    given = returns.Books(
        members=return_members.join(people, on="taxpayer_id", how="semi"),
        profiles=firm_profiles,
        nets=forms.nets(form_8949),
        income=income.by_return(income_),
        carry_ins=firm_carry_ins,
        taxpayers=people,
    )
    years = range(min(night.years), max(night.years) + 1)
    shadow = _with_boxes(returns.fold_years(given, shadow_before, years), form_8949)
    ours = pl.col("tax_year").is_in(night.years)
    stated = filed_lines.stated(
        filed_form_lines.filter(ours), filed_returns.filter(ours), given.members, shadow, form_8949
    )
    carried = pl.concat([earlier_carryovers.filter(pl.col("tax_year") < years.start), stated.carryovers])
    stood = shadow
    if carried.height or not before.equals(shadow_before):
        stood = _with_boxes(returns.fold_years(given._replace(filed=carried), before, years), form_8949)
    done = filed_lines.published(shadow, stood, stated, filed_returns.filter(ours), form_8949)
    states = state_estimates.estimates(done.returns, given.members, firm_residency)
    # of past years the estimate is of no use for a decision: only this year's gaps are asked
    this_year = states.asked.filter(pl.col("tax_year") == night.as_of.year)
    estimated = done.schedule_d.drop("state", "state_tax_estimate").join(
        states.taxes, on=returns.RETURN, how="left", maintain_order="left"
    )
    return {
        "schedule_d": gate.conform(estimated, tax.ScheduleD),
        "carryforwards": done.carryforwards,
        "return_lines": done.return_lines,
        "return_inputs": gate.conform(done.returns, tax.ReturnInputs),
        "shadow_carryforwards": shadow.carryforwards,
        "filed_carryovers": stated.carryovers,
        "standing_lines": pl.concat([stated.lines, done.pending]),
        "recomputed_lines": stated.recomputed,
        "return_questions": pl.concat(
            [
                *questions.returns(stood.missing, stood.conflicts, return_members),
                *stated.questions,
                *questions.states(this_year),
            ]
        ),
    }


def _with_boxes(results: returns.ReturnResults, form_8949: pl.DataFrame) -> returns.ReturnResults:
    """Returns with the lines of Schedule D that take over the boxes of Form 8949."""
    boxes = return_lines.boxes(form_8949).join(results.schedule_d, on=RETURN, how="semi")
    lines = pl.concat([results.return_lines, boxes]).sort("tax_year", "return_id", "form", "line")
    return results._replace(return_lines=lines)


def digital_asset_answers(
    night: Night,
    gains: pl.DataFrame,
    income_: pl.DataFrame,
    clock: pl.DataFrame,
    account_facts: pl.DataFrame,
    return_members: pl.DataFrame,
    firm_taxpayers: pl.DataFrame,
    firm_profiles: pl.DataFrame,
) -> pl.DataFrame:
    """The digital-asset question, from the first year with an event or a profile: it must always be answered."""
    known = return_members.join(firm_taxpayers.select("taxpayer_id", "entity"), on="taxpayer_id")
    of_events = known.join(clock.group_by("taxpayer_id").agg(first=pl.col("tax_year").min()), on="taxpayer_id")
    of_profiles = firm_profiles.group_by("return_id").agg(first=pl.col("tax_year").min())
    starts = (
        pl.concat([of_events.select("return_id", "first"), of_profiles])
        .group_by("return_id")
        .agg(pl.col("first").min())
    )
    years = known.join(starts, on="return_id").filter(
        (pl.col("tax_year") >= pl.col("first")) & (pl.col("tax_year") >= forms.QUESTION_SINCE)
    )
    asked = years.with_columns(form=pl.col("entity").replace_strict(forms.RETURN_FORMS, return_dtype=pl.String))
    counted = account_facts.with_columns(taxable=pl.col("treatment") == "taxable")
    return forms.digital_asset_question(gains, income_, asked, counted)


def instruction_rows(
    night: Night,
    firm_instructions: pl.DataFrame,
    firm_assets: pl.DataFrame,
    instruction_matches: pl.DataFrame,
    picks: pl.DataFrame,
    pieces: pl.DataFrame,
    lots_: pl.DataFrame,
    account_facts: pl.DataFrame,
) -> Tables:
    """What became of each instruction, by the lots as picked (`gains` cuts them up), and which picks found no units."""
    given = _named(firm_instructions, firm_assets)
    done = identification.outcome(given, instruction_matches, picks, pieces, lots_, account_facts, night.as_of)
    return {
        "instructions": done.instructions,
        "instruction_questions": pl.concat(questions.identification(done.questions)),
    }


def amendment_rows(
    night: Night,
    filed_returns: pl.DataFrame,
    filed_people: pl.DataFrame,
    filed_closing_lots: pl.DataFrame,
    filed_inputs: pl.DataFrame,
    standing_lines: pl.DataFrame,
    recomputed_lines: pl.DataFrame,
    closing_lots: pl.DataFrame,
    pending_lots: pl.DataFrame,
    files: pl.DataFrame,
    event_sources: pl.DataFrame,
    events_: pl.DataFrame,
    return_members: pl.DataFrame,
    account_facts: pl.DataFrame,
    members: pl.DataFrame,
    quarantine: pl.DataFrame,
    **records: pl.DataFrame,
) -> Tables:
    """What filed returns would change, and the records of what was filed that no night has written yet."""
    mine = events_.select("event_id", "taxpayer_id", "tax_year", "usd_value", "fee_usd_value")
    owned = {
        name.removeprefix("firm_"): rows.join(mine.select("event_id", "taxpayer_id", "tax_year"), on="event_id")
        if not {"taxpayer_id", "return_id"} & {*rows.columns}
        else rows
        for name, rows in records.items()
    }
    owners = account_facts.select("account_id", "taxpayer_id")
    tonight = amendments.Night(files, owners, event_sources, mine, owned)
    differences = pl.concat(
        [
            amendments.of_lines(standing_lines, recomputed_lines),
            amendments.of_lots(filed_closing_lots, closing_lots, filed_people),
        ]
    )
    key = ["return_id", "tax_year"]
    differing = filed_returns.join(differences, on=key, how="semi")
    unseen = filed_returns.filter(~pl.col("has_inputs"))
    looked_at = pl.concat([differing, unseen]).unique(key)
    now = amendments.inputs(looked_at, return_members, tonight, night.as_of.isoformat())
    recorded = pl.concat([filed_inputs, now.join(unseen, on=key, how="semi")])
    causes = amendments.causes(differing, return_members, recorded, now, tonight)
    found = amendments.amendments(differences, filed_returns, causes)
    unwritten = []
    if not night.scratch:
        going = _going(filed_returns, members, quarantine)
        pending = standing_lines.filter("pending")
        unwritten = [filing.write_records(night.folder, going, pending, pending_lots, now, return_members)]
    return {
        "amendments": found,
        "amendment_questions": pl.concat(
            [
                *amendments.questions(found, return_members),
                *amendments.units_questions(filed_closing_lots, closing_lots, filed_people),
                *unwritten,
            ]
        ),
    }


def _going(filed_returns: pl.DataFrame, members: pl.DataFrame, quarantine: pl.DataFrame) -> pl.DataFrame:
    """Filed returns of households that nothing stopped tonight: of the others no figure is whole."""
    stopped = members.join(quarantine, on="taxpayer_id", how="semi").select("household").unique()
    theirs = members.filter(pl.col("kind") == "return").join(stopped, on="household", how="semi")
    return filed_returns.join(theirs.select(return_id="id"), on="return_id", how="anti")


def open_lots(night: Night, closing_lots: pl.DataFrame, washed_lots: pl.DataFrame) -> pl.DataFrame:
    """What is held tonight, with what wash sales added to basis and holding period."""
    tonight = closing_lots.filter(pl.col("tax_year") == night.as_of.year)
    sums = [pl.col("quantity").sum().cast(QUANTITY), *(_whole(name) for name in ("basis", "loss_basis"))]
    summed = tonight.group_by("lot_id", "account_id", "location").agg(
        *sums, pl.all().exclude("quantity", "basis", "loss_basis").first()
    )
    held = washing.with_washed(gate.conform(summed, tax.OpenLots), washed_lots.filter(tax_year=night.as_of.year))
    return held.sort("taxpayer_id", "account_id", "lot_id", "location")


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
    firm_profiles: pl.DataFrame,
) -> pl.DataFrame:
    """Open lots at tonight's prices."""
    settings = folder.settings(night)
    apart = event_questions.filter(pl.col("question") == "kept_apart").select("taxpayer_id", "asset")
    held = holdings.holdings(
        open_lots_,
        _named(prices_, firm_assets),
        return_members,
        account_facts,
        firm_taxpayers,
        night.as_of,
        settings.max_price_age_days,
        asset_facts,
        apart,
    )
    classes = wash_sale_rules.lawful_classes(wash_sale_rules.in_force(settings.wash_sales), night.as_of)
    couples = washing.couples(return_members, firm_profiles)
    return washing.bar(held, open_lots_, asset_facts, couples, classes, night.as_of)


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
    open_lots_: pl.DataFrame,
    firm_residency: pl.DataFrame,
) -> Tables:
    """What to sell tonight, and what it is worth."""
    tonight = pl.col("tax_year") == night.as_of.year
    settings = folder.settings(night)
    rules = wash_sale_rules.in_force(settings.wash_sales)
    couples = washing.couples(return_members, firm_profiles)
    pending = wash_sale_rules.reachable_classes(rules)
    homes = state_estimates.homes(return_members.filter(tonight), firm_residency)
    given = advice.recommend(
        holdings_,
        return_inputs.filter(tonight),
        firm_profiles.filter(tonight),
        return_members,
        account_facts,
        asset_facts,
        time_zones,
        review_items,
        settings,
        night.as_of,
        homes.select("return_id", "state_index"),
        washing.bar(holdings_, open_lots_, asset_facts, couples, pending, night.as_of),
    )
    return {
        "harvest_recommendations": given.recommendations,
        "harvest_summary": given.summary,
        "harvest_waiting": given.waiting,
    }


def advice_past(night: Night) -> Tables:
    """What the records of earlier nights say was advised."""
    records = advice_files.read_history(night.folder, night.as_of)
    past = advice_history.past(records.rows, records.older)
    return {"advice_before": past.before, "advice_made": past.made, "advice_questions": records.questions}


def what_if_rows(
    night: Night,
    holdings_: pl.DataFrame,
    open_lots_: pl.DataFrame,
    return_inputs: pl.DataFrame,
    harvest_summary: pl.DataFrame,
    firm_profiles: pl.DataFrame,
    account_facts: pl.DataFrame,
    asset_facts: pl.DataFrame,
    return_members: pl.DataFrame,
    firm_residency: pl.DataFrame,
) -> Tables:
    """What harvesting more or less would save, and what waiting costs, of the returns that are advised."""
    tonight = pl.col("tax_year") == night.as_of.year
    advised = harvest_summary.filter(pl.col("tax_before").is_not_null())
    engine = what_if.Engine(
        return_inputs.filter(tonight).join(advised, on="return_id", how="semi"),
        firm_profiles.filter(tonight).select("return_id", "expected_ordinary_income", "expected_annual_gains"),
        account_facts,
        asset_facts,
        folder.settings(night),
        night.as_of.year,
        state_estimates.homes(return_members.filter(tonight), firm_residency).select("return_id", "state_index"),
    )
    return {
        "harvest_curve": what_if.curve(holdings_, engine, night.as_of),
        "price_moves": what_if.price_moves(holdings_, open_lots_, engine, night.as_of),
    }


def advice_rows(
    night: Night,
    harvest_recommendations: pl.DataFrame,
    harvest_summary: pl.DataFrame,
    holdings_: pl.DataFrame,
    return_inputs: pl.DataFrame,
    advice_before: pl.DataFrame,
    advice_made: pl.DataFrame,
    instructions_: pl.DataFrame,
    instruction_matches: pl.DataFrame,
    form_8949: pl.DataFrame,
    gains: pl.DataFrame,
    return_members: pl.DataFrame,
    review_items: pl.DataFrame,
    firm_instructions: pl.DataFrame,
) -> Tables:
    """The advice over the nights: what became of it, what changed, what is to be recorded, whom to call."""
    tonight = return_inputs.filter(tax_year=night.as_of.year)
    now = advice_history.tonight(
        harvest_recommendations,
        harvest_summary,
        holdings_,
        tonight,
        folder.settings(night),
        LAW_VERSION,
        pipelines.VERSION,
        night.as_of,
    )
    covered = advice_followed.open_units(firm_instructions, instruction_matches, night.as_of)
    advised = advice_followed.with_covered(harvest_recommendations, covered)
    return {
        "advice_followed": advice_followed.followed(
            advice_made, firm_instructions, instructions_, form_8949, gains, holdings_, return_inputs, night.as_of
        ),
        "advice_changes": advice_changes.changes(advice_before, now, holdings_, form_8949, instructions_),
        "call_list": call_list.call_list(advised, harvest_summary, return_members, review_items, night.as_of),
        "instructions_to_record": advice_followed.to_record(harvest_recommendations, covered, night.as_of),
        "advice_record": advice_history.changed(now, advice_before, holdings_),
    }


def inbox(
    night: Night,
    files: pl.DataFrame,
    raw_rows: pl.DataFrame,
    legs: pl.DataFrame,
    account_facts: pl.DataFrame,
    gains: pl.DataFrame,
    events_: pl.DataFrame,
    closing_lots: pl.DataFrame,
    income_: pl.DataFrame,
    return_inputs: pl.DataFrame,
    return_members: pl.DataFrame,
    asset_facts: pl.DataFrame,
    holdings_: pl.DataFrame,
    members: pl.DataFrame,
    quarantine: pl.DataFrame,
    firm_review_answers: pl.DataFrame,
    memory: pl.DataFrame,
    **asked: pl.DataFrame,
) -> Tables:
    """All questions of the night in one inbox, with what hangs on them, their words and their states."""
    found = _asked(files, raw_rows, legs, account_facts, gains, events_, holdings_, quarantine)
    every = review.gathered([*asked.values(), *found])
    given = review_states.legal(firm_review_answers, memory)
    every = review.gathered([every, *review_states.answer_items(given, every, memory)])
    ranges = stakes.ranges(every, gains, closing_lots, income_, events_, return_members, account_facts, asset_facts)
    priced, turned = stakes.priced(every, ranges, return_inputs)
    told = review_texts.with_texts(priced, events_, account_facts)
    judged = review_states.judge(told, memory, given, _unseen(members, quarantine), night.as_of)
    return {
        "review_items": review.ranked(judged.items),
        "review_memory": judged.memory,
        "stake_ranges": turned,
    }


def _unseen(members: pl.DataFrame, quarantine: pl.DataFrame) -> list[str]:
    """Taxpayers of households that something stopped tonight."""
    households = members.join(quarantine, on="taxpayer_id", how="semi").select("household").unique()
    return members.join(households, on="household", how="semi")["taxpayer_id"].unique().sort().to_list()


def _asked(
    files: pl.DataFrame,
    raw_rows: pl.DataFrame,
    legs: pl.DataFrame,
    account_facts: pl.DataFrame,
    gains: pl.DataFrame,
    event_values: pl.DataFrame,
    holdings_: pl.DataFrame,
    quarantine: pl.DataFrame,
) -> list[pl.DataFrame]:
    """The questions that no earlier stage asked."""
    owner = account_facts.select("account_id", "taxpayer_id")
    taken, rows, sides, breaks = (
        frame.join(owner, on="account_id", how="left")
        for frame in (files, _faults(files, raw_rows), legs, balances.balance_breaks(legs))
    )
    return [
        *questions.files(taken),
        *questions.rows(rows),
        *questions.digits(sides),
        *questions.platforms(sides),
        *questions.chains(sides),
        # what the firm enters by hand completes other files: it may name their transactions
        *questions.doubled(sides, {*CHECKS, *ONLY_CHECKS, "universal"}),
        *questions.balances(breaks),
        *questions.shortfalls(gains),
        *questions.donations(gains, event_values),
        *questions.near_long_term(gains),
        *questions.losses(gains),
        *questions.holdings(holdings_),
        *questions.quarantine(quarantine),
    ]


def _faults(files: pl.DataFrame, raw_rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of files that are read."""
    parsed = files.filter(pl.col("status") == "parsed").select("account_id", "file_id")
    return raw_rows.join(parsed, on=["account_id", "file_id"], how="semi")


def statuses(
    night: Night,
    review_items: pl.DataFrame,
    stake_ranges: pl.DataFrame,
    return_inputs: pl.DataFrame,
    return_members: pl.DataFrame,
    files: pl.DataFrame,
    raw_rows: pl.DataFrame,
    events_: pl.DataFrame,
    movements_: pl.DataFrame,
    gains: pl.DataFrame,
    account_facts: pl.DataFrame,
    firm_profiles: pl.DataFrame,
    firm_opening_lots: pl.DataFrame,
    firm_taxpayers: pl.DataFrame,
    members: pl.DataFrame,
    quarantine: pl.DataFrame,
) -> Tables:
    """Where each return stands, and who blocks what."""
    tonight = return_members.filter(pl.col("tax_year") == night.as_of.year)
    books = client_status.Books(
        files=files,
        rows=_faults(files, raw_rows),
        events=spam.clear(events_),
        movements=movements_,
        gains=gains,
        profiles=firm_profiles,
        opening_lots=firm_opening_lots,
        accounts=account_facts,
        people=firm_taxpayers,
    )
    return {
        "client_status": client_status.client_status(
            review_items, stake_ranges, return_inputs, tonight, books, _unseen(members, quarantine)
        ),
        "blockers": client_status.blockers(review_items, tonight),
    }


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
