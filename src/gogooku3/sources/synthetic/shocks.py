"""Shocks: the unpredictable part of a synthetic market, a factor model with stochastic volatility (GARCH).

The log return of stock i in a session, without the planted signals, is

    β_i·M + c·(S_sector + x_i·Y) + c·σ_i·(√.35·G_cluster + √.65·e_i)

M: market shock, Student-t with GARCH(1, 1) variance h. S, Y, G, e: sector, size, cluster and idiosyncratic shocks of
unit variance times their volatility. σ_i = STOCK·exp(a·u_i − a²) with u_i ~ N(0, 1), so that E σ² = STOCK². c = h^¼
passes half of the market's volatility clustering to all stocks. A quarter of the variance of the idiosyncratic shock e
and two fifths of the market return occur overnight, between close and open; the rest is intraday.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gogooku3.sources.synthetic.random_streams import student
from gogooku3.sources.synthetic.universe import Floats, Ints, Universe

# Standard deviations of a session's log return.
MARKET = 0.009
SECTOR = 0.0047
STYLE = 0.003
STOCK = 0.018

CLUSTER_SHARE = 0.35
OWN_SHARE = 1 - CLUSTER_SHARE
OWN_OVERNIGHT = 0.25
MARKET_OVERNIGHT = 0.4

STATE_SPREAD = 0.35
STATE_DECAY: float = 0.5 ** (1 / 60)
"""Autocorrelation of a stock's volatility state: half-life of 60 sessions."""
PHASE_NOISE = 0.15
"""Standard deviation of the phase noise of a volume cycle per session, in radians."""

_ARCH, _GARCH = 0.09, 0.89
_MAX_VARIANCE = 8.0
_MARKET_FREEDOM = 5
OWN_FREEDOM = 8
_MAX_SHOCK = 6.0


@dataclass(frozen=True)
class VolatilityState:
    """The hidden state at a session's close that drives the following sessions."""

    variance: float
    """h: variance of the market shock in the next session, with long-run mean 1."""
    state_S: Floats
    """u: volatility state of each stock."""
    phase_S: Floats
    """Phase of each stock's volume cycle, in radians."""

    @property
    def common(self) -> float:
        """c: the volatility factor common to all stocks."""
        return float(self.variance**0.25)

    @property
    def relative(self) -> Floats:
        """σ_i / STOCK: relative volatility of each stock; its mean square is 1."""
        relative_S: Floats = np.exp(STATE_SPREAD * self.state_S - STATE_SPREAD**2)
        return relative_S

    def after(self, market: float, period_S: Floats, rng: np.random.Generator) -> VolatilityState:
        """The state one session later, after a standardised market shock."""
        variance = (1 - _ARCH - _GARCH) + self.variance * (_GARCH + _ARCH * market**2)
        state_S = STATE_DECAY * self.state_S + (1 - STATE_DECAY**2) ** 0.5 * rng.standard_normal(len(period_S))
        phase_S = self.phase_S + 2 * np.pi / period_S + PHASE_NOISE * rng.standard_normal(len(period_S))
        return VolatilityState(min(variance, _MAX_VARIANCE), state_S, np.mod(phase_S, 2 * np.pi))


@dataclass(frozen=True)
class Shocks:
    """One session's shocks."""

    market: float
    """Standardised market shock."""
    market_return: float
    overnight_S: Floats
    """Log return from the last close to the open."""
    intraday_S: Floats
    """Log return from the open to the close."""
    intraday_sd_S: Floats
    """Conditional standard deviation of `intraday_S`."""
    own_overnight_S: Floats
    """n: the overnight part of the idiosyncratic shock, standardised."""
    own_S: Floats
    """e: the idiosyncratic shock, standardised."""


def draw(universe: Universe, volatility: VolatilityState, rng: np.random.Generator) -> Shocks:
    """Draws the shocks of one session."""
    S = len(universe.codes)
    market = float(_bounded(student(rng, _MARKET_FREEDOM, 1))[0])
    sector_S = rng.standard_normal(int(universe.sector_S.max()) + 1)[universe.sector_S]
    style = float(rng.standard_normal())
    cluster_S = rng.standard_normal(int(universe.cluster_S.max()) + 1)[universe.cluster_S]
    night_S, day_S = (_bounded(student(rng, OWN_FREEDOM, S)) for _ in range(2))

    market_return = MARKET * volatility.variance**0.5 * market
    common, stock_S = volatility.common, volatility.common * STOCK * volatility.relative
    own_night = (OWN_SHARE * OWN_OVERNIGHT) ** 0.5
    own_day = (OWN_SHARE * (1 - OWN_OVERNIGHT)) ** 0.5
    shared_S = common * (SECTOR * sector_S + STYLE * style * universe.size_S)
    market_day = 1 - MARKET_OVERNIGHT
    variance_S = (
        volatility.variance * (market_day * MARKET * universe.beta_S) ** 2
        + common**2 * (SECTOR**2 + (STYLE * universe.size_S) ** 2)
        + stock_S**2 * (CLUSTER_SHARE + own_day**2)
    )
    return Shocks(
        market=market,
        market_return=market_return,
        overnight_S=MARKET_OVERNIGHT * universe.beta_S * market_return + own_night * stock_S * night_S,
        intraday_S=(
            market_day * universe.beta_S * market_return
            + shared_S
            + stock_S * (CLUSTER_SHARE**0.5 * cluster_S + own_day * day_S)
        ),
        intraday_sd_S=np.sqrt(variance_S),
        own_overnight_S=night_S,
        own_S=OWN_OVERNIGHT**0.5 * night_S + (1 - OWN_OVERNIGHT) ** 0.5 * day_S,
    )


def dispersion(universe: Universe, variance: float) -> float:
    """Expected cross-sectional variance of a session's shocks, given the market's variance h.

    A factor common to a group disperses stocks only between groups: it counts with 1 − Σ p², where p are the groups'
    shares of the stocks.
    """
    return float(
        variance * MARKET**2 * universe.beta_S.var()
        + variance**0.5
        * (
            SECTOR**2 * _between_groups(universe.sector_S)
            + STYLE**2 * universe.size_S.var()
            + STOCK**2 * (CLUSTER_SHARE * _between_groups(universe.cluster_S) + OWN_SHARE)
        )
    )


def _between_groups(group_S: Ints) -> float:
    share = np.bincount(group_S) / len(group_S)
    return float(1 - (share**2).sum())


def _bounded(shock: Floats) -> Floats:
    return np.clip(shock, -_MAX_SHOCK, _MAX_SHOCK)
