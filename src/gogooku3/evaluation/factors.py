"""Factor returns made from the bars, and the portfolio's alpha against them.

Size, momentum, reversal and volatility are long-short: the equal-weighted stocks of the top quintile minus those of the
bottom quintile, formed at each close and held to the next, as Fama and French (1993) sort stocks. The bars have no book
value and no number of shares: traded value stands for size, and there is no value factor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gogooku3.config.evaluation import Bootstrap
from gogooku3.dataset.elementwise import divide
from gogooku3.evaluation.market_state import MarketState
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.estimate import estimate, number
from gogooku3.metrics.ranking import quantile_returns
from gogooku3.metrics.regression import least_squares, r_squared

LOOKBACK = 250
"""Sessions before a close that its momentum needs."""

_SKIPPED, _REVERSAL = 20, 5
_QUINTILES = 5


def factor_returns(
    history: MarketState, next_returns_US: NDArray[np.floating], next_index_return_U: Floats
) -> dict[str, Floats]:
    """Returns from each close to the next by factor, [U]; NaN where a factor has too few stocks or too short a history.

    - `market`: the index;
    - `size`: small minus large by traded value, mean of 20 sessions;
    - `momentum`: high minus low return from 250 to 20 sessions before the close (Jegadeesh and Titman, 1993);
    - `reversal`: low minus high return over 5 sessions (Lehmann, 1990);
    - `volatility`: low minus high standard deviation of the returns of 20 sessions (Ang et al., 2006).

    Args:
        history: the U sessions and up to `LOOKBACK` before them.
        next_returns_US: returns of the stocks from each of the U closes to the next.
        next_index_return_U: the same of the index.
    """
    close_TS, sessions = history.close_TS, len(next_returns_US)
    signals = {
        "size": -history.traded_value_TS,
        "momentum": _past_return(close_TS, _SKIPPED, LOOKBACK),
        "reversal": -_past_return(close_TS, 0, _REVERSAL),
        "volatility": -history.stock_volatility_TS,
    }
    traded_US = np.isfinite(close_TS[-sessions:])
    returns = {"market": next_index_return_U}
    for name, signal_TS in signals.items():
        signal_US = np.where(traded_US, signal_TS[-sessions:], np.nan)
        means_UQ = quantile_returns(signal_US, next_returns_US, _QUINTILES)
        returns[name] = means_UQ[:, -1] - means_UQ[:, 0]
    return returns


def attributed(net_U: Floats, returns: dict[str, Floats], bootstrap: Bootstrap, per_year: float) -> dict[str, Any]:
    """The returns as alpha plus exposures to factors: least squares over the sessions in which all are known.

    A factor that is known in less than half of the sessions is left out, its beta None.

    Returns:
        `alpha` (annual, with interval), `betas` by factor, `r_squared`, `sessions`.
    """
    used = [name for name, series_U in returns.items() if np.isfinite(series_U).mean() >= 1 / 2]
    if not used:
        undefined = estimate(np.nan, (np.nan, np.nan))
        return {"alpha": undefined, "betas": dict.fromkeys(returns), "r_squared": None, "sessions": 0}
    table_UK = np.stack([net_U, *(returns[name] for name in used)], axis=1)
    table_UK = table_UK[np.isfinite(table_UK).all(axis=1)]

    def annual_alpha(table_DUK: Floats) -> Floats:
        return least_squares(table_DUK[..., 0], table_DUK[..., 1:])[0] * per_year

    slope_K = least_squares(table_UK[None, :, 0], table_UK[None, :, 1:])[1][0]
    betas = dict(zip(used, slope_K, strict=True))
    return {
        "alpha": estimate(annual_alpha(table_UK[None])[0], interval(table_UK, annual_alpha, bootstrap, horizon=1)),
        "betas": {name: number(betas.get(name, np.nan)) for name in returns},
        "r_squared": number(r_squared(table_UK[:, 0], table_UK[:, 1:])),
        "sessions": len(table_UK),
    }


def _past_return(close_TS: Floats, skipped: int, sessions: int) -> Floats:
    """Return from the close `sessions` ago to the close `skipped` sessions ago."""
    return divide(_shift(close_TS, skipped), _shift(close_TS, sessions)) - 1


def _shift(x_TS: Floats, sessions: int) -> Floats:
    """The values of `sessions` sessions ago; NaN before the first."""
    shifted_TS = np.full(x_TS.shape, np.nan)
    kept = max(len(x_TS) - sessions, 0)
    shifted_TS[sessions:] = x_TS[:kept]
    return shifted_TS
