"""The whole evaluation of a model that never holds a position: every number without a value, and no error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from gogooku3.baselines.table import NAMES
from gogooku3.config import Params
from gogooku3.dataset.schema import Column, Schema
from gogooku3.evaluation import splits
from gogooku3.evaluation.scores import Scores
from gogooku3.quotes import folder

from ..recovery import market


def test_constant_scores_are_measured_and_found(demo: Params, tmp_path: Path) -> None:
    market.write_quotes(tmp_path / "quotes")
    schema = Schema((Column("feature_0", "returns", 1, "stock", "", "float32"),), (1, 5), 3)
    targets = market.write_dataset(tmp_path / "dataset", schema)
    random_TSH = np.random.default_rng(0).standard_normal((market.SESSIONS, market.STOCKS, 2))
    constant = Scores(np.ones((market.SESSIONS, market.STOCKS, 2), np.float32)[splits.span(targets)], {})
    params = replace(market.quick(demo).evaluation, quantiles=5)
    results = splits.measure(
        targets, constant, dict.fromkeys(NAMES, random_TSH), folder.read(tmp_path / "quotes"), params
    )
    for split in splits.SPLITS:
        table = results.model[split].metrics
        assert (table["turnover"], table["sharpe"]["value"]) == (None, None)
        assert "constant_scores" in [finding["name"] for finding in table["plausibility"]]
        assert all("at_equal_turnover" not in rival for rival in results.baselines[split].values())
    splits.write(results, tmp_path)
    assert (tmp_path / "metrics/test.json").exists()
