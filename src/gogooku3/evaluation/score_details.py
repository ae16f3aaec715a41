"""Statistics of the scores beside IC and RankIC: their information ratio, decay, persistence, quantiles, groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from gogooku3.config.evaluation import Bootstrap, Measures
from gogooku3.evaluation.evaluate import Outcome
from gogooku3.metrics import ranking
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.estimate import estimate, mean, number
from gogooku3.metrics.score_statistics import (
    LAGS,
    decayed_rank_ic,
    fama_macbeth_slopes,
    information_ratio_of_ic,
    monotonicity,
    score_autocorrelation,
)
from gogooku3.metrics.session_mean import session_mean

_TERCILES = ("small", "middle", "large")


def score_details(scores_TSH: Floats, outcome: Outcome, params: Measures) -> dict[str, Any]:
    """Statistics of scores against the targets, for JSON (`gogooku3.metrics.score_statistics`).

    By horizon: `icir` and `rank_icir`, estimates, not annualised; `quantiles` with `means` (lowest scores first, minus
    the session's mean), `monotonicity`, and `spread`, the estimate of top minus bottom; `fama_macbeth` with `slope`,
    `t`, `p` and `sessions`.

    Of the traded horizon's scores: `ic_decay`, by `lag` the estimate of the mean RankIC with the one-session return
    that starts `lag` sessions later, with `sessions`; `score_autocorrelation`; the estimates `rank_ic_by_sector`, with
    the number of `stocks` scored, and `rank_ic_by_size`, terciles of traded value. A group with fewer than
    `ranking.MIN_STOCKS` stocks in every session has no value.
    """
    bootstrap, traded = params.bootstrap, params.portfolio.horizon
    table: dict[str, Any] = {"icir": {}, "rank_icir": {}, "quantiles": {}, "fama_macbeth": {}}
    for place, horizon in enumerate(outcome.horizons):
        scores_TS, targets_TS = scores_TSH[..., place], outcome.target(horizon)
        for name, correlate in (("icir", ranking.ic), ("rank_icir", ranking.rank_ic)):
            table[name][str(horizon)] = _ratio(correlate(scores_TS, targets_TS), bootstrap, horizon)
        returns_TQ = ranking.quantile_returns(scores_TS, targets_TS, params.quantiles)
        means_Q = np.array([mean(series_T) for series_T in returns_TQ.T])
        table["quantiles"][str(horizon)] = {
            "means": [number(value) for value in means_Q],
            "monotonicity": number(monotonicity(means_Q)),
            "spread": _mean(returns_TQ[:, -1] - returns_TQ[:, 0], horizon),
        }
        slopes_T = fama_macbeth_slopes(scores_TS, targets_TS)
        slope = session_mean(slopes_T, horizon)
        table["fama_macbeth"][str(horizon)] = {
            "slope": number(slope.value),
            "t": number(slope.t),
            "p": number(slope.p),
            "sessions": int(np.isfinite(slopes_T).sum()),
        }
    scores_TS = scores_TSH[..., outcome.horizons.index(traded)].astype(np.float64)
    decay = {lag: decayed_rank_ic(scores_TS, outcome.target(1), lag) for lag in LAGS}
    table["ic_decay"] = [
        {"lag": lag, **_mean(series_T, 1), "sessions": int(np.isfinite(series_T).sum())}
        for lag, series_T in decay.items()
    ]
    table["score_autocorrelation"] = _mean(score_autocorrelation(scores_TS), 1)
    table["rank_ic_by_sector"] = _by_sector(scores_TS, outcome, traded)
    table["rank_ic_by_size"] = _by_size(scores_TS, outcome, traded)
    return table


def _by_sector(scores_TS: Floats, outcome: Outcome, horizon: int) -> dict[str, Any]:
    sectors_S, targets_TS = np.asarray(outcome.market_state.sectors), outcome.target(horizon)
    table = {}
    for name in np.unique(sectors_S):
        inside_TM = scores_TS[:, sectors_S == name]
        series_T = ranking.rank_ic(inside_TM, targets_TS[:, sectors_S == name])
        stocks = int(np.isfinite(inside_TM).any(axis=0).sum())
        table[str(name)] = _group(series_T, horizon) | {"stocks": stocks}
    return table


def _by_size(scores_TS: Floats, outcome: Outcome, horizon: int) -> dict[str, Any]:
    targets_TS = outcome.target(horizon)
    tercile_TS = ranking.quantiles_of(outcome.market_state.traded_value_TS, scores_TS, len(_TERCILES))
    groups = {name: np.where(tercile_TS == place, scores_TS, np.nan) for place, name in enumerate(_TERCILES, start=1)}
    return {name: _group(ranking.rank_ic(own_TS, targets_TS), horizon) for name, own_TS in groups.items()}


def _group(series_T: Floats, horizon: int) -> dict[str, Any]:
    return _mean(series_T, horizon) | {"sessions": int(np.isfinite(series_T).sum())}


def _mean(series_T: Floats, horizon: int) -> dict[str, Any]:
    found = session_mean(series_T, horizon)
    return estimate(found.value, found.bounds)


def _ratio(series_T: Floats, bootstrap: Bootstrap, horizon: int) -> dict[str, Any]:
    known = series_T[~np.isnan(series_T)]
    return estimate(information_ratio_of_ic(known), interval(series_T, information_ratio_of_ic, bootstrap, horizon))
