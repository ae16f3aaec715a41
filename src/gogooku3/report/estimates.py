"""Charts of point estimates with confidence intervals, and learning curves."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from gogooku3.package.results import RIVALS
from gogooku3.pages.picture import picture, responsive
from gogooku3.pages.svg import Drawing, Frame, axis, reference_line
from gogooku3.report.curves import ALL, MODEL, colour_scale
from gogooku3.report.results import Results

_RANK = alt.Tooltip("rank:Q", format=".1%", title="rank of the score")


def horizons(results: Results) -> str:
    """RankIC by horizon of the model and the learning baselines."""
    tables = {MODEL: results.test} | {name: results.baselines[name] for name in RIVALS}
    rows = [
        {"track": name, "horizon": horizon, **cell}
        for name, table in tables.items()
        for horizon, cell in table["rank_ic"].items()
    ]
    tracks = [track for track in ALL if track.name in tables]

    def drawing(frame: Frame) -> Drawing:
        base = alt.Chart(_known(rows)).encode(
            x=alt.X("horizon:N", sort=results.horizons, axis=axis(labelAngle=0, ticks=False)),
            xOffset=alt.XOffset("track:N", sort=[each.name for each in tracks], scale=alt.Scale(paddingOuter=1)),
            color=alt.Color("track:N", scale=colour_scale(tracks), legend=None),
            tooltip=values(".3f"),
        )
        shown = base.transform_filter("indexof(hidden, datum.track) < 0")
        chart = alt.layer(reference_line(0.0), *_whiskers(shown, ".4~f")).add_params(alt.param(name="hidden", value=[]))
        label = "RankIC by horizon, with intervals, of the model, LightGBM and ridge regression"
        return Drawing(chart, frame, 200, label)

    return responsive(drawing, tracks)


def by_place(rows: list[dict[str, Any]], name: str, label: str, frame: Frame) -> str:
    """Estimates in a row, such as by lag.

    Args:
        rows: the place under a name, `value`, `low` and `high`.
        name: of the place.
        label: alternative text.
        frame: size of the chart.
    """
    base = alt.Chart(_known(rows)).encode(
        x=alt.X(f"{name}:O", axis=axis(labelAngle=0, ticks=False)),
        color=alt.value("var(--track-1)"),
        tooltip=[alt.Tooltip(f"{name}:O"), *values(".3f")],
    )
    chart = alt.layer(reference_line(0.0), *_whiskers(base, ".4~f"))
    return picture(Drawing(chart, frame, 150, f"{label}, with intervals"))


def values(form: str) -> list[alt.Tooltip]:
    """What a mark shows on hover: the value and the bounds of its interval, in a d3 format."""
    titles = {"value": "value", "low": "95 % from", "high": "95 % to"}
    return [alt.Tooltip(f"{name}:Q", title=title, format=form) for name, title in titles.items()]


def quantiles(table: pl.DataFrame, horizon: str, frame: Frame) -> str:
    """Mean return over a horizon by score quantile, minus the session's mean."""
    base = alt.Chart(_known(table.to_dicts())).encode(
        x=alt.X("quantile:O", axis=axis(labelAngle=0, ticks=False)),
        tooltip=[alt.Tooltip("quantile:O"), *values(".3%")],
    )
    y = alt.Y("value:Q", axis=axis(format="~%", grid=True, tickCount=5))
    bars = base.mark_bar(color="var(--full)", fillOpacity=0.55).encode(y=y)
    rule = base.mark_rule(color="var(--ink)", strokeWidth=1.2).encode(y="low:Q", y2="high:Q")
    label = f"Mean return over horizon {horizon} by quantile of the score, with intervals"
    return picture(Drawing(alt.layer(bars, rule, reference_line(0.0)), frame, 150, label))


def calibration(table: pl.DataFrame, rank_ic: float | None, horizon: str, frame: Frame) -> str:
    """Mean rank of the return by rank of the score, and the line whose slope is the RankIC."""
    rows = _known(table.to_dicts())
    x = alt.X("rank:Q", scale=alt.Scale(domain=[0, 1]), axis=axis(format="~%", values=[0, 0.25, 0.5, 0.75, 1]))
    y = alt.Y("value:Q", scale=alt.Scale(zero=False), axis=axis(format="~%", grid=True, tickCount=5))
    dots = alt.Chart(rows).encode(x=x, color=alt.value("var(--track-1)"), tooltip=[_RANK, *values(".1%")])
    slope = rank_ic or 0.0
    ends = pl.DataFrame({"rank": [0.0, 1.0], "value": [0.5 - slope / 2, 0.5 + slope / 2]})
    line = alt.Chart(ends).mark_line(stroke="var(--bound)", strokeWidth=1.5, strokeDash=[5, 3]).encode(x=x, y=y)
    chart = alt.layer(
        reference_line(0.5),
        line,
        dots.mark_rule(strokeWidth=1.2).encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high:Q"),
        dots.mark_circle(size=34, opacity=1).encode(y=y),
    )
    return picture(Drawing(chart, frame, 170, f"Mean rank of the return over horizon {horizon} by rank of the score"))


def differences(results: Results, metric: str, title: str, frame: Frame) -> str:
    """Model minus each baseline, by one metric."""
    by_title = {track.title: results.baselines.get(track.name, {}).get("model_less_this", {}) for track in ALL}
    rows = [{"title": name, **table[metric]} for name, table in by_title.items() if metric in table]
    return gains(rows, f"{title}, the model minus each baseline", frame)


def gains(rows: list[dict[str, Any]], label: str, frame: Frame) -> str:
    """One difference per line with its interval, and a reference line at zero."""
    titles = [row["title"] for row in rows]
    y = alt.Y("title:N", sort=titles, axis=axis(domain=False, ticks=False, labelPadding=8))
    base = alt.Chart(_known(rows)).encode(
        y=y, color=alt.value("var(--track-1)"), tooltip=[alt.Tooltip("title:N", title="of"), *values(".4~f")]
    )
    x = alt.X("value:Q", axis=axis(format=".4~f", grid=True, tickCount=5))
    chart = alt.layer(
        reference_line(0.0, upright=True),
        base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q"),
        base.mark_circle(size=60, opacity=1).encode(x=x),
    )
    return picture(Drawing(chart, frame, 30 * len(titles), f"{label}, with intervals"))


def training(results: Results, column: str, frame: Frame) -> str:
    """Learning curve: one value per epoch, phase after phase."""
    phases = results.trained
    curves = (
        results.training[phase].filter(pl.col("epoch") >= 0).select(pl.lit(phase).alias("phase"), column)
        for phase in phases
    )
    data = pl.concat(curves).fill_nan(None).with_row_index("epoch", offset=1)
    colours = alt.Scale(domain=phases, range=[f"var(--track-{index + 1})" for index in range(len(phases))])
    every = max(1, -(-len(data) // frame.labels))
    base = alt.Chart(data).encode(
        x=alt.X(
            "epoch:Q",
            scale=alt.Scale(domain=[0.5, len(data) + 0.5], nice=False),
            axis=axis(values=list(range(1, len(data) + 1, every)), format="d"),
        ),
        y=alt.Y(f"{column}:Q", scale=alt.Scale(zero=False), axis=axis(format=".4~f", grid=True, tickCount=5)),
        color=alt.Color("phase:N", scale=colours, legend=None),
        tooltip=["phase:N", "epoch:Q", alt.Tooltip(f"{column}:Q", format=".4f", title="value")],
    )
    chart = alt.layer(base.mark_line(strokeWidth=1.8), base.mark_circle(size=44, opacity=1))
    return picture(Drawing(chart, frame, 150, f"{column.replace('_', ' ')} at the end of every epoch, by phase"))


def _whiskers(base: alt.Chart, form: str) -> tuple[alt.Chart, alt.Chart]:
    """A dot at each value and a line over its interval (error bar)."""
    y = alt.Y("value:Q", axis=axis(format=form, grid=True, tickCount=5))
    return (
        base.mark_rule(strokeWidth=2).encode(y="low:Q", y2="high:Q"),
        base.mark_circle(size=48, opacity=1).encode(y=y),
    )


def _known(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows without undefined values; a value without bounds is kept."""
    bounds = [pl.col(name).cast(pl.Float64).fill_nan(None) for name in ("value", "low", "high")]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(bounds).drop_nulls("value")
