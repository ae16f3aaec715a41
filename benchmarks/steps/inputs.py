"""Cost of data loading: reading a block from the panel, relative to the training step.

    python -m steps.pinned INSTRUCTION_SET THREADS steps.inputs SHAPE RESULT RUNS STOCKS FOLDER

The panel is a memory-mapped file in FOLDER, in the page cache as after a first epoch. Each block has other random
sessions and stocks, as in training.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from gogooku3.model.inputs import Block, PanelOnDevice
from gogooku3.panel.panel import Panel
from gogooku3.runtime.numerics import generator
from steps.ours import network_of
from steps.shape import HORIZONS, NEIGHBOURS, Result, Shape
from steps.timing import Engine, measured

_LENGTH = 4
"""Sessions of the panel as a multiple of those of one block."""


def panel_of(shape: Shape, stocks: int, folder: Path) -> Panel:
    """A panel of random values, with memory-mapped features."""
    sessions, random = _LENGTH * (shape.sessions + shape.window), generator("panel")
    file = folder / "x_TSF.npy"
    written_TSF = np.lib.format.open_memmap(file, "w+", np.float32, (sessions, stocks, shape.features))
    for values_SF in written_TSF:
        values_SF[:] = random.standard_normal(values_SF.shape, np.float32)
    neighbours_GSK = random.integers(stocks, size=(1, stocks, NEIGHBOURS), dtype=np.int32)
    return Panel(
        sessions=np.datetime64("2024-01-01") + np.arange(sessions),
        codes=tuple(f"{stock:05}" for stock in range(stocks)),
        features=tuple(f"feature_{index}" for index in range(shape.features)),
        abi="",
        x_TSF=np.load(file, mmap_mode="c"),
        present_TS=np.ones((sessions, stocks), bool),
        y_TSH=random.standard_normal((sessions, stocks, len(HORIZONS)), np.float32),
        horizons=tuple(HORIZONS),
        neighbours_GSK=neighbours_GSK,
        edges_GSKE=np.full((*neighbours_GSK.shape, 3), 0.5, np.float32),
        graph_of_T=np.zeros(sessions, np.int32),
        split={},
    )


def run(shape: Shape, runs: int, stocks: int, folder: Path) -> Result:
    panel = panel_of(shape, stocks, folder)
    inputs = PanelOnDevice(panel, shape.window, torch.device("cpu"))
    network, random = network_of(shape, "baseline"), generator("blocks")

    def cut() -> Block:
        first = int(random.integers(shape.window, len(panel.sessions) - shape.sessions))
        drawn_S = np.sort(random.permutation(stocks)[: shape.stocks])
        return inputs.block(first, shape.sessions, drawn_S, with_neighbours=False)

    block = cut()
    batch = block.x_ZSF, block.neighbours_DSK, block.edges_DSKE
    return measured(Engine(network, shape.windows, lambda: network(*batch), {}), runs, cut=cut)


if __name__ == "__main__":
    shape, result, runs, stocks, folder = sys.argv[1:]
    run(Shape.parse(shape), int(runs), int(stocks), Path(folder)).write(Path(result))
