"""`gogooku3 jquants`: what it prints, what it leaves when it is killed, and that the key is nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gogooku3.cli import main
from gogooku3.download.download import today
from gogooku3.sources.jquants.raw import RawFolder

from ..jquants import KEY, Answer, Exchange, bar, issue, refusal
from .conftest import contents

RATE = ("--rate", "1000000")
PERIOD = ("--from", "2024-01-29", "--to", "2024-02-06", *RATE)
Command = Callable[..., Result]


@pytest.fixture
def command(exchange: Exchange, folder: Path) -> Command:
    """Runs `gogooku3 jquants VERB` on the folder."""

    def run(verb: str, *arguments: str) -> Result:
        variables = {"JQUANTS_API_URL": exchange.address}
        return CliRunner().invoke(main, ["jquants", verb, str(folder), *arguments], env=variables)

    return run


def test_download_tells_of_each_month_and_list_shows_them(exchange: Exchange, command: Command, folder: Path) -> None:
    done = command("download", *PERIOD)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "2024-01, revision 1: 3 sessions",
        "2024-02, revision 1: 4 sessions",
        f"{folder}: 7 sessions, 2024-01-29 to 2024-02-06",
        f"track it: dvc add {folder}",
    ]
    assert command("download", *PERIOD).stdout.splitlines()[-1] == "nothing new"

    exchange.bars["2024-01-30"]["13010"]["C"] = 101.5
    done = command("download", *PERIOD, "--again")
    correction = "bars of 2024-01-30: 1 changed (13010 C 101.0 → 101.5)"
    assert done.stdout.splitlines()[:2] == ["2024-01, revision 2: corrected", f"  corrected: {correction}"]

    listing = command("list")
    assert listing.exit_code == 0
    assert "7 sessions, 2024-01-29 to 2024-02-06" in listing.stdout
    assert json.loads(command("list", "--json").stdout) == [
        {"month": "2024-01", "sessions": 3, "revisions": 2, "corrections": [correction]},
        {"month": "2024-02", "sessions": 4, "revisions": 1, "corrections": []},
    ]


def test_json_lists_the_added_months(command: Command) -> None:
    added = json.loads(command("download", *PERIOD, "--json").stdout)
    assert [(month["month"], month["revision"], month["sessions"][0]) for month in added] == [
        ("2024-01", 1, "2024-01-29"),
        ("2024-02", 1, "2024-02-01"),
    ]
    assert json.loads(command("download", *PERIOD, "--json").stdout) == []


def test_without_dates_it_continues_to_today(exchange: Exchange, command: Command, folder: Path) -> None:
    assert command("download", *PERIOD).exit_code == 0
    exchange.publish(str(today()), {"13010": bar(1.0)}, {"13010": issue()}, 2500.0)
    done = command("download", *RATE)
    assert done.stdout.splitlines()[-2] == f"{folder}: 8 sessions, 2024-01-29 to {today()}"
    last = exchange.requests[-1]
    assert (last.path, last.query["date"]) == ("/v2/equities/master", str(today()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "set the first day to download with --from"),
        (("--again",), "set the first day to download again with --from"),
        (("--from", "2024-02-01", "--to", "2024-01-01"), "--from is after --to"),
        (("--from", "2024"), "does not match the format"),
        (("--from", "2024-01-29", "--rate", "0"), "--rate"),
    ],
)
def test_an_invalid_period_is_an_error_before_any_request(
    exchange: Exchange, command: Command, arguments: tuple[str, ...], message: str
) -> None:
    done = command("download", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert exchange.requests == []


def test_an_empty_folder_is_listed_as_such(command: Command, folder: Path) -> None:
    done = command("list")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, f"{folder}: 0 sessions")


@pytest.mark.parametrize(("number", "months_fetched"), [(9, {"2024-01", "2024-02"}), (22, {"2024-02"})])
def test_a_killed_download_resumes_from_the_unfinished_month(
    exchange: Exchange, command: Command, folder: Path, tmp_path: Path, number: int, months_fetched: set[str]
) -> None:
    """January ends with the 14th request, February with the 31st."""
    exchange.faults.append(lambda request: Answer(200, {}, stall=True) if request.number == number else None)
    process = subprocess.Popen(
        [sys.executable, "-m", "gogooku3.cli", "jquants", "download", str(folder), *PERIOD],
        env=os.environ | {"JQUANTS_API_URL": exchange.address},
    )
    while len(exchange.requests) < number:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()

    exchange.faults.clear()
    exchange.requests.clear()
    assert command("download", *PERIOD).exit_code == 0
    assert {request.query["date"][:7] for request in exchange.requests if "date" in request.query} == months_fetched
    resumed = contents(folder)
    folder.rename(tmp_path / "resumed")
    assert command("download", *PERIOD).exit_code == 0
    assert contents(folder) == resumed


def test_leftover_files_of_a_killed_run_are_overwritten(exchange: Exchange, command: Command, folder: Path) -> None:
    assert command("download", *PERIOD, "--to", "2024-01-31").exit_code == 0
    january = (folder / "manifest.json").read_bytes()
    exchange.bars["2024-02-01"]["13010"]["C"] = 7.0
    assert command("download", *PERIOD).exit_code == 0
    (folder / "manifest.json").write_bytes(january)  # as a kill before its last step leaves the folder
    exchange.bars["2024-02-01"]["13010"]["C"] = 8.0
    assert command("download", *PERIOD).exit_code == 0
    assert RawFolder(folder).read("bars", "2024-02").filter(Code="13010")["C"][0] == 8.0
    assert len(list((folder / "bars").iterdir())) == 2


@pytest.mark.parametrize("answer", [None, refusal(403, f"The api key {KEY} is invalid."), Answer(200, f"<{KEY}>")])
def test_the_key_is_neither_printed_nor_written(
    exchange: Exchange, command: Command, tmp_path: Path, answer: Answer | None
) -> None:
    exchange.faults.append(lambda request: answer if request.query.get("date") == "2024-02-01" else None)
    done = command("download", *PERIOD)
    assert done.exit_code == {None: 0, 403: 9, 200: 3}[answer and answer.status]
    assert KEY not in done.output
    assert "Traceback" not in done.output
    assert len(contents(tmp_path)) >= 4
    assert all(KEY.encode() not in content for content in contents(tmp_path).values())
