"""Failed requests are retried with backoff; the final error is one message without the API key."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from gogooku3.download.api import Api, connect
from gogooku3.download.transport import Backoff
from gogooku3.errors import MachineError, SourceError, UserError
from gogooku3.sources.jquants.raw import RawFolder

from ..jquants import KEY, Answer, Exchange, Fault, Request, refusal
from .conftest import FAST, Run, contents

DAY = date(2024, 1, 29)
BARS = "/v2/equities/bars/daily"


def on(path: str, answer: Answer, times: int = 1000) -> Fault:
    """Answers the first attempts of each request for a path."""
    return lambda request: answer if request.path == path and request.attempt <= times else None


def refused(run: Run) -> UserError:
    with pytest.raises(UserError) as caught:
        run()
    return caught.value


@pytest.mark.parametrize(
    ("answer", "message", "hint", "attempts"),
    [
        (
            refusal(401, "Unauthorized"),
            "denies the request for the bars of 2024-01-29 with status 401: Unauthorized",
            "`JQUANTS_API_KEY`",
            1,
        ),
        (
            refusal(403, f"The api key {KEY} is invalid or expired."),
            "with status 403: The api key … is invalid or expired.",
            "`~/.jquants-api/jquants-api.toml`",
            1,
        ),
        (
            refusal(400, "Your subscription covers the following dates: 2024-02-01 ~ ."),
            "with status 400: Your subscription covers the following dates: 2024-02-01 ~ .",
            "choose `--from` and `--to`",
            1,
        ),
        (refusal(429, "Rate limit exceeded"), "with status 429: Rate limit exceeded", "`--rate`", 4),
        (refusal(500, "Internal Server Error"), "with status 500: Internal Server Error", "run it again later", 3),
        (Answer(503, "<html>"), "with status 503: Service Unavailable", "run it again later", 3),
        (
            Answer(200, '{"data": [', sent=0.5),
            "does not respond to the request for the bars of 2024-01-29",
            "network",
            3,
        ),
    ],
    ids=["401", "403", "400", "429", "500", "503", "broken off"],
)
def test_a_failed_request_is_one_error_after_a_limited_number_of_retries(
    exchange: Exchange, run: Run, folder: Path, answer: Answer, message: str, hint: str, attempts: int
) -> None:
    exchange.faults.append(on(BARS, answer))
    error = refused(run)
    assert isinstance(error, SourceError)
    assert error.exit_code == 9
    assert message in error.message
    assert hint in error.hint
    assert KEY not in str(error)
    assert exchange.asked(BARS) == attempts
    assert error.__cause__ is None
    assert contents(folder) == {}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refusal(429, "Rate limit exceeded"), "J-Quants responds with status 429; retrying in 0 s"),
        (refusal(500, "Internal Server Error"), "J-Quants responds with status 500; retrying in 0 s"),
        (Answer(200, '{"data": [', sent=0.5), "J-Quants does not respond; retrying in 0 s"),
    ],
    ids=["429", "500", "broken off"],
)
def test_temporary_errors_are_retried_and_change_no_byte(
    exchange: Exchange, run: Run, folder: Path, messages: list[str], tmp_path: Path, answer: Answer, message: str
) -> None:
    """Each page of each response fails at first."""
    run()
    folder.rename(tmp_path / "without_errors")
    exchange._attempts.clear()
    exchange.requests.clear()
    exchange.faults.append(lambda request: answer if request.attempt <= 2 else None)
    run()
    assert {file.name: file.read_bytes() for file in folder.rglob("*.*")} == {
        file.name: file.read_bytes() for file in (tmp_path / "without_errors").rglob("*.*")
    }
    assert messages == [message] * (len(exchange.requests) * 2 // 3)


class Clock:
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def arrivals(exchange: Exchange) -> tuple[Clock, list[float]]:
    """A clock, and when each request arrives by it."""
    clock, moments = Clock(), []

    def note(_request: Request) -> None:
        moments.append(clock.now)

    exchange.faults.append(note)
    return clock, moments


def test_the_retry_after_header_is_respected(
    exchange: Exchange, arrivals: tuple[Clock, list[float]], messages: list[str]
) -> None:
    clock, moments = arrivals
    exchange.faults.append(on(BARS, refusal(429, "slow down", Retry_After="70"), times=1))
    connect(exchange.address, FAST, messages.append, clock=clock).bars(DAY)
    assert messages == ["J-Quants responds with status 429; retrying in 70 s"] * (len(moments) // 2)
    assert moments[1] - moments[0] == pytest.approx(70)


@pytest.mark.parametrize("busy", [0.0, 0.03, 0.2])
def test_the_rate_limit_is_kept(
    exchange: Exchange, arrivals: tuple[Clock, list[float]], messages: list[str], busy: float
) -> None:
    """`busy`: seconds that each response takes."""
    clock, moments = arrivals
    exchange.faults.append(lambda _request: clock.sleep(busy))
    api = connect(exchange.address, 1200.0, messages.append, clock=clock)
    for _ in range(5):
        api.bars(DAY)
    assert len(moments) == 15  # pages too
    assert np.diff(moments) == pytest.approx([max(0.05, busy)] * 14)


def test_an_unreachable_server_is_one_error(messages: list[str]) -> None:
    api = connect("http://127.0.0.1:9", FAST, messages.append, Backoff(failing=(0.0,)))
    with pytest.raises(SourceError, match="not respond to the request for the bars of 2024-01-29: ConnectionError"):
        api.bars(DAY)
    assert messages == ["J-Quants does not respond; retrying in 0 s"]


def test_the_key_does_not_follow_a_redirect(exchange: Exchange, api: Api) -> None:
    exchange.faults.append(on(BARS, Answer(302, "", {"Location": f"{exchange.address}/elsewhere"})))
    with pytest.raises(SourceError, match="TooManyRedirects"):
        api.bars(DAY)
    assert [request.path for request in exchange.requests] == [BARS]


@pytest.mark.parametrize(
    ("arrange", "message"),
    [
        (lambda patch, home: patch.delenv("JQUANTS_API_KEY"), "there is no API key for J-Quants"),
        (lambda patch, home: patch.setenv("JQUANTS_API_KEY", ""), "there is no API key for J-Quants"),
        (lambda patch, home: patch.setenv("JQUANTS_API_KEY", f"{KEY}\n"), "has invalid characters"),
        (lambda patch, home: patch.setenv("JQUANTS_API_KEY", "鍵"), "has invalid characters"),
        (lambda patch, home: settings(patch, home, f"api_key = '{KEY}"), "is not TOML"),
        (lambda patch, home: settings(patch, home, "[jquants-api-client]\napi_key = 7"), "has invalid characters"),
    ],
    ids=["none", "empty", "line break", "not ASCII", "not TOML", "a number"],
)
def test_a_missing_or_malformed_key_is_an_error_before_any_request(
    exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arrange: Callable[[pytest.MonkeyPatch, Path], None],
    message: str,
) -> None:
    arrange(monkeypatch, tmp_path / "home")
    with pytest.raises(SourceError, match=message) as caught:
        connect(exchange.address, FAST, print)
    assert "set `JQUANTS_API_KEY`" in caught.value.hint
    assert KEY not in str(caught.value)
    assert exchange.requests == []


def settings(patch: pytest.MonkeyPatch, home: Path, content: str) -> None:
    """Writes the official client's config file; no key in the environment."""
    patch.delenv("JQUANTS_API_KEY")
    (home / ".jquants-api").mkdir()
    (home / ".jquants-api/jquants-api.toml").write_text(content)


def test_the_key_may_be_in_the_clients_config_file(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings(monkeypatch, tmp_path / "home", f'[jquants-api-client]\napi_key = "{KEY}"\n')
    assert connect(exchange.address, FAST, print).bars(DAY).height == 6


def test_a_missing_client_is_an_error_with_the_install_command(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jquantsapi", None)
    with pytest.raises(MachineError, match=r"not installed\nhint: install it with `pip install -e '\.\[jquants\]'`"):
        connect(exchange.address, FAST, print)


def test_months_that_were_fetched_before_an_error_are_kept(exchange: Exchange, run: Run, folder: Path) -> None:
    def late(request: Request) -> Answer | None:
        return refusal(500, "down") if request.query.get("date") == "2024-02-02" else None

    exchange.faults.append(late)
    assert "2024-02-02 with status 500" in refused(run).message
    assert list(RawFolder(folder).months) == ["2024-01"]
    exchange.faults.clear()
    assert [added.month for added in run()] == ["2024-02"]
