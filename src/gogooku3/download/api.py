"""The questions that are put to J-Quants, through the official client, and what a refusal means."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import polars as pl
import requests

from gogooku3.download.transport import Patience, Say, Transport
from gogooku3.errors import MachineError, SourceError
from gogooku3.sources.jquants import answers
from gogooku3.sources.jquants.answers import BARS, CALENDAR, LISTED, TOPIX, Column

if TYPE_CHECKING:
    import pandas as pd

_SESSIONS = ("1", "2")
"""Divisions of the calendar on which the Tokyo exchange trades: a whole day, half a day."""
_KEY_HINT = "put the key into `JQUANTS_API_KEY`, or as `api_key` into `~/.jquants-api/jquants-api.toml`"
_LATER = "run it again later: it goes on with the month where it stopped"


class Api:
    """J-Quants. Every question raises `SourceError` where it is refused or has no answer, and `DataError` where the
    answer is not as documented."""

    def __init__(self, client: Any, api_key: str) -> None:
        self._client = client
        self._api_key = api_key

    def sessions(self, first: date, last: date) -> list[date]:
        """The sessions of a period, both ends included, rising; those to come too."""
        what = f"the calendar from {first} to {last}"
        period = {"from_yyyymmdd": str(first), "to_yyyymmdd": str(last)}
        days = self._ask(what, CALENDAR, lambda: self._client.get_mkt_calendar(**period))
        return days.filter(pl.col("HolDiv").is_in(_SESSIONS))["Date"].to_list()

    def bars(self, session: date) -> pl.DataFrame:
        """The bars of all issues on a session; no rows before they are published."""
        what = f"the bars of {session}"
        asked = self._ask(what, BARS, lambda: self._client.get_eq_bars_daily(date_yyyymmdd=str(session)))
        return _of(session, what, asked)

    def listed(self, session: date) -> pl.DataFrame:
        """All issues that are listed on a session; no rows before they are published."""
        what = f"the listing of {session}"
        return _of(session, what, self._ask(what, LISTED, lambda: self._client.get_eq_master(date=str(session))))

    def topix(self, first: date, last: date) -> pl.DataFrame:
        """TOPIX on the sessions of a period, both ends included."""
        what = f"TOPIX from {first} to {last}"
        period = {"from_yyyymmdd": str(first), "to_yyyymmdd": str(last)}
        return self._ask(what, TOPIX, lambda: self._client.get_idx_bars_daily_topix(**period))

    def _ask(self, what: str, columns: dict[str, Column], question: Callable[[], pd.DataFrame]) -> pl.DataFrame:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pandas': of what the client calls, and of dates checked below
                answer = question()
        except requests.HTTPError as error:
            raise self._refused(what, error.response) from None
        except requests.JSONDecodeError:
            raise answers.changed(f"{what} are not JSON") from None
        except requests.RequestException as error:
            raise SourceError(
                f"J-Quants does not answer when asked for {what}: {type(error).__name__}",
                hint=f"look at the network of this machine; {_LATER}",
            ) from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:  # the client did not find what it looks for
            raise answers.changed(f"its client cannot read {what}: {self._without_key(str(error))}") from None
        return answers.frame(what, answer, columns)

    def _refused(self, what: str, response: requests.Response) -> SourceError:
        status = response.status_code
        try:
            said = str(response.json()["message"])
        except (ValueError, KeyError, TypeError):
            said = HTTPStatus(status).phrase if status in {*HTTPStatus} else "no reason given"
        message = f"J-Quants refuses {what} with {status}: {self._without_key(said)}"
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return SourceError(message, hint=f"{_KEY_HINT}; TOPIX is part of the plans from Light on")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return SourceError(message, hint=f"give your plan's requests per minute with `--rate`; {_LATER}")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return SourceError(message, hint=_LATER)
        return SourceError(message, hint="choose `--from` and `--to` within the dates that your plan covers")

    def _without_key(self, text: str) -> str:
        return text.replace(self._api_key, "…")[:500]


def connect(address: str, rate: float, say: Say, patience: Patience = Patience()) -> Api:  # noqa: B008 - it is frozen
    """The API at an address, asked at most `rate` times a minute, with the key that the official client finds.

    The client looks for the key in the environment variable `JQUANTS_API_KEY`, then in the file that
    `JQUANTS_API_CLIENT_CONFIG_FILE` names, `jquants-api.toml` and `~/.jquants-api/jquants-api.toml`.

    Raises:
        MachineError: the client is not installed.
        SourceError: there is no key, or none that could be one.
    """
    try:
        from jquantsapi import ClientV2
    except ImportError:
        raise MachineError(
            "the official client of J-Quants is not installed", hint="`pip install -e '.[jquants]'` brings it"
        ) from None
    try:
        client = ClientV2()
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"a settings file of J-Quants is not TOML: {error}", hint=_KEY_HINT) from None
    except ValueError:
        raise SourceError("there is no key for J-Quants", hint=_KEY_HINT) from None
    api_key = client._api_key
    if not (isinstance(api_key, str) and api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise SourceError("the key for J-Quants holds what no key can: a space, a line break, …", hint=_KEY_HINT)
    client.JQUANTS_API_BASE = address.rstrip("/")
    session, transport = client._request_session(), Transport(rate, patience, say)
    session.mount("https://", transport)
    session.mount("http://", transport)
    session.max_redirects = 0  # the key would go along
    return Api(client, api_key)


def _of(session: date, what: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows that are all of the session that was asked for."""
    others = rows.filter(pl.col("Date") != session)
    if not others.is_empty():
        raise answers.changed(f"{what} are of {others['Date'][0]}")
    return rows
