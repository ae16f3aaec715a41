"""The toy repository behind a proxy: what its commands and ours ask of the bucket can go wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator

import gcsfs.retry
import pytest

from gogooku3.recovery.storage import store

from ..conftest import Bucket, Toy
from .proxy import Proxy, between


@pytest.fixture
def proxy(emulator: str) -> Iterator[Proxy]:
    """A proxy in front of the emulator, without faults as yet."""
    with between(emulator) as running:
        yield running


def lead_through(proxy: Proxy, toy: Toy, bucket: Bucket) -> Toy:
    """Sends all that a repository asks of its bucket through the proxy."""
    (toy.folder / ".dvc/config.local").unlink()
    toy.point_at(Bucket(proxy.endpoint, bucket.name))
    return toy


@pytest.fixture
def sender(toy: Toy, proxy: Proxy, bucket: Bucket) -> Toy:
    """The toy repository behind the proxy; its bucket is empty."""
    return lead_through(proxy, toy, bucket)


@pytest.fixture
def receiver(pushed: Toy, proxy: Proxy, bucket: Bucket) -> Toy:
    """The toy repository behind the proxy, and in its bucket what `dvc push` put there."""
    return lead_through(proxy, pushed, bucket)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short: half a second until a request is made again, and less before it is."""
    monkeypatch.setattr(store, "STALLED_AFTER", 0.5)
    monkeypatch.setattr(gcsfs.retry, "min", lambda *_: 0.05, raising=False)
