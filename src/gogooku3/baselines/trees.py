"""Gradient-boosted trees on the targets' ranks (Ke et al., 2017), by LightGBM in its deterministic mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gogooku3.baselines.rows import Matrix, Rows
from gogooku3.config.baselines import LightGBM as Params
from gogooku3.errors import MachineError

try:
    import lightgbm
except OSError as error:  # its wheel, alone of those used here, brings no OpenMP library
    raise MachineError(
        f"LightGBM cannot be loaded: {error}", hint="install GCC's OpenMP library: `apt-get install libgomp1`"
    ) from None


def fit(train: Rows, validation: Rows, place: int, params: Params, threads: int) -> Callable[[Matrix], Matrix]:
    """Fits the horizon at `place` to `train`, as many trees as are best on `validation`.

    Args:
        threads: of LightGBM; part of what decides the bits.

    Returns:
        What scores a matrix of features.
    """
    settings: dict[str, Any] = {
        "objective": "regression",
        "learning_rate": params.learning_rate,
        "num_leaves": params.leaves,
        "min_data_in_leaf": params.leaf_rows,
        "feature_fraction": params.feature_share,
        "seed": params.seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    x_NF, y_N = train.known(place)
    known = lightgbm.Dataset(x_NF, label=y_N, params=settings)
    held_out = known.create_valid(*validation.known(place))
    patience = lightgbm.early_stopping(params.patience, verbose=False)
    booster = lightgbm.train(settings, known, params.rounds, valid_sets=[held_out], callbacks=[patience])

    def score(x_SF: Matrix) -> Matrix:
        return np.asarray(booster.predict(x_SF, num_threads=threads), np.float32)

    return score
