"""Prefetched blocks equal blocks cut on demand; reader errors reach the consumer; no thread is left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from gogooku3.config import Params
from gogooku3.model import inputs as model_inputs
from gogooku3.model.inputs import Block, PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.prefetch import BlockSpec, Prefetcher
from gogooku3.model.scoring import score
from gogooku3.panel.panel import Panel
from gogooku3.runtime.numerics import prepare_torch


@pytest.fixture
def inputs(panel: Panel) -> PanelOnDevice:
    return PanelOnDevice(panel, 8, torch.device("cpu"))


@pytest.fixture
def specs() -> list[BlockSpec]:
    return [
        BlockSpec(first, 3, np.array([0, 6, first % 5 + 1]), with_neighbours=first % 2 == 0)
        for first in range(2, 40, 3)
    ]


def readers() -> Sequence[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("blocks")]


def parts(block: Block) -> tuple[torch.Tensor, ...]:
    return block.x_ZSF, block.neighbours_DSK, block.edges_DSKE, block.y_DSP


def test_blocks_come_in_order_and_are_those_that_are_cut_without_it(
    inputs: PanelOnDevice, specs: list[BlockSpec]
) -> None:
    with Prefetcher(inputs, specs) as blocks:
        found = list(blocks)
    assert len(found) == len(specs)
    for block, spec in zip(found, specs, strict=True):
        alone = inputs.block(spec.first, spec.sessions, spec.stocks_S, with_neighbours=spec.with_neighbours)
        for one, other in zip(parts(block), parts(alone), strict=True):
            assert one.numpy().tobytes() == other.numpy().tobytes()
    assert readers() == []


def test_no_cuts_are_no_blocks(inputs: PanelOnDevice) -> None:
    with Prefetcher(inputs, []) as blocks:
        assert list(blocks) == []


class Watched(PanelOnDevice):
    """Signals when a block is read, and fails at one of them."""

    fails_at = -1
    read: list[int]
    reading: threading.Semaphore

    def block(self, first: int, sessions: int, stocks_S: np.ndarray, *, with_neighbours: bool) -> Block:
        assert threading.current_thread() is not threading.main_thread()
        if first == self.fails_at:
            raise OSError(5, "Input/output error", "x.f32")
        self.read.append(first)
        self.reading.release()
        return super().block(first, sessions, stocks_S, with_neighbours=with_neighbours)


@pytest.fixture
def watched(panel: Panel) -> Watched:
    made = Watched(panel, 8, torch.device("cpu"))
    made.read, made.reading = [], threading.Semaphore(0)
    return made


def test_the_next_block_and_no_more_is_read_before_it_is_asked_for(watched: Watched, specs: list[BlockSpec]) -> None:
    with Prefetcher(watched, specs) as blocks:
        for count in (1, 2, 3):
            next(blocks)
            for _ in range(2 if count == 1 else 1):
                assert watched.reading.acquire(timeout=120)
            assert watched.read == [spec.first for spec in specs[: count + 1]]
        assert not watched.reading.acquire(timeout=0.05)


def test_an_error_of_the_reader_reaches_the_one_who_waits_for_that_block(
    watched: Watched, specs: list[BlockSpec]
) -> None:
    watched.fails_at = specs[2].first
    seen = []
    with pytest.raises(OSError, match=r"Input/output error: 'x.f32'"), Prefetcher(watched, specs) as blocks:
        for block in blocks:
            seen.append(block)
    assert len(seen) == 2
    assert readers() == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_no_thread_outlives_an_exception(
    error: type[BaseException], inputs: PanelOnDevice, specs: list[BlockSpec]
) -> None:
    with pytest.raises(error), Prefetcher(inputs, specs) as blocks:
        next(blocks)
        assert len(readers()) == 1
        raise error
    assert readers() == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_a_gpu_gets_the_same_blocks_and_scores_from_its_own_memory_and_from_disk(
    panel: Panel,
    inputs: PanelOnDevice,
    specs: list[BlockSpec],
    network: Callable[..., Network],
    demo: Params,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    numerics = replace(demo.numerics, device="cuda")
    device = prepare_torch(numerics)
    resident = PanelOnDevice(panel, 8, device)
    before = torch.cuda.memory_allocated(device)
    monkeypatch.setattr(model_inputs, "_SHARE", 0.0)
    streamed = PanelOnDevice(panel, 8, device)
    assert torch.cuda.memory_allocated(device) == before > 0

    def taken(source: PanelOnDevice) -> list[list[bytes]]:
        with Prefetcher(source, specs) as blocks:
            return [[part.cpu().numpy().tobytes() for part in parts(block)] for block in blocks]

    assert taken(resident) == taken(streamed) == taken(inputs)

    scoring = network("finetune", opened=True).to_device(device, numerics)
    from_gpu, from_disk = (score(scoring, source, 0, 59) for source in (resident, streamed))
    assert np.isfinite(from_gpu).any()
    assert from_disk.tobytes() == from_gpu.tobytes()
