"""Measurement of training steps, the same for every network; needs PyTorch, does not import this project."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from steps.shape import Result, Shape


@dataclass(frozen=True)
class Engine:
    """A network with a batch or micro-batch."""

    network: nn.Module
    windows: int
    """Windows that `scores` computes."""
    scores: Callable[[], Tensor]
    versions: dict[str, str]


def measured(engine: Engine, runs: int, **others: Callable[[], object]) -> Result:
    """Times the parts of an engine's steps and other functions, interleaved.

    The loss is the mean square of the scores, the optimizer is fused AdamW: both have negligible cost.
    """
    optimizer = torch.optim.AdamW(engine.network.parameters(), lr=1e-4, fused=True)

    def piece() -> None:
        engine.scores().square().mean().backward()

    def update() -> None:
        optimizer.step()
        optimizer.zero_grad()

    parts: dict[str, Callable[[], object]] = {"piece": piece, "update": update, **others}
    growth = memory_growth(piece)
    for name, part in parts.items():
        if name != "piece":
            part()
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(runs):
        for name, part in parts.items():
            began = time.perf_counter()
            part()
            seconds[name].append(time.perf_counter() - began)
    return Result(engine.windows, seconds, growth, {"torch": torch.__version__} | engine.versions)


def memory_growth(work: Callable[[], object]) -> int:
    """Peak growth of this process's resident memory (RSS) during a call, in bytes."""
    process, ended, peak = psutil.Process(), threading.Event(), 0

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.002):
            peak = max(peak, process.memory_info().rss)

    before = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    ended.set()
    watcher.join()
    return max(peak, process.memory_info().rss) - before


def main(make: Callable[[Shape], Engine]) -> None:
    """Entry point of a peer: `python -m steps.NAME SHAPE RESULT RUNS`."""
    shape, result, runs = Shape.parse(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(shape.threads)
    torch.manual_seed(0)
    measured(make(shape), runs).write(result)
