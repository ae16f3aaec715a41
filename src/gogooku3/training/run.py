"""State of a phase in training: everything that changes from step to step, and how it is saved and restored."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from gogooku3.model.network import Network
from gogooku3.training import fingerprint
from gogooku3.training.checkpoints import State, position
from gogooku3.training.history import Epoch, Fingerprint, History
from gogooku3.training.optimizer import moments, restore
from gogooku3.training.validation import Validation


@dataclass(frozen=True)
class Trained:
    """Result of a phase: weights and optimizer state of the best epoch, and the training history."""

    weights: dict[str, Tensor]
    state: dict[str, Tensor]
    history: History


class Run:
    """Network, optimizer, position (epoch and step), history, and the best epoch so far."""

    def __init__(self, phase: str, metric: str, network: Network, optimizer: torch.optim.Optimizer) -> None:
        self.network, self.optimizer = network, optimizer
        self.epoch = self.step = 0
        """The current epoch, and the number of its steps that are done."""
        self.history = History(phase, metric)
        self.best = self._trained()

    @property
    def finite(self) -> bool:
        """Whether all weights are finite."""
        return all(bool(weights.isfinite().all()) for weights in self.network.parameters())

    @property
    def position(self) -> str:
        """Epoch and step, as printed."""
        return position(self.epoch, self.step)

    def end_step(self, loss: float, gradient_norm: float) -> None:
        """Records a finished step."""
        self.history.step_losses.append(loss)
        self.history.gradient_norms.append(gradient_norm)
        self.step += 1

    def fingerprint(self, batch: str) -> None:
        """Records the fingerprint of the weights after the last step, next to the fingerprint of its batch."""
        weights = fingerprint.hash_weights(self.network)
        self.history.fingerprints.append(Fingerprint(self.epoch, self.step - 1, batch, weights))

    def end_epoch(self, validation: Validation) -> None:
        """Records a trained and validated epoch."""
        loss = math.fsum(self.history.step_losses[-self.step :]) / self.step
        epoch = Epoch(self.epoch, self.step, loss, validation.rank_ic, validation.rank_ic_by_horizon, validation.sharpe)
        self.history.epochs.append(epoch)
        if self.history.best is epoch:
            self.best = self._trained()
        self.epoch, self.step = self.epoch + 1, 0

    def state(self) -> State:
        """The training state, as `load_state` restores it."""
        current = self._trained()
        groups = {"weights": current.weights, "moments": current.state}
        if self.history.best is not None:
            groups |= {"best.weights": self.best.weights, "best.moments": self.best.state}
        tensors = {f"{group}:{name}": tensor for group, named in groups.items() for name, tensor in named.items()}
        return State(self.epoch, self.step, tensors, asdict(self.history))

    def load_state(self, state: State) -> None:
        """Restores a training state."""
        groups: dict[str, dict[str, Tensor]] = {}
        for name, tensor in state.tensors.items():
            group, _, key = name.partition(":")
            groups.setdefault(group, {})[key] = tensor
        self.network.load_state_dict(groups["weights"])
        restore(self.optimizer, self.network, groups["moments"])
        self.epoch, self.step = state.epoch, state.step
        self.history = History.parse(state.history)
        # Before the end of the first epoch there is no best epoch.
        self.best = Trained(groups.get("best.weights", {}), groups.get("best.moments", {}), self.history)

    def _trained(self) -> Trained:
        """A copy of the current weights and optimizer moments."""
        weights = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        return Trained(weights, moments(self.optimizer, self.network), self.history)
