"""The last step of a night: once the mart is published, what goes out as files, and the record of what was advised."""

# no `from __future__ import annotations`: Dagster compares the annotations of its functions as objects

import dagster as dg

from pipelines import advice_files
from pipelines.factory import guarded
from pipelines.publish import MART
from pipelines.resources import FirmFolder, WarehouseResource
from pipelines.warehouse import Warehouse
from schemas import advice_loop, clients, harvest, review
from transforms import reports
from transforms.call_list import in_season

HANDOUT = "handout"


@dg.asset(
    name=HANDOUT,
    deps=[MART],
    group_name=MART,
    description="Instructions to paste, autumn reports, and the record of tonight's advice. A scratch night writes none.",
)
def handout(firm: FirmFolder, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """After the swap: what was never published is no advice that was given."""
    if warehouse.books(firm).scratch:
        return dg.MaterializeResult(metadata={"files": 0})
    written = guarded(HANDOUT, lambda: _hand_out(firm, warehouse))
    return dg.MaterializeResult(metadata={"files": written})


def _hand_out(firm: FirmFolder, warehouse: WarehouseResource) -> int:
    store, books = warehouse.of(firm), warehouse.books(firm)
    group = firm.settings.get("group", "")
    record = store.read("advice_record", advice_loop.AdviceHistory)
    advice_files.write_history(firm.path, record, books.as_of)
    to_record = store.read("instructions_to_record", advice_loop.InstructionsToRecord)
    advice_files.write_to_record(firm.published, to_record, group)
    if not in_season(books.as_of):
        return 2
    pages = _pages(firm, store, warehouse)
    advice_files.write_reports(firm.published, pages, group)
    return 2 + len(pages)


def _pages(firm: FirmFolder, store: Warehouse, warehouse: WarehouseResource) -> dict[str, str]:
    return reports.pages(
        store.read("call_list", advice_loop.CallList),
        store.read("harvest_summary", harvest.HarvestSummary),
        store.read("harvest_recommendations", harvest.HarvestRecommendations),
        store.read("price_moves", advice_loop.PriceMoves),
        store.read("review_items", review.ReviewItems),
        store.read("return_members", clients.ReturnMembers),
        str(firm.settings.get("name", firm.path.name)),
        warehouse.books(firm).as_of,
    )
