"""A build that is killed at any time resumes and ends with the same bytes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import psutil
import pytest

from gogooku3.assembly.build import build
from gogooku3.config.dataset import Dataset

from .conftest import Frames, bytes_of

BUILD = """
import sys
import datetime
from pathlib import Path
from gogooku3.config.dataset import *
from gogooku3.assembly.build import build
from gogooku3.assembly.history import History
from gogooku3.assembly.months import units
from gogooku3.assembly.workers import make_months
from gogooku3.assembly.month_cache import MonthCache

quotes, target, processes, params = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), eval(sys.argv[4])
history = History.read(quotes)
print("begun", flush=True)
make_months(units(history.sessions), history, params, MonthCache(target), processes)
build(history, params, target)
"""
"""The build with a fixed number of worker processes."""

pytestmark = pytest.mark.slow


Begin = Callable[[Path, int], subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def begun(frames: Frames, params: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Begin:
    """Starts a build in a subprocess, and waits until its work begins."""
    quotes = frames.write(tmp_path_factory.mktemp("quotes"))

    def begin(target: Path, processes: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", BUILD, str(quotes), str(target), str(processes), repr(params)]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert started.stdout is not None
        with started.stdout as stdout:
            assert stdout.readline() == b"begun\n"
        return started

    return begin


@pytest.fixture(scope="module")
def duration(begun: Begin, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], float]:
    """Seconds that an uninterrupted build takes."""
    known: dict[int, float] = {}

    def measured(processes: int) -> float:
        if processes not in known:
            uninterrupted = begun(tmp_path_factory.mktemp("uninterrupted") / "dataset", processes)
            start = time.monotonic()
            assert uninterrupted.wait() == 0
            known[processes] = time.monotonic() - start
        return known[processes]

    return measured


@pytest.fixture(scope="module")
def before(frames: Frames, params: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a previous dataset, of the quotes until some day."""
    folder = tmp_path_factory.mktemp("before")
    build(frames.until(date(2022, 3, 11)).history(), params, folder / "dataset")
    return folder


def finished(target: Path, whole: dict[str, bytes]) -> dict[str, int]:
    """The files of finished months in the build folder with their inodes, which change if a file is rewritten."""
    cache = target.with_name(f".{target.name}.partial")
    records = [json.loads(path.read_text()) for path in (cache / "months").glob("*.json")]
    paths = {name: cache / "whole" / name for record in records for name in record["files"]}
    return {
        name: path.stat().st_ino for name, path in paths.items() if path.exists() and path.read_bytes() == whole[name]
    }


MOMENTS = np.random.Generator(np.random.Philox(17)).random(10)
"""As shares of the duration of a build."""


@pytest.mark.parametrize("trial", range(len(MOMENTS)))
def test_a_build_killed_at_a_random_moment_ends_with_the_same_bytes(
    trial: int,
    begun: Begin,
    folder: Path,
    before: Path,
    duration: Callable[[int], float],
    tmp_path: Path,
) -> None:
    """Alternately with one and two processes; the later trials replace a previous dataset."""
    processes, target, whole = 1 + trial % 2, tmp_path / "dataset", bytes_of(folder)
    if trial >= len(MOMENTS) // 2:
        shutil.copytree(before, tmp_path, dirs_exist_ok=True)
    allowed = [bytes_of(target), {}, whole]
    moment = MOMENTS[trial] * duration(processes)
    killed = begun(target, processes)
    time.sleep(moment)
    members = psutil.Process(killed.pid).children()
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() in (-signal.SIGKILL, 0)  # 0: it had already ended
    _, alive = psutil.wait_procs(members, timeout=120)
    assert alive == []
    assert bytes_of(target) in allowed
    done = finished(target, whole)
    assert begun(target, processes).wait() == 0
    assert bytes_of(target) == whole
    assert {name: (target / name).stat().st_ino for name in done} == done
