"""Cross-sectional statistics: over the stocks of one session.

Sums run over the stocks with a value in the order of their codes, so a column without values changes no bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gogooku3.dataset.elementwise import Floats, divide, sqrt

MIN_STOCKS = 5
"""Smallest number of stocks with a value for a cross-sectional statistic."""


def mean(x_TS: Floats) -> Floats:
    """[T] mean over the stocks with a value; NaN if fewer than `MIN_STOCKS` have one."""
    known_TS = ~np.isnan(x_TS)
    n_T = known_TS.sum(axis=1)
    session, _ = np.nonzero(known_TS)
    total_T = np.bincount(session, weights=x_TS[known_TS], minlength=len(x_TS))
    return divide(total_T, np.where(n_T >= MIN_STOCKS, n_T, np.nan))


def std(x_TS: Floats) -> Floats:
    """[T] population standard deviation; NaN if fewer than `MIN_STOCKS` stocks have a value."""
    return sqrt(mean((x_TS - mean(x_TS)[:, None]) ** 2))


def group_mean(x_TS: Floats, group_S: npt.NDArray[np.intp]) -> Floats:
    """[T, S] mean of each stock's group, including itself; NaN if the group has fewer than two values."""
    groups = int(group_S.max()) + 1
    known_TS = ~np.isnan(x_TS)
    session, stock = np.nonzero(known_TS)
    cell = session * groups + group_S[stock]
    n_TG = np.bincount(cell, minlength=len(x_TS) * groups).reshape(-1, groups)
    total_TG = np.bincount(cell, weights=x_TS[known_TS], minlength=len(x_TS) * groups).reshape(-1, groups)
    return divide(total_TG, np.where(n_TG >= 2, n_TG, np.nan))[:, group_S]


def rank(x_TS: Floats) -> Floats:
    """[T, S] cross-sectional rank from −1 (lowest) to 1 (highest); ties get their mean rank.

    NaN if the stock has no value or fewer than `MIN_STOCKS` have one.
    """
    order_TS = np.argsort(x_TS, axis=1, kind="stable")  # NaN sorts to the end
    sorted_TS = np.take_along_axis(x_TS, order_TS, axis=1)
    positions = np.broadcast_to(np.arange(x_TS.shape[1]), x_TS.shape)
    new_TS = np.ones(x_TS.shape, np.bool_)
    new_TS[:, 1:] = sorted_TS[:, 1:] != sorted_TS[:, :-1]
    last_TS = np.ones(x_TS.shape, np.bool_)
    last_TS[:, :-1] = new_TS[:, 1:]
    run_start = np.maximum.accumulate(np.where(new_TS, positions, 0), axis=1)
    run_end = np.minimum.accumulate(np.where(last_TS, positions, x_TS.shape[1])[:, ::-1], axis=1)[:, ::-1]
    ranks_TS = np.empty(x_TS.shape)
    np.put_along_axis(ranks_TS, order_TS, (run_start + run_end) / 2.0, axis=1)
    n_T = (~np.isnan(x_TS)).sum(axis=1)
    scaled_TS = 2.0 * divide(ranks_TS, np.where(n_T >= MIN_STOCKS, n_T - 1.0, np.nan)[:, None]) - 1.0
    return np.where(np.isnan(x_TS), np.nan, scaled_TS)
