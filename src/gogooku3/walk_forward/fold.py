"""A fold's own model: the four phases on its sessions, and the scores of those that it did not learn from.

The phases lie in a hidden folder beside the one that the fold writes at its end, and each that is done stays with the
hash of all that it was made from: a fold that was stopped goes on with the phase that it was in, from its newest state.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from gogooku3.config import Params
from gogooku3.dataset.schema import Schema
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import current_domain
from gogooku3.model.scoring import score
from gogooku3.model.weights import CONFIG, WEIGHTS, load
from gogooku3.panel.table import to_frame
from gogooku3.runtime.files import replaced, sha256_file, write_json, write_parquet
from gogooku3.training.distributed import SINGLE_PROCESS, Group
from gogooku3.training.phases import PHASES
from gogooku3.training.task import Task
from gogooku3.walk_forward.panel import fold_panel, fold_preprocess


def make(
    plan: Path,
    dataset: Path,
    params: Params,
    device: torch.device,
    model: Path,
    scores: Path,
    logs: Path,
    group: Group = SINGLE_PROCESS,
) -> None:
    """Trains a fold, scores its validation and its test, and writes both.

    Args:
        plan: the fold's file.
        dataset: folder of the dataset.
        device: as `prepare_torch` gave it.
        model: folder to write: `config.json`, `model.safetensors`, `preprocess.json`, and the `history` of each phase.
        scores: file to write: `Date`, `Code`, `score_<horizon>` of every bar from validation on.
        logs: folder of what can be watched meanwhile.
        group: who trains. Each process is called with the same; the first one scores and writes.

    Raises:
        DataError: targets of the fold's training or validation reach into what follows.
        DivergenceError: a loss or gradient is not finite.
        InterruptionError: the process was asked to end.
    """
    with group.main_first():  # it lays the panel out where that is not done yet
        panel = fold_panel(plan, dataset)
        inputs = PanelOnDevice(panel, params.model.backbone.window, device)
    phases = model.with_name(f".{model.name}.phases.partial")
    schema, made_from = Schema.read(dataset / "schema.json"), [plan, dataset / "contents.json", dataset / "schema.json"]
    tasks = [Task(phase, params, schema, phases, None, made_from) for phase in PHASES.values()]
    for task in tasks:
        _run_once(task, inputs, logs, group)
    if not group.is_main:
        return
    network = load(tasks[-1].folder).to_device(device, params.numerics)
    first, last = panel.split["validation"][0], panel.split["test"][1]
    write_parquet(to_frame(panel, score(network, inputs, first, last), first), scores)
    with replaced(model) as folder:
        for name in (CONFIG, WEIGHTS):
            shutil.copyfile(tasks[-1].folder / name, folder / name)
        (folder / "history").mkdir()
        for task in tasks:
            shutil.copyfile(task.folder / "history.json", folder / f"history/{task.phase.name}.json")
        write_json(fold_preprocess(plan, dataset), folder / "preprocess.json")
    shutil.rmtree(phases)


def _run_once(task: Task, inputs: PanelOnDevice, logs: Path, group: Group) -> None:
    """Carries out a phase, unless its files are there as it left them, made from what it would be made from now."""
    group.barrier()  # for the files of the phase before, which the first process writes
    record = task.folder.with_suffix(".json")
    made_from = json.loads(json.dumps(task.inputs(current_domain(task.params.numerics))))
    try:
        done = json.loads(record.read_text(encoding="utf-8")) == {"inputs": made_from, "files": _hashes(task.folder)}
    except (FileNotFoundError, ValueError):
        done = False
    group.barrier()  # until all have looked
    if not done:
        task.run(inputs, logs, group=group)
    if not done and group.is_main:
        write_json({"inputs": made_from, "files": _hashes(task.folder)}, record)


def _hashes(folder: Path) -> dict[str, Any]:
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
