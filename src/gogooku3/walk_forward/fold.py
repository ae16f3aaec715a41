"""Trains the model of one fold: the four phases on its training sessions, and out-of-sample scores.

The phases are in a hidden folder next to the fold's output folder, each with a record of the hashes of its inputs and
outputs. An interrupted fold skips finished phases and resumes the current one from its newest checkpoint.
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
    """Trains a fold, scores its validation and test periods, and writes model and scores.

    Args:
        plan: plan file of the fold.
        dataset: folder of the dataset.
        device: the device from `prepare_torch`.
        model: output folder: `config.json`, `model.safetensors`, `preprocess.json`, and the `history` of each phase.
        scores: output file: `Date`, `Code`, `score_<horizon>` of every bar of validation and test.
        logs: folder for the logs and learning curves so far.
        group: the processes that train together. Each makes the same call; the main process (rank 0) scores and writes.

    Raises:
        DataError: targets of the fold's training or validation reach into the next split (leakage).
        DivergenceError: a loss, a gradient norm or a validation score is not finite.
        InterruptionError: the process received SIGINT (Ctrl-C), SIGTERM or SIGHUP.
    """
    with group.main_first():  # rank 0 writes the memory-mapped arrays if they do not exist
        panel = fold_panel(plan, dataset)
        inputs = PanelOnDevice(panel, params.model.backbone.window, device)
    phases = model.with_name(f".{model.name}.phases.partial")
    schema = Schema.read(dataset / "schema.json")
    files = [plan, dataset / "contents.json", dataset / "schema.json"]
    tasks = [Task(phase, params, schema, phases, None, files) for phase in PHASES.values()]
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
    """Runs a phase, unless its recorded inputs and outputs are current (cache hit)."""
    group.barrier()  # wait for the files of the previous phase, which rank 0 writes
    record = task.folder.with_suffix(".json")
    current = json.loads(json.dumps(task.inputs(current_domain(task.params.numerics))))
    try:
        done = json.loads(record.read_text(encoding="utf-8")) == {"inputs": current, "files": _hashes(task.folder)}
    except (FileNotFoundError, ValueError):
        done = False
    group.barrier()  # until all processes have read the record
    if not done:
        task.run(inputs, logs, group=group)
    if not done and group.is_main:
        write_json({"inputs": current, "files": _hashes(task.folder)}, record)


def _hashes(folder: Path) -> dict[str, Any]:
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
