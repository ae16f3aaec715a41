"""Results that are too good to be true are findings; honest ones, and those below a synthetic oracle, are not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gogooku3.config.evaluation import Measures
from gogooku3.errors import DataError
from gogooku3.evaluation import checks
from gogooku3.evaluation.evaluate import Outcome, evaluate
from gogooku3.evaluation.plausibility import plausibility
from gogooku3.metrics import plausible
from gogooku3.metrics.distributions import normal_cdf

from .conftest import PARAMS, market, outcome_of, traded_with

Found = dict[str, dict[str, Any]]


def found(
    scores_TSH: np.ndarray, outcome: Outcome, params: Measures = PARAMS, oracle_TSH: np.ndarray | None = None
) -> Found:
    evaluation = evaluate(scores_TSH, outcome, params, oracle_TSH)
    findings = plausibility(evaluation, scores_TSH, outcome, params, oracle_TSH)
    return {each["name"]: each for level in ("warning", "error") for each in findings if each["level"] == level}


def errors(findings: Found) -> set[str]:
    return {name for name, finding in findings.items() if finding["level"] == "error"}


def honest(sessions: int = 150, stocks: int = 120, strength: float = 0.03) -> tuple[np.ndarray, Outcome]:
    """A weak persistent signal: scores that change slowly, and returns that follow them."""
    rng = np.random.default_rng(3)
    signal_TS = np.empty((sessions, stocks))
    signal_TS[0] = rng.standard_normal(stocks)
    for t in range(1, sessions):
        signal_TS[t] = 0.95 * signal_TS[t - 1] + math.sqrt(1 - 0.95**2) * rng.standard_normal(stocks)
    returns_TS = 0.02 * (strength * signal_TS + rng.standard_normal((sessions, stocks)))
    return np.repeat(signal_TS[..., None], 2, axis=2), outcome_of(targets(returns_TS))


def targets(returns_TS: np.ndarray) -> np.ndarray:
    _, targets_TSH = market(sessions=len(returns_TS), stocks=returns_TS.shape[1])
    wealth_TS = np.vstack([np.ones(returns_TS.shape[1]), np.cumprod(1 + returns_TS, axis=0)])
    for index, horizon in enumerate((1, 5)):
        ahead_TS = wealth_TS[horizon:] / wealth_TS[:-horizon] - 1
        targets_TSH[:, :, index] = np.nan
        targets_TSH[: len(ahead_TS) - 1, :, index] = ahead_TS[:-1]
    return targets_TSH


def with_traded_values(outcome: Outcome) -> Outcome:
    """Traded values from 1e6 to 1e10, by stock."""
    sessions, stocks = outcome.market_state.traded_value_TS.shape
    values_S = np.geomspace(1e6, 1e10, stocks)
    state = replace(outcome.market_state, traded_value_TS=np.tile(values_S, (sessions, 1)))
    return replace(outcome, market_state=state)


def test_an_honest_model_has_no_findings() -> None:
    scores_TSH, outcome = honest()
    assert found(scores_TSH, with_traded_values(outcome)) == {}


def test_scores_that_know_the_next_session_are_an_error() -> None:
    scores_TSH, outcome = honest()
    ahead_TS = np.nan_to_num(np.vstack([outcome.target(1)[1:], np.zeros((1, 120))]))
    leaked = found(np.repeat(ahead_TS[..., None], 2, axis=2), outcome)  # traded a session later, as the delay says
    assert {"sharpe", "drawdown", "rank_ic", "ic", "decay", "break_even"} <= errors(leaked)
    assert leaked["decay"]["value"] == pytest.approx(1.0)
    assert "is gone" in leaked["decay"]["text"]
    assert leaked["sharpe"]["value"] > leaked["sharpe"]["bound"] == 6
    assert errors(found(scores_TSH, outcome)) == set()


def test_skill_that_lasts_is_no_decay_and_a_weak_jump_only_a_warning() -> None:
    assert plausible.jumps(0.3, 0.2, 0.08) == 0
    assert plausible.jumps(0.3, 0.2, 0.07) == 0.3
    assert plausible.jumps(-0.02, -0.12, -0.02) == 0.12
    assert plausible.jumps(0.12, math.nan, -0.12) == 0.12
    assert plausible.jumps(math.nan, math.nan, math.nan) == 0
    rng = np.random.default_rng(0)
    returns_TS = 0.02 * rng.standard_normal((300, 120))
    noise_TS = rng.standard_normal((300, 120))
    scores_TS = 0.07 * returns_TS / 0.02 + noise_TS
    decayed = found(np.repeat(scores_TS[..., None], 2, axis=2), outcome_of(targets(returns_TS)))
    assert decayed["decay"]["level"] == "warning"


def test_a_synthetic_market_is_bounded_by_its_oracle() -> None:
    signal_TSH, targets_TSH = market(strength=0.5, sessions=120)
    noise_TSH = np.random.default_rng(1).standard_normal(signal_TSH.shape)
    outcome = outcome_of(targets_TSH)
    below = 0.7 * signal_TSH + 0.7 * noise_TSH
    assert found(below, outcome, oracle_TSH=signal_TSH) == {}
    assert errors(found(below, outcome)) == {"rank_ic", "ic", "decay"}  # a real market would be refused
    assert found(signal_TSH, outcome, oracle_TSH=signal_TSH) == {}
    ahead = found(np.nan_to_num(targets_TSH), outcome, oracle_TSH=signal_TSH)
    assert errors(ahead) == {"oracle"}
    assert ahead["oracle"]["value"] > 1.5


def test_ten_least_liquid_stocks_are_an_error() -> None:
    scores_TSH, outcome = honest()
    outcome = with_traded_values(outcome)
    only_ten_TSH = np.zeros_like(scores_TSH)
    only_ten_TSH[:, :10] = scores_TSH[:, :10]
    traded = found(only_ten_TSH, outcome)
    assert {"illiquid_stocks"} <= errors(traded)
    assert traded["illiquid_stocks"]["value"] > 0.8
    assert errors(found(only_ten_TSH[:, ::-1], outcome)) == set()  # the ten most liquid


def test_a_capacity_of_dust_is_an_error() -> None:
    scores_TSH, outcome = honest()
    values_TS = np.tile(np.where(np.arange(120) < 60, 1e3, 1e12), (len(scores_TSH), 1))
    dust = replace(outcome, market_state=replace(outcome.market_state, traded_value_TS=values_TS))
    small_TSH = np.where(np.arange(120)[:, None] < 60, scores_TSH, 0.0)
    assert "capacity" in errors(found(small_TSH, dust))
    assert "illiquid_stocks" not in errors(found(small_TSH, dust))  # sixty stocks, not ten


@pytest.mark.parametrize("cost", [0.0, 0.01])
def test_a_cost_of_nothing_is_an_error(cost: float) -> None:
    scores_TSH, outcome = honest()
    free = found(scores_TSH, outcome, traded_with(cost_bps=cost))
    assert errors(free) == {"costs"}
    assert free["costs"]["value"] == cost
    assert errors(found(scores_TSH, outcome, traded_with(delay=0))) == {"delay"}


def test_survivors_only_is_an_error() -> None:
    scores_TSH, outcome = honest(sessions=260, stocks=500)
    assert errors(found(scores_TSH, outcome)) == {"survivors"}
    close_TS = outcome.market_state.close_TS.copy()
    close_TS[200:, 7] = np.nan
    delisted = replace(outcome, market_state=replace(outcome.market_state, close_TS=close_TS))
    assert errors(found(scores_TSH, delisted)) == set()


def test_scores_that_say_nothing_are_an_error() -> None:
    scores_TSH, outcome = honest()
    flat_TSH = scores_TSH.copy()
    flat_TSH[::4] = 1.0
    assert errors(found(flat_TSH, outcome)) == {"constant_scores"}
    assert errors(found(np.tile(scores_TSH[:1], (150, 1, 1)), outcome)) == {"frozen_scores"}


def test_a_track_without_a_losing_month() -> None:
    scores_TSH, outcome = honest(sessions=540, strength=0.3)
    assert found(scores_TSH, outcome)["no_losing_month"]["level"] == "error"
    first_year = Outcome(
        outcome.targets_TSH[:270], outcome.sessions[:270], outcome.horizons, outcome.market_state.rows(0, 270)
    )
    assert found(scores_TSH[:270], first_year)["no_losing_month"]["level"] == "warning"


def test_a_shifted_target_is_refused() -> None:
    _, outcome = honest(sessions=60)
    returns_TS = np.nan_to_num(outcome.target(1))
    close_TS = np.vstack([np.ones(120), np.cumprod(1 + returns_TS, axis=0)])[:-1]
    state = replace(outcome.market_state, close_TS=close_TS)
    codes = [str(code) for code in range(120)]
    own_TSH, shifted_TSH = outcome.targets_TSH[..., :1], np.roll(outcome.targets_TSH[..., :1], -1, axis=0)
    checks.require_targets_match_bars(own_TSH, [1], outcome.sessions, codes, state)
    with pytest.raises(DataError, match="differ from the returns of the bars"):
        checks.require_targets_match_bars(shifted_TSH, [1], outcome.sessions, codes, state)


def test_the_bounds_are_what_their_sources_give() -> None:
    assert 0.5 + math.asin(plausible.RANK_IC) / math.pi == pytest.approx(plausible.HIT_RATE_HIGH, abs=1e-3)
    month = normal_cdf(plausible.SHARPE_HIGH / math.sqrt(12))
    assert month**plausible.MONTHS < 0.01 < month ** (plausible.MONTHS - 1)
    assert math.exp(-0.01 * plausible.STOCK_YEARS) < 0.01 < math.exp(-0.01 * (plausible.STOCK_YEARS - 1))
    for sharpe, depth in ((3, 0.58), (6, 0.40), (26, plausible.DRAWDOWN)):  # Magdon-Ismail and Atiya, for long tracks
        expected = 2 / sharpe * (math.log(sharpe**2 / 2) / 4 + 0.49088)
        assert expected == pytest.approx(depth, abs=0.005)
