"""Are training, validation and test kept so far apart that no target reaches from one into the next?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import polars as pl

from gogooku3.dataset.splits import SPLITS
from gogooku3.pages.words import count
from gogooku3.quality.finding import Finding
from gogooku3.quality.survey import Survey

RULE = "Between two splits lie at least as many sessions as the longest target spans."


def found(survey: Survey) -> Iterator[Finding]:
    """Neighbouring splits that are too near each other."""
    longest = max(survey.schema.horizons)
    for before, after in pairwise(SPLITS):
        sessions = embargo(survey, before, after)
        if sessions < longest:
            yield Finding(
                "short_embargo",
                "fault",
                f"{count(sessions, 'session')} between {before} and {after}, where targets span {longest}",
                values={"sessions": sessions, "horizon": longest, "before": before, "after": after},
            )


def embargo(survey: Survey, before: str, after: str) -> int:
    """Sessions between two splits that belong to neither; negative where they overlap."""
    ends = pl.Series([survey.split[before]["last"], survey.split[after]["first"]]).str.to_date()
    last, first = survey.attendance.place(ends).tolist()
    return int(first - last - 1)
