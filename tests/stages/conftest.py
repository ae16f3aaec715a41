"""Datasets for the quality tests."""

from __future__ import annotations

from ..quality.conftest import harm, sound  # noqa: F401
