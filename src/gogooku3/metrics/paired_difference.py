"""Two tracks over the same sessions: by how much one is better, and how sure that is.

Sessions are drawn together for both, so that what moved both of them does not blur the difference. Ledoit and Wolf
(2008) draw so for Sharpe ratios; their interval, studentised and by a circular block bootstrap, is another one.
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


def paired_differences(ours: pl.DataFrame, theirs: pl.DataFrame, params: Bootstrap) -> dict[str, Any]:
    """Ours less theirs: of the Sharpe ratios, and of the RankIC by horizon and on average, each with its interval.

    Args:
        ours, theirs: `Evaluation.sessions`; the sessions that both have are compared. Of a track without scores, such
            as equal weights, there is no RankIC.
        params: of the bootstrap.

    Returns:
        `sessions` (how many both have), `sharpe`, and where both have the same horizons `rank_ic` by horizon and
        `mean_rank_ic`; each difference as `value`, `low`, `high`.

    Raises:
        DataError: they have no session in common.
    """
    both = ours.join(theirs, on="Date", suffix="_theirs", maintain_order="left")
    if both.is_empty():
        periods = (f"{frame['Date'].min()!s} to {frame['Date'].max()!s}" for frame in (ours, theirs))
        raise DataError(
            f"the tracks have no session in common: {' and '.join(periods)}",
            hint="compare what was evaluated over the same period (`dataset.split`)",
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
        table |= by_horizon(gain_TH, horizons[0], params)
    return table


def by_horizon(values_TH: Floats, horizons: Sequence[int], params: Bootstrap) -> dict[str, Any]:
    """`rank_ic` by horizon and `mean_rank_ic` of RankICs, or of differences between some, by session and horizon."""
    return {
        "rank_ic": {str(h): mean_over_horizons(values_TH[:, [place]], [h], params) for place, h in enumerate(horizons)},
        "mean_rank_ic": mean_over_horizons(values_TH, horizons, params),
    }


def mean_over_horizons(values_TH: Floats, horizons: Sequence[int], params: Bootstrap) -> dict[str, Any]:
    """Mean over the horizons of their means over sessions, with its interval; undefined where one of them is."""
    return estimate(_mean_of_means(values_TH[None])[0], interval(values_TH, _mean_of_means, params, max(horizons)))


def horizons_of(sessions: pl.DataFrame) -> list[int]:
    """Horizons whose RankIC a track has, in order."""
    return [int(name.removeprefix("rank_ic_")) for name in sessions.columns if name.startswith("rank_ic_")]


def _sharpe_difference(net_DU2: Floats) -> Floats:
    return sharpe(net_DU2[..., 0]) - sharpe(net_DU2[..., 1])


def _mean_of_means(values_DTH: Floats) -> Floats:
    """[draws] mean over the horizons of the mean over the sessions that have each; NaN where one has none."""
    known_DTH = ~np.isnan(values_DTH)
    count_DH = known_DTH.sum(axis=1)
    means_DH: Floats = np.full(count_DH.shape, np.nan)
    np.divide(np.where(known_DTH, values_DTH, 0.0).sum(axis=1), count_DH, out=means_DH, where=count_DH > 0)
    means_D: Floats = means_DH.mean(axis=1)
    return means_D
