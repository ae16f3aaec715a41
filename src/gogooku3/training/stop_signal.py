"""Graceful stop: records SIGINT (Ctrl-C) or SIGTERM, so that training stops between two steps."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Context manager in which the first signal only requests a stop; a second one ends the process as usual."""

    def __init__(self) -> None:
        self.number = 0
        """Number of the received signal; 0 if none was received."""

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._request) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _request(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def signal_name(number: int) -> str:
    """Printed name of a signal: `Ctrl-C` for SIGINT, else the signal's name."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
