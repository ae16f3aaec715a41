"""Differences between two dictionaries of values: added, removed and changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """A value on both sides; None if a side does not have it."""

    name: str
    old: Any
    new: Any

    @property
    def difference(self) -> float | None:
        """`new` minus `old` if both are numbers, or estimates with a number as their `value`."""
        old, new = _number(self.old), _number(self.new)
        return None if old is None or new is None else new - old


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """The differing values by name, in the order of `old`, then of `new`; values of different types differ."""
    names = [*old, *(name for name in new if name not in old)]
    return [
        Change(name, old.get(name), new.get(name))
        for name in names
        if old.get(name) != new.get(name) or type(old.get(name)) is not type(new.get(name))
    ]


def _number(value: Any) -> float | None:
    number = value.get("value") if isinstance(value, dict) else value
    return float(number) if isinstance(number, int | float) and not isinstance(number, bool) else None
