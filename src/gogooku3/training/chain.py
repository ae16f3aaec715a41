"""Trains all phases in one process, one after the other: skips finished ones, resumes an interrupted one.

Each phase has a record of the hashes of its inputs and outputs beside its folder. DVC removes a stage's outputs before
it runs, so the caller keeps these folders under a hidden name until all phases are trained.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gogooku3.config import Params
from gogooku3.dataset.schema import Schema
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import current_domain
from gogooku3.runtime.files import sha256_file, write_json
from gogooku3.training.distributed import SINGLE_PROCESS, Group
from gogooku3.training.phases import PHASES
from gogooku3.training.task import Task


def train_all(
    params: Params,
    seed: int,
    schema: Schema,
    models: Path,
    parent: Path | None,
    files: Sequence[Path],
    inputs: PanelOnDevice,
    logs: Path,
    group: Group = SINGLE_PROCESS,
) -> list[Task]:
    """Trains the four phases from a seed; other arguments and errors as of `Task`. Returns their tasks, in order."""
    recipe = replace(params.train.recipe, seed=seed)
    tasks = [Task(phase, params, recipe, schema, models, parent, files) for phase in PHASES.values()]
    for task in tasks:
        _run_once(task, inputs, logs, group)
    return tasks


def _run_once(task: Task, inputs: PanelOnDevice, logs: Path, group: Group) -> None:
    """Runs a phase, unless its recorded inputs and outputs are current (cache hit)."""
    group.barrier()  # wait for the files of the previous phase, which rank 0 writes
    record = task.folder.with_suffix(".json")
    current = json.loads(json.dumps(task.inputs(current_domain(task.params.numerics))))
    try:
        done = json.loads(record.read_text(encoding="utf-8")) == {"inputs": current, "files": _hashes(task.folder)}
    except (FileNotFoundError, ValueError):
        done = False
    # All have read the record. One whose inputs differ makes all run the task, which compares them and raises.
    done = not group.all_max(int(not done))
    if not done:
        task.run(inputs, logs, group=group)
    if not done and group.is_main:
        write_json({"inputs": current, "files": _hashes(task.folder)}, record)


def _hashes(folder: Path) -> dict[str, Any]:
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
