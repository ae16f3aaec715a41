"""Gradient-boosted trees on target ranks (Ke et al., 2017): LightGBM in its deterministic mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gogooku3.baselines.rows import Matrix, Rows
from gogooku3.config.baselines import LightGBM as Params
from gogooku3.errors import MachineError

try:
    import lightgbm
except OSError as error:  # its wheel is the only one used here that does not bundle an OpenMP library
    raise MachineError(
        f"LightGBM cannot be loaded: {error}", hint="install GCC's OpenMP library: `apt-get install libgomp1`"
    ) from None


def fit(train: Rows, validation: Rows, index: int, params: Params, threads: int) -> Callable[[Matrix], Matrix]:
    """Fits the horizon at `index` on `train`, with early stopping on `validation`.

    Args:
        threads: number of LightGBM's threads; the bits of the result depend on it.

    Returns:
        A function that scores a feature matrix.
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
    x_NF, y_N = train.labelled(index)
    train_set = lightgbm.Dataset(x_NF, label=y_N, params=settings)
    validation_set = train_set.create_valid(*validation.labelled(index))
    early_stopping = lightgbm.early_stopping(params.patience, verbose=False)
    booster = lightgbm.train(
        settings, train_set, params.rounds, valid_sets=[validation_set], callbacks=[early_stopping]
    )

    def score(x_SF: Matrix) -> Matrix:
        return np.asarray(booster.predict(x_SF, num_threads=threads), np.float32)

    return score
