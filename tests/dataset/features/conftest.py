"""Plain-Python views of single stocks, for references that share no code with the features."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gogooku3.dataset.market import Market
from gogooku3.dataset.registry import select

ROWS = (255, 288, 329)


@dataclass(frozen=True)
class Stock:
    """The bars of one stock up to a session, oldest first; [-1] is the session itself."""

    O: list[float]  # noqa: E741
    H: list[float]
    L: list[float]
    C: list[float]
    V: list[float]
    TV: list[float]
    I: list[float]  # noqa: E741

    @property
    def r(self) -> list[float]:
        return [math.log(b / a) for a, b in zip(self.C[:-1], self.C[1:], strict=True)]

    @property
    def g(self) -> list[float]:
        return [math.log(o / c) for c, o in zip(self.C[:-1], self.O[1:], strict=True)]

    @property
    def d(self) -> list[float]:
        return [math.log(c / o) for o, c in zip(self.O, self.C, strict=True)]

    @property
    def m(self) -> list[float]:
        return [math.log(b / a) for a, b in zip(self.I[:-1], self.I[1:], strict=True)]


def stock_at(market: Market, row: int, column: int) -> Stock:
    names = ("open_TS", "high_TS", "low_TS", "close_TS", "volume_TS", "turnover_TS")
    series = [getattr(market, name)[: row + 1, column].tolist() for name in names]
    return Stock(*series, market.index_T[: row + 1].tolist())


@pytest.fixture(scope="session")
def stock(market: Market) -> Callable[[int, int], Stock]:
    return lambda row, column: stock_at(market, row, column)


@pytest.fixture(scope="session")
def agrees(market: Market) -> Callable[[str, Callable[[Stock], float]], None]:
    """Checks a feature against a formula of one stock, for several stocks and sessions."""
    by_name = {feature.name: feature for feature in select("full395")}

    def check(name: str, formula: Callable[[Stock], float]) -> None:
        values = by_name[name].values(market)
        for row in ROWS:
            for column in (0, 5, 13):
                found = values[row] if values.ndim == 1 else values[row, column]
                wanted = formula(stock_at(market, row, column))
                assert found == pytest.approx(wanted, rel=1e-8, abs=1e-11), (name, row, column)

    return check
