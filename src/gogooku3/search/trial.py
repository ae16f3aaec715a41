"""Runs one trial: `dvc exp run` with its values, progress from its output, and the reason if it fails."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gogooku3.errors import GitError, InterruptionError, MachineError, SourceError, StoreError, UserError
from gogooku3.recovery.sandbox.environment import CURRENT
from gogooku3.runtime.interruption import StopRequest, signal_name
from gogooku3.runtime.machine import signal_group
from gogooku3.search.space import Values

MARK = "GOGOOKU3_TRIAL_OF"
"""Environment variable that marks the processes of a trial; its value is their clone."""

_RUNNING = re.compile(r"^Running stage '(?P<stage>[^']+)'")
_FAILED_STAGE = re.compile(r"^ERROR: failed to reproduce '(?P<stage>[^']+)'.*exited with (?P<code>-?\d+)", re.MULTILINE)
_PRINTED_ERROR = re.compile(r"^error: (?P<message>.*?)^hint: (?P<hint>[^\n]*)", re.MULTILINE | re.DOTALL)

_UNRELATED_CODES = {error.exit_code: error for error in (MachineError, StoreError, GitError, SourceError)}
"""Exit codes of a stage that do not depend on its parameters: the next trial would fail in the same way."""

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
"""Signals caused by the process itself. Any other signal comes from outside and does not depend on the parameters."""


class DvcFailedError(MachineError):
    """DVC itself failed, not a stage of the trial."""


class Stop(StopRequest):
    """Context manager that forwards a signal as SIGINT (Ctrl-C) to the running trial, which then stops gracefully.

    A second signal kills the trial; in both cases it resumes from its newest checkpoint.
    """

    def __init__(self) -> None:
        super().__init__()
        self._process: subprocess.Popen[str] | None = None

    @property
    def by(self) -> str | None:
        """Name of the received signal."""
        return signal_name(self.number) if self.number else None

    @contextmanager
    def forwarding(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """Context manager: forwards signals to all processes of a trial's session."""
        self._process = process
        try:
            if self.by is not None:
                self._end(signal.SIGINT)
            yield
        finally:
            self._process = None

    def on_signal(self, *, first: bool) -> None:
        """Ends the running trial."""
        self._end(signal.SIGINT if first else signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            signal_group(self._process.pid, number)


def run(workspace: Path, name: str, values: Values, log: Path, stop: Stop, say: Callable[[str], None]) -> str | None:
    """Runs an experiment in a clone; returns the reason of its failure, or None.

    Args:
        log: file for all output of the experiment.
        stop: forwards signals to the experiment.
        say: called with each stage when it starts.

    Raises:
        DvcFailedError: DVC itself failed.
        UserError: a stage failed for a reason unrelated to the values: machine, bucket, Git, or a signal from outside,
            such as an out-of-memory kill.
    """
    command = [sys.executable, "-P", "-m", "dvc", "exp", "run", "--no-hydra", "--name", name]
    command += ["--message", f"{name}: {json.dumps(values)}"]
    command += [part for key, value in values.items() for part in ("--set-param", f"{key}={json.dumps(value)}")]
    # No automatic push: this clone's `origin` is the user's repository.
    variables = CURRENT.variables(workspace) | {MARK: str(workspace), "DVC_EXP_AUTO_PUSH": "false"}
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
        stop.forwarding(process),
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
    failed, errors = _FAILED_STAGE.search(text), [*_PRINTED_ERROR.finditer(text)]
    if failed is None:
        last = [line for line in text.splitlines() if line.strip()][-1:] or ["no output"]
        raise DvcFailedError(
            f"`dvc exp run` failed with exit code {code}: {last[0]}", hint=f"read its output in `{log}`"
        )
    stage, stage_code = failed["stage"], int(failed["code"])
    if stage_code in _UNRELATED_CODES:
        raise _unrelated_error(_UNRELATED_CODES[stage_code], stage, errors, log)
    number = _signal(stage_code)
    message = (
        " ".join(errors[-1]["message"].split()) if errors else f"{_describe(stage_code, number)}{_last_error(text)}"
    )
    if number is not None and number not in _FAULTS:
        raise _stopped(f"{stage}: {message}", number)
    return f"{stage}: {message}"


def _unrelated_error(kind: type[UserError], stage: str, errors: list[re.Match[str]], log: Path) -> UserError:
    message, hint = (errors[-1]["message"].strip(), errors[-1]["hint"]) if errors else ("it failed", f"read `{log}`")
    return kind(f"{stage}: {message}", hint=f"{hint}; then the same command resumes")


def _signal(code: int) -> signal.Signals | None:
    """The signal that ended a stage, if any: -9 if the shell was replaced by the stage, 137 if it waited for it."""
    number = -code if code < 0 else code - 128
    return signal.Signals(number) if number in {*signal.Signals} else None


def _stopped(message: str, number: signal.Signals) -> UserError:
    resumes = "the same command resumes from the newest checkpoint"
    if number == signal.SIGKILL:
        return MachineError(
            message,
            hint=f"{resumes}; if it is killed there again, use more memory or a search without such values (`--study`)",
        )
    return InterruptionError(message, hint=resumes)


def _describe(code: int, number: signal.Signals | None) -> str:
    if number is None:
        return f"failed with exit code {code}"
    text = f"killed by {number.name}"
    return f"{text}, perhaps out of memory" if number == signal.SIGKILL else text


def _last_error(text: str) -> str:
    """The last line of a traceback, if there is one."""
    lines = re.findall(r"^\w[\w.]*(?:Error|Exception|Interrupt)\b.*$", text, re.MULTILINE)
    return f": {lines[-1]}" if lines else ""
