"""What is shown on standard error while a phase trains. Nothing of it enters a result."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich import progress as bars
from rich.console import Console


class Progress:
    """Phase, epoch, step, loss, validation, time left."""

    def __init__(self, phase: str, steps: int) -> None:
        self._bars = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[loss]}  {task.fields[validation]}"),
            console=Console(stderr=True),
        )
        self._phase = phase
        self._task = self._bars.add_task(phase, total=steps, loss="", validation="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def step(self, epoch: int, loss: float) -> None:
        """One more step is done."""
        self._bars.update(
            self._task, advance=1, description=f"{self._phase} epoch {epoch + 1}", loss=f"loss {loss:+.4f}"
        )

    def validated(self, rank_ic: float) -> None:
        """An epoch was validated."""
        self._bars.update(self._task, validation=f"validation RankIC {rank_ic:+.4f}")
