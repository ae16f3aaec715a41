"""A chart on a page: inline SVG that shows without scripts, and the specifications by which `live.js` makes it live."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gogooku3.pages.svg import NARROW, WIDE, Drawing, Frame


@dataclass(frozen=True)
class Series:
    """An entry of a chart's legend."""

    name: str
    """As in the data."""
    title: str
    colour: str
    """CSS colour."""
    dashes: Sequence[int] = (1, 0)
    """Lengths of strokes and gaps."""
    width: float = 1.4


def responsive(
    draw: Callable[[Frame], Drawing],
    series: Sequence[Series] = (),
    payload: Mapping[str, Any] | None = None,
    live: Callable[[Frame], Drawing] | None = None,
) -> str:
    """A chart drawn twice, for wide pages and for phones; the page's CSS shows one of them.

    Args:
        draw: the chart of a frame.
        series: entries of the legend; empty: no legend.
        payload: what `live.js` needs besides the specifications.
        live: the live chart of a frame, if it differs from the drawn one.
    """
    frames = {"on-wide": WIDE, "on-narrow": NARROW}
    drawn = {name: draw(frame).svg() for name, frame in frames.items()}
    return _html(drawn, [(live or draw)(frame).spec() for frame in frames.values()], series, payload or {})


def picture(
    drawing: Drawing,
    series: Sequence[Series] = (),
    payload: Mapping[str, Any] | None = None,
    live: Drawing | None = None,
) -> str:
    """A chart of one size; the arguments are those of `responsive`."""
    return _html({"drawn": drawing.svg()}, [(live or drawing).spec()], series, payload or {})


def swatch(series: Series) -> Markup:
    """A short line in the colour and the dashes of a series."""
    dashes = " ".join(map(str, series.dashes))
    return Markup(
        '<svg class="swatch" viewBox="0 0 28 6" aria-hidden="true"><path d="M0 3H28" stroke="{}" stroke-width="{:g}"'
        ' stroke-dasharray="{}"/></svg>'
    ).format(series.colour, max(2.0, series.width), dashes)


def _html(
    drawn: Mapping[str, str], specs: Sequence[dict[str, Any]], series: Sequence[Series], payload: Mapping[str, Any]
) -> str:
    content = {"specs": [_lean(spec) for spec in specs], **payload}
    boxes = "".join(f'<div class="{name}">{svg}</div>' for name, svg in drawn.items())
    return f'<div class="chart">{_legend(series)}{boxes}{data_block(content)}</div>'


def data_block(content: Mapping[str, Any]) -> str:
    """JSON that scripts of the page read; a browser does not run it."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    escaped = text.replace("<", r"\u003c")
    return f'<script type="application/json">{escaped}</script>'


def _legend(series: Sequence[Series]) -> str:
    entries = (Markup('<li data-series="{}">{}{}</li>').format(each.name, swatch(each), each.title) for each in series)
    return f'<ul class="legend">{"".join(entries)}</ul>' if series else ""


def _lean(spec: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in spec.items() if name != "$schema"}
