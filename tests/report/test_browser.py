"""A real browser opens the pages from disk: nothing is missing or cut off, and no network request is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gogooku3.pages.svg import NARROW
from gogooku3.report.compare_page import page as page_of_pair
from gogooku3.report.curves import ALL, compounded
from gogooku3.report.model_pair import Pair
from gogooku3.report.results import Results

from ..browser import CHROMIUM, Browser
from ..evaluation.conftest import HORIZONS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="this machine has no Chromium")

PHONE, DESKTOP = 375, 1280
FIGURES = {"tier": 17 + 3 * len(HORIZONS), "compare": 6}


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


@pytest.mark.parametrize("tracks", ["of one session", "without a number"])
def test_a_figure_of_axes_alone_is_not_taken_for_one_with_data(
    browser: Browser, skilled: Results, tmp_path: Path, tracks: str
) -> None:
    nothing = skilled.tracks.with_columns(pl.lit(None, pl.Float64).alias("cumulative_net"))
    if tracks == "of one session":
        nothing = nothing.filter(pl.col("Date") == pl.col("Date").min())
    pictures = {
        label: compounded(frame, ALL, 100, label).drawing(NARROW).svg()
        for label, frame in (("data", skilled.tracks), ("axes", nothing))
    }
    file = tmp_path / "planted.html"
    file.write_text("".join(f"<figure>{picture}</figure>" for picture in pictures.values()), encoding="utf-8")
    figures = browser.visit(file, width=DESKTOP, scheme="light").facts["figures"]
    assert [figure["label"] for figure in figures] == ["data", "axes"]
    assert without_data(figures) == ["axes"]


CURVES = "#returns figure:first-of-type .chart > div"
"""The cumulative returns; the first visible one is that of the window's width."""


@pytest.fixture(params=["tier", "compare"])
def curves(
    request: pytest.FixtureRequest, browser: Browser, pages: Path
) -> Iterator[tuple[float, float, float, float]]:
    """The place of the cumulative returns in the window; afterwards nothing was complained of and nothing loaded."""
    file = pages / f"{request.param}.html"
    browser.visit(file, width=DESKTOP, scheme="light")
    yield browser.box(f"{CURVES} svg")
    assert browser.errors == []
    assert browser.requests == [file.as_uri()]


def shown(browser: Browser) -> dict[str, str]:
    """What the tip says: value by title, with the date as `date`."""
    browser.wait_for("!document.querySelector('.tip').hidden")
    date = browser.evaluate("document.querySelector('.tip b').textContent")
    rows = browser.evaluate(
        "[...document.querySelectorAll('.tip tr')].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return {"date": date} | dict(rows)


def lines(browser: Browser) -> int:
    """Number of lines in the live chart."""
    return int(browser.evaluate(f"document.querySelectorAll('{CURVES}[data-live] g.mark-line path').length"))


def hover(browser: Browser, x: float, y: float) -> None:
    browser.mouse("Moved", x, y)
    browser.wait_for(f"document.querySelector('{CURVES}[data-live]')")
    browser.mouse("Moved", x + 1, y)


def test_hovering_shows_the_values_of_the_session_under_the_pointer(
    browser: Browser, curves: tuple[float, float, float, float], skilled: Results
) -> None:
    left, top, width, height = curves
    dates = skilled.tracks["Date"].unique().sort()
    seen = []
    for share in (0.25, 0.75):
        hover(browser, left + share * width, top + height / 2)
        browser.wait_for(f"document.querySelector('{CURVES} g.mark-symbol path')")
        seen.append(shown(browser))
        assert pl.Series([seen[-1]["date"]]).str.to_date()[0] in dates
    assert seen[0]["date"] < seen[1]["date"]
    rows = skilled.tracks.filter(pl.col("track") == "model")
    for values in seen:
        model = rows.filter(pl.col("Date").cast(pl.String) == values["date"])["cumulative_net"][0]
        name = "the model" if "the model" in values else "workspace"
        assert values[name].replace("−", "-") in (f"{100 * model:.1f} %", values[name] if name == "workspace" else "")
    browser.mouse("Moved", 2, 2)
    browser.wait_for("document.querySelector('.tip').hidden")


def test_a_click_in_the_legend_hides_a_line_and_the_next_one_shows_it_again(
    browser: Browser, curves: tuple[float, float, float, float]
) -> None:
    left, top, width, height = curves
    hover(browser, left + width / 2, top + height / 2)
    before, titles = lines(browser), set(shown(browser))
    title = browser.evaluate("document.querySelectorAll('#returns .legend button')[1].textContent")
    x, y, w, h = browser.box("#returns .legend li:nth-child(2) button")
    for pressed, number, there in (("false", before - 1, titles - {title}), ("true", before, titles)):
        browser.click(x + w / 2, y + h / 2)
        browser.wait_for(f"document.querySelectorAll('#returns .legend button')[1].ariaPressed === '{pressed}'")
        browser.wait_for(f"document.querySelectorAll('{CURVES}.on-wide g.mark-line path').length === {number}")
        left, top, width, height = browser.box(f"{CURVES} svg")
        hover(browser, left + width / 2, top + height / 2)
        assert set(shown(browser)) == there
        x, y, w, h = browser.box("#returns .legend li:nth-child(2) button")


@pytest.mark.parametrize("back", ["button", "double click"])
def test_dragging_zooms_in_on_time_and_there_is_a_way_back(
    browser: Browser, curves: tuple[float, float, float, float], back: str
) -> None:
    left, top, width, height = curves
    y = top + height / 2

    def dates_at_the_ends() -> list[str]:
        seen = []
        for share in (0.02, 0.99):
            hover(browser, left + share * width, y)
            seen.append(shown(browser)["date"])
        return seen

    whole = dates_at_the_ends()
    browser.mouse("Moved", left + 0.4 * width, y)
    browser.mouse("Pressed", left + 0.4 * width, y, button="left", clickCount=1)
    browser.mouse("Moved", left + 0.7 * width, y, button="left", buttons=1)
    browser.mouse("Released", left + 0.7 * width, y, button="left", clickCount=1)
    browser.wait_for("!document.querySelector('#returns figure:first-of-type .on-wide .reset').hidden")
    first, last = dates_at_the_ends()
    assert whole[0] < first < last < whole[1]
    if back == "button":
        x, top_of, w, h = browser.box("#returns figure:first-of-type .on-wide .reset")
        browser.click(x + w / 2, top_of + h / 2)
    else:
        browser.click(left + width / 2, y, times=2)
    browser.wait_for("document.querySelector('#returns figure:first-of-type .on-wide .reset').hidden")
    assert dates_at_the_ends() == whole


def test_the_wheel_zooms_with_ctrl_and_else_scrolls_the_page(
    browser: Browser, curves: tuple[float, float, float, float]
) -> None:
    left, top, width, height = curves
    x, y = left + width / 2, top + height / 2
    reset = "document.querySelector('#returns figure:first-of-type .on-wide .reset')"
    hover(browser, x, y)
    browser.mouse("Wheel", x, y, deltaX=0, deltaY=-100, modifiers=2)
    browser.wait_for(f"!{reset}.hidden")
    browser.evaluate(f"{reset}.click()")
    before = browser.evaluate("scrollY")
    browser.mouse("Wheel", x, y, deltaX=0, deltaY=100)
    browser.wait_for(f"scrollY > {before}")
    assert browser.evaluate(f"{reset}.hidden") is True


def test_every_chart_comes_alive_without_a_complaint(browser: Browser, pages: Path) -> None:
    for name in FIGURES:
        browser.visit(pages / f"{name}.html", width=DESKTOP, scheme="light")
        charts = "[...document.querySelectorAll('.chart > div')].filter(each => each.checkVisibility())"
        number = browser.evaluate(f"{charts}.length")
        assert number == FIGURES[name]
        browser.evaluate(f"{charts}.forEach(each => each.dispatchEvent(new PointerEvent('pointerenter')))")
        browser.wait_for(f"{charts}.every(each => 'live' in each.dataset)")
        assert browser.errors == []


def test_without_scripts_the_charts_are_there_and_nothing_promises_more(browser: Browser, pages: Path) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        visit = browser.visit(pages / "tier.html", width=DESKTOP, scheme="light")
        assert without_data(visit.facts["figures"]) == []
        assert browser.evaluate("document.querySelectorAll('button').length") == 0
        assert browser.evaluate("document.querySelector('.with-scripts').checkVisibility()") is False
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)
