"""What every section of the parameters shares: its strictness and the form of its checks."""

from __future__ import annotations

from typing import TypeVar, cast, dataclass_transform

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from gogooku3.errors import ConfigError

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def section(cls: type[T]) -> type[T]:
    """A frozen dataclass that takes exactly its own fields, each of its own type."""
    return cast("type[T]", dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))(cls))


def require(condition: bool, message: str, hint: str) -> None:
    """Raises `ConfigError` unless the condition holds."""
    if not condition:
        raise ConfigError(message, hint=hint)
