"""Peak rates of a device: `python -m steps.ceilings DEVICE RESULT`.

FLOP/s of one large matrix product in each precision, and memory bandwidth (bytes read and written) of a large copy; the
best of several runs. TF32 is on for `tf32` alone, as in training.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

_PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
"""As `numerics.precision` names them."""
_RUNS = 10
_SIZES = {"cuda": (8192, 1 << 30), "cpu": (2048, 1 << 26)}
"""Rows and columns of the matrices, float32 numbers in the copy."""


def synchronised() -> float:
    """The time after all queued GPU work has finished."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def best(work: Callable[[], object]) -> float:
    """Shortest run time in seconds, after a warm-up run."""
    work()
    seconds = []
    for _ in range(_RUNS):
        began = synchronised()
        work()
        seconds.append(synchronised() - began)
    return min(seconds)


def ceilings(device: str) -> dict[str, float]:
    """FLOP/s by precision, and bytes per second of a copy."""
    rows, numbers = _SIZES[device]
    rates = {}
    for precision, dtype in _PRECISIONS.items():
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        left, right = torch.randn(2, rows, rows, device=device).to(dtype)
        rates[precision] = 2 * rows**3 / best(lambda left=left, right=right: torch.mm(left, right))
    source = torch.zeros(numbers, device=device)
    target = torch.empty_like(source)
    rates["copy"] = 2 * source.nbytes / best(lambda: target.copy_(source))
    return rates


def main(device: str, result: str) -> None:
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    Path(result).write_text(
        json.dumps({"device": name, "torch": torch.__version__, **ceilings(device)}), encoding="utf-8"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
