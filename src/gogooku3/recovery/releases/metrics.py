"""Reads the metrics of a split, `metrics/<split>.json`, as written by any version.

Later versions have more metrics, and another layout (`gogooku3.metrics.split_file`). A metric that is not in the file
is absent, without a default value: it is shown as `–` and left out of comparisons. The content of the file must match
the evaluation's schema; otherwise the file is damaged, which is an error.
"""

from __future__ import annotations

import json
from dataclasses import field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from gogooku3 import paths
from gogooku3.errors import DataError
from gogooku3.metrics.split_file import TABLE, shown, table_of
from gogooku3.recovery.releases import git

_CHECKED = ConfigDict(extra="ignore", strict=True)


@dataclass(frozen=True, config=_CHECKED)
class Cell:
    """A metric with its interval."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, config=_CHECKED)
class Sharpe(Cell):
    """A Sharpe ratio and its significance."""

    probabilistic: float | None = None
    min_track_record: float | None = None
    trials_survived: int | None = None
    skewness: float | None = None
    kurtosis: float | None = None


@dataclass(frozen=True, config=_CHECKED)
class Market:
    """Exposure to the market."""

    beta: float | None = None


@dataclass(frozen=True, config=_CHECKED)
class Exposure:
    """Factor exposure of the portfolio."""

    market: Market = field(default_factory=Market)
    size: float | None = None


@dataclass(frozen=True, config=_CHECKED)
class Universe:
    """Numbers of stocks in the universe."""

    stocks: int | None = None
    joined: int | None = None
    left: int | None = None


@dataclass(frozen=True, config=_CHECKED)
class Implausible:
    """A finding of `gogooku3.evaluation.plausibility`."""

    name: str
    level: str
    text: str


@dataclass(frozen=True, config=_CHECKED)
class Metrics:
    """The part of `gogooku3.evaluation.evaluate.Evaluation.metrics` that is read here; None if undefined or absent."""

    sessions: int | None = None
    first: str | None = Field(default=None, alias="from")
    last: str | None = Field(default=None, alias="to")
    sharpe: Sharpe = field(default_factory=Sharpe)
    annual_return: float | None = None
    annual_volatility: float | None = None
    max_drawdown: float | None = None
    turnover: float | None = None
    break_even_bps: float | None = None
    capacity: float | None = None
    rank_ic: dict[str, Cell] = field(default_factory=dict)
    ic: dict[str, Cell] = field(default_factory=dict)
    mean_rank_ic: Cell | None = None
    exposure: Exposure = field(default_factory=Exposure)
    universe: Universe = field(default_factory=Universe)
    plausibility: list[Implausible] | None = None
    """None if the version did not check."""


_ADAPTER = TypeAdapter(Metrics)


def parse(text: str) -> dict[str, Any]:
    """The content of a metrics file, with the metrics of its version only.

    Raises:
        ValueError: it is not JSON, or not in the evaluation's schema; the message completes "the file is …".
    """
    validated(text)
    return table_of(json.loads(text))


def read(root: Path, rev: str, split: str) -> Metrics | None:
    """The metrics of a split at a revision; None if it has no such file.

    Raises:
        DataError: the file is damaged.
    """
    path = paths.metrics_of(split)
    text = git.show(root, rev, path)
    try:
        return None if text is None else validated(text)
    except ValueError as error:
        raise DataError(
            f"`{path}` of `{rev}` is {error}", hint=f"find the change with `git log {rev} -- {path}`"
        ) from None


def validated(text: str) -> Metrics:
    """The content of a metrics file in the evaluation's schema; raises like `parse`."""
    try:
        return _ADAPTER.validate_json(_table_text(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise ValueError(f"not JSON: {first['ctx']['error']}") from None
        parts = [".".join(str(part) for part in first["loc"]), first["msg"]]
        raise ValueError(f"not a table of metrics: {': '.join(filter(None, parts))}") from None


def _table_text(text: str) -> str:
    """The JSON of the table in the text of a file; raises `ValueError` if the numbers beside it are not the table's."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(content, dict) or (table := table_of(content)) is content:
        return text
    own = shown(table)
    for name, value in content.items():
        if name in own and value != own[name]:
            raise ValueError(f"not a table of metrics: {name} {value}, and its `{TABLE}` has {own[name]}")
    return json.dumps(table)
