"""Timeouts for requests to a bucket: its client retries with backoff by itself, but for too long."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar

from aiohttp import ClientSession, TraceConfig, TraceRequestEndParams, TraceResponseChunkReceivedParams
from fsspec.asyn import get_loop
from fsspec.callbacks import Callback

from gogooku3.runtime.interruption import stopped

STALL_TIMEOUT = 6
"""Seconds without a byte after which the client gives up a request and retries it."""

TOTAL_TIMEOUT = 16
"""Seconds without progress after which the whole call fails, whatever the number of retries."""

MIN_RATE = 1 << 10
"""Lowest accepted rate of downloads in bytes per second, of all transfers of a store together: fewer bytes in the
timeout are no progress."""

_POLL_S = 0.25
"""Seconds between two looks at whether the command was stopped."""

_T = TypeVar("_T")


class StallError(Exception):
    """A call without progress: the timeout, and the client's last error if known."""


class Requests:
    """Requests of several threads to one bucket; a response to any of them resets the timeout of all.

    So do bytes of any transfer, at `MIN_RATE` or faster.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds since any moment."""
        self._clock = clock
        self._last_progress = 0.0
        self._bytes = 0  # since the last progress
        self._lock = threading.Lock()

    def call(self, work: Callable[[Callback], Coroutine[Any, Any, _T]], timeout: float) -> _T:
        """Runs a client's coroutine, which reports transferred bytes to a callback, and returns its result.

        The coroutine's exceptions pass through. Raises `StallError` after `timeout` seconds without progress.
        """
        start = self._clock()
        transfer = _Transfer(lambda count: self._received(count, timeout))
        future = asyncio.run_coroutine_threadsafe(work(transfer), get_loop())
        try:
            while not future.done():
                remaining = max(start, self._last_progress) + timeout - self._clock()
                if remaining <= 0:
                    slow = f"less than {MIN_RATE:,} bytes/s for" if transfer.max_bytes else "no answer in"
                    raise StallError(f"{slow} {timeout:.0f} s{_retry_log.since(start)}")
                if stopped.is_set():  # another thread got the signal
                    raise StallError("no answer before the command was stopped")
                concurrent.futures.wait([future], timeout=min(remaining, _POLL_S))
        except BaseException:
            future.cancel()
            raise
        if future.exception() is None or isinstance(future.exception(), FileNotFoundError):
            self._responded()
        return future.result()

    def page_trace(self) -> TraceConfig:
        """Configuration of a session in which each page of a listing of Google's bucket is a response."""

        async def headers(_: ClientSession, request: SimpleNamespace, params: TraceRequestEndParams) -> None:
            request.is_page = params.method == "GET" and params.url.path.endswith("/o") and params.response.ok

        async def body(_: ClientSession, request: SimpleNamespace, _params: TraceResponseChunkReceivedParams) -> None:
            if request.is_page:
                self._responded()

        trace = TraceConfig()
        trace.on_request_end.append(headers)
        trace.on_response_chunk_received.append(body)
        return trace

    def _responded(self) -> None:
        self._last_progress = self._clock()

    def _received(self, count: int, timeout: float) -> None:
        with self._lock:
            self._bytes += count
            if self._bytes >= MIN_RATE * timeout:
                self._bytes = 0
                self._responded()


class _Transfer(Callback):  # type: ignore[misc]
    """Reports the bytes of a transfer as they arrive; bytes that are sent again after a restart are not new."""

    def __init__(self, received: Callable[[int], None]) -> None:
        super().__init__()
        self.max_bytes = 0
        self._received = received

    def set_size(self, size: int | None) -> None:
        """Starts the transfer, or restarts it, from the first byte."""
        self.size, self.value = size, 0

    def call(self, hook_name: str | None = None, **_: Any) -> None:
        """Called by the client after `value` bytes were transferred."""
        if self.value > self.max_bytes:
            self._received(self.value - self.max_bytes)
            self.max_bytes = self.value


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
