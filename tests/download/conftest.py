"""A local J-Quants server with a small exchange, and downloads from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from gogooku3.download.api import Api, connect
from gogooku3.download.download import Added, download
from gogooku3.download.transport import Backoff
from gogooku3.sources.jquants.raw import RawFolder

from ..jquants import KEY, Exchange, serving, small

QUICK = Backoff(limited=(0.0, 0.0, 0.0), failing=(0.0, 0.0))
FAST = 1e6
"""Requests per minute."""

Run = Callable[..., list[Added]]


@pytest.fixture(autouse=True)
def _own_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sets an API key in the environment, isolated from the machine's own config."""
    monkeypatch.setenv("JQUANTS_API_KEY", KEY)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("JQUANTS_API_CLIENT_CONFIG_FILE", raising=False)
    monkeypatch.delenv("JQUANTS_API_URL", raising=False)
    (tmp_path / "home").mkdir()


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with serving(small()) as running:
        yield running


@pytest.fixture
def messages() -> list[str]:
    """Messages of a run about delays and unpublished sessions."""
    return []


@pytest.fixture
def api(exchange: Exchange, messages: list[str]) -> Api:
    return connect(exchange.address, FAST, messages.append, QUICK)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "raw"


@pytest.fixture
def run(folder: Path, api: Api, messages: list[str]) -> Run:
    """Downloads a period into the folder; returns the added months."""

    def go(first: str = "2024-01-29", last: str = "2024-02-06", *, again: bool = False) -> list[Added]:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
        with RawFolder.writer(folder) as raw:
            return list(download(raw, api, begin, end, again=again, progress=lambda *_: None, notify=messages.append))

    return go


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, by its path."""
    return {
        str(Path(root, name).relative_to(folder)): Path(root, name).read_bytes()
        for root, _, names in os.walk(folder)
        for name in names
    }
