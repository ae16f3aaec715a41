"""A signal unwinds a command, waits for work that must not end half-way, and ends the processes that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gogooku3.errors import DataError, InterruptionError
from gogooku3.runtime import interruption
from gogooku3.runtime.interruption import StopRequest, held, masked_in_children, run, stoppable

SIGNALS = pytest.mark.parametrize("number", interruption.SIGNALS, ids=lambda number: number.name)


def hit(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@SIGNALS
def test_a_signal_is_one_error_with_a_hint(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(InterruptionError) as stopped, stoppable("do it again"):
        hit(number)
        pytest.fail("the work goes on")
    name = "Ctrl-C" if number == signal.SIGINT else number.name
    assert str(stopped.value) == f"stopped by {name}\nhint: do it again"
    assert signal.getsignal(number) is before
    assert not interruption.stopped.is_set()


@SIGNALS
def test_a_signal_between_two_contexts_ends_the_second(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in interruption.SIGNALS}
    interruption.defer()
    try:
        with stoppable(""):
            pass
        hit(number)
        with pytest.raises(InterruptionError, match="stopped by"), stoppable(""):
            pytest.fail("the second context runs")
        with stoppable(""):
            done = True
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert done


def test_an_error_after_the_signal_is_not_reported_but_the_command_s_own_is() -> None:
    with pytest.raises(InterruptionError, match="stopped by SIGTERM"), stoppable(""):
        try:
            hit()
        finally:
            raise OSError("of a process that got the signal too")
    with pytest.raises(DataError), stoppable(""):
        try:
            hit()
        finally:
            raise DataError("says more", hint="")


def test_a_signal_in_a_destructor_takes_effect_after_it() -> None:
    """Python ignores an exception that a destructor raises."""

    class Resource:
        def __del__(self) -> None:
            hit()
            done.append("destructor")

    done: list[str] = []
    with pytest.raises(InterruptionError, match="stopped by SIGTERM"), stoppable(""):
        Resource()
        for _ in range(6000):
            time.sleep(0.01)
    assert done == ["destructor"]


def test_a_signal_during_held_work_takes_effect_at_its_end() -> None:
    done = []
    with pytest.raises(InterruptionError, match="stopped by SIGTERM"), stoppable(""):
        with held():
            hit()
            done.append("work")
        done.append("more")
    assert done == ["work"]
    assert not interruption.stopped.is_set()


def test_held_work_of_another_thread_is_not_interrupted() -> None:
    ran: list[str] = []

    def work() -> None:
        with held():
            ran.append("work")

    with pytest.raises(InterruptionError), stoppable(""), held():
        hit()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert ran == ["work"]


def test_handlers_come_back_and_ignored_signals_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable(""):
            hit(signal.SIGHUP)
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGHUP, before)


@SIGNALS
def test_a_stop_request_records_the_first_signal_and_the_second_has_its_effect(number: signal.Signals) -> None:
    with pytest.raises(InterruptionError, match="stopped by SIGTERM"), stoppable(""), StopRequest() as stop:
        assert stop.number == 0
        hit(number)
        assert stop.number == number
        hit()
        pytest.fail("the work goes on")


def test_work_that_does_not_end_after_a_signal_is_ended_with_a_message() -> None:
    script = """
import os, signal, time
from gogooku3.runtime import interruption
interruption.LIMIT_S = 0.2
with interruption.stoppable("do it again"):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        time.sleep(60)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "error: stopped by SIGTERM; it did not end within 0 seconds\nhint: do it again\n"


def test_children_start_with_the_signals_blocked_and_this_process_still_gets_them() -> None:
    with masked_in_children():
        child = subprocess.Popen(["sleep", "60"])
    blocked = next(line for line in Path(f"/proc/{child.pid}/status").read_text().splitlines() if "SigBlk" in line)
    child.kill()
    child.wait()
    mask = int(blocked.split()[1], 16)
    assert all(mask >> (number - 1) & 1 for number in interruption.SIGNALS)
    with pytest.raises(InterruptionError), stoppable(""), masked_in_children():
        hit()
        for _ in range(6000):  # the handler runs between two sleeps
            time.sleep(0.01)


@pytest.mark.parametrize("session", [False, True])
def test_processes_end_with_the_command(tmp_path: Path, session: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "GRACE_S", 1.0)
    child = f"echo $$ > {tmp_path}/pid; exec sleep 60"
    script = f"sh -c '{child}' & wait" if session else child
    with pytest.raises(InterruptionError), stoppable(""):
        killer = subprocess.Popen(
            ["sh", "-c", f"while [ ! -s {tmp_path}/pid ]; do sleep 0.05; done; kill {os.getpid()}"]
        )
        try:
            run(["sh", "-c", script], session=session)
        finally:
            killer.wait()
    pid, deadline = int((tmp_path / "pid").read_text()), time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
