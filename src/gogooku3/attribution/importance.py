"""Permutation importance: the RankIC that a model loses without the information in some features or its neighbours.

Features: permutation importance (Breiman, 2001; Fisher, Rudin and Dominici, 2019) by session: the values of a whole
family are permuted together among the stocks, in every session that a window reads, and the model scores again.
Families instead of single features, because a model hardly loses anything with one of several correlated features.
Information that two families share is lost with neither; the loss with all features permuted is reported too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gogooku3.attribution.perturb import (
    PermutedFeatures,
    PermutedNeighbours,
    Perturbation,
    PerturbedPanel,
    without_neighbours,
)
from gogooku3.attribution.rank_ic_series import rank_ics, score_change
from gogooku3.dataset.schema import Column, Schema
from gogooku3.metrics.estimate import number
from gogooku3.metrics.paired_difference import by_horizon
from gogooku3.model.ensemble import Model
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.scoring import score

Progress = Callable[[str], None]


class Importance:
    """RankIC of a model on one split, and the losses under perturbations, which depend on `seed`."""

    def __init__(self, model: Model, inputs: PanelOnDevice, split: str, seed: int) -> None:
        self._model, self._inputs, self._seed = model, inputs, seed
        self._first, self._last = inputs.panel.split[split]
        self._scores_TSH = score(model, inputs, self._first, self._last)
        self._rank_ic_TH = rank_ics(self._scores_TSH, inputs.panel, self._first)

    def unperturbed(self) -> dict[str, Any]:
        """RankIC of the unperturbed model."""
        return by_horizon(self._rank_ic_TH, self._inputs.panel.horizons)

    def of_features(self, columns: Sequence[Column], name: str) -> dict[str, Any]:
        """RankIC lost if the values of some features are permuted together; `name` is part of the random seed."""
        window = self._model.architecture.backbone.window
        rows = range(max(0, self._first - window + 1), self._last + 1)
        permuted = PermutedFeatures(self._inputs.panel, columns, rows, window, self._seed, name)
        return self._loss(self._perturbed(permuted))

    def of_neighbours(self, progress: Progress) -> dict[str, Any]:
        """Change of scores and loss of RankIC without neighbours, and with the neighbours of another stock."""
        perturbations: dict[str, Perturbation] = {
            "emptied": without_neighbours,
            "permuted": PermutedNeighbours(self._inputs.panel, self._seed),
        }
        table = {}
        for name, perturb in perturbations.items():
            progress(f"neighbours {name}")
            perturbed_TSH = self._perturbed(perturb)
            change = score_change(self._scores_TSH, perturbed_TSH)
            table[name] = {"score_change": number(change), "loss": self._loss(perturbed_TSH)}
        return table

    def _perturbed(self, perturb: Perturbation) -> np.ndarray:
        return score(self._model, PerturbedPanel(self._inputs, perturb), self._first, self._last)

    def _loss(self, perturbed_TSH: np.ndarray) -> dict[str, Any]:
        loss_TH = self._rank_ic_TH - rank_ics(perturbed_TSH, self._inputs.panel, self._first)
        return by_horizon(loss_TH, self._inputs.panel.horizons)


def families(schema: Schema) -> dict[str, list[Column]]:
    """The features of each family, in the schema's order."""
    members: dict[str, list[Column]] = {}
    for column in schema.features:
        members.setdefault(column.family, []).append(column)
    return members
