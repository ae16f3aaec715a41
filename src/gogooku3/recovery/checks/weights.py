"""The weights of a package: readable, finite, of the shapes that the configuration asks for."""

from __future__ import annotations

import torch

from gogooku3.errors import DataError, MismatchError
from gogooku3.model.network import Network
from gogooku3.model.weights import CONFIG, WEIGHTS, fill
from gogooku3.recovery.subject import FETCH, Subject
from gogooku3.recovery.verdict import Finding


def weights(subject: Subject) -> Finding:
    """`model.safetensors` is a whole safetensors file."""
    values = sum(tensor.numel() for tensor in subject.weights.values())
    return Finding("passed", f"{len(subject.weights)} tensors, {values:,} values")


def finite(subject: Subject) -> Finding:
    """No weight is NaN or infinite."""
    broken = {name: int((~tensor.isfinite()).sum()) for name, tensor in sorted(subject.weights.items())}
    faults = [f"{name} ({count} of {subject.weights[name].numel()})" for name, count in broken.items() if count]
    if faults:
        more = f" and {len(faults) - 5} tensors more" if len(faults) > 5 else ""
        raise DataError(f"values are not finite in {', '.join(faults[:5])}{more}", hint=FETCH)
    return Finding("passed", "every value is finite")


def configuration(subject: Subject) -> Finding:
    """`config.json` describes a network."""
    backbone = subject.architecture.backbone
    return Finding(
        "passed",
        f"hidden size {backbone.hidden_size}, window {backbone.window}, {subject.architecture.features} features,"
        f" horizons {_listed(subject.architecture.horizons)}",
    )


def shapes(subject: Subject) -> Finding:
    """Every tensor that the configuration asks for is there, with its shape and type, and no other."""
    try:
        # A network without memory: a configuration may ask for more of it than there is.
        with torch.device("meta"):
            network = Network(subject.architecture, seed=0)
    except (RuntimeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise MismatchError(f"no network can be built as `{CONFIG}` says: {error}", hint=FETCH) from None
    fill(network, subject.weights, subject.package / WEIGHTS)
    return Finding("passed", f"every tensor as `{CONFIG}` asks")


def _listed(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers)
