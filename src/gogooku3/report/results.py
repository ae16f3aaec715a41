"""What a run left behind, of all that its page shows."""

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
from gogooku3.package.lineage import Parent, read_lineage
from gogooku3.runtime.files import sha256_file

SPLIT = "test"
"""What the page tells of; validation, on which models are chosen, stands beside it in a table."""


@dataclass(frozen=True, eq=False)
class WalkForward:
    """The tests of all folds as one series."""

    metrics: dict[str, Any]
    """`metrics/walk_forward.json`."""
    tracks: pl.DataFrame
    """`Date`, `track`, `cumulative_net` of the recipe and the baselines."""


@dataclass(frozen=True, eq=False)
class Results:
    """A run, read back."""

    params: dict[str, Any]
    """All of `params.yaml`."""
    validation: dict[str, Any]
    """`gogooku3.evaluation.evaluate.Evaluation.metrics`."""
    test: dict[str, Any]
    """The same."""
    baselines: dict[str, Any]
    """By name, on the test split (`gogooku3.evaluation.baseline_comparison`)."""
    sessions: pl.DataFrame
    """Session by session, on the test split."""
    tracks: pl.DataFrame
    """`Date`, `track`, `cumulative_net` of the model and its baselines."""
    rank_ic: pl.DataFrame
    """`Date`, `horizon`, `rank_ic`, `mean_20`."""
    training: dict[str, pl.DataFrame]
    """By phase, in order: `epoch`, `train_loss`, `validation_rank_ic`."""
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
    """In which training is exact."""
    attribution: dict[str, Any] | None
    """What its skill comes from; None where that was not asked."""
    walk_forward: WalkForward | None
    """None where the scheme asks for none."""
    hashes: dict[str, str]
    """SHA-256 by file."""

    @property
    def horizons(self) -> list[str]:
        """Sessions that the scores look ahead, as the metrics name them."""
        return list(self.test["rank_ic"])

    @property
    def trained(self) -> list[str]:
        """The phases that had an epoch; the others handed their weights on."""
        return [phase for phase, curve in self.training.items() if len(curve)]

    @property
    def traded(self) -> str:
        """The horizon whose scores the portfolio trades."""
        return str(self.params["evaluation"]["portfolio"]["horizon"])


def read_results(root: Path, params: Params) -> Results:
    """Reads what the stages before left in a working tree.

    Raises:
        DataError: an output is absent, or cannot be read.
        MismatchError: the dataset is not what its schema and table of contents say.
    """
    phases = asdict(params)["train"]["phases"]
    trained = root / paths.model_of(LAST_PHASE)
    attribution = root / paths.ATTRIBUTION
    hashed = (paths.DATASET / "contents.json", paths.PREDICTIONS)
    return Results(
        params=asdict(params),
        validation=_json(root / paths.metrics_of("validation")),
        test=_json(root / paths.metrics_of(SPLIT)),
        baselines=_json(root / paths.BASELINE_METRICS)[SPLIT],
        sessions=_csv(root / paths.sessions_of(SPLIT)),
        tracks=_csv(root / paths.plot_of("baselines")),
        rank_ic=_csv(root / paths.plot_of("rank_ic")),
        training={phase: _csv(root / paths.learning_curve(phase)) for phase in phases},
        predictions=read_predictions(root, SPLIT),
        quality=_json(root / paths.QUALITY_SUMMARY),
        split=_json(root / paths.DATASET / "split.json"),
        schema=Schema.read(root / paths.DATASET / "schema.json"),
        parent=read_lineage(root / paths.PARENT),
        environment=_json(trained / "history.json")["environment"],
        attribution=_json(attribution) if attribution.is_file() else None,
        walk_forward=None if params.evaluation.scheme == "split" else _walk_forward(root),
        hashes={"model.safetensors": sha256_file(_there(trained / "model.safetensors"))}
        | {path.name: sha256_file(_there(root / path)) for path in hashed},
    )


def _walk_forward(root: Path) -> WalkForward:
    return WalkForward(_json(root / paths.metrics_of("walk_forward")), _csv(root / paths.plot_of("walk_forward")))


def _there(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"`{path}` is not there", hint="`dvc repro` makes it; `dvc pull` brings it")
    return path


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_there(path).read_text(encoding="utf-8"))
    return content


def _csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(_there(path), try_parse_dates=True)
