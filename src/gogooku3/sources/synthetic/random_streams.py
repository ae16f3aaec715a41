"""Counter-based random streams of the synthetic market, keyed by seed and purpose."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """Purpose of a random stream; a new purpose needs a new number, so that the other streams do not change."""

    UNIVERSE = 1
    SESSION = 2


def generator(seed: int, purpose: Purpose, number: int = 0) -> np.random.Generator:
    """The random stream of (seed, purpose, number), independent of all earlier draws.

    The three are Philox's key, so streams are independent by construction (Salmon et al., 2011,
    "Parallel random numbers: as easy as 1, 2, 3").
    """
    key = np.array([seed % 2**64, purpose * 2**32 + number], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def student(rng: np.random.Generator, freedom: int, size: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Student-t shocks scaled to unit variance; `freedom` above 2."""
    scale: float = ((freedom - 2) / freedom) ** 0.5
    return rng.standard_t(freedom, size) * scale
