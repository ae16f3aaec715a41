"""Base of all config sections: strict dataclasses and their validation."""

from __future__ import annotations

from typing import TypeVar, cast, dataclass_transform

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from gogooku3.errors import ConfigError

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def section(cls: type[T]) -> type[T]:
    """A frozen pydantic dataclass: no unknown fields, no type coercion, no infinite number and no NaN."""
    rules = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return cast("type[T]", dataclass(frozen=True, config=rules)(cls))


def require(condition: bool, message: str, hint: str) -> None:
    """Raises `ConfigError` if the condition is false."""
    if not condition:
        raise ConfigError(message, hint=hint)
