"""Scores and targets in; the table of metrics and the series behind it out."""

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
from gogooku3.evaluation import metrics, portfolio, significance
from gogooku3.evaluation.cross_section import Floats

MIN_SESSIONS = 20
"""Sessions of portfolio returns below which nothing is said about them."""


@dataclass(frozen=True)
class Evaluation:
    """What is known of some scores; an undefined number is None in `metrics` and NaN in the frames."""

    metrics: dict[str, Any]
    """For JSON, per year where it says annual, returns as fractions:

    - `sessions`, `from`, `to`: the sessions at whose close the portfolio was set;
    - `sharpe`: `value` annualised after costs, `low` and `high` of its 95 % interval, `probabilistic` and
      `deflated` (probabilities), `trials`;
    - `annual_return` (252 times the mean, after costs; divided by `annual_volatility` it is the Sharpe
      ratio), `max_drawdown` (0 or less), `turnover` (mean per session), `cost` (annual);
    - `flat_sessions` without a position; `unpriced_positions` that earned 0 as they had no next return;
    - `hit_rate` of the traded horizon;
    - `rank_ic` and `ic` by horizon: `value` (mean over sessions), `low`, `high`, `t` (Newey–West),
      `positive_share`, and the `sessions` in which it is defined;
    - `oracle`, when one is given: its `rank_ic` by horizon over the same stocks, and the `fraction` of it
      that the scores reach.
    """
    rank_ic: pl.DataFrame
    """`Date` and one column per horizon, named `rank_ic_<horizon>`."""
    returns: pl.DataFrame
    """`Date`, `gross`, `net`, `cumulative_net`, `drawdown`, `turnover`; `Date` is the session at whose close
    the portfolio was set, to earn until the next close."""
    quantiles: pl.DataFrame
    """`horizon`, `quantile` (1: lowest scores), `mean_return` over the horizon less the session's mean."""


def evaluate(
    scores_TSH: NDArray[np.floating],
    targets_TSH: NDArray[np.floating],
    sessions: NDArray[np.datetime64],
    horizons: Sequence[int],
    params: config.Evaluation,
    oracle_TSH: NDArray[np.floating] | None = None,
) -> Evaluation:
    """Measures scores against what came after them.

    Args:
        scores_TSH: scores by session, stock and horizon, known at the session's close; NaN where none.
        targets_TSH: simple returns from that close over each horizon, NaN where unknown.
        sessions: dates of the T sessions, rising.
        horizons: sessions that each of the H targets spans; 1 is among them, as the portfolio earns it.
        params: section `evaluation`. The bootstrap of a mean over targets of h sessions takes blocks of mean
            length h where `bootstrap.mean_block` is shorter.
        oracle_TSH: expected returns that a synthetic market planted, in the layout of the scores.

    Raises:
        ConfigError: horizon 1 or the traded horizon is not among the horizons.
        DataError: values are infinite, no session has `metrics.MIN_STOCKS` stocks with score and target, or
            the portfolio has fewer than `MIN_SESSIONS` sessions.
    """
    _check(scores_TSH, targets_TSH, horizons, params.portfolio.horizon)
    traded = horizons.index(params.portfolio.horizon)
    held = portfolio.trade(
        scores_TSH[..., traded],
        targets_TSH[..., horizons.index(1)],
        params.portfolio.delay,
        params.portfolio.cost_bps,
    )
    _check_length(len(held.net_U), params.portfolio.delay)
    pairs = {h: (scores_TSH[..., i], targets_TSH[..., i]) for i, h in enumerate(horizons)}
    rank_ics = {h: metrics.rank_ic(*pair) for h, pair in pairs.items()}
    ics = {h: metrics.ic(*pair) for h, pair in pairs.items()}
    dates = pl.Series("Date", sessions.astype("datetime64[D]"))
    traded_dates = dates[held.rows]
    table: dict[str, Any] = {
        "sessions": len(traded_dates),
        "from": str(traded_dates[0]),
        "to": str(traded_dates[-1]),
        **_portfolio_metrics(held, params),
        "hit_rate": _number(_mean(metrics.hit_rate(*pairs[horizons[traded]]))),
        "rank_ic": {str(h): _mean_metrics(series, h, params.bootstrap) for h, series in rank_ics.items()},
        "ic": {str(h): _mean_metrics(series, h, params.bootstrap) for h, series in ics.items()},
    }
    if oracle_TSH is not None:
        seen_TSH = np.where(np.isfinite(scores_TSH), oracle_TSH, np.nan)
        oracle = {h: _mean(metrics.rank_ic(seen_TSH[..., i], pairs[h][1])) for i, h in enumerate(horizons)}
        table["oracle"] = _oracle_metrics(oracle, {h: _mean(series) for h, series in rank_ics.items()})
    return Evaluation(
        metrics=table,
        rank_ic=pl.DataFrame([dates, *(pl.Series(f"rank_ic_{h}", series) for h, series in rank_ics.items())]),
        returns=_returns_frame(traded_dates, held),
        quantiles=_quantiles_frame(pairs, params.quantiles),
    )


def _check(
    scores_TSH: NDArray[np.floating], targets_TSH: NDArray[np.floating], horizons: Sequence[int], traded: int
) -> None:
    for needed, why in (
        (1, "the portfolio earns returns of one session"),
        (traded, "the portfolio trades its scores"),
    ):
        if needed not in horizons:
            raise ConfigError(
                f"horizon {needed} is not among `dataset.horizons` {list(horizons)}; {why}",
                hint=f"add {needed} to `dataset.horizons`",
            )
    for name, values in (("scores", scores_TSH), ("targets", targets_TSH)):
        infinite = int(np.isinf(values).sum())
        if infinite:
            raise DataError(
                f"{infinite} of {values.size} {name} are infinite",
                hint="a missing value is NaN; look for a division by zero where they were made",
            )
    index = horizons.index(traded)
    if not metrics.populated_sessions(scores_TSH[..., index], targets_TSH[..., index]):
        raise DataError(
            f"none of {len(scores_TSH)} sessions has {metrics.MIN_STOCKS} stocks with a score and a target"
            f" of horizon {traded}",
            hint="evaluate a longer period (`dataset.split.test_from`) or more stocks",
        )


def _check_length(sessions: int, delay: int) -> None:
    if sessions < MIN_SESSIONS:
        raise DataError(
            f"the portfolio has returns in {sessions} sessions, {MIN_SESSIONS} are needed;"
            f" it starts {delay} sessions after the first score",
            hint="evaluate a longer period: set `dataset.split.test_from` earlier",
        )


def _portfolio_metrics(held: portfolio.Portfolio, params: config.Evaluation) -> dict[str, Any]:
    net_U, bootstrap = held.net_U, params.bootstrap
    year = portfolio.SESSIONS_PER_YEAR
    low, high = significance.interval(net_U, portfolio.sharpe, bootstrap.draws, bootstrap.mean_block, bootstrap.seed)
    return {
        "sharpe": {
            "value": _number(portfolio.sharpe(net_U)),
            "low": _number(low),
            "high": _number(high),
            "probabilistic": _number(significance.deflated_sharpe(net_U, trials=1)),
            "deflated": _number(significance.deflated_sharpe(net_U, params.trials)),
            "trials": params.trials,
        },
        "annual_return": _number(net_U.mean() * year),
        "annual_volatility": _number(net_U.std(ddof=1) * math.sqrt(year)),
        "max_drawdown": _number(portfolio.drawdown(net_U).min()),
        "turnover": _number(held.turnover_U.mean()),
        "cost": _number(held.cost_U.mean() * year),
        "flat_sessions": int(held.flat_U.sum()),
        "unpriced_positions": int(held.unpriced_U.sum()),
    }


def _mean_metrics(series_T: Floats, horizon: int, bootstrap: config.Bootstrap) -> dict[str, Any]:
    defined = series_T[~np.isnan(series_T)]
    low, high = significance.interval(
        series_T,
        lambda resampled: resampled.mean(axis=-1),
        bootstrap.draws,
        max(bootstrap.mean_block, horizon),
        bootstrap.seed,
    )
    return {
        "value": _number(_mean(series_T)),
        "low": _number(low),
        "high": _number(high),
        "t": _number(metrics.newey_west_t(series_T, horizon)),
        "positive_share": _number(_mean((defined > 0).astype(np.float64))),
        "sessions": len(defined),
    }


def _oracle_metrics(oracle: dict[int, float], reached: dict[int, float]) -> dict[str, Any]:
    fractions = {h: reached[h] / ceiling if ceiling > 0 else math.nan for h, ceiling in oracle.items()}
    return {
        "rank_ic": {str(h): _number(ceiling) for h, ceiling in oracle.items()},
        "fraction": {str(h): _number(fraction) for h, fraction in fractions.items()},
    }


def _returns_frame(dates: pl.Series, held: portfolio.Portfolio) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "Date": dates,
            "gross": held.gross_U,
            "net": held.net_U,
            "cumulative_net": portfolio.cumulative(held.net_U),
            "drawdown": portfolio.drawdown(held.net_U),
            "turnover": held.turnover_U,
        }
    )


def _quantiles_frame(
    pairs: dict[int, tuple[NDArray[np.floating], NDArray[np.floating]]], quantiles: int
) -> pl.DataFrame:
    means_HQ = np.array(
        [[_mean(column) for column in metrics.quantile_returns(*pair, quantiles).T] for pair in pairs.values()]
    )
    return pl.DataFrame(
        {
            "horizon": np.repeat(np.array(list(pairs), dtype=np.int64), quantiles),
            "quantile": np.tile(np.arange(1, quantiles + 1), len(pairs)),
            "mean_return": means_HQ.ravel(),
        }
    )


def _mean(values: Floats) -> float:
    """Mean of the values that are not NaN; NaN when there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan


def _number(value: float | np.floating | Floats) -> float | None:
    """A plain float for JSON; None where it is undefined."""
    return None if np.isnan(value) else float(value)
