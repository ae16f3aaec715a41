"""J-Quants API requests through the official client, with clear errors."""

from __future__ import annotations

import time
import tomllib
import warnings
from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import polars as pl
import requests

from gogooku3.download.transport import Backoff, Clock, Notify, Transport
from gogooku3.errors import MachineError, SourceError
from gogooku3.sources.jquants import responses
from gogooku3.sources.jquants.responses import BARS, CALENDAR, LISTED, TOPIX, Column

if TYPE_CHECKING:
    import pandas as pd

_SESSIONS = ("1", "2")
"""Calendar divisions with trading on the Tokyo exchange: a full day, half a day."""
_KEY_HINT = "set `JQUANTS_API_KEY`, or `api_key` in `~/.jquants-api/jquants-api.toml`"
_RETRY = "run it again later: it resumes from the unfinished month"


class Api:
    """The J-Quants API. Each request raises `SourceError` if it is denied or unanswered, and `DataError` if the
    response differs from the documentation."""

    def __init__(self, client: Any, api_key: str) -> None:
        self._client = client
        self._api_key = api_key

    def sessions(self, first: date, last: date) -> list[date]:
        """The sessions of a period, ends included, ascending; including future ones."""
        what = f"the calendar from {first} to {last}"
        period = {"from_yyyymmdd": str(first), "to_yyyymmdd": str(last)}
        days = self._request(what, CALENDAR, lambda: self._client.get_mkt_calendar(**period))
        return days.filter(pl.col("HolDiv").is_in(_SESSIONS))["Date"].to_list()

    def bars(self, session: date) -> pl.DataFrame:
        """The bars of all issues in a session; no rows before publication."""
        what = f"the bars of {session}"
        bars = self._request(what, BARS, lambda: self._client.get_eq_bars_daily(date_yyyymmdd=str(session)))
        return _check_session(session, what, bars)

    def listed(self, session: date) -> pl.DataFrame:
        """All issues that are listed in a session; no rows before publication."""
        what = f"the listing of {session}"
        listed = self._request(what, LISTED, lambda: self._client.get_eq_master(date=str(session)))
        return _check_session(session, what, listed)

    def topix(self, first: date, last: date) -> pl.DataFrame:
        """TOPIX in the sessions of a period, ends included."""
        what = f"TOPIX from {first} to {last}"
        period = {"from_yyyymmdd": str(first), "to_yyyymmdd": str(last)}
        return self._request(what, TOPIX, lambda: self._client.get_idx_bars_daily_topix(**period))

    def _request(self, what: str, columns: dict[str, Column], call: Callable[[], pd.DataFrame]) -> pl.DataFrame:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pandas: deprecated calls of the client, and dates checked below
                response = call()
        except requests.HTTPError as error:
            raise self._denied(what, error.response) from None
        except requests.JSONDecodeError:
            raise responses.format_error(f"{what} are not JSON") from None
        except requests.RequestException as error:
            raise SourceError(
                f"J-Quants does not respond to the request for {what}: {type(error).__name__}",
                hint=f"check the network of this machine; {_RETRY}",
            ) from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:  # the client cannot parse the response
            raise responses.format_error(f"its client cannot read {what}: {self._without_key(str(error))}") from None
        return responses.frame(what, response, columns)

    def _denied(self, what: str, response: requests.Response) -> SourceError:
        status = response.status_code
        try:
            reason = str(response.json()["message"])
        except (ValueError, KeyError, TypeError):
            reason = HTTPStatus(status).phrase if status in {*HTTPStatus} else "no reason given"
        message = f"J-Quants denies the request for {what} with status {status}: {self._without_key(reason)}"
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return SourceError(message, hint=f"{_KEY_HINT}; TOPIX is part of the plans from Light on")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return SourceError(message, hint=f"set `--rate` to your plan's rate limit (requests per minute); {_RETRY}")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return SourceError(message, hint=_RETRY)
        return SourceError(message, hint="choose `--from` and `--to` within the dates that your plan covers")

    def _without_key(self, text: str) -> str:
        return text.replace(self._api_key, "…")[:500]


def connect(
    address: str,
    rate: float,
    notify: Notify,
    backoff: Backoff = Backoff(),  # noqa: B008 - it is frozen
    clock: Clock = time,
) -> Api:
    """Connects to the API with a rate limit of `rate` requests per minute and the API key that the client finds.

    The client reads the key from the environment variable `JQUANTS_API_KEY`, then from the file in
    `JQUANTS_API_CLIENT_CONFIG_FILE`, `jquants-api.toml` and `~/.jquants-api/jquants-api.toml`.

    Raises:
        MachineError: the client is not installed.
        SourceError: the key is missing or malformed.
    """
    try:
        from jquantsapi import ClientV2
    except ImportError:
        raise MachineError(
            "the official client of J-Quants is not installed", hint="install it with `pip install -e '.[jquants]'`"
        ) from None
    try:
        client = ClientV2()
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"a config file of J-Quants is not TOML: {error}", hint=_KEY_HINT) from None
    except ValueError:
        raise SourceError("there is no API key for J-Quants", hint=_KEY_HINT) from None
    api_key = client._api_key
    if not (isinstance(api_key, str) and api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise SourceError("the API key for J-Quants has invalid characters: a space, a line break, …", hint=_KEY_HINT)
    client.JQUANTS_API_BASE = address.rstrip("/")
    session, transport = client._request_session(), Transport(rate, backoff, notify, clock)
    session.mount("https://", transport)
    session.mount("http://", transport)
    session.max_redirects = 0  # a redirect would forward the key
    return Api(client, api_key)


def _check_session(session: date, what: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Raises `DataError` if a row is not of the requested session."""
    others = rows.filter(pl.col("Date") != session)
    if not others.is_empty():
        raise responses.format_error(f"{what} are of {others['Date'][0]}")
    return rows
