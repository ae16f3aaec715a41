"""Gradients of a batch: the loss is that of the whole batch, independent of the number of shards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from gogooku3.config.train import Loss
from gogooku3.errors import DataError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.panel.panel import Panel
from gogooku3.runtime.numerics import key
from gogooku3.training.batches import Batch
from gogooku3.training.distributed import Group
from gogooku3.training.gradients import Gradients
from gogooku3.training.losses import loss

from ..recipes import recipe

RECIPE = recipe(loss=Loss(1.0, 0.5, 0.5, [1.0, 1.0]))
BATCH = Batch(20, 4, np.array([0, 1, 4, 5, 6, 9, 11]))
"""Each of its stocks has neighbours outside the batch."""

Make = Callable[..., Network]


@pytest.fixture
def inputs(panel: Panel) -> PanelOnDevice:
    return PanelOnDevice(panel, 8, torch.device("cpu"))


def gradients(network: Network, inputs: PanelOnDevice, shares: int, batch: Batch = BATCH) -> dict[str, torch.Tensor]:
    """Gradients by parameter, and the loss, computed in one process."""
    blocks = [
        inputs.block(batch.first, batch.sessions, stocks_S, with_neighbours=True) for stocks_S in batch.shards(shares)
    ]
    network.zero_grad()
    value = Gradients(network, inputs.panel, "gat", RECIPE, Group(shares=shares)).compute(batch, blocks, 2, 3)
    found = {
        name: parameter.grad.clone() for name, parameter in network.named_parameters() if parameter.grad is not None
    }
    return found | {"loss": value}


def test_one_share_is_the_step_as_a_whole_to_the_bit(network: Make, inputs: PanelOnDevice, panel: Panel) -> None:
    everyone = Batch(20, 4, np.arange(len(panel.codes)))
    made = network("gat", opened=True).train()
    found = gradients(made, inputs, 1, everyone)
    block = inputs.block(20, 4, everyone.stocks_S, with_neighbours=True)
    torch.manual_seed(key(RECIPE.seed, "dropout", "gat", 2, 3))
    made.zero_grad()
    value = loss(made(block.x_ZSF, block.neighbours_DSK, block.edges_DSKE), block.y_DSP, RECIPE.loss, panel.horizons)
    value.backward()
    assert torch.equal(found.pop("loss"), value.detach())
    parameters = dict(made.named_parameters())
    assert found.keys() == parameters.keys()
    for name, gradient in found.items():
        assert torch.equal(gradient, parameters[name].grad), name
        assert gradient.any(), name


@pytest.mark.parametrize("shares", [2, 3, 7])
def test_without_dropout_the_number_of_shares_changes_loss_and_gradients_by_roundings(
    shares: int, network: Make, inputs: PanelOnDevice
) -> None:
    made = network("gat", opened=True)  # evaluation mode: no dropout
    whole, divided = (gradients(made, inputs, count) for count in (1, shares))
    assert whole.keys() == divided.keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(divided[name], gradient, rtol=1e-4, atol=1e-6, msg=name)
    assert any(not torch.equal(divided[name], gradient) for name, gradient in whole.items())


def test_each_shard_draws_its_own_dropout(network: Make, inputs: PanelOnDevice) -> None:
    made = network("gat", opened=True).train()
    first, again, two = (gradients(made, inputs, count)["head.weight"] for count in (2, 2, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, two, rtol=1e-2)


def test_a_batch_of_fewer_stocks_than_shares_is_refused() -> None:
    with pytest.raises(DataError, match=r"a batch has 7 stocks, fewer than its 8 shards \(`numerics.shares`\)"):
        BATCH.shards(8)


def test_shares_hold_every_stock_once_in_order_and_the_first_are_the_largest() -> None:
    shares = BATCH.shards(3)
    assert [len(stocks_S) for stocks_S in shares] == [3, 2, 2]
    np.testing.assert_array_equal(np.concatenate(shares), BATCH.stocks_S)


@pytest.mark.parametrize(("processes", "shares"), [(1, 1), (1, 6), (2, 2), (2, 6), (3, 6)])
def test_every_share_is_one_processs(processes: int, shares: int) -> None:
    owned = [share for rank in range(processes) for share in Group(rank, processes, shares).local_shards]
    assert owned == list(range(shares))
