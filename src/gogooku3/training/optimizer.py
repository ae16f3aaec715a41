"""AdamW and its state. Each phase starts from the weights and the optimizer state of the phase before (warm start)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def adamw(network: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019) over all parameters.

    The fused kernel uses the processor's square root instruction, which rounds the same everywhere; the unfused one
    calls a vector library's square root, which does not.
    """
    return torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)


def moments(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """A copy of the optimizer state as named tensors: `exp_avg.<parameter>` and so on; empty before the first step."""
    return {
        f"{moment}.{name}": optimizer.state[parameter][moment].detach().clone()
        for name, parameter in network.named_parameters()
        if parameter in optimizer.state
        for moment in _MOMENTS
    }


def restore(optimizer: torch.optim.Optimizer, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Loads the moments of the parameters that have them in `tensors`; those of new blocks start from zero."""
    for name, parameter in network.named_parameters():
        if f"step.{name}" in tensors:
            optimizer.state[parameter] = {
                moment: tensors[f"{moment}.{name}"].to(parameter.device, copy=True) for moment in _MOMENTS
            }
