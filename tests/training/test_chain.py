"""Two processes that train a chain of phases and disagree on what is finished: one error in both, and no deadlock."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing

from gogooku3.config import Params
from gogooku3.dataset.schema import Schema
from gogooku3.errors import MismatchError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import current_domain
from gogooku3.panel.panel import Panel
from gogooku3.runtime.files import sha256_file, write_json
from gogooku3.training.chain import train_all
from gogooku3.training.distributed import Group
from gogooku3.training.phases import PHASES
from gogooku3.training.task import Task

from .test_start import SCHEMA

SEEDS = (1, 2)
"""The seed of each process: the inputs of its phases hold it."""


def _record_as_finished(params: Params, schema: Schema, models: Path) -> None:
    """Writes an output of the first phase and its record, with the inputs of the first process."""
    task = Task(PHASES["baseline"], params, replace(params.train.recipe, seed=SEEDS[0]), schema, models, None, [])
    task.folder.mkdir(parents=True)
    output = task.folder / "config.json"
    output.write_text("{}")
    inputs = json.loads(json.dumps(task.inputs(current_domain(params.numerics))))
    record = {"inputs": inputs, "files": {output.name: sha256_file(output)}}
    write_json(record, task.folder.with_suffix(".json"))


def _train(rank: int, params: Params, schema: Schema, panel: Panel, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"file://{folder / 'rendezvous'}", rank=rank, world_size=len(SEEDS))
    group = Group(rank, len(SEEDS), len(SEEDS), "fixed")
    inputs = PanelOnDevice(panel, params.model.backbone.window, torch.device("cpu"))
    try:
        train_all(params, SEEDS[rank], schema, folder / "models", None, [], inputs, folder / "logs", group)
    except MismatchError as error:
        (folder / f"error_{rank}").write_text(str(error))


@pytest.mark.slow
def test_a_phase_that_only_one_process_finds_finished_ends_both(
    demo: Params, panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # the new processes import this module
    _record_as_finished(demo, SCHEMA, tmp_path / "models")
    processes = multiprocessing.spawn(_train, (demo, SCHEMA, panel, tmp_path), nprocs=len(SEEDS), join=False)
    # Each call returns when one more process has ended, or at the time limit.
    ended = [processes.join(timeout=120) for _ in SEEDS]
    for process in processes.processes:
        process.kill()
    assert any(ended), "a process waits for the other"
    errors = [(tmp_path / f"error_{rank}").read_text() for rank in range(len(SEEDS))]
    assert all("training processes" in error and "have different inputs" in error for error in errors), errors
