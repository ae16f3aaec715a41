"""Comparison of two models: their curves are computed in the same way from the first session to the last."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from gogooku3.evaluation.plots import SMOOTHED
from gogooku3.report.compare_page import page, smoothed_rank_ic
from gogooku3.report.model_pair import Pair

LACKING = 15


def with_rank_ic(pair: Pair, known: int) -> Pair:
    """RankIC is 0.1 at horizon 1 and 0.3 at horizon 5; only the first sessions have the latter."""
    five = pl.when(pl.int_range(pl.len()) < known).then(0.3).otherwise(float("nan"))
    sides = [
        replace(side, sessions={"test": side.sessions["test"].with_columns(rank_ic_1=pl.lit(0.1), rank_ic_5=five)})
        for side in (pair.old, pair.new)
    ]
    return replace(pair, old=sides[0], new=sides[1])


def test_a_session_that_lacks_a_horizon_has_no_mean_over_them(pair: Pair) -> None:
    sessions = pair.new.sessions["test"]
    known = len(sessions) - LACKING
    curves = smoothed_rank_ic(with_rank_ic(pair, known))
    for track in ("model", "old"):
        curve = curves.filter(pl.col("track") == track)
        lacking = pl.col("Date") >= sessions["Date"][known]
        assert curve.filter(lacking)["rank_ic"].null_count() == curve.filter(lacking).height > 5
        means = curve.filter(~lacking)["rank_ic"]
        assert means.null_count() == SMOOTHED - 1
        assert means.drop_nulls().to_list() == pytest.approx([0.2] * (len(means) - SMOOTHED + 1))


def test_without_a_session_that_has_all_horizons_there_is_no_such_picture(pair: Pair) -> None:
    title = "Mean RankIC over the horizons, rolling mean of 20 sessions"
    assert title in page(pair)
    assert title not in page(with_rank_ic(pair, known=0))
