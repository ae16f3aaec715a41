"""Short hashes of the weights and of a batch: they show the first step at which two runs differ."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn

EVERY = 100
"""Steps between fingerprints; the first and the last step of an epoch always have one."""

_DIGITS = 16


def due(done: int, steps: int) -> bool:
    """Whether to fingerprint the weights after `done` of an epoch's `steps` steps."""
    return done % EVERY == 1 or done == steps


def short_hash(content: bytes) -> str:
    """The first 16 digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


@torch.no_grad()
def hash_weights(network: nn.Module) -> str:
    """A hash of every bit of the weights.

    The checksum of a tensor is the sum of its 32-bit words as integers, each times an odd weight of its own, modulo
    2⁶⁴: it does not depend on the order in which a device adds, a flipped bit changes it, and only one number per
    tensor leaves the device.
    """
    tensors = sorted(network.state_dict().items())
    sums = torch.stack([_checksum(tensor) for _, tensor in tensors]).tolist()
    return short_hash("\0".join(f"{name}\0{total}" for (name, _), total in zip(tensors, sums, strict=True)).encode())


def _checksum(tensor: Tensor) -> Tensor:
    bits = tensor.contiguous().reshape(-1).view(torch.int32)
    return (bits * torch.arange(1, 2 * len(bits), 2, device=bits.device)).sum()
