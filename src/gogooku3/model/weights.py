"""Saves and loads a model: `config.json` (architecture) and `model.safetensors` (weights, sorted by name).

The names of an ensemble's weights start with the number of the member: `members.0.head.weight`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from gogooku3.errors import DataError, MismatchError
from gogooku3.model.ensemble import Ensemble, Model
from gogooku3.model.network import Architecture, Network
from gogooku3.runtime.files import replaced_file, write_json

CONFIG = "config.json"
WEIGHTS = "model.safetensors"

_FIRST = "members.0."
_MEMBER = re.compile(r"members\.(\d+)\.")


def write_tensors(tensors: dict[str, Tensor], target: Path) -> None:
    """Writes tensors as one safetensors file; the format itself fixes their order."""
    with replaced_file(target) as partial:
        partial.write_bytes(serialise({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))


def read_tensors(source: Path) -> dict[str, Tensor]:
    """Reads a safetensors file.

    Raises:
        DataError: the file is missing or corrupt.
    """
    try:
        with safe_open(source, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise DataError(
            f"`{source}` does not exist", hint=f"`gogooku3 locate {source}` shows where a copy is"
        ) from None
    except SafetensorError as error:
        raise DataError(
            f"`{source}` is not a valid safetensors file: {error}", hint="pull it again, or retrain"
        ) from None


def save(model: Model, folder: Path) -> None:
    """Writes a model's two files into a folder."""
    write_json(asdict(model.architecture), folder / CONFIG)
    write_tensors(model.state_dict(), folder / WEIGHTS)


def read_architecture(folder: Path) -> Architecture:
    """Reads and validates `config.json`; raises `DataError` if it is missing or invalid."""
    path = folder / CONFIG
    try:
        return TypeAdapter(Architecture).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"`{path}` does not exist", hint=f"`gogooku3 locate {path}` shows where a copy is") from None
    except (ValidationError, json.JSONDecodeError) as error:
        raise DataError(
            f"`{path}` is not a valid network configuration: {error}", hint="pull it again, or retrain"
        ) from None


def load(folder: Path) -> Model:
    """Loads a model in evaluation mode.

    Raises:
        DataError: a file is missing or corrupt.
        MismatchError: the tensors do not match `config.json`.
    """
    architecture, tensors = read_architecture(folder), read_tensors(folder / WEIGHTS)
    model = empty(architecture, tensors)
    fill(model, tensors, folder / WEIGHTS)
    return model.eval()


def load_networks(folders: Iterable[Path]) -> list[Network]:
    """Loads the single networks in some folders in evaluation mode; raises as `load`."""
    networks = []
    for folder in folders:
        network = Network(read_architecture(folder), seed=0)
        fill(network, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
        networks.append(network.eval())
    return networks


def empty(architecture: Architecture, tensors: Collection[str]) -> Model:
    """A model with initial weights: an ensemble of as many members as the names of its tensors tell, or one network."""
    members = {int(number[1]) for name in tensors if (number := _MEMBER.match(name))}
    if not members:
        return Network(architecture, seed=0)
    scales_MP = torch.ones(len(members), len(architecture.horizons))
    return Ensemble([Network(architecture, seed=0) for _ in members], scales_MP)


def first_member(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the first member by their names in a network; those of a single network as they are."""
    own = {name: tensor for name, tensor in tensors.items() if name.startswith(_FIRST)}
    return {name.removeprefix(_FIRST): tensor for name, tensor in own.items()} or dict(tensors)


def fill(model: Model, tensors: dict[str, Tensor], source: Path, blocks: Collection[str] | None = None) -> None:
    """Copies tensors into a network's named blocks, or into a whole model if None.

    Raises:
        MismatchError: a tensor is missing, unexpected, or has another shape or dtype.
    """
    state = model.state_dict()
    wanted = {name: tensor for name, tensor in state.items() if blocks is None or name.split(".")[0] in blocks}
    problems = [f"{name} is missing" for name in sorted(wanted.keys() - tensors.keys())]
    problems += [f"{name} is unexpected" for name in sorted(tensors.keys() - wanted.keys())]
    problems += [
        f"{name} is {_dtype_and_shape(tensors[name])}, the configuration gives {_dtype_and_shape(tensor)}"
        for name, tensor in sorted(wanted.items())
        if name in tensors and _dtype_and_shape(tensors[name]) != _dtype_and_shape(tensor)
    ]
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise MismatchError(
            f"`{source}` does not match its configuration: {'; '.join(problems[:5])}{more}",
            hint=f"`{CONFIG}` and `{WEIGHTS}` must come from the same run; `gogooku3 verify` names the parameter",
        )
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(tensors[name])


def _dtype_and_shape(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
