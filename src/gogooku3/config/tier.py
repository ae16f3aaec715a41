"""What a tier is for: section `tier` of `params.yaml`."""

from __future__ import annotations

from typing import Any

from gogooku3.config.section import require, section
from gogooku3.config.train import RELEASE_TAG
from gogooku3.objective import MEAN_RANK_IC, SHARPE, horizon_of

BEST, PARENT = "best", "parent"
"""What a model is compared with: the best release of its tier, or the release from which its training started."""


@section
class Tier:
    """Section `tier`: name and objective of the milestone."""

    name: str
    metric: str
    """The objective, a metric on validation: `sharpe`, `mean_rank_ic`, or `rank_ic_5` for the horizon of 5 sessions."""
    target: float | None
    """Value of the metric that the tier aims at; None if no value is aimed at."""
    expectation: str | None
    """The expected result, in words."""
    hypothesis: str | None
    """Why it is expected, in words."""
    compared_with: str
    """The release that a model is compared with in addition to the best of its tier: `best` for no other, `parent`, or
    the tag of a release of any tier."""

    def __post_init__(self) -> None:
        require(bool(self.name), "`tier.name` is empty", "give the tier a name, such as tier1")
        require(
            self.metric in (SHARPE, MEAN_RANK_IC) or horizon_of(self.metric) is not None,
            f"`tier.metric` is {self.metric!r}",
            f"use `{SHARPE}`, `{MEAN_RANK_IC}`, or `rank_ic_5` for the RankIC of one horizon",
        )
        require(
            self.compared_with in (BEST, PARENT) or RELEASE_TAG.fullmatch(self.compared_with) is not None,
            f"`tier.compared_with` is {self.compared_with!r}",
            f"use `{BEST}`, `{PARENT}`, or the full tag of a release, such as `tier1@v1.0.0`",
        )


def name_of(tree: dict[str, Any]) -> str | None:
    """The tier's name in the content of a `params.yaml`, which until version 0.1.0 was the value of `tier` itself."""
    tier = tree.get("tier")
    name = tier.get("name") if isinstance(tier, dict) else tier
    return None if name is None else str(name)
