"""Settings that determine the bits of a result (reproducibility): section `numerics` of `params.yaml`."""

from __future__ import annotations

from typing import Literal

from gogooku3.config.section import require, section

Precision = Literal["float32", "tf32", "bf16"]


@section
class Numerics:
    """Section `numerics`."""

    device: Literal["cpu", "cuda"]
    threads: int
    """Threads per operation; determines the bits, independent of the number of cores."""
    instruction_set: Literal["native", "avx2", "portable"]
    """`portable`: AVX2 kernels with the same bits on the x86-64 processors of all makers; `avx2`: kernels with the same
    bits on one maker's processors; `native`: the fastest kernels of this processor."""
    precision: Precision
    """Precision of the network's matrix products; weights, moments, softmax, statistics and loss are always float32.
    `tf32` and `bf16` are for GPUs: the preflight refuses them on a CPU."""
    processes: int
    """World size: training processes. On GPUs each has its own device, on a CPU each has `threads` threads."""
    shares: int
    """Shards of a training step, by stock, computed separately; a multiple of `processes`."""
    reduction: Literal["fixed", "fast"]
    """All-reduce of the shards' gradients. `fixed`: summed in one order, so the result does not depend on the number
    of processes; `fast`: in the order that is fastest for the processes' interconnect."""
    strict: bool = False
    """Whether a machine that does not reproduce the bits of its domain is an error instead of a warning; does not
    change the bits."""

    def __post_init__(self) -> None:
        require(1 <= self.threads <= 1024, f"`numerics.threads` is {self.threads}", "use 1 to 1024")
        require(1 <= self.processes <= 1024, f"`numerics.processes` is {self.processes}", "use 1 to 1024")
        require(
            self.shares >= 1 and self.shares % self.processes == 0,
            f"`numerics.shares` is {self.shares}, which {self.processes} processes cannot divide evenly",
            f"use a multiple of `numerics.processes`, such as {self.processes}",
        )
