"""Statistics of the targets (forward returns), collected month by month: known, impossible and extreme values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset.schema import Schema, target_name
from gogooku3.quality.bar_counts import BarCounts, Counts
from gogooku3.quality.columns import Floats, ratio

JUMP = 0.5
"""A return over the shortest horizon beyond ± this is reported: it may be an unadjusted split."""


class Targets:
    """Target counts. Shape letters: M calendar months, H horizons."""

    def __init__(self, schema: Schema, bar_counts: BarCounts) -> None:
        self._horizons, self._bar_counts = schema.horizons, bar_counts
        self._sessions = len(bar_counts.bars_T)
        shape = len(bar_counts.stocks_M), len(schema.horizons)
        self.due_MH: Counts = np.zeros(shape, np.int64)
        """Expected targets: rows whose later session is in the dataset."""
        self.known_MH: Counts = np.zeros(shape, np.int64)
        """Expected targets that are known."""
        self.impossible_MH: Counts = np.zeros(shape, np.int64)
        """Returns that are infinite or below −100 %."""
        self.jumps_M: Counts = np.zeros(shape[0], np.int64)
        """Returns over the shortest horizon beyond ±`JUMP`."""

    def add(self, month: int, frame: pl.DataFrame) -> None:
        """Adds a month's targets."""
        session = self._bar_counts.position(frame["Date"])
        for index, horizon in enumerate(self._horizons):
            values: npt.NDArray[np.float32] = frame[target_name(horizon)].to_numpy()
            due, known = session + horizon < self._sessions, ~np.isnan(values)
            cell = month, index
            self.due_MH[cell] = np.count_nonzero(due)
            self.known_MH[cell] = np.count_nonzero(due & known)
            self.impossible_MH[cell] = np.count_nonzero(np.isinf(values) | (values < -1.0))
            if index == 0:
                self.jumps_M[month] = np.count_nonzero(np.abs(values) > JUMP)

    @property
    def known_share_MH(self) -> Floats:
        """Known share of the expected targets; NaN if none is expected."""
        return ratio(self.known_MH, self.due_MH)
