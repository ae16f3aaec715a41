"""What a phase leaves beside its weights: losses by step, validation by epoch, the epoch that was chosen."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl

from gogooku3.files import write_csv, write_json


@dataclass(frozen=True)
class Epoch:
    """One pass over the train split."""

    epoch: int
    train_loss: float
    validation_rank_ic: float
    """Mean RankIC over the validation split's sessions and the horizons, weighted as in the loss."""
    validation_rank_ic_by_horizon: dict[str, float]


@dataclass
class History:
    """Grows as a phase trains."""

    phase: str
    step_losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)

    @property
    def best(self) -> Epoch | None:
        """The epoch of the highest validation RankIC, the first of equals; None where the phase has no epochs."""
        return max(self.epochs, key=lambda epoch: epoch.validation_rank_ic, default=None)

    def write(self, target: Path, curve: Path) -> None:
        """Writes the whole history as JSON, and the epochs as the CSV that DVC plots."""
        write_json({**asdict(self), "best_epoch": self.best.epoch if self.best else None}, target)
        write_csv(
            pl.DataFrame(
                {
                    "epoch": [epoch.epoch for epoch in self.epochs],
                    "train_loss": [epoch.train_loss for epoch in self.epochs],
                    "validation_rank_ic": [epoch.validation_rank_ic for epoch in self.epochs],
                }
            ),
            curve,
        )
