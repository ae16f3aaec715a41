"""`gogooku3 doctor` as it is typed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ..conftest import Toy
from .conftest import ROOT, SECRET, remote


def doctor(toy: Toy, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gogooku3.cli", "doctor", "--json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | variables
    return subprocess.run(command, cwd=toy.folder, env=environment, capture_output=True, text=True, check=False)


def test_a_sound_clone_is_fit_and_old_knobs_are_named_as_ignored(clone: Toy) -> None:
    done = doctor(clone, SHARPE_WEIGHT=SECRET)
    report = json.loads(done.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert (done.returncode, report["good"], done.stderr) == (0, True, ""), done.stdout
    assert {"failed"}.isdisjoint(check["outcome"] for check in report["checks"])
    assert checks["remote"]["outcome"] == "passed"
    assert "numerics.device` is cpu" in checks["device"]["found"]
    assert checks["variables"]["outcome"] == "noted"
    assert "SHARPE_WEIGHT" in checks["variables"]["found"]
    assert SECRET not in done.stdout


def test_a_dead_bucket_is_one_line_and_the_process_ends_in_15_seconds(clone: Toy) -> None:
    remote(clone, url="gs://gone/store", endpointurl="http://127.0.0.1:9", allow_anonymous_login="true")
    started = time.monotonic()
    done = doctor(clone)
    assert time.monotonic() - started < 15
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    failed = [check for check in report["checks"] if check["outcome"] == "failed"]
    assert [check["name"] for check in failed] == ["remote"]
    assert "gs://gone/store: no connection to its host" in failed[0]["found"]
    assert "\n" not in failed[0]["found"]
    assert "check the network" in failed[0]["hint"]


def test_what_cannot_be_checked_hides_no_other_check(clone: Toy) -> None:
    (clone.folder / "pyproject.toml").unlink()
    (clone.folder / "params.yaml").write_text("{")
    done = doctor(clone)
    checks = {check["name"]: check["outcome"] for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert (checks["python"], checks["device"], checks["libraries"], checks["remote"]) == (
        "failed",
        "failed",
        "passed",
        "passed",
    )


def test_a_clone_of_another_source_than_runs_is_told_which_and_how_to_install_its_own(clone: Toy) -> None:
    own = clone.folder / "src/gogooku3"
    shutil.copytree(ROOT / "src/gogooku3", own)

    def check() -> dict[str, Any]:
        checks = json.loads(doctor(clone).stdout)["checks"]
        return next(check for check in checks if check["name"] == "source")

    found = check()
    assert (found["outcome"], found["found"]) == ("passed", f"`{ROOT / 'src'}` runs, with the files of this clone's")
    (own / "errors.py").write_text("raise SystemExit('the source of the clone was run')\n")
    found = check()
    assert found["outcome"] == "failed"
    assert found["found"] == f"`{ROOT / 'src'}` runs, and differs from this clone's in gogooku3/errors.py"
    assert found["hint"] == f"`pip install --no-deps -e {clone.folder}`"


def test_outside_a_clone_it_says_so(tmp_path: Path) -> None:
    done = doctor(Toy(tmp_path))
    assert (done.returncode, done.stdout) == (8, "")
    assert "hint: " in done.stderr
