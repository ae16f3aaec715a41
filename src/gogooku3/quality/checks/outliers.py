"""Check: values outside the range of the normalisation, and features that are clipped too often."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gogooku3.pages.words import percent
from gogooku3.quality.columns import ratio
from gogooku3.quality.finding import Finding, shortest
from gogooku3.quality.statistics import Statistics

CLIPPED, CLIPPED_IN_MONTH = 0.15, 0.4
"""Share of a feature's clipped values that is an error over all months, and a note in one month."""

RULE = (
    "Every value is finite and within the bounds of its normalisation. Fewer than"
    f" {percent(CLIPPED)} of a feature's values are clipped; a month with {percent(CLIPPED_IN_MONTH)} is noted."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Impossible values, and features with too many clipped values."""
    yield from _out_of_range(statistics)
    yield from _clipped(statistics)


def _out_of_range(statistics: Statistics) -> Iterator[Finding]:
    columns, largest = statistics.columns, np.finfo(np.float32).max
    bounds = {"stock": np.float32(statistics.clip), "rank": np.float32(1.0), "session": largest}
    bound_F = np.array([bounds[feature.scope] for feature in statistics.schema.features])
    size_MF = np.fmax(np.abs(columns.low_MF), np.abs(columns.high_MF))
    for index in np.flatnonzero((size_MF > bound_F).any(axis=0)):
        months = np.flatnonzero(size_MF[:, index] > bound_F[index])
        low, high = shortest(columns.low_MF[months, index].min()), shortest(columns.high_MF[months, index].max())
        bound = "a finite number" if bound_F[index] == largest else f"±{bound_F[index]:g}"
        yield Finding(
            "out_of_range",
            "fault",
            f"values from {low:g} to {high:g}, beyond {bound}".replace("-", "−"),
            features=(statistics.schema.names[index],),
            months=tuple(statistics.months[month] for month in months),
            values={"low": str(low), "high": str(high)},
        )


def _clipped(statistics: Statistics) -> Iterator[Finding]:
    columns = statistics.columns
    share_F = ratio(columns.clipped_MF.sum(axis=0), columns.known_MF.sum(axis=0))
    for index, name in enumerate(statistics.schema.names):
        months = np.flatnonzero(columns.clipped_share_MF[:, index] >= CLIPPED_IN_MONTH)
        if share_F[index] >= CLIPPED:
            yield Finding(
                "clipped",
                "fault",
                f"{percent(share_F[index])} of all values are clipped",
                features=(name,),
                values={"share": float(share_F[index])},
            )
        elif months.size:
            worst = float(columns.clipped_share_MF[months, index].max())
            yield Finding(
                "clipped_in_month",
                "note",
                f"up to {percent(worst)} of a month's values are clipped",
                features=(name,),
                months=tuple(statistics.months[month] for month in months),
                values={"share": worst},
            )
