"""neuralforecast's temporal fusion transformer: `python -m steps.tft_neuralforecast SHAPE RESULT RUNS`.

Runs in an interpreter with the library; does not import this project. The network gets tensors, without data loader:
L sessions of F variables (the target, one known in advance, F − 2 others), one session with the known variable to
decode, nothing static, one number out.
"""

from __future__ import annotations

from importlib.metadata import version

import torch
from neuralforecast.models import TFT

from steps.shape import Shape
from steps.timing import Engine, main


def engine(shape: Shape) -> Engine:
    network = TFT(
        h=1,
        input_size=shape.window,
        futr_exog_list=["known"],
        hist_exog_list=[f"feature_{f}" for f in range(shape.features - 2)],
        hidden_size=shape.hidden,
        n_head=shape.heads,
        dropout=0.1,
    ).train()
    n = shape.piece
    batch = {
        "insample_y": torch.randn(n, shape.window, 1),
        "futr_exog": torch.randn(n, shape.window + 1, 1),
        "hist_exog": torch.randn(n, shape.window, shape.features - 2),
        "stat_exog": None,
    }
    return Engine(network, n, lambda: network(batch), {"neuralforecast": version("neuralforecast")})


if __name__ == "__main__":
    main(engine)
