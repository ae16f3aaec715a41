"""Long-only portfolio of the best k stocks with its excess return over the index, and the spread of best and worst k.

The portfolio is that of qlib's `TopkDropoutStrategy` with `topk` k and `n_drop` k / holding: each session replaces the
worst of the held stocks by the best of the others. Positions are equal weights here, rebalanced each session. It trades
with the delay, costs and prices of `gogooku3.evaluation.portfolio`. The spread is the metric of the JPX Tokyo Stock
Exchange Prediction competition (Kaggle 2022), `calc_spread_return_per_day`, which buys and sells 200 of 2,000 stocks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gogooku3.config.evaluation import Measures
from gogooku3.evaluation.market_state import MarketState
from gogooku3.evaluation.portfolio import position_returns, trade
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.estimate import estimate, mean, number
from gogooku3.metrics.returns import SESSIONS_PER_YEAR, drawdown, sharpe

TOP_WEIGHT = 2.0
"""Weight of the best (and worst) stock in the spread; the k-th has weight 1, and the others lie between linearly."""


def metrics(
    scores_TS: NDArray[np.floating], market_state: MarketState, sessions: NDArray[np.datetime64], params: Measures
) -> dict[str, Any]:
    """For JSON, returns as fractions of capital, None where undefined:

    - `annual_return`, `annual_volatility`, `sharpe`, `max_drawdown` and `turnover` of the long-only portfolio after
      costs;
    - `excess`, of its returns minus the index's: `annual_return` (mean · 252), `annual_volatility`,
      `information_ratio` with its interval, and `max_drawdown` of the sum of these returns, as qlib reports it;
    - `spread`, per session: `mean`, `deviation`, their `ratio` with its interval (not annualised, as in the
      competition), and the `sessions` in which it is defined.
    """
    held = params.portfolio
    portfolio = trade(top_k(scores_TS, held.top_k, held.holding), market_state, sessions, held)
    net_U = portfolio.net_U
    excess_U = net_U - market_state.next_index_return_T[portfolio.rows]
    excess = excess_U[np.isfinite(excess_U)]
    return {
        "annual_return": number(mean(net_U) * SESSIONS_PER_YEAR),
        "annual_volatility": number(_deviation(net_U) * math.sqrt(SESSIONS_PER_YEAR)),
        "sharpe": number(sharpe(net_U)),
        "max_drawdown": number(drawdown(net_U).min(initial=0.0)),
        "turnover": number(mean(portfolio.turnover_U)),
        "excess": {
            "annual_return": number(mean(excess) * SESSIONS_PER_YEAR),
            "annual_volatility": number(_deviation(excess) * math.sqrt(SESSIONS_PER_YEAR)),
            "information_ratio": estimate(sharpe(excess), interval(excess, sharpe, params.bootstrap, horizon=1)),
            "max_drawdown": number(_drawdown_of_sum(excess)),
        },
        "spread": _spread_metrics(scores_TS, market_state, params),
    }


def top_k(scores_TS: NDArray[np.floating], k: int, holding: int) -> Floats:
    """Equal weights of the held stocks, [T, S]: Σw = 1 from the first session with scores on.

    Each session up to ⌈k / holding⌉ held stocks are replaced: those among the worst so many of the held stocks and of
    the best others together. A stock without a score is the worst. Equal scores are in the order of the stocks; a
    session in which all scores are equal changes nothing.
    """
    drop = -(-k // holding)
    ranked_TS = np.argsort(np.where(np.isnan(scores_TS), np.inf, -scores_TS), axis=1, kind="stable")
    scored_TS, informative_T = np.isfinite(scores_TS), _informative(scores_TS)
    held_TS = np.zeros(scores_TS.shape, dtype=bool)
    held_S = np.zeros(scores_TS.shape[1], dtype=bool)
    for t, ranked in enumerate(ranked_TS):
        if informative_T[t]:
            count = int(held_S.sum())
            others = ranked[(scored_TS[t] & ~held_S)[ranked]][: drop + k - count]
            together_S = held_S.copy()
            together_S[others] = True
            worst = ranked[together_S[ranked]][-drop:]
            sold = worst[held_S[worst]]
            held_S[sold] = False
            held_S[others[: len(sold) + k - count]] = True
        held_TS[t] = held_S
    weights_TS: Floats = held_TS / np.maximum(held_TS.sum(axis=1, keepdims=True), 1)
    return weights_TS


def spread_returns(scores_TS: NDArray[np.floating], returns_TS: Floats, k: int) -> Floats:
    """Σ of the weighted returns of the best k stocks minus that of the worst k, over the mean weight, [T].

    The k-th best and the k-th worst have weight 1, the best and the worst `TOP_WEIGHT`. NaN for a session with fewer
    than 2k scores, or with equal scores.
    """
    count_T1 = np.isfinite(scores_TS).sum(axis=1, keepdims=True)
    ranked_TS = np.argsort(np.where(np.isnan(scores_TS), np.inf, -scores_TS), axis=1, kind="stable")
    result_T = np.full(len(scores_TS), np.nan)
    if scores_TS.shape[1] < 2 * k:
        return result_T
    sorted_TS = np.take_along_axis(returns_TS, ranked_TS, axis=1)
    best_TK = sorted_TS[:, :k]
    worst_TK = np.take_along_axis(sorted_TS, np.maximum(count_T1 - 1 - np.arange(k), 0), axis=1)
    weight_K = np.linspace(TOP_WEIGHT, 1.0, k)
    spread_T = ((best_TK - worst_TK) * weight_K).sum(axis=1) / weight_K.mean()
    defined_T = (count_T1[:, 0] >= 2 * k) & _informative(scores_TS)
    return np.where(defined_T, spread_T, result_T)


def _spread_metrics(scores_TS: NDArray[np.floating], market_state: MarketState, params: Measures) -> dict[str, Any]:
    """The scores of a session with the returns `delay` sessions later, to the next close."""
    held, prices = params.portfolio, market_state.prices
    later = slice(held.delay, len(scores_TS))
    known_U = np.isfinite(prices.next_return_TS[later]).any(axis=1)
    returns_US = position_returns(prices, held.delisting_return)[later]
    spread_U = spread_returns(scores_TS[: len(returns_US)], returns_US, held.top_k)
    spread = spread_U[known_U & np.isfinite(spread_U)]
    return {
        "mean": number(mean(spread)),
        "deviation": number(_deviation(spread)),
        "ratio": estimate(_ratio(spread), interval(spread, _ratio, params.bootstrap, horizon=1)),
        "sessions": len(spread),
    }


def _ratio(returns: Floats) -> Floats:
    return sharpe(returns) / math.sqrt(SESSIONS_PER_YEAR)


def _deviation(returns: Floats) -> float:
    return float(returns.std(ddof=1)) if len(returns) > 1 else math.nan


def _drawdown_of_sum(returns: Floats) -> float:
    """Lowest difference of the summed returns from their highest sum, as in qlib's `risk_analysis`."""
    if not len(returns):
        return math.nan
    total = np.cumsum(returns)
    return float((total - np.maximum.accumulate(total)).min())


def _informative(scores_TS: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether a session's scores differ, [T]."""
    highest_T = np.where(np.isnan(scores_TS), -np.inf, scores_TS).max(axis=1, initial=-np.inf)
    lowest_T = np.where(np.isnan(scores_TS), np.inf, scores_TS).min(axis=1, initial=np.inf)
    informative_T: NDArray[np.bool_] = highest_T > lowest_T
    return informative_T
