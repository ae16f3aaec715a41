"""Our network: `python -m steps.pinned INSTRUCTION_SET THREADS steps.ours SHAPE RESULT RUNS PHASE [loop]`.

In addition to the step it times, interleaved, the forward and backward pass of the selection block alone, and one large
float32 matrix product as the peak rate.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from gogooku3.config.model import AdaptiveNorm, Backbone, GraphAttention, Model
from gogooku3.model.network import Network
from gogooku3.training.phases import PHASES
from steps.feature_loop import difference, looped
from steps.shape import HORIZONS, NEIGHBOURS, Result, Shape
from steps.timing import Engine, measured


def network_of(shape: Shape, phase: str) -> Network:
    model = Model(
        Backbone(shape.window, shape.hidden, shape.heads, dropout=0.1),
        AdaptiveNorm(components=4, slice_length=10),
        GraphAttention(shape.heads),
    )
    return Network(PHASES[phase].architecture("", shape.features, HORIZONS, model), seed=0).train()


def batch_of(shape: Shape) -> tuple[Tensor, Tensor, Tensor]:
    """Values with 5 % missing, neighbours within the batch, and their edges."""
    x_ZSF = torch.randn(shape.sessions + shape.window - 1, shape.stocks, shape.features)
    x_ZSF[torch.rand(x_ZSF.shape) < 0.05] = torch.nan
    neighbours_DSK = torch.randint(shape.stocks, (shape.sessions, shape.stocks, NEIGHBOURS))
    return x_ZSF, neighbours_DSK, torch.rand(*neighbours_DSK.shape, 3)


def run(shape: Shape, runs: int, phase: str, *, loop: bool) -> Result:
    network, batch = network_of(shape, phase), batch_of(shape)
    if loop:
        difference(network, batch)
        network = looped(network)
    engine = Engine(network, shape.windows, lambda: network(*batch), {"numpy": version("numpy")})
    x_MF = batch[0].flatten(0, 1)
    upstream_MH = torch.randn(len(x_MF), shape.hidden)
    left, right = torch.randn(2, shape.product, shape.product)

    def selection() -> None:
        network.selection(x_MF)[0].backward(upstream_MH)

    return measured(engine, runs, selection=selection, product=lambda: torch.mm(left, right))


if __name__ == "__main__":
    torch.manual_seed(0)
    shape, result, runs, phase, *loop = sys.argv[1:]
    run(Shape.parse(shape), int(runs), phase, loop=bool(loop)).write(Path(result))
