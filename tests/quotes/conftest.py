"""Fixtures of the tests of sources."""

from __future__ import annotations

from ..sources.conftest import bars, file_params, market, synthetic, write_bars  # noqa: F401
