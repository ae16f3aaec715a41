"""Validation covers its whole split, and an epoch uses the horizons' weights and the gradient clip of the recipe."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gogooku3.config.train import Loss, Recipe
from gogooku3.metrics.ranking import rank_ic
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.scoring import score
from gogooku3.panel.panel import Panel
from gogooku3.training.checkpoints import Checkpoints
from gogooku3.training.loop import train
from gogooku3.training.phases import PHASES
from gogooku3.training.run import Trained
from gogooku3.training.validation import validate

from ..recipes import pace, recipe

RECIPE = recipe(loss=Loss(sharpe=1.0, rank_ic=0.5, ic=0.5, horizons=[1.0, 1.0]))
CPU = torch.device("cpu")

Make = Callable[..., Network]


def one_epoch(network: Network, panel: Panel, recipe: Recipe, folder: Path) -> Trained:
    inputs, checkpoints = PanelOnDevice(panel, 8, CPU), Checkpoints(folder / "baseline", {})
    return train(network, inputs, PHASES["baseline"], pace(1, 1e-2), recipe, "sharpe", {}, checkpoints, folder / "logs")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_validation_is_the_mean_rank_ic_over_every_session_of_the_split(
    panel: Panel, network: Make, split: str
) -> None:
    inputs, made = PanelOnDevice(panel, 8, CPU), network("baseline", opened=True)
    first, last = panel.split[split]
    scores_TSP = score(made, inputs, first, last)
    found = validate(made, inputs, split, [1.0, 3.0])
    for place, horizon in enumerate(panel.horizons):
        ic_T = rank_ic(scores_TSP[..., place], panel.y_TSH[first : last + 1, :, place])
        assert np.isfinite(ic_T[:-1]).all()
        assert found.rank_ic_by_horizon[str(horizon)] == pytest.approx(np.nanmean(ic_T), rel=1e-12)


def test_the_sharpe_ratio_is_that_of_weights_proportional_to_the_scores(panel: Panel, network: Make) -> None:
    inputs, made = PanelOnDevice(panel, 8, CPU), network("baseline", opened=True)
    first, last = panel.split["validation"]
    scores_TSP = score(made, inputs, first, last).astype(float)
    next_TS = panel.y_TSH[first : last + 1, :, panel.horizons.index(1)]
    ratios = []
    for place in range(len(panel.horizons)):
        earned = []
        for scores_S, next_S in zip(scores_TSP[..., place], next_TS, strict=True):
            held = np.isfinite(scores_S) & np.isfinite(next_S)
            if held.any():
                weights = scores_S[held] - scores_S[held].mean()
                earned.append(weights @ next_S[held] / np.abs(weights).sum())
        ratios.append(np.mean(earned) / np.std(earned, ddof=1) * math.sqrt(252))
    found = validate(made, inputs, "validation", [1.0, 3.0])
    assert found.sharpe == pytest.approx(np.average(ratios, weights=[1.0, 3.0]), rel=1e-6)


def test_the_epoch_is_chosen_by_the_rank_ic_weighted_as_the_loss_is(
    panel: Panel, network: Make, tmp_path: Path
) -> None:
    for horizons in ([1.0, 0.0], [1.0, 3.0]):
        recipe = replace(RECIPE, loss=replace(RECIPE.loss, horizons=horizons))
        (epoch,) = one_epoch(network("baseline"), panel, recipe, tmp_path / str(horizons)).history.epochs
        expected = np.average(list(epoch.validation_rank_ic_by_horizon.values()), weights=horizons)
        assert epoch.validation_rank_ic == pytest.approx(expected, rel=1e-12)


def test_gradients_are_clipped_to_the_norm_of_the_recipe(panel: Panel, network: Make, tmp_path: Path) -> None:
    """The moments are means of clipped gradients; the history has the norms before clipping."""
    trained = one_epoch(network("baseline"), panel, replace(RECIPE, gradient_clip=1e-3), tmp_path)
    assert min(trained.history.gradient_norms) > 1e-3
    squares = [tensor.square().sum() for name, tensor in trained.state.items() if name.startswith("exp_avg.")]
    assert 0 < math.sqrt(sum(squares)) <= 1e-3
