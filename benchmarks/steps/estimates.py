"""Estimated time of a counted step on GPUs that were not measured.

An operation takes as long as its bytes or its FLOPs, whichever takes longer, plus the launch of its kernels. A step
takes as long as all its operations on the GPU, or as Python takes to issue them, whichever takes longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steps.costs import Row

BANDWIDTH_SHARE = 0.8
PEAK_SHARES = {"float32": 0.60, "tf32": 0.35, "bf16": 0.30}
"""Shares of the data sheet's rates that such operations reach, by precision."""
LAUNCH_SECONDS = 1.5e-6
"""Of a kernel, on the GPU."""
PYTHON_SECONDS = 9e-6
"""To issue an operation, without CUDA graphs."""


@dataclass(frozen=True)
class Gpu:
    """Rates of a data sheet, dense: bytes per second, and FLOP/s by precision."""

    bandwidth: float
    rates: dict[str, float]


def _gpu(terabytes: float, float32: float, tf32: float, bf16: float) -> Gpu:
    return Gpu(terabytes * 1e12, {"float32": float32 * 1e12, "tf32": tf32 * 1e12, "bf16": bf16 * 1e12})


GPUS = {
    "H200": _gpu(4.8, 67, 495, 989),
    "H100": _gpu(3.35, 67, 495, 989),
    "A100": _gpu(2.04, 19.5, 156, 312),
    "L4": _gpu(0.3, 30.3, 60, 121),
}
"""SXM modules of the first three, the A100 with 80 GB."""


def seconds(rows: Sequence[Row], gpu: Gpu, precision: str) -> float:
    """Seconds of a step.

    Args:
        precision: of the matrix products; with `bf16` those that take bfloat16, the others are float32.
    """
    on_gpu = 0.0
    for row in rows:
        used = precision if precision != "bf16" or row.narrow else "float32"
        compute = row.cost.flops / (gpu.rates[used] * PEAK_SHARES[used])
        memory = (row.cost.read + row.cost.written) / (gpu.bandwidth * BANDWIDTH_SHARE)
        on_gpu += max(compute, memory) + row.cost.launches * LAUNCH_SECONDS
    return max(on_gpu, len(rows) * PYTHON_SECONDS)
