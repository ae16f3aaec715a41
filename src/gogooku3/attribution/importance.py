"""How much of its RankIC a model loses when it cannot use some features, or its neighbours.

Features: permutation importance (Breiman, 2001; Fisher, Rudin and Dominici, 2019) by session: the values of a whole
family go together to other stocks, in every session that a window reads, and the model scores again. Families and not
single features, for a model that lost one of several alike would hardly miss it. What two families both tell is missed
with neither; what is lost when all of them are permuted stands beside it.
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
from gogooku3.config.evaluation import Bootstrap
from gogooku3.dataset.schema import Column, Schema
from gogooku3.metrics.estimate import number
from gogooku3.metrics.paired_difference import by_horizon
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.scoring import score

Progress = Callable[[str], None]


class Importance:
    """A model on one split as it is, and what becomes of it."""

    def __init__(self, network: Network, inputs: PanelOnDevice, split: str, bootstrap: Bootstrap) -> None:
        self._network, self._inputs, self._bootstrap = network, inputs, bootstrap
        self._first, self._last = inputs.panel.split[split]
        self._scores_TSH = score(network, inputs, self._first, self._last)
        self._skill_TH = rank_ics(self._scores_TSH, inputs.panel, self._first)

    def unperturbed(self) -> dict[str, Any]:
        """RankIC of the model as it is."""
        return by_horizon(self._skill_TH, self._inputs.panel.horizons, self._bootstrap)

    def of_features(self, columns: Sequence[Column], name: str) -> dict[str, Any]:
        """RankIC lost when the values of some features are permuted together; `name` decides what is drawn."""
        window = self._network.architecture.backbone.window
        rows = range(max(0, self._first - window + 1), self._last + 1)
        seed = self._bootstrap.seed
        permuted = PermutedFeatures(self._inputs.panel, columns, rows, window, seed, name)
        return self._loss(self._altered(permuted))

    def of_neighbours(self, progress: Progress) -> dict[str, Any]:
        """What becomes of scores and RankIC when nobody has neighbours, and when each stock has those of another."""
        ways: dict[str, Perturbation] = {
            "emptied": without_neighbours,
            "permuted": PermutedNeighbours(self._inputs.panel, self._bootstrap.seed),
        }
        table = {}
        for name, alter in ways.items():
            progress(f"neighbours {name}")
            altered_TSH = self._altered(alter)
            change = score_change(self._scores_TSH, altered_TSH)
            table[name] = {"score_change": number(change), "loss": self._loss(altered_TSH)}
        return table

    def _altered(self, alter: Perturbation) -> np.ndarray:
        return score(self._network, PerturbedPanel(self._inputs, alter), self._first, self._last)

    def _loss(self, altered_TSH: np.ndarray) -> dict[str, Any]:
        lost_TH = self._skill_TH - rank_ics(altered_TSH, self._inputs.panel, self._first)
        return by_horizon(lost_TH, self._inputs.panel.horizons, self._bootstrap)


def families(schema: Schema) -> dict[str, list[Column]]:
    """The features of each family, in the schema's order."""
    members: dict[str, list[Column]] = {}
    for column in schema.features:
        members.setdefault(column.family, []).append(column)
    return members
