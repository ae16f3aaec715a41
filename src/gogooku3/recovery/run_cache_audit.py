"""Determinism check on DVC's run cache: finds runs with the same inputs and different outputs.

Two records with the same command, dependencies and parameters but different outputs prove that a stage is not
deterministic, or that it reads an undeclared dependency. They come from `dvc repro --force`, or from two machines by
`dvc push` and `dvc pull --run-cache`. DVC restores the newest of them without a warning.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gogooku3.recovery.storage.lock import run_keys
from gogooku3.recovery.storage.open import run_cache_folder
from gogooku3.recovery.storage.runs import DamagedRun, Run, read_runs
from gogooku3.recovery.storage.scan import Progress


@dataclass(frozen=True)
class Conflict:
    """Runs of one command with the same dependencies and parameters but different outputs, and how to resolve them."""

    key: str
    command: str
    stage: str
    """The stage with this run in an audited revision's `dvc.lock`; empty if there is no such stage."""
    outputs: tuple[str, ...]
    """The paths whose hashes differ."""
    runs: tuple[Run, ...]
    """The newest first; DVC restores that one."""
    hint: str


@dataclass(frozen=True)
class RunCache:
    """Result of the audit of a run cache: the number of recorded runs, conflicts and damaged records."""

    folder: str
    recorded: int
    conflicts: tuple[Conflict, ...]
    damaged: tuple[DamagedRun, ...]

    @property
    def passed(self) -> bool:
        """Whether every record is readable and no run has two results."""
        return not self.conflicts and not self.damaged


def audit_runs(root: Path, revs: Sequence[str | None], progress: Progress) -> RunCache:
    """Reads every record in the run cache of the repository in `root`, and compares those of the same run.

    `revs` are the Git revisions (None: the working tree) whose `dvc.lock` names the stages. Raises `DataError` if
    the repository or one of them cannot be read.
    """
    folder = run_cache_folder(root)
    runs, damaged = read_runs(folder, progress)
    differing = {key: paths for key in runs if (paths := _differing_outputs(runs[key]))}
    stages = _stages(root, revs) if differing else {}
    conflicts = tuple(_conflict(key, runs[key], paths, stages.get(key)) for key, paths in differing.items())
    return RunCache(str(folder), sum(map(len, runs.values())) + len(damaged), conflicts, tuple(damaged))


def _differing_outputs(runs: Sequence[Run]) -> tuple[str, ...]:
    """The outputs that are not the same in all runs."""
    paths = sorted({path for run in runs for path in run.outputs})
    return tuple(path for path in paths if len({run.outputs.get(path) for run in runs}) > 1)


def _stages(root: Path, revs: Sequence[str | None]) -> dict[str, tuple[str | None, str]]:
    """The first revision with each run and the stage's name in it, by the run's key."""
    stages: dict[str, tuple[str | None, str]] = {}
    for rev in revs:
        for key, stage in run_keys(root, rev).items():
            stages.setdefault(key, (rev, stage))
    return stages


def _conflict(key: str, runs: Sequence[Run], paths: tuple[str, ...], origin: tuple[str | None, str] | None) -> Conflict:
    newest_first = tuple(sorted(runs, key=lambda run: run.written, reverse=True))
    if origin is None:
        hint = (
            "no audited revision's `dvc.lock` has this run: remove its files with `rm`; DVC then runs the stage again"
            " when it needs it"
        )
        return Conflict(key, newest_first[0].command, "", paths, newest_first, hint)
    rev, stage = origin
    checkout = "" if rev is None else f"git checkout {shlex.quote(rev)} && dvc checkout && "
    hint = (
        f"run `{checkout}dvc repro --single-item --force {shlex.quote(stage)}`, which records this machine's result in"
        " `dvc.lock`; then remove the files of the other results with `rm`"
    )
    return Conflict(key, newest_first[0].command, stage, paths, newest_first, hint)
