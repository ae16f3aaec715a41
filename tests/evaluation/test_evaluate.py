from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.config import evaluation as config
from gogooku3.errors import ConfigError, DataError
from gogooku3.evaluation import metrics, portfolio
from gogooku3.evaluation.evaluate import MIN_SESSIONS, evaluate

T, S = 80, 40
HORIZONS = (1, 5)
SESSIONS = np.busday_offset("2023-05-01", np.arange(T), roll="forward")
PARAMS = config.Evaluation(
    portfolio=config.Portfolio(horizon=5, delay=1, cost_bps=5.0),
    quantiles=5,
    trials=3,
    bootstrap=config.Bootstrap(draws=200, mean_block=5, seed=0),
)


def forward_returns(returns_TS, horizons=HORIZONS):
    """Targets made of returns from each close to the next; NaN where the horizon reaches past the end."""
    sessions = len(returns_TS)
    targets_TSH = np.full((*returns_TS.shape, len(horizons)), np.nan)
    for i, horizon in enumerate(horizons):
        for t in range(sessions - horizon + 1):
            targets_TSH[t, :, i] = np.prod(1 + returns_TS[t : t + horizon], axis=0) - 1
    targets_TSH[-1] = np.nan
    return targets_TSH


def market(seed=0, strength=0.0):
    """Scores and targets of a market whose next-session returns follow the scores with the given
    correlation."""
    rng = np.random.default_rng(seed)
    signal_TS, rest_TS = rng.standard_normal((2, T, S))
    returns_TS = 0.01 * (strength * signal_TS + math.sqrt(1 - strength**2) * rest_TS)
    return np.repeat(signal_TS[..., None], len(HORIZONS), axis=2), forward_returns(returns_TS)


def run(scores_TSH, targets_TSH, params=PARAMS, oracle_TSH=None):
    return evaluate(scores_TSH, targets_TSH, SESSIONS, HORIZONS, params, oracle_TSH)


def traded_with(params=PARAMS, **changes):
    return replace(params, portfolio=replace(params.portfolio, **changes))


def test_the_table_has_its_layout_and_is_json():
    table = run(*market()).metrics
    assert list(table) == [
        *("sessions", "from", "to", "sharpe", "annual_return", "annual_volatility", "max_drawdown", "turnover"),
        *("cost", "flat_sessions", "unpriced_positions", "hit_rate", "rank_ic", "ic"),
    ]
    assert list(table["sharpe"]) == ["value", "low", "high", "probabilistic", "deflated", "trials"]
    for name in ("rank_ic", "ic"):
        assert list(table[name]) == ["1", "5"]
        assert list(table[name]["5"]) == ["value", "low", "high", "t", "positive_share", "sessions"]
    assert json.loads(json.dumps(table, allow_nan=False)) == table


def test_the_record_starts_after_the_delay_and_ends_with_the_last_known_return():
    evaluation = run(*market(), traded_with(delay=2))
    table = evaluation.metrics
    assert (table["sessions"], table["from"], table["to"]) == (T - 3, str(SESSIONS[2]), str(SESSIONS[-2]))
    assert evaluation.returns["Date"].to_list() == SESSIONS[2:-1].tolist()
    assert evaluation.rank_ic["Date"].to_list() == SESSIONS.tolist()
    assert evaluation.returns["Date"][0] == date(2023, 5, 3)


def test_the_table_is_made_of_the_series_beside_it():
    evaluation = run(*market())
    table, net = evaluation.metrics, evaluation.returns["net"].to_numpy()
    ratio = net.mean() / net.std(ddof=1) * math.sqrt(252)
    assert table["sharpe"]["value"] == pytest.approx(ratio, rel=1e-12)
    assert table["annual_return"] / table["annual_volatility"] == pytest.approx(ratio, rel=1e-12)
    assert table["sharpe"]["low"] < ratio < table["sharpe"]["high"]
    assert table["sharpe"]["deflated"] < table["sharpe"]["probabilistic"]
    assert table["max_drawdown"] == evaluation.returns["drawdown"].min()
    assert table["turnover"] == pytest.approx(evaluation.returns["turnover"].mean(), rel=1e-12)
    assert table["cost"] == pytest.approx(5e-4 * 252 * table["turnover"], rel=1e-12)
    gross = evaluation.returns["gross"].mean() * 252
    assert gross - table["cost"] == pytest.approx(table["annual_return"], rel=1e-9)
    for horizon in ("1", "5"):
        series = evaluation.rank_ic[f"rank_ic_{horizon}"].to_numpy()
        defined = series[~np.isnan(series)]
        entry = table["rank_ic"][horizon]
        assert entry["value"] == pytest.approx(defined.mean(), rel=1e-12)
        assert entry["positive_share"] == (defined > 0).mean()
        assert entry["t"] == metrics.newey_west_t(series, int(horizon))
        assert entry["sessions"] == len(defined) == (T - 1 if horizon == "1" else T - 4)


def test_the_portfolio_trades_the_score_of_its_own_horizon():
    scores, targets = market()
    other = scores.copy()
    other[..., 0] = np.nan
    assert run(other, targets).returns.equals(run(scores, targets).returns)
    other = scores.copy()
    other[..., 1] *= -1
    np.testing.assert_allclose(run(other, targets).returns["gross"], -run(scores, targets).returns["gross"])


def test_a_planted_signal_is_found():
    scores, targets = market(strength=0.3)
    table = run(scores, targets, traded_with(delay=0, cost_bps=0.0)).metrics
    planted = 6 / math.pi * math.asin(0.15)
    assert abs(table["rank_ic"]["1"]["value"] - planted) < 4 / math.sqrt(T * S)
    assert table["rank_ic"]["1"]["t"] > 5
    assert table["sharpe"]["low"] > 5
    assert table["sharpe"]["probabilistic"] > 0.999


def test_a_signal_for_the_next_session_earns_nothing_a_session_late():
    params = traded_with(delay=1, cost_bps=0.0)
    late = [run(*market(seed, strength=0.3), params).metrics["sharpe"]["value"] for seed in range(30)]
    # One Sharpe ratio over T sessions of noise has standard error √(252 / T).
    assert abs(np.mean(late)) < 3 * math.sqrt(252 / T / 30)


def test_noise_is_not_called_skill_more_often_than_chance_allows():
    runs = 60
    tables = [run(*market(seed), traded_with(cost_bps=0.0)).metrics for seed in range(runs)]
    margin = 3 * math.sqrt(0.05 * 0.95 / runs)
    for entry in ("sharpe", "rank_ic"):
        found = [t[entry] if entry == "sharpe" else t[entry]["1"] for t in tables]
        missed = np.mean([not interval["low"] <= 0 <= interval["high"] for interval in found])
        # Intervals over some sixteen blocks are known to be somewhat too narrow: twice the nominal rate at most.
        assert missed < 0.1 + margin, entry
    assert abs(np.mean([t["hit_rate"] for t in tables]) - 0.5) < 0.005


def test_quantiles_rise_with_a_planted_signal():
    frame = run(*market(strength=0.5)).quantiles
    assert frame.columns == ["horizon", "quantile", "mean_return"]
    assert frame["horizon"].to_list() == [1] * 5 + [5] * 5
    assert frame["quantile"].to_list() == [1, 2, 3, 4, 5] * 2
    one = frame.filter(pl.col("horizon") == 1)["mean_return"].to_list()
    assert sorted(one) == one
    assert sum(one) == pytest.approx(0, abs=1e-15)


def test_the_oracle_is_measured_on_the_stocks_that_were_scored():
    scores, targets = market(strength=0.3)
    oracle = scores.copy()
    scores = scores + np.random.default_rng(9).standard_normal(scores.shape)
    scores[:, ::2] = np.nan
    table = run(scores, targets, oracle_TSH=oracle).metrics
    expected = np.nanmean(metrics.rank_ic(oracle[:, 1::2, 0], targets[:, 1::2, 0]))
    assert table["oracle"]["rank_ic"]["1"] == pytest.approx(expected, rel=1e-12)
    assert table["oracle"]["fraction"]["1"] == pytest.approx(table["rank_ic"]["1"]["value"] / expected, rel=1e-12)
    # Half of the scores' variance is noise: √½ of the oracle's correlation is left.
    assert table["oracle"]["fraction"]["1"] == pytest.approx(math.sqrt(0.5), abs=0.25)


def test_no_fraction_of_an_oracle_that_knows_nothing():
    scores, targets = market()
    table = run(scores, targets, oracle_TSH=np.full_like(scores, np.nan)).metrics
    assert table["oracle"] == {"rank_ic": {"1": None, "5": None}, "fraction": {"1": None, "5": None}}
    backwards = run(scores, targets, oracle_TSH=-targets).metrics
    assert backwards["oracle"]["rank_ic"]["1"] == pytest.approx(-1)
    assert backwards["oracle"]["fraction"]["1"] is None


def test_constant_scores_give_none_and_never_zero():
    _, targets = market()
    evaluation = run(np.full((T, S, 2), 0.1), targets)
    table = evaluation.metrics
    sharpe = table["sharpe"]
    assert [sharpe[name] for name in ("value", "low", "high", "probabilistic", "deflated")] == [None] * 5
    for name in ("annual_return", "annual_volatility", "max_drawdown", "turnover", "cost", "hit_rate"):
        assert table[name] is None, name
    undefined = dict.fromkeys(("value", "low", "high", "t", "positive_share")) | {"sessions": 0}
    assert table["rank_ic"]["5"] == table["ic"]["1"] == undefined
    assert table["flat_sessions"] == table["sessions"] == T - 2
    assert evaluation.quantiles["mean_return"].is_nan().all()


def test_sessions_with_equal_scores_are_left_out_of_the_mean_and_counted():
    scores, targets = market()
    scores[10:13] = 0.1
    table = run(scores, targets).metrics
    assert table["rank_ic"]["1"]["sessions"] == T - 1 - 3
    assert table["flat_sessions"] == 3
    expected = np.nanmean(
        metrics.rank_ic(np.delete(scores, [10, 11, 12], 0)[..., 0], np.delete(targets, [10, 11, 12], 0)[..., 0])
    )
    assert table["rank_ic"]["1"]["value"] == pytest.approx(expected, rel=1e-12)


def test_positions_without_a_next_return_are_counted():
    scores, targets = market()
    targets[20, :3] = np.nan
    assert run(scores, targets).metrics["unpriced_positions"] == 3


def test_a_horizon_that_no_session_lives_to_see_is_none():
    scores, targets = market()
    targets[..., 1] = np.nan
    table = run(scores, targets, traded_with(horizon=1)).metrics
    assert table["rank_ic"]["5"]["value"] is None
    assert table["rank_ic"]["1"]["value"] is not None


def test_single_precision_is_read_as_it_is():
    scores, targets = market()
    single = scores.astype(np.float32)
    assert run(single, targets).metrics == run(single.astype(np.float64), targets).metrics


def test_short_blocks_are_lengthened_to_the_horizon():
    scores, targets = market()
    short = replace(PARAMS, bootstrap=replace(PARAMS.bootstrap, mean_block=1))
    of_five = replace(PARAMS, bootstrap=replace(PARAMS.bootstrap, mean_block=5))
    found, expected = run(scores, targets, short).metrics, run(scores, targets, of_five).metrics
    assert found["rank_ic"]["5"] == expected["rank_ic"]["5"]
    assert found["rank_ic"]["1"] != expected["rank_ic"]["1"]


@pytest.mark.parametrize(("which", "value"), [("scores", np.inf), ("targets", -np.inf)])
def test_infinite_values_are_refused(which, value):
    scores, targets = market()
    (scores if which == "scores" else targets)[3, 4, 1] = value
    with pytest.raises(DataError, match=f"1 of {scores.size} {which} are infinite"):
        run(scores, targets)


def test_too_few_stocks_are_refused():
    scores, targets = market()
    scores[:, 9:] = np.nan
    with pytest.raises(DataError, match=f"none of {T} sessions has 10 stocks"):
        run(scores, targets)


def test_too_few_sessions_are_refused():
    scores, targets = market()
    enough = MIN_SESSIONS + 2
    arguments = (SESSIONS, HORIZONS, PARAMS)
    targets[enough - 1 :, :, 0] = np.nan
    assert evaluate(scores, targets, *arguments).metrics["sessions"] == MIN_SESSIONS
    targets[enough - 2, :, 0] = np.nan
    with pytest.raises(DataError, match=f"returns in {MIN_SESSIONS - 1} sessions, {MIN_SESSIONS} are needed"):
        evaluate(scores, targets, *arguments)


def test_a_missing_horizon_is_refused_by_name():
    scores, targets = market()
    with pytest.raises(ConfigError, match="horizon 1 is not among"):
        evaluate(scores, targets, SESSIONS, (2, 5), PARAMS)
    with pytest.raises(ConfigError, match="horizon 10 is not among"):
        run(scores, targets, traded_with(horizon=10))


PROGRAM = """
import json, sys
import numpy as np
from pathlib import Path
from gogooku3.config import evaluation as config
from gogooku3.evaluation.evaluate import evaluate
from gogooku3.evaluation.plots import write_plots
from gogooku3.files import write_json

rng = np.random.default_rng(0)
scores, targets = rng.standard_normal((2, 60, 30, 2))
params = config.Evaluation(config.Portfolio(5, 1, 5.0), 10, 4, config.Bootstrap(200, 5, 0))
sessions = np.datetime64("2023-05-01") + np.arange(60)
evaluation = evaluate(scores, 0.01 * targets, sessions, (1, 5), params)
folder = Path(sys.argv[1])
write_json(evaluation.metrics, folder / "metrics.json")
write_plots(evaluation, folder)
"""


def test_bytes_are_the_same_with_other_threads_hashes_time_zone_and_locale(tmp_path: Path):
    settings = [
        {"PYTHONHASHSEED": "1", "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "TZ": "UTC", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "POLARS_MAX_THREADS": "4", "OMP_NUM_THREADS": "2", "TZ": "Asia/Tokyo"},
    ]
    written = []
    for number, setting in enumerate(settings):
        folder = tmp_path / str(number)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | setting
        subprocess.run([sys.executable, "-c", PROGRAM, str(folder)], env=environment, check=True)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1]
    assert sorted(written[0]) == ["cumulative_return.csv", "metrics.json", "quantiles.csv", "rank_ic.csv"]


def test_years_have_252_sessions():
    assert portfolio.SESSIONS_PER_YEAR == 252
