"""Fixtures: the toy repository with a proxy before its bucket, which injects network faults."""

from __future__ import annotations

from collections.abc import Iterator

import gcsfs.retry
import pytest

from gogooku3.recovery.storage import store

from ..conftest import Bucket, Toy
from .proxy import Proxy, between


@pytest.fixture
def proxy(emulator: str) -> Iterator[Proxy]:
    """A proxy in front of the emulator, without faults at first."""
    with between(emulator) as running:
        yield running


def route_through(proxy: Proxy, toy: Toy, bucket: Bucket) -> Toy:
    """Routes a repository's requests to its bucket through the proxy."""
    (toy.folder / ".dvc/config.local").unlink()
    toy.point_at(Bucket(proxy.endpoint, bucket.name))
    return toy


@pytest.fixture
def sender(toy: Toy, proxy: Proxy, bucket: Bucket) -> Toy:
    """The toy repository behind the proxy; its bucket is empty."""
    return route_through(proxy, toy, bucket)


@pytest.fixture
def receiver(pushed: Toy, proxy: Proxy, bucket: Bucket) -> Toy:
    """The toy repository behind the proxy; its bucket is filled by `dvc push`."""
    return route_through(proxy, pushed, bucket)


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short timeouts: half a second until a retry, with less backoff."""
    monkeypatch.setattr(store, "STALL_TIMEOUT", 0.5)
    monkeypatch.setattr(gcsfs.retry, "min", lambda *_: 0.05, raising=False)
