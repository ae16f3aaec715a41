"""Ridge regression of target ranks on the features (Hoerl and Kennard, 1970), by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from gogooku3.baselines.rows import Matrix, Rows
from gogooku3.config.baselines import Ridge as Params


def fill_missing(x_NF: Matrix) -> Matrix:
    """Imputes 0 for missing features: they are centred, so 0 is neutral."""
    return np.nan_to_num(x_NF, nan=0.0)


def fit(train: Rows, index: int, params: Params) -> Callable[[Matrix], Matrix]:
    """Fits the horizon at `index`; returns a function that scores a feature matrix."""
    x_NF, y_N = train.labelled(index)
    model = Ridge(alpha=params.penalty * len(y_N), solver="cholesky", copy_X=False)
    # One thread: the order of sums does not depend on the number of cores (deterministic).
    with threadpool_limits(1):
        model.fit(fill_missing(x_NF), y_N)

    def score(x_SF: Matrix) -> Matrix:
        with threadpool_limits(1):
            scores_S: Matrix = model.predict(fill_missing(x_SF))
        return scores_S

    return score
