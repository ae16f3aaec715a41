"""Prefetching data loader: while the network computes on one block, a thread reads the next one.

A panel that does not fit into GPU memory is read from disk meanwhile; blocks are copied to a GPU from pinned memory on
a CUDA stream of their own, in parallel with the computation. Prefetching does not change the blocks.
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
    """Sessions and stocks of a block to read."""

    first: int
    """Index of the first session."""
    sessions: int
    stocks_S: np.ndarray
    """Indices of the stocks."""
    with_neighbours: bool


class Prefetcher:
    """Iterator over the blocks of some specs, in order. As a context manager it owns the reader thread, which ends with
    it, also after an error."""

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
        """The next block; an error of the reader thread is raised here."""
        if self._next_block is None:
            raise StopIteration
        block = self._next_block.result()
        if self._copy_stream is not None:
            compute_stream = torch.cuda.current_stream(self._inputs.device)
            compute_stream.wait_stream(self._copy_stream)
            # The allocator may reuse the block's memory only after the work queued on the compute stream.
            for tensor in (block.x_ZSF, block.neighbours_DSK, block.edges_DSKE, block.y_DSP):
                tensor.record_stream(compute_stream)
        self._submit_next()
        return block

    def _submit_next(self) -> None:
        spec = next(self._specs, None)
        self._next_block = None if spec is None else self._reader.submit(self._read, spec)

    def _read(self, spec: BlockSpec) -> Block:
        with torch.cuda.stream(self._copy_stream) if self._copy_stream is not None else nullcontext():
            return self._inputs.block(spec.first, spec.sessions, spec.stocks_S, with_neighbours=spec.with_neighbours)
