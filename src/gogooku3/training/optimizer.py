"""AdamW and its state. The state goes from phase to phase with the weights, so that no phase starts cold."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def adamw(network: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019) over all parameters.

    The fused kernel takes the processor's own square root, which rounds the same everywhere; the unfused one takes a
    vector library's, which does not.
    """
    return torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)


def moments(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """A copy of the optimizer's state as named tensors: `exp_avg.<parameter>` and so on; none before its first step."""
    return {
        f"{moment}.{name}": optimizer.state[parameter][moment].detach().clone()
        for name, parameter in network.named_parameters()
        if parameter in optimizer.state
        for moment in _MOMENTS
    }


def restore(optimizer: torch.optim.Optimizer, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Takes up the moments of the parameters that have some; those of new blocks start from nothing."""
    for name, parameter in network.named_parameters():
        if f"step.{name}" in tensors:
            optimizer.state[parameter] = {
                moment: tensors[f"{moment}.{name}"].to(parameter.device, copy=True) for moment in _MOMENTS
            }
