"""The best epoch, early stopping and the loss of an epoch."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from gogooku3.config.train import Loss, Recipe
from gogooku3.training.history import Epoch, History
from gogooku3.training.run import Run
from gogooku3.training.validation import Validation, _weighted_mean


def history(*rank_ics: float) -> History:
    return History(
        "gat", "mean_rank_ic", epochs=[Epoch(number, 4, 0.0, ic, {"1": ic}, 0.0) for number, ic in enumerate(rank_ics)]
    )


def recipe(patience: int, min_epochs: int = 0) -> Recipe:
    return Recipe(1, 48, 12, 1e-4, 1.0, patience, min_epochs, Loss(1.0, 0.0, 0.0, [1.0]))


@pytest.mark.parametrize(("metric", "best"), [("mean_rank_ic", 0), ("sharpe", 1), ("rank_ic_5", 2)])
def test_the_metric_of_the_tier_selects_the_epoch(metric: str, best: int) -> None:
    values = [(0.3, 1.0, 0.1), (0.1, 3.0, 0.2), (0.2, 2.0, 0.3)]
    epochs = [Epoch(n, 4, 0.0, mean, {"1": 0.0, "5": five}, ratio) for n, (mean, ratio, five) in enumerate(values)]
    found = History("gat", metric, epochs=epochs).best
    assert found is epochs[best]


@pytest.mark.parametrize(
    ("losses", "rank_ics", "disagree"),
    [
        ([-1.0, -2.0], [0.2, 0.1], True),
        ([-1.0, -2.0], [0.1, 0.2], False),
        ([-2.0, -1.0], [0.2, 0.1], False),
        ([-1.0], [0.2], False),
        ([], [], False),
    ],
)
def test_a_loss_that_falls_while_the_metric_falls_is_a_disagreement(
    losses: list[float], rank_ics: list[float], disagree: bool
) -> None:
    pairs = zip(losses, rank_ics, strict=True)
    epochs = [Epoch(number, 4, loss, ic, {"1": ic}, 0.0) for number, (loss, ic) in enumerate(pairs)]
    warning = History("gat", "mean_rank_ic", epochs=epochs).disagreement()
    assert (warning is not None) == disagree
    if warning is not None:
        assert "from -1.0000 to -2.0000, and mean RankIC on validation from +0.2000 to +0.1000" in warning


@pytest.mark.parametrize(
    ("rank_ics", "best"), [([0.1], 0), ([0.1, 0.3, 0.2], 1), ([0.1, 0.3, 0.3], 1), ([-0.3, -0.2], 1), ([0.0, 0.0], 0)]
)
def test_the_best_epoch_has_the_highest_rank_ic_and_is_the_first_of_equals(rank_ics: list[float], best: int) -> None:
    found = history(*rank_ics).best
    assert found is not None
    assert found.epoch == best


@pytest.mark.parametrize(
    ("rank_ics", "exhausted"),
    [([], []), ([0.1], []), ([0.3, 0.1], [1]), ([0.3, 0.1, 0.2], [1, 2]), ([0.1, 0.3], []), ([0.3, 0.3], [1])],
)
def test_patience_is_exhausted_after_as_many_epochs_without_a_better_one(
    rank_ics: list[float], exhausted: list[int]
) -> None:
    assert [patience for patience in range(5) if history(*rank_ics).stops_early(recipe(patience))] == exhausted


@pytest.mark.parametrize(("min_epochs", "stops"), [(0, True), (3, True), (4, False)])
def test_early_stopping_waits_for_the_fewest_epochs(min_epochs: int, stops: bool) -> None:
    assert history(0.3, 0.1, 0.1).stops_early(recipe(1, min_epochs)) == stops


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = history(0.1, 0.3)
    made.write(tmp_path / "history.json", {"probe": "ff"})
    content = json.loads((tmp_path / "history.json").read_text())
    assert (content["best_epoch"], content["environment"]) == (1, {"probe": "ff"})
    assert History.parse(json.loads(json.dumps(asdict(made)))) == made


def test_an_epoch_has_the_mean_loss_of_its_own_steps_and_the_best_keeps_its_weights() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    run = Run("gat", "mean_rank_ic", network, torch.optim.AdamW(network.parameters()))  # type: ignore[arg-type]
    for weight, losses, rank_ic in ((1.0, [4.0, 2.0], 0.1), (2.0, [1.0, 3.0, 8.0], 0.3), (3.0, [0.5], 0.3)):
        with torch.no_grad():
            network.weight.fill_(weight)
        for loss in losses:
            run.end_step(loss, 1.0)
        run.end_epoch(Validation(rank_ic, {"1": rank_ic}, 0.0, finite=True))
    assert [(epoch.epoch, epoch.steps, epoch.train_loss) for epoch in run.history.epochs] == [
        (0, 2, 3.0),
        (1, 3, 4.0),
        (2, 1, 0.5),
    ]
    assert run.best.weights["weight"].item() == 2.0
    assert (run.epoch, run.step) == (3, 0)


def test_the_mean_rank_ic_is_weighted_by_horizon_as_the_loss_is() -> None:
    assert _weighted_mean([0.1, 0.4], [1.0, 3.0]) == pytest.approx(0.325)
    assert _weighted_mean([0.1, 0.4], [0.0, 2.0]) == pytest.approx(0.4)
