"""Line charts over time: hover shows the values of a session, the legend hides lines, dragging zooms.

The data are one column per line. The drawn SVG and the live chart are the same Vega-Lite specification; the live one
has its data, its period and its hidden lines as parameters, which `live.js` sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from gogooku3.pages.picture import Series, picture, responsive
from gogooku3.pages.svg import Chart, Drawing, Frame, axis, reference_line

_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
"""Possible distances between two date labels, in months."""
_DAY = 86_400_000
"""Milliseconds."""
_TABLE = "table"


@dataclass(frozen=True, eq=False)
class Timeline:
    """Lines over the same sessions."""

    dates: pl.Series
    """Ascending."""
    values: pl.DataFrame
    """One column per line, by name; null where undefined."""
    lines: Sequence[Series]
    """The first is drawn on top."""
    height: int
    label: str
    percent: bool = False
    digits: int = 2
    """Decimals of the values on hover."""
    ticks: int = 5
    """Approximate number of labels of the vertical axis."""
    filled: bool = False
    """Whether the area between the line and zero is filled."""
    domain: tuple[float, float] | None = None
    """Range of the vertical axis; None: that of the values."""
    legend: bool = field(default=True, kw_only=True)

    def responsive(self) -> str:
        """The chart for wide pages and for phones."""
        return responsive(self.drawing, self._entries(), self._payload(), lambda frame: self.drawing(frame, live=True))

    def picture(self, frame: Frame) -> str:
        """The chart in one size."""
        return picture(self.drawing(frame), self._entries(), self._payload(), self.drawing(frame, live=True))

    def drawing(self, frame: Frame, *, live: bool = False) -> Drawing:
        """The chart; `live` without data, with parameters."""
        lines = self._lines(frame, live=live)
        layers = [reference_line(0.0), lines, *(self._crosshair(frame) if live else [])]
        chart: Chart = alt.layer(*layers)
        if live:
            first, last = self._ends
            values: dict[str, Any] = {"start": first, "stop": last, "at": None, "hidden": []}
            chart = chart.add_params(*(alt.param(name=name, value=value) for name, value in values.items()))
        return Drawing(chart, frame, self.height, self.label)

    @property
    def _ends(self) -> tuple[int, int]:
        """First and last session in milliseconds since 1970."""
        days_T = _days(self.dates)
        return int(days_T[0]) * _DAY, int(days_T[-1]) * _DAY

    def _entries(self) -> Sequence[Series]:
        return self.lines if self.legend else ()

    def _payload(self) -> dict[str, Any]:
        """The data as whole numbers: steps of `day`, and values in units of the last of `decimals`."""
        decimals = self.digits + 1 + 2 * self.percent
        days_T = _days(self.dates)
        columns: dict[str, list[Any]] = {"day": [int(days_T[0]), *np.diff(days_T).tolist()]}
        for line in self.lines:
            columns[line.name] = [_scaled(value, decimals) for value in self.values[line.name]]
        titles = [{"name": line.name, "title": line.title, "colour": line.colour} for line in self.lines]
        shown = {"lines": titles, "percent": self.percent, "digits": self.digits}
        return {"columns": columns, "decimals": decimals} | shown

    def _folded(self, data: alt.NamedData | pl.DataFrame) -> alt.Chart:
        """One row per session and line; lines that are drawn last are on top."""
        names: list[Any] = [line.name for line in reversed(self.lines)]
        chart: alt.Chart = alt.Chart(data).transform_fold(names, as_=["track", "value"])
        return chart

    def _lines(self, frame: Frame, *, live: bool) -> alt.Chart:
        folded = self._folded(alt.NamedData(_TABLE) if live else self._thinned(frame))
        if live:
            folded = folded.transform_filter("datum.day >= start && datum.day <= stop")
            folded = folded.transform_filter("indexof(hidden, datum.track) < 0")
        marks = (
            folded.mark_area(fillOpacity=0.25, strokeWidth=1) if self.filled else folded.mark_line(strokeJoin="round")
        )
        chart: alt.Chart = marks.encode(x=self._x(frame, live=live), y=self._y(), **self._look())
        return chart

    def _look(self) -> dict[str, Any]:
        names = [line.name for line in self.lines]

        def scale(values: list[Any]) -> alt.Scale:
            return alt.Scale(type="ordinal", domain=names, range=values)

        colours = scale([line.colour for line in self.lines])
        look: dict[str, Any] = {"stroke": alt.Stroke("track:N", scale=colours, legend=None)}
        if self.filled:
            return look | {"fill": alt.Fill("track:N", scale=colours, legend=None)}
        dashes, widths = scale([list(line.dashes) for line in self.lines]), scale([line.width for line in self.lines])
        look["strokeDash"] = alt.StrokeDash("track:N", scale=dashes, legend=None)
        look["strokeWidth"] = alt.StrokeWidth("track:O", scale=widths, legend=None)
        return look

    def _crosshair(self, frame: Frame) -> list[alt.Chart]:
        """A vertical line at the session `at`, and a dot on each line."""
        x = self._x(frame, live=True)
        upright = alt.Chart(alt.NamedData(_TABLE)).transform_filter("datum.day == at")
        dots = self._folded(alt.NamedData(_TABLE)).transform_filter(
            "datum.day == at && isValid(datum.value) && indexof(hidden, datum.track) < 0"
        )
        colours = alt.Scale(domain=[line.name for line in self.lines], range=[line.colour for line in self.lines])
        return [
            upright.mark_rule(stroke="var(--muted)", strokeWidth=1).encode(x=x),
            dots.mark_circle(size=40, opacity=1).encode(
                x=x, y=self._y(), color=alt.Color("track:N", scale=colours, legend=None)
            ),
        ]

    def _x(self, frame: Frame, *, live: bool) -> alt.X:
        first, last = self._ends
        labels, form = _labels(self.dates, frame.labels)
        text = f"utcFormat(datum.value, '{form}')"
        if live:
            whole = f"stop - start >= {last - first}"
            zoomed = f"utcFormat(datum.value, stop - start > {120 * _DAY} ? '%Y-%m' : '%m-%d')"
            domain: list[Any] = [alt.ExprRef("start"), alt.ExprRef("stop")]
            shown = axis(
                values=alt.ExprRef(f"{whole} ? {labels} : null"),
                labelExpr=f"{whole} ? {text} : {zoomed}",
                tickCount=frame.labels // 2,
            )
        else:
            domain, shown = [first, last], axis(values=labels, labelExpr=text)
        return alt.X("day:T", scale=alt.Scale(type="utc", domain=domain, nice=False), axis=shown)

    def _y(self) -> alt.Y:
        form = "~%" if self.percent else ".4~f"
        scale = alt.Undefined if self.domain is None else alt.Scale(domain=list(self.domain), nice=True)
        return alt.Y("value:Q", scale=scale, axis=axis(format=form, grid=True, tickCount=self.ticks))

    def _thinned(self, frame: Frame) -> pl.DataFrame:
        """At most one session per two units of the chart's width, the last one included."""
        table = self.values.select(line.name for line in self.lines).with_columns(
            pl.Series("day", _days(self.dates) * _DAY)
        )
        every = -(-2 * len(table) // frame.width)
        return table.filter((pl.int_range(pl.len(), 0, -1) - 1) % every == 0)


def _days(dates: pl.Series) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Days since 1970."""
    return dates.to_numpy().astype("datetime64[D]").astype(np.int64)


def _labels(dates: pl.Series, most: int) -> tuple[list[int], str]:
    """Positions of the date labels, and their format: starts of months, or the ends of a period without two of them."""
    first, last = (np.datetime64(day, "D") for day in (dates[0], dates[-1]))
    months = np.arange(first.astype("datetime64[M]"), last.astype("datetime64[M]") + 1)
    every = next((step for step in _STEPS if len(months) <= most * step), _STEPS[-1])
    numbers = months.astype(np.int64)
    starts = months[numbers % every == 0].astype("datetime64[D]")
    inside = starts[(starts >= first) & (starts <= last)]
    if len(inside) < 2:
        return [int(day.astype(np.int64)) * _DAY for day in (first, last)], "%Y-%m-%d"
    return [int(day) * _DAY for day in inside.astype(np.int64)], "%Y" if every >= 12 else "%Y-%m"


def _scaled(value: float | None, decimals: int) -> int | None:
    return None if value is None or value != value else round(value * 10**decimals)
