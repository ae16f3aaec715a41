"""Leftovers of killed processes; each remedy is executed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from gogooku3.recovery.doctor.leftovers import locks, partials

from ..conftest import Toy


def test_a_clone_without_leftovers_passes(clone: Toy) -> None:
    assert locks(clone.folder).outcome == "passed"
    assert partials(clone.folder).outcome == "passed"


def test_a_lock_of_a_killed_git_is_found_with_its_age_and_the_remedy_works(clone: Toy) -> None:
    lock = clone.folder / ".git/index.lock"
    lock.touch()
    os.utime(lock, (time.time() - 7200 * 3,) * 2)
    finding = locks(clone.folder)
    assert finding.outcome == "failed"
    assert "`.git/index.lock`, 6 h old: no Git runs here" in finding.found
    clone.run("bash", "-c", finding.hint.strip("`"))
    assert locks(clone.folder).outcome == "passed"
    clone.run("git", "commit", "--allow-empty", "--quiet", "--message", "after the remedy")


def test_a_lock_of_a_running_git_is_only_noted(clone: Toy) -> None:
    (clone.folder / ".git/refs/heads/main.lock").touch()
    running = subprocess.Popen(["git", "cat-file", "--batch"], cwd=clone.folder, stdin=subprocess.PIPE)
    try:
        finding = locks(clone.folder)
    finally:
        running.communicate()
    assert finding.outcome == "noted"
    assert f"PID {running.pid}" in finding.found
    assert locks(clone.folder).outcome == "failed"


def test_the_path_list_of_a_killed_dvc(clone: Toy) -> None:
    """DVC drops the entry of a process that has ended, unless its PID was reused; it cannot read a truncated list."""
    file = clone.folder / ".dvc/tmp/rwlock"
    ended = subprocess.Popen(["true"])
    ended.wait()
    file.parent.mkdir(exist_ok=True)

    def entry(pid: int) -> str:
        return json.dumps({"write": {str(clone.folder / "data"): {"pid": pid, "cmd": "dvc repro"}}, "read": {}})

    file.write_text(entry(ended.pid))
    assert (locks(clone.folder).outcome, "has ended; the next DVC command drops" in locks(clone.folder).found) == (
        "noted",
        True,
    )
    clone.run("dvc", "repro", "--quiet")

    file.write_text(entry(os.getpid()))
    assert (locks(clone.folder).outcome, "is running" in locks(clone.folder).found) == ("noted", True)
    os.utime(file, (0, 0))
    reused_pid = locks(clone.folder)
    assert reused_pid.outcome == "failed"
    assert clone.run("dvc", "repro", "--force", "--quiet", check=False).returncode != 0, "DVC waits forever"
    clone.run("bash", "-c", reused_pid.hint.strip("`"))
    clone.run("dvc", "repro", "--force", "--quiet")

    file.write_text(entry(1)[:20])
    assert "truncated" in locks(clone.folder).found
    assert clone.run("dvc", "repro", "--force", "--quiet", check=False).returncode != 0
    clone.run("bash", "-c", locks(clone.folder).hint.strip("`"))
    clone.run("dvc", "repro", "--force", "--quiet")


def test_a_running_dvc_holds_its_lock_and_a_killed_one_does_not(clone: Toy) -> None:
    """DVC's lock file is permanent; only the system lock on it counts."""
    program = "import sys; from dvc.lock import Lock\nwith Lock(sys.argv[1]): print(flush=True); sys.stdin.read()"
    file = clone.folder / ".dvc/tmp/lock"
    file.parent.mkdir(exist_ok=True)
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    finding = locks(clone.folder)
    assert (finding.outcome, f"PID {holder.pid}" in finding.found) == ("noted", True)
    holder.kill()
    holder.communicate()
    assert file.exists()
    assert locks(clone.folder).outcome == "passed"


def test_a_stale_hard_link_lock_is_found(clone: Toy) -> None:
    file = clone.folder / ".dvc/tmp/lock"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{clone.folder}/.dvc/tmp/0123456789abcdef0123456789abcdef.lock")
    finding = locks(clone.folder)
    assert (finding.outcome, finding.hint) == ("failed", "`rm .dvc/tmp/lock`")


def test_partial_files_are_listed(clone: Toy) -> None:
    (clone.folder / "models/.package.partial").mkdir()
    (clone.folder / "models/.package.partial/config.json").touch()
    (clone.folder / "data/.scores.csv.partial").touch()
    finding = partials(clone.folder)
    assert finding.outcome == "noted"
    assert [detail["path"] for detail in finding.details] == ["data/.scores.csv.partial", "models/.package.partial"]


def test_an_unfinished_dataset_is_a_leftover_and_the_month_records_are_not(clone: Toy) -> None:
    record = clone.folder / "data/.dataset.partial/months/2024-01.json"
    record.parent.mkdir(parents=True)
    record.touch()
    assert partials(clone.folder).outcome == "passed"
    (clone.folder / "data/.dataset.partial/whole/features").mkdir(parents=True)
    finding = partials(clone.folder)
    assert [detail["path"] for detail in finding.details] == ["data/.dataset.partial/whole"]
    clone.run("bash", "-c", finding.hint.split("`")[1])
    assert partials(clone.folder).outcome == "passed"
    assert record.exists()
