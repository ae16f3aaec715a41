"""A real browser opens the pages from disk: nothing is missing or cut off, and no network request is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gogooku3.pages.months import Months
from gogooku3.pages.svg import NARROW, svg
from gogooku3.report.compare_page import page as page_of_pair
from gogooku3.report.curves import ALL, compounded
from gogooku3.report.model_pair import Pair
from gogooku3.report.results import Results

from ..browser import CHROMIUM, Browser
from ..evaluation.conftest import HORIZONS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="this machine has no Chromium")

PHONE, DESKTOP = 375, 1280
FIGURES = {"tier": 13 + 3 * len(HORIZONS), "compare": 6}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def pages(drawn_whole: str, pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "tier.html").write_text(drawn_whole, encoding="utf-8")
    (folder / "compare.html").write_text(page_of_pair(pair), encoding="utf-8")
    return folder


def without_data(figures: list[dict[str, Any]]) -> list[str]:
    """Labels of the figures without data, or with incomplete data."""
    return [figure["label"] for figure in figures if not figure["marks"] or 0 in figure["marks"].values()]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_whole_on_a_phone_and_on_a_desk_in_light_and_in_dark(
    browser: Browser, pages: Path, name: str, width: int, scheme: str
) -> None:
    file = pages / f"{name}.html"
    visit = browser.visit(file, width=width, scheme=scheme)
    assert visit.errors == []
    assert visit.requests == [file.as_uri()]
    assert visit.facts["overflow"] <= 0
    assert visit.facts["cut"] == []
    figures = visit.facts["figures"]
    assert len(figures) == FIGURES[name]
    assert without_data(figures) == []
    for figure in figures:
        assert min(figure["width"], figure["height"]) > 20, figure
        assert figure["smallest"] is None or figure["smallest"] > 9, figure
    light = visit.facts["background"] == "rgb(246, 247, 247)"
    assert light == (scheme == "light")


@pytest.mark.parametrize("tracks", ["without a row", "without a number"])
def test_a_figure_of_axes_alone_is_not_taken_for_one_with_data(
    browser: Browser, skilled: Results, tmp_path: Path, tracks: str
) -> None:
    months = Months.spanning(skilled.tracks["Date"])
    nothing = skilled.tracks.with_columns(pl.lit(None, pl.Float64).alias("cumulative_net"))
    hollow = nothing.clear() if tracks == "without a row" else nothing
    pictures = {
        label: svg(compounded(frame, ALL, months, NARROW), NARROW, 100, label)
        for label, frame in (("data", skilled.tracks), ("axes", hollow))
    }
    file = tmp_path / "planted.html"
    file.write_text("".join(f"<figure>{picture}</figure>" for picture in pictures.values()), encoding="utf-8")
    figures = browser.visit(file, width=DESKTOP, scheme="light").facts["figures"]
    assert [figure["label"] for figure in figures] == ["data", "axes"]
    assert without_data(figures) == ["axes"]
