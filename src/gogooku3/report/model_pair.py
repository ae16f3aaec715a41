"""Two models, one beside the other: by how much the newer is better, and how sure that is."""

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
    """The revision as it was asked for."""
    commit: str | None
    """None for the working tree."""
    metrics: dict[str, dict[str, Any]]
    """By split; older versions measured less."""
    sessions: dict[str, pl.DataFrame]
    """By split, of those for which its version wrote them."""


@dataclass(frozen=True)
class Parameter:
    """A parameter in which they differ; None where one does not have it."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, eq=False)
class Pair:
    """Both, and what is between them."""

    old: Side
    new: Side
    parameters: list[Parameter]
    differences: dict[str, dict[str, Any]]
    """The new less the old, over the sessions that both have; by split, of those for which both have any."""

    def shared(self, split: str) -> pl.DataFrame:
        """Sessions in which both held a portfolio, the columns of the old with `_old` at the end."""
        both = self.new.sessions[split].join(self.old.sessions[split], on="Date", suffix="_old", maintain_order="left")
        return both.filter(pl.col("net").is_not_nan() & pl.col("net_old").is_not_nan())


def compare(old: Side, new: Side, parameters: list[Parameter], bootstrap: Bootstrap) -> Pair:
    """Draws the sessions of both together, split by split.

    Raises:
        DataError: they have fewer than `MIN_SESSIONS` sessions of a split in common.
    """
    comparable = _comparable(old, new)
    for split in comparable:
        _require_overlap(old, new, split)
    found = {split: paired_differences(new.sessions[split], old.sessions[split], bootstrap) for split in comparable}
    return Pair(old, new, parameters, found)


def _comparable(old: Side, new: Side) -> list[str]:
    """The splits of which both have sessions."""
    return [split for split in SPLITS if split in old.sessions and split in new.sessions]


def _require_overlap(old: Side, new: Side, split: str) -> None:
    held = [side.sessions[split].filter(pl.col("net").is_not_nan())["Date"] for side in (old, new)]
    common = held[0].is_in(held[1].implode()).sum()
    if common < MIN_SESSIONS:
        periods = (
            f"`{side.name}` has {len(dates)}, {dates.min()!s} to {dates.max()!s}"
            for side, dates in zip((old, new), held, strict=True)
        )
        raise DataError(
            f"they have {common} sessions of the {split} split in common, {MIN_SESSIONS} are needed:"
            f" {'; '.join(periods)}",
            hint="compare models with the same `dataset.split`, or evaluate one anew: check it out, set the split of"
            " the other in `params.yaml`, `dvc repro`",
        )


def headline(pair: Pair, split: str) -> tuple[str, str]:
    """What the differences on a split say in few words, and how grave that is for the new one."""
    old, new = pair.old.name, pair.new.name
    if split not in pair.differences:
        return f"{old} and {new} cannot be compared session by session", "note"
    found = pair.differences[split]
    measures = {"mean RankIC": found.get("mean_rank_ic"), "Sharpe ratio": found["sharpe"]}
    verbs = {name: verb(gain) for name, gain in measures.items() if gain is not None}
    better = [name for name, told in verbs.items() if told == "beats"]
    worse = [name for name, told in verbs.items() if told == "is beaten by"]
    if better and worse:
        return f"{new} beats {old} by {better[0]}, and is beaten by {worse[0]}", "note"
    if better:
        return f"{new} beats {old} by {' and '.join(better)}", "good"
    if worse:
        return f"{old} beats {new} by {' and '.join(worse)}", "fault"
    return f"No difference between {old} and {new} is shown", "note"


def cautions(pair: Pair) -> list[str]:
    """What else than the models the differences may come from, and what cannot be compared."""
    sections = {parameter.name.split(".")[0] for parameter in pair.parameters}
    told = []
    if sections & {"quotes", "dataset"}:
        told.append("Quotes or dataset differ: the two were measured on other stocks, features or sessions too.")
    if any(parameter.name.startswith("evaluation.portfolio") for parameter in pair.parameters):
        told.append("The portfolio differs: so the returns would differ with the same scores.")
    return told + _incomparable(pair)


def _incomparable(pair: Pair) -> list[str]:
    """Of what there is no difference, and why."""
    told = []
    for side in (pair.old, pair.new):
        if absent := [split for split in SPLITS if split not in side.sessions]:
            told.append(
                f"{side.name} records no sessions of {' and '.join(absent)}, as early versions did not: there the two"
                " cannot be compared session by session."
            )
        if absent := [split for split, table in side.sessions.items() if not horizons_of(table)]:
            told.append(f"{side.name} records no RankIC by session of {' and '.join(absent)}: it cannot be compared.")
    splits = _comparable(pair.old, pair.new)
    horizons = [[horizons_of(side.sessions[split]) for side in (pair.old, pair.new)] for split in splits]
    if any(old and new and old != new for old, new in horizons):
        told.append("Their horizons differ: their RankIC cannot be compared.")
    return told
