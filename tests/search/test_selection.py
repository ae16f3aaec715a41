from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from gogooku3.config.evaluation import Bootstrap
from gogooku3.metrics.sharpe_significance import Trials
from gogooku3.search import selection

from ..evaluation.conftest import sessions_of

BOOTSTRAP = Bootstrap(draws=300, mean_block=5, seed=0)
T = 120


def track(seed: int, gain: float = 0.0) -> pl.DataFrame:
    values = np.random.default_rng(seed).standard_normal((T, 3))
    values[-4:, 2] = np.nan  # the longest target is not known yet
    columns = {"net": values[:, 0] + gain, "rank_ic_1": values[:, 1] + gain, "rank_ic_5": values[:, 2] + gain}
    return pl.DataFrame({"Date": sessions_of(T), **columns})


@pytest.mark.parametrize("objective", ["sharpe", "mean_rank_ic", "rank_ic_5"])
def test_a_search_whose_best_is_better_throughout_is_told_from_one_of_noise(objective: str):
    noise = {f"trial-{n}": track(n) for n in range(8)}
    skilled = noise | {"trial-8": track(8, gain=2.0)}
    assert selection.overfitting(skilled, objective) == 0
    assert selection.superior(skilled, objective, "trial-0", BOOTSTRAP) < 0.01
    assert selection.overfitting(noise, objective) > 0
    assert max(selection.superior(noise, objective, name, BOOTSTRAP) for name in noise) > 0.5
    ours = selection.deflated_rank_ic(skilled["trial-8"], Trials(9))
    assert ours > 0.99 > selection.deflated_rank_ic(noise["trial-0"], Trials(9))


def test_trials_are_compared_over_the_sessions_that_all_have():
    whole = {f"trial-{n}": track(n) for n in range(4)}
    longer = whole | {
        "trial-0": pl.concat([whole["trial-0"], whole["trial-0"].with_columns(pl.col("Date").dt.offset_by("9y"))])
    }
    for objective in ("sharpe", "mean_rank_ic"):
        assert selection.overfitting(longer, objective) == selection.overfitting(whole, objective)


def test_too_little_says_nothing():
    one = {"trial-0": track(0)}
    assert selection.overfitting({}, "sharpe") is None
    assert selection.overfitting(one, "sharpe") is None
    assert selection.superior(one, "sharpe", "trial-0", BOOTSTRAP) is None
    assert selection.superior({"trial-1": track(1), "trial-2": track(2)}, "sharpe", "trial-0", BOOTSTRAP) is None
    assert selection.deflated_rank_ic(None, Trials(3)) is None
