"""Evaluates scores against targets: RankIC, Sharpe ratio, turnover, costs, exposures, and the series behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gogooku3.config import evaluation as config
from gogooku3.errors import ConfigError, DataError
from gogooku3.evaluation import breakdown, checks, exposure, long_only
from gogooku3.evaluation.market_state import MarketState
from gogooku3.evaluation.portfolio import Portfolio, break_even_bps, capacity, shortable, trade
from gogooku3.evaluation.prices import with_delisted
from gogooku3.evaluation.weights import score_weights
from gogooku3.metrics import ranking
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.estimate import estimate, mean, number
from gogooku3.metrics.paired_difference import mean_over_horizons
from gogooku3.metrics.returns import SESSIONS_PER_YEAR, cumulative, drawdown, sharpe
from gogooku3.metrics.session_mean import session_mean
from gogooku3.metrics.sharpe_significance import TrackRecord

MIN_SESSIONS = 20
"""Minimum number of sessions with portfolio returns; `evaluate` refuses fewer."""


@dataclass(frozen=True)
class Outcome:
    """Realised targets (forward returns) and market state: T sessions, S stocks, H horizons."""

    targets_TSH: NDArray[np.floating]
    """Simple returns from each close over each horizon, NaN where unknown."""
    sessions: NDArray[np.datetime64]
    """[T] dates, ascending."""
    horizons: Sequence[int]
    """Horizon in sessions of each of the H targets; includes 1."""
    market_state: MarketState
    """Market state of the same sessions and stocks."""

    def target(self, horizon: int) -> NDArray[np.floating]:
        """[T, S] targets of one horizon."""
        return self.targets_TSH[..., self.horizons.index(horizon)]


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation; an undefined number is None in `metrics` and NaN in the frames."""

    metrics: dict[str, Any]
    """For JSON; returns are fractions of capital:

    - `sessions`, `from`, `to`: the sessions at whose close the portfolio rebalances;
    - `sharpe`: `value` annualised after transaction costs, `low` and `high` of its 95 % interval, `probabilistic`
      (probability that the true ratio is above 0), `min_track_record` (sessions needed for a probability of 95 %),
      `trials_survived` (the largest number of trials, differing by chance alone, of which it could be the best and
      still have a deflated Sharpe ratio of 95 %), `skewness` and `kurtosis` of the returns;
    - `annual_return` (252 times the mean, after costs; divided by `annual_volatility` it is the Sharpe
      ratio), `max_drawdown` (0 or less), `turnover` (mean per session), `cost`, `impact` and `borrow` (annual),
      `break_even_bps` (transaction cost at which the return would be 0);
    - `capacity`: capital, in the currency of the quotes, at which trades are on average a share of `participation` of
      the traded value of their stocks;
    - `flat_sessions` without a position; `unpriced_positions`, held over a close without a price; `waiting_trades` of
      stocks that could not be traded at a close; `delisted_positions`, paid out by `delisting_return`;
    - `hit_rate` of the traded horizon;
    - `rank_ic` and `ic` by horizon: `value` (mean over sessions), `low`, `high`, `t`, its two-sided `p`-value,
      `positive_share`, and the `sessions` in which it is defined; `mean_rank_ic`: the mean over the horizons;
    - `rank_ic_with_delisted` by horizon: the `value` that includes the targets, `delisted` in number, of stocks that
      were delisted before the horizon;
    - `exposure`: to the `market` (`beta`, `correlation`, annual `alpha`), by `sector` (mean net weight), to `size`;
    - `years` and `regimes`: `sessions`, `sharpe`, `annual_return`, `turnover` and `rank_ic` of the traded horizon;
    - `long_only`: the best k stocks against the index, and the spread of best and worst k (`long_only.metrics`);
    - `universe`: `stocks` with a bar, and how many of them `joined` after the first session (listings) or `left`
      before the last (delistings);
    - `members`, added for an ensemble: `sharpe`, `mean_rank_ic` and `rank_ic` of each member, with its `seed`;
    - `oracle`, if one is given: its `rank_ic` by horizon over the same stocks, and the `fraction` of it
      that the scores reach;
    - `plausibility`, added for a model: its findings (`gogooku3.evaluation.plausibility.Finding`); a release without
      the key was not checked.
    """
    sessions: pl.DataFrame
    """The series that the metrics average: `Date`, `gross`, `net`, `turnover`, `cumulative_net`, `drawdown` of the
    portfolio held from that session's close to the next, and for each horizon `rank_ic_<h>`, `ic_<h>`."""
    quantiles: pl.DataFrame
    """`horizon`, `quantile` (1: lowest scores), `mean_return` over the horizon minus the session's mean."""
    portfolio: Portfolio
    """The backtest behind the metrics."""


def evaluate(
    scores_TSH: NDArray[np.floating],
    outcome: Outcome,
    params: config.Measures,
    oracle_TSH: NDArray[np.floating] | None = None,
) -> Evaluation:
    """Evaluates scores against realised forward returns.

    Args:
        scores_TSH: scores by session, stock and horizon, known at the session's close; NaN where missing.
        outcome: targets and market state of the same sessions, stocks and horizons.
        params: section `evaluation`.
        oracle_TSH: expected returns from the alpha signals of a synthetic market, in the layout of the scores.

    Raises:
        ConfigError: horizon 1 or the traded horizon is not among the horizons.
        DataError: values are infinite, sessions are not ascending, two have the same next returns, none has
            `metrics.MIN_STOCKS` stocks with score and target, or the portfolio has fewer than `MIN_SESSIONS` sessions.
    """
    traded = params.portfolio.horizon
    _check_horizons(outcome.horizons, traded)
    checks.require_finite(scores_TSH, outcome.targets_TSH)
    checks.require_ascending_sessions(outcome.sessions)
    checks.require_distinct_returns(outcome.sessions, outcome.target(1))
    scores = {horizon: scores_TSH[..., index] for index, horizon in enumerate(outcome.horizons)}
    _check_stocks(scores[traded], outcome.target(traded), traded)
    allowed_TS = shortable(outcome.market_state.prices, params.portfolio)
    wanted_TS = score_weights(scores[traded], outcome.market_state.sectors, params.portfolio, allowed_TS)
    portfolio = trade(wanted_TS, outcome.market_state, outcome.sessions, params.portfolio)
    _check_length(portfolio, params.portfolio.delay)
    rank_ics = {h: ranking.rank_ic(scores_TS, outcome.target(h)) for h, scores_TS in scores.items()}
    ics = {h: ranking.ic(scores_TS, outcome.target(h)) for h, scores_TS in scores.items()}
    table = portfolio_metrics(portfolio, outcome, params) | {
        "hit_rate": number(mean(ranking.hit_rate(scores[traded], outcome.target(traded)))),
        "rank_ic": {str(h): _mean_metrics(series_T, h) for h, series_T in rank_ics.items()},
        "ic": {str(h): _mean_metrics(series_T, h) for h, series_T in ics.items()},
        "mean_rank_ic": mean_over_horizons(np.stack(list(rank_ics.values()), axis=1), outcome.horizons),
        "rank_ic_with_delisted": _with_delisted(scores, rank_ics, outcome, params),
        **_breakdown(portfolio, rank_ics[traded], outcome),
        "long_only": long_only.metrics(scores[traded], outcome.market_state, outcome.sessions, params),
        "universe": _universe(outcome.market_state),
    }
    if oracle_TSH is not None:
        scored_TSH = np.where(np.isfinite(scores_TSH), oracle_TSH, np.nan)
        oracle = {
            h: mean(ranking.rank_ic(scored_TSH[..., i], outcome.target(h))) for i, h in enumerate(outcome.horizons)
        }
        table["oracle"] = _oracle_metrics(oracle, {h: mean(series_T) for h, series_T in rank_ics.items()})
    series = {f"rank_ic_{h}": series_T for h, series_T in rank_ics.items()}
    series |= {f"ic_{h}": series_T for h, series_T in ics.items()}
    return Evaluation(
        metrics=table,
        sessions=portfolio_sessions(portfolio, outcome).with_columns(**series),
        quantiles=_quantiles_frame(scores, outcome, params.quantiles),
        portfolio=portfolio,
    )


def portfolio_metrics(portfolio: Portfolio, outcome: Outcome, params: config.Measures) -> dict[str, Any]:
    """The part of `Evaluation.metrics` that does not depend on scores and exists for any portfolio."""
    net_U, dates_U = portfolio.net_U, outcome.sessions[portfolio.rows]
    record = TrackRecord.of(net_U)
    return {
        "sessions": len(net_U),
        "from": str(dates_U[0]),
        "to": str(dates_U[-1]),
        "sharpe": {
            **estimate(sharpe(net_U), interval(net_U, sharpe, params.bootstrap, horizon=1)),
            "probabilistic": number(record.probabilistic()),
            "min_track_record": number(record.minimum_length()),
            "trials_survived": record.trials_survived,
            "skewness": number(record.skewness),
            "kurtosis": number(record.kurtosis),
        },
        "annual_return": number(net_U.mean() * SESSIONS_PER_YEAR),
        "annual_volatility": number(net_U.std(ddof=1) * math.sqrt(SESSIONS_PER_YEAR)),
        "max_drawdown": number(drawdown(net_U).min()),
        "turnover": number(portfolio.turnover_U.mean()),
        "cost": number(portfolio.cost_U.mean() * SESSIONS_PER_YEAR),
        "impact": number(portfolio.impact_U.mean() * SESSIONS_PER_YEAR),
        "borrow": number(portfolio.borrow_U.mean() * SESSIONS_PER_YEAR),
        "break_even_bps": number(break_even_bps(portfolio)),
        "capacity": number(
            capacity(portfolio, outcome.market_state.traded_value_TS[portfolio.rows], params.portfolio.participation)
        ),
        "flat_sessions": int(portfolio.flat_U.sum()),
        "unpriced_positions": int(portfolio.unpriced_U.sum()),
        "waiting_trades": int(portfolio.waiting_U.sum()),
        "delisted_positions": int(portfolio.delisted_U.sum()),
    }


def portfolio_sessions(portfolio: Portfolio, outcome: Outcome) -> pl.DataFrame:
    """The portfolio's columns of `Evaluation.sessions`; NaN in sessions without a rebalance."""

    def to_all_sessions(series_U: Floats) -> Floats:
        series_T = np.full(len(outcome.sessions), np.nan)
        series_T[portfolio.rows] = series_U
        return series_T

    series = {
        "gross": portfolio.gross_U,
        "net": portfolio.net_U,
        "turnover": portfolio.turnover_U,
        "cumulative_net": cumulative(portfolio.net_U),
        "drawdown": drawdown(portfolio.net_U),
    }
    dates = pl.Series(outcome.sessions.astype("datetime64[D]"))
    return pl.DataFrame({"Date": dates} | {name: to_all_sessions(series_U) for name, series_U in series.items()})


def _check_horizons(horizons: Sequence[int], traded: int) -> None:
    for needed, reason in (
        (1, "the portfolio earns returns of one session"),
        (traded, "the portfolio trades its scores"),
    ):
        if needed not in horizons:
            raise ConfigError(
                f"horizon {needed} is not among `dataset.horizons` {list(horizons)}; {reason}",
                hint=f"add {needed} to `dataset.horizons`",
            )


def _check_stocks(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating], horizon: int) -> None:
    if not ranking.populated_sessions(scores_TS, targets_TS):
        raise DataError(
            f"none of {len(scores_TS)} sessions has {ranking.MIN_STOCKS} stocks with a score and a target"
            f" of horizon {horizon}",
            hint="evaluate a longer period (`dataset.split.test_from`) or more stocks",
        )


def _check_length(portfolio: Portfolio, delay: int) -> None:
    sessions = len(portfolio.net_U)
    if sessions < MIN_SESSIONS:
        raise DataError(
            f"the portfolio has returns in {sessions} sessions, {MIN_SESSIONS} are needed;"
            f" it starts {delay} sessions after the first score",
            hint="measure a longer period (`dataset.split`; for a walk-forward `evaluation.walk_forward.test` and"
            " `folds`), or lower `evaluation.portfolio.delay`",
        )


def _mean_metrics(series_T: Floats, horizon: int) -> dict[str, Any]:
    defined = series_T[~np.isnan(series_T)]
    average = session_mean(series_T, horizon)
    return {
        **estimate(average.value, average.bounds),
        "t": number(average.t),
        "p": number(average.p),
        "positive_share": number(mean((defined > 0).astype(np.float64))),
        "sessions": len(defined),
    }


def _with_delisted(
    scores: dict[int, NDArray[np.floating]],
    rank_ics: dict[int, Floats],
    outcome: Outcome,
    params: config.Measures,
) -> dict[str, Any]:
    """`rank_ic_with_delisted`; only sessions with further targets are ranked again."""
    targets_TSH, delisted_H = with_delisted(
        outcome.targets_TSH, outcome.horizons, outcome.market_state.prices, params.portfolio.delisting_return
    )
    table = {}
    for index, (h, scores_TS) in enumerate(scores.items()):
        targets_TS, rank_ic_T = targets_TSH[..., index], rank_ics[h].copy()
        more_T = (np.isfinite(targets_TS) & ~np.isfinite(outcome.target(h))).any(axis=1)
        rank_ic_T[more_T] = ranking.rank_ic(scores_TS[more_T], targets_TS[more_T])
        table[str(h)] = {"value": number(mean(rank_ic_T)), "delisted": int(delisted_H[index])}
    return table


def _breakdown(portfolio: Portfolio, rank_ic_T: Floats, outcome: Outcome) -> dict[str, Any]:
    """Exposures, years and regimes."""
    market_state_U = outcome.market_state.rows(portfolio.rows.start, portfolio.rows.stop)
    beta, correlation, alpha = exposure.market(portfolio.net_U, market_state_U.next_index_return_T)
    # The positions of a close come from scores that are `delay` sessions old, and are paired with their RankIC.
    rank_ic_U = rank_ic_T[: portfolio.rows.stop - portfolio.rows.start]
    return {
        "exposure": {
            "market": {"beta": number(beta), "correlation": number(correlation), "alpha": number(alpha)},
            "size": number(exposure.size(portfolio, market_state_U)),
            "sector": exposure.sectors(portfolio, market_state_U),
        },
        "years": breakdown.years(portfolio, rank_ic_U, outcome.sessions[portfolio.rows]),
        "regimes": breakdown.regimes(portfolio, rank_ic_U, market_state_U),
    }


def _universe(market_state: MarketState) -> dict[str, int]:
    present_TS = np.isfinite(market_state.close_TS)
    present_TS = present_TS[:, present_TS.any(axis=0)]
    first_S, last_S = present_TS.argmax(axis=0), present_TS[::-1].argmax(axis=0)
    return {
        "stocks": present_TS.shape[1],
        "joined": int((first_S > 0).sum()),
        "left": int((last_S > 0).sum()),
    }


def _oracle_metrics(oracle: dict[int, float], reached: dict[int, float]) -> dict[str, Any]:
    fractions = {h: reached[h] / ceiling if ceiling > 0 else math.nan for h, ceiling in oracle.items()}
    return {
        "rank_ic": {str(h): number(ceiling) for h, ceiling in oracle.items()},
        "fraction": {str(h): number(fraction) for h, fraction in fractions.items()},
    }


def _quantiles_frame(scores: dict[int, NDArray[np.floating]], outcome: Outcome, quantiles: int) -> pl.DataFrame:
    means_HQ = np.array(
        [
            [mean(column) for column in ranking.quantile_returns(scores_TS, outcome.target(h), quantiles).T]
            for h, scores_TS in scores.items()
        ]
    )
    return pl.DataFrame(
        {
            "horizon": np.repeat(np.array(list(scores), dtype=np.int64), quantiles),
            "quantile": np.tile(np.arange(1, quantiles + 1), len(scores)),
            "mean_return": means_HQ.ravel(),
        }
    )
