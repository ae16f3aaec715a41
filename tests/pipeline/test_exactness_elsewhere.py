"""Bitwise identical results on other (emulated) processors and C libraries, if this machine supports them."""

from __future__ import annotations

from pathlib import Path

import pytest
from measures.chroot import CHROOTS

from .conftest import exactness


@pytest.mark.slow
def test_every_row_of_the_matrix_that_can_be_run_here_holds(tmp_path: Path) -> None:
    rows = exactness(tmp_path / "matrix.json", "processors", "libraries", "together")
    if (CHROOTS / "trixie").exists():  # the matrix builds it if it can
        for name in ("Debian trixie", "Debian trixie, 1 core"):
            assert (rows[name]["promised"], rows[name]["held"]) == (True, True), rows[name]
