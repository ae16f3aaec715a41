"""A synthetic market: J-Quants-shaped bars with planted predictability, on the sessions of the Tokyo exchange.

What a stock is stands in `universe`, what moves its price in `shocks`, what of it can be predicted in `planted`,
how a session becomes bars in `simulator`. Here the market walks from session to session. Every session draws from its
own stream, so two markets that differ in `end` alone have the same bars on the sessions that they share.
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
    """Makes a market.

    Raises:
        ConfigError: a period without sessions, too many stocks, or effects that are too strong.
    """
    dates = _sessions(params)
    stocks = universe.draw(params)
    simulator, index = _walk(params, stocks, len(dates))
    recorded, scores = simulator.frames(dates)
    bars, rules = enforce(recorded, _STRICT, params.end)
    return Quotes(
        bars=Bars.validate(bars),
        listed=Listed.validate(_listed(stocks, dates)),
        index=Index.validate(pl.DataFrame({"Date": dates, "Close": index})),
        report={"rules": rules},
        oracle=Oracle(OracleScores.validate(scores), summarise(params.planted, stocks, bars, scores)),
    )


def _sessions(params: SyntheticQuotes) -> pl.Series:
    period = f"`quotes.start` {params.start} to `quotes.end` {params.end}"
    try:
        with warnings.catch_warnings():
            # exchange_calendars still calls what pandas deprecates; its sessions are what they were.
            warnings.simplefilter("ignore", DeprecationWarning)
            calendar = exchange_calendars.get_calendar("XTKS", start=str(params.start), end=str(params.end))
    except NoSessionsError:
        raise ConfigError(f"the Tokyo exchange has no session from {period}", hint="lengthen the period") from None
    except ValueError as error:
        raise ConfigError(f"no calendar of the Tokyo exchange for {period}: {error}", hint="move it") from None
    return pl.Series("Date", calendar.sessions.to_numpy()).cast(pl.Date)


def _walk(params: SyntheticQuotes, stocks: Universe, sessions: int) -> tuple[BarSimulator, list[float]]:
    """The bars of all sessions, and the index: the market's own move, chained."""
    expectation = Expectation(params.planted, stocks)
    volatility = VolatilityState(1.0, stocks.state_S, stocks.phase_S)
    alpha_S = np.zeros(params.stocks)
    simulator = BarSimulator(params, stocks)
    index, level = [], _INDEX_BASE
    for number in range(sessions):
        rng = generator(params.seed, Purpose.SESSION, number)
        moved = shocks.draw(stocks, volatility, rng)
        volatility = volatility.after(moved.market, stocks.period_S, rng)
        present_S = simulator.present(number, rng)
        expected_HS = expectation.of(signals_at_close(volatility, moved, stocks.cluster_S, present_S), volatility)
        simulator.record(number, present_S, moved, alpha_S, volatility, expected_HS, rng)
        alpha_S = expected_HS[0]
        level *= float(np.exp(moved.market_return))
        index.append(round(level, 2))
    return simulator, index


def _listed(stocks: Universe, dates: pl.Series) -> pl.DataFrame:
    """The stocks that have a bar in the period, in the order of their codes."""
    gone_S = stocks.last_S < len(dates)
    last_S = dates.gather(np.where(gone_S, stocks.last_S, 0))
    listed = pl.DataFrame(
        {
            "Code": stocks.codes,
            "Sector33": [SECTORS[sector] for sector in stocks.sector_S],
            "MarketSegment": [SEGMENTS[segment] for segment in stocks.segment_S],
            "ListedFrom": dates.gather(np.minimum(stocks.first_S, len(dates) - 1)),
            "ListedTo": pl.select(pl.when(pl.Series(gone_S)).then(last_S)).to_series(),
        }
    )
    return listed.filter(pl.Series(stocks.first_S < len(dates)))
