"""Calls of a client end without progress, and only then; the tests move the clock themselves."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gogooku3.recovery.storage import timeouts
from gogooku3.recovery.storage.timeouts import Requests, StallError

from ..clock import GUARD_S, Clock, until, wait_until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(timeouts, "_POLL_S", 0.001)
    return Clock()


def nothing(clock: Clock):
    """A request without an answer."""

    async def work(_pulse):
        while True:
            await until(clock.advance(0.1))

    return work


def pieces(clock: Clock, count: int, pause: float = 0.1, *, again: bool = False):
    """A transfer of some bytes, one at a time, each after a pause; `again`: it restarts after each."""

    async def work(pulse):
        pulse.set_size(count)
        for _ in range(count):
            await until(clock.advance(pause))
            if again:
                pulse.set_size(count)
            pulse.relative_update(1)
        return count

    return work


def test_a_slow_transfer_with_progress_does_not_time_out(clock, monkeypatch):
    monkeypatch.setattr(timeouts, "MIN_RATE", 4)
    assert Requests(clock).call(pieces(clock, 12), timeout=0.5) == 12


def test_a_transfer_below_the_lowest_rate_times_out(clock, monkeypatch):
    monkeypatch.setattr(timeouts, "MIN_RATE", 100)
    with pytest.raises(StallError, match="less than 100 bytes/s for 0 s"):
        Requests(clock).call(pieces(clock, 50), timeout=0.4)


def test_transfers_in_parallel_share_the_lowest_rate(clock, monkeypatch):
    """Six transfers over one slow line are each below it."""
    monkeypatch.setattr(timeouts, "MIN_RATE", 20)
    requests = Requests(clock)
    with ThreadPoolExecutor(6) as pool:
        work = pieces(clock, 20, pause=0.1 / 6)
        assert [*pool.map(lambda _: requests.call(work, timeout=0.5), range(6))] == [20] * 6


def test_retransmitted_bytes_are_no_progress(clock, monkeypatch):
    monkeypatch.setattr(timeouts, "MIN_RATE", 1)
    with pytest.raises(StallError, match="less than 1 bytes/s for 0 s"):
        Requests(clock).call(pieces(clock, 50, again=True), timeout=0.4)


def test_a_timeout_cancels_the_request(clock):
    ended = threading.Event()

    async def work(_pulse):
        try:
            clock.advance(0.3)
            await asyncio.sleep(10 * GUARD_S)
        finally:
            ended.set()

    with pytest.raises(StallError, match="no answer in 0 s"):
        Requests(clock).call(work, timeout=0.2)
    assert ended.wait(GUARD_S)


def test_exceptions_of_the_client_pass_through():
    async def work(_pulse):
        raise FileNotFoundError("object")

    with pytest.raises(FileNotFoundError, match="object"):
        Requests().call(work, timeout=GUARD_S)


def test_a_response_to_one_request_resets_the_timeout_of_all(clock):
    conversation, begun, answered = Requests(clock), threading.Event(), []

    async def late(_pulse):
        late_enough = clock.at(1.5)
        begun.set()
        await until(late_enough)
        return 1

    waiting = threading.Thread(target=lambda: answered.append(conversation.call(late, timeout=0.6)))
    waiting.start()
    wait_until(begun.is_set)
    for _ in range(8):
        conversation.call(pieces(clock, 1, pause=0.2), timeout=5)
    waiting.join()
    assert answered == [1]
    with pytest.raises(StallError):
        conversation.call(nothing(clock), timeout=0.3)
