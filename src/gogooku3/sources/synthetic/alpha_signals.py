"""Planted alpha signals: the predictable part of a synthetic market, four effects on the next session's return.

Effect k adds to the log return of session t+1

    alpha_k = s_k · D_t · a_k

a_k is its signal, known at the close of session t, with mean 0 and variance 1 across stocks. D_t is the cross-sectional
standard deviation of returns in session t+1. The signals are uncorrelated with each other and with the shocks, so the
cross-sectional correlation (IC) of a_k with the return is cov(a_k, alpha_k) / D_t = s_k. The alphas are a part of the
return: D² = V + D²·Σ s², where V is the variance of the shocks (`shocks.dispersion`), hence D² = V / (1 − Σ s²).

==========  ===========================================================================================
slow        a = −u, u the volatility state: low-volatility premium
reversal    a = −g·e*, e* the session's idiosyncratic shock, clipped at ±3 and rescaled to unit variance
frequency   a = g·√2·sin θ, θ the phase of a cycle whose cosine is in the stock's log volume
neighbours  a = g·√m·(mean overnight idiosyncratic shock of the m other stocks of the cluster with a bar)
==========  ===========================================================================================

g = σ_i / STOCK with E g² = 1 scales three of them by the stock's volatility, so that stocks of low and high volatility
are equally predictable. A stock without others in its cluster has no neighbours signal; the stated strength is that of
the other stocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gogooku3.config.quotes import Planted
from gogooku3.config.section import require
from gogooku3.sources.synthetic.shocks import PHASE_NOISE, STATE_DECAY, Shocks, VolatilityState, dispersion
from gogooku3.sources.synthetic.universe import Floats, Ints, Universe

HORIZONS = (1, 5, 10, 20)
"""Horizons of the oracle's expected returns, in sessions; fixed, because quotes do not depend on the dataset's."""

CLIP = 3.0
CLIPPED_SD = 0.986
"""Standard deviation of the idiosyncratic shock clipped at ±`CLIP`."""
PHASE_DECAY: float = float(np.exp(-(PHASE_NOISE**2) / 2))
"""E cos of one session's phase noise: the factor by which the cycle's expectation decays per session."""
_MAX_EXPLAINED = 0.5


@dataclass(frozen=True)
class AlphaSignals:
    """The four signals at a session's close; each with mean 0 and variance 1 across stocks."""

    slow_S: Floats
    reversal_S: Floats
    neighbours_S: Floats
    sine_S: Floats
    """g·√2·sin θ: the frequency signal."""
    cosine_S: Floats
    """g·√2·cos θ: with the sine it determines the expected future signals."""


def signals_at_close(
    volatility: VolatilityState, shocks: Shocks, cluster_S: Ints, present_S: npt.NDArray[np.bool_]
) -> AlphaSignals:
    """The signals at the close of the session of `shocks`; `volatility` is the state after it."""
    relative_S = volatility.relative
    return AlphaSignals(
        slow_S=-volatility.state_S,
        reversal_S=-relative_S * np.clip(shocks.own_S, -CLIP, CLIP) / CLIPPED_SD,
        neighbours_S=relative_S * _others(shocks.own_overnight_S, cluster_S, present_S),
        sine_S=relative_S * 2**0.5 * np.sin(volatility.phase_S),
        cosine_S=relative_S * 2**0.5 * np.cos(volatility.phase_S),
    )


def _others(shock_S: Floats, cluster_S: Ints, present_S: npt.NDArray[np.bool_]) -> Floats:
    """√m × mean shock of the m other present stocks of the cluster; 0 if there are none."""
    sum_C = np.bincount(cluster_S, weights=shock_S * present_S)
    count_C = np.bincount(cluster_S, weights=present_S)
    count_S = count_C[cluster_S] - present_S
    sum_S = sum_C[cluster_S] - shock_S * present_S
    return np.where(count_S > 0, sum_S / np.sqrt(np.maximum(count_S, 1.0)), 0.0)


class Expectation:
    """Closed-form expected returns of a market's stocks, given the planted signals."""

    def __init__(self, planted: Planted, universe: Universe) -> None:
        """Raises `ConfigError` if the effects together explain more than half of the variance."""
        self._planted, self._universe = planted, universe
        self._explained = sum(explained_variance(planted, universe).values())
        require(
            self._explained <= _MAX_EXPLAINED,
            f"the squares of `quotes.planted` sum to {self._explained:.3f}: that share of the returns' variance"
            " would be predictable",
            f"choose strengths whose squares sum to at most {_MAX_EXPLAINED}",
        )
        rotation_S = PHASE_DECAY * np.exp(2j * np.pi / universe.period_S)
        self._slow_H = np.array([sum(STATE_DECAY**k for k in range(h)) for h in HORIZONS])
        self._cycle_HS = np.stack([sum(rotation_S**k for k in range(h)) for h in HORIZONS])

    def of(self, signals: AlphaSignals, volatility: VolatilityState) -> Floats:
        """Expected log return of each stock over each of `HORIZONS`, (H, S); the first row is the next session's alpha.

        Slow decays by ρ = `STATE_DECAY` per session, Σ_{k<h} ρ^k. The cycle rotates by ω and decays by δ, so its
        sum is Im(e^{iθ} Σ_{k<h} (δ e^{iω})^k). Reversal and neighbours act in the next session only. D and g
        are those at t, which is exact for the next session.
        """
        spread = (dispersion(self._universe, volatility.variance) / (1 - self._explained)) ** 0.5
        next_S = self._planted.reversal * signals.reversal_S + self._planted.neighbours * signals.neighbours_S
        cycle_HS = signals.sine_S * self._cycle_HS.real + signals.cosine_S * self._cycle_HS.imag
        slow_HS = self._slow_H[:, None] * signals.slow_S
        expected_HS: Floats = spread * (next_S + self._planted.frequency * cycle_HS + self._planted.slow * slow_HS)
        return expected_HS


def explained_variance(planted: Planted, universe: Universe) -> dict[str, float]:
    """Share of the cross-sectional variance of returns that each effect explains.

    It is the square of the effect's strength; for `neighbours`, times the share of stocks with others in the cluster.
    """
    with_neighbours = float((np.bincount(universe.cluster_S)[universe.cluster_S] > 1).mean())
    return {
        "slow": planted.slow**2,
        "reversal": planted.reversal**2,
        "frequency": planted.frequency**2,
        "neighbours": planted.neighbours**2 * with_neighbours,
    }
