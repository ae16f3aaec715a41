"""Scores the last sessions of a history with a packaged model: the engine of `gogooku3 score` and of the library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import torch

from gogooku3.assembly.history import History
from gogooku3.config import Params
from gogooku3.config.dataset import Dataset
from gogooku3.config.numerics import Numerics
from gogooku3.dataset.schema import Schema
from gogooku3.errors import DataError, MismatchError
from gogooku3.features.registry import chosen
from gogooku3.model.ensemble import Model
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.scoring import score
from gogooku3.model.weights import load
from gogooku3.package.golden import max_golden_difference
from gogooku3.package.manifest import check_manifest
from gogooku3.panel.panel import Panel
from gogooku3.panel.table import to_frame
from gogooku3.serving.parameters import require_same
from gogooku3.serving.recent import RecentSessions, with_joined


@dataclass(frozen=True, eq=False)
class Scored:
    """The scores of consecutive sessions, the last of the history among them."""

    panel: Panel
    """The sessions that were read: T of them, S stocks that ever had a bar."""
    scores_TSH: np.ndarray
    """float32, NaN without a bar and for the sessions that were not scored."""
    first: int
    """The first scored session among the T."""

    def frame(self, first: int | None = None) -> pl.DataFrame:
        """`Date`, `Code`, `score_<horizon>` from a session on, by default the first scored one; one row per bar."""
        row = self.first if first is None else first
        return to_frame(self.panel, self.scores_TSH[row:], row)

    def row(self, session: np.datetime64) -> int:
        """The position of a session among the T."""
        return int(np.searchsorted(self.panel.sessions, session))


class Scorer:
    """A packaged model, and what its features are computed with."""

    def __init__(self, package: Path, params: Params, model: Model | None = None) -> None:
        """Reads and checks a package.

        Args:
            model: the package's model, if it is loaded already.

        Raises:
            DataError: the package is missing or damaged.
            MismatchError: it does not match its manifest, the parameters are not its own, or this version of the code
                declares its features otherwise (feature ABI).
        """
        check_manifest(package)
        self.package = package
        self.model = load(package) if model is None else model
        self.schema = Schema.read(package / "schema.json")
        self.preprocess: dict[str, Any] = json.loads((package / "preprocess.json").read_text(encoding="utf-8"))
        require_same(params, package, self.schema.as_json(), self.preprocess["clip"])
        self.params = params
        _require_abi(self.schema, params.dataset, package)

    @property
    def window(self) -> int:
        """Sessions of features that a score depends on."""
        return self.model.architecture.backbone.window

    def golden_difference(self, device: torch.device, numerics: Numerics) -> float:
        """Largest difference to the package's golden predictions; 0.0 if they are bitwise reproduced."""
        return max_golden_difference(self.model.to_device(device, numerics), self.package, device)

    def score_bars(
        self,
        history: History,
        first: int,
        device: torch.device,
        numerics: Numerics,
        *,
        stop: int | None = None,
        joined: Path | None = None,
        state: Path | None = None,
    ) -> Scored:
        """Scores sessions of a history, bitwise as `predict` scores the dataset that is built from all of its bars.

        Args:
            history: bars, listing and index; the whole history, from which only the needed sessions are loaded.
            first: index of the first session to score.
            stop: index after the last one; None: all.
            joined: folder of the joined tables; None: that of the parameters.
            state: folder that keeps the features of sessions for the next call; None: nothing is kept.

        Raises:
            DataError: the bars break their schema, a stock is not listed, or a joined table does not match.
        """
        if state is None:
            with TemporaryDirectory(prefix="gogooku3-score-") as folder:
                return self.score_bars(history, first, device, numerics, stop=stop, joined=joined, state=Path(folder))
        dataset = with_joined(self.params.dataset, joined)
        recent = RecentSessions(history, dataset, self.schema, self.preprocess, state)
        stop = len(history.sessions) if stop is None else stop
        panel, begin = recent.panel(first, stop, self.window)
        inputs = PanelOnDevice(panel, self.window, device)
        row = first - begin
        scores_TSH = np.full((*panel.present_TS.shape, len(panel.horizons)), np.nan, np.float32)
        scores_TSH[row:] = score(self.model.to_device(device, numerics), inputs, row, len(panel.sessions) - 1)
        recent.keep_only(panel)
        return Scored(panel, scores_TSH, row)


def require_fitting(model: Model, panel: Panel, package: Path, dataset: Path) -> None:
    """Raises `MismatchError` if a dataset has other features or horizons than a package."""
    architecture = model.architecture
    if panel.abi != architecture.abi or list(panel.horizons) != architecture.horizons:
        raise MismatchError(
            f"the package was trained on feature ABI {architecture.abi[:12]} and horizons {architecture.horizons},"
            f" `{dataset}` has {panel.abi[:12]} and {list(panel.horizons)}",
            hint=f"`gogooku3 verify {package} --dataset {dataset}` lists the columns, and where the right ones are",
        )


def as_day(day: Any) -> np.datetime64:
    """A day from a date, a datetime or a text; raises `DataError` for anything else."""
    try:
        return np.datetime64(day, "D")
    except (ValueError, TypeError):
        raise DataError(f"{day!r} is not a day", hint="write it as 2023-12-01, or give a date") from None


def first_session(history: History, day: Any) -> int:
    """Index of the first session on or after a day; of the last session if `day` is None.

    Raises:
        DataError: no session is that late.
    """
    sessions = history.sessions
    if day is None:
        return len(sessions) - 1
    first = int(np.searchsorted(sessions, as_day(day)))
    if first == len(sessions):
        raise DataError(
            f"the bars have no session from {day} on; they run from {sessions[0]} to {sessions[-1]}",
            hint="choose an earlier first day, or get newer bars",
        )
    return first


def _require_abi(own: Schema, dataset: Dataset, package: Path) -> None:
    """Refuses a package whose features this version of the code does not compute."""
    here = Schema(tuple(feature.column for feature in chosen(dataset)), own.horizons, own.neighbours)
    if here.abi != own.abi:
        raise MismatchError(
            f"`{package}` has the feature ABI {own.abi[:12]}, and this version of gogooku3 computes {here.abi[:12]}"
            f" from its parameters ({len(own.features)} and {len(here.features)} features)",
            hint="score with the version of gogooku3 that made the package, or name its own `params.yaml`",
        )
