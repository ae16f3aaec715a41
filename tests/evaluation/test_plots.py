from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from gogooku3.evaluation.evaluate import Evaluation
from gogooku3.evaluation.plots import write_plots
from gogooku3.evaluation.portfolio import trade

from .conftest import PORTFOLIO, calm

DATES = [date(2023, 5, 1) + timedelta(days=day) for day in range(23)]


CURVES = pl.DataFrame({"Date": DATES[:1], "track": ["model"], "cumulative_net": [0.5]})


def evaluation(rank_ic_1: np.ndarray) -> Evaluation:
    series = np.linspace(0.0, 0.22, 23)
    backtest = {name: series + i for i, name in enumerate(("net", "turnover", "cumulative_net", "drawdown"))}
    backtest["net"] = np.where(np.arange(23) < 1, np.nan, series)
    return Evaluation(
        metrics={},
        sessions=pl.DataFrame({"Date": DATES} | backtest | {"rank_ic_1": rank_ic_1, "rank_ic_10": -rank_ic_1}),
        quantiles=pl.DataFrame({"horizon": [1, 1], "quantile": [1, 2], "mean_return": [-0.5, np.nan]}),
        portfolio=trade(np.zeros((23, 2)), calm(23, 2), np.array(DATES, "datetime64[D]"), PORTFOLIO),
    )


def test_returns_and_quantiles_are_written_as_they_are(tmp_path: Path):
    write_plots(evaluation(np.arange(23.0)), CURVES, tmp_path)
    lines = (tmp_path / "cumulative_return.csv").read_text().splitlines()
    assert lines[:2] == ["Date,cumulative_net,drawdown", "2023-05-02,2.01,3.01"]
    assert len(lines) == 23
    assert (tmp_path / "baselines.csv").read_text() == "Date,track,cumulative_net\n2023-05-01,model,0.5\n"
    assert (tmp_path / "quantiles.csv").read_text() == "horizon,quantile,mean_return\n1,1,-0.5\n1,2,NaN\n"


def test_rank_ic_is_written_by_horizon_with_the_mean_of_the_last_twenty_sessions(tmp_path: Path):
    write_plots(evaluation(np.arange(23.0)), CURVES, tmp_path)
    lines = (tmp_path / "rank_ic.csv").read_text().splitlines()
    assert lines[0] == "Date,horizon,rank_ic,mean_20"
    assert lines[19] == "2023-05-19,1,18.0,NaN"
    assert lines[20] == "2023-05-20,1,19.0,9.5"
    assert lines[23] == "2023-05-23,1,22.0,12.5"
    assert lines[24] == "2023-05-01,10,-0.0,NaN"
    assert lines[46] == "2023-05-23,10,-22.0,-12.5"


def test_a_mean_over_a_missing_session_is_a_gap_and_not_a_number(tmp_path: Path):
    series = np.arange(23.0)
    series[1] = np.nan
    write_plots(evaluation(series), CURVES, tmp_path)
    means = pl.read_csv(tmp_path / "rank_ic.csv")["mean_20"].to_list()[19:23]
    assert np.isnan(means[:2]).all()
    assert means[2:] == [11.5, 12.5]
