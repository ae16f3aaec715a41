"""A panel in which one feature predicts the next return linearly and two others only by their product."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gogooku3.config.baselines import Baselines, LightGBM, Perceptron, Ridge
from gogooku3.panel.panel import Panel

PARAMS = Baselines(
    rows=100_000,
    ridge=Ridge(penalty=0.1),
    lightgbm=LightGBM(
        rounds=60, patience=10, learning_rate=0.1, leaves=8, leaf_rows=20, feature_share=1.0, tries=2, seed=0
    ),
    mlp=Perceptron([16], epochs=30, patience=5, learning_rate=0.01, weight_decay=0.01, batch_rows=256, seed=0),
    decays=[0.0, 0.5, 0.9],
    reversal="feature_0",
    momentum="feature_3",
)
SESSIONS, STOCKS = 120, 40


def planted(straight: float, together: float, seed: int = 0) -> Panel:
    """Returns with a part along feature 0, a part along the product of features 1 and 2, and noise of size 1."""
    random = np.random.default_rng(seed)
    x_TSF = random.standard_normal((SESSIONS, STOCKS, 5)).astype(np.float32)
    signal_TS = straight * x_TSF[..., 0] + together * x_TSF[..., 1] * x_TSF[..., 2]
    y_TSH = 0.01 * (signal_TS[..., None] + random.standard_normal((SESSIONS, STOCKS, 2)))
    y_TSH[-1] = np.nan
    present_TS = np.ones((SESSIONS, STOCKS), bool)
    present_TS[:30, 3] = present_TS[90:, 4] = False
    x_TSF[random.random(x_TSF.shape) < 0.05] = np.nan
    x_TSF[~present_TS] = np.nan
    return Panel(
        sessions=np.datetime64("2024-01-01") + np.arange(SESSIONS),
        codes=tuple(f"{1300 + s}" for s in range(STOCKS)),
        features=tuple(f"feature_{f}" for f in range(5)),
        abi="0" * 64,
        x_TSF=x_TSF,
        present_TS=present_TS,
        y_TSH=np.where(present_TS[..., None], y_TSH, np.nan).astype(np.float32),
        horizons=(1, 5),
        neighbours_GSK=np.full((1, STOCKS, 1), -1, np.int32),
        edges_GSKE=np.zeros((1, STOCKS, 1, 3), np.float32),
        graph_of_T=np.zeros(SESSIONS, np.int32),
        split={"train": (0, 69), "validation": (75, 94), "test": (100, 119)},
    )


@pytest.fixture(scope="session")
def market() -> Panel:
    return planted(straight=0.5, together=0.5)


def without_test(panel: Panel) -> Panel:
    """The same panel with other features and targets in the test split."""
    x_TSF, y_TSH = panel.x_TSF.copy(), panel.y_TSH.copy()
    x_TSF[100:], y_TSH[100:] = 1.0, -0.5
    return replace(panel, x_TSF=x_TSF, y_TSH=y_TSH)
