"""The layout of `metrics/<split>.json`: a few numbers, which DVC's tables show, and the whole table of metrics.

`dvc metrics show` has a column for every number of a file that is not in a list. The table is therefore the only
element of a list. Files before version 0.2.0 are the table itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TABLE = "evaluation"
"""The key of the list with the table."""

_SHOWN = {
    "sharpe": ("sharpe", "value"),
    "rank_ic": ("mean_rank_ic", "value"),
    "return": ("annual_return",),
    "drawdown": ("max_drawdown",),
    "turnover": ("turnover",),
}
"""The numbers that DVC's tables show, with their paths in the table. Short names: five of them fit into 80 columns."""


def content_of(table: Mapping[str, Any]) -> dict[str, Any]:
    """The content of the file of a table of metrics (`gogooku3.evaluation.evaluate.Evaluation.metrics`)."""
    return {**shown(table), TABLE: [dict(table)]}


def table_of(content: dict[str, Any]) -> dict[str, Any]:
    """The table of metrics in the content of a file of any version."""
    match content.get(TABLE):
        case [dict() as table]:
            return table
        case _:
            return content


def shown(table: Mapping[str, Any]) -> dict[str, Any]:
    """The few numbers of a table; None where it has no value."""
    return {name: _at(table, path) for name, path in _SHOWN.items()}


def _at(table: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table
