"""The command `gogooku3 verify`: exit codes, table, JSON, and ignored legacy variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from gogooku3.recovery.verify import _RULES

from .conftest import Delivery


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    script = "from gogooku3.cli import main\nmain()"
    environment = os.environ | {"COLUMNS": "200"} | variables
    command = [sys.executable, "-c", script, "verify", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_legacy_options_in_the_environment_are_named_and_ignored(delivery: Delivery) -> None:
    knobs = {"SHARPE_WEIGHT": "0.123", "HIDDEN_SIZE": "256", "USE_RANKIC": "1"}
    without, with_knobs = (run(str(delivery.package), "--json", **given) for given in ({}, knobs))
    assert without.returncode == with_knobs.returncode == 0, without.stdout
    before, after = json.loads(without.stdout), json.loads(with_knobs.stdout)

    def variables(report: dict[str, Any]) -> dict[str, Any]:
        return next(check for check in report["checks"] if check["name"] == "variables")

    assert variables(after)["outcome"] == "noted"
    assert {detail["variable"] for detail in variables(after)["details"]} >= set(knobs)
    assert "0.123" not in with_knobs.stdout, "a value was printed"
    others = [[check for check in report["checks"] if check["name"] != "variables"] for report in (before, after)]
    assert others[0] == others[1]


def test_an_intact_package_ends_with_0_and_its_verdict_as_json(delivery: Delivery) -> None:
    done = run(str(delivery.package), "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr, report["good"]) == (0, "", True)
    outcomes = {check["name"]: check["outcome"] for check in report["checks"]}
    assert outcomes["golden"] == outcomes["lock"] == outcomes["dataset"] == outcomes["environment"] == "passed"


def test_a_failed_check_ends_with_1_and_a_table_that_names_it(delivery: Delivery) -> None:
    delivery.forge_lock("models/package/model.safetensors")
    done = run(str(delivery.package))
    assert done.returncode == 1
    assert "is NOT verified: lock." in done.stdout.replace("\n", " ")
    assert "dvc pull" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_package_without_an_environment_fails_and_every_check_is_still_shown(delivery: Delivery) -> None:
    (delivery.package / "environment.json").unlink()
    done = run(str(delivery.package), "--json")
    report = json.loads(done.stdout)
    failed = [check["name"] for check in report["checks"] if check["outcome"] == "failed"]
    assert (done.returncode, failed) == (1, ["contents", "manifest", "lock", "environment"])
    assert [check["name"] for check in report["checks"]] == list(_RULES)


def test_no_package_at_all_ends_with_3_and_a_hint(delivery: Delivery) -> None:
    done = run(str(delivery.root / "nowhere"))
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert "hint: " in done.stderr
    assert done.stdout == ""
