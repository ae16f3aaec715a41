"""What J-Quants refuses is asked again where that helps, for so long, and ends in one message without the key."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from gogooku3.download.api import Api, connect
from gogooku3.download.transport import Patience
from gogooku3.errors import MachineError, SourceError, UserError
from gogooku3.sources.jquants.raw import RawFolder

from ..jquants import KEY, Answer, Exchange, Fault, Request, refusal
from .conftest import FAST, Run

DAY = date(2024, 1, 29)
BARS = "/v2/equities/bars/daily"


def on(path: str, answer: Answer, times: int = 1000) -> Fault:
    """The first attempts at each question for a path."""
    return lambda request: answer if request.path == path and request.attempt <= times else None


def refused(run: Run) -> UserError:
    with pytest.raises(UserError) as caught:
        run()
    return caught.value


@pytest.mark.parametrize(
    ("answer", "said", "hint", "attempts"),
    [
        (refusal(401, "Unauthorized"), "refuses the bars of 2024-01-29 with 401: Unauthorized", "`JQUANTS_API_KEY`", 1),
        (
            refusal(403, f"The api key {KEY} is invalid or expired."),
            "with 403: The api key … is invalid or expired.",
            "`~/.jquants-api/jquants-api.toml`",
            1,
        ),
        (
            refusal(400, "Your subscription covers the following dates: 2024-02-01 ~ ."),
            "with 400: Your subscription covers the following dates: 2024-02-01 ~ .",
            "choose `--from` and `--to`",
            1,
        ),
        (refusal(429, "Rate limit exceeded"), "with 429: Rate limit exceeded", "`--rate`", 4),
        (refusal(500, "Internal Server Error"), "with 500: Internal Server Error", "run it again later", 3),
        (Answer(503, "<html>"), "with 503: Service Unavailable", "run it again later", 3),
        (Answer(200, '{"data": [', sent=0.5), "does not answer when asked for the bars of 2024-01-29", "network", 3),
    ],
    ids=["401", "403", "400", "429", "500", "503", "broken off"],
)
def test_a_refusal_is_one_message_after_a_bounded_number_of_attempts(
    exchange: Exchange, run: Run, folder: Path, answer: Answer, said: str, hint: str, attempts: int
) -> None:
    exchange.faults.append(on(BARS, answer))
    error = refused(run)
    assert isinstance(error, SourceError)
    assert error.exit_code == 9
    assert said in error.message
    assert hint in error.hint
    assert KEY not in str(error)
    assert exchange.asked(BARS) == attempts
    assert error.__cause__ is None
    assert not folder.exists()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refusal(429, "Rate limit exceeded"), "J-Quants answers 429; asking again in 0 s"),
        (refusal(500, "Internal Server Error"), "J-Quants answers 500; asking again in 0 s"),
        (Answer(200, '{"data": [', sent=0.5), "J-Quants does not answer; asking again in 0 s"),
    ],
    ids=["429", "500", "broken off"],
)
def test_what_passes_is_waited_for_and_leaves_no_trace(
    exchange: Exchange, run: Run, folder: Path, heard: list[str], tmp_path: Path, answer: Answer, told: str
) -> None:
    """Each page of each answer fails at first."""
    run()
    folder.rename(tmp_path / "undisturbed")
    exchange._attempts.clear()
    exchange.requests.clear()
    exchange.faults.append(lambda request: answer if request.attempt <= 2 else None)
    run()
    assert {file.name: file.read_bytes() for file in folder.rglob("*.*")} == {
        file.name: file.read_bytes() for file in (tmp_path / "undisturbed").rglob("*.*")
    }
    assert heard == [told] * (len(exchange.requests) * 2 // 3)


def test_a_wait_that_the_answer_asks_for_is_kept(exchange: Exchange, run: Run, heard: list[str]) -> None:
    exchange.faults.append(on("/v2/markets/calendar", refusal(429, "slow down", Retry_After="1"), times=1))
    run()
    assert heard == ["J-Quants answers 429; asking again in 1 s"]
    first, second = exchange.requests[:2]
    assert second.seconds - first.seconds >= 1


def test_requests_are_no_closer_than_the_rate_allows(exchange: Exchange, heard: list[str]) -> None:
    api = connect(exchange.address, 1200.0, heard.append)
    for _ in range(5):
        api.bars(DAY)
    arrived = [request.seconds for request in exchange.requests]
    assert len(arrived) == 15  # pages too
    # In all: a busy machine delays the arrival of a request, which brings the next one nearer to it.
    assert arrived[-1] - arrived[0] > 14 * 0.04


def test_nobody_at_the_address_is_one_message(heard: list[str]) -> None:
    api = connect("http://127.0.0.1:9", FAST, heard.append, Patience(failing=(0.0,)))
    with pytest.raises(SourceError, match="does not answer when asked for the bars of 2024-01-29: ConnectionError"):
        api.bars(DAY)
    assert heard == ["J-Quants does not answer; asking again in 0 s"]


def test_the_key_does_not_follow_a_redirection(exchange: Exchange, api: Api) -> None:
    exchange.faults.append(on(BARS, Answer(302, "", {"Location": f"{exchange.address}/elsewhere"})))
    with pytest.raises(SourceError, match="TooManyRedirects"):
        api.bars(DAY)
    assert [request.path for request in exchange.requests] == [BARS]


@pytest.mark.parametrize(
    ("arrange", "said"),
    [
        (lambda patch, home: patch.delenv("JQUANTS_API_KEY"), "there is no key for J-Quants"),
        (lambda patch, home: patch.setenv("JQUANTS_API_KEY", ""), "there is no key for J-Quants"),
        (lambda patch, home: patch.setenv("JQUANTS_API_KEY", f"{KEY}\n"), "holds what no key can"),
        (lambda patch, home: patch.setenv("JQUANTS_API_KEY", "鍵"), "holds what no key can"),
        (lambda patch, home: settings(patch, home, f"api_key = '{KEY}"), "is not TOML"),
        (lambda patch, home: settings(patch, home, "[jquants-api-client]\napi_key = 7"), "holds what no key can"),
    ],
    ids=["none", "empty", "line break", "not ASCII", "not TOML", "a number"],
)
def test_a_key_that_is_none_is_refused_before_anything_is_asked(
    exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arrange: Callable[[pytest.MonkeyPatch, Path], None],
    said: str,
) -> None:
    arrange(monkeypatch, tmp_path / "home")
    with pytest.raises(SourceError, match=said) as caught:
        connect(exchange.address, FAST, print)
    assert "put the key into `JQUANTS_API_KEY`" in caught.value.hint
    assert KEY not in str(caught.value)
    assert exchange.requests == []


def settings(patch: pytest.MonkeyPatch, home: Path, content: str) -> None:
    """The official client's own file, and no key in the environment."""
    patch.delenv("JQUANTS_API_KEY")
    (home / ".jquants-api").mkdir()
    (home / ".jquants-api/jquants-api.toml").write_text(content)


def test_the_key_may_stand_in_the_clients_own_file(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings(monkeypatch, tmp_path / "home", f'[jquants-api-client]\napi_key = "{KEY}"\n')
    assert connect(exchange.address, FAST, print).bars(DAY).height == 6


def test_a_machine_without_the_client_is_told_how_to_get_it(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jquantsapi", None)
    with pytest.raises(MachineError, match=r"not installed\nhint: `pip install -e '\.\[jquants\]'`"):
        connect(exchange.address, FAST, print)


def test_months_that_were_fetched_before_a_refusal_are_kept(exchange: Exchange, run: Run, folder: Path) -> None:
    def late(request: Request) -> Answer | None:
        return refusal(500, "down") if request.query.get("date") == "2024-02-02" else None

    exchange.faults.append(late)
    assert "2024-02-02 with 500" in refused(run).message
    assert list(RawFolder(folder).months) == ["2024-01"]
    exchange.faults.clear()
    assert [added.month for added in run()] == ["2024-02"]
