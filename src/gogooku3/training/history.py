"""Training history of a phase: loss and gradient norm per step, validation per epoch, the best epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.config.train import Recipe
from gogooku3.objective import MEAN_RANK_IC, SHARPE, horizon_of, metric_title
from gogooku3.runtime.files import write_csv, write_json


@dataclass(frozen=True, kw_only=True)
class Validated:
    """Metrics on validation: of the start of a phase, or of an epoch (`validation.Validation`)."""

    validation_rank_ic: float
    """Mean RankIC over the validation split's sessions and the horizons, weighted as in the loss."""
    validation_rank_ic_by_horizon: dict[str, float]
    validation_sharpe: float
    """Annualised Sharpe ratio of the scores' portfolio on validation, before costs and delay; mean over the horizons,
    weighted as in the loss."""

    def value(self, metric: str) -> float:
        """The value of a tier's metric (`tier.metric`)."""
        horizon = horizon_of(metric)
        if horizon is not None:
            return self.validation_rank_ic_by_horizon[str(horizon)]
        return {MEAN_RANK_IC: self.validation_rank_ic, SHARPE: self.validation_sharpe}[metric]


@dataclass(frozen=True)
class Epoch(Validated):
    """One pass over the train split."""

    epoch: int
    steps: int
    train_loss: float


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
    start: Validated | None = None
    """Before the first step; None for random weights, which are no candidate."""
    step_losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    fingerprints: list[Fingerprint] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)

    @classmethod
    def parse(cls, content: dict[str, Any]) -> History:
        """The inverse of `asdict`."""
        start = content["start"]
        return cls(
            content["phase"],
            content["metric"],
            None if start is None else Validated(**start),
            content["step_losses"],
            content["gradient_norms"],
            [Fingerprint(**each) for each in content["fingerprints"]],
            [Epoch(**each) for each in content["epochs"]],
        )

    @property
    def best(self) -> Epoch | None:
        """The epoch with the highest value of the metric, the first of equals; None if none is better than the start:
        the phase then adds nothing."""
        best = max(self.epochs, key=lambda epoch: epoch.value(self.metric), default=None)
        if best is None or self.start is None:
            return best
        return best if best.value(self.metric) > self.start.value(self.metric) else None

    def stops_early(self, recipe: Recipe) -> bool:
        """Early stopping: whether `patience` epochs, of `min_epochs` or more, have passed since the best one or the
        start. Never with a patience of 0."""
        if recipe.patience == 0 or len(self.epochs) < recipe.min_epochs:
            return False
        return len(self.epochs) - 1 - (-1 if self.best is None else self.best.epoch) >= recipe.patience

    def disagreement(self) -> str | None:
        """A sentence if the metric fell on validation although the loss fell too, which means overfitting or a loss
        that is not the objective; None otherwise."""
        if len(self.epochs) < 2:
            return None
        best, last = max(self.epochs[:-1], key=lambda epoch: epoch.value(self.metric)), self.epochs[-1]
        if last.value(self.metric) >= best.value(self.metric) or last.train_loss >= best.train_loss:
            return None
        return (
            f"loss and objective disagree: from epoch {best.epoch} to {last.epoch} the loss fell from"
            f" {best.train_loss:+.4f} to {last.train_loss:+.4f}, and {metric_title(self.metric)} on validation from"
            f" {best.value(self.metric):+.4f} to {last.value(self.metric):+.4f}"
        )

    def clipped(self, limit: float) -> float:
        """Share of the steps whose gradient norm was above the limit; 0 without steps."""
        return sum(norm > limit for norm in self.gradient_norms) / max(len(self.gradient_norms), 1)

    def write(self, target: Path, environment: dict[str, Any], gradient_clip: float) -> None:
        """Writes the history as JSON, with the environment in which it is bitwise reproducible."""
        summary = {
            "best_epoch": None if self.best is None else self.best.epoch,
            "clipped_steps": self.clipped(gradient_clip),
        }
        write_json({**asdict(self), **summary, "environment": environment}, target)

    def write_curve(self, target: Path) -> None:
        """Writes the learning curve as the CSV that DVC plots: each epoch, and before them the start as epoch −1;
        `kept` is 1 for the weights that are passed on."""
        rows: list[Validated] = [*([] if self.start is None else [self.start]), *self.epochs]
        write_csv(
            pl.DataFrame(
                {
                    "epoch": [*([] if self.start is None else [-1]), *(epoch.epoch for epoch in self.epochs)],
                    "train_loss": [getattr(row, "train_loss", None) for row in rows],
                    "validation_rank_ic": [row.validation_rank_ic for row in rows],
                    "validation_sharpe": [row.validation_sharpe for row in rows],
                    "kept": [int(row is (self.start if self.best is None else self.best)) for row in rows],
                },
                schema_overrides={"train_loss": pl.Float64},
            ),
            target,
        )
