"""The predictable part of a synthetic market: four effects that move the next session's return.

Effect k adds to the log return of session t+1

    alpha_k = s_k · D_t · a_k

a_k is its signal, known at the close of session t, of mean 0 and variance 1 across stocks. D_t is the standard
deviation of returns across stocks in session t+1. The signals are uncorrelated with each other and with the
shocks, so the correlation of a_k with the return across stocks is cov(a_k, alpha_k) / D_t = s_k. The alphas are a
part of the return: D² = V + D²·Σ s², V being the variance of the shocks (`shocks.dispersion`), hence
D² = V / (1 − Σ s²).

==========  ===========================================================================================
slow        a = −u, u the volatility state: low volatility is rewarded
reversal    a = −g·e*, e* the session's own shock, clipped at ±3 and scaled back to unit variance
frequency   a = g·√2·sin θ, θ the phase of a cycle whose cosine is in the stock's log volume
neighbours  a = g·√m·(mean overnight own shock of the m other stocks of the cluster that have a bar)
==========  ===========================================================================================

g = σ_i / STOCK with E g² = 1 scales three of them by the stock's volatility, so that calm and wild stocks are
equally predictable. A stock without others in its cluster has no neighbours signal; the promised strength
holds for the stocks that have.
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
"""Sessions over which the oracle sums what it expects; fixed, as quotes do not know the dataset's horizons."""

CLIP = 3.0
CLIPPED_SD = 0.986
"""Standard deviation of the own shock clipped at ±`CLIP`."""
PHASE_DECAY: float = float(np.exp(-(PHASE_NOISE**2) / 2))
"""E cos of one session's phase noise: by this factor the cycle's expectation shrinks in a session."""
_LARGEST_SHARE = 0.5


@dataclass(frozen=True)
class AlphaSignals:
    """The four signals at a session's close; each of mean 0 and variance 1 across stocks."""

    slow_S: Floats
    reversal_S: Floats
    neighbours_S: Floats
    sine_S: Floats
    """g·√2·sin θ, which is the frequency signal itself."""
    cosine_S: Floats
    """g·√2·cos θ, which with the sine tells the signals to come."""


def signals_at_close(
    volatility: VolatilityState, shocks: Shocks, cluster_S: Ints, present_S: npt.NDArray[np.bool_]
) -> AlphaSignals:
    """The signals at the close of the session of `shocks`, after which `volatility` holds."""
    relative_S = volatility.relative
    return AlphaSignals(
        slow_S=-volatility.state_S,
        reversal_S=-relative_S * np.clip(shocks.own_S, -CLIP, CLIP) / CLIPPED_SD,
        neighbours_S=relative_S * _others(shocks.own_overnight_S, cluster_S, present_S),
        sine_S=relative_S * 2**0.5 * np.sin(volatility.phase_S),
        cosine_S=relative_S * 2**0.5 * np.cos(volatility.phase_S),
    )


def _others(shock_S: Floats, cluster_S: Ints, present_S: npt.NDArray[np.bool_]) -> Floats:
    """√m × mean shock of the m present stocks of the same cluster but the stock itself; 0 without any."""
    sum_C = np.bincount(cluster_S, weights=shock_S * present_S)
    count_C = np.bincount(cluster_S, weights=present_S)
    count_S = count_C[cluster_S] - present_S
    sum_S = sum_C[cluster_S] - shock_S * present_S
    return np.where(count_S > 0, sum_S / np.sqrt(np.maximum(count_S, 1.0)), 0.0)


class Expectation:
    """Closed-form expected returns of the stocks of a market, given all that is planted."""

    def __init__(self, planted: Planted, universe: Universe) -> None:
        """Raises `ConfigError` where the effects together would explain more than half of the variance."""
        self._planted, self._universe = planted, universe
        self._explained = sum(explained_variance(planted, universe).values())
        require(
            self._explained <= _LARGEST_SHARE,
            f"the squares of `quotes.planted` sum to {self._explained:.3f}: that share of the returns' variance"
            " would be predictable",
            f"choose strengths whose squares sum to at most {_LARGEST_SHARE}",
        )
        turn_S = PHASE_DECAY * np.exp(2j * np.pi / universe.period_S)
        self._slow_H = np.array([sum(STATE_DECAY**k for k in range(h)) for h in HORIZONS])
        self._cycle_HS = np.stack([sum(turn_S**k for k in range(h)) for h in HORIZONS])

    def of(self, signals: AlphaSignals, volatility: VolatilityState) -> Floats:
        """Expected log return of each stock over each of `HORIZONS`, (H, S); its first row is the next alpha.

        Slow decays by ρ = `STATE_DECAY` a session, Σ_{k<h} ρ^k. The cycle turns by ω and shrinks by δ, so its
        sum is Im(e^{iθ} Σ_{k<h} (δ e^{iω})^k). Reversal and neighbours act in the next session only. D and g
        are taken as they stand at t, which is exact for the next session.
        """
        spread = (dispersion(self._universe, volatility.variance) / (1 - self._explained)) ** 0.5
        next_S = self._planted.reversal * signals.reversal_S + self._planted.neighbours * signals.neighbours_S
        cycle_HS = signals.sine_S * self._cycle_HS.real + signals.cosine_S * self._cycle_HS.imag
        slow_HS = self._slow_H[:, None] * signals.slow_S
        expected_HS: Floats = spread * (next_S + self._planted.frequency * cycle_HS + self._planted.slow * slow_HS)
        return expected_HS


def explained_variance(planted: Planted, universe: Universe) -> dict[str, float]:
    """Share of the variance of returns across stocks that each effect explains.

    That is the square of its strength; of the neighbours', times the share of the stocks that have any.
    """
    accompanied = float((np.bincount(universe.cluster_S)[universe.cluster_S] > 1).mean())
    return {
        "slow": planted.slow**2,
        "reversal": planted.reversal**2,
        "frequency": planted.frequency**2,
        "neighbours": planted.neighbours**2 * accompanied,
    }
