"""What decides the bits of a result beside its inputs: section `numerics` of `params.yaml`."""

from __future__ import annotations

from typing import Literal

from gogooku3.config.section import require, section

Precision = Literal["float32", "bf16"]


@section
class Numerics:
    """Section `numerics`."""

    device: Literal["cpu", "cuda"]
    threads: int
    """Threads of one operation; part of what decides the bits, whatever the number of cores."""
    instruction_set: Literal["native", "avx2", "portable"]
    """`portable`: AVX2 kernels that agree across x86-64 makers; `avx2`: those that agree on one maker's processors;
    `native`: whatever this processor does best."""
    precision: Precision
    """Of the network's matrix products; weights, moments, softmax, statistics and loss are float32 in either."""
    processes: int
    """That train together: on a GPU each has one of its own, on a CPU each has `threads` threads."""
    shares: int
    """Parts of a step, by stock, that are computed one by one; a multiple of `processes`."""
    reduction: Literal["fixed", "fast"]
    """Of the shares' gradients. `fixed`: added up in one order, so that the number of processes decides nothing;
    `fast`: in the order that the processes' links are best at."""
    strict: bool = False
    """Whether a machine that does not compute the bits of its domain is refused, not only warned of; decides no bit."""

    def __post_init__(self) -> None:
        require(1 <= self.threads <= 1024, f"`numerics.threads` is {self.threads}", "use 1 to 1024")
        require(1 <= self.processes <= 1024, f"`numerics.processes` is {self.processes}", "use 1 to 1024")
        require(
            self.shares >= 1 and self.shares % self.processes == 0,
            f"`numerics.shares` is {self.shares}, which {self.processes} processes cannot divide evenly",
            f"take a multiple of `numerics.processes`, such as {self.processes}",
        )
