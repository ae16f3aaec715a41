"""A small training recipe without schedule, average and early stopping, for tests that change some of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gogooku3.config.train import Loss, Phase, Recipe, Schedule

_SMALL = Recipe(
    seed=1,
    batch_size=48,
    batch_stocks=12,
    weight_decay=1e-4,
    gradient_clip=1.0,
    schedule=Schedule(warmup=0.0, decay="constant", last=1.0),
    gate_rate=1.0,
    average=0.0,
    accumulate=1,
    patience=0,
    min_epochs=0,
    loss=Loss(sharpe=1.0, rank_ic=0.0, ic=0.0, horizons=[1.0, 1.0]),
)


def recipe(**changes: Any) -> Recipe:
    """The recipe with some other values."""
    return replace(_SMALL, **changes)


def pace(epochs: int, learning_rate: float, older: float = 1.0) -> Phase:
    """Epochs and learning rates of a phase."""
    return Phase(epochs, learning_rate, older)
