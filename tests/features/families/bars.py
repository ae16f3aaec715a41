"""Bars known at a session's close as plain lists: the inputs of the reference formulas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property

from gogooku3.features.market import Market

from .plain import log, ratio, sector_mean


@dataclass(frozen=True)
class Stock:
    """The bars of one stock up to a session, oldest first, NaN if missing; [-1] is the session itself."""

    O: Sequence[float]  # noqa: E741
    H: Sequence[float]
    L: Sequence[float]
    C: Sequence[float]
    V: Sequence[float]
    TV: Sequence[float]
    I: Sequence[float]  # noqa: E741
    """Level of the index."""
    r: Sequence[float]
    """log(C_t / C_t−1)."""
    g: Sequence[float]
    """log(O_t / C_t−1)."""
    d: Sequence[float]
    """log(C_t / O_t)."""
    m: Sequence[float]
    """Log return of the index."""
    S: Sequence[float]
    """Mean r of the stock's sector."""

    def ago(self, sessions: int) -> Stock:
        """The bars known some sessions earlier."""
        return Stock(*(getattr(self, field.name)[: len(self.C) - sessions] for field in fields(self)))


@dataclass(frozen=True)
class Session:
    """All stocks of a market up to a session, including those without a bar in it."""

    market: Market
    row: int

    @cached_property
    def stocks(self) -> list[Stock]:
        until, market = self.row + 1, self.market
        names = ("open_TS", "high_TS", "low_TS", "close_TS", "volume_TS", "turnover_TS")
        bars = [[getattr(market, name)[:until, s].tolist() for name in names] for s in range(len(market.codes))]
        r_of = [_steps(bar[3], bar[3]) for bar in bars]
        of_sectors = zip(*(sector_mean(r, market.sectors) for r in zip(*r_of, strict=True)), strict=True)
        index = market.index_T[:until].tolist()
        stocks = []
        for bar, r, of_sector in zip(bars, r_of, of_sectors, strict=True):
            opens, closes = bar[0], bar[3]
            d = [log(ratio(c, o)) for o, c in zip(opens, closes, strict=True)]
            stocks.append(Stock(*bar, index, r, _steps(closes, opens), d, _steps(index, index), of_sector))
        return stocks

    @property
    def sectors(self) -> Sequence[str]:
        return self.market.sectors

    @property
    def present(self) -> list[bool]:
        return [not math.isnan(stock.C[-1]) for stock in self.stocks]

    @property
    def days(self) -> list[date]:
        return list(self.market.sessions[: self.row + 1].tolist())


def _steps(earlier: list[float], later: list[float]) -> list[float]:
    """log(later_t / earlier_t−1)."""
    return [math.nan, *(log(ratio(b, a)) for a, b in zip(earlier[:-1], later[1:], strict=True))]
