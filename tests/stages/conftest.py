"""The datasets of the tests that judge them."""

from __future__ import annotations

from ..quality.conftest import harm, sound  # noqa: F401
