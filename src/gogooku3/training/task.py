"""Trains one phase end to end: reads its input folders, trains or resumes, writes its output folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gogooku3.config import Params
from gogooku3.config.train import Recipe
from gogooku3.dataset.schema import Schema
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Architecture
from gogooku3.model.probe import current_domain
from gogooku3.model.weights import save, write_tensors
from gogooku3.training.checkpoints import Checkpoints
from gogooku3.training.distributed import SINGLE_PROCESS, Group
from gogooku3.training.loop import train
from gogooku3.training.phases import Phase
from gogooku3.training.run_log import finish
from gogooku3.training.start import STATE, start
from gogooku3.training.state_key import state_key


@dataclass(frozen=True)
class Task:
    """One phase on one dataset, or on one walk-forward fold of it."""

    phase: Phase
    params: Params
    recipe: Recipe
    """`train.recipe`, of a further member of an ensemble with its own seed."""
    schema: Schema
    models: Path
    """Folder with one subfolder per phase."""
    parent: Path | None
    """Folder with the last phase of a released model (the base model); None to train from scratch."""
    files: Sequence[Path]
    """Input files other than those of the previous phase, or files with the hashes of such inputs."""

    @property
    def folder(self) -> Path:
        """Output folder: `config.json`, `model.safetensors`, `state.safetensors` and `history.json`."""
        return self.models / self.phase.name

    @property
    def architecture(self) -> Architecture:
        """The network of the phase."""
        return self.phase.architecture(
            self.schema.abi, len(self.schema.features), list(self.schema.horizons), self.params.model
        )

    def inputs(self, domain: dict[str, Any]) -> dict[str, Any]:
        """Everything that the phase's output bytes depend on, by name.

        Args:
            domain: the environment in which results are bitwise reproducible.
        """
        train, previous = self.params.train, self.phase.previous
        files = [*self.files, *((self.models / previous).glob("[!.]*") if previous else ())]
        phase_config = getattr(train.phases, self.phase.name)
        metric = self.params.tier.metric
        return state_key(self.architecture, self.recipe, phase_config, metric, domain, sorted(files))

    def run(self, panel: PanelOnDevice, logs: Path, curve: Path | None = None, group: Group = SINGLE_PROCESS) -> None:
        """Trains the phase, resuming from its newest checkpoint if there is one, and writes its output folder.

        Args:
            logs: folder for the log, the timing and the learning curve so far, named by phase and run.
            curve: target of the learning curve as a CSV, for DVC's plots.
            group: the processes that train together. Each makes the same call; the main process (rank 0) writes.

        Raises:
            DataError: a file of the previous phase is missing or corrupt.
            MismatchError: its tensors do not match the architecture, or the processes have different inputs or
                environments.
            DivergenceError: a loss, a gradient norm or a validation score is not finite.
            InterruptionError: the process received SIGINT (Ctrl-C), SIGTERM or SIGHUP.
            RefusedError: another process is training the phase.
        """
        name, recipe = self.phase.name, self.recipe
        network, state = start(self.phase, self.architecture, recipe.seed, self.models, self.parent)
        domain = current_domain(self.params.numerics)
        inputs = self.inputs(domain)
        group.require_same({"environment": json.dumps(domain), "inputs": json.dumps(inputs)})
        checkpoints = Checkpoints(self.folder, inputs, writes=group.is_main)
        phase_config = getattr(self.params.train.phases, name)
        network.to_device(panel.device, self.params.numerics)
        with checkpoints.locked():
            metric = self.params.tier.metric
            trained = train(network, panel, self.phase, phase_config, recipe, metric, state, checkpoints, logs, group)
            if not group.is_main:
                return
            network.load_state_dict(trained.weights)
            with checkpoints.publish() as folder:
                save(network, folder)
                write_tensors(trained.state, folder / STATE)
                trained.history.write(folder / "history.json", domain, recipe.gradient_clip)
                if curve is not None:
                    trained.history.write_curve(curve)
            finish(logs, name, checkpoints.run, self.folder)
