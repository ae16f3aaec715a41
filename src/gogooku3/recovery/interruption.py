"""Ends a command after a signal: Ctrl-C, SIGTERM or SIGHUP unwinds it, so that temporary files are removed.

The signal raises an exception in the main thread. Threads that wait for a server see `stopped` and give up, and
processes that the command runs are ended with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from gogooku3.errors import InterruptionError

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

LIMIT_S = 30.0
"""Seconds after the first signal until the process ends, whatever still runs."""

GRACE_S = 10.0
"""Seconds that a child process has to end by itself."""

stopped = threading.Event()
"""Set by the first signal."""


class Interrupted(KeyboardInterrupt):
    """A signal arrived."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


class _Hold:
    """Delays the effect of a signal while `depth` is positive."""

    depth = 0
    pending: int | None = None


@contextmanager
def stoppable() -> Iterator[None]:
    """Context manager in which the first signal raises `Interrupted`; a second one ends the process at once.

    A signal that the process ignores, as in a background job of a shell, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    limit = threading.Timer(LIMIT_S, os._exit, [InterruptionError.exit_code])
    limit.daemon = True

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():  # two signals at once
            return
        stopped.set()
        limit.start()
        for each in previous:
            signal.signal(each, signal.SIG_DFL)
        if _Hold.depth:
            _Hold.pending = number
        else:
            raise Interrupted(number)

    previous = {each: signal.getsignal(each) for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN}
    for each in previous:
        signal.signal(each, stop)
    try:
        yield
    finally:
        limit.cancel()
        stopped.clear()
        _Hold.pending = None
        for each, handler in previous.items():
            signal.signal(each, handler)


@contextmanager
def held() -> Iterator[None]:
    """Context manager for work that must not end half-way: a signal takes effect at its end."""
    _Hold.depth += 1
    try:
        yield
    finally:
        _Hold.depth -= 1
    if _Hold.pending is not None and not _Hold.depth:
        raise Interrupted(_Hold.pending)


def run(
    command: Sequence[str], *, stdin: str | None = None, session: bool = False, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Runs a process as `subprocess.run`, and ends it if this command is interrupted.

    The process gets SIGTERM, and after `GRACE_S` seconds SIGKILL.

    Args:
        stdin: text for its standard input.
        session: run it in a session of its own, with all processes that it starts; they get SIGINT instead, after
            which a training stage saves its state.
        options: of `subprocess.Popen`.
    """
    if stdin is not None:
        options["stdin"] = subprocess.PIPE
    process: subprocess.Popen[Any] | None = None
    try:
        with held():  # a process that was started is known here
            process = subprocess.Popen(command, start_new_session=session, **options)  # noqa: S603  (no shell)
        output, errors = process.communicate(stdin)
    except BaseException:
        if process is not None:
            with process:
                _end(process, session)
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def _end(process: subprocess.Popen[Any], session: bool) -> None:
    def send(number: int) -> bool:
        """Sends a signal; False if no process is left."""
        process.poll()
        if not session:
            process.send_signal(number)
            return process.returncode is None
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return False
        return True

    deadline = time.monotonic() + GRACE_S
    send(signal.SIGINT if session else signal.SIGTERM)
    while send(0) and time.monotonic() < deadline:
        time.sleep(0.05)
    send(signal.SIGKILL)
