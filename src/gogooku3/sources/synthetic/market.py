"""Synthetic market: J-Quants-like bars with planted alpha signals, on the sessions of the Tokyo exchange.

`universe` draws the stocks, `shocks` the random returns, `alpha_signals` the predictable part, and `bar_simulator`
simulates the bars. This module runs them session by session. Each session has its own random stream, so two markets
that differ only in `end` have the same bars in their common sessions.
"""

from __future__ import annotations

import warnings

import exchange_calendars
import numpy as np
import polars as pl
from exchange_calendars.errors import NoSessionsError

from gogooku3.config.quotes import Rules, SyntheticQuotes
from gogooku3.errors import ConfigError
from gogooku3.quotes.schema import Bars, Index, Listed, Oracle, OracleScores, Quotes
from gogooku3.sources.rules import enforce
from gogooku3.sources.synthetic import shocks, universe
from gogooku3.sources.synthetic.alpha_signals import Expectation, signals_at_close
from gogooku3.sources.synthetic.bar_simulator import BarSimulator
from gogooku3.sources.synthetic.oracle import summarise
from gogooku3.sources.synthetic.random_streams import Purpose, generator
from gogooku3.sources.synthetic.shocks import VolatilityState
from gogooku3.sources.synthetic.universe import SECTORS, SEGMENTS, Universe

_INDEX_BASE = 2000.0
_STRICT = Rules(
    duplicate_key="error",
    unsorted="error",
    missing_value="error",
    non_positive_price="error",
    negative_volume="error",
    high_below_low="error",
    outside_range="error",
    future_date="error",
)


def make(params: SyntheticQuotes) -> Quotes:
    """Simulates a market.

    Raises:
        ConfigError: the period has no sessions, there are too many stocks, or the signals are too strong.
    """
    dates = calendar(params)
    stocks = universe.draw(params)
    simulator, index = _simulate(params, stocks, len(dates))
    recorded, scores = simulator.frames(dates)
    bars, rules = enforce(recorded, _STRICT, params.end)
    return Quotes(
        bars=Bars.validate(bars),
        listed=Listed.validate(_listed(stocks, dates)),
        index=Index.validate(pl.DataFrame({"Date": dates, "Close": index})),
        report={"rules": rules},
        oracle=Oracle(OracleScores.validate(scores), summarise(params.planted, stocks, bars, scores)),
    )


def calendar(params: SyntheticQuotes) -> pl.Series:
    """The sessions of the Tokyo exchange in the period; raises `ConfigError` if there are none."""
    period = f"`quotes.start` {params.start} to `quotes.end` {params.end}"
    try:
        with warnings.catch_warnings():
            # exchange_calendars calls deprecated functions of pandas.
            warnings.simplefilter("ignore", DeprecationWarning)
            exchange = exchange_calendars.get_calendar("XTKS", start=str(params.start), end=str(params.end))
    except NoSessionsError:
        raise ConfigError(f"the Tokyo exchange has no session from {period}", hint="extend the period") from None
    except ValueError as error:
        raise ConfigError(
            f"no calendar of the Tokyo exchange for {period}: {error}", hint="choose another period"
        ) from None
    return pl.Series("Date", exchange.sessions.to_numpy()).cast(pl.Date)


def _simulate(params: SyntheticQuotes, stocks: Universe, sessions: int) -> tuple[BarSimulator, list[float]]:
    """Simulates all sessions; returns the bars, and the index: the chained market factor."""
    expectation = Expectation(params.planted, stocks)
    volatility = VolatilityState(1.0, stocks.state_S, stocks.phase_S)
    alpha_S = np.zeros(params.stocks)
    simulator = BarSimulator(params, stocks)
    index, level = [], _INDEX_BASE
    for number in range(sessions):
        rng = generator(params.seed, Purpose.SESSION, number)
        shock = shocks.draw(stocks, volatility, rng)
        volatility = volatility.after(shock.market, stocks.period_S, rng)
        present_S = simulator.present(number, rng)
        expected_HS = expectation.of(signals_at_close(volatility, shock, stocks.cluster_S, present_S), volatility)
        simulator.record(number, present_S, shock, alpha_S, volatility, expected_HS, rng)
        alpha_S = expected_HS[0]
        level *= float(np.exp(shock.market_return))
        index.append(round(level, 2))
    return simulator, index


def _listed(stocks: Universe, dates: pl.Series) -> pl.DataFrame:
    """The stocks with a bar in the period, sorted by code."""
    delisted_S = stocks.last_S < len(dates)
    last_S = dates.gather(np.where(delisted_S, stocks.last_S, 0))
    listed = pl.DataFrame(
        {
            "Code": stocks.codes,
            "Sector33": [SECTORS[sector] for sector in stocks.sector_S],
            "MarketSegment": [SEGMENTS[segment] for segment in stocks.segment_S],
            "ListedFrom": dates.gather(np.minimum(stocks.first_S, len(dates) - 1)),
            "ListedTo": pl.select(pl.when(pl.Series(delisted_S)).then(last_S)).to_series(),
        }
    )
    return listed.filter(pl.Series(stocks.first_S < len(dates)))
