"""The pictures of what a model's skill comes from: its phases, its features, its lags."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from gogooku3.pages.svg import NARROW, axis, svg
from gogooku3.report.estimates import gains

_ROOM_FOR_TITLES = 118


def pictures(found: dict[str, Any]) -> dict[str, str]:
    """Pictures by name.

    Args:
        found: `metrics/attribution.json`.
    """
    titled = NARROW.with_left(_ROOM_FOR_TITLES)
    phases = [
        {"title": phase, **table["gain"]["mean_rank_ic"]}
        for phase, table in found["phases"]["test"].items()
        if table["gain"]
    ]
    families = [{"title": family, **table["loss"]["mean_rank_ic"]} for family, table in found["families"].items()]
    return {
        "phases": gains(phases, "Mean RankIC that each phase added on the test split", titled),
        "families": gains(families, "Mean RankIC that is lost without each family of features", titled),
        "attention": _attention(found["attention"]),
    }


def _attention(weights: list[float]) -> str:
    """Mean attention by lag, the scored session first."""
    data = pl.DataFrame({"lag": range(len(weights)), "weight": weights})
    chart = (
        alt.Chart(data)
        .mark_bar(color="var(--full)")
        .encode(
            x=alt.X("lag:O", axis=axis(labelAngle=0, ticks=False, values=list(range(0, len(weights), 5)))),
            y=alt.Y("weight:Q", axis=axis(format="~%", grid=True, tickCount=4)),
        )
    )
    return svg(chart, NARROW, 150, "Mean attention by how many sessions back")
