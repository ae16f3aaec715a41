"""Measures training steps of a phase on the device of the parameters: `python -m steps.on_device PHASE STEPS RESULT`.

Runs in a folder with `params.yaml` and `data/dataset`, with the batches, loss, gradient clipping and optimizer of the
pipeline's training. Unlike training, it synchronises the device after each part of a step.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from gogooku3 import config
from gogooku3.runtime import numerics

PARAMS = config.load()
numerics.pin(PARAMS.numerics)

import torch  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from gogooku3.model.inputs import Block, PanelOnDevice  # noqa: E402
from gogooku3.model.network import Network  # noqa: E402
from gogooku3.model.probe import probe  # noqa: E402
from gogooku3.panel.panel import read_panel  # noqa: E402
from gogooku3.training.batches import plan  # noqa: E402
from gogooku3.training.losses import loss  # noqa: E402
from gogooku3.training.optimizer import adamw  # noqa: E402
from gogooku3.training.phases import PHASES  # noqa: E402
from steps.ceilings import synchronised  # noqa: E402
from steps.operations import step as operations_of  # noqa: E402
from steps.shape import Shape  # noqa: E402

_WARM_UP = 3
"""Warm-up steps, not measured."""


class Bytes(TorchDispatchMode):
    """Counts the bytes that operations read and write, without any cache; views count zero."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = {id(leaf): leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        result = function(*args, **(kwargs or {}))
        if not function.is_view:
            outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
            self.total += sum(leaf.nbytes for leaf in (*inputs.values(), *outputs))
        return result


def run(phase: str, steps: int) -> dict[str, Any]:
    device, recipe, model = numerics.prepare_torch(PARAMS.numerics), PARAMS.train.recipe, PARAMS.model
    panel = read_panel(Path("data/dataset"))
    inputs = PanelOnDevice(panel, model.backbone.window, device)
    architecture = PHASES[phase].architecture(panel.abi, len(panel.features), list(panel.horizons), model)
    network = Network(architecture, recipe.seed).to_device(device, PARAMS.numerics).train()
    new_blocks = PHASES[phase].adds if PHASES[phase].previous else ()
    optimizer = adamw(network, getattr(PARAMS.train.phases, phase), recipe, new_blocks)

    def gradient(block: Block) -> None:
        optimizer.zero_grad()
        scores_DSP = network(block.x_ZSF, block.neighbours_DSK, block.edges_DSKE)
        loss(scores_DSP, block.y_DSP, recipe.loss, inputs.panel.horizons).backward()

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip).item()
        optimizer.step()

    seconds: dict[str, list[float]] = {"input": [], "gradient": [], "update": []}
    members, samples = [], []
    for batch in plan(panel, recipe, phase, 0)[: _WARM_UP + steps]:
        times = [synchronised()]
        block = inputs.block(
            batch.first, batch.sessions, batch.stocks_S, with_neighbours=architecture.graph is not None
        )
        times.append(synchronised())
        gradient(block)
        times.append(synchronised())
        update()
        times.append(synchronised())
        for part, began, ended in zip(seconds.values(), times, times[1:], strict=False):
            part.append(ended - began)
        members.append(block.x_ZSF.shape[1])
        samples.append(batch.samples)
    with Bytes() as counter:
        gradient(block)
        update()
    shape = Shape(
        features=len(panel.features),
        window=model.backbone.window,
        sessions=batch.sessions,
        stocks=members[-1],
        hidden=model.backbone.hidden_size,
        heads=model.backbone.heads,
        piece=0,
        threads=PARAMS.numerics.threads,
        product=0,
    )
    return {
        "probe": probe(PARAMS.numerics),
        "precision": PARAMS.numerics.precision,
        "seconds": {part: statistics.median(times_of[_WARM_UP:]) for part, times_of in seconds.items()},
        "samples": statistics.mean(samples[_WARM_UP:]),
        "stocks": statistics.mean(members[_WARM_UP:]),
        "operations": operations_of(shape, phase),
        "bytes": counter.total,
        "peak": torch.cuda.max_memory_allocated() if device.type == "cuda" else 0,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "steps": len(plan(panel, recipe, phase, 0)),
    }


if __name__ == "__main__":
    phase, steps, result = sys.argv[1:]
    Path(result).write_text(json.dumps(run(phase, int(steps))), encoding="utf-8")
