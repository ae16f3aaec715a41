"""One phase of training: epochs of steps, validation after each, the best epoch kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gogooku3.config.train import Phase, Recipe
from gogooku3.errors import DivergenceError
from gogooku3.evaluation.metrics import rank_ic
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.scoring import score
from gogooku3.numerics import key
from gogooku3.training.batches import Batch, plan
from gogooku3.training.history import Epoch, History
from gogooku3.training.losses import loss, require_targets
from gogooku3.training.optimizer import adamw, moments, restore
from gogooku3.training.progress import Progress


@dataclass(frozen=True)
class Trained:
    """What a phase ends with: weights and optimizer state of its best epoch, and how it came to them."""

    weights: dict[str, Tensor]
    state: dict[str, Tensor]
    history: History


def train(
    network: Network,
    inputs: PanelOnDevice,
    name: str,
    phase: Phase,
    recipe: Recipe,
    state: dict[str, Tensor],
) -> Trained:
    """Trains the network for one phase and keeps the epoch with the highest validation RankIC.

    A phase of no epochs hands on what it was given.

    Args:
        network: as `start` made it.
        state: the moments of its optimizer, as far as there are any.

    Raises:
        DivergenceError: a loss or gradient is not finite.
    """
    optimizer = adamw(network, phase.learning_rate, recipe.weight_decay)
    restore(optimizer, network, state)
    history = History(name)
    best = _trained(network, optimizer, history)
    plans = [plan(inputs.panel, recipe, name, epoch) for epoch in range(phase.epochs)]
    with Progress(name, sum(len(batches) for batches in plans)) as progress:
        for epoch, batches in enumerate(plans):
            network.train()
            for step, batch in enumerate(batches):
                torch.manual_seed(key(recipe.seed, "dropout", name, epoch, step))
                value, norm = _step(network, optimizer, inputs, batch, recipe)
                if not (math.isfinite(value) and math.isfinite(norm)):
                    raise _divergence(inputs, name, epoch, step, batch, value, norm)
                history.step_losses.append(value)
                history.gradient_norms.append(norm)
                progress.step(epoch, value)
            by_horizon = validate(network, inputs, "validation")
            history.epochs.append(
                Epoch(
                    epoch=epoch,
                    train_loss=math.fsum(history.step_losses[-len(batches) :]) / len(batches),
                    validation_rank_ic=_weighted(by_horizon, recipe.loss.horizons),
                    validation_rank_ic_by_horizon=by_horizon,
                )
            )
            progress.validated(history.epochs[-1].validation_rank_ic)
            if history.best is history.epochs[-1]:
                best = _trained(network, optimizer, history)
    return best


def validate(network: Network, inputs: PanelOnDevice, split: str) -> dict[str, float]:
    """Mean RankIC of each horizon over a split's sessions, 0 where no session has one."""
    panel = inputs.panel
    first, last = panel.split[split]
    scores_TSP = score(network, inputs, first, last)
    means = {}
    for p, horizon in enumerate(panel.horizons):
        ic_T = rank_ic(scores_TSP[:, :, p], panel.y_TSH[first : last + 1, :, p])
        finite_T = ic_T[np.isfinite(ic_T)]
        means[str(horizon)] = math.fsum(finite_T) / len(finite_T) if len(finite_T) else 0.0
    return means


def _trained(network: Network, optimizer: torch.optim.Optimizer, history: History) -> Trained:
    """A copy of weights and moments as they are now."""
    weights = {entry: tensor.detach().clone() for entry, tensor in network.state_dict().items()}
    return Trained(weights, moments(optimizer, network), history)


def _step(
    network: Network, optimizer: torch.optim.Optimizer, inputs: PanelOnDevice, batch: Batch, recipe: Recipe
) -> tuple[float, float]:
    """One optimizer step; returns the loss and the gradient's norm before clipping."""
    block = inputs.block(
        batch.first, batch.sessions, batch.stocks_S, with_neighbours=network.architecture.graph is not None
    )
    sessions_T = inputs.panel.sessions
    last = batch.first + batch.sessions - 1
    require_targets(block.y_DSP, str(sessions_T[batch.first]), str(sessions_T[last]))
    optimizer.zero_grad()
    value = loss(network(block.x_ZSF, block.neighbours_DSK, block.edges_DSKE), block.y_DSP, recipe.loss)
    value.backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip)
    if math.isfinite(norm.item()):
        optimizer.step()
    return value.item(), norm.item()


def _weighted(by_horizon: dict[str, float], weights: list[float]) -> float:
    return math.fsum(w * ic for w, ic in zip(weights, by_horizon.values(), strict=True)) / math.fsum(weights)


def _divergence(
    inputs: PanelOnDevice, name: str, epoch: int, step: int, batch: Batch, value: float, norm: float
) -> DivergenceError:
    sessions_T = inputs.panel.sessions
    return DivergenceError(
        f"phase {name} stopped in epoch {epoch}, step {step}: loss {value}, gradient norm {norm}"
        f" (sessions {sessions_T[batch.first]} to {sessions_T[batch.first + batch.sessions - 1]},"
        f" {len(batch.stocks_S)} stocks)",
        hint=f"lower `train.phases.{name}.learning_rate` or `train.recipe.gradient_clip`, or look at those sessions",
    )
