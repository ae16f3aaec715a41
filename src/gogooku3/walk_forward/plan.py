"""Walk-forward plan: the training, validation and test sessions of each fold, separated by an embargo.

Example with 480 training, 60 validation and 60 test sessions and an embargo of 20: fold 1 trains on sessions 0 … 479,
validates on 500 … 559 and tests on 580 … 639. Fold 2 tests on 640 … 699, and its other sessions are 60 later too; with
`expanding`, its training still starts at session 0. The targets of session 479 end with the close of session 499 at
the latest, so no fold trains on a price of its validation or test period (no look-ahead).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gogooku3.config.dataset import Split
from gogooku3.config.evaluation import WalkForward
from gogooku3.dataset import splits
from gogooku3.dataset.contents import Contents
from gogooku3.dataset.schema import Schema
from gogooku3.errors import DataError

REPLAN = "rebuild the plan: `dvc repro plan@walk_forward`"


@dataclass(frozen=True)
class Fold:
    """One fold: its number from 1, and the first and last session (inclusive) of `train`, `validation` and `test`."""

    number: int
    spans: dict[str, tuple[int, int]]

    @property
    def test(self) -> slice:
        """The test sessions."""
        return self.rows("test")

    def rows(self, split: str) -> slice:
        """The sessions of a split."""
        first, last = self.spans[split]
        return slice(first, last + 1)

    def as_json(self, sessions: NDArray[np.datetime64]) -> dict[str, Any]:
        """The content of `data/folds/plan/<number>.json`."""
        return {"fold": self.number, **splits.named(self.spans, sessions)}


def sessions_of(dataset: Path) -> NDArray[np.datetime64]:
    """The sessions of a dataset, ascending; raises `DataError` if the folder is not a dataset."""
    months = Contents.read(dataset).names("targets")
    days = pl.concat(pl.read_parquet(dataset / month, columns=["Date"]).unique() for month in months)
    return days["Date"].unique().sort().to_numpy().astype("datetime64[D]")


def plan(sessions: NDArray[np.datetime64], schema: Schema, walk: WalkForward, split: Split) -> list[Fold]:
    """The folds of `evaluation.walk_forward.folds` on the sessions of a dataset; raises like `plan_folds`."""
    lookback = max(column.lookback for column in schema.features)
    return plan_folds(sessions, walk, split, horizon=max(schema.horizons), lookback=lookback)


def plan_folds(
    sessions: NDArray[np.datetime64], walk: WalkForward, split: Split, *, horizon: int, lookback: int
) -> list[Fold]:
    """The folds on some sessions, for the longest horizon and the longest lookback of a feature.

    Raises:
        DataError: a fold has no test session, or too few training or validation sessions.
    """
    start = int(np.searchsorted(sessions, np.datetime64(split.train_from, "D")))
    fitting = folds_that_fit(len(sessions) - start, walk, split.embargo)
    if walk.folds[-1] > fitting:
        raise DataError(
            f"fold {walk.folds[-1]} of `evaluation.walk_forward.folds` has no session to test: from {split.train_from}"
            f" on there are {len(sessions) - start} sessions, and {fitting} folds fit (train {walk.train} + embargo"
            f" {split.embargo} + validation {walk.validation} + embargo {split.embargo}, then tests of {walk.test})",
            hint="choose folds that fit (`-S 'evaluation.walk_forward.folds=[1,2]'`), or shorten their splits",
        )
    folds = [_fold(number, start, len(sessions), walk, split.embargo) for number in walk.folds]
    for fold in folds:
        _refuse_short(fold, horizon, lookback)
    return folds


def folds_that_fit(sessions: int, walk: WalkForward, embargo: int) -> int:
    """Number of folds with at least one test session."""
    tested = sessions - (walk.train + embargo + walk.validation + embargo)
    return -(-max(tested, 0) // walk.test)


def read_plan(folder: Path, sessions: NDArray[np.datetime64], horizon: int) -> list[Fold]:
    """Reads the folds of a plan, ordered by number.

    Args:
        folder: folder with `<number>.json` of each fold.
        sessions: sessions of the dataset.
        horizon: the longest horizon.

    Raises:
        DataError: the folder has no folds, a fold is of another dataset, its targets reach into the next split
            (leakage), or two folds test the same session.
    """
    paths = sorted(folder.glob("*.json"), key=lambda path: int(path.stem))
    if not paths:
        raise DataError(f"`{folder}` has no folds", hint=REPLAN)
    folds = [Fold(int(path.stem), splits.read(path, sessions)) for path in paths]
    for fold in folds:
        splits.refuse_leakage(fold.spans, horizon, f"fold {fold.number}")
    _refuse_overlap(folds, sessions)
    return folds


def _fold(number: int, start: int, end: int, walk: WalkForward, embargo: int) -> Fold:
    train_from = start + (number - 1) * walk.test
    validation_from = train_from + walk.train + embargo
    test_from = validation_from + walk.validation + embargo
    return Fold(
        number,
        {
            "train": (start if walk.expanding else train_from, train_from + walk.train - 1),
            "validation": (validation_from, validation_from + walk.validation - 1),
            "test": (test_from, min(test_from + walk.test, end) - 1),
        },
    )


def _refuse_short(fold: Fold, horizon: int, lookback: int) -> None:
    """Refuses a fold whose training or validation has too few sessions with complete lookback and targets."""
    train, validation = fold.spans["train"], fold.spans["validation"]
    usable = {
        "train": train[1] - max(train[0], lookback - 1) + 1,
        "validation": validation[1] - validation[0] + 1,
    }
    needed = horizon + splits.MIN_SESSIONS
    for name, sessions in usable.items():
        if sessions < needed:
            raise DataError(
                f"fold {fold.number} has {max(sessions, 0)} usable {name} sessions and needs {needed} (horizon"
                f" {horizon} + {splits.MIN_SESSIONS}); training sessions count after a lookback of {lookback}",
                hint=f"raise `evaluation.walk_forward.{name}`",
            )


def _refuse_overlap(folds: Sequence[Fold], sessions: NDArray[np.datetime64]) -> None:
    fold_of_T = np.zeros(len(sessions), np.intp)
    for fold in folds:
        overlap = np.flatnonzero(fold_of_T[fold.test])
        if len(overlap):
            row = fold.test.start + overlap[0]
            raise DataError(
                f"folds {fold_of_T[row]} and {fold.number} both test {sessions[row]}: its returns would count twice",
                hint=REPLAN,
            )
        fold_of_T[fold.test] = fold.number
