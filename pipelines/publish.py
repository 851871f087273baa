"""The mart: which tables staff read, the checks that guard them, the swap of the file. No table is computed here."""

# no `from __future__ import annotations`: Dagster compares the annotations of its functions as objects

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import dagster as dg

from pipelines.errors import NightError
from pipelines.factory import guarded
from pipelines.resources import FirmFolder, WarehouseResource, record_published
from pipelines.warehouse import Model
from schemas import harvest, intake, ledger, review, tax

PUBLISHED: Mapping[str, Model] = {
    "events": ledger.Events,
    "event_sources": ledger.EventSources,
    "transfers": ledger.Transfers,
    "lots": tax.Lots,
    "lot_moves": tax.LotMoves,
    "lot_conversions": tax.LotConversions,
    "basis_splits": tax.BasisSplits,
    "gains": tax.Gains,
    "wash_sales": tax.WashSales,
    "open_lots": tax.OpenLots,
    "income": tax.Income,
    "form_8949": tax.Form8949,
    "return_lines": tax.ReturnLines,
    "schedule_d": tax.ScheduleD,
    "carryforwards": tax.Carryforwards,
    "harvest_recommendations": harvest.HarvestRecommendations,
    "harvest_summary": harvest.HarvestSummary,
    "harvest_waiting": harvest.HarvestWaiting,
    "instructions": harvest.Instructions,
    "review_items": review.ReviewItems,
    "amendments": tax.Amendments,
    "loss_at_risk": tax.LossAtRisk,
    "digital_asset_question": tax.DigitalAssetQuestion,
    "reconciliation_1099da": tax.Reconciliation1099DA,
    "files": intake.Files,
    "runs": review.Runs,
}
"""The contract's tables; one that no stage computes yet is published typed and empty."""

CANDIDATE = "mart_candidate"
MART = "mart"


def mart_assets(computed: Iterable[str], guards: Mapping[str, str]) -> list[dg.AssetsDefinition]:
    """The last two steps of a night: build the mart aside and check it, then swap it in.

    Args:
        computed: the table assets; the mart waits for those that are published.
        guards: check name to a query that counts faults; 0 passes, anything else stops the publication and the old
            mart stays. A guard tests what no single client's data can break. In it `x` is a table of the warehouse,
            `mart.x` of the file to be published.
    """

    @dg.asset(
        name=CANDIDATE,
        deps=sorted(set(computed) & set(PUBLISHED)),
        check_specs=[dg.AssetCheckSpec(name, asset=CANDIDATE, blocking=True) for name in guards],
        group_name=MART,
        kinds={"duckdb"},
        description="The new mart beside the published one, with the checks that guard the publication.",
    )
    def candidate(firm: FirmFolder, warehouse: WarehouseResource) -> Iterator[dg.MaterializeResult[None]]:
        aside = _aside(warehouse.books(firm).mart)
        faults = guarded(CANDIDATE, lambda: _build(firm, warehouse, aside, guards))
        yield dg.MaterializeResult(
            metadata={"tables": len(PUBLISHED)},
            check_results=[
                dg.AssetCheckResult(passed=count == 0, check_name=name, metadata={"faults": count})
                for name, count in faults.items()
            ],
        )

    @dg.asset(
        name=MART,
        deps=[CANDIDATE],
        group_name=MART,
        kinds={"duckdb"},
        description="The file that staff query: the checked candidate in the place of the last one.",
    )
    def mart(firm: FirmFolder, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
        books = warehouse.books(firm)
        path = books.mart
        if not books.scratch:
            guarded(MART, lambda: record_published(firm, books.as_of))
        guarded(MART, lambda: swap_in(_aside(path), path, firm.settings.get("group", "")))
        return dg.MaterializeResult(metadata={"bytes": path.stat().st_size})

    return [candidate, mart]


def swap_in(candidate: Path, mart: Path, group: str = "") -> None:
    """Put a finished DuckDB file in the place of `mart`, at once for everyone who opens it from now on.

    Who has the old file open keeps reading it. The file is read-only for its owner (and `group`), on disk before it
    gets its name.

    Raises:
        NightError: there is no such group.
    """
    for folder in {mart.parent, candidate.parent}:
        folder.chmod(0o750)
    if group:
        try:
            shutil.chown(candidate, group=group)
            shutil.chown(mart.parent, group=group)
        except (LookupError, PermissionError):
            raise NightError(f"firm.toml: group {group!r} is not one that the night may give files to") from None
    candidate.chmod(0o440 if group else 0o400)
    _sync(candidate)
    # a .wal that a session left by opening the mart for writing would make the new file unreadable
    leftover = mart.with_name(mart.name + ".wal")
    leftover.unlink(missing_ok=True)
    candidate.replace(mart)
    leftover.unlink(missing_ok=True)
    _sync(mart.parent)


def _build(firm: FirmFolder, warehouse: WarehouseResource, aside: Path, guards: Mapping[str, str]) -> dict[str, int]:
    store = warehouse.of(firm)
    aside.parent.mkdir(parents=True, exist_ok=True)
    firm.published.chmod(0o750)
    return store.publish(PUBLISHED, aside, guards)


def _aside(mart: Path) -> Path:
    return mart.with_name(f".{mart.stem}.tmp.duckdb")


def _sync(path: Path) -> None:
    """Force a file or folder to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems cannot sync a folder
            os.fsync(handle)
    finally:
        os.close(handle)
