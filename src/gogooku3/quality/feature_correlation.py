"""Correlations between features in a sample of rows; bitwise identical in any order of summation, on any machine.

As in `gogooku3.features.graph`, values are rounded to integers of at most 2^15 before multiplication, so that all
products and sums are exact in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset.normalise import standardise
from gogooku3.dataset.schema import Schema

Floats = npt.NDArray[np.float64]
Pair = tuple[str, str, float]
"""Two features and their correlation."""

_SCALE = float(1 << 15)
_MIN_ROWS = 30
"""Smallest number of rows with values of both features for a correlation."""
_EVERY, _STOCKS = 23, 1000
"""The sample: every 23rd session, so that no weekday and no day of the month is over-represented, with 1,000 stocks."""


class FeatureCorrelation:
    """Correlations between features per stock, in a sample, and between features per session, in all sessions.

    A `session` feature is the same for all stocks, and a normalised feature per stock has no trend over sessions, so
    correlations between the two kinds are not computed.
    """

    def __init__(self, schema: Schema, preprocess: dict[str, Any]) -> None:
        self._clip, self._fitted, self._sessions_seen = preprocess["clip"], preprocess["session"], 0
        bounds = {"stock": self._clip, "rank": 1.0}
        of_stocks = {f.name: bounds[f.scope] for f in schema.features if f.scope != "session"}
        self._stocks = Correlations(list(of_stocks), list(of_stocks.values()))
        self._sessions = Correlations(list(self._fitted), [self._clip] * len(self._fitted))

    def add(self, frame: pl.DataFrame) -> None:
        """Adds a month's features."""
        by_session = frame.unique("Date", keep="first", maintain_order=True)
        self._sessions.add(
            np.column_stack(
                [
                    standardise(by_session[name].to_numpy().astype(np.float64), fitted, self._clip)
                    for name, fitted in self._fitted.items()
                ]
            )
        )
        for day in by_session["Date"]:
            if self._sessions_seen % _EVERY == _EVERY - 1:
                rows = frame.filter(pl.col("Date") == day).select(self._stocks.names)
                self._stocks.add(rows.gather_every(-(-rows.height // _STOCKS)).to_numpy())
            self._sessions_seen += 1

    def above(self, bound: float) -> list[Pair]:
        """Pairs whose absolute correlation exceeds the bound."""
        return [*self._stocks.above(bound), *self._sessions.above(bound)]


class Correlations:
    """Pairwise Pearson correlations of columns, each over the rows in which both have a value.

    Shape letters: N rows, C columns.
    """

    def __init__(self, names: Sequence[str], bounds: Sequence[float]) -> None:
        """Column names, and the largest absolute value of each column."""
        self.names, self._factor_C = names, _SCALE / np.array(bounds, np.float64)
        self._rows_CC, self._sum_CC, self._square_CC, self._product_CC = np.zeros((4, len(names), len(names)))

    def add(self, values_NC: npt.NDArray[np.floating]) -> None:
        """Adds rows; at most 2^23 in total, so that the sums are exact."""
        scaled_NC = np.clip(np.rint(values_NC * self._factor_C), -_SCALE, _SCALE)
        known_NC = (~np.isnan(scaled_NC)).astype(np.float64)
        whole_NC = np.where(np.isnan(scaled_NC), 0.0, scaled_NC)
        self._rows_CC += known_NC.T @ known_NC
        self._sum_CC += whole_NC.T @ known_NC
        self._square_CC += (whole_NC * whole_NC).T @ known_NC
        self._product_CC += whole_NC.T @ whole_NC

    def above(self, bound: float) -> list[Pair]:
        """Pairs whose absolute correlation exceeds the bound, in the order of the columns."""
        correlation_CC = np.triu(np.nan_to_num(self._correlation()), 1)
        return [
            (self.names[one], self.names[other], float(correlation_CC[one, other]))
            for one, other in np.argwhere(np.abs(correlation_CC) > bound)
        ]

    def _correlation(self) -> Floats:
        """[C, C] correlations; NaN if there are too few rows or one of the two columns is constant in them."""
        rows_CC = np.where(self._rows_CC >= _MIN_ROWS, self._rows_CC, np.nan)
        spread_CC = self._square_CC - self._sum_CC * self._sum_CC / rows_CC
        covariance_CC = self._product_CC - self._sum_CC * self._sum_CC.T / rows_CC
        variance_CC = np.where((spread_CC > 0) & (spread_CC.T > 0), spread_CC * spread_CC.T, np.nan)
        return covariance_CC / np.sqrt(variance_CC)
