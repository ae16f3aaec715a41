"""A phase learns what is planted, ends with the same bytes, keeps its best epoch, and stops when it diverges."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gogooku3.config.train import Loss, Phase, Recipe
from gogooku3.dataset.panel import Panel
from gogooku3.errors import DivergenceError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.weights import fill
from gogooku3.training.loop import Trained, train, validate
from gogooku3.training.phases import PHASES

RECIPE = Recipe(
    seed=1,
    batch_size=48,
    batch_stocks=12,
    weight_decay=1e-4,
    gradient_clip=1.0,
    loss=Loss(sharpe=1.0, rank_ic=0.5, ic=0.5, horizons=[1.0, 1.0]),
)
PHASE = Phase(epochs=3, learning_rate=1e-2)


def run(panel: Panel, network: Network, recipe: Recipe = RECIPE, phase: Phase = PHASE) -> Trained:
    return train(network, PanelOnDevice(panel, 8, torch.device("cpu")), "baseline", phase, recipe, {})


def test_training_finds_the_planted_feature_out_of_sample(panel: Panel, network: Callable[..., Network]) -> None:
    inputs = PanelOnDevice(panel, 8, torch.device("cpu"))
    made = network("baseline")
    before = validate(made, inputs, "test")["1"]
    made.load_state_dict(run(panel, made).weights)
    assert validate(made, inputs, "test")["1"] > max(0.4, before)


def test_the_same_inputs_give_the_same_bits(panel: Panel, network: Callable[..., Network]) -> None:
    one, two = run(panel, network("baseline")), run(panel, network("baseline"))
    assert one.history == two.history
    for found, again in ((one.weights, two.weights), (one.state, two.state)):
        assert all(torch.equal(tensor, again[name]) for name, tensor in found.items())


def test_another_seed_gives_another_model(panel: Panel, network: Callable[..., Network]) -> None:
    one, two = run(panel, network("baseline")), run(panel, network("baseline"), replace(RECIPE, seed=2))
    assert not torch.equal(one.weights["head.weight"], two.weights["head.weight"])


def test_the_weights_kept_are_those_of_the_best_epoch_on_validation(
    panel: Panel, network: Callable[..., Network]
) -> None:
    trained = run(panel, network("baseline"), phase=Phase(epochs=6, learning_rate=5e-2))
    history = trained.history
    assert history.best.validation_rank_ic == max(epoch.validation_rank_ic for epoch in history.epochs)
    made = network("baseline")
    made.load_state_dict(trained.weights)
    inputs = PanelOnDevice(panel, 8, torch.device("cpu"))
    assert validate(made, inputs, "validation") == history.best.validation_rank_ic_by_horizon


def test_learning_rate_and_epochs_are_those_of_the_phase(panel: Panel, network: Callable[..., Network]) -> None:
    """The old trainer ignored both."""
    slow = run(panel, network("baseline"), phase=Phase(epochs=1, learning_rate=1e-12))
    assert len(slow.history.epochs) == 1
    first = network("baseline").state_dict()
    assert all(torch.allclose(tensor, first[name], atol=1e-9) for name, tensor in slow.weights.items())
    moved = run(panel, network("baseline"), phase=Phase(epochs=1, learning_rate=1e-2))
    assert not torch.allclose(moved.weights["head.weight"], first["head.weight"], atol=1e-3)


def test_the_next_phase_takes_up_the_moments_of_the_weights_it_shares(
    panel: Panel, network: Callable[..., Network]
) -> None:
    trained = run(panel, network("baseline"))
    inputs = PanelOnDevice(panel, 8, torch.device("cpu"))

    def next_phase(state: dict[str, torch.Tensor]) -> Trained:
        made = network("gat")
        fill(made, trained.weights, __file__, PHASES["baseline"].blocks)  # type: ignore[arg-type]
        return train(made, inputs, "gat", Phase(epochs=1, learning_rate=1e-3), RECIPE, state)

    warm, cold = next_phase(trained.state), next_phase({})
    steps = float(trained.state["step.head.weight"])
    gained = warm.state["step.graph.gate_H"]
    assert steps > 0
    assert warm.state["step.head.weight"] == steps + gained
    assert cold.state["step.head.weight"] == gained
    assert not torch.equal(warm.weights["head.weight"], cold.weights["head.weight"])


def test_a_phase_of_no_epochs_hands_on_what_it_was_given(
    panel: Panel, network: Callable[..., Network], tmp_path: Path
) -> None:
    """Also the moments that are not there: those of a block that never trained."""
    state = run(panel, network("baseline")).state
    made = network("gat", opened=True)
    given = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    passed = train(made, PanelOnDevice(panel, 8, torch.device("cpu")), "gat", Phase(0, 1e-2), RECIPE, state)
    for found, expected in ((passed.weights, given), (passed.state, state)):
        assert found.keys() == expected.keys()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())
    passed.history.write(tmp_path / "history.json", tmp_path / "curve.csv")
    assert json.loads((tmp_path / "history.json").read_text())["best_epoch"] is None
    assert (tmp_path / "curve.csv").read_text() == "epoch,train_loss,validation_rank_ic\n"


def test_a_shuffled_target_teaches_nothing_out_of_sample(panel: Panel, network: Callable[..., Network]) -> None:
    random = np.random.default_rng(0)
    shuffled = replace(panel, y_TSH=random.permuted(panel.y_TSH, axis=1))
    made = network("baseline")
    made.load_state_dict(run(shuffled, made).weights)
    found = validate(made, PanelOnDevice(shuffled, 8, torch.device("cpu")), "test")
    # 7 sessions of 12 stocks: the standard deviation of a chance RankIC is 1 / sqrt(7 * 11) = 0.11.
    assert all(abs(value) < 0.4 for value in found.values())


def test_a_target_that_is_not_finite_stops_the_phase_and_names_the_step(
    panel: Panel, network: Callable[..., Network]
) -> None:
    broken = panel.y_TSH.copy()
    broken[20, 4] = np.inf
    with pytest.raises(DivergenceError, match=r"phase baseline stopped in epoch 0, step \d+: loss nan"):
        run(replace(panel, y_TSH=broken), network("baseline"))
