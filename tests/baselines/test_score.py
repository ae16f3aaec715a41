from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from gogooku3.baselines import ridge, trees
from gogooku3.baselines.rows import rows_of
from gogooku3.baselines.score import score
from gogooku3.baselines.table import NAMES, read_scores, to_table
from gogooku3.errors import ConfigError
from gogooku3.metrics import ranking
from gogooku3.panel.panel import Panel
from gogooku3.runtime.files import write_parquet

from .conftest import PARAMS, planted, without_test

FIRST, LAST = 75, 119


@pytest.fixture(scope="module")
def scores(market: Panel) -> dict[str, np.ndarray]:
    found, first = score(market, PARAMS, threads=2)
    assert first == FIRST
    return found


def rank_ic(market: Panel, scores_TSH: np.ndarray) -> float:
    """Mean over the test split, of horizon 1."""
    return float(np.nanmean(ranking.rank_ic(scores_TSH[100 - FIRST :, :, 0], market.y_TSH[100:, :, 0])))


def test_every_stock_with_a_bar_is_scored_and_no_other(market: Panel, scores: dict[str, np.ndarray]):
    assert tuple(scores) == NAMES
    for name, found in scores.items():
        assert found.shape == (LAST + 1 - FIRST, 40, 2)
        np.testing.assert_array_equal(np.isfinite(found).all(axis=2), market.present_TS[FIRST:], err_msg=name)


def test_each_baseline_finds_the_part_of_the_signal_in_its_reach(market: Panel, scores: dict[str, np.ndarray]):
    # Half of the signal is linear, half a product: correlation .5/√1.5 with a linear model, .5·√2/√1.5 in total.
    found = {name: rank_ic(market, scores_TSH) for name, scores_TSH in scores.items()}
    assert found["ridge"] == pytest.approx(0.39, abs=0.08)
    assert found["lightgbm"] > found["ridge"] + 0.05
    assert found["reversal"] == pytest.approx(-0.39, abs=0.08)
    assert abs(found["momentum"]) < 0.1


def test_nothing_is_found_in_noise():
    noise = planted(straight=0, together=0, seed=1)
    found, _ = score(noise, PARAMS, threads=2)
    for name, scores_TSH in found.items():
        assert abs(rank_ic(noise, scores_TSH)) < 4 / np.sqrt(19 * 39), name


def test_nothing_of_the_test_split_is_learnt(market: Panel, scores: dict[str, np.ndarray]):
    other, _ = score(without_test(market), PARAMS, threads=2)
    for name in NAMES:
        np.testing.assert_array_equal(other[name][: 100 - FIRST], scores[name][: 100 - FIRST])


def test_models_are_fitted_on_the_training_split_alone(market: Panel, scores: dict[str, np.ndarray]):
    """Ridge is the fit of the training rows to the bit; other targets of validation move only the trees' stopping."""
    rows = {split: rows_of(market, split, PARAMS.rows) for split in ("train", "validation")}
    x_SF = market.x_TSF[FIRST][market.present_TS[FIRST]]
    for h in range(2):
        found = {name: scores[name][0, market.present_TS[FIRST], h] for name in ("ridge", "lightgbm")}
        np.testing.assert_array_equal(found["ridge"], ridge.fit(rows["train"], h, PARAMS.ridge)(x_SF))
        expected = trees.fit(rows["train"], rows["validation"], h, PARAMS.lightgbm, 2)(x_SF)
        np.testing.assert_array_equal(found["lightgbm"], expected)


def test_targets_of_validation_stop_the_trees_and_nothing_else(market: Panel, scores: dict[str, np.ndarray]):
    y_TSH = market.y_TSH.copy()
    y_TSH[75:95] *= -1
    other, _ = score(replace(market, y_TSH=y_TSH), PARAMS, threads=2)
    np.testing.assert_array_equal(other["ridge"], scores["ridge"])
    assert np.nanstd(other["lightgbm"]) < np.nanstd(scores["lightgbm"])


def test_a_factor_is_its_feature_and_the_middle_where_it_is_missing(market: Panel, scores: dict[str, np.ndarray]):
    feature_TS = np.nan_to_num(market.x_TSF[FIRST:, :, 0], nan=0.0)
    present_TS = market.present_TS[FIRST:]
    np.testing.assert_array_equal(scores["reversal"][present_TS, 0], -feature_TS[present_TS])
    np.testing.assert_array_equal(scores["reversal"][present_TS, 1], -feature_TS[present_TS])
    momentum_TS = np.nan_to_num(market.x_TSF[FIRST:, :, 3], nan=0.0)
    np.testing.assert_array_equal(scores["momentum"][present_TS, 0], momentum_TS[present_TS])


def test_ridge_solves_its_normal_equations(market: Panel):
    train = rows_of(market, "train", 100_000)
    x_NF, y_N = (values.astype(np.float64) for values in train.labelled(0))
    x_NF = np.nan_to_num(x_NF, nan=0.0)
    centred, target = x_NF - x_NF.mean(axis=0), y_N - y_N.mean()
    weights = np.linalg.solve(centred.T @ centred + 0.1 * len(y_N) * np.eye(5), centred.T @ target)
    expected = (x_NF[:50] - x_NF.mean(axis=0)) @ weights + y_N.mean()
    np.testing.assert_allclose(ridge.fit(train, 0, PARAMS.ridge)(train.x_NF[:50]), expected, atol=1e-5)


def test_a_small_penalty_is_least_squares(market: Panel):
    train = rows_of(market, "train", 100_000)
    x_NF, y_N = train.labelled(0)
    plain = LinearRegression().fit(np.nan_to_num(x_NF, nan=0.0), y_N)
    found = ridge.fit(train, 0, replace(PARAMS.ridge, penalty=1e-9))(x_NF[:50])
    np.testing.assert_allclose(found, plain.predict(np.nan_to_num(x_NF[:50], nan=0.0)), atol=1e-5)


def test_trees_stop_where_validation_is_best():
    """Without signal, early stopping keeps few trees, and scores hardly differ."""
    noise = planted(straight=0, together=0, seed=2)
    long = replace(PARAMS, lightgbm=replace(PARAMS.lightgbm, rounds=1000))
    found, _ = score(noise, long, threads=2)
    assert np.nanstd(found["lightgbm"]) < 0.03


@pytest.mark.parametrize("name", ["reversal", "momentum"])
def test_a_feature_that_the_dataset_lacks_is_refused_by_name(market: Panel, name: str):
    with pytest.raises(ConfigError, match=f"`baselines.{name}` is `mom_999`, which is not among the 5 features"):
        score(market, replace(PARAMS, **{name: "mom_999"}), threads=2)


def test_the_table_gives_the_scores_back(market: Panel, scores: dict[str, np.ndarray], tmp_path: Path):
    table = to_table(market, scores, FIRST)
    assert table.columns == ["Date", "Code", *(f"{name}_{h}" for name in NAMES for h in (1, 5))]
    assert len(table) == market.present_TS[FIRST:].sum()
    write_parquet(table, tmp_path / "baselines.parquet")
    for name, read in read_scores(market, tmp_path / "baselines.parquet").items():
        np.testing.assert_array_equal(read[FIRST:], scores[name])
        assert np.isnan(read[:FIRST]).all()


PROGRAM = """
import sys
from pathlib import Path
from gogooku3 import config
from gogooku3.runtime import numerics
numerics.pin(config.load(Path("params.yaml")).numerics)
sys.path.insert(0, "tests/baselines")
from conftest import PARAMS, planted
from gogooku3.baselines.score import score
from gogooku3.baselines.table import to_table
from gogooku3.runtime.files import write_parquet
panel = planted(0.5, 0.5)
write_parquet(to_table(panel, *score(panel, PARAMS, 2)), Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_bytes_are_the_same_on_one_core_and_with_other_settings(tmp_path: Path):
    written = []
    for cores, variables in (
        ((), {"OPENBLAS_CORETYPE": "Prescott"}),
        (("taskset", "-c", "0"), {"OMP_NUM_THREADS": "1"}),
    ):
        path = tmp_path / f"{len(written)}.parquet"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | variables
        root = Path(__file__).parents[2]
        subprocess.run([*cores, sys.executable, "-c", PROGRAM, str(path)], cwd=root, env=environment, check=True)
        written.append(path.read_bytes())
    assert written[0] == written[1]
