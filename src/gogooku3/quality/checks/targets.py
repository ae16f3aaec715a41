"""Check: missing, impossible and extreme targets (forward returns)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gogooku3.dataset.schema import target_name
from gogooku3.pages.words import count, percent
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics
from gogooku3.quality.targets import JUMP

KNOWN = 0.9
"""Smallest known share of a month's targets whose later session is in the dataset."""

RULE = (
    f"{percent(KNOWN)} of a month's targets are known, except in the last sessions, which have no later session. None"
    f" is infinite or below −100 %; those beyond ±{percent(JUMP)} over the shortest horizon are noted."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Targets that are missing, impossible, or look like an unadjusted split."""
    targets = statistics.targets
    for index, horizon in enumerate(statistics.schema.horizons):
        share_M = targets.known_share_MH[:, index]
        for month in np.flatnonzero(share_M < KNOWN):
            yield Finding(
                "missing_target",
                "fault",
                f"`{target_name(horizon)}` is known in {percent(share_M[month])} of the rows",
                months=(statistics.months[month],),
                values={"target": target_name(horizon), "share": float(share_M[month])},
            )
        for month in np.flatnonzero(targets.impossible_MH[:, index]):
            rows = int(targets.impossible_MH[month, index])
            yield Finding(
                "impossible_target",
                "fault",
                f"`{target_name(horizon)}` is infinite or below −100 % in {count(rows, 'row')}",
                months=(statistics.months[month],),
                values={"target": target_name(horizon), "rows": rows},
            )
    months = np.flatnonzero(targets.jumps_M)
    if months.size:
        rows, shortest = int(targets.jumps_M.sum()), target_name(statistics.schema.horizons[0])
        yield Finding(
            "large_return",
            "note",
            f"{count(rows, 'row')} with `{shortest}` beyond ±{percent(JUMP)}: an unadjusted split?",
            months=tuple(statistics.months[month] for month in months),
            values={"rows": rows},
        )
