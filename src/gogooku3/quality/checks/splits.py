"""Check: the embargo between training, validation and test is long enough to prevent leakage of targets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import polars as pl

from gogooku3.dataset.splits import SPLITS
from gogooku3.pages.words import count
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

RULE = "The embargo between two splits is at least as long as the longest target horizon."


def check(statistics: Statistics) -> Iterator[Finding]:
    """Consecutive splits with too short an embargo."""
    longest = max(statistics.schema.horizons)
    for before, after in pairwise(SPLITS):
        sessions = embargo(statistics, before, after)
        if sessions < longest:
            yield Finding(
                "short_embargo",
                "fault",
                f"{count(sessions, 'session')} between {before} and {after}, but targets span {longest}",
                values={"sessions": sessions, "horizon": longest, "before": before, "after": after},
            )


def embargo(statistics: Statistics, before: str, after: str) -> int:
    """Sessions between two splits; negative if they overlap."""
    ends = pl.Series([statistics.split[before]["last"], statistics.split[after]["first"]]).str.to_date()
    last, first = statistics.bar_counts.position(ends).tolist()
    return int(first - last - 1)
