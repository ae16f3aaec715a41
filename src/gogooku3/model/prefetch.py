"""Blocks of a panel, read ahead: while the network works on one, a thread cuts the next.

A panel that does not fit on a GPU is read from disk meanwhile; blocks come to a GPU from pinned memory, on a stream of
their own beside the computation. They are the same as those that are cut when they are needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import torch

from gogooku3.model.inputs import Block, PanelOnDevice


@dataclass(frozen=True)
class BlockSpec:
    """What a block is to hold."""

    first: int
    """Index of its first session."""
    sessions: int
    stocks_S: np.ndarray
    """Indices."""
    with_neighbours: bool


class Prefetcher:
    """The blocks of some cuts, in their order. Within it one thread reads, which ends with it, however that ends."""

    def __init__(self, inputs: PanelOnDevice, specs: Iterable[BlockSpec]) -> None:
        self._inputs, self._specs = inputs, iter(specs)
        self._copy_stream = torch.cuda.Stream(inputs.device) if inputs.device.type == "cuda" else None
        self._reader = ThreadPoolExecutor(1, "blocks")
        self._next_block: Future[Block] | None = None

    def __enter__(self) -> Self:
        self._submit_next()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.shutdown(cancel_futures=True)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Block:
        """The next block. What went wrong when it was read is raised here."""
        if self._next_block is None:
            raise StopIteration
        block = self._next_block.result()
        if self._copy_stream is not None:
            here = torch.cuda.current_stream(self._inputs.device)
            here.wait_stream(self._copy_stream)
            # Its memory may go to another block only when what was begun here is done with it.
            for tensor in (block.x_ZSF, block.neighbours_DSK, block.edges_DSKE, block.y_DSP):
                tensor.record_stream(here)
        self._submit_next()
        return block

    def _submit_next(self) -> None:
        spec = next(self._specs, None)
        self._next_block = None if spec is None else self._reader.submit(self._read, spec)

    def _read(self, spec: BlockSpec) -> Block:
        with torch.cuda.stream(self._copy_stream) if self._copy_stream is not None else nullcontext():
            return self._inputs.block(spec.first, spec.sessions, spec.stocks_S, with_neighbours=spec.with_neighbours)
