"""Batch sampler: which sessions and stocks make up each training step.

A batch is a block of consecutive sessions times a randomly drawn group of stocks. The shuffled order of an epoch is a
pure function of (seed, phase, epoch), so resuming mid-epoch needs no stored sampler state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gogooku3.config.train import Recipe
from gogooku3.errors import DataError
from gogooku3.panel.panel import Panel
from gogooku3.runtime.numerics import generator
from gogooku3.training.fingerprint import short_hash


@dataclass(frozen=True)
class Batch:
    """Sessions (index of the first, count) and stocks (indices) of one step."""

    first: int
    sessions: int
    stocks_S: np.ndarray

    @property
    def samples(self) -> int:
        """Sessions times stocks."""
        return self.sessions * len(self.stocks_S)

    def shards(self, count: int) -> list[np.ndarray]:
        """The stocks split into `count` shards; the first ones may have one stock more.

        Raises:
            DataError: there are fewer stocks than shards.
        """
        if len(self.stocks_S) < count:
            raise DataError(
                f"a batch has {len(self.stocks_S)} stocks, fewer than its {count} shards (`numerics.shares`)",
                hint="lower `numerics.shares`, or check the first sessions of the train split",
            )
        return np.array_split(self.stocks_S, count)

    def span(self, panel: Panel) -> tuple[str, str]:
        """Dates of the first and last session."""
        return str(panel.sessions[self.first]), str(panel.sessions[self.first + self.sessions - 1])

    def fingerprint(self, panel: Panel) -> str:
        """Short hash of the session dates and stock codes, independent of their indices in the panel."""
        codes = (panel.codes[stock] for stock in self.stocks_S)
        return short_hash("\0".join((*self.span(panel), *codes)).encode())


def plan(panel: Panel, recipe: Recipe, phase: str, epoch: int) -> list[Batch]:
    """The shuffled batches of an epoch: each session of the train split once with each stock that trades in it, except
    for incomplete blocks and groups at the edges, which are dropped and differ from epoch to epoch.

    Raises:
        DataError: the train split is shorter than a batch.
    """
    first, last = panel.split["train"]
    sessions = recipe.batch_sessions
    length = last - first + 1
    if length < sessions:
        raise DataError(
            f"the train split has {length} sessions, a batch takes {sessions}"
            f" (`batch_size` {recipe.batch_size} / `batch_stocks` {recipe.batch_stocks})",
            hint="lower `train.recipe.batch_size`, raise `batch_stocks`, or lengthen the train split",
        )
    random = generator(recipe.seed, "batches", phase, epoch)
    offset = int(random.integers(length % sessions + 1))
    batches = [
        Batch(start, sessions, stocks_S)
        for start in range(first + offset, last - sessions + 2, sessions)
        for stocks_S in _groups(panel, start, sessions, recipe.batch_stocks, random)
    ]
    return [batches[i] for i in random.permutation(len(batches))]


def _groups(panel: Panel, first: int, sessions: int, size: int, random: np.random.Generator) -> list[np.ndarray]:
    """Groups of `size` stocks, drawn without replacement from those that trade in a block; one group if there are no
    more than `size`."""
    trading_S = np.flatnonzero(panel.present_TS[first : first + sessions].any(axis=0))
    if len(trading_S) <= size:
        return [trading_S]
    drawn_S = random.permutation(trading_S)
    return [np.sort(drawn_S[i : i + size]) for i in range(0, len(drawn_S) - size + 1, size)]
