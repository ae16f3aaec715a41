"""Renders charts as inline SVG in the colours and the font of the page's style.

No layout depends on the width of a text, so the bytes do not depend on the machine's fonts.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

_OPENING = re.compile(r'<svg [^>]*viewBox="([^"]*)">')
_REFERENCE = "reference"
_NOISE = re.compile(
    r' (?:aria-[a-z]+|role|pointer-events)="[^"]*"| opacity="1"| font-family="inherit"'
    rf'| class="(?!mark-[a-z]+ role-mark (?!{_REFERENCE}_))[^"]*"'
)
"""Superfluous attributes. Groups of data marks keep their classes, which distinguish them from axes."""
_TAG = re.compile(r"<[^>]*>")
_LONG_NUMBER = re.compile(r"\d+\.\d{3,}")

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
"""Altair's types of a chart."""


@dataclass(frozen=True)
class Frame:
    """Size of a chart, in its own units; it scales to the width of the page."""

    width: int
    left: int
    """Part of the width for the labels of the vertical axis."""
    right: int
    font_size: int = 11
    labels: int = 12
    """Largest number of date labels."""

    def with_left(self, left: int) -> Frame:
        """A copy with another width for the labels of the vertical axis."""
        return Frame(self.width, left, self.right, self.font_size, self.labels)


WIDE = Frame(780, 56, 24)
"""Full width of a page."""
NARROW = Frame(380, 52, 22, font_size=12, labels=5)
"""Half the width, or a phone."""


def axis(**options: Any) -> alt.Axis:
    """An axis without title and grid, with fixed label positions."""
    fixed: dict[str, Any] = {"title": None, "labelOverlap": False, "labelBound": False, "labelFlush": False}
    return alt.Axis(**({"grid": False} | fixed | options))


def reference_line(value: float, *, upright: bool = False) -> alt.Chart:
    """A thin horizontal line at a value of the vertical axis, or an `upright` one at a value of the horizontal axis."""
    line = alt.Chart(pl.DataFrame({"at": [value]}), name=_REFERENCE).mark_rule(stroke="var(--muted)", strokeWidth=1)
    encoding = {"x": alt.X("at:Q", title=None)} if upright else {"y": alt.Y("at:Q", title=None)}
    chart: alt.Chart = line.encode(**encoding)
    return chart


@dataclass(frozen=True, eq=False)
class Drawing:
    """A chart with its size and its alternative text."""

    chart: Chart
    frame: Frame
    height: int
    """Height of the plot area."""
    label: str
    """Alternative text for screen readers."""
    foot: int = 24
    """Bottom margin for the labels of the horizontal axis."""

    def svg(self) -> str:
        """The chart as an inline SVG element that scales to the page's width."""
        text = io.StringIO()
        with alt.data_transformers.enable("default", max_rows=None):
            self._sized().save(text, format="svg")
        lean = _TAG.sub(_shortened, _NOISE.sub("", text.getvalue()))
        opening = f'role="img" aria-label="{self.label}">'
        return _OPENING.sub(lambda match: f'<svg viewBox="{match[1]}" {opening}', lean, count=1)

    def spec(self) -> dict[str, Any]:
        """The chart as a Vega-Lite specification, of the same size."""
        with alt.data_transformers.enable("default", max_rows=None):
            spec: dict[str, Any] = self._sized().to_dict()
        return spec

    def _sized(self) -> Chart:
        frame = self.frame
        width = frame.width - frame.left - frame.right
        sized: Chart = self.chart.properties(width=width, height=self.height).configure(
            aria=False,
            autosize=alt.AutoSizeParams(type="none"),
            background="transparent",
            font="inherit",
            padding={"left": frame.left, "right": frame.right, "top": 6, "bottom": self.foot},
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
        return sized


def svg(chart: Chart, frame: Frame, height: int, label: str, *, foot: int = 24) -> str:
    """`Drawing.svg` of a chart."""
    return Drawing(chart, frame, height, label, foot).svg()


def _shortened(tag: re.Match[str]) -> str:
    """Rounds the coordinates in a tag to one decimal; text between tags is unchanged."""
    return _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.1f}", tag[0])
