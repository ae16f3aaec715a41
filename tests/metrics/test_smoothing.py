from __future__ import annotations

import numpy as np
import pandas as pd

from gogooku3.metrics.smoothing import smooth


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_the_average_is_that_of_pandas():
    scores = noise(30, 4, 2)
    expected = pd.DataFrame(scores[..., 1]).ewm(alpha=0.3, adjust=False).mean().to_numpy()
    np.testing.assert_allclose(smooth(scores, 0.7)[..., 1], expected, rtol=1e-12)
    np.testing.assert_array_equal(smooth(scores, 0.0), scores)


def test_a_missing_score_keeps_the_average_and_stays_missing():
    scores = np.array([np.nan, 1.0, np.nan, 3.0])[:, None, None]
    np.testing.assert_array_equal(smooth(scores, 0.5)[:, 0, 0], [np.nan, 1.0, np.nan, 2.0])


def test_the_average_knows_nothing_of_the_future():
    scores = noise(40, 5, 1)
    other = scores.copy()
    other[25:] = 9.0
    np.testing.assert_array_equal(smooth(scores, 0.8)[:25], smooth(other, 0.8)[:25])
