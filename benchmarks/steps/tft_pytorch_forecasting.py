"""pytorch-forecasting's temporal fusion transformer: `python -m steps.tft_pytorch_forecasting SHAPE RESULT RUNS`.

Runs in an interpreter with the library; does not import this project. The network gets tensors, without data loader:
L sessions of F real-valued variables to encode, one session with one known variable to decode, no categories, nothing
static, four numbers out.
"""

from __future__ import annotations

from importlib.metadata import version

import torch
from pytorch_forecasting import TemporalFusionTransformer
from pytorch_forecasting.metrics import QuantileLoss
from torch import Tensor

from steps.shape import HORIZONS, Shape
from steps.timing import Engine, main


def prediction(scaled: dict[str, Tensor]) -> Tensor:
    """Identity output transformation."""
    return scaled["prediction"]


def engine(shape: Shape) -> Engine:
    names = [f"feature_{f}" for f in range(shape.features)]
    network = TemporalFusionTransformer(
        hidden_size=shape.hidden,
        hidden_continuous_size=shape.hidden,
        attention_head_size=shape.heads,
        lstm_layers=1,
        dropout=0.1,
        output_size=len(HORIZONS),
        loss=QuantileLoss([0.2, 0.4, 0.6, 0.8]),
        max_encoder_length=shape.window,
        time_varying_reals_encoder=names,
        time_varying_reals_decoder=names[:1],
        x_reals=names,
        output_transformer=prediction,
    ).train()
    n = shape.piece
    batch = {
        "encoder_cont": torch.randn(n, shape.window, shape.features),
        "decoder_cont": torch.randn(n, 1, shape.features),
        "encoder_cat": torch.empty(n, shape.window, 0, dtype=torch.long),
        "decoder_cat": torch.empty(n, 1, 0, dtype=torch.long),
        "encoder_lengths": torch.full((n,), shape.window),
        "decoder_lengths": torch.ones(n, dtype=torch.long),
        "target_scale": torch.tensor([[0.0, 1.0]]).expand(n, 2),
    }
    name = "pytorch-forecasting"
    return Engine(network, n, lambda: network(batch)["prediction"], {name: version(name)})


if __name__ == "__main__":
    main(engine)
