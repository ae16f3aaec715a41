from __future__ import annotations

from typing import Any

import pytest

from gogooku3.package.duel import duel


def cell(value: float | None, half: float = 0.01) -> dict[str, Any]:
    return {
        "value": value,
        "low": None if value is None else value - half,
        "high": None if value is None else value + half,
    }


def table(
    horizons: dict[str, float], mean: float, sharpe: float = 0.0, at_equal_turnover: float | None = None
) -> dict[str, Any]:
    rank_ic = {horizon: cell(value) for horizon, value in horizons.items()}
    less = {"sessions": 146, "sharpe": cell(sharpe, 0.5), "rank_ic": rank_ic, "mean_rank_ic": cell(mean)}
    smoothed = (
        {} if at_equal_turnover is None else {"at_equal_turnover": {"model_less_this": cell(at_equal_turnover, 0.5)}}
    )
    return {"model_less_this": less} | smoothed


def test_every_horizon_is_answered_and_a_loss_is_told():
    found = duel(table({"1": -0.0145, "5": 0.02, "10": 0.03, "20": 0.001}, 0.009, 1.0))
    assert found.text("ridge regression") == (
        "By RankIC over all horizons the model is not shown to differ from ridge regression"
        " (+0.0090 [−0.0010, +0.0190])."
        " It beats ridge regression at 5 sessions (+0.0200 [+0.0100, +0.0300]) and at 10 sessions"
        " (+0.0300 [+0.0200, +0.0400]); is worse than ridge regression at 1 session (−0.0145 [−0.0245, −0.0045]);"
        " is not shown to differ from ridge regression at 20 sessions (+0.0010 [−0.0090, +0.0110])."
        " By Sharpe ratio the model beats ridge regression (+1.00 [+0.50, +1.50])."
    )
    assert found.outcome == "worse at 1 session"


@pytest.mark.parametrize(
    ("horizons", "mean", "sharpe", "equal", "outcome"),
    [
        ((0.02, 0.02), 0.02, 1.0, None, "yes"),
        ((0.02, 0.0), 0.02, 1.0, None, "yes"),
        ((0.02, 0.02), 0.02, 0.0, None, "in part"),
        ((0.02, 0.0), 0.0, 0.0, None, "in part"),
        ((0.0, 0.0), 0.0, 0.0, None, "not shown"),
        ((0.02, 0.02), 0.02, 1.0, 0.0, "in part"),
        ((0.02, 0.02), 0.02, 0.0, 1.0, "yes"),
        ((0.02, 0.02), 0.02, 1.0, -1.0, "no"),
        ((0.02, 0.02), 0.02, -1.0, 1.0, "no"),
        ((0.0, 0.0), -0.02, 1.0, None, "no"),
        ((0.02, -0.02), 0.0, 0.0, None, "worse at 5 sessions"),
        ((-0.02, -0.02), -0.02, 0.0, None, "no"),
    ],
)
def test_the_outcome_needs_all_of_it_and_hides_no_loss(horizons, mean, sharpe, equal, outcome):
    assert duel(table(dict(zip("15", horizons, strict=True)), mean, sharpe, equal)).outcome == outcome


def test_sharpe_ratios_at_equal_turnover_stand_beside_the_plain_ones():
    text = duel(table({"1": 0.0}, 0.0, 1.0, -0.2)).text("LightGBM")
    assert text.endswith(
        "By Sharpe ratio the model beats LightGBM (+1.00 [+0.50, +1.50]); at equal turnover it is not shown to differ"
        " from LightGBM (−0.20 [−0.70, +0.30])."
    )


def test_a_table_of_an_early_version_and_undefined_differences_are_readable():
    early = {"model_less_this": {"sessions": 146, "sharpe": cell(None)}}
    found = duel(early)
    assert found.outcome == "not shown"
    assert found.text("equal weights") == "By Sharpe ratio the model cannot be compared with equal weights (undefined)."
