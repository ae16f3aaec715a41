"""The best epoch, early stopping and the loss of an epoch."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from gogooku3.training.history import Epoch, History, Validated
from gogooku3.training.run import Run, _recorded
from gogooku3.training.validation import Validation, _weighted_mean

from ..recipes import recipe

ONE = torch.ones(())


def validated(rank_ic: float, sharpe: float = 0.0, five: float = 0.0) -> Validation:
    return Validation(rank_ic, {"1": rank_ic, "5": five}, sharpe, finite=True)


def epoch(number: int, loss: float, validation: Validation) -> Epoch:
    return Epoch(number, 4, loss, **_recorded(validation))


def history(*rank_ics: float, start: float | None = None) -> History:
    epochs = [epoch(number, 0.0, validated(ic)) for number, ic in enumerate(rank_ics)]
    first = None if start is None else Validated(**_recorded(validated(start)))
    return History("gat", "mean_rank_ic", first, epochs=epochs)


@pytest.mark.parametrize(("metric", "best"), [("mean_rank_ic", 0), ("sharpe", 1), ("rank_ic_5", 2)])
def test_the_metric_of_the_tier_selects_the_epoch(metric: str, best: int) -> None:
    values = [(0.3, 1.0, 0.1), (0.1, 3.0, 0.2), (0.2, 2.0, 0.3)]
    epochs = [epoch(n, 0.0, validated(*each)) for n, each in enumerate(values)]
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
    epochs = [epoch(number, loss, validated(ic)) for number, (loss, ic) in enumerate(pairs)]
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
    assert [patience for patience in range(5) if history(*rank_ics).stops_early(recipe(patience=patience))] == exhausted


@pytest.mark.parametrize(("min_epochs", "stops"), [(0, True), (3, True), (4, False)])
def test_early_stopping_waits_for_the_fewest_epochs(min_epochs: int, stops: bool) -> None:
    assert history(0.3, 0.1, 0.1).stops_early(recipe(patience=1, min_epochs=min_epochs)) == stops


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = history(0.1, 0.3)
    made.write(tmp_path / "history.json", {"probe": "ff"}, 1.0)
    content = json.loads((tmp_path / "history.json").read_text())
    assert (content["best_epoch"], content["environment"]) == (1, {"probe": "ff"})
    assert History.parse(json.loads(json.dumps(asdict(made)))) == made


def test_an_epoch_has_the_mean_loss_of_its_own_steps_and_the_best_keeps_its_weights() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    run = Run("gat", "mean_rank_ic", 0.0, network, torch.optim.AdamW(network.parameters()))  # type: ignore[arg-type]
    for weight, losses, rank_ic in ((1.0, [4.0, 2.0], 0.1), (2.0, [1.0, 3.0, 8.0], 0.3), (3.0, [0.5], 0.3)):
        with torch.no_grad():
            network.weight.fill_(weight)
        for loss in losses:
            run.end_step(torch.tensor(loss), ONE)
        assert run.read() is None
        run.end_epoch(validated(rank_ic))
    assert [(each.epoch, each.steps, each.train_loss) for each in run.history.epochs] == [
        (0, 2, 3.0),
        (1, 3, 4.0),
        (2, 1, 0.5),
    ]
    assert run.best.weights["weight"].item() == 2.0
    assert (run.epoch, run.step) == (3, 0)


def test_the_mean_rank_ic_is_weighted_by_horizon_as_the_loss_is() -> None:
    assert _weighted_mean([0.1, 0.4], [1.0, 3.0]) == pytest.approx(0.325)
    assert _weighted_mean([0.1, 0.4], [0.0, 2.0]) == pytest.approx(0.4)


@pytest.mark.parametrize(("start", "best"), [(0.2, 1), (0.3, None), (0.4, None), (-0.1, 1)])
def test_an_epoch_is_the_best_only_if_it_is_better_than_the_start(start: float, best: int | None) -> None:
    found = history(0.1, 0.3, start=start).best
    assert (None if found is None else found.epoch) == best


@pytest.mark.parametrize(("patience", "stops"), [(1, True), (2, True), (3, False)])
def test_epochs_that_are_no_better_than_the_start_exhaust_the_patience(patience: int, stops: bool) -> None:
    assert history(0.1, 0.1, start=0.2).stops_early(recipe(patience=patience)) == stops


def test_the_curve_begins_with_the_start(tmp_path: Path) -> None:
    history(0.1, start=0.2).write_curve(tmp_path / "curve.csv")
    assert (tmp_path / "curve.csv").read_text().splitlines() == [
        "epoch,train_loss,validation_rank_ic,validation_sharpe,kept", "-1,,0.2,0.0,1", "0,0.0,0.1,0.0,0",
    ]  # fmt: skip


def test_a_start_that_no_epoch_beats_keeps_its_weights_and_comes_back_from_a_checkpoint() -> None:
    def fresh() -> Run:
        network = torch.nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            network.weight.fill_(1.0)
        return Run("gat", "mean_rank_ic", 0.0, network, torch.optim.AdamW(network.parameters()))  # type: ignore[arg-type]

    run = fresh()
    run.begin(validated(0.2))
    with torch.no_grad():
        run.network.weight.fill_(2.0)  # type: ignore[union-attr, operator]
    run.end_step(ONE, ONE)
    assert run.read() is None
    run.end_epoch(validated(0.1))
    resumed = fresh()
    resumed.load_state(run.state())
    for each in (run, resumed):
        assert each.best.weights["weight"].item() == 1.0
        assert each.history.best is None


def test_the_average_follows_the_weights_and_is_what_is_kept() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(0.0)
    run = Run("gat", "mean_rank_ic", 0.5, network, torch.optim.AdamW(network.parameters()))  # type: ignore[arg-type]
    average = 0.0
    for step in range(12):
        with torch.no_grad():
            network.weight.fill_(float(step))
        run.end_step(ONE, ONE)
        decay = min(0.5, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * step
    with run.averaged():
        assert network.weight.item() == pytest.approx(average)
    assert network.weight.item() == 11.0
    run.end_epoch(validated(0.1))
    assert run.best.weights["weight"].item() == pytest.approx(average)
