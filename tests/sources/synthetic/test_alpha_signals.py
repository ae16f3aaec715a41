"""The planted alpha signals have their stated strength, and nothing else is predictable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import rankdata

from gogooku3.config.quotes import Planted, SyntheticQuotes
from gogooku3.errors import ConfigError
from gogooku3.quotes.schema import Quotes
from gogooku3.sources.source import make
from gogooku3.sources.synthetic import alpha_signals, oracle, shocks, universe
from gogooku3.sources.synthetic.random_streams import Purpose, generator

Params = Callable[..., SyntheticQuotes]
Floats = npt.NDArray[np.float64]
EFFECTS = ("slow", "reversal", "frequency", "neighbours")
# Fat tails and unequal volatilities move Spearman's correlation away from the normal relation by so much.
NOT_NORMAL = 0.04


def only(*names: str, strength: float = 0.08) -> Planted:
    return Planted(**{name: strength if name in names else 0.0 for name in EFFECTS})


@pytest.fixture(scope="module")
def wide(synthetic: Params) -> Callable[..., Quotes]:
    """Makes whole markets of 400 stocks on about 500 sessions, each once."""

    @cache
    def market_of(strengths: Planted) -> Quotes:
        return make(params(synthetic, strengths))

    return market_of


def params(synthetic: Params, strengths: Planted) -> SyntheticQuotes:
    return synthetic(
        stocks=400,
        start=date(2021, 12, 1),
        **{"listed_later": 0.0, "delisted": 0.0, "suspended": 0.0, "splits": 0.0},
        planted=strengths,
    )


def matrix(made: Quotes, column: str) -> Floats:
    return made.bars[column].to_numpy().reshape(made.index.height, -1)


def scores(made: Quotes, horizon: int) -> Floats:
    assert made.oracle is not None
    return made.oracle.scores[f"oracle_{horizon}"].to_numpy().reshape(made.index.height, -1)


def rank_ics(score_TS: Floats, close_TS: Floats, horizon: int) -> Floats:
    """RankIC of each session, by SciPy's ranks."""
    target_TS = close_TS[horizon:] / close_TS[:-horizon] - 1
    ranks = [rankdata(values, axis=1) for values in (score_TS[:-horizon], target_TS)]
    x, y = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    result: Floats = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return result


def error_of_mean(values: Floats, horizon: int) -> float:
    """Standard error from means of blocks that are long beside the overlap."""
    blocks = np.array([block.mean() for block in np.array_split(values, max(8, len(values) // (3 * horizon)))])
    return float(blocks.std(ddof=1) / len(blocks) ** 0.5)


@pytest.mark.parametrize("names", [*((name,) for name in EFFECTS), EFFECTS], ids="+".join)
@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_the_oracle_ranks_as_well_as_theory_says(
    wide: Callable[..., Quotes], names: tuple[str, ...], horizon: int
) -> None:
    made = wide(only(*names))
    assert made.oracle is not None
    summary = made.oracle.summary["horizons"][str(horizon)]
    found = rank_ics(scores(made, horizon), matrix(made, "Close"), horizon)
    margin = 3 * error_of_mean(found, horizon) + NOT_NORMAL * summary["rank_ic"]
    assert found.mean() == pytest.approx(summary["rank_ic"], abs=margin)
    assert summary["realised_rank_ic"] == pytest.approx(found.mean(), abs=1e-6)
    assert summary["sessions"] == len(found)


@pytest.mark.parametrize("name", EFFECTS)
def test_the_strength_is_the_correlation_with_the_next_return(wide: Callable[..., Quotes], name: str) -> None:
    made = wide(only(name))
    next_TS = np.diff(np.log(matrix(made, "Close")), axis=0)
    score_TS = scores(made, 1)[:-1]
    ics = np.array([np.corrcoef(score, move)[0, 1] for score, move in zip(score_TS, next_TS, strict=True)])
    assert ics.mean() == pytest.approx(0.08, abs=3 * error_of_mean(ics, 1))


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("horizon", [1, 20])
def test_strength_zero_plants_nothing(wide: Callable[..., Quotes], name: str, horizon: int) -> None:
    """The signals of a market with an effect do not predict the returns of the same market without it."""
    with_effect, without = wide(only(name)), wide(only())
    found = rank_ics(scores(with_effect, horizon), matrix(without, "Close"), horizon)
    assert abs(found.mean()) < 3 * error_of_mean(found, horizon)


def test_without_effects_the_oracle_expects_nothing(wide: Callable[..., Quotes]) -> None:
    made = wide(only())
    assert made.oracle is not None
    assert (scores(made, 20) == 0).all()
    summary = made.oracle.summary["horizons"]["1"]
    assert summary == {"ic": 0.0, "rank_ic": 0.0, "realised_rank_ic": None, "sessions": 0}


def test_slow_is_visible_in_the_range(wide: Callable[..., Quotes]) -> None:
    made = wide(only("slow"))
    range_TS = np.log(matrix(made, "High") / matrix(made, "Low"))
    window = range_TS[-40:].mean(axis=0)
    assert np.corrcoef(scores(made, 1)[-20], np.log(window))[0, 1] < -0.7


def test_frequency_is_visible_in_the_change_of_the_volume(wide: Callable[..., Quotes]) -> None:
    """The cosine falls where the sine is high: volume of the next session minus that of the last."""
    made = wide(only("frequency"))
    volume_TS = np.log(matrix(made, "Volume"))
    turn_TS = volume_TS[2:] - volume_TS[:-2]
    assert np.corrcoef(scores(made, 1)[1:-1].ravel(), turn_TS.ravel())[0, 1] < -0.4


def test_neighbours_are_visible_in_the_gaps_of_the_others_only(synthetic: Params, wide: Callable[..., Quotes]) -> None:
    made = wide(only("neighbours"))
    gap_TS = np.log(matrix(made, "Open")[1:] / matrix(made, "Close")[:-1])
    gap_TS = gap_TS - gap_TS.mean(axis=1, keepdims=True)
    score_TS = scores(made, 1)[1:]
    cluster_S = universe.draw(params(synthetic, only("neighbours"))).cluster_S
    sum_TC = np.stack([np.bincount(cluster_S, weights=row) for row in gap_TS])
    others_TS = sum_TC[:, cluster_S] - gap_TS
    assert np.corrcoef(score_TS.ravel(), others_TS.ravel())[0, 1] > 0.7
    assert abs(np.corrcoef(score_TS.ravel(), gap_TS.ravel())[0, 1]) < 0.02


def test_reversal_is_visible_in_the_last_return(wide: Callable[..., Quotes]) -> None:
    made = wide(only("reversal"))
    move_TS = np.diff(np.log(matrix(made, "Close")), axis=0)
    move_TS = move_TS - move_TS.mean(axis=1, keepdims=True)
    assert np.corrcoef(scores(made, 1)[1:].ravel(), move_TS.ravel())[0, 1] < -0.5


def climate_and_shocks(S: int) -> tuple[shocks.VolatilityState, shocks.Shocks]:
    zero_S = np.zeros(S)
    moved = shocks.Shocks(
        market=0.0,
        market_return=0.0,
        overnight_S=zero_S,
        intraday_S=zero_S,
        intraday_sd_S=zero_S,
        own_overnight_S=zero_S,
        own_S=zero_S,
    )
    return shocks.VolatilityState(1.0, zero_S, zero_S), moved


def test_neighbours_take_the_root_scaled_mean_of_the_others_that_have_a_bar() -> None:
    volatility, moved = climate_and_shocks(6)
    shock_S = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    cluster_S = np.array([0, 0, 0, 1, 1, 2])
    present_S = np.array([True, True, False, True, True, True])
    seen = alpha_signals.signals_at_close(volatility, replace(moved, own_overnight_S=shock_S), cluster_S, present_S)
    expected = [2.0, 1.0, 2**0.5 * 1.5, 16.0, 8.0, 0.0]
    np.testing.assert_allclose(seen.neighbours_S, np.exp(-(shocks.STATE_SPREAD**2)) * np.array(expected))


def test_expectations_over_horizons_are_the_mean_of_simulated_paths(synthetic: Params) -> None:
    """The closed forms of the slow and the cyclic sums against walks of the states themselves."""
    S, paths = 3, 20_000
    drawn = universe.draw(synthetic(stocks=S, sectors=1, cluster_size=1))
    state_S, phase_S = np.array([1.5, -0.5, 0.2]), np.array([0.3, 2.0, 5.0])
    _, moved = climate_and_shocks(S)
    start = shocks.VolatilityState(1.0, state_S, phase_S)
    strengths = Planted(slow=0.2, reversal=0.0, frequency=0.2, neighbours=0.0)
    signals = alpha_signals.signals_at_close(start, moved, drawn.cluster_S, np.ones(S, dtype=bool))
    expected_HS = alpha_signals.Expectation(strengths, drawn).of(signals, start)
    spread = (shocks.dispersion(drawn, 1.0) / (1 - 2 * 0.2**2)) ** 0.5

    rng = generator(5, Purpose.SESSION)
    volatility = shocks.VolatilityState(1.0, np.tile(state_S, paths), np.tile(phase_S, paths))
    sum_N, relative_N = np.zeros(S * paths), np.tile(start.relative, paths)
    for session in range(1, 21):
        signal_N = -volatility.state_S + relative_N * 2**0.5 * np.sin(volatility.phase_S)
        sum_N += 0.2 * spread * signal_N
        volatility = volatility.after(0.0, np.tile(drawn.period_S, paths), rng)
        if session in alpha_signals.HORIZONS:
            walked = sum_N.reshape(paths, S)
            error = 4 * walked.std(axis=0) / paths**0.5 + 1e-12
            row = alpha_signals.HORIZONS.index(session)
            assert (np.abs(walked.mean(axis=0) - expected_HS[row]) < error).all()


def test_theory_of_one_session_is_the_root_of_the_summed_squares(synthetic: Params) -> None:
    drawn = universe.draw(synthetic())
    strengths = Planted(slow=0.03, reversal=0.04, frequency=0.12, neighbours=0.0)
    assert oracle.theory(strengths, drawn, 1) == pytest.approx(0.13, rel=1e-12)


def test_stocks_without_a_cluster_have_no_neighbours_effect(synthetic: Params) -> None:
    made = make(synthetic(cluster_size=1, end=date(2021, 7, 1), planted=only("neighbours")))
    assert made.oracle is not None
    assert (made.oracle.scores["oracle_1"] == 0).all()
    assert made.oracle.summary["horizons"]["1"]["ic"] == 0


def test_the_oracle_covers_every_bar(market: Quotes) -> None:
    assert market.oracle is not None
    assert market.oracle.scores.select("Date", "Code").equals(market.bars.select("Date", "Code"))


def test_effects_that_explain_most_of_the_variance_are_refused(synthetic: Params) -> None:
    with pytest.raises(ConfigError, match="predictable"):
        make(synthetic(planted=only(*EFFECTS, strength=0.5)))
