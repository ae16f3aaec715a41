"""Fixtures of the tests that build datasets."""

from __future__ import annotations

from ..assembly.conftest import folder, frames, make_frames, market, params, real  # noqa: F401
