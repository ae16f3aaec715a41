"""A phase at work: all that changes from step to step, and how it is put down and taken up again."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from gogooku3.model.network import Network
from gogooku3.training import fingerprint
from gogooku3.training.checkpoints import State, place
from gogooku3.training.history import Epoch, Fingerprint, History
from gogooku3.training.optimizer import moments, restore


@dataclass(frozen=True)
class Trained:
    """What a phase ends with: weights and optimizer state of its best epoch, and how it came to them."""

    weights: dict[str, Tensor]
    state: dict[str, Tensor]
    history: History


class Run:
    """Network, optimizer, place, history, and the best epoch so far."""

    def __init__(self, phase: str, network: Network, optimizer: torch.optim.Optimizer) -> None:
        self.network, self.optimizer = network, optimizer
        self.epoch = self.step = 0
        """The epoch that is trained, and how many of its steps are done."""
        self.history = History(phase)
        self.best = self._trained()

    @property
    def finite(self) -> bool:
        """Whether all weights are."""
        return all(bool(weights.isfinite().all()) for weights in self.network.parameters())

    @property
    def place(self) -> str:
        """Where it stands in the phase."""
        return place(self.epoch, self.step)

    def end_step(self, loss: float, gradient_norm: float) -> None:
        """Writes down a step that is done."""
        self.history.step_losses.append(loss)
        self.history.gradient_norms.append(gradient_norm)
        self.step += 1

    def fingerprint(self, batch: str) -> None:
        """Writes down what the weights are after the last step, which had a batch of this identity."""
        weights = fingerprint.of_weights(self.network)
        self.history.fingerprints.append(Fingerprint(self.epoch, self.step - 1, batch, weights))

    def end_epoch(self, by_horizon: dict[str, float], rank_ic: float) -> None:
        """Writes down an epoch whose steps are done and validated."""
        loss = math.fsum(self.history.step_losses[-self.step :]) / self.step
        ended = Epoch(self.epoch, self.step, loss, rank_ic, by_horizon)
        self.history.epochs.append(ended)
        if self.history.best is ended:
            self.best = self._trained()
        self.epoch, self.step = self.epoch + 1, 0

    def state(self) -> State:
        """All that `load_state` needs."""
        now = self._trained()
        groups = {"weights": now.weights, "moments": now.state}
        if self.history.best is not None:
            groups |= {"best.weights": self.best.weights, "best.moments": self.best.state}
        tensors = {f"{group}:{name}": tensor for group, named in groups.items() for name, tensor in named.items()}
        return State(self.epoch, self.step, tensors, asdict(self.history))

    def load_state(self, state: State) -> None:
        """Goes to where a state was taken."""
        groups: dict[str, dict[str, Tensor]] = {}
        for name, tensor in state.tensors.items():
            group, _, own = name.partition(":")
            groups.setdefault(group, {})[own] = tensor
        self.network.load_state_dict(groups["weights"])
        restore(self.optimizer, self.network, groups["moments"])
        self.epoch, self.step = state.epoch, state.step
        self.history = History.parse(state.history)
        # Before the first epoch has ended there is no best one yet.
        self.best = Trained(groups.get("best.weights", {}), groups.get("best.moments", {}), self.history)

    def _trained(self) -> Trained:
        """A copy of weights and moments as they are now."""
        weights = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        return Trained(weights, moments(self.optimizer, self.network), self.history)
