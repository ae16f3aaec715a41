"""The four phases: what each switches on, and the phase it starts from."""

from __future__ import annotations

from dataclasses import dataclass

from gogooku3.config.model import Model
from gogooku3.model.network import Architecture


@dataclass(frozen=True)
class Phase:
    """One of the four training steps."""

    name: str
    blocks: tuple[str, ...]
    """Blocks that are on, beside selection and temporal."""
    previous: str | None
    """The phase whose weights it starts from."""

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
        Phase("baseline", (), None),
        Phase("adaptive_norm", ("adaptive_norm",), "baseline"),
        Phase("gat", ("adaptive_norm", "graph"), "adaptive_norm"),
        Phase("finetune", ("adaptive_norm", "graph"), "gat"),
    )
}
