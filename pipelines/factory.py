"""Table assets from one mould: read, call the transform, gate, replace, count. No transform belongs here."""

# no `from __future__ import annotations`: Dagster compares the annotations of its functions as objects

import resource
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

import dagster as dg
import polars as pl
from dagster._core.errors import DagsterExecutionInterruptedError

from pipelines.errors import NightError, without_cells
from pipelines.partitions import FIRST_YEAR, PARTITION, RANGE_END, RANGE_START, tax_years
from pipelines.quarantine import QUARANTINE, leave_out, stop
from pipelines.resources import FirmFolder, Night, WarehouseResource
from pipelines.warehouse import MEMBERS, Model, Warehouse, ddl
from schemas.gate import check

_NOT_OURS = (KeyboardInterrupt, SystemExit, GeneratorExit, DagsterExecutionInterruptedError)


class Read(NamedTuple):
    """How a transform's argument is read.

    `years`: `all` rows; those of the `run`'s years; those of the year `before` the run's first (the opening). `table`
    where the argument has another name; `asset` where the table is written by an asset of another name. Reading what
    the asset itself writes gives the rows of the last night.
    """

    model: Model
    years: Literal["all", "run", "before"] = "all"
    table: str = ""
    asset: str = ""


class Part(NamedTuple):
    """A transform's answer for a table of which it recomputed only the rows whose keys stand in `only`."""

    rows: pl.DataFrame
    only: pl.DataFrame


Answer: TypeAlias = pl.DataFrame | Part
Transform: TypeAlias = Callable[..., Answer | Mapping[str, Answer]]
Inputs: TypeAlias = Mapping[str, Model | Read]


def table_asset(name: str, model: Model, inputs: Inputs, transform: Transform, **options: Any) -> dg.AssetsDefinition:
    """One table as an asset: `table_assets` with one model, whose transform may answer with the frame itself."""
    return table_assets(name, {name: model}, inputs, transform, **options)


def table_assets(
    name: str,
    models: Mapping[str, Model],
    inputs: Inputs,
    transform: Transform,
    *,
    by_year: bool = False,
    keeps_stopped: bool = False,
    append: bool = False,
    after: Iterable[str] = (),
    group: str = "tables",
    shown: Iterable[str] | None = None,
) -> dg.AssetsDefinition:
    """Tables that one transform computes together, as one step named `name`.

    The transform is called as `transform(night, argument=frame, ...)` with a `Night` and a frame for each of `inputs`;
    it answers with a mapping of table to frame (or `Part`), for a single table with the frame alone. A frame holds
    all rows of the table, with `by_year` those of the night's years.

    A row that breaks its schema puts its client into quarantine, whose rows stay out of this table and of every later
    one; the key `quarantine` in the answer (taxpayer_id, why) stops clients for what no schema sees.

    Args:
        name: the step; the assets are named like their tables.
        models: table to model.
        inputs: argument to model, or to `Read`.
        transform: the pure function.
        by_year: whether the tables are partitioned by tax year.
        keeps_stopped: write the rows of stopped clients too (the review of what stopped them).
        append: add to the tables instead of replacing them.
        after: assets to wait for beside those that are read.
        group: the asset group in the graph.
        shown: the tables that are assets (default: all); the others are written with them and read with
            `Read(asset=...)`. None of them: the step is one asset of its own name. Each asset costs events in every
            partition, so what only other steps read is not shown.
    """
    assets = list(models if shown is None else shown) or [name]
    reads = {arg: given if isinstance(given, Read) else Read(given) for arg, given in inputs.items()}
    upstream = {read.asset or read.table or arg for arg, read in reads.items()} | set(after)
    deps = [dg.AssetKey(table) for table in sorted(upstream - {*models, *assets, QUARANTINE})]
    partition: dict[str, Any] = (
        {"partitions_def": tax_years, "backfill_policy": dg.BackfillPolicy.single_run()} if by_year else {}
    )

    @dg.multi_asset(
        name=name if name not in assets else f"compute_{name}",
        specs=[
            dg.AssetSpec(
                asset,
                deps=deps,
                description=models[asset].__doc__ if asset in models else f"The tables {', '.join(models)}.",
                group_name=group,
                kinds={"duckdb", "polars"},
            )
            for asset in assets
        ],
        check_specs=[dg.AssetCheckSpec("schema", asset=asset) for asset in assets],
        **partition,
    )
    def compute(
        context: dg.AssetExecutionContext, firm: FirmFolder, warehouse: WarehouseResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        started = time.monotonic()

        def work() -> dict[str, int]:
            store = warehouse.of(firm)
            night = _night(context, firm, warehouse.books(firm).scratch)
            frames = {arg: _read(store, arg, read, night.years) for arg, read in reads.items()}
            answer = transform(night, **frames)
            tables = dict(answer) if isinstance(answer, Mapping) else {name: answer}
            return _write(store, models, tables, night.years if by_year else None, keeps_stopped, append)

        rejected = _told(name, work)
        seconds = round(time.monotonic() - started, 3)
        for asset in assets:
            tables = {asset: models[asset]} if asset in models else models
            yield _result(warehouse.of(firm), asset, tables, rejected, seconds)

    return compute


def guarded(asset: str, work: Callable[[], Any]) -> Any:
    """Call `work`; whatever it raises is told without cells (see `pipelines.errors.without_cells`)."""
    return _told(asset, work)


def _told(asset: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except _NOT_OURS:
        raise
    except BaseException as error:  # noqa: BLE001 - a panic of polars is no Exception
        told = without_cells(error, asset)
    raise told  # outside the handler: no context that a logger could print


def _night(context: dg.AssetExecutionContext, firm: FirmFolder, scratch: bool) -> Night:
    as_of = firm.date_at(datetime.now(firm.zone))
    tags = context.run.tags
    first = tags.get(RANGE_START) or tags.get(PARTITION) or FIRST_YEAR
    last = tags.get(RANGE_END) or tags.get(PARTITION) or as_of.year
    years = range(int(first), min(int(last), as_of.year) + 1)
    if not years:
        raise NightError(f"the run's years {first} to {last} begin after its date {as_of}")
    return Night(firm.path, as_of, tuple(years), context.run.run_id, scratch)


def _read(store: Warehouse, argument: str, read: Read, years: tuple[int, ...]) -> pl.DataFrame:
    wanted = {"all": None, "run": years, "before": (min(years) - 1,)}[read.years]
    return store.read(read.table or argument, read.model, wanted)


def _write(
    store: Warehouse,
    models: Mapping[str, Model],
    answer: dict[str, Answer],
    years: tuple[int, ...] | None,
    keeps_stopped: bool,
    append: bool,
) -> dict[str, int]:
    """Gate all tables, then write them; returns how many rows each lost at the gate."""
    named = answer.pop(QUARANTINE, None)
    if set(answer) != set(models):
        raise NightError(f"the transform answers {sorted(answer)}, the asset promises {sorted(models)}")
    parts = {
        table: given if isinstance(given, Part) else Part(given, pl.DataFrame()) for table, given in answer.items()
    }
    checked = {table: check(part.rows, models[table]) for table, part in parts.items()}
    with store.together():  # a night that dies here has written none of them
        if MEMBERS in checked:  # who belongs together has to be known before anyone is stopped
            store.replace(MEMBERS, checked[MEMBERS].valid, models[MEMBERS])
        if isinstance(named, pl.DataFrame):
            stop(store, next(iter(models)), named)
        rejected = {table: stop(store, table, rows.rejected) for table, rows in checked.items()}
        for table, model in models.items():
            if table == MEMBERS:
                continue
            rows = checked[table].valid if keeps_stopped else leave_out(store, checked[table].valid)
            if append:
                store.append(table, rows, model)
            else:
                only = parts[table].only if isinstance(answer[table], Part) else None
                store.replace(table, rows, model, years, only)
    return rejected


def _result(
    store: Warehouse, asset: str, tables: Mapping[str, Model], rejected: Mapping[str, int], seconds: float
) -> dg.MaterializeResult[None]:
    """Counts, seconds and memory for the log, and whether the tables lie there as their models say."""
    rows = sum(store.count(table) for table in tables)
    lost = sum(rejected[table] for table in tables)
    different = sorted(
        f"{table}.{column}"
        for table, model in tables.items()
        for column, kind in ddl(model).items()
        if store.columns(table).get(column) != kind
    )
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return dg.MaterializeResult(
        asset_key=asset,
        metadata={"dagster/row_count": rows, "seconds": seconds, "rows_rejected": lost, "peak_mib": peak_mib},
        check_results=[
            dg.AssetCheckResult(
                passed=not different and lost == 0,
                severity=dg.AssetCheckSeverity.WARN,
                asset_key=asset,
                check_name="schema",
                metadata={"rows": rows, "rows_rejected": lost, "columns_that_differ": ", ".join(different)},
            )
        ],
    )
