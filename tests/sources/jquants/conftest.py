"""A local exchange and what is downloaded from it."""

from __future__ import annotations

from ...download.conftest import _own_key, api, exchange, folder, heard, run  # noqa: F401
