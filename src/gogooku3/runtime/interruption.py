"""Ends a stage or a verb after a signal: Ctrl-C, SIGTERM or SIGHUP unwinds it, so that temporary files are removed.

The signal raises an exception in the main thread. Threads that wait for a server see `stopped` and give up, and
processes that the command runs are ended with it. Work that must reach a certain point first (a training step, a
trial) records the signal instead: `StopRequest`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from gogooku3.errors import InterruptionError, UserError
from gogooku3.runtime.machine import signal_group

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
        self.name = signal_name(number)


def signal_name(number: int) -> str:
    """Printed name of a signal: `Ctrl-C` for SIGINT, else the signal's name."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


_deferred: list[int] = []
"""Signals that arrived outside `stoppable`, after `defer`."""


class _Hold:
    """Delays the effect of a signal while `depth` is positive."""

    depth = 0
    pending: int | None = None


@contextmanager
def _handled(handler: Callable[[int], None]) -> Iterator[Callable[[Any], None]]:
    """Context manager: handles the signals that the process does not ignore, as a background job of a shell does.

    Yields a function that gives them another handler, or their previous ones (None) before the end of the context.
    """
    handlers = {each: signal.getsignal(each) for each in SIGNALS}
    previous = {each: before for each, before in handlers.items() if before not in (signal.SIG_IGN, None)}

    def change(other: Any) -> None:
        for each, before in previous.items():
            signal.signal(each, before if other is None else other)

    def handle(number: int, frame: FrameType | None) -> None:
        if _in_destructor(frame):
            threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, number)).start()
        else:
            handler(number)

    change(handle)
    try:
        yield change
    finally:
        change(None)


def _in_destructor(frame: FrameType | None) -> bool:
    """Whether a destructor is running: Python prints and ignores an exception there, and the signal would have no
    effect."""
    while frame is not None and frame.f_code.co_name not in ("__del__", "_exitfunc"):
        frame = frame.f_back
    return frame is not None


@contextmanager
def stoppable(hint: str) -> Iterator[None]:
    """Context manager in which the first signal raises `Interrupted`; a second one ends the process at once.

    Does nothing in another thread than the main one. An error after the signal, such as that of a process which got it
    too, is a consequence and is not reported.

    Args:
        hint: what to do after the command was stopped.

    Raises:
        InterruptionError: a signal stopped the work in the context.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end() -> None:
        name = signal_name(received[0])
        os.write(2, f"error: stopped by {name}; it did not end within {LIMIT_S:.0f} seconds\nhint: {hint}\n".encode())
        os._exit(InterruptionError.exit_code)

    def stop(number: int) -> None:
        if stopped.is_set():  # two signals at once
            return
        stopped.set()
        received.append(number)
        limit.start()
        change(signal.SIG_DFL)
        if _Hold.depth:
            _Hold.pending = number
        else:
            raise Interrupted(number)

    received: list[int] = []
    limit = threading.Timer(LIMIT_S, end)
    limit.daemon = True
    try:
        with _handled(stop) as change:
            if _deferred:
                stop(_deferred.pop())
            yield
    except UserError:
        raise
    except (KeyboardInterrupt, Exception) as error:
        if not (received or isinstance(error, KeyboardInterrupt)):
            raise
        name = signal_name(received[0] if received else signal.SIGINT)
        raise InterruptionError(f"stopped by {name}", hint=hint) from None
    finally:
        limit.cancel()
        stopped.clear()
        _Hold.pending = None


@contextmanager
def held() -> Iterator[None]:
    """Context manager for work that must not end half-way: a signal takes effect at its end.

    Does nothing in another thread than the main one, which no signal interrupts.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Hold.depth += 1
    try:
        yield
    finally:
        _Hold.depth -= 1
    if _Hold.pending is not None and not _Hold.depth:
        raise Interrupted(_Hold.pending)


class StopRequest:
    """Context manager in which the first signal is only recorded; a second one has its previous effect."""

    def __init__(self) -> None:
        self.number = 0
        """Number of the first signal; 0 if none was received."""

    def __enter__(self) -> Self:
        self._context = _handled(self._request)
        self._change = self._context.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.__exit__(kind, error, trace)

    def _request(self, number: int) -> None:
        first = not self.number
        self.number = self.number or number
        self.on_signal(first=first)

    def on_signal(self, *, first: bool) -> None:
        """Called in the main thread after a signal; this one gives the next signal its previous effect."""
        self._change(None)


@contextmanager
def masked_in_children() -> Iterator[None]:
    """Context manager: processes that are started in it have all signals blocked until they unblock them.

    An interpreter that receives one while it loads would print a traceback. In this process a second thread receives
    the signals, and the main thread handles them as usual.
    """
    done = threading.Event()
    receiver = threading.Thread(target=done.wait)
    receiver.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        unmask()
        done.set()
        receiver.join()


def defer() -> None:
    """From now on, a signal outside `stoppable` takes effect at the start of the next such context."""
    for each in SIGNALS:
        if signal.getsignal(each) not in (signal.SIG_IGN, None):
            signal.signal(each, lambda number, _: _deferred.append(number))


def ignore() -> None:
    """Ignores the signals from now on."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def unmask() -> None:
    """Unblocks the signals in this thread."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


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
        return signal_group(process.pid, number)

    deadline = time.monotonic() + GRACE_S
    send(signal.SIGINT if session else signal.SIGTERM)
    while send(0) and time.monotonic() < deadline:
        time.sleep(0.05)
    send(signal.SIGKILL)
