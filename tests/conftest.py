"""A small panel of random features with a planted signal, and the network that reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from gogooku3 import config
from gogooku3.config import Params
from gogooku3.config.model import AdaptiveNorm, Backbone, GraphAttention, Model
from gogooku3.dataset.panel import Panel
from gogooku3.model.network import Network
from gogooku3.numerics import prepare_torch
from gogooku3.training.phases import PHASES

ROOT = Path(__file__).parents[1]

# The same examples everywhere, and no verdict that depends on how busy the machine is.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def demo() -> Params:
    return config.load(ROOT / "params.yaml")


@pytest.fixture(autouse=True)
def _deterministic(demo: Params) -> None:
    prepare_torch(demo.numerics)


@pytest.fixture(scope="session")
def small() -> Model:
    return Model(
        Backbone(window=8, hidden_size=8, heads=2, dropout=0.1),
        AdaptiveNorm(components=2, slice_length=4),
        GraphAttention(heads=2),
    )


@pytest.fixture(scope="session")
def panel() -> Panel:
    """60 sessions, 12 stocks, 6 features; the first feature foretells every target; 5 % holes."""
    sessions, stocks, features, neighbours = 60, 12, 6, 3
    random = np.random.default_rng(3)
    x_TSF = random.standard_normal((sessions, stocks, features)).astype(np.float32)
    y_TSH = (0.01 * x_TSF[..., :1] + 0.01 * random.standard_normal((sessions, stocks, 2))).astype(np.float32)
    x_TSF[random.random(x_TSF.shape) < 0.05] = np.nan
    y_TSH[-1] = np.nan
    present_TS = np.ones((sessions, stocks), bool)
    present_TS[:10, 3] = False
    x_TSF[~present_TS] = np.nan
    y_TSH[~present_TS] = np.nan
    ring_SK = (np.arange(stocks)[:, None] + np.arange(1, neighbours + 1)) % stocks
    return Panel(
        sessions=np.datetime64("2024-01-01") + np.arange(sessions),
        codes=tuple(f"{1300 + s}" for s in range(stocks)),
        features=tuple(f"feature_{f}" for f in range(features)),
        abi="0" * 64,
        x_TSF=x_TSF,
        present_TS=present_TS,
        y_TSH=y_TSH,
        horizons=(1, 5),
        neighbours_GSK=ring_SK[None].astype(np.int32),
        edges_GSKE=np.full((1, stocks, neighbours, 3), 0.5, np.float32),
        graph_of_T=np.where(np.arange(sessions) < 5, -1, 0).astype(np.int32),
        split={"train": (0, 39), "validation": (42, 49), "test": (52, 59)},
    )


@pytest.fixture(scope="session")
def network(panel: Panel, small: Model) -> Callable[..., Network]:
    """A network of a phase; `opened` moves its zero gates, as training would."""

    def make(phase: str, *, opened: bool = False, seed: int = 1) -> Network:
        architecture = PHASES[phase].architecture(panel.abi, len(panel.features), list(panel.horizons), small)
        made = Network(architecture, seed).eval()
        if opened:
            with torch.no_grad():
                for name, parameter in made.named_parameters():
                    if name.rsplit(".", 1)[-1] in ("removed_H", "returned_H", "gate_H"):
                        parameter.fill_(0.5)
        return made

    return make
