"""Helpers that declare the features of a family: a single one, or one per window length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gogooku3.dataset.elementwise import Floats
from gogooku3.dataset.schema import Scope
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market

Across = Callable[[Floats, Market], Floats]


@dataclass(frozen=True)
class Family:
    """Declares the features of one family."""

    name: str
    scope: Scope = "stock"

    def one(
        self,
        name: str,
        lookback: int,
        definition: str,
        compute: Callable[[Market], Floats],
        across: Across | None = None,
    ) -> Feature:
        """A single feature."""
        return Feature(self.name, self.scope, name, lookback, definition, compute, across)

    def each(
        self,
        windows: tuple[int, ...],
        name: str,
        definition: str,
        compute: Callable[..., Floats],
        *,
        before: int = 0,
        across: Across | None = None,
    ) -> tuple[Feature, ...]:
        """One feature per window length; `{n}` in name and definition is the length.

        Args:
            compute: function of the market and `window`.
            before: sessions before the window that the values need.
        """
        return tuple(
            self.one(name.format(n=n), n + before, definition.format(n=n), partial(compute, window=n), across)
            for n in windows
        )
