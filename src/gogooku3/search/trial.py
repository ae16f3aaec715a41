"""One trial: `dvc exp run` with its values, what it says on the way, and why it failed if it did."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from gogooku3.errors import GitError, InterruptionError, MachineError, SourceError, StoreError, UserError
from gogooku3.recovery.sandbox.environment import HERE
from gogooku3.search.space import Values

MARK = "GOGOOKU3_TRIAL_OF"
"""A variable by which the processes of a trial are known, with the clone that they work in."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_RUNNING = re.compile(r"^Running stage '(?P<stage>[^']+)'")
_ENDED = re.compile(r"^ERROR: failed to reproduce '(?P<stage>[^']+)'.*exited with (?P<code>-?\d+)", re.MULTILINE)
_SAID = re.compile(r"^error: (?P<message>.*?)^hint: (?P<hint>[^\n]*)", re.MULTILINE | re.DOTALL)

_ENDING = {error.exit_code: error for error in (MachineError, StoreError, GitError, SourceError)}
"""Exit codes of a stage that say nothing of its parameters: the next trial would end with the same."""

_FAULTS = frozenset(
    {
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGSYS,
        signal.SIGTRAP,
    }
)
"""Signals that a process brings upon itself. Any other comes from outside and says nothing of the parameters."""


class DvcFailedError(MachineError):
    """DVC itself failed, and no stage of a trial."""


class Stop:
    """Ctrl-C, or a system that asks the process to end: passed on to the trial that runs, which ends it cleanly.

    A second signal kills the trial; it goes on from the newest state that it had saved either way.
    """

    def __init__(self) -> None:
        self.by: str | None = None
        """The signal that came."""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._ask) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def passed_on(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """To all processes of a trial's session."""
        self._process = process
        try:
            if self.by is not None:
                self._end(signal.SIGINT)
            yield
        finally:
            self._process = None

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        again = self.by is not None
        self.by = self.by or ("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)
        self._end(signal.SIGKILL if again else signal.SIGINT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def run(workspace: Path, name: str, values: Values, log: Path, stop: Stop, say: Callable[[str], None]) -> str | None:
    """Makes an experiment in a clone, under a name; why it failed, or None.

    Args:
        log: gets everything that it prints.
        stop: passes signals on to it.
        say: is told each stage when it begins.

    Raises:
        DvcFailedError: no stage failed, but DVC did.
        UserError: a stage failed in a way that says nothing of the values: machine, bucket, Git, or a signal from
            outside, such as that of a system which has no memory left.
    """
    command = [sys.executable, "-P", "-m", "dvc", "exp", "run", "--no-hydra", "--name", name]
    command += ["--message", f"{name}: {json.dumps(values)}"]
    command += [part for key, value in values.items() for part in ("--set-param", f"{key}={json.dumps(value)}")]
    # Pushing is the user's: this clone's `origin` is the repository that it was cloned from.
    variables = HERE.variables(workspace) | {MARK: str(workspace), "DVC_EXP_AUTO_PUSH": "false"}
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(  # noqa: S603  (a list of arguments, no shell)
            command,
            cwd=workspace,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process,
        stop.passed_on(process),
    ):
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            file.flush()
            if running := _RUNNING.match(line):
                say(running["stage"])
    if process.returncode == 0 or stop.by is not None:
        return None
    return _reason(log, process.returncode)


def _reason(log: Path, code: int) -> str:
    text = log.read_text(encoding="utf-8")
    ended, said = _ENDED.search(text), [*_SAID.finditer(text)]
    if ended is None:
        last = [line for line in text.splitlines() if line.strip()][-1:] or ["it said nothing"]
        raise DvcFailedError(f"`dvc exp run` ended with {code}: {last[0]}", hint=f"`{log}` has all that it said")
    stage, ended_with = ended["stage"], int(ended["code"])
    if ended_with in _ENDING:
        raise _told(_ENDING[ended_with], stage, said, log)
    number = _signal(ended_with)
    message = " ".join(said[-1]["message"].split()) if said else f"{_how(ended_with, number)}{_last_error(text)}"
    if number is not None and number not in _FAULTS:
        raise _stopped(f"{stage}: {message}", number)
    return f"{stage}: {message}"


def _told(kind: type[UserError], stage: str, said: list[re.Match[str]], log: Path) -> UserError:
    message, hint = (said[-1]["message"].strip(), said[-1]["hint"]) if said else ("it failed", f"read `{log}`")
    return kind(f"{stage}: {message}", hint=f"{hint}; then the same command goes on")


def _signal(code: int) -> signal.Signals | None:
    """What ended a stage, if a signal did: -9 where the shell had become the stage, 137 where it waited for it."""
    number = -code if code < 0 else code - 128
    return signal.Signals(number) if number in {*signal.Signals} else None


def _stopped(message: str, number: signal.Signals) -> UserError:
    goes_on = "the same command goes on, from the newest state that was saved"
    if number == signal.SIGKILL:
        return MachineError(
            message,
            hint=f"{goes_on}; killed there again, it needs more memory or a search without such values (`--study`)",
        )
    return InterruptionError(message, hint=goes_on)


def _how(code: int, number: signal.Signals | None) -> str:
    if number is None:
        return f"ended with {code}"
    told = f"killed by {number.name}"
    return f"{told}, as a system does that has no memory left" if number == signal.SIGKILL else told


def _last_error(text: str) -> str:
    """The last line of a traceback, where there is one."""
    lines = re.findall(r"^\w[\w.]*(?:Error|Exception|Interrupt)\b.*$", text, re.MULTILINE)
    return f": {lines[-1]}" if lines else ""
