"""Timeouts for requests to a bucket: its client retries with backoff by itself, but for too long."""

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
"""Seconds without a byte after which the client gives up a request and retries it."""

TOTAL_TIMEOUT = 16
"""Seconds without progress after which the whole call fails, whatever the number of retries."""

_T = TypeVar("_T")


class StallError(Exception):
    """A call without progress: the timeout, and the client's last error if known."""


class Requests:
    """Requests of several threads to one bucket; a response to any of them resets the timeout of all."""

    def __init__(self) -> None:
        self._last_response = 0.0

    def call(self, work: Callable[[Callback], Coroutine[Any, Any, _T]], timeout: float) -> _T:
        """Runs a client's coroutine, which reports transferred bytes to a callback, and returns its result.

        The coroutine's exceptions pass through. Raises `StallError` after `timeout` seconds without progress.
        """
        transfer = _Transfer()
        start = transfer.last_progress
        future = asyncio.run_coroutine_threadsafe(work(transfer), get_loop())
        while not future.done():
            remaining = max(transfer.last_progress, self._last_response) + timeout - time.monotonic()
            if remaining <= 0:
                future.cancel()
                raise StallError(f"no answer in {timeout:.0f} s{_retry_log.since(start)}")
            concurrent.futures.wait([future], timeout=remaining)
        if future.exception() is None or isinstance(future.exception(), FileNotFoundError):
            self._last_response = time.monotonic()
        return future.result()


class _Transfer(Callback):  # type: ignore[misc]
    """The time of a transfer's last progress; bytes that are sent again after a restart are no progress."""

    def __init__(self) -> None:
        super().__init__()
        self.last_progress = time.monotonic()
        self._max_bytes = 0

    def set_size(self, size: int | None) -> None:
        """Starts the transfer, or restarts it, from the first byte."""
        self.size, self.value = size, 0

    def call(self, hook_name: str | None = None, **_: Any) -> None:
        """Called by the client after `value` bytes were transferred."""
        if self.value > self._max_bytes:
            self._max_bytes, self.last_progress = self.value, time.monotonic()


class _RetryLog(logging.Handler):
    """Keeps the last error of a client that retries. Without a handler, its whole log would be printed."""

    _marker = "retrying after exception: "

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._time, self._error = 0.0, ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if self._marker in message:
            self._time, self._error = time.monotonic(), " ".join(message.split(self._marker, 1)[1].split())

    def since(self, start: float) -> str:
        return f": {self._error}" if self._time >= start and self._error else ""


_retry_log = _RetryLog()


def capture_client_log() -> None:
    """Captures the log of Google's client, so that it is not printed."""
    for name in ("gcsfs", "google"):
        logging.getLogger(name).addHandler(_retry_log)
    logging.getLogger("gcsfs").setLevel(logging.DEBUG)
