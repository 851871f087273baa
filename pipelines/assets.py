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
from transforms import questions

_FIRM = {FIRM.format(name): given.model for name, given in inputs.INPUTS.items()}
_QUESTIONS = {
    "folder_questions": "firm_folder",
    "price_questions": "prices",
    "file_questions": "files",
    "event_questions": "events",
    "transfer_questions": "transfers",
    "movement_questions": "movements",
    "book_questions": "gains",
    "return_questions": "schedule_d",
}
"""Tables of what the stages leave open, and the asset they are written with."""
_FOLDER = "firm_folder"
_CLIENTS = {
    "return_members": clients.ReturnMembers,
    "account_facts": clients.AccountFacts,
    "time_zones": clients.TimeZones,
    "stands": clients.Stands,
    "asset_facts": clients.AssetFacts,
}


def _firm(*names: str) -> dict[str, Read]:
    """Tables of the firm's folder by the names of their files."""
    return {FIRM.format(name): Read(_FIRM[FIRM.format(name)], asset=_FOLDER) for name in names}


def _of(*names: str) -> dict[str, Read]:
    """Tables that follow from the firm's folder."""
    return {name: Read(_CLIENTS[name], asset=_FOLDER) for name in names}


def _events() -> dict[str, Read]:
    return {"events_": Read(ledger.Events, table="events")}


_INTAKE = [
    table_assets(
        _FOLDER,
        {**_FIRM, **_CLIENTS, "members": Members, "folder_questions": review.ReviewItems},
        {},
        folder.firm_tables,
        keeps_stopped=True,
        shown=(),
        group="intake",
    ),
    table_assets(
        "price_files",
        {"prices": ledger.Prices, "price_questions": review.ReviewItems},
        {},
        folder.price_table,
        after=(_FOLDER,),
        shown=("prices",),
        group="intake",
    ),
    table_assets(
        "client_files",
        {"files": intake.Files, "raw_rows": intake.RawRows, "legs": intake.Legs, "file_questions": review.ReviewItems},
        {"files": Read(intake.Files), **_of("account_facts")},
        folder.take_in,
        shown=("files", "raw_rows", "legs"),
        group="intake",
    ),
]
_LEDGER = [
    table_assets(
        "ledger",
        {"events": ledger.Events, "event_sources": ledger.EventSources, "event_questions": review.ReviewItems},
        {
            "legs": intake.Legs,
            "prices_": Read(ledger.Prices, table="prices"),
            **_of("account_facts", "time_zones"),
            **_firm("assets", "overrides"),
        },
        stages.events,
        shown=("events", "event_sources"),
        group="ledger",
    ),
    table_assets(
        "moves",
        {"transfers": ledger.Transfers, "transfer_questions": review.ReviewItems},
        {**_events(), **_of("account_facts"), **_firm("overrides")},
        stages.moves,
        shown=("transfers",),
        group="ledger",
    ),
    table_assets(
        "movement_rows",
        {"movements": ledger.Movements, "movement_questions": review.ReviewItems},
        {
            **_events(),
            "transfers_": Read(ledger.Transfers, table="transfers"),
            **_of("account_facts", "time_zones", "stands"),
            **_firm("acquisitions", "opening_lots", "lot_orders", "filed_methods", "basis_pools", "assets"),
        },
        stages.movement_rows,
        shown=("movements",),
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
            **_of("account_facts", "time_zones", "return_members", "asset_facts"),
            **_firm("basis_pools", "allocations_2025", "taxpayers", "profiles", "carry_ins", "forms_1099da", "assets"),
            "before": Read(tax.ClosingLots, "before", "closing_lots"),
            "earlier_lots": Read(tax.Lots, table="lots"),
            "inputs_before": Read(tax.BookInputs, table="book_inputs"),
        },
        stages.lot_book,
        by_year=True,
        shown=("lots", "lot_moves", "gains", "closing_lots"),
        group="tax",
    ),
    table_asset(
        "income",
        tax.Income,
        {**_events(), **_of("account_facts", "return_members", "stands")},
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
            **_of("return_members"),
            **_firm("profiles", "carry_ins", "taxpayers", "residency"),
            "before": Read(tax.Carryforwards, "before", "carryforwards"),
        },
        stages.return_rows,
        by_year=True,
        shown=("schedule_d", "carryforwards", "return_lines"),
        group="tax",
    ),
    table_asset(
        "digital_asset_question",
        tax.DigitalAssetQuestion,
        {
            "gains": tax.Gains,
            "income_": Read(tax.Income, table="income"),
            **_of("return_members", "account_facts"),
            **_firm("taxpayers"),
        },
        stages.digital_asset_answers,
        group="tax",
    ),
    table_asset("open_lots", tax.OpenLots, {"closing_lots": tax.ClosingLots}, stages.open_lots, group="tax"),
]
_REVIEW = [
    table_asset(
        "holdings",
        harvest.Holdings,
        {
            "open_lots_": Read(tax.OpenLots, table="open_lots"),
            "prices_": Read(ledger.Prices, table="prices"),
            "event_questions": Read(review.ReviewItems, asset="events"),
            **_of("return_members", "account_facts", "asset_facts"),
            **_firm("taxpayers", "assets"),
        },
        stages.holding_rows,
        group="harvest",
    ),
    table_asset(
        "review_items",
        review.ReviewItems,
        {
            "files": intake.Files,
            "raw_rows": Read(intake.RowFaults, table="raw_rows"),
            "legs": intake.Legs,
            "gains": tax.Gains,
            "holdings_": Read(harvest.Holdings, table="holdings"),
            "quarantine": Quarantine,
            **_of("account_facts"),
            **_firm("review_answers", *questions.UNUSED),
            **{table: Read(review.ReviewItems, asset=asset) for table, asset in _QUESTIONS.items()},
        },
        stages.review,
        keeps_stopped=True,
        group="review",
    ),
]
_HARVEST = [
    table_assets(
        "harvest",
        {
            "harvest_recommendations": harvest.HarvestRecommendations,
            "harvest_summary": harvest.HarvestSummary,
        },
        {
            "holdings_": Read(harvest.Holdings, table="holdings"),
            "return_inputs": Read(tax.ReturnInputs, asset="schedule_d"),
            "review_items": review.ReviewItems,
            **_of("return_members", "account_facts", "asset_facts", "time_zones"),
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
        WITH pieces AS (SELECT disposal_id, sum(gain + disallowed) AS gain FROM gains WHERE on_return GROUP BY ALL),
             lines AS (SELECT disposal_id, sum(gain) AS gain FROM form_8949 GROUP BY ALL)
        SELECT count(*) FROM pieces FULL JOIN lines USING (disposal_id)
        WHERE lines.gain IS NULL OR pieces.gain IS NULL OR abs(lines.gain - pieces.gain) > 0.01
    """,
    "schedule_d_ties_to_form": """
        WITH lines AS (
            SELECT return_id, tax_year, coalesce(sum(gain) FILTER (part = 'I'), 0) AS short,
                coalesce(sum(gain) FILTER (part = 'II'), 0) AS long
            FROM form_8949 GROUP BY ALL
        )
        SELECT count(*) FROM return_inputs AS r LEFT JOIN lines AS f USING (return_id, tax_year)
        LEFT JOIN firm_profiles AS p USING (return_id, tax_year)
        WHERE r.short_term != 100 * (coalesce(f.short, 0) + coalesce(p.other_short_term, 0))
           OR r.long_term != 100 * (coalesce(f.long, 0) + coalesce(p.other_long_term, 0)
                                    + coalesce(p.other_28_rate, 0) + coalesce(p.unrecaptured_1250, 0))
    """,
    "carryovers_conserved": """
        WITH years AS (
            SELECT return_id, tax_year, sum(short_term_in + long_term_in) AS brought,
                sum(short_term_net + long_term_net) AS net, sum(deduction_used) AS used,
                sum(short_term_out + long_term_out) AS carried
            FROM carryforwards GROUP BY ALL
        )
        SELECT count(*) FROM years WHERE carried != greatest(brought - net - used, 0)
    """,
}
"""Checks that guard the publication: a query each that counts faults (see `pipelines.publish.mart_assets`)."""
