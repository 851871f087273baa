"""What starts a night by itself, the schedule and the sensor, and who hears of its failure. No asset belongs here."""

# no `from __future__ import annotations`: Dagster compares the annotations of its functions as objects

import hashlib
import smtplib
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from pipelines.errors import NightError, StageError
from pipelines.plan import JOB, plan
from pipelines.resources import DEFAULT_ZONE, FirmFolder
from pipelines.warehouse import is_held


def nightly_schedule(zone: str) -> dg.ScheduleDefinition:
    """The night at 02:00 in the firm's time zone."""

    @dg.schedule(job_name=JOB, cron_schedule="0 2 * * *", execution_timezone=zone, name="nightly")
    def nightly(context: dg.ScheduleEvaluationContext, firm: FirmFolder) -> dg.RunRequest:
        """Launch the night of the day on which the clock strikes two."""
        run = plan(firm, context.scheduled_execution_time)
        return dg.RunRequest(tags=run.tags, run_config=run.config)

    return nightly


@dg.sensor(job_name=JOB, minimum_interval_seconds=60, name="new_files")
def new_files(context: dg.SensorEvaluationContext, firm: FirmFolder) -> dg.RunRequest | dg.SkipReason:
    """Launch a night when a file of the firm's folder came, went or changed; never while one runs.

    A folder that still changes is left alone until two looks agree, so that a half-copied file is not taken in.
    """
    if is_held(firm.state / "warehouse.duckdb"):
        return dg.SkipReason("a night is running")
    done, _, seen = (context.cursor or "").partition(" ")
    now = fingerprint(firm.path)
    context.update_cursor(f"{done} {now}")
    if now == done:
        return dg.SkipReason("nothing new")
    if now != seen:
        return dg.SkipReason("files are changing")
    context.update_cursor(f"{now} {now}")
    run = plan(firm, datetime.now(firm.zone))
    return dg.RunRequest(tags=run.tags, run_config=run.config)


def fingerprint(folder: Path) -> str:
    """A hash of the names, sizes and times of what a night reads; no file is opened."""
    tables = [path for path in folder.glob("*") if path.suffix.lower() in (".csv", ".toml")]
    files = [*tables, *folder.glob("intake/**/*"), *folder.glob("prices/**/*")]
    lines = []
    for file in sorted(files):
        if file.is_file():
            stat = file.stat()
            lines.append(f"{file.relative_to(folder)}\0{stat.st_size}\0{stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


@dg.failure_hook(required_resource_keys={"firm"}, name="alert")
def alert(context: dg.HookContext) -> None:
    """Write an alert file, and mail it where firm.toml says to whom; no client's cell stands in it."""
    firm: FirmFolder = context.resources.firm
    error = context.op_exception
    said = f": {error}" if isinstance(error, (StageError, NightError)) else ""
    text = f"{datetime.now(firm.zone).isoformat(timespec='seconds')} {context.op.name} failed, {type(error).__name__}{said}\n"
    folder = firm.state / "alerts"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{context.run_id}.txt"
    with file.open("a", encoding="utf-8") as out:
        out.write(text + mail(firm.settings.get("alerts", {}), text))
    file.chmod(0o600)


def mail(settings: Mapping[str, Any], text: str) -> str:
    """Send an alert if `smtp_host` and `to` are set; returns a line about what went wrong with that, if anything."""
    if not settings.get("smtp_host") or not settings.get("to"):
        return ""
    to = settings["to"]
    message = EmailMessage()
    message["Subject"] = "Lotbook: the night failed"
    message["To"] = to if isinstance(to, str) else ", ".join(to)
    message["From"] = settings.get("from", "lotbook@localhost")
    message.set_content(text)
    try:
        with smtplib.SMTP(settings["smtp_host"], int(settings.get("smtp_port", 25)), timeout=10) as server:
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        return f"the mail was not sent: {type(error).__name__}\n"
    return ""


def firm_zone(firm: FirmFolder) -> str:
    """The zone of the schedule; the default where the folder cannot be read while the code is loaded."""
    try:
        return firm.zone.key
    except NightError:
        return ZoneInfo(DEFAULT_ZONE).key
