"""A fold that is not planned is refused by its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from gogooku3.errors import DataError
from gogooku3.walk_forward.panel import fold_panel


def test_a_fold_without_a_plan_is_refused_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fold `7` is not planned(?s:.*)`dvc repro plan@walk_forward`"):
        fold_panel(tmp_path / "7.json", tmp_path)
