"""A training step on a GPU does not wait for the device: losses and gradient norms are read later, with the same
history, checkpoints and errors as if they were read after each step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gogooku3.config.train import Loss, Recipe
from gogooku3.errors import DivergenceError, InterruptionError
from gogooku3.model import feature_networks
from gogooku3.model.inputs import Block, PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.panel.panel import Panel
from gogooku3.training import gradients, loop, losses
from gogooku3.training.batches import Batch, plan
from gogooku3.training.checkpoints import Checkpoints, State
from gogooku3.training.distributed import SINGLE_PROCESS, Group
from gogooku3.training.gradients import Gradients
from gogooku3.training.loop import train
from gogooku3.training.optimizer import adamw
from gogooku3.training.phases import PHASES
from gogooku3.training.run import Run, Trained

from ..recipes import pace, recipe

CPU = torch.device("cpu")
RECIPE = recipe(loss=Loss(sharpe=1.0, rank_ic=0.5, ic=0.5, horizons=[1.0, 1.0]), average=0.9)
PACE = pace(epochs=1, learning_rate=1e-2)
_WAITING = ("_local_scalar_dense", "equal", "is_nonzero", "item", "masked_select", "nonzero", "unique")
"""Operations whose result, or its shape, is needed on the host."""

_FROM_HOST = {"as_tensor", "new_tensor", "tensor"}
"""Functions that copy numbers from the host's memory; a dispatch mode does not see the copy."""

Make = Callable[..., Network]


class NoNumbers(TorchFunctionMode):
    """Fails at a function that copies numbers from the host's memory."""

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        assert name not in _FROM_HOST, f"{name} copies from the host"
        return func(*args, **(kwargs or {}))


class NoSyncs(TorchDispatchMode):
    """Fails at an operation for which a GPU and the host would wait for each other."""

    def __init__(self, host: str | None = None) -> None:
        """
        Args:
            host: device type of tensors in the host's memory, none of which may take part.
        """
        super().__init__()
        self._host = host

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert not name.startswith(_WAITING), f"{name} waits for the device"
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if name.startswith("index"):
            assert all(tensor.dtype != torch.bool for tensor in tensors[1:]), f"{name} counts the elements of a mask"
        result = func(*args, **(kwargs or {}))
        tensors += [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        assert all(tensor.device.type != self._host for tensor in tensors), f"{name} copies between host and device"
        return result


def blocks_of(inputs: PanelOnDevice, batches: Sequence[Batch], shares: int) -> list[Block]:
    return [
        inputs.block(batch.first, batch.sessions, stocks_S, with_neighbours=True)
        for batch in batches
        for stocks_S in batch.shards(shares)
    ]


@pytest.mark.parametrize("waits", [lambda x: x.item(), lambda x: bool(x > 0), lambda x: x[x > 0]])
def test_what_waits_is_found(waits: Callable[[Tensor], Any]) -> None:
    x = torch.ones(1)
    with pytest.raises(AssertionError, match=r"waits|counts"), NoSyncs():
        waits(x)


def test_what_is_copied_from_the_host_is_found() -> None:
    x = torch.ones(1, device="meta")
    for copy in (lambda: x.new_tensor([1.0]), lambda: torch.tensor(1.0), lambda: torch.arange(3).to(x)):
        with pytest.raises(AssertionError, match="copies"), NoNumbers(), NoSyncs("cpu"):
            copy()


@pytest.mark.parametrize("shares", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_step_does_not_wait_for_the_device(panel: Panel, network: Make, shares: int) -> None:
    """Accumulation, clipping, optimizer and average included."""
    inputs, group = PanelOnDevice(panel, 8, CPU), Group(shares=shares)
    made = network("finetune", opened=True).train()
    run = Run("finetune", "mean_rank_ic", RECIPE.average, made, adamw(made, PACE, RECIPE, ()))
    batches = plan(panel, RECIPE, "finetune", 0)[:2]
    step = Gradients(made, panel, "finetune", RECIPE, group)
    blocks = blocks_of(inputs, batches, shares)
    before = made.head.weight.detach().clone()
    with NoSyncs():
        loop._step(run, step, batches, iter(blocks), replace(RECIPE, accumulate=2))
    assert not torch.equal(made.head.weight, before)
    assert run.unread == 1
    assert run.read() is None
    assert len(run.history.step_losses) == 1


def test_a_step_copies_nothing_from_or_to_the_host(
    panel: Panel, network: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On torch's meta device, in whose place a GPU would wait for a copy; all but the optimizer's kernel, which has no
    meta device."""
    monkeypatch.setitem(feature_networks._TILE_ELEMENTS, "meta", 1 << 26)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # has no meta device
    made, batches = network("finetune", opened=True).train(), plan(panel, RECIPE, "finetune", 0)[:2]
    optimizer = adamw(made, PACE, RECIPE, ())
    monkeypatch.setattr(optimizer, "step", lambda: None)
    run = Run("finetune", "mean_rank_ic", RECIPE.average, made.to("meta"), optimizer)
    blocks = blocks_of(PanelOnDevice(panel, 8, CPU), batches, 2)
    on_meta = [Block(**{name: tensor.to("meta") for name, tensor in vars(block).items()}) for block in blocks]
    step = Gradients(made, panel, "finetune", RECIPE, Group(shares=2))
    with NoNumbers(), NoSyncs("cpu"):
        loop._step(run, step, batches, iter(on_meta), replace(RECIPE, accumulate=2))
    assert all(parameter.grad is not None for parameter in made.parameters())
    assert run.unread == 1


def test_the_loss_is_without_tf32(panel: Panel, network: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    flags, loss = [], losses.loss

    def watched(*args: Any) -> Tensor:
        flags.append(torch.backends.cuda.matmul.allow_tf32)
        return loss(*args)

    monkeypatch.setattr(gradients, "loss", watched)
    batch = plan(panel, RECIPE, "baseline", 0)[0]
    step = Gradients(network("baseline"), panel, "baseline", RECIPE, SINGLE_PROCESS)
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        step.compute(batch, blocks_of(PanelOnDevice(panel, 8, CPU), [batch], 1), 0, 0)
        assert torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
    assert flags == [False]


@pytest.fixture(params=[pytest.param(7, marks=pytest.mark.slow), 1000])
def deferred(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Reads losses every 7 steps, or at the fingerprints alone, as on a GPU."""
    return lambda: monkeypatch.setattr(loop, "_read_every", lambda _: request.param)


def trained(network: Network, panel: Panel, folder: Path, recipe: Recipe = RECIPE) -> Trained:
    states = Checkpoints(folder / "baseline", {})
    inputs = PanelOnDevice(panel, 8, CPU)
    return train(network, inputs, PHASES["baseline"], PACE, recipe, "mean_rank_ic", {}, states, folder / "logs")


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_losses_that_are_read_later_change_neither_history_nor_checkpoints(
    panel: Panel, network: Make, tmp_path: Path, deferred: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third step has a checkpoint, as if its time had come."""
    saved: list[State] = []
    monkeypatch.setattr(Checkpoints, "save", lambda _, state: saved.append(state))

    def run(name: str) -> tuple[Trained, list[State]]:
        calls = count(1)
        monkeypatch.setattr(Checkpoints, "due", lambda _: next(calls) % 3 == 0)
        saved.clear()
        return trained(network("baseline"), panel, tmp_path / name), [*saved]

    expected, states = run("at once")
    deferred()
    found, later = run("later")
    assert found.history == expected.history
    assert same(found.weights, expected.weights)
    assert same(found.state, expected.state)
    assert [each.position for each in later] == [each.position for each in states]
    assert all(a.history == b.history and same(a.tensors, b.tensors) for a, b in zip(later, states, strict=True))


def test_a_divergence_is_found_later_with_its_own_step_and_the_state_before_it(
    panel: Panel, network: Make, tmp_path: Path, deferred: Callable[[], None]
) -> None:
    broken = panel.y_TSH.copy()
    broken[20, 4] = np.inf
    ends: list[tuple[str, State]] = []
    for name in ("at once", "later"):
        with pytest.raises(DivergenceError) as stopped:
            trained(network("baseline"), replace(panel, y_TSH=broken), tmp_path / name)
        state = Checkpoints(tmp_path / name / "baseline", {}).newest()
        assert state is not None
        ends.append((stopped.value.message.replace(name, ""), state))
        deferred()
    (message, state), (later_message, later_state) = ends
    step = next(i for i, b in enumerate(plan(panel, RECIPE, "baseline", 0)) if b.first <= 20 < b.first + b.sessions)
    assert f"epoch 0, step {step}: loss nan" in message
    assert later_message == message
    assert (later_state.position, later_state.history) == (state.position, state.history)
    assert same(later_state.tensors, state.tensors)


@pytest.mark.slow
def test_a_signal_stops_between_two_reads_and_training_resumes_to_the_same_bits(
    panel: Panel, network: Make, tmp_path: Path, deferred: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = trained(network("baseline"), panel, tmp_path / "uninterrupted")
    deferred()
    step, done = loop._step, count()

    def interrupted(*args: Any) -> None:
        step(*args)
        if next(done) == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Checkpoints, "due", lambda _: False)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_step", interrupted)
        with pytest.raises(InterruptionError, match=r"in epoch 0, step 5; newest checkpoint in .*: epoch 0, step 5"):
            trained(network("baseline"), panel, tmp_path / "stopped")
    found = trained(network("baseline"), panel, tmp_path / "stopped")
    assert found.history == expected.history
    assert same(found.weights, expected.weights)
