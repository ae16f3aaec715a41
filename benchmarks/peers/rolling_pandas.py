"""The definitions with pandas' `groupby.rolling`: `python -m peers.rolling_pandas PANEL RESULT [sorted]`.

The frame has a row for each session of each stock, so that a window counts sessions. Its rows are in the order of
stored bars, by date and code, with string codes; or, `sorted`, by code and date, with categorical codes: the fastest
layout for pandas, which all other steps would then have to use.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from peers.definitions import DEFINITIONS
from peers.panel import Panel, Result


class Bars:
    """Columns of bars; series shared by definitions are cached."""

    def __init__(self, panel: Panel, *, by_code: bool) -> None:
        self._shape_TS, self._by_code = panel.fields_FTS.shape[1:], by_code
        columns = (pd.Series(self.column(x_TS)) for x_TS in panel.fields_FTS.astype(np.float64))
        self.open, self.high, self.low, self.close, self.volume, self.turnover = columns
        number_TS = np.broadcast_to(np.arange(len(panel.codes)), self._shape_TS)
        codes = pd.Categorical.from_codes(self.column(number_TS), panel.codes)
        self.code = pd.Series(codes if by_code else codes.astype("str"))
        self.time = pd.Series(self.column(np.broadcast_to(np.arange(self._shape_TS[0])[:, None] * 1.0, self._shape_TS)))

    def column(self, x_TS: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """A [T, S] matrix as a column."""
        return (x_TS.T if self._by_code else x_TS).ravel()

    def matrix(self, column: pd.Series) -> npt.NDArray[np.float64]:
        """A column as a matrix [T, S]."""
        values = column.to_numpy()
        return values.reshape(self._shape_TS[::-1]).T if self._by_code else values.reshape(self._shape_TS)

    def last(self, x: pd.Series, sessions: int = 1) -> pd.Series:
        """The value some sessions earlier."""
        return x.groupby(self.code, observed=True).shift(sessions)

    def over(self, window: int, x: pd.Series, statistic: str, *args: float) -> pd.Series:
        """A statistic over the window; four fifths of it must be known."""
        rolling = x.groupby(self.code, observed=True).rolling(window, min_periods=_required(window))
        return getattr(rolling, statistic)(*args).reset_index(level=0, drop=True)

    def pairs(self, window: int, x: pd.Series, y: pd.Series, statistic: str) -> pd.Series:
        """A statistic of two series over the window, stock by stock.

        `groupby.rolling.corr` and `.cov` with another series return a row for each pair of row and stock, hundreds of
        times more than needed; this is the usual workaround.
        """

        def of_stock(part: pd.DataFrame) -> pd.Series:
            rolling = part["x"].rolling(window, min_periods=_required(window))
            return getattr(rolling, statistic)(part["y"])

        groups = pd.DataFrame({"x": x, "y": y}).groupby(self.code, observed=True)[["x", "y"]]
        return groups.apply(of_stock).reset_index(level=0, drop=True)

    @cached_property
    def log_close(self) -> pd.Series:
        return np.log(self.close)

    @cached_property
    def log_volume(self) -> pd.Series:
        return np.log(self.volume)

    @cached_property
    def change(self) -> pd.Series:
        return self.close - self.last(self.close)

    @cached_property
    def r(self) -> pd.Series:
        """Log return."""
        return np.log(self.close / self.last(self.close))

    @cached_property
    def volume_change(self) -> pd.Series:
        return self.volume - self.last(self.volume)

    @cached_property
    def moved_volume(self) -> pd.Series:
        return np.abs(self.r) * self.volume


def computed(bars: Bars, formulas: list[Callable[[Bars], pd.Series]]) -> tuple[list[pd.Series], float]:
    """The values as columns aligned with the bars, and their CPU seconds."""
    began = time.process_time()
    columns = [formula(bars).reindex(bars.close.index) for formula in formulas]
    return columns, time.process_time() - began


def _required(window: int) -> int:
    return math.ceil(0.8 * window)


def main(panel: str, result: str, order: str = "") -> None:
    read = Panel.read(Path(panel))
    by_code = order == "sorted"
    formulas = [definition.pandas for definition in DEFINITIONS]
    alone = [computed(Bars(read, by_code=by_code), [formula])[1] for formula in formulas]
    bars = Bars(read, by_code=by_code)
    columns, together = computed(bars, formulas)
    values_DTS = np.stack([bars.matrix(column) for column in columns])
    Result(values_DTS, alone, together, {"pandas": version("pandas")}).write(Path(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
