"""Comparison of two models: paired differences new minus old with intervals, and what limits the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from gogooku3.config.evaluation import Bootstrap
from gogooku3.errors import DataError
from gogooku3.evaluation.evaluate import MIN_SESSIONS
from gogooku3.metrics.paired_difference import horizons_of, paired_differences
from gogooku3.package.results import verb

SPLITS = ("validation", "test")


@dataclass(frozen=True, eq=False)
class Side:
    """A model at some revision."""

    name: str
    """The revision, as given on the command line."""
    commit: str | None
    """None for the working tree."""
    metrics: dict[str, dict[str, Any]]
    """By split; older versions have fewer metrics."""
    sessions: dict[str, pl.DataFrame]
    """By split, for the splits for which that version wrote them."""


@dataclass(frozen=True)
class Parameter:
    """A parameter in which two revisions differ; None if one does not have it."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, eq=False)
class Pair:
    """Two models and their differences."""

    old: Side
    new: Side
    parameters: list[Parameter]
    differences: dict[str, dict[str, Any]]
    """New minus old over the common sessions, by split; only splits for which both have sessions."""

    def shared(self, split: str) -> pl.DataFrame:
        """Sessions in which both have portfolio returns; columns of the old model end in `_old`."""
        both = self.new.sessions[split].join(self.old.sessions[split], on="Date", suffix="_old", maintain_order="left")
        return both.filter(pl.col("net").is_not_nan() & pl.col("net_old").is_not_nan())


def compare(old: Side, new: Side, parameters: list[Parameter], bootstrap: Bootstrap) -> Pair:
    """Computes paired differences, split by split.

    Raises:
        DataError: the models have fewer than `MIN_SESSIONS` common sessions in a split.
    """
    comparable = _comparable(old, new)
    for split in comparable:
        _require_overlap(old, new, split)
    differences = {
        split: paired_differences(new.sessions[split], old.sessions[split], bootstrap) for split in comparable
    }
    return Pair(old, new, parameters, differences)


def _comparable(old: Side, new: Side) -> list[str]:
    """The splits for which both have sessions."""
    return [split for split in SPLITS if split in old.sessions and split in new.sessions]


def _require_overlap(old: Side, new: Side, split: str) -> None:
    dates_of_both = [side.sessions[split].filter(pl.col("net").is_not_nan())["Date"] for side in (old, new)]
    common = dates_of_both[0].is_in(dates_of_both[1].implode()).sum()
    if common < MIN_SESSIONS:
        periods = (
            f"`{side.name}` has {len(dates)}, {dates.min()!s} to {dates.max()!s}"
            for side, dates in zip((old, new), dates_of_both, strict=True)
        )
        raise DataError(
            f"the models have {common} common sessions in the {split} split, {MIN_SESSIONS} are needed:"
            f" {'; '.join(periods)}",
            hint="compare models with the same `dataset.split`, or re-evaluate one: check it out, set the split of the"
            " other in `params.yaml`, run `dvc repro`",
        )


def headline(pair: Pair, split: str) -> tuple[str, str]:
    """Headline on the differences of a split, and its level from the new model's point of view."""
    old, new = pair.old.name, pair.new.name
    if split not in pair.differences:
        return f"{old} and {new} cannot be compared session by session", "note"
    table = pair.differences[split]
    measures = {"mean RankIC": table.get("mean_rank_ic"), "Sharpe ratio": table["sharpe"]}
    verbs = {name: verb(difference) for name, difference in measures.items() if difference is not None}
    better = [name for name, relation in verbs.items() if relation == "beats"]
    worse = [name for name, relation in verbs.items() if relation == "is beaten by"]
    if better and worse:
        return f"{new} beats {old} by {better[0]}, and is beaten by {worse[0]}", "note"
    if better:
        return f"{new} beats {old} by {' and '.join(better)}", "good"
    if worse:
        return f"{old} beats {new} by {' and '.join(worse)}", "fault"
    return f"No significant difference between {old} and {new}", "note"


def cautions(pair: Pair) -> list[str]:
    """Causes of differences other than the models, and metrics that cannot be compared."""
    sections = {parameter.name.split(".")[0] for parameter in pair.parameters}
    texts = []
    if sections & {"quotes", "dataset"}:
        texts.append("Quotes or dataset differ: the stocks, features or sessions of the evaluation differ too.")
    if any(parameter.name.startswith("evaluation.portfolio") for parameter in pair.parameters):
        texts.append("The portfolio parameters differ: returns would differ even with the same scores.")
    return texts + _incomparable(pair)


def _incomparable(pair: Pair) -> list[str]:
    """Metrics without a difference, and the reasons."""
    texts = []
    for side in (pair.old, pair.new):
        if absent := [split for split in SPLITS if split not in side.sessions]:
            texts.append(
                f"{side.name} has no results by session for {' and '.join(absent)}, which early versions did not write:"
                " there the two cannot be compared session by session."
            )
        if absent := [split for split, table in side.sessions.items() if not horizons_of(table)]:
            texts.append(f"{side.name} has no RankIC by session for {' and '.join(absent)}: it cannot be compared.")
    splits = _comparable(pair.old, pair.new)
    horizons = [[horizons_of(side.sessions[split]) for side in (pair.old, pair.new)] for split in splits]
    if any(old and new and old != new for old, new in horizons):
        texts.append("Their horizons differ: their RankIC cannot be compared.")
    return texts
