"""Saves and loads a network: `config.json` (architecture) and `model.safetensors` (weights, sorted by name)."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from gogooku3.errors import DataError, MismatchError
from gogooku3.model.network import Architecture, Network
from gogooku3.runtime.files import replaced_file, write_json

CONFIG = "config.json"
WEIGHTS = "model.safetensors"


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


def save(network: Network, folder: Path) -> None:
    """Writes a network's two files into a folder."""
    write_json(asdict(network.architecture), folder / CONFIG)
    write_tensors(network.state_dict(), folder / WEIGHTS)


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


def load(folder: Path) -> Network:
    """Loads a network in evaluation mode.

    Raises:
        DataError: a file is missing or corrupt.
        MismatchError: the tensors do not match `config.json`.
    """
    network = Network(read_architecture(folder), seed=0)
    fill(network, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
    return network.eval()


def fill(network: Network, tensors: dict[str, Tensor], source: Path, blocks: Collection[str] | None = None) -> None:
    """Copies tensors into a network's named blocks, or into all blocks if None.

    Raises:
        MismatchError: a tensor is missing, unexpected, or has another shape or dtype.
    """
    state = network.state_dict()
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
