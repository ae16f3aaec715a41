"""Torch's settings of a package inside another program, which has its own back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from gogooku3.config.numerics import Numerics
from gogooku3.recovery.checks.environment import usable
from gogooku3.runtime.numerics import prepare_torch


@contextmanager
def as_packaged(numerics: Numerics) -> Iterator[tuple[torch.device, Numerics]]:
    """Context manager: threads, determinism and precision as the package asks; the device, and the numerics in use.

    The CPU stands in for a CUDA device that this machine lacks. The settings are those of the whole process: other
    threads must not compute meanwhile.

    Raises:
        MachineError: operations do not get the package's number of threads.
    """
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    mkldnn = torch.backends.mkldnn.enabled
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    tf32, reduced = matmul.allow_tf32, matmul.allow_bf16_reduced_precision_reduction
    cudnn_tf32, benchmark = cudnn.allow_tf32, cudnn.benchmark
    try:
        in_use = usable(numerics)
        yield prepare_torch(in_use), in_use
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.backends.mkldnn.enabled = mkldnn
        matmul.allow_tf32, matmul.allow_bf16_reduced_precision_reduction = tf32, reduced
        cudnn.allow_tf32, cudnn.benchmark = cudnn_tf32, benchmark
