"""How long a bucket is waited for: its client tries again by itself, but for longer than anybody waits."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fsspec.asyn import get_loop
from fsspec.callbacks import Callback

STALL_TIMEOUT = 6
"""Seconds without a byte after which a request is taken for lost, and made again."""

TOTAL_TIMEOUT = 16
"""Seconds without any progress after which nothing more is expected, however often a request was made again."""

_T = TypeVar("_T")


class SilenceError(Exception):
    """How long nothing came, and why, as far as the client knows."""


class Requests:
    """What is asked of one bucket, by several threads at once; as long as some are answered, the others wait."""

    def __init__(self) -> None:
        self._answered = 0.0

    def call(self, work: Callable[[Callback], Coroutine[Any, Any, _T]], patience: float) -> _T:
        """What a client's work gives; it tells a callback of the bytes that are through. Its exceptions pass.

        Raises `SilenceError` where nothing came for as many seconds as `patience` says.
        """
        pulse = _Pulse()
        began = pulse.last
        future = asyncio.run_coroutine_threadsafe(work(pulse), get_loop())
        while not future.done():
            left = max(pulse.last, self._answered) + patience - time.monotonic()
            if left <= 0:
                future.cancel()
                raise SilenceError(f"no answer in {patience:.0f} s{_listener.since(began)}")
            concurrent.futures.wait([future], timeout=left)
        if future.exception() is None or isinstance(future.exception(), FileNotFoundError):
            self._answered = time.monotonic()
        return future.result()


class _Pulse(Callback):  # type: ignore[misc]
    """When a transfer last came further than ever before: bytes that came again are no progress."""

    def __init__(self) -> None:
        super().__init__()
        self.last = time.monotonic()
        self._furthest = 0

    def set_size(self, size: int | None) -> None:
        """Begins from the first byte, perhaps again."""
        self.size, self.value = size, 0

    def call(self, hook_name: str | None = None, **_: Any) -> None:
        """Is told that `value` bytes are through."""
        if self.value > self._furthest:
            self._furthest, self.last = self.value, time.monotonic()


class _Listener(logging.Handler):
    """Remembers why a client that keeps trying failed last. Otherwise all that it logs would be printed."""

    _mark = "retrying after exception: "

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._heard, self._words = 0.0, ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if self._mark in message:
            self._heard, self._words = time.monotonic(), " ".join(message.split(self._mark, 1)[1].split())

    def since(self, began: float) -> str:
        return f": {self._words}" if self._heard >= began and self._words else ""


_listener = _Listener()


def capture_client_log() -> None:
    """Hears what Google's client logs, and keeps it from being printed."""
    for name in ("gcsfs", "google"):
        logging.getLogger(name).addHandler(_listener)
    logging.getLogger("gcsfs").setLevel(logging.DEBUG)
