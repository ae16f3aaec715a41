"""Trains the model of one fold: the four phases on its training sessions for each seed, and out-of-sample scores.

The phases are in a hidden folder next to the fold's output folder. An interrupted fold skips finished phases and
resumes the current one from its newest checkpoint.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from gogooku3.config import Params
from gogooku3.dataset.schema import Schema
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.scoring import join, score
from gogooku3.model.weights import load_networks, save
from gogooku3.panel.table import to_frame
from gogooku3.runtime.files import replaced, write_json, write_parquet
from gogooku3.training.chain import train_all
from gogooku3.training.distributed import SINGLE_PROCESS, Group
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
        model: output folder: `config.json`, `model.safetensors`, `preprocess.json`, and the `history` of each phase, by
            seed for the further members of an ensemble.
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
    first_seed, *further = params.train.seeds
    places = {first_seed: Path()} | {seed: Path(f"seed_{seed}") for seed in further}
    members = {
        place: train_all(params, seed, schema, phases / place, None, files, inputs, logs / place, group)
        for seed, place in places.items()
    }
    if not group.is_main:
        return
    with replaced(model) as folder:
        networks = load_networks(tasks[-1].folder for tasks in members.values())
        trained = join([network.to_device(device, params.numerics) for network in networks], inputs)
        save(trained, folder)
        first, last = panel.split["validation"][0], panel.split["test"][1]
        write_parquet(to_frame(panel, score(trained, inputs, first, last), first), scores)
        for place, tasks in members.items():
            (folder / "history" / place).mkdir()
            for task in tasks:
                shutil.copyfile(task.folder / "history.json", folder / "history" / place / f"{task.phase.name}.json")
        write_json(fold_preprocess(plan, dataset), folder / "preprocess.json")
    shutil.rmtree(phases)
