"""Inference: scores a dataset with a package, after integrity and compatibility checks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from gogooku3.config.numerics import Numerics
from gogooku3.errors import DataError, MismatchError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import prepare
from gogooku3.model.scoring import score
from gogooku3.model.weights import load
from gogooku3.package.golden import max_golden_difference
from gogooku3.package.manifest import check_manifest
from gogooku3.panel.panel import Panel, read_panel
from gogooku3.panel.table import to_frame


@dataclass(frozen=True)
class Predictions:
    """Scores of some sessions."""

    frame: pl.DataFrame
    """Date, Code, `score_<horizon>`; one row per bar."""
    max_golden_difference: float
    """0.0 if the golden predictions are bitwise reproduced, else the largest absolute difference."""


def predict(
    package: Path, dataset: Path, numerics: Numerics, first: date | None = None, last: date | None = None
) -> Predictions:
    """Scores the sessions from `first` to `last` (unbounded if None) of a dataset with a package.

    Raises:
        DataError: package or dataset is missing or corrupt, or the dataset has no session in the range.
        MismatchError: the package does not match its manifest, or was trained on other features.
        MachineError: the device named in the numerics is not available.
    """
    check_manifest(package)
    device = prepare(numerics)
    model = load(package).to_device(device, numerics)
    panel = read_panel(dataset, json.loads((package / "preprocess.json").read_text(encoding="utf-8")))
    if panel.abi != model.architecture.abi or list(panel.horizons) != model.architecture.horizons:
        raise MismatchError(
            f"the package was trained on feature ABI {model.architecture.abi[:12]} and horizons"
            f" {model.architecture.horizons}, `{dataset}` has {panel.abi[:12]} and {list(panel.horizons)}",
            hint=f"`gogooku3 verify {package} --dataset {dataset}` lists the columns, and where the right ones are",
        )
    begin, end = _range(panel, first, last)
    inputs = PanelOnDevice(panel, model.architecture.backbone.window, device)
    return Predictions(
        to_frame(panel, score(model, inputs, begin, end), begin),
        max_golden_difference(model, package, device),
    )


def _range(panel: Panel, first: date | None, last: date | None) -> tuple[int, int]:
    """Indices of the first and the last session between two days, both inclusive."""
    sessions_T = panel.sessions
    begin = 0 if first is None else int(np.searchsorted(sessions_T, np.datetime64(first), side="left"))
    end = len(sessions_T) if last is None else int(np.searchsorted(sessions_T, np.datetime64(last), side="right"))
    if begin >= end:
        raise DataError(
            f"the dataset has no session from {first or 'its start'} to {last or 'its end'};"
            f" it runs from {sessions_T[0]} to {sessions_T[-1]}",
            hint="choose dates within that range",
        )
    return begin, end - 1
