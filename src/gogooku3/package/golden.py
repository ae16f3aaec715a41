"""Golden predictions: a few inputs with the exact scores of the packaged model.

A machine that reproduces them bit by bit runs the model that was packaged.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from gogooku3.errors import DataError
from gogooku3.model.ensemble import Model
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.weights import read_tensors, write_tensors
from gogooku3.panel.panel import Panel

INPUTS = Path("golden/inputs.safetensors")
PREDICTIONS = Path("golden/predictions.safetensors")

_SESSIONS = 3
_STOCKS = 4


@torch.no_grad()
def write_golden(model: Model, inputs: PanelOnDevice, folder: Path) -> None:
    """Writes golden inputs (the last sessions of the test split for a few stocks and their neighbours) and scores.

    Both sizes are odd if the stocks allow it: kernels process the remainder of a vector with other code, which is then
    compared too.

    Raises:
        DataError: fewer than `_STOCKS` stocks trade in the last session of the test split.
    """
    last = inputs.panel.split["test"][1]
    trading_S = _trading(inputs.panel, last)
    for count in range(_STOCKS, 2 * _STOCKS):
        block = inputs.block(last - _SESSIONS + 1, _SESSIONS, trading_S[:count], with_neighbours=True)
        if block.x_ZSF.shape[1] % 2:
            break
    tensors = {"x": block.x_ZSF, "neighbours": block.neighbours_DSK, "edges": block.edges_DSKE}
    write_tensors(tensors, folder / INPUTS)
    write_tensors({"scores": model(*tensors.values())}, folder / PREDICTIONS)


@torch.no_grad()
def max_golden_difference(model: Model, folder: Path, device: torch.device) -> float:
    """Largest absolute difference between the golden scores and the model's scores; 0.0 means bitwise identical."""
    tensors = {name: tensor.to(device) for name, tensor in read_tensors(folder / INPUTS).items()}
    expected = read_tensors(folder / PREDICTIONS)["scores"]
    scores = model(tensors["x"], tensors["neighbours"], tensors["edges"]).cpu()
    return 0.0 if torch.equal(scores, expected) else float((scores - expected).abs().max())


def _trading(panel: Panel, session: int) -> np.ndarray:
    stocks_S = np.flatnonzero(panel.present_TS[session])
    if len(stocks_S) < _STOCKS:
        raise DataError(
            f"{len(stocks_S)} stocks trade in the last session, {panel.sessions[session]}; golden predictions need"
            f" {_STOCKS}",
            hint="end the quotes at a session in which the market trades",
        )
    return stocks_S
