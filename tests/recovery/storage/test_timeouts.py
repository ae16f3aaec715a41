from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gogooku3.recovery.storage import timeouts
from gogooku3.recovery.storage.timeouts import Requests, StallError


async def nothing(_pulse):
    await asyncio.sleep(30)


def pieces(count: int, pause: float = 0.1, *, again: bool = False):
    """A transfer of some bytes, one at a time; `again`: it restarts after each."""

    async def work(pulse):
        pulse.set_size(count)
        for _ in range(count):
            await asyncio.sleep(pause)
            if again:
                pulse.set_size(count)
            pulse.relative_update(1)
        return count

    return work


def test_a_slow_transfer_with_progress_does_not_time_out(monkeypatch):
    monkeypatch.setattr(timeouts, "MIN_RATE", 4)
    assert Requests().call(pieces(12), timeout=0.5) == 12


def test_a_transfer_below_the_lowest_rate_times_out(monkeypatch):
    monkeypatch.setattr(timeouts, "MIN_RATE", 100)
    with pytest.raises(StallError, match="less than 100 bytes/s for 0 s"):
        Requests().call(pieces(50), timeout=0.4)


def test_transfers_in_parallel_share_the_lowest_rate(monkeypatch):
    """Six transfers over one slow line are each below it."""
    monkeypatch.setattr(timeouts, "MIN_RATE", 20)
    requests = Requests()
    with ThreadPoolExecutor(6) as pool:
        assert [*pool.map(lambda _: requests.call(pieces(20), timeout=0.5), range(6))] == [20] * 6


def test_retransmitted_bytes_are_no_progress(monkeypatch):
    monkeypatch.setattr(timeouts, "MIN_RATE", 1)
    with pytest.raises(StallError, match="less than 1 bytes/s for 0 s"):
        Requests().call(pieces(50, again=True), timeout=0.4)


def test_a_timeout_cancels_the_request():
    ended = threading.Event()

    async def work(_pulse):
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    began = time.monotonic()
    with pytest.raises(StallError):
        Requests().call(work, timeout=0.2)
    assert time.monotonic() - began < 5
    assert ended.wait(5)


def test_exceptions_of_the_client_pass_through():
    async def work(_pulse):
        raise FileNotFoundError("object")

    with pytest.raises(FileNotFoundError, match="object"):
        Requests().call(work, timeout=1)


def test_a_response_to_one_request_resets_the_timeout_of_all():
    conversation = Requests()
    answered = []
    waiting = threading.Thread(target=lambda: answered.append(conversation.call(pieces(1, pause=1.5), timeout=0.6)))
    waiting.start()
    for _ in range(8):
        conversation.call(pieces(1, pause=0.2), timeout=5)
    waiting.join()
    assert answered == [1]
    with pytest.raises(StallError):
        conversation.call(nothing, timeout=0.3)
