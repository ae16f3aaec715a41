"""A network on disk: `config.json`, what shapes it, and `model.safetensors`, its tensors in sorted order."""

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
    """Writes tensors as one safetensors file; the format itself puts them in one order."""
    with replaced_file(target) as partial:
        partial.write_bytes(serialise({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))


def read_tensors(source: Path) -> dict[str, Tensor]:
    """Reads a safetensors file.

    Raises:
        DataError: it is absent, or not a whole safetensors file.
    """
    try:
        with safe_open(source, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise DataError(f"`{source}` is not there", hint=f"`gogooku3 locate {source}` says who has it") from None
    except SafetensorError as error:
        raise DataError(f"`{source}` is not a whole safetensors file: {error}", hint="fetch or make it anew") from None


def save(network: Network, folder: Path) -> None:
    """Writes a network's two files into a folder."""
    write_json(asdict(network.architecture), folder / CONFIG)
    write_tensors(network.state_dict(), folder / WEIGHTS)


def read_architecture(folder: Path) -> Architecture:
    """Reads and checks `config.json`; raises `DataError` when it is absent or not what it must be."""
    path = folder / CONFIG
    try:
        return TypeAdapter(Architecture).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"`{path}` is not there", hint=f"`gogooku3 locate {path}` says who has it") from None
    except (ValidationError, json.JSONDecodeError) as error:
        raise DataError(f"`{path}` does not describe a network: {error}", hint="fetch or make it anew") from None


def load(folder: Path) -> Network:
    """Reads a network, ready to score.

    Raises:
        DataError: a file is absent or broken.
        MismatchError: the tensors are not those that `config.json` asks for.
    """
    network = Network(read_architecture(folder), seed=0)
    fill(network, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
    return network.eval()


def fill(network: Network, tensors: dict[str, Tensor], source: Path, blocks: Collection[str] | None = None) -> None:
    """Copies tensors into a network: into the named blocks, which is all of them where None.

    Raises:
        MismatchError: a tensor is missing, has no place, or has another shape or type.
    """
    own = network.state_dict()
    wanted = {name: tensor for name, tensor in own.items() if blocks is None or name.split(".")[0] in blocks}
    faults = [f"{name} is missing" for name in sorted(wanted.keys() - tensors.keys())]
    faults += [f"{name} has no place" for name in sorted(tensors.keys() - wanted.keys())]
    faults += [
        f"{name} is {_form(tensors[name])}, the configuration gives {_form(tensor)}"
        for name, tensor in sorted(wanted.items())
        if name in tensors and _form(tensors[name]) != _form(tensor)
    ]
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise MismatchError(
            f"`{source}` does not fit its configuration: {'; '.join(faults[:5])}{more}",
            hint=f"`{CONFIG}` and `{WEIGHTS}` must come from the same run; `gogooku3 verify` names the parameter",
        )
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(tensors[name])


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
