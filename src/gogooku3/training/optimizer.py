"""AdamW and its state. Each phase starts from the weights and the optimizer state of the phase before (warm start)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from gogooku3.config.train import Phase, Recipe

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")
_GATES = frozenset({"gate_H", "removed_H", "returned_H"})
"""Gates that start at zero: nothing behind them learns until they open."""


def adamw(network: nn.Module, phase: Phase, recipe: Recipe, new_blocks: Collection[str]) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019) over the parameters that the phase trains; the others are frozen.

    The parameters are in groups by learning rate and weight decay. Biases, normalisations and gates have no weight
    decay, which would pull them to 0 whatever the data says. The fused kernel uses the processor's square root
    instruction, which rounds the same everywhere; the unfused one calls a vector library's square root, which does not.

    Args:
        new_blocks: the blocks that the phase adds; if there are none, all blocks count as new.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        rate = phase.learning_rate * _multiple(name, phase, recipe, new_blocks)
        parameter.requires_grad_(rate > 0)
        if rate > 0:
            decay = recipe.weight_decay if _decays(name, parameter) else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "rate": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        fused=True,
    )


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Sets the learning rate of each group to a share of its largest one."""
    for group in optimizer.param_groups:
        group["lr"] = group["rate"] * factor


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


def _multiple(name: str, phase: Phase, recipe: Recipe, new_blocks: Collection[str]) -> float:
    block, *_, last = name.split(".")
    older = 1.0 if not new_blocks or block in new_blocks else phase.older
    return older * (recipe.gate_rate if last in _GATES else 1.0)


def _decays(name: str, parameter: Tensor) -> bool:
    return parameter.ndim > 1 and "bias" not in name and ".norm." not in name
