"""Ctrl-C, SIGTERM and SIGHUP end every verb with 130 and one message, without leftovers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gogooku3.recovery.promote import promote

from .faults.proxy import SILENCE, Proxy, after, always, between
from .lab import ROOT, Lab

PATIENT = """
from gogooku3.cli import main
from gogooku3.runtime import interruption
from gogooku3.recovery.storage import store
interruption.LIMIT_S = 3600.0
store.CONNECT_TIMEOUT = store.PROBE_TIMEOUT = store.STALL_TIMEOUT = store.TOTAL_TIMEOUT = 3600
main()
"""
"""The command line without its own limits of time: nothing but the signal ends it."""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a verb with a temporary folder of its own."""
    (tmp_path / "temporary").mkdir()

    def begin(folder: Path, *verb: str) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path / "temporary")}
        return subprocess.Popen(
            [sys.executable, "-c", PATIENT, *verb],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return begin


def ends(process: subprocess.Popen[str], number: signal.Signals, tmp_path: Path) -> list[str]:
    """Sends a signal to the process alone; returns the lines on stderr before the message."""
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=300)
    name = "Ctrl-C" if number == signal.SIGINT else number.name
    *steps, message, hint = stderr.splitlines()
    assert (process.returncode, message) == (130, f"error: stopped by {name}"), stderr
    assert hint.startswith("hint: run the same command again")
    assert stdout == ""
    left = [path.name for path in (tmp_path / "temporary").iterdir() if path.name != "torchinductor_root"]
    assert left == []
    return steps


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def proxy(emulator: str) -> Iterator[Proxy]:
    with between(emulator) as running:
        yield running


@pytest.fixture
def slow(pushed: Any, proxy: Proxy, bucket: Any) -> Any:
    """The toy repository before a bucket that goes silent after the first requests."""
    (pushed.folder / ".dvc/config.local").unlink()
    pushed.point_at(type(bucket)(proxy.endpoint, bucket.name))
    return pushed


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        signal.SIGTERM,
    ],
    ids=lambda number: number.name,
)
def test_audit_of_a_silent_bucket(slow: Any, proxy: Proxy, start: Start, tmp_path: Path, number: Any) -> None:
    proxy.faults = [always(SILENCE, lambda request: request.downloads)]
    process = start(slow.folder, "audit", "--deep")
    wait_for(lambda: any(request.downloads for request in proxy.requests))
    assert ends(process, number, tmp_path) == []


def test_audit_before_the_first_answer(slow: Any, proxy: Proxy, start: Start, tmp_path: Path) -> None:
    proxy.faults = [after(0, SILENCE)]
    process = start(slow.folder, "audit")
    wait_for(lambda: proxy.requests)
    assert ends(process, signal.SIGTERM, tmp_path) == []


@pytest.fixture(scope="module")
def released(trained: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = trained.copy(tmp_path_factory.mktemp("released"))
    promote(lab.folder, "tier1")
    return lab


def after_step(process: subprocess.Popen[str], step: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.strip().endswith(step):
            return
    raise AssertionError("the step did not begin")


@pytest.mark.slow
@pytest.mark.parametrize("step", ["`dvc status`", "package", "push"])
def test_promote_makes_no_tag(trained: Lab, start: Start, tmp_path: Path, step: str) -> None:
    lab = trained.copy(tmp_path)
    process = start(lab.folder, "promote", "tier1")
    after_step(process, step)
    ends(process, signal.SIGTERM, tmp_path)
    assert lab.tags() == set()
    assert lab.run("git", "status", "--porcelain").stdout == ""
    assert not list((lab.folder / ".git").rglob("*.lock"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_recover_resumes(released: Lab, start: Start, tmp_path: Path, number: signal.Signals) -> None:
    process = start(released.folder, "recover", "tier1", "--to", str(tmp_path / "out/back"))
    wait_for(lambda: (tmp_path / "out").exists())
    time.sleep(0.5)
    ends(process, number, tmp_path)
    assert {path.name for path in (tmp_path / "out").iterdir()} <= {"back"}
    again = start(released.folder, "recover", "tier1", "--to", str(tmp_path / "out/back"))
    assert "verified: this is the model" in again.communicate()[0]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["objects", "verifying"])
def test_archive_restore_leaves_nothing(released: Lab, start: Start, tmp_path: Path, step: str) -> None:
    file = tmp_path / "tier1.tar"
    released.run("gogooku3", "archive", "create", "tier1", "--output", str(file))
    process = start(tmp_path, "archive", "restore", str(file), "--to", "back")
    after_step(process, step)
    ends(process, signal.SIGTERM, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"temporary", "tier1.tar"}


@pytest.mark.slow
def test_archive_create_leaves_nothing(released: Lab, start: Start, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    process = start(released.folder, "archive", "create", "tier1", "--output", str(tmp_path / "kept/tier1.tar"))
    wait_for(lambda: list((tmp_path / "temporary").iterdir()) or process.poll() is not None)
    ends(process, signal.SIGTERM, tmp_path)
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize("step", ["clone", pytest.param("environment", marks=pytest.mark.slow)])
def test_drill_stops_instead_of_the_next_step(released: Lab, start: Start, tmp_path: Path, step: str) -> None:
    process = start(released.folder, "drill", "tier1", "--report", str(tmp_path / "report"))
    after_step(process, step)
    time.sleep(1 if step == "environment" else 0)  # the new environment is being made, by processes of its own
    ends(process, signal.SIGTERM, tmp_path)
    assert not (tmp_path / "report").exists()


def test_verify(released: Lab, start: Start, tmp_path: Path) -> None:
    process = start(released.folder, "verify")
    wait_for(lambda: "torch" in Path(f"/proc/{process.pid}/maps").read_text())
    ends(process, signal.SIGTERM, tmp_path)
