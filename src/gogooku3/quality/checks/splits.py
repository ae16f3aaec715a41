"""Are training, validation and test kept so far apart that no target reaches from one into the next?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import polars as pl

from gogooku3.dataset.splits import SPLITS
from gogooku3.pages.words import count
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

RULE = "Between two splits lie at least as many sessions as the longest target spans."


def check(statistics: Statistics) -> Iterator[Finding]:
    """Neighbouring splits that are too near each other."""
    longest = max(statistics.schema.horizons)
    for before, after in pairwise(SPLITS):
        sessions = embargo(statistics, before, after)
        if sessions < longest:
            yield Finding(
                "short_embargo",
                "fault",
                f"{count(sessions, 'session')} between {before} and {after}, where targets span {longest}",
                values={"sessions": sessions, "horizon": longest, "before": before, "after": after},
            )


def embargo(statistics: Statistics, before: str, after: str) -> int:
    """Sessions between two splits that belong to neither; negative where they overlap."""
    ends = pl.Series([statistics.split[before]["last"], statistics.split[after]["first"]]).str.to_date()
    last, first = statistics.bar_counts.place(ends).tolist()
    return int(first - last - 1)
