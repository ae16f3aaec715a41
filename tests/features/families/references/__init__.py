"""A formula for every feature, family by family, in plain Python: what the definitions say, without their code.

`STOCK` holds formulas of a stock's bars, `ACROSS` what is done across the stocks of a session with a quantity of each,
`SESSION` formulas of a session. A number in a feature's name is an argument: `ret_{n}` is `ret_1`, `ret_20` and so on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from ..bars import Session
from ..plain import rank
from . import (
    calendar,
    candles,
    climate,
    distribution,
    liquidity,
    momentum,
    relative,
    returns,
    sector,
    technical,
    volatility,
    volume,
)

Values = Callable[[Session], list[float]]
"""The values of all stocks; NaN without a bar, but for what is a session's and not a stock's."""

_OF_STOCKS = (returns, volatility, momentum, technical, candles, liquidity, volume, distribution, relative, sector)
STOCK: dict[str, Callable[..., float]] = {name: f for family in _OF_STOCKS for name, f in family.STOCK.items()}
SESSION: dict[str, Callable[..., float]] = {**calendar.SESSION, **climate.SESSION}
ACROSS = {**sector.ACROSS, "rank_*": (rank, "*")}


_PLACE = re.compile(r"\{\w+\}|\*")
_EXPRESSIONS = {
    pattern: re.compile(_PLACE.sub(lambda place: "(.+)" if place.group() == "*" else r"(\d+)", pattern))
    for pattern in (*STOCK, *SESSION, *ACROSS)
}


def references(name: str) -> list[str]:
    """The entries that a feature's name fits."""
    return [pattern for pattern, expression in _EXPRESSIONS.items() if expression.fullmatch(name)]


def reference(name: str) -> Values:
    """The formula of a feature."""
    (pattern,) = references(name)
    found = _EXPRESSIONS[pattern].fullmatch(name)
    assert found is not None
    if pattern in ACROSS:
        across, of = ACROSS[pattern]
        filled = dict(zip(_PLACE.findall(pattern), found.groups(), strict=True))
        own = reference(_PLACE.sub(lambda place: filled[place.group()], of))
        return lambda session: _with_a_bar(across(own(session), session.sectors), session)
    numbers = [int(number) for number in found.groups()]
    if pattern in SESSION:
        return lambda session: [SESSION[pattern](session, *numbers)] * len(session.stocks)
    return lambda session: _with_a_bar([STOCK[pattern](stock, *numbers) for stock in session.stocks], session)


def _with_a_bar(values: list[float], session: Session) -> list[float]:
    return [value if there else math.nan for value, there in zip(values, session.present, strict=True)]
