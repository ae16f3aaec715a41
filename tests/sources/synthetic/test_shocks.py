"""Statistics of the synthetic market: fat tails, volatility clustering, correlations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import numpy.typing as npt
import pytest

from gogooku3.config.quotes import Planted, SyntheticQuotes
from gogooku3.quotes.schema import Quotes
from gogooku3.sources.source import make
from gogooku3.sources.synthetic import shocks, universe
from gogooku3.sources.synthetic.alpha_signals import CLIP, CLIPPED_SD
from gogooku3.sources.synthetic.random_streams import Purpose, generator

Params = Callable[..., SyntheticQuotes]
Floats = npt.NDArray[np.float64]
PLAIN = Planted(slow=0.0, reversal=0.0, frequency=0.0, neighbours=0.0)
WHOLE = {"listed_later": 0.0, "delisted": 0.0, "suspended": 0.0, "splits": 0.0, "planted": PLAIN}


def matrix(made: Quotes, column: str) -> Floats:
    return made.bars[column].to_numpy().reshape(made.index.height, -1)


@pytest.fixture(scope="module")
def params(synthetic: Params) -> SyntheticQuotes:
    return synthetic(stocks=240, start=date(2016, 1, 4), **WHOLE)


@pytest.fixture(scope="module")
def plain(params: SyntheticQuotes) -> Quotes:
    """A whole market of nine years without anything planted."""
    return make(params)


@pytest.fixture(scope="module", name="returns_TS")
def daily_returns(plain: Quotes) -> Floats:
    return np.diff(np.log(matrix(plain, "Close")), axis=0)


def test_the_market_has_fat_tails_and_clusters_of_volatility(plain: Quotes) -> None:
    moves = np.diff(np.log(plain.index["Close"].to_numpy()))
    kurtosis = ((moves - moves.mean()) ** 4).mean() / moves.var() ** 2
    assert kurtosis > 4.0
    size = np.abs(moves)
    within_a_month = np.mean([np.corrcoef(size[lag:], size[:-lag])[0, 1] for lag in range(1, 21)])
    assert within_a_month > 3 / len(moves) ** 0.5
    assert abs(np.corrcoef(moves[1:], moves[:-1])[0, 1]) < 0.1


def test_stocks_have_fat_tails_and_realistic_volatility(returns_TS: Floats) -> None:
    assert 0.015 < np.median(returns_TS.std(axis=0)) < 0.03
    z_TS = returns_TS / returns_TS.std(axis=0)
    assert np.median((z_TS**4).mean(axis=0)) > 3.5


def test_correlation_is_high_within_clusters_and_low_within_sectors(
    params: SyntheticQuotes, returns_TS: Floats
) -> None:
    drawn = universe.draw(params)
    windows = [np.corrcoef(returns_TS[start : start + 60].T) for start in range(0, len(returns_TS) - 60, 60)]
    correlation_SS = np.mean(windows, axis=0)
    other = ~np.eye(len(correlation_SS), dtype=bool)
    mates = (drawn.cluster_S[:, None] == drawn.cluster_S) & other
    sector = (drawn.sector_S[:, None] == drawn.sector_S) & other & ~mates
    apart = drawn.sector_S[:, None] != drawn.sector_S
    assert correlation_SS[mates].mean() > 0.4
    assert 0.15 < correlation_SS[sector].mean() < 0.27
    assert correlation_SS[apart].mean() < correlation_SS[sector].mean() - 0.02
    # In one window of 60 sessions, a stock's five best correlated are mostly the five others of its cluster.
    best = np.argsort(-(windows[-1] - 2 * np.eye(len(other))), axis=1)[:, :5]
    full = np.bincount(drawn.cluster_S)[drawn.cluster_S] == 6
    found = drawn.cluster_S[best] == drawn.cluster_S[:, None]
    assert found[full].mean() > 0.6


def test_a_quarter_of_the_own_shock_comes_overnight(plain: Quotes) -> None:
    gap_TS = np.log(matrix(plain, "Open")[1:] / matrix(plain, "Close")[:-1])
    own_TS = gap_TS - gap_TS.mean(axis=1, keepdims=True)
    expected = shocks.OWN_SHARE * shocks.OWN_OVERNIGHT * shocks.STOCK**2
    assert (own_TS**2).mean() == pytest.approx(expected, rel=0.25)


def test_range_estimators_recover_the_volatility_of_the_day(plain: Quotes) -> None:
    parkinson = (np.log(matrix(plain, "High") / matrix(plain, "Low")) ** 2).mean(axis=0) / (4 * np.log(2))
    intraday = np.log(matrix(plain, "Close") / matrix(plain, "Open")).var(axis=0)
    assert np.median(parkinson / intraday) == pytest.approx(1.0, abs=0.15)
    assert np.corrcoef(parkinson, intraday)[0, 1] > 0.9


def test_the_dispersion_predicts_the_cross_sectional_variance(params: SyntheticQuotes) -> None:
    drawn = universe.draw(params)
    found = []
    for number in range(1500):
        rng = generator(1, Purpose.SESSION, number)
        state_S = rng.standard_normal(params.stocks)
        moved = shocks.draw(drawn, shocks.VolatilityState(2.0, state_S, drawn.phase_S), rng)
        found.append((moved.overnight_S + moved.intraday_S).var())
    error = np.std(found) / len(found) ** 0.5
    assert np.mean(found) == pytest.approx(shocks.dispersion(drawn, 2.0), abs=4 * error)


def test_the_volatility_state_is_stationary_with_a_half_life_of_sixty_sessions() -> None:
    rng = generator(3, Purpose.SESSION)
    S = 20_000
    first = volatility = shocks.VolatilityState(1.0, rng.standard_normal(S), np.zeros(S))
    for _ in range(60):
        volatility = volatility.after(0.0, np.full(S, 10.0), rng)
    assert volatility.state_S.std() == pytest.approx(1.0, abs=0.02)
    assert np.corrcoef(first.state_S, volatility.state_S)[0, 1] == pytest.approx(0.5, abs=0.03)
    assert (volatility.relative**2).mean() == pytest.approx(1.0, abs=0.03)


def test_the_clipped_own_shock_has_the_stated_spread(params: SyntheticQuotes) -> None:
    drawn = universe.draw(params)
    volatility = shocks.VolatilityState(1.0, drawn.state_S, drawn.phase_S)
    own = np.concatenate([shocks.draw(drawn, volatility, generator(2, Purpose.SESSION, n)).own_S for n in range(1500)])
    assert own.std() == pytest.approx(1.0, abs=0.01)
    assert np.clip(own, -CLIP, CLIP).std() == pytest.approx(CLIPPED_SD, abs=0.004)
