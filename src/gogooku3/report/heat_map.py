"""Heat map by month: return and mean RankIC per horizon, shaded by gain and loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from gogooku3.pages.words import UNDEFINED, decimal
from gogooku3.report.results import Results


@dataclass(frozen=True)
class Cell:
    """A number, and its shade relative to the other numbers of its column."""

    text: str
    shade: str
    """CSS class; empty if the number is undefined."""


@dataclass(frozen=True)
class Month:
    """A row of the heat map."""

    month: str
    sessions: int
    cells: list[Cell]
    """Return, then the mean RankIC of each horizon."""


def months(results: Results) -> list[Month]:
    """Calendar months of the test split with portfolio returns or RankICs."""
    names = [f"rank_ic_{horizon}" for horizon in results.horizons]
    table = (
        results.sessions.with_columns(month=pl.col("Date").dt.strftime("%Y-%m"))
        .fill_nan(None)
        .group_by("month", maintain_order=True)
        .agg(
            pl.col("net").is_not_null().sum().alias("sessions"),
            pl.when(pl.col("net").is_not_null().any()).then((1.0 + pl.col("net")).product() - 1.0).alias("net"),
            *(pl.col(name).mean() for name in names),
        )
    )
    columns = [_shaded(table["net"], ".2%"), *(_shaded(table[name], ".3f") for name in names)]
    rows = zip(table["month"], table["sessions"], *columns, strict=True)
    return [Month(month, sessions, list(cells)) for month, sessions, *cells in rows]


@dataclass(frozen=True)
class Year:
    """A row of the grid of months."""

    year: str
    cells: list[Cell]
    """January to December; empty text where there is no session."""
    total: Cell


def years(grid: list[dict[str, Any]]) -> list[Year]:
    """Returns after costs by calendar year and month, and compounded over each year.

    Args:
        grid: `month` (`2023-05`) and `return`, ascending.
    """
    by_month = {row["month"]: row["return"] for row in grid}
    names = list(dict.fromkeys(month[:4] for month in by_month))
    months = [[by_month.get(f"{year}-{number:02d}") for number in range(1, 13)] for year in names]
    cells = _shaded(pl.Series([value for row in months for value in row], dtype=pl.Float64), ".1%")
    cells = [Cell("", "") if cell.text == UNDEFINED else cell for cell in cells]
    totals = []
    for row in months:
        growth = 1.0
        for value in row:
            growth *= 1.0 + (value or 0.0)
        totals.append(growth - 1.0)
    rows = zip(names, _shaded(pl.Series(totals, dtype=pl.Float64), ".1%"), strict=True)
    return [Year(year, cells[12 * place : 12 * place + 12], total) for place, (year, total) in enumerate(rows)]


def _shaded(values: pl.Series, form: str) -> list[Cell]:
    """Three shades of gain and three of loss, relative to the largest absolute value of the column."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    return [Cell(decimal(value, form), _shade(value, largest)) for value in values]


def _shade(value: float | None, largest: float) -> str:
    if value is None or largest == 0.0:
        return ""
    depth = min(3, 1 + int(3 * abs(value) / largest))
    return f"gain-{depth}" if value >= 0 else f"loss-{depth}"
