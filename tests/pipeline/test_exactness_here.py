"""Bitwise identical results on this machine: reruns, other cores, settings and folders, kills, several processes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import exactness

KILLS = 10
"""The benchmark has 25; with this many, each phase most likely has checkpoints to resume from."""


@pytest.mark.slow
def test_every_row_of_the_matrix_that_this_machine_can_run_holds(tmp_path: Path) -> None:
    rows = exactness(tmp_path / "matrix.json", "pipeline", "kills", "processes", kills=KILLS)
    (elsewhere,) = (name for name in rows if name.startswith("a folder with spaces"))
    runnable = {"rerun", "another time zone", "another locale", "another PYTHONHASHSEED", "fresh clone", elsewhere}
    if shutil.which("taskset"):
        runnable |= {"1 core", "2 cores"} if len(os.sched_getaffinity(0)) > 1 else {"1 core"}
    somebody = ("unshare", "--user", "--map-user=1234", "--map-group=1234", "true")
    if shutil.which("unshare") and subprocess.run(somebody, capture_output=True, check=False).returncode == 0:
        runnable.add("another user")
    disturbed = (f"killed {KILLS} times", "killed, newest checkpoint truncated", "out of disk in the middle")
    for name in (*runnable, *disturbed):
        assert (rows[name]["promised"], rows[name]["held"]) == (True, True), rows[name]
    for name in disturbed:
        states = re.search(r"resumed from a checkpoint: (\d+)$", rows[name]["outcome"])
        assert states is not None
        assert int(states[1]) > 0, rows[name]
