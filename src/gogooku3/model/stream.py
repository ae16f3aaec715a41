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
class Cut:
    """What a block is to hold."""

    first: int
    """Index of its first session."""
    sessions: int
    stocks_S: np.ndarray
    """Indices."""
    with_neighbours: bool


class Stream:
    """The blocks of some cuts, in their order. Within it one thread reads, which ends with it, however that ends."""

    def __init__(self, inputs: PanelOnDevice, cuts: Iterable[Cut]) -> None:
        self._inputs, self._cuts = inputs, iter(cuts)
        self._beside = torch.cuda.Stream(inputs.device) if inputs.device.type == "cuda" else None
        self._reader = ThreadPoolExecutor(1, "blocks")
        self._coming: Future[Block] | None = None

    def __enter__(self) -> Self:
        self._ask()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.shutdown(cancel_futures=True)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Block:
        """The next block. What went wrong when it was read is raised here."""
        if self._coming is None:
            raise StopIteration
        block = self._coming.result()
        if self._beside is not None:
            here = torch.cuda.current_stream(self._inputs.device)
            here.wait_stream(self._beside)
            # Its memory may go to another block only when what was begun here is done with it.
            for tensor in (block.x_ZSF, block.neighbours_DSK, block.edges_DSKE, block.y_DSP):
                tensor.record_stream(here)
        self._ask()
        return block

    def _ask(self) -> None:
        cut = next(self._cuts, None)
        self._coming = None if cut is None else self._reader.submit(self._read, cut)

    def _read(self, cut: Cut) -> Block:
        with torch.cuda.stream(self._beside) if self._beside is not None else nullcontext():
            return self._inputs.block(cut.first, cut.sessions, cut.stocks_S, with_neighbours=cut.with_neighbours)
