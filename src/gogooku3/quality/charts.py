"""Charts of the data quality page."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from gogooku3.dataset.splits import SPLITS
from gogooku3.pages.months import Months, bands, columns
from gogooku3.pages.svg import WIDE, axis, svg
from gogooku3.quality.checks import Findings
from gogooku3.quality.checks.outliers import CLIPPED
from gogooku3.quality.finding import Finding, months_with_errors
from gogooku3.quality.statistics import Statistics
from gogooku3.quality.tables import by_feature, by_month

_FRAME = WIDE.with_left(96)
"""Wide enough on the left for the names of families."""


def stocks(statistics: Statistics, by_check: Findings) -> str:
    """Mean number of stocks with a bar per session of each month, and a line for the expected number."""
    per_session = [pl.col(name) / pl.col("sessions") for name in ("bars", "expected_bars")]
    table = by_month(statistics).with_columns(per_session)
    highlighted = _with_errors(statistics, by_check["coverage"])
    chart = columns(
        _months(statistics), table["bars"], table["expected_bars"], _FRAME, highlighted=highlighted, labelled=False
    )
    label = "Mean number of stocks with a bar per session of each month, and the expected number"
    return svg(chart, _FRAME, 130, label, foot=8)


def sessions(statistics: Statistics, by_check: Findings) -> str:
    """Sessions of each month, and a line for its weekdays."""
    table, highlighted = by_month(statistics), _with_errors(statistics, by_check["coverage"])
    chart = columns(_months(statistics), table["sessions"], table["weekdays"], _FRAME, highlighted=highlighted)
    return svg(chart, _FRAME, 64, "Sessions and weekdays of each month")


def neighbours(statistics: Statistics, by_check: Findings) -> str:
    """Mean number of neighbours per stock in each month's graphs, and a line for the largest possible number."""
    table = by_month(statistics)
    largest = pl.Series([statistics.schema.neighbours] * len(table))
    highlighted = _with_errors(statistics, by_check["graph"])
    chart = columns(_months(statistics), table["edges"] * table["linked"], largest, _FRAME, highlighted=highlighted)
    return svg(chart, _FRAME, 90, "Neighbours per stock in each month's graphs")


def splits(statistics: Statistics) -> str:
    """Training, validation and test periods on a time axis, with the embargo between them."""
    spans = [(name, statistics.split[name]["first"], statistics.split[name]["last"]) for name in SPLITS]
    return svg(bands(_months(statistics), spans, _FRAME), _FRAME, 24, "Training, validation and test in time", foot=2)


def clipped(statistics: Statistics) -> str:
    """Strip plot by family: one tick per feature at the share of its clipped values."""
    features = by_feature(statistics).select("family", "clipped").drop_nans()
    families = list(dict.fromkeys(feature.family for feature in statistics.schema.features))
    largest = max(1.25 * CLIPPED, *features["clipped"])
    marks = [share for share in (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0) if share <= largest]
    x = alt.X(
        "clipped:Q",
        scale=alt.Scale(type="sqrt", domain=[0.0, largest], nice=False),
        axis=axis(values=marks, format=".1~%", grid=True),
    )
    y = alt.Y("family:N", scale=alt.Scale(domain=families), axis=axis(domain=False, ticks=False, labelPadding=8))
    strokes = alt.Chart(features).mark_tick(color="var(--full)", opacity=0.7, thickness=1.6, bandSize=13)
    bound = alt.Chart(pl.DataFrame({"clipped": [CLIPPED]})).mark_rule(color="var(--fault)", strokeDash=[4, 3])
    chart = bound.encode(x=x) + strokes.encode(x=x, y=y)
    label = "Share of clipped values, one tick per feature, by family"
    return svg(chart, _FRAME, 20 * len(families), label)


def _months(statistics: Statistics) -> Months:
    return Months(statistics.months[0], len(statistics.months))


def _with_errors(statistics: Statistics, findings: Sequence[Finding]) -> list[bool]:
    months = months_with_errors(findings)
    return [month in months for month in statistics.months]
