"""Values that become known session by session, and what of them is known at each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset.elementwise import Floats


@dataclass(frozen=True, eq=False)
class AsOf:
    """The published values of one quantity, in the order in which they became known: R rows, code by code."""

    rows: dict[str, slice]
    """Where each code's stand."""
    first_R: npt.NDArray[np.datetime64]
    """The first session that knows the value."""
    last_R: npt.NDArray[np.datetime64]
    """The last session for which it stands, unless a later value is known."""
    value_R: Floats

    @classmethod
    def of(
        cls, published: pl.DataFrame, sessions: npt.NDArray[np.datetime64], lag: int, stale_after: int | None
    ) -> AsOf:
        """Finds for each value the sessions for which it stands.

        Example: with a lag of 1, a value that is published on a Friday is known from Monday's session on, and so is
        one that is published on the Saturday or on the Sunday after it.

        Args:
            published: `Code`, `Published` (day) and `Value`, of which no day stands twice for a code.
            sessions: all of history, rising; a value that none of them knows is left out.
            lag: sessions from the day of publication to the first that knows the value; 0: that day's own session, or
                the next one.
            stale_after: sessions for which a value stands; None: until the next.
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
        """[T, S] the last value known at each session's close; NaN where there is none, or it is stale."""
        held = [(column, self.rows[code]) for column, code in enumerate(codes) if code in self.rows]
        if not held:
            return np.full((len(sessions), len(codes)), np.nan)
        row_N = np.concatenate([np.arange(rows.start, rows.stop) for _, rows in held])
        column_N = np.concatenate([np.full(rows.stop - rows.start, column) for column, rows in held])
        session_N = np.searchsorted(sessions, self.first_R[row_N])  # what was known before the first, is at the first
        later_N = session_N == len(sessions)
        place_TS = np.full((len(sessions), len(codes)), -1)
        place_TS[session_N[~later_N], column_N[~later_N]] = row_N[~later_N]  # of several, the last stands
        place_TS = np.maximum.accumulate(place_TS, axis=0)
        stands_TS = (place_TS >= 0) & (sessions[:, None] <= self.last_R[place_TS])
        return np.where(stands_TS, self.value_R[place_TS], np.nan)
