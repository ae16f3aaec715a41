"""As-of join: point-in-time values of a published quantity at each session's close."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset.elementwise import Floats


@dataclass(frozen=True, eq=False)
class AsOf:
    """The published values of one quantity, sorted by code and date: R rows."""

    rows: dict[str, slice]
    """The rows of each code."""
    first_R: npt.NDArray[np.datetime64]
    """The first session that knows the value."""
    last_R: npt.NDArray[np.datetime64]
    """The last session in which the value is valid, if no later value replaces it."""
    value_R: Floats

    @classmethod
    def of(
        cls, published: pl.DataFrame, sessions: npt.NDArray[np.datetime64], lag: int, stale_after: int | None
    ) -> AsOf:
        """Computes the sessions in which each value is valid.

        Example: with a lag of 1, a value published on a Friday is known from Monday's session on, and so is one
        published on the following Saturday or Sunday.

        Args:
            published: `Code`, `Published` (date) and `Value`, one row per code and date.
            sessions: the whole history, ascending; a value that no session knows is dropped.
            lag: sessions from the publication date to the first session that knows the value; 0: the session of that
                date, or the next one.
            stale_after: sessions for which a value is valid; None: until the next value.
        """
        rows = published.sort("Code", "Published")
        day_R = rows["Published"].to_numpy().astype("datetime64[D]")
        before_R, until_R = (np.searchsorted(sessions, day_R, side) for side in ("left", "right"))
        first_R = np.maximum(before_R, until_R - 1 + lag)
        known_R = first_R < len(sessions)
        rows, first_R = rows.filter(known_R), first_R[known_R]
        last_R = np.full(len(first_R), len(sessions) - 1)
        if stale_after is not None:
            last_R = np.minimum(last_R, first_R + stale_after - 1)
        codes = rows["Code"].rle().struct.unnest().with_columns(stop=pl.col("len").cum_sum())
        return cls(
            {code: slice(stop - length, stop) for length, code, stop in codes.iter_rows()},
            sessions[first_R],
            sessions[last_R],
            rows["Value"].to_numpy(),
        )

    def at(self, sessions: npt.NDArray[np.datetime64], codes: tuple[str, ...]) -> Floats:
        """[T, S] the last value known at each session's close; NaN if there is none or it is stale."""
        known = [(column, self.rows[code]) for column, code in enumerate(codes) if code in self.rows]
        if not known:
            return np.full((len(sessions), len(codes)), np.nan)
        row_N = np.concatenate([np.arange(rows.start, rows.stop) for _, rows in known])
        column_N = np.concatenate([np.full(rows.stop - rows.start, column) for column, rows in known])
        session_N = np.searchsorted(sessions, self.first_R[row_N])  # values known earlier start at the first session
        later_N = session_N == len(sessions)
        row_TS = np.full((len(sessions), len(codes)), -1)
        row_TS[session_N[~later_N], column_N[~later_N]] = row_N[~later_N]  # of several in one session, the last
        row_TS = np.maximum.accumulate(row_TS, axis=0)  # forward fill
        valid_TS = (row_TS >= 0) & (sessions[:, None] <= self.last_R[row_TS])
        return np.where(valid_TS, self.value_R[row_TS], np.nan)
