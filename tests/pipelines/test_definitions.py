"""The whole asset graph as one readable snapshot, and what every asset of it has to be."""

from __future__ import annotations

import dagster as dg

from pipelines.definitions import build_defs, defs
from pipelines.partitions import tax_years
from pipelines.resources import FirmFolder
from tests.pipelines.small_house import TABLES, house, make_firm


def graph(definitions: dg.Definitions) -> dict[str, dict]:
    """Each asset: what it waits for, whether by year, its checks (! blocks)."""
    nodes = definitions.resolve_asset_graph()
    return {
        key.to_user_string(): {
            "after": sorted(parent.to_user_string() for parent in nodes.get(key).parent_keys),
            "by_year": nodes.get(key).partitions_def is not None,
            "checks": sorted(
                f"{check.name}{'!' if nodes.get(check).blocking else ''}" for check in nodes.get(key).check_keys
            ),
            "group": nodes.get(key).group_name,
        }
        for key in sorted(nodes.get_all_asset_keys())
    }


def test_the_asset_graph(snapshot):
    assert graph(defs) == snapshot


def test_the_small_house_has_the_shape_it_was_given():
    small = graph(house())
    assert small["balances"] == {"after": ["deeds"], "by_year": True, "checks": ["schema"], "group": "tables"}
    assert small["mart_candidate"]["after"] == ["loss_at_risk", "runs"]
    assert small["mart_candidate"]["checks"] == ["losses_published!"]
    assert small["mart"]["after"] == ["mart_candidate"]


def test_there_is_one_job_and_it_runs_everything():
    for definitions in (defs, house()):
        job = definitions.resolve_job_def("night")
        assert job.asset_layer.executable_asset_keys == definitions.resolve_asset_graph().get_all_asset_keys()
        assert job.executor_def is dg.in_process_executor
        assert {hook.name for hook in job.hook_defs} == {"alert"}


def test_every_asset_by_year_takes_its_range_in_one_run():
    for asset in defs.assets or []:
        if isinstance(asset, dg.AssetsDefinition) and asset.partitions_def is not None:
            assert asset.partitions_def == tax_years
            assert asset.backfill_policy == dg.BackfillPolicy.single_run()


def test_resources_can_be_put_in_another_place(tmp_path):
    firm = FirmFolder(folder=str(make_firm(tmp_path, "", 'time_zone = "America/Denver"\n')))
    definitions = build_defs(tables=TABLES, guards={}, resource_overrides={"firm": firm})
    assert definitions.resolve_schedule_def("nightly").execution_timezone == "America/Denver"
