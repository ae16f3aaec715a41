"""What a device can do at most: `python -m steps.ceilings DEVICE RESULT`.

The rate of one large matrix product in each precision, and that of a large copy, bytes read and written; the best of
several. TF32 is off, as in training.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

_PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}
"""As `numerics.precision` names them."""
_RUNS = 10
_SIZES = {"cuda": (8192, 1 << 30), "cpu": (2048, 1 << 26)}
"""Rows and columns of the matrices, float32 numbers in the copy."""


def synchronised() -> float:
    """The time at which all that was asked for is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def best(work: Callable[[], object]) -> float:
    """Seconds."""
    work()
    taken = []
    for _ in range(_RUNS):
        began = synchronised()
        work()
        taken.append(synchronised() - began)
    return min(taken)


def ceilings(device: str) -> dict[str, float]:
    """Operations a second by precision, and bytes a second."""
    torch.backends.cuda.matmul.allow_tf32 = False
    rows, numbers = _SIZES[device]
    found = {}
    for precision, dtype in _PRECISIONS.items():
        one, other = torch.randn(2, rows, rows, device=device).to(dtype)
        found[precision] = 2 * rows**3 / best(lambda one=one, other=other: torch.mm(one, other))
    source = torch.zeros(numbers, device=device)
    target = torch.empty_like(source)
    found["copy"] = 2 * source.nbytes / best(lambda: target.copy_(source))
    return found


def main(device: str, result: str) -> None:
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    Path(result).write_text(
        json.dumps({"device": name, "torch": torch.__version__, **ceilings(device)}), encoding="utf-8"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
