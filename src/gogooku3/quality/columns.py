"""Statistics of the feature columns, collected month by month: missing, clipped, constant and duplicate values."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset.schema import Column, Schema
from gogooku3.quality.bar_counts import Counts

Floats = npt.NDArray[np.float64]


class Columns:
    """Counts of every feature in every month.

    Shape letters: M calendar months, F features.
    """

    def __init__(self, schema: Schema, preprocess: dict[str, Any], months: int) -> None:
        self._features = schema.features
        self._clip, self._fitted = float(preprocess["clip"]), preprocess["session"]
        self._digests = [hashlib.sha256() for _ in self._features]
        shape = months, len(self._features)
        self.rows_M: Counts = np.zeros(months, np.int64)
        self.known_MF: Counts = np.zeros(shape, np.int64)
        """Known (not missing) values."""
        self.due_MF: Counts = np.zeros(shape, np.int64)
        """Expected values: rows whose stock has had at least as many bars as the feature's lookback."""
        self.lost_MF: Counts = np.zeros(shape, np.int64)
        """Expected values that are missing."""
        self.clipped_MF: Counts = np.zeros(shape, np.int64)
        """Values at the bounds of clipping; 0 for ranks."""
        self.low_MF: npt.NDArray[np.float32] = np.full(shape, np.nan, np.float32)
        """The lowest value; NaN if there is none."""
        self.high_MF: npt.NDArray[np.float32] = np.full(shape, np.nan, np.float32)
        """The highest value."""

    def add(self, month: int, frame: pl.DataFrame, age: Counts) -> None:
        """Adds a month's features.

        Args:
            age: number of bars so far of each row's stock.
        """
        self.rows_M[month] = frame.height
        due_of = {lookback: age >= lookback for lookback in {feature.lookback for feature in self._features}}
        for index, feature in enumerate(self._features):
            values = frame[feature.name].to_numpy()
            missing, due = np.isnan(values), due_of[feature.lookback]
            cell = month, index
            self.known_MF[cell] = frame.height - np.count_nonzero(missing)
            self.due_MF[cell] = np.count_nonzero(due)
            self.lost_MF[cell] = np.count_nonzero(missing & due)
            self.clipped_MF[cell] = self._clipped(values, feature)
            self.low_MF[cell] = np.fmin.reduce(values, initial=np.nan)
            self.high_MF[cell] = np.fmax.reduce(values, initial=np.nan)
            self._digests[index].update(values.data)

    def _clipped(self, values: npt.NDArray[np.float32], feature: Column) -> int:
        if feature.scope == "rank":
            return 0
        if feature.scope == "stock":
            return int(np.count_nonzero(np.abs(values) >= np.float32(self._clip)))
        fitted = self._fitted[feature.name]
        return int(np.count_nonzero(np.abs(values - fitted["mean"]) >= self._clip * fitted["std"]))

    @property
    def identical(self) -> list[list[int]]:
        """Groups of features with the same values in every row, without dead and constant features."""
        groups: dict[bytes, list[int]] = {}
        for index in np.flatnonzero(~(self.dead_F | self.constant_F)):
            groups.setdefault(self._digests[index].digest(), []).append(int(index))
        return [group for group in groups.values() if len(group) > 1]

    @property
    def dead_F(self) -> npt.NDArray[np.bool_]:
        """True if no row has a value."""
        return np.asarray(self.known_MF.sum(axis=0) == 0)

    @property
    def constant_F(self) -> npt.NDArray[np.bool_]:
        """True if all values are equal."""
        return np.asarray(self.low_F == self.high_F)

    @property
    def low_F(self) -> npt.NDArray[np.float32]:
        """The lowest value of all months; NaN if there is none."""
        return np.asarray(np.fmin.reduce(self.low_MF, axis=0))

    @property
    def high_F(self) -> npt.NDArray[np.float32]:
        """The highest value of all months; NaN if there is none."""
        return np.asarray(np.fmax.reduce(self.high_MF, axis=0))

    @property
    def lost_share_MF(self) -> Floats:
        """Share of the expected values that are missing; NaN if none is expected."""
        return ratio(self.lost_MF, self.due_MF)

    @property
    def clipped_share_MF(self) -> Floats:
        """Share of the values at the bounds of clipping; NaN if there are no values."""
        return ratio(self.clipped_MF, self.known_MF)


def ratio(part: Counts, whole: Counts) -> Floats:
    """part / whole; NaN if the whole is 0."""
    shares: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
    return shares
