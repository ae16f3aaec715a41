"""Charts of the attribution of a model's RankIC: to training phases, feature families and lags."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from gogooku3.pages.picture import picture
from gogooku3.pages.svg import NARROW, Drawing, axis
from gogooku3.report.estimates import gains

_ROOM_FOR_TITLES = 118


def pictures(table: dict[str, Any]) -> dict[str, str]:
    """Charts by name.

    Args:
        table: `metrics/attribution.json`.
    """
    titled = NARROW.with_left(_ROOM_FOR_TITLES)
    phases = [
        {"title": f"{phase}, {horizon}", **gain}
        for phase, row in table["phases"]["test"].items()
        if row["gain"]
        for horizon, gain in row["gain"]["rank_ic"].items()
    ]
    families = [{"title": family, **row["loss"]["mean_rank_ic"]} for family, row in table["families"].items()]
    return {
        "phases": gains(phases, "RankIC that each phase added on the test split, by horizon", titled),
        "families": gains(families, "Mean RankIC lost by permuting each feature family", titled),
        "attention": _attention(table["attention"]),
    }


def _attention(weights: list[float]) -> str:
    """Mean attention weight by lag, the scored session first."""
    data = pl.DataFrame({"lag": range(len(weights)), "weight": weights})
    chart = (
        alt.Chart(data)
        .mark_bar(color="var(--full)")
        .encode(
            x=alt.X("lag:O", axis=axis(labelAngle=0, ticks=False, values=list(range(0, len(weights), 5)))),
            y=alt.Y("weight:Q", axis=axis(format="~%", grid=True, tickCount=4)),
            tooltip=["lag:O", alt.Tooltip("weight:Q", format=".2%")],
        )
    )
    return picture(Drawing(chart, NARROW, 150, "Mean attention weight by lag in sessions"))
