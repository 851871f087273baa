"""What starts a night by itself, and who hears when it fails."""

from __future__ import annotations

import os
import smtplib
from datetime import datetime
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from pipelines import automation
from pipelines.automation import fingerprint, mail, new_files, nightly_schedule
from pipelines.errors import NightError
from pipelines.factory import table_asset
from pipelines.launch import run_night
from pipelines.resources import FirmFolder
from pipelines.warehouse import Warehouse
from tests.pipelines.small_house import Balances, house, make_firm

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def firm(tmp_path):
    folder = make_firm(tmp_path, "ann,2024,1.5,\n")
    (folder / "intake" / "ann-kraken").mkdir(parents=True)
    return folder


def look(firm, cursor):
    """What the sensor does on one look, and its cursor afterwards."""
    context = dg.build_sensor_context(cursor=cursor, resources={"firm": FirmFolder(folder=str(firm))})
    return new_files(context), context.cursor


def test_the_schedule_asks_for_the_years_of_the_night_it_strikes(firm):
    schedule = nightly_schedule("America/New_York")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "America/New_York")
    ends = []
    for at in (datetime(2026, 12, 31, 2, tzinfo=NEW_YORK), datetime(2027, 1, 1, 2, tzinfo=NEW_YORK)):
        context = dg.build_schedule_context(
            scheduled_execution_time=at, resources={"firm": FirmFolder(folder=str(firm))}
        )
        request = schedule(context)
        ends.append(
            (
                request.tags["dagster/asset_partition_range_end"],
                request.run_config["resources"]["firm"]["config"]["as_of"],
            )
        )
    assert ends == [("2026", "2026-12-31"), ("2027", "2027-01-01")]


def test_the_schedule_runs_in_the_firms_zone(tmp_path, monkeypatch):
    make_firm(tmp_path, "", 'time_zone = "America/Los_Angeles"\n')
    monkeypatch.setenv("LOTBOOK_FIRM", str(tmp_path))
    assert house().resolve_schedule_def("nightly").execution_timezone == "America/Los_Angeles"
    monkeypatch.setenv("LOTBOOK_FIRM", str(tmp_path / "nowhere"))
    assert house().resolve_schedule_def("nightly").execution_timezone == "America/New_York"


def test_a_new_file_starts_one_night_once_it_lies_still(firm):
    first, cursor = look(firm, None)
    assert isinstance(first, dg.SkipReason)
    second, cursor = look(firm, cursor)
    assert isinstance(second, dg.RunRequest)
    assert second.tags["dagster/asset_partition_range_start"] == "2009"
    third, cursor = look(firm, cursor)
    assert third.skip_message == "nothing new"
    (firm / "intake" / "ann-kraken" / "ledgers.csv").write_text("half a fi")
    fourth, cursor = look(firm, cursor)
    assert fourth.skip_message == "files are changing"
    (firm / "intake" / "ann-kraken" / "ledgers.csv").write_text("half a file, now whole")
    fifth, cursor = look(firm, cursor)
    assert fifth.skip_message == "files are changing"
    sixth, _ = look(firm, cursor)
    assert isinstance(sixth, dg.RunRequest)


def test_the_sensor_rests_while_a_night_runs_and_never_makes_a_warehouse(firm):
    _, cursor = look(firm, None)
    assert not (firm / "state" / "warehouse.duckdb").exists()
    held = Warehouse(firm / "state" / "warehouse.duckdb")
    skipped, kept = look(firm, cursor)
    held.close()
    assert skipped.skip_message == "a night is running"
    assert kept == cursor
    assert isinstance(look(firm, cursor)[0], dg.RunRequest)


def test_the_fingerprint_sees_names_sizes_and_times_of_inputs_only(firm):
    before = fingerprint(firm)
    (firm / "state").mkdir(exist_ok=True)
    (firm / "state" / "x.csv").write_text("")
    assert fingerprint(firm) == before
    os.utime(firm / "deeds.csv", (1, 1))
    touched = fingerprint(firm)
    assert touched != before
    (firm / "deeds.csv").rename(firm / "deeds2.csv")
    assert fingerprint(firm) not in {before, touched}


def test_a_failed_night_leaves_an_alert_and_mails_it(firm, monkeypatch):
    sent: list[EmailMessage] = []

    class Server:
        def __init__(self, host, port, timeout):
            assert (host, port) == ("mail.example", 25)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def send_message(self, message):
            sent.append(message)

    monkeypatch.setattr(automation.smtplib, "SMTP", Server)
    make_firm(firm, "", '[alerts]\nsmtp_host = "mail.example"\nto = ["a@b.example", "c@d.example"]\n')

    def fails(night):
        raise KeyError("SECRET")

    with pytest.raises(NightError, match=r"balances: KeyError at .*the text is left out"):
        run_night(firm, definitions=house([table_asset("balances", Balances, {}, fails)], {}))
    (alert,) = (firm / "state" / "alerts").glob("*.txt")
    assert "compute_balances failed, StageError: balances: KeyError" in alert.read_text()
    assert "SECRET" not in alert.read_text() + str(sent[0])
    assert sent[0]["To"] == "a@b.example, c@d.example"
    assert len(sent) == 1


def test_no_mail_without_an_address_and_no_failure_when_it_does_not_go(monkeypatch):
    def refuses(*_, **__):
        raise smtplib.SMTPConnectError(421, "no")

    monkeypatch.setattr(automation.smtplib, "SMTP", refuses)
    assert mail({}, "x") == ""
    assert mail({"smtp_host": "h"}, "x") == ""
    assert mail({"smtp_host": "h", "to": "a@b.example"}, "x") == "the mail was not sent: SMTPConnectError\n"
