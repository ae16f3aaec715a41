"""Attribution of a trained model: importance, weights and phase gains as one table, and the series of its charts.

Losses of RankIC are measured on validation, not on test: attribution guides changes of the model, and using test for
that would leak the test split. Weights do not read targets, so they cover all sessions up to the last. Phase gains are
measured on both splits: on validation each phase chose its best epoch, on test nothing was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import polars as pl

from gogooku3.attribution.attention import KINDS, AttentionWeights, attention_weights
from gogooku3.attribution.importance import Importance, families
from gogooku3.attribution.phases import gains
from gogooku3.config.train import LAST_PHASE
from gogooku3.dataset.schema import Schema
from gogooku3.metrics.cross_section import Floats
from gogooku3.model.ensemble import Model
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.training.phases import PHASES

SPLIT = "validation"
"""The split on which losses are measured."""

SHOWN = 20
"""Number of listed features, those with the largest selection weights."""

Progress = Callable[[str, float, int], None]


@dataclass(frozen=True)
class Attribution:
    """Result of the attribution; an undefined number is None in the table and NaN in the frames."""

    table: dict[str, Any]
    """For JSON:

    - `split`, `from`, `to`: the sessions on which losses are measured; `model`: RankIC there;
    - `families`, by descending loss: number of `features`, sum of their mean `selection` weights, and the `loss` of
      RankIC if their values are permuted; `everything`: the loss if all features are permuted;
    - `features`: the `SHOWN` features with the largest mean selection weight; `attention`: mean weight by lag;
    - `neighbours` (None without a graph block): mean attention to the stock's `own` summary, by `ranks` of neighbours,
      and by `kinds` of edges with their share of the `edges`; `score_change` and `loss` if the neighbours are `emptied`
      or `permuted`;
    - `phases` by split: RankIC of each phase's weights, and the `gain` over the phase before; of an ensemble also the
      gain of each member, by its seed, under `seeds`.

    RankIC, losses and gains: by horizon and `mean_rank_ic`, each with its interval."""
    frames: dict[str, pl.DataFrame]
    """Series by the name of the chart: `importance`, `selection`, `attention`, `phases`."""


def attribute(
    load_phase: Callable[[str], Model],
    inputs: PanelOnDevice,
    schema: Schema,
    seeds: Sequence[int],
    permutation_seed: int,
    progress: Progress,
) -> Attribution:
    """Computes the attribution of a trained model.

    Args:
        load_phase: loads the model of a phase, by its name, in evaluation mode.
        schema: schema of the panel's dataset.
        seeds: seed of each member.
        permutation_seed: of the permutation importance.
        progress: called with the current step's name, the number of steps done, and their total.
    """
    model, panel, by_family = load_phase(LAST_PHASE), inputs.panel, families(schema)
    steps, total = count(), len(by_family) + len(PHASES) + 5

    def start_step(name: str) -> None:
        progress(name, next(steps), total)

    first, last = panel.split[SPLIT][0], panel.split["test"][1]
    start_step("weights")
    weights = attention_weights(model, inputs, first, last)
    start_step("unperturbed model")
    importance = Importance(model, inputs, SPLIT, permutation_seed)
    losses = {}
    for family, columns in by_family.items():
        start_step(f"features: {family}")
        losses[family] = importance.of_features(columns, family)
    start_step("features: everything")
    everything = importance.of_features(schema.features, "everything")
    graph = model.architecture.graph
    neighbours = None if graph is None else _weights_of_neighbours(weights) | importance.of_neighbours(start_step)
    selection_F = weights.selection_TF.mean(axis=0)
    ranked = sorted(by_family, key=lambda family: -(losses[family]["mean_rank_ic"]["value"] or 0.0))
    table = {
        "split": SPLIT,
        "from": str(panel.sessions[first]),
        "to": str(panel.sessions[panel.split[SPLIT][1]]),
        "model": importance.unperturbed(),
        "families": {
            family: {
                "features": len(by_family[family]),
                "selection": float(selection_F[_indices(schema, family)].sum()),
                "loss": losses[family],
            }
            for family in ranked
        },
        "everything": everything,
        "features": _features(schema, selection_F),
        "attention": weights.attention_TL.mean(axis=0).tolist(),
        "neighbours": neighbours,
        "phases": gains(load_phase, inputs, seeds, start_step),
    }
    months = panel.sessions[first : last + 1].astype("datetime64[M]")
    frames = {
        "importance": _importance_frame(table),
        "selection": _selection_frame(weights, schema, list(by_family), months),
        "attention": pl.DataFrame({"lag": range(len(table["attention"])), "weight": table["attention"]}),
        "phases": _phases_frame(table["phases"]),
    }
    return Attribution(table, frames)


def _indices(schema: Schema, family: str) -> list[int]:
    return [index for index, column in enumerate(schema.features) if column.family == family]


def _features(schema: Schema, selection_F: Floats) -> list[dict[str, Any]]:
    """The features with the largest mean weights, descending; ties in the order of the schema."""
    largest = np.argsort(-selection_F, kind="stable")[:SHOWN]
    columns = ((schema.features[index], selection_F[index]) for index in largest)
    return [{"name": c.name, "family": c.family, "selection": float(weight)} for c, weight in columns]


def _weights_of_neighbours(weights: AttentionWeights) -> dict[str, Any]:
    attention_K, attention_C = weights.neighbours_TK.mean(axis=0), weights.kinds_TC.mean(axis=0)
    edges_C = weights.edges_TC.mean(axis=0)
    share_C = edges_C / max(edges_C.sum(), 1e-12)
    return {
        "own": float(attention_K[-1]),
        "ranks": attention_K[:-1].tolist(),
        "kinds": {
            kind: {"edges": float(share_C[index]), "attention": float(attention_C[index])}
            for index, kind in enumerate(KINDS)
        },
    }


def _importance_frame(table: dict[str, Any]) -> pl.DataFrame:
    losses = {family: row["loss"] for family, row in table["families"].items()} | {"everything": table["everything"]}
    rows = [
        {"split": table["split"], "family": family} | _bounds(loss["mean_rank_ic"], "loss")
        for family, loss in losses.items()
    ]
    return pl.DataFrame(rows)


def _phases_frame(phases: dict[str, Any]) -> pl.DataFrame:
    """The gain of each phase that has a previous one: by horizon, and their mean."""
    rows = [
        {"split": split, "phase": phase, "horizon": horizon, "title": f"{phase}, {horizon}"}
        | {"rank_ic": _float(rank_ic["value"])}
        | _bounds(gain, "gain")
        for split, of_phases in phases.items()
        for phase, row in of_phases.items()
        if row["gain"] is not None
        for horizon, rank_ic, gain in _by_horizon_and_mean(row)
    ]
    return pl.DataFrame(rows)


def _by_horizon_and_mean(row: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each horizon with RankIC and gain of a phase, then `mean`."""
    for horizon, rank_ic in row["rank_ic"].items():
        yield horizon, rank_ic, row["gain"]["rank_ic"][horizon]
    yield "mean", row["mean_rank_ic"], row["gain"]["mean_rank_ic"]


def _bounds(estimate: dict[str, Any], name: str) -> dict[str, float]:
    return {name: _float(estimate["value"]), "low": _float(estimate["low"]), "high": _float(estimate["high"])}


def _float(value: float | None) -> float:
    return math.nan if value is None else value


def _selection_frame(
    weights: AttentionWeights, schema: Schema, families: list[str], months: np.ndarray
) -> pl.DataFrame:
    """Mean selection weight of each family by month."""
    return pl.DataFrame(
        [
            {
                "Month": f"{month}-01",
                "family": family,
                "weight": float(weights.selection_TF[months == month][:, _indices(schema, family)].sum(axis=1).mean()),
            }
            for month in np.unique(months)
            for family in families
        ]
    )
