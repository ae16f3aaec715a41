"""Process group of data-parallel training: rank, world size, local shards, and the collectives (all-gather, barrier).

`launch` starts the processes as `torchrun` does; the backend is gloo on CPUs and NCCL on GPUs. A single process is a
group of size 1, whose collectives do nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from gogooku3.config.numerics import Numerics
from gogooku3.errors import MachineError


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
    """Context manager: the process group of this run; with several processes, `launch` must have started this one.

    Raises:
        MachineError: there are fewer GPUs than processes.
    """
    if numerics.processes == 1:
        yield Group(shares=numerics.shares)
        return
    rank, cuda = int(os.environ["RANK"]), numerics.device == "cuda"
    if cuda:
        if torch.cuda.device_count() < numerics.processes:
            raise MachineError(
                f"`numerics.processes` is {numerics.processes}, but torch finds {torch.cuda.device_count()} GPUs",
                hint="each process needs its own GPU: lower `numerics.processes`; with `reduction: fixed` and the same"
                " `shares` the results stay the same",
            )
        torch.cuda.set_device(rank)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    yield Group(rank, numerics.processes, numerics.shares, numerics.reduction)
    distributed.destroy_process_group()
