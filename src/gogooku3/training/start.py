"""Initial weights of a phase: from the previous phase, and from a released base model for the blocks that it adds."""

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
"""Network parameters that may differ from the base model's, because they do not affect the shape of the weights."""


def start(
    phase: Phase, architecture: Architecture, seed: int, models: Path, parent: Path | None
) -> tuple[Network, dict[str, Tensor]]:
    """The network before the first step of a phase, and its optimizer moments.

    Blocks of the previous phase keep its weights. Blocks that the phase adds get the base model's weights; without a
    base model, or if it lacks the block, they are initialised from the seed, behind a gate at zero.

    Args:
        models: folder with one subfolder per phase.
        parent: folder with the last phase of a released model (the base model); None to train from scratch.

    Raises:
        DataError: a file is missing or corrupt.
        MismatchError: the tensors do not match the architecture.
    """
    network = Network(architecture, seed)
    state: dict[str, Tensor] = {}
    if phase.previous is not None:
        previous = models / phase.previous
        fill(network, read_tensors(previous / WEIGHTS), previous / WEIGHTS, PHASES[phase.previous].blocks)
        state |= read_tensors(previous / STATE)
    if parent is not None:
        weights = _tensors_of(phase.adds, read_tensors(parent / WEIGHTS), 0)
        fill(network, weights, parent / WEIGHTS, {name.split(".")[0] for name in weights})
        state |= _tensors_of(phase.adds, read_tensors(parent / STATE), 1)
    return network, state


def require_match(parent: Path, tag: str, architecture: Architecture, schema: Schema) -> None:
    """Raises `MismatchError` if training cannot start from a released model: other architecture or other features.

    Args:
        parent: folder of the released model, with its feature schema.
        tag: the release's tag.
        architecture: the network of the last phase; blocks that the released model lacks are not compared.
        schema: schema of the current dataset.
    """
    wanted, released = _parameters(architecture), _parameters(read_architecture(parent))
    different = {
        name: released[name]
        for name in wanted
        if name in released and released[name] != wanted[name] and name not in _FREE
    }
    if different:
        listed = "; ".join(f"`{name}` is {wanted[name]}, `{tag}` has {value}" for name, value in different.items())
        settings = " ".join(f"-S {name}={str(value).replace(' ', '')}" for name, value in different.items())
        raise MismatchError(
            f"the network of `{tag}` differs from the one in `params.yaml`: {listed}",
            hint=f"use its values (`{settings}`), or train from scratch (`-S train.start_from=scratch`)",
        )
    columns = differences(*(_columns(each) for each in (schema, Schema.read(parent / "schema.json"))))
    if columns:
        raise MismatchError(
            f"the dataset does not have the features of `{tag}`: {columns}",
            hint=f"`gogooku3 diff {tag}` shows which parameters of `dataset` differ",
        )


def _parameters(architecture: Architecture) -> dict[str, Any]:
    """The hyperparameters that shape a network, under their `params.yaml` names; none for a block that is off."""
    blocks = {block: values for block, values in asdict(architecture).items() if isinstance(values, dict)}
    shape = {f"model.{block}.{name}": value for block, values in blocks.items() for name, value in values.items()}
    return {"dataset.horizons": architecture.horizons, **shape}


def _columns(schema: Schema) -> dict[str, str]:
    """Type and scope of each feature, as the feature ABI records them."""
    return {column.name: f"{column.dtype}, by {column.scope}" for column in schema.features}


def _tensors_of(blocks: Collection[str], tensors: dict[str, Tensor], part: int) -> dict[str, Tensor]:
    """The tensors of some blocks: in `graph.gate_H` the block is name part 0, in `exp_avg.graph.gate_H` part 1."""
    return {name: tensor for name, tensor in tensors.items() if name.split(".")[part] in blocks}
