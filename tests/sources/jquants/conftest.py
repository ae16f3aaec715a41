"""Fixtures: a local J-Quants server and downloads from it."""

from __future__ import annotations

from ...download.conftest import _own_key, api, exchange, folder, messages, run  # noqa: F401
