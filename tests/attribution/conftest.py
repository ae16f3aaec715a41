"""The small panel with feature families, one of which predicts the targets, and a network trained on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gogooku3.config.train import Loss
from gogooku3.dataset.schema import Column, Schema
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.panel.panel import Panel
from gogooku3.training.checkpoints import Checkpoints
from gogooku3.training.loop import train
from gogooku3.training.phases import PHASES

from ..recipes import pace, recipe

CPU = torch.device("cpu")
WINDOW = 8
FAMILIES = ("signal", "noise", "noise", "other", "other", "calendar")
RECIPE = recipe(loss=Loss(sharpe=1.0, rank_ic=0.5, ic=0.5, horizons=[1.0, 1.0]))


@pytest.fixture(scope="session")
def schema() -> Schema:
    scopes = {"calendar": "session"}
    columns = (
        Column(f"feature_{place}", family, 1, scopes.get(family, "stock"), "", "float32")
        for place, family in enumerate(FAMILIES)
    )
    return Schema(tuple(columns), (1, 5), 3)


@pytest.fixture(scope="session")
def known(panel: Panel) -> Panel:
    """The small panel, of which the last feature is the same for all stocks of a session and a third of the edges are
    between stocks that share sector and segment."""
    x_TSF = panel.x_TSF.copy()
    level_T = np.random.default_rng(5).standard_normal(len(x_TSF)).astype(np.float32)
    x_TSF[..., 5] = np.where(panel.present_TS, level_T[:, None], np.nan)
    edges_GSKE = panel.edges_GSKE.copy()
    edges_GSKE[..., 1:] = 0.0
    edges_GSKE[..., 0, 1:] = 1.0
    edges_GSKE[..., 1, 1] = 1.0
    split = {"train": (0, 24), "validation": (26, 45), "test": (48, 59)}
    return replace(panel, x_TSF=x_TSF, edges_GSKE=edges_GSKE, split=split)


@pytest.fixture(scope="session")
def inputs(known: Panel) -> PanelOnDevice:
    return PanelOnDevice(known, WINDOW, CPU)


@pytest.fixture(scope="session")
def skilled(
    inputs: PanelOnDevice, network: Callable[..., Network], tmp_path_factory: pytest.TempPathFactory
) -> Network:
    folder: Path = tmp_path_factory.mktemp("skilled")
    made = network("baseline")
    states = Checkpoints(folder / "baseline", {})
    trained = train(
        made, inputs, PHASES["baseline"], pace(4, 1e-2), RECIPE, "mean_rank_ic", {}, states, folder / "logs"
    )
    made.load_state_dict(trained.weights)
    return made.eval()
