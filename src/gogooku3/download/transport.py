"""How J-Quants is asked: never faster than a plan allows, again where it helps, and not for ever.

The official client asks again three times at once, which only prolongs a refusal for too many requests: the service
blocks for about five minutes whoever keeps on (https://jpx-jquants.com/en/spec/rate-limits). So waits grow, and those
after such a refusal last longer than the block.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests
from requests.adapters import HTTPAdapter

Say = Callable[[str], None]
"""Is told why it takes longer."""


@dataclass(frozen=True)
class Patience:
    """Seconds to wait before each new attempt; where they are used up, the last answer stands."""

    limited: tuple[float, ...] = (10.0, 20.0, 40.0, 80.0, 120.0, 120.0)
    """After 429, too many requests."""
    failing: tuple[float, ...] = (2.0, 4.0, 8.0)
    """After 5xx, or no answer."""


class Transport(HTTPAdapter):
    """Sends the requests of a session one after the other, each page of an answer among them."""

    def __init__(self, rate: float, patience: Patience, say: Say) -> None:
        """Sends at most `rate` requests per minute."""
        super().__init__()
        self._interval = 60.0 / rate
        self._patience = patience
        self._say = say
        self._next = 0.0

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """The answer, in whole; raises what `requests` raises where there is none at last."""
        limited, failing = iter(self._patience.limited), iter(self._patience.failing)
        while True:
            self._await_turn()
            try:
                response = super().send(request, *args, **kwargs)
                response.content  # noqa: B018 - read here, so that an answer that breaks off is asked for again
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if (wait := next(failing, None)) is None:
                    raise
                self._pause("does not answer", wait)
                continue
            if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                wait = next(limited, None)
            elif response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                wait = next(failing, None)
            else:
                return response
            if wait is None:
                return response
            self._pause(f"answers {response.status_code}", _asked_for(response, wait))

    def _await_turn(self) -> None:
        now = time.monotonic()
        time.sleep(max(0.0, self._next - now))
        self._next = max(now, self._next) + self._interval

    def _pause(self, why: str, seconds: float) -> None:
        self._say(f"J-Quants {why}; asking again in {seconds:g} s")
        time.sleep(seconds)


def _asked_for(response: requests.Response, wait: float) -> float:
    """The seconds that the answer itself asks to wait, within reason; else the usual ones."""
    said = response.headers.get("Retry-After", "")
    return min(float(said), 600.0) if said.isdecimal() else wait
