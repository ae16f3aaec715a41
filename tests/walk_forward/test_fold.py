"""The model of a fold: trained on its own panel, with scores of its validation and test and its own preprocessing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from gogooku3.config import Params
from gogooku3.config.model import Model
from gogooku3.config.train import Phases
from gogooku3.errors import DataError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.scoring import score
from gogooku3.model.weights import load
from gogooku3.panel.table import to_arrays
from gogooku3.training.phases import PHASES
from gogooku3.walk_forward.fold import make
from gogooku3.walk_forward.panel import fold_panel, fold_preprocess

from ..recipes import pace
from .dataset import FOLD, SCHEMA, SESSIONS, planned

CPU = torch.device("cpu")


@pytest.fixture
def params(demo: Params, small: Model) -> Params:
    recipe = replace(demo.train.recipe, batch_size=24, batch_stocks=2)
    phases = Phases(**dict.fromkeys(PHASES, pace(1, 1e-2)))
    weights = replace(recipe.loss, horizons=[1.0, 1.0])
    train = replace(demo.train, recipe=replace(recipe, loss=weights), phases=phases)
    return replace(demo, model=small, train=train, dataset=replace(demo.dataset, horizons=[1, 5]))


def made(plan: Path, dataset: Path, params: Params) -> tuple[Path, Path]:
    """Model and scores of a fold."""
    model, scores = plan.parent / "model", plan.parent / "scores.parquet"
    make(plan, dataset, params, CPU, model, scores, plan.parent / "logs")
    return model, scores


def test_a_fold_scores_its_validation_and_test_with_the_model_of_the_last_phase(
    dataset: Path, tmp_path: Path, params: Params
) -> None:
    plan = planned(tmp_path)
    model, path = made(plan, dataset, params)
    scores = pl.read_parquet(path)
    first, last = FOLD["validation"][0], FOLD["test"][1]
    assert (scores["Date"].min(), scores["Date"].max()) == (SESSIONS[first].item(), SESSIONS[last].item())
    assert len(scores) == 2 * (last + 1 - first)
    panel = fold_panel(plan, dataset)
    inputs = PanelOnDevice(panel, params.model.backbone.window, CPU)
    network = load(model).to_device(CPU, params.numerics)
    assert network.architecture.graph is not None
    found = to_arrays(panel, scores, [f"score_{h}" for h in SCHEMA.horizons])[first : last + 1]
    np.testing.assert_array_equal(found, score(network, inputs, first, last))
    assert json.loads((model / "preprocess.json").read_text()) == fold_preprocess(plan, dataset)
    assert {path.stem for path in (model / "history").iterdir()} == set(PHASES)
    assert not list(tmp_path.glob(".model*"))


def test_a_fold_whose_training_reaches_into_its_validation_is_not_trained(
    dataset: Path, tmp_path: Path, params: Params
) -> None:
    with pytest.raises(DataError, match="reach 1 sessions into the validation of fold 7"):
        made(planned(tmp_path, train=(40, 70)), dataset, params)
    assert not (tmp_path / "model").exists()
