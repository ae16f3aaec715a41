"""Numerics probe: a fixed computation whose hash shows whether this machine gives bitwise the same results as others.

Bitwise reproducibility within a domain (`gogooku3.runtime.numerics`) depends on libraries that can break it: a C
library that rounds differently, an environment variable that limits threads, another build of torch. The probe runs
the network's own blocks, forward, backward and through AdamW, at odd and even sizes, parallel sums over
`numerics.threads` threads, and NumPy reductions. `gogooku3/known_probes.json` contains the expected hash of each known
domain. The package and the history of a phase record the hash of the machine that made them. A new version of the
network or of a library changes the hash: `python benchmarks/probe.py` prints the new rows of the file.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gogooku3.config import model as config
from gogooku3.config.numerics import Numerics
from gogooku3.dataset import cross_section, elementwise
from gogooku3.dataset.schema import EDGE_ATTRIBUTES
from gogooku3.errors import MachineError
from gogooku3.model.activations import elu, glu
from gogooku3.model.network import Architecture, Network
from gogooku3.runtime.numerics import environment, generator, prepare_torch

log = logging.getLogger(__name__)

_SIZES = (1, 7, 16, 1003)
"""Row lengths: less than a vector register, odd, a multiple of it, a multiple plus a remainder."""


def prepare(numerics: Numerics) -> torch.device:
    """`numerics.prepare_torch`, and a warning if the probe of this machine differs from the known one of its domain.

    Raises:
        MachineError: it differs, and `numerics.strict` is set; or as `prepare_torch`.
    """
    device = prepare_torch(numerics)
    message = mismatch(numerics)
    if message is not None and numerics.strict:
        raise MachineError(message, hint="`gogooku3 doctor` shows this machine's processor, libraries and settings")
    if message is not None:
        log.warning("warning: %s", message)
    return device


def current_domain(numerics: Numerics) -> dict[str, Any]:
    """`numerics.environment`, and this machine's probe hash."""
    return environment(numerics) | {"probe": probe(numerics)}


def mismatch(numerics: Numerics) -> str | None:
    """Message if this machine's probe differs from the known one of its domain; None if it does not, or if the domain
    has no known probe."""
    actual, expected = probe(numerics), known_value(numerics)
    if expected is None or actual == expected:
        return None
    return (
        f"this machine's results are not bitwise those of its domain, {environment(numerics)['exact_on']}: the numerics"
        f" probe is {actual}, expected {expected}; training here does not reproduce results of other machines"
    )


def known_value(numerics: Numerics) -> str | None:
    """Expected probe hash of the domain of these parameters on this machine; None if it is not known."""
    wanted = domain_key(numerics)
    rows = json.loads(files("gogooku3").joinpath("known_probes.json").read_text(encoding="utf-8"))
    return next((row["probe"] for row in rows if {name: row[name] for name in wanted} == wanted), None)


def domain_key(numerics: Numerics) -> dict[str, Any]:
    """The columns of `known_probes.json` that identify a domain, with their values for this machine."""
    current = environment(numerics)
    # CPU builds of torch give the same results; GPU builds ship their own CUDA libraries.
    versions = {name: current["versions"][name].partition("+")[0] for name in ("torch", "numpy")}
    if numerics.device == "cuda":
        versions |= {name: current["versions"][name] for name in ("torch", "cuda", "cudnn")}
    return {"exact_on": current["exact_on"], "threads": numerics.threads, "precision": numerics.precision} | versions


@cache
def probe(numerics: Numerics) -> str:
    """The first 16 digits of the SHA-256 over all results of the probe; call `prepare_torch` before."""
    device = torch.device(numerics.device)
    digest = hashlib.sha256()
    with torch.enable_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        for values in (*_arrays(device), *_operations(device), *_steps(device, numerics)):
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]


def _uniform(*shape: int) -> np.ndarray:
    """Numbers in [−1, 1) that depend only on the shape; computed without functions of the C library."""
    return 2.0 * generator("probe", *shape).random(shape) - 1.0


def _arrays(device: torch.device) -> Iterator[np.ndarray]:
    """NumPy operations behind quotes, features and metrics; matrix products only on a CPU, where the processor is part
    of the domain."""
    x_TS = _uniform(261, 37)
    yield np.stack([x_TS.sum(axis=0), x_TS.mean(axis=0), np.cumsum(x_TS, axis=0)[-1]])
    yield np.array([x_TS.sum(), np.sqrt(np.abs(x_TS)).sum()])
    if device.type == "cpu":
        yield x_TS.T @ x_TS
        yield x_TS @ x_TS[0]
    yield np.lib.stride_tricks.sliding_window_view(x_TS, 20, axis=0).sum(axis=-1)
    yield np.stack([cross_section.mean(x_TS), cross_section.std(x_TS)])
    yield elementwise.log(np.abs(x_TS))


def _operations(device: torch.device) -> Iterator[np.ndarray]:
    """Single torch operations and their gradients, and sums that are split among the threads."""
    for size in _SIZES:
        x = torch.from_numpy(_uniform(3, 2 * size).astype(np.float32) * 4).to(device).requires_grad_()
        for result in (elu(x), glu(x), torch.softmax(x, -1), torch.nn.functional.layer_norm(x, x.shape[-1:]), x.tanh()):
            yield _numpy(result)
            yield _numpy(torch.autograd.grad(result.square().sum(), x)[0])
    long = torch.from_numpy(_uniform(1_000_003).astype(np.float32)).to(device)
    wide = long[:1_000_000].view(1000, 1000)
    yield _numpy(torch.stack([long.sum(), long.square().mean(), long.exp().sum()]))
    yield _numpy(wide @ wide[:, :129])
    yield _numpy(wide.sum(0))


def _steps(device: torch.device, numerics: Numerics) -> Iterator[np.ndarray]:
    """Two small networks with all blocks, three training steps each: scores, weights and optimizer moments."""
    for size, features, stocks in ((6, 5, 31), (16, 9, 64)):
        backbone = config.Backbone(window=8, hidden_size=size, heads=2, dropout=0.25)
        blocks = config.AdaptiveNorm(components=2, slice_length=4), config.GraphAttention(heads=2)
        network = Network(Architecture("probe", features, [1, 5], backbone, *blocks), seed=0).to_device(
            device, numerics
        )
        for name, parameter in network.named_parameters():
            if name.endswith(("removed_H", "returned_H", "gate_H")):  # opened: gates at zero would hide their block
                parameter.data.fill_(0.5)
        x_ZSF = _uniform(16, stocks, features).astype(np.float32)
        x_ZSF[x_ZSF > 0.9] = np.nan
        neighbours_DSK = (np.arange(stocks)[:, None] + np.arange(1, 4)) % stocks * np.ones((9, 1, 1), np.int64)
        edges_DSKE = _uniform(9, stocks, 3, len(EDGE_ATTRIBUTES)).astype(np.float32)
        inputs = [torch.from_numpy(each).to(device) for each in (x_ZSF, neighbours_DSK, edges_DSKE)]
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
        for _ in range(3):
            optimizer.zero_grad()
            scores_DSP = network(*inputs)
            scores_DSP.square().mean().backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            yield _numpy(scores_DSP)
        for parameter in network.parameters():
            yield from (_numpy(each) for each in (parameter, *optimizer.state[parameter].values()))


def _numpy(values: Tensor) -> np.ndarray:
    return np.asarray(values.detach().cpu().numpy())
