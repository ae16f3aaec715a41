"""Random numbers of the synthetic market, addressed by what they are for."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream of random numbers is for; a new purpose takes a new number, so that the others stay."""

    UNIVERSE = 1
    SESSION = 2


def generator(seed: int, purpose: Purpose, number: int = 0) -> np.random.Generator:
    """The stream of (seed, purpose, number), the same whatever else was drawn before.

    The three make Philox's key directly, so streams are independent by construction (Salmon et al., 2011,
    "Parallel random numbers: as easy as 1, 2, 3").
    """
    key = np.array([seed % 2**64, purpose * 2**32 + number], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def student(rng: np.random.Generator, freedom: int, size: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Student-t shocks scaled to unit variance; `freedom` above 2."""
    scale: float = ((freedom - 2) / freedom) ** 0.5
    return rng.standard_t(freedom, size) * scale
