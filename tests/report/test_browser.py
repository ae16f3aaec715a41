"""A real browser opens the pages from disk: nothing is missing, nothing is cut off, nothing is asked of anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gogooku3.report.page import PAGE, write
from gogooku3.report.results import Results

from ..browser import CHROMIUM, Browser
from ..evaluation.conftest import HORIZONS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="this machine has no Chromium")

PHONE, DESKTOP = 375, 1280


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def tier(skilled: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tier")
    write(skilled, folder)
    return folder / PAGE


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_whole_on_a_phone_and_on_a_desk_in_light_and_in_dark(
    browser: Browser, tier: Path, width: int, scheme: str
) -> None:
    visit = browser.visit(tier, width=width, scheme=scheme)
    assert visit.errors == []
    assert visit.requests == [tier.as_uri()]
    assert visit.facts["overflow"] <= 0
    assert visit.facts["cut"] == []
    figures = visit.facts["figures"]
    assert len(figures) == 9 + 3 * len(HORIZONS)
    for figure in figures:
        assert figure["marks"] > 3, figure
        assert min(figure["width"], figure["height"]) > 20, figure
        assert figure["smallest"] is None or figure["smallest"] > 9, figure
    light = visit.facts["background"] == "rgb(246, 247, 247)"
    assert light == (scheme == "light")
