"""The feature (factor) declaration: name, lookback, definition in words and compute function."""

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
    """A feature per stock (scopes `stock` and `rank`) or per session (scope `session`)."""

    family: str
    scope: Scope
    name: str
    lookback: int
    """Sessions of bars that a value depends on, including its own session."""
    definition: str
    """The formula in one line, with its source if it has one."""
    compute: Callable[[Market], Floats]
    """Time-series step: [T, S] values, each from its stock's bars, the index and `Market.sector_return_TS` only; for
    scope `session` [T] values, from the bars of all stocks. NaN if unknown."""
    across: Callable[[Floats, Market], Floats] | None = None
    """Optional cross-sectional step: transforms the [T, S] values over the stocks of each session."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.lookback < 1:
            raise ConfigError(
                f"feature `{self.name}` has a lookback of {self.lookback} sessions",
                hint="use 1 or more: a feature depends at least on its own session",
            )

    @property
    def column(self) -> Column:
        """The feature's entry in the schema."""
        return Column(self.name, self.family, self.lookback, self.scope, self.definition, DTYPE)

    def own(self, market: Market) -> Floats:
        """`compute`, with NaN in the first `lookback` − 1 sessions (warm-up).

        So a value never depends on the start of the market's history.
        """
        values = self.compute(market).astype(np.float64)
        values[: self.lookback - 1] = np.nan
        return values

    def values(self, market: Market) -> Floats:
        """[T, S] values after the cross-sectional step, NaN without a bar; [T] for scope `session`. Not normalised."""
        own = self.own(market)
        if self.scope == "session":
            return own
        own_TS = np.where(market.present_TS, own, np.nan)
        if self.across is None:
            return own_TS
        return np.where(market.present_TS, self.across(own_TS, market), np.nan)


def check_name(name: str) -> None:
    """Validates the name of a feature.

    Raises:
        ConfigError: the name has invalid characters, or the prefix of the forward returns.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"`{name}` is not a valid feature name",
            hint=f"use lowercase letters, digits and underscores: {NAME.pattern}",
        )
    if name.startswith(TARGET_PREFIX):
        raise ConfigError(
            f"feature `{name}` is named like a forward return, which must never be an input (leakage)",
            hint=f"choose a name that does not start with `{TARGET_PREFIX}`",
        )
