"""Paired difference of two tracks over the same sessions: Sharpe ratio and RankIC, with confidence intervals.

RankIC: the interval of the mean of the differences, by their own measured autocorrelation
(`gogooku3.metrics.session_mean`). Differences of two models' RankIC are far less autocorrelated than the overlap of
targets alone would make them, because the difference of their scores persists less than the scores.

Sharpe ratio: paired bootstrap. The sessions of both tracks are resampled together, so that common movements cancel.
Ledoit and Wolf (2008) also resample pairs; their interval (studentised, circular block bootstrap) is a different one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from gogooku3.config.evaluation import Bootstrap
from gogooku3.errors import DataError
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.estimate import estimate
from gogooku3.metrics.returns import sharpe
from gogooku3.metrics.session_mean import session_mean


def paired_differences(ours: pl.DataFrame, theirs: pl.DataFrame, params: Bootstrap) -> dict[str, Any]:
    """Ours minus theirs: differences in Sharpe ratio and in RankIC, by horizon and on average, with intervals.

    Args:
        ours, theirs: `Evaluation.sessions`; only their common sessions are compared. A track without scores, such as
            equal weights, has no RankIC.
        params: bootstrap parameters.

    Returns:
        `sessions` (number of common sessions), `sharpe`, and if both have the same horizons `rank_ic` by horizon and
        `mean_rank_ic`; each difference as `value`, `low`, `high`.

    Raises:
        DataError: the tracks have no common session.
    """
    both = ours.join(theirs, on="Date", suffix="_theirs", maintain_order="left")
    if both.is_empty():
        periods = (f"{frame['Date'].min()!s} to {frame['Date'].max()!s}" for frame in (ours, theirs))
        raise DataError(
            f"the tracks have no session in common: {' and '.join(periods)}",
            hint="compare evaluations of the same period (`dataset.split`)",
        )
    net_U2 = both.select("net", "net_theirs").to_numpy()
    net_U2 = net_U2[~np.isnan(net_U2).any(axis=1)]
    table: dict[str, Any] = {
        "sessions": len(net_U2),
        "sharpe": estimate(
            _sharpe_difference(net_U2[None])[0], interval(net_U2, _sharpe_difference, params, horizon=1)
        ),
    }
    horizons = [horizons_of(frame) for frame in (ours, theirs)]
    if horizons[0] == horizons[1] and horizons[0]:
        columns = [f"rank_ic_{h}" for h in horizons[0]]
        gain_TH = both.select(columns).to_numpy() - both.select(f"{name}_theirs" for name in columns).to_numpy()
        table |= by_horizon(gain_TH, horizons[0])
    return table


def by_horizon(values_TH: Floats, horizons: Sequence[int]) -> dict[str, Any]:
    """`rank_ic` by horizon and `mean_rank_ic`, from RankICs (or their differences) by session and horizon."""
    return {
        "rank_ic": {str(h): mean_over_horizons(values_TH[:, [index]], [h]) for index, h in enumerate(horizons)},
        "mean_rank_ic": mean_over_horizons(values_TH, horizons),
    }


def mean_over_horizons(values_TH: Floats, horizons: Sequence[int]) -> dict[str, Any]:
    """Mean over the horizons of their means over sessions, with its interval; undefined if one of them is."""
    mean = session_mean(values_TH, max(horizons))
    return estimate(mean.value, mean.bounds)


def horizons_of(sessions: pl.DataFrame) -> list[int]:
    """Horizons of the RankIC columns of a track, in order."""
    return [int(name.removeprefix("rank_ic_")) for name in sessions.columns if name.startswith("rank_ic_")]


def _sharpe_difference(net_DU2: Floats) -> Floats:
    return sharpe(net_DU2[..., 0]) - sharpe(net_DU2[..., 1])
