"""Downloads to one folder at once: one runs, the others are refused; no session is lost if one of them is killed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from gogooku3.download.api import Api
from gogooku3.download.download import download
from gogooku3.errors import DataError, RefusedError
from gogooku3.sources.jquants.raw import RawFolder

from ..jquants import Answer, Exchange
from .conftest import Run, contents

DAYS = (date(2024, 1, 29), date(2024, 2, 6))
PERIOD = ("--from", "2024-01-29", "--to", "2024-02-06", "--rate", "1000000")


def start(exchange: Exchange, folder: Path, *options: str) -> subprocess.Popen[str]:
    """Starts `gogooku3 jquants download` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gogooku3.cli", "jquants", "download", str(folder), *PERIOD, *options],
        env=os.environ | {"JQUANTS_API_URL": exchange.address},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stalled(exchange: Exchange, folder: Path, number: int) -> subprocess.Popen[str]:
    """A download that waits for the response to its `number`th request."""
    exchange.faults.append(lambda request: Answer(200, {}, stall=True) if request.number == number else None)
    process = start(exchange, folder)
    while len(exchange.requests) < number:
        assert process.poll() is None
        time.sleep(0.01)
    return process


def test_a_second_download_is_refused_and_changes_nothing(exchange: Exchange, run: Run, folder: Path) -> None:
    first = stalled(exchange, folder, 20)
    before = contents(folder)
    with pytest.raises(RefusedError, match=rf"another download to `.*raw` is running \(process {first.pid}\)"):
        run()
    assert contents(folder) == before
    first.kill()
    first.communicate()
    exchange.faults.clear()
    run()  # the system released the lock
    assert not (folder / ".download.lock").exists()
    resumed = contents(folder)
    folder.rename(folder.with_name("resumed"))
    run()
    assert contents(folder) == resumed


def test_a_manifest_that_another_program_replaced_is_not_overwritten(
    exchange: Exchange, api: Api, run: Run, folder: Path
) -> None:
    """Such as `dvc checkout` during a download, or a process of another machine whose locks this one does not see."""
    run()
    theirs = folder.rename(folder.with_name("theirs"))
    run(last="2024-02-02")
    exchange.bars["2024-02-05"]["13010"]["C"] = 7.0
    with RawFolder.writer(folder) as raw:
        shutil.copytree(theirs, folder, dirs_exist_ok=True)
        with pytest.raises(DataError, match=r"manifest\.json` has changed since the download began"):
            list(download(raw, api, *DAYS, again=False, progress=lambda *_: None, notify=lambda _: None))
    assert contents(folder) == contents(theirs)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_downloads_at_once_leave_the_bytes_of_a_single_one(
    exchange: Exchange, run: Run, folder: Path, count: int
) -> None:
    run()
    once = contents(folder)
    folder.rename(folder.with_name("once"))
    exchange.requests.clear()
    processes = [start(exchange, folder) for _ in range(count)]
    outputs = [process.communicate() for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode in (0, 1), errors
        assert process.returncode == 0 or "another download to" in errors
    assert any(process.returncode == 0 for process in processes)
    assert contents(folder) == once


@pytest.mark.slow
def test_downloads_at_once_of_which_one_is_killed_lose_no_session(exchange: Exchange, run: Run, folder: Path) -> None:
    run()
    once = contents(folder)
    draw = random.Random(7)
    for attempt in range(6):
        folder.rename(folder.with_name(f"done-{attempt}"))
        exchange.requests.clear()
        until = draw.randint(1, 31)
        processes = [start(exchange, folder) for _ in range(2)]
        while len(exchange.requests) < until and any(process.poll() is None for process in processes):
            time.sleep(0.002)
        processes[draw.randrange(2)].kill()
        for process in processes:
            process.communicate()
        run()
        assert contents(folder) == once
