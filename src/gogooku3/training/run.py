"""State of a phase in training: everything that changes from step to step, and how it is saved and restored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gogooku3.model.network import Network
from gogooku3.training import fingerprint
from gogooku3.training.checkpoints import State, position
from gogooku3.training.history import Epoch, Fingerprint, History, Validated
from gogooku3.training.optimizer import moments, restore
from gogooku3.training.validation import Validation


@dataclass(frozen=True)
class Trained:
    """Result of a phase: weights and optimizer state of the best epoch, or of the start, and the training history."""

    weights: dict[str, Tensor]
    state: dict[str, Tensor]
    history: History


class Run:
    """Network, optimizer, position (epoch and step), history, and the best epoch so far."""

    def __init__(
        self, phase: str, metric: str, decay: float, network: Network, optimizer: torch.optim.Optimizer
    ) -> None:
        """
        Args:
            metric: the tier's objective, `tier.metric`.
            decay: of the exponential moving average of the weights, per step; 0: no average.
        """
        self.network, self.optimizer = network, optimizer
        self.epoch = self.step = 0
        """The current epoch, and the number of its steps that are done."""
        self.history = History(phase, metric)
        self._unread: list[Tensor] = []
        """Loss and gradient norm of the last steps, [2] each, which are still on the device."""
        self._diverged = next(network.parameters()).new_zeros(())
        """1 as soon as the loss or gradient norm of a step is not finite: the weights do not change any more."""
        self._decay = decay
        self._average = _copied(network) if decay else None
        self.best = self._trained()

    @property
    def finite(self) -> bool:
        """Whether all weights are finite."""
        return all(bool(weights.isfinite().all()) for weights in self.network.parameters())

    @property
    def position(self) -> str:
        """Epoch and step, as printed."""
        return position(self.epoch, self.step)

    @property
    def steps(self) -> int:
        """Number of finished steps of the phase."""
        return len(self.history.step_losses) + self.unread

    @property
    def unread(self) -> int:
        """Number of steps that `read` has not recorded yet."""
        return len(self._unread)

    def update(self, loss: Tensor, gradient_norm: Tensor) -> None:
        """Changes the weights by the gradients, unless the loss or gradient norm of this or an earlier step is not
        finite. The device decides, and nothing waits for it: the optimizer's `found_inf` is the gradient scaler's."""
        finite = loss.isfinite() & gradient_norm.isfinite()
        self._diverged = torch.maximum(self._diverged, (~finite).to(self._diverged.dtype))
        self.optimizer.found_inf = self._diverged  # type: ignore[attr-defined]
        self.optimizer.step()
        self.end_step(loss, gradient_norm)

    def read(self) -> tuple[float, float] | None:
        """Records loss and gradient norm of the unread steps; waits for the device once.

        If those of a step are not finite, they are returned, and the position is the one before that step, as the
        weights are.
        """
        values = torch.stack(self._unread).tolist() if self._unread else []
        first = self.step - len(values)
        self._unread.clear()
        for number, (loss, gradient_norm) in enumerate(values, first):
            if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
                self.step = number
                return loss, gradient_norm
            self.history.step_losses.append(loss)
            self.history.gradient_norms.append(gradient_norm)
        return None

    def end_step(self, loss: Tensor, gradient_norm: Tensor) -> None:
        """Counts a finished step, and takes its weights into the average; `read` records it."""
        if self._average is not None:
            # In the first steps the average follows the weights closely: the initial ones would weigh too much.
            decay = min(self._decay, (1 + self.steps) / (10 + self.steps))
            for name, tensor in self.network.state_dict().items():
                average = self._average[name]
                moved = (average * decay).add_(tensor, alpha=1 - decay)
                self._average[name] = torch.where(self._diverged > 0, average, moved)
        self._unread.append(torch.stack([loss, gradient_norm]))
        self.step += 1

    def fingerprint(self, batch: str) -> None:
        """Records the fingerprint of the weights after the last step, next to the fingerprint of its batch."""
        weights = fingerprint.hash_weights(self.network)
        self.history.fingerprints.append(Fingerprint(self.epoch, self.step - 1, batch, weights))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Context manager: the network has the averaged weights, if there are any."""
        if self._average is None:
            yield
            return
        own = _copied(self.network)
        self.network.load_state_dict(self._average)
        try:
            yield
        finally:
            self.network.load_state_dict(own)

    def begin(self, validation: Validation) -> float:
        """Records the validation before the first step: an epoch must be better to be the best. Returns the metric."""
        self.history.start = start = Validated(**_recorded(validation))
        return start.value(self.history.metric)

    def end_epoch(self, validation: Validation) -> None:
        """Records a trained and validated epoch."""
        loss = math.fsum(self.history.step_losses[-self.step :]) / self.step
        epoch = Epoch(self.epoch, self.step, loss, **_recorded(validation))
        self.history.epochs.append(epoch)
        if self.history.best is epoch:
            self.best = self._trained()
        self.epoch, self.step = self.epoch + 1, 0

    def state(self) -> State:
        """The training state, as `load_state` restores it. All steps must have been read."""
        groups = {"weights": _copied(self.network), "moments": moments(self.optimizer, self.network)}
        if self._average is not None:
            groups["average"] = {name: tensor.clone() for name, tensor in self._average.items()}
        if self.history.best is not None:
            groups |= {"best.weights": self.best.weights, "best.moments": self.best.state}
        tensors = {f"{group}:{name}": tensor for group, named in groups.items() for name, tensor in named.items()}
        return State(self.epoch, self.step, tensors, asdict(self.history))

    def load_state(self, state: State) -> None:
        """Restores a training state; the run must be as it was before the first step."""
        groups: dict[str, dict[str, Tensor]] = {}
        for name, tensor in state.tensors.items():
            group, _, key = name.partition(":")
            groups.setdefault(group, {})[key] = tensor
        self.network.load_state_dict(groups["weights"])
        restore(self.optimizer, self.network, groups.get("moments", {}))
        if self._average is not None:
            for name, tensor in groups["average"].items():
                self._average[name].copy_(tensor)
        self.epoch, self.step = state.epoch, state.step
        self.history = History.parse(state.history)
        # Unless an epoch is better, the best is the start, which the run has.
        best = Trained(groups.get("best.weights", {}), groups.get("best.moments", {}), self.history)
        self.best = replace(self.best, history=self.history) if self.history.best is None else best

    def _trained(self) -> Trained:
        """A copy of the current weights, averaged if there is an average, and of the optimizer moments."""
        with self.averaged():
            weights = _copied(self.network)
        return Trained(weights, moments(self.optimizer, self.network), self.history)


def _recorded(validation: Validation) -> dict[str, Any]:
    return {
        "validation_rank_ic": validation.rank_ic,
        "validation_rank_ic_by_horizon": validation.rank_ic_by_horizon,
        "validation_sharpe": validation.sharpe,
    }


def _copied(network: Network) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
