"""Charts as pictures: SVG that stands in a page, without scripts, in the colours and the font of the page's style.

Nothing is laid out by the width of a text: the bytes do not depend on the fonts of the machine.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

_OPENING = re.compile(r'<svg [^>]*viewBox="([^"]*)">')
_REFERENCE = "reference"
_NOISE = re.compile(
    r' (?:aria-[a-z]+|role|pointer-events)="[^"]*"| opacity="1"'
    rf'| class="(?!mark-[a-z]+ role-mark (?!{_REFERENCE}_))[^"]*"'
)
"""What a picture does without. Groups of data marks keep their classes, by which they can be told from axes."""
_TAG = re.compile(r"<[^>]*>")
_LONG_NUMBER = re.compile(r"\d+\.\d{3,}")

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
"""What marks make, as Altair types it."""


@dataclass(frozen=True)
class Frame:
    """The room that a chart has, in units of its own: it is shown as wide as there is place."""

    width: int
    left: int
    """Of the width, what the labels of the vertical axis take."""
    right: int
    font_size: int = 11
    labels: int = 12
    """Dates that have room beside each other."""

    def with_left(self, left: int) -> Frame:
        """The same with other room for the labels of the vertical axis."""
        return Frame(self.width, left, self.right, self.font_size, self.labels)


WIDE = Frame(780, 56, 24)
"""The width of a page."""
NARROW = Frame(380, 52, 22, font_size=12, labels=5)
"""Half of it, or a phone's."""


def axis(**options: Any) -> alt.Axis:
    """An axis without title and grid, whose labels stand where they must whatever their width."""
    fixed: dict[str, Any] = {"title": None, "labelOverlap": False, "labelBound": False, "labelFlush": False}
    return alt.Axis(**({"grid": False} | fixed | options))


def reference_line(value: float, *, upright: bool = False) -> alt.Chart:
    """A thin line through a chart at a value of its vertical axis, or `upright` at one of its horizontal axis."""
    line = alt.Chart(pl.DataFrame({"at": [value]}), name=_REFERENCE).mark_rule(stroke="var(--muted)", strokeWidth=1)
    place = {"x": alt.X("at:Q", title=None)} if upright else {"y": alt.Y("at:Q", title=None)}
    drawn: alt.Chart = line.encode(**place)
    return drawn


def svg(chart: Chart, frame: Frame, height: int, label: str, *, foot: int = 24) -> str:
    """The chart as an element of the page, as wide as there is room.

    Args:
        chart: its marks and scales.
        frame: its width, and how much of that the labels take.
        height: of the marks.
        label: what is said to those who do not see it.
        foot: room for the labels of the horizontal axis.
    """
    text = io.StringIO()
    sized = chart.properties(width=frame.width - frame.left - frame.right, height=height).configure(
        aria=False,
        autosize=alt.AutoSizeParams(type="none"),
        background="transparent",
        font="inherit",
        padding={"left": frame.left, "right": frame.right, "top": 6, "bottom": foot},
        axis=alt.AxisConfig(
            domainColor="var(--line)",
            gridColor="var(--line)",
            labelColor="var(--muted)",
            labelFontSize=frame.font_size,
            tickColor="var(--line)",
        ),
        mark=alt.MarkConfig(aria=False),
        view=alt.ViewConfig(stroke=None),
    )
    with alt.data_transformers.enable("default", max_rows=None):
        sized.save(text, format="svg")
    lean = _TAG.sub(_shortened, _NOISE.sub("", text.getvalue()))
    return _OPENING.sub(lambda found: f'<svg viewBox="{found[1]}" role="img" aria-label="{label}">', lean, count=1)


def _shortened(tag: re.Match[str]) -> str:
    """Places to a hundredth of a unit; what is written between the tags stays."""
    return _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}", tag[0])


def responsive(draw: Callable[[Frame], str]) -> str:
    """A chart drawn twice, for a wide page and for a phone: the page's style shows one of them."""
    return f'<div class="on-wide">{draw(WIDE)}</div><div class="on-narrow">{draw(NARROW)}</div>'
