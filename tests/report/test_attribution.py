"""What the skill comes from stands on the page where it was asked, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gogooku3.report.page import page
from gogooku3.report.results import Results

from ..pages.elements import Elements

CELL = {"value": 0.25, "low": -0.125, "high": 0.5}
LOSS: dict[str, Any] = {"mean_rank_ic": CELL, "rank_ic": {"1": CELL, "5": CELL}}
PHASES = {"baseline": LOSS | {"gain": None}, "gat": LOSS | {"gain": LOSS}}
FOUND: dict[str, Any] = {
    "split": "validation",
    "families": {"volatility": {"features": 12, "selection": 0.171, "loss": LOSS}},
    "everything": LOSS,
    "attention": [0.5, 0.3, 0.2],
    "neighbours": {
        "own": 0.38,
        "kinds": {"same sector": {"edges": 0.41, "attention": 0.35}},
        "emptied": {"score_change": 0.12, "loss": LOSS},
        "permuted": {"score_change": 0.15, "loss": LOSS},
    },
    "phases": {"validation": PHASES, "test": PHASES},
}


@pytest.mark.parametrize("neighbours", [FOUND["neighbours"], None])
def test_phases_families_and_neighbours_are_told(skilled: Results, neighbours: dict[str, Any] | None) -> None:
    drawn = page(replace(skilled, attribution=FOUND | {"neighbours": neighbours}))
    text = Elements(drawn).text
    assert 'id="attribution"' in drawn
    for said in ("volatility", "17.1 %", "0.250 [−0.125, 0.500]", "Attention by sessions back"):
        assert said in text
    assert ("A stock keeps 38 %" in text) == (neighbours is not None)


def test_a_run_without_it_has_no_such_section(skilled: Results) -> None:
    assert 'id="attribution"' not in page(skilled)
