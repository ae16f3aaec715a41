"""The four training phases: the network blocks that each switches on, and the phase it starts from."""

from __future__ import annotations

from dataclasses import dataclass

from gogooku3.config.model import Model
from gogooku3.model.network import Architecture

_BACKBONE = ("selection", "temporal", "output", "head")


@dataclass(frozen=True)
class Phase:
    """One of the four training steps."""

    name: str
    blocks: tuple[str, ...]
    """Network blocks that are switched on."""
    previous: str | None
    """The phase whose weights it starts from."""

    @property
    def adds(self) -> tuple[str, ...]:
        """Blocks that the previous phase does not have."""
        previous = () if self.previous is None else PHASES[self.previous].blocks
        return tuple(block for block in self.blocks if block not in previous)

    def architecture(self, abi: str, features: int, horizons: list[int], model: Model) -> Architecture:
        """The network of this phase."""
        return Architecture(
            abi=abi,
            features=features,
            horizons=horizons,
            backbone=model.backbone,
            adaptive_norm=model.adaptive_norm if "adaptive_norm" in self.blocks else None,
            graph=model.graph if "graph" in self.blocks else None,
        )


PHASES = {
    phase.name: phase
    for phase in (
        Phase("baseline", _BACKBONE, None),
        Phase("adaptive_norm", (*_BACKBONE, "adaptive_norm"), "baseline"),
        Phase("gat", (*_BACKBONE, "adaptive_norm", "graph"), "adaptive_norm"),
        Phase("finetune", (*_BACKBONE, "adaptive_norm", "graph"), "gat"),
    )
}
