"""Short hashes that tell two runs apart where losses do not yet: of all weights, and of a batch."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn

EVERY = 100
"""Steps from one fingerprint to the next; an epoch's first and last step always have one."""

_DIGITS = 16


def due(done: int, steps: int) -> bool:
    """Whether the weights are to be hashed after so many of an epoch's steps."""
    return done % EVERY == 1 or done == steps


def short_hash(content: bytes) -> str:
    """The first 16 digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


@torch.no_grad()
def of_weights(network: nn.Module) -> str:
    """A hash of every bit of the weights.

    Each tensor's bits are added up as integers, each times its odd-numbered place, modulo 2⁶⁴: such a sum is the same
    in whatever order a device adds, a flipped bit changes it, and one number for each tensor leaves the device.
    """
    tensors = sorted(network.state_dict().items())
    sums = torch.stack([_sum(tensor) for _, tensor in tensors]).tolist()
    return short_hash("\0".join(f"{name}\0{total}" for (name, _), total in zip(tensors, sums, strict=True)).encode())


def _sum(tensor: Tensor) -> Tensor:
    bits = tensor.contiguous().reshape(-1).view(torch.int32)
    return (bits * torch.arange(1, 2 * len(bits), 2, device=bits.device)).sum()
