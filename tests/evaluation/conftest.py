"""Markets of random returns with their market state, and portfolio parameters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from gogooku3.config.evaluation import Bootstrap, Measures, Portfolio
from gogooku3.evaluation.evaluate import Outcome
from gogooku3.evaluation.market_state import MarketState
from gogooku3.evaluation.prices import Prices

HORIZONS = (1, 5)
PORTFOLIO = Portfolio(
    horizon=5,
    delay=1,
    cost_bps=5.0,
    borrow_bps=0.0,
    max_turnover=None,
    max_weight=None,
    sector_neutral=False,
    participation=0.05,
    impact=0.0,
    capital=None,
    delisting_return=0.0,
    short="all",
    top_k=5,
    holding=5,
)
BOOTSTRAP = Bootstrap(draws=200, mean_block=5, seed=0)
PARAMS = Measures(portfolio=PORTFOLIO, quantiles=5, bootstrap=BOOTSTRAP)


def traded_with(params: Measures = PARAMS, **changes: Any) -> Measures:
    return replace(params, portfolio=replace(params.portfolio, **changes))


def sessions_of(count: int) -> np.ndarray:
    return np.busday_offset("2023-05-01", np.arange(count), roll="forward")


def prices_of(close_TS: np.ndarray, delisted: dict[int, int] | None = None) -> Prices:
    """Prices of closes, NaN without a bar; `delisted` maps a stock to the first session after its listing."""
    never = np.iinfo(np.int64).max
    rows_S = np.array([(delisted or {}).get(stock, never) for stock in range(close_TS.shape[1])])
    return Prices.of_closes(close_TS, np.ones(close_TS.shape, bool), rows_S)


def prices_after(returns_TS: np.ndarray) -> Prices:
    """Prices whose returns to the next close are given; NaN: the stock has no bar at the next close."""
    close_TS = np.vstack([np.ones_like(returns_TS[:1]), np.cumprod(1 + np.nan_to_num(returns_TS, posinf=0.0), axis=0)])
    close_TS[1:][np.isnan(returns_TS)] = np.nan
    return prices_of(close_TS).rows(0, len(returns_TS))


def calm(sessions: int, stocks: int, prices: Prices | None = None) -> MarketState:
    """Two sectors, a bar for every stock, a traded value of 1e8 each, an index that rises evenly."""
    close_TS = np.ones((sessions, stocks))
    return MarketState(
        sectors=tuple("AB"[place % 2] for place in range(stocks)),
        close_TS=close_TS,
        traded_value_TS=np.full((sessions, stocks), 1e8),
        next_index_return_T=np.append(np.full(sessions - 1, 0.001), np.nan),
        trend_T=np.full(sessions, 0.06),
        volatility_T=np.full(sessions, 0.01),
        stock_volatility_TS=np.full((sessions, stocks), 0.02),
        prices=prices or prices_of(close_TS),
    )


def forward_returns(returns_TS: np.ndarray, horizons: tuple[int, ...] = HORIZONS) -> np.ndarray:
    """Targets from close-to-close returns; NaN where the horizon reaches past the end."""
    sessions = len(returns_TS)
    targets_TSH = np.full((*returns_TS.shape, len(horizons)), np.nan)
    for i, horizon in enumerate(horizons):
        for t in range(sessions - horizon + 1):
            targets_TSH[t, :, i] = np.prod(1 + returns_TS[t : t + horizon], axis=0) - 1
    targets_TSH[-1] = np.nan
    return targets_TSH


def market(
    seed: int = 0,
    strength: float = 0.0,
    sessions: int = 80,
    stocks: int = 40,
    horizons: tuple[int, ...] = HORIZONS,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and targets of a market whose next-session returns follow the scores with the given correlation."""
    rng = np.random.default_rng(seed)
    signal_TS, rest_TS = rng.standard_normal((2, sessions, stocks))
    returns_TS = 0.01 * (strength * signal_TS + math.sqrt(1 - strength**2) * rest_TS)
    return np.repeat(signal_TS[..., None], len(horizons), axis=2), forward_returns(returns_TS, horizons)


def outcome_of(targets_TSH: np.ndarray, horizons: tuple[int, ...] = HORIZONS) -> Outcome:
    sessions, stocks, _ = targets_TSH.shape
    prices = prices_after(targets_TSH[..., horizons.index(1)].astype(float)) if 1 in horizons else None
    return Outcome(targets_TSH, sessions_of(sessions), horizons, calm(sessions, stocks, prices))
