"""Scores of a model and of the members of an ensemble, as arrays and as `data/predictions.parquet`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from gogooku3.panel.panel import Panel, Targets
from gogooku3.panel.table import to_arrays, to_frame

OF_MEMBERS = r"^score_\d+_seed_\d+$"
"""Pattern of the columns of members, for a selection in Polars."""

_MEMBER = re.compile(r"score_\d+_seed_(\d+)")


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of T sessions, S stocks and H horizons; NaN where a stock has no bar."""

    model_TSH: np.ndarray
    members: dict[int, np.ndarray]
    """The scores of each member of an ensemble, by its seed, in the same layout; none for a single network."""

    def rows(self, rows: slice) -> Scores:
        """Those of some sessions."""
        return Scores(self.model_TSH[rows], {seed: scores[rows] for seed, scores in self.members.items()})

    def frame(self, panel: Panel, first: int) -> pl.DataFrame:
        """`Date`, `Code`, `score_<horizon>`, and for each member `score_<horizon>_seed_<seed>`; one row per bar.

        Args:
            first: index of the first session.
        """
        frame = to_frame(panel, self.model_TSH, first)
        for seed, scores_TSH in self.members.items():
            columns = to_frame(panel, scores_TSH, first).select(pl.exclude("Date", "Code").name.suffix(f"_seed_{seed}"))
            frame = frame.hstack(columns)
        return frame


def from_frame(targets: Targets, frame: pl.DataFrame) -> Scores:
    """The scores of a frame that `Scores.frame` made, in all sessions of the targets."""
    seeds = dict.fromkeys(int(found[1]) for name in frame.columns if (found := _MEMBER.fullmatch(name)))

    def arrays(suffix: str = "") -> np.ndarray:
        columns = [f"score_{horizon}{suffix}" for horizon in targets.horizons]
        return to_arrays(targets, frame, columns).astype(np.float32)

    return Scores(arrays(), {seed: arrays(f"_seed_{seed}") for seed in seeds})
