"""Baselines at the model's turnover: their scores smoothed by an exponential moving average.

A model whose scores move slowly trades less and pays less. That is not skill: a moving average of any scores does the
same. So a baseline with a higher turnover is compared a second time, smoothed as far as its turnover on validation is
the model's on validation. Only the past enters the average, and test decides nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gogooku3.config.evaluation import Measures
from gogooku3.evaluation.evaluate import Outcome
from gogooku3.evaluation.portfolio import shortable, trade
from gogooku3.evaluation.weights import score_weights
from gogooku3.metrics.smoothing import smooth

_SLOWEST = 0.98
"""Largest decay: a mean age of 49 sessions."""
_STEPS = 12
"""Largest number of backtests in the search for a decay."""
_TOLERANCE = 0.01
"""Relative difference of two turnovers that count as equal."""


def matching_decay(scores_TSH: NDArray[np.floating], turnover: float, outcome: Outcome, params: Measures) -> float:
    """The decay at which the portfolio of smoothed scores has a turnover; 0 if it has no more without smoothing.

    At most `_SLOWEST`. Found by false position with the Illinois rule, to within 1 % of the turnover.

    Args:
        scores_TSH: scores of the baseline on validation.
        turnover: mean turnover per session of the model on validation.
        outcome: targets and market of validation.
        params: the parameters that the model is evaluated with.
    """
    low, high = 0.0, _SLOWEST
    above, below = (_turnover(scores_TSH, decay, outcome, params) - turnover for decay in (low, high))
    if not above > _TOLERANCE * turnover:
        return low
    if not below < -_TOLERANCE * turnover:
        return high
    side = 0
    for _ in range(_STEPS):
        middle = (low * below - high * above) / (below - above)
        excess = _turnover(scores_TSH, middle, outcome, params) - turnover
        if abs(excess) <= _TOLERANCE * turnover:
            return middle
        if excess > 0:
            low, above, below = middle, excess, below / 2 if side == 1 else below
            side = 1
        else:
            high, below, above = middle, excess, above / 2 if side == -1 else above
            side = -1
    return (low + high) / 2


def _turnover(scores_TSH: NDArray[np.floating], decay: float, outcome: Outcome, params: Measures) -> float:
    traded = outcome.horizons.index(params.portfolio.horizon)
    smoothed_TS = smooth(scores_TSH[..., [traded]], decay)[..., 0]
    allowed_TS = shortable(outcome.market_state.prices, params.portfolio)
    wanted_TS = score_weights(smoothed_TS, outcome.market_state.sectors, params.portfolio, allowed_TS)
    return float(trade(wanted_TS, outcome.market_state, outcome.sessions, params.portfolio).turnover_U.mean())
