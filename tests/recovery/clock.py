"""A clock that only a test moves."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

GUARD_S = 120.0
"""Seconds of real time after which a test that waits has failed."""


class Clock:
    """Gives the time that a test has set; a test can wait until the code that is tested has looked at it."""

    def __init__(self) -> None:
        self._now = time.monotonic()
        self._looks = 0

    def __call__(self) -> float:
        if threading.current_thread().name != "fsspecIO":  # it notes progress, and ends no call
            self._looks += 1
        return self._now

    def at(self, seconds: float) -> Callable[[], bool]:
        """Whether some seconds have passed from now."""
        moment = self._now + seconds
        return lambda: self._now >= moment

    def advance(self, seconds: float) -> Callable[[], bool]:
        """Moves the clock; returns whether it was looked at since."""
        self._now += seconds
        looks = self._looks
        return lambda: self._looks > looks


def wait_until(condition: Callable[[], object]) -> None:
    """Waits in a thread."""
    end = time.monotonic() + GUARD_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


async def until(condition: Callable[[], object]) -> None:
    """Waits in a coroutine."""
    end = time.monotonic() + GUARD_S
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.001)
