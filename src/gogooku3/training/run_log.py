"""Log, live learning curve and timing of a run of a phase, in files that are named by phase and run.

A run is what the key of its checkpoints identifies (`Checkpoints.run`). A stopped run continues its files; a run with
the key of a finished one, such as after `dvc repro --force`, gets the next number. No result depends on these files,
and a full disk that prevents them does not stop training.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gogooku3.runtime.files import md5_file, write_json
from gogooku3.training.history import History
from gogooku3.training.progress import log_to

BOUND = ("history.json", "model.safetensors")
"""Outputs whose hashes identify the run that a timing belongs to."""


class RunLog:
    """Context manager: logs of the package go to `<phase>-<run>.log`; at the end the timing is written.

    `<phase>-<run>.json` has one segment per process that trained the run: start, seconds, steps, samples.
    """

    def __init__(self, logs: Path, phase: str, run: str, *, writes: bool = True) -> None:
        """
        Args:
            logs: folder of the files.
            run: `Checkpoints.run`.
            writes: False for a process that writes nothing: all ranks but 0.
        """
        self._stem = _stem(logs, phase, run) if writes else None
        self._phase, self._run = phase, run
        self._earlier = _read(self._stem.with_suffix(".json")).get("segments", []) if self._stem else []
        self._steps = self._samples = 0
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        self._started, self._began = datetime.now(UTC), time.monotonic()
        if self._stem is not None:
            self._exit.enter_context(log_to(self._stem.with_suffix(".log")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()
        self._exit.close()

    def step(self, samples: int) -> None:
        """Counts a finished step."""
        self._steps += 1
        self._samples += samples

    def validated(self, history: History) -> None:
        """Writes the learning curve so far, for `dvc plots show`, and the timing so far, which a kill then keeps."""
        if self._stem is not None:
            with suppress(OSError):
                history.write_curve(self._stem.with_suffix(".csv"))
        self._write()

    def _write(self) -> None:
        if self._stem is None:
            return
        segment = {
            "started": self._started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self._began, 3),
            "steps": self._steps,
            "samples": self._samples,
        }
        content = {"phase": self._phase, "run": self._run, "segments": [*self._earlier, segment]}
        with suppress(OSError):
            write_json(content, self._stem.with_suffix(".json"))


def finish(logs: Path, phase: str, run: str, folder: Path) -> None:
    """Records that a run made the outputs in a folder; the arguments are those of `RunLog`."""
    file = _stem(logs, phase, run).with_suffix(".json")
    if timing := _read(file):
        with suppress(OSError):
            write_json(timing | {"outputs": {name: md5_file(folder / name) for name in BOUND}}, file)


def _stem(logs: Path, phase: str, run: str) -> Path:
    """The path of the run's files without their endings: the first whose run is not finished."""
    stems = (logs / f"{phase}-{run}{f'-{number}' if number > 1 else ''}" for number in count(1))
    return next(stem for stem in stems if "outputs" not in _read(stem.with_suffix(".json")))


def _read(file: Path) -> dict[str, Any]:
    """The timing in a file; empty if there is none, or it is damaged."""
    with suppress(OSError, ValueError):
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, dict) and isinstance(content.get("segments"), list):
            return content
    return {}
