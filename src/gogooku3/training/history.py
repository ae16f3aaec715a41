"""Training history of a phase: loss and gradient norm per step, validation per epoch, the best epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.config.train import Recipe
from gogooku3.objective import MEAN_RANK_IC, SHARPE, horizon_of, metric_title
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
    validation_sharpe: float
    """Annualised Sharpe ratio of the scores' portfolio on validation, before costs and delay (`validation.Validation`);
    mean over the horizons, weighted as in the loss."""

    def value(self, metric: str) -> float:
        """The value of a tier's metric (`tier.metric`)."""
        horizon = horizon_of(metric)
        if horizon is not None:
            return self.validation_rank_ic_by_horizon[str(horizon)]
        return {MEAN_RANK_IC: self.validation_rank_ic, SHARPE: self.validation_sharpe}[metric]


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
    metric: str
    """`tier.metric`, which selects the best epoch."""
    step_losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    fingerprints: list[Fingerprint] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)

    @classmethod
    def parse(cls, content: dict[str, Any]) -> History:
        """The inverse of `asdict`."""
        return cls(
            content["phase"],
            content["metric"],
            content["step_losses"],
            content["gradient_norms"],
            [Fingerprint(**each) for each in content["fingerprints"]],
            [Epoch(**each) for each in content["epochs"]],
        )

    @property
    def best(self) -> Epoch | None:
        """The epoch with the highest value of the metric, the first of equals; None before the end of the first one."""
        return max(self.epochs, key=lambda epoch: epoch.value(self.metric), default=None)

    def stops_early(self, recipe: Recipe) -> bool:
        """Early stopping: whether `patience` epochs, of `min_epochs` or more, have passed since the best one.

        Never with a patience of 0.
        """
        if recipe.patience == 0 or self.best is None or len(self.epochs) < recipe.min_epochs:
            return False
        return len(self.epochs) - 1 - self.best.epoch >= recipe.patience

    def disagreement(self) -> str | None:
        """A sentence if the metric fell on validation although the loss fell too, which means overfitting or a loss
        that is not the objective; None otherwise."""
        if self.best is None or self.epochs[-1] is self.best:
            return None
        best, last = self.best, self.epochs[-1]
        if not last.train_loss < best.train_loss:
            return None
        return (
            f"loss and objective disagree: from epoch {best.epoch} to {last.epoch} the loss fell from"
            f" {best.train_loss:+.4f} to {last.train_loss:+.4f}, and {metric_title(self.metric)} on validation from"
            f" {best.value(self.metric):+.4f} to {last.value(self.metric):+.4f}"
        )

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
                    "validation_sharpe": [epoch.validation_sharpe for epoch in self.epochs],
                }
            ),
            target,
        )
