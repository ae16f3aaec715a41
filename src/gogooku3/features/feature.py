"""What a feature is: one declaration with its name, its formula in words and its formula in code."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gogooku3.dataset.elementwise import Floats
from gogooku3.dataset.schema import DTYPE, TARGET_PREFIX, Column, Scope
from gogooku3.errors import ConfigError
from gogooku3.features.market import Market

NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Feature:
    """A quantity of each stock (scopes `stock` and `rank`) or of the session (scope `session`)."""

    family: str
    scope: Scope
    name: str
    lookback: int
    """Sessions whose bars the value depends on, its own session included."""
    definition: str
    """The formula in one line, with its source where it has one."""
    compute: Callable[[Market], Floats]
    """[T, S] values, each from its own stock's bars, the index and `Market.sector_return_TS` alone; for scope
    `session` [T] values, from the bars of all stocks. NaN where unknown."""
    across: Callable[[Floats, Market], Floats] | None = None
    """What becomes of a session's [T, S] values beside those of the other stocks, where it matters."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.lookback < 1:
            raise ConfigError(
                f"feature `{self.name}` looks back on {self.lookback} sessions",
                hint="a feature depends on its own session at least: use 1 or more",
            )

    @property
    def column(self) -> Column:
        """The feature as the schema records it."""
        return Column(self.name, self.family, self.lookback, self.scope, self.definition, DTYPE)

    def own(self, market: Market) -> Floats:
        """`compute`, with NaN in the first `lookback` − 1 sessions, which lack history.

        With that, a value never depends on where the market's history begins.
        """
        values = self.compute(market).astype(np.float64)
        values[: self.lookback - 1] = np.nan
        return values

    def values(self, market: Market) -> Floats:
        """[T, S] values beside all other stocks, NaN without a bar, or [T] for scope `session`; not yet normalised."""
        own = self.own(market)
        if self.scope == "session":
            return own
        own_TS = np.where(market.present_TS, own, np.nan)
        if self.across is None:
            return own_TS
        return np.where(market.present_TS, self.across(own_TS, market), np.nan)


def check_name(name: str) -> None:
    """Refuses what cannot name a feature.

    Raises:
        ConfigError: the name breaks the grammar, or it starts as the forward returns do.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"`{name}` cannot name a feature", hint=f"use small letters, digits and underscores: {NAME.pattern}"
        )
    if name.startswith(TARGET_PREFIX):
        raise ConfigError(
            f"feature `{name}` is named as a forward return, which is never an input",
            hint=f"choose a name that does not start with `{TARGET_PREFIX}`",
        )
