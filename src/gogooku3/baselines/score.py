"""Fits all baselines and scores the validation and test splits of a panel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gogooku3.baselines import perceptron, ridge, trees
from gogooku3.baselines.ridge import fill_missing
from gogooku3.baselines.rows import Matrix, rows_of
from gogooku3.baselines.smoothed import smoothed
from gogooku3.baselines.table import NAMES
from gogooku3.config.baselines import Baselines
from gogooku3.panel.panel import Panel

Score = Callable[[Matrix], Matrix]
"""Maps the features of a session's stocks, [S, F], to their scores, [S, H], or [S, 1] if all horizons share them."""


def score(panel: Panel, params: Baselines, threads: int, seeds: int = 1) -> tuple[dict[str, NDArray[np.float32]], int]:
    """Fits the baselines on the training split and scores all sessions of the validation and test splits.

    Validation tunes and stops LightGBM, stops the perceptron and chooses the moving average, like the choice of the
    model's epoch; nothing uses test.

    Args:
        panel: the dataset.
        params: section `baselines`.
        threads: number of LightGBM's threads.
        seeds: number of seeds over which LightGBM and the perceptron are averaged: those of the model.

    Returns:
        Scores by name, [sessions, S, H], NaN where a stock has no bar; and the index of the first session.

    Raises:
        ConfigError: the dataset lacks the feature of a factor.
    """
    params.require_features(panel.features)
    reversal, momentum = panel.features.index(params.reversal), panel.features.index(params.momentum)
    train, validation = (rows_of(panel, split, params.rows) for split in ("train", "validation"))
    (first, validated), last = panel.split["validation"], panel.split["test"][1]
    horizons = range(len(panel.horizons))
    ridges = [ridge.fit(train, h, params.ridge) for h in horizons]
    boosters = [trees.fit(train, validation, h, params.lightgbm, threads, seeds) for h in horizons]
    networks = [perceptron.fit(train, validation, params.mlp, params.mlp.seed + number) for number in range(seeds)]
    models: dict[str, Score] = {
        "ridge": lambda x_SF: np.stack([model(x_SF) for model in ridges], axis=1),
        "lightgbm": lambda x_SF: np.stack([model(x_SF) for model in boosters], axis=1),
        "mlp": lambda x_SF: np.stack([model(x_SF) for model in networks]).sum(axis=0) / np.float32(seeds),
        "reversal": lambda x_SF: -fill_missing(x_SF[:, [reversal]]),
        "momentum": lambda x_SF: fill_missing(x_SF[:, [momentum]]),
    }
    shape = (last + 1 - first, len(panel.codes), len(panel.horizons))
    scores = {name: np.full(shape, np.nan, np.float32) for name in models}
    for t in range(first, last + 1):
        x_SF = panel.x_TSF[t][panel.present_TS[t]]
        for name, score_session in models.items():
            scores[name][t - first, panel.present_TS[t]] = score_session(x_SF)
    scores["ridge_ema"] = smoothed(scores["ridge"], panel.y_TSH[first : validated + 1], params.decays)
    return {name: scores[name] for name in NAMES}, first
