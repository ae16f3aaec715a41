"""What decides the bits of a result beside its inputs: section `numerics` of `params.yaml`."""

from __future__ import annotations

from typing import Literal

from gogooku3.config.section import require, section


@section
class Numerics:
    """Section `numerics`."""

    device: Literal["cpu", "cuda"]
    threads: int
    """Threads of one operation; part of what decides the bits, whatever the number of cores."""
    instruction_set: Literal["native", "avx2", "portable"]
    """`portable`: AVX2 kernels that agree across x86-64 makers; `avx2`: those that agree on one maker's processors;
    `native`: whatever this processor does best."""

    def __post_init__(self) -> None:
        require(1 <= self.threads <= 1024, f"`numerics.threads` is {self.threads}", "use 1 to 1024")
