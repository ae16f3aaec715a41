"""Fits all baselines and scores the validation and test splits of a panel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gogooku3.baselines import ridge, trees
from gogooku3.baselines.ridge import fill_missing
from gogooku3.baselines.rows import Matrix, rows_of
from gogooku3.baselines.table import NAMES
from gogooku3.config.baselines import Baselines
from gogooku3.panel.panel import Panel

Score = Callable[[Matrix], Matrix]
"""Maps the features of a session's stocks, [S, F], to their scores, [S]."""


def score(panel: Panel, params: Baselines, threads: int) -> tuple[dict[str, NDArray[np.float32]], int]:
    """Fits the baselines on the training split and scores all sessions of the validation and test splits.

    Early stopping of the trees uses validation, like the choice of the model's epoch; nothing uses test.

    Args:
        panel: the dataset.
        params: section `baselines`.
        threads: number of LightGBM's threads.

    Returns:
        Scores by name, [sessions, S, H], NaN where a stock has no bar; and the index of the first session.

    Raises:
        ConfigError: the dataset lacks the feature of a factor.
    """
    params.require_features(panel.features)
    reversal, momentum = panel.features.index(params.reversal), panel.features.index(params.momentum)
    train, validation = (rows_of(panel, split, params.rows) for split in ("train", "validation"))
    first, last = panel.split["validation"][0], panel.split["test"][1]
    scores = {
        name: np.full((last + 1 - first, len(panel.codes), len(panel.horizons)), np.nan, np.float32) for name in NAMES
    }
    for h in range(len(panel.horizons)):
        models: dict[str, Score] = {
            "ridge": ridge.fit(train, h, params.ridge),
            "lightgbm": trees.fit(train, validation, h, params.lightgbm, threads),
            "reversal": lambda x_SF: -fill_missing(x_SF[:, reversal]),
            "momentum": lambda x_SF: fill_missing(x_SF[:, momentum]),
        }
        for t in range(first, last + 1):
            x_SF = panel.x_TSF[t][panel.present_TS[t]]
            for name, score_session in models.items():
                scores[name][t - first, panel.present_TS[t], h] = score_session(x_SF)
    return scores, first
