"""The processes that train together: whose share of a step is whose, and what passes between them.

`launch` starts them as `torchrun` does; they talk through gloo on CPUs and through NCCL on GPUs. One that trains alone
is a group too, in which nothing passes.
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
    """Seen from one of its processes."""

    rank: int = 0
    size: int = 1
    shares: int = 1
    """Parts of a step, whatever the number of processes."""
    reduction: str = "fixed"

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and is seen."""
        return self.rank == 0

    @property
    def local_shards(self) -> range:
        """The shares that this process computes."""
        count = self.shares // self.size
        return range(self.rank * count, (self.rank + 1) * count)

    def all_gather(self, part: Tensor) -> Tensor:
        """The parts of all processes, of one shape, one behind the other along the first axis."""
        if self.size == 1:
            return part
        parts = [torch.empty_like(part) for _ in range(self.size)]
        distributed.all_gather(parts, part)
        return torch.cat(parts)

    def all_max(self, number: int) -> int:
        """The highest of a number that each process has; each waits for all others."""
        if self.size == 1:
            return number
        among = torch.tensor(number)
        distributed.all_reduce(among, distributed.ReduceOp.MAX)
        return int(among)

    def barrier(self) -> None:
        """Goes on when all others are here."""
        self.all_max(0)

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """What the others do when the first process has done it, and before it does anything else."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()
        self.barrier()


SINGLE_PROCESS = Group()


@contextmanager
def process_group(numerics: Numerics) -> Iterator[Group]:
    """The group that the parameters ask for; with several processes this is one that `launch` started.

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
                f"`numerics.processes` is {numerics.processes}, and torch sees {torch.cuda.device_count()} GPUs here",
                hint="each process needs one of its own: ask for fewer processes; with `reduction: fixed` and the same"
                " `shares` the results stay the same",
            )
        torch.cuda.set_device(rank)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    yield Group(rank, numerics.processes, numerics.shares, numerics.reduction)
    distributed.destroy_process_group()
