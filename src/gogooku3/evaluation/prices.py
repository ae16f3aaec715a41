"""What a position earns and when it can be traded, from closes: gaps without a price, and delistings.

A stock without a bar in a session has no price there: nobody can trade it. A position is held at the last price until
the next bar, and its return over the whole gap is booked there. A delisted stock has no next bar: the position is paid
out when the listing has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gogooku3.dataset.elementwise import divide
from gogooku3.metrics.cross_section import Floats

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Prices:
    """Tradability and returns of T sessions and S stocks."""

    buyable_TS: Bools
    """Whether the stock can be bought at this close."""
    sellable_TS: Bools
    """Whether the stock can be sold at this close."""
    shortable_TS: Bools | None
    """Whether the stock can be sold short in this session; None if the quotes do not say."""
    next_return_TS: Floats
    """Simple return that the next close shows: from the last price at or before this close to the next close. NaN
    where there is no price at the next close, or none before it. Not known at this close."""
    delisting_in_TS: NDArray[np.int64]
    """Sessions from this close to the first one after the end of the stock's listing; 0 where that has passed or is not
    in the data. Not known at this close."""
    final_return_TS: Floats
    """Simple return from this close to the last price before the delisting; NaN without a close, or without a
    delisting. Not known at this close."""

    @classmethod
    def of_closes(cls, close_TS: Floats, traded_TS: Bools, delisted_S: NDArray[np.int64]) -> Prices:
        """Prices of a period.

        Args:
            close_TS: split-adjusted closes, NaN where a stock has no bar.
            traded_TS: whether the bar shows that shares changed hands.
            delisted_S: row of the first session after the end of the stock's listing; T or more if there is none. A
                later bar counts: it moves the delisting to the session after it.
        """
        sessions, stocks = close_TS.shape
        row_T1 = np.arange(sessions)[:, None]
        priced_TS = np.isfinite(close_TS)
        known_TS = np.maximum.accumulate(np.where(priced_TS, row_T1, -1), axis=0)
        last_price_TS = np.where(known_TS >= 0, close_TS[known_TS, np.arange(stocks)], np.nan)
        next_return_TS = np.full(close_TS.shape, np.nan)
        next_return_TS[:-1] = divide(close_TS[1:], last_price_TS[:-1]) - 1
        end_S = np.maximum(delisted_S, known_TS[-1] + 1)
        ahead_TS = np.where(end_S < sessions, np.maximum(end_S - row_T1, 0), 0)
        final_TS = divide(last_price_TS[-1:], close_TS) - 1
        return cls(
            buyable_TS=priced_TS & traded_TS,
            sellable_TS=priced_TS & traded_TS,
            shortable_TS=None,
            next_return_TS=next_return_TS,
            delisting_in_TS=ahead_TS,
            final_return_TS=np.where(ahead_TS > 0, final_TS, np.nan),
        )

    def restricted(self, unbuyable_TS: Bools, unsellable_TS: Bools, unshortable_TS: Bools) -> Prices:
        """The same with stocks that cannot be bought, sold or sold short."""
        return replace(
            self,
            buyable_TS=self.buyable_TS & ~unbuyable_TS,
            sellable_TS=self.sellable_TS & ~unsellable_TS,
            shortable_TS=~unshortable_TS,
        )

    def rows(self, start: int, stop: int) -> Prices:
        """Only the sessions start … stop − 1."""
        known = {name: series_TS for name, series_TS in vars(self).items() if series_TS is not None}
        return replace(self, **{name: series_TS[start:stop] for name, series_TS in known.items()})


def with_delisted(
    targets_TSH: NDArray[np.floating], horizons: Sequence[int], prices: Prices, delisting_return: float
) -> tuple[Floats, NDArray[np.int64]]:
    """Targets that include stocks that were delisted before their horizon, [T, S, H], and the number added, [H].

    Such a stock has no close at the horizon and hence no target, and leaving it out selects the stocks that survived.
    Its target is the return to the last price, and the delisting return on top of it: (1 + r)(1 + delisting) − 1. Added
    only in sessions in which other stocks have a target, so that the end of the data counts as no delisting.
    """
    filled_TSH = targets_TSH.astype(np.float64)
    final_TS = (1 + prices.final_return_TS) * (1 + delisting_return) - 1
    added_H = np.zeros(len(horizons), np.int64)
    for index, horizon in enumerate(horizons):
        target_TS = filled_TSH[..., index]
        gone_TS = (prices.delisting_in_TS > 0) & (prices.delisting_in_TS <= horizon) & np.isfinite(final_TS)
        gone_TS &= np.isnan(target_TS) & np.isfinite(target_TS).any(axis=1, keepdims=True)
        target_TS[gone_TS] = final_TS[gone_TS]
        added_H[index] = np.count_nonzero(gone_TS)
    return filled_TSH, added_H
