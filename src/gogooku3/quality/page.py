"""The HTML page of data quality: verdict, findings of each check, charts and tables, in one file."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from gogooku3 import paths
from gogooku3.dataset.schema import target_name
from gogooku3.dataset.splits import SPLITS
from gogooku3.pages.template import environment, inline
from gogooku3.pages.words import UNDEFINED, percent
from gogooku3.quality import charts, heat_map
from gogooku3.quality.checks import CHECKS, Findings, total
from gogooku3.quality.checks.splits import embargo
from gogooku3.quality.statistics import Statistics
from gogooku3.quality.summary import summary
from gogooku3.quality.tables import by_feature, by_month
from gogooku3.runtime.files import replaced_file, write_json

_TEMPLATE = "page.html.j2"
_MOST_CLIPPED = 12
"""Number of features in the table of clipped values."""


def write(statistics: Statistics, by_check: Findings, folder: Path) -> None:
    """Writes the HTML page and the JSON summary into a folder; deterministic."""
    html = page(statistics, by_check)
    write_json(summary(statistics, by_check), folder / paths.QUALITY_SUMMARY.name)
    with replaced_file(folder / paths.QUALITY_PAGE.name) as partial:
        partial.write_text(html, encoding="utf-8")


def page(statistics: Statistics, by_check: Findings) -> str:
    """The page as self-contained HTML: no other files, no network, no scripts."""
    templates = environment(Path(__file__).parent)
    templates.filters |= {"percent": _percent, "spans": spans}
    drawn = {
        "stocks": charts.stocks(statistics, by_check),
        "sessions": charts.sessions(statistics, by_check),
        "splits": charts.splits(statistics),
        "clipped": charts.clipped(statistics),
        "neighbours": charts.neighbours(statistics, by_check),
    }
    features = _features(statistics, by_check)
    return templates.get_template(_TEMPLATE).render(
        statistics=statistics,
        by_check=by_check,
        checks=CHECKS,
        faults=total(by_check, "fault"),
        notes=total(by_check, "note"),
        years=[(year, len(list(months))) for year, months in groupby(statistics.months, lambda month: month[:4])],
        rows=heat_map.of_dataset(statistics, by_check),
        months=by_month(statistics).to_dicts(),
        families=[(family, list(of)) for family, of in groupby(features, lambda feature: feature["family"])],
        clipped=sorted(features, key=lambda feature: -np.nan_to_num(feature["clipped"]))[:_MOST_CLIPPED],
        splits=_splits(statistics),
        targets=_targets(statistics),
        charts=inline(drawn),
    )


def spans(months: Iterable[str]) -> str:
    """Consecutive months joined into ranges: `2021-01 – 2021-03, 2022-05`."""
    runs: list[list[str]] = []
    for month in months:
        if runs and np.datetime64(month, "M") - np.datetime64(runs[-1][-1], "M") == np.timedelta64(1, "M"):
            runs[-1].append(month)
        else:
            runs.append([month])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} – {run[-1]}" for run in runs)


def _percent(share: float) -> str:
    return UNDEFINED if np.isnan(share) else percent(share, digits=1)


def _features(statistics: Statistics, by_check: Findings) -> list[dict[str, Any]]:
    """One row per feature, with its definition and its heat map strip."""
    strips = heat_map.of_features(statistics, by_check)
    rows = zip(by_feature(statistics).to_dicts(), statistics.schema.features, strips, strict=True)
    return [row | {"definition": feature.definition, "runs": strip.runs} for row, feature, strip in rows]


def _splits(statistics: Statistics) -> list[dict[str, Any]]:
    """One row per split, with the embargo before it; None for the first."""
    previous_splits = (None, *SPLITS[:-1])
    return [
        {
            "name": name,
            "embargo": None if previous is None else embargo(statistics, previous, name),
            **statistics.split[name],
        }
        for previous, name in zip(previous_splits, SPLITS, strict=True)
    ]


def _targets(statistics: Statistics) -> list[dict[str, Any]]:
    """One row per target: share of known values in all months and in the worst month."""
    rows = []
    for index, horizon in enumerate(statistics.schema.horizons):
        due, known = statistics.targets.due_MH[:, index], statistics.targets.known_MH[:, index]
        shares = statistics.targets.known_share_MH[:, index]
        least = int(np.nanargmin(shares))
        rows.append(
            {
                "name": target_name(horizon),
                "due": int(due.sum()),
                "known": float(known.sum() / due.sum()),
                "least": float(shares[least]),
                "month": statistics.months[least],
            }
        )
    return rows
