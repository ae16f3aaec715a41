"""The panel of the last sessions starts where the blocks of the model's scores start."""

from __future__ import annotations

from gogooku3.model import scoring
from gogooku3.serving.recent import BLOCK


def test_a_panel_starts_at_the_start_of_a_block_of_scores() -> None:
    assert BLOCK % scoring._SESSIONS == 0
