"""Market state and oracle of a panel's sessions, from the quotes that the panel was built from."""

from __future__ import annotations

import polars as pl

from gogooku3.evaluation.market_state import TREND, MarketState
from gogooku3.metrics.cross_section import Floats
from gogooku3.panel.panel import Targets
from gogooku3.panel.table import to_arrays
from gogooku3.quotes.schema import Quotes


def market_state_of(panel: Targets, quotes: Quotes, first: int, last: int) -> MarketState:
    """Market state in the sessions `first` to `last`, from their bars and earlier ones.

    What follows a close (`next_index_return_T`, `prices`) comes from later sessions, as many as the
    longest horizon.

    Raises:
        DataError: a close is of a stock or session that is not in the panel.
    """
    begin = max(0, first - TREND)
    sessions = panel.sessions[begin : last + 1 + max(panel.horizons)]
    bars = quotes.bars.filter(pl.col("Date").is_between(sessions[0].item(), sessions[-1].item()))
    market_state = MarketState.of_quotes(sessions, panel.codes, bars, quotes.listed, quotes.index, quotes.restrictions)
    return market_state.rows(first - begin, last + 1 - begin)


def oracle_of(panel: Targets, quotes: Quotes) -> Floats | None:
    """Expected returns from the alpha signals of a synthetic market, [T, S, P]; None for a real market."""
    oracle = quotes.oracle
    return None if oracle is None else to_arrays(panel, oracle.scores, [f"oracle_{h}" for h in panel.horizons])
