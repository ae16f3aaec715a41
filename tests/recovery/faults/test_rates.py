"""A transfer below the lowest rate is given up; a slow one above it is not, however long it takes by the clock."""

from __future__ import annotations

import hashlib
import random

import pytest

from gogooku3.errors import StoreError
from gogooku3.recovery.storage import store as stores
from gogooku3.recovery.storage import timeouts
from gogooku3.recovery.storage.failures import ObjectError
from gogooku3.recovery.storage.open import open_remote
from gogooku3.recovery.storage.store import Store, StoredObject

from ..clock import Clock, wait_until
from ..conftest import Bucket, Toy
from .proxy import Effect, Proxy, always

CONTENT = random.Random(1).randbytes(6000)
OID = hashlib.md5(CONTENT).hexdigest()
TRICKLE = Effect(pace=(1, 0.05))


@pytest.fixture
def store(sender: Toy, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A bucket behind the proxy with one object; the timeouts are a second, and the lowest rate 1,500 bytes/s."""
    bucket.write(bucket.at(OID), CONTENT)
    opened = open_remote(sender.folder)
    monkeypatch.setattr(timeouts, "MIN_RATE", 1500)
    monkeypatch.setattr(stores, "TOTAL_TIMEOUT", 1)
    return opened


def test_an_object_at_twenty_bytes_a_second_is_given_up_in_time(store: Store, proxy: Proxy) -> None:
    """No byte is later than the timeout of a read: only the rate shows it. All of them would take five minutes."""
    proxy.faults = [always(TRICKLE, lambda request: request.downloads)]
    with pytest.raises(ObjectError, match="less than 1,500 bytes/s for 1 s"):
        store.digest(OID)


@pytest.fixture
def clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Only the pauses of the proxy take time."""
    moved = Clock()
    monkeypatch.setattr(store._requests, "_clock", moved)
    monkeypatch.setattr(timeouts, "_POLL_S", 0.001)
    return moved


def test_a_slow_object_above_the_lowest_rate_is_read(
    store: Store, proxy: Proxy, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part is sent when the one before it has arrived, 0.2 s later by the clock."""
    size, arrived, sent, received = 600, [0], [0], store._requests._received

    def count(number: int, timeout: float) -> None:
        received(number, timeout)
        arrived[0] += number

    def pause(seconds: float) -> None:
        sent[0] += size
        wait_until(lambda: arrived[0] >= sent[0])
        wait_until(clock.advance(seconds))

    monkeypatch.setattr(store._requests, "_received", count)
    proxy.pause = pause
    proxy.faults = [always(Effect(pace=(size, 0.2)), lambda request: request.downloads)]
    twice_the_timeout = clock.at(1.7)
    assert store.digest(OID) == StoredObject(len(CONTENT), OID)
    assert twice_the_timeout()


def test_a_listing_whose_pages_come_slowly_is_read(store: Store, proxy: Proxy, bucket: Bucket, clock: Clock) -> None:
    """Each page takes longer than a third of the timeout; all of them together, several times as long."""
    names = {bucket.at(hashlib.md5(str(i).encode()).hexdigest()) for i in range(6)} | {bucket.at(OID)}
    for name in names:
        bucket.write(name, b"content")
    proxy.page = 1
    proxy.faults = [always(Effect(stall=0.8), lambda request: request.lists)]
    proxy.pause = lambda seconds: wait_until(clock.advance(seconds))
    several_timeouts = clock.at(5)
    assert {f"{bucket.name}/{name}" for name in names} == store._list("").keys()
    assert several_timeouts()


def test_a_listing_at_twenty_bytes_a_second_is_given_up_in_time(store: Store, proxy: Proxy) -> None:
    proxy.faults = [always(TRICKLE, lambda request: request.lists)]
    with pytest.raises(StoreError, match="gives no answer in 2 s"):
        store.look_up([OID])
