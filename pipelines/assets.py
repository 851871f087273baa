"""The list of table assets: what each reads, which stage computes it, which schema it promises. No computation."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from pipelines import folder, stages
from pipelines.factory import Read, table_asset, table_assets
from pipelines.folder import FIRM
from pipelines.households import Members
from pipelines.quarantine import Quarantine
from schemas import clients, harvest, inputs, intake, ledger, review, tax

_FIRM = {FIRM.format(name): given.model for name, given in inputs.INPUTS.items()}
_QUESTIONS = (
    "folder_questions",
    "price_questions",
    "intake_questions",
    "event_questions",
    "transfer_questions",
    "movement_questions",
    "book_questions",
    "return_questions",
)


def _firm(*names: str) -> dict[str, Read]:
    return {FIRM.format(name): Read(_FIRM[FIRM.format(name)]) for name in names}


_INTAKE = [
    table_assets(
        "firm_folder",
        {
            **_FIRM,
            "members": Members,
            "return_members": clients.ReturnMembers,
            "account_facts": clients.AccountFacts,
            "time_zones": clients.TimeZones,
            "stands": clients.Stands,
            "asset_facts": clients.AssetFacts,
            "folder_questions": review.ReviewItems,
        },
        {},
        folder.firm_tables,
        keeps_stopped=True,
        group="intake",
    ),
    table_assets(
        "price_files",
        {"prices": ledger.Prices, "price_questions": review.ReviewItems},
        {},
        folder.price_table,
        after=("members",),
        group="intake",
    ),
    table_assets(
        "client_files",
        {"files": intake.Files, "raw_rows": intake.RawRows, "legs": intake.Legs},
        {"account_facts": clients.AccountFacts, "files": Read(intake.Files)},
        folder.take_in,
        group="intake",
    ),
    table_asset(
        "intake_questions",
        review.ReviewItems,
        {
            "files": intake.Files,
            "raw_rows": Read(intake.RowFaults, table="raw_rows"),
            "legs": intake.Legs,
            "account_facts": clients.AccountFacts,
        },
        stages.intake_questions,
        group="intake",
    ),
]
_LEDGER = [
    table_assets(
        "ledger",
        {"events": ledger.Events, "event_sources": ledger.EventSources, "event_questions": review.ReviewItems},
        {
            "legs": intake.Legs,
            "account_facts": clients.AccountFacts,
            "time_zones": clients.TimeZones,
            "prices_": Read(ledger.Prices, table="prices"),
            **_firm("assets", "overrides"),
        },
        stages.events,
        group="ledger",
    ),
    table_assets(
        "moves",
        {"transfers": ledger.Transfers, "transfer_questions": review.ReviewItems},
        {"events_": Read(ledger.Events, table="events"), **_firm("overrides")},
        stages.moves,
        group="ledger",
    ),
    table_assets(
        "movement_rows",
        {"movements": ledger.Movements, "movement_questions": review.ReviewItems},
        {
            "events_": Read(ledger.Events, table="events"),
            "transfers_": Read(ledger.Transfers, table="transfers"),
            "account_facts": clients.AccountFacts,
            "time_zones": clients.TimeZones,
            "stands": clients.Stands,
            **_firm("acquisitions", "opening_lots", "lot_orders", "filed_methods", "basis_pools"),
        },
        stages.movement_rows,
        group="ledger",
    ),
]
_TAX = [
    table_assets(
        "lot_book",
        {
            "lots": tax.Lots,
            "lot_moves": tax.LotMoves,
            "lot_conversions": tax.LotConversions,
            "gains": tax.Gains,
            "closing_lots": tax.ClosingLots,
            "book_inputs": tax.BookInputs,
            "book_balance": tax.BookBalance,
            "book_questions": review.ReviewItems,
        },
        {
            "movements_": Read(ledger.Movements, table="movements"),
            "account_facts": clients.AccountFacts,
            "return_members": clients.ReturnMembers,
            "asset_facts": clients.AssetFacts,
            **_firm("basis_pools", "allocations_2025"),
            "before": Read(tax.ClosingLots, "before", "closing_lots"),
            "earlier_lots": Read(tax.Lots, table="lots"),
            "inputs_before": Read(tax.BookInputs, table="book_inputs"),
        },
        stages.lot_book,
        by_year=True,
        group="tax",
    ),
    table_asset(
        "income",
        tax.Income,
        {
            "events_": Read(ledger.Events, table="events"),
            "account_facts": clients.AccountFacts,
            "return_members": clients.ReturnMembers,
            "stands": clients.Stands,
        },
        stages.income_rows,
        by_year=True,
        group="tax",
    ),
    table_asset(
        "form_8949",
        tax.Form8949,
        {"gains": Read(tax.Gains, "run"), **_firm("forms_1099da", "assets")},
        stages.form_lines,
        by_year=True,
        group="tax",
    ),
    table_assets(
        "returns",
        {
            "schedule_d": tax.ScheduleD,
            "carryforwards": tax.Carryforwards,
            "return_lines": tax.ReturnLines,
            "return_inputs": tax.ReturnInputs,
            "return_questions": review.ReviewItems,
        },
        {
            "form_8949": tax.Form8949,
            "income_": Read(tax.Income, table="income"),
            "return_members": clients.ReturnMembers,
            **_firm("profiles", "carry_ins", "taxpayers"),
            "before": Read(tax.Carryforwards, "before", "carryforwards"),
        },
        stages.return_rows,
        by_year=True,
        group="tax",
    ),
    table_asset(
        "digital_asset_question",
        tax.DigitalAssetQuestion,
        {
            "gains": tax.Gains,
            "income_": Read(tax.Income, table="income"),
            "return_members": clients.ReturnMembers,
            **_firm("taxpayers"),
        },
        stages.digital_asset_answers,
        group="tax",
    ),
    table_asset("open_lots", tax.OpenLots, {"closing_lots": tax.ClosingLots}, stages.open_lots, group="tax"),
]
_REVIEW = [
    table_asset(
        "review_items",
        review.ReviewItems,
        {
            "quarantine": Quarantine,
            "gains": tax.Gains,
            **_firm("review_answers"),
            **dict.fromkeys(_QUESTIONS, review.ReviewItems),
        },
        stages.review,
        keeps_stopped=True,
        group="review",
    ),
]
_HARVEST = [
    table_asset(
        "holdings",
        harvest.Holdings,
        {
            "open_lots_": Read(tax.OpenLots, table="open_lots"),
            "prices_": Read(ledger.Prices, table="prices"),
            "return_members": clients.ReturnMembers,
            "account_facts": clients.AccountFacts,
            "asset_facts": clients.AssetFacts,
            "movement_questions": review.ReviewItems,
            **_firm("taxpayers"),
        },
        stages.holding_rows,
        group="harvest",
    ),
    table_assets(
        "harvest",
        {
            "harvest_recommendations": harvest.HarvestRecommendations,
            "harvest_summary": harvest.HarvestSummary,
        },
        {
            "holdings_": Read(harvest.Holdings, table="holdings"),
            "return_inputs": tax.ReturnInputs,
            "return_members": clients.ReturnMembers,
            "account_facts": clients.AccountFacts,
            "asset_facts": clients.AssetFacts,
            "time_zones": clients.TimeZones,
            "review_items": review.ReviewItems,
            **_firm("profiles"),
        },
        stages.harvest_rows,
        group="harvest",
    ),
    table_asset("runs", review.Runs, {}, stages.runs, after=("harvest_summary",), group="mart"),
]

TABLES: list[dg.AssetsDefinition] = [*_INTAKE, *_LEDGER, *_TAX, *_REVIEW, *_HARVEST]
"""Every table asset of the night."""

GUARDS: Mapping[str, str] = {
    "lots_conserved": "SELECT count(*) FROM book_balance WHERE NOT holds",
    "gains_complete": "SELECT abs((SELECT count(*) FROM gains) - (SELECT count(*) FROM mart.gains))",
    "form_ties_to_pieces": """
        SELECT count(*) FROM gains AS g LEFT JOIN form_8949 AS f USING (disposal_id, lot_id)
        WHERE g.on_return AND (f.gain IS NULL OR abs(f.gain - g.gain) > 0.01)
    """,
    "schedule_d_ties_to_form": """
        SELECT count(*) FROM schedule_d AS s JOIN (
            SELECT return_id, tax_year, sum(gain) FILTER (part = 'I') AS short, sum(gain) FILTER (part = 'II') AS long
            FROM form_8949 GROUP BY ALL
        ) AS f USING (return_id, tax_year)
        JOIN return_inputs AS r USING (return_id, tax_year)
        LEFT JOIN firm_profiles AS p USING (return_id, tax_year)
        WHERE abs(r.short_term / 100 - coalesce(f.short, 0) - coalesce(p.other_short_term, 0)) > 0.001
    """,
    "carryovers_conserved": """
        SELECT count(*) FROM carryforwards
        WHERE short_term_in + long_term_in - short_term_net - long_term_net
            - deduction_used - short_term_out - long_term_out > 0.005
          AND short_term_net + long_term_net - short_term_in - long_term_in < 0
          AND taxpayer_id = return_id
    """,
}
"""Checks that guard the publication: a query each that counts faults (see `pipelines.publish.mart_assets`)."""
