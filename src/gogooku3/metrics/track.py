"""Metrics of a track of session returns: downside risk, tail risk, return over drawdown, drawdowns, months, windows.

Functions of a series take it along the last axis and work on many at once, such as the draws of a bootstrap.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gogooku3.dataset.elementwise import divide
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.distributions import power
from gogooku3.metrics.estimate import number
from gogooku3.metrics.returns import drawdown

TAIL = 0.05
"""Share of the sessions in the tail of value at risk and expected shortfall, which are of level 95 %."""

BINS = 20
"""Bins of the histogram."""


def volatility(returns: Floats, per_year: float) -> Floats:
    """Annual volatility: standard deviation (n − 1) · √sessions per year; NaN for fewer than two returns."""
    if returns.shape[-1] < 2:
        return np.full(returns.shape[:-1], np.nan)
    deviation: Floats = returns.std(axis=-1, ddof=1) * math.sqrt(per_year)
    return deviation


def compound_annual_return(returns: Floats, per_year: float) -> Floats:
    """Compound annual growth rate (CAGR): Π(1 + r) to the power sessions per year / n, minus 1; NaN if all is lost."""
    growth = np.prod(1 + returns, axis=-1, dtype=np.float64)
    exponent = per_year / max(returns.shape[-1], 1)
    annual = [power(each, exponent) - 1 if each > 0 else math.nan for each in growth.ravel()]
    return np.asarray(annual, np.float64).reshape(growth.shape)


def max_drawdown(returns: Floats) -> Floats:
    """Maximum drawdown, 0 or less: lowest ratio of wealth to its running maximum, start included, minus 1."""
    wealth = np.cumprod(1 + returns, axis=-1, dtype=np.float64)
    peak = np.maximum.accumulate(np.maximum(wealth, 1.0), axis=-1)
    lowest: Floats = (wealth / peak - 1).min(axis=-1)
    return lowest


def sortino(returns: Floats, per_year: float) -> Floats:
    """Sortino ratio (Sortino and Price, 1994), annual, with a target of 0: mean / downside deviation · √`per_year`.

    The downside deviation is √(Σ min(r, 0)² / n) over all n sessions. NaN if no session loses.
    """
    losses = np.minimum(returns, 0.0)
    downside = np.sqrt((losses * losses).mean(axis=-1))
    return divide(returns.mean(axis=-1) * math.sqrt(per_year), downside)


def calmar(returns: Floats, per_year: float) -> Floats:
    """Calmar ratio (Young, 1991): compound annual return / absolute maximum drawdown; NaN without a drawdown."""
    return divide(compound_annual_return(returns, per_year), -max_drawdown(returns))


def value_at_risk(returns: Floats) -> Floats:
    """Historical value at risk of one session, as a return: the `TAIL` quantile, interpolated linearly."""
    quantile: Floats = np.quantile(returns, TAIL, axis=-1)
    return quantile


def expected_shortfall(returns: Floats) -> Floats:
    """Historical expected shortfall (conditional value at risk) of one session, as a return: mean of the lowest ones.

    Of n returns the ⌊(n − 1) · `TAIL`⌋ + 1 lowest, as empyrical.
    """
    count = int((returns.shape[-1] - 1) * TAIL) + 1
    mean: Floats = np.sort(returns, axis=-1)[..., :count].mean(axis=-1)
    return mean


def worst_drawdowns(net_U: Floats, dates_U: NDArray[np.datetime64], count: int = 5) -> list[dict[str, Any]]:
    """The deepest drawdowns, deepest first: `depth`, `peak`, `trough`, `recovery` (None if not yet), `sessions`.

    A drawdown lasts from the close at the peak of wealth until wealth is back at it. Dates are those of the closes from
    which the returns are earned: `peak` of the first return below the peak, `trough` of the one that ends lowest,
    `recovery` of the one that ends at the peak or above; `sessions` counts the returns between.
    """
    depth_U = drawdown(net_U)
    below_U = np.concatenate(([False], depth_U < 0, [False])).astype(np.int8)
    starts, stops = np.flatnonzero(np.diff(below_U) == 1), np.flatnonzero(np.diff(below_U) == -1)
    episodes: list[dict[str, Any]] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        trough = start + int(depth_U[start:stop].argmin())
        episodes.append(
            {
                "depth": float(depth_U[trough]),
                "peak": str(dates_U[start]),
                "trough": str(dates_U[trough]),
                "recovery": str(dates_U[stop]) if stop < len(net_U) else None,
                "sessions": stop - start,
            }
        )
    return sorted(episodes, key=lambda episode: episode["depth"])[:count]


def months(net_U: Floats, dates_U: NDArray[np.datetime64]) -> dict[str, Any]:
    """Compounded return of each calendar month (`grid`), number of `months`, and share of them with a gain."""
    month_U = dates_U.astype("datetime64[M]")
    grid: list[dict[str, Any]] = []
    for month in np.unique(month_U):
        inside = net_U[month_U == month]
        grid.append({"month": str(month), "return": number(np.prod(1 + inside) - 1), "sessions": len(inside)})
    gains = [row["return"] > 0 for row in grid if row["return"] is not None]
    return {"positive_share": sum(gains) / len(gains) if gains else None, "months": len(grid), "grid": grid}


def histogram(net_U: Floats) -> dict[str, list[Any]]:
    """Counts of the session returns in `BINS` equal bins from the lowest to the highest, and the bins' edges."""
    known = net_U[np.isfinite(net_U)]
    if not len(known):
        return {"edges": [], "counts": []}
    counts, edges = np.histogram(known, bins=BINS)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def windows(series_U: Floats, window: int) -> Floats:
    """[U − window + 1, window] every run of `window` values, in order; none if the series is shorter."""
    if len(series_U) < window:
        return np.empty((0, window))
    return np.lib.stride_tricks.sliding_window_view(series_U, window)
