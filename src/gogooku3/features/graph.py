"""The k-nearest-neighbour graph: each stock's most correlated stocks, point in time at a session's close.

Returns are scaled and rounded to integers of at most 2^15 before multiplication. All products and sums are then exact
integers in float64 (2^30 per product, so up to 2^23 sessions): the matrix product is bitwise identical in any order, on
any machine, with any library and any number of threads.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.config.dataset import Graph
from gogooku3.dataset.elementwise import Bools, Floats, divide
from gogooku3.dataset.schema import GRAPH_COLUMNS
from gogooku3.features import rolling
from gogooku3.features.market import Market

_SCALE = float(1 << 15)
_ROWS_AT_ONCE = 512
"""Stocks per block of the correlation matrix: limits memory to 512 × S."""


def refreshes(sessions: int, graph: Graph) -> range:
    """The sessions with a new graph: the first with a full window of returns, then every `refresh` sessions."""
    return range(graph.window, sessions, graph.refresh)


def edges(market: Market, session: int, graph: Graph) -> pl.DataFrame:
    """The graph at the close of a session: one row per edge, sorted by code and rank.

    Rank 1 is the neighbour with the largest correlation; ties are sorted by code. A stock is in the graph if it has a
    bar in the session and returns in four fifths of the window that are not all equal; it has fewer than `neighbours`
    edges only if there are fewer such stocks.
    """
    returns_WS = market.return_TS[session - graph.window + 1 : session + 1]
    neighbour_SK, correlation_SK = nearest(returns_WS, market.present_TS[session], graph.neighbours)
    stock, rank = np.nonzero(neighbour_SK >= 0)
    other = neighbour_SK[stock, rank]
    codes = np.array(market.codes, object)
    return pl.DataFrame(
        {
            "Date": np.full(len(stock), market.sessions[session]),
            "Code": codes[stock],
            "Rank": rank + 1,
            "Neighbour": codes[other],
            "Correlation": correlation_SK[stock, rank],
            "SameSector": market.sector_S[stock] == market.sector_S[other],
            "SameSegment": market.segment_S[stock] == market.segment_S[other],
        },
        schema=GRAPH_COLUMNS,
    )


def nearest(returns_WS: Floats, present_S: Bools, neighbours: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """[S, K] indices of the most correlated stocks, −1 if there are fewer, and [S, K] correlations."""
    window, stocks = returns_WS.shape
    neighbour_SK = np.full((stocks, neighbours), -1, np.intp)
    correlation_SK = np.full((stocks, neighbours), np.nan)
    enough_S = (~np.isnan(returns_WS)).sum(axis=0) >= rolling.required(window)
    whole_WS = _integers(returns_WS)
    norm_S = np.sqrt((whole_WS * whole_WS).sum(axis=0))
    members = np.flatnonzero(present_S & enough_S & (norm_S > 0))
    k = min(neighbours, len(members) - 1)
    if k < 1:
        return neighbour_SK, correlation_SK
    whole_WM, norm_M = np.ascontiguousarray(whole_WS[:, members]), norm_S[members]
    for first in range(0, len(members), _ROWS_AT_ONCE):
        block = slice(first, min(first + _ROWS_AT_ONCE, len(members)))
        scaled_BM = whole_WM[:, block].T @ whole_WM
        scaled_BM /= norm_M
        scaled_BM[np.arange(block.stop - first), np.arange(first, block.stop)] = -np.inf  # not its own neighbour
        chosen_BK = _largest(scaled_BM, k)
        neighbour_SK[members[block], :k] = members[chosen_BK]
        scaled_BK = np.take_along_axis(scaled_BM, chosen_BK, axis=1)
        correlation_SK[members[block], :k] = scaled_BK / norm_M[block, None]
    return neighbour_SK, correlation_SK


def _largest(values_BM: Floats, k: int) -> npt.NDArray[np.intp]:
    """[B, k] columns of each row's k largest values in descending order; ties by column.

    The k-th largest of the maxima of at least k groups is a lower bound that at least k values reach, and few others.
    """
    rows, columns = values_BM.shape
    groups = min(columns, 8 * k)
    starts = np.arange(groups) * columns // groups
    maxima_BG = np.maximum.reduceat(values_BM, starts, axis=1)
    bound_B = np.partition(maxima_BG, groups - k, axis=1)[:, groups - k]
    row, column = np.divmod(
        np.flatnonzero(values_BM >= bound_B[:, None]), columns
    )  # np.nonzero takes ten times as long
    order = np.lexsort((column, -values_BM[row, column], row))
    first_B = np.searchsorted(row, np.arange(rows))  # first candidate of each row; candidates are sorted by row
    chosen_BK: npt.NDArray[np.intp] = column[order][first_B[:, None] + np.arange(k)]
    return chosen_BK


def _integers(returns_WS: Floats) -> Floats:
    """Deviations from the window's mean as integers, scaled to a largest value of 2^15 per stock; 0 if missing."""
    window = len(returns_WS)
    deviation_WS = returns_WS - rolling.mean(returns_WS, window)[-1]
    deviation_WS = np.where(np.isnan(deviation_WS), 0.0, deviation_WS)
    flat_S = rolling.lowest(returns_WS, window)[-1] == rolling.highest(returns_WS, window)[-1]
    largest_S = np.where(flat_S, 0.0, np.abs(deviation_WS).max(axis=0))
    scaled_WS = divide(deviation_WS, largest_S)
    return np.rint(np.where(np.isnan(scaled_WS), 0.0, scaled_WS) * _SCALE)
