"""The tasks that `doctor` judges a machine by, and its judgement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from gogooku3.recovery.checks.verdict import Check

Task = Literal["train", "predict", "release", "recover"]
"""`train`: `dvc repro`, experiments and the verbs beside them; `predict`: score with a package that is here; `release`:
`promote` and what it publishes; `recover`: get a release back from the bucket."""

TASKS: tuple[Task, ...] = get_args(Task)
WITHOUT_BUCKET: tuple[Task, ...] = ("train", "predict")
"""What a new clone can do on any machine: it owns no bucket yet."""


@dataclass(frozen=True)
class Fitness:
    """Whether a task can be done here, and the failed checks that say why not."""

    task: Task
    failed: tuple[Check, ...]

    @property
    def fit(self) -> bool:
        """True where no check failed that the task needs."""
        return not self.failed

    def as_json(self) -> dict[str, Any]:
        """`task`, `fit`, and the names of the checks that failed."""
        return {"task": self.task, "fit": self.fit, "failed": [check.name for check in self.failed]}


@dataclass(frozen=True)
class Examination:
    """What every check found, and what that means for each task."""

    checks: tuple[Check, ...]
    fitness: tuple[Fitness, ...]

    def fit_for(self, *tasks: Task) -> bool:
        """True where all of the tasks can be done."""
        return all(each.fit for each in self.fitness if each.task in tasks)
