"""Process group of data-parallel training: rank, world size, local shards, and the collectives (all-gather, barrier).

`launch` starts the processes on this machine, `torchrun` on several machines (nodes). The backend is gloo on CPUs and
NCCL on GPUs. A single process is a group of size 1, whose collectives do nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from gogooku3.config.numerics import Numerics
from gogooku3.errors import ConfigError, MachineError, MismatchError
from gogooku3.runtime.numerics import key


@dataclass(frozen=True)
class Group:
    """A process group, as seen from one of its processes."""

    rank: int = 0
    size: int = 1
    """World size."""
    shares: int = 1
    """Shards of each batch (`numerics.shares`), independent of the world size."""
    reduction: str = "fixed"

    @property
    def is_main(self) -> bool:
        """Whether this is the main process (rank 0), which writes files and shows progress."""
        return self.rank == 0

    @property
    def local_shards(self) -> range:
        """The shards that this process computes."""
        count = self.shares // self.size
        return range(self.rank * count, (self.rank + 1) * count)

    def all_gather(self, part: Tensor) -> Tensor:
        """All-gather: the parts of all processes, which have one shape, concatenated along the first axis."""
        if self.size == 1:
            return part
        parts = [torch.empty_like(part) for _ in range(self.size)]
        distributed.all_gather(parts, part)
        return torch.cat(parts)

    def all_max(self, number: int) -> int:
        """All-reduce: the maximum of a number over all processes."""
        if self.size == 1:
            return number
        maximum = torch.tensor(number)
        distributed.all_reduce(maximum, distributed.ReduceOp.MAX)
        return int(maximum)

    def barrier(self) -> None:
        """Waits until all processes have reached this call."""
        self.all_max(0)

    def require_same(self, values: Mapping[str, str]) -> None:
        """Raises `MismatchError` in every process if a value differs between them.

        Args:
            values: the values of this process by name; the names are the same in all processes.
        """
        if self.size == 1:
            return
        own_N = torch.tensor([key(value) for value in values.values()])
        for rank, other_N in enumerate(self.all_gather(own_N.unsqueeze(0))):
            differing = [name for name, same in zip(values, (other_N == own_N).tolist(), strict=True) if not same]
            if differing:
                raise MismatchError(
                    f"training processes {self.rank} and {rank} have different {' and '.join(differing)}",
                    hint="on several machines all processes need one working tree (a shared disk), the same libraries"
                    " and the same model of device",
                )

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Context manager: the main process runs the block first, then the others; all leave it together."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()
        self.barrier()


SINGLE_PROCESS = Group()


@contextmanager
def process_group(numerics: Numerics) -> Iterator[Group]:
    """Context manager: the process group of this run; with several processes, `launch` or `torchrun` started this one.

    Raises:
        ConfigError: `torchrun` started another number of processes than `numerics.processes`.
        MachineError: this machine has fewer GPUs than processes.
    """
    started = int(os.environ["WORLD_SIZE"]) if distributed.is_torchelastic_launched() else 1
    if started != numerics.processes:
        raise ConfigError(
            f"`torchrun` started {started} processes, but `numerics.processes` is {numerics.processes}",
            hint="`--nnodes` times `--nproc-per-node` must be `numerics.processes`; with `reduction: fixed` and the"
            " same `shares` the results do not depend on it",
        )
    if started == 1:
        yield Group(shares=numerics.shares)
        return
    cuda = numerics.device == "cuda"
    if cuda:
        _select_gpu(numerics, int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"]))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    yield Group(int(os.environ["RANK"]), numerics.processes, numerics.shares, numerics.reduction)
    distributed.destroy_process_group()


def _select_gpu(numerics: Numerics, local_rank: int, local_processes: int) -> None:
    """Makes the GPU of this process the current one; ranks on a machine count from 0, as its GPUs do."""
    if (gpus := torch.cuda.device_count()) < local_processes:
        raise MachineError(
            f"this machine runs {local_processes} of the {numerics.processes} processes (`numerics.processes`), but"
            f" torch finds {gpus} GPUs",
            hint="each process needs its own GPU: start them on several machines with `torchrun`, or lower"
            " `numerics.processes`; with `reduction: fixed` and the same `shares` the results stay the same",
        )
    torch.cuda.set_device(local_rank)
