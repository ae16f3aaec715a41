"""Time series charts: cumulative return, drawdown and RankIC, with one line for the model and each baseline."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from gogooku3.package.results import TITLES
from gogooku3.pages.palette import DASHES
from gogooku3.pages.picture import Series
from gogooku3.pages.svg import NARROW
from gogooku3.pages.timeline import Timeline
from gogooku3.report.results import Results, WalkForward

MODEL = "model"
_TITLES = {MODEL: "the model"} | {name: TITLES[name] for name in ("lightgbm", "ridge")} | TITLES


def track(name: str, title: str, index: int) -> Series:
    """A line in the colour and the dashes of an index, from 0, that of the model, which is the thickest."""
    return Series(name, title, f"var(--track-{index + 1})", DASHES[index], 1.4 if index else 2.6)


ALL = [track(name, title, index) for index, (name, title) in enumerate(_TITLES.items())]
"""The model, then the learning baselines, then the others."""


def colour_scale(shown: Sequence[Series]) -> alt.Scale:
    """Colour by name."""
    return alt.Scale(domain=[each.name for each in shown], range=[each.colour for each in shown])


def cumulative(results: Results) -> str:
    """Cumulative return after transaction costs of the model and its baselines."""
    label = "Cumulative return after costs of the model and its baselines"
    return compounded(results.tracks, ALL, 300, label).responsive()


def compounded(tracks: pl.DataFrame, lines: Sequence[Series], height: int, label: str) -> Timeline:
    """One line per track.

    Args:
        tracks: `Date`, `track`, `cumulative_net`.
        lines: the tracks to show, if there.
        height: of the plot area.
        label: alternative text.
    """
    shown = [line for line in lines if line.name in tracks["track"]]
    wide = tracks.fill_nan(None).pivot("track", index="Date", values="cumulative_net").sort("Date")
    return Timeline(wide["Date"], wide, shown, height, label, percent=True, digits=1, ticks=6)


def walk_forward(series: WalkForward) -> str:
    """Cumulative return after transaction costs over the test periods of all folds."""
    label = "Cumulative return after costs over the tests of all folds, with the baselines"
    return compounded(series.tracks, ALL, 260, label).responsive()


def drawdown(results: Results) -> str:
    """Drawdown of the model; an empty chart if it never held a position."""
    known = results.sessions.filter(pl.col("drawdown").is_not_nan())
    sessions = results.sessions.fill_nan(None) if known.is_empty() else known
    line = Series("drawdown", "drawdown", "var(--fault)")
    chart = Timeline(
        sessions["Date"],
        sessions,
        [line],
        90,
        "Drawdown of the model",
        percent=True,
        ticks=3,
        filled=True,
        legend=False,
    )
    return chart.responsive()


def rank_ic(results: Results, horizon: str) -> str:
    """RankIC of one horizon by session and its trailing mean over 20 sessions; all horizons share one scale."""
    known = results.rank_ic["rank_ic"].drop_nans().to_list()
    rows = results.rank_ic.filter(pl.col("horizon") == int(horizon)).fill_nan(None)
    lines = [
        Series("mean_20", "mean of 20 sessions", "var(--track-1)", width=2.2),
        Series("rank_ic", "session", "var(--there-3)", width=0.9),
    ]
    label = f"RankIC of horizon {horizon}, session by session, and its mean over 20 sessions"
    domain = (min(0.0, *known), max(0.0, *known))
    chart = Timeline(rows["Date"], rows, lines, 150, label, digits=3, domain=domain, legend=False)
    return chart.picture(NARROW)
