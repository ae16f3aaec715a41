from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.errors import ConfigError, DataError
from gogooku3.evaluation.evaluate import MIN_SESSIONS, Outcome, _mean_metrics, evaluate
from gogooku3.evaluation.portfolio import capacity, trade
from gogooku3.evaluation.weights import score_weights
from gogooku3.metrics import ranking, returns
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.session_mean import session_mean

from .conftest import PARAMS, calm, market, outcome_of, prices_of, sessions_of, traded_with

T, S = 80, 40
SESSIONS = sessions_of(T)


def run(scores_TSH, targets_TSH, params=PARAMS, oracle_TSH=None):
    return evaluate(scores_TSH, outcome_of(targets_TSH), params, oracle_TSH)


def test_the_table_has_its_layout_and_is_json():
    table = run(*market()).metrics
    assert list(table) == [
        *("sessions", "from", "to", "sharpe", "annual_return", "annual_volatility", "max_drawdown", "turnover"),
        *("cost", "impact", "borrow", "break_even_bps", "capacity", "flat_sessions", "unpriced_positions"),
        *("waiting_trades", "delisted_positions", "hit_rate"),
        *(
            "rank_ic",
            "ic",
            "mean_rank_ic",
            "rank_ic_with_delisted",
            "exposure",
            "years",
            "regimes",
            "long_only",
            "universe",
        ),
    ]
    assert list(table["sharpe"]) == [
        *("value", "low", "high", "probabilistic", "min_track_record", "trials_survived", "skewness", "kurtosis")
    ]
    for name in ("rank_ic", "ic"):
        assert list(table[name]) == ["1", "5"]
        assert list(table[name]["5"]) == ["value", "low", "high", "t", "p", "positive_share", "sessions"]
    assert list(table["exposure"]) == ["market", "size", "sector"]
    assert list(table["regimes"]) == ["rising", "falling", "turbulent", "calm"]
    assert json.loads(json.dumps(table, allow_nan=False)) == table


def test_the_record_starts_after_the_delay_and_ends_with_the_last_known_return():
    evaluation = run(*market(), traded_with(delay=2))
    table, sessions = evaluation.metrics, evaluation.sessions
    assert (table["sessions"], table["from"], table["to"]) == (T - 3, str(SESSIONS[2]), str(SESSIONS[-2]))
    assert sessions["Date"].to_list() == SESSIONS.tolist()
    assert sessions.filter(pl.col("net").is_not_nan())["Date"].to_list() == SESSIONS[2:-1].tolist()
    assert sessions["Date"][0] == date(2023, 5, 1)


def test_the_table_agrees_with_its_series():
    evaluation = run(*market(), traded_with(borrow_bps=40.0))
    table, backtest = evaluation.metrics, evaluation.sessions.filter(pl.col("net").is_not_nan())
    net = backtest["net"].to_numpy()
    ratio = net.mean() / net.std(ddof=1) * math.sqrt(252)
    assert table["sharpe"]["value"] == pytest.approx(ratio, rel=1e-12)
    assert table["annual_return"] / table["annual_volatility"] == pytest.approx(ratio, rel=1e-12)
    assert table["sharpe"]["low"] < ratio < table["sharpe"]["high"]
    assert table["max_drawdown"] == backtest["drawdown"].min()
    assert table["turnover"] == pytest.approx(backtest["turnover"].mean(), rel=1e-12)
    assert table["cost"] == pytest.approx(5e-4 * 252 * table["turnover"], rel=1e-12)
    assert table["borrow"] == pytest.approx(0.5 * 40e-4, rel=1e-9)  # half of the capital is sold short
    gross = backtest["gross"].mean() * 252
    assert gross - table["cost"] - table["borrow"] == pytest.approx(table["annual_return"], rel=1e-9)
    left = 252 * table["turnover"] * table["break_even_bps"] * 1e-4
    assert gross - table["borrow"] - left == pytest.approx(0, abs=1e-12)
    for horizon in ("1", "5"):
        series = evaluation.sessions[f"rank_ic_{horizon}"].to_numpy()
        defined = series[~np.isnan(series)]
        entry = table["rank_ic"][horizon]
        assert entry["value"] == pytest.approx(defined.mean(), rel=1e-12)
        assert entry["positive_share"] == (defined > 0).mean()
        expected = session_mean(series, int(horizon))
        assert (entry["t"], entry["p"], (entry["low"], entry["high"])) == (expected.t, expected.p, expected.bounds)
        assert entry["sessions"] == len(defined) == (T - 1 if horizon == "1" else T - 4)
    means = [table["rank_ic"][horizon]["value"] for horizon in ("1", "5")]
    assert table["mean_rank_ic"]["value"] == pytest.approx(np.mean(means), rel=1e-12)


def test_intervals_of_overlapping_targets_are_those_of_their_horizon():
    evaluation = run(*market())
    for metric in ("rank_ic", "ic"):
        for horizon in (1, 5):
            series = evaluation.sessions[f"{metric}_{horizon}"].to_numpy()
            entry = evaluation.metrics[metric][str(horizon)]
            assert (entry["low"], entry["high"]) == session_mean(series, horizon).bounds
    net = evaluation.sessions["net"].drop_nans().to_numpy()
    sharpe = evaluation.metrics["sharpe"]
    assert (sharpe["low"], sharpe["high"]) == interval(net, returns.sharpe, PARAMS.bootstrap, 1)


def test_a_rank_ic_of_zero_is_not_positive():
    assert _mean_metrics(np.array([0.0, 0.1, -0.1, np.nan, 0.2]), 1)["positive_share"] == 0.5


def test_a_years_rank_ic_is_that_of_the_scores_that_it_trades():
    """Positions of a close come from scores `delay` sessions older."""
    evaluation = run(*market(), traded_with(delay=10))
    series = evaluation.sessions["rank_ic_5"].to_numpy()[: T - 11]
    assert evaluation.metrics["years"]["2023"]["rank_ic"] == pytest.approx(series.mean(), rel=1e-12)


def test_capacity_is_measured_with_the_traded_values_of_the_sessions_that_trade():
    scores, targets = market()
    market_state = calm(T, S)
    market_state.traded_value_TS[:] *= np.linspace(1, 20, T)[:, None]
    params = traded_with(delay=10)
    found = evaluate(scores, Outcome(targets, SESSIONS, (1, 5), market_state), params).metrics["capacity"]
    wanted = score_weights(scores[..., 1], market_state.sectors, params.portfolio)
    portfolio = trade(wanted, market_state, SESSIONS, params.portfolio)
    assert found == pytest.approx(capacity(portfolio, market_state.traded_value_TS[10:-1], 0.05), rel=1e-12)


def test_rank_ic_with_delisted_stocks_ranks_all_of_them():
    rng = np.random.default_rng(2)
    close_TS = np.cumprod(1 + 0.01 * rng.standard_normal((T, S)), axis=0)
    close_TS[40:, :3] = np.nan
    scores = np.where(np.isnan(close_TS), np.nan, rng.standard_normal((T, S)))[..., None].repeat(2, axis=2)
    targets = np.full((T, S, 2), np.nan)
    for index, horizon in enumerate((1, 5)):
        targets[:-horizon, :, index] = close_TS[horizon:] / close_TS[:-horizon] - 1
    outcome = Outcome(targets, SESSIONS, (1, 5), calm(T, S, prices_of(close_TS, dict.fromkeys(range(3), 40))))
    table = evaluate(scores, outcome, traded_with(delisting_return=-0.5)).metrics
    for index, (horizon, rows) in enumerate({1: [39], 5: range(35, 40)}.items()):
        filled = targets[..., index].copy()
        for t in rows:
            filled[t, :3] = close_TS[39, :3] / close_TS[t, :3] * 0.5 - 1
        expected = np.nanmean(ranking.rank_ic(scores[..., index], filled))
        assert table["rank_ic_with_delisted"][str(horizon)] == {
            "value": pytest.approx(expected, rel=1e-12),
            "delisted": 3 * len(rows),
        }
        assert table["rank_ic"][str(horizon)]["value"] != pytest.approx(expected, rel=1e-9)


def test_years_and_regimes_are_parts_of_the_whole():
    table = run(*market()).metrics
    assert table["years"]["2023"]["sharpe"] == table["sharpe"]["value"]
    assert table["years"]["2023"]["sessions"] == table["sessions"] == table["regimes"]["rising"]["sessions"]
    assert table["regimes"]["falling"]["sharpe"] is None
    # The index of `calm` rises evenly: beta and correlation are undefined.
    assert table["exposure"]["market"] == {"beta": None, "correlation": None, "alpha": None}
    assert sum(table["exposure"]["sector"].values()) == pytest.approx(0, abs=1e-12)


def test_the_universe_counts_who_joined_and_who_left():
    scores, targets = market()
    market_state = calm(T, S)
    market_state.close_TS[:5, :3], market_state.close_TS[60:, 3:5], market_state.close_TS[30, 6] = (
        np.nan,
        np.nan,
        np.nan,
    )
    market_state.close_TS[:, 7] = market_state.close_TS[0, 8] = market_state.close_TS[-1, 9:11] = np.nan
    outcome = Outcome(targets, SESSIONS, (1, 5), market_state)
    assert evaluate(scores, outcome, PARAMS).metrics["universe"] == {"stocks": S - 1, "joined": 4, "left": 4}


def test_the_portfolio_trades_the_score_of_its_own_horizon():
    scores, targets = market()
    other = scores.copy()
    other[..., 0] = np.nan
    assert run(other, targets).sessions["net"].equals(run(scores, targets).sessions["net"], null_equal=True)
    other = scores.copy()
    other[..., 1] *= -1
    np.testing.assert_allclose(run(other, targets).sessions["gross"], -run(scores, targets).sessions["gross"])


def test_a_known_signal_is_found():
    scores, targets = market(strength=0.3)
    table = run(scores, targets, traded_with(delay=0, cost_bps=0.0)).metrics
    planted = 6 / math.pi * math.asin(0.15)
    assert abs(table["rank_ic"]["1"]["value"] - planted) < 4 / math.sqrt(T * S)
    assert table["rank_ic"]["1"]["t"] > 5
    assert table["sharpe"]["low"] > 5
    assert table["sharpe"]["probabilistic"] > 0.999


def test_a_signal_for_the_next_session_earns_nothing_a_session_late():
    params = traded_with(horizon=1, delay=1, cost_bps=0.0)
    late = [run(*market(seed, strength=0.3), params).metrics["sharpe"]["value"] for seed in range(30)]
    # One Sharpe ratio over T sessions of noise has standard error √(252 / T).
    assert abs(np.mean(late)) < 3 * math.sqrt(252 / T / 30)


def test_quantile_returns_rise_with_a_known_signal():
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
    expected = np.nanmean(ranking.rank_ic(oracle[:, 1::2, 0], targets[:, 1::2, 0]))
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
    assert [sharpe[name] for name in ("value", "low", "high", "probabilistic", "min_track_record")] == [None] * 5
    assert sharpe["trials_survived"] == 0
    for name in ("annual_return", "max_drawdown", "turnover", "cost", "break_even_bps", "capacity", "hit_rate"):
        assert table[name] is None, name
    undefined = dict.fromkeys(("value", "low", "high", "t", "p", "positive_share")) | {"sessions": 0}
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
        ranking.rank_ic(np.delete(scores, [10, 11, 12], 0)[..., 0], np.delete(targets, [10, 11, 12], 0)[..., 0])
    )
    assert table["rank_ic"]["1"]["value"] == pytest.approx(expected, rel=1e-12)


def test_positions_without_a_next_return_are_counted():
    scores, targets = market()
    targets[20, :3] = np.nan
    assert run(scores, targets).metrics["unpriced_positions"] == 3


def test_a_horizon_without_targets_is_undefined():
    scores, targets = market()
    targets[..., 1] = np.nan
    table = run(scores, targets, traded_with(horizon=1)).metrics
    assert table["rank_ic"]["5"]["value"] is None
    assert table["rank_ic"]["1"]["value"] is not None


def test_single_precision_is_read_as_it_is():
    scores, targets = market()
    single = scores.astype(np.float32)
    assert run(single, targets).metrics == run(single.astype(np.float64), targets).metrics


def test_too_few_stocks_are_refused():
    scores, targets = market()
    scores[:, 9:] = np.nan
    with pytest.raises(DataError, match=f"none of {T} sessions has 10 stocks"):
        run(scores, targets)


def test_too_few_sessions_are_refused():
    scores, targets = market()
    enough = MIN_SESSIONS + 2
    targets[enough - 1 :, :, 0] = np.nan
    assert run(scores, targets).metrics["sessions"] == MIN_SESSIONS
    targets[enough - 2, :, 0] = np.nan
    with pytest.raises(DataError, match=f"returns in {MIN_SESSIONS - 1} sessions, {MIN_SESSIONS} are needed"):
        run(scores, targets)


def test_a_missing_horizon_is_refused_by_name():
    scores, targets = market()
    with pytest.raises(ConfigError, match="horizon 1 is not among"):
        evaluate(scores, outcome_of(targets, (2, 5)), PARAMS)
    with pytest.raises(ConfigError, match="horizon 10 is not among"):
        run(scores, targets, traded_with(horizon=10))


def test_values_and_sessions_are_checked():
    scores, targets = market()
    targets[7] = targets[3]
    with pytest.raises(DataError, match="all stocks have the same returns"):
        run(scores, targets)
    targets[7] = np.inf
    with pytest.raises(DataError, match="targets are infinite"):
        run(scores, targets)


def test_costs_that_are_left_out_show_in_the_table():
    scores, targets = market(strength=0.05)
    free, paid = (run(scores, targets, traded_with(delay=0, cost_bps=cost)).metrics for cost in (0.0, 30.0))
    assert (free["cost"], free["borrow"]) == (0.0, 0.0)
    assert paid["sharpe"]["value"] < 0 < free["sharpe"]["value"]
    # The break-even cost does not depend on the assumed cost.
    assert 0 < free["break_even_bps"] < 30


PROGRAM = """
import sys
import numpy as np
from pathlib import Path
from gogooku3.config.evaluation import Bootstrap, Measures, Portfolio
from gogooku3.evaluation.baseline_comparison import compare_with_baselines
from gogooku3.evaluation.market_state import MarketState
from gogooku3.evaluation.evaluate import Outcome, evaluate
from gogooku3.evaluation.plots import write_plots
from gogooku3.evaluation.prices import Prices
from gogooku3.runtime.files import write_json

rng = np.random.default_rng(0)
scores, targets, rival = rng.standard_normal((3, 60, 30, 2))
value, index = rng.random((60, 30)), 0.01 * rng.standard_normal(60)
closes = np.cumprod(1 + 0.01 * rng.standard_normal((60, 30)), axis=0)
prices = Prices.of_closes(closes, value > 0.01, np.full(30, 60))
market_state = MarketState(("a", "b", "c") * 10, closes, 1e8 * value, index, index, np.abs(index), value, prices)
sessions = np.datetime64("2023-05-01") + np.arange(60)
portfolio = Portfolio(5, 1, 5.0, 50.0, 0.5, 0.05, True, 0.05, 1.0, 1e6, 0.0, "all", 5, 5)
params = Measures(portfolio, 10, Bootstrap(200, 5, 0))
outcome = Outcome(0.01 * targets, sessions, (1, 5), market_state)
evaluation = evaluate(scores, outcome, params)
table, curves = compare_with_baselines(evaluation, scores, {"rival": rival}, outcome, params)
folder = Path(sys.argv[1])
write_json(evaluation.metrics | table, folder / "metrics.json")
write_plots(evaluation, curves, folder)
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
    assert sorted(written[0]) == [
        *("baselines.csv", "cumulative_return.csv", "metrics.json", "quantiles.csv", "rank_ic.csv")
    ]


def test_years_have_252_sessions():
    assert returns.SESSIONS_PER_YEAR == 252
