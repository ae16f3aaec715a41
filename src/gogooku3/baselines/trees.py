"""Gradient-boosted trees on target ranks (Ke et al., 2017): LightGBM in its deterministic mode."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product
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


_LEAVES, _LEAF_ROWS, _FEATURES = (1.0, 0.5, 2.0), (1.0, 4.0, 0.25), (1.0, 0.5)
"""Factors of the tried configurations."""


def configurations(params: Params) -> list[Params]:
    """The configurations to try, that of the parameters first: those that change fewer of them come earlier."""
    factors = list(product(_FEATURES, _LEAF_ROWS, _LEAVES))
    factors.sort(key=lambda each: sum(factor != 1 for factor in each))
    return [
        replace(
            params,
            leaves=max(2, int(params.leaves * leaves)),
            leaf_rows=max(1, int(params.leaf_rows * leaf_rows)),
            feature_share=params.feature_share * features,
        )
        for features, leaf_rows, leaves in factors[: params.tries]
    ]


def fit(
    train: Rows, validation: Rows, index: int, params: Params, threads: int, seeds: int = 1
) -> Callable[[Matrix], Matrix]:
    """Fits the horizon at `index` on `train`, tuned on `validation`.

    Of `params.tries` configurations the one with the best mean RankIC on `validation` is kept; each stops early there.

    Args:
        threads: number of LightGBM's threads; the bits of the result depend on it.
        seeds: number of fits of the chosen configuration, with seeds from `params.seed` on; scores are their mean.

    Returns:
        A function that scores a feature matrix.
    """
    x_NF, y_N = train.labelled(index)
    best, best_rank_ic = None, -math.inf
    for tried in configurations(params):
        booster = _booster(x_NF, y_N, validation, index, tried, threads)
        rank_ic = validation.rank_ic(np.asarray(booster.predict(validation.x_NF, num_threads=threads)), index)
        if rank_ic > best_rank_ic:
            best, best_rank_ic = (tried, booster), rank_ic
    assert best is not None
    chosen, first = best
    further = (replace(chosen, seed=params.seed + number) for number in range(1, seeds))
    boosters = [first, *(_booster(x_NF, y_N, validation, index, each, threads) for each in further)]

    def score(x_SF: Matrix) -> Matrix:
        scores = [np.asarray(booster.predict(x_SF, num_threads=threads)) for booster in boosters]
        return np.asarray(np.stack(scores).sum(axis=0) / len(scores), np.float32)

    return score


def _booster(x_NF: Matrix, y_N: Matrix, validation: Rows, index: int, params: Params, threads: int) -> lightgbm.Booster:
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
    train_set = lightgbm.Dataset(x_NF, label=y_N, params=settings)
    validation_set = train_set.create_valid(*validation.labelled(index))
    early_stopping = lightgbm.early_stopping(params.patience, verbose=False)
    return lightgbm.train(settings, train_set, params.rounds, valid_sets=[validation_set], callbacks=[early_stopping])
