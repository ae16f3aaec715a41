"""Which parameters are trained, at which rate, and which decay."""

from __future__ import annotations

from collections.abc import Callable

import torch

from gogooku3.model.network import Network
from gogooku3.training.optimizer import adamw, set_rate
from gogooku3.training.phases import PHASES

from ..recipes import pace, recipe

Make = Callable[..., Network]


def by_name(network: Network, optimizer: torch.optim.Optimizer, key: str) -> dict[str, float]:
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {names[id(each)]: group[key] for group in optimizer.param_groups for each in group["params"]}


def test_biases_normalisations_and_gates_have_no_weight_decay(network: Make) -> None:
    made = network("gat")
    decays = by_name(made, adamw(made, pace(1, 1e-2), recipe(weight_decay=0.5), ()), "weight_decay")
    assert {name for name, decay in decays.items() if decay == 0} == {
        name
        for name in decays
        if "bias" in name or ".norm." in name or name.endswith(("gate_H", "removed_H", "returned_H"))
    }
    assert {*decays.values()} == {0.0, 0.5}


def test_gates_and_older_blocks_have_rates_of_their_own(network: Make) -> None:
    made = network("gat")
    optimizer = adamw(made, pace(1, 1e-2, older=0.1), recipe(gate_rate=10.0), PHASES["gat"].adds)
    rates = by_name(made, optimizer, "lr")
    assert rates["graph.value.weight"] == 1e-2
    assert rates["graph.gate_H"] == 1e-1
    assert rates["head.weight"] == 1e-3
    assert rates["adaptive_norm.slices.removed_H"] == 1e-2
    set_rate(optimizer, 0.5)
    set_rate(optimizer, 0.25)
    assert by_name(made, optimizer, "lr")["head.weight"] == 0.25e-3


def test_older_blocks_are_frozen_with_a_rate_of_zero(network: Make) -> None:
    made = network("gat")
    trained = by_name(made, adamw(made, pace(1, 1e-2, older=0.0), recipe(), PHASES["gat"].adds), "lr")
    assert {name.split(".")[0] for name in trained} == {"graph"}
    assert {name for name, each in made.named_parameters() if each.requires_grad} == {*trained}


def test_a_phase_that_adds_no_block_trains_all_at_its_rate(network: Make) -> None:
    made = network("gat")
    rates = by_name(made, adamw(made, pace(1, 1e-2, older=0.0), recipe(), PHASES["finetune"].adds), "lr")
    assert {*rates.values()} == {1e-2}
    assert len(rates) == len(list(made.parameters()))
