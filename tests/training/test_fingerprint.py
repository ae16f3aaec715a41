"""A fingerprint changes with every bit of the weights, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from gogooku3.model.network import Network
from gogooku3.panel.panel import Panel
from gogooku3.training import fingerprint
from gogooku3.training.batches import Batch


def test_every_bit_of_every_tensor_counts(network: Callable[..., Network]) -> None:
    made = network("finetune")
    seen = {fingerprint.hash_weights(made)}
    for name, tensor in made.state_dict().items():
        for place in {0, tensor.numel() - 1}:
            bits = tensor.view(-1).view(torch.int32)
            for bit in (0, 22, 31):
                bits[place] ^= -(2**31) if bit == 31 else 1 << bit
                changed = fingerprint.hash_weights(made)
                assert changed not in seen, (name, place, bit)
                seen.add(changed)
                bits[place] ^= -(2**31) if bit == 31 else 1 << bit
    assert fingerprint.hash_weights(made) in seen


def test_it_is_the_sum_of_bits_times_odd_places() -> None:
    """Computed with NumPy's integers, which wrap around too."""
    module = nn.Linear(5, 3)
    totals = {}
    for name, tensor in module.state_dict().items():
        bits = tensor.numpy().reshape(-1).view(np.int32).astype(np.int64)
        with np.errstate(over="ignore"):
            totals[name] = int((bits * np.arange(1, 2 * bits.size, 2)).sum())
    expected = fingerprint.short_hash("\0".join(f"{name}\0{totals[name]}" for name in sorted(totals)).encode())
    assert fingerprint.hash_weights(module) == expected


def test_two_weights_that_change_places_are_seen() -> None:
    module = nn.Linear(4, 1, bias=False)
    before = fingerprint.hash_weights(module)
    with torch.no_grad():
        module.weight[0] = module.weight[0, [1, 0, 2, 3]]
    assert fingerprint.hash_weights(module) != before


def test_first_and_last_step_of_an_epoch_and_each_hundredth_are_due() -> None:
    assert [done for done in range(1, 251) if fingerprint.due(done, 250)] == [1, 101, 201, 250]
    assert fingerprint.due(1, 1)


def test_a_batch_is_known_by_its_sessions_and_stocks_not_by_their_places(panel: Panel) -> None:
    batch = Batch(10, 4, np.array([1, 3, 5]))
    moved = replace(panel, sessions=panel.sessions[5:])
    assert batch.fingerprint(panel) == Batch(5, 4, np.array([1, 3, 5])).fingerprint(moved)
    others = [Batch(11, 4, batch.stocks_S), Batch(10, 3, batch.stocks_S), Batch(10, 4, np.array([1, 3, 6]))]
    assert len({each.fingerprint(panel) for each in (batch, *others)}) == 4
