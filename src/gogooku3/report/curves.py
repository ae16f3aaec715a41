"""Time series charts: cumulative return, drawdown and RankIC, with one line (track) for the model and each baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import polars as pl

from gogooku3.package.results import TITLES
from gogooku3.pages.months import Months
from gogooku3.pages.palette import DASHES
from gogooku3.pages.svg import Chart, Frame, axis, reference_line, svg
from gogooku3.report.results import Results, WalkForward

MODEL = "model"


@dataclass(frozen=True)
class Track:
    """A line of a chart: the model or a baseline."""

    name: str
    title: str
    index: int
    """Index of its colour, from 0."""

    @property
    def colour(self) -> str:
        """CSS colour."""
        return f"var(--track-{self.index + 1})"

    @property
    def dashes(self) -> list[int]:
        """Dash pattern: lengths of strokes and gaps."""
        return DASHES[self.index]


_TITLES = {MODEL: "the model"} | {name: TITLES[name] for name in ("lightgbm", "ridge")} | TITLES

ALL = [Track(name, title, index) for index, (name, title) in enumerate(_TITLES.items())]
"""The model, then the learning baselines, then the others."""


def scales(tracks: Sequence[Track]) -> tuple[alt.Scale, alt.Scale]:
    """Colour and dash scales by track name."""
    names = [track.name for track in tracks]
    colours = alt.Scale(domain=names, range=[track.colour for track in tracks])
    return colours, alt.Scale(domain=names, range=[track.dashes for track in tracks])


def cumulative(results: Results, frame: Frame) -> str:
    """Cumulative return after transaction costs of the model and its baselines."""
    months = Months.spanning(results.tracks["Date"])
    tracks = [track for track in ALL if track.name in results.tracks["track"]]
    chart = compounded(results.tracks, tracks, months, frame)
    return svg(chart, frame, 300, "Cumulative return after costs of the model and its baselines")


def compounded(tracks: pl.DataFrame, shown: list[Track], months: Months, frame: Frame) -> Chart:
    """One line per track, the model's the thickest.

    Args:
        tracks: `Date`, `track`, `cumulative_net`.
        shown: the tracks to show.
        months: horizontal axis.
        frame: size of the chart.
    """
    data = tracks.select("track", "cumulative_net", months.of(tracks["Date"]).alias("month"))
    colours, dashes = scales(shown)
    lines = alt.Chart(data).encode(
        x=months.x("month", frame),
        y=alt.Y("cumulative_net:Q", axis=axis(format="~%", grid=True, tickCount=6)),
        stroke=alt.Stroke("track:N", scale=colours, legend=None),
        strokeDash=alt.StrokeDash("track:N", scale=dashes, legend=None),
    )
    others = lines.mark_line(strokeWidth=1.4).transform_filter(alt.datum.track != MODEL)
    model = lines.mark_line(strokeWidth=2.6).transform_filter(alt.datum.track == MODEL)
    return alt.layer(reference_line(0.0), others, model)


def walk_forward(series: WalkForward, frame: Frame) -> str:
    """Cumulative return after transaction costs over the test periods of all folds."""
    tracks = [track for track in ALL if track.name in series.tracks["track"]]
    chart = compounded(series.tracks, tracks, Months.spanning(series.tracks["Date"]), frame)
    return svg(chart, frame, 260, "Cumulative return after costs over the tests of all folds, with the baselines")


def drawdown(results: Results, frame: Frame) -> str:
    """Drawdown of the model."""
    sessions = results.sessions.filter(pl.col("drawdown").is_not_nan())
    months = Months.spanning(results.tracks["Date"])
    data = sessions.select("drawdown", months.of(sessions["Date"]).alias("month"))
    area = alt.Chart(data).mark_area(fill="var(--fault)", fillOpacity=0.25, stroke="var(--fault)", strokeWidth=1)
    chart = area.encode(
        x=months.x("month", frame), y=alt.Y("drawdown:Q", axis=axis(format="~%", grid=True, tickCount=3))
    )
    return svg(chart, frame, 90, "Drawdown of the model")


def rank_ic(results: Results, horizon: str, frame: Frame) -> str:
    """RankIC of one horizon by session and its trailing mean over 20 sessions; all horizons share one scale."""
    known = results.rank_ic["rank_ic"].drop_nans().to_list()
    rows = results.rank_ic.filter(pl.col("horizon") == int(horizon)).fill_nan(None)
    months = Months.spanning(results.rank_ic["Date"])
    data = rows.select("rank_ic", "mean_20", months.of(rows["Date"]).alias("month"))
    base = alt.Chart(data).encode(x=months.x("month", frame))
    scale = alt.Scale(domain=[min(0.0, *known), max(0.0, *known)], nice=True)
    y = axis(format=".4~f", grid=True, tickCount=5)
    each = base.mark_line(stroke="var(--full)", strokeWidth=0.9, strokeOpacity=0.45)
    smooth = base.mark_line(stroke="var(--track-1)", strokeWidth=2.2)
    chart = alt.layer(
        reference_line(0.0),
        each.encode(y=alt.Y("rank_ic:Q", scale=scale, axis=y)),
        smooth.encode(y=alt.Y("mean_20:Q", scale=scale, axis=y)),
    )
    return svg(chart, frame, 150, f"RankIC of horizon {horizon}, session by session, and its mean over 20 sessions")
