"""A walk-forward stands on the page with its folds, beside the results of the packaged model."""

from __future__ import annotations

from dataclasses import replace

from gogooku3.report.page import page
from gogooku3.report.results import Results, WalkForward

from ..pages.elements import Elements

CELL = {"value": 0.25, "low": -0.125, "high": 0.5}


def test_the_series_and_every_fold_are_told(skilled: Results) -> None:
    fold = {
        "fold": 1,
        "test": {"first": "2023-05-01", "last": "2023-07-28"},
        "sharpe": CELL,
        "annual_return": 0.125,
        "mean_rank_ic": CELL,
        "model_less_lightgbm": CELL,
    }
    baselines = [{"name": name, **table} for name, table in skilled.baselines.items()]
    metrics = skilled.test | {"gaps": [{}], "baselines": baselines, "folds": [fold, fold | {"fold": 2}]}
    drawn = page(replace(skilled, walk_forward=WalkForward(metrics, skilled.tracks)))
    text = Elements(drawn).text
    assert 'id="walk-forward"' in drawn
    for said in ("trained anew on 2 folds", "2023-05-01 – 2023-07-28", "12.5 %", "1 gap;"):
        assert said in text
    assert drawn.count("over the tests of all folds, beside") == 2
    assert 'id="walk-forward"' not in page(skilled)
