"""Training history of a phase: loss and gradient norm per step, validation per epoch, the best epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.runtime.files import write_csv, write_json


@dataclass(frozen=True)
class Epoch:
    """One pass over the train split."""

    epoch: int
    steps: int
    train_loss: float
    validation_rank_ic: float
    """Mean RankIC over the validation split's sessions and the horizons, weighted as in the loss."""
    validation_rank_ic_by_horizon: dict[str, float]


@dataclass(frozen=True)
class Fingerprint:
    """Hashes of the weights after a step and of the step's batch."""

    epoch: int
    step: int
    batch: str
    """Hash of the batch's sessions and stocks."""
    weights: str


@dataclass
class History:
    """Appended to while a phase trains."""

    phase: str
    step_losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    fingerprints: list[Fingerprint] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)

    @classmethod
    def parse(cls, content: dict[str, Any]) -> History:
        """The inverse of `asdict`."""
        return cls(
            content["phase"],
            content["step_losses"],
            content["gradient_norms"],
            [Fingerprint(**each) for each in content["fingerprints"]],
            [Epoch(**each) for each in content["epochs"]],
        )

    @property
    def best(self) -> Epoch | None:
        """The epoch with the highest validation RankIC, the first of equals; None before the end of the first epoch."""
        return max(self.epochs, key=lambda epoch: epoch.validation_rank_ic, default=None)

    def patience_exhausted(self, patience: int) -> bool:
        """Early stopping: whether `patience` epochs have passed since the best one; never with a patience of 0."""
        return patience > 0 and self.best is not None and len(self.epochs) - 1 - self.best.epoch >= patience

    def write(self, target: Path, environment: dict[str, Any]) -> None:
        """Writes the history as JSON, with the environment in which it is bitwise reproducible."""
        best = {"best_epoch": self.best.epoch if self.best else None}
        write_json({**asdict(self), **best, "environment": environment}, target)

    def write_curve(self, target: Path) -> None:
        """Writes the learning curve, one row per epoch, as the CSV that DVC plots."""
        write_csv(
            pl.DataFrame(
                {
                    "epoch": [epoch.epoch for epoch in self.epochs],
                    "train_loss": [epoch.train_loss for epoch in self.epochs],
                    "validation_rank_ic": [epoch.validation_rank_ic for epoch in self.epochs],
                }
            ),
            target,
        )
