"""Markets with missing, constant and illiquid bars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gogooku3.features.market import Market

BARS = ("open_TS", "high_TS", "low_TS", "close_TS", "volume_TS", "turnover_TS")


def holed(market: Market) -> Market:
    """Each stock has more missing bars than the previous one: some windows have less than four fifths."""
    draw = np.random.Generator(np.random.Philox(11))
    changed = {name: getattr(market, name).copy() for name in BARS}
    lost_TS = draw.random(market.close_TS.shape) < np.linspace(0.0, 0.3, len(market.codes))
    lost_TS[:290, 12] = True  # listed late
    lost_TS[310:, 9] = True  # delisted
    lost_TS[300:308, 2] = True  # suspended for a while
    lost_TS[320, 4:] = True  # four stocks have a bar, in one of the sectors a single one
    for name, values in changed.items():
        values[lost_TS] = np.nan
        if name != "close_TS":
            values[draw.random(values.shape) < 0.01] = np.nan
    index_T = market.index_T.copy()
    index_T[236:262] = np.nan
    index_T[318] = np.nan
    return replace(market, **changed, index_T=index_T)


def still(market: Market) -> Market:
    """Prices in ticks; some stocks, and the index, are constant or do not trade for a while."""
    changed = {name: getattr(market, name).copy() for name in BARS}
    prices = {name: changed[name] for name in BARS[:4]}
    for values in prices.values():
        values[...] = np.rint(values)
        values[:, 3] = 500.0  # all of history
        values[305:, 5] = prices["close_TS"][304, 5]  # 25 sessions
    prices["high_TS"][:, 6] = prices["low_TS"][:, 6] = prices["open_TS"][:, 6] = prices["close_TS"][:, 6]
    for name in ("volume_TS", "turnover_TS"):
        changed[name][300:, 7] = 0.0
        changed[name][::3, 8] = 0.0
        changed[name][:, 10] = changed[name][0, 10]
    index_T = market.index_T.copy()
    index_T[309:] = index_T[309]
    return replace(market, **changed, index_T=index_T)


@pytest.fixture(scope="session")
def markets(market: Market) -> dict[str, Market]:
    return {"whole": market, "holed": holed(market), "still": still(market)}
