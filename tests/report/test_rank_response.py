"""Returns by score quantile and rank agree with the metrics."""

from __future__ import annotations

import numpy as np
import pytest

from gogooku3.metrics.estimate import mean
from gogooku3.metrics.ranking import rank_ic
from gogooku3.report.rank_response import return_rank_by_score_rank, returns_by_quantile
from gogooku3.report.results import Results

from ..evaluation.conftest import BOOTSTRAP


def test_quantiles_are_those_of_the_metrics_with_an_interval_about_each(skilled: Results) -> None:
    found = returns_by_quantile(skilled.predictions, 0, 5, BOOTSTRAP)
    assert found["quantile"].to_list() == [1, 2, 3, 4, 5]
    targets_TS, scores_TS = skilled.predictions.targets_TSH[..., 0], skilled.predictions.scores_TSH[..., 0]
    highest = [
        targets[np.argsort(scores)[-8:]].mean() - targets.mean()
        for targets, scores in zip(targets_TS, scores_TS, strict=True)
        if np.isfinite(targets).all()
    ]
    assert found["value"][-1] == pytest.approx(np.mean(highest))
    assert (found["low"] < found["value"]).all()
    assert (found["value"] < found["high"]).all()


def test_the_slope_of_the_rank_of_returns_on_the_rank_of_scores_is_the_rank_ic(skilled: Results) -> None:
    found = return_rank_by_score_rank(skilled.predictions, 0, BOOTSTRAP)
    slope = np.polyfit(found["rank"].to_numpy(), found["value"].to_numpy(), 1)[0]
    expected = mean(rank_ic(skilled.predictions.scores_TSH[..., 0], skilled.predictions.targets_TSH[..., 0]))
    assert slope == pytest.approx(expected, abs=0.01)
    assert found["value"].mean() == pytest.approx(0.5)
