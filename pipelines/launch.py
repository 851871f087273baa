"""`make nightly` and `make backfill`: run the job `night` in this process and say what came of it. No asset belongs here."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import dagster as dg

from pipelines.definitions import defs
from pipelines.errors import NightError
from pipelines.plan import JOB, plan
from pipelines.resources import Books, FirmFolder
from pipelines.warehouse import connect

_DAGSTER_YAML = """\
# Written by the night. No step's output is captured: nothing a library prints is kept.
telemetry:
  enabled: false
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""
_COUNTED = {
    **{table: table for table in ("files", "events", "lots", "gains")},
    "harvest_recommendations": "harvest_recommendations WHERE scenario = 'best'",
}


def run_night(
    folder: Path,
    as_of: date | None = None,
    from_year: int | None = None,
    definitions: dg.Definitions = defs,
) -> Path:
    """Run the whole night of a firm's folder; returns the published DuckDB file.

    Args:
        folder: the firm's folder.
        as_of: the date; absent: the one that firm.toml pins, else today in the firm's time zone.
        from_year: compute tax years from this one on (see `pipelines.plan.plan`).
        definitions: what to run.

    Raises:
        NightError: a sentence on what is wrong; the mart published before stays as it was.
    """
    os.umask(0o077)
    firm = FirmFolder(folder=str(folder), as_of=as_of.isoformat() if as_of else "")
    now = datetime.now(firm.zone)
    night = plan(firm, now, from_year)
    mart = Books(firm, night.as_of, now).mart
    with dg.DagsterInstance.from_config(str(dagster_home(firm))) as instance:
        result = definitions.resolve_job_def(JOB).execute_in_process(
            run_config=night.config, tags=night.tags, instance=instance, raise_on_error=False
        )
    if not result.success:
        raise NightError(_why(result))
    return mart


def dagster_home(firm: FirmFolder) -> Path:
    """The firm's Dagster home, with its settings written."""
    home = firm.state / "dagster"
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "dagster.yaml").write_text(_DAGSTER_YAML, encoding="utf-8")
    return home


def summary(mart: Path, spill: Path) -> str:
    """A few lines on a published night: counts, questions by severity, where the file lies."""
    with connect(spill) as con:
        con.execute(f"ATTACH '{str(mart).replace(chr(39), chr(39) * 2)}' AS mart (READ_ONLY)")
        counts = {
            table: con.execute(f"SELECT count(*) FROM mart.{rows}").fetchall()[0][0]  # noqa: S608 - names above
            for table, rows in _COUNTED.items()
        }
        asked = con.execute(
            "SELECT severity, count(*) FROM mart.review_items WHERE state = 'open' GROUP BY ALL"
        ).fetchall()
    questions = dict(asked)
    order = [f"{questions.get(severity, 0)} {severity}" for severity in ("blocking", "warning", "info")]
    return "\n".join(
        (
            "  " + ", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in counts.items()),
            "  open questions: " + ", ".join(order),
            f"  published: {mart}",
        )
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.launch", description="Run a firm's night.")
    parser.add_argument("what", choices=("night", "backfill", "home"), help="home: prepare and print the Dagster home")
    parser.add_argument("--firm", default="", help="the firm's folder (default: LOTBOOK_FIRM, else sample_firm)")
    parser.add_argument("--as-of", default="", help="YYYY-MM-DD (default: firm.toml's, else today)")
    parser.add_argument("--from", dest="first", default="", help="backfill: the first tax year to compute again")
    given = parser.parse_args(argv)
    started = time.monotonic()
    try:
        firm = FirmFolder(folder=given.firm, as_of=given.as_of)
        if given.what == "home":
            _say(str(dagster_home(firm)))
            return 0
        first = _year(given.first) if given.what == "backfill" else None
        as_of = firm.date_at(datetime.now(firm.zone))
        _say(f"{firm.settings.get('name', firm.path.name)}: the night as of {as_of} ...")
        mart = run_night(firm.path, as_of, first)
        _say(summary(mart, firm.state / "spill"))
        _say(f"  {time.monotonic() - started:.1f} s")
    except NightError as error:
        sys.stderr.write(f"The night failed. {error}\n")
        return 1
    return 0


def _year(text: str) -> int:
    if not text.isdecimal():
        raise NightError(f"a backfill needs its first tax year, as in FROM=2019 (found {text!r})")
    return int(text)


def _why(result: dg.ExecuteInProcessResult) -> str:
    """The sentences of the steps that failed (they hold no cells); a step that only waited on them is not told."""
    said = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = (error.cause or error) if error else None
            said.append(f"{cause.message.partition(': ')[2].strip()}" if cause else f"{event.step_key} failed")
    return "\n".join(said) or "the run could not start; see the run's log in the UI (make ui)"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
