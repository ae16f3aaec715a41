"""Time axis of charts in calendar months from the first; independent of the machine's time zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import polars as pl

from gogooku3.pages.svg import Chart, Frame, axis

_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
"""Possible distances between two labels, in months."""
_LETTER = 6.0
"""Largest width of a letter."""


@dataclass(frozen=True)
class Months:
    """Consecutive calendar months, numbered from 0."""

    first: str
    """`2023-05`."""
    number: int

    @classmethod
    def spanning(cls, days: pl.Series) -> Months:
        """The months from the earliest to the latest day."""
        first, last = (np.datetime64(str(day)[:7], "M") for day in (days.min(), days.max()))
        return cls(str(first), int((last - first).astype(int)) + 1)

    @property
    def names(self) -> list[str]:
        """`2023-05` and so on."""
        return [str(np.datetime64(self.first, "M") + index) for index in range(self.number)]

    def until(self, day: str) -> float:
        """Fractional months from the start of the first month to a day."""
        return float(self.of(pl.Series([day]).str.to_date())[0])

    def of(self, days: pl.Series) -> pl.Series:
        """`until` for a series of days."""
        days_N = days.to_numpy().astype("datetime64[D]")
        month_N = days_N.astype("datetime64[M]")
        start_N, stop_N = month_N.astype("datetime64[D]"), (month_N + 1).astype("datetime64[D]")
        whole_N = (month_N - np.datetime64(self.first, "M")).astype(np.float64)
        return pl.Series(whole_N + (days_N - start_N) / (stop_N - start_N))

    def x(self, field: str, frame: Frame, *, labelled: bool = True) -> alt.X:
        """The horizontal axis; labels are years at each January, or months if the period is short."""
        first = int(np.datetime64(self.first, "M").astype(int))
        every = next((step for step in _STEPS if self.number <= frame.labels * step), _STEPS[-1])
        starts = [month for month in range(self.number) if (first + month) % every == 0]
        year, month = f"floor((datum.value + {first}) / 12) + 1970", f"(datum.value + {first}) % 12 + 1"
        label = year if every >= 12 else f"({year}) + '-' + pad({month}, 2, '0', 'left')"
        shown = axis(values=starts, labelExpr=label) if labelled else None
        return alt.X(f"{field}:Q", scale=alt.Scale(domain=[0, self.number], nice=False), axis=shown)


def columns(
    months: Months,
    heights: pl.Series,
    lines: pl.Series,
    frame: Frame,
    *,
    highlighted: Sequence[bool] = (),
    labelled: bool = True,
) -> Chart:
    """A column chart with one column per month and a reference line above each.

    Args:
        months: one per value.
        heights, lines: NaN is drawn as 0.
        highlighted: months in the error colour; empty: none.
        labelled: whether the axis has labels.
    """
    data = pl.DataFrame({"height": heights, "line": lines}).cast(pl.Float64).fill_nan(0.0)
    data = data.with_columns(month=pl.Series(months.names))
    marked = pl.Series("highlighted", highlighted or [False] * months.number)
    data = data.with_columns(marked, start=pl.int_range(pl.len())).with_columns(stop=pl.col("start") + 1)
    top = 1.05 * max(1.0, *data["height"], *data["line"])
    scale = alt.Scale(domain=[0.0, top], nice=False)
    shown = [alt.Tooltip("month:N"), *(alt.Tooltip(f"{name}:Q", format=",.1f") for name in ("height", "line"))]
    base = alt.Chart(data).encode(x=months.x("start", frame, labelled=labelled), x2="stop:Q", tooltip=shown)
    shade = alt.condition("datum.highlighted", alt.value("var(--fault)"), alt.value("var(--full)"))
    bars = base.mark_rect(stroke="var(--card)", strokeWidth=1).encode(
        y=alt.Y("height:Q", scale=scale, axis=axis(tickCount=3, format=",~r", grid=True)),
        y2=alt.datum(0),
        fill=shade,
    )
    return alt.layer(bars, base.mark_rule(color="var(--bound)", strokeWidth=1.5).encode(y="line:Q"))


def bands(months: Months, spans: Sequence[tuple[str, str, str]], frame: Frame) -> Chart:
    """Periods as horizontal bands, labelled with their names if they fit.

    Args:
        months: of the horizontal axis.
        spans: name, first day, last day; the name is also the name of the colour.
        frame: size of the chart.
    """
    names = [name for name, _, _ in spans]
    data = pl.DataFrame(
        {
            "name": names,
            "first": [months.until(first) for _, first, _ in spans],
            "last": [months.until(last) for _, _, last in spans],
        }
    ).with_columns(middle=(pl.col("first") + pl.col("last")) / 2)
    room = (pl.col("last") - pl.col("first")) * ((frame.width - frame.left - frame.right) / months.number)
    named = data.filter(room > _LETTER * pl.col("name").str.len_chars())
    shades = alt.Scale(domain=names, range=[f"var(--{name})" for name in names])
    boxes = (
        alt.Chart(data)
        .mark_rect(cornerRadius=3)
        .encode(
            x=months.x("first", frame, labelled=False),
            x2="last:Q",
            fill=alt.Fill("name:N", scale=shades, legend=None),
        )
    )
    words = alt.Chart(named).mark_text(fill="var(--ink)", fontSize=12)
    return alt.layer(boxes, words.encode(x=months.x("middle", frame, labelled=False), text="name:N"))
