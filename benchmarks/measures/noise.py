"""RankIC of noise: scores of some persistence against returns that they say nothing about."""

from __future__ import annotations

import math

import numpy as np

HORIZONS = (1, 5, 10, 20)
_STOCKS = 15


def rank_ics_of_noise(trials: int, sessions: int, persistence: float) -> np.ndarray:
    """[trials, sessions, horizons] correlation of score and forward return over `HORIZONS`.

    Scores are AR(1) by stock with coefficient `persistence` (1: constant), returns are independent. The rank changes no
    autocorrelation of such normal variables, so the plain correlation is taken.
    """
    generator = np.random.default_rng((sessions, round(1000 * persistence)))
    returns = generator.standard_normal((trials, sessions + max(HORIZONS), _STOCKS), np.float32)
    scores = generator.standard_normal((trials, sessions, _STOCKS), np.float32)
    for t in range(1, sessions if persistence else 0):
        scores[:, t] = persistence * scores[:, t - 1] + math.sqrt(1 - persistence**2) * scores[:, t]
    wealth = np.concatenate([np.zeros((trials, 1, _STOCKS), np.float32), np.cumsum(returns, axis=1)], axis=1)
    series = []
    for horizon in HORIZONS:
        forward = wealth[:, horizon : horizon + sessions] - wealth[:, :sessions]
        size = np.sqrt((scores * scores).sum(axis=2) * (forward * forward).sum(axis=2))
        series.append((scores * forward).sum(axis=2) / size)
    return np.stack(series, axis=-1).astype(np.float64)
