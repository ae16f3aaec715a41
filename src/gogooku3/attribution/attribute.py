"""Where a model's skill comes from: one table for programs, and the series behind its charts.

Losses are measured on validation and not on test: whoever looks inside a model does so to change it, and what a change
was made for must not be what it is judged by. Weights read no target, so they are shown up to the last session. The
phases are measured on both: on validation each phase chose its best epoch, on test nothing was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import polars as pl

from gogooku3.attribution.attention import KINDS, AttentionWeights, attention_weights
from gogooku3.attribution.importance import Importance, families
from gogooku3.attribution.phases import gains
from gogooku3.config.evaluation import Bootstrap
from gogooku3.config.train import LAST_PHASE
from gogooku3.dataset.schema import Schema
from gogooku3.metrics.cross_section import Floats
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.training.phases import PHASES

SPLIT = "validation"
"""On which losses are measured."""

SHOWN = 20
"""Features that are named, those with the largest selection weights."""

Progress = Callable[[str, float, int], None]


@dataclass(frozen=True)
class Attribution:
    """What was found; an undefined number is None in the table and NaN in the frames."""

    table: dict[str, Any]
    """For JSON:

    - `split`, `from`, `to`: the sessions on which losses are measured; `model`: RankIC there;
    - `families`, by falling loss: how many `features`, their mean `selection` weight together, and the `loss` of
      RankIC when their values are permuted; `everything`: the loss when all are;
    - `features`: the `SHOWN` of the largest mean selection weight; `attention`: mean weight by lag;
    - `neighbours` (None without a graph block): mean attention to the stock's `own` summary, by `ranks` of neighbours,
      and by `kinds` of edges beside their share of the `edges`; `score_change` and `loss` when the neighbours are
      `emptied` and `permuted`;
    - `phases` by split: RankIC of each phase's checkpoint, and the `gain` over the phase before.

    RankIC, losses and gains: by horizon and `mean_rank_ic`, each with its interval."""
    frames: dict[str, pl.DataFrame]
    """Series by the name of the chart: `importance`, `selection`, `attention`, `phases`."""


def attribute(
    left_by: Callable[[str], Network], inputs: PanelOnDevice, schema: Schema, bootstrap: Bootstrap, progress: Progress
) -> Attribution:
    """Takes a trained network apart.

    Args:
        left_by: the network as the phase of a name left it, in evaluation mode.
        schema: of the panel's dataset.
        progress: called with the current step's name, the number of steps done, and their total.
    """
    network, panel, members = left_by(LAST_PHASE), inputs.panel, families(schema)
    steps, total = count(), len(members) + len(PHASES) + 5

    def start_step(what: str) -> None:
        progress(what, next(steps), total)

    first, last = panel.split[SPLIT][0], panel.split["test"][1]
    start_step("weights")
    weighed = attention_weights(network, inputs, first, last)
    start_step("the model as it is")
    importance = Importance(network, inputs, SPLIT, bootstrap)
    losses = {}
    for family, columns in members.items():
        start_step(f"features: {family}")
        losses[family] = importance.of_features(columns, family)
    start_step("features: everything")
    everything = importance.of_features(schema.features, "everything")
    graph = network.architecture.graph
    neighbours = None if graph is None else _weights_of_neighbours(weighed) | importance.of_neighbours(start_step)
    selection_F = weighed.selection_TF.mean(axis=0)
    ranked = sorted(members, key=lambda family: -(losses[family]["mean_rank_ic"]["value"] or 0.0))
    table = {
        "split": SPLIT,
        "from": str(panel.sessions[first]),
        "to": str(panel.sessions[panel.split[SPLIT][1]]),
        "model": importance.unperturbed(),
        "families": {
            family: {
                "features": len(members[family]),
                "selection": float(selection_F[_places(schema, family)].sum()),
                "loss": losses[family],
            }
            for family in ranked
        },
        "everything": everything,
        "features": _features(schema, selection_F),
        "attention": weighed.attention_TL.mean(axis=0).tolist(),
        "neighbours": neighbours,
        "phases": gains(left_by, inputs, bootstrap, start_step),
    }
    months = panel.sessions[first : last + 1].astype("datetime64[M]")
    frames = {
        "importance": _importance_frame(table),
        "selection": _selection_frame(weighed, schema, list(members), months),
        "attention": pl.DataFrame({"lag": range(len(table["attention"])), "weight": table["attention"]}),
        "phases": _phases_frame(table["phases"]),
    }
    return Attribution(table, frames)


def _places(schema: Schema, family: str) -> list[int]:
    return [place for place, column in enumerate(schema.features) if column.family == family]


def _features(schema: Schema, selection_F: Floats) -> list[dict[str, Any]]:
    """The features of the largest mean weights, falling; of equal ones the first in the schema."""
    largest = np.argsort(-selection_F, kind="stable")[:SHOWN]
    columns = ((schema.features[place], selection_F[place]) for place in largest)
    return [{"name": c.name, "family": c.family, "selection": float(weight)} for c, weight in columns]


def _weights_of_neighbours(weighed: AttentionWeights) -> dict[str, Any]:
    attention_K, attention_C = weighed.neighbours_TK.mean(axis=0), weighed.kinds_TC.mean(axis=0)
    edges_C = weighed.edges_TC.mean(axis=0)
    share_C = edges_C / max(edges_C.sum(), 1e-12)
    return {
        "own": float(attention_K[-1]),
        "ranks": attention_K[:-1].tolist(),
        "kinds": {
            kind: {"edges": float(share_C[place]), "attention": float(attention_C[place])}
            for place, kind in enumerate(KINDS)
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
    """The gain of each phase that has one before it."""
    rows = [
        {"split": split, "phase": phase, "mean_rank_ic": _float(row["mean_rank_ic"]["value"])}
        | _bounds(row["gain"]["mean_rank_ic"], "gain")
        for split, of_phases in phases.items()
        for phase, row in of_phases.items()
        if row["gain"] is not None
    ]
    return pl.DataFrame(rows)


def _bounds(estimate: dict[str, Any], name: str) -> dict[str, float]:
    return {name: _float(estimate["value"]), "low": _float(estimate["low"]), "high": _float(estimate["high"])}


def _float(value: float | None) -> float:
    return math.nan if value is None else value


def _selection_frame(
    weighed: AttentionWeights, schema: Schema, families: list[str], months: np.ndarray
) -> pl.DataFrame:
    """Mean selection weight of each family by month."""
    return pl.DataFrame(
        [
            {
                "Month": f"{month}-01",
                "family": family,
                "weight": float(weighed.selection_TF[months == month][:, _places(schema, family)].sum(axis=1).mean()),
            }
            for month in np.unique(months)
            for family in families
        ]
    )
