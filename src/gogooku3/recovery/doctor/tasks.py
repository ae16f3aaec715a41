"""The tasks that `doctor` assesses, and its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from gogooku3.recovery.checks.verdict import Check

Task = Literal["train", "predict", "release", "recover"]
"""`train`: `dvc repro`, experiments and related commands; `predict`: score with a local package; `release`: `promote`,
which publishes a release; `recover`: restore a release from the bucket."""

TASKS: tuple[Task, ...] = get_args(Task)
WITHOUT_BUCKET: tuple[Task, ...] = ("train", "predict")
"""Tasks that a new clone, which has no bucket yet, must be fit for."""


@dataclass(frozen=True)
class Fitness:
    """Whether this machine is fit for a task, and the failed checks that block it."""

    task: Task
    failed: tuple[Check, ...]

    @property
    def fit(self) -> bool:
        """True if no check that the task needs failed."""
        return not self.failed

    def as_json(self) -> dict[str, Any]:
        """`task`, `fit`, and the names of the checks that failed."""
        return {"task": self.task, "fit": self.fit, "failed": [check.name for check in self.failed]}


@dataclass(frozen=True)
class Examination:
    """The findings of all checks, and the fitness for each task."""

    checks: tuple[Check, ...]
    fitness: tuple[Fitness, ...]

    def fit_for(self, *tasks: Task) -> bool:
        """True if this machine is fit for all of the tasks."""
        return all(fitness.fit for fitness in self.fitness if fitness.task in tasks)
