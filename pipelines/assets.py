"""The list of table assets: what each reads, which stage computes it, which schema it promises. No computation."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from pipelines import folder, stages
from pipelines.factory import Read, table_asset, table_assets
from pipelines.folder import FIRM
from pipelines.households import Members
from pipelines.quarantine import Quarantine
from schemas import clients, filed, harvest, inputs, intake, ledger, review, tax
from schemas.base import Table

_FIRM = {FIRM.format(name): given.model for name, given in inputs.INPUTS.items()}
_QUESTIONS = {
    "folder_questions": "firm_folder",
    "price_questions": "prices",
    "file_questions": "files",
    "event_questions": "events",
    "transfer_questions": "transfers",
    "movement_questions": "movements",
    "book_questions": "lots",
    "wash_questions": "gains",
    "bill_questions": "loss_at_risk",
    "instruction_questions": "instructions",
    "return_questions": "schedule_d",
    "form_questions": "form_8949",
    "income_questions": "income",
    "filing_questions": "filings",
    "amendment_questions": "amendments",
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


_FILED: dict[str, type[Table]] = {
    "filed_returns": filed.FiledReturns,
    "filed_people": filed.FiledPeople,
    "filed_form_lines": filed.FiledFormLines,
    "filed_closing_lots": filed.FiledClosingLots,
    "filed_inputs": filed.FiledInputs,
}
_MADE_OF = (
    "profiles", "carry_ins", "filed_methods", "lot_orders", "basis_pools", "allocations_2025", "opening_lots",
    "acquisitions", "overrides", "residency", "positions", "forms_1099da",
)  # fmt: skip
"""Tables of the folder whose rows a filed return was made of: one that changes since is told as a cause."""


def _filed(*names: str) -> dict[str, Read]:
    """Tables of what stands as filed."""
    return {name: Read(_FILED[name], asset="filings") for name in names}


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
_FILINGS = [
    table_assets(
        "filings",
        {**_FILED, "filing_questions": review.ReviewItems},
        {**_of("return_members"), **_firm("filed_years", "filed_lines", "filed_lots", "assets")},
        stages.filings,
        shown=(),
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
            **_of("account_facts", "time_zones", "stands"),
            **_firm("assets", "overrides"),
        },
        stages.events,
        shown=("events", "event_sources"),
        group="ledger",
    ),
    table_assets(
        "moves",
        {"transfers": ledger.Transfers, "transfer_questions": review.ReviewItems},
        {
            **_events(),
            **_of("account_facts", "return_members", "asset_facts"),
            **_firm("acquisitions", "overrides"),
        },
        stages.moves,
        shown=("transfers",),
        group="ledger",
    ),
    table_assets(
        "movement_rows",
        {
            "movements": ledger.Movements,
            "picks": ledger.Picks,
            "instruction_matches": ledger.InstructionMatches,
            "movement_questions": review.ReviewItems,
        },
        {
            **_events(),
            "transfers_": Read(ledger.Transfers, table="transfers"),
            **_of("account_facts", "time_zones", "stands", "asset_facts"),
            **_firm("acquisitions", "opening_lots", "lot_orders", "filed_methods", "basis_pools", "assets"),
            **_firm("lot_picks", "instructions"),
        },
        stages.movement_rows,
        shown=("movements",),
        group="ledger",
    ),
]
_BOOKS = {
    "pieces": Read(tax.Pieces, asset="lots"),
    "lots_": Read(tax.Lots, table="lots"),
    "lot_conversions": Read(tax.LotConversions, asset="lots"),
    **_of("account_facts", "return_members", "asset_facts", "stands"),
    **_firm("profiles"),
}
"""What wash sales are found in."""
_TAX = [
    table_assets(
        "lot_book",
        {
            "lots": tax.Lots,
            "lot_moves": tax.LotMoves,
            "lot_conversions": tax.LotConversions,
            "basis_splits": tax.BasisSplits,
            "pieces": tax.Pieces,
            "closing_lots": tax.ClosingLots,
            "book_inputs": tax.BookInputs,
            "book_balance": tax.BookBalance,
            "pending_lots": filed.PendingLots,
            "book_questions": review.ReviewItems,
        },
        {
            "movements_": Read(ledger.Movements, table="movements"),
            "picks": Read(ledger.Picks, asset="movements"),
            **_of("account_facts", "time_zones", "return_members", "asset_facts"),
            **_firm("basis_pools", "allocations_2025", "taxpayers", "profiles", "carry_ins", "forms_1099da", "assets"),
            **_filed("filed_people", "filed_closing_lots", "filed_form_lines"),
            "before": Read(tax.ClosingLots, "before", "closing_lots"),
            "earlier_lots": Read(tax.Lots, table="lots"),
            "inputs_before": Read(tax.BookInputs, table="book_inputs"),
        },
        stages.lot_book,
        by_year=True,
        shown=("lots", "lot_moves", "closing_lots"),
        group="tax",
    ),
    table_assets(
        "realized",
        {
            "gains": tax.Gains,
            "wash_sales": tax.WashSales,
            "washed_lots": tax.WashedLots,
            "wash_questions": review.ReviewItems,
        },
        {**_BOOKS, "before": Read(tax.WashSales, table="wash_sales"), "quarantine": Quarantine},
        stages.realized,
        by_year=True,
        shown=("gains", "wash_sales"),
        group="tax",
    ),
    table_assets(
        "at_risk",
        {"loss_at_risk": tax.LossAtRisk, "bill_questions": review.ReviewItems},
        _BOOKS,
        stages.at_risk,
        shown=("loss_at_risk",),
        group="tax",
    ),
    table_assets(
        "income",
        {"income": tax.Income, "income_questions": review.ReviewItems},
        {**_events(), **_of("account_facts", "return_members", "stands"), **_firm("profiles")},
        stages.income_rows,
        by_year=True,
        shown=("income",),
        group="tax",
    ),
    # of all years: a broker's clock may put the last sale of one into the next
    table_assets(
        "forms",
        {
            "form_8949": tax.Form8949,
            "reconciliation_1099da": tax.Reconciliation1099DA,
            "form_questions": review.ReviewItems,
        },
        {
            "gains": tax.Gains,
            "terms": Read(ledger.SaleTerms, table="events"),
            **_of("account_facts", "asset_facts"),
            **_firm("forms_1099da", "forms_1099b", "assets"),
        },
        stages.form_lines,
        shown=("form_8949", "reconciliation_1099da"),
        group="tax",
    ),
    table_assets(
        "returns",
        {
            "schedule_d": tax.ScheduleD,
            "carryforwards": tax.Carryforwards,
            "return_lines": tax.ReturnLines,
            "return_inputs": tax.ReturnInputs,
            "shadow_carryforwards": tax.Carryforwards,
            "filed_carryovers": filed.StandingCarryovers,
            "standing_lines": filed.StandingLines,
            "recomputed_lines": filed.RecomputedLines,
            "return_questions": review.ReviewItems,
        },
        {
            "form_8949": tax.Form8949,
            "income_": Read(tax.Income, table="income"),
            **_of("return_members"),
            **_firm("profiles", "carry_ins", "taxpayers", "residency"),
            **_filed("filed_returns", "filed_form_lines"),
            "earlier_carryovers": Read(filed.StandingCarryovers, table="filed_carryovers"),
            "before": Read(tax.Carryforwards, "before", "carryforwards"),
            "shadow_before": Read(tax.Carryforwards, "before", "shadow_carryforwards"),
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
            "clock": Read(ledger.EventYears, table="events"),
            **_of("return_members", "account_facts"),
            **_firm("taxpayers", "profiles"),
        },
        stages.digital_asset_answers,
        group="tax",
    ),
    table_assets(
        "instruction_rows",
        {"instructions": harvest.Instructions, "instruction_questions": review.ReviewItems},
        {
            "instruction_matches": Read(ledger.InstructionMatches, asset="movements"),
            "picks": Read(ledger.Picks, asset="movements"),
            "pieces": Read(tax.Pieces, asset="lots"),
            "lots_": Read(tax.Lots, table="lots"),
            **_of("account_facts"),
            **_firm("instructions", "assets"),
        },
        stages.instruction_rows,
        shown=("instructions",),
        group="tax",
    ),
    table_assets(
        "amendments",
        {"amendments": tax.Amendments, "amendment_questions": review.ReviewItems},
        {
            **_filed("filed_returns", "filed_people", "filed_closing_lots", "filed_inputs"),
            "standing_lines": Read(filed.StandingLines, asset="schedule_d"),
            "recomputed_lines": Read(filed.RecomputedLines, asset="schedule_d"),
            "pending_lots": Read(filed.PendingLots, asset="closing_lots"),
            "closing_lots": tax.ClosingLots,
            "files": intake.Files,
            "event_sources": ledger.EventSources,
            **_events(),
            **_of("return_members", "account_facts"),
            "members": Read(Members, asset=_FOLDER),
            "quarantine": Quarantine,
            **_firm(*_MADE_OF),
        },
        stages.amendment_rows,
        shown=("amendments",),
        group="tax",
    ),
    table_asset(
        "open_lots",
        tax.OpenLots,
        {"closing_lots": tax.ClosingLots, "washed_lots": Read(tax.WashedLots, asset="gains")},
        stages.open_lots,
        group="tax",
    ),
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
            **_firm("taxpayers", "assets", "profiles"),
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
            "event_values": Read(ledger.EventValues, table="events"),
            "holdings_": Read(harvest.Holdings, table="holdings"),
            "quarantine": Quarantine,
            **_of("account_facts"),
            **_firm("review_answers"),
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
            "harvest_waiting": harvest.HarvestWaiting,
        },
        {
            "holdings_": Read(harvest.Holdings, table="holdings"),
            "return_inputs": Read(tax.ReturnInputs, asset="schedule_d"),
            "review_items": review.ReviewItems,
            "open_lots_": Read(tax.OpenLots, table="open_lots"),
            **_of("return_members", "account_facts", "asset_facts", "time_zones"),
            **_firm("profiles", "residency"),
        },
        stages.harvest_rows,
        group="harvest",
    ),
    table_asset("runs", review.Runs, {}, stages.runs, after=("harvest_summary",), group="mart"),
]

TABLES: list[dg.AssetsDefinition] = [*_INTAKE, *_FILINGS, *_LEDGER, *_TAX, *_REVIEW, *_HARVEST]
"""Every table asset of the night."""

GUARDS: Mapping[str, str] = {
    "lots_conserved": "SELECT count(*) FROM book_balance WHERE NOT holds",
    "gains_complete": "SELECT abs((SELECT count(*) FROM gains) - (SELECT count(*) FROM mart.gains))",
    "form_ties_to_pieces": """
        WITH pieces AS (SELECT disposal_id, sum(gain + disallowed) AS gain FROM gains WHERE on_return GROUP BY ALL),
             -- half a cent each for proceeds, basis and what is disallowed; a line that comes to exactly nothing (no
             -- gain, no loss; disallowed whole) may cost a cent more
             lines AS (SELECT disposal_id, sum(gain) AS gain, 0.015 + 0.01 * count(*) FILTER (gain = 0) AS slack
                       FROM form_8949 GROUP BY ALL)
        SELECT count(*) FROM pieces FULL JOIN lines USING (disposal_id)
        WHERE lines.gain IS NULL OR pieces.gain IS NULL OR abs(lines.gain - pieces.gain) > slack
    """,
    "disallowed_losses_go_somewhere": """
        WITH taken AS (SELECT disposal_id, sum(disallowed) AS loss FROM gains WHERE disallowed_code = 'W' GROUP BY ALL),
             moved AS (
                 SELECT disposal_id, sum(basis_added + lost) AS loss FROM wash_sales GROUP BY ALL
                 HAVING sum(disallowed) != 0
             )
        SELECT count(*) FROM taken FULL JOIN moved USING (disposal_id) WHERE taken.loss IS DISTINCT FROM moved.loss
    """,
    "form_lines_add_up": "SELECT count(*) FROM form_8949 WHERE gain IS DISTINCT FROM proceeds - basis + adjustment",
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
        WITH rows AS (
            SELECT 'standing' AS fold, * FROM carryforwards WHERE source = 'computed'
            UNION ALL SELECT 'shadow', * FROM shadow_carryforwards
        ), years AS (
            SELECT fold, return_id, tax_year, sum(short_term_in + long_term_in) AS brought,
                sum(short_term_net + long_term_net) AS net, sum(deduction_used) AS used,
                sum(short_term_out + long_term_out) AS carried
            FROM rows GROUP BY ALL
        )
        SELECT count(*) FROM years WHERE carried != greatest(brought - net - used, 0)
    """,
}
"""Checks that guard the publication: a query each that counts faults (see `pipelines.publish.mart_assets`)."""
