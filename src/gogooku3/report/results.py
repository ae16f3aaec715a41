"""Reads all outputs of a run that its page shows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.config.train import LAST_PHASE
from gogooku3.dataset.schema import Schema
from gogooku3.errors import DataError
from gogooku3.evaluation.predictions import Predictions, read_predictions
from gogooku3.metrics.split_file import table_of
from gogooku3.package.lineage import Parent, read_lineage
from gogooku3.runtime.files import sha256_file

SPLIT = "test"
"""The split that the page reports; validation, on which models are chosen, is only shown next to it in a table."""


@dataclass(frozen=True, eq=False)
class WalkForward:
    """The test periods of all folds, joined to one series."""

    metrics: dict[str, Any]
    """The table of `metrics/walk_forward.json`."""
    tracks: pl.DataFrame
    """`Date`, `track`, `cumulative_net` of the model and its baselines."""


@dataclass(frozen=True, eq=False)
class Results:
    """The outputs of a run."""

    params: dict[str, Any]
    """`params.yaml` without section `card`."""
    validation: dict[str, Any]
    """`gogooku3.evaluation.evaluate.Evaluation.metrics`."""
    test: dict[str, Any]
    """`gogooku3.evaluation.evaluate.Evaluation.metrics`."""
    details: dict[str, Any]
    """The other numbers and series of the test split (`gogooku3.evaluation.details.details`)."""
    baselines: dict[str, Any]
    """By name, on the test split (`gogooku3.evaluation.baseline_comparison`)."""
    sessions: pl.DataFrame
    """Portfolio and RankIC by session, on the test split."""
    tracks: pl.DataFrame
    """`Date`, `track`, `cumulative_net` of the model and its baselines."""
    rank_ic: pl.DataFrame
    """`Date`, `horizon`, `rank_ic`, `mean_20`."""
    training: dict[str, pl.DataFrame]
    """Learning curves by phase, in order (`gogooku3.training.history.History.write_curve`)."""
    predictions: Predictions
    """Scores and targets of the test split."""
    quality: dict[str, Any]
    """`data_quality.json`."""
    split: dict[str, Any]
    """`split.json` of the dataset."""
    schema: Schema
    parent: Parent | None
    """The release that training started from; None from scratch."""
    environment: dict[str, Any]
    """The environment in which training is bitwise reproducible."""
    attribution: dict[str, Any] | None
    """`metrics/attribution.json`; None if the stage was not run."""
    walk_forward: WalkForward | None
    """None if `evaluation.scheme` has no walk-forward."""
    sectors: dict[str, str]
    """Sector by stock code."""
    hashes: dict[str, str]
    """SHA-256 by file."""

    @property
    def horizons(self) -> list[str]:
        """Horizons of the scores in sessions, as the keys of the metrics."""
        return list(self.test["rank_ic"])

    @property
    def trained(self) -> list[str]:
        """The phases with at least one epoch; the others pass their weights on unchanged."""
        return [phase for phase, curve in self.training.items() if (curve["epoch"] >= 0).any()]

    @property
    def idle(self) -> list[str]:
        """The phases that add nothing: no epoch was better than the start, whose weights they pass on."""
        kept = {phase: self.training[phase].filter(pl.col("kept") == 1) for phase in self.trained}
        return [phase for phase, row in kept.items() if (row["epoch"] < 0).any()]

    @property
    def traded(self) -> str:
        """The horizon whose scores the portfolio trades."""
        return str(self.params["evaluation"]["portfolio"]["horizon"])


def read_results(root: Path, params: Params) -> Results:
    """Reads the outputs of the previous stages in a working tree.

    Raises:
        DataError: an output is missing or cannot be read.
        MismatchError: the dataset does not match its schema or table of contents.
    """
    parameters = {name: values for name, values in asdict(params).items() if name != "card"}
    model = root / params.train.stages.model
    attribution = root / paths.ATTRIBUTION
    hashed = (paths.DATASET / "contents.json", paths.PREDICTIONS)
    return Results(
        params=parameters,
        validation=table_of(_json(root / paths.metrics_of("validation"))),
        test=table_of(_json(root / paths.metrics_of(SPLIT))),
        details=_json(root / paths.details_of(SPLIT)),
        baselines=_json(root / paths.BASELINE_METRICS)[SPLIT],
        sessions=_csv(root / paths.sessions_of(SPLIT)),
        tracks=_csv(root / paths.plot_of("baselines")),
        rank_ic=_csv(root / paths.plot_of("rank_ic")),
        training={phase: _csv(root / paths.learning_curve(phase)) for phase in parameters["train"]["phases"]},
        predictions=read_predictions(root, SPLIT),
        quality=_json(root / paths.QUALITY_SUMMARY),
        split=_json(root / paths.DATASET / "split.json"),
        schema=Schema.read(root / paths.DATASET / "schema.json"),
        parent=read_lineage(root / paths.PARENT),
        environment=_json(root / paths.model_of(LAST_PHASE) / "history.json")["environment"],
        attribution=_json(attribution) if attribution.is_file() else None,
        walk_forward=None if params.evaluation.scheme == "split" else _walk_forward(root),
        sectors=_sectors(root),
        hashes={"model.safetensors": sha256_file(_existing(model / "model.safetensors"))}
        | {path.name: sha256_file(_existing(root / path)) for path in hashed},
    )


def _walk_forward(root: Path) -> WalkForward:
    metrics = table_of(_json(root / paths.metrics_of("walk_forward")))
    return WalkForward(metrics, _csv(root / paths.plot_of("walk_forward")))


def _sectors(root: Path) -> dict[str, str]:
    listed = pl.read_parquet(_existing(root / paths.QUOTES / "listed.parquet"), columns=["Code", "Sector33"])
    return dict(listed.iter_rows())


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"`{path}` does not exist", hint="run `dvc repro`, or fetch it with `dvc pull`")
    return path


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_existing(path).read_text(encoding="utf-8"))
    return content


def _csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(_existing(path), try_parse_dates=True)
