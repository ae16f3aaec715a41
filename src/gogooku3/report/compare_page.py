"""HTML page that compares two models: the verdict on their difference first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.evaluation.plots import SMOOTHED
from gogooku3.metrics.paired_difference import horizons_of
from gogooku3.metrics.returns import cumulative
from gogooku3.package.results import ABSENT, cells
from gogooku3.pages.picture import Series
from gogooku3.pages.scripts import scripts
from gogooku3.pages.svg import NARROW
from gogooku3.pages.template import environment, inline
from gogooku3.pages.timeline import Timeline
from gogooku3.report.curves import MODEL, compounded, track
from gogooku3.report.estimates import gains
from gogooku3.report.model_pair import SPLITS, Pair, cautions, headline
from gogooku3.runtime.files import replaced_file

_TEMPLATE = "compare.html.j2"
_SHOWN = "test"
"""The split whose curves are shown."""
_OLD = "old"
_ROOM_FOR_TITLES = 118
_UNDEFINED = {"value": None, "low": None, "high": None}


def write(pair: Pair, target: Path) -> None:
    """Writes the page; deterministic, the same bytes for the same two sides."""
    text = page(pair)
    with replaced_file(target) as partial:
        partial.write_text(text, encoding="utf-8")


def page(pair: Pair) -> str:
    """The page as self-contained HTML: no other file, no network."""
    title, level = headline(pair, _SHOWN)
    sides = [track(MODEL, pair.new.name, 0), track(_OLD, pair.old.name, 1)]
    metrics = {split: _side_by_side(pair, split) for split in SPLITS}
    return (
        environment(Path(__file__).parent)
        .get_template(_TEMPLATE)
        .render(
            **scripts(),
            pair=pair,
            headline=title,
            level=level,
            cautions=cautions(pair),
            splits=[{"name": split, "headline": headline(pair, split)[0]} for split in SPLITS],
            sides=sides,
            measures=_measures(pair),
            charts=inline(_charts(pair, sides)),
            metrics=metrics,
            lacking=any(ABSENT in cell for rows in metrics.values() for _, *both in rows for cell in both),
        )
    )


def _charts(pair: Pair, sides: list[Series]) -> dict[str, str]:
    titled = NARROW.with_left(_ROOM_FOR_TITLES)
    charts = {}
    for split, table in pair.differences.items():
        charts[f"sharpe_{split}"] = gains([{"title": "Sharpe ratio", **table["sharpe"]}], "Sharpe ratio", titled)
        rank_ics = [{"title": f"RankIC {horizon}", **cell} for horizon, cell in table.get("rank_ic", {}).items()]
        if rank_ics:
            rank_ics.append({"title": "mean RankIC", **table["mean_rank_ic"]})
            charts[f"rank_ic_{split}"] = gains(rank_ics, "RankIC", titled)
    if _SHOWN not in pair.differences:
        return charts
    charts["cumulative"] = _cumulative(pair, sides)
    if "mean_rank_ic" in pair.differences[_SHOWN]:
        curves = smoothed_rank_ic(pair)
        if curves["rank_ic"].count():
            charts["rank_ic"] = _rank_ic(curves, sides)
    return charts


def _measures(pair: Pair) -> list[tuple[str, list[dict[str, Any]]]]:
    """Title of each compared metric, and its difference by split; undefined for a split that has none."""
    by_split = {split: _titled(table) for split, table in pair.differences.items()}
    titles = dict.fromkeys(title for cells in by_split.values() for title in cells)
    return [(title, [by_split.get(split, {}).get(title, _UNDEFINED) for split in SPLITS]) for title in titles]


def _titled(table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The differences of a split by title."""
    titled = {"Sharpe ratio": table["sharpe"]}
    if "mean_rank_ic" in table:
        titled["mean RankIC"] = table["mean_rank_ic"]
        titled |= {f"RankIC {horizon}": cell for horizon, cell in table["rank_ic"].items()}
    return titled


def _cumulative(pair: Pair, sides: list[Series]) -> str:
    """Cumulative return of both models from the first common session."""
    shared = pair.shared(_SHOWN)
    curves = pl.concat(
        shared.select(
            "Date", pl.lit(name).alias("track"), pl.Series("cumulative_net", cumulative(shared[column].to_numpy()))
        )
        for name, column in ((MODEL, "net"), (_OLD, "net_old"))
    )
    label = "Cumulative return after costs of both models, over their common sessions"
    return compounded(curves, sides, 280, label).responsive()


def smoothed_rank_ic(pair: Pair) -> pl.DataFrame:
    """Rolling mean over 20 sessions of both models' RankIC, averaged over the horizons.

    A session that lacks a horizon has no mean: the long horizons end first at the end of a split, and averaging the
    others would move the curve by composition alone.

    Returns:
        `Date`, `track`, `rank_ic`: null if one of the 20 sessions lacks a horizon.
    """
    shared = pair.shared(_SHOWN)
    columns = [f"rank_ic_{horizon}" for horizon in horizons_of(pair.new.sessions[_SHOWN])]
    return pl.concat(
        shared.select(
            "Date",
            pl.lit(name).alias("track"),
            pl.mean_horizontal(*(pl.col(f"{column}{suffix}").fill_nan(None) for column in columns), ignore_nulls=False)
            .rolling_mean(SMOOTHED)
            .alias("rank_ic"),
        )
        for name, suffix in ((MODEL, ""), (_OLD, "_old"))
    )


def _rank_ic(curves: pl.DataFrame, sides: list[Series]) -> str:
    """Chart of `smoothed_rank_ic`."""
    wide = curves.pivot("track", index="Date", values="rank_ic").sort("Date")
    label = "Mean RankIC over the horizons, rolling mean of 20 sessions"
    return Timeline(wide["Date"], wide, sides, 180, label, digits=3).responsive()


def _side_by_side(pair: Pair, split: str) -> list[tuple[str, str, str]]:
    """Title of each metric, and its value for the old and the new model."""
    old, new = (cells(side.metrics[split]) for side in (pair.old, pair.new))
    titles = [*new, *(title for title in old if title not in new)]
    return [(title, old.get(title, ABSENT), new.get(title, ABSENT)) for title in titles]
