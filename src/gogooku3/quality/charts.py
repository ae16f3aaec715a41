"""The pictures of the page: SVG that stands in it, without scripts, in the colours and the font of the page's style.

Nothing is laid out by the width of a text and time is counted in months from the first: the bytes depend on neither
fonts nor time zone of the machine.
"""

from __future__ import annotations

import io
import re
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from gogooku3.dataset.splits import SPLITS
from gogooku3.quality.checks import Found
from gogooku3.quality.checks.outliers import CLIPPED
from gogooku3.quality.finding import months_at_fault
from gogooku3.quality.survey import Survey
from gogooku3.quality.tables import by_feature, by_month

_WIDTH, _LEFT, _RIGHT = 780, 96, 24
_OPENING = re.compile(r'<svg [^>]*viewBox="([^"]*)">')
_NOISE = re.compile(r' (?:aria-[a-z]+|role|class|pointer-events)="[^"]*"| opacity="1"')
_LONG_NUMBER = re.compile(r"\d+\.\d{3,}")

Chart = alt.LayerChart | alt.FacetChart
"""What layers of marks make, as Altair types it."""


def stocks(survey: Survey, found: Found) -> str:
    """Stocks with a bar in a month's mean session, and a line for those that should have one."""
    per_session = [pl.col(name) / pl.col("sessions") for name in ("bars", "expected_bars")]
    months = by_month(survey).with_columns(per_session)
    chart = _columns(survey, months, "bars", "expected_bars", months_at_fault(found["coverage"]), labelled=False)
    label = "Stocks with a bar in each month's mean session, and those that should have one"
    return _svg(chart, 130, label, foot=8)


def sessions(survey: Survey, found: Found) -> str:
    """Sessions of a month, and a line for its weekdays."""
    chart = _columns(survey, by_month(survey), "sessions", "weekdays", months_at_fault(found["coverage"]))
    return _svg(chart, 64, "Sessions and weekdays of each month")


def neighbours(survey: Survey, found: Found) -> str:
    """Neighbours of the mean stock in a month's graphs, and a line for those that it can have."""
    per_stock = (pl.col("edges") * pl.col("linked")).alias("neighbours")
    months = by_month(survey).with_columns(per_stock, most=pl.lit(survey.schema.neighbours))
    chart = _columns(survey, months, "neighbours", "most", months_at_fault(found["graph"]))
    return _svg(chart, 90, "Neighbours per stock in each month's graphs")


def splits(survey: Survey) -> str:
    """Training, validation and test in time; between them lies the embargo."""
    spans = pl.DataFrame(
        {
            "name": SPLITS,
            "first": [_months_until(survey, survey.split[name]["first"]) for name in SPLITS],
            "last": [_months_until(survey, survey.split[name]["last"]) for name in SPLITS],
        }
    ).with_columns(middle=(pl.col("first") + pl.col("last")) / 2)
    shades = alt.Scale(domain=list(SPLITS), range=[f"var(--{name})" for name in SPLITS])
    base = alt.Chart(spans).encode(x=_x(survey, "first", labelled=False))
    bands = base.mark_rect(cornerRadius=3).encode(x2="last:Q", fill=alt.Fill("name:N", scale=shades, legend=None))
    names = base.mark_text(fill="var(--ink)", fontSize=12).encode(x=_x(survey, "middle", labelled=False), text="name:N")
    return _svg(bands + names, 24, "Training, validation and test in time", foot=2)


def clipped(survey: Survey) -> str:
    """One stroke per feature, at the share of its values that clipping leaves on a bound, by family."""
    features = by_feature(survey).select("family", "clipped").drop_nans()
    families = list(dict.fromkeys(feature.family for feature in survey.schema.features))
    most = max(1.25 * CLIPPED, *features["clipped"])
    marks = [share for share in (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0) if share <= most]
    x = alt.X(
        "clipped:Q",
        scale=alt.Scale(type="sqrt", domain=[0.0, most], nice=False),
        axis=_axis(values=marks, format=".1~%", grid=True),
    )
    y = alt.Y("family:N", scale=alt.Scale(domain=families), axis=_axis(domain=False, ticks=False, labelPadding=8))
    strokes = alt.Chart(features).mark_tick(color="var(--full)", opacity=0.7, thickness=1.6, bandSize=13)
    bound = alt.Chart(pl.DataFrame({"clipped": [CLIPPED]})).mark_rule(color="var(--fault)", strokeDash=[4, 3])
    chart = bound.encode(x=x) + strokes.encode(x=x, y=y)
    return _svg(chart, 20 * len(families), "Share of the values that are clipped, a stroke per feature, by family")


def _columns(
    survey: Survey, months: pl.DataFrame, height: str, line: str, at_fault: set[str], *, labelled: bool = True
) -> Chart:
    """A column per month as high as one number, and a line over it at another."""
    spans = months.select(pl.col(height, line).cast(pl.Float64), start=pl.int_range(pl.len())).fill_nan(0.0)
    spans = spans.with_columns(months["month"].is_in(list(at_fault)).alias("at_fault"), stop=pl.col("start") + 1)
    top = 1.05 * max(1.0, *spans[height], *spans[line])
    scale = alt.Scale(domain=[0.0, top], nice=False)
    axis = _axis(tickCount=3, format=",~r", grid=True)
    base = alt.Chart(spans).encode(x=_x(survey, "start", labelled=labelled), x2="stop:Q")
    shade = alt.condition("datum.at_fault", alt.value("var(--fault)"), alt.value("var(--full)"))
    columns = base.mark_rect(stroke="var(--card)", strokeWidth=1).encode(
        y=alt.Y(f"{height}:Q", scale=scale, axis=axis), y2=alt.datum(0), fill=shade
    )
    return alt.layer(columns, base.mark_rule(color="var(--bound)", strokeWidth=1.5).encode(y=f"{line}:Q"))


def _x(survey: Survey, field: str, *, labelled: bool = True) -> alt.X:
    """Months from the first on; Januaries are labelled with their year, those of a short dataset also by quarter."""
    first, months = np.datetime64(survey.months[0], "M").astype(int), len(survey.months)
    every = 12 if months > 36 else 3
    starts = [place for place in range(months) if (first + place) % every == 0]
    year, month = f"floor((datum.value + {first}) / 12) + 1970", f"(datum.value + {first}) % 12 + 1"
    label = year if every == 12 else f"({year}) + '-' + pad({month}, 2, '0', 'left')"
    axis = _axis(values=starts, labelExpr=label) if labelled else None
    return alt.X(f"{field}:Q", scale=alt.Scale(domain=[0, months], nice=False), axis=axis)


def _months_until(survey: Survey, day: str) -> float:
    """Months from the beginning of the first to a day."""
    date = np.datetime64(day, "D")
    month = date.astype("datetime64[M]")
    into = (date - month) / ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]"))
    return float((month - np.datetime64(survey.months[0], "M")).astype(int) + into)


def _axis(**options: Any) -> alt.Axis:
    fixed: dict[str, Any] = {"title": None, "labelOverlap": False, "labelBound": False, "labelFlush": False}
    return alt.Axis(**({"grid": False} | fixed | options))


def _svg(chart: Chart, height: int, label: str, foot: int = 24) -> str:
    """The chart as an element of the page, as wide as there is room."""
    text = io.StringIO()
    chart.properties(width=_WIDTH - _LEFT - _RIGHT, height=height).configure(
        aria=False,
        autosize=alt.AutoSizeParams(type="none"),
        background="transparent",
        font="inherit",
        padding={"left": _LEFT, "right": _RIGHT, "top": 6, "bottom": foot},
        axis=alt.AxisConfig(
            domainColor="var(--line)",
            gridColor="var(--line)",
            labelColor="var(--muted)",
            labelFontSize=11,
            tickColor="var(--line)",
        ),
        mark=alt.MarkConfig(aria=False),
        view=alt.ViewConfig(stroke=None),
    ).save(text, format="svg")
    lean = _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}", _NOISE.sub("", text.getvalue()))
    return _OPENING.sub(lambda found: f'<svg viewBox="{found[1]}" role="img" aria-label="{label}">', lean, count=1)
