"""What a phase starts from: the phase before, and a released model for the blocks that it adds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from gogooku3.dataset.schema import Schema, differences
from gogooku3.errors import MismatchError
from gogooku3.model.network import Architecture, Network
from gogooku3.model.weights import WEIGHTS, fill, read_architecture, read_tensors
from gogooku3.training.phases import PHASES, Phase

STATE = "state.safetensors"

_FREE = {"model.backbone.dropout"}
"""Parameters of a network that its weights do not depend on."""


def start(
    phase: Phase, architecture: Architecture, seed: int, models: Path, parent: Path | None
) -> tuple[Network, dict[str, Tensor]]:
    """The network before the first step of a phase, and the moments of its optimizer.

    Blocks that the phase before had are as it left them. Those that the phase adds are the parent's; without a parent,
    or with one that lacks them, they draw their first weights from the seed, behind a gate that is zero.

    Args:
        models: where each phase has its folder.
        parent: folder of a released model's last phase; None from scratch.

    Raises:
        DataError: a file is absent or broken.
        MismatchError: the tensors are not those that the architecture asks for.
    """
    network = Network(architecture, seed)
    state: dict[str, Tensor] = {}
    if phase.previous is not None:
        before = models / phase.previous
        fill(network, read_tensors(before / WEIGHTS), before / WEIGHTS, PHASES[phase.previous].blocks)
        state |= read_tensors(before / STATE)
    if parent is not None:
        weights = _of(phase.adds, read_tensors(parent / WEIGHTS), 0)
        fill(network, weights, parent / WEIGHTS, {name.split(".")[0] for name in weights})
        state |= _of(phase.adds, read_tensors(parent / STATE), 1)
    return network, state


def require_match(parent: Path, tag: str, architecture: Architecture, schema: Schema) -> None:
    """Raises `MismatchError` where a released model cannot become a network for a dataset.

    Args:
        parent: folder of the model, with the schema of its features.
        tag: what it was released as.
        architecture: the network of the last phase; a block that the model lacks may be anything.
        schema: the dataset's.
    """
    own, its = _parameters(architecture), _parameters(read_architecture(parent))
    other = {name: its[name] for name in own if name in its and its[name] != own[name] and name not in _FREE}
    if other:
        told = "; ".join(f"`{name}` is {own[name]}, `{tag}` has {value}" for name, value in other.items())
        settings = " ".join(f"-S {name}={str(value).replace(' ', '')}" for name, value in other.items())
        raise MismatchError(
            f"`{tag}` is another network than `params.yaml` asks for: {told}",
            hint=f"take its values (`{settings}`), or train without it (`-S train.start_from=scratch`)",
        )
    columns = differences(*(_columns(each) for each in (schema, Schema.read(parent / "schema.json"))))
    if columns:
        raise MismatchError(
            f"the dataset does not have the features of `{tag}`: {columns}",
            hint=f"`gogooku3 diff {tag}` shows which parameters of `dataset` differ",
        )


def _parameters(architecture: Architecture) -> dict[str, Any]:
    """What shapes a network, by the names that `params.yaml` gives it; a block that is off has nothing."""
    blocks = {block: values for block, values in asdict(architecture).items() if isinstance(values, dict)}
    shape = {f"model.{block}.{name}": value for block, values in blocks.items() for name, value in values.items()}
    return {"dataset.horizons": architecture.horizons, **shape}


def _columns(schema: Schema) -> dict[str, str]:
    """What the feature ABI knows of each feature."""
    return {column.name: f"{column.dtype}, by {column.scope}" for column in schema.features}


def _of(blocks: Collection[str], tensors: dict[str, Tensor], part: int) -> dict[str, Tensor]:
    """The tensors of some blocks: `graph.gate_H` names its block in part 0, `exp_avg.graph.gate_H` in part 1."""
    return {name: tensor for name, tensor in tensors.items() if name.split(".")[part] in blocks}
