"""A phase from beginning to end: from the folders that it reads to the one that it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gogooku3.config import Params
from gogooku3.dataset.schema import Schema
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Architecture
from gogooku3.model.probe import domain_here
from gogooku3.model.weights import save, write_tensors
from gogooku3.training.checkpoints import Checkpoints
from gogooku3.training.distributed import SINGLE_PROCESS, Group
from gogooku3.training.loop import train
from gogooku3.training.phases import Phase
from gogooku3.training.start import STATE, start
from gogooku3.training.state_key import state_key


@dataclass(frozen=True)
class Task:
    """One phase for one dataset, or for one fold of it."""

    phase: Phase
    params: Params
    schema: Schema
    models: Path
    """Where each phase has its folder."""
    parent: Path | None
    """Folder of a released model's last phase; None from scratch."""
    files: Sequence[Path]
    """What is read beside the phase before, or what holds the hashes of what is read."""

    @property
    def folder(self) -> Path:
        """Where the phase leaves `config.json`, `model.safetensors`, `state.safetensors` and `history.json`."""
        return self.models / self.phase.name

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return self.phase.architecture(
            self.schema.abi, len(self.schema.features), list(self.schema.horizons), self.params.model
        )

    def inputs(self, domain: dict[str, Any]) -> dict[str, Any]:
        """Everything that the phase's bytes depend on, by name.

        Args:
            domain: in which they are exact.
        """
        train, before = self.params.train, self.phase.previous
        files = [*self.files, *((self.models / before).glob("[!.]*") if before else ())]
        phase_config = getattr(train.phases, self.phase.name)
        return state_key(self.architecture, train.recipe, phase_config, domain, sorted(files))

    def run(self, panel: PanelOnDevice, logs: Path, curve: Path | None = None, group: Group = SINGLE_PROCESS) -> None:
        """Trains the phase, from its newest state where it was stopped, and puts its files in their places.

        Args:
            logs: folder of what can be watched meanwhile.
            curve: the epochs as a CSV, for DVC's plots.
            group: who trains. Each process is called with the same; the first one writes.

        Raises:
            DataError: a file of the phase before is absent or broken.
            MismatchError: its tensors are not those of the architecture.
            DivergenceError: a loss or gradient is not finite.
            InterruptionError: the process was asked to end.
        """
        name, recipe = self.phase.name, self.params.train.recipe
        network, state = start(self.phase, self.architecture, recipe.seed, self.models, self.parent)
        domain = domain_here(self.params.numerics)
        checkpoints = Checkpoints(self.folder, self.inputs(domain), writes=group.is_main)
        phase_config = getattr(self.params.train.phases, name)
        network.to_device(panel.device, self.params.numerics)
        trained = train(network, panel, name, phase_config, recipe, state, checkpoints, logs, group)
        if not group.is_main:
            return
        network.load_state_dict(trained.weights)
        with checkpoints.delivered() as folder:
            save(network, folder)
            write_tensors(trained.state, folder / STATE)
            trained.history.write(folder / "history.json", domain)
            if curve is not None:
                trained.history.write_curve(curve)
