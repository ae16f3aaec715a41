"""Golden predictions: a few inputs and the scores that the packaged weights gave for them, to the bit.

Where they come out again, on another machine or another day, the model is the one that was packaged.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from gogooku3.errors import DataError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.weights import read_tensors, write_tensors
from gogooku3.panel.panel import Panel

INPUTS = Path("golden/inputs.safetensors")
PREDICTIONS = Path("golden/predictions.safetensors")

_SESSIONS = 3
_STOCKS = 4


@torch.no_grad()
def write_golden(network: Network, inputs: PanelOnDevice, folder: Path) -> None:
    """Writes golden inputs, the last sessions of the test split for a few stocks and their neighbours, and scores.

    Both sizes are odd, where the stocks allow it: kernels give what is left over of their vectors to other code, which
    is to be compared too.

    Raises:
        DataError: fewer stocks than needed trade in the last session of the test split.
    """
    last = inputs.panel.split["test"][1]
    trading_S = _trading(inputs.panel, last)
    for count in range(_STOCKS, 2 * _STOCKS):
        block = inputs.block(last - _SESSIONS + 1, _SESSIONS, trading_S[:count], with_neighbours=True)
        if block.x_ZSF.shape[1] % 2:
            break
    given = {"x": block.x_ZSF, "neighbours": block.neighbours_DSK, "edges": block.edges_DSKE}
    write_tensors(given, folder / INPUTS)
    write_tensors({"scores": network(*given.values())}, folder / PREDICTIONS)


@torch.no_grad()
def max_golden_difference(network: Network, folder: Path, device: torch.device) -> float:
    """Largest absolute difference between the golden scores and what the network gives here: 0.0 means every bit."""
    given = {name: tensor.to(device) for name, tensor in read_tensors(folder / INPUTS).items()}
    promised = read_tensors(folder / PREDICTIONS)["scores"]
    scores = network(given["x"], given["neighbours"], given["edges"]).cpu()
    return 0.0 if torch.equal(scores, promised) else float((scores - promised).abs().max())


def _trading(panel: Panel, session: int) -> np.ndarray:
    stocks_S = np.flatnonzero(panel.present_TS[session])
    if len(stocks_S) < _STOCKS:
        raise DataError(
            f"{len(stocks_S)} stocks trade in the last session, {panel.sessions[session]}; golden predictions need"
            f" {_STOCKS}",
            hint="end the quotes at a session in which the market trades",
        )
    return stocks_S
