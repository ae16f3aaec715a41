"""Checks a package's weights: readable, finite, and with the shapes of its configuration."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict

import torch
from torch import Tensor

from gogooku3 import config, paths
from gogooku3.errors import ConfigError, DataError, MismatchError, abbreviate
from gogooku3.model.network import Architecture
from gogooku3.model.weights import CONFIG, WEIGHTS, empty, fill, first_member
from gogooku3.recovery.checks.package_files import FETCH, PackageFiles
from gogooku3.recovery.checks.verdict import Finding

_PARAMS = str(paths.PARAMS)


def weights(files: PackageFiles) -> Finding:
    """`model.safetensors` is a complete safetensors file."""
    values = sum(tensor.numel() for tensor in files.weights.values())
    return Finding("passed", f"{len(files.weights)} tensors, {values:,} values")


def finite(files: PackageFiles) -> Finding:
    """No weight is NaN or infinite."""
    broken = {name: int((~tensor.isfinite()).sum()) for name, tensor in sorted(files.weights.items())}
    faults = [f"{name} ({count} of {files.weights[name].numel()})" for name, count in broken.items() if count]
    if faults:
        raise DataError(f"values are not finite in {abbreviate(faults)}", hint=FETCH)
    return Finding("passed", "every value is finite")


def configuration(files: PackageFiles) -> Finding:
    """`config.json` describes a network."""
    backbone = files.architecture.backbone
    return Finding(
        "passed",
        f"hidden size {backbone.hidden_size}, window {backbone.window}, {files.architecture.features} features,"
        f" horizons {_listed(files.architecture.horizons)}",
    )


def shapes(files: PackageFiles) -> Finding:
    """The weights have exactly the configuration's tensors, with their shapes and dtypes."""
    try:
        # The meta device allocates no memory: a bad configuration may need more than this machine has.
        with torch.device("meta"):
            model = empty(files.architecture, files.weights)
        fill(model, files.weights, files.package / WEIGHTS)
    except MismatchError as error:
        return _misfit(files, error.message)
    except (RuntimeError, TypeError, ValueError, ZeroDivisionError) as error:
        return _misfit(files, f"no network can be built from `{CONFIG}`: {error}")
    return Finding("passed", f"every tensor as in `{CONFIG}`")


def _misfit(files: PackageFiles, reason: str) -> Finding:
    """Lists the parameters on which configuration and weights disagree, then the mismatch of single tensors."""
    configured, params = _configured(files.architecture), _params(files)
    inferred = _inferred(first_member(files.weights), _optional_blocks(files.architecture))
    details = tuple(
        {"parameter": name, CONFIG: str(value), WEIGHTS: str(inferred[name]), _PARAMS: params.get(name)}
        for name, value in configured.items()
        if name in inferred and inferred[name] != value
    )
    faults = [
        f"`{each['parameter']}` is {each[CONFIG]} in `{CONFIG}`, {each[WEIGHTS]} in the weights"
        + (f", {each[_PARAMS]} in `{_PARAMS}`" if each[_PARAMS] else "")
        for each in details
    ]
    return Finding("failed", "; ".join([*faults, reason]), f"they are from different runs: {FETCH}", details)


def _configured(architecture: Architecture) -> dict[str, int | str]:
    """The configured parameters that determine the shapes of tensors."""
    backbone, norm, graph = architecture.backbone, architecture.adaptive_norm, architecture.graph
    return {
        "features": architecture.features,
        "horizons": len(architecture.horizons),
        "backbone.hidden_size": backbone.hidden_size,
        "backbone.heads": backbone.heads,
        "backbone.window": backbone.window,
        **{name: _switch(on) for name, on in _optional_blocks(architecture).items()},
        **({} if norm is None else {"adaptive_norm.slice_length": norm.slice_length}),
        **({} if graph is None else {"graph.heads": graph.heads}),
    }


def _inferred(tensors: dict[str, Tensor], blocks: Iterable[str]) -> dict[str, int | str]:
    """The same parameters inferred from the tensors' shapes, as far as possible.

    Args:
        blocks: names of the network's optional blocks.
    """

    def size(name: str, axis: int) -> int:
        return tensors[name].shape[axis] if name in tensors and tensors[name].dim() > axis else 0

    hidden, head = size("head.weight", 1), size("temporal.attention.value.weight", 0)
    window, statistics = (size(f"adaptive_norm.{part}.predict.0.weight", 1) for part in ("frequency", "slices"))
    sizes = {
        "features": size("selection.norm.weight", 0),
        "horizons": size("head.weight", 0),
        "backbone.hidden_size": hidden,
        "backbone.heads": hidden // head if head else 0,
        "backbone.window": window,
        "adaptive_norm.slice_length": 2 * window // statistics if statistics else 0,
        "graph.heads": size("graph.attention_aD", 0),
    }
    switches = {name: _switch(any(each.startswith(f"{name}.") for each in tensors)) for name in blocks}
    return {name: value for name, value in sizes.items() if value} | switches


def _optional_blocks(architecture: Architecture) -> dict[str, bool]:
    """The optional blocks of a network, and whether this one has them."""
    blocks = {name: value for name, value in asdict(architecture).items() if value is None or isinstance(value, dict)}
    return {name: value is not None for name, value in blocks.items() if name != "backbone"}


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _params(files: PackageFiles) -> dict[str, str]:
    """The same parameters in section `model` of `params.yaml` next to the lock file; empty if it cannot be read."""
    if files.lock is None:
        return {}
    with suppress(ConfigError):
        params = config.load_released(files.lock.with_name(_PARAMS))
        values = {
            f"{block}.{name}": value for block, part in asdict(params.model).items() for name, value in part.items()
        }
        return {name: str(value) for name, value in (values | {"horizons": len(params.dataset.horizons)}).items()}
    return {}


def _listed(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers)
