"""The columns of the features, counted month by month: what is missing, clipped, constant, or there twice."""

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
        """Values that are there."""
        self.due_MF: Counts = np.zeros(shape, np.int64)
        """Rows whose stock has had as many bars as the feature looks back on: no reason for a value to be missing."""
        self.lost_MF: Counts = np.zeros(shape, np.int64)
        """Values that are missing and due."""
        self.clipped_MF: Counts = np.zeros(shape, np.int64)
        """Values on the bound that clipping sets; of a rank, none."""
        self.low_MF: npt.NDArray[np.float32] = np.full(shape, np.nan, np.float32)
        """The lowest value; NaN where there is none."""
        self.high_MF: npt.NDArray[np.float32] = np.full(shape, np.nan, np.float32)
        """The highest value."""

    def add(self, month: int, frame: pl.DataFrame, age: Counts) -> None:
        """Takes in a month's features.

        Args:
            age: how many bars each row's stock has had.
        """
        self.rows_M[month] = frame.height
        due_of = {lookback: age >= lookback for lookback in {feature.lookback for feature in self._features}}
        for place, feature in enumerate(self._features):
            values = frame[feature.name].to_numpy()
            missing, due = np.isnan(values), due_of[feature.lookback]
            cell = month, place
            self.known_MF[cell] = frame.height - np.count_nonzero(missing)
            self.due_MF[cell] = np.count_nonzero(due)
            self.lost_MF[cell] = np.count_nonzero(missing & due)
            self.clipped_MF[cell] = self._clipped(values, feature)
            self.low_MF[cell] = np.fmin.reduce(values, initial=np.nan)
            self.high_MF[cell] = np.fmax.reduce(values, initial=np.nan)
            self._digests[place].update(values.data)

    def _clipped(self, values: npt.NDArray[np.float32], feature: Column) -> int:
        if feature.scope == "rank":
            return 0
        if feature.scope == "stock":
            return int(np.count_nonzero(np.abs(values) >= np.float32(self._clip)))
        fitted = self._fitted[feature.name]
        return int(np.count_nonzero(np.abs(values - fitted["mean"]) >= self._clip * fitted["std"]))

    @property
    def identical(self) -> list[list[int]]:
        """Groups of features whose values are the same in every row; those without any value or with one are none."""
        groups: dict[bytes, list[int]] = {}
        for place in np.flatnonzero(~(self.dead_F | self.constant_F)):
            groups.setdefault(self._digests[place].digest(), []).append(int(place))
        return [group for group in groups.values() if len(group) > 1]

    @property
    def dead_F(self) -> npt.NDArray[np.bool_]:
        """True where no row has a value."""
        return np.asarray(self.known_MF.sum(axis=0) == 0)

    @property
    def constant_F(self) -> npt.NDArray[np.bool_]:
        """True where all values are one."""
        return np.asarray(self.low_F == self.high_F)

    @property
    def low_F(self) -> npt.NDArray[np.float32]:
        """The lowest value of all months; NaN where there is none."""
        return np.asarray(np.fmin.reduce(self.low_MF, axis=0))

    @property
    def high_F(self) -> npt.NDArray[np.float32]:
        """The highest value of all months; NaN where there is none."""
        return np.asarray(np.fmax.reduce(self.high_MF, axis=0))

    @property
    def lost_share_MF(self) -> Floats:
        """Share of the values that are due and missing; NaN where none is due."""
        return ratio(self.lost_MF, self.due_MF)

    @property
    def clipped_share_MF(self) -> Floats:
        """Share of the values that stand on the bound; NaN where there is none."""
        return ratio(self.clipped_MF, self.known_MF)


def ratio(part: Counts, whole: Counts) -> Floats:
    """part / whole; NaN where the whole is 0."""
    shares: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
    return shares
