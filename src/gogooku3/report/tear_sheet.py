"""The tear sheet: risk over time, drawdowns, months, decay of the IC, groups of stocks, costs and capacity.

All numbers are those of `metrics/details/test.json` (`gogooku3.evaluation.details.details`). A part whose numbers are
not there is not shown: a portfolio that never held anything has no returns.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from gogooku3.pages.picture import Series, picture
from gogooku3.pages.svg import NARROW, Drawing, axis, reference_line
from gogooku3.pages.timeline import Timeline
from gogooku3.report.estimates import by_place

Details = dict[str, Any]


def pictures(details: Details) -> dict[str, str]:
    """Charts by name; those without numbers are left out."""
    drawn = {}
    for name, label, digits in (("sharpe", "Rolling Sharpe ratio", 2), ("beta", "Rolling beta to the index", 3)):
        if sum(value is not None for value in details.get("rolling", {}).get(name, ())) > 1:
            drawn[f"rolling_{name}"] = _rolling(details, name, label, digits)
    if sum(details.get("histogram", {}).get("counts", ())):
        drawn["histogram"] = _histogram(details)
    if any(row["value"] is not None for row in details.get("ic_decay", ())):
        label = "RankIC with the return of one session, by the sessions in between"
        drawn["ic_decay"] = by_place(details["ic_decay"], "lag", label, NARROW)
    if "cost_curve" in details:
        drawn["costs"] = _costs(details)
    return drawn


def groups(details: Details) -> dict[str, dict[str, Any]]:
    """RankIC by group of stocks, under the title of the grouping."""
    kinds = {"Sector": "rank_ic_by_sector", "Size, by traded value": "rank_ic_by_size"}
    return {title: details[name] for title, name in kinds.items() if details.get(name)}


def _rolling(details: Details, name: str, label: str, digits: int) -> str:
    rolling = details["rolling"]
    values = pl.DataFrame({name: pl.Series(rolling[name], dtype=pl.Float64)})
    dates = pl.Series(rolling["dates"]).str.to_date()
    line = Series(name, label, "var(--track-1)", width=2.0)
    return Timeline(dates, values, [line], 150, label, digits=digits, legend=False).picture(NARROW)


def _histogram(details: Details) -> str:
    edges, counts = details["histogram"]["edges"], details["histogram"]["counts"]
    table = pl.DataFrame({"low": edges[:-1], "high": edges[1:], "sessions": counts})
    span = alt.Scale(domain=[edges[0], edges[-1]], nice=False)
    bars = (
        alt.Chart(table)
        .mark_rect(fill="var(--full)", stroke="var(--card)", strokeWidth=1)
        .encode(
            x=alt.X("low:Q", scale=span, axis=axis(format="~%", tickCount=5)),
            x2="high:Q",
            y=alt.Y("sessions:Q", axis=axis(grid=True, tickCount=5)),
            y2=alt.datum(0),
            tooltip=[
                alt.Tooltip("low:Q", title="from", format=".2%"),
                alt.Tooltip("high:Q", title="to", format=".2%"),
                alt.Tooltip("sessions:Q"),
            ],
        )
    )
    return picture(Drawing(bars, NARROW, 150, "Number of sessions by return after costs"))


def _costs(details: Details) -> str:
    table = pl.DataFrame(details["cost_curve"], infer_schema_length=None).drop_nulls("annual_return")
    base = alt.Chart(table).encode(
        x=alt.X("cost_bps:Q", axis=axis(values=table["cost_bps"].to_list(), format="~f")),
        y=alt.Y("annual_return:Q", axis=axis(format="~%", grid=True, tickCount=5)),
        color=alt.value("var(--track-1)"),
        tooltip=[
            alt.Tooltip("cost_bps:Q", title="basis points"),
            alt.Tooltip("annual_return:Q", title="annual return", format=".1%"),
            alt.Tooltip("sharpe:Q", title="Sharpe", format=".2f"),
        ],
    )
    chart = alt.layer(reference_line(0.0), base.mark_line(strokeWidth=2), base.mark_circle(size=60, opacity=1))
    return picture(Drawing(chart, NARROW, 150, "Annual return by transaction cost in basis points"))
