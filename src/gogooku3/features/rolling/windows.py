"""Rolling windows by doubling: combines spans of 1, 2, 4, … rows, O(log window) per value.

There is no running sum: rows before the window have no effect, and the order of additions depends on the window only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from gogooku3.dataset.elementwise import Floats

State = tuple[npt.NDArray[Any], ...]
"""Partial aggregates of spans of consecutive rows, one array per part; initially of single rows."""
Join = Callable[[State, State, int, int], State]
"""(older, newer, rows of the older, rows of the newer) → aggregate of both; the newer span follows the older."""


def required(window: int) -> int:
    """Smallest number of known values in a window: four fifths of its sessions, rounded up."""
    return (4 * window + 4) // 5


def shift(x: Floats, sessions: int) -> Floats:
    """The value `sessions` rows earlier; NaN in the first rows."""
    shifted = np.empty(x.shape)
    shifted[:sessions] = np.nan
    shifted[sessions:] = x[: max(len(x) - sessions, 0)]
    return shifted


def over_windows(rows: State, window: int, join: Join) -> State:
    """The aggregate of every full window: row i is the window that starts at row i."""
    length = len(rows[0]) - window + 1
    if length < 1:
        return tuple(part[:0] for part in rows)
    spans, span = rows, 1  # of rows i … i + span − 1
    joined, covered = rows, 0  # of rows i … i + covered − 1
    while True:
        if window & span:
            newer = _from(spans, covered)
            joined = join(_until(joined, len(newer[0])), newer, covered, span) if covered else spans
            covered += span
        if covered == window:
            return _until(joined, length)
        newer = _from(spans, span)
        spans = join(_until(spans, len(newer[0])), newer, span, span)
        span *= 2


def sums(window: int, *series: npt.NDArray[Any]) -> State:
    """The sum of each series over every full window."""
    return over_windows(series, window, _added)


def known_count(x: Floats, window: int) -> npt.NDArray[np.int16]:
    """Number of known values in every full window."""
    (n,) = sums(window, (~np.isnan(x)).astype(np.int16))
    return n


def where_known(values: Floats, n: npt.NDArray[Any], window: int, rows: int) -> Floats:
    """[rows, …]: the values of full windows with enough known values; NaN for other windows and in the first rows."""
    result = np.full((rows, *values.shape[1:]), np.nan)
    np.copyto(result[rows - len(values) :], values, where=n >= required(window))
    return result


def filled(x: Floats, value: float = 0.0) -> Floats:
    """The series with NaN replaced by a neutral value."""
    return np.where(np.isnan(x), value, x)


def _added(older: State, newer: State, _older_rows: int, _newer_rows: int) -> State:
    return tuple(a + b for a, b in zip(older, newer, strict=True))


def _from(state: State, first: int) -> State:
    return tuple(part[first:] for part in state)


def _until(state: State, stop: int) -> State:
    return tuple(part[:stop] for part in state)
