from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from gogooku3.baselines import perceptron, ridge, trees
from gogooku3.baselines.rows import rows_of
from gogooku3.baselines.score import score
from gogooku3.baselines.smoothed import smoothed
from gogooku3.baselines.table import NAMES, read_scores, to_table
from gogooku3.errors import ConfigError
from gogooku3.metrics import ranking
from gogooku3.metrics.smoothing import smooth
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
    assert found["mlp"] > found["ridge"] + 0.05
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


def test_the_first_configuration_is_that_of_the_parameters_and_the_others_differ():
    tried = trees.configurations(replace(PARAMS.lightgbm, tries=18, leaf_rows=100, leaves=16))
    assert tried[0] == replace(PARAMS.lightgbm, tries=18, leaf_rows=100, leaves=16)
    assert [(each.leaves, each.leaf_rows, each.feature_share) for each in tried[1:6]] == [
        (8, 100, 1.0),
        (32, 100, 1.0),
        (16, 400, 1.0),
        (16, 25, 1.0),
        (16, 100, 0.5),
    ]
    assert len({(each.leaves, each.leaf_rows, each.feature_share) for each in tried}) == 18


def test_validation_chooses_the_configuration_and_none_is_worse_there(market: Panel):
    train, validation = (rows_of(market, split, PARAMS.rows) for split in ("train", "validation"))

    def found(tries: int) -> float:
        fitted = trees.fit(train, validation, 0, replace(PARAMS.lightgbm, tries=tries, leaves=2, leaf_rows=400), 2)
        return validation.rank_ic(fitted(validation.x_NF), 0)

    values = [found(tries) for tries in (1, 3, 6)]
    assert values == sorted(values)
    assert values[-1] > values[0] + 0.02


def test_rank_ic_of_rows_is_that_of_their_sessions(market: Panel):
    validation = rows_of(market, "validation", PARAMS.rows)
    scores = np.random.default_rng(0).standard_normal(len(validation.x_NF))
    inside = slice(75, 95)
    scores_TS = np.full((20, 40), np.nan)
    scores_TS[market.present_TS[inside]] = scores
    expected = np.nanmean(ranking.rank_ic(scores_TS, market.y_TSH[inside, :, 1]))
    assert validation.rank_ic(scores, 1) == pytest.approx(expected, rel=1e-6)


def test_more_seeds_are_averaged(market: Panel):
    one, two = (score(market, PARAMS, threads=2, seeds=seeds)[0] for seeds in (1, 2))
    other = replace(PARAMS, mlp=replace(PARAMS.mlp, seed=1))
    second = score(market, other, threads=2)[0]
    np.testing.assert_allclose(two["mlp"], (one["mlp"] + second["mlp"]) / 2, rtol=1e-5)
    assert (two["lightgbm"] == one["lightgbm"]).mean() < 0.9 or PARAMS.lightgbm.feature_share == 1
    np.testing.assert_array_equal(two["ridge"], one["ridge"])


def test_gradients_of_the_perceptron_are_those_of_differences():
    random = np.random.default_rng(0)
    x_NF, y_NH = random.standard_normal((40, 3)), random.standard_normal((40, 2))
    known_NH = random.random((40, 2)) < 0.7
    weights = [random.standard_normal(shape) for shape in ((3, 4), (4,), (4, 2), (2,))]

    def loss(at: list[np.ndarray]) -> float:
        error_NH = np.where(known_NH, perceptron._forward(at, x_NF)[-1] - y_NH, 0)
        return float((error_NH**2).sum() / known_NH.sum())

    for index, gradient in enumerate(perceptron._gradients(weights, x_NF, y_NH, known_NH)):
        for place in np.ndindex(gradient.shape):
            up, down = ([each.copy() for each in weights] for _ in range(2))
            up[index][place] += 1e-5
            down[index][place] -= 1e-5
            assert gradient[place] == pytest.approx((loss(up) - loss(down)) / 2e-5, rel=1e-4, abs=1e-8)


def test_steps_of_the_perceptron_are_those_of_torchs_adamw():
    random = np.random.default_rng(1)
    weights = [random.standard_normal((3, 4)).astype(np.float32), random.standard_normal(4).astype(np.float32)]
    params = replace(PARAMS.mlp, learning_rate=0.01, weight_decay=0.1)
    theirs = [torch.nn.Parameter(torch.tensor(each)) for each in weights]
    groups = [{"params": theirs[:1], "weight_decay": 0.1}, {"params": theirs[1:], "weight_decay": 0.0}]
    reference, ours = torch.optim.AdamW(groups, lr=0.01), perceptron._AdamW(weights, params)
    for _ in range(5):
        gradients = [random.standard_normal(each.shape).astype(np.float32) for each in weights]
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = torch.tensor(gradient)
        reference.step()
        weights = ours.step(weights, gradients)
    for ours_at_end, parameter in zip(weights, theirs, strict=True):
        np.testing.assert_allclose(ours_at_end, parameter.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_the_moving_average_is_the_one_that_validation_prefers(market: Panel, scores: dict[str, np.ndarray]):
    # The features of this market are new in each session: any average loses, so that decay 0 is chosen.
    np.testing.assert_array_equal(scores["ridge_ema"], scores["ridge"])
    targets = np.cumsum(np.random.default_rng(0).standard_normal((60, 40, 1)), axis=0)
    noisy = (targets + 8 * np.random.default_rng(1).standard_normal(targets.shape)).astype(np.float32)
    np.testing.assert_array_equal(smoothed(noisy, targets[:30], [0.0, 0.7]), smooth(noisy, 0.7).astype(np.float32))


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
from gogooku3.baselines.smoothed import smoothed
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
