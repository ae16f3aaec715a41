"""The attribution section is on the page only if the stage was run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gogooku3 import report
from gogooku3.pages.template import environment
from gogooku3.pages.template import inline as markup
from gogooku3.report.attribution import pictures

from ..pages.elements import Elements
from .conftest import ATTRIBUTION


def section_text(neighbours: dict[str, Any] | None) -> str:
    """Text of the section."""
    found = ATTRIBUTION | {"neighbours": neighbours}
    template = environment(Path(report.__path__[0])).get_template("attribution.html.j2")
    return Elements(template.render(attribution=found, sources=markup(pictures(found)), seeds={})).text


def ways(score_change: float | None, loss: dict[str, float]) -> dict[str, Any]:
    """Neighbours for which both perturbations have the same effect."""
    way = {"score_change": score_change, "loss": {"mean_rank_ic": loss}}
    return ATTRIBUTION["neighbours"] | {"emptied": way, "permuted": way}


def test_phases_and_families_are_shown(drawn_whole: str) -> None:
    text = Elements(drawn_whole).text
    assert 'id="attribution"' in drawn_whole
    for expected_text in ("volatility", "17.1 %", "0.250 [−0.125, 0.500]", "Attention by lag in sessions"):
        assert expected_text in text


@pytest.mark.parametrize("neighbours", [ATTRIBUTION["neighbours"], None])
def test_neighbours_are_shown_if_there_is_a_graph(neighbours: dict[str, Any] | None) -> None:
    text = section_text(neighbours)
    for expected_text in ("A stock keeps 38 %", "without neighbours0.12", "with those of another stock0.15"):
        assert (expected_text in text) == (neighbours is not None)


@pytest.mark.parametrize(
    ("change", "loss", "row"),
    [
        (0.00223, (-0.000114, -0.000407, 0.000191), "0.0022−0.00011 [−0.00041, 0.00019]"),  # used
        (0.0, (0.0, 0.0, 0.0), "00.000 [0.000, 0.000]"),  # not used
        (None, (0.0, 0.0, 0.0), "–0.000 [0.000, 0.000]"),
    ],
)
def test_an_unused_graph_is_distinguished_from_one_of_little_use(
    change: float | None, loss: tuple[float, float, float], row: str
) -> None:
    text = section_text(ways(change, dict(zip(("value", "low", "high"), loss, strict=True))))
    assert f"without neighbours{row}" in text
    assert f"with those of another stock{row}" in text


def test_a_run_without_it_has_no_such_section(drawn: str) -> None:
    assert 'id="attribution"' not in drawn
