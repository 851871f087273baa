"""The README's commands, run as a reader would; what CI itself runs (make nightly, make test) is only checked to be there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = re.findall(
    r"^make [^\n]*$",
    "\n".join(re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)),
    re.MULTILINE,
)
BY_CI = {"make nightly", "make test"}


@pytest.fixture(scope="module")
def firm(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("firm") / "firm"
    shutil.copytree(ROOT / "sample_firm", folder, ignore=shutil.ignore_patterns("state", "published", "filed"))
    return folder


def make(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_readme_names_these_commands_and_no_other():
    tested = {"make nightly AS_OF=2023-12-15", "make help", "make backfill FROM=2024", "make ui"}
    assert set(COMMANDS) == BY_CI | tested
    ci = (ROOT / ".ci" / "run").read_text().splitlines()
    assert set(ci) >= BY_CI


def test_make_help_lists_the_targets():
    listed = make("help").stdout
    assert all(target in listed for target in ("nightly", "backfill", "ui", "test", "lint", "types", "golden", "lock"))


def test_a_night_of_another_firm_as_of_a_date_and_then_the_years_from_one_on(firm):
    night = make("nightly", f"FIRM={firm}", "AS_OF=2023-12-15")
    assert night.returncode == 0, night.stderr
    assert "2 harvest recommendations" in night.stdout
    con = duckdb.connect(str(firm / "published" / "lotbook.duckdb"), read_only=True)
    saved = con.execute(
        "SELECT return_id, tax_saved_now::VARCHAR FROM harvest_summary WHERE verdict = 'harvest' AND scenario = 'best'"
    ).fetchall()
    con.close()
    # the README's figures: 100,000 x 23.8 % + 3,000 x 37 %, and 10,000 x 40.8 % + 3,000 x 37 % + 13,000 x 6.85 % (NY)
    assert sorted(saved) == [("brian", "24910.00"), ("jane", "6080.50")]
    again = make("backfill", f"FIRM={firm}", "FROM=2023", "AS_OF=2023-12-15")
    assert again.returncode == 0, again.stderr


def test_a_folder_that_is_not_there_is_a_sentence():
    night = make("nightly", "FIRM=no/such/firm")
    assert night.returncode != 0
    assert "there is no folder" in night.stderr


def test_make_ui_serves_the_same_code_location(firm):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # a session of its own: the server's children end with the group, not with their parent
    server = subprocess.Popen(
        ["make", "ui", f"FIRM={firm}", f"PORT={port}"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        assert "nightly" in ask(port, time.monotonic() + 120)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def ask(port: int, deadline: float) -> str:
    """What the server tells of the schedules, once it is up with the code loaded."""
    query = '{"query": "{ repositoriesOrError { ... on RepositoryConnection { nodes { schedules { name } } } } }"}'
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", query.encode(), {"Content-Type": "application/json"}
    )
    told = ""
    while time.monotonic() < deadline and "nightly" not in told:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                told = answer.read().decode()
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    return told
