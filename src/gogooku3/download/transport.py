"""HTTP transport for J-Quants: rate limit, retries with exponential backoff, and an end to them.

The official client retries three times without delay, which prolongs a block for too many requests: the service blocks
clients that continue for about five minutes (https://jpx-jquants.com/en/spec/rate-limits). So the delays grow; after
status 429 their sum is longer than the block.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter

Notify = Callable[[str], None]
"""Callback for messages about delays."""


class Clock(Protocol):
    """Measures and waits, as the module `time` does."""

    def monotonic(self) -> float:
        """Seconds since any moment."""

    def sleep(self, seconds: float, /) -> None:
        """Waits."""


@dataclass(frozen=True)
class Backoff:
    """Delays in seconds before each retry; after the last one, the last response is final."""

    limited: tuple[float, ...] = (10.0, 20.0, 40.0, 80.0, 120.0, 120.0)
    """After status 429 (too many requests)."""
    failing: tuple[float, ...] = (2.0, 4.0, 8.0)
    """After status 5xx, a timeout or a lost connection."""


class Transport(HTTPAdapter):
    """Sends the requests of an HTTP session one by one, including each page of a response."""

    def __init__(self, rate: float, backoff: Backoff, notify: Notify, clock: Clock = time) -> None:
        """Sends at most `rate` requests per minute by the clock."""
        super().__init__()
        self._interval = 60.0 / rate
        self._backoff = backoff
        self._notify = notify
        self._clock = clock
        self._next = 0.0

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Returns the complete response; raises an exception of `requests` if the last retry fails."""
        limited, failing = iter(self._backoff.limited), iter(self._backoff.failing)
        while True:
            self._limit_rate()
            try:
                response = super().send(request, *args, **kwargs)
                response.content  # noqa: B018 - read here, so that a truncated response is retried
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if (wait := next(failing, None)) is None:
                    raise
                self._pause("does not respond", wait)
                continue
            if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                wait = next(limited, None)
            elif response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                wait = next(failing, None)
            else:
                return response
            if wait is None:
                return response
            self._pause(f"responds with status {response.status_code}", _retry_after(response, wait))

    def _limit_rate(self) -> None:
        now = self._clock.monotonic()
        self._clock.sleep(max(0.0, self._next - now))
        self._next = max(now, self._next) + self._interval

    def _pause(self, why: str, seconds: float) -> None:
        self._notify(f"J-Quants {why}; retrying in {seconds:g} s")
        self._clock.sleep(seconds)


def _retry_after(response: requests.Response, wait: float) -> float:
    """The delay of the response's `Retry-After` header, at most 600 s; the default delay if it has none."""
    header = response.headers.get("Retry-After", "")
    return min(float(header), 600.0) if header.isdecimal() else wait
