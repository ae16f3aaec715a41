"""Ridge regression of the targets' ranks on the features (Hoerl and Kennard, 1970), by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from gogooku3.baselines.rows import Matrix, Rows
from gogooku3.config.baselines import Ridge as Params


def filled(x_NF: Matrix) -> Matrix:
    """The features with 0 where one is missing: they are centred, so the stock stands in the middle there."""
    return np.nan_to_num(x_NF, nan=0.0)


def fit(train: Rows, place: int, params: Params) -> Callable[[Matrix], Matrix]:
    """Fits the horizon at `place`; returns what scores a matrix of features."""
    x_NF, y_N = train.known(place)
    model = Ridge(alpha=params.penalty * len(y_N), solver="cholesky", copy_X=False)
    # On one thread a sum is split in one way, whatever the cores.
    with threadpool_limits(1):
        model.fit(filled(x_NF), y_N)

    def score(x_SF: Matrix) -> Matrix:
        with threadpool_limits(1):
            scores_S: Matrix = model.predict(filled(x_SF))
        return scores_S

    return score
