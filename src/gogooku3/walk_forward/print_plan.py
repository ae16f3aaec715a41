"""Prints a walk-forward plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from gogooku3.config.dataset import Split
from gogooku3.config.evaluation import WalkForward
from gogooku3.dataset.splits import SPLITS
from gogooku3.walk_forward.plan import Fold, folds_that_fit


def print_plan(folds: Sequence[Fold], sessions: NDArray[np.datetime64], walk: WalkForward, split: Split) -> None:
    """Prints the folds with their dates, and the numbers of further folds that fit."""
    console = Console(highlight=False, soft_wrap=True)
    for fold in folds:
        content = fold.as_json(sessions)
        spans = (f"{name} {_format_span(content[name])}" for name in SPLITS)
        console.print(f"fold {fold.number}: {', '.join(spans)}")
    kind = "expanding" if walk.expanding else "rolling"
    console.print(f"{kind} training, {split.embargo} sessions of embargo before each validation and each test")
    usable = np.count_nonzero(sessions >= np.datetime64(split.train_from, "D"))
    fitting = folds_that_fit(int(usable), walk, split.embargo)
    others = sorted(set(range(1, fitting + 1)) - {fold.number for fold in folds})
    if others:
        console.print(f"further folds that fit, not in `evaluation.walk_forward.folds`: {', '.join(map(str, others))}")


def _format_span(split: dict[str, Any]) -> str:
    return "{first} to {last} ({sessions})".format(**split)
