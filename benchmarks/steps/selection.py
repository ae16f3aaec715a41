"""The fused variable selection against the torch path: `python -m steps.selection DEVICE RESULT`.

At tier 1's size, in each precision: largest errors of value and gradients against float64, repeats with the same bytes,
times of a forward and backward pass. Without CUDA or Triton the result is the reason why nothing was compared.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gogooku3.model import fused_selection
from gogooku3.model.feature_networks import FeatureNetworks
from steps.ceilings import best

FEATURES, ROWS, SIZE = 395, 4800, 64
"""Tier 1: 75 sessions of 64 stocks."""
REPEATS = 20


@contextmanager
def torch_path() -> Iterator[None]:
    """Context manager: the kernels are not used."""
    usable = fused_selection.usable
    fused_selection.usable = lambda *_: False
    try:
        yield
    finally:
        fused_selection.usable = usable


def gradients(networks: FeatureNetworks, input_FM3: Tensor, weight_FM: Tensor, upstream_MH: Tensor) -> list[Tensor]:
    """The value, and the gradients of the selection weights and of all parameters."""
    value_MH = networks(input_FM3, weight_FM)
    return [value_MH.detach(), *torch.autograd.grad(value_MH, (weight_FM, *networks.parameters()), upstream_MH)]


def error(found: list[Tensor], exact: list[Tensor]) -> float:
    """The largest relative error (in the Euclidean norm) of a tensor."""
    return max(float((one - other).norm() / other.norm()) for one, other in zip(found, exact, strict=True))


def compared(device: str) -> dict[str, Any]:
    torch.manual_seed(0)
    networks = FeatureNetworks(FEATURES, SIZE).to(device)
    observed_FM = (torch.rand(FEATURES, ROWS, device=device) > 0.2).float()
    value_FM = torch.randn_like(observed_FM) * observed_FM
    input_FM3 = torch.stack([value_FM, observed_FM, 1 - observed_FM], dim=-1)
    weight_FM = torch.randn_like(observed_FM).softmax(0).requires_grad_()
    upstream_MH = torch.randn(ROWS, SIZE, device=device)
    of = (input_FM3, weight_FM, upstream_MH)
    with torch_path():
        exact = gradients(networks.double(), *(each.double() for each in of))
    networks.float()
    result: dict[str, Any] = {}
    for precision in ("float32", "tf32", "bf16"):
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            first = gradients(networks, *of)
            again = (gradients(networks, *of) for _ in range(REPEATS))
            same = sum(all(map(torch.equal, first, each)) for each in again)
            seconds = best(lambda: gradients(networks, *of))
            with torch_path():
                reference = gradients(networks, *of)
                reference_seconds = best(lambda: gradients(networks, *of))
        result[precision] = {
            "same": same,
            "repeats": REPEATS,
            "fused": {"error": error(first, exact), "seconds": seconds},
            "torch": {"error": error(reference, exact), "seconds": reference_seconds},
        }
    return result


def main(device: str, result: str) -> None:
    found: dict[str, Any]
    if device != "cuda":
        found = {"skipped": "the device is a CPU"}
    elif not fused_selection.has_triton():
        found = {"skipped": "Triton is not installed"}
    else:
        found = {"precisions": compared(device)}
    Path(result).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
