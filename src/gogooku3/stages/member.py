"""Stage `member`: trains a further member of an ensemble, all four phases, from a seed of its own."""

from __future__ import annotations

import shutil

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.config.train import LAST_PHASE
from gogooku3.dataset.schema import Schema
from gogooku3.errors import ConfigError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import prepare
from gogooku3.package.lineage import read_lineage
from gogooku3.panel.panel import read_panel
from gogooku3.runtime.files import replaced
from gogooku3.training.chain import train_all
from gogooku3.training.distributed import Group
from gogooku3.training.launch import run_distributed
from gogooku3.training.phases import PHASES
from gogooku3.training.start import STATE, require_match


def run(params: Params, seed: str = "") -> None:
    """Writes `models/members/<seed>/`, one folder per phase; runs `numerics.processes` processes."""
    if not seed.isdecimal():
        raise ConfigError(f"`{seed}` is not a seed", hint="use one of `train.further_seeds`")
    run_distributed(params.numerics, lambda group: _train(params, int(seed), group), "member", seed)


def _train(params: Params, seed: int, group: Group) -> None:
    device = prepare(params.numerics)
    parent, schema = read_lineage(paths.PARENT), Schema.read(paths.DATASET / "schema.json")
    if parent is not None:
        last = PHASES[LAST_PHASE].architecture(schema.abi, len(schema.features), list(schema.horizons), params.model)
        require_match(paths.PARENT, parent.tag, last, schema)
    target = paths.member(seed)
    phases = target.with_name(f".{target.name}.phases.partial")
    files = [*paths.DATASET.glob("*.json"), *paths.PARENT.glob("[!.]*")]
    with group.main_first():  # rank 0 writes the memory-mapped arrays if they do not exist
        panel = PanelOnDevice(read_panel(paths.DATASET), params.model.backbone.window, device)
    base = None if parent is None else paths.PARENT
    tasks = train_all(params, seed, schema, phases, base, files, panel, paths.member_logs(str(seed)), group)
    if not group.is_main:
        return
    with replaced(target) as folder:
        for task in tasks:
            # no optimizer state, which is twice as large: nothing goes on from it
            shutil.copytree(task.folder, folder / task.phase.name, ignore=shutil.ignore_patterns(STATE))
    shutil.rmtree(phases)
