"""The code location: assets, the job, what starts it, resources. Nothing is defined here, only put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from pipelines.assets import GUARDS, TABLES
from pipelines.automation import alert, firm_zone, new_files, nightly_schedule
from pipelines.handout import handout
from pipelines.plan import JOB
from pipelines.publish import mart_assets
from pipelines.resources import FirmFolder, WarehouseResource


def build_defs(
    *,
    tables: Sequence[dg.AssetsDefinition] = TABLES,
    guards: Mapping[str, str] = GUARDS,
    resource_overrides: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """The project's definitions; tests give their own tables, guards or resources."""
    computed = {key.to_user_string() for table in tables for key in table.keys}
    resources = {"firm": FirmFolder(), "warehouse": WarehouseResource()} | dict(resource_overrides or {})
    night = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        executor_def=dg.in_process_executor,
        hooks={alert},
        description="Everything: files in, books, returns and advice, the published mart.",
    )
    after = [handout] if "harvest_recommendations" in computed else []
    return dg.Definitions(
        assets=[*tables, *mart_assets(computed, guards), *after],
        jobs=[night],
        schedules=[nightly_schedule(firm_zone(resources["firm"]))],
        sensors=[new_files],
        resources=resources,
    )


defs = build_defs()
