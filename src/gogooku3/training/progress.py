"""Monitoring of a phase: progress bar on stderr, log file.

No result depends on it, and a full disk that prevents it does not stop training.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from rich import progress as bars
from rich.console import Console
from rich.text import Text

from gogooku3.training.batches import Batch
from gogooku3.training.history import Epoch

log = logging.getLogger(__name__)


class Progress:
    """Progress bar with phase, epoch, step, samples per second, time left, loss and validation RankIC."""

    def __init__(
        self, phase: str, plans: Sequence[Sequence[Sequence[Batch]]], epoch: int, step: int, *, visible: bool = True
    ) -> None:
        """
        Args:
            plans: the batches of every step of every epoch.
            epoch, step: epochs that are done, and steps of the current epoch.
            visible: False for a process that shows nothing: all ranks but 0.
        """
        console = Console(stderr=True)
        self._bars = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=8),
            _Speed(),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[loss]}  {task.fields[validation]}"),
            console=console,
            disable=not (visible and console.is_terminal),
        )
        self._phase = phase
        self._steps = [len(steps) for steps in plans]
        samples = [sum(batch.samples for batch in batches) for steps in plans for batches in steps]
        done = sum(self._steps[:epoch]) + step
        self._task = self._bars.add_task(
            phase, total=sum(samples), completed=sum(samples[:done]), loss="", validation=""
        )
        self._samples, self._began = 0, time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def step(self, epoch: int, step: int, samples: int, loss: float) -> None:
        """Shows that the `step`-th step of an epoch is done."""
        self._samples += samples
        label = f"{self._phase} epoch {epoch} {step}/{self._steps[epoch]}"
        self._bars.update(self._task, advance=samples, description=label, loss=f"loss {loss:+.4f}")

    def validated(self, epoch: Epoch) -> None:
        """Logs and shows an epoch's validation result."""
        took = time.monotonic() - self._began
        log.info(
            "epoch %d: loss %+.4f, validation RankIC %+.4f, Sharpe %+.2f; %d steps, %.0f samples/s with validation",
            epoch.epoch, epoch.train_loss, epoch.validation_rank_ic, epoch.validation_sharpe, epoch.steps,
            self._samples / took,
        )  # fmt: skip
        self._bars.update(self._task, validation=f"RankIC {epoch.validation_rank_ic:+.4f}")
        self._samples, self._began = 0, time.monotonic()


class _Speed(bars.ProgressColumn):
    def render(self, task: bars.Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} samples/s" if speed else "", no_wrap=True)


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Context manager: appends log records to a file; stderr gets warnings, or everything if it is not a terminal."""
    file, screen = _File(path, encoding="utf-8", delay=True), _Screen()
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    screen.setLevel(logging.WARNING if sys.stderr.isatty() else logging.INFO)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger("gogooku3")
    root.setLevel(logging.DEBUG)
    for handler in (file, screen):
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in (file, screen):
            root.removeHandler(handler)
            handler.close()


class _File(logging.FileHandler):
    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)

    def close(self) -> None:
        with suppress(OSError):  # of what could not be written before
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignores the error: a failed log write is not worth a traceback."""


class _Screen(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # While the bar is shown, rich replaces `sys.stderr` by a stream that prints above it.
        print(self.format(record), file=sys.stderr)  # noqa: T201
