"""Ctrl-C, or a system that asks the process to end: heard at once, heeded between two steps."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Within it the first signal only asks for an end; a second one ends the process as it would without."""

    def __init__(self) -> None:
        self.number = 0
        """Of the signal that came."""

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._ask) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def signal_name(number: int) -> str:
    """A signal as people know it."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
