"""Skill of every single feature: its RankIC with each target, and with the return of one session at lags 0, 1 and 2.

Measured on the training split, on at most `SESSIONS` sessions at equal distances, so that time and memory are bounded:
the targets of these sessions are kept (1.4 million rows for 3,800 stocks), the features are read one month at a time.

Ranks are half-integers, so that all products and sums are exact in float64, and equal in any order of summation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset.schema import Schema, target_name

Floats = npt.NDArray[np.float64]

SESSIONS = 120
"""Most sessions that are measured. The RankIC of noise then has a standard error of 0.01 with 100 stocks."""
LAGS = (0, 1, 2)
"""Sessions from a feature to the start of the return of one session."""
MIN_STOCKS = 10
"""Fewest stocks of a session, as for the RankIC of a model."""
_ERRORS = 3.0
"""Standard errors between a RankIC and its certain part."""


class FeatureSkill:
    """RankIC of the features per stock. Shape letters: F features, K targets, S stocks of a session."""

    def __init__(self, schema: Schema, split: dict[str, Any]) -> None:
        """
        Args:
            split: the content of `split.json`.
        """
        self.names = [feature.name for feature in schema.features if feature.scope != "session"]
        self._lags = LAGS if 1 in schema.horizons else ()
        self._horizons = tuple(horizon for horizon in schema.horizons if horizon != 1)
        self._first, self._last = (np.datetime64(split["train"][end]) for end in ("first", "last"))
        self._step = math.ceil(split["train"]["sessions"] / SESSIONS)
        self._step += self._step % 5 == 0  # not the same weekday each time
        self._sessions_seen = 0
        self._open: list[tuple[Any, pl.DataFrame]] = []
        self._targets: dict[Any, pl.DataFrame] = {}
        shape = len(self.names), len(self._lags) + len(self._horizons)
        self._count_FK, self._sum_FK, self._square_FK = np.zeros((3, *shape))

    def add_targets(self, frame: pl.DataFrame) -> None:
        """Adds a month's targets; all months of targets come before the first of features."""
        for (day,), rows in frame.sort("Date", "Code").group_by("Date", maintain_order=True):
            if not self._first <= np.datetime64(day) <= self._last:
                continue
            known = rows.select("Code", next=pl.col(target_name(1))) if self._lags else rows.select("Code")
            if self._sessions_seen % self._step == 0:
                own = rows.select("Code", *(pl.col(target_name(h)).alias(f"horizon_{h}") for h in self._horizons))
                self._open.append((day, own))
            self._sessions_seen += 1
            self._open = [self._extended(*each, known) for each in self._open]
            self._open = [each for each in self._open if not self._closed(*each)]

    def _extended(self, day: Any, own: pl.DataFrame, known: pl.DataFrame) -> tuple[Any, pl.DataFrame]:
        """A session's targets with the returns of the next lag."""
        lag = sum(name.startswith("lag_") for name in own.columns)
        if lag < len(self._lags):
            own = own.join(known.rename({"next": f"lag_{lag}"}), on="Code", how="left", maintain_order="left")
        return day, own

    def _closed(self, day: Any, own: pl.DataFrame) -> bool:
        """Keeps a session whose lags are complete; those at the end of training are left out."""
        complete = sum(name.startswith("lag_") for name in own.columns) == len(self._lags)
        if complete:
            self._targets[day] = own.select("Code", *self._columns)
        return complete

    @property
    def _columns(self) -> list[str]:
        return [f"lag_{lag}" for lag in self._lags] + [f"horizon_{horizon}" for horizon in self._horizons]

    def add(self, frame: pl.DataFrame) -> None:
        """Adds a month's features."""
        for (day,), rows in frame.select("Date", "Code", *self.names).group_by("Date", maintain_order=True):
            if day not in self._targets:
                continue
            both = rows.join(self._targets[day], on="Code", how="inner", maintain_order="left")
            ranked = both.select(pl.col(*self.names, *self._columns).fill_nan(None).rank("average"))
            rank_SC = ranked.cast(pl.Float64).fill_null(math.nan).to_numpy()
            self._add(rank_SC[:, : len(self.names)], rank_SC[:, len(self.names) :])

    def _add(self, feature_SF: Floats, target_SK: Floats) -> None:
        """Adds a session's Pearson correlations of the ranks over the stocks that have both.

        With values missing in one of the two it is Spearman's correlation except for the gaps in the ranks.
        """
        has_FS, has_SK = (~np.isnan(feature_SF)).T.astype(np.float64), (~np.isnan(target_SK)).astype(np.float64)
        x_FS, y_SK = np.nan_to_num(feature_SF).T, np.nan_to_num(target_SK)
        n_FK, x_FK, y_FK = has_FS @ has_SK, x_FS @ has_SK, has_FS @ y_SK
        x_spread_FK = n_FK * ((x_FS * x_FS) @ has_SK) - x_FK * x_FK
        y_spread_FK = n_FK * (has_FS @ (y_SK * y_SK)) - y_FK * y_FK
        defined_FK = (n_FK >= MIN_STOCKS) & (x_spread_FK > 0) & (y_spread_FK > 0)
        norm_FK = np.sqrt(np.where(defined_FK, x_spread_FK, 1.0)) * np.sqrt(np.where(defined_FK, y_spread_FK, 1.0))
        rank_ic_FK = np.where(defined_FK, (n_FK * (x_FS @ y_SK) - x_FK * y_FK) / norm_FK, 0.0)
        self._count_FK += defined_FK
        self._sum_FK += rank_ic_FK
        self._square_FK += rank_ic_FK * rank_ic_FK

    @property
    def targets(self) -> list[tuple[int, int]]:
        """The K targets: lag and horizon in sessions."""
        return [(lag, 1) for lag in self._lags] + [(0, horizon) for horizon in self._horizons]

    @property
    def rank_ic_FK(self) -> Floats:
        """Mean RankIC; NaN without a session."""
        return np.divide(self._sum_FK, self._count_FK, out=np.full_like(self._sum_FK, np.nan), where=self._count_FK > 0)

    @property
    def certain_FK(self) -> Floats:
        """Absolute RankIC less three standard errors, at least 0; of overlapping targets only every h-th counts."""
        overlap_K = np.array([math.ceil(horizon / self._step) for _, horizon in self.targets])
        independent_FK = self._count_FK / overlap_K
        mean_FK = np.nan_to_num(self.rank_ic_FK)
        variance_FK = np.maximum(self._square_FK / np.maximum(self._count_FK, 1) - mean_FK * mean_FK, 0.0)
        error_FK = np.sqrt(variance_FK / np.maximum(independent_FK - 1, 1))
        return np.where(independent_FK >= 2, np.maximum(np.abs(mean_FK) - _ERRORS * error_FK, 0.0), 0.0)
